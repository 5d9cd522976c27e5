/* SPDX-License-Identifier: MPL-2.0
 *
 * What a word of a command line names: something built in, or of a shared object.
 */
#ifndef SYNOD_BUS_LIBRARY_H_INCLUDED
#define SYNOD_BUS_LIBRARY_H_INCLUDED

#include <synod/error.h>
#include <stddef.h>

/* What is looked for. A list is whatever its two functions make of it. */
typedef struct {
    const char *many, *one;    /* as sentences call them: "actors", "actor type" */
    const char *symbol, *says; /* what a shared object has, its ABI (int) first; and the macro that makes it */
    const void *(*list) (const void *symbol);
    const char *(*name) (const void *list, size_t i); /* NULL behind the last */
} synod__library_kind_t;

/* WORD is a NAME of those of BUILTIN, or has a slash: then it is a path, with `:NAME` behind it when one alone is wanted.
 * LIST gets the list it is in; ONLY its name, in WORD, or NULL when all of them are meant. A shared object stays loaded as
 * long as the process. SYNOD_INVALID with a sentence in FAULT. */
int synod__library_find (const synod__library_kind_t *kind, const char *word, const void *builtin, const void **list,
                         const char **only, synod_fault_t *fault);

#endif
