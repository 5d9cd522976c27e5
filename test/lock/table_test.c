/* SPDX-License-Identifier: MPL-2.0
 *
 * The lock table: what each event does, and what it refuses. After each event its invariants hold.
 */
#include "test/protocol/check.h"
#include "actors/lock/table.h"

#define SECOND 1000000ll

static synod__locks_t locks;
static int64_t now_us;
static synod_fault_t fault;

typedef struct {
    uint64_t client, request;
    const char *owner, *names[4];
    bool shared;
    uint64_t permits, lease_ms, wait_ms;
} ask_t;

static uint64_t next_request;

static void check (void)
{
    char why[SYNOD_FAULT_MAX];
    if (!synod__locks_check (&locks, why))
        fail_msg ("%s", why);
}

static int setup (void **state)
{
    (void) state;
    synod__locks_free (&locks);
    now_us = 1000 * SECOND;
    next_request = 0;
    return 0;
}

static int teardown (void **state)
{
    (void) state;
    synod__locks_free (&locks);
    return 0;
}

/* Defaults: request the next one, lease 10 s, waits for a minute. */
static int acquire (ask_t ask, synod__locks_entry_t **entry)
{
    synod_str_t names[4];
    const synod__locks_entry_t *in_the_way;
    char who[24];
    snprintf (who, sizeof who, "c%u", (unsigned) ask.client);
    synod__locks_want_t want = {.client = ask.client,
                                .request = ask.request ? ask.request : ++next_request,
                                .who = synod_str (who),
                                .owner = synod_str (ask.owner ? ask.owner : ""),
                                .names = names,
                                .shared = ask.shared,
                                .permits = ask.permits,
                                .lease_ms = ask.lease_ms ? ask.lease_ms : 10000,
                                .wait_ms = ask.wait_ms == 1 ? 0 : 60000};
    while (want.nnames < 4 && ask.names[want.nnames]) {
        names[want.nnames] = synod_str (ask.names[want.nnames]);
        want.nnames++;
    }
    int rc = synod__locks_acquire (&locks, now_us, now_us / SECOND, &want, entry, &in_the_way, &fault);
    check ();
    return rc;
}

static synod__locks_entry_t *get (ask_t ask)
{
    synod__locks_entry_t *entry;
    if (acquire (ask, &entry) != SYNOD_OK)
        fail_msg ("%s", fault.text);
    assert_non_null (entry);
    return entry;
}

static int release (const synod__locks_entry_t *entry, uint64_t client)
{
    uint32_t left;
    int rc = synod__locks_release (&locks, 0, client, synod_str (entry->owner), entry->token, 0, &left, &fault);
    check ();
    return rc;
}

#define HOLDS(entry) assert_int_equal ((entry)->state, SYNOD__LOCKS_HOLDS)
#define WAITS(entry) assert_int_equal ((entry)->state, SYNOD__LOCKS_WAITS)
#define A   \
    {       \
        "a" \
    }

static void test_first_come (void **state)
{
    (void) state;
    synod__locks_entry_t *first = get ((ask_t){.client = 1, .names = A}),
                         *second = get ((ask_t){.client = 2, .names = A}),
                         *third = get ((ask_t){.client = 3, .names = A});
    HOLDS (first);
    WAITS (second);
    WAITS (third);
    uint64_t token = first->token;
    release (first, 1);
    HOLDS (second);
    WAITS (third);
    assert_true (second->token > token);
    token = second->token;
    release (second, 2);
    HOLDS (third);
    assert_true (third->token > token);
    release (third, 3);
    assert_int_equal (locks.nnames, 0);
}

static void test_readers (void **state)
{
    (void) state;
    synod__locks_entry_t *r1 = get ((ask_t){.client = 1, .names = A, .shared = true}),
                         *r2 = get ((ask_t){.client = 2, .names = A, .shared = true}),
                         *w = get ((ask_t){.client = 3, .names = A}),
                         *r3 = get ((ask_t){.client = 4, .names = A, .shared = true}),
                         *r4 = get ((ask_t){.client = 5, .names = A, .shared = true}),
                         *w2 = get ((ask_t){.client = 6, .names = A});
    HOLDS (r1);
    HOLDS (r2);
    WAITS (w);
    WAITS (r3); /* or the writer starves */
    release (r1, 1);
    WAITS (w);
    release (r2, 2);
    HOLDS (w);
    release (w, 3);
    HOLDS (r3); /* the whole run, and no more */
    HOLDS (r4);
    WAITS (w2);
}

static void test_permits (void **state)
{
    synod__locks_entry_t *of[4], *entry;
    (void) state;
    for (uint64_t i = 0; i < 4; i++)
        of[i] = get ((ask_t){.client = i + 1, .names = A, .permits = 3});
    HOLDS (of[2]);
    WAITS (of[3]);
    assert_int_equal (acquire ((ask_t){.client = 9, .names = A, .permits = 4}, &entry), SYNOD_REFUSED);
    assert_non_null (strstr (fault.text, "3 permits"));
    assert_int_equal (acquire ((ask_t){.client = 9, .names = A}, &entry), SYNOD_REFUSED);
    release (of[1], 2);
    HOLDS (of[3]);
}

static void test_again (void **state)
{
    synod__locks_entry_t *entry = get ((ask_t){.client = 1, .owner = "x", .names = A}), *other;
    uint32_t left;
    (void) state;
    uint64_t token = entry->token;
    assert_ptr_equal (get ((ask_t){.client = 1, .owner = "x", .names = A, .request = 77}), entry);
    assert_int_equal (entry->count, 2);
    assert_int_equal (entry->token, token);
    /* the same acquisition again is no other one */
    assert_ptr_equal (get ((ask_t){.client = 1, .owner = "x", .names = A, .request = 77}), entry);
    assert_int_equal (entry->count, 2);
    other = get ((ask_t){.client = 1, .owner = "y", .names = A});
    WAITS (other); /* another actor of the same session */
    for (int i = 2; i < SYNOD__LOCKS_LEVELS; i++)
        get ((ask_t){.client = 1, .owner = "x", .names = A});
    assert_int_equal (acquire ((ask_t){.client = 1, .owner = "x", .names = A}, &entry), SYNOD_FULL);
    synod__locks_cancel (&locks, 0, 1, 77, &left);
    assert_int_equal (left, SYNOD__LOCKS_LEVELS - 1);
    synod__locks_cancel (&locks, 0, 1, 77, &left); /* it is over: nothing */
    assert_int_equal (left, 0);
    for (int i = 1; i < SYNOD__LOCKS_LEVELS; i++)
        assert_int_equal (synod__locks_release (&locks, 0, 1, synod_str ("x"), token, 0, &left, &fault), SYNOD_OK);
    assert_int_equal (left, 0);
    HOLDS (other);
}

static void test_upgrade (void **state)
{
    synod__locks_entry_t *r1 = get ((ask_t){.client = 1, .names = A, .shared = true}),
                         *r2 = get ((ask_t){.client = 2, .names = A, .shared = true}), *entry;
    (void) state;
    assert_int_equal (acquire ((ask_t){.client = 1, .names = A}, &entry), SYNOD_REFUSED);
    assert_non_null (strstr (fault.text, "sole reader"));
    release (r2, 2);
    assert_ptr_equal (get ((ask_t){.client = 1, .names = A}), r1);
    assert_false (r1->shared);
    WAITS (get ((ask_t){.client = 3, .names = A, .shared = true}));
}

static void test_together (void **state)
{
    synod__locks_entry_t *b = get ((ask_t){.client = 1, .names = {"b"}}),
                         *all = get ((ask_t){.client = 2, .names = {"c", "a", "b"}}),
                         *a = get ((ask_t){.client = 3, .names = A}), *entry;
    (void) state;
    WAITS (all);
    WAITS (a); /* it came later */
    assert_int_equal (synod__locks_name (&locks, synod_str ("a"))->holders.count, 0);
    release (b, 1);
    HOLDS (all);
    assert_int_equal (acquire ((ask_t){.client = 2, .names = A}, &entry), SYNOD_REFUSED); /* part of what it holds */
    release (all, 2);
    HOLDS (a);
}

static void test_try (void **state)
{
    synod__locks_entry_t *entry;
    (void) state;
    get ((ask_t){.client = 1, .names = A});
    assert_int_equal (acquire ((ask_t){.client = 2, .names = A, .wait_ms = 1}, &entry), SYNOD_OK);
    assert_null (entry);
    assert_null (synod__locks_session (&locks, 2)); /* nothing is left of it */
}

static void test_deadlock (void **state)
{
    synod__locks_entry_t *entry, *b = get ((ask_t){.client = 2, .names = {"b"}});
    (void) state;
    synod__locks_entry_t *a = get ((ask_t){.client = 1, .names = A});
    synod__locks_entry_t *waits = get ((ask_t){.client = 1, .names = {"b"}});
    WAITS (waits);
    uint64_t number = locks.number;
    assert_int_equal (acquire ((ask_t){.client = 2, .names = A}, &entry), SYNOD_DEADLOCK);
    assert_string_equal (fault.text, "a circle: c2 waits for a, c1 waits for b");
    assert_int_equal (locks.number, number);
    assert_int_equal (locks.neffects, 0);
    release (b, 2);
    HOLDS (waits);
    release (a, 1);
    /* three, by way of a queue: c3 waits behind c2, which waits for c1 */
    get ((ask_t){.client = 3, .names = {"c"}});
    WAITS (get ((ask_t){.client = 2, .names = {"b"}}));
    WAITS (get ((ask_t){.client = 3, .names = {"b"}}));
    assert_int_equal (acquire ((ask_t){.client = 1, .names = {"c"}}, &entry), SYNOD_DEADLOCK);
    assert_non_null (strstr (fault.text, "c1 waits for c"));
    /* readers are not in each other's way, and another owner of a session is another */
    get ((ask_t){.client = 4, .names = {"r"}, .shared = true});
    get ((ask_t){.client = 5, .names = {"s"}, .shared = true});
    HOLDS (get ((ask_t){.client = 4, .names = {"s"}, .shared = true}));
    HOLDS (get ((ask_t){.client = 5, .names = {"r"}, .shared = true}));
    WAITS (get ((ask_t){.client = 1, .owner = "z", .names = {"c"}}));
}

/* A permit may come from any of its holders: only when all of them wait is there nobody left to let one go. */
static void test_deadlock_permits (void **state)
{
    synod__locks_entry_t *entry, *b, *waits;
    (void) state;
    get ((ask_t){.client = 1, .names = {"p"}, .permits = 2});
    get ((ask_t){.client = 2, .names = {"p"}, .permits = 2});
    b = get ((ask_t){.client = 3, .names = {"b"}});
    WAITS (get ((ask_t){.client = 3, .names = {"p"}, .permits = 2}));
    waits = get ((ask_t){.client = 1, .names = {"b"}}); /* there is a way round, and no circle: c2 has a permit too */
    WAITS (waits);
    assert_int_equal (acquire ((ask_t){.client = 2, .names = {"b"}}, &entry), SYNOD_DEADLOCK);
    assert_string_equal (fault.text, "a circle: c2 waits for b, c3 waits for p");
    check ();
    /* who holds nothing is in nobody's way but in the queue: c4, behind whom c2 would wait for a permit of its own */
    WAITS (get ((ask_t){.client = 4, .names = {"p"}, .permits = 2}));
    assert_int_equal (acquire ((ask_t){.client = 2, .owner = "z", .names = {"p"}, .permits = 2}, &entry), SYNOD_OK);
    WAITS (entry);
    release (b, 3);
    HOLDS (waits);
    check ();
}

/* A sole reader that becomes a writer is in the way of readers who wait for other locks too. */
static void test_deadlock_upgrade (void **state)
{
    synod__locks_entry_t *entry;
    (void) state;
    get ((ask_t){.client = 1, .names = A, .shared = true});
    get ((ask_t){.client = 2, .names = {"b"}});
    get ((ask_t){.client = 3, .names = {"c"}});
    WAITS (get ((ask_t){.client = 2, .names = {"a", "c"}, .shared = true}));
    WAITS (get ((ask_t){.client = 1, .names = {"b"}}));
    assert_int_equal (acquire ((ask_t){.client = 1, .names = A}, &entry), SYNOD_DEADLOCK);
    check ();
    assert_int_equal (acquire ((ask_t){.client = 1, .names = A, .shared = true}, &entry), SYNOD_OK);
    assert_true (entry->shared && entry->count == 2);
}

static void test_expiry (void **state)
{
    synod__locks_session_t *session;
    synod__locks_entry_t *held = get ((ask_t){.client = 1, .names = A}), *next = get ((ask_t){.client = 2, .names = A});
    (void) state;
    uint64_t number = held->session->number;
    now_us += 9 * SECOND;
    assert_int_equal (synod__locks_keepalive (&locks, now_us, 1, number, &session, &fault), SYNOD_OK);
    assert_int_equal (synod__locks_keepalive (&locks, now_us, 2, next->session->number, &session, &fault), SYNOD_OK);
    now_us += 9 * SECOND;
    synod__locks_due (&locks, now_us, 0); /* as of the first term it would be over */
    HOLDS (held);
    assert_int_equal (synod__locks_keepalive (&locks, now_us, 2, next->session->number, &session, &fault), SYNOD_OK);
    assert_true (synod__locks_next_us (&locks) == now_us + SECOND);
    now_us += SECOND;
    synod__locks_due (&locks, now_us, 0);
    HOLDS (next);
    check ();
    assert_int_equal (synod__locks_keepalive (&locks, now_us, 1, number, &session, &fault), SYNOD_NOT_FOUND);
    assert_int_equal (release (next, 1), SYNOD_NOT_FOUND);
    /* a client that comes again has another session */
    assert_true (get ((ask_t){.client = 1, .names = {"b"}})->session->number > number);
}

static void test_gives_up (void **state)
{
    synod__locks_entry_t *held = get ((ask_t){.client = 1, .names = A, .shared = true});
    uint32_t left;
    (void) state;
    synod__locks_entry_t *writer = get ((ask_t){.client = 2, .names = A, .request = 50});
    synod__locks_entry_t *reader = get ((ask_t){.client = 3, .names = A, .shared = true});
    WAITS (writer);
    WAITS (reader);
    synod__locks_cancel (&locks, 0, 2, 50, &left);
    check ();
    HOLDS (reader); /* what was in its way has gone */
    HOLDS (held);
    get ((ask_t){.client = 2, .names = A, .lease_ms = 600000});
    synod__locks_entry_t *late = get ((ask_t){.client = 4, .names = A, .shared = true, .lease_ms = 600000});
    held->session->renewed_us = reader->session->renewed_us = now_us + 3600 * SECOND;
    now_us += 30 * SECOND;
    late->came_us = now_us;
    now_us += 30 * SECOND;
    synod__locks_due (&locks, now_us, 0); /* its patience is over */
    check ();
    HOLDS (late);
}

static void test_session_ends (void **state)
{
    (void) state;
    get ((ask_t){.client = 1, .owner = "x", .names = A});
    get ((ask_t){.client = 1, .owner = "y", .names = A});
    synod__locks_entry_t *other = get ((ask_t){.client = 2, .names = A});
    synod__locks_close (&locks, 0, 1, 999); /* another number: nothing */
    WAITS (other);
    synod__locks_close (&locks, 0, 1, synod__locks_session (&locks, 1)->number);
    check ();
    HOLDS (other); /* and not what the dead session waited with */
    assert_int_equal (locks.nsessions, 1);
}

static void test_force (void **state)
{
    synod__locks_entry_t *held = get ((ask_t){.client = 1, .names = A}), *next = get ((ask_t){.client = 2, .names = A});
    uint32_t count;
    (void) state;
    assert_int_equal (synod__locks_force (&locks, 0, synod_str ("a"), held->token + 1, &count, &fault),
                      SYNOD_NOT_FOUND);
    HOLDS (held);
    assert_int_equal (synod__locks_force (&locks, 0, synod_str ("a"), 0, &count, &fault), SYNOD_OK);
    check ();
    HOLDS (next);
    assert_int_equal (synod__locks_session (&locks, 1)->forced, 1);
    assert_int_equal (synod__locks_force (&locks, 0, synod_str ("b"), 0, &count, &fault), SYNOD_NOT_FOUND);
}

static void test_refused (void **state)
{
    synod__locks_entry_t *held = get ((ask_t){.client = 1, .owner = "x", .names = A}), *entry;
    char long_name[SYNOD__LOCK_NAME_MAX + 2];
    uint32_t left;
    (void) state;
    memset (long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    const struct {
        ask_t ask;
        const char *says;
    } wrong[] = {
        {{.client = 2, .names = {long_name}}, "1 to 200 bytes, got 201"},
        {{.client = 2, .names = {""}}, "1 to 200 bytes, got 0"},
        {{.client = 2, .names = {"a b"}}, "printable ASCII"},
        {{.client = 2, .names = {"a..b"}}, "no empty part"},
        {{.client = 2, .names = {NULL}}, "1 to 16 locks"},
        {{.client = 2, .names = {"q", "p", "q"}}, "q twice"},
        {{.client = 2, .names = A, .lease_ms = 199}, "200 to 3600000 ms, got 199"},
        {{.client = 2, .names = A, .lease_ms = 31536000000}, "got 31536000000"},
        {{.client = 2, .names = A, .permits = 1000001}, "up to 1000000 permits"},
        {{.client = 2, .names = A, .permits = 2, .shared = true}, "got both"},
        {{.client = 0, .names = A}, "other than 0"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal (acquire (wrong[i].ask, &entry), SYNOD_INVALID);
        if (!strstr (fault.text, wrong[i].says))
            fail_msg ("\"%s\" does not say \"%s\"", fault.text, wrong[i].says);
        assert_int_equal (locks.neffects, 0);
    }
    get ((ask_t){.client = 2, .names = {"b"}});
    assert_int_equal (release (held, 2), SYNOD_REFUSED); /* another's */
    assert_int_equal (release (held, 3), SYNOD_NOT_FOUND);
    assert_int_equal (synod__locks_release (&locks, 0, 1, synod_str ("x"), held->token + 1, 0, &left, &fault),
                      SYNOD_REFUSED); /* forged */
    assert_int_equal (synod__locks_release (&locks, 0, 1, synod_str ("y"), held->token, 0, &left, &fault),
                      SYNOD_REFUSED); /* another actor's */
    assert_int_equal (synod__locks_release (&locks, 0, 1, synod_str ("x"), held->token, 4242, &left, &fault),
                      SYNOD_REFUSED); /* another acquisition's */
    HOLDS (held);
}

static void test_keys (void **state)
{
    (void) state;
    assert_true (synod_str_is (synod__locks_key (synod_str ("plain")), "plain"));
    assert_true (synod_str_is (synod__locks_key (synod_str ("{bank}.alice")), "bank"));
    assert_true (synod_str_is (synod__locks_key (synod_str ("x{bank}{y}")), "bank"));
    assert_true (synod_str_is (synod__locks_key (synod_str ("{}x")), "{}x"));
    assert_true (synod_str_is (synod__locks_key (synod_str ("{x")), "{x"));
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (test_first_come),
        TEST (test_readers),
        TEST (test_permits),
        TEST (test_again),
        TEST (test_upgrade),
        TEST (test_together),
        TEST (test_try),
        TEST (test_deadlock),
        TEST (test_deadlock_permits),
        TEST (test_deadlock_upgrade),
        TEST (test_expiry),
        TEST (test_gives_up),
        TEST (test_session_ends),
        TEST (test_force),
        TEST (test_refused),
        TEST (test_keys),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
