/* SPDX-License-Identifier: MPL-2.0
 *
 * Planted bugs, for the proof that the simulator finds them (test/mutants). In every other build they are not there:
 * SYNOD__MUTANT is 0 and the compiler drops what it guards.
 */
#ifndef SYNOD_RUNTIME_MUTANTS_H_INCLUDED
#define SYNOD_RUNTIME_MUTANTS_H_INCLUDED

#ifdef SYNOD_MUTANTS

/* clang-format off */
#define SYNOD__MUTANTS(MUTANT) \
    MUTANT (LOST_REPLY,         "a repeat of an answered command gets no answer") \
    MUTANT (REPLY_BEFORE_COMMIT, "frames leave before the turn is durable") \
    MUTANT (UNTIED,             "an actor says what it has seen before that is durable") \
    MUTANT (REUSED_ID,          "a client that starts again numbers its commands as before") \
    MUTANT (REUSED_ASKS,        "a node that starts again numbers its asks as before") \
    MUTANT (NO_DUPLICATE_CHECK, "a repeat of a command runs") \
    MUTANT (EARLY_TRIM,         "replies are forgotten while their commands may come again") \
    MUTANT (TORN_BATCH,         "the last write of a batch is committed apart") \
    MUTANT (COMMIT_IGNORED,     "a failed commit is taken for a good one") \
    MUTANT (ERROR_FORGOTTEN,    "the error that a command came to is not remembered") \
    MUTANT (WRITES_OF_FAILED,   "what a failing handler wrote stays") \
    MUTANT (TIMER_FORGOTTEN,    "the counter does not set its timers again after a restart") \
    MUTANT (OLD_TIMERS,         "timers of an actor's earlier life run")
/* Those of placed actors. */
#define SYNOD__PLACED_MUTANTS(MUTANT) \
    MUTANT (EPOCH_NOT_WRITTEN, "an epoch, so a seal, is not persisted") \
    MUTANT (SEAL_IGNORED,      "an owner goes on in its epoch when its node is sealed by the next") \
    MUTANT (NOTHING_HELD,      "messages do not wait for a majority") \
    MUTANT (REPLIES_LEFT,      "remembered replies are left out of a snapshot") \
    MUTANT (INACTIVE_SERVED,   "an owner serves before its epoch is active") \
    MUTANT (FORMER_OWNER,      "mail for a key is taken by a replica that is not its owner") \
    MUTANT (MEMORY_KEPT,       "the memory of a partition outlasts its being served") \
    MUTANT (EARLY_UP,          "a member is marked up again before it has caught up") \
    MUTANT (ACK_BEFORE_COMMIT, "a replica whose commit may be late acknowledges before it") \
    MUTANT (LAZY_TOLD,         "an actor tells of what it wrote in no hurry before that is durable")
/* Those of commits that turns do not wait for. */
#define SYNOD__COMMIT_MUTANTS(MUTANT) \
    MUTANT (BEGUN_IS_DURABLE,  "what waits for a commit leaves when that is begun") \
    MUTANT (BEGUN_AND_LATER,   "with a commit counts what was written after it was begun") \
    MUTANT (PROMISE_BEGUN,     "a turn does not wait for the promises that it wrote")
/* clang-format on */

enum {
    SYNOD__MUTANT_NONE,
#define MUTANT(name, doc) SYNOD__MUTANT_##name,
    SYNOD__MUTANTS (MUTANT)
#undef MUTANT
        SYNOD__MUTANTS_END,
    SYNOD__PLACED_MUTANTS_BEGIN = SYNOD__MUTANTS_END,
#define MUTANT(name, doc) SYNOD__MUTANT_##name,
    SYNOD__PLACED_MUTANTS (MUTANT)
#undef MUTANT
        SYNOD__PLACED_MUTANTS_END,
    SYNOD__COMMIT_MUTANTS_BEGIN = SYNOD__PLACED_MUTANTS_END,
#define MUTANT(name, doc) SYNOD__MUTANT_##name,
    SYNOD__COMMIT_MUTANTS (MUTANT)
#undef MUTANT
        SYNOD__COMMIT_MUTANTS_END
};

extern int synod__mutant; /* the one that is alive */
#define SYNOD__MUTANT(name) (synod__mutant == SYNOD__MUTANT_##name)

#else
#define SYNOD__MUTANT(name) 0
#endif

#endif
