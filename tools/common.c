/* SPDX-License-Identifier: MPL-2.0
 *
 * What every subcommand that joins a bus does alike: errors and exit codes, joining, signals, printing.
 */
#include "tool.h"
#include "protocol/address.h"

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

/* The exit code, or SYNOD__EXIT_NONE when somebody is there. */
static int await (synod_handle_t *handle, const synod__join_t *join, const char *address)
{
    /* the framework's own actors are in no directory */
    const char *slash = strchr (address, '/');
    if ((slash ? slash[1] : address[0]) == '$')
        return SYNOD__EXIT_NONE;
    int code = synod_handle_await (handle, address, (int) join->timeout_ms);
    if (code == SYNOD_TIMEOUT || code == SYNOD_NO_ROUTE) {
        fprintf (stderr, "synod: no-route: nobody was at %s within %u ms\n", address, join->timeout_ms);
        return synod__exit_code (SYNOD_NO_ROUTE);
    }
    return code == SYNOD_OK ? SYNOD__EXIT_NONE : synod__fail (code, synod_handle_error (handle));
}

synod_handle_t *synod__reach (const synod__command_t *command, synod__join_t *join, bool waits, synod_buf_t *body,
                              int *status)
{
    synod_fault_t fault = {0};
    synod_address_t address;
    if (*status != SYNOD__EXIT_NONE)
        return NULL;
    if (synod__address_parse (synod_str (command->words[0]), &address, &fault) != SYNOD_OK ||
        synod__body_from_words (command->words + 2, command->nwords - 2, body, &fault) != SYNOD_OK) {
        *status = synod__misused (command, "%s", fault.text);
        return NULL;
    }
    join->options.no_directory = !waits;
    synod_handle_t *handle = synod__join (join, status);
    if (handle && waits)
        *status = await (handle, join, command->words[0]);
    return handle;
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
