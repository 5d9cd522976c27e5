/* SPDX-License-Identifier: MPL-2.0
 *
 * The actors of voting: `vote`, placed by the transaction's id, coordinates; `acceptor`, unplaced, accepts votes for
 * paxos, on the nodes whose `paxos` actors were made a set. Their messages are protocol/vote.def; what is promised is
 * docs/votes.md.
 */
#ifndef SYNOD_VOTE_VOTE_ACTOR_H_INCLUDED
#define SYNOD_VOTE_VOTE_ACTOR_H_INCLUDED

#include "txn.h"

#define SYNOD__VOTE_DEADLINE_MS 5000 /* of a transaction that names none */
#define SYNOD__VOTE_KEEP_S      3600 /* how long an outcome answers a repeat of its id */
#define SYNOD__VOTE_OPEN_MAX    1024 /* transactions under way in a partition; more are `busy` */

extern const synod_actor_t synod__vote_actor, synod__acceptor_actor;

#endif
