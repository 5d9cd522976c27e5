/* SPDX-License-Identifier: MPL-2.0
 *
 * Placed actors: what a runtime knows of the ring, and the partitions that it has to do with.
 *
 *   place_epochs.c   epochs: keeping and entering them                            (pure cores: actors/place/ring.h,
 *   place_tables.c   who holds which partition, and since when                     epoch.h, replica.h)
 *   place_learn.c    how a node hears of later epochs, and gets them
 *   place_copies.c   copies of partitions: carries out what their cores say
 *   place_acks.c     what is said of copies when they are durable
 *   place_disk.c     copies on the disk
 *   place_run.c      partitions that are served: their memory, their batches, the end of a turn
 *   place_held.c     messages that wait until a majority has what they saw
 *   place_mail.c     mail for actor#key: to its owner, forwarded, or waiting for one
 *   place_ctx.c      what the actor `ring` sees of all this
 *
 * On the node's disk, beside the stores of its actors:
 *     NUL ring e NUMBER                an epoch, packed. The node is sealed up to the last of them: entering an epoch is
 *                                      one commit, and from then on the node refuses whatever is older
 *     NUL ring b TYPE                  as of the first epoch that is kept: each partition's own epoch
 *     ACTOR NUL h PARTITION            which of two areas is the copy, and the copy's head
 *     ACTOR NUL p PARTITION AREA KEY   the copy, or a snapshot that is coming
 * PARTITION has two bytes, NUMBER eight, big end first.
 *
 * A partition's own epoch is the last one that changed its owner or its replicas; all nodes count it alike.
 */
#ifndef SYNOD_RUNTIME_PLACE_H_INCLUDED
#define SYNOD_RUNTIME_PLACE_H_INCLUDED

#include "actors/place/place.h"
#include "actors/place/replica.h"
#include "actors/place/ring.h"
#include "internal.h"
#include "place_look.h"
#include "protocol/place_records.h"

typedef struct synod__shards_t synod__shards_t;

/* An epoch, from the last settled one on. */
typedef struct {
    synod__epoch_t epoch;
    synod_buf_t bytes; /* packed */
} synod__known_t;

/* What a handler did, waiting. Its bytes and effects are its own. */
typedef struct synod__held_t {
    struct synod__held_t *next;
    synod__instance_t *instance;
    uint32_t life;
    uint64_t turn;
    uint64_t commit; /* the next, when it was put here */
    synod__stage_t stage;
} synod__held_t;

/* A partition whose copy here has batches that are not durable. What it acknowledges waits for that; of acknowledgements
 * the last says all. */
typedef struct {
    synod__partition_t *partition;
    bool acks;
    synod__replica_mail_t ack; /* an ACK: it borrows nothing */
    /* when the commit that has it was begun: that, and what of the copy is durable with it */
    uint64_t commit, epoch, n;
} synod__lazy_t;

/* A partition that this node has or had to do with. */
struct synod__partition_t {
    synod__shards_t *placed;
    uint32_t index;
    uint8_t area;      /* '0' or '1': which is the copy */
    bool stored;       /* it has a head on the disk, */
    uint64_t marked;   /* with this mark; 0: none was written yet */
    uint64_t reserved; /* numbers of batches up to this are taken by the stored head; 0: it says the last one */
    bool touched;      /* handlers ran in this turn: rt->place.touched has it */
    uint32_t lazy;     /* a batch of it was written that is not durable: where rt->place->lazy has it, from 1 on */
    bool ticking;      /* rt->place->ticking has it */
    bool lagging;      /* rt->place->lagging has it */
    synod__replica_t replica;
    void *views;                 /* owned: the epochs before its own, for the replica */
    synod__instance_t *instance; /* its memory; NULL: it never had one. Stays: timers and asks point to it */
    synod__held_t *held, *held_last;
};

/* A placed actor type. */
struct synod__shards_t {
    char name[SYNOD_NAME_MAX + 1];
    uint32_t name_size, partitions;
    synod__instance_t *actor; /* NULL: this node does not run it */
    /* by known epoch, as place.known; table NULL: the type was not there */
    synod__ring_t **tables;
    uint8_t **changed; /* a bit for each partition whose owner or replicas differ from those of the epoch before */
    uint32_t ntables, tables_capacity, changed_capacity;
    synod__ring_t *target;          /* when what moves has moved; NULL: nothing moves */
    uint64_t *own, *base;           /* own epoch by partition: now; as of the first known epoch */
    synod__partition_t **partition; /* NULL where there is none; all of it NULL without an actor */
    uint32_t *waiting;              /* mail that waits, by partition */
};

/* What each partition's own epoch was in the first epoch that somebody keeps, as it comes in, a type at a time. */
typedef struct {
    uint64_t ring, epoch;
    char names[SYNOD__TYPES_MAX][SYNOD_NAME_MAX + 1];
    uint64_t *own[SYNOD__TYPES_MAX];
    uint32_t partitions[SYNOD__TYPES_MAX];
    uint32_t count;
} synod__coming_t;

/* A learner's pull that waits for its turn: what is sent to learners a second is bounded. */
typedef struct synod__later_t {
    struct synod__later_t *next;
    synod__partition_t *partition;
    synod__replica_message_t message; /* its views borrow from what follows */
} synod__later_t;

typedef struct synod__keyed_t synod__keyed_t;

struct synod__place_t {
    const synod__look_turns_t *watch; /* borrowed; NULL: no checker looks */
    synod__known_t *known;            /* in their order; the last is in force */
    uint32_t nknown, known_capacity;
    synod__known_t *pending; /* to be entered when no handler runs, in their order */
    uint32_t npending, pending_capacity;
    synod__shards_t **placed;
    uint32_t nplaced, placed_capacity;
    synod__shards_t *last; /* that was asked for last; NULL: none was */
    bool keyed;            /* somebody here addresses keys: the ring is worth knowing */
    uint64_t heard;        /* the latest epoch that somebody is in */
    int64_t heard_us;      /* since when that is known */
    uint64_t frame_epoch;  /* that of who sent the frame being taken */
    int64_t asked_us;      /* when somebody was last asked for it */
    int64_t sought_us;     /* when those that run an actor were asked whether it is on a ring; 0: never */
    bool doubt;            /* an owner does not answer: perhaps it is none any more */
    uint32_t ask_turn;     /* whom */
    synod__coming_t *coming;
    uint64_t turn;
    synod__partition_t **touched;
    uint32_t ntouched, touched_capacity;
    synod__lazy_t *lazy;
    uint32_t nlazy, lazy_capacity;
    synod__lazy_t *begun; /* the same, of commits that are under way, in their order */
    uint32_t nbegun, begun_capacity;
    bool copying;                 /* something was written for the next commit that others have copies of */
    synod__partition_t **lagging; /* those that did without some of their replicas, */
    uint32_t nlagging, lagging_capacity;
    int64_t lagging_us; /* and until when, at the longest */
    synod__partition_t **ticking;
    uint32_t nticking, ticking_capacity;
    int64_t tick_us;
    uint32_t nheld;
    synod__held_t *late, *late_last; /* what waits for what was written lazily to be durable, in its order */
    synod__held_t *held_spare;
    synod__keyed_t *mail, *mail_last;
    size_t mail_bytes;
    int64_t mail_us; /* when some of it is over */
    bool changed;    /* mail that waits may go now */
    bool look;       /* the progress is to be counted anew */
    synod__place_progress_t progress;
    int64_t budget_bytes; /* of what may be sent to learners */
    int64_t budget_us;
    synod__later_t *later, *later_last;
    uint32_t nlater;
    uint64_t moved_bytes;
    int64_t handing_us;               /* stopping: when to stop waiting for others; 0: not stopping */
    synod__replica_scratch_t scratch; /* of all replicas, */
    synod__replica_config_t replicas; /* and what they have in common */
    synod__replica_batch_t *batches;  /* room for a message's */
    synod__replica_run_t runs[SYNOD__REPLICA_RUNS_MAX];
    synod_buf_t writes, body, room;
};

/* ---- epochs ---- */

void synod__place_new (synod__rt_t *rt);
int synod__place_ring (synod__rt_t *rt, synod_fault_t *fault); /* before the actors start; so are the next two */
int synod__place_load (synod__rt_t *rt, synod_fault_t *fault);
void synod__place_start (synod__rt_t *rt); /* and after */
void synod__place_free (synod__rt_t *rt);
static inline const synod__known_t *synod__place_now (const synod__place_t *place)
{
    return place->nknown ? &place->known[place->nknown - 1] : NULL;
}
static inline bool synod__placed_named (const synod__shards_t *placed, synod_str_t name)
{
    return placed->name_size == name.size && memcmp (placed->name, name.data, name.size) == 0;
}
synod__shards_t *synod__place_type (synod__rt_t *rt, synod_str_t actor); /* NULL: the epoch has none of that name */
static inline synod__ring_t *synod__placed_now (const synod__shards_t *placed)
{
    return placed->ntables ? placed->tables[placed->ntables - 1] : NULL;
}
/* Takes EPOCH and BYTES, which were decided. In force when no handler runs any more. */
int synod__place_add (synod__rt_t *rt, synod_str_t bytes, synod_fault_t *fault);
void synod__place_enter (synod__rt_t *rt);                         /* those that were added */
void synod__epochs_append (synod__rt_t *rt, synod__known_t *next); /* takes NEXT, which follows what is known */
void synod__epochs_begin (synod__rt_t *rt);
void synod__known_free (synod__known_t *known);
void synod__coming_free (synod__place_t *place);
void synod__place_heard (synod__rt_t *rt, uint64_t epoch); /* somebody is in EPOCH */
/* A frame's header: its sender is in EPOCH. */
void synod__place_hear (synod__rt_t *rt, synod__stream_t *from, uint64_t epoch);
bool synod__place_learns (const synod__rt_t *rt); /* a later epoch is on its way here */
/* Mail came for an actor of a ring that nobody has told this node of: others that run the actor are asked. False: they
 * were, and do not know. */
bool synod__place_seek (synod__rt_t *rt, synod_str_t actor);
void synod__place_ask (synod__rt_t *rt); /* for what was heard of, somebody that may know */
void synod__place_on_ask (synod__rt_t *rt, synod__stream_t *from, const synod__place_ring_ask_t *in);
void synod__place_on_base (synod__rt_t *rt, synod__stream_t *from, const synod__place_ring_base_t *in);
void synod__place_on_epoch (synod__rt_t *rt, synod__stream_t *from, const synod__place_ring_is_t *in);
const synod__member_t *synod__place_self (const synod__rt_t *rt); /* this node in the epoch in force; NULL: no member */
/* Where mail for MEMBER goes; NULL: it cannot be reached now. */
synod__stream_t *synod__place_reach (synod__rt_t *rt, const synod__member_t *member);
/* The node of a store, in any known epoch; NULL: none. */
const synod__member_t *synod__place_store (const synod__rt_t *rt, const synod__store_id_t *id);

/* ---- tables ---- */

synod__shards_t *synod__placed_find (synod__place_t *place, synod_str_t name);
/* Whether TEXT, if it is printable, is the address of a key of the type that was asked for last. */
bool synod__place_keyed (const synod__place_t *place, synod_str_t text, synod_address_t *address);
/* As synod__address_parse, of printable TEXT: quicker for those. */
int synod__place_address (const synod__place_t *place, synod_str_t text, synod_address_t *address);
synod__shards_t *synod__placed_get (synod__rt_t *rt, const char *name, uint32_t partitions); /* makes it */
/* The table of SELF in the epoch NEXT, which follows BEFORE (NULL: it is the first). */
void synod__placed_add (synod__shards_t *self, const synod__epoch_t *before, const synod__epoch_t *next);
void synod__placed_drop_first (synod__shards_t *self);
void synod__placed_drop_all (synod__shards_t *self);
void synod__placed_free (synod__shards_t *self);
void synod__own_pack (const uint64_t *own, uint32_t partitions, synod_buf_t *out);
uint64_t *synod__own_unpack (synod_str_t in, uint32_t *partitions); /* NULL: bytes that are none */

static inline bool synod__bit (const uint8_t *bits, uint32_t at)
{
    return bits && (bits[at / 8] >> (at % 8) & 1);
}

/* ---- copies ---- */

void synod__copies_load (synod__rt_t *rt, synod__shards_t *placed);  /* what is on the disk */
void synod__copies_enter (synod__rt_t *rt, synod__shards_t *placed); /* the epoch in force */
void synod__copies_free (synod__shards_t *placed);
void synod__copies_tick (synod__rt_t *rt);
void synod__copies_take (synod__rt_t *rt, synod__stream_t *from, const synod__place_copy_t *in);
/* Before anything is told of the copy: its stored head says what it has. */
void synod__copies_settle (synod__rt_t *rt, synod__partition_t *self);
void synod__copies_carry (synod__rt_t *rt, synod__partition_t *self, const synod__replica_step_t *step);

/* On the disk. */
#define SYNOD__EPOCH_KEYS "\0ringe" /* 6 bytes, before the number */
/* ACTOR NUL WHAT PARTITION, in ROOM. */
static inline synod_str_t synod__partition_key (synod_str_t actor, char what, uint32_t partition, char *room)
{
    size_t size = actor.size;
    if (size)
        memcpy (room, actor.data, size);
    room[size++] = 0;
    room[size++] = what;
    room[size++] = (char) (partition >> 8);
    room[size++] = (char) partition;
    return synod_str_n (room, size);
}
static inline uint8_t synod__copy_other (const synod__partition_t *self) /* the area that is not the copy */
{
    return self->area == '0' ? '1' : '0';
}
void synod__copy_write (synod__rt_t *rt, synod_str_t prefix, synod_str_t batch);
void synod__copy_put_head (synod__rt_t *rt, synod__partition_t *self, const synod__replica_head_t *head);
void synod__copy_clear (synod__rt_t *rt, const synod__partition_t *self, uint8_t area);
void synod__copy_chunk (synod__rt_t *rt, const synod__partition_t *self, synod__replica_message_t *out); /* fills it */
int synod__copy_heads (synod__rt_t *rt, synod__shards_t *placed,
                       void (*take) (void *arg, uint32_t index, uint8_t area, const synod__replica_head_t *head),
                       void *arg);

/* ---- partitions that are served ---- */

void synod__partition_own (synod__rt_t *rt, synod__partition_t *self);
void synod__partition_disown (synod__rt_t *rt, synod__partition_t *self, const char *why);
/* Its memory, built when it has none yet. NULL: the actor could not start. */
synod__instance_t *synod__partition_instance (synod__rt_t *rt, synod__partition_t *self);
bool synod__partition_serving (const synod__partition_t *self);
void synod__partition_drop (synod__instance_t *instance, int code, const char *reason); /* ends its memory */
int synod__partition_append (synod__rt_t *rt, synod__partition_t *self, synod_str_t batch);
void synod__partition_touch (synod__rt_t *rt, synod__partition_t *self);
void synod__place_turn_end (synod__rt_t *rt);     /* all that the turn brought was handled */
int64_t synod__place_due (const synod__rt_t *rt); /* when a turn has something to do here; INT64_MAX: never */
void synod__copy_mail (synod__rt_t *rt, const synod__partition_t *self, const synod__replica_mail_t *mail);
/* A batch of it was written lazily: what it acknowledges waits for that. */
void synod__acks_wait (synod__rt_t *rt, synod__partition_t *self);
bool synod__ack_waits (synod__rt_t *rt, const synod__partition_t *self, const synod__replica_mail_t *mail);
void synod__place_begun (synod__rt_t *rt);     /* the next commit has all that was written */
void synod__place_committed (synod__rt_t *rt); /* all up to rt->durable is durable */
void synod__place_end (synod__rt_t *rt);       /* every fini */
/* Where the partition's copy is, before AREA KEY; in ROOM. */
#define SYNOD__PARTITION_PREFIX_MAX (SYNOD_NAME_MAX + 5)
synod_str_t synod__partition_prefix (const synod__partition_t *self, uint8_t area, char *room);

/* ---- messages that wait ---- */

bool synod__held_needed (const synod__instance_t *instance);
void synod__held_stage (synod__instance_t *instance); /* takes the stage's messages */
void synod__held_answer (synod__rt_t *rt, synod__kept_t *kept, synod_kind_t kind, synod_str_t body);
void synod__held_release (synod__rt_t *rt, synod__partition_t *self, uint64_t turn);
void synod__late_stage (synod__instance_t *instance);
void synod__late_release (synod__rt_t *rt); /* all up to rt->durable is durable */
void synod__held_drop (synod__rt_t *rt, synod__partition_t *self);

/* ---- mail for a key ---- */

/* NULL: the address has a key, but nothing is known of the ring. */
synod__stream_t *synod__keyed_resolve (synod__rt_t *rt, const synod_address_t *address, int *code);
/* Takes a message for actor#key that arrived here. ASKER, ACTOR: who wants an answer. True: it was seen to. */
bool synod__keyed_take (synod__rt_t *rt, synod__stream_t *asker, synod_str_t actor, const synod_message_t *message,
                        const synod_address_t *to, const synod_envelope_t *env);
/* The same for an actor that follows the directory. False: it is for this node. */
bool synod__keyed_follow (synod__rt_t *rt, const synod_message_t *message, const synod_address_t *to,
                          const synod_envelope_t *env);
/* What was sent on did not arrive. */
void synod__keyed_returned (synod__rt_t *rt, const synod_envelope_t *env, int code, const char *message);
void synod__keyed_again (synod__rt_t *rt); /* what waits, where something has changed */
void synod__keyed_free (synod__rt_t *rt);

/* ---- the rest ---- */

bool synod__place_handing (synod__rt_t *rt); /* asked to stop: whether to wait for others to own what is owned here */
void synod__place_count (synod__rt_t *rt);   /* the progress */

#endif
