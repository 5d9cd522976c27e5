/* SPDX-License-Identifier: MPL-2.0
 *
 * synod txn: transactions over keys of the table. This is the command line, and what becomes of its words.
 */
#include "txn.h"

#include <errno.h>
#include <stdlib.h>
#include "protocol/address.h"

/* ---- the words of `run` ---- */

static int misused (const txn_t *self, const char *word, const char *expected)
{
    return synod__misused (self->command, "%s: expected %s", word, expected);
}

/* The part of KEY; NULL with *STATUS. */
static txn_part_t *part_of (txn_t *self, const char *key, size_t size, int *status)
{
    char address[SYNOD_ADDRESS_MAX + 2];
    synod_address_t parsed;
    synod_fault_t fault = {0};
    int length = snprintf (address, sizeof address, "%s#%.*s", TXN_TABLE, (int) size, key);
    if (length > SYNOD_ADDRESS_MAX || synod__address_parse (synod_str (address), &parsed, &fault) != SYNOD_OK) {
        *status = synod__misused (self->command, "%s",
                                  *fault.text ? fault.text : "address: expected a key of 1 to 400 bytes, got more");
        return NULL;
    }
    for (uint32_t i = 0; i < self->nparts; i++)
        if (strcmp (self->parts[i].to, address) == 0)
            return &self->parts[i];
    if (self->nparts == SYNOD_TRANSACTION_PARTS_MAX) {
        *status = synod__misused (self->command, "a transaction has %d keys at most, this one has more",
                                  SYNOD_TRANSACTION_PARTS_MAX);
        return NULL;
    }
    txn_part_t *part = &self->parts[self->nparts++];
    memcpy (part->to, address, (size_t) length + 1);
    part->how.fence = self->fence;
    return part;
}

static bool number_of (const char *text, char **end, int64_t *out)
{
    errno = 0;
    *out = strtoll (text, end, 10);
    return *end != text && !errno && (*text == '-' || (*text >= '0' && *text <= '9'));
}

static int take_write (const txn_t *self, const char *word, txn_what_t what, const char *value, txn_part_t *part)
{
    char *end = NULL;
    if (part->what != TXN_CHECK)
        return synod__misused (self->command, "%s: the key is written twice", word);
    part->what = what;
    part->value = value;
    if (what == TXN_PUT)
        return strlen (value) <= SYNOD_TRANSACTION_VALUE_MAX ? SYNOD__EXIT_NONE
                                                             : misused (self, "put", "a value of up to 61440 bytes");
    if (what == TXN_DELETE)
        return SYNOD__EXIT_NONE;
    bool good = number_of (value, &end, &part->delta);
    if (good && strncmp (end, ">=", 2) == 0) {
        part->how.bounded = true;
        good = number_of (end + 2, &end, &part->how.floor);
    }
    return good && !*end ? SYNOD__EXIT_NONE : misused (self, word, "add:KEY=AMOUNT or add:KEY=AMOUNT>=FLOOR");
}

static int take_check (const txn_t *self, const char *word, const char *value, bool absent, txn_part_t *part)
{
    if (part->checked)
        return synod__misused (self->command, "%s: the key is checked twice", word);
    part->checked = true;
    part->how.absent = absent;
    part->how.present = !absent && !value;
    if (value)
        part->how.was = synod_str (value);
    return SYNOD__EXIT_NONE;
}

static int take_version (const txn_t *self, const char *word, const char *value, txn_part_t *part)
{
    char *end = NULL;
    int64_t version = 0;
    if (!value || !number_of (value, &end, &version) || *end || version < 1)
        return misused (self, word, "version:KEY=VERSION, a number above 0");
    part->how.version = (uint64_t) version;
    part->checked = true;
    return SYNOD__EXIT_NONE;
}

/* put:K=V del:K add:K=N[>=FLOOR] check:K==V check:K check:!K version:K=N */
static int take_word (txn_t *self, const char *word)
{
    static const struct {
        const char *prefix;
        txn_what_t what;
        const char *between; /* NULL: no value; optional for `check:` */
        const char *form;
    } forms[] = {{"put:", TXN_PUT, "=", "put:KEY=VALUE"},
                 {"del:", TXN_DELETE, NULL, "del:KEY"},
                 {"add:", TXN_INCR, "=", "add:KEY=AMOUNT or add:KEY=AMOUNT>=FLOOR"},
                 {"check:", TXN_CHECK, "==", "check:KEY==VALUE, check:KEY or check:!KEY"},
                 {"version:", TXN_CHECK, "=", "version:KEY=VERSION"}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t size = strlen (forms[i].prefix);
        if (strncmp (word, forms[i].prefix, size) != 0)
            continue;
        const char *key = word + size, *between = forms[i].between ? strstr (key, forms[i].between) : NULL;
        bool check = *forms[i].prefix == 'c', absent = check && *key == '!' && !between;
        if (forms[i].between && !between && !check)
            return misused (self, word, forms[i].form);
        key += absent;
        const char *value = between ? between + strlen (forms[i].between) : NULL;
        int status = SYNOD__EXIT_NONE;
        txn_part_t *part = part_of (self, key, between ? (size_t) (between - key) : strlen (key), &status);
        if (!part)
            return status;
        if (check)
            return take_check (self, word, value, absent, part);
        if (forms[i].what == TXN_CHECK)
            return take_version (self, word, value, part);
        return take_write (self, word, forms[i].what, value ? value : "", part);
    }
    return misused (self, word, "put:KEY=VALUE, del:KEY, add:KEY=AMOUNT, check:KEY==VALUE or version:KEY=VERSION");
}

/* ---- verbs ---- */

static int run (txn_t *self)
{
    if (self->command->nwords < 2)
        return synod__misused (self->command, "expected what is to be done: put:KEY=VALUE, and so on");
    for (int i = 1; i < self->command->nwords; i++) {
        int status = take_word (self, self->command->words[i]);
        if (status != SYNOD__EXIT_NONE)
            return status;
    }
    return txn_run (self);
}

static int show (txn_t *self)
{
    if (self->command->nwords != 2)
        return synod__misused (self->command, "expected `synod txn show ID`, got %d arguments",
                               self->command->nwords - 1);
    self->id = self->command->words[1];
    return txn_show (self);
}

static int list (txn_t *self)
{
    int status = SYNOD__EXIT_NONE;
    if (self->command->nwords < 2)
        return txn_list_all (self);
    for (int i = 1; i < self->command->nwords; i++)
        if (!part_of (self, self->command->words[i], strlen (self->command->words[i]), &status))
            return status;
    return txn_list (self);
}

/* resolve and forget. */
static int settle (txn_t *self)
{
    const char *const *words = self->command->words;
    bool forget = strcmp (words[0], "forget") == 0;
    int status = SYNOD__EXIT_NONE;
    if (self->command->nwords != 3)
        return synod__misused (self->command, "expected `synod txn %s ID KEY%s`, got %d arguments", words[0],
                               forget ? "" : " --commit|--abort", self->command->nwords - 1);
    if (forget == (self->commit || self->abort) || (self->commit && self->abort))
        return synod__misused (self->command, "expected %s with `synod txn %s`",
                               forget ? "neither --commit nor --abort" : "either --commit or --abort", words[0]);
    self->id = words[1];
    status = txn_check_id (self);
    if (status != SYNOD__EXIT_NONE || !part_of (self, words[2], strlen (words[2]), &status))
        return status;
    return txn_resolve (self, forget ? "forget" : self->commit ? "committed" : "aborted");
}

static int dispatch (txn_t *self)
{
    static const struct {
        const char *verb;
        int (*run) (txn_t *self);
    } verbs[] = {{"run", run}, {"show", show}, {"list", list}, {"resolve", settle}, {"forget", settle}};
    const char *verb = self->command->words[0];
    if (strcmp (verb, "run") != 0 && (self->id || self->protocol || self->deadline_ms || self->fence))
        return synod__misused (self->command,
                               "--id, --protocol, --deadline and --fence mean nothing with `synod txn %s`", verb);
    if (strcmp (verb, "resolve") != 0 && strcmp (verb, "forget") != 0 && (self->commit || self->abort))
        return synod__misused (self->command, "--commit and --abort mean nothing with `synod txn %s`", verb);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp (verb, verbs[i].verb) == 0)
            return verbs[i].run (self);
    return synod__misused (self->command, "expected %s, not '%s'", self->command->words_are, verb);
}

int synod__tool_txn (int argc, char **argv)
{
    txn_t self = {.id = NULL};
    const synod__opt_t options[] = {
        {"protocol", SYNOD__OPT_TEXT, "NAME", "run: 2pc (default), 3pc, paxos or parallel", &self.protocol},
        {"id", SYNOD__OPT_TEXT, "ID", "run: its name; asked again with it there is the same answer", &self.id},
        {"deadline", SYNOD__OPT_MS, "TIME", "run: undecided by then it is aborted (default: 3/4 of --timeout)",
         &self.deadline_ms},
        {"fence", SYNOD__OPT_COUNT, "N", "run: only if no higher fence was seen for any of the keys", &self.fence},
        {"commit", SYNOD__OPT_FLAG, NULL, "resolve: it is committed there", &self.commit},
        {"abort", SYNOD__OPT_FLAG, NULL, "resolve: it is aborted there", &self.abort},
        {"json", SYNOD__OPT_FLAG, NULL, "run, show, list: print JSON", &self.json},
        {0}};
    synod__command_t command = {
        .name = "txn",
        .synopsis = "run WORD... | show ID | list [KEY]... | resolve ID KEY | forget ID KEY [OPTION]...",
        .about =
            "Changes keys of the table together or not at all, by the actor `vote`. The words of `run`:\n"
            "  put:KEY=VALUE          give it this value\n"
            "  del:KEY                take its value away\n"
            "  add:KEY=N[>=FLOOR]     add N to a number, if the sum is not below FLOOR\n"
            "  check:KEY==VALUE       only if its value is this\n"
            "  check:KEY, check:!KEY  only if it has one, or none\n"
            "  version:KEY=V          only if its value has this version\n"
            "A key ends at the first `=`. One key may be checked and written.\n"
            "Exit of run: 0 committed, 1 aborted, and why; 4 in doubt: ask again with its --id. `show` tells how "
            "it is,\n`list` what is under way at coordinators and undecided at participants: in all the bus, or in "
            "the\npartitions of some keys.\n",
        .options = options,
        .join = &self.join,
        .words_min = 1,
        .words_max = -1,
        .words_are = "run, show, list, resolve or forget",
    };
    self.command = &command;
    int status = synod__command_parse (&command, argc, argv);
    if (status == SYNOD__EXIT_NONE)
        status = dispatch (&self);
    synod_handle_destroy (&self.handle);
    synod__command_free (&command);
    return status;
}
