/* SPDX-License-Identifier: MPL-2.0
 *
 * What plain libzmq offers as a broker: zmq_proxy between ROUTER and DEALER for asks, and between XSUB and XPUB for
 * topics. Nothing is ever dropped: queues have no limit, or (--hwm) a publisher is held up when they are full.
 * Prints the four endpoints: `listening ASK SERVE PUBLISH SUBSCRIBE`. Runs until it is killed.
 */
#include "tools/measure.h"

#include <pthread.h>
#include <stdio.h>
#include <zmq.h>

typedef struct {
    void *front;
    void *back;
} pair_t;

static void *forward (void *arg)
{
    pair_t *pair = arg;
    zmq_proxy (pair->front, pair->back, NULL);
    fprintf (stderr, "plain_proxy: %s\n", zmq_strerror (zmq_errno ()));
    return NULL;
}

/* Writes the endpoint it got to OUT (64 bytes); NULL with a line on standard error. */
static void *bound (void *zctx, int type, int hwm, char *out)
{
    void *socket = zmq_socket (zctx, type);
    size_t size = 64;
    int on = 1;
    if (!socket || zmq_setsockopt (socket, ZMQ_SNDHWM, &hwm, sizeof hwm) ||
        zmq_setsockopt (socket, ZMQ_RCVHWM, &hwm, sizeof hwm) ||
        (type == ZMQ_XPUB && zmq_setsockopt (socket, ZMQ_XPUB_NODROP, &on, sizeof on)) ||
        zmq_bind (socket, "tcp://127.0.0.1:*") || zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, out, &size)) {
        fprintf (stderr, "plain_proxy: cannot bind: %s\n", zmq_strerror (zmq_errno ()));
        return NULL;
    }
    return socket;
}

int main (int argc, char **argv)
{
    uint64_t hwm = 0;
    const synod__option_t options[] = {
        {"hwm", SYNOD__OPTION_NUMBER, &hwm, "messages queued for a peer (default 0: no limit)"}, {NULL, 0, NULL, NULL}};
    int rc = synod__options_parse (argc, argv, "plain_proxy", options);
    if (rc)
        return rc < 0 ? 0 : rc;
    void *zctx = zmq_ctx_new ();
    char endpoints[4][64];
    pair_t asks = {bound (zctx, ZMQ_ROUTER, (int) hwm, endpoints[0]),
                   bound (zctx, ZMQ_DEALER, (int) hwm, endpoints[1])};
    pair_t topics = {bound (zctx, ZMQ_XSUB, (int) hwm, endpoints[2]), bound (zctx, ZMQ_XPUB, (int) hwm, endpoints[3])};
    if (!asks.front || !asks.back || !topics.front || !topics.back)
        return 1;
    pthread_t thread;
    if (pthread_create (&thread, NULL, forward, &asks)) {
        fprintf (stderr, "plain_proxy: cannot start a thread\n");
        return 1;
    }
    printf ("listening %s %s %s %s\n", endpoints[0], endpoints[1], endpoints[2], endpoints[3]);
    fflush (stdout);
    forward (&topics);
    return 1;
}
