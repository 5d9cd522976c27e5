/* SPDX-License-Identifier: MPL-2.0
 *
 * Reading frames: address NUL header envelope... (SPEC.md, "Frame"), in place.
 *
 * An envelope is given out only when all eight of its fields have the right type, its texts keep to their limits and
 * hold nothing unprintable, and its body is one whole map within the depth allowed.
 */
#include <assert.h>
#include "frame.h"
#include "address.h"
#include "text.h"

#define S_ENVELOPE_FIELDS 8
#define S_HEADER_FIELDS   5
#define S_COMMAND_FIELDS  4
#define S_AGAIN_FIELDS    2

const char *synod__kind_name (int kind)
{
    static const char *const names[] = {"?", "ask", "reply", "error", "tell", "publish", "mark"};
    return kind >= SYNOD_KIND_ASK && kind <= SYNOD_KIND_MARK ? names[kind] : "?";
}

/* ---- the header ---- */

static int s_bad (synod__reader_t r, const char *what, const char *expected, synod_fault_t *fault)
{
    synod__value_t value;
    char got[SYNOD__DESCRIBE_MAX];
    if (r.at >= r.end)
        return synod_fault (fault, SYNOD_BAD_FRAME, "%s: expected %s, got the end of the frame", what, expected);
    if (synod__read (&r, &value) != SYNOD_OK)
        return synod_fault (fault, SYNOD_BAD_FRAME, "%s: expected %s, got bytes that are cut short or no msgpack", what,
                            expected);
    return synod_fault (fault, SYNOD_BAD_FRAME, "%s: expected %s, got %s", what, expected,
                        synod__describe (&value, got, sizeof got));
}

static int s_header_uint (synod__reader_t *r, const char *what, uint64_t *number, synod_fault_t *fault)
{
    synod__reader_t before = *r;
    synod__value_t value;
    if (synod__read (r, &value) != SYNOD_OK || value.type != SYNOD__UINT)
        return s_bad (before, what, "an integer from 0 on", fault);
    *number = value.u;
    return SYNOD_OK;
}

static int s_header (synod_frame_t *self, synod_fault_t *fault)
{
    synod__reader_t *r = &self->rest, before = *r;
    synod__value_t value;
    if (synod__read (r, &value) != SYNOD_OK || value.type != SYNOD__ARRAY || value.size == 0)
        return s_bad (before, "header", "a list of 5", fault);
    uint32_t fields = value.size;
    uint64_t version = 0;
    int rc = s_header_uint (r, "header's version", &version, fault);
    if (rc != SYNOD_OK)
        return rc;
    /* before all else: only the version tells what the rest looks like */
    if (version != SYNOD_VERSION_WIRE)
        return synod_fault (fault, SYNOD_BAD_VERSION, "version of the protocol: expected %d, got %llu",
                            SYNOD_VERSION_WIRE, (unsigned long long) version);
    if (fields != S_HEADER_FIELDS)
        return s_bad (before, "header", "a list of 5", fault);
    before = *r;
    if (synod__read (r, &value) != SYNOD_OK || value.type != SYNOD__STR)
        return s_bad (before, "header's node", "a name", fault);
    self->node = synod_str_n (value.data, value.size);
    if (!synod__name_ok (self->node, true))
        return synod_fault (
            fault, SYNOD_BAD_FRAME,
            "header's node: expected a name of 1 to %d letters, digits and _ - ., got \"%.*s\" (%u bytes)",
            SYNOD_NAME_MAX, value.size > 80 ? 80 : (int) value.size, value.data, value.size);
    if ((rc = s_header_uint (r, "header's incarnation", &self->incarnation, fault)) != SYNOD_OK)
        return rc;
    if ((rc = s_header_uint (r, "header's epoch", &self->epoch, fault)) != SYNOD_OK)
        return rc;
    return s_header_uint (r, "header's number", &self->number, fault);
}

int synod__frame_open (synod_frame_t *self, const void *data, size_t size, synod_fault_t *fault)
{
    memset (self, 0, sizeof *self);
    if (size > SYNOD_FRAME_MAX + SYNOD_FRAME_SLACK)
        return synod_fault (fault, SYNOD_TOO_LARGE, "frame: expected at most %d bytes, got %zu", SYNOD_FRAME_MAX, size);
    if (size == 0)
        return synod_fault (fault, SYNOD_BAD_FRAME, "frame: expected address NUL header envelopes, got no bytes");
    size_t most = size < SYNOD_ADDRESS_MAX + 1 ? size : SYNOD_ADDRESS_MAX + 1;
    const char *nul = (const char *) memchr (data, 0, most);
    if (!nul && most == size)
        return synod_fault (fault, SYNOD_BAD_FRAME, "frame: expected an address and a NUL, got %zu bytes without one",
                            size);
    if (!nul)
        return synod_fault (fault, SYNOD_BAD_ADDRESS, "address: expected 1 to %d bytes and a NUL, got more",
                            SYNOD_ADDRESS_MAX);
    self->address = synod_str_n (data, (size_t) (nul - (const char *) data));
    if (self->address.size == 0)
        return synod_fault (fault, SYNOD_BAD_ADDRESS, "address: expected 1 to %d bytes and a NUL, got none",
                            SYNOD_ADDRESS_MAX);
    if (!synod__text_printable (self->address.data, self->address.size))
        return synod_fault (fault, SYNOD_BAD_ADDRESS, "address: expected printable text, got \"%.*s\"",
                            SYNOD_STR (self->address));
    self->rest = synod__reader (synod_str_n (nul + 1, size - self->address.size - 1));
    return s_header (self, fault);
}

/* ---- envelopes ---- */

/* nil: 0 */
static inline bool s_uint (synod__reader_t *r, uint64_t *number)
{
    if (r->at < r->end && *r->at < 0x80) {
        *number = *r->at++;
        return true;
    }
    if (r->at < r->end && *r->at == 0xc0) {
        *number = 0;
        r->at++;
        return true;
    }
    synod__value_t value;
    synod__reader_t before = *r;
    if (synod__read (r, &value) == SYNOD_OK && value.type == SYNOD__UINT) {
        *number = value.u;
        return true;
    }
    *r = before;
    return false;
}

/* nil: no data */
static inline bool s_text (synod__reader_t *r, uint32_t most, synod_str_t *text)
{
    if (r->at < r->end && *r->at == 0xc0) {
        *text = (synod_str_t){NULL, 0};
        r->at++;
        return true;
    }
    if (r->at < r->end && (*r->at & 0xe0) == 0xa0 && (*r->at & 0x1f) < r->end - r->at) {
        *text = synod_str_n (r->at + 1, *r->at & 0x1f);
        r->at += 1 + text->size;
    } else {
        synod__value_t value;
        synod__reader_t before = *r;
        if (synod__read (r, &value) != SYNOD_OK || value.type != SYNOD__STR) {
            *r = before;
            return false;
        }
        *text = synod_str_n (value.data, value.size);
    }
    return text->size > 0 && text->size <= most && synod__text_printable (text->data, text->size);
}

static int s_body (synod__reader_t *r, synod_str_t *body, synod_fault_t *fault)
{
    assert (r->at); /* a frame that was opened has bytes */
    if (r->at < r->end && *r->at == 0xc0) {
        *body = (synod_str_t){NULL, 0};
        r->at++;
        return SYNOD_OK;
    }
    if (r->at < r->end && (*r->at & 0xf0) != 0x80 && (*r->at & 0xfe) != 0xde)
        return s_bad (*r, "envelope's body", "a map or nil", fault);
    int rc = synod__read_raw (r, SYNOD_DEPTH_MAX, body);
    if (rc == SYNOD_TOO_LARGE)
        return synod_fault (fault, SYNOD_BAD_FRAME, "envelope's body: expected at most %d levels of nesting, got more",
                            SYNOD_DEPTH_MAX);
    if (rc != SYNOD_OK)
        return synod_fault (fault, SYNOD_BAD_FRAME,
                            "envelope's body: expected one whole map, got bytes that are cut short or no msgpack");
    return SYNOD_OK;
}

static int s_bad_text (synod__reader_t *r, synod_str_t text, const char *what, int most, synod_fault_t *fault)
{
    if (text.data)
        return synod_fault (fault, SYNOD_BAD_FRAME,
                            "%s: expected 1 to %d bytes of printable text or nil, got \"%.*s\" (%u bytes)", what, most,
                            text.size > 80 ? 80 : (int) text.size, text.data, text.size);
    return s_bad (*r, what, "a text or nil", fault);
}

/* What a kind needs beyond the types. */
static int s_check_kind (const synod_envelope_t *e, synod_fault_t *fault)
{
    bool named = e->kind == SYNOD_KIND_ASK || e->kind == SYNOD_KIND_TELL || e->kind == SYNOD_KIND_PUBLISH;
    bool paired = e->kind == SYNOD_KIND_ASK || e->kind == SYNOD_KIND_REPLY || e->kind == SYNOD_KIND_ERROR;
    if (named && !e->method.data)
        return synod_fault (fault, SYNOD_BAD_FRAME, "envelope's method: expected the method of the %s, got nil",
                            synod__kind_name ((int) e->kind));
    if ((e->client || e->again) && e->kind != SYNOD_KIND_ASK)
        return synod_fault (fault, SYNOD_BAD_FRAME, "envelope's id: expected an integer, got %s in a %s",
                            e->client ? "a command's" : "that of an ask sent before", synod__kind_name ((int) e->kind));
    if (paired && e->id == 0)
        return synod_fault (fault, SYNOD_BAD_FRAME, "envelope's id: expected the id of the %s from 1 on, got none",
                            synod__kind_name ((int) e->kind));
    return SYNOD_OK;
}

static int s_id_again (synod__reader_t *r, synod_envelope_t *e, synod_fault_t *fault)
{
    if (!s_uint (r, &e->id) || !s_uint (r, &e->again))
        return s_bad (*r, "envelope's id", "a list of 2 integers", fault);
    return e->again ? SYNOD_OK
                    : synod_fault (fault, SYNOD_BAD_FRAME,
                                   "envelope's id: expected how often it was sent before, from 1 on, got 0");
}

/* An id is a number or nil, of a command [id client number low], of what was sent before [id again]. */
static int s_id (synod__reader_t *r, synod_envelope_t *e, synod_fault_t *fault)
{
    e->client = e->number = e->low = e->again = 0;
    uint8_t first = r->at < r->end ? *r->at : 0;
    if (first != (0x90 | S_COMMAND_FIELDS) && first != (0x90 | S_AGAIN_FIELDS))
        return s_uint (r, &e->id) ? SYNOD_OK
                                  : s_bad (*r, "envelope's id", "an integer from 0 on, nil or a list of 2 or 4", fault);
    r->at++;
    if (first == (0x90 | S_AGAIN_FIELDS))
        return s_id_again (r, e, fault);
    if (!s_uint (r, &e->id) || !s_uint (r, &e->client) || !s_uint (r, &e->number) || !s_uint (r, &e->low))
        return s_bad (*r, "envelope's id", "a list of 4 integers", fault);
    if (!e->client || !e->low || e->low > e->number)
        return synod_fault (fault, SYNOD_BAD_FRAME,
                            "envelope's id: expected a client from 1 on and 1 <= low <= number, got %llu, %llu, %llu",
                            (unsigned long long) e->client, (unsigned long long) e->low,
                            (unsigned long long) e->number);
    return SYNOD_OK;
}

static int s_envelope (synod__reader_t *r, synod_envelope_t *e, synod_fault_t *fault)
{
    uint64_t kind;
    e->method.data = e->to.data = e->from.data = NULL;
    if (!s_uint (r, &kind))
        return s_bad (*r, "envelope's kind", "1 to 6", fault);
    if (kind < SYNOD_KIND_ASK || kind > SYNOD_KIND_MARK)
        return synod_fault (fault, SYNOD_BAD_FRAME, "envelope's kind: expected 1 to 6, got %llu",
                            (unsigned long long) kind);
    e->kind = (synod_kind_t) kind;
    if (!s_text (r, SYNOD_NAME_MAX, &e->method))
        return s_bad_text (r, e->method, "envelope's method", SYNOD_NAME_MAX, fault);
    if (!s_text (r, SYNOD_ADDRESS_MAX, &e->to))
        return s_bad_text (r, e->to, "envelope's to", SYNOD_ADDRESS_MAX, fault);
    if (!s_text (r, SYNOD_ADDRESS_MAX, &e->from))
        return s_bad_text (r, e->from, "envelope's from", SYNOD_ADDRESS_MAX, fault);
    int rc = s_id (r, e, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (!s_uint (r, &e->left_ms))
        return s_bad (*r, "envelope's left_ms", "an integer from 0 on or nil", fault);
    if (!s_uint (r, &e->trace))
        return s_bad (*r, "envelope's trace", "an integer from 0 on or nil", fault);
    return s_check_kind (e, fault);
}

/* The same bytes as before mean the same fields, checked already. */
static bool s_again (synod_frame_t *self, synod_envelope_t *envelope)
{
    synod__reader_t *r = &self->rest;
    if (!self->head_size || (size_t) (r->end - r->at) <= self->head_size ||
        memcmp (r->at, self->head, self->head_size) != 0)
        return false;
    *envelope = self->last;
    r->at += self->head_size;
    return true;
}

static void s_remember (synod_frame_t *self, const uint8_t *head, const synod_envelope_t *envelope)
{
    if (envelope->id)
        return; /* the next has another */
    self->head = head;
    self->head_size = (uint32_t) (self->rest.at - head);
    self->last = *envelope;
}

int synod__frame_next (synod_frame_t *self, synod_envelope_t *envelope, synod_fault_t *fault)
{
    synod__reader_t *r = &self->rest;
    if (r->at >= r->end)
        return SYNOD_NOT_FOUND;
    int rc = SYNOD_OK;
    const uint8_t *head = r->at;
    if (self->count >= SYNOD_ENVELOPES_MAX)
        rc =
            synod_fault (fault, SYNOD_TOO_LARGE, "frame: expected at most %d envelopes, got more", SYNOD_ENVELOPES_MAX);
    else if (s_again (self, envelope))
        head = NULL;
    else if (*r->at == (0x90 | S_ENVELOPE_FIELDS))
        r->at++;
    else {
        synod__value_t value;
        synod__reader_t before = *r;
        if (synod__read (r, &value) != SYNOD_OK || value.type != SYNOD__ARRAY || value.size != S_ENVELOPE_FIELDS)
            rc = s_bad (before, "envelope", "a list of 8", fault);
    }
    if (rc == SYNOD_OK && head) {
        rc = s_envelope (r, envelope, fault);
        if (rc == SYNOD_OK)
            s_remember (self, head, envelope);
    }
    if (rc == SYNOD_OK)
        rc = s_body (r, &envelope->body, fault);
    if (rc == SYNOD_OK)
        self->count++;
    else
        r->at = r->end; /* what follows cannot be told apart from the damage */
    return rc;
}
