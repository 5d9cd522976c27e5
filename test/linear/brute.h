/* SPDX-License-Identifier: MPL-2.0
 *
 * A second opinion on small histories: every order of the operations is tried, on objects with rules of their own.
 * Nothing of the checker or of its models is used.
 */
#ifndef SYNOD_TEST_LINEAR_BRUTE_H_INCLUDED
#define SYNOD_TEST_LINEAR_BRUTE_H_INCLUDED

#include <synod/history.h>

#define BRUTE_MAX 10 /* operations a key */

/* Whether the operations of KEY are linearizable. If not, *STUCK is the number of the operation of the latest
 * completion that no order could pass. */
bool brute (const synod_history_t *history, uint32_t key, uint32_t *stuck);

#endif
