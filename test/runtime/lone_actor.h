/* SPDX-License-Identifier: MPL-2.0
 *
 * Two actors for the lone host that write, read, tell the peer and each other, and publish. Their methods take a VALUE:
 *
 *     put     writes it, and answers        lazy    writes it in no hurry, and tells the peer; below 0 answers too; above 100
 *     get     answers what was written              what it wrote is a secret
 *     hop     writes, and goes on with one less within the node; 0: tells the peer
 *     pass    goes on to `other`, which tells the peer; below 0 when it has written
 *     fail    comes to an error             say     publishes it as `news`
 *     large   answers 100,000 bytes         told    tells the peer
 */
#ifndef SYNOD_TEST_RUNTIME_LONE_ACTOR_H_INCLUDED
#define SYNOD_TEST_RUNTIME_LONE_ACTOR_H_INCLUDED

#include <synod/actor.h>

extern const synod_actor_t lone_tally, lone_other;

int lone_tell (synod_ctx_t *ctx, int64_t value); /* the peer */

#endif
