/* SPDX-License-Identifier: MPL-2.0
 *
 * The broker in the world: its real routing (broker/routing/routing.h) on simulated wires, and the relay of topics,
 * which on a bus is a pair of ZeroMQ sockets. It keeps nothing over a restart.
 */
#include "internal.h"

static int s_send (void *host, synod_str_t identity, const void *data, size_t size)
{
    synod_sim_t *self = (synod_sim_t *) host;
    synod__sim_place_t *place = synod__sim_identified (self, identity);
    synod__sim_link_t *link = place ? synod__sim_link (place, SYNOD__LINK_BROKER) : NULL;
    if (place && place->ghost)
        return SYNOD_OK; /* nobody has told the broker */
    if (!link || !link->connection || !link->up)
        return SYNOD_NODE_DOWN;
    synod__sim_event_t head = {
        .kind = SYNOD__SIM_FRAME, .to = place->number, .link = SYNOD__LINK_BROKER, .connection = link->connection};
    synod__sim_post (self, &head, &link->in_us, data, size);
    return SYNOD_OK;
}

static int s_forward (void *host, synod_str_t identity)
{
    const synod_sim_t *self = (const synod_sim_t *) host;
    return s_send (host, identity, self->under_way, self->under_way_size);
}

static void s_publish (void *host, const void *data, size_t size)
{
    synod_sim_t *self = (synod_sim_t *) host;
    for (uint32_t i = 1; i < self->nplaces; i++) {
        synod__sim_place_t *place = self->places[i];
        if (!place->alive || !place->topics_open || !synod__sim_wants (place, data, size))
            continue;
        synod__sim_event_t head = {.kind = SYNOD__SIM_TOPIC, .to = place->number};
        synod__sim_post (self, &head, &self->places[0]->paths[place->number].topic_us, data, size);
    }
}

static void s_log (void *host, int level, const char *text)
{
    (void) level;
    synod__sim_note ((synod_sim_t *) host, "$broker: %s", text);
}

static const synod__routing_ops_t s_ops = {s_send, s_forward, s_publish, s_log};

void synod__sim_broker_start (synod_sim_t *self)
{
    synod__sim_place_t *place = self->places[SYNOD_SIM_BROKER];
    synod__routing_config_t config = {.incarnation = ++self->incarnations,
                                      .publish = "mem:in",
                                      .subscribe = "mem:out",
                                      .heartbeat_ms = self->settings.heartbeat_ms,
                                      .nodes_max = SYNOD_SIM_NODES_MAX};
    self->by_incarnation =
        (int *) synod__grow (self->by_incarnation, &self->by_incarnation_capacity,
                             (uint32_t) (self->incarnations - SYNOD__SIM_INCARNATION), sizeof *self->by_incarnation);
    self->routing = synod__routing_new (&config, &s_ops, self);
    place->alive = true;
    place->failed = false;
    place->life++;
    place->due_us = self->now_us;
    place->busy_us = 0;
    self->unconnected = true;
    synod__sim_wake (place);
    synod__sim_connect_all (self);
}

void synod__sim_broker_dies (synod_sim_t *self)
{
    synod__sim_place_t *place = self->places[SYNOD_SIM_BROKER];
    place->alive = place->paused = false;
    place->due_us = INT64_MAX;
    synod__routing_destroy (&self->routing);
    for (uint32_t i = 1; i < self->nplaces; i++) {
        self->places[i]->topics_open = false;
        self->places[i]->ghost = false;
    }
    synod__sim_disconnect_all (self, SYNOD_SIM_BROKER, true, false);
}

void synod__sim_broker_take (synod_sim_t *self, const synod__sim_event_t *event)
{
    if (event->kind == SYNOD__SIM_FRAME) {
        self->under_way = event->data.data;
        self->under_way_size = event->data.size;
        char identity[SYNOD__IDENTITY_MAX + 1];
        synod__routing_frame (self->routing, synod__sim_identity (self, event, identity), event->data.data,
                              event->data.size);
    } else if (event->kind == SYNOD__SIM_SUBSCRIBED)
        synod__routing_subscribed (self->routing, event->data.data, event->data.size, event->on);
    else if (event->kind == SYNOD__SIM_PUBLISH)
        s_publish (self, event->data.data, event->data.size);
}
