/* SPDX-License-Identifier: MPL-2.0
 *
 * Direct links with a broker, and the change of path to and fro. The order of mail holds across a change because the
 * mark is the last frame on the old path, new mail is held until the receiver says that it has taken everything up to
 * the mark, and only then goes by the new path. Should the answer not come, mail goes on by the old path, behind the
 * mark, which is in order too. Each direction between two nodes has a link and a path of its own.
 */
#include <stdio.h>
#include "internal.h"
#include "settled.h"

#define S_WAIT_US    1000000  /* for an offer, a connection, an answer to a mark */
#define S_AGAIN_US   10000000 /* before a link that failed is asked for again */
#define S_NEVER_US   60000000 /* before a node that offered none is asked again */
#define S_IDLE_TICKS 60       /* without a frame: the link is given back */

static synod__stream_t *s_stream (synod__rt_t *rt, uint32_t link)
{
    for (synod__stream_t *stream = rt->streams; stream; stream = (synod__stream_t *) stream->hh.next)
        if (link && (stream->direct == link || stream->link == link))
            return stream;
    return NULL;
}

static void s_state (synod__rt_t *rt, synod__stream_t *stream, synod__link_state_t state, int64_t wait_us)
{
    stream->link_state = state;
    stream->link_until_us = rt->now_us + wait_us;
}

/* The link is of no more use; mail goes by the broker. */
static void s_give_up (synod__rt_t *rt, synod__stream_t *stream, int64_t again_us)
{
    if (stream->direct)
        rt->ops->link_close (rt->host, stream->direct);
    if (stream->link && stream->link == stream->direct) {
        stream->link = SYNOD__LINK_BROKER;
        stream->blocked = false;
    }
    stream->direct = 0;
    stream->held = false;
    s_state (rt, stream, SYNOD__LINK_NONE, again_us);
}

void synod__links_ask (synod__rt_t *rt, synod__stream_t *stream)
{
    synod__link_ask_t ask = {.host = synod_str (rt->config.host)};
    if (!rt->broker || stream == rt->broker || stream == rt->self || stream->link_state != SYNOD__LINK_NONE)
        return;
    s_state (rt, stream, SYNOD__LINK_ASKED, S_WAIT_US);
    synod__control_tell (rt, stream, &synod__link_ask_record, &ask);
}

/* A frame is leaving: is a link worth it by now? */
void synod__links_count (synod__rt_t *rt, synod__stream_t *stream, uint32_t messages)
{
    stream->idle = 0;
    stream->messages += messages;
    if (stream->messages < rt->config.link_after || !rt->config.links || stream->link_state != SYNOD__LINK_NONE ||
        rt->now_us < stream->link_until_us || rt->state != SYNOD__RT_UP)
        return;
    synod__links_ask (rt, stream);
}

void synod__links_offer (synod__rt_t *rt, synod__stream_t *stream, synod_str_t endpoint)
{
    char text[256];
    if (stream->link_state != SYNOD__LINK_ASKED)
        return;
    if (!endpoint.size || endpoint.size >= sizeof text) {
        s_give_up (rt, stream, S_NEVER_US);
        return;
    }
    memcpy (text, endpoint.data, endpoint.size);
    text[endpoint.size] = 0;
    stream->direct = ++rt->next_link;
    s_state (rt, stream, SYNOD__LINK_CONNECTING, S_WAIT_US);
    if (rt->ops->link_open (rt->host, stream->direct, text) != SYNOD_OK) {
        stream->direct = 0;
        s_give_up (rt, stream, S_NEVER_US);
    }
}

/* Puts the mark behind all that is on its way by the path in use, and holds what comes after. */
static void s_mark (synod__rt_t *rt, synod__stream_t *stream, synod__link_state_t state)
{
    synod__link_mark_t mark = {.change = stream->change = ++rt->next_change};
    const uint64_t says = rt->says;
    synod__stream_seal (rt, stream, synod__settled (rt));
    rt->says = 0;
    synod__control_tell (rt, stream, &synod__link_mark_record, &mark);
    rt->says = says;
    synod__stream_seal (rt, stream, 0);
    stream->held = true;
    s_state (rt, stream, state, S_WAIT_US);
}

void synod__links_up (synod__rt_t *rt, uint32_t link)
{
    synod__stream_t *stream = s_stream (rt, link);
    if (stream && stream->link_state == SYNOD__LINK_CONNECTING && stream->direct == link) {
        stream->link_until_us = INT64_MAX; /* connected: the mark waits for a moment when nothing is queued */
        synod__links_turn (rt, stream);
    }
}

/* The mark must not wait behind a full queue, nor for a commit: then mail would be held for as long, and the mark with
 * it. */
void synod__links_turn (synod__rt_t *rt, synod__stream_t *stream)
{
    if (stream->link_state != SYNOD__LINK_CONNECTING || stream->link_until_us != INT64_MAX || stream->first ||
        stream->blocked || rt->broken)
        return;
    s_mark (rt, stream, SYNOD__LINK_MARKED);
}

/* The other's mark was taken. The answer must not wait behind mail that this side holds: each would wait for the other. */
void synod__links_marked (synod__rt_t *rt, synod__stream_t *stream, uint64_t change)
{
    char address[SYNOD__CONTROL_MAX];
    const synod_record_t *record = &synod__link_ready_record;
    synod__link_ready_t ready = {.change = change};
    synod_envelope_t env = {.kind = SYNOD_KIND_TELL, .method = synod_str_n (record->name, record->name_size)};
    synod__batch_t *batch = &rt->answer;
    if (!stream->held) {
        synod__control_tell (rt, stream, record, &ready);
        return;
    }
    if (synod__batch_begin (batch, synod__control_address (rt, stream, address), rt->node, rt->config.incarnation, 0) ==
            SYNOD_OK &&
        synod__batch_add_record (batch, &env, record, &ready, NULL) == SYNOD_OK)
        rt->ops->send (rt->host, SYNOD__LINK_BROKER, &batch->buf); /* not taken: the other gives the change up */
    synod__batch_clear (batch);
}

void synod__links_ready (synod__rt_t *rt, synod__stream_t *stream, uint64_t change)
{
    if (change != stream->change || !stream->held)
        return;
    stream->held = false;
    if (stream->link_state == SYNOD__LINK_MARKED) {
        stream->link = stream->direct;
        stream->blocked = false;
        stream->link_state = SYNOD__LINK_DIRECT;
    } else if (stream->link_state == SYNOD__LINK_MARKED_BACK)
        s_give_up (rt, stream, S_WAIT_US);
    synod__stream_flush (rt, stream);
}

void synod__links_back (synod__rt_t *rt, synod__stream_t *stream)
{
    if (stream->link_state == SYNOD__LINK_DIRECT && !stream->first && !stream->blocked && !rt->broken)
        s_mark (rt, stream, SYNOD__LINK_MARKED_BACK);
}

void synod__links_lost (synod__rt_t *rt, synod__stream_t *stream, const char *message)
{
    if (stream->link_state == SYNOD__LINK_NONE)
        return;
    bool used = stream->link && stream->link == stream->direct;
    if (used)
        synod__asks_of_stream_fail (rt, stream, true, SYNOD_NODE_DOWN, message);
    s_give_up (rt, stream, S_AGAIN_US);
    synod__stream_flush (rt, stream);
}

void synod__links_down (synod__rt_t *rt, uint32_t link)
{
    synod__stream_t *stream = s_stream (rt, link);
    if (!stream || stream->link_state == SYNOD__LINK_NONE)
        return;
    /* answers given before the end may be on their way by another connection: the asks end with the next tick */
    stream->link_lost |= stream->link && stream->link == stream->direct;
    s_give_up (rt, stream, S_AGAIN_US);
    synod__stream_flush (rt, stream);
}

void synod__links_tick (synod__rt_t *rt, synod__stream_t *stream)
{
    if (stream->link_lost)
        synod__asks_of_stream_fail (rt, stream, true, SYNOD_NODE_DOWN,
                                    "the direct link broke; what became of the ask is not known");
    stream->link_lost = false;
    bool busy = stream->messages > 0;
    stream->messages = 0;
    stream->idle = busy ? 0 : stream->idle + 1;
    switch (stream->link_state) {
    case SYNOD__LINK_ASKED:
    case SYNOD__LINK_CONNECTING:
    case SYNOD__LINK_MARKED:
        if (rt->now_us < stream->link_until_us)
            break;
        s_give_up (rt, stream, S_AGAIN_US);
        synod__stream_flush (rt, stream);
        break;
    case SYNOD__LINK_MARKED_BACK: /* no answer: stay on the direct path, which is in order */
        if (rt->now_us < stream->link_until_us)
            break;
        stream->held = false;
        stream->link_state = SYNOD__LINK_DIRECT;
        synod__stream_flush (rt, stream);
        break;
    case SYNOD__LINK_DIRECT:
        if (stream->idle > S_IDLE_TICKS)
            synod__links_back (rt, stream);
        break;
    case SYNOD__LINK_NONE:
        break;
    }
}
