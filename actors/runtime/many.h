/* SPDX-License-Identifier: MPL-2.0
 *
 * Asks of many keys in one message (protocol/many.h). At the node that it comes to each is an ask of its own: its handler,
 * its command, its place among what waits for a majority. Only the answers are gathered (many.c). Who sends such messages
 * (actors/kv/client.h) sees to it that no ask is lost, and numbers its commands itself; this is what it needs of its node.
 * All of these as the functions of a context (synod/actor.h).
 */
#ifndef SYNOD_RUNTIME_MANY_H_INCLUDED
#define SYNOD_RUNTIME_MANY_H_INCLUDED

#include <synod/actor.h>
#include "protocol/many.h"

/* Commands from NUMBER on may be sent again, for as long as it is added. Zeroed, in its owner. */
typedef struct synod__floor_t {
    uint64_t number;
    struct synod__floor_t *next, *prev;
} synod__floor_t;

void synod__ctx_floor_add (synod_ctx_t *ctx, synod__floor_t *self);
void synod__ctx_floor_remove (synod_ctx_t *ctx, synod__floor_t *self);
uint64_t synod__ctx_floor (const synod_ctx_t *ctx); /* the lowest number of this node's that may come again */

uint64_t synod__ctx_client (const synod_ctx_t *ctx); /* what this node is to those it sends commands to */
uint64_t synod__ctx_number (synod_ctx_t *ctx);       /* for a command: greater than all before */

/* The name of the node that a key of ACTOR, placed or following, seems to be on; NULL: it is not known, or cannot be
 * reached now. Lives as long as the handler; the same node has the same pointer. */
const char *synod__ctx_keyed (synod_ctx_t *ctx, const char *actor, synod_str_t key);

/* Asks, and answers, with a body that protocol/many.h has filled, which is not looked at again. */
int synod__ctx_ask_many (synod_ctx_t *ctx, const char *to, synod_str_t body, uint32_t timeout_ms,
                         synod_on_reply_t *on_reply, uint64_t arg);
int synod__ctx_reply_many (synod_ctx_t *ctx, synod_call_t call, synod_str_t body);

/* As synod_ask_body of a key's actor, but a command (SYNOD_ONCE) has NUMBER. FLAGS: its record's, and SYNOD__AGAIN when it
 * was sent before (a command: under that number), which may have done it. A floor of the caller's is not above NUMBER until
 * the ask is over. */
#define SYNOD__AGAIN (1u << 31)
int synod__ctx_ask_as (synod_ctx_t *ctx, const char *to, synod_str_t method, synod_str_t body, uint32_t flags,
                       uint64_t number, uint32_t timeout_ms, synod_on_reply_t *on_reply, uint64_t arg);

#endif
