/* SPDX-License-Identifier: MPL-2.0
 *
 * Files of text, cut into chunks between words.
 */
#ifndef WORDCOUNT_TEXTS_H_INCLUDED
#define WORDCOUNT_TEXTS_H_INCLUDED

#include <synod/synod.h>

typedef struct {
    char *data; /* mapped; NULL: an empty file */
    size_t size;
} text_t;

/* Zero is no text. */
typedef struct {
    text_t *files;
    int count;
    int file;      /* the one being cut */
    size_t at;     /* where its next chunk starts */
    uint64_t size; /* of all files */
} texts_t;

/* Opens COUNT regular files. SYNOD_OK, or an error with a sentence in FAULT; close in both cases. */
int texts_open (texts_t *self, char **names, int count, synod_fault_t *fault);
void texts_close (texts_t *self);

/* The next CHUNK, of MOST bytes unless a single word is longer than that; false at the end of all. CHUNK borrows the texts. The
 * same files and MOST always give the same chunks. */
bool texts_next (texts_t *self, size_t most, synod_str_t *chunk);

#endif
