/* SPDX-License-Identifier: MPL-2.0
 *
 * A process that writes numbered batches, killed by SIGKILL at random points, hundreds of times on one store: what it
 * acknowledged is there, whole, and nothing else but the first of the commits that were under way, whole.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "store.h"

#define S_ROUNDS 400

/* What the child says through the pipe. */
typedef struct {
    uint64_t number;
    uint64_t done; /* 1: committed up to it; 0: about to */
} s_word_t;

static int64_t s_now_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool s_say (int fd, uint64_t number, bool done)
{
    s_word_t word = {number, done};
    return write (fd, &word, sizeof word) == (ssize_t) sizeof word;
}

/* Ends by being killed. An exit code tells of what should not be. */
static void s_child (const char *dir, size_t log, int fd, uint64_t seed)
{
    const synod__lmdb_limits_t limits = {.log_bytes = log};
    synod__disk_t *disk = synod__lmdb_disk_open (dir, &limits, NULL);
    synod_str_t value;
    if (!disk)
        _exit (2);
    uint64_t last =
        disk->ops->get (disk, synod_str ("zz/last"), &value) == SYNOD_OK ? strtoull (value.data, NULL, 10) : 0;
    uint64_t begun[SYNOD__DISK_UNDER_WAY] = {0}, said = 0;
    for (;;) {
        uint64_t next = last + 1 + store_below (&seed, 4);
        if (!s_say (fd, next, false))
            _exit (3);
        for (uint64_t i = last + 1; i <= next; i++)
            if (store_write_number (disk, i) != SYNOD_OK)
                _exit (4);
        last = next;
        int rc = store_below (&seed, 4) ? disk->ops->begin (disk) : SYNOD_BUSY;
        if (rc == SYNOD_OK)
            begun[(disk->begun - 1) % SYNOD__DISK_UNDER_WAY] = last;
        else if (rc != SYNOD_BUSY || disk->ops->commit (disk) != SYNOD_OK)
            _exit (5);
        do
            if (disk->ops->settle (disk) != SYNOD_OK)
                _exit (6);
        while (disk->begun - disk->settled == SYNOD__DISK_UNDER_WAY);
        for (; said < disk->settled; said++)
            if (!s_say (fd, begun[said % SYNOD__DISK_UNDER_WAY], true))
                _exit (7);
        if (rc == SYNOD_BUSY && !s_say (fd, last, true))
            _exit (8);
    }
}

/* What was said: up to DONE it is committed; and what those have that were under way. */
typedef struct {
    uint64_t done;
    uint64_t announced[SYNOD__DISK_UNDER_WAY + 1];
    uint32_t count;
} s_heard_t;

static void s_hear (s_heard_t *self, const s_word_t *word)
{
    if (!word->done) {
        assert_true (self->count < sizeof self->announced / sizeof *self->announced);
        self->announced[self->count++] = word->number;
        return;
    }
    self->done = word->number;
    uint32_t gone = 0;
    while (gone < self->count && self->announced[gone] <= self->done)
        gone++;
    self->count -= gone;
    memmove (self->announced, self->announced + gone, self->count * sizeof *self->announced);
}

/* Reads what was said until FD has no more; before UNTIL_US it waits for more. False at the end of the pipe. */
static bool s_listen (int fd, int64_t until_us, s_heard_t *heard)
{
    for (;;) {
        int64_t left_us = until_us - s_now_us ();
        struct timespec wait = {left_us > 0 ? left_us / 1000000 : 0, left_us > 0 ? left_us % 1000000 * 1000 : 0};
        struct pollfd poll = {.fd = fd, .events = POLLIN};
        s_word_t word;
        int rc = ppoll (&poll, 1, &wait, NULL);
        if (rc == 0)
            return true;
        if (rc < 0) {
            assert_int_equal (errno, EINTR);
            continue;
        }
        ssize_t size = read (fd, &word, sizeof word);
        if (size == 0)
            return false;
        assert_int_equal (size, sizeof word); /* such a short one is never cut */
        s_hear (heard, &word);
    }
}

static void killed (void **state)
{
    (void) state;
    char folder[64];
    uint64_t seed = store_seed ("kill"), last = 0, commits = 0, under_way = 0, several = 0, kept = 0;
    store_folder_on_disk (folder);
    for (int round = 0; round < S_ROUNDS; round++) {
        int pipes[2], status;
        s_heard_t heard = {.done = last};
        uint64_t before = last;
        uint64_t child_seed = store_random (&seed);
        /* nearly all commits go to the log; or a checkpoint every few; or each is one */
        static const size_t logs[] = {0, 20000, 20000, 1};
        size_t log = logs[store_below (&seed, 4)];
        /* from its first instructions to some dozens of commits later */
        int64_t life_us = (int64_t) store_below (&seed, 2) ? store_below (&seed, 3000) : store_below (&seed, 60000);
        assert_int_equal (pipe (pipes), 0);
        pid_t child = fork ();
        if (child == 0) {
            close (pipes[0]);
            s_child (folder, log, pipes[1], child_seed);
        }
        assert_true (child > 0);
        close (pipes[1]);
        bool alive = s_listen (pipes[0], s_now_us () + life_us, &heard);
        kill (child, SIGKILL);
        assert_int_equal (waitpid (child, &status, 0), child);
        if (!alive || !WIFSIGNALED (status))
            fail_msg ("round %d: the child ended with status %x", round, (unsigned) status);
        assert_false (s_listen (pipes[0], INT64_MAX / 2, &heard)); /* what it said with its last breath */
        close (pipes[0]);

        synod__disk_t *disk = store_open_log (folder, 0, log);
        last = store_check_numbers (disk);
        bool found = last == heard.done;
        for (uint32_t i = 0; i < heard.count; i++)
            found |= last == heard.announced[i];
        if (!found)
            fail_msg ("round %d: %" PRIu64 " was acknowledged and %u commits under way, but there is %" PRIu64, round,
                      heard.done, heard.count, last);
        disk->ops->close (&disk);
        commits += heard.done - before;
        under_way += heard.count > 0;
        several += heard.count > 1;
        kept += last != heard.done;
    }
    printf ("killed %d times, %" PRIu64 " batches acknowledged; a commit was under way %" PRIu64
            " times, and several were %" PRIu64 " times; %" PRIu64 " times they were there\n",
            S_ROUNDS, commits, under_way, several, kept);
    assert_true (commits > S_ROUNDS && under_way > S_ROUNDS / 10 && several); /* it was killed where it matters */
    store_remove (folder);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (killed)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
