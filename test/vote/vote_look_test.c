/* SPDX-License-Identifier: MPL-2.0
 *
 * What operators see of transactions, page by page: more of them than an answer has room for.
 */
#include <stdlib.h>
#include "vote_world.h"

#define TXNS 300

/* What all pages together tell: each transaction once. */
typedef struct {
    bool done, more, coordinates;
    uint32_t pages, waits;
    uint8_t seen[TXNS]; /* how often */
    uint64_t number;    /* the last */
    char last[128];
    uint32_t last_size;
} pages_t;

static void note (pages_t *pages, synod_str_t id)
{
    unsigned long at = strtoul (id.data + 1, NULL, 10);
    assert_true (id.data[0] == 't' && at < TXNS);
    pages->seen[at]++;
}

static void on_page (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    pages_t *pages = (pages_t *) arg;
    synod__txn_listed_t listed;
    synod__txn_shown_t shown;
    synod__txn_doubts_t doubts;
    synod__txn_doubt_t doubt;
    (void) sim;
    (void) client;
    assert_int_equal (reply->code, SYNOD_OK);
    pages->done = true;
    pages->pages++;
    if (!pages->coordinates) {
        assert_int_equal (synod_record_unpack (&synod__txn_doubts_record, reply->body, &doubts, NULL), SYNOD_OK);
        while (synod_list_next (&doubts.doubts, &synod__txn_doubt_record, &doubt))
            note (pages, doubt.id);
        pages->more = doubts.more;
        assert_int_equal (doubts.more, doubts.last.size > 0);
        memcpy (pages->last, doubts.last.data ? doubts.last.data : "", doubts.last.size);
        pages->last_size = doubts.last.size;
        return;
    }
    assert_int_equal (synod_record_unpack (&synod__txn_listed_record, reply->body, &listed, NULL), SYNOD_OK);
    while (synod_list_next (&listed.txns, &synod__txn_shown_record, &shown)) {
        synod__txn_seat_t seat;
        note (pages, shown.id);
        assert_true (shown.number > pages->number && shown.since > 0);
        pages->number = shown.number;
        while (synod_list_next (&shown.seats, &synod__txn_seat_record, &seat)) {
            assert_int_equal (seat.waits, synod_str_is (seat.to, "shop#b"));
            pages->waits += seat.waits;
        }
    }
    pages->more = listed.more;
}

static bool have_page (synod_sim_t *sim, void *arg)
{
    (void) sim;
    return ((pages_t *) arg)->done;
}

static void turn_pages (world_t *world, const char *to, pages_t *pages)
{
    do {
        const synod__txn_txns_t txns = {.after = synod_str_n (pages->last_size ? pages->last : NULL, pages->last_size)};
        const synod__txn_list_t list = {.after = pages->number};
        pages->done = false;
        assert_int_equal (synod_sim_ask (world->sim, world->client, to,
                                         pages->coordinates ? &synod__txn_list_record : &synod__txn_txns_record,
                                         pages->coordinates ? (const void *) &list : (const void *) &txns, 3000,
                                         on_page, pages),
                          SYNOD_OK);
        assert_int_equal (synod_sim_until (world->sim, have_page, pages, 5000), SYNOD_OK);
    } while (pages->more);
}

static int say_yes (synod_ctx_t *ctx, void *state, const synod_txn_t *txn, bool *empty)
{
    (void) state;
    (void) empty;
    return synod_put (ctx, synod_str ("last"), txn->id);
}

/* Each waits for a participant that is not there; another one has said yes to all of them. */
static void test_pages (void **state)
{
    (void) state;
    const synod_actor_t till = {.name = "till", .prepare = say_yes};
    static answer_t answers[TXNS];
    const part_t parts[] = {{"m/till", 1}, {"shop#b", -1}};
    world_t world;
    pages_t doubts = {.done = false}, listed = {.coordinates = true};
    char id[8], to[24];
    world_new (&world, true, 1);
    assert_true (synod_sim_up (world.sim, "m", &till, NULL) > 0);
    assert_int_equal (synod_sim_join (world.sim, 5000), SYNOD_OK);
    for (int i = 0; i < TXNS; i++) {
        snprintf (id, sizeof id, "t%d", i);
        begin (&world, id, i % 2 ? "paxos" : "2pc", parts, 2, 60000, &answers[i]);
        if (i % 50 == 49)
            assert_int_equal (synod_sim_run (world.sim, 500), SYNOD_OK);
    }
    turn_pages (&world, "m/till", &doubts);
    assert_int_equal (doubts.pages, 3); /* of 128 */
    for (int i = 0; i < 16 * 8; i++) {  /* in all likelihood a key of each of 16 partitions */
        snprintf (to, sizeof to, "vote#k%d", i);
        listed.number = 0;
        turn_pages (&world, to, &listed);
        for (int k = 0; k < TXNS; k++) /* of a partition that was listed before: the same again */
            listed.seen[k] = listed.seen[k] > 0;
    }
    for (int i = 0; i < TXNS; i++)
        assert_true (doubts.seen[i] == 1 && listed.seen[i] == 1);
    const synod__txn_txns_t wrong = {.after = synod_str ("x")};
    answer_t answer = ask (&world, "m/till", &synod__txn_txns_record, &wrong);
    assert_int_equal (answer.code, SYNOD_INVALID);
    assert_non_null (strstr (answer.text, "expected `last` of an answer"));
    synod_sim_destroy (&world.sim);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_pages)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
