/* SPDX-License-Identifier: MPL-2.0
 *
 * ZeroMQ's wire protocol ZMTP 3.0 (RFC 23/ZMTP), with the mechanism NULL, as far as a DEALER and a ROUTER that exchange
 * messages of one part need it: bytes in, bytes out, no socket. Both sides greet at once; whoever has the other's
 * greeting says READY, with the kind of its socket and its identity; whoever has the other's READY may send messages.
 */
#ifndef SYNOD_PROTOCOL_ZMTP_H_INCLUDED
#define SYNOD_PROTOCOL_ZMTP_H_INCLUDED

#include <synod/record.h>

#define SYNOD__ZMTP_GREETING  64  /* bytes */
#define SYNOD__ZMTP_READY_MAX 320 /* bytes, with the longest identity */
#define SYNOD__ZMTP_HEADER    9   /* bytes in front of a message, at most */

typedef enum {
    SYNOD__ZMTP_MORE,     /* BYTES has no whole unit */
    SYNOD__ZMTP_GREETED,  /* now READY is to be said */
    SYNOD__ZMTP_OPENED,   /* the other's READY came */
    SYNOD__ZMTP_MESSAGE,  /* of one part */
    SYNOD__ZMTP_PARTS,    /* of several: dropped */
    SYNOD__ZMTP_VIOLATED, /* the connection is of no more use; FAULT says why */
} synod__zmtp_unit_t;

/* What one side has heard of the other. */
typedef struct {
    bool dealer;     /* this side's socket: a DEALER, which talks to ROUTERs; or a ROUTER, which talks to DEALERs */
    bool greeted;    /* the other has */
    bool open;       /* it has said READY */
    bool parts;      /* the next frame belongs to a message that has more than one */
    size_t size_max; /* of a message, bytes */
    uint8_t identity_size;
    char identity[255]; /* the other's, once OPEN */
} synod__zmtp_t;

void synod__zmtp_init (synod__zmtp_t *self, bool dealer, size_t size_max);

/* What this side says. OUT has SYNOD__ZMTP_GREETING, _READY_MAX and _HEADER bytes; IDENTITY is up to 255 bytes, may be
 * empty. They return how many were written. */
size_t synod__zmtp_greeting (char *out);
size_t synod__zmtp_ready (bool dealer, synod_str_t identity, char *out);
size_t synod__zmtp_header (size_t size, char *out); /* of a message of SIZE bytes, which follow */

/* Takes the next unit off BYTES, which shrinks by what was used. MESSAGE borrows from BYTES. */
synod__zmtp_unit_t synod__zmtp_next (synod__zmtp_t *self, synod_str_t *bytes, synod_str_t *message,
                                     synod_fault_t *fault);

#endif
