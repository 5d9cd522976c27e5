/* SPDX-License-Identifier: MPL-2.0
 *
 * The handle: a bus for threads that are no actors, and for bindings to other languages. It is a node of its own
 * without actors; its sockets live in the caller's thread, and it works while one of its functions runs. One thread at
 * a time may use a handle; one thread may serve many (synod_handle_fd). Every wait has a deadline (milliseconds; -1: for
 * ever, 0: do not wait).
 */
#ifndef SYNOD_HANDLE_H_INCLUDED
#define SYNOD_HANDLE_H_INCLUDED

#include <synod/node.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct synod_handle_t synod_handle_t;

/* Joins the bus within options->connect_ms (OPTIONS may be NULL). NULL with a sentence in FAULT. The caller owns it. */
SYNOD_API synod_handle_t *synod_handle_new (const synod_options_t *options, synod_fault_t *fault);
SYNOD_API void synod_handle_destroy (synod_handle_t **self_p);

SYNOD_API const char *synod_handle_name (const synod_handle_t *self);
/* The sentence of the last call that did not return SYNOD_OK. Owned by the handle. */
SYNOD_API const char *synod_handle_error (const synod_handle_t *self);

/* Asks and waits. Returns reply->code; REPLY borrows the handle until its next call. FLAGS, here and below: as of a
 * record (SYNOD_IDEMPOTENT, SYNOD_ONCE). */
SYNOD_API int synod_handle_ask (synod_handle_t *self, const char *to, const synod_record_t *record, const void *in,
                                int timeout_ms, synod_reply_t *reply);
SYNOD_API int synod_handle_ask_body (synod_handle_t *self, const char *to, const char *method, synod_str_t body,
                                     uint32_t flags, int timeout_ms, synod_reply_t *reply);

/* Asks without waiting: ID comes back with the reply. It leaves with the next wait, poll, receive, flush,
 * or full batch. */
SYNOD_API int synod_handle_ask_start (synod_handle_t *self, const char *to, const synod_record_t *record,
                                      const void *in, uint32_t timeout_ms, uint64_t *id);
SYNOD_API int synod_handle_ask_start_body (synod_handle_t *self, const char *to, const char *method, synod_str_t body,
                                           uint32_t flags, uint32_t timeout_ms, uint64_t *id);
/* The next ask that is over: SYNOD_OK with ID and REPLY (whose own code says how it ended), SYNOD_TIMEOUT, or
 * SYNOD_NOT_FOUND when none is under way. REPLY borrows the handle until its next call. */
SYNOD_API int synod_handle_wait (synod_handle_t *self, int timeout_ms, uint64_t *id, synod_reply_t *reply);

SYNOD_API int synod_handle_tell (synod_handle_t *self, const char *to, const synod_record_t *record, const void *in);
SYNOD_API int synod_handle_tell_body (synod_handle_t *self, const char *to, const char *method, synod_str_t body);

/* Publishes: batched while calls follow each other closely, on its way within a millisecond in any case. Blocks while
 * the way is full, TIMEOUT_MS at most: then SYNOD_BUSY and nothing was published. */
SYNOD_API int synod_handle_publish (synod_handle_t *self, const char *topic, const synod_record_t *record,
                                    const void *in, int timeout_ms);
SYNOD_API int synod_handle_publish_body (synod_handle_t *self, const char *topic, const char *method, synod_str_t body,
                                         int timeout_ms);
/* Returns when everything asked, told and published so far has been handed to ZeroMQ. */
SYNOD_API int synod_handle_flush (synod_handle_t *self, int timeout_ms);

/* Returns when everything published from now on will be seen. */
SYNOD_API int synod_handle_subscribe (synod_handle_t *self, const char *pattern, int timeout_ms);
SYNOD_API int synod_handle_unsubscribe (synod_handle_t *self, const char *pattern);
/* The next message on a subscribed topic, or told to this handle. MESSAGE borrows the handle until its next call. */
SYNOD_API int synod_handle_receive (synod_handle_t *self, int timeout_ms, synod_message_t *message);
/* Publications known to have been lost on subscribed topics so far (frames, from gaps in their numbers). */
SYNOD_API uint64_t synod_handle_gaps (const synod_handle_t *self);

/* Waits until somebody runs ACTOR (node/actor or actor), as far as this handle knows. */
SYNOD_API int synod_handle_await (synod_handle_t *self, const char *address, int timeout_ms);
/* Waits until the path to the node is direct; SYNOD_TIMEOUT when it is not by then. */
SYNOD_API int synod_handle_link (synod_handle_t *self, const char *node, int timeout_ms);
/* Waits until the path to the node is the broker's again. */
SYNOD_API int synod_handle_unlink (synod_handle_t *self, const char *node, int timeout_ms);
/* Sees to what is due (heartbeats, deadlines, arrivals) for TIMEOUT_MS at most; returns when something came. */
SYNOD_API int synod_handle_poll (synod_handle_t *self, int timeout_ms);

/* A descriptor for the caller's own loop, of poll, select or epoll (level-triggered): readable while the handle has
 * something to do or to give, also when that is due by time. Then call synod_handle_poll, _wait or _receive with a timeout
 * of 0: any of them sees to all that is due, and what was started leaves. It stays readable while replies or messages
 * are there that were not taken, an ask, tell or operation was not seen to by such a call yet, or the handle has left the
 * bus (poll says why). So one thread serves many handles:
 *
 *     struct pollfd item = {.fd = synod_handle_fd (handle), .events = POLLIN};
 *     while (poll (&item, 1, -1) >= 0) {
 *         while (synod_handle_wait (handle, 0, &id, &reply) == SYNOD_OK)
 *             on_reply (id, &reply);                  may ask again
 *         while ((code = synod_handle_receive (handle, 0, &message)) == SYNOD_OK)
 *             on_message (&message);
 *         if (code != SYNOD_TIMEOUT)
 *             break;
 *     }
 *
 * The handle owns it: wait for it and do nothing else with it; take it out of a set before synod_handle_destroy. It is the
 * same each time, and needs two more of the process's descriptors. -1 with a sentence in synod_handle_error: there are
 * none, or no memory. */
SYNOD_API int synod_handle_fd (synod_handle_t *self);

#ifdef __cplusplus
}
#endif
#endif
