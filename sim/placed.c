/* SPDX-License-Identifier: MPL-2.0
 *
 * A ring for the world's nodes, made as anybody would: by asking the actor `ring` of one of them.
 */
#include "actors/place/ring_actor.h"
#include "actors/runtime/internal.h"
#include "internal.h"
#include "protocol/ring_records.h"

typedef struct {
    int client;
    char to[SYNOD_NAME_MAX + sizeof "/" SYNOD__RING_ACTOR];
    synod__ring_init_t init;
    bool asked, made;
    synod_fault_t why; /* it was not */
} s_making_t;

static void s_on_reply (synod_sim_t *self, int client, const synod_reply_t *reply, void *arg)
{
    s_making_t *making = (s_making_t *) arg;
    (void) self;
    (void) client;
    making->asked = false;
    making->made = reply->code == SYNOD_OK;
    synod_fault (&making->why, reply->code, "%.*s", SYNOD_STR (reply->message));
}

/* Asks until it is done: a client may not be on the bus yet, a node not ready. */
static bool s_made (synod_sim_t *self, void *arg)
{
    s_making_t *making = (s_making_t *) arg;
    if (making->asked || making->made)
        return making->made;
    making->asked = true; /* the answer may come at once */
    if (synod_sim_ask (self, making->client, making->to, &synod__ring_init_record, &making->init, 0, s_on_reply,
                       making) != SYNOD_OK)
        making->asked = false;
    return making->made;
}

int synod_sim_ring (synod_sim_t *self, int client, uint32_t partitions, uint32_t replicas, int64_t limit_ms)
{
    s_making_t making = {.client = client, .init = {.partitions = partitions, .replicas = replicas}};
    synod_buf_t nodes = {0};
    for (uint32_t i = 1; i < self->nplaces; i++) {
        const synod__sim_place_t *place = self->places[i];
        if (!place->alive || !synod__instance_find (place->rt, synod_str (SYNOD__RING_ACTOR)))
            continue;
        if (!nodes.size)
            snprintf (making.to, sizeof making.to, "%s/" SYNOD__RING_ACTOR, place->name);
        const synod__ring_node_t node = {.node = synod_str (place->name)};
        synod_list_add (&making.init.nodes, &nodes, &synod__ring_node_record, &node, NULL);
    }
    int rc = SYNOD_OK;
    if (!nodes.size)
        rc = synod__sim_fault (self, SYNOD_NOT_FOUND, "no node is up that runs a placed actor, or the actor ring");
    else if (synod_sim_until (self, s_made, &making, limit_ms) != SYNOD_OK)
        rc = synod__sim_fault (self, SYNOD_TIMEOUT, "no ring was made within %lld ms: %s", (long long) limit_ms,
                               making.why.text);
    synod_buf_free (&nodes);
    return rc;
}
