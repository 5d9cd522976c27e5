/* SPDX-License-Identifier: MPL-2.0
 *
 * Any bytes printed: as a body in JSON, and as every part of a message that never was a frame. The output is printable
 * UTF-8 on one line, and of a size in proportion to what came.
 */
#include "fuzz.h"
#include "protocol/text.h"

static void s_print (const synod_frame_t *frame, const synod_envelope_t *e, size_t size)
{
    static synod_buf_t out;
    synod__line_t line = {1, frame, e};
    out.size = 0;
    FUZZ_CHECK (synod__print_line (&out, &line) == SYNOD_OK);
    FUZZ_CHECK (synod__text_printable (out.data, out.size));
    FUZZ_CHECK (out.size < 16 * size + 512);
    out.size = 0;
    FUZZ_CHECK (synod__print_json (&out, &line) == SYNOD_OK);
    FUZZ_CHECK (synod__text_printable (out.data, out.size));
    FUZZ_CHECK (out.size < 64 * size + 512);
    FUZZ_CHECK (out.data[0] == '{' && out.data[out.size - 1] == '}');
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static synod_buf_t out;
    synod_frame_t frame;
    synod_envelope_t e;
    synod_fault_t fault = {0};
    if (size > SYNOD_FRAME_MAX)
        return 0;
    synod_str_t all = synod_str_n (data, size);
    out.size = 0;
    if (synod_body_json (all, &out, &fault) == SYNOD_OK) {
        FUZZ_CHECK (out.data[out.size] == '\0' && strlen (out.data) == out.size);
        FUZZ_CHECK (synod__text_printable (out.data, out.size));
    }
    if (synod__frame_open (&frame, data, size, NULL) == SYNOD_OK)
        while (synod__frame_next (&frame, &e, NULL) == SYNOD_OK)
            s_print (&frame, &e, size);
    /* the same bytes in every place, though no reader would give them out so */
    memset (&frame, 0, sizeof frame);
    memset (&e, 0, sizeof e);
    frame.address = frame.node = all;
    e.kind = (synod_kind_t) (size > 0 ? data[0] : 0);
    e.method = e.to = e.body = all;
    if (size > 1)
        e.from = synod_str_n (data + 1, size - 1);
    s_print (&frame, &e, size);
    return 0;
}
