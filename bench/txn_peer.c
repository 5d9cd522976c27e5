/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients of transactions over keys of the table: each moves money among its own accounts again and again, one transaction
 * at a time. Its accounts are keys, as many as a transaction has participants, each on another of the nodes named.
 *
 *     txn_peer --bus ENDPOINT --link n0 --link n1 --outstanding 16
 *     txn_peer --bus ENDPOINT --link n0 --link n1 --protocol paxos --parties 4
 *
 * A run is void unless each was committed and, by a read of all accounts at the end, each has what its client's
 * transactions left there: so the sum is what it was. The answer comes when it is decided; a client's next one may be there
 * before a participant has heard of it, and be voted down. Then it is asked for again, and that is in its time.
 */
#include "bench/clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include "protocol/kv_records.h"
#include "protocol/vote_records.h"

#define CLIENTS_MAX 1000
#define TRIES_MAX   100000 /* names for an account until its node is the one wanted */
#define BALANCE     1000000

typedef struct {
    char account[SYNOD__TXN_PARTIES_MAX][SYNOD_ADDRESS_MAX]; /* kv#... */
    uint64_t done;
} client_t;

typedef struct {
    clients_plan_t plan;
    clients_t clients;
    const char *protocol;
    uint64_t parties;
    atomic_bool over;
    uint64_t base; /* so that no other run has the same ids */
    uint64_t asked;
    uint64_t nodes;
    client_t *client;
} peer_t;

/* What a transaction does to account PARTY: the first pays one to each of the others. */
static int64_t delta_of (const peer_t *self, uint64_t party)
{
    return party ? 1 : -(int64_t) (self->parties - 1);
}

static int ask_for (clients_t *clients, uint64_t at)
{
    peer_t *self = clients->user;
    char id[SYNOD__TXN_ID_MAX + 1], address[SYNOD__TXN_ID_MAX + 8];
    synod_buf_t items = {0}, packed = {0};
    snprintf (id, sizeof id, "bench-%016" PRIx64 "-%" PRIu64, self->base, self->asked++);
    snprintf (address, sizeof address, "vote#%s", id);
    synod__txn_commit_t in = {
        .id = synod_str (id), .protocol = synod_str (self->protocol), .deadline_ms = self->plan.quiet_ms};
    int code = SYNOD_OK;
    for (uint64_t i = 0; code == SYNOD_OK && i < self->parties; i++) {
        const synod__kv_op_t op = {.what = synod_str ("incr"), .delta = delta_of (self, i), .bounded = true};
        packed.size = 0;
        code = synod_record_pack (&synod__kv_op_record, &op, &packed, NULL);
        const synod__txn_part_t part = {.to = synod_str (self->client[at].account[i]),
                                        .op = synod_str_n (packed.data, packed.size)};
        if (code == SYNOD_OK)
            code = synod_list_add (&in.parts, &items, &synod__txn_part_record, &part, NULL);
    }
    if (code == SYNOD_OK)
        code = clients_ask (clients, at, address, &synod__txn_commit_record, &in);
    synod_buf_free (&items);
    synod_buf_free (&packed);
    return code;
}

static int begin (clients_t *clients, uint64_t at)
{
    return clients_next (clients, at) ? ask_for (clients, at) : SYNOD_OK;
}

/* Its last transaction is decided, and one of its participants has not heard of it: then it has to ask again. */
static bool is_locked (const synod__txn_outcome_t *is)
{
    synod_list_t reasons = is->reasons;
    synod__txn_reason_t reason;
    bool locked = synod_str_is (is->outcome, "aborted") && reasons.count;
    while (synod_list_next (&reasons, &synod__txn_reason_record, &reason))
        locked = locked && memmem (reason.why.data, reason.why.size, "locked by", strlen ("locked by"));
    return locked;
}

static int take (clients_t *clients, uint64_t at, const synod_reply_t *reply)
{
    peer_t *self = clients->user;
    synod__txn_outcome_t is;
    int code = synod_record_unpack (&synod__txn_outcome_record, reply->body, &is, NULL);
    if (code == SYNOD_OK && is_locked (&is))
        return ask_for (clients, at);
    if (code != SYNOD_OK || !synod_str_is (is.outcome, "committed") || is.again) {
        fprintf (stderr, "txn_peer: expected committed, got %.*s\n", SYNOD_STR (reply->body));
        clients->run.wrong++;
        return code == SYNOD_OK ? SYNOD_REFUSED : code;
    }
    self->client[at].done++;
    clients_done (clients, at);
    return begin (clients, at);
}

/* ---- accounts ---- */

static int ask (peer_t *self, const char *address, const synod_record_t *record, const void *in, synod_reply_t *reply)
{
    return synod_handle_ask (self->clients.handle, address, record, in, (int) self->plan.quiet_ms, reply);
}

/* A name for account PARTY of client AT that is on node number PARTY, and money. */
static int make (peer_t *self, uint64_t at, uint64_t party)
{
    char *address = self->client[at].account[party], money[32];
    const char *node = self->plan.links[party % self->nodes];
    const size_t size = strlen (node);
    synod_reply_t reply = {0};
    int code = SYNOD_OK;
    for (int i = 0; code == SYNOD_OK && i < TRIES_MAX; i++) {
        snprintf (address, SYNOD_ADDRESS_MAX, "kv#bench/%04" PRIu64 "/%" PRIu64 "/%d", at, party, i);
        code = ask (self, address, &synod__kv_get_record, &(synod__kv_get_t){0}, &reply);
        if (code == SYNOD_OK && reply.from.size > size && memcmp (reply.from.data, node, size) == 0 &&
            reply.from.data[size] == '/') {
            const synod__kv_put_t put = {
                .data = synod_str_n (money, (size_t) snprintf (money, sizeof money, "%d", BALANCE))};
            return ask (self, address, &synod__kv_put_record, &put, &reply);
        }
    }
    return code == SYNOD_OK ? SYNOD_NOT_FOUND : code;
}

static int make_all (peer_t *self)
{
    int code = SYNOD_OK;
    for (uint64_t at = 0; code == SYNOD_OK && at < self->plan.clients; at++)
        for (uint64_t party = 0; code == SYNOD_OK && party < self->parties; party++)
            code = make (self, at, party);
    return code == SYNOD_OK ? 0
                            : clients_failed (&self->clients, "no account on each node", code,
                                              synod_handle_error (self->clients.handle));
}

/* Reads of a locked key wait for its outcome, so they see what was committed. */
static int check_all (clients_t *clients)
{
    peer_t *self = clients->user;
    int64_t sum = 0;
    for (uint64_t at = 0; at < self->plan.clients; at++)
        for (uint64_t party = 0; party < self->parties; party++) {
            char text[32];
            synod_reply_t reply = {0};
            synod__kv_is_t is = {0};
            int code =
                ask (self, self->client[at].account[party], &synod__kv_get_record, &(synod__kv_get_t){0}, &reply);
            if (code == SYNOD_OK)
                code = synod_record_unpack (&synod__kv_is_record, reply.body, &is, NULL);
            if (code != SYNOD_OK)
                return clients_failed (clients, "an account cannot be read", code,
                                       synod_handle_error (clients->handle));
            snprintf (text, sizeof text, "%.*s", SYNOD_STR (is.data));
            int64_t balance = strtoll (text, NULL, 10);
            sum += balance;
            if (balance != BALANCE + delta_of (self, party) * (int64_t) self->client[at].done)
                clients->run.wrong++;
        }
    if (sum != (int64_t) (BALANCE * self->plan.clients * self->parties))
        clients->run.wrong++;
    return 0;
}

static int act (peer_t *self)
{
    clients_t *clients = &self->clients;
    int rc = clients_open (clients, "kv");
    int code = rc ? SYNOD_OK : synod_handle_await (clients->handle, "vote", CLIENTS_JOIN_MS);
    if (code != SYNOD_OK)
        rc = clients_failed (clients, "nobody coordinates", code, synod_handle_error (clients->handle));
    if (rc == 0)
        rc = make_all (self);
    return rc ? rc : clients_measure (clients);
}

int main (int argc, char **argv)
{
    static peer_t self = {.plan = CLIENTS_PLAN, .protocol = "2pc", .parties = 2};
    const synod__option_t options[] = {
        CLIENTS_OPTIONS (self.plan, "transactions", "accounts of its own and one transaction"),
        {"protocol", SYNOD__OPTION_TEXT, &self.protocol, "2pc (default), 3pc, paxos or parallel"},
        {"parties", SYNOD__OPTION_NUMBER, &self.parties, "participants of a transaction (default 2)"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "txn_peer --bus ENDPOINT --link NODE...";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    while (self.plan.links[self.nodes])
        self.nodes++;
    if (!self.nodes || self.parties < 2 || self.parties > SYNOD__TXN_PARTIES_MAX || self.plan.clients < 1 ||
        self.plan.clients > CLIENTS_MAX) {
        fprintf (stderr, "usage: %s; 1 node and more, 2 to %d participants, 1 to %d clients\n", usage,
                 SYNOD__TXN_PARTIES_MAX, CLIENTS_MAX);
        return 2;
    }
    self.clients = (clients_t){.who = "txn_peer",
                               .plan = &self.plan,
                               .end = self.plan.clients,
                               .begin = begin,
                               .take = take,
                               .check = check_all,
                               .user = &self,
                               .over = &self.over,
                               .run = {.system = "synod",
                                       .scenario = self.protocol,
                                       .size = SYNOD__MEASURE_SIZE_MIN,
                                       .expected = self.plan.count}};
    self.client = calloc (self.plan.clients, sizeof *self.client);
    rc = 1;
    if (self.client && getrandom (&self.base, sizeof self.base, 0) == sizeof self.base &&
        synod__measure_init (&self.clients.run, true) == 0)
        rc = act (&self);
    clients_close (&self.clients);
    free (self.client);
    return rc;
}
