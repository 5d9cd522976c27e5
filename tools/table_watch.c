/* SPDX-License-Identifier: MPL-2.0
 *
 * Watching in the scenario `kv`: an actor on a node of its own watches some keys. What it tells is in order; where it says
 * that nothing was between two states, no acknowledged write was; and in the end it knows what is read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "table.h"

#define TICK_MS  300
#define WATCH_MS 2000

/* ---- the actor ---- */

static int on_tick (synod_ctx_t *ctx, void *state, uint64_t arg);

static void tell (table_watcher_t *self, uint32_t at, uint64_t floor, synod_str_t data)
{
    const synod__kv_watch_of_t *watch = &self->watch[at];
    table_event_t *event = &self->events[self->count++ % TABLE_EVENTS];
    char digits[24];
    *event = (table_event_t){.watch = at,
                             .jump = watch->jump,
                             .found = watch->found,
                             .version = watch->version,
                             .after = floor,
                             .floor = watch->floor,
                             .value = SYNOD_NIL};
    if (table_keys[at].kind != TABLE_TEXT && data.size && data.size < sizeof digits) {
        snprintf (digits, sizeof digits, "%.*s", SYNOD_STR (data));
        event->value = strtoll (digits, NULL, 10);
    }
}

static int on_read (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg);

static int act (synod_ctx_t *ctx, table_watcher_t *self, uint32_t at, synod__kv_watched_t what, uint64_t floor,
                synod_str_t data)
{
    char to[64];
    if (what == SYNOD__KV_WATCH_NEXT)
        tell (self, at, floor, data);
    if (what != SYNOD__KV_WATCH_READ || self->asking[at])
        return SYNOD_OK;
    self->gaps++;
    snprintf (to, sizeof to, SYNOD__KV_ACTOR "#%s", table_keys[at].name);
    self->asking[at] = synod_ask (ctx, to, &synod__kv_get_record, &(synod__kv_get_t){.at = true}, TICK_MS * 3, on_read,
                                  at) == SYNOD_OK;
    return SYNOD_OK;
}

static int on_read (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    table_watcher_t *self = (table_watcher_t *) state;
    synod__kv_watch_of_t *watch = &self->watch[arg];
    synod__kv_is_t is;
    uint64_t floor = watch->floor;
    self->asking[arg] = false;
    if (reply->code != SYNOD_OK || synod_record_unpack (&synod__kv_is_record, reply->body, &is, NULL) != SYNOD_OK) {
        synod__kv_watch_lost (watch); /* again with the next tick */
        return SYNOD_OK;
    }
    return act (ctx, self, (uint32_t) arg, synod__kv_watch_read (watch, &is), floor, is.data);
}

static int on_watching (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    table_watcher_t *self = (table_watcher_t *) state;
    synod__kv_watching_t in;
    if (reply->code != SYNOD_OK || synod_record_unpack (&synod__kv_watching_record, reply->body, &in, NULL) != SYNOD_OK)
        return SYNOD_OK;
    return act (ctx, self, (uint32_t) arg, synod__kv_watch_watching (&self->watch[arg], &in), 0, synod_str (""));
}

/* ---- the prefix ---- */

static void on_told (void *arg, const synod__kv_prefix_told_t *told)
{
    table_watcher_t *self = (table_watcher_t *) arg;
    uint32_t key = 0;
    char digits[24];
    while (key < TABLE_KEYS && !synod_str_is (told->key, table_keys[key].name))
        key++;
    if (key == TABLE_KEYS)
        return;
    table_event_t *event = &self->events[self->count++ % TABLE_EVENTS];
    *event = (table_event_t){.watch = TABLE_WATCHES + key,
                             .jump = told->jump,
                             .found = told->found,
                             .version = told->version,
                             .after = told->after,
                             .floor = told->version,
                             .value = SYNOD_NIL};
    if (table_keys[key].kind != TABLE_TEXT && told->found && told->data.size && told->data.size < sizeof digits) {
        snprintf (digits, sizeof digits, "%.*s", SYNOD_STR (told->data));
        event->value = strtoll (digits, NULL, 10);
    }
}

static int read_on (synod_ctx_t *ctx, table_watcher_t *self);

static int on_scanned (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    table_watcher_t *self = (table_watcher_t *) state;
    synod__kv_scanned_t in;
    (void) arg;
    bool good = reply->code == SYNOD_OK && synod_record_unpack (&synod__kv_scanned_record, reply->body, &in, NULL) == 0;
    synod__kv_prefix_scanned (&self->prefix, good ? &in : NULL);
    return good ? read_on (ctx, self) : SYNOD_OK; /* else with the next tick */
}

static int read_on (synod_ctx_t *ctx, table_watcher_t *self)
{
    synod__kv_scan_t in;
    if (synod__kv_prefix_scan (&self->prefix, &in) &&
        synod_ask (ctx, SYNOD__KV_NODE, &synod__kv_scan_record, &in, TICK_MS * 3, on_scanned, 0) != SYNOD_OK)
        synod__kv_prefix_scanned (&self->prefix, NULL);
    return SYNOD_OK;
}

static int on_marks (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    table_watcher_t *self = (table_watcher_t *) state;
    synod__kv_marks_are_t in;
    (void) arg;
    if (reply->code == SYNOD_OK &&
        synod_record_unpack (&synod__kv_marks_are_record, reply->body, &in, NULL) == SYNOD_OK)
        synod__kv_prefix_marks (&self->prefix, &in);
    return read_on (ctx, self);
}

static void ask_members (synod_ctx_t *ctx, table_watcher_t *self)
{
    char to[2 * SYNOD_NAME_MAX + 2];
    synod__kv_marks_t in;
    for (uint32_t at = 0; synod__kv_prefix_ask (&self->prefix, at, to, &in); at++) {
        in.ms = WATCH_MS;
        synod_ask (ctx, to, &synod__kv_marks_record, &in, TICK_MS * 3, on_marks, 0);
    }
}

/* ---- all ---- */

static int on_change (synod_ctx_t *ctx, void *state, const synod__kv_change_t *in, synod_call_t call)
{
    table_watcher_t *self = (table_watcher_t *) state;
    (void) call;
    for (uint32_t i = 0; i < TABLE_WATCHES; i++) {
        uint64_t floor = self->watch[i].floor;
        act (ctx, self, i, synod__kv_watch_change (&self->watch[i], in), floor, in->data);
    }
    synod__kv_prefix_change (&self->prefix, in);
    return read_on (ctx, self);
}

static int on_tick (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    table_watcher_t *self = (table_watcher_t *) state;
    char to[64];
    (void) arg;
    for (uint32_t i = 0; i < TABLE_WATCHES; i++) {
        snprintf (to, sizeof to, SYNOD__KV_ACTOR "#%s", table_keys[i].name);
        synod_ask (ctx, to, &synod__kv_watch_record, &(synod__kv_watch_t){.ms = WATCH_MS}, TICK_MS * 3, on_watching, i);
        if (self->watch[i].reading)
            act (ctx, self, i, SYNOD__KV_WATCH_READ, 0, synod_str (""));
    }
    ask_members (ctx, self);
    read_on (ctx, self);
    return synod_after (ctx, TICK_MS, on_tick, 0, NULL);
}

static int init (synod_ctx_t *ctx, void *state, const void *args)
{
    table_watcher_t *self = (table_watcher_t *) state;
    (void) args;
    for (uint32_t i = 0; i < TABLE_WATCHES; i++)
        synod__kv_watch_begin (&self->watch[i], synod_str (table_keys[i].name));
    synod__kv_prefix_begin (&self->prefix, synod_str (""), on_told, self);
    int rc = synod_subscribe (ctx, SYNOD__KV_ACTOR ".>", NULL, 0);
    return rc == SYNOD_OK ? on_tick (ctx, state, 0) : rc;
}

static void fini (synod_ctx_t *ctx, void *state)
{
    (void) ctx;
    synod__kv_prefix_free (&((table_watcher_t *) state)->prefix);
}

const synod_actor_t table_watcher = {
    .name = "watcher",
    .doc = "watches keys of the table",
    .state_size = sizeof (table_watcher_t),
    .init = init,
    .fini = fini,
    .routes = (const synod_route_t[]){SYNOD_ON (synod__kv_change, on_change), SYNOD_END},
};

/* ---- what it must not tell ---- */

static void look (table_t *world, const table_event_t *event)
{
    uint32_t of = event->watch < TABLE_WATCHES ? event->watch : event->watch - TABLE_WATCHES;
    const char *key = table_keys[of].name;
    const table_seen_t *seen = &world->seen[of];
    synod_sim_t *sim = world->ring.sim;
    if (event->floor < world->told[event->watch] || (event->found && event->version > event->floor))
        synod_sim_fail (sim, "the watcher of %s tells version %" PRIu64 " at %" PRIu64 " after one at %" PRIu64, key,
                        event->version, event->floor, world->told[event->watch]);
    world->told[event->watch] = event->floor;
    if (event->value != SYNOD_NIL && event->version == seen->version && event->value != seen->value)
        synod_sim_fail (sim, "the watcher of %s tells %" PRId64 " as version %" PRIu64 ", which is %" PRId64, key,
                        event->value, event->version, seen->value);
    if (event->jump)
        return;
    if (world->nspans == world->spans_room) {
        world->spans_room = world->spans_room ? 2 * world->spans_room : 1024;
        table_span_t *spans = (table_span_t *) realloc (world->spans, world->spans_room * sizeof *spans);
        if (!spans)
            abort ();
        world->spans = spans;
    }
    world->spans[world->nspans++] = (table_span_t){of, event->after, event->floor};
}

static const table_watcher_t *memory_of (const table_t *world)
{
    return (const table_watcher_t *) synod_sim_memory (world->ring.sim, world->watcher, table_watcher.name);
}

static int check (synod_sim_t *sim, void *arg)
{
    table_t *world = (table_t *) arg;
    const table_watcher_t *self = memory_of (world);
    if (!self)
        return SYNOD_OK;
    if (self->count < world->watched) { /* another life */
        world->watched = 0;
        memset (world->told, 0, sizeof world->told);
    }
    for (; world->watched < self->count && synod_sim_violation (sim)->code == SYNOD_OK; world->watched++)
        if (self->count - world->watched <= TABLE_EVENTS)
            look (world, &self->events[world->watched % TABLE_EVENTS]);
    return synod_sim_violation (sim)->code;
}

bool table_watch_level (const table_t *world)
{
    const table_watcher_t *self = memory_of (world);
    for (uint32_t i = 0; self && i < TABLE_WATCHES; i++) {
        const synod__kv_watch_of_t *watch = &self->watch[i];
        if (!watch->known || watch->reading || watch->found == world->seen[i].gone ||
            (watch->found && watch->version != world->seen[i].last))
            return false;
    }
    for (uint32_t i = 0; self && i < TABLE_KEYS; i++)
        if (synod__kv_prefix_version (&self->prefix, synod_str (table_keys[i].name)) !=
            (world->seen[i].gone ? 0 : world->seen[i].last))
            return false;
    return self != NULL;
}

int table_watch_finish (table_t *world)
{
    for (uint32_t i = 0; i < world->nwrites; i++)
        for (uint32_t j = 0; j < world->nspans; j++) {
            const table_write_t *write = &world->writes[i];
            const table_span_t *span = &world->spans[j];
            if (write->key == span->key && span->from < write->version && write->version < span->to)
                return synod_sim_fail (world->ring.sim,
                                       "the watcher of %s says that nothing was between %" PRIu64 " and %" PRIu64
                                       ": version %" PRIu64 " was acknowledged",
                                       table_keys[span->key].name, span->from, span->to, write->version);
        }
    return SYNOD_OK;
}

int table_watch (table_t *world)
{
    world->watcher = synod_sim_node (world->ring.sim, "w1");
    if (!world->watcher || synod_sim_add (world->ring.sim, world->watcher, &table_watcher, NULL) != SYNOD_OK ||
        synod_sim_start (world->ring.sim, world->watcher) != SYNOD_OK)
        return synod_sim_error (world->ring.sim)->code;
    return synod_sim_check (world->ring.sim, "watcher", check, world);
}
