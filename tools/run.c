/* SPDX-License-Identifier: MPL-2.0
 *
 * synod run: a node with actors, in the foreground. The first SIGINT or SIGTERM lets it drain, a second ends it at
 * once. Signals are taken by this thread alone, through a signalfd.
 */
#include "tool.h"

#include <czmq.h>
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

/* A descriptor that becomes readable with a SIGINT or SIGTERM; -1 when there is none to be had. */
static int open_signals (void)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGTERM);
    /* before any thread starts, so that all have them blocked */
    if (pthread_sigmask (SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd (-1, &set, SFD_CLOEXEC);
}

/* Until the node has ended. */
static int serve (synod_node_t *node, int signals)
{
    bool stopping = false;
    for (;;) {
        zmq_pollitem_t items[] = {{zsock_resolve (synod_node_pipe (node)), 0, ZMQ_POLLIN, 0},
                                  {NULL, signals, ZMQ_POLLIN, 0}};
        if (zmq_poll (items, 2, -1) < 0 && errno != EINTR)
            return synod__fail (SYNOD_IO, zmq_strerror (errno));
        struct signalfd_siginfo info;
        if ((items[1].revents & ZMQ_POLLIN) && read (signals, &info, sizeof info) == (ssize_t) sizeof info) {
            if (stopping)
                _exit (128 + (int) info.ssi_signo);
            stopping = true;
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
static int add_types (synod_node_t *node, const synod__command_t *command, const synod__texts_t *settings)
{
    synod_fault_t fault = {0};
    if (settings->count > 0 && settings->after[0] == 0)
        return synod__misused (command, "--set %s stands before any type; it belongs to the type before it",
                               settings->text[0]);
    int at = 0;
    for (int i = 0; i < command->nwords; i++) {
        int first = at;
        while (at < settings->count && settings->after[at] == i + 1)
            at++;
        if (synod__types_add (node, command->words[i], settings->text + first, at - first, &fault) != SYNOD_OK)
            return synod__misused (command, "%s", fault.text);
    }
    return SYNOD__EXIT_NONE;
}

int synod__tool_run (int argc, char **argv)
{
    synod__join_t join = {0};
    synod__texts_t settings = {0};
    const synod__opt_t options[] = {
        {"node", SYNOD__OPT_TEXT, "NAME", "the node's name (default: made up, unique)", &join.options.name},
        {"set", SYNOD__OPT_TEXTS, "KEY=VALUE", "an argument of the type before it", &settings},
        {"drain", SYNOD__OPT_MS, "TIME", "how long stopping may take (default 5s)", &join.options.drain_ms},
        {0}};
    synod__command_t command = {
        .name = "run",
        .synopsis = "TYPE|./lib.so[:TYPE] [--set KEY=VALUE]... [OPTION]...",
        .about = "Runs actors on a node until a SIGINT or SIGTERM: the node is taken out of the directory, answers\n"
                 "what it has, and ends; a second signal ends it at once. TYPE is a built-in one (echo); a shared\n"
                 "object gives all its actors, or one by name. Says `ready NODE` on stderr when it has joined.\n",
        .options = options,
        .join = &join,
        .words_min = 1,
        .words_max = -1,
        .words_are = "one TYPE or ./lib.so, or more",
    };
    synod_node_t *node = NULL;
    synod_fault_t fault = {0};
    int signals = -1;
    int status = synod__command_parse (&command, argc, argv);
    if (status == SYNOD__EXIT_NONE) {
        signals = open_signals ();
        node = signals >= 0 ? synod_node_new (&join.options, &fault) : NULL;
        if (signals < 0)
            status = synod__fail (SYNOD_IO, strerror (errno));
        else if (!node)
            status = synod__join_failed (&fault);
        else
            status = add_types (node, &command, &settings);
    }
    if (status == SYNOD__EXIT_NONE && synod_node_start (node, &fault) != SYNOD_OK)
        status = synod__join_failed (&fault);
    if (status == SYNOD__EXIT_NONE) {
        fprintf (stderr, "ready %s\n", synod_node_name (node));
        status = serve (node, signals);
    }
    synod_node_destroy (&node);
    if (signals >= 0)
        close (signals);
    synod__command_free (&command);
    return status;
}
