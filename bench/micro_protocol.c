/* SPDX-License-Identifier: MPL-2.0
 *
 * What the protocol costs: nanoseconds to write an envelope with a small record, to read one with its body passed over,
 * and to unpack its record; and the allocations made meanwhile, which must be none. Medians of several runs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "protocol/frame.h"

#define S_ENVELOPES 1000 /* in a frame */
#define S_ROUNDS    2000 /* frames a run */
#define S_RUNS      7

#define ADD_FIELDS(FIELD, OPT) FIELD (i64, amount, INT64_MAX, "how much")
SYNOD_RECORD (add, ADD_FIELDS, 0, "one field")
#define ORDER_FIELDS(FIELD, OPT)             \
    FIELD (str, customer, 63, "who")         \
    FIELD (u64, article, UINT64_MAX, "what") \
    FIELD (f64, price, 0, "how much")        \
    OPT (bit, urgent, 0, "when")             \
    OPT (str, note, 255, "why")
SYNOD_RECORD (order, ORDER_FIELDS, 0, "five fields")

/* glibc lets a program put its own malloc in front; these count and pass on. */
extern void *__libc_malloc (size_t size);
extern void *__libc_realloc (void *old, size_t size);
extern void *__libc_calloc (size_t count, size_t size);
void *malloc (size_t size);
void *realloc (void *old, size_t size);
void *calloc (size_t count, size_t size);
static volatile unsigned long s_allocations;

void *malloc (size_t size)
{
    s_allocations++;
    return __libc_malloc (size);
}

void *realloc (void *old, size_t size)
{
    s_allocations++;
    return __libc_realloc (old, size);
}

void *calloc (size_t count, size_t size)
{
    s_allocations++;
    return __libc_calloc (count, size);
}

typedef struct {
    synod__batch_t batch;
    synod_envelope_t envelope;
    const synod_record_t *record;
    const void *rec;
} s_work_t;

static uint64_t s_sum; /* keeps the compiler from leaving the work out */

static void s_check (int rc, const char *what)
{
    if (rc != SYNOD_OK) {
        fprintf (stderr, "micro_protocol: %s: %s\n", what, synod_error_name (rc));
        exit (1);
    }
}

static void s_write (s_work_t *work)
{
    s_check (synod__batch_begin (&work->batch, synod_str ("worker/counter"), synod_str ("client"), 1, 0), "begin");
    for (uint64_t i = 0; i < S_ENVELOPES; i++) {
        work->envelope.id = i + 1;
        s_check (synod__batch_add_record (&work->batch, &work->envelope, work->record, work->rec, NULL), "add");
    }
}

static void s_read (s_work_t *work)
{
    synod_frame_t frame;
    synod_envelope_t e;
    s_check (synod__frame_open (&frame, work->batch.buf.data, work->batch.buf.size, NULL), "open");
    while (synod__frame_next (&frame, &e, NULL) == SYNOD_OK)
        s_sum += e.id + e.body.size;
}

static void s_unpack (s_work_t *work)
{
    union {
        add_t add;
        order_t order;
    } in;
    for (int i = 0; i < S_ENVELOPES; i++) {
        s_check (synod_record_unpack (work->record, work->envelope.body, &in, NULL), "unpack");
        s_sum += (uint64_t) in.add.amount;
    }
}

static int s_by_size (const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return x < y ? -1 : x > y;
}

static unsigned long s_measure (const char *what, void (*function) (s_work_t *), s_work_t *work)
{
    double ns[S_RUNS];
    function (work);
    unsigned long before = s_allocations;
    for (int run = 0; run < S_RUNS; run++) {
        struct timespec start, end;
        clock_gettime (CLOCK_MONOTONIC, &start);
        for (int round = 0; round < S_ROUNDS; round++)
            function (work);
        clock_gettime (CLOCK_MONOTONIC, &end);
        ns[run] = ((double) (end.tv_sec - start.tv_sec) * 1e9 + (double) (end.tv_nsec - start.tv_nsec)) / S_ROUNDS /
                  S_ENVELOPES;
    }
    unsigned long made = s_allocations - before;
    qsort (ns, S_RUNS, sizeof ns[0], s_by_size);
    printf ("%-44s %8.1f ns   least %6.1f   allocations %lu\n", what, ns[S_RUNS / 2], ns[0], made);
    return made;
}

static unsigned long s_suite (const char *name, s_work_t *work)
{
    char what[80];
    synod_frame_t frame;
    synod_envelope_t e;
    unsigned long made = 0;
    snprintf (what, sizeof what, "%s: envelope and record written", name);
    made += s_measure (what, s_write, work);
    snprintf (what, sizeof what, "%s: envelope read, body passed", name);
    made += s_measure (what, s_read, work);
    s_check (synod__frame_open (&frame, work->batch.buf.data, work->batch.buf.size, NULL), "open");
    s_check (synod__frame_next (&frame, &e, NULL), "next");
    work->envelope.body = e.body;
    snprintf (what, sizeof what, "%s: record unpacked", name);
    made += s_measure (what, s_unpack, work);
    work->envelope.body = (synod_str_t){NULL, 0};
    return made;
}

int main (void)
{
    const add_t add = {.amount = 42};
    const order_t order = {.customer = synod_str ("somebody"), .article = 123456, .price = 9.5, .urgent = true};
    s_work_t work = {
        .envelope = {.kind = SYNOD_KIND_ASK, .method = synod_str ("add"), .from = synod_str ("main"), .left_ms = 5000}};
    work.record = &add_record;
    work.rec = &add;
    unsigned long made = s_suite ("one field", &work);
    work.record = &order_record;
    work.rec = &order;
    work.envelope.method = synod_str ("order");
    made += s_suite ("five fields", &work);
    synod__batch_free (&work.batch);
    if (made > 0) {
        fprintf (stderr, "micro_protocol: expected no allocation, got %lu\n", made);
        return 1;
    }
    return s_sum == 0; /* something was read */
}
