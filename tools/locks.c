/* SPDX-License-Identifier: MPL-2.0
 *
 * synod locks: all locks that somebody has, or all about some; and synod lock-release, which takes one away. The locks of
 * a partition are asked of it by a key that is in it (partitions.h).
 */
#include "partitions.h"
#include "stream.h"
#include "actors/lock/lock_actor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- printing ---- */

static json_t *text_of (synod_str_t text)
{
    return json_stringn (text.data ? text.data : "", text.size);
}

static void print_json (const synod__lock_lock_t *lock)
{
    json_t *out = json_object ();
    json_object_set_new (out, "name", text_of (lock->name));
    json_object_set_new (out, "permits", json_integer ((json_int_t) lock->permits));
    json_object_set_new (out, "holds", json_integer ((json_int_t) lock->holds));
    json_object_set_new (out, "waits", json_integer ((json_int_t) lock->waits));
    const struct {
        const char *name;
        synod_list_t list;
    } both[] = {{"holders", lock->holders}, {"waiters", lock->waiters}};
    for (size_t i = 0; i < 2; i++) {
        json_t *all = json_array ();
        synod_list_t list = both[i].list;
        synod__lock_claim_t claim;
        while (synod_list_next (&list, &synod__lock_claim_record, &claim)) {
            json_t *one = json_object ();
            json_object_set_new (one, "who", text_of (claim.who));
            json_object_set_new (one, "owner", text_of (claim.owner));
            json_object_set_new (one, "place", json_integer ((json_int_t) claim.entry));
            if (claim.token)
                json_object_set_new (one, "token", json_integer ((json_int_t) claim.token));
            json_object_set_new (one, "count", json_integer ((json_int_t) claim.count));
            json_object_set_new (one, "shared", json_boolean (claim.shared));
            json_object_set_new (one, "age_ms", json_integer ((json_int_t) claim.age_ms));
            json_object_set_new (one, "left_ms", json_integer ((json_int_t) claim.left_ms));
            json_array_append_new (all, one);
        }
        json_object_set_new (out, both[i].name, all);
    }
    if (lock->forced) {
        json_object_set_new (out, "forced", json_integer ((json_int_t) lock->forced));
        json_object_set_new (out, "by", text_of (lock->by));
        json_object_set_new (out, "why", text_of (lock->why));
    }
    synod__rings_json (out);
}

static void print_claims (const char *what, synod_list_t list)
{
    synod__lock_claim_t claim;
    while (synod_list_next (&list, &synod__lock_claim_record, &claim)) {
        printf ("  %-8s %.*s%s%.*s", what, SYNOD_STR (claim.who), claim.owner.size ? ":" : "", SYNOD_STR (claim.owner));
        if (claim.token)
            printf ("  token %" PRIu64, claim.token);
        printf ("%s  for %" PRIu64 " s, %" PRIu64 " ms of its lease are left", claim.shared ? "  shared" : "",
                claim.age_ms / 1000, claim.left_ms);
        if (claim.count > 1)
            printf (", acquired %" PRIu64 " times", claim.count);
        putchar ('\n');
    }
}

static void print_text (const synod__lock_lock_t *lock)
{
    printf ("%.*s  %" PRIu64 " hold", SYNOD_STR (lock->name), lock->holds);
    if (lock->permits > 1)
        printf (" of %" PRIu64, lock->permits);
    printf (", %" PRIu64 " wait\n", lock->waits);
    print_claims ("held by", lock->holders);
    print_claims ("waiting", lock->waiters);
    if (lock->forced)
        printf ("  last released by force at %" PRIu64 " by %.*s%s%.*s\n", lock->forced, SYNOD_STR (lock->by),
                lock->why.size ? ": " : "", SYNOD_STR (lock->why));
}

static void print_lock (const synod__lock_lock_t *lock, bool json)
{
    if (json)
        print_json (lock);
    else
        print_text (lock);
}

/* ---- all of them ---- */

typedef struct {
    synod__rings_t *rings;
    synod__lock_list_t in;
    char (*after)[SYNOD__LOCK_NAME_MAX + 1]; /* by partition: the last that was told; owned */
    bool found;
} all_t;

static const void *list_ask (void *arg, uint32_t partition)
{
    all_t *self = (all_t *) arg;
    self->in = (synod__lock_list_t){.after = synod_str (self->after[partition])};
    return &self->in;
}

/* An answer: printed, and asked on where there is more. */
static int list_take (void *arg, uint32_t partition, const synod_reply_t *reply, bool *more)
{
    all_t *self = (all_t *) arg;
    synod__lock_locks_are_t in;
    synod__lock_lock_t lock;
    synod_fault_t fault = {0};
    if (reply->code != SYNOD_OK)
        return synod__rings_fail (reply);
    if (synod_record_unpack (&synod__lock_locks_are_record, reply->body, &in, &fault) != SYNOD_OK)
        return synod__fail (fault.code, fault.text);
    while (synod_list_next (&in.locks, &synod__lock_lock_record, &lock)) {
        print_lock (&lock, self->rings->json);
        snprintf (self->after[partition], sizeof self->after[partition], "%.*s", SYNOD_STR (lock.name));
    }
    *more = in.more;
    return SYNOD__EXIT_NONE;
}

static int list_of (void *arg, const synod__rings_type_t *type)
{
    all_t *self = (all_t *) arg;
    const synod__parts_t walk = {.ask = list_ask, .take = list_take, .record = &synod__lock_list_record, .arg = self};
    if (strcmp (type->name, SYNOD__LOCK_ACTOR) != 0)
        return SYNOD__EXIT_NONE;
    self->found = true;
    self->after = calloc (synod__ring_partitions (type->now), sizeof *self->after);
    if (!self->after)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the partitions");
    int status = synod__parts_each (self->rings, type, &walk);
    free (self->after);
    return status;
}

static int list_all (synod__rings_t *rings)
{
    synod__rings_view_t view = {0};
    all_t self = {.rings = rings};
    int status = synod__rings_reach (rings, NULL);
    status = status == SYNOD__EXIT_NONE ? synod__rings_look (rings, &view) : status;
    status = status == SYNOD__EXIT_NONE ? synod__parts_types (&view, list_of, &self) : status;
    if (status == SYNOD__EXIT_NONE && !self.found)
        status = synod__fail (SYNOD_NO_ROUTE, "no member of the ring runs the actor lock: `synod run lock`");
    synod__rings_view_free (&view);
    return status;
}

/* ---- one ---- */

static int ask (synod__rings_t *self, const char *name, const synod_record_t *record, const void *in,
                const synod_record_t *answer, void *out)
{
    char to[sizeof SYNOD__LOCK_ACTOR "#" + SYNOD__LOCK_NAME_MAX];
    synod_str_t key = synod__locks_key (synod_str (name));
    synod_reply_t reply;
    synod_fault_t fault = {0};
    snprintf (to, sizeof to, SYNOD__LOCK_ACTOR "#%.*s", SYNOD_STR (key));
    int status = SYNOD__EXIT_NONE;
    if (!self->handle)
        self->handle = synod__join (&self->join, &status);
    if (status != SYNOD__EXIT_NONE)
        return status;
    if (synod_handle_await (self->handle, SYNOD__LOCK_ACTOR, (int) self->join.timeout_ms) != SYNOD_OK)
        return synod__fail (SYNOD_NO_ROUTE, "nobody runs the actor lock: `synod run lock` does");
    int code = synod_handle_ask (self->handle, to, record, in, (int) self->join.timeout_ms, &reply);
    if (code != SYNOD_OK)
        return synod__rings_fail (&reply);
    code = synod_record_unpack (answer, reply.body, out, &fault);
    return code == SYNOD_OK ? SYNOD__EXIT_NONE : synod__fail (code, fault.text);
}

static int inspect (synod__rings_t *self, const char *name)
{
    synod__lock_lock_t lock;
    int status = ask (self, name, &synod__lock_inspect_record, &(synod__lock_inspect_t){.name = synod_str (name)},
                      &synod__lock_lock_record, &lock);
    if (status == SYNOD__EXIT_NONE)
        print_lock (&lock, self->json);
    return status;
}

/* ---- watching ---- */

#define WATCH_MS  6000 /* for so long each node publishes what happens to its locks */
#define KEEP_MS   1500 /* and so often it is asked to */
#define MEMBER_MS 500  /* one that does not answer is waited for */

typedef struct {
    synod__rings_t *rings;
    bool kept; /* at least once */
} watch_t;

/* All members are asked, also those that own nothing yet. One that is away is asked again next time. */
static int keep_watching (void *arg)
{
    watch_t *self = (watch_t *) arg;
    synod__rings_view_t view = {0};
    uint32_t answers = 0;
    const synod__lock_watch_t in = {.ms = WATCH_MS};
    int status = self->rings->asked[0] ? SYNOD__EXIT_NONE : synod__rings_reach (self->rings, NULL);
    status = status == SYNOD__EXIT_NONE ? synod__rings_look (self->rings, &view) : status;
    for (uint32_t i = 0; status == SYNOD__EXIT_NONE && i < view.epoch.nmembers; i++) {
        char to[SYNOD_ADDRESS_MAX + 1];
        synod_reply_t reply;
        snprintf (to, sizeof to, "%s/" SYNOD__LOCK_NODE, view.epoch.members[i].name);
        answers +=
            synod_handle_ask (self->rings->handle, to, &synod__lock_watch_record, &in, MEMBER_MS, &reply) == SYNOD_OK;
    }
    synod__rings_view_free (&view);
    if (status == SYNOD__EXIT_NONE && !answers && !self->kept)
        status = synod__fail (SYNOD_NO_ROUTE, "no member of the ring runs the actor lock: `synod run lock`");
    if (status != SYNOD__EXIT_NONE && self->kept) { /* whom it asked may be gone: another is looked for */
        self->rings->asked[0] = 0;
        status = SYNOD__EXIT_NONE;
    }
    self->kept |= answers > 0;
    return status;
}

static void print_event (void *arg, const synod_message_t *message)
{
    synod__lock_granted_t in;
    if (synod_record_unpack (&synod__lock_granted_record, message->body, &in, NULL) != SYNOD_OK)
        return;
    if (((const watch_t *) arg)->rings->json) {
        json_t *out = json_object ();
        json_object_set_new (out, "event", text_of (message->method));
        json_object_set_new (out, "name", text_of (in.name));
        json_object_set_new (out, "token", json_integer ((json_int_t) in.token));
        json_object_set_new (out, "who", text_of (in.who));
        json_object_set_new (out, "owner", text_of (in.owner));
        json_object_set_new (out, "shared", json_boolean (in.shared));
        json_object_set_new (out, "position", json_integer ((json_int_t) in.position));
        json_object_set_new (out, "previous", json_integer ((json_int_t) in.previous));
        synod__rings_json (out);
    } else
        printf ("%.*s %.*s  token %" PRIu64 "  %.*s%s%.*s\n", SYNOD_STR (in.name), SYNOD_STR (message->method),
                in.token, SYNOD_STR (in.who), in.owner.size ? ":" : "", SYNOD_STR (in.owner));
    fflush (stdout);
}

static int watch (synod__rings_t *self)
{
    const char *all = "lock.>";
    const char **patterns = &all;
    int npatterns = self->command->nwords ? self->command->nwords : 1;
    char topics[SYNOD_LOCK_NAMES_MAX][SYNOD__LOCK_NAME_MAX + 8];
    const char *named[SYNOD_LOCK_NAMES_MAX];
    for (int i = 0; i < self->command->nwords; i++) {
        snprintf (topics[i], sizeof topics[i], "lock.%s", self->command->words[i]);
        named[i] = topics[i];
        patterns = named;
    }
    watch_t watched = {.rings = self};
    synod__stream_t stream = {.join = &self->join,
                              .patterns = patterns,
                              .npatterns = npatterns,
                              .json = self->json,
                              .on_message = print_event,
                              .keep = keep_watching,
                              .keep_ms = KEEP_MS,
                              .arg = &watched};
    return synod__stream (&stream);
}

static int check_names (const synod__command_t *command)
{
    synod_fault_t fault = {0};
    for (int i = 0; i < command->nwords; i++)
        if (synod__locks_name_check (synod_str (command->words[i]), &fault) != SYNOD_OK)
            return synod__misused (command, "%s", fault.text);
    return SYNOD__EXIT_NONE;
}

int synod__tool_locks (int argc, char **argv)
{
    synod__rings_t self = {0};
    const synod__opt_t options[] = {{"json", SYNOD__OPT_FLAG, NULL, "print JSON, an object a line", &self.json},
                                    {"watch", SYNOD__OPT_FLAG, NULL,
                                     "print what happens from now on: granted, released, expired, forced", &self.watch},
                                    {0}};
    synod__command_t command = {
        .name = "locks",
        .synopsis = "[NAME]... [OPTION]...",
        .about = "Shows all locks that somebody holds, each with one holder; of a NAME all holders and who waits.\n",
        .options = options,
        .join = &self.join,
        .words_min = 0,
        .words_max = SYNOD_LOCK_NAMES_MAX,
        .words_are = "up to 16 NAMEs",
    };
    self.command = &command;
    int status = synod__command_parse (&command, argc, argv);
    status = status == SYNOD__EXIT_NONE ? check_names (&command) : status;
    if (status == SYNOD__EXIT_NONE && self.watch)
        status = watch (&self);
    else if (status == SYNOD__EXIT_NONE && !command.nwords)
        status = list_all (&self);
    else
        for (int i = 0; i < command.nwords && status == SYNOD__EXIT_NONE; i++)
            status = inspect (&self, command.words[i]);
    synod_handle_destroy (&self.handle);
    synod__command_free (&command);
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}

int synod__tool_lock_release (int argc, char **argv)
{
    synod__rings_t self = {0};
    const char *why = NULL;
    uint64_t token = 0;
    char by[SYNOD__LOCK_WHO_MAX + 1], host[64] = "";
    const synod__opt_t options[] = {{"force", SYNOD__OPT_FLAG, NULL, "yes, take it from who holds it", &self.force},
                                    {"token", SYNOD__OPT_COUNT, "N", "only from the holder with this token", &token},
                                    {"why", SYNOD__OPT_TEXT, "TEXT", "for the record, up to 200 bytes", &why},
                                    {0}};
    synod__command_t command = {
        .name = "lock-release",
        .synopsis = "NAME --force [OPTION]...",
        .about = "Takes a lock from those who hold it. It is recorded; they are told, and may still act until then:\n"
                 "what has to be right looks at the tokens.\n",
        .options = options,
        .join = &self.join,
        .words_min = 1,
        .words_max = 1,
        .words_are = "one NAME",
    };
    self.command = &command;
    int status = synod__command_parse (&command, argc, argv);
    status = status == SYNOD__EXIT_NONE ? check_names (&command) : status;
    if (status == SYNOD__EXIT_NONE && !self.force)
        status = synod__misused (&command, "a lock is released by who holds it; to take it away say --force");
    if (status == SYNOD__EXIT_NONE && why && strlen (why) > SYNOD__LOCK_WHY_MAX)
        status = synod__misused (&command, "--why takes up to %d bytes", SYNOD__LOCK_WHY_MAX);
    if (status == SYNOD__EXIT_NONE) {
        gethostname (host, sizeof host - 1);
        snprintf (by, sizeof by, "%s@%s", getenv ("USER") ? getenv ("USER") : "?", host);
        const synod__lock_force_t in = {.name = synod_str (command.words[0]),
                                        .token = token,
                                        .by = synod_str (by),
                                        .why = synod_str (why ? why : "")};
        synod__lock_freed_t freed = {0};
        status = ask (&self, command.words[0], &synod__lock_force_record, &in, &synod__lock_freed_record, &freed);
        if (status == SYNOD__EXIT_NONE)
            printf ("taken from %" PRIu64 " holder%s\n", freed.count, freed.count == 1 ? "" : "s");
    }
    synod_handle_destroy (&self.handle);
    synod__command_free (&command);
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}
