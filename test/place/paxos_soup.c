/* SPDX-License-Identifier: MPL-2.0
 *
 * The world for Paxos (see paxos_soup.h). A node is an acceptor, or a proposer that is none; each makes one effort
 * after the other, to propose or to learn. Invariant: what a step wrote is on the disk before what it sent is in the
 * soup, and a crash may come between the two, or before both.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "actors/place/paxos_check.h"
#include "paxos_soup.h"
#include "place_test.h"

#define NODES     7
#define SOUP_MAX  512
#define STEPS     600
#define HEALED    4000 /* steps within which all must end when the faults have */
#define VALUE_MAX 32

typedef struct {
    char name[8];
    synod__paxos_self_t self;
    synod_buf_t disk; /* the acceptor's record */
    uint64_t disk_round;
    bool wiped;
    /* lost in a crash */
    uint64_t round;
    synod__proposer_t proposer;
    bool busy, timer;
    bool known; /* a value was chosen before the effort began */
} node_t;

typedef struct {
    uint32_t to;
    synod__paxos_message_t message;
    char value[VALUE_MAX];
} mail_t;

typedef struct {
    uint64_t random;
    uint32_t acceptors, nodes, efforts;
    uint32_t lose, repeat, crash; /* per thousand */
    bool healed;
    synod__paxos_set_t set;
    node_t node[NODES];
    mail_t mail[SOUP_MAX];
    uint32_t count;
    synod__paxos_check_t *check;
    soup_counts_t *counts;
    synod_fault_t *fault;
    bool failed;
} world_t;

static uint32_t s_chance (world_t *world, uint32_t most)
{
    return (uint32_t) (check_random (&world->random) >> 20) % most;
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

static void s_post (world_t *world, uint32_t to, const synod__paxos_message_t *message)
{
    if (world->count == SOUP_MAX || (!world->healed && s_chance (world, 1000) < world->lose)) {
        world->counts->lost++;
        return;
    }
    mail_t *mail = &world->mail[world->count++];
    mail->to = to;
    mail->message = *message;
    mail->message.value = synod_str_n (message->value.data ? mail->value : NULL, message->value.size);
    assert (message->value.size <= VALUE_MAX);
    if (message->value.data)
        memcpy (mail->value, message->value.data, message->value.size);
}

static void s_crash (world_t *world, node_t *node)
{
    world->counts->crashes++;
    synod__proposer_free (&node->proposer);
    node->busy = node->timer = false;
    node->round = node->disk_round;
}

/* The crashes around a write: 0 none, 1 before it, 2 after it. */
static uint32_t s_crash_point (world_t *world)
{
    return world->healed || s_chance (world, 1000) >= world->crash ? 0 : 1 + s_chance (world, 2);
}

static void s_perform (world_t *world, uint32_t at, const synod__proposer_step_t *step)
{
    node_t *node = &world->node[at];
    uint32_t crash = step->write ? s_crash_point (world) : 0;
    if (step->write && crash != 1)
        node->disk_round = step->round;
    if (step->done) {
        node->busy = false;
        if (step->code == SYNOD_OK) {
            world->counts->learned++;
            s_must (world, synod__paxos_check_learned (world->check, step->value, world->fault));
        } else if (step->code == SYNOD_NOT_FOUND) {
            world->counts->not_found++;
            if (node->known)
                s_must (world, synod_fault (world->fault, SYNOD_FAILED, "%s found nothing, and a value was chosen",
                                            node->name));
        } else
            s_must (world, synod_fault (world->fault, SYNOD_FAILED, "%s ended with %s", node->name,
                                        synod_error_name (step->code)));
    }
    if (crash) {
        s_crash (world, node);
        return;
    }
    for (uint32_t i = 0; i < world->acceptors; i++)
        if (step->to & 1u << i)
            /* the set is by name, and names are in the order of the nodes */
            s_post (world, i, &step->message);
    if (step->wait_ms)
        node->timer = true;
}

static void s_begin (world_t *world, uint32_t at)
{
    node_t *node = &world->node[at];
    char value[VALUE_MAX];
    synod__proposer_step_t step;
    synod_str_t own = synod_str_n (NULL, 0);
    world->efforts++;
    if (s_chance (world, 4)) {
        own = synod_str_n (value, (size_t) snprintf (value, sizeof value, "%s.%u", node->name, world->efforts));
        s_must (world, synod__paxos_check_proposed (world->check, own, world->fault));
    }
    node->busy = true;
    node->known = synod__paxos_check_chosen (world->check).data != NULL;
    synod__proposer_begin (&node->proposer, &world->set, &node->self, &node->round, own, check_random (&world->random),
                           &step);
    s_perform (world, at, &step);
}

static void s_accept (world_t *world, uint32_t at, const synod__paxos_message_t *message)
{
    node_t *node = &world->node[at];
    synod__paxos_record_t stored;
    synod__acceptor_step_t step;
    uint32_t from = (uint32_t) (message->name.data[0] - 'a');
    s_must (world, synod__paxos_record_unpack (&stored, synod_str_n (node->disk.data, node->disk.size), world->fault));
    synod__acceptor_step (&world->set, &node->self, &stored, message, &step);
    uint32_t crash = step.write ? s_crash_point (world) : 0;
    if (step.send)
        assert (step.message.value.size <= VALUE_MAX);
    if (crash == 0 && step.send) {
        world->counts->behind += step.message.kind == SYNOD__PAXOS_BEHIND;
        s_post (world, from, &step.message);
    }
    if (step.write && crash != 1) {
        synod_buf_t packed = {0};
        s_must (world, synod__paxos_record_pack (&step.record, &packed));
        synod_buf_free (&node->disk);
        node->disk = packed;
        s_must (world, synod__paxos_record_unpack (&stored, synod_str_n (packed.data, packed.size), world->fault));
        if (!node->wiped) /* the checker sees what is on the disk, as it would be read */
            s_must (world, synod__paxos_check (world->check, at, &stored, world->fault));
    }
    if (crash)
        s_crash (world, node);
}

/* One of the soup, taken out or left in as a repeat. */
static void s_deliver (world_t *world)
{
    uint32_t index = s_chance (world, world->count);
    mail_t mail = world->mail[index];
    if (mail.message.value.data)
        mail.message.value.data = mail.value;
    if (!world->healed && s_chance (world, 1000) < world->repeat)
        world->counts->repeated++;
    else {
        mail_t *last = &world->mail[--world->count];
        mail_t *hole = &world->mail[index];
        *hole = *last;
        if (hole->message.value.data)
            hole->message.value.data = hole->value;
    }
    synod__proposer_step_t step;
    node_t *node = &world->node[mail.to];
    if (mail.to < world->acceptors)
        s_accept (world, mail.to, &mail.message);
    if (node->busy) {
        synod__proposer_take (&node->proposer, &mail.message, check_random (&world->random), &step);
        s_perform (world, mail.to, &step);
    }
}

static void s_wipe (world_t *world, uint32_t at)
{
    node_t *node = &world->node[at];
    world->counts->wipes++;
    synod_buf_free (&node->disk);
    node->disk_round = 0;
    node->wiped = true;
    s_crash (world, node);
    s_new_store (world, node);
}

static void s_step (world_t *world)
{
    uint32_t at = s_chance (world, world->nodes), what = s_chance (world, 100);
    node_t *node = &world->node[at];
    if (world->count && (what < 70 || world->healed))
        s_deliver (world);
    else if (!node->busy && (what < 80 || world->healed))
        s_begin (world, at);
    else if (node->busy && node->timer) {
        synod__proposer_step_t step;
        node->timer = false;
        synod__proposer_timer (&node->proposer, check_random (&world->random), &step);
        s_perform (world, at, &step);
    } else if (!world->healed && s_chance (world, 1000) < world->crash)
        s_crash (world, node);
}

static void s_make (world_t *world)
{
    synod__acceptor_name_t acceptors[NODES] = {{{0}, {{0}}}};
    world->acceptors = s_chance (world, 3) ? 3 : 1 + 2 * s_chance (world, 3);
    world->nodes = world->acceptors + s_chance (world, 3);
    for (uint32_t i = 0; i < world->nodes; i++) {
        node_t *node = &world->node[i];
        snprintf (node->name, sizeof node->name, "%c", 'a' + (int) i);
        node->self.name = synod_str (node->name);
        s_new_store (world, node);
        memcpy (acceptors[i].name, node->name, sizeof node->name);
        acceptors[i].id = node->self.id;
    }
    s_must (world, synod__paxos_set_make (&world->set, acceptors, world->acceptors, world->fault));
    world->lose = s_chance (world, 300);
    world->repeat = s_chance (world, 500);
    world->crash = s_chance (world, 150);
}

/* No more faults: every effort ends. */
static void s_heal (world_t *world)
{
    uint32_t done = world->counts->learned + world->counts->not_found;
    world->healed = true;
    world->count = 0;
    for (uint32_t i = 0; i < HEALED && !world->failed; i++) {
        s_step (world);
        if (world->counts->learned + world->counts->not_found >= done + 3 * world->nodes)
            return;
    }
    if (!world->failed)
        s_must (world, synod_fault (world->fault, SYNOD_FAILED, "the faults have ended, and the efforts do not"));
}

bool soup_run (uint64_t seed, soup_counts_t *counts, synod_fault_t *fault)
{
    world_t *world = (world_t *) calloc (1, sizeof *world);
    assert_non_null (world);
    world->random = (seed + 1) * 0x9e3779b97f4a7c15ull;
    world->counts = counts;
    world->fault = fault;
    counts->runs++;
    s_make (world);
    world->check = synod__paxos_check_new (world->acceptors);
    assert_non_null (world->check);
    uint32_t wipe_at = s_chance (world, 3) == 0 && world->acceptors > 1 ? s_chance (world, STEPS) : STEPS;
    for (uint32_t i = 0; i < STEPS && !world->failed; i++) {
        if (i == wipe_at)
            s_wipe (world, s_chance (world, world->acceptors));
        s_step (world);
    }
    if (!world->failed)
        s_heal (world);
    bool ok = !world->failed;
    for (uint32_t i = 0; i < world->nodes; i++) {
        synod_buf_free (&world->node[i].disk);
        synod__proposer_free (&world->node[i].proposer);
    }
    synod__paxos_check_destroy (&world->check);
    free (world);
    return ok;
}
