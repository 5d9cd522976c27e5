/* SPDX-License-Identifier: MPL-2.0
 *
 * The main function of a program that runs a node: `synod run`, and whatever says synod_main.
 */
#ifndef SYNOD_BUS_MAIN_H_INCLUDED
#define SYNOD_BUS_MAIN_H_INCLUDED

#include <synod/node.h>

typedef struct {
    const char *name;                   /* of the program, or of the subcommand */
    bool alone;                         /* it is a program, and runs all of TYPES; else its words say what it runs */
    const char *synopsis;               /* what follows the name */
    const char *about;                  /* for --help; ends in a newline */
    const synod_actor_t *const *types;  /* what it knows by name; NULL-terminated */
    void (*notify) (const char *state); /* told "READY=1" and "STOPPING=1", as sd_notify takes them; may be NULL */
} synod__program_t;

/* Parses, joins, runs until a signal or the end of the node; returns the exit code. It takes the process's SIGINT and
 * SIGTERM for itself: call it from main, before any thread is started. */
int synod__program_run (const synod__program_t *self, int argc, char **argv);

#endif
