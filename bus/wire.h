/* SPDX-License-Identifier: MPL-2.0
 *
 * A ZeroMQ connection within the host without libzmq: a Unix socket that speaks ZMTP (protocol/zmtp.h) in the thread that
 * uses it. libzmq has an I/O thread between a socket and its user, so that a message is two more wake-ups of a thread; between
 * two nodes of one host those are most of what it costs. Either end may be libzmq's: a DEALER or ROUTER with an ipc endpoint.
 *
 * Nothing blocks, but the end of a connection that still has something to write.
 */
#ifndef SYNOD_BUS_WIRE_H_INCLUDED
#define SYNOD_BUS_WIRE_H_INCLUDED

#include "protocol/zmtp.h"

typedef struct synod__wire_t synod__wire_t;

/* Listens at PATH, which nobody has. Returns a descriptor, or -1. */
int synod__wire_listen (const char *path, synod_fault_t *fault);
/* The ROUTER's end of the next connection at LISTENER; NULL: there is none, or no descriptor (errno). */
synod__wire_t *synod__wire_accept (int listener);
/* The DEALER's end of a connection to PATH, with this IDENTITY; NULL: nobody is there (FAULT). */
synod__wire_t *synod__wire_connect (const char *path, synod_str_t identity, synod_fault_t *fault);
/* What is still to be written may take LINGER_MS. */
void synod__wire_destroy (synod__wire_t **self_p, uint32_t linger_ms);

int synod__wire_fd (const synod__wire_t *self);

/* Reads once. True when next has something to say. */
bool synod__wire_read (synod__wire_t *self);
bool synod__wire_ended (const synod__wire_t *self); /* nothing more will be read */

typedef enum {
    SYNOD__WIRE_NOTHING,
    SYNOD__WIRE_OPENED,  /* from now on it takes messages */
    SYNOD__WIRE_MESSAGE, /* valid until the next read */
    SYNOD__WIRE_GARBAGE, /* not one part */
    SYNOD__WIRE_ENDED    /* by the other side, or because of what it said (FAULT) */
} synod__wire_news_t;

/* The next thing that came. MESSAGE borrows from the connection. */
synod__wire_news_t synod__wire_next (synod__wire_t *self, synod_str_t *message, synod_fault_t *fault);

/* Who is at the other end, once it is open: a DEALER's identity. */
synod_str_t synod__wire_identity (const synod__wire_t *self);

/* Writes FRAME, which keeps its memory and is empty afterwards. SYNOD_BUSY: it takes nothing at the moment, FRAME is as
 * it was. */
int synod__wire_send (synod__wire_t *self, synod_buf_t *frame);
/* Goes on writing what did not go at once. True: all of it is written. */
bool synod__wire_flush (synod__wire_t *self);
bool synod__wire_flushed (const synod__wire_t *self);

#endif
