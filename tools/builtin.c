/* SPDX-License-Identifier: MPL-2.0
 *
 * The tables of what is built in: actor types, and scenarios of the simulator.
 */
#include "builtin.h"
#include "scenarios.h"
#include "actors/cache/cache_actor.h"
#include "actors/kv/kv.h"
#include "actors/lock/lock_actor.h"
#include "actors/place/paxos_actor.h"
#include "actors/place/ring_actor.h"
#include "actors/vote/ballot.h"
#include "actors/vote/vote_actor.h"

const synod_actor_t *const synod__builtin_types[] = {
    &synod__builtin_echo, &synod__cache_actor, &synod__kv_actor,       &synod__lock_actor,   &synod__paxos_actor,
    &synod__ring_actor,   &synod__vote_actor,  &synod__acceptor_actor, &synod__ballot_actor, NULL};
const synod_scenario_t *const synod__builtin_scenarios[] = {&synod__scenario_counter,    &synod__scenario_register,
                                                            &synod__scenario_echo,       &synod__scenario_kv,
                                                            &synod__scenario_lock,       &synod__scenario_lock_drift,
                                                            &synod__scenario_lock_tight, &synod__scenario_paxos,
                                                            &synod__scenario_placed,     &synod__scenario_ring,
                                                            &synod__scenario_cache,      &synod__scenario_vote,
                                                            &synod__scenario_txn,        NULL};
