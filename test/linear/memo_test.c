/* SPDX-License-Identifier: MPL-2.0
 *
 * The table of configurations: each of many different ones is new once and known from then on, whatever part it
 * differs in, though all hashes are bad ones.
 */
#include "check.h"
#include "sim/linear_memo.h"

#define CHUNK (1024 * 1024)
#define WORDS 40 /* of a set */

typedef struct {
    uint64_t done[WORDS], used[WORDS];
    int64_t state;
    synod__configuration_t configuration;
} kept_t;

/* Number N: some words, a state, and a hash that 16 others share. */
static const synod__configuration_t *s_kept (kept_t *kept, uint32_t n)
{
    memset (kept, 0, sizeof *kept);
    kept->configuration = (synod__configuration_t){.hash = n / 16,
                                                   .done = kept->done,
                                                   .from = n % 5,
                                                   .until = n % 5 + 1 + n % 7,
                                                   .used = kept->used,
                                                   .nused = n % 3 ? WORDS : 0,
                                                   .state = &kept->state};
    memset (kept->done, 0xff, kept->configuration.from * sizeof kept->done[0]);
    kept->done[n % 5 + n % 7] = (uint64_t) n / 4 << 32; /* the last one may be 0 */
    if (kept->configuration.nused)
        kept->used[n % WORDS] = n % 11;
    kept->state = n;
    if (n % 2) { /* then the state is that of the one before, and something else differs */
        s_kept (kept, n - 1);
        kept->configuration.until = kept->configuration.from + 8;
        kept->done[kept->configuration.from + 7] = 1;
    }
    return &kept->configuration;
}

static void each_is_new_once (void **state)
{
    (void) state;
    const uint32_t count = 200000;
    synod__memo_t memo = {.model = &synod_counter_model, .chunk = CHUNK, .bound = (size_t) 1 << 30};
    kept_t kept;
    for (int round = 0; round < 2; round++) {
        for (uint32_t n = 0; n < count; n++) {
            assert_int_equal (synod__memo_add (&memo, s_kept (&kept, n)), SYNOD__MEMO_NEW);
            assert_int_equal (synod__memo_add (&memo, s_kept (&kept, n / 2)), SYNOD__MEMO_KNOWN);
        }
        for (uint32_t n = 0; n < count; n++)
            assert_int_equal (synod__memo_add (&memo, s_kept (&kept, n)), SYNOD__MEMO_KNOWN);
        assert_int_equal (memo.count, count);
        size_t memory = memo.memory;
        synod__memo_clear (&memo);
        assert_int_equal (synod__memo_add (&memo, s_kept (&kept, 1)), SYNOD__MEMO_NEW);
        assert_int_equal (memo.memory, memory); /* kept for the next */
        synod__memo_clear (&memo);
    }
    synod__memo_free (&memo);
    assert_int_equal (memo.memory, 0);
}

static void one_bit_makes_a_difference (void **state)
{
    (void) state;
    synod__memo_t memo = {.model = &synod_counter_model, .chunk = CHUNK, .bound = (size_t) 1 << 24};
    uint64_t done[2] = {~(uint64_t) 0, 0}, used[3] = {0};
    int64_t sum = 5;
    synod__configuration_t c = {.done = done, .from = 1, .until = 2, .used = used, .nused = 3, .state = &sum};
    assert_int_equal (synod__memo_add (&memo, &c), SYNOD__MEMO_NEW);
    for (unsigned bit = 0; bit < 64; bit++) {
        done[1] = (uint64_t) 1 << bit;
        assert_int_equal (synod__memo_add (&memo, &c), SYNOD__MEMO_NEW);
    }
    done[1] = 0;
    for (unsigned bit = 0; bit < 192; bit++) {
        used[bit / 64] = (uint64_t) 1 << bit % 64;
        assert_int_equal (synod__memo_add (&memo, &c), SYNOD__MEMO_NEW);
        used[bit / 64] = 0;
    }
    c.from = 0; /* the same bits in other words */
    done[0] = 0;
    assert_int_equal (synod__memo_add (&memo, &c), SYNOD__MEMO_NEW);
    assert_int_equal (synod__memo_add (&memo, &c), SYNOD__MEMO_KNOWN);
    sum = 6;
    assert_int_equal (synod__memo_add (&memo, &c), SYNOD__MEMO_NEW);
    synod__memo_free (&memo);
}

static void the_bound_holds (void **state)
{
    (void) state;
    const size_t bound = 3 * (size_t) CHUNK + 100000;
    synod__memo_t memo = {.model = &synod_counter_model, .chunk = CHUNK, .bound = bound};
    kept_t kept;
    uint32_t n = 0;
    while (synod__memo_add (&memo, s_kept (&kept, n)) == SYNOD__MEMO_NEW)
        n++;
    assert_int_equal (synod__memo_add (&memo, s_kept (&kept, n)), SYNOD__MEMO_FULL);
    assert_in_range (memo.memory, 2 * CHUNK, bound);
    assert_true (n > 10000);
    synod__memo_free (&memo);
    memo.bound = CHUNK; /* no room for buckets and a chunk */
    assert_int_equal (synod__memo_add (&memo, s_kept (&kept, 0)), SYNOD__MEMO_FULL);
    synod__memo_free (&memo);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (each_is_new_once),
        cmocka_unit_test (one_bit_makes_a_difference),
        cmocka_unit_test (the_bound_holds),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
