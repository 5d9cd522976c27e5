/* SPDX-License-Identifier: MPL-2.0
 *
 * The table of the built-in actor types.
 */
#include "builtin.h"

const synod_actor_t *const synod__builtin_types[] = {&synod__builtin_echo, NULL};
