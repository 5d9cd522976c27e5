/* SPDX-License-Identifier: MPL-2.0
 *
 * Connections in memory: every command on a cache, sentences for what is wrong, replies in the order of requests however
 * answers come, and what happens to those who leave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "actors/cache/cache_actor.h"
#include "gate_host.h"
#include "slow.h"

static gate_host_t s_host;
static gate_conn_t *s_conn;

static void s_begin (const synod_actor_t *type, const void *args)
{
    synod_fault_t fault = {0};
    memset (&s_host, 0, sizeof s_host);
    if (gate_start (&s_host, type, args, &fault) != SYNOD_OK)
        fail_msg ("%s", fault.text);
    s_conn = gate_connect (&s_host);
    assert_non_null (s_conn->conn);
}

static int s_cache (void **state)
{
    const synod__cache_args_t args = {.redis = synod_str ("127.0.0.1:1")};
    (void) state;
    s_begin (&synod__cache_actor, &args);
    return 0;
}

static int s_slow (void **state)
{
    (void) state;
    s_begin (&slow_actor, NULL);
    return 0;
}

static int s_slow_ordered (void **state)
{
    (void) state;
    s_begin (&slow_ordered_actor, NULL);
    return 0;
}

static int s_over (void **state)
{
    (void) state;
    gate_end (&s_host);
    return 0;
}

/* What was written since the last time, lines ended by | alone. */
static const char *s_out (void)
{
    static char text[1 << 16];
    size_t size = 0;
    for (size_t i = 0; i < s_conn->out.size && size + 1 < sizeof text; i++)
        if (s_conn->out.data[i] != '\r')
            text[size++] = s_conn->out.data[i] == '\n' ? '|' : s_conn->out.data[i];
    text[size] = 0;
    s_conn->out.size = 0;
    return text;
}

static void s_feed (const char *text)
{
    gate_feed (&s_host, s_conn, text, strlen (text));
}

#define IS(request, reply)                     \
    do {                                       \
        s_feed (request "\r\n");               \
        assert_string_equal (s_out (), reply); \
    } while (0)

static void strings (void **state)
{
    (void) state;
    IS ("get a", "$-1|");
    IS ("set a 1", "+OK|");
    IS ("GeT a", "$1|1|");
    IS ("set a 2 nx", "$-1|");
    IS ("set a 2 xx get", "$1|1|");
    IS ("set b 2 xx", "$-1|");
    IS ("set b 2 nx get", "$-1|");
    IS ("set b 3 nx get", "$1|2|");
    IS ("get b", "$1|2|");
    IS ("setnx b 4", ":0|");
    IS ("setnx c 4", ":1|");
    IS ("getset c 5", "$1|4|");
    IS ("getdel c", "$1|5|");
    IS ("getdel c", "$-1|");
    IS ("append a xyz", ":4|");
    IS ("append new xyz", ":3|");
    IS ("strlen a", ":4|");
    IS ("strlen none", ":0|");
    IS ("type a", "+string|");
    IS ("type none", "+none|");
    IS ("mset x 1 y 2 x 3", "+OK|");
    IS ("mget x none y", "*3|$1|3|$-1|$1|2|");
    IS ("exists x x y none", ":3|");
    IS ("del x x none", ":1|");
    IS ("set k \"\"", "+OK|");
    IS ("get k", "$0||");
    IS ("set \"a\\x00b\" nul", "+OK|");
    IS ("get \"a\\x00b\"", "$3|nul|");
    IS ("get a", "$4|2xyz|");
}

static void numbers (void **state)
{
    (void) state;
    IS ("incr n", ":1|");
    IS ("incrby n 41", ":42|");
    IS ("decr n", ":41|");
    IS ("decrby n 51", ":-10|");
    IS ("get n", "$3|-10|");
    IS ("set n 9223372036854775807", "+OK|");
    IS ("incr n", "-ERR increment or decrement would overflow|");
    IS ("get n", "$19|9223372036854775807|");
    IS ("decrby n -9223372036854775808", "-ERR decrement would overflow|");
    IS ("incrby n x", "-ERR value is not an integer or out of range|");
    IS ("set n 01", "+OK|");
    IS ("incr n", "-ERR value is not an integer or out of range|");
    IS ("get n", "$2|01|");
}

static void deadlines (void **state)
{
    (void) state;
    IS ("set a 1 ex 10", "+OK|");
    IS ("ttl a", ":10|");
    IS ("pttl a", ":10000|");
    gate_run (&s_host, 3000);
    IS ("ttl a", ":7|");
    IS ("set a 2 keepttl", "+OK|");
    IS ("ttl a", ":7|");
    IS ("incr a", ":3|");
    IS ("append a 0", ":2|");
    IS ("pttl a", ":7000|");
    IS ("persist a", ":1|");
    IS ("persist a", ":0|");
    IS ("persist none", ":0|");
    IS ("ttl a", ":-1|");
    IS ("ttl none", ":-2|");
    IS ("expire a 5", ":1|");
    IS ("expire none 5", ":0|");
    IS ("pexpire a 1500", ":1|");
    IS ("pttl a", ":1500|");
    gate_run (&s_host, 1499);
    IS ("get a", "$2|30|");
    gate_run (&s_host, 1);
    IS ("get a", "$-1|");
    IS ("set a 1 px 20", "+OK|");
    IS ("set a 2", "+OK|");
    gate_run (&s_host, 30);
    IS ("get a", "$1|2|");
    IS ("expire a 0", ":1|");
    IS ("exists a", ":0|");
    IS ("setex a 2 x", "+OK|");
    IS ("psetex b 2000 x", "+OK|");
    IS ("pttl a", ":2000|");
    IS ("pttl b", ":2000|");
    IS ("expireat a 1", ":1|");
    IS ("get a", "$-1|");
    IS ("set a 1 pxat 1000000000500", "+OK|");
    IS ("pexpiretime b", ":1000000007530|");
    IS ("set a 1 ex 0", "-ERR invalid expire time in 'set' command|");
    IS ("set a 1 ex 9223372036854775807", "-ERR invalid expire time in 'set' command|");
    IS ("setex a -1 x", "-ERR invalid expire time in 'setex' command|");
    IS ("expire b 9223372036854775807", "-ERR invalid expire time in 'expire' command|");
    IS ("expire b x", "-ERR value is not an integer or out of range|");
    IS ("expire b 10 nx", "-ERR Unsupported option nx|");
}

static void mistakes (void **state)
{
    (void) state;
    IS ("nosuch a b", "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' |");
    IS ("get", "-ERR wrong number of arguments for 'get' command|");
    IS ("GET a b", "-ERR wrong number of arguments for 'get' command|");
    IS ("mset a", "-ERR wrong number of arguments for 'mset' command|");
    IS ("mset a b c", "-ERR wrong number of arguments for 'mset' command|");
    IS ("set a 1 nx xx", "-ERR syntax error|");
    IS ("set a 1 ex", "-ERR syntax error|");
    IS ("set a 1 ex 10 px 10", "-ERR syntax error|");
    IS ("set a 1 ex 10 keepttl", "-ERR syntax error|");
    IS ("set a 1 what", "-ERR syntax error|");
    IS ("set a 1 ex ten", "-ERR value is not an integer or out of range|");
    IS ("scan x", "-ERR invalid cursor|");
    IS ("scan 0 count 0", "-ERR syntax error|");
    IS ("scan 0 count", "-ERR syntax error|");
    IS ("select 1", "-ERR DB index is out of range|");
    IS ("select x", "-ERR value is not an integer or out of range|");
    IS ("config nosuch", "-ERR unknown subcommand 'nosuch'. Try CONFIG HELP.|");
    IS ("get \"\"", "-ERR a key has 1 to 400 bytes, this one has 0|");
    IS ("exists a", ":0|");
    s_feed ("*1\r\n$4\r\nPING\r\n*1\r\nPING\r\nPING\r\n");
    assert_string_equal (s_out (), "+PONG|-ERR Protocol error: expected '$', got 'P'|");
    assert_null (s_conn->conn);
}

static void large (void **state)
{
    size_t size = SYNOD__KV_VALUE_MAX;
    char *text = (char *) malloc (size + 64), begin[64];
    (void) state;
    int at = snprintf (begin, sizeof begin, "*3\r\n$3\r\nset\r\n$1\r\na\r\n$%zu\r\n", size);
    memset (text, 'x', size);
    memcpy (text + size, "\r\n", 2);
    s_feed (begin);
    for (size_t i = 0; i < size + 2; i += 50000)
        gate_feed (&s_host, s_conn, text + i, size + 2 - i < 50000 ? size + 2 - i : 50000);
    (void) at;
    assert_string_equal (s_out (), "+OK|");
    IS ("strlen a", ":1048576|");
    IS ("append a y", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)|");
    IS ("strlen a", ":1048576|");
    memset (text, 'k', 401);
    text[401] = 0;
    s_feed ("get ");
    s_feed (text);
    s_feed ("\r\n");
    assert_string_equal (s_out (), "-ERR a key has 1 to 400 bytes, this one has 401|");
    free (text);
}

static void server (void **state)
{
    (void) state;
    IS ("ping", "+PONG|");
    IS ("ping hello", "$5|hello|");
    IS ("echo hello", "$5|hello|");
    IS ("select 0", "+OK|");
    IS ("dbsize", ":0|");
    IS ("mset a 1 b 2", "+OK|");
    IS ("dbsize", ":2|");
    IS ("config get save", "*2|$4|save|$0||");
    IS ("config get nothing", "*0|");
    IS ("client setname me", "+OK|");
    IS ("client getname", "$2|me|");
    IS ("hello 3", "-NOPROTO unsupported protocol version|");
    IS ("command docs get nosuch",
        "*2|$3|get|*6|$7|summary|$18|the value of a key|$5|since|$5|1.0.0|$5|group|$6|string|");
    IS ("command info nosuch get", "*2|*0|*6|$3|get|:2|*2|+readonly|+fast|:1|:1|:1|");
    s_feed ("info\r\n");
    assert_non_null (strstr (s_out (), "db0:keys=2,"));
    IS ("info nosuch", "$0||");
    IS ("quit", "+OK|");
    assert_null (s_conn->conn);
}

static int s_by_name (const void *a, const void *b)
{
    return strcmp (*(char *const *) a, *(char *const *) b);
}

/* All keys that a scan with OPTIONS finds, one by one, sorted. */
static uint32_t s_scan (const char *options, char **keys)
{
    char cursor[32] = "0", line[128];
    uint32_t count = 0;
    do {
        snprintf (line, sizeof line, "scan %s %s\r\n", cursor, options);
        s_feed (line);
        char *save = NULL, *word = strtok_r ((char *) (uintptr_t) s_out (), "|", &save);
        assert_string_equal (word, "*2");
        strtok_r (NULL, "|", &save);
        snprintf (cursor, sizeof cursor, "%s", strtok_r (NULL, "|", &save));
        uint32_t here = (uint32_t) strtol (strtok_r (NULL, "|", &save) + 1, NULL, 10);
        while (here--) {
            strtok_r (NULL, "|", &save);
            keys[count++] = strdup (strtok_r (NULL, "|", &save));
        }
    } while (strcmp (cursor, "0") != 0);
    qsort (keys, count, sizeof *keys, s_by_name);
    return count;
}

static void scans (void **state)
{
    static char *keys[2000];
    char line[64], name[32];
    (void) state;
    for (int i = 0; i < 1000; i++) {
        snprintf (line, sizeof line, "set key:%03d %d\r\n", i, i);
        s_feed (line);
    }
    s_out ();
    uint32_t count = s_scan ("count 17", keys);
    assert_int_equal (count, 1000);
    for (uint32_t i = 0; i < count; i++) {
        snprintf (name, sizeof name, "key:%03u", i);
        assert_string_equal (keys[i], name);
        free (keys[i]);
    }
    count = s_scan ("match key:?[1-3]7", keys);
    assert_int_equal (count, 30);
    for (uint32_t i = 0; i < count; i++)
        free (keys[i]);
    assert_int_equal (s_scan ("match nosuch*", keys), 0);
    assert_int_equal (s_scan ("type list", keys), 0);
}

/* Answers come in another order than they were asked for. */
static void order (void **state)
{
    (void) state;
    s_feed ("get 30.a\r\nget 10.b\r\nping\r\nget here\r\nmget here 20.c here\r\nnosuch\r\nexists 5.a here 40.b\r\n");
    assert_string_equal (s_out (), "");
    gate_run (&s_host, 29);
    assert_string_equal (s_out (), "");
    gate_run (&s_host, 2);
    assert_string_equal (s_out (), "$2|v0|$2|v0|+PONG|$4|here|*3|$4|here|$2|v0|$4|here|-ERR unknown command 'nosuch', "
                                   "with args beginning with: |");
    gate_run (&s_host, 20);
    assert_string_equal (s_out (), ":3|");
    s_feed ("get e.a\r\ndel 1.a e.b e.c 1.d\r\nquit\r\nping\r\n");
    gate_run (&s_host, 20);
    assert_string_equal (s_out (), "-ERR no  such luck|-ERR no  such luck|+OK|");
    assert_null (s_conn->conn);
}

/* An answer that never comes ends with the ask's time; the ones behind it wait for that. */
static void silence (void **state)
{
    (void) state;
    s_feed ("get x.a\r\nget 1.b\r\n");
    gate_run (&s_host, 4990);
    assert_string_equal (s_out (), "");
    gate_run (&s_host, 20);
    assert_string_equal (s_out (), "-ERR timeout: no answer from n/slow in time|$2|v0|");
}

static void gone (void **state)
{
    (void) state;
    gate_conn_t *other = gate_connect (&s_host);
    s_feed ("get 30.a\r\nmget 10.a 50.b\r\nget 20.c\r\n");
    gate_feed (&s_host, other, "get 40.a\r\n", 10);
    gate_close (&s_host, s_conn);
    gate_run (&s_host, 100);
    s_conn = other;
    assert_string_equal (s_out (), "$2|v0|");
}

/* A line that is full holds its connection, and goes on. */
static void full (void **state)
{
    (void) state;
    for (int i = 0; i < 3 * SYNOD__REDIS_LINE_MAX; i++)
        synod__buf_add (&s_conn->in, "get 5.a\r\n", 9);
    gate_feed (&s_host, s_conn, "ping\r\n", 6);
    assert_true (s_conn->held);
    gate_run (&s_host, 50);
    const char *out = s_out ();
    for (int i = 0; i < 3 * SYNOD__REDIS_LINE_MAX; i++, out += 7)
        assert_memory_equal (out, "$2|v0|", 6), out -= 1;
    assert_string_equal (out, "+PONG|");
    assert_int_equal (slow_most, SYNOD__REDIS_LINE_MAX);
}

/* When too much is asked for already, nobody is read further; then all go on. */
static void starved (void **state)
{
    char text[64];
    int keys = SYNOD__REDIS_ASKS_MAX + 10;
    (void) state;
    gate_conn_t *first = s_conn, *other = gate_connect (&s_host);
    snprintf (text, sizeof text, "*%d\r\n$4\r\nMGET\r\n", keys + 1);
    synod__buf_add (&first->in, text, strlen (text));
    for (int i = 0; i < keys; i++)
        synod__buf_add (&first->in, "$4\r\n20.a\r\n", 10);
    s_feed ("ping\r\n");
    assert_int_equal (slow_most, keys);
    gate_feed (&s_host, other, "ping\r\n", 6);
    assert_int_equal (other->out.size, 0);
    gate_run (&s_host, 25);
    assert_int_equal (other->out.size, 7);
    size_t head = (size_t) snprintf (text, sizeof text, "*%d\r\n", keys);
    assert_int_equal (first->out.size, head + (size_t) keys * 8 + 7);
    assert_memory_equal (first->out.data + first->out.size - 15, "$2\r\nv0\r\n+PONG\r\n", 15);
}

/* What changes a key goes after what its connection asked of the key before. */
static void one_key (void **state)
{
    (void) state;
    s_feed ("set 20.a x\r\nget 5.b\r\nset 20.a y\r\nget 20.a\r\nget 20.a\r\n");
    gate_run (&s_host, 19);
    assert_int_equal (slow_most, 2);
    gate_run (&s_host, 2);
    assert_string_equal (s_out (), "+OK|$2|v1|");
    gate_run (&s_host, 22);
    assert_string_equal (s_out (), "+OK|");
    gate_run (&s_host, 22);
    assert_string_equal (s_out (), "$2|v2|$2|v2|");
    s_feed ("mset 5.a 1 6.b 2\r\nget 5.c\r\nget 6.b\r\n");
    gate_run (&s_host, 20);
    assert_string_equal (s_out (), "+OK|$2|v4|$2|v4|");
}

static void refused (void **state)
{
    gate_host_t host = {.refuse = SYNOD_IO};
    const synod__cache_args_t args = {.redis = synod_str ("127.0.0.1:1")}, none = {0};
    synod_fault_t fault = {0};
    (void) state;
    assert_int_equal (gate_start (&host, &synod__cache_actor, &args, &fault), SYNOD_IO);
    assert_string_equal (fault.text, "no listening today");
    gate_end (&host);
    memset (&host, 0, sizeof host);
    assert_int_equal (gate_start (&host, &synod__cache_actor, &none, &fault), SYNOD_OK);
    assert_null (host.gate);
    gate_end (&host);
}

int main (void)
{
#define TEST(name, begin) cmocka_unit_test_setup_teardown (name, begin, s_over)
    const struct CMUnitTest tests[] = {
        TEST (strings, s_cache),        TEST (numbers, s_cache),    TEST (deadlines, s_cache), TEST (mistakes, s_cache),
        TEST (large, s_cache),          TEST (server, s_cache),     TEST (scans, s_cache),     TEST (order, s_slow),
        TEST (silence, s_slow),         TEST (gone, s_slow),        TEST (full, s_slow),       TEST (starved, s_slow),
        TEST (one_key, s_slow_ordered), cmocka_unit_test (refused),
    };
    return cmocka_run_group_tests_name ("redis/serve", tests, NULL, NULL);
}
