/* SPDX-License-Identifier: MPL-2.0
 *
 * Mail to and from one node: what waits to leave and by which path, what has come, and the functions of stream.c.
 */
#ifndef SYNOD_RUNTIME_STREAM_H_INCLUDED
#define SYNOD_RUNTIME_STREAM_H_INCLUDED

#include "hash.h"
#include "directory.h"
#include "protocol/catalogue.h"
#include "runtime.h"

typedef struct synod__stream_t synod__stream_t;
typedef struct synod__ask_t synod__ask_t;

typedef struct {
    char address[SYNOD_ADDRESS_MAX + 1];
    uint32_t size;
    uint64_t wait; /* the commit that it waits for; 0: none */
    synod__batch_t batch;
} synod__box_t;

typedef struct synod__waiting_t {
    struct synod__waiting_t *next;
    synod_buf_t frame;
    uint64_t wait; /* as its box's */
    int64_t since_us;
} synod__waiting_t;

typedef enum {
    SYNOD__LINK_NONE,
    SYNOD__LINK_ASKED, /* link_ask is out */
    SYNOD__LINK_CONNECTING,
    SYNOD__LINK_MARKED, /* the mark is out on the broker's path; new mail is held */
    SYNOD__LINK_DIRECT,
    SYNOD__LINK_MARKED_BACK /* the mark is out on the direct path; new mail is held */
} synod__link_state_t;

#define SYNOD__STREAM_IDLE_US 60000000 /* without mail: what is known of a node outside the directory is forgotten */

struct synod__stream_t {
    char name[SYNOD_NAME_MAX + 1];
    uint32_t name_size;
    UT_hash_handle hh;
    synod__peer_t *peer;           /* NULL: not in the directory */
    int64_t used_us;               /* when it last had a use */
    uint32_t refs;                 /* calls kept for it */
    struct synod__kept_t *kept;    /* those not answered at once, the oldest first */
    struct synod__kept_t *kept_at; /* where the next repeat is likely to be; NULL: the first */
    bool dirty;                    /* in the list of streams to flush */
    bool parked;                   /* in the list of those that have mail that waits for a commit */
    /* out */
    synod__box_t **boxes;
    uint32_t nboxes, boxes_capacity;
    synod__waiting_t *first, *last; /* frames that ZeroMQ did not take */
    size_t queued;                  /* bytes in those and in held batches */
    bool blocked;                   /* until writable */
    uint64_t sent;                  /* number of the last frame */
    uint64_t base;                  /* number of the first one to this incarnation */
    uint32_t marks;                 /* marks that are still to be sent */
    synod__ask_t *asks;
    uint32_t nasks;
    /* in */
    uint64_t seen_incarnation; /* 0: nothing came yet */
    uint64_t seen;             /* number of the last frame */
    uint64_t head;             /* number of the first one of this incarnation that is accounted for; 0: none came */
    int64_t numbered_us;       /* when a numbered one came last */
    int64_t heard_us;          /* of the incarnation that is the peer */
    uint64_t foreign;          /* the incarnation that is in another ring than this node */
    bool leaving;              /* it said so: nothing new goes there, and it still answers what it has */
    /* path */
    uint32_t link;   /* in use; SYNOD__LINK_BROKER with a broker at first */
    uint32_t direct; /* the direct one, 0: none */
    synod__link_state_t link_state;
    bool link_lost; /* the direct link broke while it was used */
    bool held;
    uint64_t change;
    uint32_t messages;     /* sent since the last tick */
    uint32_t idle;         /* ticks without any */
    int64_t link_until_us; /* deadline of a state, or when to try again */
    /* without a broker */
    bool present;          /* its subscriptions have arrived here */
    int64_t since_us;      /* when it became a peer */
    uint32_t heartbeat_ms; /* as its hello says */
    uint64_t claimant;     /* another incarnation that wants the name; 0: none */
    int64_t claimed_us;    /* since when */
    bool answers;          /* the holder has answered the probe for it */
    uint32_t greetings;    /* in a row that asked for a hello it should have: what is sent to it does not arrive */
    int64_t greeted_us;    /* the last of them */
};

static inline synod_str_t synod__stream_name (const synod__stream_t *stream)
{
    return synod_str_n (stream->name, stream->name_size);
}
synod__stream_t *synod__stream_get (synod__rt_t *rt, synod_str_t node); /* makes it */
synod__stream_t *synod__stream_find (synod__rt_t *rt, synod_str_t node);
/* Adds an envelope for ADDRESS; SYNOD_BUSY, SYNOD_TOO_LARGE. */
int synod__stream_put (synod__rt_t *rt, synod__stream_t *stream, synod_str_t address, const synod_envelope_t *env);
int synod__stream_put_record (synod__rt_t *rt, synod__stream_t *stream, synod_str_t address,
                              const synod_envelope_t *env, const synod_record_t *record, const void *rec);
void synod__stream_flush (synod__rt_t *rt, synod__stream_t *stream);
void synod__stream_dirty (synod__rt_t *rt, synod__stream_t *stream);             /* it is flushed when the turn ends */
bool synod__stream_ahead (const synod__rt_t *rt, const synod__stream_t *stream); /* whether some of it need not wait */
/* Batches that wait for commits up to SETTLED become frames. */
void synod__stream_seal (synod__rt_t *rt, synod__stream_t *stream, uint64_t settled);
/* More is durable: what waited for that leaves before anything is added that waits for nothing. */
void synod__streams_settled (synod__rt_t *rt);
void synod__stream_reset (synod__rt_t *rt, synod__stream_t *stream, int code, const char *message); /* all is lost */
bool synod__stream_full (const synod__rt_t *rt, const synod__stream_t *stream);
void synod__stream_mark (synod__rt_t *rt, synod__stream_t *stream);
void synod__stream_free (synod__rt_t *rt, synod__stream_t *stream);
/* Ends what is in a frame of ours that did not arrive: asks with CODE, the rest counted. */
void synod__frame_fail (synod__rt_t *rt, const void *data, size_t size, int code, const char *message);
/* The address of a node's $node, or of the broker, in OUT. */
#define SYNOD__CONTROL_MAX (2 * SYNOD_NAME_MAX + 2)
synod_str_t synod__control_address (const synod__rt_t *rt, const synod__stream_t *stream, char *out);
/* A tell to a node's $node, or to the broker. */
void synod__control_tell (synod__rt_t *rt, synod__stream_t *stream, const synod_record_t *record, const void *rec);

#endif
