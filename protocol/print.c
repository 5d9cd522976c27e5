/* SPDX-License-Identifier: MPL-2.0
 *
 * Messages for people and for tools: one line of text, or one JSON object. Whatever the bytes, the output is one line
 * of valid UTF-8 without control characters; the JSON parses.
 */
#include <inttypes.h>
#include "json.h"
#include "text.h"

#define S_BODY_MOST 200 /* bytes of a body shown in the line of text */

/* Days since 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March. */
static void s_date (int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march = (5 * of_year + 2) / 153;
    *day = (int) (of_year - (153 * march + 2) / 5 + 1);
    *month = (int) (march < 10 ? march + 3 : march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int s_time (synod_buf_t *out, int64_t at_us, bool date)
{
    int64_t second = at_us / 1000000, micro = at_us % 1000000;
    if (micro < 0)
        micro += 1000000, second--;
    int64_t days = second / 86400, rest = second % 86400;
    if (rest < 0)
        rest += 86400, days--;
    int rc = SYNOD_OK;
    if (date) {
        int64_t year;
        int month, day;
        s_date (days, &year, &month, &day);
        rc = synod__buf_printf (out, "%04" PRId64 "-%02d-%02dT", year, month, day);
    }
    if (rc == SYNOD_OK)
        rc = synod__buf_printf (out, "%02d:%02d:%02d.%06d%s", (int) (rest / 3600), (int) (rest / 60 % 60),
                                (int) (rest % 60), (int) micro, date ? "Z" : "");
    return rc;
}

/* One word of the line: unprintable bytes and blanks as \xNN, so that columns stay columns. */
static int s_word (synod_buf_t *out, synod_str_t text)
{
    int rc = SYNOD_OK;
    if (!text.data || text.size == 0)
        return synod__buf_add (out, "-", 1);
    for (size_t at = 0; rc == SYNOD_OK && at < text.size;) {
        uint32_t point;
        size_t taken = synod__utf8_next (text.data + at, text.size - at, &point);
        if (taken == 0 || point == ' ' || synod__unprintable (point)) {
            size_t bytes = taken ? taken : 1;
            for (size_t i = 0; rc == SYNOD_OK && i < bytes; i++)
                rc = synod__buf_printf (out, "\\x%02x", (uint8_t) text.data[at + i]);
            at += bytes;
        } else {
            rc = synod__buf_add (out, text.data + at, taken);
            at += taken;
        }
    }
    return rc;
}

/* FROM as node/actor, built in PLACE (2 names and a slash; an odd FROM of any size is taken as it is). */
static synod_str_t s_from (const synod__line_t *line, char *place, size_t size)
{
    synod_str_t node = line->frame->node, from = line->envelope->from;
    if (!from.data || from.size == 0)
        return node;
    if (memchr (from.data, '/', from.size) || (size_t) node.size + 1 + from.size > size || node.size == 0)
        return from;
    memcpy (place, node.data, node.size);
    place[node.size] = '/';
    memcpy (place + node.size + 1, from.data, from.size);
    return synod_str_n (place, (size_t) node.size + 1 + from.size);
}

static synod_str_t s_to (const synod__line_t *line)
{
    return line->envelope->to.data ? line->envelope->to : line->frame->address;
}

/* The body, cut when long, never within a character. */
static int s_body (synod_buf_t *out, synod_str_t body)
{
    if (!body.data || body.size == 0)
        return synod__buf_add (out, "-", 1);
    size_t before = out->size;
    int rc = synod__json_value (out, body, S_BODY_MOST);
    if (rc == SYNOD_BAD_REQUEST) {
        out->size = before;
        return synod__buf_printf (out, "?");
    }
    if (rc != SYNOD_TOO_LARGE)
        return rc;
    if (out->size > before + S_BODY_MOST)
        out->size = before + S_BODY_MOST;
    while (out->size > before && ((uint8_t) out->data[out->size] & 0xc0) == 0x80)
        out->size--;
    return synod__buf_add (out, "...", 3);
}

static int s_blank (synod_buf_t *out, int rc)
{
    return rc == SYNOD_OK ? synod__buf_add (out, " ", 1) : rc;
}

int synod__print_line (synod_buf_t *out, const synod__line_t *line)
{
    const synod_envelope_t *e = line->envelope;
    char place[2 * SYNOD_ADDRESS_MAX];
    int rc = SYNOD_OK;
    if (line->at_us)
        rc = s_blank (out, s_time (out, line->at_us, false));
    if (rc == SYNOD_OK)
        rc = s_blank (out, s_word (out, s_from (line, place, sizeof place)));
    if (rc == SYNOD_OK)
        rc = s_blank (out, s_word (out, s_to (line)));
    if (rc == SYNOD_OK)
        rc = synod__buf_printf (out, "%s ", synod__kind_name ((int) e->kind));
    if (rc == SYNOD_OK)
        rc = s_blank (out, s_word (out, e->method));
    if (rc == SYNOD_OK)
        rc = s_blank (out, s_body (out, e->body));
    return rc == SYNOD_OK ? synod__buf_printf (out, "%u", e->body.size) : rc;
}

static int s_member (synod_buf_t *out, const char *name, synod_str_t text)
{
    int rc = synod__buf_printf (out, "\"%s\":", name);
    if (rc == SYNOD_OK)
        rc = text.data ? synod__json_text (out, text) : synod__buf_printf (out, "null");
    return rc == SYNOD_OK ? synod__buf_add (out, ",", 1) : rc;
}

static int s_member_number (synod_buf_t *out, int rc, const char *name, uint64_t number)
{
    return rc == SYNOD_OK && number > 0 ? synod__buf_printf (out, "\"%s\":%" PRIu64 ",", name, number) : rc;
}

static int s_member_body (synod_buf_t *out, synod_str_t body)
{
    int rc = synod__buf_printf (out, "\"body\":");
    if (rc != SYNOD_OK)
        return rc;
    if (!body.data || body.size == 0)
        return synod__buf_printf (out, "null");
    size_t before = out->size;
    rc = synod__json_value (out, body, SIZE_MAX);
    if (rc == SYNOD_BAD_REQUEST) {
        out->size = before;
        return synod__buf_printf (out, "null,\"malformed\":true");
    }
    return rc;
}

int synod__print_json (synod_buf_t *out, const synod__line_t *line)
{
    const synod_envelope_t *e = line->envelope;
    char place[2 * SYNOD_ADDRESS_MAX];
    int rc = synod__buf_printf (out, "{");
    if (rc == SYNOD_OK && line->at_us) {
        rc = synod__buf_printf (out, "\"time\":\"");
        if (rc == SYNOD_OK)
            rc = s_time (out, line->at_us, true);
        if (rc == SYNOD_OK)
            rc = synod__buf_printf (out, "\",");
    }
    if (rc == SYNOD_OK)
        rc = s_member (out, "from", s_from (line, place, sizeof place));
    if (rc == SYNOD_OK)
        rc = s_member (out, "to", s_to (line));
    if (rc == SYNOD_OK)
        rc = synod__buf_printf (out, "\"kind\":\"%s\",", synod__kind_name ((int) e->kind));
    if (rc == SYNOD_OK)
        rc = s_member (out, "method", e->method);
    rc = s_member_number (out, rc, "id", e->id);
    rc = s_member_number (out, rc, "client", e->client);
    rc = s_member_number (out, rc, "command", e->number);
    rc = s_member_number (out, rc, "again", e->again);
    rc = s_member_number (out, rc, "left_ms", e->left_ms);
    rc = s_member_number (out, rc, "trace", e->trace);
    rc = s_member_number (out, rc, "epoch", line->frame->epoch);
    rc = s_member_number (out, rc, "number", line->frame->number);
    if (rc == SYNOD_OK)
        rc = s_member_body (out, e->body);
    return rc == SYNOD_OK ? synod__buf_printf (out, ",\"size\":%u}", e->body.size) : rc;
}
