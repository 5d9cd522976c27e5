/* SPDX-License-Identifier: MPL-2.0
 *
 * A disk in memory: what a node without --data has, and every node in the simulator, where it outlives its node.
 */
#ifndef SYNOD_RUNTIME_MEMORY_DISK_H_INCLUDED
#define SYNOD_RUNTIME_MEMORY_DISK_H_INCLUDED

#include "disk.h"

/* ID: of the store; 16 random bytes. The caller owns the disk and ends it by ops->close. */
synod__disk_t *synod__memory_disk_new (const uint8_t id[SYNOD__DISK_ID]);

/* For a disk of the simulator on top of it, whose commits take a while: one is begun, and the first of those begun is durable.
 * A commit makes all of them durable. */
void synod__memory_disk_begin (synod__disk_t *self);
void synod__memory_disk_settle (synod__disk_t *self);

/* What a crash does: all that was not committed is gone, also if that was begun. A broken disk works again. */
void synod__memory_disk_crash (synod__disk_t *self);

/* It is broken from now on, by CODE, until it has crashed. */
void synod__memory_disk_break (synod__disk_t *self, int code);

/* After COUNT more commits the next one fails with CODE (SYNOD_IO or SYNOD_FULL), and the disk is broken until it has
 * crashed. For tests and the simulator. */
void synod__memory_disk_fail (synod__disk_t *self, uint32_t count, int code);

#endif
