/* SPDX-License-Identifier: MPL-2.0
 *
 * Serving in the foreground: signals by signalfd, the service manager by one datagram a change.
 */
#include <czmq.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include "serve.h"

int synod__signals_open (void)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGTERM);
    int rc = pthread_sigmask (SIG_BLOCK, &set, NULL);
    if (rc != 0) {
        errno = rc;
        return -1;
    }
    return signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void synod__notify (const char *state)
{
    const char *path = getenv ("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = path ? strlen (path) : 0;
    if (size == 0 || size >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy (address.sun_path, path, size);
    if (path[0] == '@') /* in the abstract namespace */
        address.sun_path[0] = 0;
    int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto (fd, state, strlen (state), MSG_NOSIGNAL, (const struct sockaddr *) &address,
            (socklen_t) (offsetof (struct sockaddr_un, sun_path) + size));
    close (fd);
}

int synod__serve (synod_node_t *node, int signals, synod_fault_t *fault)
{
    bool stopping = false;
    synod__notify ("READY=1");
    for (;;) {
        zmq_pollitem_t items[] = {{zsock_resolve (synod_node_pipe (node)), 0, ZMQ_POLLIN, 0},
                                  {NULL, signals, ZMQ_POLLIN, 0}};
        if (zmq_poll (items, 2, -1) < 0) {
            if (errno == EINTR) /* of a signal that is not ours */
                continue;
            return synod_fault (fault, SYNOD_IO, "cannot wait for the node: %s", zmq_strerror (errno));
        }
        struct signalfd_siginfo info;
        if ((items[1].revents & ZMQ_POLLIN) && read (signals, &info, sizeof info) == (ssize_t) sizeof info) {
            if (stopping)
                _exit (128 + (int) info.ssi_signo);
            stopping = true;
            synod__notify ("STOPPING=1");
            synod_node_stop (node);
        }
        if (items[0].revents & ZMQ_POLLIN)
            return synod_node_wait (node, -1, fault);
    }
}
