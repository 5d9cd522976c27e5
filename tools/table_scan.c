/* SPDX-License-Identifier: MPL-2.0
 *
 * Scans in the scenario `kv`: keys are written that stay, and each scan, whatever nodes its steps were asked of and whatever
 * became of the ring meanwhile, tells every one of them that was there when it began, and none twice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "table.h"

static void next (synod_sim_t *sim, void *arg);

static void think (table_scanner_t *scanner)
{
    synod_sim_after (scanner->world->ring.sim, 1000 + (int64_t) (synod_sim_random (scanner->world->ring.sim) % 100000),
                     next, scanner);
}

/* ---- keys that stay ---- */

static void on_written (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    table_scanner_t *scanner = (table_scanner_t *) arg;
    (void) sim;
    (void) client;
    scanner->stays += reply->code == SYNOD_OK;
    think (scanner);
}

static int write_one (table_scanner_t *scanner)
{
    char key[16], to[64];
    snprintf (key, sizeof key, "stay-%02u", scanner->stays);
    table_address (scanner->world, key, to);
    return synod_sim_ask (scanner->world->ring.sim, scanner->node, to, &synod__kv_put_record,
                          &(synod__kv_put_t){.data = synod_str ("stays")}, TABLE_ASK_MS, on_written, scanner);
}

/* ---- scans ---- */

static void take_entry (table_scanner_t *scanner, const synod__kv_entry_t *entry)
{
    char name[SYNOD_KEY_MAX + 1];
    snprintf (name, sizeof name, "%.*s", SYNOD_STR (entry->key));
    unsigned long number = strncmp (name, "stay-", 5) == 0 ? strtoul (name + 5, NULL, 10) : TABLE_STAYS;
    if (number >= TABLE_STAYS)
        return;
    if (scanner->found >> number & 1)
        synod_sim_fail (scanner->world->ring.sim, "a scan tells %s twice", name);
    scanner->found |= 1ull << number;
}

static void on_scanned (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    table_scanner_t *scanner = (table_scanner_t *) arg;
    synod__kv_scanned_t in;
    synod__kv_entry_t entry;
    (void) client;
    if (reply->code == SYNOD_OK && synod_record_unpack (&synod__kv_scanned_record, reply->body, &in, NULL) != SYNOD_OK)
        synod_sim_fail (sim, "a scan's answer is none");
    else if (reply->code == SYNOD_OK) {
        while (synod_list_next (&in.entries, &synod__kv_entry_record, &entry))
            take_entry (scanner, &entry);
        scanner->cursor_size = in.cursor.size;
        if (in.cursor.size)
            memcpy (scanner->cursor, in.cursor.data, in.cursor.size);
        for (uint32_t i = 0; !in.cursor.size && i < scanner->wanted; i++)
            if (!(scanner->found >> i & 1))
                synod_sim_fail (sim, "a scan does not tell stay-%02u, which was there when it began", i);
        scanner->scans += !in.cursor.size;
    }
    think (scanner);
}

static int scan (table_scanner_t *scanner, uint64_t chance)
{
    char to[64];
    if (!scanner->cursor_size) {
        scanner->wanted = scanner->stays;
        scanner->found = 0;
    }
    const synod__kv_scan_t in = {.prefix = synod_str ("st"),
                                 .limit = 1 + chance % 5,
                                 .values = chance >> 8 & 1,
                                 .cursor = synod_str_n (scanner->cursor, scanner->cursor_size)};
    table_address (scanner->world, NULL, to);
    return synod_sim_ask (scanner->world->ring.sim, scanner->node, to, &synod__kv_scan_record, &in, TABLE_READ_MS,
                          on_scanned, scanner);
}

static void next (synod_sim_t *sim, void *arg)
{
    table_scanner_t *scanner = (table_scanner_t *) arg;
    table_t *world = scanner->world;
    uint64_t chance = synod_sim_random (sim);
    if (world->ring.over && !scanner->cursor_size)
        return;
    bool writes = !scanner->stays || (chance % 6 == 0 && scanner->stays < TABLE_STAYS);
    int rc = !world->ring.made ? SYNOD_NO_ROUTE : writes ? write_one (scanner) : scan (scanner, chance >> 8);
    if (rc != SYNOD_OK)
        think (scanner);
}

int table_scanner (table_t *world)
{
    world->scanner = (table_scanner_t){.world = world, .node = world->askers[0].node};
    think (&world->scanner);
    return SYNOD_OK;
}
