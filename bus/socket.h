/* SPDX-License-Identifier: MPL-2.0
 *
 * The one place where ZeroMQ sockets are made, with every option that the traps of libzmq 4.3.4 ask for set in words:
 * message size limit, handshake deadline, mandatory routing, no mail queued for the dead, explicit linger. All sockets
 * are used without blocking; frames go as zmq_msg_t.
 */
#ifndef SYNOD_BUS_SOCKET_H_INCLUDED
#define SYNOD_BUS_SOCKET_H_INCLUDED

#include <signal.h>
#include <czmq.h>
#include <synod/record.h>

typedef struct {
    int type;             /* ZMQ_DEALER ... */
    synod_str_t identity; /* of DEALERs; empty: none */
    int send_hwm;         /* frames; 0: 1000 */
    int receive_hwm;      /* frames; 0: 1000 */
    int linger_ms;
    bool no_drop; /* of XPUBs: a full subscriber makes sending fail with EAGAIN */
} synod__socket_options_t;

/* A signal ends what is sent to a pipe, or read from it, before anything was done, and signals are the program's affair: in
 * between none comes to this thread, nor ever to one that it starts. */
sigset_t synod__signals_block (void);
void synod__signals_restore (sigset_t before);

/* Before any other use of czmq: no signal handlers, no limit on sockets. Any thread, any number of times. */
void synod__sys_init (void);

/* zsock_new and zactor_new abort the process when there is no file descriptor for them: true when there are some. */
bool synod__sys_descriptors_left (void);

zsock_t *synod__socket_new (const synod__socket_options_t *options, synod_fault_t *fault);
/* Binds; ENDPOINT may have a port of * or be an ipc path. REAL (256 bytes) gets the endpoint as others can connect to it. */
int synod__socket_bind (zsock_t *self, const char *endpoint, char *real, synod_fault_t *fault);
int synod__socket_connect (zsock_t *self, const char *endpoint, synod_fault_t *fault);

/* Sends FRAME, behind IDENTITY where that is not empty (ROUTERs). Large frames give their memory away (frame->data is
 * then NULL), small ones are copied; either way SYNOD_OK means it is spent. SYNOD_BUSY: full (EAGAIN), unchanged.
 * SYNOD_NODE_DOWN: no such peer (EHOSTUNREACH), unchanged. */
int synod__socket_send (zsock_t *self, synod_str_t identity, synod_buf_t *frame);

/* zmq_msg_send with ZMQ_DONTWAIT, for what is a message already. A signal does not end it, and EAGAIN means that the
 * socket is full now (libzmq's own may be a millisecond old). Other FLAGS: ZMQ_SNDMORE. */
int synod__socket_send_msg (zsock_t *self, zmq_msg_t *msg, int flags);

/* Takes one message: SYNOD_OK with MSG (and IDENTITY for ROUTERs: a message the caller initialised, too), SYNOD_NOT_FOUND
 * when there is none, SYNOD_BAD_FRAME when it had more or fewer parts than it should (all taken, IDENTITY still set). */
int synod__socket_receive (zsock_t *self, zmq_msg_t *identity, zmq_msg_t *msg);

int synod__socket_events (zsock_t *self); /* ZMQ_POLLIN | ZMQ_POLLOUT as of now */

#endif
