/* SPDX-License-Identifier: MPL-2.0
 *
 * synod ring: shows the ring, makes it, changes it. All by asking the actor `ring` of a member; this is the command line.
 */
#include "ring.h"

typedef struct {
    const char *verb, *takes;
    int min, max; /* words behind the verb; -1: any number */
    int (*run) (synod__rings_t *self, const char *const *words, int nwords);
    const char *options; /* that mean something with it, between spaces */
} verb_t;

static const verb_t verbs[] = {
    {"init", "init NODE[:WEIGHT]...", 1, -1, synod__rings_init, " keepers replicas partitions wait "},
    {"join", "join NODE", 1, 1, synod__rings_join, " weight zone wait "},
    {"leave", "leave NODE", 1, 1, synod__rings_leave, " wait "},
    {"remove", "remove NODE", 1, 1, synod__rings_remove, " force wait "},
    {"weight", "weight NODE W", 2, 2, synod__rings_weight, " wait "},
    {"keepers", "keepers A,B,C", 1, 1, synod__rings_keepers, " wait "},
};
#define VERBS (sizeof verbs / sizeof verbs[0])

/* What was given and means nothing here is a mistake of whoever gave it. */
static int check_options (const synod__rings_t *self, const char *verb, const char *options)
{
    const struct {
        const char *name;
        bool given;
    } all[] = {{"keepers", self->keepers},
               {"replicas", self->replicas},
               {"partitions", self->partitions},
               {"weight", self->weight},
               {"zone", self->zone},
               {"force", self->force},
               {"wait", self->wait},
               {"watch", self->watch},
               {"key", self->key},
               {"type", self->type},
               {"what-if", self->what_if.count > 0}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char word[32];
        snprintf (word, sizeof word, " %s ", all[i].name);
        if (all[i].given && !strstr (options, word))
            return synod__misused (self->command, "--%s means nothing with `synod ring%s%s`", all[i].name,
                                   *verb ? " " : "", verb);
    }
    return SYNOD__EXIT_NONE;
}

static int look (synod__rings_t *self)
{
    if (self->key && self->what_if.count)
        return synod__misused (self->command, "--key and --what-if are two questions: ask one");
    int status = check_options (self, "",
                                self->key             ? " key type "
                                : self->what_if.count ? " what-if type "
                                                      : " watch ");
    if (status != SYNOD__EXIT_NONE)
        return status;
    if (self->key)
        return synod__rings_key (self);
    return self->what_if.count ? synod__rings_what_if (self) : synod__rings_show (self);
}

static int run (synod__rings_t *self)
{
    int nwords = self->command->nwords - 1;
    if (nwords < 0)
        return look (self);
    const char *verb = self->command->words[0];
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp (verb, verbs[i].verb) != 0)
            continue;
        if (nwords < verbs[i].min || (verbs[i].max >= 0 && nwords > verbs[i].max))
            return synod__misused (self->command, "expected `synod ring %s`, got %d argument%s", verbs[i].takes, nwords,
                                   nwords == 1 ? "" : "s");
        int status = check_options (self, verb, verbs[i].options);
        return status == SYNOD__EXIT_NONE ? verbs[i].run (self, self->command->words + 1, nwords) : status;
    }
    return synod__misused (self->command, "expected init, join, leave, remove, weight, keepers or nothing, not '%s'",
                           verb);
}

int synod__tool_ring (int argc, char **argv)
{
    synod__rings_t self = {0};
    const synod__opt_t options[] = {
        {"key", SYNOD__OPT_TEXT, "KEY", "show where this key is", &self.key},
        {"type", SYNOD__OPT_TEXT, "TYPE", "of this placed actor only: for --key and --what-if", &self.type},
        {"what-if", SYNOD__OPT_TEXTS, "+N[:W]|-N", "show what would move if a node came or went; may be repeated",
         &self.what_if},
        {"watch", SYNOD__OPT_FLAG, NULL, "show it again every second", &self.watch},
        {"json", SYNOD__OPT_FLAG, NULL, "print JSON, an object a line", &self.json},
        {"at", SYNOD__OPT_TEXT, "NODE", "ask this node (default: any member; init: the first that it names)", &self.at},
        {"wait", SYNOD__OPT_FLAG, NULL, "wait until what moves has moved, and say how far it is", &self.wait},
        {"keepers", SYNOD__OPT_TEXT, "A,B,C", "init: who decides, an odd number (default: three, or one of two)",
         &self.keepers},
        {"replicas", SYNOD__OPT_COUNT, "R", "init: copies of each partition (default: 3, or as many as nodes)",
         &self.replicas},
        {"partitions", SYNOD__OPT_COUNT, "N", "init: a power of two up to 65536, for good (default 16384)",
         &self.partitions},
        {"weight", SYNOD__OPT_COUNT, "W", "join: its share, 1 to 1000 (default: what it was started with, or 100)",
         &self.weight},
        {"zone", SYNOD__OPT_TEXT, "ZONE", "join: what may fail together with it (default: what it was started with)",
         &self.zone},
        {"force", SYNOD__OPT_FLAG, NULL, "remove: even if it is up and well", &self.force},
        {0}};
    synod__command_t command = {
        .name = "ring",
        .synopsis = "[init NODE[:WEIGHT]... | join NODE | leave NODE | remove NODE | weight NODE W | keepers A,B,C] "
                    "[OPTION]...",
        .about =
            "Shows the ring, on which placed actors are: its members, what each owns and holds, what moves and how\n"
            "far. init makes it, once, of nodes that run a placed actor or `synod run ring`; join adds one; leave\n"
            "lets one go, whose copies others get first; remove does so for one that is dead; weight gives one "
            "another\n"
            "share; keepers says who decides. A change is decided when the command ends; with --wait, done as well.\n"
            "`synod run TYPE --alone` is a ring of one, which others may join.\n",
        .options = options,
        .join = &self.join,
        .words_min = 0,
        .words_max = -1,
        .words_are = "init, join, leave, remove, weight or keepers",
    };
    self.command = &command;
    int status = synod__command_parse (&command, argc, argv);
    if (status == SYNOD__EXIT_NONE)
        status = run (&self);
    synod_handle_destroy (&self.handle);
    synod__command_free (&command);
    return status;
}
