/* SPDX-License-Identifier: MPL-2.0
 *
 * What must come before what, and a cycle in it. The nodes are the transactions and, behind them, moments: one for each end,
 * in their order; whoever ended goes into its moment, a moment into the next one, and the last one before a transaction began
 * into that. So all pairs in real time are joined by as many edges as there are transactions.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "serial_internal.h"
#include "protocol/frame.h"

#define S_TRIED 500 /* transactions through which a shortest cycle is looked for */

typedef enum { S_WR, S_WW, S_RW, S_TIME } s_kind_t;

typedef struct {
    uint32_t from, to, key;
    s_kind_t kind;
} s_edge_t;

typedef struct {
    const synod__serial_t *serial;
    uint32_t nodes, nedges, capacity;
    s_edge_t *edges; /* in order of FROM once they are put in order */
    uint32_t *first; /* by node: of its edges; one more at the end */
    bool *off;       /* by node: on no cycle */
} s_graph_t;

static void s_edge (s_graph_t *self, s_kind_t kind, uint32_t from, uint32_t to, uint32_t key)
{
    if (from == to || from == SYNOD__SERIAL_NONE || to == SYNOD__SERIAL_NONE)
        return;
    self->edges = synod__serial_room (self->edges, self->nedges, &self->capacity, sizeof *self->edges);
    self->edges[self->nedges++] = (s_edge_t){.from = from, .to = to, .key = key, .kind = kind};
}

/* ---- edges ---- */

/* Who wrote the first version behind AT, of the same key, of which that is known; NONE: nobody. */
static uint32_t s_next_writer (const synod__serial_t *serial, uint32_t at)
{
    uint32_t key = serial->versions[at].key;
    for (at++; at < serial->nversions && serial->versions[at].key == key; at++)
        if (serial->versions[at].writer != SYNOD__SERIAL_NONE)
            return serial->versions[at].writer;
    return SYNOD__SERIAL_NONE;
}

static void s_add_versions (s_graph_t *self)
{
    const synod__serial_t *serial = self->serial;
    for (uint32_t i = 0; i < serial->nversions; i++)
        s_edge (self, S_WW, serial->versions[i].writer, s_next_writer (serial, i), serial->versions[i].key);
    for (uint32_t i = 0; i < serial->nreads; i++) {
        const synod__serial_read_t *read = &serial->reads[i];
        if (!synod__serial_counts (serial, read->txn))
            continue;
        uint32_t at = synod__serial_from (serial, read->key, read->version);
        s_edge (self, S_WR, serial->versions[at].writer, read->txn, read->key);
        s_edge (self, S_RW, read->txn, s_next_writer (serial, at), read->key);
    }
}

/* The version of KEY that TXN read, as an index; NONE: none. */
static uint32_t s_read_by (const synod__serial_t *serial, uint32_t txn, uint32_t key)
{
    for (uint32_t i = 0; i < serial->nreads; i++)
        if (serial->reads[i].txn == txn && serial->reads[i].key == key)
            return synod__serial_from (serial, key, serial->reads[i].version);
    return SYNOD__SERIAL_NONE;
}

/* A committed write that nobody has seen, of a key that its transaction read: the very next version. */
static void s_add_unseen (s_graph_t *self)
{
    const synod__serial_t *serial = self->serial;
    for (uint32_t i = 0; i < serial->nwrites; i++) {
        const synod__serial_write_t *write = &serial->writes[i];
        uint32_t at = synod__serial_counts (serial, write->txn) && !write->version
                          ? s_read_by (serial, write->txn, write->key)
                          : SYNOD__SERIAL_NONE;
        if (at == SYNOD__SERIAL_NONE)
            continue;
        const synod__serial_version_t *before = &serial->versions[at];
        s_edge (self, S_WW, before->writer, write->txn, write->key);
        s_edge (self, S_WW, write->txn, s_next_writer (serial, at), write->key);
        for (uint32_t k = 0; k < serial->nreads; k++)
            if (serial->reads[k].key == write->key && serial->reads[k].version == before->version &&
                synod__serial_counts (serial, serial->reads[k].txn))
                s_edge (self, S_RW, serial->reads[k].txn, write->txn, write->key);
    }
}

static void s_add_time (s_graph_t *self)
{
    const synod__serial_t *serial = self->serial;
    for (uint32_t i = 0; i + 1 < serial->ended; i++)
        s_edge (self, S_TIME, serial->ntxns + i, serial->ntxns + i + 1, 0);
    for (uint32_t i = 0; i < serial->ntxns; i++) {
        const synod__serial_txn_t *txn = &serial->txns[i];
        if (!synod__serial_counts (serial, i))
            continue;
        if (txn->begun)
            s_edge (self, S_TIME, serial->ntxns + txn->begun - 1, i, 0);
        if (txn->ended != SYNOD__SERIAL_NONE)
            s_edge (self, S_TIME, i, serial->ntxns + txn->ended, 0);
    }
}

/* ---- cycles ---- */

static void *s_zeroed (size_t count, size_t size)
{
    void *bytes = calloc (count ? count : 1, size);
    if (!bytes)
        abort ();
    return bytes;
}

static int s_by_from (const void *a, const void *b)
{
    const s_edge_t *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

static void s_order (s_graph_t *self)
{
    self->first = s_zeroed (self->nodes + 1, sizeof *self->first);
    if (self->nedges)
        qsort (self->edges, self->nedges, sizeof *self->edges, s_by_from);
    for (uint32_t i = 0; i < self->nedges; i++)
        self->first[self->edges[i].from + 1]++;
    for (uint32_t i = 0; i < self->nodes; i++)
        self->first[i + 1] += self->first[i];
}

/* Takes away, again and again, who has nobody before him. Whether anybody is left: then there is a cycle. */
static bool s_peel (s_graph_t *self)
{
    uint32_t *before = s_zeroed (self->nodes, sizeof *before), *free_now = s_zeroed (self->nodes, sizeof *free_now);
    uint32_t next = 0, count = 0;
    for (uint32_t i = 0; i < self->nedges; i++)
        before[self->edges[i].to]++;
    for (uint32_t i = 0; i < self->nodes; i++)
        if (!before[i])
            free_now[count++] = i;
    for (; next < count; next++) {
        self->off[free_now[next]] = true;
        for (uint32_t i = self->first[free_now[next]]; i < self->first[free_now[next] + 1]; i++)
            if (--before[self->edges[i].to] == 0)
                free_now[count++] = self->edges[i].to;
    }
    free (before);
    free (free_now);
    return count < self->nodes;
}

/* A shortest way from FROM back to it: edges, in CYCLE, as many as are returned; 0: there is none. */
static uint32_t s_back (const s_graph_t *self, uint32_t from, s_edge_t *cycle)
{
    uint32_t *by = s_zeroed (self->nodes, sizeof *by), *queue = s_zeroed (self->nodes + 1, sizeof *queue);
    uint32_t next = 0, count = 0, length = 0;
    bool found = false;
    queue[count++] = from;
    while (next < count && !found) {
        uint32_t node = queue[next++];
        for (uint32_t i = self->first[node]; i < self->first[node + 1] && !found; i++) {
            uint32_t to = self->edges[i].to;
            if (self->off[to] || by[to])
                continue;
            by[to] = i + 1;
            queue[count++] = to;
            found = to == from;
        }
    }
    for (uint32_t node = from; found && (length == 0 || node != from); length++) {
        cycle[length] = self->edges[by[node] - 1];
        node = cycle[length].from;
    }
    for (uint32_t i = 0; i < length / 2; i++) {
        s_edge_t swapped = cycle[i];
        cycle[i] = cycle[length - 1 - i];
        cycle[length - 1 - i] = swapped;
    }
    free (by);
    free (queue);
    return length;
}

/* How many transactions are on it. */
static uint32_t s_weight (const s_graph_t *self, const s_edge_t *cycle, uint32_t length)
{
    uint32_t weight = 0;
    for (uint32_t i = 0; i < length; i++)
        weight += cycle[i].from < self->serial->ntxns;
    return weight;
}

static uint32_t s_shortest (const s_graph_t *self, s_edge_t *best)
{
    s_edge_t *cycle = s_zeroed (self->nodes, sizeof *cycle);
    uint32_t length = 0, weight = UINT32_MAX;
    for (uint32_t i = 0, tried = 0; i < self->serial->ntxns && tried < S_TRIED; i++) {
        if (self->off[i])
            continue;
        uint32_t count = s_back (self, i, cycle), is = s_weight (self, cycle, count);
        tried++;
        if (!count || is > weight || (is == weight && count >= length))
            continue;
        weight = is;
        length = count;
        memcpy (best, cycle, count * sizeof *cycle);
    }
    free (cycle);
    return length;
}

/* ---- words ---- */

static void s_say (const s_graph_t *self, const s_edge_t *cycle, uint32_t length, synod_fault_t *fault,
                   synod_buf_t *words)
{
    static const char *const meanings[] = {"was read by", "was overwritten by", "read what was overwritten by"};
    char who[SYNOD_FAULT_MAX];
    size_t at = 0;
    who[0] = 0;
    for (uint32_t i = 0; i < length; i++) {
        const s_edge_t *edge = &cycle[i];
        if (edge->from >= self->serial->ntxns)
            continue;
        const char *from = self->serial->txns[edge->from].name;
        uint32_t k = i;
        while (cycle[k].to >= self->serial->ntxns) /* moments; the cycle begins at a transaction */
            k++;
        const char *to = self->serial->txns[cycle[k].to].name;
        if (at < sizeof who)
            at += (size_t) snprintf (who + at, sizeof who - at, "%s%s", at ? ", " : "", from);
        if (words && edge->kind == S_TIME)
            synod__buf_printf (words, "    %s ended before %s began\n", from, to);
        else if (words)
            synod__buf_printf (words, "    %s %s %s: key %u\n", from, meanings[edge->kind], to, edge->key);
    }
    synod_fault (fault, SYNOD_REFUSED, "in no order can these have run one after another: %.160s", who);
}

int synod__serial_cycle (const synod__serial_t *serial, synod_fault_t *fault, synod_buf_t *words)
{
    s_graph_t self = {.serial = serial, .nodes = serial->ntxns + serial->ended};
    self.off = s_zeroed (self.nodes, sizeof *self.off);
    s_add_versions (&self);
    s_add_unseen (&self);
    s_add_time (&self);
    s_order (&self);
    bool any = s_peel (&self);
    if (any) {
        s_edge_t *cycle = s_zeroed (self.nodes, sizeof *cycle);
        uint32_t length = s_shortest (&self, cycle);
        s_say (&self, cycle, length, fault, words);
        free (cycle);
    }
    free (self.edges);
    free (self.first);
    free (self.off);
    return any ? SYNOD_REFUSED : SYNOD_OK;
}
