/* SPDX-License-Identifier: MPL-2.0
 *
 * The clients of the scenario `placed`: they add to counters and set registers by commands, note numbers by plain tells,
 * and read. What they saw is kept as two histories, which have to be linearizable.
 */
#include <inttypes.h>
#include <stdio.h>
#include "placed.h"

#define ASK_MS  600000 /* longer than any world: a command ends with its answer */
#define READ_MS 3000   /* a read that finds nobody is none */
#define CRASHES 5      /* of clients */

static void ask_next (synod_sim_t *sim, void *arg);

/* At any node that knows the ring, and now and then at another one, which refuses if nobody tells it; or at none by name,
 * if all do. */
static void address (placed_t *world, uint32_t key, bool last, char text[48])
{
    uint64_t chance = synod_sim_random (world->sim);
    uint32_t from = (uint32_t) ((chance >> 8) % world->nodes), at = from, know = 0;
    for (uint32_t i = 0; i < world->nodes; i++) {
        uint32_t one = (from + i) % world->nodes;
        if (world->disks[one].epoch) {
            know++;
            at = one;
        }
    }
    if (know && !last && (chance >> 1) % 8 == 0)
        at = from;
    if (know == world->nodes && chance % 2)
        snprintf (text, 48, PLACED_ACTOR "#key-%u", key);
    else
        snprintf (text, 48, "%s/" PLACED_ACTOR "#key-%u", synod_sim_name (world->sim, world->disks[at].node), key);
}

static synod_history_t *history_of (const placed_asker_t *asker)
{
    return asker->counts ? asker->world->counters : asker->world->registers;
}

static void think (placed_asker_t *asker)
{
    placed_t *world = asker->world;
    int64_t most_us = asker->last ? 50000 : (int64_t) world->think_ms * 1000;
    synod_sim_after (world->sim, 1000 + (int64_t) (synod_sim_random (world->sim) % (uint64_t) most_us), ask_next,
                     asker);
}

/* ---- answers ---- */

static bool reads (const placed_asker_t *asker)
{
    return asker->operation == (asker->counts ? (uint32_t) SYNOD_COUNTER_READ : (uint32_t) SYNOD_REGISTER_READ);
}

static int64_t result_of (const placed_asker_t *asker, const placed_is_t *is)
{
    if (asker->counts)
        return (int64_t) is->sum;
    return asker->operation == SYNOD_REGISTER_CAS ? is->set : is->value;
}

static void take_answer (placed_asker_t *asker, const synod_reply_t *reply)
{
    placed_t *world = asker->world;
    synod_sim_t *sim = world->sim;
    placed_is_t is;
    synod_fault_t fault = {0};
    if (synod_record_unpack (&placed_is_record, reply->body, &is, &fault) != SYNOD_OK) {
        synod_sim_fail (sim, "an answer is none: %s", fault.text);
        return;
    }
    if (is.wrong.size)
        synod_sim_fail (sim, "key-%u at %.*s: %.*s", asker->key, SYNOD_STR (reply->from), SYNOD_STR (is.wrong));
    if (is.noted > world->notes)
        synod_sim_fail (sim, "key-%u has noted %" PRIu64 ", the last that was told is %u", asker->key, is.noted,
                        world->notes);
    synod_history_complete (history_of (asker), synod_sim_now_us (sim), asker->number, result_of (asker, &is), 0);
    asker->saw = is.value;
    if (asker->last) {
        asker->done = asker->key + 1 == PLACED_KEYS && !asker->counts;
        if (asker->counts)
            world->sums[asker->key] = is.sum;
        asker->key += !asker->counts;
        asker->counts = !asker->counts;
    }
}

/* What a command may end with besides its answer; what is not known then may still come about. */
static bool take_error (placed_asker_t *asker, const synod_reply_t *reply)
{
    synod_history_t *history = history_of (asker);
    int64_t now_us = synod_sim_now_us (asker->world->sim);
    static const char no_ring[] = "is placed on a ring, and node";
    bool asked = (!asker->kept && memmem (reply->message.data, reply->message.size, "as asked", 8)) ||
                 memmem (reply->message.data, reply->message.size, no_ring, sizeof no_ring - 1);
    switch (reply->code) {
    case SYNOD_REFUSED:
    case SYNOD_FAILED:
        if (asked || reads (asker))
            synod_history_fail (history, now_us, asker->number);
        else
            synod_history_unknown (history, now_us, asker->number);
        return true;
    case SYNOD_TIMEOUT:
    case SYNOD_NODE_DOWN:
        if (!reads (asker))
            return false;
        break;
    case SYNOD_STOPPED:
    case SYNOD_NO_ROUTE:
    case SYNOD_BUSY:
        break;
    default:
        return false;
    }
    if (reads (asker))
        synod_history_fail (history, now_us, asker->number);
    else
        synod_history_unknown (history, now_us, asker->number);
    return true;
}

static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    placed_asker_t *asker = (placed_asker_t *) arg;
    (void) client;
    if (reply->code == SYNOD_OK)
        take_answer (asker, reply);
    else if (!take_error (asker, reply))
        synod_sim_fail (sim, "%s of key-%u ended with %s: %.*s", reads (asker) ? "a read" : "a command", asker->key,
                        synod_error_name (reply->code), SYNOD_STR (reply->message));
    think (asker);
}

/* ---- asks ---- */

static int send (placed_asker_t *asker, const char *to, const synod_record_t *record, const void *in)
{
    return synod_sim_ask (asker->world->sim, asker->node, to, record, in, reads (asker) ? READ_MS : ASK_MS, on_reply,
                          asker);
}

/* Records what is asked, and asks. */
static int ask (placed_asker_t *asker, const synod_record_t *record, const void *in, int64_t a, int64_t b)
{
    synod_sim_t *sim = asker->world->sim;
    char to[48], name[16];
    address (asker->world, asker->key, asker->last, to);
    int size = snprintf (name, sizeof name, "key-%u", asker->key);
    if (synod_history_invoke (history_of (asker), synod_sim_now_us (sim), asker->number,
                              synod_str_n (name, (uint32_t) size), asker->operation, a, b) != SYNOD_OK)
        synod_sim_fail (sim, "%s", synod_history_error (history_of (asker)));
    int rc = send (asker, to, record, in);
    if (rc != SYNOD_OK)
        synod_history_fail (history_of (asker), synod_sim_now_us (sim), asker->number); /* it is not on the bus */
    return rc;
}

static int ask_add (placed_asker_t *asker, uint64_t chance)
{
    placed_t *world = asker->world;
    int64_t now_us = synod_sim_now_us (world->sim);
    placed_add_t in = {.asker = asker->number, .number = ++asker->adds, .amount = 1 + chance % 1000};
    uint64_t what = (chance >> 16) % 32;
    if (what < 5)
        in.later_ms = 1 + (chance >> 24) % 400;
    if (what < 12)
        in.fill = (chance >> 24) % world->fill;
    in.refuse = what == 31;
    if (what == 30 && now_us >= world->fail_us && !world->over) {
        in.fail = true; /* not so often that a partition stays down */
        world->fail_us = now_us + SYNOD_RESTARTS_WITHIN_MS * 1000;
    }
    asker->operation = SYNOD_COUNTER_ADD;
    asker->kept = in.later_ms != 0;
    return ask (asker, &placed_add_record, &in, (int64_t) in.amount, 0);
}

static int ask_set (placed_asker_t *asker, uint64_t chance)
{
    placed_set_t in = {.value = ++asker->world->next, .old = asker->saw, .compare = chance % 3 == 0};
    asker->operation = in.compare ? SYNOD_REGISTER_CAS : SYNOD_REGISTER_WRITE;
    return ask (asker, &placed_set_record, &in, in.compare ? in.old : in.value, in.compare ? in.value : 0);
}

static int ask_get (placed_asker_t *asker)
{
    asker->operation = asker->counts ? (uint32_t) SYNOD_COUNTER_READ : (uint32_t) SYNOD_REGISTER_READ;
    return ask (asker, &placed_get_record, &(placed_get_t){0}, 0, 0);
}

static void note (placed_asker_t *asker, uint64_t chance)
{
    char to[48];
    placed_note_t in = {.number = ++asker->world->notes};
    address (asker->world, (uint32_t) (chance % PLACED_KEYS), false, to);
    synod_sim_tell (asker->world->sim, asker->node, to, &placed_note_record, &in);
}

static void ask_next (synod_sim_t *sim, void *arg)
{
    placed_asker_t *asker = (placed_asker_t *) arg;
    placed_t *world = asker->world;
    uint64_t chance = synod_sim_random (sim);
    if (asker->done || (world->over && !asker->last))
        return;
    if (!world->made) { /* what ends without an answer makes histories hard to check */
        think (asker);
        return;
    }
    if (!world->over && chance % 64 == 0 && world->crashes < CRASHES &&
        synod_sim_state (sim, asker->node) == SYNOD_SIM_UP) {
        world->crashes++;
        synod_sim_crash (sim, asker->node);
        synod_sim_start (sim, asker->node);
        think (asker);
        return;
    }
    int rc = SYNOD_OK;
    if (asker->last)
        rc = ask_get (asker);
    else {
        asker->kept = false;
        asker->key = (uint32_t) ((chance >> 8) % PLACED_KEYS);
        asker->counts = (chance >> 12) % 2;
        if ((chance >> 13) % 8 == 0)
            note (asker, chance >> 40);
        rc = (chance >> 20) % 3 == 0 ? ask_get (asker)
             : asker->counts         ? ask_add (asker, chance >> 24)
                                     : ask_set (asker, chance >> 24);
    }
    if (rc != SYNOD_OK)
        think (asker);
}

/* ---- life ---- */

int placed_clients (placed_t *world)
{
    char name[16];
    world->counters = synod_history_new (&synod_counter_model, 0);
    world->registers = synod_history_new (&synod_register_model, 0);
    if (!world->counters || !world->registers)
        return SYNOD_NO_MEMORY;
    for (uint32_t i = 0; i < PLACED_ASKERS; i++) {
        placed_asker_t *asker = &world->askers[i];
        snprintf (name, sizeof name, "c%u", i + 1);
        int node = i < PLACED_CLIENTS ? synod_sim_client (world->sim, name) : world->askers[i % PLACED_CLIENTS].node;
        if (!node)
            return synod_sim_error (world->sim)->code;
        *asker = (placed_asker_t){.world = world, .node = node, .number = i, .saw = SYNOD_NIL};
        think (asker);
    }
    return SYNOD_OK;
}

bool placed_clients_done (placed_t *world)
{
    placed_asker_t *reader = &world->reader;
    if (!reader->last && !synod_sim_asks (world->sim)) {
        *reader = (placed_asker_t){
            .world = world, .node = world->askers[0].node, .number = PLACED_ASKERS, .last = true, .counts = true};
        think (reader);
    }
    return reader->done;
}
