/* SPDX-License-Identifier: MPL-2.0
 *
 * Values that are numbers, for all who keep values: a value counts as a number when it is just what would be written for
 * it. So "1" is one, and " 1", "01", "+1" and "-0" are not.
 */
#ifndef SYNOD_KV_NUMBER_H_INCLUDED
#define SYNOD_KV_NUMBER_H_INCLUDED

#include <synod/record.h>

#define SYNOD__NUMBER_MAX 20 /* bytes of the longest */

#define SYNOD__NUMBER_NONE     "value is not an integer or out of range"
#define SYNOD__NUMBER_OVERFLOW "increment or decrement would overflow"

/* False: it is none, and VALUE stays. */
bool synod__number_read (synod_str_t text, int64_t *value);
/* Writes SYNOD__NUMBER_MAX bytes at most, without a NUL; returns how many. */
uint32_t synod__number_write (int64_t value, char *out);
/* SUM: what the value TEXT (data NULL: there is none, which counts as 0) is with DELTA. SYNOD_REFUSED with one of the two
 * sentences in FAULT. */
int synod__number_add (synod_str_t text, int64_t delta, int64_t *sum, synod_fault_t *fault);

#endif
