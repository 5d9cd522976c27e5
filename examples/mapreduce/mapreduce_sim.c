/* SPDX-License-Identifier: MPL-2.0
 *
 * Its test in the simulator: three nodes map and reduce pieces of drawn words while they crash, pause and lose messages. A
 * piece that could not be mapped is mapped again. In the end each word is counted as often as it was drawn.
 *
 *     synod sim ./libmapreduce_sim.so --seeds 1..100
 */
#include <stdio.h>
#include <synod/sim.h>
#include "records.h"

#define PIECES   150
#define WORDS    20 /* there are; a..t */
#define LENGTH   12 /* of a piece, in words */
#define EVERY    80 /* ms: a piece */
#define PIECE_MS 60000

typedef struct world_t world_t;

typedef struct {
    world_t *world;
    uint64_t number;
    char text[2 * LENGTH];
} sheet_t;

struct world_t {
    int client;
    uint32_t handed, mapped;
    uint64_t expected[WORDS];
    sheet_t sheets[PIECES];
};

static void ask (synod_sim_t *sim, void *arg);

static void on_mapped (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    sheet_t *sheet = arg;
    (void) client;
    if (reply->code == SYNOD_OK)
        sheet->world->mapped++;
    else
        synod_sim_after (sim, 100000, ask, sheet);
}

static void ask (synod_sim_t *sim, void *arg)
{
    sheet_t *sheet = arg;
    const piece_t in = {
        .job = synod_str ("job"), .number = sheet->number, .text = synod_str_n (sheet->text, sizeof sheet->text)};
    if (synod_sim_ask (sim, sheet->world->client, "map", &piece_record, &in, PIECE_MS, on_mapped, sheet) != SYNOD_OK)
        synod_sim_after (sim, 100000, ask, sheet);
}

static void hand_out (synod_sim_t *sim, void *arg)
{
    world_t *world = arg;
    sheet_t *sheet = &world->sheets[world->handed];
    sheet->world = world;
    sheet->number = world->handed++;
    for (int i = 0; i < LENGTH; i++) {
        uint64_t word = synod_sim_random (sim) % WORDS;
        world->expected[word]++;
        sheet->text[2 * i] = (char) ('a' + word);
        sheet->text[2 * i + 1] = ' ';
    }
    ask (sim, sheet);
    if (world->handed < PIECES)
        synod_sim_after (sim, EVERY * 1000, hand_out, world);
}

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = state;
    for (int i = 1; i <= 3; i++) {
        int node = synod_sim_node (sim, (const char *[]){"", "n1", "n2", "n3"}[i]);
        if (synod_sim_add (sim, node, &map_actor, NULL) != SYNOD_OK ||
            synod_sim_add (sim, node, &reduce_actor, NULL) != SYNOD_OK || synod_sim_start (sim, node) != SYNOD_OK)
            return SYNOD_FAILED;
    }
    world->client = synod_sim_client (sim, "client");
    int code = synod_sim_ring (sim, world->client, 64, 0, 60000);
    return code == SYNOD_OK ? synod_sim_after (sim, 0, hand_out, world) : code;
}

static bool done (synod_sim_t *sim, void *state)
{
    return ((world_t *) state)->mapped == PIECES && synod_sim_asks (sim) == 0;
}

static void on_read (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    const world_t *world = arg;
    total_t total;
    (void) client;
    if (reply->code != SYNOD_OK || synod_record_unpack (&total_record, reply->body, &total, NULL) != SYNOD_OK) {
        synod_sim_fail (sim, "a word cannot be read: %.*s", SYNOD_STR (reply->message));
        return;
    }
    uint64_t expected = world->expected[total.key.data[total.key.size - 1] - 'a'];
    if (total.count != expected)
        synod_sim_fail (sim, "%.*s is counted %d times; it is in the text %d times", SYNOD_STR (total.key),
                        (int) total.count, (int) expected);
}

static bool all_read (synod_sim_t *sim, void *arg)
{
    (void) arg;
    return synod_sim_asks (sim) == 0;
}

static int finish (synod_sim_t *sim, void *state)
{
    world_t *world = state;
    char to[] = "reduce#job/a";
    for (int i = 0; i < WORDS; i++) {
        to[sizeof to - 2] = (char) ('a' + i);
        if (synod_sim_ask (sim, world->client, to, &read_record, &(read_t){0}, 0, on_read, world) != SYNOD_OK)
            return SYNOD_FAILED;
    }
    return synod_sim_until (sim, all_read, NULL, 60000);
}

static const synod_scenario_t scenario = {.name = "mapreduce",
                                          .doc = "each piece is counted once, however often it is mapped",
                                          .either = true,
                                          .state_size = sizeof (world_t),
                                          .setup = setup,
                                          .done = done,
                                          .finish = finish};

SYNOD_SCENARIOS (&scenario)
