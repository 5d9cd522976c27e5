/* SPDX-License-Identifier: MPL-2.0
 *
 * What a gateway writes to its connections while commits are under way: it leaves when that is durable which its actor had
 * written before, and in its order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <synod/gateway.h>
#include "actors/runtime/memory_disk.h"
#include "gate_host.h"
#include "protocol/frame.h"

/* ---- a disk whose commits are durable when the test says ---- */

typedef struct {
    synod__disk_t disk;
    synod__disk_t *under;
    uint32_t durable;
} s_late_t;

static s_late_t s_late;

static int s_get (synod__disk_t *disk, synod_str_t key, synod_str_t *value)
{
    (void) disk;
    return s_late.under->ops->get (s_late.under, key, value);
}

static int s_scan (synod__disk_t *disk, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg)
{
    (void) disk;
    return s_late.under->ops->scan (s_late.under, from, until, on_entry, arg);
}

static int s_write (synod__disk_t *disk, synod_str_t prefix, synod_str_t batch)
{
    (void) disk;
    return s_late.under->ops->write (s_late.under, prefix, batch);
}

static int s_commit (synod__disk_t *disk)
{
    disk->settled = disk->begun;
    return s_late.under->ops->commit (s_late.under);
}

static int s_begin (synod__disk_t *disk)
{
    synod__memory_disk_begin (s_late.under);
    disk->begun++;
    return SYNOD_OK;
}

static int s_settle (synod__disk_t *disk)
{
    for (; s_late.durable && disk->settled < disk->begun; s_late.durable--, disk->settled++)
        synod__memory_disk_settle (s_late.under);
    return SYNOD_OK;
}

static const char *s_error (const synod__disk_t *disk)
{
    (void) disk;
    return "";
}

static const synod__disk_ops_t s_ops = {s_get, s_scan, s_write, s_commit, s_begin, s_settle, s_error, NULL};

/* ---- an actor that writes for a W, and repeats each letter ---- */

static synod_str_t s_endpoint (const void *args)
{
    (void) args;
    return synod_str ("127.0.0.1:0");
}

static int s_on_bytes (synod_ctx_t *ctx, void *self, synod_conn_t *conn, synod_str_t in, size_t *used)
{
    (void) self;
    for (uint32_t i = 0; i < in.size; i++) {
        if (in.data[i] == 'W')
            assert_int_equal (synod_put (ctx, synod_str ("key"), synod_str ("value")), SYNOD_OK);
        if (in.data[i] == 'Q')
            synod_conn_close (conn);
        synod__buf_add (synod_conn_out (conn), in.data + i, 1);
    }
    *used = in.size;
    return SYNOD_OK;
}

static const synod_gateway_t s_gateway = {.endpoint = s_endpoint, .on_bytes = s_on_bytes};
static const synod_actor_t s_type = {
    .name = "door", .gateway = &s_gateway, .routes = (const synod_route_t[]){SYNOD_END}};

static gate_host_t s_host;

static int s_setup (void **state)
{
    static const uint8_t id[SYNOD__DISK_ID] = {1};
    synod_fault_t fault;
    (void) state;
    memset (&s_host, 0, sizeof s_host);
    memset (&s_late, 0, sizeof s_late);
    s_late.under = synod__memory_disk_new (id);
    s_late.disk.ops = &s_ops;
    s_host.disk = &s_late.disk;
    return gate_start (&s_host, &s_type, NULL, &fault);
}

static int s_teardown (void **state)
{
    (void) state;
    gate_end (&s_host);
    s_late.under->ops->close (&s_late.under);
    return 0;
}

/* COUNT more commits are durable. */
static void s_durable (uint32_t count)
{
    s_late.durable = count;
    gate_run (&s_host, 1);
}

static void s_has (const gate_conn_t *conn, const char *text)
{
    assert_int_equal (conn->out.size, strlen (text));
    if (conn->out.size)
        assert_memory_equal (conn->out.data, text, conn->out.size);
}

static void waits (void **state)
{
    (void) state;
    gate_conn_t *conn = gate_connect (&s_host), *other = gate_connect (&s_host);
    gate_feed (&s_host, conn, "r", 1);
    s_has (conn, "r");
    gate_feed (&s_host, conn, "W", 1); /* the first is under way */
    gate_feed (&s_host, other, "r", 1);
    gate_feed (&s_host, conn, "Wr", 2); /* and the second */
    gate_feed (&s_host, conn, "Wr", 2); /* the next collects */
    s_has (conn, "r");
    s_has (other, ""); /* it may have seen what the other wrote */
    s_durable (1);
    s_has (conn, "rW");
    s_has (other, "r");
    s_durable (1);
    s_has (conn, "rWWr");
    s_durable (1);
    s_has (conn, "rWWrWr");
    gate_feed (&s_host, conn, "r", 1);
    s_has (conn, "rWWrWrr");
}

/* It closes behind what waits. */
static void closes (void **state)
{
    (void) state;
    gate_conn_t *conn = gate_connect (&s_host);
    gate_feed (&s_host, conn, "WQ", 2);
    assert_non_null (conn->conn);
    s_has (conn, "");
    s_durable (1);
    s_has (conn, "WQ");
    assert_null (conn->conn);
}

/* One that is gone takes what waited along. */
static void gone (void **state)
{
    (void) state;
    gate_conn_t *conn = gate_connect (&s_host), *other = gate_connect (&s_host);
    gate_feed (&s_host, conn, "W", 1);
    gate_feed (&s_host, other, "W", 1);
    gate_close (&s_host, conn);
    s_durable (1);
    s_has (other, "");
    s_durable (1);
    s_has (other, "W");
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests[] = {TEST (waits), TEST (closes), TEST (gone)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
