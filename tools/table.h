/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `kv`, by its parts; its ring, its nodes and its troubles are those of the scenario `placed`:
 *
 *   scenario_kv.c     the world: how it begins and ends
 *   table_model.c     what a key is, were it alone
 *   table_clients.c   who asks, and what came of it, as a history
 *   table_many.c      clients whose keys go together
 *   table_values.c    values that show whether they are whole, and in pieces
 *   table_due.c       deadlines, each key with one writer
 *   table_scan.c      who writes keys that stay, and scans
 *   table_watch.c     who watches, as an actor, and what it must not miss
 */
#ifndef SYNOD_TOOLS_TABLE_H_INCLUDED
#define SYNOD_TOOLS_TABLE_H_INCLUDED

#include "placed.h"
#include "actors/kv/client.h"
#include "actors/kv/kv.h"
#include "actors/kv/prefix.h"
#include "actors/kv/watch.h"

#define TABLE_CLIENTS 2
#define TABLE_ASKERS  8
#define TABLE_APART   5 /* of them; the others ask together */
#define TABLE_DUES    2
#define TABLE_STAYS   24
#define TABLE_WATCHES 3
#define TABLE_EVENTS  256
#define TABLE_ASK_MS  600000
#define TABLE_READ_MS 3000

/* ---- the model ---- */

/* Of a key: put value fence -> 1|0; add value -> 1|0 (only if absent); delete fence -> 1|0 had; cas old new -> 1|0;
 * incr amount -> sum; append token; get -> value. */
enum { TABLE_GET, TABLE_PUT, TABLE_ADD, TABLE_DELETE, TABLE_CAS, TABLE_INCR, TABLE_APPEND };
extern const synod_model_t table_model;
/* The value of VALUE (SYNOD_NIL: none) with TOKEN appended. */
int64_t table_appended (int64_t value, int64_t token);

/* ---- the world ---- */

typedef struct table_t table_t;

/* Keys by what is done to them. */
typedef enum { TABLE_NUMBER, TABLE_TEXT, TABLE_COUNTER } table_kind_t;
typedef struct {
    const char *name;
    table_kind_t kind;
} table_key_t;
#define TABLE_KEYS 6
extern const table_key_t table_keys[TABLE_KEYS];

/* What is known of a key, by all. */
typedef struct {
    int64_t value;         /* that its last version was seen with */
    uint64_t version;      /* 0: none was seen */
    uint64_t least;        /* the highest version that an acknowledged write had */
    uint64_t fence;        /* the last that was drawn */
    uint64_t sure, unsure; /* of a counter: acknowledged, and not known */
    int64_t sum;           /* as read at the end */
    bool gone;             /* as read at the end: no value */
    uint64_t last;         /* version, as read at the end */
} table_seen_t;

typedef struct {
    table_t *world;
    int node;
    uint32_t number, key, operation;
    int64_t args[2];
    uint64_t least;    /* as it was when it was asked */
    synod_buf_t value; /* to be sent, or coming */
    uint64_t upload;   /* in pieces: under this number */
    uint32_t piece;    /* the next one */
    uint64_t size;     /* of what is read */
    uint64_t version;
    bool last, done;   /* all is well: it reads; it has */
    uint64_t together; /* what it asks for is under way with others, in this life of theirs; 0: it is not */
} table_asker_t;

/* A key whose only writer gives it deadlines. */
typedef struct {
    table_t *world;
    int node;
    uint32_t number;
    bool sure;        /* what follows is known */
    bool there;       /* it has a value that was not seen gone */
    int64_t until_ms; /* 0: it stays */
    uint64_t version, fence;
    uint64_t asked;                 /* which of its commands */
    int64_t walls_ms[PLACED_NODES]; /* when it asked, by the clock of each node */
} table_due_t;

/* Who writes keys that stay, and scans. */
typedef struct {
    table_t *world;
    int node;
    uint32_t stays; /* written and acknowledged */
    bool writing;
    uint32_t wanted; /* those when the scan began */
    uint64_t found;  /* bits */
    char cursor[SYNOD__KV_CURSOR_MAX];
    uint32_t cursor_size;
    uint64_t scans; /* that were whole */
} table_scanner_t;

/* A write that was acknowledged. */
typedef struct {
    uint32_t key;
    uint64_t version;
} table_write_t;

/* A watcher has said that nothing was between. */
typedef struct {
    uint32_t key;
    uint64_t from, to; /* versions */
} table_span_t;

/* What a watcher has told. */
typedef struct {
    uint32_t watch; /* of a key; from TABLE_WATCHES on: of the prefix, this key less that */
    bool jump, found;
    uint64_t version;
    uint64_t after, floor; /* what it knew of the partition before, and knows now */
    int64_t value;         /* of a number, if it was told; SYNOD_NIL: not */
} table_event_t;

/* The memory of the actor that watches. */
typedef struct {
    synod__kv_watch_of_t watch[TABLE_WATCHES];
    bool asking[TABLE_WATCHES];
    synod__kv_prefix_t prefix; /* of all keys */
    uint64_t count;            /* of events; those are the last ones */
    uint64_t gaps;
    table_event_t events[TABLE_EVENTS];
} table_watcher_t;
extern const synod_actor_t table_watcher;

struct table_t {
    placed_t ring;    /* first: it is handed on as such */
    synod_actor_t kv; /* the actor, with as many copies as the ring says */
    table_asker_t askers[TABLE_ASKERS], reader;
    synod_history_t *history;
    table_seen_t seen[TABLE_KEYS];
    int64_t next; /* every value is written once */
    uint32_t crashes;
    table_due_t dues[TABLE_DUES];
    table_scanner_t scanner;
    int watcher, many;
    uint64_t watched;                          /* events that were looked at */
    uint64_t told[TABLE_WATCHES + TABLE_KEYS]; /* where the last one of each was */
    table_write_t *writes;
    table_span_t *spans;
    uint32_t nwrites, writes_room, nspans, spans_room;
};

/* The address of KEY at some node, or of kv-node at one (KEY NULL). False: nobody knows of the ring yet. */
bool table_address (table_t *world, const char *key, char text[64]);
/* Every node is up and knows of the ring: one that does not refuses, also what others may have done. */
bool table_all_know (const table_t *world);
/* A key has this version by an acknowledged write. */
void table_wrote (table_t *world, uint32_t key, uint64_t version);

/* table_values.c: a value is chunks, each TOKEN, SIZE, and SIZE bytes that follow from TOKEN. */
int table_chunk (synod_buf_t *out, int64_t token, uint32_t size);
/* What it comes to, as the model has it; false: it is not whole. */
bool table_read_value (synod_str_t bytes, int64_t *value);

int table_clients (table_t *world);
void table_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *asker);
int table_many (table_t *world);
/* ASKER asks for its key with others; the answer goes to table_reply. SYNOD_NOT_FOUND: it cannot, now or so. */
int table_many_begin (table_asker_t *asker, const synod_record_t *record, const void *in, uint32_t timeout_ms);
bool table_many_idle (const table_t *world); /* nothing of it is under way */
bool table_clients_done (placed_t *ring);
int table_dues (table_t *world);
int table_scanner (table_t *world);
int table_watch (table_t *world);
bool table_watch_level (const table_t *world); /* the watcher knows what was read at the end */
int table_watch_finish (table_t *world);

#endif
