/* SPDX-License-Identifier: MPL-2.0
 *
 * The object's results are those of the rules below, written without the models: state before, operation, state after.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "generate.h"

#define CLIENTS_MAX 64
#define LATE_MAX    256 /* lost operations that have yet to happen */

typedef enum { IDLE, CALLED, HAPPENED } phase_t;

typedef struct {
    phase_t phase;
    uint32_t operation, key;
    int64_t args[2], results[2];
} client_t;

/* What a key holds: a value or sum, or a lock. */
typedef struct {
    int64_t value, holder, count, fence;
} object_t;

typedef struct {
    generate_t how;
    uint64_t random;
    synod_history_t *history;
    object_t *objects;
    client_t clients[CLIENTS_MAX];
    client_t late[LATE_MAX];
    uint32_t nlate;
    int64_t now_us, unique;
    bool failed;
} world_t;

static uint32_t s_below (world_t *world, uint32_t n)
{
    return (uint32_t) (generate_random (&world->random) >> 11) % n;
}

static int64_t s_value (world_t *world)
{
    return world->how.values ? 1 + (int64_t) s_below (world, world->how.values) : ++world->unique;
}

static void s_register (client_t *c, object_t *o)
{
    if (c->operation == SYNOD_REGISTER_READ) {
        c->results[0] = o->value;
    } else if (c->operation == SYNOD_REGISTER_WRITE) {
        o->value = c->args[0];
    } else {
        c->results[0] = o->value == c->args[0];
        if (c->results[0])
            o->value = c->args[1];
    }
}

static void s_counter (client_t *c, object_t *o)
{
    if (c->operation == SYNOD_COUNTER_ADD)
        o->value += c->args[0];
    c->results[0] = o->value;
}

static void s_lock (world_t *world, client_t *c, object_t *o)
{
    bool plain = world->how.model == &synod_lock_model, again = world->how.model == &synod_reentrant_lock_model;
    bool holds = o->count > 0 && o->holder == c->args[0];
    if (c->operation == SYNOD_LOCK_ACQUIRE) {
        bool granted = o->count == 0 || (again && holds);
        c->results[0] = plain ? 0 : SYNOD_NIL;
        if (!granted)
            return;
        if (o->count++ == 0)
            o->fence += 1 + s_below (world, 3);
        o->holder = c->args[0];
        c->results[0] = plain ? 1 : o->fence;
        c->results[1] = o->count;
        return;
    }
    bool all = c->operation == SYNOD_LOCK_EXPIRE;
    if (holds && !plain && c->args[1] != SYNOD_NIL && c->args[1] != o->fence)
        holds = false;
    if (holds)
        o->count = all ? 0 : o->count - 1;
    c->results[0] = holds;
    if (again && !all)
        c->results[0] = holds ? o->count : SYNOD_NIL;
}

static void s_happen (world_t *world, client_t *c)
{
    object_t *o = &world->objects[c->key];
    if (world->how.model == &synod_register_model)
        s_register (c, o);
    else if (world->how.model == &synod_counter_model)
        s_counter (c, o);
    else
        s_lock (world, c, o);
}

static void s_call (world_t *world, uint32_t i)
{
    client_t *c = &world->clients[i];
    char key[16];
    const object_t *o;
    memset (c, 0, sizeof *c);
    c->phase = CALLED;
    c->key = s_below (world, world->how.keys);
    c->operation = s_below (world, world->how.model->noperations);
    c->args[0] = s_value (world);
    c->args[1] = s_value (world);
    o = &world->objects[c->key];
    if (world->how.model == &synod_register_model && c->operation == SYNOD_REGISTER_CAS && s_below (world, 2))
        c->args[0] = o->value;
    if (world->how.model != &synod_register_model && world->how.model != &synod_counter_model) {
        if (c->operation != SYNOD_LOCK_ACQUIRE && s_below (world, 4) && o->count > 0)
            c->args[0] = o->holder;
        c->args[1] = s_below (world, 3) ? o->fence : SYNOD_NIL;
    }
    int key_size = snprintf (key, sizeof key, "k%u", c->key);
    if (synod_history_invoke (world->history, world->now_us, i, synod_str_n (key, (size_t) key_size), c->operation,
                              c->args[0], c->args[1]) != SYNOD_OK)
        world->failed = true;
}

static void s_end (world_t *world, uint32_t i)
{
    const client_t *c = &world->clients[i];
    if (synod_history_complete (world->history, world->now_us, i, c->results[0], c->results[1]) != SYNOD_OK)
        world->failed = true;
    world->clients[i].phase = IDLE;
}

/* The outcome of the client's operation is lost, before or after it happened, or it has none. */
static void s_lose (world_t *world, uint32_t i)
{
    client_t *c = &world->clients[i];
    if (c->phase == CALLED && s_below (world, 2) && world->nlate < LATE_MAX)
        world->late[world->nlate++] = *c;
    if (synod_history_unknown (world->history, world->now_us, i) != SYNOD_OK)
        world->failed = true;
    c->phase = IDLE;
}

static void s_move (world_t *world, uint32_t i)
{
    client_t *c = &world->clients[i];
    if (c->phase != IDLE && s_below (world, 200) < world->how.unknown_pct) {
        s_lose (world, i);
    } else if (c->phase == CALLED && s_below (world, 100) < world->how.failed_pct) {
        world->failed |= synod_history_fail (world->history, world->now_us, i) != SYNOD_OK;
        c->phase = IDLE;
    } else if (c->phase == CALLED) {
        s_happen (world, c);
        c->phase = HAPPENED;
    } else if (c->phase == HAPPENED) {
        s_end (world, i);
    } else if (synod_history_count (world->history) < world->how.operations) {
        s_call (world, i);
    }
}

static bool s_busy (const world_t *world)
{
    bool busy = synod_history_count (world->history) < world->how.operations;
    for (uint32_t i = 0; i < world->how.clients; i++)
        busy = busy || world->clients[i].phase != IDLE;
    return busy && !world->failed;
}

synod_history_t *generate (const generate_t *how)
{
    world_t *world = (world_t *) calloc (1, sizeof *world);
    if (!world)
        return NULL;
    world->how = *how;
    world->random = how->seed * 0x9e3779b97f4a7c15u + 1;
    world->unique = 100;
    world->history = synod_history_new (how->model, 0);
    world->objects = (object_t *) calloc (how->keys, sizeof *world->objects);
    world->failed = !world->history || !world->objects || how->clients > CLIENTS_MAX;
    for (uint32_t i = 0; !world->failed && how->model == &synod_register_model && i < how->keys; i++)
        world->objects[i].value = SYNOD_NIL;
    while (!world->failed && s_busy (world)) {
        world->now_us += s_below (world, 10);
        if (world->nlate > 0 && s_below (world, 8 * how->clients) == 0) {
            uint32_t which = s_below (world, world->nlate);
            s_happen (world, &world->late[which]);
            world->late[which] = world->late[--world->nlate];
        }
        s_move (world, s_below (world, how->clients));
    }
    if (world->failed)
        synod_history_destroy (&world->history);
    synod_history_t *history = world->history;
    free (world->objects);
    free (world);
    return history;
}
