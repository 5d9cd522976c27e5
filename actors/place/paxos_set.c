/* SPDX-License-Identifier: MPL-2.0
 *
 * Who accepts. A set is told once and recorded; what is digested are names and stores, so that one who asks for other
 * acceptors, or for one whose store was wiped, is found out before anything is promised.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <inttypes.h>
#include <stdlib.h>
#include "paxos.h"
#include "protocol/address.h"

#define ACCEPTOR_FIELDS(FIELD, OPT)               \
    FIELD (str, name, SYNOD_NAME_MAX, "its node") \
    FIELD (bin, id, SYNOD__STORE_ID_SIZE, "its store")
SYNOD_RECORD (acceptor, ACCEPTOR_FIELDS, 0, "an acceptor")
#define ACCEPTORS_FIELDS(FIELD, OPT) FIELD (list, acceptors, acceptor, "who they are")
SYNOD_RECORD (acceptors, ACCEPTORS_FIELDS, 0, "the acceptors")

static int s_by_name (const void *a, const void *b)
{
    return strcmp (((const synod__acceptor_name_t *) a)->name, ((const synod__acceptor_name_t *) b)->name);
}

static int s_check (const synod__paxos_set_t *self, synod_fault_t *fault)
{
    static const synod__store_id_t none;
    for (uint32_t i = 0; i < self->count; i++) {
        const synod__acceptor_name_t *one = &self->acceptors[i];
        if (!synod__name_ok (synod_str (one->name), false))
            return synod_fault (fault, SYNOD_INVALID, "expected the name of a node, got the acceptor \"%s\"",
                                one->name);
        if (synod__store_id_compare (&one->id, &none) == 0)
            return synod_fault (fault, SYNOD_INVALID, "%s: expected the id of a store, got none", one->name);
        if (i && strcmp (one->name, self->acceptors[i - 1].name) == 0)
            return synod_fault (fault, SYNOD_INVALID, "expected distinct acceptors, got %s twice", one->name);
        for (uint32_t j = 0; j < i; j++)
            if (synod__store_id_compare (&one->id, &self->acceptors[j].id) == 0)
                return synod_fault (fault, SYNOD_INVALID,
                                    "expected a store of each acceptor's own, got that of %s twice", one->name);
    }
    return SYNOD_OK;
}

int synod__paxos_set_make (synod__paxos_set_t *self, const synod__acceptor_name_t *acceptors, uint32_t count,
                           synod_fault_t *fault)
{
    memset (self, 0, sizeof *self);
    if (count < 1 || count > SYNOD__ACCEPTORS_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected 1 to %d acceptors, got %u", SYNOD__ACCEPTORS_MAX, count);
    self->count = count;
    for (uint32_t i = 0; i < count; i++) {
        /* no bytes behind a name's end get into the digest */
        memcpy (self->acceptors[i].name, acceptors[i].name, strnlen (acceptors[i].name, SYNOD_NAME_MAX));
        self->acceptors[i].id = acceptors[i].id;
    }
    qsort (self->acceptors, count, sizeof *self->acceptors, s_by_name);
    self->digest = XXH3_64bits (self->acceptors, count * sizeof *self->acceptors);
    return s_check (self, fault);
}

int synod__paxos_set_pack (const synod__paxos_set_t *self, synod_buf_t *out, synod_fault_t *fault)
{
    acceptors_t record = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < self->count && rc == SYNOD_OK; i++) {
        const synod__acceptor_name_t *one = &self->acceptors[i];
        acceptor_t acceptor = {.name = synod_str (one->name), .id = synod_str_n (one->id.bytes, sizeof one->id.bytes)};
        rc = synod_list_add (&record.acceptors, &items, &acceptor_record, &acceptor, fault);
    }
    if (rc == SYNOD_OK)
        rc = synod_record_pack (&acceptors_record, &record, out, fault);
    synod_buf_free (&items);
    return rc;
}

int synod__paxos_set_unpack (synod__paxos_set_t *self, synod_str_t bytes, synod_fault_t *fault)
{
    acceptors_t record;
    synod__acceptor_name_t acceptors[SYNOD__ACCEPTORS_MAX] = {{{0}, {{0}}}};
    memset (self, 0, sizeof *self);
    int rc = synod_record_unpack (&acceptors_record, bytes, &record, fault);
    if (rc != SYNOD_OK)
        return rc;
    uint32_t count = record.acceptors.count;
    acceptor_t one;
    for (uint32_t i = 0; i < SYNOD__ACCEPTORS_MAX && synod_list_next (&record.acceptors, &acceptor_record, &one); i++) {
        if (one.id.size != SYNOD__STORE_ID_SIZE || !synod__name_ok (one.name, false))
            return synod_fault (fault, SYNOD_BAD_REQUEST,
                                "expected a name and %d bytes as the id of a store of each "
                                "acceptor, got a name of %u bytes and %u bytes",
                                SYNOD__STORE_ID_SIZE, one.name.size, one.id.size);
        memcpy (acceptors[i].name, one.name.data, one.name.size);
        memcpy (acceptors[i].id.bytes, one.id.data, one.id.size);
    }
    return synod__paxos_set_make (self, acceptors, count, fault);
}

static const synod__acceptor_name_t *s_find (const synod__paxos_set_t *self, synod_str_t name)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (synod_str_is (name, self->acceptors[i].name))
            return &self->acceptors[i];
    return NULL;
}

int synod__paxos_set_admits (const synod__paxos_set_t *self, synod_str_t name, const synod__store_id_t *id,
                             synod_fault_t *fault)
{
    const synod__acceptor_name_t *one = s_find (self, name);
    if (!one)
        return synod_fault (fault, SYNOD_NOT_FOUND, "%.*s is none of the %u acceptors", SYNOD_STR (name), self->count);
    if (synod__store_id_compare (&one->id, id) != 0)
        return synod_fault (fault, SYNOD_REFUSED,
                            "%s has another store than the one that accepts: it was wiped, and what it promised is "
                            "forgotten",
                            one->name);
    return SYNOD_OK;
}

int synod__paxos_set_same (const synod__paxos_set_t *self, const synod__paxos_set_t *wanted, synod_fault_t *fault)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        const synod__acceptor_name_t *one = &wanted->acceptors[i];
        int rc = synod__paxos_set_admits (self, synod_str (one->name), &one->id, fault);
        if (rc != SYNOD_OK) {
            if (fault)
                fault->code = SYNOD_REFUSED;
            return SYNOD_REFUSED;
        }
    }
    if (wanted->count != self->count)
        return synod_fault (fault, SYNOD_REFUSED, "expected the %u acceptors that are recorded, got %u of them",
                            self->count, wanted->count);
    return SYNOD_OK;
}
