/* SPDX-License-Identifier: MPL-2.0
 *
 * Replication on the wire. Batches and runs are packed arrays of arrays in one field each, so that a message costs no
 * record for each of them and a sniffer still prints them. Here only the shape is checked; what makes sense, and when,
 * is the replica's to say.
 */
#include <assert.h>
#include <synod/actor.h>
#include "epoch.h"
#include "protocol/packer.h"
#include "protocol/reader.h"
#include "replica_wire.h"

_Static_assert(SYNOD__PLACE_STORE_SIZE == SYNOD__STORE_ID_SIZE, "a store's id");
_Static_assert(SYNOD__PLACE_PARTITION_MAX == SYNOD__PARTITIONS_MAX - 1, "a partition's number");
/* NOLINTBEGIN(misc-redundant-expression): they are stated twice */
_Static_assert(SYNOD__PLACE_BATCH_MAX == SYNOD__REPLICA_BATCH_MAX, "a message's batches");
_Static_assert(SYNOD__PLACE_EPOCH_MAX == SYNOD__EPOCH_BYTES_MAX, "an epoch");
/* NOLINTEND(misc-redundant-expression) */
_Static_assert(SYNOD__PLACE_KEY_MAX == 1 + SYNOD_STORE_KEY_MAX, "a key of a copy");
_Static_assert(SYNOD__PLACE_BATCHES_MAX == SYNOD__REPLICA_BATCH_MAX + SYNOD__REPLICA_BATCHES_MAX * (1 + 9 + 9 + 5) + 3,
               "the most batches, packed");
_Static_assert(SYNOD__PLACE_RUNS_MAX == SYNOD__REPLICA_RUNS_MAX * (1 + 9 + 9) + 3, "the most runs, packed");
/* 24 fields of names up to 11 bytes; what is not limited below has up to 9 */
_Static_assert(3 + 24 * (12 + 9) + SYNOD_NAME_MAX + 2 * SYNOD__PLACE_STORE_SIZE + SYNOD__PLACE_BATCHES_MAX +
                       SYNOD__PLACE_RUNS_MAX + 2 * SYNOD__PLACE_KEY_MAX <=
                   SYNOD_BODY_MAX,
               "the largest message fits a frame");

#define S_KINDS (SYNOD__REPLICA_DELETE + 1)
#define S_WORD(word)            \
    {                           \
        word, sizeof (word) - 1 \
    }

static const synod_str_t s_kinds[S_KINDS] = {
    [SYNOD__REPLICA_SEAL] = S_WORD ("seal"),       [SYNOD__REPLICA_SEALED] = S_WORD ("sealed"),
    [SYNOD__REPLICA_PULL] = S_WORD ("pull"),       [SYNOD__REPLICA_BATCHES] = S_WORD ("batches"),
    [SYNOD__REPLICA_CHUNK] = S_WORD ("chunk"),     [SYNOD__REPLICA_ACK] = S_WORD ("ack"),
    [SYNOD__REPLICA_REFUSED] = S_WORD ("refused"), [SYNOD__REPLICA_LEAVING] = S_WORD ("leaving"),
    [SYNOD__REPLICA_DELETE] = S_WORD ("delete"),
};

/* ---- packing ---- */

static int s_pack_batches (msgpack_packer *packer, const synod__replica_message_t *in)
{
    int rc = msgpack_pack_array (packer, in->nbatches);
    for (uint32_t i = 0; i < in->nbatches; i++) {
        const synod__replica_batch_t *batch = &in->batches[i];
        rc |= msgpack_pack_array (packer, 3) | msgpack_pack_uint64 (packer, batch->epoch) |
              msgpack_pack_uint64 (packer, batch->n) | msgpack_pack_bin (packer, batch->bytes.size);
        if (batch->bytes.size)
            rc |= msgpack_pack_bin_body (packer, batch->bytes.data, batch->bytes.size);
    }
    return rc;
}

static int s_pack_runs (msgpack_packer *packer, const synod__replica_message_t *in)
{
    int rc = msgpack_pack_array (packer, in->nruns);
    for (uint32_t i = 0; i < in->nruns; i++)
        rc |= msgpack_pack_array (packer, 2) | msgpack_pack_uint64 (packer, in->runs[i].epoch) |
              msgpack_pack_uint64 (packer, in->runs[i].first);
    return rc;
}

static bool s_fits (const synod__replica_message_t *in)
{
    uint64_t bytes = 0;
    if (in->nbatches > SYNOD__REPLICA_BATCHES_MAX || in->nruns > SYNOD__REPLICA_RUNS_MAX)
        return false;
    for (uint32_t i = 0; i < in->nbatches; i++)
        bytes += in->batches[i].bytes.size;
    /* together: no kind has both */
    return bytes + in->entries.size <= SYNOD__REPLICA_BATCH_MAX && in->key.size <= SYNOD__PLACE_KEY_MAX &&
           in->last_key.size <= SYNOD__PLACE_KEY_MAX;
}

int synod__replica_wire_pack (const synod__replica_message_t *in, synod__place_copy_t *out, synod_buf_t *room)
{
    assert (in->kind >= SYNOD__REPLICA_SEAL && in->kind <= SYNOD__REPLICA_DELETE);
    if (!s_fits (in))
        return SYNOD_TOO_LARGE;
    msgpack_packer packer;
    room->size = 0;
    msgpack_packer_init (&packer, room, synod__pack_write);
    if (in->nbatches && s_pack_batches (&packer, in))
        return SYNOD_NO_MEMORY;
    size_t batches = room->size;
    if (in->nruns && s_pack_runs (&packer, in))
        return SYNOD_NO_MEMORY;
    *out = (synod__place_copy_t){
        .type = out->type,
        .partition = out->partition,
        .kind = s_kinds[in->kind],
        .to = out->to,
        .from = synod_str_n (in->from.bytes, sizeof in->from.bytes),
        .epoch = in->epoch,
        .mark = in->mark,
        .last = in->last,
        .n = in->n,
        .round = in->round,
        .base = in->base,
        .after_epoch = in->after_epoch,
        .after_n = in->after_n,
        .spare = in->spare,
        .whole = in->whole,
        .staging = in->staging,
        .scanned = in->scanned,
        .more = in->more,
        .at = in->at,
        .key = in->key,
        .entries = in->entries,
        .last_key = in->last_key,
    };
    if (in->nbatches)
        out->batches = synod_str_n (room->data, batches);
    if (in->nruns)
        out->runs = synod_str_n (room->data + batches, room->size - batches);
    return SYNOD_OK;
}

/* ---- taking ---- */

static int s_bad (synod_fault_t *fault, const char *field, int most, const char *expected, uint64_t got,
                  const char *came)
{
    return synod_fault (fault, SYNOD_BAD_REQUEST, "copy.%s: expected up to %d %s, got %llu %s", field, most, expected,
                        (unsigned long long) got, came);
}

static int s_take_store (const char *field, synod_str_t id, synod_fault_t *fault)
{
    if (id.size == SYNOD__STORE_ID_SIZE)
        return SYNOD_OK;
    return synod_fault (fault, SYNOD_BAD_REQUEST, "copy.%s: expected a store's id of %d bytes, got %u bytes", field,
                        SYNOD__STORE_ID_SIZE, id.size);
}

static int s_take_kind (synod_str_t word, synod__replica_kind_t *kind, synod_fault_t *fault)
{
    for (int i = SYNOD__REPLICA_SEAL; i < S_KINDS; i++)
        if (synod_str_same (word, s_kinds[i])) {
            *kind = (synod__replica_kind_t) i;
            return SYNOD_OK;
        }
    return synod_fault (
        fault, SYNOD_BAD_REQUEST,
        "copy.kind: expected seal, sealed, pull, batches, chunk, ack, refused, leaving or delete, got '%.*s'",
        SYNOD_STR (word));
}

/* The head of an array of up to MOST, 0 for nothing at all; more than that, or no array: false. */
static bool s_take_count (synod__reader_t *reader, synod_str_t bytes, uint32_t most, uint32_t *count)
{
    synod__value_t head;
    *count = 0;
    if (!bytes.data)
        return true;
    *reader = synod__reader (bytes);
    if (synod__read (reader, &head))
        return false;
    if (head.type == SYNOD__NIL)
        return true;
    *count = head.size;
    return head.type == SYNOD__ARRAY && head.size <= most;
}

/* The head of an array of SIZE, and the two numbers that it begins with. */
static bool s_take_pair (synod__reader_t *reader, uint32_t size, uint64_t *one, uint64_t *two)
{
    synod__value_t head, a, b;
    if (synod__read (reader, &head) || head.type != SYNOD__ARRAY || head.size != size || synod__read (reader, &a) ||
        a.type != SYNOD__UINT || synod__read (reader, &b) || b.type != SYNOD__UINT)
        return false;
    *one = a.u;
    *two = b.u;
    return true;
}

static int s_take_batches (synod_str_t in, synod__replica_message_t *out, synod__replica_batch_t *batches,
                           synod_fault_t *fault)
{
    static const char expected[] = "batches of [epoch, n, bytes]";
    synod__reader_t reader;
    synod__value_t bytes;
    uint64_t together = out->entries.size;
    if (!s_take_count (&reader, in, SYNOD__REPLICA_BATCHES_MAX, &out->nbatches))
        return s_bad (fault, "batches", SYNOD__REPLICA_BATCHES_MAX, expected, in.size, "bytes that are none");
    for (uint32_t i = 0; i < out->nbatches; i++) {
        if (!s_take_pair (&reader, 3, &batches[i].epoch, &batches[i].n) || synod__read (&reader, &bytes) ||
            bytes.type != SYNOD__BIN)
            return s_bad (fault, "batches", SYNOD__REPLICA_BATCHES_MAX, expected, i, "and then something else");
        batches[i].bytes = synod_str_n (bytes.data, bytes.size);
        together += bytes.size;
    }
    if (together > SYNOD__REPLICA_BATCH_MAX)
        return s_bad (fault, "batches", SYNOD__REPLICA_BATCH_MAX, "bytes of them and of entries", together, "bytes");
    out->batches = out->nbatches ? batches : NULL;
    return SYNOD_OK;
}

static int s_take_runs (synod_str_t in, synod__replica_message_t *out, synod__replica_run_t *runs, synod_fault_t *fault)
{
    static const char expected[] = "runs of [epoch, first]";
    synod__reader_t reader;
    if (!s_take_count (&reader, in, SYNOD__REPLICA_RUNS_MAX, &out->nruns))
        return s_bad (fault, "runs", SYNOD__REPLICA_RUNS_MAX, expected, in.size, "bytes that are none");
    for (uint32_t i = 0; i < out->nruns; i++)
        if (!s_take_pair (&reader, 2, &runs[i].epoch, &runs[i].first))
            return s_bad (fault, "runs", SYNOD__REPLICA_RUNS_MAX, expected, i, "and then something else");
    out->runs = out->nruns ? runs : NULL;
    return SYNOD_OK;
}

int synod__replica_wire_take (const synod__place_copy_t *in, synod__replica_message_t *out,
                              synod__replica_batch_t batches[SYNOD__REPLICA_BATCHES_MAX],
                              synod__replica_run_t runs[SYNOD__REPLICA_RUNS_MAX], synod_fault_t *fault)
{
    *out = (synod__replica_message_t){
        .epoch = in->epoch,
        .round = in->round,
        .mark = in->mark,
        .last = in->last,
        .n = in->n,
        .base = in->base,
        .after_epoch = in->after_epoch,
        .after_n = in->after_n,
        .spare = in->spare,
        .whole = in->whole,
        .staging = in->staging,
        .scanned = in->scanned,
        .more = in->more,
        .at = in->at,
        .key = in->key,
        .entries = in->entries,
        .last_key = in->last_key,
    };
    int rc = s_take_store ("to", in->to, fault);
    if (rc == SYNOD_OK)
        rc = s_take_store ("from", in->from, fault);
    if (rc == SYNOD_OK)
        rc = s_take_kind (in->kind, &out->kind, fault);
    if (rc == SYNOD_OK)
        rc = s_take_batches (in->batches, out, batches, fault);
    if (rc == SYNOD_OK)
        rc = s_take_runs (in->runs, out, runs, fault);
    if (rc == SYNOD_OK)
        memcpy (out->from.bytes, in->from.data, sizeof out->from.bytes);
    return rc;
}
