/* SPDX-License-Identifier: MPL-2.0
 *
 * How a keeper believes the members to be, from what they report, from what the directory says and from what the other
 * keepers suspect; and what it therefore wishes of the next epoch. A pure core: what happens goes in with its time.
 *
 * A member is believed dead when the directory has lost it and a report is overdue, or when it was silent for too long. It is marked down when a
 * majority of the keepers believe it within the last heartbeats, and marked up again when it reports in the epoch, no
 * owner says that it lacks anything, and that has been so for a while: a while that doubles for one that goes up and
 * down. A stop that was announced is neither suspicion nor misbehaviour.
 */
#ifndef SYNOD_PLACE_RING_WATCH_H_INCLUDED
#define SYNOD_PLACE_RING_WATCH_H_INCLUDED

#include "place.h"
#include "ring_change.h"

#define SYNOD__WATCH_DELAY_MS     1000  /* before it is marked up again, the first time; */
#define SYNOD__WATCH_DELAY_MAX_MS 60000 /* doubled up to this; and after so long a time up it is forgotten */

typedef struct {
    uint32_t silence_ms; /* of one that is believed dead */
    uint32_t overdue_ms; /* of one that the directory has lost, too */
    uint32_t suspect_ms; /* what another keeper believes counts for so long */
    uint32_t grace_ms;   /* down for so long: removed; 0: never */
} synod__ring_watch_times_t;

/* One member, as seen by this keeper. */
typedef struct {
    synod__store_id_t id;
    bool heard;     /* something came of it since it is watched */
    bool lost;      /* the directory has lost it, and nothing came since */
    bool down;      /* as in the epoch */
    bool monitored; /* the directory has been asked to tell when it loses the node; the caller's */
    bool stopping;
    int64_t heard_us;               /* when something came last, or when it is watched since */
    int64_t marked_us;              /* down or up since, as this keeper saw it */
    int64_t ready_us;               /* down: could be marked up since; 0: could not */
    uint32_t delay_ms;              /* how long it has to be so */
    synod__place_progress_t report; /* the last; epoch 0: none */
    synod__store_id_t *lacking;     /* members marked down that are not as they should be, as its last report says */
    uint32_t nlacking;
} synod__watched_t;

/* What another keeper believes. */
typedef struct {
    synod__store_id_t id;
    int64_t heard_us; /* 0: nothing yet */
    synod__store_id_t *dead;
    uint32_t ndead;
} synod__believer_t;

/* Zero-initialise, free with synod__ring_watch_free. */
typedef struct {
    synod__ring_watch_times_t times;
    uint64_t epoch; /* of which MEMBERS are the members, in their order; 0: none yet */
    uint32_t nmembers;
    synod__watched_t *members;
    uint32_t nbelievers; /* the epoch's keepers, in their order */
    synod__believer_t believers[SYNOD__KEEPERS_MAX];
    bool *owns;     /* by member; NULL: not computed yet */
    bool *can_stop; /* by member; filled as asked for */
} synod__ring_watch_t;

typedef enum {
    SYNOD__WISH_NONE,
    SYNOD__WISH_DOWN,
    SYNOD__WISH_UP,
    SYNOD__WISH_REMOVE /* as the change of that name */
} synod__wish_t;

/* What a keeper wishes. */
typedef struct {
    bool any;          /* enough for an epoch of its own */
    bool settle;       /* every learner has all: weights may become targets */
    uint64_t settled;  /* every replica of this epoch was brought into it; 0: not known */
    synod__wish_t *of; /* by member, owned by the caller: room for all members */
} synod__wishes_t;

void synod__ring_watch_free (synod__ring_watch_t *self);
/* Watches the members of EPOCH, with what it knows of those it watched before. False: memory ran out. */
bool synod__ring_watch_enter (synod__ring_watch_t *self, const synod__epoch_t *epoch, int64_t now_us);

/* The member's number, by its store; nmembers: none. */
uint32_t synod__ring_watch_find (const synod__ring_watch_t *self, const synod__store_id_t *id);

/* It reports. LACKING is copied. False: memory ran out, and it is as if nothing came. */
bool synod__ring_watch_report (synod__ring_watch_t *self, uint32_t member, const synod__place_progress_t *report,
                               bool stopping, const synod__store_id_t *lacking, uint32_t nlacking, int64_t now_us);
/* The directory has lost its node. */
void synod__ring_watch_lost (synod__ring_watch_t *self, uint32_t member);
/* The keeper of number KEEPER in the epoch believes these dead, and no others. DEAD is copied. */
bool synod__ring_watch_believes (synod__ring_watch_t *self, uint32_t keeper, const synod__store_id_t *dead,
                                 uint32_t ndead, int64_t now_us);

/* Whether this keeper itself believes it dead. */
bool synod__ring_watch_dead (const synod__ring_watch_t *self, uint32_t member, int64_t now_us);
/* How many keepers do: MINE is this keeper's number. */
uint32_t synod__ring_watch_count (const synod__ring_watch_t *self, uint32_t mine, uint32_t member, int64_t now_us);

/* What to wish of the epoch after EPOCH, which is the one that was entered. False: memory ran out. */
bool synod__ring_watch_wish (synod__ring_watch_t *self, const synod__epoch_t *epoch, uint32_t mine, int64_t now_us,
                             synod__wishes_t *out);

/* Which keeper this one is among those that are up and stay, in the epoch's order: 0 is the one that acts. */
uint32_t synod__ring_watch_rank (const synod__ring_watch_t *self, uint32_t mine, int64_t now_us);

#endif
