/* SPDX-License-Identifier: MPL-2.0
 *
 * synod txn: asks the coordinator, vote#ID, and prints what it says.
 */
#include "txn.h"

#include "protocol/address.h"

int txn_check_id (const txn_t *self)
{
    size_t size = strlen (self->id);
    if (size > SYNOD__TXN_ID_MAX || !synod__name_ok (synod_str (self->id), false))
        return synod__misused (self->command, "expected an id of 1 to %d letters, digits, _ or -, got '%.100s'",
                               SYNOD__TXN_ID_MAX, self->id);
    return SYNOD__EXIT_NONE;
}

static int address (const txn_t *self, char out[SYNOD_ADDRESS_MAX + 1])
{
    int status = txn_check_id (self);
    if (status == SYNOD__EXIT_NONE)
        snprintf (out, SYNOD_ADDRESS_MAX + 1, TXN_VOTE "#%s", self->id);
    return status;
}

int txn_reach (txn_t *self, const char *actor)
{
    const char *words[] = {actor, "show"};
    synod__command_t command = *self->command;
    synod_buf_t body = {0};
    int status = SYNOD__EXIT_NONE;
    command.words = words;
    command.nwords = 2;
    self->handle = synod__reach (&command, &self->join, self->join.options.direct, &body, &status);
    synod_buf_free (&body);
    return status;
}

int txn_fail (const synod_reply_t *reply)
{
    const char *name = synod_error_name (reply->code), *meaning = synod_error_meaning (reply->code);
    fprintf (stderr, "synod: %.*s: %.*s\n", SYNOD_STR (reply->error.size ? reply->error : synod_str (name)),
             SYNOD_STR (reply->message.size ? reply->message : synod_str (meaning)));
    return synod__exit_code (reply->code);
}

static int fail_as (int code, const char *why)
{
    fprintf (stderr, "synod: %s: %s\n", synod_error_name (code), why);
    return synod__exit_code (code);
}

static int print_decision (const txn_t *self, const char *id, synod_decision_t *decision)
{
    synod_str_t who, why;
    if (decision->outcome == SYNOD_NOT_BEGUN)
        return fail_as (decision->code, decision->why);
    if (decision->outcome == SYNOD_IN_DOUBT) {
        fail_as (decision->code, decision->why);
        fprintf (stderr, "synod: in doubt: ask again with --id %s, or see `synod txn show %s`\n", id, id);
        return TXN_IN_DOUBT;
    }
    bool committed = decision->outcome == SYNOD_COMMITTED;
    if (self->json) {
        synod__print_body (stdout, decision->body);
        putchar ('\n');
    } else
        printf ("%s %s%s\n", committed ? "committed" : "aborted", id, decision->again ? " (before)" : "");
    if (committed)
        return SYNOD__EXIT_DONE;
    if (!decision->reasons.count)
        fprintf (stderr, "synod: aborted: %s\n", decision->why);
    while (synod_decision_next (decision, &who, &why))
        fprintf (stderr, "synod: aborted: %.*s: %.*s\n", SYNOD_STR (who), SYNOD_STR (why));
    return SYNOD__EXIT_ERROR;
}

static void add_part (synod_transaction_t *transaction, const txn_part_t *part)
{
    const char *key = part->to + sizeof TXN_TABLE; /* behind the # */
    switch (part->what) {
    case TXN_PUT:
        synod_transaction_put (transaction, key, synod_str (part->value), &part->how);
        break;
    case TXN_DELETE:
        synod_transaction_delete (transaction, key, &part->how);
        break;
    case TXN_INCR:
        synod_transaction_incr (transaction, key, part->delta, &part->how);
        break;
    default:
        synod_transaction_check (transaction, key, &part->how);
    }
}

int txn_run (txn_t *self)
{
    const synod_transaction_options_t options = {
        .id = self->id, .protocol = self->protocol, .deadline_ms = self->deadline_ms};
    synod_fault_t fault = {0};
    synod_decision_t decision;
    synod_transaction_t *transaction = synod_transaction_new (&options, &fault);
    if (!transaction)
        return synod__misused (self->command, "%s", fault.text);
    for (uint32_t i = 0; i < self->nparts; i++)
        add_part (transaction, &self->parts[i]);
    int status = txn_reach (self, TXN_VOTE);
    if (status == SYNOD__EXIT_NONE) {
        int timeout_ms = self->join.timeout_ms > INT32_MAX ? INT32_MAX : (int) self->join.timeout_ms;
        synod_handle_commit (self->handle, transaction, timeout_ms, &decision);
        status = print_decision (self, synod_transaction_id (transaction), &decision);
    }
    synod_transaction_destroy (&transaction);
    return status;
}

int txn_show (txn_t *self)
{
    char to[SYNOD_ADDRESS_MAX + 1];
    synod_reply_t reply = {0};
    synod_fault_t fault = {0};
    synod__txn_shown_t out;
    synod__txn_seat_t seat;
    synod__txn_reason_t reason;
    int status = address (self, to);
    if (status == SYNOD__EXIT_NONE)
        status = txn_reach (self, TXN_VOTE);
    if (status != SYNOD__EXIT_NONE)
        return status;
    reply.code = synod_handle_ask (self->handle, to, &synod__txn_show_record, &(synod__txn_show_t){0},
                                   (int) self->join.timeout_ms, &reply);
    if (reply.code != SYNOD_OK)
        return txn_fail (&reply);
    int rc = synod_record_unpack (&synod__txn_shown_record, reply.body, &out, &fault);
    if (rc != SYNOD_OK)
        return synod__fail (rc, fault.text);
    if (self->json) {
        synod__print_body (stdout, reply.body);
        putchar ('\n');
        return SYNOD__EXIT_DONE;
    }
    printf ("%.*s\t%.*s\t%.*s\t%.*s\n", SYNOD_STR (out.id), SYNOD_STR (out.outcome), SYNOD_STR (out.phase),
            SYNOD_STR (out.protocol.size ? out.protocol : synod_str ("-")));
    while (synod_list_next (&out.seats, &synod__txn_seat_record, &seat))
        printf ("  %.*s\t%.*s%s\n", SYNOD_STR (seat.to), SYNOD_STR (seat.vote), seat.acked ? "\tacknowledged" : "");
    while (synod_list_next (&out.reasons, &synod__txn_reason_record, &reason))
        printf ("  %.*s: %.*s\n", SYNOD_STR (reason.who), SYNOD_STR (reason.why));
    return SYNOD__EXIT_DONE;
}
