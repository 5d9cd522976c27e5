/* SPDX-License-Identifier: MPL-2.0
 *
 * synod run: a node with actors, in the foreground; bus/main.c does it.
 */
#include "tool.h"
#include "builtin.h"
#include "bus/main.h"
#include <systemd/sd-daemon.h>

/* Does nothing unless a service manager has started us and wants to know. */
static void notify (const char *state)
{
    sd_notify (0, state);
}

int synod__tool_run (int argc, char **argv)
{
    const synod__program_t program = {
        .name = "run",
        .synopsis = "TYPE|./lib.so[:TYPE] [--set KEY=VALUE]... [OPTION]...",
        .about =
            "Runs actors on a node until a SIGINT or SIGTERM: the node is taken out of the directory, answers\n"
            "what it has, and ends; a second signal ends it at once. TYPE is a built-in one (acceptor,\n"
            "ballot, cache, echo, kv, lock, paxos, ring, vote), or several; a shared object gives all its actors, or\n"
            "one by name. Says `ready NODE` on stderr when it has joined.\n"
            "A node with `paxos` runs `acceptor` as well, with `kv` also `kv-node`.\n"
            "A node with a placed actor runs the actor ring as well, and waits for `synod ring init` or `join`; with\n"
            "--alone it is a ring by itself at once.\n",
        .types = synod__builtin_types,
        .notify = notify,
    };
    return synod__program_run (&program, argc, argv);
}
