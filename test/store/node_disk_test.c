/* SPDX-License-Identifier: MPL-2.0
 *
 * Nodes and their data directories, within one process: who may have one, when it is free again, and the number of each
 * life. The nodes are alone, without a broker.
 */
#include <endian.h>
#include <synod/synod.h>
#include "store.h"

static char s_folder[64];
static int s_init_code;
static uint64_t s_seen; /* by init: what the life before has left, plus one */

static int s_on_init (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) state;
    (void) args;
    synod_str_t value;
    s_seen = 1;
    if (synod_get (ctx, synod_str ("lives"), &value) == SYNOD_OK)
        s_seen = 1 + strtoull (value.data, NULL, 16);
    char text[20];
    snprintf (text, sizeof text, "%016llx", (unsigned long long) s_seen);
    int rc = synod_put (ctx, synod_str ("lives"), synod_str_n (text, 17));
    return rc == SYNOD_OK ? s_init_code : rc;
}

static const synod_actor_t s_actor = {.name = "a", .init = s_on_init};

static int s_setup (void **state)
{
    (void) state;
    s_init_code = SYNOD_OK;
    store_folder (s_folder);
    return 0;
}

static int s_teardown (void **state)
{
    (void) state;
    store_remove (s_folder);
    return 0;
}

static synod_node_t *s_new (const char *name, synod_fault_t *fault)
{
    const synod_options_t options = {.direct = true, .name = name, .data = s_folder, .connect_ms = 10000};
    return synod_node_new (&options, fault);
}

/* Lives once, to its end. */
static void s_live (int code)
{
    synod_fault_t fault = {0};
    synod_node_t *node = s_new ("n", &fault);
    if (!node)
        fail_msg ("%s", fault.text);
    assert_int_equal (synod_node_add (node, &s_actor, NULL, &fault), SYNOD_OK);
    assert_int_equal (synod_node_start (node, &fault), code);
    if (code == SYNOD_OK) {
        synod_node_stop (node);
        assert_int_equal (synod_node_wait (node, 10000, &fault), SYNOD_OK);
    }
    synod_node_destroy (&node);
}

static void lives (void **state)
{
    (void) state;
    for (uint64_t i = 1; i <= 3; i++) {
        s_live (SYNOD_OK);
        assert_int_equal (s_seen, i);
    }
}

/* A start that fails leaves the directory free, and nothing of what its init wrote. */
static void failed_start (void **state)
{
    (void) state;
    s_init_code = SYNOD_REFUSED;
    s_live (SYNOD_REFUSED);
    s_live (SYNOD_REFUSED);
    assert_int_equal (s_seen, 1);
    s_init_code = SYNOD_OK;
    s_live (SYNOD_OK);
    assert_int_equal (s_seen, 1);
}

static void one_node (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    synod_node_t *node = s_new ("n", &fault);
    assert_non_null (node);
    for (int i = 0; i < 2; i++) { /* before it has started, and after */
        assert_null (s_new ("m", &fault));
        assert_int_equal (fault.code, SYNOD_REFUSED);
        assert_non_null (strstr (fault.text, "in use by another node of this process"));
        assert_non_null (strstr (fault.text, s_folder));
        assert_int_equal (synod_node_start (node, &fault), i == 0 ? SYNOD_OK : SYNOD_INVALID);
    }
    synod_node_destroy (&node);
    s_live (SYNOD_OK);
}

static void no_handle (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    const synod_options_t options = {.direct = true, .data = s_folder};
    assert_null (synod_handle_new (&options, &fault));
    assert_int_equal (fault.code, SYNOD_INVALID);
    assert_non_null (strstr (fault.text, "a handle keeps nothing"));
    assert_non_null (strstr (fault.text, s_folder));
}

/* ---- the number of a life ---- */

static const char s_key[] = "\0incarnation";

static uint64_t s_kept (void)
{
    synod__disk_t *disk = store_open (s_folder, 0);
    synod_str_t value;
    uint64_t number;
    assert_int_equal (disk->ops->get (disk, synod_str_n (s_key, sizeof s_key - 1), &value), SYNOD_OK);
    assert_int_equal (value.size, sizeof number);
    memcpy (&number, value.data, sizeof number);
    disk->ops->close (&disk);
    return be64toh (number);
}

static void s_keep (const void *data, size_t size)
{
    synod__disk_t *disk = store_open (s_folder, 0);
    const synod_str_t value = synod_str_n (data, size);
    synod_buf_t batch = {0};
    assert_int_equal (synod__disk_batch_add (&batch, synod_str_n (s_key, sizeof s_key - 1), &value), SYNOD_OK);
    assert_int_equal (store_write (disk, &batch), SYNOD_OK);
    assert_int_equal (disk->ops->commit (disk), SYNOD_OK);
    disk->ops->close (&disk);
}

/* It grows, also when the wall clock has gone back since the last one. */
static void incarnations (void **state)
{
    (void) state;
    uint64_t last = 0;
    for (int i = 0; i < 3; i++) {
        s_live (SYNOD_OK);
        uint64_t now = s_kept ();
        assert_true (now > last);
        last = now;
    }
    uint64_t future = htobe64 (last + (uint64_t) 1000 * 365 * 86400 * 1000000);
    s_keep (&future, sizeof future);
    for (int i = 1; i <= 3; i++) {
        s_live (SYNOD_OK);
        assert_true (s_kept () == be64toh (future) + (uint64_t) i);
    }
    s_keep ("odd", 3);
    synod_fault_t fault = {0};
    assert_null (s_new ("n", &fault));
    assert_int_equal (fault.code, SYNOD_INVALID);
    assert_non_null (strstr (fault.text, "its incarnation has 3 bytes"));
}

#define S_TEST(function) cmocka_unit_test_setup_teardown (function, s_setup, s_teardown)
int main (void)
{
    const struct CMUnitTest tests[] = {S_TEST (lives), S_TEST (failed_start), S_TEST (one_node), S_TEST (no_handle),
                                       S_TEST (incarnations)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
