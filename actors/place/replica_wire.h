/* SPDX-License-Identifier: MPL-2.0
 *
 * A replica's message (replica.h) as a record, `copy` of protocol/place.def, and back.
 */
#ifndef SYNOD_PLACE_REPLICA_WIRE_H_INCLUDED
#define SYNOD_PLACE_REPLICA_WIRE_H_INCLUDED

#include "protocol/place_records.h"
#include "replica.h"

/* Fills OUT from IN, all but TYPE, PARTITION and TO, which are the caller's. Views in OUT borrow from IN and from ROOM,
 * which is emptied first and may serve for any number of messages, one after another. SYNOD_OK; SYNOD_TOO_LARGE: batches
 * or entries over SYNOD__REPLICA_BATCH_MAX, keys over SYNOD__PLACE_KEY_MAX; SYNOD_NO_MEMORY. What is SYNOD_OK fits a
 * frame (SYNOD_BODY_MAX) as a body. */
int synod__replica_wire_pack (const synod__replica_message_t *in, synod__place_copy_t *out, synod_buf_t *room);

/* Fills OUT, and BATCHES and RUNS behind it, from IN as it was unpacked; all views borrow from IN's body. What IN says of
 * TYPE, PARTITION and TO the caller reads there; TO has the size of a store's id. SYNOD_OK; SYNOD_BAD_REQUEST, with what
 * was expected and what came in FAULT, for what is no message: OUT is then unspecified. Takes no memory. */
int synod__replica_wire_take (const synod__place_copy_t *in, synod__replica_message_t *out,
                              synod__replica_batch_t batches[SYNOD__REPLICA_BATCHES_MAX],
                              synod__replica_run_t runs[SYNOD__REPLICA_RUNS_MAX], synod_fault_t *fault);

#endif
