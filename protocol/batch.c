/* SPDX-License-Identifier: MPL-2.0
 *
 * Writing frames. A batch is the frame under construction; it stays within SYNOD_FRAME_MAX, but for the one envelope
 * of a `returned` or `tapped`, which carries a whole frame and may use the slack. The few fixed fields of an envelope
 * are written directly: bytes of known width at a known place.
 */
#include <assert.h>
#include "frame.h"

#define S_HEAD_MOST   (1 + 1 + 9 + 2 + SYNOD_NAME_MAX + 9 + 9 + 9) /* a header's size */
#define S_FIELDS_MOST (1 + 1 + 5 + 5 + 5 + 1 + 6 * 9 + 1)          /* an envelope's, its texts and body not counted */

static inline char *s_put_big (char *p, uint64_t number, unsigned width)
{
    number = __builtin_bswap64 (number) >> (64 - 8 * width);
    memcpy (p, &number, width);
    return p + width;
}

static inline char *s_put_uint (char *p, uint64_t number)
{
    if (number < 0x80) {
        *p++ = (char) number;
        return p;
    }
    unsigned power = number < 0x100 ? 0 : number < 0x10000 ? 1 : number <= UINT32_MAX ? 2 : 3;
    *p++ = (char) (0xcc + power);
    switch (power) {
    case 0:
        return s_put_big (p, number, 1);
    case 1:
        return s_put_big (p, number, 2);
    case 2:
        return s_put_big (p, number, 4);
    default:
        return s_put_big (p, number, 8);
    }
}

static inline char *s_put_uint_or_nil (char *p, uint64_t number)
{
    if (number > 0)
        return s_put_uint (p, number);
    *p++ = (char) 0xc0;
    return p;
}

static inline char *s_put_text_or_nil (char *p, synod_str_t text)
{
    if (!text.data) {
        *p++ = (char) 0xc0;
        return p;
    }
    if (text.size < 32)
        *p++ = (char) (0xa0 | text.size);
    else if (text.size < 0x100) {
        *p++ = (char) 0xd9;
        p = s_put_big (p, text.size, 1);
    } else if (text.size < 0x10000) {
        *p++ = (char) 0xda;
        p = s_put_big (p, text.size, 2);
    } else {
        *p++ = (char) 0xdb;
        p = s_put_big (p, text.size, 4);
    }
    memcpy (p, text.data, text.size);
    return p + text.size;
}

int synod__batch_begin (synod__batch_t *self, synod_str_t address, synod_str_t node, uint64_t incarnation,
                        uint64_t epoch)
{
    synod__batch_clear (self);
    if (address.size == 0 || address.size > SYNOD_ADDRESS_MAX || memchr (address.data, 0, address.size))
        return SYNOD_BAD_ADDRESS;
    if (node.size == 0 || node.size > SYNOD_NAME_MAX)
        return SYNOD_BAD_ADDRESS;
    int rc = synod__buf_reserve (&self->buf, address.size + 1 + S_HEAD_MOST);
    if (rc != SYNOD_OK)
        return rc;
    char *p = self->buf.data;
    memcpy (p, address.data, address.size);
    p += address.size;
    *p++ = '\0';
    *p++ = (char) 0x95;
    p = s_put_uint (p, SYNOD_VERSION_WIRE);
    p = s_put_text_or_nil (p, node);
    p = s_put_uint (p, incarnation);
    p = s_put_uint (p, epoch);
    *p++ = (char) 0xcf; /* always this wide, to be filled in when the frame leaves */
    self->number_at = (size_t) (p - self->buf.data);
    p = s_put_big (p, 0, 8);
    self->buf.size = self->head_size = (size_t) (p - self->buf.data);
    return SYNOD_OK;
}

/* Writes all of an envelope but its body. */
static inline int s_add_fields (synod__batch_t *self, const synod_envelope_t *e)
{
    assert (self->number_at > 0);
    size_t texts = (size_t) e->method.size + e->to.size + e->from.size;
    if (__builtin_expect (self->buf.capacity - self->buf.size < S_FIELDS_MOST + texts, 0)) {
        int rc = synod__buf_reserve (&self->buf, S_FIELDS_MOST + texts);
        if (rc != SYNOD_OK)
            return rc;
    }
    char *p = self->buf.data + self->buf.size;
    *p++ = (char) 0x98;
    *p++ = (char) e->kind;
    p = s_put_text_or_nil (p, e->method);
    p = s_put_text_or_nil (p, e->to);
    p = s_put_text_or_nil (p, e->from);
    if (e->client) {
        *p++ = (char) 0x94;
        p = s_put_uint (s_put_uint (s_put_uint (s_put_uint (p, e->id), e->client), e->number), e->low);
    } else if (__builtin_expect (e->again != 0, 0)) {
        *p++ = (char) 0x92;
        p = s_put_uint (s_put_uint (p, e->id), e->again);
    } else
        p = s_put_uint_or_nil (p, e->id);
    p = s_put_uint_or_nil (p, e->left_ms);
    p = s_put_uint_or_nil (p, e->trace);
    self->buf.size = (size_t) (p - self->buf.data);
    return SYNOD_OK;
}

static bool s_fits (const synod__batch_t *self, const synod_envelope_t *e)
{
    if (self->count >= SYNOD_ENVELOPES_MAX)
        return false;
    if (self->buf.size <= SYNOD_FRAME_MAX)
        return true;
    bool carrier = synod_str_is (e->method, "returned") || synod_str_is (e->method, "tapped");
    return carrier && self->count == 0 && self->buf.size <= SYNOD_FRAME_MAX + SYNOD_FRAME_SLACK;
}

static inline int s_done (synod__batch_t *self, const synod_envelope_t *e, size_t before, int rc)
{
    if (rc == SYNOD_OK && !s_fits (self, e))
        rc = SYNOD_TOO_LARGE;
    if (rc == SYNOD_OK)
        self->count++;
    else
        self->buf.size = before;
    return rc;
}

int synod__batch_add (synod__batch_t *self, const synod_envelope_t *envelope)
{
    size_t before = self->buf.size;
    int rc = s_add_fields (self, envelope);
    if (rc == SYNOD_OK)
        rc = envelope->body.data && envelope->body.size > 0
                 ? synod__buf_add (&self->buf, envelope->body.data, envelope->body.size)
                 : synod__buf_add (&self->buf, "\xc0", 1);
    return s_done (self, envelope, before, rc);
}

int synod__batch_add_record (synod__batch_t *self, const synod_envelope_t *envelope, const synod_record_t *record,
                             const void *rec, synod_fault_t *fault)
{
    size_t before = self->buf.size;
    int rc = s_add_fields (self, envelope);
    if (rc == SYNOD_OK)
        rc = synod_record_pack (record, rec, &self->buf, fault);
    if (rc != SYNOD_OK) {
        self->buf.size = before;
        return rc == SYNOD_NO_MEMORY ? synod_fault (fault, rc, "%s: memory ran out", record->name) : rc;
    }
    size_t size = self->buf.size - self->head_size;
    rc = s_done (self, envelope, before, rc);
    return rc == SYNOD_OK
               ? rc
               : synod_fault (fault, rc, "%s: expected to fit a frame of %d bytes and %d envelopes, got %zu bytes",
                              record->name, SYNOD_FRAME_MAX, SYNOD_ENVELOPES_MAX, size);
}

void synod__batch_number (synod__batch_t *self, uint64_t number)
{
    assert (self->number_at > 0);
    s_put_big (self->buf.data + self->number_at, number, 8);
}

void synod__batch_clear (synod__batch_t *self)
{
    self->buf.size = self->number_at = self->head_size = 0;
    self->count = 0;
}

void synod__batch_free (synod__batch_t *self)
{
    synod_buf_free (&self->buf);
    synod__batch_clear (self);
}
