/* SPDX-License-Identifier: MPL-2.0
 *
 * The loop of `sub` and `sniff`. What is lost is said on stderr, in numbers, as soon as it is known.
 */
#include "stream.h"

#include <czmq.h>

#define SLICE_MS 100 /* how soon a signal is seen */

static int subscribe (synod_handle_t *handle, const synod__stream_t *self)
{
    for (int i = 0; i < self->npatterns; i++) {
        int code = synod_handle_subscribe (handle, self->patterns[i], (int) self->join->timeout_ms);
        if (code != SYNOD_OK)
            return synod__fail (code, synod_handle_error (handle));
    }
    int status = self->keep ? self->keep (self->arg) : SYNOD__EXIT_NONE;
    if (status == SYNOD__EXIT_NONE)
        fputs ("ready\n", stderr);
    return status;
}

static int keep (const synod__stream_t *self, int64_t *kept_ms)
{
    if (!self->keep || zclock_mono () - *kept_ms < (int64_t) self->keep_ms)
        return SYNOD__EXIT_NONE;
    *kept_ms = zclock_mono ();
    return self->keep (self->arg);
}

static void report_gaps (const synod_handle_t *handle, uint64_t *known)
{
    uint64_t gaps = synod_handle_gaps (handle);
    if (gaps > *known)
        fprintf (stderr, "synod: %" PRIu64 " publications were lost on the way\n", gaps - *known);
    *known = gaps;
}

static int print_stream (synod_handle_t *handle, synod__stream_t *self)
{
    uint64_t gaps = 0;
    int64_t last_ms = zclock_mono (), kept_ms = last_ms;
    bool flushed = true;
    while (!synod__signalled () && (self->count == 0 || self->seen < self->count)) {
        synod_message_t message = {0};
        int status = keep (self, &kept_ms);
        if (status != SYNOD__EXIT_NONE)
            return status;
        int code = synod_handle_receive (handle, flushed ? SLICE_MS : 0, &message);
        report_gaps (handle, &gaps);
        if (code == SYNOD_OK) {
            self->on_message (self->arg, &message);
            self->seen++;
            flushed = false;
            last_ms = zclock_mono ();
        } else if (code != SYNOD_TIMEOUT) {
            return synod__fail (code, synod_handle_error (handle));
        } else if (!flushed) {
            /* all that came at once leaves at once */
            if (fflush (stdout) != 0)
                return SYNOD__EXIT_ERROR;
            flushed = true;
        } else if (self->idle_ms && zclock_mono () - last_ms >= (int64_t) self->idle_ms) {
            return self->count ? SYNOD__EXIT_NOBODY : SYNOD__EXIT_DONE;
        }
    }
    return SYNOD__EXIT_DONE;
}

int synod__stream (synod__stream_t *self)
{
    int status = SYNOD__EXIT_NONE;
    synod__signals_catch ();
    synod_handle_t *handle = synod__join (self->join, &status);
    if (status == SYNOD__EXIT_NONE)
        status = subscribe (handle, self);
    if (status == SYNOD__EXIT_NONE)
        status = print_stream (handle, self);
    synod_handle_destroy (&handle);
    return status;
}
