/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `lock` in a world of its own: what it refuses, in words, without changing anything; that a holder which is an
 * actor is told at once when its lock is taken by force; and a barrier.
 */
#include <stdlib.h>
#include <synod/lock.h>
#include <synod/sim.h>
#include "test/protocol/check.h"
#include "actors/lock/lock_actor.h"

#define LIMIT_MS 20000
#define LEASE_MS 60000
#define YEAR_MS  (365ull * 86400000)

static synod_sim_t *sim;
static int op;

/* ---- asking ---- */

static struct {
    bool over;
    int code;
    char text[SYNOD_FAULT_MAX];
    char *body;
    uint32_t size;
} answer;

static void on_reply (synod_sim_t *world, int client, const synod_reply_t *reply, void *arg)
{
    (void) world, (void) client, (void) arg;
    answer.over = true;
    answer.code = reply->code;
    snprintf (answer.text, sizeof answer.text, "%.*s", SYNOD_STR (reply->message));
    free (answer.body);
    answer.size = reply->body.size;
    answer.body = (char *) malloc (answer.size + 1);
    if (answer.size)
        memcpy (answer.body, reply->body.data, answer.size);
}

static bool is_over (synod_sim_t *world, void *arg)
{
    (void) world, (void) arg;
    return answer.over;
}

static int ask (const char *to, const synod_record_t *record, const void *in)
{
    answer.over = false;
    assert_int_equal (synod_sim_ask (sim, op, to, record, in, LIMIT_MS, on_reply, NULL), SYNOD_OK);
    assert_int_equal (synod_sim_until (sim, is_over, NULL, 2 * LIMIT_MS), SYNOD_OK);
    return answer.code;
}

static void take (const synod_record_t *record, void *out)
{
    synod_fault_t fault = {0};
    check_ok (synod_record_unpack (record, synod_str_n (answer.body, answer.size), out, &fault), fault);
}

/* Acquires NAME as CLIENT at lock#KEY with what WANT has besides. */
static int acquire (const char *key, const char *name, synod__lock_acquire_t want, synod__lock_acquired_t *out)
{
    static uint64_t requests;
    char to[300];
    synod_buf_t items = {0};
    synod_list_add (&want.names, &items, &synod__lock_name_record, &(synod__lock_name_t){.name = synod_str (name)},
                    NULL);
    want.request = want.request ? want.request : ++requests;
    want.lease_ms = want.lease_ms ? want.lease_ms == UINT64_MAX ? 0 : want.lease_ms : LEASE_MS;
    snprintf (to, sizeof to, "lock#%s", key);
    int code = ask (to, &synod__lock_acquire_record, &want);
    synod_buf_free (&items);
    if (code == SYNOD_OK)
        take (&synod__lock_acquired_record, out);
    return code;
}

#define REFUSED(call, with, says)                                                   \
    do {                                                                            \
        assert_int_equal (call, with);                                              \
        if (!strstr (answer.text, says))                                            \
            fail_msg ("expected \"%s\" to be said, got \"%s\"", says, answer.text); \
    } while (0)

static int set_up (void **state)
{
    const synod_sim_settings_t settings = {.direct = true};
    (void) state;
    sim = synod_sim_new (7, &settings);
    assert_true (synod_sim_up (sim, "n1", &synod__lock_actor, NULL) > 0);
    op = synod_sim_client (sim, "op");
    assert_int_equal (synod_sim_join (sim, LIMIT_MS), SYNOD_OK);
    assert_int_equal (synod_sim_ring (sim, op, 16, 1, LIMIT_MS), SYNOD_OK);
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    synod_sim_destroy (&sim);
    free (answer.body);
    answer.body = NULL;
    return 0;
}

/* ---- what is refused ---- */

/* Who has x, as it is shown; times are left out. */
static void shown (char *out, size_t size)
{
    synod__lock_lock_t lock;
    synod__lock_claim_t claim;
    assert_int_equal (ask ("lock#x", &synod__lock_inspect_record, &(synod__lock_inspect_t){.name = synod_str ("x")}),
                      SYNOD_OK);
    take (&synod__lock_lock_record, &lock);
    size_t used = (size_t) snprintf (out, size, "%u permits, %u hold, %u wait:", (unsigned) lock.permits,
                                     (unsigned) lock.holds, (unsigned) lock.waits);
    while (synod_list_next (&lock.holders, &synod__lock_claim_record, &claim))
        used += (size_t) snprintf (out + used, size - used, " %.*s place %llu fence %llu %u times;",
                                   SYNOD_STR (claim.who), (unsigned long long) claim.entry,
                                   (unsigned long long) claim.token, (unsigned) claim.count);
}

static void test_acquire_refused (void **state)
{
    char longest[SYNOD_LOCK_NAME_MAX + 1], beyond[SYNOD_LOCK_NAME_MAX + 2], before[400], after[400];
    synod__lock_acquired_t got = {0}, none = {0};
    const synod__lock_acquire_t me = {.client = 1, .who = synod_str ("me")}, you = {.client = 2};
    synod__lock_acquire_t want;
    (void) state;
    memset (longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    memset (beyond, 'a', sizeof beyond - 1);
    beyond[sizeof beyond - 1] = 0;
    assert_int_equal (acquire ("x", "x", me, &got), SYNOD_OK);
    assert_true (got.token > 0);
    assert_int_equal (acquire (longest, longest, me, &none), SYNOD_OK);
    shown (before, sizeof before);
    REFUSED (acquire (beyond, beyond, you, &none), SYNOD_INVALID, "1 to 200 bytes");
    REFUSED (acquire ("x", "", you, &none), SYNOD_INVALID, "1 to 200 bytes");
    REFUSED (acquire ("x", "y", you, &none), SYNOD_INVALID, "the lock y is at lock#y, not at lock#x");
    want = you;
    want.lease_ms = UINT64_MAX; /* stands for 0 */
    REFUSED (acquire ("x", "x", want, &none), SYNOD_INVALID, "expected a lease of 200 to 3600000 ms, got 0");
    want.lease_ms = YEAR_MS;
    REFUSED (acquire ("x", "x", want, &none), SYNOD_INVALID, "expected a lease of 200 to 3600000 ms, got 31536000000");
    want = you;
    want.wait_ms = YEAR_MS;
    REFUSED (acquire ("x", "x", want, &none), SYNOD_INVALID, "expected a wait of up to 86400000 ms");
    want = you;
    want.permits = 3; /* it is held as one that only one may hold */
    REFUSED (acquire ("x", "x", want, &none), SYNOD_REFUSED,
             "x has 1 permit while somebody has it: expected as many, got 3");
    want.permits = 1000001;
    REFUSED (acquire ("x", "x", want, &none), SYNOD_INVALID, "up to 1000000 permits");
    want.permits = 2;
    want.shared = true;
    REFUSED (acquire ("x", "x", want, &none), SYNOD_INVALID, "readers or permits, got both");
    want = (synod__lock_acquire_t){.client = 0};
    REFUSED (acquire ("x", "x", want, &none), SYNOD_INVALID, "number other than 0");
    shown (after, sizeof after);
    assert_string_equal (before, after);
    assert_int_equal (acquire ("x", "x", you, &none), SYNOD_OK); /* a try: who is in the way is said */
    assert_true (!none.entry && !none.token && synod_str_is (none.holder, "me"));
    assert_int_equal (
        ask ("lock#x", &synod__lock_release_record, &(synod__lock_release_t){.client = 1, .token = got.token}),
        SYNOD_OK);
    want = you;
    want.permits = 3; /* nobody has it: it may be of another kind now */
    assert_int_equal (acquire ("x", "x", want, &got), SYNOD_OK);
    shown (after, sizeof after);
    assert_non_null (strstr (after, "3 permits, 1 hold"));
}

static void test_others_refused (void **state)
{
    char before[400], after[400];
    synod__lock_acquired_t mine = {0}, yours = {0};
    (void) state;
    assert_int_equal (acquire ("x", "x", (synod__lock_acquire_t){.client = 1, .owner = synod_str ("o")}, &mine),
                      SYNOD_OK);
    assert_int_equal (acquire ("{x}y", "{x}y", (synod__lock_acquire_t){.client = 2}, &yours), SYNOD_INVALID);
    assert_int_equal (acquire ("x", "{x}y", (synod__lock_acquire_t){.client = 2}, &yours), SYNOD_OK);
    shown (before, sizeof before);
    const struct {
        synod__lock_release_t in;
        int code;
        const char *says;
    } releases[] = {
        {{.client = 2, .token = mine.token}, SYNOD_REFUSED, "holds nothing with the fence"},      /* another's */
        {{.client = 1, .token = yours.token}, SYNOD_REFUSED, "holds nothing with the fence"},     /* of another lock */
        {{.client = 1, .token = mine.token + 1000}, SYNOD_REFUSED, "holds nothing with"},         /* forged */
        {{.client = 1, .token = mine.token}, SYNOD_REFUSED, "is that of \"o\""},                  /* another owner */
        {{.client = 9, .token = mine.token}, SYNOD_NOT_FOUND, "the client has no session here"}}; /* nobody */
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++)
        REFUSED (ask ("lock#x", &synod__lock_release_record, &releases[i].in), releases[i].code, releases[i].says);
    const synod__lock_keepalive_t unknown = {.client = 1, .session = mine.session + 7};
    const synod__lock_keepalive_t stranger = {.client = 9, .session = mine.session};
    REFUSED (ask ("lock#x", &synod__lock_keepalive_record, &unknown), SYNOD_NOT_FOUND, "has ended, or was never here");
    REFUSED (ask ("lock#x", &synod__lock_keepalive_record, &stranger), SYNOD_NOT_FOUND, "has ended, or was never here");
    REFUSED (ask ("lock#x", &synod__lock_places_record, &unknown), SYNOD_NOT_FOUND, "has ended, or was never here");
    REFUSED (ask ("lock#x", &synod__lock_wait_record,
                  &(synod__lock_wait_t){.client = 1, .session = mine.session + 7, .request = 1}),
             SYNOD_NOT_FOUND, "has ended, or was never here");
    REFUSED (ask ("lock#x", &synod__lock_wait_record,
                  &(synod__lock_wait_t){.client = 1, .session = mine.session, .request = 99999}),
             SYNOD_NOT_FOUND, "has no acquisition 99999");
    assert_int_equal (ask ("lock#x", &synod__lock_close_record, &unknown),
                      SYNOD_OK); /* nothing is there to be closed */
    assert_int_equal (ask ("lock#x", &synod__lock_cancel_record, &(synod__lock_cancel_t){.client = 9, .request = 1}),
                      SYNOD_OK);
    REFUSED (ask ("lock#x", &synod__lock_force_record,
                  &(synod__lock_force_t){.name = synod_str ("x"), .token = mine.token + 1000}),
             SYNOD_NOT_FOUND, "not with the fence");
    shown (after, sizeof after);
    assert_string_equal (before, after);
}

/* ---- actors ---- */

#define NOBODY -1

typedef struct {
    synod_locks_t *locks;
    synod_lock_t *lock;
    int code; /* of the last news */
    char why[SYNOD_FAULT_MAX];
} holder_t;

static int on_lock (synod_ctx_t *ctx, void *state, synod_lock_t *lock, int code, const char *why, uint64_t arg)
{
    holder_t *self = (holder_t *) state;
    (void) ctx, (void) arg, (void) lock;
    self->code = code;
    snprintf (self->why, sizeof self->why, "%s", why);
    return SYNOD_OK;
}

static int init (synod_ctx_t *ctx, void *state, const void *args)
{
    holder_t *self = (holder_t *) state;
    (void) args;
    self->code = NOBODY;
    self->locks = synod_locks_new (ctx, &(synod_lock_options_t){.lease_ms = LEASE_MS}, offsetof (holder_t, locks));
    return self->locks ? SYNOD_OK : SYNOD_FAILED;
}

static void fini (synod_ctx_t *ctx, void *state)
{
    synod_locks_destroy (ctx, &((holder_t *) state)->locks);
}

static const synod_actor_t holder = {.name = "holder", .state_size = sizeof (holder_t), .init = init, .fini = fini};

static int wish (synod_ctx_t *ctx, void *state, void *want)
{
    holder_t *self = (holder_t *) state;
    self->code = NOBODY;
    return synod_locks_acquire (ctx, self->locks, (const synod_lock_want_t *) want, on_lock, 0, &self->lock);
}

static int let_go (synod_ctx_t *ctx, void *state, void *arg)
{
    holder_t *self = (holder_t *) state;
    (void) arg;
    synod_locks_release (ctx, self->locks, self->lock);
    return SYNOD_OK;
}

static int holder_up (const char *name)
{
    int node = synod_sim_up (sim, name, &holder, NULL);
    assert_true (node > 0);
    assert_int_equal (synod_sim_join (sim, LIMIT_MS), SYNOD_OK);
    return node;
}

static const holder_t *look (int node)
{
    return (const holder_t *) synod_sim_memory (sim, node, "holder");
}

static void wants (int node, synod_lock_want_t want)
{
    assert_int_equal (synod_sim_act (sim, node, "holder", wish, &want), SYNOD_OK);
    assert_int_equal (synod_sim_run (sim, 500), SYNOD_OK);
}

static void releases (int node)
{
    assert_int_equal (synod_sim_act (sim, node, "holder", let_go, NULL), SYNOD_OK);
    assert_int_equal (synod_sim_run (sim, 500), SYNOD_OK);
}

/* A renewal is 12 s away. */
static void test_told (void **state)
{
    int one = holder_up ("one");
    (void) state;
    wants (one, (synod_lock_want_t){.name = "x"});
    assert_int_equal (look (one)->code, SYNOD_OK);
    assert_int_equal (
        ask ("lock#x", &synod__lock_force_record,
             &(synod__lock_force_t){.name = synod_str ("x"), .by = synod_str ("ann"), .why = synod_str ("it hangs")}),
        SYNOD_OK);
    assert_int_equal (synod_sim_run (sim, 100), SYNOD_OK);
    assert_int_equal (look (one)->code, SYNOD_EXPIRED);
    assert_string_equal (look (one)->why, "it was released by force, by ann: it hangs");
    releases (one);
    /* what is told is lost: the next renewal tells */
    wants (one, (synod_lock_want_t){.name = "x"});
    assert_int_equal (look (one)->code, SYNOD_OK);
    int service = synod_sim_find (sim, "n1");
    assert_int_equal (synod_sim_cut (sim, service, one, true), SYNOD_OK);
    assert_int_equal (ask ("lock#x", &synod__lock_force_record, &(synod__lock_force_t){.name = synod_str ("x")}),
                      SYNOD_OK);
    assert_int_equal (synod_sim_run (sim, 1000), SYNOD_OK);
    assert_int_equal (synod_sim_cut (sim, service, one, false), SYNOD_OK);
    assert_int_equal (synod_sim_run (sim, 1000), SYNOD_OK);
    assert_int_equal (look (one)->code, SYNOD_OK);
    assert_int_equal (synod_sim_run (sim, LEASE_MS / 4), SYNOD_OK);
    assert_int_equal (look (one)->code, SYNOD_EXPIRED);
}

/* Who works reads; who waits for all of them writes, and whoever works later waits behind it. */
static void test_barrier (void **state)
{
    int workers[3] = {holder_up ("w1"), holder_up ("w2"), holder_up ("w3")};
    int next = holder_up ("next"), late = holder_up ("late");
    const synod_lock_want_t work = {.name = "stage", .shared = true, .wait_ms = 600000};
    (void) state;
    for (int i = 0; i < 3; i++) {
        wants (workers[i], work);
        assert_int_equal (look (workers[i])->code, SYNOD_OK);
    }
    wants (next, (synod_lock_want_t){.name = "stage", .wait_ms = 600000});
    wants (late, work);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (look (next)->code, NOBODY);
        releases (workers[i]);
    }
    assert_int_equal (look (next)->code, SYNOD_OK);
    assert_int_equal (look (late)->code, NOBODY);
    releases (next);
    assert_int_equal (look (late)->code, SYNOD_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int main (void)
{
    const struct CMUnitTest tests[] = {TEST (test_acquire_refused), TEST (test_others_refused), TEST (test_told),
                                       TEST (test_barrier)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
