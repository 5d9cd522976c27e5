/* SPDX-License-Identifier: MPL-2.0
 *
 * What every subcommand that joins a bus does alike: errors and exit codes, joining, signals, printing.
 */
#include "tool.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t signalled;

synod_handle_t *synod__join (const synod__join_t *join, int *status)
{
    synod_fault_t fault = {0};
    synod_handle_t *handle = synod_handle_new (&join->options, &fault);
    *status = handle ? SYNOD__EXIT_NONE : synod__join_failed (&fault);
    return handle;
}

int synod__await (synod_handle_t *handle, const synod__join_t *join, const char *address)
{
    /* the framework's own actors are in no directory */
    const char *slash = strchr (address, '/');
    if ((slash ? slash[1] : address[0]) == '$')
        return SYNOD_OK;
    int code = synod_handle_await (handle, address, (int) join->timeout_ms);
    if (code == SYNOD_TIMEOUT || code == SYNOD_NO_ROUTE) {
        fprintf (stderr, "synod: no-route: nobody was at %s within %u ms\n", address, join->timeout_ms);
        return SYNOD_NO_ROUTE;
    }
    if (code != SYNOD_OK)
        synod__fail (code, synod_handle_error (handle));
    return code;
}

static void on_signal (int number)
{
    if (signalled)
        _exit (128 + number); /* the second one ends at once */
    signalled = 1;
}

void synod__signals_catch (void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset (&action.sa_mask);
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
}

bool synod__signalled (void)
{
    return signalled != 0;
}

void synod__print_body (FILE *out, synod_str_t body)
{
    synod_buf_t json = {0};
    synod_fault_t fault = {0};
    if (!body.data || body.size == 0)
        fputs ("null", out);
    else if (synod_body_json (body, &json, &fault) == SYNOD_OK)
        fwrite (json.data, 1, json.size, out);
    else
        fputs ("null", out);
    synod_buf_free (&json);
}

void synod__print_text (FILE *out, synod_str_t text)
{
    json_t *value = json_stringn (text.size ? text.data : "", text.size);
    if (!value && text.size) { /* no UTF-8 */
        char *plain = strndup (text.data, text.size);
        for (char *c = plain; c && *c; c++)
            *c = (char) ((unsigned char) *c < 0x80 ? *c : '?');
        value = plain ? json_string (plain) : NULL;
        free (plain);
    }
    char *json = value ? json_dumps (value, JSON_ENCODE_ANY) : NULL;
    fputs (json ? json : "null", out);
    free (json);
    json_decref (value);
}
