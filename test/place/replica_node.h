/* SPDX-License-Identifier: MPL-2.0
 *
 * A node of the replication's small world: the replica, its disk, and what its turn has yet to do. It is a host as the
 * runtime is: a step is carried out on the open transaction, at the turn's end all is committed, then sent.
 */
#ifndef SYNOD_TEST_PLACE_REPLICA_NODE_H_INCLUDED
#define SYNOD_TEST_PLACE_REPLICA_NODE_H_INCLUDED

#include "actors/place/replica_check.h"

#define NODE_KEYS    8
#define NODE_BATCH   3 /* entries of a batch or chunk, at most */
#define NODE_ENTRY   5 /* bytes: a key, four of its value, 0 to delete */
#define NODE_BYTES   (NODE_BATCH * NODE_ENTRY)
#define NODE_TAIL    16 /* batches that a disk keeps */
#define NODE_BATCHES SYNOD__REPLICA_BATCHES_MAX
#define NODE_OUTBOX  64
#define NODE_TURNS   32

/* A message with all that it points to. */
typedef struct {
    synod__store_id_t to;
    synod__replica_message_t message;
    synod__replica_batch_t batches[NODE_BATCHES];
    char bytes[NODE_BATCHES][NODE_BYTES];
    synod__replica_run_t runs[SYNOD__REPLICA_RUNS_MAX];
    char key[4], last_key[4], entries[NODE_BYTES];
} node_mail_t;

typedef struct {
    uint64_t epoch, n;
    uint32_t size, undo_size;
    char bytes[NODE_BYTES], undo[NODE_BYTES];
} node_kept_t;

typedef struct {
    synod__store_id_t id;
    uint64_t seal;
    char head[512]; /* packed */
    uint32_t head_size;
    uint32_t copy[NODE_KEYS], side[NODE_KEYS];
    node_kept_t tail[NODE_TAIL]; /* the last ones, in order */
    uint32_t tail_count;
} node_disk_t;

typedef enum { NODE_MAIL, NODE_OWN, NODE_DISOWN, NODE_RELEASED } node_effect_kind_t;

/* What waits for the commit; mails that are EARLY need not. */
typedef struct {
    node_effect_kind_t kind;
    uint64_t number;   /* the term, or the turn */
    node_mail_t *mail; /* NULL: it left early */
    bool early;
} node_effect_t;

typedef struct {
    uint64_t turn, epoch;
    synod__replica_at_t seen, asked;
    bool wrote;
} node_turn_t;

typedef struct {
    node_disk_t disk, open;      /* durable, and the open transaction */
    bool dirty, strict;          /* something was written; that something waits for */
    bool lazily;                 /* what is written now nothing waits for */
    bool keeps_tail, keeps_undo; /* what the host does for catching up */
    uint32_t chunk;              /* entries of a chunk */
    synod__replica_config_t config;
    synod__replica_t replica;
    uint64_t turn;
    uint32_t view; /* which epoch it knows: an index; UINT32_MAX: none */
    bool paused;
    node_effect_t outbox[NODE_OUTBOX];
    uint32_t noutbox;
    node_turn_t turns[NODE_TURNS]; /* not yet released */
    uint32_t nturns;
    uint32_t applied, cuts, swaps, removed;
} node_t;

/* Takes the replica up from the disk. */
void node_start (node_t *self, uint32_t tail_count);
/* synod__replica_tick; asserts that it does nothing if the replica says that it is idle, and only then. */
const synod__replica_step_t *node_tick (node_t *self);
/* Carries out the step on the open transaction; its other effects go to the outbox. Messages are taken from ON_MAIL. */
void node_perform (node_t *self, const synod__replica_step_t *step, node_mail_t *(*on_mail) (void *), void *arg);
/* And tells the owner of it, whose messages may go then. */
void node_commit (node_t *self, node_mail_t *(*on_mail) (void *), void *arg);
/* Of the copy on the durable disk. */
uint64_t node_digest (const node_disk_t *disk);
void node_head (const node_disk_t *disk, synod__replica_head_t *head);
/* A batch with COUNT entries. */
uint32_t node_batch (char *bytes, const uint8_t *keys, const uint32_t *values, uint32_t count);

#endif
