/* SPDX-License-Identifier: MPL-2.0
 *
 * Writes the seed corpus below the folder given: real frames and bodies of every record of the catalogue, requests of
 * Redis' clients, messages of every kind between replicas, what both ends of a connection say, and hostile bytes that once
 * broke something somewhere.
 */
#include <errno.h>
#include <sys/stat.h>
#include "actors/place/replica_wire.h"
#include "fuzz.h"
#include "protocol/catalogue.h"
#include "protocol/zmtp.h"

static const char *s_folder;

static void s_save (const char *target, const char *name, int tag, const void *bytes, size_t size)
{
    char path[4096];
    snprintf (path, sizeof path, "%s/%s", s_folder, target);
    FUZZ_CHECK (mkdir (path, 0777) == 0 || errno == EEXIST);
    snprintf (path, sizeof path, "%s/%s/%s", s_folder, target, name);
    FILE *file = fopen (path, "wb");
    FUZZ_CHECK (file);
    if (tag >= 0)
        fputc (tag, file);
    FUZZ_CHECK (fwrite (bytes, 1, size, file) == size && fclose (file) == 0);
}

/* A record with something in every field; lists get two elements. */
static void s_fill (const synod_record_t *record, char *rec, synod_buf_t *items, int depth)
{
    const synod_field_t *field = record->fields ();
    memset (rec, 0, record->size);
    for (uint32_t i = 0; i < record->nfields; i++, field++) {
        void *at = rec + field->offset;
        switch (field->type) {
        case SYNOD_FIELD_u64:
        case SYNOD_FIELD_i64:
            *(uint64_t *) at = 1 + field->limit / 3;
            break;
        case SYNOD_FIELD_f64:
            *(double *) at = 1.5;
            break;
        case SYNOD_FIELD_bit:
            *(bool *) at = true;
            break;
        case SYNOD_FIELD_list:
            for (int n = 0; depth < 4 && n < 2; n++) {
                uint64_t element[64];
                FUZZ_CHECK (field->of->size <= sizeof element);
                s_fill (field->of, (char *) element, items + 4, depth + 1);
                FUZZ_CHECK (synod_list_add ((synod_list_t *) at, items + depth % 4, field->of, element, NULL) ==
                            SYNOD_OK);
            }
            items++;
            break;
        case SYNOD_FIELD_any:
            *(synod_str_t *) at = synod_str_n ("\x90", 1);
            break;
        default:
            *(synod_str_t *) at = synod_str ("h\xc3\xa9llo");
        }
    }
}

static void s_records (void)
{
    static synod_buf_t items[64], body;
    synod__batch_t batch = {0};
    FUZZ_CHECK (synod__batch_begin (&batch, synod_str ("$broker"), synod_str ("n1"), 7, 0) == SYNOD_OK);
    for (int i = 0; synod__catalogue[i]; i++) {
        const synod_record_t *record = synod__catalogue[i];
        uint64_t rec[64];
        FUZZ_CHECK (record->size <= sizeof rec);
        s_fill (record, (char *) rec, items, 0);
        body.size = 0;
        FUZZ_CHECK (synod_record_pack (record, rec, &body, NULL) == SYNOD_OK);
        s_save ("record", record->name, i, body.data, body.size);
        s_save ("print", record->name, -1, body.data, body.size);
        synod_envelope_t e = {.kind = (synod_kind_t) (i % 6 + 1), .method = synod_str (record->name)};
        e.id = (uint64_t) i * i * i + 1;
        if (e.kind == SYNOD_KIND_ASK) {
            e.client = 1ull << 60 | (uint64_t) i;
            e.number = e.id;
            e.low = e.id / 2 + 1;
        }
        e.to = i % 2 ? synod_str ("n2/$node") : (synod_str_t){NULL, 0};
        e.body = synod_str_n (body.data, body.size);
        FUZZ_CHECK (synod__batch_add (&batch, &e) == SYNOD_OK);
        synod__batch_t one = {0};
        FUZZ_CHECK (synod__batch_begin (&one, synod_str ("n2/actor#key"), synod_str ("n1"), 1u << 31, 3) == SYNOD_OK);
        FUZZ_CHECK (synod__batch_add (&one, &e) == SYNOD_OK);
        s_save ("frame", record->name, -1, one.buf.data, one.buf.size);
        synod__batch_free (&one);
    }
    s_save ("frame", "all", -1, batch.buf.data, batch.buf.size);
    s_save ("print", "all", -1, batch.buf.data, batch.buf.size);
    synod__batch_free (&batch);
    for (int i = 0; i < 64; i++)
        synod_buf_free (&items[i]);
    synod_buf_free (&body);
}

static void s_copies (void)
{
    static const char bytes[] = "\xc4\x02"
                                "dk"
                                "\xc4\x01"
                                "v";
    const synod__replica_batch_t batches[] = {{7, 41, synod_str_n (bytes, 7)}, {9, 42, synod_str_n (bytes, 0)}};
    const synod__replica_run_t runs[] = {{7, 1}, {9, 42}};
    synod_buf_t body = {0}, room = {0};
    for (int kind = SYNOD__REPLICA_SEAL; kind <= SYNOD__REPLICA_DELETE; kind++) {
        synod__replica_message_t in = {.kind = (synod__replica_kind_t) kind, .epoch = 9ull << 24};
        synod__place_copy_t out = {.type = synod_str ("kv"), .partition = 16383};
        in.mark = in.last = 9;
        in.n = 42;
        out.to = synod_str ("0123456789abcdef");
        if (kind == SYNOD__REPLICA_BATCHES) {
            in.batches = batches;
            in.nbatches = 2;
            in.after_n = 40;
            in.after_epoch = 7;
        } else if (kind == SYNOD__REPLICA_CHUNK || kind == SYNOD__REPLICA_PULL) {
            in.runs = runs;
            in.nruns = 2;
            in.staging = in.more = true;
            in.key = in.last_key = synod_str ("dk");
            in.entries = synod_str_n (bytes, 7);
        }
        FUZZ_CHECK (synod__replica_wire_pack (&in, &out, &room) == SYNOD_OK);
        body.size = 0;
        FUZZ_CHECK (synod_record_pack (&synod__place_copy_record, &out, &body, NULL) == SYNOD_OK);
        char name[32];
        snprintf (name, sizeof name, "%.*s", SYNOD_STR (out.kind));
        s_save ("copy", name, -1, body.data, body.size);
    }
    synod_buf_free (&body);
    synod_buf_free (&room);
}

/* Behind two bytes that say whose it is and where it is cut. */
static void s_connections (void)
{
    for (int dealer = 0; dealer < 2; dealer++) {
        char said[1024] = {(char) !dealer, 77};
        size_t size = 2;
        size += synod__zmtp_greeting (said + size);
        size += synod__zmtp_ready (dealer, synod_str (dealer ? "n#1" : ""), said + size);
        size += synod__zmtp_header (300, said + size) + 300;
        size += synod__zmtp_header (3, said + size) + 3;
        said[size] = 1; /* of two parts */
        size += 4;
        s_save ("zmtp", dealer ? "dealer" : "router", -1, said, size);
    }
    s_save ("zmtp", "hostile-http", -1, "\0\5GET / HTTP/1.1", 16);
}

static void s_hostile (void)
{
    static const struct {
        const char *name;
        synod_str_t bytes;
    } hostile[] = {
#define BYTES(name, literal)              \
    {                                     \
        name,                             \
        {                                 \
            literal, sizeof (literal) - 1 \
        }                                 \
    }
        BYTES ("hostile-array-of-half-a-billion", "\xdd\x20\0\0\0"),
        BYTES ("hostile-map-of-two-billion", "\xdf\x80\0\0\0"),
        BYTES ("hostile-long-size", "\xff\x80\0\0\0"),
        BYTES ("hostile-text-of-four-billion", "\xdb\xff\xff\xff\xff"
                                               "a"),
        BYTES ("hostile-unused-byte", "\xc1"),
        BYTES ("hostile-nothing", ""),
        BYTES ("hostile-no-address", "\0\x95\x01\xa1n\x01\0\0"),
        BYTES ("hostile-version", "a\0\x96\x02\xa1n\x01\0\0\0"),
        BYTES ("hostile-header-count", "a\0\xdd\x20\0\0\0"),
        BYTES ("hostile-envelope-count", "a\0\x95\x01\xa1n\x01\0\0\xdd\x20\0\0\0"),
        BYTES ("hostile-body-count", "a\0\x95\x01\xa1n\x01\0\0\x98\x04\xa1m\xc0\xc0\xc0\xc0\xc0\xdf\x20\0\0\0"),
        BYTES ("hostile-deep", "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0"),
        BYTES ("hostile-keys", "\x81\x81\x81\x81\x81\x81\xa4\"\"\"\"\x01\x01\x01\x01\x01\x01"),
        BYTES ("hostile-terminal", "\x81\xa1k\xa8\x1b]0;x\x07\xc2\x9b"),
        BYTES ("hostile-float", "\x82\xa1"
                                "a\xcb\x7f\xf8\0\0\0\0\0\0\xa1"
                                "b\xca\xff\x80\0\0"),
#undef BYTES
    };
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        s_save ("frame", hostile[i].name, -1, hostile[i].bytes.data, hostile[i].bytes.size);
        s_save ("print", hostile[i].name, -1, hostile[i].bytes.data, hostile[i].bytes.size);
        s_save ("record", hostile[i].name, 0xff, hostile[i].bytes.data, hostile[i].bytes.size);
    }
}

/* Requests of Redis' clients: the first byte of each is how large the pieces are in which they come. */
static void s_requests (void)
{
    static const char *const texts[][2] = {
        {"strings",
         "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n12\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"},
        {"lines",
         "set a \"x\\x41\\n\" ex 10 nx get\r\nttl a\nmset a 1 b 2\nmget a b c\ndel a b\nappend a 'q'\npersist a\n"},
        {"server", "command\ncommand docs\ncommand info get x\nconfig get *\nclient setname a\nhello 2\nscan 0 match "
                   "*[a-c]? count 3 type string\n"},
        {"garbage", "*2\r\n$3\r\nGET\r\n$-5\r\n"},
        {"unbalanced", "get \"a\r\nping\r\n"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        s_save ("redis", texts[i][0], (int) (1 + 3 * i), texts[i][1], strlen (texts[i][1]));
}

int main (int argc, char **argv)
{
    if (argc != 2) {
        fprintf (stderr, "usage: fuzz_seed FOLDER\n");
        return 2;
    }
    s_folder = argv[1];
    s_records ();
    s_connections ();
    s_copies ();
    s_hostile ();
    s_requests ();
    return 0;
}
