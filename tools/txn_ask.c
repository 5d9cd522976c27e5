/* SPDX-License-Identifier: MPL-2.0
 *
 * synod txn: asks the coordinator, vote#ID, and prints what it says.
 */
#include "txn.h"

#include <inttypes.h>
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

static int print_reasons (synod_list_t reasons)
{
    synod__txn_reason_t reason;
    if (!reasons.count)
        fputs ("synod: aborted: its time was over, or it was lost\n", stderr);
    while (synod_list_next (&reasons, &synod__txn_reason_record, &reason))
        fprintf (stderr, "synod: aborted: %.*s: %.*s\n", SYNOD_STR (reason.who), SYNOD_STR (reason.why));
    return SYNOD__EXIT_ERROR;
}

static int take_outcome (const txn_t *self, const synod_reply_t *reply)
{
    synod__txn_outcome_t out;
    synod_fault_t fault = {0};
    int rc = synod_record_unpack (&synod__txn_outcome_record, reply->body, &out, &fault);
    if (rc != SYNOD_OK)
        return synod__fail (rc, fault.text);
    if (self->json) {
        synod__print_body (stdout, reply->body);
        putchar ('\n');
    } else
        printf ("%.*s %s%s\n", SYNOD_STR (out.outcome), self->id, out.again ? " (before)" : "");
    return synod_str_is (out.outcome, "committed") ? SYNOD__EXIT_DONE : print_reasons (out.reasons);
}

/* Of these it is not known whether anything was begun. */
static bool in_doubt (int code)
{
    return code == SYNOD_TIMEOUT || code == SYNOD_NODE_DOWN || code == SYNOD_STOPPED;
}

int txn_run (txn_t *self)
{
    char to[SYNOD_ADDRESS_MAX + 1];
    synod_buf_t items = {0}, op = {0};
    synod_fault_t fault = {0};
    synod_reply_t reply = {0};
    synod__txn_commit_t in = {.id = synod_str (self->id), .deadline_ms = self->deadline_ms};
    int rc = SYNOD_OK, status = address (self, to);
    if (status == SYNOD__EXIT_NONE && self->deadline_ms > SYNOD__TXN_DEADLINE_MAX)
        status = synod__misused (self->command, "expected a --deadline of up to 10m");
    if (status == SYNOD__EXIT_NONE)
        status = txn_reach (self, TXN_VOTE);
    if (status != SYNOD__EXIT_NONE)
        return status;
    if (!in.deadline_ms) {
        uint64_t most_ms = (uint64_t) self->join.timeout_ms * 3 / 4;
        in.deadline_ms = most_ms > SYNOD__TXN_DEADLINE_MAX ? SYNOD__TXN_DEADLINE_MAX : most_ms + !most_ms;
    }
    if (self->protocol)
        in.protocol = synod_str (self->protocol);
    for (uint32_t i = 0; i < self->nparts && rc == SYNOD_OK; i++) {
        op.size = 0;
        rc = synod_record_pack (&synod__kv_op_record, &self->parts[i].op, &op, &fault);
        const synod__txn_part_t part = {.to = synod_str (self->parts[i].to), .op = synod_str_n (op.data, op.size)};
        if (rc == SYNOD_OK)
            rc = synod_list_add (&in.parts, &items, &synod__txn_part_record, &part, &fault);
    }
    if (rc == SYNOD_OK)
        rc = reply.code =
            synod_handle_ask (self->handle, to, &synod__txn_commit_record, &in, (int) self->join.timeout_ms, &reply);
    else
        status = synod__fail (rc, fault.text);
    if (status == SYNOD__EXIT_NONE && rc == SYNOD_OK)
        status = take_outcome (self, &reply);
    else if (status == SYNOD__EXIT_NONE && in_doubt (rc)) {
        txn_fail (&reply);
        fprintf (stderr, "synod: in doubt: ask again with --id %s, or see `synod txn show %s`\n", self->id, self->id);
        status = TXN_IN_DOUBT;
    } else if (status == SYNOD__EXIT_NONE)
        status = txn_fail (&reply);
    synod_buf_free (&items);
    synod_buf_free (&op);
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
