/* SPDX-License-Identifier: MPL-2.0
 *
 * A world's history, checked: the verdict becomes the world's.
 */
#include "internal.h"

int synod_sim_linear (synod_sim_t *self, const synod_history_t *history, const synod_linear_bounds_t *bounds)
{
    synod_linear_t result = {0};
    synod_buf_t text = {0};
    int rc = synod_linear_check (history, bounds, &result);
    if (rc != SYNOD_OK)
        return synod_sim_fail (self, "the history cannot be checked: %s", synod_error_meaning (rc));
    if (result.verdict == SYNOD_LINEAR_NO) {
        if (synod_linear_explain (history, &result, &text) == SYNOD_OK && synod__buf_add (&text, "", 1) == SYNOD_OK)
            synod_sim_note (self, text.data);
        synod_str_t key = synod_history_key (history, result.key);
        rc = synod_sim_fail (self, "the history of %.*s is not linearizable: after %u of %u operations nothing fits",
                             SYNOD_STR (key), result.placed, result.operations);
    } else if (result.verdict == SYNOD_LINEAR_UNKNOWN)
        rc = synod_sim_fail (self, "whether the history is linearizable was not found out: %s", result.why);
    synod_buf_free (&text);
    synod_linear_free (&result);
    return rc;
}
