/* SPDX-License-Identifier: MPL-2.0
 *
 * Prints the test vectors of SPEC.md's section "The ring" (test_vectors.py compares and writes them).
 */
#include <stdio.h>
#include <stdlib.h>
#include "actors/place/ring.h"

static const struct {
    const char *name, *zone;
    uint32_t weight;
    bool down;
} s_members[] = {
    {"ant", "east", 100, false}, {"bee", "east", 100, false}, {"cat", "west", 50, false},
    {"dog", "", 200, true},      {"eel-5", "west", 1, false},
};
#define S_COUNT (sizeof s_members / sizeof s_members[0])

static void s_hashes (void)
{
    static const char *const texts[] = {"", "a", "hits", "0123456789abcdef", "the quick brown fox", NULL};
    printf ("| bytes | hash |\n|---|---|\n");
    for (int i = 0; texts[i]; i++)
        printf ("| `%s` | `%016llx` |\n", texts[i],
                (unsigned long long) synod__ring_hash (texts[i], strlen (texts[i])));
    char many[400];
    memset (many, 'x', sizeof many);
    printf ("| `x` 400 times | `%016llx` |\n\n", (unsigned long long) synod__ring_hash (many, sizeof many));
}

static void s_points (void)
{
    printf ("| member | virtual node | point |\n|---|---|---|\n");
    for (size_t i = 0; i < S_COUNT; i++)
        for (uint32_t v = 0; v < 1000; v += 517)
            printf ("| `%s` | %u | `%016llx` |\n", s_members[i].name, v,
                    (unsigned long long) synod__ring_point (synod_str (s_members[i].name), v));
    printf ("\n");
}

static synod__ring_t *s_ring (synod__member_t *members, uint32_t partitions)
{
    for (size_t i = 0; i < S_COUNT; i++) {
        members[i] = (synod__member_t){.weight = s_members[i].weight, .down = s_members[i].down};
        snprintf (members[i].name, sizeof members[i].name, "%s", s_members[i].name);
        snprintf (members[i].zone, sizeof members[i].zone, "%s", s_members[i].zone);
        members[i].id.bytes[0] = (uint8_t) i;
    }
    synod__ring_rule_t rule = {.partitions = partitions, .replicas = 3};
    synod__ring_t *ring = synod__ring_new (members, S_COUNT, &rule);
    if (!ring)
        exit (1);
    return ring;
}

int main (void)
{
    synod__member_t members[S_COUNT];
    s_hashes ();
    printf ("| key | of 16 partitions | of 16384 |\n|---|---|---|\n");
    static const char *const keys[] = {"hits", "user/1", "user/2", "\xc3\xa4", NULL};
    synod__ring_t *small = s_ring (members, 16), *usual = s_ring (members, SYNOD__PARTITIONS);
    for (int i = 0; keys[i]; i++)
        printf ("| `%s` | %u | %u |\n", keys[i], synod__ring_partition (small, synod_str (keys[i])),
                synod__ring_partition (usual, synod_str (keys[i])));
    printf ("\n");
    s_points ();
    printf ("| member | zone | weight | down |\n|---|---|---|---|\n");
    for (size_t i = 0; i < S_COUNT; i++)
        printf ("| `%s` | %s | %u | %s |\n", members[i].name, members[i].zone, members[i].weight,
                members[i].down ? "yes" : "");
    printf ("\n| partition of 16 | replicas, R = 3 | owner |\n|---|---|---|\n");
    for (uint32_t p = 0; p < 16; p++) {
        const uint16_t *replica = synod__ring_replicas (small, p);
        printf ("| %u | %s %s %s | %s |\n", p, members[replica[0]].name, members[replica[1]].name,
                members[replica[2]].name, members[small->owner[p]].name);
    }
    char *text = (char *) calloc (SYNOD__PARTITIONS, 4 * (SYNOD_NAME_MAX + 1));
    if (!text)
        return 1;
    size_t size = 0;
    for (uint32_t p = 0; p < SYNOD__PARTITIONS; p++) {
        const uint16_t *replica = synod__ring_replicas (usual, p);
        size += (size_t) sprintf (text + size, "%s %s %s %s\n", members[replica[0]].name, members[replica[1]].name,
                                  members[replica[2]].name, members[usual->owner[p]].name);
    }
    printf ("\nThe hash of all 16384 partitions, a line `REPLICA REPLICA REPLICA OWNER` and a newline for each: "
            "`%016llx`\n",
            (unsigned long long) synod__ring_hash (text, size));
    free (text);
    synod__ring_destroy (&small);
    synod__ring_destroy (&usual);
    return 0;
}
