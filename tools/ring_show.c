/* SPDX-License-Identifier: MPL-2.0
 *
 * synod ring, without a verb: the epoch, how its members are, who owns and holds how much of each type, and how far what
 * moves has moved; once, or again and again; and waiting until it has.
 */
#include "ring.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WATCH_MS 1000 /* between two looks that are printed */
#define AWAIT_MS 200  /* between two looks that wait */

/* ---- how a member is, in a word ---- */

static const char *state_of (const synod__member_t *member, const synod__rings_member_t *how)
{
    if (member->down)
        return member->target ? "down" : "down, leaving";
    if (how->told && !how->is.up)
        return "silent";
    if (how->is.stopping)
        return "stopping";
    if (!member->target)
        return "leaving";
    return member->weight ? "up" : "joining";
}

static double percent (uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double) part / (double) whole : 100.0;
}

/* 12.3 MB */
static const char *bytes_text (uint64_t bytes, char *room, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double) bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    snprintf (room, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return room;
}

/* Partitions that MEMBER owns and holds in RING. */
static void count_held (const synod__ring_t *ring, uint16_t member, uint32_t *owns, uint32_t *holds)
{
    *owns = *holds = 0;
    for (uint32_t p = 0; p < synod__ring_partitions (ring); p++) {
        const uint16_t *replicas = synod__ring_replicas (ring, p);
        *owns += ring->owner[p] == member;
        for (uint32_t i = 0; i < ring->copies; i++)
            *holds += replicas[i] == member;
    }
}

/* ---- as text ---- */

void synod__rings_print_head (const synod__rings_view_t *view)
{
    const synod__epoch_t *epoch = &view->epoch;
    printf ("ring %016" PRIx64 ", epoch %" PRIu64 ", settled up to %" PRIu64 "; %u partitions, %u replicas; keepers:",
            epoch->ring, epoch->number, epoch->settled, epoch->partitions, epoch->replicas);
    for (uint32_t i = 0; i < epoch->nmembers; i++)
        if (synod__rings_keeps (epoch, &epoch->members[i]))
            printf (" %s", epoch->members[i].name);
    putchar ('\n');
}

static int widest (const synod__epoch_t *epoch)
{
    size_t width = 4;
    for (uint32_t i = 0; i < epoch->nmembers; i++)
        width = strlen (epoch->members[i].name) > width ? strlen (epoch->members[i].name) : width;
    return (int) width;
}

static void print_member (const synod__rings_view_t *view, uint32_t i, int width)
{
    const synod__member_t *member = &view->epoch.members[i];
    const synod__rings_member_t *how = &view->members[i];
    char weight[32], bytes[32], heard[32] = "?", serves[32] = "?", unsettled[32] = "?";
    if (member->weight == member->target)
        snprintf (weight, sizeof weight, "%u", member->weight);
    else
        snprintf (weight, sizeof weight, "%u>%u", member->weight, member->target);
    if (how->told && how->is.epoch) {
        snprintf (heard, sizeof heard, "%.1fs", (double) how->is.heard_ms / 1000);
        snprintf (serves, sizeof serves, "%" PRIu64 "/%" PRIu64, how->is.serving, how->is.owned);
        snprintf (unsettled, sizeof unsettled, "%" PRIu64, how->is.unsettled + how->is.unprepared);
    }
    printf ("%-*s %-10s %9s %-13s %13s %9s %9s %10s%s\n", width, member->name, *member->zone ? member->zone : "-",
            weight, state_of (member, how), serves, unsettled, bytes_text (how->is.bytes, bytes, sizeof bytes), heard,
            how->told && how->is.epoch && how->is.epoch != view->epoch.number ? "  (of an older epoch)" : "");
}

static void print_type (const synod__rings_view_t *view, const synod__rings_type_t *type, bool moving, int width)
{
    const synod__epoch_t *epoch = &view->epoch;
    uint32_t owns, holds;
    if (type->name)
        printf ("\n%s: %u replicas\n", type->name, type->replicas);
    else
        puts ("\nno placed actors; one of them all would be placed so:");
    printf ("%-*s %9s %9s %9s%s\n", width, "NODE", "OWNS", "SHARE", "HOLDS",
            moving ? "  THEN OWNS     SHARE     HOLDS" : "");
    for (uint32_t i = 0; i < epoch->nmembers; i++) {
        count_held (type->now, (uint16_t) i, &owns, &holds);
        printf ("%-*s %9u %7.2f %% %9u", width, epoch->members[i].name, owns, percent (owns, epoch->partitions), holds);
        if (moving) {
            count_held (type->then, (uint16_t) i, &owns, &holds);
            printf (" %11u %7.2f %% %8u", owns, percent (owns, epoch->partitions), holds);
        }
        putchar ('\n');
    }
}

static int print_view (const synod__rings_view_t *view)
{
    const synod__epoch_t *epoch = &view->epoch;
    synod__rings_progress_t progress = synod__rings_progress (view);
    int width = widest (epoch);
    char bytes[32];
    synod__rings_print_head (view);
    printf ("\n%-*s %-10s %9s %-13s %13s %9s %9s %10s\n", width, "NODE", "ZONE", "WEIGHT", "STATE", "SERVES", "UNDONE",
            "SENT", "HEARD");
    for (uint32_t i = 0; i < epoch->nmembers; i++)
        print_member (view, i, width);
    for (uint32_t i = 0; i < synod__rings_types (epoch); i++) {
        synod__rings_type_t type;
        if (!synod__rings_type (epoch, i, &type))
            return synod__fail (SYNOD_NO_MEMORY, "no memory for the partitions");
        print_type (view, &type, progress.moving, width);
        synod__rings_type_free (&type);
    }
    putchar ('\n');
    if (progress.moving)
        printf ("moving: %.0f %% of %" PRIu64 " partitions have been copied; %s sent since the members started\n",
                percent (progress.partitions - progress.left, progress.partitions), progress.partitions,
                bytes_text (progress.bytes, bytes, sizeof bytes));
    if (*view->doing)
        printf ("under way: %s\n", view->doing);
    if (*view->trouble)
        printf ("trouble: %s\n", view->trouble);
    if (!view->keeper)
        printf ("(as %s has it, which is no keeper: it does not know how the members are)\n", view->node);
    else if (!progress.moving && !*view->doing && !*view->trouble)
        puts (progress.rests ? "nothing moves" : "nothing moves; not all is served by all that should");
    return SYNOD__EXIT_DONE;
}

/* ---- as JSON ---- */

static json_t *text_json (const char *text)
{
    json_t *value = *text ? json_string (text) : json_null ();
    return value ? value : json_null ();
}

static json_t *hex_json (const void *bytes, size_t size)
{
    char text[2 * SYNOD__STORE_ID_SIZE + 1] = "";
    for (size_t i = 0; i < size; i++)
        snprintf (text + 2 * i, 3, "%02x", ((const uint8_t *) bytes)[i]);
    return json_string (text);
}

static json_t *member_json (const synod__rings_view_t *view, uint32_t i)
{
    const synod__member_t *member = &view->epoch.members[i];
    const synod__rings_member_t *how = &view->members[i];
    json_t *out =
        json_pack ("{s:s, s:o, s:o, s:i, s:i, s:s, s:b, s:b}", "node", member->name, "zone", text_json (member->zone),
                   "store", hex_json (member->id.bytes, sizeof member->id.bytes), "weight", (int) member->weight,
                   "target", (int) member->target, "state", state_of (member, how), "down", (int) member->down,
                   "keeper", (int) synod__rings_keeps (&view->epoch, member));
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"suspected", how->is.suspected},   {"heard_ms", how->is.heard_ms}, {"epoch", how->is.epoch},
                   {"owned", how->is.owned},           {"serving", how->is.serving},   {"unsettled", how->is.unsettled},
                   {"unprepared", how->is.unprepared}, {"behind", how->is.behind},     {"bytes", how->is.bytes}};
    for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
        json_object_set_new (out, numbers[n].name,
                             how->told && how->is.epoch ? json_integer ((json_int_t) numbers[n].value) : json_null ());
    return out;
}

static json_t *type_json (const synod__rings_view_t *view, const synod__rings_type_t *type)
{
    const synod__epoch_t *epoch = &view->epoch;
    json_t *members = json_array ();
    for (uint32_t i = 0; i < epoch->nmembers; i++) {
        uint32_t owns, holds, owns_then, holds_then;
        count_held (type->now, (uint16_t) i, &owns, &holds);
        count_held (type->then, (uint16_t) i, &owns_then, &holds_then);
        json_array_append_new (members, json_pack ("{s:s, s:i, s:i, s:i, s:i}", "node", epoch->members[i].name, "owns",
                                                   (int) owns, "holds", (int) holds, "owns_then", (int) owns_then,
                                                   "holds_then", (int) holds_then));
    }
    return json_pack ("{s:o, s:i, s:o}", "type", type->name ? json_string (type->name) : json_null (), "replicas",
                      (int) type->replicas, "members", members);
}

static json_t *moving_json (const synod__rings_progress_t *progress)
{
    if (!progress->moving)
        return json_null ();
    return json_pack ("{s:I, s:I, s:f}", "partitions", (json_int_t) progress->partitions, "left",
                      (json_int_t) progress->left, "percent",
                      percent (progress->partitions - progress->left, progress->partitions));
}

static int print_json (const synod__rings_view_t *view)
{
    const synod__epoch_t *epoch = &view->epoch;
    uint64_t ring = __builtin_bswap64 (epoch->ring);
    synod__rings_progress_t progress = synod__rings_progress (view);
    json_t *keepers = json_array (), *members = json_array (), *types = json_array ();
    for (uint32_t i = 0; i < epoch->nmembers; i++) {
        json_array_append_new (members, member_json (view, i));
        if (synod__rings_keeps (epoch, &epoch->members[i]))
            json_array_append_new (keepers, json_string (epoch->members[i].name));
    }
    for (uint32_t i = 0; i < epoch->ntypes; i++) {
        synod__rings_type_t type;
        if (!synod__rings_type (epoch, i, &type))
            continue;
        json_array_append_new (types, type_json (view, &type));
        synod__rings_type_free (&type);
    }
    synod__rings_json (
        json_pack ("{s:o, s:I, s:I, s:i, s:i, s:o, s:s, s:b, s:o, s:o, s:o, s:b, s:I, s:o, s:o}", "ring",
                   hex_json (&ring, 8), "epoch", (json_int_t) epoch->number, "settled", (json_int_t) epoch->settled,
                   "partitions", (int) epoch->partitions, "replicas", (int) epoch->replicas, "keepers", keepers, "node",
                   view->node, "by_keeper", (int) view->keeper, "doing", text_json (view->doing), "trouble",
                   text_json (view->trouble), "moving", moving_json (&progress), "rests", (int) progress.rests, "bytes",
                   (json_int_t) progress.bytes, "members", members, "types", types));
    return SYNOD__EXIT_DONE;
}

/* ---- again and again ---- */

static int64_t now_ms (void)
{
    struct timespec ts;
    clock_gettime (CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * (int64_t) 1000 + ts.tv_nsec / 1000000;
}

/* Sees to the bus for so long; false: a signal has come. */
static bool pass (synod__rings_t *self, int ms)
{
    for (int64_t until = now_ms () + ms, left; (left = until - now_ms ()) > 0 && !synod__signalled ();)
        synod_handle_poll (self->handle, (int) left);
    return !synod__signalled ();
}

int synod__rings_show (synod__rings_t *self)
{
    synod__rings_view_t view = {0};
    bool clear = self->watch && isatty (STDOUT_FILENO);
    int status = synod__rings_reach (self, NULL);
    if (self->watch)
        synod__signals_catch ();
    while (status == SYNOD__EXIT_NONE) {
        status = synod__rings_look (self, &view);
        if (status != SYNOD__EXIT_NONE)
            break;
        if (clear)
            fputs ("\033[H\033[2J", stdout);
        status = self->json ? print_json (&view) : print_view (&view);
        if (!self->watch)
            break;
        if (!self->json && !clear)
            putchar ('\n');
        fflush (stdout);
        status = pass (self, WATCH_MS) ? SYNOD__EXIT_NONE : SYNOD__EXIT_DONE;
    }
    synod__rings_view_free (&view);
    return status;
}

static void say_progress (const synod__rings_view_t *view, const synod__rings_progress_t *progress, char *said,
                          size_t size)
{
    char text[256], bytes[32];
    if (progress->moving)
        snprintf (text, sizeof text, "epoch %" PRIu64 ": %.0f %% of %" PRIu64 " partitions have been copied, %s sent",
                  view->epoch.number, percent (progress->partitions - progress->left, progress->partitions),
                  progress->partitions, bytes_text (progress->bytes, bytes, sizeof bytes));
    else
        snprintf (text, sizeof text, "epoch %" PRIu64 ": nothing is to be copied any more, %s", view->epoch.number,
                  progress->rests ? "and all is served" : "not all is served yet");
    if (strcmp (text, said) != 0)
        fprintf (stderr, "synod: %s\n", text);
    snprintf (said, size, "%s", text);
}

int synod__rings_await (synod__rings_t *self, uint64_t epoch)
{
    synod__rings_view_t view = {0};
    synod__rings_progress_t progress = {0};
    char said[256] = "";
    int status = SYNOD__EXIT_NONE;
    synod__signals_catch ();
    for (;;) {
        status = synod__rings_look (self, &view);
        if (status == SYNOD__EXIT_NOBODY) /* who was asked may be the one that goes: another one is */
            status = (self->at = NULL, synod__rings_reach (self, NULL));
        else if (status == SYNOD__EXIT_NONE && view.epoch.number >= epoch) {
            progress = synod__rings_progress (&view);
            say_progress (&view, &progress, said, sizeof said);
        }
        if (status != SYNOD__EXIT_NONE || progress.rests)
            break;
        if (!pass (self, AWAIT_MS)) {
            fputs ("synod: it goes on moving without anybody waiting\n", stderr);
            status = SYNOD__EXIT_NOBODY;
            break;
        }
    }
    synod__rings_view_free (&view);
    return status;
}
