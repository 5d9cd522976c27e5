/* SPDX-License-Identifier: MPL-2.0
 *
 * The worlds of the voting actors' tests.
 */
#include "vote_world.h"

static void on_answer (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    answer_t *answer = (answer_t *) arg;
    synod__txn_outcome_t out;
    synod__txn_reason_t reason;
    bank_account_t account;
    (void) sim;
    (void) client;
    answer->done = true;
    answer->code = reply->code;
    snprintf (answer->text, sizeof answer->text, "%.*s", SYNOD_STR (reply->message));
    if (reply->code == SYNOD_OK &&
        synod_record_unpack (&synod__txn_outcome_record, reply->body, &out, NULL) == SYNOD_OK) {
        snprintf (answer->outcome, sizeof answer->outcome, "%.*s", SYNOD_STR (out.outcome));
        answer->again = out.again;
        answer->reasons = out.reasons.count;
        if (synod_list_next (&out.reasons, &synod__txn_reason_record, &reason))
            snprintf (answer->why, sizeof answer->why, "%.*s: %.*s", SYNOD_STR (reason.who), SYNOD_STR (reason.why));
    } else if (reply->code == SYNOD_OK &&
               synod_record_unpack (&bank_account_record, reply->body, &account, NULL) == SYNOD_OK) {
        answer->balance = account.balance;
        answer->locked = account.locked.size > 0;
    }
}

bool is_done (synod_sim_t *sim, void *arg)
{
    (void) sim;
    return ((answer_t *) arg)->done;
}

answer_t ask (world_t *world, const char *to, const synod_record_t *record, const void *in)
{
    answer_t answer = {.done = false};
    assert_int_equal (synod_sim_ask (world->sim, world->client, to, record, in, 20000, on_answer, &answer), SYNOD_OK);
    assert_int_equal (synod_sim_until (world->sim, is_done, &answer, 30000), SYNOD_OK);
    return answer;
}

void begin (world_t *world, const char *id, const char *protocol, const part_t *parts, uint32_t count,
            uint64_t deadline_ms, answer_t *answer)
{
    synod__txn_commit_t in = {.id = synod_str (id), .deadline_ms = deadline_ms};
    synod_buf_t items = {0}, op = {0};
    char to[96];
    if (protocol)
        in.protocol = synod_str (protocol);
    for (uint32_t i = 0; i < count; i++) {
        bank_move_t move = {.amount = parts[i].amount};
        op.size = 0;
        assert_int_equal (synod_record_pack (&bank_move_record, &move, &op, NULL), SYNOD_OK);
        synod__txn_part_t part = {.to = synod_str (parts[i].to), .op = synod_str_n (op.data, op.size)};
        assert_int_equal (synod_list_add (&in.parts, &items, &synod__txn_part_record, &part, NULL), SYNOD_OK);
    }
    snprintf (to, sizeof to, "vote#%s", id);
    assert_int_equal (
        synod_sim_ask (world->sim, world->client, to, &synod__txn_commit_record, &in, 20000, on_answer, answer),
        SYNOD_OK);
    synod_buf_free (&items);
    synod_buf_free (&op);
}

answer_t run (world_t *world, const char *id, const char *protocol, const part_t *parts, uint32_t count,
              uint64_t deadline_ms)
{
    answer_t answer = {.done = false};
    begin (world, id, protocol, parts, count, deadline_ms, &answer);
    assert_int_equal (synod_sim_until (world->sim, is_done, &answer, 30000), SYNOD_OK);
    return answer;
}

answer_t look (world_t *world, const char *account)
{
    bank_look_t in = {0};
    return ask (world, account, &bank_look_record, &in);
}

void world_new (world_t *world, bool acceptors, uint32_t replicas)
{
    synod__paxos_init_t paxos = {.acceptors = {.count = 0}};
    synod_buf_t items = {0};
    world->sim = synod_sim_new (7, NULL);
    for (int i = 0; i < NODES; i++) {
        char name[8];
        snprintf (name, sizeof name, "n%d", i + 1);
        world->node[i] = synod_sim_node (world->sim, name);
        const synod_actor_t *const types[] = {&bank_actor, &synod__vote_actor, &synod__paxos_actor};
        for (size_t t = 0; t < 3; t++)
            assert_int_equal (synod_sim_add (world->sim, world->node[i], types[t], NULL), SYNOD_OK);
        assert_int_equal (synod_sim_start (world->sim, world->node[i]), SYNOD_OK);
        synod__paxos_acceptor_t acceptor = {.node = synod_str (synod_sim_name (world->sim, world->node[i]))};
        synod_list_add (&paxos.acceptors, &items, &synod__paxos_acceptor_record, &acceptor, NULL);
    }
    world->client = synod_sim_client (world->sim, "c");
    assert_int_equal (synod_sim_join (world->sim, 5000), SYNOD_OK);
    assert_int_equal (synod_sim_ring (world->sim, world->client, 16, replicas, 20000), SYNOD_OK);
    if (acceptors)
        assert_int_equal (ask (world, "n1/paxos", &synod__paxos_init_record, &paxos).code, SYNOD_OK);
    synod_buf_free (&items);
}

void world_apart (world_t *world)
{
    static const synod_actor_t *const types[] = {&synod__vote_actor, &bank_actor, &synod__paxos_actor};
    synod__paxos_init_t paxos = {.acceptors = {.count = 0}};
    synod_buf_t items = {0};
    world->sim = synod_sim_new (11, NULL);
    for (int i = 0; i < 9; i++) {
        char name[8];
        snprintf (name, sizeof name, "%c%d", "vba"[i / 3], i % 3 + 1);
        int node = synod_sim_node (world->sim, name);
        assert_int_equal (synod_sim_add (world->sim, node, types[i / 3], NULL), SYNOD_OK);
        assert_int_equal (synod_sim_start (world->sim, node), SYNOD_OK);
        synod__paxos_acceptor_t acceptor = {.node = synod_str (synod_sim_name (world->sim, node))};
        if (i >= 6)
            synod_list_add (&paxos.acceptors, &items, &synod__paxos_acceptor_record, &acceptor, NULL);
        if (i < 3)
            world->node[i] = node;
    }
    world->client = synod_sim_client (world->sim, "c");
    assert_int_equal (synod_sim_join (world->sim, 5000), SYNOD_OK);
    assert_int_equal (synod_sim_ring (world->sim, world->client, 16, 1, 20000), SYNOD_OK);
    assert_int_equal (ask (world, "a1/paxos", &synod__paxos_init_record, &paxos).code, SYNOD_OK);
    assert_int_equal (synod_sim_run (world->sim, 3000), SYNOD_OK);
    synod_buf_free (&items);
}
