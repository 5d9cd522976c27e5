/* SPDX-License-Identifier: MPL-2.0
 *
 * Map, shuffle and reduce. The mapper counts the words of a piece of text and sends each count to the reducer of its word.
 * The ring is the shuffle: `reduce#JOB/WORD` goes to the node that owns the key, so all counts of a word meet there.
 *
 *     synod run ./libmapreduce.so --node n1 --data d1        and n2, n3; then once   synod ring init n1 n2 n3
 *     mapreduce FILE...
 *
 * Each piece is counted once, whatever dies:
 * - a mapper answers when all its counts are reduced; one that died has not, and the piece is mapped again elsewhere;
 * - a count is a command (SYNOD_ONCE): sent until it is answered, and run once, whoever owns its word by then;
 * - two mappers' counts of one piece are two commands: the reducer knows the second one by the number of the piece.
 */
#include <stdio.h>
#include <stdlib.h>
#include "../wordcount/words.h"
#include "records.h"

/* ---- map: on any node that runs it, nothing kept ---- */

#define TASKS   64    /* pieces that a mapper has at a time */
#define PART_MS 10000 /* for a count: the owner of its word may have to be missed first */

/* A piece that waits for its counts to be reduced. */
typedef struct {
    synod_call_t call;
    uint32_t left;       /* counts not answered yet; 0: the task is free */
    char *words;         /* what the answer will be */
    uint32_t words_size; /* of it */
} task_t;

typedef struct {
    task_t tasks[TASKS];
} mapper_t;

static int on_reduced (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    task_t *task = &((mapper_t *) state)->tasks[arg];
    const mapped_t out = {.words = synod_str_n (task->words, task->words_size)};
    task->left--;
    if (reply->code != SYNOD_OK)
        synod_reply_with (ctx, task->call, reply); /* the first error is the answer; after it there is none to give */
    else if (task->left == 0)
        synod_reply (ctx, task->call, &mapped_record, &out);
    if (task->left == 0) {
        free (task->words);
        task->words = NULL;
    }
    return SYNOD_OK;
}

/* Sends a word's count to its reducer. */
static int shuffle (synod_ctx_t *ctx, const piece_t *piece, const word_t *word, uint64_t task)
{
    char to[SYNOD_ADDRESS_MAX + 1];
    const part_t part = {.piece = piece->number, .count = word->count};
    int size = snprintf (to, sizeof to, "reduce#%.*s/%s", SYNOD_STR (piece->job), word->text);
    if (size - (int) strlen ("reduce#") > SYNOD_KEY_MAX)
        return synod_error (ctx, SYNOD_TOO_LARGE, "a word of %zu letters and its job are no key of %d bytes or less",
                            word->size, SYNOD_KEY_MAX);
    return synod_ask (ctx, to, &part_record, &part, PART_MS, on_reduced, task);
}

static int on_piece (synod_ctx_t *ctx, void *state, const piece_t *in, synod_call_t call)
{
    mapper_t *self = (mapper_t *) state;
    words_t words = {NULL};
    task_t task = {.call = call};
    uint64_t at = 0;
    while (at < TASKS && self->tasks[at].left > 0)
        at++;
    if (at == TASKS)
        return synod_error (ctx, SYNOD_BUSY, "%d pieces are being mapped here", TASKS);
    task.words = (char *) malloc (in->text.size + 1);
    if (!task.words || !words_add_text (&words, in->text.data, in->text.size)) {
        words_clear (&words);
        free (task.words);
        return synod_error (ctx, SYNOD_NO_MEMORY, "no memory for the words of a piece");
    }

    int code = SYNOD_OK;
    for (const word_t *word = words.head; word && code == SYNOD_OK; word = (const word_t *) word->hh.next) {
        code = shuffle (ctx, in, word, at);
        memcpy (task.words + task.words_size, word->text, word->size);
        task.words_size += (uint32_t) word->size;
        task.words[task.words_size++] = ' ';
        task.left++;
    }
    words_clear (&words);
    if (code == SYNOD_OK && task.left > 0) {
        self->tasks[at] = task;
        return SYNOD_OK; /* it is answered when they are */
    }
    free (task.words);
    return code == SYNOD_OK ? synod_reply (ctx, call, &mapped_record, &(mapped_t){.words = synod_str ("")}) : code;
}

static void fini_map (synod_ctx_t *ctx, void *state)
{
    (void) ctx;
    for (int i = 0; i < TASKS; i++)
        free (((mapper_t *) state)->tasks[i].words);
}

const synod_actor_t map_actor = {
    .name = "map",
    .doc = "counts the words of a piece of text, and sends each count to the reducer of its word",
    .state_size = sizeof (mapper_t),
    .fini = fini_map,
    .routes = (const synod_route_t[]){SYNOD_ON (piece, on_piece), SYNOD_END},
};

/* ---- reduce: placed by JOB/WORD, all in the store: KEY is the word's count, KEY NUL PIECE that a piece is in it ---- */

static uint64_t count_of (synod_ctx_t *ctx)
{
    uint64_t count = 0;
    synod_str_t bytes;
    if (synod_get (ctx, synod_key (ctx), &bytes) == SYNOD_OK && bytes.size == sizeof count)
        memcpy (&count, bytes.data, sizeof count);
    return count;
}

static int answer (synod_ctx_t *ctx, uint64_t count, synod_call_t call)
{
    synod_reply (ctx, call, &total_record, &(total_t){.key = synod_key (ctx), .count = count});
    return SYNOD_OK;
}

static int on_part (synod_ctx_t *ctx, void *state, const part_t *in, synod_call_t call)
{
    char mark[SYNOD_KEY_MAX + 1 + sizeof in->piece];
    const synod_str_t key = synod_key (ctx);
    (void) state;
    memcpy (mark, key.data, key.size);
    mark[key.size] = 0; /* no key has one, so marks and counts are never the same */
    memcpy (mark + key.size + 1, &in->piece, sizeof in->piece);
    const synod_str_t marked = synod_str_n (mark, key.size + 1 + sizeof in->piece);

    uint64_t count = count_of (ctx);
#ifndef MAPREDUCE_BUG /* what the test is to find */
    if (synod_get (ctx, marked, &(synod_str_t){NULL, 0}) == SYNOD_OK)
        return answer (ctx, count, call);
#endif
    /* one batch: both or neither */
    count += in->count;
    int code = synod_put (ctx, marked, synod_str_n (&in->count, sizeof in->count));
    if (code == SYNOD_OK)
        code = synod_put (ctx, key, synod_str_n (&count, sizeof count));
    return code == SYNOD_OK ? answer (ctx, count, call) : code;
}

static int on_read (synod_ctx_t *ctx, void *state, const read_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    return answer (ctx, count_of (ctx), call);
}

const synod_actor_t reduce_actor = {
    .name = "reduce",
    .doc = "adds up the counts of each word",
    .routes = (const synod_route_t[]){SYNOD_ON (part, on_part), SYNOD_ON (read, on_read), SYNOD_END},
    .placement = SYNOD_SHARDED,
};

SYNOD_MODULE (&map_actor, &reduce_actor)
