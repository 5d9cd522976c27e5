/* SPDX-License-Identifier: MPL-2.0
 *
 * Scenarios that do what a test of `synod sim` needs: hold, fail from a seed on, fail by a fault alone, die, and cannot
 * be set up.
 */
#include <stdlib.h>
#include <synod/sim.h>

#define FAILS_FROM 5
#define DIES_AT    4

static int on_ping (synod_ctx_t *ctx, void *state, const synod_message_t *message, synod_call_t call)
{
    (void) state, (void) message;
    return call.id ? synod_reply_body (ctx, call, synod_str_n (NULL, 0)) : SYNOD_OK;
}

static const synod_actor_t pong = {.name = "pong", .any = on_ping};

static int one_node (synod_sim_t *sim, void *state)
{
    (void) state;
    return synod_sim_up (sim, "n1", &pong, NULL) ? SYNOD_OK : synod_sim_error (sim)->code;
}

static int fails (synod_sim_t *sim, void *state)
{
    (void) state;
    if (synod_sim_seed (sim) < FAILS_FROM)
        return SYNOD_OK;
    return synod_sim_fail (sim, "seed %d and later fail", FAILS_FROM);
}

/* A crash makes it fail, and nothing else. */
static int watch (synod_sim_t *sim, void *arg)
{
    (void) arg;
    return synod_sim_stats (sim).crashes ? synod_sim_fail (sim, "a node has crashed") : SYNOD_OK;
}

static int fragile (synod_sim_t *sim, void *state)
{
    int rc = one_node (sim, state);
    return rc == SYNOD_OK ? synod_sim_check (sim, "no crash", watch, NULL) : rc;
}

static int dies (synod_sim_t *sim, void *state)
{
    (void) state;
    if (synod_sim_seed (sim) == DIES_AT)
        abort ();
    return SYNOD_OK;
}

static int not_made (synod_sim_t *sim, void *state)
{
    (void) sim, (void) state;
    return SYNOD_INVALID;
}

static const synod_scenario_t scenarios[] = {
    {.name = "holds", .doc = "holds", .setup = one_node},
    {.name = "fails", .doc = "fails from a seed on", .setup = one_node, .finish = fails},
    {.name = "fragile", .doc = "fails by a crash", .setup = fragile},
    {.name = "dies", .doc = "aborts", .setup = one_node, .finish = dies},
    {.name = "unmade", .doc = "cannot be set up", .setup = not_made},
};

SYNOD_SCENARIOS (&scenarios[0], &scenarios[1], &scenarios[2], &scenarios[3], &scenarios[4])
