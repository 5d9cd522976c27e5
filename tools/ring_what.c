/* SPDX-License-Identifier: MPL-2.0
 *
 * synod ring --key and --what-if: answers that are worked out here, from the epoch that a member told.
 */
#include "ring.h"
#include "protocol/address.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- where a key is ---- */

typedef struct {
    uint32_t partition;
    const char *owner;
    json_t *replicas, *learners;
} place_t;

static bool among (const uint16_t *members, uint32_t count, uint16_t one)
{
    for (uint32_t i = 0; i < count; i++)
        if (members[i] == one)
            return true;
    return false;
}

static void place (const synod__epoch_t *epoch, const synod__rings_type_t *type, const char *key, place_t *out)
{
    out->partition = synod__ring_partition (type->now, synod_str (key));
    uint16_t owner = type->now->owner[out->partition];
    const uint16_t *now = synod__ring_replicas (type->now, out->partition);
    const uint16_t *then = synod__ring_replicas (type->then, out->partition);
    out->owner = owner == SYNOD__NOBODY ? NULL : epoch->members[owner].name;
    out->replicas = json_array ();
    out->learners = json_array ();
    for (uint32_t i = 0; i < type->now->copies; i++)
        json_array_append_new (out->replicas, json_string (epoch->members[now[i]].name));
    for (uint32_t i = 0; i < type->then->copies; i++)
        if (!among (now, type->now->copies, then[i]))
            json_array_append_new (out->learners, json_string (epoch->members[then[i]].name));
}

static void print_names (const char *what, const json_t *names)
{
    for (size_t i = 0; i < json_array_size (names); i++)
        printf ("%s%s", i ? " " : what, json_string_value (json_array_get (names, i)));
}

static void print_place (const synod__rings_t *self, const synod__rings_type_t *type, place_t *at)
{
    if (self->json) {
        synod__rings_json (json_pack (
            "{s:o, s:s, s:i, s:o, s:o, s:o}", "type", type->name ? json_string (type->name) : json_null (), "key",
            self->key, "partition", (int) at->partition, "owner", at->owner ? json_string (at->owner) : json_null (),
            "replicas", at->replicas, "learners", at->learners));
        return;
    }
    printf ("%s#%s: partition %u, owner %s", type->name ? type->name : "", self->key, at->partition,
            at->owner ? at->owner : "nobody");
    print_names (", replicas ", at->replicas);
    print_names (", learners ", at->learners);
    putchar ('\n');
    json_decref (at->replicas);
    json_decref (at->learners);
}

/* Whether type I is asked for. */
static bool wanted (const synod__rings_t *self, const synod__epoch_t *epoch, uint32_t i)
{
    return !self->type || (epoch->ntypes && strcmp (epoch->types[i].name, self->type) == 0);
}

static int check_type (const synod__rings_t *self, const synod__epoch_t *epoch)
{
    char names[SYNOD_FAULT_MAX] = "", text[2 * SYNOD_FAULT_MAX];
    size_t used = 0;
    for (uint32_t i = 0; i < epoch->ntypes; i++) {
        if (!self->type || strcmp (epoch->types[i].name, self->type) == 0)
            return SYNOD__EXIT_NONE;
        if (used < sizeof names)
            used += (size_t) snprintf (names + used, sizeof names - used, "%s%s", i ? ", " : "", epoch->types[i].name);
    }
    if (!self->type)
        return SYNOD__EXIT_NONE;
    snprintf (text, sizeof text, "no placed type %s on this ring: it has %s", self->type, *names ? names : "none");
    return synod__fail (SYNOD_NOT_FOUND, text);
}

int synod__rings_key (synod__rings_t *self)
{
    synod__rings_view_t view = {0};
    size_t size = strlen (self->key);
    if (size == 0 || size > SYNOD_KEY_MAX)
        return synod__misused (self->command, "a key has 1 to %d bytes, this one has %zu", SYNOD_KEY_MAX, size);
    int status = synod__rings_reach (self, NULL);
    if (status == SYNOD__EXIT_NONE)
        status = synod__rings_look (self, &view);
    if (status == SYNOD__EXIT_NONE)
        status = check_type (self, &view.epoch);
    for (uint32_t i = 0; status == SYNOD__EXIT_NONE && i < synod__rings_types (&view.epoch); i++) {
        synod__rings_type_t type;
        place_t at;
        if (!wanted (self, &view.epoch, i))
            continue;
        if (!synod__rings_type (&view.epoch, i, &type)) {
            status = synod__fail (SYNOD_NO_MEMORY, "no memory for the partitions");
            break;
        }
        place (&view.epoch, &type, self->key, &at);
        print_place (self, &type, &at);
        synod__rings_type_free (&type);
    }
    synod__rings_view_free (&view);
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}

/* ---- what if ---- */

/* One that is not there yet runs what the others run. Its id only has to be another one than theirs. */
static int add_node (const synod__rings_t *self, synod__epoch_t *after, const char *name, uint32_t weight)
{
    if (after->nmembers >= SYNOD__MEMBERS_MAX)
        return synod__misused (self->command, "a ring has %d members at most", SYNOD__MEMBERS_MAX);
    synod__member_t *members =
        (synod__member_t *) realloc (after->members, ((size_t) after->nmembers + 1) * sizeof *members);
    if (!members)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the members");
    after->members = members;
    synod__member_t *member = &members[after->nmembers++];
    *member = (synod__member_t){.weight = weight, .target = weight, .types = UINT64_MAX};
    snprintf (member->name, sizeof member->name, "%s", name);
    uint64_t hash = synod__ring_hash (name, strlen (name));
    memcpy (member->id.bytes, &hash, sizeof hash);
    return SYNOD__EXIT_NONE;
}

/* +NODE[:WEIGHT] or -NODE, done to AFTER. */
static int change (const synod__rings_t *self, synod__epoch_t *after, const char *word)
{
    char name[SYNOD_NAME_MAX + 1];
    uint64_t weight = 0;
    if (*word != '+' && *word != '-')
        return synod__misused (self->command, "--what-if takes +NODE[:WEIGHT] or -NODE, not '%s'", word);
    int status = synod__rings_node_word (self, word + 1, name, &weight);
    if (status != SYNOD__EXIT_NONE)
        return status;
    synod__member_t *member = (synod__member_t *) synod__epoch_member (after, synod_str (name));
    if (*word == '-') {
        if (weight)
            return synod__misused (self->command, "--what-if %s: one that leaves has no weight", word);
        if (!member) {
            char text[SYNOD_FAULT_MAX];
            snprintf (text, sizeof text, "%s is no member of the ring", name);
            return synod__fail (SYNOD_NOT_FOUND, text);
        }
        size_t at = (size_t) (member - after->members);
        memmove (member, member + 1, (after->nmembers - at - 1) * sizeof *member);
        after->nmembers--;
        return SYNOD__EXIT_NONE;
    }
    if (!member)
        return add_node (self, after, name, weight ? (uint32_t) weight : SYNOD__WEIGHT_DEFAULT);
    if (!weight)
        return synod__misused (self->command, "%s is a member: +%s:WEIGHT gives it another weight", name, name);
    member->weight = member->target = (uint32_t) weight;
    return SYNOD__EXIT_NONE;
}

/* A copy of EPOCH as it will be when what moves has moved, with the changes. */
static int make_after (const synod__rings_t *self, const synod__epoch_t *epoch, synod__epoch_t *after)
{
    int status = SYNOD__EXIT_NONE;
    uint32_t kept = 0, sum = 0;
    synod_buf_t packed = {0};
    synod_fault_t fault = {0};
    int code = synod__epoch_pack (epoch, &packed, &fault);
    if (code == SYNOD_OK)
        code = synod__epoch_unpack (after, synod_str_n (packed.data, packed.size), &fault);
    synod_buf_free (&packed);
    if (code != SYNOD_OK)
        return synod__fail (code, fault.text);
    for (uint32_t i = 0; i < after->nmembers; i++) {
        after->members[i].weight = after->members[i].target;
        if (after->members[i].weight)
            after->members[kept++] = after->members[i];
    }
    after->nmembers = kept;
    for (int i = 0; i < self->what_if.count && status == SYNOD__EXIT_NONE; i++)
        status = change (self, after, self->what_if.text[i]);
    if (status != SYNOD__EXIT_NONE)
        return status;
    for (uint32_t i = 0; i < after->nmembers; i++)
        sum += after->members[i].weight;
    if (after->nmembers == 0)
        return synod__misused (self->command, "nobody is left: a ring keeps one member");
    if (sum > SYNOD__WEIGHTS_MAX)
        return synod__misused (self->command, "weights are up to %d together, these are %u", SYNOD__WEIGHTS_MAX, sum);
    return SYNOD__EXIT_NONE;
}

/* Members of both, by name: NOW those before, then those that are new. */
static void print_shares (const synod__epoch_t *before, const synod__epoch_t *after, const synod__what_if_t *what)
{
    uint32_t count = before->partitions;
    printf ("%-16s %9s %9s %9s   %9s %9s %9s\n", "NODE", "OWNS", "SHARE", "HOLDS", "THEN OWNS", "SHARE", "HOLDS");
    for (uint32_t i = 0; i < before->nmembers + after->nmembers; i++) {
        const synod__member_t *member =
            i < before->nmembers ? &before->members[i] : &after->members[i - before->nmembers];
        const synod__member_t *was = synod__epoch_store (before, &member->id);
        const synod__member_t *is = synod__epoch_store (after, &member->id);
        if (i >= before->nmembers && was)
            continue;
        uint32_t owned = was ? what->owned_before[was - before->members] : 0;
        uint32_t held = was ? what->held_before[was - before->members] : 0;
        uint32_t owns = is ? what->owned_after[is - after->members] : 0;
        uint32_t holds = is ? what->held_after[is - after->members] : 0;
        printf ("%-16s %9u %7.2f %% %9u   %9u %7.2f %% %9u\n", member->name, owned, 100.0 * owned / count, held, owns,
                100.0 * owns / count, holds);
    }
}

static void print_moves (const char *what, const synod__move_t *moves, uint32_t count, const synod__epoch_t *before,
                         const synod__epoch_t *after)
{
    for (uint32_t i = 0; i < count; i++)
        printf ("%s: %s to %s %u\n", what, before->members[moves[i].from].name, after->members[moves[i].to].name,
                moves[i].partitions);
}

static json_t *moves_json (const synod__move_t *moves, uint32_t count, const synod__epoch_t *before,
                           const synod__epoch_t *after)
{
    json_t *out = json_array ();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new (out,
                               json_pack ("{s:s, s:s, s:i}", "from", before->members[moves[i].from].name, "to",
                                          after->members[moves[i].to].name, "partitions", (int) moves[i].partitions));
    return out;
}

static json_t *shares_json (const synod__epoch_t *epoch, const uint32_t *owned, const uint32_t *held)
{
    json_t *out = json_array ();
    for (uint32_t i = 0; i < epoch->nmembers; i++)
        json_array_append_new (out, json_pack ("{s:s, s:i, s:i, s:i}", "node", epoch->members[i].name, "weight",
                                               (int) epoch->members[i].weight, "owns", (int) owned[i], "holds",
                                               (int) held[i]));
    return out;
}

static void print_what (const synod__rings_t *self, const char *type, const synod__epoch_t *before,
                        const synod__epoch_t *after, const synod__what_if_t *what)
{
    if (self->json) {
        synod__rings_json (
            json_pack ("{s:o, s:i, s:i, s:i, s:o, s:o, s:o, s:o}", "type", type ? json_string (type) : json_null (),
                       "partitions", (int) before->partitions, "owners_moved", (int) what->owners_moved, "copies_moved",
                       (int) what->copies_moved, "before", shares_json (before, what->owned_before, what->held_before),
                       "after", shares_json (after, what->owned_after, what->held_after), "owners",
                       moves_json (what->owners, what->nowners, before, after), "copies",
                       moves_json (what->copies, what->ncopies, before, after)));
        return;
    }
    printf ("%s: %u of %u partitions get another owner, %u copies are made\n", type ? type : "one type of all members",
            what->owners_moved, before->partitions, what->copies_moved);
    print_shares (before, after, what);
    print_moves ("owners", what->owners, what->nowners, before, after);
    print_moves ("copies", what->copies, what->ncopies, before, after);
}

static int compare (const synod__rings_t *self, const synod__epoch_t *before, const synod__epoch_t *after, uint32_t i)
{
    synod__rings_type_t was, is;
    synod__what_if_t what = {0};
    synod_fault_t fault = {0};
    if (!synod__rings_type (before, i, &was))
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the partitions");
    if (!synod__rings_type (after, i, &is)) {
        synod__rings_type_free (&was);
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the partitions");
    }
    int code = synod__what_if ((synod__placed_t){was.now, before->members}, (synod__placed_t){is.now, after->members},
                               &what, &fault);
    if (code == SYNOD_OK) {
        print_what (self, was.name, before, after, &what);
        if (is.now->copies < was.replicas)
            fprintf (stderr, "synod: %s is to have %u replicas, and %u members are left for them\n",
                     was.name ? was.name : "a type", was.replicas, is.now->copies);
        synod__what_if_free (&what);
    }
    synod__rings_type_free (&was);
    synod__rings_type_free (&is);
    return code == SYNOD_OK ? SYNOD__EXIT_NONE : synod__fail (code, fault.text);
}

int synod__rings_what_if (synod__rings_t *self)
{
    synod__rings_view_t view = {0};
    synod__epoch_t after = {0};
    int status = synod__rings_reach (self, NULL);
    if (status == SYNOD__EXIT_NONE)
        status = synod__rings_look (self, &view);
    if (status == SYNOD__EXIT_NONE)
        status = check_type (self, &view.epoch);
    if (status == SYNOD__EXIT_NONE)
        status = make_after (self, &view.epoch, &after);
    for (uint32_t i = 0; status == SYNOD__EXIT_NONE && i < synod__rings_types (&view.epoch); i++)
        if (wanted (self, &view.epoch, i))
            status = compare (self, &view.epoch, &after, i);
    synod__epoch_free (&after);
    synod__rings_view_free (&view);
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}
