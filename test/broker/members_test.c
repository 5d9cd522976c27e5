/* SPDX-License-Identifier: MPL-2.0
 *
 * Who is there: joining, claims to a taken name in all their outcomes, silence, leaving, limits, and that snapshots and
 * deltas add up to the directory.
 */
#include "actors/runtime/directory.h"
#include "routing_test.h"

static const char *const s_echo[] = {"echo", NULL};

static synod__routing_stats_t s_stats (world_t *world)
{
    return synod__routing_stats (world->routing);
}

static void s_refused (world_t *world, const char *name, uint64_t incarnation, const char *code)
{
    synod__refused_t refused;
    body_of (take_method (world, name, incarnation, "refused"), &synod__refused_record, &refused);
    if (!synod_str_is (refused.code, code))
        fail_msg ("expected %s, got %.*s: %.*s", code, SYNOD_STR (refused.code), SYNOD_STR (refused.message));
    assert_true (refused.message.size > 0);
}

/* w watches; h holds a name. */
static const char *const s_w[] = {"w", NULL};
static void s_begin (world_t *world)
{
    world_begin (world, 100);
    hello (world, "w", 1, (hello_t){.directory = true});
    hello (world, "h", 1, (hello_t){.actors = s_echo});
    world_pass (world, 20 * MS, s_w);
    forget (world);
}

static void hello_is_welcomed (void **state)
{
    world_t *world = (world_t *) *state;
    synod__welcome_t welcome;
    synod__snapshot_t snapshot;
    synod__entry_t entry;
    synod__actor_at_t actor;
    world_begin (world, 100);
    hello (world, "a", 1, (hello_t){.actors = s_echo, .directory = true});
    body_of (take_method (world, "a", 1, "welcome"), &synod__welcome_record, &welcome);
    assert_int_equal (welcome.heartbeat_ms, 1000);
    assert_true (synod_str_is (welcome.publish, "tcp://h:1"));
    assert_true (synod_str_is (welcome.subscribe, "tcp://h:2"));
    assert_false (welcome.tap);
    sent_t *sent = take_method (world, "a", 1, "snapshot"); /* in the same turn */
    assert_string_equal (sent->data, "a/$node");
    body_of (sent, &synod__snapshot_record, &snapshot);
    assert_true (snapshot.first && snapshot.last);
    assert_int_equal (snapshot.nodes.count, 1);
    assert_true (synod_list_next (&snapshot.nodes, &synod__entry_record, &entry));
    assert_true (synod_list_next (&entry.actors, &synod__actor_at_record, &actor));
    assert_true (synod_str_is (actor.name, "echo"));
    nothing_for (world, "a", 1);
    /* the same again: no news to anybody */
    world_pass (world, 50 * MS, NULL);
    hello (world, "b", 1, (hello_t){0});
    take_method (world, "b", 1, "welcome");
    nothing_for (world, "b", 1); /* it did not ask for the directory */
    world_pass (world, 20 * MS, NULL);
    take_method (world, "a", 1, "delta");
    hello (world, "b", 1, (hello_t){0});
    take_method (world, "b", 1, "welcome");
    world_pass (world, 20 * MS, NULL);
    nothing_for (world, "a", 1);
    hello (world, "b", 1, (hello_t){.actors = s_echo});
    world_pass (world, 20 * MS, NULL);
    take_method (world, "a", 1, "delta");
    assert_int_equal (s_stats (world).joined, 2);
}

static void s_hello_body (world_t *world, synod__hello_t *record, unsigned entries, const char *node, uint64_t inc)
{
    synod_buf_t items = {0};
    synod__entry_t entry = {.node = synod_str (node), .incarnation = inc};
    for (unsigned i = 0; i < entries; i++)
        synod_list_add (&record->self, &items, &synod__entry_record, &entry, NULL);
    post (world, "a", 1, "$broker", SYNOD_KIND_TELL, &synod__hello_record, record, 0);
    synod_buf_free (&items);
}

static void wrong_hellos_are_refused (void **state)
{
    world_t *world = (world_t *) *state;
    world_begin (world, 100);
    s_hello_body (world, &(synod__hello_t){.heartbeat_ms = 1}, 0, "a", 1);
    s_refused (world, "a", 1, "bad-request");
    s_hello_body (world, &(synod__hello_t){.heartbeat_ms = 1}, 2, "a", 1);
    s_refused (world, "a", 1, "bad-request");
    s_hello_body (world, &(synod__hello_t){.heartbeat_ms = 1}, 1, "b", 1);
    s_refused (world, "a", 1, "bad-request");
    s_hello_body (world, &(synod__hello_t){.heartbeat_ms = 1}, 1, "a", 2);
    s_refused (world, "a", 1, "bad-request");
    s_hello_body (world, &(synod__hello_t){.heartbeat_ms = 0}, 1, "a", 1);
    s_refused (world, "a", 1, "bad-request");
    post_method (world, "a", 1, "$broker", SYNOD_KIND_TELL, "hello", 0);
    s_refused (world, "a", 1, "bad-request");
    hello (world, "a", 1, (hello_t){.actors = (const char *const[]){"x", "x", NULL}});
    s_refused (world, "a", 1, "bad-request");
    assert_int_equal (s_stats (world).malformed, 7);
    assert_int_equal (s_stats (world).members, 0);
    s_hello_body (world, &(synod__hello_t){.heartbeat_ms = 1}, 1, "a", 1);
    take_method (world, "a", 1, "welcome");
    /* a wrong one later leaves things as they are */
    s_hello_body (world, &(synod__hello_t){.heartbeat_ms = 1}, 1, "b", 1);
    s_refused (world, "a", 1, "bad-request");
    assert_int_equal (s_stats (world).joined, 1);
}

static void claim_is_refused_by_a_live_holder (void **state)
{
    world_t *world = (world_t *) *state;
    s_begin (world);
    hello (world, "h", 2, (hello_t){.actors = s_echo});
    take_method (world, "h", 1, "probe");
    nothing_for (world, "h", 2);
    post_method (world, "h", 2, "w/x", SYNOD_KIND_TELL, "hi", 0); /* not before it has joined */
    take_method (world, "h", 2, "returned");
    nothing_for (world, "w", 1);
    post_method (world, "h", 1, "$broker", SYNOD_KIND_TELL, "alive", 0);
    s_refused (world, "h", 2, "name-taken");
    assert_int_equal (s_stats (world).members, 2);
    world_pass (world, 1500 * MS, (const char *const[]){"w", "h", NULL});
    for (sent_t *sent; (sent = take (world, "w", 1));)
        assert_true (synod_str_is (sent->envelope.method, "heartbeat"));
}

static void any_frame_refuses_a_claim (void **state)
{
    world_t *world = (world_t *) *state;
    s_begin (world);
    hello (world, "h", 2, (hello_t){0});
    take_method (world, "h", 1, "probe");
    post_method (world, "h", 1, "w/x", SYNOD_KIND_TELL, "hi", 0);
    s_refused (world, "h", 2, "name-taken");
    assert_true (take (world, "w", 1)->forwarded);
}

static void silent_holder_is_replaced (void **state)
{
    world_t *world = (world_t *) *state;
    s_begin (world);
    hello (world, "h", 2, (hello_t){.actors = s_echo});
    world_pass (world, 900 * MS, s_w);
    nothing_for (world, "h", 2);
    world_pass (world, 400 * MS, s_w);
    take_method (world, "h", 2, "welcome");
    for (sent_t *sent; (sent = take (world, "w", 1));)
        if (synod_str_is (sent->envelope.method, "delta")) {
            sent->taken = false;
            break;
        }
    told_gone (world, "w", "h", 1, "replaced", "h");
    take_method (world, "h", 2, "delta");
    post_method (world, "w", 1, "h/echo", SYNOD_KIND_TELL, "hi", 0);
    assert_true (take (world, "h", 2)->forwarded);
    /* the old one is a stranger now */
    forget (world);
    post_method (world, "h", 1, "w/x", SYNOD_KIND_TELL, "hi", 0);
    take_method (world, "h", 1, "again");
    assert_int_equal (s_stats (world).joined, 2);
}

static void unreachable_holder_is_replaced_at_once (void **state)
{
    world_t *world = (world_t *) *state;
    s_begin (world);
    make_unreachable (world, "h", 1, true);
    hello (world, "h", 2, (hello_t){.actors = s_echo});
    take_method (world, "h", 2, "welcome");
    told_gone (world, "w", "h", 1, "replaced", "h");
}

static void mail_to_a_dead_holder_decides (void **state)
{
    world_t *world = (world_t *) *state;
    s_begin (world);
    hello (world, "h", 2, (hello_t){0});
    take_method (world, "h", 1, "probe");
    make_unreachable (world, "h", 1, true);
    post_method (world, "w", 1, "h/echo", SYNOD_KIND_TELL, "hi", 0);
    take_method (world, "h", 2, "welcome");
    assert_int_equal (s_stats (world).members, 2);
}

static void later_claimant_goes_first (void **state)
{
    world_t *world = (world_t *) *state;
    s_begin (world);
    hello (world, "h", 3, (hello_t){0});
    hello (world, "h", 2, (hello_t){0});
    s_refused (world, "h", 2, "name-taken");
    hello (world, "h", 4, (hello_t){0});
    s_refused (world, "h", 3, "name-taken");
    world_pass (world, 1300 * MS, s_w);
    take_method (world, "h", 4, "welcome");
    assert_int_equal (s_stats (world).members, 2);
}

static void silence_ends_a_node (void **state)
{
    world_t *world = (world_t *) *state;
    world_begin (world, 100);
    hello (world, "w", 1, (hello_t){.directory = true});
    hello (world, "s", 1, (hello_t){.heartbeat_ms = 200});
    hello (world, "c", 1, (hello_t){.client = true, .heartbeat_ms = 200});
    world_pass (world, 20 * MS, s_w);
    forget (world);
    world_pass (world, 500 * MS, s_w);
    assert_int_equal (s_stats (world).joined, 3);
    world_pass (world, 200 * MS, s_w);
    assert_int_equal (s_stats (world).joined, 2); /* the client is not judged by its silence */
    for (sent_t *sent; (sent = take (world, "w", 1));)
        if (synod_str_is (sent->envelope.method, "delta")) {
            sent->taken = false;
            break;
        }
    told_gone (world, "w", "s", 1, "silent", NULL);
    told_gone (world, "c", "s", 1, "silent", NULL); /* it keeps no directory, and may have asked s by its name */
    world_pass (world, 9000 * MS, s_w);
    nothing_for (world, "c", 1);
    world_pass (world, 1000 * MS, s_w);
    take_method (world, "c", 1, "heartbeat");
    make_unreachable (world, "c", 1, true);
    world_pass (world, 10100 * MS, s_w);
    assert_int_equal (s_stats (world).joined, 1);
}

/* The thread did not run for a while: what the nodes sent meanwhile is still unread. */
static void nobody_is_judged_by_our_own_sleep (void **state)
{
    world_t *world = (world_t *) *state;
    s_begin (world);
    world->now_us += 60000 * MS;
    post_method (world, "w", 1, "$broker", SYNOD_KIND_TELL, "heartbeat", 0);
    assert_int_equal (s_stats (world).joined, 2);
    world_pass (world, 100 * MS, NULL);
    assert_int_equal (s_stats (world).joined, 2);
    world_pass (world, 4000 * MS, s_w);
    assert_int_equal (s_stats (world).joined, 1);
}

static void nodes_are_limited (void **state)
{
    world_t *world = (world_t *) *state;
    world_begin (world, 3);
    hello (world, "a", 1, (hello_t){0});
    hello (world, "b", 1, (hello_t){0});
    hello (world, "c", 1, (hello_t){.client = true});
    hello (world, "d", 1, (hello_t){0});
    s_refused (world, "d", 1, "too-large");
    hello (world, "a", 1, (hello_t){0}); /* those that are there may speak */
    take_method (world, "a", 1, "welcome");
    make_unreachable (world, "c", 1, true);
    world_pass (world, 1100 * MS, (const char *const[]){"a", "b", NULL});
    forget (world);
    hello (world, "d", 1, (hello_t){0}); /* the client that went without a word is found out */
    take_method (world, "d", 1, "welcome");
    assert_int_equal (s_stats (world).members, 3);
}

/* ---- what a watcher makes of all it is sent ---- */

static void s_put (synod__directory_t *seen, const synod__entry_t *entry)
{
    synod_fault_t fault;
    if (!synod__directory_put (seen, entry, &fault))
        fail_msg ("%s", fault.text);
}

/* True when it was a snapshot. */
static void s_follow (synod__directory_t *seen, sent_t *sent, bool *joined)
{
    synod__entry_t entry;
    synod__gone_t gone;
    synod__delta_t delta;
    synod__snapshot_t snapshot;
    if (synod_str_is (sent->envelope.method, "snapshot")) {
        body_of (sent, &synod__snapshot_record, &snapshot);
        while (snapshot.first && synod__directory_size (seen) > 0)
            synod__directory_remove (seen, synod__directory_at (seen, 0));
        while (synod_list_next (&snapshot.nodes, &synod__entry_record, &entry))
            s_put (seen, &entry);
        *joined = snapshot.last;
    } else if (synod_str_is (sent->envelope.method, "delta")) {
        assert_true (*joined); /* none before the whole snapshot */
        body_of (sent, &synod__delta_record, &delta);
        while (synod_list_next (&delta.down, &synod__gone_record, &gone)) {
            synod__peer_t *peer = synod__directory_node (seen, gone.node);
            if (peer && peer->incarnation == gone.incarnation)
                synod__directory_remove (seen, peer);
        }
        while (synod_list_next (&delta.up, &synod__entry_record, &entry))
            s_put (seen, &entry);
    }
}

/* Nodes come, change, leave and vanish at random; watchers join in the middle, and one is full now and then. Each
 * watcher's picture must be the directory whenever things are quiet. */
static void snapshots_and_deltas_add_up (void **state)
{
    world_t *world = (world_t *) *state;
    enum { NODES = 30, WATCHERS = 3 };
    static const char *const watchers[] = {"w0", "w1", "w2", NULL};
    static const char *const sets[4][3] = {{NULL}, {"x", NULL}, {"x", "y", NULL}, {"y", NULL}};
    uint64_t random = 3, incarnation[NODES] = {0}, next = 1;
    synod__directory_t *seen[WATCHERS];
    bool joined[WATCHERS] = {false};
    world_begin (world, 1000);
    for (int i = 0; i < WATCHERS; i++)
        seen[i] = synod__directory_new ();
    hello (world, "w0", 1, (hello_t){.directory = true});
    for (int round = 0; round < 60; round++) {
        if (round == 10 || round == 20)
            hello (world, watchers[round / 10], 1, (hello_t){.directory = true});
        bool full = round % 7 == 3;
        if (full)
            make_full (world, "w0", 1, true);
        for (int i = 0; i < 20; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            unsigned node = (unsigned) (random >> 33) % NODES, what = (unsigned) (random >> 50) % 4;
            char name[16];
            snprintf (name, sizeof name, "n%u", node);
            if (incarnation[node] == 0 || what == 0)
                hello (world, name, incarnation[node] ? incarnation[node] : (incarnation[node] = ++next),
                       (hello_t){.actors = sets[(random >> 40) % 4], .heartbeat_ms = 3600000});
            else if (what == 1) {
                post_method (world, name, incarnation[node], "$broker", SYNOD_KIND_TELL, "leave", 0);
                incarnation[node] = 0;
            } else if (what == 2) {
                make_unreachable (world, name, incarnation[node], true);
                hello (world, name, next + 1, (hello_t){.actors = sets[(random >> 40) % 4], .heartbeat_ms = 3600000});
                make_unreachable (world, name, incarnation[node], false);
                incarnation[node] = ++next;
            }
            world->now_us += (int64_t) (random >> 55) * 20;
        }
        if (full)
            make_full (world, "w0", 1, false);
        world_pass (world, 300 * MS, watchers);
        post_method (world, "w0", 1, "$broker", SYNOD_KIND_ASK, "nodes", 5);
        synod__nodes_are_t nodes = {0};
        for (int w = 0; w < WATCHERS; w++)
            for (sent_t *sent; (sent = take (world, watchers[w], 1));) {
                if (sent->envelope.kind == SYNOD_KIND_REPLY)
                    body_of (sent, &synod__nodes_are_record, &nodes);
                s_follow (seen[w], sent, &joined[w]);
            }
        for (int w = 0; w < WATCHERS && (w == 0 || round >= 10 * w); w++) {
            synod_list_t list = nodes.nodes;
            synod__entry_t entry;
            assert_int_equal (synod__directory_size (seen[w]), list.count);
            while (synod_list_next (&list, &synod__entry_record, &entry)) {
                synod__peer_t *peer = synod__directory_node (seen[w], entry.node);
                assert_non_null (peer);
                assert_int_equal (peer->incarnation, entry.incarnation);
                assert_int_equal (peer->nactors, entry.actors.count);
            }
        }
    }
    for (int i = 0; i < WATCHERS; i++)
        synod__directory_destroy (&seen[i]);
}

/* A directory of several frames, and a join storm that is gathered. */
static void large_directories_come_in_pieces (void **state)
{
    world_t *world = (world_t *) *state;
    enum { NODES = 900 };
    static char names[100][SYNOD_NAME_MAX + 1];
    static const char *actors[101];
    synod__directory_t *seen[2] = {synod__directory_new (), synod__directory_new ()};
    bool joined[2] = {false, false};
    unsigned deltas = 0, pieces = 0;
    world_begin (world, 10000);
    hello (world, "w", 1, (hello_t){.directory = true, .heartbeat_ms = 3600000});
    for (int i = 0; i < 20; i++) {
        memset (names[i], 'x', SYNOD_NAME_MAX);
        snprintf (names[i] + SYNOD_NAME_MAX - 4, 5, "%04d", i);
        actors[i] = names[i];
    }
    for (int i = 0; i < NODES; i++) {
        char name[32];
        snprintf (name, sizeof name, "node%d", i);
        world->now_us += 100;
        hello (world, name, 5, (hello_t){.actors = actors, .heartbeat_ms = 3600000});
    }
    world_pass (world, 100 * MS, NULL);
    hello (world, "v", 1, (hello_t){.directory = true, .heartbeat_ms = 3600000});
    world_pass (world, 100 * MS, NULL);
    for (sent_t *sent; (sent = take (world, "w", 1));) {
        deltas += synod_str_is (sent->envelope.method, "delta");
        s_follow (seen[0], sent, &joined[0]);
    }
    for (sent_t *sent; (sent = take (world, "v", 1));) {
        pieces += synod_str_is (sent->envelope.method, "snapshot");
        s_follow (seen[1], sent, &joined[1]);
    }
    assert_int_equal (synod__directory_size (seen[0]), NODES + 2);
    assert_int_equal (synod__directory_size (seen[1]), NODES + 2);
    assert_true (joined[1]);
    assert_true (pieces > 4);
    assert_true (deltas < 40); /* 90 ms of joins */
    post_method (world, "v", 1, "$broker", SYNOD_KIND_ASK, "nodes", 5);
    sent_t *sent = take (world, "v", 1);
    assert_int_equal (sent->envelope.kind, SYNOD_KIND_ERROR);
    synod__error_t error;
    body_of (sent, &synod__error_record, &error);
    assert_true (synod_str_is (error.code, "too-large"));
    synod__directory_destroy (&seen[0]);
    synod__directory_destroy (&seen[1]);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST (hello_is_welcomed),
        WORLD_TEST (wrong_hellos_are_refused),
        WORLD_TEST (claim_is_refused_by_a_live_holder),
        WORLD_TEST (any_frame_refuses_a_claim),
        WORLD_TEST (silent_holder_is_replaced),
        WORLD_TEST (unreachable_holder_is_replaced_at_once),
        WORLD_TEST (mail_to_a_dead_holder_decides),
        WORLD_TEST (later_claimant_goes_first),
        WORLD_TEST (silence_ends_a_node),
        WORLD_TEST (nobody_is_judged_by_our_own_sleep),
        WORLD_TEST (nodes_are_limited),
        WORLD_TEST (snapshots_and_deltas_add_up),
        WORLD_TEST (large_directories_come_in_pieces),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
