/* SPDX-License-Identifier: MPL-2.0
 *
 * An ordered store in memory for the table's core, and steps on it: a step that fails leaves nothing, and the invariants
 * are checked after each. What is overwritten is freed at once, so that a sanitizer sees whoever still reads it.
 */
#ifndef SYNOD_TEST_KV_MEMORY_STORE_H_INCLUDED
#define SYNOD_TEST_KV_MEMORY_STORE_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "actors/kv/kv.h"

typedef struct {
    synod_str_t key, value; /* owned; value.data NULL: absent, in the undo log */
} pair_t;

typedef struct {
    pair_t *pairs;
    uint32_t count, room;
    pair_t *undo;
    uint32_t nundo, undo_room;
} memory_store_t;

/* A partition: its store, its memory, the time. */
typedef struct {
    memory_store_t store;
    synod__kv_memory_t memory;
    synod__kv_step_t step; /* the last one */
    uint64_t position;
    int64_t now_ms;
    uint64_t most;
} part_t;

extern const synod__kv_store_t memory_store;

/* One partition for each test of a file: its setup and teardown. */
extern part_t the_part;
int part_setup (void **state);
int part_teardown (void **state);

void part_begin (part_t *self);
void part_end (part_t *self);
/* The memory is built anew, as by another owner. */
void part_reload (part_t *self);

/* A command that has to succeed, by its record's name: returns the answer. */
synod__kv_step_t *part_step (part_t *self);
int part_done (part_t *self, int rc);
#define part_do(self, name, key, ...) \
    part_done ((self), synod__kv_##name (part_step (self), synod_str (key), &(synod__kv_##name##_t){__VA_ARGS__}))
/* A get that has to find TEXT (NULL: nothing). */
void part_holds (part_t *self, const char *key, const char *text);
/* Uploads SIZE bytes, of which byte i is (SEED + i / 1000) % 251, and puts them. */
int part_put_large (part_t *self, const char *key, uint64_t number, uint64_t size, uint32_t seed);
/* Reads the value of KEY as a client does: what it is told of at once is what it reads to the end. */
void part_holds_large (part_t *self, const char *key, uint64_t size, uint32_t seed);
void part_reads (part_t *self, uint64_t number, uint64_t size, uint32_t seed);

#endif
