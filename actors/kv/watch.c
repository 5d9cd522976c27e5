/* SPDX-License-Identifier: MPL-2.0
 *
 * Watching a key.
 */
#include "watch.h"

void synod__kv_watch_begin (synod__kv_watch_of_t *self, synod_str_t key)
{
    memset (self, 0, sizeof *self);
    self->key = key;
}

synod__kv_watched_t synod__kv_watch_lost (synod__kv_watch_of_t *self)
{
    self->reading = true;
    return SYNOD__KV_WATCH_READ;
}

synod__kv_watched_t synod__kv_watch_change (synod__kv_watch_of_t *self, const synod__kv_change_t *in)
{
    bool mine = synod_str_same (in->key, self->key);
    if (!self->placed || in->partition != self->partition || !self->known)
        return SYNOD__KV_WATCH_OLD; /* the first read has it */
    if (self->reading) {
        if (mine && in->version > self->seen)
            self->seen = in->version;
        if (!self->run || in->previous != self->run)
            self->run_after = in->previous;
        self->run = in->version;
        return SYNOD__KV_WATCH_OLD;
    }
    if (in->version <= self->floor)
        return SYNOD__KV_WATCH_OLD;
    bool follows = in->previous && in->previous <= self->floor;
    if (!follows) {
        self->seen = mine ? in->version : 0;
        return synod__kv_watch_lost (self);
    }
    self->floor = in->version;
    if (!mine)
        return SYNOD__KV_WATCH_OLD;
    self->found = in->found;
    self->version = in->found ? in->version : 0;
    self->jump = false;
    return SYNOD__KV_WATCH_NEXT;
}

synod__kv_watched_t synod__kv_watch_watching (synod__kv_watch_of_t *self, const synod__kv_watching_t *in)
{
    self->placed = true;
    self->partition = in->partition;
    if (self->reading)
        return SYNOD__KV_WATCH_OLD;
    bool differs = in->found != self->found || in->version != self->version;
    if (!self->known || (differs && in->at > self->floor)) /* else it is older than what is known */
        return synod__kv_watch_lost (self);
    return SYNOD__KV_WATCH_OLD;
}

synod__kv_watched_t synod__kv_watch_read (synod__kv_watch_of_t *self, const synod__kv_is_t *in)
{
    self->reading = false;
    if (self->known && (in->at < self->floor || in->at < self->seen)) /* from before what is known to have come */
        return synod__kv_watch_lost (self);
    bool differs = !self->known || in->found != self->found || in->version != self->version;
    self->known = true;
    bool goes_on = self->run > in->at && self->run_after && self->run_after <= in->at;
    self->floor = goes_on ? self->run : in->at;
    self->seen = self->run = self->run_after = 0;
    self->found = in->found;
    self->version = in->version;
    self->jump = true;
    return differs ? SYNOD__KV_WATCH_NEXT : SYNOD__KV_WATCH_OLD;
}
