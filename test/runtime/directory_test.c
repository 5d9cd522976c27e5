/* SPDX-License-Identifier: MPL-2.0
 *
 * The directory: what a put, an update and a removal leave behind, what it refuses, and what a look-up costs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "actors/runtime/directory.h"

/* An entry with ACTORS (NULL-terminated names); its list lives in ITEMS. */
static synod__entry_t s_entry (const char *node, uint64_t incarnation, const char *const *actors, synod_buf_t *items)
{
    synod__entry_t entry = {.node = synod_str (node), .incarnation = incarnation, .host = synod_str ("here")};
    for (; actors && *actors; actors++) {
        synod__actor_at_t at = {.name = synod_str (*actors)};
        assert_int_equal (synod_list_add (&entry.actors, items, &synod__actor_at_record, &at, NULL), SYNOD_OK);
    }
    return entry;
}

static synod__peer_t *s_put (synod__directory_t *directory, const char *node, uint64_t incarnation,
                             const char *const *actors)
{
    synod_buf_t items = {0};
    synod_fault_t fault = {0};
    synod__entry_t entry = s_entry (node, incarnation, actors, &items);
    synod__peer_t *peer = synod__directory_put (directory, &entry, &fault);
    synod_buf_free (&items);
    if (!peer)
        print_message ("%s\n", fault.text);
    return peer;
}

#define S_ACTORS(...)     \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static bool s_among (const synod__service_t *service, const synod__peer_t *peer)
{
    for (uint32_t i = 0; service && i < service->npeers; i++)
        if (service->peers[i] == peer)
            return true;
    return false;
}

static void put_and_find (void **state)
{
    (void) state;
    synod__directory_t *directory = synod__directory_new ();
    synod__peer_t *a = s_put (directory, "a", 1, S_ACTORS ("count", "echo"));
    synod__peer_t *b = s_put (directory, "b", 2, S_ACTORS ("count"));
    assert_non_null (a);
    assert_non_null (b);
    assert_int_equal (synod__directory_size (directory), 2);
    assert_ptr_equal (synod__directory_node (directory, synod_str ("a")), a);
    assert_ptr_equal (synod__directory_node (directory, synod_str ("b")), b);
    assert_null (synod__directory_node (directory, synod_str ("c")));
    assert_null (synod__directory_node (directory, synod_str_n (NULL, 0)));
    assert_null (synod__directory_node (directory, synod_str_n ("ab", 2)));
    assert_ptr_equal (synod__directory_node (directory, synod_str_n ("ab", 1)), a);
    synod__service_t *count = synod__directory_actor (directory, synod_str ("count"));
    assert_non_null (count);
    assert_int_equal (count->npeers, 2);
    assert_true (s_among (count, a));
    assert_true (s_among (count, b));
    assert_int_equal (synod__directory_actor (directory, synod_str ("echo"))->npeers, 1);
    assert_null (synod__directory_actor (directory, synod_str ("nobody")));
    assert_true (synod__peer_runs (a, synod_str ("echo")));
    assert_false (synod__peer_runs (b, synod_str ("echo")));
    assert_string_equal (a->host, "here");
    synod__directory_destroy (&directory);
    assert_null (directory);
}

static void update_replaces_actors (void **state)
{
    (void) state;
    synod__directory_t *directory = synod__directory_new ();
    synod__peer_t *a = s_put (directory, "a", 1, S_ACTORS ("one", "two"));
    a->user = directory;
    a->index = 7;
    synod__service_t *one = synod__directory_actor (directory, synod_str ("one"));
    assert_ptr_equal (s_put (directory, "a", 1, S_ACTORS ("two", "three")), a);
    assert_int_equal (synod__directory_size (directory), 1);
    assert_ptr_equal (a->user, directory);
    assert_int_equal (a->index, 7);
    assert_ptr_equal (synod__directory_actor (directory, synod_str ("one")), one);
    assert_int_equal (one->npeers, 0);
    assert_int_equal (synod__directory_actor (directory, synod_str ("two"))->npeers, 1);
    assert_true (s_among (synod__directory_actor (directory, synod_str ("three")), a));
    synod__directory_tidy (directory);
    assert_null (synod__directory_actor (directory, synod_str ("one")));
    assert_non_null (synod__directory_actor (directory, synod_str ("three")));
    synod__directory_destroy (&directory);
}

static void wrong_entries_change_nothing (void **state)
{
    (void) state;
    synod__directory_t *directory = synod__directory_new ();
    synod_buf_t items = {0};
    synod_fault_t fault = {0};
    synod__peer_t *a = s_put (directory, "a", 1, S_ACTORS ("one"));

    synod__entry_t entry = s_entry ("a", 2, NULL, &items);
    assert_null (synod__directory_put (directory, &entry, &fault));
    assert_int_equal (fault.code, SYNOD_NAME_TAKEN);

    entry = s_entry ("a", 1, S_ACTORS ("two", "two"), &items);
    assert_null (synod__directory_put (directory, &entry, &fault));
    assert_non_null (strstr (fault.text, "\"two\" twice"));

    entry = s_entry ("a", 1, S_ACTORS ("no good"), &items);
    assert_null (synod__directory_put (directory, &entry, &fault));
    assert_non_null (strstr (fault.text, "\"no good\""));

    entry = s_entry ("$a", 1, NULL, &items);
    assert_null (synod__directory_put (directory, &entry, &fault));
    assert_int_equal (fault.code, SYNOD_BAD_REQUEST);

    entry = s_entry ("b", 1, NULL, &items);
    entry.host = synod_str_n ("x\0y", 3);
    assert_null (synod__directory_put (directory, &entry, &fault));
    assert_non_null (strstr (fault.text, "host"));

    char text[300];
    memset (text, 'x', sizeof text);
    entry.host = synod_str_n (text, 63);
    entry.endpoint = synod_str_n (text, 256);
    assert_null (synod__directory_put (directory, &entry, &fault));
    assert_non_null (strstr (fault.text, "endpoint: expected at most 255 bytes, got 256"));
    entry.endpoint.size = 255;
    assert_non_null (synod__directory_put (directory, &entry, &fault));

    items.size = 0;
    entry = s_entry ("c", 1, NULL, &items);
    for (int i = 0; i <= SYNOD_ACTORS_MAX; i++) {
        snprintf (text, sizeof text, "actor%d", i);
        synod__actor_at_t at = {.name = synod_str (text)};
        assert_int_equal (synod_list_add (&entry.actors, &items, &synod__actor_at_record, &at, NULL), SYNOD_OK);
    }
    assert_null (synod__directory_put (directory, &entry, &fault));
    assert_non_null (strstr (fault.text, "at most 256, got 257"));

    assert_int_equal (synod__directory_size (directory), 2);
    assert_int_equal (a->incarnation, 1);
    assert_int_equal (a->nactors, 1);
    assert_string_equal (a->actors[0]->name, "one");
    synod_buf_free (&items);
    synod__directory_destroy (&directory);
}

/* Against a plain model: a few names, each there or not, with a set of actors given by bits. */
static void random_changes_match_a_model (void **state)
{
    (void) state;
    enum { NODES = 40, ACTORS = 8 };
    static const char *const names[ACTORS] = {"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"};
    unsigned runs[NODES] = {0};
    synod__peer_t *peers[NODES] = {NULL};
    uint64_t random = 1;
    synod__directory_t *directory = synod__directory_new ();
    for (int step = 0; step < 20000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned node = (unsigned) (random >> 33) % NODES, bits = (unsigned) (random >> 45) % (1 << ACTORS);
        char name[16];
        snprintf (name, sizeof name, "node%u", node);
        if (step % 3 == 0 && peers[node]) {
            synod__directory_remove (directory, peers[node]);
            peers[node] = NULL;
            runs[node] = 0;
        } else {
            const char *list[ACTORS + 1];
            int count = 0;
            for (int i = 0; i < ACTORS; i++)
                if (bits & 1u << i)
                    list[count++] = names[i];
            list[count] = NULL;
            peers[node] = s_put (directory, name, node, list);
            assert_non_null (peers[node]);
            runs[node] = bits;
        }
        if (step % 100 == 0)
            synod__directory_tidy (directory);
        unsigned there = 0, among[ACTORS] = {0};
        for (unsigned i = 0; i < NODES; i++) {
            there += peers[i] != NULL;
            for (int k = 0; k < ACTORS; k++)
                if (runs[i] & 1u << k) {
                    among[k]++;
                    if (i == node)
                        assert_true (s_among (synod__directory_actor (directory, synod_str (names[k])), peers[i]));
                }
        }
        assert_int_equal (synod__directory_size (directory), there);
        assert_ptr_equal (synod__directory_node (directory, synod_str (name)), peers[node]);
        for (int k = 0; k < ACTORS; k++) {
            synod__service_t *service = synod__directory_actor (directory, synod_str (names[k]));
            assert_int_equal (service ? service->npeers : 0, among[k]);
        }
        for (uint32_t i = 0; i < there; i++)
            assert_ptr_equal (synod__directory_at (directory, i),
                              synod__directory_node (directory, synod_str (synod__directory_at (directory, i)->name)));
    }
    synod__directory_destroy (&directory);
}

static void list_is_what_was_put (void **state)
{
    (void) state;
    synod__directory_t *directory = synod__directory_new (), *other = synod__directory_new ();
    s_put (directory, "a", 0xfedcba9876543210u, S_ACTORS ("one", "two"));
    s_put (directory, "b", 5, NULL);
    synod_list_t list = {0};
    synod_buf_t items = {0}, scratch = {0}, body = {0};
    for (uint32_t i = 0; i < synod__directory_size (directory); i++)
        assert_int_equal (synod__directory_list (synod__directory_at (directory, i), &list, &items, &scratch),
                          SYNOD_OK);
    synod__nodes_are_t nodes = {.nodes = list}, back;
    assert_int_equal (synod_record_pack (&synod__nodes_are_record, &nodes, &body, NULL), SYNOD_OK);
    assert_int_equal (synod_record_unpack (&synod__nodes_are_record, synod_str_n (body.data, body.size), &back, NULL),
                      SYNOD_OK);
    synod__entry_t entry;
    while (synod_list_next (&back.nodes, &synod__entry_record, &entry))
        assert_non_null (synod__directory_put (other, &entry, NULL));
    synod__peer_t *a = synod__directory_node (other, synod_str ("a"));
    assert_int_equal (synod__directory_size (other), 2);
    assert_true (a->incarnation == 0xfedcba9876543210u);
    assert_int_equal (a->nactors, 2);
    assert_string_equal (a->host, "here");
    assert_true (synod__peer_runs (a, synod_str ("two")));
    synod_buf_free (&items);
    synod_buf_free (&scratch);
    synod_buf_free (&body);
    synod__directory_destroy (&directory);
    synod__directory_destroy (&other);
}

/* Printed, and checked with a wide margin only: the machine may be busy. */
static void look_up_is_fast (void **state)
{
    (void) state;
    enum { NODES = 1000, ROUNDS = 2000000 };
    static char names[NODES][16];
    synod__directory_t *directory = synod__directory_new ();
    for (int i = 0; i < NODES; i++) {
        snprintf (names[i], sizeof names[i], "worker-%d", i);
        assert_non_null (s_put (directory, names[i], (uint64_t) i, S_ACTORS ("echo")));
    }
    struct timespec t0, t1;
    uint64_t sum = 0;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t0);
    for (int i = 0; i < ROUNDS; i++)
        sum += synod__directory_node (directory, synod_str (names[(unsigned) i * 7 % NODES]))->incarnation;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t1);
    double ns = ((double) (t1.tv_sec - t0.tv_sec) * 1e9 + (double) (t1.tv_nsec - t0.tv_nsec)) / ROUNDS;
    print_message ("a node among 1000 is found in %.1f ns\n", ns);
    assert_int_equal (sum, (uint64_t) ROUNDS / NODES * ((uint64_t) NODES * (NODES - 1) / 2));
    assert_true (ns < 5000);
    synod__directory_destroy (&directory);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (put_and_find),
        cmocka_unit_test (update_replaces_actors),
        cmocka_unit_test (wrong_entries_change_nothing),
        cmocka_unit_test (random_changes_match_a_model),
        cmocka_unit_test (list_is_what_was_put),
        cmocka_unit_test (look_up_is_fast),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
