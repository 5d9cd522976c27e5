/* SPDX-License-Identifier: MPL-2.0 */
#include "ring_world.h"

const synod_actor_t ring_world_thing = {.name = "thing", .placement = SYNOD_SHARDED};

int up (synod_sim_t *sim, const char *name, const synod__ring_args_t *args)
{
    int node = synod_sim_node (sim, name);
    synod_sim_add (sim, node, &synod__ring_actor, args);
    synod_sim_add (sim, node, &ring_world_thing, NULL);
    synod_sim_start (sim, node);
    return node;
}

const synod__ring_args_t ring_world_args = {.grace_ms = 8000};

void world_new_with (world_t *world, uint64_t seed, const synod__ring_args_t *args)
{
    memset (world, 0, sizeof *world);
    world->sim = synod_sim_new (seed, NULL);
    assert_non_null (world->sim);
    if (getenv ("TRACE"))
        synod_sim_trace_file (world->sim, stderr);
    for (int i = 1; i <= NODES; i++) {
        char name[] = {'n', (char) ('0' + i), 0};
        world->node[i] = up (world->sim, name, args);
    }
    world->client = synod_sim_client (world->sim, "c");
    assert_int_equal (synod_sim_join (world->sim, 10000), SYNOD_OK);
}

void world_new (world_t *world, uint64_t seed)
{
    world_new_with (world, seed, &ring_world_args);
}

void world_end (world_t *world)
{
    synod_sim_destroy (&world->sim);
    synod__epoch_free (&world->epoch);
    free (world->answer.body);
}

void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    answer_t *answer = (answer_t *) arg;
    (void) sim;
    (void) client;
    answer->count++;
    answer->good += reply->code == SYNOD_OK;
    answer->code = reply->code;
    snprintf (answer->message, sizeof answer->message, "%.*s", SYNOD_STR (reply->message));
    free (answer->body);
    answer->body = (char *) malloc (reply->body.size + 1);
    answer->size = reply->body.size;
    if (reply->body.size)
        memcpy (answer->body, reply->body.data, reply->body.size);
}

bool answered (synod_sim_t *sim, void *arg)
{
    (void) arg;
    return synod_sim_asks (sim) == 0;
}

void start (world_t *world, const char *to, const synod_record_t *record, const void *in)
{
    if (synod_sim_ask (world->sim, world->client, to, record, in, 3000, on_reply, &world->answer) != SYNOD_OK)
        fail_msg ("%s", synod_sim_error (world->sim)->text);
}

/* Asks and waits; the code that it came to. */
int ask (world_t *world, const char *to, const synod_record_t *record, const void *in)
{
    start (world, to, record, in);
    assert_int_equal (synod_sim_until (world->sim, answered, NULL, 10000), SYNOD_OK);
    return world->answer.code;
}

void take (world_t *world, const synod_record_t *record, void *out)
{
    if (world->answer.code != SYNOD_OK)
        fail_msg ("%s", world->answer.message);
    assert_int_equal (synod_record_unpack (record, synod_str_n (world->answer.body, world->answer.size), out, NULL),
                      SYNOD_OK);
}

void refused (world_t *world, int code, const char *words)
{
    const answer_t *answer = &world->answer;
    if (answer->code != code || !strstr (answer->message, words))
        fail_msg ("expected %s and \"%s\", got %s and \"%s\"", synod_error_name (code), words,
                  synod_error_name (answer->code), answer->message);
}

/* NODES, KEEPERS: a digit each; KEEPERS may be NULL. */
void begin_init (world_t *world, const char *to, const char *nodes, const char *keepers, synod__ring_init_t in,
                 bool waits)
{
    synod_buf_t items[2] = {{0}};
    for (; *nodes; nodes++) {
        char name[] = {'n', *nodes};
        synod__ring_node_t one = {.node = synod_str_n (name, 2)};
        synod_list_add (&in.nodes, &items[0], &synod__ring_node_record, &one, NULL);
    }
    for (; keepers && *keepers; keepers++) {
        char name[] = {'n', *keepers};
        synod__ring_keeper_t one = {.node = synod_str_n (name, 2)};
        synod_list_add (&in.keepers, &items[1], &synod__ring_keeper_record, &one, NULL);
    }
    if (waits)
        ask (world, to, &synod__ring_init_record, &in);
    else
        start (world, to, &synod__ring_init_record, &in);
    synod_buf_free (&items[0]);
    synod_buf_free (&items[1]);
}

int init (world_t *world, const char *to, const char *nodes, const char *keepers)
{
    begin_init (world, to, nodes, keepers, (synod__ring_init_t){.partitions = 16}, true);
    return world->answer.code;
}

/* The epoch that NODE is in; NULL: none. */
const synod__epoch_t *epoch_of (world_t *world, int node)
{
    char to[] = {'n', (char) ('0' + node), '/', 'r', 'i', 'n', 'g', 0};
    synod__ring_epoch_is_t out;
    synod__epoch_free (&world->epoch);
    if (ask (world, to, &synod__ring_epoch_record, &(synod__ring_epoch_t){0}) == SYNOD_NOT_FOUND)
        return NULL;
    take (world, &synod__ring_epoch_is_record, &out);
    assert_int_equal (synod__epoch_unpack (&world->epoch, out.value, NULL), SYNOD_OK);
    return &world->epoch;
}

uint64_t changed (world_t *world, bool again)
{
    synod__ring_changed_t out;
    take (world, &synod__ring_changed_record, &out);
    assert_int_equal (out.again, again);
    return out.epoch;
}

int join (world_t *world, const char *to, const char *node, uint64_t weight)
{
    return ask (world, to, &synod__ring_join_record, &(synod__ring_join_t){.node = synod_str (node), .weight = weight});
}

int leave (world_t *world, const char *to, const char *node)
{
    return ask (world, to, &synod__ring_leave_record, &(synod__ring_leave_t){.node = synod_str (node)});
}

int set_weight (world_t *world, const char *to, const char *node, uint64_t weight)
{
    return ask (world, to, &synod__ring_weight_record,
                &(synod__ring_weight_t){.node = synod_str (node), .weight = weight});
}

int remove_node (world_t *world, const char *to, const char *node, bool force)
{
    return ask (world, to, &synod__ring_remove_record,
                &(synod__ring_remove_t){.node = synod_str (node), .force = force});
}

int keepers (world_t *world, const char *to, const char *names)
{
    synod__ring_keepers_t in = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    for (; *names; names++) {
        char name[] = {'n', *names};
        synod__ring_keeper_t one = {.node = synod_str_n (name, 2)};
        synod_list_add (&in.keepers, &items, &synod__ring_keeper_record, &one, NULL);
    }
    int code = ask (world, to, &synod__ring_keepers_record, &in);
    synod_buf_free (&items);
    return code;
}

/* Runs until CONDITION of the epoch that NODE is in. */

void until (world_t *world, int node, condition_t *condition, const char *name, int64_t limit_ms)
{
    for (int64_t ms = 0; ms < limit_ms; ms += 50) {
        const synod__epoch_t *epoch = epoch_of (world, node);
        if (epoch && condition (epoch, name))
            return;
        assert_int_equal (synod_sim_run (world->sim, 50), SYNOD_OK);
    }
    fail_msg ("n%d: not within %lld ms", node, (long long) limit_ms);
}

bool is_down (const synod__epoch_t *epoch, const char *name)
{
    const synod__member_t *member = synod__epoch_member (epoch, synod_str (name));
    return member && member->down;
}

bool is_up (const synod__epoch_t *epoch, const char *name)
{
    const synod__member_t *member = synod__epoch_member (epoch, synod_str (name));
    return member && !member->down && member->weight;
}

bool is_gone (const synod__epoch_t *epoch, const char *name)
{
    return !synod__epoch_member (epoch, synod_str (name));
}

bool is_settled (const synod__epoch_t *epoch, const char *name)
{
    const synod__member_t *member = synod__epoch_member (epoch, synod_str (name));
    return !member || member->weight == member->target;
}
