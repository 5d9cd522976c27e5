/* SPDX-License-Identifier: MPL-2.0
 *
 * synod ring: whom to ask, and asking. A bus has one ring; nodes that run the actor `ring` may be in none yet, or in an
 * old epoch of it. So all of them are asked what they are, and the one that knows of the latest epoch is asked the rest.
 */
#include "ring.h"
#include "protocol/address.h"
#include "protocol/catalogue.h"

#include <stdlib.h>

#define ACTOR   "ring"
#define MORE_MS 150 /* for others to answer, when one has */
#define AGAIN   8   /* the epoch may change between two parts of an answer */
#define NAMED   5   /* nodes, in an error */

int synod__rings_fail (const synod_reply_t *reply)
{
    const char *name = synod_error_name (reply->code), *meaning = synod_error_meaning (reply->code);
    fprintf (stderr, "synod: %.*s: %.*s\n", SYNOD_STR (reply->error.size ? reply->error : synod_str (name)),
             SYNOD_STR (reply->message.size ? reply->message : synod_str (meaning)));
    return synod__exit_code (reply->code);
}

void synod__rings_json (json_t *value)
{
    char *text = json_dumps (value, JSON_COMPACT | JSON_ENCODE_ANY);
    puts (text ? text : "null");
    free (text);
    json_decref (value);
}

/* ---- whom ---- */

typedef struct {
    char name[SYNOD_NAME_MAX + 1];
    uint64_t ask;
} candidate_t;

static bool runs_ring (synod_list_t actors)
{
    synod__actor_at_t actor;
    bool runs = false;
    while (synod_list_next (&actors, &synod__actor_at_record, &actor))
        runs = runs || synod_str_is (actor.name, ACTOR);
    return runs;
}

/* All that run the actor. */
static int find_candidates (synod__rings_t *self, candidate_t **out, size_t *count)
{
    char to[SYNOD_ADDRESS_MAX + 1] = SYNOD_BROKER;
    synod__nodes_are_t nodes;
    synod__entry_t entry;
    synod_reply_t reply = {0};
    synod_fault_t fault = {0};
    if (self->join.options.direct)
        snprintf (to, sizeof to, "%s/" SYNOD_NODE_ACTOR, synod_handle_name (self->handle)); /* its own directory */
    int code = synod_handle_ask (self->handle, to, &synod__nodes_record, &(synod__nodes_t){0},
                                 (int) self->join.timeout_ms, &reply);
    if (code != SYNOD_OK)
        return synod__rings_fail (&reply);
    code = synod_record_unpack (&synod__nodes_are_record, reply.body, &nodes, &fault);
    if (code != SYNOD_OK)
        return synod__fail (code, fault.text);
    *out = (candidate_t *) calloc ((size_t) nodes.nodes.count + 1, sizeof **out);
    if (!*out)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the list of nodes");
    while (synod_list_next (&nodes.nodes, &synod__entry_record, &entry)) {
        if (entry.client || !synod__name_ok (entry.node, false) || !runs_ring (entry.actors))
            continue;
        memcpy ((*out)[(*count)++].name, entry.node.data, entry.node.size);
    }
    return SYNOD__EXIT_NONE;
}

/* What is said of nodes none of which is in a ring. */
static int no_ring (const candidate_t *nodes, size_t count, size_t answered, const char *unfinished)
{
    char names[NAMED * (SYNOD_NAME_MAX + 2) + 8] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && i < NAMED; i++)
        used += (size_t) snprintf (names + used, sizeof names - used, "%s%s", i ? ", " : "", nodes[i].name);
    if (count > NAMED)
        snprintf (names + used, sizeof names - used, ", ...");
    if (count == 0) {
        fputs ("synod: no-route: no node runs the actor ring: those with a placed actor do, and `synod run ring`\n",
               stderr);
        return synod__exit_code (SYNOD_NO_ROUTE);
    }
    if (answered == 0) {
        fprintf (stderr, "synod: timeout: none of %s answered in time\n", names);
        return synod__exit_code (SYNOD_TIMEOUT);
    }
    if (*unfinished)
        fprintf (stderr,
                 "synod: refused: the init of a ring was not finished at %s: the same init again goes on with it\n",
                 unfinished);
    else
        fprintf (stderr, "synod: refused: there is no ring yet (%s: in none): `synod ring init NODE...` makes one\n",
                 names);
    return synod__exit_code (SYNOD_REFUSED);
}

static int two_rings (const char *one, const char *other)
{
    fprintf (stderr,
             "synod: refused: %s and %s are in different rings, and a bus has one: ask with --at, and take the others "
             "off this bus\n",
             one, other);
    return synod__exit_code (SYNOD_REFUSED);
}

/* The one of the latest epoch; who has not said it shortly after the first one did is not waited for. */
static int choose (synod__rings_t *self, candidate_t *nodes, size_t count)
{
    uint64_t latest = 0, ring = 0;
    size_t answered = 0, left = 0;
    char unfinished[SYNOD_NAME_MAX + 1] = "";
    for (size_t i = 0; i < count; i++) {
        char to[2 * SYNOD_NAME_MAX + 2];
        snprintf (to, sizeof to, "%s/" ACTOR, nodes[i].name);
        left += synod_handle_ask_start (self->handle, to, &synod__ring_about_record, &(synod__ring_about_t){0},
                                        self->join.timeout_ms, &nodes[i].ask) == SYNOD_OK;
    }
    for (; left; left--) {
        uint64_t id = 0;
        synod_reply_t reply = {0};
        synod__ring_about_is_t about;
        int wait_ms = latest ? MORE_MS : (int) self->join.timeout_ms + MORE_MS;
        if (synod_handle_wait (self->handle, wait_ms, &id, &reply) != SYNOD_OK)
            break;
        if (reply.code != SYNOD_OK || synod_record_unpack (&synod__ring_about_is_record, reply.body, &about, NULL))
            continue;
        answered++;
        for (size_t i = 0; i < count; i++) {
            if (nodes[i].ask != id)
                continue;
            if (about.recorded.size)
                memcpy (unfinished, nodes[i].name, sizeof unfinished);
            if (about.ring && ring && about.ring != ring)
                return two_rings (self->asked, nodes[i].name);
            if (about.ring && about.epoch > latest) {
                latest = about.epoch;
                ring = about.ring;
                memcpy (self->asked, nodes[i].name, sizeof self->asked);
            }
        }
    }
    return latest ? SYNOD__EXIT_NONE : no_ring (nodes, count, answered, unfinished);
}

int synod__rings_reach (synod__rings_t *self, const char *first)
{
    int status = SYNOD__EXIT_NONE;
    const char *node = self->at ? self->at : first;
    if (!self->handle) {
        char to[SYNOD_ADDRESS_MAX + 1];
        snprintf (to, sizeof to, "%s%s" ACTOR, node ? node : "", node ? "/" : "");
        const char *words[] = {to, "status"};
        synod__command_t reach = *self->command;
        synod_buf_t body = {0};
        reach.words = words;
        reach.nwords = 2;
        self->handle = synod__reach (&reach, &self->join, self->join.options.direct, &body, &status);
        synod_buf_free (&body);
    }
    if (status != SYNOD__EXIT_NONE)
        return status;
    if (node) {
        snprintf (self->asked, sizeof self->asked, "%s", node);
        return SYNOD__EXIT_NONE;
    }
    candidate_t *nodes = NULL;
    size_t count = 0;
    status = find_candidates (self, &nodes, &count);
    if (status == SYNOD__EXIT_NONE)
        status = choose (self, nodes, count);
    free (nodes);
    return status;
}

int synod__rings_ask (synod__rings_t *self, const synod_record_t *record, const void *in, const synod_record_t *answer,
                      void *out, synod_reply_t *reply)
{
    char to[2 * SYNOD_NAME_MAX + 2];
    synod_fault_t fault = {0};
    snprintf (to, sizeof to, "%s/" ACTOR, self->asked);
    int code = synod_handle_ask (self->handle, to, record, in, (int) self->join.timeout_ms, reply);
    if (code != SYNOD_OK)
        return synod__rings_fail (reply);
    code = synod_record_unpack (answer, reply->body, out, &fault);
    return code == SYNOD_OK ? SYNOD__EXIT_NONE : synod__fail (code, fault.text);
}

/* ---- how it is ---- */

void synod__rings_view_free (synod__rings_view_t *view)
{
    synod__epoch_free (&view->epoch);
    free (view->members);
    memset (view, 0, sizeof *view);
}

static void copy_text (char *to, size_t size, synod_str_t from)
{
    snprintf (to, size, "%.*s", SYNOD_STR (from));
}

static int take_first (synod__rings_view_t *view, const synod__ring_status_is_t *in)
{
    synod_fault_t fault = {0};
    copy_text (view->node, sizeof view->node, in->node);
    copy_text (view->doing, sizeof view->doing, in->doing);
    copy_text (view->trouble, sizeof view->trouble, in->trouble);
    view->keeper = in->keeper;
    if (!in->value.size) {
        fprintf (stderr, "synod: refused: %s is in no ring: %s\n", view->node,
                 *view->trouble ? view->trouble
                                : "`synod ring init NODE...` makes one, `synod ring join NODE` adds to one");
        return synod__exit_code (SYNOD_REFUSED);
    }
    int code = synod__epoch_unpack (&view->epoch, in->value, &fault);
    if (code != SYNOD_OK)
        return synod__fail (code, fault.text);
    view->members = (synod__rings_member_t *) calloc (view->epoch.nmembers, sizeof *view->members);
    return view->members ? SYNOD__EXIT_NONE : synod__fail (SYNOD_NO_MEMORY, "no memory for the members");
}

static void take_members (synod__rings_view_t *view, synod_list_t list)
{
    synod__ring_member_t one;
    while (synod_list_next (&list, &synod__ring_member_record, &one))
        if (one.member < view->epoch.nmembers)
            view->members[one.member] = (synod__rings_member_t){true, one};
}

/* Whether IN goes on with VIEW. */
static bool same_epoch (const synod__rings_view_t *view, const synod__ring_status_is_t *in)
{
    synod__epoch_t epoch = {0};
    bool same = synod_str_is (in->node, view->node) && synod__epoch_unpack (&epoch, in->value, NULL) == SYNOD_OK &&
                epoch.ring == view->epoch.ring && epoch.number == view->epoch.number;
    synod__epoch_free (&epoch);
    return same;
}

/* The rest of a long answer, from the same keeper. *ANEW: the epoch has changed meanwhile. */
static int look_on (synod__rings_t *self, synod__rings_view_t *view, uint64_t next, bool *anew)
{
    char before[SYNOD_NAME_MAX + 1];
    int status = SYNOD__EXIT_NONE;
    memcpy (before, self->asked, sizeof before);
    memcpy (self->asked, view->node, sizeof self->asked);
    while (next && status == SYNOD__EXIT_NONE && !*anew) {
        synod__ring_status_is_t in = {0};
        synod_reply_t reply;
        synod__ring_status_t on = {.from = next, .here = true};
        status = synod__rings_ask (self, &synod__ring_status_record, &on, &synod__ring_status_is_record, &in, &reply);
        if (status != SYNOD__EXIT_NONE)
            break;
        *anew = !same_epoch (view, &in) || (in.next && in.next <= next);
        take_members (view, in.members);
        next = in.next;
    }
    memcpy (self->asked, before, sizeof self->asked);
    return status;
}

int synod__rings_look (synod__rings_t *self, synod__rings_view_t *view)
{
    int status = SYNOD__EXIT_NONE;
    bool anew = true;
    for (int i = 0; i < AGAIN && anew && status == SYNOD__EXIT_NONE; i++) {
        synod__ring_status_is_t in = {0};
        synod_reply_t reply;
        anew = false;
        synod__rings_view_free (view);
        status = synod__rings_ask (self, &synod__ring_status_record, &(synod__ring_status_t){0},
                                   &synod__ring_status_is_record, &in, &reply);
        if (status == SYNOD__EXIT_NONE)
            status = take_first (view, &in);
        if (status != SYNOD__EXIT_NONE)
            break;
        take_members (view, in.members);
        status = look_on (self, view, in.next, &anew);
    }
    if (anew && status == SYNOD__EXIT_NONE)
        status = synod__fail (SYNOD_BUSY, "the epoch changed all the time: ask again");
    return status;
}
