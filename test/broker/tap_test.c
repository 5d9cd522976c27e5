/* SPDX-License-Identifier: MPL-2.0
 *
 * The routing beside the topics: the tap, echoes of subscriptions, reports of what was dropped.
 */
#include "routing_test.h"

static const char *const s_echo[] = {"echo", NULL};
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

static synod__routing_stats_t s_stats (world_t *world)
{
    return synod__routing_stats (world->routing);
}

static void s_subscribe (world_t *world, const char *prefix, size_t size, bool on)
{
    synod__routing_turn_begin (world->routing, world->now_us);
    synod__routing_subscribed (world->routing, prefix, size, on);
    synod__routing_turn_end (world->routing);
}

static bool s_tap_told (world_t *world, const char *name)
{
    synod__tap_t tap;
    body_of (take_method (world, name, 1, "tap"), &synod__tap_record, &tap);
    return tap.on;
}

static void tap_copies_while_somebody_listens (void **state)
{
    world_t *world = (world_t *) *state;
    synod__tapped_t tapped;
    s_two (world);
    s_tell (world, "a", "b/echo");
    nothing_for (world, NULL, 0);
    make_full (world, "b", 1, true); /* is told later */
    s_subscribe (world, "$tap", 5, true);
    assert_true (s_tap_told (world, "a"));
    make_full (world, "b", 1, false);
    forget (world);
    world_pass (world, 300 * MS, NULL);
    assert_true (s_tap_told (world, "b"));
    forget (world);
    s_tell (world, "a", "b/echo");
    sent_t *copy = take_method (world, NULL, 0, "tapped");
    assert_string_equal (copy->data, "$tap");
    body_of (copy, &synod__tapped_record, &tapped);
    assert_string_equal (tapped.frame.data, "b/echo");
    post_method (world, "a", 1, "$broker", SYNOD_KIND_TELL, "heartbeat", 0);
    nothing_for (world, NULL, 0);
    s_tell (world, "a", "nobody"); /* and what comes back */
    take_method (world, NULL, 0, "tapped");
    take_method (world, NULL, 0, "tapped");
    s_subscribe (world, "$tap", 4, true);
    s_subscribe (world, "$tap", 5, false); /* one is left */
    forget (world);
    s_tell (world, "a", "b/echo");
    take_method (world, NULL, 0, "tapped");
    hello (world, "c", 1, (hello_t){.client = true});
    synod__welcome_t welcome;
    body_of (take_method (world, "c", 1, "welcome"), &synod__welcome_record, &welcome);
    assert_true (welcome.tap);
    forget (world);
    s_subscribe (world, "$tap", 4, false);
    assert_false (s_tap_told (world, "a"));
    forget (world);
    s_tell (world, "a", "b/echo");
    nothing_for (world, NULL, 0);
    s_subscribe (world, "$tapestry", 9, true);
    s_subscribe (world, "", 0, true);
    assert_false (s_stats (world).tapped);
}

static void subscriptions_are_echoed (void **state)
{
    world_t *world = (world_t *) *state;
    s_two (world);
    s_subscribe (world, "$sub.a.1", 9, true);
    sent_t *echo = take_method (world, NULL, 0, "subscribed");
    assert_string_equal (echo->data, "$sub.a.1");
    assert_int_equal (echo->envelope.kind, SYNOD_KIND_PUBLISH);
    s_subscribe (world, "$sub.a.1", 9, true); /* a repeat too */
    take_method (world, NULL, 0, "subscribed");
    s_subscribe (world, "$sub.a.1", 9, false);
    s_subscribe (world, "$sub.a.1", 8, true); /* a prefix */
    s_subscribe (world, "$sub.", 6, true);
    s_subscribe (world, "$sub.a b", 9, true);
    nothing_for (world, NULL, 0);
}

static void topic_drops_are_reported (void **state)
{
    world_t *world = (world_t *) *state;
    synod__batch_t batch = {0};
    synod__drop_t drop;
    synod_envelope_t envelope = {.kind = SYNOD_KIND_PUBLISH, .method = synod_str ("hi")};
    s_two (world);
    synod__batch_begin (&batch, synod_str ("news.today"), synod_str ("a"), 1, 0);
    for (int i = 0; i < 3; i++)
        synod__batch_add (&batch, &envelope);
    synod__routing_topic_dropped (world->routing, batch.buf.data, batch.buf.size);
    synod__batch_begin (&batch, synod_str ("$bus.drop"), synod_str ("a"), 1, 0);
    synod__batch_add (&batch, &envelope);
    synod__routing_topic_dropped (world->routing, batch.buf.data, batch.buf.size);
    world_pass (world, 1100 * MS, NULL);
    sent_t *sent = take_method (world, NULL, 0, "drop");
    body_of (sent, &synod__drop_record, &drop);
    assert_true (synod_str_is (drop.from, "a"));
    assert_true (synod_str_is (drop.to, "news.today"));
    assert_int_equal (drop.count, 3);
    assert_int_equal (synod__frame_next (&sent->frame, &sent->envelope, NULL), SYNOD_NOT_FOUND);
    synod__batch_free (&batch);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST (tap_copies_while_somebody_listens),
        WORLD_TEST (subscriptions_are_echoed),
        WORLD_TEST (topic_drops_are_reported),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
