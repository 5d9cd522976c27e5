/* SPDX-License-Identifier: MPL-2.0
 *
 * Each mistake on purpose that placed actors must not make is found by the scenario `placed`: those of the replication
 * core (actors/place/replica.h), of the runtime around it (actors/runtime/mutants.h), of the keepers
 * (actors/place/ring_change.h) and of Paxos (actors/place/paxos.h). What it prints is the table: the mistake, the seed
 * that shows it, and what is seen. Each begins at a seed that is known to show it, where no bug shows none.
 *
 *     test_mutants_placed [SEEDS [NAME]]   seeks all of them, or that one, from seed 1 on
 */
#include "seek.h"
#include "actors/place/paxos.h"
#include "actors/place/replica.h"
#include "actors/place/ring_change.h"
#include "actors/runtime/mutants.h"
#include "tools/scenarios.h"

int synod__mutant;

typedef enum { S_NONE, S_REPLICA, S_RUNTIME, S_RING, S_PAXOS } part_t;

#define BUG(part_, name_, number_, seed_)                              \
    {                                                                  \
        .name = name_, .part = part_, .number = number_, .seed = seed_ \
    }
#define REPLICA(name, seed) BUG (S_REPLICA, #name, SYNOD__REPLICA_MUTANT_##name, seed)
#define RUNTIME(name, seed) BUG (S_RUNTIME, #name, SYNOD__MUTANT_##name, seed)

static const seek_bug_t s_bugs[] = {
    BUG (S_NONE, "NONE", 0, 0),
    REPLICA (SEAL_BY_MINORITY, 4),
    REPLICA (EARLY_MARK, 1),
    REPLICA (PIECEWISE_SNAPSHOT, 1),
    REPLICA (TAKEN_UNMARKED, 1),
    REPLICA (READ_UNCONFIRMED, 77),
    REPLICA (REPLY_BEFORE_MAJORITY, 1),
    REPLICA (RESTART_ACKNOWLEDGED, 1),
    REPLICA (TERM_KEPT, 281),
    REPLICA (SUFFIX_KEPT, 17),
    REPLICA (LEARNER_COUNTED, 4),
    REPLICA (SERVED_EARLY, 1),
    RUNTIME (EPOCH_NOT_WRITTEN, 1),
    RUNTIME (SEAL_IGNORED, 1),
    RUNTIME (NOTHING_HELD, 22),
    RUNTIME (REPLIES_LEFT, 1),
    RUNTIME (INACTIVE_SERVED, 1),
    RUNTIME (FORMER_OWNER, 1),
    RUNTIME (MEMORY_KEPT, 2),
    RUNTIME (EARLY_UP, 1),
    RUNTIME (NO_DUPLICATE_CHECK, 1),
    RUNTIME (ACK_BEFORE_COMMIT, 1),
    BUG (S_RING, "NO_PAXOS", SYNOD__RING_MUTANT_NO_PAXOS, 2),
    BUG (S_PAXOS, "PROMISE_NOT_WRITTEN", SYNOD__PAXOS_MUTANT_PROMISE_NOT_WRITTEN, 2),
/* These need more seeds than a test has time for, or another world: sought by name only. */
#define KNOWN 24
    REPLICA (OWN_COUNTED_EARLY, 1),
    REPLICA (READ_UNACKNOWLEDGED, 1),
    REPLICA (NEWEST_BY_N, 1),
    REPLICA (NEWEST_BY_EN, 1),
    REPLICA (OWNER_IGNORES_SEAL, 1),
    REPLICA (TRANSFER_IGNORES_SEAL, 1),
    REPLICA (NO_WALK_BACK, 1),
    REPLICA (EARLY_DELETE, 1),
    REPLICA (WIPED_COUNTED, 1),
    REPLICA (OWN_READ_UNCHECKED, 1),
    REPLICA (OWN_ADOPTED, 1),
    REPLICA (MARK_BY_EPOCH, 1),
    REPLICA (ALL_EARLY, 1),
    REPLICA (CHUNK_STALE, 1),
    REPLICA (SNAPSHOT_UNREPLAYED, 1),
    BUG (S_PAXOS, "ACCEPT_NOT_WRITTEN", SYNOD__PAXOS_MUTANT_ACCEPT_NOT_WRITTEN, 1),
};

static void s_plant (int bug)
{
    const seek_bug_t *is = &s_bugs[bug];
    synod__replica_mutant = is->part == S_REPLICA ? (synod__replica_mutant_t) is->number : 0;
    synod__mutant = is->part == S_RUNTIME ? is->number : 0;
    synod__ring_mutant = is->part == S_RING ? (synod__ring_mutant_t) is->number : 0;
    synod__paxos_mutant = is->part == S_PAXOS ? (synod__paxos_mutant_t) is->number : 0;
}

static const synod_scenario_t *s_placed (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_placed;
}

static const seek_t s_seek = {
    .length_ms = 12000,
    .plans = {NULL, "loss=5,dup=5,crash=*6,pause=*3+2s", "partition=*4,oneway=*4,crash=*3",
              "crash=*10,delay=1ms:30ms,reorder=5"},
    .scenario = s_placed,
    .plant = s_plant,
    .bugs = s_bugs,
    .nbugs = sizeof s_bugs / sizeof *s_bugs,
    .nknown = KNOWN,
    .without = 40,
};

int main (int argc, char **argv)
{
    return seek_main ((const seek_t *const[]){&s_seek}, 1, argc, argv);
}
