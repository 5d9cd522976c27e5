/* SPDX-License-Identifier: MPL-2.0
 *
 * A host in memory for the routing: virtual time, and queues of what was sent, by identity.
 */
#ifndef SYNOD_TEST_ROUTING_TEST_H_INCLUDED
#define SYNOD_TEST_ROUTING_TEST_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "broker/routing/routing.h"
#include "protocol/address.h"
#include "protocol/frame.h"

#define MS 1000

/* A frame that the routing sent or published. */
typedef struct {
    char to[SYNOD__IDENTITY_MAX + 1]; /* empty: published */
    char *data;
    size_t size;
    synod_frame_t frame;
    synod_envelope_t envelope; /* the first */
    bool forwarded;
    bool taken;
} sent_t;

typedef struct {
    synod__routing_t *routing;
    int64_t now_us;
    int64_t next_us;
    sent_t *sent[20000];
    unsigned count;
    char unreachable[8][SYNOD__IDENTITY_MAX + 1];
    char full[8][SYNOD__IDENTITY_MAX + 1];
    const char *data; /* under way */
    size_t size;
} world_t;

void world_begin (world_t *world, uint32_t nodes_max);
void world_end (world_t *world);

/* One turn each. */
void world_send (world_t *world, const char *name, uint64_t incarnation, const synod__batch_t *batch);
void world_raw (world_t *world, const char *identity, const void *data, size_t size);
/* Lets time pass in steps of at most 10 ms, with NAMES' (NULL-terminated, incarnation 1) heartbeats every half second. */
void world_pass (world_t *world, int64_t us, const char *const *names);

void make_unreachable (world_t *world, const char *name, uint64_t incarnation, bool on);
void make_full (world_t *world, const char *name, uint64_t incarnation, bool on);

/* One envelope with RECORD as its body (NULL: nil) from NAME to ADDRESS. */
void post (world_t *world, const char *name, uint64_t incarnation, const char *address, synod_kind_t kind,
           const synod_record_t *record, const void *rec, uint64_t id);
/* The same by its method, with no body. */
void post_method (world_t *world, const char *name, uint64_t incarnation, const char *address, synod_kind_t kind,
                  const char *method, uint64_t id);

typedef struct {
    const char *const *actors; /* NULL-terminated; may be NULL */
    bool client, directory;
    uint32_t heartbeat_ms; /* 0: 1000 */
} hello_t;
void hello (world_t *world, const char *name, uint64_t incarnation, hello_t how);

/* Takes the next frame to NAME's incarnation (NULL: published) that is there, or NULL. */
sent_t *take (world_t *world, const char *name, uint64_t incarnation);
/* Takes the next and checks its method. */
sent_t *take_method (world_t *world, const char *name, uint64_t incarnation, const char *method);
/* The body of the first envelope as RECORD. */
void body_of (const sent_t *sent, const synod_record_t *record, void *rec);
/* WHO is told, with the next frame to it, that NODE is gone, and that UP (may be NULL) came; nothing else. */
void told_gone (world_t *world, const char *who, const char *node, uint64_t incarnation, const char *reason,
                const char *up);
void forget (world_t *world); /* all that was sent so far */
void nothing_for (world_t *world, const char *name, uint64_t incarnation);

/* A test whose state is a world that has not begun yet. */
int world_setup (void **state);
int world_teardown (void **state);
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown (name, world_setup, world_teardown)

#endif
