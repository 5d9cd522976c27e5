/* SPDX-License-Identifier: MPL-2.0
 *
 * A resource that looks at fences: a number, which is read and written with the token of the lock that guards it. A
 * token older than the last one that was seen is refused, whoever comes with it: so one who was paused, and does not
 * know that another holds the lock by now, does no harm.
 *
 *     synod run ./libledger.so --data d
 */
#include <synod/synod.h>
#include "ledger.h"

typedef struct {
    uint64_t value, token;
} cell_t;

static int use (synod_ctx_t *ctx, uint64_t token, const uint64_t *value, synod_call_t call)
{
    cell_t cell = {0, 0};
    synod_str_t bytes;
    if (synod_get (ctx, synod_str ("cell"), &bytes) == SYNOD_OK && bytes.size == sizeof cell)
        memcpy (&cell, bytes.data, sizeof cell);
    if (token < cell.token)
        return synod_error (ctx, SYNOD_REFUSED, "token %llu is older than %llu: the lock has another holder",
                            (unsigned long long) token, (unsigned long long) cell.token);
    cell.token = token;
    cell.value = value ? *value : cell.value;
    int rc = synod_put (ctx, synod_str ("cell"), synod_str_n (&cell, sizeof cell)); /* both, or neither */
    synod_reply (ctx, call, &entry_record, &(entry_t){.value = cell.value, .token = cell.token});
    return rc;
}

static int on_read (synod_ctx_t *ctx, void *state, const read_t *in, synod_call_t call)
{
    (void) state;
    return use (ctx, in->token, NULL, call);
}

static int on_write (synod_ctx_t *ctx, void *state, const write_t *in, synod_call_t call)
{
    (void) state;
    return use (ctx, in->token, &in->value, call);
}

static const synod_actor_t ledger = {
    .name = "ledger",
    .doc = "a number that a lock guards",
    .routes = (synod_route_t[]){SYNOD_ON (read, on_read), SYNOD_ON (write, on_write), SYNOD_END},
};

SYNOD_MODULE (&ledger)
