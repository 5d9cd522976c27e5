/* SPDX-License-Identifier: MPL-2.0
 *
 * The placed actor of the scenario `placed`: a counter and a register for each key. It checks on itself: no command runs
 * twice, and its memory is what its store says. In the store of a partition:
 *
 *     s KEY     the key's counter        v KEY   its register        n KEY   the largest number noted
 *     a ASKER   the last add of an asker that ran here
 *     l ASKER   an add that is still to be answered: its number, and the sum with it
 *     f ASKER   what only fills
 */
#include <stdlib.h>
#include "placed.h"

SYNOD_RECORD_DEFINE (placed_add, PLACED_ADD_FIELDS, SYNOD_ONCE, "adds to the key's counter")
SYNOD_RECORD_DEFINE (placed_set, PLACED_SET_FIELDS, SYNOD_ONCE, "sets the key's register")
SYNOD_RECORD_DEFINE (placed_note, PLACED_NOTE_FIELDS, 0, "notes a number")
SYNOD_RECORD_DEFINE (placed_get, PLACED_GET_FIELDS, SYNOD_IDEMPOTENT, "what the key has")
SYNOD_RECORD_DEFINE (placed_is, PLACED_IS_FIELDS, 0, "the answer to all")

typedef struct {
    uint64_t total; /* of all counters of the partition */
    bool owned;
} tally_t;

static synod_str_t key_of (char what, synod_str_t key, char room[SYNOD_STORE_KEY_MAX])
{
    room[0] = what;
    memcpy (room + 1, key.data, key.size);
    return synod_str_n (room, key.size + 1);
}

static synod_str_t asker_key (char what, uint64_t asker, char room[9])
{
    room[0] = what;
    memcpy (room + 1, &asker, 8);
    return synod_str_n (room, 9);
}

static uint64_t get_number (synod_ctx_t *ctx, synod_str_t key, uint64_t none)
{
    synod_str_t value;
    if (synod_get (ctx, key, &value) == SYNOD_OK)
        memcpy (&none, value.data, sizeof none);
    return none;
}

static int put_number (synod_ctx_t *ctx, synod_str_t key, uint64_t number)
{
    return synod_put (ctx, key, synod_str_n (&number, sizeof number));
}

static bool count_one (void *arg, synod_str_t key, synod_str_t value)
{
    uint64_t sum;
    (void) key;
    memcpy (&sum, value.data, sizeof sum);
    *(uint64_t *) arg += sum;
    return true;
}

static uint64_t total (synod_ctx_t *ctx)
{
    uint64_t sum = 0;
    synod_scan (ctx, synod_str ("s"), synod_str ("t"), count_one, &sum);
    return sum;
}

static int on_own (synod_ctx_t *ctx, void *state)
{
    tally_t *self = (tally_t *) state;
    self->owned = true;
    self->total = total (ctx);
    return SYNOD_OK;
}

/* It goes nowhere. */
static void on_disown (synod_ctx_t *ctx, void *state)
{
    (void) state;
    synod_put (ctx, synod_str ("ghost"), synod_str ("x"));
}

/* What is wrong here; empty: nothing. */
static const char *wrong (synod_ctx_t *ctx, const tally_t *self)
{
    synod_str_t value;
    if (!self->owned)
        return "it runs where it does not own";
    if (synod_get (ctx, synod_str ("ghost"), &value) == SYNOD_OK)
        return "a write of on_disown is there";
    return total (ctx) == self->total ? "" : "its memory is not what its store says";
}

static void fill (synod_ctx_t *ctx, const tally_t *self, placed_is_t *out)
{
    char room[SYNOD_STORE_KEY_MAX];
    synod_str_t key = synod_key (ctx);
    out->sum = get_number (ctx, key_of ('s', key, room), 0);
    out->value = (int64_t) get_number (ctx, key_of ('v', key, room), (uint64_t) SYNOD_NIL);
    out->noted = get_number (ctx, key_of ('n', key, room), 0);
    out->wrong = synod_str (wrong (ctx, self));
}

static int answer (synod_ctx_t *ctx, const tally_t *self, bool set, synod_call_t call)
{
    placed_is_t out = {.set = set};
    fill (ctx, self, &out);
    return synod_reply (ctx, call, &placed_is_record, &out);
}

static int on_get (synod_ctx_t *ctx, void *state, const placed_get_t *in, synod_call_t call)
{
    (void) in;
    return answer (ctx, (const tally_t *) state, false, call);
}

/* ---- adding ---- */

static int tell_sum (synod_ctx_t *ctx, synod_call_t call, uint64_t sum, const char *why)
{
    placed_is_t out = {.sum = sum, .value = SYNOD_NIL, .wrong = synod_str (why)};
    return synod_reply (ctx, call, &placed_is_record, &out);
}

/* By this an add is known that is answered later: an asker that gave one up begins the next, and the one before may come
 * after it. */
static uint64_t later_of (const placed_add_t *in)
{
    return in->number << 8 | in->asker;
}

/* Its sum; false: no such add waits. */
static bool kept (synod_ctx_t *ctx, uint64_t later, uint64_t *sum)
{
    char room[9];
    synod_str_t value;
    if (synod_get (ctx, asker_key ('l', later, room), &value) != SYNOD_OK)
        return false;
    memcpy (sum, value.data, sizeof *sum);
    return true;
}

/* ARG: later_of. The call is one of this life, or there is none such. */
static int on_later (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) state;
    char room[9];
    uint64_t sum, id = get_number (ctx, asker_key ('i', arg, room), 0);
    if (!kept (ctx, arg, &sum) || !id)
        return SYNOD_OK;
    int rc = synod_delete (ctx, asker_key ('l', arg, room));
    if (rc == SYNOD_OK)
        rc = synod_delete (ctx, asker_key ('i', arg, room));
    if (rc == SYNOD_OK)
        rc = tell_sum (ctx, (synod_call_t){id}, sum, "");
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

/* An add that an earlier owner began: it has its effect already. */
static int go_on (synod_ctx_t *ctx, const placed_add_t *in, synod_call_t call)
{
    char room[9];
    uint64_t sum;
    if (!kept (ctx, later_of (in), &sum))
        return tell_sum (ctx, call, 0, "a repeat comes of what had not begun");
    int rc = synod_delete (ctx, asker_key ('l', later_of (in), room));
    return rc == SYNOD_OK ? tell_sum (ctx, call, sum, "") : rc;
}

static int keep (synod_ctx_t *ctx, const placed_add_t *in, uint64_t sum, synod_call_t call)
{
    char room[9];
    int rc = put_number (ctx, asker_key ('l', later_of (in), room), sum);
    if (rc == SYNOD_OK)
        rc = put_number (ctx, asker_key ('i', later_of (in), room), call.id);
    return rc == SYNOD_OK ? synod_after (ctx, (uint32_t) in->later_ms, on_later, later_of (in), NULL) : rc;
}

static int on_add (synod_ctx_t *ctx, void *state, const placed_add_t *in, synod_call_t call)
{
    static const char bytes[65536];
    tally_t *self = (tally_t *) state;
    char room[SYNOD_STORE_KEY_MAX], last[9];
    if (synod_repeated (ctx))
        return go_on (ctx, in, call);
    if (get_number (ctx, asker_key ('a', in->asker, last), 0) == in->number)
        return tell_sum (ctx, call, 0, "an add runs for the second time");
    uint64_t sum = get_number (ctx, key_of ('s', synod_key (ctx), room), 0) + in->amount;
    int rc = put_number (ctx, key_of ('s', synod_key (ctx), room), sum);
    if (rc == SYNOD_OK)
        rc = put_number (ctx, asker_key ('a', in->asker, last), in->number);
    if (rc == SYNOD_OK && in->fill)
        rc = synod_put (ctx, asker_key ('f', in->asker, last), synod_str_n (bytes, in->fill));
    if (rc == SYNOD_OK && in->refuse)
        return synod_error (ctx, SYNOD_REFUSED, "as asked");
    if (rc == SYNOD_OK && in->fail)
        return synod_error (ctx, SYNOD_FAILED, "as asked");
    if (rc != SYNOD_OK)
        return rc;
    self->total += in->amount;
    return in->later_ms ? keep (ctx, in, sum, call) : answer (ctx, self, true, call);
}

/* ---- setting, noting ---- */

static int on_set (synod_ctx_t *ctx, void *state, const placed_set_t *in, synod_call_t call)
{
    char room[SYNOD_STORE_KEY_MAX];
    synod_str_t key = key_of ('v', synod_key (ctx), room);
    int64_t value = (int64_t) get_number (ctx, key, (uint64_t) SYNOD_NIL);
    bool sets = !in->compare || value == in->old;
    int rc = sets ? put_number (ctx, key, (uint64_t) in->value) : SYNOD_OK;
    return rc == SYNOD_OK ? answer (ctx, (const tally_t *) state, sets, call) : rc;
}

static int on_note (synod_ctx_t *ctx, void *state, const placed_note_t *in, synod_call_t call)
{
    char room[SYNOD_STORE_KEY_MAX];
    synod_str_t key = key_of ('n', synod_key (ctx), room);
    int rc = get_number (ctx, key, 0) < in->number ? put_number (ctx, key, in->number) : SYNOD_OK;
    return rc == SYNOD_OK && call.id ? answer (ctx, (const tally_t *) state, true, call) : rc;
}

const synod_actor_t placed_actor = {
    .name = PLACED_ACTOR,
    .doc = "a counter and a register for each key",
    .state_size = sizeof (tally_t),
    .routes = (const synod_route_t[]){SYNOD_ON (placed_add, on_add), SYNOD_ON (placed_set, on_set),
                                      SYNOD_ON (placed_note, on_note), SYNOD_ON (placed_get, on_get), SYNOD_END},
    .placement = SYNOD_SHARDED,
    .on_own = on_own,
    .on_disown = on_disown,
};
