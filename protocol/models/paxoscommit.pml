/* SPDX-License-Identifier: MPL-2.0
 *
 * Paxos Commit (Gray and Lamport, 2006): two participants, three acceptors, ballots 0 to 2. Each participant's vote is a
 * value that the acceptors choose; ballot 0 is the participant's own, later ones are those of whoever recovers. The
 * votes of a transaction are promised together. Checked: no vote is chosen both ways; no two decide differently; a
 * commit only if both had written PREPARED and none had voted NO.
 *
 * Messages are sets that only grow. An acceptor, or a participant, has what it knows and what is on its disk, which
 * differ only in the mutants that do not write; those crash too. A mutant is a -D.
 */
#define YES 1
#define NO  2

byte voted[2], dvoted[2];   /* what a participant voted, in memory and on its disk */
byte said[2];               /* bits of the votes that it sent under ballot 0 */
byte promised[3], dpromised[3];
byte accepted[6], daccepted[6]; /* by acceptor and participant: 0 none, else 1 + 2 * ballot + vote - 1 */
bool prepared[3];
byte report[18];            /* by ballot, acceptor and participant: 0 none; 1 nothing accepted; else 1 + accepted */
byte asked[6];              /* by ballot > 0 and participant: the vote proposed */
byte votes[18];             /* by ballot, participant and vote: bits of the acceptors */
byte chosen[2];             /* bits of votes */
byte decided;               /* bits: 1 committed, 2 aborted */
byte ready, refused;        /* whose disk ever had YES; who ever voted NO */

#define AT(a, r)         (2 * (a) + (r))
#define REPORT(b, a, r)  report[6 * (b) + 2 * (a) + (r)]
#define VOTES(b, r, v)   votes[6 * (b) + 3 * (r) + (v)]
#define ASKED(b, r)      asked[2 * (b) + (r)]
#define MOST(bits)       ((bits) == 3 || (bits) == 5 || (bits) == 6 || (bits) == 7)
#ifdef DECISION_BEFORE_QUORUM
#define ENOUGH(bits) ((bits) != 0)
#else
#define ENOUGH(bits) MOST (bits)
#endif
#define MAX2(x, y) ((x) > (y) -> (x) : (y))
#ifdef FREE_CHOICE
#define UNVOTED YES
#else
#define UNVOTED NO
#endif
#ifdef PROMISE_IGNORED
#define TAKES(b, a, r) (accepted[AT (a, r)] == 0 || b >= (accepted[AT (a, r)] - 1) / 2)
#else
#define TAKES(b, a, r) (b >= promised[a])
#endif
#ifdef BALLOT_NOT_WRITTEN
#define WRITE_PROMISE(a)
#else
#define WRITE_PROMISE(a) dpromised[a] = promised[a];
#endif
#ifdef ACCEPT_NOT_WRITTEN
#define WRITE_ACCEPT(a, r)
#else
#define WRITE_ACCEPT(a, r) dpromised[a] = promised[a]; daccepted[AT (a, r)] = accepted[AT (a, r)];
#endif
#ifdef VOTE_NOT_WRITTEN
#define WRITE_VOTE(r)
#else
#define WRITE_VOTE(r) dvoted[r] = voted[r];
#endif
#define CHECK \
    assert (chosen[0] != 3 && chosen[1] != 3 && decided != 3); \
    assert ((decided & 1) == 0 || (ready == 3 && refused == 0))

/* written, then told to the acceptors under ballot 0 */
#define VOTE(r) \
    :: d_step { voted[r] == 0 -> voted[r] = YES; WRITE_VOTE (r) ready = ready | (1 << r); said[r] = said[r] | YES } \
    :: d_step { voted[r] == 0 -> voted[r] = NO; WRITE_VOTE (r) refused = refused | (1 << r); said[r] = said[r] | NO; \
        CHECK }
#define PREPARE(b) :: d_step { !prepared[b] -> prepared[b] = true }
#define SEEN(a, r) (accepted[AT (a, r)] == 0 -> 1 : 1 + accepted[AT (a, r)])
#define PROMISE(b, a) \
    :: d_step { prepared[b] && b > promised[a] -> \
        promised[a] = b; WRITE_PROMISE (a) REPORT (b, a, 0) = SEEN (a, 0); REPORT (b, a, 1) = SEEN (a, 1) }
/* from what two acceptors reported, for each vote the one of the highest ballot; none: NO, and nothing else */
#define HIGHEST(b, i, k, r) MAX2 (REPORT (b, i, r), REPORT (b, k, r))
#define VALUE(b, i, k, r)   (HIGHEST (b, i, k, r) <= 1 -> UNVOTED : (HIGHEST (b, i, k, r) - 2) % 2 + 1)
#define PROPOSE_ON(b, i, k) \
    :: d_step { REPORT (b, i, 0) != 0 && REPORT (b, k, 0) != 0 && ASKED (b, 0) == 0 -> \
        ASKED (b, 0) = VALUE (b, i, k, 0); ASKED (b, 1) = VALUE (b, i, k, 1) }
#define PROPOSE(b) PROPOSE_ON (b, 0, 1) PROPOSE_ON (b, 0, 2) PROPOSE_ON (b, 1, 2)
#define IS_ASKED(b, r, v) ((b) == 0 -> (said[r] & v) != 0 : ASKED (b, r) == v)
#define ACCEPT(b, a, r, v) \
    :: d_step { IS_ASKED (b, r, v) && TAKES (b, a, r) && (VOTES (b, r, v) & (1 << a)) == 0 && \
        !(b == 0 && accepted[AT (a, r)] != 0) -> \
        accepted[AT (a, r)] = 1 + 2 * b + v - 1; promised[a] = MAX2 (promised[a], b); WRITE_ACCEPT (a, r) \
        VOTES (b, r, v) = VOTES (b, r, v) | (1 << a); \
        if :: MOST (VOTES (b, r, v)) -> chosen[r] = chosen[r] | v :: else -> skip fi; \
        CHECK }
/* whoever hears enough acceptors decides; one NO is enough to abort */
#define KNOWN(r, v) (ENOUGH (VOTES (0, r, v)) || ENOUGH (VOTES (1, r, v)) || ENOUGH (VOTES (2, r, v)))
#define DECIDE \
    :: d_step { (decided & 1) == 0 && KNOWN (0, YES) && KNOWN (1, YES) -> decided = decided | 1; CHECK } \
    :: d_step { (decided & 2) == 0 && (KNOWN (0, NO) || KNOWN (1, NO)) -> decided = decided | 2; CHECK }
#if defined(BALLOT_NOT_WRITTEN) || defined(ACCEPT_NOT_WRITTEN)
#define CRASH(a) \
    :: d_step { promised[a] != dpromised[a] || accepted[AT (a, 0)] != daccepted[AT (a, 0)] || \
        accepted[AT (a, 1)] != daccepted[AT (a, 1)] -> \
        promised[a] = dpromised[a]; accepted[AT (a, 0)] = daccepted[AT (a, 0)]; accepted[AT (a, 1)] = daccepted[AT (a, 1)] }
#else
#define CRASH(a)
#endif
#ifdef VOTE_NOT_WRITTEN
#define FORGET(r) :: d_step { voted[r] != dvoted[r] -> voted[r] = dvoted[r] }
#else
#define FORGET(r)
#endif
#define EACH(ACTION, b) ACTION (b, 0) ACTION (b, 1) ACTION (b, 2)
#define TAKE(b, r, v)   ACCEPT (b, 0, r, v) ACCEPT (b, 1, r, v) ACCEPT (b, 2, r, v)
#define TAKE_ALL(b)     TAKE (b, 0, YES) TAKE (b, 0, NO) TAKE (b, 1, YES) TAKE (b, 1, NO)

active proctype world ()
{
    do
    VOTE (0) VOTE (1)
    PREPARE (1)
    EACH (PROMISE, 1)
    PROPOSE (1)
    TAKE_ALL (0) TAKE_ALL (1)
#if BALLOTS > 2
    PREPARE (2) EACH (PROMISE, 2) PROPOSE (2) TAKE_ALL (2)
#endif
    DECIDE
    CRASH (0) CRASH (1) CRASH (2)
    FORGET (0) FORGET (1)
#ifdef NEVER_GETS_THERE
    :: d_step { decided == 1 && ASKED (1, 0) == YES && VOTES (1, 0, YES) == 7 && VOTES (0, 0, YES) == 1 -> assert (false) }
#endif
    od
}
