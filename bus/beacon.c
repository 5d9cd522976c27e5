/* SPDX-License-Identifier: MPL-2.0
 *
 * Beacons: the payload is a magic and version, then the endpoint, without a NUL.
 */
#include <stdio.h>
#include "beacon.h"

#define S_MAGIC       "SYN1"
#define S_INTERVAL_MS 1000

struct synod__beacon_t {
    zactor_t *actor;
};

synod__beacon_t *synod__beacon_new (uint16_t port, const char *endpoint, synod_fault_t *fault)
{
    byte payload[255];
    size_t magic = sizeof S_MAGIC - 1, size = strlen (endpoint);
    if (magic + size > sizeof payload) {
        synod_fault (fault, SYNOD_TOO_LARGE, "a beacon has room for an endpoint of %zu bytes, this one has %zu",
                     sizeof payload - magic, size);
        return NULL;
    }
    memcpy (payload, S_MAGIC, magic);
    memcpy (payload + magic, endpoint, size);
    synod__beacon_t *self = (synod__beacon_t *) zmalloc (sizeof *self);
    self->actor = zactor_new (zbeacon, NULL);
    char *host = NULL;
    if (self->actor && zsock_send (self->actor, "si", "CONFIGURE", (int) port) == 0)
        host = zstr_recv (self->actor);
    bool usable = host && *host;
    zstr_free (&host);
    if (!usable) {
        synod_fault (fault, SYNOD_IO,
                     "no beacons on UDP port %u: no interface can broadcast (ZSYS_INTERFACE names one to use)", port);
        synod__beacon_destroy (&self);
        return NULL;
    }
    zsock_send (self->actor, "sbi", "PUBLISH", payload, magic + size, S_INTERVAL_MS);
    zsock_send (self->actor, "sb", "SUBSCRIBE", S_MAGIC, magic);
    return self;
}

void synod__beacon_destroy (synod__beacon_t **self_p)
{
    synod__beacon_t *self = *self_p;
    if (!self)
        return;
    zactor_destroy (&self->actor);
    free (self);
    *self_p = NULL;
}

zsock_t *synod__beacon_socket (synod__beacon_t *self)
{
    return zactor_sock (self->actor);
}

bool synod__beacon_next (synod__beacon_t *self, char *endpoint)
{
    size_t magic = sizeof S_MAGIC - 1;
    while (zsock_events (self->actor) & ZMQ_POLLIN) {
        zmsg_t *msg = zmsg_recv (self->actor); /* of czmq's own actor: sender's address, payload */
        if (!msg)
            return false;
        zframe_t *payload = zmsg_last (msg);
        bool good = zmsg_size (msg) == 2 && zframe_size (payload) > magic && zframe_size (payload) < magic + 255 &&
                    memcmp (zframe_data (payload), S_MAGIC, magic) == 0;
        if (good)
            snprintf (endpoint, 256, "%.*s", (int) (zframe_size (payload) - magic),
                      (const char *) zframe_data (payload) + magic);
        zmsg_destroy (&msg);
        if (good)
            return true;
    }
    return false;
}
