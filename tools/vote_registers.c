/* SPDX-License-Identifier: MPL-2.0
 *
 * The registers of the scenario `txn`: a few keys beside the accounts, of which transactions read some and write some, as
 * chance has it: read-only ones, some that write what others of the same moment read (write skew), some that write without
 * a look. What is written is never written twice, so whoever sees a value knows who wrote it. All that was read and
 * committed must be strictly serializable (sim/serial.h), plain gets and puts being transactions of their own.
 *
 * A transaction reads what its client looked at, if it still is that version: the table makes sure of it, and holds it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "vote_scenario.h"
#include "actors/kv/kv.h"
#include "actors/kv/number.h"
#include "protocol/frame.h"
#include "sim/serial.h"

#define REGISTERS 5
#define WORKERS   3
#define KEYS      4 /* of a transaction */
#define PAUSE_MS  250

typedef struct {
    uint32_t key;
    bool reads, writes;
    uint64_t version, value; /* as it was looked at; what is to be written */
} part_t;

typedef struct {
    world_t *world;
    uint32_t number;
    int node;
    part_t parts[REGISTERS];
    uint32_t nparts, looked;
    enum { IDLE, LOOKING, PUTTING, COMMITTING } doing;
    bool plain; /* no transaction */
    char id[24];
    synod__vote_protocol_t protocol;
    uint64_t deadline_ms;
    uint32_t txn, one; /* as they are recorded: the transaction, and a get or put by itself */
} worker_t;

struct registers_t {
    synod__serial_t *serial;
    worker_t workers[WORKERS];
    uint64_t last; /* value */
    uint32_t ids, begun, committed;
    bool seen; /* all of it, once all was well */
};

static void next (synod_sim_t *sim, void *arg);

static void later (worker_t *worker, uint32_t most_ms)
{
    synod_sim_t *sim = worker->world->sim;
    synod_sim_after (sim, 1000 + (int64_t) (synod_sim_random (sim) % (most_ms * 1000ull)), next, worker);
}

static void address (uint32_t key, char out[24])
{
    snprintf (out, 24, SYNOD__KV_ACTOR "#register-%u", key);
}

/* ---- one key by itself ---- */

static void on_seen (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    worker_t *worker = (worker_t *) arg;
    registers_t *self = worker->world->registers;
    part_t *part = &worker->parts[worker->looked];
    synod__kv_is_t is;
    int64_t value = 0;
    (void) client;
    if (reply->code != SYNOD_OK) {
        worker->doing = IDLE; /* what was seen before is old */
        later (worker, PAUSE_MS);
        return;
    }
    if (synod_record_unpack (&synod__kv_is_record, reply->body, &is, NULL) != SYNOD_OK ||
        (is.found && !synod__number_read (is.data, &value))) {
        synod_sim_fail (sim, "a register is none");
        return;
    }
    part->version = is.version;
    synod__serial_read (self->serial, worker->one, part->key, is.version);
    synod__serial_seen (self->serial, part->key, is.version, (uint64_t) value);
    synod__serial_end (self->serial, worker->one, SYNOD__SERIAL_COMMITTED);
    worker->looked++;
    later (worker, 2);
}

static int look (worker_t *worker)
{
    const synod__kv_get_t get = {0};
    char to[24], name[24];
    registers_t *self = worker->world->registers;
    snprintf (name, sizeof name, "get-%u", ++self->ids);
    worker->one = synod__serial_begin (self->serial, name);
    address (worker->parts[worker->looked].key, to);
    return synod_sim_ask (worker->world->sim, worker->node, to, &synod__kv_get_record, &get, ASK_MS, on_seen, worker);
}

static void on_put (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    worker_t *worker = (worker_t *) arg;
    synod__serial_t *serial = worker->world->registers->serial;
    const part_t *part = &worker->parts[0];
    synod__kv_is_t is;
    (void) sim;
    (void) client;
    if (reply->code == SYNOD_OK && synod_record_unpack (&synod__kv_is_record, reply->body, &is, NULL) == SYNOD_OK) {
        synod__serial_seen (serial, part->key, is.version, part->value);
        synod__serial_end (serial, worker->one, SYNOD__SERIAL_COMMITTED);
    }
    worker->doing = IDLE;
    later (worker, PAUSE_MS);
}

static int put (worker_t *worker)
{
    char to[24], name[24], digits[SYNOD__NUMBER_MAX];
    registers_t *self = worker->world->registers;
    const part_t *part = &worker->parts[0];
    const synod__kv_put_t in = {.data = synod_str_n (digits, synod__number_write ((int64_t) part->value, digits))};
    snprintf (name, sizeof name, "put-%u", ++self->ids);
    worker->one = synod__serial_begin (self->serial, name);
    synod__serial_write (self->serial, worker->one, part->key, part->value);
    address (part->key, to);
    return synod_sim_ask (worker->world->sim, worker->node, to, &synod__kv_put_record, &in, ASK_MS, on_put, worker);
}

/* ---- transactions ---- */

static void on_outcome (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    worker_t *worker = (worker_t *) arg;
    registers_t *self = worker->world->registers;
    synod__txn_outcome_t out;
    (void) client;
    if (reply->code == SYNOD_OK) {
        if (synod_record_unpack (&synod__txn_outcome_record, reply->body, &out, NULL) != SYNOD_OK) {
            synod_sim_fail (sim, "an outcome is none");
            return;
        }
        bool committed = synod_str_is (out.outcome, "committed");
        synod__serial_end (self->serial, worker->txn, committed ? SYNOD__SERIAL_COMMITTED : SYNOD__SERIAL_ABORTED);
        self->committed += committed;
        worker->doing = IDLE;
    } else if (!vote_again (reply))
        synod_sim_fail (sim, "%s ended with %s: %.*s", worker->id, synod_error_name (reply->code),
                        SYNOD_STR (reply->message));
    later (worker, PAUSE_MS);
}

static int commit (worker_t *worker)
{
    synod__txn_commit_t in = {.id = synod_str (worker->id),
                              .protocol = synod_str (synod__vote_protocol_name (worker->protocol)),
                              .deadline_ms = worker->deadline_ms};
    synod_buf_t parts = {0}, packed = {0};
    char to[48];
    for (uint32_t i = 0; i < worker->nparts; i++) {
        const part_t *part = &worker->parts[i];
        char key[24], digits[SYNOD__NUMBER_MAX];
        synod__kv_op_t op = {.what = synod_str (part->writes ? "put" : "check"),
                             .version = part->reads ? part->version : 0,
                             .absent = part->reads && !part->version};
        if (part->writes)
            op.data = synod_str_n (digits, synod__number_write ((int64_t) part->value, digits));
        packed.size = 0;
        synod_record_pack (&synod__kv_op_record, &op, &packed, NULL);
        address (part->key, key);
        synod__txn_part_t one = {.to = synod_str (key), .op = synod_str_n (packed.data, packed.size)};
        synod_list_add (&in.parts, &parts, &synod__txn_part_record, &one, NULL);
    }
    snprintf (to, sizeof to, SYNOD__VOTE_ACTOR "#%s", worker->id);
    int rc = synod_sim_ask (worker->world->sim, worker->node, to, &synod__txn_commit_record, &in, ASK_MS, on_outcome,
                            worker);
    synod_buf_free (&parts);
    synod_buf_free (&packed);
    return rc;
}

static void begin (worker_t *worker)
{
    world_t *world = worker->world;
    registers_t *self = world->registers;
    snprintf (worker->id, sizeof worker->id, "r%u", ++self->ids);
    uint64_t chance = synod_sim_random (world->sim);
    worker->protocol = vote_protocol (world, chance);
    worker->deadline_ms = (chance >> 1) % 4 ? 2000 : 300;
    worker->txn = synod__serial_begin (self->serial, worker->id);
    worker->doing = COMMITTING;
    self->begun++;
    for (uint32_t i = 0; i < worker->nparts; i++) {
        const part_t *part = &worker->parts[i];
        if (part->reads)
            synod__serial_read (self->serial, worker->txn, part->key, part->version);
        if (part->writes)
            synod__serial_write (self->serial, worker->txn, part->key, part->value);
    }
}

/* ---- what is done next ---- */

/* Which keys, and what with each: those that are read come first, since they are looked at. */
static void draw (worker_t *worker)
{
    uint64_t chance = synod_sim_random (worker->world->sim);
    bool only_reads = chance % 4 == 0;
    uint32_t first = (uint32_t) (chance >> 8) % REGISTERS, step = 1 + (uint32_t) (chance >> 16) % (REGISTERS - 1);
    uint32_t count = 1 + (uint32_t) (chance >> 24) % KEYS;
    worker->looked = worker->nparts = 0;
    worker->plain = count == 1;
    for (int reads = 1; reads >= 0; reads--)
        for (uint32_t i = 0; i < count; i++) {
            uint32_t mode = (uint32_t) (chance >> (32 + 4 * i)) % 4; /* to read it, twice as often; both; to write it */
            part_t part = {.key = (first + i * step) % REGISTERS, .reads = only_reads || mode < 3};
            part.writes = !only_reads && mode >= (worker->plain ? 3 : 2);
            if (part.reads != reads)
                continue;
            if (part.writes)
                part.value = ++worker->world->registers->last;
            worker->parts[worker->nparts++] = part;
        }
    worker->doing = worker->plain && worker->parts[0].writes ? PUTTING : LOOKING;
}

/* Once all is well one of them looks at all of it. False: there is nothing more to do. */
static bool draw_last (worker_t *worker)
{
    if (worker->number || worker->world->registers->seen)
        return false;
    worker->plain = true;
    worker->looked = worker->nparts = 0;
    for (uint32_t key = 0; key < REGISTERS; key++)
        worker->parts[worker->nparts++] = (part_t){.key = key, .reads = true};
    worker->doing = LOOKING;
    return true;
}

static void next (synod_sim_t *sim, void *arg)
{
    worker_t *worker = (worker_t *) arg;
    if (worker->doing == IDLE && synod_sim_healed (sim)) {
        if (!draw_last (worker))
            return;
    } else if (worker->doing == IDLE)
        draw (worker);
    if (worker->doing == LOOKING && (worker->looked == worker->nparts || !worker->parts[worker->looked].reads)) {
        if (worker->plain) {
            worker->world->registers->seen |= worker->nparts == REGISTERS;
            worker->doing = IDLE;
            later (worker, PAUSE_MS);
            return;
        }
        begin (worker);
    }
    int rc = worker->doing == LOOKING ? look (worker) : worker->doing == PUTTING ? put (worker) : commit (worker);
    if (rc == SYNOD_OK)
        return;
    if (worker->doing == PUTTING) /* the client is not on the bus; what is recorded of it is never done */
        worker->doing = IDLE;
    later (worker, PAUSE_MS);
}

/* ---- life ---- */

void registers_begin (world_t *world)
{
    registers_t *self = world->registers = (registers_t *) calloc (1, sizeof *self);
    char name[16];
    if (!self)
        abort ();
    self->serial = synod__serial_new ();
    for (uint32_t i = 0; i < WORKERS; i++) {
        worker_t *worker = &self->workers[i];
        snprintf (name, sizeof name, "r%u", i + 1);
        *worker = (worker_t){.world = world, .number = i, .node = synod_sim_client (world->sim, name)};
        later (worker, 1000);
    }
}

bool registers_done (const world_t *world)
{
    const registers_t *self = world->registers;
    for (uint32_t i = 0; i < WORKERS; i++)
        if (self->workers[i].doing != IDLE)
            return false;
    return self->seen;
}

int registers_check (world_t *world, char *note, size_t size)
{
    synod_fault_t fault = {0};
    synod_buf_t words = {0};
    registers_t *self = world->registers;
    int rc = synod__serial_check (self->serial, &fault, &words);
    if (rc != SYNOD_OK) {
        if (synod__buf_add (&words, "", 1) == SYNOD_OK && words.size > 1)
            synod_sim_note (world->sim, words.data);
        rc = synod_sim_fail (world->sim, "the registers: %s", fault.text);
    }
    snprintf (note, size, ", %u of %u at the registers committed", self->committed, self->begun);
    synod_buf_free (&words);
    return rc;
}

void registers_free (world_t *world)
{
    if (world->registers)
        synod__serial_destroy (&world->registers->serial);
    free (world->registers);
}
