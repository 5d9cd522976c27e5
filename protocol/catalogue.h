/* SPDX-License-Identifier: MPL-2.0
 *
 * The framework's own messages as C records: hello becomes synod__hello_t and synod__hello_record, and so on.
 */
#ifndef SYNOD_PROTOCOL_CATALOGUE_H_INCLUDED
#define SYNOD_PROTOCOL_CATALOGUE_H_INCLUDED

#include <synod/record.h>

/* On the wire a record goes by the name without the prefix. */
#define SYNOD_MESSAGE(name, FIELDS, flags, doc) SYNOD_RECORD_DECLARE (synod__##name, FIELDS)
#include "catalogue.def"
#undef SYNOD_MESSAGE
#define SYNOD__PREFIX 7 /* characters of synod__ */

/* All of them, NULL-terminated. */
extern const synod_record_t *const synod__catalogue[];

/* A reserved node and actor name, and reserved topics. */
#define SYNOD_BROKER     "$broker"
#define SYNOD_NODE_ACTOR "$node"
#define SYNOD_TOPIC_TAP  "$tap"
#define SYNOD_TOPIC_DROP "$bus.drop"
/* Without a broker: the last of a node's subscriptions at a peer, this byte and its name. */
#define SYNOD_PRESENCE   "\xff"
#define SYNOD_TOPIC_ECHO "$sub." /* $sub.NODE.N: echoed when a subscription to it is seen */

#endif
