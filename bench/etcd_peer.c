/* SPDX-License-Identifier: MPL-2.0
 *
 * The clients of the benchmark on etcd: each puts its own key again and again, one put at a time, by gRPC (an HTTP/2
 * stream a call: `POST /etcdserverpb.KV/Put`, five bytes before the message, its status in the trailers). One thread
 * on nghttp2 in place of gRPC's library, so that the clients take as little of the machine from the servers as they
 * can: what one read brings is answered by one write. Of etcd's messages only the fields used here are written and
 * read.
 *
 * A run is void unless each put was answered with status 0 and, by a read at the end, etcd counts as many versions of
 * the keys as puts, and each key has its client's last value.
 */
#include "tools/measure.h"
#include "bench/protobuf.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 1000
#define KEYS_FIRST  "bench/" /* and four digits: keys from this one on, until the next */
#define KEYS_END    "bench0"
#define KEY_SIZE    10
#define VALUE_MAX   4096 /* of a value */
#define PREFIX      5    /* gRPC's: 0 for uncompressed, four bytes of length */
#define OUT_MAX     (256 * 1024)
#define ANSWER_MAX  (CLIENTS_MAX * (VALUE_MAX + 100))

/* ---- the clients ---- */

struct peer;

/* One client: one put at a time, of a key of its own. */
typedef struct {
    struct peer *peer;
    struct connection *connection;
    uint64_t number;   /* of its put under way or last */
    uint64_t versions; /* of its key, by its answers */
    uint8_t *request;  /* a message behind its prefix */
    size_t size;
    size_t written; /* of it, into frames */
    uint8_t *answer;
    size_t taken;
    size_t room;
    bool refused; /* an HTTP status other than 200, a gRPC status other than 0 */
    bool settled; /* the trailers have come */
} client_t;

typedef struct connection {
    int fd;
    nghttp2_session *session;
    uint8_t *out;
    size_t from; /* out[from..until) waits to be written */
    size_t until;
} connection_t;

typedef struct peer {
    const char *bus;
    uint64_t size;
    uint64_t count;
    uint64_t clients;
    uint64_t connections;
    uint64_t quiet_ms;
    bool json;
    synod__measure_t run;
    connection_t connection[CLIENTS_MAX];
    client_t client[CLIENTS_MAX];
    client_t reader; /* of all keys, when the run is over */
    uint64_t sent;
    bool done;
    bool failed;
} peer_t;

static void fail (peer_t *self, const char *what, const char *why)
{
    if (!self->failed)
        fprintf (stderr, "etcd_peer: %s: %s\n", what, why);
    self->failed = true;
}

static ssize_t on_request (nghttp2_session *session, int32_t stream, uint8_t *out, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *user)
{
    client_t *client = source->ptr;
    (void) session;
    (void) stream;
    (void) user;
    size_t n = client->size - client->written;
    if (n > room)
        n = room;
    memcpy (out, client->request + client->written, n);
    client->written += n;
    if (client->written == client->size)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t) n;
}

static nghttp2_nv header (const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *) name, (uint8_t *) value, strlen (name), strlen (value), NGHTTP2_NV_FLAG_NONE};
}

/* Calls PATH with the message that ends at END. */
static void call (client_t *client, const char *path, const uint8_t *end)
{
    peer_t *self = client->peer;
    client->size = (size_t) (end - client->request);
    client->written = 0;
    client->taken = 0;
    client->refused = client->settled = false;
    size_t size = client->size - PREFIX;
    client->request[0] = 0;
    for (int i = 0; i < 4; i++)
        client->request[1 + i] = (uint8_t) (size >> (24 - 8 * i));
    const nghttp2_nv headers[] = {header (":method", "POST"), header (":scheme", "http"),
                                  header (":path", path),     header (":authority", self->bus),
                                  header ("te", "trailers"),  header ("content-type", "application/grpc")};
    nghttp2_data_provider data = {.source = {.ptr = client}, .read_callback = on_request};
    int32_t stream = nghttp2_submit_request (client->connection->session, NULL, headers,
                                             sizeof headers / sizeof headers[0], &data, client);
    if (stream < 0)
        fail (self, "cannot call", nghttp2_strerror (stream));
}

static size_t key_of (const client_t *client, char *key, size_t size)
{
    return (size_t) snprintf (key, size, KEYS_FIRST "%04zu", (size_t) (client - client->peer->client));
}

static void put (client_t *client)
{
    peer_t *self = client->peer;
    char key[32], value[VALUE_MAX];
    if (self->sent == self->count)
        return;
    client->number = self->sent++;
    memset (value, 'x', self->size);
    synod__measure_stamp (value, client->number);
    uint8_t *end = put_bytes (client->request + PREFIX, 1, key, key_of (client, key, sizeof key));
    end = put_bytes (end, 2, value, self->size);
    synod__measure_sent (&self->run, client->number);
    client->versions++;
    call (client, "/etcdserverpb.KV/Put", end);
}

/* The whole message of CLIENT's answer, unless the call was refused or cut short. */
static bool answer_of (const client_t *client, bytes_t *message)
{
    size_t size = 0;
    for (int i = 0; client->taken >= PREFIX && i < 4; i++)
        size = size << 8 | client->answer[1 + i];
    if (client->refused || !client->settled || client->taken < PREFIX || client->answer[0] != 0 ||
        size != client->taken - PREFIX)
        return false;
    *message = (bytes_t){client->answer + PREFIX, client->answer + PREFIX + size};
    return true;
}

/* A put's answer has etcd's header (field 1), in which its revision is field 3. */
static bool is_put (bytes_t message)
{
    uint64_t field, value;
    bytes_t head;
    if (!take_field (&message, &field, &value, &head) || field != 1)
        return false;
    while (take_field (&head, &field, &value, &message))
        if (field == 3)
            return value > 1;
    return false;
}

/* Compares a key-value (key 1, version 4, value 5) with what its client did; its versions. */
static uint64_t check_entry (peer_t *self, bytes_t entry)
{
    uint64_t field, value, versions = 0, number = UINT64_MAX;
    size_t size = 0, at = CLIENTS_MAX;
    bytes_t bytes;
    while (take_field (&entry, &field, &value, &bytes)) {
        char key[KEY_SIZE + 1] = "";
        if (field == 1 && bytes.at && value == KEY_SIZE) {
            memcpy (key, bytes.at, KEY_SIZE);
            at = (size_t) strtoul (key + strlen (KEYS_FIRST), NULL, 10);
        } else if (field == 4)
            versions = value;
        else if (field == 5 && bytes.at && (size = value) >= sizeof number)
            memcpy (&number, bytes.at, sizeof number);
    }
    if (at >= self->clients || versions != self->client[at].versions || number != self->client[at].number ||
        size != self->size)
        self->run.wrong++;
    return versions;
}

static void check_all (peer_t *self)
{
    uint64_t field, value, versions = 0;
    bytes_t message, entry;
    if (!answer_of (&self->reader, &message)) {
        fail (self, "cannot read the keys", "etcd refused it");
        return;
    }
    while (take_field (&message, &field, &value, &entry))
        if (field == 2)
            versions += check_entry (self, entry);
    if (message.at < message.end || versions != self->count)
        self->run.wrong++;
}

/* ---- HTTP/2 ---- */

static int on_header (nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                      const uint8_t *value, size_t value_size, uint8_t flags, void *user)
{
    client_t *client = nghttp2_session_get_stream_user_data (session, frame->hd.stream_id);
    (void) flags;
    (void) user;
    if (client && name_size == 7 && memcmp (name, ":status", 7) == 0 &&
        !(value_size == 3 && memcmp (value, "200", 3) == 0))
        client->refused = true;
    if (client && name_size == 11 && memcmp (name, "grpc-status", 11) == 0) {
        client->settled = true;
        if (value_size != 1 || value[0] != '0')
            client->refused = true;
    }
    return 0;
}

static int on_data (nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t size,
                    void *user)
{
    client_t *client = nghttp2_session_get_stream_user_data (session, stream);
    (void) flags;
    (void) user;
    if (!client)
        return 0;
    if (size > client->room - client->taken) {
        client->refused = true;
        return 0;
    }
    memcpy (client->answer + client->taken, data, size);
    client->taken += size;
    return 0;
}

static int on_close (nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    client_t *client = nghttp2_session_get_stream_user_data (session, stream);
    bytes_t message;
    char data[VALUE_MAX];
    (void) user;
    if (!client)
        return 0;
    peer_t *self = client->peer;
    if (client == &self->reader) {
        check_all (self);
        self->done = true;
        return 0;
    }
    if (code || !answer_of (client, &message) || !is_put (message)) {
        fail (self, "a put was not answered", nghttp2_http2_strerror (code));
        return 0;
    }
    synod__measure_stamp (data, client->number);
    self->done = synod__measure_answer (&self->run, data, self->size);
    put (client);
    return 0;
}

/* Writes what the session has to say, as far as the socket takes it. */
static void flush (peer_t *self, connection_t *connection)
{
    for (;;) {
        const uint8_t *data;
        ssize_t n = 0;
        while (connection->until < OUT_MAX / 2 && (n = nghttp2_session_mem_send (connection->session, &data)) > 0) {
            memcpy (connection->out + connection->until, data, (size_t) n);
            connection->until += (size_t) n;
        }
        if (n < 0)
            fail (self, "HTTP/2", nghttp2_strerror ((int) n));
        if (connection->from == connection->until)
            return;
        n = send (connection->fd, connection->out + connection->from, connection->until - connection->from,
                  MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                fail (self, "cannot write", strerror (errno));
            return;
        }
        connection->from += (size_t) n;
        if (connection->from == connection->until)
            connection->from = connection->until = 0;
    }
}

static void take (peer_t *self, connection_t *connection)
{
    static uint8_t in[64 * 1024];
    ssize_t n = recv (connection->fd, in, sizeof in, MSG_DONTWAIT);
    if (n == 0)
        fail (self, "cannot read", "etcd closed the connection");
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        fail (self, "cannot read", strerror (errno));
    else if (n > 0 && (n = nghttp2_session_mem_recv (connection->session, in, (size_t) n)) < 0)
        fail (self, "HTTP/2", nghttp2_strerror ((int) n));
}

/* Goes on until the run, or the read after it, is done, or nothing has come for quiet_ms. */
static void go (peer_t *self)
{
    struct pollfd items[CLIENTS_MAX];
    while (!self->done && !self->failed) {
        for (size_t i = 0; i < self->connections; i++) {
            connection_t *connection = &self->connection[i];
            flush (self, connection);
            short more = connection->from < connection->until ? POLLOUT : 0;
            items[i] = (struct pollfd){.fd = connection->fd, .events = (short) (POLLIN | more)};
        }
        if (self->failed || poll (items, self->connections, (int) self->quiet_ms) <= 0)
            break;
        for (size_t i = 0; i < self->connections && !self->failed; i++)
            if (items[i].revents & ~POLLOUT)
                take (self, &self->connection[i]);
    }
}

static bool connect_to (peer_t *self, connection_t *connection)
{
    char host[256];
    const char *colon = strrchr (self->bus, ':');
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    if (!colon || (size_t) snprintf (host, sizeof host, "%.*s", (int) (colon - self->bus), self->bus) >= sizeof host ||
        getaddrinfo (host, colon + 1, &hints, &found) != 0) {
        fail (self, "--bus expects HOST:PORT, not", self->bus);
        return false;
    }
    int on = 1;
    connection->fd = socket (found->ai_family, SOCK_STREAM, 0);
    if (connection->fd < 0 || connect (connection->fd, found->ai_addr, found->ai_addrlen) ||
        setsockopt (connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
        fail (self, "cannot connect", strerror (errno));
    freeaddrinfo (found);
    return !self->failed;
}

static bool connection_open (peer_t *self, connection_t *connection)
{
    nghttp2_session_callbacks *callbacks = NULL;
    connection->out = malloc (OUT_MAX);
    if (!connection->out || nghttp2_session_callbacks_new (&callbacks)) {
        fail (self, "cannot begin", "no memory");
        return false;
    }
    nghttp2_session_callbacks_set_on_header_callback (callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback (callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback (callbacks, on_close);
    int rc = nghttp2_session_client_new (&connection->session, callbacks, self);
    nghttp2_session_callbacks_del (callbacks);
    if (rc == 0)
        rc = nghttp2_submit_settings (connection->session, NGHTTP2_FLAG_NONE, NULL, 0);
    if (rc)
        fail (self, "HTTP/2", nghttp2_strerror (rc));
    return rc == 0 && connect_to (self, connection);
}

static bool client_open (peer_t *self, client_t *client, size_t at, size_t room)
{
    client->peer = self;
    client->connection = &self->connection[at % self->connections];
    client->request = malloc (PREFIX + VALUE_MAX + 64);
    client->answer = malloc (room);
    client->room = room;
    if (!client->request || !client->answer)
        fail (self, "cannot begin", "no memory");
    return !self->failed;
}

static void peer_close (peer_t *self)
{
    for (size_t i = 0; i < self->connections; i++) {
        nghttp2_session_del (self->connection[i].session);
        if (self->connection[i].fd > 0)
            close (self->connection[i].fd);
        free (self->connection[i].out);
    }
    for (size_t i = 0; i <= self->clients; i++) {
        client_t *client = i < self->clients ? &self->client[i] : &self->reader;
        free (client->request);
        free (client->answer);
    }
    synod__measure_free (&self->run);
}

static void put_all (peer_t *self)
{
    synod__measure_ready ();
    while (!synod__measure_started (1000))
        ;
    for (size_t i = 0; i < self->clients; i++)
        put (&self->client[i]);
    go (self);
    if (self->failed || !self->done)
        return;
    self->done = false;
    uint8_t *end = put_bytes (self->reader.request + PREFIX, 1, KEYS_FIRST, strlen (KEYS_FIRST));
    call (&self->reader, "/etcdserverpb.KV/Range", put_bytes (end, 2, KEYS_END, strlen (KEYS_END)));
    go (self);
    if (!self->done)
        fail (self, "cannot read the keys", "no answer");
}

int main (int argc, char **argv)
{
    static peer_t self = {.size = 64, .count = 10000, .clients = 1, .connections = 1, .quiet_ms = 5000};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the server, as HOST:PORT"},
        {"size", SYNOD__OPTION_NUMBER, &self.size, "bytes of a value (default 64)"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "puts of all clients together (default 10000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.clients, "clients, each with a key and one put at a time"},
        {"connections", SYNOD__OPTION_NUMBER, &self.connections, "of all clients together (default 1)"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.quiet_ms, "ms without an answer after which the rest is lost"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "etcd_peer --bus HOST:PORT";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.bus || self.size < SYNOD__MEASURE_SIZE_MIN || self.size > VALUE_MAX || self.clients < 1 ||
        self.clients > CLIENTS_MAX || self.connections < 1 || self.connections > self.clients) {
        fprintf (stderr, "usage: %s; sizes of %d to %d, 1 to %d clients, 1 to as many connections\n", usage,
                 SYNOD__MEASURE_SIZE_MIN, VALUE_MAX, CLIENTS_MAX);
        return 2;
    }
    self.run.system = "etcd";
    self.run.scenario = "put";
    self.run.size = (uint32_t) self.size;
    self.run.expected = self.count;
    bool ok = synod__measure_init (&self.run, true) == 0 && client_open (&self, &self.reader, 0, ANSWER_MAX);
    for (size_t i = 0; ok && i < self.connections; i++)
        ok = connection_open (&self, &self.connection[i]);
    for (size_t i = 0; ok && i < self.clients; i++)
        ok = client_open (&self, &self.client[i], i, 1024);
    if (ok) {
        put_all (&self);
        rc = synod__measure_report (&self.run, self.json);
    }
    rc = rc || !ok || self.failed;
    peer_close (&self);
    return rc;
}
