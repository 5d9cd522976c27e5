/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor types that `synod run` knows by name.
 */
#ifndef SYNOD_TOOLS_BUILTIN_H_INCLUDED
#define SYNOD_TOOLS_BUILTIN_H_INCLUDED

#include <synod/actor.h>

extern const synod_actor_t synod__builtin_echo;

/* All of them, NULL-terminated. */
extern const synod_actor_t *const synod__builtin_types[];

#endif
