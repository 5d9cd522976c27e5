/* SPDX-License-Identifier: MPL-2.0
 *
 * What a participant forgets: outcomes of transactions below its coordinator's low-water mark, which comes with each
 * PREPARE. Invariant: the mark is written before, or with, the first that is forgotten; nothing below it is voted on.
 */
#include "participant_parts.h"

#define S_TRIM 16 /* forgotten at a time */

static uint64_t s_read (const char *at, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++)
        number = number << 8 | (uint8_t) at[i];
    return number;
}

static void s_know (synod__instance_t *instance, uint64_t home, uint64_t low)
{
    synod__parties_t *self = instance->parties;
    const uint32_t slot = home % SYNOD__PARTY_LOWS;
    self->lows[slot].known = true;
    self->lows[slot].home = home;
    self->lows[slot].low = low;
    self->lows[slot].undone = instance->undone;
}

uint64_t synod__party_low (synod_ctx_t *ctx, uint64_t home)
{
    const synod__parties_t *self = ctx->instance->parties;
    const uint32_t slot = home % SYNOD__PARTY_LOWS;
    char key[5] = {'l'};
    synod_str_t value;
    if (self->lows[slot].known && self->lows[slot].home == home && self->lows[slot].undone == ctx->instance->undone)
        return self->lows[slot].low;
    synod__party_number (key + 1, home, 4);
    int rc = synod__store_get (ctx->instance->store, SYNOD__AREA_TXNS, synod_str_n (key, sizeof key), &value);
    uint64_t low = rc == SYNOD_OK && value.size == 8 ? s_read (value.data, 8) : 0;
    s_know (ctx->instance, home, low);
    return low;
}

typedef struct {
    uint32_t count;
    bool waits; /* one of them is not decided */
    struct {
        char bytes[SYNOD__PARTY_KEY_MAX];
        uint32_t size;
    } keys[S_TRIM];
} s_trim_t;

static bool s_gather (void *arg, synod_str_t key, synod_str_t value)
{
    s_trim_t *trim = (s_trim_t *) arg;
    synod__party_held_t held;
    if (key.size > SYNOD__PARTY_KEY_MAX ||
        synod_record_unpack (&synod__party_held_record, value, &held, NULL) != SYNOD_OK)
        return true;
    trim->waits = trim->waits || held.txn.size;
    if (held.txn.size)
        return true;
    memcpy (trim->keys[trim->count].bytes, key.data, key.size);
    trim->keys[trim->count++].size = key.size;
    return trim->count < S_TRIM;
}

/* The coordinator has ended all below LOW. That is written, and some of them are forgotten, once in so many; what still comes
 * of any of them is late. */
int synod__party_trim (synod_ctx_t *ctx, uint64_t home, uint64_t low)
{
    if (low < synod__party_low (ctx, home) + S_TRIM)
        return SYNOD_OK;
    s_trim_t trim = {0};
    char from[13] = {'p'}, until[13] = {'p'}, key[5] = {'l'}, number[8];
    synod__store_t *store = ctx->instance->store;
    synod__party_number (synod__party_number (from + 1, home, 4), 0, 8);
    synod__party_number (synod__party_number (until + 1, home, 4), low, 8);
    synod__party_number (key + 1, home, 4);
    synod__party_number (number, low, 8);
    int rc = synod__store_scan (store, SYNOD__AREA_TXNS, synod_str_n (from, sizeof from),
                                synod_str_n (until, sizeof until), s_gather, &trim);
    if (rc != SYNOD_OK || !trim.count || trim.waits)
        return rc;
    /* first the mark: what is forgotten must not be voted on again */
    rc = synod__store_put (store, SYNOD__AREA_TXNS, synod_str_n (key, sizeof key), synod_str_n (number, sizeof number));
    for (uint32_t i = 0; i < trim.count && rc == SYNOD_OK; i++)
        rc = synod__store_delete (store, SYNOD__AREA_TXNS, synod_str_n (trim.keys[i].bytes, trim.keys[i].size));
    if (rc == SYNOD_OK)
        s_know (ctx->instance, home, low);
    return rc;
}
