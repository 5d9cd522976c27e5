/* SPDX-License-Identifier: MPL-2.0
 *
 * The configurations a search has been in: which operations were placed, and the state they led to. Kept in a form
 * whose size follows the operations in flight, not the length of the history, within a bound on memory.
 */
#ifndef SYNOD_SIM_LINEAR_MEMO_H_INCLUDED
#define SYNOD_SIM_LINEAR_MEMO_H_INCLUDED

#include <synod/history.h>

/* Zero-initialise, with MODEL, BOUND and CHUNK set; free with synod__memo_free. */
typedef struct {
    const synod_model_t *model; /* borrowed */
    size_t bound, memory;       /* bytes: at most, and used by chunks and buckets */
    uint32_t chunk;             /* bytes; a power of two, and room for any configuration */
    char **chunks;              /* of records, one after another; a record is in one chunk */
    uint32_t nchunks, chunks_made, chunks_capacity;
    uint32_t used;                   /* bytes of the last chunk */
    uint32_t *buckets;               /* references to records, 0: none */
    uint32_t nbuckets, buckets_made; /* powers of two */
    uint32_t count;
} synod__memo_t;

/* A configuration as a search has it. Bits of DONE below those of word FROM are all set, beyond word UNTIL none. */
typedef struct {
    uint64_t hash; /* of all that follows; equal configurations have equal ones */
    const uint64_t *done;
    uint32_t from, until;
    const uint64_t *used; /* NUSED words, for operations of unknown outcome */
    uint32_t nused;
    const void *state;
} synod__configuration_t;

typedef enum { SYNOD__MEMO_NEW, SYNOD__MEMO_KNOWN, SYNOD__MEMO_FULL } synod__memo_answer_t;

/* The size of chunks where a configuration is of OPERATIONS at most. */
uint32_t synod__memo_chunk (uint32_t operations);

/* Remembers CONFIGURATION (copied) if it is new and there is room. */
synod__memo_answer_t synod__memo_add (synod__memo_t *self, const synod__configuration_t *configuration);
void synod__memo_clear (synod__memo_t *self); /* forgets all, keeps its memory for the next */
void synod__memo_free (synod__memo_t *self);

#endif
