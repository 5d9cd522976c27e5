/* SPDX-License-Identifier: MPL-2.0
 *
 * The host of one replica in memory (see replica_node.h).
 */
#include <stdlib.h>
#include "place_test.h"
#include "replica_node.h"

/* One for all nodes: a step that were used after the next call of any would be another's. */
static synod__replica_scratch_t s_scratch;

uint32_t node_batch (char *bytes, const uint8_t *keys, const uint32_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bytes[i * NODE_ENTRY] = (char) keys[i];
        memcpy (bytes + i * NODE_ENTRY + 1, &values[i], sizeof values[i]);
    }
    return count * NODE_ENTRY;
}

static void s_apply (uint32_t *area, synod_str_t batch)
{
    assert_true (batch.size % NODE_ENTRY == 0);
    for (uint32_t at = 0; at < batch.size; at += NODE_ENTRY)
        memcpy (&area[(uint8_t) batch.data[at]], batch.data + at + 1, sizeof *area);
}

/* What takes BATCH back: the values before it, the first entry's last. */
static uint32_t s_undo (const uint32_t *area, synod_str_t batch, char *undo)
{
    uint32_t size = 0;
    for (uint32_t at = batch.size; at > 0; at -= NODE_ENTRY) {
        uint8_t key = (uint8_t) batch.data[at - NODE_ENTRY];
        size += node_batch (undo + size, &key, &area[key], 1);
    }
    return size;
}

static void s_keep (node_t *self, const synod__replica_batch_t *batch, const char *undo, uint32_t undo_size)
{
    node_disk_t *disk = &self->open;
    if (disk->tail_count == NODE_TAIL)
        memmove (disk->tail, disk->tail + 1, --disk->tail_count * sizeof *disk->tail);
    node_kept_t *kept = &disk->tail[disk->tail_count++];
    *kept = (node_kept_t){.epoch = batch->epoch, .n = batch->n, .size = batch->bytes.size, .undo_size = undo_size};
    if (kept->size)
        memcpy (kept->bytes, batch->bytes.data, kept->size);
    if (undo_size)
        memcpy (kept->undo, undo, undo_size);
}

static void s_write (node_t *self, const synod__replica_write_t *write)
{
    node_disk_t *disk = &self->open;
    char undo[NODE_BYTES];
    switch (write->kind) {
    case SYNOD__REPLICA_APPLY: {
        uint32_t size = s_undo (disk->copy, write->batch.bytes, undo);
        s_apply (disk->copy, write->batch.bytes);
        if (self->keeps_undo)
            assert_int_equal (synod__replica_undo (&self->replica, write->batch.n, synod_str_n (undo, size)), SYNOD_OK);
        if (self->keeps_tail)
            s_keep (self, &write->batch, undo, self->keeps_undo ? size : 0);
        self->applied++;
        break;
    }
    case SYNOD__REPLICA_CUT:
        s_apply (disk->copy, write->batch.bytes);
        if (disk->tail_count)
            disk->tail_count--;
        self->cuts++;
        break;
    case SYNOD__REPLICA_STAGE_CLEAR:
        memset (disk->side, 0, sizeof disk->side);
        break;
    case SYNOD__REPLICA_STAGE:
        s_apply (disk->side, write->batch.bytes);
        break;
    case SYNOD__REPLICA_SWAP:
        memcpy (disk->copy, disk->side, sizeof disk->copy);
        disk->tail_count = 0;
        self->swaps++;
        break;
    case SYNOD__REPLICA_REMOVE:
        memset (disk->copy, 0, sizeof disk->copy);
        disk->tail_count = 0;
        self->removed++;
        break;
    }
}

/* The entries after the chunk's key. */
static void s_fill (const node_t *self, node_mail_t *mail)
{
    synod__replica_message_t *message = &mail->message;
    uint32_t size = 0;
    message->more = false;
    for (uint32_t key = message->key.data ? (uint32_t) (uint8_t) mail->key[0] + 1 : 0; key < NODE_KEYS; key++) {
        if (!self->open.copy[key])
            continue;
        if (size == self->chunk * NODE_ENTRY) {
            message->more = true;
            break;
        }
        uint8_t byte = (uint8_t) key;
        size += node_batch (mail->entries + size, &byte, &self->open.copy[key], 1);
        mail->last_key[0] = (char) byte;
        message->last_key = synod_str_n (mail->last_key, 1);
    }
    message->entries = synod_str_n (mail->entries, size);
}

static void s_copy (const node_t *self, node_mail_t *mail, const synod__replica_mail_t *from)
{
    const synod__replica_message_t *in = &from->message;
    mail->to = from->to;
    mail->message = *in;
    for (uint32_t i = 0; i < in->nbatches; i++) {
        mail->batches[i] = in->batches[i];
        assert_true (in->batches[i].bytes.size <= NODE_BYTES);
        memcpy (mail->bytes[i], in->batches[i].bytes.data, in->batches[i].bytes.size);
        mail->batches[i].bytes.data = mail->bytes[i];
    }
    mail->message.batches = mail->batches;
    if (in->nruns)
        memcpy (mail->runs, in->runs, in->nruns * sizeof *in->runs);
    mail->message.runs = mail->runs;
    assert_true (in->key.size <= 1);
    if (in->key.data) {
        mail->key[0] = in->key.data[0];
        mail->message.key.data = mail->key;
    }
    if (in->kind == SYNOD__REPLICA_CHUNK)
        s_fill (self, mail);
}

static node_effect_t *s_effect (node_t *self, node_effect_kind_t kind, uint64_t number, node_mail_t *mail)
{
    assert_true (self->noutbox < NODE_OUTBOX);
    node_effect_t *effect = &self->outbox[self->noutbox++];
    *effect = (node_effect_t){kind, number, mail, false};
    return effect;
}

void node_perform (node_t *self, const synod__replica_step_t *step, node_mail_t *(*on_mail) (void *), void *arg)
{
    assert_true (step->code == SYNOD_OK);
    for (uint32_t i = 0; i < step->nwrites; i++)
        s_write (self, &step->writes[i]);
    if (step->head) {
        synod_buf_t packed = {0};
        assert_int_equal (synod__replica_head_pack (step->head, &packed), SYNOD_OK);
        assert_true (packed.size <= sizeof self->open.head);
        memcpy (self->open.head, packed.data, packed.size);
        self->open.head_size = (uint32_t) packed.size;
        synod_buf_free (&packed);
    }
    if (step->seal > self->open.seal)
        self->open.seal = step->seal;
    bool wrote = step->nwrites || step->head || step->seal;
    self->dirty = self->dirty || wrote;
    self->strict = self->strict || (wrote && !self->lazily);
    if (step->disown)
        s_effect (self, NODE_DISOWN, 0, NULL);
    if (step->own)
        s_effect (self, NODE_OWN, self->replica.term, NULL);
    if (step->released)
        s_effect (self, NODE_RELEASED, step->released, NULL);
    for (uint32_t i = 0; i < step->nmails; i++) {
        node_mail_t *mail = on_mail (arg);
        if (!mail)
            continue; /* lost */
        s_copy (self, mail, &step->mails[i]);
        s_effect (self, NODE_MAIL, 0, mail)->early = step->mails[i].early;
    }
}

void node_commit (node_t *self, node_mail_t *(*on_mail) (void *), void *arg)
{
    if (self->dirty)
        self->disk = self->open;
    self->dirty = self->strict = false;
    node_perform (self, synod__replica_durable (&self->replica, self->replica.epoch, self->replica.head.n), on_mail,
                  arg);
}

uint64_t node_digest (const node_disk_t *disk)
{
    uint64_t digest = 0;
    for (uint64_t key = 0; key < NODE_KEYS; key++)
        if (disk->copy[key])
            digest += ((key << 32 | disk->copy[key]) + 1) * 0x9e3779b97f4a7c15ull ^ (key * 0x2545f4914f6cdd1dull);
    return digest;
}

void node_head (const node_disk_t *disk, synod__replica_head_t *head)
{
    synod_fault_t fault = {0};
    check_ok (synod__replica_head_unpack (head, synod_str_n (disk->head, disk->head_size), &fault), fault);
}

void node_start (node_t *self, uint32_t tail_count)
{
    synod__replica_head_t head;
    self->open = self->disk;
    self->dirty = self->strict = self->lazily = false;
    self->noutbox = self->nturns = 0;
    node_head (&self->disk, &head);
    self->config = (synod__replica_config_t){self->disk.id, tail_count, UINT32_MAX, &s_scratch};
    assert_int_equal (synod__replica_open (&self->replica, &self->config, &head, self->disk.seal), SYNOD_OK);
    for (uint32_t i = 0; i < self->disk.tail_count; i++) {
        const node_kept_t *kept = &self->disk.tail[i];
        synod__replica_batch_t batch = {kept->epoch, kept->n, synod_str_n (kept->bytes, kept->size)};
        synod_str_t undo = {kept->undo_size || self->keeps_undo ? kept->undo : NULL, kept->undo_size};
        assert_int_equal (synod__replica_restore (&self->replica, &batch, undo), SYNOD_OK);
    }
}

const synod__replica_step_t *node_tick (node_t *self)
{
    synod__replica_t before;
    memcpy (&before, &self->replica, sizeof before);
    bool idle = synod__replica_idle (&self->replica);
    const synod__replica_step_t *step = synod__replica_tick (&self->replica);
    bool nothing = !step->nwrites && !step->nmails && !step->head && !step->seal && !step->newer && !step->own;
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): BEFORE has its padding too */
    bool same = memcmp (&before, &self->replica, sizeof before) == 0;
    nothing = nothing && !step->disown && !step->released && same;
    assert_int_equal (idle, nothing);
    return step;
}
