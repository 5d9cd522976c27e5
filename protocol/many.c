/* SPDX-License-Identifier: MPL-2.0
 *
 * Asks of many keys in one message. Invariant: what is written here is what the records `many` and `many_are` unpack, and
 * what is read here was checked to its end before any of it is used.
 */
#include "many.h"
#include "address.h"
#include "catalogue.h"
#include "text.h"

#define S_HEAD                       \
    "\x83\xa6"                       \
    "client\xcf\0\0\0\0\0\0\0\0\xa3" \
    "low\xcf\0\0\0\0\0\0\0\0\xa4"    \
    "asks\xdd\0\0\0\0"
#define S_HEAD_SIZE (sizeof S_HEAD - 1)
#define S_CLIENT_AT 9
#define S_LOW_AT    22
#define S_ANSWERS \
    "\x81\xa7"    \
    "answers\xdd\0\0\0\0"
#define S_ANSWERS_SIZE  (sizeof S_ANSWERS - 1)
#define S_ASK_VALUES    4
#define S_ANSWER_VALUES 3

/* ---- writing ---- */

static void s_put_u64 (char *at, uint64_t number)
{
    number = __builtin_bswap64 (number);
    memcpy (at, &number, sizeof number);
}

static void s_put_u32 (char *at, uint32_t number)
{
    number = __builtin_bswap32 (number);
    memcpy (at, &number, sizeof number);
}

/* Room for it is there. */
static char *s_put_text (char *at, synod_str_t text)
{
    if (text.size < 32)
        *at++ = (char) (0xa0 | text.size);
    else if (text.size < 256) {
        *at++ = (char) 0xd9;
        *at++ = (char) text.size;
    } else {
        *at++ = (char) 0xda;
        *at++ = (char) (text.size >> 8);
        *at++ = (char) text.size;
    }
    if (text.size)
        memcpy (at, text.data, text.size);
    return at + text.size;
}

static char *s_put_body (char *at, synod_str_t body)
{
    if (!body.size)
        *at++ = (char) 0xc0;
    else
        memcpy (at, body.data, body.size);
    return at + body.size;
}

int synod__many_begin (synod_buf_t *out)
{
    out->size = 0;
    return synod__buf_add (out, S_HEAD, S_HEAD_SIZE);
}

int synod__many_ask (synod_buf_t *out, synod_str_t key, synod_str_t method, synod_str_t body, uint32_t *number_at)
{
    size_t most = (size_t) key.size + method.size + body.size + 2 * 3 + 9 + 1;
    if (out->capacity - out->size < most && synod__buf_reserve (out, most) != SYNOD_OK)
        return SYNOD_NO_MEMORY;
    char *at = s_put_text (s_put_text (out->data + out->size, key), method);
    if (number_at) {
        *at++ = (char) 0xcf;
        *number_at = (uint32_t) (at - out->data);
        memset (at, 0, 8);
        at += 8;
    } else
        *at++ = (char) 0xc0;
    out->size = (size_t) (s_put_body (at, body) - out->data);
    return SYNOD_OK;
}

void synod__many_number (synod_buf_t *out, uint32_t number_at, uint64_t number)
{
    s_put_u64 (out->data + number_at, number);
}

void synod__many_end (synod_buf_t *out, uint32_t count, uint64_t client, uint64_t low)
{
    s_put_u64 (out->data + S_CLIENT_AT, client);
    s_put_u64 (out->data + S_LOW_AT, low);
    s_put_u32 (out->data + S_HEAD_SIZE - 4, count * S_ASK_VALUES);
}

int synod__many_answers_begin (synod_buf_t *out)
{
    out->size = 0;
    return synod__buf_add (out, S_ANSWERS, S_ANSWERS_SIZE);
}

static char *s_put_at (char *to, uint32_t at)
{
    if (at < 128) {
        *to++ = (char) at;
        return to;
    }
    *to++ = (char) 0xcd;
    *to++ = (char) (at >> 8);
    *to++ = (char) at;
    return to;
}

int synod__many_answer_head (synod_buf_t *out, uint32_t at)
{
    char head[4], *end = s_put_at (head, at);
    *end++ = (char) 0xc0;
    return synod__buf_add (out, head, (size_t) (end - head));
}

int synod__many_answer (synod_buf_t *out, const synod__many_answer_t *answer)
{
    size_t most = (size_t) answer->error.size + answer->body.size + 3 + 3 + 3 + 1;
    if (out->capacity - out->size < most && synod__buf_reserve (out, most) != SYNOD_OK)
        return SYNOD_NO_MEMORY;
    char *at = s_put_at (out->data + out->size, answer->at);
    switch (answer->kind) {
    case SYNOD__MANY_ANSWER:
        *at++ = (char) 0xc0;
        at = s_put_body (at, answer->body);
        break;
    case SYNOD__MANY_ERROR:
        at = s_put_text (s_put_text (at, answer->error), answer->body);
        break;
    case SYNOD__MANY_ALONE:
        *at++ = (char) 0xc2;
        *at++ = (char) 0xc0;
        break;
    }
    out->size = (size_t) (at - out->data);
    return SYNOD_OK;
}

void synod__many_answers_end (synod_buf_t *out, uint32_t count)
{
    s_put_u32 (out->data + S_ANSWERS_SIZE - 4, count * S_ANSWER_VALUES);
}

/* ---- reading ---- */

/* The head of an array with EACH values of each, at most SYNOD__MANY_MAX times. */
static int s_open (synod__many_reader_t *self, synod_str_t array, uint32_t each, synod_fault_t *fault)
{
    synod__value_t value;
    self->rest = synod__reader (array);
    if (synod__read (&self->rest, &value) != SYNOD_OK || value.type != SYNOD__ARRAY || value.size % each)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "expected an array with %u values of each, got something else",
                            each);
    if (value.size / each > SYNOD__MANY_MAX)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "expected up to %d asks in a message, got %u", SYNOD__MANY_MAX,
                            value.size / each);
    self->left = value.size / each;
    return SYNOD_OK;
}

static bool s_text (synod__reader_t *from, synod_str_t *out)
{
    synod__value_t value;
    if (synod__read (from, &value) != SYNOD_OK || value.type != SYNOD__STR)
        return false;
    *out = synod_str_n (value.data, value.size);
    return true;
}

static bool s_body (synod__reader_t *from, synod_str_t *out)
{
    if (from->at < from->end && *from->at == 0xc0) {
        from->at++;
        *out = synod_str_n (NULL, 0);
        return true;
    }
    return synod__read_raw (from, SYNOD_DEPTH_MAX, out) == SYNOD_OK;
}

static bool s_ask (synod__reader_t *from, synod__many_ask_t *out)
{
    synod__value_t number;
    if (!s_text (from, &out->key) || !s_text (from, &out->method) || synod__read (from, &number) != SYNOD_OK ||
        (number.type != SYNOD__UINT && number.type != SYNOD__NIL))
        return false;
    out->number = number.type == SYNOD__UINT ? number.u : 0;
    return s_body (from, &out->body);
}

int synod__many_open (synod__many_reader_t *self, synod_str_t asks, uint64_t low, synod_fault_t *fault)
{
    int rc = s_open (self, asks, S_ASK_VALUES, fault);
    if (rc != SYNOD_OK)
        return rc;
    synod__reader_t look = self->rest;
    for (uint32_t i = 0; i < self->left; i++) {
        synod__many_ask_t ask;
        if (!s_ask (&look, &ask))
            return synod_fault (fault, SYNOD_BAD_REQUEST,
                                "ask %u: expected a key, a method, a number or nil, and a body, got something else", i);
        if (!ask.key.size || ask.key.size > SYNOD_KEY_MAX || !synod__text_printable (ask.key.data, ask.key.size))
            return synod_fault (fault, SYNOD_BAD_REQUEST,
                                "ask %u: expected a key of 1 to %d bytes of printable UTF-8, got %u bytes", i,
                                SYNOD_KEY_MAX, ask.key.size);
        if (!synod__name_ok (ask.method, true))
            return synod_fault (fault, SYNOD_BAD_REQUEST, "ask %u: expected a method's name, got \"%.*s\"", i,
                                ask.method.size > SYNOD_NAME_MAX ? 0 : (int) ask.method.size, ask.method.data);
        if (ask.number && (!low || ask.number < low))
            return synod_fault (fault, SYNOD_BAD_REQUEST,
                                "ask %u: expected a command's number from `low` on, which is from 1, got a smaller one",
                                i);
    }
    return SYNOD_OK;
}

bool synod__many_next (synod__many_reader_t *self, synod__many_ask_t *out)
{
    if (!self->left || !s_ask (&self->rest, out))
        return false;
    self->left--;
    return true;
}

int synod__many_answers_open (synod__many_reader_t *self, synod_str_t body, synod_fault_t *fault)
{
    if (body.size >= S_ANSWERS_SIZE &&
        memcmp (body.data, S_ANSWERS, S_ANSWERS_SIZE - 4) == 0) /* as it is written here */
        return s_open (self, synod_str_n (body.data + S_ANSWERS_SIZE - 5, body.size - S_ANSWERS_SIZE + 5),
                       S_ANSWER_VALUES, fault);
    synod__many_are_t are;
    int rc = synod_record_unpack (&synod__many_are_record, body, &are, fault);
    return rc == SYNOD_OK ? s_open (self, are.answers, S_ANSWER_VALUES, fault) : rc;
}

bool synod__many_answers_next (synod__many_reader_t *self, synod__many_answer_t *out)
{
    synod__value_t at, how;
    if (!self->left || synod__read (&self->rest, &at) != SYNOD_OK || at.type != SYNOD__UINT ||
        at.u >= SYNOD__MANY_MAX || synod__read (&self->rest, &how) != SYNOD_OK)
        return false;
    self->left--;
    *out = (synod__many_answer_t){.at = (uint32_t) at.u};
    switch (how.type) {
    case SYNOD__NIL:
        out->kind = SYNOD__MANY_ANSWER;
        return s_body (&self->rest, &out->body);
    case SYNOD__STR:
        out->kind = SYNOD__MANY_ERROR;
        out->error = synod_str_n (how.data, how.size);
        return s_text (&self->rest, &out->body);
    default:
        out->kind = SYNOD__MANY_ALONE;
        return s_body (&self->rest, &out->body);
    }
}
