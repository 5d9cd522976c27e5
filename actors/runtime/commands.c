/* SPDX-License-Identifier: MPL-2.0
 *
 * Commands: asks that run once, however often they come (Lampson 1996, "How to build a highly available system using
 * consensus", section 4; RIFL, Lee et al. 2015, section 3). An ask of a SYNOD_ONCE record carries its client, a number
 * that this client uses once, and the client's low-water mark: no number below it will be repeated. The reply is
 * written in the batch of the effect, so a repeat, after a crash too, finds both or neither.
 *
 * In the actor's store:
 *     clients   CLIENT            low-water mark, when it was last written (wall clock, seconds)
 *               (nothing)         the horizon: the greatest client that was forgotten
 *     replies   CLIENT NUMBER     kind and body; kind alone, SYNOD_KIND_ASK: it has begun and is not answered
 * Numbers are of 8 bytes, big end first, so that they are ordered.
 *
 * Invariant: a number below its client's mark, or of a client that is unknown and not above the horizon, never reaches
 * a handler: it may have run. Clients are numbers that grow with time of birth, so those born after the last one that
 * was forgotten are not taken for forgotten ones.
 */
#include <stdio.h>
#include "internal.h"

#define S_NUMBER 8
#define S_SOME   16 /* replies deleted at a time */

static char *s_put_number (char *p, uint64_t number)
{
    number = __builtin_bswap64 (number);
    memcpy (p, &number, S_NUMBER);
    return p + S_NUMBER;
}

static uint64_t s_number (const char *p)
{
    uint64_t number;
    memcpy (&number, p, S_NUMBER);
    return __builtin_bswap64 (number);
}

static synod_str_t s_reply_key (char key[2 * S_NUMBER], uint64_t client, uint64_t number)
{
    s_put_number (s_put_number (key, client), number);
    return synod_str_n (key, 2 * S_NUMBER);
}

static uint64_t s_wall_s (const synod__rt_t *rt)
{
    int64_t wall_us = rt->ops->wall_us (rt->host);
    return wall_us > 0 ? (uint64_t) wall_us / 1000000 : 0;
}

static uint64_t s_horizon (synod__store_t *store)
{
    synod_str_t value;
    int rc = synod__store_get (store, SYNOD__AREA_CLIENTS, synod_str ("-"), &value);
    return rc == SYNOD_OK && value.size == S_NUMBER ? s_number (value.data) : 0;
}

/* Whether CLIENT is known, and its mark. */
static bool s_client (synod__store_t *store, uint64_t client, uint64_t *low, uint64_t *seen_s)
{
    char key[S_NUMBER];
    synod_str_t value;
    s_put_number (key, client);
    if (synod__store_get (store, SYNOD__AREA_CLIENTS, synod_str_n (key, S_NUMBER), &value) != SYNOD_OK ||
        value.size != 2 * S_NUMBER)
        return false;
    *low = s_number (value.data);
    *seen_s = s_number (value.data + S_NUMBER);
    return true;
}

/* ---- forgetting ---- */

typedef struct {
    uint32_t count;
    char keys[S_SOME][2 * S_NUMBER];
} s_some_t;

static bool s_gather (void *arg, synod_str_t key, synod_str_t value)
{
    s_some_t *some = (s_some_t *) arg;
    (void) value;
    if (key.size == 2 * S_NUMBER)
        memcpy (some->keys[some->count++], key.data, key.size);
    return some->count < S_SOME;
}

/* Deletes the replies of CLIENT with numbers below LOW. A scan must not write, so they are gathered some at a time. */
static void s_forget_replies (synod__store_t *store, uint64_t client, uint64_t low)
{
    char from[2 * S_NUMBER], until[2 * S_NUMBER];
    s_some_t some;
    s_reply_key (from, client, 0);
    s_reply_key (until, client, low);
    do {
        some.count = 0;
        synod__store_scan (store, SYNOD__AREA_REPLIES, synod_str_n (from, sizeof from),
                           synod_str_n (until, sizeof until), s_gather, &some);
        for (uint32_t i = 0; i < some.count; i++)
            synod__store_delete (store, SYNOD__AREA_REPLIES, synod_str_n (some.keys[i], 2 * S_NUMBER));
    } while (some.count == S_SOME);
}

typedef struct {
    uint64_t clients[2], seen_s[2];
    uint32_t count;
} s_oldest_t;

static bool s_next_client (void *arg, synod_str_t key, synod_str_t value)
{
    s_oldest_t *oldest = (s_oldest_t *) arg;
    if (key.size != S_NUMBER || value.size != 2 * S_NUMBER)
        return true;
    oldest->clients[oldest->count] = s_number (key.data);
    oldest->seen_s[oldest->count++] = s_number (value.data + S_NUMBER);
    return oldest->count < 2;
}

/* With each client that comes, two are looked at in their order, round and round: so idle ones go as fast as others
 * come, at no cost that grows with their number. */
static void s_forget_idle (synod__instance_t *instance)
{
    synod__store_t *store = synod__instance_store (instance);
    s_oldest_t oldest = {0};
    char key[S_NUMBER];
    uint64_t now_s = s_wall_s (instance->rt);
    s_put_number (key, instance->looked_at + 1);
    synod__store_scan (store, SYNOD__AREA_CLIENTS, synod_str_n (key, S_NUMBER), synod_str_n (NULL, 0), s_next_client,
                       &oldest);
    instance->looked_at = oldest.count == 2 ? oldest.clients[1] : 0;
    for (uint32_t i = 0; i < oldest.count; i++) {
        if (now_s < oldest.seen_s[i] + SYNOD_CLIENT_IDLE_S)
            continue;
        s_forget_replies (store, oldest.clients[i], UINT64_MAX);
        s_put_number (key, oldest.clients[i]);
        synod__store_delete (store, SYNOD__AREA_CLIENTS, synod_str_n (key, S_NUMBER));
        if (oldest.clients[i] > s_horizon (store)) /* the key was read before: it may be written now */
            synod__store_put (store, SYNOD__AREA_CLIENTS, synod_str ("-"), synod_str_n (key, S_NUMBER));
    }
}

/* ---- which replies a client has ----
 *
 * To look for them in the store costs more than all else that a short command does. So the last clients' are known: an
 * entry lists all that the store has of one, and perhaps some that it has not (a batch was dropped). It is worth
 * something only if the client's mark is what it was when the entry was last made so: a batch that was dropped has taken
 * the mark back, and with it what had been deleted. */

#define S_SETS   512 /* of clients of a node's actors; a power of two */
#define S_WAYS   4   /* places of a set: those that share it do not put each other out, and the idle go first */
#define S_LISTED 27  /* replies of one; a client with more is looked for */

struct synod__replies_t {
    const synod__instance_t *instance; /* NULL: none */
    uint64_t client, low;
    uint64_t used;  /* by how often any was, then */
    uint32_t count; /* above S_LISTED: it has more, or had */
    uint64_t numbers[S_LISTED];
};

static struct synod__replies_t *s_replies (synod__rt_t *rt, const synod__instance_t *instance, uint64_t client)
{
    uint64_t hash = (client ^ (uintptr_t) instance >> 4) * 0x9e3779b97f4a7c15u >> 32;
    if (!rt->replies)
        rt->replies = (struct synod__replies_t *) synod__alloc (S_SETS * S_WAYS * sizeof *rt->replies);
    struct synod__replies_t *set = &rt->replies[(hash & (S_SETS - 1)) * S_WAYS], *found = set;
    for (uint32_t i = 0; i < S_WAYS; i++) {
        if (set[i].instance == instance && set[i].client == client) {
            found = &set[i];
            break;
        }
        found = set[i].used < found->used ? &set[i] : found;
    }
    found->used = ++rt->replies_used;
    return found;
}

void synod__commands_forget (synod__rt_t *rt, const synod__instance_t *instance)
{
    for (uint32_t i = 0; rt->replies && i < S_SETS * S_WAYS; i++)
        if (rt->replies[i].instance == instance)
            rt->replies[i] = (struct synod__replies_t){0};
}

static bool s_list (void *arg, synod_str_t key, synod_str_t value)
{
    struct synod__replies_t *replies = (struct synod__replies_t *) arg;
    (void) value;
    if (replies->count < S_LISTED && key.size == 2 * S_NUMBER)
        replies->numbers[replies->count] = s_number (key.data + S_NUMBER);
    return replies->count++ < S_LISTED;
}

/* NUMBER is about to be among the replies of CLIENT, and those below LOW go. BEFORE: its mark, as stored; if KNOWN. */
static void s_trim (synod__instance_t *instance, uint64_t client, bool known, uint64_t before, uint64_t low,
                    uint64_t number)
{
    synod__store_t *store = synod__instance_store (instance);
    struct synod__replies_t *replies = s_replies (instance->rt, instance, client);
    char from[2 * S_NUMBER], until[2 * S_NUMBER];
    uint32_t kept = 0;
    if (!known || replies->instance != instance || replies->client != client || replies->low != before) {
        *replies = (struct synod__replies_t){.instance = instance, .client = client, .used = replies->used};
        if (known)
            synod__store_scan (store, SYNOD__AREA_REPLIES, s_reply_key (from, client, 0),
                               s_reply_key (until, client, UINT64_MAX), s_list, replies);
    }
    replies->low = low;
    if (replies->count > S_LISTED) {
        if (low > before)
            s_forget_replies (store, client, low);
        if (++replies->count > 2 * S_LISTED) /* it may have fewer by now */
            replies->instance = NULL;
        return;
    }
    for (uint32_t i = 0; i < replies->count; i++) {
        if (replies->numbers[i] < low)
            synod__store_delete (store, SYNOD__AREA_REPLIES, s_reply_key (from, client, replies->numbers[i]));
        else if (replies->numbers[i] != number)
            replies->numbers[kept++] = replies->numbers[i];
    }
    if (kept < S_LISTED)
        replies->numbers[kept] = number;
    replies->count = kept + 1;
}

/* ---- what a command comes to ---- */

static bool s_stale (synod__rt_t *rt, synod__kept_t *kept, const char *why)
{
    char text[SYNOD_FAULT_MAX];
    snprintf (text, sizeof text, "command %llu of client %llu: %s", (unsigned long long) kept->number,
              (unsigned long long) kept->client, why);
    kept->client = 0; /* not an answer to remember */
    synod__call_error (rt, kept, SYNOD_STALE_ID, text);
    return false;
}

/* The one that waits already gets the answer, at the address and within the time of the repeat. */
static bool s_attach (synod__rt_t *rt, synod__kept_t *first, synod__kept_t *repeat)
{
    first->stream->refs--;
    first->stream = repeat->stream;
    first->stream->refs++;
    memcpy (first->actor, repeat->actor, sizeof first->actor);
    first->ask = repeat->ask;
    first->low = repeat->low;
    first->until_us = repeat->until_us;
    if (first->gather)
        synod__gather_leave (rt, first);
    first->gather = repeat->gather;
    first->gather_at = repeat->gather_at;
    first->deaf = false;
    repeat->gather = NULL;
    if (first->timer.at)
        synod__timers_set (&rt->timers, &first->timer, first->until_us);
    repeat->client = 0;
    synod__call_free (rt, repeat);
    return false;
}

void synod__command_forget (synod__rt_t *rt, synod__kept_t *kept)
{
    if (kept->command.instance)
        HASH_DEL (rt->commands, kept);
    memset (&kept->command, 0, sizeof kept->command);
}

bool synod__command_admit (synod__rt_t *rt, synod__kept_t *kept)
{
    synod__store_t *store = synod__instance_store (kept->instance);
    uint64_t low = 0, seen_s = 0;
    char key[2 * S_NUMBER];
    synod_str_t value;
    bool known = s_client (store, kept->client, &low, &seen_s);
    if (known && kept->number < low)
        return s_stale (rt, kept, "the client said that it would not be repeated");
    if (!known && kept->client <= s_horizon (store))
        return s_stale (rt, kept, "the client was forgotten here, or is as old as one that was");
    if (SYNOD__MUTANT (NO_DUPLICATE_CHECK))
        return true;
    synod__kept_t *first;
    synod__command_t command = {kept->instance, kept->client, kept->number};
    HASH_FIND (hh, rt->commands, &command, sizeof command, first);
    if (first)
        return s_attach (rt, first, kept);
    int rc = synod__store_get (store, SYNOD__AREA_REPLIES, s_reply_key (key, kept->client, kept->number), &value);
    if (rc == SYNOD_OK && value.size && value.data[0] != SYNOD_KIND_ASK) {
        kept->client = 0;
        if (SYNOD__MUTANT (LOST_REPLY))
            return synod__call_free (rt, kept), false;
        synod_str_t body = synod_str_n (value.size > 1 ? value.data + 1 : NULL, value.size - 1);
        synod__call_answer (rt, kept, (synod_kind_t) value.data[0], body);
        return false;
    }
    kept->repeated = rc == SYNOD_OK;
    kept->command = command;
    HASH_ADD (hh, rt->commands, command, sizeof kept->command, kept);
    return rc == SYNOD_OK || rc == SYNOD_NOT_FOUND;
}

/* Stages a reply record, and what goes with it: the client's mark, and what is below it goes. */
static void s_write (synod__kept_t *kept, char kind, synod_str_t body)
{
    synod__instance_t *instance = kept->instance;
    synod__rt_t *rt = instance->rt;
    synod__store_t *store = synod__instance_store (instance);
    char key[2 * S_NUMBER], client[S_NUMBER], mark[2 * S_NUMBER];
    uint64_t low = 0, seen_s = 0, now_s = s_wall_s (rt);
    bool known = s_client (store, kept->client, &low, &seen_s);
    if (!known)
        s_forget_idle (instance);
    uint64_t before = low;
    low = kept->low > low ? kept->low : low;
    s_trim (instance, kept->client, known, before, low + (SYNOD__MUTANT (EARLY_TRIM) && low > before ? 1 : 0),
            kept->number);
    if (!known || low > before || seen_s + SYNOD_CLIENT_IDLE_S / 8 < now_s) {
        s_put_number (client, kept->client);
        s_put_number (s_put_number (mark, low), now_s);
        synod__store_put (store, SYNOD__AREA_CLIENTS, synod_str_n (client, S_NUMBER), synod_str_n (mark, sizeof mark));
    }
    synod_buf_t *value = &rt->remembered;
    value->size = 0;
    if (synod__buf_add (value, &kind, 1) || (body.size && synod__buf_add (value, body.data, body.size)))
        abort ();
    synod__store_put (store, SYNOD__AREA_REPLIES, s_reply_key (key, kept->client, kept->number),
                      synod_str_n (value->data, value->size));
}

void synod__command_reply (synod__kept_t *kept, synod_kind_t kind, synod_str_t body)
{
    if (kept->client)
        s_write (kept, (char) kind, body);
}

/* Only where it has left a trace need a repeat know of it. */
void synod__command_begun (synod__kept_t *kept)
{
    if (kept->client && !kept->answered && synod__store_staged (synod__instance_store (kept->instance)))
        s_write (kept, SYNOD_KIND_ASK, synod_str_n (NULL, 0));
}
