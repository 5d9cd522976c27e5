/* SPDX-License-Identifier: MPL-2.0
 *
 * synod sniff: every message on the bus, one line each. What goes point to point comes as whole frames on the tap,
 * which is on while somebody reads it; what is published comes as it comes to all; drops have a topic of their own.
 */
#include "stream.h"
#include "protocol/catalogue.h"
#include "protocol/frame.h"

#include <czmq.h>

static void print_line (const synod__stream_t *stream, const synod_frame_t *frame, const synod_envelope_t *envelope)
{
    synod_buf_t line = {0};
    const synod__line_t what = {.at_us = (int64_t) zclock_time () * 1000, .frame = frame, .envelope = envelope};
    int code = stream->json ? synod__print_json (&line, &what) : synod__print_line (&line, &what);
    if (code == SYNOD_OK) {
        fwrite (line.data, 1, line.size, stdout);
        putchar ('\n');
    }
    synod_buf_free (&line);
}

/* All messages of a tapped frame. */
static void print_tapped (synod__stream_t *stream, const synod_message_t *message)
{
    synod__tapped_t tapped = {0};
    synod_frame_t frame;
    synod_envelope_t envelope;
    synod_fault_t fault = {0};
    uint64_t lines = 0;
    int code = synod_record_unpack (&synod__tapped_record, message->body, &tapped, &fault);
    if (code == SYNOD_OK)
        code = synod__frame_open (&frame, tapped.frame.data, tapped.frame.size, &fault);
    while (code == SYNOD_OK && (stream->count == 0 || stream->seen + lines < stream->count)) {
        code = synod__frame_next (&frame, &envelope, &fault);
        if (code == SYNOD_OK) {
            print_line (stream, &frame, &envelope);
            lines++;
        }
    }
    if (code != SYNOD_OK && code != SYNOD_NOT_FOUND)
        synod__fail (code, fault.text);
    stream->seen += lines - 1; /* the loop counts one for the message itself */
}

static void print_message (void *arg, const synod_message_t *message)
{
    synod__stream_t *stream = (synod__stream_t *) arg;
    if (synod_str_is (message->topic, SYNOD_TOPIC_TAP)) {
        print_tapped (stream, message);
        return;
    }
    /* the frame it came in, as far as it matters */
    synod_frame_t frame = {.address = message->topic, .node = message->from, .count = 1};
    synod_envelope_t envelope = {.kind = message->topic.data ? SYNOD_KIND_PUBLISH : SYNOD_KIND_TELL,
                                 .method = message->method,
                                 .trace = message->trace,
                                 .body = message->body};
    const char *slash = message->from.size ? (const char *) memchr (message->from.data, '/', message->from.size) : NULL;
    if (slash) {
        frame.node.size = (uint32_t) (slash - message->from.data);
        envelope.from = synod_str_n (slash + 1, message->from.size - frame.node.size - 1);
    }
    print_line (stream, &frame, &envelope);
}

int synod__tool_sniff (int argc, char **argv)
{
    static const char *patterns[] = {SYNOD_TOPIC_TAP, SYNOD_TOPIC_DROP, ">"};
    synod__join_t join = {0};
    synod__stream_t stream = {.join = &join};
    const synod__opt_t options[] = {SYNOD__STREAM_OPTIONS (stream), {0}};
    synod__command_t command = {
        .name = "sniff",
        .synopsis = "[OPTION]...",
        .about = "Prints every message on the bus: TIME FROM TO KIND METHOD BODY SIZE, one line each. Says `ready` on\n"
                 "stderr when it sees all. SIGINT ends it. With --count, an --idle that ends first is exit 3.\n",
        .options = options,
        .join = &join,
        .words_max = 0,
        .words_are = "options alone",
    };
    int status = synod__command_parse (&command, argc, argv);
    stream.patterns = patterns;
    stream.npatterns = sizeof patterns / sizeof patterns[0];
    stream.on_message = print_message;
    stream.arg = &stream;
    if (status == SYNOD__EXIT_NONE)
        status = synod__stream (&stream);
    synod__command_free (&command);
    return status;
}
