/* SPDX-License-Identifier: MPL-2.0
 *
 * What the coordinator keeps. In the store of a partition:
 *
 *   "o" ID   a transaction: under way and worth remembering, or its outcome
 *   "n"      numbers up to this are taken (eight bytes, big end first)
 *
 * Of 2pc and 3pc nothing is kept until there is something to remember: what is not there was aborted. Of paxos and
 * parallel it is kept from the beginning, since what became of it is found out from others, and a repeat of its id must
 * find it.
 */
#include "actors/runtime/runtime.h"
#include "vote_actor_parts.h"

#define S_RESERVED 1000 /* numbers at a time */
#define S_OWN_BITS 12   /* a life of the node has so many to itself, in each partition; incarnations have 51 */
#define S_SWEPT    64   /* outcomes forgotten at a time */

SYNOD_RECORD_DEFINE (synod__vote_kept, SYNOD__VOTE_KEPT_FIELDS, 0, "what a coordinator keeps of a transaction")

static synod_str_t s_key (synod_str_t id, char room[1 + SYNOD__TXN_ID_MAX])
{
    room[0] = 'o';
    memcpy (room + 1, id.data, id.size);
    return synod_str_n (room, 1 + id.size);
}

int synod__vote_get (synod_ctx_t *ctx, synod_str_t id, synod__vote_kept_t *out)
{
    char room[1 + SYNOD__TXN_ID_MAX];
    synod_str_t value;
    synod_fault_t fault = {0};
    int rc = synod_get (ctx, s_key (id, room), &value);
    if (rc == SYNOD_OK && synod_record_unpack (&synod__vote_kept_record, value, out, &fault) != SYNOD_OK)
        rc = synod_error (ctx, SYNOD_IO, "what the store has of transaction %.*s is damaged: %s", SYNOD_STR (id),
                          fault.text);
    return rc;
}

int synod__vote_put (synod_ctx_t *ctx, const synod__voting_t *voting)
{
    const synod__coordinator_record_t *record = &voting->core.record;
    char room[1 + SYNOD__TXN_ID_MAX];
    synod_buf_t description = {0}, packed = {0};
    synod_str_t id = synod_str (voting->txn.id.id);
    if (SYNOD__VOTE_MUTANT (END_BEFORE_ACKS) && voting->core.phase == SYNOD__COORDINATOR_ENDED)
        return synod_delete (ctx, s_key (id, room));
    synod__vote_kept_t kept = {.outcome = synod_str (synod__outcome_name (record->outcome)),
                               .epoch = voting->txn.id.epoch,
                               .number = voting->txn.id.number,
                               .precommitted = record->precommitted,
                               .round = record->round};
    int rc = SYNOD_OK;
    if (record->outcome == SYNOD__OUTCOME_ABORTED) {
        kept.reasons.count = voting->nreasons;
        kept.reasons.bytes = synod_str_n (voting->reasons.data, voting->reasons.size);
    }
    if (voting->core.phase == SYNOD__COORDINATOR_ENDED)
        kept.ended = (uint64_t) (synod_wall_us (ctx) / 1000000);
    else {
        rc = synod__txn_pack (&voting->txn, &description);
        kept.since = voting->since;
        kept.txn = synod_str_n (description.data, description.size);
    }
    if (rc == SYNOD_OK)
        rc = synod_record_pack (&synod__vote_kept_record, &kept, &packed, NULL);
    if (rc == SYNOD_OK)
        rc = synod_put (ctx, s_key (id, room), synod_str_n (packed.data, packed.size));
    synod_buf_free (&description);
    synod_buf_free (&packed);
    return rc;
}

static int s_get_number (synod_ctx_t *ctx, uint64_t *number)
{
    synod_str_t value;
    int rc = synod_get (ctx, synod_str ("n"), &value);
    *number = 0;
    for (uint32_t i = 0; rc == SYNOD_OK && i < value.size; i++)
        *number = *number << 8 | (uint8_t) value.data[i];
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

int synod__vote_number (synod_ctx_t *ctx, synod__vote_state_t *self, uint64_t *number)
{
    if (self->next >= self->reserved) {
        char bytes[8];
        uint64_t reserved = self->next + S_RESERVED;
        for (int i = 0; i < 8; i++)
            bytes[i] = (char) (reserved >> (56 - 8 * i));
        int rc = synod_put (ctx, synod_str ("n"), synod_str_n (bytes, sizeof bytes));
        if (rc != SYNOD_OK)
            return rc;
        self->reserved = reserved;
    }
    *number = self->next++;
    return SYNOD_OK;
}

/* ---- life ---- */

typedef struct {
    synod_ctx_t *ctx;
    synod__vote_state_t *self;
    int rc;
} s_load_t;

static bool s_load_one (void *arg, synod_str_t key, synod_str_t value)
{
    s_load_t *load = (s_load_t *) arg;
    synod__vote_kept_t kept;
    synod__txn_txn_t packed;
    synod__txn_t txn = {.addresses = {0}};
    synod_fault_t fault = {0};
    load->rc = synod_record_unpack (&synod__vote_kept_record, value, &kept, &fault);
    if (load->rc == SYNOD_OK && !kept.txn.size)
        return true;
    if (load->rc == SYNOD_OK)
        load->rc = synod_record_unpack (&synod__txn_txn_record, kept.txn, &packed, &fault);
    if (load->rc == SYNOD_OK)
        load->rc = synod__txn_take (&txn, &packed, &fault);
    if (load->rc != SYNOD_OK) {
        synod__txn_free (&txn);
        synod_error (load->ctx, load->rc, "what the store has of transaction %.*s is damaged: %s", SYNOD_STR (key),
                     fault.text);
        return false;
    }
    synod__voting_t *voting = synod__voting_new (load->self, &txn);
    voting->since = kept.since;
    voting->core.record = (synod__coordinator_record_t){synod__outcome (kept.outcome), kept.precommitted, kept.round};
    return true;
}

int synod__vote_load (synod_ctx_t *ctx, synod__vote_state_t *self)
{
    s_load_t load = {ctx, self, SYNOD_OK};
    int rc = s_get_number (ctx, &self->reserved);
    uint64_t first = synod__ctx_life (ctx) << S_OWN_BITS, own = first ? first + (1u << S_OWN_BITS) : 0;
    self->next = self->reserved > 0 ? self->reserved : 1; /* those that were taken and not used are passed over */
    /* what was taken in a former life, and is not in the store, was below this life's own */
    self->next = self->next > first ? self->next : first;
    self->sure = self->reserved > own ? self->reserved : own;
    if (rc == SYNOD_OK)
        rc = synod_scan (ctx, synod_str ("o"), synod_str ("p"), s_load_one, &load);
    return rc == SYNOD_OK ? load.rc : rc;
}

typedef struct {
    uint64_t before_s;
    uint32_t count;
    struct {
        char bytes[1 + SYNOD__TXN_ID_MAX];
        uint32_t size;
    } keys[S_SWEPT];
} s_sweep_t;

static bool s_gather (void *arg, synod_str_t key, synod_str_t value)
{
    s_sweep_t *sweep = (s_sweep_t *) arg;
    synod__vote_kept_t kept;
    if (key.size > sizeof sweep->keys[0].bytes ||
        synod_record_unpack (&synod__vote_kept_record, value, &kept, NULL) != SYNOD_OK || kept.txn.size ||
        kept.ended >= sweep->before_s)
        return true;
    memcpy (sweep->keys[sweep->count].bytes, key.data, key.size);
    sweep->keys[sweep->count++].size = key.size;
    return sweep->count < S_SWEPT;
}

int synod__vote_sweep (synod_ctx_t *ctx)
{
    s_sweep_t sweep = {.count = 0};
    int64_t now_s = synod_wall_us (ctx) / 1000000;
    sweep.before_s = now_s > SYNOD__VOTE_KEEP_S ? (uint64_t) (now_s - SYNOD__VOTE_KEEP_S) : 0;
    int rc = synod_scan (ctx, synod_str ("o"), synod_str ("p"), s_gather, &sweep);
    for (uint32_t i = 0; i < sweep.count && rc == SYNOD_OK; i++)
        rc = synod_delete (ctx, synod_str_n (sweep.keys[i].bytes, sweep.keys[i].size));
    return rc;
}

int synod__vote_answer (synod_ctx_t *ctx, synod_call_t call, synod_str_t id, synod__outcome_t outcome,
                        const synod_list_t *reasons, bool again)
{
    synod__txn_outcome_t out = {
        .id = id, .outcome = synod_str (synod__outcome_name (outcome)), .reasons = *reasons, .again = again};
    int rc = synod_reply (ctx, call, &synod__txn_outcome_record, &out);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc; /* its asker's time is over */
}
