/* SPDX-License-Identifier: MPL-2.0
 *
 * Gives each file of the folders named on the command line to the target, then each of them cut at every byte. An empty
 * corpus is a failure: it would test nothing.
 */
#include <dirent.h>
#include "fuzz.h"

/* In memory of exactly that size, so that a sanitizer sees every byte read past it. */
static void s_give (const char *bytes, size_t size)
{
    uint8_t *copy = (uint8_t *) malloc (size ? size : 1);
    FUZZ_CHECK (copy);
    memcpy (copy, bytes, size);
    LLVMFuzzerTestOneInput (copy, size);
    free (copy);
}

static void s_replay (const char *path)
{
    static char bytes[2 * SYNOD_FRAME_MAX];
    FILE *file = fopen (path, "rb");
    FUZZ_CHECK (file);
    size_t size = fread (bytes, 1, sizeof bytes, file);
    FUZZ_CHECK (!ferror (file));
    fclose (file);
    s_give (bytes, size);
    for (size_t cut = 0; cut < size && cut < 4096; cut++)
        s_give (bytes, cut);
}

int main (int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir (argv[i]);
        if (!folder) {
            fprintf (stderr, "replay: %s: expected a folder\n", argv[i]);
            return 1;
        }
        for (struct dirent *entry; (entry = readdir (folder));) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf (path, sizeof path, "%s/%s", argv[i], entry->d_name);
            s_replay (path);
            files++;
        }
        closedir (folder);
    }
    printf ("%d files replayed\n", files);
    return files == 0;
}
