/* SPDX-License-Identifier: MPL-2.0
 *
 * synod sub: prints what is published on topics, one line each, as it comes.
 */
#include "stream.h"
#include "protocol/address.h"

static void print_message (void *arg, const synod_message_t *message)
{
    const synod__stream_t *stream = (const synod__stream_t *) arg;
    if (stream->json) {
        printf ("{\"topic\":");
        synod__print_text (stdout, message->topic);
        printf (",\"method\":");
        synod__print_text (stdout, message->method);
        printf (",\"from\":");
        synod__print_text (stdout, message->from);
        printf (",\"body\":");
        synod__print_body (stdout, message->body);
        printf ("}\n");
    } else {
        printf ("%.*s %.*s ", SYNOD_STR (message->topic), SYNOD_STR (message->method));
        synod__print_body (stdout, message->body);
        putchar ('\n');
    }
}

int synod__tool_sub (int argc, char **argv)
{
    synod__join_t join = {0};
    synod__stream_t stream = {.join = &join};
    const synod__opt_t options[] = {SYNOD__STREAM_OPTIONS (stream), {0}};
    synod__command_t command = {
        .name = "sub",
        .synopsis = "TOPIC... [OPTION]...",
        .about = "Prints what is published on the topics: TOPIC METHOD BODY, one line each. In a TOPIC `*` stands for\n"
                 "one part, and a last `>` for one or more. Says `ready` on stderr when nothing will be missed.\n"
                 "SIGINT ends it. With --count, an --idle that ends first is exit 3.\n",
        .options = options,
        .join = &join,
        .words_min = 1,
        .words_max = -1,
        .words_are = "one TOPIC or more",
    };
    int status = synod__command_parse (&command, argc, argv);
    for (int i = 0; status == SYNOD__EXIT_NONE && i < command.nwords; i++) {
        synod_fault_t fault = {0};
        if (synod__pattern_check (synod_str (command.words[i]), &fault) != SYNOD_OK)
            status = synod__misused (&command, "%s", fault.text);
    }
    stream.patterns = command.words;
    stream.npatterns = command.nwords;
    stream.on_message = print_message;
    stream.arg = &stream;
    if (status == SYNOD__EXIT_NONE)
        status = synod__stream (&stream);
    synod__command_free (&command);
    return status;
}
