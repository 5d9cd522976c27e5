/* SPDX-License-Identifier: MPL-2.0
 *
 * Any bytes on a connection of Redis' clients to a cache. What is answered does not depend on the pieces in which they come,
 * and the cache keeps its invariants. The first byte says how large the pieces are.
 */
#include "actors/cache/cache_actor.h"
#include "fuzz.h"
#include "test/redis/gate_host.h"

static void s_run (const uint8_t *data, size_t size, size_t piece, synod_buf_t *out)
{
    static gate_host_t host;
    const synod__cache_args_t args = {.memory = SYNOD__CACHE_LEAST, .redis = synod_str ("127.0.0.1:1")};
    memset (&host, 0, sizeof host);
    FUZZ_CHECK (gate_start (&host, &synod__cache_actor, &args, NULL) == SYNOD_OK);
    gate_conn_t *conn = gate_connect (&host);
    for (size_t at = 0; at < size && conn->conn; at += piece)
        gate_feed (&host, conn, data + at, size - at < piece ? size - at : piece);
    FUZZ_CHECK (!conn->held);
    out->size = 0;
    FUZZ_CHECK (synod__buf_add (out, conn->out.data, conn->out.size) == SYNOD_OK);
    gate_end (&host);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static synod_buf_t whole, pieces;
    if (size < 2 || size > SYNOD_FRAME_MAX)
        return 0;
    size_t piece = data[0] ? data[0] : 1000;
    s_run (data + 1, size - 1, size, &whole);
    s_run (data + 1, size - 1, piece, &pieces);
    FUZZ_CHECK (whole.size == pieces.size && (!whole.size || memcmp (whole.data, pieces.data, whole.size) == 0));
    return 0;
}
