/* SPDX-License-Identifier: MPL-2.0
 *
 * What the tests of disks share: a folder of their own, seeds, batches from parts, and disks made of numbered batches.
 *
 * Numbered batches: number N writes a few entries that belong together, rewrites two that every batch rewrites, and
 * deletes what number N - STORE_WINDOW wrote. So what a disk holds follows from the last number alone, and a part of a
 * batch, or one too many, shows.
 */
#ifndef SYNOD_TEST_STORE_STORE_H_INCLUDED
#define SYNOD_TEST_STORE_STORE_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bus/lmdb_disk.h"

#define STORE_WINDOW 20

/* A new folder, and the end of it. In memory, where a sync costs nothing, or on the disk of /tmp. */
void store_folder (char path[64]);
void store_folder_on_disk (char path[64]);
void store_remove (const char *path);
extern char store_here[64];                                    /* that of the test that runs (lmdb_folder.h) */
const char *store_path (const char *folder, const char *name); /* valid until the next but three */

/* SYNOD_SEED, else of the time; printed. */
uint64_t store_seed (const char *name);
uint64_t store_random (uint64_t *seed);
uint32_t store_below (uint64_t *seed, uint32_t limit); /* 0 .. LIMIT - 1 */

/* Asserts that it can be opened. LIMIT: of the map; 0: enough for a test. */
synod__disk_t *store_open (const char *dir, size_t limit);
synod__disk_t *store_open_log (const char *dir, size_t limit, size_t log); /* LOG: bytes; 0: the default */

void store_add (synod_buf_t *batch, const char *key, const char *value); /* NULL: delete */
int store_write (synod__disk_t *disk, synod_buf_t *batch);               /* and empties BATCH */
int store_write_at (synod__disk_t *disk, synod_str_t prefix, synod_buf_t *batch);
int store_put (synod__disk_t *disk, const char *key, const char *value);
void store_is (synod__disk_t *disk, const char *key, const char *value); /* NULL: not there */

/* ---- numbered batches ---- */

int store_write_number (synod__disk_t *disk, uint64_t number); /* from 1 on; does not commit */
/* The last number that is there; 0 when there is nothing. Asserts that the disk holds what follows from it. */
uint64_t store_check_numbers (synod__disk_t *disk);

#endif
