/* SPDX-License-Identifier: MPL-2.0
 *
 * Drawn commands on few keys, with a few lines of C that say what each should do, and owners that come and go.
 */
#include <inttypes.h>
#include <stdio.h>
#include "memory_store.h"

#define KEYS  4
#define STEPS 60000

/* What a key should be. */
typedef struct {
    bool found;
    char data[256];
    uint64_t version, fence;
    int64_t until_ms;
} want_t;

static part_t s_part;
static want_t s_want[KEYS];
static uint64_t s_seed = 1, s_last;

static uint64_t s_draw (uint64_t most)
{
    s_seed ^= s_seed << 13;
    s_seed ^= s_seed >> 7;
    s_seed ^= s_seed << 17;
    return s_seed % most;
}

/* Whether a command with these may go on. */
static bool s_may (const want_t *want, uint64_t version, uint64_t fence, bool absent, bool present)
{
    return !(fence && fence < want->fence) && !((version || present) && !want->found) &&
           !(version && version != want->version) && !(absent && want->found);
}

static void s_written (want_t *want, uint64_t fence)
{
    assert_true (s_part.step.is.done);
    want->fence = fence > want->fence ? fence : want->fence;
    if (s_part.step.changed) {
        assert_true (s_part.step.version > s_last);
        s_last = s_part.step.version;
    }
    want->version = want->found ? s_part.step.is.version : 0;
}

static void s_check (const char *key, const want_t *want)
{
    part_holds (&s_part, key, want->found ? want->data : NULL);
    const synod__kv_is_t *is = &s_part.step.is;
    if (is->version != want->version || is->fence != want->fence || (int64_t) is->until_ms != want->until_ms)
        fail_msg ("%s: expected version %" PRIu64 ", fence %" PRIu64 ", deadline %" PRId64 ", it has %" PRIu64
                  ", %" PRIu64 ", %" PRIu64,
                  key, want->version, want->fence, want->until_ms, is->version, is->fence, is->until_ms);
}

static void s_put (const char *key, want_t *want, uint64_t version, uint64_t fence)
{
    char text[16];
    bool absent = s_draw (4) == 0, present = !absent && s_draw (4) == 0, keep = s_draw (4) == 0;
    uint64_t ttl_ms = s_draw (3) ? 0 : 1 + s_draw (50);
    snprintf (text, sizeof text, "%d", (int) s_draw (1000));
    assert_int_equal (part_do (&s_part, put, key, .data = synod_str (text), .version = version, .fence = fence,
                               .absent = absent, .present = present, .ttl_ms = ttl_ms, .keep = keep),
                      SYNOD_OK);
    if (!s_may (want, version, fence, absent, present)) {
        assert_false (s_part.step.is.done);
        return;
    }
    want->until_ms = ttl_ms ? s_part.now_ms + (int64_t) ttl_ms : keep && want->found ? want->until_ms : 0;
    want->found = true;
    snprintf (want->data, sizeof want->data, "%s", text);
    s_written (want, fence);
}

static void s_delete (const char *key, want_t *want, uint64_t version, uint64_t fence)
{
    assert_int_equal (part_do (&s_part, delete, key, .version = version, .fence = fence), SYNOD_OK);
    if (!s_may (want, version, fence, false, false)) {
        assert_false (s_part.step.is.done);
        return;
    }
    assert_int_equal (s_part.step.is.had, want->found);
    want->found = false;
    want->until_ms = 0;
    s_written (want, fence);
}

static void s_append (const char *key, want_t *want, uint64_t version, uint64_t fence)
{
    if (strlen (want->data) > 18 && want->found)
        return;
    assert_int_equal (part_do (&s_part, append, key, .data = synod_str ("7"), .version = version, .fence = fence),
                      SYNOD_OK);
    if (!s_may (want, version, fence, false, false))
        return;
    if (!want->found)
        want->data[0] = 0;
    size_t size = strlen (want->data);
    want->data[size] = '7';
    want->data[size + 1] = 0;
    want->found = true;
    s_written (want, fence);
}

static void s_incr (const char *key, want_t *want, uint64_t fence)
{
    int64_t delta = (int64_t) s_draw (2000) - 1000;
    int rc = part_do (&s_part, incr, key, .delta = delta, .fence = fence);
    if (!s_may (want, 0, fence, false, false))
        return;
    /* a number is just what would be written for it */
    char written[32];
    int64_t number = want->found ? strtoll (want->data, NULL, 10) : 0, sum;
    snprintf (written, sizeof written, "%" PRId64, number);
    if (want->found && (strcmp (written, want->data) != 0 || __builtin_add_overflow (number, delta, &sum))) {
        assert_int_equal (rc, SYNOD_REFUSED);
        return;
    }
    assert_int_equal (rc, SYNOD_OK);
    assert_true (s_part.step.is.number == number + delta);
    snprintf (want->data, sizeof want->data, "%" PRId64, number + delta);
    want->found = true;
    s_written (want, fence);
}

static void s_expire (const char *key, want_t *want, uint64_t version, uint64_t fence)
{
    uint64_t ttl_ms = s_draw (2) ? 0 : 1 + s_draw (50);
    assert_int_equal (part_do (&s_part, expire, key, .ttl_ms = ttl_ms, .version = version, .fence = fence), SYNOD_OK);
    if (!s_may (want, version, fence, false, true))
        return;
    want->until_ms = ttl_ms ? s_part.now_ms + (int64_t) ttl_ms : 0;
    s_written (want, fence);
}

static void s_sweep (void)
{
    int64_t next_ms;
    int rc = synod__kv_sweep (part_step (&s_part), 1 + (uint32_t) s_draw (3), &next_ms);
    s_part.memory.due_ms = next_ms;
    assert_int_equal (part_done (&s_part, rc), SYNOD_OK);
    s_last = s_part.step.changed ? s_part.step.version : s_last;
}

static void s_pass (int64_t ms)
{
    s_part.now_ms += ms;
    for (int i = 0; i < KEYS; i++)
        if (s_want[i].until_ms && s_want[i].until_ms <= s_part.now_ms) {
            s_want[i].found = false;
            s_want[i].version = 0;
            s_want[i].until_ms = 0;
        }
}

static void test_drawn (void **state)
{
    (void) state;
    part_begin (&s_part);
    for (int i = 0; i < STEPS; i++) {
        char key[8];
        uint32_t which = (uint32_t) s_draw (KEYS);
        want_t *want = &s_want[which];
        snprintf (key, sizeof key, "k%u", which);
        uint64_t version = s_draw (4) ? 0 : s_draw (2) ? want->version : 1 + s_draw (s_part.position);
        uint64_t fence = s_draw (4) ? 0 : want->fence + s_draw (3) - (want->fence ? 1 : 0);
        switch (s_draw (10)) {
        case 0:
        case 1:
        case 2:
            s_put (key, want, version, fence);
            break;
        case 3:
            s_delete (key, want, version, fence);
            break;
        case 4:
            s_append (key, want, version, fence);
            break;
        case 5:
        case 6:
            s_incr (key, want, fence);
            break;
        case 7:
            s_expire (key, want, version, fence);
            break;
        case 8:
            s_sweep ();
            break;
        default:
            s_pass ((int64_t) s_draw (20));
            if (s_draw (20) == 0)
                part_reload (&s_part);
        }
        s_check (key, want);
    }
    part_end (&s_part);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_drawn)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
