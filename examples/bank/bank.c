/* SPDX-License-Identifier: MPL-2.0
 *
 * bank: opens the accounts, moves money between them at random, and audits the books.
 *
 * A move is a transaction: one account gives, another one gets, and the table counts it. Its outcome is never guessed: while it
 * is in doubt the same is committed again. An audit reads all branches and counts, and commits that none of them has changed
 * since. All of them are locked at once when that is decided, so what was read was so at one moment.
 */
#include "bank.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define COMMIT_MS 2000
#define LOOK_MS   5000
#define DOUBT_S   120 /* a move that is in doubt at the end is asked about for so long */
#define AWAIT_MS  10000

typedef struct {
    synod_handle_t *handle;
    const char *protocol;
    double seconds;
    int teller;
    uint64_t chance;
    uint64_t moved, aborted, doubted;
} bank_t;

static volatile sig_atomic_t stopped;

static void on_signal (int number)
{
    (void) number;
    stopped = 1;
}

static int fail (int status, int code, const char *sentence)
{
    fprintf (stderr, "bank: %s: %s\n", synod_error_name (code), sentence);
    return status;
}

static double now_s (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* xorshift* */
static uint64_t draw (bank_t *self, uint64_t below)
{
    self->chance ^= self->chance >> 12;
    self->chance ^= self->chance << 25;
    self->chance ^= self->chance >> 27;
    return self->chance * 2685821657736338717ull % below;
}

/* Lets the handle see to what is due for so long. */
static void pause_ms (bank_t *self, int ms)
{
    for (double until = now_s () + ms / 1000.0; now_s () < until;)
        if (synod_handle_poll (self->handle, (int) ((until - now_s ()) * 1000) + 1) == SYNOD_STOPPED)
            return;
}

/* ---- open ---- */

static int open_all (bank_t *self)
{
    for (int i = 0; i < BRANCHES; i++) {
        char to[32];
        synod_reply_t reply;
        snprintf (to, sizeof to, BRANCH_TO, i);
        if (synod_handle_ask (self->handle, to, &open_branch_record, &(open_branch_t){0}, 20000, &reply) != SYNOD_OK)
            return fail (1, reply.code, synod_handle_error (self->handle));
    }
    printf ("%d accounts in %d branches, %d in each\n", BRANCHES * ACCOUNTS, BRANCHES, START);
    return 0;
}

/* ---- move ---- */

static void add_branch (synod_transaction_t *transaction, uint64_t branch, const change_t *changes, uint32_t count)
{
    char to[32];
    work_t work = {.audit = false};
    synod_buf_t items = {0};
    snprintf (to, sizeof to, BRANCH_TO, (int) branch);
    for (uint32_t i = 0; i < count; i++)
        synod_list_add (&work.changes, &items, &change_record, &changes[i], NULL);
    synod_transaction_add (transaction, to, &work_record, &work);
    synod_buf_free (&items);
}

static synod_transaction_t *a_move (bank_t *self)
{
    char key[32];
    synod_transaction_t *transaction =
        synod_transaction_new (&(synod_transaction_options_t){.protocol = self->protocol}, NULL);
    uint64_t from = draw (self, BRANCHES * ACCOUNTS), to = draw (self, BRANCHES * ACCOUNTS - 1);
    to += to >= from; /* any other one */
    const int64_t amount = 1 + (int64_t) draw (self, 30);
    const change_t changes[] = {{.account = from % ACCOUNTS, .amount = -amount},
                                {.account = to % ACCOUNTS, .amount = amount}};
    bool one = from / ACCOUNTS == to / ACCOUNTS; /* a participant is there once */
    add_branch (transaction, from / ACCOUNTS, changes, one ? 2 : 1);
    if (!one)
        add_branch (transaction, to / ACCOUNTS, changes + 1, 1);
    snprintf (key, sizeof key, MOVES_KEY, self->teller);
    synod_transaction_incr (transaction, key, 1, NULL);
    return transaction;
}

/* Commits it until its outcome is known. */
static synod_txn_outcome_t commit (bank_t *self, synod_transaction_t *transaction, synod_decision_t *decision)
{
    synod_txn_outcome_t outcome = synod_handle_commit (self->handle, transaction, COMMIT_MS, decision);
    double until = now_s () + self->seconds + DOUBT_S;
    self->doubted += outcome == SYNOD_IN_DOUBT;
    while (outcome == SYNOD_IN_DOUBT && now_s () < until) {
        pause_ms (self, 20);
        outcome = synod_handle_commit (self->handle, transaction, COMMIT_MS, decision);
        if (outcome == SYNOD_NOT_BEGUN) /* this time; the first time may have */
            outcome = SYNOD_IN_DOUBT;
    }
    return outcome;
}

static int move (bank_t *self)
{
    synod_decision_t decision;
    double until = now_s () + self->seconds;
    int status = 0;
    while (!stopped && now_s () < until && status == 0) {
        synod_transaction_t *transaction = a_move (self);
        switch (commit (self, transaction, &decision)) {
        case SYNOD_COMMITTED:
            self->moved++;
            break;
        case SYNOD_ABORTED: /* too poor, or locked: others may be faster */
            self->aborted++;
            pause_ms (self, 5 + (int) draw (self, 20));
            break;
        case SYNOD_NOT_BEGUN:
            if (decision.code == SYNOD_INVALID || decision.code == SYNOD_BAD_REQUEST)
                status = fail (1, decision.code, decision.why);
            pause_ms (self, 100);
            break;
        default:
            status = fail (4, decision.code, "a move is in doubt still");
        }
        synod_transaction_destroy (&transaction);
    }
    printf ("moved %" PRIu64 " aborted %" PRIu64 " doubted %" PRIu64 "\n", self->moved, self->aborted, self->doubted);
    return status;
}

/* ---- audit ---- */

typedef struct {
    books_t total;
    int64_t moves;
    synod_transaction_t *check; /* that nothing has changed since */
} audit_t;

static int look_at_branch (bank_t *self, int branch, audit_t *audit)
{
    char to[32];
    books_t books;
    synod_reply_t reply;
    snprintf (to, sizeof to, BRANCH_TO, branch);
    int rc = synod_handle_ask (self->handle, to, &look_record, &(look_t){0}, LOOK_MS, &reply);
    if (rc == SYNOD_OK)
        rc = synod_record_unpack (&books_record, reply.body, &books, NULL);
    if (rc != SYNOD_OK)
        return rc;
    audit->total.accounts += books.accounts;
    audit->total.sum += books.sum;
    audit->total.changes += books.changes;
    synod_transaction_add (audit->check, to, &work_record, &(work_t){.audit = true, .version = books.version});
    return SYNOD_OK;
}

static int look_at_teller (bank_t *self, int teller, audit_t *audit)
{
    char to[48], digits[24];
    is_t is;
    synod_reply_t reply;
    snprintf (to, sizeof to, "kv#" MOVES_KEY, teller);
    int rc = synod_handle_ask (self->handle, to, &get_record, &(get_t){0}, LOOK_MS, &reply);
    if (rc == SYNOD_OK)
        rc = synod_record_unpack (&is_record, reply.body, &is, NULL);
    if (rc != SYNOD_OK)
        return rc;
    snprintf (digits, sizeof digits, "%.*s", SYNOD_STR (is.data));
    audit->moves += is.found ? strtoll (digits, NULL, 10) : 0;
    synod_transaction_check (audit->check, to + 3, &(synod_change_t){.absent = !is.found, .version = is.version});
    return SYNOD_OK;
}

/* Whether the look was of one moment; *CODE: why not, as far as it is an error. */
static bool look_at_all (bank_t *self, audit_t *audit, synod_decision_t *decision, int *code)
{
    *audit =
        (audit_t){.check = synod_transaction_new (&(synod_transaction_options_t){.protocol = self->protocol}, NULL)};
    *code = audit->check ? SYNOD_OK : SYNOD_NO_MEMORY;
    for (int i = 0; i < BRANCHES && *code == SYNOD_OK; i++)
        *code = look_at_branch (self, i, audit);
    for (int i = 0; i < TELLERS && *code == SYNOD_OK; i++)
        *code = look_at_teller (self, i, audit);
    bool sure = *code == SYNOD_OK && commit (self, audit->check, decision) == SYNOD_COMMITTED;
    if (*code == SYNOD_OK)
        *code = decision->code;
    else
        snprintf (decision->why, sizeof decision->why, "%s", synod_handle_error (self->handle));
    synod_transaction_destroy (&audit->check);
    return sure;
}

static int audit (bank_t *self)
{
    audit_t audit;
    synod_decision_t decision = {.code = SYNOD_OK};
    double until = now_s () + self->seconds;
    int code = SYNOD_OK, looks = 1;
    while (!look_at_all (self, &audit, &decision, &code)) {
        if (stopped || now_s () >= until)
            return fail (3, code == SYNOD_OK ? SYNOD_TIMEOUT : code, decision.why);
        pause_ms (self, 10 + (int) draw (self, 10));
        looks++;
    }
    bool exact = audit.total.sum == (int64_t) audit.total.accounts * START &&
                 audit.total.changes == 2 * (uint64_t) audit.moves && audit.total.accounts == BRANCHES * ACCOUNTS;
    printf ("%" PRIi64 " in %" PRIu64 " accounts, %" PRIi64 " moves by tellers, %" PRIu64 " changes: %s (look %d)\n",
            audit.total.sum, audit.total.accounts, audit.moves, audit.total.changes, exact ? "exact" : "WRONG", looks);
    return exact ? 0 : 1;
}

/* ---- the command ---- */

static const char help[] =
    "usage: bank open | move TELLER | audit [OPTION]...\n\n"
    "A bank of 1,000 accounts. `open` makes them; `move` moves money between any two, as teller 0 to 7; `audit` looks\n"
    "whether all of it is there, while money is moved too: exit 0 if it is, 1 if not, 3 if it got no look in time.\n\n"
    "  --bus ENDPOINT    the broker (default $SYNOD_BUS, else tcp://127.0.0.1:5570)\n"
    "  --for SECONDS     move: how long, SIGINT and SIGTERM end it too (default 10); audit: try for so long\n"
    "  --protocol NAME   2pc (default), 3pc, paxos or parallel\n"
    "  --seed N          move: what to draw by (default: another one each time)\n"
    "  --heartbeat MS    as the bus has it (default 1000)\n"
    "  --help, --version\n";

static int misused (const char *what, const char *value)
{
    fprintf (stderr, "bank: %s%s%s; see bank --help\n", what, value ? " " : "", value ? value : "");
    return 2;
}

static bool number (const char *text, double least, double most, double *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtod (text, &end);
    return !errno && end != text && !*end && *out >= least && *out <= most;
}

static int parse (int argc, char **argv, bank_t *self, synod_options_t *options)
{
    static const struct option known[] = {
        {"bus", 1, NULL, 'b'},  {"for", 1, NULL, 'f'},     {"protocol", 1, NULL, 'p'},  {"seed", 1, NULL, 's'},
        {"help", 0, NULL, 'h'}, {"version", 0, NULL, 'v'}, {"heartbeat", 1, NULL, 'e'}, {NULL, 0, NULL, 0}};
    double value = 0;
    int option;
    while ((option = getopt_long (argc, argv, "h", known, NULL)) != -1) {
        switch (option) {
        case 'b':
            options->bus = optarg;
            break;
        case 'f':
            if (!number (optarg, 0, 86400, &self->seconds))
                return misused ("--for takes seconds, not", optarg);
            break;
        case 'p':
            if (strcmp (optarg, "2pc") != 0 && strcmp (optarg, "3pc") != 0 && strcmp (optarg, "paxos") != 0 &&
                strcmp (optarg, "parallel") != 0)
                return misused ("--protocol takes 2pc, 3pc, paxos or parallel, not", optarg);
            self->protocol = optarg;
            break;
        case 's':
            if (!number (optarg, 1, 1e15, &value))
                return misused ("--seed takes a number from 1 on, not", optarg);
            self->chance = (uint64_t) value;
            break;
        case 'e':
            if (!number (optarg, 10, 60000, &value))
                return misused ("--heartbeat takes ms, not", optarg);
            options->heartbeat_ms = (uint32_t) value;
            break;
        case 'h':
            fputs (help, stdout);
            return 0;
        case 'v':
            printf ("bank %s\n", synod_version ());
            return 0;
        default: /* getopt has said what */
            return misused ("wrong option", NULL);
        }
    }
    return -1;
}

typedef int verb_t (bank_t *self);

/* What is to be done; NULL: none of it is known. */
static verb_t *verb_of (bank_t *self, int nwords, char **words)
{
    double teller = 0;
    if (nwords == 1 && strcmp (words[0], "open") == 0)
        return open_all;
    if (nwords == 1 && strcmp (words[0], "audit") == 0)
        return audit;
    if (nwords != 2 || strcmp (words[0], "move") != 0)
        return misused ("expected open, move TELLER or audit", NULL), NULL;
    if (!number (words[1], 0, TELLERS - 1, &teller) || teller != (int) teller)
        return misused ("expected a teller from 0 to 7, not", words[1]), NULL;
    self->teller = (int) teller;
    return move;
}

int main (int argc, char **argv)
{
    synod_options_t options = {0};
    synod_fault_t fault = {0};
    bank_t self = {.seconds = 10};
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    self.chance = (uint64_t) now.tv_nsec * 2654435761u + (uint64_t) now.tv_sec + (uint64_t) getpid ();
    int status = parse (argc, argv, &self, &options);
    if (status != -1)
        return status;
    verb_t *verb = verb_of (&self, argc - optind, argv + optind);
    if (!verb)
        return 2;
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    self.handle = synod_handle_new (&options, &fault);
    if (!self.handle)
        return fail (3, fault.code, fault.text);
    if (synod_handle_await (self.handle, "branch", AWAIT_MS) != SYNOD_OK ||
        synod_handle_await (self.handle, "vote", AWAIT_MS) != SYNOD_OK)
        status = fail (3, SYNOD_NO_ROUTE, "nobody runs it; start a node with: synod run ./libbank.so kv vote");
    else
        status = verb (&self);
    synod_handle_destroy (&self.handle);
    return status;
}
