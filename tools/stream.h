/* SPDX-License-Identifier: MPL-2.0
 *
 * Subcommands that print a stream of messages: subscribe, say `ready`, print until enough, idle or signalled.
 */
#ifndef SYNOD_TOOLS_STREAM_H_INCLUDED
#define SYNOD_TOOLS_STREAM_H_INCLUDED

#include "tool.h"

typedef struct {
    synod__join_t *join;
    const char **patterns;
    int npatterns;
    bool json;
    uint64_t count;   /* lines to print; 0: no end */
    uint32_t idle_ms; /* end when nothing came for so long; 0: never */
    void (*on_message) (void *arg, const synod_message_t *message);
    void *arg;
    /* Called once it is subscribed, before `ready`, and then at least every KEEP_MS; NULL: nothing is to be kept up. Other exit
     * codes than SYNOD__EXIT_NONE end the stream. */
    int (*keep) (void *arg);
    uint32_t keep_ms;
    uint64_t seen; /* lines printed; on_message may add to it when it prints more or fewer than one */
} synod__stream_t;

#define SYNOD__STREAM_OPTIONS(stream)                                                           \
    {"json", SYNOD__OPT_FLAG, NULL, "print one JSON object a line", &(stream).json},            \
        {"count", SYNOD__OPT_COUNT, "N", "end after N lines", &(stream).count},                 \
    {                                                                                           \
        "idle", SYNOD__OPT_MS, "TIME", "end when nothing came for this long", &(stream).idle_ms \
    }

/* Runs it; returns the exit code. */
int synod__stream (synod__stream_t *self);

#endif
