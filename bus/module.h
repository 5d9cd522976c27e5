/* SPDX-License-Identifier: MPL-2.0
 *
 * Actor types by the words of a command line.
 */
#ifndef SYNOD_BUS_MODULE_H_INCLUDED
#define SYNOD_BUS_MODULE_H_INCLUDED

#include <synod/node.h>

/* Adds the actors that WORD names (one of BUILTIN, ./lib.so or ./lib.so:NAME; NULL: all of BUILTIN) to NODE, with those
 * of the SETTINGS (key=value) that each takes; a setting that none takes is an error, as is a required one that is not
 * given. A sentence in FAULT. */
int synod__module_add (synod_node_t *node, const synod_actor_t *const *builtin, const char *word, const char **settings,
                       int nsettings, synod_fault_t *fault);

#endif
