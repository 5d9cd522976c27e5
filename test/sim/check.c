/* SPDX-License-Identifier: MPL-2.0 */
#include "check.h"

seen_t seen;

static int s_echo (synod_ctx_t *ctx, void *state, const echo_t *in, synod_call_t call)
{
    (void) state;
    number_t out = {.n = in->n};
    return synod_reply (ctx, call, &number_record, &out);
}

static int s_note (synod_ctx_t *ctx, void *state, const note_t *in, synod_call_t call)
{
    (void) state;
    (void) call;
    assert_true (seen.notes < NOTES_MAX);
    seen.at_us[seen.notes] = synod_now_us (ctx);
    seen.order[seen.notes++] = in->n;
    return SYNOD_OK;
}

static int s_init (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) ctx;
    (void) state;
    (void) args;
    seen.starts++;
    return SYNOD_OK;
}

const synod_actor_t echoes = {
    .name = "echo",
    .init = s_init,
    .routes = (const synod_route_t[]){SYNOD_ON (echo, s_echo), SYNOD_ON (note, s_note), SYNOD_END},
};

/* ---- a durable count ---- */

static uint64_t s_stored (synod_ctx_t *ctx)
{
    synod_str_t value;
    uint64_t n = 0;
    if (synod_get (ctx, synod_str ("n"), &value) == SYNOD_OK && value.size == sizeof n)
        memcpy (&n, value.data, sizeof n);
    return n;
}

static int s_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    (void) state;
    number_t out = {.n = s_stored (ctx) + in->n};
    int rc = synod_put (ctx, synod_str ("n"), synod_str_n (&out.n, sizeof out.n));
    return rc == SYNOD_OK ? synod_reply (ctx, call, &number_record, &out) : rc;
}

static int s_count (synod_ctx_t *ctx, void *state, const count_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    number_t out = {.n = s_stored (ctx)};
    return synod_reply (ctx, call, &number_record, &out);
}

const synod_actor_t counts = {
    .name = "counts",
    .init = s_init,
    .routes = (const synod_route_t[]){SYNOD_ON (add, s_add), SYNOD_ON (count, s_count), SYNOD_END},
};

/* ---- ticks ---- */

static int s_tick (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) state;
    seen.ticks++;
    seen.tick_us = synod_now_us (ctx);
    return synod_after (ctx, 100, s_tick, arg, NULL);
}

static int s_first_tick (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) state;
    (void) args;
    return synod_after (ctx, 100, s_tick, 0, NULL);
}

const synod_actor_t ticker = {.name = "ticker", .init = s_first_tick};

/* ---- worlds ---- */

synod_sim_t *world (uint64_t seed, const synod_sim_settings_t *settings, const synod_actor_t *type, int nodes)
{
    memset (&seen, 0, sizeof seen);
    synod_sim_t *sim = synod_sim_new (seed, settings);
    assert_non_null (sim);
    if (getenv ("LOUD"))
        synod_sim_trace_file (sim, stderr);
    for (char name[2] = "a"; name[0] < 'a' + nodes; name[0]++)
        assert_int_not_equal (synod_sim_up (sim, name, type, NULL), 0);
    assert_int_not_equal (synod_sim_client (sim, "c0"), 0);
    if (synod_sim_join (sim, 5000) != SYNOD_OK)
        fail_msg ("%s", synod_sim_error (sim)->text);
    return sim;
}

int client_of (synod_sim_t *sim)
{
    return synod_sim_find (sim, "c0");
}

void note (synod_sim_t *sim, const char *to, uint64_t n)
{
    note_t in = {.n = n};
    assert_int_equal (synod_sim_tell (sim, client_of (sim), to, &note_record, &in), SYNOD_OK);
}

static void s_on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    number_t out = {0};
    (void) sim;
    (void) client;
    (void) arg;
    seen.replies++;
    seen.code = reply->code;
    seen.good += reply->code == SYNOD_OK;
    if (reply->code == SYNOD_OK)
        assert_int_equal (synod_record_unpack (&number_record, reply->body, &out, NULL), SYNOD_OK);
    seen.n = out.n;
}

void ask (synod_sim_t *sim, const char *to, const synod_record_t *record, uint64_t n, uint32_t timeout_ms)
{
    number_t in = {.n = n};
    if (synod_sim_ask (sim, client_of (sim), to, record, &in, timeout_ms, s_on_reply, NULL) != SYNOD_OK)
        fail_msg ("%s", synod_sim_error (sim)->text);
}

static bool s_settled (synod_sim_t *sim, void *arg)
{
    (void) arg;
    return synod_sim_asks (sim) == 0;
}

void settle (synod_sim_t *sim)
{
    if (synod_sim_until (sim, s_settled, NULL, 60000) != SYNOD_OK)
        fail_msg ("%s", synod_sim_error (sim)->text);
}

int ask_now (synod_sim_t *sim, const char *to, const synod_record_t *record, uint64_t n)
{
    ask (sim, to, record, n, 20000);
    settle (sim);
    return seen.code;
}
