/* SPDX-License-Identifier: MPL-2.0
 *
 * What a runtime may do in the world: send, publish, connect, subscribe. Without a broker nodes meet at the endpoints
 * "mem:NAME" and publish at "pub:NAME"; "alias:NAME" is another spelling. Nothing here does anything for a node that
 * is dead, also one that died a moment ago in the middle of the turn that calls.
 */
#include <stdlib.h>
#include "internal.h"

static int s_send (void *host, uint32_t id, synod_buf_t *frame)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    synod_sim_t *self = place->sim;
    synod__sim_link_t *link = synod__sim_link (place, id);
    if (!place->alive)
        return SYNOD_OK;
    if (!link || !link->up || link->blocked)
        return SYNOD_BUSY;
    if (!synod__sim_effect (place))
        return SYNOD_OK;
    self->in_runtime = false;
    synod__sim_event_t head = {.kind = SYNOD__SIM_FRAME,
                               .from = place->number,
                               .to = link->to,
                               .link = id,
                               .connection = link->connection,
                               .incarnation = place->incarnation};
    synod__sim_post (self, &head, &link->out_us, frame->data, frame->size);
    self->in_runtime = true;
    return SYNOD_OK;
}

/* The frames go to whoever has subscribed; what they want exactly is looked at where they arrive. */
static int s_publish (void *host, synod_buf_t *frame)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    synod_sim_t *self = place->sim;
    if (!place->alive)
        return SYNOD_OK;
    if (place->topics_blocked || (!self->settings.direct && !place->topics_open))
        return SYNOD_BUSY;
    if (!synod__sim_effect (place))
        return SYNOD_OK;
    self->in_runtime = false;
    synod__sim_event_t head = {.kind = SYNOD__SIM_PUBLISH, .from = place->number};
    if (!self->settings.direct)
        synod__sim_post (self, &head, &place->paths[SYNOD_SIM_BROKER].topic_us, frame->data, frame->size);
    head.kind = SYNOD__SIM_TOPIC;
    for (uint32_t i = 1; i < self->nplaces && self->settings.direct; i++) {
        head.to = (int) i;
        if (self->places[i]->alive && place->paths[i].joined)
            synod__sim_post (self, &head, &place->paths[i].topic_us, frame->data, frame->size);
    }
    self->in_runtime = true;
    return SYNOD_OK;
}

static void s_answer (void *host, synod_str_t identity, synod_buf_t *frame)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    synod_sim_t *self = place->sim;
    self->in_runtime = false;
    synod__sim_place_t *other = synod__sim_identified (self, identity);
    for (uint32_t id = 0; place->alive && !place->dying && other && other->alive && id < other->links_capacity; id++) {
        synod__sim_link_t *link = other->links[id];
        if (!link || !link->up || link->to != place->number)
            continue;
        synod__sim_event_t head = {.kind = SYNOD__SIM_FRAME,
                                   .from = place->number,
                                   .to = other->number,
                                   .link = id,
                                   .connection = link->connection};
        synod__sim_post (self, &head, &link->in_us, frame->data, frame->size);
        break;
    }
    self->in_runtime = true;
}

/* ---- topics ---- */

bool synod__sim_wants (const synod__sim_place_t *place, const void *data, size_t size)
{
    for (const synod__sim_sub_t *sub = place->subs; sub; sub = sub->next)
        if (size >= sub->size && memcmp (data, sub->bytes, sub->size) == 0)
            return true;
    return false;
}

void synod__sim_subscribe_at (synod__sim_place_t *place, int publisher, const char *prefix, size_t size, bool on)
{
    synod_sim_t *self = place->sim;
    if (!self->places[publisher]->alive)
        return;
    synod__sim_event_t head = {.kind = SYNOD__SIM_SUBSCRIBED, .from = place->number, .to = publisher, .on = on};
    synod__sim_event_t *event = synod__sim_tell_place (self, &head, &place->paths[publisher].sub_us);
    if (size && synod__buf_add (&event->data, prefix, size) != SYNOD_OK)
        abort ();
}

/* ZeroMQ's subscribers connect again to a publisher that is back, and say again what they want. */
void synod__sim_subscribed_again (synod__sim_place_t *publisher)
{
    const synod_sim_t *self = publisher->sim;
    for (uint32_t i = 1; i < self->nplaces; i++) {
        synod__sim_place_t *place = self->places[i];
        if (place->alive && publisher->paths[i].joined)
            for (const synod__sim_sub_t *sub = place->subs; sub; sub = sub->next)
                synod__sim_subscribe_at (place, publisher->number, sub->bytes, sub->size, true);
    }
}

static void s_subscribe_all (synod__sim_place_t *place, const char *prefix, size_t size, bool on)
{
    const synod_sim_t *self = place->sim;
    if (!self->settings.direct && place->topics_open)
        synod__sim_subscribe_at (place, SYNOD_SIM_BROKER, prefix, size, on);
    for (uint32_t i = 1; i < self->nplaces; i++)
        if (self->places[i]->paths[place->number].joined)
            synod__sim_subscribe_at (place, (int) i, prefix, size, on);
}

static void s_subscribe (void *host, const char *prefix, size_t size)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    if (!place->alive)
        return;
    place->sim->in_runtime = false;
    synod__sim_sub_t *sub = (synod__sim_sub_t *) calloc (1, sizeof *sub);
    if (!sub)
        abort ();
    memcpy (sub->bytes, prefix, size);
    sub->size = size;
    sub->next = place->subs;
    place->subs = sub;
    s_subscribe_all (place, prefix, size, true);
    place->sim->in_runtime = true;
}

static void s_unsubscribe (void *host, const char *prefix, size_t size)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    place->sim->in_runtime = false;
    for (synod__sim_sub_t **at = &place->subs; *at && place->alive; at = &(*at)->next) {
        synod__sim_sub_t *sub = *at;
        if (sub->size != size || memcmp (sub->bytes, prefix, size) != 0)
            continue;
        *at = sub->next;
        free (sub);
        s_subscribe_all (place, prefix, size, false);
        break;
    }
    place->sim->in_runtime = true;
}

static int s_topics_open (void *host, const char *publish, const char *subscribe)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    if (strncmp (publish, "mem:", 4) != 0 || strncmp (subscribe, "mem:", 4) != 0)
        return SYNOD_INVALID;
    if (!place->alive || !place->sim->places[SYNOD_SIM_BROKER]->alive)
        return SYNOD_OK;
    place->sim->in_runtime = false;
    place->topics_open = true;
    for (const synod__sim_sub_t *sub = place->subs; sub; sub = sub->next)
        synod__sim_subscribe_at (place, SYNOD_SIM_BROKER, sub->bytes, sub->size, true);
    synod__sim_link_t *link = synod__sim_link (place, SYNOD__LINK_BROKER);
    synod__sim_event_t head = {.kind = SYNOD__SIM_PUBLISHABLE, .to = place->number};
    synod__sim_tell_place (place->sim, &head, &link->in_us);
    place->sim->in_runtime = true;
    return SYNOD_OK;
}

static int s_publisher (const synod__sim_place_t *place, const char *endpoint)
{
    return strncmp (endpoint, "pub:", 4) == 0 ? synod_sim_find (place->sim, endpoint + 4) : -1;
}

static int s_topics_join (void *host, const char *endpoint)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    int publisher = s_publisher (place, endpoint);
    if (publisher < 0)
        return SYNOD_INVALID;
    if (!place->alive)
        return SYNOD_OK;
    place->sim->in_runtime = false;
    place->sim->places[publisher]->paths[place->number].joined = true;
    for (const synod__sim_sub_t *sub = place->subs; sub; sub = sub->next)
        synod__sim_subscribe_at (place, publisher, sub->bytes, sub->size, true);
    place->sim->in_runtime = true;
    return SYNOD_OK;
}

static void s_topics_leave (void *host, const char *endpoint)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    int publisher = s_publisher (place, endpoint);
    if (publisher >= 0)
        place->sim->places[publisher]->paths[place->number].joined = false;
}

/* ---- links ---- */

static const char *s_listen (void *host)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    place->listening = true;
    place->sim->unconnected = true;
    return place->endpoint;
}

static int s_link_open (void *host, uint32_t id, const char *endpoint)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    const char *colon = strchr (endpoint, ':');
    if (!colon || (strncmp (endpoint, "mem:", 4) != 0 && strncmp (endpoint, "alias:", 6) != 0))
        return SYNOD_INVALID;
    if (!place->alive)
        return SYNOD_OK;
    place->sim->in_runtime = false;
    synod__sim_link_add (place, id, colon + 1);
    synod__sim_connect_all (place->sim);
    place->sim->in_runtime = true;
    return SYNOD_OK;
}

static void s_link_close (void *host, uint32_t id)
{
    synod__sim_place_t *place = (synod__sim_place_t *) host;
    if (place->alive)
        synod__sim_link_remove (place, id);
}

/* ---- the rest ---- */

static uint64_t s_random (void *host)
{
    return synod__sim_next (&((synod__sim_place_t *) host)->random);
}

static int64_t s_wall_us (void *host)
{
    return SYNOD__SIM_WALL_US + synod__sim_clock ((const synod__sim_place_t *) host);
}

static void s_log (void *host, int level, const char *actor, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    const synod__sim_place_t *place = (const synod__sim_place_t *) host;
    if (!place->alive || place->dying)
        return;
    synod__sim_note (place->sim, "%s: %s/%s: %s", names[level < 0 || level > 3 ? 0 : level], place->name, actor, text);
}

const synod__host_t synod__sim_host = {.send = s_send,
                                       .publish = s_publish,
                                       .answer = s_answer,
                                       .subscribe = s_subscribe,
                                       .unsubscribe = s_unsubscribe,
                                       .listen = s_listen,
                                       .link_open = s_link_open,
                                       .link_close = s_link_close,
                                       .topics_open = s_topics_open,
                                       .topics_join = s_topics_join,
                                       .topics_leave = s_topics_leave,
                                       .random = s_random,
                                       .wall_us = s_wall_us,
                                       .log = s_log};
