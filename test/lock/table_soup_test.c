/* SPDX-License-Identifier: MPL-2.0
 *
 * The lock table in a soup of random events, with a store that is written as its effects say, and from which it is built
 * anew at any moment. After each event its invariants hold, fences grow, and the store has what memory has. Each
 * mistake on purpose that the table alone can show is found.
 */
#include <stdlib.h>
#include "test/protocol/check.h"
#include "actors/lock/table.h"

#define CLIENTS 6
#define NAMES   4
#define STORED  4096

typedef struct {
    char what;
    uint64_t number;
    synod_buf_t value;
} stored_t;

static struct {
    synod__locks_t locks;
    stored_t store[STORED];
    uint32_t nstored;
    uint64_t number;  /* the sequence, as stored */
    uint32_t circles; /* that were refused */
    int64_t now_us;
    uint64_t request, token, random;
    uint64_t renewed[CLIENTS];
} soup;

static const char *const names[NAMES] = {"a", "b", "c", "d"};

static uint64_t draw (uint64_t most)
{
    soup.random ^= soup.random << 13;
    soup.random ^= soup.random >> 7;
    soup.random ^= soup.random << 17;
    return (soup.random >> 11) % most;
}

/* ---- the store ---- */

static void forget (char what, uint64_t number)
{
    for (uint32_t i = 0; i < soup.nstored; i++)
        if (soup.store[i].what == what && soup.store[i].number == number) {
            synod_buf_free (&soup.store[i].value);
            memmove (&soup.store[i], &soup.store[i + 1], (--soup.nstored - i) * sizeof *soup.store);
            return;
        }
}

static synod_buf_t *put (char what, uint64_t number)
{
    uint32_t at = 0;
    forget (what, number);
    assert_true (soup.nstored < STORED);
    while (at < soup.nstored &&
           (soup.store[at].what < what || (soup.store[at].what == what && soup.store[at].number < number)))
        at++;
    memmove (&soup.store[at + 1], &soup.store[at], (soup.nstored++ - at) * sizeof *soup.store);
    soup.store[at] = (stored_t){.what = what, .number = number};
    return &soup.store[at].value;
}

/* Whether one that came before ENTRY, and that it is in the way of, still waits. */
static bool passes (const synod__locks_entry_t *entry)
{
    for (uint32_t i = 0; i < entry->nclaims; i++)
        for (const synod__locks_claim_t *at = entry->claims[i].name->waiters.first; at; at = at->next)
            if (at->entry->id < entry->id && !(at->entry->shared && entry->shared))
                return true;
    return false;
}

static bool carry (char *why)
{
    for (uint32_t i = 0; i < soup.locks.neffects; i++) {
        const synod__locks_effect_t *effect = &soup.locks.effects[i];
        const synod__locks_entry_t *entry = effect->entry;
        bool ended = entry && entry->state == SYNOD__LOCKS_ENDED;
        if (effect->kind == SYNOD__LOCKS_PUT_NUMBER)
            soup.number = effect->number;
        else if (effect->kind == SYNOD__LOCKS_PUT_SESSION)
            synod__locks_pack_session (effect->session, put ('a', effect->session->number));
        else if (effect->kind == SYNOD__LOCKS_DEL_SESSION)
            forget ('a', effect->number);
        else if (!entry) /* what follows is of one */
            continue;
        else if (effect->kind == SYNOD__LOCKS_PUT_ENTRY && !ended)
            synod__locks_pack_entry (entry, put ('b', entry->id));
        else if (effect->kind == SYNOD__LOCKS_DEL_ENTRY)
            forget ('b', entry->id);
        else if (effect->kind == SYNOD__LOCKS_GRANTED) {
            if (passes (entry))
                return snprintf (why, SYNOD_FAULT_MAX, "place %u is granted before one that waits",
                                 (unsigned) entry->id),
                       false;
            if (entry->token <= soup.token)
                return snprintf (why, SYNOD_FAULT_MAX, "fence %u after %u", (unsigned) entry->token,
                                 (unsigned) soup.token),
                       false;
            soup.token = entry->token;
        }
    }
    soup.locks.neffects = 0;
    return synod__locks_check (&soup.locks, why);
}

/* What it has, in words. */
static void describe (const synod__locks_t *locks, synod_buf_t *out)
{
    char text[256];
    for (synod__locks_name_t *name = synod__locks_after (locks, synod_str ("")); name;
         name = synod__locks_after (locks, synod__locks_text (name))) {
        for (int held = 1; held >= 0; held--) {
            uint64_t sum = 0; /* holders have no order */
            uint32_t at = 0;
            for (synod__locks_claim_t *claim = held ? name->holders.first : name->waiters.first; claim;
                 claim = claim->next)
                sum += claim->entry->id * (held ? 1 : ++at) + claim->entry->token * 1000 + claim->entry->count * 7 +
                       claim->entry->shared + claim->entry->session->client * 3;
            size_t size =
                (size_t) snprintf (text, sizeof text, "%s %d %u %u; ", name->text, held, (unsigned) sum, name->permits);
            out->data = (char *) realloc (out->data, out->size + size + 1);
            memcpy (out->data + out->size, text, size + 1);
            out->size += size;
        }
    }
}

/* Another owner. */
static bool again (char *why)
{
    synod_buf_t before = {0}, after = {0};
    describe (&soup.locks, &before);
    synod__locks_free (&soup.locks);
    synod__locks_load_number (&soup.locks, soup.number);
    bool ok = true;
    for (uint32_t i = 0; i < soup.nstored && ok; i++) {
        const stored_t *at = &soup.store[i];
        synod_str_t value = synod_str_n (at->value.data, at->value.size);
        ok = (at->what == 'a' ? synod__locks_load_session : synod__locks_load_entry) (&soup.locks, at->number, value,
                                                                                      soup.now_us);
    }
    synod__locks_ready (&soup.locks);
    describe (&soup.locks, &after);
    if (!ok || before.size != after.size || (before.size && memcmp (before.data, after.data, before.size) != 0)) {
        snprintf (why, SYNOD_FAULT_MAX, "the store has %.100s, memory had %.100s", after.data ? after.data : "",
                  before.data ? before.data : "");
        ok = false;
    }
    for (int i = 0; i < CLIENTS; i++)
        soup.renewed[i] = (uint64_t) soup.now_us;
    free (before.data);
    free (after.data);
    return ok && synod__locks_check (&soup.locks, why);
}

/* ---- events ---- */

/* Rightly: if WANT had been taken in, somebody would wait for ever. */
static void refused (synod__locks_want_t *want)
{
    char why[SYNOD_FAULT_MAX] = "nothing";
    synod__locks_entry_t *entry;
    const synod__locks_entry_t *in_the_way;
    synod_fault_t fault;
    synod__lock_mutant_t mutant = synod__lock_mutant;
    synod__locks_session_t *session = synod__locks_session (&soup.locks, want->client);
    int64_t renewed_us = session->renewed_us;
    uint32_t left;
    uint64_t number = soup.locks.number, stored = soup.locks.stored;
    synod__lock_mutant = SYNOD__LOCK_MUTANT_CIRCLES_LEFT;
    assert_int_equal (synod__locks_acquire (&soup.locks, soup.now_us, 0, want, &entry, &in_the_way, &fault), SYNOD_OK);
    if (synod__locks_check (&soup.locks, why) || !strstr (why, "for itself"))
        fail_msg ("%s was refused as a circle, and there is none: %s", entry->session->who, why);
    bool again = entry->count > 1; /* a reader became a writer */
    synod__locks_cancel (&soup.locks, 0, want->client, want->request, &left);
    entry->shared = entry->shared || again;
    synod__lock_mutant = mutant;
    session->renewed_us = renewed_us;
    soup.locks.number = number; /* and nothing has happened */
    soup.locks.stored = stored;
    soup.locks.neffects = 0;
    soup.circles++;
}

static void acquire (uint64_t client)
{
    synod_str_t wanted[NAMES];
    synod__locks_entry_t *entry;
    const synod__locks_entry_t *in_the_way;
    synod_fault_t fault;
    uint32_t from = (uint32_t) draw (NAMES - 1), count = draw (3) ? 1 : 1 + (uint32_t) draw (NAMES - 1 - from);
    if (!count)
        count = 1;
    for (uint32_t i = 0; i < count; i++)
        wanted[i] = synod_str (names[from + i]);
    bool permits = draw (6) == 0;
    if (permits) {
        wanted[0] = synod_str ("d");
        count = 1;
    }
    synod__locks_want_t want = {.client = client + 1,
                                .request = draw (8) ? ++soup.request : 1 + draw (soup.request + 1),
                                .who = synod_str ("somebody"),
                                .owner = synod_str (draw (2) ? "x" : ""),
                                .names = wanted,
                                .nnames = count,
                                .shared = !permits && draw (2),
                                .permits = permits ? 2 + draw (2) : 0,
                                .lease_ms = 5000,
                                .wait_ms = draw (4) ? 1 + draw (20000) : 0};
    bool had = synod__locks_session (&soup.locks, client + 1);
    int rc = synod__locks_acquire (&soup.locks, soup.now_us, 0, &want, &entry, &in_the_way, &fault);
    if (rc == SYNOD_OK && (entry || had))
        soup.renewed[client] = entry ? (uint64_t) soup.now_us : soup.renewed[client];
    if (rc != SYNOD_OK)
        assert_int_equal (soup.locks.neffects, 0);
    if (rc == SYNOD_DEADLOCK)
        refused (&want);
    if (rc == SYNOD_OK && !entry)
        assert_true (in_the_way && !want.wait_ms);
}

static void let_go (uint64_t client)
{
    synod__locks_session_t *session = synod__locks_session (&soup.locks, client + 1);
    const synod__locks_entry_t *entry = session ? session->entries : NULL;
    synod_fault_t fault;
    uint32_t left;
    for (uint64_t skip = draw (4); entry && entry->next && skip; skip--)
        entry = entry->next;
    if (!entry)
        return;
    if (draw (2) && entry->state == SYNOD__LOCKS_HOLDS)
        assert_int_equal (
            synod__locks_release (&soup.locks, 0, client + 1, synod_str (entry->owner), entry->token, 0, &left, &fault),
            SYNOD_OK);
    else
        synod__locks_cancel (&soup.locks, 0, client + 1, entry->request, &left);
}

/* A session ends when its term is over, and not before. */
static bool due (char *why)
{
    uint64_t alive = 0;
    for (uint64_t i = 0; i < CLIENTS; i++)
        alive |= synod__locks_session (&soup.locks, i + 1) && soup.renewed[i] + 5000000 > (uint64_t) soup.now_us
                     ? 1u << i
                     : 0;
    synod__locks_due (&soup.locks, soup.now_us, 0);
    for (uint64_t i = 0; i < CLIENTS; i++)
        if ((alive >> i & 1) != (synod__locks_session (&soup.locks, i + 1) != NULL))
            return snprintf (why, SYNOD_FAULT_MAX, "client %u's session is %s", (unsigned) i,
                             alive >> i & 1 ? "gone before its term is over" : "there after its term"),
                   false;
    return true;
}

static bool step (char *why)
{
    uint64_t client = draw (CLIENTS), what = draw (32);
    synod__locks_session_t *session = synod__locks_session (&soup.locks, client + 1);
    synod__locks_session_t *out;
    synod_fault_t fault;
    uint32_t count;
    bool ok = true;
    soup.now_us += (int64_t) draw (400000);
    if (what < 14)
        acquire (client);
    else if (what < 22)
        let_go (client);
    else if (what < 28 && session) {
        synod__locks_keepalive (&soup.locks, soup.now_us, client + 1, session->number, &out, &fault);
        soup.renewed[client] = (uint64_t) soup.now_us;
    } else if (what == 28 && draw (4) == 0 && session)
        synod__locks_close (&soup.locks, 0, client + 1, session->number);
    else if (what == 29 && draw (4) == 0)
        synod__locks_force (&soup.locks, 0, synod_str (names[draw (NAMES)]), 0, &count, &fault);
    else if (what == 30)
        ok = again (why);
    else
        ok = due (why);
    return ok && carry (why);
}

static bool run (uint64_t seed, uint32_t steps, char *why)
{
    bool ok = true;
    soup.random = seed * 0x9e3779b97f4a7c15ull + 1;
    soup.now_us = 1000000;
    for (uint32_t i = 0; i < steps && ok; i++)
        ok = step (why);
    synod__locks_free (&soup.locks);
    while (soup.nstored)
        synod_buf_free (&soup.store[--soup.nstored].value);
    soup.number = soup.request = soup.token = 0;
    memset (soup.renewed, 0, sizeof soup.renewed);
    return ok;
}

static void test_soup (void **state)
{
    char why[SYNOD_FAULT_MAX];
    (void) state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        if (!run (seed, 600, why))
            fail_msg ("seed %u: %s", (unsigned) seed, why);
    print_message ("%u circles were refused\n", soup.circles);
    assert_true (soup.circles > 100);
}

static void test_mistakes (void **state)
{
    static const struct {
        const char *name;
        synod__lock_mutant_t mutant;
    } mistakes[] = {{"EXPIRY_UNCONDITIONAL", SYNOD__LOCK_MUTANT_EXPIRY_UNCONDITIONAL},
                    {"LATER_WRITERS", SYNOD__LOCK_MUTANT_LATER_WRITERS},
                    {"TOKEN_RESET", SYNOD__LOCK_MUTANT_TOKEN_RESET},
                    {"WAKEUP_LOST", SYNOD__LOCK_MUTANT_WAKEUP_LOST},
                    {"READERS_PASS", SYNOD__LOCK_MUTANT_READERS_PASS},
                    {"NEXT_TWO_TOLD", SYNOD__LOCK_MUTANT_NEXT_TWO_TOLD},
                    {"TERMS_KEPT_SHORT", SYNOD__LOCK_MUTANT_TERMS_KEPT_SHORT},
                    {"CIRCLES_LEFT", SYNOD__LOCK_MUTANT_CIRCLES_LEFT},
                    {"PERMITS_LEFT", SYNOD__LOCK_MUTANT_PERMITS_LEFT}};
    char why[SYNOD_FAULT_MAX] = "";
    bool all = true;
    (void) state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        uint64_t seed = 1;
        synod__lock_mutant = mistakes[i].mutant;
        while (seed <= 100 && run (seed, 600, why))
            seed++;
        print_message ("%-22s %s %u: %s\n", mistakes[i].name, seed <= 100 ? "seed" : "not found in", (unsigned) seed,
                       why);
        all &= seed <= 100;
    }
    synod__lock_mutant = SYNOD__LOCK_MUTANT_NONE;
    assert_true (all);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_soup), cmocka_unit_test (test_mistakes)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
