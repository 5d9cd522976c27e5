/* SPDX-License-Identifier: MPL-2.0
 *
 * Packed values as JSON, always valid, on one line, and safe for a terminal.
 */
#ifndef SYNOD_PROTOCOL_JSON_H_INCLUDED
#define SYNOD_PROTOCOL_JSON_H_INCLUDED

#include "frame.h"

/* Appends TEXT as a JSON string; bytes that are not UTF-8 as {"$bin":"base64"}. */
int synod__json_text (synod_buf_t *out, synod_str_t text);

/* Appends one packed value. Stops when more than MOST bytes have been added: SYNOD_TOO_LARGE, what is there stays. */
int synod__json_value (synod_buf_t *out, synod_str_t packed, size_t most);

#endif
