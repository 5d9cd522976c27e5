/* SPDX-License-Identifier: MPL-2.0
 *
 * One partition's copy at one node: replication by Vertical Paxos (Lamport, Malkhi and Zhou, "Vertical Paxos and
 * Primary-Backup Replication", 2009), with the store's batches as what is copied. A pure core: what happens goes in, what
 * is to be done comes out, as steps. It has no clock, disk or socket; time comes as ticks.
 *
 *   - An epoch has one owner (the paper's primary, section 4) and its replicas; both are told by synod__replica_enter.
 *     Majority means of one epoch's listed replicas, by store id: a wiped store is another.
 *   - A term is an epoch and a life of its owner in it: one that starts again in an epoch that its copy is marked with
 *     begins the next. It asks a majority of the epoch for the newest copy, and brings the others, as in a new epoch. So it
 *     may send what its own disk does not have: what is lost by that is of a term that is over. Those asked need to
 *     remember nothing of it: nobody counts any more what they do in a term whose owner is gone.
 *   - The owner in the term t orders batches (t, n), n running on across terms, and lets a turn's messages go when a
 *     majority holds all batches that the turn could see and has confirmed t after the turn took its frames.
 *   - Each copy has a mark, the term that it was last brought into. Batches of t are taken only with the mark t, in order,
 *     without gaps.
 *   - A new owner seals the epoch before at a majority of its replicas (the paper's phase 1, section 3: reading from the
 *     read quorum of each ballot below). If none of those is marked with it, it never served, and the one before is sealed
 *     too, down to the last settled (Vertical Paxos II: the completed ballot). The newest copy, by mark and then by n, is
 *     adopted; a majority of the own replicas is brought to it and marked; then the epoch is active and is served.
 *   - A seal binds the node: what is older is refused, and so is the node's own ownership.
 *
 * A step's writes are ONE commit, in their order, and ARE DURABLE BEFORE ANYTHING OF THE STEP IS SENT, RELEASED OR SERVED;
 * steps of one turn may share a commit if all that they send waits for it. Where there are several replicas two things
 * need not wait (after Ongaro, "Consensus: Bridging Theory and Practice", 2014, section 10.2.1): what an append writes, of
 * which the host says when it is durable, and mails that say that they may leave early, which are an owner's batches and
 * rounds. A commit has the writes of all steps before it. A step is carried out before the next call: a
 * chunk is read from the copy as it is then. A step and the views in it are valid until the next call for ANY replica of
 * the node, since all of them share what steps are made of; only synod__replica_undo may be called meanwhile.
 *
 * On the wire a message is a record (replica_wire.h): its kind, the partition, and the fields that its kind names below;
 * it fits a frame.
 * A node may gather those for many partitions: seals and their answers (of partitions that hold something), acknowledged
 * marks as ranges.
 */
#ifndef SYNOD_PLACE_REPLICA_H_INCLUDED
#define SYNOD_PLACE_REPLICA_H_INCLUDED

#include <synod/limits.h>
#include "member.h"

#define SYNOD__REPLICA_BATCH_MAX    (SYNOD_BATCH_TARGET - 4 * 1024) /* of one batch, and of a message's batches together */
#define SYNOD__REPLICA_BATCHES_MAX  64                              /* of a message */
#define SYNOD__REPLICA_CHUNK_TARGET (64 * 1024)                     /* a snapshot's chunk of more than one entry */
#define SYNOD__REPLICA_RUNS_MAX     16
#define SYNOD__REPLICA_TURNS_MAX    16
#define SYNOD__REPLICA_TAIL_COUNT   1024 /* usual bounds of the tail */
#define SYNOD__REPLICA_TAIL_BYTES   (1024 * 1024)

/* ---- what is durable ---- */

/* A term is one number: an epoch, and behind it which life of its owner, from 0 on. Views, seals and what hosts say of
 * epochs are epochs; marks, runs, batches and messages name terms. */
static inline uint64_t synod__term (uint64_t epoch) /* its first */
{
    return epoch << SYNOD__LIFE_BITS;
}
static inline uint64_t synod__term_epoch (uint64_t term)
{
    return term >> SYNOD__LIFE_BITS;
}
static inline bool synod__term_last (uint64_t term) /* the next would be of another epoch */
{
    return synod__term_epoch (term + 1) != synod__term_epoch (term);
}

/* From batch FIRST on, batches are of the term EPOCH, until the next run begins. */
typedef struct {
    uint64_t epoch, first;
} synod__replica_run_t;

/* What a copy says of itself. (e, n) names one batch and all before it, in every copy that has it. */
typedef struct {
    uint64_t mark; /* the term that it was last brought into; 0: none */
    uint64_t n;    /* of the last batch; 0: it is empty */
    uint32_t nruns;
    synod__replica_run_t runs[SYNOD__REPLICA_RUNS_MAX]; /* the last ones; those before are forgotten */
} synod__replica_head_t;

/* Appends to OUT. SYNOD_OK, or SYNOD_NO_MEMORY and OUT as it was. */
int synod__replica_head_pack (const synod__replica_head_t *self, synod_buf_t *out);
/* Borrows BYTES for the call. No bytes: an empty copy. SYNOD_BAD_REQUEST: not what was packed. */
int synod__replica_head_unpack (synod__replica_head_t *self, synod_str_t bytes, synod_fault_t *fault);

/* A batch of store writes; its bytes are the disk's business alone. */
typedef struct {
    uint64_t epoch, n; /* EPOCH is a term */
    synod_str_t bytes;
} synod__replica_batch_t;

/* ---- who takes part ---- */

/* One epoch of the partition: the last that changed its owner or replicas. Borrows STORES. */
typedef struct {
    uint64_t epoch;                  /* up to SYNOD__EPOCH_MAX */
    uint32_t replicas;               /* 1 to SYNOD__REPLICAS_MAX */
    uint32_t learners;               /* up to as many: get everything, count for nothing */
    uint32_t owner;                  /* which of the replicas */
    const synod__store_id_t *stores; /* the replicas, then the learners */
} synod__replica_view_t;

/* ---- messages ---- */

/* O: the owner in EPOCH, which is a term, R: a replica or learner, S: a replica of an epoch before. Each has KIND, FROM and
 * EPOCH. */
typedef enum {
    SYNOD__REPLICA_SEAL = 1, /* O to S: refuse what is older */
    SYNOD__REPLICA_SEALED,   /* S to O: done; MARK, LAST, N of the copy */
    SYNOD__REPLICA_PULL,     /* R to O, O to S: send what I miss; N, RUNS, WHOLE; STAGING, AT, SCANNED, KEY */
    SYNOD__REPLICA_BATCHES,  /* O to R, S to O: AFTER_EPOCH, AFTER_N, BATCHES, SPARE; MARK, LAST, N, BASE; ROUND */
    SYNOD__REPLICA_CHUNK,    /* O to R, S to O: KEY, ENTRIES, LAST_KEY, MORE; MARK, LAST, N, RUNS, BASE */
    SYNOD__REPLICA_ACK,      /* R to O: marked, and durable up to N; ROUND is the last heard */
    SYNOD__REPLICA_REFUSED,  /* anybody: I am sealed up to EPOCH */
    SYNOD__REPLICA_LEAVING,  /* who has no part any more, to O: may I delete my copy? */
    SYNOD__REPLICA_DELETE    /* O: all replicas of EPOCH are marked; do */
} synod__replica_kind_t;

typedef struct {
    synod__replica_kind_t kind;
    synod__store_id_t from; /* the sender's store; its transport vouches for the node that has it */
    uint64_t epoch;
    uint64_t round;                /* of the owner's confirmations */
    uint64_t mark, last, n;        /* the sender's copy, and the epoch of its last batch */
    uint64_t base;                 /* what was adopted ends with this batch: a copy that has it may be marked */
    uint64_t after_epoch, after_n; /* the batch before the first of BATCHES */
    const synod__replica_batch_t *batches;
    uint32_t nbatches;
    uint32_t nruns;
    const synod__replica_run_t *runs;
    bool spare;   /* nobody waits until they are durable at the receiver: that may be a little later */
    bool whole;   /* batches do not help: send a snapshot */
    bool staging; /* a snapshot is coming: AT is the last batch that is in it, KEY the last key */
    bool scanned; /* and its last chunk is here */
    bool more;    /* this is not the last chunk */
    uint64_t at;
    synod_str_t key;               /* chunk, pull: what came before ended with it; data NULL: nothing did */
    synod_str_t entries, last_key; /* of a chunk: a batch that puts what it holds, and its last key */
} synod__replica_message_t;

/* ---- steps ---- */

typedef enum {
    SYNOD__REPLICA_APPLY = 1,   /* BATCH to the copy */
    SYNOD__REPLICA_CUT,         /* BATCH, the undo of its (epoch, n), to the copy */
    SYNOD__REPLICA_STAGE_CLEAR, /* the side area is empty */
    SYNOD__REPLICA_STAGE,       /* BATCH to the side area */
    SYNOD__REPLICA_SWAP,        /* the side area replaces the copy, and is empty */
    SYNOD__REPLICA_REMOVE       /* the copy and the side area are empty */
} synod__replica_write_kind_t;

typedef struct {
    synod__replica_write_kind_t kind;
    synod__replica_batch_t batch;
} synod__replica_write_t;

typedef struct {
    synod__store_id_t to;
    /* A chunk comes without its contents: whoever carries out the step reads the entries of the copy with keys after KEY,
     * at least one if there is one, until the next would take it over SYNOD__REPLICA_CHUNK_TARGET, and fills in ENTRIES,
     * LAST_KEY and MORE. An entry came in a batch, so even a large one alone has at most SYNOD__REPLICA_BATCH_MAX. */
    synod__replica_message_t message;
    bool early; /* it may leave before the step's writes are durable */
} synod__replica_mail_t;

typedef struct {
    int code; /* SYNOD_OK; SYNOD_NO_MEMORY: free the replica and open it again from what is durable */
    /* one commit */
    const synod__replica_write_t *writes;
    uint32_t nwrites;
    const synod__replica_head_t *head; /* replaces the stored one; NULL: as it is */
    uint64_t seal;                     /* the node's seal is raised to this; 0: as it is */
    /* after it */
    const synod__replica_mail_t *mails;
    uint32_t nmails;
    bool own;          /* from now on it is served: handlers may run, memory is built from the copy */
    bool disown;       /* from now on it is not: memory is dropped, what is held is never released */
    uint64_t released; /* messages of turns up to this may go; 0: none more */
    uint64_t newer;    /* somebody knows this later epoch; 0: nobody */
} synod__replica_step_t;

/* ---- the replica ---- */

typedef enum {
    SYNOD__REPLICA_NOTHING, /* not the owner, or deposed by a seal */
    SYNOD__REPLICA_SEALING,
    SYNOD__REPLICA_ADOPTING,
    SYNOD__REPLICA_BRINGING,
    SYNOD__REPLICA_SERVING
} synod__replica_phase_t;

typedef enum {
    SYNOD__REPLICA_STRANGER,
    SYNOD__REPLICA_LEARNER,
    SYNOD__REPLICA_MEMBER,
    SYNOD__REPLICA_OWNER
} synod__replica_role_t;

/* One of the epoch's replicas or learners, as its owner sees it in this life. */
typedef struct {
    synod__store_id_t id;
    bool marked;
    uint64_t acked; /* it has all batches up to this */
    uint64_t sent;  /* and was sent those up to this */
    uint64_t round; /* the last that it confirmed */
} synod__replica_peer_t;

/* What a turn waits for. */
typedef struct {
    uint64_t turn, n, round;
    bool wrote;
} synod__replica_turn_t;

/* A head with as many runs as there are. */
typedef struct {
    uint64_t mark, n;
    uint32_t nruns, room;
    synod__replica_run_t *runs; /* owned; borrowed where ROOM is 0 */
} synod__replica_log_t;

/* A new owner's: what it seals and what it found. */
typedef struct {
    uint32_t target, answered; /* which epoch is being sealed, and bits of its replicas that are; NFORMER: its own */
    uint64_t best_mark, best_last, best_n;
    synod__store_id_t best; /* whose copy that is */
    bool any;               /* there is one */
} synod__replica_search_t;

/* A snapshot that comes. */
typedef struct {
    bool scanned;             /* its last chunk is here */
    uint64_t need;            /* the latest batch that a chunk may show */
    synod__replica_log_t log; /* n and runs of the side area */
    char *key;                /* owned; the last in it */
    uint32_t key_size;
} synod__replica_stage_t;

/* What a step needs, and nothing after it: one for all replicas of a node. Zero-initialise, free after the last of them. */
typedef struct {
    synod__replica_step_t step;
    synod__replica_head_t head; /* of the step */
    synod__replica_write_t *writes;
    synod__replica_mail_t *mails;
    synod__replica_mail_t nowhere; /* takes what there is no memory for */
    char **buried;                 /* owned, what only the step still needs */
    uint32_t write_room, mail_room, buried_room, nburied;
} synod__replica_scratch_t;

void synod__replica_scratch_free (synod__replica_scratch_t *self);

/* What the replicas of a node have in common. */
typedef struct {
    synod__store_id_t id;              /* of the node's store */
    uint32_t tail_count, tail_bytes;   /* bounds of the tail */
    synod__replica_scratch_t *scratch; /* borrowed */
} synod__replica_config_t;

/* Zero-initialise; synod__replica_open, synod__replica_free. Fields are for reading. A node has thousands: what is not
 * there most of the time is behind a pointer. */
typedef struct {
    const synod__replica_config_t *config; /* borrowed */
    /* durable */
    synod__replica_log_t head;
    uint64_t seal; /* a term; never decreases. Of a life it is as durable as the mark */
    /* the last batches, up to head.n without gaps */
    synod__replica_batch_t *tail; /* owned */
    synod_str_t *undo;            /* owned; of the same batch; data NULL: not known */
    uint32_t tail_start, tail_count, tail_room, tail_bytes;
    /* the epoch */
    uint64_t epoch;               /* 0: none was entered yet */
    uint64_t term;                /* of that epoch, the last that is known */
    synod__replica_peer_t *peers; /* owned; the epoch's replicas, then its learners */
    const synod__replica_view_t *former;
    uint32_t nformer;
    synod__replica_role_t role;
    uint32_t replicas, learners, owner;
    /* the owner's */
    synod__replica_phase_t phase;
    synod__replica_search_t *search; /* owned; NULL: it does not search */
    uint64_t base, round;
    uint64_t ordered;             /* the last batch that is of a turn that has ended */
    uint64_t kept;                /* those after it are not trimmed, as somebody is to be sent them */
    uint32_t spared;              /* bits of the replicas that the last turn did without */
    synod__replica_turn_t *turns; /* owned; by age */
    uint32_t nturns, turn_room;
    /* being brought */
    synod__replica_stage_t *stage; /* owned; NULL: no snapshot is coming */
    uint32_t quiet;                /* ticks without an answer */
    bool asked;                    /* a pull is on its way */
    bool whole;                    /* batches did not help */
} synod__replica_t;

/* Begins from what is durable: HEAD, copied, and the node's seal. The side area is taken for garbage. A host has one
 * seal, "sealed up to ring epoch s", for all its partitions; SEAL is the partition's own epoch as of s. So a node knows
 * an epoch before it seals up to it, and partitions that the epoch did not change go on. CONFIG is borrowed until the
 * replica is freed. SYNOD_OK, SYNOD_NO_MEMORY. */
int synod__replica_open (synod__replica_t *self, const synod__replica_config_t *config,
                         const synod__replica_head_t *head, uint64_t seal);
void synod__replica_free (synod__replica_t *self);

/* Gives back a batch of the tail that the host has kept, if it keeps any: the last ones in order, up to head.n. UNDO with
 * data NULL: not kept. Copies. SYNOD_OK, SYNOD_INVALID (a gap; the tail is then empty), SYNOD_NO_MEMORY. */
int synod__replica_restore (synod__replica_t *self, const synod__replica_batch_t *batch, synod_str_t undo);

/* All those below return the step, borrowed until the next of these calls for this replica or any that has the same
 * scratch, and until this replica is freed. */

/* The partition is in the epoch VIEW, which is copied. FORMER are those before it, the oldest first: from the last settled
 * one, or from the ring's first, to the one before; borrowed until the next epoch, as are their stores. No former epoch:
 * the ring's first. The same epoch again changes the learners, and the order of the replicas; an older one does
 * nothing. */
const synod__replica_step_t *synod__replica_enter (synod__replica_t *self, const synod__replica_view_t *view,
                                                   const synod__replica_view_t *former, uint32_t nformer);
/* The node's seal was raised on behalf of another partition (and is durable): SEAL as in synod__replica_open. */
const synod__replica_step_t *synod__replica_sealed (synod__replica_t *self, uint64_t seal);
/* A message came. One that makes no sense, or no sense now, does nothing. Borrowed until the step is carried out. */
const synod__replica_step_t *synod__replica_take (synod__replica_t *self, const synod__replica_message_t *in);
/* Some time has passed, a few times what a message and its answer take: asks again. */
const synod__replica_step_t *synod__replica_tick (synod__replica_t *self);

/* Nobody else has a copy of the epoch: a turn needs no round, and batches leave no tail. */
static inline bool synod__replica_sole (const synod__replica_t *self)
{
    return self->replicas == 1 && !self->learners;
}

/* While it is served. Orders a batch, copied (while it is the sole one: borrowed for the step): step->writes has it with
 * its (e, n). code: SYNOD_REFUSED when it is not
 * served, SYNOD_TOO_LARGE over SYNOD__REPLICA_BATCH_MAX; nothing is done then. */
const synod__replica_step_t *synod__replica_append (synod__replica_t *self, synod_str_t batch);
/* The same of the sole one without a step, for a batch of SIZE bytes that the caller writes: its number is head.n then. */
int synod__replica_count (synod__replica_t *self, uint32_t size);
/* A turn ends whose frames were all taken before this call; TURN grows. Sends what was ordered and begins a round; when
 * the step or a later one has released TURN, the turn's messages may go. With one replica that is this step, and nothing
 * is sent. SPARED (synod__replica_spared): who is sent nothing yet, unless that becomes much. code: SYNOD_REFUSED when it
 * is not served. */
const synod__replica_step_t *synod__replica_turn (synod__replica_t *self, uint64_t turn, uint32_t spared);
/* What was ordered in EPOCH up to N is durable in the own store, which counts among the replicas that have it from now on. */
const synod__replica_step_t *synod__replica_durable (synod__replica_t *self, uint64_t epoch, uint64_t n);
/* Before a turn ends: which replicas it can do without, if those of WHO answer; both are bits of the epoch's replicas. The
 * owner and as few others as make a majority are enough, of those that lack nothing the first by store id: for all
 * partitions the same few, whose every commit then has much in it. None where there is no majority. */
uint32_t synod__replica_spared (const synod__replica_t *self, uint32_t who);
/* Some that were spared lack something, or turns wait that they could help: synod__replica_feed is due before long. */
bool synod__replica_lags (const synod__replica_t *self);
const synod__replica_step_t *synod__replica_feed (synod__replica_t *self);

/* How a batch that was applied is taken back (the values that its keys had), copied; whoever applies it may say so. With
 * it a suffix that was not adopted can be cut off, else a snapshot is taken. SYNOD_OK, SYNOD_NO_MEMORY. */
int synod__replica_undo (synod__replica_t *self, uint64_t n, synod_str_t undo);

/* The head as it is now: what the last step that had one said, or synod__replica_open. */
synod__replica_head_t synod__replica_head (const synod__replica_t *self);

/* The owner knows that all replicas of the epoch are marked: epochs before it are not needed for this partition. */
bool synod__replica_settled (const synod__replica_t *self);

/* A tick would do nothing, now and until something else is called: the owner serves and has all of its turns released, and
 * every replica and learner has all batches; a replica or learner is marked and waits for no answer; who has no part has
 * no copy; and the node is not sealed above the epoch. */
bool synod__replica_idle (const synod__replica_t *self);

/* ---- mistakes on purpose, for tests that must find them: compiled in only with SYNOD_REPLICA_MUTANTS ---- */

#define SYNOD__REPLICA_MUTANT_LIST(MUTANT)                                           \
    MUTANT (NEWEST_BY_N, "the newest copy is the one with the highest n")            \
    MUTANT (NEWEST_BY_EN, "the newest copy is the one with the highest (e, n)")      \
    MUTANT (OWNER_IGNORES_SEAL, "an owner ignores its node's seal")                  \
    MUTANT (TRANSFER_IGNORES_SEAL, "a copy is brought in spite of the seal")         \
    MUTANT (NO_WALK_BACK, "an epoch that never served is taken for one that did")    \
    MUTANT (SEAL_BY_MINORITY, "one seal is enough")                                  \
    MUTANT (SEAL_NOT_WRITTEN, "a seal is not persisted")                             \
    MUTANT (EARLY_MARK, "marked before the last piece is there")                     \
    MUTANT (PIECEWISE_SNAPSHOT, "a snapshot replaces the copy piece by piece")       \
    MUTANT (TAKEN_UNMARKED, "batches are taken without the mark")                    \
    MUTANT (EARLY_DELETE, "deleted before all replicas are marked")                  \
    MUTANT (WIPED_COUNTED, "a wiped store counts as the one before")                 \
    MUTANT (READ_UNCONFIRMED, "a turn goes without confirmation")                    \
    MUTANT (READ_UNACKNOWLEDGED, "a turn that only read does not wait for batches")  \
    MUTANT (OWN_READ_UNCHECKED, "an owner confirms its own reads unchecked")         \
    MUTANT (REPLY_BEFORE_MAJORITY, "a turn that wrote does not wait")                \
    MUTANT (TERM_KEPT, "an owner that starts again goes on in its term")             \
    MUTANT (MARK_BY_EPOCH, "of two marks of one epoch no term is the later")         \
    MUTANT (OWN_ADOPTED, "an owner that starts again takes its copy for the newest") \
    MUTANT (ALL_EARLY, "all mails of an owner leave before its commit")              \
    MUTANT (RESTART_ACKNOWLEDGED, "after a restart all counts as acknowledged")      \
    MUTANT (OWN_COUNTED_EARLY, "the own store counts before it is durable")          \
    MUTANT (SUFFIX_KEPT, "a suffix that was not adopted stays")                      \
    MUTANT (LEARNER_COUNTED, "learners count in the majority")                       \
    MUTANT (CHUNK_STALE, "a chunk from before the staged batches is taken")          \
    MUTANT (SNAPSHOT_UNREPLAYED, "batches ordered during a snapshot are left out")   \
    MUTANT (SERVED_EARLY, "served before a majority is marked")

typedef enum {
    SYNOD__REPLICA_MUTANT_NONE,
#define SYNOD__REPLICA_MUTANT_ENUM(name, what) SYNOD__REPLICA_MUTANT_##name,
    SYNOD__REPLICA_MUTANT_LIST (SYNOD__REPLICA_MUTANT_ENUM)
#undef SYNOD__REPLICA_MUTANT_ENUM
        SYNOD__REPLICA_MUTANTS
} synod__replica_mutant_t;

#ifdef SYNOD_REPLICA_MUTANTS
extern synod__replica_mutant_t synod__replica_mutant;
#define SYNOD__REPLICA_MUTANT(name) (synod__replica_mutant == SYNOD__REPLICA_MUTANT_##name)
#else
#define SYNOD__REPLICA_MUTANT(name) false
#endif

#endif
