/* SPDX-License-Identifier: MPL-2.0
 *
 * Names, addresses, topics and patterns. All of it is ASCII but the key, which may be any printable UTF-8.
 */
#include <stdio.h>
#include "address.h"
#include "text.h"

#define S_NAME  1 /* may be in a name */
#define S_TOPIC 2 /* may be in a topic's part */

/* Of each byte. */
static const uint8_t s_classes[256] = {
    ['!'] = S_TOPIC,         ['"'] = S_TOPIC,          ['$' ... ')'] = S_TOPIC, ['+'] = S_TOPIC,
    [','] = S_TOPIC,         ['-'] = S_NAME | S_TOPIC, ['.'] = S_NAME,          ['0' ... '9'] = S_NAME | S_TOPIC,
    [':' ... '='] = S_TOPIC, ['?'] = S_TOPIC,          ['@'] = S_TOPIC,         ['A' ... 'Z'] = S_NAME | S_TOPIC,
    ['[' ... '^'] = S_TOPIC, ['_'] = S_NAME | S_TOPIC, ['`'] = S_TOPIC,         ['a' ... 'z'] = S_NAME | S_TOPIC,
    ['{' ... '~'] = S_TOPIC,
};

static inline uint8_t s_class (char c)
{
    return s_classes[(uint8_t) c];
}

bool synod__name_ok (synod_str_t name, bool system)
{
    uint32_t at = 0;
    if (system && name.size > 0 && name.data[0] == '$')
        at = 1;
    if (name.size <= at || name.size > SYNOD_NAME_MAX)
        return false;
    for (; at < name.size; at++)
        if (!(s_class (name.data[at]) & S_NAME))
            return false;
    return true;
}

static int s_check_name (synod_str_t name, const char *what, synod_str_t text, synod_fault_t *fault)
{
    if (synod__name_ok (name, true))
        return SYNOD_OK;
    if (name.size > SYNOD_NAME_MAX)
        return synod_fault (fault, SYNOD_BAD_ADDRESS, "%s: expected a name of 1 to %d bytes, got %u bytes", what,
                            SYNOD_NAME_MAX, name.size);
    return synod_fault (fault, SYNOD_BAD_ADDRESS,
                        "%s: expected a name of letters, digits and _ - . (or a leading $), got \"%.*s\" in \"%.*s\"",
                        what, SYNOD_STR (name), text.size > 100 ? 100 : (int) text.size, text.data);
}

int synod__address_parse (synod_str_t text, synod_address_t *address, synod_fault_t *fault)
{
    memset (address, 0, sizeof *address);
    if (!text.data || text.size == 0)
        return synod_fault (fault, SYNOD_BAD_ADDRESS, "address: expected node/actor, actor or actor#key, got nothing");
    if (text.size > SYNOD_ADDRESS_MAX)
        return synod_fault (fault, SYNOD_BAD_ADDRESS, "address: expected at most %d bytes, got %u", SYNOD_ADDRESS_MAX,
                            text.size);
    synod_str_t place = text;
    const char *hash = (const char *) memchr (text.data, '#', text.size);
    if (hash) {
        place.size = (uint32_t) (hash - text.data);
        address->key = synod_str_n (hash + 1, text.size - place.size - 1);
        if (address->key.size == 0 || address->key.size > SYNOD_KEY_MAX)
            return synod_fault (fault, SYNOD_BAD_ADDRESS, "address: expected a key of 1 to %d bytes, got %u",
                                SYNOD_KEY_MAX, address->key.size);
        if (!synod__text_printable (address->key.data, address->key.size))
            return synod_fault (fault, SYNOD_BAD_ADDRESS, "address: expected a key of printable UTF-8, got \"%.*s\"",
                                SYNOD_STR (address->key));
    }
    address->actor = place;
    const char *slash = (const char *) memchr (place.data, '/', place.size);
    if (slash) {
        address->node = synod_str_n (place.data, (size_t) (slash - place.data));
        address->actor = synod_str_n (slash + 1, place.size - address->node.size - 1);
        int rc = s_check_name (address->node, "node", text, fault);
        if (rc != SYNOD_OK)
            return rc;
    }
    return s_check_name (address->actor, "actor", text, fault);
}

/* Goes over the parts of a topic or pattern: WILD says whether `*` and a last `>` may be among them. */
static int s_check_parts (synod_str_t text, bool wild, synod_fault_t *fault)
{
    const char *what = wild ? "pattern" : "topic";
    if (!text.data || text.size == 0 || text.size > SYNOD_TOPIC_MAX)
        return synod_fault (fault, SYNOD_BAD_ADDRESS, "%s: expected 1 to %d bytes, got %u", what, SYNOD_TOPIC_MAX,
                            text.size);
    uint32_t start = 0;
    for (uint32_t at = 0; at <= text.size; at++) {
        if (at < text.size && text.data[at] != '.') {
            char c = text.data[at];
            if (s_class (c) & S_TOPIC)
                continue;
            bool alone = at == start && (at + 1 == text.size || text.data[at + 1] == '.');
            if (wild && c == '*' && alone)
                continue;
            if (wild && c == '>' && alone && at + 1 == text.size)
                continue;
            if (wild && c == '>')
                return synod_fault (fault, SYNOD_BAD_ADDRESS,
                                    "pattern: expected > as the whole last part, got \"%.*s\"", SYNOD_STR (text));
            if (wild && c == '*')
                return synod_fault (fault, SYNOD_BAD_ADDRESS, "pattern: expected * as a whole part, got \"%.*s\"",
                                    SYNOD_STR (text));
            return synod_fault (fault, SYNOD_BAD_ADDRESS,
                                "%s: expected printable ASCII but space / # * >, got the byte 0x%02x at %u in \"%.*s\"",
                                what, (uint8_t) c, at, SYNOD_STR (text));
        }
        if (at == start)
            return synod_fault (fault, SYNOD_BAD_ADDRESS, "%s: expected dotted parts, got an empty part in \"%.*s\"",
                                what, SYNOD_STR (text));
        start = at + 1;
    }
    return SYNOD_OK;
}

synod_str_t synod__address_join (synod_str_t node, synod_str_t actor, char *out, size_t room)
{
    size_t size = (size_t) node.size + 1 + actor.size;
    if (size > room || !node.size || !actor.size)
        return synod_str_n (NULL, 0);
    memcpy (out, node.data, node.size);
    out[node.size] = '/';
    memcpy (out + node.size + 1, actor.data, actor.size);
    return synod_str_n (out, size);
}

synod_str_t synod__address_key (synod_str_t actor, synod_str_t key, char *out, size_t room)
{
    size_t size = (size_t) actor.size + 1 + key.size;
    if (size > room || !actor.size)
        return synod_str_n (NULL, 0);
    memcpy (out, actor.data, actor.size);
    out[actor.size] = '#';
    if (key.size)
        memcpy (out + actor.size + 1, key.data, key.size);
    return synod_str_n (out, size);
}

int synod__topic_check (synod_str_t topic, synod_fault_t *fault)
{
    return s_check_parts (topic, false, fault);
}

int synod__pattern_check (synod_str_t pattern, synod_fault_t *fault)
{
    return s_check_parts (pattern, true, fault);
}

bool synod__pattern_match (synod_str_t pattern, synod_str_t topic)
{
    if (pattern.size == 0 || topic.size == 0)
        return false;
    if (topic.data[0] == '$' && (pattern.data[0] == '*' || pattern.data[0] == '>'))
        return false;
    const char *p = pattern.data, *p_end = p + pattern.size;
    const char *t = topic.data, *t_end = t + topic.size;
    for (;;) {
        if (*p == '>')
            return true;
        if (*p == '*') {
            p++;
            while (t < t_end && *t != '.')
                t++;
        } else
            while (p < p_end && t < t_end && *p != '.' && *p == *t)
                p++, t++;
        if (p == p_end || t == t_end)
            return p == p_end && t == t_end;
        if (*p != '.' || *t != '.')
            return false;
        p++;
        t++;
        if (p == p_end || t == t_end) /* an empty last part matches nothing */
            return false;
    }
}

size_t synod__pattern_prefix (synod_str_t pattern, char *out)
{
    size_t size = 0;
    while (size < pattern.size && pattern.data[size] != '*' && pattern.data[size] != '>') {
        out[size] = pattern.data[size];
        size++;
    }
    if (size == pattern.size)
        out[size++] = '\0';
    return size;
}

/* The last COUNT hex digits of a number; returns what is behind them. */
static char *s_hex (char *p, uint64_t number, int count)
{
    while (count-- > 0)
        *p++ = "0123456789abcdef"[number >> 4 * count & 15];
    return p;
}

size_t synod__identity (synod_str_t node, uint64_t incarnation, uint32_t link, char *out)
{
    memcpy (out, node.data, node.size);
    char *p = out + node.size;
    *p++ = '@';
    p = s_hex (p, incarnation, 16);
    if (link) {
        *p++ = '.';
        p = s_hex (p, link, 8);
    }
    *p = '\0';
    return (size_t) (p - out);
}

bool synod__identity_of (synod_str_t identity, synod_str_t node, uint64_t incarnation)
{
    char own[SYNOD__IDENTITY_MAX + 1];
    size_t size = synod__identity (node, incarnation, 0, own);
    return identity.size >= size && memcmp (identity.data, own, size) == 0 &&
           (identity.size == size || identity.data[size] == '.');
}
