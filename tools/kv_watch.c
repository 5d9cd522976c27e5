/* SPDX-License-Identifier: MPL-2.0
 *
 * synod kv watch: the changes of a key, or of all that begin alike, as they come. Of one key by actors/kv/watch.h, of a
 * prefix by actors/kv/prefix.h; here are the asks, the time and the lines.
 */
#include <czmq.h>
#include <inttypes.h>
#include "actors/kv/prefix.h"
#include "actors/kv/watch.h"
#include "kv.h"

#define SLICE_MS  100
#define AGAIN_MS  2000  /* between two asks to go on publishing */
#define WATCH_MS  10000 /* for so long */
#define MEMBER_MS 1000

typedef struct {
    synod__kvs_t *kv;
    const char *key;
    synod__kv_watch_of_t watch;
    synod__kv_prefix_t prefix;
    uint64_t lines;
    int64_t asked_ms;
} watcher_t;

static void tell (watcher_t *self, synod_str_t key, bool found, uint64_t version, synod_str_t value, uint64_t size,
                  bool jump)
{
    bool whole = value.size == size;
    self->lines++;
    if (self->kv->json) {
        printf ("{\"key\":");
        synod__print_text (stdout, key);
        printf (",\"found\":%s", found ? "true" : "false");
        if (found)
            printf (",\"version\":%" PRIu64 ",\"size\":%" PRIu64, version, size);
        if (found && whole)
            synod__kvs_print_json ("value", value);
        printf (",\"jump\":%s}\n", jump ? "true" : "false");
        return;
    }
    printf ("%s%.*s\t", jump ? "~" : "", SYNOD_STR (key));
    if (!found)
        printf ("-\n");
    else if (whole)
        printf ("%" PRIu64 "\t%.*s\n", version, SYNOD_STR (value));
    else
        printf ("%" PRIu64 "\t(%" PRIu64 " bytes)\n", version, size);
}

/* ---- a key ---- */

static int act (watcher_t *self, synod__kv_watched_t what)
{
    int status = SYNOD__EXIT_NONE;
    while (what == SYNOD__KV_WATCH_READ && status == SYNOD__EXIT_NONE) {
        synod__kv_is_t is;
        status = synod__kvs_ask (self->kv, self->key, &synod__kv_get_record, &(synod__kv_get_t){.at = true},
                                 &synod__kv_is_record, &is);
        if (status != SYNOD__EXIT_NONE)
            break;
        what = synod__kv_watch_read (&self->watch, &is);
        if (what == SYNOD__KV_WATCH_NEXT)
            tell (self, self->watch.key, is.found, is.version, is.data, is.size, self->watch.jump);
    }
    return status;
}

static int ask_key (watcher_t *self)
{
    synod__kv_watching_t in;
    int status = synod__kvs_ask (self->kv, self->key, &synod__kv_watch_record, &(synod__kv_watch_t){.ms = WATCH_MS},
                                 &synod__kv_watching_record, &in);
    return status == SYNOD__EXIT_NONE ? act (self, synod__kv_watch_watching (&self->watch, &in)) : status;
}

static int key_changed (watcher_t *self, const synod__kv_change_t *in)
{
    synod__kv_watched_t what = synod__kv_watch_change (&self->watch, in);
    if (what == SYNOD__KV_WATCH_NEXT)
        tell (self, in->key, in->found, in->version, in->data, in->size, false);
    return act (self, what);
}

/* ---- a prefix ---- */

static void tell_of_prefix (void *arg, const synod__kv_prefix_told_t *told)
{
    tell ((watcher_t *) arg, told->key, told->found, told->version, told->data, told->size, told->jump);
}

/* Reads what is to be read: all of it at first, then what was missed. */
static int read_prefix (watcher_t *self)
{
    synod__kv_scan_t in;
    while (synod__kv_prefix_scan (&self->prefix, &in)) {
        synod_reply_t reply = {0};
        synod__kv_scanned_t out;
        synod_fault_t fault = {0};
        int rc = synod_handle_ask (self->kv->handle, KV_NODE, &synod__kv_scan_record, &in,
                                   (int) self->kv->join.timeout_ms, &reply);
        int status = rc == SYNOD_OK ? SYNOD__EXIT_NONE : synod__kvs_fail (&reply);
        if (rc == SYNOD_OK && (rc = synod_record_unpack (&synod__kv_scanned_record, reply.body, &out, &fault)))
            status = synod__fail (rc, fault.text);
        synod__kv_prefix_scanned (&self->prefix, rc == SYNOD_OK ? &out : NULL);
        if (rc != SYNOD_OK)
            return status;
    }
    return SYNOD__EXIT_NONE;
}

/* Each member goes on publishing, and says what has changed. One that is away is asked again; who took over from it has
 * changed all that it took. */
static int ask_members (watcher_t *self)
{
    char to[2 * SYNOD_NAME_MAX + 2];
    synod__kv_marks_t in;
    int status = SYNOD__EXIT_NONE, answers = 0;
    for (uint32_t at = 0; synod__kv_prefix_ask (&self->prefix, at, to, &in); at++) {
        for (bool more = true; more && synod__kv_prefix_ask (&self->prefix, at, to, &in);) {
            synod_reply_t reply = {0};
            synod__kv_marks_are_t out;
            in.ms = WATCH_MS;
            if (synod_handle_ask (self->kv->handle, to, &synod__kv_marks_record, &in, MEMBER_MS, &reply) != SYNOD_OK ||
                synod_record_unpack (&synod__kv_marks_are_record, reply.body, &out, NULL) != SYNOD_OK)
                break;
            answers++;
            more = synod__kv_prefix_marks (&self->prefix, &out);
        }
    }
    if (!answers)
        status = synod__fail (SYNOD_NO_ROUTE, "no node of the table says what has changed");
    return status;
}

static int ask_prefix (watcher_t *self)
{
    int status = ask_members (self);
    if (status == SYNOD__EXIT_NONE && !self->prefix.complete)
        status = ask_members (self); /* now they are known */
    return status == SYNOD__EXIT_NONE ? read_prefix (self) : status;
}

static int prefix_changed (watcher_t *self, const synod__kv_change_t *in)
{
    synod__kv_prefix_change (&self->prefix, in);
    return SYNOD__EXIT_NONE;
}

/* ---- both ---- */

static int again (watcher_t *self)
{
    if (self->asked_ms && zclock_mono () - self->asked_ms < AGAIN_MS)
        return SYNOD__EXIT_NONE;
    int status = self->kv->prefix ? ask_prefix (self) : ask_key (self);
    if (!self->asked_ms && status == SYNOD__EXIT_NONE)
        fputs ("ready\n", stderr);
    else if (self->asked_ms && (status == SYNOD__EXIT_ERROR || status == SYNOD__EXIT_NOBODY))
        status = SYNOD__EXIT_NONE; /* it was said; it is asked again, and by then somebody may answer */
    self->asked_ms = zclock_mono ();
    return status;
}

static int follow (watcher_t *self)
{
    int status = SYNOD__EXIT_NONE;
    while (!synod__signalled () && status == SYNOD__EXIT_NONE && (!self->kv->count || self->lines < self->kv->count)) {
        synod_message_t message = {0};
        synod__kv_change_t in;
        status = again (self);
        if (status != SYNOD__EXIT_NONE || (self->kv->count && self->lines >= self->kv->count))
            break;
        fflush (stdout);
        int code = synod_handle_receive (self->kv->handle, SLICE_MS, &message);
        if (code == SYNOD_TIMEOUT)
            continue;
        if (code != SYNOD_OK)
            return synod__fail (code, synod_handle_error (self->kv->handle));
        if (synod_str_is (message.method, "change") &&
            synod_record_unpack (&synod__kv_change_record, message.body, &in, NULL) == SYNOD_OK)
            status = self->kv->prefix ? prefix_changed (self, &in) : key_changed (self, &in);
        if (self->kv->prefix && status == SYNOD__EXIT_NONE)
            read_prefix (self); /* what fails is said, and tried again with the next round */
    }
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}

int synod__kvs_watch (synod__kvs_t *kv, const char *const *words, int nwords)
{
    watcher_t self = {.kv = kv, .key = words[0]};
    char to[SYNOD_ADDRESS_MAX + 1];
    (void) nwords;
    int status = synod__kvs_address (kv, words[0], to);
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_reach (kv, true);
    if (status != SYNOD__EXIT_NONE)
        return status;
    synod__signals_catch ();
    synod__kv_watch_begin (&self.watch, synod_str (self.key));
    synod__kv_prefix_begin (&self.prefix, synod_str (self.key), tell_of_prefix, &self);
    int code = synod_handle_subscribe (kv->handle, KV_ACTOR ".>", (int) kv->join.timeout_ms);
    status = code == SYNOD_OK ? follow (&self) : synod__fail (code, synod_handle_error (kv->handle));
    synod__kv_prefix_free (&self.prefix);
    return status;
}
