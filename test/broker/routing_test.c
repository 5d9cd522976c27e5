/* SPDX-License-Identifier: MPL-2.0
 *
 * The routing: where frames go, what comes back, what is refused, asks to the broker.
 */
#include "routing_test.h"

static const char *const s_echo[] = {"echo", NULL};
static const char *const s_ab[] = {"a", "b", NULL};

/* Nodes a and b (with the directory) that run echo; what they were told so far is forgotten. */
static void s_two (world_t *world)
{
    world_begin (world, 100);
    hello (world, "a", 1, (hello_t){.actors = s_echo, .directory = true});
    hello (world, "b", 1, (hello_t){.actors = s_echo, .directory = true});
    world_pass (world, 20 * MS, NULL);
    forget (world);
}

static void s_tell (world_t *world, const char *name, const char *address)
{
    post_method (world, name, 1, address, SYNOD_KIND_TELL, "hi", 0);
}

static const char *s_returned_to (world_t *world, const char *name, uint64_t incarnation, const char *address)
{
    static char code[64];
    synod__returned_t returned;
    sent_t *sent = take_method (world, name, incarnation, "returned");
    body_of (sent, &synod__returned_record, &returned);
    snprintf (code, sizeof code, "%.*s", SYNOD_STR (returned.code));
    assert_string_equal (returned.frame.data, address); /* NUL follows the address */
    assert_true (returned.message.size > 0);
    return code;
}

static const char *s_returned (world_t *world, const char *name, const char *address)
{
    return s_returned_to (world, name, 1, address);
}

static const char *s_error (sent_t *sent)
{
    static char code[64];
    synod__error_t error;
    assert_non_null (sent);
    assert_int_equal (sent->envelope.kind, SYNOD_KIND_ERROR);
    body_of (sent, &synod__error_record, &error);
    snprintf (code, sizeof code, "%.*s", SYNOD_STR (error.code));
    return code;
}

static synod__routing_stats_t s_stats (world_t *world)
{
    return synod__routing_stats (world->routing);
}

static void forwards_as_it_came (void **state)
{
    world_t *world = (world_t *) *state;
    s_two (world);
    s_tell (world, "a", "b/echo");
    sent_t *sent = take (world, "b", 1);
    assert_non_null (sent);
    assert_true (sent->forwarded);
    assert_string_equal (sent->data, "b/echo");
    s_tell (world, "a", "b/echo#k/ey");
    sent = take (world, "b", 1);
    assert_non_null (sent);
    assert_string_equal (sent->data, "b/echo#k/ey");
    assert_int_equal (s_stats (world).forwarded, 2);
    nothing_for (world, "a", 1);
}

/* A peer that packs its header's integers wide is as good. */
static void takes_headers_in_any_width (void **state)
{
    world_t *world = (world_t *) *state;
    static const char frame[] = "b/echo\0\x95\xcd\x00\x01\xd9\x01"
                                "a\xcf\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00"
                                "\x98\x04\xa2hi\xc0\xc0\xc0\xc0\xc0\xc0";
    s_two (world);
    world_raw (world, "a@0000000000000001", frame, sizeof frame - 1);
    assert_non_null (take (world, "b", 1));
    assert_int_equal (s_stats (world).malformed, 0);
}

static void any_node_takes_turns (void **state)
{
    world_t *world = (world_t *) *state;
    unsigned a = 0, b = 0;
    s_two (world);
    for (int i = 0; i < 100; i++) {
        s_tell (world, "a", "echo");
        a += take (world, "a", 1) != NULL;
        b += take (world, "b", 1) != NULL;
    }
    assert_int_equal (a, 50);
    assert_int_equal (b, 50);
}

static void key_stays_at_one_node (void **state)
{
    world_t *world = (world_t *) *state;
    unsigned both = 0;
    s_two (world);
    for (int key = 0; key < 64; key++) {
        char address[32];
        unsigned a = 0;
        snprintf (address, sizeof address, "echo#key%d", key);
        for (int i = 0; i < 4; i++) {
            s_tell (world, "b", address);
            a += take (world, "a", 1) != NULL;
        }
        assert_true (a == 0 || a == 4);
        both |= a == 0 ? 1 : 2;
        forget (world);
    }
    assert_int_equal (both, 3); /* the keys are spread */
}

static void no_route_comes_back (void **state)
{
    world_t *world = (world_t *) *state;
    s_two (world);
    s_tell (world, "a", "c/echo");
    assert_string_equal (s_returned (world, "a", "c/echo"), "no-route");
    s_tell (world, "a", "nobody");
    assert_string_equal (s_returned (world, "a", "nobody"), "no-route");
    s_tell (world, "a", "nobody#k");
    assert_string_equal (s_returned (world, "a", "nobody#k"), "no-route");
    s_tell (world, "a", "no good/x");
    assert_string_equal (s_returned (world, "a", "no good/x"), "bad-address");
    assert_int_equal (s_stats (world).returned, 4);
    assert_int_equal (s_stats (world).dropped, 0);
}

static void unreachable_node_is_gone_at_once (void **state)
{
    world_t *world = (world_t *) *state;
    synod__delta_t delta;
    synod__gone_t gone;
    s_two (world);
    make_unreachable (world, "b", 1, true);
    s_tell (world, "a", "b/echo");
    assert_string_equal (s_returned (world, "a", "b/echo"), "node-down");
    body_of (take_method (world, "a", 1, "delta"), &synod__delta_record, &delta);
    assert_true (synod_list_next (&delta.down, &synod__gone_record, &gone));
    assert_true (synod_str_is (gone.node, "b"));
    assert_true (synod_str_is (gone.reason, "unreachable"));
    s_tell (world, "a", "b/echo");
    assert_string_equal (s_returned (world, "a", "b/echo"), "no-route");
    /* its next frame brings it back, by way of `again` */
    make_unreachable (world, "b", 1, false);
    s_tell (world, "b", "a/echo");
    take_method (world, "b", 1, "again");
    assert_string_equal (s_returned (world, "b", "a/echo"), "no-route");
    nothing_for (world, "a", 1);
    hello (world, "b", 1, (hello_t){.actors = s_echo});
    take_method (world, "b", 1, "welcome");
    world_pass (world, 20 * MS, NULL);
    take_method (world, "a", 1, "delta");
}

static void any_node_skips_the_unreachable (void **state)
{
    world_t *world = (world_t *) *state;
    s_two (world);
    make_unreachable (world, "a", 1, true);
    for (int i = 0; i < 4; i++)
        s_tell (world, "b", "echo");
    for (int i = 0; i < 4; i++) {
        sent_t *sent = take (world, "b", 1);
        assert_non_null (sent);
        if (!sent->forwarded) /* the delta about a */
            i--;
    }
    assert_int_equal (s_stats (world).joined, 1);
}

static void full_queue_is_busy (void **state)
{
    world_t *world = (world_t *) *state;
    synod__drop_t drop;
    s_two (world);
    make_full (world, "b", 1, true);
    for (int i = 0; i < 3; i++) {
        s_tell (world, "a", "b/echo");
        assert_string_equal (s_returned (world, "a", "b/echo"), "busy");
    }
    assert_int_equal (s_stats (world).joined, 2);
    assert_int_equal (s_stats (world).dropped, 3);
    s_tell (world, "a", "echo"); /* somebody else takes it */
    s_tell (world, "a", "echo");
    assert_true (take (world, "a", 1)->forwarded);
    assert_true (take (world, "a", 1)->forwarded);
    /* a sender that is full itself cannot be told */
    make_full (world, "a", 1, true);
    s_tell (world, "a", "nobody");
    assert_int_equal (s_stats (world).dropped, 4);
    world_pass (world, 1100 * MS, NULL);
    sent_t *sent = take (world, NULL, 0);
    assert_non_null (sent);
    assert_string_equal (sent->data, "$bus.drop");
    uint64_t busy = 0, all = 0;
    do {
        body_of (sent, &synod__drop_record, &drop);
        all += drop.count;
        if (synod_str_is (drop.to, "b/echo") && synod_str_is (drop.from, "a"))
            busy += drop.count;
    } while (synod__frame_next (&sent->frame, &sent->envelope, NULL) == SYNOD_OK);
    assert_int_equal (busy, 3);
    assert_int_equal (all, 4);
    world_pass (world, 1100 * MS, NULL);
    nothing_for (world, NULL, 0);
}

/* Another node's turn would change the order of what goes to one key. */
static void key_waits_for_no_other_node (void **state)
{
    world_t *world = (world_t *) *state;
    s_two (world);
    make_full (world, "b", 1, true);
    unsigned busy = 0;
    for (int key = 0; key < 16; key++) {
        char address[32];
        snprintf (address, sizeof address, "echo#%d", key);
        s_tell (world, "a", address);
        sent_t *sent = take (world, "a", 1);
        assert_non_null (sent);
        busy += !sent->forwarded;
    }
    assert_true (busy > 0 && busy < 16);
}

static void clients_run_nothing (void **state)
{
    world_t *world = (world_t *) *state;
    world_begin (world, 100);
    hello (world, "a", 1, (hello_t){.directory = true});
    hello (world, "c", 1, (hello_t){.actors = s_echo, .client = true});
    world_pass (world, 50 * MS, NULL);
    take_method (world, "a", 1, "welcome");
    take_method (world, "a", 1, "snapshot");
    nothing_for (world, "a", 1); /* no news of it */
    s_tell (world, "a", "echo");
    assert_string_equal (s_returned (world, "a", "echo"), "no-route");
    take_method (world, "c", 1, "welcome");
    s_tell (world, "a", "c/x");
    assert_true (take (world, "c", 1)->forwarded);
}

static void drops_are_bounded (void **state)
{
    world_t *world = (world_t *) *state;
    synod__drop_t drop;
    s_two (world);
    make_full (world, "a", 1, true);
    for (int i = 0; i < 1000; i++) {
        char address[32];
        snprintf (address, sizeof address, "nobody%d", i);
        s_tell (world, "a", address);
    }
    world_pass (world, 1100 * MS, NULL);
    sent_t *sent = take (world, NULL, 0);
    assert_non_null (sent);
    uint64_t all = 0, records = 0;
    do {
        body_of (sent, &synod__drop_record, &drop);
        all += drop.count;
        records++;
    } while (synod__frame_next (&sent->frame, &sent->envelope, NULL) == SYNOD_OK);
    assert_int_equal (all, 1000);
    assert_int_equal (records, 257);
}

static void impostor_is_refused (void **state)
{
    world_t *world = (world_t *) *state;
    synod__batch_t batch = {0};
    synod_envelope_t envelope = {.kind = SYNOD_KIND_TELL, .method = synod_str ("hi")};
    s_two (world);
    for (int i = 0; i < 2; i++) { /* a's name, then another incarnation of b */
        synod__batch_begin (&batch, synod_str ("a/echo"), synod_str (i ? "b" : "a"), i ? 2 : 1, 0);
        synod__batch_add (&batch, &envelope);
        world_send (world, "b", 1, &batch);
        assert_string_equal (s_error (take (world, "b", 1)), "bad-frame");
    }
    nothing_for (world, "a", 1);
    assert_int_equal (s_stats (world).malformed, 2);
    synod__batch_free (&batch);
}

static void garbage_gets_an_error (void **state)
{
    world_t *world = (world_t *) *state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *code;
    } cases[] = {
        {"", 0, "bad-frame"},
        {"x", 1, "bad-frame"},
        {"x\0", 2, "bad-frame"},
        {"\0\0", 2, "bad-address"},
        {"x\0\x95\x02\xa1x\x01\x00\x00", 9, "bad-version"},
        {"x\0\x95\x01\xa1x\x01\x00", 8, "bad-frame"},
    };
    char wide[SYNOD_ADDRESS_MAX + 10];
    s_two (world);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_raw (world, "b@0000000000000001", cases[i].bytes, cases[i].size);
        assert_string_equal (s_error (take (world, "b", 1)), cases[i].code);
        world_raw (world, "no-identity", cases[i].bytes, cases[i].size);
        assert_int_equal (s_stats (world).malformed, 2 * (i + 1));
    }
    memset (wide, 'x', sizeof wide);
    world_raw (world, "b@0000000000000001", wide, sizeof wide);
    assert_string_equal (s_error (take (world, "b", 1)), "bad-address");
    forget (world);
    synod__routing_turn_begin (world->routing, world->now_us);
    synod__routing_garbage (world->routing, synod_str ("b@0000000000000001"), "2 parts");
    synod__routing_turn_end (world->routing);
    assert_string_equal (s_error (take (world, "b", 1)), "bad-frame");
    assert_int_equal (s_stats (world).joined, 2);
    nothing_for (world, "a", 1);
}

static void stranger_is_told_to_say_hello (void **state)
{
    world_t *world = (world_t *) *state;
    s_two (world);
    s_tell (world, "c", "a/echo");
    take_method (world, "c", 1, "again");
    assert_string_equal (s_returned (world, "c", "a/echo"), "no-route");
    s_tell (world, "c", "echo");
    assert_string_equal (s_returned (world, "c", "echo"), "no-route");
    nothing_for (world, "c", 1); /* `again` is not said for each frame */
    world_pass (world, 60 * MS, NULL);
    post_method (world, "c", 1, "$broker", SYNOD_KIND_TELL, "heartbeat", 0);
    take_method (world, "c", 1, "again");
    nothing_for (world, "c", 1); /* of no use to get back */
    post_method (world, "c", 1, "$broker", SYNOD_KIND_ASK, "status", 7);
    assert_string_equal (s_returned (world, "c", "$broker"), "no-route");
    post_method (world, "c", 1, "a/echo", SYNOD_KIND_MARK, "mark", 1);
    nothing_for (world, "c", 1);
    nothing_for (world, "a", 1);
    assert_int_equal (s_stats (world).returned, 3);
    assert_int_equal (s_stats (world).dropped, 0); /* that is its sender's to count */
    make_unreachable (world, "c", 1, true);
    s_tell (world, "c", "a/echo");
    assert_int_equal (s_stats (world).dropped, 1);
}

/* Who claims a name has not joined: what it sends meanwhile comes back. */
static void claimant_gets_its_mail_back (void **state)
{
    world_t *world = (world_t *) *state;
    s_two (world);
    hello (world, "a", 2, (hello_t){.actors = s_echo});
    nothing_for (world, "a", 2);
    post_method (world, "a", 2, "b/echo", SYNOD_KIND_ASK, "hi", 5);
    assert_string_equal (s_returned_to (world, "a", 2, "b/echo"), "no-route");
    post_method (world, "a", 2, "$broker", SYNOD_KIND_ASK, "status", 6);
    assert_string_equal (s_error (take (world, "a", 2)), "no-route");
    nothing_for (world, "b", 1);
}

static void answers_asks (void **state)
{
    world_t *world = (world_t *) *state;
    synod__status_is_t status;
    synod__nodes_are_t nodes;
    synod__entry_t entry;
    s_two (world);
    hello (world, "c", 1, (hello_t){.client = true});
    take_method (world, "c", 1, "welcome");
    world_pass (world, 500 * MS, s_ab);
    forget (world);
    post_method (world, "c", 1, "$broker", SYNOD_KIND_ASK, "status", 7);
    sent_t *sent = take (world, "c", 1);
    assert_non_null (sent);
    assert_int_equal (sent->envelope.kind, SYNOD_KIND_REPLY);
    assert_int_equal (sent->envelope.id, 7);
    assert_string_equal (sent->data, "c/me");
    body_of (sent, &synod__status_is_record, &status);
    assert_true (synod_str_is (status.node, "$broker"));
    assert_int_equal (status.incarnation, 99);
    assert_int_equal (status.uptime_ms, 520);
    post_method (world, "c", 1, "$broker/x", SYNOD_KIND_ASK, "nodes", 8);
    body_of (take (world, "c", 1), &synod__nodes_are_record, &nodes);
    assert_int_equal (nodes.nodes.count, 2); /* not the client */
    while (synod_list_next (&nodes.nodes, &synod__entry_record, &entry))
        assert_true (synod_str_is (entry.node, "a") || synod_str_is (entry.node, "b"));
    post_method (world, "c", 1, "$broker", SYNOD_KIND_ASK, "dance", 9);
    sent = take (world, "c", 1);
    assert_int_equal (sent->envelope.id, 9);
    assert_string_equal (s_error (sent), "no-method");
    post_method (world, "c", 1, "$broker", SYNOD_KIND_TELL, "dance", 0);
    assert_string_equal (s_error (take (world, "c", 1)), "no-method");
    assert_int_equal (s_stats (world).malformed, 1);
}

static void bad_bodies_are_refused (void **state)
{
    world_t *world = (world_t *) *state;
    synod__batch_t batch = {0};
    synod_envelope_t envelope = {
        .kind = SYNOD_KIND_TELL, .method = synod_str ("heartbeat"), .body = synod_str ("\x81\xa6queued\xa1x")};
    s_two (world);
    synod__batch_begin (&batch, synod_str ("$broker"), synod_str ("a"), 1, 0);
    synod__batch_add (&batch, &envelope);
    world_send (world, "a", 1, &batch);
    assert_string_equal (s_error (take (world, "a", 1)), "bad-request");
    /* an envelope that is cut short: those before it stand */
    envelope = (synod_envelope_t){.kind = SYNOD_KIND_ASK, .method = synod_str ("status"), .id = 3};
    synod__batch_begin (&batch, synod_str ("$broker"), synod_str ("a"), 1, 0);
    synod__batch_add (&batch, &envelope);
    synod__batch_add (&batch, &envelope);
    batch.buf.size -= 2;
    world_send (world, "a", 1, &batch);
    assert_int_equal (take (world, "a", 1)->envelope.kind, SYNOD_KIND_REPLY);
    assert_string_equal (s_error (take (world, "a", 1)), "bad-frame");
    assert_int_equal (s_stats (world).malformed, 2);
    assert_int_equal (s_stats (world).joined, 2);
    synod__batch_free (&batch);
}

static void random_frames_do_no_harm (void **state)
{
    world_t *world = (world_t *) *state;
    synod__batch_t batch = {0};
    uint64_t random = 7;
    s_two (world);
    synod_envelope_t envelope = {.kind = SYNOD_KIND_ASK, .method = synod_str ("status"), .id = 3};
    for (int i = 0; i < 10000; i++) {
        synod__batch_begin (&batch, synod_str (i % 2 ? "$broker" : "b/echo"), synod_str ("a"), 1, 0);
        synod__batch_add (&batch, &envelope);
        for (int k = 0; k < 1 + i % 3; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            batch.buf.data[(random >> 33) % batch.buf.size] = (char) (random >> 20);
        }
        world_send (world, "a", 1, &batch);
        if (world->count > 10000) {
            world_end (world);
            s_two (world);
        }
    }
    s_tell (world, "a", "b/echo");
    synod__batch_free (&batch);
    assert_int_equal (s_stats (world).joined, 2);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST (forwards_as_it_came),
        WORLD_TEST (takes_headers_in_any_width),
        WORLD_TEST (any_node_takes_turns),
        WORLD_TEST (key_stays_at_one_node),
        WORLD_TEST (no_route_comes_back),
        WORLD_TEST (unreachable_node_is_gone_at_once),
        WORLD_TEST (any_node_skips_the_unreachable),
        WORLD_TEST (full_queue_is_busy),
        WORLD_TEST (key_waits_for_no_other_node),
        WORLD_TEST (clients_run_nothing),
        WORLD_TEST (drops_are_bounded),
        WORLD_TEST (impostor_is_refused),
        WORLD_TEST (garbage_gets_an_error),
        WORLD_TEST (stranger_is_told_to_say_hello),
        WORLD_TEST (claimant_gets_its_mail_back),
        WORLD_TEST (answers_asks),
        WORLD_TEST (bad_bodies_are_refused),
        WORLD_TEST (random_frames_do_no_harm),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
