/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients of PostgreSQL's two-phase commits: each moves money among its own accounts, one in each database, again and
 * again, one transaction at a time. A client has a connection to each database. To all of them at once it sends the update
 * and PREPARE TRANSACTION in one message, then COMMIT PREPARED; it is the coordinator, and writes nothing down. One thread
 * for all clients.
 *
 *     pg_peer --bus "host=/run/postgresql user=postgres" --database bank0 --database bank1 --outstanding 16
 *
 * A run is void unless each statement succeeded and, by a read of all accounts at the end, each has what its client's
 * transactions left there, so that the sum is what it was, and nothing is left prepared.
 */
#include "tools/measure.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENTS_MAX   256
#define DATABASES_MAX 8
#define BALANCE       1000000

typedef struct {
    PGconn *connection[DATABASES_MAX];
    bool waits[DATABASES_MAX]; /* for an answer there */
    uint64_t waiting;
    bool commits; /* all are prepared */
    bool busy;
    uint64_t number; /* of its transaction */
    uint64_t done;
} client_t;

typedef struct {
    const char *bus;
    const char *databases[SYNOD__TEXTS_MAX + 1];
    uint64_t parties;
    uint64_t count;
    uint64_t clients;
    uint64_t quiet_ms;
    bool json;
    synod__measure_t run;
    uint64_t begun;
    bool done;
    bool failed;
    client_t client[CLIENTS_MAX];
} peer_t;

static void fail (peer_t *self, const char *what, const char *why)
{
    if (!self->failed)
        fprintf (stderr, "pg_peer: %s: %s\n", what, why);
    self->failed = true;
}

/* What a transaction does to the account in database PARTY: the first pays one to each of the others. */
static int64_t delta_of (const peer_t *self, uint64_t party)
{
    return party ? 1 : -(int64_t) (self->parties - 1);
}

/* The next phase of a client's transaction, in all databases at once. */
static void phase (peer_t *self, client_t *client)
{
    const uint64_t at = (uint64_t) (client - self->client);
    char text[256];
    for (uint64_t i = 0; i < self->parties && !self->failed; i++) {
        if (client->commits)
            snprintf (text, sizeof text, "COMMIT PREPARED 'bench-%" PRIu64 "-%" PRIu64 "'", client->number, i);
        else
            snprintf (text, sizeof text,
                      "BEGIN; UPDATE account SET balance = balance + %" PRId64 " WHERE id = %" PRIu64
                      "; PREPARE TRANSACTION 'bench-%" PRIu64 "-%" PRIu64 "'",
                      delta_of (self, i), at, client->number, i);
        if (!PQsendQuery (client->connection[i], text) || PQflush (client->connection[i]) < 0)
            fail (self, "cannot send", PQerrorMessage (client->connection[i]));
        client->waits[i] = true;
    }
    client->waiting = self->parties;
}

static void begin (peer_t *self, client_t *client)
{
    client->busy = self->begun < self->count;
    if (!client->busy)
        return;
    client->number = self->begun++;
    client->commits = false;
    synod__measure_sent (&self->run, client->number);
    phase (self, client);
}

/* Database PARTY has answered all of its phase. */
static void answered (peer_t *self, client_t *client, uint64_t party)
{
    char data[SYNOD__MEASURE_SIZE_MIN];
    client->waits[party] = false;
    if (--client->waiting)
        return;
    if (!client->commits) {
        client->commits = true;
        phase (self, client);
        return;
    }
    client->done++;
    synod__measure_stamp (data, client->number);
    self->done = synod__measure_answer (&self->run, data, sizeof data);
    begin (self, client);
}

static void take (peer_t *self, client_t *client, uint64_t party)
{
    PGconn *connection = client->connection[party];
    PGresult *result;
    if (!PQconsumeInput (connection))
        fail (self, "cannot read", PQerrorMessage (connection));
    while (!self->failed && client->waits[party] && !PQisBusy (connection)) {
        result = PQgetResult (connection);
        if (!result) {
            answered (self, client, party);
            return; /* what it has begun now answers later */
        }
        if (PQresultStatus (result) != PGRES_COMMAND_OK)
            fail (self, "a statement failed", PQresultErrorMessage (result));
        PQclear (result);
    }
}

static void go (peer_t *self)
{
    static struct pollfd items[CLIENTS_MAX * DATABASES_MAX];
    for (uint64_t at = 0; at < self->clients; at++)
        begin (self, &self->client[at]);
    while (!self->done && !self->failed) {
        nfds_t count = 0;
        for (uint64_t at = 0; at < self->clients; at++)
            for (uint64_t i = 0; i < self->parties; i++)
                items[count++] = (struct pollfd){
                    .fd = self->client[at].waits[i] ? PQsocket (self->client[at].connection[i]) : -1, .events = POLLIN};
        if (poll (items, count, (int) self->quiet_ms) <= 0)
            return; /* the rest is lost */
        for (nfds_t k = 0; k < count && !self->failed; k++)
            if (items[k].revents)
                take (self, &self->client[k / self->parties], k % self->parties);
    }
}

/* ---- before and after ---- */

static PGresult *ask (peer_t *self, PGconn *connection, const char *text, ExecStatusType expected)
{
    PGresult *result = PQexec (connection, text);
    if (PQresultStatus (result) != expected)
        fail (self, text, PQerrorMessage (connection));
    return result;
}

static void join (peer_t *self)
{
    char text[512];
    for (uint64_t at = 0; at < self->clients; at++)
        for (uint64_t i = 0; i < self->parties && !self->failed; i++) {
            snprintf (text, sizeof text, "%s dbname=%s", self->bus, self->databases[i]);
            PGconn *connection = self->client[at].connection[i] = PQconnectdb (text);
            if (PQstatus (connection) != CONNECTION_OK)
                fail (self, "cannot connect", PQerrorMessage (connection));
        }
    for (uint64_t i = 0; i < self->parties && !self->failed; i++) {
        snprintf (text, sizeof text,
                  "CREATE TABLE account (id integer PRIMARY KEY, balance bigint NOT NULL); "
                  "INSERT INTO account SELECT id, %d FROM generate_series (0, %" PRIu64 ") AS id",
                  BALANCE, self->clients - 1);
        PQclear (ask (self, self->client[0].connection[i], text, PGRES_COMMAND_OK));
    }
}

static void check (peer_t *self)
{
    int64_t sum = 0;
    for (uint64_t i = 0; i < self->parties && !self->failed; i++) {
        PGconn *connection = self->client[0].connection[i];
        PGresult *prepared = ask (self, connection, "SELECT gid FROM pg_prepared_xacts", PGRES_TUPLES_OK);
        PGresult *result = ask (self, connection, "SELECT balance FROM account ORDER BY id", PGRES_TUPLES_OK);
        if (PQntuples (prepared) != 0 || (uint64_t) PQntuples (result) != self->clients)
            self->run.wrong++;
        for (int at = 0; at < PQntuples (result) && (uint64_t) at < self->clients; at++) {
            int64_t balance = strtoll (PQgetvalue (result, at, 0), NULL, 10);
            sum += balance;
            if (balance != BALANCE + delta_of (self, i) * (int64_t) self->client[at].done)
                self->run.wrong++;
        }
        PQclear (prepared);
        PQclear (result);
    }
    if (sum != (int64_t) (BALANCE * self->clients * self->parties))
        self->run.wrong++;
}

static int act (peer_t *self)
{
    int rc = 1;
    join (self);
    if (!self->failed) {
        synod__measure_start ();
        go (self);
        if (self->done && !self->failed)
            check (self);
        rc = synod__measure_report (&self->run, self->json) || self->failed;
    }
    for (uint64_t at = 0; at < self->clients; at++)
        for (uint64_t i = 0; i < self->parties; i++)
            PQfinish (self->client[at].connection[i]);
    return rc;
}

int main (int argc, char **argv)
{
    static peer_t self = {.count = 10000, .clients = 1, .quiet_ms = 5000};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the server, as libpq wants it"},
        {"database", SYNOD__OPTION_TEXTS, self.databases, "with an account of each client; repeated"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "transactions of all clients together (default 10000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.clients, "clients, each with one transaction at a time"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.quiet_ms, "ms without an answer after which the rest is lost"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "pg_peer --bus SERVER --database NAME --database NAME...";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    while (self.databases[self.parties])
        self.parties++;
    if (!self.bus || self.parties < 2 || self.parties > DATABASES_MAX || self.clients < 1 ||
        self.clients > CLIENTS_MAX) {
        fprintf (stderr, "usage: %s; 2 to %d databases, 1 to %d clients\n", usage, DATABASES_MAX, CLIENTS_MAX);
        return 2;
    }
    self.run = (synod__measure_t){.system = "postgresql",
                                  .scenario = "two-phase commit",
                                  .size = SYNOD__MEASURE_SIZE_MIN,
                                  .expected = self.count};
    rc = 1;
    if (synod__measure_init (&self.run, true) == 0)
        rc = act (&self);
    synod__measure_free (&self.run);
    return rc;
}
