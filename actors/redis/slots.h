/* SPDX-License-Identifier: MPL-2.0
 *
 * What the files around a connection's line share.
 */
#ifndef SYNOD_REDIS_SLOTS_H_INCLUDED
#define SYNOD_REDIS_SLOTS_H_INCLUDED

#include "redis.h"

void synod__redis_leave (synod__redis_conn_t *conn);     /* nothing more is read; closed when its line is empty */
void synod__redis_line_drop (synod__redis_conn_t *conn); /* it is gone; what is under way ends unheard */
void synod__redis_slots_free (synod__redis_t *self);
void synod__redis_answered (synod__redis_conn_t *conn); /* its line is shorter */
void synod__redis_fed (synod__redis_t *self);           /* asks may be begun again */

/* ---- large.c ---- */

/* A put whose value is too large for a message; SLOT has its place in the line. */
void synod__redis_large_put (synod__redis_t *self, synod__redis_slot_t *slot, synod_str_t key,
                             const synod__kv_put_t *in);
/* In an ON_DONE, last: replies with the value that is kept in pieces under UPLOAD, of the key slot->text. */
void synod__redis_large_get (synod__redis_t *self, synod__redis_slot_t *slot, uint64_t upload, uint64_t size, bool old);
void synod__redis_large_free (synod__redis_slot_t *slot);

#endif
