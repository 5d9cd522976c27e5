/* SPDX-License-Identifier: MPL-2.0
 *
 * Copies of partitions on the node's disk: two areas, of which a record says which is the copy; so a snapshot takes the
 * copy's place with one small write.
 */
#include "place.h"

#define S_CLEARED 256 /* keys of a batch that clears an area */

static synod_str_t s_key (const synod__partition_t *self, char what, char *room)
{
    return synod__partition_key (self->placed->actor->name, what, self->index, room);
}

synod_str_t synod__partition_prefix (const synod__partition_t *self, uint8_t area, char *room)
{
    synod_str_t key = s_key (self, 'p', room);
    room[key.size++] = (char) area;
    return key;
}

void synod__copy_write (synod__rt_t *rt, synod_str_t prefix, synod_str_t batch)
{
    if (rt->broken || !batch.size)
        return;
    int rc = rt->disk->ops->write (rt->disk, prefix, batch);
    if (rc == SYNOD_OK)
        synod__written (rt);
    else
        synod__broken (rt, rc);
}

void synod__copy_put_head (synod__rt_t *rt, synod__partition_t *self, const synod__replica_head_t *head)
{
    synod_buf_t *value = &rt->place->room, *writes = &rt->place->writes;
    char key[SYNOD__PARTITION_PREFIX_MAX];
    bool empty = !head->mark && !head->n;
    value->size = writes->size = 0;
    if (empty && !self->stored)
        return;
    if (synod__buf_add (value, &self->area, 1) || synod__replica_head_pack (head, value) != SYNOD_OK)
        abort ();
    synod_str_t bytes = synod_str_n (value->data, value->size);
    if (synod__disk_batch_add (writes, s_key (self, 'h', key), empty ? NULL : &bytes) != SYNOD_OK)
        abort ();
    synod__copy_write (rt, synod_str_n (NULL, 0), synod_str_n (writes->data, writes->size));
    writes->size = 0;
    self->stored = !empty;
    rt->whole |= head->mark != self->marked;
    self->marked = head->mark;
}

typedef struct {
    synod_buf_t *batch;
    uint32_t prefix_size, count;
} s_clear_t;

static bool s_clear_one (void *arg, synod_str_t key, synod_str_t value)
{
    s_clear_t *clear = (s_clear_t *) arg;
    (void) value;
    if (synod__disk_batch_add (clear->batch, synod_str_n (key.data + clear->prefix_size, key.size - clear->prefix_size),
                               NULL) != SYNOD_OK)
        abort ();
    return ++clear->count < S_CLEARED;
}

void synod__copy_clear (synod__rt_t *rt, const synod__partition_t *self, uint8_t area)
{
    char from[SYNOD__PARTITION_PREFIX_MAX], until[SYNOD__PARTITION_PREFIX_MAX];
    synod_str_t first = synod__partition_prefix (self, area, from);
    synod_str_t last = synod__partition_prefix (self, area + 1, until);
    s_clear_t clear = {.batch = &rt->place->writes, .prefix_size = first.size};
    do {
        clear.count = 0;
        clear.batch->size = 0;
        int rc = rt->disk->ops->scan (rt->disk, first, last, s_clear_one, &clear);
        if (rc != SYNOD_OK)
            synod__broken (rt, rc);
        synod__copy_write (rt, first, synod_str_n (clear.batch->data, clear.batch->size));
    } while (clear.count == S_CLEARED && !rt->broken);
    clear.batch->size = 0;
}

/* ---- chunks ---- */

typedef struct {
    synod_buf_t *entries;
    uint32_t prefix_size;
    bool more;
    const synod_str_t *after;
} s_chunk_t;

static bool s_chunk_one (void *arg, synod_str_t key, synod_str_t value)
{
    s_chunk_t *chunk = (s_chunk_t *) arg;
    synod_str_t short_key = synod_str_n (key.data + chunk->prefix_size, key.size - chunk->prefix_size);
    if (chunk->after->data && synod_str_same (short_key, *chunk->after))
        return true;
    if (SYNOD__MUTANT (REPLIES_LEFT) && short_key.data[0] == 'r')
        return true;
    if (chunk->entries->size && chunk->entries->size + value.size > SYNOD__REPLICA_CHUNK_TARGET) {
        chunk->more = true;
        return false;
    }
    if (synod__disk_batch_add (chunk->entries, short_key, &value) != SYNOD_OK)
        abort ();
    return true;
}

/* The key of the last entry of a batch. */
static synod_str_t s_last_key (synod_str_t batch)
{
    synod_str_t key = {NULL, 0}, value;
    while (batch.size && synod__disk_batch_next (&batch, &key, &value) == SYNOD_OK)
        ;
    return key;
}

void synod__copy_chunk (synod__rt_t *rt, const synod__partition_t *self, synod__replica_message_t *out)
{
    char from[SYNOD__DISK_KEY_MAX], until[SYNOD__PARTITION_PREFIX_MAX];
    synod_str_t first = synod__partition_prefix (self, self->area, from);
    synod_str_t last = synod__partition_prefix (self, self->area + 1, until);
    s_chunk_t chunk = {.entries = &rt->place->body, .prefix_size = first.size, .after = &out->key};
    if (out->key.size && first.size + out->key.size <= sizeof from) {
        memcpy (from + first.size, out->key.data, out->key.size);
        first.size += out->key.size;
    }
    chunk.entries->size = 0;
    int rc = rt->disk->ops->scan (rt->disk, first, last, s_chunk_one, &chunk);
    if (rc != SYNOD_OK)
        synod__broken (rt, rc);
    out->entries = synod_str_n (chunk.entries->data, chunk.entries->size);
    out->last_key = s_last_key (out->entries);
    out->more = chunk.more;
}

/* ---- from the disk ---- */

typedef struct {
    synod__shards_t *placed;
    uint32_t prefix_size;
    void (*take) (void *arg, uint32_t index, uint8_t area, const synod__replica_head_t *head);
    void *arg;
} s_heads_t;

static bool s_head (void *arg, synod_str_t key, synod_str_t value)
{
    const s_heads_t *heads = (const s_heads_t *) arg;
    synod__replica_head_t head;
    const uint8_t *at = (const uint8_t *) key.data + key.size - 2;
    uint32_t index = (uint32_t) at[0] << 8 | at[1];
    /* what cannot be read is as if wiped: it is brought again */
    if (key.size == heads->prefix_size + 2 && index < heads->placed->partitions && value.size > 1 &&
        synod__replica_head_unpack (&head, synod_str_n (value.data + 1, value.size - 1), NULL) == SYNOD_OK)
        heads->take (heads->arg, index, (uint8_t) value.data[0], &head);
    return true;
}

int synod__copy_heads (synod__rt_t *rt, synod__shards_t *placed,
                       void (*take) (void *arg, uint32_t index, uint8_t area, const synod__replica_head_t *head),
                       void *arg)
{
    synod__partition_t probe = {.placed = placed};
    char from[SYNOD__PARTITION_PREFIX_MAX], until[SYNOD__PARTITION_PREFIX_MAX];
    synod_str_t first = s_key (&probe, 'h', from), last = s_key (&probe, 'i', until);
    first.size -= 2;
    last.size -= 2;
    s_heads_t heads = {placed, first.size, take, arg};
    int rc = rt->disk->ops->scan (rt->disk, first, last, s_head, &heads);
    if (rc != SYNOD_OK)
        synod__broken (rt, rc);
    return rc;
}
