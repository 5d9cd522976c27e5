/* SPDX-License-Identifier: MPL-2.0
 *
 * `synod bench`: the command line, and the commands that start the roles as processes of their own (each is this
 * program again, so no thread or socket is shared) and sum up what they measured.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <synod/synod.h>

#define ROLES_MAX SYNOD__TEXTS_MAX
#define START_MS  30000
#define RUN_MS    600000
#define WORDS_MAX (32 + 4 * ROLES_MAX)

int synod__tool_bench (int argc, char **argv);

/* A role that runs as a process. */
typedef struct {
    pid_t pid;
    int in;    /* its standard input; -1: closed */
    FILE *out; /* its standard output */
} child_t;

/* The words of a role's command line; texts made here are owned. */
typedef struct {
    char *word[WORDS_MAX + 1];
    int count;
} words_t;

static void words_add (words_t *self, const char *text)
{
    char *copy = self->count < WORDS_MAX ? strdup (text) : NULL;
    if (copy)
        self->word[self->count++] = copy;
}

static void words_add_number (words_t *self, const char *option, uint64_t number)
{
    char text[24];
    snprintf (text, sizeof text, "%" PRIu64, number);
    words_add (self, option);
    words_add (self, text);
}

static void words_free (words_t *self)
{
    while (self->count > 0)
        free (self->word[--self->count]);
}

/* Names of this command's workers are like those of no other's. */
static void worker_name (uint64_t index, const char *actor, char *out, size_t size)
{
    snprintf (out, size, "bench-%ld-%" PRIu64 "%s", (long) getpid (), index, actor);
}

static void role_words (words_t *words, const synod__bench_t *self, const char *role, uint64_t index)
{
    char name[SYNOD_NAME_MAX + 16];
    bool asks = strcmp (role, "ask") == 0, serves = strcmp (role, "serve") == 0;
    words_add (words, "synod");
    words_add (words, "bench");
    words_add (words, role);
    words_add (words, "--json");
    if (self->bus) {
        words_add (words, "--bus");
        words_add (words, self->bus);
    }
    words_add_number (words, "--size", self->size);
    words_add_number (words, "--count", self->count);
    words_add_number (words, "--outstanding", self->outstanding);
    words_add_number (words, "--quiet", self->quiet_ms);
    if (asks || strcmp (role, "publish") == 0)
        words_add (words, "--wait");
    if ((asks || serves) && !self->direct)
        words_add (words, "--no-links");
    if (serves) {
        worker_name (index, "", name, sizeof name);
        words_add (words, "--node");
        words_add (words, name);
    }
    for (uint64_t i = 0; asks && i < self->workers; i++) {
        worker_name (i, "/" SYNOD__BENCH_ACTOR, name, sizeof name);
        words_add (words, "--await");
        words_add (words, name);
        if (self->direct) {
            worker_name (i, "", name, sizeof name);
            words_add (words, "--link");
            words_add (words, name);
        }
    }
}

static int child_start (child_t *self, const synod__bench_t *bench, const char *role, uint64_t index)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    words_t words = {.count = 0};
    role_words (&words, bench, role, index);
    self->pid = -1;
    self->in = -1;
    self->out = NULL;
    if (pipe2 (in, O_CLOEXEC) == 0 && pipe2 (out, O_CLOEXEC) == 0)
        self->pid = fork ();
    if (self->pid == 0) {
        if (dup2 (in[0], STDIN_FILENO) >= 0 && dup2 (out[1], STDOUT_FILENO) >= 0)
            execv ("/proc/self/exe", words.word);
        _exit (127);
    }
    words_free (&words);
    if (in[0] >= 0)
        close (in[0]);
    if (out[1] >= 0)
        close (out[1]);
    self->in = in[1];
    if (out[0] >= 0)
        self->out = fdopen (out[0], "r");
    if (self->pid > 0 && self->out)
        return 0;
    fprintf (stderr, "synod bench: cannot start a process: %s\n", strerror (errno));
    return 1;
}

/* The next line of what it says, NULL when none comes in time. */
static const char *child_line (child_t *self, char *line, size_t size, int timeout_ms)
{
    /* a role says one line at a time and is asked for the next only then, so stdio holds none back */
    struct pollfd in = {.fd = fileno (self->out), .events = POLLIN};
    return poll (&in, 1, timeout_ms) > 0 ? fgets (line, (int) size, self->out) : NULL;
}

static void child_go (child_t *self)
{
    close (self->in); /* the end of its standard input is its start */
    self->in = -1;
}

/* Ends it and returns its exit code; 1 when it had none. */
static int child_end (child_t *self, bool stop)
{
    int status = 0;
    if (self->in >= 0)
        close (self->in);
    if (self->pid > 0 && stop)
        kill (self->pid, SIGTERM);
    pid_t got = -1;
    while (self->pid > 0 && (got = waitpid (self->pid, &status, 0)) < 0 && errno == EINTR)
        ;
    if (self->out)
        fclose (self->out);
    return got > 0 && WIFEXITED (status) ? WEXITSTATUS (status) : 1;
}

static double member (const char *json, const char *name)
{
    const char *at = strstr (json, name);
    return at ? strtod (at + strlen (name), NULL) : 0;
}

typedef struct {
    double messages, lost, wrong, gaps, first_ns, last_ns, p50_us, p99_us;
} sum_t;

static void sum_add (sum_t *self, const char *json)
{
    double first_ns = member (json, "\"first_ns\":"), last_ns = member (json, "\"last_ns\":");
    double p50_us = member (json, "\"p50_us\":"), p99_us = member (json, "\"p99_us\":");
    self->messages += member (json, "\"messages\":");
    self->lost += member (json, "\"lost\":");
    self->wrong += member (json, "\"wrong\":");
    self->gaps += member (json, "\"gaps\":");
    self->first_ns = self->first_ns == 0 || first_ns < self->first_ns ? first_ns : self->first_ns;
    self->last_ns = last_ns > self->last_ns ? last_ns : self->last_ns;
    self->p50_us = p50_us > self->p50_us ? p50_us : self->p50_us;
    self->p99_us = p99_us > self->p99_us ? p99_us : self->p99_us;
}

static int sum_print (const sum_t *self, const synod__bench_t *bench, const char *kind, uint64_t receivers,
                      uint64_t senders)
{
    bool is_void = self->lost > 0 || self->wrong > 0 || self->gaps > 0 || self->messages == 0;
    double seconds = is_void ? 0 : (self->last_ns - self->first_ns) / 1e9;
    double rate = seconds > 0 ? self->messages / seconds : 0;
    if (bench->json)
        printf ("{\"scenario\":\"%s\",\"size\":%" PRIu64 ",\"senders\":%" PRIu64 ",\"receivers\":%" PRIu64
                ",\"messages\":%.0f,\"seconds\":%.6f,\"per_second\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
                "\"lost\":%.0f,\"wrong\":%.0f,\"gaps\":%.0f}\n",
                kind, bench->size, senders, receivers, self->messages, seconds, rate, self->p50_us, self->p99_us,
                self->lost, self->wrong, self->gaps);
    else if (is_void)
        printf ("%s: VOID: %.0f messages arrived, %.0f were lost, %.0f came twice, out of order or in the wrong size, "
                "%.0f gaps were reported\n",
                kind, self->messages, self->lost, self->wrong, self->gaps);
    else {
        printf ("%s: %" PRIu64 " to %" PRIu64 ", %" PRIu64 " bytes: %.0f messages in %.3f s, %.0f/s, %.1f MB/s", kind,
                senders, receivers, bench->size, self->messages, seconds, rate, rate * (double) bench->size / 1e6);
        if (self->p50_us > 0)
            printf (", p50 %.1f us, p99 %.1f us", self->p50_us, self->p99_us);
        printf ("\n");
    }
    return is_void ? 1 : 0;
}

/* Starts COUNT processes of ROLE and waits until each is ready; STARTED counts those to be ended. */
static int start_all (child_t *children, uint64_t count, uint64_t *started, const synod__bench_t *self,
                      const char *role)
{
    char line[128];
    for (uint64_t i = 0; i < count; i++) {
        (*started)++;
        if (child_start (&children[i], self, role, i))
            return 1;
    }
    for (uint64_t i = 0; i < count; i++)
        if (!child_line (&children[i], line, sizeof line, START_MS) || strcmp (line, "ready\n") != 0)
            return 3; /* it has said why on standard error */
    return 0;
}

int synod__bench_together (const synod__bench_t *self, const char *kind, uint64_t receivers, uint64_t senders)
{
    bool asks = strcmp (kind, "ask") == 0;
    child_t receiver[ROLES_MAX], sender[ROLES_MAX];
    uint64_t nreceivers = 0, nsenders = 0;
    sum_t sum = {0};
    char line[1024];
    int rc = start_all (receiver, receivers, &nreceivers, self, asks ? "serve" : "subscribe");
    if (rc == 0)
        rc = start_all (sender, senders, &nsenders, self, asks ? "ask" : "publish");
    for (uint64_t i = 0; rc == 0 && i < nsenders; i++)
        child_go (&sender[i]);
    child_t *counting = asks ? sender : receiver;
    uint64_t ncounting = asks ? nsenders : nreceivers;
    for (uint64_t i = 0; rc == 0 && i < ncounting; i++) {
        if (child_line (&counting[i], line, sizeof line, RUN_MS))
            sum_add (&sum, line);
        else
            rc = 1;
    }
    bool failed = rc != 0;
    for (uint64_t i = 0; i < nsenders; i++) {
        int code = child_end (&sender[i], failed);
        rc = rc ? rc : code;
    }
    for (uint64_t i = 0; i < nreceivers; i++) {
        int code = child_end (&receiver[i], failed || asks);
        rc = rc ? rc : code;
    }
    if (failed) {
        fprintf (stderr, "synod bench: a role did not come up or ended early\n");
        return rc;
    }
    int is_void = sum_print (&sum, self, kind, receivers, senders);
    return rc ? rc : is_void;
}

static bool in_range (const char *name, uint64_t value, uint64_t least, uint64_t most)
{
    if (value >= least && value <= most)
        return true;
    fprintf (stderr, "synod bench: --%s expects %" PRIu64 " to %" PRIu64 ", not %" PRIu64 "\n", name, least, most,
             value);
    return false;
}

static int act (const synod__bench_t *self, const char *what)
{
    if (strcmp (what, "publish") == 0)
        return synod__bench_publish (self);
    if (strcmp (what, "subscribe") == 0)
        return synod__bench_subscribe (self);
    if (strcmp (what, "serve") == 0)
        return synod__bench_serve (self);
    if (strcmp (what, "pubsub") == 0)
        return synod__bench_together (self, what, self->subscribers ? self->subscribers : 1, 1);
    if (strcmp (what, "fanout") == 0)
        return synod__bench_together (self, what, self->subscribers ? self->subscribers : 8, 1);
    /* `ask` alone brings its workers along; the role that bench/run drives is told whom to await, or to wait */
    if (self->wait || self->awaited[0])
        return synod__bench_ask (self);
    return synod__bench_together (self, what, self->workers, self->clients);
}

int synod__tool_bench (int argc, char **argv)
{
    static const char usage[] = "synod bench pubsub|fanout|ask|publish|subscribe|serve";
    synod__bench_t self = {.size = 64, .count = 100000, .outstanding = 1, .quiet_ms = 5000, .workers = 1, .clients = 1};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the broker's endpoint (default: SYNOD_BUS, else tcp://127.0.0.1:5570)"},
        {"size", SYNOD__OPTION_NUMBER, &self.size, "bytes of data in a message (default 64)"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "messages or asks of each sender (default 100000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.outstanding, "asks under way at a time (default 1)"},
        {"subscribers", SYNOD__OPTION_NUMBER, &self.subscribers, "pubsub (default 1), fanout (default 8)"},
        {"workers", SYNOD__OPTION_NUMBER, &self.workers, "ask: processes that answer (default 1)"},
        {"clients", SYNOD__OPTION_NUMBER, &self.clients, "ask: processes that ask (default 1)"},
        {"direct", SYNOD__OPTION_FLAG, &self.direct, "ask: over direct links, not through the broker"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.quiet_ms, "ms without a message after which the rest is lost (5000)"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {"wait", SYNOD__OPTION_FLAG, &self.wait, "roles: say `ready`, begin when a line comes on standard input"},
        {"node", SYNOD__OPTION_TEXT, &self.node, "serve: the node's name"},
        {"no-links", SYNOD__OPTION_FLAG, &self.no_links, "roles: never use a direct link"},
        {"await", SYNOD__OPTION_TEXTS, self.awaited, "ask as a role: an address that must be there; may be repeated"},
        {"link", SYNOD__OPTION_TEXTS, self.links, "ask as a role: a node to link to first; may be repeated"},
        {NULL, 0, NULL, NULL}};
    const char *what = argc > 1 ? argv[1] : "";
    bool named = what[0] && what[0] != '-';
    for (int i = 1; i < argc; i++)
        if (strcmp (argv[i], "--version") == 0) {
            printf ("synod %s\n", synod_version ());
            return 0;
        }
    int rc = synod__options_parse (argc - named, argv + named, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    static const char *const all[] = {"pubsub", "fanout", "ask", "publish", "subscribe", "serve", NULL};
    const char *const *known = all;
    while (*known && strcmp (*known, what) != 0)
        known++;
    if (!*known) {
        fprintf (stderr, "synod bench: expected one of pubsub, fanout, ask, publish, subscribe, serve, not '%s'\n",
                 what);
        return 2;
    }
    if (!in_range ("size", self.size, SYNOD__MEASURE_SIZE_MIN, SYNOD_BODY_MAX - 64) ||
        !in_range ("count", self.count, 1, INT32_MAX) ||
        !in_range ("outstanding", self.outstanding, 1, SYNOD_ASKS_MAX) ||
        !in_range ("subscribers", self.subscribers, 0, ROLES_MAX) ||
        !in_range ("workers", self.workers, 1, ROLES_MAX) || !in_range ("clients", self.clients, 1, ROLES_MAX))
        return 2;
    return act (&self, what);
}
