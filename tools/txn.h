/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of `synod txn` share:
 *
 *   txn.c         the command line, and the words of `run`
 *   txn_ask.c     run, show
 *   txn_list.c    list, of all
 *   txn_doubt.c   list, of some; resolve, forget
 */
#ifndef SYNOD_TOOLS_TXN_H_INCLUDED
#define SYNOD_TOOLS_TXN_H_INCLUDED

#include "tool.h"
#include <synod/txn.h>
#include "protocol/vote_records.h"

#define TXN_TABLE    "kv" /* whose keys they are */
#define TXN_VOTE     "vote"
#define TXN_IN_DOUBT 4 /* the exit */

typedef enum { TXN_CHECK, TXN_PUT, TXN_DELETE, TXN_INCR } txn_what_t;

/* A key, and what is to be done with it. Texts borrow the command line. */
typedef struct {
    char to[SYNOD_ADDRESS_MAX + 1];
    txn_what_t what;
    const char *value; /* put */
    int64_t delta;     /* incr */
    synod_change_t how;
    bool checked;
} txn_part_t;

typedef struct {
    synod__command_t *command;
    synod__join_t join;
    synod_handle_t *handle;
    const char *id, *protocol;
    uint32_t deadline_ms;
    uint64_t fence;
    bool json, commit, abort;
    txn_part_t parts[SYNOD_TRANSACTION_PARTS_MAX];
    uint32_t nparts;
} txn_t;

/* Exit codes. */
int txn_run (txn_t *self);
int txn_show (txn_t *self);
int txn_list (txn_t *self);     /* of the partitions of its parts */
int txn_list_all (txn_t *self); /* of all coordinators and participants */
/* At its first part. OUTCOME: as in the record `$resolve`. */
int txn_resolve (txn_t *self, const char *outcome);

void txn_print_doubt (const synod__txn_doubt_t *doubt, bool json);

/* SYNOD__EXIT_NONE to go on. */
int txn_reach (txn_t *self, const char *actor);
int txn_check_id (const txn_t *self);
int txn_fail (const synod_reply_t *reply); /* prints it; the exit code */

#endif
