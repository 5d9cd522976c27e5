/* SPDX-License-Identifier: MPL-2.0
 *
 * A client under test, on the public handle: `asks` keeps a number of asks under way and accounts for each,
 * `numbers` tells numbers while it changes the path to and fro, `listen` subscribes to `topic`
 * and `publish` publishes on it. Arguments are KEY=VALUE,
 * results are lines on stdout:
 *
 *     gap N                               frames of publications known to be lost so far
 *     ready                               it has joined, and what it asks for is there
 *     end MS CODE AGE_MS FROM|MESSAGE     an ask ended with an error, or with its first reply after one; MS is of
 *                                         CLOCK_MONOTONIC
 *     sum {...}                           at the end: how many asks were started and how each ended
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "records.h"

#define OUTSTANDING_MAX 4096
#define CODES_MAX       64
#define FILL_SIZE       3000

typedef struct {
    synod_options_t join;
    const char *peers[3];
    const char *mode;
    const char *to;
    const char *method;
    const char *topic;
    uint32_t ms;          /* of a piece of work */
    uint32_t timeout_ms;  /* of an ask */
    uint32_t outstanding; /* asks under way at a time */
    uint64_t count;       /* asks or numbers; 0: until a SIGTERM */
    uint32_t switches;
    uint32_t fill; /* tells of FILL_SIZE before each ask */
} settings_t;

typedef struct {
    uint64_t id; /* 0: free */
    int64_t since_ms;
} pending_t;

static volatile sig_atomic_t s_stop;

static void on_signal (int number)
{
    (void) number;
    s_stop = 1;
}

static int64_t now_ms (void)
{
    struct timespec ts;
    clock_gettime (CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * (int64_t) 1000 + ts.tv_nsec / 1000000;
}

static int die (const char *what, int code, const char *text)
{
    printf ("failed %s: %s: %s\n", what, synod_error_name (code), text);
    return 1;
}

/* ---- asks ---- */

typedef struct {
    const settings_t *settings;
    synod_handle_t *handle;
    pending_t pending[OUTSTANDING_MAX];
    uint32_t npending;
    uint64_t started;
    uint64_t ended[CODES_MAX]; /* by code */
    uint64_t stray;            /* ended, but not under way */
    uint64_t refused;          /* could not be started */
    int64_t longest_ms;
    bool failing;
} asks_t;

static int start_ask (asks_t *self)
{
    const settings_t *settings = self->settings;
    const work_t work = {.n = self->started, .ms = settings->ms};
    const bool once = strcmp (settings->method, "once") == 0;
    static const char data[FILL_SIZE];
    const blob_t blob = {.data = synod_str_n (data, sizeof data)};
    uint64_t id = 0;
    for (uint32_t i = 0; i < settings->fill && !self->failing; i++)          /* until something is full */
        synod_handle_tell (self->handle, settings->to, &blob_record, &blob); /* also when there is no room */
    int rc = synod_handle_ask_start (self->handle, settings->to, once ? &once_record : &work_record, &work,
                                     settings->timeout_ms, &id);
    if (rc != SYNOD_OK)
        return rc;
    pending_t *pending = self->pending;
    while (pending->id)
        pending++;
    *pending = (pending_t){id, now_ms ()};
    self->npending++;
    self->started++;
    return SYNOD_OK;
}

static void end_ask (asks_t *self, uint64_t id, const synod_reply_t *reply)
{
    int64_t now = now_ms ();
    pending_t *pending = NULL;
    for (uint32_t i = 0; i < self->settings->outstanding; i++)
        if (self->pending[i].id == id)
            pending = &self->pending[i];
    if (!pending) {
        self->stray++;
        return;
    }
    int64_t age_ms = now - pending->since_ms;
    pending->id = 0;
    self->npending--;
    self->ended[reply->code < CODES_MAX ? reply->code : CODES_MAX - 1]++;
    if (age_ms > self->longest_ms)
        self->longest_ms = age_ms;
    if (reply->code != SYNOD_OK || self->failing)
        printf ("end %" PRId64 " %s %" PRId64 " %.*s\n", now, synod_error_name (reply->code), age_ms,
                SYNOD_STR (reply->code == SYNOD_OK ? reply->from : reply->message));
    self->failing = reply->code != SYNOD_OK;
}

static void print_sum (const asks_t *self)
{
    uint64_t all = 0;
    printf ("sum {\"started\":%" PRIu64 ",\"stray\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"longest_ms\":%" PRId64
            ",\"ended\":{",
            self->started, self->stray, self->refused, self->longest_ms);
    for (int i = 0; i < CODES_MAX; i++) {
        if (self->ended[i])
            printf ("%s\"%s\":%" PRIu64, all ? "," : "", synod_error_name (i), self->ended[i]);
        all += self->ended[i];
    }
    printf ("},\"all\":%" PRIu64 "}\n", all);
}

static int run_asks (const settings_t *settings, synod_handle_t *handle)
{
    static asks_t self;
    self.settings = settings;
    self.handle = handle;
    while (self.npending || (!s_stop && (!settings->count || self.started < settings->count))) {
        while (!s_stop && self.npending < settings->outstanding &&
               (!settings->count || self.started < settings->count)) {
            int rc = start_ask (&self);
            if (rc == SYNOD_OK && settings->fill) /* what comes back is taken first: it has a queue too */
                break;
            if (rc == SYNOD_OK)
                continue;
            if (self.refused++ == 0)
                printf ("refused %s %s\n", synod_error_name (rc), synod_handle_error (handle));
            break;
        }
        uint64_t id = 0;
        synod_reply_t reply;
        int rc = synod_handle_wait (handle, settings->fill ? 1 : 100, &id, &reply);
        if (rc == SYNOD_OK)
            end_ask (&self, id, &reply);
        else if (rc != SYNOD_TIMEOUT && rc != SYNOD_NOT_FOUND)
            break;
    }
    print_sum (&self);
    self.settings = NULL;
    return 0;
}

/* ---- numbers ---- */

/* Tells that outrun the worker would be lost at the broker's queue: each 200 are followed by an ask, and only one
 * of those may be unanswered. So a change of path has up to 400 tells before it that have not arrived yet. */
static int keep_pace (const settings_t *settings, synod_handle_t *handle, uint32_t most)
{
    static uint32_t unanswered;
    const numbers_t nothing = {0};
    synod_reply_t reply;
    uint64_t id;
    int rc = most ? synod_handle_ask_start (handle, settings->to, &numbers_record, &nothing, 10000, &id) : SYNOD_OK;
    unanswered += most && rc == SYNOD_OK;
    while (rc == SYNOD_OK && unanswered > most) {
        rc = synod_handle_wait (handle, 10000, &id, &reply);
        unanswered--;
        if (rc == SYNOD_OK && reply.code != SYNOD_OK)
            return die ("pace", reply.code, synod_error_meaning (reply.code));
    }
    return rc == SYNOD_OK ? 0 : die ("pace", rc, synod_handle_error (handle));
}

static int tell_some (const settings_t *settings, synod_handle_t *handle, uint64_t *told, uint64_t until)
{
    while (*told < until) {
        const number_t number = {.n = *told + 1};
        int rc = synod_handle_tell (handle, settings->to, &number_record, &number);
        if (rc == SYNOD_OK && ++*told % 200 == 0 && keep_pace (settings, handle, 1))
            return 1;
        if (rc == SYNOD_OK)
            continue;
        if (rc == SYNOD_BUSY)
            synod_handle_poll (handle, 1);
        else
            return die ("tell", rc, synod_handle_error (handle));
    }
    return 0;
}

/* Each change of path has tells before, during (those are held) and after it. */
static int run_numbers (const settings_t *settings, synod_handle_t *handle)
{
    char node[64];
    snprintf (node, sizeof node, "%.*s", (int) strcspn (settings->to, "/"), settings->to);
    uint64_t told = 0;
    uint32_t direct = 0;
    for (uint32_t i = 0; i < settings->switches; i++) {
        if (tell_some (settings, handle, &told, settings->count * (i + 1) / (settings->switches + 1)))
            return 1;
        int (*change) (synod_handle_t *, const char *, int) = i % 2 ? synod_handle_unlink : synod_handle_link;
        change (handle, node, 0); /* begins it */
        if (tell_some (settings, handle, &told, told + 3000))
            return 1;
        int rc = change (handle, node, 5000);
        if (rc != SYNOD_OK)
            return die (i % 2 ? "unlink" : "link", rc, synod_handle_error (handle));
        direct += i % 2 == 0;
    }
    if (tell_some (settings, handle, &told, settings->count) || keep_pace (settings, handle, 0))
        return 1;
    synod_reply_t reply;
    const numbers_t nothing = {0};
    numbers_t seen = {0};
    int rc = synod_handle_ask (handle, settings->to, &numbers_record, &nothing, 20000, &reply);
    if (rc != SYNOD_OK)
        return die ("ask", rc, synod_handle_error (handle));
    if (synod_record_unpack (&numbers_record, reply.body, &seen, NULL) != SYNOD_OK)
        return die ("reply", SYNOD_BAD_REQUEST, "the reply does not fit");
    printf ("sum {\"told\":%" PRIu64 ",\"count\":%" PRIu64 ",\"last\":%" PRIu64 ",\"wrong\":%" PRIu64
            ",\"direct\":%" PRIu32 "}\n",
            told, seen.count, seen.last, seen.wrong, direct);
    return 0;
}

/* ---- topics ---- */

/* Until COUNT have come or were lost, or a SIGTERM. */
static int run_listen (const settings_t *settings, synod_handle_t *handle)
{
    uint64_t received = 0, gaps = 0;
    int rc = synod_handle_subscribe (handle, settings->topic, 10000);
    if (rc != SYNOD_OK)
        return die ("subscribe", rc, synod_handle_error (handle));
    puts ("ready");
    while (!s_stop && (!settings->count || received < settings->count)) {
        synod_message_t message;
        rc = synod_handle_receive (handle, 100, &message);
        if (rc == SYNOD_OK && ++received % 10000 == 0)
            printf ("received %" PRIu64 "\n", received);
        else if (rc != SYNOD_OK && rc != SYNOD_TIMEOUT)
            return die ("receive", rc, synod_handle_error (handle));
        if (synod_handle_gaps (handle) == gaps)
            continue;
        gaps = synod_handle_gaps (handle);
        printf ("gap %" PRIu64 "\n", gaps);
    }
    printf ("sum {\"received\":%" PRIu64 ",\"gaps\":%" PRIu64 "}\n", received, gaps);
    return 0;
}

/* In chunks; after each an ask that takes a while, so that nobody who reads on is outrun. */
static int run_publish (const settings_t *settings, synod_handle_t *handle)
{
    static const char data[3000];
    const blob_t blob = {.data = synod_str_n (data, sizeof data)};
    const work_t pause = {.ms = settings->ms};
    synod_reply_t reply;
    for (uint64_t i = 1; i <= settings->count && !s_stop; i++) {
        int rc = synod_handle_publish (handle, settings->topic, &blob_record, &blob, 5000);
        if (rc == SYNOD_OK && i % 1000 == 0)
            rc = synod_handle_ask (handle, settings->to, &work_record, &pause, 5000, &reply);
        if (rc != SYNOD_OK)
            return die ("publish", rc, synod_handle_error (handle));
    }
    int rc = synod_handle_flush (handle, 10000);
    if (rc != SYNOD_OK)
        return die ("flush", rc, synod_handle_error (handle));
    puts ("sum {}");
    return 0;
}

/* ---- life ---- */

static bool set (settings_t *self, const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **text;
        uint32_t *number;
    } known[] = {
        {"mode", &self->mode, NULL},
        {"to", &self->to, NULL},
        {"method", &self->method, NULL},
        {"topic", &self->topic, NULL},
        {"bus", &self->join.bus, NULL},
        {"listen", &self->join.listen, NULL},
        {"peer", self->peers[0] ? &self->peers[1] : &self->peers[0], NULL},
        {"name", &self->join.name, NULL},
        {"ms", NULL, &self->ms},
        {"timeout", NULL, &self->timeout_ms},
        {"outstanding", NULL, &self->outstanding},
        {"switches", NULL, &self->switches},
        {"fill", NULL, &self->fill},
        {"heartbeat", NULL, &self->join.heartbeat_ms},
    };
    if (strcmp (key, "count") == 0) {
        self->count = strtoull (value, NULL, 10);
        return true;
    }
    if (strcmp (key, "queue") == 0) {
        self->join.queue_bytes = strtoull (value, NULL, 10);
        return true;
    }
    if (strcmp (key, "no-links") == 0)
        return self->join.no_links = true;
    if (strcmp (key, "no-directory") == 0)
        return self->join.no_directory = true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp (key, known[i].key) != 0)
            continue;
        if (known[i].text)
            *known[i].text = value;
        else
            *known[i].number = (uint32_t) strtoul (value, NULL, 10);
        return true;
    }
    return false;
}

int main (int argc, char **argv)
{
    settings_t settings = {
        .mode = "asks", .to = "worker", .method = "work", .topic = "news", .timeout_ms = 3000, .outstanding = 20};
    setvbuf (stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        char *value = strchr (argv[i], '=');
        if (value)
            *value++ = 0;
        if (!set (&settings, argv[i], value ? value : "")) {
            printf ("failed: there is no setting %s\n", argv[i]);
            return 2;
        }
    }
    if (settings.outstanding > OUTSTANDING_MAX)
        settings.outstanding = OUTSTANDING_MAX;
    settings.join.peers = settings.peers[0] ? settings.peers : NULL;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction (SIGTERM, &action, NULL);
    synod_fault_t fault = {0};
    synod_handle_t *handle = synod_handle_new (&settings.join, &fault);
    if (!handle)
        return die ("join", fault.code, fault.text);
    bool listens = strcmp (settings.mode, "listen") == 0;
    int rc = settings.join.no_directory || listens ? SYNOD_OK : synod_handle_await (handle, settings.to, 10000);
    if (rc != SYNOD_OK)
        rc = die ("await", rc, synod_handle_error (handle));
    else if (listens)
        rc = run_listen (&settings, handle);
    else {
        puts ("ready");
        rc = strcmp (settings.mode, "numbers") == 0   ? run_numbers (&settings, handle)
             : strcmp (settings.mode, "publish") == 0 ? run_publish (&settings, handle)
                                                      : run_asks (&settings, handle);
    }
    synod_handle_destroy (&handle);
    return rc;
}
