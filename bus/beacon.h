/* SPDX-License-Identifier: MPL-2.0
 *
 * The beacon: a node without a broker tells the local network its endpoint once a second, by UDP broadcast, and hears
 * those of others. A payload is the magic "SYN1" and the endpoint, 255 bytes at most. Anyone on the network can send
 * one: it is a hint whom to connect to, nothing more. On the interface that czmq is told to use (ZSYS_INTERFACE; "*" is
 * all), else on the first that can broadcast.
 */
#ifndef SYNOD_BUS_BEACON_H_INCLUDED
#define SYNOD_BUS_BEACON_H_INCLUDED

#include "socket.h"

#define SYNOD__BEACON_ENDPOINT_MAX 251 /* 255 less the magic */

typedef struct synod__beacon_t synod__beacon_t;

/* ENDPOINT: what to tell, NULL or empty: only listen. NULL with a sentence in FAULT, as when no interface can broadcast
 * or another program has the port for itself. */
synod__beacon_t *synod__beacon_new (int port, const char *endpoint, synod_fault_t *fault);
void synod__beacon_destroy (synod__beacon_t **self_p);

zsock_t *synod__beacon_socket (synod__beacon_t *self); /* readable when next may find some; borrowed */
/* The next endpoint that was heard, never our own, in ENDPOINT (256 bytes); the same ones come again each second. False:
 * none for now. */
bool synod__beacon_next (synod__beacon_t *self, char *endpoint);

#endif
