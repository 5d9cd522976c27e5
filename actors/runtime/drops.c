/* SPDX-License-Identifier: MPL-2.0
 *
 * What was lost, gathered by who, to whom and why, and published with each tick on $bus.drop. The list is bounded: what
 * finds no place is added to a line that names nobody. Losses on $bus.drop itself are counted and nothing else.
 */
#include <stdio.h>
#include "internal.h"

#define S_LOSSES 256

struct synod__loss_t {
    struct synod__loss_t *next;
    uint64_t count;
    char from[SYNOD_ADDRESS_MAX + 1], to[SYNOD_ADDRESS_MAX + 1];
    char reason[SYNOD_FAULT_MAX];
};

static synod__loss_t *s_find (synod__rt_t *rt, synod_str_t from, synod_str_t to, const char *reason)
{
    for (synod__loss_t *loss = rt->losses; loss; loss = loss->next)
        if (synod_str_is (to, loss->to) && synod_str_is (from, loss->from) &&
            strncmp (reason, loss->reason, sizeof loss->reason - 1) == 0)
            return loss;
    return NULL;
}

void synod__drop (synod__rt_t *rt, synod_str_t from, synod_str_t to, const char *reason, uint64_t count)
{
    rt->stats.dropped += count;
    if (synod_str_is (to, SYNOD_TOPIC_DROP))
        return;
    synod__loss_t *loss = s_find (rt, from, to, reason);
    if (!loss && rt->nlosses >= S_LOSSES) {
        from = to = synod_str ("*");
        reason = "more losses than are listed one by one";
        loss = s_find (rt, from, to, reason);
    }
    if (!loss) {
        loss = (synod__loss_t *) synod__alloc (sizeof *loss);
        snprintf (loss->from, sizeof loss->from, "%.*s", SYNOD_STR (from));
        snprintf (loss->to, sizeof loss->to, "%.*s", SYNOD_STR (to));
        snprintf (loss->reason, sizeof loss->reason, "%s", reason);
        loss->next = rt->losses;
        rt->losses = loss;
        rt->nlosses++;
    }
    loss->count += count;
}

void synod__drops_tick (synod__rt_t *rt)
{
    while (rt->losses) {
        synod__loss_t *loss = rt->losses;
        synod__drop_t out = {.from = synod_str (loss->from),
                             .to = synod_str (loss->to),
                             .reason = synod_str (loss->reason),
                             .count = loss->count};
        if (rt->state == SYNOD__RT_UP)
            synod__rt_publish (rt, SYNOD_TOPIC_DROP, &synod__drop_record, &out);
        rt->losses = loss->next;
        free (loss);
    }
    rt->nlosses = 0;
}

void synod__drops_free (synod__rt_t *rt)
{
    while (rt->losses) {
        synod__loss_t *loss = rt->losses;
        rt->losses = loss->next;
        free (loss);
    }
}
