/* SPDX-License-Identifier: MPL-2.0
 *
 * Atomic commit in its soup: right, it never breaks an invariant, and all decide when the faults have ended; with any one
 * of the mistakes that are compiled in here it is found out; and under a partition three-phase commit decides both ways,
 * while the other two do not. A failure prints its seed: test_vote_vote SEED PROTOCOL WEATHER [MUTANT] runs it alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include "test/protocol/check.h"
#include "vote_soup.h"

#define SEEDS        10000
#define CUT_SEEDS    5000   /* within which three-phase commit is found out */
#define MUTANT_SEEDS 100000 /* within which each mistake must be found */

static void s_right (synod__vote_protocol_t protocol, soup_weather_t weather, uint32_t seeds)
{
    soup_counts_t counts = {0};
    synod_fault_t fault = {0};
    synod__vote_mutant = SYNOD__VOTE_MUTANT_NONE;
    synod__paxos_mutant = SYNOD__PAXOS_MUTANT_NONE;
    for (uint64_t seed = 0; seed < seeds; seed++)
        if (!soup_run (seed, protocol, weather, &counts, &fault))
            fail_msg ("%s, seed %llu: %s", synod__vote_protocol_name (protocol), (unsigned long long) seed, fault.text);
    print_message ("%-5s %u runs: %u committed, %u aborted, %u crashes, %u handed over, %u lost, %u repeated, %u asked "
                   "peers, %u recovered\n",
                   synod__vote_protocol_name (protocol), counts.runs, counts.committed, counts.aborted, counts.crashes,
                   counts.handed, counts.lost, counts.repeated, counts.asked_peers, counts.recovered);
    /* it is worth nothing if it did not come to it */
    assert_true (counts.committed > seeds / 10 && counts.aborted > seeds / 10 && counts.crashes > seeds &&
                 counts.asked_peers > seeds / 10);
}

static void test_2pc (void **state)
{
    (void) state;
    s_right (SYNOD__VOTE_2PC, SOUP_ASYNC, SEEDS);
}

static void test_3pc (void **state)
{
    (void) state;
    s_right (SYNOD__VOTE_3PC, SOUP_TIMELY, SEEDS);
}

static void test_paxos (void **state)
{
    (void) state;
    s_right (SYNOD__VOTE_PAXOS, SOUP_ASYNC, SEEDS);
}

static void test_parallel (void **state)
{
    (void) state;
    s_right (SYNOD__VOTE_PARALLEL, SOUP_ASYNC, SEEDS);
}

/* The same worlds, cut in two: the one that is known not to stand it is found out, and only that one. */
static void test_cut (void **state)
{
    (void) state;
    soup_counts_t counts = {0};
    synod_fault_t fault = {0};
    s_right (SYNOD__VOTE_2PC, SOUP_CUT, CUT_SEEDS);
    s_right (SYNOD__VOTE_PAXOS, SOUP_CUT, CUT_SEEDS);
    s_right (SYNOD__VOTE_PARALLEL, SOUP_CUT, CUT_SEEDS);
    uint64_t seed = 0;
    while (seed < CUT_SEEDS && soup_run (seed, SYNOD__VOTE_3PC, SOUP_CUT, &counts, &fault))
        seed++;
    assert_true (seed < CUT_SEEDS);
    print_message ("3pc, cut in two, seed %llu: %s\n", (unsigned long long) seed, fault.text);
    assert_non_null (strstr (fault.text, "decided both ways"));
    assert_true (soup_run (seed, SYNOD__VOTE_2PC, SOUP_CUT, &counts, &fault));
    assert_true (soup_run (seed, SYNOD__VOTE_PAXOS, SOUP_CUT, &counts, &fault));
    assert_true (soup_run (seed, SYNOD__VOTE_PARALLEL, SOUP_CUT, &counts, &fault));
}

typedef struct {
    const char *what;
    synod__vote_protocol_t protocol;
    synod__vote_mutant_t mutant;
    synod__paxos_mutant_t paxos;
} planted_t;

#define PLANTED(what, protocol, mutant)                                                     \
    {                                                                                       \
        what, SYNOD__VOTE_##protocol, SYNOD__VOTE_MUTANT_##mutant, SYNOD__PAXOS_MUTANT_NONE \
    }
#define ACCEPTOR(what, mutant)                                                         \
    {                                                                                  \
        what, SYNOD__VOTE_PAXOS, SYNOD__VOTE_MUTANT_NONE, SYNOD__PAXOS_MUTANT_##mutant \
    }

static const planted_t s_planted[] = {
    PLANTED ("vote not persisted", 2PC, VOTE_NOT_WRITTEN),
    PLANTED ("NO not persisted", 2PC, NO_NOT_WRITTEN),
    PLANTED ("COMMIT said before it is forced", 2PC, COMMIT_NOT_FORCED),
    PLANTED ("COMMIT acknowledged before it is forced", 2PC, ACK_NOT_FORCED),
    PLANTED ("END before all acknowledgements", 2PC, END_BEFORE_ACKS),
    PLANTED ("decision before all votes", 2PC, DECISION_BEFORE_ALL),
    PLANTED ("a peer's abort not persisted", 2PC, PEER_ABORT_NOT_WRITTEN),
    PLANTED ("ABORT answered while collecting", 2PC, ABORT_WHILE_COLLECTING),
    PLANTED ("prepared state left behind", 2PC, LEFT_BEHIND),
    PLANTED ("vote not persisted", 3PC, VOTE_NOT_WRITTEN),
    PLANTED ("commit without pre-commit", 3PC, NO_PRECOMMIT),
    PLANTED ("the next leader commits without pre-commit", 3PC, TERMINATION_SKIPS_PRECOMMIT),
    PLANTED ("vote not persisted", PAXOS, VOTE_NOT_WRITTEN),
    PLANTED ("decision before the quorum", PAXOS, DECISION_BEFORE_QUORUM),
    PLANTED ("free choice in recovery", PAXOS, FREE_CHOICE),
    PLANTED ("aborted at the deadline, unasked", PAXOS, TIMEOUT_ABORTS),
    PLANTED ("acceptors forget before all know", PAXOS, FORGET_EARLY),
    PLANTED ("prepared state left behind", PAXOS, LEFT_BEHIND),
    PLANTED ("vote not persisted", PARALLEL, VOTE_NOT_WRITTEN),
    PLANTED ("NO not persisted", PARALLEL, NO_NOT_WRITTEN),
    PLANTED ("decision before all votes", PARALLEL, DECISION_BEFORE_ALL),
    PLANTED ("COMMIT acknowledged before it is forced", PARALLEL, ACK_NOT_FORCED),
    PLANTED ("END before all acknowledgements", PARALLEL, END_BEFORE_ACKS),
    PLANTED ("an abort not persisted when it is asked for", PARALLEL, PEER_ABORT_NOT_WRITTEN),
    PLANTED ("decided without its record", PARALLEL, BEGIN_NOT_WRITTEN),
    PLANTED ("aborted at the deadline, not persisted", PARALLEL, ABORT_NOT_FORCED),
    PLANTED ("who comes back aborts, unasked", PARALLEL, RETURN_ABORTS),
    PLANTED ("prepared state left behind", PARALLEL, LEFT_BEHIND),
    ACCEPTOR ("ballot not persisted", PROMISE_NOT_WRITTEN),
    ACCEPTOR ("acceptance not persisted", ACCEPT_NOT_WRITTEN),
    ACCEPTOR ("acceptor ignores its promise", PROMISE_IGNORED),
    ACCEPTOR ("leader ignores accepted votes", ACCEPTED_IGNORED),
};

static void test_mutants (void **state)
{
    (void) state;
    uint32_t survivors = 0;
    for (size_t i = 0; i < sizeof s_planted / sizeof *s_planted; i++) {
        const planted_t *planted = &s_planted[i];
        soup_weather_t weather = planted->protocol == SYNOD__VOTE_3PC ? SOUP_TIMELY : SOUP_ASYNC;
        soup_counts_t counts = {0};
        synod_fault_t fault = {0};
        uint64_t seed = 0;
        synod__vote_mutant = planted->mutant;
        synod__paxos_mutant = planted->paxos;
        while (seed < MUTANT_SEEDS && soup_run (seed, planted->protocol, weather, &counts, &fault))
            seed++;
        survivors += seed == MUTANT_SEEDS;
        print_message ("%-5s %-44s %s, seed %llu: %s\n", synod__vote_protocol_name (planted->protocol), planted->what,
                       seed < MUTANT_SEEDS ? "found" : "SURVIVED", (unsigned long long) seed, fault.text);
    }
    synod__vote_mutant = SYNOD__VOTE_MUTANT_NONE;
    synod__paxos_mutant = SYNOD__PAXOS_MUTANT_NONE;
    assert_int_equal (survivors, 0);
}

/* ---- what makes no sense, and operators ---- */

static const synod__paxos_self_t s_who = {{"p", 1}, {{1}}};

static void test_wrong (void **state)
{
    (void) state;
    synod__vote_tx_t tx = {.protocol = SYNOD__VOTE_2PC, .parties = 2};
    synod__party_record_t nothing = {0};
    synod__party_t party;
    synod__coordinator_t coordinator;
    static synod__vote_step_t step;
    synod__vote_message_t commit = {.kind = SYNOD__SAY_DECIDED, .outcome = SYNOD__OUTCOME_COMMITTED};
    synod__party_begin (&party, &tx, 1, &nothing, &s_who, true);
    synod__party_take (&party, &commit, 1, &step);
    assert_true (step.code == SYNOD_REFUSED && !step.write && !step.nsends && !step.decided);
    synod__party_take (&party, &(synod__vote_message_t){.kind = SYNOD__SAY_DECIDED}, 1, &step);
    assert_int_equal (step.code, SYNOD_BAD_REQUEST);
    synod__party_take (&party, &(synod__vote_message_t){.kind = SYNOD__SAY_FORGET}, 1, &step);
    assert_int_equal (step.code, SYNOD_BAD_REQUEST);
    synod__party_take (&party, &(synod__vote_message_t){.kind = SYNOD__SAY_ASK, .role = SYNOD__ROLE_PARTY, .from = 2},
                       1, &step);
    assert_true (step.code == SYNOD_BAD_REQUEST && party.record.state == SYNOD__PARTY_IDLE);
    synod__party_force (&party, SYNOD__OUTCOME_ABORTED, &step);
    assert_int_equal (step.code, SYNOD_REFUSED);

    synod__coordinator_begin (&coordinator, &tx, &s_who, 1, &step);
    assert_true (step.nsends == 1 && step.sends[0].bits == 3 && !step.write);
    synod__vote_message_t vote = {
        .kind = SYNOD__SAY_VOTE, .role = SYNOD__ROLE_PARTY, .from = 2, .vote = SYNOD__VOTE_YES};
    synod__coordinator_take (&coordinator, &vote, 1, &step);
    assert_int_equal (step.code, SYNOD_BAD_REQUEST);
    vote.from = 1;
    vote.vote = SYNOD__VOTE_NONE;
    synod__coordinator_take (&coordinator, &vote, 1, &step);
    assert_int_equal (step.code, SYNOD_BAD_REQUEST);
    vote.vote = SYNOD__VOTE_NO;
    synod__coordinator_take (&coordinator, &vote, 1, &step);
    assert_true (step.decided == SYNOD__OUTCOME_ABORTED && step.ended && step.sends[0].bits == 1);
    vote.vote = SYNOD__VOTE_YES; /* after the decision */
    vote.from = 0;
    synod__coordinator_take (&coordinator, &vote, 1, &step);
    assert_true (!step.decided && step.nsends == 1 && step.sends[0].message.outcome == SYNOD__OUTCOME_ABORTED);
    synod__coordinator_free (&coordinator);
    synod__coordinator_begin (&coordinator, &tx, &s_who, 1, &step);
    for (vote.from = 0; vote.from < 2; vote.from++)
        synod__coordinator_take (&coordinator, &vote, 1, &step);
    assert_int_equal (step.decided, SYNOD__OUTCOME_COMMITTED);
    vote.vote = SYNOD__VOTE_NO;
    vote.from = 1;
    synod__coordinator_take (&coordinator, &vote, 1, &step);
    assert_true (!step.decided && !step.write && coordinator.record.outcome == SYNOD__OUTCOME_COMMITTED);
    synod__coordinator_free (&coordinator);
}

static void test_forced (void **state)
{
    (void) state;
    synod__vote_tx_t tx = {.protocol = SYNOD__VOTE_2PC, .parties = 2};
    synod__party_record_t nothing = {0};
    synod__party_t party;
    static synod__vote_step_t step;
    synod__party_begin (&party, &tx, 0, &nothing, &s_who, true);
    synod__party_prepare (&party, SYNOD__VOTE_YES, 1, &step);
    assert_true (step.write == SYNOD__WRITE_FORCED && step.nsends == 1 && step.wait_ms);
    assert_false (synod__party_in_doubt (&party));
    synod__party_timer (&party, 1, &step);
    synod__party_timer (&party, 1, &step);
    assert_true (synod__party_in_doubt (&party) && step.nsends == 2); /* the coordinator, and the peer */
    synod__party_force (&party, SYNOD__OUTCOME_ABORTED, &step);
    assert_true (step.decided == SYNOD__OUTCOME_ABORTED && step.write == SYNOD__WRITE_FORCED && !step.nsends);
    /* it is no decision: a peer that asks is told what it had voted */
    synod__party_take (&party, &(synod__vote_message_t){.kind = SYNOD__SAY_ASK, .role = SYNOD__ROLE_PARTY, .from = 1},
                       1, &step);
    assert_true (step.nsends == 1 && step.sends[0].message.kind == SYNOD__SAY_STATE &&
                 step.sends[0].message.state == SYNOD__PARTY_PREPARED);
    synod__party_take (
        &party, &(synod__vote_message_t){.kind = SYNOD__SAY_DECIDED, .outcome = SYNOD__OUTCOME_COMMITTED}, 1, &step);
    assert_true (step.contradicts && !step.decided);
}

/* Ballot 0 is the participant's whose vote it is, and of the owner that the transaction names. */
static void test_ballot_0 (void **state)
{
    (void) state;
    synod__acceptor_name_t names[3] = {{"a", {{1}}}, {"b", {{2}}}, {"c", {{3}}}};
    synod__vote_tx_t tx = {.protocol = SYNOD__VOTE_PAXOS, .parties = 2};
    synod__paxos_self_t a = {synod_str ("a"), names[0].id};
    synod__paxos_record_t stored = {0};
    synod__party_record_t nothing = {0};
    synod__party_t party;
    static synod__vote_step_t step;
    synod__vote_acceptor_step_t accepted;
    synod_fault_t fault = {0};
    check_ok (synod__paxos_set_make (&tx.acceptors, names, 3, &fault), fault);
    synod__party_begin (&party, &tx, 1, &nothing, &s_who, true);
    synod__party_prepare (&party, SYNOD__VOTE_YES, 1, &step);
    assert_true (step.nsends == 1 && step.sends[0].role == SYNOD__ROLE_ACCEPTOR && step.sends[0].bits == 7);
    synod__vote_message_t vote = step.sends[0].message;
    synod__vote_accept (&tx, 0, &a, &stored, &vote, &accepted);
    assert_true (accepted.write && accepted.nsends == 1 && accepted.send.role == SYNOD__ROLE_COORDINATOR);
    vote.from = 0;
    synod__vote_accept (&tx, 0, &a, &stored, &vote, &accepted);
    assert_true (!accepted.write && !accepted.nsends);
    vote.from = 1;
    vote.role = SYNOD__ROLE_COORDINATOR;
    synod__vote_accept (&tx, 0, &a, &stored, &vote, &accepted);
    assert_true (!accepted.write && !accepted.nsends);
    vote.role = SYNOD__ROLE_PARTY;
    vote.paxos.value = synod_str ("maybe");
    synod__vote_accept (&tx, 0, &a, &stored, &vote, &accepted);
    assert_true (!accepted.write && !accepted.nsends);
    /* another owner than the one that was asked does not vote yes, and one that adopted a yes does not say so itself */
    synod__party_begin (&party, &tx, 1, &nothing, &s_who, false);
    synod__party_prepare (&party, SYNOD__VOTE_YES, 1, &step);
    assert_true (step.decided == SYNOD__OUTCOME_ABORTED && step.sends[0].message.vote == SYNOD__VOTE_NO);
    synod__party_record_t prepared = {.state = SYNOD__PARTY_PREPARED};
    synod__party_begin (&party, &tx, 1, &prepared, &s_who, false);
    synod__party_prepare (&party, SYNOD__VOTE_NO, 1, &step);
    assert_true (step.nsends == 1 && step.sends[0].role == SYNOD__ROLE_COORDINATOR &&
                 step.sends[0].message.vote == SYNOD__VOTE_YES);
}

static int s_one (int argc, char **argv)
{
    soup_counts_t counts = {0};
    synod_fault_t fault = {0};
    if (argc < 4)
        return 2;
    synod__vote_mutant = (synod__vote_mutant_t) (argc > 4 ? strtoul (argv[4], NULL, 10) : 0);
    bool ok = soup_run (strtoull (argv[1], NULL, 10), synod__vote_protocol (synod_str (argv[2])),
                        (soup_weather_t) strtoul (argv[3], NULL, 10), &counts, &fault);
    printf ("%s %s\n", ok ? "holds" : "broken:", fault.text);
    return ok ? 0 : 1;
}

int main (int argc, char **argv)
{
    if (argc > 1)
        return s_one (argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_2pc),      cmocka_unit_test (test_3pc),    cmocka_unit_test (test_paxos),
        cmocka_unit_test (test_parallel), cmocka_unit_test (test_cut),    cmocka_unit_test (test_mutants),
        cmocka_unit_test (test_wrong),    cmocka_unit_test (test_forced), cmocka_unit_test (test_ballot_0),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
