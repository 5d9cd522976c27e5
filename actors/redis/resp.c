/* SPDX-License-Identifier: MPL-2.0
 *
 * RESP2, read and written.
 */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include "actors/kv/number.h"
#include "protocol/frame.h"
#include "resp.h"

#define S_KEEP 64 /* arguments that there is always room for, once there was */

void synod__resp_free (synod__resp_t *self)
{
    free (self->argv);
    free (self->spans);
    synod_buf_free (&self->words);
    memset (self, 0, sizeof *self);
}

/* ---- requests ---- */

static synod__resp_state_t s_bad (const char **error, const char *why)
{
    *error = why;
    return SYNOD__RESP_BAD;
}

static void s_span (synod__resp_t *self, uint32_t at, uint32_t size)
{
    if (self->argc == self->span_room) {
        self->span_room = self->span_room ? self->span_room * 2 : 8;
        self->spans = (synod__resp_span_t *) realloc (self->spans, self->span_room * sizeof *self->spans);
        if (!self->spans)
            abort ();
    }
    self->spans[self->argc++] = (synod__resp_span_t){at, size};
}

/* The request ends here: its arguments, in BYTES. */
static synod__resp_state_t s_whole (synod__resp_t *self, const char *bytes, size_t *used)
{
    if (self->argc > self->room) {
        free (self->argv);
        self->room = self->span_room;
        self->argv = (synod_str_t *) malloc (self->room * sizeof *self->argv);
        if (!self->argv)
            abort ();
    }
    for (uint32_t i = 0; i < self->argc; i++)
        self->argv[i] = synod_str_n (bytes + self->spans[i].at, self->spans[i].size);
    *used = self->at;
    self->at = self->left = 0;
    self->begun = self->sized = false;
    if (self->span_room > S_KEEP) { /* argv stays until the next */
        free (self->spans);
        self->spans = NULL;
        self->span_room = 0;
    }
    return SYNOD__RESP_REQUEST;
}

/* The number between AT and the next CR. SYNOD__RESP_REQUEST: it is there, *AFTER is behind its line. */
static synod__resp_state_t s_number (synod_str_t in, uint32_t at, int64_t *value, uint32_t *after)
{
    const char *end = (const char *) memchr (in.data + at, '\r', in.size - at);
    if (!end || end + 1 == in.data + in.size)
        return SYNOD__RESP_MORE;
    *after = (uint32_t) (end - in.data) + 2;
    return synod__number_read (synod_str_n (in.data + at, (size_t) (end - in.data) - at), value) ? SYNOD__RESP_REQUEST
                                                                                                 : SYNOD__RESP_BAD;
}

static synod__resp_state_t s_array (synod__resp_t *self, synod_str_t in, size_t *used, char *room, const char **error)
{
    int64_t count;
    synod__resp_state_t state;
    if (!self->begun) {
        state = s_number (in, 1, &count, &self->at);
        if (state == SYNOD__RESP_MORE)
            return in.size > SYNOD__RESP_LINE_MAX ? s_bad (error, "too big mbulk count string") : state;
        if (state == SYNOD__RESP_BAD || count > SYNOD__RESP_ARGS_MAX)
            return s_bad (error, "invalid multibulk length");
        self->begun = true;
        self->left = count > 0 ? (uint32_t) count : 0;
    }
    for (; self->left; self->left--) {
        if (!self->sized) {
            if (self->at >= in.size)
                return SYNOD__RESP_MORE;
            if (in.data[self->at] != '$') {
                snprintf (room, 64, "expected '$', got '%c'", in.data[self->at]);
                return s_bad (error, room);
            }
            uint32_t line = self->at;
            state = s_number (in, line + 1, &count, &self->at);
            if (state == SYNOD__RESP_MORE)
                return in.size - line > SYNOD__RESP_LINE_MAX ? s_bad (error, "too big bulk count string") : state;
            if (state == SYNOD__RESP_BAD || count < 0 || count > SYNOD__RESP_BULK_MAX)
                return s_bad (error, "invalid bulk length");
            self->size = (uint32_t) count;
            self->sized = true;
        }
        if (in.size - self->at < self->size + 2u)
            return SYNOD__RESP_MORE;
        s_span (self, self->at, self->size);
        self->at += self->size + 2;
        self->sized = false;
    }
    return s_whole (self, in.data, used);
}

/* The character that an escape in double quotes stands for; AT moves behind it. */
static char s_escaped (const char **at, const char *end)
{
    static const char names[] = "nrtba", means[] = "\n\r\t\b\a";
    const char *p = *at + 1;
    if (end - p >= 3 && *p == 'x' && isxdigit ((unsigned char) p[1]) && isxdigit ((unsigned char) p[2])) {
        const char digits[3] = {p[1], p[2], 0};
        *at = p + 3;
        return (char) strtoul (digits, NULL, 16);
    }
    const char *known = *p ? strchr (names, *p) : NULL;
    *at = p + 1;
    return known ? means[known - names] : *p;
}

/* One word from AT on, appended to `words`. NULL: its quotes do not end, or something stands behind them. */
static const char *s_word (synod__resp_t *self, const char *at, const char *end)
{
    char quote = 0;
    for (; at < end; at++) {
        char c = *at;
        if (quote && c == quote) {
            if (at + 1 < end && !isspace ((unsigned char) at[1]))
                return NULL;
            return at + 1;
        }
        if (quote == '"' && c == '\\' && at + 1 < end) {
            c = s_escaped (&at, end);
            at--;
        } else if (quote == '\'' && c == '\\' && at + 1 < end && at[1] == '\'')
            c = *++at;
        else if (!quote && (c == '"' || c == '\'')) {
            quote = c;
            continue;
        } else if (!quote && (isspace ((unsigned char) c) || !c))
            return at;
        if (synod__buf_add (&self->words, &c, 1) != SYNOD_OK)
            abort ();
    }
    return quote ? NULL : at;
}

static synod__resp_state_t s_line (synod__resp_t *self, synod_str_t in, size_t *used, const char **error)
{
    const char *end = (const char *) memchr (in.data + self->at, '\n', in.size - self->at), *at = in.data;
    if (!end) {
        self->at = in.size; /* what was looked at once need not be again */
        return in.size > SYNOD__RESP_LINE_MAX ? s_bad (error, "too big inline request") : SYNOD__RESP_MORE;
    }
    self->at = (uint32_t) (end - in.data) + 1;
    if (end > at && end[-1] == '\r')
        end--;
    if (synod__buf_reserve (&self->words, 1) != SYNOD_OK)
        abort ();
    self->words.size = 0;
    for (;;) {
        while (at < end && isspace ((unsigned char) *at))
            at++;
        if (at == end || !*at)
            break;
        uint32_t from = (uint32_t) self->words.size;
        at = s_word (self, at, end);
        if (!at)
            return s_bad (error, "unbalanced quotes in request");
        s_span (self, from, (uint32_t) self->words.size - from);
    }
    return s_whole (self, self->words.data, used);
}

synod__resp_state_t synod__resp_read (synod__resp_t *self, synod_str_t in, size_t *used, char *room, const char **error)
{
    *used = 0;
    if (!in.size)
        return SYNOD__RESP_MORE;
    if (!self->at && !self->begun)
        self->argc = 0;
    return in.data[0] == '*' ? s_array (self, in, used, room, error) : s_line (self, in, used, error);
}

/* ---- replies ---- */

static char *s_room (synod_buf_t *out, size_t size)
{
    if (__builtin_expect (out->capacity - out->size < size, 0) && synod__buf_reserve (out, size) != SYNOD_OK)
        abort ();
    return out->data + out->size;
}

/* "C" VALUE CRLF */
static void s_count (synod_buf_t *out, char kind, int64_t value)
{
    char *at = s_room (out, SYNOD__NUMBER_MAX + 3);
    *at = kind;
    uint32_t size = 1 + synod__number_write (value, at + 1);
    at[size] = '\r';
    at[size + 1] = '\n';
    out->size += size + 2;
}

void synod__resp_int (synod_buf_t *out, int64_t value)
{
    s_count (out, ':', value);
}

void synod__resp_array (synod_buf_t *out, uint32_t count)
{
    s_count (out, '*', count);
}

void synod__resp_bulk (synod_buf_t *out, synod_str_t value)
{
    if (!value.data) {
        memcpy (s_room (out, 5), "$-1\r\n", 5);
        out->size += 5;
        return;
    }
    s_room (out, SYNOD__NUMBER_MAX + 5 + (size_t) value.size);
    s_count (out, '$', value.size);
    char *at = out->data + out->size;
    if (value.size)
        memcpy (at, value.data, value.size);
    at[value.size] = '\r';
    at[value.size + 1] = '\n';
    out->size += (size_t) value.size + 2;
}

static void s_text (synod_buf_t *out, char kind, synod_str_t text)
{
    char *at = s_room (out, (size_t) text.size + 3);
    *at++ = kind;
    for (uint32_t i = 0; i < text.size; i++)
        *at++ = text.data[i] == '\r' || text.data[i] == '\n' ? ' ' : text.data[i];
    *at++ = '\r';
    *at = '\n';
    out->size += (size_t) text.size + 3;
}

void synod__resp_status (synod_buf_t *out, const char *text)
{
    s_text (out, '+', synod_str (text));
}

void synod__resp_error (synod_buf_t *out, synod_str_t text)
{
    s_text (out, '-', text);
}
