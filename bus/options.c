/* SPDX-License-Identifier: MPL-2.0
 *
 * Command lines, of `synod` and of programs that say synod_main: one table of options each, and the table of those that
 * join a bus.
 * Options and words may stand in any order; an option's value may follow after a space or `=`.
 */
#include "options.h"
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <synod/synod.h>

#define OPTIONS_MAX 32

typedef struct {
    synod__opt_t all[OPTIONS_MAX]; /* the subcommand's, then the common ones */
    int count;
} table_t;

static void add (table_t *table, const synod__opt_t *option)
{
    if (table->count < OPTIONS_MAX)
        table->all[table->count++] = *option;
}

static void make_table (const synod__command_t *self, table_t *table)
{
    table->count = 0;
    for (const synod__opt_t *option = self->options; option && option->name; option++)
        add (table, option);
    if (self->join) {
        synod_options_t *options = &self->join->options;
        const synod__opt_t common[] = {
            {"bus", SYNOD__OPT_TEXT, "ENDPOINT", "the broker (default $SYNOD_BUS, else tcp://127.0.0.1:5570)",
             &options->bus},
            {"direct", SYNOD__OPT_FLAG, NULL, "join without a broker; so do the next three", &options->direct},
            {"listen", SYNOD__OPT_TEXT, "ENDPOINT", "where to take frames (default tcp://127.0.0.1:*)",
             &options->listen},
            {"peer", SYNOD__OPT_TEXTS, "ENDPOINT", "another node; may be repeated", &self->join->peers},
            {"beacon", SYNOD__OPT_PORT, "PORT", "find others by UDP beacons on this port", &options->beacon},
            {"node", SYNOD__OPT_TEXT, "NAME", "the name to join by (default: made up, unique)", &options->name},
            {"heartbeat", SYNOD__OPT_MS, "TIME", "between signs of life (default 1s); after three a node is dead",
             &options->heartbeat_ms},
            {"no-links", SYNOD__OPT_FLAG, NULL, "never use direct links beside the broker", &options->no_links},
            {"timeout", SYNOD__OPT_MS, "TIME", "how long to wait for the bus and for an answer (default 5s)",
             &self->join->timeout_ms},
        };
        for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
            add (table, &common[i]);
    }
}

static const char *before (const synod__command_t *self)
{
    return self->alone ? "" : "synod ";
}

static void print_option (const char *name, const char *value, const char *help)
{
    char left[64];
    snprintf (left, sizeof left, "--%s%s%s", name, value ? " " : "", value ? value : "");
    printf ("  %-22s %s\n", left, help);
}

static int help (const synod__command_t *self, const table_t *table)
{
    printf ("usage: %s%s %s\n\n%s\nOptions:\n", before (self), self->name, self->synopsis, self->about);
    for (int i = 0; i < table->count; i++)
        print_option (table->all[i].name, table->all[i].value, table->all[i].help);
    print_option ("help", NULL, "show this text");
    print_option ("version", NULL, "show the version");
    puts ("\nExit: 0 done, 1 the answer was an error, 2 wrong usage, 3 nothing there to answer or timed out.");
    return SYNOD__EXIT_DONE;
}

static int unknown_option (const synod__command_t *self, const table_t *table, const char *given)
{
    char known[512] = "";
    size_t used = 0;
    for (int i = 0; i < table->count && used < sizeof known; i++)
        used += (size_t) snprintf (known + used, sizeof known - used, "--%s, ", table->all[i].name);
    return synod__misused (self, "there is no option %s; there are %s--help and --version", given, known);
}

static int add_text (synod__texts_t *texts, const char *value, int after)
{
    size_t count = (size_t) texts->count;
    const char **text = (const char **) realloc (texts->text, (count + 2) * sizeof *text);
    if (text)
        texts->text = text;
    int *at = (int *) realloc (texts->after, (count + 1) * sizeof *at);
    if (at)
        texts->after = at;
    if (!text || !at)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the command line");
    text[count] = value;
    text[count + 1] = NULL;
    at[count] = after;
    texts->count++;
    return SYNOD__EXIT_NONE;
}

/* 1 or more, MOST at most */
static bool parse_number (const char *text, uint64_t most, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull (text, &end, 10);
    if (errno || *text < '0' || *text > '9' || *end || value == 0 || value > most)
        return false;
    *number = value;
    return true;
}

bool synod__parse_ms (const char *text, uint32_t *ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 36e5}};
    size_t digits = strspn (text, "0123456789.");
    char *end = NULL;
    double value = strtod (text, &end);
    if (digits == 0 || end != text + digits) /* strtod takes more than plain numbers */
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp (end, units[i].name) == 0) {
            value *= units[i].ms;
            if (!(value >= 1 && value <= 596 * 36e5))
                return false;
            *ms = (uint32_t) value;
            return true;
        }
    }
    return false;
}

static int take (const synod__command_t *self, const synod__opt_t *option, const char *value)
{
    uint64_t number = 0;
    switch (option->kind) {
    case SYNOD__OPT_FLAG:
        *(bool *) option->to = true;
        break;
    case SYNOD__OPT_TEXT:
        *(const char **) option->to = value;
        break;
    case SYNOD__OPT_TEXTS:
        return add_text ((synod__texts_t *) option->to, value, self->nwords);
    case SYNOD__OPT_MS:
        if (!synod__parse_ms (value, (uint32_t *) option->to))
            return synod__misused (self, "--%s takes " SYNOD__MS_FORM ", not '%s'", option->name, value);
        break;
    case SYNOD__OPT_COUNT:
        if (!parse_number (value, UINT64_MAX, &number))
            return synod__misused (self, "--%s takes a number from 1 on, not '%s'", option->name, value);
        *(uint64_t *) option->to = number;
        break;
    case SYNOD__OPT_PORT:
        if (!parse_number (value, UINT16_MAX, &number))
            return synod__misused (self, "--%s takes a port, 1 to 65535, not '%s'", option->name, value);
        *(uint16_t *) option->to = (uint16_t) number;
        break;
    }
    return SYNOD__EXIT_NONE;
}

/* What was given as a whole. */
static int check (synod__command_t *self)
{
    if (self->nwords < self->words_min || (self->words_max >= 0 && self->nwords > self->words_max))
        return synod__misused (self, "expected %s, got %d argument%s", self->words_are, self->nwords,
                               self->nwords == 1 ? "" : "s");
    if (!self->join)
        return SYNOD__EXIT_NONE;
    synod_options_t *options = &self->join->options;
    options->peers = self->join->peers.text;
    options->direct = options->direct || options->listen || options->peers || options->beacon;
    if (options->direct && options->bus)
        return synod__misused (self, "--bus names a broker; --direct, --listen, --peer and --beacon are without one");
    if (self->join->timeout_ms == 0)
        self->join->timeout_ms = SYNOD_ASK_MS;
    options->connect_ms = self->join->timeout_ms;
    return SYNOD__EXIT_NONE;
}

int synod__command_parse (synod__command_t *self, int argc, char **argv)
{
    enum { HELP = OPTIONS_MAX + 1, VERSION };
    table_t table;
    make_table (self, &table);
    struct option options[OPTIONS_MAX + 3] = {{0}};
    for (int i = 0; i < table.count; i++)
        options[i] =
            (struct option){table.all[i].name, table.all[i].value ? required_argument : no_argument, NULL, i + 2};
    options[table.count] = (struct option){"help", no_argument, NULL, HELP + 2};
    options[table.count + 1] = (struct option){"version", no_argument, NULL, VERSION + 2};

    self->nwords = 0;
    self->words = (const char **) calloc ((size_t) argc + 1, sizeof *self->words);
    if (!self->words)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the command line");
    optind = 0; /* a fresh start, for glibc */
    opterr = 0;
    for (;;) {
        int at = optind ? optind : 1;
        int found = getopt_long (argc, argv, "-:h", options, NULL); /* `-`: words come as 1, in their order */
        int status = SYNOD__EXIT_NONE;
        if (found == -1)
            break;
        if (found == 1)
            self->words[self->nwords++] = optarg;
        else if (found == HELP + 2 || found == 'h')
            return help (self, &table);
        else if (found == VERSION + 2) {
            printf ("synod %s\n", synod_version ());
            return SYNOD__EXIT_DONE;
        } else if (found == ':')
            status = synod__misused (self, "%s takes a value", argv[at]);
        else if (found == '?')
            status = optopt >= 2 && optopt < OPTIONS_MAX + 8 ? synod__misused (self, "%s takes no value", argv[at])
                                                             : unknown_option (self, &table, argv[at]);
        else
            status = take (self, &table.all[found - 2], optarg);
        if (status != SYNOD__EXIT_NONE)
            return status;
    }
    while (optind < argc) /* behind `--` */
        self->words[self->nwords++] = argv[optind++];
    return check (self);
}

void synod__command_free (synod__command_t *self)
{
    table_t table;
    make_table (self, &table);
    for (int i = 0; i < table.count; i++) {
        if (table.all[i].kind == SYNOD__OPT_TEXTS) {
            synod__texts_t *texts = (synod__texts_t *) table.all[i].to;
            free (texts->text);
            free (texts->after);
            *texts = (synod__texts_t){0};
        }
    }
    free (self->words);
    self->words = NULL;
}

int synod__misused (const synod__command_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fprintf (stderr, "%s%s: ", before (self), self->name);
    vfprintf (stderr, format, args);
    fprintf (stderr, "\ntry: %s%s --help\n", before (self), self->name);
    va_end (args);
    return SYNOD__EXIT_USAGE;
}

/* ---- errors ---- */

int synod__exit_code (int code)
{
    switch (code) {
    case SYNOD_OK:
        return SYNOD__EXIT_DONE;
    case SYNOD_NO_ROUTE:
    case SYNOD_NODE_DOWN:
    case SYNOD_TIMEOUT:
        return SYNOD__EXIT_NOBODY;
    default:
        return SYNOD__EXIT_ERROR;
    }
}

int synod__fail (int code, const char *sentence)
{
    fprintf (stderr, "synod: %s: %s\n", synod_error_name (code),
             sentence && *sentence ? sentence : synod_error_meaning (code));
    return synod__exit_code (code);
}

int synod__join_failed (const synod_fault_t *fault)
{
    int status = synod__fail (fault->code, fault->text);
    /* nothing has been asked of anybody yet: such an error is about the command line */
    return fault->code == SYNOD_INVALID || fault->code == SYNOD_BAD_ADDRESS ? SYNOD__EXIT_USAGE : status;
}
