/* SPDX-License-Identifier: MPL-2.0
 *
 * Errors by number and name, and faults: an error with its sentence. A fault's sentence is always valid UTF-8 without
 * control characters, whatever was formatted into it, so that it can go to a terminal or into the record `error`.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <synod/error.h>
#include "text.h"

static const struct {
    const char *name;
    const char *meaning;
} s_errors[] = {
#define SYNOD_ERROR(constant, name, meaning) {name, meaning},
#include <synod/errors.def>
#undef SYNOD_ERROR
};

const char *synod_error_name (int code)
{
    return code >= 0 && code < SYNOD_ERRORS ? s_errors[code].name : "unknown";
}

const char *synod_error_meaning (int code)
{
    return s_errors[code >= 0 && code < SYNOD_ERRORS ? code : SYNOD_UNKNOWN].meaning;
}

int synod_error_code (const char *name, size_t size)
{
    for (int code = 0; code < SYNOD_ERRORS; code++)
        if (strlen (s_errors[code].name) == size && memcmp (s_errors[code].name, name, size) == 0)
            return code;
    return SYNOD_UNKNOWN;
}

int synod_fault (synod_fault_t *fault, int code, const char *format, ...)
{
    if (!fault)
        return code;
    fault->code = code;
    va_list args;
    va_start (args, format);
    int size = vsnprintf (fault->text, sizeof fault->text, format, args);
    va_end (args);
    if (size < 0)
        fault->text[0] = '\0';
    size_t end = strlen (fault->text);
    for (size_t at = 0; at < end;) {
        uint32_t point;
        size_t taken = synod__utf8_next (fault->text + at, end - at, &point);
        if (taken == 0) {
            /* where the text was cut, half a character goes; elsewhere it is shown as what it is: unknown */
            if ((size_t) size >= sizeof fault->text && end - at < 4)
                fault->text[at] = '\0', end = at;
            else
                fault->text[at] = '?', at++;
        } else {
            if (synod__unprintable (point))
                memset (fault->text + at, '?', taken);
            at += taken;
        }
    }
    return code;
}
