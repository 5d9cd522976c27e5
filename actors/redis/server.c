/* SPDX-License-Identifier: MPL-2.0
 *
 * Commands about the server and the connection.
 */
#include <inttypes.h>
#include <stdio.h>
#include "protocol/frame.h"
#include "slots.h"
#include <synod/synod.h>

/* What Redis' clients ask to see which commands they may use. */
#define S_REDIS_VERSION "7.0.0"

static const synod_str_t s_none;

static void s_bulk (synod_buf_t *out, const char *text)
{
    synod__resp_bulk (out, synod_str (text));
}

static void s_arity (synod__redis_request_t *request)
{
    synod__redis_say (synod__redis_out (request), "ERR wrong number of arguments for '%s' command",
                      request->command->name);
}

static void s_subcommand (synod__redis_request_t *request)
{
    char upper[32];
    size_t size = 0;
    for (const char *p = request->command->name; *p && size + 1 < sizeof upper; p++)
        upper[size++] = (char) (*p + 'A' - 'a');
    upper[size] = 0;
    synod_str_t word = request->argv[1];
    synod__redis_say (synod__redis_out (request), "ERR unknown subcommand '%.*s'. Try %s HELP.",
                      (int) (word.size < 128 ? word.size : 128), word.data, upper);
}

/* ---- the connection ---- */

void synod__redis_on_ping (synod__redis_request_t *request)
{
    if (request->argc > 2)
        s_arity (request);
    else if (request->argc == 2)
        synod__resp_bulk (synod__redis_out (request), request->argv[1]);
    else
        synod__resp_status (synod__redis_out (request), "PONG");
}

void synod__redis_on_echo (synod__redis_request_t *request)
{
    synod__resp_bulk (synod__redis_out (request), request->argv[1]);
}

void synod__redis_on_select (synod__redis_request_t *request)
{
    synod_buf_t *out = synod__redis_out (request);
    synod_str_t word = request->argv[1];
    bool digits = word.size > 0 && word.size < 10;
    for (uint32_t i = 0; digits && i < word.size; i++)
        digits = word.data[i] >= '0' && word.data[i] <= '9';
    if (!digits)
        synod__redis_say (out, "ERR value is not an integer or out of range");
    else if (word.size == 1 && *word.data == '0')
        synod__resp_status (out, "OK");
    else
        synod__redis_say (out, "ERR DB index is out of range");
}

void synod__redis_on_quit (synod__redis_request_t *request)
{
    synod__resp_status (synod__redis_out (request), "OK");
    synod__redis_leave (request->conn);
}

void synod__redis_on_auth (synod__redis_request_t *request)
{
    synod__redis_say (synod__redis_out (request),
                      "ERR AUTH <password> called without any password configured for the default user. Are you sure "
                      "your configuration is correct?");
}

void synod__redis_on_client (synod__redis_request_t *request)
{
    synod__redis_conn_t *conn = request->conn;
    synod_str_t word = request->argv[1];
    if (synod__redis_is (word, "setname") && request->argc == 3) {
        synod_buf_t *out = synod__redis_out (request);
        synod_str_t name = request->argv[2];
        bool good = name.size < sizeof conn->name;
        for (uint32_t i = 0; good && i < name.size; i++)
            good = name.data[i] >= '!' && name.data[i] <= '~';
        if (!good) {
            synod__redis_say (out, "ERR Client names cannot contain spaces, newlines or special characters.");
            return;
        }
        snprintf (conn->name, sizeof conn->name, "%.*s", SYNOD_STR (name));
        synod__resp_status (out, "OK");
    } else if (synod__redis_is (word, "getname") && request->argc == 2)
        synod__resp_bulk (synod__redis_out (request), conn->name[0] ? synod_str (conn->name) : s_none);
    else if (synod__redis_is (word, "id") && request->argc == 2)
        synod__resp_int (synod__redis_out (request), (int64_t) conn->id);
    else if (synod__redis_is (word, "setinfo") && request->argc == 4)
        synod__resp_status (synod__redis_out (request), "OK");
    else
        s_subcommand (request);
}

void synod__redis_on_hello (synod__redis_request_t *request)
{
    synod_buf_t *out = synod__redis_out (request);
    if (request->argc > 1 && !synod_str_is (request->argv[1], "2")) {
        synod__redis_say (out, "NOPROTO unsupported protocol version");
        return;
    }
    if (request->argc > 2) {
        synod__redis_say (out, "ERR syntax error in HELLO");
        return;
    }
    synod__resp_array (out, 14);
    s_bulk (out, "server");
    s_bulk (out, "redis");
    s_bulk (out, "version");
    s_bulk (out, S_REDIS_VERSION);
    s_bulk (out, "proto");
    synod__resp_int (out, 2);
    s_bulk (out, "id");
    synod__resp_int (out, (int64_t) request->conn->id);
    s_bulk (out, "mode");
    s_bulk (out, "standalone");
    s_bulk (out, "role");
    s_bulk (out, "master");
    s_bulk (out, "modules");
    synod__resp_array (out, 0);
}

/* ---- the server ---- */

static void s_on_size (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    (void) self;
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else
        synod__resp_int (slot->reply, (int64_t) ((const synod__kv_stat_is_t *) out)->keys);
}

void synod__redis_on_dbsize (synod__redis_request_t *request)
{
    const synod__kv_stat_t in = {0};
    synod__redis_run (request, SYNOD__REDIS_STAT, s_none, &in, s_on_size, 0, s_none);
}

static bool s_section (synod_str_t wanted, const char *name)
{
    return !wanted.data || synod__redis_is (wanted, name) || synod__redis_is (wanted, "all") ||
           synod__redis_is (wanted, "everything") || synod__redis_is (wanted, "default");
}

static void s_on_info (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    const synod__kv_stat_is_t *is = (const synod__kv_stat_is_t *) out;
    synod_str_t wanted = slot->text;
    synod_buf_t text = {0};
    if (rc != SYNOD_OK) {
        synod__redis_failed (slot, rc, message);
        return;
    }
    if (s_section (wanted, "server"))
        synod__buf_printf (&text,
                           "# Server\r\nredis_version:%s\r\nredis_mode:standalone\r\nsynod_version:%s\r\n"
                           "synod_actor:%s\r\nsynod_node:%s\r\nuptime_in_seconds:%" PRId64 "\r\n\r\n",
                           S_REDIS_VERSION, SYNOD_VERSION, self->back->actor, synod_node (self->ctx),
                           (synod_now_us (self->ctx) - self->started_us) / 1000000);
    if (s_section (wanted, "clients"))
        synod__buf_printf (&text, "# Clients\r\nconnected_clients:%" PRIu64 "\r\n\r\n", self->conns);
    if (s_section (wanted, "memory"))
        synod__buf_printf (
            &text, "# Memory\r\nused_memory:%" PRIu64 "\r\nmaxmemory:%" PRIu64 "\r\nmaxmemory_policy:%s\r\n\r\n",
            is->bytes, is->memory, self->back->once ? "noeviction" : "allkeys-lru");
    if (s_section (wanted, "stats"))
        synod__buf_printf (&text,
                           "# Stats\r\ntotal_connections_received:%" PRIu64 "\r\ntotal_commands_processed:%" PRIu64
                           "\r\nexpired_keys:%" PRIu64 "\r\nevicted_keys:%" PRIu64 "\r\nkeyspace_hits:%" PRIu64
                           "\r\nkeyspace_misses:%" PRIu64 "\r\n\r\n",
                           self->accepted, self->commands, is->expired, is->evicted, is->hits, is->misses);
    if (s_section (wanted, "keyspace"))
        synod__buf_printf (&text, "# Keyspace\r\n");
    if (s_section (wanted, "keyspace") && is->keys)
        synod__buf_printf (&text, "db0:keys=%" PRIu64 ",expires=0,avg_ttl=0\r\n", is->keys);
    synod__resp_bulk (slot->reply, synod_str_n (text.data ? text.data : "", text.size));
    synod_buf_free (&text);
}

void synod__redis_on_info (synod__redis_request_t *request)
{
    const synod__kv_stat_t in = {0};
    synod__redis_run (request, SYNOD__REDIS_STAT, s_none, &in, s_on_info, 0,
                      request->argc > 1 ? request->argv[1] : s_none);
}

void synod__redis_on_config (synod__redis_request_t *request)
{
    static const char *const settings[][2] = {{"save", ""},          {"appendonly", "no"},
                                              {"databases", "1"},    {"proto-max-bulk-len", "1048576"},
                                              {"timeout", "0"},      {"maxmemory-policy", "allkeys-lru"},
                                              {"tcp-backlog", "511"}};
    enum { COUNT = sizeof settings / sizeof *settings };
    bool wanted[COUNT];
    uint32_t count = 0;
    if (synod__redis_is (request->argv[1], "set") && request->argc >= 4) {
        synod__redis_say (
            synod__redis_out (request),
            "ERR CONFIG SET failed (possibly related to argument '%.*s') - it is set where the node starts",
            (int) (request->argv[2].size < 128 ? request->argv[2].size : 128), request->argv[2].data);
        return;
    }
    if (!synod__redis_is (request->argv[1], "get") || request->argc < 3) {
        s_subcommand (request);
        return;
    }
    for (int i = 0; i < COUNT; i++) {
        wanted[i] = false;
        for (uint32_t j = 2; j < request->argc; j++)
            wanted[i] |= synod__redis_match (request->argv[j], synod_str (settings[i][0]));
        count += wanted[i];
    }
    synod_buf_t *out = synod__redis_out (request);
    synod__resp_array (out, count * 2);
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; wanted[i] && j < 2; j++)
            s_bulk (out, settings[i][j]);
}

/* ---- commands ---- */

static void s_flags (synod_buf_t *out, const char *flags)
{
    uint32_t count = 1;
    for (const char *p = flags; *p; p++)
        count += *p == ' ';
    synod__resp_array (out, count);
    for (const char *p = flags; count; count--) {
        size_t size = strcspn (p, " ");
        char flag[32];
        snprintf (flag, sizeof flag, "%.*s", (int) size, p);
        synod__resp_status (out, flag);
        p += size + (p[size] != 0);
    }
}

static void s_describe (synod_buf_t *out, const synod__redis_command_t *command)
{
    if (!command) {
        synod__resp_array (out, 0);
        return;
    }
    synod__resp_array (out, 6);
    s_bulk (out, command->name);
    synod__resp_int (out, command->arity);
    s_flags (out, command->flags);
    synod__resp_int (out, command->first);
    synod__resp_int (out, command->last);
    synod__resp_int (out, command->step);
}

static void s_doc (synod_buf_t *out, const synod__redis_command_t *command)
{
    s_bulk (out, command->name);
    synod__resp_array (out, 6);
    s_bulk (out, "summary");
    s_bulk (out, command->doc);
    s_bulk (out, "since");
    s_bulk (out, "1.0.0");
    s_bulk (out, "group");
    s_bulk (out, command->first ? "string" : "server");
}

static uint32_t s_count (void)
{
    uint32_t count = 0;
    while (synod__redis_commands[count].name)
        count++;
    return count;
}

static void s_docs (synod__redis_request_t *request, synod_buf_t *out)
{
    uint32_t count = 0;
    for (uint32_t i = 2; i < request->argc; i++)
        count += synod__redis_find (request->argv[i]) != NULL;
    synod__resp_array (out, 2 * (request->argc > 2 ? count : s_count ()));
    for (uint32_t i = 2; i < request->argc; i++) {
        const synod__redis_command_t *command = synod__redis_find (request->argv[i]);
        if (command)
            s_doc (out, command);
    }
    for (const synod__redis_command_t *at = synod__redis_commands; request->argc == 2 && at->name; at++)
        s_doc (out, at);
}

void synod__redis_on_command (synod__redis_request_t *request)
{
    synod_str_t word = request->argc > 1 ? request->argv[1] : s_none;
    bool all = request->argc == 1 || (synod__redis_is (word, "info") && request->argc == 2);
    if (all || (synod__redis_is (word, "list") && request->argc == 2)) {
        synod_buf_t *out = synod__redis_out (request);
        synod__resp_array (out, s_count ());
        for (const synod__redis_command_t *at = synod__redis_commands; at->name; at++)
            if (all)
                s_describe (out, at);
            else
                s_bulk (out, at->name);
    } else if (synod__redis_is (word, "count") && request->argc == 2)
        synod__resp_int (synod__redis_out (request), s_count ());
    else if (synod__redis_is (word, "docs"))
        s_docs (request, synod__redis_out (request));
    else if (synod__redis_is (word, "info")) {
        synod_buf_t *out = synod__redis_out (request);
        synod__resp_array (out, request->argc - 2);
        for (uint32_t i = 2; i < request->argc; i++)
            s_describe (out, synod__redis_find (request->argv[i]));
    } else
        s_subcommand (request);
}
