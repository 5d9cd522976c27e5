/* SPDX-License-Identifier: MPL-2.0
 *
 * Memory for small needs of the runtime and of the simulator: its absence ends the process, as an invariant that cannot
 * be kept.
 */
#ifndef SYNOD_RUNTIME_MEMORY_H_INCLUDED
#define SYNOD_RUNTIME_MEMORY_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

void *synod__alloc (size_t size); /* zeroed */
/* OLD (NULL: none yet) with room for WANTED elements of EACH bytes at least; what is new is zeroed. */
void *synod__grow (void *old, uint32_t *capacity, uint32_t wanted, size_t each);

#endif
