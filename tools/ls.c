/* SPDX-License-Identifier: MPL-2.0
 *
 * synod ls: the nodes of the directory with their actors and how they are. Every node is asked at the same time; one
 * that does not answer is listed with `?`.
 */
#include "tool.h"
#include "protocol/catalogue.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct {
    char node[SYNOD_NAME_MAX + 1];
    uint64_t incarnation;
    char *actors; /* NUL-terminated names, one behind the other, an empty one last; owned */
    size_t actors_size;
    uint64_t ask;
    bool answered;
    synod__status_is_t status; /* its texts and list are gone; the numbers stay */
} row_t;

typedef struct {
    row_t *rows;
    size_t count;
} table_t;

static int take_actors (row_t *row, synod_list_t list)
{
    synod__actor_at_t actor;
    char *actors = (char *) calloc (list.count + 1, SYNOD_NAME_MAX + 1);
    if (!actors)
        return SYNOD_NO_MEMORY;
    size_t used = 0;
    while (synod_list_next (&list, &synod__actor_at_record, &actor)) {
        memcpy (actors + used, actor.name.data, actor.name.size);
        used += actor.name.size + 1;
    }
    free (row->actors);
    row->actors = actors;
    row->actors_size = used;
    return SYNOD_OK;
}

static row_t *add_row (table_t *table, synod_str_t node, uint64_t incarnation)
{
    row_t *rows = (row_t *) realloc (table->rows, (table->count + 1) * sizeof *rows);
    if (!rows)
        return NULL;
    table->rows = rows;
    row_t *row = &rows[table->count++];
    memset (row, 0, sizeof *row);
    snprintf (row->node, sizeof row->node, "%.*s", SYNOD_STR (node));
    row->incarnation = incarnation;
    return row;
}

static int take_nodes (table_t *table, const synod_reply_t *reply, synod_fault_t *fault)
{
    synod__nodes_are_t nodes;
    int code = synod_record_unpack (&synod__nodes_are_record, reply->body, &nodes, fault);
    synod__entry_t entry;
    while (code == SYNOD_OK && synod_list_next (&nodes.nodes, &synod__entry_record, &entry)) {
        if (entry.client)
            continue;
        row_t *row = add_row (table, entry.node, entry.incarnation);
        if (!row || take_actors (row, entry.actors) != SYNOD_OK)
            return synod_fault (fault, SYNOD_NO_MEMORY, "no memory for the list of nodes");
    }
    return code;
}

static int compare_rows (const void *a, const void *b)
{
    return strcmp (((const row_t *) a)->node, ((const row_t *) b)->node);
}

/* Asks every node at once, and waits for all. */
static int ask_all (synod_handle_t *handle, table_t *table, uint32_t timeout_ms)
{
    synod__status_t status = {0};
    for (size_t i = 0; i < table->count; i++) {
        char to[SYNOD_ADDRESS_MAX + 1];
        row_t *row = &table->rows[i];
        bool broker = strcmp (row->node, SYNOD_BROKER) == 0;
        snprintf (to, sizeof to, "%s%s", row->node, broker ? "" : "/" SYNOD_NODE_ACTOR);
        int code = synod_handle_ask_start (handle, to, &synod__status_record, &status, timeout_ms, &row->ask);
        if (code != SYNOD_OK)
            row->ask = 0; /* it will be listed with `?` */
    }
    for (;;) {
        uint64_t id = 0;
        synod_reply_t reply = {0};
        int code = synod_handle_wait (handle, (int) timeout_ms, &id, &reply);
        if (code == SYNOD_NOT_FOUND || code == SYNOD_TIMEOUT)
            return SYNOD_OK;
        if (code != SYNOD_OK)
            return code;
        for (size_t i = 0; i < table->count; i++) {
            row_t *row = &table->rows[i];
            if (row->ask != id || reply.code != SYNOD_OK)
                continue;
            row->answered = synod_record_unpack (&synod__status_is_record, reply.body, &row->status, NULL) == SYNOD_OK;
            if (row->answered && take_actors (row, row->status.actors) != SYNOD_OK)
                return SYNOD_NO_MEMORY;
            if (row->answered)
                row->incarnation = row->status.incarnation;
        }
    }
}

static void print_json (const row_t *row)
{
    printf ("{\"node\":");
    synod__print_text (stdout, synod_str (row->node));
    printf (",\"incarnation\":%" PRIu64 ",\"actors\":[", row->incarnation);
    for (size_t at = 0; at < row->actors_size; at += strlen (row->actors + at) + 1) {
        fputs (at ? "," : "", stdout);
        synod__print_text (stdout, synod_str (row->actors + at));
    }
    if (row->answered)
        printf ("],\"uptime_ms\":%" PRIu64 ",\"queued\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"received\":%" PRIu64
                ",\"sent\":%" PRIu64 ",\"malformed\":%" PRIu64 ",\"syncs\":%" PRIu64 "}\n",
                row->status.uptime_ms, row->status.queued, row->status.dropped, row->status.received, row->status.sent,
                row->status.malformed, row->status.syncs);
    else
        printf ("],\"uptime_ms\":null,\"queued\":null,\"dropped\":null,\"received\":null,\"sent\":null,"
                "\"malformed\":null,\"syncs\":null}\n");
}

static void print_uptime (uint64_t uptime_ms, char *text, size_t size)
{
    uint64_t s = uptime_ms / 1000;
    if (s < 60)
        snprintf (text, size, "%.1fs", (double) uptime_ms / 1000);
    else if (s < 3600)
        snprintf (text, size, "%" PRIu64 "m%02us", s / 60, (unsigned) (s % 60));
    else
        snprintf (text, size, "%" PRIu64 "h%02um", s / 3600, (unsigned) (s / 60 % 60));
}

static void print_table (const table_t *table)
{
    int widest = 4;
    for (size_t i = 0; i < table->count; i++) {
        int width = (int) strlen (table->rows[i].node);
        widest = width > widest ? width : widest;
    }
    printf ("%-*s %9s %10s %8s  %s\n", widest, "NODE", "UPTIME", "QUEUED", "DROPPED", "ACTORS");
    for (size_t i = 0; i < table->count; i++) {
        const row_t *row = &table->rows[i];
        char uptime[32] = "?", queued[32] = "?", dropped[32] = "?";
        if (row->answered) {
            print_uptime (row->status.uptime_ms, uptime, sizeof uptime);
            snprintf (queued, sizeof queued, "%" PRIu64, row->status.queued);
            snprintf (dropped, sizeof dropped, "%" PRIu64, row->status.dropped);
        }
        printf ("%-*s %9s %10s %8s ", widest, row->node, uptime, queued, dropped);
        for (size_t at = 0; at < row->actors_size; at += strlen (row->actors + at) + 1)
            printf (" %s", row->actors + at);
        putchar ('\n');
    }
}

static int list (synod_handle_t *handle, const synod__join_t *join, bool json)
{
    table_t table = {0};
    synod_fault_t fault = {0};
    synod_reply_t reply = {0};
    synod__nodes_t nodes = {0};
    char to[SYNOD_ADDRESS_MAX + 1] = SYNOD_BROKER;
    if (join->options.direct)
        snprintf (to, sizeof to, "%s/" SYNOD_NODE_ACTOR, synod_handle_name (handle)); /* its own directory */
    int code = synod_handle_ask (handle, to, &synod__nodes_record, &nodes, (int) join->timeout_ms, &reply);
    if (code != SYNOD_OK)
        synod_fault (&fault, code, "%.*s", SYNOD_STR (reply.message));
    else
        code = take_nodes (&table, &reply, &fault);
    if (code == SYNOD_OK && table.rows)
        qsort (table.rows, table.count, sizeof *table.rows, compare_rows);
    if (code == SYNOD_OK && !join->options.direct && !add_row (&table, synod_str (SYNOD_BROKER), 0))
        code = synod_fault (&fault, SYNOD_NO_MEMORY, "no memory for the list of nodes");
    if (code == SYNOD_OK) {
        code = ask_all (handle, &table, join->timeout_ms);
        if (code != SYNOD_OK)
            synod_fault (&fault, code, "%s", synod_handle_error (handle));
    }
    if (code == SYNOD_OK && json) {
        for (size_t i = 0; table.rows && i < table.count; i++)
            print_json (&table.rows[i]);
    } else if (code == SYNOD_OK) {
        print_table (&table);
    }
    for (size_t i = 0; table.rows && i < table.count; i++)
        free (table.rows[i].actors);
    free (table.rows);
    return code == SYNOD_OK ? SYNOD__EXIT_DONE : synod__fail (code, fault.text);
}

int synod__tool_ls (int argc, char **argv)
{
    bool json = false;
    synod__join_t join = {0};
    const synod__opt_t options[] = {{"json", SYNOD__OPT_FLAG, NULL, "print one JSON object a node", &json}, {0}};
    synod__command_t command = {
        .name = "ls",
        .synopsis = "[OPTION]...",
        .about = "Lists the nodes with their actors, since when they run, the bytes they have waiting to be sent and\n"
                 "the messages they dropped. A node that does not answer within --timeout is listed with `?`.\n",
        .options = options,
        .join = &join,
        .words_max = 0,
        .words_are = "options alone",
    };
    synod_handle_t *handle = NULL;
    int status = synod__command_parse (&command, argc, argv);
    if (status == SYNOD__EXIT_NONE) {
        join.options.no_directory = !join.options.direct;
        handle = synod__join (&join, &status);
    }
    if (status == SYNOD__EXIT_NONE)
        status = list (handle, &join, json);
    synod_handle_destroy (&handle);
    synod__command_free (&command);
    return status;
}
