/* SPDX-License-Identifier: MPL-2.0
 *
 * Names, addresses, topics and patterns (SPEC.md, "Address").
 *
 *   name     1 to SYNOD_NAME_MAX of A-Z a-z 0-9 _ - . ; a first `$` is the framework's own
 *   address  node/actor | actor | actor#key | node/actor#key
 *   topic    dotted parts, 1 to SYNOD_TOPIC_MAX bytes, no empty part; of printable ASCII but space / # * >
 *   pattern  a topic in which `*` stands for any one part and a last `>` for one or more that follow; a pattern that
 *            begins with a wildcard does not match topics that begin with `$`
 */
#ifndef SYNOD_PROTOCOL_ADDRESS_H_INCLUDED
#define SYNOD_PROTOCOL_ADDRESS_H_INCLUDED

#include <synod/record.h>

typedef struct {
    synod_str_t node;  /* data NULL: any node */
    synod_str_t actor; /* never absent */
    synod_str_t key;   /* data NULL: none */
} synod_address_t;

/* true when SYSTEM names (`$...`) are allowed too */
bool synod__name_ok (synod_str_t name, bool system);

/* Splits; borrows. SYNOD_BAD_ADDRESS with a sentence. */
int synod__address_parse (synod_str_t text, synod_address_t *address, synod_fault_t *fault);

/* NODE/ACTOR in OUT of ROOM bytes, without a NUL. Empty (data NULL) when there is not room enough. */
synod_str_t synod__address_join (synod_str_t node, synod_str_t actor, char *out, size_t room);

/* ACTOR#KEY, likewise. */
synod_str_t synod__address_key (synod_str_t actor, synod_str_t key, char *out, size_t room);

int synod__topic_check (synod_str_t topic, synod_fault_t *fault);
int synod__pattern_check (synod_str_t pattern, synod_fault_t *fault);
bool synod__pattern_match (synod_str_t pattern, synod_str_t topic);

/* What to subscribe to at ZeroMQ for PATTERN: its literal prefix, or, without wildcards, the whole with its NUL.
 * Writes at most SYNOD_TOPIC_MAX + 1 bytes, returns how many. */
size_t synod__pattern_prefix (synod_str_t pattern, char *out);

/* ROUTER identities: name@incarnation in 16 hex digits, and behind a dot in hex the LINK that leads to another node, unless
 * that is 0. Writes at most SYNOD__IDENTITY_MAX bytes and a NUL, returns the size. */
#define SYNOD__IDENTITY_MAX (SYNOD_NAME_MAX + 26)
size_t synod__identity (synod_str_t node, uint64_t incarnation, uint32_t link, char *out);
/* Whether it is one of that node in that life, by whatever link. */
bool synod__identity_of (synod_str_t identity, synod_str_t node, uint64_t incarnation);

#endif
