/* SPDX-License-Identifier: MPL-2.0
 *
 * The handle against a broker and a node in this process, over ipc sockets in a directory of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <synod/synod.h>
#include "bus/handle_queue.h"
#include "bus/poller.h"

#define LIMIT_MS 10000

/* clang-format off */
#define NUMBER_FIELDS(FIELD, OPT) FIELD (u64, n, UINT64_MAX, "a number") OPT (str, text, 200000, "a text")
#define NOTHING_FIELDS(FIELD, OPT)
/* clang-format on */
SYNOD_RECORD (number, NUMBER_FIELDS, 0, "a number")
SYNOD_RECORD (twice, NUMBER_FIELDS, SYNOD_IDEMPOTENT, "answers with twice the number")
SYNOD_RECORD (silence, NOTHING_FIELDS, 0, "is never answered")
SYNOD_RECORD (refuse, NOTHING_FIELDS, 0, "is refused")
SYNOD_RECORD (back, NUMBER_FIELDS, 0, "tells the number to who told it")
SYNOD_RECORD (announce, NUMBER_FIELDS, 0, "publishes the number on topic from.actor")

static int on_twice (synod_ctx_t *ctx, void *state, const twice_t *in, synod_call_t call)
{
    const number_t out = {.n = 2 * in->n, .text = in->text};
    (void) state;
    return synod_reply (ctx, call, &number_record, &out);
}

static int on_silence (synod_ctx_t *ctx, void *state, const silence_t *in, synod_call_t call)
{
    (void) ctx;
    (void) state;
    (void) in;
    (void) call;
    return SYNOD_OK;
}

static int on_refuse (synod_ctx_t *ctx, void *state, const refuse_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    (void) call;
    return synod_error (ctx, SYNOD_REFUSED, "not %s", "today");
}

static int on_back (synod_ctx_t *ctx, void *state, const back_t *in, synod_call_t call)
{
    const number_t out = {.n = in->n};
    char to[SYNOD_ADDRESS_MAX + 1];
    (void) state;
    (void) call;
    snprintf (to, sizeof to, "%.*s", SYNOD_STR (synod_from (ctx)));
    return synod_tell (ctx, to, &number_record, &out);
}

static int on_announce (synod_ctx_t *ctx, void *state, const announce_t *in, synod_call_t call)
{
    const number_t out = {.n = in->n};
    (void) state;
    (void) call;
    return synod_publish (ctx, "from.actor", &number_record, &out);
}

static const synod_actor_t worker = {
    .name = "worker",
    .routes = (const synod_route_t[]){SYNOD_ON (twice, on_twice), SYNOD_ON (silence, on_silence),
                                      SYNOD_ON (refuse, on_refuse), SYNOD_ON (back, on_back),
                                      SYNOD_ON (announce, on_announce), SYNOD_END},
};

/* ---- a bus for each test ---- */

typedef struct {
    char directory[64], endpoint[128], publish[128], subscribe[128];
    synod_broker_t *broker;
    synod_node_t *node;
    synod_handle_t *handle;
} bus_t;

static void quiet (void *arg, int level, const char *text)
{
    (void) arg;
    (void) level;
    (void) text;
}

static synod_handle_t *join (const bus_t *bus, const char *name)
{
    synod_fault_t fault = {0};
    const synod_options_t options = {.bus = bus->endpoint, .name = name, .log = quiet};
    synod_handle_t *handle = synod_handle_new (&options, &fault);
    if (!handle)
        fail_msg ("handle %s: %s", name, fault.text);
    return handle;
}

static void start_broker (bus_t *bus)
{
    synod_fault_t fault = {0};
    const synod_broker_options_t options = {
        .listen = bus->endpoint, .publish = bus->publish, .subscribe = bus->subscribe, .log = quiet};
    bus->broker = synod_broker_new (&options, &fault);
    if (!bus->broker)
        fail_msg ("broker: %s", fault.text);
}

static int set_up (void **state)
{
    synod_fault_t fault = {0};
    bus_t *bus = (bus_t *) calloc (1, sizeof *bus);
    strcpy (bus->directory, "/tmp/synod-handle-XXXXXX");
    assert_non_null (mkdtemp (bus->directory));
    snprintf (bus->endpoint, sizeof bus->endpoint, "ipc://%s/bus", bus->directory);
    snprintf (bus->publish, sizeof bus->publish, "ipc://%s/publish", bus->directory);
    snprintf (bus->subscribe, sizeof bus->subscribe, "ipc://%s/subscribe", bus->directory);
    start_broker (bus);
    const synod_options_t options = {.bus = bus->endpoint, .name = "n", .log = quiet};
    bus->node = synod_node_new (&options, &fault);
    assert_non_null (bus->node);
    assert_int_equal (synod_node_add (bus->node, &worker, NULL, &fault), SYNOD_OK);
    if (synod_node_start (bus->node, &fault) != SYNOD_OK)
        fail_msg ("node: %s", fault.text);
    bus->handle = join (bus, "h");
    *state = bus;
    return 0;
}

static int tear_down (void **state)
{
    bus_t *bus = (bus_t *) *state;
    char command[100];
    synod_handle_destroy (&bus->handle);
    synod_node_destroy (&bus->node);
    synod_broker_destroy (&bus->broker, 0);
    snprintf (command, sizeof command, "rm -rf %s", bus->directory);
    int rc = system (command);
    free (bus);
    return rc;
}

#define assert_ok(handle, call)                                                                  \
    do {                                                                                         \
        int rc_ = (call);                                                                        \
        if (rc_ != SYNOD_OK)                                                                     \
            fail_msg ("%s: %s: %s", #call, synod_error_name (rc_), synod_handle_error (handle)); \
    } while (0)

static uint64_t number_of (synod_str_t body)
{
    number_t number;
    synod_fault_t fault = {0};
    if (synod_record_unpack (&number_record, body, &number, &fault) != SYNOD_OK)
        fail_msg ("no number: %s", fault.text);
    return number.n;
}

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
    assert_ok (bus->handle,
               synod_handle_ask_body (bus->handle, "worker", "twice", synod_str_n (body.data, body.size), -1, &reply));
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
    assert_int_equal (synod_handle_ask_body (bus->handle, "worker", "twice", synod_str ("\xc1"), LIMIT_MS, &reply),
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

/* ---- topics ---- */

static void a_lone_publication_arrives (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_handle_t *other = join (bus, "other");
    synod_message_t message;
    assert_ok (other, synod_handle_subscribe (other, "news.*", LIMIT_MS));
    for (uint64_t i = 0; i < 5; i++) {
        const number_t out = {.n = i};
        /* no call of the publisher's follows */
        assert_ok (bus->handle, synod_handle_publish (bus->handle, "news.today", &number_record, &out, LIMIT_MS));
        assert_ok (other, synod_handle_receive (other, LIMIT_MS, &message));
        assert_int_equal (number_of (message.body), i);
        assert_true (synod_str_is (message.topic, "news.today"));
        assert_true (synod_str_is (message.method, "number"));
        assert_true (synod_str_is (message.from, "h"));
    }
    const number_t out = {.n = 9};
    assert_ok (bus->handle, synod_handle_publish (bus->handle, "old.today", &number_record, &out, LIMIT_MS));
    assert_ok (other, synod_handle_unsubscribe (other, "news.*"));
    assert_int_equal (synod_handle_receive (other, 100, &message), SYNOD_TIMEOUT);
    assert_int_equal (synod_handle_gaps (other), 0);
    synod_handle_destroy (&other);
}

typedef struct {
    synod_handle_t *handle;
    uint64_t count;
    bool ok;
} publisher_t;

static void *publish_many (void *arg)
{
    publisher_t *self = (publisher_t *) arg;
    self->ok = true;
    for (uint64_t i = 0; i < self->count && self->ok; i++) {
        const number_t out = {.n = i, .text = synod_str ("sixty-four bytes or so, as are usual in such loops")};
        self->ok = synod_handle_publish (self->handle, "tight.loop", &number_record, &out, LIMIT_MS) == SYNOD_OK;
    }
    return NULL;
}

static void a_tight_loop_arrives_in_order (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_handle_t *other = join (bus, "other");
    synod_message_t message;
    pthread_t thread;
    publisher_t publisher = {.handle = bus->handle, .count = 100000};
    assert_ok (other, synod_handle_subscribe (other, "tight.>", LIMIT_MS));
    assert_int_equal (pthread_create (&thread, NULL, publish_many, &publisher), 0);
    for (uint64_t i = 0; i < publisher.count; i++) {
        assert_ok (other, synod_handle_receive (other, LIMIT_MS, &message));
        assert_int_equal (number_of (message.body), i);
    }
    pthread_join (thread, NULL);
    assert_true (publisher.ok);
    assert_int_equal (synod_handle_gaps (other), 0);
    synod_handle_destroy (&other);
}

/* What is published before the end of the handle has left when that returns. */
static void destroy_flushes (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_handle_t *other = join (bus, "other");
    synod_message_t message;
    assert_ok (other, synod_handle_subscribe (other, "last", LIMIT_MS));
    for (uint64_t i = 0; i < 1000; i++) {
        const number_t out = {.n = i};
        assert_ok (bus->handle, synod_handle_publish (bus->handle, "last", &number_record, &out, LIMIT_MS));
    }
    synod_handle_destroy (&bus->handle);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_ok (other, synod_handle_receive (other, LIMIT_MS, &message));
        assert_int_equal (number_of (message.body), i);
    }
    synod_handle_destroy (&other);
}

/* A second subscription is confirmed while what the first one brings has not been read. */
static void subscribing_skips_nothing (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_handle_t *other = join (bus, "other");
    synod_message_t message;
    assert_ok (other, synod_handle_subscribe (other, "a", LIMIT_MS));
    for (uint64_t i = 0; i < 50; i++) {
        const number_t out = {.n = i};
        assert_ok (bus->handle, synod_handle_publish (bus->handle, "a", &number_record, &out, LIMIT_MS));
        assert_ok (bus->handle, synod_handle_flush (bus->handle, LIMIT_MS)); /* a frame each */
    }
    assert_ok (other, synod_handle_subscribe (other, "b", LIMIT_MS));
    for (uint64_t i = 0; i < 50; i++) {
        assert_ok (other, synod_handle_receive (other, LIMIT_MS, &message));
        assert_int_equal (number_of (message.body), i);
    }
    synod_handle_destroy (&other);
}

/* With the broker gone nobody takes what is published. */
static void publish_gives_up_at_its_deadline (void **state)
{
    bus_t *bus = (bus_t *) *state;
    synod_options_t options = {
        .bus = bus->endpoint, .name = "small", .queue_bytes = 100000, .linger_ms = 50, .log = quiet};
    synod_fault_t fault = {0};
    synod_handle_t *handle = synod_handle_new (&options, &fault);
    assert_non_null (handle);
    static char text[1000];
    memset (text, 'x', sizeof text);
    const number_t out = {.n = 1, .text = synod_str_n (text, sizeof text)};
    synod_broker_destroy (&bus->broker, 0);
    int rc = SYNOD_OK;
    uint64_t taken = 0;
    int64_t began_us = 0;
    while (rc == SYNOD_OK && taken < 100000) {
        began_us = synod__now_us ();
        rc = synod_handle_publish (handle, "void", &number_record, &out, 200);
        taken += rc == SYNOD_OK;
    }
    assert_int_equal (rc, SYNOD_BUSY);
    assert_in_range (synod__now_us () - began_us, 190000, 2000000);
    assert_in_range (taken, 90, 110); /* queue_bytes of them */
    assert_non_null (strstr (synod_handle_error (handle), "void"));
    began_us = synod__now_us ();
    assert_int_equal (synod_handle_publish (handle, "void", &number_record, &out, 0), SYNOD_BUSY);
    assert_in_range (synod__now_us () - began_us, 0, 100000);
    /* the broker is back: what was taken arrives, what was refused does not */
    start_broker (bus);
    synod_handle_t *other = join (bus, "other");
    assert_ok (other, synod_handle_subscribe (other, "void", LIMIT_MS));
    assert_ok (handle, synod_handle_publish (handle, "void", &number_record, &out, LIMIT_MS));
    assert_ok (handle, synod_handle_flush (handle, LIMIT_MS));
    synod_message_t message;
    for (uint64_t i = 0; i < taken + 1; i++)
        assert_ok (other, synod_handle_receive (other, LIMIT_MS, &message));
    assert_int_equal (synod_handle_receive (other, 100, &message), SYNOD_TIMEOUT);
    synod_handle_destroy (&other);
    synod_handle_destroy (&handle);
}

static void wrong_publications_are_refused (void **state)
{
    bus_t *bus = (bus_t *) *state;
    const number_t out = {.n = 1};
    assert_int_equal (synod_handle_publish (bus->handle, NULL, &number_record, &out, 0), SYNOD_INVALID);
    assert_int_equal (synod_handle_publish (bus->handle, "a..b", &number_record, &out, 0), SYNOD_BAD_ADDRESS);
    assert_int_equal (synod_handle_publish (bus->handle, "a.*", &number_record, &out, 0), SYNOD_BAD_ADDRESS);
    assert_int_equal (synod_handle_publish (bus->handle, "a", NULL, NULL, 0), SYNOD_INVALID);
    assert_int_equal (synod_handle_publish_body (bus->handle, "a", "no method", synod_str ("\x80"), 0),
                      SYNOD_BAD_ADDRESS);
    assert_int_equal (synod_handle_publish_body (bus->handle, "a", "m", synod_str ("\xc1"), 0), SYNOD_INVALID);
    assert_int_equal (synod_handle_publish_body (bus->handle, "a", "m", synod_str_n ("\x81\xa1", 2), 0), SYNOD_INVALID);
    static char text[200001];
    memset (text, 'x', sizeof text);
    const number_t long_one = {.n = 1, .text = synod_str_n (text, sizeof text)};
    assert_int_equal (synod_handle_publish (bus->handle, "a", &number_record, &long_one, 0), SYNOD_INVALID);
    assert_non_null (strstr (synod_handle_error (bus->handle), "text"));
    assert_int_equal (synod_handle_subscribe (bus->handle, "a..b", 0), SYNOD_BAD_ADDRESS);
    assert_int_equal (synod_handle_subscribe (bus->handle, NULL, 0), SYNOD_INVALID);
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
#define ON_A_BUS(test) cmocka_unit_test_setup_teardown (test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_queue_keeps_order_and_closes_up),
        ON_A_BUS (ask_is_answered),
        ON_A_BUS (ask_errors_have_sentences),
        ON_A_BUS (ask_keeps_its_deadline),
        ON_A_BUS (a_thousand_asks_at_once),
        ON_A_BUS (started_asks_end_by_themselves),
        ON_A_BUS (flush_sends_what_was_started),
        ON_A_BUS (tells_go_and_come),
        ON_A_BUS (a_lone_publication_arrives),
        ON_A_BUS (a_tight_loop_arrives_in_order),
        ON_A_BUS (destroy_flushes),
        ON_A_BUS (subscribing_skips_nothing),
        ON_A_BUS (publish_gives_up_at_its_deadline),
        ON_A_BUS (wrong_publications_are_refused),
        ON_A_BUS (links_come_and_go),
        ON_A_BUS (nobody_answers_a_newcomer),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
