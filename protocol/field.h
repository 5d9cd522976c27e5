/* SPDX-License-Identifier: MPL-2.0
 *
 * What a field expects, in words, for faults.
 */
#ifndef SYNOD_PROTOCOL_FIELD_H_INCLUDED
#define SYNOD_PROTOCOL_FIELD_H_INCLUDED

#include <synod/record.h>

#define SYNOD__EXPECTS_MAX 80
/* "a text of up to 63 bytes". Writes at most SIZE bytes, returns TEXT. */
const char *synod__field_expects (const synod_field_t *field, char *text, size_t size);

static inline uint64_t synod__magnitude (int64_t n)
{
    return n < 0 ? 0 - (uint64_t) n : (uint64_t) n;
}

/* A limit of INT64_MAX means any integer, INT64_MIN too. */
static inline bool synod__i64_within (int64_t n, uint64_t limit)
{
    return limit >= INT64_MAX || synod__magnitude (n) <= limit;
}

#endif
