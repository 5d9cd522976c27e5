/* SPDX-License-Identifier: MPL-2.0
 *
 * synod pub: publishes one message, or, with --count, the same one many times. Done when it has been handed to ZeroMQ.
 */
#include "tool.h"
#include "protocol/address.h"

#define DEFAULT_METHOD "message"

static int publish (synod_handle_t *handle, const synod__join_t *join, const char *topic, const char *method,
                    synod_str_t body, uint64_t count)
{
    int code = SYNOD_OK;
    for (uint64_t i = 0; code == SYNOD_OK && i < count; i++)
        code = synod_handle_publish_body (handle, topic, method, body, (int) join->timeout_ms);
    if (code == SYNOD_OK)
        code = synod_handle_flush (handle, (int) join->timeout_ms);
    return code == SYNOD_OK ? SYNOD__EXIT_DONE : synod__fail (code, synod_handle_error (handle));
}

int synod__tool_pub (int argc, char **argv)
{
    uint64_t count = 1;
    synod__join_t join = {0};
    const synod__opt_t options[] = {{"count", SYNOD__OPT_COUNT, "N", "publish it N times", &count}, {0}};
    synod__command_t command = {
        .name = "pub",
        .synopsis = "TOPIC [METHOD] [key=text]... [key:=json]... [OPTION]...",
        .about =
            "Publishes a message on TOPIC (dotted parts). METHOD names what kind of message it is; without it, it\n"
            "is `" DEFAULT_METHOD "`. key=@FILE gives the bytes of a file, key:=@FILE the JSON in one.\n"
            "A publication reaches those who subscribe at the time; that nobody does is no error.\n",
        .options = options,
        .join = &join,
        .words_min = 1,
        .words_max = -1,
        .words_are = "TOPIC",
    };
    synod_buf_t body = {0};
    synod_fault_t fault = {0};
    synod_handle_t *handle = NULL;
    int status = synod__command_parse (&command, argc, argv);
    bool named = command.nwords > 1 && !strchr (command.words[1], '=');
    int first = named ? 2 : 1;
    if (status == SYNOD__EXIT_NONE &&
        (synod__topic_check (synod_str (command.words[0]), &fault) != SYNOD_OK ||
         synod__body_from_words (command.words + first, command.nwords - first, &body, &fault) != SYNOD_OK))
        status = synod__misused (&command, "%s", fault.text);
    if (status == SYNOD__EXIT_NONE) {
        join.options.no_directory = !join.options.direct;
        handle = synod__join (&join, &status);
    }
    if (status == SYNOD__EXIT_NONE)
        status = publish (handle, &join, command.words[0], named ? command.words[1] : DEFAULT_METHOD,
                          synod_str_n (body.data, body.size), count);
    synod_handle_destroy (&handle);
    synod_buf_free (&body);
    synod__command_free (&command);
    return status;
}
