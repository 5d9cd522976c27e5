/* SPDX-License-Identifier: MPL-2.0
 *
 * `synod bench`: its roles, which bench/run drives as processes of their own, and the commands that start the roles.
 */
#ifndef SYNOD_TOOLS_BENCH_H_INCLUDED
#define SYNOD_TOOLS_BENCH_H_INCLUDED

#include "measure.h"

#define SYNOD__BENCH_TOPIC "bench.topic"
#define SYNOD__BENCH_ACTOR "echo"

typedef struct {
    const char *bus;
    const char *node; /* serve: its name */
    const char *awaited[SYNOD__TEXTS_MAX + 1];
    const char *links[SYNOD__TEXTS_MAX + 1];
    uint64_t size;
    uint64_t count;
    uint64_t outstanding;
    uint64_t quiet_ms;
    uint64_t subscribers;
    uint64_t workers;
    uint64_t clients;
    bool wait;
    bool json;
    bool no_links;
    bool direct;
} synod__bench_t;

/* Roles; they return the exit code: 0, 1 when the run is void or failed, 3 when nobody was there. */
int synod__bench_publish (const synod__bench_t *self);
int synod__bench_subscribe (const synod__bench_t *self);
int synod__bench_ask (const synod__bench_t *self);
int synod__bench_serve (const synod__bench_t *self);

/* Starts RECEIVERS of one role and SENDERS of another as processes, and prints what they measured together.
 * KIND: pubsub, fanout or ask. Exit codes as above. */
int synod__bench_together (const synod__bench_t *self, const char *kind, uint64_t receivers, uint64_t senders);

#endif
