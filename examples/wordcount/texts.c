/* SPDX-License-Identifier: MPL-2.0
 *
 * Files of text, cut into chunks between words.
 */
#include "texts.h"
#include "words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_text (text_t *text, const char *name, synod_fault_t *fault)
{
    struct stat status;
    int code = SYNOD_OK;
    int file = open (name, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat (file, &status) != 0) {
        code = synod_fault (fault, SYNOD_IO, "cannot open %s: %s", name, strerror (errno));
        if (file >= 0)
            close (file);
        return code;
    }
    text->size = (size_t) status.st_size;
    if (!S_ISREG (status.st_mode)) {
        code = synod_fault (fault, SYNOD_INVALID, "%s is no regular file", name);
    } else if (text->size > 0) {
        void *data = mmap (NULL, text->size, PROT_READ, MAP_PRIVATE, file, 0);
        if (data != MAP_FAILED)
            text->data = (char *) data;
        else
            code = synod_fault (fault, SYNOD_IO, "cannot read %s: %s", name, strerror (errno));
    }
    close (file);
    return code;
}

int texts_open (texts_t *self, char **names, int count, synod_fault_t *fault)
{
    int code = SYNOD_OK;
    self->files = (text_t *) calloc ((size_t) count + 1, sizeof *self->files);
    if (!self->files)
        return synod_fault (fault, SYNOD_NO_MEMORY, "no memory for the names of the files");
    for (int i = 0; i < count && code == SYNOD_OK; i++, self->count++) {
        code = open_text (&self->files[i], names[i], fault);
        self->size += self->files[i].size;
    }
    return code;
}

void texts_close (texts_t *self)
{
    for (int i = 0; i < self->count; i++) {
        if (self->files[i].data)
            munmap (self->files[i].data, self->files[i].size);
    }
    free (self->files);
    *self = (texts_t){0};
}

bool texts_next (texts_t *self, size_t most, synod_str_t *chunk)
{
    while (self->file < self->count && self->at == self->files[self->file].size) {
        self->file++;
        self->at = 0;
    }
    if (self->file == self->count)
        return false;
    const text_t *text = &self->files[self->file];
    size_t end = text->size - self->at > most ? self->at + most : text->size;
    while (end > self->at && end < text->size && word_letter (text->data[end - 1]) && word_letter (text->data[end]))
        end--;
    if (end == self->at) { /* one word is longer */
        while (end < text->size && word_letter (text->data[end]))
            end++;
    }
    *chunk = synod_str_n (text->data + self->at, end - self->at);
    self->at = end;
    return true;
}
