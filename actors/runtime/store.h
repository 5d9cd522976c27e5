/* SPDX-License-Identifier: MPL-2.0
 *
 * An actor's ordered store, in memory: a red-black tree of what is committed, and the writes staged on top of it.
 */
#ifndef SYNOD_RUNTIME_STORE_H_INCLUDED
#define SYNOD_RUNTIME_STORE_H_INCLUDED

#include <synod/actor.h>

typedef struct synod__store_t synod__store_t;

synod__store_t *synod__store_new (void);
void synod__store_destroy (synod__store_t **self_p);

/* Staged until commit or drop; get and scan see staged writes. */
int synod__store_put (synod__store_t *self, synod_str_t key, synod_str_t value);
int synod__store_delete (synod__store_t *self, synod_str_t key);
int synod__store_get (synod__store_t *self, synod_str_t key, synod_str_t *value);
int synod__store_scan (synod__store_t *self, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry,
                       void *arg);
void synod__store_commit (synod__store_t *self);
void synod__store_drop (synod__store_t *self);

#endif
