/* SPDX-License-Identifier: MPL-2.0
 *
 * The directory. Two hash tables, nodes by name and actors by name, and an array of all nodes.
 *
 * A node is in the table, in the array at its own `at`, and in the list of every actor it runs exactly once; an
 * actor's list holds only nodes that are in the table. A put that fails changes none of this.
 */
#include <assert.h>
#include <stdlib.h>

#include "directory.h"
#include "hash.h"
#include "protocol/address.h"
#include "protocol/frame.h"

#define S_NODES_FIRST 16 /* the array's first capacity */

typedef struct {
    synod__peer_t peer; /* first: the holder's pointer is ours */
    uint32_t at;        /* in the array */
    UT_hash_handle hh;
} s_node_t;

typedef struct {
    synod__service_t service; /* first */
    uint32_t capacity;        /* of its list */
    UT_hash_handle hh;
} s_actor_t;

struct synod__directory_t {
    s_node_t *by_name;
    s_actor_t *by_actor;
    s_node_t **all;
    uint32_t size;
    uint32_t capacity;
    uint32_t idle; /* actors that nobody runs */
};

/* ---- the entry ---- */

static int s_check_text (synod_str_t text, size_t room, const char *what, synod_fault_t *fault)
{
    if (text.size >= room)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "%s: expected at most %zu bytes, got %u", what, room - 1,
                            text.size);
    if (text.size > 0 && memchr (text.data, 0, text.size))
        return synod_fault (fault, SYNOD_BAD_REQUEST, "%s: expected text, got a NUL in it", what);
    return SYNOD_OK;
}

static int s_check_entry (const synod__entry_t *entry, synod_fault_t *fault)
{
    if (!synod__name_ok (entry->node, false))
        return synod_fault (fault, SYNOD_BAD_REQUEST,
                            "node: expected a name of 1 to %d letters, digits and _ - ., got \"%.*s\"", SYNOD_NAME_MAX,
                            entry->node.size > 80 ? 80 : (int) entry->node.size, entry->node.data);
    if (entry->actors.count > SYNOD_ACTORS_MAX)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "actors: expected at most %d, got %u", SYNOD_ACTORS_MAX,
                            entry->actors.count);
    int rc = s_check_text (entry->host, sizeof ((synod__peer_t *) 0)->host, "host", fault);
    if (rc == SYNOD_OK)
        rc = s_check_text (entry->endpoint, sizeof ((synod__peer_t *) 0)->endpoint, "endpoint", fault);
    if (rc == SYNOD_OK)
        rc = s_check_text (entry->topics, sizeof ((synod__peer_t *) 0)->topics, "topics", fault);
    return rc;
}

static void s_copy (char *to, synod_str_t text)
{
    if (text.size > 0)
        memcpy (to, text.data, text.size);
    to[text.size] = '\0';
}

/* ---- actors ---- */

static s_actor_t *s_find_actor (const synod__directory_t *self, synod_str_t name)
{
    s_actor_t *actor = NULL;
    if (name.size > 0)
        HASH_FIND (hh, self->by_actor, name.data, name.size, actor);
    return actor;
}

static s_actor_t *s_make_actor (synod__directory_t *self, synod_str_t name)
{
    s_actor_t *actor = s_find_actor (self, name);
    if (actor)
        return actor;
    actor = (s_actor_t *) calloc (1, sizeof *actor);
    if (!actor)
        return NULL;
    s_copy (actor->service.name, name);
    HASH_ADD_KEYPTR (hh, self->by_actor, actor->service.name, name.size, actor);
    if (!actor->hh.tbl) {
        free (actor);
        return NULL;
    }
    self->idle++;
    return actor;
}

/* Makes room for one more node. */
static bool s_reserve (s_actor_t *actor)
{
    if (actor->service.npeers < actor->capacity)
        return true;
    uint32_t capacity = actor->capacity > 0 ? 2 * actor->capacity : 2;
    synod__peer_t **peers = (synod__peer_t **) realloc (actor->service.peers, capacity * sizeof *peers);
    if (!peers)
        return false;
    actor->service.peers = peers;
    actor->capacity = capacity;
    return true;
}

static void s_join (synod__directory_t *self, synod__service_t *service, synod__peer_t *peer)
{
    assert (service->npeers < ((s_actor_t *) service)->capacity);
    if (service->npeers == 0)
        self->idle--;
    service->peers[service->npeers++] = peer;
}

static void s_part (synod__directory_t *self, synod__service_t *service, const synod__peer_t *peer)
{
    uint32_t at = 0;
    while (at < service->npeers && service->peers[at] != peer)
        at++;
    assert (at < service->npeers);
    service->peers[at] = service->peers[--service->npeers];
    if (service->npeers == 0)
        self->idle++;
}

static void s_free_actor (synod__directory_t *self, s_actor_t *actor)
{
    HASH_DELETE (hh, self->by_actor, actor); /* NOLINT(clang-analyzer-unix.Malloc): what was freed is unlinked */
    free (actor->service.peers);
    free (actor);
}

/* Finds or makes the actors that ENTRY lists, each with room for one more node. *LIST is the caller's. */
static int s_take_actors (synod__directory_t *self, const synod__entry_t *entry, synod__service_t ***list,
                          synod_fault_t *fault)
{
    synod_list_t actors = entry->actors;
    synod__actor_at_t at;
    uint32_t count = 0;
    *list = (synod__service_t **) calloc (actors.count + 1, sizeof **list);
    if (!*list)
        return synod_fault (fault, SYNOD_NO_MEMORY, "memory ran out");
    while (synod_list_next (&actors, &synod__actor_at_record, &at)) {
        if (!synod__name_ok (at.name, true))
            return synod_fault (fault, SYNOD_BAD_REQUEST,
                                "actors: expected names of 1 to %d letters, digits and _ - ., got \"%.*s\"",
                                SYNOD_NAME_MAX, at.name.size > 80 ? 80 : (int) at.name.size, at.name.data);
        s_actor_t *actor = s_make_actor (self, at.name);
        if (!actor || !s_reserve (actor))
            return synod_fault (fault, SYNOD_NO_MEMORY, "memory ran out");
        for (uint32_t i = 0; i < count; i++)
            if ((*list)[i] == &actor->service)
                return synod_fault (fault, SYNOD_BAD_REQUEST, "actors: expected each once, got \"%.*s\" twice",
                                    SYNOD_STR (at.name));
        (*list)[count++] = &actor->service;
    }
    return SYNOD_OK;
}

/* ---- nodes ---- */

static s_node_t *s_find_node (const synod__directory_t *self, synod_str_t name)
{
    s_node_t *node = NULL;
    if (name.size > 0)
        HASH_FIND (hh, self->by_name, name.data, name.size, node);
    return node;
}

/* A new node in the table and the array, that runs nothing yet. */
static s_node_t *s_make_node (synod__directory_t *self, synod_str_t name)
{
    if (self->size == self->capacity) {
        uint32_t capacity = self->capacity > 0 ? 2 * self->capacity : S_NODES_FIRST;
        s_node_t **all = (s_node_t **) realloc (self->all, capacity * sizeof (s_node_t *));
        if (!all)
            return NULL;
        self->all = all;
        self->capacity = capacity;
    }
    s_node_t *node = (s_node_t *) calloc (1, sizeof *node);
    if (!node)
        return NULL;
    s_copy (node->peer.name, name);
    HASH_ADD_KEYPTR (hh, self->by_name, node->peer.name, name.size, node);
    if (!node->hh.tbl) {
        free (node);
        return NULL;
    }
    node->at = self->size;
    self->all[self->size++] = node;
    return node;
}

static void s_part_all (synod__directory_t *self, synod__peer_t *peer)
{
    for (uint32_t i = 0; i < peer->nactors; i++)
        s_part (self, peer->actors[i], peer);
    free (peer->actors);
    peer->actors = NULL;
    peer->nactors = 0;
}

/* ---- the directory ---- */

synod__directory_t *synod__directory_new (void)
{
    return (synod__directory_t *) calloc (1, sizeof (synod__directory_t));
}

void synod__directory_destroy (synod__directory_t **self_p)
{
    assert (self_p);
    synod__directory_t *self = *self_p;
    if (!self)
        return;
    while (self->size > 0)
        synod__directory_remove (self, &self->all[self->size - 1]->peer);
    synod__directory_tidy (self);
    assert (!self->by_actor && !self->by_name);
    free (self->all);
    free (self);
    *self_p = NULL;
}

synod__peer_t *synod__directory_put (synod__directory_t *self, const synod__entry_t *entry, synod_fault_t *fault)
{
    if (s_check_entry (entry, fault) != SYNOD_OK)
        return NULL;
    s_node_t *node = s_find_node (self, entry->node);
    if (node && node->peer.incarnation != entry->incarnation) {
        synod_fault (fault, SYNOD_NAME_TAKEN, "node: \"%s\" is there in another incarnation", node->peer.name);
        return NULL;
    }
    synod__service_t **actors = NULL;
    if (s_take_actors (self, entry, &actors, fault) != SYNOD_OK) {
        free (actors);
        return NULL;
    }
    if (!node)
        node = s_make_node (self, entry->node);
    if (!node) {
        free (actors);
        synod_fault (fault, SYNOD_NO_MEMORY, "memory ran out");
        return NULL;
    }
    synod__peer_t *peer = &node->peer;
    s_part_all (self, peer);
    peer->incarnation = entry->incarnation;
    peer->client = entry->client;
    s_copy (peer->host, entry->host);
    s_copy (peer->endpoint, entry->endpoint);
    s_copy (peer->topics, entry->topics);
    peer->actors = actors;
    for (; actors[peer->nactors]; peer->nactors++)
        s_join (self, actors[peer->nactors], peer);
    return peer;
}

void synod__directory_remove (synod__directory_t *self, synod__peer_t *peer)
{
    s_node_t *node = (s_node_t *) peer;
    assert (node->at < self->size && self->all[node->at] == node);
    s_part_all (self, peer);
    self->all[node->at] = self->all[--self->size];
    self->all[node->at]->at = node->at;
    HASH_DELETE (hh, self->by_name, node);
    free (node);
}

void synod__directory_tidy (synod__directory_t *self)
{
    s_actor_t *actor = self->idle > 0 ? self->by_actor : NULL;
    while (actor) {
        s_actor_t *next = (s_actor_t *) actor->hh.next;
        if (actor->service.npeers == 0)
            s_free_actor (self, actor);
        actor = next;
    }
    self->idle = 0;
}

synod__peer_t *synod__directory_node (const synod__directory_t *self, synod_str_t name)
{
    s_node_t *node = s_find_node (self, name);
    return node ? &node->peer : NULL;
}

synod__service_t *synod__directory_actor (const synod__directory_t *self, synod_str_t name)
{
    s_actor_t *actor = s_find_actor (self, name);
    return actor ? &actor->service : NULL;
}

bool synod__peer_runs (const synod__peer_t *peer, synod_str_t actor)
{
    for (uint32_t i = 0; i < peer->nactors; i++)
        if (synod_str_is (actor, peer->actors[i]->name))
            return true;
    return false;
}

uint32_t synod__directory_size (const synod__directory_t *self)
{
    return self->size;
}

synod__peer_t *synod__directory_at (const synod__directory_t *self, uint32_t index)
{
    assert (index < self->size);
    return &self->all[index]->peer;
}

int synod__directory_list (const synod__peer_t *peer, synod_list_t *list, synod_buf_t *items, synod_buf_t *scratch)
{
    synod__entry_t entry = {.node = synod_str (peer->name),
                            .incarnation = peer->incarnation,
                            .host = synod_str (peer->host),
                            .client = peer->client,
                            .endpoint = synod_str (peer->endpoint),
                            .topics = synod_str (peer->topics)};
    scratch->size = 0;
    for (uint32_t i = 0; i < peer->nactors; i++) {
        synod__actor_at_t at = {.name = synod_str (peer->actors[i]->name)};
        int rc = synod_list_add (&entry.actors, scratch, &synod__actor_at_record, &at, NULL);
        if (rc != SYNOD_OK)
            return rc;
    }
    return synod_list_add (list, items, &synod__entry_record, &entry, NULL);
}
