/* SPDX-License-Identifier: MPL-2.0 */
#include "pair_merge.h"

synod__pair_merge_t synod__pair_merge (const struct synod__pairs *pairs, synod_str_t from, synod_str_t until,
                                       synod_on_entry_t *on_entry, void *arg)
{
    return (synod__pair_merge_t){.next = synod__pairs_least (pairs, from),
                                 .end = until.size ? synod__pairs_least (pairs, until) : NULL,
                                 .on_entry = on_entry,
                                 .arg = arg};
}

static bool s_visit (synod__pair_merge_t *self, synod_str_t key, synod_str_t value)
{
    self->over = !self->on_entry (self->arg, key, value);
    return !self->over;
}

/* Visits the pairs before KEY (NULL: all that are left); takes one of KEY itself too and sets *SAME. */
static bool s_until (synod__pair_merge_t *self, const synod_str_t *key, bool *same)
{
    while (self->next != self->end) {
        synod__pair_t *e = self->next;
        int order = key ? synod__bytes_order (synod__pair_key (e), *key) : -1;
        if (order > 0)
            return true;
        self->next = RB_NEXT (synod__pairs, NULL, e);
        if (order == 0)
            *same = true;
        if (!e->absent && !s_visit (self, synod__pair_key (e), synod__pair_value (e)))
            return false;
        if (order == 0)
            return true;
    }
    return true;
}

bool synod__pair_merge_beneath (void *arg, synod_str_t key, synod_str_t value)
{
    synod__pair_merge_t *self = (synod__pair_merge_t *) arg;
    bool same = false;
    if (!s_until (self, &key, &same))
        return false;
    return same || s_visit (self, key, value);
}

void synod__pair_merge_end (synod__pair_merge_t *self)
{
    bool same;
    if (!self->over)
        s_until (self, NULL, &same);
}
