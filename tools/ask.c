/* SPDX-License-Identifier: MPL-2.0
 *
 * synod ask: one question, its answer as one line of JSON.
 */
#include "tool.h"

static int print_reply (const synod_reply_t *reply, bool json)
{
    if (json) {
        printf ("{\"code\":");
        synod__print_text (stdout, reply->error.size ? reply->error : synod_str (synod_error_name (reply->code)));
        printf (",\"from\":");
        synod__print_text (stdout, reply->from);
        if (reply->code != SYNOD_OK) {
            printf (",\"message\":");
            synod__print_text (stdout, reply->message);
        }
        printf (",\"body\":");
        synod__print_body (stdout, reply->code == SYNOD_OK ? reply->body : (synod_str_t){0});
        printf ("}\n");
    } else if (reply->code == SYNOD_OK) {
        synod__print_body (stdout, reply->body);
        putchar ('\n');
    }
    if (reply->code != SYNOD_OK) {
        const char *name = synod_error_name (reply->code);
        const char *meaning = synod_error_meaning (reply->code);
        fprintf (stderr, "synod: %.*s: %.*s\n", SYNOD_STR (reply->error.size ? reply->error : synod_str (name)),
                 SYNOD_STR (reply->message.size ? reply->message : synod_str (meaning)));
    }
    return synod__exit_code (reply->code);
}

int synod__tool_ask (int argc, char **argv)
{
    bool json = false, once = false;
    synod__join_t join = {0};
    const synod__opt_t options[] = {
        {"json", SYNOD__OPT_FLAG, NULL, "print {\"code\", \"from\", \"body\"}, errors too", &json},
        {"once", SYNOD__OPT_FLAG, NULL, "a command: sent again until it is answered, and run once", &once},
        {0}};
    synod__command_t command = {
        .name = "ask",
        .synopsis = "TO METHOD [key=text]... [key:=json]... [OPTION]...",
        .about = "Asks the actor TO (node/actor, or actor for any node that runs it) and prints its reply as JSON.\n"
                 "key=@FILE gives the bytes of a file, key:=@FILE the JSON in one.\n",
        .options = options,
        .join = &join,
        .words_min = 2,
        .words_max = -1,
        .words_are = "TO and METHOD",
    };
    synod_buf_t body = {0};
    int status = synod__command_parse (&command, argc, argv);
    /* a broker says at once when nobody is there, and one question is not worth a directory */
    synod_handle_t *handle = synod__reach (&command, &join, join.options.direct, &body, &status);
    if (status == SYNOD__EXIT_NONE) {
        synod_reply_t reply = {0};
        reply.code =
            synod_handle_ask_body (handle, command.words[0], command.words[1], synod_str_n (body.data, body.size),
                                   once ? SYNOD_ONCE : 0, (int) join.timeout_ms, &reply);
        status = print_reply (&reply, json);
    }
    synod_handle_destroy (&handle);
    synod_buf_free (&body);
    synod__command_free (&command);
    return status;
}
