/* SPDX-License-Identifier: MPL-2.0
 *
 * Plans of faults, inside: plan.c (text), plan_draw.c (what is left open), plan_run.c (carrying out), shrink.c.
 */
#ifndef SYNOD_SIM_PLAN_H_INCLUDED
#define SYNOD_SIM_PLAN_H_INCLUDED

#include <synod/sim.h>

typedef enum {
    SYNOD__SIM_LOSS,
    SYNOD__SIM_DUP,
    SYNOD__SIM_REORDER,
    SYNOD__SIM_DELAY,
    SYNOD__SIM_SLOW,
    SYNOD__SIM_PARTITION,
    SYNOD__SIM_ONEWAY,
    SYNOD__SIM_RESET,
    SYNOD__SIM_CRASH,
    SYNOD__SIM_WIPE,
    SYNOD__SIM_FULL,
    SYNOD__SIM_PAUSE,
    SYNOD__SIM_SKEW,
    SYNOD__SIM_KINDS
} synod__sim_fault_kind_t;

/* What an item consists of, its time apart. */
typedef enum {
    SYNOD__SIM_RATE,   /* PERCENT[/FROM/TO] */
    SYNOD__SIM_TIMES,  /* MIN:MEAN[/FROM/TO] */
    SYNOD__SIM_MORE,   /* TIME[/FROM/TO] */
    SYNOD__SIM_SIDES,  /* FROM[/TO] */
    SYNOD__SIM_TO_ONE, /* NODE[:EFFECTS] */
    SYNOD__SIM_RATE_OF /* PPM/NODE */
} synod__sim_shape_t;

typedef struct {
    const char *name;
    synod__sim_shape_t shape;
    bool lasting;    /* its time left out is the whole time; else it is open */
    uint32_t weight; /* of being in a mix, in 100 */
} synod__sim_fault_kind_info_t;

extern const synod__sim_fault_kind_info_t synod__sim_kinds[SYNOD__SIM_KINDS];

#define SYNOD__SIM_OPEN INT64_MIN /* of a number: to be drawn */

typedef struct {
    synod__sim_fault_kind_t kind;
    uint32_t times;      /* how many of it; 1 once drawn */
    int64_t value, more; /* ppm, or us and us; effects in `more`, -1: at once */
    char *from, *to;     /* names with : between them, owned; NULL: all, or all others; "*": open */
    int64_t start_us;
    int64_t length_us; /* 0: to the end of all faults */
} synod__sim_fault_t;

struct synod_plan_t {
    synod__sim_fault_t *faults;
    uint32_t count, capacity;
};

/* Adds a copy of FAULT at the end. */
void synod__sim_plan_add (synod_plan_t *self, const synod__sim_fault_t *fault);
bool synod__sim_fault_open (const synod__sim_fault_t *fault); /* something is to be drawn */

#endif
