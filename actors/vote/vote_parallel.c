/* SPDX-License-Identifier: MPL-2.0
 *
 * Parallel commit: two-phase commit in which the votes are the decision (Taft et al., CockroachDB, SIGMOD 2020, section
 * 3.2; Guo et al., Cornus, VLDB 2022, section 3). The coordinator writes that it begins, while the participants are
 * asked already: a transaction is committed from when that record and every yes are durable, and COMMITTED is not
 * written before it is said. Who comes back to such a record asks the participants; one that has not voted aborts first,
 * for good. Without the record nothing can have been committed.
 *
 * Invariant: an abort that no NO stands for is forced, since the votes alone would say otherwise.
 */
#include "vote_parts.h"

static void s_patience (synod__coordinator_t *self, bool expired, uint64_t random, synod__vote_step_t *out)
{
    bool no;
    uint32_t left = synod__vote_all (self->tx) & ~synod__coordinator_votes (self, &no);
    if (self->phase == SYNOD__COORDINATOR_LEARNING) {
        synod__coordinator_send (SYNOD__ROLE_PARTY, left, SYNOD__SAY_ASK, out);
        out->wait_ms = synod__vote_wait_ms (self->tries++, random);
        return;
    }
    if (!expired) {
        synod__coordinator_collect (self, left, random, out);
        return;
    }
    synod__coordinator_decide (self, SYNOD__OUTCOME_ABORTED, random, out);
    if (!SYNOD__VOTE_MUTANT (ABORT_NOT_FORCED))
        synod__vote_write (SYNOD__WRITE_FORCED, out);
}

/* What one that is asked has voted; who knows the outcome says that. */
static void s_take (synod__coordinator_t *self, const synod__vote_message_t *in, uint64_t random,
                    synod__vote_step_t *out)
{
    if (in->kind != SYNOD__SAY_STATE || in->role != SYNOD__ROLE_PARTY)
        return;
    if (in->state == SYNOD__PARTY_PREPARED)
        self->votes[in->from] = SYNOD__VOTE_YES;
    else if (in->state == SYNOD__PARTY_EMPTY)
        self->votes[in->from] = SYNOD__VOTE_EMPTY;
    synod__2pc_voted (self, random, out);
}

/* It may have been decided, and said: the votes tell. */
static void s_returned (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out)
{
    if (SYNOD__VOTE_MUTANT (RETURN_ABORTS))
        synod__coordinator_decide (self, SYNOD__OUTCOME_ABORTED, random, out);
    else
        s_patience (self, false, random, out);
}

const synod__vote_ops_t synod__vote_parallel = {.say = synod__2pc_say,
                                                .blocked = synod__2pc_blocked,
                                                .party_take = synod__2pc_party_take,
                                                .voted = synod__2pc_voted,
                                                .patience = s_patience,
                                                .coordinator_take = s_take,
                                                .returned = s_returned,
                                                .begin = SYNOD__WRITE_FORCED,
                                                .early = true,
                                                .commit = SYNOD__WRITE_NOTHING};
