/* SPDX-License-Identifier: MPL-2.0
 *
 * What is to be committed, as it is put together, and what the coordinator's answer says. The parts are packed as they
 * are added. Invariant: a transaction with a mistake is never asked for; its first mistake is kept.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "transaction.h"
#include "protocol/address.h"
#include "protocol/kv_records.h"
#include "vote_actor.h"

#define S_TABLE "kv"

/* What the public header says is what the wire allows. NOLINTBEGIN(misc-redundant-expression): it is to be the same */
typedef char s_ids_agree[SYNOD_TRANSACTION_ID_MAX == SYNOD__TXN_ID_MAX ? 1 : -1];
typedef char s_parts_agree[SYNOD_TRANSACTION_PARTS_MAX == SYNOD__TXN_PARTIES_MAX ? 1 : -1];
typedef char s_ops_agree[SYNOD_TRANSACTION_OP_MAX == SYNOD__TXN_OP_MAX ? 1 : -1];
typedef char s_values_agree[SYNOD_TRANSACTION_VALUE_MAX == SYNOD__KV_OP_MAX ? 1 : -1];
typedef char s_times_agree[SYNOD_TRANSACTION_MS_MAX == SYNOD__TXN_DEADLINE_MAX ? 1 : -1];
/* NOLINTEND(misc-redundant-expression) */

struct synod_transaction_t {
    char id[SYNOD__TXN_ID_MAX + 1];  /* empty: it is to be drawn */
    synod__vote_protocol_t protocol; /* 0: the coordinator's default */
    uint32_t deadline_ms;
    synod_list_t parts; /* in ITEMS */
    synod_buf_t items;
    synod_buf_t op;                               /* of the part that is being added */
    char *addresses[SYNOD_TRANSACTION_PARTS_MAX]; /* owned */
    synod_fault_t fault;                          /* the first mistake */
};

/* ---- life ---- */

synod_transaction_t *synod_transaction_new (const synod_transaction_options_t *options, synod_fault_t *fault)
{
    static const synod_transaction_options_t defaults = {.id = NULL};
    options = options ? options : &defaults;
    const char *protocol = options->protocol ? options->protocol : "";
    if (options->id && (strlen (options->id) > SYNOD__TXN_ID_MAX || !synod__name_ok (synod_str (options->id), false)))
        synod_fault (fault, SYNOD_INVALID, "expected an id of 1 to %d letters, digits, _ . or -, got \"%.100s\"",
                     SYNOD__TXN_ID_MAX, options->id);
    else if (*protocol && !synod__vote_protocol (synod_str (protocol)))
        synod_fault (fault, SYNOD_INVALID, "expected the protocol " SYNOD__VOTE_PROTOCOL_NAMES ", got \"%.100s\"",
                     protocol);
    else if (options->deadline_ms > SYNOD__TXN_DEADLINE_MAX)
        synod_fault (fault, SYNOD_INVALID, "expected a deadline of up to %d ms, got %u", SYNOD__TXN_DEADLINE_MAX,
                     options->deadline_ms);
    else {
        synod_transaction_t *self = (synod_transaction_t *) calloc (1, sizeof *self);
        if (!self) {
            synod_fault (fault, SYNOD_NO_MEMORY, "no memory for a transaction");
            return NULL;
        }
        snprintf (self->id, sizeof self->id, "%s", options->id ? options->id : "");
        self->protocol = synod__vote_protocol (synod_str (protocol));
        self->deadline_ms = options->deadline_ms;
        return self;
    }
    return NULL;
}

void synod_transaction_destroy (synod_transaction_t **self_p)
{
    synod_transaction_t *self = self_p ? *self_p : NULL;
    if (!self)
        return;
    *self_p = NULL;
    for (uint32_t i = 0; i < self->parts.count; i++)
        free (self->addresses[i]);
    synod_buf_free (&self->items);
    synod_buf_free (&self->op);
    free (self);
}

const char *synod_transaction_id (const synod_transaction_t *self)
{
    return self ? self->id : "";
}

const char *synod_transaction_error (const synod_transaction_t *self)
{
    return self ? self->fault.text : "";
}

/* ---- parts ---- */

static int s_mistake (synod_transaction_t *self, int code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
static int s_mistake (synod_transaction_t *self, int code, const char *format, ...)
{
    va_list args;
    if (self->fault.code != SYNOD_OK)
        return code;
    va_start (args, format);
    self->fault.code = code;
    vsnprintf (self->fault.text, sizeof self->fault.text, format, args);
    va_end (args);
    return code;
}

int synod_transaction_add_body (synod_transaction_t *self, const char *to, synod_str_t op)
{
    synod_fault_t fault = {0};
    if (!self)
        return SYNOD_INVALID;
    if (!to)
        return s_mistake (self, SYNOD_INVALID, "expected a participant's address, got NULL");
    if (synod__txn_address (synod_str (to), &fault) != SYNOD_OK)
        return s_mistake (self, SYNOD_INVALID, "%s", fault.text);
    for (uint32_t i = 0; i < self->parts.count; i++)
        if (strcmp (self->addresses[i], to) == 0)
            return s_mistake (self, SYNOD_INVALID, "expected each participant once, got %s twice", to);
    if (self->parts.count == SYNOD__TXN_PARTIES_MAX)
        return s_mistake (self, SYNOD_TOO_LARGE, "a transaction has %d participants at most, this one has more",
                          SYNOD__TXN_PARTIES_MAX);
    if (self->items.size + op.size + strlen (to) > SYNOD_TRANSACTION_SIZE_MAX)
        return s_mistake (self, SYNOD_TOO_LARGE, "a transaction has %d bytes at most, with %s this one has more",
                          SYNOD_TRANSACTION_SIZE_MAX, to);
    char *address = strdup (to);
    const synod__txn_part_t part = {.to = synod_str (to), .op = op};
    int rc = address ? synod_list_add (&self->parts, &self->items, &synod__txn_part_record, &part, &fault)
                     : synod_fault (&fault, SYNOD_NO_MEMORY, "no memory for a transaction");
    if (rc != SYNOD_OK) {
        free (address);
        return s_mistake (self, rc, "%s: %s", to, fault.text);
    }
    self->addresses[self->parts.count - 1] = address;
    return SYNOD_OK;
}

int synod_transaction_add (synod_transaction_t *self, const char *to, const synod_record_t *record, const void *in)
{
    synod_fault_t fault = {0};
    if (!self)
        return SYNOD_INVALID;
    self->op.size = 0;
    int rc = record ? synod_record_pack (record, in, &self->op, &fault) : SYNOD_OK;
    if (rc != SYNOD_OK)
        return s_mistake (self, rc, "%s: %s", to ? to : "a participant", fault.text);
    return synod_transaction_add_body (self, to, synod_str_n (record ? self->op.data : NULL, self->op.size));
}

static int s_add_key (synod_transaction_t *self, const char *key, synod__kv_op_t *op, const synod_change_t *how)
{
    char to[SYNOD_ADDRESS_MAX + 2];
    if (!self)
        return SYNOD_INVALID;
    if (!key || !*key)
        return s_mistake (self, SYNOD_INVALID, "expected a key of 1 to %d bytes, got none", SYNOD_KEY_MAX);
    if (strlen (key) > SYNOD_KEY_MAX)
        return s_mistake (self, SYNOD_INVALID, "expected a key of 1 to %d bytes, got %zu", SYNOD_KEY_MAX, strlen (key));
    if (how) {
        op->absent = how->absent;
        op->present = how->present;
        op->version = how->version;
        op->was = how->was;
        op->fence = how->fence;
        op->bounded = how->bounded;
        op->floor = how->floor;
        op->ttl_ms = how->ttl_ms;
        op->until_ms = how->until_ms;
        op->keep = how->keep;
    }
    snprintf (to, sizeof to, S_TABLE "#%s", key);
    return synod_transaction_add (self, to, &synod__kv_op_record, op);
}

int synod_transaction_put (synod_transaction_t *self, const char *key, synod_str_t value, const synod_change_t *how)
{
    synod__kv_op_t op = {.what = synod_str ("put"), .data = value};
    return s_add_key (self, key, &op, how);
}

int synod_transaction_delete (synod_transaction_t *self, const char *key, const synod_change_t *how)
{
    synod__kv_op_t op = {.what = synod_str ("delete")};
    return s_add_key (self, key, &op, how);
}

int synod_transaction_incr (synod_transaction_t *self, const char *key, int64_t delta, const synod_change_t *how)
{
    synod__kv_op_t op = {.what = synod_str ("incr"), .delta = delta};
    return s_add_key (self, key, &op, how);
}

int synod_transaction_check (synod_transaction_t *self, const char *key, const synod_change_t *how)
{
    synod__kv_op_t op = {.what = synod_str ("check")};
    return s_add_key (self, key, &op, how);
}

/* ---- asking ---- */

int synod__transaction_ask (synod_transaction_t *self, synod_ctx_t *ctx, uint32_t timeout_ms, synod__commit_ask_t *out,
                            synod_fault_t *fault)
{
    if (!self)
        return synod_fault (fault, SYNOD_INVALID, "expected a transaction, got NULL");
    if (self->fault.code != SYNOD_OK)
        return synod_fault (fault, self->fault.code, "%s", self->fault.text);
    if (!self->parts.count)
        return synod_fault (fault, SYNOD_INVALID, "expected a transaction with something to do, got an empty one");
    if (!*self->id) { /* as unlikely to be there already as any number of 128 bits */
        uint64_t high = synod_random (ctx), low = synod_random (ctx);
        snprintf (self->id, sizeof self->id, "t-%016" PRIx64 "%016" PRIx64, high, low);
    }
    snprintf (out->to, sizeof out->to, SYNOD__VOTE_ACTOR "#%s", self->id);
    uint64_t deadline_ms = self->deadline_ms ? self->deadline_ms : (uint64_t) timeout_ms * 3 / 4 + 1;
    out->in = (synod__txn_commit_t){
        .id = synod_str (self->id),
        .protocol = self->protocol ? synod_str (synod__vote_protocol_name (self->protocol)) : synod_str_n (NULL, 0),
        .parts = self->parts,
        .deadline_ms = deadline_ms < SYNOD__TXN_DEADLINE_MAX ? deadline_ms : SYNOD__TXN_DEADLINE_MAX};
    return SYNOD_OK;
}

int synod_commit (synod_ctx_t *ctx, synod_transaction_t *transaction, uint32_t timeout_ms, synod_on_reply_t *on_reply,
                  uint64_t arg)
{
    synod__commit_ask_t ask;
    synod_fault_t fault = {0};
    timeout_ms = timeout_ms ? timeout_ms : SYNOD_ASK_MS;
    int rc = synod__transaction_ask (transaction, ctx, timeout_ms, &ask, &fault);
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s", fault.text);
    return synod_ask (ctx, ask.to, &synod__txn_commit_record, &ask.in, timeout_ms, on_reply, arg);
}

/* ---- the answer ---- */

/* All that can be said of a commit that began nothing. What is not here may have begun something. */
static bool s_nothing_begun (int code)
{
    switch (code) {
    case SYNOD_INVALID:
    case SYNOD_TOO_LARGE:
    case SYNOD_BAD_REQUEST:
    case SYNOD_BAD_ADDRESS:
    case SYNOD_NO_ROUTE:
    case SYNOD_NO_METHOD:
    case SYNOD_NO_MEMORY:
    case SYNOD_REFUSED:
    case SYNOD_BUSY:
        return true;
    default:
        return false;
    }
}

static void s_why_aborted (synod_decision_t *out)
{
    synod_list_t first = out->reasons;
    synod__txn_reason_t reason;
    if (synod_list_next (&first, &synod__txn_reason_record, &reason))
        snprintf (out->why, sizeof out->why, "%.*s: %.*s", SYNOD_STR (reason.who), SYNOD_STR (reason.why));
    else
        snprintf (out->why, sizeof out->why, "its time was over, or it was lost");
}

synod_txn_outcome_t synod_decision_of (const synod_reply_t *reply, synod_decision_t *out)
{
    synod__txn_outcome_t said;
    synod_fault_t fault = {0};
    memset (out, 0, sizeof *out);
    out->code = reply->code;
    if (reply->code != SYNOD_OK) {
        out->outcome = s_nothing_begun (reply->code) ? SYNOD_NOT_BEGUN : SYNOD_IN_DOUBT;
        synod_str_t why = reply->message.size ? reply->message : synod_str (synod_error_meaning (reply->code));
        snprintf (out->why, sizeof out->why, "%.*s", SYNOD_STR (why));
        return out->outcome;
    }
    out->code = synod_record_unpack (&synod__txn_outcome_record, reply->body, &said, &fault);
    bool committed = out->code == SYNOD_OK && synod_str_is (said.outcome, "committed");
    bool aborted = out->code == SYNOD_OK && synod_str_is (said.outcome, "aborted");
    if (!committed && !aborted) { /* whoever says so is no coordinator that is known here */
        out->code = out->code == SYNOD_OK ? SYNOD_BAD_REQUEST : out->code;
        snprintf (out->why, sizeof out->why, "the answer is no outcome: %.200s",
                  *fault.text ? fault.text : "expected committed or aborted");
        return out->outcome;
    }
    out->outcome = committed ? SYNOD_COMMITTED : SYNOD_ABORTED;
    out->again = said.again;
    out->body = reply->body;
    if (aborted) {
        out->reasons = said.reasons;
        s_why_aborted (out);
    }
    return out->outcome;
}

bool synod_decision_next (synod_decision_t *self, synod_str_t *who, synod_str_t *why)
{
    synod__txn_reason_t reason;
    if (!synod_list_next (&self->reasons, &synod__txn_reason_record, &reason))
        return false;
    *who = reason.who;
    *why = reason.why;
    return true;
}
