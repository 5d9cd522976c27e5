/* SPDX-License-Identifier: MPL-2.0
 *
 * Everything an actor, a client or an embedder needs. Each header has its own contract.
 */
#ifndef SYNOD_H_INCLUDED
#define SYNOD_H_INCLUDED

#define SYNOD_VERSION "0.1.0"

#include <synod/actor.h>
#include <synod/broker.h>
#include <synod/error.h>
#include <synod/gateway.h>
#include <synod/handle.h>
#include <synod/kv.h>
#include <synod/limits.h>
#include <synod/lock.h>
#include <synod/node.h>
#include <synod/record.h>
#include <synod/history.h>
#include <synod/sim.h>
#include <synod/txn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library in use, as SYNOD_VERSION is that of the headers. Static storage. */
SYNOD_API const char *synod_version (void);

#ifdef __cplusplus
}
#endif
#endif
