/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenarios that `synod sim` knows by name.
 */
#ifndef SYNOD_TOOLS_SCENARIOS_H_INCLUDED
#define SYNOD_TOOLS_SCENARIOS_H_INCLUDED

#include <synod/sim.h>

extern const synod_scenario_t synod__scenario_cache, synod__scenario_counter, synod__scenario_echo, synod__scenario_kv,
    synod__scenario_lock, synod__scenario_lock_drift, synod__scenario_lock_unfenced, synod__scenario_lock_tight,
    synod__scenario_paxos, synod__scenario_placed, synod__scenario_register, synod__scenario_ring, synod__scenario_txn,
    synod__scenario_vote;

/* All of them, NULL-terminated. */
extern const synod_scenario_t *const synod__builtin_scenarios[];

#endif
