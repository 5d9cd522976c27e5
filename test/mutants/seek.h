/* SPDX-License-Identifier: MPL-2.0
 *
 * What the proofs by planted bugs share: seeking the first seed of the simulator that shows one.
 */
#ifndef SYNOD_TEST_MUTANTS_SEEK_H_INCLUDED
#define SYNOD_TEST_MUTANTS_SEEK_H_INCLUDED

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <synod/sim.h>

#define SEEK_PLANS 4
#define SEEK_SEEDS 500

typedef struct {
    const char *name, *doc; /* DOC may be NULL */
    uint64_t seed;          /* the first one that is tried; 0: 1 */
    int part, number;       /* for the test's own plant */
} seek_bug_t;

typedef struct {
    int64_t length_ms;             /* of each world */
    bool slow;                     /* as synod_sim_options_t */
    const char *plans[SEEK_PLANS]; /* what the worlds follow, in turn; NULL: all is drawn */
    const synod_scenario_t *(*scenario) (uint64_t seed);
    void (*plant) (int bug); /* from now on that one is alive, alone; 0: none */
    const seek_bug_t *bugs;  /* from 1 to below NBUGS */
    int nbugs;
    int nknown; /* those from here on take more seeds than a test has time for: sought by name; 0: none does */
    uint64_t seeds, without; /* how many are tried with each bug, and without any; 0: SEEK_SEEDS */
} seek_t;

/* Whether SEED holds, with the faults PLAN (NULL: drawn); else TEXT is what is seen. */
bool seek_holds (const synod_scenario_t *scenario, const char *plan, uint64_t seed, const synod_sim_options_t *options,
                 char *text, size_t size);
/* The first seed that fails, with TEXT of what is seen; 0 when none does. */
uint64_t seek (const seek_t *self, char *text, size_t size);
/* Asserts that no seed fails without a bug. */
void seek_without (const seek_t *self);
/* Asserts that each bug is found, by a seed that holds without it, and prints the table: the bug, the first seed that
 * shows it, what is seen. */
void seek_each (const seek_t *self);
/* For a program's own arguments, SEEDS [NAME]: whether so many seeds from 1 on find all bugs, or the one of that name. */
bool seek_named (const seek_t *self, int argc, char **argv);

/* A whole program: without arguments the two tests of each of COUNT, else as its arguments say. Its exit status. */
int seek_main (const seek_t *const *of, size_t count, int argc, char **argv);

#endif
