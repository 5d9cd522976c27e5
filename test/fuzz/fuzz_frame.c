/* SPDX-License-Identifier: MPL-2.0
 *
 * Any bytes as a frame: opened, its envelopes taken, each given to the forwarder's view and to a batch again. What was
 * read must come out the same when it is written and read once more.
 */
#include "fuzz.h"
#include "protocol/address.h"

static void s_same (const synod_envelope_t *a, const synod_envelope_t *b)
{
    FUZZ_CHECK (a->kind == b->kind && a->id == b->id && a->left_ms == b->left_ms && a->trace == b->trace);
    FUZZ_CHECK (synod_str_same (a->method, b->method) && synod_str_same (a->to, b->to));
    FUZZ_CHECK (synod_str_same (a->from, b->from) && synod_str_same (a->body, b->body));
}

static void s_again (const synod_frame_t *frame, const synod_envelope_t *e)
{
    static synod__batch_t batch;
    synod_frame_t copy;
    synod_envelope_t back;
    synod_fault_t fault;
    FUZZ_CHECK (synod__batch_begin (&batch, frame->address, frame->node, frame->incarnation, frame->epoch) == SYNOD_OK);
    if (synod__batch_add (&batch, e) != SYNOD_OK)
        return; /* it used the slack */
    synod__batch_number (&batch, frame->number);
    FUZZ_CHECK (synod__frame_open (&copy, batch.buf.data, batch.buf.size, &fault) == SYNOD_OK);
    FUZZ_CHECK (synod_str_same (copy.address, frame->address) && synod_str_same (copy.node, frame->node));
    FUZZ_CHECK (copy.incarnation == frame->incarnation && copy.epoch == frame->epoch && copy.number == frame->number);
    FUZZ_CHECK (synod__frame_next (&copy, &back, &fault) == SYNOD_OK);
    s_same (e, &back);
    FUZZ_CHECK (synod__frame_next (&copy, &back, &fault) == SYNOD_NOT_FOUND);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    synod_frame_t frame;
    synod_envelope_t e;
    synod_fault_t fault = {0};
    synod_address_t address;
    size_t address_size = synod__address_size (data, size);
    int rc = synod__frame_open (&frame, data, size, &fault);
    if (rc == SYNOD_OK) {
        FUZZ_CHECK (address_size == frame.address.size && data[address_size] == 0);
        if (synod__address_parse (frame.address, &address, &fault) == SYNOD_OK)
            FUZZ_CHECK (synod__name_ok (address.actor, true));
        if (synod__pattern_check (frame.address, &fault) == SYNOD_OK) {
            char prefix[SYNOD_TOPIC_MAX + 1];
            synod__pattern_prefix (frame.address, prefix);
            if (synod__topic_check (frame.address, &fault) == SYNOD_OK)
                FUZZ_CHECK (synod__pattern_match (frame.address, frame.address));
        }
    }
    while (rc == SYNOD_OK && (rc = synod__frame_next (&frame, &e, &fault)) == SYNOD_OK)
        s_again (&frame, &e);
    FUZZ_CHECK (rc == SYNOD_NOT_FOUND || (fault.code == rc && fault.text[0]));
    return 0;
}
