/* SPDX-License-Identifier: MPL-2.0
 *
 * Histories known to be good and known to be bad, in files. Each says why in a remark; a bad one has a remark
 * "# stuck: ..." with the operation that cannot be placed, as the explanation has to name it.
 */
#include <dirent.h>
#include "check.h"

typedef void on_file_t (const char *name, const char *text, const synod_history_t *history);

static char *s_read (const char *path)
{
    FILE *file = fopen (path, "r");
    char *text = (char *) calloc (1, 65536);
    assert_non_null (text);
    if (!file)
        fail_msg ("cannot open %s", path);
    size_t size = fread (text, 1, 65535, file);
    assert_true (size > 0 && size < 65535);
    fclose (file);
    return text;
}

static void s_file (const char *folder, const char *name, on_file_t *on_file)
{
    char path[1024];
    synod_fault_t fault = {0};
    snprintf (path, sizeof path, "%s/%s/%s", KNOWN_FOLDER, folder, name);
    char *text = s_read (path);
    synod_history_t *history = synod_history_load (NULL, synod_str (text), &fault);
    if (!history)
        fail_msg ("%s: %s", path, fault.text);
    on_file (name, text, history);
    synod_history_destroy (&history);
    free (text);
}

/* How many there were. */
static unsigned s_each (const char *folder, on_file_t *on_file)
{
    char path[1024];
    unsigned count = 0;
    snprintf (path, sizeof path, "%s/%s", KNOWN_FOLDER, folder);
    DIR *files = opendir (path);
    if (!files) {
        fail_msg ("cannot open %s", path);
        return 0;
    }
    for (const struct dirent *file = readdir (files); file; file = readdir (files)) {
        const char *suffix = strrchr (file->d_name, '.');
        if (!suffix || strcmp (suffix, ".history") != 0)
            continue;
        s_file (folder, file->d_name, on_file);
        count++;
    }
    closedir (files);
    return count;
}

static void s_good (const char *name, const char *text, const synod_history_t *history)
{
    (void) text;
    synod_linear_t result;
    check_verdict (history, NULL, SYNOD_LINEAR_YES, &result, name);
    assert_int_equal (result.unknown_keys, 0);
    assert_int_equal (result.key, UINT32_MAX);
    synod_linear_free (&result);
}

static void s_bad (const char *name, const char *text, const synod_history_t *history)
{
    synod_linear_t result;
    synod_buf_t out = {0};
    char stuck[128];
    check_verdict (history, NULL, SYNOD_LINEAR_NO, &result, name);
    check_prefix (history, &result, name);
    assert_int_equal (synod_linear_explain (history, &result, &out), SYNOD_OK);
    const char *wanted = strstr (text, "# stuck: ");
    const char *words = strstr (check_text (&out), "can this be placed before it ended:\n");
    if (!wanted || !words) {
        fail_msg ("%s: no \"# stuck\" in it, or none in the explanation:\n%s", name, out.data);
        return;
    }
    wanted += strlen ("# stuck: ");
    snprintf (stuck, sizeof stuck, "%.*s\n", (int) strcspn (wanted, "\n"), wanted);
    /* on the line after those words */
    const char *line = strchr (words, '\n') + 1, *found = strstr (line, stuck);
    if (!found || memchr (line, '\n', (size_t) (found - line)))
        fail_msg ("%s: expected %sto be stuck, got\n%s", name, stuck, out.data);
    synod_buf_free (&out);
    synod_linear_free (&result);
}

static void good_ones_are_accepted (void **state)
{
    (void) state;
    assert_true (s_each ("good", s_good) >= 24);
}

static void bad_ones_are_refused (void **state)
{
    (void) state;
    assert_true (s_each ("bad", s_bad) >= 27);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (good_ones_are_accepted),
                                       cmocka_unit_test (bad_ones_are_refused)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
