/* SPDX-License-Identifier: MPL-2.0
 *
 * A module for the tests of `synod run`: an actor with settings, one without, and what tells they got.
 */
#include <synod/synod.h>

#include <stdio.h>

/* clang-format off */
#define SETTINGS_FIELDS(FIELD, OPT) \
    FIELD (str, word, 20, "what to say") \
    OPT (u64, times, 3, "how often") \
    OPT (f64, rate, 0, "a number") \
    OPT (bit, loud, 0, "in capital letters, as it were")
#define TOLD_FIELDS(FIELD, OPT) \
    OPT (u64, count, UINT64_MAX, "how many tells came")
#define NOTHING_FIELDS(FIELD, OPT)
/* clang-format on */
SYNOD_RECORD (settings, SETTINGS_FIELDS, 0, "the settings, also the reply of show")
SYNOD_RECORD (show, NOTHING_FIELDS, SYNOD_IDEMPOTENT, "what was set")
SYNOD_RECORD (note, NOTHING_FIELDS, 0, "counts")
SYNOD_RECORD (told, TOLD_FIELDS, SYNOD_IDEMPOTENT, "how many notes came; also its reply")
SYNOD_RECORD (refuse, NOTHING_FIELDS, 0, "is refused")

typedef struct {
    char word[32];
    settings_t settings;
    uint64_t notes;
} state_t;

static int init (synod_ctx_t *ctx, void *state, const void *args)
{
    state_t *self = (state_t *) state;
    if (args) {
        self->settings = *(const settings_t *) args;
        snprintf (self->word, sizeof self->word, "%.*s", SYNOD_STR (self->settings.word));
        self->settings.word = synod_str (self->word);
    }
    (void) ctx;
    return SYNOD_OK;
}

static int on_show (synod_ctx_t *ctx, void *state, const show_t *in, synod_call_t call)
{
    (void) in;
    return synod_reply (ctx, call, &settings_record, &((state_t *) state)->settings);
}

static int on_note (synod_ctx_t *ctx, void *state, const note_t *in, synod_call_t call)
{
    (void) ctx;
    (void) in;
    (void) call;
    ((state_t *) state)->notes++;
    return SYNOD_OK;
}

static int on_told (synod_ctx_t *ctx, void *state, const told_t *in, synod_call_t call)
{
    (void) in;
    const told_t out = {.count = ((state_t *) state)->notes};
    return synod_reply (ctx, call, &told_record, &out);
}

static int on_refuse (synod_ctx_t *ctx, void *state, const refuse_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    (void) call;
    return synod_error (ctx, SYNOD_REFUSED, "not today");
}

static const synod_actor_t speaker = {
    .name = "speaker",
    .doc = "says what was set",
    .state_size = sizeof (state_t),
    .args = &settings_record,
    .init = init,
    .routes = (const synod_route_t[]){SYNOD_ON (show, on_show), SYNOD_END},
};

static const synod_actor_t notebook = {
    .name = "notebook",
    .doc = "counts what it is told",
    .state_size = sizeof (state_t),
    .routes = (const synod_route_t[]){SYNOD_ON (note, on_note), SYNOD_ON (told, on_told), SYNOD_ON (refuse, on_refuse),
                                      SYNOD_END},
};

SYNOD_MODULE (&speaker, &notebook)
