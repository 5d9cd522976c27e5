/* SPDX-License-Identifier: MPL-2.0
 *
 * Filling a record from texts. The conversions are written out, so that neither the locale nor the leniency of strtol
 * (blanks, signs, wrapping) decides what is a number.
 */
#include <stdio.h>
#include <stdlib.h>
#include "field.h"
#include "record_set.h"
#include "text.h"

/* Digits, decimal or 0x, and perhaps a suffix. */
static bool s_digits (const char *text, bool suffixes, uint64_t *number)
{
    uint64_t n = 0, base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        base = 16, text += 2;
    if (!*text)
        return false;
    const char *first = text;
    for (; *text; text++) {
        uint64_t digit = *text >= '0' && *text <= '9'   ? (uint64_t) (*text - '0')
                         : *text >= 'a' && *text <= 'f' ? (uint64_t) (*text - 'a' + 10)
                         : *text >= 'A' && *text <= 'F' ? (uint64_t) (*text - 'A' + 10)
                                                        : 99;
        if (digit >= base)
            break;
        if (__builtin_mul_overflow (n, base, &n) || __builtin_add_overflow (n, digit, &n))
            return false;
    }
    if (text == first)
        return false;
    if (*text && suffixes) {
        unsigned shift = *text == 'K' ? 10 : *text == 'M' ? 20 : *text == 'G' ? 30 : 0;
        if (shift == 0 || n > UINT64_MAX >> shift)
            return false;
        n <<= shift;
        text++;
    }
    *number = n;
    return !*text;
}

static bool s_set_i64 (const synod_field_t *field, void *at, const char *text)
{
    uint64_t n;
    bool negative = *text == '-';
    if (!s_digits (text + negative, false, &n) || n > (uint64_t) INT64_MAX + negative)
        return false;
    int64_t value = negative ? (int64_t) (0 - n) : (int64_t) n;
    if (!synod__i64_within (value, field->limit))
        return false;
    *(int64_t *) at = value;
    return true;
}

/* strtod reads the point of the locale; so the text goes to it with that one, whatever it is. */
static bool s_set_f64 (void *at, const char *text)
{
    char local[80], probe[16];
    snprintf (probe, sizeof probe, "%.1f", 0.5); /* 0, the point, 5 */
    size_t point = strlen (probe) - 2, size = 0;
    for (const char *p = text; *p; p++) {
        if (!strchr ("0123456789+-.eE", *p) || size + point >= sizeof local)
            return false;
        if (*p == '.')
            memcpy (local + size, probe + 1, point), size += point;
        else
            local[size++] = *p;
    }
    local[size] = '\0';
    char *end;
    double value = strtod (local, &end);
    if (size == 0 || *end || value - value != 0.0)
        return false;
    *(double *) at = value;
    return true;
}

static bool s_set_bit (void *at, const char *text)
{
    bool yes = strcmp (text, "true") == 0 || strcmp (text, "1") == 0;
    if (!yes && strcmp (text, "false") != 0 && strcmp (text, "0") != 0)
        return false;
    *(bool *) at = yes;
    return true;
}

static const synod_field_t *s_find (const synod_record_t *record, const char *key)
{
    const synod_field_t *field = record->fields ();
    for (uint32_t i = 0; i < record->nfields; i++, field++)
        if (strcmp (field->name, key) == 0)
            return field;
    return NULL;
}

static int s_unknown (const synod_record_t *record, const char *key, synod_fault_t *fault)
{
    char names[160] = "";
    const synod_field_t *field = record->fields ();
    for (uint32_t i = 0; i < record->nfields; i++, field++) {
        size_t used = strlen (names);
        snprintf (names + used, sizeof names - used, "%s%s", i ? ", " : "", field->name);
    }
    return synod_fault (fault, SYNOD_INVALID, "%s: expected one of the fields %s, got \"%.40s\"", record->name,
                        record->nfields ? names : "(it has none)", key);
}

int synod__record_set (const synod_record_t *record, void *rec, const char *key, const char *text, synod_fault_t *fault)
{
    const synod_field_t *field = s_find (record, key);
    if (!field)
        return s_unknown (record, key, fault);
    void *at = (char *) rec + field->offset;
    size_t size = strlen (text);
    uint64_t n;
    bool ok = false;
    switch (field->type) {
    case SYNOD_FIELD_u64:
        ok = s_digits (text, true, &n) && n <= field->limit;
        if (ok)
            *(uint64_t *) at = n;
        break;
    case SYNOD_FIELD_i64:
        ok = s_set_i64 (field, at, text);
        break;
    case SYNOD_FIELD_f64:
        ok = s_set_f64 (at, text);
        break;
    case SYNOD_FIELD_bit:
        ok = s_set_bit (at, text);
        break;
    case SYNOD_FIELD_str:
    case SYNOD_FIELD_bin:
        ok = size <= field->limit && (field->type == SYNOD_FIELD_bin || synod__utf8_ok (text, size));
        if (ok)
            *(synod_str_t *) at = synod_str_n (text, size);
        break;
    case SYNOD_FIELD_any:
    case SYNOD_FIELD_list:
        return synod_fault (fault, SYNOD_INVALID, "%s.%s: expected a field that a text can set, got a %s", record->name,
                            key, field->type == SYNOD_FIELD_any ? "field of any type" : "list");
    }
    if (ok)
        return SYNOD_OK;
    char expects[SYNOD__EXPECTS_MAX];
    return synod_fault (fault, SYNOD_INVALID, "%s.%s: expected %s%s, got \"%.60s\"%s", record->name, key,
                        synod__field_expects (field, expects, sizeof expects),
                        field->type == SYNOD_FIELD_u64 ? " (K, M, G: times 1024)" : "", text, size > 60 ? "..." : "");
}
