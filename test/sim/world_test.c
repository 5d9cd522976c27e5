/* SPDX-License-Identifier: MPL-2.0
 *
 * The world itself: one seed is one trace, streams of chance are apart, checkers, errors, scripts.
 */
#include "check.h"

static const synod_sim_settings_t brokered, direct = {.direct = true};

/* A busy world under faults; gives its hash. */
static uint64_t s_history (uint64_t seed, const synod_sim_settings_t *settings)
{
    synod_sim_t *sim = world (seed, settings, &counts, 3);
    assert_int_equal (synod_sim_inject_text (sim, "loss=10,dup=10,reorder=10,crash=a@1s+500ms,partition=b@2s+1s"),
                      SYNOD_OK);
    for (int i = 0; i < 200; i++) {
        ask (sim, i % 2 ? "counts" : "a/counts", i % 3 ? &count_record : &add_record, 1, 3000);
        assert_int_equal (synod_sim_run (sim, 20), SYNOD_OK);
    }
    uint64_t hash = synod_sim_hash (sim);
    assert_int_not_equal (synod_sim_stats (sim).crashes, 0);
    assert_int_not_equal (synod_sim_stats (sim).lost, 0);
    synod_sim_destroy (&sim);
    return hash;
}

static void test_determinism (void **state)
{
    (void) state;
    for (int way = 0; way < 2; way++) {
        uint64_t first = s_history (7, way ? &direct : &brokered);
        void *holes[64]; /* the heap is another one the second time */
        for (int i = 0; i < 64; i++)
            holes[i] = malloc (100 + (size_t) i * 64);
        assert_true (s_history (7, way ? &direct : &brokered) == first);
        for (int i = 0; i < 64; i++)
            free (holes[i]);
        assert_true (s_history (8, way ? &direct : &brokered) != first);
    }
}

typedef struct {
    size_t lines, notes;
    char last[4096];
} s_lines_t;

static void s_on_line (void *arg, const char *line)
{
    s_lines_t *lines = (s_lines_t *) arg;
    lines->lines++;
    lines->notes += line[0] == '#';
    assert_null (strchr (line, '\n'));
    snprintf (lines->last, sizeof lines->last, "%s", line);
}

/* Printing changes nothing, and prints what the sniffer would. */
static void test_trace (void **state)
{
    (void) state;
    uint64_t hashes[2];
    for (int loud = 0; loud < 2; loud++) {
        s_lines_t lines = {0};
        synod_sim_t *sim = world (3, NULL, &echoes, 2);
        if (loud)
            synod_sim_trace (sim, s_on_line, &lines);
        for (int i = 0; i < 20; i++)
            assert_int_equal (ask_now (sim, "a/echo", &echo_record, (uint64_t) i), SYNOD_OK);
        hashes[loud] = synod_sim_hash (sim);
        if (loud) {
            assert_in_range (lines.lines, 40, 1000);
            assert_non_null (strstr (lines.last, "a/echo c0/client reply - {\"n\":19} "));
            synod_sim_crash (sim, synod_sim_find (sim, "a"));
            assert_string_equal (strchr (lines.last, 'a'), "a crashes");
        }
        synod_sim_destroy (&sim);
    }
    assert_true (hashes[0] == hashes[1]);
}

/* What the workload draws changes nothing of the world. */
static void test_streams (void **state)
{
    (void) state;
    uint64_t hashes[2];
    for (int more = 0; more < 2; more++) {
        synod_sim_t *sim = world (5, NULL, &echoes, 2);
        for (int i = 0; i < 100 * more; i++)
            synod_sim_random (sim);
        ask_now (sim, "a/echo", &echo_record, 1);
        hashes[more] = synod_sim_hash (sim);
        synod_sim_destroy (&sim);
    }
    assert_true (hashes[0] == hashes[1]);
}

/* When and in which order the notes to b came, while a is asked too. */
static uint64_t s_fates (bool loss)
{
    synod_sim_t *sim = world (9, &direct, &echoes, 2);
    if (loss)
        assert_int_equal (synod_sim_inject_text (sim, "loss=50/c0/a"), SYNOD_OK);
    int64_t start_us = synod_sim_now_us (sim);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 50; i++) {
        note (sim, "b/echo", i);
        ask (sim, "a/echo", &echo_record, i, 100);
        synod_sim_run (sim, 2);
    }
    synod_sim_run (sim, 100);
    assert_in_range (seen.good, loss ? 10 : 50, loss ? 40 : 50);
    for (uint32_t i = 0; i < seen.notes; i++)
        sum = sum * 31 + seen.order[i] * 1000003 + (uint64_t) (seen.at_us[i] - start_us);
    assert_int_equal (seen.notes, 50);
    synod_sim_destroy (&sim);
    return sum;
}

/* A fault on one path leaves the fate of each frame on the others as it was. */
static void test_faults_apart (void **state)
{
    (void) state;
    assert_true (s_fates (false) == s_fates (true));
}

/* ---- checkers ---- */

static int s_few_notes (synod_sim_t *sim, void *arg)
{
    uint32_t most = *(uint32_t *) arg;
    return seen.notes <= most ? SYNOD_OK : synod_sim_fail (sim, "there are %u notes", seen.notes);
}

static void test_checker (void **state)
{
    (void) state;
    uint32_t most = 2;
    synod_sim_t *sim = world (42, NULL, &echoes, 1);
    assert_int_equal (synod_sim_check (sim, "few notes", s_few_notes, &most), SYNOD_OK);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal (synod_sim_violation (sim)->code, SYNOD_OK);
        note (sim, "a/echo", i);
        assert_int_equal (synod_sim_run (sim, 10), i < 2 ? SYNOD_OK : SYNOD_FAILED);
    }
    assert_string_equal (synod_sim_violation (sim)->text, "there are 3 notes");
    assert_non_null (strstr (synod_sim_error (sim)->text, "seed 42, at "));
    assert_int_equal (synod_sim_fail (sim, "another"), SYNOD_FAILED); /* the first one stays */
    assert_string_equal (synod_sim_violation (sim)->text, "there are 3 notes");
    /* it has ended, and says so */
    assert_int_equal (synod_sim_step (sim), SYNOD_INVALID);
    assert_string_equal (synod_sim_error (sim)->text, "the world has ended and cannot be driven: there are 3 notes");
    assert_int_equal (synod_sim_run (sim, 1), SYNOD_INVALID);
    assert_int_equal (synod_sim_join (sim, 1), SYNOD_INVALID);
    assert_int_equal (synod_sim_start (sim, 1), SYNOD_INVALID);
    assert_int_equal (synod_sim_heal (sim), SYNOD_INVALID);
    assert_int_equal (synod_sim_node (sim, "late"), 0);
    note_t in = {.n = 1};
    assert_int_equal (synod_sim_tell (sim, client_of (sim), "a/echo", &note_record, &in), SYNOD_INVALID);
    assert_int_equal (synod_sim_inject_text (sim, "loss=1"), SYNOD_INVALID);
    synod_sim_destroy (&sim);
}

static int s_refuses (synod_sim_t *sim, void *arg)
{
    (void) sim;
    (void) arg;
    return SYNOD_REFUSED;
}

static void test_checker_without_words (void **state)
{
    (void) state;
    synod_sim_t *sim = world (1, NULL, &echoes, 1);
    synod_sim_check (sim, "the moon", s_refuses, NULL);
    assert_int_equal (synod_sim_run (sim, 2000), SYNOD_FAILED);
    assert_string_equal (synod_sim_violation (sim)->text, "the moon does not hold (refused)");
    synod_sim_destroy (&sim);
}

/* ---- misuse ---- */

static void s_drives (synod_sim_t *sim, void *arg)
{
    *(int *) arg = synod_sim_step (sim);
}

static int s_nothing (synod_ctx_t *ctx, void *state, const echo_t *in, synod_call_t call)
{
    (void) ctx;
    (void) state;
    (void) in;
    (void) call;
    return SYNOD_OK;
}

static const synod_actor_t twice = {
    .name = "twice",
    .routes = (const synod_route_t[]){SYNOD_ON (echo, s_nothing), SYNOD_ON (echo, s_nothing), SYNOD_END}};
static const synod_actor_t missing = {.name = "missing",
                                      .routes = (const synod_route_t[]){{&echo_record, NULL}, SYNOD_END}};

static int s_stored_ctx (synod_ctx_t *ctx, void *state, void *arg)
{
    (void) state;
    *(synod_ctx_t **) arg = ctx;
    return SYNOD_OK;
}

static void test_misuse (void **state)
{
    (void) state;
    synod_sim_t *sim = world (1, NULL, &echoes, 1);
    int n = synod_sim_node (sim, "n"), code = -1;
    assert_int_equal (synod_sim_add (sim, n, &twice, NULL), SYNOD_INVALID);
    assert_string_equal (synod_sim_error (sim)->text, "actor twice: two handlers for \"echo\"");
    assert_int_equal (synod_sim_add (sim, n, &missing, NULL), SYNOD_INVALID);
    assert_string_equal (synod_sim_error (sim)->text, "actor missing: no handler for \"echo\"");
    assert_int_equal (synod_sim_add (sim, n, &echoes, NULL), SYNOD_OK);
    assert_int_equal (synod_sim_add (sim, n, &echoes, NULL), SYNOD_NAME_TAKEN);
    assert_int_equal (synod_sim_node (sim, "n"), 0);
    assert_int_equal (synod_sim_error (sim)->code, SYNOD_NAME_TAKEN);
    assert_int_equal (synod_sim_node (sim, "no/name"), 0);
    assert_int_equal (synod_sim_error (sim)->code, SYNOD_BAD_ADDRESS);
    assert_int_equal (synod_sim_start (sim, 99), SYNOD_INVALID);
    assert_int_equal (synod_sim_start (sim, 1), SYNOD_INVALID);
    assert_string_equal (synod_sim_error (sim)->text, "a runs already");
    assert_int_equal (synod_sim_crash (sim, n), SYNOD_STOPPED);
    assert_int_equal (synod_sim_skew (sim, 1, SYNOD_SIM_SKEW_MAX + 1), SYNOD_INVALID);
    assert_int_equal (synod_sim_after (sim, 0, s_drives, &code), SYNOD_OK);
    assert_int_equal (synod_sim_run (sim, 1), SYNOD_OK);
    assert_int_equal (code, SYNOD_INVALID); /* from inside a step */
    /* an actor that calls outside its turn */
    synod_ctx_t *ctx = NULL;
    echo_t in = {.n = 1};
    assert_int_equal (synod_sim_act (sim, 1, "echo", s_stored_ctx, &ctx), SYNOD_OK);
    assert_int_equal (synod_tell (ctx, "a/echo", &echo_record, &in), SYNOD_INVALID);
    assert_int_equal (synod_sim_act (sim, 1, "nobody", s_stored_ctx, &ctx), SYNOD_STOPPED);
    synod_sim_destroy (&sim);
    /* a world in which nothing is to happen */
    sim = synod_sim_new (1, NULL);
    assert_int_equal (synod_sim_step (sim), SYNOD_NOT_FOUND);
    assert_int_equal (synod_sim_run (sim, 5), SYNOD_OK);
    assert_int_equal (synod_sim_now_us (sim), 5000);
    synod_sim_destroy (&sim);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_determinism), cmocka_unit_test (test_trace),
        cmocka_unit_test (test_streams),     cmocka_unit_test (test_faults_apart),
        cmocka_unit_test (test_checker),     cmocka_unit_test (test_checker_without_words),
        cmocka_unit_test (test_misuse),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
