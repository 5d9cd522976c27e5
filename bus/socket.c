/* SPDX-License-Identifier: MPL-2.0
 *
 * Making, binding, connecting and using ZeroMQ sockets, never blocking. Nothing depends on a default of libzmq or czmq:
 * whatever matters is set here.
 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <synod/limits.h>
#include "socket.h"

#define S_HWM              1000
#define S_HANDSHAKE_MS     3000
#define S_RECONNECT_MS     20
#define S_RECONNECT_MAX_MS 1000
#define S_ENDPOINT_MAX     256
#define S_DESCRIPTORS      16 /* for libzmq's threads, and for what other threads take meanwhile */
/* From this size on giving memory away is cheaper than copying it (measured: 4 KiB 0.7 us for 1.0). */
#define S_GIVE_AWAY 4096

sigset_t synod__signals_block (void)
{
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    return before;
}

void synod__signals_restore (sigset_t before)
{
    pthread_sigmask (SIG_SETMASK, &before, NULL);
}

static void s_sys_init (void)
{
    /* first, as zsys_init would install handlers for SIGINT and SIGTERM */
    zsys_handler_set (NULL);
    void *context = zsys_init ();
    /* not zsys_set_max_sockets, which aborts the process where the program has sockets of its own already */
    if (context)
        zmq_ctx_set (context, ZMQ_MAX_SOCKETS, (int) zsys_socket_limit ());
}

void synod__sys_init (void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once (&once, s_sys_init);
}

static const char *s_type_name (int type)
{
    switch (type) {
    case ZMQ_DEALER:
        return "DEALER";
    case ZMQ_ROUTER:
        return "ROUTER";
    case ZMQ_PUB:
        return "PUB";
    case ZMQ_SUB:
        return "SUB";
    case ZMQ_XPUB:
        return "XPUB";
    case ZMQ_XSUB:
        return "XSUB";
    case ZMQ_PAIR:
        return "PAIR";
    default:
        return "a";
    }
}

static int s_set_int (void *handle, int option, int value)
{
    return zmq_setsockopt (handle, option, &value, sizeof value);
}

/* What every socket gets. */
static int s_set_common (void *handle, const synod__socket_options_t *options)
{
    int64_t size_max = SYNOD_FRAME_MAX + SYNOD_FRAME_SLACK;
    const int values[][2] = {
        {ZMQ_HANDSHAKE_IVL, S_HANDSHAKE_MS},
        {ZMQ_LINGER, options->linger_ms},
        {ZMQ_SNDTIMEO, 0},
        {ZMQ_RCVTIMEO, 0},
        {ZMQ_SNDHWM, options->send_hwm ? options->send_hwm : S_HWM},
        {ZMQ_RCVHWM, options->receive_hwm ? options->receive_hwm : S_HWM},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_RECONNECT_IVL, S_RECONNECT_MS},
        {ZMQ_RECONNECT_IVL_MAX, S_RECONNECT_MAX_MS},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (s_set_int (handle, values[i][0], values[i][1]))
            return -1;
    return zmq_setsockopt (handle, ZMQ_MAXMSGSIZE, &size_max, sizeof size_max);
}

/* What its type asks for. */
static int s_set_typed (void *handle, const synod__socket_options_t *options)
{
    switch (options->type) {
    case ZMQ_ROUTER:
        /* an unknown or full peer is an error, not a silent loss; a peer that reconnects replaces its old self */
        if (s_set_int (handle, ZMQ_ROUTER_MANDATORY, 1))
            return -1;
        return s_set_int (handle, ZMQ_ROUTER_HANDOVER, 1);
    case ZMQ_DEALER:
        /* nothing is queued for a peer that is not there */
        if (s_set_int (handle, ZMQ_IMMEDIATE, 1))
            return -1;
        if (options->identity.size == 0)
            return 0;
        return zmq_setsockopt (handle, ZMQ_ROUTING_ID, options->identity.data, options->identity.size);
    case ZMQ_XPUB:
        /* every subscription is shown, known ones too: it is what subscribers wait for */
        if (s_set_int (handle, ZMQ_XPUB_VERBOSE, 1))
            return -1;
        return s_set_int (handle, ZMQ_XPUB_NODROP, options->no_drop ? 1 : 0);
    default:
        return 0;
    }
}

bool synod__sys_descriptors_left (void)
{
    int fds[S_DESCRIPTORS], count = 0;
    while (count < S_DESCRIPTORS && (fds[count] = eventfd (0, EFD_CLOEXEC)) >= 0)
        count++;
    int error = errno;
    for (int i = 0; i < count; i++)
        close (fds[i]);
    errno = error;
    return count == S_DESCRIPTORS;
}

zsock_t *synod__socket_new (const synod__socket_options_t *options, synod_fault_t *fault)
{
    synod__sys_init ();
    zsock_t *self = synod__sys_descriptors_left () ? zsock_new (options->type) : NULL;
    if (!self) {
        synod_fault (fault, SYNOD_IO, "no %s socket could be made: %s", s_type_name (options->type), strerror (errno));
        return NULL;
    }
    void *handle = zsock_resolve (self);
    if (s_set_common (handle, options) || s_set_typed (handle, options)) {
        synod_fault (fault, SYNOD_INVALID, "an option of a new %s socket was refused: %s", s_type_name (options->type),
                     zmq_strerror (zmq_errno ()));
        zsock_destroy (&self);
    }
    return self;
}

/* libzmq removes whatever is at the path of an ipc endpoint that it binds, so what is of use is looked for first. */
static int s_ipc_free (const char *endpoint, synod_fault_t *fault)
{
    const char *path = endpoint + strlen ("ipc://");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat info;
    if (*path == '*' || *path == '@' || strlen (path) >= sizeof address.sun_path || lstat (path, &info))
        return SYNOD_OK;
    if (!S_ISSOCK (info.st_mode))
        return synod_fault (fault, SYNOD_IO, "cannot bind %s: what is there is no socket", endpoint);
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return synod_fault (fault, SYNOD_IO, "cannot bind %s: %s", endpoint, strerror (errno));
    memcpy (address.sun_path, path, strlen (path) + 1);
    int rc = connect (fd, (struct sockaddr *) &address, sizeof address);
    int error = rc ? errno : 0;
    close (fd);
    if (error == ECONNREFUSED || error == ENOENT)
        return SYNOD_OK;
    return synod_fault (fault, SYNOD_IO, "cannot bind %s: %s", endpoint, error ? strerror (error) : "it is in use");
}

/* The address at which others reach a socket that is bound to all interfaces: that of the interface which czmq is told
 * to use (ZSYS_INTERFACE), or else of the first that is not the loopback. TEXT has INET_ADDRSTRLEN bytes. */
static void s_own_address (char *text)
{
    struct ifaddrs *all = NULL;
    const char *wanted = zsys_interface ();
    snprintf (text, INET_ADDRSTRLEN, "127.0.0.1");
    if (getifaddrs (&all))
        return;
    for (struct ifaddrs *one = all; one; one = one->ifa_next) {
        if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || !(one->ifa_flags & IFF_UP))
            continue;
        char own[INET_ADDRSTRLEN];
        inet_ntop (AF_INET, &((struct sockaddr_in *) one->ifa_addr)->sin_addr, own, sizeof own);
        bool named = *wanted && (streq (wanted, one->ifa_name) || streq (wanted, own));
        bool any = (!*wanted || streq (wanted, "*")) && !(one->ifa_flags & IFF_LOOPBACK);
        if (named || any) {
            memcpy (text, own, sizeof own);
            break;
        }
    }
    freeifaddrs (all);
}

/* libzmq cuts a port that is too large down to some other one, and connects to port 0 for ever. */
static int s_port_valid (const char *endpoint, bool to_bind, synod_fault_t *fault)
{
    const char *colon = strrchr (endpoint, ':');
    if (strncmp (endpoint, "tcp://", strlen ("tcp://")) != 0)
        return SYNOD_OK;
    const char *text = colon + 1;
    char *end = NULL;
    unsigned long port = isdigit ((unsigned char) *text) ? strtoul (text, &end, 10) : ULONG_MAX;
    if (to_bind && (streq (text, "*") || streq (text, "0")))
        return SYNOD_OK;
    if (end && *end == 0 && port >= 1 && port <= UINT16_MAX)
        return SYNOD_OK;
    return synod_fault (fault, SYNOD_INVALID, "%s: expected a port from 1 to 65535%s behind the last colon", endpoint,
                        to_bind ? " or *" : "");
}

/* A sentence for what libzmq did not like. */
static int s_refused (const char *what, const char *endpoint, synod_fault_t *fault)
{
    int error = zmq_errno ();
    int code = error == EINVAL || error == EPROTONOSUPPORT || error == ENOCOMPATPROTO ? SYNOD_INVALID : SYNOD_IO;
    return synod_fault (fault, code, "cannot %s %s: %s", what, endpoint, zmq_strerror (error));
}

int synod__socket_bind (zsock_t *self, const char *endpoint, char *real, synod_fault_t *fault)
{
    void *handle = zsock_resolve (self);
    int rc = s_port_valid (endpoint, true, fault);
    if (rc == SYNOD_OK && strncmp (endpoint, "ipc://", strlen ("ipc://")) == 0)
        rc = s_ipc_free (endpoint, fault);
    if (rc)
        return rc;
    while (zmq_bind (handle, endpoint))
        if (zmq_errno () != EINTR) /* a signal: before anything was done */
            return s_refused ("bind", endpoint, fault);
    char bound[S_ENDPOINT_MAX];
    size_t size = sizeof bound;
    if (zmq_getsockopt (handle, ZMQ_LAST_ENDPOINT, bound, &size))
        return synod_fault (fault, SYNOD_INVALID, "%s is longer than the %d bytes that an endpoint may have", endpoint,
                            S_ENDPOINT_MAX - 1);
    const char *all = "tcp://0.0.0.0:";
    if (strncmp (bound, all, strlen (all)) == 0) {
        char own[INET_ADDRSTRLEN];
        s_own_address (own);
        snprintf (real, S_ENDPOINT_MAX, "tcp://%s:%.5s", own, bound + strlen (all));
    } else
        memcpy (real, bound, size);
    return SYNOD_OK;
}

int synod__socket_connect (zsock_t *self, const char *endpoint, synod_fault_t *fault)
{
    int rc = s_port_valid (endpoint, false, fault);
    if (rc != SYNOD_OK)
        return rc;
    while (zmq_connect (zsock_resolve (self), endpoint))
        if (zmq_errno () != EINTR)
            return s_refused ("connect to", endpoint, fault);
    return SYNOD_OK;
}

/* Set while a message that was refused is closed: its memory goes back to the caller. */
static _Thread_local bool s_keep;

static void s_free (void *data, void *hint)
{
    (void) hint;
    if (!s_keep)
        free (data);
}

/* zmq_msg_send that a signal does not end, and that says EAGAIN only when that is so: libzmq looks for what a peer has
 * read only now and then while sending, but always when asked for events. */
int synod__socket_send_msg (zsock_t *self, zmq_msg_t *msg, int flags)
{
    void *handle = zsock_resolve (self);
    bool asked = false;
    for (;;) {
        int rc = zmq_msg_send (msg, handle, flags | ZMQ_DONTWAIT);
        if (rc >= 0 || (zmq_errno () != EINTR && (zmq_errno () != EAGAIN || asked)))
            return rc;
        if (zmq_errno () == EAGAIN) {
            synod__socket_events (self);
            asked = true;
        }
    }
}

static int s_error (void)
{
    switch (zmq_errno ()) {
    case EAGAIN:
        return SYNOD_BUSY;
    case EHOSTUNREACH:
        return SYNOD_NODE_DOWN;
    case ENOMEM:
        return SYNOD_NO_MEMORY;
    case ETERM:
        return SYNOD_STOPPED;
    default:
        return SYNOD_IO;
    }
}

/* The frame as a message: large ones are lent (s_free), small ones copied. */
static int s_body (zmq_msg_t *msg, const synod_buf_t *frame)
{
    if (frame->size >= S_GIVE_AWAY)
        return zmq_msg_init_data (msg, frame->data, frame->size, s_free, NULL);
    if (zmq_msg_init_size (msg, frame->size))
        return -1;
    if (frame->size > 0)
        memcpy (zmq_msg_data (msg), frame->data, frame->size);
    return 0;
}

static int s_send_identity (zsock_t *self, synod_str_t identity)
{
    zmq_msg_t msg;
    if (zmq_msg_init_size (&msg, identity.size))
        return SYNOD_NO_MEMORY;
    memcpy (zmq_msg_data (&msg), identity.data, identity.size);
    if (synod__socket_send_msg (self, &msg, ZMQ_SNDMORE) >= 0)
        return SYNOD_OK;
    int code = s_error ();
    zmq_msg_close (&msg);
    return code;
}

int synod__socket_send (zsock_t *self, synod_str_t identity, synod_buf_t *frame)
{
    zmq_msg_t body;
    if (s_body (&body, frame))
        return SYNOD_NO_MEMORY;
    /* a ROUTER refuses the identity or nothing: behind an accepted one it takes the frame, or drops it with a peer
     * that went away in between */
    int code = identity.size > 0 ? s_send_identity (self, identity) : SYNOD_OK;
    if (code == SYNOD_OK && synod__socket_send_msg (self, &body, 0) < 0)
        code = s_error ();
    if (code) {
        s_keep = true;
        zmq_msg_close (&body);
        s_keep = false;
    } else if (frame->size >= S_GIVE_AWAY)
        memset (frame, 0, sizeof *frame);
    else
        frame->size = 0;
    return code;
}

static int s_receive (zmq_msg_t *msg, void *handle)
{
    int rc;
    do
        rc = zmq_msg_recv (msg, handle, ZMQ_DONTWAIT);
    while (rc == -1 && zmq_errno () == EINTR);
    return rc;
}

int synod__socket_receive (zsock_t *self, zmq_msg_t *identity, zmq_msg_t *msg)
{
    void *handle = zsock_resolve (self);
    if (identity && s_receive (identity, handle) < 0)
        return SYNOD_NOT_FOUND;
    bool whole = !identity || zmq_msg_more (identity);
    if (whole && s_receive (msg, handle) < 0)
        return identity ? SYNOD_BAD_FRAME : SYNOD_NOT_FOUND;
    if (whole && !zmq_msg_more (msg))
        return SYNOD_OK;
    while (zmq_msg_more (msg))
        if (s_receive (msg, handle) < 0)
            break;
    zmq_msg_close (msg);
    zmq_msg_init (msg);
    return SYNOD_BAD_FRAME;
}

int synod__socket_events (zsock_t *self)
{
    int events = 0;
    size_t size = sizeof events;
    int rc;
    do
        rc = zmq_getsockopt (zsock_resolve (self), ZMQ_EVENTS, &events, &size);
    while (rc == -1 && zmq_errno () == EINTR);
    return rc ? 0 : events;
}
