/* SPDX-License-Identifier: MPL-2.0
 *
 * The disk of a node: memory (actors/runtime/memory_disk.h) that outlives the lives of its node. A commit is one effect
 * of a turn; one that the node does not live to see never happens, and a crash takes back what was not committed: who looks at a
 * disk from outside sees what is (durable), and not what its node has written. Where commits
 * take a while (settings.disk_us) it leaves some of those that were under way.
 */
#include <stddef.h>
#include <stdlib.h>
#include "actors/runtime/memory_disk.h"
#include <stdio.h>
#include "internal.h"
#include "actors/runtime/store.h"

static synod__sim_place_t *s_place (synod__disk_t *disk)
{
    return (synod__sim_place_t *) ((char *) disk - offsetof (synod__sim_place_t, disk));
}

static synod__disk_t *s_under (const synod__disk_t *disk)
{
    return s_place ((synod__disk_t *) disk)->under;
}

static int s_get (synod__disk_t *self, synod_str_t key, synod_str_t *value)
{
    return s_under (self)->ops->get (s_under (self), key, value);
}

static int s_scan (synod__disk_t *self, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg)
{
    return s_under (self)->ops->scan (s_under (self), from, until, on_entry, arg);
}

/* ---- for those who look at what is durable ---- */

static int s_write (synod__disk_t *self, synod_str_t prefix, synod_str_t batch)
{
    synod__sim_place_t *place = s_place (self);
    const uint32_t sizes[2] = {prefix.size, batch.size};
    if (synod__buf_add (&place->written, sizes, sizeof sizes) ||
        synod__buf_add (&place->written, prefix.data, prefix.size) ||
        synod__buf_add (&place->written, batch.data, batch.size))
        abort ();
    return s_under (self)->ops->write (s_under (self), prefix, batch);
}

/* What WRITTEN has is durable. */
static void s_tell (synod__sim_place_t *place, synod_buf_t *written)
{
    synod_sim_t *sim = place->sim;
    synod__disk_t *durable = place->durable;
    uint32_t sizes[2];
    for (size_t at = 0; at < written->size; at += sizeof sizes + sizes[0] + sizes[1]) {
        memcpy (sizes, written->data + at, sizeof sizes);
        synod_str_t prefix = synod_str_n (written->data + at + sizeof sizes, sizes[0]);
        synod_str_t batch = synod_str_n (prefix.data + prefix.size, sizes[1]);
        if (sim->on_write)
            sim->on_write (sim->disk_arg, place->number, prefix, batch);
        durable->ops->write (durable, prefix, batch);
    }
    written->size = 0;
    place->commits++;
    durable->ops->commit (durable);
    if (sim->on_commit)
        sim->on_commit (sim->disk_arg, place->number);
}

/* ---- commits ---- */

/* The code with which the next one fails. */
static int s_fault (synod__sim_place_t *place)
{
    if (!place->disk_fails)
        return SYNOD_OK;
    int code = synod__sim_next (&place->sim->random) & 1 ? SYNOD_IO : SYNOD_FULL;
    place->disk_fails = false;
    synod__sim_note (place->sim, "the disk of %s fails: %s", place->name, synod_error_name (code));
    return code;
}

/* The first of those under way is over. */
static int s_end (synod__sim_place_t *place)
{
    synod__sim_commit_t first = place->begun[0];
    memmove (place->begun, place->begun + 1, --place->nbegun * sizeof first);
    if (first.code != SYNOD_OK) {
        synod__memory_disk_break (place->under, first.code);
        for (uint32_t i = 0; i < place->nbegun; i++)
            place->begun[i].code = first.code; /* nothing is durable without what was before it */
    } else {
        place->disk.settled++;
        synod__memory_disk_settle (place->under);
        s_tell (place, &first.written);
    }
    synod_buf_free (&first.written);
    return first.code;
}

static int s_commit (synod__disk_t *self)
{
    synod__sim_place_t *place = s_place (self);
    int rc = SYNOD_OK;
    if (place->alive && !synod__sim_effect (place))
        return SYNOD_STOPPED;
    while (rc == SYNOD_OK && place->nbegun)
        rc = s_end (place);
    if (rc != SYNOD_OK)
        return rc;
    int code = place->written.size ? s_fault (place) : SYNOD_OK; /* a commit of nothing needs no disk */
    if (code != SYNOD_OK)
        synod__memory_disk_fail (place->under, 0, code);
    rc = place->under->ops->commit (place->under);
    if (rc == SYNOD_OK)
        s_tell (place, &place->written);
    return rc;
}

static int s_begin (synod__disk_t *self)
{
    synod__sim_place_t *place = s_place (self);
    synod_sim_t *sim = place->sim;
    if (!sim->settings.disk_us)
        return SYNOD_BUSY;
    if (!synod__sim_effect (place))
        return SYNOD_STOPPED;
    int64_t at_us = place->nbegun ? place->begun[place->nbegun - 1].at_us : sim->now_us;
    at_us += 1 + (int64_t) (synod__sim_next (&sim->spinning) % sim->settings.disk_us);
    place->begun[place->nbegun++] =
        (synod__sim_commit_t){.at_us = at_us, .code = s_fault (place), .written = place->written};
    memset (&place->written, 0, sizeof place->written);
    synod__memory_disk_begin (place->under);
    self->begun++;
    return SYNOD_OK;
}

static int s_settle (synod__disk_t *self)
{
    synod__sim_place_t *place = s_place (self);
    int rc = SYNOD_OK;
    while (rc == SYNOD_OK && place->nbegun && place->begun[0].at_us <= place->sim->now_us)
        rc = s_end (place);
    return rc;
}

int64_t synod__sim_disk_due (const synod__sim_place_t *place)
{
    return place->nbegun ? place->begun[0].at_us : INT64_MAX;
}

static const char *s_error (const synod__disk_t *self)
{
    return s_under (self)->ops->error (s_under (self));
}

static void s_close (synod__disk_t **self_p)
{
    *self_p = NULL; /* it is the place's */
}

static const synod__disk_ops_t s_ops = {s_get, s_scan, s_write, s_commit, s_begin, s_settle, s_error, s_close};

static void s_new (synod__sim_place_t *place)
{
    uint64_t id[2] = {synod__sim_next (&place->disks), synod__sim_next (&place->disks)};
#ifdef SYNOD_REPLICA_MUTANTS /* one of them takes stores for the same that begin alike */
    id[0] = (uint64_t) place->number;
#endif
    place->under = synod__memory_disk_new ((const uint8_t *) id);
    place->durable = synod__memory_disk_new (place->under->id);
    place->disk.ops = &s_ops;
    memcpy (place->disk.id, place->under->id, SYNOD__DISK_ID);
}

synod__disk_t *synod__sim_disk (synod__sim_place_t *place)
{
    if (!place->under)
        s_new (place);
    return &place->disk;
}

const synod__disk_t *synod__sim_durable (const synod__sim_place_t *place)
{
    return place->durable;
}

/* One that was broken works again. Of the commits that were under way some are durable: the first ones. */
void synod__sim_disk_crash (synod__sim_place_t *place)
{
    uint64_t left = place->nbegun ? synod__sim_next (&place->sim->spinning) % (place->nbegun + 1) : 0;
    while (left-- && s_end (place) == SYNOD_OK)
        ;
    while (place->nbegun)
        synod_buf_free (&place->begun[--place->nbegun].written);
    place->written.size = 0;
    place->disk.begun = place->disk.settled = 0;
    if (place->under)
        synod__memory_disk_crash (place->under);
}

void synod__sim_disk_free (synod__sim_place_t *place)
{
    synod__sim_disk_crash (place);
    synod_buf_free (&place->written);
    if (place->under) {
        place->under->ops->close (&place->under);
        place->durable->ops->close (&place->durable);
    }
}

/* ---- looking into it ---- */

typedef struct {
    synod_on_entry_t *on_entry;
    void *arg;
    uint32_t prefix; /* bytes of a key on the disk that the actor does not see */
} s_look_t;

static bool s_on_entry (void *arg, synod_str_t key, synod_str_t value)
{
    const s_look_t *look = (const s_look_t *) arg;
    return look->on_entry (look->arg, synod_str_n (key.data + look->prefix, key.size - look->prefix), value);
}

/* The disk's key of ACTOR's. */
static synod_str_t s_key (const char *actor, synod__area_t area, synod_str_t key, char room[SYNOD__DISK_KEY_MAX])
{
    uint32_t size = (uint32_t) strlen (actor) + 1;
    memcpy (room, actor, size);
    return synod__store_key (room, size, area, key);
}

int synod_sim_scan (const synod_sim_t *self, int node, const char *actor, synod_str_t from, synod_str_t until,
                    synod_on_entry_t *on_entry, void *arg)
{
    const synod__sim_place_t *place = synod__sim_place (self, node);
    char first[SYNOD__DISK_KEY_MAX], last[SYNOD__DISK_KEY_MAX];
    if (!place || node == SYNOD_SIM_BROKER || !actor || !on_entry || strlen (actor) > SYNOD_NAME_MAX ||
        from.size > SYNOD_STORE_KEY_MAX || until.size > SYNOD_STORE_KEY_MAX)
        return SYNOD_INVALID;
    if (!place->under)
        return SYNOD_OK; /* it never ran */
    s_look_t look = {on_entry, arg, (uint32_t) strlen (actor) + 2};
    synod__disk_t *disk = (synod__disk_t *) synod__sim_durable (place);
    return disk->ops->scan (disk, s_key (actor, SYNOD__AREA_DATA, from, first),
                            s_key (actor, until.size ? SYNOD__AREA_DATA : SYNOD__AREA_DATA + 1, until, last),
                            s_on_entry, &look);
}

uint64_t synod_sim_commits (const synod_sim_t *self, int node)
{
    const synod__sim_place_t *place = synod__sim_place (self, node);
    return place ? place->commits : 0;
}

int synod_sim_wipe (synod_sim_t *self, int node)
{
    synod__sim_place_t *place = synod__sim_given (self, node, false);
    if (!place)
        return SYNOD_INVALID;
    if (place->alive)
        return synod__sim_fault (self, SYNOD_INVALID, "%s runs: only the disk of a node that is down can be wiped",
                                 place->name);
    synod__sim_node_free (place);
    synod__sim_disk_free (place);
    synod__sim_note (self, "the disk of %s is wiped", place->name);
    return SYNOD_OK;
}

int synod_sim_disk_fails (synod_sim_t *self, int node)
{
    synod__sim_place_t *place = synod__sim_given (self, node, false);
    if (!place)
        return SYNOD_INVALID;
    place->disk_fails = true;
    return SYNOD_OK;
}
