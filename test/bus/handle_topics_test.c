/* SPDX-License-Identifier: MPL-2.0
 *
 * The handle: publications and subscriptions.
 */
#include "handle_bus.h"

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

int main (void)
{
    const struct CMUnitTest tests[] = {
        ON_A_BUS (a_lone_publication_arrives),
        ON_A_BUS (a_tight_loop_arrives_in_order),
        ON_A_BUS (destroy_flushes),
        ON_A_BUS (subscribing_skips_nothing),
        ON_A_BUS (publish_gives_up_at_its_deadline),
        ON_A_BUS (wrong_publications_are_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
