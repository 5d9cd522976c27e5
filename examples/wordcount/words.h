/* SPDX-License-Identifier: MPL-2.0
 *
 * A table of words and their counts. A word is a maximal run of ASCII letters, in lower case.
 */
#ifndef WORDCOUNT_WORDS_H_INCLUDED
#define WORDCOUNT_WORDS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

typedef struct {
    uint64_t count;
    UT_hash_handle hh;
    size_t size;
    char text[]; /* NUL-terminated */
} word_t;

/* NULL is the empty table. */
typedef struct {
    word_t *head; /* uthash's; in the order in which the words came */
} words_t;

static inline bool word_letter (char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Adds COUNT of a word of SIZE letters of any case; false when memory ran out. Borrows TEXT. */
bool words_add (words_t *self, const char *text, size_t size, uint64_t count);

/* Adds every word of a text; false when memory ran out. */
bool words_add_text (words_t *self, const char *text, size_t size);

/* Sorts: most frequent first, ties by word. */
void words_sort (words_t *self);

/* Takes a word out, and frees it. */
void words_remove (words_t *self, word_t *word);
void words_clear (words_t *self);

#endif
