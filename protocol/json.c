/* SPDX-License-Identifier: MPL-2.0
 *
 * Packed values as JSON. What JSON has no word for:  binary, and text that is not UTF-8, is {"$bin":"base64"}, an
 * extension is {"$ext":type,"$bin":"base64"}, NaN and the infinities are null. Keys that are no texts become texts;
 * a list or map as a key is told by its size alone, since writing it out within quotes doubles with each level.
 * Unprintable characters are escaped, so that no peer's bytes steer a terminal.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "json.h"
#include "reader.h"
#include "text.h"

typedef struct {
    synod_buf_t *out;
    size_t end; /* stop when the buffer is longer */
} s_json_t;

static int s_put (synod_buf_t *out, const char *text)
{
    return synod__buf_add (out, text, strlen (text));
}

static int s_string (synod_buf_t *out, synod_str_t text)
{
    int rc = s_put (out, "\"");
    size_t plain = 0; /* where the run that needs no escape began */
    for (size_t at = 0; rc == SYNOD_OK && at < text.size;) {
        uint32_t point;
        size_t taken = synod__utf8_next (text.data + at, text.size - at, &point);
        if (taken == 0)
            return SYNOD_BAD_REQUEST;
        if (point == '"' || point == '\\' || synod__unprintable (point)) {
            rc = synod__buf_add (out, text.data + plain, at - plain);
            const char *brief = point == '"'    ? "\\\""
                                : point == '\\' ? "\\\\"
                                : point == '\n' ? "\\n"
                                : point == '\t' ? "\\t"
                                : point == '\r' ? "\\r"
                                                : NULL;
            if (rc == SYNOD_OK)
                rc = brief ? s_put (out, brief) : synod__buf_printf (out, "\\u%04x", point);
            plain = at + taken;
        }
        at += taken;
    }
    if (rc == SYNOD_OK)
        rc = synod__buf_add (out, text.data + plain, text.size - plain);
    return rc == SYNOD_OK ? s_put (out, "\"") : rc;
}

static int s_base64 (synod_buf_t *out, synod_str_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t size = ((size_t) bytes.size + 2) / 3 * 4;
    int rc = synod__buf_reserve (out, size + 2);
    if (rc != SYNOD_OK)
        return rc;
    char *p = out->data + out->size;
    *p++ = '"';
    for (size_t at = 0; at < bytes.size; at += 3) {
        size_t have = bytes.size - at < 3 ? bytes.size - at : 3;
        uint32_t three = 0;
        for (size_t i = 0; i < 3; i++)
            three = three << 8 | (i < have ? (uint8_t) bytes.data[at + i] : 0u);
        for (size_t i = 0; i < 4; i++)
            *p++ = i <= have ? digits[three >> (18 - 6 * i) & 63] : '=';
    }
    *p++ = '"';
    out->size += size + 2;
    return SYNOD_OK;
}

static int s_binary (synod_buf_t *out, synod_str_t bytes)
{
    int rc = s_put (out, "{\"$bin\":");
    if (rc == SYNOD_OK)
        rc = s_base64 (out, bytes);
    return rc == SYNOD_OK ? s_put (out, "}") : rc;
}

/* The shortest digits that read back as the same number; the program's locale has no say. */
static int s_float (synod_buf_t *out, double f)
{
    if (!isfinite (f))
        return s_put (out, "null");
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf (text, sizeof text, "%.*g", digits, f);
        if (strtod (text, NULL) == f)
            break;
    }
    bool integral = true;
    char clean[40];
    size_t size = 0;
    for (const char *p = text; *p; p++) {
        bool digit = (*p >= '0' && *p <= '9') || *p == '-' || *p == '+';
        if (!digit)
            integral = false;
        if (digit || *p == 'e')
            clean[size++] = *p;
        else if (size > 0 && clean[size - 1] != '.') /* a point, however many bytes the locale has for it */
            clean[size++] = '.';
    }
    clean[size] = '\0';
    return synod__buf_printf (out, "%s%s", clean, integral ? ".0" : "");
}

static int s_scalar (synod_buf_t *out, const synod__value_t *v)
{
    int rc;
    switch (v->type) {
    case SYNOD__BOOL:
        return s_put (out, v->b ? "true" : "false");
    case SYNOD__UINT:
        return synod__buf_printf (out, "%" PRIu64, v->u);
    case SYNOD__INT:
        return synod__buf_printf (out, "%" PRId64, v->i);
    case SYNOD__FLOAT:
        return s_float (out, v->f);
    case SYNOD__STR:
        return synod__json_text (out, synod_str_n (v->data, v->size));
    case SYNOD__BIN:
        return s_binary (out, synod_str_n (v->data, v->size));
    case SYNOD__EXT:
        rc = synod__buf_printf (out, "{\"$ext\":%d,\"$bin\":", v->ext_type);
        if (rc == SYNOD_OK)
            rc = s_base64 (out, synod_str_n (v->data, v->size));
        return rc == SYNOD_OK ? s_put (out, "}") : rc;
    default:
        return s_put (out, "null");
    }
}

static int s_key (synod_buf_t *out, synod__reader_t *r)
{
    synod__value_t v;
    synod__reader_t before = *r;
    synod_str_t raw;
    if (synod__read (r, &v) != SYNOD_OK)
        return SYNOD_BAD_REQUEST;
    switch (v.type) {
    case SYNOD__STR:
        if (synod__utf8_ok (v.data, v.size))
            return s_string (out, synod_str_n (v.data, v.size));
        return s_base64 (out, synod_str_n (v.data, v.size));
    case SYNOD__BIN:
    case SYNOD__EXT:
        return s_base64 (out, synod_str_n (v.data, v.size));
    case SYNOD__ARRAY:
    case SYNOD__MAP:
        *r = before;
        if (synod__read_raw (r, SYNOD_DEPTH_MAX, &raw) != SYNOD_OK)
            return SYNOD_BAD_REQUEST;
        return synod__buf_printf (out, v.type == SYNOD__MAP ? "\"a map of %u\"" : "\"a list of %u\"", v.size);
    default:
        break;
    }
    int rc = s_put (out, "\"");
    if (rc == SYNOD_OK)
        rc = s_scalar (out, &v);
    return rc == SYNOD_OK ? s_put (out, "\"") : rc;
}

/* Bounded by the depth that was checked before. */
static int s_value (s_json_t *json, synod__reader_t *r)
{
    synod__value_t v;
    if (synod__read (r, &v) != SYNOD_OK)
        return SYNOD_BAD_REQUEST;
    if (v.type != SYNOD__ARRAY && v.type != SYNOD__MAP)
        return s_scalar (json->out, &v);
    bool map = v.type == SYNOD__MAP;
    int rc = s_put (json->out, map ? "{" : "[");
    for (uint32_t i = 0; rc == SYNOD_OK && i < v.size; i++) {
        if (json->out->size > json->end)
            return SYNOD_TOO_LARGE;
        if (i > 0)
            rc = s_put (json->out, ",");
        if (rc == SYNOD_OK && map)
            rc = s_key (json->out, r);
        if (rc == SYNOD_OK && map)
            rc = s_put (json->out, ":");
        if (rc == SYNOD_OK)
            rc = s_value (json, r);
    }
    return rc == SYNOD_OK ? s_put (json->out, map ? "}" : "]") : rc;
}

int synod__json_text (synod_buf_t *out, synod_str_t text)
{
    return synod__utf8_ok (text.data, text.size) ? s_string (out, text) : s_binary (out, text);
}

int synod__json_value (synod_buf_t *out, synod_str_t packed, size_t most)
{
    synod__reader_t r = synod__reader (packed);
    synod_str_t raw;
    int rc = synod__read_raw (&r, SYNOD_DEPTH_MAX, &raw);
    if (rc != SYNOD_OK || r.at != r.end)
        return SYNOD_BAD_REQUEST;
    s_json_t json = {out, most > SIZE_MAX - out->size ? SIZE_MAX : out->size + most};
    r = synod__reader (packed);
    rc = s_value (&json, &r);
    if (rc == SYNOD_OK && out->size > json.end)
        rc = SYNOD_TOO_LARGE;
    return rc;
}

int synod_body_json (synod_str_t body, synod_buf_t *out, synod_fault_t *fault)
{
    size_t before = out->size;
    int rc = body.data && body.size > 0 ? synod__json_value (out, body, SIZE_MAX) : s_put (out, "null");
    if (rc == SYNOD_OK)
        rc = synod__buf_reserve (out, 1);
    if (rc == SYNOD_OK) {
        out->data[out->size] = '\0';
        return rc;
    }
    out->size = before;
    if (rc == SYNOD_NO_MEMORY)
        return synod_fault (fault, rc, "body: memory ran out");
    return synod_fault (fault, rc, "body: expected one msgpack value of at most %d levels, got %u bytes that are not",
                        SYNOD_DEPTH_MAX, body.size);
}
