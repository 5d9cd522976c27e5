/* SPDX-License-Identifier: MPL-2.0
 *
 * Finding the actor types that a command line names: built in, or in a shared object that says SYNOD_MODULE. A shared
 * object stays loaded as long as the process: its code runs on the node's thread.
 */
#include "tool.h"
#include "builtin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>

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
static int find (const char *word, found_t *found, char *path, size_t size, synod_fault_t *fault)
{
    *found = (found_t){synod__builtin_types, word};
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

static int add (synod_node_t *node, const synod_actor_t *type, const char **settings, int nsettings,
                synod_fault_t *fault)
{
    if (!type->args)
        return synod_node_add (node, type, NULL, fault);
    const char **own = (const char **) calloc ((size_t) nsettings + 1, sizeof *own);
    void *args = calloc (1, type->args->size);
    synod_buf_t body = {0};
    int code = own && args ? SYNOD_OK : synod_fault (fault, SYNOD_NO_MEMORY, "no memory for the settings");
    int count = 0;
    for (int i = 0; own && code == SYNOD_OK && i < nsettings; i++) {
        if (synod__setting_fits (type->args, settings[i]))
            own[count++] = settings[i];
    }
    if (code == SYNOD_OK)
        code = synod__body_from_settings (own, count, type->args, &body, fault);
    if (code == SYNOD_OK)
        code = synod_record_unpack (type->args, synod_str_n (body.data, body.size), args, fault);
    if (code == SYNOD_OK)
        code = synod_node_add (node, type, args, fault); /* copies */
    synod_buf_free (&body);
    free (args);
    free (own);
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

int synod__types_add (synod_node_t *node, const char *word, const char **settings, int nsettings, synod_fault_t *fault)
{
    found_t found;
    char path[PATH_MAX];
    int code = find (word, &found, path, sizeof path, fault);
    for (int i = 0; code == SYNOD_OK && i < nsettings; i++) {
        bool fits = false;
        for (const synod_actor_t *const *type = found.types; *type; type++)
            fits = fits || (wanted (&found, *type) && synod__setting_fits ((*type)->args, settings[i]));
        if (!fits)
            code = no_setting (&found, settings[i], fault);
    }
    for (const synod_actor_t *const *type = found.types; code == SYNOD_OK && *type; type++) {
        if (wanted (&found, *type))
            code = add (node, *type, settings, nsettings, fault);
    }
    return code;
}
