/* SPDX-License-Identifier: MPL-2.0
 *
 * The port's disk and the number of this life. With a data directory the number is kept in it, so that it grows over
 * all lives that the store sees, whatever the wall clock does: the number is durable before anybody hears of it.
 */
#include <endian.h>
#include "lmdb_disk.h"
#include "port_internal.h"

static const char s_key[] = "\0incarnation"; /* of the framework: begins with NUL */

/* The wall clock, never the same twice in a process, and above LEAST. */
static uint64_t s_incarnation (uint64_t least)
{
    static uint64_t last;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock (&lock);
    uint64_t now = (uint64_t) synod__wall_us ();
    if (now <= last)
        now = last + 1;
    if (now <= least)
        now = least + 1;
    last = now;
    pthread_mutex_unlock (&lock);
    return now;
}

static int s_last_life (synod__port_t *self, uint64_t *last, synod_fault_t *fault)
{
    synod_str_t value;
    int rc = self->disk->ops->get (self->disk, synod_str_n (s_key, sizeof s_key - 1), &value);
    if (rc == SYNOD_NOT_FOUND)
        return SYNOD_OK;
    if (rc != SYNOD_OK)
        return synod_fault (fault, rc, "%s", self->disk->ops->error (self->disk));
    if (value.size != sizeof *last)
        return synod_fault (fault, SYNOD_INVALID, "the store in %s is damaged: its incarnation has %u bytes",
                            self->options.data, value.size);
    memcpy (last, value.data, sizeof *last);
    *last = be64toh (*last);
    return SYNOD_OK;
}

static int s_keep_life (synod__port_t *self, synod_fault_t *fault)
{
    uint64_t kept = htobe64 (self->incarnation);
    const synod_str_t value = synod_str_n (&kept, sizeof kept);
    synod_buf_t batch = {0};
    int rc = synod__disk_batch_add (&batch, synod_str_n (s_key, sizeof s_key - 1), &value);
    if (rc == SYNOD_OK)
        rc = self->disk->ops->write (self->disk, synod_str (""), synod_str_n (batch.data, batch.size));
    if (rc == SYNOD_OK)
        rc = synod__lmdb_disk_settle (self->disk); /* from here on it is the node's thread that writes */
    synod_buf_free (&batch);
    return rc == SYNOD_OK ? rc : synod_fault (fault, rc, "%s", self->disk->ops->error (self->disk));
}

void synod__port_disk_told (const synod__port_t *self)
{
    uint64_t ignored;
    (void) !read (self->disk->fd, &ignored, sizeof ignored);
}

int synod__port_disk_open (synod__port_t *self, synod_fault_t *fault)
{
    uint64_t last = 0;
    int rc = SYNOD_OK;
    if (self->options.data && self->client)
        return synod_fault (fault, SYNOD_INVALID, "a handle keeps nothing: only a node takes a data directory, got %s",
                            self->options.data);
    if (self->options.data) {
        const synod__lmdb_limits_t limits = {.map_bytes = self->options.data_bytes};
        synod_fault_t why = {0};
        self->disk = synod__lmdb_disk_open (self->options.data, &limits, &why);
        if (!self->disk)
            return synod_fault (fault, why.code, "%s", why.text);
        rc = s_last_life (self, &last, fault);
    }
    self->incarnation = s_incarnation (last);
    return rc == SYNOD_OK && self->disk ? s_keep_life (self, fault) : rc;
}
