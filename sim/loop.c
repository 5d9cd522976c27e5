/* SPDX-License-Identifier: MPL-2.0
 *
 * Instants. In one, all that is due happens in its order, what concerns one place in one turn of it; then the turns
 * end, in the order in which they began; then the checkers run. A place is busy for a while after its turn: what
 * arrives then waits in its inbox, as it does while the place is paused.
 */
#include <stdarg.h>
#include "internal.h"

#define S_STILL_MAX 100000 /* steps without time passing: a storm that does not end */

/* ---- turns ---- */

static void s_runs (synod_sim_t *self, synod__sim_place_t *place)
{
    self->running = place;
    self->in_runtime = place != NULL;
}

static void s_take (synod__sim_place_t *place, synod__sim_event_t *event)
{
    synod_sim_t *self = place->sim;
    synod__rt_t *rt = place->rt;
    if (place->number == SYNOD_SIM_BROKER) {
        synod__sim_broker_take (self, event);
        return;
    }
    synod__sim_link_t *link = synod__sim_link (place, event->link);
    char identity[SYNOD__IDENTITY_MAX + 1];
    synod__sim_place_t *before = self->running;
    s_runs (self, place);
    switch (event->kind) {
    case SYNOD__SIM_FRAME:
        synod__rt_frame (rt, synod__sim_identity (self, event, identity), event->data.data, event->data.size);
        break;
    case SYNOD__SIM_TOPIC:
        if (synod__sim_wants (place, event->data.data, event->data.size))
            synod__rt_topic (rt, event->data.data, event->data.size);
        break;
    case SYNOD__SIM_LINK_UP:
        if (link && link->connection == event->connection) {
            link->up = true;
            synod__rt_link_up (rt, event->link);
        }
        break;
    case SYNOD__SIM_LINK_DOWN:
        if (link)
            synod__rt_link_down (rt, event->link);
        break;
    case SYNOD__SIM_WRITABLE:
        synod__rt_writable (rt, event->link);
        break;
    case SYNOD__SIM_PUBLISHABLE:
        synod__rt_publishable (rt);
        break;
    case SYNOD__SIM_SUBSCRIBED:
        synod__rt_subscribed (rt, event->data.data, event->data.size, event->on);
        break;
    default:
        break;
    }
    s_runs (self, before);
}

void synod__sim_turn_begin (synod__sim_place_t *place)
{
    synod_sim_t *self = place->sim;
    if (place->in_turn)
        return;
    place->in_turn = true;
    self->turns = (int *) synod__grow (self->turns, &self->turns_capacity, self->nturns + 1, sizeof *self->turns);
    self->turns[self->nturns++] = place->number;
    self->stats.turns++;
    if (place->number == SYNOD_SIM_BROKER)
        synod__routing_turn_begin (self->routing, synod__sim_clock (place));
    else {
        synod__sim_place_t *before = self->running;
        s_runs (self, place);
        (place->wide ? synod__rt_turn_on : synod__rt_turn_begin) (place->rt, synod__sim_clock (place));
        place->wide = false;
        s_runs (self, before);
    }
    while (place->inbox_first) {
        synod__sim_event_t *event = place->inbox_first;
        place->inbox_first = event->next;
        if (!event->next)
            place->inbox_last = NULL;
        s_take (place, event);
        synod__sim_event_free (self, event);
    }
}

synod__sim_place_t *synod__sim_enter (synod__sim_place_t *place)
{
    synod__sim_place_t *before = place->sim->running;
    synod__sim_turn_begin (place);
    s_runs (place->sim, place);
    return before;
}

void synod__sim_leave (synod_sim_t *self, synod__sim_place_t *before)
{
    s_runs (self, before);
    if (!self->stepping && !before)
        synod__sim_turns_end (self);
}

/* WAKE events are never taken back: one whose time is not wake_us is stale. */
void synod__sim_wake (synod__sim_place_t *place)
{
    int64_t at_us = place->inbox_first ? place->busy_us : place->due_us;
    if (!place->alive || place->paused || at_us == INT64_MAX)
        return;
    if (at_us < place->busy_us)
        at_us = place->busy_us;
    if (at_us < place->sim->now_us)
        at_us = place->sim->now_us;
    if (at_us >= place->wake_us)
        return;
    synod__sim_event_t head = {.kind = SYNOD__SIM_WAKE, .to = place->number};
    place->wake_us = at_us;
    synod__sim_event (place->sim, &head, at_us);
}

/* Whether PLACE's turn goes on at some later time. */
static bool s_goes_on (synod__sim_place_t *place)
{
    synod_sim_t *self = place->sim;
    uint64_t chance = self->settings.wide_us ? synod__sim_next (&self->turning) : 0;
    if (!(chance & 1) || place->number == SYNOD_SIM_BROKER || place->dying)
        return false;
    s_runs (self, place);
    place->wide = synod__rt_turn_more (place->rt);
    s_runs (self, NULL);
    if (!place->wide || place->dying)
        return place->wide = false;
    place->in_turn = false;
    place->due_us = place->busy_us = self->now_us + 1 + (int64_t) ((chance >> 1) % self->settings.wide_us);
    synod__sim_wake (place);
    return true;
}

static void s_end (synod__sim_place_t *place)
{
    synod_sim_t *self = place->sim;
    int64_t due_us;
    if (s_goes_on (place))
        return;
    if (place->number == SYNOD_SIM_BROKER)
        due_us = synod__routing_turn_end (self->routing);
    else {
        s_runs (self, place);
        due_us = synod__rt_turn_end (place->rt);
        s_runs (self, NULL);
    }
    place->in_turn = false;
    place->due_us = synod__sim_clock_when (place, due_us);
    if (synod__sim_disk_due (place) < place->due_us)
        place->due_us = synod__sim_disk_due (place);
    place->busy_us = self->now_us + self->settings.turn_us;
    if (place->dying)
        synod__sim_node_dies (place, true);
    else if (place->rt && synod__rt_state (place->rt) == SYNOD__RT_ENDED)
        synod__sim_node_ends (place);
    else
        synod__sim_wake (place);
}

void synod__sim_turns_end (synod_sim_t *self)
{
    for (uint32_t i = 0; i < self->nturns; i++)
        s_end (self->places[self->turns[i]]);
    self->nturns = 0;
}

/* ---- what happens ---- */

static bool s_arrives (const synod_sim_t *self, const synod__sim_place_t *place, const synod__sim_event_t *event)
{
    return place->alive && !place->dying && place->life == event->life &&
           (!event->connection || synod__sim_connection (self, event->connection) != SYNOD__SIM_BROKEN ||
            event->kind == SYNOD__SIM_LINK_UP);
}

/* Returns whether EVENT is done with. */
static bool s_happens (synod_sim_t *self, synod__sim_event_t *event)
{
    synod__sim_place_t *place = self->places[event->to];
    if (event->kind == SYNOD__SIM_CALL) {
        event->call (self, event->arg);
        return true;
    }
    if (event->kind == SYNOD__SIM_WAKE) {
        if (event->at_us != place->wake_us)
            return true;
        place->wake_us = INT64_MAX;
        if (place->alive && !place->paused && !place->dying)
            synod__sim_turn_begin (place);
        return true;
    }
    if (!s_arrives (self, place, event)) {
        self->stats.lost += event->kind <= SYNOD__SIM_PUBLISH;
        return true;
    }
    synod__sim_trace_event (self, event);
    if (!place->in_turn && (place->paused || place->busy_us > self->now_us)) {
        *(place->inbox_last ? &place->inbox_last->next : &place->inbox_first) = event;
        place->inbox_last = event;
        event->next = NULL;
        synod__sim_wake (place);
        return false;
    }
    synod__sim_turn_begin (place);
    s_take (place, event);
    return true;
}

static void s_check (synod_sim_t *self)
{
    for (uint32_t i = 0; i < self->nchecked && !self->ended; i++) {
        const synod__sim_checker_t *check = &self->checkers[i];
        int rc = check->checker (self, check->arg);
        if (rc != SYNOD_OK && !self->ended)
            synod_sim_fail (self, "%s does not hold (%s)", check->name, synod_error_name (rc));
    }
}

static int s_drivable (synod_sim_t *self)
{
    if (self->stepping || self->running)
        return synod__sim_fault (self, SYNOD_INVALID, "a world cannot be driven from inside one of its steps");
    if (self->ended)
        return synod__sim_fault (self, SYNOD_INVALID, "the world has ended and cannot be driven: %s",
                                 self->violation.text);
    return SYNOD_OK;
}

static int s_step (synod_sim_t *self)
{
    int64_t next_us = synod__sim_event_next (self);
    if (next_us == INT64_MAX)
        return synod__sim_fault (self, SYNOD_NOT_FOUND, "nothing is to happen any more");
    self->still = next_us > self->now_us ? 0 : self->still + 1;
    if (next_us > self->now_us)
        self->now_us = next_us;
    if (self->still > S_STILL_MAX)
        return synod_sim_fail (self, "the world does not come to rest: %d steps without any time passing", S_STILL_MAX);
    self->stats.steps++;
    synod__sim_event_t *event;
    self->stepping = true;
    while (!self->ended && (event = synod__sim_event_pop (self, self->now_us)))
        if (s_happens (self, event))
            synod__sim_event_free (self, event);
    synod__sim_turns_end (self);
    s_check (self);
    synod__sim_turns_end (self); /* of what the checkers did */
    self->stepping = false;
    return self->ended ? SYNOD_FAILED : SYNOD_OK;
}

int synod_sim_step (synod_sim_t *self)
{
    int rc = s_drivable (self);
    return rc == SYNOD_OK ? s_step (self) : rc;
}

int synod__sim_drive (synod_sim_t *self, synod_sim_condition_t *condition, void *arg, int64_t until_us)
{
    int rc = s_drivable (self);
    while (rc == SYNOD_OK && !(condition && condition (self, arg))) {
        if (synod__sim_event_next (self) > until_us) {
            self->now_us = until_us > self->now_us ? until_us : self->now_us;
            return condition ? SYNOD_TIMEOUT : SYNOD_OK;
        }
        rc = s_step (self);
    }
    return rc;
}

int synod_sim_run (synod_sim_t *self, int64_t ms)
{
    return synod__sim_drive (self, NULL, NULL, self->now_us + ms * 1000);
}

int synod_sim_until (synod_sim_t *self, synod_sim_condition_t *condition, void *arg, int64_t limit_ms)
{
    int rc = synod__sim_drive (self, condition, arg, self->now_us + limit_ms * 1000);
    if (rc == SYNOD_TIMEOUT)
        synod__sim_fault (self, rc, "the condition did not hold within %lld ms of virtual time", (long long) limit_ms);
    return rc;
}

static bool s_knows_all (const synod_sim_t *self, const synod__sim_place_t *place)
{
    char address[SYNOD_NAME_MAX + sizeof "/" SYNOD_NODE_ACTOR];
    for (uint32_t i = 1; i < self->nplaces && self->directory; i++) {
        const synod__sim_place_t *other = self->places[i];
        if (!other->alive || (other->client && (!self->settings.direct || place->client)))
            continue; /* nobody looks for a client but those who answer it */
        snprintf (address, sizeof address, "%s/" SYNOD_NODE_ACTOR, other->known_as);
        if (!synod__rt_reachable (place->rt, address))
            return false;
    }
    return true;
}

static bool s_joined (synod_sim_t *self, void *arg)
{
    (void) arg;
    for (uint32_t i = 1; i < self->nplaces; i++) {
        const synod__sim_place_t *place = self->places[i];
        if (place->alive && (synod__rt_state (place->rt) != SYNOD__RT_UP || !s_knows_all (self, place)))
            return false;
    }
    return true;
}

int synod_sim_join (synod_sim_t *self, int64_t limit_ms)
{
    int rc = synod__sim_drive (self, s_joined, NULL, self->now_us + limit_ms * 1000);
    if (rc == SYNOD_TIMEOUT)
        synod__sim_fault (self, rc, "not all nodes were up and knew each other within %lld ms", (long long) limit_ms);
    return rc;
}

/* ---- scripts, checkers ---- */

int synod_sim_after (synod_sim_t *self, int64_t delay_us, synod_sim_script_t *function, void *arg)
{
    if (self->ended)
        return synod__sim_fault (self, SYNOD_INVALID, "the world has ended: nothing will happen any more");
    synod__sim_event_t head = {.kind = SYNOD__SIM_CALL, .call = function, .arg = arg};
    synod__sim_event (self, &head, self->now_us + (delay_us > 0 ? delay_us : 0));
    return SYNOD_OK;
}

int synod_sim_check (synod_sim_t *self, const char *name, synod_sim_checker_t *checker, void *arg)
{
    self->checkers = (synod__sim_checker_t *) synod__grow (self->checkers, &self->checkers_capacity, self->nchecked + 1,
                                                           sizeof *self->checkers);
    synod__sim_checker_t *check = &self->checkers[self->nchecked++];
    snprintf (check->name, sizeof check->name, "%s", name);
    check->checker = checker;
    check->arg = arg;
    return SYNOD_OK;
}

int synod_sim_fail (synod_sim_t *self, const char *format, ...)
{
    char text[SYNOD_FAULT_MAX];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    if (self->ended)
        return SYNOD_FAILED;
    synod__sim_note (self, "violation: %s", text);
    self->ended = true;
    synod_fault (&self->violation, SYNOD_FAILED, "%s", text);
    return synod_fault (&self->error, SYNOD_FAILED, "seed %llu, at %lld.%06lld s: %s", (unsigned long long) self->seed,
                        (long long) (self->now_us / 1000000), (long long) (self->now_us % 1000000), text);
}
