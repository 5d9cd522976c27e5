/* SPDX-License-Identifier: MPL-2.0
 *
 * The table of commands: names, how many arguments, where the keys are.
 */
#include "redis.h"

/* What the functions that serve several are told: a unit of time in ms; else see there. */
#define S_SECONDS 1000
#define S_MS      1

const synod__redis_command_t synod__redis_commands[] = {
    {"get", 2, "readonly fast", 1, 1, 1, synod__redis_on_get, 0, "the value of a key"},
    {"set", -3, "write denyoom", 1, 1, 1, synod__redis_on_set, 0, "sets a key's value"},
    {"mget", -2, "readonly fast", 1, -1, 1, synod__redis_on_mget, 0, "the values of keys"},
    {"mset", -3, "write denyoom", 1, -1, 2, synod__redis_on_mset, 0, "sets the values of keys"},
    {"incr", 2, "write denyoom fast", 1, 1, 1, synod__redis_on_incr, 1, "adds 1 to a number"},
    {"decr", 2, "write denyoom fast", 1, 1, 1, synod__redis_on_incr, -1, "takes 1 from a number"},
    {"incrby", 3, "write denyoom fast", 1, 1, 1, synod__redis_on_incr, 1, "adds to a number"},
    {"decrby", 3, "write denyoom fast", 1, 1, 1, synod__redis_on_incr, -1, "takes from a number"},
    {"append", 3, "write denyoom fast", 1, 1, 1, synod__redis_on_append, 0, "adds to the end of a value"},
    {"del", -2, "write", 1, -1, 1, synod__redis_on_delete, 0, "removes keys"},
    {"unlink", -2, "write fast", 1, -1, 1, synod__redis_on_delete, 0, "removes keys"},
    {"exists", -2, "readonly fast", 1, -1, 1, synod__redis_on_exists, 0, "how many of the keys there are"},
    {"setnx", 3, "write denyoom fast", 1, 1, 1, synod__redis_on_setex, 0, "sets a value where there is none"},
    {"setex", 4, "write denyoom", 1, 1, 1, synod__redis_on_setex, S_SECONDS, "sets a value for so many seconds"},
    {"psetex", 4, "write denyoom", 1, 1, 1, synod__redis_on_setex, S_MS, "sets a value for so many milliseconds"},
    {"getset", 3, "write denyoom fast", 1, 1, 1, synod__redis_on_setex, -1, "sets a value, and tells the one before"},
    {"getdel", 2, "write fast", 1, 1, 1, synod__redis_on_getdel, 0, "removes a key, and tells its value"},
    {"strlen", 2, "readonly fast", 1, 1, 1, synod__redis_on_about, 's', "the size of a value"},
    {"type", 2, "readonly fast", 1, 1, 1, synod__redis_on_about, 't', "what a value is"},
    {"expire", -3, "write fast", 1, 1, 1, synod__redis_on_expire, 's', "the value is gone in so many seconds"},
    {"pexpire", -3, "write fast", 1, 1, 1, synod__redis_on_expire, 'm', "the value is gone in so many ms"},
    {"expireat", -3, "write fast", 1, 1, 1, synod__redis_on_expire, 'S', "the value is gone at a second since 1970"},
    {"pexpireat", -3, "write fast", 1, 1, 1, synod__redis_on_expire, 'M', "the value is gone at a ms since 1970"},
    {"persist", 2, "write fast", 1, 1, 1, synod__redis_on_persist, 0, "the value stays"},
    {"ttl", 2, "readonly fast", 1, 1, 1, synod__redis_on_ttl, 's', "seconds that a value has left"},
    {"pttl", 2, "readonly fast", 1, 1, 1, synod__redis_on_ttl, 'm', "milliseconds that a value has left"},
    {"expiretime", 2, "readonly fast", 1, 1, 1, synod__redis_on_ttl, 'S', "the second at which a value is gone"},
    {"pexpiretime", 2, "readonly fast", 1, 1, 1, synod__redis_on_ttl, 'M', "the ms at which a value is gone"},
    {"scan", -2, "readonly", 0, 0, 0, synod__redis_on_scan, 0, "keys, some at a time"},
    {"dbsize", 1, "readonly fast", 0, 0, 0, synod__redis_on_dbsize, 0, "how many keys there are"},
    {"ping", -1, "fast", 0, 0, 0, synod__redis_on_ping, 0, "answers"},
    {"echo", 2, "fast", 0, 0, 0, synod__redis_on_echo, 0, "says what it was told"},
    {"select", 2, "loading stale fast", 0, 0, 0, synod__redis_on_select, 0, "the database: there is one, 0"},
    {"info", -1, "loading stale", 0, 0, 0, synod__redis_on_info, 0, "how it is"},
    {"command", -1, "loading stale", 0, 0, 0, synod__redis_on_command, 0, "about commands"},
    {"config", -2, "admin noscript loading stale", 0, 0, 0, synod__redis_on_config, 0, "how it is set"},
    {"client", -2, "admin noscript loading stale", 0, 0, 0, synod__redis_on_client, 0, "about the connection"},
    {"hello", -1, "noscript loading stale fast", 0, 0, 0, synod__redis_on_hello, 0, "which protocol is spoken: RESP2"},
    {"auth", -2, "noscript loading stale fast", 0, 0, 0, synod__redis_on_auth, 0, "refused: there are no passwords"},
    {"quit", -1, "noscript loading stale fast", 0, 0, 0, synod__redis_on_quit, 0, "closes the connection"},
    {0},
};

bool synod__redis_is (synod_str_t word, const char *lower)
{
    for (uint32_t i = 0; i < word.size; i++) {
        char c = word.data[i];
        if ((c >= 'A' && c <= 'Z' ? (char) (c + 'a' - 'A') : c) != lower[i] || !lower[i])
            return false;
    }
    return !lower[word.size];
}

const synod__redis_command_t *synod__redis_find (synod_str_t name)
{
    for (const synod__redis_command_t *command = synod__redis_commands; command->name; command++)
        if (synod__redis_is (name, command->name))
            return command;
    return NULL;
}

/* Whether the class at AT ([abc], [a-z], [^a]) has C; *AFTER is behind it. */
static bool s_class (const char *at, const char *end, char c, const char **after)
{
    bool inverse = at < end && *at == '^', found = false;
    at += inverse;
    for (; at < end && *at != ']'; at++) {
        if (*at == '\\' && end - at >= 2)
            found |= *++at == c;
        else if (end - at >= 3 && at[1] == '-') {
            char low = at[0] < at[2] ? at[0] : at[2], high = at[0] < at[2] ? at[2] : at[0];
            found |= c >= low && c <= high;
            at += 2;
        } else
            found |= *at == c;
    }
    *after = at < end ? at + 1 : end;
    return found != inverse;
}

/* Goes back to the last * alone: linear in the sizes multiplied, at worst. */
bool synod__redis_match (synod_str_t pattern, synod_str_t text)
{
    const char *p = pattern.data, *end = p + pattern.size, *t = text.data, *last = t + text.size;
    const char *star = NULL, *from = NULL;
    while (t < last) {
        const char *next = p + 1;
        bool fits = false;
        if (p < end && *p == '*') {
            star = ++p;
            from = t;
            continue;
        }
        if (p < end && *p == '[')
            fits = s_class (p + 1, end, *t, &next);
        else if (p < end && *p == '\\' && end - p >= 2) {
            fits = p[1] == *t;
            next = p + 2;
        } else if (p < end)
            fits = *p == '?' || *p == *t;
        if (fits) {
            p = next;
            t++;
        } else if (star) {
            p = star;
            t = ++from;
        } else
            return false;
    }
    while (p < end && *p == '*')
        p++;
    return p == end;
}
