/* SPDX-License-Identifier: MPL-2.0
 *
 * synod_main: main () of a program that runs one actor. Its command line is that of `synod run` without the type.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <synod/synod.h>
#include "protocol/record_set.h"
#include "serve.h"

/* exit codes */
enum { S_DONE = 0, S_ERROR = 1, S_USAGE = 2, S_NOBODY = 3, S_GO_ON = -1 };

enum {
    S_BUS = 256,
    S_DIRECT,
    S_LISTEN,
    S_PEER,
    S_BEACON,
    S_NODE,
    S_SET,
    S_DRAIN,
    S_HEARTBEAT,
    S_TIMEOUT,
    S_HELP = 'h',
    S_VERSION = 'V'
};

static const struct {
    struct option option;
    const char *value; /* what it is called in the help; NULL: a flag */
    const char *help;
} s_table[] = {
    {{"bus", required_argument, NULL, S_BUS}, "ENDPOINT", "the broker (default $SYNOD_BUS, else tcp://127.0.0.1:5570)"},
    {{"direct", no_argument, NULL, S_DIRECT}, NULL, "join without a broker; so do the next three"},
    {{"listen", required_argument, NULL, S_LISTEN}, "ENDPOINT", "where to take frames (default tcp://127.0.0.1:*)"},
    {{"peer", required_argument, NULL, S_PEER}, "ENDPOINT", "another node; may be repeated"},
    {{"beacon", required_argument, NULL, S_BEACON}, "PORT", "find others by UDP beacons on this port"},
    {{"node", required_argument, NULL, S_NODE}, "NAME", "the node's name (default: made up, unique)"},
    {{"set", required_argument, NULL, S_SET}, "KEY=VALUE", "an argument of the actor"},
    {{"drain", required_argument, NULL, S_DRAIN}, "TIME", "how long stopping may take (default 5s)"},
    {{"heartbeat", required_argument, NULL, S_HEARTBEAT}, "TIME", "how often it says that it is alive (default 1s)"},
    {{"timeout", required_argument, NULL, S_TIMEOUT}, "TIME", "how long joining may take (default 5s)"},
    {{"help", no_argument, NULL, S_HELP}, NULL, "show this text"},
    {{"version", no_argument, NULL, S_VERSION}, NULL, "show the version"},
};
#define S_OPTIONS (sizeof s_table / sizeof s_table[0])

typedef struct {
    const char *program; /* its name, for messages */
    const synod_actor_t *type;
    synod_options_t options;
    const char **peers; /* NULL-terminated, of argv */
    size_t npeers;
    void *args;  /* a record of type->args; borrows argv */
    bool *given; /* by field: it has been set */
} s_run_t;

/* ---- messages ---- */

static int s_misused (const s_run_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

static int s_misused (const s_run_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fprintf (stderr, "%s: ", self->program);
    vfprintf (stderr, format, args);
    fprintf (stderr, "\ntry: %s --help\n", self->program);
    va_end (args);
    return S_USAGE;
}

static int s_fail (const s_run_t *self, const synod_fault_t *fault)
{
    fprintf (stderr, "%s: %s: %s\n", self->program, synod_error_name (fault->code),
             fault->text[0] ? fault->text : synod_error_meaning (fault->code));
    switch (fault->code) {
    case SYNOD_INVALID:
    case SYNOD_BAD_ADDRESS:
        return S_USAGE;
    case SYNOD_NO_ROUTE:
    case SYNOD_NODE_DOWN:
    case SYNOD_TIMEOUT:
        return S_NOBODY;
    default:
        return S_ERROR;
    }
}

static int s_help (const s_run_t *self)
{
    const synod_record_t *args = self->type->args;
    printf ("usage: %s [--set KEY=VALUE]... [OPTION]...\n\n", self->program);
    printf ("Runs the actor %s%s%s on a node until a SIGINT or SIGTERM: the node is taken out of the directory,\n"
            "answers what it has, and ends; a second signal ends it at once. Says `ready NODE` on stderr when it has\n"
            "joined.\n\nOptions:\n",
            self->type->name, self->type->doc ? ", " : "", self->type->doc ? self->type->doc : "");
    for (size_t i = 0; i < S_OPTIONS; i++) {
        char left[64];
        snprintf (left, sizeof left, "--%s%s%s", s_table[i].option.name, s_table[i].value ? " " : "",
                  s_table[i].value ? s_table[i].value : "");
        printf ("  %-22s %s\n", left, s_table[i].help);
    }
    for (uint32_t i = 0; args && i < args->nfields; i++) {
        const synod_field_t *field = &args->fields ()[i];
        printf ("%s  %-22s %s%s\n", i == 0 ? "\nWhat --set takes:\n" : "", field->name, field->doc,
                field->optional ? "" : " (must be set)");
    }
    puts ("\nExit: 0 done, 1 it failed, 2 wrong usage, 3 nothing there to join or timed out.");
    return S_DONE;
}

/* ---- values ---- */

/* A whole number from 1 to MOST; TEXT's rest in REST. */
static bool s_number (const char *text, uint64_t most, uint64_t *number, const char **rest)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = *text >= '0' && *text <= '9' ? strtoull (text, &end, 10) : 0;
    if (errno || value == 0 || value > most)
        return false;
    *number = value;
    *rest = end;
    return true;
}

static bool s_time (const char *text, uint32_t *ms)
{
    static const struct {
        const char *name;
        uint32_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    uint64_t number;
    const char *rest;
    if (!s_number (text, INT32_MAX, &number, &rest))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp (rest, units[i].name) == 0 && number <= INT32_MAX / units[i].ms) {
            *ms = (uint32_t) number * units[i].ms;
            return true;
        }
    return false;
}

static int s_take_time (const s_run_t *self, const char *name, const char *text, uint32_t *ms)
{
    if (s_time (text, ms))
        return S_GO_ON;
    return s_misused (self, "--%s takes a time as in 250ms, 5s or 2m, not '%s'", name, text);
}

static int s_set (s_run_t *self, const char *text)
{
    const synod_record_t *args = self->type->args;
    const char *equals = strchr (text, '=');
    synod_fault_t fault = {0};
    char key[SYNOD_NAME_MAX + 1];
    if (!equals)
        return s_misused (self, "--set takes key=value, not '%s'", text);
    if (!args)
        return s_misused (self, "--set %s: the actor %s takes no settings", text, self->type->name);
    snprintf (key, sizeof key, "%.*s", (int) (equals - text), text);
    if (synod__record_set (args, self->args, key, equals + 1, &fault) != SYNOD_OK)
        return s_misused (self, "--set %s: %s", text, fault.text);
    for (uint32_t i = 0; i < args->nfields; i++)
        self->given[i] |= strcmp (args->fields ()[i].name, key) == 0;
    return S_GO_ON;
}

/* ---- the command line ---- */

static int s_option (s_run_t *self, int found, const char *value)
{
    uint64_t number;
    const char *rest;
    switch (found) {
    case S_BUS:
        self->options.bus = value;
        return S_GO_ON;
    case S_DIRECT:
        self->options.direct = true;
        return S_GO_ON;
    case S_LISTEN:
        self->options.listen = value;
        return S_GO_ON;
    case S_PEER:
        self->peers[self->npeers++] = value;
        self->options.peers = self->peers;
        return S_GO_ON;
    case S_BEACON:
        if (!s_number (value, UINT16_MAX, &number, &rest) || *rest)
            return s_misused (self, "--beacon takes a port, 1 to 65535, not '%s'", value);
        self->options.beacon = (uint16_t) number;
        return S_GO_ON;
    case S_NODE:
        self->options.name = value;
        return S_GO_ON;
    case S_SET:
        return s_set (self, value);
    case S_DRAIN:
        return s_take_time (self, "drain", value, &self->options.drain_ms);
    case S_HEARTBEAT:
        return s_take_time (self, "heartbeat", value, &self->options.heartbeat_ms);
    case S_TIMEOUT:
        return s_take_time (self, "timeout", value, &self->options.connect_ms);
    case S_HELP:
        return s_help (self);
    default:
        printf ("synod %s\n", synod_version ());
        return S_DONE;
    }
}

/* What was given as a whole. */
static int s_check (s_run_t *self)
{
    synod_options_t *options = &self->options;
    const synod_record_t *args = self->type->args;
    options->direct = options->direct || options->listen || options->peers || options->beacon;
    if (options->direct && options->bus)
        return s_misused (self, "--bus names a broker; --direct, --listen, --peer and --beacon are without one");
    for (uint32_t i = 0; args && i < args->nfields; i++) {
        const synod_field_t *field = &args->fields ()[i];
        if (!field->optional && !self->given[i])
            return s_misused (self, "--set %s=... is missing: %s", field->name, field->doc);
    }
    return S_GO_ON;
}

static int s_parse (s_run_t *self, int argc, char **argv)
{
    struct option options[S_OPTIONS + 1] = {{0}};
    for (size_t i = 0; i < S_OPTIONS; i++)
        options[i] = s_table[i].option;
    optind = 0; /* a fresh start, for glibc */
    opterr = 0;
    for (;;) {
        int at = optind ? optind : 1;
        int found = getopt_long (argc, argv, "+:hV", options, NULL);
        if (found == -1)
            break;
        if (found == ':')
            return s_misused (self, "%s takes a value", argv[at]);
        if (found == '?')
            return s_misused (self, optopt >= S_BUS ? "%s takes no value" : "there is no option %s", argv[at]);
        int status = s_option (self, found, optarg);
        if (status != S_GO_ON)
            return status;
    }
    if (optind < argc)
        return s_misused (self, "expected options alone, got '%s'", argv[optind]);
    return s_check (self);
}

static int s_serve (s_run_t *self)
{
    synod_fault_t fault = {0};
    int signals = synod__signals_open ();
    if (signals < 0) {
        synod_fault (&fault, SYNOD_IO, "cannot take signals: %s", strerror (errno));
        return s_fail (self, &fault);
    }
    synod_node_t *node = synod_node_new (&self->options, &fault);
    int rc = node ? synod_node_add (node, self->type, self->args, &fault) : fault.code;
    if (rc == SYNOD_OK)
        rc = synod_node_start (node, &fault);
    if (rc == SYNOD_OK) {
        fprintf (stderr, "ready %s\n", synod_node_name (node));
        rc = synod__serve (node, signals, &fault);
    }
    synod_node_destroy (&node);
    close (signals);
    return rc == SYNOD_OK ? S_DONE : s_fail (self, &fault);
}

int synod_main (int argc, char **argv, const synod_actor_t *type)
{
    const char *slash = argc > 0 ? strrchr (argv[0], '/') : NULL;
    s_run_t self = {.program = slash ? slash + 1 : argc > 0 ? argv[0] : "synod", .type = type};
    self.peers = (const char **) calloc ((size_t) argc + 1, sizeof *self.peers);
    self.args = type->args ? calloc (1, type->args->size) : NULL;
    self.given = type->args ? (bool *) calloc (type->args->nfields + 1, sizeof *self.given) : NULL;
    int status;
    if (!self.peers || (type->args && (!self.args || !self.given))) {
        synod_fault_t fault = {.code = SYNOD_NO_MEMORY};
        status = s_fail (&self, &fault);
    } else
        status = s_parse (&self, argc, argv);
    if (status == S_GO_ON)
        status = s_serve (&self);
    free (self.peers);
    free (self.args);
    free (self.given);
    return status;
}
