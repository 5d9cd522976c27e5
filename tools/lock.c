/* SPDX-License-Identifier: MPL-2.0
 *
 * synod lock: runs a command while it holds a lock. The command has a process group of its own, so that what it started
 * ends with it. Signals come to a thread, which passes them on, or gives up waiting.
 *
 * Invariant: when the lease ends and this process runs, no process of the command's group does.
 */
#include "tool.h"
#include "actors/lock/table.h"

#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <synod/lock.h>

#define WAIT_MS    30000
#define LEASE_MS   10000
#define EXIT_LOST  4
#define CANNOT_RUN 126
#define NOT_FOUND  127
#define RELEASE_MS 5000
#define FORCED_MS  1000 /* from TERM to KILL when the lock is gone already */
#define TERM_SHARE 5    /* TERM when so much of the lease is left: a fifth; renewals are sent when four are */
#define KILL_SHARE 10   /* KILL when a tenth is left */

typedef struct {
    synod_locker_t *locker;
    pid_t child;   /* 0: it does not run */
    int signalled; /* the first signal that came before it did */
    pthread_mutex_t mutex;
} shared_t;

static const int passed[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT};

static void *take_signals (void *arg)
{
    shared_t *self = (shared_t *) arg;
    sigset_t set;
    int number;
    sigemptyset (&set);
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        sigaddset (&set, passed[i]);
    while (sigwait (&set, &number) == 0) {
        pthread_mutex_lock (&self->mutex);
        if (self->child > 0)
            kill (-self->child, number);
        else if (number != SIGCONT) {
            self->signalled = self->signalled ? self->signalled : number;
            synod_locker_cancel (self->locker);
        }
        pthread_mutex_unlock (&self->mutex);
    }
    return NULL;
}

/* ---- the command ---- */

/* In the child: nothing here takes memory or locks. */
static void become (char **argv, pid_t parent, int report)
{
    sigset_t none;
    setpgid (0, 0);
    prctl (PR_SET_PDEATHSIG, SIGKILL); /* without this process nobody ends it before the lease does */
    if (getppid () != parent)
        _exit (CANNOT_RUN);
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        signal (passed[i], SIG_DFL);
    signal (SIGPIPE, SIG_DFL);
    sigemptyset (&none);
    sigprocmask (SIG_SETMASK, &none, NULL);
    execvp (argv[0], argv);
    int why = errno;
    ssize_t size = write (report, &why, sizeof why);
    (void) size;
    _exit (NOT_FOUND);
}

/* 0, or why it could not be begun. */
static int spawn (char **argv, uint64_t token, pid_t *child)
{
    char text[24];
    int ends[2], why = 0;
    pid_t parent = getpid ();
    snprintf (text, sizeof text, "%llu", (unsigned long long) token);
    setenv ("SYNOD_LOCK_TOKEN", text, 1);
    if (pipe2 (ends, O_CLOEXEC) != 0)
        return errno;
    pid_t pid = fork ();
    if (pid == 0)
        become (argv, parent, ends[1]);
    close (ends[1]);
    if (pid < 0)
        why = errno;
    else if (read (ends[0], &why, sizeof why) == sizeof why)
        waitpid (pid, NULL, 0);
    else {
        why = 0;
        *child = pid;
        setpgid (pid, pid);
    }
    close (ends[0]);
    if (!why && isatty (STDIN_FILENO)) { /* it may read the terminal, and is whom ^C ends */
        signal (SIGTTOU, SIG_IGN);
        tcsetpgrp (STDIN_FILENO, pid);
    }
    return why;
}

/* Until the command has ended (true) or the lease is at MS. */
static bool ends (shared_t *self, const synod_lock_t *lock, uint32_t ms, int fd)
{
    return synod_locker_watch (self->locker, lock, ms, fd, -1) == SYNOD_STOPPED;
}

static bool ends_within (int fd, int ms)
{
    zmq_pollitem_t item = {.fd = fd, .events = ZMQ_POLLIN};
    return zmq_poll (&item, 1, ms) > 0;
}

/* Sees to it that the command ends before the lease does. Whether the lock was lost. */
static bool guard (shared_t *self, const synod_lock_t *lock, uint32_t lease_ms, int fd)
{
    uint32_t kill_ms = lease_ms / KILL_SHARE;
    if (ends (self, lock, lease_ms / TERM_SHARE, fd))
        return false;
    fprintf (stderr, "synod: expired: the lock is lost, or will be: the command is ended\n");
    kill (-self->child, SIGTERM);
    bool gone = synod_locker_remaining_ms (self->locker, lock) == 0;
    if (gone ? !ends_within (fd, FORCED_MS) : !ends (self, lock, kill_ms, fd)) {
        kill (-self->child, SIGKILL);
        ends_within (fd, -1);
    }
    return true;
}

static int run (shared_t *self, synod_lock_t *lock, char **argv, uint32_t lease_ms, int exit_lost)
{
    pid_t child = 0;
    int status = 0;
    pthread_mutex_lock (&self->mutex);
    int signalled = self->signalled;
    int rc = signalled ? 0 : spawn (argv, synod_lock_token (lock, NULL), &child);
    self->child = child;
    pthread_mutex_unlock (&self->mutex);
    if (signalled)
        return 128 + signalled;
    if (rc != 0) {
        fprintf (stderr, "synod: cannot run %s: %s\n", argv[0], strerror (rc));
        return rc == ENOENT ? NOT_FOUND : CANNOT_RUN;
    }
    int fd = pidfd_open (child, 0);
    bool lost = guard (self, lock, lease_ms, fd);
    kill (-child, lost ? SIGKILL : 0); /* what it left running */
    pthread_mutex_lock (&self->mutex);
    while (waitpid (child, &status, 0) < 0 && errno == EINTR)
        ;
    self->child = -1;
    pthread_mutex_unlock (&self->mutex);
    close (fd);
    if (isatty (STDIN_FILENO))
        tcsetpgrp (STDIN_FILENO, getpgrp ());
    if (lost)
        return exit_lost;
    return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

/* ---- the lock ---- */

static int not_granted (const shared_t *self, const synod_fault_t *fault)
{
    if (self->signalled)
        return 128 + self->signalled;
    int status = synod__fail (fault->code, fault->text);
    return fault->code == SYNOD_INVALID ? SYNOD__EXIT_USAGE
           : status == SYNOD__EXIT_ERROR && fault->code != SYNOD_REFUSED && fault->code != SYNOD_EXPIRED
               ? SYNOD__EXIT_ERROR
               : SYNOD__EXIT_NOBODY;
}

static int hold (const synod__join_t *join, const synod_lock_want_t *want, char **argv, uint32_t lease_ms,
                 int exit_lost)
{
    shared_t self = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    synod_fault_t fault = {0};
    synod_lock_t *lock = NULL;
    pthread_t thread;
    sigset_t set;
    char who[SYNOD__LOCK_WHO_MAX + 1], host[64] = "";
    gethostname (host, sizeof host - 1);
    snprintf (who, sizeof who, "%s:%d", host, (int) getpid ());
    const synod_lock_options_t options = {.lease_ms = lease_ms, .who = who};
    sigemptyset (&set);
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        sigaddset (&set, passed[i]);
    pthread_sigmask (SIG_BLOCK, &set, NULL); /* before there are threads */
    self.locker = synod_locker_new (&join->options, &options, &fault);
    if (!self.locker)
        return synod__join_failed (&fault);
    if (pthread_create (&thread, NULL, take_signals, &self) != 0) {
        synod_locker_destroy (&self.locker);
        return synod__fail (SYNOD_NO_MEMORY, "no thread can be started");
    }
    int status = synod_locker_acquire (self.locker, want, &lock, &fault) == SYNOD_OK
                     ? run (&self, lock, argv, lease_ms, exit_lost)
                     : not_granted (&self, &fault);
    if (lock)
        synod_locker_release (self.locker, &lock, RELEASE_MS);
    pthread_cancel (thread);
    pthread_join (thread, NULL);
    synod_locker_destroy (&self.locker);
    return status;
}

/* The command is what stands behind `--`, which is taken off. NULL: there is none. */
static char **command_of (int *argc, char **argv)
{
    for (int i = 1; i < *argc; i++)
        if (strcmp (argv[i], "--") == 0) {
            char **command = argv[i + 1] ? argv + i + 1 : NULL;
            *argc = i;
            argv[i] = NULL;
            return command;
        }
    return NULL;
}

int synod__tool_lock (int argc, char **argv)
{
    synod__join_t join = {0};
    bool shared = false, try = false;
    uint64_t permits = 0, exit_lost = EXIT_LOST;
    uint32_t lease_ms = LEASE_MS, wait_ms = WAIT_MS;
    const synod__opt_t options[] = {
        {"shared", SYNOD__OPT_FLAG, NULL, "hold it with other readers", &shared},
        {"permits", SYNOD__OPT_COUNT, "N", "so many may hold it at a time", &permits},
        {"lease", SYNOD__OPT_MS, "TIME", "how long it is held without a sign of life (default 10s)", &lease_ms},
        {"wait", SYNOD__OPT_MS, "TIME", "how long to wait for it (default 30s)", &wait_ms},
        {"try", SYNOD__OPT_FLAG, NULL, "do not wait", &try},
        {"exit-lost", SYNOD__OPT_COUNT, "N", "the exit code when the lock was lost (default 4)", &exit_lost},
        {0}};
    synod__command_t command = {
        .name = "lock",
        .synopsis = "NAME... [OPTION]... -- COMMAND [ARGUMENT]...",
        .about =
            "Runs COMMAND while it holds the lock NAME (several: all of them), with the fencing token in its\n"
            "environment as SYNOD_LOCK_TOKEN. Ends as COMMAND does, with 128 and the number of a signal that ended "
            "it;\n"
            "with 3, and COMMAND was not begun, when the lock was not granted; with 4 (--exit-lost) when it was lost:\n"
            "COMMAND gets SIGTERM when a fifth of the lease is left, SIGKILL when a tenth is. 126 and 127: it cannot "
            "be\n"
            "run, or is not there. Signals go on to COMMAND, which has a process group of its own, and is killed\n"
            "when this command is.\n",
        .options = options,
        .join = &join,
        .words_min = 1,
        .words_max = SYNOD_LOCK_NAMES_MAX,
        .words_are = "one NAME, up to 16, and a COMMAND behind `--`",
    };
    char **words = command_of (&argc, argv);
    int status = synod__command_parse (&command, argc, argv);
    synod_fault_t fault = {0};
    if (status == SYNOD__EXIT_NONE && !words)
        status = synod__misused (&command, "expected `--` and a COMMAND to run");
    for (int i = 0; status == SYNOD__EXIT_NONE && i < command.nwords; i++)
        if (synod__locks_name_check (synod_str (command.words[i]), &fault) != SYNOD_OK)
            status = synod__misused (&command, "%s", fault.text);
    if (status == SYNOD__EXIT_NONE && (lease_ms < SYNOD__LOCKS_LEASE_LEAST_MS || lease_ms > SYNOD__LOCKS_LEASE_MOST_MS))
        status = synod__misused (&command, "--lease takes 200ms to 1h, not %u ms", lease_ms);
    if (status == SYNOD__EXIT_NONE && exit_lost > 255)
        status = synod__misused (&command, "--exit-lost takes 1 to 255");
    if (status == SYNOD__EXIT_NONE && (permits > SYNOD__LOCKS_PERMITS_MOST || (shared && permits > 1)))
        status = synod__misused (&command, "--permits takes 1 to %d, and means nothing with --shared",
                                 SYNOD__LOCKS_PERMITS_MOST);
    if (status == SYNOD__EXIT_NONE) {
        const synod_lock_want_t want = {
            .names = command.words, .shared = shared, .permits = (uint32_t) permits, .wait_ms = try ? 0 : wait_ms};
        status = hold (&join, &want, words, lease_ms, (int) exit_lost);
    }
    synod__command_free (&command);
    return status;
}
