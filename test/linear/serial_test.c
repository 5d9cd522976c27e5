/* SPDX-License-Identifier: MPL-2.0
 *
 * The checker of transactions: known anomalies are found and named, and it says of small random histories what a trial of
 * all orders says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "sim/serial.h"
#include "protocol/frame.h"

enum { X, Y };

/* Begins, reads VERSION of KEY, ends committed: what a plain get is. */
static void get (synod__serial_t *self, const char *name, uint32_t key, uint64_t version, uint64_t value)
{
    uint32_t txn = synod__serial_begin (self, name);
    synod__serial_read (self, txn, key, version);
    synod__serial_seen (self, key, version, value);
    synod__serial_end (self, txn, SYNOD__SERIAL_COMMITTED);
}

/* What is said in the end contains TEXT; NULL: nothing is. */
static void check (synod__serial_t *self, const char *text)
{
    synod_fault_t fault = {0};
    synod_buf_t words = {0};
    int rc = synod__serial_check (self, &fault, &words);
    assert_int_equal (synod__buf_add (&words, "", 1), SYNOD_OK);
    if ((rc == SYNOD_OK) != !text || (text && !strstr (fault.text, text) && !strstr (words.data, text)))
        fail_msg ("expected %s, got %s\n%s", text ? text : "nothing", fault.text, words.data);
    fault.text[0] = 0;
    assert_int_equal (synod__serial_check (self, &fault, NULL), rc); /* again the same */
    synod_buf_free (&words);
    synod__serial_destroy (&self);
}

/* Two that both read version 3 of X (value 30) and write it. */
static synod__serial_t *two_updates (uint32_t txns[2])
{
    synod__serial_t *self = synod__serial_new ();
    uint32_t first = synod__serial_begin (self, "first");
    synod__serial_write (self, first, X, 30);
    synod__serial_seen (self, X, 3, 30);
    synod__serial_end (self, first, SYNOD__SERIAL_COMMITTED);
    txns[0] = synod__serial_begin (self, "one");
    txns[1] = synod__serial_begin (self, "two");
    for (uint32_t i = 0; i < 2; i++) {
        synod__serial_read (self, txns[i], X, 3);
        synod__serial_write (self, txns[i], X, 31 + i);
    }
    return self;
}

static void test_lost_update (void **state)
{
    (void) state;
    for (int seen = 0; seen < 4; seen++) { /* whether the versions that the two wrote are known or not */
        uint32_t txns[2];
        synod__serial_t *self = two_updates (txns);
        for (uint32_t i = 0; i < 2; i++) {
            synod__serial_end (self, txns[i], SYNOD__SERIAL_COMMITTED);
            if (seen & 1 << i)
                get (self, "look", X, 5 + i, 31 + i);
        }
        check (self, "read what was overwritten by");
    }
    uint32_t txns[2]; /* one of them was aborted, or nobody knows and nobody has seen it */
    synod__serial_t *self = two_updates (txns);
    synod__serial_end (self, txns[0], SYNOD__SERIAL_COMMITTED);
    get (self, "look", X, 5, 31);
    synod__serial_end (self, txns[1], SYNOD__SERIAL_UNKNOWN);
    check (self, NULL);
    self = two_updates (txns); /* nobody has told, but it was seen */
    synod__serial_end (self, txns[0], SYNOD__SERIAL_COMMITTED);
    get (self, "look", X, 6, 32);
    check (self, "one, two");
}

static void test_write_skew (void **state)
{
    (void) state;
    for (int skew = 0; skew < 2; skew++) {
        synod__serial_t *self = synod__serial_new ();
        uint32_t one = synod__serial_begin (self, "one"), two = synod__serial_begin (self, "two");
        synod__serial_read (self, one, X, 0);
        synod__serial_read (self, one, Y, 0);
        synod__serial_read (self, two, X, skew ? 0 : 1);
        synod__serial_read (self, two, Y, 0);
        synod__serial_write (self, one, X, 10);
        synod__serial_write (self, two, Y, 20);
        synod__serial_end (self, one, SYNOD__SERIAL_COMMITTED);
        synod__serial_end (self, two, SYNOD__SERIAL_COMMITTED);
        get (self, "look", X, 1, 10);
        check (self, skew ? "two read what was overwritten by one: key 0" : NULL);
    }
}

static void test_dirty_read (void **state)
{
    (void) state;
    synod__serial_t *self = synod__serial_new ();
    uint32_t one = synod__serial_begin (self, "one");
    synod__serial_write (self, one, X, 10);
    get (self, "look", X, 1, 10);
    synod__serial_end (self, one, SYNOD__SERIAL_ABORTED);
    check (self, "a dirty read: one was aborted");
    self = synod__serial_new ();
    get (self, "look", X, 1, 10);
    check (self, "key 0 was seen as 10, which nobody has written");
}

/* A reader sees half of what another one wrote. */
static void test_fractured_read (void **state)
{
    (void) state;
    for (int fractured = 0; fractured < 2; fractured++) {
        synod__serial_t *self = synod__serial_new ();
        uint32_t writer = synod__serial_begin (self, "writer"), reader = synod__serial_begin (self, "reader");
        synod__serial_write (self, writer, X, 10);
        synod__serial_write (self, writer, Y, 20);
        synod__serial_seen (self, X, 4, 10);
        synod__serial_seen (self, Y, 7, 20);
        synod__serial_read (self, reader, X, 4);
        synod__serial_read (self, reader, Y, fractured ? 0 : 7);
        synod__serial_end (self, reader, SYNOD__SERIAL_COMMITTED);
        synod__serial_end (self, writer, SYNOD__SERIAL_COMMITTED);
        check (self, fractured ? "reader read what was overwritten by writer: key 1" : NULL);
    }
}

/* Serializable, and not as it was in real time. */
static void test_stale (void **state)
{
    (void) state;
    synod__serial_t *self = synod__serial_new ();
    uint32_t writer = synod__serial_begin (self, "writer");
    synod__serial_write (self, writer, X, 10);
    uint32_t early = synod__serial_begin (self, "early");
    synod__serial_end (self, writer, SYNOD__SERIAL_COMMITTED);
    get (self, "new", X, 1, 10);
    synod__serial_read (self, early, X, 0); /* began before the writer's end: all right */
    synod__serial_end (self, early, SYNOD__SERIAL_COMMITTED);
    check (self, NULL);
    self = synod__serial_new ();
    writer = synod__serial_begin (self, "writer");
    synod__serial_write (self, writer, X, 10);
    synod__serial_end (self, writer, SYNOD__SERIAL_COMMITTED);
    get (self, "new", X, 1, 10);
    get (self, "old", X, 0, 0);
    check (self, "ended before old began");
    self = synod__serial_new (); /* two looks that disagree about the order of two writers */
    for (uint32_t i = 0; i < 2; i++) {
        writer = synod__serial_begin (self, i ? "y" : "x");
        synod__serial_write (self, writer, i, 10);
        synod__serial_seen (self, i, 1, 10);
        uint32_t reader = synod__serial_begin (self, i ? "sees-y" : "sees-x");
        synod__serial_read (self, reader, i, 1);
        synod__serial_read (self, reader, !i, 0);
        synod__serial_end (self, reader, SYNOD__SERIAL_COMMITTED);
    }
    check (self, "sees-x read what was overwritten by y");
}

static void test_versions (void **state)
{
    (void) state;
    synod__serial_t *self = synod__serial_new ();
    uint32_t one = synod__serial_begin (self, "one");
    synod__serial_write (self, one, X, 10);
    synod__serial_write (self, one, Y, 10);
    synod__serial_seen (self, X, 1, 10);
    synod__serial_seen (self, Y, 1, 10);
    synod__serial_seen (self, X, 2, 10);
    check (self, "what one wrote to key 0 was seen as version 1 and as 2");
    self = synod__serial_new ();
    one = synod__serial_begin (self, "one");
    synod__serial_write (self, one, X, 10);
    synod__serial_write (self, one, X, 11);
    synod__serial_seen (self, X, 1, 10);
    synod__serial_seen (self, X, 1, 11);
    check (self, "version 1 of key 0 was seen as 10 and as 11");
    self = synod__serial_new ();
    check (self, NULL);
}

/* ---- against a trial of all orders ---- */

#define TXNS 5
#define KEYS 2

typedef struct {
    uint64_t random;
    uint32_t count, begun[TXNS], ended[TXNS]; /* places among all events */
    uint64_t reads[TXNS][KEYS];               /* the version; UINT64_MAX: does not read it */
    uint64_t wrote[TXNS][KEYS];               /* the version; 0: does not write it */
} trial_t;

static uint64_t draw (trial_t *trial, uint64_t below)
{
    trial->random = trial->random * 6364136223846793005ull + 1442695040888963407ull;
    return (trial->random >> 33) % below;
}

static bool fits (const trial_t *trial, const uint32_t *order, uint32_t count)
{
    uint64_t now[KEYS] = {0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t txn = order[i];
        for (uint32_t k = i + 1; k < count; k++)
            if (trial->ended[order[k]] < trial->begun[txn])
                return false;
        for (uint32_t key = 0; key < KEYS; key++) {
            if (trial->reads[txn][key] != UINT64_MAX && trial->reads[txn][key] != now[key])
                return false;
            if (trial->wrote[txn][key] && trial->wrote[txn][key] < now[key])
                return false;
            now[key] = trial->wrote[txn][key] ? trial->wrote[txn][key] : now[key];
        }
    }
    return true;
}

static bool any_order (const trial_t *trial, uint32_t *order, uint32_t at)
{
    if (at == trial->count)
        return fits (trial, order, at);
    for (uint32_t i = at; i < trial->count; i++) {
        uint32_t was = order[at];
        order[at] = order[i];
        order[i] = was;
        if (any_order (trial, order, at + 1))
            return true;
        order[i] = order[at];
        order[at] = was;
    }
    return false;
}

static void draw_trial (trial_t *trial)
{
    uint64_t versions[KEYS] = {0};
    uint32_t places[2 * TXNS];
    trial->count = 2 + (uint32_t) draw (trial, TXNS - 1);
    for (uint32_t i = 0; i < 2 * TXNS; i++)
        places[i] = i;
    for (uint32_t i = 2 * TXNS; i > 1; i--) {
        uint32_t other = (uint32_t) draw (trial, i), was = places[i - 1];
        places[i - 1] = places[other];
        places[other] = was;
    }
    for (uint32_t i = 0; i < trial->count; i++) {
        uint32_t a = places[2 * i], b = places[2 * i + 1];
        trial->begun[i] = a < b ? a : b;
        trial->ended[i] = a < b ? b : a;
        for (uint32_t key = 0; key < KEYS; key++)
            trial->wrote[i][key] = draw (trial, 2) ? ++versions[key] : 0;
    }
    for (uint32_t i = 0; i < trial->count; i++)
        for (uint32_t key = 0; key < KEYS; key++) { /* often just the one before its own, or it would seldom fit */
            uint64_t before = trial->wrote[i][key] ? trial->wrote[i][key] - 1 : draw (trial, versions[key] + 1);
            trial->reads[i][key] = draw (trial, 3) ? before : UINT64_MAX;
        }
}

/* SEEN: all versions; else only those that are read. */
static bool said (const trial_t *trial, bool seen)
{
    synod__serial_t *self = synod__serial_new ();
    synod_fault_t fault = {0};
    uint32_t number[TXNS] = {0};
    for (uint32_t place = 0; place < 2 * TXNS; place++)
        for (uint32_t i = 0; i < trial->count; i++) {
            if (trial->ended[i] == place)
                synod__serial_end (self, number[i], SYNOD__SERIAL_COMMITTED);
            if (trial->begun[i] != place)
                continue;
            number[i] = synod__serial_begin (self, "t");
            for (uint32_t key = 0; key < KEYS; key++) {
                if (trial->wrote[i][key])
                    synod__serial_write (self, number[i], key, trial->wrote[i][key] + 100);
                if (trial->wrote[i][key] && seen)
                    synod__serial_seen (self, key, trial->wrote[i][key], trial->wrote[i][key] + 100);
                if (trial->reads[i][key] != UINT64_MAX)
                    synod__serial_read (self, number[i], key, trial->reads[i][key]);
                if (trial->reads[i][key] != UINT64_MAX && trial->reads[i][key])
                    synod__serial_seen (self, key, trial->reads[i][key], trial->reads[i][key] + 100);
            }
        }
    bool ok = synod__serial_check (self, &fault, NULL) == SYNOD_OK;
    synod__serial_destroy (&self);
    return ok;
}

static void test_random (void **state)
{
    (void) state;
    uint32_t good = 0, bad = 0, known = 0;
    for (uint64_t seed = 1; seed <= 100000; seed++) {
        trial_t trial = {.random = seed * 0x9e3779b97f4a7c15ull};
        uint32_t order[TXNS] = {0, 1, 2, 3, 4};
        draw_trial (&trial);
        bool is = any_order (&trial, order, 0);
        good += is;
        bad += !is;
        if (said (&trial, true) != is)
            fail_msg ("trial %d: it is %sserializable, and was said to be %s", (int) seed, is ? "" : "not ",
                      is ? "not" : "so");
        bool less = said (&trial, false);
        known += !less;
        if (is && !less)
            fail_msg ("trial %d: with less known it is no longer serializable", (int) seed);
    }
    print_message ("%u serializable, %u not, %u of those known where only what was read was seen\n", good, bad, known);
    assert_true (good > 1000 && bad > 1000 && known > bad / 2);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_lost_update),    cmocka_unit_test (test_write_skew), cmocka_unit_test (test_dirty_read),
        cmocka_unit_test (test_fractured_read), cmocka_unit_test (test_stale),      cmocka_unit_test (test_versions),
        cmocka_unit_test (test_random),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
