/* SPDX-License-Identifier: MPL-2.0
 *
 * An actor's ordered store: its name space on the node's disk, and the writes of the handler that runs, staged on top.
 * When the handler has succeeded they are joined to the turn as one batch; else they are dropped.
 *
 * On the disk a key is  PREFIX AREA KEY; the prefix is  ACTOR NUL,  unless another is selected. A batch has its keys
 * without the prefix, so that it is the same wherever it is written.
 */
#ifndef SYNOD_RUNTIME_STORE_H_INCLUDED
#define SYNOD_RUNTIME_STORE_H_INCLUDED

#include "disk.h"
#include "runtime.h"

typedef struct synod__store_t synod__store_t;

/* Areas of an actor's name space. */
typedef enum {
    SYNOD__AREA_DATA = 'd',    /* what the actor keeps */
    SYNOD__AREA_CLIENTS = 'c', /* commands.c */
    SYNOD__AREA_REPLIES = 'r',
    SYNOD__AREA_TXNS = 't' /* actors/vote/participant.c */
} synod__area_t;

#define SYNOD__AREA_KEY_MAX     SYNOD_STORE_KEY_MAX
#define SYNOD__STORE_PREFIX_MAX (SYNOD_NAME_MAX + 1 + 5)

/* The disk's key, in ROOM (SYNOD__DISK_KEY_MAX bytes), whose first PREFIX bytes are the prefix already. */
static inline synod_str_t synod__store_key (char *room, uint32_t prefix, synod__area_t area, synod_str_t key)
{
    room[prefix] = (char) area;
    if (key.size)
        memcpy (room + prefix + 1, key.data, key.size);
    return synod_str_n (room, prefix + 1 + key.size);
}

/* On RT's disk, which outlives it; copies ACTOR, and selects ACTOR NUL. An error of the disk breaks RT (commit.c). */
synod__store_t *synod__store_new (synod__rt_t *rt, synod_str_t actor);
void synod__store_destroy (synod__store_t **self_p);

/* From now on it is what is behind PREFIX on the disk: up to SYNOD__STORE_PREFIX_MAX bytes, copied. Only while nothing is
 * staged. */
void synod__store_select (synod__store_t *self, synod_str_t prefix);
/* The same where the prefixes are of one size and differ in their last four bytes. */
void synod__store_select_end (synod__store_t *self, const char end[4]);
synod_str_t synod__store_prefix (const synod__store_t *self); /* borrowed until another is selected */

/* Errors as synod_put and its like; what the disk returns besides. */
int synod__store_put (synod__store_t *self, synod__area_t area, synod_str_t key, synod_str_t value);
int synod__store_delete (synod__store_t *self, synod__area_t area, synod_str_t key);
int synod__store_get (synod__store_t *self, synod__area_t area, synod_str_t key, synod_str_t *value);
int synod__store_scan (synod__store_t *self, synod__area_t area, synod_str_t from, synod_str_t until,
                       synod_on_entry_t *on_entry, void *arg);

bool synod__store_staged (const synod__store_t *self); /* whether anything is */
/* Appends what is staged to BATCH, with keys  AREA KEY,  and stages nothing any more. */
void synod__store_take (synod__store_t *self, synod_buf_t *batch);
void synod__store_drop (synod__store_t *self);

#endif
