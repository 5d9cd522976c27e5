/* SPDX-License-Identifier: MPL-2.0
 *
 * Keys and values for threads (synod/kv.h), on a bus with a table of one node and a cache on two: each operation as if it
 * were alone, many at once, what is refused, and what others may send as `many`.
 */
#include "handle_bus.h"
#include "actors/cache/cache_actor.h"
#include "actors/kv/kv.h"
#include "protocol/many.h"

#define MANY 3000

static bus_t *bus;
static synod_node_t *table, *caches[2];
static synod_handle_t *handle;
static synod_kv_t *kv, *cache;

static synod_node_t *node_of (const char *name, const char *data, const synod_actor_t *actor)
{
    synod_fault_t fault = {0};
    const synod_options_t options = {
        .bus = bus->endpoint, .name = name, .data = data, .alone = data != NULL, .log = quiet};
    synod_node_t *node = synod_node_new (&options, &fault);
    assert_non_null (node);
    assert_int_equal (synod_node_add (node, actor, NULL, &fault), SYNOD_OK);
    if (synod_node_start (node, &fault) != SYNOD_OK)
        fail_msg ("node: %s", fault.text);
    return node;
}

static int kv_set_up (void **state)
{
    static char data[96];
    synod_fault_t fault = {0};
    const synod_kv_options_t of_cache = {.actor = "cache"};
    set_up (state);
    bus = (bus_t *) *state;
    snprintf (data, sizeof data, "%s/data", bus->directory);
    table = node_of ("table", data, &synod__kv_actor);
    caches[0] = node_of ("cache1", NULL, &synod__cache_actor);
    caches[1] = node_of ("cache2", NULL, &synod__cache_actor);
    handle = synod_handle_new (&(synod_options_t){.bus = bus->endpoint, .log = quiet}, &fault);
    assert_non_null (handle);
    assert_int_equal (synod_handle_await (handle, "table/kv", LIMIT_MS), SYNOD_OK);
    assert_int_equal (synod_handle_await (handle, "cache1/cache", LIMIT_MS), SYNOD_OK);
    assert_int_equal (synod_handle_await (handle, "cache2/cache", LIMIT_MS), SYNOD_OK);
    kv = synod_kv_new (handle, NULL, &fault);
    cache = synod_kv_new (handle, &of_cache, &fault);
    assert_non_null (kv);
    assert_non_null (cache);
    return 0;
}

static int kv_tear_down (void **state)
{
    synod_kv_destroy (&kv);
    synod_kv_destroy (&cache);
    synod_handle_destroy (&handle);
    synod_node_destroy (&table);
    synod_node_destroy (&caches[0]);
    synod_node_destroy (&caches[1]);
    return tear_down (state);
}

static void test_one (void **state)
{
    synod_kv_t *both[] = {kv, cache};
    (void) state;
    for (int i = 0; i < 2; i++) {
        synod_kv_t *self = both[i];
        synod_kv_is_t is;
        assert_int_equal (synod_kv_get (self, "one", &is), SYNOD_OK);
        assert_false (is.found);
        assert_int_equal (synod_kv_put (self, "one", synod_str ("1"), &is), SYNOD_OK);
        assert_true (is.done);
        assert_int_equal (synod_kv_incr (self, "one", 41, &is), SYNOD_OK);
        assert_int_equal (is.number, 42);
        assert_int_equal (synod_kv_get (self, "one", &is), SYNOD_OK);
        assert_true (is.found && synod_str_is (is.data, "42"));
        const synod_kv_op_t absent = {
            .kind = SYNOD_KV_PUT, .key = synod_str ("one"), .data = synod_str ("x"), .absent = true};
        assert_int_equal (synod_kv_do (self, &absent, &is), SYNOD_OK);
        assert_true (!is.done && synod_str_is (is.why, "present"));
        const synod_kv_op_t append = {.kind = SYNOD_KV_APPEND, .key = synod_str ("one"), .data = synod_str ("!")};
        assert_int_equal (synod_kv_do (self, &append, &is), SYNOD_OK);
        assert_int_equal (is.size, 3);
        assert_int_equal (synod_kv_incr (self, "one", 1, &is), SYNOD_REFUSED);
        assert_true (is.message.size > 0 && synod_str_is (is.message, synod_kv_error (self)));
        const synod_kv_op_t expire = {.kind = SYNOD_KV_EXPIRE, .key = synod_str ("one"), .ttl_ms = 60000};
        assert_int_equal (synod_kv_do (self, &expire, &is), SYNOD_OK);
        assert_true (is.done && is.until_ms);
        const synod_kv_op_t del = {.kind = SYNOD_KV_DELETE, .key = synod_str ("one"), .old = true};
        assert_int_equal (synod_kv_do (self, &del, &is), SYNOD_OK);
        assert_true (is.done && is.had && synod_str_is (is.old, "42!"));
    }
}

static void test_cas (void **state)
{
    synod_kv_is_t is;
    (void) state;
    assert_int_equal (synod_kv_put (kv, "cas", synod_str ("a"), &is), SYNOD_OK);
    uint64_t version = is.version;
    assert_int_equal (synod_kv_cas (kv, "cas", version, synod_str ("b"), &is), SYNOD_OK);
    assert_true (is.done);
    assert_int_equal (synod_kv_cas (kv, "cas", version, synod_str ("c"), &is), SYNOD_OK);
    assert_true (!is.done && synod_str_is (is.why, "version") && is.version > version);
}

/* ---- many ---- */

static uint32_t seen[MANY], missing;

static void on_done (void *arg, uint32_t index, const synod_kv_is_t *is)
{
    (void) arg;
    if (is->code != SYNOD_OK)
        fail_msg ("%u: %s: %.*s", index, synod_error_name (is->code), SYNOD_STR (is->message));
    seen[index]++;
    missing += !is->done;
}

static void on_got (void *arg, uint32_t index, const synod_kv_is_t *is)
{
    char value[16];
    snprintf (value, sizeof value, "value-%u", index);
    (void) arg;
    assert_int_equal (is->code, SYNOD_OK);
    seen[index]++;
    missing += !is->found || !synod_str_is (is->data, value);
}

static void test_many (void **state)
{
    static synod_kv_op_t ops[MANY];
    static char keys[MANY][16], values[MANY][16];
    synod_kv_t *both[] = {kv, cache};
    (void) state;
    for (int i = 0; i < 2; i++) {
        memset (seen, 0, sizeof seen);
        missing = 0;
        for (uint32_t k = 0; k < MANY; k++) {
            snprintf (keys[k], sizeof keys[k], "many-%u", k);
            snprintf (values[k], sizeof values[k], "value-%u", k);
            ops[k] = (synod_kv_op_t){.kind = SYNOD_KV_PUT, .key = synod_str (keys[k]), .data = synod_str (values[k])};
        }
        assert_int_equal (synod_kv_many (both[i], ops, MANY, on_done, NULL), SYNOD_OK);
        for (uint32_t k = 0; k < MANY; k++)
            ops[k] = (synod_kv_op_t){.kind = SYNOD_KV_GET, .key = synod_str (keys[k])};
        assert_int_equal (synod_kv_many (both[i], ops, MANY, on_got, NULL), SYNOD_OK);
        for (uint32_t k = 0; k < MANY; k++)
            assert_int_equal (seen[k], 2);
        assert_int_equal (missing, 0);
    }
}

/* Each has its own answer, whatever becomes of those beside it; those on a key take effect in their order. */
static void test_mixed (void **state)
{
    synod_kv_is_t is;
    uint64_t tag;
    uint32_t over = 0;
    (void) state;
    assert_int_equal (synod_kv_put (kv, "mixed/text", synod_str ("text"), NULL), SYNOD_OK);
    for (uint64_t i = 0; i < 100; i++) {
        bool bad = i % 10 == 3;
        const synod_kv_op_t op = {
            .kind = SYNOD_KV_INCR, .key = synod_str (bad ? "mixed/text" : "mixed/sum"), .delta = 1};
        assert_int_equal (synod_kv_start (kv, &op, i), SYNOD_OK);
    }
    int64_t sum = 0;
    while (synod_kv_wait (kv, LIMIT_MS, &tag, &is) == SYNOD_OK) {
        over++;
        if (tag % 10 == 3)
            assert_int_equal (is.code, SYNOD_REFUSED);
        else {
            assert_int_equal (is.code, SYNOD_OK);
            assert_int_equal (is.number, ++sum);
        }
    }
    assert_int_equal (over, 100);
    assert_int_equal (sum, 90);
}

/* Larger than fits in one answer: what is left over is asked alone. */
static void test_large_answers (void **state)
{
    static char data[SYNOD_KV_VALUE_MAX];
    static synod_kv_op_t ops[16];
    static char keys[16][8];
    synod_kv_t *both[] = {kv, cache};
    (void) state;
    memset (data, 'x', sizeof data);
    for (int i = 0; i < 2; i++) {
        synod_kv_is_t is;
        uint64_t tag;
        for (uint32_t k = 0; k < 16; k++) {
            snprintf (keys[k], sizeof keys[k], "big-%u", k);
            assert_int_equal (synod_kv_put (both[i], keys[k], synod_str_n (data, sizeof data), NULL), SYNOD_OK);
            ops[k] = (synod_kv_op_t){.kind = SYNOD_KV_GET, .key = synod_str (keys[k])};
            assert_int_equal (synod_kv_start (both[i], &ops[k], k), SYNOD_OK);
        }
        for (uint32_t k = 0; k < 16; k++) {
            assert_int_equal (synod_kv_wait (both[i], LIMIT_MS, &tag, &is), SYNOD_OK);
            assert_int_equal (is.code, SYNOD_OK);
            assert_int_equal (is.data.size, sizeof data);
        }
    }
    const synod_kv_op_t more = {.kind = SYNOD_KV_APPEND, .key = synod_str ("big-0"), .data = synod_str ("more")};
    synod_kv_is_t is;
    assert_int_equal (synod_kv_do (kv, &more, NULL), SYNOD_OK);
    assert_int_equal (synod_kv_get (kv, "big-0", &is), SYNOD_OK);
    assert_true (is.found && !is.data.data && is.size == sizeof data + 4);
}

static void test_refused (void **state)
{
    synod_fault_t fault = {0};
    synod_kv_is_t is;
    uint64_t tag;
    (void) state;
    assert_null (synod_kv_new (handle, &(synod_kv_options_t){.actor = "tables"}, &fault));
    assert_non_null (strstr (fault.text, "kv or cache, got tables"));
    assert_null (synod_kv_new (NULL, NULL, &fault));
    assert_int_equal (synod_kv_get (kv, "", &is), SYNOD_INVALID);
    assert_int_equal (synod_kv_get (kv, NULL, &is), SYNOD_INVALID);
    assert_int_equal (synod_kv_get (kv, "a\nb", &is), SYNOD_INVALID);
    assert_non_null (strstr (synod_kv_error (kv), "printable"));
    char *large = calloc (1, SYNOD_KV_VALUE_MAX + 1);
    assert_non_null (large);
    assert_int_equal (synod_kv_put (kv, "large", synod_str_n (large, SYNOD_KV_VALUE_MAX + 1), &is), SYNOD_TOO_LARGE);
    free (large);
    assert_int_equal (synod_kv_do (kv, &(synod_kv_op_t){.kind = 77, .key = synod_str ("k")}, &is), SYNOD_INVALID);
    assert_int_equal (synod_kv_wait (kv, 0, &tag, &is), SYNOD_NOT_FOUND);
    /* what a cache cannot keep is refused, alone or with others */
    const synod_kv_op_t cas = {.kind = SYNOD_KV_PUT, .key = synod_str ("k"), .version = 5};
    assert_int_equal (synod_kv_do (cache, &cas, &is), SYNOD_REFUSED);
}

/* ---- what others may send ---- */

static int ask_raw (const char *to, synod_str_t body, synod_reply_t *reply)
{
    return synod_handle_ask_body (handle, to, "many", body, 0, LIMIT_MS, reply);
}

static void test_wire (void **state)
{
    static const char *const places[] = {"table/kv", "cache1/cache"};
    synod_reply_t reply;
    (void) state;
    for (int i = 0; i < 2; i++) {
        const char *to = places[i];
        assert_int_equal (ask_raw (to, synod_str ("\x80"), &reply), SYNOD_BAD_REQUEST);
        assert_int_equal (ask_raw (to,
                                   synod_str ("\x81\xa4"
                                              "asks\x93\xa1k\xa3get\xc0"),
                                   &reply),
                          SYNOD_BAD_REQUEST);
        assert_int_equal (ask_raw (to,
                                   synod_str ("\x81\xa4"
                                              "asks\x94\xa1k\xa3put\x01\x80"),
                                   &reply),
                          SYNOD_BAD_REQUEST);
        assert_int_equal (ask_raw (to,
                                   synod_str ("\x81\xa4"
                                              "asks\x90"),
                                   &reply),
                          SYNOD_OK);
        /* a body that does not fit is that ask's alone */
        assert_int_equal (ask_raw (to,
                                   synod_str ("\x81\xa4"
                                              "asks\x94\xa1k\xa4incr\xc0\x80"),
                                   &reply),
                          SYNOD_OK);
        synod__many_reader_t reader;
        synod__many_answer_t answer;
        assert_int_equal (synod__many_answers_open (&reader, reply.body, NULL), SYNOD_OK);
        assert_true (synod__many_answers_next (&reader, &answer));
        if (answer.kind != SYNOD__MANY_ALONE) { /* of the cache: it may be the other's key */
            assert_int_equal (answer.kind, SYNOD__MANY_ERROR);
            assert_true (synod_str_is (answer.error, "bad-request"));
        }
        assert_false (synod__many_answers_next (&reader, &answer));
    }
    assert_int_equal (synod_handle_tell_body (handle, "table/kv", "many",
                                              synod_str ("\x81\xa4"
                                                         "asks\x90")),
                      SYNOD_OK);
}

/* What is under way when it goes has nobody; the handle goes on. */
static void test_destroyed (void **state)
{
    synod_fault_t fault = {0};
    synod_kv_t *other = synod_kv_new (handle, NULL, &fault);
    (void) state;
    assert_non_null (other);
    for (uint64_t i = 0; i < 500; i++) {
        const synod_kv_op_t op = {.kind = SYNOD_KV_INCR, .key = synod_str ("destroyed"), .delta = 1};
        assert_int_equal (synod_kv_start (other, &op, i), SYNOD_OK);
    }
    assert_int_equal (synod_kv_send (other), SYNOD_OK);
    synod_kv_destroy (&other);
    synod_kv_is_t is;
    for (int64_t sum = 0; sum < 500; sum = is.number)
        assert_int_equal (synod_kv_incr (kv, "destroyed", 0, &is), SYNOD_OK);
    other = synod_kv_new (handle, NULL, &fault); /* and one is destroyed with the handle */
    assert_int_equal (synod_kv_start (other, &(synod_kv_op_t){.key = synod_str ("k")}, 0), SYNOD_OK);
    assert_int_equal (synod_kv_send (other), SYNOD_OK);
}

/* Nobody is there: writes are asked for until their time is over. */
static void test_gone (void **state)
{
    synod_fault_t fault = {0};
    const synod_kv_options_t options = {.timeout_ms = 1500};
    synod_kv_t *other = synod_kv_new (handle, &options, &fault);
    synod_kv_is_t is;
    uint64_t tag;
    (void) state;
    assert_non_null (other);
    synod_node_destroy (&table);
    for (uint64_t i = 0; i < 10; i++) {
        char key[16];
        snprintf (key, sizeof key, "gone-%d", (int) i);
        const synod_kv_op_t op = {.kind = i % 2 ? SYNOD_KV_GET : SYNOD_KV_PUT, .key = synod_str (key)};
        assert_int_equal (synod_kv_start (other, &op, i), SYNOD_OK);
    }
    for (uint64_t i = 0; i < 10; i++) {
        assert_int_equal (synod_kv_wait (other, LIMIT_MS, &tag, &is), SYNOD_OK);
        assert_int_not_equal (is.code, SYNOD_OK);
        assert_true (is.message.size > 0);
    }
    assert_int_equal (synod_kv_wait (other, 0, &tag, &is), SYNOD_NOT_FOUND);
    synod_kv_destroy (&other);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_one),   cmocka_unit_test (test_cas),           cmocka_unit_test (test_many),
        cmocka_unit_test (test_mixed), cmocka_unit_test (test_large_answers), cmocka_unit_test (test_refused),
        cmocka_unit_test (test_wire),  cmocka_unit_test (test_destroyed),     cmocka_unit_test (test_gone),
    };
    return cmocka_run_group_tests (tests, kv_set_up, kv_tear_down);
}
