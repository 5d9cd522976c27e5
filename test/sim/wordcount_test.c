/* SPDX-License-Identifier: MPL-2.0
 *
 * The word count's actors, unchanged, in the simulator: several counters, wires that lose and double, counters that
 * die. The result is that of a count made here, in another way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <synod/sim.h>
#include "examples/wordcount/records.h"
#include "examples/wordcount/words.h"

extern const synod_module_t synod_module; /* what the example's shared object exports */

#define CHUNKS     400
#define CHUNK_SIZE 2000
#define WORDS      97 /* how many different ones */

typedef struct {
    char *chunks[CHUNKS];
    uint64_t counted[WORDS]; /* by the actors */
    uint64_t known[WORDS];   /* by this test */
    uint32_t next, done, again;
} s_count_t;

/* The word of a number: two letters and more of the first. */
static size_t s_word (uint32_t number, char *out)
{
    size_t size = 2 + number % 5;
    for (size_t i = 2; i < size; i++)
        out[i] = (char) ('a' + number % 26);
    out[0] = (char) ('a' + number % 26);
    out[1] = (char) ('a' + number / 26);
    out[size] = 0;
    return size;
}

static void s_make (s_count_t *self, synod_sim_t *sim)
{
    static const char *const between[] = {" ", ", ", ".\n", "-", "'", "\t2024 "};
    for (int i = 0; i < CHUNKS; i++) {
        self->chunks[i] = (char *) malloc (CHUNK_SIZE + 32);
        size_t at = 0;
        while (at < CHUNK_SIZE) {
            uint64_t chance = synod_sim_random (sim);
            uint32_t number = (uint32_t) ((chance & 0xffff) * (chance >> 16 & 0xffff) >> 16) * WORDS >> 16;
            size_t size = s_word (number, self->chunks[i] + at);
            if (chance >> 40 & 1)
                self->chunks[i][at] -= 'a' - 'A';
            self->known[number]++;
            at += size;
            at += (size_t) sprintf (self->chunks[i] + at, "%s", between[(chance >> 48) % 6]);
        }
    }
}

static void s_ask (synod_sim_t *sim, int client, uintptr_t chunk);

static void s_add (s_count_t *self, synod_str_t word, uint64_t count)
{
    char known[16];
    for (uint32_t i = 0; i < WORDS; i++) {
        s_word (i, known);
        if (synod_str_is (word, known)) {
            self->counted[i] += count;
            return;
        }
    }
    fail_msg ("no such word: %.*s", SYNOD_STR (word));
}

static s_count_t s_count;

static void s_on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    counts_t counts;
    word_count_t item;
    if (reply->code != SYNOD_OK) {
        s_count.again++;
        s_ask (sim, client, (uintptr_t) arg);
        return;
    }
    assert_int_equal (synod_record_unpack (&counts_record, reply->body, &counts, NULL), SYNOD_OK);
    while (synod_list_next (&counts.words, &word_count_record, &item))
        s_add (&s_count, item.word, item.count);
    s_count.done++;
    if (s_count.next < CHUNKS)
        s_ask (sim, client, s_count.next++);
}

static void s_ask (synod_sim_t *sim, int client, uintptr_t chunk)
{
    count_chunk_t in = {.text = synod_str (s_count.chunks[chunk])};
    if (synod_sim_ask (sim, client, "counter", &count_chunk_record, &in, 2000, s_on_reply, (void *) chunk) != SYNOD_OK)
        fail_msg ("%s", synod_sim_error (sim)->text);
}

static bool s_done (synod_sim_t *sim, void *arg)
{
    (void) sim;
    (void) arg;
    return s_count.done == CHUNKS;
}

static void s_run (bool direct, const char *faults)
{
    synod_sim_settings_t settings = {.direct = direct};
    synod_sim_t *sim = synod_sim_new (11, &settings);
    memset (&s_count, 0, sizeof s_count);
    s_make (&s_count, sim);
    for (char name[] = "w1"; name[1] <= '4'; name[1]++)
        assert_int_not_equal (synod_sim_up (sim, name, synod_module.actors[0], NULL), 0);
    int client = synod_sim_client (sim, "feeder");
    assert_int_equal (synod_sim_join (sim, 10000), SYNOD_OK);
    assert_int_equal (synod_sim_inject_text (sim, faults), SYNOD_OK);
    while (s_count.next < 8)
        s_ask (sim, client, s_count.next++);
    if (synod_sim_until (sim, s_done, NULL, 600000) != SYNOD_OK)
        fail_msg ("%u of %u chunks: %s", s_count.done, CHUNKS, synod_sim_error (sim)->text);
    assert_memory_equal (s_count.counted, s_count.known, sizeof s_count.known);
    if (*faults) {
        assert_int_not_equal (s_count.again, 0);
        assert_in_range (synod_sim_stats (sim).crashes, 2, 2);
    } else
        assert_int_equal (s_count.again, 0);
    synod_sim_destroy (&sim);
    for (int i = 0; i < CHUNKS; i++)
        free (s_count.chunks[i]);
}

static void test_calm (void **state)
{
    s_run (*(bool *) *state, "");
}

static void test_faults (void **state)
{
    s_run (*(bool *) *state, "loss=2,dup=5,crash=w1@5ms+2s,crash=w2:1@10ms+1s,delay=1ms:5ms");
}

static bool yes = true, no = false;

int main (void)
{
    const struct CMUnitTest tests[] = {{"calm, with a broker", test_calm, NULL, NULL, &no},
                                       {"calm, without", test_calm, NULL, NULL, &yes},
                                       {"faults, with a broker", test_faults, NULL, NULL, &no},
                                       {"faults, without", test_faults, NULL, NULL, &yes}};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
