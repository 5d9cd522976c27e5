/* SPDX-License-Identifier: MPL-2.0
 *
 * synod ring init, join, leave, remove, weight, keepers: one ask of a member each. What makes sense is the actor's to
 * say; here only what cannot be asked at all is refused.
 */
#include "ring.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- words ---- */

int synod__rings_node_word (const synod__rings_t *self, const char *word, char name[SYNOD_NAME_MAX + 1],
                            uint64_t *weight)
{
    size_t size = strcspn (word, ":");
    *weight = 0;
    if (size == 0 || size > SYNOD_NAME_MAX)
        return synod__misused (self->command, "expected the name of a node, of 1 to %d characters, not '%s'",
                               SYNOD_NAME_MAX, word);
    memcpy (name, word, size);
    name[size] = 0;
    if (!word[size])
        return SYNOD__EXIT_NONE;
    char *end = NULL;
    errno = 0;
    *weight = strtoull (word + size + 1, &end, 10);
    if (errno || word[size + 1] < '0' || word[size + 1] > '9' || *end || *weight < 1 || *weight > SYNOD__WEIGHT_MAX)
        return synod__misused (self->command, "%s: expected a weight from 1 to %d, got '%s'", name, SYNOD__WEIGHT_MAX,
                               word + size + 1);
    return SYNOD__EXIT_NONE;
}

/* A,B,C */
static int split_keepers (const synod__rings_t *self, const char *text, synod_list_t *list, synod_buf_t *items)
{
    synod_fault_t fault = {0};
    for (const char *at = text;; at++) {
        size_t size = strcspn (at, ",");
        synod__ring_keeper_t one = {.node = synod_str_n (at, size)};
        if (size == 0 || size > SYNOD_NAME_MAX)
            return synod__misused (self->command, "expected keepers as in A,B,C, not '%s'", text);
        if (synod_list_add (list, items, &synod__ring_keeper_record, &one, &fault) != SYNOD_OK)
            return synod__misused (self->command, "%s", fault.text);
        at += size;
        if (!*at)
            return SYNOD__EXIT_NONE;
    }
}

/* ---- answers ---- */

static int print_reply_json (synod_str_t body)
{
    synod__print_body (stdout, body);
    putchar ('\n');
    return SYNOD__EXIT_NONE;
}

static int finish (synod__rings_t *self, int status, uint64_t epoch)
{
    if (status == SYNOD__EXIT_NONE && self->wait) {
        fflush (stdout);
        status = synod__rings_await (self, epoch);
    }
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}

/* One change, asked of a member. */
static int change (synod__rings_t *self, const synod_record_t *record, const void *in)
{
    synod__ring_changed_t out;
    synod_reply_t reply;
    int status = synod__rings_reach (self, NULL);
    if (status == SYNOD__EXIT_NONE)
        status = synod__rings_ask (self, record, in, &synod__ring_changed_record, &out, &reply);
    if (status != SYNOD__EXIT_NONE)
        return status;
    uint64_t epoch = out.epoch;
    if (self->json)
        print_reply_json (reply.body);
    else
        printf ("epoch %" PRIu64 "\n", epoch);
    fprintf (stderr, "synod: %s\n",
             out.again    ? "it was so already"
             : self->wait ? "it is decided; what moves is waited for"
                          : "it is decided; `synod ring` shows what moves");
    return finish (self, SYNOD__EXIT_NONE, epoch);
}

/* ---- verbs ---- */

static int make (synod__rings_t *self, const char *first, const synod__ring_init_t *in)
{
    synod__ring_made_t out;
    synod_reply_t reply;
    synod_fault_t fault = {0};
    synod__rings_view_t view = {0};
    int status = synod__rings_reach (self, first);
    if (status == SYNOD__EXIT_NONE)
        status = synod__rings_ask (self, &synod__ring_init_record, in, &synod__ring_made_record, &out, &reply);
    if (status != SYNOD__EXIT_NONE)
        return status;
    int code = synod__epoch_unpack (&view.epoch, out.value, &fault);
    if (code != SYNOD_OK)
        return synod__fail (code, fault.text);
    uint64_t epoch = view.epoch.number;
    if (self->json)
        synod__rings_json (json_pack ("{s:I, s:i, s:i, s:i, s:b}", "epoch", (json_int_t) epoch, "members",
                                      (int) view.epoch.nmembers, "partitions", (int) view.epoch.partitions, "replicas",
                                      (int) view.epoch.replicas, "again", (int) out.again));
    else
        synod__rings_print_head (&view);
    fprintf (stderr, "synod: %s\n", out.again ? "the ring was made before" : "the ring is made");
    if (view.epoch.replicas == 2)
        fputs ("synod: a majority of 2 replicas is both of them: when one is away, what it has is not served\n",
               stderr);
    synod__rings_view_free (&view);
    return finish (self, SYNOD__EXIT_NONE, epoch);
}

int synod__rings_init (synod__rings_t *self, const char *const *words, int nwords)
{
    synod_buf_t nodes = {0}, keepers = {0};
    synod_fault_t fault = {0};
    synod__ring_init_t in = {.replicas = self->replicas, .partitions = self->partitions};
    char first[SYNOD_NAME_MAX + 1] = "";
    int status = SYNOD__EXIT_NONE;
    for (int i = 0; i < nwords && status == SYNOD__EXIT_NONE; i++) {
        char name[SYNOD_NAME_MAX + 1];
        synod__ring_node_t one = {0};
        status = synod__rings_node_word (self, words[i], name, &one.weight);
        if (status != SYNOD__EXIT_NONE)
            break;
        one.node = synod_str (name);
        if (i == 0)
            memcpy (first, name, sizeof first);
        if (synod_list_add (&in.nodes, &nodes, &synod__ring_node_record, &one, &fault) != SYNOD_OK)
            status = synod__misused (self->command, "%s", fault.text);
    }
    if (status == SYNOD__EXIT_NONE && self->keepers)
        status = split_keepers (self, self->keepers, &in.keepers, &keepers);
    if (status == SYNOD__EXIT_NONE)
        status = make (self, first, &in);
    synod_buf_free (&nodes);
    synod_buf_free (&keepers);
    return status;
}

/* Checked here: a name that is too long does not fit the record. */
static int node_alone (const synod__rings_t *self, const char *word)
{
    size_t size = strlen (word);
    if (size == 0 || size > SYNOD_NAME_MAX)
        return synod__misused (self->command, "expected the name of a node, of 1 to %d characters, not '%s'",
                               SYNOD_NAME_MAX, word);
    return SYNOD__EXIT_NONE;
}

int synod__rings_join (synod__rings_t *self, const char *const *words, int nwords)
{
    synod__ring_join_t in = {
        .node = synod_str (words[0]), .weight = self->weight, .zone = synod_str (self->zone ? self->zone : "")};
    int status = node_alone (self, words[0]);
    (void) nwords;
    if (status == SYNOD__EXIT_NONE && in.zone.size > SYNOD_NAME_MAX)
        status = synod__misused (self->command, "a zone has up to %d characters", SYNOD_NAME_MAX);
    return status == SYNOD__EXIT_NONE ? change (self, &synod__ring_join_record, &in) : status;
}

int synod__rings_leave (synod__rings_t *self, const char *const *words, int nwords)
{
    synod__ring_leave_t in = {.node = synod_str (words[0])};
    int status = node_alone (self, words[0]);
    (void) nwords;
    return status == SYNOD__EXIT_NONE ? change (self, &synod__ring_leave_record, &in) : status;
}

int synod__rings_remove (synod__rings_t *self, const char *const *words, int nwords)
{
    synod__ring_remove_t in = {.node = synod_str (words[0]), .force = self->force};
    int status = node_alone (self, words[0]);
    (void) nwords;
    return status == SYNOD__EXIT_NONE ? change (self, &synod__ring_remove_record, &in) : status;
}

int synod__rings_weight (synod__rings_t *self, const char *const *words, int nwords)
{
    char text[SYNOD_ADDRESS_MAX + 1], name[SYNOD_NAME_MAX + 1];
    synod__ring_weight_t in = {0};
    int status = node_alone (self, words[0]);
    (void) nwords;
    if (status != SYNOD__EXIT_NONE)
        return status;
    snprintf (text, sizeof text, "%s:%s", words[0], words[1]);
    status = synod__rings_node_word (self, text, name, &in.weight);
    in.node = synod_str (name);
    return status == SYNOD__EXIT_NONE ? change (self, &synod__ring_weight_record, &in) : status;
}

int synod__rings_keepers (synod__rings_t *self, const char *const *words, int nwords)
{
    synod__ring_keepers_t in = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    (void) nwords;
    int status = split_keepers (self, words[0], &in.keepers, &items);
    if (status == SYNOD__EXIT_NONE)
        status = change (self, &synod__ring_keepers_record, &in);
    synod_buf_free (&items);
    return status;
}
