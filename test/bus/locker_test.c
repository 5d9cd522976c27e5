/* SPDX-License-Identifier: MPL-2.0
 *
 * Locks for threads, on a bus with a lock service of one node: threads that count under a lock, what they are refused,
 * several keys at once, a lock that is taken by force, and waiting that is given up.
 */
#include <pthread.h>
#include "handle_bus.h"
#include "actors/lock/lock_actor.h"

#define THREADS 8
#define ROUNDS  40

static bus_t *bus;
static synod_node_t *service;

static int lock_set_up (void **state)
{
    static char data[96];
    synod_fault_t fault = {0};
    set_up (state);
    bus = (bus_t *) *state;
    snprintf (data, sizeof data, "%s/data", bus->directory);
    const synod_options_t options = {.bus = bus->endpoint, .name = "locks", .data = data, .alone = true, .log = quiet};
    service = synod_node_new (&options, &fault);
    assert_non_null (service);
    assert_int_equal (synod_node_add (service, &synod__lock_actor, NULL, &fault), SYNOD_OK);
    if (synod_node_start (service, &fault) != SYNOD_OK)
        fail_msg ("node: %s", fault.text);
    return 0;
}

static int lock_tear_down (void **state)
{
    synod_node_destroy (&service);
    return tear_down (state);
}

static synod_locker_t *locker_of (uint32_t lease_ms, void (*on_lost) (void *, synod_lock_t *, const char *), void *arg)
{
    synod_fault_t fault = {0};
    const synod_options_t join_options = {.bus = bus->endpoint, .log = quiet};
    const synod_lock_options_t options = {.lease_ms = lease_ms, .on_lost = on_lost, .arg = arg};
    synod_locker_t *locker = synod_locker_new (&join_options, &options, &fault);
    if (!locker)
        fail_msg ("locker: %s", fault.text);
    return locker;
}

static synod_lock_t *get (synod_locker_t *locker, synod_lock_want_t want)
{
    synod_fault_t fault = {0};
    synod_lock_t *lock = NULL;
    if (synod_locker_acquire (locker, &want, &lock, &fault) != SYNOD_OK)
        fail_msg ("%s", fault.text);
    return lock;
}

/* ---- counting ---- */

typedef struct {
    synod_locker_t *locker;
    char owner[8];
} counter_t;

static struct {
    uint32_t count, inside;
    uint64_t token;
    bool wrong;
} counted;

static void *count (void *arg)
{
    counter_t *self = (counter_t *) arg;
    for (int i = 0; i < ROUNDS; i++) {
        synod_lock_t *lock =
            get (self->locker, (synod_lock_want_t){.name = "count", .owner = self->owner, .wait_ms = 60000});
        uint64_t token = synod_lock_token (lock, NULL);
        counted.wrong = counted.wrong || counted.inside++ || token <= counted.token;
        counted.token = token;
        counted.count++;
        counted.inside--;
        synod_locker_release (self->locker, &lock, LIMIT_MS);
    }
    return NULL;
}

static void test_threads (void **state)
{
    pthread_t threads[THREADS];
    counter_t counters[THREADS];
    synod_locker_t *lockers[2] = {locker_of (0, NULL, NULL), locker_of (0, NULL, NULL)};
    (void) state;
    memset (&counted, 0, sizeof counted);
    for (int i = 0; i < THREADS; i++) { /* threads of one locker are different owners */
        counters[i].locker = lockers[i % 2];
        snprintf (counters[i].owner, sizeof counters[i].owner, "t%d", i);
        assert_int_equal (pthread_create (&threads[i], NULL, count, &counters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
    assert_false (counted.wrong);
    assert_int_equal (counted.count, THREADS * ROUNDS);
    synod_locker_destroy (&lockers[0]);
    synod_locker_destroy (&lockers[1]);
}

/* ---- one thread ---- */

static void test_refused (void **state)
{
    synod_fault_t fault = {0};
    synod_locker_t *a = locker_of (0, NULL, NULL), *b = locker_of (0, NULL, NULL);
    synod_lock_t *lock = get (a, (synod_lock_want_t){.name = "x", .wait_ms = 5000}), *none = NULL;
    (void) state;
    assert_true (synod_locker_remaining_ms (a, lock) > 5000);
    assert_int_equal (synod_locker_acquire (b, &(synod_lock_want_t){.name = "x"}, &none, &fault), SYNOD_REFUSED);
    assert_non_null (strstr (fault.text, "has it"));
    assert_int_equal (synod_locker_acquire (b, &(synod_lock_want_t){.name = "x", .wait_ms = 100}, &none, &fault),
                      SYNOD_TIMEOUT);
    assert_int_equal (synod_locker_acquire (b, &(synod_lock_want_t){.name = "no name"}, &none, &fault), SYNOD_INVALID);
    assert_int_equal (
        synod_locker_acquire (b, &(synod_lock_want_t){.name = "x", .permits = 2, .wait_ms = 100}, &none, &fault),
        SYNOD_REFUSED);
    assert_null (none);
    synod_lock_t *again = get (a, (synod_lock_want_t){.name = "x", .wait_ms = 5000});
    assert_int_equal (synod_lock_token (again, "x"), synod_lock_token (lock, "x"));
    assert_int_equal (synod_locker_release (a, &lock, LIMIT_MS), SYNOD_OK);
    assert_int_equal (synod_locker_acquire (b, &(synod_lock_want_t){.name = "x"}, &none, &fault), SYNOD_REFUSED);
    assert_int_equal (synod_locker_release (a, &again, LIMIT_MS), SYNOD_OK);
    none = get (b, (synod_lock_want_t){.name = "x"});
    synod_locker_destroy (&b); /* lets go of what it has */
    lock = get (a, (synod_lock_want_t){.name = "x", .wait_ms = 5000});
    synod_locker_destroy (&a);
}

static void test_several (void **state)
{
    static const char *const some[] = {"{k}.2", "m", "{k}.1", NULL};
    synod_fault_t fault = {0};
    synod_locker_t *a = locker_of (0, NULL, NULL), *b = locker_of (0, NULL, NULL);
    synod_lock_t *m = get (b, (synod_lock_want_t){.name = "m"}), *lock = NULL;
    (void) state;
    assert_int_equal (synod_locker_acquire (a, &(synod_lock_want_t){.names = some, .wait_ms = 300}, &lock, &fault),
                      SYNOD_TIMEOUT);
    lock = get (b, (synod_lock_want_t){.name = "{k}.1", .wait_ms = 5000}); /* it was rolled back */
    synod_locker_release (b, &lock, LIMIT_MS);
    synod_locker_release (b, &m, LIMIT_MS);
    lock = get (a, (synod_lock_want_t){.names = some, .wait_ms = 5000});
    assert_int_equal (synod_lock_token (lock, "{k}.1"), synod_lock_token (lock, "{k}.2"));
    assert_true (synod_lock_token (lock, "m") > 0);
    assert_int_equal (synod_lock_token (lock, "other"), 0);
    synod_locker_destroy (&a);
    synod_locker_destroy (&b);
}

static void lost (void *arg, synod_lock_t *lock, const char *why)
{
    (void) lock;
    __atomic_store_n ((int *) arg, strstr (why, "force") ? 2 : 1, __ATOMIC_RELEASE);
}

static void test_lost (void **state)
{
    int seen = 0;
    synod_reply_t reply;
    synod_locker_t *a = locker_of (600, lost, &seen);
    synod_lock_t *lock = get (a, (synod_lock_want_t){.name = "x"});
    (void) state;
    assert_int_equal (synod_locker_watch (a, lock, 0, -1, 1500), SYNOD_TIMEOUT); /* it is renewed all the time */
    const synod__lock_force_t force = {.name = synod_str ("x"), .by = synod_str ("me")};
    assert_ok (bus->handle,
               synod_handle_ask (bus->handle, "lock#x", &synod__lock_force_record, &force, LIMIT_MS, &reply));
    assert_int_equal (synod_locker_watch (a, lock, 0, -1, LIMIT_MS), SYNOD_EXPIRED);
    assert_int_equal (synod_locker_remaining_ms (a, lock), 0);
    assert_int_equal (__atomic_load_n (&seen, __ATOMIC_ACQUIRE), 2);
    assert_int_equal (synod_locker_release (a, &lock, LIMIT_MS), SYNOD_OK);
    lock = get (a, (synod_lock_want_t){.name = "x"});
    /* nobody renews it: it is lost before it could be another's */
    synod_node_destroy (&service);
    assert_int_equal (synod_locker_watch (a, lock, 0, -1, LIMIT_MS), SYNOD_EXPIRED);
    synod_locker_destroy (&a);
}

/* Long before it would be renewed. */
static void test_told (void **state)
{
    int seen = 0;
    synod_reply_t reply;
    synod_locker_t *a = locker_of (3600000, lost, &seen), *b = locker_of (0, NULL, NULL);
    synod_lock_t *lock = get (a, (synod_lock_want_t){.name = "x"}), *kept = get (a, (synod_lock_want_t){.name = "y"});
    const synod__lock_force_t force = {.name = synod_str ("x")};
    (void) state;
    assert_ok (bus->handle,
               synod_handle_ask (bus->handle, "lock#x", &synod__lock_force_record, &force, LIMIT_MS, &reply));
    assert_int_equal (synod_locker_watch (a, lock, 0, -1, LIMIT_MS), SYNOD_EXPIRED);
    assert_int_equal (__atomic_load_n (&seen, __ATOMIC_ACQUIRE), 2);
    assert_true (synod_locker_remaining_ms (a, kept) > 3000000);
    synod_lock_t *taken = get (b, (synod_lock_want_t){.name = "x"});
    assert_int_equal (synod_locker_release (a, &lock, LIMIT_MS), SYNOD_OK);
    assert_true (synod_locker_remaining_ms (b, taken) > 0);
    synod_locker_destroy (&a);
    synod_locker_destroy (&b);
}

typedef struct {
    synod_locker_t *locker;
    bool passed;
} passage_t;

static void *pass (void *arg)
{
    passage_t *self = (passage_t *) arg;
    synod_lock_t *lock = get (self->locker, (synod_lock_want_t){.name = "stage", .owner = "next", .wait_ms = 60000});
    __atomic_store_n (&self->passed, true, __ATOMIC_RELEASE);
    synod_locker_release (self->locker, &lock, LIMIT_MS);
    return NULL;
}

/* Who works reads; who waits for all of them writes. */
static void test_barrier (void **state)
{
    static const char *const workers[] = {"w1", "w2", "w3"};
    synod_lock_t *working[3], *late = NULL;
    synod_fault_t fault = {0};
    pthread_t thread;
    passage_t next = {.locker = locker_of (0, NULL, NULL)};
    synod_locker_t *a = locker_of (0, NULL, NULL);
    (void) state;
    for (int i = 0; i < 3; i++)
        working[i] = get (a, (synod_lock_want_t){.name = "stage", .owner = workers[i], .shared = true});
    assert_int_equal (pthread_create (&thread, NULL, pass, &next), 0);
    for (int code = SYNOD_OK; code == SYNOD_OK;) { /* a reader that comes later is not let in before it */
        code = synod_locker_acquire (a, &(synod_lock_want_t){.name = "stage", .owner = "late", .shared = true}, &late,
                                     &fault);
        if (code == SYNOD_OK)
            synod_locker_release (a, &late, LIMIT_MS);
    }
    for (int i = 0; i < 3; i++) {
        assert_false (__atomic_load_n (&next.passed, __ATOMIC_ACQUIRE));
        assert_int_equal (synod_locker_release (a, &working[i], LIMIT_MS), SYNOD_OK);
    }
    pthread_join (thread, NULL);
    assert_true (next.passed);
    synod_locker_destroy (&a);
    synod_locker_destroy (&next.locker);
}

static void *cancel (void *arg)
{
    synod_locker_cancel ((synod_locker_t *) arg);
    return NULL;
}

static void test_cancel (void **state)
{
    synod_fault_t fault = {0};
    pthread_t thread;
    synod_locker_t *a = locker_of (0, NULL, NULL), *b = locker_of (0, NULL, NULL);
    synod_lock_t *lock = get (a, (synod_lock_want_t){.name = "x"}), *none = NULL;
    (void) state;
    assert_int_equal (pthread_create (&thread, NULL, cancel, b), 0);
    assert_int_equal (synod_locker_acquire (b, &(synod_lock_want_t){.name = "x", .wait_ms = 600000}, &none, &fault),
                      SYNOD_STOPPED);
    pthread_join (thread, NULL);
    synod_locker_release (a, &lock, LIMIT_MS);
    synod_locker_destroy (&a);
    synod_locker_destroy (&b);
}

#define WITH_LOCKS(test) cmocka_unit_test_setup_teardown (test, lock_set_up, lock_tear_down)

int main (void)
{
    const struct CMUnitTest tests[] = {WITH_LOCKS (test_threads), WITH_LOCKS (test_refused), WITH_LOCKS (test_several),
                                       WITH_LOCKS (test_lost),    WITH_LOCKS (test_told),    WITH_LOCKS (test_barrier),
                                       WITH_LOCKS (test_cancel)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
