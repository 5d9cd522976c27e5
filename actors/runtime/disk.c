/* SPDX-License-Identifier: MPL-2.0
 *
 * Batches of writes as bytes: what is written to a disk, and what will be sent to replicas.
 */
#include "disk.h"
#include "protocol/packer.h"

int synod__disk_batch_add (synod_buf_t *batch, synod_str_t key, const synod_str_t *value)
{
    size_t before = batch->size;
    msgpack_packer packer;
    msgpack_packer_init (&packer, batch, synod__pack_write);
    int rc = msgpack_pack_bin (&packer, key.size) | msgpack_pack_bin_body (&packer, key.data, key.size);
    if (value)
        rc |= msgpack_pack_bin (&packer, value->size) |
              (value->size ? msgpack_pack_bin_body (&packer, value->data, value->size) : 0);
    else
        rc |= msgpack_pack_nil (&packer);
    if (!rc)
        return SYNOD_OK;
    batch->size = before;
    return SYNOD_NO_MEMORY;
}

int synod__disk_batch_next (synod_str_t *batch, synod_str_t *key, synod_str_t *value)
{
    if (!batch->size)
        return SYNOD_NOT_FOUND;
    synod__reader_t reader = synod__reader (*batch);
    synod__value_t k, v;
    if (synod__read (&reader, &k) || k.type != SYNOD__BIN || !k.size || k.size > SYNOD__DISK_KEY_MAX ||
        synod__read (&reader, &v) || (v.type != SYNOD__NIL && v.type != SYNOD__BIN) ||
        (v.type == SYNOD__BIN && v.size > SYNOD__DISK_VALUE_MAX))
        return SYNOD_INVALID;
    *key = synod_str_n (k.data, k.size);
    if (synod__disk_key_reserved (*key))
        return SYNOD_INVALID;
    *value = v.type == SYNOD__NIL ? synod_str_n (NULL, 0) : synod_str_n (v.data, v.size);
    *batch = synod_str_n (reader.at, (size_t) (reader.end - reader.at));
    return SYNOD_OK;
}

int synod__disk_batch_check (synod_str_t prefix, synod_str_t batch)
{
    synod_str_t key, value;
    int rc;
    while ((rc = synod__disk_batch_next (&batch, &key, &value)) == SYNOD_OK)
        if (prefix.size > SYNOD__DISK_KEY_MAX - key.size)
            return SYNOD_INVALID;
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}
