/* SPDX-License-Identifier: MPL-2.0
 *
 * Asks of many keys in one message, and their answers (SPEC.md, "Many asks"): the bodies of `many` and `many_are`, written
 * and read in place. Their records (catalogue.def) describe the same bytes; here an ask costs no map of its own, and what
 * is known only when the message leaves has a fixed width and is filled in then.
 */
#ifndef SYNOD_PROTOCOL_MANY_H_INCLUDED
#define SYNOD_PROTOCOL_MANY_H_INCLUDED

#include "frame.h"

#define SYNOD__MANY_MAX        1024                    /* asks of a message */
#define SYNOD__MANY_BYTES      (96 * 1024)             /* of asks: one more is not begun; one alone may have more */
#define SYNOD__MANY_ANSWER_MAX (SYNOD_BODY_MAX - 1024) /* bytes of answers */

typedef struct {
    synod_str_t key, method;
    uint64_t number;  /* 0: no command */
    synod_str_t body; /* data NULL: nil */
} synod__many_ask_t;

typedef enum {
    SYNOD__MANY_ANSWER, /* BODY, data NULL: nil */
    SYNOD__MANY_ERROR,  /* ERROR, and its sentence in BODY */
    SYNOD__MANY_ALONE   /* it was not answered here, whatever became of it: it is to be asked by itself */
} synod__many_kind_t;

typedef struct {
    uint32_t at; /* which of the asks */
    synod__many_kind_t kind;
    synod_str_t error, body;
} synod__many_answer_t;

typedef struct {
    synod__reader_t rest;
    uint32_t left;
} synod__many_reader_t;

/* ---- asks: begin, add, end; in OUT, which they alone fill ---- */

int synod__many_begin (synod_buf_t *out);
/* BODY: a packed map, or empty. *NUMBER_AT: where its number goes (synod__many_number); NULL: it has none. The key and the
 * body are the caller's to check. */
int synod__many_ask (synod_buf_t *out, synod_str_t key, synod_str_t method, synod_str_t body, uint32_t *number_at);
void synod__many_number (synod_buf_t *out, uint32_t number_at, uint64_t number);
void synod__many_end (synod_buf_t *out, uint32_t count, uint64_t client, uint64_t low);

/* All of ASKS is checked: SYNOD_BAD_REQUEST with a sentence. LOW: no number may be below. */
int synod__many_open (synod__many_reader_t *self, synod_str_t asks, uint64_t low, synod_fault_t *fault);
bool synod__many_next (synod__many_reader_t *self, synod__many_ask_t *out); /* false: that was all */

/* ---- answers: likewise ---- */

int synod__many_answers_begin (synod_buf_t *out);
int synod__many_answer (synod_buf_t *out, const synod__many_answer_t *answer);
int synod__many_answer_head (synod_buf_t *out, uint32_t at); /* the answer, a map, is appended by the caller */
void synod__many_answers_end (synod_buf_t *out, uint32_t count);

/* Of a whole body, which need not be one: SYNOD_BAD_REQUEST. */
int synod__many_answers_open (synod__many_reader_t *self, synod_str_t body, synod_fault_t *fault);
/* False: that was all, or the rest is none. */
bool synod__many_answers_next (synod__many_reader_t *self, synod__many_answer_t *out);

#endif
