/* SPDX-License-Identifier: MPL-2.0
 *
 * Command lines and exit codes, shared by the subcommands of `synod` and by synod_main.
 */
#ifndef SYNOD_BUS_OPTIONS_H_INCLUDED
#define SYNOD_BUS_OPTIONS_H_INCLUDED

#include <synod/node.h>

/* exit codes */
enum {
    SYNOD__EXIT_DONE = 0,
    SYNOD__EXIT_ERROR = 1,  /* the answer was an error, or something failed */
    SYNOD__EXIT_USAGE = 2,  /* wrong usage */
    SYNOD__EXIT_NOBODY = 3, /* nothing there to answer, or timed out */
    SYNOD__EXIT_NONE = -1   /* not yet: go on */
};

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

/* What every program that joins a bus takes. */
typedef struct {
    synod_options_t options;
    synod__texts_t peers;
    uint32_t timeout_ms; /* of the whole command, or of one answer */
} synod__join_t;

/* A command line: what is expected, and after parsing what came. */
typedef struct {
    const char *name;     /* the subcommand, or the program */
    bool alone;           /* the program is not `synod` */
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

/* 250ms, 5s, 2m, 1h; false when TEXT is none, or out of bounds. */
bool synod__parse_ms (const char *text, uint32_t *ms);
#define SYNOD__MS_FORM "a time from 1ms to 596h, as in 250ms, 5s or 2m" /* what it expects */

/* ---- errors ---- */

/* The exit code of an error. */
int synod__exit_code (int code);
/* Prints why joining failed, returns the exit code. */
int synod__join_failed (const synod_fault_t *fault);
/* Prints `synod: CODE: SENTENCE`, returns the exit code. */
int synod__fail (int code, const char *sentence);

#endif
