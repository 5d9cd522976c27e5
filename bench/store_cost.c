/* SPDX-License-Identifier: MPL-2.0
 *
 * What a store costs: writes a second with 1, 8 and 64 of them to a commit, on LMDB, in memory, and (to know what the
 * disk itself can do) appended to a file with fdatasync; and reads a second. Keys of
 * 40 bytes at random of 100,000, values of 64. The kinds take turns; medians of several runs, with the least and the
 * greatest.
 *
 *     store_cost DIR       DIR: on the disk to be measured; made, and left for you to remove
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "actors/runtime/memory_disk.h"
#include "bus/lmdb_disk.h"

#define S_KEYS  100000
#define S_VALUE 64
#define S_RUNS  5
#define S_RUN_S 1.0

typedef struct {
    const char *name;
    synod__disk_t *disk; /* NULL: the file */
    int file;
} s_kind_t;

static uint64_t s_seed = 1;
static uint64_t s_sum; /* keeps the compiler from leaving the reads out */

static double s_now_s (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void s_check (bool good, const char *what, const char *why)
{
    if (!good) {
        fprintf (stderr, "store_cost: %s: %s\n", what, why);
        exit (1);
    }
}

static synod_str_t s_key (char key[64], uint64_t number)
{
    return synod_str_n (key, (size_t) snprintf (key, 64, "counter%cd%031" PRIu64, 0, number % S_KEYS));
}

static uint64_t s_random (void)
{
    s_seed ^= s_seed << 13; /* xorshift64 */
    s_seed ^= s_seed >> 7;
    s_seed ^= s_seed << 17;
    return s_seed;
}

static void s_write (s_kind_t *kind, synod_buf_t *batch, uint64_t number)
{
    static char bytes[S_VALUE];
    char key[64];
    const synod_str_t value = synod_str_n (bytes, S_VALUE);
    memcpy (bytes, &number, sizeof number);
    batch->size = 0;
    s_check (synod__disk_batch_add (batch, s_key (key, number), &value) == SYNOD_OK, "batch", "no memory");
    if (!kind->disk)
        s_check (write (kind->file, batch->data, batch->size) == (ssize_t) batch->size, "write", strerror (errno));
    else if (kind->disk->ops->write (kind->disk, synod_str_n ("counter", 8), synod_str_n (batch->data, batch->size)) !=
             SYNOD_OK)
        s_check (false, kind->name, kind->disk->ops->error (kind->disk));
}

static void s_commit (s_kind_t *kind)
{
    if (!kind->disk)
        s_check (fdatasync (kind->file) == 0, "fdatasync", strerror (errno));
    else if (kind->disk->ops->commit (kind->disk) != SYNOD_OK)
        s_check (false, kind->name, kind->disk->ops->error (kind->disk));
}

/* Writes a second with PER of them to a commit, each a batch of its own as a handler's is. */
static double s_writes (s_kind_t *kind, int per)
{
    synod_buf_t batch = {0};
    double begin_s = s_now_s (), end_s;
    uint64_t count = 0;
    do {
        for (int i = 0; i < per; i++, count++)
            s_write (kind, &batch, s_random ());
        s_commit (kind);
    } while ((end_s = s_now_s ()) - begin_s < S_RUN_S);
    free (batch.data);
    return (double) count / (end_s - begin_s);
}

/* Reads a second, all in one turn. */
static double s_reads (s_kind_t *kind)
{
    char key[64];
    synod_str_t value;
    double begin_s = s_now_s (), end_s;
    uint64_t count = 0;
    do
        for (int i = 0; i < 1000; i++, count++)
            if (kind->disk->ops->get (kind->disk, s_key (key, s_random ()), &value) == SYNOD_OK)
                s_sum += (uint8_t) value.data[0];
    while ((end_s = s_now_s ()) - begin_s < S_RUN_S);
    return (double) count / (end_s - begin_s);
}

static int s_order (const void *a, const void *b)
{
    double one = *(const double *) a, two = *(const double *) b;
    return (one > two) - (one < two);
}

static void s_report (const char *name, const char *what, double runs[S_RUNS])
{
    qsort (runs, S_RUNS, sizeof *runs, s_order);
    printf ("| %-22s | %-11s | %9.0f /s [%.0f..%.0f] |\n", what, name, runs[S_RUNS / 2], runs[0], runs[S_RUNS - 1]);
    fflush (stdout);
}

static void s_measure (s_kind_t *kinds, int nkinds, const char *what, int per)
{
    double runs[3][S_RUNS];
    for (int run = 0; run < S_RUNS; run++)
        for (int i = 0; i < nkinds; i++)
            runs[i][run] = per ? s_writes (&kinds[i], per) : s_reads (&kinds[i]);
    for (int i = 0; i < nkinds; i++)
        s_report (kinds[i].name, what, runs[i]);
}

int main (int argc, char **argv)
{
    static const uint8_t id[SYNOD__DISK_ID];
    synod_fault_t fault = {0};
    char path[4096];
    if (argc != 2) {
        fputs ("usage: store_cost DIR\n", stderr);
        return 2;
    }
    s_kind_t kinds[] = {{"lmdb", synod__lmdb_disk_open (argv[1], NULL, &fault), -1},
                        {"memory", synod__memory_disk_new (id), -1},
                        {"append", NULL, -1}};
    s_check (kinds[0].disk != NULL, "lmdb", fault.text);
    snprintf (path, sizeof path, "%s/append", argv[1]);
    kinds[2].file = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    s_check (kinds[2].file >= 0, path, strerror (errno));
    synod_buf_t batch = {0};
    for (int i = 0; i < 2; i++) {
        for (uint64_t number = 0; number < S_KEYS; number++)
            s_write (&kinds[i], &batch, number);
        s_commit (&kinds[i]);
    }
    free (batch.data);
    puts ("| what                   | kind        | median, least and greatest |\n| --- | --- | --- |");
    s_measure (kinds, 3, "writes, 1 a commit", 1);
    s_measure (kinds, 3, "writes, 8 a commit", 8);
    s_measure (kinds, 3, "writes, 64 a commit", 64);
    s_measure (kinds, 2, "reads", 0);
    kinds[0].disk->ops->close (&kinds[0].disk);
    kinds[1].disk->ops->close (&kinds[1].disk);
    close (kinds[2].file);
    return s_sum == UINT64_MAX;
}
