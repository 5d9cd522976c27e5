/* SPDX-License-Identifier: MPL-2.0
 *
 * wordcount: counts the words of files on all counters of a bus, and prints the most frequent ones.
 *
 * Files are cut into chunks between words. A bounded number of chunks is under way; each is asked of any node that
 * runs a counter, and one whose node died is asked again elsewhere, by the bus within its deadline, else from here.
 * With --table the counts are kept in the table `kv`: words only wait here until they are added there. With --publish a
 * summary of them is put there too.
 */
#include "publish.h"
#include "records.h"
#include "table.h"
#include "texts.h"
#include "words.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WINDOW   32    /* chunks under way */
#define ATTEMPTS 5     /* of one chunk */
#define CHUNK_MS 20000 /* for one attempt, the bus's own retries included */
#define AWAIT_MS 10000 /* for the first counter */

typedef struct {
    synod_str_t text; /* data NULL: not in use */
    uint64_t id;
    int attempts;
} chunk_t;

typedef struct {
    synod_handle_t *handle;
    texts_t texts;
    size_t chunk_size;
    chunk_t window[WINDOW];
    uint64_t counted; /* bytes of the chunks that came back */
    bool progress;
    int tenths; /* of the bytes, said already */
    words_t words;
    table_t table;
    const char *summary; /* its name; NULL: none is published */
} feeder_t;

static int fail (int status, const char *code, const char *sentence)
{
    fprintf (stderr, "wordcount: %s: %s\n", code, sentence);
    return status;
}

/* ---- chunks ---- */

static void count_bytes (feeder_t *self, size_t size)
{
    self->counted += size;
    int tenths = (int) (self->counted * 10 / self->texts.size);
    if (self->progress && (tenths > self->tenths || self->counted == size))
        fprintf (stderr, "progress %d %%\n", (int) (self->counted * 100 / self->texts.size));
    self->tenths = tenths;
}

static int ask (feeder_t *self, chunk_t *chunk)
{
    const count_chunk_t in = {.text = chunk->text};
    chunk->attempts++;
    int code = synod_handle_ask_start (self->handle, "counter", &count_chunk_record, &in, CHUNK_MS, &chunk->id);
    return code == SYNOD_OK ? 0 : fail (1, synod_error_name (code), synod_handle_error (self->handle));
}

/* Fills the window. */
static int ask_more (feeder_t *self)
{
    for (int i = 0; i < WINDOW; i++) {
        chunk_t *chunk = &self->window[i];
        if (chunk->text.data)
            continue;
        for (;;) {
            if (!texts_next (&self->texts, self->chunk_size, &chunk->text)) {
                chunk->text.data = NULL;
                return 0;
            }
            if (chunk->text.size <= self->chunk_size)
                break;
            /* a word too long for a chunk is counted right here */
            if (!words_add (&self->words, chunk->text.data, chunk->text.size, 1))
                return fail (1, "no-memory", "no memory for the words");
            count_bytes (self, chunk->text.size);
        }
        chunk->attempts = 0;
        if (ask (self, chunk) != 0)
            return 1;
    }
    return 0;
}

static bool worth_a_retry (int code)
{
    return code == SYNOD_NODE_DOWN || code == SYNOD_TIMEOUT || code == SYNOD_BUSY || code == SYNOD_NO_ROUTE ||
           code == SYNOD_STOPPED;
}

static int take_reply (feeder_t *self, chunk_t *chunk, const synod_reply_t *reply)
{
    synod_fault_t fault = {0};
    counts_t counts;
    word_count_t item;
    if (worth_a_retry (reply->code) && chunk->attempts < ATTEMPTS) {
        fprintf (stderr, "wordcount: %s, asking again\n", synod_error_name (reply->code));
        if (reply->code == SYNOD_NO_ROUTE && synod_handle_await (self->handle, "counter", AWAIT_MS) != SYNOD_OK)
            return fail (1, "no-route", "there is no counter left");
        return ask (self, chunk);
    }
    if (reply->code != SYNOD_OK) {
        fprintf (stderr, "wordcount: %.*s: %.*s\n", SYNOD_STR (reply->error), SYNOD_STR (reply->message));
        return 1;
    }
    if (synod_record_unpack (&counts_record, reply->body, &counts, &fault) != SYNOD_OK)
        return fail (1, "bad-request", fault.text);
    while (synod_list_next (&counts.words, &word_count_record, &item)) {
        if (!words_add (&self->words, item.word.data, item.word.size, item.count))
            return fail (1, "no-memory", "no memory for the words");
    }
    count_bytes (self, chunk->text.size);
    chunk->text.data = NULL;
    return 0;
}

/* The answer to a chunk, or else to an addition. */
static int take_any (feeder_t *self, uint64_t id, const synod_reply_t *reply)
{
    for (int i = 0; i < WINDOW; i++)
        if (self->window[i].text.data && self->window[i].id == id)
            return take_reply (self, &self->window[i], reply);
    if (table_added (&self->table, reply) == SYNOD_OK)
        return 0;
    fprintf (stderr, "wordcount: %.*s: %.*s\n", SYNOD_STR (reply->error), SYNOD_STR (reply->message));
    return 1;
}

static int read_table (feeder_t *self)
{
    synod_fault_t fault = {0};
    int code = self->table.prefix ? table_read (&self->table, self->handle, &self->words, &fault) : SYNOD_OK;
    return code == SYNOD_OK ? 0 : fail (1, synod_error_name (code), fault.text);
}

static int count (feeder_t *self)
{
    if (!self->texts.size && self->table.prefix)
        return read_table (self); /* nothing is to be added */
    if (synod_handle_await (self->handle, "counter", AWAIT_MS) != SYNOD_OK)
        return fail (3, "no-route", "nobody runs a counter; start one with: synod run ./libwordcount.so");
    for (;;) {
        uint64_t id = 0;
        synod_reply_t reply = {0};
        synod_fault_t fault = {0};
        if (ask_more (self) != 0)
            return 1;
        int code = self->table.prefix ? table_add (&self->table, self->handle, &self->words, &fault) : SYNOD_OK;
        if (code != SYNOD_OK)
            return fail (1, synod_error_name (code), fault.text);
        code = synod_handle_wait (self->handle, -1, &id, &reply);
        if (code == SYNOD_NOT_FOUND)
            return read_table (self); /* none is under way, and there is no more text */
        if (code != SYNOD_OK)
            return fail (1, synod_error_name (code), synod_handle_error (self->handle));
        if (take_any (self, id, &reply) != 0)
            return 1;
    }
}

/* ---- the command ---- */

static const char help[] =
    "usage: wordcount [OPTION]... FILE...\n\n"
    "Counts the words of the files on all counters of a bus and prints the most frequent ones: COUNT WORD.\n"
    "A word is a run of ASCII letters; case does not matter.\n\n"
    "  --bus ENDPOINT     the broker (default $SYNOD_BUS, else tcp://127.0.0.1:5570)\n"
    "  --direct           join without a broker; so do --listen and --peer\n"
    "  --listen ENDPOINT  where to take frames\n"
    "  --peer ENDPOINT    another node; may be repeated\n"
    "  --top N            how many words to print (default 20)\n"
    "  --chunk BYTES      how much text to ask at a time, 1 to 32768 (default 32768)\n"
    "  --table PREFIX     keep the counts in the table kv, in keys that begin so, and print what is there then;\n"
    "                     without a FILE: print what is there\n"
    "  --publish NAME     put a summary into the table too: NAME/totals, NAME/top and NAME/version, all or nothing,\n"
    "                     while holding the lock NAME\n"
    "  --progress         say on stderr how far it is\n"
    "  --help, --version\n";

static int misused (const char *option, const char *value)
{
    fprintf (stderr, "wordcount: %s%s%s; see wordcount --help\n", option, value ? " " : "", value ? value : "");
    return 2;
}

static bool number (const char *text, uint64_t most, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoull (text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == 0 && *out >= 1 && *out <= most;
}

static int run (feeder_t *self, char **names, int nnames, const synod_options_t *options, uint64_t top)
{
    synod_fault_t fault = {0};
    int code = nnames ? texts_open (&self->texts, names, nnames, &fault) : SYNOD_OK;
    int status = code == SYNOD_OK ? 0 : fail (1, synod_error_name (code), fault.text);
    if (status == 0) {
        self->handle = synod_handle_new (options, &fault);
        status = self->handle ? count (self) : fail (3, synod_error_name (fault.code), fault.text);
    }
    words_sort (&self->words);
    if (status == 0 && self->summary) {
        code = publish (options, self->handle, self->summary, &self->words, top, &fault);
        status = code == SYNOD_OK ? 0 : fail (1, synod_error_name (code), fault.text);
    }
    if (status == 0) {
        const word_t *word = self->words.head;
        for (uint64_t i = 0; i < top && word; i++, word = (const word_t *) word->hh.next)
            printf ("%" PRIu64 " %s\n", word->count, word->text);
        status = fflush (stdout) == 0 ? 0 : fail (1, "io", strerror (errno));
    }
    synod_handle_destroy (&self->handle);
    words_clear (&self->words);
    texts_close (&self->texts);
    return status;
}

/* Options go into FEEDER, OPTIONS and TOP; -1 to go on, else the exit code. */
static int parse (int argc, char **argv, feeder_t *feeder, synod_options_t *options, const char **peers, uint64_t *top)
{
    static const struct option known[] = {
        {"bus", 1, NULL, 'b'},     {"direct", 0, NULL, 'd'}, {"listen", 1, NULL, 'l'},  {"peer", 1, NULL, 'p'},
        {"top", 1, NULL, 't'},     {"chunk", 1, NULL, 'c'},  {"table", 1, NULL, 'k'},   {"progress", 0, NULL, 'g'},
        {"publish", 1, NULL, 's'}, {"help", 0, NULL, 'h'},   {"version", 0, NULL, 'v'}, {NULL, 0, NULL, 0}};
    uint64_t chunk = CHUNK_MAX;
    int option = 0;
    while ((option = getopt_long (argc, argv, "h", known, NULL)) != -1) {
        switch (option) {
        case 'b':
            options->bus = optarg;
            break;
        case 'd':
            options->direct = true;
            break;
        case 'l':
            options->listen = optarg;
            break;
        case 'p':
            *peers++ = optarg;
            break;
        case 't':
            if (!number (optarg, UINT32_MAX, top))
                return misused ("--top takes a number from 1 on, not", optarg);
            break;
        case 'c':
            if (!number (optarg, CHUNK_MAX, &chunk))
                return misused ("--chunk takes 1 to 32768, not", optarg);
            break;
        case 'g':
            feeder->progress = true;
            break;
        case 'k':
            feeder->table.prefix = optarg;
            break;
        case 's':
            feeder->summary = optarg;
            break;
        case 'h':
            fputs (help, stdout);
            return 0;
        case 'v':
            printf ("wordcount %s\n", synod_version ());
            return 0;
        default: /* getopt has said what */
            return misused ("wrong option", NULL);
        }
    }
    feeder->chunk_size = (size_t) chunk;
    return optind == argc && !feeder->table.prefix ? misused ("expected one FILE or more", NULL) : -1;
}

int main (int argc, char **argv)
{
    synod_options_t options = {0};
    feeder_t feeder = {0};
    uint64_t top = 20;
    const char **peers = (const char **) calloc ((size_t) argc + 1, sizeof *peers);
    int status = peers ? parse (argc, argv, &feeder, &options, peers, &top)
                       : fail (1, "no-memory", "no memory for the command line");
    options.peers = peers && peers[0] ? peers : NULL;
    options.direct = options.direct || options.listen || options.peers;
    if (status == -1 && options.bus && options.direct)
        status = misused ("--bus names a broker; --direct, --listen and --peer are without one", NULL);
    if (status == -1)
        status = run (&feeder, argv + optind, argc - optind, &options, top);
    free (peers);
    return status;
}
