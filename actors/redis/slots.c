/* SPDX-License-Identifier: MPL-2.0
 *
 * The line of a connection: places for replies, in the order of requests. An operation whose key is at hand is answered
 * while it is asked, and when nothing before it waits its reply is written at once; else it gets a place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "actors/runtime/memory.h"
#include "protocol/frame.h"
#include "protocol/kv_key.h"
#include "slots.h"

#define S_KEEP 4096 /* bytes of a reply that a free place keeps room for */

typedef union {
    synod__kv_is_t is;
    synod__kv_stat_is_t stat;
    synod__kv_scanned_t scanned;
    synod__kv_uploaded_t uploaded;
    synod__kv_piece_is_t piece;
} s_out_t;

static const synod_record_t *s_record (synod__redis_kind_t kind)
{
    static const synod_record_t *const records[] = {
        [SYNOD__REDIS_GET] = &synod__kv_get_record,       [SYNOD__REDIS_PUT] = &synod__kv_put_record,
        [SYNOD__REDIS_DELETE] = &synod__kv_delete_record, [SYNOD__REDIS_INCR] = &synod__kv_incr_record,
        [SYNOD__REDIS_APPEND] = &synod__kv_append_record, [SYNOD__REDIS_EXPIRE] = &synod__kv_expire_record,
        [SYNOD__REDIS_UPLOAD] = &synod__kv_upload_record, [SYNOD__REDIS_PIECE] = &synod__kv_piece_record,
        [SYNOD__REDIS_STAT] = &synod__kv_stat_record,     [SYNOD__REDIS_SCAN] = &synod__kv_scan_record};
    return records[kind];
}

static const synod_record_t *s_reply_record (synod__redis_kind_t kind)
{
    return kind == SYNOD__REDIS_STAT     ? &synod__kv_stat_is_record
           : kind == SYNOD__REDIS_SCAN   ? &synod__kv_scanned_record
           : kind == SYNOD__REDIS_UPLOAD ? &synod__kv_uploaded_record
           : kind == SYNOD__REDIS_PIECE  ? &synod__kv_piece_is_record
                                         : &synod__kv_is_record;
}

/* ---- places ---- */

static synod__redis_slot_t *s_slot (synod__redis_t *self, synod__redis_conn_t *conn)
{
    synod__redis_slot_t *slot = self->spare;
    if (slot)
        self->spare = slot->next;
    else
        slot = (synod__redis_slot_t *) synod__alloc (sizeof *slot);
    synod_buf_t bytes = slot->bytes, kept = slot->kept;
    memset (slot, 0, sizeof *slot);
    slot->bytes = bytes;
    slot->kept = kept;
    slot->bytes.size = slot->kept.size = 0;
    slot->reply = &slot->bytes;
    slot->conn = conn;
    slot->lined = true;
    DL_APPEND2 (self->slots, slot, all_prev, all_next);
    *(conn->line ? &conn->line_last->next : &conn->line) = slot;
    conn->line_last = slot;
    conn->nline++;
    return slot;
}

static void s_free (synod__redis_t *self, synod__redis_slot_t *slot)
{
    DL_DELETE2 (self->slots, slot, all_prev, all_next);
    synod__redis_large_free (slot);
    if (slot->bytes.capacity > S_KEEP)
        synod_buf_free (&slot->bytes);
    if (slot->kept.capacity > S_KEEP)
        synod_buf_free (&slot->kept);
    slot->next = self->spare;
    self->spare = slot;
}

void synod__redis_slots_free (synod__redis_t *self)
{
    while (self->slots)
        s_free (self, self->slots);
    while (self->spare) {
        synod__redis_slot_t *slot = self->spare;
        self->spare = slot->next;
        synod_buf_free (&slot->bytes);
        synod_buf_free (&slot->kept);
        free (slot);
    }
}

void synod__redis_line_drop (synod__redis_conn_t *conn)
{
    while (conn->line) {
        synod__redis_slot_t *slot = conn->line;
        conn->line = slot->next;
        slot->conn = NULL;
        if (!slot->waits)
            s_free (conn->redis, slot);
    }
    conn->nline = 0;
}

/* Writes what has its turn. */
static void s_advance (synod__redis_t *self, synod__redis_conn_t *conn)
{
    synod_buf_t *out = synod_conn_out (conn->conn);
    while (conn->line && !conn->line->waits) {
        synod__redis_slot_t *slot = conn->line;
        if (synod__buf_add (out, slot->bytes.data, slot->bytes.size) != SYNOD_OK)
            abort ();
        conn->line = slot->next;
        conn->nline--;
        s_free (self, slot);
    }
    synod__redis_answered (conn);
}

synod_buf_t *synod__redis_out (synod__redis_request_t *request)
{
    synod__redis_conn_t *conn = request->conn;
    return conn->line ? &s_slot (request->redis, conn)->bytes : synod_conn_out (conn->conn);
}

/* ---- operations ---- */

void synod__redis_failed (synod__redis_slot_t *slot, int rc, synod_str_t message)
{
    if (slot->failed)
        return;
    slot->failed = true;
    slot->reply->size = slot->lined ? 0 : slot->reply->size;
    if (rc == SYNOD_REFUSED || rc == SYNOD_BAD_REQUEST)
        synod__redis_say (slot->reply, "ERR %.*s", SYNOD_STR (message));
    else
        synod__redis_say (slot->reply, "%s %s: %.*s", rc == SYNOD_FULL ? "OOM" : "ERR", synod_error_name (rc),
                          SYNOD_STR (message));
}

/* One of its operations is over; maybe the last. */
static void s_step (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    slot->waits--;
    slot->on_done (self, slot, rc, out, message);
}

static void s_gathered (synod__redis_slot_t *slot)
{
    if (slot->failed)
        return;
    if (slot->gather == SYNOD__REDIS_SUM)
        synod__resp_int (slot->reply, slot->sum);
    else if (slot->gather == SYNOD__REDIS_ALL)
        synod__resp_status (slot->reply, "OK");
}

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    synod__redis_slot_t *slot = (synod__redis_slot_t *) (uintptr_t) arg;
    synod__redis_t *self = (synod__redis_t *) synod_gateway_state (ctx);
    s_out_t out;
    synod_fault_t fault = {0};
    int rc = reply->code;
    synod_str_t message = reply->message;
    (void) state;
    self->ctx = ctx;
    self->asks--;
    if (rc == SYNOD_OK)
        rc = synod_record_unpack (s_reply_record (slot->kind), reply->body, &out, &fault);
    if (fault.code)
        message = synod_str (fault.text);
    if (!message.size)
        message = synod_str (synod_error_meaning (rc));
    s_step (self, slot, rc, &out, message);
    if (!slot->waits && slot->conn) {
        s_gathered (slot);
        s_advance (self, slot->conn);
    } else if (!slot->waits)
        s_free (self, slot);
    if (self->asks < SYNOD__REDIS_ASKS_MAX - SYNOD__REDIS_ASKS_MAX / 4)
        synod__redis_fed (self);
    return SYNOD_OK;
}

/* On its way to whoever has it; SYNOD_OK, or why it could not be sent, with a sentence. */
static int s_ask (synod__redis_t *self, synod__redis_slot_t *slot, synod_str_t key, const void *in,
                  synod_fault_t *fault)
{
    const synod__redis_back_t *back = self->back;
    const synod_record_t *record = s_record (slot->kind);
    char to[SYNOD_ADDRESS_MAX + 1];
    bool reads = (record->flags & SYNOD_IDEMPOTENT) != 0;
    self->body.size = 0;
    int rc = synod_record_pack (record, in, &self->body, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (key.data)
        snprintf (to, sizeof to, "%s#%.*s", back->actor, SYNOD_STR (key));
    else
        snprintf (to, sizeof to, "%s/%s", synod_node (self->ctx), back->node);
    rc = synod_ask_body (self->ctx, to, synod_str (record->name), synod_str_n (self->body.data, self->body.size),
                         reads || back->once ? record->flags : 0, 0, s_on_reply, (uintptr_t) slot);
    if (rc != SYNOD_OK)
        return synod_fault (fault, rc, "%s", synod_error_meaning (rc));
    self->asks++;
    slot->waits++;
    return SYNOD_OK;
}

/* The key as the bus has it; data NULL: there is no such. */
static synod_str_t s_key (synod_str_t bytes, char room[SYNOD_KEY_MAX])
{
    bool plain = bytes.size > 0 && bytes.size <= SYNOD_KEY_MAX;
    for (uint32_t i = 0; plain && i < bytes.size; i++)
        plain = bytes.data[i] >= ' ' && bytes.data[i] <= '~' && bytes.data[i] != '\\';
    return plain ? bytes : synod__kv_key_text (bytes, room);
}

static uint64_t s_hash (synod_str_t bytes)
{
    return XXH3_64bits (bytes.data, bytes.size);
}

/* In a slot that outlives the request. None stays none, whatever the slot had before. */
static void s_keep_text (synod__redis_slot_t *slot, synod_str_t text)
{
    if (text.size && synod__buf_add (&slot->kept, text.data, text.size) != SYNOD_OK)
        abort ();
    slot->text = synod_str_n (text.data ? slot->kept.data : NULL, text.size);
}

/* Runs one operation of SLOT: at once, or it waits. */
static void s_begin (synod__redis_t *self, synod__redis_slot_t *slot, synod_str_t bytes, const void *in)
{
    char room[SYNOD_KEY_MAX];
    s_out_t out;
    synod_fault_t fault = {0};
    int rc = SYNOD_OK;
    synod_str_t key = bytes;
    if (bytes.data && !(key = s_key (bytes, room)).data)
        rc = synod_fault (&fault, SYNOD_REFUSED, "a key has 1 to %d bytes, this one has %u", SYNOD_KEY_MAX, bytes.size);
    slot->waits++;
    if (rc != SYNOD_OK ||
        (self->back->run && self->back->run (self->ctx, self->self, slot->kind, key, in, &out, &rc, &fault))) {
        s_step (self, slot, rc, &out, synod_str (fault.text));
        return;
    }
    slot->waits--;
    if (!slot->lined) { /* it needs a place after all */
        synod__redis_slot_t *place = s_slot (self, slot->conn);
        place->on_done = slot->on_done;
        place->kind = slot->kind;
        place->number = slot->number;
        s_keep_text (place, slot->text);
        place->key_hash = slot->key_hash;
        place->changes = slot->changes;
        slot = place;
    }
    bool large = slot->kind == SYNOD__REDIS_PUT && ((const synod__kv_put_t *) in)->data.size > SYNOD__KV_PIECE;
    if (large && self->back->pieces && slot->gather == SYNOD__REDIS_ONE) {
        synod__redis_large_put (self, slot, bytes, (const synod__kv_put_t *) in);
        return;
    }
    rc = s_ask (self, slot, key, in, &fault);
    if (rc != SYNOD_OK) {
        slot->waits++;
        s_step (self, slot, rc, &out, synod_str (fault.text));
    }
}

static bool s_changes (synod__redis_kind_t kind)
{
    return kind >= SYNOD__REDIS_PUT && kind <= SYNOD__REDIS_UPLOAD;
}

void synod__redis_run (synod__redis_request_t *request, synod__redis_kind_t kind, synod_str_t key, const void *in,
                       synod__redis_on_done_t *on_done, int64_t number, synod_str_t text)
{
    synod__redis_t *self = request->redis;
    synod__redis_conn_t *conn = request->conn;
    synod__redis_slot_t at_once, *slot = &at_once;
    if (conn->line)
        slot = s_slot (self, conn);
    else {
        memset (slot, 0, offsetof (synod__redis_slot_t, bytes));
        slot->conn = conn;
        slot->reply = synod_conn_out (conn->conn);
    }
    slot->on_done = on_done;
    slot->kind = kind;
    slot->number = number;
    slot->text = text;
    if (slot->lined)
        s_keep_text (slot, text);
    if (self->back->ordered && key.data) {
        slot->key_hash = s_hash (key);
        slot->changes = s_changes (kind);
    }
    s_begin (self, slot, key, in);
    if (conn->line && !conn->line->waits) /* it could not be sent */
        s_advance (self, conn);
}

void synod__redis_then (synod__redis_t *self, synod__redis_slot_t *slot, synod__redis_kind_t kind, synod_str_t key,
                        const void *in, synod__redis_on_done_t *on_done)
{
    slot->kind = kind;
    slot->on_done = on_done;
    slot->changes |= self->back->ordered && s_changes (kind);
    if (slot->lined && !slot->conn) /* nobody waits for it any more */
        return;
    s_begin (self, slot, key, in);
}

synod__redis_slot_t *synod__redis_many (synod__redis_request_t *request, synod__redis_gather_t gather,
                                        synod__redis_on_done_t *on_done)
{
    synod__redis_slot_t *slot = s_slot (request->redis, request->conn);
    slot->gather = gather;
    slot->on_done = on_done;
    slot->waits = 1; /* until the last one is added */
    return slot;
}

void synod__redis_many_add (synod__redis_request_t *request, synod__redis_slot_t *slot, synod__redis_kind_t kind,
                            synod_str_t key, const void *in)
{
    slot->kind = kind;
    if (request->redis->back->ordered) { /* of one of them; of more, any may be it */
        slot->key_hash = slot->key_hash || slot->waits > 1 ? UINT64_MAX : s_hash (key);
        slot->changes = s_changes (kind);
    }
    s_begin (request->redis, slot, key, in);
}

void synod__redis_many_end (synod__redis_request_t *request, synod__redis_slot_t *slot)
{
    if (--slot->waits)
        return;
    s_gathered (slot);
    if (request->conn->line == slot)
        s_advance (request->redis, request->conn);
}

bool synod__redis_may (synod__redis_request_t *request, uint32_t first, uint32_t step, bool changes)
{
    if (!request->redis->back->ordered)
        return true;
    for (const synod__redis_slot_t *slot = request->conn->line; slot; slot = slot->next) {
        if (!slot->waits || !slot->key_hash || !(changes || slot->changes))
            continue;
        for (uint32_t i = first; step && i < request->argc; i += step)
            if (slot->key_hash == UINT64_MAX || slot->key_hash == s_hash (request->argv[i])) {
                request->conn->again = true;
                return false;
            }
    }
    return true;
}

/* ---- cursors of scans ---- */

/* A short one is its own number: such a one needs no remembering. */
uint64_t synod__redis_cursor_new (synod__redis_t *self, synod_str_t cursor)
{
    uint32_t at = 0;
    if (!cursor.size)
        return 0;
    if (cursor.size == sizeof at) {
        memcpy (&at, cursor.data, sizeof at);
        return at;
    }
    uint64_t number = (1ull << 32) + self->cursor++;
    size_t slot = number % SYNOD__REDIS_SCANS_MAX;
    self->cursors[slot].id = number;
    self->cursors[slot].size = cursor.size;
    memcpy (self->cursors[slot].bytes, cursor.data, cursor.size);
    return number;
}

bool synod__redis_cursor_find (const synod__redis_t *self, uint64_t number, char room[SYNOD__KV_CURSOR_MAX],
                               synod_str_t *cursor)
{
    uint32_t at = (uint32_t) number;
    *cursor = synod_str_n (NULL, 0);
    if (!number)
        return true;
    if (number <= UINT32_MAX) {
        memcpy (room, &at, sizeof at);
        *cursor = synod_str_n (room, sizeof at);
        return true;
    }
    size_t slot = number % SYNOD__REDIS_SCANS_MAX;
    *cursor = synod_str_n (self->cursors[slot].bytes, self->cursors[slot].size);
    return self->cursors[slot].id == number;
}
