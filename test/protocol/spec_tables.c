/* SPDX-License-Identifier: MPL-2.0
 *
 * Prints the parts of SPEC.md that the code decides: the tables, and the worked examples, in the order in which they
 * stand there. spec.sh compares them with what SPEC.md says between the same markers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "protocol/catalogue.h"
#include "protocol/frame.h"
#include "protocol/lock_records.h"
#include "protocol/paxos_records.h"
#include "protocol/ring_records.h"
#include "protocol/kv_records.h"
#include "protocol/place_records.h"
#include "protocol/vote_records.h"

static void s_begin (const char *block)
{
    printf ("<!-- begin %s -->\n", block);
}

static void s_end (const char *block)
{
    printf ("<!-- end %s -->\n", block);
}

static void s_errors (void)
{
    s_begin ("errors");
    printf ("| name | meaning |\n|---|---|\n");
    for (int code = SYNOD_OK + 1; code < SYNOD_ERRORS; code++)
        printf ("| `%s` | %s |\n", synod_error_name (code), synod_error_meaning (code));
    s_end ("errors");
}

static void s_limits (void)
{
    static const struct {
        const char *what;
        long limit;
    } limits[] = {
        {"version of the protocol", SYNOD_VERSION_WIRE},
        {"name of a node, actor, method or field, bytes", SYNOD_NAME_MAX},
        {"key in an address, bytes", SYNOD_KEY_MAX},
        {"address, its NUL not counted, bytes", SYNOD_ADDRESS_MAX},
        {"topic or pattern, bytes", SYNOD_TOPIC_MAX},
        {"frame, bytes", SYNOD_FRAME_MAX},
        {"what a frame that holds one `returned` or `tapped` may have on top, bytes", SYNOD_FRAME_SLACK},
        {"envelopes in a frame", SYNOD_ENVELOPES_MAX},
        {"levels of nesting in a body, its own map counted", SYNOD_DEPTH_MAX},
        {"fields in a record", SYNOD_FIELDS_MAX},
        {"body that always fits a frame, bytes", SYNOD_BODY_MAX},
        {"time left of an ask that states none, ms", SYNOD_ASK_MS},
        {"heartbeats are this far apart where nothing else was agreed, ms", SYNOD_HEARTBEAT_MS},
    };
    s_begin ("limits");
    printf ("| what | limit |\n|---|---|\n");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        printf ("| %s | %ld |\n", limits[i].what, limits[i].limit);
    s_end ("limits");
}

static void s_kinds (void)
{
    s_begin ("kinds");
    printf ("| number | kind |\n|---|---|\n");
    for (int kind = SYNOD_KIND_ASK; kind <= SYNOD_KIND_MARK; kind++)
        printf ("| %d | %s |\n", kind, synod__kind_name (kind));
    s_end ("kinds");
}

static void s_limit (const synod_field_t *field)
{
    switch (field->type) {
    case SYNOD_FIELD_bit:
    case SYNOD_FIELD_f64:
        printf ("-");
        break;
    case SYNOD_FIELD_list:
        printf ("`%s`", field->of->name);
        break;
    case SYNOD_FIELD_u64:
        if (field->limit == UINT64_MAX) {
            printf ("2^64-1");
            break;
        }
        /* fall through */
    default:
        printf ("%" PRIu64, field->limit);
    }
}

static void s_records (const char *block, const synod_record_t *const *catalogue)
{
    static const char *const types[] = {"u64", "i64", "f64", "bit", "str", "bin", "any", "list"};
    s_begin (block);
    for (const synod_record_t *const *at = catalogue; *at; at++) {
        const synod_record_t *record = *at;
        printf ("%s`%s`: %s%s\n\n", at == catalogue ? "" : "\n", record->name, record->doc,
                record->flags & SYNOD_IDEMPOTENT ? " (idempotent)" : "");
        if (record->nfields == 0) {
            printf ("No fields.\n");
            continue;
        }
        printf ("| field | type | limit | | meaning |\n|---|---|---|---|---|\n");
        for (uint32_t i = 0; i < record->nfields; i++) {
            const synod_field_t *field = &record->fields ()[i];
            printf ("| `%s` | %s | ", field->name, types[field->type]);
            s_limit (field);
            printf (" | %s | %s |\n", field->optional ? "optional" : "required", field->doc);
        }
    }
    s_end (block);
}

/* ---- worked examples ---- */

/* One run of bytes and what it is. SIZE 0 ends the list. */
typedef struct {
    const char *bytes;
    size_t size;
    const char *what;
} s_part_t;
#define PART(literal, what)                 \
    {                                       \
        literal, sizeof (literal) - 1, what \
    }

#define ADD_FIELDS(FIELD, OPT)           \
    FIELD (str, name, 63, "the counter") \
    OPT (i64, amount, INT64_MAX, "how much to add")
SYNOD_RECORD (add, ADD_FIELDS, 0, "add to a counter")
#define TOTAL_FIELDS(FIELD, OPT) FIELD (i64, total, INT64_MAX, "what it is now")
SYNOD_RECORD (total, TOTAL_FIELDS, 0, "the reply to add")

static synod__batch_t s_batch;

static void s_frame (const char *address, const char *node, uint64_t incarnation, uint64_t number)
{
    if (synod__batch_begin (&s_batch, synod_str (address), synod_str (node), incarnation, 0) != SYNOD_OK)
        abort ();
    synod__batch_number (&s_batch, number);
}

static void s_add (synod_envelope_t e, const synod_record_t *record, const void *rec)
{
    int rc = record ? synod__batch_add_record (&s_batch, &e, record, rec, NULL) : synod__batch_add (&s_batch, &e);
    if (rc != SYNOD_OK)
        abort ();
}

/* Checks that the parts are the frame, byte for byte, and prints them. */
static void s_show (const char *title, const s_part_t *parts)
{
    size_t at = 0;
    printf ("%s\n\n```\n", title);
    for (; parts->size > 0; parts++) {
        if (at + parts->size > s_batch.buf.size || memcmp (s_batch.buf.data + at, parts->bytes, parts->size) != 0) {
            fprintf (stderr, "spec_tables: %s: byte %zu on is not: %s\n", title, at, parts->what);
            exit (1);
        }
        for (size_t line = 0; line < parts->size; line += 12) {
            char hex[40] = "";
            for (size_t i = line; i < parts->size && i < line + 12; i++)
                sprintf (hex + 3 * (i - line), "%02x ", (uint8_t) parts->bytes[i]);
            if (line + 12 < parts->size)
                hex[strlen (hex) - 1] = '\0', printf ("%s\n", hex);
            else
                printf ("%-37s%s\n", hex, parts->what);
        }
        at += parts->size;
    }
    if (at != s_batch.buf.size) {
        fprintf (stderr, "spec_tables: %s: %zu bytes are not explained\n", title, s_batch.buf.size - at);
        exit (1);
    }
    printf ("```\n\n");
}

static void s_example_ask (void)
{
    static const s_part_t parts[] = {
        PART ("w1/counter\0", "address, NUL"),
        PART ("\x95", "header: array of 5"),
        PART ("\x01", "  version 1"),
        PART ("\xa2py", "  node \"py\""),
        PART ("\x07", "  incarnation 7"),
        PART ("\x00", "  epoch 0"),
        PART ("\xcf\0\0\0\0\0\0\0\x03", "  number 3 (any width of integer will do)"),
        PART ("\x98", "envelope: array of 8"),
        PART ("\x01", "  kind 1: ask"),
        PART ("\xa3"
              "add",
              "  method \"add\""),
        PART ("\xc0", "  to: nil, the frame's address"),
        PART ("\xa4main", "  from \"main\", that is py/main"),
        PART ("\xcd\x01\x2c", "  id 300"),
        PART ("\xcd\x13\x88", "  left_ms 5000"),
        PART ("\xc0", "  trace: nil"),
        PART ("\x82", "  body: map of 2"),
        PART ("\xa4name\xa4hits", "    name: \"hits\""),
        PART ("\xa6"
              "amount\x05",
              "    amount: 5"),
        {NULL, 0, NULL},
    };
    add_t add = {.name = synod_str ("hits"), .amount = 5};
    s_frame ("w1/counter", "py", 7, 3);
    s_add ((synod_envelope_t){.kind = SYNOD_KIND_ASK,
                              .method = synod_str ("add"),
                              .from = synod_str ("main"),
                              .id = 300,
                              .left_ms = 5000},
           &add_record, &add);
    s_show ("An ask, from the actor `main` of the node `py` to the actor `counter` of the node `w1`:", parts);
}

static void s_example_command (void)
{
    static const s_part_t parts[] = {
        PART ("w1/counter\0", "address"),
        PART ("\x95\x01\xa2py\x07\x00\xcf\0\0\0\0\0\0\0\x04", "header"),
        PART ("\x98\x01\xa3"
              "add\xc0\xa4main",
              "envelope: ask, method, to, from"),
        PART ("\x94\xcd\x01\x2d", "  id: array of 4: the ask's id, 301"),
        PART ("\xcd\x70\x01\x11\x0f", "    client 28673, its command 17; none below 15 will come again"),
        PART ("\xcd\x13\x88\xc0", "  left_ms 5000, trace nil"),
        PART ("\x81\xa4name\xa4hits", "  body: name: \"hits\""),
        {NULL, 0, NULL},
    };
    add_t add = {.name = synod_str ("hits")};
    s_frame ("w1/counter", "py", 7, 4);
    s_add ((synod_envelope_t){.kind = SYNOD_KIND_ASK,
                              .method = synod_str ("add"),
                              .from = synod_str ("main"),
                              .id = 301,
                              .client = 28673,
                              .number = 17,
                              .low = 15,
                              .left_ms = 5000},
           &add_record, &add);
    s_show ("The same as a command, which runs once however often it comes:", parts);
}

static void s_example_answers (void)
{
    static const s_part_t parts[] = {
        PART ("py/main\0", "address: the asker"),
        PART ("\x95\x01\xa2w1\x2a\x00\xcf\0\0\0\0\0\0\0\x09", "header of w1, incarnation 42, number 9"),
        PART ("\x98\x02", "envelope, kind 2: reply"),
        PART ("\xc0\xc0", "  method nil, to nil"),
        PART ("\xa7"
              "counter",
              "  from \"counter\""),
        PART ("\xcd\x01\x2c\xc0\xc0", "  id 300: the ask's; left_ms nil, trace nil"),
        PART ("\x81\xa5total\x2f", "  body: total: 47"),
        PART ("\x98\x03", "envelope, kind 3: error"),
        PART ("\xc0\xc0\xa7"
              "counter",
              "  method nil, to nil, from \"counter\""),
        PART ("\xcd\x01\x2d\xc0\xc0", "  id 301"),
        PART ("\x82\xa4"
              "code\xa9no-method",
              "  body: code: \"no-method\""),
        PART ("\xa7message\xb8"
              "counter takes add, total",
              "    message: \"counter takes add, total\""),
        {NULL, 0, NULL},
    };
    total_t total = {.total = 47};
    synod__error_t error = {.code = synod_str ("no-method"), .message = synod_str ("counter takes add, total")};
    s_frame ("py/main", "w1", 42, 9);
    synod_envelope_t e = {.kind = SYNOD_KIND_REPLY, .from = synod_str ("counter"), .id = 300};
    s_add (e, &total_record, &total);
    e.kind = SYNOD_KIND_ERROR;
    e.id = 301;
    s_add (e, &synod__error_record, &error);
    s_show ("Its reply, and the error that another ask came to, in one frame:", parts);
}

static void s_example_hello (void)
{
    static const s_part_t parts[] = {
        PART ("$broker\0", "address"),
        PART ("\x95\x01\xa2py\x07\x00\xcf\0\0\0\0\0\0\0\0", "header; number 0: not numbered"),
        PART ("\x98\x04", "envelope, kind 4: tell"),
        PART ("\xa5hello\xc0\xc0\xc0\xc0\xc0", "  method \"hello\"; to, from, id, left_ms, trace nil"),
        PART ("\x82", "  body: map of 2"),
        PART ("\xac"
              "heartbeat_ms\xcd\x03\xe8",
              "    heartbeat_ms: 1000"),
        PART ("\xa4self\x91", "    self: list of 1"),
        PART ("\x83\xa4node\xa2py", "      node: \"py\""),
        PART ("\xab"
              "incarnation\x07",
              "      incarnation: 7"),
        PART ("\xa6"
              "actors\x91\x81\xa4name\xa4main",
              "      actors: a list of one, name: \"main\""),
        {NULL, 0, NULL},
    };
    synod_buf_t actors = {0}, self = {0};
    synod__actor_at_t actor = {.name = synod_str ("main")};
    synod__entry_t entry = {.node = synod_str ("py"), .incarnation = 7};
    synod__hello_t hello = {.heartbeat_ms = 1000};
    if (synod_list_add (&entry.actors, &actors, &synod__actor_at_record, &actor, NULL) != SYNOD_OK ||
        synod_list_add (&hello.self, &self, &synod__entry_record, &entry, NULL) != SYNOD_OK)
        abort ();
    s_frame ("$broker", "py", 7, 0);
    s_add ((synod_envelope_t){.kind = SYNOD_KIND_TELL, .method = synod_str ("hello")}, &synod__hello_record, &hello);
    s_show ("A hello to the broker, from a peer that keeps no directory:", parts);
    synod_buf_free (&actors);
    synod_buf_free (&self);
}

static void s_example_topics (void)
{
    static const s_part_t publication[] = {
        PART ("news.sport\0", "topic"),
        PART ("\x95\x01\xa2py\x07\x00\xcf\0\0\0\0\0\0\0\x01", "header; number 1 on this topic"),
        PART ("\x98\x05\xa5score\xc0\xa4main\xc0\xc0\xc0",
              "envelope, kind 5: publish, method \"score\", from \"main\""),
        PART ("\xc0", "  body: nil"),
        {NULL, 0, NULL},
    };
    static const s_part_t mark[] = {
        PART ("news.sport\0", "topic"),
        PART ("\x95\x01\xa2py\x07\x00\xcf\0\0\0\0\0\0\0\x01", "header; number 1: the last one used"),
        PART ("\x98\x06\xc0\xc0\xc0\x01\xc0\xc0\xc0", "envelope, kind 6: mark; id 1: the first one used"),
        {NULL, 0, NULL},
    };
    s_frame ("news.sport", "py", 7, 1);
    s_add ((synod_envelope_t){.kind = SYNOD_KIND_PUBLISH, .method = synod_str ("score"), .from = synod_str ("main")},
           NULL, NULL);
    s_show ("A publication:", publication);
    s_frame ("news.sport", "py", 7, 1);
    s_add ((synod_envelope_t){.kind = SYNOD_KIND_MARK, .id = 1}, NULL, NULL);
    s_show ("The mark that follows it a heartbeat later:", mark);
}

int main (void)
{
    s_kinds ();
    s_limits ();
    s_errors ();
    s_records ("records", synod__catalogue);
    s_begin ("examples");
    s_example_ask ();
    s_example_command ();
    s_example_answers ();
    s_example_hello ();
    s_example_topics ();
    s_end ("examples");
    s_records ("paxos", synod__paxos_catalogue);
    s_records ("ring", synod__ring_catalogue);
    s_records ("place", synod__place_catalogue);
    s_records ("kv", synod__kv_catalogue);
    s_records ("vote", synod__txn_catalogue);
    s_records ("lock", synod__lock_catalogue);
    synod__batch_free (&s_batch);
    return 0;
}
