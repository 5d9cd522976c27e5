/* SPDX-License-Identifier: MPL-2.0
 *
 * Snapshots and deltas. Changes are gathered: the first after a quiet time goes out at the end of its turn, those that
 * follow within SYNOD__GATHER_US together. Snapshots go out at the same moments, after the deltas: so whoever gets one
 * sees exactly the directory to which all later deltas apply. Whoever could not be sent one of these gets a new
 * snapshot as soon as that works, and no delta before it. Whoever keeps no directory is told who is gone.
 */
#include "internal.h"

#define S_RETRY_US 100000 /* a snapshot to a queue that was full */

static void s_news (synod__routing_t *self, int64_t at_us)
{
    if (!self->news || at_us < self->news_at_us)
        self->news_at_us = at_us;
    self->news = true;
}

static int64_t s_soon (const synod__routing_t *self)
{
    int64_t at_us = self->sent_us + SYNOD__GATHER_US;
    return self->sent_us != 0 && at_us > self->now_us ? at_us : self->now_us;
}

void synod__changes_up (synod__routing_t *self, synod__member_t *m)
{
    if (m->client)
        return;
    if (!m->changed)
        DL_APPEND2 (self->changed, m, changed_prev, changed_next);
    m->changed = true;
    s_news (self, s_soon (self));
}

void synod__changes_forget (synod__routing_t *self, synod__member_t *m)
{
    if (m->changed)
        DL_DELETE2 (self->changed, m, changed_prev, changed_next);
    m->changed = false;
}

void synod__changes_down (synod__routing_t *self, synod__member_t *m, const char *reason)
{
    if (m->client)
        return;
    synod__changes_forget (self, m);
    synod__gone_t gone = {.node = synod__member_name (m), .incarnation = m->incarnation, .reason = synod_str (reason)};
    if (synod_list_add (&self->gone, &self->gone_items, &synod__gone_record, &gone, NULL) != SYNOD_OK) {
        /* memory ran out: everybody is told all of it again when there is some */
        synod__member_t *other;
        DL_FOREACH (self->members, other)
        other->snapshot = other->directory;
    }
    s_news (self, s_soon (self));
}

void synod__changes_snapshot (synod__routing_t *self, synod__member_t *m)
{
    m->snapshot = true;
    s_news (self, s_soon (self));
}

/* ---- sending ---- */

/* Sends the piece in self->body to all who keep the directory: a delta to those that have had a snapshot, a piece of a
 * snapshot to those that wait for one. */
static void s_send_piece (synod__routing_t *self, const synod_record_t *record, const void *piece, bool snapshot)
{
    synod__member_t *m;
    self->body.size = 0;
    int rc = synod_record_pack (record, piece, &self->body, NULL);
    DL_FOREACH (self->members, m)
    {
        if (m->state != SYNOD__JOINED || !m->directory || m->snapshot != snapshot || m->missed || m->doomed)
            continue;
        if (rc != SYNOD_OK ||
            synod__tell_body (self, m, record, synod_str_n (self->body.data, self->body.size)) != SYNOD_OK)
            m->missed = true;
    }
}

/* Adds an entry to the list of a piece; true when the piece is full. */
static bool s_add (synod__routing_t *self, const synod__peer_t *peer, synod_list_t *list)
{
    if (synod__directory_list (peer, list, &self->items, &self->scratch) != SYNOD_OK)
        synod__routing_log (self, SYNOD_LOG_ERROR, "memory ran out: %s is missing in the directory sent", peer->name);
    return list->bytes.size >= SYNOD__PIECE_MAX;
}

/* Whoever keeps no directory may have asked a node by its name all the same. One that cannot be told finds out in time. */
static void s_send_gone (synod__routing_t *self, const synod_list_t *down)
{
    const synod__delta_t delta = {.down = *down};
    synod__member_t *m;
    self->body.size = 0;
    if (synod_record_pack (&synod__delta_record, &delta, &self->body, NULL) != SYNOD_OK)
        return;
    DL_FOREACH (self->members, m)
    if (m->state == SYNOD__JOINED && !m->directory && !m->doomed)
        synod__tell_body (self, m, &synod__delta_record, synod_str_n (self->body.data, self->body.size));
}

static void s_send_delta (synod__routing_t *self)
{
    synod__delta_t delta = {0};
    synod__member_t *m, *next;
    synod__gone_t gone;
    while (self->gone.count > 0) { /* a piece of those at a time: they are never cut */
        synod_list_t rest = self->gone;
        uint32_t count = 0;
        while (self->gone.bytes.size - rest.bytes.size < SYNOD__PIECE_MAX &&
               synod_list_next (&rest, &synod__gone_record, &gone))
            count++;
        delta.down.count = count;
        delta.down.bytes = synod_str_n (self->gone.bytes.data, self->gone.bytes.size - rest.bytes.size);
        self->gone = rest;
        s_send_gone (self, &delta.down);
        if (rest.count > 0 || !self->changed) {
            s_send_piece (self, &synod__delta_record, &delta, false);
            delta.down = (synod_list_t){0};
        }
    }
    DL_FOREACH_SAFE2 (self->changed, m, next, changed_next)
    {
        bool full = s_add (self, m->peer, &delta.up);
        m->changed = false;
        if (full || !next || delta.down.bytes.size + delta.up.bytes.size >= SYNOD__PIECE_MAX) {
            s_send_piece (self, &synod__delta_record, &delta, false);
            delta = (synod__delta_t){0};
        }
    }
    self->changed = NULL;
    self->gone = (synod_list_t){0};
}

static void s_send_snapshot (synod__routing_t *self)
{
    uint32_t size = synod__directory_size (self->directory);
    synod__snapshot_t piece = {.first = true};
    for (uint32_t i = 0; i < size; i++) {
        const synod__peer_t *peer = synod__directory_at (self->directory, i);
        if (!peer->client && s_add (self, peer, &piece.nodes) && i + 1 < size) {
            s_send_piece (self, &synod__snapshot_record, &piece, true);
            piece = (synod__snapshot_t){0};
        }
    }
    piece.last = true;
    s_send_piece (self, &synod__snapshot_record, &piece, true);
}

void synod__changes_send (synod__routing_t *self)
{
    synod__member_t *m;
    bool waiting = false, retry = false;
    self->news = false;
    self->sent_us = self->now_us;
    DL_FOREACH (self->members, m)
    m->missed = false;
    s_send_delta (self);
    DL_FOREACH (self->members, m)
    {
        /* a delta that did not reach it: again from the start, at a later time */
        if (m->missed)
            retry = m->snapshot = true;
        else if (m->snapshot && m->state == SYNOD__JOINED)
            waiting = true;
    }
    if (waiting)
        s_send_snapshot (self);
    DL_FOREACH (self->members, m)
    {
        m->snapshot = m->snapshot && m->missed && m->state == SYNOD__JOINED;
        retry |= m->snapshot;
    }
    if (retry)
        s_news (self, self->now_us + S_RETRY_US);
}
