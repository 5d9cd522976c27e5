/* SPDX-License-Identifier: MPL-2.0
 *
 * Adds numbers to the ledger, several asks at a time, and notes what became of each. On SIGTERM it waits for the rest,
 * reads back what the ledger has, and compares: what was acknowledged is there once, what ended with an error that says
 * that nothing was done is not there, the rest is there once or not at all.
 *
 *     ledger_client BUS NODE/ACTOR METHOD CLIENT OUTSTANDING       METHOD: add, once
 *
 * Says `ready`, now and then `acknowledged N`, at last `sum {...}`; what is wrong is a line that begins with `wrong`.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "ledger.h"

#define S_NUMBERS     4000000
#define S_OUTSTANDING 64
#define S_ASK_MS      20000

typedef enum { S_NOT_DONE, S_UNKNOWN, S_ACKNOWLEDGED } s_outcome_t;

typedef struct {
    uint64_t id, number;
    uint64_t total; /* the greatest acknowledged when it was asked */
} s_pending_t;

static volatile sig_atomic_t s_stop;
static uint8_t s_outcomes[S_NUMBERS];
static s_pending_t s_pending[S_OUTSTANDING];
static uint64_t s_last, s_total, s_acknowledged, s_unknown, s_not_done, s_wrong;

static void s_on_signal (int number)
{
    (void) number;
    s_stop = 1;
}

static int s_die (const char *what, int code, const char *text)
{
    printf ("failed %s: %s: %s\n", what, synod_error_name (code), text);
    return 1;
}

static int s_ask (synod_handle_t *handle, char **argv, s_pending_t *pending)
{
    bool once = strcmp (argv[3], "once") == 0;
    const add_t in = {.client = strtoull (argv[4], NULL, 10), .number = s_last + 1};
    const once_t same = {.client = in.client, .number = in.number};
    int rc = synod_handle_ask_start (handle, argv[2], once ? &once_record : &add_record,
                                     once ? (const void *) &same : &in, S_ASK_MS, &pending->id);
    if (rc != SYNOD_OK) {
        pending->id = 0;
        return rc;
    }
    pending->number = ++s_last;
    pending->total = s_total;
    s_outcomes[s_last] = S_UNKNOWN;
    return SYNOD_OK;
}

static void s_answered (uint64_t id, const synod_reply_t *reply)
{
    s_pending_t *pending = s_pending;
    added_t out;
    while (pending < s_pending + S_OUTSTANDING && pending->id != id)
        pending++;
    if (pending == s_pending + S_OUTSTANDING) {
        printf ("wrong: an answer to nothing\n");
        s_wrong++;
        return;
    }
    pending->id = 0;
    if (reply->code != SYNOD_OK) {
        if ((s_unknown + s_not_done) % 1000 == 0)
            printf ("error %s %.*s\n", synod_error_name (reply->code), SYNOD_STR (reply->message));
        bool not_done = reply->code == SYNOD_NO_ROUTE || reply->code == SYNOD_BUSY;
        s_outcomes[pending->number] = not_done ? S_NOT_DONE : S_UNKNOWN;
        *(not_done ? &s_not_done : &s_unknown) += 1;
        return;
    }
    if (synod_record_unpack (&added_record, reply->body, &out, NULL) != SYNOD_OK || out.total <= pending->total) {
        printf ("wrong: the total was %" PRIu64 " before %" PRIu64 " was asked for, and is %" PRIu64 " with it\n",
                pending->total, pending->number, out.total);
        s_wrong++;
    }
    s_outcomes[pending->number] = S_ACKNOWLEDGED;
    if (out.total > s_total)
        s_total = out.total;
    if (++s_acknowledged % 500 == 1)
        printf ("acknowledged %" PRIu64 "\n", s_acknowledged);
}

static uint32_t s_under_way (void)
{
    uint32_t count = 0;
    for (int i = 0; i < S_OUTSTANDING; i++)
        count += s_pending[i].id != 0;
    return count;
}

static int s_count (synod_handle_t *handle, char **argv)
{
    uint32_t outstanding = (uint32_t) strtoul (argv[5], NULL, 10);
    while (!s_stop || s_under_way () > 0) {
        uint64_t id = 0;
        synod_reply_t reply;
        for (uint32_t i = 0; i < outstanding && i < S_OUTSTANDING && !s_stop && s_last < S_NUMBERS - 1; i++)
            if (!s_pending[i].id && s_ask (handle, argv, &s_pending[i]) != SYNOD_OK)
                break;
        int rc = synod_handle_wait (handle, 100, &id, &reply);
        if (rc == SYNOD_OK) {
            int code = reply.code;
            s_answered (id, &reply);
            if (code != SYNOD_OK && !s_stop) /* nobody there: not asked for again until somebody is */
                synod_handle_await (handle, argv[2], 1000);
        } else if (rc != SYNOD_TIMEOUT && rc != SYNOD_NOT_FOUND)
            return s_die ("wait", rc, synod_handle_error (handle));
    }
    return 0;
}

static void s_compare (uint64_t first, const page_is_t *page)
{
    uint64_t before = s_wrong;
    for (uint64_t i = 0; i < page->times.size && first + i < S_NUMBERS; i++) {
        int times = (uint8_t) page->times.data[i], outcome = s_outcomes[first + i];
        bool right = outcome == S_ACKNOWLEDGED ? times == 1 : outcome == S_UNKNOWN ? times <= 1 : times == 0;
        if (!right && s_wrong++ - before < 5)
            printf ("wrong: %" PRIu64 ", %s, is there %d times\n", first + i,
                    outcome == S_ACKNOWLEDGED ? "acknowledged"
                    : outcome == S_UNKNOWN    ? "not acknowledged"
                                              : "never done",
                    times);
    }
    if (page->total != page->sum || page->total < s_total) {
        printf ("wrong: the total is %" PRIu64 " of %" PRIu64 " counted; %" PRIu64 " was acknowledged\n", page->total,
                page->sum, s_total);
        s_wrong++;
    }
}

static int s_verify (synod_handle_t *handle, char **argv)
{
    for (uint64_t first = 0; first <= s_last + 1; first += LEDGER_PAGE) {
        const page_t in = {.client = strtoull (argv[4], NULL, 10), .first = first};
        synod_reply_t reply;
        page_is_t page;
        int rc = synod_handle_await (handle, argv[2], 10000);
        if (rc == SYNOD_OK)
            rc = synod_handle_ask (handle, argv[2], &page_record, &in, 10000, &reply);
        if (rc == SYNOD_OK)
            rc = synod_record_unpack (&page_is_record, reply.body, &page, NULL);
        if (rc != SYNOD_OK)
            return s_die ("verify", rc, synod_handle_error (handle));
        s_compare (first, &page);
    }
    printf ("sum {\"asked\":%" PRIu64 ",\"acknowledged\":%" PRIu64 ",\"unknown\":%" PRIu64 ",\"not_done\":%" PRIu64
            ",\"wrong\":%" PRIu64 "}\n",
            s_last, s_acknowledged, s_unknown, s_not_done, s_wrong);
    return 0;
}

int main (int argc, char **argv)
{
    setvbuf (stdout, NULL, _IOLBF, 0);
    if (argc != 6)
        return s_die ("start", SYNOD_INVALID, "BUS NODE/ACTOR METHOD CLIENT OUTSTANDING");
    struct sigaction action = {.sa_handler = s_on_signal};
    sigaction (SIGTERM, &action, NULL);
    synod_fault_t fault = {0};
    const synod_options_t options = {.bus = argv[1], .heartbeat_ms = 100};
    synod_handle_t *handle = synod_handle_new (&options, &fault);
    if (!handle)
        return s_die ("join", fault.code, fault.text);
    int rc = synod_handle_await (handle, argv[2], 10000);
    if (rc != SYNOD_OK)
        rc = s_die ("await", rc, synod_handle_error (handle));
    else {
        puts ("ready");
        rc = s_count (handle, argv);
        if (rc == 0)
            rc = s_verify (handle, argv);
    }
    synod_handle_destroy (&handle);
    return rc;
}
