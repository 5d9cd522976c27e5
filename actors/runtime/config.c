/* SPDX-License-Identifier: MPL-2.0
 *
 * What the runtime was told to be: its own copy, with the defaults filled in.
 */
#include "internal.h"

static char *s_copy (const char *text)
{
    size_t size = text ? strlen (text) : 0;
    char *copy = (char *) synod__alloc (size + 1);
    if (size)
        memcpy (copy, text, size);
    return copy;
}

static const char *const *s_copies (const char *const *texts)
{
    uint32_t count = 0;
    while (texts && texts[count])
        count++;
    char **copies = (char **) synod__alloc ((count + 1) * sizeof *copies);
    for (uint32_t i = 0; i < count; i++)
        copies[i] = s_copy (texts[i]);
    return (const char *const *) copies;
}

void synod__config_take (synod__rt_t *rt, const synod__rt_config_t *config)
{
    rt->config = *config;
    rt->config.node = s_copy (config->node);
    rt->config.host = s_copy (config->host);
    rt->config.endpoint = s_copy (config->endpoint);
    rt->config.topics = s_copy (config->topics);
    rt->config.zone = s_copy (config->zone);
    rt->config.peers = s_copies (config->peers);
    rt->config.directory |= !config->brokered;
    if (!rt->config.heartbeat_ms)
        rt->config.heartbeat_ms = SYNOD_HEARTBEAT_MS;
    if (!rt->config.queue_bytes)
        rt->config.queue_bytes = SYNOD_QUEUE_MAX;
    if (!rt->config.move_bytes_s)
        rt->config.move_bytes_s = SYNOD_MOVE_BYTES_S;
    if (!rt->config.link_after)
        rt->config.link_after = SYNOD__LINK_AFTER;
}

void synod__config_free (synod__rt_t *rt)
{
    for (const char *const *peer = rt->config.peers; *peer; peer++)
        free ((void *) *peer);
    free ((void *) rt->config.peers);
    free ((void *) rt->config.node);
    free ((void *) rt->config.host);
    free ((void *) rt->config.endpoint);
    free ((void *) rt->config.topics);
    free ((void *) rt->config.zone);
}
