/* SPDX-License-Identifier: MPL-2.0
 *
 * RESP2, the protocol of Redis' clients: requests read from a connection's bytes, replies written. A request is an array of
 * bulk strings or, for people, a line of words. What is not one is answered as Redis answers, and ends the connection.
 */
#ifndef SYNOD_REDIS_RESP_H_INCLUDED
#define SYNOD_REDIS_RESP_H_INCLUDED

#include <synod/record.h>

#define SYNOD__RESP_LINE_MAX (64 * 1024)   /* a line of words, or of a count */
#define SYNOD__RESP_ARGS_MAX (1024 * 1024) /* of a request */
#define SYNOD__RESP_BULK_MAX (1024 * 1024) /* of one */

typedef struct {
    uint32_t at, size; /* in the request */
} synod__resp_span_t;

/* How far the request has been read that the bytes begin with. Zero-initialise; ended by synod__resp_free. */
typedef struct {
    uint32_t at;   /* bytes read */
    uint32_t left; /* arguments to come */
    bool begun;    /* it is an array, whose count was read */
    bool sized;    /* the size of the next one was read: */
    uint32_t size;
    uint32_t argc;
    synod_str_t *argv; /* of a request that is whole; they borrow its bytes, or `words` */
    uint32_t room;
    synod__resp_span_t *spans;
    uint32_t span_room;
    synod_buf_t words; /* of a line, without their quotes */
} synod__resp_t;

void synod__resp_free (synod__resp_t *self);

typedef enum {
    SYNOD__RESP_MORE,    /* it goes on */
    SYNOD__RESP_REQUEST, /* whole, in argv and argc (0: it asks nothing); *USED bytes are done with */
    SYNOD__RESP_BAD      /* *ERROR says why; nothing can be read behind it */
} synod__resp_state_t;

/* IN begins as it did when there was MORE. ERROR is static, or in ROOM (64 bytes). */
synod__resp_state_t synod__resp_read (synod__resp_t *self, synod_str_t in, size_t *used, char *room,
                                      const char **error);

/* ---- replies: appended to OUT ---- */
void synod__resp_int (synod_buf_t *out, int64_t value);
void synod__resp_bulk (synod_buf_t *out, synod_str_t value); /* data NULL: nil */
void synod__resp_array (synod_buf_t *out, uint32_t count);
void synod__resp_status (synod_buf_t *out, const char *text);
/* One line, whatever is in TEXT: "ERR no such key". */
void synod__resp_error (synod_buf_t *out, synod_str_t text);

#endif
