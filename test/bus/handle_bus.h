/* SPDX-License-Identifier: MPL-2.0
 *
 * What the tests of the handle share: a broker, a node with an actor and a handle in one process, over ipc sockets in a
 * directory of their own.
 */
#ifndef SYNOD_TEST_BUS_HANDLE_BUS_H_INCLUDED
#define SYNOD_TEST_BUS_HANDLE_BUS_H_INCLUDED

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

static inline int on_twice (synod_ctx_t *ctx, void *state, const twice_t *in, synod_call_t call)
{
    const number_t out = {.n = 2 * in->n, .text = in->text};
    (void) state;
    return synod_reply (ctx, call, &number_record, &out);
}

static inline int on_silence (synod_ctx_t *ctx, void *state, const silence_t *in, synod_call_t call)
{
    (void) ctx;
    (void) state;
    (void) in;
    (void) call;
    return SYNOD_OK;
}

static inline int on_refuse (synod_ctx_t *ctx, void *state, const refuse_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    (void) call;
    return synod_error (ctx, SYNOD_REFUSED, "not %s", "today");
}

static inline int on_back (synod_ctx_t *ctx, void *state, const back_t *in, synod_call_t call)
{
    const number_t out = {.n = in->n};
    char to[SYNOD_ADDRESS_MAX + 1];
    (void) state;
    (void) call;
    snprintf (to, sizeof to, "%.*s", SYNOD_STR (synod_from (ctx)));
    return synod_tell (ctx, to, &number_record, &out);
}

static inline int on_announce (synod_ctx_t *ctx, void *state, const announce_t *in, synod_call_t call)
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

static inline void quiet (void *arg, int level, const char *text)
{
    (void) arg;
    (void) level;
    (void) text;
}

static inline synod_handle_t *join (const bus_t *bus, const char *name)
{
    synod_fault_t fault = {0};
    const synod_options_t options = {.bus = bus->endpoint, .name = name, .log = quiet};
    synod_handle_t *handle = synod_handle_new (&options, &fault);
    if (!handle)
        fail_msg ("handle %s: %s", name, fault.text);
    return handle;
}

static inline void start_broker (bus_t *bus)
{
    synod_fault_t fault = {0};
    const synod_broker_options_t options = {
        .listen = bus->endpoint, .publish = bus->publish, .subscribe = bus->subscribe, .log = quiet};
    bus->broker = synod_broker_new (&options, &fault);
    if (!bus->broker)
        fail_msg ("broker: %s", fault.text);
}

static inline int set_up (void **state)
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

static inline int tear_down (void **state)
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

static inline uint64_t number_of (synod_str_t body)
{
    number_t number;
    synod_fault_t fault = {0};
    if (synod_record_unpack (&number_record, body, &number, &fault) != SYNOD_OK)
        fail_msg ("no number: %s", fault.text);
    return number.n;
}
#define ON_A_BUS(test) cmocka_unit_test_setup_teardown (test, set_up, tear_down)

#endif
