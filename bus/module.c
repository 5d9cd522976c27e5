/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor types that a command line names, built in or in a shared object that says SYNOD_MODULE, with their settings.
 */
#include "module.h"
#include <stdio.h>
#include <stdlib.h>
#include "library.h"
#include "protocol/record_set.h"

typedef struct {
    const synod_actor_t *const *types; /* NULL-terminated */
    const char *only;                  /* the one that is wanted; NULL: all */
} found_t;

static const void *list (const void *module)
{
    return ((const synod_module_t *) module)->actors;
}

static const char *name (const void *types, size_t i)
{
    const synod_actor_t *type = ((const synod_actor_t *const *) types)[i];
    return type ? type->name : NULL;
}

static const synod__library_kind_t actors = {"actors", "actor type", "synod_module", "SYNOD_MODULE", list, name};

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
    const void *types = builtin;
    int code = word ? synod__library_find (&actors, word, builtin, &types, &found.only, fault) : SYNOD_OK;
    found.types = (const synod_actor_t *const *) types;
    return code == SYNOD_OK ? add_all (node, &found, settings, nsettings, fault) : code;
}
