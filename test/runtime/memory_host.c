/* SPDX-License-Identifier: MPL-2.0
 *
 * The simulator as the runtime's tests use it: wires of one constant latency, turns that take no time, nodes with
 * frames handed in from outside and peers of the test's choice. A node here is a place there; a name that was killed
 * may be used again, for another node at the same place.
 */
#include <stdio.h>
#include <stdlib.h>
#include "memory_host.h"

#define S_PEERS 8

struct mh_t {
    synod_sim_t *sim;
    struct mh_settings settings;
    mh_filter_t *filter;
    void *filter_arg;
    char (*seen)[SYNOD_ADDRESS_MAX + 1]; /* addresses of frames that left */
    uint32_t nseen, seen_capacity;
    char ***lists; /* of peers, one for each node made */
    uint32_t nlists, lists_capacity;
};

static mh_t *s_last; /* whose runtime may run */

bool mh_in_runtime (void)
{
    return s_last && s_last->sim->in_runtime;
}

static mh_t *s_world (const mh_node_t *node)
{
    return (mh_t *) node->sim->filter_arg;
}

/* ---- what passes ---- */

static synod__sim_verdict_t s_filter (void *arg, const synod__sim_event_t *head, const void *data, size_t size)
{
    mh_t *self = (mh_t *) arg;
    if (head->incarnation) {
        self->seen = (char (*)[SYNOD_ADDRESS_MAX + 1])
            synod__grow (self->seen, &self->seen_capacity, self->nseen + 1, sizeof *self->seen);
        snprintf (self->seen[self->nseen++], sizeof *self->seen, "%s", (const char *) data);
    }
    mh_passing_t passing = {.from = self->sim->places[head->from]->name,
                            .to = self->sim->places[head->to]->name,
                            .topic = head->kind != SYNOD__SIM_FRAME,
                            .link = head->link,
                            .data = data,
                            .size = size};
    mh_verdict_t verdict = self->filter ? self->filter (self->filter_arg, &passing) : MH_PASS;
    return verdict == MH_DROP ? SYNOD__SIM_DROP : verdict == MH_HOLD ? SYNOD__SIM_HOLD : SYNOD__SIM_PASS;
}

static void s_on_line (void *arg, const char *line)
{
    (void) arg;
    if (line[0] == '#')
        fprintf (stderr, "%s\n", line);
}

/* Settings may change at any time. */
static void s_settle (mh_t *self)
{
    const struct mh_settings *settings = &self->settings;
    synod_sim_t *sim = self->sim;
    sim->settings.heartbeat_ms = settings->heartbeat_ms;
    sim->settings.drain_ms = settings->drain_ms;
    sim->settings.queue_bytes = settings->queue_bytes;
    sim->settings.link_after = settings->link_after;
    sim->settings.links = settings->links;
    sim->directory = settings->directory;
    synod_sim_trace (sim, settings->loud ? s_on_line : NULL, NULL);
    if (sim->settings.wire.delay_min_us != settings->latency_us || sim->settings.wire.delay_mean_us) {
        synod_sim_wire_t wire = {.delay_min_us = settings->latency_us};
        synod_sim_wire (sim, &wire);
    }
}

mh_t *mh_new (uint64_t seed, bool brokered)
{
    mh_t *self = (mh_t *) calloc (1, sizeof *self);
    synod_sim_settings_t settings = {.direct = !brokered};
    self->settings = (struct mh_settings){
        .heartbeat_ms = 100, .drain_ms = 1000, .latency_us = 100, .link_after = 1000000, .directory = true};
    self->sim = synod_sim_new (seed, &settings);
    self->sim->settings.turn_us = 0;
    self->sim->lenient = true;
    self->sim->filter = s_filter;
    self->sim->filter_arg = self;
    self->sim->now_us = 1000000;
    s_last = self;
    return self;
}

void mh_destroy (mh_t **self_p)
{
    mh_t *self = *self_p;
    if (!self)
        return;
    *self_p = s_last = NULL;
    synod_sim_destroy (&self->sim);
    for (uint32_t i = 0; i < self->nlists; i++) {
        for (char **peer = self->lists[i]; *peer; peer++)
            free (*peer);
        free (self->lists[i]);
    }
    free (self->lists);
    free (self->seen);
    free (self);
}

struct mh_settings *mh_settings (mh_t *self)
{
    return &self->settings;
}

void mh_filter (mh_t *self, mh_filter_t *filter, void *arg)
{
    self->filter = filter;
    self->filter_arg = arg;
}

int64_t mh_now_us (const mh_t *self)
{
    return self->sim->now_us;
}

uint64_t mh_random (mh_t *self)
{
    return synod_sim_random (self->sim);
}

mh_node_t *mh_find (const mh_t *self, const char *name)
{
    mh_node_t *node = synod__sim_place (self->sim, synod_sim_find (self->sim, name));
    return node && node->alive ? node : NULL;
}

bool mh_reads (const mh_node_t *node, const char *publisher)
{
    return node->sim->places[synod_sim_find (node->sim, publisher)]->paths[node->number].joined;
}

/* ---- nodes ---- */

static const char *const *s_peers (mh_t *self, const char *const *peers)
{
    char **list = (char **) calloc (S_PEERS + 1, sizeof *list);
    for (size_t i = 0; peers && peers[i] && i < S_PEERS; i++) {
        const char *colon = strchr (peers[i], ':');
        if (asprintf (&list[i], colon ? "%s" : "mem:%s", peers[i]) < 0)
            abort ();
    }
    self->lists = (char ***) synod__grow (self->lists, &self->lists_capacity, self->nlists + 1, sizeof *self->lists);
    self->lists[self->nlists++] = list;
    return (const char *const *) list;
}

mh_node_t *mh_node (mh_t *self, const char *name, bool client, const char *const *peers)
{
    char place[SYNOD_NAME_MAX + 1];
    const char *equals = strchr (name, '=');
    s_settle (self);
    snprintf (place, sizeof place, "%.*s", equals ? (int) (equals - name) : SYNOD_NAME_MAX, name);
    int number = synod_sim_find (self->sim, place);
    if (number < 0)
        number = synod__sim_place_add (self->sim, place, equals ? equals + 1 : name, client);
    mh_node_t *node = synod__sim_place (self->sim, number);
    for (uint32_t i = 0; i < node->nactors; i++)
        synod_buf_free (&node->actors[i].args);
    node->nactors = 0;
    snprintf (node->known_as, sizeof node->known_as, "%s", equals ? equals + 1 : name);
    node->client = client;
    node->peers = s_peers (self, peers);
    return node;
}

void mh_add (mh_node_t *node, const synod_actor_t *type, const void *args)
{
    bool client = node->client;
    node->client = false; /* those of the tests may have actors */
    if (synod_sim_add (node->sim, node->number, type, args) != SYNOD_OK) {
        fprintf (stderr, "mh_add: %s\n", synod_sim_error (node->sim)->text);
        abort ();
    }
    node->client = client;
}

int mh_start (mh_node_t *node, synod_fault_t *fault)
{
    s_settle (s_world (node));
    int rc = synod_sim_start (node->sim, node->number);
    return rc == SYNOD_OK ? rc : synod_fault (fault, rc, "%s", synod_sim_error (node->sim)->text);
}

mh_node_t *mh_up (mh_t *self, const char *name, const synod_actor_t *actor, const char *peer)
{
    const char *peers[2] = {peer, NULL};
    synod_fault_t fault = {0};
    mh_node_t *node = mh_node (self, name, false, peer ? peers : NULL);
    if (actor)
        mh_add (node, actor, NULL);
    if (mh_start (node, &fault) != SYNOD_OK) {
        fprintf (stderr, "mh_up: %s\n", fault.text);
        abort ();
    }
    return node;
}

void mh_stop (mh_node_t *node)
{
    synod_sim_stop (node->sim, node->number);
}

void mh_kill (mh_node_t *node)
{
    if (node->alive)
        synod__sim_node_dies (node, true);
    else
        synod__sim_node_free (node);
}

synod__rt_t *mh_rt (mh_node_t *node)
{
    return node->rt;
}

bool mh_ended (const mh_node_t *node)
{
    return synod__rt_state (node->rt) == SYNOD__RT_ENDED;
}

/* ---- turns ---- */

int mh_step (mh_node_t *node, const synod_actor_t *actor, mh_step_t *function, void *arg)
{
    s_settle (s_world (node));
    synod__sim_place_t *before = synod__sim_enter (node);
    synod_ctx_t *ctx = synod__rt_enter (node->rt, actor);
    int rc = ctx ? synod__rt_leave (node->rt, ctx, function (ctx, arg)) : SYNOD_STOPPED;
    synod__sim_leave (node->sim, before);
    return rc;
}

static void s_hand_in (mh_node_t *node, const char *identity, const void *data, size_t size)
{
    void *copy = malloc (size ? size : 1); /* exactly as large, for the address sanitizer */
    memcpy (copy, data, size);
    synod__sim_place_t *before = synod__sim_enter (node);
    if (identity)
        synod__rt_frame (node->rt, synod_str (identity), copy, size);
    else
        synod__rt_topic (node->rt, copy, size);
    synod__sim_leave (node->sim, before);
    free (copy);
}

void mh_frame (mh_node_t *node, const char *identity, const void *data, size_t size)
{
    s_hand_in (node, identity, data, size);
}

void mh_topic (mh_node_t *node, const void *data, size_t size)
{
    s_hand_in (node, NULL, data, size);
}

typedef struct {
    bool (*condition) (void *arg);
    void *arg;
} s_until_t;

static bool s_holds (synod_sim_t *sim, void *arg)
{
    const s_until_t *until = (const s_until_t *) arg;
    (void) sim;
    return until->condition (until->arg);
}

static bool s_result (mh_t *self, int rc)
{
    if (rc != SYNOD_OK && rc != SYNOD_TIMEOUT) {
        fprintf (stderr, "%s\n", synod_sim_error (self->sim)->text);
        abort ();
    }
    return rc == SYNOD_OK;
}

bool mh_until (mh_t *self, bool (*condition) (void *arg), void *arg, uint32_t limit_ms)
{
    s_until_t until = {condition, arg};
    s_settle (self);
    return s_result (self, synod_sim_until (self->sim, s_holds, &until, limit_ms));
}

void mh_run (mh_t *self, uint32_t ms)
{
    s_settle (self);
    s_result (self, synod_sim_run (self->sim, ms));
}

bool mh_joined (mh_t *self, uint32_t limit_ms)
{
    s_settle (self);
    return s_result (self, synod_sim_join (self->sim, limit_ms));
}

/* ---- wires ---- */

static void s_wake (mh_t *self, synod__sim_kind_t kind, mh_node_t *node, uint32_t link)
{
    synod__sim_event_t head = {.kind = kind, .to = node->number, .link = link};
    int64_t lane = 0;
    synod__sim_tell_place (self->sim, &head, &lane);
}

void mh_block (mh_t *self, const char *from, const char *to, bool on)
{
    mh_node_t *node = mh_find (self, from);
    for (uint32_t id = 0; id < node->links_capacity; id++)
        if (node->links[id] && strcmp (node->links[id]->name, to) == 0) {
            node->links[id]->blocked = on;
            if (!on)
                s_wake (self, SYNOD__SIM_WRITABLE, node, id);
        }
}

void mh_block_topics (mh_node_t *node, bool on)
{
    node->topics_blocked = on;
    if (!on)
        s_wake (s_world (node), SYNOD__SIM_PUBLISHABLE, node, 0);
}

void mh_cut (mh_t *self, const char *from, const char *to)
{
    synod__sim_disconnect_pair (self->sim, synod_sim_find (self->sim, from), synod_sim_find (self->sim, to));
    synod__sim_connect_all (self->sim);
}

void mh_release (mh_t *self)
{
    synod__sim_release (self->sim);
}

void mh_broker_kill (mh_t *self)
{
    synod__sim_node_dies (self->sim->places[SYNOD_SIM_BROKER], true);
}

void mh_broker_restart (mh_t *self)
{
    if (self->sim->places[SYNOD_SIM_BROKER]->alive)
        mh_broker_kill (self);
    synod_sim_start (self->sim, SYNOD_SIM_BROKER);
}

uint32_t mh_count (const mh_t *self, const char *address)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->nseen; i++)
        count += !address || strcmp (self->seen[i], address) == 0;
    return count;
}

void mh_count_clear (mh_t *self)
{
    self->nseen = 0;
}
