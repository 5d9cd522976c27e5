/* SPDX-License-Identifier: MPL-2.0
 *
 * Finding what a word names. A shared object is never closed: its code runs on threads, and its texts are everywhere.
 */
#include "library.h"
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <synod/actor.h>

static int s_load (const synod__library_kind_t *kind, const char *path, const void **list, synod_fault_t *fault)
{
    void *library = dlopen (path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return synod_fault (fault, SYNOD_INVALID, "cannot load %s: %s", kind->many, dlerror ());
    const int *abi = (const int *) dlsym (library, kind->symbol);
    if (!abi)
        return synod_fault (fault, SYNOD_INVALID, "%s holds no %s: it does not say %s (...)", path, kind->many,
                            kind->says);
    if (*abi != SYNOD_ABI)
        return synod_fault (fault, SYNOD_INVALID, "%s was built for module version %d; this is version %d", path, *abi,
                            SYNOD_ABI);
    *list = kind->list (abi);
    return SYNOD_OK;
}

int synod__library_find (const synod__library_kind_t *kind, const char *word, const void *builtin, const void **list,
                         const char **only, synod_fault_t *fault)
{
    char path[PATH_MAX], known[SYNOD_FAULT_MAX] = "";
    const char *slash = strrchr (word, '/'), *name;
    *list = builtin;
    *only = word;
    if (slash) {
        const char *colon = strchr (slash, ':');
        snprintf (path, sizeof path, "%.*s", colon ? (int) (colon - word) : (int) strlen (word), word);
        int rc = s_load (kind, path, list, fault);
        if (rc != SYNOD_OK)
            return rc;
        *only = colon ? colon + 1 : NULL;
    }
    size_t used = 0;
    for (size_t i = 0; (name = kind->name (*list, i)); i++) {
        if (!*only || strcmp (name, *only) == 0)
            return SYNOD_OK;
        if (used < sizeof known)
            used += (size_t) snprintf (known + used, sizeof known - used, "%s%s", used ? ", " : "", name);
    }
    return synod_fault (fault, SYNOD_INVALID, "there is no %s '%s'; there is %s%s", kind->one, *only ? *only : "",
                        used ? known : "none", slash ? "" : ", or the path of a shared object as in ./lib.so");
}
