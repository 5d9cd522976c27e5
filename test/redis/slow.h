/* SPDX-License-Identifier: MPL-2.0
 *
 * A back end that takes its time: an actor that answers as a table does, after as many ms as its keys say: "20.a" after 20,
 * "x.a" never, "e.a" with an error. Keys without a dot are at hand.
 */
#ifndef SYNOD_TEST_REDIS_SLOW_H_INCLUDED
#define SYNOD_TEST_REDIS_SLOW_H_INCLUDED

#include "actors/redis/redis.h"

/* The same, one with a back end that must keep the order of a key's commands. */
extern const synod_actor_t slow_actor, slow_ordered_actor;
extern uint32_t slow_most; /* asks that waited at a time, at most */

#endif
