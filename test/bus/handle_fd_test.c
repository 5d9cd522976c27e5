/* SPDX-License-Identifier: MPL-2.0
 *
 * The descriptor of a handle: whoever waits for nothing else misses nothing, is called in time, and not in vain.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>
#include "handle_bus.h"

/* Waits for the descriptor alone; false: nothing within TIMEOUT_MS. */
static bool s_readable (synod_handle_t *handle, int timeout_ms)
{
    struct pollfd item = {.fd = synod_handle_fd (handle), .events = POLLIN};
    int rc = poll (&item, 1, timeout_ms);
    assert_true (rc >= 0);
    return rc > 0;
}

static synod_handle_t *s_ready (bus_t *bus)
{
    assert_ok (bus->handle, synod_handle_await (bus->handle, "n/worker", LIMIT_MS));
    assert_true (synod_handle_fd (bus->handle) >= 0);
    return bus->handle;
}

/* Until nothing came for a while: what a new handle hears of others. */
static void s_rest (synod_handle_t *handle)
{
    synod_message_t message;
    int64_t limit_us = synod__now_us () + LIMIT_MS * 1000;
    for (bool more = true; more;) {
        assert_true (synod__now_us () < limit_us);
        assert_int_equal (synod_handle_receive (handle, 0, &message), SYNOD_TIMEOUT);
        more = s_readable (handle, 50);
    }
}

static void s_twice (synod_handle_t *handle, uint64_t n)
{
    const twice_t in = {.n = n};
    uint64_t id;
    assert_ok (handle, synod_handle_ask_start (handle, "n/worker", &twice_record, &in, LIMIT_MS, &id));
}

static void one_descriptor (void **state)
{
    bus_t *bus = (bus_t *) *state;
    assert_int_equal (synod_handle_fd (NULL), -1);
    int fd = synod_handle_fd (bus->handle);
    assert_true (fd >= 0);
    assert_int_equal (synod_handle_fd (bus->handle), fd);
}

/* WINDOW asks are under way, of COUNT; MOST replies are taken a time. Nothing is called but when it is readable. */
static uint32_t s_pipeline (synod_handle_t *handle, uint64_t count, uint64_t window, uint64_t most)
{
    uint64_t asked = 0, answered = 0, id, sum = 0;
    uint32_t calls = 0;
    synod_reply_t reply;
    for (; asked < window; asked++)
        s_twice (handle, asked);
    int64_t limit_us = synod__now_us () + LIMIT_MS * 1000;
    while (answered < count) {
        assert_true (synod__now_us () < limit_us);
        assert_true (s_readable (handle, LIMIT_MS));
        calls++;
        for (uint64_t i = 0; i < most && synod_handle_wait (handle, 0, &id, &reply) == SYNOD_OK; i++) {
            assert_int_equal (reply.code, SYNOD_OK);
            sum += number_of (reply.body) / 2;
            answered++;
            if (asked < count)
                s_twice (handle, asked++);
        }
    }
    assert_int_equal (sum, count * (count - 1) / 2);
    assert_int_equal (synod_handle_wait (handle, 0, &id, &reply), SYNOD_NOT_FOUND);
    return calls;
}

static void replies_are_told (void **state)
{
    synod_handle_t *handle = s_ready ((bus_t *) *state);
    enum { COUNT = 2000 };
    /* one at a time: a call for the ask to leave, if that, and one for the reply */
    assert_in_range (s_pipeline (handle, COUNT, 1, UINT64_MAX), 1, 4 * COUNT);
    assert_in_range (s_pipeline (handle, COUNT, 100, UINT64_MAX), 1, 2 * COUNT);
    /* who takes one reply a call is called for the others */
    assert_in_range (s_pipeline (handle, COUNT, 100, 1), COUNT, 2 * COUNT);
    s_rest (handle);
}

/* The only ask leaves by itself; another one is gathered with what may follow it. */
static void what_is_asked_at_last_leaves (void **state)
{
    synod_handle_t *handle = s_ready ((bus_t *) *state);
    uint64_t id, sum = 0;
    synod_reply_t reply;
    s_rest (handle);
    s_twice (handle, 4);
    s_twice (handle, 5);
    assert_true (s_readable (handle, 0));                /* it has not left */
    int rc = synod_handle_wait (handle, 0, &id, &reply); /* now it has; the reply may be there as soon */
    for (int calls = 0, left = 2; left > 0; calls++) {
        if (rc == SYNOD_OK) {
            sum += number_of (reply.body);
            left--;
        }
        assert_true (calls < 40 && (left == 0 || s_readable (handle, LIMIT_MS)));
        rc = left > 0 ? synod_handle_wait (handle, 0, &id, &reply) : rc;
    }
    assert_int_equal (sum, 18);
}

/* Over a direct link too, whose socket does not tell that it was written to. */
static void a_lone_ask_leaves (void **state)
{
    synod_handle_t *handle = s_ready ((bus_t *) *state);
    assert_ok (handle, synod_handle_link (handle, "n", LIMIT_MS));
    s_pipeline (handle, 1000, 1, 1); /* nothing is called between an ask and its answer */
}

/* Sees to what is due until something has come; then, however often that is done, it is told of until it is taken. */
static void s_stays (synod_handle_t *handle)
{
    int rc = SYNOD_TIMEOUT;
    for (int64_t limit_us = synod__now_us () + LIMIT_MS * 1000; rc == SYNOD_TIMEOUT && synod__now_us () < limit_us;) {
        assert_true (s_readable (handle, LIMIT_MS));
        rc = synod_handle_poll (handle, 0);
    }
    for (int i = 0; i < 5; i++) {
        assert_ok (handle, rc);
        assert_true (s_readable (handle, 0));
        rc = synod_handle_poll (handle, 0);
    }
}

static void what_is_not_taken_stays_told (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_handle_t *handle = s_ready (bus);
    uint64_t id;
    synod_reply_t reply;
    synod_message_t message;
    assert_ok (handle, synod_handle_subscribe (handle, "from.actor", LIMIT_MS));
    s_rest (handle);
    s_twice (handle, 3);
    s_stays (handle);
    assert_ok (handle, synod_handle_wait (handle, 0, &id, &reply));
    assert_int_equal (number_of (reply.body), 6);
    s_rest (handle);
    assert_ok (handle, synod_handle_tell (handle, "n/worker", &back_record, &(back_t){.n = 4}));
    s_stays (handle);
    assert_ok (handle, synod_handle_receive (handle, 0, &message));
    assert_int_equal (number_of (message.body), 4);
    s_rest (handle);
    assert_ok (handle, synod_handle_tell (handle, "n/worker", &announce_record, &(announce_t){.n = 5}));
    s_stays (handle);
    assert_ok (handle, synod_handle_receive (handle, 0, &message));
    assert_int_equal (number_of (message.body), 5);
    s_rest (handle);
    /* its sockets were used: whether more has come by them is not known before somebody looks */
    assert_ok (handle, synod_handle_ask (handle, "n/worker", &twice_record, &(twice_t){.n = 1}, LIMIT_MS, &reply));
    assert_true (s_readable (handle, 0));
    s_rest (handle);
}

/* Operations of a client of keys are what a handle has to do, too. */
static void operations_are_told (void **state)
{
    synod_handle_t *handle = s_ready ((bus_t *) *state);
    synod_fault_t fault = {0};
    synod_kv_is_t is;
    uint64_t tag;
    s_rest (handle);
    synod_kv_t *kv = synod_kv_new (handle, &(synod_kv_options_t){.actor = "cache", .timeout_ms = 300}, &fault);
    assert_non_null (kv);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal (synod_kv_start (kv, &(synod_kv_op_t){.kind = SYNOD_KV_GET, .key = synod_str ("a")}, i),
                          SYNOD_OK);
    assert_true (s_readable (handle, 0));
    assert_int_equal (synod_handle_poll (handle, 0), SYNOD_TIMEOUT);
    assert_true (s_readable (handle, 0)); /* not sent */
    int64_t limit_us = synod__now_us () + LIMIT_MS * 1000;
    for (uint64_t over = 0; over < 3;) {
        assert_true (synod__now_us () < limit_us);
        assert_true (s_readable (handle, LIMIT_MS));
        int rc = synod_kv_wait (kv, 0, &tag, &is);
        if (rc != SYNOD_OK) {
            assert_int_equal (rc, SYNOD_TIMEOUT);
            continue;
        }
        assert_true (is.code != SYNOD_OK); /* nobody has a cache here */
        over++;
        synod_handle_poll (handle, 0);
        assert_true (over == 3 || s_readable (handle, 0)); /* over, and not taken */
    }
    assert_int_equal (synod_kv_wait (kv, 0, &tag, &is), SYNOD_NOT_FOUND);
    synod_kv_destroy (&kv);
    s_rest (handle);
}

static void deadlines_are_told (void **state)
{
    synod_handle_t *handle = s_ready ((bus_t *) *state);
    const silence_t in = {0};
    uint64_t id;
    synod_reply_t reply;
    s_rest (handle);
    /* the later one first, so that the timer is set anew for the sooner; the last after a longer sleep */
    static const uint32_t timeouts_ms[] = {700, 150, 400};
    uint64_t ids[3];
    int64_t began_us = synod__now_us ();
    for (int i = 0; i < 3; i++) {
        assert_ok (handle, synod_handle_ask_start (handle, "n/worker", &silence_record, &in, timeouts_ms[i], &ids[i]));
        assert_int_equal (synod_handle_wait (handle, 0, &id, &reply), SYNOD_TIMEOUT);
    }
    int calls = 0;
    static const int order[] = {1, 2, 0};
    for (int i = 0; i < 3;) {
        assert_true (s_readable (handle, LIMIT_MS));
        assert_true (++calls < 40);
        if (synod_handle_wait (handle, 0, &id, &reply) != SYNOD_OK)
            continue;
        int64_t took_us = synod__now_us () - began_us, due_us = (int64_t) timeouts_ms[order[i]] * 1000;
        assert_int_equal (id, ids[order[i]]);
        assert_int_equal (reply.code, SYNOD_TIMEOUT);
        assert_in_range (took_us, due_us - 10000, due_us + 400000);
        i++;
    }
}

/* Whichever of its calls a program knows, each sees to all that is due: it is not called again at once. */
static void nothing_to_do_is_silence (void **state)
{
    synod_handle_t *handle = s_ready ((bus_t *) *state);
    synod_kv_t *kv = synod_kv_new (handle, NULL, NULL);
    uint64_t id;
    synod_reply_t reply;
    synod_message_t message;
    synod_kv_is_t is;
    for (int way = 0; way < 4; way++) {
        int calls = 0;
        s_rest (handle);
        assert_ok (handle, synod_handle_ask (handle, "n/worker", &twice_record, &(twice_t){.n = 1}, LIMIT_MS, &reply));
        int64_t until_us = synod__now_us () + 600000;
        for (int64_t left_us = 600000; left_us > 0; left_us = until_us - synod__now_us ()) {
            if (!s_readable (handle, (int) (left_us / 1000 + 1)))
                break;
            assert_true (++calls < 20); /* heartbeats, and the broker's */
            if (way == 0)
                assert_int_equal (synod_handle_poll (handle, 0), SYNOD_TIMEOUT);
            else if (way == 1)
                assert_int_equal (synod_handle_receive (handle, 0, &message), SYNOD_TIMEOUT);
            else if (way == 2)
                assert_int_equal (synod_handle_wait (handle, 0, &id, &reply), SYNOD_NOT_FOUND);
            else
                assert_int_equal (synod_kv_wait (kv, 0, &id, &is), SYNOD_NOT_FOUND);
        }
    }
    synod_kv_destroy (&kv);
}

/* A wait that sleeps is not kept awake by what the descriptor says of the same handle. */
static void waiting_sleeps (void **state)
{
    synod_handle_t *handle = s_ready ((bus_t *) *state);
    const silence_t in = {0};
    struct timespec before, after;
    uint64_t id;
    synod_reply_t reply;
    assert_ok (handle, synod_handle_ask_start (handle, "n/worker", &silence_record, &in, 60000, &id));
    assert_true (s_readable (handle, 0));
    assert_int_equal (synod_handle_wait (handle, 150, &id, &reply), SYNOD_TIMEOUT);
    assert_ok (handle, synod_handle_ask_start (handle, "n/worker", &silence_record, &in, 100, &id));
    assert_int_equal (synod_handle_wait (handle, 0, &id, &reply), SYNOD_TIMEOUT);
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &before);
    assert_ok (handle, synod_handle_wait (handle, LIMIT_MS, &id, &reply));
    assert_int_equal (reply.code, SYNOD_TIMEOUT);
    assert_int_equal (synod_handle_wait (handle, 500, &id, &reply), SYNOD_TIMEOUT);
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &after);
    int64_t used_us = (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
    assert_true (used_us < 100000);
    assert_ok (handle, synod_handle_ask (handle, "n/worker", &twice_record, &(twice_t){.n = 1}, LIMIT_MS, &reply));
}

/* ---- many ---- */

enum { HANDLES = 48, EACH = 300, WINDOW = 6 };

typedef struct {
    synod_handle_t *handle;
    uint64_t asked, answered, sum;
} client_t;

static void s_go_on (client_t *client)
{
    uint64_t id;
    synod_reply_t reply;
    while (synod_handle_wait (client->handle, 0, &id, &reply) == SYNOD_OK) {
        assert_int_equal (reply.code, SYNOD_OK);
        client->sum += number_of (reply.body) / 2;
        client->answered++;
        if (client->asked < EACH)
            s_twice (client->handle, client->asked++);
    }
}

static void one_thread_serves_many (void **state)
{
    bus_t *bus = (bus_t *) *state;
    static client_t clients[HANDLES];
    struct epoll_event events[8];
    char name[16];
    int all = epoll_create1 (EPOLL_CLOEXEC);
    uint32_t left = HANDLES, calls = 0;
    for (uint32_t i = 0; i < HANDLES; i++) {
        snprintf (name, sizeof name, "c%u", i);
        clients[i] = (client_t){.handle = join (bus, name)};
        assert_ok (clients[i].handle, synod_handle_await (clients[i].handle, "n/worker", LIMIT_MS));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        assert_int_equal (epoll_ctl (all, EPOLL_CTL_ADD, synod_handle_fd (clients[i].handle), &event), 0);
    }
    for (uint32_t i = 0; i < HANDLES; i++)
        for (; clients[i].asked < WINDOW; clients[i].asked++)
            s_twice (clients[i].handle, clients[i].asked);
    int64_t limit_us = synod__now_us () + LIMIT_MS * 1000;
    while (left) {
        assert_true (synod__now_us () < limit_us);
        int count = epoll_wait (all, events, 8, LIMIT_MS);
        assert_true (count > 0);
        for (int i = 0; i < count; i++, calls++) {
            client_t *client = (client_t *) events[i].data.ptr;
            bool was_done = client->answered == EACH;
            s_go_on (client);
            left -= !was_done && client->answered == EACH;
        }
    }
    assert_true (calls < 3 * HANDLES * EACH);
    for (uint32_t i = 0; i < HANDLES; i++) {
        assert_int_equal (clients[i].answered, EACH);
        assert_int_equal (clients[i].sum, EACH * (EACH - 1) / 2);
        synod_handle_destroy (&clients[i].handle);
    }
    assert_int_equal (epoll_wait (all, events, 8, 0), 0); /* they took their descriptors with them */
    close (all);
}

/* ---- topics and mail ---- */

/* The next numbers up to UNTIL come, at most MOST a call, while nothing is called but when it is readable. */
static void s_receive (synod_handle_t *handle, uint64_t *next, uint64_t until, uint64_t most)
{
    synod_message_t message;
    int64_t limit_us = synod__now_us () + LIMIT_MS * 1000;
    while (*next < until) {
        assert_true (synod__now_us () < limit_us);
        assert_true (s_readable (handle, LIMIT_MS));
        for (uint64_t i = 0; i < most && synod_handle_receive (handle, 0, &message) == SYNOD_OK; i++)
            assert_int_equal (number_of (message.body), (*next)++);
    }
}

static void publications_are_told (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_handle_t *handle = s_ready (bus), *other = join (bus, "other");
    uint64_t sent = 0, next = 0, id;
    synod_message_t message;
    synod_reply_t reply;
    assert_ok (handle, synod_handle_subscribe (handle, "numbers", LIMIT_MS));
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 1 + round * 5; i++) {
            const number_t in = {.n = sent++};
            assert_ok (other, synod_handle_publish (other, "numbers", &number_record, &in, LIMIT_MS));
            if (i % 50 == 0)
                assert_ok (other, synod_handle_flush (other, LIMIT_MS)); /* many frames */
        }
        s_receive (handle, &next, sent, round % 3 == 0 ? 1 : UINT64_MAX);
    }
    assert_int_equal (synod_handle_receive (handle, 0, &message), SYNOD_TIMEOUT);
    assert_int_equal (synod_handle_gaps (handle), 0);
    /* those who ask, and do not receive, are still told that there is something */
    const number_t in = {.n = sent++};
    s_rest (handle);
    assert_ok (other, synod_handle_publish (other, "numbers", &number_record, &in, LIMIT_MS));
    assert_ok (other, synod_handle_flush (other, LIMIT_MS));
    assert_true (s_readable (handle, LIMIT_MS));
    int64_t until_us = synod__now_us () + 200000;
    while (synod__now_us () < until_us && s_readable (handle, 200))
        assert_int_equal (synod_handle_wait (handle, 0, &id, &reply), SYNOD_NOT_FOUND);
    assert_true (s_readable (handle, 0));
    s_receive (handle, &next, sent, UINT64_MAX);
    /* mail too, one a call */
    for (uint64_t i = 0; i < 20; i++)
        assert_ok (handle, synod_handle_tell (handle, "n/worker", &back_record, &(back_t){.n = next + i}));
    s_receive (handle, &next, next + 20, 1);
    s_rest (handle);
    synod_handle_destroy (&other);
}

/* ---- what goes away ---- */

static void a_node_that_is_gone_is_told (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_handle_t *handle = s_ready (bus);
    const silence_t in = {0};
    uint64_t id;
    synod_reply_t reply;
    s_rest (handle);
    assert_ok (handle, synod_handle_ask_start (handle, "n/worker", &silence_record, &in, 60000, &id));
    assert_int_equal (synod_handle_wait (handle, 0, &id, &reply), SYNOD_TIMEOUT);
    s_rest (handle);
    synod_node_destroy (&bus->node);
    int rc = SYNOD_TIMEOUT;
    for (int calls = 0; rc == SYNOD_TIMEOUT && calls < 200; calls++) {
        assert_true (s_readable (handle, LIMIT_MS));
        rc = synod_handle_wait (handle, 0, &id, &reply);
    }
    assert_ok (handle, rc);
    assert_int_equal (reply.code, SYNOD_NODE_DOWN);
}

static void a_broker_that_is_gone_is_told (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_handle_t *handle = s_ready (bus);
    uint64_t id;
    synod_reply_t reply;
    s_rest (handle);
    synod_broker_destroy (&bus->broker, 0);
    assert_true (s_readable (handle, LIMIT_MS));
    assert_int_equal (synod_handle_poll (handle, 0), SYNOD_TIMEOUT);
    /* without one it sleeps, between attempts to join */
    int calls = 0;
    int64_t until_us = synod__now_us () + 500000;
    for (int64_t left_us = 500000; left_us > 0; left_us = until_us - synod__now_us ())
        if (s_readable (handle, (int) (left_us / 1000 + 1))) {
            calls++;
            assert_int_equal (synod_handle_poll (handle, 0), SYNOD_TIMEOUT);
        }
    assert_true (calls < 60);
    start_broker (bus);
    /* back by itself: an ask is answered again, by the descriptor alone */
    bool answered = false;
    until_us = synod__now_us () + 2 * LIMIT_MS * 1000;
    s_twice (handle, 5);
    while (!answered) {
        assert_true (synod__now_us () < until_us);
        assert_true (s_readable (handle, LIMIT_MS));
        int rc = synod_handle_wait (handle, 0, &id, &reply);
        if (rc == SYNOD_OK && reply.code == SYNOD_OK)
            answered = true;
        else if (rc == SYNOD_OK)
            s_twice (handle, 5);
    }
    assert_int_equal (number_of (reply.body), 10);
}

/* A handle that did not answer in time loses its name to a newcomer; then it is readable, for good. */
static void a_handle_that_has_left_is_told (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_handle_t *handle = s_ready (bus);
    s_rest (handle);
    synod_handle_t *newcomer = join (bus, "h");
    int rc = SYNOD_TIMEOUT;
    for (int64_t limit_us = synod__now_us () + LIMIT_MS * 1000; rc == SYNOD_TIMEOUT && synod__now_us () < limit_us;) {
        synod_handle_poll (newcomer, 0); /* who has a name keeps it by being alive */
        if (s_readable (handle, 20))
            rc = synod_handle_poll (handle, 0);
    }
    assert_true (rc != SYNOD_OK && rc != SYNOD_TIMEOUT);
    for (int i = 0; i < 3; i++) {
        assert_true (s_readable (handle, 0));
        assert_int_equal (synod_handle_poll (handle, 0), rc);
    }
    synod_handle_destroy (&newcomer);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        ON_A_BUS (one_descriptor),
        ON_A_BUS (replies_are_told),
        ON_A_BUS (what_is_asked_at_last_leaves),
        ON_A_BUS (a_lone_ask_leaves),
        ON_A_BUS (what_is_not_taken_stays_told),
        ON_A_BUS (operations_are_told),
        ON_A_BUS (deadlines_are_told),
        ON_A_BUS (nothing_to_do_is_silence),
        ON_A_BUS (waiting_sleeps),
        ON_A_BUS (one_thread_serves_many),
        ON_A_BUS (publications_are_told),
        ON_A_BUS (a_node_that_is_gone_is_told),
        ON_A_BUS (a_broker_that_is_gone_is_told),
        ON_A_BUS (a_handle_that_has_left_is_told),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
