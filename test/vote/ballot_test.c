/* SPDX-License-Identifier: MPL-2.0
 *
 * Plain votes: when the result is clear, who voted what, and what mistakes are told.
 */
#include <stdio.h>
#include <stdlib.h>
#include "test/protocol/check.h"
#include <synod/sim.h>
#include "actors/vote/ballot.h"

/* Whatever the voters say, in whatever order: a clear result stays, and it is what the rule says of all of them. */
static void test_count (void **state)
{
    (void) state;
    static const uint64_t weights[4] = {1, 2, 3, 5};
    for (uint64_t need = 1; need <= 11; need++)
        for (uint32_t votes = 0; votes < 81; votes++) {
            synod__ballot_result_t clear = SYNOD__BALLOT_OPEN;
            uint64_t yes = 0, no = 0;
            uint32_t rest = votes;
            for (int i = 0; i < 4; i++, rest /= 3) {
                yes += rest % 3 == 1 ? weights[i] : 0;
                no += rest % 3 == 2 ? weights[i] : 0;
                synod__ballot_result_t now = synod__ballot_count (need, 11, yes, no, i == 3);
                assert_true (clear == SYNOD__BALLOT_OPEN || clear == now);
                clear = now;
            }
            assert_int_equal (clear, yes >= need ? SYNOD__BALLOT_PASSED : SYNOD__BALLOT_FAILED);
        }
    uint64_t need;
    synod_fault_t fault = {0};
    assert_true (synod__ballot_need (synod_str (""), 0, 4, &need, &fault) == SYNOD_OK && need == 3);
    assert_true (synod__ballot_need (synod_str ("all"), 0, 4, &need, &fault) == SYNOD_OK && need == 4);
    assert_true (synod__ballot_need (synod_str ("least"), 2, 4, &need, &fault) == SYNOD_OK && need == 2);
    check_fault (synod__ballot_need (synod_str ("least"), 5, 4, &need, &fault), SYNOD_INVALID, fault,
                 "expected a need of 1 to 4, all weights together, got 5");
    check_fault (synod__ballot_need (synod_str ("some"), 5, 4, &need, &fault), SYNOD_INVALID, fault,
                 "expected the rule all, majority or least, got \"some\"");
}

/* ---- through the actors ---- */

#define TRUST_FIELDS(FIELD, OPT) FIELD (u64, number, UINT32_MAX, "is it even?")
SYNOD_RECORD (trust, TRUST_FIELDS, SYNOD_IDEMPOTENT, "a question")

static int on_trust (synod_ctx_t *ctx, void *state, const trust_t *in, synod_call_t call)
{
    const char *node = synod_node (ctx);
    synod__txn_opinion_t out = {.vote = synod_str ("yes")};
    (void) state;
    if (node[1] == '3')
        return synod_error (ctx, SYNOD_REFUSED, "n3 does not vote");
    if (in->number % 2 && node[1] == '2') {
        out.vote = synod_str ("no");
        out.why = synod_str ("it is odd");
    }
    return synod_reply (ctx, call, &synod__txn_opinion_record, &out);
}

static const synod_actor_t voter = {
    .name = "voter",
    .routes = (const synod_route_t[]){SYNOD_ON (trust, on_trust), SYNOD_END},
};

typedef struct {
    bool done;
    int code;
    char text[256], voices[512];
    synod__txn_result_t result;
} answer_t;

static void on_answer (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    answer_t *answer = (answer_t *) arg;
    synod__txn_voice_t voice;
    (void) sim;
    (void) client;
    answer->done = true;
    answer->code = reply->code;
    snprintf (answer->text, sizeof answer->text, "%.*s", SYNOD_STR (reply->message));
    if (reply->code != SYNOD_OK)
        return;
    assert_int_equal (synod_record_unpack (&synod__txn_result_record, reply->body, &answer->result, NULL), SYNOD_OK);
    synod_list_t list = answer->result.voices;
    for (size_t at = 0; synod_list_next (&list, &synod__txn_voice_record, &voice);)
        at += (size_t) snprintf (answer->voices + at, sizeof answer->voices - at, "%.*s=%.*s(%.*s) ",
                                 SYNOD_STR (voice.who), SYNOD_STR (voice.vote), SYNOD_STR (voice.why));
}

static bool is_done (synod_sim_t *sim, void *arg)
{
    (void) sim;
    return ((answer_t *) arg)->done;
}

static answer_t poll (synod_sim_t *sim, int client, const char *rule, const char *const *voters, uint64_t weight,
                      uint64_t number)
{
    answer_t answer = {.done = false};
    synod_buf_t items = {0}, question = {0};
    trust_t trust = {.number = number};
    synod__txn_poll_t in = {.method = synod_str ("trust"), .rule = synod_str (rule), .need = 2, .deadline_ms = 2000};
    synod_record_pack (&trust_record, &trust, &question, NULL);
    in.question = synod_str_n (question.data, question.size);
    for (uint32_t i = 0; voters[i]; i++) {
        synod__txn_voter_t one = {.to = synod_str (voters[i]), .weight = i == 0 ? weight : 0};
        synod_list_add (&in.voters, &items, &synod__txn_voter_record, &one, NULL);
    }
    assert_int_equal (synod_sim_ask (sim, client, "ballot", &synod__txn_poll_record, &in, 10000, on_answer, &answer),
                      SYNOD_OK);
    assert_int_equal (synod_sim_until (sim, is_done, &answer, 20000), SYNOD_OK);
    synod_buf_free (&items);
    synod_buf_free (&question);
    return answer;
}

static void test_polls (void **state)
{
    (void) state;
    static const char *const all[] = {"n1/voter", "n2/voter", "n3/voter", NULL};
    static const char *const two[] = {"n1/voter", "n2/voter", NULL};
    static const char *const twice[] = {"n1/voter", "n1/voter", NULL};
    static const char *const none[] = {NULL}, *const wrong[] = {"n1/", NULL};
    synod_sim_t *sim = synod_sim_new (3, NULL);
    for (int i = 1; i <= 3; i++) {
        char name[8];
        snprintf (name, sizeof name, "n%d", i);
        synod_sim_up (sim, name, &voter, NULL);
    }
    synod_sim_up (sim, "b", &synod__ballot_actor, NULL);
    int client = synod_sim_client (sim, "c");
    assert_int_equal (synod_sim_join (sim, 5000), SYNOD_OK);
    answer_t answer = poll (sim, client, "all", two, 1, 4);
    assert_true (answer.code == SYNOD_OK && answer.result.passed && answer.result.yes == 2);
    answer = poll (sim, client, "all", two, 1, 5);
    assert_true (!answer.result.passed && answer.result.no == 1);
    assert_non_null (strstr (answer.voices, "n2/voter=no(it is odd)"));
    answer = poll (sim, client, "all", all, 1, 4); /* one has no opinion, and that is no yes */
    assert_true (!answer.result.passed && answer.result.yes == 2 && answer.result.missing == 1);
    assert_non_null (strstr (answer.voices, "n3/voter=none(n3 does not vote)"));
    answer = poll (sim, client, "majority", all, 1, 5);
    assert_false (answer.result.passed);
    answer = poll (sim, client, "majority", all, 3, 5); /* n1 alone has more than half */
    assert_true (answer.result.passed && answer.result.yes >= 3);
    answer = poll (sim, client, "least", all, 1, 4);
    assert_true (answer.result.passed);
    answer = poll (sim, client, "most", all, 1, 4);
    assert_true (answer.code == SYNOD_INVALID && strstr (answer.text, "got \"most\""));
    answer = poll (sim, client, "all", twice, 1, 4);
    assert_true (answer.code == SYNOD_INVALID && strstr (answer.text, "n1/voter twice"));
    answer = poll (sim, client, "all", none, 1, 4);
    assert_true (answer.code == SYNOD_TOO_LARGE);
    answer = poll (sim, client, "all", wrong, 1, 4);
    assert_true (answer.code == SYNOD_INVALID);
    synod_sim_crash (sim, synod_sim_find (sim, "n2"));
    answer = poll (sim, client, "all", two, 1, 4);
    assert_true (answer.code == SYNOD_OK && !answer.result.passed && answer.result.missing == 1);
    synod_sim_destroy (&sim);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_count), cmocka_unit_test (test_polls)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
