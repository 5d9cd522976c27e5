/* SPDX-License-Identifier: MPL-2.0
 *
 * The ledger: all it knows is in its store, and each addition writes two entries that belong together.
 */
#include <endian.h>
#include "ledger.h"

#define S_KEY 17

static synod_str_t s_key (char key[S_KEY], uint64_t client, uint64_t number)
{
    uint64_t big[2] = {htobe64 (client), htobe64 (number)};
    key[0] = 'n';
    memcpy (key + 1, big, sizeof big);
    return synod_str_n (key, S_KEY);
}

/* A number of eight bytes; 0 when it is not there. */
static int s_get (synod_ctx_t *ctx, synod_str_t key, uint64_t *number)
{
    synod_str_t value;
    int rc = synod_get (ctx, key, &value);
    *number = 0;
    if (rc == SYNOD_OK && value.size == sizeof *number)
        memcpy (number, value.data, sizeof *number);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

static int s_put (synod_ctx_t *ctx, synod_str_t key, uint64_t number)
{
    return synod_put (ctx, key, synod_str_n (&number, sizeof number));
}

static int on_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    (void) state;
    char text[S_KEY];
    uint64_t times, total;
    synod_str_t key = s_key (text, in->client, in->number);
    int rc = s_get (ctx, key, &times);
    if (rc == SYNOD_OK)
        rc = s_get (ctx, synod_str ("total"), &total);
    if (rc == SYNOD_OK)
        rc = s_put (ctx, key, times + 1);
    if (rc == SYNOD_OK)
        rc = s_put (ctx, synod_str ("total"), total + 1);
    return rc == SYNOD_OK ? synod_reply (ctx, call, &added_record, &(added_t){.total = total + 1}) : rc;
}

static int on_once (synod_ctx_t *ctx, void *state, const once_t *in, synod_call_t call)
{
    return on_add (ctx, state, &(add_t){.client = in->client, .number = in->number}, call);
}

typedef struct {
    uint8_t times[LEDGER_PAGE];
    const page_t *in;
    uint64_t sum;
} s_page_t;

static bool on_entry (void *arg, synod_str_t key, synod_str_t value)
{
    s_page_t *page = (s_page_t *) arg;
    uint64_t big[2], times = 0;
    if (key.size != S_KEY || value.size != sizeof times)
        return true;
    memcpy (big, key.data + 1, sizeof big);
    memcpy (&times, value.data, sizeof times);
    uint64_t number = be64toh (big[1]);
    page->sum += times;
    if (be64toh (big[0]) == page->in->client && number >= page->in->first && number - page->in->first < LEDGER_PAGE)
        page->times[number - page->in->first] = times > 255 ? 255 : (uint8_t) times;
    return true;
}

static int on_page (synod_ctx_t *ctx, void *state, const page_t *in, synod_call_t call)
{
    (void) state;
    static s_page_t page; /* one node runs in this process */
    page_is_t out = {.times = synod_str_n (page.times, LEDGER_PAGE)};
    page = (s_page_t){.in = in};
    int rc = synod_scan (ctx, synod_str ("n"), synod_str ("o"), on_entry, &page);
    if (rc == SYNOD_OK)
        rc = s_get (ctx, synod_str ("total"), &out.total);
    out.sum = page.sum;
    return rc == SYNOD_OK ? synod_reply (ctx, call, &page_is_record, &out) : rc;
}

static const synod_actor_t ledger = {
    .name = "ledger",
    .doc = "counts what was added",
    .routes =
        (const synod_route_t[]){SYNOD_ON (add, on_add), SYNOD_ON (once, on_once), SYNOD_ON (page, on_page), SYNOD_END},
};

SYNOD_MODULE (&ledger)
