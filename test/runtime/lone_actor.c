/* SPDX-License-Identifier: MPL-2.0 */
#include "lone_actor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "actors/runtime/runtime.h"

#define VALUE_FIELDS(FIELD, OPT) OPT (i64, value, INT64_MAX, "a number")
SYNOD_RECORD (hop, VALUE_FIELDS, 0, "writes, and goes on within the node until VALUE is 0")
SYNOD_RECORD (get, VALUE_FIELDS, 0, "what was written last")
SYNOD_RECORD (put, VALUE_FIELDS, 0, "writes, and answers")
SYNOD_RECORD (note, VALUE_FIELDS, 0, "writes, and says nothing")
SYNOD_RECORD (lazy, VALUE_FIELDS, 0, "writes in no hurry, and tells; below 0 answers too; above 100 in secret")
SYNOD_RECORD (fail, VALUE_FIELDS, 0, "comes to an error")
SYNOD_RECORD (pass, VALUE_FIELDS, 0, "goes on to the other actor; below 0 when it has written")
SYNOD_RECORD (told, VALUE_FIELDS, 0, "what is told")
SYNOD_RECORD (say, VALUE_FIELDS, 0, "publishes")
SYNOD_RECORD (large, VALUE_FIELDS, 0, "answers a lot")
#define BYTES_FIELDS(FIELD, OPT) FIELD (bin, bytes, 100000, "a lot")
SYNOD_RECORD (bytes, BYTES_FIELDS, 0, "the answer")

static int s_put (synod_ctx_t *ctx, int64_t value)
{
    return synod_put (ctx, synod_str ("value"), synod_str_n (&value, sizeof value));
}

int lone_tell (synod_ctx_t *ctx, int64_t value)
{
    return synod_tell (ctx, "peer/main", &told_record, &(told_t){.value = value});
}

static int on_hop (synod_ctx_t *ctx, void *state, const hop_t *in, synod_call_t call)
{
    (void) state, (void) call;
    assert_int_equal (s_put (ctx, in->value), SYNOD_OK);
    return in->value ? synod_tell (ctx, "n/tally", &hop_record, &(hop_t){.value = in->value - 1}) : lone_tell (ctx, 0);
}

static int on_get (synod_ctx_t *ctx, void *state, const get_t *in, synod_call_t call)
{
    synod_str_t value;
    told_t out = {.value = -1};
    (void) state, (void) in;
    if (synod_get (ctx, synod_str ("value"), &value) == SYNOD_OK)
        memcpy (&out.value, value.data, sizeof out.value);
    return synod_reply (ctx, call, &told_record, &out);
}

static int on_put (synod_ctx_t *ctx, void *state, const put_t *in, synod_call_t call)
{
    (void) state;
    int rc = s_put (ctx, in->value);
    return rc == SYNOD_OK ? synod_reply (ctx, call, &told_record, &(told_t){.value = in->value}) : rc;
}

static int on_note (synod_ctx_t *ctx, void *state, const note_t *in, synod_call_t call)
{
    (void) state, (void) call;
    return s_put (ctx, in->value);
}

static int on_lazy (synod_ctx_t *ctx, void *state, const lazy_t *in, synod_call_t call)
{
    (void) state;
    synod__ctx_lazily (ctx, in->value <= 100);
    int rc = s_put (ctx, in->value);
    if (rc == SYNOD_OK && in->value < 0)
        rc = synod_reply (ctx, call, &told_record, &(told_t){.value = in->value});
    return rc == SYNOD_OK ? lone_tell (ctx, in->value) : rc;
}

static int on_fail (synod_ctx_t *ctx, void *state, const fail_t *in, synod_call_t call)
{
    (void) state, (void) in, (void) call;
    return synod_error (ctx, SYNOD_REFUSED, "as it is asked to");
}

static int on_pass (synod_ctx_t *ctx, void *state, const pass_t *in, synod_call_t call)
{
    (void) state, (void) call;
    int rc = in->value < 0 ? s_put (ctx, in->value) : SYNOD_OK;
    return rc == SYNOD_OK ? synod_tell (ctx, "n/other", &told_record, &(told_t){.value = in->value}) : rc;
}

/* It says so to the peer. */
static int on_told (synod_ctx_t *ctx, void *state, const told_t *in, synod_call_t call)
{
    (void) state, (void) call;
    return lone_tell (ctx, in->value);
}

static int on_large (synod_ctx_t *ctx, void *state, const large_t *in, synod_call_t call)
{
    static char bytes[100000];
    (void) state, (void) in;
    return synod_reply (ctx, call, &bytes_record, &(bytes_t){.bytes = synod_str_n (bytes, sizeof bytes)});
}

static int on_say (synod_ctx_t *ctx, void *state, const say_t *in, synod_call_t call)
{
    (void) state, (void) call;
    return synod_publish (ctx, "news", &told_record, &(told_t){.value = in->value});
}

#define S_ROUTES                                                                                              \
    SYNOD_ON (hop, on_hop), SYNOD_ON (get, on_get), SYNOD_ON (put, on_put), SYNOD_ON (lazy, on_lazy),         \
        SYNOD_ON (fail, on_fail), SYNOD_ON (pass, on_pass), SYNOD_ON (told, on_told), SYNOD_ON (say, on_say), \
        SYNOD_ON (large, on_large), SYNOD_ON (note, on_note), SYNOD_END

const synod_actor_t lone_tally = {.name = "tally", .routes = (const synod_route_t[]){S_ROUTES}};
const synod_actor_t lone_other = {.name = "other", .routes = (const synod_route_t[]){S_ROUTES}};
