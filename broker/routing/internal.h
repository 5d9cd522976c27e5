/* SPDX-License-Identifier: MPL-2.0
 *
 * The parts of the routing and what they share.
 *
 *   routing.c   the way of a frame, returned mail, the tap, turns
 *   members.c   who is connected as what: joining, claims to a taken name, ending, silence
 *   control.c   what the broker itself is told and asked
 *   changes.c   snapshots and deltas of the directory
 *   drops.c     what was given up, gathered for $bus.drop
 *   send.c      frames that the broker makes
 */
#ifndef SYNOD_BROKER_INTERNAL_H_INCLUDED
#define SYNOD_BROKER_INTERNAL_H_INCLUDED

#include "actors/runtime/directory.h"
#include "actors/runtime/hash.h"
#include "protocol/address.h"
#include "protocol/frame.h"
#include "routing.h"
#include <synod/actor.h>
#include <utlist.h>

#define SYNOD__GATHER_US       10000                 /* directory changes that go out together */
#define SYNOD__PIECE_MAX       (SYNOD_FRAME_MAX / 2) /* of a snapshot or delta, before the last entry */
#define SYNOD__HELLO_MAX       (64 * 1024)           /* a hello that has to wait for a claim is kept */
#define SYNOD__HEARTBEAT_LEAST 10                    /* ms; what a node declares is raised to it */
#define SYNOD__PROBE_US        10000000              /* clients are probed this often; those that left more often */
#define SYNOD__AGAIN_US        50000                 /* one `again` to the same stranger within this */
#define SYNOD__DROPS_MAX       256                   /* distinct drops remembered between reports */
#define SYNOD__HEAD_MAX        (4 + SYNOD_NAME_MAX + 9)

typedef enum {
    SYNOD__JOINED,   /* it has a place in the directory: peer is set */
    SYNOD__CLAIMING, /* its name is taken, and the holder is being probed */
    SYNOD__LEFT      /* it said leave: it may still send */
} synod__state_t;

typedef struct synod__member_t synod__member_t;

/* Somebody connected to the ROUTER who said hello. */
struct synod__member_t {
    char identity[SYNOD__IDENTITY_MAX + 1];
    uint8_t identity_size;
    uint8_t name_size; /* the identity's part that is the name */
    uint8_t head_size;
    char head[SYNOD__HEAD_MAX]; /* the header's first bytes, as peers write them that pack integers shortest */
    uint64_t incarnation;
    synod__state_t state;
    bool client;
    bool directory;   /* it keeps the directory */
    bool listed;      /* others may wait for it: they have had it in the directory, and do not know it to be dead */
    bool snapshot;    /* it needs a new one before any delta */
    bool changed;     /* in the list of changes: its entry is news */
    bool doomed;      /* in the list of those to be removed */
    bool unreachable; /* why it is doomed; false: silent */
    bool missed;      /* a piece of the snapshot under way did not reach it */
    bool tap_told;    /* what it was told last */
    uint32_t heartbeat_ms;
    int64_t seen_us;
    int64_t probed_us;
    synod__peer_t *peer;       /* joined only */
    synod__member_t *claimant; /* who claims this one's name */
    synod__member_t *holder;   /* claiming only: whose name it claims */
    int64_t claim_until_us;    /* claiming only */
    char *hello;               /* claiming only: the body of its hello */
    size_t hello_size;
    synod__member_t *prev, *next;                 /* all */
    synod__member_t *changed_prev, *changed_next; /* those with changed */
    synod__member_t *doomed_prev, *doomed_next;   /* those with doomed */
    UT_hash_handle hh;
};

typedef struct {
    char *key; /* from NUL to NUL reason */
    synod_str_t from, to, reason;
    uint64_t count;
    UT_hash_handle hh;
} synod__drop_entry_t;

struct synod__routing_t {
    synod__routing_config_t config;
    char publish[256], subscribe[256];
    const synod__routing_ops_t *ops;
    void *host;
    int64_t now_us, started_us, turned_us;

    synod__member_t *by_identity;
    synod__member_t *members;
    synod__member_t *changed;
    synod__member_t *doomed;
    uint32_t nmembers;
    uint32_t njoined;
    synod__directory_t *directory;

    int64_t scan_us; /* how often all members are looked at */
    int64_t scan_at_us;
    int64_t drops_at_us;
    int64_t swept_us;

    bool news;          /* a change or a snapshot waits */
    int64_t news_at_us; /* not before this */
    int64_t sent_us;    /* when changes went out last */
    synod_list_t gone;
    synod_buf_t gone_items;

    synod__drop_entry_t *drops;
    uint64_t drops_more; /* that found no place */

    bool tap, tap_prefix, tap_exact;
    char again[SYNOD__IDENTITY_MAX + 1]; /* who was told last, and when */
    uint8_t again_size;
    int64_t again_us;

    synod__batch_t batch; /* the frame under construction */
    synod__batch_t copy;  /* what is published beside it */
    synod_buf_t body, items, scratch;
    synod__routing_stats_t stats;
};

static inline synod_str_t synod__member_identity (const synod__member_t *m)
{
    return synod_str_n (m->identity, m->identity_size);
}
static inline synod_str_t synod__member_name (const synod__member_t *m)
{
    return synod_str_n (m->identity, m->name_size);
}

void synod__routing_log (synod__routing_t *self, int level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* ---- send.c ---- */

/* Sends one tell from the broker to `NAME/$node` of the peer connected as IDENTITY. Errors of ops->send. */
int synod__tell_identity (synod__routing_t *self, synod_str_t identity, synod_str_t name, const synod_record_t *record,
                          const void *rec);
/* The same to a member, which is doomed when it is not there any more. */
int synod__tell_member (synod__routing_t *self, synod__member_t *m, const synod_record_t *record, const void *rec);
/* The same with a body that is packed already. */
int synod__tell_body (synod__routing_t *self, synod__member_t *m, const synod_record_t *record, synod_str_t body);
/* An error about bytes that answer no ask in particular: its id is the greatest there is. NAME may be empty. */
void synod__error_identity (synod__routing_t *self, synod_str_t identity, synod_str_t name, int code,
                            const char *message);
/* Answers ASK of FRAME by its sender with a record, or with an error when RECORD is NULL. */
void synod__answer (synod__routing_t *self, synod__member_t *m, const synod_envelope_t *ask,
                    const synod_record_t *record, const void *rec, int code, const char *message);
/* Publishes one envelope on TOPIC. RECORD NULL: METHOD with no body. */
void synod__publish (synod__routing_t *self, synod_str_t topic, const char *method, const synod_record_t *record,
                     const void *rec);
void synod__tap_frame (synod__routing_t *self, const void *data, size_t size);

/* ---- members.c ---- */

/* Splits name@incarnation; false when it is no such thing. */
bool synod__identity_parse (synod_str_t identity, synod_str_t *name, uint64_t *incarnation);
synod__member_t *synod__member_find (const synod__routing_t *self, synod_str_t identity);
/* A hello from IDENTITY, whose header has been checked. MEMBER: NULL when it is a stranger. */
void synod__member_hello (synod__routing_t *self, synod_str_t identity, synod__member_t *member, synod_str_t body);
void synod__member_leave (synod__routing_t *self, synod__member_t *m);
/* Something came from M: it lives, and whoever claims its name is refused. */
void synod__member_lives (synod__routing_t *self, synod__member_t *m);
/* Will be removed at the end of this event or turn. */
void synod__member_doom (synod__routing_t *self, synod__member_t *m, bool unreachable);
void synod__members_bury (synod__routing_t *self);
/* Looks for the silent, decides claims, probes clients. */
void synod__members_scan (synod__routing_t *self);
void synod__members_free (synod__routing_t *self);

/* ---- control.c ---- */

/* FRAME, opened and checked, is for the broker, from the member connected as IDENTITY. */
void synod__control (synod__routing_t *self, synod_str_t identity, synod_frame_t *frame);
/* A frame from somebody who has not said hello. */
void synod__control_stranger (synod__routing_t *self, synod_str_t identity, const void *data, size_t size);

/* ---- changes.c ---- */

void synod__changes_up (synod__routing_t *self, synod__member_t *m);
void synod__changes_down (synod__routing_t *self, synod__member_t *m, const char *reason);
/* M gets a snapshot before any further delta. */
void synod__changes_snapshot (synod__routing_t *self, synod__member_t *m);
void synod__changes_forget (synod__routing_t *self, synod__member_t *m); /* it will be freed */
void synod__changes_send (synod__routing_t *self);

/* ---- routing.c ---- */

/* Sends a frame back to who sent it, with the reason. M NULL: a stranger, connected as IDENTITY. */
void synod__routing_return (synod__routing_t *self, synod_str_t identity, synod__member_t *m, const void *data,
                            size_t size, int code, const char *message);

/* Checks all of the frame's header against the sender's identity, and says what is wrong. */
bool synod__routing_open (synod__routing_t *self, synod_str_t identity, synod_str_t name, uint64_t incarnation,
                          const void *data, size_t size, synod_frame_t *frame);

/* ---- drops.c ---- */

/* How many messages are in a frame; 1 when that cannot be told. */
uint64_t synod__losses_count (const void *data, size_t size);

void synod__losses_add (synod__routing_t *self, synod_str_t from, synod_str_t to, const char *reason, uint64_t count);
void synod__losses_publish (synod__routing_t *self);
void synod__losses_free (synod__routing_t *self);

#endif
