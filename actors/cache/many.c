/* SPDX-License-Identifier: MPL-2.0
 *
 * Asks of many keys of the cache in one message: each is run here if its home is this node, as if it had come alone.
 * Invariant: what is told to be asked alone has not been run; so an ask is not begun unless there is room for any answer.
 */
#include "actors/runtime/many.h"
#include "actors/runtime/runtime.h"
#include "protocol/many.h"
#include "cache_actor.h"
#include "mutants.h"

#define S_ROOM (SYNOD__KV_PIECE + 1024) /* for an answer with the value before it; a get has one of those at most */

/* What a command runs with. */
typedef struct {
    synod__cache_actor_t *self;
    synod__cache_now_t now;
    synod__kv_in_t in;
    synod__kv_is_t out;
    synod_fault_t fault;
} s_run_t;

#define S_RUN(name)                                                                                           \
    static int s_##name (s_run_t *run, synod_str_t key)                                                       \
    {                                                                                                         \
        return synod__cache_##name (&run->self->cache, run->now, key, &run->in.name, &run->out, &run->fault); \
    }
S_RUN (get)
S_RUN (put)
S_RUN (delete)
S_RUN (incr)
S_RUN (append)
S_RUN (expire)

typedef struct {
    const synod_record_t *record;
    int (*run) (s_run_t *run, synod_str_t key);
    bool writes;
} s_command_t;

static const s_command_t s_commands[] = {
    {&synod__kv_get_record, s_get, false},      {&synod__kv_put_record, s_put, true},
    {&synod__kv_incr_record, s_incr, true},     {&synod__kv_delete_record, s_delete, true},
    {&synod__kv_append_record, s_append, true}, {&synod__kv_expire_record, s_expire, true},
};

/* NULL: whoever it is, it is found when it is asked alone. */
static const s_command_t *s_find (const s_command_t *last, synod_str_t method)
{
    if (last && last->record->name_size == method.size && memcmp (last->record->name, method.data, method.size) == 0)
        return last;
    for (size_t i = 0; i < sizeof s_commands / sizeof s_commands[0]; i++)
        if (s_commands[i].record->name_size == method.size &&
            memcmp (s_commands[i].record->name, method.data, method.size) == 0)
            return &s_commands[i];
    return NULL;
}

static int s_one (s_run_t *run, const s_command_t *command, const synod__many_ask_t *ask, uint32_t at)
{
    synod_buf_t *out = &run->self->many;
    run->fault.code = SYNOD_OK;
    int rc = synod_record_unpack (command->record, ask->body, &run->in, &run->fault);
    if (SYNOD__CACHE_MUTANT (MANY_TTL) && command->run == s_put)
        run->in.put.ttl_ms = 0;
    if (rc == SYNOD_OK)
        rc = command->run (run, ask->key);
    if (rc != SYNOD_OK) {
        const synod__many_answer_t answer = {.at = at,
                                             .kind = SYNOD__MANY_ERROR,
                                             .error = synod_str (synod_error_name (rc)),
                                             .body = synod_str (run->fault.text)};
        return synod__many_answer (out, &answer);
    }
    if (command->writes && !SYNOD__CACHE_MUTANT (MANY_OVERTAKEN))
        synod__cache_fill_spoil (run->self, ask->key);
    synod__cache_told (&run->self->cache, run->now, &run->out);
    rc = synod__many_answer_head (out, at);
    return rc == SYNOD_OK ? synod_record_pack (&synod__kv_is_record, &run->out, out, NULL) : rc;
}

int synod__cache_on_many (synod_ctx_t *ctx, void *state, const synod__many_t *in, synod_call_t call)
{
    synod__cache_actor_t *self = (synod__cache_actor_t *) state;
    synod__many_reader_t reader;
    synod__many_ask_t ask;
    synod_fault_t fault = {0};
    const s_command_t *command = NULL;
    bool writes = false;
    if (!call.id)
        return synod_error (ctx, SYNOD_BAD_REQUEST, "expected an ask: nobody would get the answers");
    int rc = synod__many_open (&reader, in->asks, in->low, &fault);
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s", fault.text);
    s_run_t run = {.self = self, .now = synod__cache_now (ctx, self)};
    uint32_t count = reader.left;
    rc = synod__many_answers_begin (&self->many);
    for (uint32_t at = 0; rc == SYNOD_OK && synod__many_next (&reader, &ask); at++) {
        command = s_find (command, ask.method);
        bool here = command && self->many.size + S_ROOM <= SYNOD__MANY_ANSWER_MAX && synod__ctx_home (ctx, ask.key);
        writes |= here && command->writes;
        const synod__many_answer_t alone = {.at = SYNOD__CACHE_MUTANT (MANY_MIXED) ? count - 1 - at : at,
                                            .kind = SYNOD__MANY_ALONE};
        if (SYNOD__CACHE_MUTANT (MANY_RUN) && here && command->run == s_put) {
            size_t size = self->many.size;
            s_one (&run, command, &ask, alone.at);
            self->many.size = size;
            here = false;
        }
        rc = here ? s_one (&run, command, &ask, alone.at) : synod__many_answer (&self->many, &alone);
    }
    if (rc != SYNOD_OK)
        return synod_error (ctx, SYNOD_NO_MEMORY, "no memory for the answers");
    synod__many_answers_end (&self->many, count);
    rc = writes ? synod__cache_set (ctx, self) : SYNOD_OK;
    return rc == SYNOD_OK ? synod__ctx_reply_many (ctx, call, synod_str_n (self->many.data, self->many.size)) : rc;
}
