/* SPDX-License-Identifier: MPL-2.0
 *
 * What a plan leaves open, drawn; and plans that are drawn whole. Each fault draws from a stream of its own, made from
 * the seed and its position, so that one fault more or less leaves the others as they were.
 *
 * The ranges, redrawn for each fault: loss to 30 %, duplicates and reordering to 50 %, delays of at least 0 to 30 ms
 * and on average up to 100 ms more, partitions and deaths of 20 ms to a quarter of the time, pauses of 0.1 s to 10 s,
 * clocks off by up to SYNOD_SIM_SKEW_MAX; small values are as likely as large ones (drawn evenly on a logarithmic
 * scale).
 */
#include <stdlib.h>
#include "internal.h"
#include "plan.h"

enum { STREAM_MIX = 101, STREAM_FAULT };

#define S_EFFECTS 6 /* a crash in a turn comes after fewer than so many */

static uint64_t s_below (uint64_t *stream, uint64_t most)
{
    return most ? synod__sim_next (stream) % most : 0;
}

/* From LEAST to MOST, about as often between 1 and 10 as between 10 and 100. */
static int64_t s_scaled (uint64_t *stream, int64_t least, int64_t most)
{
    int64_t limit = least;
    unsigned doublings = 0;
    while (limit < most && limit <= INT64_MAX / 2) {
        limit *= 2;
        doublings++;
    }
    int64_t top = least << s_below (stream, doublings + 1u);
    if (top > most)
        top = most;
    return top / 2 + 1 + (int64_t) s_below (stream, (uint64_t) (top - top / 2));
}

/* ---- who ---- */

typedef struct {
    const char **names;
    uint32_t count;
} s_nodes_t;

/* Nodes that are no clients. */
static s_nodes_t s_nodes (const synod_sim_t *sim)
{
    s_nodes_t nodes = {.names = (const char **) synod__alloc ((sim->nplaces + 1) * sizeof (char *))};
    for (uint32_t i = 1; i < sim->nplaces; i++)
        if (!sim->places[i]->client)
            nodes.names[nodes.count++] = sim->places[i]->name;
    return nodes;
}

static char *s_text (const char *text)
{
    char *copy = strdup (text);
    if (!copy)
        abort ();
    return copy;
}

static char *s_one (const s_nodes_t *nodes, const synod_sim_t *sim, uint64_t *stream, bool broker)
{
    uint64_t number = s_below (stream, (uint64_t) nodes->count * 8 + 8);
    if (broker && !sim->settings.direct && number >= (uint64_t) nodes->count * 8)
        return s_text (SYNOD_BROKER);
    return s_text (nodes->count ? nodes->names[number % nodes->count] : "");
}

/* Half of the nodes at most, one more often than not. */
static char *s_side (const s_nodes_t *nodes, uint64_t *stream)
{
    synod_buf_t text = {0};
    uint64_t size = s_below (stream, 2) ? 1 : 1 + s_below (stream, nodes->count / 2 ? nodes->count / 2 : 1);
    for (uint32_t i = 0, left = nodes->count; i < nodes->count && size; i++, left--)
        if (s_below (stream, left) < size) {
            synod__buf_printf (&text, "%s%s", text.size ? ":" : "", nodes->names[i]);
            size--;
        }
    synod__buf_add (&text, "", 1);
    return text.data ? text.data : s_text ("");
}

/* ---- one fault ---- */

static void s_value (synod__sim_fault_t *fault, uint64_t *stream)
{
    switch (fault->kind) {
    case SYNOD__SIM_LOSS:
        fault->value = s_scaled (stream, 1000, 300000);
        break;
    case SYNOD__SIM_DUP:
    case SYNOD__SIM_REORDER:
        fault->value = s_scaled (stream, 1000, 500000);
        break;
    case SYNOD__SIM_DELAY:
        fault->value = (int64_t) s_below (stream, 30001);
        fault->more = fault->value + s_scaled (stream, 100, 100000);
        break;
    case SYNOD__SIM_SLOW:
        fault->value = s_scaled (stream, 5000, 500000);
        break;
    case SYNOD__SIM_SKEW:
        fault->value = s_scaled (stream, 10, SYNOD_SIM_SKEW_MAX) * (s_below (stream, 2) ? 1 : -1);
        break;
    default:
        break;
    }
    /* as text they are shorter, and no worse */
    if (fault->kind <= SYNOD__SIM_REORDER)
        fault->value = (fault->value + 999) / 1000 * 1000;
}

static void s_time (synod__sim_fault_t *fault, uint64_t *stream, int64_t length_us)
{
    if (fault->start_us == SYNOD__SIM_OPEN)
        fault->start_us = (int64_t) s_below (stream, (uint64_t) length_us * 9 / 10 / 1000 + 1) * 1000;
    if (fault->length_us != SYNOD__SIM_OPEN)
        return;
    int64_t most = length_us / 4 > 20000 ? length_us / 4 : 20000;
    int64_t least = fault->kind == SYNOD__SIM_PAUSE ? 100000 : 20000;
    if (fault->kind == SYNOD__SIM_PAUSE && most > 10000000)
        most = 10000000;
    fault->length_us = (s_scaled (stream, least, most > least ? most : least) + 999) / 1000 * 1000;
}

/* DRAWN gets FAULT with nothing open, as often as it says. */
static void s_draw (synod_plan_t *drawn, const synod__sim_fault_t *fault, const synod_sim_t *sim, uint64_t *stream,
                    int64_t length_us)
{
    s_nodes_t nodes = s_nodes (sim);
    for (uint32_t i = 0; i < fault->times; i++) {
        synod__sim_fault_t one = *fault;
        synod__sim_shape_t shape = synod__sim_kinds[one.kind].shape;
        char *from = NULL, *to = NULL;
        one.times = 1;
        if (one.value == SYNOD__SIM_OPEN)
            s_value (&one, stream);
        if (one.from && strcmp (one.from, "*") == 0) {
            bool broker = one.kind == SYNOD__SIM_CRASH || one.kind == SYNOD__SIM_PAUSE;
            from = one.from = shape == SYNOD__SIM_SIDES ? s_side (&nodes, stream) : s_one (&nodes, sim, stream, broker);
            if (one.kind == SYNOD__SIM_CRASH && one.more < 0 && strcmp (from, SYNOD_BROKER) != 0 && s_below (stream, 2))
                one.more = (int64_t) s_below (stream, S_EFFECTS);
        }
        if (one.to && strcmp (one.to, "*") == 0)
            to = one.to = s_side (&nodes, stream);
        s_time (&one, stream, length_us);
        if (nodes.count)
            synod__sim_plan_add (drawn, &one);
        free (from);
        free (to);
    }
    free (nodes.names);
}

/* ---- plans ---- */

/* Another mix for each seed: some kinds, some of each. */
static synod_plan_t *s_mix (uint64_t seed)
{
    synod_plan_t *mix = synod_plan_copy (NULL);
    for (uint32_t kind = 0; kind < SYNOD__SIM_KINDS; kind++) {
        const synod__sim_fault_kind_info_t *info = &synod__sim_kinds[kind];
        uint64_t stream = synod__sim_stream (seed, STREAM_MIX, kind);
        bool in = s_below (&stream, 100) < info->weight;
        bool single = info->lasting && info->shape != SYNOD__SIM_RATE_OF;
        bool whole = s_below (&stream, 2) != 0;
        static char any[] = "*";
        bool node = info->shape == SYNOD__SIM_SIDES || info->shape == SYNOD__SIM_TO_ONE ||
                    info->shape == SYNOD__SIM_RATE_OF || kind == SYNOD__SIM_SLOW;
        synod__sim_fault_t fault = {.kind = (synod__sim_fault_kind_t) kind,
                                    .times = 1 + (uint32_t) s_below (&stream, single ? 2 : 6),
                                    .value = SYNOD__SIM_OPEN,
                                    .more = info->shape == SYNOD__SIM_TO_ONE ? -1 : 0,
                                    .from = node ? any : NULL,
                                    .to = kind == SYNOD__SIM_ONEWAY || kind == SYNOD__SIM_SLOW ? any : NULL,
                                    .start_us = SYNOD__SIM_OPEN,
                                    .length_us = kind == SYNOD__SIM_RESET ? 0 : SYNOD__SIM_OPEN};
        if (info->lasting && whole) {
            fault.times = 1;
            fault.start_us = fault.length_us = 0;
        }
        if (in)
            synod__sim_plan_add (mix, &fault);
    }
    return mix;
}

synod_plan_t *synod_plan_draw (const synod_plan_t *self, const synod_sim_t *sim, uint64_t seed, int64_t length_ms,
                               synod_fault_t *fault)
{
    synod_plan_t *mix = self ? NULL : s_mix (seed);
    const synod_plan_t *from = self ? self : mix;
    synod_plan_t *drawn = synod_plan_copy (NULL);
    for (uint32_t i = 0; i < from->count; i++) {
        /* a mix has a stream for each kind; a plan for each of its faults */
        uint64_t stream = synod__sim_stream (seed, STREAM_FAULT, self ? 1000 + i : (uint64_t) from->faults[i].kind);
        if (synod__sim_fault_open (&from->faults[i]))
            s_draw (drawn, &from->faults[i], sim, &stream, length_ms * 1000);
        else
            synod__sim_plan_add (drawn, &from->faults[i]);
    }
    synod_plan_destroy (&mix);
    if (synod__sim_plan_names (drawn, sim, fault) != SYNOD_OK)
        synod_plan_destroy (&drawn);
    return drawn;
}
