/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `paxos`: three or five acceptors, and clients that tell them of each other, propose different values for
 * the same few keys, and ask which were chosen; a minority of the acceptors loses its disk. After every step the disks
 * are compared with the invariants of paxos_check. Every answer for a key is one and the same value, and was proposed;
 * "none was chosen" is said only when none was before the question; a wiped acceptor is never one again; once the faults
 * are over everything is answered.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "actors/place/paxos_actor.h"
#include "actors/place/paxos_check.h"
#include "protocol/paxos_records.h"
#include "scenarios.h"

#define ACCEPTORS  5 /* or three */
#define CLIENTS    3
#define ASKERS     6
#define KEYS       64      /* a few at a time: */
#define KEYS_US    1000000 /* every so often they are others */
#define VALUE_MAX  4096
#define TIMEOUT_MS 3000
#define AGAIN      8       /* tries */
#define AGAIN_MS   150     /* each */
#define UP_US      4000000 /* heartbeats */
#define LAST_MS    8000    /* for what is asked once all is well */

typedef struct world_t world_t;

/* A key, its checker, and what the clients were told. */
typedef struct {
    char name[16];
    synod__paxos_check_t *check;
    bool learned;
    uint32_t size;
    char value[VALUE_MAX];
} item_t;

typedef struct {
    int node;
    bool wiped;
    uint64_t commits; /* when its disk was looked at last */
} acceptor_t;

typedef struct {
    world_t *world;
    int node;
    uint32_t number;
    uint32_t item;
    int target; /* acceptor asked; -1: any */
    bool proposes, init;
    bool chosen;    /* the key had a value when this was asked */
    bool wiped;     /* the target may be a wiped one */
    bool safe;      /* asked once all was well */
    uint32_t again; /* so many tries are left to propose for the same key to the same acceptor, which died meanwhile */
    uint32_t last;
} asker_t;

struct world_t {
    synod_sim_t *sim;
    uint32_t count;
    acceptor_t acceptors[ACCEPTORS];
    asker_t askers[ASKERS];
    item_t items[KEYS];
    uint32_t proposals;
    uint32_t eager, trips; /* asks in a thousand that propose; that do so to an acceptor which is about to die */
    uint64_t crashes;      /* when the disks were looked at last */
    int64_t up_us;         /* all acceptors have been there for long enough then */
    bool made;             /* the acceptors were told of each other */
    bool well;
};

static void ask_next (synod_sim_t *sim, void *arg);

static void must (world_t *world, int rc, const synod_fault_t *fault)
{
    if (rc != SYNOD_OK)
        synod_sim_fail (world->sim, "%s", fault->text);
}

/* ---- the disks ---- */

typedef struct {
    world_t *world;
    uint32_t acceptor;
} look_t;

static bool on_record (void *arg, synod_str_t key, synod_str_t value)
{
    const look_t *look = (const look_t *) arg;
    synod__paxos_record_t record;
    synod_fault_t fault = {0};
    uint32_t i = 0;
    while (i < KEYS && !synod_str_is (synod_str_n (key.data + 1, key.size - 1), look->world->items[i].name))
        i++;
    if (i == KEYS)
        synod_sim_fail (look->world->sim, "acceptor %u has a record of %.*s", look->acceptor, SYNOD_STR (key));
    else if (synod__paxos_record_unpack (&record, value, &fault) != SYNOD_OK)
        synod_sim_fail (look->world->sim, "acceptor %u: %s", look->acceptor, fault.text);
    else
        must (look->world, synod__paxos_check (look->world->items[i].check, look->acceptor, &record, &fault), &fault);
    return true;
}

static bool on_set (void *arg, synod_str_t key, synod_str_t value)
{
    const look_t *look = (const look_t *) arg;
    (void) value;
    return synod_sim_fail (look->world->sim, "acceptor %u was wiped, and has the %.*s again", look->acceptor,
                           SYNOD_STR (key)) == SYNOD_OK;
}

static void look_at (world_t *world, uint32_t at)
{
    acceptor_t *acceptor = &world->acceptors[at];
    look_t look = {world, at};
    synod_str_t from = synod_str (acceptor->wiped ? SYNOD__PAXOS_AT_SET : SYNOD__PAXOS_AT_KEYS);
    synod_str_t until = synod_str (acceptor->wiped ? SYNOD__PAXOS_AT_SET "\1" : "l");
    synod_sim_scan (world->sim, acceptor->node, SYNOD__PAXOS_ACTOR, from, until, acceptor->wiped ? on_set : on_record,
                    &look);
}

/* Those whose disk may have changed: that committed, or that may have died since. */
static int check_disks (synod_sim_t *sim, void *arg)
{
    world_t *world = (world_t *) arg;
    uint64_t crashes = synod_sim_stats (sim).crashes;
    for (uint32_t i = 0; i < world->count; i++) {
        acceptor_t *acceptor = &world->acceptors[i];
        uint64_t commits = synod_sim_commits (sim, acceptor->node);
        if (commits != acceptor->commits || crashes != world->crashes || acceptor->wiped)
            look_at (world, i);
        acceptor->commits = commits;
    }
    world->crashes = crashes;
    return synod_sim_violation (sim)->code;
}

/* A minority at most, and each once. */
static void wipe (synod_sim_t *sim, void *arg)
{
    world_t *world = (world_t *) arg;
    uint32_t at = (uint32_t) (synod_sim_random (sim) % world->count);
    acceptor_t *acceptor = &world->acceptors[at];
    if (synod_sim_healed (sim))
        return;
    if (!world->made || acceptor->wiped || synod_sim_state (sim, acceptor->node) != SYNOD_SIM_UP)
        synod_sim_after (sim, 500000, wipe, world);
    else {
        look_at (world, at);
        acceptor->wiped = true;
        synod_sim_crash (sim, acceptor->node);
        synod_sim_wipe (sim, acceptor->node);
        synod_sim_start (sim, acceptor->node);
    }
}

/* ---- the clients ---- */

static void think (synod_sim_t *sim, asker_t *asker)
{
    uint64_t chance = synod_sim_random (sim);
    int64_t most_us = chance % 4 ? 20000 : 400000;
    synod_sim_after (sim, 1000 + (int64_t) (chance >> 8) % most_us, ask_next, asker);
}

static void take_value (asker_t *asker, const synod__paxos_decided_t *out)
{
    world_t *world = asker->world;
    item_t *item = &world->items[asker->item];
    synod_fault_t fault = {0};
    if (out->value.size > VALUE_MAX)
        synod_sim_fail (world->sim, "%s has a value of %u bytes", item->name, out->value.size);
    else if (item->learned && !synod_str_same (synod_str_n (item->value, item->size), out->value))
        synod_sim_fail (world->sim, "%s was said to have two values: \"%.*s\", \"%.*s\"", item->name,
                        (int) (item->size < 40 ? item->size : 40), item->value,
                        (int) (out->value.size < 40 ? out->value.size : 40), out->value.data ? out->value.data : "");
    else if (!item->learned) {
        item->learned = true;
        item->size = out->value.size;
        if (out->value.size)
            memcpy (item->value, out->value.data, out->value.size);
    }
    must (world, synod__paxos_check_learned (item->check, out->value, &fault), &fault);
}

static bool says (synod_str_t text, const char *word)
{
    return text.data && memmem (text.data, text.size, word, strlen (word)) != NULL;
}

static bool any_wiped (const world_t *world)
{
    bool wiped = false;
    for (uint32_t i = 0; i < world->count; i++)
        wiped = wiped || world->acceptors[i].wiped;
    return wiped;
}

static bool may_be_wiped (const asker_t *asker)
{
    bool any = asker->init || asker->target < 0;
    return any ? any_wiped (asker->world) : asker->world->acceptors[asker->target].wiped;
}

/* What an ask may come to while things are wrong; and, of those, what it may when all is well. */
static void take_error (asker_t *asker, const synod_reply_t *reply)
{
    world_t *world = asker->world;
    bool expected = false;
    switch (reply->code) {
    case SYNOD_STOPPED: /* the client's own */
    case SYNOD_NO_ROUTE:
    case SYNOD_NODE_DOWN:
    case SYNOD_TIMEOUT:
    case SYNOD_BUSY:
        expected = !asker->safe;
        break;
    case SYNOD_NOT_FOUND:
        expected = !asker->init && !asker->proposes && !asker->chosen;
        break;
    case SYNOD_REFUSED: /* in words that say which set, or that there is none */
        /* it may have been wiped meanwhile, or sent on to one that was */
        expected = (may_be_wiped (asker) || !world->made) &&
                   (says (reply->message, "recorded") || says (reply->message, "another store"));
        break;
    default:
        break;
    }
    if (!expected)
        synod_sim_fail (world->sim, "%s of %s to %s%s ended with %s: %.*s",
                        asker->init       ? "an init"
                        : asker->proposes ? "a proposal"
                                          : "a question",
                        world->items[asker->item].name,
                        asker->target < 0 ? "any" : synod_sim_name (world->sim, world->acceptors[asker->target].node),
                        asker->wiped ? " (wiped)" : "", synod_error_name (reply->code), SYNOD_STR (reply->message));
}

static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    world_t *world = asker->world;
    synod__paxos_decided_t out;
    (void) client;
    if (reply->code != SYNOD_OK)
        take_error (asker, reply);
    else if (asker->init) {
        world->made = true;
        if (asker->wiped)
            synod_sim_fail (sim, "an init took a wiped acceptor for the one that it was");
    } else if (synod_record_unpack (&synod__paxos_decided_record, reply->body, &out, NULL) != SYNOD_OK)
        synod_sim_fail (sim, "an answer is none");
    else if (asker->wiped && asker->target >= 0)
        synod_sim_fail (sim, "%s was wiped, and answers", synod_sim_name (sim, world->acceptors[asker->target].node));
    else
        take_value (asker, &out);
    if (reply->code == SYNOD_OK)
        asker->again = 0;
    think (sim, asker);
}

static int ask_init (synod_sim_t *sim, asker_t *asker, const char *to)
{
    world_t *world = asker->world;
    synod__paxos_init_t in = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    for (uint32_t i = 0; i < world->count; i++) {
        synod__paxos_acceptor_t one = {.node = synod_str (synod_sim_name (sim, world->acceptors[i].node))};
        synod_list_add (&in.acceptors, &items, &synod__paxos_acceptor_record, &one, NULL);
    }
    int rc = synod_sim_ask (sim, asker->node, to, &synod__paxos_init_record, &in, TIMEOUT_MS, on_reply, asker);
    synod_buf_free (&items);
    return rc;
}

static int ask_value (synod_sim_t *sim, asker_t *asker, const char *to, uint64_t chance)
{
    world_t *world = asker->world;
    item_t *item = &world->items[asker->item];
    char value[VALUE_MAX] = {0};
    synod_fault_t fault = {0};
    uint32_t timeout_ms = asker->safe ? LAST_MS : asker->again ? AGAIN_MS : TIMEOUT_MS;
    if (!asker->proposes) {
        asker->chosen = item->learned || synod__paxos_check_chosen (item->check).data;
        synod__paxos_get_t in = {.key = synod_str (item->name)};
        return synod_sim_ask (sim, asker->node, to, &synod__paxos_get_record, &in, timeout_ms, on_reply, asker);
    }
    uint32_t size = (uint32_t) snprintf (value, sizeof value, "%s.%u", item->name, ++world->proposals);
    if (chance % 32 == 0)
        size = chance % 64 ? sizeof value : 0; /* the largest that a client has, and none */
    synod__paxos_propose_t in = {.key = synod_str (item->name), .value = synod_str_n (value, size)};
    must (world, synod__paxos_check_proposed (item->check, in.value, &fault), &fault);
    return synod_sim_ask (sim, asker->node, to, &synod__paxos_propose_record, &in, timeout_ms, on_reply, asker);
}

static void start_again (synod_sim_t *sim, void *arg)
{
    const acceptor_t *acceptor = (const acceptor_t *) arg;
    synod_sim_crash_after (sim, acceptor->node, UINT32_MAX); /* if it is still to come: no more */
    if (synod_sim_state (sim, acceptor->node) == SYNOD_SIM_DOWN)
        synod_sim_start (sim, acceptor->node);
}

/* The acceptor that drives a proposal dies in the middle of it, and gets another one for the same key. */
static void trip (synod_sim_t *sim, asker_t *asker, uint64_t chance)
{
    acceptor_t *acceptor = &asker->world->acceptors[asker->target];
    asker->again = AGAIN;
    asker->proposes = true;
    synod_sim_crash_after (sim, acceptor->node, (uint32_t) (chance % 12));
    synod_sim_after (sim, 1000 + (int64_t) (chance >> 8) % 100000, start_again, acceptor);
}

/* Once all is well: every key is asked for, at every acceptor in turn, and a last init. */
static void choose_last (asker_t *asker)
{
    world_t *world = asker->world;
    asker->safe = true;
    asker->init = asker->number == 0 && asker->last == 1;
    asker->item = (asker->last + asker->number * 7) % KEYS;
    asker->proposes = asker->last % 2;
    asker->target = (int) ((asker->last + asker->number) % world->count);
    while (asker->proposes && world->acceptors[asker->target].wiped) /* questions may go to one that has to refuse */
        asker->target = (asker->target + 1) % (int) world->count;
    asker->last--;
}

static void ask_next (synod_sim_t *sim, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    world_t *world = asker->world;
    char to[SYNOD_ADDRESS_MAX];
    uint64_t chance = synod_sim_random (sim);
    if (world->well && !asker->last)
        return;
    asker->safe = false;
    if (world->well)
        choose_last (asker);
    else if (asker->again)
        asker->again--;
    else {
        asker->init = !world->made || chance % 64 == 0;
        asker->item = (uint32_t) (((uint64_t) synod_sim_now_us (sim) / KEYS_US + (chance >> 8) % 3) % KEYS);
        asker->proposes = (chance >> 16) % 1000 < world->eager;
        asker->target = (chance >> 32) % 8 ? (int) ((chance >> 36) % world->count) : -1;
        if ((chance >> 26) % 1000 < world->trips && !asker->init && asker->target >= 0 && !synod_sim_healed (sim))
            trip (sim, asker, chance >> 40);
    }
    asker->wiped = may_be_wiped (asker);
    if (asker->target < 0)
        snprintf (to, sizeof to, SYNOD__PAXOS_ACTOR);
    else
        snprintf (to, sizeof to, "%s/" SYNOD__PAXOS_ACTOR, synod_sim_name (sim, world->acceptors[asker->target].node));
    int rc = asker->init ? ask_init (sim, asker, to) : ask_value (sim, asker, to, chance >> 40);
    if (rc == SYNOD_OK)
        return;
    asker->last += asker->safe;
    think (sim, asker); /* the client itself is not on the bus */
}

/* ---- the world ---- */

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    char name[16];
    world->sim = sim;
    static const uint32_t eager[] = {700, 700, 100, 20}, trips[] = {0, 10, 50, 200};
    world->count = synod_sim_random (sim) % 2 ? 3 : ACCEPTORS;
    world->trips = trips[synod_sim_random (sim) % 4];
    world->eager = eager[synod_sim_random (sim) % 4];
    for (uint32_t i = 0; i < world->count; i++) {
        snprintf (name, sizeof name, "a%u", i + 1);
        world->acceptors[i].node = synod_sim_up (sim, name, &synod__paxos_actor, NULL);
        if (!world->acceptors[i].node)
            return synod_sim_error (sim)->code;
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        snprintf (world->items[i].name, sizeof world->items[i].name, "key-%u", i);
        world->items[i].check = synod__paxos_check_new (world->count);
        if (!world->items[i].check)
            return SYNOD_NO_MEMORY;
    }
    for (uint32_t i = 0; i < ASKERS; i++) {
        snprintf (name, sizeof name, "c%u", i + 1);
        int node = i < CLIENTS ? synod_sim_client (sim, name) : world->askers[i % CLIENTS].node;
        if (!node)
            return synod_sim_error (sim)->code;
        world->askers[i] = (asker_t){.world = world, .node = node, .number = i, .last = KEYS};
        think (sim, &world->askers[i]);
    }
    uint32_t wipes = (uint32_t) (synod_sim_random (sim) % (world->count / 2 + 1));
    for (uint32_t i = 0; i < wipes; i++)
        synod_sim_after (sim, (int64_t) (synod_sim_random (sim) % 50000000), wipe, world);
    return synod_sim_check (sim, "paxos", check_disks, world);
}

/* Whether all acceptors are there, and have been for so long that all know it. */
static bool all_up (synod_sim_t *sim, world_t *world)
{
    int64_t now_us = synod_sim_now_us (sim);
    for (uint32_t i = 0; i < world->count; i++) {
        if (synod_sim_state (sim, world->acceptors[i].node) != SYNOD_SIM_UP)
            world->up_us = now_us + UP_US;
    }
    return now_us >= world->up_us;
}

/* First what was asked while things were wrong must end, then the last asks begin. */
static bool done (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    if (!world->made || (!world->well && !all_up (sim, world)))
        return false;
    for (uint32_t i = 0; i < ASKERS; i++)
        if (world->askers[i].last)
            return world->well = true, false;
    return synod_sim_asks (sim) == 0;
}

/* Every key was proposed for, at the latest at the end. */
static int finish (synod_sim_t *sim, void *state)
{
    const world_t *world = (const world_t *) state;
    for (uint32_t i = 0; i < KEYS; i++)
        if (!world->items[i].learned)
            return synod_sim_fail (sim, "%s is not decided", world->items[i].name);
    return SYNOD_OK;
}

static void fini (void *state)
{
    world_t *world = (world_t *) state;
    for (uint32_t i = 0; i < KEYS; i++)
        synod__paxos_check_destroy (&world->items[i].check);
}

const synod_scenario_t synod__scenario_paxos = {
    .name = "paxos",
    .doc = "acceptors that decide values, and of which a minority loses its disk",
    .either = true,
    .state_size = sizeof (world_t),
    .setup = setup,
    .done = done,
    .finish = finish,
    .fini = fini,
};
