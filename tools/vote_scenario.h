/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenarios `vote` and `txn`, by their parts: money that transactions move among accounts.
 *
 *   scenario_vote.c   the world: clients, auditors, how it begins and ends
 *   vote_operator.c   who says which nodes accept, and changes the ring
 *   vote_bank.c       `vote`: the accounts are an actor of their own
 *   vote_table.c      `txn`: they are keys of the table
 *   vote_registers.c  `txn`: other keys, of which transactions read some and write some
 */
#ifndef SYNOD_TOOLS_VOTE_SCENARIO_H_INCLUDED
#define SYNOD_TOOLS_VOTE_SCENARIO_H_INCLUDED

#include <synod/sim.h>
#include "vote_bank.h"
#include "actors/vote/vote_actor.h"

#define VOTE_NODES 5
#define ACCOUNTS   8
#define ASKERS     5 /* the last one audits */
#define MOVES      1024
#define PARTS      3
#define ASK_MS     6000

typedef struct world_t world_t;
typedef struct registers_t registers_t;

/* What an account is seen as. */
typedef struct {
    int64_t balance;
    uint64_t version; /* of the table's; 0: it has none yet */
    bool locked;
    synod_list_t done; /* bank_done: what was committed there; the table keeps none */
} seen_t;

/* A transaction that was asked for. */
typedef struct {
    char id[24];
    synod__vote_protocol_t protocol;
    uint32_t parts, account[ACCOUNTS], seen[ACCOUNTS]; /* SEEN: how often each says that it was committed */
    int64_t amount[ACCOUNTS];
    bool audits;
    bool puts; /* of the table: what is to be there, if it is as it was looked at; else what is added */
    uint64_t deadline_ms;
    synod__outcome_t outcome; /* as its client was told */
} move_t;

typedef struct {
    world_t *world;
    int node;
    bool audits;
    uint32_t looked; /* accounts that it has looked at: then it asks for the audit */
    bool looks;      /* for what comes next */
    seen_t accounts[ACCOUNTS];
    uint64_t floor; /* the table's: what it looks at now has no lesser version */
    uint64_t added; /* to the sum, for sure, when its look began */
    move_t *move;   /* under way */
} asker_t;

typedef struct {
    world_t *world;
    uint32_t account;
} last_t;

struct world_t {
    synod_sim_t *sim;
    uint32_t nodes, replicas, protocols; /* 0: 2pc, 1: paxos, 2: parallel, else any */
    int node[VOTE_NODES], operator_node;
    bool acceptors;
    asker_t askers[ASKERS];
    move_t *moves;
    uint32_t nmoves, committed, audited;
    /* at the end */
    uint32_t looking, looked;
    bool locked;
    last_t last[ACCOUNTS];
    uint32_t showing, ended; /* transactions: asked for; of how many the coordinator has ended, from the first on */
    int64_t sum;
    /* of the table */
    bool table;
    uint64_t floors[ACCOUNTS]; /* no later look may see a lesser version */
    struct {
        uint64_t version;
        int64_t balance;
    } * versions[ACCOUNTS]; /* that were seen */
    uint32_t nversions[ACCOUNTS];
    uint64_t added, adding; /* by plain increments: acknowledged; and asked for */
    registers_t *registers; /* owned; NULL: none */
    uint32_t journaled;     /* transactions of which it was looked at whether they were committed, from the first on */
};

/* ---- vote_operator.c ---- */

int vote_operate (world_t *world);

/* ---- vote_table.c: what is another thing where the accounts are keys ---- */

void table_op (const asker_t *asker, const move_t *move, uint32_t part, synod_buf_t *out);
/* The part that keeps record of the transaction. */
void table_journal (const move_t *move, char to[64], synod_buf_t *out);
int table_look (asker_t *asker, int node, const char *to, synod_sim_on_reply_t *on_reply, void *arg);
/* False: it is none. */
bool table_seen (synod_str_t body, seen_t *out);
/* Checks what an asker has seen of an account, against what all have. */
void table_check (asker_t *asker, uint32_t account);
/* A transaction was committed: no look from now on may miss it. */
void table_committed (asker_t *asker, const move_t *move);
/* Adds 1 to some account, without a transaction. */
int table_add (asker_t *asker);
/* False: there is more to look at. */
bool table_journaled (world_t *world);
void table_free (world_t *world);

/* ---- vote_registers.c ---- */

void registers_begin (world_t *world);
bool registers_done (const world_t *world);
/* NOTE: how many there were. */
int registers_check (world_t *world, char *note, size_t size);
void registers_free (world_t *world);

/* ---- scenario_vote.c ---- */

/* That the world uses; where it uses both, by CHANCE. */
synod__vote_protocol_t vote_protocol (const world_t *world, uint64_t chance);
void vote_later (asker_t *asker, uint32_t most_ms);
/* Whether an ask for a transaction that ended with REPLY, an error, is asked again, under the same id. */
bool vote_again (const synod_reply_t *reply);
void vote_address (const world_t *world, uint32_t account, char out[24]);

#endif
