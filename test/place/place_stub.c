/* SPDX-License-Identifier: MPL-2.0
 *
 * place.h without a runtime that places anything, so that what decides epochs is tried alone: an epoch that is entered is
 * in the actor's own store, any later one follows any earlier one, and what moves is ready some time later. The actor is
 * compiled for it with the functions of place.h under the names here (CMakeLists.txt).
 */
#include <stdlib.h>
#include "actors/place/place.h"
#include "actors/runtime/runtime.h"
#include "place_stub.h"

#define KEY      "stub"
#define CONTEXTS 64
#define READY_MS 400 /* then all that moves has moved, */
#define BACK_MS  700 /* and one that was down has all it lacked */

/* One life of an actor. */
typedef struct {
    synod__store_id_t store;
    int64_t entered_us; /* as far as it is known in this life */
    synod_buf_t bytes;
    synod__epoch_t epoch;
} context_t;

static context_t s_contexts[CONTEXTS];
static uint32_t s_ncontexts;

void stub_clear (void)
{
    for (uint32_t i = 0; i < s_ncontexts; i++) {
        synod_buf_free (&s_contexts[i].bytes);
        synod__epoch_free (&s_contexts[i].epoch);
    }
    memset (s_contexts, 0, sizeof s_contexts);
    s_ncontexts = 0;
}

static context_t *s_context (const synod_ctx_t *ctx)
{
    uint32_t i = 0;
    while (i < s_ncontexts && memcmp (s_contexts[i].store.bytes, synod__ctx_store_id (ctx), SYNOD__STORE_ID_SIZE) != 0)
        i++;
    if (i == CONTEXTS)
        abort ();
    if (i == s_ncontexts) {
        s_ncontexts++;
        memcpy (s_contexts[i].store.bytes, synod__ctx_store_id (ctx), SYNOD__STORE_ID_SIZE);
    }
    return &s_contexts[i];
}

const synod__epoch_t *stub_epoch (const synod_ctx_t *ctx)
{
    context_t *self = s_context (ctx);
    synod_str_t bytes;
    if (synod_get ((synod_ctx_t *) ctx, synod_str (KEY), &bytes) != SYNOD_OK)
        return NULL;
    if (self->bytes.size == bytes.size && memcmp (self->bytes.data, bytes.data, bytes.size) == 0)
        return &self->epoch;
    synod_buf_free (&self->bytes);
    synod__epoch_free (&self->epoch);
    self->bytes = (synod_buf_t){(char *) malloc (bytes.size), bytes.size, bytes.size};
    if (!self->bytes.data || synod__epoch_unpack (&self->epoch, bytes, NULL) != SYNOD_OK)
        abort ();
    memcpy (self->bytes.data, bytes.data, bytes.size);
    self->entered_us = synod_now_us (ctx);
    return &self->epoch;
}

int stub_enter_epoch (synod_ctx_t *ctx, synod_str_t bytes, synod_fault_t *fault)
{
    const synod__epoch_t *now = stub_epoch (ctx);
    synod__epoch_t next;
    int rc = synod__epoch_unpack (&next, bytes, fault);
    if (rc == SYNOD_OK && now && now->ring != next.ring)
        rc = synod_fault (fault, SYNOD_REFUSED, "another ring");
    if (rc == SYNOD_OK && (!now || next.number > now->number))
        rc = synod_put (ctx, synod_str (KEY), bytes);
    synod__epoch_free (&next);
    return rc;
}

const char *stub_placed (const synod_ctx_t *ctx, uint32_t *at, uint32_t *replicas)
{
    (void) ctx;
    *replicas = 0;
    return (*at)++ == 0 ? "thing" : NULL;
}

void stub_progress (const synod_ctx_t *ctx, synod__place_progress_t *out)
{
    const synod__epoch_t *epoch = stub_epoch (ctx);
    int64_t since_us = synod_now_us (ctx) - s_context (ctx)->entered_us;
    *out = (synod__place_progress_t){.epoch = epoch ? epoch->number : 0, .owned = 1, .serving = 1};
    out->unprepared = out->unsettled = since_us < READY_MS * 1000;
}

uint32_t stub_behind (const synod_ctx_t *ctx, const synod__store_id_t *member)
{
    (void) member;
    return synod_now_us (ctx) - s_context (ctx)->entered_us < BACK_MS * 1000;
}

bool stub_stopping (const synod_ctx_t *ctx)
{
    (void) ctx;
    return false;
}
