/* SPDX-License-Identifier: MPL-2.0
 *
 * A summary of the counts in the table `kv`, in three keys that whoever reads may rely on to belong together:
 *
 *   NAME/totals    how many words, and how many different ones
 *   NAME/top       the most frequent, a line each
 *   NAME/version   how often it was published
 *
 * They are in different partitions, and written by one transaction. Who publishes holds the lock NAME, and its fence goes with
 * each of them: one who was paused for so long that another has the lock by now is refused, and nothing of his is written.
 */
#ifndef WORDCOUNT_PUBLISH_H_INCLUDED
#define WORDCOUNT_PUBLISH_H_INCLUDED

#include <synod/synod.h>
#include "words.h"

/* Publishes WORDS, which are sorted, TOP of them by name; says so on stderr. OPTIONS: by which HANDLE joined. SYNOD_OK, or why
 * nothing was published (SYNOD_TIMEOUT, SYNOD_NODE_DOWN: or perhaps it was) with a sentence in FAULT. */
int publish (const synod_options_t *options, synod_handle_t *handle, const char *name, const words_t *words,
             uint64_t top, synod_fault_t *fault);

#endif
