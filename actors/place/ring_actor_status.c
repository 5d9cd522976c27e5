/* SPDX-License-Identifier: MPL-2.0
 *
 * How the ring is: the epoch, and how its members are, as a keeper has it. One that is none asks a keeper.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "ring_actor_parts.h"
#include "actors/runtime/runtime.h"

#define S_BESIDE 4096 /* bytes of an answer beside the epoch and the members */
#define S_MEMBER 256  /* bytes of a member, at most */

static int s_add_member (synod_ctx_t *ctx, const synod__ring_state_t *self, uint32_t i, synod_list_t *list,
                         synod_buf_t *items)
{
    const synod__watched_t *one = &self->watch.members[i];
    int64_t now_us = synod_now_us (ctx);
    synod__ring_member_t out = {.member = i,
                                .up = !one->down && !synod__ring_watch_dead (&self->watch, i, now_us),
                                .suspected = synod__ring_watch_count (&self->watch, self->mine, i, now_us),
                                .heard_ms = (uint64_t) (now_us - one->heard_us) / 1000,
                                .epoch = one->report.epoch,
                                .owned = one->report.owned,
                                .serving = one->report.serving,
                                .unsettled = one->report.unsettled,
                                .unprepared = one->report.unprepared,
                                .behind = one->report.behind,
                                .bytes = one->report.bytes,
                                .stopping = one->stopping};
    return synod_list_add (list, items, &synod__ring_member_record, &out, NULL);
}

/* Of those that have reported in the epoch. */
static void s_doing (const synod__ring_state_t *self, const synod__epoch_t *epoch, char *text, size_t size)
{
    uint32_t joining = 0, leaving = 0, changing = 0, unprepared = 0, unsettled = 0;
    size_t used = 0;
    for (uint32_t i = 0; i < epoch->nmembers; i++) {
        const synod__member_t *member = &epoch->members[i];
        const synod__place_progress_t *report = &self->watch.members[i].report;
        joining += !member->weight;
        leaving += !member->target;
        changing += member->weight && member->target && member->weight != member->target;
        unprepared += report->epoch == epoch->number ? report->unprepared : 0;
        unsettled += report->epoch == epoch->number ? report->unsettled : 0;
    }
    *text = 0;
    if (joining + leaving + changing)
        used = (size_t) snprintf (text, size, "%u joining, %u leaving, %u with another weight: %u partitions to copy",
                                  joining, leaving, changing, unprepared);
    if (unsettled)
        used += (size_t) snprintf (text + used, size - used, "%s%u partitions to settle", used ? "; " : "", unsettled);
    if (self->proposing)
        snprintf (text + used, size - used, "%sthe epoch %" PRIu64 " is proposed", used ? "; " : "", epoch->number + 1);
}

int synod__ring_tell_status (synod_ctx_t *ctx, synod__ring_state_t *self, uint32_t from, synod_call_t call)
{
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    synod_buf_t items = {0};
    char doing[SYNOD_FAULT_MAX];
    int rc = SYNOD_OK;
    synod__ring_status_is_t out = {.node = self->self.name,
                                   .store = synod_str_n (self->self.id.bytes, SYNOD__STORE_ID_SIZE),
                                   .value = synod__ring_value (self),
                                   .trouble = synod_str (self->trouble)};
    out.keeper = epoch && self->watch.epoch == epoch->number;
    if (out.keeper) {
        s_doing (self, epoch, doing, sizeof doing);
        out.doing = synod_str (doing);
        for (; from < epoch->nmembers && rc == SYNOD_OK && !out.next; from++) {
            if (out.value.size + items.size + S_MEMBER + S_BESIDE > SYNOD_BODY_MAX)
                out.next = from;
            else
                rc = s_add_member (ctx, self, from, &out.members, &items);
        }
    } else if (self->recorded.size)
        out.trouble = synod_str ("the init of a ring was not finished: the same init again goes on with it");
    else if (epoch && !synod__epoch_store (epoch, &self->self.id))
        out.trouble = synod_str ("this node is no member any more");
    if (rc == SYNOD_OK && call.id)
        rc = synod_reply (ctx, call, &synod__ring_status_is_record, &out);
    synod_buf_free (&items);
    return rc;
}

int synod__ring_on_status (synod_ctx_t *ctx, void *state, const synod__ring_status_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    int rc = synod__ring_entered (ctx, self);
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    if (rc != SYNOD_OK)
        return rc;
    if (in->here || !epoch || self->mine < epoch->nkeepers)
        return synod__ring_tell_status (ctx, self, (uint32_t) in->from, call);
    synod__ring_status_t on = {.from = in->from, .here = true};
    return synod__ring_forward (ctx, self, &synod__ring_status_record, &on, call);
}
