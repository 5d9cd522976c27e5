/* SPDX-License-Identifier: MPL-2.0
 *
 * The client alone, with a service that the test plays: from when it trusts a lease, what it does not say is held, how
 * several keys are rolled back, and how what a session has there and here is brought together. Two mistakes on purpose
 * that the simulator rarely comes by are found.
 */
#include "test/protocol/check.h"
#include "actors/lock/client.h"

#define SECOND 1000000ll
#define ASKS   64

typedef struct {
    uint64_t id;
    char to[64], method[24];
    synod_buf_t body;
} ask_t;

static synod__lockc_t client;
static ask_t asks[ASKS];
static uint32_t nasks, told;
static int64_t now_us;

static int on_ask (void *host, const char *to, const synod_record_t *record, const void *in, uint32_t timeout_ms,
                   uint64_t id)
{
    (void) host;
    assert_true (nasks < ASKS && timeout_ms > 0);
    ask_t *ask = &asks[nasks++];
    *ask = (ask_t){.id = id};
    snprintf (ask->to, sizeof ask->to, "%s", to);
    snprintf (ask->method, sizeof ask->method, "%s", record->name);
    return synod_record_pack (record, in, &ask->body, NULL);
}

static void on_tell (void *host, const char *to, const synod_record_t *record, const void *in)
{
    (void) host;
    (void) to;
    (void) in;
    assert_string_equal (record->name, "close");
    told++;
}

static const synod__lockc_host_t host = {.ask = on_ask, .tell = on_tell};

static int setup (void **state)
{
    synod_fault_t fault = {0};
    (void) state;
    now_us = 100 * SECOND;
    told = 0;
    check_ok (synod__lockc_init (&client, &(synod_lock_options_t){.lease_ms = 9000, .drift_ppm = 100000}, "me", 42,
                                 &host, NULL, &fault),
              fault);
    return 0;
}

static int teardown (void **state)
{
    (void) state;
    synod__lock_mutant = SYNOD__LOCK_MUTANT_NONE;
    synod__lockc_free (&client);
    while (nasks)
        synod_buf_free (&asks[--nasks].body);
    return 0;
}

static void settle (void)
{
    char why[SYNOD_FAULT_MAX];
    synod__lockc_due (&client, now_us);
    if (!synod__lockc_check (&client, why))
        fail_msg ("%s", why);
}

static void later (int64_t us)
{
    now_us += us;
    settle ();
}

/* The first ask of METHOD to TO that is under way, which is taken off. */
static uint64_t taken (const char *method, const char *to)
{
    for (uint32_t i = 0; i < nasks; i++) {
        if (strcmp (asks[i].method, method) != 0 || strcmp (asks[i].to, to) != 0)
            continue;
        uint64_t id = asks[i].id;
        synod_buf_free (&asks[i].body);
        memmove (&asks[i], &asks[i + 1], (--nasks - i) * sizeof *asks);
        return id;
    }
    fail_msg ("no %s was asked of %s", method, to);
    return 0;
}

static void answer (uint64_t id, const synod_record_t *record, const void *in)
{
    synod_buf_t body = {0};
    assert_int_equal (synod_record_pack (record, in, &body, NULL), SYNOD_OK);
    synod__lockc_reply (&client, now_us, id, SYNOD_OK, synod_str (""), synod_str_n (body.data, body.size));
    synod_buf_free (&body);
    settle ();
}

static void fails (uint64_t id, int code)
{
    synod__lockc_reply (&client, now_us, id, code, synod_str ("so it is"), synod_str (""));
    settle ();
}

static void acquired (const char *to, uint64_t partition, uint64_t session, uint64_t entry, uint64_t token)
{
    answer (taken ("acquire", to), &synod__lock_acquired_record,
            &(synod__lock_acquired_t){
                .partition = partition, .session = session, .entry = entry, .token = token, .count = token ? 1 : 0});
}

static void alive (const char *to, uint64_t count, uint64_t sum)
{
    answer (taken ("keepalive", to), &synod__lock_alive_record, &(synod__lock_alive_t){.count = count, .sum = sum});
}

static synod_lock_t *get (const char *name, const char *other)
{
    const char *const names[] = {name, other, NULL};
    synod_lock_t *lock;
    synod_fault_t fault = {0};
    check_ok (synod__lockc_new (&client, now_us, &(synod_lock_want_t){.names = names, .wait_ms = 60000}, &lock, &fault),
              fault);
    synod__lockc_start (&client, now_us, lock);
    return lock;
}

#define NO_NEWS() assert_null (synod__lockc_news (&client))
#define NEWS(lock, is, with)                                  \
    do {                                                      \
        assert_ptr_equal (synod__lockc_news (&client), lock); \
        assert_int_equal ((lock)->stand, SYNOD__LOCK_##is);   \
        assert_int_equal ((lock)->code, with);                \
    } while (0)

/* ---- trust ---- */

static void test_counted_from_sending (void **state)
{
    synod_lock_t *lock = get ("a", NULL);
    int64_t asked_us = now_us;
    (void) state;
    later (400000);
    acquired ("lock#a", 3, 1, 2, 2);
    NEWS (lock, HELD, SYNOD_OK);
    /* 9 s by the service's clock, and both may be off by a tenth */
    assert_int_equal (synod__lockc_left_us (lock, now_us), asked_us + 9 * SECOND * 900000 / 1100000 - now_us);
    later (3 * SECOND);
    int64_t sent_us = now_us;
    later (200000);
    alive ("lock#a", 1, 2);
    assert_int_equal (synod__lockc_left_us (lock, sent_us), 9 * SECOND * 900000 / 1100000);
    later (3 * SECOND);
    fails (taken ("keepalive", "lock#a"), SYNOD_TIMEOUT);
    later (9 * SECOND);
    NEWS (lock, LOST, SYNOD_EXPIRED);
    assert_int_equal (synod__lockc_left_us (lock, now_us), 0);
}

static void test_not_said (void **state)
{
    synod_lock_t *lock = get ("a", NULL);
    (void) state;
    acquired ("lock#a", 3, 1, 2, 0); /* it waits */
    uint64_t waits = (settle (), taken ("wait", "lock#a"));
    now_us += 20 * SECOND; /* paused: and then the answer comes that it was granted */
    answer (waits, &synod__lock_acquired_record,
            &(synod__lock_acquired_t){.partition = 3, .session = 1, .entry = 2, .token = 5, .count = 1});
    NO_NEWS ();
    alive ("lock#a", 1, 2); /* only when the service says that the session has not ended */
    NEWS (lock, HELD, SYNOD_OK);
}

static void test_ended_meanwhile (void **state)
{
    synod_lock_t *lock = get ("a", NULL);
    (void) state;
    acquired ("lock#a", 3, 1, 2, 0);
    uint64_t waits = (settle (), taken ("wait", "lock#a"));
    now_us += 20 * SECOND;
    answer (waits, &synod__lock_acquired_record,
            &(synod__lock_acquired_t){.partition = 3, .session = 1, .entry = 2, .token = 5, .count = 1});
    fails (taken ("keepalive", "lock#a"), SYNOD_NOT_FOUND);
    NEWS (lock, OVER, SYNOD_EXPIRED);
}

/* What an earlier session was granted is nothing, however late that is learned. */
static int stale (void)
{
    synod_lock_t *lock = get ("a", NULL), *other = get ("b", NULL);
    acquired ("lock#b", 3, 9, 10, 10);
    assert_ptr_equal (synod__lockc_news (&client), other);
    synod__lockc_reply (&client, now_us, taken ("acquire", "lock#a"), SYNOD_TIMEOUT, synod_str (""), synod_str (""));
    later (SECOND);
    acquired ("lock#a", 3, 4, 5, 5);
    assert_ptr_equal (synod__lockc_news (&client), lock);
    return lock->stand;
}

static void test_stale (void **state)
{
    (void) state;
    assert_int_equal (stale (), SYNOD__LOCK_OVER);
    teardown (NULL);
    setup (NULL);
    synod__lock_mutant = SYNOD__LOCK_MUTANT_STALE_SESSION;
    assert_int_equal (stale (), SYNOD__LOCK_HELD);
}

/* ---- several keys ---- */

/* Whether the lock is held though the session of one of its keys is not trusted. */
static bool one_trusted (void)
{
    synod_lock_t *lock = get ("a", "b");
    acquired ("lock#a", 1, 1, 2, 2);
    acquired ("lock#b", 2, 1, 2, 0);
    uint64_t waits = (settle (), taken ("wait", "lock#b"));
    now_us += 20 * SECOND;
    client.sessions->next->trust_us = now_us + SECOND; /* of the first: it was renewed */
    assert_int_equal (client.sessions->next->partition, 1);
    answer (waits, &synod__lock_acquired_record,
            &(synod__lock_acquired_t){.partition = 2, .session = 1, .entry = 2, .token = 5, .count = 1});
    return synod__lockc_news (&client) == lock;
}

static void test_all_trusted (void **state)
{
    (void) state;
    assert_false (one_trusted ());
    teardown (NULL);
    setup (NULL);
    synod__lock_mutant = SYNOD__LOCK_MUTANT_ONE_PART_TRUSTED;
    assert_true (one_trusted ());
}

static void test_rolled_back (void **state)
{
    synod_lock_t *lock = get ("b", "a"); /* asked for in the order of the keys */
    (void) state;
    assert_int_equal (nasks, 1);
    acquired ("lock#a", 1, 1, 2, 2);
    fails (taken ("acquire", "lock#b"), SYNOD_DEADLOCK);
    NEWS (lock, OVER, SYNOD_DEADLOCK);
    assert_string_equal (lock->why, "so it is");
    fails (taken ("release", "lock#a"), SYNOD_TIMEOUT); /* what is not known to be over is asked again */
    later (SECOND);
    answer (taken ("release", "lock#a"), &synod__lock_done_record, &(synod__lock_done_t){.left = 0});
    later (1);
    assert_null (client.locks);
}

static void test_given_up (void **state)
{
    synod_lock_t *lock = get ("a", NULL);
    (void) state;
    uint64_t id = taken ("acquire", "lock#a");
    later (61 * SECOND);
    NEWS (lock, OVER, SYNOD_TIMEOUT);
    /* the ask was forgotten; whatever has become of it is taken back */
    synod__lockc_reply (&client, now_us, id, SYNOD_OK, synod_str (""), synod_str (""));
    settle ();
    answer (taken ("cancel", "lock#a"), &synod__lock_done_record, &(synod__lock_done_t){.left = 0});
    later (1);
    assert_null (client.locks);
}

/* ---- what a session has, there and here ---- */

static void test_strangers (void **state)
{
    synod_lock_t *lock = get ("a", NULL);
    const synod__lock_place_t known = {.request = 1, .entry = 2, .token = 2}, stranger = {.request = 77, .entry = 8};
    synod__lock_places_are_t places = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    (void) state;
    acquired ("lock#a", 3, 1, 2, 2);
    NEWS (lock, HELD, SYNOD_OK);
    later (3 * SECOND);
    alive ("lock#a", 2, 2 + 8);
    later (1);
    synod_list_add (&places.places, &items, &synod__lock_place_record, &known, NULL);
    synod_list_add (&places.places, &items, &synod__lock_place_record, &stranger, NULL);
    answer (taken ("places", "lock#a"), &synod__lock_places_are_record, &places);
    answer (taken ("cancel", "lock#a"), &synod__lock_done_record, &(synod__lock_done_t){.left = 0});
    NO_NEWS ();
    synod_buf_free (&items);
    later (SECOND / 10);
    alive ("lock#a", 1, 2);
    later (3 * SECOND); /* taken by force */
    answer (taken ("keepalive", "lock#a"), &synod__lock_alive_record, &(synod__lock_alive_t){.forced = 1});
    later (1);
    answer (taken ("places", "lock#a"), &synod__lock_places_are_record, &(synod__lock_places_are_t){{{0}, 0}, 0});
    NEWS (lock, LOST, SYNOD_EXPIRED);
    assert_non_null (strstr (lock->why, "by force"));
}

/* Where something of the session was under way, numbers that differ say nothing. */
static void test_stirred (void **state)
{
    synod_lock_t *lock = get ("a", NULL);
    (void) state;
    acquired ("lock#a", 3, 1, 2, 2);
    NEWS (lock, HELD, SYNOD_OK);
    later (3 * SECOND);
    get ("b", NULL);
    alive ("lock#a", 2, 100);
    later (1);
    for (uint32_t i = 0; i < nasks; i++)
        assert_string_not_equal (asks[i].method, "places");
}

/* So it is while an acquire that was not answered, and may have been granted, waits to be sent again. */
static void test_repeated (void **state)
{
    synod_lock_t *lock = get ("a", NULL);
    (void) state;
    acquired ("lock#a", 3, 1, 2, 2);
    NEWS (lock, HELD, SYNOD_OK);
    later (9 * SECOND * 900000 / 1100000 / 5 - 5000); /* nearly time for a renewal */
    get ("b", NULL);
    fails (taken ("acquire", "lock#b"), SYNOD_TIMEOUT);
    later (10000);
    assert_int_equal (nasks, 1); /* it was not sent again yet */
    alive ("lock#a", 2, 2 + 8);
    later (1);
    assert_int_equal (nasks, 0);
    later (SECOND);
    acquired ("lock#b", 3, 1, 8, 8);
    assert_non_null (synod__lockc_news (&client));
}

/* Told, it knows at once; where that was lost and there is always something under way, by what a renewal counts. */
static void test_forced (void **state)
{
    synod_lock_t *lock = get ("a", NULL), *other;
    synod__lock_lost_t lost = {.client = 42, .partition = 3, .session = 1, .entry = 2, .by = synod_str ("me")};
    synod__lock_lost_t wrong[] = {lost, lost, lost, lost};
    (void) state;
    acquired ("lock#a", 3, 1, 2, 2);
    NEWS (lock, HELD, SYNOD_OK);
    wrong[0].client = 43;
    wrong[1].partition = 4;
    wrong[2].session = 2;
    wrong[3].entry = 5;
    for (uint32_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        synod__lockc_told (&client, now_us, &wrong[i]);
        NO_NEWS ();
    }
    synod__lockc_told (&client, now_us, &lost);
    synod__lockc_told (&client, now_us, &lost); /* twice is once */
    NEWS (lock, LOST, SYNOD_EXPIRED);
    assert_string_equal (lock->why, "it was released by force, by me");
    assert_true (synod__lockc_left_us (lock, now_us) == 0);
    synod__lockc_release (&client, now_us, lock, false);
    settle ();
    other = get ("a", NULL);
    acquired ("lock#a", 3, 1, 9, 9);
    NEWS (other, HELD, SYNOD_OK);
    later (3 * SECOND);
    get ("b", NULL); /* whose answer may come at any time */
    answer (taken ("keepalive", "lock#a"), &synod__lock_alive_record, &(synod__lock_alive_t){.forced = 2});
    later (1);
    answer (taken ("places", "lock#a"), &synod__lock_places_are_record, &(synod__lock_places_are_t){{{0}, 0}, 0});
    NEWS (other, LOST, SYNOD_EXPIRED);
    assert_string_equal (other->why, "it was released by force");
}

static void test_refused (void **state)
{
    const struct {
        synod_lock_want_t want;
        const char *says;
    } wrong[] = {{{.name = ""}, "1 to 200 bytes"},
                 {{.name = NULL}, "got none"},
                 {{.name = "a", .names = (const char *const[]){"a", NULL}}, "a twice"},
                 {{.name = "a", .permits = 3, .shared = true}, "and readers"},
                 {{.name = "a", .wait_ms = 86400001}, "a wait of up to"}};
    synod_lock_t *lock;
    synod_fault_t fault = {0};
    (void) state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check_fault (synod__lockc_new (&client, now_us, &wrong[i].want, &lock, &fault), SYNOD_INVALID, fault,
                     wrong[i].says);
    assert_null (client.locks);
    synod__lockc_t other;
    check_fault (synod__lockc_init (&other, &(synod_lock_options_t){.lease_ms = 100}, "", 1, &host, NULL, &fault),
                 SYNOD_INVALID, fault, "200 to 3600000");
}

static void test_closes (void **state)
{
    synod_lock_t *lock = get ("a", NULL);
    (void) state;
    acquired ("lock#a", 3, 1, 2, 2);
    NEWS (lock, HELD, SYNOD_OK);
    synod__lockc_free (&client);
    assert_int_equal (told, 1);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (test_counted_from_sending),
        TEST (test_not_said),
        TEST (test_ended_meanwhile),
        TEST (test_stale),
        TEST (test_all_trusted),
        TEST (test_rolled_back),
        TEST (test_given_up),
        TEST (test_strangers),
        TEST (test_stirred),
        TEST (test_repeated),
        TEST (test_forced),
        TEST (test_refused),
        TEST (test_closes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
