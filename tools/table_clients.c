/* SPDX-License-Identifier: MPL-2.0
 *
 * The clients of the scenario `kv`: they write keys in every way and read them, large values in pieces. What they saw is a
 * history, which has to be linearizable; and no version of a key comes twice or goes back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "table.h"

#define CRASHES 5
#define BASE    (1ll << 44) /* what increments add to a value stays below */

const table_key_t table_keys[TABLE_KEYS] = {{"number-0", TABLE_NUMBER},   {"text-0", TABLE_TEXT},
                                            {"counter-0", TABLE_COUNTER}, {"number-1", TABLE_NUMBER},
                                            {"text-1", TABLE_TEXT},       {"counter-1", TABLE_COUNTER}};

static void ask_next (synod_sim_t *sim, void *arg);

static table_seen_t *seen_of (const table_asker_t *asker)
{
    return &asker->world->seen[asker->key];
}

static void think (table_asker_t *asker)
{
    placed_t *ring = &asker->world->ring;
    int64_t most_us = asker->last ? 50000 : (int64_t) ring->think_ms * 1000;
    asker->upload = 0;
    synod_sim_after (ring->sim, 1000 + (int64_t) (synod_sim_random (ring->sim) % (uint64_t) most_us), ask_next, asker);
}

/* ---- what came of it ---- */

static bool writes (const table_asker_t *asker)
{
    return asker->operation != TABLE_GET;
}

/* VALUE is what VERSION is, by the asker's answer. */
static void saw (table_asker_t *asker, uint64_t version, int64_t value)
{
    table_seen_t *seen = seen_of (asker);
    const char *key = table_keys[asker->key].name;
    if (version < asker->least || (writes (asker) && version == asker->least))
        synod_sim_fail (asker->world->ring.sim, "%s has version %" PRIu64 ", and had %" PRIu64 " before it was asked",
                        key, version, asker->least);
    if (version == seen->version && value != seen->value)
        synod_sim_fail (asker->world->ring.sim, "version %" PRIu64 " of %s was %" PRId64 ", and is %" PRId64, version,
                        key, seen->value, value);
    if (version > seen->version) {
        seen->version = version;
        seen->value = value;
    }
}

static void complete (table_asker_t *asker, int64_t a, int64_t b)
{
    synod_sim_t *sim = asker->world->ring.sim;
    if (synod_history_complete (asker->world->history, synod_sim_now_us (sim), asker->number, a, b) != SYNOD_OK)
        synod_sim_fail (sim, "%s", synod_history_error (asker->world->history));
    think (asker);
}

static void fail (table_asker_t *asker, bool surely)
{
    int64_t now_us = synod_sim_now_us (asker->world->ring.sim);
    if (surely)
        synod_history_fail (asker->world->history, now_us, asker->number);
    else
        synod_history_unknown (asker->world->history, now_us, asker->number);
    if (!surely && asker->operation == TABLE_INCR)
        seen_of (asker)->unsure += (uint64_t) asker->args[0];
    think (asker);
}

/* The last one reads all keys, one after another. */
static void read_last (table_asker_t *asker, int64_t value)
{
    table_seen_t *seen = seen_of (asker);
    if (!asker->last)
        return;
    seen->gone = value == SYNOD_NIL;
    seen->sum = value;
    seen->last = asker->version;
    asker->done = asker->key + 1 == TABLE_KEYS;
    asker->key += !asker->done;
}

static void got (table_asker_t *asker, int64_t value)
{
    if (value != SYNOD_NIL)
        saw (asker, asker->version, value);
    complete (asker, value, 0);
    read_last (asker, value);
}

static void got_bytes (table_asker_t *asker, synod_str_t bytes)
{
    int64_t value = SYNOD_NIL;
    if (table_keys[asker->key].kind == TABLE_TEXT) {
        if (!table_read_value (bytes, &value))
            synod_sim_fail (asker->world->ring.sim, "version %" PRIu64 " of %s, %u bytes, is not whole", asker->version,
                            table_keys[asker->key].name, bytes.size);
    } else {
        char digits[24], *end;
        snprintf (digits, sizeof digits, "%.*s", SYNOD_STR (bytes));
        value = strtoll (digits, &end, 10);
        if (*end || !bytes.size)
            synod_sim_fail (asker->world->ring.sim, "%s is no number: %s", table_keys[asker->key].name, digits);
    }
    got (asker, value);
}

static int send (table_asker_t *asker, const synod_record_t *record, const void *in)
{
    char to[64];
    uint32_t timeout_ms = writes (asker) ? TABLE_ASK_MS : TABLE_READ_MS;
    if (asker->number >= TABLE_APART && !asker->last && table_many_begin (asker, record, in, timeout_ms) == SYNOD_OK)
        return SYNOD_OK;
    table_address (asker->world, table_keys[asker->key].name, to);
    return synod_sim_ask (asker->world->ring.sim, asker->node, to, record, in, timeout_ms, table_reply, asker);
}

/* The next piece of what is read; what was replaced a while ago is read anew. */
static void read_piece (table_asker_t *asker, const synod_reply_t *reply)
{
    synod__kv_piece_is_t is;
    if (reply && reply->code == SYNOD_NOT_FOUND) {
        asker->upload = 0;
        if (send (asker, &synod__kv_get_record, &(synod__kv_get_t){0}) != SYNOD_OK)
            fail (asker, true);
        return;
    }
    if (reply &&
        (reply->code != SYNOD_OK || synod_record_unpack (&synod__kv_piece_is_record, reply->body, &is, NULL))) {
        fail (asker, true);
        return;
    }
    if (reply) {
        uint64_t left = asker->size - asker->value.size, more = is.data.size < left ? is.data.size : left;
        if (more < left && more < SYNOD__KV_PIECE)
            synod_sim_fail (asker->world->ring.sim, "a piece of %s has %u bytes of %" PRIu64,
                            table_keys[asker->key].name, is.data.size, left);
        memcpy (asker->value.data + asker->value.size, is.data.data, more);
        asker->value.size += more;
    }
    if (asker->value.size == asker->size)
        got_bytes (asker, synod_str_n (asker->value.data, asker->size));
    else if (send (asker, &synod__kv_piece_record,
                   &(synod__kv_piece_t){.upload = asker->upload, .number = asker->piece++}) != SYNOD_OK)
        fail (asker, true);
}

static void take_get (table_asker_t *asker, const synod__kv_is_t *is)
{
    asker->version = is->version;
    if (!is->found) {
        got (asker, SYNOD_NIL);
        return;
    }
    if (!is->upload) {
        got_bytes (asker, is->data);
        return;
    }
    asker->upload = is->upload;
    asker->size = is->size;
    asker->piece = 0;
    asker->value.size = 0;
    if (asker->value.capacity < is->size) {
        free (asker->value.data);
        asker->value.data = (char *) malloc (is->size);
        asker->value.capacity = is->size;
    }
    read_piece (asker, NULL);
}

/* Beside what the model says of it. */
static void take_write (table_asker_t *asker, const synod__kv_is_t *is)
{
    table_t *world = asker->world;
    table_seen_t *seen = seen_of (asker);
    if (is->done && is->version) {
        if (asker->operation == TABLE_PUT || asker->operation == TABLE_ADD)
            saw (asker, is->version, asker->args[0]);
        else if (asker->operation == TABLE_CAS)
            saw (asker, is->version, asker->args[1]);
        else if (asker->operation == TABLE_INCR)
            saw (asker, is->version, is->number);
        else if (is->version <= asker->least)
            synod_sim_fail (world->ring.sim, "%s has version %" PRIu64 " after %" PRIu64, table_keys[asker->key].name,
                            is->version, asker->least);
        seen->least = is->version > seen->least ? is->version : seen->least;
        table_wrote (world, asker->key, is->version);
    }
    if (asker->operation == TABLE_INCR) {
        seen->sure += (uint64_t) asker->args[0];
        complete (asker, is->number, 0);
    } else
        complete (asker, is->done, is->had);
}

/* ---- sending a value in pieces ---- */

static int send_put (table_asker_t *asker)
{
    synod__kv_put_t in = {.fence = asker->operation == TABLE_PUT ? (uint64_t) asker->args[1] : 0};
    char digits[24];
    in.absent = asker->operation == TABLE_ADD;
    if (asker->operation == TABLE_CAS)
        in.version = asker->version;
    if (table_keys[asker->key].kind != TABLE_TEXT) {
        int64_t value = asker->operation == TABLE_CAS ? asker->args[1] : asker->args[0];
        in.data = synod_str_n (digits, (size_t) snprintf (digits, sizeof digits, "%" PRId64, value));
    } else if (asker->value.size <= SYNOD__KV_PIECE)
        in.data = synod_str_n (asker->value.data, asker->value.size);
    else {
        in.upload = asker->upload;
        in.size = asker->value.size;
    }
    return send (asker, &synod__kv_put_record, &in);
}

static int send_piece (table_asker_t *asker)
{
    uint64_t at = (uint64_t) asker->piece * SYNOD__KV_PIECE, left = asker->value.size - at;
    const synod__kv_upload_t in = {
        .upload = asker->upload,
        .number = asker->piece++,
        .data = synod_str_n (asker->value.data + at, left < SYNOD__KV_PIECE ? left : SYNOD__KV_PIECE)};
    return send (asker, &synod__kv_upload_record, &in);
}

static void take_uploaded (table_asker_t *asker)
{
    bool all = (uint64_t) asker->piece * SYNOD__KV_PIECE >= asker->value.size;
    int rc = all ? send_put (asker) : send_piece (asker);
    if (all)
        asker->piece = UINT32_MAX; /* the put is under way */
    if (rc != SYNOD_OK)
        fail (asker, true);
}

/* ---- answers ---- */

/* What a command may end with besides its answer; what is not known then may still come about. */
static void take_error (table_asker_t *asker, const synod_reply_t *reply)
{
    bool sending = writes (asker) && asker->upload && asker->piece != UINT32_MAX; /* nobody sees what was sent */
    switch (reply->code) {
    case SYNOD_REFUSED: /* an increment that is too large; an upload that took too long; a node of no ring: none is done */
    case SYNOD_TOO_LARGE:
        fail (asker, true);
        return;
    case SYNOD_TIMEOUT:
    case SYNOD_NODE_DOWN:
        if (writes (asker))
            break;
        fail (asker, true);
        return;
    case SYNOD_STOPPED:
    case SYNOD_NO_ROUTE:
    case SYNOD_BUSY:
        fail (asker, !writes (asker) || sending);
        return;
    default:
        break;
    }
    synod_sim_fail (asker->world->ring.sim, "operation %u of %s ended with %s: %.*s", asker->operation,
                    table_keys[asker->key].name, synod_error_name (reply->code), SYNOD_STR (reply->message));
}

void table_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    table_asker_t *asker = (table_asker_t *) arg;
    synod__kv_is_t is;
    synod_fault_t fault = {0};
    (void) client;
    if (asker->operation == TABLE_GET && asker->upload) {
        read_piece (asker, reply);
        return;
    }
    if (reply->code != SYNOD_OK) {
        take_error (asker, reply);
        return;
    }
    if (writes (asker) && asker->upload && asker->piece != UINT32_MAX) {
        take_uploaded (asker);
        return;
    }
    if (synod_record_unpack (&synod__kv_is_record, reply->body, &is, &fault) != SYNOD_OK)
        synod_sim_fail (sim, "an answer is none: %s", fault.text);
    else if (asker->operation == TABLE_GET)
        take_get (asker, &is);
    else
        take_write (asker, &is);
}

/* ---- asks ---- */

static int64_t new_value (table_asker_t *asker, uint64_t chance)
{
    int64_t number = ++asker->world->next;
    if (table_keys[asker->key].kind == TABLE_NUMBER)
        return chance % 16 ? number * BASE : INT64_MAX - number; /* to the latter not much can be added */
    return number;
}

static int put (table_asker_t *asker, uint64_t chance)
{
    table_seen_t *seen = seen_of (asker);
    bool text = table_keys[asker->key].kind == TABLE_TEXT, large = text && (chance >> 8) % 8 == 0;
    int64_t value = new_value (asker, chance);
    asker->value.size = 0;
    if (text && table_chunk (&asker->value, value, (uint32_t) ((chance >> 16) % (large ? 200000 : 200))) != SYNOD_OK)
        return SYNOD_NO_MEMORY;
    asker->args[0] = text ? table_appended (SYNOD_NIL, value) : value;
    asker->args[1] = 0;
    if (asker->operation == TABLE_PUT && (chance >> 40) % 3 == 0) {
        asker->args[1] = (int64_t) (seen->fence + (chance >> 44) % 3) - 1;
        asker->args[1] = asker->args[1] < 0 ? 0 : asker->args[1];
        seen->fence = (uint64_t) asker->args[1] > seen->fence ? (uint64_t) asker->args[1] : seen->fence;
    }
    if (asker->operation == TABLE_CAS) {
        asker->args[1] = asker->args[0];
        asker->args[0] = seen->value;
        asker->version = seen->version;
    }
    if (asker->value.size <= SYNOD__KV_PIECE || !text)
        return send_put (asker);
    asker->upload = 1 + synod_sim_random (asker->world->ring.sim) % INT64_MAX;
    asker->piece = 0;
    return send_piece (asker);
}

static int append (table_asker_t *asker, uint64_t chance)
{
    int64_t token = ++asker->world->next;
    asker->args[0] = token;
    asker->value.size = 0;
    uint32_t size = (uint32_t) ((chance >> 8) % ((chance >> 4) % 3 ? 300 : 60000));
    if (table_chunk (&asker->value, token, size) != SYNOD_OK)
        return SYNOD_NO_MEMORY;
    return send (asker, &synod__kv_append_record,
                 &(synod__kv_append_t){.data = synod_str_n (asker->value.data, asker->value.size)});
}

static int delete (table_asker_t *asker, uint64_t chance)
{
    table_seen_t *seen = seen_of (asker);
    asker->args[0] = chance % 3 ? 0 : (int64_t) (seen->fence + (chance >> 8) % 2);
    seen->fence = (uint64_t) asker->args[0] > seen->fence ? (uint64_t) asker->args[0] : seen->fence;
    return send (asker, &synod__kv_delete_record, &(synod__kv_delete_t){.fence = (uint64_t) asker->args[0]});
}

static int incr (table_asker_t *asker, uint64_t chance)
{
    bool counter = table_keys[asker->key].kind == TABLE_COUNTER;
    asker->args[0] = 1 + (int64_t) (chance % (counter ? 1000 : BASE / 256));
    return send (asker, &synod__kv_incr_record, &(synod__kv_incr_t){.delta = asker->args[0]});
}

static void draw_operation (table_asker_t *asker, uint64_t chance)
{
    static const uint8_t number[] = {TABLE_GET, TABLE_GET, TABLE_GET, TABLE_GET,  TABLE_PUT,  TABLE_PUT,
                                     TABLE_ADD, TABLE_CAS, TABLE_CAS, TABLE_INCR, TABLE_INCR, TABLE_DELETE},
                         text[] = {TABLE_GET, TABLE_GET,    TABLE_GET,    TABLE_GET,    TABLE_PUT, TABLE_PUT,
                                   TABLE_ADD, TABLE_APPEND, TABLE_APPEND, TABLE_APPEND, TABLE_CAS, TABLE_DELETE};
    table_kind_t kind = table_keys[asker->key].kind;
    asker->operation = kind == TABLE_COUNTER ? (chance % 3 ? TABLE_INCR : TABLE_GET)
                       : kind == TABLE_TEXT  ? text[chance % 12]
                                             : number[chance % 12];
    if (asker->operation == TABLE_CAS && !seen_of (asker)->version)
        asker->operation = TABLE_PUT;
}

/* The history is told of what is asked before anything can come of it: with what SEND has put into the arguments. */
static int start (table_asker_t *asker, uint64_t chance)
{
    asker->least = seen_of (asker)->least;
    switch (asker->operation) {
    case TABLE_GET:
        return send (asker, &synod__kv_get_record, &(synod__kv_get_t){0});
    case TABLE_DELETE:
        return delete (asker, chance);
    case TABLE_INCR:
        return incr (asker, chance);
    case TABLE_APPEND:
        return append (asker, chance);
    default:
        return put (asker, chance);
    }
}

static void ask (table_asker_t *asker, uint64_t chance)
{
    table_t *world = asker->world;
    asker->args[0] = asker->args[1] = 0;
    asker->upload = 0;
    int rc = start (asker, chance); /* answers come in a later step */
    if (rc != SYNOD_OK) {
        think (asker);
        return;
    }
    if (synod_history_invoke (world->history, synod_sim_now_us (world->ring.sim), asker->number,
                              synod_str (table_keys[asker->key].name), asker->operation, asker->args[0],
                              asker->args[1]) != SYNOD_OK)
        synod_sim_fail (world->ring.sim, "%s", synod_history_error (world->history));
}

static void ask_next (synod_sim_t *sim, void *arg)
{
    table_asker_t *asker = (table_asker_t *) arg;
    table_t *world = asker->world;
    uint64_t chance = synod_sim_random (sim);
    if (asker->done || (world->ring.over && !asker->last))
        return;
    if (!world->ring.made) {
        think (asker);
        return;
    }
    if (!world->ring.over && chance % 64 == 0 && world->crashes < CRASHES &&
        synod_sim_state (sim, asker->node) == SYNOD_SIM_UP) {
        world->crashes++;
        synod_sim_crash (sim, asker->node);
        synod_sim_start (sim, asker->node);
        think (asker);
        return;
    }
    if (asker->last)
        asker->operation = TABLE_GET;
    else {
        asker->key = (uint32_t) ((chance >> 8) % TABLE_KEYS);
        draw_operation (asker, chance >> 16);
    }
    ask (asker, synod_sim_random (sim));
}

/* ---- life ---- */

int table_clients (table_t *world)
{
    char name[16];
    world->history = synod_history_new (&table_model, 0);
    if (!world->history)
        return SYNOD_NO_MEMORY;
    for (uint32_t i = 0; i < TABLE_ASKERS; i++) {
        table_asker_t *asker = &world->askers[i];
        snprintf (name, sizeof name, "c%u", i + 1);
        int node = i < TABLE_CLIENTS ? synod_sim_client (world->ring.sim, name) : world->askers[i % TABLE_CLIENTS].node;
        if (!node)
            return synod_sim_error (world->ring.sim)->code;
        *asker = (table_asker_t){.world = world, .node = node, .number = i};
        think (asker);
    }
    return SYNOD_OK;
}

bool table_clients_done (placed_t *ring)
{
    table_t *world = (table_t *) ring;
    table_asker_t *reader = &world->reader;
    if (!reader->last && !synod_sim_asks (ring->sim) && table_many_idle (world)) {
        *reader = (table_asker_t){.world = world, .node = world->askers[0].node, .number = TABLE_ASKERS, .last = true};
        think (reader);
    }
    return reader->done;
}
