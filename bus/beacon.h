/* SPDX-License-Identifier: MPL-2.0
 *
 * Finding nodes without a broker by UDP beacons (czmq's zbeacon): each says where its inbox is.
 */
#ifndef SYNOD_BUS_BEACON_H_INCLUDED
#define SYNOD_BUS_BEACON_H_INCLUDED

#include <czmq.h>
#include <synod/error.h>

typedef struct synod__beacon_t synod__beacon_t;

/* Publishes ENDPOINT on the UDP port once a second and listens. The interface is czmq's choice, or $ZSYS_INTERFACE. */
synod__beacon_t *synod__beacon_new (uint16_t port, const char *endpoint, synod_fault_t *fault);
void synod__beacon_destroy (synod__beacon_t **self_p);
zsock_t *synod__beacon_socket (synod__beacon_t *self); /* readable when something was found */
/* The next endpoint found (256 bytes): true, or false when there is none now. */
bool synod__beacon_next (synod__beacon_t *self, char *endpoint);

#endif
