/* SPDX-License-Identifier: MPL-2.0
 *
 * Deadlocks, by reduction of the resource graph (Holt 1972, "Some deadlock properties of computer systems"): an owner who
 * waits for nothing may let go of all that he has; what is free then is granted, in the order of queues; who has all that
 * he waited for may let go in turn. Who is left waits for ever. A permit may come from any of its holders, so a way round
 * the graph is not enough where there are permits; where there are none, it is.
 *
 * The order of reductions does not matter: what is free for a place stays free for it until it has it, since nobody passes
 * it. Nobody was left before an event, so whoever is left after it waits, by way of others, for him who began to wait:
 * only what he can reach is looked at, and nothing if he has nothing. He is the youngest of them, and the victim.
 *
 * The search is linear in what it reaches: each lock's holders and waiters are gone through once (twice: for writers,
 * and for readers, who look at writers alone).
 */
#include <stdio.h>
#include <stdlib.h>
#include "table_internal.h"
#include "actors/runtime/memory.h"

#define S_NAMED 8 /* places of a circle that its sentence names */
#define S_NONE  UINT32_MAX

/* A place that was reached. Those that wait are looked at in the order in which they are here. */
typedef struct {
    synod__locks_entry_t *entry;
    uint32_t leader;                 /* the first place here of its owner that waits; S_NONE: he waits for nothing */
    uint32_t open;                   /* of a leader: how many places of his wait still */
    uint32_t via;                    /* which place waits for this one, */
    const synod__locks_name_t *lock; /* and for which lock: in the circle that is told */
    bool granted, seen;
} s_node_t;

/* A lock that was reached. */
typedef struct {
    synod__locks_name_t *name;
    synod__locks_claim_t *all, *writers; /* up to where its waiters were gone through; NULL: none was */
    bool holders, writing;               /* its holders were gone through; those that write */
    uint32_t busy, busy_writers;         /* places that have it and are not let go */
    synod__locks_claim_t *front;         /* the first that waits still */
    bool dirty;
} s_lock_t;

typedef struct {
    s_node_t *nodes;
    s_lock_t *locks;
    uint32_t nnodes, nodes_capacity, nlocks, locks_capacity;
    bool reached; /* who began waits for himself, if nobody else lets go */
} s_search_t;

bool synod__locks_same_owner (const synod__locks_entry_t *a, const synod__locks_entry_t *b)
{
    return a->session == b->session && strcmp (a->owner, b->owner) == 0;
}

static uint32_t s_node (const s_search_t *self, const synod__locks_entry_t *entry)
{
    return entry->mark && entry->mark <= self->nnodes && self->nodes[entry->mark - 1].entry == entry ? entry->mark - 1
                                                                                                     : S_NONE;
}

static s_lock_t *s_lock (const s_search_t *self, const synod__locks_name_t *name)
{
    return name->mark && name->mark <= self->nlocks && self->locks[name->mark - 1].name == name
               ? &self->locks[name->mark - 1]
               : NULL;
}

/* ---- what can be reached ---- */

static void s_add (s_search_t *self, synod__locks_entry_t *entry, uint32_t leader)
{
    self->nodes = (s_node_t *) synod__grow (self->nodes, &self->nodes_capacity, self->nnodes + 1, sizeof *self->nodes);
    self->nodes[self->nnodes] = (s_node_t){.entry = entry, .leader = leader, .via = S_NONE};
    entry->mark = ++self->nnodes;
    if (entry->state == SYNOD__LOCKS_WAITS)
        self->nodes[leader].open++;
}

/* Adds the places of ENTRY's owner that wait and are not here yet. Their leader; LEADER: so far. */
static uint32_t s_add_waiting (s_search_t *self, const synod__locks_entry_t *entry, uint32_t leader)
{
    for (synod__locks_entry_t *at = entry->session->waits ? entry->session->entries : NULL; at; at = at->next) {
        if (at->state != SYNOD__LOCKS_WAITS || !synod__locks_same_owner (at, entry))
            continue;
        uint32_t node = s_node (self, at);
        leader = node != S_NONE ? self->nodes[node].leader : leader == S_NONE ? self->nnodes : leader;
        if (node == S_NONE)
            s_add (self, at, leader);
    }
    return leader;
}

static void s_reach (s_search_t *self, synod__locks_entry_t *entry)
{
    uint32_t node = s_node (self, entry), leader = node == S_NONE ? S_NONE : self->nodes[node].leader;
    bool own = synod__locks_same_owner (entry, self->nodes[0].entry);
    if (own && !self->reached) {
        self->reached = true;
        s_add_waiting (self, entry, 0);
    } else if (!own && node == S_NONE)
        leader = s_add_waiting (self, entry, S_NONE);
    if (s_node (self, entry) == S_NONE)
        s_add (self, entry, own ? 0 : leader);
}

static bool s_in_the_way (const synod__locks_entry_t *from, const synod__locks_entry_t *at)
{
    return !(from->shared && at->shared);
}

/* What CLAIM, which waits, waits for, as far as that was not gone through. */
static void s_go_through (s_search_t *self, const synod__locks_claim_t *claim)
{
    const synod__locks_entry_t *from = claim->entry;
    synod__locks_name_t *name = claim->name;
    if (!s_lock (self, name)) {
        self->locks =
            (s_lock_t *) synod__grow (self->locks, &self->locks_capacity, self->nlocks + 1, sizeof *self->locks);
        self->locks[self->nlocks++] = (s_lock_t){.name = name, .front = name->waiters.first};
        name->mark = self->nlocks;
    }
    s_lock_t *lock = s_lock (self, name);
    bool known = lock->holders || (from->shared && lock->writing);
    *(from->shared ? &lock->writing : &lock->holders) = true;
    for (synod__locks_claim_t *at = known ? NULL : name->holders.first; at; at = at->next)
        if (s_in_the_way (from, at->entry))
            s_reach (self, at->entry);
    synod__locks_claim_t **until = from->shared ? &lock->writers : &lock->all;
    synod__locks_claim_t *at = *until ? (*until)->next : name->waiters.first;
    if (*until && (*until)->entry->id >= from->id)
        return;
    for (; at && at != claim; at = at->next) {
        *until = at;
        if (s_in_the_way (from, at->entry))
            s_reach (self, at->entry);
    }
}

/* ---- reduction ---- */

static bool s_granted (const s_search_t *self, const synod__locks_entry_t *entry)
{
    uint32_t node = s_node (self, entry);
    return node != S_NONE && self->nodes[node].granted;
}

static bool s_is_free (const s_search_t *self, const synod__locks_claim_t *claim)
{
    const s_lock_t *lock = s_lock (self, claim->name);
    if (!lock)
        return false;
    if (claim->name->permits > 1 || !claim->entry->shared)
        return lock->front == claim && lock->busy < claim->name->permits;
    for (const synod__locks_claim_t *at = lock->front; at && at != claim; at = at->next)
        if (!at->entry->shared && !s_granted (self, at->entry))
            return false;
    return !lock->busy_writers;
}

/* ENTRY has its locks (BY 1), or lets them go (BY -1). */
static void s_count (const s_search_t *self, const synod__locks_entry_t *entry, int by)
{
    for (uint32_t i = 0; i < entry->nclaims; i++) {
        s_lock_t *lock = s_lock (self, entry->claims[i].name);
        if (!lock)
            continue;
        lock->busy += (uint32_t) by;
        lock->busy_writers += entry->shared ? 0 : (uint32_t) by;
        lock->dirty = true;
        while (lock->front && s_granted (self, lock->front->entry))
            lock->front = lock->front->next;
    }
}

static bool s_grant (const s_search_t *self, synod__locks_entry_t *entry)
{
    uint32_t node = s_node (self, entry);
    if (node == S_NONE || self->nodes[node].granted)
        return false;
    for (uint32_t i = 0; i < entry->nclaims; i++)
        if (!s_is_free (self, &entry->claims[i]))
            return false;
    self->nodes[node].granted = true;
    s_count (self, entry, 1);
    if (--self->nodes[self->nodes[node].leader].open)
        return true;
    for (const synod__locks_entry_t *at = entry->session->entries; at; at = at->next)
        if (s_node (self, at) != S_NONE && synod__locks_same_owner (at, entry))
            s_count (self, at, -1);
    return true;
}

/* Whether something of LOCK's queue was granted. */
static bool s_serve (const s_search_t *self, s_lock_t *lock)
{
    bool any = false;
    lock->dirty = false;
    for (synod__locks_claim_t *at = lock->front, *next; at; at = next) {
        next = at->next;
        if (s_grant (self, at->entry))
            any = true;
        else if (!at->entry->shared && !s_granted (self, at->entry))
            break;
    }
    return any;
}

static void s_reduce (const s_search_t *self)
{
    bool any = true;
    for (uint32_t i = 0; i < self->nlocks; i++) {
        s_lock_t *lock = &self->locks[i];
        lock->dirty = true;
        for (const synod__locks_claim_t *at = lock->name->holders.first; at; at = at->next) {
            uint32_t node = s_node (self, at->entry);
            if (node == S_NONE || self->nodes[node].leader == S_NONE)
                continue; /* its owner may let go at once; or nobody who was reached waits for him */
            lock->busy++;
            lock->busy_writers += !at->entry->shared;
        }
    }
    while (any) {
        any = false;
        for (uint32_t i = self->nlocks; i-- > 0;) /* the farther, the sooner it may be free */
            any = (self->locks[i].dirty && s_serve (self, &self->locks[i])) || any;
    }
}

/* ---- what is told ---- */

/* The shortest way from who began back to him, among those who are left. Its last place, and the lock that it is for. */
static uint32_t s_circle (const s_search_t *self, const synod__locks_name_t **lock)
{
    uint32_t *queue = (uint32_t *) synod__alloc (self->nnodes * sizeof *queue), first = 0, count = 0, closing = 0;
    bool closed = false;
    queue[count++] = 0;
    self->nodes[0].seen = true;
    *lock = self->nodes[0].entry->claims[0].name;
    while (first < count && !closed) {
        const synod__locks_entry_t *from = self->nodes[queue[first]].entry;
        for (uint32_t i = 0; i < from->nclaims && !closed; i++) {
            const synod__locks_name_t *name = from->claims[i].name;
            const synod__locks_claim_t *at = name->holders.first ? name->holders.first : name->waiters.first;
            for (; at && at != &from->claims[i] && !closed;
                 at = at == name->holders.last ? name->waiters.first : at->next) {
                uint32_t node = s_node (self, at->entry), leader = node == S_NONE ? S_NONE : self->nodes[node].leader;
                if (leader == S_NONE || !self->nodes[leader].open || !s_in_the_way (from, at->entry))
                    continue;
                closed = leader == 0;
                closing = queue[first];
                *lock = closed ? name : *lock;
                for (uint32_t n = 0; n < self->nnodes && !closed; n++) {
                    s_node_t *other = &self->nodes[n];
                    if (other->leader != leader || other->seen || other->entry->state != SYNOD__LOCKS_WAITS ||
                        other->granted)
                        continue;
                    other->seen = true;
                    other->via = closing;
                    other->lock = name;
                    queue[count++] = n;
                }
            }
        }
        first++;
    }
    free (queue);
    return closing;
}

static void s_tell (const s_search_t *self, synod_fault_t *fault)
{
    char text[SYNOD_FAULT_MAX];
    const synod__locks_name_t *lock;
    uint32_t path[S_NAMED], length = 0, shown = 0, at = s_circle (self, &lock);
    const synod__locks_name_t *locks[S_NAMED];
    size_t used = 0;
    for (; at != S_NONE; at = self->nodes[at].via) { /* the last ones are kept: those where it begins */
        path[length % S_NAMED] = at;
        locks[length++ % S_NAMED] = lock;
        lock = self->nodes[at].lock;
    }
    for (uint32_t i = length; i > 0 && shown < S_NAMED && used < sizeof text; i--, shown++) {
        const synod__locks_entry_t *entry = self->nodes[path[(i - 1) % S_NAMED]].entry;
        used += (size_t) snprintf (text + used, sizeof text - used, "%s%s%s%s waits for %s", shown ? ", " : "",
                                   entry->session->who, *entry->owner ? ":" : "", entry->owner,
                                   locks[(i - 1) % S_NAMED]->text);
    }
    synod_fault (fault, SYNOD_DEADLOCK, "a circle: %s%s", text, length > S_NAMED ? ", ..." : "");
}

bool synod__locks_deadlocked (synod__locks_entry_t *entry, synod_fault_t *fault)
{
    s_search_t self = {0};
    const synod__locks_entry_t *other = entry->session->entries;
    while (other && (other == entry || !synod__locks_same_owner (other, entry)))
        other = other->next;
    if (!other || SYNOD__LOCK_MUTANT (CIRCLES_LEFT)) /* nobody waits for who has nothing */
        return false;
    s_add (&self, entry, 0);
    for (uint32_t i = 0; i < self.nnodes; i++)
        for (uint32_t n = 0; self.nodes[i].entry->state == SYNOD__LOCKS_WAITS && n < self.nodes[i].entry->nclaims; n++)
            if (!(SYNOD__LOCK_MUTANT (PERMITS_LEFT) && self.nodes[i].entry->permits > 1))
                s_go_through (&self, &self.nodes[i].entry->claims[n]);
    if (self.reached)
        s_reduce (&self);
    bool stuck = self.reached && self.nodes[0].open > 0;
    if (stuck)
        s_tell (&self, fault);
    free (self.nodes);
    free (self.locks);
    return stuck;
}
