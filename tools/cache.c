/* SPDX-License-Identifier: MPL-2.0
 *
 * synod cache: reads and writes the cache, as `synod kv` does the table, and shows how it is on each node.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "actors/cache/cache_actor.h"
#include "kv.h"
#include "protocol/catalogue.h"

#define NODES_MAX 1024

/* ---- stats ---- */

typedef struct {
    char node[SYNOD_NAME_MAX + 1];
    uint64_t ask;
    bool answered;
    synod__kv_stat_is_t is; /* its text is gone */
} row_t;

/* The nodes that run it. Their number, or below 0 the exit code. */
static int nodes_of (synod__kvs_t *self, row_t *rows, int *status)
{
    const synod__nodes_t in = {0};
    synod__nodes_are_t nodes;
    synod__entry_t entry;
    synod__actor_at_t actor;
    synod_reply_t reply = {0};
    synod_fault_t fault = {0};
    int count = 0;
    char to[SYNOD_ADDRESS_MAX + 1] = SYNOD_BROKER;
    if (self->join.options.direct)
        snprintf (to, sizeof to, "%s/" SYNOD_NODE_ACTOR, synod_handle_name (self->handle)); /* its own directory */
    if (synod_handle_ask (self->handle, to, &synod__nodes_record, &in, (int) self->join.timeout_ms, &reply) != SYNOD_OK)
        return *status = synod__kvs_fail (&reply), 0;
    int rc = synod_record_unpack (&synod__nodes_are_record, reply.body, &nodes, &fault);
    if (rc != SYNOD_OK)
        return *status = synod__fail (rc, fault.text), 0;
    while (count < NODES_MAX && synod_list_next (&nodes.nodes, &synod__entry_record, &entry)) {
        bool runs = false;
        while (synod_list_next (&entry.actors, &synod__actor_at_record, &actor))
            runs |= synod_str_is (actor.name, self->actor);
        if (runs && !entry.client)
            snprintf (rows[count++].node, sizeof rows->node, "%.*s", SYNOD_STR (entry.node));
    }
    return count;
}

static void ask_all (synod__kvs_t *self, row_t *rows, int count)
{
    const synod__kv_stat_t in = {0};
    for (int i = 0; i < count; i++) {
        char to[2 * SYNOD_NAME_MAX + 2];
        snprintf (to, sizeof to, "%s/%s", rows[i].node, self->actor);
        if (synod_handle_ask_start (self->handle, to, &synod__kv_stat_record, &in, self->join.timeout_ms,
                                    &rows[i].ask) != SYNOD_OK)
            rows[i].ask = 0;
    }
    uint64_t id;
    synod_reply_t reply;
    while (synod_handle_wait (self->handle, (int) self->join.timeout_ms, &id, &reply) == SYNOD_OK)
        for (int i = 0; i < count; i++)
            if (rows[i].ask == id && reply.code == SYNOD_OK)
                rows[i].answered =
                    synod_record_unpack (&synod__kv_stat_is_record, reply.body, &rows[i].is, NULL) == SYNOD_OK;
}

static int compare (const void *a, const void *b)
{
    return strcmp (((const row_t *) a)->node, ((const row_t *) b)->node);
}

static void print_row (const row_t *row, bool json)
{
    const synod__kv_stat_is_t *is = &row->is;
    uint64_t gets = is->hits + is->misses;
    if (json) {
        printf ("{\"node\":");
        synod__print_text (stdout, synod_str (row->node));
        if (row->answered)
            printf (",\"keys\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"memory\":%" PRIu64 ",\"hits\":%" PRIu64
                    ",\"misses\":%" PRIu64 ",\"expired\":%" PRIu64 ",\"evicted\":%" PRIu64,
                    is->keys, is->bytes, is->memory, is->hits, is->misses, is->expired, is->evicted);
        puts ("}");
    } else if (row->answered)
        printf ("%-20s %10" PRIu64 " %14" PRIu64 " %14" PRIu64 " %12" PRIu64 " %12" PRIu64 " %6.1f %10" PRIu64
                " %10" PRIu64 "\n",
                row->node, is->keys, is->bytes, is->memory, is->hits, is->misses,
                gets ? 100.0 * (double) is->hits / (double) gets : 0.0, is->expired, is->evicted);
    else
        printf ("%-20s %10s\n", row->node, "?");
}

/* A node that does not answer is listed with `?`, and makes it an error. */
static int stats (synod__kvs_t *self, const char *const *words, int nwords)
{
    row_t *rows = (row_t *) calloc (NODES_MAX, sizeof *rows);
    int status = synod__kvs_reach (self, false), count = 0;
    (void) words;
    (void) nwords;
    if (!rows)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the list of nodes");
    if (status == SYNOD__EXIT_NONE)
        count = nodes_of (self, rows, &status);
    if (status == SYNOD__EXIT_NONE) {
        ask_all (self, rows, count);
        qsort (rows, (size_t) count, sizeof *rows, compare);
        if (!self->json)
            printf ("%-20s %10s %14s %14s %12s %12s %6s %10s %10s\n", "NODE", "KEYS", "BYTES", "MEMORY", "HITS",
                    "MISSES", "HIT%", "EXPIRED", "EVICTED");
        status = SYNOD__EXIT_DONE;
        for (int i = 0; i < count; i++) {
            print_row (&rows[i], self->json);
            status = rows[i].answered ? status : SYNOD__EXIT_ERROR;
        }
    }
    free (rows);
    return status;
}

/* ---- the command line ---- */

static const synod__kvs_verb_t verbs[] = {
    {"get", "get KEY", 1, 1, synod__kvs_get, " json "},
    {"put", "put KEY [VALUE]", 1, 2, synod__kvs_put_verb, " file if-absent if-present ttl keep-ttl old json "},
    {"del", "del KEY...", 1, -1, synod__kvs_del, " json "},
    {"stats", "stats", 0, 0, stats, " json "},
    {0},
};

int synod__tool_cache (int argc, char **argv)
{
    synod__kvs_t self = {.actor = SYNOD__CACHE_ACTOR, .plain = true};
    const synod__opt_t options[] = {
        {"json", SYNOD__OPT_FLAG, NULL, "print JSON, an object a line", &self.json},
        {"file", SYNOD__OPT_TEXT, "FILE", "put: the value is what is in it; `-` is standard input", &self.file},
        {"if-absent", SYNOD__OPT_FLAG, NULL, "put: only if the key has no value", &self.absent},
        {"if-present", SYNOD__OPT_FLAG, NULL, "put: only if it has one", &self.present},
        {"ttl", SYNOD__OPT_MS, "TIME", "put: the value is gone so long from now: 500ms, 10s, 2m, 1h", &self.ttl_ms},
        {"keep-ttl", SYNOD__OPT_FLAG, NULL, "put: the deadline stays as it is", &self.keep},
        {"old", SYNOD__OPT_FLAG, NULL, "put: print the value before it", &self.old},
        {0}};
    synod__command_t command = {
        .name = "cache",
        .synopsis = "get|put|del|stats [KEY]... [OPTION]...",
        .about = "Reads and writes the cache, which nodes with `synod run cache` keep. It may forget anything:\n"
                 "  get KEY           print its value; exit 1 if it has none\n"
                 "  put KEY [VALUE]   give it one; without VALUE from --file or standard input\n"
                 "  del KEY...        take it away\n"
                 "  stats             what each node has, of how much memory, and how often it was of use\n",
        .options = options,
        .join = &self.join,
        .words_min = 1,
        .words_max = -1,
        .words_are = "get, put, del or stats",
    };
    self.command = &command;
    int status = synod__command_parse (&command, argc, argv);
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_run (&self, verbs);
    synod_handle_destroy (&self.handle);
    synod_buf_free (&self.value);
    synod_buf_free (&self.pieces);
    synod__command_free (&command);
    return status;
}
