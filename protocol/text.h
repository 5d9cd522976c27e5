/* SPDX-License-Identifier: MPL-2.0
 *
 * Text: UTF-8 checked strictly (no overlong forms, surrogates, or points past U+10FFFF), and what must not reach a
 * terminal as it is.
 */
#ifndef SYNOD_PROTOCOL_TEXT_H_INCLUDED
#define SYNOD_PROTOCOL_TEXT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes one character: its size in bytes, or 0 when the bytes are not UTF-8 or there are none. */
size_t synod__utf8_next (const char *data, size_t size, uint32_t *point);

bool synod__utf8_ok (const char *data, size_t size);

/* Control characters, and those that turn the direction of the text around them or break lines. */
static inline bool synod__unprintable (uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

/* UTF-8 without unprintable characters. */
bool synod__text_printable (const char *data, size_t size);

#endif
