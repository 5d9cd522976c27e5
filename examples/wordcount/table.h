/* SPDX-License-Identifier: MPL-2.0
 *
 * Counts that are kept in the table `kv`: a key for each word, to which is added by commands. Each runs once, whatever dies
 * meanwhile, so the counts are right. What is to be added waits in a table of words and goes a bounded number at a time.
 */
#ifndef WORDCOUNT_TABLE_H_INCLUDED
#define WORDCOUNT_TABLE_H_INCLUDED

#include <synod/synod.h>
#include "words.h"

typedef struct {
    const char *prefix; /* of the keys; NULL: counts are not kept there */
    uint32_t asked;     /* additions under way */
} table_t;

/* Asks for as much of WAITING to be added as may be under way, and takes it out of there. SYNOD_OK, or an error with a sentence
 * in FAULT. */
int table_add (table_t *self, synod_handle_t *handle, words_t *waiting, synod_fault_t *fault);

/* An addition was answered. SYNOD_OK, or why it was not done. */
int table_added (table_t *self, const synod_reply_t *reply);

/* Adds all that the table has to WORDS. SYNOD_OK, or an error with a sentence in FAULT. */
int table_read (const table_t *self, synod_handle_t *handle, words_t *words, synod_fault_t *fault);

#endif
