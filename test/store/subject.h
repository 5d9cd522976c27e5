/* SPDX-License-Identifier: MPL-2.0
 *
 * The disks that a test of all disks is for: the one in memory and the one on LMDB, with logs of several sizes. A crash of the
 * first is its own function; of the second, that it is closed without a commit and opened again (wal_test.c and kill_test.c
 * have harder ones).
 */
#ifndef SYNOD_TEST_STORE_SUBJECT_H_INCLUDED
#define SYNOD_TEST_STORE_SUBJECT_H_INCLUDED

#include "store.h"

#define SUBJECT_TESTS 16

typedef struct {
    const char *name;
    size_t log;      /* bytes; 0: the default */
    char folder[64]; /* LMDB's; empty: memory */
    synod__disk_t *disk;
} subject_t;

void subject_crash (subject_t *self);
void subject_fail (subject_t *self, int code); /* the next commit that has anything to do fails */
int subject_commit (subject_t *self);
int subject_write (subject_t *self, synod_str_t key, const synod_str_t *value);

/* Runs all TESTS on each; their state is a subject_t. How many failed. */
int subject_each (const struct CMUnitTest *tests, size_t count);

#endif
