/* SPDX-License-Identifier: MPL-2.0
 *
 * A node's life against an embedded broker: how it starts, fails to start, drains, ends, and what it does to the
 * program around it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <czmq.h>
#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <synod/synod.h>

#include "bus/poller.h"

#define LIMIT_MS 10000

#define NONE_FIELDS(FIELD, OPT)
#define LATER_FIELDS(FIELD, OPT) FIELD (u64, ms, 60000, "answer in so many milliseconds")
SYNOD_RECORD (hold, NONE_FIELDS, 0, "never answer")
SYNOD_RECORD (later, LATER_FIELDS, 0, "answer later")
SYNOD_RECORD (done, NONE_FIELDS, 0, "the answer")

/* ---- an actor that counts its lives ---- */

static atomic_int inits, finis, asked;

typedef struct {
    synod_call_t call;
} state_t;

static int on_init (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) ctx, (void) state, (void) args;
    atomic_fetch_add (&inits, 1);
    return SYNOD_OK;
}

static void on_fini (synod_ctx_t *ctx, void *state)
{
    (void) ctx, (void) state;
    atomic_fetch_add (&finis, 1);
}

static int on_hold (synod_ctx_t *ctx, void *state, const hold_t *in, synod_call_t call)
{
    (void) ctx, (void) in;
    ((state_t *) state)->call = call;
    atomic_fetch_add (&asked, 1);
    return SYNOD_OK;
}

static int on_time (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) arg;
    return synod_reply (ctx, ((state_t *) state)->call, &done_record, &(done_t){0});
}

static int on_later (synod_ctx_t *ctx, void *state, const later_t *in, synod_call_t call)
{
    ((state_t *) state)->call = call;
    atomic_fetch_add (&asked, 1);
    return synod_after (ctx, (uint32_t) in->ms, on_time, 0, NULL);
}

static const synod_route_t routes[] = {SYNOD_ON (hold, on_hold), SYNOD_ON (later, on_later), SYNOD_END};
static const synod_actor_t worker = {
    .name = "worker", .state_size = sizeof (state_t), .init = on_init, .fini = on_fini, .routes = routes};

static int on_bad_init (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) state, (void) args;
    return synod_error (ctx, SYNOD_REFUSED, "there is no %s here", "coffee");
}
static const synod_actor_t broken = {.name = "broken", .init = on_bad_init, .fini = on_fini};

/* ---- the surroundings ---- */

static synod_broker_t *broker;

static int set_up (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    broker = synod_broker_new (&(synod_broker_options_t){.listen = "tcp://127.0.0.1:*"}, &fault);
    if (!broker)
        fail_msg ("%s", fault.text);
    inits = finis = asked = 0;
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    synod_broker_destroy (&broker, 1000);
    return 0;
}

static synod_options_t at_broker (const char *name)
{
    return (synod_options_t){.bus = synod_broker_endpoint (broker), .name = name};
}

static synod_node_t *node_of (const synod_options_t *options, const synod_actor_t *type)
{
    synod_fault_t fault = {0};
    synod_node_t *node = synod_node_new (options, &fault);
    if (!node || (type && synod_node_add (node, type, NULL, &fault) != SYNOD_OK))
        fail_msg ("%s", fault.text);
    return node;
}

static synod_node_t *started (const synod_options_t *options)
{
    synod_fault_t fault = {0};
    synod_node_t *node = node_of (options, &worker);
    if (synod_node_start (node, &fault) != SYNOD_OK)
        fail_msg ("%s", fault.text);
    return node;
}

static int count_threads (void)
{
    int count = 0;
    DIR *folder = opendir ("/proc/self/task");
    assert_non_null (folder);
#ifdef __SANITIZE_THREAD__
    count--; /* the sanitizer's own */
#endif
    for (struct dirent *entry; (entry = readdir (folder));)
        count += entry->d_name[0] != '.';
    closedir (folder);
    return count;
}

/* A thread that has been joined stays listed for a moment. */
static void threads_are (int count)
{
    int64_t limit = synod__now_us () + LIMIT_MS * 1000;
    while (count_threads () != count) {
        assert_true (synod__now_us () < limit);
        zmq_poll (NULL, 0, 1);
    }
}

static bool readable (synod_node_t *node)
{
    zmq_pollitem_t item = {zsock_resolve (synod_node_pipe (node)), 0, ZMQ_POLLIN, 0};
    return zmq_poll (&item, 1, 0) > 0;
}

/* ---- starting ---- */

static void never_started (void **state)
{
    (void) state;
    synod_options_t options = at_broker ("idler");
    synod_node_t *node = node_of (&options, &worker);
    assert_string_equal (synod_node_name (node), "idler");
    assert_null (synod_node_pipe (node));
    assert_int_equal (synod_node_wait (node, 0, NULL), SYNOD_INVALID);
    synod_node_stop (node);
    synod_node_destroy (&node);
    assert_null (node);
    synod_node_destroy (&node); /* of nothing */
    assert_int_equal (inits + finis, 0);

    synod_fault_t fault = {0};
    options.name = "no/slash";
    assert_null (synod_node_new (&options, &fault));
    assert_int_equal (fault.code, SYNOD_BAD_ADDRESS);
    assert_non_null (strstr (fault.text, "no/slash"));
    options = (synod_options_t){.bus = "carrier-pigeon://here"};
    assert_null (synod_node_new (&options, &fault));
    assert_int_equal (fault.code, SYNOD_INVALID);
    assert_non_null (strstr (fault.text, "carrier-pigeon"));
}

static void life (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    synod_options_t options = at_broker ("alive");
    synod_node_t *node = started (&options);
    assert_int_equal (inits, 1);
    assert_int_equal (synod_node_add (node, &broken, NULL, &fault), SYNOD_INVALID);
    assert_int_equal (synod_node_start (node, &fault), SYNOD_INVALID);
    assert_int_equal (synod_node_wait (node, 20, &fault), SYNOD_TIMEOUT);
    assert_false (readable (node));
    synod_node_stop (node);
    synod_node_stop (node); /* again: nothing more */
    assert_int_equal (synod_node_wait (node, LIMIT_MS, &fault), SYNOD_OK);
    assert_true (readable (node));
    assert_int_equal (synod_node_wait (node, 0, &fault), SYNOD_OK); /* as often as one likes */
    assert_true (readable (node));
    assert_int_equal (finis, 1);
    synod_node_destroy (&node);
    assert_int_equal (finis, 1);
}

static void destroyed_at_work (void **state)
{
    (void) state;
    synod_options_t options = at_broker ("cut-short");
    for (int i = 0; i < 50; i++) { /* often: the two ends of the pipe go at about the same time */
        synod_node_t *node = started (&options);
        if (i % 2) {
            synod_node_stop (node);
            assert_int_equal (synod_node_wait (node, LIMIT_MS, NULL), SYNOD_OK);
        }
        synod_node_destroy (&node);
        assert_int_equal (finis, i + 1);
    }
    assert_int_equal (inits, 50);
}

static void nobody_there (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    synod_options_t options = at_broker (NULL);
    char endpoint[256];
    snprintf (endpoint, sizeof endpoint, "%s", options.bus);
    synod_broker_destroy (&broker, 0);
    threads_are (3); /* this one, ZeroMQ's two */
    options.bus = endpoint;
    options.connect_ms = 100;
    synod_node_t *node = node_of (&options, &worker);
    int64_t begun_us = synod__now_us ();
    assert_int_equal (synod_node_start (node, &fault), SYNOD_TIMEOUT);
    assert_in_range (synod__now_us () - begun_us, 100000, 5000000);
    assert_non_null (strstr (fault.text, endpoint));
    assert_true (readable (node));
    assert_int_equal (inits, finis);
    threads_are (3);
    assert_int_equal (synod_node_wait (node, 0, NULL), SYNOD_TIMEOUT);
    assert_int_equal (synod_node_start (node, &fault), SYNOD_INVALID);
    synod_node_destroy (&node);
}

static void init_fails (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    synod_options_t options = at_broker ("sorry");
    synod_node_t *node = node_of (&options, &worker);
    assert_int_equal (synod_node_add (node, &broken, NULL, &fault), SYNOD_OK);
    assert_int_equal (synod_node_start (node, &fault), SYNOD_REFUSED);
    assert_non_null (strstr (fault.text, "there is no coffee here"));
    assert_int_equal (inits, 1);
    assert_int_equal (finis, 1); /* of the one whose init had run */
    synod_node_destroy (&node);
    assert_int_equal (finis, 1);
}

static void name_taken (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    synod_options_t options = at_broker ("twin");
    options.heartbeat_ms = 100;
    synod_node_t *first = started (&options);
    synod_node_t *second = node_of (&options, &worker);
    assert_int_equal (synod_node_start (second, &fault), SYNOD_NAME_TAKEN);
    assert_non_null (strstr (fault.text, "twin"));
    assert_int_equal (synod_node_wait (first, 0, NULL), SYNOD_TIMEOUT); /* it goes on */
    synod_node_destroy (&second);
    synod_node_destroy (&first);
}

/* ---- draining ---- */

/* What has been asked before a node stops is answered. */
static void drains_over (bool direct)
{
    synod_options_t options = at_broker ("drainer");
    synod_node_t *node = started (&options);
    synod_options_t mine = at_broker (NULL);
    synod_fault_t fault = {0};
    synod_handle_t *handle = synod_handle_new (&mine, &fault);
    assert_non_null (handle);
    if (direct)
        assert_int_equal (synod_handle_link (handle, "drainer", LIMIT_MS), SYNOD_OK);
    uint64_t id = 0, over = 0;
    synod_reply_t reply = {0};
    assert_int_equal (
        synod_handle_ask_start (handle, "drainer/worker", &later_record, &(later_t){.ms = 300}, LIMIT_MS, &id),
        SYNOD_OK);
    for (int64_t limit = synod__now_us () + LIMIT_MS * 1000; asked == 0;) {
        assert_true (synod__now_us () < limit);
        synod_handle_poll (handle, 10);
    }
    synod_node_stop (node);
    assert_int_equal (synod_handle_wait (handle, LIMIT_MS, &over, &reply), SYNOD_OK);
    assert_int_equal (over, id);
    if (reply.code != SYNOD_OK)
        fail_msg ("%.*s", SYNOD_STR (reply.message));
    assert_int_equal (synod_node_wait (node, LIMIT_MS, NULL), SYNOD_OK);
    /* the next life by that name */
    synod_node_destroy (&node);
    node = started (&options);
    assert_int_equal (synod_handle_await (handle, "drainer/worker", LIMIT_MS), SYNOD_OK);
    int code = SYNOD_NODE_DOWN; /* as long as the handle has not heard of the former one's end */
    for (int64_t limit = synod__now_us () + LIMIT_MS * 1000; code == SYNOD_NODE_DOWN && synod__now_us () < limit;)
        code = synod_handle_ask (handle, "drainer/worker", &later_record, &(later_t){.ms = 1}, LIMIT_MS, &reply);
    assert_int_equal (code, SYNOD_OK);
    synod_node_destroy (&node);
    synod_handle_destroy (&handle);
}

static void drains (void **state)
{
    (void) state;
    drains_over (false);
}

static void drains_directly (void **state)
{
    (void) state;
    drains_over (true);
}

/* What is never answered holds a node up for drain_ms and no longer. */
static void drain_ends (void **state)
{
    (void) state;
    synod_options_t options = at_broker ("patient");
    options.drain_ms = 200;
    synod_node_t *node = started (&options);
    synod_options_t mine = at_broker (NULL);
    synod_handle_t *handle = synod_handle_new (&mine, NULL);
    assert_non_null (handle);
    uint64_t id = 0;
    synod_reply_t reply = {0};
    assert_int_equal (synod_handle_ask_start (handle, "patient/worker", &hold_record, &(hold_t){0}, LIMIT_MS * 3, &id),
                      SYNOD_OK);
    for (int64_t limit = synod__now_us () + LIMIT_MS * 1000; asked == 0;) {
        assert_true (synod__now_us () < limit);
        synod_handle_poll (handle, 10);
    }
    int64_t begun_us = synod__now_us ();
    synod_node_stop (node);
    assert_int_equal (synod_node_wait (node, LIMIT_MS, NULL), SYNOD_OK);
    assert_in_range (synod__now_us () - begun_us, 190000, 3000000);
    assert_int_equal (synod_handle_wait (handle, LIMIT_MS, &id, &reply), SYNOD_OK);
    assert_int_equal (reply.code, SYNOD_STOPPED);
    synod_node_destroy (&node);
    synod_handle_destroy (&handle);
}

/* ---- the program around it ---- */

static volatile sig_atomic_t alarms;

static void on_alarm (int number)
{
    (void) number;
    alarms++;
}

typedef struct {
    pthread_t whom;
    atomic_bool over;
} storm_t;

/* One after another, without a pause: what can be interrupted is. */
static void *send_alarms (void *arg)
{
    storm_t *storm = (storm_t *) arg;
    sigset_t mask;
    sigemptyset (&mask);
    sigaddset (&mask, SIGALRM);
    pthread_sigmask (SIG_BLOCK, &mask, NULL);
    while (!storm->over) {
        pthread_kill (storm->whom, SIGALRM);
        sched_yield ();
    }
    return NULL;
}

/* A program with signals of its own, without SA_RESTART: nothing gives up because of them. */
static void interrupted (void **state)
{
    (void) state;
    struct sigaction action = {.sa_handler = on_alarm}, before;
    storm_t storm = {.whom = pthread_self ()};
    pthread_t thread;
    assert_int_equal (sigaction (SIGALRM, &action, &before), 0);
    assert_int_equal (pthread_create (&thread, NULL, send_alarms, &storm), 0);
    synod_options_t options = at_broker ("restless");
    options.name = NULL;
    for (int i = 0; i < 20; i++) {
        synod_node_t *node = started (&options);
        assert_int_equal (synod_node_wait (node, 5, NULL), SYNOD_TIMEOUT);
        synod_node_stop (node);
        assert_int_equal (synod_node_wait (node, LIMIT_MS, NULL), SYNOD_OK);
        synod_node_destroy (&node);
    }
    synod_broker_destroy (&broker, 1000);
    storm.over = true;
    pthread_join (thread, NULL);
    sigaction (SIGALRM, &before, NULL);
    assert_true (alarms > 20);
    assert_int_equal (finis, 20);
}

/* All threads but this one have SIGINT, SIGTERM and SIGALRM blocked, and nobody has installed a handler. */
static void signals_are_ours (void **state)
{
    (void) state;
    synod_options_t options = at_broker (NULL);
    synod_node_t *node = started (&options);
    struct sigaction action;
    const int numbers[] = {SIGINT, SIGTERM, SIGPIPE};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_int_equal (sigaction (numbers[i], NULL, &action), 0);
        assert_ptr_equal (action.sa_handler, SIG_DFL);
    }
    sigset_t mask;
    pthread_sigmask (SIG_SETMASK, NULL, &mask);
    assert_false (sigismember (&mask, SIGTERM));
    int others = 0;
    DIR *folder = opendir ("/proc/self/task");
    assert_non_null (folder);
    for (struct dirent *entry; (entry = readdir (folder));) {
        char path[300], line[200];
        if (entry->d_name[0] == '.' || strtol (entry->d_name, NULL, 10) == getpid ())
            continue;
        snprintf (path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen (path, "r");
        while (file && fgets (line, sizeof line, file)) {
            const unsigned long long wanted = 1ull << (SIGINT - 1) | 1ull << (SIGTERM - 1) | 1ull << (SIGALRM - 1);
            if (strncmp (line, "SigBlk:", 7) != 0)
                continue;
            unsigned long long blocked = strtoull (line + 7, NULL, 16);
            assert_int_equal (blocked & wanted, wanted);
            others++;
        }
        if (file)
            fclose (file);
    }
    closedir (folder);
    assert_true (others >= 3); /* ZeroMQ's two, the broker's, the node's */
    synod_node_destroy (&node);
}

static int64_t cpu_us (void)
{
    struct timespec used;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t) used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* With nothing to do, nothing is done: broker and node sleep from heartbeat to heartbeat. */
static void idle (void **state)
{
    (void) state;
    synod_options_t options = at_broker ("sleeper");
    synod_node_t *node = started (&options);
    assert_int_equal (synod_node_wait (node, 300, NULL), SYNOD_TIMEOUT); /* what joining leaves to do */
    int64_t before_us = cpu_us ();
    assert_int_equal (synod_node_wait (node, 2000, NULL), SYNOD_TIMEOUT);
    assert_in_range (cpu_us () - before_us, 0, 10000); /* 0.5 % of a core for all threads of the process */
    synod_node_destroy (&node);
}

int main (int argc, char **argv)
{
    if (argc > 1) /* one of them, or a pattern */
        cmocka_set_test_filter (argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (signals_are_ours, set_up, tear_down), /* first */
        cmocka_unit_test_setup_teardown (never_started, set_up, tear_down),
        cmocka_unit_test_setup_teardown (life, set_up, tear_down),
        cmocka_unit_test_setup_teardown (destroyed_at_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown (nobody_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown (init_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown (name_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown (drains, set_up, tear_down),
        cmocka_unit_test_setup_teardown (drains_directly, set_up, tear_down),
        cmocka_unit_test_setup_teardown (drain_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown (interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown (idle, set_up, tear_down),
    };
    return cmocka_run_group_tests_name ("node", tests, NULL, NULL);
}
