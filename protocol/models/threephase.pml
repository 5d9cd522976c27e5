/* SPDX-License-Identifier: MPL-2.0
 *
 * Three-phase commit with its termination protocol (Skeen, 1981): a coordinator and three participants. Checked: no two
 * decide differently; a commit only if all voted yes.
 *
 * It stands on what it assumes: messages arrive in time, and who is silent is dead. So a message here arrives as it is
 * sent, one participant at a time, and the next leader acts when the coordinator cannot be reached. Who crashed comes
 * back with what it had and leads nothing until somebody knows, or until all are there.
 *
 * PARTITION cuts the participants in two once, and the assumption with them: this must fail. The other -D are mutants.
 */
/* a participant, in the order of its life */
#define IDLE      0
#define READY     1 /* voted yes */
#define PRE       2
#define COMMITTED 3
#define ABORTED   4

byte state[3];
byte down;      /* bits of participants */
byte back;      /* that crashed, came back and do not know the outcome */
bool crashed;   /* the coordinator */
byte phase;     /* of the coordinator: 0 collecting, 1 pre-committing, 2 committing, 3 aborting */
byte sent;      /* who got what the coordinator sends in this phase */
byte side;      /* bits of the participants that are cut off from the coordinator ... */
bool cut;       /* ... once there is a cut */
byte committed, aborted, voted;
byte crashes;

#define HAS(set, i)  (((set) >> (i)) & 1)
#define ADD(set, i)  set = set | (1 << (i))
#define BOTH(i, j)   (HAS (side, i) == HAS (side, j))
#define UP(i)        (!HAS (down, i))
#define REACHED(i)   (!crashed && UP (i) && !HAS (side, i))
#define COUNTS(i, j) (UP (j) && BOTH (i, j) && (!HAS (back, j) || EVERYBODY))
#define EVERYBODY    (down == 0 && side == 0)
#define CHECK \
    assert (!(committed != 0 && aborted != 0)); \
    assert (committed == 0 || voted == 7)
#define BECOME(i, what) \
    state[i] = what; \
    if :: what == COMMITTED -> ADD (committed, i); back = back & ~(1 << (i)) \
       :: what == ABORTED -> ADD (aborted, i); back = back & ~(1 << (i)) \
       :: else -> skip fi; \
    CHECK
/* somebody that counts for I is in that state */
#define ANY(i, what) \
    ((COUNTS (i, 0) && state[0] == what) || (COUNTS (i, 1) && state[1] == what) || (COUNTS (i, 2) && state[2] == what))
/* the first of those that count leads */
#define LEADS(i) \
    (COUNTS (i, i) && (crashed || HAS (side, i)) && \
     !(i > 0 && COUNTS (i, 0)) && !(i > 1 && COUNTS (i, 1)))
#ifdef TERMINATION_SKIPS_PRECOMMIT
#define BRINGS(j) false
#define LEADER_COMMITS(i) (ANY (i, PRE))
#else
#define BRINGS(j) (state[j] == READY)
#define LEADER_COMMITS(i) (ANY (i, PRE) && !ANY (i, READY))
#endif
#ifdef NO_PRECOMMIT
#define FIRST COMMITTED
#else
#define FIRST PRE
#endif
#ifdef COMMIT_BEFORE_ALL_PRE
#define PRE_DONE (sent != 0)
#else
#define PRE_DONE ((sent | down) == 7 && sent != 0)
#endif

#define VOTE(i) \
    :: d_step { UP (i) && state[i] == IDLE && !HAS (back, i) -> ADD (voted, i); state[i] = READY } \
    :: d_step { UP (i) && state[i] == IDLE -> BECOME (i, ABORTED) }
#define TELL(i) \
    :: d_step { phase == 1 && REACHED (i) && state[i] == READY && !HAS (sent, i) -> BECOME (i, FIRST); ADD (sent, i) } \
    :: d_step { phase == 2 && REACHED (i) && state[i] < COMMITTED -> BECOME (i, COMMITTED) } \
    :: d_step { phase == 3 && REACHED (i) && state[i] < COMMITTED -> BECOME (i, ABORTED) }
/* one step of whoever leads, from what those that count are in now; the next leader goes on from there */
#define LEAD_TO(i, j) \
    :: d_step { LEADS (i) && UP (j) && BOTH (i, j) && state[j] < COMMITTED && ANY (i, COMMITTED) -> BECOME (j, COMMITTED) } \
    :: d_step { LEADS (i) && UP (j) && BOTH (i, j) && state[j] < COMMITTED && ANY (i, ABORTED) && !ANY (i, COMMITTED) -> \
        BECOME (j, ABORTED) } \
    :: d_step { LEADS (i) && COUNTS (i, j) && BRINGS (j) && ANY (i, PRE) && !ANY (i, COMMITTED) && !ANY (i, ABORTED) -> \
        BECOME (j, PRE) }
#define LEAD(i) \
    LEAD_TO (i, 0) LEAD_TO (i, 1) LEAD_TO (i, 2) \
    :: d_step { LEADS (i) && LEADER_COMMITS (i) && !ANY (i, COMMITTED) && !ANY (i, ABORTED) -> BECOME (i, COMMITTED) } \
    :: d_step { LEADS (i) && !ANY (i, PRE) && !ANY (i, COMMITTED) && !ANY (i, ABORTED) -> BECOME (i, ABORTED) }
/* who is back asks those who know */
#define LEARN(i, j) \
    :: d_step { UP (i) && HAS (back, i) && UP (j) && BOTH (i, j) && state[j] >= COMMITTED && state[i] < COMMITTED -> \
        BECOME (i, state[j]) }
#define CRASH(i) \
    :: d_step { UP (i) && crashes < 3 -> ADD (down, i); crashes++; back = back & ~(1 << (i)) } \
    :: d_step { !UP (i) -> down = down & ~(1 << (i)); \
        if :: state[i] < COMMITTED -> ADD (back, i) :: else -> skip fi }

active proctype world ()
{
    do
    VOTE (0) VOTE (1) VOTE (2)
    TELL (0) TELL (1) TELL (2)
    LEAD (0) LEAD (1) LEAD (2)
    LEARN (0, 1) LEARN (0, 2) LEARN (1, 0) LEARN (1, 2) LEARN (2, 0) LEARN (2, 1)
    CRASH (0) CRASH (1) CRASH (2)
    /* all voted yes; who died meanwhile is left behind */
    :: d_step { !crashed && phase == 0 && voted == 7 && side == 0 -> phase = 1 }
    :: d_step { !crashed && phase == 1 && PRE_DONE -> phase = 2 }
    :: d_step { !crashed && phase == 0 -> phase = 3 }
    :: d_step { !crashed -> crashed = true }
#ifdef PARTITION
    :: d_step { !cut -> cut = true; side = 1 }
    :: d_step { !cut -> cut = true; side = 6 }
    :: d_step { !cut -> cut = true; side = 7 }
#endif
#ifdef NEVER_GETS_THERE
    :: d_step { crashed && phase == 1 && committed == 7 && crashes == 2 -> assert (false) }
#endif
    od
}
