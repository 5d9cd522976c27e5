/* SPDX-License-Identifier: MPL-2.0
 *
 * Plans as text, read and written. What is written of a plan without open parts is read as the same plan.
 */
#include <stdlib.h>
#include "internal.h"
#include "plan.h"

const synod__sim_fault_kind_info_t synod__sim_kinds[SYNOD__SIM_KINDS] = {
    [SYNOD__SIM_LOSS] = {"loss", SYNOD__SIM_RATE, true, 60},
    [SYNOD__SIM_DUP] = {"dup", SYNOD__SIM_RATE, true, 40},
    [SYNOD__SIM_REORDER] = {"reorder", SYNOD__SIM_RATE, true, 40},
    [SYNOD__SIM_DELAY] = {"delay", SYNOD__SIM_TIMES, true, 50},
    [SYNOD__SIM_SLOW] = {"slow", SYNOD__SIM_MORE, true, 20},
    [SYNOD__SIM_PARTITION] = {"partition", SYNOD__SIM_SIDES, false, 50},
    [SYNOD__SIM_ONEWAY] = {"oneway", SYNOD__SIM_SIDES, false, 30},
    [SYNOD__SIM_RESET] = {"reset", SYNOD__SIM_SIDES, false, 30},
    [SYNOD__SIM_CRASH] = {"crash", SYNOD__SIM_TO_ONE, false, 60},
    [SYNOD__SIM_WIPE] = {"wipe", SYNOD__SIM_TO_ONE, false, 0},
    [SYNOD__SIM_FULL] = {"full", SYNOD__SIM_TO_ONE, false, 10},
    [SYNOD__SIM_PAUSE] = {"pause", SYNOD__SIM_TO_ONE, false, 40},
    [SYNOD__SIM_SKEW] = {"skew", SYNOD__SIM_RATE_OF, true, 40},
};

/* ---- the plan itself ---- */

static char *s_copy (const char *text)
{
    char *copy = text ? strdup (text) : NULL;
    if (text && !copy)
        abort ();
    return copy;
}

static synod_plan_t *s_new (void)
{
    return (synod_plan_t *) synod__alloc (sizeof (synod_plan_t));
}

void synod__sim_plan_add (synod_plan_t *self, const synod__sim_fault_t *fault)
{
    self->faults =
        (synod__sim_fault_t *) synod__grow (self->faults, &self->capacity, self->count + 1, sizeof *self->faults);
    synod__sim_fault_t *copy = &self->faults[self->count++];
    *copy = *fault;
    copy->from = s_copy (fault->from);
    copy->to = s_copy (fault->to);
}

synod_plan_t *synod_plan_copy (const synod_plan_t *self)
{
    synod_plan_t *copy = s_new ();
    for (uint32_t i = 0; self && i < self->count; i++)
        synod__sim_plan_add (copy, &self->faults[i]);
    return copy;
}

void synod_plan_destroy (synod_plan_t **self_p)
{
    synod_plan_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (uint32_t i = 0; i < self->count; i++) {
        free (self->faults[i].from);
        free (self->faults[i].to);
    }
    free (self->faults);
    free (self);
}

size_t synod_plan_size (const synod_plan_t *self)
{
    return self->count;
}

bool synod__sim_fault_open (const synod__sim_fault_t *fault)
{
    return fault->times != 1 || fault->value == SYNOD__SIM_OPEN || fault->more == SYNOD__SIM_OPEN ||
           fault->start_us == SYNOD__SIM_OPEN || fault->length_us == SYNOD__SIM_OPEN ||
           (fault->from && strcmp (fault->from, "*") == 0) || (fault->to && strcmp (fault->to, "*") == 0);
}

/* ---- reading ---- */

/* A decimal number in millionths; false when TEXT is none. END: where it stops. */
static bool s_number (const char *text, int64_t *millionths, const char **end)
{
    int64_t whole = 0, part = 0, unit = 1000000;
    const char *p = text;
    bool minus = *p == '-';
    p += minus;
    const char *first = p;
    for (; *p >= '0' && *p <= '9' && p - first < 9; p++)
        whole = whole * 10 + (*p - '0');
    bool some = p > first;
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++) {
            unit /= 10;
            part += unit * (*p - '0');
            some = true;
        }
    *millionths = (whole * 1000000 + part) * (minus ? -1 : 1);
    *end = p;
    return some;
}

static bool s_time (const char *text, int64_t *us)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};
    const char *end;
    int64_t number;
    if (strcmp (text, "*") == 0) {
        *us = SYNOD__SIM_OPEN;
        return true;
    }
    if (!s_number (text, &number, &end) || number < 0 || number > 1000000ll * 1000000)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp (end, units[i].name) == 0) {
            *us = number / 1000000 * units[i].us + number % 1000000 * units[i].us / 1000000;
            return true;
        }
    *us = 0;
    return number == 0 && *end == 0;
}

static bool s_percent (const char *text, int64_t *ppm)
{
    const char *end;
    if (strcmp (text, "*") == 0) {
        *ppm = SYNOD__SIM_OPEN;
        return true;
    }
    bool good = s_number (text, ppm, &end) && (*end == 0 || strcmp (end, "%") == 0);
    *ppm /= 100;
    return good && *ppm >= 0 && *ppm <= 1000000;
}

/* Names with : between them, or *. */
static bool s_names (const char *text, char **out)
{
    const char *p = text;
    while (*p) {
        const char *end = strchrnul (p, ':');
        synod_str_t name = synod_str_n (p, (size_t) (end - p));
        if (!synod_str_is (name, "*") && !synod_str_is (name, SYNOD_BROKER) && !synod__name_ok (name, false))
            return false;
        p = *end ? end + 1 : end;
        if (*end && !*p)
            return false;
    }
    if (!*text)
        return false;
    *out = s_copy (text);
    return true;
}

/* The value of the fault, cut into PARTS at the slashes. Returns what was expected, or NULL. */
static const char *s_value (synod__sim_fault_t *fault, char **parts, int count)
{
    char *colon = strchr (parts[0], ':');
    const char *end;
    synod__sim_shape_t shape = synod__sim_kinds[fault->kind].shape;
    bool wire = shape == SYNOD__SIM_RATE || shape == SYNOD__SIM_TIMES || shape == SYNOD__SIM_MORE;
    if (wire && count != 1 && (count != 3 || !s_names (parts[1], &fault->from) || !s_names (parts[2], &fault->to)))
        return "nothing or /FROM/TO after the value, each one node or several with : between them";
    switch (shape) {
    case SYNOD__SIM_RATE:
        return s_percent (parts[0], &fault->value) ? NULL : "a percentage from 0 to 100";
    case SYNOD__SIM_TIMES:
        if (strcmp (parts[0], "*") == 0) {
            fault->value = SYNOD__SIM_OPEN;
            return NULL;
        }
        if (colon)
            *colon = 0;
        return colon && s_time (parts[0], &fault->value) && s_time (colon + 1, &fault->more)
                   ? NULL
                   : "MIN:MEAN, two times such as 1ms:20ms";
    case SYNOD__SIM_MORE:
        return s_time (parts[0], &fault->value) ? NULL : "a time such as 50ms";
    case SYNOD__SIM_SIDES:
        return count <= 2 && s_names (parts[0], &fault->from) && (count == 1 || s_names (parts[1], &fault->to))
                   ? NULL
                   : "A or A/B, each one node or several with : between them, or *";
    case SYNOD__SIM_TO_ONE:
        fault->more = -1;
        if (colon && fault->kind == SYNOD__SIM_CRASH) {
            *colon = 0;
            bool good = s_number (colon + 1, &fault->more, &end) && !*end && fault->more >= 0;
            fault->more = good ? fault->more / 1000000 : 0;
            if (!good)
                return "how many effects after the colon, a number";
        }
        return count == 1 && !strchr (parts[0], ':') && s_names (parts[0], &fault->from) ? NULL
                                                                                         : "the name of one node, or *";
    case SYNOD__SIM_RATE_OF:
        if (strcmp (parts[0], "*") == 0)
            fault->value = SYNOD__SIM_OPEN;
        else if (s_number (parts[0], &fault->value, &end) && !*end)
            fault->value /= 1000000;
        else
            return "PPM/NODE";
        if (count == 1 && fault->value == SYNOD__SIM_OPEN)
            fault->from = s_copy ("*");
        else if (count != 2 || strchr (parts[1], ':') || !s_names (parts[1], &fault->from))
            return "PPM/NODE";
        return fault->value == SYNOD__SIM_OPEN ||
                       (fault->value >= -SYNOD_SIM_SKEW_MAX && fault->value <= SYNOD_SIM_SKEW_MAX)
                   ? NULL
                   : "a skew of up to 200000 ppm either way";
    }
    return "a value";
}

/* `*N` as a value: N of them, drawn. */
static const char *s_times (synod__sim_fault_t *fault, char *value)
{
    const char *end;
    int64_t number;
    fault->times = 1;
    if (value[0] != '*' || value[1] < '0' || value[1] > '9')
        return NULL;
    if (!s_number (value + 1, &number, &end) || *end || number < 1000000 || number > 1000000000)
        return "a number from 1 to 1000 after the *";
    fault->times = (uint32_t) (number / 1000000);
    value[1] = 0;
    return NULL;
}

/* Reads ITEM, which it cuts up. Returns what was expected, or NULL. */
static const char *s_item (char *item, synod__sim_fault_t *fault)
{
    char *value = strchr (item, '=');
    if (!value)
        return "KIND=VALUE";
    *value++ = 0;
    for (fault->kind = 0; fault->kind < SYNOD__SIM_KINDS; fault->kind++)
        if (strcmp (item, synod__sim_kinds[fault->kind].name) == 0)
            break;
    if (fault->kind == SYNOD__SIM_KINDS)
        return "one of loss, dup, reorder, delay, slow, partition, oneway, reset, crash, wipe, full, pause, skew";
    bool lasting = synod__sim_kinds[fault->kind].lasting;
    fault->start_us = lasting ? 0 : SYNOD__SIM_OPEN;
    fault->length_us = lasting || fault->kind == SYNOD__SIM_RESET ? 0 : SYNOD__SIM_OPEN;
    char *length = strchr (value, '+');
    if (length)
        *length++ = 0;
    char *start = strchr (value, '@');
    if (start)
        *start++ = 0;
    if (start && !s_time (start, &fault->start_us))
        return "a time such as 500ms after the @";
    if (length && !s_time (length, &fault->length_us))
        return "a time such as 500ms after the +";
    const char *expected = s_times (fault, value);
    char *parts[3];
    int count = 0;
    for (char *p = value; p && !expected; count++) {
        if (count == 3)
            return "at most three parts with / between them";
        parts[count] = p;
        p = strchr (p, '/');
        if (p)
            *p++ = 0;
    }
    return expected ? expected : s_value (fault, parts, count);
}

synod_plan_t *synod_plan_parse (const char *text, synod_fault_t *fault)
{
    synod_plan_t *self = s_new ();
    static const char blanks[] = ", \t\n";
    for (const char *p = text + strspn (text, blanks); *p; p += strspn (p, blanks)) {
        char item[1024];
        synod__sim_fault_t one = {.times = 1};
        size_t size = strcspn (p, blanks);
        snprintf (item, sizeof item, "%.*s", (int) size, p);
        const char *expected = size < sizeof item ? s_item (item, &one) : "a shorter fault";
        if (!expected)
            synod__sim_plan_add (self, &one);
        free (one.from);
        free (one.to);
        if (expected) {
            synod_fault (fault, SYNOD_INVALID, "fault %u of the plan: expected %s, got \"%.*s\"", self->count + 1,
                         expected, size < 60 ? (int) size : 60, p);
            synod_plan_destroy (&self);
            return NULL;
        }
        p += size;
    }
    return self;
}

/* ---- writing ---- */

static int s_print_time (synod_buf_t *out, int64_t us)
{
    if (us == SYNOD__SIM_OPEN)
        return synod__buf_printf (out, "*");
    if (us % 1000000 == 0)
        return synod__buf_printf (out, "%llds", (long long) (us / 1000000));
    if (us % 1000 == 0)
        return synod__buf_printf (out, "%lldms", (long long) (us / 1000));
    return synod__buf_printf (out, "%lldus", (long long) us);
}

static int s_print_percent (synod_buf_t *out, int64_t ppm)
{
    char part[8];
    if (ppm == SYNOD__SIM_OPEN)
        return synod__buf_printf (out, "*");
    int size = snprintf (part, sizeof part, "%04d", (int) (ppm % 10000));
    while (size > 0 && part[size - 1] == '0')
        part[--size] = 0;
    return synod__buf_printf (out, size ? "%d.%s" : "%d", (int) (ppm / 10000), part);
}

static int s_print_value (synod_buf_t *out, const synod__sim_fault_t *fault)
{
    int rc = SYNOD_OK;
    if (fault->times != 1)
        return synod__buf_printf (out, "*%u", fault->times);
    switch (synod__sim_kinds[fault->kind].shape) {
    case SYNOD__SIM_RATE:
        return s_print_percent (out, fault->value);
    case SYNOD__SIM_TIMES:
        rc = s_print_time (out, fault->value);
        if (rc == SYNOD_OK && fault->value != SYNOD__SIM_OPEN)
            rc = synod__buf_printf (out, ":");
        return rc == SYNOD_OK && fault->value != SYNOD__SIM_OPEN ? s_print_time (out, fault->more) : rc;
    case SYNOD__SIM_MORE:
        return s_print_time (out, fault->value);
    case SYNOD__SIM_SIDES:
        return synod__buf_printf (out, "%s", fault->from);
    case SYNOD__SIM_TO_ONE:
        return fault->more < 0 ? synod__buf_printf (out, "%s", fault->from)
                               : synod__buf_printf (out, "%s:%lld", fault->from, (long long) fault->more);
    case SYNOD__SIM_RATE_OF:
        return fault->value == SYNOD__SIM_OPEN ? synod__buf_printf (out, "*")
                                               : synod__buf_printf (out, "%lld", (long long) fault->value);
    }
    return rc;
}

int synod_plan_print (const synod_plan_t *self, synod_buf_t *out)
{
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < self->count && rc == SYNOD_OK; i++) {
        const synod__sim_fault_t *fault = &self->faults[i];
        const synod__sim_fault_kind_info_t *kind = &synod__sim_kinds[fault->kind];
        bool wire = kind->shape == SYNOD__SIM_RATE || kind->shape == SYNOD__SIM_TIMES || kind->shape == SYNOD__SIM_MORE;
        int64_t usual_us = kind->lasting ? 0 : SYNOD__SIM_OPEN;
        rc = synod__buf_printf (out, "%s%s=", i ? "," : "", kind->name) || s_print_value (out, fault);
        if (!rc && fault->from && (wire || (kind->shape == SYNOD__SIM_RATE_OF && fault->times == 1)))
            rc = synod__buf_printf (out, "/%s", fault->from);
        if (!rc && fault->to)
            rc = synod__buf_printf (out, "/%s", fault->to);
        if (!rc && fault->start_us != usual_us)
            rc = synod__buf_printf (out, "@") || s_print_time (out, fault->start_us);
        usual_us = fault->kind == SYNOD__SIM_RESET ? 0 : usual_us;
        if (!rc && fault->length_us != usual_us)
            rc = synod__buf_printf (out, "+") || s_print_time (out, fault->length_us);
    }
    if (!rc)
        rc = synod__buf_add (out, "", 1);
    if (rc)
        return SYNOD_NO_MEMORY;
    out->size--;
    return SYNOD_OK;
}
