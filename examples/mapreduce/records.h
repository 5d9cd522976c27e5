/* SPDX-License-Identifier: MPL-2.0
 *
 * What the driver, the mappers and the reducers say to each other.
 */
#ifndef MAPREDUCE_RECORDS_H_INCLUDED
#define MAPREDUCE_RECORDS_H_INCLUDED

#include <synod/synod.h>

#define PIECE_MAX 16384

/* clang-format off */
#define PIECE_FIELDS(FIELD, OPT) \
    FIELD (str, job, SYNOD_NAME_MAX, "whose counts: those of other jobs are other counts") \
    FIELD (u64, number, UINT64_MAX, "of the piece in its job") \
    FIELD (bin, text, PIECE_MAX, "whole words: no word is cut at either end")
#define MAPPED_FIELDS(FIELD, OPT) \
    FIELD (str, words, PIECE_MAX + 1, "every word of the piece, once, each with a space behind")
#define PART_FIELDS(FIELD, OPT) \
    FIELD (u64, piece, UINT64_MAX, "its number") \
    FIELD (u64, count, PIECE_MAX, "how often the word is in it")
#define READ_FIELDS(FIELD, OPT)
#define TOTAL_FIELDS(FIELD, OPT) \
    FIELD (str, key, SYNOD_KEY_MAX, "JOB/WORD") \
    FIELD (u64, count, UINT64_MAX, "how often the word is in the pieces reduced so far")
/* clang-format on */

/* To `map`. A piece may be mapped twice: the reducers take its counts once, by its number. */
SYNOD_RECORD (piece, PIECE_FIELDS, SYNOD_IDEMPOTENT, "map a piece of text, and have it reduced")
SYNOD_RECORD (mapped, MAPPED_FIELDS, 0, "the answer to piece, once all of its counts are reduced")

/* To `reduce#JOB/WORD`. */
SYNOD_RECORD (part, PART_FIELDS, SYNOD_ONCE, "the count of a word in a piece")
SYNOD_RECORD (read, READ_FIELDS, SYNOD_IDEMPOTENT, "how often the word was counted")
SYNOD_RECORD (total, TOTAL_FIELDS, 0, "the answer to both")

extern const synod_actor_t map_actor, reduce_actor;

#endif
