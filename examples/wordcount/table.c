/* SPDX-License-Identifier: MPL-2.0
 *
 * Counts in the table `kv`. The records are what is needed here of protocol/kv.def.
 */
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define AT_ONCE 1000  /* additions under way */
#define ADD_MS  60000 /* while a majority of a word's copies is away it waits so long */
#define SCAN_MS 20000
#define SOME    1000 /* words told at a time */
#define CURSOR  402

/* clang-format off */
#define INCR_FIELDS(FIELD, OPT) FIELD (i64, delta, INT64_MAX, "what is added")
#define SCAN_FIELDS(FIELD, OPT)                            \
    OPT (str, prefix, SYNOD_KEY_MAX, "what keys begin with") \
    OPT (bin, cursor, CURSOR, "go on from here")            \
    OPT (u64, limit, SOME, "keys at most")                  \
    OPT (bit, values, 0, "values too")
#define ENTRY_FIELDS(FIELD, OPT)                       \
    FIELD (str, key, SYNOD_KEY_MAX, "the key")         \
    OPT (bin, data, SYNOD_FRAME_MAX, "its value")
#define SCANNED_FIELDS(FIELD, OPT)                     \
    OPT (list, entries, entry, "keys")                 \
    OPT (bin, cursor, CURSOR, "missing: that is all")
/* clang-format on */
SYNOD_RECORD (incr, INCR_FIELDS, SYNOD_ONCE, "adds to a number")
SYNOD_RECORD (entry, ENTRY_FIELDS, 0, "a key, in a list")
SYNOD_RECORD (scan, SCAN_FIELDS, SYNOD_IDEMPOTENT, "keys")
SYNOD_RECORD (scanned, SCANNED_FIELDS, 0, "the reply to scan")

int table_add (table_t *self, synod_handle_t *handle, words_t *waiting, synod_fault_t *fault)
{
    while (waiting->head && self->asked < AT_ONCE) {
        word_t *word = waiting->head;
        char to[SYNOD_ADDRESS_MAX + 1];
        uint64_t id;
        int size = snprintf (to, sizeof to, "kv#%s%s", self->prefix, word->text);
        if (size >= (int) sizeof to)
            return synod_fault (fault, SYNOD_TOO_LARGE, "a word of %zu letters is too long for a key of the table",
                                word->size);
        int code =
            synod_handle_ask_start (handle, to, &incr_record, &(incr_t){.delta = (int64_t) word->count}, ADD_MS, &id);
        if (code != SYNOD_OK)
            return synod_fault (fault, code, "%s", synod_handle_error (handle));
        words_remove (waiting, word);
        self->asked++;
    }
    return SYNOD_OK;
}

int table_added (table_t *self, const synod_reply_t *reply)
{
    self->asked--;
    return reply->code;
}

static int take (const table_t *self, synod_list_t entries, words_t *words)
{
    size_t prefix = strlen (self->prefix);
    entry_t entry;
    while (synod_list_next (&entries, &entry_record, &entry)) {
        char digits[24];
        snprintf (digits, sizeof digits, "%.*s", SYNOD_STR (entry.data));
        if (!words_add (words, entry.key.data + prefix, entry.key.size - prefix, strtoull (digits, NULL, 10)))
            return SYNOD_NO_MEMORY;
    }
    return SYNOD_OK;
}

int table_read (const table_t *self, synod_handle_t *handle, words_t *words, synod_fault_t *fault)
{
    char cursor[CURSOR];
    scan_t in = {.prefix = synod_str (self->prefix), .limit = SOME, .values = true};
    for (;;) {
        synod_reply_t reply = {0};
        scanned_t out;
        int code = synod_handle_ask (handle, "kv-node", &scan_record, &in, SCAN_MS, &reply);
        if (code != SYNOD_OK)
            return synod_fault (fault, code, "%.*s", SYNOD_STR (reply.message));
        code = synod_record_unpack (&scanned_record, reply.body, &out, fault);
        if (code == SYNOD_OK)
            code = take (self, out.entries, words);
        if (code != SYNOD_OK || !out.cursor.size)
            return code;
        memcpy (cursor, out.cursor.data, out.cursor.size);
        in.cursor = synod_str_n (cursor, out.cursor.size);
    }
}
