/* SPDX-License-Identifier: MPL-2.0
 *
 * What the feeder and the counters say to each other.
 */
#ifndef WORDCOUNT_RECORDS_H_INCLUDED
#define WORDCOUNT_RECORDS_H_INCLUDED

#include <synod/synod.h>

/* The words of a chunk, each with its count, still fit a frame: most when all words are of one to three letters and
 * differ, which gives some 8,400 of them at 21 bytes each. */
#define CHUNK_MAX 32768

/* clang-format off */
#define COUNT_CHUNK_FIELDS(FIELD, OPT) \
    FIELD (bin, text, CHUNK_MAX, "whole words: no word is cut at either end")
#define WORD_COUNT_FIELDS(FIELD, OPT) \
    FIELD (str, word, CHUNK_MAX, "ASCII letters, in lower case") \
    FIELD (u64, count, CHUNK_MAX, "how often it is in the chunk")
#define COUNTS_FIELDS(FIELD, OPT) \
    OPT (list, words, word_count, "every word of the chunk, once")
/* clang-format on */

SYNOD_RECORD (word_count, WORD_COUNT_FIELDS, 0, "a word and its count, in a list")
SYNOD_RECORD (counts, COUNTS_FIELDS, 0, "the reply to count_chunk")
/* counting depends on the chunk alone, so a chunk that a dead worker had may be counted again by another */
SYNOD_RECORD (count_chunk, COUNT_CHUNK_FIELDS, SYNOD_IDEMPOTENT, "count the words of a piece of text")

#endif
