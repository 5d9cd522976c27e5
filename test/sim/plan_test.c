/* SPDX-License-Identifier: MPL-2.0
 *
 * Plans of faults: text there and back, what is refused and in which words, drawing, shrinking.
 */
#include "check.h"

static void s_there_and_back (const char *text, const char *expected)
{
    synod_fault_t fault = {0};
    synod_buf_t out = {0}, again = {0};
    synod_plan_t *plan = synod_plan_parse (text, &fault);
    if (!plan)
        fail_msg ("%s", fault.text);
    assert_int_equal (synod_plan_print (plan, &out), SYNOD_OK);
    assert_string_equal (out.data, expected);
    assert_int_equal (strlen (out.data), out.size);
    synod_plan_t *second = synod_plan_parse (out.data, &fault);
    assert_non_null (second);
    assert_int_equal (synod_plan_print (second, &again), SYNOD_OK);
    assert_string_equal (again.data, out.data);
    assert_int_equal (synod_plan_size (second), synod_plan_size (plan));
    synod_plan_destroy (&plan);
    synod_plan_destroy (&second);
    synod_buf_free (&out);
    synod_buf_free (&again);
}

static void test_text (void **state)
{
    (void) state;
    static const char *const same[] = {
        "",
        "loss=5",
        "loss=0.25/a/b:c@1s+500ms",
        "dup=12.5@250us+1s",
        "reorder=100",
        "loss=0.05",
        "loss=*",
        "delay=1ms:20ms",
        "delay=0s:2s/$broker/a",
        "delay=*",
        "slow=50ms/a/b+3600s",
        "partition=a:b/c:d@1s+2s",
        "partition=*",
        "partition=a+1s",
        "oneway=a/b:$broker@3ms+1us",
        "oneway=*/*",
        "reset=a/b@1s",
        "reset=*3",
        "crash=a@0s+0s",
        "crash=a:3@1s+200ms",
        "crash=*3",
        "wipe=a@1s+1s",
        "full=a",
        "pause=b@1s+10s",
        "pause=b@1500us+1100us",
        "skew=-250/a",
        "skew=*/*",
        "loss=5,dup=2,partition=*,crash=*2,skew=100/a@1s+1s",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        s_there_and_back (same[i], same[i]);
    s_there_and_back (" loss=5%,\n dup=2.50 ,,crash=a@1000ms+0.5s ", "loss=5,dup=2.5,crash=a@1s+500ms");
    s_there_and_back ("pause=a@2m+1h", "pause=a@120s+3600s");
    s_there_and_back ("skew=*", "skew=*/*");
    s_there_and_back ("partition=a@*+*", "partition=a");
}

static void test_refused (void **state)
{
    (void) state;
    static const struct {
        const char *text, *expected;
    } wrong[] = {
        {"los=5",
         "fault 1 of the plan: expected one of loss, dup, reorder, delay, slow, partition, oneway, reset, crash, "
         "wipe, full, pause, skew, got \"los=5\""},
        {"loss=1,loss", "fault 2 of the plan: expected KIND=VALUE, got \"loss\""},
        {"loss=101", "fault 1 of the plan: expected a percentage from 0 to 100, got \"loss=101\""},
        {"loss=-1", "expected a percentage"},
        {"loss=", "expected a percentage"},
        {"dup=two", "expected a percentage"},
        {"loss=5@soon", "expected a time such as 500ms after the @"},
        {"loss=5@1", "expected a time such as 500ms after the @"},
        {"crash=a@1s+-3s", "expected a time such as 500ms after the +"},
        {"loss=5/a", "expected nothing or /FROM/TO after the value"},
        {"loss=5/a/b/c", "expected at most three parts"},
        {"delay=5ms", "expected MIN:MEAN"},
        {"delay=5:6", "expected MIN:MEAN"},
        {"slow=fast", "expected a time such as 50ms"},
        {"partition=", "expected A or A/B"},
        {"partition=a:/b", "expected A or A/B"},
        {"partition=a//b", "expected A or A/B"},
        {"crash=a:b", "expected how many effects after the colon"},
        {"crash=a:-1", "expected how many effects"},
        {"pause=a:b", "expected the name of one node"},
        {"pause=a/b", "expected the name of one node"},
        {"crash=n\xc3\xb6", "expected the name of one node"},
        {"crash=*0", "expected a number from 1 to 1000 after the *"},
        {"skew=5", "expected PPM/NODE"},
        {"skew=900000/a", "expected a skew of up to 200000 ppm"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        synod_fault_t fault = {0};
        synod_plan_t *plan = synod_plan_parse (wrong[i].text, &fault);
        if (plan)
            fail_msg ("taken: %s", wrong[i].text);
        assert_int_equal (fault.code, SYNOD_INVALID);
        if (!strstr (fault.text, wrong[i].expected))
            fail_msg ("%s: %s", wrong[i].text, fault.text);
    }
    /* names are known only to a world */
    static const synod_sim_settings_t direct = {.direct = true};
    synod_sim_t *sim = world (1, &direct, &echoes, 2);
    assert_int_equal (synod_sim_inject_text (sim, "crash=nobody"), SYNOD_NOT_FOUND);
    assert_string_equal (synod_sim_error (sim)->text,
                         "fault 1 of the plan names nobody, and the world has no such node");
    assert_int_equal (synod_sim_inject_text (sim, "loss=1,partition=a/b:x"), SYNOD_NOT_FOUND);
    assert_int_equal (synod_sim_inject_text (sim, "crash=$broker"), SYNOD_NOT_FOUND); /* there is none */
    assert_int_equal (synod_sim_inject_text (sim, "nonsense"), SYNOD_INVALID);
    synod_sim_destroy (&sim);
    sim = world (1, NULL, &echoes, 1);
    assert_int_equal (synod_sim_inject_text (sim, "wipe=$broker"), SYNOD_INVALID);
    assert_int_equal (synod_sim_inject_text (sim, "crash=$broker@1s+1s"), SYNOD_OK);
    synod_sim_destroy (&sim);
}

static char *s_text (const synod_plan_t *plan)
{
    synod_buf_t out = {0};
    assert_int_equal (synod_plan_print (plan, &out), SYNOD_OK);
    return out.data;
}

static void test_draw (void **state)
{
    (void) state;
    synod_sim_t *sim = world (1, NULL, &echoes, 5);
    char *before = NULL;
    uint32_t differ = 0;
    static const char *const kinds[] = {"loss=",  "dup=",   "reorder=", "delay=", "slow=", "partition=",   "oneway=",
                                        "reset=", "crash=", "full=",    "pause=", "skew=", "crash=$broker"};
    uint32_t with[13] = {0};
    for (uint64_t seed = 0; seed < 200; seed++) {
        synod_plan_t *plan = synod_plan_draw (NULL, sim, seed, 60000, NULL);
        synod_plan_t *same = synod_plan_draw (NULL, sim, seed, 60000, NULL);
        char *text = s_text (plan), *again = s_text (same);
        assert_string_equal (text, again);
        differ += before && strcmp (before, text) != 0;
        assert_null (strchr (text, '*'));     /* nothing is open */
        assert_null (strstr (text, "c0"));    /* clients are spared */
        assert_null (strstr (text, "wipe=")); /* nobody's store is taken away */
        s_there_and_back (text, text);
        for (size_t i = 0; i < 13; i++)
            with[i] += strstr (text, kinds[i]) != NULL;
        free (before);
        before = text;
        free (again);
        synod_plan_destroy (&plan);
        synod_plan_destroy (&same);
    }
    free (before);
    assert_in_range (differ, 190, 199);
    for (size_t i = 0; i < 13; i++)
        if (with[i] < 5 || with[i] > 150)
            fail_msg ("%s in %u of 200 plans", kinds[i], with[i]);
    /* what is given stays, and the rest is drawn; one fault less leaves those before it as they were */
    synod_plan_t *open = synod_plan_parse ("loss=5,crash=b@*+1s,partition=*2", NULL);
    synod_plan_t *fewer = synod_plan_parse ("loss=5,crash=b@*+1s", NULL);
    synod_plan_t *plan = synod_plan_draw (open, sim, 3, 60000, NULL);
    synod_plan_t *less = synod_plan_draw (fewer, sim, 3, 60000, NULL);
    assert_int_equal (synod_plan_size (plan), 4);
    char *text = s_text (plan), *part = s_text (less);
    assert_int_equal (strncmp (text, "loss=5,crash=b@", 15), 0);
    assert_int_equal (strncmp (text, part, strlen (part)), 0);
    free (text);
    free (part);
    synod_plan_destroy (&open);
    synod_plan_destroy (&fewer);
    synod_plan_destroy (&plan);
    synod_plan_destroy (&less);
    synod_sim_destroy (&sim);
}

/* ---- shrinking ---- */

typedef struct {
    const char *needs[3];
    uint32_t runs;
} s_culprits_t;

static bool s_fails (void *arg, const synod_plan_t *plan)
{
    s_culprits_t *culprits = (s_culprits_t *) arg;
    char *text = s_text (plan);
    bool fails = true;
    for (int i = 0; i < 3 && culprits->needs[i]; i++)
        fails &= strstr (text, culprits->needs[i]) != NULL;
    free (text);
    culprits->runs++;
    return fails;
}

static void test_shrink (void **state)
{
    (void) state;
    synod_plan_t *plan = synod_plan_parse ("loss=5,dup=2,reorder=3,crash=a@1s+1s,crash=b@2s+8s,pause=a@3s+1s,"
                                           "skew=5/a,partition=a/b@5s+1s,oneway=a/b@6s+1s,full=c@1s+1s",
                                           NULL);
    static const struct {
        s_culprits_t culprits;
        const char *shortest;
    } cases[] = {
        {{{"crash=b"}, 0}, "crash=b@2s+1ms"},
        {{{"dup", "full=c"}, 0}, "dup=0.1,full=c@1s+1ms"},
        {{{"loss=5", "pause=a", "oneway"}, 0}, "loss=5,pause=a@3s+1ms,oneway=a/b@6s+1ms"},
        {{{NULL}, 0}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_culprits_t culprits = cases[i].culprits;
        synod_plan_t *less = synod_plan_shrink (plan, s_fails, &culprits, 200);
        assert_non_null (less);
        char *text = s_text (less);
        assert_string_equal (text, cases[i].shortest);
        assert_in_range (culprits.runs, 1, 100);
        free (text);
        synod_plan_destroy (&less);
    }
    s_culprits_t never = {.needs = {"nothing of the kind"}}, few = {.needs = {"crash=b"}};
    assert_null (synod_plan_shrink (plan, s_fails, &never, 200));
    synod_plan_t *less = synod_plan_shrink (plan, s_fails, &few, 3); /* out of runs: what there is fails still */
    assert_int_equal (few.runs, 4);
    assert_true (s_fails (&few, less));
    synod_plan_destroy (&less);
    synod_plan_destroy (&plan);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_text), cmocka_unit_test (test_refused),
                                       cmocka_unit_test (test_draw), cmocka_unit_test (test_shrink)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
