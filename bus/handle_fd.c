/* SPDX-License-Identifier: MPL-2.0
 *
 * A handle's descriptor, for the caller's own loop: that of the port's poller, with two more in it. An event, which is
 * set while there is something that no socket's descriptor tells of; a timer, for what is due.
 *
 * Invariant, while no call is under way: the event is set, or the handle's turn is closed, each socket has been looked at
 * since it was used, the caller has taken all that came, and the timer expires when the next turn is due at the latest.
 */
#include "handle_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct synod__wake_t {
    int event_fd, timer_fd;
    synod__poll_t *event, *timer;
    bool set;         /* the event is */
    int64_t timed_us; /* when the timer expires, or has; INT64_MAX: never */
};

/* One that expires too early is left alone: it costs a call, once, where each ask would set it anew. */
static void s_time (synod__wake_t *self, int64_t until_us, int64_t now_us)
{
    struct itimerspec at = {.it_value = {.tv_nsec = 1}};
    if (self->timed_us == until_us || (self->timed_us < until_us && self->timed_us > now_us))
        return;
    if (until_us == INT64_MAX)
        at.it_value.tv_nsec = 0;
    else if (until_us > 0)
        at.it_value = (struct timespec){.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    timerfd_settime (self->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
    self->timed_us = until_us;
}

static void s_set (synod__wake_t *self, bool set)
{
    eventfd_t ignored;
    if (self->set == set)
        return;
    if (set)
        eventfd_write (self->event_fd, 1);
    else
        eventfd_read (self->event_fd, &ignored);
    self->set = set;
}

void synod__handle_wake (synod_handle_t *self)
{
    if (self->wake)
        s_set (self->wake, true);
}

void synod__handle_hush (synod_handle_t *self)
{
    if (!self->wake)
        return;
    s_set (self->wake, false);
    s_time (self->wake, self->until_us, synod__now_us ());
}

void synod__handle_settled (synod_handle_t *self)
{
    if (!self->wake)
        return;
    if (self->replies.count || self->mail.count || self->first || synod__handle_kvs_left (self) ||
        synod__rt_state (self->rt) == SYNOD__RT_ENDED || synod__handle_due (self))
        synod__handle_wake (self);
    else
        synod__handle_hush (self);
}

static bool s_nothing (synod_handle_t *self, const void *arg)
{
    (void) self;
    (void) arg;
    return false;
}

void synod__handle_see_to (synod_handle_t *self)
{
    if (self->wake)
        synod__handle_pump (self, 0, s_nothing, NULL);
}

void synod__handle_wake_free (synod_handle_t *self)
{
    synod__wake_t *wake = self->wake;
    if (!wake)
        return;
    synod__poller_remove (synod__port_poller (self->port), &wake->event);
    synod__poller_remove (synod__port_poller (self->port), &wake->timer);
    if (wake->event_fd >= 0)
        close (wake->event_fd);
    if (wake->timer_fd >= 0)
        close (wake->timer_fd);
    free (wake);
    self->wake = NULL;
}

int synod_handle_fd (synod_handle_t *self)
{
    if (!self)
        return -1;
    synod__poller_t *poller = synod__port_poller (self->port);
    if (self->wake)
        return synod__poller_fd (poller);
    synod__wake_t *wake = self->wake = (synod__wake_t *) calloc (1, sizeof *wake);
    if (!wake) {
        synod__handle_fail (self, SYNOD_NO_MEMORY, "no memory for the descriptor of handle %s",
                            synod_handle_name (self));
        return -1;
    }
    wake->timed_us = INT64_MAX;
    wake->event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    wake->timer_fd = timerfd_create (CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (wake->event_fd >= 0 && wake->timer_fd >= 0) {
        wake->event = synod__poller_add_fd (poller, wake->event_fd, NULL);
        wake->timer = synod__poller_add_fd (poller, wake->timer_fd, NULL);
    }
    if (wake->event && wake->timer) {
        s_set (wake, true); /* what was done before it was asked for */
        return synod__poller_fd (poller);
    }
    synod__handle_fail (self, SYNOD_IO, "no descriptor for handle %s: %s", synod_handle_name (self), strerror (errno));
    synod__handle_wake_free (self);
    return -1;
}
