/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `lock`: up to 20 clients acquire locks of 1 to 5 nodes, whose ring changes, with leases of seconds, and
 * all that a plan of faults has: pauses longer than a lease, clocks off by up to the bound, deaths, loss. At every moment
 * no two clients trust that they hold what excludes each other (but for what an operator took by force); fences grow; who came first is first, on another owner
 * too; the tables' invariants hold; a resource that looks at fences sees one holder after another; what clients saw of
 * two of the locks is linearizable. Once the faults are over everybody is granted what he waits for.
 */
#include <inttypes.h>
#include <stdio.h>
#include "actors/place/ring_actor.h"
#include "lock_world.h"
#include "protocol/lock_records.h"
#include "protocol/ring_records.h"
#include "scenarios.h"
#include "sim/internal.h"

#define ASK_MS       4000
#define LINEAR_STEPS 3000000
#define WEIGHT       8 /* of a node in the ring: its points are counted anew with each epoch, and the partitions are few */
#define FREES        1000 /* clients of the history by whom locks end, on from here */

static uint32_t draw (lock_world_t *world, uint32_t most)
{
    return (uint32_t) (synod_sim_random (world->sim) % most);
}

/* ---- the history of the guarded locks ---- */

static const char *guarded (const lock_stand_t *stand)
{
    const lock_kind_t *kind = &lock_kinds[stand->name];
    return kind->resource >= 0 && kind->resource < LOCK_GUARDED && !kind->names[1] ? kind->names[0] : NULL;
}

static uint32_t asker (const lock_client_t *client, uint32_t worker)
{
    return client->number * LOCK_WORKERS + worker;
}

static void record (lock_world_t *world, int rc)
{
    if (rc != SYNOD_OK)
        synod_sim_fail (world->sim, "%s", synod_history_error (world->history));
}

void lock_asked (lock_world_t *world, lock_client_t *client, uint32_t worker)
{
    const lock_stand_t *stand = &client->stands[worker];
    if (guarded (stand))
        record (world, synod_history_invoke (world->history, synod_sim_now_us (world->sim), asker (client, worker),
                                             synod_str (guarded (stand)), SYNOD_LOCK_ACQUIRE, stand->holder, 0));
}

static void may_end (lock_world_t *world, const lock_client_t *client, uint32_t worker, uint32_t operation)
{
    const lock_stand_t *stand = &client->stands[worker];
    uint32_t by = FREES + asker (client, worker);
    int64_t now_us = synod_sim_now_us (world->sim);
    if (!guarded (stand))
        return;
    record (world, synod_history_invoke (world->history, now_us, by, synod_str (guarded (stand)), operation,
                                         stand->holder, SYNOD_NIL));
    record (world, synod_history_unknown (world->history, now_us, by));
}

void lock_may_end (lock_world_t *world, lock_client_t *client, uint32_t worker)
{
    may_end (world, client, worker, SYNOD_LOCK_EXPIRE);
}

void lock_missed (lock_world_t *world, lock_client_t *client, uint32_t worker)
{
    if (!guarded (&client->stands[worker]))
        return;
    record (world, synod_history_unknown (world->history, synod_sim_now_us (world->sim), asker (client, worker)));
    may_end (world, client, worker, SYNOD_LOCK_EXPIRE);
}

/* ---- who holds what ---- */

static int64_t clock_of (const lock_world_t *world, const lock_client_t *client)
{
    return synod__sim_clock (world->sim->places[client->node]);
}

/* Which kinds have a name in common, a bit of each. */
static void draw_shares (lock_world_t *world)
{
    for (uint32_t a = 0; a < lock_kinds_count; a++)
        for (uint32_t b = 0; b < lock_kinds_count; b++)
            for (uint32_t i = 0; lock_kinds[a].names[i]; i++)
                for (uint32_t n = 0; lock_kinds[b].names[n]; n++)
                    if (strcmp (lock_kinds[a].names[i], lock_kinds[b].names[n]) == 0)
                        world->shares[a] |= 1u << b;
}

static bool share_name (const lock_world_t *world, const lock_stand_t *a, const lock_stand_t *b)
{
    return world->shares[a->name] >> b->name & 1;
}

/* Whether some of it was taken by force: who had it learns that when it is told. */
static bool is_taken (const lock_world_t *world, const lock_stand_t *stand)
{
    uint32_t known = world->ntaken < LOCK_FORCED ? world->ntaken : LOCK_FORCED;
    for (uint32_t i = 0; i < known; i++)
        for (uint32_t p = 0; world->taken[i].client == stand->client->number && p < stand->lock->nparts; p++)
            if (stand->lock->parts[p].entry == world->taken[i].entry)
                return true;
    return false;
}

/* Places that were told, of clients whose sessions are trusted, are before those that came later. */
static void check_turn (lock_world_t *world, const lock_client_t *client, const lock_stand_t *mine)
{
    for (uint32_t c = 0; c < world->clients; c++)
        for (uint32_t w = 0; w < LOCK_WORKERS; w++) {
            const lock_client_t *other = &world->client[c];
            const lock_stand_t *stand = &other->stands[w];
            const synod__lockc_part_t *part = stand->lock ? &stand->lock->parts[0] : NULL;
            if (!part || stand == mine || part->state != SYNOD__PART_WAITS || !part->session ||
                part->session->trust_us <= clock_of (world, other) || stand->shared || mine->shared ||
                lock_kinds[stand->name].names[1] || lock_kinds[mine->name].names[1] || stand->permits ||
                !share_name (world, stand, mine) || is_taken (world, stand))
                continue;
            if (part->entry < mine->lock->parts[0].entry)
                synod_sim_fail (world->sim, "%s: %s has it by place %" PRIu64 ", and %s waits with place %" PRIu64,
                                lock_kinds[mine->name].names[0], synod_sim_name (world->sim, client->node),
                                mine->lock->parts[0].entry, synod_sim_name (world->sim, other->node), part->entry);
        }
}

void lock_granted (lock_world_t *world, lock_client_t *client, uint32_t worker)
{
    const lock_stand_t *stand = &client->stands[worker];
    const lock_kind_t *kind = &lock_kinds[stand->name];
    uint64_t token = synod_lock_token (stand->lock, kind->names[0]);
    bool strict = world->strict && !is_taken (world, stand);
    if (kind->resource >= 0 && !kind->shared && !kind->names[1]) {
        if (strict && token <= world->seen[kind->resource])
            synod_sim_fail (world->sim, "%s has the fence %" PRIu64 " after %" PRIu64, kind->names[0], token,
                            world->seen[kind->resource]);
        world->seen[kind->resource] =
            strict || token > world->seen[kind->resource] ? token : world->seen[kind->resource];
    }
    if (strict)
        check_turn (world, client, stand);
    if (guarded (stand))
        record (world, synod_history_complete (world->history, synod_sim_now_us (world->sim), asker (client, worker),
                                               (int64_t) token, 1));
}

/* ---- at every moment ---- */

static bool excludes (const lock_world_t *world, const lock_stand_t *a, const lock_stand_t *b)
{
    return share_name (world, a, b) && !(a->shared && b->shared) && !a->permits;
}

static int check_trust (synod_sim_t *sim, void *arg)
{
    lock_world_t *world = (lock_world_t *) arg;
    const lock_stand_t *trusted[LOCK_CLIENTS * LOCK_WORKERS];
    int nodes[LOCK_CLIENTS * LOCK_WORKERS];
    uint32_t count = 0, permits[LOCK_KINDS] = {0};
    for (uint32_t c = 0; c < world->clients; c++)
        for (uint32_t w = 0; w < LOCK_WORKERS; w++) {
            lock_client_t *client = &world->client[c];
            lock_stand_t *stand = &client->stands[w];
            if (!stand->held)
                continue;
            bool before = stand->trusted;
            stand->trusted =
                synod__lockc_left_us (stand->lock, clock_of (world, client)) > 0 && !is_taken (world, stand);
            if (before && !stand->trusted)
                lock_may_end (world, client, w);
            if (!stand->trusted)
                continue;
            permits[stand->name] += stand->permits > 0;
            nodes[count] = client->node;
            trusted[count++] = stand;
        }
    for (uint32_t i = 0; i < count && world->strict; i++)
        for (uint32_t j = i + 1; j < count; j++)
            if (excludes (world, trusted[i], trusted[j]))
                return synod_sim_fail (sim, "%s and %s both hold %s", synod_sim_name (sim, nodes[i]),
                                       synod_sim_name (sim, nodes[j]), lock_kinds[trusted[i]->name].names[0]);
    for (uint32_t kind = 0; kind < lock_kinds_count && world->strict; kind++)
        if (permits[kind] > 2)
            return synod_sim_fail (sim, "%u hold one of 2 permits of %s", permits[kind], lock_kinds[kind].names[0]);
    return SYNOD_OK;
}

/* In the actor, whenever an event is over. */
static void on_changed (void *arg, synod_ctx_t *ctx, const synod__locks_t *locks)
{
    lock_world_t *world = (lock_world_t *) arg;
    char why[SYNOD_FAULT_MAX];
    if (!synod__locks_check (locks, why))
        synod_sim_fail (world->sim, "%s: %s", synod_node (ctx), why);
}

static void on_granted (void *arg, const synod_ctx_t *ctx, const synod__locks_entry_t *entry)
{
    lock_world_t *world = (lock_world_t *) arg;
    for (uint32_t i = 0; i < entry->nclaims; i++)
        for (const synod__locks_claim_t *at = entry->claims[i].name->waiters.first; at; at = at->next)
            if (at->entry->id < entry->id && !(at->entry->shared && entry->shared))
                synod_sim_fail (world->sim, "%s grants %s to place %" PRIu64 " before place %" PRIu64, synod_node (ctx),
                                entry->claims[i].name->text, entry->id, at->entry->id);
}

/* Its holder may be on the way to learn that it has it. */
static void on_forced (void *arg, const synod_ctx_t *ctx, const synod__locks_entry_t *entry,
                       const synod__locks_session_t *session)
{
    lock_world_t *world = (lock_world_t *) arg;
    (void) ctx;
    world->forced++;
    world->taken[world->ntaken % LOCK_FORCED].client = session->client;
    world->taken[world->ntaken++ % LOCK_FORCED].entry = entry->id;
    for (uint32_t c = 0; c < world->clients; c++)
        for (uint32_t w = 0; w < LOCK_WORKERS; w++) {
            const lock_stand_t *stand = &world->client[c].stands[w];
            for (uint32_t p = 0; stand->lock && stand->client->number == session->client && p < stand->lock->nparts;
                 p++)
                if (synod__locks_has_request (entry, stand->lock->parts[p].request))
                    lock_may_end (world, &world->client[c], w);
        }
}

static synod__lock_observer_t watch = {.granted = on_granted, .forced = on_forced, .changed = on_changed};

static int check_clients (synod_sim_t *sim, void *arg)
{
    const lock_world_t *world = (const lock_world_t *) arg;
    char why[SYNOD_FAULT_MAX];
    for (uint32_t c = 0; c < world->clients; c++) {
        const lock_stand_t *stand = world->client[c].stands;
        while (stand < world->client[c].stands + LOCK_WORKERS && !stand->lock)
            stand++;
        if (stand < world->client[c].stands + LOCK_WORKERS && !synod__lockc_check (stand->client, why))
            return synod_sim_fail (sim, "%s: %s", synod_sim_name (sim, world->client[c].node), why);
    }
    return SYNOD_OK;
}

/* ---- the ring ---- */

static void operate (synod_sim_t *sim, void *arg);

static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    lock_world_t *world = (lock_world_t *) arg;
    (void) client;
    world->made = world->made || reply->code == SYNOD_OK || reply->code == SYNOD_REFUSED;
    synod_sim_after (sim, 200000 + (int64_t) draw (world, 3000000), operate, world);
}

static int ask (lock_world_t *world, const synod_record_t *record_of, const void *in)
{
    char to[SYNOD_ADDRESS_MAX];
    snprintf (to, sizeof to, "%s/" SYNOD__RING_ACTOR,
              synod_sim_name (world->sim, world->ring[draw (world, world->nodes)]));
    return synod_sim_ask (world->sim, world->operator_node, to, record_of, in, ASK_MS, on_reply, world);
}

static int make (lock_world_t *world)
{
    synod__ring_init_t in = {.replicas = world->replicas, .partitions = world->partitions};
    synod_buf_t nodes = {0};
    for (uint32_t i = 0; i < world->nodes; i++)
        synod_list_add (&in.nodes, &nodes, &synod__ring_node_record,
                        &(synod__ring_node_t){.node = synod_str (synod_sim_name (world->sim, world->ring[i]))}, NULL);
    int rc = ask (world, &synod__ring_init_record, &in);
    synod_buf_free (&nodes);
    return rc;
}

/* A node comes, goes, or gets another share: its partitions have other owners. */
static void operate (synod_sim_t *sim, void *arg)
{
    lock_world_t *world = (lock_world_t *) arg;
    synod_str_t node = synod_str (synod_sim_name (sim, world->ring[draw (world, world->nodes)]));
    uint32_t what = draw (world, 4);
    int rc = SYNOD_OK;
    if (!world->made)
        rc = make (world);
    else if (synod_sim_healed (sim))
        return;
    else if (what == 0 && world->nodes > world->replicas)
        rc = ask (world, &synod__ring_leave_record, &(synod__ring_leave_t){.node = node});
    else if (what == 1)
        rc = ask (world, &synod__ring_join_record, &(synod__ring_join_t){.node = node});
    else
        rc = ask (world, &synod__ring_weight_record,
                  &(synod__ring_weight_t){.node = node, .weight = 1 + draw (world, 2 * WEIGHT)});
    if (rc != SYNOD_OK)
        synod_sim_after (sim, 300000, operate, world);
}

static void on_freed (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    (void) sim, (void) client, (void) reply, (void) arg;
}

static void force (synod_sim_t *sim, void *arg)
{
    lock_world_t *world = (lock_world_t *) arg;
    const lock_kind_t *kind = &lock_kinds[draw (world, lock_kinds_count)];
    char to[64];
    if (synod_sim_healed (sim))
        return;
    synod_str_t name = synod_str (kind->names[0]), key = synod__locks_key (name);
    snprintf (to, sizeof to, "lock#%.*s", SYNOD_STR (key));
    synod_sim_ask (sim, world->operator_node, to, &synod__lock_force_record,
                   &(synod__lock_force_t){.name = name, .why = synod_str ("why not")}, ASK_MS, on_freed, NULL);
    synod_sim_after (sim, 300000 + (int64_t) draw (world, 3000000), force, world);
}

/* ---- the world ---- */

static void draw_world (lock_world_t *world)
{
    static const uint32_t nodes[] = {1, 1, 3, 3, 3, 4, 5}, leases[] = {600, 1000, 2000, 4000},
                          thinks[] = {30, 100, 500};
    world->nodes = nodes[draw (world, 7)];
    world->replicas = world->nodes >= 3 && draw (world, 4) ? 3 : 1;
    world->clients = 2 + draw (world, draw (world, 3) ? 5 : LOCK_CLIENTS - 1);
    world->partitions = 1u << draw (world, 5);
    world->lease_ms = leases[draw (world, 4)];
    world->think_ms = thinks[draw (world, 3)];
    world->forces = draw (world, 2);
    if (world->tight) {
        world->nodes = world->replicas = 1;
        world->clients = 3;
        world->partitions = 1u << draw (world, 3);
        world->lease_ms = draw (world, 2) ? 600 : SYNOD__LOCKS_LEASE_LEAST_MS;
        world->think_ms = 30;
    }
    if (world->strict)
        return;
    /* one who is cut off from the service can still use the resource, and there are others who want it */
    world->nodes = world->replicas = 1;
    world->clients = world->clients < 4 ? 4 : world->clients;
}

static int add (lock_world_t *world, const char *name, const synod_actor_t *type, const void *args, int *node)
{
    *node = synod_sim_node (world->sim, name);
    return *node ? synod_sim_add (world->sim, *node, type, args) : synod_sim_error (world->sim)->code;
}

static int make_world (synod_sim_t *sim, lock_world_t *world)
{
    char name[16];
    int rc = SYNOD_OK, resource;
    world->sim = sim;
    lock_world = world;
    watch.arg = world;
    synod__lock_observer = &watch;
    draw_world (world);
    draw_shares (world);
    const synod__ring_args_t args = {.report_ms = 50u << draw (world, 3), .stays = true, .weight = WEIGHT};
    for (uint32_t i = 0; i < world->nodes && rc == SYNOD_OK; i++) {
        snprintf (name, sizeof name, "n%u", i + 1);
        rc = add (world, name, &synod__ring_actor, &args, &world->ring[i]);
        rc = rc == SYNOD_OK ? synod_sim_add (sim, world->ring[i], &synod__lock_actor, NULL) : rc;
        rc = rc == SYNOD_OK ? synod_sim_start (sim, world->ring[i]) : rc;
    }
    rc = rc == SYNOD_OK ? add (world, "store", &lock_resource, NULL, &resource) : rc;
    rc = rc == SYNOD_OK ? synod_sim_start (sim, resource) : rc;
    for (uint32_t i = 0; i < world->clients && rc == SYNOD_OK; i++) {
        const struct {
            uint64_t number;
            char end;
        } holder = {.number = i};
        snprintf (name, sizeof name, "c%u", i + 1);
        world->client[i] = (lock_client_t){.world = world, .number = i};
        rc = add (world, name, &lock_holder, &holder, &world->client[i].node);
        rc = rc == SYNOD_OK ? synod_sim_start (sim, world->client[i].node) : rc;
    }
    world->history = synod_history_new (&synod_reentrant_lock_model, 0);
    world->operator_node = synod_sim_client (sim, "op");
    rc = rc == SYNOD_OK ? synod_sim_check (sim, "trust", check_trust, world) : rc;
    rc = rc == SYNOD_OK ? synod_sim_check (sim, "clients", check_clients, world) : rc;
    rc = rc == SYNOD_OK && world->forces ? synod_sim_after (sim, 2000000, force, world) : rc;
    return rc == SYNOD_OK ? synod_sim_after (sim, 300000, operate, world) : rc;
}

static int setup (synod_sim_t *sim, void *state)
{
    lock_world_t *world = (lock_world_t *) state;
    world->fenced = world->strict = true;
    world->drift_ppm = SYNOD_SIM_SKEW_MAX;
    return make_world (sim, world);
}

static int setup_tight (synod_sim_t *sim, void *state)
{
    ((lock_world_t *) state)->tight = true;
    return setup (sim, state);
}

static int setup_drift (synod_sim_t *sim, void *state)
{
    lock_world_t *world = (lock_world_t *) state;
    world->fenced = true;
    world->drift_ppm = 100;
    return make_world (sim, world);
}

static int setup_unfenced (synod_sim_t *sim, void *state)
{
    lock_world_t *world = (lock_world_t *) state;
    world->drift_ppm = 100;
    return make_world (sim, world);
}

static bool done (synod_sim_t *sim, void *state)
{
    const lock_world_t *world = (const lock_world_t *) state;
    (void) sim;
    for (uint32_t c = 0; c < world->clients; c++)
        for (uint32_t w = 0; w < LOCK_WORKERS; w++)
            if (!world->client[c].done[w] || world->client[c].stands[w].lock)
                return false;
    return true;
}

static int finish (synod_sim_t *sim, void *state)
{
    lock_world_t *world = (lock_world_t *) state;
    const synod_linear_bounds_t bounds = {.steps = LINEAR_STEPS};
    synod_linear_t result = {0};
    char text[160];
    snprintf (text, sizeof text,
              "%" PRIu64 " granted, %" PRIu64 " lost, %" PRIu64 " refused, %" PRIu64 " fenced off, %" PRIu64
              " by force, %" PRIu64 " circles",
              world->granted, world->lost, world->refused, world->fenced_off, world->forced, world->circles);
    synod_sim_note (sim, text);
    if (!world->strict)
        return SYNOD_OK;
    int rc = synod_linear_check (world->history, &bounds, &result);
    bool known = rc != SYNOD_OK || result.verdict != SYNOD_LINEAR_UNKNOWN;
    if (!known) /* who gave up may have held it at any time: many of them leave too much open */
        synod_sim_note (sim, "the history of the locks is too hard to check");
    synod_linear_free (&result);
    return known ? synod_sim_linear (sim, world->history, NULL) : SYNOD_OK;
}

static void fini (void *state)
{
    lock_world_t *world = (lock_world_t *) state;
    synod_history_destroy (&world->history);
    synod__lock_observer = NULL;
    lock_world = NULL;
}

#define SCENARIO(called, about, begin, both)                                                                    \
    {                                                                                                           \
        .name = called, .doc = about, .settings = {.heartbeat_ms = 200, .drain_ms = 2000, .direct = true},      \
        .either = both, .state_size = sizeof (lock_world_t), .settle_ms = 120000, .setup = begin, .done = done, \
        .finish = finish, .fini = fini                                                                          \
    }

const synod_scenario_t synod__scenario_lock =
    SCENARIO ("lock", "locks with leases, fences and queues, and clients that hold them", setup, true);
const synod_scenario_t synod__scenario_lock_tight =
    SCENARIO ("lock_tight", "few clients and locks, short leases: sessions end while answers are on their way",
              setup_tight, true);
/* Clocks beyond the bound that clients are told: fences hold all the same; and what becomes of it without them. */
const synod_scenario_t synod__scenario_lock_drift =
    SCENARIO ("lock_drift", "clocks beyond the bound: leases are worth nothing, fences hold", setup_drift, false);
const synod_scenario_t synod__scenario_lock_unfenced =
    SCENARIO ("lock_unfenced", "the same with a resource that ignores fences: it must fail", setup_unfenced, false);
