/* SPDX-License-Identifier: MPL-2.0
 *
 * Values that are numbers.
 */
#include "number.h"

bool synod__number_read (synod_str_t text, int64_t *value)
{
    uint32_t at = text.size && text.data[0] == '-';
    uint64_t sum = 0, most = (uint64_t) INT64_MAX + at;
    if (text.size == at || text.size > SYNOD__NUMBER_MAX)
        return false;
    if (text.data[at] == '0' && text.size > 1)
        return false;
    for (uint32_t i = at; i < text.size; i++) {
        unsigned digit = (unsigned) (unsigned char) text.data[i] - '0';
        if (digit > 9 || sum > (most - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = at ? (int64_t) (0 - sum) : (int64_t) sum;
    return true;
}

uint32_t synod__number_write (int64_t value, char *out)
{
    char digits[SYNOD__NUMBER_MAX];
    uint64_t rest = value < 0 ? 0 - (uint64_t) value : (uint64_t) value;
    uint32_t count = 0, size = 0;
    do
        digits[count++] = (char) ('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        out[size++] = '-';
    while (count)
        out[size++] = digits[--count];
    return size;
}

int synod__number_add (synod_str_t text, int64_t delta, int64_t *sum, synod_fault_t *fault)
{
    int64_t value = 0;
    if (text.data && !synod__number_read (text, &value))
        return synod_fault (fault, SYNOD_REFUSED, SYNOD__NUMBER_NONE);
    if (__builtin_add_overflow (value, delta, sum))
        return synod_fault (fault, SYNOD_REFUSED, SYNOD__NUMBER_OVERFLOW);
    return SYNOD_OK;
}
