/* SPDX-License-Identifier: MPL-2.0
 *
 * Copies of partitions: the host of the replication core. What a step writes goes into the turn's commit, what it sends
 * into streams, which nothing leaves before that commit; then what it says of being served.
 *
 * Invariant: a core is told of an epoch only when that is written, and of a message only when the epoch that it speaks of
 * is entered; so whatever it seals up to is sealed already.
 */
#include "place.h"
#include "actors/place/replica_wire.h"

#define S_LATER_MAX 65536 /* pulls of learners that wait for their turn */

/* ---- steps ---- */

static bool s_learner (const synod__replica_t *replica, const synod__store_id_t *id)
{
    for (uint32_t i = replica->replicas; i < replica->replicas + replica->learners; i++)
        if (synod__store_id_compare (&replica->peers[i].id, id) == 0)
            return true;
    return false;
}

void synod__copy_mail (synod__rt_t *rt, const synod__partition_t *self, const synod__replica_mail_t *mail)
{
    const synod__member_t *member = synod__place_store (rt, &mail->to);
    synod__stream_t *stream = member ? synod__stream_find (rt, synod_str (member->name)) : NULL;
    if (!stream || !stream->peer || stream == rt->self)
        return; /* asked again with a tick */
    synod__replica_message_t message = mail->message;
    if (message.kind == SYNOD__REPLICA_CHUNK)
        synod__copy_chunk (rt, self, &message);
    synod__place_copy_t out = {0};
    synod_buf_t *room = &rt->place->room;
    room->size = 0;
    if (synod__replica_wire_pack (&message, &out, room) != SYNOD_OK)
        abort ();
    out.type = synod_str (self->placed->name);
    out.partition = self->index;
    out.to = synod_str_n (mail->to.bytes, sizeof mail->to.bytes);
    const uint64_t says = rt->says;
    rt->says = mail->early ? 0 : says;
    synod__control_tell (rt, stream, &synod__place_copy_record, &out);
    rt->says = says;
    size_t bytes = message.kind == SYNOD__REPLICA_CHUNK ? message.entries.size : 0;
    for (uint32_t i = 0; message.kind == SYNOD__REPLICA_BATCHES && i < message.nbatches; i++)
        bytes += message.batches[i].bytes.size;
    if (message.kind != SYNOD__REPLICA_CHUNK && !s_learner (&self->replica, &mail->to))
        return;
    rt->place->moved_bytes += bytes;
    rt->place->budget_bytes -= (int64_t) bytes;
}

static void s_do (synod__rt_t *rt, synod__partition_t *self, const synod__replica_write_t *write)
{
    char room[SYNOD__PARTITION_PREFIX_MAX];
    /* what somebody counts on who is about to serve, or is no batch */
    bool fetched = self->replica.role == SYNOD__REPLICA_OWNER && !synod__partition_serving (self);
    rt->whole |= fetched || write->kind != SYNOD__REPLICA_APPLY;
    switch (write->kind) {
    case SYNOD__REPLICA_APPLY:
    case SYNOD__REPLICA_CUT:
        synod__copy_write (rt, synod__partition_prefix (self, self->area, room), write->batch.bytes);
        break;
    case SYNOD__REPLICA_STAGE_CLEAR:
        synod__copy_clear (rt, self, synod__copy_other (self));
        break;
    case SYNOD__REPLICA_STAGE:
        synod__copy_write (rt, synod__partition_prefix (self, synod__copy_other (self), room), write->batch.bytes);
        break;
    case SYNOD__REPLICA_SWAP:
        self->area = synod__copy_other (self);
        synod__copy_clear (rt, self, synod__copy_other (self));
        break;
    case SYNOD__REPLICA_REMOVE:
        synod__copy_clear (rt, self, '0');
        synod__copy_clear (rt, self, '1');
        self->area = '0'; /* as one that has no head is taken for at a start: what is staged next is beside it */
        break;
    }
}

static void s_list (synod__rt_t *rt, synod__partition_t *self)
{
    synod__place_t *place = rt->place;
    if (self->ticking || synod__replica_idle (&self->replica))
        return;
    self->ticking = true;
    place->ticking = (synod__partition_t **) synod__grow (place->ticking, &place->ticking_capacity, place->nticking + 1,
                                                          sizeof (synod__partition_t *));
    place->ticking[place->nticking++] = self;
}

void synod__copies_settle (synod__rt_t *rt, synod__partition_t *self)
{
    if (!self->reserved)
        return;
    synod__replica_head_t head = synod__replica_head (&self->replica);
    self->reserved = 0;
    synod__copy_put_head (rt, self, &head);
}

void synod__copies_carry (synod__rt_t *rt, synod__partition_t *self, const synod__replica_step_t *step)
{
    if (step->code == SYNOD_NO_MEMORY)
        abort ();
    bool own = step->own, disown = step->disown;
    uint64_t released = step->released, newer = step->newer;
    if (rt->lazily && step->nwrites)
        synod__acks_wait (rt, self);
    for (uint32_t i = 0; i < step->nwrites; i++)
        s_do (rt, self, &step->writes[i]);
    if (step->head)
        synod__copy_put_head (rt, self, step->head);
    for (uint32_t i = 0; i < step->nmails; i++)
        if (!synod__ack_waits (rt, self, &step->mails[i]))
            synod__copy_mail (rt, self, &step->mails[i]);
    synod__place_heard (rt, newer);
    s_list (rt, self);
    rt->place->look = true;
    if (disown)
        synod__partition_disown (rt, self, "its partition went to another node");
    if (own)
        synod__partition_own (rt, self);
    if (released && rt->place->watch)
        rt->place->watch->released (rt->place->watch->arg, self->index, &self->replica, released);
    if (released)
        synod__held_release (rt, self, released);
}

/* ---- epochs ---- */

static synod__partition_t *s_partition (synod__rt_t *rt, synod__shards_t *placed, uint32_t index,
                                        const synod__replica_head_t *head)
{
    static const synod__replica_head_t none;
    synod__partition_t *self = placed->partition[index];
    if (self)
        return self;
    self = (synod__partition_t *) synod__alloc (sizeof *self);
    self->placed = placed;
    self->index = index;
    self->area = '0';
    if (synod__replica_open (&self->replica, &rt->place->replicas, head ? head : &none, 0) != SYNOD_OK)
        abort ();
    placed->partition[index] = self;
    return self;
}

/* The view of PARTITION in the known epoch AT; false: nobody has it. Adds its stores at STORES. */
static bool s_view (const synod__rt_t *rt, const synod__shards_t *placed, uint32_t at, uint32_t partition,
                    synod__replica_view_t *view, synod__store_id_t *stores)
{
    const synod__ring_t *table = placed->tables[at];
    if (!table || !table->copies)
        return false;
    const uint16_t *replicas = synod__ring_replicas (table, partition);
    *view = (synod__replica_view_t){.replicas = table->copies, .stores = stores};
    for (uint32_t i = 0; i < table->copies; i++) {
        stores[i] = rt->place->known[at].epoch.members[replicas[i]].id;
        if (replicas[i] == table->owner[partition])
            view->owner = i;
    }
    return true;
}

/* Those who are to be replicas when what moves has moved. */
static void s_add_learners (const synod__rt_t *rt, const synod__shards_t *placed, uint32_t partition,
                            synod__replica_view_t *view, synod__store_id_t *stores)
{
    const synod__epoch_t *epoch = &synod__place_now (rt->place)->epoch;
    const uint16_t *replicas = placed->target ? synod__ring_replicas (placed->target, partition) : NULL;
    for (uint32_t i = 0; replicas && i < placed->target->copies; i++) {
        const synod__store_id_t *id = &epoch->members[replicas[i]].id;
        uint32_t at = 0;
        while (at < view->replicas && synod__store_id_compare (&stores[at], id) != 0)
            at++;
        if (at == view->replicas)
            stores[view->replicas + view->learners++] = *id;
    }
}

static bool s_in (const synod__replica_view_t *view, const synod__store_id_t *id)
{
    for (uint32_t i = 0; i < view->replicas + view->learners; i++)
        if (synod__store_id_compare (&view->stores[i], id) == 0)
            return true;
    return false;
}

/* All epochs of a partition, the last with its learners, in one piece of memory. */
typedef struct {
    uint32_t count;
    bool mine; /* this node is in one of them */
    synod__replica_view_t *views;
    synod__store_id_t *stores;
} s_views_t;

static void s_find_views (const synod__rt_t *rt, const synod__shards_t *placed, uint32_t partition, s_views_t *out)
{
    const synod__place_t *place = rt->place;
    const synod__store_id_t *id = (const synod__store_id_t *) rt->disk->id;
    synod__store_id_t *stores = out->stores;
    out->count = 0;
    out->mine = false;
    for (uint32_t at = 0; at < place->nknown; at++) {
        synod__replica_view_t *view = &out->views[out->count];
        bool first = at == 0 && placed->base[partition];
        if ((!first && !synod__bit (placed->changed[at], partition)) ||
            !s_view (rt, placed, at, partition, view, stores))
            continue;
        view->epoch = first ? placed->base[partition] : place->known[at].epoch.number;
        stores += view->replicas;
        out->count++;
    }
    if (!out->count)
        return;
    s_add_learners (rt, placed, partition, &out->views[out->count - 1], stores - out->views[out->count - 1].replicas);
    for (uint32_t i = 0; i < out->count; i++)
        out->mine |= s_in (&out->views[i], id);
}

/* Whether VIEW, of the epoch that the replica is in, has the learners that the replica knows. */
static bool s_same_learners (const synod__replica_t *replica, const synod__replica_view_t *view)
{
    if (replica->learners != view->learners)
        return false;
    for (uint32_t i = replica->replicas; i < replica->replicas + replica->learners; i++)
        if (synod__store_id_compare (&replica->peers[i].id, &view->stores[i]) != 0)
            return false;
    return true;
}

/* Copies the epochs before the last for as long as the partition's own lasts. */
static void *s_keep_views (const s_views_t *views, const synod__replica_view_t **former)
{
    uint32_t count = views->count - 1, stores = 0;
    for (uint32_t i = 0; i < count; i++)
        stores += views->views[i].replicas;
    *former = NULL;
    if (!count)
        return NULL;
    synod__replica_view_t *copy =
        (synod__replica_view_t *) synod__alloc (count * sizeof *copy + stores * sizeof (synod__store_id_t));
    synod__store_id_t *ids = (synod__store_id_t *) (copy + count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = views->views[i];
        copy[i].stores = ids;
        copy[i].learners = 0;
        memcpy (ids, views->views[i].stores, copy[i].replicas * sizeof *ids);
        ids += copy[i].replicas;
    }
    *former = copy;
    return copy;
}

/* The first epoch that is kept is settled: of those before it nobody needs anything any more. Who has no part in any
 * since is told so by nobody either, since its store is no longer known. */
static void s_leave (synod__rt_t *rt, synod__partition_t *self)
{
    const synod__place_t *place = rt->place;
    const synod__replica_t *replica = &self->replica;
    if (place->known[0].epoch.number > synod__place_now (place)->epoch.settled)
        return;
    const synod__replica_message_t message = {
        .kind = SYNOD__REPLICA_DELETE, .from = replica->peers[replica->owner].id, .epoch = replica->term};
    synod__copies_carry (rt, self, synod__replica_take (&self->replica, &message));
}

static void s_enter (synod__rt_t *rt, synod__shards_t *placed, uint32_t index, const s_views_t *views)
{
    synod__partition_t *self = placed->partition[index];
    if (!self && !views->mine)
        return;
    const synod__replica_view_t *view = &views->views[views->count - 1];
    self = s_partition (rt, placed, index, NULL);
    synod__copies_settle (rt, self);
    if (SYNOD__MUTANT (SEAL_IGNORED) && synod__partition_serving (self) && view->epoch > self->replica.epoch)
        return;
    if (self->replica.epoch == view->epoch) {
        if (!s_same_learners (&self->replica, view))
            synod__copies_carry (rt, self, synod__replica_enter (&self->replica, view, NULL, 0));
        return;
    }
    void *before = self->views;
    const synod__replica_view_t *former;
    self->views = s_keep_views (views, &former);
    synod__copies_carry (rt, self, synod__replica_sealed (&self->replica, view->epoch));
    synod__copies_carry (rt, self, synod__replica_enter (&self->replica, view, former, views->count - 1));
    free (before);
}

void synod__copies_enter (synod__rt_t *rt, synod__shards_t *placed)
{
    uint32_t known = rt->place->nknown;
    s_views_t views = {
        .views = (synod__replica_view_t *) synod__alloc (known * sizeof *views.views),
        .stores = (synod__store_id_t *) synod__alloc ((known + 1) * SYNOD__REPLICAS_MAX * sizeof *views.stores)};
    for (uint32_t i = 0; i < placed->partitions; i++) {
        s_find_views (rt, placed, i, &views);
        if (views.count)
            s_enter (rt, placed, i, &views);
        if (views.count && !views.mine && placed->partition[i])
            s_leave (rt, placed->partition[i]);
    }
    free (views.views);
    free (views.stores);
}

typedef struct {
    synod__rt_t *rt;
    synod__shards_t *placed;
} s_load_t;

static void s_load (void *arg, uint32_t index, uint8_t area, const synod__replica_head_t *head)
{
    const s_load_t *load = (const s_load_t *) arg;
    synod__partition_t *self = s_partition (load->rt, load->placed, index, head);
    self->area = area;
    self->stored = true;
}

void synod__copies_load (synod__rt_t *rt, synod__shards_t *placed)
{
    s_load_t load = {rt, placed};
    synod__copy_heads (rt, placed, s_load, &load);
}

void synod__copies_free (synod__shards_t *placed)
{
    for (uint32_t i = 0; placed->partition && i < placed->partitions; i++) {
        synod__partition_t *self = placed->partition[i];
        if (!self)
            continue;
        synod__replica_free (&self->replica);
        if (self->instance)
            synod__instance_free (self->instance);
        free (self->views);
        free (self);
    }
    free (placed->partition);
}

/* ---- messages and ticks ---- */

/* Learners wait for their turn; replicas, which others may wait for, do not. True: IN was put by. */
static bool s_later (synod__rt_t *rt, synod__partition_t *self, const synod__replica_message_t *in)
{
    synod__place_t *place = rt->place;
    if (in->kind != SYNOD__REPLICA_PULL || place->budget_bytes > 0 || !s_learner (&self->replica, &in->from))
        return false;
    if (place->nlater == S_LATER_MAX)
        return true; /* it is asked again */
    size_t runs = in->nruns * sizeof *in->runs;
    synod__later_t *later = (synod__later_t *) synod__alloc (sizeof *later + runs + in->key.size);
    later->partition = self;
    later->message = *in;
    later->message.runs = (const synod__replica_run_t *) (later + 1);
    if (runs)
        memcpy (later + 1, in->runs, runs);
    if (in->key.data) {
        later->message.key.data = (char *) (later + 1) + runs;
        memcpy ((char *) (later + 1) + runs, in->key.data, in->key.size);
    }
    *(place->later ? &place->later_last->next : &place->later) = later;
    place->later_last = later;
    place->nlater++;
    return true;
}

void synod__copies_take (synod__rt_t *rt, synod__stream_t *from, const synod__place_copy_t *in)
{
    synod__place_t *place = rt->place;
    synod__shards_t *placed = synod__place_type (rt, in->type);
    synod__replica_message_t message;
    synod_fault_t fault = {0};
    if (!placed || !placed->partition || in->partition >= placed->partitions || in->to.size != SYNOD__STORE_ID_SIZE ||
        memcmp (in->to.data, rt->disk->id, SYNOD__STORE_ID_SIZE) != 0)
        return;
    if (synod__replica_wire_take (in, &message, place->batches, place->runs, &fault) != SYNOD_OK) {
        rt->stats.malformed++;
        synod__bad_body (rt, synod__stream_name (from), &fault);
        return;
    }
    const synod__member_t *sender = synod__place_store (rt, &message.from);
    if (!sender || !synod_str_is (synod__stream_name (from), sender->name))
        return;
    if (synod__term_epoch (message.epoch) > placed->own[in->partition]) {
        synod__place_hear (rt, from, synod__term_epoch (message.epoch));
        return; /* it is said again */
    }
    synod__partition_t *self = s_partition (rt, placed, (uint32_t) in->partition, NULL);
    if (!self->replica.epoch || s_later (rt, self, &message))
        return;
    synod__copies_settle (rt, self);
    const synod__replica_step_t *step = synod__replica_take (&self->replica, &message);
    rt->place->copying |= step->nwrites > 0;
    rt->lazily = message.spare && self->replica.role == SYNOD__REPLICA_MEMBER && !step->seal;
    synod__copies_carry (rt, self, step);
    rt->lazily = false;
}

/* Those that waited for their turn, as far as the budget goes. */
static void s_later_run (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    while (place->later && place->budget_bytes > 0 && !rt->broken) {
        synod__later_t *later = place->later;
        place->later = later->next;
        place->nlater--;
        synod__copies_settle (rt, later->partition);
        synod__copies_carry (rt, later->partition, synod__replica_take (&later->partition->replica, &later->message));
        free (later);
    }
}

void synod__copies_tick (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    int64_t passed_us = rt->now_us - place->budget_us;
    int64_t most = rt->config.move_bytes_s / 4;
    place->budget_us = rt->now_us;
    place->budget_bytes += passed_us < 1000000 ? passed_us * rt->config.move_bytes_s / 1000000 : most;
    if (place->budget_bytes > most)
        place->budget_bytes = most;
    s_later_run (rt);
    for (uint32_t i = 0; i < place->nticking && !rt->broken;) {
        synod__partition_t *self = place->ticking[i];
        synod__copies_settle (rt, self);
        synod__copies_carry (rt, self, synod__replica_tick (&self->replica));
        if (synod__replica_idle (&self->replica)) {
            self->ticking = false;
            place->ticking[i] = place->ticking[--place->nticking];
        } else
            i++;
    }
}
