/* SPDX-License-Identifier: MPL-2.0
 *
 * What the subcommands of `synod` share: bodies from the command line, printing.
 * Data goes to stdout, everything else to stderr as `synod: CODE: SENTENCE`.
 */
#ifndef SYNOD_TOOLS_TOOL_H_INCLUDED
#define SYNOD_TOOLS_TOOL_H_INCLUDED

#include <stdio.h>
#include <synod/synod.h>
#include "bus/options.h"

/* ---- subcommands: ARGV[0] is the subcommand's own name; they return the exit code ---- */
int synod__tool_broker (int argc, char **argv);
int synod__tool_bench (int argc, char **argv);
int synod__tool_cache (int argc, char **argv);
int synod__tool_run (int argc, char **argv);
int synod__tool_ask (int argc, char **argv);
int synod__tool_tell (int argc, char **argv);
int synod__tool_pub (int argc, char **argv);
int synod__tool_sub (int argc, char **argv);
int synod__tool_ls (int argc, char **argv);
int synod__tool_sniff (int argc, char **argv);
int synod__tool_paxos (int argc, char **argv);
int synod__tool_kv (int argc, char **argv);
int synod__tool_txn (int argc, char **argv);
int synod__tool_ring (int argc, char **argv);
int synod__tool_sim (int argc, char **argv);
int synod__tool_lock (int argc, char **argv);
int synod__tool_locks (int argc, char **argv);
int synod__tool_lock_release (int argc, char **argv);

/* ---- joining ---- */

/* A handle that has joined, or NULL: then *STATUS is the exit code and the reason has been printed. */
synod_handle_t *synod__join (const synod__join_t *join, int *status);
/* For COMMAND's words TO METHOD BODY...: packs BODY, joins and, if WAITS, waits until somebody is at TO. Does nothing
 * unless *STATUS is SYNOD__EXIT_NONE, which it stays when all went well; else it is the exit code, and the reason has been
 * printed. The caller destroys the handle, which may be NULL, and frees BODY in any case. */
synod_handle_t *synod__reach (const synod__command_t *command, synod__join_t *join, bool waits, synod_buf_t *body,
                              int *status);

/* Until a SIGINT or SIGTERM has come, false. synod__signals_catch makes them set it. */
void synod__signals_catch (void);
bool synod__signalled (void);

/* ---- bodies ---- */

/* Packs the map that WORDS (key=text, key=@FILE, key:=json, key:=@FILE) describe. A sentence in FAULT. */
int synod__body_from_words (const char **words, int nwords, synod_buf_t *body, synod_fault_t *fault);
/* Prints BODY as JSON; nothing there is `null`. */
void synod__print_body (FILE *out, synod_str_t body);
/* Prints TEXT as a JSON string; what is no UTF-8 becomes `?`. */
void synod__print_text (FILE *out, synod_str_t text);

#endif
