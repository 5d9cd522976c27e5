/* SPDX-License-Identifier: MPL-2.0
 *
 * synod broker: the broker as a program. Every setting has one name, as a flag (--topic-queue), in the environment
 * (SYNOD_TOPIC_QUEUE) and in a configuration file (topic-queue, under `broker`); a flag beats the environment, which
 * beats the file.
 */
#include "tool.h"

#include <ctype.h>
#include <czmq.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

typedef enum { TEXT, TIME, COUNT } kind_t;

typedef struct {
    const char *name;
    kind_t kind;
    const char *value;
    const char *help;
    size_t offset;    /* in the broker's options; SIZE_MAX: linger */
    const char *flag; /* what was given */
    const char *file;
} setting_t;

#define TO(member) offsetof (synod_broker_options_t, member)
#define LINGER     SIZE_MAX

static setting_t settings[] = {
    {"listen", TEXT, "ENDPOINT", "where nodes connect (default tcp://127.0.0.1:5570)", TO (listen), NULL, NULL},
    {"publish", TEXT, "ENDPOINT", "where they publish (default: beside --listen)", TO (publish), NULL, NULL},
    {"subscribe", TEXT, "ENDPOINT", "where they subscribe (default: beside --listen)", TO (subscribe), NULL, NULL},
    {"advertise", TEXT, "HOST", "the host to tell nodes, for --listen tcp://*:PORT", TO (advertise), NULL, NULL},
    {"heartbeat", TIME, "TIME", "how often nodes show that they live (default 1s)", TO (heartbeat_ms), NULL, NULL},
    {"patience", TIME, "TIME", "how long a stalled subscriber holds up others (200ms)", TO (patience_ms), NULL, NULL},
    {"topic-queue", COUNT, "N", "frames queued for a subscriber (default 64)", TO (topic_hwm), NULL, NULL},
    {"node-queue", COUNT, "N", "frames queued for a node (default 1000)", TO (queue_hwm), NULL, NULL},
    {"nodes-max", COUNT, "N", "nodes connected at most (default 10000)", TO (nodes_max), NULL, NULL},
    {"linger", TIME, "TIME", "how long unsent frames delay the end (default 1s)", LINGER, NULL, NULL},
};
#define SETTINGS (sizeof settings / sizeof settings[0])

/* ---- settings ---- */

static setting_t *find_setting (const char *name)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp (settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

static const char *from_environment (const setting_t *setting)
{
    char name[64] = "SYNOD_";
    size_t at = strlen (name);
    for (const char *p = setting->name; *p && at < sizeof name - 1; p++)
        name[at++] = *p == '-' ? '_' : (char) toupper ((unsigned char) *p);
    name[at] = '\0';
    const char *text = getenv (name);
    return text && *text ? text : NULL;
}

/* Reads what FILE says; keeps *CONFIG, which the settings borrow. */
static int read_file (const synod__command_t *command, const char *file, zconfig_t **config)
{
    FILE *readable = fopen (file, "r");
    if (!readable)
        return synod__misused (command, "cannot read %s: %s", file, strerror (errno));
    fclose (readable);
    *config = zconfig_load (file);
    if (!*config)
        return synod__misused (command,
                               "%s is no ZPL file: expected lines of NAME = VALUE, indented by four spaces "
                               "under `broker`",
                               file);
    for (zconfig_t *section = zconfig_child (*config); section; section = zconfig_next (section)) {
        if (strcmp (zconfig_name (section), "broker") != 0)
            return synod__misused (command, "%s: there is no section `%s`; there is `broker`", file,
                                   zconfig_name (section));
        for (zconfig_t *item = zconfig_child (section); item; item = zconfig_next (item)) {
            setting_t *setting = find_setting (zconfig_name (item));
            if (!setting)
                return synod__misused (command,
                                       "%s: there is no setting `%s`; the settings are the options of "
                                       "`synod broker`, without the dashes",
                                       file, zconfig_name (item));
            setting->file = zconfig_value (item);
        }
    }
    return SYNOD__EXIT_NONE;
}

static int apply (const synod__command_t *command, const setting_t *setting, synod_broker_options_t *options,
                  uint32_t *linger_ms)
{
    const char *environment = from_environment (setting);
    const char *text = setting->flag ? setting->flag : environment ? environment : setting->file;
    const char *source = setting->flag ? "--" : environment ? "environment: " : "file: ";
    void *to = setting->offset == LINGER ? (void *) linger_ms : (char *) options + setting->offset;
    char *end = NULL;
    if (!text)
        return SYNOD__EXIT_NONE;
    if (setting->kind == TEXT)
        *(const char **) to = text;
    else if (setting->kind == TIME && !synod__parse_ms (text, (uint32_t *) to))
        return synod__misused (command, "%s%s takes " SYNOD__MS_FORM ", not '%s'", source, setting->name, text);
    else if (setting->kind == COUNT) {
        errno = 0;
        unsigned long number = strtoul (text, &end, 10);
        if (errno || !isdigit ((unsigned char) *text) || *end || number == 0 || number > INT32_MAX)
            return synod__misused (command, "%s%s takes a number from 1 to %d, not '%s'", source, setting->name,
                                   INT32_MAX, text);
        *(uint32_t *) to = (uint32_t) number;
    }
    return SYNOD__EXIT_NONE;
}

/* ---- running ---- */

static bool verbose;

static void print_log (void *arg, int level, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    /* what the journal takes for the priority, when it listens */
    static const char *const priorities[] = {SD_ERR, SD_WARNING, SD_INFO, SD_DEBUG};
    (void) arg;
    if (level > SYNOD_LOG_INFO && !verbose)
        return;
    fprintf (stderr, "%ssynod broker: %s: %s\n", getenv ("JOURNAL_STREAM") ? priorities[level] : "", names[level],
             text);
}

/* Each connection is a descriptor, and the usual soft limit is 1024. */
static void allow_descriptors (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit (RLIMIT_NOFILE, &limit);
    }
}

/* Until a signal has come, or the broker has ended by itself: false. */
static bool wait_for_end (synod_broker_t *broker, int signals)
{
    zsock_t *pipe = (zsock_t *) synod_broker_pipe (broker);
    for (;;) {
        if (zsock_events (pipe) & ZMQ_POLLIN)
            return false;
        struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = (int) zsock_fd (pipe), .events = POLLIN}};
        struct signalfd_siginfo info;
        if (poll (fds, 2, -1) > 0 && fds[0].revents && read (signals, &info, sizeof info) > 0)
            return true;
    }
}

static int run (const synod_broker_options_t *options, uint32_t linger_ms)
{
    sigset_t ends;
    synod_fault_t fault = {0};
    sigemptyset (&ends);
    sigaddset (&ends, SIGINT);
    sigaddset (&ends, SIGTERM);
    zsys_handler_set (NULL); /* before any other use of czmq */
    sigprocmask (SIG_BLOCK, &ends, NULL);
    int signals = signalfd (-1, &ends, SFD_CLOEXEC);
    if (signals < 0)
        return synod__fail (SYNOD_IO, strerror (errno));
    allow_descriptors ();
    synod_broker_t *broker = synod_broker_new (options, &fault);
    if (!broker) {
        close (signals);
        return synod__fail (fault.code, fault.text);
    }
    printf ("listening %s\n", synod_broker_endpoint (broker));
    fflush (stdout);
    sd_notifyf (0, "READY=1\nSTATUS=listening at %s", synod_broker_endpoint (broker));
    bool asked = wait_for_end (broker, signals);
    sd_notify (0, "STOPPING=1");
    close (signals);
    /* the next one ends at once, as by default */
    sigprocmask (SIG_UNBLOCK, &ends, NULL);
    synod_broker_destroy (&broker, linger_ms);
    zsys_shutdown (); /* returns when what is unsent has left, or its time is over */
    if (asked)
        return SYNOD__EXIT_DONE;
    return synod__fail (SYNOD_FAILED, "the broker ended by itself");
}

int synod__tool_broker (int argc, char **argv)
{
    const char *file = NULL;
    synod_broker_options_t options = {.log = print_log};
    uint32_t linger_ms = 1000;
    synod__opt_t table[SETTINGS + 3] = {{0}};
    for (size_t i = 0; i < SETTINGS; i++)
        table[i] =
            (synod__opt_t){settings[i].name, SYNOD__OPT_TEXT, settings[i].value, settings[i].help, &settings[i].flag};
    table[SETTINGS] = (synod__opt_t){"config", SYNOD__OPT_TEXT, "FILE", "settings in ZPL, under `broker`", &file};
    table[SETTINGS + 1] = (synod__opt_t){"verbose", SYNOD__OPT_FLAG, NULL, "also say who joins and leaves", &verbose};
    synod__command_t command = {
        .name = "broker",
        .synopsis = "[OPTION]...",
        .about =
            "Forwards messages between nodes and keeps the directory, until SIGINT or SIGTERM; a second one ends\n"
            "it at once. The first line on stdout is `listening ENDPOINT`, with the port it really has.\n"
            "A setting may also be in the environment (--topic-queue is SYNOD_TOPIC_QUEUE) or in the file; a flag\n"
            "beats the environment, which beats the file:\n\n"
            "  broker\n"
            "      listen = tcp://127.0.0.1:5570\n"
            "      heartbeat = 1s\n",
        .options = table,
        .words_max = 0,
        .words_are = "no arguments"};
    zconfig_t *config = NULL;
    int status = synod__command_parse (&command, argc, argv);
    if (status == SYNOD__EXIT_NONE && !file)
        file = getenv ("SYNOD_CONFIG");
    if (status == SYNOD__EXIT_NONE && file && *file)
        status = read_file (&command, file, &config);
    for (size_t i = 0; status == SYNOD__EXIT_NONE && i < SETTINGS; i++)
        status = apply (&command, &settings[i], &options, &linger_ms);
    if (status == SYNOD__EXIT_NONE)
        status = run (&options, linger_ms);
    zconfig_destroy (&config);
    synod__command_free (&command);
    return status;
}
