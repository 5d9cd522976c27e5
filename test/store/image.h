/* SPDX-License-Identifier: MPL-2.0
 *
 * What a crash leaves of a disk on LMDB: copies of its two files.
 */
#ifndef SYNOD_TEST_STORE_IMAGE_H_INCLUDED
#define SYNOD_TEST_STORE_IMAGE_H_INCLUDED

#include "bus/wal.h"
#include "lmdb_folder.h"

#define IMAGE_NAMES 2

extern const char *const image_names[IMAGE_NAMES];

typedef struct {
    char *data;
    size_t size;
} image_file_t;

image_file_t image_load (const char *folder, const char *name); /* the caller frees its data */
void image_save (const char *folder, const char *name, const void *data, size_t size);
void image_copy (const char *from, const char *to, const char *name);

const char *image_dir (void); /* where the test's store is */
/* What a crash now would leave of the store in the folder OF: a folder, until the next. */
const char *image_of (const char *of);
/* The size of the record at AT, with the zeros behind it. */
size_t image_record (const image_file_t *wal, size_t at);

void image_commit (synod__disk_t *disk, uint64_t number);          /* of the numbered batch */
void image_has (const char *dir, uint64_t last);                   /* batches up to this one */
void image_refused (const char *dir, int code, const char *words); /* with this in the sentence */

#endif
