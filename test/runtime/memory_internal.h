/* SPDX-License-Identifier: MPL-2.0
 *
 * The world's inside, shared by its two files: memory_host.c (nodes, time, turns) and memory_wire.c (what a runtime may
 * do: its operations, links, topics, the broker).
 */
#ifndef SYNOD_TEST_RUNTIME_MEMORY_INTERNAL_H_INCLUDED
#define SYNOD_TEST_RUNTIME_MEMORY_INTERNAL_H_INCLUDED

#include "broker/routing/routing.h"
#include "memory_host.h"
#include "protocol/address.h"

typedef struct mh_link {
    struct mh_link *next;
    uint32_t id;
    char to[SYNOD_NAME_MAX + 1]; /* node, or MH_BROKER */
    bool up, blocked;
    uint64_t connection; /* number of the connection; frames of an earlier one are lost */
} mh_link_t;

typedef struct mh_sub {
    struct mh_sub *next;
    size_t size;
    char bytes[SYNOD_TOPIC_MAX + 1];
} mh_sub_t;

struct mh_node_t {
    struct mh_node_t *next;
    mh_t *world;
    synod__rt_t *rt;
    char name[SYNOD_NAME_MAX + 1];     /* its place in the world */
    char known_as[SYNOD_NAME_MAX + 1]; /* its name on the bus */
    char endpoint[80], topics[80], identity[SYNOD__IDENTITY_MAX + 1];
    uint64_t incarnation;
    bool alive;   /* its operations work */
    bool in_turn; /* in this instant */
    bool listening, topics_open, topics_blocked;
    int64_t due_us;
    mh_link_t *links;
    mh_sub_t *subs;      /* what it wants */
    char joined[32][80]; /* publishers it subscribed at; "" free */
};

typedef enum { EV_FRAME, EV_TOPIC, EV_UP, EV_DOWN, EV_WRITABLE, EV_PUBLISHABLE, EV_SUBSCRIBED, EV_PUBLISH } mh_kind_t;

typedef struct mh_event {
    struct mh_event *prev, *next;
    int64_t at_us;
    mh_kind_t kind;
    char from[SYNOD_NAME_MAX + 1], to[SYNOD_NAME_MAX + 1];
    char identity[SYNOD__IDENTITY_MAX + 1];
    uint32_t link;
    uint64_t connection;
    bool on;
    synod_buf_t data;
} mh_event_t;

/* The order of a path: when its last event arrives. */
typedef struct mh_path {
    struct mh_path *next;
    char from[SYNOD_NAME_MAX + 1], to[SYNOD_NAME_MAX + 1];
    int lane;
    int64_t last_us;
} mh_path_t;

struct mh_t {
    struct mh_settings settings;
    bool brokered;
    int64_t now_us;
    uint64_t random, incarnations, connections;
    mh_node_t *nodes;
    mh_event_t *first, *last, *spare;
    mh_event_t *held_first, *held_last;
    mh_path_t *paths;
    mh_filter_t *filter;
    void *filter_arg;
    synod__routing_t *routing;
    bool routing_in_turn;
    int64_t routing_due_us;
    char (*seen)[SYNOD_ADDRESS_MAX + 1]; /* addresses of frames that left */
    uint32_t nseen, seen_capacity;
};

extern const synod__host_t mh_ops;

mh_node_t *mh_find (const mh_t *self, const char *name);
mh_link_t *mh_link (mh_node_t *node, uint32_t id);
/* Puts an event at the end of its path. LANE: mail, topics, subscriptions. */
mh_event_t *mh_event (mh_t *self, mh_kind_t kind, const char *from, const char *to, int lane);
void mh_event_free (mh_t *self, mh_event_t *event);
void mh_connect_all (mh_t *self);
void mh_broker_start (mh_t *self);
void mh_broker_event (mh_t *self, mh_event_t *event);
void mh_disconnect (mh_t *self, const char *name); /* all connections to a node that is gone */
void mh_subscribe_at (mh_node_t *node, const char *publisher, const char *prefix, size_t size, bool on);
bool mh_wants (const mh_node_t *node, const void *data, size_t size);

#endif
