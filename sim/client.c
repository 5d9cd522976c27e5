/* SPDX-License-Identifier: MPL-2.0
 *
 * Scripted clients: nodes with one actor that has no handlers, in whose name the world's owner asks. Each ask is in the
 * list of its client until its continuation has run, which it does exactly once, whatever becomes of the client.
 */
#include <stdlib.h>
#include "actors/runtime/internal.h"
#include "internal.h"

struct synod__sim_ask_t {
    synod__sim_ask_t *prev, *next; /* of the same client, as they were made */
    synod__sim_place_t *place;
    synod_sim_on_reply_t *on_reply;
    void *arg;
};

const synod_actor_t synod__sim_client_type = {.name = "client", .doc = "a scripted client"};

static void s_unlink (synod__sim_ask_t *ask)
{
    synod__sim_place_t *place = ask->place;
    *(ask->prev ? &ask->prev->next : &place->asks) = ask->next;
    *(ask->next ? &ask->next->prev : &place->asks_last) = ask->prev;
    place->sim->nasks--;
}

static void s_link (synod__sim_ask_t *ask)
{
    synod__sim_place_t *place = ask->place;
    ask->prev = place->asks_last;
    *(ask->prev ? &ask->prev->next : &place->asks) = ask;
    place->asks_last = ask;
    place->sim->nasks++;
}

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    synod__sim_ask_t *ask = (synod__sim_ask_t *) (uintptr_t) arg; /* never on the wire */
    synod__sim_place_t *place = ask->place;
    synod_sim_t *self = place->sim;
    (void) state;
    if (place->dying)
        return SYNOD_OK; /* it fails with the client */
    s_unlink (ask);
    place->ctx = ctx;
    self->in_runtime = false;
    if (ask->on_reply)
        ask->on_reply (self, place->number, reply, ask->arg);
    self->in_runtime = true;
    place->ctx = NULL;
    free (ask);
    return SYNOD_OK;
}

/* All asks of a client that is down. */
void synod__sim_asks_fail (synod__sim_place_t *place)
{
    synod_reply_t reply = {.code = SYNOD_STOPPED,
                           .error = synod_str (synod_error_name (SYNOD_STOPPED)),
                           .message = synod_str ("the client went down; what became of the ask is not known")};
    synod__sim_ask_t *ask;
    while ((ask = place->asks)) {
        place->asks = ask->next;
        *(ask->next ? &ask->next->prev : &place->asks_last) = NULL;
        place->sim->nasks--;
        if (ask->on_reply)
            ask->on_reply (place->sim, place->number, &reply, ask->arg);
        free (ask);
    }
}

/* Runs FUNCTION in the client's name: in the callback it is in, or in a turn of its own. */
typedef int s_do_t (synod_ctx_t *ctx, void *arg);

static int s_as_client (synod_sim_t *self, int client, s_do_t *function, void *arg)
{
    synod__sim_place_t *place = synod__sim_given (self, client, false);
    if (!place)
        return SYNOD_INVALID;
    if (!place->client)
        return synod__sim_fault (self, SYNOD_INVALID, "%s is no scripted client", place->name);
    if (self->ended)
        return synod__sim_fault (self, SYNOD_INVALID, "the world has ended: nothing can be sent");
    if (!place->alive || place->dying)
        return synod__sim_fault (self, SYNOD_STOPPED, "client %s does not run", place->name);
    if (place->ctx)
        return function (place->ctx, arg);
    synod__sim_place_t *before = synod__sim_enter (place);
    synod_ctx_t *ctx = synod__rt_enter (place->rt, &synod__sim_client_type);
    int rc = ctx ? function (ctx, arg) : SYNOD_STOPPED;
    if (ctx)
        synod__rt_leave (place->rt, ctx, rc);
    if (rc != SYNOD_OK)
        synod__sim_fault (self, rc, "%s", ctx ? ctx->error : "the client has stopped");
    synod__sim_leave (self, before);
    return rc;
}

typedef struct {
    const char *to;
    const synod_record_t *record;
    const void *in;
    uint32_t timeout_ms;
    synod__sim_ask_t *ask;
} s_message_t;

static int s_ask (synod_ctx_t *ctx, void *arg)
{
    const s_message_t *message = (const s_message_t *) arg;
    return synod_ask (ctx, message->to, message->record, message->in, message->timeout_ms, s_on_reply,
                      (uint64_t) (uintptr_t) message->ask);
}

int synod_sim_ask (synod_sim_t *self, int client, const char *to, const synod_record_t *record, const void *in,
                   uint32_t timeout_ms, synod_sim_on_reply_t *on_reply, void *arg)
{
    s_message_t message = {to, record, in, timeout_ms, NULL};
    synod__sim_place_t *place = synod__sim_given (self, client, false);
    if (!place)
        return SYNOD_INVALID;
    message.ask = (synod__sim_ask_t *) synod__alloc (sizeof *message.ask);
    message.ask->place = place;
    message.ask->on_reply = on_reply;
    message.ask->arg = arg;
    s_link (message.ask); /* first: it may be answered before this returns */
    int rc = s_as_client (self, client, s_ask, &message);
    if (rc != SYNOD_OK) {
        s_unlink (message.ask);
        free (message.ask);
    }
    return rc;
}

static int s_tell (synod_ctx_t *ctx, void *arg)
{
    const s_message_t *message = (const s_message_t *) arg;
    return synod_tell (ctx, message->to, message->record, message->in);
}

int synod_sim_tell (synod_sim_t *self, int client, const char *to, const synod_record_t *record, const void *in)
{
    s_message_t message = {.to = to, .record = record, .in = in};
    return s_as_client (self, client, s_tell, &message);
}

uint32_t synod_sim_asks (const synod_sim_t *self)
{
    return self->nasks;
}
