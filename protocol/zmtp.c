/* SPDX-License-Identifier: MPL-2.0
 *
 * A greeting is a signature (FF, eight bytes of no meaning, 7F), the version, the mechanism in twenty bytes, one that says
 * which side is the server (of no meaning with NULL) and zeros. A frame is flags, the size in one byte or eight, and the
 * body; commands are frames with a flag of their own.
 */
#include "zmtp.h"

#define S_MORE    0x01
#define S_LONG    0x02
#define S_COMMAND 0x04

#define S_SIGNATURE 10
#define S_MECHANISM 12 /* where it begins */

static const char s_mechanism[20] = "NULL";

void synod__zmtp_init (synod__zmtp_t *self, bool dealer, size_t size_max)
{
    memset (self, 0, sizeof *self);
    self->dealer = dealer;
    self->size_max = size_max;
}

/* ---- what is said ---- */

size_t synod__zmtp_greeting (char *out)
{
    memset (out, 0, SYNOD__ZMTP_GREETING);
    out[0] = (char) 0xff;
    out[S_SIGNATURE - 1] = 0x7f;
    out[S_SIGNATURE] = 3;
    memcpy (out + S_MECHANISM, s_mechanism, sizeof s_mechanism);
    return SYNOD__ZMTP_GREETING;
}

static char *s_text (char *at, synod_str_t text)
{
    *at++ = (char) text.size;
    memcpy (at, text.data, text.size);
    return at + text.size;
}

static char *s_property (char *at, const char *name, synod_str_t value)
{
    at = s_text (at, synod_str (name));
    memset (at, 0, 3); /* of its size's four bytes */
    return s_text (at + 3, value);
}

size_t synod__zmtp_ready (bool dealer, synod_str_t identity, char *out)
{
    char body[SYNOD__ZMTP_READY_MAX], *end = s_text (body, synod_str ("READY"));
    end = s_property (end, "Socket-Type", synod_str (dealer ? "DEALER" : "ROUTER"));
    end = s_property (end, "Identity", identity.data ? identity : synod_str (""));
    size_t size = (size_t) (end - body), header = synod__zmtp_header (size, out);
    out[0] |= S_COMMAND;
    memcpy (out + header, body, size);
    return header + size;
}

size_t synod__zmtp_header (size_t size, char *out)
{
    if (size <= UINT8_MAX) {
        out[0] = 0;
        out[1] = (char) size;
        return 2;
    }
    out[0] = S_LONG;
    for (int i = 0; i < 8; i++)
        out[1 + i] = (char) ((uint64_t) size >> (56 - 8 * i));
    return SYNOD__ZMTP_HEADER;
}

/* ---- what is heard ---- */

static synod__zmtp_unit_t s_violated (synod_fault_t *fault, const char *expected)
{
    synod_fault (fault, SYNOD_BAD_FRAME, "a connection that does not speak ZeroMQ: expected %s", expected);
    return SYNOD__ZMTP_VIOLATED;
}

static void s_used (synod_str_t *bytes, size_t size)
{
    bytes->data += size;
    bytes->size -= size;
}

static synod__zmtp_unit_t s_greeting (synod__zmtp_t *self, synod_str_t *bytes, synod_fault_t *fault)
{
    const unsigned char *data = (const unsigned char *) bytes->data;
    if (bytes->size > 0 && data[0] != 0xff)
        return s_violated (fault, "a greeting");
    if (bytes->size < SYNOD__ZMTP_GREETING)
        return SYNOD__ZMTP_MORE;
    if (!(data[S_SIGNATURE - 1] & 1) || data[S_SIGNATURE] < 3)
        return s_violated (fault, "a greeting of ZMTP 3");
    if (memcmp (data + S_MECHANISM, s_mechanism, sizeof s_mechanism) != 0)
        return s_violated (fault, "the mechanism NULL");
    s_used (bytes, SYNOD__ZMTP_GREETING);
    self->greeted = true;
    return SYNOD__ZMTP_GREETED;
}

/* A name and its size, which is in so many bytes, most significant first. */
static bool s_take (synod_str_t *body, int digits, synod_str_t *out)
{
    size_t size = 0;
    if (body->size < (size_t) digits)
        return false;
    for (int i = 0; i < digits; i++)
        size = size << 8 | (unsigned char) body->data[i];
    if (body->size - (size_t) digits < size)
        return false;
    *out = synod_str_n (body->data + digits, size);
    s_used (body, (size_t) digits + size);
    return true;
}

static bool s_is (synod_str_t text, const char *name) /* names are the same in any case */
{
    return text.size == strlen (name) && strncasecmp (text.data, name, text.size) == 0;
}

static synod__zmtp_unit_t s_ready (synod__zmtp_t *self, synod_str_t body, synod_fault_t *fault)
{
    synod_str_t command, name, value, reason;
    bool fits = false;
    if (!s_take (&body, 1, &command))
        return s_violated (fault, "a command");
    if (synod_str_is (command, "ERROR") && s_take (&body, 1, &reason)) {
        synod_fault (fault, SYNOD_REFUSED, "the other side refused the connection: %.*s", SYNOD_STR (reason));
        return SYNOD__ZMTP_VIOLATED;
    }
    if (!synod_str_is (command, "READY"))
        return s_violated (fault, "READY");
    while (body.size > 0) {
        if (!s_take (&body, 1, &name) || !s_take (&body, 4, &value))
            return s_violated (fault, "properties with their values");
        if (s_is (name, "Socket-Type"))
            fits = synod_str_is (value, self->dealer ? "ROUTER" : "DEALER");
        if (!s_is (name, "Identity"))
            continue;
        if (value.size > sizeof self->identity)
            return s_violated (fault, "an identity of at most 255 bytes");
        memcpy (self->identity, value.data, value.size);
        self->identity_size = (uint8_t) value.size;
    }
    if (!fits)
        return s_violated (fault, self->dealer ? "a ROUTER" : "a DEALER");
    self->open = true;
    return SYNOD__ZMTP_OPENED;
}

/* One frame's flags and body. */
static synod__zmtp_unit_t s_frame (const synod__zmtp_t *self, synod_str_t *bytes, unsigned *flags, synod_str_t *body,
                                   synod_fault_t *fault)
{
    const unsigned char *data = (const unsigned char *) bytes->data;
    uint64_t size = 0;
    if (bytes->size < 2)
        return SYNOD__ZMTP_MORE;
    *flags = data[0];
    if (*flags & ~(unsigned) (S_MORE | S_LONG | S_COMMAND))
        return s_violated (fault, "flags of ZMTP 3");
    size_t header = *flags & S_LONG ? SYNOD__ZMTP_HEADER : 2;
    if (bytes->size < header)
        return SYNOD__ZMTP_MORE;
    for (size_t i = 1; i < header; i++)
        size = size << 8 | data[i];
    if (size > self->size_max)
        return s_violated (fault, "a smaller message");
    if (bytes->size - header < size)
        return SYNOD__ZMTP_MORE;
    *body = synod_str_n (bytes->data + header, (size_t) size);
    s_used (bytes, header + (size_t) size);
    return SYNOD__ZMTP_MESSAGE;
}

synod__zmtp_unit_t synod__zmtp_next (synod__zmtp_t *self, synod_str_t *bytes, synod_str_t *message,
                                     synod_fault_t *fault)
{
    if (!self->greeted)
        return s_greeting (self, bytes, fault);
    for (;;) {
        unsigned flags;
        synod__zmtp_unit_t unit = s_frame (self, bytes, &flags, message, fault);
        if (unit != SYNOD__ZMTP_MESSAGE)
            return unit;
        if (!self->open)
            return flags & S_COMMAND ? s_ready (self, *message, fault) : s_violated (fault, "READY");
        if (flags & S_COMMAND) /* none is of interest */
            continue;
        bool parts = self->parts;
        self->parts = flags & S_MORE;
        if (!self->parts)
            return parts ? SYNOD__ZMTP_PARTS : SYNOD__ZMTP_MESSAGE;
    }
}
