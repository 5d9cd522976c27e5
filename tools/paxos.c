/* SPDX-License-Identifier: MPL-2.0
 *
 * synod paxos: tells acceptors of each other, has values chosen, learns them, and shows how the acceptors are. Any of
 * the nodes that run the actor `paxos` can be asked.
 */
#include "tool.h"
#include "protocol/address.h"
#include "protocol/paxos_records.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define ACTOR         "paxos"
#define ACCEPTORS_MAX 15

typedef struct {
    synod__command_t *command;
    synod__join_t join;
    synod_handle_t *handle;
    const char *at; /* the node that is asked; NULL: any */
    bool json;
} self_t;

/* ---- asking ---- */

static int fail (const synod_reply_t *reply)
{
    const char *name = synod_error_name (reply->code), *meaning = synod_error_meaning (reply->code);
    fprintf (stderr, "synod: %.*s: %.*s\n", SYNOD_STR (reply->error.size ? reply->error : synod_str (name)),
             SYNOD_STR (reply->message.size ? reply->message : synod_str (meaning)));
    return synod__exit_code (reply->code);
}

/* Joins, and waits until somebody is at NODE (NULL: anywhere). The exit code, or SYNOD__EXIT_NONE. */
static int reach (self_t *self, const char *node, char *to, size_t size)
{
    snprintf (to, size, "%s%s" ACTOR, node ? node : "", node ? "/" : "");
    const char *words[] = {to, "status"};
    synod__command_t reach = *self->command;
    synod_buf_t body = {0};
    int status = SYNOD__EXIT_NONE;
    reach.words = words;
    reach.nwords = 2;
    self->handle = synod__reach (&reach, &self->join, self->join.options.direct, &body, &status);
    synod_buf_free (&body);
    return status;
}

/* One question and its answer in OUT. The exit code, or SYNOD__EXIT_NONE. */
static int ask (self_t *self, const char *node, const synod_record_t *record, const void *in,
                const synod_record_t *answer, void *out, synod_reply_t *reply)
{
    char to[2 * SYNOD_NAME_MAX + 2];
    synod_fault_t fault = {0};
    int status = self->handle ? SYNOD__EXIT_NONE : reach (self, node, to, sizeof to);
    if (status != SYNOD__EXIT_NONE)
        return status;
    int code = synod_handle_ask (self->handle, to, record, in, (int) self->join.timeout_ms, reply);
    if (code == SYNOD_OK && synod_record_unpack (answer, reply->body, out, &fault) != SYNOD_OK)
        return synod__fail (fault.code, fault.text);
    return code == SYNOD_OK ? SYNOD__EXIT_NONE : fail (reply);
}

/* ---- printing ---- */

static void print_id (synod_str_t id)
{
    for (uint32_t i = 0; i < id.size; i++)
        printf ("%02x", (uint8_t) id.data[i]);
}

static int print_json (synod_str_t body)
{
    synod__print_body (stdout, body);
    putchar ('\n');
    return SYNOD__EXIT_DONE;
}

/* As it is; on a terminal, quoted when it could disturb it. */
static void print_value (synod_str_t value)
{
    bool plain = true;
    for (uint32_t i = 0; i < value.size && plain; i++)
        plain = isprint ((unsigned char) value.data[i]);
    if (plain || !isatty (STDOUT_FILENO))
        fwrite (value.data ? value.data : "", 1, value.size, stdout);
    else
        synod__print_text (stdout, value);
    putchar ('\n');
}

/* A value that is text as text, another one as {"$bin": "base64"}. */
static int print_decided (const self_t *self, const synod__paxos_decided_t *out, const synod_reply_t *reply)
{
    json_t *text = json_stringn (out->value.data ? out->value.data : "", out->value.size);
    json_decref (text);
    if (!self->json)
        print_value (out->value);
    else if (!text)
        return print_json (reply->body);
    else {
        fputs ("{\"value\":", stdout);
        synod__print_text (stdout, out->value);
        puts (out->own ? ",\"own\":true}" : "}");
    }
    return SYNOD__EXIT_DONE;
}

/* ---- init ---- */

/* a1,a2,a3 */
static int split (const self_t *self, const char *text, synod_list_t *list, synod_buf_t *items)
{
    for (const char *at = text;; at++) {
        size_t size = strcspn (at, ",");
        synod__paxos_acceptor_t one = {.node = synod_str_n (at, size)};
        synod_fault_t fault = {0};
        if (size == 0 || size > SYNOD_NAME_MAX)
            return synod__misused (self->command, "expected the names of nodes as in a1,a2,a3, not '%s'", text);
        if (synod_list_add (list, items, &synod__paxos_acceptor_record, &one, &fault) != SYNOD_OK)
            return synod__misused (self->command, "%s", fault.text);
        at += size;
        if (!*at)
            break;
    }
    if (list->count % 2 == 0 || list->count > ACCEPTORS_MAX)
        return synod__misused (self->command, "expected an odd number of acceptors from 1 to %d, got %u", ACCEPTORS_MAX,
                               list->count);
    return SYNOD__EXIT_NONE;
}

static int run_init (self_t *self, const char *acceptors)
{
    synod__paxos_init_t in = {{{0}, 0}, 0};
    synod__paxos_made_t out = {0};
    synod__paxos_acceptor_t one = {0};
    synod_buf_t items = {0};
    synod_reply_t reply = {0};
    char first[SYNOD_NAME_MAX + 1];
    int status = split (self, acceptors, &in.acceptors, &items);
    snprintf (first, sizeof first, "%.*s", (int) strcspn (acceptors, ","), acceptors);
    if (status == SYNOD__EXIT_NONE)
        status = ask (self, self->at ? self->at : first, &synod__paxos_init_record, &in, &synod__paxos_made_record,
                      &out, &reply);
    synod_buf_free (&items);
    if (status != SYNOD__EXIT_NONE)
        return status;
    if (self->json)
        return print_json (reply.body);
    while (synod_list_next (&out.acceptors, &synod__paxos_acceptor_record, &one)) {
        printf ("%-16.*s ", SYNOD_STR (one.node));
        print_id (one.store);
        putchar ('\n');
    }
    fprintf (stderr, "synod: these acceptors decide%s\n", out.again ? ", as before" : " from now on");
    return SYNOD__EXIT_DONE;
}

/* ---- propose and get ---- */

/* WORD; @FILE; nothing or `-`: standard input. The caller frees VALUE. */
static int read_value (const self_t *self, const char *word, synod_buf_t *value)
{
    bool standard = !word || strcmp (word, "-") == 0;
    value->capacity = SYNOD__PAXOS_VALUE_MAX + 1;
    value->data = (char *) malloc (value->capacity);
    if (!value->data)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the value");
    if (!standard && word[0] != '@') {
        value->size = strlen (word);
        if (value->size <= SYNOD__PAXOS_VALUE_MAX)
            memcpy (value->data, word, value->size);
    } else {
        FILE *file = standard ? stdin : fopen (word + 1, "rb");
        if (!file)
            return synod__misused (self->command, "cannot open %s: %s", word + 1, strerror (errno));
        value->size = fread (value->data, 1, value->capacity, file);
        bool bad = ferror (file);
        int why = errno;
        if (!standard)
            fclose (file);
        if (bad)
            return synod__misused (self->command, "cannot read %s: %s", standard ? "standard input" : word + 1,
                                   strerror (why));
    }
    if (value->size > SYNOD__PAXOS_VALUE_MAX)
        return synod__misused (self->command, "a value has at most %d bytes", SYNOD__PAXOS_VALUE_MAX);
    return SYNOD__EXIT_NONE;
}

static int check_key (const self_t *self, const char *key)
{
    size_t size = strlen (key);
    if (size == 0 || size > SYNOD_KEY_MAX)
        return synod__misused (self->command, "a key has 1 to %d bytes, this one has %zu", SYNOD_KEY_MAX, size);
    return SYNOD__EXIT_NONE;
}

static int run_propose (self_t *self, const char *key, const char *word)
{
    synod_buf_t value = {0};
    synod__paxos_decided_t out = {0};
    synod_reply_t reply = {0};
    int status = check_key (self, key);
    if (status == SYNOD__EXIT_NONE)
        status = read_value (self, word, &value);
    synod__paxos_propose_t in = {.key = synod_str (key), .value = synod_str_n (value.data, value.size)};
    if (status == SYNOD__EXIT_NONE)
        status = ask (self, self->at, &synod__paxos_propose_record, &in, &synod__paxos_decided_record, &out, &reply);
    synod_buf_free (&value);
    if (status != SYNOD__EXIT_NONE)
        return status;
    print_decided (self, &out, &reply);
    fprintf (stderr, "synod: %s was chosen\n", out.own ? "the value proposed" : "another value");
    return SYNOD__EXIT_DONE;
}

static int run_get (self_t *self, const char *key)
{
    synod__paxos_get_t in = {.key = synod_str (key)};
    synod__paxos_decided_t out = {0};
    synod_reply_t reply = {0};
    int status = check_key (self, key);
    if (status == SYNOD__EXIT_NONE)
        status = ask (self, self->at, &synod__paxos_get_record, &in, &synod__paxos_decided_record, &out, &reply);
    if (status != SYNOD__EXIT_NONE)
        return status;
    return print_decided (self, &out, &reply);
}

/* ---- status: of the one asked, then of all that its set names ---- */

typedef struct {
    char node[SYNOD_NAME_MAX + 1];
    char store[SYNOD__PAXOS_STORE_SIZE]; /* that the set names */
} row_t;

static const char *state_of (const row_t *row, const synod__paxos_status_is_t *in)
{
    bool same = in->store.size == sizeof row->store && memcmp (in->store.data, row->store, sizeof row->store) == 0;
    if (!same)
        return "wiped";
    if (in->trouble.size)
        return "refused";
    return in->begun ? "accepts" : in->acceptors.count ? "unfinished" : "empty";
}

static void print_row (const self_t *self, const row_t *row, const synod_reply_t *reply)
{
    synod__paxos_status_is_t in = {0};
    if (reply->code != SYNOD_OK || synod_record_unpack (&synod__paxos_status_is_record, reply->body, &in, NULL)) {
        if (self->json)
            printf ("{\"node\":\"%s\",\"error\":\"%s\"}\n", row->node, synod_error_name (reply->code));
        else
            printf ("%-16s %-10s (%s)\n", row->node, "?", synod_error_meaning (reply->code));
        return;
    }
    if (self->json) {
        print_json (reply->body);
        return;
    }
    printf ("%-16s %-10s ", row->node, state_of (row, &in));
    print_id (in.store);
    printf (" %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %6" PRIu64 " %8" PRIu64 "\n", in.round, in.keys, in.chosen,
            in.efforts, in.refused);
}

static int show (self_t *self, const row_t *rows, uint32_t count)
{
    int status = SYNOD__EXIT_DONE;
    char to[2 * SYNOD_NAME_MAX + 2];
    if (!self->json)
        printf ("%-16s %-10s %-32s %8s %8s %8s %6s %8s\n", "NODE", "STATE", "STORE", "ROUND", "KEYS", "CHOSEN", "BUSY",
                "REFUSED");
    for (uint32_t i = 0; i < count; i++) { /* all at once would come in any order */
        synod_reply_t reply = {0};
        snprintf (to, sizeof to, "%.*s/" ACTOR, SYNOD_NAME_MAX, rows[i].node);
        reply.code = synod_handle_ask (self->handle, to, &synod__paxos_status_record, &(synod__paxos_status_t){0},
                                       (int) self->join.timeout_ms, &reply);
        print_row (self, &rows[i], &reply);
        if (reply.code != SYNOD_OK)
            status = synod__exit_code (reply.code);
    }
    return status;
}

/* What comes from a peer is checked before it is printed, or asked. */
static int add_row (row_t *rows, uint32_t *count, synod_str_t node, synod_str_t store)
{
    if (*count == ACCEPTORS_MAX || !synod__name_ok (node, false) || store.size != SYNOD__PAXOS_STORE_SIZE)
        return synod__fail (SYNOD_BAD_REQUEST, "expected up to 15 acceptors with the id of a store each");
    row_t *row = &rows[(*count)++];
    memcpy (row->node, node.data, node.size);
    memcpy (row->store, store.data, store.size);
    return SYNOD__EXIT_NONE;
}

static int run_status (self_t *self)
{
    synod__paxos_status_is_t in = {0};
    synod__paxos_acceptor_t one = {0};
    synod_reply_t reply = {0};
    row_t rows[ACCEPTORS_MAX] = {{{0}, {0}}};
    uint32_t count = 0;
    int status = ask (self, self->at, &synod__paxos_status_record, &(synod__paxos_status_t){0},
                      &synod__paxos_status_is_record, &in, &reply);
    if (status != SYNOD__EXIT_NONE)
        return status;
    if (in.acceptors.count == 0) /* it knows of itself alone */
        status = add_row (rows, &count, in.node, in.store);
    while (status == SYNOD__EXIT_NONE && synod_list_next (&in.acceptors, &synod__paxos_acceptor_record, &one))
        status = add_row (rows, &count, one.node, one.store);
    return status == SYNOD__EXIT_NONE ? show (self, rows, count) : status;
}

/* ---- the command ---- */

static int run (self_t *self)
{
    static const struct {
        const char *verb, *takes;
        int min, max;
    } verbs[] = {{"init", "init A1,A2,A3", 1, 1},
                 {"propose", "propose KEY [VALUE]", 1, 2},
                 {"get", "get KEY", 1, 1},
                 {"status", "status", 0, 0}};
    const char *verb = self->command->words[0];
    const char *const *words = self->command->words + 1;
    int nwords = self->command->nwords - 1;
    size_t which = 0;
    while (which < sizeof verbs / sizeof verbs[0] && strcmp (verb, verbs[which].verb) != 0)
        which++;
    if (which == sizeof verbs / sizeof verbs[0])
        return synod__misused (self->command, "expected init, propose, get or status, not '%s'", verb);
    if (nwords < verbs[which].min || nwords > verbs[which].max)
        return synod__misused (self->command, "expected `synod paxos %s`, got %d arguments", verbs[which].takes,
                               nwords);
    switch (which) {
    case 0:
        return run_init (self, words[0]);
    case 1:
        return run_propose (self, words[0], nwords > 1 ? words[1] : NULL);
    case 2:
        return run_get (self, words[0]);
    default:
        return run_status (self);
    }
}

int synod__tool_paxos (int argc, char **argv)
{
    self_t self = {0};
    const synod__opt_t options[] = {{"at", SYNOD__OPT_TEXT, "NODE",
                                     "ask this node (default: any that runs paxos; init: the first acceptor)",
                                     &self.at},
                                    {"json", SYNOD__OPT_FLAG, NULL, "print the answer as JSON", &self.json},
                                    {0}};
    synod__command_t command = {
        .name = "paxos",
        .synopsis = "init A1,A2,A3 | propose KEY [VALUE] | get KEY | status [OPTION]...",
        .about =
            "Decides a value once for each key, by nodes that run the actor paxos (`synod run paxos --data DIR`).\n"
            "init tells these nodes that they are the acceptors: an odd number, once for all. propose prints the\n"
            "value that was chosen, which is VALUE or another one. VALUE as @FILE is the bytes of a file, without\n"
            "VALUE (or as -) they are read from standard input. status shows each acceptor.\n",
        .options = options,
        .join = &self.join,
        .words_min = 1,
        .words_max = -1,
        .words_are = "init, propose, get or status",
    };
    self.command = &command;
    int status = synod__command_parse (&command, argc, argv);
    if (status == SYNOD__EXIT_NONE)
        status = run (&self);
    synod_handle_destroy (&self.handle);
    synod__command_free (&command);
    return status;
}
