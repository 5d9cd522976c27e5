/* SPDX-License-Identifier: MPL-2.0
 *
 * Watching all keys that begin alike.
 */
#include "prefix.h"
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>
#include "actors/runtime/hash.h"
#include "actors/runtime/memory.h"
#include "mutants.h"

#define S_NONE UINT32_MAX

struct synod__kv_prefix_key_t {
    synod__kv_prefix_key_t *next, *prev; /* of its partition */
    UT_hash_handle hh;
    uint64_t version, scan;
    uint32_t partition, size;
    char name[];
};

/* Partition and version, ten bytes, the big end first. */
static bool s_next_pair (synod_str_t *bytes, uint32_t *partition, uint64_t *version)
{
    const uint8_t *at = (const uint8_t *) bytes->data;
    if (bytes->size < SYNOD__KV_MARK)
        return false;
    *partition = (uint32_t) (at[0] << 8 | at[1]);
    *version = 0;
    for (int i = 2; i < SYNOD__KV_MARK; i++)
        *version = *version << 8 | at[i];
    *bytes = synod_str_n (bytes->data + SYNOD__KV_MARK, bytes->size - SYNOD__KV_MARK);
    return true;
}

void synod__kv_mark_put (char *to, uint32_t partition, uint64_t version)
{
    to[0] = (char) (partition >> 8);
    to[1] = (char) partition;
    for (int i = 0; i < 8; i++)
        to[2 + i] = (char) (version >> (56 - 8 * i));
}

/* ---- what is known ---- */

static synod__kv_prefix_part_t *s_part (synod__kv_prefix_t *self, uint32_t partition)
{
    self->parts =
        (synod__kv_prefix_part_t *) synod__grow (self->parts, &self->room, partition + 1, sizeof *self->parts);
    for (; self->nparts <= partition; self->nparts++) {
        self->parts[self->nparts].next = S_NONE;
        self->parts[self->nparts].known = self->complete; /* that it held nothing is known */
    }
    return &self->parts[partition];
}

static synod__kv_prefix_key_t *s_key (const synod__kv_prefix_t *self, synod_str_t name)
{
    synod__kv_prefix_key_t *key;
    HASH_FIND (hh, self->keys, name.data, name.size, key);
    return key;
}

static void s_forget (synod__kv_prefix_t *self, synod__kv_prefix_key_t *key)
{
    DL_DELETE (self->parts[key->partition].keys, key);
    HASH_DEL (self->keys, key);
    free (key);
}

uint64_t synod__kv_prefix_version (const synod__kv_prefix_t *self, synod_str_t name)
{
    const synod__kv_prefix_key_t *key = s_key (self, name);
    return key ? key->version : 0;
}

static synod__kv_prefix_key_t *s_add (synod__kv_prefix_t *self, synod_str_t name, uint32_t partition)
{
    synod__kv_prefix_key_t *key = (synod__kv_prefix_key_t *) synod__alloc (sizeof *key + name.size);
    memcpy (key->name, name.data, name.size);
    key->size = name.size;
    key->partition = partition;
    HASH_ADD (hh, self->keys, name[0], name.size, key);
    if (!key->hh.tbl)
        abort ();
    DL_APPEND (self->parts[partition].keys, key);
    return key;
}

/* TOLD is news: it is known from now on. */
static void s_tell (synod__kv_prefix_t *self, const synod__kv_prefix_told_t *told)
{
    synod__kv_prefix_key_t *key = s_key (self, told->key);
    bool was = key != NULL;
    if (key ? key->version >= told->version + !told->found : !told->found)
        return;
    if (told->found && !key)
        key = s_add (self, told->key, told->partition);
    if (key)
        key->version = told->version;
    if (was || told->found)
        self->tell (self->arg, told);
    if (key && !told->found)
        s_forget (self, key);
}

/* There is a change of the partition that is not known. */
static void s_want (synod__kv_prefix_t *self, uint32_t partition, uint64_t version)
{
    synod__kv_prefix_part_t *part = s_part (self, partition);
    part->wanted = version > part->wanted ? version : part->wanted;
    if (part->lined || !part->known || part->wanted <= part->floor)
        return;
    part->lined = true;
    part->next = S_NONE;
    *(self->first == S_NONE ? &self->first : &self->parts[self->last].next) = partition;
    self->last = partition;
}

/* ---- changes ---- */

void synod__kv_prefix_change (synod__kv_prefix_t *self, const synod__kv_change_t *in)
{
    uint32_t partition = (uint32_t) in->partition;
    synod__kv_prefix_part_t *part = s_part (self, partition);
    if (!part->known || part->lined) { /* what is read next has it, or it is wanted again */
        s_want (self, partition, in->version);
        return;
    }
    if (in->version <= part->floor)
        return;
    /* the first one of a partition follows nothing */
    bool follows = in->previous ? in->previous <= part->floor : in->version == 1;
    if (!follows && !SYNOD__KV_MUTANT (PREFIX_GAP_IGNORED)) {
        s_want (self, partition, in->version);
        return;
    }
    uint64_t after = part->floor;
    part->floor = in->version;
    if (in->key.size < self->prefix_size || memcmp (in->key.data, self->prefix, self->prefix_size) != 0)
        return;
    const bool whole = in->data.size == in->size;
    const synod__kv_prefix_told_t told = {.key = in->key,
                                          .data = whole ? in->data : synod_str_n (NULL, 0),
                                          .found = in->found,
                                          .version = in->version,
                                          .size = in->size,
                                          .partition = partition,
                                          .after = after};
    s_tell (self, &told);
}

/* ---- scans ---- */

bool synod__kv_prefix_scan (synod__kv_prefix_t *self, synod__kv_scan_t *out)
{
    if (self->asking || (self->complete && self->first == S_NONE))
        return false;
    self->asking = true;
    *out = (synod__kv_scan_t){.prefix = synod_str_n (self->prefix, self->prefix_size),
                              .limit = SYNOD__KV_ENTRIES_MAX,
                              .values = true,
                              .at = true};
    if (self->complete && !self->cursor_size) { /* a partition anew */
        self->scan++;
        self->at = 0;
        self->at_known = false;
        self->parts[self->first].wanted = 0; /* what is there now will be read */
        self->cursor[0] = (char) (self->first >> 8);
        self->cursor[1] = (char) self->first;
        self->cursor_size = 2;
    }
    out->only = self->complete;
    out->cursor = synod_str_n (self->cursor, self->cursor_size);
    return true;
}

static void s_take (synod__kv_prefix_t *self, const synod__kv_scanned_t *in)
{
    synod_list_t entries = in->entries;
    synod__kv_entry_t entry;
    while (synod_list_next (&entries, &synod__kv_entry_record, &entry)) {
        const bool whole = entry.data.size == entry.size;
        const synod__kv_prefix_told_t told = {.key = entry.key,
                                              .data = whole ? entry.data : synod_str_n (NULL, 0),
                                              .found = true,
                                              .jump = true,
                                              .version = entry.version,
                                              .size = entry.size,
                                              .partition = (uint32_t) entry.partition};
        const synod__kv_prefix_part_t *part = s_part (self, told.partition);
        synod__kv_prefix_key_t *key = s_key (self, entry.key);
        /* it was told to be gone; another owner's clock shows it still */
        if (self->complete && !key && entry.version <= part->floor)
            continue;
        s_tell (self, &told);
        key = s_key (self, entry.key);
        if (key)
            key->scan = self->scan;
    }
}

/* The partition that was read is known up to AT; what was there and was not told is gone. */
static void s_read (synod__kv_prefix_t *self)
{
    uint32_t partition = self->first;
    synod__kv_prefix_part_t *part = &self->parts[partition];
    synod__kv_prefix_key_t *key = NULL, *next;
    DL_FOREACH_SAFE (part->keys, key, next)
    {
        char name[SYNOD_KEY_MAX];
        if (key->scan == self->scan || key->version > self->at)
            continue;
        memcpy (name, key->name, key->size); /* it is forgotten with that */
        const synod__kv_prefix_told_t told = {
            .key = synod_str_n (name, key->size), .jump = true, .version = self->at, .partition = partition};
        s_tell (self, &told);
    }
    self->gaps++;
    self->first = part->next;
    part->lined = false;
    part->floor = self->at > part->floor ? self->at : part->floor;
    s_want (self, partition, part->wanted); /* more has come since it was begun */
}

static void s_complete (synod__kv_prefix_t *self)
{
    self->complete = true;
    for (uint32_t i = 0; i < self->nparts; i++) {
        self->parts[i].known = true;
        s_want (self, i, 0);
    }
}

void synod__kv_prefix_scanned (synod__kv_prefix_t *self, const synod__kv_scanned_t *in)
{
    uint32_t partition;
    uint64_t at;
    self->asking = false;
    if (!in) {
        self->cursor_size = self->complete ? 0 : self->cursor_size; /* a partition is read from its beginning */
        return;
    }
    s_take (self, in);
    synod_str_t ats = in->ats;
    while (s_next_pair (&ats, &partition, &at)) {
        if (self->complete) {
            self->at = partition == self->first && !self->at_known ? at : self->at;
            self->at_known |= partition == self->first;
        } else if (!s_part (self, partition)->floor)
            self->parts[partition].floor = at;
    }
    self->cursor_size = in->cursor.size;
    if (in->cursor.size) {
        memcpy (self->cursor, in->cursor.data, in->cursor.size);
        return;
    }
    if (self->complete)
        s_read (self);
    else
        s_complete (self);
}

/* ---- members ---- */

bool synod__kv_prefix_ask (const synod__kv_prefix_t *self, uint32_t at, char to[2 * SYNOD_NAME_MAX + 2],
                           synod__kv_marks_t *out)
{
    *out = (synod__kv_marks_t){.members = at == 0};
    if (at >= self->nmembers) {
        snprintf (to, 2 * SYNOD_NAME_MAX + 2, "kv-node");
        return at == 0;
    }
    out->life = self->members[at].life;
    out->seq = self->members[at].seq;
    snprintf (to, 2 * SYNOD_NAME_MAX + 2, "%s/kv-node", self->members[at].name);
    return true;
}

static synod__kv_prefix_member_t *s_member (synod__kv_prefix_t *self, synod_str_t name, bool add)
{
    for (uint32_t i = 0; i < self->nmembers; i++)
        if (synod_str_is (name, self->members[i].name))
            return &self->members[i];
    if (!add || name.size > SYNOD_NAME_MAX)
        return NULL;
    self->members = (synod__kv_prefix_member_t *) synod__grow (self->members, &self->members_room, self->nmembers + 1,
                                                               sizeof *self->members);
    synod__kv_prefix_member_t *member = &self->members[self->nmembers++];
    *member = (synod__kv_prefix_member_t){.life = 0};
    memcpy (member->name, name.data, name.size);
    return member;
}

/* Who is a member no more has been asked in vain, or not: nobody owns there. */
static void s_members (synod__kv_prefix_t *self, const synod__kv_marks_are_t *in)
{
    synod_list_t names = in->names;
    synod__kv_member_t one;
    uint32_t kept = 0;
    if (!names.count || in->epoch <= self->epoch)
        return;
    self->epoch = in->epoch;
    for (uint32_t i = 0; i < self->nmembers; i++) {
        synod_list_t look = in->names;
        bool stays = false;
        while (!stays && synod_list_next (&look, &synod__kv_member_record, &one))
            stays = synod_str_is (one.name, self->members[i].name);
        if (stays)
            self->members[kept++] = self->members[i];
    }
    self->nmembers = kept;
    while (synod_list_next (&names, &synod__kv_member_record, &one))
        s_member (self, one.name, true);
}

bool synod__kv_prefix_marks (synod__kv_prefix_t *self, const synod__kv_marks_are_t *in)
{
    synod_str_t marks = in->marks;
    uint32_t partition;
    uint64_t version;
    s_members (self, in);
    synod__kv_prefix_member_t *member = s_member (self, in->node, false);
    while (s_next_pair (&marks, &partition, &version) && !SYNOD__KV_MUTANT (PREFIX_MARKS_IGNORED))
        s_want (self, partition, version);
    if (!member)
        return false;
    member->life = in->life;
    member->seq = in->seq;
    return in->more;
}

/* ---- life ---- */

void synod__kv_prefix_begin (synod__kv_prefix_t *self, synod_str_t prefix,
                             void (*tell) (void *arg, const synod__kv_prefix_told_t *told), void *arg)
{
    memset (self, 0, sizeof *self);
    self->tell = tell;
    self->arg = arg;
    self->prefix_size = prefix.size < SYNOD_KEY_MAX ? prefix.size : SYNOD_KEY_MAX;
    if (self->prefix_size)
        memcpy (self->prefix, prefix.data, self->prefix_size);
    self->first = self->last = S_NONE;
}

void synod__kv_prefix_free (synod__kv_prefix_t *self)
{
    synod__kv_prefix_key_t *key, *next;
    HASH_ITER (hh, self->keys, key, next)
    {
        HASH_DEL (self->keys, key); /* NOLINT(clang-analyzer-unix.Malloc): what was freed is unlinked */
        free (key);
    }
    free (self->parts);
    free (self->members);
    memset (self, 0, sizeof *self);
}
