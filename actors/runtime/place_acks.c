/* SPDX-License-Identifier: MPL-2.0
 *
 * What is said of a copy when its batches are durable that nobody waits for: a replica's acknowledgement, and to an owner's
 * core that its own store has them. Invariant: of each commit that is said which it has, whatever was written since it was begun.
 */
#include "place.h"

/* Its acknowledgement waits for the commit that has what it acknowledges. Anything else that a copy says is for somebody
 * who waits, and the turn's end commits. True: MAIL was put by. */
bool synod__ack_waits (synod__rt_t *rt, const synod__partition_t *self, const synod__replica_mail_t *mail)
{
    if (!self->lazy || self->replica.role == SYNOD__REPLICA_OWNER || SYNOD__MUTANT (ACK_BEFORE_COMMIT))
        return false;
    if (mail->message.kind != SYNOD__REPLICA_ACK) {
        synod__tie_all (rt);
        return false;
    }
    synod__lazy_t *lazy = &rt->place->lazy[self->lazy - 1];
    lazy->acks = true;
    lazy->ack = *mail;
    return true;
}

void synod__acks_wait (synod__rt_t *rt, synod__partition_t *self)
{
    synod__place_t *place = rt->place;
    if (self->lazy)
        return;
    place->lazy =
        (synod__lazy_t *) synod__grow (place->lazy, &place->lazy_capacity, place->nlazy + 1, sizeof *place->lazy);
    place->lazy[place->nlazy] = (synod__lazy_t){.partition = self};
    self->lazy = ++place->nlazy;
}

void synod__place_begun (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    place->copying = false;
    if (!place->nlazy)
        return;
    place->begun = (synod__lazy_t *) synod__grow (place->begun, &place->begun_capacity, place->nbegun + place->nlazy,
                                                  sizeof *place->begun);
    for (uint32_t i = 0; i < place->nlazy; i++) {
        synod__lazy_t *lazy = &place->lazy[i];
        synod__partition_t *self = lazy->partition;
        self->lazy = 0;
        lazy->commit = rt->commit;
        lazy->epoch = self->replica.epoch;
        lazy->n = self->replica.head.n;
        place->begun[place->nbegun++] = *lazy;
    }
    place->nlazy = 0;
}

/* An acknowledgement tells of no more than what is durable. */
void synod__place_committed (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    uint32_t count = 0;
    for (; count < place->nbegun && place->begun[count].commit <= rt->durable; count++) {
        synod__lazy_t lazy = place->begun[count];
        if (SYNOD__MUTANT (BEGUN_AND_LATER))
            lazy.n = lazy.partition->replica.head.n;
        const uint64_t says = rt->says;
        rt->says = 0;
        if (lazy.acks)
            synod__copy_mail (rt, lazy.partition, &lazy.ack);
        rt->says = says;
        synod__copies_carry (rt, lazy.partition, synod__replica_durable (&lazy.partition->replica, lazy.epoch, lazy.n));
    }
    place->nbegun -= count;
    if (place->nbegun)
        memmove (place->begun, place->begun + count, place->nbegun * sizeof *place->begun);
}
