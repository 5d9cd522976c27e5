/* SPDX-License-Identifier: MPL-2.0
 *
 * Sending to many when one does not read. Time is given, pipes within a process are exact, so all is deterministic.
 */
#include "bus_test.h"
#include "bus/fanout.h"

#define S_HWM      4 /* of a pipe: half at each end */
#define S_PATIENCE 50000

typedef struct {
    zsock_t *pub, *sleeper, *reader;
    synod__fanout_t fanout;
    int64_t now_us;
    int sent;
    int received; /* by the reader, which must get all in order */
} s_bed_t;

/* inproc names stay taken for a moment after their socket is gone */
static char s_endpoint[64];

static zsock_t *s_subscriber (zsock_t *pub)
{
    zsock_t *self = test_socket (&(synod__socket_options_t){.type = ZMQ_SUB, .receive_hwm = S_HWM / 2});
    test_connect (self, s_endpoint);
    zsock_set_subscribe (self, "");
    test_expect (pub, NULL, "\001");
    return self;
}

static int s_set_up (void **state)
{
    static int count;
    s_bed_t *self = (s_bed_t *) calloc (1, sizeof *self);
    snprintf (s_endpoint, sizeof s_endpoint, "inproc://fanout-%d", ++count);
    self->pub = test_socket (&(synod__socket_options_t){.type = ZMQ_XPUB, .send_hwm = S_HWM / 2, .no_drop = true});
    test_bind (self->pub, s_endpoint, NULL);
    self->sleeper = s_subscriber (self->pub);
    self->reader = s_subscriber (self->pub);
    synod__fanout_init (&self->fanout, self->pub, S_PATIENCE / 1000);
    self->now_us = 1000000;
    *state = self;
    return 0;
}

static int s_tear_down (void **state)
{
    s_bed_t *self = (s_bed_t *) *state;
    zsock_destroy (&self->sleeper);
    zsock_destroy (&self->reader);
    zsock_destroy (&self->pub);
    free (self);
    return 0;
}

static void s_read (s_bed_t *self)
{
    zmq_msg_t msg;
    zmq_msg_init (&msg);
    while (synod__socket_receive (self->reader, NULL, &msg) == SYNOD_OK)
        assert_int_equal (strtol ((char *) zmq_msg_data (&msg), NULL, 10), self->received++);
    zmq_msg_close (&msg);
}

/* Tries to send the next number, once. */
static int s_try (s_bed_t *self)
{
    zmq_msg_t msg;
    zmq_msg_init_size (&msg, 64);
    snprintf ((char *) zmq_msg_data (&msg), 64, "%d", self->sent);
    int rc = synod__fanout_send (&self->fanout, &msg, self->now_us);
    assert_int_equal (zmq_msg_size (&msg), rc == SYNOD_OK ? 0 : 64);
    if (rc == SYNOD_OK)
        self->sent++;
    else
        assert_int_equal (strtol ((char *) zmq_msg_data (&msg), NULL, 10), self->sent);
    zmq_msg_close (&msg);
    s_read (self);
    assert_int_equal (self->received, self->sent);
    return rc;
}

static void s_fill (s_bed_t *self)
{
    for (int i = 0; i < S_HWM; i++)
        assert_int_equal (s_try (self), SYNOD_OK);
}

/* Waits as an owner would: until it is due, and tries again. Returns for how long. */
static int64_t s_persist (s_bed_t *self)
{
    int64_t began_us = self->now_us;
    while (s_try (self) == SYNOD_BUSY) {
        int64_t due_us = synod__fanout_due (&self->fanout);
        assert_true (due_us > self->now_us);
        self->now_us = due_us;
    }
    assert_true (synod__fanout_due (&self->fanout) == INT64_MAX);
    return self->now_us - began_us;
}

/* The sleeper reads all it has, and the publisher's side hears of it. */
static int s_wake (s_bed_t *self)
{
    int count = test_drain (self->sleeper);
    synod__socket_events (self->pub);
    return count;
}

/* The patience is spent once; from then on the others get everything at once. */
static void one_never_reads (void **state)
{
    s_bed_t *self = (s_bed_t *) *state;
    s_fill (self);
    assert_int_equal (s_persist (self), S_PATIENCE);
    assert_int_equal (self->fanout.dropped, 1);
    for (int i = 0; i < 1000; i++)
        assert_int_equal (s_persist (self), 0);
    assert_int_equal (self->received, S_HWM + 1001);
    assert_int_equal (test_drain (self->sleeper), S_HWM);
}

static void one_is_late (void **state)
{
    s_bed_t *self = (s_bed_t *) *state;
    s_fill (self);
    assert_int_equal (s_try (self), SYNOD_BUSY);
    self->now_us += S_PATIENCE - 1;
    assert_int_equal (s_try (self), SYNOD_BUSY);
    assert_int_equal (test_drain (self->sleeper), S_HWM);
    assert_int_equal (s_persist (self), 0);
    assert_int_equal (self->fanout.dropped, 0);
    /* the next refusal has a patience of its own */
    for (int i = 1; i < S_HWM; i++)
        assert_int_equal (s_try (self), SYNOD_OK);
    assert_int_equal (s_persist (self), S_PATIENCE);
}

/* Slow again within a second: not waited for. Later: waited for again. */
static void cooling (void **state)
{
    s_bed_t *self = (s_bed_t *) *state;
    s_fill (self);
    assert_int_equal (s_persist (self), S_PATIENCE);
    for (int i = 2; i < 5; i++) {
        assert_int_equal (s_wake (self), S_HWM);
        s_fill (self);
        self->now_us += 900000;
        assert_int_equal (s_persist (self), 0);
        assert_int_equal (self->fanout.dropped, i);
    }
    assert_int_equal (s_wake (self), S_HWM);
    s_fill (self);
    self->now_us += 1000000;
    assert_int_equal (s_persist (self), S_PATIENCE);
    assert_int_equal (self->fanout.dropped, 5);
}

/* Nobody there is no refusal. */
static void nobody (void **state)
{
    s_bed_t *self = (s_bed_t *) *state;
    zsock_set_unsubscribe (self->sleeper, "");
    zsock_set_unsubscribe (self->reader, "");
    test_expect (self->pub, NULL, "");
    for (int i = 0; i < 100; i++) {
        zmq_msg_t msg;
        zmq_msg_init_size (&msg, 1);
        assert_int_equal (synod__fanout_send (&self->fanout, &msg, self->now_us), SYNOD_OK);
    }
    assert_int_equal (self->fanout.dropped, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (one_never_reads, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (one_is_late, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (cooling, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (nobody, s_set_up, s_tear_down),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
