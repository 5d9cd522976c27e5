/* SPDX-License-Identifier: MPL-2.0
 *
 * Deadlines in the scenario `kv`. Each of these keys has one writer, who knows what it should be: it is shown until its
 * deadline, by the clock of the node that answers; it is gone only when some node's clock is there; once it was seen gone it
 * stays so; and its fence is remembered. Clocks differ: by how much is the only bound there is.
 */
#include <inttypes.h>
#include <stdio.h>
#include "sim/internal.h"
#include "table.h"

#define MOST_MS 3000

static void next (synod_sim_t *sim, void *arg);

typedef enum { GET, PUT, EXPIRE, PERSIST, FENCED } what_t; /* FENCED: a put with a lower fence */

static int64_t wall_ms (const table_t *world, uint32_t node)
{
    return (SYNOD__SIM_WALL_US + synod__sim_clock (world->ring.sim->places[world->ring.disks[node].node])) / 1000;
}

static void think (table_due_t *due)
{
    synod_sim_after (due->world->ring.sim, 1000 + (int64_t) (synod_sim_random (due->world->ring.sim) % 150000), next,
                     due);
}

static uint32_t node_of (const table_t *world, synod_str_t from)
{
    for (uint32_t i = 0; i < world->ring.nodes; i++) {
        const char *name = synod_sim_name (world->ring.sim, world->ring.disks[i].node);
        if (from.size > strlen (name) && memcmp (from.data, name, strlen (name)) == 0 &&
            from.data[strlen (name)] == '/')
            return i;
    }
    return 0;
}

/* ---- what is seen ---- */

static void seen_gone (table_due_t *due)
{
    int64_t latest_ms = 0;
    for (uint32_t i = 0; i < due->world->ring.nodes; i++) {
        int64_t one_ms = wall_ms (due->world, i);
        latest_ms = one_ms > latest_ms ? one_ms : latest_ms;
    }
    if (due->sure && due->there && (!due->until_ms || due->until_ms > latest_ms))
        synod_sim_fail (due->world->ring.sim,
                        "due-%u is gone; its deadline is %" PRId64 ", and the latest clock is at %" PRId64, due->number,
                        due->until_ms, latest_ms);
    due->there = false;
}

static void seen_there (table_due_t *due, const synod__kv_is_t *is, synod_str_t from)
{
    int64_t asked_ms = due->walls_ms[node_of (due->world, from)], until_ms = (int64_t) is->until_ms;
    if (until_ms && until_ms <= asked_ms)
        synod_sim_fail (due->world->ring.sim,
                        "due-%u is shown by %.*s, whose clock was at %" PRId64 " already; its deadline is %" PRId64,
                        due->number, SYNOD_STR (from), asked_ms, until_ms);
    if (due->sure && !due->there)
        synod_sim_fail (due->world->ring.sim, "due-%u was gone, and is there again", due->number);
    if (due->sure && (until_ms != due->until_ms || is->version != due->version))
        synod_sim_fail (due->world->ring.sim,
                        "due-%u has deadline %" PRId64 ", version %" PRIu64 "; it was given %" PRId64 ", %" PRIu64,
                        due->number, until_ms, is->version, due->until_ms, due->version);
}

/* A command was answered: what is known of the key now. */
static void written (table_due_t *due, const synod__kv_is_t *is)
{
    if (due->asked == FENCED) {
        if (!synod_str_is (is->why, "fence"))
            synod_sim_fail (due->world->ring.sim, "due-%u takes a fence below %" PRIu64, due->number, due->fence);
        return;
    }
    if (!is->done) { /* there is nothing to give a deadline to */
        if (synod_str_is (is->why, "absent"))
            seen_gone (due);
        return;
    }
    due->sure = true;
    due->there = is->found;
    due->until_ms = (int64_t) is->until_ms;
    due->version = is->version;
}

static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    table_due_t *due = (table_due_t *) arg;
    synod__kv_is_t is;
    (void) client;
    if (reply->code != SYNOD_OK) {
        if (due->asked != GET) /* it may still come about: from now on it is another key */
            *due = (table_due_t){.world = due->world, .node = due->node, .number = due->number + TABLE_DUES};
    } else if (synod_record_unpack (&synod__kv_is_record, reply->body, &is, NULL) != SYNOD_OK)
        synod_sim_fail (sim, "an answer is none");
    else if (due->asked != GET)
        written (due, &is);
    else if (is.found)
        seen_there (due, &is, reply->from);
    else
        seen_gone (due);
    think (due);
}

/* ---- asks ---- */

static void next (synod_sim_t *sim, void *arg)
{
    table_due_t *due = (table_due_t *) arg;
    table_t *world = due->world;
    uint64_t chance = synod_sim_random (sim), ttl_ms = 50 + (chance >> 32) % MOST_MS;
    char key[16], to[64];
    if (world->ring.over)
        return;
    snprintf (key, sizeof key, "due-%u", due->number);
    if (!world->ring.made || !table_address (world, key, to)) {
        think (due);
        return;
    }
    for (uint32_t i = 0; i < world->ring.nodes; i++)
        due->walls_ms[i] = wall_ms (world, i);
    uint64_t what = chance % 16;
    int rc;
    if (!due->sure || what < 4 || (!due->there && what < 8)) {
        due->asked = PUT;
        due->fence += (chance >> 8) % 2;
        rc = synod_sim_ask (
            sim, due->node, to, &synod__kv_put_record,
            &(synod__kv_put_t){.data = synod_str ("7"), .ttl_ms = (chance >> 12) % 8 ? ttl_ms : 0, .fence = due->fence},
            TABLE_ASK_MS, on_reply, due);
    } else if (what < 6) {
        due->asked = (chance >> 8) % 3 ? EXPIRE : PERSIST;
        rc = synod_sim_ask (sim, due->node, to, &synod__kv_expire_record,
                            &(synod__kv_expire_t){.ttl_ms = due->asked == EXPIRE ? ttl_ms : 0}, TABLE_ASK_MS, on_reply,
                            due);
    } else if (what == 8 && due->fence > 1) {
        due->asked = FENCED;
        rc = synod_sim_ask (sim, due->node, to, &synod__kv_put_record, &(synod__kv_put_t){.fence = due->fence - 1},
                            TABLE_ASK_MS, on_reply, due);
    } else {
        due->asked = GET;
        rc = synod_sim_ask (sim, due->node, to, &synod__kv_get_record, &(synod__kv_get_t){0}, TABLE_READ_MS, on_reply,
                            due);
    }
    if (rc != SYNOD_OK)
        think (due);
}

int table_dues (table_t *world)
{
    for (uint32_t i = 0; i < TABLE_DUES; i++) {
        world->dues[i] = (table_due_t){.world = world, .number = i, .node = world->askers[i].node};
        think (&world->dues[i]);
    }
    return SYNOD_OK;
}
