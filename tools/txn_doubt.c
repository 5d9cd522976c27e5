/* SPDX-License-Identifier: MPL-2.0
 *
 * synod txn list, resolve, forget: what keys' partitions have voted yes on and know no outcome of, and what an operator says
 * becomes of it (docs/votes.md, "In doubt").
 */
#include "txn.h"

/* What the partition of the part TO says to the ask; OUT borrows the handle until its next call. */
static int ask (txn_t *self, const char *to, const synod_record_t *record, const void *in, synod__txn_doubts_t *out,
                synod_str_t *body)
{
    synod_reply_t reply = {0};
    synod_fault_t fault = {0};
    reply.code = synod_handle_ask (self->handle, to, record, in, (int) self->join.timeout_ms, &reply);
    if (reply.code != SYNOD_OK)
        return txn_fail (&reply);
    *body = reply.body;
    int rc = synod_record_unpack (&synod__txn_doubts_record, reply.body, out, &fault);
    return rc == SYNOD_OK ? SYNOD__EXIT_NONE : synod__fail (rc, fault.text);
}

int txn_list (txn_t *self)
{
    synod__txn_doubts_t doubts;
    synod__txn_doubt_t one;
    synod_str_t body = {0};
    int status = txn_reach (self, TXN_TABLE);
    for (uint32_t i = 0; i < self->nparts && status == SYNOD__EXIT_NONE; i++) {
        status = ask (self, self->parts[i].to, &synod__txn_txns_record, &(synod__txn_txns_t){0}, &doubts, &body);
        while (status == SYNOD__EXIT_NONE && synod_list_next (&doubts.doubts, &synod__txn_doubt_record, &one))
            txn_print_doubt (&one, self->json);
        if (status == SYNOD__EXIT_NONE && doubts.more)
            fprintf (stderr, "synod: %s: there are more in its partition: `synod txn list` has all\n",
                     self->parts[i].to);
    }
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}

int txn_resolve (txn_t *self, const char *outcome)
{
    const char *to = self->parts[0].to;
    synod__txn_doubts_t doubts;
    synod__txn_doubt_t one;
    synod__txn_resolve_t in = {.outcome = synod_str (outcome)};
    char id[SYNOD__TXN_ID_MAX + 1], text[SYNOD_ADDRESS_MAX + 160];
    synod_str_t body = {0};
    bool found = false;
    int status = txn_reach (self, TXN_TABLE);
    if (status == SYNOD__EXIT_NONE)
        status = ask (self, to, &synod__txn_txns_record, &(synod__txn_txns_t){0}, &doubts, &body);
    if (status != SYNOD__EXIT_NONE)
        return status;
    while (!found && synod_list_next (&doubts.doubts, &synod__txn_doubt_record, &one))
        found = synod_str_is (one.id, self->id) && synod_str_is (one.to, to);
    if (!found) {
        snprintf (text, sizeof text, "%s has nothing in doubt of transaction %.*s, and nothing that was forced", to,
                  SYNOD__TXN_ID_MAX, self->id);
        return synod__fail (SYNOD_NOT_FOUND, text);
    }
    snprintf (id, sizeof id, "%.*s", SYNOD_STR (one.id)); /* what is listed goes with the next answer */
    in.id = synod_str (id);
    in.epoch = one.epoch;
    in.number = one.number;
    in.home = one.home;
    in.index = one.index;
    status = ask (self, to, &synod__txn_resolve_record, &in, &doubts, &body);
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}
