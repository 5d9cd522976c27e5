/* SPDX-License-Identifier: MPL-2.0
 *
 * The reader against msgpack-c: random values packed by msgpack-c are walked by both and must be the same, and bytes
 * changed at random must be whole to both or to neither. Records packed by us are unpacked by msgpack-c.
 */
#include <msgpack.h>
#include "check.h"
#include "protocol/reader.h"

static uint64_t s_seed = 0x9e3779b97f4a7c15u;

static uint64_t s_any (void)
{
    /* all widths alike */
    return check_random (&s_seed) >> check_random (&s_seed) % 64;
}

static void s_pack_random (msgpack_packer *pk, int depth)
{
    static const char text[70000];
    uint64_t choice = check_random (&s_seed) % (depth > 0 ? 11 : 9), n = s_any ();
    size_t size = n % (check_random (&s_seed) % 50 == 0 ? sizeof text : 40);
    double d;
    switch (choice) {
    case 0:
        msgpack_pack_nil (pk);
        break;
    case 1:
        n & 1 ? msgpack_pack_true (pk) : msgpack_pack_false (pk);
        break;
    case 2:
        msgpack_pack_uint64 (pk, n);
        break;
    case 3:
        msgpack_pack_int64 (pk, (int64_t) (0 - n));
        break;
    case 4:
        memcpy (&d, &n, sizeof d);
        msgpack_pack_double (pk, d);
        break;
    case 5:
        msgpack_pack_float (pk, (float) n);
        break;
    case 6:
        msgpack_pack_str (pk, size);
        msgpack_pack_str_body (pk, text, size);
        break;
    case 7:
        msgpack_pack_bin (pk, size);
        msgpack_pack_bin_body (pk, text, size);
        break;
    case 8:
        msgpack_pack_ext (pk, size, (int8_t) n);
        msgpack_pack_ext_body (pk, text, size);
        break;
    default:
        size = n % (check_random (&s_seed) % 20 == 0 ? 40 : 5);
        choice == 9 ? msgpack_pack_array (pk, size) : msgpack_pack_map (pk, size);
        for (size_t i = 0; i < (choice == 9 ? size : 2 * size); i++)
            s_pack_random (pk, depth - 1);
    }
}

/* msgpack-c has NULL for what is empty, which memcmp must not be given. */
static bool s_equal (const synod__value_t *v, const char *data, uint32_t size)
{
    return v->size == size && (size == 0 || memcmp (v->data, data, size) == 0);
}

/* The same bits, or both not a number: msgpack-c widens the signalling ones its own way. */
static bool s_same_float (double a, double b)
{
    uint64_t bits[2];
    memcpy (&bits[0], &a, sizeof a);
    memcpy (&bits[1], &b, sizeof b);
    return bits[0] == bits[1] || (a != a && b != b);
}

/* Takes one value from R and compares it with what msgpack-c made of it. */
static bool s_same (synod__reader_t *r, const msgpack_object *o)
{
    synod__value_t v;
    if (synod__read (r, &v) != SYNOD_OK)
        return false;
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        return v.type == SYNOD__NIL;
    case MSGPACK_OBJECT_BOOLEAN:
        return v.type == SYNOD__BOOL && v.b == o->via.boolean;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return v.type == SYNOD__UINT && v.u == o->via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return v.type == SYNOD__INT && v.i == o->via.i64;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return v.type == SYNOD__FLOAT && s_same_float (v.f, o->via.f64);
    case MSGPACK_OBJECT_STR:
        return v.type == SYNOD__STR && s_equal (&v, o->via.str.ptr, o->via.str.size);
    case MSGPACK_OBJECT_BIN:
        return v.type == SYNOD__BIN && s_equal (&v, o->via.bin.ptr, o->via.bin.size);
    case MSGPACK_OBJECT_EXT:
        return v.type == SYNOD__EXT && v.ext_type == o->via.ext.type && s_equal (&v, o->via.ext.ptr, o->via.ext.size);
    case MSGPACK_OBJECT_ARRAY:
        if (v.type != SYNOD__ARRAY || v.size != o->via.array.size)
            return false;
        for (uint32_t i = 0; i < v.size; i++)
            if (!s_same (r, &o->via.array.ptr[i]))
                return false;
        return true;
    case MSGPACK_OBJECT_MAP:
        if (v.type != SYNOD__MAP || v.size != o->via.map.size)
            return false;
        for (uint32_t i = 0; i < v.size; i++)
            if (!s_same (r, &o->via.map.ptr[i].key) || !s_same (r, &o->via.map.ptr[i].val))
                return false;
        return true;
    }
    return false;
}

static void test_random_values (void **state)
{
    (void) state;
    msgpack_sbuffer packed;
    msgpack_sbuffer_init (&packed);
    msgpack_packer pk;
    msgpack_packer_init (&pk, &packed, msgpack_sbuffer_write);
    for (int round = 0; round < 20000; round++) {
        msgpack_sbuffer_clear (&packed);
        s_pack_random (&pk, 4);
        synod_str_t bytes = check_exact (synod_str_n (packed.data, packed.size)), raw;
        msgpack_unpacked result;
        msgpack_unpacked_init (&result);
        assert_int_equal (msgpack_unpack_next (&result, bytes.data, bytes.size, NULL), MSGPACK_UNPACK_SUCCESS);
        synod__reader_t r = synod__reader (bytes);
        assert_true (s_same (&r, &result.data));
        assert_ptr_equal (r.at, r.end);
        r = synod__reader (bytes);
        assert_int_equal (synod__read_raw (&r, SYNOD_DEPTH_MAX, &raw), SYNOD_OK);
        assert_int_equal (raw.size, bytes.size);
        msgpack_unpacked_destroy (&result);
        free ((void *) bytes.data);
    }
    msgpack_sbuffer_destroy (&packed);
}

/* msgpack-c believes counts and allocates for them; so only what we find whole goes to it, which must agree. What we
 * find cut short it must not find whole, where no count is large. */
static void test_changed_bytes (void **state)
{
    (void) state;
    msgpack_sbuffer packed;
    msgpack_sbuffer_init (&packed);
    msgpack_packer pk;
    msgpack_packer_init (&pk, &packed, msgpack_sbuffer_write);
    unsigned whole = 0, refused = 0;
    for (int round = 0; round < 100000; round++) {
        msgpack_sbuffer_clear (&packed);
        s_pack_random (&pk, 3);
        if (packed.size > 200)
            continue;
        packed.data[check_random (&s_seed) % packed.size] = (char) check_random (&s_seed);
        synod_str_t bytes = check_exact (synod_str_n (packed.data, packed.size)), raw;
        synod__reader_t r = synod__reader (bytes);
        int rc = synod__read_raw (&r, SYNOD_DEPTH_MAX, &raw);
        bool large = memchr (bytes.data, 0xdd, bytes.size) || memchr (bytes.data, 0xdf, bytes.size);
        if (rc == SYNOD_OK || !large) {
            msgpack_unpacked result;
            msgpack_unpacked_init (&result);
            size_t taken = 0;
            msgpack_unpack_return ours = msgpack_unpack_next (&result, bytes.data, bytes.size, &taken);
            assert_int_equal (rc == SYNOD_OK, ours == MSGPACK_UNPACK_SUCCESS);
            if (rc == SYNOD_OK) {
                assert_int_equal (raw.size, taken);
                r = synod__reader (bytes);
                assert_true (s_same (&r, &result.data));
            }
            msgpack_unpacked_destroy (&result);
        }
        rc == SYNOD_OK ? whole++ : refused++;
        free ((void *) bytes.data);
    }
    assert_true (whole > 1000 && refused > 1000);
    msgpack_sbuffer_destroy (&packed);
}

#define MIX_FIELDS(FIELD, OPT)     \
    FIELD (u64, u, UINT64_MAX, "") \
    FIELD (i64, i, INT64_MAX, "")  \
    FIELD (f64, f, 0, "")          \
    FIELD (bit, b, 0, "")          \
    FIELD (str, s, 100000, "")     \
    FIELD (bin, x, 100000, "")
SYNOD_RECORD (mix, MIX_FIELDS, 0, "what has a value of its own")

static const msgpack_object *s_get (const msgpack_object *map, const char *key)
{
    for (uint32_t i = 0; i < map->via.map.size; i++)
        if (map->via.map.ptr[i].key.via.str.size == strlen (key) &&
            memcmp (map->via.map.ptr[i].key.via.str.ptr, key, strlen (key)) == 0)
            return &map->via.map.ptr[i].val;
    fail_msg ("no %s in the map", key);
    return NULL;
}

static void test_records (void **state)
{
    (void) state;
    static char text[70000];
    memset (text, 'a', sizeof text);
    synod_buf_t out = {0};
    for (int round = 0; round < 20000; round++) {
        synod_fault_t fault = {0};
        size_t size = s_any () % (round % 50 == 0 ? sizeof text : 300);
        uint64_t n = s_any ();
        mix_t in = {.u = n, .i = (int64_t) (0 - s_any ()), .f = (double) n / 3, .b = n & 1};
        in.s = synod_str_n (text, size);
        in.x = synod_str_n (text, size / 2);
        out.size = 0;
        check_ok (synod_record_pack (&mix_record, &in, &out, &fault), fault);
        msgpack_unpacked result;
        msgpack_unpacked_init (&result);
        size_t taken = 0;
        assert_int_equal (msgpack_unpack_next (&result, out.data, out.size, &taken), MSGPACK_UNPACK_SUCCESS);
        assert_int_equal (taken, out.size);
        const msgpack_object *map = &result.data;
        assert_int_equal (map->type, MSGPACK_OBJECT_MAP);
        assert_int_equal (map->via.map.size, 6);
        assert_true (s_get (map, "u")->via.u64 == in.u && s_get (map, "i")->via.i64 == in.i);
        assert_true (s_get (map, "f")->via.f64 == in.f && s_get (map, "b")->via.boolean == in.b);
        assert_true (s_get (map, "s")->type == MSGPACK_OBJECT_STR && s_get (map, "s")->via.str.size == size);
        assert_true (s_get (map, "x")->type == MSGPACK_OBJECT_BIN && s_get (map, "x")->via.bin.size == size / 2);
        msgpack_unpacked_destroy (&result);
    }
    synod_buf_free (&out);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_random_values),
        cmocka_unit_test (test_changed_bytes),
        cmocka_unit_test (test_records),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
