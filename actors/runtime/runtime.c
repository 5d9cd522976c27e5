/* SPDX-License-Identifier: MPL-2.0
 *
 * The life of a runtime, and what its host tells it of links. Its turns are in turn.c.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include "alarms.h"
#include "party.h"
#include "place.h"
#include "settled.h"

static synod__disk_t *s_own_disk (synod__rt_t *rt)
{
    uint64_t id[2] = {rt->ops->random (rt->host), rt->ops->random (rt->host)};
    return synod__memory_disk_new ((const uint8_t *) id);
}

/* Answers go to names: whatever an answer brings back begins at random, so that none to a former life of this node is
 * taken for one to this. */
static void s_begin_counting (synod__rt_t *rt)
{
    rt->client = rt->config.incarnation << 12 | (rt->ops->random (rt->host) & 0xfff); /* grows with time of birth */
    rt->ask_order = rt->ops->random (rt->host) >> 17;
    rt->next_echo = rt->ops->random (rt->host) >> 24;
    rt->next_change = rt->ops->random (rt->host) >> 24;
    rt->token_base = rt->ops->random (rt->host) << 32;
    if (SYNOD__MUTANT (REUSED_ID))
        rt->client = XXH3_64bits (rt->node.data, rt->node.size);
    if (SYNOD__MUTANT (REUSED_ID) || SYNOD__MUTANT (REUSED_ASKS))
        rt->ask_order = 0;
}

synod__rt_t *synod__rt_new (const synod__rt_config_t *config, const synod__host_t *ops, void *host)
{
    synod__rt_t *rt = (synod__rt_t *) synod__alloc (sizeof *rt);
    synod__config_take (rt, config);
    rt->ops = ops;
    rt->host = host;
    rt->node = synod_str (rt->config.node);
    rt->directory = synod__directory_new ();
    rt->publisher = synod__publisher_new (rt->config.node, rt->config.incarnation);
    rt->record_size = sizeof (uint64_t);
    rt->record = synod__alloc (rt->record_size);
    rt->self = synod__stream_get (rt, rt->node);
    if (config->brokered)
        rt->broker = synod__stream_get (rt, synod_str (SYNOD_BROKER));
    rt->tick_us = INT64_MAX;
    rt->disk = config->disk ? config->disk : s_own_disk (rt);
    rt->own_disk = !config->disk;
    rt->commit = 1;
    rt->says = SYNOD__SAYS_ALL;
    synod__place_new (rt);
    s_begin_counting (rt);
    return rt;
}

static void s_free_tables (synod__rt_t *rt)
{
    for (uint32_t i = 0; i < rt->nasks + rt->asks_nspare; i++) {
        synod_buf_free (&rt->asks[i]->copy);
        free (rt->asks[i]);
    }
    for (uint32_t i = 0; i < rt->ncalls + rt->calls_nspare; i++)
        free (rt->calls[i]);
    free (rt->asks);
    free (rt->asks_spare);
    free (rt->calls);
    free (rt->calls_spare);
    free (rt->events);
    free (rt->dirty);
    free (rt->parked);
    free (rt->stage.effects);
    synod_buf_free (&rt->stage.bytes);
    synod_buf_free (&rt->items);
    synod_buf_free (&rt->items2);
    synod_buf_free (&rt->scratch);
    synod_buf_free (&rt->body);
    synod_buf_free (&rt->writes);
    synod_buf_free (&rt->remembered);
    synod_buf_free (&rt->error);
    synod__batch_free (&rt->answer);
    synod__timers_free (&rt->timers);
    for (int i = 0; i < 2; i++) {
        synod__local_t *item = i ? rt->local_spare : rt->local_first;
        while (item) {
            synod__local_t *next = item->next;
            synod_buf_free (&item->frame);
            free (item);
            item = next;
        }
    }
}

void synod__rt_destroy (synod__rt_t **self_p)
{
    synod__rt_t *rt = *self_p;
    if (!rt)
        return;
    if (rt->state != SYNOD__RT_ENDED)
        synod__rt_end (rt, SYNOD_STOPPED, "destroyed");
    synod__commit (rt); /* what a fini wrote */
    synod__topics_free (rt);
    synod__watch_free (rt);
    synod__drops_free (rt);
    synod__mesh_free (rt);
    synod__place_free (rt);
    for (uint32_t i = 0; i < rt->ninstances; i++) {
        synod__asks_forget (rt, rt->instances[i]);
        synod__alarms_forget (rt, rt->instances[i]);
        synod__instance_free (rt->instances[i]);
    }
    free (rt->instances);
    synod__gathers_free (rt);
    synod__stream_t *stream, *next;
    HASH_ITER (hh, rt->streams, stream, next)
    synod__stream_free (rt, stream);
    s_free_tables (rt);
    synod__publisher_destroy (&rt->publisher);
    synod__directory_destroy (&rt->directory);
    if (rt->own_disk)
        rt->disk->ops->close (&rt->disk);
    free (rt->record);
    free (rt->replies);
    synod__config_free (rt);
    free (rt);
    *self_p = NULL;
}

/* ---- actors ---- */

static int s_check_type (const synod_actor_t *type, synod_fault_t *fault)
{
    if (!type || !type->name || !synod__name_ok (synod_str (type->name), true))
        return synod_fault (fault, SYNOD_INVALID,
                            "an actor needs a name of 1 to %d letters, digits, _ - or ., got \"%s\"", SYNOD_NAME_MAX,
                            type && type->name ? type->name : "");
    const synod_gateway_t *gateway = type->gateway;
    if (gateway && (!gateway->endpoint || !gateway->on_bytes))
        return synod_fault (fault, SYNOD_INVALID, "actor %s: a gateway needs endpoint and on_bytes", type->name);
    uint32_t count = 0;
    for (const synod_route_t *route = type->routes; route && route->record; route++) {
        if (!route->handler)
            return synod_fault (fault, SYNOD_INVALID, "actor %s: no handler for \"%s\"", type->name,
                                route->record->name);
        for (const synod_route_t *before = type->routes; before < route; before++)
            if (!strcmp (before->record->name, route->record->name))
                return synod_fault (fault, SYNOD_INVALID, "actor %s: two handlers for \"%s\"", type->name,
                                    route->record->name);
        if (++count > SYNOD_ROUTES_MAX)
            return synod_fault (fault, SYNOD_INVALID, "actor %s: more than %d methods", type->name, SYNOD_ROUTES_MAX);
    }
    return SYNOD_OK;
}

/* Room for any record that a route takes. */
static void s_room (synod__rt_t *rt, const synod_route_t *routes)
{
    for (const synod_route_t *route = routes; route && route->record; route++)
        if (route->record->size > rt->record_size) {
            rt->record_size = route->record->size;
            free (rt->record);
            rt->record = synod__alloc (rt->record_size);
        }
}

int synod__rt_add (synod__rt_t *rt, const synod_actor_t *type, const void *args, synod_fault_t *fault)
{
    int rc = s_check_type (type, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (rt->state != SYNOD__RT_NEW)
        return synod_fault (fault, SYNOD_INVALID, "actor %s: the node has started already", type->name);
    const synod__instance_t *there = synod__instance_find (rt, synod_str (type->name));
    if (there && there->beside && there->type == type && !args)
        return SYNOD_OK;
    if (there)
        return synod_fault (fault, SYNOD_NAME_TAKEN, "node %s has an actor %s already", rt->config.node, type->name);
    if (rt->ninstances >= SYNOD_ACTORS_MAX)
        return synod_fault (fault, SYNOD_TOO_LARGE, "a node runs %d actors at most", SYNOD_ACTORS_MAX);
    if (args && !type->args)
        return synod_fault (fault, SYNOD_INVALID, "actor %s takes no arguments", type->name);
    synod__instance_t *instance = (synod__instance_t *) synod__alloc (sizeof *instance);
    instance->rt = rt;
    instance->type = type;
    instance->name = synod_str (type->name);
    instance->ctx.rt = rt;
    instance->ctx.instance = instance;
    instance->state = synod__alloc (type->state_size);
    instance->store = synod__store_new (rt, instance->name);
    snprintf (instance->self, sizeof instance->self, "%s/%s", rt->config.node, type->name);
    if (type->args) {
        /* packed and unpacked again, the record borrows memory that lives as long as the actor */
        instance->args = synod__alloc (type->args->size);
        if (args) {
            rc = synod_record_pack (type->args, args, &instance->args_packed, fault);
            if (rc == SYNOD_OK)
                rc = synod_record_unpack (type->args,
                                          synod_str_n (instance->args_packed.data, instance->args_packed.size),
                                          instance->args, fault);
            if (rc != SYNOD_OK) {
                synod__instance_free (instance);
                return rc;
            }
        }
    }
    s_room (rt, type->routes);
    s_room (rt, synod__party_routes);
    rt->instances = (synod__instance_t **) synod__grow (rt->instances, &rt->instances_capacity, rt->ninstances + 1,
                                                        sizeof *rt->instances);
    rt->instances[rt->ninstances++] = instance;
    if (type->beside && !synod__instance_find (rt, synod_str (type->beside->name)) &&
        (rc = synod__rt_add (rt, type->beside, NULL, fault)) == SYNOD_OK)
        rt->instances[rt->ninstances - 1]->beside = true;
    return rc;
}

int synod__rt_start (synod__rt_t *rt, synod_fault_t *fault)
{
    assert (rt->in_turn && rt->state == SYNOD__RT_NEW);
    rt->started_us = rt->heard_us = rt->now_us;
    rt->tick_us = rt->now_us + (int64_t) rt->config.heartbeat_ms * 1000;
    int loaded = synod__place_ring (rt, fault);
    if (loaded == SYNOD_OK)
        loaded = synod__place_load (rt, fault);
    if (loaded != SYNOD_OK) {
        synod__rt_end (rt, loaded, fault ? fault->text : "it cannot take part in a ring");
        return loaded;
    }
    for (uint32_t i = 0; i < rt->ninstances; i++) {
        int rc = synod__gate_open (rt->instances[i], fault);
        if (rc == SYNOD_OK)
            rc = synod__instance_start (rt->instances[i], fault);
        if (rc == SYNOD_OK)
            continue;
        synod__rt_end (rt, rc, fault ? fault->text : "an actor could not start");
        return rc;
    }
    rt->state = SYNOD__RT_JOINING;
    synod__place_start (rt);
    if (!rt->broker)
        synod__mesh_start (rt);
    else if (rt->broker_up)
        synod__join_hello (rt);
    return SYNOD_OK;
}

/* Tells the broker, or all peers. */
static void s_leave (synod__rt_t *rt)
{
    synod__leave_t leave = {0};
    if (rt->broker)
        synod__control_tell (rt, rt->broker, &synod__leave_record, &leave);
    for (uint32_t i = 0; !rt->broker && i < synod__directory_size (rt->directory); i++) {
        synod__stream_t *stream = (synod__stream_t *) synod__directory_at (rt->directory, i)->user;
        if (stream != rt->self)
            synod__control_tell (rt, stream, &synod__leave_record, &leave);
    }
}

void synod__rt_crash (synod__rt_t *rt)
{
    rt->broken = SYNOD_STOPPED;
}

void synod__rt_end (synod__rt_t *rt, int code, const char *message)
{
    if (rt->state == SYNOD__RT_ENDED)
        return;
    if (rt->state == SYNOD__RT_UP) /* not asked to stop: its last actor has ended, or it was refused */
        s_leave (rt);
    rt->state = SYNOD__RT_ENDED; /* first: no actor is restarted, nobody is told twice */
    synod_fault (&rt->fault, code, "%s", message);
    synod__place_end (rt);
    for (uint32_t i = rt->ninstances; i > 0; i--)
        synod__instance_end (rt->instances[i - 1], SYNOD_STOPPED, "its node stops", false);
}

void synod__rt_stop (synod__rt_t *rt)
{
    /* asked for the first time: what is owned here goes to others first */
    if (rt->state == SYNOD__RT_UP && !rt->place->handing_us && synod__place_handing (rt))
        return;
    if (rt->state != SYNOD__RT_JOINING && rt->state != SYNOD__RT_UP) {
        if (rt->state == SYNOD__RT_NEW)
            synod__rt_end (rt, SYNOD_OK, "stopped before it started");
        return;
    }
    bool joined = rt->state == SYNOD__RT_UP;
    rt->state = SYNOD__RT_DRAINING;
    rt->drain_us = rt->now_us + (int64_t) rt->config.drain_ms * 1000;
    if (joined)
        s_leave (rt);
    rt->left |= !joined;
}

/* ---- links ---- */

void synod__rt_link_up (synod__rt_t *rt, uint32_t link)
{
    if (rt->broker && link == SYNOD__LINK_BROKER) {
        rt->broker_up = true;
        synod__join_hello (rt); /* it may be another broker by now, which knows nobody */
        rt->broker->blocked = false;
        synod__stream_flush (rt, rt->broker); /* ahead of what waits to be sent through it */
        synod__rt_writable (rt, link);
    } else if (rt->broker)
        synod__links_up (rt, link);
    else {
        synod__mesh_link_up (rt, link);
        synod__rt_writable (rt, link);
    }
}

void synod__rt_link_down (synod__rt_t *rt, uint32_t link)
{
    if (rt->broker && link == SYNOD__LINK_BROKER) {
        rt->broker_up = false; /* it may be back in time for the answers */
        rt->broker_down_us = rt->now_us;
    } else if (rt->broker)
        synod__links_down (rt, link);
    else
        synod__mesh_link_down (rt, link);
}

void synod__rt_writable (synod__rt_t *rt, uint32_t link)
{
    synod__stream_t *stream, *next;
    HASH_ITER (hh, rt->streams, stream, next)
    {
        if (stream->link != link || !stream->blocked)
            continue;
        stream->blocked = false;
        synod__stream_flush (rt, stream);
    }
}

void synod__rt_found (synod__rt_t *rt, const char *endpoint)
{
    if (!rt->broker && rt->state < SYNOD__RT_DRAINING)
        synod__mesh_dial (rt, synod_str (endpoint), false);
}

void synod__rt_log (synod__rt_t *rt, int level, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    rt->ops->log (rt->host, level, SYNOD_NODE_ACTOR, text);
}

void synod__rt_publish (synod__rt_t *rt, const char *topic, const synod_record_t *record, const void *rec)
{
    synod__publication_waits (rt);
    int rc = synod__publisher_add (rt->publisher, synod_str (topic), synod_str_n (NULL, 0), 0, record, rec,
                                   synod_str_n (NULL, 0), synod_str_n (NULL, 0), rt->config.queue_bytes, NULL);
    if (rc != SYNOD_OK)
        synod__drop (rt, rt->node, synod_str (topic), synod_error_meaning (rc), 1);
}

/* A copy of what does not pass a broker. */
void synod__rt_tap (synod__rt_t *rt, synod_str_t frame)
{
    synod__tapped_t out = {.frame = frame};
    synod__rt_publish (rt, SYNOD_TOPIC_TAP, &synod__tapped_record, &out);
}
