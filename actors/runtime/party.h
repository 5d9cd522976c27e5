/* SPDX-License-Identifier: MPL-2.0
 *
 * Actors that take part in transactions: those whose description has `prepare`. What the runtime does for them is in
 * actors/vote/participant.c: the method `$txn` is not theirs but the framework's, whose records are in an area of their
 * store of its own, so that they are durable, replicated and handed over with the rest of it.
 */
#ifndef SYNOD_RUNTIME_PARTY_H_INCLUDED
#define SYNOD_RUNTIME_PARTY_H_INCLUDED

#include "internal.h"

extern const synod_route_t synod__party_routes[]; /* of every actor, after its own: one without `prepare` votes no */

/* In the step in which its memory begins: what it voted yes on and knows no outcome of is asked about. */
int synod__party_own (synod_ctx_t *ctx);
/* Its memory ends. */
void synod__party_forget (synod__instance_t *instance);

#endif
