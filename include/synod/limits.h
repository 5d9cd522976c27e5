/* SPDX-License-Identifier: MPL-2.0
 *
 * Every limit of the wire and of the runtime, in one place. Those of the wire are part of protocol/SPEC.md and hold
 * for every peer; the others are defaults that synod_options_t can change. Sizes are bytes unless the name says else.
 */
#ifndef SYNOD_LIMITS_H_INCLUDED
#define SYNOD_LIMITS_H_INCLUDED

/* the wire */
#define SYNOD_VERSION_WIRE  1
#define SYNOD_NAME_MAX      63           /* a node's, actor's, method's or field's name */
#define SYNOD_KEY_MAX       400          /* the key of actor#key */
#define SYNOD_ADDRESS_MAX   480          /* an address, its NUL not counted */
#define SYNOD_TOPIC_MAX     240          /* libzmq 4.3.4 mishandles subscriptions of 246 to 255 */
#define SYNOD_FRAME_MAX     (256 * 1024) /* a frame, address and header included */
#define SYNOD_FRAME_SLACK   4096         /* what `returned` and `tapped` may add around a whole frame */
#define SYNOD_ENVELOPES_MAX 65536        /* envelopes a frame */
#define SYNOD_DEPTH_MAX     16           /* nesting of a body, its own map counted */
#define SYNOD_FIELDS_MAX    64           /* fields a record declares */
#define SYNOD_BODY_MAX      (SYNOD_FRAME_MAX - 2048)

/* the runtime's defaults */
#define SYNOD_ACTORS_MAX         256               /* actors a node */
#define SYNOD_ROUTES_MAX         256               /* methods an actor */
#define SYNOD_ASKS_MAX           65536             /* own unanswered asks of a node */
#define SYNOD_CALLS_MAX          65536             /* unanswered calls a node keeps for others */
#define SYNOD_QUEUE_MAX          (8 * 1024 * 1024) /* bytes waiting for one destination */
#define SYNOD_TOPIC_HWM          64 /* frames of topics queued on each leg: when full ones, read within milliseconds */
#define SYNOD_BATCH_TARGET       (SYNOD_FRAME_MAX - 16 * 1024) /* a batch leaves for the wire when it has grown to this */
#define SYNOD_HEARTBEAT_MS       1000                          /* a node is known dead after three of these */
#define SYNOD_RESTARTS_MAX       3                             /* an actor that fails more often than this ... */
#define SYNOD_RESTARTS_WITHIN_MS 5000                          /* ... within this stays down */
#define SYNOD_ASK_MS             5000                          /* the deadline of an ask that names none */
#define SYNOD_MOVE_BYTES_S       (32 * 1024 * 1024) /* sent a second by a node to nodes that are to be replicas */
#define SYNOD_CONNS_MAX          10000              /* connections of a gateway */
#define SYNOD_CONN_IN_MAX        (64 * 1024 * 1024) /* a request of one */
#define SYNOD_CONN_OUT_MAX       (16 * 1024 * 1024) /* while more waits to be written to one, it is not read from */
#define SYNOD_CONN_STUCK_MS      30000              /* it is closed when it takes nothing for so long */
#define SYNOD_CLIENT_IDLE_S      3600               /* a client of commands that sent none for so long is forgotten */

/* what the file of a node's store may grow to: address space, and no disk, until it does; 1 GiB with 32-bit addresses */
#define SYNOD_DATA_MAX ((size_t) 1 << (sizeof (size_t) > 4 ? 36 : 30))

#endif
