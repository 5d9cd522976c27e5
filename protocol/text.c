/* SPDX-License-Identifier: MPL-2.0
 *
 * UTF-8. Plain ASCII, the usual case, goes eight bytes at a time.
 */
#include <string.h>
#include "text.h"

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

bool synod__utf8_ok (const char *data, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint64_t eight;
        if (size - at >= sizeof eight) {
            memcpy (&eight, data + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        uint32_t point;
        size_t taken = synod__utf8_next (data + at, size - at, &point);
        if (taken == 0)
            return false;
        at += taken;
    }
    return true;
}

bool synod__text_printable (const char *data, size_t size)
{
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
