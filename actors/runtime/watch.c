/* SPDX-License-Identifier: MPL-2.0
 *
 * Monitors: actors of this node that want to know of the end of others; and watchers: nodes that want to know of the
 * end of this node's actors. A node's end comes from the directory, an actor's by mail from its node.
 */
#include <stdio.h>
#include "internal.h"

struct synod__monitor_t {
    struct synod__monitor_t *next;
    synod__instance_t *instance;
    uint32_t life;
    synod_on_down_t *on_down;
    uint64_t arg;
    char node[SYNOD_NAME_MAX + 1], actor[SYNOD_NAME_MAX + 1];
};

struct synod__watcher_t {
    struct synod__watcher_t *next;
    char node[SYNOD_NAME_MAX + 1], actor[SYNOD_NAME_MAX + 1];
};

static void s_split (synod_str_t who, char *node, char *actor)
{
    const char *slash = (const char *) memchr (who.data, '/', who.size);
    int size = slash ? (int) (slash - who.data) : (int) who.size;
    snprintf (node, SYNOD_NAME_MAX + 1, "%.*s", size, who.data);
    actor[0] = 0;
    if (slash)
        snprintf (actor, SYNOD_NAME_MAX + 1, "%.*s", (int) who.size - size - 1, slash + 1);
}

static void s_notify (synod__rt_t *rt, const synod__monitor_t *monitor, const char *reason)
{
    synod__event_t *event = synod__event_add (rt, SYNOD__EVENT_DOWN, monitor->instance);
    event->on_down = monitor->on_down;
    event->arg = monitor->arg;
    snprintf (event->who, sizeof event->who, "%s%s%s", monitor->node, monitor->actor[0] ? "/" : "", monitor->actor);
    snprintf (event->text, sizeof event->text, "%s", reason);
}

/* Takes out, and tells where REASON is not NULL, those of NODE and ACTOR (NULL: any of its) and INSTANCE (NULL: any). */
static void s_take (synod__rt_t *rt, const char *node, const char *actor, const synod__instance_t *instance,
                    const char *reason)
{
    for (synod__monitor_t **at = &rt->monitors; *at;) {
        synod__monitor_t *monitor = *at;
        if ((node && strcmp (monitor->node, node) != 0) || (actor && strcmp (monitor->actor, actor) != 0) ||
            (instance && monitor->instance != instance)) {
            at = &monitor->next;
            continue;
        }
        *at = monitor->next;
        if (reason)
            s_notify (rt, monitor, reason);
        free (monitor);
    }
}

static void s_watch (synod__rt_t *rt, const char *node, const char *actor, bool on)
{
    synod__stream_t *stream = synod__stream_find (rt, synod_str (node));
    synod__watch_t out = {.actor = synod_str (actor)};
    if (stream && actor[0])
        synod__control_tell (rt, stream, on ? &synod__watch_record : &synod__unwatch_record, &out);
}

void synod__watch_monitor (synod__rt_t *rt, synod__instance_t *instance, synod_str_t who, synod_on_down_t *on_down,
                           uint64_t arg)
{
    synod__monitor_t *monitor = (synod__monitor_t *) synod__alloc (sizeof *monitor);
    monitor->instance = instance;
    monitor->life = instance->life;
    monitor->on_down = on_down;
    monitor->arg = arg;
    s_split (who, monitor->node, monitor->actor);
    bool self = synod_str_is (rt->node, monitor->node);
    if (!self && !synod__directory_node (rt->directory, synod_str (monitor->node))) {
        s_notify (rt, monitor, "not there");
        free (monitor);
        return;
    }
    monitor->next = rt->monitors;
    rt->monitors = monitor;
    s_watch (rt, monitor->node, monitor->actor, true);
}

void synod__watch_unmonitor (synod__rt_t *rt, synod__instance_t *instance, synod_str_t who)
{
    char node[SYNOD_NAME_MAX + 1], actor[SYNOD_NAME_MAX + 1];
    s_split (who, node, actor);
    s_take (rt, node, actor, instance, NULL);
    for (const synod__monitor_t *monitor = rt->monitors; monitor; monitor = monitor->next)
        if (!strcmp (monitor->node, node) && !strcmp (monitor->actor, actor))
            return; /* another actor here still wants to know */
    s_watch (rt, node, actor, false);
}

void synod__watch_forget (synod__rt_t *rt, const synod__instance_t *instance)
{
    s_take (rt, NULL, NULL, instance, NULL);
}

void synod__watch_node_down (synod__rt_t *rt, synod_str_t node, const char *reason)
{
    char name[SYNOD_NAME_MAX + 1];
    snprintf (name, sizeof name, "%.*s", SYNOD_STR (node));
    s_take (rt, name, NULL, NULL, reason);
    for (synod__watcher_t **at = &rt->watchers; *at;) {
        synod__watcher_t *watcher = *at;
        if (strcmp (watcher->node, name) != 0) {
            at = &watcher->next;
            continue;
        }
        *at = watcher->next;
        free (watcher);
    }
}

void synod__watch_actor_down (synod__rt_t *rt, synod_str_t node, synod_str_t actor, synod_str_t reason)
{
    char name[SYNOD_NAME_MAX + 1], what[SYNOD_NAME_MAX + 1], why[SYNOD_FAULT_MAX];
    snprintf (name, sizeof name, "%.*s", SYNOD_STR (node));
    snprintf (what, sizeof what, "%.*s", SYNOD_STR (actor));
    snprintf (why, sizeof why, "%.*s", SYNOD_STR (reason));
    s_take (rt, name, what, NULL, why);
}

static void s_tell (synod__rt_t *rt, const char *node, synod_str_t actor, bool restarted, const char *reason)
{
    synod__stream_t *stream = synod__stream_find (rt, synod_str (node));
    synod__actor_down_t out = {.actor = actor, .restarted = restarted, .reason = synod_str (reason)};
    if (stream)
        synod__control_tell (rt, stream, &synod__actor_down_record, &out);
}

/* A node wants, or no longer wants, to be told of an actor of this one. */
void synod__watch_take (synod__rt_t *rt, synod__stream_t *from, synod_str_t actor, bool on)
{
    synod__instance_t *instance = synod__instance_find (rt, actor);
    for (synod__watcher_t **at = &rt->watchers; *at; at = &(*at)->next) {
        synod__watcher_t *watcher = *at;
        if (strcmp (watcher->node, from->name) != 0 || !synod_str_is (actor, watcher->actor))
            continue;
        if (!on) {
            *at = watcher->next;
            free (watcher);
        }
        return;
    }
    if (!on)
        return;
    if (!instance || instance->state_of != SYNOD__ACTOR_UP) {
        s_tell (rt, from->name, actor, false, "not there");
        return;
    }
    synod__watcher_t *watcher = (synod__watcher_t *) synod__alloc (sizeof *watcher);
    snprintf (watcher->node, sizeof watcher->node, "%s", from->name);
    snprintf (watcher->actor, sizeof watcher->actor, "%.*s", SYNOD_STR (actor));
    watcher->next = rt->watchers;
    rt->watchers = watcher;
}

void synod__watch_tell (synod__rt_t *rt, synod_str_t actor, bool restarted, const char *reason)
{
    for (synod__watcher_t **at = &rt->watchers; *at;) {
        synod__watcher_t *watcher = *at;
        if (!synod_str_is (actor, watcher->actor)) {
            at = &watcher->next;
            continue;
        }
        s_tell (rt, watcher->node, actor, restarted, reason);
        *at = watcher->next;
        free (watcher);
    }
}

void synod__watch_free (synod__rt_t *rt)
{
    s_take (rt, NULL, NULL, NULL, NULL);
    while (rt->watchers) {
        synod__watcher_t *watcher = rt->watchers;
        rt->watchers = watcher->next;
        free (watcher);
    }
}
