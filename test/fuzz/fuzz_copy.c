/* SPDX-License-Identifier: MPL-2.0
 *
 * Any bytes as the body of a replica's message. One that is taken is within the limits, can be sent, and comes back as it
 * was.
 */
#include "actors/place/replica_wire.h"
#include "fuzz.h"

static synod__replica_batch_t s_batches[2][SYNOD__REPLICA_BATCHES_MAX];
static synod__replica_run_t s_runs[2][SYNOD__REPLICA_RUNS_MAX];

static void s_pack (const synod__replica_message_t *message, synod__place_copy_t *record, synod_buf_t *body)
{
    static synod_buf_t room;
    synod_fault_t fault = {0};
    FUZZ_CHECK (synod__replica_wire_pack (message, record, &room) == SYNOD_OK);
    body->size = 0;
    FUZZ_CHECK (synod_record_pack (&synod__place_copy_record, record, body, &fault) == SYNOD_OK);
    FUZZ_CHECK (body->size <= SYNOD_BODY_MAX);
}

static int s_take (synod_str_t body, int which, synod__place_copy_t *record, synod__replica_message_t *message)
{
    synod_fault_t fault = {0};
    int rc = synod_record_unpack (&synod__place_copy_record, body, record, &fault);
    if (rc == SYNOD_OK)
        rc = synod__replica_wire_take (record, message, s_batches[which], s_runs[which], &fault);
    FUZZ_CHECK (rc == SYNOD_OK || (rc == SYNOD_BAD_REQUEST && fault.code == rc && fault.text[0]));
    return rc;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static synod_buf_t first, second;
    synod__place_copy_t record, again;
    synod__replica_message_t message, back;
    if (size > SYNOD_FRAME_MAX || s_take (synod_str_n (data, size), 0, &record, &message) != SYNOD_OK)
        return 0;
    FUZZ_CHECK (message.nbatches <= SYNOD__REPLICA_BATCHES_MAX && message.nruns <= SYNOD__REPLICA_RUNS_MAX);
    s_pack (&message, &record, &first);
    FUZZ_CHECK (s_take (synod_str_n (first.data, first.size), 1, &again, &back) == SYNOD_OK);
    FUZZ_CHECK (back.kind == message.kind && back.nbatches == message.nbatches && back.nruns == message.nruns);
    s_pack (&back, &again, &second);
    FUZZ_CHECK (first.size == second.size && memcmp (first.data, second.data, first.size) == 0);
    return 0;
}
