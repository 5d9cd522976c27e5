/* SPDX-License-Identifier: MPL-2.0
 *
 * What waits for which commit (commit.c), as those ask who send: by the numbers of commits.
 */
#ifndef SYNOD_RUNTIME_SETTLED_H_INCLUDED
#define SYNOD_RUNTIME_SETTLED_H_INCLUDED

#include "internal.h"

/* With which commit all is durable that was written; 0: it is. */
static inline uint64_t synod__unsettled (const synod__rt_t *rt)
{
    if (rt->uncommitted || rt->state != SYNOD__RT_UP)
        return rt->commit;
    return rt->commit - 1 > rt->durable ? rt->commit - 1 : 0;
}

/* The commit that what is sent now waits for. */
static inline uint64_t synod__says (const synod__rt_t *rt)
{
    return rt->says == SYNOD__SAYS_ALL ? synod__unsettled (rt) : rt->says;
}

/* Something that leaves the node waits for COMMIT. */
static inline void synod__wants (synod__rt_t *rt, uint64_t commit)
{
    rt->wanted |= rt->uncommitted && commit == rt->commit;
}

/* What is published next waits for what is sent now. */
static inline void synod__publication_waits (synod__rt_t *rt)
{
    synod__wants (rt, synod__says (rt));
    synod__publisher_waits (rt->publisher, synod__says (rt));
}

/* What waits for a commit up to this may leave. */
static inline uint64_t synod__settled (const synod__rt_t *rt)
{
    bool all = !rt->uncommitted && (rt->commit - 1 == rt->durable || SYNOD__MUTANT (BEGUN_IS_DURABLE));
    return all || SYNOD__MUTANT (REPLY_BEFORE_COMMIT) ? UINT64_MAX : rt->durable;
}

#endif
