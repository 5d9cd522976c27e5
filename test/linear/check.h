/* SPDX-License-Identifier: MPL-2.0
 *
 * What the tests of histories share: cmocka, checking and explaining.
 */
#ifndef SYNOD_TEST_LINEAR_CHECK_H_INCLUDED
#define SYNOD_TEST_LINEAR_CHECK_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <synod/history.h>
#include "protocol/frame.h"

/* The text of OUT, with its NUL. */
static inline const char *check_text (synod_buf_t *out)
{
    assert_int_equal (synod__buf_add (out, "", 1), SYNOD_OK);
    out->size--;
    return out->data;
}

/* The verdict within BOUNDS (NULL: the defaults) has to be WANTED; fails with WHAT, the explanation and the history
 * if not too long. RESULT is the caller's to free. */
static inline void check_verdict (const synod_history_t *history, const synod_linear_bounds_t *bounds,
                                  synod_verdict_t wanted, synod_linear_t *result, const char *what)
{
    assert_int_equal (synod_linear_check (history, bounds, result), SYNOD_OK);
    if (result->verdict == wanted)
        return;
    synod_buf_t out = {0};
    synod_linear_explain (history, result, &out);
    if (synod_history_count (history) < 50)
        synod_history_save (history, &out);
    fail_msg ("%s: expected %s, got %s\n%s", what, synod_verdict_name (wanted), synod_verdict_name (result->verdict),
              check_text (&out));
}

/* What a `no` claims, looked at without the search: its order is possible for the model, keeps to the order of time,
 * and has all that ended before the one that is stuck. */
void check_prefix (const synod_history_t *history, const synod_linear_t *result, const char *what);

#endif
