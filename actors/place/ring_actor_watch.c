/* SPDX-License-Identifier: MPL-2.0
 *
 * The clock of the actor `ring`: each member reports to the keepers, each keeper hears who reports and whom the directory
 * loses, and tells the other keepers whom it suspects. What follows from that is the watch's (ring_watch.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include "ring_actor_parts.h"
#include "actors/runtime/runtime.h"

#define S_BUSY_MS 100 /* between two looks while something is under way */
#define S_SILENT  6   /* reports missed: believed dead */
#define S_GOSSIP  10  /* reports between two questions to some member for a later epoch */

/* ---- the watch ---- */

static int s_on_down (synod_ctx_t *ctx, void *state, synod_str_t who, synod_str_t reason, uint64_t arg)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    (void) reason;
    (void) arg;
    if (!epoch || self->watch.epoch != epoch->number)
        return SYNOD_OK;
    for (uint32_t i = 0; i < epoch->nmembers; i++)
        if (synod_str_is (who, epoch->members[i].name)) {
            self->watch.members[i].monitored = false;
            synod__ring_watch_lost (&self->watch, i);
        }
    int rc = synod__ring_report (ctx, self, false);
    return rc == SYNOD_OK ? synod__ring_pump (ctx, self) : rc;
}

int synod__ring_watch_epoch (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    self->wish_us = 0;
    *self->trouble = 0;
    if (self->mine >= epoch->nkeepers) {
        synod__ring_watch_free (&self->watch);
        synod__ring_end_changes (ctx, self);
        return SYNOD_OK;
    }
    self->watch.times = (synod__ring_watch_times_t){.silence_ms = S_SILENT * self->report_ms,
                                                    .overdue_ms = self->report_ms + self->report_ms / 2,
                                                    .suspect_ms = 3 * self->report_ms,
                                                    .grace_ms = self->grace_ms};
    if (!synod__ring_watch_enter (&self->watch, epoch, synod_now_us (ctx)))
        return synod_error (ctx, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
    return SYNOD_OK;
}

/* ---- reports ---- */

/* Copies the ids of LIST. NULL: memory ran out, or one is none. */
static synod__store_id_t *s_ids (synod_list_t list, uint32_t *count)
{
    synod__store_id_t *ids = (synod__store_id_t *) calloc ((size_t) list.count + 1, sizeof *ids);
    synod__ring_store_t one;
    *count = 0;
    while (ids && synod_list_next (&list, &synod__ring_store_record, &one))
        if (synod__store_id_take (one.store, &ids[*count]))
            ++*count;
    return ids;
}

/* How a member is, which this keeper hears. Whether that may be news for its wishes. */
static bool s_hear (synod_ctx_t *ctx, synod__ring_state_t *self, uint32_t member, const synod__ring_report_t *in)
{
    synod__watched_t *one = &self->watch.members[member];
    synod__place_progress_t before = one->report;
    uint32_t nlacking, lacked = one->nlacking;
    synod__store_id_t *lacking = s_ids (in->lacking, &nlacking);
    synod__place_progress_t report = {.epoch = in->epoch,
                                      .owned = (uint32_t) in->owned,
                                      .serving = (uint32_t) in->serving,
                                      .unsettled = (uint32_t) in->unsettled,
                                      .unprepared = (uint32_t) in->unprepared,
                                      .behind = (uint32_t) in->behind,
                                      .bytes = in->bytes};
    bool stopped = one->stopping, news = synod__ring_watch_dead (&self->watch, member, synod_now_us (ctx));
    if (lacking)
        synod__ring_watch_report (&self->watch, member, &report, in->stopping, lacking, nlacking, synod_now_us (ctx));
    free (lacking);
    const char *name = synod__ctx_epoch (ctx)->members[member].name;
    if (!one->monitored && strcmp (name, synod_node (ctx)) != 0)
        one->monitored = synod_monitor (ctx, name, s_on_down, 0) == SYNOD_OK;
    return news || before.epoch != report.epoch || !before.unsettled != !report.unsettled ||
           !before.unprepared != !report.unprepared || stopped != in->stopping || lacked != nlacking;
}

static int s_hear_types (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__store_id_t *id,
                         const synod__ring_report_t *in)
{
    synod__newcomer_t node = {.id = *id};
    if (!in->types.count || in->epoch != self->epoch || *self->trouble)
        return SYNOD_OK;
    int rc = synod__ring_take_types (ctx, in->types, &node);
    if (rc == SYNOD_OK)
        rc = synod__ring_ask_types (ctx, self, &node);
    free (node.types);
    return rc;
}

int synod__ring_on_report (synod_ctx_t *ctx, void *state, const synod__ring_report_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod_str_t node = synod__ring_sender (ctx);
    synod__store_id_t id;
    if (call.id || !node.data || !synod__store_id_take (in->store, &id))
        return synod_error (ctx, SYNOD_BAD_REQUEST,
                            "expected a report that is told by an actor ring, and %d bytes as "
                            "the id of its store",
                            SYNOD__STORE_ID_SIZE);
    int rc = synod__ring_entered (ctx, self);
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    if (rc == SYNOD_OK && !epoch && in->ring == self->recorded_ring) /* it has begun */
        return synod__ring_ask_epoch (ctx, self, node);
    if (rc != SYNOD_OK || !epoch || in->ring != epoch->ring)
        return rc;
    if (in->epoch < epoch->number)
        synod__ring_tell_epoch (ctx, self, node);
    if (in->epoch > epoch->number)
        rc = synod__ring_ask_epoch (ctx, self, node);
    uint32_t member = synod__ring_watch_find (&self->watch, &id);
    if (rc != SYNOD_OK || self->watch.epoch != epoch->number || member >= self->watch.nmembers ||
        !synod_str_is (node, epoch->members[member].name))
        return rc;
    bool news = s_hear (ctx, self, member, in);
    rc = s_hear_types (ctx, self, &id, in);
    return rc == SYNOD_OK && news ? synod__ring_pump (ctx, self) : rc;
}

/* Of the members marked down, those that are not as they should be in what this node owns. */
static int s_lacking (synod_ctx_t *ctx, const synod__ring_state_t *self, synod_list_t *list, synod_buf_t *items)
{
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < epoch->nmembers && rc == SYNOD_OK; i++) {
        const synod__member_t *member = &epoch->members[i];
        uint32_t behind = member->down && synod__store_id_compare (&member->id, &self->self.id) != 0
                              ? synod__ctx_behind (ctx, &member->id)
                              : 0;
        synod__ring_store_t one = {.store = synod_str_n (member->id.bytes, SYNOD__STORE_ID_SIZE), .partitions = behind};
        if (behind)
            rc = synod_list_add (list, items, &synod__ring_store_record, &one, NULL);
    }
    return rc;
}

/* Members that are not marked down and that this keeper believes dead. */
static int s_dead (synod_ctx_t *ctx, const synod__ring_state_t *self, synod_list_t *list, synod_buf_t *items)
{
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < self->watch.nmembers && rc == SYNOD_OK; i++) {
        const synod__watched_t *one = &self->watch.members[i];
        synod__ring_store_t out = {.store = synod_str_n (one->id.bytes, SYNOD__STORE_ID_SIZE)};
        if (!one->down && synod__ring_watch_dead (&self->watch, i, synod_now_us (ctx)))
            rc = synod_list_add (list, items, &synod__ring_store_record, &out, NULL);
    }
    return rc;
}

static void s_tell_keepers (synod_ctx_t *ctx, const synod__ring_state_t *self, const synod_record_t *record,
                            const void *in)
{
    char to[SYNOD__RING_TO_SIZE];
    for (uint32_t i = 0; i < self->set.count; i++) {
        if (strcmp (self->set.acceptors[i].name, synod_node (ctx)) == 0)
            continue;
        synod__ring_to (to, synod_str (self->set.acceptors[i].name));
        if (synod_tell (ctx, to, record, in) != SYNOD_OK)
            synod_log (ctx, SYNOD_LOG_WARNING, "cannot tell %s: %s", to, synod__ctx_error (ctx));
    }
}

/* Tells the other keepers whom this one believes dead, and when that is nobody any more. */
static int s_suspect (synod_ctx_t *ctx, synod__ring_state_t *self, bool due)
{
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    synod_buf_t items = {0};
    synod__ring_suspect_t out = {
        .store = synod_str_n (self->self.id.bytes, SYNOD__STORE_ID_SIZE), .ring = epoch->ring, .epoch = epoch->number};
    if (self->watch.epoch != epoch->number)
        return SYNOD_OK;
    int rc = s_dead (ctx, self, &out.dead, &items);
    if (rc == SYNOD_OK && (out.dead.count != self->suspected || (due && out.dead.count)))
        s_tell_keepers (ctx, self, &synod__ring_suspect_record, &out);
    self->suspected = out.dead.count;
    synod_buf_free (&items);
    return rc;
}

/* A member that nothing came of may not know that it is one: it joined, or the ring has begun, and what told it so was
 * lost. Those marked down are told now and then. */
static void s_remind (synod_ctx_t *ctx, const synod__ring_state_t *self, bool all)
{
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    for (uint32_t i = 0; i < self->watch.nmembers && self->watch.epoch == epoch->number; i++) {
        const synod__watched_t *one = &self->watch.members[i];
        bool late = synod_now_us (ctx) - one->heard_us >= self->report_ms * 1000ll;
        if (!one->heard && late && (all || !one->down))
            synod__ring_tell_epoch (ctx, self, synod_str (epoch->members[i].name));
    }
}

static bool s_changed (const synod__ring_state_t *self, const synod__ring_report_t *out)
{
    const synod__place_progress_t *before = &self->reported;
    return out->epoch != before->epoch || !out->unsettled != !before->unsettled ||
           !out->unprepared != !before->unprepared || !out->behind != !before->behind ||
           (out->owned == out->serving) != (before->owned == before->serving) ||
           out->lacking.count != self->reported_lacking || out->stopping != self->reported_stopping;
}

static int s_say (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__ring_report_t *out,
                  const synod__place_progress_t *progress)
{
    self->reported = *progress;
    self->reported_lacking = out->lacking.count;
    self->reported_stopping = out->stopping;
    self->reported_us = synod_now_us (ctx);
    s_tell_keepers (ctx, self, &synod__ring_report_record, out);
    uint32_t member = synod__ring_watch_find (&self->watch, &self->self.id);
    if (member < self->watch.nmembers && self->watch.epoch == self->epoch) {
        s_hear (ctx, self, member, out);
        return s_hear_types (ctx, self, &self->self.id, out);
    }
    return SYNOD_OK;
}

int synod__ring_report (synod_ctx_t *ctx, synod__ring_state_t *self, bool always)
{
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    synod__place_progress_t progress = {0};
    synod_buf_t lacking = {0}, types = {0};
    if (!epoch || !synod__epoch_store (epoch, &self->self.id))
        return SYNOD_OK;
    bool due = always || synod_now_us (ctx) - self->reported_us >= self->report_ms * 1000ll;
    synod__ctx_progress (ctx, &progress);
    synod__ring_report_t out = {.store = synod_str_n (self->self.id.bytes, SYNOD__STORE_ID_SIZE),
                                .ring = epoch->ring,
                                .epoch = progress.epoch,
                                .owned = progress.owned,
                                .serving = progress.serving,
                                .unsettled = progress.unsettled,
                                .unprepared = progress.unprepared,
                                .behind = progress.behind,
                                .bytes = progress.bytes,
                                .stopping = synod__ctx_stopping (ctx)};
    int rc = s_lacking (ctx, self, &out.lacking, &lacking);
    if (rc == SYNOD_OK)
        rc = synod__ring_types (ctx, self, epoch, &out.types, &types);
    if (rc == SYNOD_OK && (due || s_changed (self, &out)))
        rc = s_say (ctx, self, &out, &progress);
    if (rc == SYNOD_OK)
        rc = s_suspect (ctx, self, due);
    if (due && !always)
        s_remind (ctx, self, false);
    synod_buf_free (&lacking);
    synod_buf_free (&types);
    return rc;
}

int synod__ring_on_suspect (synod_ctx_t *ctx, void *state, const synod__ring_suspect_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod_str_t node = synod__ring_sender (ctx);
    synod__store_id_t id;
    uint32_t count, keeper = 0;
    if (call.id || !node.data || !synod__store_id_take (in->store, &id))
        return synod_error (ctx, SYNOD_BAD_REQUEST,
                            "expected a suspicion that is told by an actor ring, and %d bytes "
                            "as the id of its store",
                            SYNOD__STORE_ID_SIZE);
    int rc = synod__ring_entered (ctx, self);
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    if (rc != SYNOD_OK || !epoch || in->ring != epoch->ring || self->watch.epoch != epoch->number)
        return rc;
    if (in->epoch > epoch->number)
        return synod__ring_ask_epoch (ctx, self, node);
    while (keeper < epoch->nkeepers && synod__store_id_compare (&epoch->keepers[keeper], &id) != 0)
        keeper++;
    if (keeper == epoch->nkeepers || !synod_str_is (node, synod__epoch_store (epoch, &id)->name))
        return SYNOD_OK;
    synod__store_id_t *dead = s_ids (in->dead, &count);
    if (dead)
        synod__ring_watch_believes (&self->watch, keeper, dead, count, synod_now_us (ctx));
    free (dead);
    return synod__ring_pump (ctx, self);
}

/* ---- the clock ---- */

int synod__ring_on_stopping (synod_ctx_t *ctx, void *state, const synod__ring_stopping_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    (void) in;
    (void) call;
    int rc = synod__ring_report (ctx, self, false);
    return rc == SYNOD_OK ? synod__ring_pump (ctx, self) : rc;
}

/* A keeper that is not heard of any more tells nobody of a later epoch: now and then some member is asked. */
static int s_gossip (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__epoch_t *epoch)
{
    int64_t now_us = synod_now_us (ctx);
    if (epoch->nmembers < 2 || now_us - self->gossiped_us < S_GOSSIP * self->report_ms * 1000ll)
        return SYNOD_OK;
    self->gossiped_us = now_us;
    s_remind (ctx, self, true);
    const synod__member_t *member = &epoch->members[synod_random (ctx) % epoch->nmembers];
    if (strcmp (member->name, synod_node (ctx)) == 0)
        return SYNOD_OK;
    return synod__ring_ask_epoch (ctx, self, synod_str (member->name));
}

static bool s_busy (synod_ctx_t *ctx, const synod__ring_state_t *self, const synod__epoch_t *epoch)
{
    const synod__place_progress_t *progress = &self->reported;
    bool busy = self->proposing || self->asked || self->wish_us || synod__ctx_stopping (ctx) || progress->unsettled ||
                progress->unprepared || progress->behind || synod__ring_moving (epoch);
    for (uint32_t i = 0; i < epoch->nmembers && !busy; i++)
        busy = epoch->members[i].down;
    return busy;
}

static int s_on_clock (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    uint32_t next_ms = self->report_ms;
    (void) arg;
    int rc = synod__ring_entered (ctx, self);
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    if (rc == SYNOD_OK && epoch) {
        rc = synod__ring_report (ctx, self, false);
        if (rc == SYNOD_OK)
            rc = synod__ring_pump (ctx, self);
        epoch = synod__ctx_epoch (ctx);
        if (rc == SYNOD_OK)
            rc = s_gossip (ctx, self, epoch);
        if (s_busy (ctx, self, epoch) && next_ms > S_BUSY_MS)
            next_ms = S_BUSY_MS;
    }
    if (rc != SYNOD_OK)
        synod_log (ctx, SYNOD_LOG_ERROR, "%s", synod__ctx_error (ctx));
    return synod_after (ctx, next_ms, s_on_clock, 0, NULL);
}

int synod__ring_clock (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    self->gossiped_us = synod_now_us (ctx);
    return synod_after (ctx, (uint32_t) (synod_random (ctx) % S_BUSY_MS), s_on_clock, 0, NULL);
}
