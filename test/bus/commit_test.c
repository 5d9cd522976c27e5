/* SPDX-License-Identifier: MPL-2.0
 *
 * Transactions for threads, on a bus with one node that has the table, accounts and a coordinator: each thing that can be
 * done to a key, what they come to, mistakes, doubt, and many under way at once.
 */
#include "handle_bus.h"
#include "actors/kv/kv.h"
#include "actors/vote/vote_actor.h"
#include "protocol/kv_records.h"
#include "tools/vote_bank.h"

#define AT_ONCE 40

static bus_t *bus;
static synod_node_t *service;
static synod_handle_t *handle;

static int commit_set_up (void **state)
{
    static char data[96];
    synod_fault_t fault = {0};
    set_up (state);
    bus = (bus_t *) *state;
    handle = bus->handle;
    snprintf (data, sizeof data, "%s/data", bus->directory);
    const synod_options_t options = {.bus = bus->endpoint, .name = "all", .data = data, .alone = true, .log = quiet};
    service = synod_node_new (&options, &fault);
    assert_non_null (service);
    const synod_actor_t *const types[] = {&synod__kv_actor, &synod__vote_actor, &bank_actor};
    for (int i = 0; i < 3; i++)
        assert_int_equal (synod_node_add (service, types[i], NULL, &fault), SYNOD_OK);
    if (synod_node_start (service, &fault) != SYNOD_OK)
        fail_msg ("node: %s", fault.text);
    assert_ok (handle, synod_handle_await (handle, "vote", LIMIT_MS));
    return 0;
}

static int commit_tear_down (void **state)
{
    synod_node_destroy (&service);
    return tear_down (state);
}

static synod_transaction_t *begin (const char *id)
{
    synod_fault_t fault = {0};
    synod_transaction_t *transaction = synod_transaction_new (&(synod_transaction_options_t){.id = id}, &fault);
    if (!transaction)
        fail_msg ("%s", fault.text);
    return transaction;
}

/* Commits and frees it: "committed", "aborted: WHY", "in doubt: CODE", "not begun: CODE: WHY". */
static const char *end (synod_transaction_t *transaction)
{
    static char text[400];
    synod_decision_t decision;
    switch (synod_handle_commit (handle, transaction, LIMIT_MS, &decision)) {
    case SYNOD_COMMITTED:
        assert_true (decision.code == SYNOD_OK && !*decision.why && !decision.reasons.count && decision.body.data);
        snprintf (text, sizeof text, decision.again ? "committed before" : "committed");
        break;
    case SYNOD_ABORTED:
        assert_true (decision.code == SYNOD_OK);
        snprintf (text, sizeof text, "aborted%s: %s", decision.again ? " before" : "", decision.why);
        break;
    default:
        snprintf (text, sizeof text, "%s: %s: %s", decision.outcome == SYNOD_IN_DOUBT ? "in doubt" : "not begun",
                  synod_error_name (decision.code), decision.why);
    }
    synod_transaction_destroy (&transaction);
    assert_null (transaction);
    return text;
}

/* The value of a key, "-" for none; its version in *VERSION. */
static const char *value_of (const char *key, uint64_t *version)
{
    static char text[100];
    char to[64];
    synod_reply_t reply;
    synod__kv_is_t is;
    snprintf (to, sizeof to, "kv#%s", key);
    assert_ok (handle, synod_handle_ask (handle, to, &synod__kv_get_record, &(synod__kv_get_t){0}, LIMIT_MS, &reply));
    assert_int_equal (synod_record_unpack (&synod__kv_is_record, reply.body, &is, NULL), SYNOD_OK);
    snprintf (text, sizeof text, "%.*s", SYNOD_STR (is.found ? is.data : synod_str ("-")));
    if (version)
        *version = is.version;
    return text;
}

static void test_keys (void **state)
{
    uint64_t version = 0;
    (void) state;
    synod_transaction_t *t = begin (NULL);
    assert_string_equal (synod_transaction_id (t), "");
    assert_int_equal (synod_transaction_put (t, "a", synod_str ("1"), NULL), SYNOD_OK);
    assert_int_equal (synod_transaction_incr (t, "n", 40, NULL), SYNOD_OK);
    assert_int_equal (synod_transaction_put (t, "empty", synod_str (""), NULL), SYNOD_OK);
    assert_int_equal (synod_transaction_add (t, "bank#x", &bank_move_record, &(bank_move_t){.amount = -60}), SYNOD_OK);
    assert_int_equal (synod_transaction_add_body (t, "bank#idle", synod_str_n (NULL, 0)), SYNOD_OK);
    assert_string_equal (end (t), "committed");
    assert_string_equal (value_of ("n", NULL), "40");
    assert_string_equal (value_of ("empty", NULL), "");
    assert_string_equal (value_of ("a", &version), "1");

    t = begin (NULL);
    synod_transaction_put (t, "a", synod_str ("2"), &(synod_change_t){.version = version});
    synod_transaction_delete (t, "empty", &(synod_change_t){.present = true});
    synod_transaction_incr (t, "n", -40, &(synod_change_t){.bounded = true});
    synod_transaction_check (t, "none", &(synod_change_t){.absent = true});
    assert_string_equal (end (t), "committed");
    assert_string_equal (value_of ("empty", NULL), "-");
    assert_string_equal (value_of ("n", NULL), "0");

    static const struct {
        synod_change_t how;
        const char *why;
    } bad[] = {{{.absent = true}, "aborted: kv#a: it has a value already"},
               {{.was = {"1", 1}}, "aborted: kv#a: its value is another one"},
               {{.version = 1ull << 60}, "aborted: kv#a: its version is "}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t = begin (NULL);
        synod_transaction_check (t, "a", &bad[i].how);
        synod_transaction_put (t, "b", synod_str ("x"), NULL);
        const char *text = end (t);
        assert_int_equal (strncmp (text, bad[i].why, strlen (bad[i].why)), 0);
    }
    t = begin (NULL);
    synod_transaction_incr (t, "n", -1, &(synod_change_t){.bounded = true});
    synod_transaction_put (t, "b", synod_str ("x"), NULL);
    assert_string_equal (end (t), "aborted: kv#n: it would be -1, below 0");
    t = begin (NULL);
    synod_transaction_put (t, "a", synod_str ("3"),
                           &(synod_change_t){.was = synod_str ("2"), .fence = 9, .ttl_ms = 60000});
    assert_string_equal (end (t), "committed");
    t = begin (NULL);
    synod_transaction_put (t, "a", synod_str ("4"), &(synod_change_t){.fence = 8});
    assert_string_equal (end (t), "aborted: kv#a: a higher fence was seen, 9");
    assert_string_equal (value_of ("b", NULL), "-");
}

static void test_reasons (void **state)
{
    synod_decision_t decision;
    synod_str_t who, why;
    uint32_t seen = 0;
    (void) state;
    synod_transaction_t *t = begin ("two-say-no");
    synod_transaction_add (t, "bank#x", &bank_move_record, &(bank_move_t){.amount = -500});
    synod_transaction_check (t, "gone", &(synod_change_t){.present = true});
    synod_transaction_put (t, "free", synod_str (""), NULL);
    assert_int_equal (synod_handle_commit (handle, t, LIMIT_MS, &decision), SYNOD_ABORTED);
    while (synod_decision_next (&decision, &who, &why)) {
        seen++;
        assert_true (synod_str_is (who, "bank#x")
                         ? synod_str_is (why, "x holds 100 only")
                         : synod_str_is (who, "kv#gone") && synod_str_is (why, "it has no value"));
    }
    assert_true (seen >= 1 && seen <= 2); /* one no is enough */
    assert_false (decision.again);
    assert_int_equal (synod_handle_commit (handle, t, LIMIT_MS, &decision), SYNOD_ABORTED);
    assert_true (decision.again);
    synod_transaction_destroy (&t);
    t = begin ("once"); /* an id has one outcome, whatever is asked with it */
    synod_transaction_incr (t, "counted", 1, NULL);
    assert_string_equal (end (t), "committed");
    t = begin ("once");
    synod_transaction_put (t, "counted", synod_str ("7"), NULL);
    assert_string_equal (end (t), "committed before");
    assert_string_equal (value_of ("counted", NULL), "1");
}

static void test_mistakes (void **state)
{
    static char value[SYNOD_TRANSACTION_VALUE_MAX + 1], key[SYNOD_KEY_MAX + 2];
    static const struct {
        synod_transaction_options_t options;
        const char *text;
    } bad[] = {{{.id = "no/name"}, "expected an id of 1 to 63"},
               {{.id = ""}, "expected an id of 1 to 63"},
               {{.protocol = "4pc"}, "expected the protocol 2pc, 3pc, paxos or parallel, got \"4pc\""},
               {{.deadline_ms = SYNOD_TRANSACTION_MS_MAX + 1}, "expected a deadline of up to 600000 ms"}};
    synod_fault_t fault = {0};
    synod_decision_t decision;
    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null (synod_transaction_new (&bad[i].options, &fault));
        assert_int_equal (fault.code, SYNOD_INVALID);
        assert_non_null (strstr (fault.text, bad[i].text));
    }
    assert_string_equal (end (begin (NULL)), "not begun: invalid: expected a transaction with something to do, got an "
                                             "empty one");
    /* the first mistake stays, and nothing is begun of what was right */
    synod_transaction_t *t = begin (NULL);
    assert_int_equal (synod_transaction_put (t, "kept", synod_str ("x"), NULL), SYNOD_OK);
    assert_int_equal (synod_transaction_delete (t, "kept", NULL), SYNOD_INVALID);
    assert_int_equal (synod_transaction_put (t, "other", synod_str ("x"), NULL), SYNOD_OK);
    assert_int_equal (synod_transaction_add_body (t, "bank", synod_str_n (NULL, 0)), SYNOD_INVALID);
    assert_string_equal (synod_transaction_error (t), "expected each participant once, got kv#kept twice");
    assert_string_equal (end (t), "not begun: invalid: expected each participant once, got kv#kept twice");
    assert_string_equal (value_of ("other", NULL), "-");
    memset (value, 'v', sizeof value);
    memset (key, 'k', sizeof key - 1);
    t = begin (NULL);
    assert_int_equal (synod_transaction_put (t, "large", synod_str_n (value, sizeof value), NULL), SYNOD_INVALID);
    assert_non_null (strstr (synod_transaction_error (t), "kv#large: "));
    synod_transaction_destroy (&t);
    t = begin (NULL);
    assert_int_equal (synod_transaction_put (t, key, synod_str (""), NULL), SYNOD_INVALID);
    assert_non_null (strstr (synod_transaction_error (t), "expected a key of 1 to 400 bytes, got 401"));
    synod_transaction_destroy (&t);
    t = begin (NULL);
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf (name, sizeof name, "k%d", i);
        assert_int_equal (synod_transaction_put (t, name, synod_str_n (value, SYNOD_TRANSACTION_VALUE_MAX), NULL),
                          i < 3 ? SYNOD_OK : SYNOD_TOO_LARGE);
    }
    assert_non_null (strstr (end (t), "not begun: too-large: a transaction has 245760 bytes at most"));
    t = begin (NULL);
    for (int i = 0; i <= SYNOD_TRANSACTION_PARTS_MAX; i++) {
        char name[8];
        snprintf (name, sizeof name, "k%d", i);
        assert_int_equal (synod_transaction_incr (t, name, 1, NULL),
                          i < SYNOD_TRANSACTION_PARTS_MAX ? SYNOD_OK : SYNOD_TOO_LARGE);
    }
    assert_non_null (strstr (end (t), "32 participants at most"));
    assert_int_equal (synod_handle_commit (handle, NULL, 100, &decision), SYNOD_NOT_BEGUN);
    assert_non_null (strstr (decision.why, "expected a transaction"));
    assert_int_equal (synod_handle_commit (NULL, NULL, 100, NULL), SYNOD_NOT_BEGUN);
    t = begin (NULL);
    synod_transaction_incr (t, "large-enough", 1, NULL);
    for (int i = 0; i < 3; i++) { /* as large as it may be */
        char name[8];
        snprintf (name, sizeof name, "k%d", i);
        synod_transaction_put (t, name, synod_str_n (value, SYNOD_TRANSACTION_VALUE_MAX), NULL);
    }
    assert_string_equal (end (t), "committed");
}

/* Who has stopped waiting does not know; asked again, there is one outcome. */
static void test_doubt (void **state)
{
    synod_decision_t decision;
    (void) state;
    const synod_transaction_options_t options = {.id = "stuck", .deadline_ms = 700};
    synod_transaction_t *t = synod_transaction_new (&options, NULL);
    synod_transaction_incr (t, "doubtful", 1, NULL);
    synod_transaction_add_body (t, "nowhere#x", synod_str_n (NULL, 0));
    assert_int_equal (synod_handle_commit (handle, t, 200, &decision), SYNOD_IN_DOUBT);
    assert_int_equal (decision.code, SYNOD_TIMEOUT);
    assert_int_equal (synod_handle_commit (handle, t, 0, &decision), SYNOD_IN_DOUBT);
    assert_int_equal (synod_handle_commit (handle, t, LIMIT_MS, &decision), SYNOD_ABORTED);
    assert_string_equal (decision.why, "nowhere#x: it had not voted when the time was over: nobody runs that actor");
    synod_transaction_destroy (&t);
    assert_string_equal (value_of ("doubtful", NULL), "-");
}

static void test_nobody (void **state)
{
    synod_decision_t decision;
    synod_transaction_t *t = begin (NULL);
    synod_transaction_incr (t, "n", 1, NULL);
    assert_int_equal (synod_handle_commit (((bus_t *) *state)->handle, t, LIMIT_MS, &decision), SYNOD_NOT_BEGUN);
    assert_int_equal (decision.code, SYNOD_NO_ROUTE);
    synod_transaction_destroy (&t);
}

static void test_at_once (void **state)
{
    uint64_t ids[AT_ONCE], id = 0;
    uint32_t committed = 0;
    (void) state;
    for (int i = 0; i < AT_ONCE; i++) {
        char key[16];
        synod_transaction_t *t = begin (NULL);
        snprintf (key, sizeof key, "at-once-%d", i);
        synod_transaction_incr (t, key, 1, NULL);
        synod_transaction_put (t, i % 2 ? "shared" : key + 1, synod_str ("x"), NULL);
        assert_ok (handle, synod_handle_commit_start (handle, t, LIMIT_MS, &ids[i]));
        synod_transaction_destroy (&t);
    }
    synod_transaction_t *t = begin (NULL);
    assert_int_equal (synod_handle_commit_start (handle, t, LIMIT_MS, &id), SYNOD_INVALID);
    assert_non_null (strstr (synod_handle_error (handle), "an empty one"));
    synod_transaction_destroy (&t);
    for (int i = 0; i < AT_ONCE; i++) {
        synod_reply_t reply;
        synod_decision_t decision;
        assert_ok (handle, synod_handle_wait (handle, LIMIT_MS, &id, &reply));
        bool known = false;
        for (int k = 0; k < AT_ONCE; k++)
            known = known || ids[k] == id;
        assert_true (known);
        committed += synod_decision_of (&reply, &decision) == SYNOD_COMMITTED;
        assert_true (decision.outcome == SYNOD_COMMITTED || decision.outcome == SYNOD_ABORTED);
    }
    assert_true (committed > AT_ONCE / 2); /* all that have no key in common, and one of the others at least */
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_keys),  cmocka_unit_test (test_reasons), cmocka_unit_test (test_mistakes),
        cmocka_unit_test (test_doubt), ON_A_BUS (test_nobody),          cmocka_unit_test (test_at_once),
    };
    return cmocka_run_group_tests (tests, commit_set_up, commit_tear_down);
}
