/* SPDX-License-Identifier: MPL-2.0
 *
 * Mail for $node: what nodes and the broker tell each other. A table from methods to functions; a body is unpacked
 * once, here.
 */
#include <stdio.h>
#include "place.h"

typedef struct {
    synod__rt_t *rt;
    synod__stream_t *from;
    synod_str_t identity;
    const synod_frame_t *frame;
    const synod_envelope_t *env;
} s_mail_t;

typedef union {
    synod__hello_t hello;
    synod__welcome_t welcome;
    synod__refused_t refused;
    synod__snapshot_t snapshot;
    synod__delta_t delta;
    synod__heartbeat_t heartbeat;
    synod__returned_t returned;
    synod__link_ask_t link_ask;
    synod__link_offer_t link_offer;
    synod__link_mark_t link_mark;
    synod__tap_t tap;
    synod__watch_t watch;
    synod__actor_down_t actor_down;
    synod__place_copy_t copy;
    synod__place_ring_ask_t ring_ask;
    synod__place_ring_base_t ring_base;
    synod__place_ring_is_t ring_is;
} s_body_t;

static bool s_of_broker (const s_mail_t *mail)
{
    return mail->rt->broker && mail->from == mail->rt->broker;
}

static void s_hello (const s_mail_t *mail, const s_body_t *in)
{
    if (!mail->rt->broker)
        synod__mesh_hello (mail->rt, mail->identity, mail->frame, &in->hello);
}

static void s_welcome (const s_mail_t *mail, const s_body_t *in)
{
    if (s_of_broker (mail))
        synod__join_welcome (mail->rt, mail->frame->incarnation, &in->welcome);
}

static void s_refused (const s_mail_t *mail, const s_body_t *in)
{
    char text[SYNOD_FAULT_MAX];
    synod__rt_t *rt = mail->rt;
    snprintf (text, sizeof text, "%.*s", SYNOD_STR (in->refused.message));
    /* without a broker a single peer's word counts too: two nodes of one name cannot both be reached */
    synod__rt_end (rt, synod_error_code (in->refused.code.data, in->refused.code.size), text);
}

static void s_again (const s_mail_t *mail, const s_body_t *in)
{
    (void) in;
    if (s_of_broker (mail))
        synod__join_hello (mail->rt);
    else if (!mail->rt->broker)
        synod__mesh_again (mail->rt, mail->frame);
}

static void s_snapshot (const s_mail_t *mail, const s_body_t *in)
{
    if (s_of_broker (mail))
        synod__join_snapshot (mail->rt, &in->snapshot);
}

static void s_delta (const s_mail_t *mail, const s_body_t *in)
{
    if (s_of_broker (mail))
        synod__join_delta (mail->rt, &in->delta);
}

static void s_alive (const s_mail_t *mail, const s_body_t *in)
{
    (void) in;
    mail->from->answers = true; /* of the life that has the name: what comes from others does not get here */
}

static void s_heartbeat (const s_mail_t *mail, const s_body_t *in)
{
    (void) in;
    synod__rt_t *rt = mail->rt;
    if (!rt->broker && mail->from != rt->self && !mail->from->peer)
        synod__mesh_unknown (rt, mail->identity);
}

static void s_leave (const s_mail_t *mail, const s_body_t *in)
{
    (void) in;
    if (!mail->rt->broker && mail->from->peer && mail->from != mail->rt->self)
        synod__mesh_leaving (mail->rt, mail->from->peer);
}

static void s_left (const s_mail_t *mail, const s_body_t *in)
{
    (void) in;
    if (s_of_broker (mail))
        mail->rt->left = true;
}

static void s_probe (const s_mail_t *mail, const s_body_t *in)
{
    (void) in;
    synod__alive_t alive = {0};
    if (s_of_broker (mail) || !mail->rt->broker)
        synod__control_tell (mail->rt, mail->from, &synod__alive_record, &alive);
}

static void s_returned (const s_mail_t *mail, const s_body_t *in)
{
    char text[SYNOD_FAULT_MAX];
    snprintf (text, sizeof text, "%.*s", SYNOD_STR (in->returned.message));
    synod__frame_fail (mail->rt, in->returned.frame.data, in->returned.frame.size,
                       synod_error_code (in->returned.code.data, in->returned.code.size), text);
}

static void s_link_ask (const s_mail_t *mail, const s_body_t *in)
{
    synod__rt_t *rt = mail->rt;
    const char *endpoint = NULL;
    if (!rt->broker || mail->from == rt->broker || mail->from == rt->self)
        return;
    if (rt->config.links && rt->config.host[0] && synod_str_is (in->link_ask.host, rt->config.host))
        endpoint = rt->ops->listen (rt->host);
    synod__link_offer_t offer = {.endpoint = synod_str (endpoint ? endpoint : "")};
    synod__control_tell (rt, mail->from, &synod__link_offer_record, &offer);
}

static void s_link_offer (const s_mail_t *mail, const s_body_t *in)
{
    synod__links_offer (mail->rt, mail->from, in->link_offer.endpoint);
}

static void s_link_mark (const s_mail_t *mail, const s_body_t *in)
{
    /* mail is taken in order, so all that came before on that path has been taken */
    synod__links_marked (mail->rt, mail->from, in->link_mark.change);
}

static void s_link_ready (const s_mail_t *mail, const s_body_t *in)
{
    synod__links_ready (mail->rt, mail->from, in->link_mark.change);
}

static void s_tap (const s_mail_t *mail, const s_body_t *in)
{
    if (s_of_broker (mail))
        mail->rt->tap = in->tap.on;
}

static void s_watch (const s_mail_t *mail, const s_body_t *in)
{
    synod__watch_take (mail->rt, mail->from, in->watch.actor, true);
}

static void s_unwatch (const s_mail_t *mail, const s_body_t *in)
{
    synod__watch_take (mail->rt, mail->from, in->watch.actor, false);
}

static void s_actor_down (const s_mail_t *mail, const s_body_t *in)
{
    synod__watch_actor_down (mail->rt, synod_str_n (mail->from->name, mail->from->name_size), in->actor_down.actor,
                             in->actor_down.reason);
}

static void s_copy (const s_mail_t *mail, const s_body_t *in)
{
    synod__copies_take (mail->rt, mail->from, &in->copy);
}

static void s_ring_ask (const s_mail_t *mail, const s_body_t *in)
{
    synod__place_on_ask (mail->rt, mail->from, &in->ring_ask);
}

static void s_ring_base (const s_mail_t *mail, const s_body_t *in)
{
    synod__place_on_base (mail->rt, mail->from, &in->ring_base);
}

static void s_ring_is (const s_mail_t *mail, const s_body_t *in)
{
    synod__place_on_epoch (mail->rt, mail->from, &in->ring_is);
}

static void s_reply (const s_mail_t *mail, const synod_record_t *record, const void *rec)
{
    char address[2 * SYNOD_NAME_MAX + 2];
    synod_str_t actor = mail->env->from.data ? mail->env->from : synod_str (SYNOD_NODE_ACTOR);
    synod_str_t to = synod__address_join (synod__stream_name (mail->from), actor, address, sizeof address);
    if (!to.data)
        return;
    synod_envelope_t env = {.kind = record == &synod__error_record ? SYNOD_KIND_ERROR : SYNOD_KIND_REPLY,
                            .id = mail->env->id,
                            .trace = mail->env->trace};
    int rc = synod__stream_put_record (mail->rt, mail->from, to, &env, record, rec);
    if (rc == SYNOD_OK || record == &synod__error_record)
        return;
    char text[SYNOD_FAULT_MAX];
    snprintf (text, sizeof text, "the answer: %s", synod_error_meaning (rc));
    synod__error_t error = {.code = synod_str (synod_error_name (rc)), .message = synod_str (text)};
    s_reply (mail, &synod__error_record, &error);
}

static void s_status (const s_mail_t *mail, const s_body_t *in)
{
    (void) in;
    synod__rt_t *rt = mail->rt;
    synod__rt_stats_t stats = synod__rt_stats (rt);
    synod__status_is_t out = {.node = rt->node,
                              .incarnation = rt->config.incarnation,
                              .uptime_ms = (uint64_t) (rt->now_us - rt->started_us) / 1000,
                              .queued = stats.queued,
                              .dropped = stats.dropped,
                              .received = stats.received,
                              .sent = stats.sent,
                              .malformed = stats.malformed,
                              .syncs = rt->disk->syncs};
    rt->items2.size = 0;
    for (uint32_t i = 0; i < rt->ninstances; i++) {
        synod__actor_at_t at = {.name = rt->instances[i]->name};
        if (rt->instances[i]->state_of == SYNOD__ACTOR_UP)
            synod_list_add (&out.actors, &rt->items2, &synod__actor_at_record, &at, NULL);
    }
    s_reply (mail, &synod__status_is_record, &out);
}

static void s_nodes (const s_mail_t *mail, const s_body_t *in)
{
    (void) in;
    synod__rt_t *rt = mail->rt;
    synod__nodes_are_t out = {0};
    rt->items2.size = 0;
    for (uint32_t i = 0; i < synod__directory_size (rt->directory); i++)
        synod__directory_list (synod__directory_at (rt->directory, i), &out.nodes, &rt->items2, &rt->scratch);
    s_reply (mail, &synod__nodes_are_record, &out);
}

static const struct {
    const synod_record_t *record;
    void (*take) (const s_mail_t *mail, const s_body_t *in);
    bool ask;
} s_table[] = {
    {&synod__place_copy_record, s_copy, false},
    {&synod__heartbeat_record, s_heartbeat, false},
    {&synod__hello_record, s_hello, false},
    {&synod__welcome_record, s_welcome, false},
    {&synod__refused_record, s_refused, false},
    {&synod__again_record, s_again, false},
    {&synod__snapshot_record, s_snapshot, false},
    {&synod__delta_record, s_delta, false},
    {&synod__leave_record, s_leave, false},
    {&synod__left_record, s_left, false},
    {&synod__probe_record, s_probe, false},
    {&synod__alive_record, s_alive, false},
    {&synod__returned_record, s_returned, false},
    {&synod__link_ask_record, s_link_ask, false},
    {&synod__link_offer_record, s_link_offer, false},
    {&synod__link_mark_record, s_link_mark, false},
    {&synod__link_ready_record, s_link_ready, false},
    {&synod__tap_record, s_tap, false},
    {&synod__watch_record, s_watch, false},
    {&synod__unwatch_record, s_unwatch, false},
    {&synod__actor_down_record, s_actor_down, false},
    {&synod__place_ring_ask_record, s_ring_ask, false},
    {&synod__place_ring_base_record, s_ring_base, false},
    {&synod__place_ring_is_record, s_ring_is, false},
    {&synod__status_record, s_status, true},
    {&synod__nodes_record, s_nodes, true},
};

static void s_error (const s_mail_t *mail, int code, const char *text)
{
    synod__error_t error = {.code = synod_str (synod_error_name (code)), .message = synod_str (text)};
    if (mail->env->kind == SYNOD_KIND_ASK)
        s_reply (mail, &synod__error_record, &error);
    else
        synod__rt_log (mail->rt, SYNOD_LOG_DEBUG, "from %s: %s", mail->from->name, text);
}

/* A body that nobody asked about: its sender is told, once and without an answer to that. */
void synod__bad_body (synod__rt_t *rt, synod_str_t from, const synod_fault_t *fault)
{
    synod__rt_log (rt, SYNOD_LOG_WARNING, "from %.*s: %s", SYNOD_STR (from), fault->text);
    synod__drop (rt, from, rt->node, fault->text, 1);
}

void synod__control_take (synod__rt_t *rt, synod__stream_t *from, synod_str_t identity, const synod_frame_t *frame,
                          const synod_envelope_t *env)
{
    s_mail_t mail = {rt, from, identity, frame, env};
    s_body_t body;
    synod_fault_t fault = {0};
    if (env->kind == SYNOD_KIND_ERROR) { /* an error that answers no ask: of a frame the other could not read */
        synod__error_t error;
        if (synod_record_unpack (&synod__error_record, env->body, &error, NULL) != SYNOD_OK)
            return;
        int code = synod_error_code (error.code.data, error.code.size);
        synod__rt_log (rt, SYNOD_LOG_WARNING, "%s says: %.*s: %.*s", from->name, SYNOD_STR (error.code),
                       SYNOD_STR (error.message));
        if (rt->state == SYNOD__RT_JOINING && code == SYNOD_BAD_VERSION) {
            char text[SYNOD_FAULT_MAX];
            snprintf (text, sizeof text, "%.*s", SYNOD_STR (error.message));
            synod__rt_end (rt, code, text);
        }
        return;
    }
    for (size_t i = 0; i < sizeof s_table / sizeof *s_table; i++) {
        const synod_record_t *record = s_table[i].record;
        if (record->name_size != env->method.size || memcmp (record->name, env->method.data, env->method.size) != 0)
            continue;
        if (s_table[i].ask && env->kind != SYNOD_KIND_ASK)
            break;
        if (synod_record_unpack (record, env->body, &body, &fault) != SYNOD_OK) {
            rt->stats.malformed++;
            s_error (&mail, SYNOD_BAD_REQUEST, fault.text);
            return;
        }
        s_table[i].take (&mail, &body);
        return;
    }
    snprintf (fault.text, sizeof fault.text, "a node takes no %s \"%.*s\"",
              env->kind == SYNOD_KIND_ASK ? "ask" : "tell", SYNOD_STR (env->method));
    s_error (&mail, SYNOD_NO_METHOD, fault.text);
}
