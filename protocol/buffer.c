/* SPDX-License-Identifier: MPL-2.0
 *
 * A buffer that grows and is reused. It doubles, so that adding is of constant cost; a failed growth leaves it as it
 * was.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "frame.h"

#define S_FIRST_CAPACITY 256

int synod__buf_reserve (synod_buf_t *self, size_t more)
{
    if (more <= self->capacity - self->size)
        return SYNOD_OK;
    if (more > SIZE_MAX / 4 - self->size)
        return SYNOD_NO_MEMORY;
    size_t capacity = self->capacity ? self->capacity : S_FIRST_CAPACITY;
    while (capacity < self->size + more)
        capacity *= 2;
    char *data = (char *) realloc (self->data, capacity);
    if (!data)
        return SYNOD_NO_MEMORY;
    self->data = data;
    self->capacity = capacity;
    return SYNOD_OK;
}

int synod__buf_add (synod_buf_t *self, const void *data, size_t size)
{
    int rc = synod__buf_reserve (self, size);
    if (rc == SYNOD_OK && size > 0) {
        memcpy (self->data + self->size, data, size);
        self->size += size;
    }
    return rc;
}

int synod__buf_printf (synod_buf_t *self, const char *format, ...)
{
    va_list args, again;
    va_start (args, format);
    va_copy (again, args);
    size_t room = self->capacity - self->size;
    int size = vsnprintf (self->data ? self->data + self->size : NULL, room, format, args);
    va_end (args);
    int rc = size < 0 ? SYNOD_INVALID : SYNOD_OK;
    if (rc == SYNOD_OK && (size_t) size >= room) {
        rc = synod__buf_reserve (self, (size_t) size + 1);
        if (rc == SYNOD_OK)
            vsnprintf (self->data + self->size, (size_t) size + 1, format, again);
    }
    va_end (again);
    if (rc == SYNOD_OK)
        self->size += (size_t) size;
    return rc;
}

void synod_buf_free (synod_buf_t *self)
{
    free (self->data);
    memset (self, 0, sizeof *self);
}
