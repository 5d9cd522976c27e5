/* SPDX-License-Identifier: MPL-2.0 */
#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>
#include "image.h"

const char *const image_names[IMAGE_NAMES] = {"data.mdb", SYNOD__WAL_FILE};

image_file_t image_load (const char *folder, const char *name)
{
    struct stat is;
    int fd = open (store_path (folder, name), O_RDONLY);
    assert_true (fd >= 0);
    assert_int_equal (fstat (fd, &is), 0);
    image_file_t file = {(char *) malloc ((size_t) is.st_size + 1), (size_t) is.st_size};
    assert_non_null (file.data);
    assert_int_equal (read (fd, file.data, file.size), file.size);
    close (fd);
    return file;
}

void image_save (const char *folder, const char *name, const void *data, size_t size)
{
    mkdir (folder, 0700);
    int fd = open (store_path (folder, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true (fd >= 0);
    assert_int_equal (write (fd, data, size), size);
    close (fd);
}

void image_copy (const char *from, const char *to, const char *name)
{
    image_file_t file = image_load (from, name);
    image_save (to, name, file.data, file.size);
    free (file.data);
}

/* What a crash now would leave. */
const char *image_of (const char *of)
{
    static char image[128];
    snprintf (image, sizeof image, "%s/image", store_here);
    store_remove (image);
    for (int i = 0; i < IMAGE_NAMES; i++)
        image_copy (of, image, image_names[i]);
    return image;
}

const char *image_dir (void)
{
    static char dir[128];
    snprintf (dir, sizeof dir, "%s/data", store_here);
    return dir;
}

void image_refused (const char *dir, int code, const char *words)
{
    const synod__lmdb_limits_t limits = {.map_bytes = (size_t) 1 << 28};
    synod_fault_t fault = {0};
    synod__disk_t *disk = synod__lmdb_disk_open (dir, &limits, &fault);
    if (disk || fault.code != code || !strstr (fault.text, words) || !strstr (fault.text, dir))
        fail_msg ("expected %s with '%s', got %s: %s", synod_error_name (code), words,
                  disk ? "a disk" : synod_error_name (fault.code), fault.text);
}

void image_has (const char *dir, uint64_t last)
{
    synod__disk_t *disk = store_open (dir, 0);
    assert_int_equal (store_check_numbers (disk), last);
    disk->ops->close (&disk);
}

/* The size of the record at AT, with the zeros behind it. */
size_t image_record (const image_file_t *wal, size_t at)
{
    uint32_t size;
    memcpy (&size, wal->data + at + 48, sizeof size);
    return (SYNOD__WAL_HEADER + __builtin_bswap32 (size) + SYNOD__WAL_UNIT - 1) / SYNOD__WAL_UNIT * SYNOD__WAL_UNIT;
}

void image_commit (synod__disk_t *disk, uint64_t number)
{
    assert_int_equal (store_write_number (disk, number), SYNOD_OK);
    assert_int_equal (disk->ops->commit (disk), SYNOD_OK);
}
