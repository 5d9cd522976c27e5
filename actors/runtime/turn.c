/* SPDX-License-Identifier: MPL-2.0
 *
 * The turns of a runtime. In a turn's end: what is due runs, then what the turn has put off (events), then everything that
 * was staged and joined leaves, one frame per address.
 */
#include <assert.h>
#include <stdio.h>
#include "alarms.h"
#include "place.h"
#include "settled.h"

#define S_JOINING_US    20000 /* without a broker: how often a node that joins looks whether it has */
#define S_EVENTS_A_TURN 65536 /* an actor that goes on for ever must not keep mail from leaving */

void synod__rt_turn_begin (synod__rt_t *rt, int64_t now_us)
{
    assert (!rt->in_turn);
    rt->in_turn = true;
    if (now_us > rt->now_us)
        rt->now_us = now_us;
    rt->several_before = rt->several;
    rt->several = rt->released = false;
    rt->asker = NULL;
    synod__commit_settle (rt);
    synod__inbox_local (rt);
}

synod__event_t *synod__event_add (synod__rt_t *rt, int kind, synod__instance_t *instance)
{
    rt->events = (synod__event_t *) synod__grow (rt->events, &rt->events_capacity, rt->nevents + 1, sizeof *rt->events);
    synod__event_t *event = &rt->events[rt->nevents++];
    memset (event, 0, sizeof *event);
    event->kind = kind == SYNOD__EVENT_ASK     ? SYNOD__EVENT_ASK
                  : kind == SYNOD__EVENT_READY ? SYNOD__EVENT_READY
                                               : SYNOD__EVENT_DOWN;
    event->instance = instance;
    event->life = instance->life;
    return event;
}

void synod__event_ask (synod__rt_t *rt, const synod__ask_t *ask, int code, const char *message)
{
    synod__event_t *event = synod__event_add (rt, SYNOD__EVENT_ASK, ask->instance);
    event->ask = ask->id;
    event->arg = ask->attempts;
    event->code = code;
    snprintf (event->text, sizeof event->text, "%s", message);
}

static void s_events (synod__rt_t *rt)
{
    uint32_t done = 0;
    while (done < rt->nevents && done < S_EVENTS_A_TURN && !rt->broken) {
        synod__event_t event = rt->events[done++]; /* a copy: running it may add more */
        synod__run_event (rt, &event);
    }
    rt->nevents -= done;
    if (rt->nevents)
        memmove (rt->events, rt->events + done, rt->nevents * sizeof *rt->events);
}

static void s_due (synod__rt_t *rt)
{
    synod__timer_t *timer;
    uint32_t count = 0;
    while (count++ < S_EVENTS_A_TURN && !rt->broken && (timer = synod__timers_pop (&rt->timers, rt->now_us))) {
        if (timer->kind == SYNOD__TIMER_ALARM)
            synod__alarm_due (rt, (synod__alarm_t *) timer->owner);
        else if (timer->kind == SYNOD__TIMER_ASK)
            synod__ask_due (rt, (synod__ask_t *) timer->owner);
        else if (timer->kind == SYNOD__TIMER_GATHER)
            synod__gather_due (rt, (synod__gather_t *) timer->owner);
        else
            synod__call_free (rt, (synod__kept_t *) timer->owner); /* its asker has given up */
    }
}

static int s_publish (void *arg, synod_buf_t *frame)
{
    synod__rt_t *rt = (synod__rt_t *) arg;
    if (synod__rt_hold_us (rt) || rt->broken)
        return SYNOD_BUSY;
    return rt->ops->publish (rt->host, frame);
}

void synod__rt_publishable (synod__rt_t *rt)
{
    synod__publisher_flush (rt->publisher, synod__settled (rt), s_publish, rt);
}

static void s_flush_free (synod__rt_t *rt)
{
    for (uint32_t i = 0; i < rt->ndirty && !rt->broken; i++)
        synod__stream_seal (rt, rt->dirty[i], synod__settled (rt));
}

/* What waits for no commit leaves; then one is begun. */
static void s_commit (synod__rt_t *rt)
{
    s_flush_free (rt);
    if (!SYNOD__MUTANT (REPLY_BEFORE_COMMIT))
        synod__commit (rt);
}

/* Sending can make more to send: a mark, or an ask that goes elsewhere. */
static void s_send (synod__rt_t *rt)
{
    for (uint32_t i = 0; i < rt->ndirty; i++) {
        rt->dirty[i]->dirty = false;
        synod__stream_flush (rt, rt->dirty[i]);
    }
    rt->ndirty = 0;
}

/* In the middle of a turn: what an end of it would let go leaves. */
static void s_part (synod__rt_t *rt)
{
    s_commit (rt);
    if (!rt->broken)
        s_send (rt);
}

void synod__rt_part (synod__rt_t *rt, synod__stream_t *asker)
{
    if (!synod__unsettled (rt)) {
        synod__stream_flush (rt, asker);
        return;
    }
    if (rt->own_disk && synod__one_disk (rt))
        s_part (rt);
}

void synod__rt_between (synod__rt_t *rt)
{
    if (synod__commit_early (rt))
        s_part (rt);
}

static void s_flush (synod__rt_t *rt)
{
    s_commit (rt);
    if (rt->broken) {
        synod__rt_end (rt, rt->broken, rt->broken_fault.text);
        return;
    }
    s_send (rt);
    synod__rt_publishable (rt);
}

static void s_drain (synod__rt_t *rt)
{
    bool quiet = !rt->ncalls && !rt->nasks && !rt->stats.queued && !rt->local_first && !rt->nevents &&
                 !rt->place->nheld && !rt->place->late && !rt->place->mail;
    if (rt->now_us >= rt->drain_us || (quiet && (rt->left || !rt->broker || !rt->broker_up)))
        synod__rt_end (rt, SYNOD_OK, "stopped");
}

/* All that came is dealt with. */
static void s_settle (synod__rt_t *rt)
{
    assert (rt->in_turn);
    synod__place_enter (rt);
    s_due (rt);
    s_events (rt);
    synod__inbox_rounds (rt);
    synod__place_turn_end (rt);
}

/* Whether something left because a commit is durable, or waits for none, while something else waits for the next: whoever gets
 * it may have more to say before that. */
static bool s_ahead (const synod__rt_t *rt)
{
    if (rt->released && rt->uncommitted)
        return true;
    for (uint32_t i = 0; i < rt->ndirty && rt->uncommitted; i++)
        if (rt->dirty[i] != rt->self && synod__stream_ahead (rt, rt->dirty[i]))
            return true;
    return false;
}

bool synod__rt_turn_more (synod__rt_t *rt)
{
    if (rt->own_disk || rt->broken || rt->state != SYNOD__RT_UP || !(rt->place->copying || s_ahead (rt)))
        return false;
    s_settle (rt);
    s_flush_free (rt);
    return synod__wanted (rt) && !rt->broken && rt->state == SYNOD__RT_UP;
}

void synod__rt_turn_on (synod__rt_t *rt, int64_t now_us)
{
    assert (rt->in_turn);
    if (now_us > rt->now_us)
        rt->now_us = now_us;
    synod__commit_settle (rt);
}

int64_t synod__rt_turn_end (synod__rt_t *rt)
{
    s_settle (rt);
    bool tick = rt->now_us >= rt->tick_us && !rt->broken;
    if (tick)
        synod__rt_tick (rt);
    s_flush (rt);
    if (tick)
        synod__publisher_mark (rt->publisher, s_publish, rt);
    if (rt->state == SYNOD__RT_JOINING && !rt->broker && synod__mesh_joined (rt))
        rt->state = SYNOD__RT_UP;
    if (rt->state == SYNOD__RT_DRAINING)
        s_drain (rt);
    if (rt->ndirty || rt->uncommitted || (rt->lazy_us && rt->state == SYNOD__RT_ENDED))
        s_flush (rt);
    if (SYNOD__MUTANT (REPLY_BEFORE_COMMIT))
        synod__commit (rt);
    rt->in_turn = false;
    if (rt->local_first || rt->nevents)
        return rt->now_us;
    int64_t next = synod__timers_next (&rt->timers);
    if (synod__place_due (rt) < next)
        next = synod__place_due (rt);
    if (synod__commit_due (rt) < next)
        next = synod__commit_due (rt);
    if (rt->state == SYNOD__RT_JOINING && !rt->broker && rt->now_us + S_JOINING_US < next)
        next = rt->now_us + S_JOINING_US; /* what it waits for may be time */
    if (rt->tick_us < next)
        next = rt->tick_us;
    return rt->state == SYNOD__RT_DRAINING && rt->drain_us < next ? rt->drain_us : next;
}
