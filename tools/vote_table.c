/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `txn`: as `vote`, where the accounts are keys of the table. Some transactions add to numbers that must not
 * fall below a floor; some write what was computed from a look, if the versions still are those; besides, 1 is added to
 * some by plain increments, which must not be lost between a transaction's look and its writes. Each also writes a key of
 * its own, which tells in the end whether it was committed.
 *
 * No key has a version with two values, no look sees less than one that ended before it began, nor misses a transaction
 * that was known to be committed then. An account is the number that its key has, and BANK_START.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "vote_scenario.h"
#include "actors/kv/kv.h"
#include "actors/kv/number.h"

void table_op (const asker_t *asker, const move_t *move, uint32_t part, synod_buf_t *out)
{
    const seen_t *seen = &asker->accounts[move->account[part]];
    char digits[SYNOD__NUMBER_MAX], was[SYNOD__NUMBER_MAX];
    synod__kv_op_t op = {
        .what = synod_str ("incr"), .delta = move->amount[part], .bounded = true, .floor = -BANK_START};
    if (move->audits || move->puts) {
        op = (synod__kv_op_t){.what = synod_str ("check"), .version = seen->version, .absent = !seen->version};
        if (seen->version)
            op.was = synod_str_n (was, synod__number_write (seen->balance - BANK_START, was));
    }
    if (move->puts) {
        op.what = synod_str ("put");
        op.data = synod_str_n (digits, synod__number_write (seen->balance + move->amount[part] - BANK_START, digits));
    }
    synod_record_pack (&synod__kv_op_record, &op, out, NULL);
}

void table_journal (const move_t *move, char to[64], synod_buf_t *out)
{
    const synod__kv_op_t op = {.what = synod_str ("put"), .data = synod_str (move->id), .absent = true};
    out->size = 0;
    snprintf (to, 64, SYNOD__KV_ACTOR "#done-%s", move->id);
    synod_record_pack (&synod__kv_op_record, &op, out, NULL);
}

/* ---- looking ---- */

int table_look (asker_t *asker, int node, const char *to, synod_sim_on_reply_t *on_reply, void *arg)
{
    const synod__kv_get_t get = {0};
    world_t *world = asker ? asker->world : ((last_t *) arg)->world;
    if (asker) {
        if (!asker->looked)
            asker->added = world->added;
        asker->floor = world->floors[asker->looked];
    }
    return synod_sim_ask (world->sim, node, to, &synod__kv_get_record, &get, ASK_MS, on_reply, arg);
}

bool table_seen (synod_str_t body, seen_t *out)
{
    synod__kv_is_t is;
    int64_t number = 0;
    if (synod_record_unpack (&synod__kv_is_record, body, &is, NULL) != SYNOD_OK ||
        (is.found && !synod__number_read (is.data, &number)))
        return false;
    *out = (seen_t){.balance = number + BANK_START, .version = is.version};
    return true;
}

void table_check (asker_t *asker, uint32_t account)
{
    world_t *world = asker->world;
    const seen_t *seen = &asker->accounts[account];
    if (seen->version < asker->floor)
        synod_sim_fail (world->sim, "account %u was looked at with version %" PRIu64 ", where %" PRIu64 " was known",
                        account, seen->version, asker->floor);
    if (seen->version > world->floors[account])
        world->floors[account] = seen->version;
    uint32_t count = world->nversions[account];
    for (uint32_t i = 0; i < count; i++) {
        if (world->versions[account][i].version != seen->version)
            continue;
        if (world->versions[account][i].balance != seen->balance)
            synod_sim_fail (world->sim, "account %u holds %" PRId64 " and %" PRId64 " with the same version", account,
                            seen->balance, world->versions[account][i].balance);
        return;
    }
    world->versions[account] = realloc (world->versions[account], (count + 1) * sizeof *world->versions[account]);
    if (!world->versions[account])
        abort ();
    world->versions[account][count].version = seen->version;
    world->versions[account][count].balance = seen->balance;
    world->nversions[account]++;
}

void table_committed (asker_t *asker, const move_t *move)
{
    world_t *world = asker->world;
    for (uint32_t i = 0; i < move->parts && move->puts; i++) {
        uint64_t least = asker->accounts[move->account[i]].version + 1;
        if (least > world->floors[move->account[i]])
            world->floors[move->account[i]] = least;
    }
}

/* ---- adding ---- */

static void on_added (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    (void) client;
    asker->world->added += reply->code == SYNOD_OK;
    if (reply->code == SYNOD_REFUSED || reply->code == SYNOD_FAILED || reply->code == SYNOD_INVALID)
        synod_sim_fail (sim, "an increment ended with %s: %.*s", synod_error_name (reply->code),
                        SYNOD_STR (reply->message));
    vote_later (asker, 400);
}

int table_add (asker_t *asker)
{
    const synod__kv_incr_t in = {.delta = 1};
    world_t *world = asker->world;
    char to[24];
    vote_address (world, (uint32_t) (synod_sim_random (world->sim) % ACCOUNTS), to);
    int rc = synod_sim_ask (world->sim, asker->node, to, &synod__kv_incr_record, &in, ASK_MS, on_added, asker);
    world->adding += rc == SYNOD_OK;
    return rc;
}

/* ---- the end ---- */

static void on_journal (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    world_t *world = (world_t *) arg;
    move_t *move = &world->moves[world->journaled];
    synod__kv_is_t is;
    (void) sim;
    (void) client;
    world->showing--;
    if (reply->code != SYNOD_OK || synod_record_unpack (&synod__kv_is_record, reply->body, &is, NULL) != SYNOD_OK)
        return;
    for (uint32_t i = 0; i < move->parts; i++)
        move->seen[i] = is.found;
    world->journaled++;
}

bool table_journaled (world_t *world)
{
    const synod__kv_get_t get = {0};
    char to[64];
    if (world->journaled == world->nmoves)
        return true;
    snprintf (to, sizeof to, SYNOD__KV_ACTOR "#done-%s", world->moves[world->journaled].id);
    world->showing += synod_sim_ask (world->sim, world->operator_node, to, &synod__kv_get_record, &get, ASK_MS,
                                     on_journal, world) == SYNOD_OK;
    return false;
}

void table_free (world_t *world)
{
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        free (world->versions[i]);
}
