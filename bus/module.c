/* SPDX-License-Identifier: MPL-2.0
 *
 * Finding the actor types that a command line names: built in, or in a shared object that says SYNOD_MODULE. A shared
 * object stays loaded as long as the process: its code runs on the node's thread.
 */
#include "module.h"
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include "protocol/record_set.h"

typedef struct {
    const synod_actor_t *const *types; /* NULL-terminated */
    const char *only;                  /* the one that is wanted; NULL: all */
} found_t;

static int load (const char *path, found_t *found, synod_fault_t *fault)
{
    void *library = dlopen (path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return synod_fault (fault, SYNOD_INVALID, "cannot load actors: %s", dlerror ());
    const synod_module_t *module = (const synod_module_t *) dlsym (library, "synod_module");
    if (!module)
        return synod_fault (fault, SYNOD_INVALID, "%s holds no actors: it does not say SYNOD_MODULE (...)", path);
    if (module->abi != SYNOD_ABI)
        return synod_fault (fault, SYNOD_INVALID, "%s was built for module version %d; this is version %d", path,
                            module->abi, SYNOD_ABI);
    found->types = module->actors;
    return SYNOD_OK;
}

/* A word with a slash is a path, with `:NAME` behind it when only one of its actors is wanted. */
static int find (const synod_actor_t *const *builtin, const char *word, found_t *found, char *path, size_t size,
                 synod_fault_t *fault)
{
    *found = (found_t){builtin, word};
    const char *slash = strrchr (word, '/');
    if (slash) {
        const char *colon = strchr (slash, ':');
        snprintf (path, size, "%.*s", colon ? (int) (colon - word) : (int) strlen (word), word);
        int code = load (path, found, fault);
        if (code != SYNOD_OK)
            return code;
        found->only = colon ? colon + 1 : NULL;
    }
    char known[SYNOD_FAULT_MAX] = "";
    size_t used = 0;
    for (const synod_actor_t *const *type = found->types; *type; type++) {
        if (!found->only || strcmp ((*type)->name, found->only) == 0)
            return SYNOD_OK;
        if (used < sizeof known)
            used += (size_t) snprintf (known + used, sizeof known - used, "%s%s", used ? ", " : "", (*type)->name);
    }
    return synod_fault (fault, SYNOD_INVALID, "there is no actor type '%s'; there is %s%s",
                        found->only ? found->only : "", used ? known : "none",
                        slash ? "" : ", or the path of a shared object as in ./lib.so");
}

static bool wanted (const found_t *found, const synod_actor_t *type)
{
    return !found->only || strcmp (type->name, found->only) == 0;
}

static const synod_field_t *find_field (const synod_record_t *record, synod_str_t key)
{
    const synod_field_t *fields = record ? record->fields () : NULL;
    for (uint32_t i = 0; record && i < record->nfields; i++) {
        if (synod_str_is (key, fields[i].name))
            return &fields[i];
    }
    return NULL;
}

/* The key of key=value; empty when it is none. */
static synod_str_t key_of (const char *setting)
{
    const char *equals = strchr (setting, '=');
    return synod_str_n (setting, equals ? (size_t) (equals - setting) : 0);
}

static bool fits (const synod_record_t *record, const char *setting)
{
    return find_field (record, key_of (setting)) != NULL;
}

/* Fills ARGS from those of the settings that fit. */
static int fill (const synod_record_t *record, void *args, const char **settings, int nsettings, synod_fault_t *fault)
{
    const synod_field_t *fields = record->fields ();
    uint64_t given = 0; /* SYNOD_FIELDS_MAX bits */
    for (int i = 0; i < nsettings; i++) {
        const synod_field_t *field = find_field (record, key_of (settings[i]));
        if (!field)
            continue;
        uint64_t bit = 1ull << (field - fields);
        if (given & bit)
            return synod_fault (fault, SYNOD_INVALID, "%s is given twice", field->name);
        given |= bit;
        int code = synod__record_set (record, args, field->name, strchr (settings[i], '=') + 1, fault);
        if (code != SYNOD_OK)
            return code;
    }
    for (uint32_t i = 0; i < record->nfields; i++) {
        if (!fields[i].optional && !(given >> i & 1))
            return synod_fault (fault, SYNOD_INVALID, "--set %s=... is needed: %s", fields[i].name, fields[i].doc);
    }
    return SYNOD_OK;
}

static int add (synod_node_t *node, const synod_actor_t *type, const char **settings, int nsettings,
                synod_fault_t *fault)
{
    if (!type->args)
        return synod_node_add (node, type, NULL, fault);
    void *args = calloc (1, type->args->size);
    if (!args)
        return synod_fault (fault, SYNOD_NO_MEMORY, "no memory for the settings");
    int code = fill (type->args, args, settings, nsettings, fault);
    if (code == SYNOD_OK)
        code = synod_node_add (node, type, args, fault); /* copies */
    free (args);
    return code;
}

/* What may be set in any of the types, for an error. */
static int no_setting (const found_t *found, const char *setting, synod_fault_t *fault)
{
    char known[SYNOD_FAULT_MAX] = "";
    size_t used = 0;
    for (const synod_actor_t *const *type = found->types; *type; type++) {
        for (uint32_t i = 0; wanted (found, *type) && (*type)->args && i < (*type)->args->nfields; i++) {
            const synod_field_t *field = &(*type)->args->fields ()[i];
            if (used < sizeof known)
                used += (size_t) snprintf (known + used, sizeof known - used, "%s%s", used ? ", " : "", field->name);
        }
    }
    if (!strchr (setting, '='))
        return synod_fault (fault, SYNOD_INVALID, "--set takes key=value, not '%s'", setting);
    return synod_fault (fault, SYNOD_INVALID, "--set %s: the type takes %s", setting, used ? known : "no settings");
}

static int add_all (synod_node_t *node, const found_t *found, const char **settings, int nsettings,
                    synod_fault_t *fault)
{
    for (int i = 0; i < nsettings; i++) {
        bool taken = false;
        for (const synod_actor_t *const *type = found->types; *type; type++)
            taken = taken || (wanted (found, *type) && fits ((*type)->args, settings[i]));
        if (!taken)
            return no_setting (found, settings[i], fault);
    }
    int code = SYNOD_OK;
    for (const synod_actor_t *const *type = found->types; code == SYNOD_OK && *type; type++) {
        if (wanted (found, *type))
            code = add (node, *type, settings, nsettings, fault);
    }
    return code;
}

int synod__module_add (synod_node_t *node, const synod_actor_t *const *builtin, const char *word, const char **settings,
                       int nsettings, synod_fault_t *fault)
{
    found_t found = {builtin, NULL};
    char path[PATH_MAX];
    int code = word ? find (builtin, word, &found, path, sizeof path, fault) : SYNOD_OK;
    return code == SYNOD_OK ? add_all (node, &found, settings, nsettings, fault) : code;
}
