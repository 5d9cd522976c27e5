/* SPDX-License-Identifier: MPL-2.0
 *
 * UTF-8. Plain ASCII, the usual case, goes eight bytes at a time.
 */
#include <string.h>
#include "text.h"

#define S_HIGH 0x8080808080808080u /* of each byte the bit that ASCII has not */

size_t synod__utf8_next (const char *data, size_t size, uint32_t *point)
{
    if (size == 0)
        return 0;
    const uint8_t *p = (const uint8_t *) data;
    uint32_t lead = p[0];
    if (lead < 0x80) {
        *point = lead;
        return 1;
    }
    size_t more;
    uint32_t least;
    if (lead >= 0xc2 && lead < 0xe0)
        more = 1, least = 0x80, lead &= 0x1f;
    else if (lead >= 0xe0 && lead < 0xf0)
        more = 2, least = 0x800, lead &= 0x0f;
    else if (lead >= 0xf0 && lead < 0xf5)
        more = 3, least = 0x10000, lead &= 0x07;
    else
        return 0;
    if (size <= more)
        return 0;
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        lead = lead << 6 | (p[i] & 0x3f);
    }
    if (lead < least || lead > 0x10ffff || (lead >= 0xd800 && lead < 0xe000))
        return 0;
    *point = lead;
    return more + 1;
}

static inline uint64_t s_eight (const char *data)
{
    uint64_t eight;
    memcpy (&eight, data, sizeof eight);
    return eight;
}

bool synod__utf8_ok (const char *data, size_t size)
{
    size_t at = 0;
    while (at < size) {
        if (size - at >= sizeof (uint64_t) && (s_eight (data + at) & S_HIGH) == 0) {
            at += sizeof (uint64_t);
            continue;
        }
        uint32_t point;
        size_t taken = synod__utf8_next (data + at, size - at, &point);
        if (taken == 0)
            return false;
        at += taken;
    }
    return true;
}

/* Eight bytes, each of 0x20 to 0x7e. */
static inline bool s_plain (uint64_t eight)
{
    return !(eight & S_HIGH) && ((eight + 0x6060606060606060u) & S_HIGH) == S_HIGH &&
           !((eight + 0x0101010101010101u) & S_HIGH);
}

/* The same of any number of bytes; the last ones are looked at together with some of those before. */
static bool s_all_plain (const char *data, size_t size)
{
    uint32_t first, last;
    if (size == 0)
        return true;
    if (size < sizeof first) {
        const uint8_t *p = (const uint8_t *) data;
        return s_plain (0x2020202020000000u | (uint64_t) p[0] << 16 | (uint64_t) p[size / 2] << 8 | p[size - 1]);
    }
    if (size < sizeof (uint64_t)) {
        memcpy (&first, data, sizeof first);
        memcpy (&last, data + size - sizeof last, sizeof last);
        return s_plain ((uint64_t) first << 32 | last);
    }
    for (size_t at = 0; at + sizeof (uint64_t) < size; at += sizeof (uint64_t))
        if (!s_plain (s_eight (data + at)))
            return false;
    return s_plain (s_eight (data + size - sizeof (uint64_t)));
}

bool synod__text_printable (const char *data, size_t size)
{
    if (s_all_plain (data, size))
        return true;
    for (size_t at = 0; at < size;) {
        uint32_t point = (uint8_t) data[at];
        if (point >= 0x20 && point < 0x7f) {
            at++;
            continue;
        }
        size_t taken = synod__utf8_next (data + at, size - at, &point);
        if (taken == 0 || synod__unprintable (point))
            return false;
        at += taken;
    }
    return true;
}
