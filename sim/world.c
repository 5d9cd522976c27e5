/* SPDX-License-Identifier: MPL-2.0
 *
 * The life of a world, its streams of chance, its places and what runs there.
 */
#include <stdarg.h>
#include <stdlib.h>
#include "internal.h"

enum {
    STREAM_WORKLOAD = 1,
    STREAM_FAULTS,
    STREAM_WORLD,
    STREAM_PLACE,
    STREAM_PATH,
    STREAM_DISK,
    STREAM_TURNS,
    STREAM_COMMITS
};

/* splitmix64: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators" */
static uint64_t s_mix (uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t synod__sim_next (uint64_t *stream)
{
    return s_mix (*stream += 0x9e3779b97f4a7c15u);
}

uint64_t synod__sim_stream (uint64_t seed, uint64_t kind, uint64_t number)
{
    return s_mix (s_mix (s_mix (seed + 0x9e3779b97f4a7c15u) + kind) + number);
}

int synod__sim_fault (synod_sim_t *self, int code, const char *format, ...)
{
    char text[SYNOD_FAULT_MAX];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    return synod_fault (&self->error, code, "%s", text);
}

synod_sim_t *synod_sim_new (uint64_t seed, const synod_sim_settings_t *settings)
{
    static const synod_sim_wire_t none;
    synod_sim_t *self = (synod_sim_t *) calloc (1, sizeof *self);
    if (!self)
        return NULL;
    if (settings)
        self->settings = *settings;
    if (!self->settings.heartbeat_ms)
        self->settings.heartbeat_ms = SYNOD_HEARTBEAT_MS;
    if (!self->settings.drain_ms)
        self->settings.drain_ms = 5000;
    if (!self->settings.turn_us)
        self->settings.turn_us = 20;
    if (memcmp (&self->settings.wire, &none, sizeof none) == 0)
        self->settings.wire = (synod_sim_wire_t){.delay_min_us = 100, .delay_mean_us = 300};
    self->directory = true;
    self->seed = seed;
    self->workload = synod__sim_stream (seed, STREAM_WORKLOAD, 0);
    self->faults = synod__sim_stream (seed, STREAM_FAULTS, 0);
    self->random = synod__sim_stream (seed, STREAM_WORLD, 0);
    self->turning = synod__sim_stream (seed, STREAM_TURNS, 0);
    self->spinning = synod__sim_stream (seed, STREAM_COMMITS, 0);
    self->incarnations = SYNOD__SIM_INCARNATION;
    self->nconnections = 1; /* 0 is none */
    synod__sim_place_add (self, "$broker", "$broker", false);
    return self;
}

void synod_sim_destroy (synod_sim_t **self_p)
{
    synod_sim_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    self->ended = true;
    self->on_line = NULL;
    for (uint32_t i = 0; i < self->nplaces; i++)
        synod__sim_asks_fail (self->places[i]);
    for (uint32_t i = 0; i < self->nplaces; i++)
        synod__sim_node_free (self->places[i]);
    for (uint32_t i = 0; i < self->nplaces; i++) {
        synod__sim_place_t *place = self->places[i];
        for (uint32_t a = 0; a < place->nactors; a++)
            synod_buf_free (&place->actors[a].args);
        synod__sim_disk_free (place);
        free (place->actors);
        free (place->paths);
        free (place->links);
        free (place);
    }
    synod__routing_destroy (&self->routing);
    synod__sim_faults_free (self);
    synod__sim_events_free (self);
    synod_buf_free (&self->line);
    free (self->places);
    free (self->turns);
    free (self->by_incarnation);
    free (self->connections);
    free (self->checkers);
    free (self);
}

uint64_t synod_sim_seed (const synod_sim_t *self)
{
    return self->seed;
}

int64_t synod_sim_now_us (const synod_sim_t *self)
{
    return self->now_us;
}

uint64_t synod_sim_random (synod_sim_t *self)
{
    return synod__sim_next (&self->workload);
}

const synod_fault_t *synod_sim_error (const synod_sim_t *self)
{
    return &self->error;
}

const synod_fault_t *synod_sim_violation (const synod_sim_t *self)
{
    return &self->violation;
}

synod_sim_stats_t synod_sim_stats (const synod_sim_t *self)
{
    synod_sim_stats_t stats = self->stats;
    for (uint32_t i = 1; i < self->nplaces; i++)
        if (self->places[i]->rt)
            stats.messages += synod__rt_stats (self->places[i]->rt).received;
    return stats;
}

/* ---- places ---- */

synod__sim_place_t *synod__sim_place (const synod_sim_t *self, int number)
{
    return number >= 0 && (uint32_t) number < self->nplaces ? self->places[number] : NULL;
}

synod__sim_place_t *synod__sim_given (synod_sim_t *self, int number, bool broker)
{
    synod__sim_place_t *place = synod__sim_place (self, number);
    if (!place)
        synod__sim_fault (self, SYNOD_INVALID, "expected a node from %d to %u, got %d", broker ? 0 : 1,
                          self->nplaces - 1, number);
    else if (number == SYNOD_SIM_BROKER && (!broker || self->settings.direct)) {
        synod__sim_fault (self, SYNOD_INVALID, broker ? "this world has no broker" : "expected a node, got the broker");
        return NULL;
    }
    return place;
}

int synod__sim_place_add (synod_sim_t *self, const char *name, const char *known_as, bool client)
{
    if (self->nplaces > SYNOD_SIM_NODES_MAX) {
        synod__sim_fault (self, SYNOD_TOO_LARGE, "a world has %d nodes at most", SYNOD_SIM_NODES_MAX);
        return 0;
    }
    synod__sim_place_t *place = (synod__sim_place_t *) calloc (1, sizeof *place);
    if (!place)
        abort ();
    self->places = (synod__sim_place_t **) synod__grow (self->places, &self->places_capacity, self->nplaces + 1,
                                                        sizeof *self->places);
    place->sim = self;
    place->number = (int) self->nplaces;
    place->client = client;
    place->due_us = place->wake_us = INT64_MAX;
    place->crash_in = UINT32_MAX;
    place->random = synod__sim_stream (self->seed, STREAM_PLACE, self->nplaces);
    place->disks = synod__sim_stream (self->seed, STREAM_DISK, self->nplaces);
    snprintf (place->name, sizeof place->name, "%s", name);
    snprintf (place->known_as, sizeof place->known_as, "%s", known_as);
    snprintf (place->endpoint, sizeof place->endpoint, "mem:%s", name);
    snprintf (place->topics, sizeof place->topics, "pub:%s", name);
    self->places[self->nplaces++] = place;
    uint32_t width = self->nplaces;
    for (uint32_t from = 0; from < width; from++) {
        synod__sim_place_t *other = self->places[from];
        uint32_t had = from + 1 < width ? width - 1 : 0;
        other->paths = (synod__sim_path_t *) realloc (other->paths, width * sizeof *other->paths);
        if (!other->paths)
            abort ();
        memset (other->paths + had, 0, (width - had) * sizeof *other->paths);
        for (uint32_t to = had; to < width; to++) {
            other->paths[to].random =
                synod__sim_stream (self->seed, STREAM_PATH, (uint64_t) from * (SYNOD_SIM_NODES_MAX + 1) + to);
            other->paths[to].wire = self->settings.wire;
        }
    }
    if (self->active)
        synod__sim_faults_apply (self);
    return place->number;
}

static int s_node (synod_sim_t *self, const char *name, bool client)
{
    if (self->ended) {
        synod__sim_fault (self, SYNOD_INVALID, "the world has ended: nothing can be added");
        return 0;
    }
    if (!name || !synod__name_ok (synod_str (name), false)) {
        synod__sim_fault (self, SYNOD_BAD_ADDRESS,
                          "a node's name has 1 to %d letters, digits, _ - or . and begins with none of $, got \"%s\"",
                          SYNOD_NAME_MAX, name ? name : "");
        return 0;
    }
    if (synod_sim_find (self, name) >= 0) {
        synod__sim_fault (self, SYNOD_NAME_TAKEN, "the world has a node %s already", name);
        return 0;
    }
    return synod__sim_place_add (self, name, name, client);
}

int synod_sim_node (synod_sim_t *self, const char *name)
{
    return s_node (self, name, false);
}

int synod_sim_find (const synod_sim_t *self, const char *name)
{
    for (uint32_t i = 0; i < self->nplaces; i++)
        if (strcmp (self->places[i]->name, name) == 0)
            return (int) i;
    return -1;
}

const char *synod_sim_name (const synod_sim_t *self, int node)
{
    const synod__sim_place_t *place = synod__sim_place (self, node);
    return place ? place->name : "";
}

int synod_sim_nodes (const synod_sim_t *self)
{
    return (int) self->nplaces - 1;
}

static synod__sim_actor_t *s_actor (synod__sim_place_t *place)
{
    place->actors = (synod__sim_actor_t *) synod__grow (place->actors, &place->actors_capacity, place->nactors + 1,
                                                        sizeof *place->actors);
    return &place->actors[place->nactors++];
}

int synod_sim_add (synod_sim_t *self, int node, const synod_actor_t *type, const void *args)
{
    synod_fault_t fault = {0};
    synod__sim_place_t *place = synod__sim_given (self, node, false);
    if (!place)
        return SYNOD_INVALID;
    if (!type)
        return synod__sim_fault (self, SYNOD_INVALID, "node %s: expected an actor's description, got none",
                                 place->name);
    if (place->alive)
        return synod__sim_fault (self, SYNOD_INVALID, "node %s has started already", place->name);
    if (place->client)
        return synod__sim_fault (self, SYNOD_INVALID, "%s is a scripted client, which runs no actors", place->name);
    if (type->name && type->name[0] == '$')
        return synod__sim_fault (self, SYNOD_BAD_ADDRESS, "names that begin with $ are the framework's own: %s",
                                 type->name);
    /* the runtime's own checks, on a runtime that is not kept */
    synod__rt_config_t config = {.node = place->known_as, .incarnation = 1, .host = "", .endpoint = "", .topics = ""};
    synod__rt_t *trial = synod__rt_new (&config, &synod__sim_host, place);
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < place->nactors; i++)
        synod__rt_add (trial, place->actors[i].type, NULL, NULL);
    rc = synod__rt_add (trial, type, args, &fault);
    synod__rt_destroy (&trial);
    if (rc != SYNOD_OK)
        return synod__sim_fault (self, rc, "%s", fault.text);
    synod__sim_actor_t *actor = s_actor (place);
    actor->type = type;
    actor->given = args != NULL;
    if (args && (rc = synod_record_pack (type->args, args, &actor->args, &fault)) != SYNOD_OK) {
        place->nactors--;
        return synod__sim_fault (self, rc, "arguments of actor %s: %s", type->name, fault.text);
    }
    return SYNOD_OK;
}

int synod_sim_up (synod_sim_t *self, const char *name, const synod_actor_t *type, const void *args)
{
    int node = synod_sim_node (self, name);
    if (!node || synod_sim_add (self, node, type, args) != SYNOD_OK || synod_sim_start (self, node) != SYNOD_OK)
        return 0;
    return node;
}

int synod_sim_client (synod_sim_t *self, const char *name)
{
    int node = s_node (self, name, true);
    if (!node)
        return 0;
    s_actor (self->places[node])->type = &synod__sim_client_type;
    return synod_sim_start (self, node) == SYNOD_OK ? node : 0;
}
