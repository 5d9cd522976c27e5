/* SPDX-License-Identifier: MPL-2.0
 *
 * What the broker itself is told and asked: the envelopes of frames to `$broker`, and strangers' first frames.
 */
#include "internal.h"

static bool s_is (const synod_envelope_t *e, const synod_record_t *record)
{
    return e->method.size == record->name_size && memcmp (e->method.data, record->name, record->name_size) == 0;
}

/* A body of nil is a map with no fields. */
static int s_unpack (const synod_envelope_t *e, const synod_record_t *record, void *rec, synod_fault_t *fault)
{
    return synod_record_unpack (record, e->body.data ? e->body : synod_str_n ("\x80", 1), rec, fault);
}

/* ---- asks ---- */

static void s_status (synod__routing_t *self, synod__member_t *m, const synod_envelope_t *ask)
{
    synod__status_is_t status = {.node = synod_str (SYNOD_BROKER),
                                 .incarnation = self->config.incarnation,
                                 .uptime_ms = (uint64_t) (self->now_us - self->started_us) / 1000,
                                 .dropped = self->stats.dropped,
                                 .received = self->stats.received,
                                 .sent = self->stats.forwarded,
                                 .malformed = self->stats.malformed};
    synod__answer (self, m, ask, &synod__status_is_record, &status, SYNOD_OK, NULL);
}

/* All of the directory, or an error: it is never cut. */
static void s_nodes (synod__routing_t *self, synod__member_t *m, const synod_envelope_t *ask)
{
    synod__nodes_are_t nodes = {0};
    synod_fault_t fault;
    for (uint32_t i = 0; i < synod__directory_size (self->directory); i++) {
        const synod__peer_t *peer = synod__directory_at (self->directory, i);
        if (peer->client)
            continue;
        if (synod__directory_list (peer, &nodes.nodes, &self->items, &self->scratch) != SYNOD_OK) {
            synod__answer (self, m, ask, NULL, NULL, SYNOD_NO_MEMORY, "the broker ran out of memory");
            return;
        }
        if (nodes.nodes.bytes.size > SYNOD_BODY_MAX - 1024) {
            synod_fault (&fault, SYNOD_TOO_LARGE,
                         "the directory of %u nodes does not fit one frame: say hello with `directory` to get it in "
                         "pieces",
                         synod__directory_size (self->directory));
            synod__answer (self, m, ask, NULL, NULL, fault.code, fault.text);
            return;
        }
    }
    synod__answer (self, m, ask, &synod__nodes_are_record, &nodes, SYNOD_OK, NULL);
}

static void s_ask (synod__routing_t *self, synod__member_t *m, const synod_envelope_t *ask)
{
    synod_fault_t fault = {0};
    synod__status_t empty;
    bool status = s_is (ask, &synod__status_record), nodes = s_is (ask, &synod__nodes_record);
    if (!status && !nodes)
        synod_fault (&fault, SYNOD_NO_METHOD, "$broker knows status and nodes, not \"%.*s\"", SYNOD_STR (ask->method));
    else if (s_unpack (ask, &synod__status_record, &empty, &fault) != SYNOD_OK)
        self->stats.malformed++;
    else if (status)
        s_status (self, m, ask);
    else
        s_nodes (self, m, ask);
    if (fault.code != SYNOD_OK)
        synod__answer (self, m, ask, NULL, NULL, fault.code, fault.text);
}

/* ---- tells ---- */

static void s_heartbeat (synod__routing_t *self, synod__member_t *m, const synod_envelope_t *e)
{
    synod__heartbeat_t heartbeat, mine = {.dropped = self->stats.dropped};
    synod_fault_t fault = {0};
    if (s_unpack (e, &synod__heartbeat_record, &heartbeat, &fault) != SYNOD_OK) {
        self->stats.malformed++;
        synod__error_identity (self, synod__member_identity (m), synod__member_name (m), fault.code, fault.text);
    } else if (m->state == SYNOD__JOINED)
        synod__tell_member (self, m, &synod__heartbeat_record, &mine);
}

static void s_tell (synod__routing_t *self, synod__member_t *m, const synod_envelope_t *e)
{
    synod_fault_t fault;
    if (s_is (e, &synod__heartbeat_record))
        s_heartbeat (self, m, e);
    else if (s_is (e, &synod__leave_record))
        synod__member_leave (self, m);
    else if (!s_is (e, &synod__alive_record)) { /* that it came says all that `alive` says */
        self->stats.malformed++;
        synod_fault (&fault, SYNOD_NO_METHOD, "$broker takes hello, heartbeat, alive and leave, not \"%.*s\"",
                     SYNOD_STR (e->method));
        synod__error_identity (self, synod__member_identity (m), synod__member_name (m), fault.code, fault.text);
    }
}

void synod__control (synod__routing_t *self, synod_str_t identity, synod_frame_t *frame)
{
    synod_envelope_t e;
    synod_fault_t fault = {0};
    synod__member_t *m;
    int rc = SYNOD_OK;
    while ((m = synod__member_find (self, identity)) && (rc = synod__frame_next (frame, &e, &fault)) == SYNOD_OK) {
        if (e.kind == SYNOD_KIND_TELL && s_is (&e, &synod__hello_record))
            synod__member_hello (self, identity, m, e.body.data ? e.body : synod_str_n ("\x80", 1));
        else if (m->state == SYNOD__CLAIMING && e.kind == SYNOD_KIND_ASK)
            synod__answer (self, m, &e, NULL, NULL, SYNOD_NO_ROUTE, "the sender has not joined yet");
        else if (m->state == SYNOD__CLAIMING)
            synod__losses_add (self, synod__member_name (m), frame->address, "the sender has not joined", 1);
        else if (e.kind == SYNOD_KIND_ASK)
            s_ask (self, m, &e);
        else if (e.kind == SYNOD_KIND_TELL)
            s_tell (self, m, &e);
        else if (e.kind != SYNOD_KIND_MARK)
            self->stats.malformed++; /* the broker asks nothing, and subscribes at no node */
    }
    if (m && rc != SYNOD_NOT_FOUND) {
        self->stats.malformed++;
        synod__error_identity (self, identity, synod__member_name (m), fault.code, fault.text);
    }
}

/* ---- strangers ---- */

/* Whether somebody waits for what is in FRAME, or would miss it: not marks, nor tells to the broker itself. */
static bool s_missed (synod_frame_t frame)
{
    synod_envelope_t e;
    bool broker = synod_str_is (frame.address, SYNOD_BROKER);
    while (synod__frame_next (&frame, &e, NULL) == SYNOD_OK)
        if (e.kind == SYNOD_KIND_ASK || (e.kind != SYNOD_KIND_MARK && !broker))
            return true;
    return false;
}

/* It is told to say hello, but not for each frame. */
static void s_again (synod__routing_t *self, synod_str_t identity, synod_str_t name)
{
    synod__again_t again = {0};
    bool told = identity.size == self->again_size && memcmp (identity.data, self->again, identity.size) == 0;
    if (told && self->now_us - self->again_us < SYNOD__AGAIN_US)
        return;
    memcpy (self->again, identity.data, identity.size);
    self->again_size = (uint8_t) identity.size;
    self->again_us = self->now_us;
    synod__tell_identity (self, identity, name, &synod__again_record, &again);
}

void synod__control_stranger (synod__routing_t *self, synod_str_t identity, const void *data, size_t size)
{
    synod_frame_t frame, ahead;
    synod_envelope_t e;
    synod_str_t name;
    synod_fault_t fault = {0};
    uint64_t incarnation;
    if (!synod__identity_parse (identity, &name, &incarnation)) {
        self->stats.malformed++;
        /* of the two things that are wrong the bytes are the more telling */
        if (synod__frame_open (&frame, data, size, &fault) == SYNOD_OK)
            synod_fault (&fault, SYNOD_BAD_FRAME,
                         "routing id of the socket: expected NAME@ and the incarnation in 16 hex digits, got another "
                         "of %u bytes",
                         identity.size);
        synod__error_identity (self, identity, synod_str_n (NULL, 0), fault.code, fault.text);
        return;
    }
    if (!synod__routing_open (self, identity, name, incarnation, data, size, &frame))
        return;
    ahead = frame;
    if (synod_str_is (synod_str_n (frame.address.data, frame.address.size < 7 ? frame.address.size : 7),
                      SYNOD_BROKER) &&
        synod__frame_next (&ahead, &e, NULL) == SYNOD_OK && e.kind == SYNOD_KIND_TELL &&
        s_is (&e, &synod__hello_record)) {
        synod__member_hello (self, identity, NULL, e.body.data ? e.body : synod_str_n ("\x80", 1));
        synod__control (self, identity, &ahead); /* what came with it, when it is somebody now */
        return;
    }
    s_again (self, identity, name); /* first: what it sends again is behind its hello */
    if (s_missed (frame))
        synod__routing_return (self, identity, NULL, data, size, SYNOD_NO_ROUTE,
                               "the broker does not know the sender yet, or any more");
}
