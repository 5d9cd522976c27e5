/* SPDX-License-Identifier: MPL-2.0
 *
 * Frames and envelopes (SPEC.md, "Frame"):  address NUL header envelope...
 *
 * Reading is in place: a frame and its envelopes borrow the bytes. Writing goes to a batch, which is the frame under
 * construction; its header's number has a fixed width so that it can be filled in when the batch leaves.
 */
#ifndef SYNOD_PROTOCOL_FRAME_H_INCLUDED
#define SYNOD_PROTOCOL_FRAME_H_INCLUDED

#include "reader.h"

typedef enum {
    SYNOD_KIND_ASK = 1,
    SYNOD_KIND_REPLY = 2,
    SYNOD_KIND_ERROR = 3, /* the reply of an ask that went wrong; its body is the record `error` */
    SYNOD_KIND_TELL = 4,
    SYNOD_KIND_PUBLISH = 5,
    SYNOD_KIND_MARK = 6 /* no message: the header's number repeats the last one used; id is the first (0: unknown) */
} synod_kind_t;

/* The id of an error that answers no ask: of a frame that could not be read. */
#define SYNOD__ID_NONE UINT64_MAX

/* "ask", "reply" ... or "?" */
const char *synod__kind_name (int kind);

/* One message. Absent (nil on the wire): a data pointer of NULL, a number of 0. */
typedef struct {
    synod_kind_t kind;
    synod_str_t method; /* the record's name; nil in replies, errors and marks */
    synod_str_t to;     /* nil: the frame's address says it */
    synod_str_t from;   /* "actor" of the header's node, "node/actor" of who was forwarded, nil: the node itself */
    uint64_t id;        /* of an ask, chosen by the asker; of a reply or error, the ask's */
    uint64_t client;    /* of a command, an ask that runs once: who numbers it; 0: it is none */
    uint64_t number;    /* of a command: its client's */
    uint64_t low;       /* of a command: its client will not repeat any below this one; 1 to number */
    uint64_t again;     /* of an ask that is no command: how often it was sent before */
    uint64_t left_ms;   /* time left, counted from arrival */
    uint64_t trace;     /* carried along to everything a message causes */
    synod_str_t body;   /* one packed value, a map or nil (then data is NULL); checked for depth and bounds */
} synod_envelope_t;

typedef struct {
    synod_str_t address;
    synod_str_t node; /* the sender's */
    uint64_t incarnation;
    uint64_t epoch;
    uint64_t number; /* 0: not numbered */
    synod__reader_t rest;
    uint32_t count; /* envelopes taken so far */
    /* private: the envelope before, all but its body, when it had no id: in a batch the next is likely to begin alike */
    const uint8_t *head;
    uint32_t head_size; /* 0: none */
    synod_envelope_t last;
} synod_frame_t;

/* Opens a frame: checks size, address, version and header, not yet the envelopes. SYNOD_BAD_FRAME, SYNOD_BAD_VERSION,
 * SYNOD_BAD_ADDRESS or SYNOD_TOO_LARGE with a sentence in FAULT. Borrows DATA. */
int synod__frame_open (synod_frame_t *self, const void *data, size_t size, synod_fault_t *fault);

/* Takes the next envelope: SYNOD_OK, SYNOD_NOT_FOUND at the end of the frame, or an error after which no more can be
 * taken from it (those before stand). */
int synod__frame_next (synod_frame_t *self, synod_envelope_t *envelope, synod_fault_t *fault);

/* The address alone, for forwarders: size of the address (then data[size] is NUL), or 0 when there is none. */
static inline size_t synod__address_size (const void *data, size_t size)
{
    size_t most = size < SYNOD_ADDRESS_MAX + 1 ? size : SYNOD_ADDRESS_MAX + 1;
    const char *nul = (const char *) memchr (data, 0, most);
    return nul ? (size_t) (nul - (const char *) data) : 0;
}

/* ---- writing ---- */

typedef struct {
    synod_buf_t buf;
    size_t number_at; /* where the header's number is, in buf; 0: no frame begun */
    size_t head_size; /* size of address, NUL and header */
    uint32_t count;   /* envelopes in it */
} synod__batch_t;

/* Begins a frame in SELF, whose buffer is reused. Borrows all but SELF. */
int synod__batch_begin (synod__batch_t *self, synod_str_t address, synod_str_t node, uint64_t incarnation,
                        uint64_t epoch);

/* Adds an envelope whose body is packed already (NULL: nil). No check but that it fits the frame: SYNOD_TOO_LARGE
 * leaves SELF as it was. */
int synod__batch_add (synod__batch_t *self, const synod_envelope_t *envelope);

/* The same with a body packed from a record straight into the batch. Errors as synod_record_pack. */
int synod__batch_add_record (synod__batch_t *self, const synod_envelope_t *envelope, const synod_record_t *record,
                             const void *rec, synod_fault_t *fault);

void synod__batch_number (synod__batch_t *self, uint64_t number);
void synod__batch_clear (synod__batch_t *self); /* empties, keeps the buffer */
void synod__batch_free (synod__batch_t *self);

/* ---- buffers ---- */

int synod__buf_reserve (synod_buf_t *self, size_t more); /* SYNOD_OK or SYNOD_NO_MEMORY */
int synod__buf_add (synod_buf_t *self, const void *data, size_t size);
int synod__buf_printf (synod_buf_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* ---- printing: what the sniffer and the simulator's trace show ---- */

typedef struct {
    int64_t at_us; /* wall clock, 0: do not print it */
    const synod_frame_t *frame;
    const synod_envelope_t *envelope;
} synod__line_t;

/* One line, no newline:  TIME FROM TO KIND METHOD BODY SIZE  (SIZE: bytes of the body). Never fails on any input. */
int synod__print_line (synod_buf_t *out, const synod__line_t *line);
/* The same as one JSON object. */
int synod__print_json (synod_buf_t *out, const synod__line_t *line);

#endif
