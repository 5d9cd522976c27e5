/* SPDX-License-Identifier: MPL-2.0
 *
 * From a plan that fails to a short one that does: first fewer faults, by delta debugging (ddmin of Zeller and
 * Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), then shorter and weaker ones. The last plan
 * that failed is kept throughout, so the result always fails.
 */
#include "internal.h"
#include "plan.h"

#define S_LEAST_US  1000 /* no fault is made shorter */
#define S_LEAST_PPM 1000 /* or weaker */

typedef struct {
    synod_plan_t *plan; /* the shortest that failed */
    synod_plan_fails_t *fails;
    void *arg;
    uint32_t runs; /* left */
} s_shrink_t;

/* Takes PLAN, and keeps it if it fails. */
static bool s_try (s_shrink_t *self, synod_plan_t *plan)
{
    bool fails = self->runs && self->fails (self->arg, plan);
    if (self->runs)
        self->runs--;
    if (fails) {
        synod_plan_t *old = self->plan;
        self->plan = plan;
        plan = old;
    }
    synod_plan_destroy (&plan);
    return fails;
}

/* The plan without faults FROM to UNTIL. */
static synod_plan_t *s_without (const synod_plan_t *plan, uint32_t from, uint32_t until)
{
    synod_plan_t *rest = synod_plan_copy (NULL);
    for (uint32_t i = 0; i < plan->count; i++)
        if (i < from || i >= until)
            synod__sim_plan_add (rest, &plan->faults[i]);
    return rest;
}

static void s_fewer (s_shrink_t *self)
{
    uint32_t parts = 2;
    if (self->plan->count && s_try (self, synod_plan_copy (NULL)))
        return; /* it fails without any */
    while (self->plan->count > 1 && self->runs) {
        uint32_t count = self->plan->count;
        bool less = false;
        for (uint32_t i = 0; i < parts && !less; i++) {
            uint32_t from = count * i / parts, until = count * (i + 1) / parts;
            less = from < until && until - from < count && s_try (self, s_without (self->plan, from, until));
        }
        if (less)
            parts = parts > 2 ? parts - 1 : 2;
        else if (parts >= count)
            break;
        else
            parts = parts * 2 < count ? parts * 2 : count;
    }
}

static bool s_half (s_shrink_t *self, uint32_t at, bool length)
{
    synod_plan_t *plan = synod_plan_copy (self->plan);
    synod__sim_fault_t *fault = &plan->faults[at];
    int64_t *value = length ? &fault->length_us : &fault->value;
    int64_t unit = length ? S_LEAST_US : S_LEAST_PPM;
    int64_t half = *value / 2 / unit * unit;
    if (half == *value || half < unit) {
        synod_plan_destroy (&plan);
        return false;
    }
    *value = half;
    return s_try (self, plan);
}

static void s_shorter (s_shrink_t *self)
{
    for (uint32_t i = 0; i < self->plan->count; i++) {
        while (self->runs && s_half (self, i, true))
            ;
        while (self->runs && self->plan->faults[i].kind <= SYNOD__SIM_REORDER && s_half (self, i, false))
            ;
    }
}

synod_plan_t *synod_plan_shrink (const synod_plan_t *self, synod_plan_fails_t *fails, void *arg, uint32_t runs)
{
    if (!fails (arg, self))
        return NULL;
    s_shrink_t shrink = {.plan = synod_plan_copy (self), .fails = fails, .arg = arg, .runs = runs};
    s_fewer (&shrink);
    s_shorter (&shrink);
    return shrink.plan;
}
