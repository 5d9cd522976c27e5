/* SPDX-License-Identifier: MPL-2.0
 *
 * What a node tells of the partitions that it owns: which may hold something, which have changed, and how much it is.
 */
#include "actors/runtime/runtime.h"
#include "node.h"
#include "prefix.h"
#include "protocol/frame.h"

int synod__kv_on_held (synod_ctx_t *ctx, void *state, const synod__kv_held_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    uint8_t held[SYNOD__KV_HELD_MAX] = {0};
    const synod__epoch_t *epoch = NULL;
    const synod__ring_t *table = synod__ctx_table (ctx, SYNOD__KV_ACTOR, &epoch);
    if (!table)
        return synod_error (ctx, SYNOD_NO_ROUTE, "this node knows of no ring with " SYNOD__KV_ACTOR);
    synod__ctx_held (ctx, SYNOD__KV_ACTOR, held);
    const synod__kv_held_is_t out = {.store = synod_str_n (synod__ctx_store_id (ctx), SYNOD__STORE_ID_SIZE),
                                     .epoch = epoch->number,
                                     .held = synod_str_n (held, (synod__ring_partitions (table) + 7) / 8)};
    return synod_reply (ctx, call, &synod__kv_held_is_record, &out);
}

/* Those that came after SEQ, in the order in which they did, as many as go into an answer. */
static void s_marks (const synod__kv_shared_t *shared, uint64_t seq, synod_buf_t *room, synod__kv_marks_are_t *out)
{
    out->seq = seq;
    for (const synod__kv_mark_t *mark = shared->marks; mark && !out->more; mark = mark->next) {
        char bytes[SYNOD__KV_MARK];
        if (mark->order <= seq)
            continue;
        out->more = room->size >= SYNOD__KV_MARKS_MAX;
        synod__kv_mark_put (bytes, mark->partition, mark->version);
        if (out->more || synod__buf_add (room, bytes, sizeof bytes) != SYNOD_OK)
            break;
        out->seq = mark->order;
    }
    out->marks = synod_str_n (room->data, room->size);
}

int synod__kv_on_marks (synod_ctx_t *ctx, void *state, const synod__kv_marks_t *in, synod_call_t call)
{
    const synod__epoch_t *epoch = NULL;
    synod__kv_shared_t *shared = synod__kv_shared (ctx);
    synod__kv_marks_are_t out = {.node = synod_str (synod_node (ctx))};
    synod_buf_t marks = {0}, names = {0};
    int rc = SYNOD_OK;
    (void) state;
    if (!synod__ctx_table (ctx, SYNOD__KV_ACTOR, &epoch) || !shared)
        return synod_error (ctx, SYNOD_NO_ROUTE, "this node knows of no ring with " SYNOD__KV_ACTOR);
    synod__kv_watch_for (ctx, &shared->watched_us, in->ms);
    out.epoch = epoch->number;
    out.life = shared->life;
    s_marks (shared, in->life == shared->life ? in->seq : 0, &marks, &out);
    for (uint32_t i = 0; in->members && i < epoch->nmembers && rc == SYNOD_OK; i++) {
        const synod__kv_member_t one = {.name = synod_str (epoch->members[i].name)};
        rc = synod_list_add (&out.names, &names, &synod__kv_member_record, &one, NULL);
    }
    rc = rc == SYNOD_OK ? synod_reply (ctx, call, &synod__kv_marks_are_record, &out) : rc;
    synod_buf_free (&marks);
    synod_buf_free (&names);
    return rc;
}

int synod__kv_on_stat (synod_ctx_t *ctx, void *state, const synod__kv_stat_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    synod__kv_stat_is_t out = {.node = synod_str (synod_node (ctx))};
    const synod__kv_shared_t *shared = synod__kv_shared (ctx);
    if (shared) {
        out.keys = shared->keys;
        out.bytes = shared->bytes;
        out.memory = shared->memory;
        out.hits = shared->hits;
        out.misses = shared->misses;
        out.expired = shared->expired;
        out.refused = shared->refused;
    }
    return synod_reply (ctx, call, &synod__kv_stat_is_record, &out);
}
