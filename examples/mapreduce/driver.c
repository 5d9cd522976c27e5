/* SPDX-License-Identifier: MPL-2.0
 *
 * mapreduce: has the words of files counted by the mappers and reducers of a bus, and prints the most frequent ones.
 *
 * A bounded number of pieces is under way, each asked of any node that has a mapper: the bus picks the one with the fewest
 * unanswered asks, and asks another one if it dies. A piece is answered when its counts are reduced; when all are, the total
 * of each word is read from the word's reducer.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "../wordcount/texts.h"
#include "../wordcount/words.h"
#include "records.h"

#define WINDOW   16    /* pieces under way */
#define ATTEMPTS 5     /* of one piece */
#define PIECE_MS 60000 /* for one attempt, the bus's own retries included */
#define READS    1000  /* totals asked at a time */
#define READ_MS  20000
#define AWAIT_MS 10000 /* for the first mapper */

typedef struct {
    piece_t in; /* text.data NULL: not in use */
    uint64_t id;
    int attempts;
} task_t;

typedef struct {
    synod_handle_t *handle;
    texts_t texts;
    const char *job;
    size_t piece_size;
    bool progress;
    task_t window[WINDOW];
    uint64_t pieces;  /* handed out */
    uint64_t reduced; /* bytes of the pieces that were answered */
    words_t seen;     /* what to read; the counts here mean nothing */
    words_t counts;
} driver_t;

static int fail (int status, const char *code, const char *sentence)
{
    fprintf (stderr, "mapreduce: %s: %s\n", code, sentence);
    return status;
}

static int fail_reply (const synod_reply_t *reply)
{
    fprintf (stderr, "mapreduce: %.*s: %.*s\n", SYNOD_STR (reply->error), SYNOD_STR (reply->message));
    return 1;
}

/* ---- map ---- */

static int ask (driver_t *self, task_t *task)
{
    task->attempts++;
    int code = synod_handle_ask_start (self->handle, "map", &piece_record, &task->in, PIECE_MS, &task->id);
    return code == SYNOD_OK ? 0 : fail (1, synod_error_name (code), synod_handle_error (self->handle));
}

/* Fills the window. */
static int hand_out (driver_t *self)
{
    for (int i = 0; i < WINDOW; i++) {
        task_t *task = &self->window[i];
        synod_str_t text;
        if (task->in.text.data)
            continue;
        if (!texts_next (&self->texts, self->piece_size, &text))
            return 0;
        if (text.size > PIECE_MAX)
            return fail (1, "too-large", "there is a word that is longer than a piece");
        *task = (task_t){.in = {.job = synod_str (self->job), .number = self->pieces++, .text = text}};
        if (ask (self, task) != 0)
            return 1;
    }
    return 0;
}

static bool worth_a_retry (int code)
{
    return code == SYNOD_NODE_DOWN || code == SYNOD_TIMEOUT || code == SYNOD_BUSY || code == SYNOD_STOPPED;
}

static int take (driver_t *self, task_t *task, const synod_reply_t *reply)
{
    synod_fault_t fault = {0};
    mapped_t mapped;
    if (worth_a_retry (reply->code) && task->attempts < ATTEMPTS) {
        fprintf (stderr, "mapreduce: %s, asking again\n", synod_error_name (reply->code));
        return ask (self, task);
    }
    if (reply->code != SYNOD_OK)
        return fail_reply (reply);
    if (synod_record_unpack (&mapped_record, reply->body, &mapped, &fault) != SYNOD_OK)
        return fail (1, "bad-request", fault.text);
    if (!words_add_text (&self->seen, mapped.words.data, mapped.words.size))
        return fail (1, "no-memory", "no memory for the words");
    self->reduced += task->in.text.size;
    task->in.text.data = NULL;
    if (self->progress)
        fprintf (stderr, "progress %d %%\n", (int) (self->reduced * 100 / self->texts.size));
    return 0;
}

/* Returns when all is reduced. */
static int map_all (driver_t *self)
{
    for (;;) {
        uint64_t id = 0;
        synod_reply_t reply = {0};
        if (hand_out (self) != 0)
            return 1;
        int code = synod_handle_wait (self->handle, -1, &id, &reply);
        if (code == SYNOD_NOT_FOUND)
            return 0; /* none is under way, and there is no more text */
        if (code != SYNOD_OK)
            return fail (1, synod_error_name (code), synod_handle_error (self->handle));
        for (int i = 0; i < WINDOW; i++)
            if (self->window[i].in.text.data && self->window[i].id == id && take (self, &self->window[i], &reply) != 0)
                return 1;
    }
}

/* ---- read ---- */

static int ask_total (driver_t *self, const word_t *word)
{
    char to[SYNOD_ADDRESS_MAX + 1];
    uint64_t id;
    snprintf (to, sizeof to, "reduce#%s/%s", self->job, word->text);
    int code = synod_handle_ask_start (self->handle, to, &read_record, &(read_t){0}, READ_MS, &id);
    return code == SYNOD_OK ? 0 : fail (1, synod_error_name (code), synod_handle_error (self->handle));
}

static int take_total (driver_t *self, const synod_reply_t *reply)
{
    synod_fault_t fault = {0};
    total_t total;
    size_t job = strlen (self->job) + 1; /* with the slash */
    if (reply->code != SYNOD_OK)
        return fail_reply (reply);
    if (synod_record_unpack (&total_record, reply->body, &total, &fault) != SYNOD_OK)
        return fail (1, "bad-request", fault.text);
    if (total.key.size <= job)
        return fail (1, "bad-request", "the total of another job came");
    if (!words_add (&self->counts, total.key.data + job, total.key.size - job, total.count))
        return fail (1, "no-memory", "no memory for the counts");
    return 0;
}

static int read_all (driver_t *self)
{
    const word_t *next = self->seen.head;
    for (uint32_t asked = 0;; asked--) {
        uint64_t id = 0;
        synod_reply_t reply = {0};
        for (; next && asked < READS; next = (const word_t *) next->hh.next, asked++)
            if (ask_total (self, next) != 0)
                return 1;
        int code = synod_handle_wait (self->handle, -1, &id, &reply);
        if (code == SYNOD_NOT_FOUND)
            return 0;
        if (code != SYNOD_OK)
            return fail (1, synod_error_name (code), synod_handle_error (self->handle));
        if (take_total (self, &reply) != 0)
            return 1;
    }
}

/* ---- the command ---- */

static const char help[] = "usage: mapreduce [OPTION]... FILE...\n\n"
                           "Counts the words of the files on the mappers and reducers of a bus and prints the most "
                           "frequent ones: COUNT WORD.\n"
                           "A word is a run of ASCII letters; case does not matter.\n\n"
                           "  --bus ENDPOINT   the broker (default $SYNOD_BUS, else tcp://127.0.0.1:5570)\n"
                           "  --job NAME       what the counts are kept under (default: a new name). One that was cut "
                           "short is finished by the same\n"
                           "                   NAME, FILEs and --piece; nothing is counted twice\n"
                           "  --piece BYTES    how much text to hand out at a time, 1 to 16384 (default 8192)\n"
                           "  --top N          how many words to print (default 20)\n"
                           "  --progress       say on stderr how far it is\n"
                           "  --help\n";

static int run (driver_t *self, char **names, int nnames, const synod_options_t *options, uint64_t top)
{
    synod_fault_t fault = {0};
    int code = texts_open (&self->texts, names, nnames, &fault);
    int status = code == SYNOD_OK ? 0 : fail (1, synod_error_name (code), fault.text);
    if (status == 0 && !(self->handle = synod_handle_new (options, &fault)))
        status = fail (3, synod_error_name (fault.code), fault.text);
    if (status == 0 && !self->job)
        self->job = synod_handle_name (self->handle); /* which no other program has or had */
    if (status == 0 && synod_handle_await (self->handle, "map", AWAIT_MS) != SYNOD_OK)
        status = fail (3, "no-route", "nobody runs a mapper; start one with: synod run ./libmapreduce.so --data DIR");
    if (status == 0)
        status = map_all (self);
    if (status == 0)
        status = read_all (self);
    if (status == 0) {
        words_sort (&self->counts);
        const word_t *word = self->counts.head;
        for (uint64_t i = 0; i < top && word; i++, word = (const word_t *) word->hh.next)
            printf ("%" PRIu64 " %s\n", word->count, word->text);
        status = fflush (stdout) == 0 ? 0 : fail (1, "io", strerror (errno));
    }
    synod_handle_destroy (&self->handle);
    words_clear (&self->seen);
    words_clear (&self->counts);
    texts_close (&self->texts);
    return status;
}

static int misused (const char *sentence, const char *value)
{
    fprintf (stderr, "mapreduce: %s%s; see mapreduce --help\n", sentence, value);
    return 2;
}

static bool number (const char *text, uint64_t most, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoull (text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == 0 && *out >= 1 && *out <= most;
}

int main (int argc, char **argv)
{
    static const struct option known[] = {{"bus", 1, NULL, 'b'}, {"job", 1, NULL, 'j'},  {"piece", 1, NULL, 'p'},
                                          {"top", 1, NULL, 't'}, {"help", 0, NULL, 'h'}, {"progress", 0, NULL, 'g'},
                                          {NULL, 0, NULL, 0}};
    synod_options_t options = {0};
    driver_t driver = {0};
    uint64_t top = 20, piece = 8192;
    int option = 0;
    while ((option = getopt_long (argc, argv, "h", known, NULL)) != -1) {
        if (option == 'b')
            options.bus = optarg;
        else if (option == 'j' && *optarg && strlen (optarg) <= SYNOD_NAME_MAX)
            driver.job = optarg;
        else if (option == 'j')
            return misused ("--job takes 1 to 63 bytes, not ", optarg);
        else if (option == 'p' && !number (optarg, PIECE_MAX, &piece))
            return misused ("--piece takes 1 to 16384, not ", optarg);
        else if (option == 't' && !number (optarg, UINT32_MAX, &top))
            return misused ("--top takes a number from 1 on, not ", optarg);
        else if (option == 'g')
            driver.progress = true;
        else if (option == 'h')
            return fputs (help, stdout) < 0;
        else if (option == '?')
            return misused ("wrong option", "");
    }
    if (optind == argc)
        return misused ("expected one FILE or more", "");
    driver.piece_size = (size_t) piece;
    return run (&driver, argv + optind, argc - optind, &options, top);
}
