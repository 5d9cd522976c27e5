/* SPDX-License-Identifier: MPL-2.0
 *
 * The lone host: the link to the broker is a list of what was sent; the disk is one in memory behind an eye.
 */
#include <stdio.h>
#include "lone_host.h"
#include "protocol/address.h"

#define VALUE_FIELDS(FIELD, OPT) OPT (i64, value, INT64_MAX, "a number")
SYNOD_RECORD (lone_value, VALUE_FIELDS, 0, "any body with a value")

static const synod_actor_t *s_type;
static synod__batch_t s_batch;
static char s_to[128]; /* of each envelope; "": of the frame */

static void s_note (lone_t *self, char what)
{
    size_t at = strlen (self->log);
    assert_true (at + 1 < sizeof self->log);
    self->log[at] = what;
    self->log[at + 1] = 0;
}

/* ---- the disk ---- */

static lone_t *s_of (const synod__disk_t *disk)
{
    return (lone_t *) ((char *) (uintptr_t) disk - offsetof (lone_t, disk));
}

static int s_get (synod__disk_t *disk, synod_str_t key, synod_str_t *value)
{
    synod__disk_t *under = s_of (disk)->under;
    return under->ops->get (under, key, value);
}

static int s_scan (synod__disk_t *disk, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg)
{
    synod__disk_t *under = s_of (disk)->under;
    return under->ops->scan (under, from, until, on_entry, arg);
}

static int s_write (synod__disk_t *disk, synod_str_t prefix, synod_str_t batch)
{
    synod__disk_t *under = s_of (disk)->under;
    s_note (s_of (disk), 'w');
    return under->ops->write (under, prefix, batch);
}

static int s_commit (synod__disk_t *disk)
{
    synod__disk_t *under = s_of (disk)->under;
    s_note (s_of (disk), 'c');
    disk->settled = disk->begun;
    return under->ops->commit (under);
}

static int s_begin (synod__disk_t *disk)
{
    if (!s_of (disk)->slow)
        return SYNOD_BUSY;
    s_note (s_of (disk), 'b');
    synod__memory_disk_begin (s_of (disk)->under);
    disk->begun++;
    return SYNOD_OK;
}

static int s_settle (synod__disk_t *disk)
{
    lone_t *self = s_of (disk);
    for (; self->durable && disk->settled < disk->begun; self->durable--) {
        if (self->fails) {
            synod__memory_disk_break (self->under, self->fails);
            return self->fails;
        }
        s_note (self, 'd');
        synod__memory_disk_settle (self->under);
        disk->settled++;
    }
    return SYNOD_OK;
}

static const char *s_error (const synod__disk_t *disk)
{
    const synod__disk_t *under = s_of (disk)->under;
    return under->ops->error (under);
}

static const synod__disk_ops_t s_disk_ops = {s_get, s_scan, s_write, s_commit, s_begin, s_settle, s_error, NULL};

/* ---- the host ---- */

static void s_take (lone_t *self, const synod_frame_t *frame, const synod_envelope_t *env)
{
    lone_value_t value = {.value = -1};
    synod__error_t error = {.code = synod_str ("")};
    assert_true (self->nmail < LONE_MAIL_MAX);
    lone_mail_t *mail = &self->mail[self->nmail++];
    memset (mail, 0, sizeof *mail);
    mail->kind = env->kind;
    mail->id = env->id;
    mail->client = env->client;
    mail->number = env->number;
    mail->low = env->low;
    synod_str_t to = env->to.data ? env->to : frame->address;
    snprintf (mail->to, sizeof mail->to, "%.*s", SYNOD_STR (to));
    snprintf (mail->method, sizeof mail->method, "%.*s", SYNOD_STR (env->method));
    if (env->kind == SYNOD_KIND_ERROR)
        assert_int_equal (synod_record_unpack (&synod__error_record, env->body, &error, NULL), SYNOD_OK);
    else if (env->body.data)
        synod_record_unpack (&lone_value_record, env->body, &value, NULL);
    snprintf (mail->error, sizeof mail->error, "%.*s", SYNOD_STR (error.code));
    mail->value = value.value;
    mail->early = !strchr (self->log, 'c');
}

static int s_send (void *host, uint32_t link, synod_buf_t *bytes)
{
    lone_t *self = (lone_t *) host;
    synod_frame_t frame;
    synod_envelope_t env;
    if (self->blocked)
        return SYNOD_BUSY;
    assert_int_equal (synod__frame_open (&frame, bytes->data, bytes->size, NULL), SYNOD_OK);
    if (synod_str_is (frame.address, SYNOD_BROKER))
        return SYNOD_OK;
    s_note (self, link == SYNOD__LINK_BROKER ? 'f' : 'F');
    while (synod__frame_next (&frame, &env, NULL) == SYNOD_OK) {
        synod__link_mark_t mark;
        if (synod_str_is (env.method, synod__link_mark_record.name) &&
            synod_record_unpack (&synod__link_mark_record, env.body, &mark, NULL) == SYNOD_OK)
            self->change = mark.change;
        if (env.kind != SYNOD_KIND_MARK)
            s_take (self, &frame, &env);
    }
    return SYNOD_OK;
}

static int s_publish (void *host, synod_buf_t *frame)
{
    (void) frame;
    s_note ((lone_t *) host, 'p');
    return SYNOD_OK;
}

static void s_answer (void *host, synod_str_t identity, synod_buf_t *frame)
{
    (void) host, (void) identity, (void) frame;
}

static void s_prefix (void *host, const char *prefix, size_t size)
{
    (void) host, (void) prefix, (void) size;
}

static const char *s_listen (void *host)
{
    (void) host;
    return NULL;
}

static int s_link_open (void *host, uint32_t link, const char *endpoint)
{
    (void) host, (void) link, (void) endpoint;
    return SYNOD_OK;
}

static void s_link_close (void *host, uint32_t link)
{
    (void) host, (void) link;
}

static int s_topics_open (void *host, const char *publish, const char *subscribe)
{
    (void) host, (void) publish, (void) subscribe;
    return SYNOD_OK;
}

static uint64_t s_random (void *host)
{
    (void) host;
    return 4;
}

static int64_t s_wall_us (void *host)
{
    return ((lone_t *) host)->wall_us;
}

static void s_log (void *host, int level, const char *actor, const char *text)
{
    (void) host, (void) level, (void) actor, (void) text;
}

static const synod__host_t s_ops = {.send = s_send,
                                    .publish = s_publish,
                                    .answer = s_answer,
                                    .subscribe = s_prefix,
                                    .unsubscribe = s_prefix,
                                    .listen = s_listen,
                                    .link_open = s_link_open,
                                    .link_close = s_link_close,
                                    .topics_open = s_topics_open,
                                    .random = s_random,
                                    .wall_us = s_wall_us,
                                    .log = s_log};

/* ---- its life ---- */

void lone_new (lone_t *self)
{
    static const uint8_t id[SYNOD__DISK_ID] = {1};
    memset (self, 0, sizeof *self);
    self->under = synod__memory_disk_new (id);
    self->disk.ops = &s_disk_ops;
    self->now_us = 1000000;
    self->wall_us = 1000000000000000;
}

static void s_feed (lone_t *self)
{
    synod__rt_frame (self->rt, synod_str_n (NULL, 0), s_batch.buf.data, s_batch.buf.size);
    synod__batch_clear (&s_batch);
}

static void s_from (lone_t *self, const char *node, uint64_t incarnation, const synod_record_t *record, const void *rec)
{
    synod_envelope_t env = {.kind = SYNOD_KIND_TELL, .method = synod_str (record->name)};
    synod__batch_begin (&s_batch, synod_str ("n/$node"), synod_str (node), incarnation, 0);
    assert_int_equal (synod__batch_add_record (&s_batch, &env, record, rec, NULL), SYNOD_OK);
    synod__rt_turn_begin (self->rt, self->now_us);
    s_feed (self);
    lone_turn (self);
}

static void s_from_broker (lone_t *self, const synod_record_t *record, const void *rec)
{
    s_from (self, SYNOD_BROKER, 1, record, rec);
}

void lone_link (lone_t *self, const char *node, uint64_t incarnation)
{
    const synod__link_offer_t offer = {.endpoint = synod_str ("ipc:///there")};
    synod__rt_turn_begin (self->rt, self->now_us);
    assert_int_equal (synod__rt_link (self->rt, node), SYNOD_OK);
    lone_turn (self);
    s_from (self, node, incarnation, &synod__link_offer_record, &offer);
    synod__rt_turn_begin (self->rt, self->now_us);
    synod__rt_link_up (self->rt, 1);
    lone_turn (self);
    const synod__link_ready_t ready = {.change = self->change};
    s_from (self, node, incarnation, &synod__link_ready_record, &ready);
    lone_clear (self);
}

void lone_start (lone_t *self, const synod_actor_t *type, uint64_t incarnation)
{
    synod__rt_config_t config = {.node = "n",
                                 .incarnation = incarnation,
                                 .brokered = true,
                                 .directory = true,
                                 .heartbeat_ms = 1000,
                                 .drain_ms = 1000,
                                 .link_after = 1000000,
                                 .disk = self->memory ? NULL : &self->disk};
    synod_fault_t fault = {0};
    s_type = type;
    self->rt = synod__rt_new (&config, &s_ops, self);
    assert_int_equal (synod__rt_add (self->rt, type, NULL, &fault), SYNOD_OK);
    if (self->beside)
        assert_int_equal (synod__rt_add (self->rt, self->beside, NULL, &fault), SYNOD_OK);
    synod__rt_turn_begin (self->rt, self->now_us);
    assert_int_equal (synod__rt_start (self->rt, &fault), SYNOD_OK);
    synod__rt_link_up (self->rt, SYNOD__LINK_BROKER);
    lone_turn (self);
    synod__welcome_t welcome = {.heartbeat_ms = 1000000, .publish = synod_str ("x"), .subscribe = synod_str ("y")};
    synod__snapshot_t snapshot = {.first = true, .last = true};
    s_from_broker (self, &synod__welcome_record, &welcome);
    s_from_broker (self, &synod__snapshot_record, &snapshot);
    assert_int_equal (synod__rt_state (self->rt), SYNOD__RT_UP);
    lone_clear (self);
}

void lone_crash (lone_t *self)
{
    synod__rt_crash (self->rt);
    synod__rt_destroy (&self->rt);
    synod__memory_disk_crash (self->under);
    self->disk.begun = self->disk.settled = 0;
}

void lone_end (lone_t *self)
{
    synod__rt_destroy (&self->rt);
    self->under->ops->close (&self->under);
    synod__batch_free (&s_batch);
}

void lone_clear (lone_t *self)
{
    self->log[0] = 0;
    self->nmail = 0;
}

void lone_turn (lone_t *self)
{
    synod__rt_turn_end (self->rt);
}

void lone_durable (lone_t *self, uint32_t count)
{
    self->durable = count;
    synod__rt_turn_begin (self->rt, self->now_us);
    lone_turn (self);
}

void lone_run (lone_t *self, uint32_t ms)
{
    int64_t until_us = self->now_us + (int64_t) ms * 1000;
    while (self->now_us <= until_us) {
        synod__rt_turn_begin (self->rt, self->now_us);
        int64_t next_us = synod__rt_turn_end (self->rt);
        self->now_us = next_us > self->now_us ? next_us : self->now_us + 1;
    }
    self->now_us = until_us;
}

/* ---- what comes in ---- */

static void s_begin_from (const char *node, uint64_t incarnation)
{
    char address[128];
    s_to[0] = 0;
    snprintf (address, sizeof address, "n/%s", s_type->name);
    synod__batch_begin (&s_batch, synod_str (address), synod_str (node), incarnation, 0);
}

void lone_begin (lone_t *self)
{
    (void) self;
    s_begin_from ("peer", 7);
}

void lone_add (lone_t *self, const char *method, uint64_t id, uint64_t client, uint64_t number, uint64_t low,
               int64_t value)
{
    (void) self;
    synod_envelope_t env = {.kind = SYNOD_KIND_ASK,
                            .to = s_to[0] ? synod_str (s_to) : synod_str_n (NULL, 0),
                            .method = synod_str (method),
                            .from = synod_str ("main"),
                            .id = id,
                            .client = client,
                            .number = number,
                            .low = low,
                            .left_ms = 10000};
    lone_value_t in = {.value = value};
    assert_int_equal (synod__batch_add_record (&s_batch, &env, &lone_value_record, &in, NULL), SYNOD_OK);
}

void lone_to (lone_t *self, const char *actor)
{
    (void) self;
    snprintf (s_to, sizeof s_to, "n/%s", actor);
}

void lone_in (lone_t *self)
{
    synod__batch_number (&s_batch, ++self->number);
    synod__rt_turn_begin (self->rt, self->now_us);
    s_feed (self);
}

void lone_clients (lone_t *self, const char *method, uint32_t count, uint32_t clients)
{
    char node[16], identity[SYNOD__IDENTITY_MAX + 1];
    synod__rt_turn_begin (self->rt, self->now_us);
    for (uint32_t i = 1; i <= count; i++) {
        snprintf (node, sizeof node, "c%u", i % clients);
        s_begin_from (node, 1);
        lone_add (self, method, i, 0, 0, 0, i);
        const size_t size = synod__identity (synod_str (node), 1, 0, identity);
        synod__rt_frame (self->rt, synod_str_n (identity, (uint32_t) size), s_batch.buf.data, s_batch.buf.size);
        synod__batch_clear (&s_batch);
    }
}

void lone_ask (lone_t *self, const char *method, uint64_t id, uint64_t client, uint64_t number, uint64_t low,
               int64_t value)
{
    lone_begin (self);
    lone_add (self, method, id, client, number, low, value);
    lone_in (self);
    lone_turn (self);
}

void lone_answer (lone_t *self, const char *node, uint64_t incarnation, const char *from, uint64_t id, int code)
{
    s_begin_from (node, incarnation);
    synod_envelope_t env = {.kind = code ? SYNOD_KIND_ERROR : SYNOD_KIND_REPLY, .from = synod_str (from), .id = id};
    synod__error_t error = {.code = synod_str (synod_error_name (code)), .message = synod_str ("no")};
    assert_int_equal (code ? synod__batch_add_record (&s_batch, &env, &synod__error_record, &error, NULL)
                           : synod__batch_add (&s_batch, &env),
                      SYNOD_OK);
    synod__rt_turn_begin (self->rt, self->now_us);
    s_feed (self);
    lone_turn (self);
}

void lone_directory (lone_t *self, const char *node, uint64_t incarnation, const char *actor)
{
    synod_buf_t items = {0}, actors = {0};
    synod__delta_t delta = {0};
    synod__entry_t entry = {.node = synod_str (node), .incarnation = incarnation};
    synod__gone_t gone = {.node = synod_str (node), .incarnation = incarnation, .reason = synod_str ("silent")};
    synod__actor_at_t at = {.name = synod_str (actor ? actor : "")};
    if (actor) {
        synod_list_add (&entry.actors, &actors, &synod__actor_at_record, &at, NULL);
        synod_list_add (&delta.up, &items, &synod__entry_record, &entry, NULL);
    } else
        synod_list_add (&delta.down, &items, &synod__gone_record, &gone, NULL);
    s_from_broker (self, &synod__delta_record, &delta);
    synod_buf_free (&items);
    synod_buf_free (&actors);
}

int lone_step (lone_t *self, int (*function) (synod_ctx_t *ctx, void *arg), void *arg)
{
    synod__rt_turn_begin (self->rt, self->now_us);
    synod_ctx_t *ctx = synod__rt_enter (self->rt, s_type);
    assert_non_null (ctx);
    int rc = synod__rt_leave (self->rt, ctx, function (ctx, arg));
    lone_turn (self);
    return rc;
}

const lone_mail_t *lone_only (lone_t *self)
{
    assert_int_equal (self->nmail, 1);
    return &self->mail[0];
}
