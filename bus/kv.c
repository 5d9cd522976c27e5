/* SPDX-License-Identifier: MPL-2.0
 *
 * Keys and values for threads: the client (actors/kv/client.h) over a handle. Answers come in the handle's turns, whoever
 * runs them. Invariant: one that was destroyed with operations under way stays until the last of those is over, or the
 * handle is destroyed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>
#include <synod/kv.h>
#include "actors/kv/client.h"
#include "handle_internal.h"

#define S_MANY  1024 /* begun: they leave without being told to, */
#define S_SOME  64   /* and this many when they are */
#define S_SHARE 3    /* such a part of all that were begun: so that both ends of the path have something to do */

struct synod_kv_t {
    synod_handle_t *handle;
    synod_kv_t *next, *prev; /* of the handle */
    synod__kvc_t client;
    uint32_t timeout_ms;
    synod_fault_t fault;
    synod__kv_is_t is;
    synod__kvc_op_t *answered; /* that synod_kv_do has given out */
};

/* ---- life ---- */

static void s_free (synod_kv_t *self, synod_ctx_t *ctx)
{
    DL_DELETE (self->handle->kvs, self); /* NOLINT(clang-analyzer-unix.Malloc): what was freed is unlinked */
    synod__kvc_free (&self->client, ctx);
    free (self);
}

static void s_on_idle (void *arg)
{
    s_free ((synod_kv_t *) arg, NULL);
}

void synod__handle_kvs_free (synod_handle_t *handle)
{
    while (handle->kvs)
        s_free (handle->kvs, NULL); /* NOLINT(clang-analyzer-unix.Malloc): what was freed is unlinked */
}

bool synod__handle_kvs_left (const synod_handle_t *handle)
{
    for (const synod_kv_t *self = handle->kvs; self; self = self->next)
        if (!self->client.on_idle && (self->client.over || self->client.nfresh)) /* not destroyed meanwhile */
            return true;
    return false;
}

synod_kv_t *synod_kv_new (synod_handle_t *handle, const synod_kv_options_t *options, synod_fault_t *fault)
{
    const char *actor = options && options->actor ? options->actor : "kv";
    bool table = strcmp (actor, "kv") == 0;
    if (!handle || (!table && strcmp (actor, "cache") != 0)) {
        synod_fault (fault, SYNOD_INVALID, "expected a handle and the actor kv or cache, got %s%.63s",
                     handle ? "" : "no handle and ", actor);
        return NULL;
    }
    synod_kv_t *self = (synod_kv_t *) calloc (1, sizeof *self);
    if (!self) {
        synod_fault (fault, SYNOD_NO_MEMORY, "no memory for a client of %s", actor);
        return NULL;
    }
    self->handle = handle;
    self->timeout_ms = options && options->timeout_ms ? options->timeout_ms : SYNOD_ASK_MS;
    synod__kvc_init (&self->client, actor, table);
    DL_APPEND (handle->kvs, self);
    return self;
}

void synod_kv_destroy (synod_kv_t **self_p)
{
    synod_kv_t *self = self_p ? *self_p : NULL;
    if (!self)
        return;
    *self_p = NULL;
    if (self->client.nunder_way) {
        self->client.on_idle = s_on_idle;
        self->client.on_idle_arg = self;
    } else
        s_free (self, NULL); /* nothing under way: no floor */
}

const char *synod_kv_error (const synod_kv_t *self)
{
    return self ? self->fault.text : synod_error_meaning (SYNOD_INVALID);
}

/* ---- operations ---- */

static int s_fill (const synod_kv_op_t *op, synod__kv_in_t *in, synod_fault_t *fault)
{
    if (op->data.size > SYNOD_KV_VALUE_MAX)
        return synod_fault (fault, SYNOD_TOO_LARGE, "expected a value of up to %d bytes, got %u", SYNOD_KV_VALUE_MAX,
                            op->data.size);
    switch (op->kind) {
    case SYNOD_KV_GET:
    case SYNOD_KV_GET_STALE:
        in->get = (synod__kv_get_t){.bare = op->bare};
        return SYNOD_OK;
    case SYNOD_KV_PUT:
        in->put = (synod__kv_put_t){.data = op->data,
                                    .absent = op->absent,
                                    .present = op->present,
                                    .version = op->version,
                                    .fence = op->fence,
                                    .ttl_ms = op->ttl_ms,
                                    .until_ms = op->until_ms,
                                    .keep = op->keep,
                                    .old = op->old};
        return SYNOD_OK;
    case SYNOD_KV_DELETE:
        in->delete = (synod__kv_delete_t){.version = op->version, .fence = op->fence, .old = op->old};
        return SYNOD_OK;
    case SYNOD_KV_INCR:
        in->incr =
            (synod__kv_incr_t){.delta = op->delta, .fence = op->fence, .ttl_ms = op->ttl_ms, .until_ms = op->until_ms};
        return SYNOD_OK;
    case SYNOD_KV_APPEND:
        in->append = (synod__kv_append_t){.data = op->data, .version = op->version, .fence = op->fence};
        return SYNOD_OK;
    case SYNOD_KV_EXPIRE:
        in->expire = (synod__kv_expire_t){
            .ttl_ms = op->ttl_ms, .until_ms = op->until_ms, .version = op->version, .fence = op->fence};
        return SYNOD_OK;
    }
    return synod_fault (fault, SYNOD_INVALID, "expected a kind of operation, got %d", (int) op->kind);
}

static const synod__kvc_kind_t s_kinds[] = {
    [SYNOD_KV_GET] = SYNOD__KVC_GET,       [SYNOD_KV_GET_STALE] = SYNOD__KVC_GET_STALE,
    [SYNOD_KV_PUT] = SYNOD__KVC_PUT,       [SYNOD_KV_DELETE] = SYNOD__KVC_DELETE,
    [SYNOD_KV_INCR] = SYNOD__KVC_INCR,     [SYNOD_KV_APPEND] = SYNOD__KVC_APPEND,
    [SYNOD_KV_EXPIRE] = SYNOD__KVC_EXPIRE,
};

static int s_begin (synod_kv_t *self, const synod_kv_op_t *op, uint64_t tag, bool apart, synod__kvc_op_t **out)
{
    synod__kv_in_t in;
    if (!op)
        return synod_fault (&self->fault, SYNOD_INVALID, "expected an operation, got NULL");
    int rc = s_fill (op, &in, &self->fault);
    return rc == SYNOD_OK ? synod__kvc_begin (&self->client, s_kinds[op->kind], op->key, &in, self->timeout_ms, tag,
                                              apart, out, &self->fault)
                          : rc;
}

static void s_give (synod_kv_t *self, const synod__kvc_op_t *op, synod_kv_is_t *is)
{
    synod__kv_is_t *got = &self->is;
    synod_str_t sentence;
    int code = synod__kvc_outcome (op, got, &sentence);
    if (code != SYNOD_OK) {
        *is = (synod_kv_is_t){.code = code, .message = sentence};
        return;
    }
    *is = (synod_kv_is_t){.found = got->found,
                          .done = got->done,
                          .had = got->had,
                          .why = got->why,
                          .data = got->upload ? synod_str_n (NULL, 0) : got->data,
                          .size = got->size,
                          .version = got->version,
                          .until_ms = got->until_ms,
                          .fence = got->fence,
                          .number = got->number,
                          .old = got->old};
}

/* ---- sending, waiting ---- */

int synod_kv_send (synod_kv_t *self)
{
    if (!self)
        return SYNOD_INVALID;
    synod__handle_begin (self->handle);
    synod_ctx_t *ctx = synod__handle_enter (self->handle);
    if (ctx) {
        synod__kvc_send (&self->client, ctx);
        synod__handle_leave (self->handle, ctx, SYNOD_OK);
    }
    synod__handle_end (self->handle);
    return ctx ? SYNOD_OK
               : synod_fault (&self->fault, SYNOD_STOPPED, "handle %s has left the bus",
                              synod_handle_name (self->handle));
}

int synod_kv_start (synod_kv_t *self, const synod_kv_op_t *op, uint64_t tag)
{
    if (!self)
        return SYNOD_INVALID;
    const synod__kvc_t *client = &self->client;
    int rc = s_begin (self, op, tag, false, NULL);
    synod__handle_wake (self->handle);
    bool leave = client->nfresh >= S_MANY;
    leave = leave || (client->nfresh >= S_SOME && S_SHARE * client->nfresh >= client->nunder_way + client->nover);
    return rc == SYNOD_OK && leave ? synod_kv_send (self) : rc;
}

static bool s_any_over (synod_handle_t *handle, const void *arg)
{
    (void) handle;
    return ((const synod_kv_t *) arg)->client.over != NULL;
}

static int s_pump (synod_kv_t *self, int timeout_ms, bool (*done) (synod_handle_t *handle, const void *arg),
                   const void *arg)
{
    int rc = self->client.nfresh ? synod_kv_send (self) : SYNOD_OK;
    if (rc == SYNOD_OK)
        rc = synod__handle_pump (self->handle, synod__handle_deadline (timeout_ms), done, arg);
    if (rc != SYNOD_OK)
        synod_fault (&self->fault, rc, "%s",
                     rc == SYNOD_TIMEOUT ? "nothing was over in time" : synod_handle_error (self->handle));
    return rc;
}

static void s_release (synod_kv_t *self)
{
    if (self->answered)
        synod__kvc_release (&self->client, self->answered);
    self->answered = NULL;
}

int synod_kv_wait (synod_kv_t *self, int timeout_ms, uint64_t *tag, synod_kv_is_t *is)
{
    synod_kv_is_t ignored;
    if (!self)
        return SYNOD_INVALID;
    s_release (self);
    if (!self->client.over) {
        if (!self->client.nfresh && !self->client.nunder_way) {
            synod__handle_see_to (self->handle);
            return synod_fault (&self->fault, SYNOD_NOT_FOUND, "no operation is under way");
        }
        int rc = s_pump (self, timeout_ms, s_any_over, self);
        if (rc != SYNOD_OK)
            return rc;
    }
    const synod__kvc_op_t *op = synod__kvc_next (&self->client);
    if (tag)
        *tag = op->tag;
    s_give (self, op, is ? is : &ignored);
    return SYNOD_OK;
}

static bool s_this_over (synod_handle_t *handle, const void *arg)
{
    (void) handle;
    return ((const synod__kvc_op_t *) arg)->over;
}

int synod_kv_do (synod_kv_t *self, const synod_kv_op_t *op, synod_kv_is_t *is)
{
    synod_kv_is_t own;
    synod__kvc_op_t *of = NULL;
    if (!self)
        return SYNOD_INVALID;
    if (!is)
        is = &own;
    *is = (synod_kv_is_t){0};
    s_release (self);
    int rc = s_begin (self, op, 0, true, &of);
    if (rc == SYNOD_OK)
        rc = s_pump (self, -1, s_this_over, of); /* it has its own deadline */
    if (rc == SYNOD_OK) {
        self->answered = of;
        s_give (self, of, is);
        if (is->code != SYNOD_OK)
            synod_fault (&self->fault, is->code, "%.*s", SYNOD_STR (is->message));
        return is->code;
    }
    is->message = synod_str (self->fault.text);
    return is->code = rc;
}

static synod_str_t s_key (const char *key)
{
    return key ? synod_str (key) : synod_str_n (NULL, 0);
}

int synod_kv_get (synod_kv_t *self, const char *key, synod_kv_is_t *is)
{
    return synod_kv_do (self, &(synod_kv_op_t){.kind = SYNOD_KV_GET, .key = s_key (key)}, is);
}

int synod_kv_put (synod_kv_t *self, const char *key, synod_str_t data, synod_kv_is_t *is)
{
    return synod_kv_do (self, &(synod_kv_op_t){.kind = SYNOD_KV_PUT, .key = s_key (key), .data = data}, is);
}

int synod_kv_delete (synod_kv_t *self, const char *key, synod_kv_is_t *is)
{
    return synod_kv_do (self, &(synod_kv_op_t){.kind = SYNOD_KV_DELETE, .key = s_key (key)}, is);
}

int synod_kv_incr (synod_kv_t *self, const char *key, int64_t delta, synod_kv_is_t *is)
{
    return synod_kv_do (self, &(synod_kv_op_t){.kind = SYNOD_KV_INCR, .key = s_key (key), .delta = delta}, is);
}

int synod_kv_cas (synod_kv_t *self, const char *key, uint64_t version, synod_str_t data, synod_kv_is_t *is)
{
    const synod_kv_op_t op = {.kind = SYNOD_KV_PUT, .key = s_key (key), .data = data, .version = version};
    return synod_kv_do (self, &op, is);
}

int synod_kv_many (synod_kv_t *self, const synod_kv_op_t *ops, uint32_t count,
                   void (*on_is) (void *arg, uint32_t index, const synod_kv_is_t *is), void *arg)
{
    if (!self || (count && !ops) || !on_is)
        return SYNOD_INVALID;
    if (self->client.nfresh || self->client.nunder_way || self->client.over)
        return synod_fault (&self->fault, SYNOD_INVALID, "expected nothing else to be under way");
    uint32_t begun = 0, left = 0;
    while (begun < count || left) {
        synod_kv_is_t is = {0};
        uint64_t tag = 0;
        for (; begun < count && left < 2 * S_MANY; begun++) {
            int rc = synod_kv_start (self, &ops[begun], begun);
            if (rc == SYNOD_OK) {
                left++;
                continue;
            }
            is = (synod_kv_is_t){.code = rc, .message = synod_str (self->fault.text)};
            on_is (arg, begun, &is);
        }
        if (!left)
            continue;
        int rc = synod_kv_wait (self, -1, &tag, &is);
        if (rc != SYNOD_OK)
            return rc;
        on_is (arg, (uint32_t) tag, &is);
        left--;
    }
    return SYNOD_OK;
}
