/* SPDX-License-Identifier: MPL-2.0
 *
 * Connections of a gateway on real sockets: what comes in whatever pieces is answered, what waits is bounded, who takes
 * nothing or sends too much is closed, and so are all when the actor fails; the others never notice.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <synod/synod.h>

/* ---- a gateway: lines. "=N" answers N bytes, "fail" fails, "bad" is an error, all else comes back ---- */

static synod_str_t s_endpoint (const void *args)
{
    (void) args;
    return synod_str ("127.0.0.1:0");
}

static void s_add (synod_buf_t *out, const char *bytes, size_t size)
{
    if (out->capacity - out->size < size) {
        out->capacity = (out->size + size) * 2;
        out->data = (char *) realloc (out->data, out->capacity);
    }
    if (bytes)
        memcpy (out->data + out->size, bytes, size);
    else
        memset (out->data + out->size, 'x', size);
    out->size += size;
}

static int s_on_bytes (synod_ctx_t *ctx, void *self, synod_conn_t *conn, synod_str_t in, size_t *used)
{
    (void) self;
    while (!synod_conn_full (conn)) {
        const char *line = in.data + *used, *end = (const char *) memchr (line, '\n', in.size - *used);
        if (!end)
            return SYNOD_OK;
        size_t size = (size_t) (end - line) + 1;
        *used += size;
        if (size == 5 && memcmp (line, "fail", 4) == 0)
            return synod_error (ctx, SYNOD_FAILED, "as it was told");
        s_add (synod_conn_out (conn), *line == '=' ? NULL : line, *line == '=' ? strtoul (line + 1, NULL, 10) : size);
        if (size == 4 && memcmp (line, "bad", 3) == 0)
            return synod_error (ctx, SYNOD_REFUSED, "that was bad");
    }
    return SYNOD_OK;
}

static const synod_gateway_t s_gateway = {.endpoint = s_endpoint,
                                          .conns = 3,
                                          .in_bytes = 100000,
                                          .out_bytes = 100000,
                                          .stuck_ms = 300,
                                          .on_bytes = s_on_bytes};

static const synod_actor_t s_actor = {.name = "lines", .gateway = &s_gateway};

/* ---- around it ---- */

static pthread_mutex_t s_lock = PTHREAD_MUTEX_INITIALIZER;
static char s_log[65536];
static synod_node_t *s_node;

static void s_on_log (void *arg, int level, const char *text)
{
    (void) arg;
    (void) level;
    pthread_mutex_lock (&s_lock);
    size_t size = strlen (s_log);
    snprintf (s_log + size, sizeof s_log - size, "%s\n", text);
    pthread_mutex_unlock (&s_lock);
}

static bool s_said (const char *text)
{
    pthread_mutex_lock (&s_lock);
    bool said = strstr (s_log, text) != NULL;
    pthread_mutex_unlock (&s_lock);
    return said;
}

static void s_until_said (const char *text)
{
    for (int i = 0; i < 1000 && !s_said (text); i++)
        poll (NULL, 0, 10);
    if (!s_said (text))
        fail_msg ("nobody said \"%s\":\n%s", text, s_log);
}

static int s_up (void **state)
{
    const synod_options_t options = {.direct = true, .listen = "tcp://127.0.0.1:*", .log = s_on_log};
    synod_fault_t fault = {0};
    (void) state;
    s_log[0] = 0;
    s_node = synod_node_new (&options, &fault);
    if (!s_node || synod_node_add (s_node, &s_actor, NULL, &fault) || synod_node_start (s_node, &fault))
        fail_msg ("%s", fault.text);
    return 0;
}

static int s_down (void **state)
{
    (void) state;
    synod_node_destroy (&s_node);
    return 0;
}

static int s_connect (void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    struct timeval patience = {.tv_sec = 10};
    s_until_said ("listens at 127.0.0.1:");
    at.sin_port = htons ((uint16_t) strtol (strstr (s_log, "127.0.0.1:") + 10, NULL, 10));
    inet_pton (AF_INET, "127.0.0.1", &at.sin_addr);
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal (connect (fd, (struct sockaddr *) &at, sizeof at), 0);
    return fd;
}

static void s_send (int fd, const char *text)
{
    assert_int_equal (send (fd, text, strlen (text), MSG_NOSIGNAL), (ssize_t) strlen (text));
}

static void s_comes (int fd, const char *text)
{
    char got[256] = "";
    assert_int_equal (recv (fd, got, strlen (text), MSG_WAITALL), (ssize_t) strlen (text));
    assert_string_equal (got, text);
}

static void s_closed (int fd)
{
    char got[4096];
    ssize_t size;
    while ((size = recv (fd, got, sizeof got, 0)) > 0)
        ;
    assert_true (size == 0 || errno == ECONNRESET);
    close (fd);
}

static void pieces (void **state)
{
    int fd = s_connect ();
    (void) state;
    for (const char *p = "one\ntwo\nthree\n"; *p; p++) {
        assert_int_equal (send (fd, p, 1, MSG_NOSIGNAL), 1);
        poll (NULL, 0, 1);
    }
    s_comes (fd, "one\ntwo\nthree\n");
    shutdown (fd, SHUT_WR);
    s_closed (fd);
}

/* Far more is asked for than may wait; all of it comes. */
static void much (void **state)
{
    int fd = s_connect ();
    size_t left = 500 * 50000;
    char lines[500 * 7 + 1];
    (void) state;
    for (int i = 0; i < 500; i++)
        memcpy (lines + i * 7, "=50000\n", 8);
    s_send (fd, lines); /* in one piece: nothing more comes that would wake it */
    while (left) {
        char got[65536];
        ssize_t size = recv (fd, got, left < sizeof got ? left : sizeof got, 0);
        assert_true (size > 0);
        left -= (size_t) size;
    }
    s_send (fd, "still here\n");
    s_comes (fd, "still here\n");
    close (fd);
}

static void not_read (void **state)
{
    int fd = s_connect (), other = s_connect ();
    (void) state;
    s_send (fd, "=90000000\n");
    s_until_said ("it does not read what is written to it");
    s_send (other, "here\n");
    s_comes (other, "here\n");
    s_closed (fd);
    close (other);
}

static void too_long (void **state)
{
    int fd = s_connect ();
    static char text[300001];
    (void) state;
    memset (text, 'x', sizeof text - 1);
    send (fd, text, sizeof text - 1, MSG_NOSIGNAL);
    s_until_said ("its request is larger than a connection may have");
    s_closed (fd);
}

static void too_many (void **state)
{
    int fds[3], fd;
    (void) state;
    for (int i = 0; i < 3; i++) {
        fds[i] = s_connect ();
        s_send (fds[i], "a\n");
        s_comes (fds[i], "a\n");
    }
    fd = s_connect ();
    s_closed (fd);
    assert_true (s_said ("takes no more connections: there are 3 already"));
    shutdown (fds[0], SHUT_WR);
    s_closed (fds[0]);
    fd = s_connect ();
    s_send (fd, "b\n");
    s_comes (fd, "b\n");
    close (fd);
    close (fds[1]);
    close (fds[2]);
}

static void errors (void **state)
{
    int fd = s_connect (), other = s_connect ();
    (void) state;
    s_send (other, "c\n");
    s_comes (other, "c\n");
    s_send (fd, "bad\n");
    char got;
    assert_int_equal (recv (fd, &got, 1, 0), 0); /* and nothing was written */
    close (fd);
    assert_true (s_said ("that was bad"));
    fd = s_connect ();
    s_send (fd, "fail\n");
    s_closed (fd);
    s_closed (other); /* the actor began anew */
    fd = s_connect ();
    s_send (fd, "again\n");
    s_comes (fd, "again\n");
    close (fd);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_up, s_down)
    const struct CMUnitTest tests[] = {TEST (pieces),   TEST (much),     TEST (not_read),
                                       TEST (too_long), TEST (too_many), TEST (errors)};
    return cmocka_run_group_tests_name ("bus/gate", tests, NULL, NULL);
}
