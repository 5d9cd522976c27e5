/* SPDX-License-Identifier: MPL-2.0
 *
 * The built-in actor `echo`: gives back what it is asked with. It keeps nothing, so any node's echo is as good.
 */
#include "builtin.h"

/* clang-format off */
#define ECHO_FIELDS(FIELD, OPT) \
    OPT (any, data, SYNOD_BODY_MAX, "what to give back")
/* clang-format on */
SYNOD_RECORD (echo, ECHO_FIELDS, SYNOD_IDEMPOTENT, "gives back its data")

static int on_echo (synod_ctx_t *ctx, void *state, const echo_t *in, synod_call_t call)
{
    (void) state;
    if (call.id == 0) /* told: nobody waits */
        return SYNOD_OK;
    return synod_reply (ctx, call, &echo_record, in);
}

const synod_actor_t synod__builtin_echo = {
    .name = "echo",
    .doc = "gives back what it is asked with",
    .routes = (const synod_route_t[]){SYNOD_ON (echo, on_echo), SYNOD_END},
};
