/* SPDX-License-Identifier: MPL-2.0
 *
 * How fast the simulator is, in one thread: messages delivered a second in a world where clients keep asks under way
 * towards an actor that echoes, and virtual time against real time in a world of five nodes that tick every 100 ms.
 *
 *     sim_speed [SECONDS]   of real time for each, 3
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <synod/sim.h>

#define WINDOW 256 /* asks that a client keeps under way */

#define PING_FIELDS(FIELD, OPT) FIELD (u64, n, UINT64_MAX, "a number")
SYNOD_RECORD (ping, PING_FIELDS, 0, "answered with the same number")
SYNOD_RECORD (pong, PING_FIELDS, 0, "the number")

static double now_s (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static int on_ping (synod_ctx_t *ctx, void *state, const ping_t *in, synod_call_t call)
{
    (void) state;
    pong_t out = {.n = in->n};
    return synod_reply (ctx, call, &pong_record, &out);
}

/* ---- asks among actors ---- */

static int on_pong (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    ping_t in = {.n = arg + 1};
    (void) state;
    if (reply->code != SYNOD_OK)
        return SYNOD_OK;
    return synod_ask (ctx, "echo", &ping_record, &in, 60000, on_pong, in.n);
}

static int on_start (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    int rc = SYNOD_OK;
    (void) state;
    for (uint64_t i = 0; i < WINDOW && rc == SYNOD_OK; i++) {
        ping_t in = {.n = i};
        rc = synod_ask (ctx, "echo", &ping_record, &in, 60000, on_pong, arg + i);
    }
    return rc;
}

static int asker_init (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) state;
    (void) args;
    return synod_after (ctx, 500, on_start, 0, NULL); /* when the directory is there */
}

static const synod_actor_t echo = {.name = "echo",
                                   .routes = (const synod_route_t[]){SYNOD_ON (ping, on_ping), SYNOD_END}};
static const synod_actor_t asker = {.name = "asker", .init = asker_init};

/* ---- ticks ---- */

static int on_tick (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    ++*(uint64_t *) state;
    return synod_after (ctx, 100, on_tick, arg, NULL);
}

static int ticker_init (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) state;
    (void) args;
    return synod_after (ctx, 100, on_tick, 0, NULL);
}

static const synod_actor_t ticker = {.name = "ticker", .state_size = sizeof (uint64_t), .init = ticker_init};

/* Runs the world for SECONDS of real time; real seconds taken. */
static double run (synod_sim_t *sim, double seconds, int64_t step_ms)
{
    double start_s = now_s ();
    while (now_s () - start_s < seconds)
        if (synod_sim_run (sim, step_ms) != SYNOD_OK) {
            fprintf (stderr, "sim_speed: %s\n", synod_sim_error (sim)->text);
            exit (1);
        }
    return now_s () - start_s;
}

static synod_sim_t *world (bool direct, const synod_actor_t *type, int nodes, const synod_actor_t *other, int others)
{
    synod_sim_settings_t settings = {.direct = direct};
    synod_sim_t *sim = synod_sim_new (1, &settings);
    char name[8];
    for (int i = 0; i < nodes + others; i++) {
        snprintf (name, sizeof name, "n%d", i);
        if (!synod_sim_up (sim, name, i < nodes ? type : other, NULL)) {
            fprintf (stderr, "sim_speed: %s\n", synod_sim_error (sim)->text);
            exit (1);
        }
    }
    if (synod_sim_join (sim, 10000) != SYNOD_OK || synod_sim_run (sim, 2000) != SYNOD_OK) {
        fprintf (stderr, "sim_speed: %s\n", synod_sim_error (sim)->text);
        exit (1);
    }
    return sim;
}

int main (int argc, char **argv)
{
    double seconds = argc > 1 ? atof (argv[1]) : 3;
    for (int direct = 0; direct < 2; direct++) {
        const char *way = direct ? "without a broker" : "with a broker";
        synod_sim_t *sim = world (direct, &echo, 2, &asker, 4);
        synod_sim_stats_t before = synod_sim_stats (sim), after;
        double real_s = run (sim, seconds, 10);
        after = synod_sim_stats (sim);
        printf ("echo, %s: %.0f messages/s, %.0f frames/s, %.0f turns/s\n", way,
                (double) (after.messages - before.messages) / real_s, (double) (after.frames - before.frames) / real_s,
                (double) (after.turns - before.turns) / real_s);
        synod_sim_destroy (&sim);
        sim = world (direct, &ticker, 5, NULL, 0);
        int64_t start_us = synod_sim_now_us (sim);
        real_s = run (sim, seconds, 10000);
        printf ("five nodes that tick every 100 ms, %s: %.0f times real time\n", way,
                (double) (synod_sim_now_us (sim) - start_us) / 1e6 / real_s);
        synod_sim_destroy (&sim);
    }
    return 0;
}
