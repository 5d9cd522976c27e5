/* SPDX-License-Identifier: MPL-2.0
 *
 * synod kv watch: the changes of a key, or of all that begin alike, as they come. Of one key by actors/kv/watch.h. Of a
 * prefix by the version that each key was last told with: who names another one before it says that something was missed;
 * and all of them are scanned again every few seconds, by which what was missed without a trace comes to light too.
 */
#include <czmq.h>
#include <inttypes.h>
#include "actors/kv/watch.h"
#include "kv.h"

#define SLICE_MS 100
#define AGAIN_MS 2000  /* between two asks to go on publishing */
#define WATCH_MS 10000 /* for so long */
#define PAGE     1000

typedef struct {
    synod__kvs_t *kv;
    const char *key;
    synod__kv_watch_of_t watch;
    zhashx_t *known; /* of a prefix: seen_t by key */
    uint64_t lines, scan;
    int64_t asked_ms;
} watcher_t;

typedef struct {
    uint64_t version, scan; /* last told; in which scan it was seen */
    bool found;
} seen_t;

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

static seen_t *seen_of (watcher_t *self, synod_str_t key)
{
    char name[SYNOD_KEY_MAX + 1];
    snprintf (name, sizeof name, "%.*s", SYNOD_STR (key));
    seen_t *seen = (seen_t *) zhashx_lookup (self->known, name);
    if (!seen && (seen = (seen_t *) zmalloc (sizeof *seen)))
        zhashx_insert (self->known, name, seen);
    return seen;
}

static int take_page (watcher_t *self, synod_list_t entries)
{
    synod__kv_entry_t entry;
    while (synod_list_next (&entries, &synod__kv_entry_record, &entry)) {
        seen_t *seen = seen_of (self, entry.key);
        if (!seen)
            return synod__fail (SYNOD_NO_MEMORY, "no memory for the keys that are watched");
        if (entry.version > seen->version)
            tell (self, entry.key, true, entry.version, entry.data, entry.size, true);
        if (entry.version >= seen->version)
            *seen = (seen_t){.version = entry.version, .found = true};
        seen->scan = self->scan;
    }
    return SYNOD__EXIT_NONE;
}

static void tell_gone (watcher_t *self)
{
    for (seen_t *seen = (seen_t *) zhashx_first (self->known); seen; seen = (seen_t *) zhashx_next (self->known)) {
        if (!seen->found || seen->scan == self->scan)
            continue;
        seen->found = false;
        tell (self, synod_str ((const char *) zhashx_cursor (self->known)), false, 0, synod_str (""), 0, true);
    }
}

static int scan_prefix (watcher_t *self)
{
    char cursor[SYNOD__KV_CURSOR_MAX];
    synod__kv_scan_t in = {.prefix = synod_str (self->key), .limit = PAGE, .values = true, .watch_ms = WATCH_MS};
    self->scan++;
    for (;;) {
        synod_reply_t reply = {0};
        synod__kv_scanned_t out;
        synod_fault_t fault = {0};
        if (synod_handle_ask (self->kv->handle, KV_NODE, &synod__kv_scan_record, &in, (int) self->kv->join.timeout_ms,
                              &reply) != SYNOD_OK)
            return synod__kvs_fail (&reply);
        if (synod_record_unpack (&synod__kv_scanned_record, reply.body, &out, &fault) != SYNOD_OK)
            return synod__fail (SYNOD_BAD_REQUEST, fault.text);
        int status = take_page (self, out.entries);
        if (status != SYNOD__EXIT_NONE)
            return status;
        if (!out.cursor.size)
            break;
        memcpy (cursor, out.cursor.data, out.cursor.size);
        in.cursor = synod_str_n (cursor, out.cursor.size);
    }
    tell_gone (self);
    return SYNOD__EXIT_NONE;
}

static int prefix_changed (watcher_t *self, const synod__kv_change_t *in)
{
    size_t size = strlen (self->key);
    if (in->key.size < size || memcmp (in->key.data, self->key, size) != 0)
        return SYNOD__EXIT_NONE;
    seen_t *seen = seen_of (self, in->key);
    if (!seen)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the keys that are watched");
    if (in->version <= seen->version)
        return SYNOD__EXIT_NONE;
    bool jump = in->before != (seen->found ? seen->version : 0);
    *seen = (seen_t){.version = in->version, .found = in->found, .scan = self->scan};
    tell (self, in->key, in->found, in->version, in->data, in->size, jump);
    return SYNOD__EXIT_NONE;
}

/* ---- both ---- */

static int again (watcher_t *self)
{
    if (self->asked_ms && zclock_mono () - self->asked_ms < AGAIN_MS)
        return SYNOD__EXIT_NONE;
    int status = self->kv->prefix ? scan_prefix (self) : ask_key (self);
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
    }
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}

static void free_seen (void **item)
{
    free (*item);
    *item = NULL;
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
    self.known = zhashx_new ();
    if (!self.known)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the keys that are watched");
    zhashx_set_destructor (self.known, free_seen);
    int code = synod_handle_subscribe (kv->handle, KV_ACTOR ".>", (int) kv->join.timeout_ms);
    status = code == SYNOD_OK ? follow (&self) : synod__fail (code, synod_handle_error (kv->handle));
    zhashx_destroy (&self.known);
    return status;
}
