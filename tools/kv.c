/* SPDX-License-Identifier: MPL-2.0
 *
 * synod kv: reads and writes the table. This is the command line.
 */
#include "kv.h"

static const synod__kvs_verb_t verbs[] = {
    {"get", "get KEY", 1, 1, synod__kvs_get, " stale json "},
    {"put", "put KEY [VALUE]", 1, 2, synod__kvs_put_verb,
     " file if-absent if-present if-version ttl until keep-ttl fence old json "},
    {"del", "del KEY...", 1, -1, synod__kvs_del, " if-version fence json "},
    {"cas", "cas KEY VERSION [VALUE]", 2, 3, synod__kvs_cas, " file ttl until keep-ttl fence json "},
    {"incr", "incr KEY [AMOUNT]", 1, 2, synod__kvs_incr, " ttl until fence json "},
    {"append", "append KEY [VALUE]", 1, 2, synod__kvs_append, " file if-version fence json "},
    {"expire", "expire KEY [TIME]", 1, 2, synod__kvs_expire, " until if-version fence json "},
    {"mget", "mget KEY...", 1, -1, synod__kvs_mget, " stale json "},
    {"mput", "mput KEY=VALUE...", 1, -1, synod__kvs_mput, " ttl until json "},
    {"scan", "scan [PREFIX]", 0, 1, synod__kvs_scan, " limit values json "},
    {"watch", "watch KEY", 1, 1, synod__kvs_watch, " prefix count json "},
    {0},
};

/* What was given and means nothing here is a mistake of whoever gave it. */
static int check_options (const synod__kvs_t *self, const synod__kvs_verb_t *verb)
{
    const struct {
        const char *name;
        bool given;
    } all[] = {{"file", self->file},          {"if-absent", self->absent}, {"if-present", self->present},
               {"if-version", self->version}, {"ttl", self->ttl_ms},       {"until", self->until_ms},
               {"keep-ttl", self->keep},      {"fence", self->fence},      {"old", self->old},
               {"stale", self->stale},        {"limit", self->limit},      {"values", self->values},
               {"prefix", self->prefix},      {"count", self->count},      {"json", self->json}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char word[32];
        snprintf (word, sizeof word, " %s ", all[i].name);
        if (all[i].given && !strstr (verb->options, word))
            return synod__misused (self->command, "--%s means nothing with `synod %s %s`", all[i].name,
                                   self->command->name, verb->verb);
    }
    if (self->ttl_ms && self->until_ms)
        return synod__misused (self->command, "--ttl and --until are one deadline: give one");
    return SYNOD__EXIT_NONE;
}

int synod__kvs_run (synod__kvs_t *self, const synod__kvs_verb_t *of)
{
    int nwords = self->command->nwords - 1;
    const char *word = self->command->words[0];
    for (; of->verb; of++) {
        if (strcmp (word, of->verb) != 0)
            continue;
        if (nwords < of->min || (of->max >= 0 && nwords > of->max))
            return synod__misused (self->command, "expected `synod %s %s`, got %d argument%s", self->command->name,
                                   of->takes, nwords, nwords == 1 ? "" : "s");
        int status = check_options (self, of);
        return status == SYNOD__EXIT_NONE ? of->run (self, self->command->words + 1, nwords) : status;
    }
    return synod__misused (self->command, "expected %s, not '%s'", self->command->words_are, word);
}

int synod__tool_kv (int argc, char **argv)
{
    synod__kvs_t self = {.actor = KV_ACTOR};
    const synod__opt_t options[] = {
        {"json", SYNOD__OPT_FLAG, NULL, "print JSON, an object a line", &self.json},
        {"stale", SYNOD__OPT_FLAG, NULL, "get, mget: of the owner alone; may be out of date", &self.stale},
        {"file", SYNOD__OPT_TEXT, "FILE", "the value is what is in it; `-` is standard input", &self.file},
        {"if-absent", SYNOD__OPT_FLAG, NULL, "put: only if the key has no value", &self.absent},
        {"if-present", SYNOD__OPT_FLAG, NULL, "put: only if it has one", &self.present},
        {"if-version", SYNOD__OPT_COUNT, "V", "only if the value has this version", &self.version},
        {"fence", SYNOD__OPT_COUNT, "N", "only if no higher fence was seen for the key", &self.fence},
        {"ttl", SYNOD__OPT_MS, "TIME", "the value is gone so long from now: 500ms, 10s, 2m, 1h", &self.ttl_ms},
        {"until", SYNOD__OPT_COUNT, "MS", "or at this time, ms since 1970", &self.until_ms},
        {"keep-ttl", SYNOD__OPT_FLAG, NULL, "put, cas: the deadline stays as it is", &self.keep},
        {"old", SYNOD__OPT_FLAG, NULL, "put: print the value before it", &self.old},
        {"limit", SYNOD__OPT_COUNT, "N", "scan: end after N keys", &self.limit},
        {"values", SYNOD__OPT_FLAG, NULL, "scan: print values too", &self.values},
        {"prefix", SYNOD__OPT_FLAG, NULL, "watch: all keys that begin with KEY", &self.prefix},
        {"count", SYNOD__OPT_COUNT, "N", "watch: end after N lines", &self.count},
        {0}};
    synod__command_t command = {
        .name = "kv",
        .synopsis = "get|put|del|cas|incr|append|expire|mget|mput|scan|watch KEY... [OPTION]...",
        .about = "Reads and writes the table, which nodes with `synod run kv` keep:\n"
                 "  get KEY                   print its value; exit 1 if it has none\n"
                 "  put KEY [VALUE]           give it one; without VALUE from --file or standard input\n"
                 "  del KEY...                take it away\n"
                 "  cas KEY VERSION [VALUE]   give it another, if its version is still this one\n"
                 "  incr KEY [AMOUNT]         add to a number (default 1; `-- -5` takes 5 away); print the sum\n"
                 "  append KEY [VALUE]        add to the end of the value\n"
                 "  expire KEY [TIME]         let it be gone so long from now; without TIME: let it stay\n"
                 "  mget KEY..., mput KEY=VALUE...   several at once; each key by itself, not all or nothing\n"
                 "  scan [PREFIX]             print keys, by partition and in order\n"
                 "  watch KEY                 print each change as it comes; ~ marks one with others before it\n"
                 "                            that were not told\n"
                 "A condition that does not hold is exit 1, and nothing is changed.\n",
        .options = options,
        .join = &self.join,
        .words_min = 1,
        .words_max = -1,
        .words_are = "get, put, del, cas, incr, append, expire, mget, mput, scan or watch",
    };
    self.command = &command;
    int status = synod__command_parse (&command, argc, argv);
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_run (&self, verbs);
    synod_handle_destroy (&self.handle);
    synod_buf_free (&self.value);
    synod_buf_free (&self.pieces);
    synod__command_free (&command);
    return status;
}
