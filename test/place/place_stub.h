/* SPDX-License-Identifier: MPL-2.0
 *
 * Between two worlds: what the functions in place of place.h remember is no more.
 */
#ifndef SYNOD_TEST_PLACE_STUB_H_INCLUDED
#define SYNOD_TEST_PLACE_STUB_H_INCLUDED

#include "actors/place/place.h"

void stub_clear (void);

/* What the actor calls instead of the functions of place.h. */
const synod__epoch_t *stub_epoch (const synod_ctx_t *ctx);
int stub_enter_epoch (synod_ctx_t *ctx, synod_str_t bytes, synod_fault_t *fault);
const char *stub_placed (const synod_ctx_t *ctx, uint32_t *at, uint32_t *replicas);
void stub_progress (const synod_ctx_t *ctx, synod__place_progress_t *out);
uint32_t stub_behind (const synod_ctx_t *ctx, const synod__store_id_t *member);
bool stub_stopping (const synod_ctx_t *ctx);

#endif
