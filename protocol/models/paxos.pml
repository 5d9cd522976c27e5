/* SPDX-License-Identifier: MPL-2.0
 *
 * Paxos of one decree, three acceptors, three ballots, two values (Lamport, 2001). Checked: at most one value is chosen.
 *
 * Messages are sets that only grow: prepared, the promises of each ballot with what they reported, the values that a
 * ballot asked to accept, the votes. An acceptor has what it knows and what is on its disk, which differ only in the
 * mutants that do not write; those crash too. A mutant is a -D.
 */
byte promised[3], accepted[3], value[3];    /* what an acceptor knows */
byte dpromised[3], daccepted[3], dvalue[3]; /* and what is on its disk */
bool prepared[4];
byte report[12]; /* by ballot and acceptor: 0 none; 1 nothing accepted; else 2 * accepted ballot + value - 1 */
byte asked[4];   /* by ballot: bits of the values it asked to accept */
byte votes[24];  /* by ballot and value: bits of the acceptors */
byte chosen;     /* bits of values */
bool wiped;

#define MOST(bits) ((bits) == 3 || (bits) == 5 || (bits) == 6 || (bits) == 7)
#ifdef MINORITY
#define ENOUGH(bits) ((bits) != 0)
#else
#define ENOUGH(bits) MOST (bits)
#endif
#define MAX2(x, y)   ((x) > (y) -> (x) : (y))
/* what two acceptors reported; the third one's answer is lost, or not there yet */
#define BOTH(b, i, k)    (report[3 * (b) + i] != 0 && report[3 * (b) + k] != 0)
#define HIGHEST(b, i, k) MAX2 (report[3 * (b) + i], report[3 * (b) + k])
#ifdef ACCEPTED_IGNORED
#define FREE(b, i, k) true
#else
#define FREE(b, i, k) (HIGHEST (b, i, k) <= 1)
#endif
#ifdef BALLOT_REUSED
#define ASKS(b, v) ((asked[b] & v) == 0)
#else
#define ASKS(b, v) (asked[b] == 0)
#endif
#ifdef PROMISE_IGNORED
#define ACCEPTS(b, a) (b >= accepted[a])
#else
#define ACCEPTS(b, a) (b >= promised[a])
#endif
#ifdef PROMISE_NOT_WRITTEN
#define WRITE_PROMISE(a)
#else
#define WRITE_PROMISE(a) dpromised[a] = promised[a];
#endif
#ifdef ACCEPT_NOT_WRITTEN
#define WRITE_ACCEPT(a)
#else
#define WRITE_ACCEPT(a) dpromised[a] = promised[a]; daccepted[a] = accepted[a]; dvalue[a] = value[a];
#endif

#define PREPARE(b) :: d_step { !prepared[b] -> prepared[b] = true }
/* one ballot has one value unless a mutant reuses it: then either may be the one reported */
#define PROMISE(b, a) \
    :: d_step { prepared[b] && b > promised[a] -> \
        promised[a] = b; WRITE_PROMISE (a) \
        report[3 * b + a] = (accepted[a] == 0 -> 1 : 2 * accepted[a] + value[a] - 1) }
#define ASK_ON(b, v, i, k) \
    :: d_step { BOTH (b, i, k) && ASKS (b, v) && (FREE (b, i, k) || HIGHEST (b, i, k) % 2 == v - 1) -> \
        asked[b] = asked[b] | v }
#ifdef MINORITY
#define ASK(b, v) ASK_ON (b, v, 0, 0) ASK_ON (b, v, 1, 1) ASK_ON (b, v, 2, 2)
#else
#define ASK(b, v) ASK_ON (b, v, 0, 1) ASK_ON (b, v, 0, 2) ASK_ON (b, v, 1, 2)
#endif
#define ACCEPT(b, a, v) \
    :: d_step { (asked[b] & v) != 0 && ACCEPTS (b, a) && (votes[4 * b + v] & (1 << a)) == 0 -> \
        accepted[a] = b; value[a] = v; promised[a] = MAX2 (promised[a], b); WRITE_ACCEPT (a) \
        votes[4 * b + v] = votes[4 * b + v] | (1 << a); \
        if :: ENOUGH (votes[4 * b + v]) -> chosen = chosen | v :: else -> skip fi; \
        assert (chosen != 3) }
#if defined(PROMISE_NOT_WRITTEN) || defined(ACCEPT_NOT_WRITTEN)
#define CRASH(a) \
    :: d_step { promised[a] != dpromised[a] || accepted[a] != daccepted[a] -> \
        promised[a] = dpromised[a]; accepted[a] = daccepted[a]; value[a] = dvalue[a] }
#elif defined(WIPED_COUNTED)
#define CRASH(a) \
    :: d_step { !wiped && promised[a] != 0 -> \
        wiped = true; \
        promised[a] = 0; accepted[a] = 0; value[a] = 0; dpromised[a] = 0; daccepted[a] = 0; dvalue[a] = 0 }
#else
#define CRASH(a)
#endif
#define EACH(ACTION, b) ACTION (b, 0) ACTION (b, 1) ACTION (b, 2)
#define VOTE(b, v)      ACCEPT (b, 0, v) ACCEPT (b, 1, v) ACCEPT (b, 2, v)

active proctype world ()
{
    do
    PREPARE (1) PREPARE (2) PREPARE (3)
    EACH (PROMISE, 1) EACH (PROMISE, 2) EACH (PROMISE, 3)
    ASK (1, 1) ASK (1, 2) ASK (2, 1) ASK (2, 2) ASK (3, 1) ASK (3, 2)
    VOTE (1, 1) VOTE (1, 2) VOTE (2, 1) VOTE (2, 2) VOTE (3, 1) VOTE (3, 2)
    CRASH (0) CRASH (1) CRASH (2)
#ifdef NEVER_GETS_THERE
    :: d_step { asked[3] == 2 && chosen == 2 && votes[4 * 3 + 2] == 7 && asked[1] == 1 -> assert (false) }
#endif
    od
}
