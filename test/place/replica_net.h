/* SPDX-License-Identifier: MPL-2.0
 *
 * Nodes for the unit tests of replication, whose messages arrive in order, at once, unless a test keeps them back.
 */
#ifndef SYNOD_TEST_PLACE_REPLICA_NET_H_INCLUDED
#define SYNOD_TEST_PLACE_REPLICA_NET_H_INCLUDED

#include "replica_node.h"

#define MAILS 256

/* Nodes 0 to 4; SILENT ones get and send nothing. */
typedef struct {
    node_t node[5];
    bool silent[5];
    node_mail_t *mails[MAILS];
    uint32_t first, count;
    uint64_t released[5];
    bool owns[5];
    synod__store_id_t stores[8][5];
    synod__replica_view_t views[8];
    uint32_t nviews;
} net_t;

/* Carries a step out, and commits at once. */
void net_perform (net_t *net, uint32_t at, const synod__replica_step_t *step);
/* Delivers until nothing is left; returns how many arrived. */
uint32_t net_run (net_t *net);
/* A tick at AT, and all that comes of it. */
void net_tick (net_t *net, uint32_t at);
/* The disk of AT is empty, with the store id that LIFE makes. */
void net_store (net_t *net, uint32_t at, uint8_t life);
/* TAIL: the bound of the tails; UNDO: whether undos are kept. */
net_t *net_new (uint32_t tail, bool undo);
void net_free (net_t *net);
/* Decides an epoch: MEMBERS are digits, the first one owns; the last LEARNERS of them are that. */
void net_decide (net_t *net, const char *members, uint32_t learners);
/* NODES, as digits, learn of the last epoch, one after the other. */
void net_enter (net_t *net, const char *nodes);
/* Nodes of which MEMBERS, as digits, have entered the first epoch and serve; node 0 is their owner. */
net_t *net_serving (uint32_t tail, bool undo, const char *members);
/* A batch with one entry, ordered by AT. */
void net_put (net_t *net, uint32_t at, uint8_t key, uint32_t value);
/* A turn ends, and all that comes of it. */
void net_turn (net_t *net, uint32_t at, uint64_t turn);
/* AT starts again from its disk, in the last epoch. */
void net_restart (net_t *net, uint32_t at);
/* What is on the disk of AT; of the mark its epoch. */
uint64_t net_mark (const net_t *net, uint32_t at);
uint64_t net_n (const net_t *net, uint32_t at);
/* Whether two disks have the same copy. */
bool net_alike (const net_t *net, uint32_t a, uint32_t b);

#endif
