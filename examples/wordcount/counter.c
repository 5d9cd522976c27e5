/* SPDX-License-Identifier: MPL-2.0
 *
 * The worker: an actor that counts the words of a chunk of text. Run as many as there are cores:
 *     synod run ./libwordcount.so
 */
#include "records.h"
#include "words.h"

typedef struct {
    synod_buf_t items; /* the list under construction; kept from chunk to chunk */
} counter_t;

static int on_count_chunk (synod_ctx_t *ctx, void *state, const count_chunk_t *in, synod_call_t call)
{
    counter_t *self = (counter_t *) state;
    words_t words = {NULL};
    counts_t out = {0};
    synod_fault_t fault = {0};
    int code = SYNOD_OK;

    self->items.size = 0;
    if (!words_add_text (&words, in->text.data, in->text.size))
        code = synod_fault (&fault, SYNOD_NO_MEMORY, "no memory for the words of a chunk");
    for (const word_t *word = words.head; word && code == SYNOD_OK; word = (const word_t *) word->hh.next) {
        const word_count_t item = {.word = synod_str_n (word->text, word->size), .count = word->count};
        code = synod_list_add (&out.words, &self->items, &word_count_record, &item, &fault);
    }
    words_clear (&words);
    if (code != SYNOD_OK)
        return synod_error (ctx, code, "%s", fault.text);
    return synod_reply (ctx, call, &counts_record, &out);
}

static void fini (synod_ctx_t *ctx, void *state)
{
    (void) ctx;
    synod_buf_free (&((counter_t *) state)->items);
}

static const synod_actor_t counter = {
    .name = "counter",
    .doc = "counts the words of a chunk of text",
    .state_size = sizeof (counter_t),
    .fini = fini,
    .routes = (const synod_route_t[]){SYNOD_ON (count_chunk, on_count_chunk), SYNOD_END},
};

SYNOD_MODULE (&counter)
