/* SPDX-License-Identifier: MPL-2.0
 *
 * The world for voting (see vote_soup.h). Invariant: what a step wrote forced is on the disk before what it sent is in
 * the soup; a crash may come before both, between the two, or amid what is sent. What was written lazily is lost in a
 * crash unless chance, or a later forced write of that node, has brought it to the disk.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "test/protocol/check.h"
#include "vote_soup.h"

#define PARTIES   4
#define ACCEPTORS 5
#define SOUP_MAX  1024
#define STEPS     400
#define HEALED    20000 /* steps within which all must be decided when the faults have ended */

typedef struct {
    synod__paxos_self_t self;
    char name[8];
    bool down, far; /* far: on the other side of the cut */
    bool timer;
} node_t;

typedef struct {
    node_t node;
    synod__party_record_t disk, cache;
    synod__party_t core;
    bool known; /* CORE is in use */
    bool named; /* its owner is the one that the transaction names */
} party_t;

typedef struct {
    node_t node;
    synod_buf_t disk[PARTIES];
} acceptor_t;

typedef struct {
    synod__vote_role_t role;
    uint32_t to;
    synod__vote_message_t message;
} mail_t;

typedef struct {
    uint64_t random;
    soup_weather_t weather;
    uint32_t lose, repeat, crash, hand; /* per thousand */
    bool healed, cut;
    uint32_t cut_at, mended_at, step;
    synod__vote_tx_t tx;
    struct {
        node_t node;
        bool on_disk, in_cache, there;
        bool reborn; /* from nothing, when asked: what it finds out is nobody's answer */
        synod__coordinator_record_t disk, cache;
        synod__coordinator_t core;
        uint32_t timers;
    } coordinator;
    party_t parties[PARTIES];
    acceptor_t acceptors[ACCEPTORS];
    mail_t mail[SOUP_MAX];
    uint32_t count;
    synod__vote_check_t check;
    synod__vote_step_t step_room;
    soup_counts_t *counts;
    synod_fault_t *fault;
    bool failed;
} world_t;

static uint32_t s_chance (world_t *world, uint32_t most)
{
    return (uint32_t) (check_random (&world->random) >> 20) % most;
}

static bool s_per_thousand (world_t *world, uint32_t rate)
{
    return !world->healed && s_chance (world, 1000) < rate;
}

static void s_must (world_t *world, int rc)
{
    world->failed = world->failed || rc != SYNOD_OK;
}

static void s_new_store (world_t *world, node_t *node)
{
    for (size_t i = 0; i < sizeof node->self.id.bytes; i++)
        node->self.id.bytes[i] = (uint8_t) (1 + s_chance (world, 255));
}

static node_t *s_node (world_t *world, synod__vote_role_t role, uint32_t at)
{
    return role == SYNOD__ROLE_COORDINATOR ? &world->coordinator.node
           : role == SYNOD__ROLE_PARTY     ? &world->parties[at].node
                                           : &world->acceptors[at].node;
}

/* ---- the soup ---- */

static void s_post (world_t *world, const node_t *from, synod__vote_role_t role, uint32_t to,
                    const synod__vote_message_t *message)
{
    bool cut = world->cut && from->far != s_node (world, role, to)->far;
    if (cut || world->count == SOUP_MAX || (world->weather == SOUP_ASYNC && s_per_thousand (world, world->lose))) {
        world->counts->lost++;
        return;
    }
    world->mail[world->count++] = (mail_t){role, to, *message};
}

/* Where in a step a crash comes: 0 nowhere, 1 before the write, 2 after it, 3 amid the sends. */
static uint32_t s_crash_point (world_t *world)
{
    return s_per_thousand (world, world->crash) ? 1 + s_chance (world, 3) : 0;
}

static void s_send (world_t *world, const node_t *from, const synod__vote_send_t *sends, uint32_t nsends, bool some)
{
    for (uint32_t i = 0; i < nsends; i++)
        for (uint32_t to = 0; to < 32; to++)
            if (sends[i].bits & 1u << to && !(some && s_chance (world, 2)))
                s_post (world, from, sends[i].role, to, &sends[i].message);
}

/* ---- crashes ---- */

static void s_crash_coordinator (world_t *world)
{
    world->counts->crashes++;
    synod__coordinator_free (&world->coordinator.core);
    world->coordinator.there = world->coordinator.node.timer = false;
    world->coordinator.cache = world->coordinator.disk;
    world->coordinator.in_cache = world->coordinator.on_disk;
    world->coordinator.node.down = true;
}

static void s_crash_party (world_t *world, party_t *party)
{
    world->counts->crashes++;
    if (party->known)
        synod__party_free (&party->core);
    party->known = party->node.timer = false;
    party->cache = party->disk;
    party->node.down = true;
}

/* ---- carrying steps out ---- */

static void s_do_coordinator (world_t *world)
{
    synod__vote_step_t *step = &world->step_room;
    uint32_t crash = step->write ? s_crash_point (world) : 0;
    if (crash == 1) {
        s_send (world, &world->coordinator.node, step->sends, step->early ? step->nsends : 0, true);
        s_crash_coordinator (world);
        return;
    }
    if (step->write) {
        world->coordinator.cache = world->coordinator.core.record;
        world->coordinator.in_cache = !step->ended;
    }
    if (step->write == SYNOD__WRITE_FORCED || (step->write && s_chance (world, 2) == 0)) {
        world->coordinator.disk = world->coordinator.cache;
        world->coordinator.on_disk = world->coordinator.in_cache;
    }
    if (crash == 0 && step->decided && !world->coordinator.reborn) {
        uint32_t *count =
            step->decided == SYNOD__OUTCOME_COMMITTED ? &world->counts->committed : &world->counts->aborted;
        (*count)++;
        s_must (world, synod__vote_check_decided (&world->check, SYNOD__PARTIES_MAX, step->decided, world->fault));
    }
    if (crash != 2)
        s_send (world, &world->coordinator.node, step->sends, step->nsends, crash == 3);
    world->coordinator.node.timer = world->coordinator.node.timer || step->wait_ms;
    if (crash)
        s_crash_coordinator (world);
    else if (step->ended) {
        synod__coordinator_free (&world->coordinator.core);
        world->coordinator.there = false;
    }
}

static void s_said (world_t *world, uint32_t at, const synod__vote_send_t *send)
{
    const synod__vote_message_t *message = &send->message;
    synod__vote_t vote = SYNOD__VOTE_NONE;
    if (message->kind == SYNOD__SAY_VOTE && message->vote == SYNOD__VOTE_YES)
        vote = SYNOD__VOTE_YES;
    if (message->kind == SYNOD__SAY_PAXOS && message->paxos.ballot.round == 1)
        vote = SYNOD__VOTE_YES;
    if (vote != SYNOD__VOTE_NONE)
        s_must (world, synod__vote_check_said (&world->check, at, vote, world->fault));
}

static void s_do_party (world_t *world, uint32_t at)
{
    party_t *party = &world->parties[at];
    synod__vote_step_t *step = &world->step_room;
    uint32_t crash = step->write ? s_crash_point (world) : 0;
    if (crash == 1) {
        s_crash_party (world, party);
        return;
    }
    if (step->write)
        party->cache = party->core.record;
    if (step->write == SYNOD__WRITE_FORCED || (step->write && s_chance (world, 2) == 0)) {
        party->disk = party->cache;
        s_must (world, synod__vote_check_disk (&world->check, at, &party->disk, world->fault));
    }
    if (crash == 0 && step->decided)
        s_must (world, synod__vote_check_decided (&world->check, at, step->decided, world->fault));
    if (crash != 2) {
        for (uint32_t i = 0; i < step->nsends; i++)
            s_said (world, at, &step->sends[i]);
        s_send (world, &party->node, step->sends, step->nsends, crash == 3);
    }
    if (step->nsends && step->sends[0].role == SYNOD__ROLE_ACCEPTOR && party->core.tally.efforts)
        world->counts->recovered++;
    party->node.timer = party->node.timer || step->wait_ms;
    if (crash)
        s_crash_party (world, party);
}

/* The participant's core, made from its disk if it has none. */
static synod__party_t *s_core (world_t *world, uint32_t at)
{
    party_t *party = &world->parties[at];
    if (!party->known)
        synod__party_begin (&party->core, &world->tx, at, &party->cache, &party->node.self, party->named);
    party->known = true;
    return &party->core;
}

static void s_up (world_t *world, synod__vote_role_t role, uint32_t at)
{
    node_t *node = s_node (world, role, at);
    node->down = false;
    if (role == SYNOD__ROLE_PARTY) {
        synod__party_return (s_core (world, at), check_random (&world->random), &world->step_room);
        s_do_party (world, at);
    } else if (role == SYNOD__ROLE_COORDINATOR && world->coordinator.on_disk) {
        world->coordinator.there = true;
        if (!world->coordinator.reborn)
            s_must (world, synod__vote_check_decided (&world->check, SYNOD__PARTIES_MAX,
                                                      world->coordinator.disk.outcome, world->fault));
        synod__coordinator_return (&world->coordinator.core, &world->tx, &world->coordinator.disk, &node->self,
                                   check_random (&world->random), &world->step_room);
        s_do_coordinator (world);
    }
}

/* Another node takes over, with what is on the disk. */
static void s_hand_over (world_t *world)
{
    world->counts->handed++;
    uint32_t at = s_chance (world, world->tx.parties + 1);
    if (at == world->tx.parties) {
        s_crash_coordinator (world);
        s_new_store (world, &world->coordinator.node);
        s_up (world, SYNOD__ROLE_COORDINATOR, 0);
        return;
    }
    party_t *party = &world->parties[at];
    s_crash_party (world, party);
    s_new_store (world, &party->node);
    party->named = false;
    if (SYNOD__VOTE_MUTANT (LEFT_BEHIND))
        party->disk = party->cache = (synod__party_record_t){SYNOD__PARTY_IDLE, false, 0};
    s_up (world, SYNOD__ROLE_PARTY, at);
}

/* ---- messages ---- */

static void s_to_coordinator (world_t *world, const synod__vote_message_t *message)
{
    if (!world->coordinator.there) {
        bool asks = message->kind == SYNOD__SAY_ASK || message->kind == SYNOD__SAY_VOTE;
        synod__coordinator_absent (world->tx.protocol, message, &world->step_room);
        s_send (world, &world->coordinator.node, world->step_room.sends, world->step_room.nsends, false);
        if (!asks || world->tx.protocol != SYNOD__VOTE_PAXOS)
            return;
        synod__coordinator_record_t nothing = {0};
        world->coordinator.there = world->coordinator.reborn = true;
        synod__coordinator_return (&world->coordinator.core, &world->tx, &nothing, &world->coordinator.node.self,
                                   check_random (&world->random), &world->step_room);
        s_do_coordinator (world);
        return;
    }
    synod__coordinator_take (&world->coordinator.core, message, check_random (&world->random), &world->step_room);
    s_do_coordinator (world);
}

static void s_to_party (world_t *world, uint32_t at, const synod__vote_message_t *message)
{
    synod__party_t *core = s_core (world, at);
    if (message->kind == SYNOD__SAY_PREPARE) {
        uint32_t will = s_chance (world, 12);
        synod__party_prepare (core,
                              will == 0   ? SYNOD__VOTE_NO
                              : will == 1 ? SYNOD__VOTE_EMPTY
                                          : SYNOD__VOTE_YES,
                              check_random (&world->random), &world->step_room);
    } else
        synod__party_take (core, message, check_random (&world->random), &world->step_room);
    s_do_party (world, at);
}

static void s_to_acceptor (world_t *world, uint32_t at, const synod__vote_message_t *message)
{
    acceptor_t *acceptor = &world->acceptors[at];
    synod_buf_t *disk = &acceptor->disk[message->instance];
    synod__paxos_record_t stored;
    synod__vote_acceptor_step_t step;
    s_must (world, synod__paxos_record_unpack (&stored, synod_str_n (disk->data, disk->size), world->fault));
    synod__vote_accept (&world->tx, at, &acceptor->node.self, &stored, message, &step);
    if (step.forget)
        for (uint32_t i = 0; i < PARTIES; i++)
            synod_buf_free (&acceptor->disk[i]);
    uint32_t crash = step.write ? s_crash_point (world) : 0;
    /* a value is one of two constants, so that the message outlives the record that is replaced */
    if (step.nsends && step.send.message.paxos.value.data)
        step.send.message.paxos.value = synod__vote_value (synod__vote_of_value (step.send.message.paxos.value));
    if (step.write && crash != 1) {
        synod_buf_t packed = {0};
        s_must (world, synod__paxos_record_pack (&step.record, &packed));
        synod_buf_free (disk);
        *disk = packed;
    }
    if (step.nsends && !crash)
        s_send (world, &acceptor->node, &step.send, 1, false);
    acceptor->node.down = crash != 0;
    world->counts->crashes += crash != 0;
}

static void s_deliver (world_t *world)
{
    uint32_t index = s_chance (world, world->count);
    mail_t mail = world->mail[index];
    if (world->weather == SOUP_ASYNC && s_per_thousand (world, world->repeat))
        world->counts->repeated++;
    else
        world->mail[index] = world->mail[--world->count];
    if (s_node (world, mail.role, mail.to)->down)
        return;
    world->counts->asked_peers += mail.message.kind == SYNOD__SAY_ASK && mail.role == SYNOD__ROLE_PARTY;
    if (mail.role == SYNOD__ROLE_COORDINATOR)
        s_to_coordinator (world, &mail.message);
    else if (mail.role == SYNOD__ROLE_PARTY)
        s_to_party (world, mail.to, &mail.message);
    else
        s_to_acceptor (world, mail.to, &mail.message);
}

/* ---- time ---- */

static void s_timer (world_t *world, synod__vote_role_t role, uint32_t at)
{
    node_t *node = s_node (world, role, at);
    if (node->down || !node->timer || role == SYNOD__ROLE_ACCEPTOR)
        return;
    node->timer = false;
    if (role == SYNOD__ROLE_PARTY) {
        synod__party_timer (s_core (world, at), check_random (&world->random), &world->step_room);
        s_do_party (world, at);
    } else if (world->coordinator.there) {
        bool expired = ++world->coordinator.timers > 4 || s_chance (world, 8) == 0;
        synod__coordinator_timer (&world->coordinator.core, expired, check_random (&world->random), &world->step_room);
        s_do_coordinator (world);
    }
}

static synod__vote_role_t s_any (world_t *world, uint32_t *at)
{
    uint32_t number = s_chance (world, 1 + world->tx.parties + world->tx.acceptors.count);
    *at = number == 0 ? 0 : number <= world->tx.parties ? number - 1 : number - 1 - world->tx.parties;
    return number == 0                   ? SYNOD__ROLE_COORDINATOR
           : number <= world->tx.parties ? SYNOD__ROLE_PARTY
                                         : SYNOD__ROLE_ACCEPTOR;
}

static void s_crash (world_t *world, synod__vote_role_t role, uint32_t at)
{
    if (role == SYNOD__ROLE_COORDINATOR)
        s_crash_coordinator (world);
    else if (role == SYNOD__ROLE_PARTY)
        s_crash_party (world, &world->parties[at]);
    s_node (world, role, at)->down = true;
}

static void s_step (world_t *world)
{
    uint32_t at, what = s_chance (world, 100);
    synod__vote_role_t role = s_any (world, &at);
    node_t *node = s_node (world, role, at);
    bool timely = world->weather != SOUP_ASYNC;
    world->cut = world->weather == SOUP_CUT && world->step >= world->cut_at && world->step < world->mended_at;
    world->step++;
    if (node->down && (world->healed || what < 10))
        s_up (world, role, at);
    else if (world->count && (timely || world->healed || what < 75))
        s_deliver (world);
    else if (what < 97)
        s_timer (world, role, at);
    if (s_per_thousand (world, world->crash) && s_chance (world, 8) == 0 && !node->down)
        s_crash (world, role, at);
    else if (!timely && s_per_thousand (world, world->hand) && !s_node (world, role, at)->down)
        s_hand_over (world);
}

static bool s_done (world_t *world)
{
    for (uint32_t i = 0; i < world->tx.parties; i++)
        if (world->parties[i].node.down || synod__party_waits (s_core (world, i)))
            return false;
    return !world->coordinator.there && !world->coordinator.node.down;
}

/* No more faults: everybody decides. */
static void s_heal (world_t *world)
{
    world->healed = true;
    world->mended_at = 0;
    if (world->weather == SOUP_ASYNC)
        world->count = 0;
    for (uint32_t i = 0; i < HEALED && !world->failed; i++) {
        s_step (world);
        if (s_done (world))
            return;
    }
    if (!world->failed)
        s_must (world, synod_fault (world->fault, SYNOD_FAILED, "the faults have ended, and not all have decided"));
}

static void s_name (world_t *world, node_t *node, char what, uint32_t number)
{
    snprintf (node->name, sizeof node->name, "%c%u", what, number);
    node->self.name = synod_str (node->name);
    s_new_store (world, node);
}

static void s_make (world_t *world, synod__vote_protocol_t protocol)
{
    world->tx.protocol = protocol;
    world->tx.parties = 2 + s_chance (world, PARTIES - 1);
    world->check.parties = world->tx.parties;
    uint32_t acceptors = protocol == SYNOD__VOTE_PAXOS ? 1 + 2 * s_chance (world, 3) : 0;
    synod__acceptor_name_t names[ACCEPTORS] = {{{0}, {{0}}}};
    for (uint32_t i = 0; i < ACCEPTORS; i++) {
        node_t *node = &world->acceptors[i].node;
        s_name (world, node, 'a', i);
        memcpy (names[i].name, node->name, sizeof node->name);
        names[i].id = node->self.id;
    }
    if (acceptors)
        s_must (world, synod__paxos_set_make (&world->tx.acceptors, names, acceptors, world->fault));
    s_name (world, &world->coordinator.node, 'c', 0);
    for (uint32_t i = 0; i < world->tx.parties; i++) {
        party_t *party = &world->parties[i];
        s_name (world, &party->node, 'p', i);
        party->named = true;
        party->node.far = s_chance (world, 2);
    }
    world->lose = s_chance (world, 300), world->repeat = s_chance (world, 500);
    world->crash = s_chance (world, 150);
    world->hand = s_chance (world, 4) == 0 ? s_chance (world, 40) : 0;
    world->cut_at = s_chance (world, 40);
    world->mended_at = world->cut_at + 20 + s_chance (world, STEPS);
}

bool soup_run (uint64_t seed, synod__vote_protocol_t protocol, soup_weather_t weather, soup_counts_t *counts,
               synod_fault_t *fault)
{
    world_t *world = (world_t *) calloc (1, sizeof *world);
    assert_non_null (world);
    world->random = (seed + 1) * 0x9e3779b97f4a7c15ull;
    world->weather = weather;
    world->counts = counts;
    world->fault = fault;
    counts->runs++;
    s_make (world, protocol);
    world->coordinator.there = true;
    synod__coordinator_begin (&world->coordinator.core, &world->tx, &world->coordinator.node.self,
                              check_random (&world->random), &world->step_room);
    s_do_coordinator (world);
    for (uint32_t i = 0; i < STEPS && !world->failed; i++)
        s_step (world);
    if (!world->failed)
        s_heal (world);
    bool ok = !world->failed;
    synod__coordinator_free (&world->coordinator.core);
    for (uint32_t i = 0; i < world->tx.parties; i++)
        if (world->parties[i].known)
            synod__party_free (&world->parties[i].core);
    for (uint32_t i = 0; i < ACCEPTORS; i++)
        for (uint32_t p = 0; p < PARTIES; p++)
            synod_buf_free (&world->acceptors[i].disk[p]);
    free (world);
    return ok;
}
