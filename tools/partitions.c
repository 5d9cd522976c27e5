/* SPDX-License-Identifier: MPL-2.0
 *
 * Asking every partition of a placed type. The client knows the ring, and so finds a key of each.
 */
#include "partitions.h"

#include <stdlib.h>

#define WINDOW 256 /* asks under way */

typedef struct {
    char key[SYNOD__PARTS_KEY_MAX];
    uint64_t ask; /* 0: none is under way */
} part_t;

typedef struct {
    synod__rings_t *rings;
    const synod__parts_t *walk;
    const char *name;
    part_t *parts;
    uint32_t count, next, under_way;
} walker_t;

/* A key in each partition. */
static void find_keys (const synod__ring_t *ring, part_t *parts, uint32_t count)
{
    char key[SYNOD__PARTS_KEY_MAX];
    for (uint32_t found = 0, i = 0; found < count; i++) {
        snprintf (key, sizeof key, "%u", i);
        part_t *part = &parts[synod__ring_partition (ring, synod_str (key))];
        found += !part->key[0];
        if (!part->key[0])
            memcpy (part->key, key, sizeof key);
    }
}

static int start (walker_t *self, uint32_t at)
{
    const void *in = self->walk->ask (self->walk->arg, at);
    char to[SYNOD_NAME_MAX + 1 + SYNOD__PARTS_KEY_MAX + 1];
    part_t *part = &self->parts[at];
    if (!in)
        return SYNOD__EXIT_NONE;
    snprintf (to, sizeof to, "%s#%s", self->name, part->key);
    int rc = synod_handle_ask_start (self->rings->handle, to, self->walk->record, in, self->rings->join.timeout_ms,
                                     &part->ask);
    self->under_way += rc == SYNOD_OK;
    return rc == SYNOD_OK ? SYNOD__EXIT_NONE : synod__fail (rc, synod_handle_error (self->rings->handle));
}

static int take (walker_t *self, uint64_t ask, const synod_reply_t *reply)
{
    for (uint32_t i = 0; i < self->next; i++) {
        bool more = false;
        if (self->parts[i].ask != ask)
            continue;
        self->parts[i].ask = 0;
        self->under_way--;
        int status = self->walk->take (self->walk->arg, i, reply, &more);
        return status == SYNOD__EXIT_NONE && more ? start (self, i) : status;
    }
    return SYNOD__EXIT_NONE;
}

int synod__parts_each (synod__rings_t *rings, const synod__rings_type_t *type, const synod__parts_t *walk)
{
    walker_t self = {.rings = rings, .walk = walk, .name = type->name, .count = synod__ring_partitions (type->now)};
    int status = SYNOD__EXIT_NONE;
    self.parts = (part_t *) calloc (self.count, sizeof *self.parts);
    if (!self.parts)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the partitions");
    find_keys (type->now, self.parts, self.count);
    while (status == SYNOD__EXIT_NONE && (self.next < self.count || self.under_way)) {
        uint64_t ask = 0;
        synod_reply_t reply = {0};
        while (self.under_way < WINDOW && self.next < self.count && status == SYNOD__EXIT_NONE)
            status = start (&self, self.next++);
        if (status != SYNOD__EXIT_NONE || !self.under_way)
            break;
        int rc = synod_handle_wait (rings->handle, (int) rings->join.timeout_ms + 1000, &ask, &reply);
        status = rc == SYNOD_OK ? take (&self, ask, &reply) : synod__fail (rc, synod_handle_error (rings->handle));
    }
    free (self.parts);
    return status;
}

int synod__parts_types (const synod__rings_view_t *view, int (*on_type) (void *arg, const synod__rings_type_t *type),
                        void *arg)
{
    int status = SYNOD__EXIT_NONE;
    for (uint32_t i = 0; status == SYNOD__EXIT_NONE && i < synod__rings_types (&view->epoch); i++) {
        synod__rings_type_t type = {0};
        if (!synod__rings_type (&view->epoch, i, &type))
            return synod__fail (SYNOD_NO_MEMORY, "no memory for the ring");
        if (type.name)
            status = on_type (arg, &type);
        synod__rings_type_free (&type);
    }
    return status;
}
