/* SPDX-License-Identifier: MPL-2.0
 *
 * synod tell: one message that wants no reply. It waits until somebody is there to take it, so that a tell to nobody
 * is an error; whether it arrived is not known.
 */
#include "tool.h"

int synod__tool_tell (int argc, char **argv)
{
    synod__join_t join = {0};
    synod__command_t command = {
        .name = "tell",
        .synopsis = "TO METHOD [key=text]... [key:=json]... [OPTION]...",
        .about = "Sends the actor TO (node/actor, or actor for any node that runs it) a message that wants no reply.\n"
                 "key=@FILE gives the bytes of a file, key:=@FILE the JSON in one. Waits until somebody is at TO.\n",
        .join = &join,
        .words_min = 2,
        .words_max = -1,
        .words_are = "TO and METHOD",
    };
    synod_buf_t body = {0};
    int status = synod__command_parse (&command, argc, argv);
    synod_handle_t *handle = synod__reach (&command, &join, true, &body, &status);
    if (status == SYNOD__EXIT_NONE) {
        int code =
            synod_handle_tell_body (handle, command.words[0], command.words[1], synod_str_n (body.data, body.size));
        if (code == SYNOD_OK)
            code = synod_handle_flush (handle, (int) join.timeout_ms);
        status = code == SYNOD_OK ? SYNOD__EXIT_DONE : synod__fail (code, synod_handle_error (handle));
    }
    synod_handle_destroy (&handle);
    synod_buf_free (&body);
    synod__command_free (&command);
    return status;
}
