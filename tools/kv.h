/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of `synod kv` share, and with `synod cache`.
 *
 *   kv.c         the command line
 *   kv_ask.c     asking, and values in pieces
 *   kv_verbs.c   get, put, del, cas, incr, append, expire
 *   kv_many.c    mget, mput, scan
 *   kv_watch.c   watch
 */
#ifndef SYNOD_TOOLS_KV_H_INCLUDED
#define SYNOD_TOOLS_KV_H_INCLUDED

#include "tool.h"
#include "protocol/kv_records.h"

#define KV_ACTOR "kv"
#define KV_NODE  "kv-node"

typedef struct {
    synod__command_t *command;
    synod__join_t join;
    synod_handle_t *handle;
    const char *actor; /* at whose keys */
    bool plain;        /* nothing is asked as a command: it may be lost, and is never repeated */
    bool json, stale, absent, present, keep, old, values, prefix;
    const char *file, *version_text;
    uint64_t version, fence, until_ms, limit, count;
    uint32_t ttl_ms;
    synod_buf_t value;  /* to be sent */
    synod_buf_t pieces; /* that came */
} synod__kvs_t;

/* ---- kv.c ---- */

typedef struct {
    const char *verb, *takes;
    int min, max; /* words behind the verb; -1: any number */
    int (*run) (synod__kvs_t *self, const char *const *words, int nwords);
    const char *options; /* that mean something with it, between spaces */
} synod__kvs_verb_t;

/* Runs that one of VERBS (a NULL verb ends them) which the first word names, with its words and options checked. */
int synod__kvs_run (synod__kvs_t *self, const synod__kvs_verb_t *verbs);

/* ---- kv_ask.c: exit codes, SYNOD__EXIT_NONE to go on ---- */

/* The address of KEY, in OUT; misused if it is no key. */
int synod__kvs_address (synod__kvs_t *self, const char *key, char out[SYNOD_ADDRESS_MAX + 1]);
int synod__kvs_reach (synod__kvs_t *self, bool directory);
/* The value that a verb takes: its WORD, else a file or standard input. In self->value. */
int synod__kvs_value (synod__kvs_t *self, const char *word);
/* Asks KEY; errors are printed. OUT borrows the handle until its next call. */
int synod__kvs_ask (synod__kvs_t *self, const char *key, const synod_record_t *record, const void *in,
                    const synod_record_t *answer, void *out);
int synod__kvs_fail (const synod_reply_t *reply);
/* Puts self->value, in pieces if it is large. IN: the rest of what is asked. */
int synod__kvs_put (synod__kvs_t *self, const char *key, synod__kv_put_t *in, synod__kv_is_t *is);
/* The value of an answer to a get, in pieces if it is large: *VALUE borrows SELF. *GONE: it was replaced long ago. */
int synod__kvs_whole (synod__kvs_t *self, const char *key, synod_str_t data, uint64_t upload, uint64_t size,
                      synod_str_t *value, bool *gone);

/* ---- printing ---- */

void synod__kvs_print_value (synod_str_t value);                  /* its bytes, and a newline where somebody reads */
void synod__kvs_print_json (const char *name, synod_str_t value); /* ,"name":"text" or {"$bin":...} */
int synod__kvs_print_is (synod__kvs_t *self, const char *key, const synod__kv_is_t *is);

/* ---- verbs ---- */

int synod__kvs_get (synod__kvs_t *self, const char *const *words, int nwords);
int synod__kvs_put_verb (synod__kvs_t *self, const char *const *words, int nwords);
int synod__kvs_del (synod__kvs_t *self, const char *const *words, int nwords);
int synod__kvs_cas (synod__kvs_t *self, const char *const *words, int nwords);
int synod__kvs_incr (synod__kvs_t *self, const char *const *words, int nwords);
int synod__kvs_append (synod__kvs_t *self, const char *const *words, int nwords);
int synod__kvs_expire (synod__kvs_t *self, const char *const *words, int nwords);
int synod__kvs_mget (synod__kvs_t *self, const char *const *words, int nwords);
int synod__kvs_mput (synod__kvs_t *self, const char *const *words, int nwords);
int synod__kvs_scan (synod__kvs_t *self, const char *const *words, int nwords);
int synod__kvs_watch (synod__kvs_t *self, const char *const *words, int nwords);

#endif
