/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients that share a handle, each with one ask under way: each goes on as soon as it has its answer, and what one wait
 * has brought leaves with the next. A role has one set of them, or several: one thread serves some of these, or all.
 */
#ifndef BENCH_CLIENTS_H_INCLUDED
#define BENCH_CLIENTS_H_INCLUDED

#include "tools/measure.h"

#include <stdatomic.h>
#include <synod/synod.h>

#define CLIENTS_JOIN_MS 10000

/* What all such roles are told. */
typedef struct {
    const char *bus;
    const char *peers[SYNOD__TEXTS_MAX + 1]; /* without a broker */
    const char *links[SYNOD__TEXTS_MAX + 1];
    uint64_t count; /* asks, or what else is counted, of all clients together */
    uint64_t clients;
    uint64_t quiet_ms;
    bool json;
} clients_plan_t;

#define CLIENTS_PLAN                                   \
    {                                                  \
        .count = 10000, .clients = 1, .quiet_ms = 5000 \
    }

/* Rows of a table of options. WHAT: what is counted; EACH: what a client is. */
#define CLIENTS_OPTIONS(plan, what, each)                                                                      \
    {"bus", SYNOD__OPTION_TEXT, &(plan).bus, "the broker's endpoint"},                                         \
        {"peer", SYNOD__OPTION_TEXTS, (plan).peers, "without a broker: a node's endpoint; may be repeated"},   \
        {"link", SYNOD__OPTION_TEXTS, (plan).links, "begin with a direct path to this node; may be repeated"}, \
        {"count", SYNOD__OPTION_NUMBER, &(plan).count, what " of all clients together (default 10000)"},       \
        {"outstanding", SYNOD__OPTION_NUMBER, &(plan).clients, "clients, each with " each " at a time"},       \
        {"quiet", SYNOD__OPTION_NUMBER, &(plan).quiet_ms, "ms until an ask is lost (default 5000)"},           \
    {                                                                                                          \
        "json", SYNOD__OPTION_FLAG, &(plan).json, "print the run as JSON"                                      \
    }

typedef struct {
    uint64_t id;     /* of the ask under way; 0: none */
    uint64_t number; /* of what it does, among all: clients_next */
} clients_client_t;

typedef struct clients_t {
    const char *who; /* whose errors these are */
    const clients_plan_t *plan;
    uint64_t first, end; /* its clients, of all */
    /* Client AT begins, by clients_ask, unless there is nothing left. */
    int (*begin) (struct clients_t *self, uint64_t at);
    /* Client AT has its answer, which is no error, and goes on. */
    int (*take) (struct clients_t *self, uint64_t at, const synod_reply_t *reply);
    /* When it is over, of one set that is measured: whether the outcome is right, else run.wrong; an exit code. NULL: none */
    int (*check) (struct clients_t *self);
    /* Another way than clients_go, likewise; NULL: that one. */
    int (*go) (struct clients_t *self);
    void *user;
    atomic_bool *over; /* borrowed; set by anybody: clients_go returns */
    synod_handle_t *handle;
    uint64_t strays;  /* answers that nobody waits for */
    int64_t heard_ns; /* when the last answer came */
    bool idle;        /* nothing is under way */
    uint64_t next;    /* whose answer is expected */
    clients_client_t *client;
    synod__measure_t run; /* of those that count by clients_next */
    uint64_t begun;
} clients_t;

/* Says WHAT went wrong; the exit code. */
int clients_failed (const clients_t *self, const char *what, int code, const char *sentence);
/* Joins the bus, and waits until somebody has the actor TO and the links are up. An exit code, with a line on standard
 * error. Close it in any case. */
int clients_open (clients_t *self, const char *to);
void clients_close (clients_t *self);
/* Client AT asks ADDRESS: its answer comes to take. */
int clients_ask (clients_t *self, uint64_t at, const char *address, const synod_record_t *record, const void *in);
/* All begin, and go on until it is over, nothing is under way, or nothing has come for quiet_ms. */
int clients_go (clients_t *self);
/* The same of COUNT sets, served by this thread; an exit code, with a line on standard error. */
int clients_go_all (clients_t *sets, uint64_t count);

/* One set of clients that count what they do with RUN: */

/* Client AT begins another one, whose time runs from now. False: there are enough. */
bool clients_next (clients_t *self, uint64_t at);
/* Client AT has done what it began; it is over when all have. */
void clients_done (clients_t *self, uint64_t at);
/* Says ready, waits for the driver, goes on to the end and reports; the exit code. */
int clients_measure (clients_t *self);

#endif
