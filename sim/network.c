/* SPDX-License-Identifier: MPL-2.0
 *
 * The wires: what becomes of a frame, and which connections stand. A frame draws the same amount of chance whatever its
 * wire does, so that a fault more or less leaves the fate of all other frames as it was. Frames keep the order of their
 * path but for those that are let to be overtaken. A connection stands as soon as both ends are there and nothing is
 * cut between them; what was on its way when it broke is lost.
 */
#include <stdlib.h>
#include "internal.h"

#define S_DISTURBED    0x80 /* of a connection: it lost, doubled or reordered something */
#define S_OVERTAKEN_US 1000 /* on average, at least: by how much a frame is late that is to be overtaken */

/* MEAN times a draw from the exponential distribution, in integers, so that it is the same on every machine:
 * -ln (u) = ln 2 * -log2 (u), and the logarithm's fraction is m - 1 + a parabola that is off by 0.008 at most. */
static uint64_t s_exponential (uint64_t draw, uint64_t mean)
{
    draw |= 1;
    unsigned zeros = (unsigned) __builtin_clzll (draw);
    uint64_t m = draw << zeros << 1 >> 32; /* the fraction of the mantissa, in 2^32 */
    uint64_t log2 = ((uint64_t) (zeros + 1) << 32) - m - (m * ((1ull << 32) - m) >> 32) * 344 / 1000;
    return (mean * ((log2 >> 12) * 693147 / 1000000)) >> 20;
}

static int64_t s_delay (const synod_sim_wire_t *wire, uint64_t draw)
{
    uint64_t more = wire->delay_mean_us > wire->delay_min_us ? wire->delay_mean_us - wire->delay_min_us : 0;
    return (int64_t) (wire->delay_min_us + (more ? s_exponential (draw, more) : 0));
}

static int64_t s_in_order (synod_sim_t *self, int64_t at_us, int64_t *lane)
{
    if (at_us < *lane)
        at_us = *lane;
    if (at_us < self->now_us)
        at_us = self->now_us;
    return *lane = at_us;
}

static void s_lost (synod_sim_t *self, const synod__sim_event_t *head, const char *why)
{
    self->stats.lost++;
    if (self->on_line)
        synod__sim_note (self, "lost (%s): a frame from %s to %s", why, self->places[head->from]->name,
                         self->places[head->to]->name);
}

static void s_put (synod_sim_t *self, const synod__sim_event_t *head, int64_t at_us, const void *data, size_t size)
{
    synod__sim_event_t *event = synod__sim_event (self, head, at_us);
    if (size && synod__buf_add (&event->data, data, size) != SYNOD_OK)
        abort ();
}

static void s_hold (synod_sim_t *self, const synod__sim_event_t *head, const void *data, size_t size)
{
    synod__sim_event_t *event = synod__sim_event_new (self, head);
    if (synod__buf_add (&event->data, data, size) != SYNOD_OK)
        abort ();
    *(self->held_last ? &self->held_last->next : &self->held_first) = event;
    self->held_last = event;
}

void synod__sim_post (synod_sim_t *self, const synod__sim_event_t *given, int64_t *lane, const void *data, size_t size)
{
    synod__sim_event_t head = *given;
    synod__sim_path_t *path = &self->places[head.from]->paths[head.to];
    const synod_sim_wire_t *wire = &path->wire;
    head.life = self->places[head.to]->life;
    uint64_t first = synod__sim_next (&path->random), second = synod__sim_next (&path->random);
    uint64_t lost = (second & 0x1fffff) * 1000000 >> 21, twice = (second >> 21 & 0x1fffff) * 1000000 >> 21;
    uint64_t late = (second >> 42 & 0x1fffff) * 1000000 >> 21;
    synod__sim_verdict_t verdict = self->filter ? self->filter (self->filter_arg, &head, data, size) : SYNOD__SIM_PASS;
    if (verdict == SYNOD__SIM_HOLD) {
        s_hold (self, &head, data, size);
        return;
    }
    bool gone = verdict == SYNOD__SIM_DROP || path->cut || lost < wire->loss_ppm;
    if (head.connection && (gone || late < wire->reorder_ppm || twice < wire->dup_ppm))
        self->connections[head.connection] |= S_DISTURBED;
    if (gone) {
        s_lost (self, &head, path->cut ? "cut" : "by chance");
        return;
    }
    int64_t at_us = self->now_us + s_delay (wire, first);
    uint64_t more = first ^ second;
    if (late < wire->reorder_ppm) {
        uint64_t mean = wire->delay_mean_us > S_OVERTAKEN_US ? wire->delay_mean_us : S_OVERTAKEN_US;
        at_us += 1 + (int64_t) s_exponential (synod__sim_next (&more), mean);
    } else
        at_us = s_in_order (self, at_us, lane);
    s_put (self, &head, at_us, data, size);
    if (twice < wire->dup_ppm) /* later, and without regard to any order */
        s_put (self, &head, at_us + s_delay (wire, synod__sim_next (&more)), data, size);
}

synod__sim_event_t *synod__sim_tell_place (synod_sim_t *self, const synod__sim_event_t *given, int64_t *lane)
{
    synod__sim_event_t head = *given;
    synod__sim_path_t *path = &self->places[head.from]->paths[head.to];
    head.life = self->places[head.to]->life;
    int64_t at_us = self->now_us + s_delay (&path->wire, synod__sim_next (&path->random));
    return synod__sim_event (self, &head, s_in_order (self, at_us, lane));
}

void synod__sim_release (synod_sim_t *self)
{
    synod__sim_event_t *event = self->held_first;
    self->held_first = self->held_last = NULL;
    while (event) {
        synod__sim_event_t *next = event->next;
        s_put (self, event, self->now_us + self->settings.wire.delay_min_us, event->data.data, event->data.size);
        synod__sim_event_free (self, event);
        event = next;
    }
}

/* ---- links ---- */

synod__sim_link_t *synod__sim_link (const synod__sim_place_t *place, uint32_t id)
{
    return id < place->links_capacity ? place->links[id] : NULL;
}

synod__sim_link_t *synod__sim_link_add (synod__sim_place_t *place, uint32_t id, const char *name)
{
    synod__sim_link_remove (place, id);
    place->links =
        (synod__sim_link_t **) synod__grow (place->links, &place->links_capacity, id + 1, sizeof *place->links);
    synod__sim_link_t *link = (synod__sim_link_t *) calloc (1, sizeof *link);
    if (!link)
        abort ();
    link->id = id;
    snprintf (link->name, sizeof link->name, "%s", name);
    place->links[id] = link;
    place->sim->unconnected = true;
    return link;
}

void synod__sim_link_remove (synod__sim_place_t *place, uint32_t id)
{
    if (id >= place->links_capacity)
        return;
    free (place->links[id]);
    place->links[id] = NULL;
}

static void s_news (synod__sim_place_t *place, synod__sim_link_t *link, synod__sim_kind_t kind)
{
    synod__sim_event_t head = {.kind = kind,
                               .from = link->to,
                               .to = place->number,
                               .link = link->id,
                               .connection = kind == SYNOD__SIM_LINK_UP ? link->connection : 0};
    synod__sim_tell_place (place->sim, &head, &link->in_us);
}

static void s_connect (synod__sim_place_t *place, synod__sim_link_t *link)
{
    synod_sim_t *self = place->sim;
    int number = synod_sim_find (self, link->name);
    const synod__sim_place_t *there = synod__sim_place (self, number);
    bool open = there && there->alive && (number == SYNOD_SIM_BROKER || self->settings.direct || there->listening);
    if (!open || place->paths[number].cut || there->paths[place->number].cut)
        return;
    link->to = number;
    link->connection = self->nconnections++;
    self->connections = (uint8_t *) synod__grow (self->connections, &self->connections_capacity, self->nconnections,
                                                 sizeof *self->connections);
    s_news (place, link, SYNOD__SIM_LINK_UP);
}

void synod__sim_connect_all (synod_sim_t *self)
{
    if (!self->unconnected)
        return;
    self->unconnected = false;
    for (uint32_t i = 1; i < self->nplaces; i++) {
        synod__sim_place_t *place = self->places[i];
        for (uint32_t id = 0; place->alive && id < place->links_capacity; id++) {
            synod__sim_link_t *link = place->links[id];
            if (link && !link->connection)
                s_connect (place, link);
            self->unconnected |= link && !link->connection;
        }
    }
}

/* ENDING: what was sent before may still arrive. TOLD: the place that opened the link sees at once that it is down. */
static void s_break (synod__sim_place_t *place, synod__sim_link_t *link, synod__sim_connection_t state, bool told)
{
    synod_sim_t *self = place->sim;
    if (!link->connection)
        return;
    self->connections[link->connection] = (uint8_t) state;
    if (!told)
        return;
    link->connection = 0;
    self->unconnected = true;
    if (link->up)
        s_news (place, link, SYNOD__SIM_LINK_DOWN);
    link->up = false;
}

/* Not told: the links of the others stay as they were, and lead to nowhere until the place is there again. ENDED: what
 * the place had sent still arrives; else that is as chance has it. */
void synod__sim_disconnect_all (synod_sim_t *self, int number, bool told, bool ended)
{
    for (uint32_t i = 1; i < self->nplaces; i++) {
        synod__sim_place_t *place = self->places[i];
        for (uint32_t id = 0; id < place->links_capacity; id++) {
            synod__sim_link_t *link = place->links[id];
            if (!link || (place->number != number && (link->to != number || !link->connection)))
                continue;
            bool late = place->number == number && (ended || (told && synod__sim_next (&self->random) & 1));
            s_break (place, link, late ? SYNOD__SIM_ENDING : SYNOD__SIM_BROKEN, told && place->alive);
        }
    }
}

void synod__sim_disconnect_pair (synod_sim_t *self, int from, int to)
{
    synod__sim_place_t *place = self->places[from];
    for (uint32_t id = 0; place->alive && id < place->links_capacity; id++)
        if (place->links[id] && place->links[id]->to == to)
            s_break (place, place->links[id], SYNOD__SIM_BROKEN, true);
}

synod__sim_connection_t synod__sim_connection (const synod_sim_t *self, uint32_t number)
{
    return (synod__sim_connection_t) (self->connections[number] & ~S_DISTURBED);
}

void synod__sim_disturbed_break (synod_sim_t *self)
{
    for (uint32_t i = 1; i < self->nplaces; i++) {
        synod__sim_place_t *place = self->places[i];
        for (uint32_t id = 0; place->alive && id < place->links_capacity; id++) {
            synod__sim_link_t *link = place->links[id];
            if (link && link->connection && self->connections[link->connection] & S_DISTURBED)
                s_break (place, link, SYNOD__SIM_BROKEN, true);
        }
    }
    synod__sim_connect_all (self);
}

synod__sim_place_t *synod__sim_identified (const synod_sim_t *self, synod_str_t identity)
{
    uint64_t incarnation = 0;
    for (uint32_t i = identity.size > 16 ? identity.size - 16 : identity.size; i < identity.size; i++) {
        char c = identity.data[i];
        incarnation = incarnation << 4 | (uint64_t) (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (incarnation <= SYNOD__SIM_INCARNATION || incarnation > self->incarnations)
        return NULL;
    synod__sim_place_t *place = synod__sim_place (self, self->by_incarnation[incarnation - SYNOD__SIM_INCARNATION - 1]);
    return place && (place->alive || place->ghost) && synod_str_is (identity, place->identity) ? place : NULL;
}

synod_str_t synod__sim_identity (const synod_sim_t *self, const synod__sim_event_t *event, char *out)
{
    const synod__sim_place_t *from = self->places[event->from];
    if (!event->incarnation)
        return synod_str_n ("", 0);
    if (event->incarnation == from->incarnation)
        return synod_str (from->identity);
    return synod_str_n (out, synod__identity (synod_str (from->known_as), event->incarnation, 0, out));
}

/* ---- wires by hand ---- */

void synod__sim_paths_reset (synod_sim_t *self)
{
    for (uint32_t from = 0; from < self->nplaces; from++)
        for (uint32_t to = 0; to < self->nplaces; to++) {
            synod__sim_path_t *path = &self->places[from]->paths[to];
            path->wire = path->owned ? path->own : self->settings.wire;
            path->cut = path->cut_by_hand;
        }
}

int synod_sim_wire (synod_sim_t *self, const synod_sim_wire_t *wire)
{
    self->settings.wire = *wire;
    synod__sim_faults_apply (self);
    return SYNOD_OK;
}

int synod_sim_wire_between (synod_sim_t *self, int from, int to, const synod_sim_wire_t *wire)
{
    if (!synod__sim_given (self, from, true) || !synod__sim_given (self, to, true))
        return SYNOD_INVALID;
    synod__sim_path_t *path = &self->places[from]->paths[to];
    path->owned = wire != NULL;
    if (wire)
        path->own = *wire;
    synod__sim_faults_apply (self);
    return SYNOD_OK;
}

int synod_sim_cut (synod_sim_t *self, int from, int to, bool cut)
{
    if (!synod__sim_given (self, from, true) || !synod__sim_given (self, to, true))
        return SYNOD_INVALID;
    self->places[from]->paths[to].cut_by_hand = cut;
    synod__sim_note (self, "%s from %s to %s", cut ? "cut" : "no longer cut", self->places[from]->name,
                     self->places[to]->name);
    synod__sim_faults_apply (self);
    return SYNOD_OK;
}

int synod_sim_disconnect (synod_sim_t *self, int a, int b)
{
    if (!synod__sim_given (self, a, true) || !synod__sim_given (self, b, true))
        return SYNOD_INVALID;
    synod__sim_disconnect_pair (self, a, b);
    synod__sim_disconnect_pair (self, b, a);
    synod__sim_connect_all (self);
    return SYNOD_OK;
}
