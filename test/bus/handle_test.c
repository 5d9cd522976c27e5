/* SPDX-License-Identifier: MPL-2.0
 *
 * The handle: asks, tells, links, and the queue underneath.
 */
#include <semaphore.h>
#include "handle_bus.h"

/* ---- asks ---- */

static void ask_is_answered (void **state)
{
    bus_t *bus = (bus_t *) *state;
    const twice_t in = {.n = 21, .text = synod_str ("kept")};
    synod_reply_t reply;
    assert_ok (bus->handle, synod_handle_await (bus->handle, "n/worker", LIMIT_MS));
    for (int i = 0; i < 3; i++) {
        assert_ok (bus->handle,
                   synod_handle_ask (bus->handle, i ? "worker" : "n/worker", &twice_record, &in, LIMIT_MS, &reply));
        assert_int_equal (number_of (reply.body), 42);
        assert_true (synod_str_is (reply.from, "n/worker"));
        assert_int_equal (reply.error.size, 0);
    }
    synod_buf_t body = {0};
    assert_int_equal (synod_record_pack (&twice_record, &in, &body, NULL), SYNOD_OK);
    assert_ok (bus->handle, synod_handle_ask_body (bus->handle, "worker", "twice", synod_str_n (body.data, body.size),
                                                   0, -1, &reply));
    assert_int_equal (number_of (reply.body), 42);
    synod_buf_free (&body);
}

static void ask_errors_have_sentences (void **state)
{
    bus_t *bus = (bus_t *) *state;
    const refuse_t in = {0};
    const twice_t twice = {0};
    synod_reply_t reply;
    assert_ok (bus->handle, synod_handle_await (bus->handle, "worker", LIMIT_MS));
    assert_int_equal (synod_handle_ask (bus->handle, "n/worker", &refuse_record, &in, LIMIT_MS, &reply), SYNOD_REFUSED);
    assert_int_equal (reply.code, SYNOD_REFUSED);
    assert_true (synod_str_is (reply.error, "refused"));
    assert_true (synod_str_is (reply.message, "not today"));
    assert_string_equal (synod_handle_error (bus->handle), "not today");
    assert_int_equal (synod_handle_ask (bus->handle, "n/nobody", &twice_record, &twice, LIMIT_MS, &reply),
                      SYNOD_NO_ROUTE);
    assert_true (reply.message.size > 0);
    assert_int_equal (synod_handle_ask (bus->handle, "a/b/c", &twice_record, &twice, LIMIT_MS, &reply),
                      SYNOD_BAD_ADDRESS);
    assert_non_null (strstr (synod_handle_error (bus->handle), "a/b/c"));
    assert_int_equal (synod_handle_ask (bus->handle, NULL, &twice_record, &twice, LIMIT_MS, &reply), SYNOD_INVALID);
    assert_int_equal (synod_handle_ask (bus->handle, "worker", NULL, &twice, LIMIT_MS, &reply), SYNOD_INVALID);
    assert_int_equal (synod_handle_ask_body (bus->handle, "worker", "twice", synod_str ("\xc1"), 0, LIMIT_MS, &reply),
                      SYNOD_INVALID);
    assert_int_equal (synod_handle_ask (NULL, "worker", &twice_record, &twice, LIMIT_MS, &reply), SYNOD_INVALID);
}

static void ask_keeps_its_deadline (void **state)
{
    bus_t *bus = (bus_t *) *state;
    const silence_t in = {0};
    synod_reply_t reply;
    assert_ok (bus->handle, synod_handle_await (bus->handle, "worker", LIMIT_MS));
    int64_t began_us = synod__now_us ();
    assert_int_equal (synod_handle_ask (bus->handle, "worker", &silence_record, &in, 200, &reply), SYNOD_TIMEOUT);
    int64_t took_us = synod__now_us () - began_us;
    assert_in_range (took_us, 190000, 2000000);
    assert_int_equal (reply.code, SYNOD_TIMEOUT);
    assert_true (synod_str_is (reply.error, "timeout"));
    assert_true (reply.message.size > 0);
    /* the handle is none the worse */
    const twice_t twice = {.n = 1};
    assert_ok (bus->handle, synod_handle_ask (bus->handle, "worker", &twice_record, &twice, LIMIT_MS, &reply));
}

static void a_thousand_asks_at_once (void **state)
{
    enum { COUNT = 1000 };
    bus_t *bus = (bus_t *) *state;
    static uint64_t ids[COUNT], id;
    static bool seen[COUNT];
    synod_reply_t reply;
    memset (seen, 0, sizeof seen);
    assert_ok (bus->handle, synod_handle_await (bus->handle, "worker", LIMIT_MS));
    assert_int_equal (synod_handle_wait (bus->handle, 0, &id, &reply), SYNOD_NOT_FOUND);
    for (uint64_t i = 0; i < COUNT; i++) {
        const twice_t in = {.n = i};
        assert_ok (bus->handle, synod_handle_ask_start (bus->handle, "worker", &twice_record, &in, LIMIT_MS, &ids[i]));
    }
    /* one that is waited for, in between, has its own answer and takes none of theirs */
    const twice_t mine = {.n = 5000};
    assert_ok (bus->handle, synod_handle_ask (bus->handle, "worker", &twice_record, &mine, LIMIT_MS, &reply));
    assert_int_equal (number_of (reply.body), 10000);
    for (int i = 0; i < COUNT; i++) {
        assert_ok (bus->handle, synod_handle_wait (bus->handle, LIMIT_MS, &id, &reply));
        assert_int_equal (reply.code, SYNOD_OK);
        uint64_t n = number_of (reply.body) / 2;
        assert_in_range (n, 0, COUNT - 1);
        assert_int_equal (ids[n], id);
        assert_false (seen[n]);
        seen[n] = true;
    }
    assert_int_equal (synod_handle_wait (bus->handle, 0, &id, &reply), SYNOD_NOT_FOUND);
}

static void started_asks_end_by_themselves (void **state)
{
    bus_t *bus = (bus_t *) *state;
    const silence_t in = {0};
    uint64_t id, got;
    synod_reply_t reply;
    assert_ok (bus->handle, synod_handle_await (bus->handle, "worker", LIMIT_MS));
    assert_ok (bus->handle, synod_handle_ask_start (bus->handle, "worker", &silence_record, &in, 150, &id));
    assert_int_equal (synod_handle_wait (bus->handle, 10, &got, &reply), SYNOD_TIMEOUT);
    assert_ok (bus->handle, synod_handle_wait (bus->handle, LIMIT_MS, &got, &reply));
    assert_int_equal (got, id);
    assert_int_equal (reply.code, SYNOD_TIMEOUT);
}

/* An ask that was started leaves when another thread's work is all that follows: with flush. */
static void flush_sends_what_was_started (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_handle_t *other = join (bus, "other");
    assert_ok (other, synod_handle_subscribe (other, "from.actor", LIMIT_MS));
    assert_ok (bus->handle, synod_handle_await (bus->handle, "worker", LIMIT_MS));
    const announce_t in = {.n = 77};
    uint64_t id;
    synod_message_t message;
    assert_ok (bus->handle, synod_handle_ask_start (bus->handle, "worker", &announce_record, &in, 1000, &id));
    assert_int_equal (synod_handle_receive (other, 100, &message), SYNOD_TIMEOUT);
    assert_ok (bus->handle, synod_handle_flush (bus->handle, LIMIT_MS));
    assert_ok (other, synod_handle_receive (other, LIMIT_MS, &message));
    assert_int_equal (number_of (message.body), 77);
    /* a full batch leaves by itself, while more are started */
    for (uint64_t i = 0; i < 300; i++) {
        const announce_t more = {.n = 100 + i};
        assert_ok (bus->handle, synod_handle_ask_start (bus->handle, "worker", &announce_record, &more, 1000, &id));
    }
    assert_ok (other, synod_handle_receive (other, LIMIT_MS, &message));
    assert_int_equal (number_of (message.body), 100);
    synod_handle_destroy (&other);
}

/* ---- tells ---- */

static void tells_go_and_come (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_message_t message;
    assert_ok (bus->handle, synod_handle_await (bus->handle, "worker", LIMIT_MS));
    for (uint64_t i = 0; i < 100; i++) {
        const back_t in = {.n = i};
        assert_ok (bus->handle, synod_handle_tell (bus->handle, "n/worker", &back_record, &in));
    }
    for (uint64_t i = 0; i < 100; i++) {
        assert_ok (bus->handle, synod_handle_receive (bus->handle, LIMIT_MS, &message));
        assert_true (synod_str_is (message.method, "number"));
        assert_true (synod_str_is (message.from, "n/worker"));
        assert_null (message.topic.data);
        assert_null (message.key.data);
        assert_int_equal (number_of (message.body), i);
    }
    assert_int_equal (synod_handle_receive (bus->handle, 0, &message), SYNOD_TIMEOUT);
    /* what asks of a handle gets an answer: that it has none */
    synod_handle_t *other = join (bus, "other");
    const twice_t in = {.n = 1};
    synod_reply_t reply;
    uint64_t id;
    assert_ok (other, synod_handle_ask_start (other, "h/$handle", &twice_record, &in, LIMIT_MS, &id));
    assert_ok (other, synod_handle_flush (other, LIMIT_MS));
    int rc;
    int64_t until_us = synod__now_us () + LIMIT_MS * 1000;
    do {
        synod_handle_poll (bus->handle, 10);
        rc = synod_handle_wait (other, 10, &id, &reply);
    } while (rc == SYNOD_TIMEOUT && synod__now_us () < until_us);
    assert_ok (other, rc);
    assert_int_equal (reply.code, SYNOD_NO_METHOD);
    synod_handle_destroy (&other);
}

/* ---- the bus ---- */

static void links_come_and_go (void **state)
{
    bus_t *bus = (bus_t *) *state;
    const twice_t in = {.n = 4};
    synod_reply_t reply;
    assert_ok (bus->handle, synod_handle_await (bus->handle, "worker", LIMIT_MS));
    for (int i = 0; i < 2; i++) {
        assert_ok (bus->handle, synod_handle_link (bus->handle, "n", LIMIT_MS));
        assert_ok (bus->handle, synod_handle_ask (bus->handle, "n/worker", &twice_record, &in, LIMIT_MS, &reply));
        assert_ok (bus->handle, synod_handle_unlink (bus->handle, "n", LIMIT_MS));
        assert_ok (bus->handle, synod_handle_ask (bus->handle, "n/worker", &twice_record, &in, LIMIT_MS, &reply));
    }
    assert_int_equal (synod_handle_link (bus->handle, "nobody-of-that-name", 100), SYNOD_TIMEOUT);
    assert_int_equal (synod_handle_link (bus->handle, "a/b", 100), SYNOD_INVALID);
    assert_int_equal (synod_handle_await (bus->handle, "nobody", 50), SYNOD_TIMEOUT);
    assert_non_null (strstr (synod_handle_error (bus->handle), "nobody"));
}

static void nobody_answers_a_newcomer (void **state)
{
    synod_fault_t fault = {0};
    bus_t *bus = (bus_t *) *state;
    char endpoint[160];
    snprintf (endpoint, sizeof endpoint, "ipc://%s/nobody", bus->directory);
    const synod_options_t options = {.bus = endpoint, .connect_ms = 200, .log = quiet};
    int64_t began_us = synod__now_us ();
    assert_null (synod_handle_new (&options, &fault));
    assert_in_range (synod__now_us () - began_us, 190000, 2000000);
    assert_int_equal (fault.code, SYNOD_TIMEOUT);
    assert_non_null (strstr (fault.text, endpoint));
    assert_non_null (strstr (fault.text, "200 ms"));
    const synod_options_t named = {.bus = bus->endpoint, .name = "no name", .log = quiet};
    assert_null (synod_handle_new (&named, &fault));
    assert_non_null (strstr (fault.text, "no name"));
}

/* ---- a node that stands still ---- */

SYNOD_RECORD (stand, NOTHING_FIELDS, 0, "is not over until the test says so")
static sem_t stands, goes_on;

static int on_stand (synod_ctx_t *ctx, void *state, const stand_t *in, synod_call_t call)
{
    (void) ctx, (void) state, (void) in, (void) call;
    sem_post (&stands);
    sem_wait (&goes_on);
    return SYNOD_OK;
}

static int on_large (synod_ctx_t *ctx, void *state, const number_t *in, synod_call_t call)
{
    (void) ctx, (void) state, (void) in, (void) call;
    return SYNOD_OK;
}

static const synod_actor_t still = {
    .name = "still",
    .routes = (const synod_route_t[]){SYNOD_ON (stand, on_stand), SYNOD_ON (number, on_large), SYNOD_END},
};

/* What its socket did not take is not waited for when the node is given up: the handle goes on at once. */
static void a_full_link_ends_at_once (void **state)
{
    const bus_t *bus = (const bus_t *) *state;
    synod_fault_t fault = {0};
    const synod_options_t of_node = {.bus = bus->endpoint, .name = "s", .heartbeat_ms = 100, .log = quiet};
    const synod_options_t of_handle = {.bus = bus->endpoint, .name = "h2", .linger_ms = 1000000, .log = quiet};
    synod_node_t *node = synod_node_new (&of_node, &fault);
    assert_true (node && synod_node_add (node, &still, NULL, &fault) == SYNOD_OK);
    assert_int_equal (sem_init (&stands, 0, 0) | sem_init (&goes_on, 0, 0), 0);
    assert_int_equal (synod_node_start (node, &fault), SYNOD_OK);
    synod_handle_t *handle = synod_handle_new (&of_handle, &fault);
    assert_non_null (handle);
    assert_ok (handle, synod_handle_await (handle, "s/still", LIMIT_MS));
    assert_ok (handle, synod_handle_link (handle, "s", LIMIT_MS));
    uint64_t id;
    synod_reply_t reply;
    assert_ok (handle, synod_handle_ask_start (handle, "s/still", &stand_record, &(stand_t){0}, LIMIT_MS, &id));
    synod_handle_poll (handle, 0);
    sem_wait (&stands);
    char *text = (char *) malloc (200000);
    assert_non_null (text);
    memset (text, 'x', 200000);
    for (int i = 0; i < 20; i++) /* far more than a socket takes */
        assert_ok (handle, synod_handle_tell (handle, "s/still", &number_record,
                                              &(number_t){.text = synod_str_n (text, 200000)}));
    assert_ok (handle, synod_handle_wait (handle, LIMIT_MS, &id, &reply));
    assert_int_equal (reply.code, SYNOD_NODE_DOWN);
    sem_post (&goes_on);
    synod_handle_destroy (&handle);
    synod_node_destroy (&node);
    free (text);
}

/* ---- the queue underneath ---- */

static void a_queue_keeps_order_and_closes_up (void **state)
{
    synod__queue_t queue = {0};
    synod__queued_t item;
    char text[64];
    uint64_t in = 0, out = 0;
    (void) state;
    for (int round = 0; round < 20000; round++) {
        for (int i = 0; i < 3; i++, in++) {
            int size = snprintf (text, sizeof text, "item %llu", (unsigned long long) in);
            item = (synod__queued_t){.number = in, .code = (int) (in % 7), .text = {synod_str_n (text, (size_t) size)}};
            item.text[3] = synod_str_n (text, (size_t) (in % 5));
            assert_int_equal (synod__queue_put (&queue, &item), SYNOD_OK);
        }
        for (int i = 0; i < (round < 100 ? 2 : 3); i++, out++) {
            assert_true (synod__queue_take (&queue, &item));
            snprintf (text, sizeof text, "item %llu", (unsigned long long) out);
            assert_int_equal (item.number, out);
            assert_int_equal (item.code, (int) (out % 7));
            assert_true (synod_str_is (item.text[0], text));
            assert_null (item.text[1].data);
            assert_int_equal (item.text[3].size, out % 5);
        }
    }
    assert_true (queue.bytes.capacity < 20000); /* about a hundred items were in it at most */
    while (synod__queue_take (&queue, &item))
        out++;
    assert_int_equal (in, out);
    assert_int_equal (synod__queue_bytes (&queue), 0);
    synod__queue_free (&queue);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_queue_keeps_order_and_closes_up),
        ON_A_BUS (ask_is_answered),
        ON_A_BUS (ask_errors_have_sentences),
        ON_A_BUS (ask_keeps_its_deadline),
        ON_A_BUS (a_thousand_asks_at_once),
        ON_A_BUS (started_asks_end_by_themselves),
        ON_A_BUS (flush_sends_what_was_started),
        ON_A_BUS (tells_go_and_come),
        ON_A_BUS (links_come_and_go),
        ON_A_BUS (nobody_answers_a_newcomer),
        ON_A_BUS (a_full_link_ends_at_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
