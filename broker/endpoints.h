/* SPDX-License-Identifier: MPL-2.0
 *
 * The broker's endpoints: which ones to bind when only `listen` is given, and what to tell the nodes.
 */
#ifndef SYNOD_BROKER_ENDPOINTS_H_INCLUDED
#define SYNOD_BROKER_ENDPOINTS_H_INCLUDED

#include <synod/broker.h>
#include "bus/socket.h"

#define SYNOD__ENDPOINT_MAX 256

/* Where to bind for ROLE ("pub" or "sub") when nobody said: LISTEN's transport and host with a free port, or its path
 * with the role behind it. OUT takes SYNOD__ENDPOINT_MAX bytes. SYNOD_INVALID with a sentence. */
int synod__endpoint_beside (const char *listen, const char *role, char *out, synod_fault_t *fault);

/* Binds SOCKET to ENDPOINT; TOLD (SYNOD__ENDPOINT_MAX bytes) gets what nodes are told: the port it really has, and
 * ADVERTISE for the host. Without ADVERTISE a host of all addresses becomes this machine's first address. BOUND gets
 * what to unbind. */
int synod__endpoint_bind (zsock_t *socket, const char *endpoint, const char *advertise, char *bound, char *told,
                          synod_fault_t *fault);

/* Gives BOUND up, and returns when somebody else can have it. */
void synod__endpoint_unbind (zsock_t *socket, const char *bound);

#endif
