/* SPDX-License-Identifier: MPL-2.0
 *
 * What the files of the port share: port.c (life, sockets), port_turn.c (turns), port_arrivals.c (what came for a turn), port_links.c (frames
 * point to point), port_wires.c (the same within the host), port_topics.c (publications and subscriptions), port_disk.c (the store, and the number of this life), port_gate.c
 * (connections of gateways).
 */
#ifndef SYNOD_BUS_PORT_INTERNAL_H_INCLUDED
#define SYNOD_BUS_PORT_INTERNAL_H_INCLUDED

#include <pthread.h>
#include "actors/runtime/hash.h"
#include "beacon.h"
#include "fanout.h"
#include "protocol/address.h"
#include "port.h"
#include "wire.h"
#include "yield.h"

typedef enum {
    SYNOD__SOCKET_LINK,
    SYNOD__SOCKET_MONITOR,
    SYNOD__SOCKET_INBOX,
    SYNOD__SOCKET_PUBLISH,
    SYNOD__SOCKET_SUBSCRIBE,
    SYNOD__SOCKET_BEACON,
    SYNOD__SOCKET_GATE, /* it and the next have a descriptor, no socket */
    SYNOD__SOCKET_CONNECTION,
    SYNOD__SOCKET_DISK,     /* tells of commits that are durable */
    SYNOD__SOCKET_LISTENER, /* so do these; and a link within the host has */
    SYNOD__SOCKET_WIRE      /* a link of another node of the host, to this one */
} synod__end_kind_t;

typedef struct synod__listener_t synod__listener_t;
typedef struct synod__tcp_t synod__tcp_t;

/* A socket that the port waits for. */
typedef struct synod__end_t {
    synod__end_kind_t kind;
    zsock_t *socket;
    synod__poll_t *poll;
    uint32_t link;              /* of links and their monitors */
    struct synod__end_t *other; /* a link's monitor, a monitor's link */
    bool in, out;               /* what the last wait found */
    bool closed;                /* to be taken out of the list */
    union {
        synod__listener_t *listener; /* of a gate */
        synod__tcp_t *tcp;           /* of a connection */
        synod__wire_t *wire;         /* of a link: NULL where it is a ZeroMQ socket */
        int fd;                      /* of a listener */
    };
    struct synod__end_t *next;
    bool found;                      /* in the list of those that the last waits found */
    struct synod__end_t *found_next; /* of them */
    UT_hash_handle hh;               /* links, by number */
} synod__end_t;

typedef enum {
    SYNOD__ARRIVAL_FRAME,
    SYNOD__ARRIVAL_GARBAGE, /* not one frame */
    SYNOD__ARRIVAL_TOPIC,
    SYNOD__ARRIVAL_UP,
    SYNOD__ARRIVAL_DOWN,
    SYNOD__ARRIVAL_WRITABLE,
    SYNOD__ARRIVAL_SUBSCRIPTIONS, /* this and the next hold no message: they are taken when handed over */
    SYNOD__ARRIVAL_BEACONS,
    SYNOD__ARRIVAL_CONNECTIONS, /* nor do these: they are accepted, */
    SYNOD__ARRIVAL_BYTES,       /* and what has been read is in the connection's own memory */
    SYNOD__ARRIVAL_WIRE         /* as here */
} synod__arrival_kind_t;

/* What came from a socket and waits for the turn's time to be read. */
typedef struct synod__arrival_t {
    struct synod__arrival_t *next;
    synod__end_t *end; /* once it is closed, nothing more of it is handed over */
    synod__arrival_kind_t kind;
    zmq_msg_t from, msg; /* always initialised; FROM is of the inbox */
} synod__arrival_t;

typedef struct synod__wanted_t { /* a prefix subscribed to */
    struct synod__wanted_t *next;
    size_t size;
    char bytes[SYNOD_TOPIC_MAX + 1];
} synod__wanted_t;

typedef struct synod__leaving_t { /* publications of a peer that is gone: what is on its way is still taken */
    struct synod__leaving_t *next;
    int64_t since_us;
    char endpoint[256];
} synod__leaving_t;

struct synod__port_t {
    synod_options_t options; /* texts owned */
    synod__rt_t *rt;
    uint32_t mail_first; /* grows with each wait for a commit that mail ends, and shrinks with the others */
    synod__disk_t *disk; /* outlives the runtime; NULL: the runtime has one in memory */
    synod__poller_t *poller;
    synod__end_t *ends;
    synod__end_t *links; /* those of ends that are links and not closed: hash by number */
    synod__end_t *found; /* a turn looks at these alone: a mesh has many that are idle */
    bool closing;        /* some of ends are closed */
    bool brokered, client, pull;
    char name[SYNOD_NAME_MAX + 1];
    uint64_t incarnation;
    uint64_t random[2];
    char host[64];
    bool in_turn;
    synod__yield_t yield;
    synod__arrival_t *arrived, *arrived_last; /* empty but for the beginning of a turn */
    synod__arrival_t *blank;                  /* to be used again */
    /* point to point */
    synod__end_t *inbox;    /* a ROUTER, without a broker */
    synod__end_t *listener; /* for nodes of the host, beside one */
    char inbox_endpoint[256];
    zmq_msg_t msg; /* for what monitors and publishing sockets have to say */
    uint32_t monitors;
    /* topics */
    pthread_mutex_t lock; /* the publishing socket: a handle's other thread uses it too */
    synod__end_t *publish, *subscribe;
    synod__fanout_t fanout;                              /* without a broker */
    char publish_endpoint[256], subscribe_endpoint[256]; /* with a broker: its */
    char topics_endpoint[256];                           /* without: where publications are to be had */
    bool ready;                                          /* with a broker: it has subscribed to everything */
    int64_t hold_us;                                     /* without one: nothing is published before this */
    bool blocked;                                        /* the runtime waits to publish */
    synod__wanted_t *wanted;
    synod__leaving_t *leaving; /* without a broker */
    synod__beacon_t *beacon;
    synod__listener_t *listeners;
    synod__tcp_t *unsent; /* connections to which something waits to be written */
};

synod__end_t *synod__port_add (synod__port_t *self, synod__end_kind_t kind, zsock_t *socket, uint32_t link, bool poll);
/* Waits for a descriptor; its poll is NULL when that cannot be. */
synod__end_t *synod__port_add_fd (synod__port_t *self, synod__end_kind_t kind, uint32_t link, int fd);
void synod__port_close (synod__port_t *self, synod__end_t *end);
void synod__port_sweep (synod__port_t *self);                    /* frees those that were closed */
void synod__port_found (synod__port_t *self, synod__end_t *end); /* the next turn looks at it */

/* arrivals */
synod__arrival_t *synod__port_blank (synod__port_t *self); /* to receive into; the same one until the next arrived */
void synod__port_arrived (synod__port_t *self, synod__end_t *end, synod__arrival_kind_t kind); /* takes the blank one */
void synod__port_hand_over (synod__port_t *self);                                              /* in a turn */
void synod__port_arrivals_free (synod__port_t *self);

/* gates */
int synod__host_gate_open (void *host, synod__gate_t *gate, const char *endpoint, synod_fault_t *fault);
void synod__port_gate_read (synod__port_t *self,
                            synod__end_t *end); /* before a turn: what has come, or that some come */
void synod__port_gate_writable (synod__port_t *self, synod__end_t *end);
void synod__port_gate_accept (synod__port_t *self, synod__end_t *end); /* in a turn, as the next */
void synod__port_gate_take (synod__port_t *self, synod__end_t *end);
/* After a turn: writes what it released; returns when there is something to be done again, UNTIL_US at the latest. */
int64_t synod__port_gates_turn (synod__port_t *self, int64_t until_us);
void synod__port_gate_close (synod__port_t *self, synod__end_t *end); /* the descriptor, and its memory */

/* disk: opens it when there is a data directory, and gives the port its incarnation */
int synod__port_disk_open (synod__port_t *self, synod_fault_t *fault);
void synod__port_disk_told (const synod__port_t *self); /* there is something to settle: the turn does */

/* links */
/* By which the far end knows this one: two sockets with one identity, of which one is closed while it still connects, could
 * leave the other with a connection that libzmq's ROUTER never reads. OUT has SYNOD__IDENTITY_MAX + 1 bytes. */
synod_str_t synod__port_identity (const synod__port_t *self, uint32_t link, char *out);
int synod__port_link_open (synod__port_t *self, uint32_t link, const char *endpoint, synod_fault_t *fault);
int synod__port_inbox_open (synod__port_t *self, const char *endpoint, synod_fault_t *fault);
void synod__port_unlink (const char *endpoint);
int synod__host_send (void *host, uint32_t link, synod_buf_t *frame);
void synod__host_answer (void *host, synod_str_t identity, synod_buf_t *frame);
const char *synod__host_listen (void *host);
int synod__host_link_open (void *host, uint32_t link, const char *endpoint);
void synod__host_link_close (void *host, uint32_t link);
void synod__port_take_frames (synod__port_t *self, synod__end_t *end);
void synod__port_take_monitor (synod__port_t *self, synod__end_t *end);
/* What came before a connection broke is taken before its end is told: it may hold answers. */
void synod__port_take_all (synod__port_t *self, uint32_t link);

/* links within the host */
bool synod__port_wire_can (const synod__port_t *self, const char *endpoint);
int synod__port_wire_listen (synod__port_t *self, const char *endpoint, synod_fault_t *fault);
int synod__port_wire_connect (synod__port_t *self, uint32_t link, const char *endpoint, synod_fault_t *fault);
void synod__port_wire_close (synod__port_t *self, synod__end_t *end);
void synod__port_wire_read (synod__port_t *self, synod__end_t *end); /* before a turn */
void synod__port_wire_take (synod__port_t *self, synod__end_t *end); /* in it */
int synod__port_wire_send (synod__end_t *end, synod_buf_t *frame);
void synod__port_wire_writable (synod__port_t *self, synod__end_t *end);
void synod__port_wire_answer (synod__port_t *self, synod_str_t identity, synod_buf_t *frame);

/* topics */
int synod__port_topics_listen (synod__port_t *self, const char *endpoint, synod_fault_t *fault);
void synod__port_publish_close (synod__port_t *self);
int synod__host_publish (void *host, synod_buf_t *frame);
void synod__host_subscribe (void *host, const char *prefix, size_t size);
void synod__host_unsubscribe (void *host, const char *prefix, size_t size);
int synod__host_topics_open (void *host, const char *publish, const char *subscribe);
int synod__host_topics_join (void *host, const char *endpoint);
void synod__host_topics_leave (void *host, const char *endpoint);
void synod__port_topics_leave (synod__port_t *self); /* disconnects from those that are gone, and empty */
void synod__port_topics_free (synod__port_t *self);
void synod__port_take_topics (synod__port_t *self, synod__end_t *end);
void synod__port_take_subscriptions (synod__port_t *self);
int64_t synod__port_topics_due (synod__port_t *self, int64_t until_us);

#endif
