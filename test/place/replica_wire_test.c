/* SPDX-License-Identifier: MPL-2.0
 *
 * A replica's messages on the wire: what is packed comes back, whatever its kind; nothing else gets through, and nothing
 * is read past its end.
 */
#include "actors/place/replica_wire.h"
#include "place_test.h"

static uint64_t s_seed;
static char s_bytes[SYNOD_FRAME_MAX];

static uint64_t s_random (void)
{
    uint64_t z = s_seed += 0x9e3779b97f4a7c15; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint64_t s_below (uint64_t limit)
{
    return limit ? s_random () % limit : 0;
}

/* Of any width, 0 and the greatest often. */
static uint64_t s_number (void)
{
    switch (s_below (8)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    default:
        return s_random () >> s_below (64);
    }
}

/* SIZE of the bytes, from anywhere. */
static synod_str_t s_text (uint64_t size)
{
    return synod_str_n (s_bytes + s_below (sizeof s_bytes - size + 1), size);
}

/* ---- messages ---- */

typedef struct {
    synod__replica_message_t message;
    synod__replica_batch_t batches[SYNOD__REPLICA_BATCHES_MAX];
    synod__replica_run_t runs[SYNOD__REPLICA_RUNS_MAX];
    char type[SYNOD_NAME_MAX + 1];
    uint64_t partition;
    synod__store_id_t to;
} s_case_t;

static synod_str_t s_maybe_key (void)
{
    return s_below (3) ? s_text (s_below (SYNOD__PLACE_KEY_MAX + 1)) : synod_str_n (NULL, 0);
}

static void s_draw_runs (s_case_t *self)
{
    self->message.nruns = (uint32_t) s_below (SYNOD__REPLICA_RUNS_MAX + 1);
    for (uint32_t i = 0; i < self->message.nruns; i++)
        self->runs[i] = (synod__replica_run_t){s_number (), s_number ()};
    self->message.runs = self->message.nruns ? self->runs : NULL;
}

static void s_draw_batches (s_case_t *self, uint64_t largest)
{
    self->message.after_epoch = s_number ();
    self->message.after_n = s_number ();
    self->message.nbatches = (uint32_t) (s_below (4) ? s_below (SYNOD__REPLICA_BATCHES_MAX + 1) : s_below (2));
    for (uint32_t i = 0; i < self->message.nbatches; i++)
        self->batches[i] = (synod__replica_batch_t){s_number (), s_number (), s_text (s_below (largest + 1))};
    self->message.batches = self->message.nbatches ? self->batches : NULL;
}

/* The fields that KIND has, as replica.h says. */
static void s_draw (s_case_t *self, synod__replica_kind_t kind)
{
    synod__replica_message_t *message = &self->message;
    memset (self, 0, sizeof *self);
    memcpy (message->from.bytes, s_text (16).data, 16);
    memcpy (self->to.bytes, s_text (16).data, 16);
    memset (self->type, 'a' + (int) s_below (26), 1 + s_below (SYNOD_NAME_MAX));
    self->partition = s_below (SYNOD__PARTITIONS_MAX);
    message->kind = kind;
    message->epoch = s_number ();
    message->mark = s_number ();
    message->last = s_number ();
    message->n = s_number ();
    message->round = s_number ();
    message->base = s_number ();
    switch (kind) {
    case SYNOD__REPLICA_PULL:
        message->whole = s_below (2);
        message->staging = s_below (2);
        message->scanned = s_below (2);
        message->at = s_number ();
        message->key = s_maybe_key ();
        s_draw_runs (self);
        break;
    case SYNOD__REPLICA_BATCHES:
        s_draw_batches (self, s_below (4) ? 100 : SYNOD__REPLICA_BATCH_MAX / SYNOD__REPLICA_BATCHES_MAX);
        break;
    case SYNOD__REPLICA_CHUNK:
        message->key = s_maybe_key ();
        message->entries = s_below (4) ? s_text (s_below (SYNOD__REPLICA_CHUNK_TARGET)) : synod_str_n (NULL, 0);
        message->last_key = s_maybe_key ();
        message->more = s_below (2);
        s_draw_runs (self);
        break;
    default:
        break;
    }
}

static void s_pack (const s_case_t *in, synod_buf_t *body)
{
    static synod_buf_t room;
    synod_fault_t fault = {0};
    synod__place_copy_t record;
    memset (&record, 0xa5, sizeof record); /* what is not filled in shows */
    record.type = synod_str (in->type);
    record.partition = in->partition;
    record.to = synod_str_n (in->to.bytes, sizeof in->to.bytes);
    assert_int_equal (synod__replica_wire_pack (&in->message, &record, &room), SYNOD_OK);
    body->size = 0;
    check_ok (synod_record_pack (&synod__place_copy_record, &record, body, &fault), fault);
    assert_true (body->size <= SYNOD_BODY_MAX);
}

typedef struct {
    synod__place_copy_t record;
    synod__replica_message_t message;
    synod__replica_batch_t batches[SYNOD__REPLICA_BATCHES_MAX];
    synod__replica_run_t runs[SYNOD__REPLICA_RUNS_MAX];
} s_taken_t;

static int s_take (synod_str_t body, s_taken_t *out, synod_fault_t *fault)
{
    *fault = (synod_fault_t){0};
    memset (out, 0x5a, sizeof *out);
    int rc = synod_record_unpack (&synod__place_copy_record, body, &out->record, fault);
    if (rc == SYNOD_OK)
        rc = synod__replica_wire_take (&out->record, &out->message, out->batches, out->runs, fault);
    return rc;
}

static void s_same_bytes (synod_str_t one, synod_str_t two)
{
    assert_int_equal (!one.data, !two.data);
    assert_int_equal (one.size, two.size);
    if (one.size)
        assert_memory_equal (one.data, two.data, one.size);
}

static void s_same (const synod__replica_message_t *one, const synod__replica_message_t *two)
{
    assert_int_equal (one->kind, two->kind);
    assert_memory_equal (&one->from, &two->from, sizeof one->from);
    assert_true (one->epoch == two->epoch && one->round == two->round);
    assert_true (one->mark == two->mark && one->last == two->last && one->n == two->n && one->base == two->base);
    assert_true (one->after_epoch == two->after_epoch && one->after_n == two->after_n && one->at == two->at);
    assert_true (one->whole == two->whole && one->staging == two->staging && one->scanned == two->scanned &&
                 one->more == two->more);
    s_same_bytes (one->key, two->key);
    s_same_bytes (one->entries, two->entries);
    s_same_bytes (one->last_key, two->last_key);
    assert_int_equal (one->nbatches, two->nbatches);
    for (uint32_t i = 0; i < one->nbatches; i++) {
        assert_true (one->batches[i].epoch == two->batches[i].epoch && one->batches[i].n == two->batches[i].n);
        s_same_bytes (one->batches[i].bytes, two->batches[i].bytes);
    }
    assert_int_equal (one->nruns, two->nruns);
    for (uint32_t i = 0; i < one->nruns; i++)
        assert_true (one->runs[i].epoch == two->runs[i].epoch && one->runs[i].first == two->runs[i].first);
}

/* ---- tests ---- */

static int s_setup (void **state)
{
    (void) state;
    s_seed = 4;
    for (size_t i = 0; i < sizeof s_bytes; i++)
        s_bytes[i] = (char) s_random ();
    return 0;
}

static void test_round_trip (void **state)
{
    (void) state;
    static s_case_t in;
    static s_taken_t out;
    synod_buf_t body = {0};
    synod_fault_t fault;
    for (int i = 0; i < 2000; i++)
        for (int kind = SYNOD__REPLICA_SEAL; kind <= SYNOD__REPLICA_DELETE; kind++) {
            s_draw (&in, (synod__replica_kind_t) kind);
            s_pack (&in, &body);
            synod_str_t exact = check_exact (synod_str_n (body.data, body.size));
            check_ok (s_take (exact, &out, &fault), fault);
            s_same (&in.message, &out.message);
            assert_true (synod_str_is (out.record.type, in.type) && out.record.partition == in.partition);
            assert_memory_equal (out.record.to.data, in.to.bytes, sizeof in.to.bytes);
            free ((char *) exact.data);
        }
    synod_buf_free (&body);
}

/* Cut short it is refused, with other bytes in it it is refused or another message. */
static void test_damage (void **state)
{
    (void) state;
    static s_case_t in;
    static s_taken_t out;
    synod_buf_t body = {0}, again = {0};
    synod_fault_t fault;
    uint64_t refused = 0, taken = 0;
    for (int kind = SYNOD__REPLICA_SEAL; kind <= SYNOD__REPLICA_DELETE; kind++)
        for (int i = 0; i < 12; i++) {
            do {
                s_draw (&in, (synod__replica_kind_t) kind);
                s_pack (&in, &body);
            } while (body.size > 3000);
            for (uint32_t size = 0; size < body.size; size++) {
                synod_str_t cut = check_exact (synod_str_n (body.data, size));
                assert_int_equal (s_take (cut, &out, &fault), SYNOD_BAD_REQUEST);
                assert_true (fault.code == SYNOD_BAD_REQUEST && fault.text[0]);
                free ((char *) cut.data);
            }
            synod_str_t exact = check_exact (synod_str_n (body.data, body.size));
            for (int flip = 0; flip < 3000; flip++) {
                char *bytes = (char *) exact.data;
                memcpy (bytes, body.data, body.size);
                for (uint64_t n = 1 + s_below (3); n; n--)
                    bytes[s_below (body.size)] = s_below (2) ? (char) s_random () : (char) (0x90 + s_below (80));
                int rc = s_take (exact, &out, &fault);
                if (rc != SYNOD_OK) {
                    assert_true (rc == SYNOD_BAD_REQUEST && fault.code == rc && fault.text[0]);
                    refused++;
                    continue;
                }
                taken++; /* it is one that can be sent, and comes back as it is */
                s_taken_t *back = (s_taken_t *) malloc (sizeof *back);
                assert_non_null (back);
                synod__place_copy_t record = out.record;
                synod_buf_t room = {0};
                assert_int_equal (synod__replica_wire_pack (&out.message, &record, &room), SYNOD_OK);
                again.size = 0;
                check_ok (synod_record_pack (&synod__place_copy_record, &record, &again, &fault), fault);
                check_ok (s_take (synod_str_n (again.data, again.size), back, &fault), fault);
                s_same (&out.message, &back->message);
                synod_buf_free (&room);
                free (back);
            }
            free ((char *) exact.data);
        }
    assert_true (refused > 10000 && taken > 10000); /* both were seen */
    synod_buf_free (&body);
    synod_buf_free (&again);
}

/* The largest of each kind fits a frame; one byte, key or batch more is no message. */
static void test_limits (void **state)
{
    (void) state;
    static s_case_t in;
    static s_taken_t out;
    static synod_buf_t body, room;
    synod_fault_t fault;
    synod__replica_message_t *message = &in.message;
    synod__place_copy_t record = {.type = synod_str ("kv")};
    for (int chunk = 0; chunk < 2; chunk++) {
        s_draw (&in, chunk ? SYNOD__REPLICA_CHUNK : SYNOD__REPLICA_BATCHES);
        memset (in.type, 'a', SYNOD_NAME_MAX);
        in.partition = SYNOD__PARTITIONS_MAX - 1;
        message->epoch = message->mark = message->last = message->n = message->round = UINT64_MAX;
        message->base = message->at = message->after_epoch = message->after_n = UINT64_MAX;
        message->whole = message->staging = message->scanned = message->more = true;
        message->key = message->last_key = s_text (SYNOD__PLACE_KEY_MAX);
        message->nruns = SYNOD__REPLICA_RUNS_MAX;
        message->runs = in.runs;
        for (int i = 0; i < SYNOD__REPLICA_RUNS_MAX; i++)
            in.runs[i] = (synod__replica_run_t){UINT64_MAX, UINT64_MAX};
        message->nbatches = SYNOD__REPLICA_BATCHES_MAX;
        message->batches = in.batches;
        for (int i = 0; i < SYNOD__REPLICA_BATCHES_MAX; i++)
            in.batches[i] = (synod__replica_batch_t){UINT64_MAX, UINT64_MAX, synod_str_n (s_bytes, 0)};
        if (chunk)
            message->entries = synod_str_n (s_bytes, SYNOD__REPLICA_BATCH_MAX);
        else
            in.batches[7].bytes = synod_str_n (s_bytes, SYNOD__REPLICA_BATCH_MAX);
        s_pack (&in, &body); /* that it fits is asserted there */
        check_ok (s_take (synod_str_n (body.data, body.size), &out, &fault), fault);
        s_same (message, &out.message);
        in.batches[3].bytes.size = 1;
        assert_int_equal (synod__replica_wire_pack (message, &record, &room), SYNOD_TOO_LARGE);
        in.batches[3].bytes.size = 0;
        message->key.size++;
        assert_int_equal (synod__replica_wire_pack (message, &record, &room), SYNOD_TOO_LARGE);
        message->key.size--;
        message->last_key.size++;
        assert_int_equal (synod__replica_wire_pack (message, &record, &room), SYNOD_TOO_LARGE);
        message->last_key.size--;
        message->nruns++;
        assert_int_equal (synod__replica_wire_pack (message, &record, &room), SYNOD_TOO_LARGE);
        message->nruns--;
        message->nbatches++;
        assert_int_equal (synod__replica_wire_pack (message, &record, &room), SYNOD_TOO_LARGE);
        message->nbatches--;
        assert_int_equal (synod__replica_wire_pack (message, &record, &room), SYNOD_OK);
    }
}

static void test_refused (void **state)
{
    (void) state;
    static char sixteen[16];
    static s_taken_t out;
    synod_fault_t fault = {0};
    const synod_str_t id = synod_str_n (sixteen, 16);
    const synod__place_copy_t good = {.type = synod_str ("kv"), .kind = synod_str ("batches"), .to = id, .from = id};
    synod__place_copy_t in = good;
#define TAKE(words)                                                                                              \
    check_fault (synod__replica_wire_take (&in, &out.message, out.batches, out.runs, &fault), SYNOD_BAD_REQUEST, \
                 fault, words)
#define REFUSED(field, value, words) \
    in = good;                       \
    in.field = value;                \
    TAKE (words)
    check_ok (synod__replica_wire_take (&in, &out.message, out.batches, out.runs, &fault), fault);
    REFUSED (kind, synod_str ("batch"), "copy.kind: expected seal, sealed,");
    TAKE ("leaving or delete, got 'batch'");
    REFUSED (kind, synod_str (""), "got ''");
    REFUSED (to, synod_str_n (sixteen, 15), "copy.to: expected a store's id of 16 bytes, got 15 bytes");
    REFUSED (from, synod_str_n (sixteen, 0), "copy.from: expected a store's id of 16 bytes, got 0 bytes");
    REFUSED (batches, BYTES ("\x07"), "copy.batches: expected up to 64 batches of [epoch, n, bytes], got 1 bytes that");
    REFUSED (batches, BYTES ("\x91\x07"), "got 0 and then something else");
    REFUSED (batches, BYTES ("\x91\x92\x07\x01"), "got 0 and then something else");
    REFUSED (batches, BYTES ("\x92\x93\x07\x01\xc4\x01x\x93\x07\xff\xc4\x01x"), "got 1 and then something else");
    REFUSED (batches, BYTES ("\x91\x93\x07\x01\xa1x"), "got 0 and then something else");
    REFUSED (runs, BYTES ("\x91\x91\x07"), "copy.runs: expected up to 16 runs of [epoch, first], got 0 and then");
    REFUSED (runs, BYTES ("\x91\x92\x07\xa1x"), "got 0 and then something else");
    REFUSED (runs, BYTES ("\x80"), "got 1 bytes that are none");
    in = good; /* one more than there may be */
    static char many[3 + 65 * 6];
    memcpy (many, "\xdc\x00\x41", 3);
    for (int i = 0; i < 65; i++)
        memcpy (many + 3 + i * 5, "\x93\x07\x01\xc4\x00", 5);
    in.batches = synod_str_n (many, 3 + 65 * 5);
    TAKE ("got 328 bytes that are none");
    many[2]--;
    in.batches.size -= 5;
    check_ok (synod__replica_wire_take (&in, &out.message, out.batches, out.runs, &fault), fault);
    assert_int_equal (out.message.nbatches, 64);
    in = good;
    memcpy (many, "\xdc\x00\x11", 3);
    for (int i = 0; i < 17; i++)
        memcpy (many + 3 + i * 3, "\x92\x07\x01", 3);
    in.runs = synod_str_n (many, 3 + 17 * 3);
    TAKE ("got 54 bytes that are none");
    in = good;
    in.batches = BYTES ("\x91\x93\x07\x01\xc4\x01x");
    in.entries = synod_str_n (s_bytes, SYNOD__REPLICA_BATCH_MAX);
    TAKE ("expected up to 241664 bytes of them and of entries, got 241665 bytes");
}

/* Nothing there: a nil, a missing field and an empty array are the same. */
static void test_nothing (void **state)
{
    (void) state;
    static s_taken_t out;
    synod_fault_t fault;
    static const struct {
        const char *bytes;
        size_t size;
    } ends[] = {{"", 0},
                {"\xa7"
                 "batches\xc0",
                 9},
                {"\xa7"
                 "batches\x90",
                 9},
                {"\xa4"
                 "runs\xc0",
                 6},
                {"\xa4"
                 "runs\x90",
                 6}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        static const char head[] = "\x86\xa4type\xa2kv\xa9partition\x07\xa4kind\xa3"
                                   "ack"
                                   "\xa2to\xc4\x10"
                                   "0123456789abcdef"
                                   "\xa4"
                                   "from\xc4\x10"
                                   "fedcba9876543210"
                                   "\xa5"
                                   "epoch\x09";
        char body[sizeof head + 16];
        memcpy (body, head, sizeof head - 1);
        body[0] = (char) (ends[i].size ? 0x87 : 0x86);
        memcpy (body + sizeof head - 1, ends[i].bytes, ends[i].size);
        check_ok (s_take (synod_str_n (body, sizeof head - 1 + ends[i].size), &out, &fault), fault);
        assert_true (out.message.kind == SYNOD__REPLICA_ACK && out.message.epoch == 9 && out.record.partition == 7);
        assert_true (out.message.nbatches == 0 && !out.message.batches && out.message.nruns == 0 && !out.message.runs);
        assert_memory_equal (out.message.from.bytes, "fedcba9876543210", 16);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_round_trip), cmocka_unit_test (test_damage),
                                       cmocka_unit_test (test_limits), cmocka_unit_test (test_refused),
                                       cmocka_unit_test (test_nothing)};
    return cmocka_run_group_tests (tests, s_setup, NULL);
}
