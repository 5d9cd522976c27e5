/* SPDX-License-Identifier: MPL-2.0
 *
 * synod txn list: what is under way at all coordinators, and what all participants have voted yes on: of the partitions of
 * each placed type, and of actors that are not placed. Who does not answer is said at the end; the others are listed.
 */
#include "txn.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include "partitions.h"
#include "protocol/catalogue.h"

/* Where the answers of a partition ended. */
typedef struct {
    uint64_t number;
    char place[SYNOD__TXN_PLACE_MAX];
    uint32_t place_size;
} after_t;

typedef struct {
    txn_t *txn;
    synod__rings_t rings;
    bool coordinates; /* the type that is asked now is `vote` */
    bool refuses;     /* it takes no part, and need not be asked again */
    after_t *after;   /* by partition; owned */
    synod__txn_list_t list;
    synod__txn_txns_t txns;
    char placed[SYNOD__TYPES_MAX][SYNOD_NAME_MAX + 1];
    uint32_t nplaced, failed; /* FAILED: who did not answer, of the type that is asked now */
    char why[SYNOD_FAULT_MAX];
    int status; /* the exit code, when all has been listed */
} lister_t;

/* ---- printing ---- */

static uint64_t age_s (uint64_t since_s)
{
    uint64_t now_s = (uint64_t) time (NULL);
    return since_s && now_s > since_s ? now_s - since_s : 0;
}

static json_t *text_of (synod_str_t text)
{
    return json_stringn (text.data ? text.data : "", text.size);
}

static void print_json (const char *role, synod_str_t id, const char *to, synod_str_t protocol, synod_str_t state,
                        uint64_t since, json_t *waits, const synod__txn_doubt_t *doubt)
{
    json_t *out = json_object ();
    json_object_set_new (out, "id", text_of (id));
    json_object_set_new (out, "role", json_string (role));
    json_object_set_new (out, "to", json_string (to));
    json_object_set_new (out, "protocol", text_of (protocol));
    json_object_set_new (out, "state", text_of (state));
    json_object_set_new (out, "since", json_integer ((json_int_t) since));
    json_object_set_new (out, "age_s", json_integer ((json_int_t) age_s (since)));
    json_object_set_new (out, "waits_for", waits);
    if (doubt) {
        json_object_set_new (out, "in_doubt", json_boolean (doubt->doubt));
        json_object_set_new (out, "contradicts", json_boolean (doubt->contradicts));
    }
    synod__rings_json (out);
}

static void print_line (synod_str_t id, const char *to, synod_str_t protocol, synod_str_t state, uint64_t since,
                        const json_t *waits, const synod__txn_doubt_t *doubt)
{
    printf ("%.*s\t%s\t%.*s\t%.*s\t%" PRIu64 "s", SYNOD_STR (id), to, SYNOD_STR (protocol), SYNOD_STR (state),
            age_s (since));
    for (size_t i = 0; i < json_array_size (waits); i++)
        printf ("%s%s", i ? ", " : "\twaits for ", json_string_value (json_array_get (waits, i)));
    printf ("%s%s\n", doubt && doubt->doubt ? "\tin doubt" : "", doubt && doubt->contradicts ? "\tcontradicts" : "");
}

void txn_print_doubt (const synod__txn_doubt_t *doubt, bool json)
{
    char to[SYNOD_ADDRESS_MAX + 1], coordinator[SYNOD_NAME_MAX + SYNOD__TXN_ID_MAX + 2];
    bool decided = synod_str_is (doubt->state, "committed") || synod_str_is (doubt->state, "aborted");
    json_t *waits = json_array ();
    snprintf (to, sizeof to, "%.*s", SYNOD_STR (doubt->to));
    snprintf (coordinator, sizeof coordinator, TXN_VOTE "#%.*s", SYNOD_STR (doubt->id));
    if (!decided)
        json_array_append_new (waits, json_string (coordinator));
    if (json)
        print_json ("participant", doubt->id, to, doubt->protocol, doubt->state, doubt->since, waits, doubt);
    else {
        print_line (doubt->id, to, doubt->protocol, doubt->state, doubt->since, waits, doubt);
        json_decref (waits);
    }
}

static void print_shown (const synod__txn_shown_t *shown, bool json)
{
    char to[SYNOD_NAME_MAX + SYNOD__TXN_ID_MAX + 2];
    synod_list_t seats = shown->seats;
    synod__txn_seat_t seat;
    json_t *waits = json_array ();
    snprintf (to, sizeof to, TXN_VOTE "#%.*s", SYNOD_STR (shown->id));
    while (synod_list_next (&seats, &synod__txn_seat_record, &seat))
        if (seat.waits)
            json_array_append_new (waits, text_of (seat.to));
    if (json)
        print_json ("coordinator", shown->id, to, shown->protocol, shown->phase, shown->since, waits, NULL);
    else {
        print_line (shown->id, to, shown->protocol, shown->phase, shown->since, waits, NULL);
        json_decref (waits);
    }
}

/* ---- answers ---- */

/* Prints what is in an answer; *MORE: there is more behind AFTER. */
static int take_answer (lister_t *self, const synod_reply_t *reply, after_t *after, bool *more)
{
    synod__txn_listed_t listed;
    synod__txn_shown_t shown;
    synod__txn_doubts_t doubts;
    synod__txn_doubt_t doubt;
    synod_fault_t fault = {0};
    int rc = self->coordinates ? synod_record_unpack (&synod__txn_listed_record, reply->body, &listed, &fault)
                               : synod_record_unpack (&synod__txn_doubts_record, reply->body, &doubts, &fault);
    if (rc != SYNOD_OK)
        return synod__fail (rc, fault.text);
    *more = self->coordinates ? listed.more : doubts.more && doubts.last.size;
    while (self->coordinates && synod_list_next (&listed.txns, &synod__txn_shown_record, &shown)) {
        print_shown (&shown, self->txn->json);
        after->number = shown.number;
    }
    while (!self->coordinates && synod_list_next (&doubts.doubts, &synod__txn_doubt_record, &doubt))
        txn_print_doubt (&doubt, self->txn->json);
    if (!self->coordinates && *more) {
        memcpy (after->place, doubts.last.data, doubts.last.size);
        after->place_size = doubts.last.size;
    }
    return SYNOD__EXIT_NONE;
}

static void failed (lister_t *self, const synod_reply_t *reply)
{
    if (!self->failed++)
        snprintf (self->why, sizeof self->why, "%s: %.*s", synod_error_name (reply->code), SYNOD_STR (reply->message));
    int status = synod__exit_code (reply->code);
    self->status = status > self->status ? status : self->status;
}

static void say_failed (lister_t *self, const char *what)
{
    if (self->failed)
        fprintf (stderr, "synod: %s: %u did not answer: %s\n", what, self->failed, self->why);
    self->failed = 0;
}

/* ---- placed types ---- */

static const void *part_ask (void *arg, uint32_t partition)
{
    lister_t *self = (lister_t *) arg;
    const after_t *after = &self->after[partition];
    self->list = (synod__txn_list_t){.after = after->number};
    self->txns = (synod__txn_txns_t){.after = synod_str_n (after->place_size ? after->place : NULL, after->place_size)};
    if (self->refuses)
        return NULL;
    return self->coordinates ? (const void *) &self->list : (const void *) &self->txns;
}

static int part_take (void *arg, uint32_t partition, const synod_reply_t *reply, bool *more)
{
    lister_t *self = (lister_t *) arg;
    if (reply->code == SYNOD_OK)
        return take_answer (self, reply, &self->after[partition], more);
    self->refuses = self->refuses || reply->code == SYNOD_REFUSED;
    if (reply->code != SYNOD_REFUSED)
        failed (self, reply);
    return SYNOD__EXIT_NONE;
}

static int list_type (void *arg, const synod__rings_type_t *type)
{
    lister_t *self = (lister_t *) arg;
    char what[SYNOD_NAME_MAX + 32];
    synod__parts_t walk = {.ask = part_ask, .take = part_take, .arg = self};
    snprintf (self->placed[self->nplaced++], SYNOD_NAME_MAX + 1, "%s", type->name);
    self->coordinates = strcmp (type->name, TXN_VOTE) == 0;
    self->refuses = false;
    walk.record = self->coordinates ? &synod__txn_list_record : &synod__txn_txns_record;
    self->after = (after_t *) calloc (synod__ring_partitions (type->now), sizeof *self->after);
    if (!self->after)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the partitions");
    int status = synod__parts_each (&self->rings, type, &walk);
    free (self->after);
    snprintf (what, sizeof what, "of the partitions of %s", type->name);
    say_failed (self, what);
    return status;
}

/* ---- actors that are not placed ---- */

static bool is_placed (const lister_t *self, synod_str_t name)
{
    for (uint32_t i = 0; i < self->nplaced; i++)
        if (synod_str_is (name, self->placed[i]))
            return true;
    return false;
}

static int list_address (lister_t *self, const char *to)
{
    after_t after = {.number = 0};
    bool more = true;
    int status = SYNOD__EXIT_NONE;
    self->coordinates = false;
    while (more && status == SYNOD__EXIT_NONE) {
        synod_reply_t reply = {0};
        const synod__txn_txns_t in = {.after = synod_str_n (after.place_size ? after.place : NULL, after.place_size)};
        more = false;
        reply.code = synod_handle_ask (self->rings.handle, to, &synod__txn_txns_record, &in,
                                       (int) self->rings.join.timeout_ms, &reply);
        if (reply.code == SYNOD_OK)
            status = take_answer (self, &reply, &after, &more);
        else if (reply.code != SYNOD_REFUSED)
            failed (self, &reply);
    }
    say_failed (self, to);
    return status;
}

static int list_unplaced (lister_t *self)
{
    char (*addresses)[2 * SYNOD_NAME_MAX + 2] = NULL, broker[SYNOD_ADDRESS_MAX + 1] = SYNOD_BROKER;
    uint32_t count = 0;
    synod_reply_t reply = {0};
    synod__nodes_are_t nodes;
    synod__entry_t entry;
    synod__actor_at_t actor;
    synod_fault_t fault = {0};
    if (self->rings.join.options.direct) /* its own directory */
        snprintf (broker, sizeof broker, "%s/" SYNOD_NODE_ACTOR, synod_handle_name (self->rings.handle));
    int rc = synod_handle_ask (self->rings.handle, broker, &synod__nodes_record, &(synod__nodes_t){0},
                               (int) self->rings.join.timeout_ms, &reply);
    if (rc != SYNOD_OK)
        return txn_fail (&reply);
    if (synod_record_unpack (&synod__nodes_are_record, reply.body, &nodes, &fault) != SYNOD_OK)
        return synod__fail (fault.code, fault.text);
    for (synod_list_t list = nodes.nodes; synod_list_next (&list, &synod__entry_record, &entry);)
        while (!entry.client && synod_list_next (&entry.actors, &synod__actor_at_record, &actor)) {
            if (is_placed (self, actor.name))
                continue;
            void *more = realloc (addresses, (count + 1) * sizeof *addresses);
            if (!more) {
                free (addresses);
                return synod__fail (SYNOD_NO_MEMORY, "no memory for the list of actors");
            }
            addresses = more;
            snprintf (addresses[count++], sizeof *addresses, "%.*s/%.*s", SYNOD_STR (entry.node),
                      SYNOD_STR (actor.name));
        }
    int status = SYNOD__EXIT_NONE;
    for (uint32_t i = 0; i < count && status == SYNOD__EXIT_NONE; i++)
        status = list_address (self, addresses[i]);
    free (addresses);
    return status;
}

int txn_list_all (txn_t *txn)
{
    synod__rings_view_t view = {0};
    lister_t self = {.txn = txn, .rings = {.command = txn->command, .join = txn->join}, .status = SYNOD__EXIT_DONE};
    int status = synod__rings_reach (&self.rings, NULL);
    status = status == SYNOD__EXIT_NONE ? synod__rings_look (&self.rings, &view) : status;
    status = status == SYNOD__EXIT_NONE ? synod__parts_types (&view, list_type, &self) : status;
    status = status == SYNOD__EXIT_NONE ? list_unplaced (&self) : status;
    synod__rings_view_free (&view);
    txn->handle = self.rings.handle;
    return status == SYNOD__EXIT_NONE ? self.status : status;
}
