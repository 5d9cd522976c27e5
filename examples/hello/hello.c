/* SPDX-License-Identifier: MPL-2.0
 *
 * A whole actor: a counter, and the program that runs it.
 */
#include <synod/synod.h>

#define ADD_FIELDS(FIELD, OPT) FIELD (u64, amount, 1000000, "how much to add")
SYNOD_RECORD (add, ADD_FIELDS, 0, "add to the counter")

#define GET_FIELDS(FIELD, OPT)
SYNOD_RECORD (get, GET_FIELDS, SYNOD_IDEMPOTENT, "what the counter is at")

#define COUNT_FIELDS(FIELD, OPT) FIELD (u64, value, UINT64_MAX, "what the counter is at")
SYNOD_RECORD (count, COUNT_FIELDS, 0, "the answer to both")

typedef struct {
    uint64_t value;
} counter_t;

static int on_get (synod_ctx_t *ctx, void *state, const get_t *in, synod_call_t call)
{
    (void) in;
    synod_reply (ctx, call, &count_record, &(count_t){.value = ((counter_t *) state)->value});
    return SYNOD_OK;
}

static int on_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    counter_t *self = state;
    if (in->amount > UINT64_MAX - self->value)
        return synod_error (ctx, SYNOD_REFUSED, "the counter is full");
    self->value += in->amount;
    return on_get (ctx, state, NULL, call);
}

static const synod_actor_t counter = {
    .name = "counter",
    .state_size = sizeof (counter_t),
    .routes = (synod_route_t[]){SYNOD_ON (add, on_add), SYNOD_ON (get, on_get), SYNOD_END},
};

int main (int argc, char **argv)
{
    return synod_main (argc, argv, &counter);
}
