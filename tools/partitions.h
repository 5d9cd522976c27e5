/* SPDX-License-Identifier: MPL-2.0
 *
 * Asking every partition of a placed type, some at a time: each by a key that is in it.
 */
#ifndef SYNOD_TOOLS_PARTITIONS_H_INCLUDED
#define SYNOD_TOOLS_PARTITIONS_H_INCLUDED

#include "ring.h"

#define SYNOD__PARTS_KEY_MAX 16

/* Both return an exit code: SYNOD__EXIT_NONE to go on. */
typedef struct {
    /* What PARTITION is asked next, borrowed until the ask has been sent; NULL: nothing. */
    const void *(*ask) (void *arg, uint32_t partition);
    /* Takes an answer, or an error; *MORE = true: it is asked again. */
    int (*take) (void *arg, uint32_t partition, const synod_reply_t *reply, bool *more);
    const synod_record_t *record; /* of what is asked */
    void *arg;
} synod__parts_t;

/* TYPE: one of SELF's view of the ring, with its tables. */
int synod__parts_each (synod__rings_t *self, const synod__rings_type_t *type, const synod__parts_t *walk);

/* Visits the placed types of VIEW until ON_TYPE returns other than SYNOD__EXIT_NONE, which is returned. */
int synod__parts_types (const synod__rings_view_t *view, int (*on_type) (void *arg, const synod__rings_type_t *type),
                        void *arg);

#endif
