/* SPDX-License-Identifier: MPL-2.0
 *
 * Filling a record from texts, as `--set key=value` does.
 */
#ifndef SYNOD_PROTOCOL_RECORD_SET_H_INCLUDED
#define SYNOD_PROTOCOL_RECORD_SET_H_INCLUDED

#include <synod/record.h>

/* Sets the field KEY of REC from TEXT, converted to the field's type: numbers in decimal or 0x, u64 also with a suffix
 * K, M or G (powers of 1024); bits as true, false, 1 or 0. Texts and binary borrow TEXT. SYNOD_INVALID, with the field
 * and what it expects in FAULT, leaves REC as it was. */
int synod__record_set (const synod_record_t *record, void *rec, const char *key, const char *text,
                       synod_fault_t *fault);

#endif
