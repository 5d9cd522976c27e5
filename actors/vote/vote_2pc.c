/* SPDX-License-Identifier: MPL-2.0
 *
 * Two-phase commit, presumed abort. A vote goes to the coordinator; all yes commits, and COMMITTED is forced before it
 * is said. A participant that hears nothing asks the coordinator, then the others too: one that knows says so, one that
 * has not voted aborts first. When all that answer are PREPARED it is blocked, and says so.
 */
#include "vote_parts.h"

void synod__2pc_say (synod__party_t *self, uint64_t random, synod__vote_step_t *out)
{
    (void) random;
    if (self->record.state != SYNOD__PARTY_EMPTY) /* which says so itself */
        synod__party_send (self, SYNOD__ROLE_COORDINATOR, 1, SYNOD__SAY_VOTE, out)->vote = SYNOD__VOTE_YES;
}

void synod__2pc_blocked (synod__party_t *self, uint64_t random, synod__vote_step_t *out)
{
    (void) random;
    synod__party_ask (self, self->tries > 0, out);
}

void synod__2pc_party_take (synod__party_t *self, const synod__vote_message_t *in, uint64_t random,
                            synod__vote_step_t *out)
{
    (void) random;
    (void) out;
    self->heard |= 1u << in->from;
    self->states[in->from] = in->state;
}

void synod__2pc_voted (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out)
{
    bool no;
    uint32_t voted = synod__coordinator_votes (self, &no);
    if (voted == synod__vote_all (self->tx) || SYNOD__VOTE_MUTANT (DECISION_BEFORE_ALL))
        synod__coordinator_decide (self, SYNOD__OUTCOME_COMMITTED, random, out);
}

static void s_patience (synod__coordinator_t *self, bool expired, uint64_t random, synod__vote_step_t *out)
{
    bool no;
    uint32_t voted = synod__coordinator_votes (self, &no);
    if (expired)
        synod__coordinator_decide (self, SYNOD__OUTCOME_ABORTED, random, out);
    else
        synod__coordinator_collect (self, synod__vote_all (self->tx) & ~voted, random, out);
}

static void s_coordinator_take (synod__coordinator_t *self, const synod__vote_message_t *in, uint64_t random,
                                synod__vote_step_t *out)
{
    (void) self;
    (void) in;
    (void) random;
    (void) out;
}

/* It had not decided: what it has no record of is aborted. */
static void s_returned (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out)
{
    synod__coordinator_decide (self, SYNOD__OUTCOME_ABORTED, random, out);
}

const synod__vote_ops_t synod__vote_2pc = {.say = synod__2pc_say,
                                           .blocked = synod__2pc_blocked,
                                           .party_take = synod__2pc_party_take,
                                           .voted = synod__2pc_voted,
                                           .patience = s_patience,
                                           .coordinator_take = s_coordinator_take,
                                           .returned = s_returned,
                                           .early = true,
                                           .commit = SYNOD__WRITE_FORCED};
