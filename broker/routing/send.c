/* SPDX-License-Identifier: MPL-2.0
 *
 * Frames that the broker makes: one envelope each, never numbered, from node `$broker`.
 */
#include <stdarg.h>
#include <stdio.h>
#include "internal.h"
#include "protocol/text.h"

#define S_ADDRESS_MAX (SYNOD_ADDRESS_MAX + 1)

void synod__routing_log (synod__routing_t *self, int level, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    self->ops->log (self->host, level, text);
}

/* Bytes of strangers end up in messages, which are texts on the wire. */
static synod_str_t s_clean (const char *message, char *room, size_t size)
{
    snprintf (room, size, "%s", message);
    if (!synod__text_printable (room, strlen (room)))
        for (char *p = room; *p; p++)
            if (*p < ' ' || *p > '~')
                *p = '?';
    return synod_str (room);
}

/* NAME/$node, or $node alone for somebody whose name is not known. */
static synod_str_t s_address (synod_str_t name, char *room)
{
    int size = snprintf (room, S_ADDRESS_MAX, "%.*s%s" SYNOD_NODE_ACTOR, SYNOD_STR (name), name.size > 0 ? "/" : "");
    return synod_str_n (room, (size_t) size);
}

/* One envelope as a frame in BATCH. RECORD NULL: no body. */
static int s_make (synod__routing_t *self, synod__batch_t *batch, synod_str_t address, const synod_envelope_t *envelope,
                   const synod_record_t *record, const void *rec)
{
    synod_fault_t fault = {0};
    int rc = synod__batch_begin (batch, address, synod_str (SYNOD_BROKER), self->config.incarnation, 0);
    if (rc == SYNOD_OK)
        rc = record ? synod__batch_add_record (batch, envelope, record, rec, &fault)
                    : synod__batch_add (batch, envelope);
    if (rc != SYNOD_OK)
        synod__routing_log (self, SYNOD_LOG_WARNING, "%.*s to %.*s not sent: %s %s", SYNOD_STR (envelope->method),
                            SYNOD_STR (address), synod_error_name (rc), fault.text);
    return rc;
}

static int s_send (synod__routing_t *self, synod_str_t identity)
{
    if (self->tap)
        synod__tap_frame (self, self->batch.buf.data, self->batch.buf.size);
    return self->ops->send (self->host, identity, self->batch.buf.data, self->batch.buf.size);
}

int synod__tell_identity (synod__routing_t *self, synod_str_t identity, synod_str_t name, const synod_record_t *record,
                          const void *rec)
{
    char address[S_ADDRESS_MAX];
    synod_envelope_t envelope = {.kind = SYNOD_KIND_TELL, .method = synod_str_n (record->name, record->name_size)};
    int rc = s_make (self, &self->batch, s_address (name, address), &envelope, record, rec);
    if (rc != SYNOD_OK)
        return rc;
    if (record == &synod__heartbeat_record) /* of no interest to whoever reads the tap */
        return self->ops->send (self->host, identity, self->batch.buf.data, self->batch.buf.size);
    return s_send (self, identity);
}

int synod__tell_member (synod__routing_t *self, synod__member_t *m, const synod_record_t *record, const void *rec)
{
    int rc = synod__tell_identity (self, synod__member_identity (m), synod__member_name (m), record, rec);
    if (rc == SYNOD_NODE_DOWN)
        synod__member_doom (self, m, true);
    return rc;
}

int synod__tell_body (synod__routing_t *self, synod__member_t *m, const synod_record_t *record, synod_str_t body)
{
    char address[S_ADDRESS_MAX];
    synod_envelope_t envelope = {
        .kind = SYNOD_KIND_TELL, .method = synod_str_n (record->name, record->name_size), .body = body};
    int rc = s_make (self, &self->batch, s_address (synod__member_name (m), address), &envelope, NULL, NULL);
    if (rc == SYNOD_OK)
        rc = s_send (self, synod__member_identity (m));
    if (rc == SYNOD_NODE_DOWN)
        synod__member_doom (self, m, true);
    return rc;
}

void synod__error_identity (synod__routing_t *self, synod_str_t identity, synod_str_t name, int code,
                            const char *message)
{
    char address[S_ADDRESS_MAX], clean[SYNOD_FAULT_MAX];
    synod__error_t error = {.code = synod_str (synod_error_name (code)),
                            .message = s_clean (message, clean, sizeof clean)};
    synod_envelope_t envelope = {.kind = SYNOD_KIND_ERROR, .id = UINT64_MAX};
    if (s_make (self, &self->batch, s_address (name, address), &envelope, &synod__error_record, &error) == SYNOD_OK)
        s_send (self, identity);
}

void synod__answer (synod__routing_t *self, synod__member_t *m, const synod_envelope_t *ask,
                    const synod_record_t *record, const void *rec, int code, const char *message)
{
    char address[S_ADDRESS_MAX], clean[SYNOD_FAULT_MAX];
    synod_str_t to = ask->from;
    synod_address_t asker;
    int size;
    if (to.data && synod__address_parse (to, &asker, NULL) == SYNOD_OK && asker.node.data) {
        /* somebody forwarded it: the answer goes to the asker, by the same way when it is not here */
        synod__peer_t *peer = synod__directory_node (self->directory, asker.node);
        m = peer ? (synod__member_t *) peer->user : m;
        size = snprintf (address, sizeof address, "%.*s", SYNOD_STR (to));
    } else
        size =
            snprintf (address, sizeof address, "%.*s/%.*s", SYNOD_STR (synod__member_name (m)),
                      to.data ? (int) to.size : (int) strlen (SYNOD_NODE_ACTOR), to.data ? to.data : SYNOD_NODE_ACTOR);
    if (size <= 0 || size > SYNOD_ADDRESS_MAX)
        return;
    synod_envelope_t envelope = {.kind = SYNOD_KIND_REPLY, .id = ask->id, .trace = ask->trace};
    int rc = SYNOD_INVALID;
    if (record) {
        rc = s_make (self, &self->batch, synod_str_n (address, (size_t) size), &envelope, record, rec);
        code = rc;
        message = rc == SYNOD_TOO_LARGE ? "the answer does not fit one frame" : synod_error_meaning (rc);
    }
    if (rc != SYNOD_OK) {
        synod__error_t error = {.code = synod_str (synod_error_name (code)),
                                .message = s_clean (message, clean, sizeof clean)};
        envelope.kind = SYNOD_KIND_ERROR;
        rc = s_make (self, &self->batch, synod_str_n (address, (size_t) size), &envelope, &synod__error_record, &error);
    }
    if (rc == SYNOD_OK && s_send (self, synod__member_identity (m)) == SYNOD_NODE_DOWN)
        synod__member_doom (self, m, true);
}

void synod__publish (synod__routing_t *self, synod_str_t topic, const char *method, const synod_record_t *record,
                     const void *rec)
{
    synod_envelope_t envelope = {.kind = SYNOD_KIND_PUBLISH, .method = synod_str (method)};
    if (s_make (self, &self->copy, topic, &envelope, record, rec) == SYNOD_OK)
        self->ops->publish (self->host, self->copy.buf.data, self->copy.buf.size);
}

void synod__tap_frame (synod__routing_t *self, const void *data, size_t size)
{
    synod__tapped_t tapped = {.frame = synod_str_n (data, size)};
    if (size <= SYNOD_FRAME_MAX)
        synod__publish (self, synod_str (SYNOD_TOPIC_TAP), "tapped", &synod__tapped_record, &tapped);
}
