/* SPDX-License-Identifier: MPL-2.0
 *
 * Subscriptions of this node's actors, the numbers of what arrives on them, and the echoes by which a subscription is
 * known to have taken effect: after the wanted prefix the node subscribes to a topic of its own, $sub.NODE.N; whoever
 * publishes answers on that when he has seen it, and subscriptions are seen in order. With a broker it answers, else
 * every peer does.
 */
#include <stdio.h>
#include "internal.h"

#define S_GAPS_MAX 65536 /* publishers' topics that are kept count of */

struct synod__subscription_t {
    struct synod__subscription_t *next;
    synod__instance_t *instance;
    uint32_t size;
    char pattern[SYNOD_TOPIC_MAX + 1];
};

/* What is subscribed to at ZeroMQ, and for how many. */
struct synod__prefix_t {
    struct synod__prefix_t *next;
    uint32_t users;
    size_t size;
    char bytes[SYNOD_TOPIC_MAX + 1];
};

/* A topic of a publisher: the last number seen. */
struct synod__gap_t {
    UT_hash_handle hh;
    uint64_t incarnation;
    uint64_t number;
    uint32_t node_size;
    uint32_t size;
    char key[]; /* node NUL topic */
};

struct synod__echo_t {
    struct synod__echo_t *next;
    synod__instance_t *instance;
    uint32_t life;
    synod_on_event_t *on_ready;
    uint64_t arg;
    uint32_t ticks;
    char topic[SYNOD_TOPIC_MAX + 1];
    uint32_t npending, capacity;
    char (*pending)[SYNOD_NAME_MAX + 1]; /* who has not answered */
};

static void s_prefix_add (synod__rt_t *rt, const char *bytes, size_t size)
{
    synod__prefix_t *prefix;
    for (prefix = rt->prefixes; prefix; prefix = prefix->next)
        if (prefix->size == size && memcmp (prefix->bytes, bytes, size) == 0)
            break;
    if (!prefix) {
        prefix = (synod__prefix_t *) synod__alloc (sizeof *prefix);
        memcpy (prefix->bytes, bytes, size);
        prefix->size = size;
        prefix->next = rt->prefixes;
        rt->prefixes = prefix;
        rt->ops->subscribe (rt->host, bytes, size);
    }
    prefix->users++;
}

static void s_prefix_drop (synod__rt_t *rt, const char *bytes, size_t size)
{
    for (synod__prefix_t **at = &rt->prefixes; *at; at = &(*at)->next) {
        synod__prefix_t *prefix = *at;
        if (prefix->size != size || memcmp (prefix->bytes, bytes, size) != 0)
            continue;
        if (--prefix->users == 0) {
            rt->ops->unsubscribe (rt->host, bytes, size);
            *at = prefix->next;
            free (prefix);
        }
        return;
    }
}

/* ---- echoes ---- */

static void s_echo_send (synod__rt_t *rt, synod__echo_t *echo)
{
    int size = snprintf (echo->topic, sizeof echo->topic, SYNOD_TOPIC_ECHO "%s.%llu", rt->config.node,
                         (unsigned long long) ++rt->next_echo);
    s_prefix_add (rt, echo->topic, (size_t) size + 1);
}

static void s_echo_end (synod__rt_t *rt, synod__echo_t **at, bool ready)
{
    synod__echo_t *echo = *at;
    s_prefix_drop (rt, echo->topic, strlen (echo->topic) + 1);
    if (ready) {
        synod__event_t *event = synod__event_add (rt, SYNOD__EVENT_READY, echo->instance);
        event->on_event = echo->on_ready;
        event->arg = echo->arg;
    }
    *at = echo->next;
    free (echo->pending);
    free (echo);
}

static void s_echo_new (synod__rt_t *rt, synod__instance_t *instance, synod_on_event_t *on_ready, uint64_t arg)
{
    synod__echo_t *echo = (synod__echo_t *) synod__alloc (sizeof *echo);
    echo->instance = instance;
    echo->life = instance->life;
    echo->on_ready = on_ready;
    echo->arg = arg;
    uint32_t most = rt->broker ? 1 : synod__directory_size (rt->directory);
    echo->pending = (char (*)[SYNOD_NAME_MAX + 1]) synod__grow (NULL, &echo->capacity, most + 1, sizeof *echo->pending);
    if (rt->broker)
        snprintf (echo->pending[echo->npending++], sizeof *echo->pending, "%s", SYNOD_BROKER);
    for (uint32_t i = 0; !rt->broker && i < most; i++) {
        const synod__peer_t *peer = synod__directory_at (rt->directory, i);
        if (peer->topics[0] && !peer->client) /* a handle answers when it is used, which may be never */
            snprintf (echo->pending[echo->npending++], sizeof *echo->pending, "%s", peer->name);
    }
    echo->next = rt->echoes;
    rt->echoes = echo;
    s_echo_send (rt, echo);
    if (!echo->npending)
        s_echo_end (rt, &rt->echoes, true);
}

/* NODE has answered TOPIC (data NULL: has gone, and answers nothing any more). */
static void s_echo_take (synod__rt_t *rt, synod_str_t topic, synod_str_t node)
{
    for (synod__echo_t **at = &rt->echoes; *at;) {
        synod__echo_t *echo = *at;
        bool mine = !topic.data || synod_str_is (topic, echo->topic);
        for (uint32_t i = 0; mine && i < echo->npending; i++)
            if (synod_str_is (node, echo->pending[i])) {
                memmove (echo->pending[i], echo->pending[--echo->npending], sizeof *echo->pending);
                break;
            }
        if (mine && !echo->npending)
            s_echo_end (rt, at, true);
        else
            at = &echo->next;
    }
}

void synod__topics_peer_gone (synod__rt_t *rt, const char *node)
{
    if (!rt->broker)
        s_echo_take (rt, synod_str_n (NULL, 0), synod_str (node));
}

/* An echo can be lost as any publication can: ask again. */
void synod__topics_tick (synod__rt_t *rt)
{
    for (synod__echo_t *echo = rt->echoes; echo; echo = echo->next) {
        if (++echo->ticks < 2)
            continue;
        s_prefix_drop (rt, echo->topic, strlen (echo->topic) + 1);
        s_echo_send (rt, echo);
        echo->ticks = 0;
    }
}

void synod__rt_subscribed (synod__rt_t *rt, const void *prefix, size_t size, bool on)
{
    const char *text = (const char *) prefix;
    size_t tap = sizeof SYNOD_TOPIC_TAP - 1, echo = sizeof SYNOD_TOPIC_ECHO - 1;
    if (rt->broker || !size)
        return; /* with a broker it sees to both */
    if (text[0] == SYNOD_PRESENCE[0] && on)
        synod__mesh_presence (rt, synod_str_n (text + 1, size - 1));
    if (size >= tap && size <= tap + 1 && memcmp (text, SYNOD_TOPIC_TAP, tap) == 0)
        rt->tap = on;
    if (on && size > echo + 1 && size <= SYNOD_TOPIC_MAX + 1 && !text[size - 1] &&
        memcmp (text, SYNOD_TOPIC_ECHO, echo) == 0 &&
        synod__topic_check (synod_str_n (text, size - 1), NULL) == SYNOD_OK)
        synod__publisher_add (rt->publisher, synod_str_n (text, size - 1), synod_str_n (NULL, 0), 0, NULL, NULL,
                              synod_str ("subscribed"), synod_str_n (NULL, 0), SIZE_MAX, NULL);
}

/* ---- subscriptions ---- */

void synod__topics_subscribe (synod__rt_t *rt, synod__instance_t *instance, synod_str_t pattern,
                              synod_on_event_t *on_ready, uint64_t arg)
{
    char prefix[SYNOD_TOPIC_MAX + 1];
    synod__subscription_t *sub;
    for (sub = rt->subscriptions; sub; sub = sub->next)
        if (sub->instance == instance && synod_str_is (pattern, sub->pattern))
            break;
    if (!sub) {
        sub = (synod__subscription_t *) synod__alloc (sizeof *sub);
        sub->instance = instance;
        sub->size = pattern.size;
        memcpy (sub->pattern, pattern.data, pattern.size);
        sub->next = rt->subscriptions;
        rt->subscriptions = sub;
        s_prefix_add (rt, prefix, synod__pattern_prefix (pattern, prefix));
    }
    if (on_ready)
        s_echo_new (rt, instance, on_ready, arg);
}

static void s_drop (synod__rt_t *rt, synod__subscription_t **at)
{
    char prefix[SYNOD_TOPIC_MAX + 1];
    synod__subscription_t *sub = *at;
    s_prefix_drop (rt, prefix, synod__pattern_prefix (synod_str_n (sub->pattern, sub->size), prefix));
    *at = sub->next;
    free (sub);
}

void synod__topics_unsubscribe (synod__rt_t *rt, synod__instance_t *instance, synod_str_t pattern)
{
    for (synod__subscription_t **at = &rt->subscriptions; *at; at = &(*at)->next)
        if ((*at)->instance == instance && synod_str_is (pattern, (*at)->pattern)) {
            s_drop (rt, at);
            return;
        }
}

void synod__topics_forget (synod__rt_t *rt, const synod__instance_t *instance)
{
    for (synod__subscription_t **at = &rt->subscriptions; *at;)
        if ((*at)->instance == instance)
            s_drop (rt, at);
        else
            at = &(*at)->next;
    for (synod__echo_t **at = &rt->echoes; *at;)
        if ((*at)->instance == instance)
            s_echo_end (rt, at, false);
        else
            at = &(*at)->next;
}

void synod__topics_free (synod__rt_t *rt)
{
    while (rt->subscriptions)
        synod__topics_forget (rt, rt->subscriptions->instance);
    while (rt->echoes)
        synod__topics_forget (rt, rt->echoes->instance);
    while (rt->gaps) {
        synod__gap_t *gap = rt->gaps;
        HASH_DEL (rt->gaps, gap); /* NOLINT(clang-analyzer-unix.Malloc): what was freed is unlinked */
        free (gap);
    }
}

/* ---- what arrives ---- */

static synod__gap_t *s_gap (synod__rt_t *rt, const synod_frame_t *frame)
{
    char key[SYNOD_NAME_MAX + 1 + SYNOD_TOPIC_MAX];
    synod__gap_t *gap;
    uint32_t size = frame->node.size + 1 + frame->address.size;
    memcpy (key, frame->node.data, frame->node.size);
    key[frame->node.size] = 0;
    memcpy (key + frame->node.size + 1, frame->address.data, frame->address.size);
    HASH_FIND (hh, rt->gaps, key, size, gap);
    if (gap)
        return gap;
    if (HASH_COUNT (rt->gaps) >= S_GAPS_MAX) { /* the oldest is the likeliest to be over */
        gap = rt->gaps;
        HASH_DEL (rt->gaps, gap);
        free (gap);
    }
    gap = (synod__gap_t *) synod__alloc (sizeof *gap + size);
    memcpy (gap->key, key, size);
    gap->size = size;
    gap->node_size = frame->node.size;
    HASH_ADD_KEYPTR (hh, rt->gaps, gap->key, size, gap); /* NOLINT(clang-analyzer-unix.Malloc): as above */
    return gap;
}

/* The first number of a publisher's life on a topic is the baseline; a lower one begins anew. */
static void s_numbers (synod__rt_t *rt, const synod_frame_t *frame, bool mark)
{
    if (!frame->number)
        return;
    synod__gap_t *gap = s_gap (rt, frame);
    uint64_t expected = gap->number + (mark ? 0 : 1);
    if (gap->incarnation == frame->incarnation && frame->number > expected) {
        uint64_t missing = frame->number - expected;
        rt->stats.gaps += missing;
        synod__drop (rt, frame->node, frame->address, "frames missing on a topic", missing);
    }
    gap->incarnation = frame->incarnation;
    gap->number = frame->number;
}

int synod__rt_topic_open (synod__rt_t *rt, const void *data, size_t size, synod_frame_t *frame)
{
    synod_fault_t fault = {0};
    synod_envelope_t env;
    int rc = synod__frame_open (frame, data, size, &fault);
    if (rc == SYNOD_OK && frame->address.size > SYNOD_TOPIC_MAX)
        rc = synod_fault (&fault, SYNOD_BAD_ADDRESS, "a topic has %d bytes at most", SYNOD_TOPIC_MAX);
    if (rc != SYNOD_OK) {
        rt->stats.malformed++;
        synod__rt_log (rt, SYNOD_LOG_DEBUG, "refused a publication: %s", fault.text);
        return rc;
    }
    if (frame->address.size > 5 && memcmp (frame->address.data, SYNOD_TOPIC_ECHO, 5) == 0) {
        s_echo_take (rt, frame->address, frame->node);
        return SYNOD_NOT_FOUND;
    }
    synod_frame_t peek = *frame;
    rc = synod__frame_next (&peek, &env, &fault);
    bool mark = rc == SYNOD_OK && env.kind == SYNOD_KIND_MARK;
    bool wanted = false;
    for (const synod__subscription_t *sub = rt->subscriptions; sub && !wanted; sub = sub->next)
        wanted = synod__pattern_match (synod_str_n (sub->pattern, sub->size), frame->address);
    if (!wanted)
        return SYNOD_NOT_FOUND;
    s_numbers (rt, frame, mark);
    return mark ? SYNOD_NOT_FOUND : SYNOD_OK;
}

static void s_deliver (synod__rt_t *rt, const synod_frame_t *frame, const synod_envelope_t *env,
                       synod__instance_t *const *takers, uint32_t ntakers)
{
    char from[2 * SYNOD_NAME_MAX + 2];
    int size = snprintf (from, sizeof from, "%.*s%s%.*s", SYNOD_STR (frame->node), env->from.data ? "/" : "",
                         SYNOD_STR (env->from));
    if (size < 0 || (size_t) size >= sizeof from || env->kind != SYNOD_KIND_PUBLISH || !env->method.data) {
        rt->stats.malformed++;
        return;
    }
    synod_message_t message = {.method = env->method,
                               .from = synod_str_n (from, (size_t) size),
                               .topic = frame->address,
                               .body = env->body,
                               .trace = env->trace};
    rt->stats.received++;
    for (uint32_t i = 0; i < ntakers; i++)
        if (takers[i]->state_of == SYNOD__ACTOR_UP)
            synod__instance_take (takers[i], &message, (synod_call_t){0});
}

void synod__rt_topic (synod__rt_t *rt, const void *data, size_t size)
{
    synod_frame_t frame;
    synod_envelope_t env;
    synod_fault_t fault = {0};
    synod__instance_t *takers[SYNOD_ACTORS_MAX];
    uint32_t ntakers = 0;
    if (rt->state == SYNOD__RT_ENDED || synod__rt_topic_open (rt, data, size, &frame) != SYNOD_OK)
        return;
    for (uint32_t i = 0; i < rt->ninstances; i++)
        for (const synod__subscription_t *sub = rt->subscriptions; sub; sub = sub->next)
            if (sub->instance == rt->instances[i] &&
                synod__pattern_match (synod_str_n (sub->pattern, sub->size), frame.address)) {
                takers[ntakers++] = rt->instances[i];
                break;
            }
    int rc;
    while ((rc = synod__frame_next (&frame, &env, &fault)) == SYNOD_OK)
        s_deliver (rt, &frame, &env, takers, ntakers);
    if (rc != SYNOD_NOT_FOUND)
        rt->stats.malformed++;
}
