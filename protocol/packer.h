/* SPDX-License-Identifier: MPL-2.0
 *
 * msgpack-c's packer into our buffers.
 */
#ifndef SYNOD_PROTOCOL_PACKER_H_INCLUDED
#define SYNOD_PROTOCOL_PACKER_H_INCLUDED

#include <msgpack/pack.h>
#include "frame.h"

/* For msgpack_packer_init with a synod_buf_t: appends, -1 when there is no memory. */
static inline int synod__pack_write (void *data, const char *bytes, size_t size)
{
    synod_buf_t *out = (synod_buf_t *) data;
    if (__builtin_expect (out->capacity - out->size < size, 0) && synod__buf_reserve (out, size) != SYNOD_OK)
        return -1;
    memcpy (out->data + out->size, bytes, size);
    out->size += size;
    return 0;
}

#endif
