/* SPDX-License-Identifier: MPL-2.0
 *
 * A check: the history's events by key (linearizability is local: Herlihy and Wing 1990, theorem 1), a search for each,
 * and what came of it.
 */
#include <stdlib.h>
#include "linear_search.h"

#define S_MEMORY_LEAST ((size_t) 2 * 1024 * 1024)

const char *synod_verdict_name (synod_verdict_t verdict)
{
    static const char *const names[] = {"yes", "no", "unknown"};
    return (unsigned) verdict < sizeof names / sizeof names[0] ? names[verdict] : "unknown";
}

/* The events of each key, one key after another. */
typedef struct {
    uint32_t *events; /* as of synod__history_events */
    uint32_t *starts; /* nkeys + 1 */
    uint32_t *slots;  /* for the search */
} s_groups_t;

static void s_groups_free (s_groups_t *groups)
{
    free (groups->events);
    free (groups->starts);
    free (groups->slots);
}

static bool s_groups_make (s_groups_t *groups, const synod_history_t *history)
{
    uint32_t *all = synod__history_events (history);
    *groups = (s_groups_t){.events = (uint32_t *) calloc (history->events + 1, sizeof (uint32_t)),
                           .starts = (uint32_t *) calloc (history->nkeys + 2, sizeof (uint32_t)),
                           .slots = (uint32_t *) calloc (history->count + 1, sizeof (uint32_t))};
    if (!all || !groups->events || !groups->starts || !groups->slots) {
        free (all);
        s_groups_free (groups);
        return false;
    }
    /* starts[k + 2] counts key k; summed, starts[k + 1] is where it begins, and after dealing where it ends */
    uint32_t *starts = groups->starts;
    for (uint32_t i = 0; i < history->events; i++)
        starts[history->ops[all[i] / 2].key + 2]++;
    for (uint32_t k = 2; k < history->nkeys + 2; k++)
        starts[k] += starts[k - 1];
    for (uint32_t i = 0; i < history->events; i++)
        groups->events[starts[history->ops[all[i] / 2].key + 1]++] = all[i];
    free (all);
    return true;
}

static void s_keep (synod_linear_t *result, const synod__search_t *search, uint32_t key, synod_verdict_t verdict)
{
    free (result->order);
    result->order = (uint32_t *) malloc ((search->nbest + 1) * sizeof *result->order);
    result->placed = result->order ? search->nbest : 0;
    if (result->placed)
        memcpy (result->order, search->best, search->nbest * sizeof *result->order);
    result->verdict = verdict;
    result->key = key;
    result->why = search->why;
    result->operations = search->nknown;
    result->stuck = verdict == SYNOD_LINEAR_NO ? synod__search_stuck (search) : 0;
}

static void s_check_keys (synod__search_t *search, const synod_history_t *history, const s_groups_t *groups,
                          synod_linear_t *result)
{
    for (uint32_t key = 0; key < history->nkeys && result->verdict != SYNOD_LINEAR_NO; key++) {
        synod_verdict_t verdict = synod__search_key (search, history, groups->events + groups->starts[key],
                                                     groups->starts[key + 1] - groups->starts[key]);
        size_t memory = search->block_made + search->memo.memory;
        result->memory = memory > result->memory ? memory : result->memory;
        result->configurations += search->memo.count;
        if (verdict == SYNOD_LINEAR_NO || (verdict == SYNOD_LINEAR_UNKNOWN && result->unknown_keys == 0))
            s_keep (result, search, key, verdict);
        result->unknown_keys += verdict == SYNOD_LINEAR_UNKNOWN;
        if (search->stopped) {
            result->unknown_keys += history->nkeys - 1 - key;
            break;
        }
    }
    result->steps = search->steps;
}

int synod_linear_check (const synod_history_t *history, const synod_linear_bounds_t *bounds, synod_linear_t *result)
{
    synod_linear_bounds_t all = {0};
    if (bounds)
        all = *bounds;
    if (!all.steps)
        all.steps = SYNOD_LINEAR_STEPS;
    if (!all.memory)
        all.memory = SYNOD_LINEAR_MEMORY;
    if (all.memory < S_MEMORY_LEAST)
        all.memory = S_MEMORY_LEAST;
    *result = (synod_linear_t){.verdict = SYNOD_LINEAR_YES, .key = UINT32_MAX};
    s_groups_t groups;
    if (!s_groups_make (&groups, history)) {
        result->verdict = SYNOD_LINEAR_UNKNOWN;
        result->why = "there was no memory to begin";
        return SYNOD_NO_MEMORY;
    }
    synod__search_t search = {.model = history->model,
                              .bounds = &all,
                              .slots = groups.slots,
                              .memo = {.model = history->model, .chunk = synod__memo_chunk (history->count)}};
    s_check_keys (&search, history, &groups, result);
    if (history->cut && result->verdict == SYNOD_LINEAR_YES) {
        result->verdict = SYNOD_LINEAR_UNKNOWN;
        result->why = "the history was cut off; what there is of it is linearizable";
    }
    synod__search_free (&search);
    s_groups_free (&groups);
    return SYNOD_OK;
}

void synod_linear_free (synod_linear_t *result)
{
    free (result->order);
    *result = (synod_linear_t){0};
}
