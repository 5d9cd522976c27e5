/* SPDX-License-Identifier: MPL-2.0
 *
 * What a turn wrote. A handler's writes join the turn as one batch; at the end of the turn all of them are committed,
 * and only then may anything leave that tells of them. Invariant: while rt->uncommitted, no frame goes out but those that
 * tell nothing of it; when the disk has failed, none ever does again, and the node ends.
 *
 * Who has seen nothing that is not committed waits for nothing. An instance is tied to the next commit from its first
 * write in the turn, from mail of one that is tied, or when it acts for another reason than mail from outside; and stays
 * so until then, so what it says stays in order. What is written in nobody's name (an epoch, a copy) ties all.
 *
 * What is written lazily is committed with what comes next that something waits for, or soon: what a replica gets that a
 * majority can do without (its acknowledgement waits: place_copies.c), and what a handler calls lazy (its messages wait:
 * place_held.c). So is an owner's batch until the turn's round has left for the other replicas (place_run.c).
 */
#include <stdio.h>
#include "place.h"

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
        instance->tied = rt->commit;
    if (instance->ctx.lazily && instance->ctx.shows && !synod__held_needed (instance))
        instance->shown = rt->commit;
    return rc;
}

void synod__tells (synod__instance_t *instance)
{
    synod__rt_t *rt = instance->rt;
    if (instance->shown != rt->commit || rt->broken || SYNOD__MUTANT (LAZY_TOLD))
        return;
    rt->uncommitted = true;
    instance->tied = rt->commit;
}

void synod__tie_all (synod__rt_t *rt)
{
    rt->uncommitted = true;
    rt->tied = rt->commit;
}

bool synod__tied (const synod__instance_t *instance)
{
    const synod__rt_t *rt = instance->rt;
    if (SYNOD__MUTANT (UNTIED))
        return false;
    return !rt->outside || instance->tied == rt->commit || rt->tied == rt->commit || rt->state != SYNOD__RT_UP ||
           (instance->partition && instance->partition->replica.replicas > 1);
}

void synod__written (synod__rt_t *rt)
{
    if (rt->lazily) {
        rt->lazy_us = rt->lazy_us ? rt->lazy_us : rt->now_us;
        return;
    }
    if (rt->own)
        rt->uncommitted = true;
    else
        synod__tie_all (rt);
}

int64_t synod__commit_due (const synod__rt_t *rt)
{
    return rt->lazy_us ? rt->lazy_us + S_LAZY_US : INT64_MAX;
}

void synod__commit (synod__rt_t *rt)
{
    bool due = rt->now_us >= synod__commit_due (rt) || (rt->lazy_us && rt->state == SYNOD__RT_ENDED);
    if ((!rt->uncommitted && !due) || rt->broken)
        return;
    int rc = rt->disk->ops->commit (rt->disk);
    if (rc != SYNOD_OK && !SYNOD__MUTANT (COMMIT_IGNORED)) {
        synod__broken (rt, rc);
        return;
    }
    rt->uncommitted = false;
    rt->commit++;
    rt->lazy_us = 0;
    synod__place_committed (rt);
    synod__late_release (rt);
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
