/* SPDX-License-Identifier: MPL-2.0
 *
 * The actors of the runtime's tests.
 */
#include "check.h"

seen_t seen_;

seen_t *seen_new (void)
{
    memset (&seen_, 0, sizeof seen_);
    return &seen_;
}

static int s_sum (synod_ctx_t *ctx, synod_call_t call, const add_t *in)
{
    sum_t out = {.sum = in->a + in->b};
    seen_.by[seen_.handled % ORDER_MAX] = synod_node (ctx)[strlen (synod_node (ctx)) - 1];
    seen_.handled++;
    snprintf (seen_.last_from, sizeof seen_.last_from, "%.*s", SYNOD_STR (synod_from (ctx)));
    return synod_reply (ctx, call, &sum_record, &out);
}

static int s_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    (void) state;
    return s_sum (ctx, call, in);
}

static int s_safe (synod_ctx_t *ctx, void *state, const safe_t *in, synod_call_t call)
{
    (void) state;
    return s_sum (ctx, call, (const add_t *) in);
}

static int s_note (synod_ctx_t *ctx, void *state, const note_t *in, synod_call_t call)
{
    (void) state;
    (void) call;
    if (seen_.notes < ORDER_MAX)
        seen_.order[seen_.notes] = in->a;
    seen_.notes++;
    snprintf (seen_.last_from, sizeof seen_.last_from, "%.*s", SYNOD_STR (synod_from (ctx)));
    snprintf (seen_.last_topic, sizeof seen_.last_topic, "%.*s", SYNOD_STR (synod_topic (ctx)));
    return SYNOD_OK;
}

static int s_answer (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) state;
    sum_t out = {.sum = 7};
    return synod_reply (ctx, (synod_call_t){arg}, &sum_record, &out);
}

/* The first answer is dropped with what else its step staged; the second one counts. */
static int s_answer_in_vain (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    int rc = s_answer (ctx, state, arg);
    assert_int_equal (rc, SYNOD_OK);
    return synod_error (ctx, SYNOD_REFUSED, "planned");
}

static int s_twice (synod_ctx_t *ctx, void *state, const twice_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    assert_int_equal (synod_after (ctx, 10, s_answer_in_vain, call.id, NULL), SYNOD_OK);
    return synod_after (ctx, 20, s_answer, call.id, NULL);
}

static int s_later (synod_ctx_t *ctx, void *state, const later_t *in, synod_call_t call)
{
    (void) state;
    return synod_after (ctx, (uint32_t) in->a, s_answer, call.id, NULL);
}

static int s_never (synod_ctx_t *ctx, void *state, const never_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    (void) call;
    seen_.by[seen_.handled % ORDER_MAX] = synod_node (ctx)[strlen (synod_node (ctx)) - 1];
    seen_.handled++;
    return SYNOD_OK;
}

static int s_keep (synod_ctx_t *ctx, void *state, const keep_t *in, synod_call_t call)
{
    return s_never (ctx, state, (const never_t *) in, call);
}

static int s_crowd (synod_ctx_t *ctx, void *state, const crowd_t *in, synod_call_t call)
{
    bool first = seen_.handled == 0;
    s_never (ctx, state, (const never_t *) in, call);
    return first ? SYNOD_OK : synod_error (ctx, SYNOD_BUSY, "crowded");
}

static int s_refuse (synod_ctx_t *ctx, void *state, const refuse_t *in, synod_call_t call)
{
    (void) state;
    (void) call;
    return synod_error (ctx, SYNOD_REFUSED, "no %d here", (int) in->a);
}

static int s_on_event (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) ctx;
    (void) state;
    (void) arg;
    seen_.events++;
    return SYNOD_OK;
}

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    (void) ctx;
    (void) state;
    sum_t out = {0};
    seen_.replies++;
    seen_.code = reply->code;
    if (arg < 16)
        seen_.answered[arg]++;
    snprintf (seen_.from, sizeof seen_.from, "%.*s", SYNOD_STR (reply->from));
    snprintf (seen_.message, sizeof seen_.message, "%.*s", SYNOD_STR (reply->message));
    if (reply->code == SYNOD_OK && reply->body.data)
        assert_int_equal (synod_record_unpack (&sum_record, reply->body, &out, NULL), SYNOD_OK);
    seen_.sum = out.sum;
    return SYNOD_OK;
}

/* All that can be staged, and then it fails. */
static int s_crash (synod_ctx_t *ctx, void *state, const crash_t *in, synod_call_t call)
{
    (void) state;
    note_t note = {.a = 1};
    sum_t out = {.sum = 1};
    assert_int_equal (synod_tell (ctx, "a/probe", &note_record, &note), SYNOD_OK);
    assert_int_equal (synod_ask (ctx, "a/probe", &note_record, &note, 50, s_on_reply, 9), SYNOD_OK);
    assert_int_equal (synod_after (ctx, 1, s_on_event, 0, NULL), SYNOD_OK);
    assert_int_equal (synod_put (ctx, synod_str ("key"), synod_str ("value")), SYNOD_OK);
    assert_int_equal (synod_publish (ctx, "news.b", &note_record, &note), SYNOD_OK);
    assert_int_equal (synod_subscribe (ctx, "news.>", s_on_event, 0), SYNOD_OK);
    assert_int_equal (synod_reply (ctx, call, &sum_record, &out), SYNOD_OK);
    return synod_error (ctx, in->a ? SYNOD_FAILED : SYNOD_REFUSED, "planned");
}

static int s_halt (synod_ctx_t *ctx, void *state, const halt_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    (void) call;
    return synod_stop (ctx);
}

static int s_init (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) ctx;
    (void) state;
    (void) args;
    seen_.inits++;
    return SYNOD_OK;
}

static void s_fini (synod_ctx_t *ctx, void *state)
{
    (void) ctx;
    (void) state;
    seen_.finis++;
}

static int s_on_ready (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) ctx;
    (void) state;
    (void) arg;
    seen_.readies++;
    return SYNOD_OK;
}

static int s_on_down (synod_ctx_t *ctx, void *state, synod_str_t who, synod_str_t reason, uint64_t arg)
{
    (void) ctx;
    (void) state;
    (void) arg;
    seen_.downs++;
    snprintf (seen_.who, sizeof seen_.who, "%.*s", SYNOD_STR (who));
    snprintf (seen_.reason, sizeof seen_.reason, "%.*s", SYNOD_STR (reason));
    return SYNOD_OK;
}

static const synod_route_t s_routes[] = {
    SYNOD_ON (add, s_add),     SYNOD_ON (safe, s_safe), SYNOD_ON (note, s_note),   SYNOD_ON (later, s_later),
    SYNOD_ON (never, s_never), SYNOD_ON (keep, s_keep), SYNOD_ON (crowd, s_crowd), SYNOD_ON (refuse, s_refuse),
    SYNOD_ON (crash, s_crash), SYNOD_ON (halt, s_halt), SYNOD_ON (twice, s_twice), SYNOD_END};

const synod_actor_t probe = {.name = "probe", .routes = s_routes};
const synod_actor_t server = {.name = "server", .state_size = 8, .init = s_init, .fini = s_fini, .routes = s_routes};
const synod_actor_t second = {.name = "second", .routes = s_routes};

/* ---- steps ---- */

typedef struct {
    const char *to;
    const char *method;
    add_t in;
    uint32_t timeout_ms;
    uint64_t arg;
} s_step_t;

static int s_do_ask (synod_ctx_t *ctx, void *arg)
{
    s_step_t *step = (s_step_t *) arg;
    static const synod_record_t *const records[] = {&add_record,   &safe_record, &note_record,  &later_record,
                                                    &never_record, &keep_record, &crowd_record, &refuse_record,
                                                    &crash_record, &halt_record, &twice_record, &odd_record};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        if (strcmp (records[i]->name, step->method) == 0)
            return synod_ask (ctx, step->to, records[i], &step->in, step->timeout_ms, s_on_reply, step->arg);
    fail_msg ("no method %s", step->method);
    return SYNOD_INVALID;
}

int ask (mh_node_t *node, const char *to, const char *method, int64_t a, int64_t b, uint32_t timeout_ms, uint64_t arg)
{
    s_step_t step = {to, method, {.a = a, .b = b}, timeout_ms, arg};
    return mh_step (node, &probe, s_do_ask, &step);
}

static int s_do_tell (synod_ctx_t *ctx, void *arg)
{
    s_step_t *step = (s_step_t *) arg;
    return synod_tell (ctx, step->to, &note_record, &step->in);
}

int tell (mh_node_t *node, const char *to, int64_t a)
{
    s_step_t step = {.to = to, .in = {.a = a}};
    return mh_step (node, &probe, s_do_tell, &step);
}

static int s_do_publish (synod_ctx_t *ctx, void *arg)
{
    s_step_t *step = (s_step_t *) arg;
    return synod_publish (ctx, step->to, &note_record, &step->in);
}

int publish (mh_node_t *node, const char *topic, int64_t a)
{
    s_step_t step = {.to = topic, .in = {.a = a}};
    return mh_step (node, &probe, s_do_publish, &step);
}

static int s_do_subscribe (synod_ctx_t *ctx, void *arg)
{
    return synod_subscribe (ctx, (const char *) arg, s_on_ready, 0);
}

int subscribe (mh_node_t *node, const char *pattern)
{
    return mh_step (node, &probe, s_do_subscribe, (void *) pattern);
}

static int s_do_unsubscribe (synod_ctx_t *ctx, void *arg)
{
    return synod_unsubscribe (ctx, (const char *) arg);
}

int unsubscribe (mh_node_t *node, const char *pattern)
{
    return mh_step (node, &probe, s_do_unsubscribe, (void *) pattern);
}

static int s_do_monitor (synod_ctx_t *ctx, void *arg)
{
    return synod_monitor (ctx, (const char *) arg, s_on_down, 0);
}

int monitor (mh_node_t *node, const char *who)
{
    return mh_step (node, &probe, s_do_monitor, (void *) who);
}

static int s_do_unmonitor (synod_ctx_t *ctx, void *arg)
{
    return synod_unmonitor (ctx, (const char *) arg);
}

int unmonitor (mh_node_t *node, const char *who)
{
    return mh_step (node, &probe, s_do_unmonitor, (void *) who);
}

bool replied (void *arg)
{
    return seen_.replies >= *(uint32_t *) arg;
}

bool noted (void *arg)
{
    return seen_.notes >= *(uint32_t *) arg;
}
