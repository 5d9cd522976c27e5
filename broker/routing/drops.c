/* SPDX-License-Identifier: MPL-2.0
 *
 * What was given up: gathered by sender, address and reason, and published on $bus.drop once in a heartbeat. At most
 * SYNOD__DROPS_MAX are told apart; the rest is counted as one.
 */
#include <stdlib.h>
#include "internal.h"
#include "protocol/text.h"

uint64_t synod__losses_count (const void *data, size_t size)
{
    synod_frame_t frame;
    synod_envelope_t envelope;
    if (synod__frame_open (&frame, data, size, NULL) != SYNOD_OK)
        return 1;
    while (synod__frame_next (&frame, &envelope, NULL) == SYNOD_OK)
        ;
    return frame.count > 0 ? frame.count : 1;
}

static char *s_put (char *p, synod_str_t text, bool clean, synod_str_t *at)
{
    *at = synod_str_n (p, text.size);
    for (uint32_t i = 0; i < text.size; i++)
        *p++ = clean || (text.data[i] >= ' ' && text.data[i] <= '~') ? text.data[i] : '?';
    *p++ = '\0';
    return p;
}

void synod__losses_add (synod__routing_t *self, synod_str_t from, synod_str_t to, const char *reason, uint64_t count)
{
    char room[2 * (SYNOD_ADDRESS_MAX + 1) + 256];
    synod__drop_entry_t *drop = NULL;
    synod_str_t why = synod_str (reason), f, t, r;
    self->stats.dropped += count;
    if (synod_str_is (to, SYNOD_TOPIC_DROP))
        return;
    if (from.size > SYNOD_ADDRESS_MAX || to.size > SYNOD_ADDRESS_MAX || why.size > 255) {
        self->drops_more += count;
        return;
    }
    char *end = s_put (room, from, synod__text_printable (from.data, from.size), &f);
    end = s_put (end, to, synod__text_printable (to.data, to.size), &t);
    end = s_put (end, why, true, &r);
    size_t size = (size_t) (end - room);
    HASH_FIND (hh, self->drops, room, size, drop);
    if (!drop && HASH_COUNT (self->drops) < SYNOD__DROPS_MAX &&
        (drop = (synod__drop_entry_t *) calloc (1, sizeof *drop))) {
        drop->key = (char *) malloc (size);
        if (drop->key) {
            memcpy (drop->key, room, size);
            drop->from = synod_str_n (drop->key, f.size);
            drop->to = synod_str_n (drop->key + (t.data - room), t.size);
            drop->reason = synod_str_n (drop->key + (r.data - room), r.size);
            HASH_ADD_KEYPTR (hh, self->drops, drop->key, size, drop);
        }
        if (!drop->key || !drop->hh.tbl) {
            free (drop->key);
            free (drop);
            drop = NULL;
        }
    }
    if (drop)
        drop->count += count;
    else
        self->drops_more += count;
}

void synod__losses_free (synod__routing_t *self)
{
    synod__drop_entry_t *drop, *next;
    HASH_ITER (hh, self->drops, drop, next)
    {
        HASH_DEL (self->drops, drop); /* NOLINT(clang-analyzer-unix.Malloc): what was freed is unlinked */
        free (drop->key);
        free (drop);
    }
    self->drops_more = 0;
}

void synod__losses_publish (synod__routing_t *self)
{
    if (!self->drops && self->drops_more == 0)
        return;
    synod_envelope_t envelope = {.kind = SYNOD_KIND_PUBLISH,
                                 .method = synod_str_n (synod__drop_record.name, synod__drop_record.name_size)};
    synod__drop_entry_t *entry, *next;
    synod__drop_t more = {.from = synod_str (""),
                          .to = synod_str (""),
                          .reason = synod_str ("too many different drops to tell apart"),
                          .count = self->drops_more};
    if (synod__batch_begin (&self->copy, synod_str (SYNOD_TOPIC_DROP), synod_str (SYNOD_BROKER),
                            self->config.incarnation, 0) == SYNOD_OK) {
        HASH_ITER (hh, self->drops, entry, next)
        {
            synod__drop_t drop = {.from = entry->from, .to = entry->to, .reason = entry->reason, .count = entry->count};
            synod__batch_add_record (&self->copy, &envelope, &synod__drop_record, &drop, NULL);
        }
        if (more.count > 0)
            synod__batch_add_record (&self->copy, &envelope, &synod__drop_record, &more, NULL);
        self->ops->publish (self->host, self->copy.buf.data, self->copy.buf.size);
    }
    synod__losses_free (self);
}
