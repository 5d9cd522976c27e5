/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `vote`, for operators: how a transaction is, and all that are under way in a partition.
 */
#include <stdlib.h>
#include "vote_actor_parts.h"
#include "protocol/address.h"

#define S_ANSWER_MAX (128 * 1024) /* bytes of transactions in an answer */

/* SEATS: what OUT borrows. */
static int s_fill (const synod__voting_t *voting, synod__txn_shown_t *out, synod_buf_t *seats)
{
    static const char *const phases[] = {"collecting", "precommitting", "learning", "telling", "ended"};
    const synod__coordinator_t *core = &voting->core;
    *out = (synod__txn_shown_t){.id = synod_str (voting->txn.id.id),
                                .number = voting->txn.id.number,
                                .phase = synod_str (voting->begun ? phases[core->phase] : phases[0]),
                                .outcome = synod_str (synod__outcome_name (core->record.outcome)),
                                .protocol = synod_str (synod__vote_protocol_name (voting->txn.tx.protocol)),
                                .since = voting->since};
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < voting->txn.tx.parties && rc == SYNOD_OK; i++) {
        synod__vote_t vote = core->votes[i] ? core->votes[i] : core->tally.chosen[i];
        synod__txn_seat_t seat = {.to = synod_str (voting->txn.addresses[i]),
                                  .vote = synod_str (synod__vote_name (vote)),
                                  .acked = core->acked >> i & 1,
                                  .waits = voting->begun && synod__coordinator_waits (core) >> i & 1};
        rc = synod_list_add (&out->seats, seats, &synod__txn_seat_record, &seat, NULL);
    }
    return rc;
}

int synod__vote_on_show (synod_ctx_t *ctx, void *state, const synod__txn_show_t *in, synod_call_t call)
{
    const synod__voting_t *voting = synod__voting_find ((synod__vote_state_t *) state, synod_key (ctx));
    synod__vote_kept_t kept;
    synod__txn_shown_t out;
    (void) in;
    if (!call.id)
        return SYNOD_OK;
    if (voting) {
        synod_buf_t seats = {0};
        int rc = s_fill (voting, &out, &seats);
        if (rc == SYNOD_OK)
            rc = synod_reply (ctx, call, &synod__txn_shown_record, &out);
        synod_buf_free (&seats);
        return rc;
    }
    if (!synod__name_ok (synod_key (ctx), false))
        return synod_error (ctx, SYNOD_INVALID, "expected a name as a transaction's id, got \"%.*s\"",
                            SYNOD_STR (synod_key (ctx)));
    int rc = synod__vote_get (ctx, synod_key (ctx), &kept);
    if (rc == SYNOD_NOT_FOUND)
        return synod_error (ctx, rc,
                            "nothing is known of transaction %.*s: it was never begun, was lost and so aborted, "
                            "or ended more than an hour ago",
                            SYNOD_STR (synod_key (ctx)));
    out = (synod__txn_shown_t){.id = synod_key (ctx),
                               .number = kept.number,
                               .phase = synod_str ("ended"),
                               .outcome = kept.outcome,
                               .reasons = kept.reasons};
    return rc == SYNOD_OK ? synod_reply (ctx, call, &synod__txn_shown_record, &out) : rc;
}

static int s_by_number (const void *a, const void *b)
{
    uint64_t x = (*(const synod__voting_t *const *) a)->txn.id.number;
    uint64_t y = (*(const synod__voting_t *const *) b)->txn.id.number;
    return x < y ? -1 : x > y;
}

/* Those of ALL of a higher number than AFTER, in order; returns how many. */
static uint32_t s_above (const synod__vote_state_t *self, uint64_t after, const synod__voting_t **all)
{
    uint32_t count = 0;
    for (const synod__voting_t *voting = self->votings; voting; voting = voting->next)
        if (voting->txn.id.number > after)
            all[count++] = voting;
    if (count)
        qsort (all, count, sizeof *all, s_by_number);
    return count;
}

int synod__vote_on_list (synod_ctx_t *ctx, void *state, const synod__txn_list_t *in, synod_call_t call)
{
    synod__vote_state_t *self = (synod__vote_state_t *) state;
    const synod__voting_t **all = (const synod__voting_t **) calloc (self->count + 1, sizeof (synod__voting_t *));
    synod__txn_listed_t out = {.more = false};
    synod_buf_t items = {0}, seats = {0};
    if (!all)
        return SYNOD_NO_MEMORY;
    uint32_t count = s_above (self, in->after, all);
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < count && rc == SYNOD_OK && !out.more; i++) {
        synod__txn_shown_t one;
        out.more = items.size > S_ANSWER_MAX;
        seats.size = 0;
        if (!out.more)
            rc = s_fill (all[i], &one, &seats);
        if (!out.more && rc == SYNOD_OK)
            rc = synod_list_add (&out.txns, &items, &synod__txn_shown_record, &one, NULL);
    }
    if (rc == SYNOD_OK && call.id)
        rc = synod_reply (ctx, call, &synod__txn_listed_record, &out);
    free (all);
    synod_buf_free (&items);
    synod_buf_free (&seats);
    return rc;
}
