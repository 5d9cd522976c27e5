/* SPDX-License-Identifier: MPL-2.0
 *
 * Options, the start and the report of a benchmark's role; see measure.h.
 */
#include "measure.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void print_usage (const char *usage, const synod__option_t *options)
{
    printf ("usage: %s [option]...\n", usage);
    for (; options->name; options++) {
        char left[40];
        const char *operand = options->type == SYNOD__OPTION_FLAG     ? ""
                              : options->type == SYNOD__OPTION_NUMBER ? " N"
                                                                      : " TEXT";
        snprintf (left, sizeof left, "--%s%s", options->name, operand);
        printf ("  %-20s %s\n", left, options->doc);
    }
    printf ("  %-20s %s\n", "--help", "show this text");
}

static int take_value (const char *usage, const synod__option_t *option, const char *text)
{
    if (option->type == SYNOD__OPTION_TEXT) {
        *(const char **) option->value = text;
        return 0;
    }
    if (option->type == SYNOD__OPTION_TEXTS) {
        const char **texts = option->value;
        int n = 0;
        while (texts[n])
            n++;
        if (n == SYNOD__TEXTS_MAX) {
            fprintf (stderr, "%s: --%s may be given %d times at most\n", usage, option->name, SYNOD__TEXTS_MAX);
            return 2;
        }
        texts[n] = text;
        return 0;
    }
    char *end;
    errno = 0;
    unsigned long long number = strtoull (text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || number > INT32_MAX) {
        fprintf (stderr, "%s: --%s expects a number up to %d, not '%s'\n", usage, option->name, INT32_MAX, text);
        return 2;
    }
    *(uint64_t *) option->value = number;
    return 0;
}

int synod__options_parse (int argc, char **argv, const char *usage, const synod__option_t *options)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0) {
            print_usage (usage, options);
            return -1;
        }
        const char *equals = strchr (word, '=');
        size_t size = equals ? (size_t) (equals - word) : strlen (word);
        const synod__option_t *option = options;
        while (option->name && !(size > 2 && size - 2 == strlen (option->name) && memcmp (word, "--", 2) == 0 &&
                                 memcmp (word + 2, option->name, size - 2) == 0))
            option++;
        if (!option->name) {
            fprintf (stderr, "%s: there is no option '%s'; --help lists them\n", usage, word);
            return 2;
        }
        if (option->type == SYNOD__OPTION_FLAG) {
            if (equals) {
                fprintf (stderr, "%s: --%s takes no value\n", usage, option->name);
                return 2;
            }
            *(bool *) option->value = true;
            continue;
        }
        const char *text = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!text) {
            fprintf (stderr, "%s: --%s expects a value\n", usage, option->name);
            return 2;
        }
        int rc = take_value (usage, option, text);
        if (rc)
            return rc;
    }
    return 0;
}

void synod__measure_ready (void)
{
    printf ("ready\n");
    fflush (stdout);
}

bool synod__measure_started (int timeout_ms)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll (&in, 1, timeout_ms) <= 0)
        return false;
    char c;
    ssize_t n = read (STDIN_FILENO, &c, 1);
    return n == 0 || (n == 1 && c == '\n') || (n < 0 && errno != EINTR && errno != EAGAIN);
}

void synod__measure_start (void)
{
    synod__measure_ready ();
    while (!synod__measure_started (1000))
        ;
}

int synod__measure_init (synod__measure_t *self, bool asks)
{
    if (self->size < SYNOD__MEASURE_SIZE_MIN || self->expected == 0) {
        fprintf (stderr, "bench: expected a size of %d or more and a count of 1 or more, not %u and %" PRIu64 "\n",
                 SYNOD__MEASURE_SIZE_MIN, self->size, self->expected);
        return 1;
    }
    if (!asks)
        return 0;
    self->sent_ns = calloc (self->expected, sizeof *self->sent_ns);
    self->took_ns = calloc (self->expected, sizeof *self->took_ns);
    if (self->sent_ns && self->took_ns)
        return 0;
    fprintf (stderr, "bench: no memory to measure %" PRIu64 " asks\n", self->expected);
    synod__measure_free (self);
    return 1;
}

void synod__measure_free (synod__measure_t *self)
{
    free (self->sent_ns);
    free (self->took_ns);
    self->sent_ns = NULL;
    self->took_ns = NULL;
}

static int compare_times (const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return x < y ? -1 : x > y;
}

static double percentile_us (const synod__measure_t *self, unsigned percent)
{
    if (!self->took_ns || self->received == 0)
        return 0;
    uint64_t rank = (self->received - 1) * percent / 100;
    return (double) self->took_ns[rank] / 1000.0;
}

int synod__measure_report (synod__measure_t *self, bool json)
{
    uint64_t lost = self->expected - self->received;
    bool is_void = lost || self->wrong || self->gaps;
    /* a run cut short has no last message; what came of it is shown, but never as a rate */
    double seconds = self->last_ns > self->first_ns && !is_void ? (double) (self->last_ns - self->first_ns) / 1e9 : 0;
    double rate = seconds > 0 ? (double) self->received / seconds : 0;
    if (self->took_ns)
        qsort (self->took_ns, self->received, sizeof *self->took_ns, compare_times);
    double p50_us = percentile_us (self, 50), p99_us = percentile_us (self, 99);
    if (json)
        printf ("{\"system\":\"%s\",\"scenario\":\"%s\",\"size\":%u,\"messages\":%" PRIu64
                ",\"seconds\":%.6f,\"per_second\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"lost\":%" PRIu64
                ",\"wrong\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"first_ns\":%" PRId64 ",\"last_ns\":%" PRId64 "}\n",
                self->system, self->scenario, self->size, self->received, seconds, rate, p50_us, p99_us, lost,
                self->wrong, self->gaps, self->first_ns, self->last_ns);
    else if (is_void)
        printf ("%s %s: VOID, of %" PRIu64 " messages %" PRIu64 " were lost, %" PRIu64
                " came twice, out of order or in the wrong size, %" PRIu64 " gaps were reported\n",
                self->system, self->scenario, self->expected, lost, self->wrong, self->gaps);
    else if (self->took_ns)
        printf ("%s %s: %" PRIu64 " asks of %u bytes in %.3f s, %.0f/s, p50 %.1f us, p99 %.1f us\n", self->system,
                self->scenario, self->received, self->size, seconds, rate, p50_us, p99_us);
    else
        printf ("%s %s: %" PRIu64 " messages of %u bytes in %.3f s, %.0f/s\n", self->system, self->scenario,
                self->received, self->size, seconds, rate);
    fflush (stdout);
    return is_void ? 1 : 0;
}
