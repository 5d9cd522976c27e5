/* SPDX-License-Identifier: MPL-2.0
 *
 * A plain vote: who is for it, and is that enough. No transaction, nothing durable: its result is what it was when it was
 * asked for. Pure.
 *
 * Invariant: a result that is clear stays, whatever those who are missing would say.
 */
#ifndef SYNOD_VOTE_BALLOT_H_INCLUDED
#define SYNOD_VOTE_BALLOT_H_INCLUDED

#include <synod/actor.h>
#include "protocol/vote_records.h"

#define SYNOD__BALLOT_ACTOR      "ballot"
#define SYNOD__BALLOT_VOTERS_MAX 256
#define SYNOD__BALLOT_POLLS_MAX  256 /* under way on a node; more are `busy` */
#define SYNOD__BALLOT_MS         5000

typedef enum { SYNOD__BALLOT_OPEN, SYNOD__BALLOT_PASSED, SYNOD__BALLOT_FAILED } synod__ballot_result_t;

/* What a rule needs of TOTAL, all weights together. SYNOD_INVALID with a sentence: no rule, or one that nothing fulfils. */
int synod__ballot_need (synod_str_t rule, uint64_t need, uint64_t total, uint64_t *out, synod_fault_t *fault);
/* OVER: nobody will vote any more. */
synod__ballot_result_t synod__ballot_count (uint64_t need, uint64_t total, uint64_t yes, uint64_t no, bool over);

extern const synod_actor_t synod__ballot_actor;

#endif
