/* SPDX-License-Identifier: MPL-2.0
 *
 * Decisions go on. Nobody shares a node here: coordinators, accounts and acceptors die apart, and stay dead. With F = 1, of
 * three acceptors one may be dead and all coordinators too, at any moment of a transaction: those that have voted decide
 * without them, the same. With two acceptors dead nobody decides anything, until one is there again. Two-phase commit
 * waits for its coordinator.
 */
#include "vote_world.h"

#define TXNS 6

typedef struct {
    world_t world;
    answer_t answers[TXNS];
    int acceptors[3];
} down_t;

static void down_new (down_t *self)
{
    *self = (down_t){.answers = {{.done = false}}};
    world_apart (&self->world);
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf (name, sizeof name, "a%d", i + 1);
        self->acceptors[i] = synod_sim_find (self->world.sim, name);
        assert_true (self->acceptors[i] > 0);
    }
}

static void begin_all (down_t *self, const char *protocol)
{
    for (int i = 0; i < TXNS; i++) {
        char id[8], names[2][16];
        snprintf (id, sizeof id, "t%d", i);
        for (int k = 0; k < 2; k++)
            snprintf (names[k], sizeof names[k], "bank#p%d", 2 * i + k);
        const part_t parts[] = {{names[0], -7}, {names[1], 7}};
        begin (&self->world, id, protocol, parts, 2, 3000, &self->answers[i]);
    }
}

static void run_us (synod_sim_t *sim, int64_t us)
{
    for (int64_t until_us = synod_sim_now_us (sim) + us; synod_sim_now_us (sim) < until_us;)
        assert_int_equal (synod_sim_step (sim), SYNOD_OK);
}

/* What became of them, by their accounts: of each transaction both or none. */
typedef struct {
    int committed, locked;
} end_t;

static end_t look_all (down_t *self)
{
    end_t end = {0};
    for (int i = 0; i < TXNS; i++) {
        int64_t moved[2];
        for (int k = 0; k < 2; k++) {
            char name[16];
            snprintf (name, sizeof name, "bank#p%d", 2 * i + k);
            answer_t account = look (&self->world, name);
            assert_int_equal (account.code, SYNOD_OK);
            end.locked += account.locked;
            moved[k] = account.balance - BANK_START;
        }
        if (!end.locked)
            assert_true (moved[0] == -moved[1] && (moved[0] == 0 || moved[0] == -7));
        if (self->answers[i].done && self->answers[i].code == SYNOD_OK && !end.locked) /* who was told, was told so */
            assert_int_equal (moved[0] != 0, strcmp (self->answers[i].outcome, "committed") == 0);
        end.committed += moved[0] != 0;
    }
    return end;
}

/* All coordinators die so long after they were asked, with DEAD of the acceptors. */
static end_t end_of (down_t *self, const char *protocol, int64_t delay_us, int first, int dead)
{
    down_new (self);
    begin_all (self, protocol);
    run_us (self->world.sim, delay_us);
    for (int i = 0; i < 3; i++)
        assert_int_equal (synod_sim_crash (self->world.sim, self->world.node[i]), SYNOD_OK);
    for (int i = 0; i < dead; i++)
        assert_int_equal (synod_sim_crash (self->world.sim, self->acceptors[(first + i) % 3]), SYNOD_OK);
    assert_int_equal (synod_sim_run (self->world.sim, 20000), SYNOD_OK);
    return look_all (self);
}

#define MOMENTS 30
#define STEP_US 300

static void test_f_dead (void **state)
{
    (void) state;
    down_t self;
    int committed = 0, aborted = 0;
    for (int i = 0; i < MOMENTS; i++) {
        end_t end = end_of (&self, "paxos", i * (int64_t) STEP_US, i % 3, 1);
        assert_int_equal (end.locked, 0);
        committed += end.committed;
        aborted += TXNS - end.committed;
        synod_sim_destroy (&self.world.sim);
    }
    print_message ("without a coordinator and an acceptor: %d committed, %d not\n", committed, aborted);
    assert_true (committed > TXNS && aborted > TXNS);
}

static void test_more_dead (void **state)
{
    (void) state;
    down_t self;
    int waited = 0;
    for (int i = 0; i < MOMENTS; i++) {
        end_t end = end_of (&self, "paxos", i * (int64_t) STEP_US, i % 3, 2);
        waited += end.locked;
        assert_int_equal (synod_sim_start (self.world.sim, self.acceptors[i % 3]), SYNOD_OK);
        assert_int_equal (synod_sim_run (self.world.sim, 40000), SYNOD_OK);
        assert_int_equal (look_all (&self).locked, 0);
        synod_sim_destroy (&self.world.sim);
    }
    assert_true (waited > 0);
}

static void test_two_phase (void **state)
{
    (void) state;
    down_t self;
    int waited = 0;
    for (int i = 0; i < MOMENTS; i++) {
        waited += end_of (&self, "2pc", i * (int64_t) STEP_US, 0, 0).locked;
        for (int k = 0; k < 3; k++)
            assert_int_equal (synod_sim_start (self.world.sim, self.world.node[k]), SYNOD_OK);
        assert_int_equal (synod_sim_run (self.world.sim, 60000), SYNOD_OK);
        assert_int_equal (look_all (&self).locked, 0);
        synod_sim_destroy (&self.world.sim);
    }
    print_message ("two-phase commit: %d accounts were locked for as long as there was no coordinator\n", waited);
    assert_true (waited > 0);
}

/* One acceptor is dead, and the coordinators are there: nobody notices. */
static void test_goes_on (void **state)
{
    (void) state;
    down_t self;
    const part_t parts[] = {{"bank#a", -1}, {"bank#b", 1}};
    for (int dead = 0; dead < 3; dead++) {
        down_new (&self);
        assert_int_equal (synod_sim_crash (self.world.sim, self.acceptors[dead]), SYNOD_OK);
        for (int i = 0; i < 20; i++) {
            char id[8];
            snprintf (id, sizeof id, "t%d", i);
            int64_t before_us = synod_sim_now_us (self.world.sim);
            assert_string_equal (run (&self.world, id, "paxos", parts, 2, 0).outcome, "committed");
            assert_true (i == 0 || synod_sim_now_us (self.world.sim) - before_us < 100000);
            assert_int_equal (synod_sim_run (self.world.sim, 100), SYNOD_OK);
        }
        synod_sim_destroy (&self.world.sim);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_f_dead), cmocka_unit_test (test_more_dead),
                                       cmocka_unit_test (test_two_phase), cmocka_unit_test (test_goes_on)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
