/* SPDX-License-Identifier: MPL-2.0
 *
 * The one command `synod`: a table of subcommands, each in a file of its own.
 */
#include <malloc.h>
#include "tool.h"

typedef struct {
    const char *name;
    int (*run) (int argc, char **argv);
    const char *about;
} subcommand_t;

static const subcommand_t subcommands[] = {
    {"broker", synod__tool_broker, "forward messages between nodes, and keep the directory"},
    {"run", synod__tool_run, "run actors on a node"},
    {"ask", synod__tool_ask, "ask an actor and print its reply"},
    {"tell", synod__tool_tell, "send an actor a message that wants no reply"},
    {"pub", synod__tool_pub, "publish on a topic"},
    {"sub", synod__tool_sub, "print what is published on topics"},
    {"ls", synod__tool_ls, "list the nodes and their actors"},
    {"sniff", synod__tool_sniff, "print every message on the bus"},
    {"bench", synod__tool_bench, "measure how fast a bus is"},
    {"cache", synod__tool_cache, "read and write the cache"},
    {"kv", synod__tool_kv, "read and write the table"},
    {"txn", synod__tool_txn, "change keys of the table together or not at all"},
    {"ring", synod__tool_ring, "show, make and change the ring of placed actors"},
    {"lock", synod__tool_lock, "run a command while holding a lock"},
    {"locks", synod__tool_locks, "show locks: who holds them, and who waits"},
    {"lock-release", synod__tool_lock_release, "take a lock from who holds it"},
    {"paxos", synod__tool_paxos, "decide a value once for each key"},
    {"sim", synod__tool_sim, "run actors in the simulator, under faults, for many seeds"},
};
#define SUBCOMMANDS (sizeof subcommands / sizeof subcommands[0])

static void usage (FILE *out)
{
    fputs ("usage: synod COMMAND [OPTION]... [ARGUMENT]...\n\n", out);
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        fprintf (out, "  %-12s %s\n", subcommands[i].name, subcommands[i].about);
    fputs ("\n`synod COMMAND --help` says what a command takes; `synod --version` shows the version.\n"
           "Exit: 0 done, 1 the answer was an error, 2 wrong usage, 3 nothing there to answer or timed out.\n",
           out);
}

/* Frames of 64 KiB come and go by the thousand: without this, malloc gives their pages back to the kernel and takes
 * them again for each (a tenth of a broker's time). */
static void keep_memory (void)
{
    mallopt (M_MMAP_THRESHOLD, 4 << 20);
    mallopt (M_TRIM_THRESHOLD, 64 << 20);
    mallopt (M_TOP_PAD, 1 << 20);
}

int main (int argc, char **argv)
{
    keep_memory ();
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp (name, "--help") == 0 || strcmp (name, "-h") == 0 || strcmp (name, "help") == 0) {
        usage (stdout);
        return SYNOD__EXIT_DONE;
    }
    if (strcmp (name, "--version") == 0) {
        printf ("synod %s\n", synod_version ());
        return SYNOD__EXIT_DONE;
    }
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp (name, subcommands[i].name) == 0) {
            int status = subcommands[i].run (argc - 1, argv + 1);
            if (fflush (stdout) != 0 || ferror (stdout)) {
                perror ("synod: cannot write to stdout");
                status = status == SYNOD__EXIT_DONE ? SYNOD__EXIT_ERROR : status;
            }
            return status;
        }
    }
    if (*name)
        fprintf (stderr, "synod: there is no command '%s'\n", name);
    usage (stderr);
    return SYNOD__EXIT_USAGE;
}
