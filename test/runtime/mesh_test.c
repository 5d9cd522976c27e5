/* SPDX-License-Identifier: MPL-2.0
 *
 * A bus without a broker: who finds whom, names that clash, peers that fall silent and come back, clients.
 */
#include "check.h"

static mh_t *s_world (void)
{
    mh_t *world = mh_new (3, false);
    mh_settings (world)->loud = getenv ("LOUD") != NULL;
    seen_new ();
    return world;
}

static bool s_knows (mh_node_t *node, const char *other)
{
    char address[100];
    snprintf (address, sizeof address, "%s/$node", other);
    return synod__rt_reachable (mh_rt (node), address);
}

/* NODE asks b and is answered, once. */
static void s_answered (mh_t *world, mh_node_t *node)
{
    uint32_t before = seen_.replies;
    assert_int_equal (ask (node, "b/server", "add", 1, 1, 0, 0), SYNOD_OK);
    mh_run (world, 10);
    assert_int_equal (seen_.replies, before + 1);
    assert_int_equal (seen_.code, SYNOD_OK);
}

static void test_full_mesh (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *nodes[6];
    char name[2] = "a";
    for (int i = 0; i < 6; i++, name[0]++)
        nodes[i] = mh_up (world, name, i % 2 ? &server : &probe, i ? "a" : NULL);
    assert_true (mh_joined (world, 2000));
    for (int i = 0; i < 6; i += 2)
        for (name[0] = 'a'; name[0] <= 'f'; name[0]++) {
            char to[16];
            snprintf (to, sizeof to, "%s/%s", name, (name[0] - 'a') % 2 ? "server" : "probe");
            assert_int_equal (ask (nodes[i], to, "add", 1, 1, 0, 0), SYNOD_OK);
        }
    mh_run (world, 10);
    assert_int_equal (seen_.replies, 18);
    assert_int_equal (seen_.handled, 18);
    mh_run (world, 5000); /* and it stays so */
    assert_true (mh_joined (world, 1));
    for (int i = 0; i < 6; i++)
        assert_int_equal (synod__rt_stats (mh_rt (nodes[i])).dropped, 0);
    mh_destroy (&world);
}

static void test_start_order (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *b = mh_up (world, "b", &server, "a"); /* whom it is to meet is not there yet */
    mh_run (world, 50);
    assert_int_not_equal (synod__rt_state (mh_rt (b)), SYNOD__RT_UP);
    mh_run (world, 500);
    assert_int_equal (synod__rt_state (mh_rt (b)), SYNOD__RT_UP); /* alone is up too */
    mh_up (world, "a", &probe, NULL);
    assert_true (mh_joined (world, 2000));
    mh_destroy (&world);
}

static void test_itself (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, "alias:a");
    mh_up (world, "b", &server, "alias:a");
    assert_true (mh_joined (world, 2000));
    mh_run (world, 2000);
    mh_count_clear (world);
    mh_run (world, 2000);
    assert_int_equal (mh_count (world, "$node"), 0); /* it dials itself no more */
    assert_int_equal (synod__rt_state (mh_rt (a)), SYNOD__RT_UP);
    s_answered (world, a);
    mh_destroy (&world);
}

static void test_clash (void **state)
{
    (void) state;
    for (int direct = 0; direct < 2; direct++) { /* it meets its namesake itself, or somebody who knows it */
        mh_t *world = s_world ();
        mh_node_t *a = mh_up (world, "a", &probe, NULL);
        mh_node_t *b = mh_up (world, "b", &server, "a");
        assert_true (mh_joined (world, 2000));
        mh_node_t *other = mh_up (world, "a2=a", &second, direct ? "a" : "b");
        mh_run (world, 1000);
        assert_true (mh_ended (other));
        assert_int_equal (synod__rt_fault (mh_rt (other))->code, SYNOD_NAME_TAKEN);
        assert_non_null (strstr (synod__rt_fault (mh_rt (other))->text, "taken"));
        assert_false (mh_ended (a));
        assert_true (s_knows (a, "b"));
        assert_true (synod__rt_reachable (mh_rt (b), "a/probe"));
        s_answered (world, a);
        mh_destroy (&world);
    }
}

/* An answer to a hello of this node's former life brings a token that this life has given to nobody, though it has
 * links with such numbers: mail for the one must not go to where the other's link leads. */
static void test_old_token (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_up (world, "b", &server, "a");
    assert_true (mh_joined (world, 2000));
    for (uint64_t token = 1; token < 8; token++) {
        char name[8], identity[SYNOD__IDENTITY_MAX + 1], address[32];
        synod_buf_t items = {0};
        synod__batch_t batch = {0};
        snprintf (name, sizeof name, "c%d", (int) token);
        synod__hello_t hello = {.heartbeat_ms = 100, .answers = token};
        synod__entry_t entry = {.node = synod_str (name), .incarnation = 77, .endpoint = synod_str ("mem:nobody")};
        synod_envelope_t env = {.kind = SYNOD_KIND_TELL, .method = synod_str (synod__hello_record.name)};
        synod_list_add (&hello.self, &items, &synod__entry_record, &entry, NULL);
        synod__batch_begin (&batch, synod_str ("a/$node"), synod_str (name), 77, 0);
        assert_int_equal (synod__batch_add_record (&batch, &env, &synod__hello_record, &hello, NULL), SYNOD_OK);
        identity[synod__identity (synod_str (name), 77, 0, identity)] = 0;
        mh_frame (a, identity, batch.buf.data, batch.buf.size);
        assert_true (s_knows (a, name));
        snprintf (address, sizeof address, "%s/server", name);
        mh_count_clear (world);
        assert_int_equal (tell (a, address, 1), SYNOD_OK);
        mh_run (world, 10);
        assert_int_equal (mh_count (world, address), 0);
        synod__batch_free (&batch);
        synod_buf_free (&items);
    }
    mh_destroy (&world);
}

/* A new life of a node that died takes its name, at once or later, at the same place or another. */
static void test_restart (void **state)
{
    (void) state;
    for (int way = 0; way < 4; way++) {
        mh_t *world = s_world ();
        mh_node_t *a = mh_up (world, "a", &probe, NULL);
        mh_node_t *b = mh_up (world, "b", &server, "a");
        assert_true (mh_joined (world, 2000));
        assert_int_equal (ask (a, "b/server", "never", 1, 0, 20000, 1), SYNOD_OK);
        mh_run (world, 10);
        mh_kill (b);
        if (way & 1)
            mh_run (world, 1000);
        mh_up (world, way & 2 ? "b2=b" : "b", &server, "a");
        mh_run (world, 600);
        assert_int_equal (seen_.replies, 1);
        assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
        assert_true (mh_joined (world, 600));
        s_answered (world, a);
        mh_destroy (&world);
    }
}

static mh_verdict_t s_hold (void *arg, const mh_passing_t *passing)
{
    return !passing->topic && strcmp (passing->from, (const char *) arg) == 0 ? MH_HOLD : MH_PASS;
}

/* What the former life sent last comes after the new one's hello: that is no sign of life. */
static void test_restart_overtakes (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_node_t *b = mh_up (world, "b", &server, "a");
    assert_true (mh_joined (world, 2000));
    mh_filter (world, s_hold, "b");
    mh_run (world, 150); /* a heartbeat is under way */
    mh_kill (b);
    mh_filter (world, NULL, NULL);
    b = mh_up (world, "b", &server, "a");
    mh_run (world, 10);
    mh_release (world);
    mh_run (world, 600);
    assert_false (mh_ended (b));
    assert_true (mh_joined (world, 600));
    s_answered (world, a);
    mh_destroy (&world);
}

static mh_verdict_t s_partition (void *arg, const mh_passing_t *passing)
{
    const char *lonely = (const char *) arg;
    return strcmp (passing->from, lonely) == 0 || strcmp (passing->to, lonely) == 0 ? MH_DROP : MH_PASS;
}

static void test_silent (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_node_t *b = mh_up (world, "b", &server, "a");
    mh_node_t *c = mh_up (world, "c", &server, "a");
    assert_true (mh_joined (world, 2000));
    assert_int_equal (monitor (a, "b"), SYNOD_OK);
    mh_filter (world, s_partition, "b");
    int64_t start_us = mh_now_us (world);
    assert_int_equal (ask (a, "b/server", "never", 1, 0, 20000, 1), SYNOD_OK);
    uint32_t one = 1;
    assert_true (mh_until (world, replied, &one, 5000));
    assert_in_range (mh_now_us (world) - start_us, 200000, 450000);
    assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
    assert_int_equal (seen_.downs, 1);
    assert_string_equal (seen_.reason, "silent");
    mh_run (world, 2000);
    assert_false (s_knows (a, "b"));
    assert_false (s_knows (b, "a"));
    assert_true (s_knows (a, "c"));
    mh_filter (world, NULL, NULL);
    assert_true (mh_joined (world, 2000));
    assert_true (s_knows (c, "b"));
    s_answered (world, a);
    mh_destroy (&world);
}

/* Of b's links the first that is newer than all it had before is dead: its connection stands, and nothing arrives. */
typedef struct {
    bool on;
    uint32_t last, dead;
} dead_t;

static mh_verdict_t s_dead (void *arg, const mh_passing_t *passing)
{
    dead_t *self = (dead_t *) arg;
    if (passing->topic || strcmp (passing->from, "b") != 0)
        return MH_PASS;
    if (self->on && !self->dead && passing->link > self->last)
        self->dead = passing->link;
    if (passing->link > self->last)
        self->last = passing->link;
    return passing->link == self->dead ? MH_DROP : MH_PASS;
}

/* Who is not heard, though it is connected and hears, connects anew. */
static void test_dead_link (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    dead_t dead = {0};
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_up (world, "b", &server, "a");
    assert_true (mh_joined (world, 2000));
    mh_filter (world, s_dead, &dead);
    mh_run (world, 200);
    mh_kill (a);
    dead.on = true;
    a = mh_up (world, "a", &probe, "b");
    mh_run (world, 1000);
    assert_int_not_equal (dead.dead, 0);
    assert_true (mh_joined (world, 1));
    s_answered (world, a);
    mh_destroy (&world);
}

/* Its last publications may come after its leave, so they are read for a while, and not for ever. */
static void test_leave_and_publications (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_node_t *b = mh_up (world, "b", &server, "a");
    assert_true (mh_joined (world, 2000));
    mh_stop (b);
    mh_run (world, 10);
    for (int i = 0; i < 500 && s_knows (a, "b"); i++)
        mh_run (world, 10);
    assert_false (s_knows (a, "b"));
    assert_true (mh_reads (a, "b"));
    mh_up (world, "b", &server, "a"); /* back at once: the connection that is there serves on */
    assert_true (mh_joined (world, 2000));
    mh_run (world, 10000);
    assert_true (mh_reads (a, "b"));
    mh_stop (mh_find (world, "b"));
    mh_run (world, 10000);
    assert_false (mh_reads (a, "b"));
    mh_destroy (&world);
}

static void test_leave (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_node_t *b = mh_up (world, "b", &server, "a");
    assert_true (mh_joined (world, 2000));
    assert_int_equal (monitor (a, "b"), SYNOD_OK);
    mh_stop (b);
    mh_run (world, 10);
    assert_true (mh_ended (b));
    assert_int_equal (seen_.downs, 1);
    assert_string_equal (seen_.reason, "left");
    assert_false (synod__rt_reachable (mh_rt (a), "server"));
    mh_run (world, 1000);
    assert_false (s_knows (a, "b"));
    assert_int_equal (seen_.downs, 1);
    mh_up (world, "b", &server, "a");
    assert_true (mh_joined (world, 2000));
    assert_true (s_knows (a, "b"));
    mh_destroy (&world);
}

static void test_client (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &server, NULL);
    mh_node_t *b = mh_up (world, "b", &server, "a");
    assert_true (mh_joined (world, 2000));
    static const char *const peers[] = {"a", NULL};
    mh_node_t *client = mh_node (world, "client", true, peers);
    mh_add (client, &probe, NULL);
    assert_int_equal (mh_start (client, NULL), SYNOD_OK);
    assert_true (mh_joined (world, 2000));
    s_answered (world, client);
    mh_run (world, 5000);
    assert_true (s_knows (a, "client")); /* its silence means nothing */
    mh_kill (client);
    mh_run (world, 10);
    assert_false (s_knows (a, "client"));
    assert_false (s_knows (b, "client"));
    mh_destroy (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_full_mesh),
        cmocka_unit_test (test_start_order),
        cmocka_unit_test (test_itself),
        cmocka_unit_test (test_clash),
        cmocka_unit_test (test_old_token),
        cmocka_unit_test (test_restart),
        cmocka_unit_test (test_restart_overtakes),
        cmocka_unit_test (test_silent),
        cmocka_unit_test (test_dead_link),
        cmocka_unit_test (test_leave),
        cmocka_unit_test (test_leave_and_publications),
        cmocka_unit_test (test_client),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
