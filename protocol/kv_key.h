/* SPDX-License-Identifier: MPL-2.0
 *
 * Keys of the table as texts. A key is what an address can carry: printable UTF-8. Whoever has other bytes to name writes
 * them so, and all alike, so that they find each other's:
 *
 *     a byte that is not part of a printable character   \xHH, two lower-case hex digits
 *     the two characters \x                              \x5cx
 *     all else                                           as it is
 *
 * Different bytes give different texts, and the texts of usual keys are themselves.
 */
#ifndef SYNOD_PROTOCOL_KV_KEY_H_INCLUDED
#define SYNOD_PROTOCOL_KV_KEY_H_INCLUDED

#include <synod/record.h>

/* The text of the key BYTES, in OUT (SYNOD_KEY_MAX bytes). Data NULL: it is empty, or its text is too long. */
synod_str_t synod__kv_key_text (synod_str_t bytes, char *out);

/* The bytes of a key's TEXT, in OUT (SYNOD_KEY_MAX bytes): of any text of an address. */
synod_str_t synod__kv_key_bytes (synod_str_t text, char *out);

#endif
