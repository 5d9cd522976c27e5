/* SPDX-License-Identifier: MPL-2.0
 *
 * A table of words and their counts, on uthash.
 */
#define HASH_NONFATAL_OOM 1
#include "words.h"

#include <stdlib.h>
#include <string.h>

bool words_add (words_t *self, const char *text, size_t size, uint64_t count)
{
    word_t *word = (word_t *) malloc (sizeof *word + size + 1);
    if (!word)
        return false;
    for (size_t i = 0; i < size; i++)
        word->text[i] = (char) (text[i] | 0x20); /* lower case, of letters */
    word->text[size] = 0;
    word->size = size;
    word->count = count;

    word_t *known = NULL;
    HASH_FIND (hh, self->head, word->text, size, known);
    if (known) {
        known->count += count;
        free (word);
        return true;
    }
    HASH_ADD_KEYPTR (hh, self->head, word->text, size, word);
    if (!word->hh.tbl) {
        free (word);
        return false;
    }
    return true;
}

bool words_add_text (words_t *self, const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        if (!word_letter (text[at])) {
            at++;
            continue;
        }
        size_t start = at;
        while (at < size && word_letter (text[at]))
            at++;
        if (!words_add (self, text + start, at - start, 1))
            return false;
    }
    return true;
}

static int compare (const word_t *a, const word_t *b)
{
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return strcmp (a->text, b->text);
}

void words_sort (words_t *self)
{
    HASH_SORT (self->head, compare);
}

void words_remove (words_t *self, word_t *word)
{
    HASH_DEL (self->head, word);
    free (word);
}

void words_clear (words_t *self)
{
    word_t *word = self->head;
    HASH_CLEAR (hh, self->head); /* the table alone; the words still know their next */
    while (word) {
        word_t *next = (word_t *) word->hh.next;
        free (word);
        word = next;
    }
}
