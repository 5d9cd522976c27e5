/* SPDX-License-Identifier: MPL-2.0
 *
 * A client's TCP connections to one server, and the one thread that serves them: what one read brings is answered by one
 * write, so that clients take as little of the machine from the server as they can.
 */
#ifndef BENCH_TCP_H_INCLUDED
#define BENCH_TCP_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_CONNECTIONS_MAX 1000
#define TCP_IN_MAX          (64 * 1024)

struct tcp_t;

typedef struct tcp_connection_t {
    struct tcp_t *tcp;
    int fd;
    void *session; /* of the protocol above, if it has one */
    uint8_t *out;  /* out[from..until) waits to be written */
    size_t from, until;
    uint8_t *in; /* in[0..got) was not taken yet */
    size_t got;
} tcp_connection_t;

typedef struct tcp_t {
    const char *who; /* whose errors these are */
    const char *bus; /* HOST:PORT */
    uint64_t connections;
    uint64_t quiet_ms;
    size_t out_max; /* bytes that wait to be written, of a connection */
    void *user;
    /* Puts what there is to say behind out[until). NULL: it is there already. */
    void (*fill) (tcp_connection_t *connection);
    /* How much of in[0..got) it took; the rest comes again, with more behind it. */
    size_t (*take) (tcp_connection_t *connection);
    bool done;   /* set by the caller: tcp_go returns */
    bool failed; /* the same; a line on standard error says why */
    tcp_connection_t connection[TCP_CONNECTIONS_MAX];
} tcp_t;

void tcp_fail (tcp_t *self, const char *what, const char *why);
/* Connects all; false when it has failed. Close it in any case. */
bool tcp_open (tcp_t *self);
void tcp_close (tcp_t *self);
/* Goes on until it is done or has failed, or nothing has come for quiet_ms. */
void tcp_go (tcp_t *self);

#endif
