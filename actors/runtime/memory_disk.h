/* SPDX-License-Identifier: MPL-2.0
 *
 * A disk in memory: what a node without --data has, and every node in the simulator, where it outlives its node.
 */
#ifndef SYNOD_RUNTIME_MEMORY_DISK_H_INCLUDED
#define SYNOD_RUNTIME_MEMORY_DISK_H_INCLUDED

#include "disk.h"

/* ID: of the store; 16 random bytes. The caller owns the disk and ends it by ops->close. */
synod__disk_t *synod__memory_disk_new (const uint8_t id[SYNOD__DISK_ID]);

/* What a crash does: all that was not committed is gone. A broken disk works again. */
void synod__memory_disk_crash (synod__disk_t *self);

/* After COUNT more commits the next one fails with CODE (SYNOD_IO or SYNOD_FULL), and the disk is broken until it has
 * crashed. For tests and the simulator. */
void synod__memory_disk_fail (synod__disk_t *self, uint32_t count, int code);

#endif
