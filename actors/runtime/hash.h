/* SPDX-License-Identifier: MPL-2.0
 *
 * uthash as this tree uses it: hashed by XXH3, and an element that could not be added for want of memory has
 * hh.tbl NULL instead of ending the process. Included instead of uthash.h, in sources alone.
 */
#ifndef SYNOD_RUNTIME_HASH_H_INCLUDED
#define SYNOD_RUNTIME_HASH_H_INCLUDED

#define XXH_INLINE_ALL
#include <xxhash.h>
#define HASH_FUNCTION(key, size, value) ((value) = (unsigned) XXH3_64bits ((key), (size)))
#define HASH_NONFATAL_OOM               1
#include <uthash.h>

#endif
