/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of the participant know of each other. A part is a file:
 *
 *   participant.c         votes, outcomes, what is kept, life
 *   participant_low.c     what is forgotten
 *   participant_doubt.c   for operators: what is undecided, and what they say becomes of it
 */
#ifndef SYNOD_VOTE_PARTICIPANT_PARTS_H_INCLUDED
#define SYNOD_VOTE_PARTICIPANT_PARTS_H_INCLUDED

#include "txn.h"
#include "actors/runtime/party.h"

#define SYNOD__PARTY_KEY_MAX (1 + 4 + 8 + 8 + 1 + SYNOD__TXN_ID_MAX)

#define SYNOD__PARTY_HELD_FIELDS(FIELD, OPT)                                      \
    FIELD (str, state, SYNOD_NAME_MAX, "what it is on the disk")                  \
    OPT (bit, forced, 0, "by an operator")                                        \
    OPT (bit, contradicts, 0, "and was decided otherwise")                        \
    OPT (u64, since, UINT64_MAX, "when it voted, in seconds by the wall clock")   \
    OPT (u64, round, UINT64_MAX, "the last that it used in recovery")             \
    OPT (any, txn, SYNOD_FRAME_MAX, "who takes part; missing when it is decided") \
    OPT (any, op, SYNOD__TXN_OP_MAX, "what it is to do; missing when it is decided")
SYNOD_RECORD_DECLARE (synod__party_held, SYNOD__PARTY_HELD_FIELDS)

/* A transaction in memory: one under way, or the one that a message is about. */
typedef struct {
    char key[SYNOD__PARTY_KEY_MAX];
    uint32_t key_size;
    uint64_t serial, since;
    bool contradicts;
    uint32_t undone; /* the instance's, when it was last compared with what is stored */
    synod__txn_t txn;
    synod__party_t core;
    synod_buf_t op;
    synod_timer_t timer;
    UT_hash_handle hh;
} synod__party_entry_t;

#define SYNOD__PARTY_LOWS 64

struct synod__parties_t {
    synod__party_entry_t *entries;
    uint64_t serial;
    struct {
        bool known;
        uint32_t undone;
        uint64_t home, low;
    } lows[SYNOD__PARTY_LOWS]; /* marks as stored, of coordinators by their last bits */
};

/* Puts the last BYTES bytes of NUMBER, big end first; returns what is behind them. */
static inline char *synod__party_number (char *at, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (char) (number >> (8 * (bytes - 1 - i)));
    return at + bytes;
}

/* ---- participant.c ---- */

uint32_t synod__party_key (const synod__txn_id_t *id, uint32_t index, char room[SYNOD__PARTY_KEY_MAX]);
/* From what is stored. DESCRIPTION: of the message, for one that is decided, which keeps none; or NULL. NULL with an
 * error. */
synod__party_entry_t *synod__party_load (synod_ctx_t *ctx, synod_str_t key, synod_str_t value,
                                         const synod__txn_txn_t *description, uint32_t index);
/* Carries STEP out; frees ENTRY unless it waits. WAS: whether it had voted yes, so that its actor has something to do
 * about the outcome. */
int synod__party_carry (synod_ctx_t *ctx, void *state, synod__party_entry_t *entry, const synod__vote_step_t *step,
                        bool was, const char *reason);
void synod__party_drop (synod__parties_t *self, synod__party_entry_t *entry);

/* ---- participant_low.c ---- */

/* All transactions of that coordinator below it have ended, and are forgotten. */
uint64_t synod__party_low (synod_ctx_t *ctx, uint64_t home);
/* The coordinator says that all below LOW have ended. */
int synod__party_trim (synod_ctx_t *ctx, uint64_t home, uint64_t low);

/* ---- participant_doubt.c ---- */

int synod__party_on_txns (synod_ctx_t *ctx, void *state, const synod__txn_txns_t *in, synod_call_t call);
int synod__party_on_resolve (synod_ctx_t *ctx, void *state, const synod__txn_resolve_t *in, synod_call_t call);

#endif
