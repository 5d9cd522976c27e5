/* SPDX-License-Identifier: MPL-2.0
 *
 * The trace: a hash that runs over all that arrives and befalls, and, when somebody wants them, lines. The hash is
 * taken of the bytes themselves, so that it costs little and does not depend on whether lines are made.
 */
#include <stdarg.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "internal.h"

static void s_hash (synod_sim_t *self, uint64_t what, const void *data, size_t size)
{
    uint64_t head[3] = {self->hash, (uint64_t) self->now_us, what};
    self->hash = XXH3_64bits_withSeed (head, sizeof head, XXH3_64bits (data, size));
}

static void s_lines (synod_sim_t *self, const synod__sim_event_t *event)
{
    synod_frame_t frame;
    synod_envelope_t envelope;
    if (synod__frame_open (&frame, event->data.data, event->data.size, NULL) != SYNOD_OK) {
        synod__sim_note (self, "%s takes in what is no frame, %zu bytes", self->places[event->to]->name,
                         event->data.size);
        return;
    }
    while (synod__frame_next (&frame, &envelope, NULL) == SYNOD_OK) {
        synod__line_t line = {SYNOD__SIM_WALL_US + self->now_us, &frame, &envelope};
        self->line.size = 0;
        if (synod__print_line (&self->line, &line) == SYNOD_OK && synod__buf_add (&self->line, "", 1) == SYNOD_OK)
            self->on_line (self->line_arg, self->line.data);
    }
}

void synod__sim_trace_event (synod_sim_t *self, const synod__sim_event_t *event)
{
    bool mail = event->kind == SYNOD__SIM_FRAME || event->kind == SYNOD__SIM_TOPIC || event->kind == SYNOD__SIM_PUBLISH;
    self->stats.frames += mail;
    s_hash (self,
            (uint64_t) event->kind << 56 | (uint64_t) event->on << 48 | (uint64_t) event->from << 24 |
                (uint64_t) event->to,
            event->data.data, event->data.size);
    if (!self->on_line || !mail)
        return;
    /* the broker's copy is a line where it arrives */
    if (event->to != SYNOD_SIM_BROKER || strcmp (event->data.data, SYNOD_BROKER) == 0)
        s_lines (self, event);
}

void synod__sim_note (synod_sim_t *self, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start (args, format);
    int at = snprintf (text, sizeof text, "# %lld.%06lld ", (long long) (self->now_us / 1000000),
                       (long long) (self->now_us % 1000000));
    int size = vsnprintf (text + at, sizeof text - (size_t) at, format, args);
    va_end (args);
    size_t whole = size < 0 ? (size_t) at : (size_t) (at + size);
    s_hash (self, 0, text, whole < sizeof text ? whole : sizeof text - 1);
    if (self->on_line)
        self->on_line (self->line_arg, text);
}

void synod_sim_note (synod_sim_t *self, const char *text)
{
    while (*text) {
        size_t size = strcspn (text, "\n");
        synod__sim_note (self, "%.*s", (int) size, text);
        text += size + (text[size] == '\n');
    }
}

uint64_t synod_sim_hash (const synod_sim_t *self)
{
    return self->hash;
}

void synod_sim_trace (synod_sim_t *self, synod_sim_on_line_t *on_line, void *arg)
{
    self->on_line = on_line;
    self->line_arg = arg;
}

static void s_write (void *arg, const char *line)
{
    FILE *file = (FILE *) arg;
    fputs (line, file);
    fputc ('\n', file);
}

void synod_sim_trace_file (synod_sim_t *self, FILE *file)
{
    synod_sim_trace (self, file ? s_write : NULL, file);
}
