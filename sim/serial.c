/* SPDX-License-Identifier: MPL-2.0
 *
 * What is recorded of transactions, and which of them wrote which version.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "serial_internal.h"

void *synod__serial_room (void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity ? 2 * *capacity : 64;
    void *larger = realloc (array, *capacity * size);
    if (!larger)
        abort ();
    return larger;
}

/* ---- recording ---- */

synod__serial_t *synod__serial_new (void)
{
    synod__serial_t *self = (synod__serial_t *) calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

void synod__serial_destroy (synod__serial_t **self_p)
{
    synod__serial_t *self = *self_p;
    if (!self)
        return;
    free (self->txns);
    free (self->reads);
    free (self->writes);
    free (self->versions);
    free (self);
    *self_p = NULL;
}

uint32_t synod__serial_begin (synod__serial_t *self, const char *name)
{
    self->txns = synod__serial_room (self->txns, self->ntxns, &self->txns_capacity, sizeof *self->txns);
    synod__serial_txn_t *txn = &self->txns[self->ntxns];
    *txn = (synod__serial_txn_t){.begun = self->ended, .ended = SYNOD__SERIAL_NONE};
    snprintf (txn->name, sizeof txn->name, "%s", name);
    return self->ntxns++;
}

void synod__serial_read (synod__serial_t *self, uint32_t txn, uint32_t key, uint64_t version)
{
    self->reads = synod__serial_room (self->reads, self->nreads, &self->reads_capacity, sizeof *self->reads);
    self->reads[self->nreads++] = (synod__serial_read_t){.txn = txn, .key = key, .version = version};
    synod__serial_seen (self, key, version, 0);
}

void synod__serial_write (synod__serial_t *self, uint32_t txn, uint32_t key, uint64_t value)
{
    self->writes = synod__serial_room (self->writes, self->nwrites, &self->writes_capacity, sizeof *self->writes);
    self->writes[self->nwrites++] = (synod__serial_write_t){.txn = txn, .key = key, .value = value};
}

void synod__serial_seen (synod__serial_t *self, uint32_t key, uint64_t version, uint64_t value)
{
    self->versions =
        synod__serial_room (self->versions, self->nversions, &self->versions_capacity, sizeof *self->versions);
    self->versions[self->nversions++] =
        (synod__serial_version_t){.key = key, .writer = SYNOD__SERIAL_NONE, .version = version, .value = value};
}

void synod__serial_end (synod__serial_t *self, uint32_t txn, synod__serial_outcome_t outcome)
{
    synod__serial_txn_t *is = &self->txns[txn];
    if (is->ended != SYNOD__SERIAL_NONE || outcome == SYNOD__SERIAL_UNKNOWN) /* it may come about at any time */
        return;
    is->outcome = (uint16_t) outcome;
    is->ended = self->ended++;
}

uint32_t synod__serial_count (const synod__serial_t *self)
{
    return self->ntxns;
}

/* ---- versions ---- */

static int s_compare (uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int s_by_version (const void *a, const void *b)
{
    const synod__serial_version_t *x = a, *y = b;
    int rc = s_compare (x->key, y->key);
    rc = rc ? rc : s_compare (x->version, y->version);
    return rc ? rc : s_compare (x->value, y->value);
}

static int s_by_value (const void *a, const void *b)
{
    const synod__serial_write_t *x = a, *y = b;
    int rc = s_compare (x->key, y->key);
    return rc ? rc : s_compare (x->value, y->value);
}

/* One of each, with the value that was seen. */
static int s_order_versions (synod__serial_t *self, synod_fault_t *fault)
{
    uint32_t count = 0;
    if (self->nversions)
        qsort (self->versions, self->nversions, sizeof *self->versions, s_by_version);
    for (uint32_t i = 0; i < self->nversions; i++) {
        const synod__serial_version_t *in = &self->versions[i];
        synod__serial_version_t *last = count ? &self->versions[count - 1] : NULL;
        if (!last || last->key != in->key || last->version != in->version)
            self->versions[count++] = *in;
        else if (!last->value)
            last->value = in->value;
        else if (last->value != in->value)
            return synod_fault (fault, SYNOD_REFUSED,
                                "version %" PRIu64 " of key %" PRIu32 " was seen as %" PRIu64 " and as %" PRIu64,
                                in->version, in->key, last->value, in->value);
    }
    self->nversions = count;
    return SYNOD_OK;
}

uint32_t synod__serial_from (const synod__serial_t *self, uint32_t key, uint64_t version)
{
    uint32_t low = 0, high = self->nversions;
    const synod__serial_version_t wanted = {.key = key, .version = version};
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s_by_version (&self->versions[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static synod__serial_write_t *s_write_of (const synod__serial_t *self, uint32_t key, uint64_t value)
{
    const synod__serial_write_t wanted = {.key = key, .value = value};
    return self->nwrites ? bsearch (&wanted, self->writes, self->nwrites, sizeof wanted, s_by_value) : NULL;
}

/* Who wrote each version that was seen: what is seen must have been written, once, by one that was not aborted. */
static int s_find_writers (synod__serial_t *self, synod_fault_t *fault)
{
    if (self->nwrites)
        qsort (self->writes, self->nwrites, sizeof *self->writes, s_by_value);
    for (uint32_t i = 1; i < self->nwrites; i++)
        if (s_by_value (&self->writes[i - 1], &self->writes[i]) == 0)
            return synod_fault (fault, SYNOD_INVALID, "two writes of key %" PRIu32 " have the value %" PRIu64,
                                self->writes[i].key, self->writes[i].value);
    for (uint32_t i = 0; i < self->nversions; i++) {
        synod__serial_version_t *version = &self->versions[i];
        if (!version->value)
            continue;
        synod__serial_write_t *write = s_write_of (self, version->key, version->value);
        if (!write)
            return synod_fault (fault, SYNOD_REFUSED,
                                "key %" PRIu32 " was seen as %" PRIu64 ", which nobody has written", version->key,
                                version->value);
        synod__serial_txn_t *writer = &self->txns[write->txn];
        if (writer->outcome == SYNOD__SERIAL_ABORTED)
            return synod_fault (fault, SYNOD_REFUSED,
                                "a dirty read: %s was aborted, and key %" PRIu32 " was seen with what it would write",
                                writer->name, version->key);
        if (write->version)
            return synod_fault (fault, SYNOD_REFUSED,
                                "what %s wrote to key %" PRIu32 " was seen as version %" PRIu64 " and as %" PRIu64,
                                writer->name, version->key, write->version, version->version);
        write->version = version->version;
        writer->outcome = SYNOD__SERIAL_COMMITTED;
        version->writer = write->txn;
    }
    return SYNOD_OK;
}

int synod__serial_check (synod__serial_t *self, synod_fault_t *fault, synod_buf_t *words)
{
    int rc = s_order_versions (self, fault);
    for (uint32_t i = 0; i < self->nwrites; i++)
        self->writes[i].version = 0;
    if (rc == SYNOD_OK)
        rc = s_find_writers (self, fault);
    return rc == SYNOD_OK ? synod__serial_cycle (self, fault, words) : rc;
}
