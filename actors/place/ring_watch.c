/* SPDX-License-Identifier: MPL-2.0
 *
 * A keeper's view. Invariants: only reports of the epoch itself say anything about it; an owner that does not report
 * keeps the ring from settling; what was heard before a member was lost does not speak for it afterwards.
 */
#include <stdlib.h>
#include "ring_watch.h"
#include "actors/runtime/mutants.h"

/* ---- who is watched ---- */

static void s_free_members (synod__watched_t *members, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free (members[i].lacking);
    free (members);
}

void synod__ring_watch_free (synod__ring_watch_t *self)
{
    s_free_members (self->members, self->nmembers);
    for (uint32_t i = 0; i < self->nbelievers; i++)
        free (self->believers[i].dead);
    free (self->owns);
    free (self->can_stop);
    memset (self, 0, sizeof *self);
}

uint32_t synod__ring_watch_find (const synod__ring_watch_t *self, const synod__store_id_t *id)
{
    uint32_t i = 0;
    while (i < self->nmembers && synod__store_id_compare (&self->members[i].id, id) != 0)
        i++;
    return i;
}

/* The epoch has marked it otherwise than the one before. One that was down shortly before waits twice as long. */
static void s_marked (synod__watched_t *one, bool down, int64_t now_us)
{
    if (down) {
        bool stable = now_us - one->marked_us >= SYNOD__WATCH_DELAY_MAX_MS * 1000ll;
        if (one->stopping) /* it said so */
            one->delay_ms = 0;
        else if (stable || one->delay_ms == 0)
            one->delay_ms = SYNOD__WATCH_DELAY_MS;
        else if (one->delay_ms < SYNOD__WATCH_DELAY_MAX_MS / 2)
            one->delay_ms *= 2;
        else
            one->delay_ms = SYNOD__WATCH_DELAY_MAX_MS;
    }
    one->down = down;
    one->marked_us = now_us;
    one->ready_us = 0;
}

static void s_enter_keepers (synod__ring_watch_t *self, const synod__epoch_t *epoch)
{
    synod__believer_t before[SYNOD__KEEPERS_MAX];
    uint32_t nbefore = self->nbelievers;
    memcpy (before, self->believers, sizeof before);
    memset (self->believers, 0, sizeof self->believers);
    self->nbelievers = epoch->nkeepers;
    for (uint32_t i = 0; i < epoch->nkeepers; i++) {
        self->believers[i].id = epoch->keepers[i];
        for (uint32_t j = 0; j < nbefore; j++)
            if (synod__store_id_compare (&before[j].id, &epoch->keepers[i]) == 0) {
                self->believers[i] = before[j];
                before[j].dead = NULL;
            }
    }
    for (uint32_t j = 0; j < nbefore; j++)
        free (before[j].dead);
}

bool synod__ring_watch_enter (synod__ring_watch_t *self, const synod__epoch_t *epoch, int64_t now_us)
{
    synod__watched_t *members = (synod__watched_t *) calloc (epoch->nmembers, sizeof *members);
    bool *can_stop = (bool *) calloc (epoch->nmembers, sizeof *can_stop);
    if (!members || !can_stop) {
        free (members);
        free (can_stop);
        return false;
    }
    for (uint32_t i = 0; i < epoch->nmembers; i++) {
        uint32_t known = synod__ring_watch_find (self, &epoch->members[i].id);
        if (known < self->nmembers) {
            members[i] = self->members[known];
            self->members[known].lacking = NULL;
            if (members[i].down != epoch->members[i].down)
                s_marked (&members[i], epoch->members[i].down, now_us);
        } else /* of one that is down already nothing is known: it may come back as soon as it is up to date */
            members[i] = (synod__watched_t){
                .id = epoch->members[i].id, .down = epoch->members[i].down, .heard_us = now_us, .marked_us = now_us};
    }
    s_free_members (self->members, self->nmembers);
    free (self->can_stop);
    free (self->owns);
    self->owns = NULL;
    self->can_stop = can_stop;
    self->members = members;
    self->nmembers = epoch->nmembers;
    self->epoch = epoch->number;
    s_enter_keepers (self, epoch);
    return true;
}

/* ---- what is heard ---- */

static bool s_keep (synod__store_id_t **ids, uint32_t *count, const synod__store_id_t *from, uint32_t nfrom)
{
    synod__store_id_t *copy = (synod__store_id_t *) calloc ((size_t) nfrom + 1, sizeof *copy);
    if (!copy)
        return false;
    if (nfrom)
        memcpy (copy, from, nfrom * sizeof *copy);
    free (*ids);
    *ids = copy;
    *count = nfrom;
    return true;
}

static bool s_among (const synod__store_id_t *ids, uint32_t count, const synod__store_id_t *id)
{
    for (uint32_t i = 0; i < count; i++)
        if (synod__store_id_compare (&ids[i], id) == 0)
            return true;
    return false;
}

bool synod__ring_watch_report (synod__ring_watch_t *self, uint32_t member, const synod__place_progress_t *report,
                               bool stopping, const synod__store_id_t *lacking, uint32_t nlacking, int64_t now_us)
{
    synod__watched_t *one = &self->members[member];
    if (!s_keep (&one->lacking, &one->nlacking, lacking, nlacking))
        return false;
    one->heard = true;
    one->lost = false;
    one->heard_us = now_us;
    one->report = *report;
    one->stopping = stopping;
    return true;
}

void synod__ring_watch_lost (synod__ring_watch_t *self, uint32_t member)
{
    self->members[member].lost = true;
}

bool synod__ring_watch_believes (synod__ring_watch_t *self, uint32_t keeper, const synod__store_id_t *dead,
                                 uint32_t ndead, int64_t now_us)
{
    synod__believer_t *one = &self->believers[keeper];
    if (!s_keep (&one->dead, &one->ndead, dead, ndead))
        return false;
    one->heard_us = now_us;
    return true;
}

/* ---- what is believed ---- */

/* One that has not been heard of in this life may be on its way: the directory does not know it yet. */
bool synod__ring_watch_dead (const synod__ring_watch_t *self, uint32_t member, int64_t now_us)
{
    const synod__watched_t *one = &self->members[member];
    int64_t silent_us = now_us - one->heard_us;
    return silent_us > self->times.silence_ms * 1000ll ||
           (one->lost && one->heard && silent_us > self->times.overdue_ms * 1000ll);
}

uint32_t synod__ring_watch_count (const synod__ring_watch_t *self, uint32_t mine, uint32_t member, int64_t now_us)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->nbelievers; i++) {
        const synod__believer_t *one = &self->believers[i];
        if (i == mine)
            count += synod__ring_watch_dead (self, member, now_us);
        else
            count += one->heard_us && now_us - one->heard_us <= self->times.suspect_ms * 1000ll &&
                     s_among (one->dead, one->ndead, &self->members[member].id);
    }
    return count;
}

uint32_t synod__ring_watch_rank (const synod__ring_watch_t *self, uint32_t mine, int64_t now_us)
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < mine; i++) {
        uint32_t member = synod__ring_watch_find (self, &self->believers[i].id);
        if (member < self->nmembers && !self->members[member].down && !self->members[member].stopping &&
            !synod__ring_watch_dead (self, member, now_us))
            rank++;
    }
    return rank;
}

/* ---- what is wished ---- */

/* It reports in this epoch. */
static bool s_here (const synod__ring_watch_t *self, uint32_t member, int64_t now_us)
{
    return self->members[member].report.epoch == self->epoch && !synod__ring_watch_dead (self, member, now_us);
}

/* It could be marked up: it reports in the epoch, and so does every owner that is up, none of which misses anything. */
static bool s_ready (const synod__ring_watch_t *self, uint32_t member, int64_t now_us)
{
    if (!s_here (self, member, now_us) || self->members[member].stopping)
        return false;
    for (uint32_t i = 0; i < self->nmembers; i++) {
        const synod__watched_t *owner = &self->members[i];
        if (i != member && !self->owns[i])
            continue;
        if (owner->down && i != member)
            continue;
        if (SYNOD__MUTANT (EARLY_UP))
            continue;
        if (!s_here (self, i, now_us) || s_among (owner->lacking, owner->nlacking, &self->members[member].id))
            return false;
    }
    return true;
}

static synod__wish_t s_wish_down (synod__ring_watch_t *self, const synod__epoch_t *epoch, uint32_t mine,
                                  uint32_t member, int64_t now_us)
{
    synod__watched_t *one = &self->members[member];
    if (synod__ring_watch_count (self, mine, member, now_us) > self->nbelievers / 2)
        return SYNOD__WISH_DOWN;
    if (!one->stopping || !epoch->members[member].weight)
        return SYNOD__WISH_NONE;
    self->can_stop[member] = self->can_stop[member] || synod__ring_can_stop (epoch, member);
    return self->can_stop[member] ? SYNOD__WISH_DOWN : SYNOD__WISH_NONE;
}

static synod__wish_t s_wish_up (synod__ring_watch_t *self, const synod__epoch_t *epoch, uint32_t member, int64_t now_us)
{
    synod__watched_t *one = &self->members[member];
    if (!s_ready (self, member, now_us))
        one->ready_us = 0;
    else if (!one->ready_us)
        one->ready_us = now_us;
    if (one->ready_us && now_us - one->ready_us >= one->delay_ms * 1000ll)
        return SYNOD__WISH_UP;
    int64_t since_us = one->marked_us > one->heard_us ? one->marked_us : one->heard_us;
    if (self->times.grace_ms && epoch->members[member].target && synod__ring_watch_dead (self, member, now_us) &&
        now_us - since_us >= self->times.grace_ms * 1000ll && synod__ring_can_spare (epoch, member))
        return SYNOD__WISH_REMOVE;
    return SYNOD__WISH_NONE;
}

/* Whether every owner, and every member that joins, reports in the epoch; how far they are. An owner that is down has
 * what nobody else has: nothing settles until it is back. */
static bool s_all_report (const synod__ring_watch_t *self, const synod__epoch_t *epoch, int64_t now_us, bool *prepared,
                          bool *settled)
{
    *prepared = *settled = true;
    for (uint32_t i = 0; i < self->nmembers; i++) {
        const synod__place_progress_t *report = &self->members[i].report;
        if (!self->owns[i] && epoch->members[i].weight)
            continue;
        if (!s_here (self, i, now_us))
            return false;
        *prepared = *prepared && report->unprepared == 0;
        *settled = *settled && report->unsettled == 0;
    }
    return true;
}

bool synod__ring_watch_wish (synod__ring_watch_t *self, const synod__epoch_t *epoch, uint32_t mine, int64_t now_us,
                             synod__wishes_t *out)
{
    bool prepared, settled;
    out->any = out->settle = false;
    out->settled = 0;
    memset (out->of, 0, self->nmembers * sizeof *out->of);
    if (!self->owns) {
        self->owns = (bool *) calloc (self->nmembers + 1, sizeof *self->owns);
        if (!self->owns || !synod__ring_owners (epoch, self->owns)) {
            free (self->owns);
            self->owns = NULL;
            return false;
        }
    }
    for (uint32_t i = 0; i < self->nmembers; i++) {
        out->of[i] =
            self->members[i].down ? s_wish_up (self, epoch, i, now_us) : s_wish_down (self, epoch, mine, i, now_us);
        out->any = out->any || out->of[i] != SYNOD__WISH_NONE;
    }
    if (s_all_report (self, epoch, now_us, &prepared, &settled)) {
        out->settled = settled ? self->epoch : 0;
        out->settle = prepared && synod__ring_moving (epoch);
        out->any = out->any || out->settle;
    }
    return true;
}
