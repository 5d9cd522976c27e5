/* SPDX-License-Identifier: MPL-2.0
 *
 * Memory that is there, or the process ends.
 */
#include <stdlib.h>
#include <string.h>
#include "memory.h"

void *synod__alloc (size_t size)
{
    void *memory = calloc (1, size ? size : 1);
    if (!memory)
        abort ();
    return memory;
}

void *synod__grow (void *old, uint32_t *capacity, uint32_t wanted, size_t each)
{
    if (wanted <= *capacity && old)
        return old;
    uint32_t more = *capacity ? *capacity * 2 : 8;
    if (more < wanted)
        more = wanted;
    char *memory = (char *) realloc (old, more * each);
    if (!memory)
        abort ();
    memset (memory + *capacity * each, 0, (more - *capacity) * each);
    *capacity = more;
    return memory;
}
