/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `kv-node`, beside `kv` on each node: what is asked of the table as a whole. A scan goes over the partitions in
 * their order; most of a small table's hold nothing, and are passed over without being asked:
 *
 *   1. every member says which partitions it owns that may hold something, and which epoch it is in;
 *   2. a partition is passed over if its owner has said that it holds nothing, and a majority of its replicas, having
 *      been asked after the scan began, were all in this node's epoch. A later owner would have sealed one of those first, so
 *      nothing can have been written by another one before the scan began;
 *   3. the others are asked, some at a time, for keys behind the cursor, until there are enough.
 *
 * So a scan tells each key that has a value from its beginning to its end; of a key that comes or goes meanwhile it may tell.
 * Partitions never split or change their number, so a cursor (partition, last key) holds whatever happens to the ring.
 */
#include <stdio.h>
#include <stdlib.h>
#include "actors/runtime/runtime.h"
#include "inner.h"
#include "node.h"
#include "prefix.h"
#include "protocol/frame.h"

#define S_SCANS      64
#define S_ROUND      32 /* partitions asked at a time, at most */
#define S_ROUND_FEW  4  /* to begin with */
#define S_LIMIT      100
#define S_ANSWER_MAX (192 * 1024) /* bytes of entries in an answer */
#define S_ATS_MAX    (SYNOD__KV_ATS_MAX - S_ROUND * SYNOD__KV_MARK)
#define S_HELD_MS    1000
#define S_PART_MS    5000
#define S_TICK_MS    1000
#define S_POKES      256 /* a tick */

typedef struct {
    uint64_t id; /* 0: not in use. Never the same again: answers to an earlier scan are known by it */
    synod_call_t call;
    char prefix[SYNOD_KEY_MAX], after[SYNOD_KEY_MAX];
    uint32_t prefix_size, after_size, limit;
    bool values;
    bool only;            /* of the partition that it begins with */
    bool at;              /* how far partitions are is told */
    uint32_t partition;   /* that AFTER is in: the next to be asked */
    uint64_t epoch;       /* of what the members say */
    uint8_t *held;        /* a bit for each partition */
    uint8_t *said;        /* a bit for each member of the epoch */
    bool all;             /* every partition is asked: what members say does not count */
    uint32_t waiting;     /* answers */
    uint32_t round, most; /* partitions that are asked now, and at a time */
    uint32_t asked[S_ROUND];
    synod_buf_t bodies[S_ROUND];
    synod_buf_t items, ats;
    synod_list_t entries;
} s_scan_t;

typedef struct {
    uint32_t partitions;
    uint32_t *probes; /* by partition: hex digits of it are a key there */
    uint8_t *poked;   /* a bit for each partition that is owned here: it has been given memory */
    uint64_t last;    /* scan */
    s_scan_t *scans[S_SCANS];
} s_node_t;

static bool s_bit (const uint8_t *bits, uint32_t at)
{
    return bits[at / 8] >> at % 8 & 1;
}

static void s_set (uint8_t *bits, uint32_t at)
{
    bits[at / 8] |= (uint8_t) (1u << at % 8);
}

/* ---- a key of each partition ---- */

/* As %x, which takes ten times as long; returns the size. */
static uint32_t s_hex (uint32_t number, char out[8])
{
    uint32_t size = 1;
    while (size < 8 && number >> 4 * size)
        size++;
    for (uint32_t i = 0; i < size; i++)
        out[i] = "0123456789abcdef"[number >> 4 * (size - 1 - i) & 15];
    return size;
}

static int s_probes (s_node_t *self, const synod__ring_t *table)
{
    uint32_t count = synod__ring_partitions (table), found = 0;
    if (self->partitions == count)
        return SYNOD_OK;
    free (self->probes);
    free (self->poked);
    self->probes = (uint32_t *) malloc (count * sizeof *self->probes);
    self->poked = (uint8_t *) calloc (1, (count + 7) / 8);
    self->partitions = self->probes && self->poked ? count : 0;
    if (!self->partitions)
        return SYNOD_NO_MEMORY;
    memset (self->probes, 0xff, count * sizeof *self->probes);
    for (uint32_t i = 0; found < count; i++) {
        char key[8];
        uint32_t partition = synod__ring_partition (table, synod_str_n (key, s_hex (i, key)));
        if (self->probes[partition] != UINT32_MAX)
            continue;
        self->probes[partition] = i;
        found++;
    }
    return SYNOD_OK;
}

static void s_address (const s_node_t *self, uint32_t partition, char out[32])
{
    snprintf (out, 32, SYNOD__KV_ACTOR "#%x", (unsigned) self->probes[partition]);
}

/* ---- scans ---- */

static void s_free (s_node_t *self, uint32_t slot)
{
    s_scan_t *scan = self->scans[slot];
    for (uint32_t i = 0; i < S_ROUND; i++)
        synod_buf_free (&scan->bodies[i]);
    synod_buf_free (&scan->items);
    synod_buf_free (&scan->ats);
    free (scan->held);
    free (scan->said);
    free (scan);
    self->scans[slot] = NULL;
}

static int s_fail (synod_ctx_t *ctx, s_node_t *self, uint32_t slot, int code, const char *why)
{
    int rc = synod_reply_error (ctx, self->scans[slot]->call, code, "%s", why);
    s_free (self, slot);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

/* Of an answer: which scan, and which of its questions; NULL: that scan is over. */
static s_scan_t *s_of (s_node_t *self, uint64_t arg, uint32_t *slot, uint32_t *index)
{
    *slot = arg & 0xff;
    *index = arg >> 8 & 0xffff;
    s_scan_t *scan = *slot < S_SCANS ? self->scans[*slot] : NULL;
    return scan && scan->id == arg >> 24 ? scan : NULL;
}

static uint64_t s_arg (const s_scan_t *scan, uint32_t slot, uint32_t index)
{
    return scan->id << 24 | (uint64_t) index << 8 | slot;
}

static int s_answer (synod_ctx_t *ctx, s_node_t *self, uint32_t slot, bool more)
{
    s_scan_t *scan = self->scans[slot];
    char cursor[SYNOD__KV_CURSOR_MAX];
    cursor[0] = (char) (scan->partition >> 8);
    cursor[1] = (char) scan->partition;
    memcpy (cursor + 2, scan->after, scan->after_size);
    const synod__kv_scanned_t out = {.entries = scan->entries,
                                     .cursor = synod_str_n (more ? cursor : NULL, more ? 2 + scan->after_size : 0),
                                     .ats = synod_str_n (scan->ats.data, scan->ats.size)};
    int rc = synod_reply (ctx, scan->call, &synod__kv_scanned_record, &out);
    s_free (self, slot);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

/* ---- which partitions ---- */

/* What the members have said is about this epoch, and their majorities are. */
static bool s_empty (const s_scan_t *scan, const synod__ring_t *table, uint32_t partition)
{
    const uint16_t *replicas = synod__ring_replicas (table, partition);
    uint16_t owner = table->owner[partition];
    uint32_t said = 0;
    if (scan->all || s_bit (scan->held, partition) || owner == SYNOD__NOBODY)
        return false;
    for (uint32_t i = 0; i < table->copies; i++)
        said += s_bit (scan->said, replicas[i]);
    return s_bit (scan->said, owner) && said > table->copies / 2;
}

/* The first from FROM on that has to be asked; as many as there are: none. */
static uint32_t s_next (const s_scan_t *scan, const synod__ring_t *table, uint32_t from)
{
    uint32_t count = synod__ring_partitions (table);
    while (from < count && s_empty (scan, table, from))
        from++;
    return from;
}

static int on_part (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg);

/* Asks the next ones, or answers. */
static int s_ask (synod_ctx_t *ctx, s_node_t *self, uint32_t slot)
{
    s_scan_t *scan = self->scans[slot];
    const synod__epoch_t *epoch = NULL;
    const synod__ring_t *table = synod__ctx_table (ctx, SYNOD__KV_ACTOR, &epoch);
    if (!table)
        return s_fail (ctx, self, slot, SYNOD_NO_ROUTE, "the ring is gone");
    scan->all = scan->all || epoch->number != scan->epoch;
    uint32_t first = scan->partition;
    if (scan->only && scan->round && first != scan->asked[0])
        return s_answer (ctx, self, slot, false);
    if (scan->all || !scan->after_size)
        first = s_next (scan, table, first); /* one that a key was told of is not empty */
    if (first != scan->partition)
        scan->after_size = 0;
    scan->partition = first;
    if (first >= self->partitions)
        return s_answer (ctx, self, slot, false);
    if (scan->entries.count >= scan->limit || scan->items.size >= S_ANSWER_MAX || scan->ats.size >= S_ATS_MAX)
        return s_answer (ctx, self, slot, true);
    scan->round = scan->waiting = 0;
    for (uint32_t at = first; at < self->partitions && scan->round < scan->most; at = s_next (scan, table, at + 1)) {
        const synod__kv_part_t in = {.prefix = synod_str_n (scan->prefix, scan->prefix_size),
                                     .after = synod_str_n (scan->after, at == first ? scan->after_size : 0),
                                     .limit = scan->limit - scan->entries.count,
                                     .values = scan->values};
        char to[32];
        s_address (self, at, to);
        scan->asked[scan->round] = at;
        scan->bodies[scan->round].size = 0;
        int rc = synod_ask (ctx, to, &synod__kv_part_record, &in, S_PART_MS, on_part, s_arg (scan, slot, scan->round));
        if (rc != SYNOD_OK && !scan->round)
            return s_fail (ctx, self, slot, rc, "a partition cannot be asked");
        if (rc != SYNOD_OK)
            break;
        scan->round++;
        scan->waiting++;
    }
    scan->most = scan->only ? 1 : scan->most * 2 > S_ROUND ? S_ROUND : scan->most * 2;
    return SYNOD_OK;
}

/* The first answer of the partition is told: what comes with later ones may be newer. */
static bool s_add_at (s_scan_t *scan, uint64_t at)
{
    char mark[SYNOD__KV_MARK];
    const char *last = scan->ats.size ? scan->ats.data + scan->ats.size - SYNOD__KV_MARK : NULL;
    synod__kv_mark_put (mark, scan->partition, at);
    return (last && memcmp (last, mark, 2) == 0) || synod__buf_add (&scan->ats, mark, sizeof mark) == SYNOD_OK;
}

/* Adds what partition INDEX of the round has; false: the next one must not follow it. */
static bool s_take (s_scan_t *scan, uint32_t index)
{
    synod__kv_part_is_t in;
    synod__kv_entry_t entry;
    synod_str_t body = synod_str_n (scan->bodies[index].data, scan->bodies[index].size);
    if (synod_record_unpack (&synod__kv_part_is_record, body, &in, NULL) != SYNOD_OK)
        return false;
    scan->partition = scan->asked[index];
    if (index)
        scan->after_size = 0;
    if (scan->at && !scan->after_size && !s_add_at (scan, in.at))
        return false;
    while (scan->entries.count < scan->limit && scan->items.size < S_ANSWER_MAX &&
           synod_list_next (&in.entries, &synod__kv_entry_record, &entry)) {
        entry.partition = scan->at ? scan->partition : 0;
        bool fits = !scan->entries.count || scan->items.size + entry.data.size + entry.key.size + 64 <= S_ANSWER_MAX;
        if (!fits || synod_list_add (&scan->entries, &scan->items, &synod__kv_entry_record, &entry, NULL) != SYNOD_OK)
            return false;
        memcpy (scan->after, entry.key.data, entry.key.size);
        scan->after_size = entry.key.size;
    }
    if (SYNOD__KV_MUTANT (SCAN_FROM_NEXT))
        in.after.size = 0;
    if (in.entries.count && !SYNOD__KV_MUTANT (SCAN_FROM_NEXT))
        return false; /* go on behind the last one taken */
    if (in.after.size) {
        memcpy (scan->after, in.after.data, in.after.size);
        scan->after_size = in.after.size;
        return false;
    }
    scan->partition++;
    scan->after_size = 0;
    return true;
}

static int on_part (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    s_node_t *self = (s_node_t *) state;
    uint32_t slot, index;
    s_scan_t *scan = s_of (self, arg, &slot, &index);
    if (!scan)
        return SYNOD_OK;
    if (reply->code != SYNOD_OK) {
        int rc = synod_reply_with (ctx, scan->call, reply);
        s_free (self, slot);
        return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
    }
    synod_buf_t *body = &scan->bodies[index];
    if (reply->body.size > body->capacity) {
        char *data = (char *) realloc (body->data, reply->body.size);
        if (!data)
            return s_fail (ctx, self, slot, SYNOD_NO_MEMORY, "no memory for what a partition has");
        body->data = data;
        body->capacity = reply->body.size;
    }
    memcpy (body->data, reply->body.data, reply->body.size);
    body->size = reply->body.size;
    if (--scan->waiting)
        return SYNOD_OK;
    for (uint32_t i = 0; i < scan->round && s_take (scan, i); i++)
        continue;
    return s_ask (ctx, self, slot);
}

/* ---- what the members say ---- */

static void s_said (s_scan_t *scan, uint32_t member, const uint8_t *held, uint32_t bytes)
{
    s_set (scan->said, member);
    for (uint32_t i = 0; i < bytes; i++)
        scan->held[i] |= held[i];
}

/* STORE is that of the member which was asked: its name may be another one's by now. */
static bool s_is_member (const synod_ctx_t *ctx, uint32_t member, synod_str_t store)
{
    const synod__epoch_t *epoch = NULL;
    synod__store_id_t id;
    return synod__ctx_table (ctx, SYNOD__KV_ACTOR, &epoch) && member < epoch->nmembers &&
           synod__store_id_take (store, &id) && synod__store_id_compare (&id, &epoch->members[member].id) == 0;
}

static int on_held (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    s_node_t *self = (s_node_t *) state;
    uint32_t slot, member;
    synod__kv_held_is_t in;
    s_scan_t *scan = s_of (self, arg, &slot, &member);
    if (!scan)
        return SYNOD_OK;
    if (reply->code == SYNOD_OK &&
        synod_record_unpack (&synod__kv_held_is_record, reply->body, &in, NULL) == SYNOD_OK &&
        s_is_member (ctx, member, in.store) && in.epoch == scan->epoch && in.held.size == (self->partitions + 7) / 8)
        s_said (scan, member, (const uint8_t *) in.held.data, in.held.size);
    return --scan->waiting ? SYNOD_OK : s_ask (ctx, self, slot);
}

static int s_ask_members (synod_ctx_t *ctx, s_node_t *self, uint32_t slot, const synod__epoch_t *epoch)
{
    s_scan_t *scan = self->scans[slot];
    scan->epoch = epoch->number;
    for (uint32_t i = 0; i < epoch->nmembers; i++) {
        const synod__member_t *member = &epoch->members[i];
        char to[2 * SYNOD_NAME_MAX + 2];
        if (memcmp (member->id.bytes, synod__ctx_store_id (ctx), SYNOD__STORE_ID_SIZE) == 0) {
            synod__ctx_held (ctx, SYNOD__KV_ACTOR, scan->held);
            s_set (scan->said, i);
            continue;
        }
        if (SYNOD__KV_MUTANT (SCAN_OWN_ONLY)) {
            s_set (scan->said, i);
            continue;
        }
        snprintf (to, sizeof to, "%s/" SYNOD__KV_NODE, member->name);
        const synod__kv_held_t in = {0};
        scan->waiting += !member->down && synod_ask (ctx, to, &synod__kv_held_record, &in, S_HELD_MS, on_held,
                                                     s_arg (scan, slot, i)) == SYNOD_OK;
    }
    return scan->waiting ? SYNOD_OK : s_ask (ctx, self, slot);
}

/* ---- beginning ---- */

static s_scan_t *s_new (s_node_t *self, uint32_t *slot, uint32_t members)
{
    for (*slot = 0; *slot < S_SCANS && self->scans[*slot]; ++*slot)
        continue;
    s_scan_t *scan = *slot < S_SCANS ? (s_scan_t *) calloc (1, sizeof *scan) : NULL;
    if (!scan)
        return NULL;
    self->scans[*slot] = scan;
    scan->held = (uint8_t *) calloc (1, (self->partitions + 7) / 8);
    scan->said = (uint8_t *) calloc (1, (members + 7) / 8);
    if (scan->held && scan->said)
        return scan;
    s_free (self, *slot);
    return NULL;
}

static int on_scan (synod_ctx_t *ctx, void *state, const synod__kv_scan_t *in, synod_call_t call)
{
    s_node_t *self = (s_node_t *) state;
    const synod__epoch_t *epoch = NULL;
    const synod__ring_t *table = synod__ctx_table (ctx, SYNOD__KV_ACTOR, &epoch);
    uint32_t slot;
    if (!table)
        return synod_error (ctx, SYNOD_NO_ROUTE, "node %s is in no ring with " SYNOD__KV_ACTOR, synod_node (ctx));
    if (s_probes (self, table) != SYNOD_OK)
        return synod_error (ctx, SYNOD_NO_MEMORY, "no memory for a key of each partition");
    const uint8_t *cursor = (const uint8_t *) in->cursor.data;
    uint32_t partition = in->cursor.size >= 2 ? (uint32_t) (cursor[0] << 8 | cursor[1]) : 0;
    if (in->cursor.size == 1 || partition >= self->partitions)
        return synod_error (ctx, SYNOD_REFUSED, "scan: expected a cursor as it was told, got %u bytes that are none",
                            in->cursor.size);
    s_scan_t *scan = s_new (self, &slot, epoch->nmembers);
    if (!scan)
        return synod_error (ctx, SYNOD_BUSY, "node %s has %d scans at work: ask again, or another node",
                            synod_node (ctx), S_SCANS);
    scan->id = ++self->last & 0xffffffffff;
    scan->call = call;
    scan->prefix_size = in->prefix.size;
    if (in->prefix.size)
        memcpy (scan->prefix, in->prefix.data, in->prefix.size);
    scan->partition = partition;
    scan->after_size = in->cursor.size > 2 ? in->cursor.size - 2 : 0;
    if (scan->after_size)
        memcpy (scan->after, cursor + 2, scan->after_size);
    scan->limit = in->limit ? (uint32_t) in->limit : S_LIMIT;
    scan->values = in->values;
    scan->at = in->at;
    scan->only = in->only;
    scan->most = in->only ? 1 : S_ROUND_FEW;
    scan->all = in->only; /* that one is asked whatever members say */
    scan->epoch = epoch->number;
    return scan->all ? s_ask (ctx, self, slot) : s_ask_members (ctx, self, slot, epoch);
}

/* ---- the rest ---- */

/* Partitions that are owned here of late, and hold something, get their memory: their deadlines are looked after and
 * their bytes counted, whether anybody asks for them or not. */
static int on_tick (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    s_node_t *self = (s_node_t *) state;
    uint8_t held[SYNOD__KV_HELD_MAX] = {0};
    uint32_t pokes = 0;
    (void) arg;
    const synod__ring_t *table = synod__ctx_table (ctx, SYNOD__KV_ACTOR, NULL);
    if (table && s_probes (self, table) == SYNOD_OK) {
        synod__ctx_held (ctx, SYNOD__KV_ACTOR, held);
        for (uint32_t i = 0; i < (self->partitions + 7) / 8; i++)
            self->poked[i] &= held[i];
        for (uint32_t i = 0; i < self->partitions && pokes < S_POKES; i++) {
            char to[32];
            if (!s_bit (held, i) || s_bit (self->poked, i))
                continue;
            s_address (self, i, to);
            if (synod_tell (ctx, to, &synod__kv_sweep_record, &(synod__kv_sweep_t){0}) != SYNOD_OK)
                break;
            s_set (self->poked, i);
            pokes++;
        }
    }
    return synod_after (ctx, S_TICK_MS, on_tick, 0, NULL);
}

static int init (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) args;
    return on_tick (ctx, state, 0);
}

static void fini (synod_ctx_t *ctx, void *state)
{
    s_node_t *self = (s_node_t *) state;
    (void) ctx;
    for (uint32_t i = 0; i < S_SCANS; i++)
        if (self->scans[i])
            s_free (self, i);
    free (self->probes);
    free (self->poked);
}

const synod_actor_t synod__kv_node_actor = {
    .name = SYNOD__KV_NODE,
    .doc = "scans of the table, and how much of it is here",
    .state_size = sizeof (s_node_t),
    .init = init,
    .fini = fini,
    .routes = (const synod_route_t[]){SYNOD_ON (synod__kv_scan, on_scan), SYNOD_ON (synod__kv_held, synod__kv_on_held),
                                      SYNOD_ON (synod__kv_marks, synod__kv_on_marks),
                                      SYNOD_ON (synod__kv_stat, synod__kv_on_stat), SYNOD_END},
};
