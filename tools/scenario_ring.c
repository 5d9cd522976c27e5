/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `ring`: one to seven nodes that run the actor `ring` and a placed actor; clients that make a ring of some
 * of them, and have nodes join, leave, removed, with other weights, and other keepers. After every step: each epoch is one
 * value at all nodes, it follows the one before, there is one ring. Once the faults are over every node can join, all are
 * up, nothing moves any more, and all know the same epoch.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "actors/place/ring_actor.h"
#include "actors/runtime/place_look.h"
#include "protocol/ring_records.h"
#include "scenarios.h"
#include "sim/internal.h"

#define NODES      7
#define CLIENTS    2
#define ASKERS     3
#define PARTITIONS 16
#define TIMEOUT_MS 3000
#define GRACE_MS   8000

typedef struct world_t world_t;

typedef struct {
    world_t *world;
    int node;
    uint32_t number;
    uint32_t joins; /* once all is well: nodes that have still to join */
    char what[64];
} asker_t;

struct world_t {
    synod_sim_t *sim;
    uint32_t count, keepers;
    int nodes[NODES];
    uint64_t looked[NODES]; /* epoch of each node when it was looked at last */
    asker_t askers[ASKERS];
    synod_buf_t *epochs; /* by number: the value; the one of 0 is empty */
    uint64_t nepochs;
    bool well;
    uint32_t trips;      /* asks in a thousand of a node that is about to die */
    int64_t pause_us;    /* between two asks of a client */
    uint32_t unfinished; /* a bit for each node of a ring whose init somebody was told to repeat; 0: none */
};

/* ---- the epochs ---- */

/* The first epoch in which somebody was seen from NUMBER on, downwards. */
static void check_follows (world_t *world, uint64_t number)
{
    synod__epoch_t before, after;
    synod_fault_t fault = {0};
    const synod_buf_t *values = world->epochs;
    if (number < 2 || !values[number].size || !values[number - 1].size)
        return;
    if (synod__epoch_unpack (&before, synod_str_n (values[number - 1].data, values[number - 1].size), &fault) !=
            SYNOD_OK ||
        synod__epoch_unpack (&after, synod_str_n (values[number].data, values[number].size), &fault) != SYNOD_OK ||
        synod__epoch_check_next (&after, &before, &fault) != SYNOD_OK)
        synod_sim_fail (world->sim, "epoch %" PRIu64 " does not follow: %s", number, fault.text);
    synod__epoch_free (&before);
    synod__epoch_free (&after);
}

static bool room_for (world_t *world, uint64_t number)
{
    if (world->epochs && number < world->nepochs)
        return true;
    synod_buf_t *more = (synod_buf_t *) realloc (world->epochs, (number + 64) * sizeof *more);
    if (!more)
        return false;
    memset (more + world->nepochs, 0, (number + 64 - world->nepochs) * sizeof *more);
    world->epochs = more;
    world->nepochs = number + 64;
    return true;
}

static void see (world_t *world, uint32_t node, synod_str_t value)
{
    synod__epoch_t epoch;
    synod_fault_t fault = {0};
    if (synod__epoch_unpack (&epoch, value, &fault) != SYNOD_OK) {
        synod_sim_fail (world->sim, "n%u is in no epoch: %s", node + 1, fault.text);
        return;
    }
    uint64_t number = epoch.number;
    synod__epoch_free (&epoch);
    world->looked[node] = number;
    if (number > 100000 || !room_for (world, number))
        return (void) synod_sim_fail (world->sim, "n%u is in epoch %" PRIu64, node + 1, number);
    synod_buf_t *known = world->epochs ? &world->epochs[number] : NULL;
    if (!known)
        return;
    if (known->size) {
        if (known->size != value.size || memcmp (known->data, value.data, value.size) != 0)
            synod_sim_fail (world->sim, "epoch %" PRIu64 " has two values, the second at n%u", number, node + 1);
        return;
    }
    known->data = (char *) malloc (value.size);
    if (!known->data)
        return (void) synod_sim_fail (world->sim, "out of memory");
    memcpy (known->data, value.data, value.size);
    known->size = known->capacity = value.size;
    check_follows (world, number);
    if (room_for (world, number + 1))
        check_follows (world, number + 1);
}

static int check_epochs (synod_sim_t *sim, void *arg)
{
    world_t *world = (world_t *) arg;
    for (uint32_t i = 0; i < world->count; i++) {
        const synod__rt_t *rt = sim->places[world->nodes[i]]->rt;
        if (rt && !synod__look_settled (rt))
            continue; /* a crash may take back what its memory has */
        const void *state = synod_sim_memory (sim, world->nodes[i], SYNOD__RING_ACTOR);
        synod_str_t value = state ? synod__ring_value (state) : synod_str_n (NULL, 0);
        const synod_buf_t *known = world->looked[i] < world->nepochs ? &world->epochs[world->looked[i]] : NULL;
        bool same =
            known && known->size == value.size && (!value.size || memcmp (known->data, value.data, value.size) == 0);
        if (value.size && !same)
            see (world, i, value);
    }
    return synod_sim_violation (sim)->code;
}

/* The latest epoch that anybody is in. False: there is none. */
static bool latest (const world_t *world, synod__epoch_t *epoch)
{
    uint64_t number = world->nepochs;
    while (number > 0 && !world->epochs[number - 1].size)
        number--;
    if (!number)
        return false;
    const synod_buf_t *value = &world->epochs[number - 1];
    return synod__epoch_unpack (epoch, synod_str_n (value->data, value->size), NULL) == SYNOD_OK;
}

/* ---- the clients ---- */

static void ask_next (synod_sim_t *sim, void *arg);

static void think (synod_sim_t *sim, asker_t *asker)
{
    uint64_t chance = synod_sim_random (sim);
    int64_t most_us = asker->world->well ? 200000 : chance % 4 ? asker->world->pause_us : 4000000;
    synod_sim_after (sim, 10000 + (int64_t) (chance >> 8) % most_us, ask_next, asker);
}

/* "n1 has recorded a ring of n1,n4, whose init was not finished: repeat that one": which that is. */
static void read_unfinished (world_t *world, synod_str_t text)
{
    static const char words[] = "has recorded a ring of ";
    const char *at = text.data ? (const char *) memmem (text.data, text.size, words, sizeof words - 1) : NULL;
    if (!at)
        return;
    world->unfinished = 0;
    for (at += sizeof words - 1; at + 2 < text.data + text.size && *at == 'n'; at += 3)
        world->unfinished |= 1u << (at[1] - '1');
}

/* What a change may come to. In words of its own it may be refused at any time: others change the ring too. */
static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    (void) client;
    switch (reply->code) {
    case SYNOD_OK:
        if (strncmp (asker->what, "the last", 8) == 0)
            asker->joins--;
        break;
    case SYNOD_STOPPED:
    case SYNOD_NO_ROUTE:
    case SYNOD_NODE_DOWN:
    case SYNOD_TIMEOUT:
    case SYNOD_BUSY:
    case SYNOD_REFUSED:
    case SYNOD_NOT_FOUND:
        read_unfinished (asker->world, reply->message);
        if (reply->code != SYNOD_STOPPED && !reply->message.size)
            synod_sim_fail (sim, "%s ended with %s and no word", asker->what, synod_error_name (reply->code));
        break;
    case SYNOD_INVALID:
        if (!strstr (asker->what, "even"))
            synod_sim_fail (sim, "%s ended with invalid: %.*s", asker->what, SYNOD_STR (reply->message));
        break;
    default:
        synod_sim_fail (sim, "%s ended with %s: %.*s", asker->what, synod_error_name (reply->code),
                        SYNOD_STR (reply->message));
    }
    think (sim, asker);
}

static int ask_init (synod_sim_t *sim, asker_t *asker, const char *to, uint64_t chance)
{
    const world_t *world = asker->world;
    synod__ring_init_t in = {.partitions = PARTITIONS};
    synod_buf_t items[2] = {{0}};
    char name[NODES][16];
    uint32_t keepers = 0, members = 0;
    for (uint32_t i = 0; i < world->count; i++) { /* the first is in all: there is one ring on a bus */
        synod__ring_node_t node = {{0}, 0, {0}, 0};
        synod__ring_keeper_t keeper = {{0}, 0};
        snprintf (name[i], sizeof name[i], "n%u", i + 1);
        if (i && chance >> i & 1)
            continue;
        node.node = keeper.node = synod_str (name[i]);
        members++;
        synod_list_add (&in.nodes, &items[0], &synod__ring_node_record, &node, NULL);
        if (keepers++ < world->keepers)
            synod_list_add (&in.keepers, &items[1], &synod__ring_keeper_record, &keeper, NULL);
    }
    if (in.keepers.count % 2 == 0 || chance >> 40 & 1)
        in.keepers = (synod_list_t){{0}, 0};
    in.replicas = (chance >> 32 & 127) % (members + 1);
    snprintf (asker->what, sizeof asker->what, "an init of %u nodes", members);
    int rc = synod_sim_ask (sim, asker->node, to, &synod__ring_init_record, &in, TIMEOUT_MS, on_reply, asker);
    synod_buf_free (&items[0]);
    synod_buf_free (&items[1]);
    return rc;
}

static int ask_keepers (synod_sim_t *sim, asker_t *asker, const char *to, uint64_t chance)
{
    const world_t *world = asker->world;
    synod__ring_keepers_t in = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    for (uint32_t i = 0; i < world->count && in.keepers.count < 5; i++) {
        char name[16];
        synod__ring_keeper_t keeper = {.node = synod_str_n (name, 2)};
        snprintf (name, sizeof name, "n%u", i + 1);
        if (chance >> i & 1)
            synod_list_add (&in.keepers, &items, &synod__ring_keeper_record, &keeper, NULL);
    }
    snprintf (asker->what, sizeof asker->what, "other keepers%s", in.keepers.count % 2 ? "" : " (even)");
    int rc = synod_sim_ask (sim, asker->node, to, &synod__ring_keepers_record, &in, TIMEOUT_MS, on_reply, asker);
    synod_buf_free (&items);
    return rc;
}

static int ask_change (synod_sim_t *sim, asker_t *asker, const char *to, uint64_t chance)
{
    const world_t *world = asker->world;
    char name[16];
    snprintf (name, sizeof name, "n%u", (uint32_t) ((chance >> 8) % world->count) + 1);
    synod_str_t node = synod_str (name);
    uint64_t weight = 1 + (chance >> 16) % 300;
    snprintf (asker->what, sizeof asker->what, "change %u of %s", (uint32_t) (chance % 8), name);
    switch (chance % 8) {
    case 0:
        return synod_sim_ask (sim, asker->node, to, &synod__ring_leave_record, &(synod__ring_leave_t){.node = node},
                              TIMEOUT_MS, on_reply, asker);
    case 1:
        return synod_sim_ask (sim, asker->node, to, &synod__ring_remove_record,
                              &(synod__ring_remove_t){.node = node, .force = chance >> 60 & 1}, TIMEOUT_MS, on_reply,
                              asker);
    case 2:
    case 3:
        return synod_sim_ask (sim, asker->node, to, &synod__ring_weight_record,
                              &(synod__ring_weight_t){.node = node, .weight = weight}, TIMEOUT_MS, on_reply, asker);
    case 4:
        return ask_keepers (sim, asker, to, chance >> 24);
    default:
        return synod_sim_ask (sim, asker->node, to, &synod__ring_join_record,
                              &(synod__ring_join_t){.node = node, .weight = chance >> 61 ? weight : 0}, TIMEOUT_MS,
                              on_reply, asker);
    }
}

/* Once all is well: every node joins, asked of a keeper. */
static int ask_last (synod_sim_t *sim, asker_t *asker)
{
    synod__epoch_t epoch;
    char name[16], to[SYNOD_ADDRESS_MAX];
    const world_t *world = asker->world;
    if (!latest (world, &epoch)) /* of all nodes, or as is said: with no wishes beside the nodes */
        return ask_init (sim, asker, "n1/" SYNOD__RING_ACTOR,
                         1ull << 40 | (world->unfinished ? ~world->unfinished & 127 : 0));
    uint64_t which = synod_sim_random (sim) % epoch.nkeepers;
    snprintf (to, sizeof to, "%s/" SYNOD__RING_ACTOR, synod__epoch_store (&epoch, &epoch.keepers[which])->name);
    synod__epoch_free (&epoch);
    snprintf (name, sizeof name, "n%u", asker->joins);
    snprintf (asker->what, sizeof asker->what, "the last join of %s", name);
    return synod_sim_ask (sim, asker->node, to, &synod__ring_join_record,
                          &(synod__ring_join_t){.node = synod_str (name)}, TIMEOUT_MS, on_reply, asker);
}

static void start_again (synod_sim_t *sim, void *arg)
{
    int node = *(const int *) arg;
    synod_sim_crash_after (sim, node, UINT32_MAX); /* if it is still to come: no more */
    if (synod_sim_state (sim, node) == SYNOD_SIM_DOWN)
        synod_sim_start (sim, node);
}

static void ask_next (synod_sim_t *sim, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    world_t *world = asker->world;
    char to[SYNOD_ADDRESS_MAX];
    uint64_t chance = synod_sim_random (sim);
    int rc;
    if (world->well && !asker->joins)
        return;
    snprintf (to, sizeof to, "n%u/" SYNOD__RING_ACTOR, (uint32_t) (chance % world->count) + 1);
    if (!synod_sim_healed (sim) && (chance >> 44) % 1000 < world->trips) { /* it dies while it decides */
        synod_sim_crash_after (sim, world->nodes[chance % world->count], (uint32_t) (chance >> 54) % 16);
        synod_sim_after (sim, 1000 + (int64_t) (chance >> 34) % 100000, start_again,
                         &world->nodes[chance % world->count]);
    }
    if (world->well)
        rc = ask_last (sim, asker);
    else if (!world->epochs || chance >> 8 & 31)
        rc = world->epochs ? ask_change (sim, asker, to, chance >> 16) : ask_init (sim, asker, to, chance >> 16);
    else
        rc = ask_init (sim, asker, to, chance >> 16);
    if (rc != SYNOD_OK) /* the client itself is not on the bus */
        think (sim, asker);
}

/* ---- the world ---- */

#ifdef SYNOD_RING_MUTANTS /* alone: nothing is placed (test/place/place_stub.c) */
static const synod_actor_t s_thing = {.name = "thing"};
#else
static const synod_actor_t s_thing = {.name = "thing", .placement = SYNOD_SHARDED};
#endif

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    synod__ring_args_t args = {.grace_ms = GRACE_MS};
    char name[16];
    world->sim = sim;
    world->count = 1 + (uint32_t) (synod_sim_random (sim) % NODES);
    static const uint32_t trips[] = {0, 10, 60, 200};
    static const int64_t pauses_us[] = {500000, 20000};
    world->trips = trips[synod_sim_random (sim) % 4];
    world->pause_us = pauses_us[synod_sim_random (sim) % 2];
    world->keepers = 1 + 2 * (uint32_t) (synod_sim_random (sim) % 3);
    for (uint32_t i = 0; i < world->count; i++) {
        snprintf (name, sizeof name, "n%u", i + 1);
        int node = synod_sim_node (sim, name);
        if (!node || synod_sim_add (sim, node, &synod__ring_actor, &args) != SYNOD_OK ||
            synod_sim_add (sim, node, &s_thing, NULL) != SYNOD_OK || synod_sim_start (sim, node) != SYNOD_OK)
            return synod_sim_error (sim)->code;
        world->nodes[i] = node;
    }
    for (uint32_t i = 0; i < ASKERS; i++) {
        snprintf (name, sizeof name, "c%u", i + 1);
        int node = i < CLIENTS ? synod_sim_client (sim, name) : world->askers[i % CLIENTS].node;
        if (!node)
            return synod_sim_error (sim)->code;
        world->askers[i] = (asker_t){.world = world, .node = node, .number = i, .joins = world->count};
        think (sim, &world->askers[i]);
    }
    return synod_sim_check (sim, "ring", check_epochs, world);
}

static bool at_rest (const world_t *world)
{
    synod__epoch_t epoch;
    if (!latest (world, &epoch))
        return false;
    bool rest = epoch.nmembers == world->count;
    for (uint32_t i = 0; i < epoch.nmembers; i++)
        rest = rest && !epoch.members[i].down && epoch.members[i].weight == epoch.members[i].target;
    for (uint32_t i = 0; i < world->count; i++)
        rest = rest && world->looked[i] == epoch.number;
    synod__epoch_free (&epoch);
    return rest;
}

/* First the clients stop to change things; then every node joins; then all comes to rest. */
static bool done (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    if (!world->well)
        return world->well = true, false;
    for (uint32_t i = 0; i < ASKERS; i++)
        if (world->askers[i].joins)
            return false;
    return synod_sim_asks (sim) == 0 && at_rest (world);
}

static void fini (void *state)
{
    world_t *world = (world_t *) state;
    for (uint64_t i = 0; i < world->nepochs; i++)
        synod_buf_free (&world->epochs[i]);
    free (world->epochs);
}

const synod_scenario_t synod__scenario_ring = {
    .name = "ring",
    .doc = "a ring that comes about, changes and loses nodes, without what it places",
    .either = true,
    .state_size = sizeof (world_t),
    .setup = setup,
    .done = done,
    .fini = fini,
};
