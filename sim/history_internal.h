/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of histories know of each other.
 */
#ifndef SYNOD_SIM_HISTORY_INTERNAL_H_INCLUDED
#define SYNOD_SIM_HISTORY_INTERNAL_H_INCLUDED

#include <synod/history.h>
#include "actors/runtime/hash.h"

#define SYNOD__NO_OP UINT32_MAX

typedef struct {
    UT_hash_handle hh;
    uint32_t index; /* into synod_history_t.keys */
    uint32_t size;
    char text[]; /* NUL-terminated after SIZE bytes */
} synod__history_key_t;

typedef struct {
    UT_hash_handle hh;
    uint32_t client;
    uint32_t open; /* number of its open operation, or SYNOD__NO_OP */
} synod__history_client_t;

struct synod_history_t {
    const synod_model_t *model;
    synod_op_t *ops; /* in the order of invocation */
    uint32_t count, capacity, count_max;
    uint32_t events; /* invocations and completions so far: the next place */
    int64_t now_us;  /* of the last event */
    bool cut;        /* a limit was reached: nothing more is recorded */
    synod__history_key_t *by_key, **keys;
    uint32_t nkeys, keys_capacity;
    synod__history_client_t *clients;
    char error[SYNOD_FAULT_MAX];
};

/* No more is recorded. */
void synod__history_cut (synod_history_t *self);

/* The numbers of the operations in the order of events: entry AT is number * 2, + 1 for its completion. malloc'ed;
 * NULL: no memory. */
uint32_t *synod__history_events (const synod_history_t *self);

/* "read -> 5", "write 1 -> ok", "cas 1 2 unknown". */
int synod__op_print (const synod_model_t *model, const synod_op_t *op, synod_buf_t *out);
/* "  100..120  client 1  read -> 5" and a line's end. */
int synod__op_line (const synod_model_t *model, const synod_op_t *op, synod_buf_t *out);
/* A key as it is where it is a plain word, else in quotes with escapes. */
int synod__key_print (synod_str_t key, synod_buf_t *out);

#endif
