/* SPDX-License-Identifier: MPL-2.0
 *
 * The checker of atomic commit. It remembers who ever decided what, since a lazily written abort may be forgotten, and
 * must then come out the same again.
 */
#include <assert.h>
#include "vote_check.h"

static int s_agree (const synod__vote_check_t *self, synod_fault_t *fault)
{
    if (self->committed && self->aborted)
        return synod_fault (fault, SYNOD_FAILED, "decided both ways: committed by %x, aborted by %x", self->committed,
                            self->aborted);
    uint32_t all = (uint32_t) ((1ull << self->parties) - 1);
    if (self->committed && (self->prepared != all || self->no))
        return synod_fault (fault, SYNOD_FAILED, "committed, of %x only %x had written a yes, and %x said no", all,
                            self->prepared, self->no);
    return SYNOD_OK;
}

int synod__vote_check_decided (synod__vote_check_t *self, uint32_t party, synod__outcome_t outcome,
                               synod_fault_t *fault)
{
    uint32_t bit = party < self->parties ? 1u << party : 1u << 31;
    if (outcome == SYNOD__OUTCOME_COMMITTED)
        self->committed |= bit;
    else if (outcome == SYNOD__OUTCOME_ABORTED)
        self->aborted |= bit;
    return s_agree (self, fault);
}

int synod__vote_check_said (synod__vote_check_t *self, uint32_t party, synod__vote_t vote, synod_fault_t *fault)
{
    assert (party < self->parties);
    if (vote == SYNOD__VOTE_NO)
        self->no |= 1u << party;
    else if (vote != SYNOD__VOTE_NONE)
        self->yes |= 1u << party;
    return s_agree (self, fault);
}

static bool s_forward (synod__party_state_t before, synod__party_state_t now)
{
    bool decided = before == SYNOD__PARTY_COMMITTED || before == SYNOD__PARTY_ABORTED || before == SYNOD__PARTY_EMPTY;
    return now == before || (!decided && now > before);
}

int synod__vote_check_disk (synod__vote_check_t *self, uint32_t party, const synod__party_record_t *record,
                            synod_fault_t *fault)
{
    assert (party < self->parties);
    synod__party_state_t before = self->disk[party];
    if (!s_forward (before, record->state))
        return synod_fault (fault, SYNOD_FAILED, "participant %u was %s on its disk and now is %s", party,
                            synod__party_state_name (before), synod__party_state_name (record->state));
    self->disk[party] = record->state;
    if (record->state == SYNOD__PARTY_PREPARED || record->state == SYNOD__PARTY_EMPTY)
        self->prepared |= 1u << party;
    if (record->forced)
        return SYNOD_OK;
    return synod__vote_check_decided (self, party,
                                      record->state == SYNOD__PARTY_COMMITTED ? SYNOD__OUTCOME_COMMITTED
                                      : record->state == SYNOD__PARTY_ABORTED ? SYNOD__OUTCOME_ABORTED
                                                                              : SYNOD__OUTCOME_NONE,
                                      fault);
}
