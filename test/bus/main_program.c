/* SPDX-License-Identifier: MPL-2.0
 *
 * A program that says synod_main, for main_test.py: it says when its actor starts and ends, and can hold a call.
 */
#include <stdio.h>
#include <synod/synod.h>

/* clang-format off */
#define SETTINGS_FIELDS(FIELD, OPT) \
    FIELD (str, word, 20, "what to say") \
    OPT (u64, times, 1000, "how often")
#define HOLD_FIELDS(FIELD, OPT)
/* clang-format on */
SYNOD_RECORD (settings, SETTINGS_FIELDS, 0, "the settings")
SYNOD_RECORD (hold, HOLD_FIELDS, 0, "is answered never")

static int init (synod_ctx_t *ctx, void *state, const void *args)
{
    const settings_t *settings = (const settings_t *) args;
    (void) ctx;
    (void) state;
    printf ("init %.*s %u\n", SYNOD_STR (settings->word), (unsigned) settings->times);
    fflush (stdout);
    return SYNOD_OK;
}

static void fini (synod_ctx_t *ctx, void *state)
{
    (void) ctx;
    (void) state;
    puts ("fini");
    fflush (stdout);
}

/* Keeps the call: a node that drains waits for it. */
static int on_hold (synod_ctx_t *ctx, void *state, const hold_t *in, synod_call_t call)
{
    (void) ctx;
    (void) state;
    (void) in;
    (void) call;
    puts ("held");
    fflush (stdout);
    return SYNOD_OK;
}

static const synod_actor_t actor = {
    .name = "program",
    .doc = "says what happens to it",
    .args = &settings_record,
    .init = init,
    .fini = fini,
    .routes = (const synod_route_t[]){SYNOD_ON (hold, on_hold), SYNOD_END},
};

int main (int argc, char **argv)
{
    return synod_main (argc, argv, &actor);
}
