/* SPDX-License-Identifier: MPL-2.0
 *
 * Paxos in its soup: right, it never breaks an invariant; with any one of the mistakes that are compiled in here, it is
 * found out. A failure prints its seed: test_place_paxos SEED [MUTANT] runs that one alone.
 */
#include "actors/place/paxos.h"
#include "paxos_soup.h"
#include "place_test.h"

#define SEEDS        10000
#define MUTANT_SEEDS 20000 /* within which each mistake must be found */

static void test_right (void **state)
{
    (void) state;
    soup_counts_t counts = {0};
    synod_fault_t fault = {0};
    synod__paxos_mutant = SYNOD__PAXOS_MUTANT_NONE;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        if (!soup_run (seed, &counts, &fault))
            fail_msg ("seed %llu: %s", (unsigned long long) seed, fault.text);
    print_message ("%u runs: %u learned, %u found nothing, %u crashes, %u wipes, %u lost, %u repeated, %u behind\n",
                   counts.runs, counts.learned, counts.not_found, counts.crashes, counts.wipes, counts.lost,
                   counts.repeated, counts.behind);
    /* it is worth nothing if it did not come to it */
    assert_true (counts.learned > SEEDS && counts.not_found > SEEDS / 100 && counts.crashes > SEEDS &&
                 counts.wipes > SEEDS / 20 && counts.lost > SEEDS && counts.repeated > SEEDS && counts.behind > SEEDS);
}

static void test_mutants (void **state)
{
    (void) state;
    static const char *const names[SYNOD__PAXOS_MUTANTS] = {
        [SYNOD__PAXOS_MUTANT_PROMISE_NOT_WRITTEN] = "promise not written",
        [SYNOD__PAXOS_MUTANT_ACCEPT_NOT_WRITTEN] = "accept not written",
        [SYNOD__PAXOS_MUTANT_PROMISE_IGNORED] = "acceptor ignores its promise",
        [SYNOD__PAXOS_MUTANT_ACCEPTED_IGNORED] = "proposer ignores accepted values",
        [SYNOD__PAXOS_MUTANT_ROUND_NOT_WRITTEN] = "ballot used again after a restart",
        [SYNOD__PAXOS_MUTANT_MINORITY] = "a minority is enough",
        [SYNOD__PAXOS_MUTANT_BALLOTS_MIXED] = "learner counts several ballots together",
        [SYNOD__PAXOS_MUTANT_WIPED_COUNTED] = "a wiped acceptor counts",
        [SYNOD__PAXOS_MUTANT_QUERY_OF_ONE] = "nothing at one acceptor is nothing",
        [SYNOD__PAXOS_MUTANT_QUERY_UNMARKED] = "a report to an earlier query counts",
    };
    uint32_t survivors = 0;
    for (int mutant = 1; mutant < SYNOD__PAXOS_MUTANTS; mutant++) {
        soup_counts_t counts = {0};
        synod_fault_t fault = {0};
        uint64_t seed = 0;
        synod__paxos_mutant = (synod__paxos_mutant_t) mutant;
        while (seed < MUTANT_SEEDS && soup_run (seed, &counts, &fault))
            seed++;
        if (seed == MUTANT_SEEDS)
            survivors++;
        print_message ("%-40s %s, seed %llu: %s\n", names[mutant], seed < MUTANT_SEEDS ? "found" : "SURVIVED",
                       (unsigned long long) seed, fault.text);
    }
    synod__paxos_mutant = SYNOD__PAXOS_MUTANT_NONE;
    assert_int_equal (survivors, 0);
}

static synod__acceptor_name_t s_acceptor (const char *name, uint8_t id)
{
    synod__acceptor_name_t one = {.id = {{id, 7}}};
    snprintf (one.name, sizeof one.name, "%s", name);
    return one;
}

static void test_sets (void **state)
{
    (void) state;
    synod__acceptor_name_t names[3] = {s_acceptor ("a2", 2), s_acceptor ("a1", 1), s_acceptor ("a3", 3)};
    synod__acceptor_name_t other[3] = {names[2], names[0], names[1]};
    synod__paxos_set_t set, same, back;
    synod_fault_t fault = {0};
    synod_buf_t packed = {0};
    check_ok (synod__paxos_set_make (&set, names, 3, &fault), fault);
    check_ok (synod__paxos_set_make (&same, other, 3, &fault), fault);
    assert_true (set.digest == same.digest);
    check_ok (synod__paxos_set_same (&set, &same, &fault), fault);
    check_ok (synod__paxos_set_pack (&set, &packed, &fault), fault);
    check_ok (synod__paxos_set_unpack (&back, synod_str_n (packed.data, packed.size), &fault), fault);
    assert_true (back.digest == set.digest && back.count == 3);
    for (size_t size = 0; size < packed.size; size++)
        assert_int_not_equal (synod__paxos_set_unpack (&back, synod_str_n (packed.data, size), &fault), SYNOD_OK);
    check_ok (synod__paxos_set_admits (&set, synod_str ("a2"), &names[0].id, &fault), fault);
    check_fault (synod__paxos_set_admits (&set, synod_str ("a4"), &names[0].id, &fault), SYNOD_NOT_FOUND, fault,
                 "a4 is none of the 3 acceptors");
    check_fault (synod__paxos_set_admits (&set, synod_str ("a2"), &names[1].id, &fault), SYNOD_REFUSED, fault,
                 "a2 has another store than the one that accepts: it was wiped");
    check_ok (synod__paxos_set_make (&same, other, 2, &fault), fault);
    assert_true (set.digest != same.digest);
    check_fault (synod__paxos_set_same (&set, &same, &fault), SYNOD_REFUSED, fault,
                 "expected the 3 acceptors that are recorded, got 2 of them");
    other[0] = s_acceptor ("a4", 4);
    check_ok (synod__paxos_set_make (&same, other, 3, &fault), fault);
    check_fault (synod__paxos_set_same (&set, &same, &fault), SYNOD_REFUSED, fault, "a4 is none of the 3 acceptors");
    check_fault (synod__paxos_set_make (&same, other, 0, &fault), SYNOD_INVALID, fault, "expected 1 to 15 acceptors");
    other[1] = s_acceptor ("a4", 5);
    check_fault (synod__paxos_set_make (&same, other, 3, &fault), SYNOD_INVALID, fault, "got a4 twice");
    other[1] = s_acceptor ("a5", 4);
    check_fault (synod__paxos_set_make (&same, other, 3, &fault), SYNOD_INVALID, fault, "a store of each");
    other[1] = s_acceptor ("a/5", 9);
    check_fault (synod__paxos_set_make (&same, other, 3, &fault), SYNOD_INVALID, fault, "expected the name of a node");
    other[1] = s_acceptor ("a5", 9);
    memset (&other[1].id, 0, sizeof other[1].id);
    check_fault (synod__paxos_set_make (&same, other, 3, &fault), SYNOD_INVALID, fault, "got none");
    synod_buf_free (&packed);
}

/* A message with another set's digest, and one to a wiped acceptor, change nothing and are told so. */
static void test_strangers (void **state)
{
    (void) state;
    synod__acceptor_name_t names[3] = {s_acceptor ("a", 1), s_acceptor ("b", 2), s_acceptor ("c", 3)};
    synod__paxos_set_t set;
    synod_fault_t fault = {0};
    synod__paxos_record_t stored = {0};
    synod__acceptor_step_t step;
    synod__paxos_self_t a = {synod_str ("a"), names[0].id}, wiped = {synod_str ("a"), names[2].id};
    synod__paxos_message_t in = {.kind = SYNOD__PAXOS_PREPARE, .name = synod_str ("b"), .ballot = {1, names[1].id}};
    check_ok (synod__paxos_set_make (&set, names, 3, &fault), fault);
    in.set = set.digest + 1;
    synod__acceptor_step (&set, &a, &stored, &in, &step);
    assert_true (!step.write && step.send && step.message.kind == SYNOD__PAXOS_STRANGER);
    in.set = set.digest;
    synod__acceptor_step (&set, &wiped, &stored, &in, &step);
    assert_true (!step.write && step.send && step.message.kind == SYNOD__PAXOS_STRANGER);
    synod__acceptor_step (&set, &a, &stored, &in, &step);
    assert_true (step.write && step.send && step.message.kind == SYNOD__PAXOS_PROMISE);
    /* rounds that would leave none for others */
    in.ballot.round = SYNOD__ROUND_MAX + 1;
    synod__acceptor_step (&set, &a, &stored, &in, &step);
    assert_true (!step.write && !step.send);
    in.ballot.round = 0;
    synod__acceptor_step (&set, &a, &stored, &in, &step);
    assert_true (!step.write && !step.send);

    synod__proposer_t proposer = {0};
    synod__proposer_step_t out;
    uint64_t round = 0;
    synod__proposer_begin (&proposer, &set, &a, &round, synod_str ("v"), 1, &out);
    assert_true (out.write && out.round == 1 && out.to == 7 && !out.done);
    in = (synod__paxos_message_t){.kind = SYNOD__PAXOS_STRANGER, .set = set.digest, .name = synod_str ("b")};
    synod__proposer_take (&proposer, &in, 1, &out);
    assert_false (out.done);
    in = (synod__paxos_message_t){.kind = SYNOD__PAXOS_PROMISE, .set = set.digest, .name = synod_str ("x")};
    synod__proposer_take (&proposer, &in, 1, &out);
    assert_false (out.done);
    /* c's store is another than the set's */
    in = (synod__paxos_message_t){.kind = SYNOD__PAXOS_PROMISE,
                                  .set = set.digest,
                                  .name = synod_str ("c"),
                                  .id = names[0].id,
                                  .ballot = proposer.ballot};
    synod__proposer_take (&proposer, &in, 1, &out);
    assert_true (out.done && out.code == SYNOD_REFUSED);
    synod__proposer_free (&proposer);
}

static void test_records (void **state)
{
    (void) state;
    synod__paxos_record_t record = {.promised = {9, {{1}}},
                                    .accepted = {8, {{2}}},
                                    .value = synod_str (""),
                                    .chosen = true},
                          back;
    synod_buf_t packed = {0};
    synod_fault_t fault = {0};
    assert_int_equal (synod__paxos_record_pack (&record, &packed), SYNOD_OK);
    check_ok (synod__paxos_record_unpack (&back, synod_str_n (packed.data, packed.size), &fault), fault);
    assert_true (synod__ballot_compare (&back.promised, &record.promised) == 0);
    assert_true (synod__ballot_compare (&back.accepted, &record.accepted) == 0);
    assert_true (back.chosen && back.value.data && back.value.size == 0);
    check_fault (synod__paxos_record_unpack (&back, synod_str ("\x01"), &fault), SYNOD_BAD_REQUEST, fault, "");
    check_fault (synod__paxos_record_unpack (&back, BYTES ("\x82\xa8promised\x05\xabpromised_by\xc4\x01x"), &fault),
                 SYNOD_BAD_REQUEST, fault, "expected 16 bytes as a ballot's proposer, got 1");
    static const char higher[] = "\x84\xa8promised\x05\xabpromised_by\xc4\x10"
                                 "0123456789abcdef"
                                 "\xa8"
                                 "accepted\x06\xab"
                                 "accepted_by\xc4\x10"
                                 "0123456789abcdef";
    check_fault (synod__paxos_record_unpack (&back, BYTES (higher), &fault), SYNOD_BAD_REQUEST, fault,
                 "expected an accepted ballot up to the promised one");
    synod_buf_free (&packed);
}

static int s_one (const char *seed, const char *mutant)
{
    soup_counts_t counts = {0};
    synod_fault_t fault = {0};
    synod__paxos_mutant = (synod__paxos_mutant_t) (mutant ? strtoul (mutant, NULL, 10) : 0);
    bool ok = soup_run (strtoull (seed, NULL, 10), &counts, &fault);
    printf ("%s %s\n", ok ? "holds" : "broken:", fault.text);
    return ok ? 0 : 1;
}

int main (int argc, char **argv)
{
    if (argc > 1)
        return s_one (argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_right),     cmocka_unit_test (test_mutants), cmocka_unit_test (test_sets),
        cmocka_unit_test (test_strangers), cmocka_unit_test (test_records),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
