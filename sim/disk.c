/* SPDX-License-Identifier: MPL-2.0
 *
 * The disk of a node: memory (actors/runtime/memory_disk.h) that outlives the lives of its node. A commit is one effect
 * of a turn; one that the node does not live to see never happens, and a crash takes back what was not committed.
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

static int s_write (synod__disk_t *self, synod_str_t prefix, synod_str_t batch)
{
    const synod__sim_place_t *place = s_place (self);
    if (place->sim->on_write)
        place->sim->on_write (place->sim->disk_arg, place->number, prefix, batch);
    return s_under (self)->ops->write (s_under (self), prefix, batch);
}

static int s_commit (synod__disk_t *self)
{
    synod__sim_place_t *place = s_place (self);
    if (place->alive && !synod__sim_effect (place))
        return SYNOD_STOPPED;
    if (place->disk_fails) {
        int code = synod__sim_next (&place->sim->random) & 1 ? SYNOD_IO : SYNOD_FULL;
        synod__memory_disk_fail (place->under, 0, code);
        place->disk_fails = false;
        synod__sim_note (place->sim, "the disk of %s fails: %s", place->name, synod_error_name (code));
    }
    int rc = place->under->ops->commit (place->under);
    if (rc == SYNOD_OK && place->sim->on_commit)
        place->sim->on_commit (place->sim->disk_arg, place->number);
    return rc;
}

static const char *s_error (const synod__disk_t *self)
{
    return s_under (self)->ops->error (s_under (self));
}

static void s_close (synod__disk_t **self_p)
{
    *self_p = NULL; /* it is the place's */
}

static const synod__disk_ops_t s_ops = {s_get, s_scan, s_write, s_commit, NULL, NULL, s_error, s_close};

static void s_new (synod__sim_place_t *place)
{
    uint64_t id[2] = {synod__sim_next (&place->disks), synod__sim_next (&place->disks)};
#ifdef SYNOD_REPLICA_MUTANTS /* one of them takes stores for the same that begin alike */
    id[0] = (uint64_t) place->number;
#endif
    place->under = synod__memory_disk_new ((const uint8_t *) id);
    place->disk.ops = &s_ops;
    memcpy (place->disk.id, place->under->id, SYNOD__DISK_ID);
}

synod__disk_t *synod__sim_disk (synod__sim_place_t *place)
{
    if (!place->under)
        s_new (place);
    return &place->disk;
}

/* One that was broken works again. */
void synod__sim_disk_crash (synod__sim_place_t *place)
{
    if (place->under)
        synod__memory_disk_crash (place->under);
}

void synod__sim_disk_free (synod__sim_place_t *place)
{
    if (place->under)
        place->under->ops->close (&place->under);
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
    return place->under->ops->scan (place->under, s_key (actor, SYNOD__AREA_DATA, from, first),
                                    s_key (actor, until.size ? SYNOD__AREA_DATA : SYNOD__AREA_DATA + 1, until, last),
                                    s_on_entry, &look);
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
