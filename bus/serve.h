/* SPDX-License-Identifier: MPL-2.0
 *
 * Serving in the foreground: what a program around a node does about signals and about the service manager. Signals
 * belong to main: they are blocked before the first thread starts, and read from a descriptor.
 */
#ifndef SYNOD_BUS_SERVE_H_INCLUDED
#define SYNOD_BUS_SERVE_H_INCLUDED

#include <synod/node.h>

/* Blocks SIGINT and SIGTERM in this thread and in those it starts from now on. A descriptor that becomes readable when
 * one comes (the caller's, to be closed), or -1 with errno. */
int synod__signals_open (void);

/* Tells the service manager (NOTIFY_SOCKET, as sd_notify does) STATE, as in "READY=1"; does nothing where there is
 * none. Best effort. */
void synod__notify (const char *state);

/* Sees a node that has started to its end. The first signal lets it drain, a second ends the process at once. Returns
 * as synod_node_wait. */
int synod__serve (synod_node_t *node, int signals, synod_fault_t *fault);

#endif
