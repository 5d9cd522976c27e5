/* SPDX-License-Identifier: MPL-2.0
 *
 * The host in memory.
 */
#include "routing_test.h"

static const char *s_identity (const char *name, uint64_t incarnation)
{
    static char text[4][SYNOD__IDENTITY_MAX + 1];
    static unsigned at;
    char *out = text[at++ % 4];
    synod__identity (synod_str (name), incarnation, 0, out);
    return out;
}

static bool s_among (char list[8][SYNOD__IDENTITY_MAX + 1], const char *identity)
{
    for (int i = 0; i < 8; i++)
        if (strcmp (list[i], identity) == 0)
            return true;
    return false;
}

static void s_set (char list[8][SYNOD__IDENTITY_MAX + 1], const char *identity, bool on)
{
    for (int i = 0; i < 8; i++)
        if (strcmp (list[i], on ? "" : identity) == 0) {
            snprintf (list[i], sizeof list[i], "%s", on ? identity : "");
            return;
        }
    fail_msg ("no place left");
}

void make_unreachable (world_t *world, const char *name, uint64_t incarnation, bool on)
{
    s_set (world->unreachable, s_identity (name, incarnation), on);
}

void make_full (world_t *world, const char *name, uint64_t incarnation, bool on)
{
    s_set (world->full, s_identity (name, incarnation), on);
}

static void s_keep (world_t *world, const char *to, const void *data, size_t size, bool forwarded)
{
    assert_true (world->count < sizeof world->sent / sizeof *world->sent);
    sent_t *sent = (sent_t *) calloc (1, sizeof *sent);
    synod_fault_t fault = {0};
    snprintf (sent->to, sizeof sent->to, "%s", to);
    sent->data = (char *) malloc (size + 1);
    memcpy (sent->data, data, size);
    sent->size = size;
    sent->forwarded = forwarded;
    if (!forwarded) { /* the broker's own frames are well formed, always */
        if (synod__frame_open (&sent->frame, sent->data, size, &fault) != SYNOD_OK ||
            synod__frame_next (&sent->frame, &sent->envelope, &fault) != SYNOD_OK)
            fail_msg ("the routing made a bad frame: %s", fault.text);
        assert_true (synod_str_is (sent->frame.node, "$broker"));
        assert_int_equal (sent->frame.number, 0);
        if (!synod_str_is (sent->envelope.method, "returned") && !synod_str_is (sent->envelope.method, "tapped"))
            assert_true (size <= SYNOD_FRAME_MAX);
    }
    world->sent[world->count++] = sent;
}

static int s_deliver (world_t *world, synod_str_t identity, const void *data, size_t size, bool forwarded)
{
    char to[SYNOD__IDENTITY_MAX + 1];
    assert_true (identity.size <= SYNOD__IDENTITY_MAX);
    memcpy (to, identity.data, identity.size);
    to[identity.size] = '\0';
    if (s_among (world->unreachable, to))
        return SYNOD_NODE_DOWN;
    if (s_among (world->full, to))
        return SYNOD_BUSY;
    s_keep (world, to, data, size, forwarded);
    return SYNOD_OK;
}

static int s_send (void *host, synod_str_t identity, const void *data, size_t size)
{
    return s_deliver ((world_t *) host, identity, data, size, false);
}

static int s_forward (void *host, synod_str_t identity)
{
    world_t *world = (world_t *) host;
    assert_non_null (world->data);
    return s_deliver (world, identity, world->data, world->size, true);
}

static void s_publish (void *host, const void *data, size_t size)
{
    s_keep ((world_t *) host, "", data, size, false);
}

static void s_log (void *host, int level, const char *text)
{
    (void) host;
    (void) level;
    (void) text;
}

static const synod__routing_ops_t s_ops = {s_send, s_forward, s_publish, s_log};

void world_begin (world_t *world, uint32_t nodes_max)
{
    memset (world, 0, sizeof *world);
    synod__routing_config_t config = {.incarnation = 99,
                                      .publish = "tcp://h:1",
                                      .subscribe = "tcp://h:2",
                                      .heartbeat_ms = 1000,
                                      .nodes_max = nodes_max};
    world->now_us = 1000000;
    world->routing = synod__routing_new (&config, &s_ops, world);
    assert_non_null (world->routing);
}

void world_end (world_t *world)
{
    synod__routing_destroy (&world->routing);
    for (unsigned i = 0; i < world->count; i++) {
        free (world->sent[i]->data);
        free (world->sent[i]);
    }
}

void world_raw (world_t *world, const char *identity, const void *data, size_t size)
{
    char *copy = (char *) malloc (size > 0 ? size : 1); /* exactly as large: a read past the end shows */
    memcpy (copy, data, size);
    synod__routing_turn_begin (world->routing, world->now_us);
    world->data = copy;
    world->size = size;
    synod__routing_frame (world->routing, synod_str (identity), copy, size);
    world->data = NULL;
    world->next_us = synod__routing_turn_end (world->routing);
    free (copy);
}

void world_send (world_t *world, const char *name, uint64_t incarnation, const synod__batch_t *batch)
{
    world_raw (world, s_identity (name, incarnation), batch->buf.data, batch->buf.size);
}

void world_pass (world_t *world, int64_t us, const char *const *names)
{
    int64_t end_us = world->now_us + us, beat_us = world->now_us;
    while (world->now_us < end_us) {
        world->now_us = world->now_us + 10 * MS < end_us ? world->now_us + 10 * MS : end_us;
        synod__routing_turn_begin (world->routing, world->now_us);
        world->next_us = synod__routing_turn_end (world->routing);
        for (int i = 0; names && world->now_us >= beat_us && names[i]; i++)
            post_method (world, names[i], 1, "$broker", SYNOD_KIND_TELL, "heartbeat", 0);
        if (world->now_us >= beat_us)
            beat_us += 500 * MS;
    }
}

void post (world_t *world, const char *name, uint64_t incarnation, const char *address, synod_kind_t kind,
           const synod_record_t *record, const void *rec, uint64_t id)
{
    synod__batch_t batch = {0};
    synod_envelope_t envelope = {
        .kind = kind, .method = synod_str (record->name), .from = synod_str ("me"), .id = id, .left_ms = 1000};
    assert_int_equal (synod__batch_begin (&batch, synod_str (address), synod_str (name), incarnation, 0), SYNOD_OK);
    assert_int_equal (synod__batch_add_record (&batch, &envelope, record, rec, NULL), SYNOD_OK);
    world_send (world, name, incarnation, &batch);
    synod__batch_free (&batch);
}

void post_method (world_t *world, const char *name, uint64_t incarnation, const char *address, synod_kind_t kind,
                  const char *method, uint64_t id)
{
    synod__batch_t batch = {0};
    synod_envelope_t envelope = {.kind = kind, .method = synod_str (method), .from = synod_str ("me"), .id = id};
    assert_int_equal (synod__batch_begin (&batch, synod_str (address), synod_str (name), incarnation, 0), SYNOD_OK);
    assert_int_equal (synod__batch_add (&batch, &envelope), SYNOD_OK);
    world_send (world, name, incarnation, &batch);
    synod__batch_free (&batch);
}

void hello (world_t *world, const char *name, uint64_t incarnation, hello_t how)
{
    synod_buf_t items = {0}, actors = {0};
    synod__entry_t entry = {.node = synod_str (name), .incarnation = incarnation, .client = how.client};
    for (int i = 0; how.actors && how.actors[i]; i++) {
        synod__actor_at_t at = {.name = synod_str (how.actors[i])};
        assert_int_equal (synod_list_add (&entry.actors, &actors, &synod__actor_at_record, &at, NULL), SYNOD_OK);
    }
    synod__hello_t record = {.heartbeat_ms = how.heartbeat_ms ? how.heartbeat_ms : 1000, .directory = how.directory};
    assert_int_equal (synod_list_add (&record.self, &items, &synod__entry_record, &entry, NULL), SYNOD_OK);
    post (world, name, incarnation, "$broker", SYNOD_KIND_TELL, &synod__hello_record, &record, 0);
    synod_buf_free (&items);
    synod_buf_free (&actors);
}

sent_t *take (world_t *world, const char *name, uint64_t incarnation)
{
    const char *to = name ? s_identity (name, incarnation) : "";
    for (unsigned i = 0; i < world->count; i++)
        if (!world->sent[i]->taken && strcmp (world->sent[i]->to, to) == 0) {
            world->sent[i]->taken = true;
            return world->sent[i];
        }
    return NULL;
}

sent_t *take_method (world_t *world, const char *name, uint64_t incarnation, const char *method)
{
    sent_t *sent = take (world, name, incarnation);
    if (!sent)
        fail_msg ("expected %s for %s, got nothing", method, name ? name : "a topic");
    else if (!synod_str_is (sent->envelope.method, method))
        fail_msg ("expected %s for %s, got %.*s (%s)", method, name ? name : "a topic",
                  SYNOD_STR (sent->envelope.method), synod__kind_name ((int) sent->envelope.kind));
    return sent;
}

void body_of (const sent_t *sent, const synod_record_t *record, void *rec)
{
    synod_fault_t fault = {0};
    if (synod_record_unpack (record, sent->envelope.body, rec, &fault) != SYNOD_OK)
        fail_msg ("%s", fault.text);
}

void forget (world_t *world)
{
    for (unsigned i = 0; i < world->count; i++)
        world->sent[i]->taken = true;
}

void nothing_for (world_t *world, const char *name, uint64_t incarnation)
{
    sent_t *sent = take (world, name, incarnation);
    if (sent)
        fail_msg ("expected nothing for %s, got %.*s", name ? name : "a topic", SYNOD_STR (sent->envelope.method));
}

void told_gone (world_t *world, const char *who, const char *node, uint64_t incarnation, const char *reason,
                const char *up)
{
    synod__delta_t delta;
    synod__gone_t gone;
    synod__entry_t entry;
    body_of (take_method (world, who, 1, "delta"), &synod__delta_record, &delta);
    assert_int_equal (delta.down.count, 1);
    assert_true (synod_list_next (&delta.down, &synod__gone_record, &gone));
    assert_true (synod_str_is (gone.node, node));
    assert_int_equal (gone.incarnation, incarnation);
    if (!synod_str_is (gone.reason, reason))
        fail_msg ("expected %s, got %.*s", reason, SYNOD_STR (gone.reason));
    assert_int_equal (delta.up.count, up ? 1 : 0);
    if (up) {
        assert_true (synod_list_next (&delta.up, &synod__entry_record, &entry));
        assert_true (synod_str_is (entry.node, up));
    }
}

int world_setup (void **state)
{
    *state = calloc (1, sizeof (world_t));
    return *state ? 0 : -1;
}

int world_teardown (void **state)
{
    world_end ((world_t *) *state);
    free (*state);
    return 0;
}
