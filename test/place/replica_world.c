/* SPDX-License-Identifier: MPL-2.0
 *
 * What happens to a node and between nodes (see replica_world.h). Invariants: a node's turn is committed before anything
 * of it is in the soup, but for what may leave early; what the checker sees is what is on the disks.
 */
#include <stdlib.h>
#include "replica_world.h"

void world_spare (world_t *world, node_mail_t *mail)
{
    world->spare[world->nspare++] = mail;
}

static node_mail_t *s_on_mail (void *arg)
{
    world_t *world = (world_t *) arg;
    return world->nspare ? world->spare[--world->nspare] : NULL;
}

void world_new_store (world_t *world, uint32_t at)
{
    node_disk_t *disk = &world->node[at].disk;
    memset (disk, 0, sizeof *disk);
    disk->id.bytes[0] = 1;
    disk->id.bytes[7] = (uint8_t) at;
    disk->id.bytes[15] = ++world->lives[at];
}

static const synod__replica_view_t *s_view (const world_t *world, const node_t *node)
{
    return &world->views[node->view];
}

/* ---- turns ---- */

void world_enter (world_t *world, node_t *node)
{
    uint32_t first = world->first[node->view];
    node_perform (node,
                  synod__replica_enter (&node->replica, s_view (world, node), &world->views[first], node->view - first),
                  s_on_mail, world);
}

/* An owner crashes that has on its disk what HEAD says. Another that has more does not hear of what it does next, and an
 * epoch comes soon: who is the newest is not who has the most. */
static void s_shortened (world_t *world, const node_t *node, const synod__replica_head_t *head)
{
    uint32_t at = world_node_of (&node->disk.id), other = 0;
    world->counts->shortened++;
    while (other < world->nodes && (other == at || world->node[other].replica.head.mark != head->mark ||
                                    world->node[other].replica.head.n <= head->n))
        other++;
    if (other == world->nodes || world->healed || world_chance (world, 2))
        return;
    world->counts->behind++;
    world->cut[at][other] = world->cut[other][at] = true;
    world->hurry = 20 + world_chance (world, 200);
}

void world_crash (world_t *world, node_t *node)
{
    world->counts->crashes++;
    synod__replica_head_t head;
    node_head (&node->disk, &head);
    if (node->replica.head.mark == head.mark && node->replica.head.n > head.n)
        s_shortened (world, node, &head);
    for (uint32_t i = 0; i < node->noutbox; i++)
        if (node->outbox[i].mail)
            world_spare (world, node->outbox[i].mail);
    node_start (node, world->tail);
    if (node->view != UINT32_MAX)
        world_enter (world, node);
}

static void s_post (world_t *world, uint32_t from, node_mail_t *mail)
{
    uint32_t to = world_node_of (&mail->to);
    if (world_rate (world, world->lose) || world->cut[from][to] || world->count == SOUP_MAX) {
        world->counts->lost++;
        world_spare (world, mail);
    } else {
        world->due[world->count] = world_rate (world, world->late) ? world->step + world_chance (world, LATE) : 0;
        world->mail[world->count++] = mail;
    }
}

static void s_released (world_t *world, node_t *node, uint64_t turn)
{
    uint32_t gone = 0;
    for (; gone < node->nturns && node->turns[gone].turn <= turn && !world->failed; gone++) {
        const node_turn_t *one = &node->turns[gone];
        world->counts->released++;
        world->counts->wrote += one->wrote;
        world_must (world, synod__replica_check_released (world->check, &node->disk.id, one->epoch, one->seen,
                                                          one->asked, world->fault));
    }
    node->nturns -= gone;
    memmove (node->turns, node->turns + gone, node->nturns * sizeof *node->turns);
}

static void s_effect (world_t *world, uint32_t at, node_effect_t *effect)
{
    node_t *node = &world->node[at];
    switch (effect->kind) {
    case NODE_MAIL:
        if (effect->mail)
            s_post (world, at, effect->mail);
        effect->mail = NULL;
        break;
    case NODE_OWN:
        world->counts->served++;
        world->counts->terms += effect->number != synod__term (synod__term_epoch (effect->number));
        world_must (world, synod__replica_check_serves (world->check, &node->disk.id, effect->number, world->fault));
        break;
    case NODE_DISOWN:
        node->nturns = 0;
        break;
    case NODE_RELEASED:
        s_released (world, node, effect->number);
        break;
    }
}

/* What need not wait for the commit, from effect FIRST on. */
static void s_early (world_t *world, uint32_t at, uint32_t first)
{
    node_t *node = &world->node[at];
    for (; first < node->noutbox && !world->failed; first++) {
        node_effect_t *effect = &node->outbox[first];
        if (effect->kind != NODE_MAIL || !effect->early)
            continue;
        world->counts->early++;
        s_effect (world, at, effect);
    }
}

/* Ends a node's turn: one commit, then the rest, with a crash anywhere. */
void world_end (world_t *world, uint32_t at)
{
    node_t *node = &world->node[at];
    synod__replica_head_t head;
    uint32_t crash = world_rate (world, world->crash) ? world_chance (world, node->noutbox + 2) : UINT32_MAX;
    if (crash == 0) {
        world_crash (world, node);
        return;
    }
    bool dirty = node->dirty && (node->strict || world->healed || !world_rate (world, world->lazy));
    world->counts->lazy += node->dirty && !dirty;
    if (dirty) {
        node_commit (node, s_on_mail, world);
        node_head (&node->disk, &head);
        world_must (world, synod__replica_check_disk (world->check, &node->disk.id, &head, node->disk.seal,
                                                      node_digest (&node->disk), world->fault));
    }
    for (uint32_t i = 0; i < node->noutbox && !world->failed; i++) {
        if (i + 1 == crash) {
            world_crash (world, node);
            return;
        }
        s_effect (world, at, &node->outbox[i]);
    }
    if (crash != UINT32_MAX && !world->failed) {
        world_crash (world, node);
        return;
    }
    if (!world->failed)
        node->noutbox = 0;
}

void world_perform (world_t *world, uint32_t at, const synod__replica_step_t *step)
{
    node_t *node = &world->node[at];
    uint32_t first = node->noutbox;
    node_perform (node, step, s_on_mail, world);
    if (world_chance (world, 3))
        s_early (world, at, first);
    if (world->healed || world_chance (world, 3) || node->noutbox > NODE_OUTBOX / 2)
        world_end (world, at);
}

/* A client's turn: reads what is there, and may write. */
void world_client (world_t *world, uint32_t at)
{
    node_t *node = &world->node[at];
    if (node->replica.phase != SYNOD__REPLICA_SERVING || node->nturns == NODE_TURNS)
        return;
    synod__replica_at_t asked = synod__replica_check_known (world->check);
    /* a deposed owner has to read to be found out: what it writes never gets a majority */
    uint32_t rate = world->alone[at] ? world->write / 20 : world->write;
    uint32_t batches = world_chance (world, 1000) < rate ? 1 + world_chance (world, 2) : 0;
    for (uint32_t i = 0; i < batches; i++) {
        char bytes[NODE_BYTES];
        uint8_t keys[NODE_BATCH];
        uint32_t values[NODE_BATCH], entries = 1 + world_chance (world, NODE_BATCH);
        for (uint32_t j = 0; j < entries; j++) {
            keys[j] = (uint8_t) world_chance (world, NODE_KEYS);
            values[j] = world_chance (world, 4) ? ++world->values : 0;
        }
        uint32_t size = node_batch (bytes, keys, values, entries);
        const synod__replica_step_t *step = synod__replica_append (&node->replica, synod_str_n (bytes, size));
        if (step->code == SYNOD_REFUSED)
            break; /* sealed, by a mistake on purpose */
        node->lazily = node->replica.replicas > 1;
        node_perform (node, step, s_on_mail, world);
        node->lazily = false;
    }
    const synod__replica_log_t *head = &node->replica.head;
    synod__replica_at_t seen = {head->n ? head->runs[head->nruns - 1].epoch : 0, head->n};
    node->turns[node->nturns++] = (node_turn_t){++node->turn, node->replica.term, seen, asked, batches > 0};
    uint32_t who = world_chance (world, 32), spared = world_chance (world, 3) ? who : 0;
    if (world_chance (world, 2))
        spared = synod__replica_spared (&node->replica, who);
    const synod__replica_step_t *step = synod__replica_turn (&node->replica, node->turn, spared);
    if (node->replica.replicas == 1 && node->replica.seal <= node->replica.term) {
        /* costs nothing */
        bool alone = step->released == node->turn && (node->replica.learners || step->nmails == 0);
        if (!alone)
            world_must (world, synod_fault (world->fault, SYNOD_FAILED, "a turn of the only replica waits or sends"));
        world->counts->confirmed_alone += alone;
    }
    world_perform (world, at, step);
}

/* One that serves, or thinks so: the next after AT. */
uint32_t world_serving (const world_t *world, uint32_t at)
{
    for (uint32_t i = 0; i < world->nodes; i++) {
        uint32_t next = (at + i) % world->nodes;
        if (world->node[next].replica.phase == SYNOD__REPLICA_SERVING && !world->node[next].paused)
            return next;
    }
    return at;
}

static void s_drop (world_t *world, uint32_t index)
{
    world_spare (world, world->mail[index]);
    world->mail[index] = world->mail[--world->count];
    world->due[index] = world->due[world->count];
}

/* One of the soup, taken out or left in as a repeat. */
void world_deliver (world_t *world)
{
    /* mostly the latest: what is left over comes late */
    uint32_t recent = world->count < 8 ? world->count : 8;
    uint32_t index =
        world_chance (world, 4) ? world->count - 1 - world_chance (world, recent) : world_chance (world, world->count);
    node_mail_t *mail = world->mail[index];
    uint32_t to = world_node_of (&mail->to), from = world_node_of (&mail->message.from);
    if (world->node[to].paused || world->cut[from][to] || (world->due[index] > world->step && !world->healed)) {
        if (world->count > SOUP_MAX / 2 && world_chance (world, 2))
            s_drop (world, index);
        return;
    }
    world_perform (world, to, synod__replica_take (&world->node[to].replica, &mail->message));
    if (world_rate (world, world->repeat)) {
        world->counts->repeated++;
        return;
    }
    s_drop (world, index);
}
