/* SPDX-License-Identifier: MPL-2.0
 *
 * Who is connected. A member is in the table by identity and in the list of all. Joined: its entry is in the directory
 * and points back to it. Claiming: its name's holder is joined, and each points to the other. Left: neither.
 * Members end in one place, synod__members_bury, at the end of an event; only those whose hello is refused are freed at
 * once, so whoever passed a hello on looks its member up again.
 */
#include <assert.h>
#include <stdlib.h>
#include "internal.h"

#define S_INCARNATION_DIGITS 16

bool synod__identity_parse (synod_str_t identity, synod_str_t *name, uint64_t *incarnation)
{
    if (identity.size < 1 + 1 + S_INCARNATION_DIGITS || identity.size > SYNOD__IDENTITY_MAX)
        return false;
    uint32_t at = identity.size - S_INCARNATION_DIGITS - 1;
    *name = synod_str_n (identity.data, at);
    if (identity.data[at] != '@' || !synod__name_ok (*name, false))
        return false;
    *incarnation = 0;
    for (uint32_t i = at + 1; i < identity.size; i++) {
        char c = identity.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *incarnation = *incarnation << 4 | (uint64_t) (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

synod__member_t *synod__member_find (const synod__routing_t *self, synod_str_t identity)
{
    synod__member_t *m = NULL;
    HASH_FIND (hh, self->by_identity, identity.data, identity.size, m);
    return m;
}

/* The header's first bytes as M's peer writes them: list of 5, version, name, incarnation. */
static void s_make_head (synod__member_t *m)
{
    char *p = m->head;
    *p++ = (char) 0x95;
    *p++ = SYNOD_VERSION_WIRE;
    if (m->name_size >= 32)
        *p++ = (char) 0xd9;
    *p++ = (char) (m->name_size < 32 ? 0xa0 | m->name_size : m->name_size);
    memcpy (p, m->identity, m->name_size);
    p += m->name_size;
    uint64_t n = m->incarnation;
    unsigned width = n < 0x80 ? 0 : n < 0x100 ? 1 : n < 0x10000 ? 2 : n <= UINT32_MAX ? 4 : 8;
    if (width == 0)
        *p++ = (char) n;
    else
        *p++ = (char) (width == 1 ? 0xcc : width == 2 ? 0xcd : width == 4 ? 0xce : 0xcf);
    for (unsigned i = width; i > 0; i--)
        *p++ = (char) (n >> 8 * (i - 1));
    m->head_size = (uint8_t) (p - m->head);
}

static synod__member_t *s_new (synod__routing_t *self, synod_str_t identity, synod_str_t name, uint64_t incarnation)
{
    synod__member_t *m = (synod__member_t *) calloc (1, sizeof *m);
    if (!m)
        return NULL;
    memcpy (m->identity, identity.data, identity.size);
    m->identity_size = (uint8_t) identity.size;
    m->name_size = (uint8_t) name.size;
    m->incarnation = incarnation;
    m->state = SYNOD__LEFT;
    m->seen_us = m->probed_us = self->now_us;
    s_make_head (m);
    HASH_ADD_KEYPTR (hh, self->by_identity, m->identity, identity.size, m);
    if (!m->hh.tbl) {
        free (m);
        return NULL;
    }
    DL_APPEND (self->members, m);
    self->nmembers++;
    return m;
}

/* Takes M, which has no place in the directory, out of everything and frees it. */
static void s_free (synod__routing_t *self, synod__member_t *m)
{
    assert (!m->peer && !m->claimant);
    if (m->holder)
        m->holder->claimant = NULL;
    if (m->doomed)
        DL_DELETE2 (self->doomed, m, doomed_prev, doomed_next);
    synod__changes_forget (self, m);
    HASH_DEL (self->by_identity, m);
    DL_DELETE (self->members, m);
    self->nmembers--;
    free (m->hello);
    free (m);
}

static void s_refuse (synod__routing_t *self, synod_str_t identity, synod_str_t name, int code, const char *message)
{
    synod__refused_t refused = {.code = synod_str (synod_error_name (code)), .message = synod_str (message)};
    synod__routing_log (self, SYNOD_LOG_INFO, "%.*s refused: %s", SYNOD_STR (identity), message);
    synod__tell_identity (self, identity, name, &synod__refused_record, &refused);
}

/* Takes M's entry out of the directory. */
static void s_unlist (synod__routing_t *self, synod__member_t *m, const char *reason)
{
    assert (m->state == SYNOD__JOINED && m->peer);
    synod__changes_down (self, m, reason);
    synod__directory_remove (self->directory, m->peer);
    m->peer = NULL;
    m->state = SYNOD__LEFT;
    self->njoined--;
}

/* ---- joining ---- */

static void s_welcome (synod__routing_t *self, synod__member_t *m)
{
    synod__welcome_t welcome = {.heartbeat_ms = self->config.heartbeat_ms,
                                .publish = synod_str (self->config.publish),
                                .subscribe = synod_str (self->config.subscribe),
                                .tap = self->tap};
    m->tap_told = self->tap;
    if (synod__tell_member (self, m, &synod__welcome_record, &welcome) == SYNOD_OK && m->directory)
        synod__changes_snapshot (self, m);
}

/* Puts M's entry in the directory, or brings it up to date. False when it is wrong: M has been told. */
static bool s_list (synod__routing_t *self, synod__member_t *m, const synod__hello_t *hello, synod__entry_t *entry)
{
    bool fresh = m->state != SYNOD__JOINED;
    synod_list_t before = {0}, after = {0};
    synod_fault_t fault = {0};
    if (entry->client)
        entry->actors = (synod_list_t){0};
    if (!fresh)
        synod__directory_list (m->peer, &before, &self->body, &self->scratch);
    synod__peer_t *peer = synod__directory_put (self->directory, entry, &fault);
    if (!peer) {
        self->stats.malformed++;
        s_refuse (self, synod__member_identity (m), synod__member_name (m), fault.code, fault.text);
        return false;
    }
    peer->user = m;
    m->peer = peer;
    m->state = SYNOD__JOINED;
    m->listed = true;
    m->client = entry->client;
    m->directory = hello->directory;
    m->heartbeat_ms =
        hello->heartbeat_ms < SYNOD__HEARTBEAT_LEAST ? SYNOD__HEARTBEAT_LEAST : (uint32_t) hello->heartbeat_ms;
    int64_t scan_us = (int64_t) m->heartbeat_ms * 1000 / 4;
    if (!m->client && scan_us < self->scan_us)
        self->scan_us = scan_us;
    if (fresh) {
        self->njoined++;
        synod__routing_log (self, SYNOD_LOG_DEBUG, "%s joined", m->identity);
        synod__changes_up (self, m);
    } else {
        synod__directory_list (peer, &after, &self->items, &self->scratch);
        if (!synod_str_same (before.bytes, after.bytes))
            synod__changes_up (self, m);
    }
    return true;
}

/* Reads a hello from IDENTITY: what is wrong goes into FAULT. */
static int s_read_hello (synod_str_t name, uint64_t incarnation, synod_str_t body, synod__hello_t *hello,
                         synod__entry_t *entry, synod_fault_t *fault)
{
    int rc = synod_record_unpack (&synod__hello_record, body, hello, fault);
    if (rc != SYNOD_OK)
        return rc;
    synod_list_t list = hello->self;
    if (list.count != 1 || !synod_list_next (&list, &synod__entry_record, entry))
        return synod_fault (fault, SYNOD_BAD_REQUEST, "hello.self: expected exactly one entry, got %u", list.count);
    if (!synod_str_same (entry->node, name) || entry->incarnation != incarnation)
        return synod_fault (fault, SYNOD_BAD_REQUEST,
                            "hello.self: expected node and incarnation as in the socket's routing id, %.*s and %llu, "
                            "got others",
                            SYNOD_STR (name), (unsigned long long) incarnation);
    if (hello->heartbeat_ms == 0)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "hello.heartbeat_ms: expected 1 or more, got 0");
    return SYNOD_OK;
}

static void s_refuse_claimant (synod__routing_t *self, synod__member_t *m, const char *why)
{
    synod_fault_t fault;
    synod_fault (&fault, SYNOD_NAME_TAKEN, "a node named \"%.*s\" %s", SYNOD_STR (synod__member_name (m)), why);
    s_refuse (self, synod__member_identity (m), synod__member_name (m), SYNOD_NAME_TAKEN, fault.text);
    s_free (self, m);
}

/* M's name is HOLDER's: whether that one lives is asked of it, and decided within a heartbeat. */
static void s_claim (synod__routing_t *self, synod__member_t *m, synod__member_t *holder, synod_str_t body)
{
    m->hello = body.size <= SYNOD__HELLO_MAX ? (char *) malloc (body.size) : NULL;
    if (!m->hello) {
        s_refuse_claimant (self, m, "is here, and the hello is too large to wait for its end");
        return;
    }
    memcpy (m->hello, body.data, body.size);
    m->hello_size = body.size;
    m->claim_until_us = self->now_us + (int64_t) self->config.heartbeat_ms * 1000;
    synod__member_t *other = holder->claimant;
    if (other && other->incarnation > m->incarnation) {
        s_refuse_claimant (self, m, "is here, and a later one claims the name already");
        return;
    }
    if (other) {
        m->claim_until_us = other->claim_until_us;
        s_refuse_claimant (self, other, "is here, and a later one claims the name");
    }
    m->state = SYNOD__CLAIMING;
    m->holder = holder;
    holder->claimant = m;
    synod__routing_log (self, SYNOD_LOG_INFO, "%s claims the name of %s", m->identity, holder->identity);
    synod__probe_t probe = {0};
    synod__tell_member (self, holder, &synod__probe_record, &probe);
}

/* The holder of the name that M claimed is gone. */
static void s_admit (synod__routing_t *self, synod__member_t *m)
{
    synod__hello_t hello = {0};
    synod__entry_t entry = {0};
    assert (m->state == SYNOD__CLAIMING);
    m->holder = NULL;
    m->state = SYNOD__LEFT;
    m->seen_us = self->now_us;
    int rc = s_read_hello (synod__member_name (m), m->incarnation, synod_str_n (m->hello, m->hello_size), &hello,
                           &entry, NULL);
    assert (rc == SYNOD_OK); /* it was checked when it came */
    (void) rc;
    if (s_list (self, m, &hello, &entry)) {
        free (m->hello);
        m->hello = NULL;
        s_welcome (self, m);
    } else
        s_free (self, m);
}

/* Room for one more; when there is none, those that may have gone without a word are looked up. */
static bool s_room (synod__routing_t *self)
{
    if (self->nmembers < self->config.nodes_max)
        return true;
    if (self->now_us - self->swept_us >= 1000000 || self->swept_us == 0) {
        self->swept_us = self->now_us;
        synod__member_t *m;
        synod__heartbeat_t heartbeat = {0};
        DL_FOREACH (self->members, m)
        if (m->client || m->state == SYNOD__LEFT)
            synod__tell_member (self, m, &synod__heartbeat_record, &heartbeat);
        synod__members_bury (self);
    }
    return self->nmembers < self->config.nodes_max;
}

void synod__member_hello (synod__routing_t *self, synod_str_t identity, synod__member_t *m, synod_str_t body)
{
    synod__hello_t hello = {0};
    synod__entry_t entry = {0};
    synod_fault_t fault = {0};
    synod_str_t name;
    uint64_t incarnation;
    if (!synod__identity_parse (identity, &name, &incarnation))
        return; /* the callers have seen to it */
    if (s_read_hello (name, incarnation, body, &hello, &entry, &fault) != SYNOD_OK) {
        self->stats.malformed++;
        s_refuse (self, identity, name, fault.code, fault.text);
        return;
    }
    if (m && m->state == SYNOD__CLAIMING)
        return; /* the first one still counts: a node's hello does not change before it has joined */
    if (m && m->state == SYNOD__JOINED && m->client != entry.client)
        s_unlist (self, m, "left");
    if (m && m->state == SYNOD__JOINED) {
        if (s_list (self, m, &hello, &entry))
            s_welcome (self, m);
        return;
    }
    bool stranger = !m;
    if (stranger && !s_room (self)) {
        synod_fault (&fault, SYNOD_TOO_LARGE, "the broker takes %u nodes at most and has as many",
                     self->config.nodes_max);
        s_refuse (self, identity, name, SYNOD_TOO_LARGE, fault.text);
        return;
    }
    if (stranger && !(m = s_new (self, identity, name, incarnation))) {
        s_refuse (self, identity, name, SYNOD_NO_MEMORY, "the broker ran out of memory");
        return;
    }
    synod__peer_t *taken = synod__directory_node (self->directory, name);
    if (taken)
        s_claim (self, m, (synod__member_t *) taken->user, body);
    else if (s_list (self, m, &hello, &entry))
        s_welcome (self, m);
    else if (stranger)
        s_free (self, m);
}

/* ---- ending ---- */

void synod__member_leave (synod__routing_t *self, synod__member_t *m)
{
    synod__left_t left = {0};
    if (m->state == SYNOD__JOINED) {
        synod__routing_log (self, SYNOD_LOG_DEBUG, "%s left", m->identity);
        s_unlist (self, m, "left");
    }
    synod__tell_member (self, m, &synod__left_record, &left);
}

void synod__member_lives (synod__routing_t *self, synod__member_t *m)
{
    s_refuse_claimant (self, m->claimant, "is here and answers");
}

void synod__member_doom (synod__routing_t *self, synod__member_t *m, bool unreachable)
{
    if (m->doomed)
        return;
    m->doomed = true;
    m->unreachable = unreachable;
    DL_APPEND2 (self->doomed, m, doomed_prev, doomed_next);
}

void synod__members_bury (synod__routing_t *self)
{
    while (self->doomed) {
        synod__member_t *m = self->doomed, *claimant = m->claimant;
        if (m->state == SYNOD__JOINED) {
            const char *reason = claimant ? "replaced" : m->unreachable ? "unreachable" : "silent";
            synod__routing_log (self, m->client ? SYNOD_LOG_DEBUG : SYNOD_LOG_INFO, "%s is gone: %s", m->identity,
                                reason);
            s_unlist (self, m, reason);
        } else if (m->listed) /* it left, and others may still wait for its answers */
            synod__changes_down (self, m, "unreachable");
        m->claimant = NULL;
        s_free (self, m);
        if (claimant)
            s_admit (self, claimant);
    }
}

/* Somebody who left still answers what it has: whether it lives to do so is to be known within a heartbeat. */
static int64_t s_probe_us (const synod__routing_t *self, const synod__member_t *m)
{
    return m->state == SYNOD__LEFT && m->listed && !m->client ? (int64_t) self->config.heartbeat_ms * 1000
                                                              : SYNOD__PROBE_US;
}

void synod__members_scan (synod__routing_t *self)
{
    synod__heartbeat_t heartbeat = {0};
    synod__tap_t tap = {.on = self->tap};
    synod__member_t *m;
    DL_FOREACH (self->members, m)
    {
        if (m->state == SYNOD__CLAIMING) {
            if (self->now_us >= m->claim_until_us)
                synod__member_doom (self, m->holder, false);
        } else if (m->state == SYNOD__JOINED && !m->client) {
            if (self->now_us - m->seen_us >= 3 * (int64_t) m->heartbeat_ms * 1000)
                synod__member_doom (self, m, false);
        } else if (self->now_us - m->probed_us >= s_probe_us (self, m)) {
            m->probed_us = self->now_us;
            synod__tell_member (self, m, &synod__heartbeat_record, &heartbeat);
        }
        if (m->state == SYNOD__JOINED && m->tap_told != self->tap && !m->doomed &&
            synod__tell_member (self, m, &synod__tap_record, &tap) == SYNOD_OK)
            m->tap_told = self->tap;
    }
    synod__directory_tidy (self->directory);
}

void synod__members_free (synod__routing_t *self)
{
    synod__member_t *m, *next;
    DL_FOREACH_SAFE (self->members, m, next)
    {
        HASH_DEL (self->by_identity, m);
        free (m->hello);
        free (m);
    }
}
