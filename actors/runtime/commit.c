/* SPDX-License-Identifier: MPL-2.0
 *
 * What was written. A handler's writes join the turn as one batch; at the end of the turn a commit of all of them is begun,
 * and only when it is durable may anything leave that tells of them. Commits have numbers, and are durable in their order.
 * Where the disk can (disk.h), a commit is under way while turns go on, or several are; the next collects meanwhile.
 * It is begun when something waits for it that leaves the node, or soon: of a chain of handlers here the last one's is enough.
 * Invariant: no frame goes out before the commit is durable that it waits for; when the disk has failed, none that waits ever
 * does, and the node ends.
 *
 * Who has seen nothing that is not durable waits for nothing. An instance is tied to the next commit from its first
 * write on, from mail of one that is tied, or when it acts for another reason than mail from outside; and stays
 * so until that is durable, so what it says stays in order. What is written in nobody's name (an epoch, a copy) ties all.
 *
 * Of commits that turns do not wait for, all is batches: writes of instances, and copies of them. A promise (an epoch, a mark)
 * and whatever else changes a copy are durable at the end of the turn that wrote them, as cores act on them in the next.
 *
 * What is written lazily is committed with what comes next that something waits for, or soon: what a replica gets that a
 * majority can do without (its acknowledgement waits: place_copies.c), and what a handler calls lazy (its messages wait:
 * place_held.c). So is an owner's batch until the turn's round has left for the other replicas (place_run.c).
 */
#include <stdio.h>
#include "place.h"
#include "settled.h"

#define S_SMALL   4    /* batches: of less in it no commit is begun early */
#define S_LARGE   16   /* of more no commit is made smaller: to answer so many takes about as long as the disk does */
#define S_LAZY_US 5000 /* a copy is not behind what a majority has by more than this */

/* A placed actor's batch gets its place among those of its partition. */
static int s_order (synod__instance_t *instance, synod_str_t batch)
{
    int rc = synod__partition_append (instance->rt, instance->partition, batch);
    if (rc == SYNOD_TOO_LARGE)
        snprintf (instance->ctx.error, sizeof instance->ctx.error,
                  "a handler of a placed actor may write %d bytes, this one wrote %u", SYNOD__REPLICA_BATCH_MAX,
                  batch.size);
    return rc;
}

static int s_write (synod__instance_t *instance, const synod_buf_t *batch)
{
    synod__rt_t *rt = instance->rt;
    synod_str_t prefix = synod__store_prefix (instance->store), whole = synod_str_n (batch->data, batch->size);
    if (SYNOD__MUTANT (TORN_BATCH)) {
        synod_str_t rest = whole, last = whole, key, value;
        while (synod__disk_batch_next (&rest, &key, &value) == SYNOD_OK)
            last = rest.size ? rest : last;
        rt->disk->ops->write (rt->disk, prefix, synod_str_n (whole.data, whole.size - last.size));
        rt->disk->ops->commit (rt->disk);
        whole = last;
    }
    int rc = rt->disk->ops->write (rt->disk, prefix, whole);
    if (rc == SYNOD_OK)
        synod__written (rt);
    else
        synod__broken (rt, rc);
    return rc;
}

int synod__commit_batch (synod__instance_t *instance)
{
    synod__rt_t *rt = instance->rt;
    if (!synod__store_staged (instance->store))
        return SYNOD_OK;
    synod_buf_t *batch = &rt->writes;
    batch->size = 0;
    synod__store_take (instance->store, batch);
    if (rt->broken)
        return rt->broken;
    instance->ctx.stale = false;
    rt->lazily = instance->ctx.lazily;
    rt->own = true;
    int rc =
        instance->partition ? s_order (instance, synod_str_n (batch->data, batch->size)) : s_write (instance, batch);
    rt->lazily = rt->own = false;
    if (rt->uncommitted && !instance->ctx.lazily)
        synod__tie (instance, rt->commit);
    if (instance->ctx.lazily && instance->ctx.shows && !synod__held_needed (instance))
        instance->shown = rt->commit;
    return rc;
}

/* To a commit that will come: before a node is up, what it says waits for one that may have nothing to do. */
void synod__tie (synod__instance_t *instance, uint64_t commit)
{
    if (commit > instance->tied && (commit < instance->rt->commit || instance->rt->uncommitted))
        instance->tied = commit;
}

void synod__tells (synod__instance_t *instance)
{
    synod__rt_t *rt = instance->rt;
    if (instance->shown <= rt->durable || rt->broken || SYNOD__MUTANT (LAZY_TOLD))
        return;
    rt->uncommitted |= instance->shown == rt->commit;
    synod__tie (instance, instance->shown);
}

void synod__tie_all (synod__rt_t *rt)
{
    rt->uncommitted = rt->wanted = true;
    rt->tied = rt->commit;
}

uint64_t synod__waits (const synod__instance_t *instance)
{
    const synod__rt_t *rt = instance->rt;
    if (SYNOD__MUTANT (UNTIED))
        return 0;
    if (!rt->outside || rt->state != SYNOD__RT_UP || (instance->partition && instance->partition->replica.replicas > 1))
        return synod__unsettled (rt);
    uint64_t wait = instance->tied > rt->tied ? instance->tied : rt->tied;
    wait = rt->heard > wait ? rt->heard : wait;
    return wait > rt->durable ? wait : 0;
}

void synod__written (synod__rt_t *rt)
{
    rt->collected++;
    if (!rt->lazily && !rt->own) {
        synod__tie_all (rt);
        return;
    }
    rt->uncommitted |= !rt->lazily;
    rt->lazy_us = rt->lazy_us ? rt->lazy_us : rt->now_us;
}

/* How many commits are under way. */
static uint32_t s_under_way (const synod__rt_t *rt)
{
    return (uint32_t) (rt->disk->begun - rt->disk->settled);
}

/* Whether one more may be beside another: of copies, for which other nodes wait, or when there is as much in it. For anything
 * else the disk's time is better spent on what comes while the other is under way: fewer commits, with more in each. */
static bool s_may_begin (const synod__rt_t *rt)
{
    if (!s_under_way (rt))
        return true;
    return s_under_way (rt) < SYNOD__DISK_UNDER_WAY &&
           (rt->place->copying || (rt->begun <= S_LARGE && rt->collected >= rt->begun && synod__one_disk (rt)));
}

/* Of clients that ask again when they are answered, half may wait for one commit and half for the next: some are served while
 * the disk is at work for the others. So the first half of those who come after a commit gets one of its own. Not on a disk
 * for which a turn has to wait, on which none was ever begun. */
bool synod__commit_early (const synod__rt_t *rt)
{
    return rt->collected >= S_SMALL && 2 * rt->collected >= rt->circling && rt->circling <= 2 * S_LARGE &&
           rt->several && synod__wanted (rt) && rt->disk->begun && !s_under_way (rt) && !rt->whole &&
           rt->state == SYNOD__RT_UP && !rt->local_first && synod__one_disk (rt);
}

int64_t synod__commit_due (const synod__rt_t *rt)
{
    return rt->lazy_us && s_may_begin (rt) ? rt->lazy_us + S_LAZY_US : INT64_MAX;
}

bool synod__wanted (const synod__rt_t *rt)
{
    return rt->uncommitted &&
           (rt->wanted || rt->own_disk || rt->state != SYNOD__RT_UP || rt->conns_changed || !synod__one_disk (rt));
}

/* What waited for commits up to rt->durable leaves. */
static void s_release (synod__rt_t *rt)
{
    synod__streams_settled (rt);
    synod__place_committed (rt);
    synod__late_release (rt);
    synod__gates_settled (rt);
}

/* The batches of the commit that was begun, and of those who circle: a commit in which some of them are not is no reason to
 * forget them at once. */
static void s_count (synod__rt_t *rt)
{
    uint32_t both = rt->collected + (s_under_way (rt) > 1 ? rt->begun : 0);
    rt->circling -= rt->circling / 8;
    rt->circling = both > rt->circling ? both : rt->circling;
    rt->begun = rt->collected;
    rt->collected = 0;
}

/* What is written from now on is for the next. */
static void s_next (synod__rt_t *rt)
{
    synod__place_begun (rt);
    rt->commit++;
    s_count (rt);
    rt->uncommitted = rt->wanted = rt->whole = rt->released = false;
    rt->lazy_us = 0;
}

/* The turn waits. False: the disk failed. */
static bool s_sync (synod__rt_t *rt)
{
    int rc = rt->disk->ops->commit (rt->disk);
    if (rc != SYNOD_OK && !SYNOD__MUTANT (COMMIT_IGNORED)) {
        synod__broken (rt, rc);
        return false;
    }
    s_next (rt);
    return true;
}

static void s_wait (synod__rt_t *rt)
{
    if (!s_sync (rt))
        return;
    rt->durable = rt->commit - 1;
    s_release (rt);
}

void synod__commit (synod__rt_t *rt)
{
    const synod__disk_ops_t *ops = rt->disk->ops;
    bool due = rt->now_us >= synod__commit_due (rt) || (rt->lazy_us && rt->state == SYNOD__RT_ENDED);
    bool waits = (rt->whole && !SYNOD__MUTANT (PROMISE_BEGUN)) || rt->state != SYNOD__RT_UP || !ops->begin;
    if (rt->broken || !(synod__wanted (rt) || due || (waits && s_under_way (rt))))
        return;
    if (!waits && !s_may_begin (rt))
        return; /* with the end of one of those */
    int rc = waits ? SYNOD_BUSY : ops->begin (rt->disk);
    if (rc == SYNOD_OK) {
        synod__publisher_seal (rt->publisher);
        s_next (rt);
    } else if (rc == SYNOD_BUSY)
        s_wait (rt);
    else
        synod__broken (rt, rc);
}

void synod__commit_now (synod__rt_t *rt)
{
    if (!rt->uncommitted || rt->state != SYNOD__RT_UP || rt->broken || !s_sync (rt))
        return;
    synod__tie_all (rt); /* what was said in this turn may tell of what is written next: nothing leaves before that */
    rt->whole = true;
}

void synod__commit_settle (synod__rt_t *rt)
{
    if (!s_under_way (rt) || rt->broken)
        return;
    int rc = rt->disk->ops->settle (rt->disk);
    if (rc != SYNOD_OK) {
        synod__broken (rt, rc);
        return;
    }
    uint64_t durable = rt->commit - 1 - s_under_way (rt);
    if (durable == rt->durable)
        return;
    rt->durable = durable;
    rt->released = true;
    s_release (rt);
}

void synod__broken (synod__rt_t *rt, int code)
{
    if (rt->broken)
        return;
    rt->broken = code;
    const char *error = rt->disk->ops->error (rt->disk);
    synod_fault (&rt->broken_fault, code, "the store failed: %s", error[0] ? error : synod_error_meaning (code));
    synod__rt_log (rt, SYNOD_LOG_ERROR, "%s; nothing more is acknowledged and the node stops", rt->broken_fault.text);
}
