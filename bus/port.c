/* SPDX-License-Identifier: MPL-2.0
 *
 * The port's life, and its sockets. It decides nothing: what arrives goes to the runtime, what the runtime wants sent is
 * sent.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include "actors/place/member.h"
#include "port_internal.h"

#define S_BUS "tcp://127.0.0.1:5570"

/* ---- what the runtime asks for ---- */

static uint64_t s_random (void *host)
{
    synod__port_t *self = (synod__port_t *) host; /* xorshift128+ */
    uint64_t a = self->random[0], b = self->random[1];
    self->random[0] = b;
    a ^= a << 23;
    self->random[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
    return self->random[1] + b;
}

static int64_t s_wall_us (void *host)
{
    (void) host;
    return synod__wall_us ();
}

static void s_stderr (void *arg, int level, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void) arg;
    if (level <= SYNOD_LOG_INFO)
        fprintf (stderr, "synod: %s: %s\n", names[level < 0 ? 0 : level], text);
}

static void s_log (void *host, int level, const char *actor, const char *text)
{
    synod__port_t *self = (synod__port_t *) host;
    char line[1400];
    snprintf (line, sizeof line, "%s/%s: %s", self->name, actor, text);
    self->options.log (self->options.log_arg, level, line);
}

static const synod__host_t s_host = {.send = synod__host_send,
                                     .publish = synod__host_publish,
                                     .answer = synod__host_answer,
                                     .subscribe = synod__host_subscribe,
                                     .unsubscribe = synod__host_unsubscribe,
                                     .listen = synod__host_listen,
                                     .link_open = synod__host_link_open,
                                     .link_close = synod__host_link_close,
                                     .topics_open = synod__host_topics_open,
                                     .topics_join = synod__host_topics_join,
                                     .topics_leave = synod__host_topics_leave,
                                     .random = s_random,
                                     .wall_us = s_wall_us,
                                     .log = s_log,
                                     .gate_open = synod__host_gate_open};

/* ---- sockets ---- */

synod__end_t *synod__port_add (synod__port_t *self, synod__end_kind_t kind, zsock_t *socket, uint32_t link, bool poll)
{
    synod__end_t *end = (synod__end_t *) zmalloc (sizeof *end);
    end->kind = kind;
    end->socket = socket;
    end->link = link;
    if (poll)
        end->poll = synod__poller_add (self->poller, socket, ZMQ_POLLIN, end);
    end->next = self->ends;
    self->ends = end;
    if (kind == SYNOD__SOCKET_LINK)
        HASH_ADD (hh, self->links, link, sizeof end->link, end);
    if (kind == SYNOD__SOCKET_LINK && !end->hh.tbl)
        abort (); /* as zmalloc does */
    return end;
}

synod__end_t *synod__port_add_fd (synod__port_t *self, synod__end_kind_t kind, uint32_t link, int fd)
{
    synod__end_t *end = synod__port_add (self, kind, NULL, link, false);
    end->poll = synod__poller_add_fd (self->poller, fd, end);
    return end;
}

/* The list is walked while ends are closed, so they leave it at the end of the turn. */
void synod__port_close (synod__port_t *self, synod__end_t *end)
{
    if (end->closed)
        return;
    if (end->other) { /* libzmq's thread would wait for ever on a monitor that nobody reads, so that is stopped first */
        synod__end_t *other = end->other;
        zmq_socket_monitor (zsock_resolve (end->kind == SYNOD__SOCKET_LINK ? end->socket : other->socket), NULL, 0);
        end->other = other->other = NULL;
        synod__port_close (self, other);
    }
    if (end->poll)
        synod__poller_remove (self->poller, &end->poll);
    if (end->kind == SYNOD__SOCKET_LINK)
        HASH_DEL (self->links, end);
    if (end->kind == SYNOD__SOCKET_GATE || end->kind == SYNOD__SOCKET_CONNECTION)
        synod__port_gate_close (self, end);
    else if (end->kind == SYNOD__SOCKET_LISTENER || end->kind == SYNOD__SOCKET_WIRE || end->wire)
        synod__port_wire_close (self, end);
    else if (end->kind != SYNOD__SOCKET_BEACON)
        zsock_destroy (&end->socket);
    end->closed = self->closing = true;
}

void synod__port_sweep (synod__port_t *self)
{
    if (!self->closing)
        return;
    self->closing = false;
    for (synod__end_t **at = &self->found; *at;) {
        if ((*at)->closed)
            *at = (*at)->found_next;
        else
            at = &(*at)->found_next;
    }
    for (synod__end_t **at = &self->ends; *at;) {
        synod__end_t *end = *at;
        if (!end->closed) {
            at = &end->next;
            continue;
        }
        *at = end->next;
        free (end);
    }
}

/* ---- life ---- */

static char *s_copy (const char *text)
{
    return text ? strdup (text) : NULL;
}

static void s_options (synod__port_t *self, const synod_options_t *given)
{
    static const synod_options_t none;
    const char *environment = getenv ("SYNOD_BUS");
    synod_options_t *options = &self->options;
    *options = given ? *given : none;
    self->brokered = !(options->direct || options->listen || options->peers || options->beacon);
    options->direct = !self->brokered;
    options->bus = s_copy (options->bus ? options->bus : environment && *environment ? environment : S_BUS);
    options->listen = s_copy (options->listen ? options->listen : "tcp://127.0.0.1:*");
    options->name = NULL;
    options->data = s_copy (options->data);
    options->zone = s_copy (options->zone);
    size_t count = 0;
    while (options->peers && options->peers[count])
        count++;
    char **peers = (char **) zmalloc ((count + 1) * sizeof *peers);
    for (size_t i = 0; i < count; i++)
        peers[i] = s_copy (options->peers[i]);
    options->peers = (const char *const *) peers;
    options->heartbeat_ms = options->heartbeat_ms ? options->heartbeat_ms : SYNOD_HEARTBEAT_MS;
    options->connect_ms = options->connect_ms ? options->connect_ms : 5000;
    options->linger_ms = options->linger_ms ? options->linger_ms : 1000;
    options->drain_ms = options->drain_ms ? options->drain_ms : 5000;
    options->queue_bytes = options->queue_bytes ? options->queue_bytes : SYNOD_QUEUE_MAX;
    if (!options->log)
        options->log = s_stderr;
}

static int s_name (synod__port_t *self, const synod_options_t *given, synod_fault_t *fault)
{
    const char *name = given ? given->name : NULL;
    if (name && !synod__name_ok (synod_str (name), false))
        return synod_fault (fault, SYNOD_BAD_ADDRESS,
                            "a node's name has 1 to %d letters, digits, _ - or . and begins with none of $, got \"%s\"",
                            SYNOD_NAME_MAX, name);
    if (name)
        snprintf (self->name, sizeof self->name, "%s", name);
    else {
        int size = snprintf (self->name, sizeof self->name, "%.30s-%d-%06x", program_invocation_short_name,
                             (int) getpid (), (unsigned) (s_random (self) & 0xffffff));
        for (int i = 0; i < size; i++)
            if (!isalnum ((unsigned char) self->name[i]) && !strchr ("_-.", self->name[i]))
                self->name[i] = '-';
    }
    return SYNOD_OK;
}

/* What it is told of a ring. */
static int s_ring (const synod__port_t *self, synod_fault_t *fault)
{
    const char *zone = self->options.zone;
    if (zone && !synod__name_ok (synod_str (zone), false))
        return synod_fault (fault, SYNOD_INVALID, "a zone has 1 to %d letters, digits, _ - or ., got \"%s\"",
                            SYNOD_NAME_MAX, zone);
    if (self->options.weight > SYNOD__WEIGHT_MAX)
        return synod_fault (fault, SYNOD_INVALID, "a weight is 1 to %d, 100 is that of a node like others; got %u",
                            SYNOD__WEIGHT_MAX, self->options.weight);
    return SYNOD_OK;
}

/* Same text: same kernel and same user, so ipc sockets of one can be reached by the other. */
static void s_host_id (synod__port_t *self)
{
    char boot[40] = "";
    FILE *file = fopen ("/proc/sys/kernel/random/boot_id", "r");
    if (!file)
        return;
    if (fscanf (file, "%36s", boot) == 1)
        snprintf (self->host, sizeof self->host, "%s.%u", boot, (unsigned) geteuid ());
    fclose (file);
}

static int s_open (synod__port_t *self, synod_fault_t *fault)
{
    char wildcard[256];
    int rc = synod__port_disk_open (self, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (self->brokered)
        rc = synod__port_link_open (self, SYNOD__LINK_BROKER, self->options.bus, fault);
    else {
        rc = synod__port_inbox_open (self, self->options.listen, fault);
        /* publications have an endpoint beside the inbox's: a free port, or a path of their own */
        const char *colon = strrchr (self->inbox_endpoint, ':');
        if (strncmp (self->inbox_endpoint, "tcp://", 6) == 0 && colon)
            snprintf (wildcard, sizeof wildcard, "%.*s:*", (int) (colon - self->inbox_endpoint), self->inbox_endpoint);
        else
            snprintf (wildcard, sizeof wildcard, "%.240s.pub", self->inbox_endpoint);
        if (rc == SYNOD_OK)
            rc = synod__port_topics_listen (self, wildcard, fault);
    }
    if (rc != SYNOD_OK)
        return rc;
    synod__rt_config_t config = {.node = self->name,
                                 .incarnation = self->incarnation,
                                 .host = self->host,
                                 .brokered = self->brokered,
                                 .client = self->client,
                                 .directory = !self->options.no_directory,
                                 .links = !self->options.no_links,
                                 .endpoint = self->brokered ? "" : self->inbox_endpoint,
                                 .topics = self->topics_endpoint,
                                 .peers = self->options.peers,
                                 .heartbeat_ms = self->options.heartbeat_ms,
                                 .drain_ms = self->options.drain_ms,
                                 .queue_bytes = self->options.queue_bytes,
                                 .alone = self->options.alone,
                                 .zone = self->options.zone,
                                 .weight = self->options.weight,
                                 .disk = self->disk};
    self->rt = synod__rt_new (&config, &s_host, self);
    if (self->disk && self->disk->fd >= 0)
        synod__port_add_fd (self, SYNOD__SOCKET_DISK, 0, self->disk->fd);
    if (self->options.beacon && !self->brokered) {
        self->beacon = synod__beacon_new (self->options.beacon, self->inbox_endpoint, fault);
        if (!self->beacon)
            return fault ? fault->code : SYNOD_IO;
        synod__port_add (self, SYNOD__SOCKET_BEACON, synod__beacon_socket (self->beacon), 0, true);
    }
    return SYNOD_OK;
}

synod__port_t *synod__port_new (const synod_options_t *options, bool client, bool pull, synod_fault_t *fault)
{
    synod__sys_init ();
    synod__port_t *self = (synod__port_t *) zmalloc (sizeof *self);
    self->client = client;
    self->pull = pull;
    pthread_mutex_init (&self->lock, NULL);
    zmq_msg_init (&self->msg);
    if (getrandom (self->random, sizeof self->random, 0) != (ssize_t) sizeof self->random)
        self->random[0] = (uint64_t) synod__wall_us ();
    self->random[1] |= 1; /* never all zero */
    s_options (self, options);
    s_host_id (self);
    self->poller = synod__poller_new ();
    int rc =
        self->poller ? s_name (self, options, fault) : synod_fault (fault, SYNOD_IO, "no epoll: %s", strerror (errno));
    if (rc == SYNOD_OK)
        rc = s_ring (self, fault);
    if (rc == SYNOD_OK)
        rc = s_open (self, fault);
    if (rc != SYNOD_OK)
        synod__port_destroy (&self);
    return self;
}

void synod__port_destroy (synod__port_t **self_p)
{
    synod__port_t *self = *self_p;
    if (!self)
        return;
    if (self->rt && !self->in_turn) { /* what its end still has to say leaves */
        synod__rt_turn_begin (self->rt, synod__now_us ());
        synod__rt_turn_end (self->rt);
    }
    synod__rt_destroy (&self->rt);
    synod__port_unlink (self->inbox_endpoint);
    synod__port_unlink (self->topics_endpoint);
    synod__port_publish_close (self);
    for (synod__end_t *end = self->ends; end; end = end->next)
        synod__port_close (self, end);
    synod__port_sweep (self);
    if (self->disk)
        self->disk->ops->close (&self->disk);
    synod__beacon_destroy (&self->beacon);
    synod__port_topics_free (self);
    synod__port_arrivals_free (self);
    while (self->wanted) {
        synod__wanted_t *wanted = self->wanted;
        self->wanted = wanted->next;
        free (wanted);
    }
    synod__poller_destroy (&self->poller);
    zmq_msg_close (&self->msg);
    pthread_mutex_destroy (&self->lock);
    free ((void *) self->options.bus);
    free ((void *) self->options.listen);
    free ((void *) self->options.data);
    free ((void *) self->options.zone);
    for (const char *const *peer = self->options.peers; peer && *peer; peer++)
        free ((void *) *peer);
    free ((void *) self->options.peers);
    free (self);
    *self_p = NULL;
}

synod__rt_t *synod__port_rt (synod__port_t *self)
{
    return self->rt;
}

const char *synod__port_name (const synod__port_t *self)
{
    return self->name;
}

uint64_t synod__port_incarnation (const synod__port_t *self)
{
    return self->incarnation;
}

const synod_options_t *synod__port_options (const synod__port_t *self)
{
    return &self->options;
}

synod__poller_t *synod__port_poller (synod__port_t *self)
{
    return self->poller;
}

const char *synod__port_endpoint (const synod__port_t *self)
{
    return self->brokered ? self->options.bus : self->inbox_endpoint;
}
