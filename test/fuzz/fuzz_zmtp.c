/* SPDX-License-Identifier: MPL-2.0
 *
 * Any bytes as what the other end of a connection says, whole and in two pieces: the same is heard, nothing is looked at
 * that is not there, and nothing longer than the limit is taken for a message.
 */
#include <stdlib.h>
#include "fuzz.h"
#include "protocol/zmtp.h"

#define SIZE 4096

typedef struct {
    uint32_t units, bytes;
    synod__zmtp_unit_t last;
} heard_t;

/* Returns how many bytes were used. They are copied, so that the sanitizers see whoever looks further. */
static size_t hear (synod__zmtp_t *zmtp, const uint8_t *data, size_t size, heard_t *heard)
{
    char *copy = (char *) malloc (size + !size);
    FUZZ_CHECK (copy);
    if (size)
        memcpy (copy, data, size);
    synod_str_t bytes = synod_str_n (copy, size), message;
    synod_fault_t fault = {0};
    while ((heard->last = synod__zmtp_next (zmtp, &bytes, &message, &fault)) != SYNOD__ZMTP_MORE) {
        heard->units++;
        if (heard->last == SYNOD__ZMTP_VIOLATED) {
            FUZZ_CHECK (fault.text[0]);
            break;
        }
        if (heard->last == SYNOD__ZMTP_MESSAGE) {
            FUZZ_CHECK (message.size <= SIZE && message.data + message.size <= copy + size);
            heard->bytes += (uint32_t) message.size;
        }
    }
    FUZZ_CHECK (bytes.size <= size);
    free (copy);
    return size - bytes.size;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    heard_t whole = {0}, pieces = {0};
    synod__zmtp_t zmtp;
    if (size < 2)
        return 0;
    const bool dealer = data[0] & 1;
    const size_t cut = data[1] * (size - 2) / 255;
    data += 2;
    size -= 2;
    synod__zmtp_init (&zmtp, dealer, SIZE);
    hear (&zmtp, data, size, &whole);
    synod__zmtp_init (&zmtp, dealer, SIZE);
    size_t used = hear (&zmtp, data, cut, &pieces);
    if (pieces.last != SYNOD__ZMTP_VIOLATED)
        hear (&zmtp, data + used, size - used, &pieces);
    FUZZ_CHECK (whole.units == pieces.units && whole.bytes == pieces.bytes && whole.last == pieces.last);
    return 0;
}
