/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of the checker of transactions know of each other:
 *
 *   serial.c         what is recorded, and which transaction wrote which version
 *   serial_graph.c   what must come before what, and the cycle
 */
#ifndef SYNOD_SIM_SERIAL_INTERNAL_H_INCLUDED
#define SYNOD_SIM_SERIAL_INTERNAL_H_INCLUDED

#include "serial.h"

#define SYNOD__SERIAL_NONE UINT32_MAX

typedef struct {
    char name[SYNOD__SERIAL_NAME_MAX + 1];
    uint32_t begun;   /* how many had ended before it began */
    uint32_t ended;   /* its place among those that ended; NONE: not yet */
    uint16_t outcome; /* as said; UNKNOWN becomes COMMITTED when it is read from */
} synod__serial_txn_t;

typedef struct {
    uint32_t txn, key;
    uint64_t version;
} synod__serial_read_t;

typedef struct {
    uint32_t txn, key;
    uint64_t value, version; /* VERSION 0: nobody has seen it */
} synod__serial_write_t;

/* A version of a key that somebody has seen. In order by key and version once they are put in order. */
typedef struct {
    uint32_t key, writer; /* NONE: not known, or nobody: version 0 */
    uint64_t version, value;
} synod__serial_version_t;

struct synod__serial_t {
    synod__serial_txn_t *txns;
    synod__serial_read_t *reads;
    synod__serial_write_t *writes;
    synod__serial_version_t *versions;
    uint32_t ntxns, nreads, nwrites, nversions;
    uint32_t txns_capacity, reads_capacity, writes_capacity, versions_capacity;
    uint32_t ended;
};

/* ARRAY with room for one more than COUNT elements of SIZE bytes. */
void *synod__serial_room (void *array, uint32_t count, uint32_t *capacity, size_t size);

static inline bool synod__serial_counts (const synod__serial_t *self, uint32_t txn)
{
    return self->txns[txn].outcome == SYNOD__SERIAL_COMMITTED;
}

/* Where the versions of KEY from VERSION on begin. */
uint32_t synod__serial_from (const synod__serial_t *self, uint32_t key, uint64_t version);

/* Versions and writes are in order, and their writers known. */
int synod__serial_cycle (const synod__serial_t *self, synod_fault_t *fault, synod_buf_t *words);

#endif
