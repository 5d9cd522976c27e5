/* SPDX-License-Identifier: MPL-2.0
 *
 * The time of a turn. A process can stand still at any instant for any time, and mail goes on coming: here mail comes
 * while the port reads the clock. No frame may be handled at a time before it was sent, or a lease that it asks for
 * would end too early. And turns that go on: what comes in the middle of one. The clock is wrapped by the linker, and so is
 * whether a turn may go on; two ports take their turns in one thread.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <synod/broker.h>
#include <synod/gateway.h>

#include "bus/port_internal.h"
#include "bus_test.h"

#define ROUNDS 20

#define SENT_FIELDS(FIELD, OPT) FIELD (i64, at_us, INT64_MAX, "when it was sent")
SYNOD_RECORD (sent, SENT_FIELDS, 0, "says when it was sent")

static struct {
    bool ready; /* to be published to */
    int sent, came, early;
} tally;

static _Thread_local void (*s_while_reading) (int64_t now_us); /* the clock */

int64_t __real_synod__now_us (void);
int64_t __wrap_synod__now_us (void);

int64_t __wrap_synod__now_us (void)
{
    int64_t now_us = __real_synod__now_us ();
    void (*meanwhile) (int64_t) = s_while_reading;
    s_while_reading = NULL; /* what it calls reads the clock, too */
    if (meanwhile)
        meanwhile (now_us);
    s_while_reading = meanwhile;
    return now_us;
}

static bool (*s_more) (void); /* in the middle of a turn of the port that takes mail */

bool __real_synod__rt_turn_more (synod__rt_t *rt);
bool __wrap_synod__rt_turn_more (synod__rt_t *rt);

bool __wrap_synod__rt_turn_more (synod__rt_t *rt)
{
    bool (*more) (void) = s_more;
    if (!more)
        return __real_synod__rt_turn_more (rt);
    s_more = NULL; /* the other port has turns meanwhile */
    bool again = more ();
    s_more = again ? more : NULL;
    return again;
}

static int on_sent (synod_ctx_t *ctx, void *state, const sent_t *in, synod_call_t call)
{
    (void) state, (void) call;
    tally.came++;
    tally.early += synod_now_us (ctx) < in->at_us;
    return SYNOD_OK;
}

static int on_ready (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) ctx, (void) state, (void) arg;
    tally.ready = true;
    return SYNOD_OK;
}

static int subscribed (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) state, (void) args;
    return synod_subscribe (ctx, "sent", on_ready, 0);
}

static char s_listens[32] = "127.0.0.1:0";

static synod_str_t at (const void *args)
{
    (void) args;
    return synod_str (s_listens);
}

/* Whatever comes gets one byte. */
static int on_bytes (synod_ctx_t *ctx, void *self, synod_conn_t *conn, synod_str_t in, size_t *used)
{
    (void) ctx, (void) self;
    synod_buf_t *out = synod_conn_out (conn);
    out->data = (char *) realloc (out->data, out->size + 1);
    out->capacity = out->size + 1;
    out->data[out->size++] = 'x';
    *used = in.size;
    return SYNOD_OK;
}

static const synod_gateway_t gateway = {.endpoint = at, .on_bytes = on_bytes};
static const synod_actor_t taker = {.name = "taker",
                                    .init = subscribed,
                                    .gateway = &gateway,
                                    .routes = (const synod_route_t[]){SYNOD_ON (sent, on_sent), SYNOD_END}};
static const synod_actor_t giver = {.name = "giver", .routes = (const synod_route_t[]){SYNOD_END}};

/* ---- a bus ---- */

static struct {
    char folder[32];
    synod_broker_t *broker;
    synod__port_t *from, *to;
    synod__end_t *frames, *topics; /* where mail for TO comes in */
} bus;

static synod__port_t *opened (const char *name, const char *peer, const synod_actor_t *type)
{
    char own[64];
    synod_fault_t fault = {0};
    snprintf (own, sizeof own, "ipc://%s/%s", bus.folder, name);
    const char *const peers[] = {peer, NULL};
    synod_options_t options = {.name = name, .no_links = true};
    if (bus.broker)
        options.bus = synod_broker_endpoint (bus.broker);
    else {
        options.listen = own;
        options.peers = peers;
    }
    synod__port_t *port = synod__port_new (&options, false, false, &fault);
    int rc = port ? synod__rt_add (port->rt, type, NULL, &fault) : SYNOD_IO;
    if (rc == SYNOD_OK) {
        synod__port_turn_begin (port);
        rc = synod__rt_start (port->rt, &fault);
        synod__port_turn_end (port);
    }
    if (rc != SYNOD_OK)
        fail_msg ("%s", fault.text);
    return port;
}

static void turn (synod__port_t *port)
{
    synod__port_wait (port, synod__now_us () + 1000);
    synod__port_turn (port);
}

static void open_bus (bool brokered)
{
    char endpoint[64];
    memset (&tally, 0, sizeof tally);
    memset (&bus, 0, sizeof bus);
    strcpy (bus.folder, "/tmp/synod-turn-XXXXXX");
    assert_non_null (mkdtemp (bus.folder));
    snprintf (endpoint, sizeof endpoint, "ipc://%s/bus", bus.folder);
    if (brokered)
        bus.broker = synod_broker_new (&(synod_broker_options_t){.listen = endpoint}, NULL);
    assert_true (!brokered || bus.broker);
    bus.to = opened ("to", NULL, &taker);
    bus.from = opened ("from", bus.to->inbox_endpoint, &giver);
    for (int64_t until_us = synod__now_us () + TEST_LIMIT_US;
         !tally.ready || !synod__rt_reachable (bus.from->rt, "to/taker");) {
        assert_true (synod__now_us () < until_us);
        turn (bus.to);
        turn (bus.from);
    }
    for (synod__end_t *end = bus.to->ends; end; end = end->next) {
        if (end->kind == (brokered ? SYNOD__SOCKET_LINK : SYNOD__SOCKET_INBOX))
            bus.frames = end;
        if (end->kind == SYNOD__SOCKET_SUBSCRIBE)
            bus.topics = end;
    }
}

static void close_bus (void)
{
    char command[64];
    synod__port_destroy (&bus.from);
    synod__port_destroy (&bus.to);
    synod_broker_destroy (&bus.broker, 0);
    snprintf (command, sizeof command, "rm -r %s", bus.folder);
    assert_int_equal (system (command), 0);
}

static bool readable (const synod__end_t *end)
{
    synod__poll_touch (end->poll);
    return synod__socket_events (end->socket) & ZMQ_POLLIN;
}

/* Tells and publishes, and waits until both are to be had at the other's sockets. */
static void mail (int64_t after_us)
{
    sent_t sent;
    do
        sent.at_us = synod__now_us ();
    while (sent.at_us <= after_us);
    synod__port_turn_begin (bus.from);
    synod_ctx_t *ctx = synod__rt_enter (bus.from->rt, &giver);
    int rc = synod_tell (ctx, "to/taker", &sent_record, &sent);
    if (rc == SYNOD_OK)
        rc = synod_publish (ctx, "sent", &sent_record, &sent);
    assert_int_equal (rc, SYNOD_OK);
    synod__rt_leave (bus.from->rt, ctx, rc);
    synod__port_turn_end (bus.from);
    tally.sent += 2;
    for (int64_t until_us = synod__now_us () + TEST_LIMIT_US; !(readable (bus.frames) && readable (bus.topics));) {
        assert_true (synod__now_us () < until_us);
        turn (bus.from); /* what it publishes first waits for a subscriber */
    }
}

/* ---- the time of a turn ---- */

/* As if the last wait had found something there. */
static void found (synod__end_t *end)
{
    synod__port_found (bus.to, end);
    end->in = true;
}

static void mail_while_the_clock_is_read (bool brokered)
{
    open_bus (brokered);
    for (int i = 0; i < ROUNDS; i++) {
        found (bus.frames);
        found (bus.topics);
        s_while_reading = mail;
        synod__port_turn_begin (bus.to);
        s_while_reading = NULL;
        synod__port_turn_end (bus.to);
        for (int64_t until_us = synod__now_us () + TEST_LIMIT_US; tally.came < tally.sent;) {
            assert_true (synod__now_us () < until_us);
            turn (bus.to);
        }
    }
    assert_in_range (tally.came, 2 * ROUNDS, tally.sent);
    assert_int_equal (tally.early, 0);
    close_bus ();
}

static void among_peers (void **state)
{
    (void) state;
    mail_while_the_clock_is_read (false);
}

static void through_a_broker (void **state)
{
    (void) state;
    mail_while_the_clock_is_read (true);
}

/* ---- a turn that goes on ---- */

static struct {
    int calls, came;   /* of what asks whether it goes on; mail, when that was last asked */
    zsock_t *other[2]; /* the first is at the port's poller, and not the port's */
    int client;        /* a connection to the gateway */
    synod__end_t *connection;
    char early; /* what that had in the middle of the turn */
} middle;

static void turn_of_to (bool (*more) (void))
{
    middle.calls = 0;
    synod__port_turn_begin (bus.to);
    s_more = more;
    synod__port_turn_end (bus.to);
    s_more = NULL;
}

/* However busy the machine is: where giving way takes long, a port does without for a while. */
static void give_way (void)
{
    memset (&bus.to->yield, 0, sizeof bus.to->yield);
}

static bool more_mail (void)
{
    give_way ();
    middle.came = tally.came;
    if (middle.calls++)
        return false;
    mail (0);
    return true;
}

/* What comes in the middle is taken in the same turn, and not at a time before it was sent. */
static void mail_in_the_middle (void **state)
{
    (void) state;
    open_bus (true);
    for (int i = 0; i < ROUNDS; i++) {
        int came = tally.came;
        turn_of_to (more_mail);
        assert_int_equal (middle.calls, 2);
        assert_int_equal (middle.came, came + 2);
    }
    assert_int_equal (tally.early, 0);
    close_bus ();
}

static bool more_words (void)
{
    give_way ();
    if (middle.calls++)
        return false;
    assert_int_equal (zstr_send (middle.other[1], "a word"), 0);
    return true;
}

/* Who waits with the port's poller for something of his own hears of it in his next wait. */
static void another_in_the_middle (void **state)
{
    (void) state;
    open_bus (true);
    middle.other[0] = zsock_new_pair ("@inproc://synod-turn-other");
    middle.other[1] = zsock_new_pair (">inproc://synod-turn-other");
    synod__poll_t *poll = synod__poller_add (synod__port_poller (bus.to), middle.other[0], ZMQ_POLLIN, NULL);
    turn_of_to (more_words);
    assert_true (synod__port_wait (bus.to, 0));
    synod__port_turn (bus.to);
    synod__poller_remove (synod__port_poller (bus.to), &poll);
    zsock_destroy (&middle.other[0]);
    zsock_destroy (&middle.other[1]);
    close_bus ();
}

static bool more_writable (void)
{
    give_way ();
    found (middle.connection);
    middle.connection->out = true;
    middle.early = 0;
    recv (middle.client, &middle.early, 1, MSG_DONTWAIT);
    return middle.calls++ < 2;
}

/* The answer to what came by a connection may tell of what is not durable yet: it waits for the end of the turn. */
static void a_connection_in_the_middle (void **state)
{
    (void) state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (bind (fd, (struct sockaddr *) &address, size), 0);
    assert_int_equal (getsockname (fd, (struct sockaddr *) &address, &size), 0);
    close (fd);
    snprintf (s_listens, sizeof s_listens, "127.0.0.1:%u", ntohs (address.sin_port));
    open_bus (true);
    middle.client = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (connect (middle.client, (struct sockaddr *) &address, size), 0);
    for (middle.connection = NULL; !middle.connection;) {
        turn (bus.to);
        for (synod__end_t *end = bus.to->ends; end; end = end->next)
            if (end->kind == SYNOD__SOCKET_CONNECTION)
                middle.connection = end;
    }
    assert_int_equal (send (middle.client, "a", 1, 0), 1);
    while (!middle.connection->found) /* it is read in the turn that follows */
        synod__port_wait (bus.to, INT64_MAX);
    turn_of_to (more_writable);
    assert_int_equal (middle.calls, 3);
    assert_int_equal (middle.early, 0);
    struct pollfd answer = {.fd = middle.client, .events = POLLIN};
    assert_int_equal (poll (&answer, 1, 10000), 1);
    assert_int_equal (recv (middle.client, &middle.early, 1, 0), 1);
    assert_int_equal (middle.early, 'x');
    close (middle.client);
    close_bus ();
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (among_peers), cmocka_unit_test (through_a_broker),
                                       cmocka_unit_test (mail_in_the_middle), cmocka_unit_test (another_in_the_middle),
                                       cmocka_unit_test (a_connection_in_the_middle)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
