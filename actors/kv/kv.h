/* SPDX-License-Identifier: MPL-2.0
 *
 * The table's core: what a command does to one partition's store, and what it answers (docs/kv.md). A step is one command:
 * state and command in, writes to the store, an answer and at most one published change out. No clock, no messages; the
 * store is an interface, the actor's own (kv_actor.c) or memory in a test.
 *
 * In the store of a partition (numbers in keys have eight bytes, big end first):
 *     k KEY                an entry: a value or where its pieces are, its version, its deadline; the key's highest fence
 *     t DEADLINE KEY       that entry has this deadline
 *     p NUMBER PIECE       a piece, one byte for which, of what is kept under NUMBER
 *     u NUMBER             what is kept there is no value: it was sent and not yet taken, or was one; size, deadline
 *     g DEADLINE NUMBER    that is forgotten then
 *     x KEY                a transaction has the key locked: its entry stays as it is, and its deadline waits (txn.c)
 *
 * Invariants: a version is the position of the batch that made it, so no key ever has one twice; an entry is without a
 * value only to remember a fence; each entry with a deadline has its t, each u its g; what is kept under a number has a u
 * or belongs to one entry; pieces of a value only ever grow at its end. Once somebody was told that a value is over
 * its deadline it is removed, so that an owner with another clock cannot show it again.
 */
#ifndef SYNOD_KV_KV_H_INCLUDED
#define SYNOD_KV_KV_H_INCLUDED

#include <synod/gateway.h>
#include "protocol/kv_records.h"
#include "mutants.h"

#define SYNOD__KV_ACTOR         "kv"
#define SYNOD__KV_NODE          "kv-node"
#define SYNOD__KV_GRACE_MS      60000 /* what is no value stays for so long, for those who still read or send it */
#define SYNOD__KV_NUMBER_OWN    (1ull << 63) /* numbers that the core gives: its versions, with this */
#define SYNOD__KV_NEVER         INT64_MAX
#define SYNOD__KV_ENTRY_MAX     (SYNOD__KV_PIECE + 64) /* encoded */
#define SYNOD__KV_ENTRY_KEY_MAX (1 + SYNOD_KEY_MAX)
#define SYNOD__KV_DUE_KEY_MAX   (9 + SYNOD_KEY_MAX)

/* A partition's store: as the functions of a context in synod/actor.h. */
typedef struct {
    int (*get) (void *arg, synod_str_t key, synod_str_t *value);
    int (*put) (void *arg, synod_str_t key, synod_str_t value);
    int (*remove) (void *arg, synod_str_t key);
    int (*scan) (void *arg, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *on_arg);
} synod__kv_store_t;

/* What is known of a partition beside its store; built from it by synod__kv_load. */
typedef struct {
    uint64_t keys, bytes; /* with a value; of all that is stored */
    uint64_t version; /* of the last change; or where it was when this owner began, which is not before; 0: not known */
    int64_t due_ms;   /* the first deadline is not before; SYNOD__KV_NEVER: there is none */
} synod__kv_memory_t;

/* An entry, decoded. */
typedef struct {
    bool any;   /* there is one */
    bool value; /* it has a value, which may be over its deadline */
    bool found; /* it has one that is not */
    bool large; /* in pieces */
    uint64_t version;
    int64_t until_ms; /* 0: none */
    uint64_t fence;   /* 0: none */
    uint64_t upload;  /* if large */
    uint64_t size;
    synod_str_t data; /* if not large: borrows the store */
    uint64_t stored;  /* bytes in the store, the key's and the deadline's too */
} synod__kv_entry_of_t;

/* A step. Begun with synod__kv_begin; ROOM is only written. */
typedef struct {
    const synod__kv_store_t *store; /* what it is given */
    void *arg;
    const synod__kv_memory_t *memory;
    synod_str_t key;
    uint64_t version; /* of the change, if it makes one */
    uint64_t at;      /* changes up to this version are made */
    int64_t now_ms;   /* wall clock */
    uint64_t most;    /* bytes that may be added */
    bool held;        /* the key is locked: its deadline waits */
    /* what comes of it */
    synod__kv_is_t is;
    bool changed;
    synod__kv_change_t change;
    int64_t keys, bytes;       /* how many more there are now */
    int64_t due_ms;            /* the first deadline that it added */
    uint32_t expired;          /* values that it removed at their deadline */
    uint32_t encoded;          /* bytes of the entry that it wrote, in ROOM */
    synod_fault_t fault;       /* why it failed: then nothing that it wrote must stay */
    char old[SYNOD__KV_PIECE]; /* is.old */
    char room[2 * SYNOD__KV_PIECE + 128];
} synod__kv_step_t;

/* POSITION: of the batch that the step's writes become. MOST: UINT64_MAX is no bound. Borrows all for the step. */
void synod__kv_begin (synod__kv_step_t *step, const synod__kv_store_t *store, void *arg,
                      const synod__kv_memory_t *memory, uint64_t position, int64_t now_ms, uint64_t most);
/* The step succeeded and its writes stay: MEMORY is as they make it. */
void synod__kv_end (const synod__kv_step_t *step, synod__kv_memory_t *memory);

/* ---- commands: SYNOD_OK with step->is, or an error with a sentence in step->fault ----
 * A condition that does not hold is an answer (is.why), not an error: nothing is changed then. */
int synod__kv_get (synod__kv_step_t *step, synod_str_t key, const synod__kv_get_t *in);
int synod__kv_get_stale (synod__kv_step_t *step, synod_str_t key, const synod__kv_get_stale_t *in); /* writes nothing */
int synod__kv_put (synod__kv_step_t *step, synod_str_t key, const synod__kv_put_t *in);
int synod__kv_delete (synod__kv_step_t *step, synod_str_t key, const synod__kv_delete_t *in);
int synod__kv_incr (synod__kv_step_t *step, synod_str_t key, const synod__kv_incr_t *in);
int synod__kv_append (synod__kv_step_t *step, synod_str_t key, const synod__kv_append_t *in);
int synod__kv_expire (synod__kv_step_t *step, synod_str_t key, const synod__kv_expire_t *in);
int synod__kv_upload (synod__kv_step_t *step, const synod__kv_upload_t *in);
/* Fills OUT, which borrows the store. */
int synod__kv_piece (synod__kv_step_t *step, const synod__kv_piece_t *in, synod__kv_piece_is_t *out);

/* ---- a key's part in a transaction, ID (docs/votes.md) ---- */

/* SYNOD_OK: the key is locked, and what OP asks for can be done. Else a sentence says why not, and nothing must stay. */
int synod__kv_prepare (synod__kv_step_t *step, synod_str_t key, const synod__kv_op_t *op, synod_str_t id);
/* The outcome of what was prepared, with the same OP. They fail only if ID has not locked the key, or with the store. */
int synod__kv_commit (synod__kv_step_t *step, synod_str_t key, const synod__kv_op_t *op, synod_str_t id);
int synod__kv_abort (synod__kv_step_t *step, synod_str_t key, synod_str_t id);
int synod__kv_locked (const synod__kv_step_t *step, synod_str_t key, bool *locked);
/* Whether any key that begins with PREFIX is. */
int synod__kv_any_locked (const synod__kv_store_t *store, void *arg, synod_str_t prefix, bool *any);

/* ---- a partition as a whole ---- */

/* Fills MEMORY from the store. */
int synod__kv_load (const synod__kv_store_t *store, void *arg, synod__kv_memory_t *memory);
/* Removes what is over its deadline, up to MOST entries and a few uploads; *NEXT_MS: when there may be more to do. A
 * step with a change has that of the last one, so with MOST 1 none is left out. */
int synod__kv_sweep (synod__kv_step_t *step, uint32_t most, int64_t *next_ms);
/* Keys in their order. ITEMS is what out->entries are in, AFTER (SYNOD_KEY_MAX bytes) what out->after is in. */
int synod__kv_part (synod__kv_step_t *step, const synod__kv_part_t *in, synod_buf_t *items, char *after,
                    synod__kv_part_is_t *out);

/* Asserts the invariants of a whole store, as far as it shows them; for checkers. False, with a sentence. */
bool synod__kv_check (const synod__kv_store_t *store, void *arg, const synod__kv_memory_t *memory,
                      synod_fault_t *fault);

extern const synod_actor_t synod__kv_actor, synod__kv_node_actor;
extern const synod_gateway_t synod__kv_gateway; /* for Redis' clients */

#define SYNOD__KV_ARGS_FIELDS(FIELD, OPT)                                                         \
    OPT (u64, memory, UINT64_MAX,                                                                 \
         "bytes of keys and values in what this node owns, or writes that need more are refused") \
    OPT (str, redis, 255, "HOST:PORT where Redis' clients may connect; missing: nowhere")
SYNOD_RECORD_DECLARE (synod__kv_args, SYNOD__KV_ARGS_FIELDS)

#endif
