/* SPDX-License-Identifier: MPL-2.0
 *
 * What the tests of planted bugs share: seeds, one after the other, until one fails.
 */
#ifndef SYNOD_TEST_MUTANTS_SEEK_H_INCLUDED
#define SYNOD_TEST_MUTANTS_SEEK_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <synod/sim.h>

#define SEEK_PLANS_MAX 8

/* The first seed up to SEEDS that fails, with its sentence in TEXT; 0 when none does. PLANS: what the worlds follow, in
 * turn; NULL: all is drawn. */
uint64_t seek (const synod_scenario_t *scenario, uint64_t seeds, int64_t length_ms, const char *const *plans,
               size_t nplans, char *text, size_t size);

#endif
