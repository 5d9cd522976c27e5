/* SPDX-License-Identifier: MPL-2.0
 *
 * Worker K of N takes seeds first + K, first + K + N, ... and writes one report a seed into a pipe that all share;
 * reports are smaller than what a pipe takes in one piece. What all see is in shared memory: the seed each is at, so
 * that one who dies can be asked, and the lowest seed that has failed, behind which nobody needs to look. Invariant:
 * when all are done, every seed below the failing one has held.
 */
#include "sim_pool.h"

#include <czmq.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRESS_US 1000000

typedef struct {
    uint64_t seed;
    uint64_t messages, frames;
    int64_t virtual_us;
    int code; /* SYNOD_OK: it held; SYNOD_FAILED: a violation; else it could not be run */
    char text[SYNOD_FAULT_MAX];
} report_t;
_Static_assert(sizeof (report_t) <= 512, "a report is written in one piece");

typedef struct {
    volatile uint64_t limit; /* no seed above it is of interest */
    volatile uint64_t at[SYNOD__SIM_JOBS_MAX];
} shared_t;

typedef struct {
    const synod__sim_work_t *work;
    shared_t *shared;
    pid_t pid[SYNOD__SIM_JOBS_MAX];
    uint32_t jobs, alive;
    int pipe[2];
    int64_t began_us, shown_us;
    synod__sim_sum_t *sum;
    synod_fault_t fault;
} pool_t;

static int64_t now_us (void)
{
    return zclock_usecs ();
}

/* ---- a worker ---- */

static void run_seed (const pool_t *self, uint64_t seed)
{
    const synod__sim_work_t *work = self->work;
    synod_sim_result_t result = {0};
    report_t report = {.seed = seed};
    bool ok = synod_sim_scenario (work->scenario, seed, work->plan, &work->options, &result);
    report.code = ok ? SYNOD_OK : result.fault.code;
    report.messages = result.stats.messages;
    report.frames = result.stats.frames;
    report.virtual_us = result.virtual_us;
    snprintf (report.text, sizeof report.text, "%s", result.fault.text);
    synod_sim_result_clear (&result);
    if (write (self->pipe[1], &report, sizeof report) != sizeof report)
        _exit (1);
}

static void work (const pool_t *self, uint32_t job)
{
    for (uint64_t seed = self->work->first + job; seed <= self->shared->limit; seed += self->jobs) {
        self->shared->at[job] = seed;
        run_seed (self, seed);
        if (UINT64_MAX - seed < self->jobs)
            break;
    }
    _exit (0);
}

/* ---- the one who waits for them ---- */

static void show (pool_t *self, bool last)
{
    int64_t now = now_us (), real_us = now - self->began_us;
    const synod__sim_sum_t *sum = self->sum;
    if (!self->work->progress || (!last && now - self->shown_us < PROGRESS_US))
        return;
    self->shown_us = now;
    double seconds = (double) (real_us > 0 ? real_us : 1) / 1e6;
    uint64_t all = self->work->last - self->work->first + 1;
    fprintf (stderr,
             "\r\033[Ksynod: %" PRIu64 " of %" PRIu64 " seeds, %.0f a second, %.0f x real time, %.0f k messages/s%s",
             sum->seeds, all, (double) sum->seeds / seconds, (double) sum->total_us / (double) real_us,
             (double) sum->messages / seconds / 1e3, last ? "\n" : "");
}

static void failed (pool_t *self, uint64_t seed, bool died, int64_t virtual_us, const char *text)
{
    synod__sim_sum_t *sum = self->sum;
    if (sum->failed && sum->seed < seed)
        return;
    sum->failed = true;
    sum->seed = seed;
    sum->died = died;
    sum->virtual_us = virtual_us;
    snprintf (sum->text, sizeof sum->text, "%s", text);
    if (seed < self->shared->limit)
        self->shared->limit = seed;
}

static void take (pool_t *self, const report_t *report)
{
    synod__sim_sum_t *sum = self->sum;
    sum->messages += report->messages;
    sum->frames += report->frames;
    sum->total_us += report->virtual_us;
    if (report->code == SYNOD_OK)
        sum->seeds++;
    else if (report->code == SYNOD_FAILED)
        failed (self, report->seed, false, report->virtual_us, report->text);
    else {
        synod_fault (&self->fault, report->code, "seed %" PRIu64 ": %s", report->seed, report->text);
        self->shared->limit = 0;
    }
}

static void reap (pool_t *self)
{
    for (uint32_t job = 0; job < self->jobs; job++) {
        int status;
        char text[64];
        if (!self->pid[job] || waitpid (self->pid[job], &status, WNOHANG) != self->pid[job])
            continue;
        self->pid[job] = 0;
        self->alive--;
        if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
            continue;
        snprintf (text, sizeof text, "the process that ran it died: %s",
                  WIFSIGNALED (status) ? strsignal (WTERMSIG (status)) : "it called exit");
        failed (self, self->shared->at[job], true, 0, text);
    }
}

/* Reports until no worker is left. */
static void collect (pool_t *self)
{
    while (true) {
        struct pollfd in = {.fd = self->pipe[0], .events = POLLIN};
        report_t report;
        if (poll (&in, 1, 100) > 0 && (in.revents & POLLIN)) {
            if (read (self->pipe[0], &report, sizeof report) == sizeof report)
                take (self, &report);
        } else if (!self->alive)
            break; /* nobody writes any more, and nothing is left to read */
        else
            reap (self);
        show (self, false);
    }
}

static int start (pool_t *self)
{
    for (uint32_t job = 0; job < self->jobs; job++) {
        fflush (NULL);
        pid_t pid = fork ();
        if (pid == 0) {
            close (self->pipe[0]);
            work (self, job);
        }
        if (pid < 0)
            return synod_fault (&self->fault, SYNOD_IO, "cannot start a process: %s", strerror (errno));
        self->pid[job] = pid;
        self->alive++;
    }
    return SYNOD_OK;
}

int synod__sim_pool (const synod__sim_work_t *given, synod__sim_sum_t *sum, synod_fault_t *fault)
{
    pool_t self = {.work = given, .jobs = given->jobs, .sum = sum, .began_us = now_us ()};
    uint64_t seeds = given->last - given->first;
    if (seeds < UINT64_MAX && seeds + 1 < self.jobs)
        self.jobs = (uint32_t) seeds + 1;
    memset (sum, 0, sizeof *sum);
    self.shared =
        (shared_t *) mmap (NULL, sizeof *self.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (self.shared == MAP_FAILED)
        return synod_fault (fault, SYNOD_NO_MEMORY, "no memory to share among processes");
    self.shared->limit = given->last;
    if (pipe (self.pipe) != 0) {
        munmap (self.shared, sizeof *self.shared);
        return synod_fault (fault, SYNOD_IO, "no pipe: %s", strerror (errno));
    }
    if (start (&self) != SYNOD_OK)
        self.shared->limit = 0;
    collect (&self);
    show (&self, true);
    sum->real_us = now_us () - self.began_us;
    close (self.pipe[0]);
    close (self.pipe[1]);
    munmap (self.shared, sizeof *self.shared);
    return self.fault.code ? synod_fault (fault, self.fault.code, "%s", self.fault.text) : SYNOD_OK;
}
