/* SPDX-License-Identifier: MPL-2.0
 *
 * The lives of a node: start, stop, crash, pause, its clock. A place outlives its lives; what a life leaves is its disk
 * and its clock. A node that dies in its turn is dead at once for all others (its operations do nothing any more), and
 * is buried when the turn has ended.
 */
#include <stdlib.h>
#include "actors/runtime/internal.h"
#include "internal.h"

#define S_SEEDS 8 /* without a broker: how many others a node is told of */

/* ---- clocks ---- */

/* TIME * NUMBER / PER, where the product alone might be too large. */
static int64_t s_scale (int64_t time, int64_t number, int64_t per)
{
    return time / per * number + time % per * number / per;
}

int64_t synod__sim_clock (const synod__sim_place_t *place)
{
    int64_t passed_us = place->sim->now_us - place->clock_at_us;
    return place->clock_us + passed_us + (place->clock_ppm ? s_scale (passed_us, place->clock_ppm, 1000000) : 0);
}

int64_t synod__sim_clock_when (const synod__sim_place_t *place, int64_t local_us)
{
    if (local_us == INT64_MAX)
        return local_us;
    int64_t passed_us = local_us - place->clock_us;
    if (place->clock_ppm)
        passed_us = s_scale (passed_us, 1000000, 1000000 + place->clock_ppm) + 1;
    return place->clock_at_us + passed_us;
}

int synod_sim_skew (synod_sim_t *self, int node, int32_t ppm)
{
    synod__sim_place_t *place = synod__sim_given (self, node, false);
    if (!place)
        return SYNOD_INVALID;
    if (ppm < -SYNOD_SIM_SKEW_MAX || ppm > SYNOD_SIM_SKEW_MAX)
        return synod__sim_fault (self, SYNOD_INVALID, "expected a skew from -%d to %d ppm, got %d", SYNOD_SIM_SKEW_MAX,
                                 SYNOD_SIM_SKEW_MAX, (int) ppm);
    place->clock_us = synod__sim_clock (place);
    place->clock_at_us = self->now_us;
    place->clock_ppm = ppm;
    if (place->due_us != INT64_MAX)
        place->due_us = self->now_us; /* its next turn says anew when the one after it is due */
    synod__sim_note (self, "the clock of %s is off by %d ppm", place->name, (int) ppm);
    synod__sim_wake (place);
    return SYNOD_OK;
}

/* ---- start ---- */

/* Endpoints of other nodes, NULL-terminated, in ROOM for S_SEEDS + 1. */
static const char *const *s_peers (const synod__sim_place_t *place, const char **room)
{
    const synod_sim_t *self = place->sim;
    uint32_t count = 0;
    for (uint32_t i = 1; i < self->nplaces && count < S_SEEDS; i++)
        if (self->places[i] != place && !self->places[i]->client)
            room[count++] = self->places[i]->endpoint;
    room[count] = NULL;
    return room;
}

static void s_new_life (synod__sim_place_t *place)
{
    synod_sim_t *self = place->sim;
    const char *room[S_SEEDS + 1];
    place->life++;
    place->incarnation = ++self->incarnations;
    self->by_incarnation =
        (int *) synod__grow (self->by_incarnation, &self->by_incarnation_capacity,
                             (uint32_t) (place->incarnation - SYNOD__SIM_INCARNATION), sizeof *self->by_incarnation);
    self->by_incarnation[place->incarnation - SYNOD__SIM_INCARNATION - 1] = place->number;
    size_t size = synod__identity (synod_str (place->known_as), place->incarnation, 0, place->identity);
    place->identity[size] = 0;
    const synod_sim_settings_t *settings = &self->settings;
    synod__rt_config_t config = {.node = place->known_as,
                                 .incarnation = place->incarnation,
                                 .host = "here",
                                 .brokered = !settings->direct,
                                 .client = place->client,
                                 .directory = self->directory,
                                 .links = settings->links,
                                 .endpoint = settings->direct ? place->endpoint : "",
                                 .topics = settings->direct ? place->topics : "",
                                 .peers = !settings->direct ? NULL
                                          : place->peers    ? place->peers
                                                            : s_peers (place, room),
                                 .heartbeat_ms = settings->heartbeat_ms,
                                 .drain_ms = settings->drain_ms,
                                 .queue_bytes = settings->queue_bytes,
                                 .link_after = settings->link_after,
                                 .disk = synod__sim_disk (place)};
    place->rt = synod__rt_new (&config, &synod__sim_host, place);
    place->alive = true;
    place->ghost = place->failed = place->paused = place->listening = place->topics_open = false;
    place->crash_in = UINT32_MAX;
    place->busy_us = 0;
    place->wide = false;
    memset (&place->ended, 0, sizeof place->ended);
}

static int s_actors (synod__sim_place_t *place, synod_fault_t *fault)
{
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < place->nactors && rc == SYNOD_OK; i++) {
        const synod__sim_actor_t *actor = &place->actors[i];
        void *args = NULL;
        if (actor->given) {
            args = synod__alloc (actor->type->args->size);
            rc = synod_record_unpack (actor->type->args, synod_str_n (actor->args.data, actor->args.size), args, fault);
        }
        if (rc == SYNOD_OK)
            rc = synod__rt_add (place->rt, actor->type, args, fault);
        free (args);
    }
    return rc;
}

int synod_sim_start (synod_sim_t *self, int node)
{
    synod_fault_t fault = {0};
    synod__sim_place_t *place = synod__sim_given (self, node, true);
    if (!place || self->ended)
        return place ? synod__sim_fault (self, SYNOD_INVALID, "the world has ended: nothing can be started")
                     : SYNOD_INVALID;
    if (place->alive)
        return synod__sim_fault (self, SYNOD_INVALID, "%s runs already", place->name);
    if (!self->settings.direct && !self->places[0]->life)
        synod__sim_broker_start (self);
    if (node == SYNOD_SIM_BROKER) {
        if (!place->alive)
            synod__sim_broker_start (self);
        return SYNOD_OK;
    }
    if (place->ghost)
        synod__sim_disconnect_all (self, node, true, false);
    synod__sim_node_free (place);
    s_new_life (place);
    int rc = s_actors (place, &fault);
    if (rc == SYNOD_OK) {
        if (!self->settings.direct)
            synod__sim_link_add (place, SYNOD__LINK_BROKER, "$broker");
        synod__sim_note (self, "%s starts", place->name);
        synod__sim_place_t *before = synod__sim_enter (place);
        rc = synod__rt_start (place->rt, &fault);
        synod__sim_leave (self, before);
    } else
        place->alive = false;
    self->unconnected = true;
    synod__sim_connect_all (self);
    synod__sim_subscribed_again (place);
    return rc == SYNOD_OK ? rc : synod__sim_fault (self, rc, "%s", fault.text);
}

/* ---- end ---- */

/* All that a life holds. */
void synod__sim_node_free (synod__sim_place_t *place)
{
    place->alive = false;
    if (place->rt) {
        place->sim->stats.messages += synod__rt_stats (place->rt).received;
        synod__rt_crash (place->rt); /* nothing that each fini does has any effect */
    }
    synod__rt_destroy (&place->rt);
    synod__sim_disk_crash (place);
    for (uint32_t id = 0; id < place->links_capacity; id++)
        synod__sim_link_remove (place, id);
    while (place->subs) {
        synod__sim_sub_t *sub = place->subs;
        place->subs = sub->next;
        free (sub);
    }
    while (place->inbox_first) {
        synod__sim_event_t *event = place->inbox_first;
        place->inbox_first = event->next;
        synod__sim_event_free (place->sim, event);
    }
    place->inbox_last = NULL;
    for (uint32_t i = 0; i < place->sim->nplaces; i++)
        if (place->sim->places[i]->paths)
            place->sim->places[i]->paths[place->number].joined = false;
    synod__sim_asks_fail (place);
}

void synod__sim_node_dies (synod__sim_place_t *place, bool told)
{
    place->alive = place->dying = place->paused = false;
    place->ghost = !told;
    place->due_us = INT64_MAX;
    place->sim->stats.crashes++;
    if (place->number == SYNOD_SIM_BROKER) {
        synod__sim_broker_dies (place->sim);
        return;
    }
    synod__sim_disconnect_all (place->sim, place->number, told, place->sim->lenient);
    synod__sim_node_free (place);
    synod__sim_connect_all (place->sim);
}

void synod__sim_node_ends (synod__sim_place_t *place)
{
    if (!place->alive)
        return;
    place->alive = place->paused = false;
    place->due_us = INT64_MAX;
    place->ended = *synod__rt_fault (place->rt);
    synod__sim_note (place->sim, "%s has ended: %s", place->name, place->ended.text);
    synod__sim_disconnect_all (place->sim, place->number, true, true);
    synod__sim_asks_fail (place);
}

int synod_sim_stop (synod_sim_t *self, int node)
{
    synod__sim_place_t *place = synod__sim_given (self, node, false);
    if (!place)
        return SYNOD_INVALID;
    if (!place->alive || place->dying)
        return synod__sim_fault (self, SYNOD_STOPPED, "%s does not run", place->name);
    synod__sim_note (self, "%s is asked to stop", place->name);
    if (self->running == place)
        return synod__sim_fault (self, SYNOD_INVALID, "%s cannot be stopped from inside one of its handlers",
                                 place->name);
    synod__sim_place_t *before = synod__sim_enter (place);
    synod__rt_stop (place->rt);
    synod__sim_leave (self, before);
    return SYNOD_OK;
}

bool synod__sim_effect (synod__sim_place_t *place)
{
    if (!place->alive || place->dying)
        return false;
    if (place->crash_in == UINT32_MAX || place->crash_in--)
        return true;
    place->dying = place->failed = true;
    synod__sim_note (place->sim, "%s crashes in its turn", place->name);
    return false;
}

int synod_sim_crash (synod_sim_t *self, int node)
{
    synod__sim_place_t *place = synod__sim_given (self, node, true);
    if (!place)
        return SYNOD_INVALID;
    if (!place->alive || place->dying)
        return synod__sim_fault (self, SYNOD_STOPPED, "%s does not run", place->name);
    synod__sim_note (self, "%s crashes", place->name);
    place->failed = true;
    if (place->in_turn)
        place->dying = true;
    else
        synod__sim_node_dies (place, (synod__sim_next (&place->sim->random) & 3) != 0);
    return SYNOD_OK;
}

int synod_sim_crash_after (synod_sim_t *self, int node, uint32_t effects)
{
    synod__sim_place_t *place = synod__sim_given (self, node, false);
    if (!place)
        return SYNOD_INVALID;
    if (!place->alive || place->dying)
        return synod__sim_fault (self, SYNOD_STOPPED, "%s does not run", place->name);
    place->crash_in = effects;
    return SYNOD_OK;
}

/* ---- pauses ---- */

int synod_sim_pause (synod_sim_t *self, int node)
{
    synod__sim_place_t *place = synod__sim_given (self, node, true);
    if (!place)
        return SYNOD_INVALID;
    if (!place->alive)
        return synod__sim_fault (self, SYNOD_STOPPED, "%s does not run", place->name);
    place->paused = true;
    synod__sim_note (self, "%s is paused", place->name);
    return SYNOD_OK;
}

int synod_sim_resume (synod_sim_t *self, int node)
{
    synod__sim_place_t *place = synod__sim_given (self, node, true);
    if (!place)
        return SYNOD_INVALID;
    if (!place->paused)
        return SYNOD_OK;
    place->paused = false;
    synod__sim_note (self, "%s goes on", place->name);
    synod__sim_wake (place);
    return SYNOD_OK;
}

/* ---- looking at it ---- */

synod_sim_state_t synod_sim_state (const synod_sim_t *self, int node)
{
    const synod__sim_place_t *place = synod__sim_place (self, node);
    if (!place || !place->alive || place->dying)
        return SYNOD_SIM_DOWN;
    if (node == SYNOD_SIM_BROKER)
        return SYNOD_SIM_UP;
    synod__rt_state_t state = synod__rt_state (place->rt);
    return state == SYNOD__RT_UP         ? SYNOD_SIM_UP
           : state == SYNOD__RT_DRAINING ? SYNOD_SIM_DRAINING
           : state == SYNOD__RT_ENDED    ? SYNOD_SIM_DOWN
                                         : SYNOD_SIM_JOINING;
}

const synod_fault_t *synod_sim_ended (const synod_sim_t *self, int node)
{
    static const synod_fault_t none;
    const synod__sim_place_t *place = synod__sim_place (self, node);
    return place ? &place->ended : &none;
}

static synod__instance_t *s_instance (const synod_sim_t *self, int node, const char *actor)
{
    const synod__sim_place_t *place = synod__sim_place (self, node);
    if (!place || !place->alive || place->dying || !place->rt)
        return NULL;
    synod__instance_t *instance = synod__instance_find (place->rt, synod_str (actor));
    return instance && instance->state_of == SYNOD__ACTOR_UP ? instance : NULL;
}

const void *synod_sim_memory (const synod_sim_t *self, int node, const char *actor)
{
    const synod__instance_t *instance = s_instance (self, node, actor);
    return instance ? instance->state : NULL;
}

int synod_sim_act (synod_sim_t *self, int node, const char *actor, synod_sim_act_t *function, void *arg)
{
    synod__instance_t *instance = s_instance (self, node, actor);
    if (!instance)
        return synod__sim_fault (self, SYNOD_STOPPED, "no actor %s runs on %s", actor, synod_sim_name (self, node));
    synod__sim_place_t *place = self->places[node];
    if (self->running == place)
        return synod__sim_fault (self, SYNOD_INVALID, "one of the handlers of %s runs now", place->name);
    synod__sim_place_t *before = synod__sim_enter (place);
    synod_ctx_t *ctx = synod__rt_enter (place->rt, instance->type);
    int rc = ctx ? synod__rt_leave (place->rt, ctx, function (ctx, instance->state, arg)) : SYNOD_INVALID;
    synod__sim_leave (self, before);
    return ctx ? rc : synod__sim_fault (self, rc, "%s is placed: it has no one state on %s", actor, place->name);
}
