/* SPDX-License-Identifier: MPL-2.0
 *
 * What checkers see of a node's disk and of its copies (place_look.h). The keys are those that place.h lists.
 */
#include "place.h"
#include "place_look.h"
#include "settled.h"

#define S_NUMBER 14 /* size of an epoch's key */

int synod__look_epochs (synod__disk_t *disk, synod_on_entry_t *on_entry, void *arg)
{
    return disk->ops->scan (disk, synod_str_n (SYNOD__EPOCH_KEYS, 6), synod_str_n ("\0ringf", 6), on_entry, arg);
}

uint64_t synod__look_epoch_number (synod_str_t key)
{
    uint64_t number = 0;
    if (key.size == S_NUMBER)
        memcpy (&number, key.data + 6, sizeof number);
    return __builtin_bswap64 (number);
}

typedef struct {
    uint32_t prefix;
    synod_on_entry_t *on_entry;
    void *arg;
} s_copy_t;

static bool s_on_entry (void *arg, synod_str_t key, synod_str_t value)
{
    const s_copy_t *copy = (const s_copy_t *) arg;
    return copy->on_entry (copy->arg, synod_str_n (key.data + copy->prefix, key.size - copy->prefix), value);
}

bool synod__look_copy (synod__disk_t *disk, const char *actor, uint32_t partition, synod__replica_head_t *head,
                       synod_on_entry_t *on_entry, void *arg)
{
    char from[SYNOD__PARTITION_PREFIX_MAX], until[SYNOD__PARTITION_PREFIX_MAX];
    synod_str_t value;
    char area = '0';
    bool any =
        disk->ops->get (disk, synod__partition_key (synod_str (actor), 'h', partition, from), &value) == SYNOD_OK &&
        value.size > 1;
    memset (head, 0, sizeof *head);
    if (any) {
        area = value.data[0];
        any = synod__replica_head_unpack (head, synod_str_n (value.data + 1, value.size - 1), NULL) == SYNOD_OK;
    }
    uint32_t size = synod__partition_key (synod_str (actor), 'p', partition, from).size;
    synod__partition_key (synod_str (actor), 'p', partition, until);
    from[size] = area;
    until[size] = (char) (area + 1);
    s_copy_t copy = {size + 1, on_entry, arg};
    if (on_entry)
        disk->ops->scan (disk, synod_str_n (from, size + 1), synod_str_n (until, size + 1), s_on_entry, &copy);
    return any;
}

synod__look_t synod__look_write (synod_str_t prefix, synod_str_t batch, const char *actor, uint32_t *partition)
{
    synod_str_t key = prefix, value;
    uint32_t size = (uint32_t) strlen (actor) + 1;
    if (!prefix.size && synod__disk_batch_next (&batch, &key, &value) != SYNOD_OK)
        return SYNOD__LOOK_OTHER;
    if (key.size >= 5 && memcmp (key.data, SYNOD__EPOCH_KEYS, 5) == 0)
        return SYNOD__LOOK_EPOCHS;
    if (key.size < size + 3 || memcmp (key.data, actor, size) != 0)
        return SYNOD__LOOK_OTHER;
    *partition = (uint32_t) (uint8_t) key.data[size + 1] << 8 | (uint8_t) key.data[size + 2];
    return SYNOD__LOOK_COPY;
}

void synod__look_progress (const synod__rt_t *rt, synod__place_progress_t *out)
{
    const synod_ctx_t ctx = {.rt = (synod__rt_t *) rt};
    synod__ctx_progress (&ctx, out);
}

void synod__look_turns (synod__rt_t *rt, const synod__look_turns_t *watch)
{
    rt->place->watch = watch;
}

const synod__replica_t *synod__look_replica (const synod__rt_t *rt, const char *actor, uint32_t partition)
{
    const synod__shards_t *placed = synod__placed_find (rt->place, synod_str (actor));
    const synod__partition_t *self =
        placed && placed->partition && partition < placed->partitions ? placed->partition[partition] : NULL;
    return self ? &self->replica : NULL;
}

bool synod__look_settled (const synod__rt_t *rt)
{
    return !synod__unsettled (rt);
}
