/* SPDX-License-Identifier: MPL-2.0
 *
 * Running a node in the foreground. The first SIGINT or SIGTERM lets it drain: it leaves the directory, answers what it
 * has, runs every fini; a second one ends the process at once. Signals are blocked before any thread starts, and taken
 * by this thread alone, through a signalfd.
 */
#include "main.h"
#include <czmq.h>
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include "module.h"
#include "options.h"
#include "socket.h"

/* A descriptor that becomes readable with a SIGINT or SIGTERM; -1 when there is none to be had. */
static int open_signals (void)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGTERM);
    if (pthread_sigmask (SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void tell (const synod__program_t *self, const char *state)
{
    if (self->notify)
        self->notify (state);
}

/* Until the node has ended. */
static int serve (const synod__program_t *self, synod_node_t *node, int signals)
{
    bool stopping = false;
    for (;;) {
        zmq_pollitem_t items[] = {{zsock_resolve (synod_node_pipe (node)), 0, ZMQ_POLLIN, 0},
                                  {NULL, signals, ZMQ_POLLIN, 0}};
        if (zmq_poll (items, 2, -1) < 0 && errno != EINTR)
            return synod__fail (SYNOD_IO, zmq_strerror (errno));
        struct signalfd_siginfo info;
        while ((items[1].revents & ZMQ_POLLIN) && read (signals, &info, sizeof info) == (ssize_t) sizeof info) {
            if (stopping)
                _exit (128 + (int) info.ssi_signo);
            stopping = true;
            tell (self, "STOPPING=1");
            synod_node_stop (node);
        }
        if (items[0].revents & ZMQ_POLLIN) {
            synod_fault_t fault = {0};
            int code = synod_node_wait (node, -1, &fault);
            return code == SYNOD_OK ? SYNOD__EXIT_DONE : synod__fail (code, fault.text);
        }
    }
}

/* Words and their settings, in the order of the command line. */
static int add_types (const synod__program_t *self, synod_node_t *node, const synod__command_t *command,
                      const synod__texts_t *settings)
{
    synod_fault_t fault = {0};
    if (self->alone) {
        if (synod__module_add (node, self->types, NULL, settings->text, settings->count, &fault) != SYNOD_OK)
            return synod__misused (command, "%s", fault.text);
        return SYNOD__EXIT_NONE;
    }
    if (settings->count > 0 && settings->after[0] == 0)
        return synod__misused (command, "--set %s stands before any type; it belongs to the type before it",
                               settings->text[0]);
    int at = 0;
    for (int i = 0; i < command->nwords; i++) {
        int first = at;
        while (at < settings->count && settings->after[at] == i + 1)
            at++;
        if (synod__module_add (node, self->types, command->words[i], settings->text + first, at - first, &fault) !=
            SYNOD_OK)
            return synod__misused (command, "%s", fault.text);
    }
    return SYNOD__EXIT_NONE;
}

/* The command line is good: joins, and serves. */
static int run (const synod__program_t *self, const synod__command_t *command, const synod__texts_t *settings)
{
    synod_fault_t fault = {0};
    int signals = open_signals ();
    if (signals < 0)
        return synod__fail (SYNOD_IO, strerror (errno));
    synod_node_t *node = synod_node_new (&command->join->options, &fault);
    int status = node ? add_types (self, node, command, settings) : synod__join_failed (&fault);
    if (status == SYNOD__EXIT_NONE && synod_node_start (node, &fault) != SYNOD_OK)
        status = synod__join_failed (&fault);
    if (status == SYNOD__EXIT_NONE) {
        fprintf (stderr, "ready %s\n", synod_node_name (node));
        tell (self, "READY=1");
        status = serve (self, node, signals);
    }
    synod_node_destroy (&node);
    close (signals);
    return status;
}

int synod__program_run (const synod__program_t *self, int argc, char **argv)
{
    synod__join_t join = {0};
    synod__texts_t settings = {0};
    uint64_t data_mib = 0, weight = 0;
    const synod__opt_t options[] = {
        {"set", SYNOD__OPT_TEXTS, "KEY=VALUE", self->alone ? "an argument" : "an argument of the type before it",
         &settings},
        {"data", SYNOD__OPT_TEXT, "DIR", "keep the actors' stores in this directory (default: in memory)",
         &join.options.data},
        {"data-max", SYNOD__OPT_COUNT, "MIB", "what the store may grow to there (default 65536)", &data_mib},
        {"alone", SYNOD__OPT_FLAG, NULL, "make a ring of its own, which others may join, if it is in none",
         &join.options.alone},
        {"weight", SYNOD__OPT_COUNT, "W", "its share in a ring against that of others, 1 to 1000 (default 100)",
         &weight},
        {"zone", SYNOD__OPT_TEXT, "ZONE", "what may fail together with it: a ring's copies go to different ones",
         &join.options.zone},
        {"drain", SYNOD__OPT_MS, "TIME", "how long stopping may take (default 5s)", &join.options.drain_ms},
        {0}};
    synod__command_t command = {
        .name = self->name,
        .alone = self->alone,
        .synopsis = self->synopsis,
        .about = self->about,
        .options = options,
        .join = &join,
        .words_min = self->alone ? 0 : 1,
        .words_max = self->alone ? 0 : -1,
        .words_are = self->alone ? "options only" : "one TYPE or ./lib.so, or more",
    };
    int status = synod__command_parse (&command, argc, argv);
    if (status == SYNOD__EXIT_NONE && data_mib > SIZE_MAX >> 20)
        status = synod__misused (&command, "--data-max is at most %zu MiB here", SIZE_MAX >> 20);
    join.options.data_bytes = (size_t) data_mib << 20;
    join.options.weight = weight > UINT32_MAX ? UINT32_MAX : (uint32_t) weight;
    if (status == SYNOD__EXIT_NONE)
        status = run (self, &command, &settings);
    synod__command_free (&command);
    return status;
}

/* What --set takes, for --help. */
static void describe (const synod_actor_t *type, char *text, size_t size)
{
    size_t used = (size_t) snprintf (text, size, "Runs %s%s%s on a node until a SIGINT or SIGTERM.\n", type->name,
                                     type->doc ? ", " : "", type->doc ? type->doc : "");
    if (!type->args)
        return;
    for (uint32_t i = 0; i < type->args->nfields && used < size; i++) {
        const synod_field_t *field = &type->args->fields ()[i];
        used += (size_t) snprintf (text + used, size - used, "  --set %s=...%s  %s\n", field->name,
                                   field->optional ? "" : " (needed)", field->doc);
    }
}

int synod_main (int argc, char **argv, const synod_actor_t *type)
{
    if (argc < 1 || !argv || !type || !type->name)
        return synod__fail (SYNOD_INVALID, "synod_main takes main's arguments and an actor type");
    const synod_actor_t *const types[] = {type, NULL};
    const char *slash = strrchr (argv[0], '/');
    char about[4096];
    describe (type, about, sizeof about);
    const synod__program_t program = {.name = slash ? slash + 1 : argv[0],
                                      .alone = true,
                                      .synopsis = "[--set KEY=VALUE]... [OPTION]...",
                                      .about = about,
                                      .types = types};
    return synod__program_run (&program, argc, argv);
}
