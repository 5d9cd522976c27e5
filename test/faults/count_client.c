/* SPDX-License-Identifier: MPL-2.0
 *
 * A client that counts: commands that add one, and reads, to keys of its own on a placed counter, until a SIGTERM. It
 * accounts for every addition, and holds each read against what it knows: never less than was acknowledged when the read
 * began, never more than was asked for. Arguments are KEY=VALUE, results are lines on stdout:
 *
 *     ready                      the first addition was acknowledged
 *     end MS CODE AGE_MS TEXT    an ask ended with an error
 *     slow MS AGE_MS             one was answered after more than `slow` milliseconds
 *     wrong TEXT                 an answer that cannot be
 *     sum {...}                  how asks ended; for each key, additions acknowledged and without an answer
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "examples/placed_counter/counter.h"

#define KEYS_MAX        256
#define OUTSTANDING_MAX 64
#define CODES_MAX       64

typedef struct {
    synod_options_t join;
    const char *peers[4];
    const char *name; /* what its keys begin with */
    uint32_t keys, outstanding, timeout_ms, slow_ms;
} settings_t;

typedef struct {
    uint64_t asked, sure, unsure; /* additions: asked for, acknowledged, ended without an answer */
} tally_t;

typedef struct {
    uint64_t id; /* 0: free */
    int64_t since_ms;
    uint32_t key;
    bool reads;
    uint64_t sure; /* when it began */
} pending_t;

typedef struct {
    settings_t settings;
    synod_handle_t *handle;
    tally_t tallies[KEYS_MAX];
    pending_t pending[OUTSTANDING_MAX];
    uint32_t npending, turn;
    uint64_t ended[CODES_MAX], wrong;
    int64_t longest_ms;
    bool ready;
} self_t;

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

static int start (self_t *self)
{
    pending_t *pending = self->pending;
    while (pending->id)
        pending++;
    uint32_t turn = self->turn++;
    *pending = (pending_t){.since_ms = now_ms (), .key = turn / 2 % self->settings.keys, .reads = turn % 2 == 1};
    tally_t *tally = &self->tallies[pending->key];
    char to[64];
    pending->sure = tally->sure;
    snprintf (to, sizeof to, "counter#%s-%u", self->settings.name, pending->key);
    int rc = pending->reads ? synod_handle_ask_start (self->handle, to, &get_record, &(get_t){0},
                                                      self->settings.timeout_ms, &pending->id)
                            : synod_handle_ask_start (self->handle, to, &add_record, &(add_t){.amount = 1},
                                                      self->settings.timeout_ms, &pending->id);
    if (rc != SYNOD_OK) {
        pending->id = 0;
        return rc;
    }
    self->npending++;
    tally->asked += !pending->reads;
    return SYNOD_OK;
}

/* What was added besides by earlier asks of the same key, whose answers may still come, is between the two bounds. */
static void check (self_t *self, const pending_t *pending, const synod_reply_t *reply)
{
    const tally_t *tally = &self->tallies[pending->key];
    count_t count = {0};
    bool good = synod_record_unpack (&count_record, reply->body, &count, NULL) == SYNOD_OK;
    uint64_t least = pending->sure + !pending->reads;
    if (good && count.value >= least && count.value <= tally->asked)
        return;
    self->wrong++;
    printf ("wrong key %u: %s gave %" PRIu64 ", expected %" PRIu64 " to %" PRIu64 " (from %.*s)\n", pending->key,
            pending->reads ? "get" : "add", count.value, least, tally->asked, SYNOD_STR (reply->from));
}

static void end (self_t *self, uint64_t id, const synod_reply_t *reply)
{
    uint32_t i = 0;
    while (i < OUTSTANDING_MAX && self->pending[i].id != id)
        i++;
    if (i == OUTSTANDING_MAX) {
        self->wrong++;
        puts ("wrong: an answer to nothing");
        return;
    }
    pending_t *pending = &self->pending[i];
    tally_t *tally = &self->tallies[pending->key];
    int64_t now = now_ms (), age_ms = now - pending->since_ms;
    pending->id = 0;
    self->npending--;
    self->ended[reply->code < CODES_MAX ? reply->code : CODES_MAX - 1]++;
    if (age_ms > self->longest_ms)
        self->longest_ms = age_ms;
    if (reply->code != SYNOD_OK) {
        tally->unsure += !pending->reads;
        printf ("end %" PRId64 " %s %" PRId64 " %s %.*s\n", now, synod_error_name (reply->code), age_ms,
                pending->reads ? "get" : "add", SYNOD_STR (reply->message));
        return;
    }
    check (self, pending, reply);
    tally->sure += !pending->reads;
    if (age_ms > self->settings.slow_ms)
        printf ("slow %" PRId64 " %" PRId64 "\n", now, age_ms);
    if (!self->ready)
        puts ("ready");
    self->ready = true;
}

static void print_sum (const self_t *self)
{
    printf ("sum {\"wrong\":%" PRIu64 ",\"longest_ms\":%" PRId64 ",\"ended\":{", self->wrong, self->longest_ms);
    for (int i = 0, n = 0; i < CODES_MAX; i++)
        if (self->ended[i])
            printf ("%s\"%s\":%" PRIu64, n++ ? "," : "", synod_error_name (i), self->ended[i]);
    printf ("},\"keys\":{");
    for (uint32_t i = 0; i < self->settings.keys; i++)
        printf ("%s\"%s-%u\":[%" PRIu64 ",%" PRIu64 "]", i ? "," : "", self->settings.name, i, self->tallies[i].sure,
                self->tallies[i].unsure);
    puts ("}}");
}

static int run (self_t *self)
{
    while (!s_stop || self->npending) {
        while (!s_stop && self->npending < self->settings.outstanding && start (self) == SYNOD_OK)
            ;
        uint64_t id = 0;
        synod_reply_t reply;
        int rc = synod_handle_wait (self->handle, 100, &id, &reply);
        if (rc == SYNOD_OK)
            end (self, id, &reply);
        else if (rc == SYNOD_NOT_FOUND)
            synod_handle_poll (self->handle, 10); /* nothing could be started */
        else if (rc != SYNOD_TIMEOUT)
            return die ("wait", rc, synod_handle_error (self->handle));
    }
    print_sum (self);
    return 0;
}

static bool set (settings_t *self, const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **text;
        uint32_t *number;
    } known[] = {{"name", &self->name, NULL},          {"bus", &self->join.bus, NULL},
                 {"listen", &self->join.listen, NULL}, {"keys", NULL, &self->keys},
                 {"timeout", NULL, &self->timeout_ms}, {"outstanding", NULL, &self->outstanding},
                 {"slow", NULL, &self->slow_ms},       {"heartbeat", NULL, &self->join.heartbeat_ms}};
    if (strcmp (key, "peer") == 0) {
        size_t i = 0;
        while (i < 3 && self->peers[i])
            i++;
        self->peers[i] = value;
        return i < 3;
    }
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
    static self_t self = {
        .settings = {.name = "c", .keys = 20, .outstanding = 8, .timeout_ms = 5000, .slow_ms = 60000}};
    settings_t *settings = &self.settings;
    setvbuf (stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        char *value = strchr (argv[i], '=');
        if (value)
            *value++ = 0;
        if (!set (settings, argv[i], value ? value : "")) {
            printf ("failed: there is no setting %s\n", argv[i]);
            return 2;
        }
    }
    if (settings->keys < 1 || settings->keys > KEYS_MAX || settings->outstanding > OUTSTANDING_MAX)
        return die ("settings", SYNOD_INVALID, "too many keys, or asks at a time");
    settings->join.peers = settings->peers[0] ? settings->peers : NULL;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction (SIGTERM, &action, NULL);
    synod_fault_t fault = {0};
    self.handle = synod_handle_new (&settings->join, &fault);
    if (!self.handle)
        return die ("join", fault.code, fault.text);
    int rc = run (&self);
    synod_handle_destroy (&self.handle);
    return rc;
}
