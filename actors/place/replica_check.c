/* SPDX-License-Identifier: MPL-2.0
 *
 * The checker of replication. It remembers of each term what its owner adopted and the digests of the states after its
 * batches, and of each store what it ever had on its disk under which mark, since a copy that was deleted counted once.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include "replica_check.h"

/* For sentences: a term as epoch.life. */
#define S_TERM       "%" PRIu64 ".%" PRIu64
#define S_OF(term)   synod__term_epoch (term), (term) -synod__term (synod__term_epoch (term))
#define S_STORES_MAX 64 /* of one partition, wiped ones too */

/* A term; an epoch is known by its first. */
typedef struct {
    uint64_t epoch;
    uint32_t replicas, owner;
    synod__store_id_t stores[SYNOD__REPLICAS_MAX];
    uint64_t
        held[SYNOD__REPLICAS_MAX]; /* by replica: the last batch it ever had with this mark, plus one; 0: no mark */
    bool adopted;                  /* the owner's copy is marked */
    synod__replica_at_t base;      /* what it adopted */
    uint64_t *digests;             /* of the states after base.n + 1 and so on; 0: not yet seen */
    uint32_t count, room;
    bool served;
} s_epoch_t;

typedef struct {
    synod__store_id_t id;
    uint64_t seal, mark;
} s_store_t;

struct synod__replica_check_t {
    s_epoch_t *epochs; /* by number */
    uint32_t nepochs, room;
    s_store_t stores[S_STORES_MAX];
    uint32_t nstores;
    synod__replica_at_t known;
    uint64_t known_in; /* the epoch of the last release: what it had not, and an epoch before had, is gone for good */
};

synod__replica_check_t *synod__replica_check_new (void)
{
    return (synod__replica_check_t *) calloc (1, sizeof (synod__replica_check_t));
}

void synod__replica_check_destroy (synod__replica_check_t **self_p)
{
    synod__replica_check_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->nepochs; i++)
        free (self->epochs[i].digests);
    free (self->epochs);
    free (self);
    *self_p = NULL;
}

static int s_no_memory (synod_fault_t *fault)
{
    return synod_fault (fault, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
}

static s_epoch_t *s_epoch (const synod__replica_check_t *self, uint64_t number)
{
    uint32_t low = 0, high = self->nepochs;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->epochs[middle].epoch == number)
            return &self->epochs[middle];
        if (self->epochs[middle].epoch < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* For sentences: the first bytes of a store's id. */
static unsigned s_name (const synod__store_id_t *id)
{
    return (unsigned) id->bytes[0] << 24 | (unsigned) id->bytes[7] << 16 | (unsigned) id->bytes[8] << 8 | id->bytes[15];
}

/* A term that is not there yet, among the others; NULL: no memory. */
static s_epoch_t *s_add (synod__replica_check_t *self, uint64_t term)
{
    if (self->nepochs == self->room) {
        uint32_t room = self->room ? 2 * self->room : 8;
        void *grown = realloc (self->epochs, room * sizeof *self->epochs);
        if (!grown)
            return NULL;
        self->epochs = (s_epoch_t *) grown;
        self->room = room;
    }
    uint32_t at = self->nepochs++;
    for (; at > 0 && self->epochs[at - 1].epoch > term; at--)
        self->epochs[at] = self->epochs[at - 1];
    memset (&self->epochs[at], 0, sizeof *self->epochs);
    self->epochs[at].epoch = term;
    return &self->epochs[at];
}

/* The term MARK, of an epoch that was decided, is there from the moment that a copy has its mark. */
static int s_begun (synod__replica_check_t *self, uint64_t mark, synod_fault_t *fault)
{
    const s_epoch_t *first = s_epoch (self, synod__term (synod__term_epoch (mark)));
    if (!first || s_epoch (self, mark))
        return SYNOD_OK;
    const s_epoch_t as_first = *first;
    s_epoch_t *term = s_add (self, mark);
    if (!term)
        return s_no_memory (fault);
    term->replicas = as_first.replicas;
    term->owner = as_first.owner;
    memcpy (term->stores, as_first.stores, sizeof term->stores);
    return SYNOD_OK;
}

int synod__replica_check_epoch (synod__replica_check_t *self, const synod__replica_view_t *view, synod_fault_t *fault)
{
    uint64_t last = self->nepochs ? synod__term_epoch (self->epochs[self->nepochs - 1].epoch) : 0;
    if (view->epoch <= last)
        return synod_fault (fault, SYNOD_FAILED, "epoch %" PRIu64 " was decided after %" PRIu64, view->epoch, last);
    s_epoch_t *epoch = s_add (self, synod__term (view->epoch));
    if (!epoch)
        return s_no_memory (fault);
    epoch->replicas = view->replicas;
    epoch->owner = view->owner;
    memcpy (epoch->stores, view->stores, view->replicas * sizeof *view->stores);
    return SYNOD_OK;
}

/* The epoch of batch N in the history that ends with AT; UINT64_MAX if it does not reach. */
static uint64_t s_epoch_of (const synod__replica_check_t *self, synod__replica_at_t at, uint64_t n)
{
    if (n > at.n)
        return UINT64_MAX;
    while (n) {
        const s_epoch_t *epoch = s_epoch (self, at.epoch);
        if (!epoch || !epoch->adopted)
            return UINT64_MAX;
        if (n > epoch->base.n)
            return at.epoch;
        at = epoch->base;
    }
    return 0;
}

/* Whether BEFORE is in the history that ends with AT. */
static bool s_within (const synod__replica_check_t *self, synod__replica_at_t before, synod__replica_at_t at)
{
    return s_epoch_of (self, at, before.n) == before.epoch;
}

/* Whether the history that ends with AT goes on from BEFORE, as EPOCH had it: with batches of EPOCH and later. */
static bool s_continues (const synod__replica_check_t *self, synod__replica_at_t before, uint64_t epoch,
                         synod__replica_at_t at)
{
    return s_within (self, before, at) && (at.n == before.n || s_epoch_of (self, at, before.n + 1) >= epoch);
}

static synod__replica_at_t s_last (const synod__replica_head_t *head)
{
    synod__replica_at_t at = {0, head->n};
    if (head->n && head->nruns)
        at.epoch = head->runs[head->nruns - 1].epoch;
    return at;
}

/* What the owner of the mark's epoch adopted: without what it ordered since, which the same commit may have. */
static synod__replica_at_t s_base (const synod__replica_head_t *head)
{
    synod__replica_at_t at = s_last (head);
    if (head->nruns && at.epoch == head->mark) {
        at.n = head->runs[head->nruns - 1].first - 1;
        at.epoch = at.n && head->nruns > 1 ? head->runs[head->nruns - 2].epoch : 0;
    }
    return at;
}

static s_store_t *s_store (synod__replica_check_t *self, const synod__store_id_t *id)
{
    for (uint32_t i = 0; i < self->nstores; i++)
        if (synod__store_id_compare (&self->stores[i].id, id) == 0)
            return &self->stores[i];
    if (self->nstores == S_STORES_MAX)
        return NULL;
    s_store_t *store = &self->stores[self->nstores++];
    *store = (s_store_t){.id = *id};
    return store;
}

/* The owner has ordered COUNT batches; others may have them before it has. */
static bool s_ordered (s_epoch_t *epoch, uint32_t count)
{
    if (count > epoch->room) {
        uint32_t room = 2 * count + 16;
        void *grown = realloc (epoch->digests, room * sizeof *epoch->digests);
        if (!grown)
            return false;
        epoch->digests = (uint64_t *) grown;
        epoch->room = room;
    }
    memset (epoch->digests + epoch->count, 0, (count - epoch->count) * sizeof *epoch->digests);
    epoch->count = count;
    return true;
}

/* The numbers up to AT are taken; which states they are is not known. */
static bool s_ahead (synod__replica_check_t *self, synod__replica_at_t at)
{
    s_epoch_t *epoch = s_epoch (self, at.epoch);
    uint64_t count = epoch && epoch->adopted && at.n > epoch->base.n ? at.n - epoch->base.n : 0;
    return !count || count <= epoch->count || s_ordered (epoch, (uint32_t) count);
}

/* The state after AT is the one that was seen there before. */
static int s_state (synod__replica_check_t *self, const synod__store_id_t *id, synod__replica_at_t at, uint64_t digest,
                    synod_fault_t *fault)
{
    if (at.n == 0)
        return digest ? synod_fault (fault, SYNOD_FAILED, "store %08x has no batch, and is not empty", s_name (id))
                      : SYNOD_OK;
    s_epoch_t *epoch = s_epoch (self, at.epoch);
    if (!epoch || !epoch->adopted || at.n <= epoch->base.n)
        return synod_fault (fault, SYNOD_FAILED,
                            "store %08x has a batch %" PRIu64 " of term " S_TERM ", which has no such batch",
                            s_name (id), at.n, S_OF (at.epoch));
    uint64_t index = at.n - epoch->base.n - 1;
    if (index >= epoch->count && !s_ordered (epoch, (uint32_t) index + 1))
        return s_no_memory (fault);
    if (!epoch->digests[index])
        epoch->digests[index] = digest; /* one commit may have several batches */
    if (epoch->digests[index] != digest)
        return synod_fault (fault, SYNOD_FAILED,
                            "after batch %" PRIu64 " of term " S_TERM " store %08x is not what others were", at.n,
                            S_OF (at.epoch), s_name (id));
    return SYNOD_OK;
}

/* A copy marked with EPOCH. */
static int s_marked (s_epoch_t *epoch, synod__replica_check_t *self, const synod__store_id_t *id,
                     const synod__replica_head_t *head, synod_fault_t *fault)
{
    synod__replica_at_t at = s_last (head);
    uint32_t index = 0;
    while (index < epoch->replicas && synod__store_id_compare (&epoch->stores[index], id) != 0)
        index++;
    if (index == epoch->owner && !epoch->adopted) {
        epoch->adopted = true;
        epoch->base = s_base (head);
    }
    if (!epoch->adopted || !s_within (self, epoch->base, at))
        return synod_fault (
            fault, SYNOD_FAILED,
            "store %08x is marked " S_TERM " and does not hold what was adopted: it ends with batch %" PRIu64
            " of term " S_TERM ", that with batch %" PRIu64 " of " S_TERM,
            s_name (id), S_OF (epoch->epoch), at.n, S_OF (at.epoch), epoch->base.n, S_OF (epoch->base.epoch));
    if (at.n > epoch->base.n && at.epoch != epoch->epoch)
        return synod_fault (fault, SYNOD_FAILED,
                            "store %08x is marked " S_TERM " and has batch %" PRIu64 " of term " S_TERM
                            ", which was not adopted",
                            s_name (id), S_OF (epoch->epoch), at.n, S_OF (at.epoch));
    if (index < epoch->replicas && epoch->held[index] < at.n + 1)
        epoch->held[index] = at.n + 1;
    return SYNOD_OK;
}

int synod__replica_check_disk (synod__replica_check_t *self, const synod__store_id_t *id,
                               const synod__replica_head_t *head, uint64_t seal, uint64_t digest, synod_fault_t *fault)
{
    s_store_t *store = s_store (self, id);
    if (!store)
        return s_no_memory (fault);
    synod__replica_at_t at = s_last (head);
    if (seal < store->seal)
        return synod_fault (fault, SYNOD_FAILED, "store %08x was sealed up to %" PRIu64 ", and now is up to %" PRIu64,
                            s_name (id), store->seal, seal);
    if (head->mark < store->mark && (head->mark || head->n))
        return synod_fault (fault, SYNOD_FAILED, "store %08x was marked " S_TERM ", and now is " S_TERM, s_name (id),
                            S_OF (store->mark), S_OF (head->mark));
    if (synod__term_epoch (head->mark) > seal)
        return synod_fault (fault, SYNOD_FAILED, "store %08x is marked " S_TERM " and sealed up to %" PRIu64,
                            s_name (id), S_OF (head->mark), seal);
    store->seal = seal;
    store->mark = head->mark;
    if (s_begun (self, head->mark, fault) != SYNOD_OK)
        return SYNOD_NO_MEMORY;
    s_epoch_t *epoch = s_epoch (self, head->mark);
    if (head->mark && !epoch)
        return synod_fault (fault, SYNOD_FAILED, "store %08x is marked " S_TERM ", which was not decided", s_name (id),
                            S_OF (head->mark));
    int rc = epoch ? s_marked (epoch, self, id, head, fault) : SYNOD_OK;
    if (rc == SYNOD_OK && digest == SYNOD__REPLICA_CHECK_AHEAD)
        return s_ahead (self, at) ? SYNOD_OK : s_no_memory (fault);
    return rc == SYNOD_OK ? s_state (self, id, at, digest, fault) : rc;
}

/* How many replicas of EPOCH ever had the batches up to N with its mark. */
static bool s_majority (const s_epoch_t *epoch, uint64_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < epoch->replicas; i++)
        count += epoch->held[i] > n;
    return count >= epoch->replicas / 2 + 1;
}

/* Each epoch that serves goes on from what those before it began with: what they dropped does not come back. */
static int s_bases (const synod__replica_check_t *self, const s_epoch_t *epoch, synod_fault_t *fault)
{
    for (uint32_t i = 0; i < self->nepochs; i++) {
        const s_epoch_t *other = &self->epochs[i];
        const s_epoch_t *before = other->epoch < epoch->epoch ? other : epoch;
        const s_epoch_t *after = before == other ? epoch : other;
        if (other != epoch && other->served && !s_continues (self, before->base, before->epoch, after->base))
            return synod_fault (fault, SYNOD_FAILED,
                                "term " S_TERM " began with batch %" PRIu64 " of term " S_TERM ", and term " S_TERM
                                " with batch %" PRIu64 " of term " S_TERM ", which does not go on from it",
                                S_OF (before->epoch), before->base.n, S_OF (before->base.epoch), S_OF (after->epoch),
                                after->base.n, S_OF (after->base.epoch));
    }
    return SYNOD_OK;
}

int synod__replica_check_serves (synod__replica_check_t *self, const synod__store_id_t *id, uint64_t number,
                                 synod_fault_t *fault)
{
    s_epoch_t *epoch = s_epoch (self, number);
    if (!epoch || synod__store_id_compare (&epoch->stores[epoch->owner], id) != 0)
        return synod_fault (fault, SYNOD_FAILED, "store %08x serves term " S_TERM ", and is not its owner", s_name (id),
                            S_OF (number));
    if (!epoch->adopted || !s_majority (epoch, epoch->base.n))
        return synod_fault (fault, SYNOD_FAILED, "term " S_TERM " is served, and no majority is marked", S_OF (number));
    epoch->served = true;
    /* what was released in it is above its base, or was released by a later one that has it */
    synod__replica_at_t at = {epoch->base.epoch, epoch->base.n};
    if (epoch->count)
        at = (synod__replica_at_t){number, epoch->base.n + epoch->count};
    if (self->known_in <= number && !s_continues (self, self->known, self->known_in, at))
        return synod_fault (fault, SYNOD_FAILED,
                            "term " S_TERM " is served from batch %" PRIu64 " of term " S_TERM ", and term " S_TERM
                            " had released batch %" PRIu64 " of term " S_TERM " as the last",
                            S_OF (number), at.n, S_OF (at.epoch), S_OF (self->known_in), self->known.n,
                            S_OF (self->known.epoch));
    return s_bases (self, epoch, fault);
}

int synod__replica_check_released (synod__replica_check_t *self, const synod__store_id_t *id, uint64_t number,
                                   synod__replica_at_t seen, synod__replica_at_t asked, synod_fault_t *fault)
{
    const s_epoch_t *epoch = s_epoch (self, number);
    if (!epoch || !epoch->served || synod__store_id_compare (&epoch->stores[epoch->owner], id) != 0)
        return synod_fault (fault, SYNOD_FAILED,
                            "store %08x releases a turn of term " S_TERM ", which it does not serve", s_name (id),
                            S_OF (number));
    if (!s_majority (epoch, seen.n))
        return synod_fault (fault, SYNOD_FAILED,
                            "a turn that saw batch %" PRIu64 " of term " S_TERM
                            " is released, and no majority of term " S_TERM " has had it",
                            seen.n, S_OF (seen.epoch), S_OF (number));
    if (!s_within (self, asked, seen))
        return synod_fault (fault, SYNOD_FAILED,
                            "a turn of term " S_TERM " saw batch %" PRIu64 " of term " S_TERM ", and batch %" PRIu64
                            " of term " S_TERM " had been released before it began",
                            S_OF (number), seen.n, S_OF (seen.epoch), asked.n, S_OF (asked.epoch));
    for (uint32_t i = 0; i < self->nepochs; i++) {
        const s_epoch_t *later = &self->epochs[i];
        if (later->epoch > number && later->served && !s_continues (self, seen, number, later->base))
            return synod_fault (fault, SYNOD_FAILED,
                                "batch %" PRIu64 " of term " S_TERM " is released, and term " S_TERM
                                " is served without it",
                                seen.n, S_OF (seen.epoch), S_OF (later->epoch));
    }
    if (s_within (self, self->known, seen))
        self->known = seen;
    else if (!s_within (self, seen, self->known))
        return synod_fault (fault, SYNOD_FAILED,
                            "batch %" PRIu64 " of term " S_TERM " and batch %" PRIu64 " of term " S_TERM
                            " are released, and neither comes before the other",
                            seen.n, S_OF (seen.epoch), self->known.n, S_OF (self->known.epoch));
    if (number > self->known_in)
        self->known_in = number;
    return SYNOD_OK;
}

synod__replica_at_t synod__replica_check_known (const synod__replica_check_t *self)
{
    return self->known;
}
