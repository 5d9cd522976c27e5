/* SPDX-License-Identifier: MPL-2.0
 *
 * No memory is taken on the hot path: malloc and its kin are counted while frames are read and records unpacked, and
 * while a batch whose buffer has grown already is filled again.
 */
#include "check.h"

extern void *__libc_malloc (size_t size);
extern void *__libc_realloc (void *old, size_t size);
extern void *__libc_calloc (size_t count, size_t size);
void *malloc (size_t size);
void *realloc (void *old, size_t size);
void *calloc (size_t count, size_t size);
static volatile unsigned long s_count;

void *malloc (size_t size)
{
    s_count++;
    return __libc_malloc (size);
}

void *realloc (void *old, size_t size)
{
    s_count++;
    return __libc_realloc (old, size);
}

void *calloc (size_t count, size_t size)
{
    s_count++;
    return __libc_calloc (count, size);
}

#define POINT_FIELDS(FIELD, OPT) FIELD (i64, x, 100, "x")
SYNOD_RECORD (point, POINT_FIELDS, 0, "an element")
#define SHAPE_FIELDS(FIELD, OPT)  \
    FIELD (str, name, 63, "")     \
    OPT (list, points, point, "") \
    OPT (f64, size, 0, "")
SYNOD_RECORD (shape, SHAPE_FIELDS, 0, "nested")

static void s_fill (synod__batch_t *batch, const shape_t *shape)
{
    assert_int_equal (synod__batch_begin (batch, synod_str ("w1/shapes"), synod_str ("n1"), 1, 0), SYNOD_OK);
    synod_envelope_t e = {.kind = SYNOD_KIND_TELL, .method = synod_str ("shape"), .from = synod_str ("main")};
    for (int i = 0; i < 1000; i++)
        assert_int_equal (synod__batch_add_record (batch, &e, &shape_record, shape, NULL), SYNOD_OK);
}

static void test_counting (void **state)
{
    (void) state;
    unsigned long before = s_count;
    synod_buf_t buf = {0};
    assert_int_equal (synod__buf_add (&buf, "a", 1), SYNOD_OK);
    synod_buf_free (&buf);
    assert_int_equal (s_count, before + 1);
}

static void test_hot_path (void **state)
{
    (void) state;
    synod__batch_t batch = {0};
    synod_buf_t items = {0};
    shape_t shape = {.name = synod_str ("triangle"), .size = 1.5};
    for (int i = 0; i < 3; i++) {
        point_t p = {.x = i};
        assert_int_equal (synod_list_add (&shape.points, &items, &point_record, &p, NULL), SYNOD_OK);
    }
    s_fill (&batch, &shape);
    unsigned long before = s_count;
    s_fill (&batch, &shape);
    assert_int_equal (s_count, before);
    synod_frame_t frame;
    synod_envelope_t e;
    int points = 0;
    assert_int_equal (synod__frame_open (&frame, batch.buf.data, batch.buf.size, NULL), SYNOD_OK);
    while (synod__frame_next (&frame, &e, NULL) == SYNOD_OK) {
        shape_t in;
        point_t p;
        assert_int_equal (synod_record_unpack (&shape_record, e.body, &in, NULL), SYNOD_OK);
        while (synod_list_next (&in.points, &point_record, &p))
            points++;
    }
    assert_int_equal (points, 3000);
    assert_int_equal (s_count, before);
    synod__batch_free (&batch);
    synod_buf_free (&items);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_counting),
        cmocka_unit_test (test_hot_path),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
