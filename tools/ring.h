/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of `synod ring` share: asking the actor `ring` of a member, and the ring as it is told.
 */
#ifndef SYNOD_TOOLS_RING_H_INCLUDED
#define SYNOD_TOOLS_RING_H_INCLUDED

#include <jansson.h>
#include "tool.h"
#include "actors/place/epoch.h"
#include "actors/place/ring.h"
#include "protocol/ring_records.h"

typedef struct {
    synod__command_t *command;
    synod__join_t join;
    synod_handle_t *handle;
    const char *at; /* the node to ask; NULL: any member */
    bool json, watch, wait, force;
    const char *key, *type, *zone, *keepers;
    synod__texts_t what_if;
    uint64_t weight, replicas, partitions;
    char asked[SYNOD_NAME_MAX + 1]; /* who is asked; "": nobody yet */
} synod__rings_t;

/* How a member is, by its keeper. */
typedef struct {
    bool told; /* else all that follows is zero */
    synod__ring_member_t is;
} synod__rings_member_t;

/* The ring as one keeper has it, or as the node that was asked does. Owns what it points to; zero: nothing. */
typedef struct {
    char node[SYNOD_NAME_MAX + 1]; /* who answered */
    bool keeper;
    synod__epoch_t epoch;
    synod__rings_member_t *members; /* by member of the epoch */
    char doing[SYNOD_FAULT_MAX], trouble[SYNOD_FAULT_MAX];
} synod__rings_view_t;

/* The partitions of one type, or of all members where there is no type yet. */
typedef struct {
    const char *name; /* borrowed from the epoch; NULL: no type */
    uint32_t replicas;
    synod__ring_t *now, *then; /* by weights, and by targets */
} synod__rings_type_t;

/* How far what moves has moved. */
typedef struct {
    uint64_t partitions, left; /* that get another copy somewhere; of those */
    uint64_t bytes;            /* that members have sent to others since they started */
    bool moving;               /* targets differ from weights */
    bool rests;                /* nothing moves, everything is served, all who are up have what they should have */
} synod__rings_progress_t;

/* ---- ring_ask.c: exit codes, SYNOD__EXIT_NONE to go on ---- */

/* Joins once, and finds out whom to ask: `at`, else FIRST if it is not NULL, else any member. */
int synod__rings_reach (synod__rings_t *self, const char *first);
/* Asks who was found. ANSWER and OUT as for synod_record_unpack; OUT borrows the handle until its next call. */
int synod__rings_ask (synod__rings_t *self, const synod_record_t *record, const void *in, const synod_record_t *answer,
                      void *out, synod_reply_t *reply);
/* Fills VIEW, which is freed in any case. A node that is in no ring is an error that says how one is made. */
int synod__rings_look (synod__rings_t *self, synod__rings_view_t *view);
void synod__rings_view_free (synod__rings_view_t *view);
/* Prints why, as the other commands do. */
int synod__rings_fail (const synod_reply_t *reply);

/* ---- ring_show.c ---- */

int synod__rings_show (synod__rings_t *self);
/* Until what moves has moved; EPOCH: the change's. Says how far on standard error. */
int synod__rings_await (synod__rings_t *self, uint64_t epoch);
/* One line: which ring, epoch, keepers. */
void synod__rings_print_head (const synod__rings_view_t *view);

/* ---- ring_table.c ---- */

/* How many types the epoch has, at least 1; SYNOD__TYPES_MAX + 1 of them fit. */
uint32_t synod__rings_types (const synod__epoch_t *epoch);
/* Type I with its tables; false: memory ran out, and nothing is held. */
bool synod__rings_type (const synod__epoch_t *epoch, uint32_t i, synod__rings_type_t *out);
void synod__rings_type_free (synod__rings_type_t *type);
synod__rings_progress_t synod__rings_progress (const synod__rings_view_t *view);
bool synod__rings_keeps (const synod__epoch_t *epoch, const synod__member_t *member);

/* ---- ring_what.c ---- */

int synod__rings_key (synod__rings_t *self);
int synod__rings_what_if (synod__rings_t *self);

/* ---- ring_change.c ---- */

/* NAME[:WEIGHT] into both; WEIGHT is 0 when it is not there. */
int synod__rings_node_word (const synod__rings_t *self, const char *word, char name[SYNOD_NAME_MAX + 1],
                            uint64_t *weight);
int synod__rings_init (synod__rings_t *self, const char *const *words, int nwords);
int synod__rings_join (synod__rings_t *self, const char *const *words, int nwords);
int synod__rings_leave (synod__rings_t *self, const char *const *words, int nwords);
int synod__rings_remove (synod__rings_t *self, const char *const *words, int nwords);
int synod__rings_weight (synod__rings_t *self, const char *const *words, int nwords);
int synod__rings_keepers (synod__rings_t *self, const char *const *words, int nwords);

/* ---- JSON: prints VALUE as one line, and takes it ---- */

void synod__rings_json (json_t *value);

#endif
