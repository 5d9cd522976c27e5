/* SPDX-License-Identifier: MPL-2.0
 *
 * Mistakes on purpose in voting (actors/vote/vote.h) and in the acceptors' core are found by the scenario `vote`, that
 * is, through the actors, the runtime and the faults of the simulator; without one, the same seeds hold. What it prints
 * is the table: the mistake, the first seed that shows it, and what is seen.
 *
 *     test_mutants_vote [SEEDS [NAME]]   seeks all of them, or that one, from seed 1 on
 */
#include "seek.h"
#include "actors/runtime/mutants.h"
#include "actors/vote/vote.h"
#include "tools/scenarios.h"

int synod__mutant; /* the runtime has none */

enum { VOTE, PAXOS };

#define MISTAKE(part_, name_, seed_)                                                            \
    {                                                                                           \
        .name = #name_, .part = part_, .number = SYNOD__##part_##_MUTANT_##name_, .seed = seed_ \
    }

static const seek_bug_t s_mistakes[] = {
    MISTAKE (VOTE, NONE, 0),
    MISTAKE (VOTE, VOTE_NOT_WRITTEN, 1),
    MISTAKE (VOTE, COMMIT_NOT_FORCED, 5),
    MISTAKE (VOTE, ACK_NOT_FORCED, 1),
    MISTAKE (VOTE, END_BEFORE_ACKS, 4),
    MISTAKE (VOTE, DECISION_BEFORE_ALL, 1),
    MISTAKE (VOTE, ABORT_WHILE_COLLECTING, 1),
    MISTAKE (VOTE, DECISION_BEFORE_QUORUM, 195),
    MISTAKE (VOTE, FREE_CHOICE, 1),
    MISTAKE (VOTE, TIMEOUT_ABORTS, 62),
    MISTAKE (VOTE, FORGET_EARLY, 1),
    MISTAKE (VOTE, LEFT_BEHIND, 2),
    MISTAKE (VOTE, BEGIN_NOT_WRITTEN, 8),
    MISTAKE (VOTE, ABORT_NOT_FORCED, 24),
    MISTAKE (VOTE, RETURN_ABORTS, 8),
    MISTAKE (PAXOS, PROMISE_NOT_WRITTEN, 6),
    MISTAKE (PAXOS, ACCEPT_NOT_WRITTEN, 6),
    MISTAKE (PAXOS, PROMISE_IGNORED, 46),
    MISTAKE (PAXOS, ACCEPTED_IGNORED, 6),
};

static void s_plant (int mistake)
{
    const seek_bug_t *is = &s_mistakes[mistake];
    synod__vote_mutant = is->part == VOTE ? (synod__vote_mutant_t) is->number : SYNOD__VOTE_MUTANT_NONE;
    synod__paxos_mutant = is->part == PAXOS ? (synod__paxos_mutant_t) is->number : SYNOD__PAXOS_MUTANT_NONE;
}

static const synod_scenario_t *s_vote (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_vote;
}

static const seek_t s_seek = {
    .length_ms = 12000,
    .plans = {NULL, "loss=30,crash=*4", "loss=15,dup=10,reorder=10,delay=1ms:40ms,crash=*8", "loss=30,crash=*4"},
    .scenario = s_vote,
    .plant = s_plant,
    .bugs = s_mistakes,
    .nbugs = sizeof s_mistakes / sizeof s_mistakes[0],
};

int main (int argc, char **argv)
{
    return seek_main ((const seek_t *const[]){&s_seek}, 1, argc, argv);
}
