/* SPDX-License-Identifier: MPL-2.0
 *
 * The directory: who is reachable now. Nodes by name, and by the actors they run. Plain data, used by the runtime of
 * every node and by the broker; whoever holds one decides what goes in.
 */
#ifndef SYNOD_RUNTIME_DIRECTORY_H_INCLUDED
#define SYNOD_RUNTIME_DIRECTORY_H_INCLUDED

#include "protocol/catalogue.h"

typedef struct synod__directory_t synod__directory_t;
typedef struct synod__service_t synod__service_t;

/* A node. The directory owns it; texts are NUL-terminated. */
typedef struct {
    char name[SYNOD_NAME_MAX + 1];
    uint64_t incarnation;
    char host[64];
    char endpoint[256];
    char topics[256];
    bool client;
    uint32_t nactors;
    synod__service_t **actors; /* what it runs */
    void *user;                /* the holder's own */
    uint32_t index;            /* the holder's own */
} synod__peer_t;

/* An actor name, and the nodes that run it. Stays as long as the directory (see synod__directory_tidy). */
struct synod__service_t {
    char name[SYNOD_NAME_MAX + 1];
    uint32_t npeers;
    synod__peer_t **peers;
    uint32_t turn; /* for whoever rotates among them */
};

synod__directory_t *synod__directory_new (void);
void synod__directory_destroy (synod__directory_t **self_p);

/* Adds a node or brings it up to date from ENTRY (checked: names, sizes). NULL, and nothing changed, when memory ran
 * out or ENTRY is wrong (FAULT says how). A known name with another incarnation is SYNOD_NAME_TAKEN: the caller
 * removes the old one first. A node brought up to date stays where it is in memory. */
synod__peer_t *synod__directory_put (synod__directory_t *self, const synod__entry_t *entry, synod_fault_t *fault);
/* Removes and frees a node. */
void synod__directory_remove (synod__directory_t *self, synod__peer_t *peer);
/* Frees the actors that nobody runs, for holders that keep no synod__service_t: names may come and go for ever. */
void synod__directory_tidy (synod__directory_t *self);

synod__peer_t *synod__directory_node (const synod__directory_t *self, synod_str_t name);
/* The actor's nodes, NULL when nobody ever ran it. */
synod__service_t *synod__directory_actor (const synod__directory_t *self, synod_str_t name);
bool synod__peer_runs (const synod__peer_t *peer, synod_str_t actor);

/* All nodes, by index; the order changes with every removal. */
uint32_t synod__directory_size (const synod__directory_t *self);
synod__peer_t *synod__directory_at (const synod__directory_t *self, uint32_t index);

/* Appends PEER as an element to a list under construction (see synod_list_add). SCRATCH is reused from call to call. */
int synod__directory_list (const synod__peer_t *peer, synod_list_t *list, synod_buf_t *items, synod_buf_t *scratch);

#endif
