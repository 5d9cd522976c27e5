/* SPDX-License-Identifier: MPL-2.0
 *
 * Plans carried out. A fault of a plan becomes active at its start and is over at its end, or when all is healed. What
 * the wires do at any time is what was set by hand and, on top of that, what each active fault does to them; so faults
 * may overlap, and the end of one leaves the others.
 */
#include <stdlib.h>
#include "internal.h"
#include "plan.h"

struct synod__sim_active_t {
    synod__sim_active_t *next;
    synod__sim_fault_t fault;
    uint8_t *from, *to; /* by place: 1 for those meant; NULL: all, or all others */
    uint32_t nplaces;
    bool begun, over;
};

/* ---- names ---- */

/* Marks the places of NAMES in OUT; the name that is none, or data NULL. */
static synod_str_t s_marks (const synod_sim_t *sim, const char *names, uint8_t *out)
{
    for (const char *p = names; *p;) {
        const char *end = strchrnul (p, ':');
        char name[SYNOD_NAME_MAX + 1];
        snprintf (name, sizeof name, "%.*s", (int) (end - p), p);
        int number = synod_sim_find (sim, name);
        if (number < 0 || (number == SYNOD_SIM_BROKER && sim->settings.direct))
            return synod_str_n (p, (size_t) (end - p));
        if (out)
            out[number] = 1;
        p = *end ? end + 1 : end;
    }
    return synod_str_n (NULL, 0);
}

int synod__sim_plan_names (const synod_plan_t *plan, const synod_sim_t *sim, synod_fault_t *fault)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const char *lists[] = {plan->faults[i].from, plan->faults[i].to};
        for (int side = 0; side < 2; side++) {
            if (!lists[side] || strcmp (lists[side], "*") == 0)
                continue;
            synod_str_t unknown = s_marks (sim, lists[side], NULL);
            if (unknown.data)
                return synod_fault (fault, SYNOD_NOT_FOUND,
                                    "fault %u of the plan names %.*s, and the world has no such node", i + 1,
                                    SYNOD_STR (unknown));
        }
        const char *from = plan->faults[i].from;
        synod__sim_fault_kind_t kind = plan->faults[i].kind;
        if (from && strcmp (from, SYNOD_BROKER) == 0 &&
            (kind == SYNOD__SIM_WIPE || kind == SYNOD__SIM_FULL || kind == SYNOD__SIM_SKEW ||
             plan->faults[i].more >= 0) &&
            kind >= SYNOD__SIM_CRASH)
            return synod_fault (fault, SYNOD_INVALID, "fault %u of the plan: %s needs a node, and not the broker",
                                i + 1, synod__sim_kinds[kind].name);
    }
    return SYNOD_OK;
}

/* ---- wires ---- */

static bool s_meant (const uint8_t *marks, const synod__sim_active_t *active, uint32_t place)
{
    return marks && place < active->nplaces && marks[place];
}

static uint32_t s_most (uint32_t a, int64_t b)
{
    return (int64_t) a > b ? a : (uint32_t) b;
}

static void s_on_path (const synod__sim_fault_t *fault, synod__sim_path_t *path)
{
    synod_sim_wire_t *wire = &path->wire;
    switch (fault->kind) {
    case SYNOD__SIM_LOSS:
        wire->loss_ppm = s_most (wire->loss_ppm, fault->value);
        break;
    case SYNOD__SIM_DUP:
        wire->dup_ppm = s_most (wire->dup_ppm, fault->value);
        break;
    case SYNOD__SIM_REORDER:
        wire->reorder_ppm = s_most (wire->reorder_ppm, fault->value);
        break;
    case SYNOD__SIM_DELAY:
        wire->delay_min_us = (uint32_t) fault->value;
        wire->delay_mean_us = (uint32_t) fault->more;
        break;
    case SYNOD__SIM_SLOW:
        wire->delay_min_us += (uint32_t) fault->value;
        wire->delay_mean_us += (uint32_t) fault->value;
        break;
    default:
        path->cut = true;
        break;
    }
}

static void s_on_wires (synod_sim_t *self, const synod__sim_active_t *active)
{
    const synod__sim_fault_t *fault = &active->fault;
    bool sides = fault->kind == SYNOD__SIM_PARTITION || fault->kind == SYNOD__SIM_ONEWAY;
    for (uint32_t from = 0; from < self->nplaces; from++)
        for (uint32_t to = 0; to < self->nplaces; to++) {
            bool out = !active->from || s_meant (active->from, active, from);
            bool in = active->to ? s_meant (active->to, active, to) : !sides || !s_meant (active->from, active, to);
            if (from != to && out && in) {
                s_on_path (fault, &self->places[from]->paths[to]);
                if (fault->kind == SYNOD__SIM_PARTITION)
                    s_on_path (fault, &self->places[to]->paths[from]);
            }
        }
}

void synod__sim_faults_apply (synod_sim_t *self)
{
    synod__sim_paths_reset (self);
    for (const synod__sim_active_t *active = self->active; active; active = active->next)
        if (active->begun && !active->over && active->fault.kind <= SYNOD__SIM_ONEWAY)
            s_on_wires (self, active);
    self->unconnected = true; /* what was cut may connect again */
    synod__sim_connect_all (self);
}

/* ---- nodes ---- */

static void s_reset (synod_sim_t *self, const synod__sim_active_t *active)
{
    for (uint32_t a = 0; a < self->nplaces; a++)
        for (uint32_t b = 0; b < self->nplaces; b++)
            if (a != b && s_meant (active->from, active, a) && (!active->to || s_meant (active->to, active, b)))
                synod_sim_disconnect (self, (int) a, (int) b);
}

/* A node that is down already, or again, is no error here. */
static void s_begin_at (synod_sim_t *self, const synod__sim_fault_t *fault, int node)
{
    bool up = self->places[node]->alive;
    switch (fault->kind) {
    case SYNOD__SIM_CRASH:
    case SYNOD__SIM_WIPE:
        if (up && fault->more >= 0 && node != SYNOD_SIM_BROKER)
            synod_sim_crash_after (self, node, (uint32_t) fault->more);
        else if (up)
            synod_sim_crash (self, node);
        break;
    case SYNOD__SIM_FULL:
        synod_sim_disk_fails (self, node);
        break;
    case SYNOD__SIM_PAUSE:
        if (up)
            synod_sim_pause (self, node);
        break;
    case SYNOD__SIM_SKEW:
        synod_sim_skew (self, node, (int32_t) fault->value);
        break;
    default:
        break;
    }
}

static void s_again (synod_sim_t *self, int node)
{
    synod__sim_place_t *place = self->places[node];
    place->crash_in = UINT32_MAX;
    place->disk_fails = false;
    if (!place->alive && (place->failed || place->ended.code != SYNOD_OK))
        synod_sim_start (self, node);
}

static void s_end_at (synod_sim_t *self, const synod__sim_fault_t *fault, int node)
{
    if (fault->kind == SYNOD__SIM_WIPE && !self->places[node]->alive)
        synod_sim_wipe (self, node);
    if (fault->kind == SYNOD__SIM_PAUSE)
        synod_sim_resume (self, node);
    else if (fault->kind == SYNOD__SIM_SKEW)
        synod_sim_skew (self, node, 0);
    else if (fault->kind >= SYNOD__SIM_CRASH)
        s_again (self, node);
}

static void s_note (synod_sim_t *self, const synod__sim_active_t *active, const char *what)
{
    synod_buf_t text = {0};
    synod_plan_t plan = {(synod__sim_fault_t *) &active->fault, 1, 1};
    if (synod_plan_print (&plan, &text) == SYNOD_OK)
        synod__sim_note (self, "fault %s: %s", what, text.data);
    synod_buf_free (&text);
}

static void s_begin (synod_sim_t *self, void *arg)
{
    synod__sim_active_t *active = (synod__sim_active_t *) arg;
    if (active->over)
        return;
    active->begun = true;
    s_note (self, active, "begins");
    if (active->fault.kind <= SYNOD__SIM_ONEWAY)
        synod__sim_faults_apply (self);
    else if (active->fault.kind == SYNOD__SIM_RESET)
        s_reset (self, active);
    else
        for (uint32_t i = 0; i < active->nplaces; i++)
            if (s_meant (active->from, active, i))
                s_begin_at (self, &active->fault, (int) i);
}

static void s_end (synod_sim_t *self, void *arg)
{
    synod__sim_active_t *active = (synod__sim_active_t *) arg;
    if (active->over)
        return;
    active->over = true;
    s_note (self, active, "ends");
    if (active->fault.kind <= SYNOD__SIM_ONEWAY)
        synod__sim_faults_apply (self);
    else
        for (uint32_t i = 0; i < active->nplaces; i++)
            if (s_meant (active->from, active, i))
                s_end_at (self, &active->fault, (int) i);
}

/* ---- injecting, healing ---- */

static uint8_t *s_mark (const synod_sim_t *self, const char *names)
{
    if (!names)
        return NULL;
    uint8_t *marks = (uint8_t *) synod__alloc (self->nplaces);
    s_marks (self, names, marks);
    return marks;
}

static void s_inject (synod_sim_t *self, const synod__sim_fault_t *fault)
{
    synod__sim_active_t *active = (synod__sim_active_t *) synod__alloc (sizeof *active);
    synod_plan_t copy = {0};
    synod__sim_plan_add (&copy, fault);
    active->fault = copy.faults[0];
    free (copy.faults);
    active->from = s_mark (self, fault->from);
    active->to = s_mark (self, fault->to);
    active->nplaces = self->nplaces;
    synod__sim_active_t **at = &self->active;
    while (*at)
        at = &(*at)->next;
    *at = active;
    if (fault->start_us == 0)
        s_begin (self, active);
    else
        synod_sim_after (self, fault->start_us, s_begin, active);
    if (fault->length_us)
        synod_sim_after (self, fault->start_us + fault->length_us, s_end, active);
}

int synod_sim_inject (synod_sim_t *self, const synod_plan_t *plan)
{
    synod_fault_t fault = {0};
    if (self->ended)
        return synod__sim_fault (self, SYNOD_INVALID, "the world has ended: no fault can befall it");
    synod_plan_t *drawn = synod_plan_draw (plan, self, synod__sim_next (&self->faults), 60000, &fault);
    if (!drawn)
        return synod__sim_fault (self, fault.code, "%s", fault.text);
    self->healed = false;
    for (uint32_t i = 0; i < drawn->count; i++)
        s_inject (self, &drawn->faults[i]);
    synod_plan_destroy (&drawn);
    return SYNOD_OK;
}

int synod_sim_inject_text (synod_sim_t *self, const char *text)
{
    synod_fault_t fault = {0};
    synod_plan_t *plan = synod_plan_parse (text, &fault);
    if (!plan)
        return synod__sim_fault (self, fault.code, "%s", fault.text);
    int rc = synod_sim_inject (self, plan);
    synod_plan_destroy (&plan);
    return rc;
}

int synod_sim_heal (synod_sim_t *self)
{
    int rc = SYNOD_OK;
    if (self->ended)
        return synod__sim_fault (self, SYNOD_INVALID, "the world has ended: nothing can be healed");
    synod__sim_note (self, "all is healed");
    self->healed = true;
    for (synod__sim_active_t *active = self->active; active; active = active->next)
        active->over = true;
    for (uint32_t i = 0; i < self->nplaces; i++)
        for (uint32_t to = 0; to < self->nplaces; to++)
            self->places[i]->paths[to].cut_by_hand = false;
    synod__sim_faults_apply (self);
    synod__sim_disturbed_break (self);
    for (uint32_t i = 0; i < self->nplaces; i++) {
        synod__sim_place_t *place = self->places[i];
        if (place->clock_ppm)
            synod_sim_skew (self, (int) i, 0);
        if (place->paused)
            synod_sim_resume (self, (int) i);
        s_again (self, (int) i);
        if (!place->alive && place->failed && rc == SYNOD_OK)
            rc = synod__sim_fault (self, SYNOD_FAILED, "%s cannot be started again: %s", place->name, self->error.text);
    }
    return rc;
}

bool synod_sim_healed (const synod_sim_t *self)
{
    return self->healed;
}

void synod__sim_faults_free (synod_sim_t *self)
{
    while (self->active) {
        synod__sim_active_t *active = self->active;
        self->active = active->next;
        free (active->fault.from);
        free (active->fault.to);
        free (active->from);
        free (active->to);
        free (active);
    }
}
