/* SPDX-License-Identifier: MPL-2.0
 *
 * What a store costs: writes a second with 1, 8, 16 and 64 of them to a commit, on a data directory, on one whose
 * every commit is LMDB's own (`lmdb`), in memory, and (to know what the disk itself can do) appended to a file with
 * fdatasync; and reads a second; and the same commits by three processes at once. Keys of 40 bytes at random of
 * 100,000, values of 64. The kinds take turns; medians of several runs, with the least and the greatest. At the end how
 * long single commits took: the longest are those with a checkpoint.
 *
 *     store_cost DIR       DIR: on the disk to be measured; made, and left for you to remove
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "actors/runtime/memory_disk.h"
#include "bus/lmdb_disk.h"

#define S_KEYS   100000
#define S_VALUE  64
#define S_RUNS   5
#define S_RUN_S  1.0
#define S_TIMES  1000000 /* commits of which the time is kept */
#define S_STALLS 5000    /* commits at least */
#define S_PEERS  3       /* processes at once */

typedef struct {
    const char *name;
    synod__disk_t *disk; /* NULL: the file */
    int file;
} s_kind_t;

static uint64_t s_seed = 1;
static double s_times_s[S_TIMES];
static size_t s_ntimes;
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
        double commit_s = s_now_s ();
        s_commit (kind);
        if (s_ntimes < S_TIMES)
            s_times_s[s_ntimes++] = s_now_s () - commit_s;
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
    double runs[4][S_RUNS];
    for (int run = 0; run < S_RUNS; run++)
        for (int i = 0; i < nkinds; i++)
            runs[i][run] = per ? s_writes (&kinds[i], per) : s_reads (&kinds[i]);
    for (int i = 0; i < nkinds; i++)
        s_report (kinds[i].name, what, runs[i]);
}

static synod__disk_t *s_open (const char *dir, size_t log_bytes)
{
    synod_fault_t fault = {0};
    const synod__lmdb_limits_t limits = {.log_bytes = log_bytes};
    synod__disk_t *disk = synod__lmdb_disk_open (dir, &limits, &fault);
    s_check (disk != NULL, dir, fault.text);
    return disk;
}

static void s_fill (s_kind_t *kind)
{
    synod_buf_t batch = {0};
    for (uint64_t number = 0; number < S_KEYS; number++)
        s_write (kind, &batch, number);
    s_commit (kind);
    free (batch.data);
}

/* One of several processes: says that it is ready, waits for the others, writes, says how fast. */
static void s_peer (const char *dir, int number, size_t log_bytes, int per, int ready, int go, int result)
{
    char path[4096], byte = 0;
    snprintf (path, sizeof path, "%s/peer%d", dir, number);
    s_kind_t kind = {"peer", s_open (path, log_bytes), -1};
    s_seed += (uint64_t) number + 1;
    s_fill (&kind);
    bool good = write (ready, &byte, 1) == 1 && read (go, &byte, 1) == 0;
    double rate = s_writes (&kind, per);
    kind.disk->ops->close (&kind.disk);
    _exit (good && write (result, &rate, sizeof rate) == (ssize_t) sizeof rate ? 0 : 1);
}

/* Writes a second of all together. */
static double s_peers (const char *dir, size_t log_bytes, int per)
{
    int ready[2], go[2], result[2], status;
    double sum = 0, rate;
    char byte;
    s_check (pipe (ready) == 0 && pipe (go) == 0 && pipe (result) == 0, "pipe", strerror (errno));
    for (int i = 0; i < S_PEERS; i++) {
        pid_t child = fork ();
        s_check (child >= 0, "fork", strerror (errno));
        if (child == 0) {
            close (go[1]);
            s_peer (dir, i, log_bytes, per, ready[1], go[0], result[1]);
        }
    }
    close (ready[1]);
    close (result[1]);
    for (int i = 0; i < S_PEERS; i++)
        s_check (read (ready[0], &byte, 1) == 1, "peer", "it has failed");
    close (go[1]);
    for (int i = 0; i < S_PEERS; i++) {
        s_check (read (result[0], &rate, sizeof rate) == (ssize_t) sizeof rate, "peer", "it has failed");
        sum += rate;
    }
    while (wait (&status) > 0)
        continue;
    close (ready[0]);
    close (go[0]);
    close (result[0]);
    return sum;
}

static void s_measure_peers (const char *dir, int per)
{
    static const char *const names[] = {"log", "lmdb"};
    double runs[2][S_RUNS];
    char what[64];
    for (int run = 0; run < S_RUNS; run++)
        for (size_t i = 0; i < 2; i++)
            runs[i][run] = s_peers (dir, i, per); /* a log of one byte takes nothing */
    snprintf (what, sizeof what, "%d at once, %d a commit", S_PEERS, per);
    for (int i = 0; i < 2; i++)
        s_report (names[i], what, runs[i]);
}

/* How long each commit of 64 took, over several checkpoints. */
static void s_stalls (s_kind_t *kind)
{
    s_ntimes = 0;
    while (s_ntimes < S_STALLS)
        s_writes (kind, 64);
    qsort (s_times_s, s_ntimes, sizeof *s_times_s, s_order);
    printf ("%s: %zu commits of 64, in ms: median %.3f, 99 %% %.3f, 99.9 %% %.3f, longest %.3f\n", kind->name, s_ntimes,
            s_times_s[s_ntimes / 2] * 1e3, s_times_s[s_ntimes * 99 / 100] * 1e3, s_times_s[s_ntimes * 999 / 1000] * 1e3,
            s_times_s[s_ntimes - 1] * 1e3);
}

int main (int argc, char **argv)
{
    static const uint8_t id[SYNOD__DISK_ID];
    static const int pers[] = {1, 8, 16, 64};
    char path[4096], before[4096], what[64];
    if (argc != 2) {
        fputs ("usage: store_cost DIR\n", stderr);
        return 2;
    }
    snprintf (before, sizeof before, "%s/lmdb", argv[1]);
    puts ("| what                   | kind        | median, least and greatest |\n| --- | --- | --- |");
    fflush (stdout);
    for (int i = 0; i < 4; i++)
        s_measure_peers (argv[1], pers[i]);
    s_kind_t kinds[] = {{"log", s_open (argv[1], 0), -1},
                        {"lmdb", s_open (before, 1), -1},
                        {"memory", synod__memory_disk_new (id), -1},
                        {"append", NULL, -1}};
    snprintf (path, sizeof path, "%s/append", argv[1]);
    kinds[3].file = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    s_check (kinds[3].file >= 0, path, strerror (errno));
    for (int i = 0; i < 3; i++)
        s_fill (&kinds[i]);
    for (int i = 0; i < 4; i++) {
        snprintf (what, sizeof what, "writes, %d a commit", pers[i]);
        s_measure (kinds, 4, what, pers[i]);
    }
    s_measure (kinds, 3, "reads", 0);
    for (int i = 0; i < 2; i++)
        s_stalls (&kinds[i]);
    for (int i = 0; i < 3; i++)
        kinds[i].disk->ops->close (&kinds[i].disk);
    close (kinds[3].file);
    return s_sum == UINT64_MAX;
}
