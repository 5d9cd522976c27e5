/* SPDX-License-Identifier: MPL-2.0
 *
 * Nodes whose messages arrive at once (see replica_net.h).
 */
#include <stdlib.h>
#include "place_test.h"
#include "replica_net.h"

static uint32_t s_digit (char digit)
{
    return (uint32_t) (unsigned char) digit % 16 % 5;
}

static node_mail_t *s_on_mail (void *arg)
{
    (void) arg;
    return (node_mail_t *) malloc (sizeof (node_mail_t));
}

void net_perform (net_t *net, uint32_t at, const synod__replica_step_t *step)
{
    node_t *node = &net->node[at];
    node_perform (node, step, s_on_mail, NULL);
    node_commit (node, s_on_mail, NULL);
    for (uint32_t i = 0; i < node->noutbox; i++) {
        node_effect_t *effect = &node->outbox[i];
        if (effect->kind == NODE_RELEASED)
            net->released[at] = effect->number;
        else if (effect->kind != NODE_MAIL)
            net->owns[at] = effect->kind == NODE_OWN;
        else {
            assert_true (net->count < MAILS);
            net->mails[net->count++] = effect->mail;
        }
    }
    node->noutbox = 0;
}

/* Delivers until nothing is left; returns how many arrived. */
uint32_t net_run (net_t *net)
{
    uint32_t arrived = 0;
    while (net->first < net->count) {
        node_mail_t *mail = net->mails[net->first++];
        uint32_t from = mail->message.from.bytes[7], to = mail->to.bytes[7];
        if (!net->silent[from] && !net->silent[to]) {
            net_perform (net, to, synod__replica_take (&net->node[to].replica, &mail->message));
            arrived++;
        }
        free (mail);
    }
    net->first = net->count = 0;
    return arrived;
}

void net_tick (net_t *net, uint32_t at)
{
    net_perform (net, at, node_tick (&net->node[at]));
    net_run (net);
}

void net_store (net_t *net, uint32_t at, uint8_t life)
{
    node_disk_t *disk = &net->node[at].disk;
    memset (disk, 0, sizeof *disk);
    disk->id.bytes[0] = 1;
    disk->id.bytes[7] = (uint8_t) at;
    disk->id.bytes[15] = life;
}

net_t *net_new (uint32_t tail, bool undo)
{
    net_t *net = (net_t *) calloc (1, sizeof *net);
    assert_non_null (net);
    for (uint32_t i = 0; i < 5; i++) {
        net_store (net, i, 1);
        net->node[i].keeps_undo = undo;
        net->node[i].chunk = 2;
        node_start (&net->node[i], tail);
    }
    return net;
}

void net_free (net_t *net)
{
    net_run (net);
    for (uint32_t i = 0; i < 5; i++)
        synod__replica_free (&net->node[i].replica);
    free (net);
}

/* Decides an epoch: MEMBERS are digits, the first one owns; the last LEARNERS of them are that. */
void net_decide (net_t *net, const char *members, uint32_t learners)
{
    synod__replica_view_t *view = &net->views[net->nviews];
    uint32_t count = (uint32_t) strlen (members);
    for (uint32_t i = 0; i < count; i++)
        net->stores[net->nviews][i] = net->node[s_digit (members[i])].disk.id;
    *view = (synod__replica_view_t){net->nviews + 1, count - learners, learners, 0, net->stores[net->nviews]};
    net->nviews++;
}

void net_enter (net_t *net, const char *nodes)
{
    for (; *nodes; nodes++) {
        uint32_t at = s_digit (*nodes), last = net->nviews - 1;
        net_perform (net, at, synod__replica_enter (&net->node[at].replica, &net->views[last], net->views, last));
    }
    net_run (net);
}

net_t *net_serving (uint32_t tail, bool undo, const char *members)
{
    net_t *net = net_new (tail, undo);
    net_decide (net, members, 0);
    net_enter (net, members);
    net_tick (net, 0);
    assert_true (net->owns[0]);
    return net;
}

/* A batch with one entry, ordered by AT. */
void net_put (net_t *net, uint32_t at, uint8_t key, uint32_t value)
{
    char bytes[NODE_BYTES];
    uint32_t size = node_batch (bytes, &key, &value, 1);
    const synod__replica_step_t *step = synod__replica_append (&net->node[at].replica, synod_str_n (bytes, size));
    assert_int_equal (step->code, SYNOD_OK);
    net_perform (net, at, step);
}

void net_turn (net_t *net, uint32_t at, uint64_t turn)
{
    net_perform (net, at, synod__replica_turn (&net->node[at].replica, turn, 0));
    net_run (net);
}

void net_restart (net_t *net, uint32_t at)
{
    node_start (&net->node[at], 8);
    net->owns[at] = false;
    uint32_t last = net->nviews - 1;
    net_perform (net, at, synod__replica_enter (&net->node[at].replica, &net->views[last], net->views, last));
}

uint64_t net_mark (const net_t *net, uint32_t at)
{
    synod__replica_head_t head;
    node_head (&net->node[at].disk, &head);
    return synod__term_epoch (head.mark);
}

uint64_t net_n (const net_t *net, uint32_t at)
{
    synod__replica_head_t head;
    node_head (&net->node[at].disk, &head);
    return head.n;
}

bool net_alike (const net_t *net, uint32_t a, uint32_t b)
{
    return memcmp (net->node[a].disk.copy, net->node[b].disk.copy, sizeof net->node[a].disk.copy) == 0 &&
           net->node[a].disk.head_size == net->node[b].disk.head_size &&
           memcmp (net->node[a].disk.head, net->node[b].disk.head, net->node[a].disk.head_size) == 0;
}
