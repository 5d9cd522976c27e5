/* SPDX-License-Identifier: MPL-2.0
 *
 * What the subcommands of `synod` share: exit codes, options, bodies from the command line, printing.
 * Data goes to stdout, everything else to stderr as `synod: CODE: SENTENCE`.
 */
#ifndef SYNOD_TOOLS_TOOL_H_INCLUDED
#define SYNOD_TOOLS_TOOL_H_INCLUDED

#include <stdio.h>
#include <synod/synod.h>

/* exit codes */
enum {
    SYNOD__EXIT_DONE = 0,
    SYNOD__EXIT_ERROR = 1,  /* the answer was an error, or something failed */
    SYNOD__EXIT_USAGE = 2,  /* wrong usage */
    SYNOD__EXIT_NOBODY = 3, /* nothing there to answer, or timed out */
    SYNOD__EXIT_NONE = -1   /* not yet: go on */
};

/* ---- subcommands: ARGV[0] is the subcommand's own name; they return the exit code ---- */
int synod__tool_broker (int argc, char **argv);
int synod__tool_bench (int argc, char **argv);
int synod__tool_run (int argc, char **argv);
int synod__tool_ask (int argc, char **argv);
int synod__tool_tell (int argc, char **argv);
int synod__tool_pub (int argc, char **argv);
int synod__tool_sub (int argc, char **argv);
int synod__tool_ls (int argc, char **argv);
int synod__tool_sniff (int argc, char **argv);

/* ---- options ---- */

/* Texts given by an option that may be repeated; borrowed from argv. */
typedef struct {
    const char **text; /* NULL-terminated when count > 0 */
    int *after;        /* how many words stood before each */
    int count;
} synod__texts_t;

typedef enum {
    SYNOD__OPT_FLAG,  /* bool */
    SYNOD__OPT_TEXT,  /* const char * */
    SYNOD__OPT_TEXTS, /* synod__texts_t */
    SYNOD__OPT_MS,    /* uint32_t, from 250ms, 5s, 2m, 1h */
    SYNOD__OPT_COUNT, /* uint64_t, 1 or more */
    SYNOD__OPT_PORT   /* uint16_t, 1 or more */
} synod__opt_kind_t;

typedef struct {
    const char *name; /* without the dashes; NULL ends a table */
    synod__opt_kind_t kind;
    const char *value; /* what the value is called in the help; NULL for a flag */
    const char *help;
    void *to; /* where it goes, by kind */
} synod__opt_t;

/* What every subcommand that joins a bus takes. */
typedef struct {
    synod_options_t options;
    synod__texts_t peers;
    uint32_t timeout_ms; /* of the whole command, or of one answer */
} synod__join_t;

/* A command line: what is expected, and after parsing what came. */
typedef struct {
    const char *name;     /* the subcommand */
    const char *synopsis; /* what follows the name */
    const char *about;    /* the text under it; ends in a newline */
    const synod__opt_t *options;
    synod__join_t *join; /* NULL: the subcommand joins no bus */
    int words_min;
    int words_max;         /* -1: any number */
    const char *words_are; /* for the error when their number is wrong */
    const char **words;
    int nwords;
} synod__command_t;

/* Parses ARGV; answers --help and --version. SYNOD__EXIT_NONE to go on, else the exit code. Borrows ARGV for as long
 * as SELF is used; SELF is freed with synod__command_free in every case. */
int synod__command_parse (synod__command_t *self, int argc, char **argv);
void synod__command_free (synod__command_t *self);

/* Says what is wrong with the command line, and where help is; returns SYNOD__EXIT_USAGE. */
int synod__misused (const synod__command_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* 250ms, 5s, 2m, 1h; false when TEXT is none, or over an hour times a thousand. */
bool synod__parse_ms (const char *text, uint32_t *ms);

/* ---- errors ---- */

/* The exit code of an error. */
int synod__exit_code (int code);
/* Prints `synod: CODE: SENTENCE`, returns the exit code. */
int synod__fail (int code, const char *sentence);

/* ---- joining ---- */

/* A handle that has joined, or NULL: then *STATUS is the exit code and the reason has been printed. */
synod_handle_t *synod__join (const synod__join_t *join, int *status);
/* Prints why joining failed, returns the exit code. */
int synod__join_failed (const synod_fault_t *fault);
/* Without a broker: waits until somebody is at ADDRESS. SYNOD_OK, or the error, which has been printed. */
int synod__await (synod_handle_t *handle, const synod__join_t *join, const char *address);

/* Until a SIGINT or SIGTERM has come, false. synod__signals_catch makes them set it. */
void synod__signals_catch (void);
bool synod__signalled (void);

/* ---- bodies ---- */

/* Packs the map that WORDS (key=text, key=@FILE, key:=json, key:=@FILE) describe. A sentence in FAULT. */
int synod__body_from_words (const char **words, int nwords, synod_buf_t *body, synod_fault_t *fault);
/* The same for WORDS of the form key=value, where RECORD says what type each key has. */
int synod__body_from_settings (const char **words, int nwords, const synod_record_t *record, synod_buf_t *body,
                               synod_fault_t *fault);
/* True when RECORD has the field that the setting (key=value) names. */
bool synod__setting_fits (const synod_record_t *record, const char *setting);

/* Prints BODY as JSON; nothing there is `null`. */
void synod__print_body (FILE *out, synod_str_t body);
/* Prints TEXT as a JSON string; what is no UTF-8 becomes `?`. */
void synod__print_text (FILE *out, synod_str_t text);

/* ---- actor types ---- */

/* Adds the actors that WORD names (a built-in type, ./lib.so or ./lib.so:NAME) to NODE, with those of the SETTINGS
 * (key=value) that each takes; a setting that none takes is an error. A sentence in FAULT. */
int synod__types_add (synod_node_t *node, const char *word, const char **settings, int nsettings, synod_fault_t *fault);

#endif
