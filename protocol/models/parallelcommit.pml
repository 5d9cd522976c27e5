/* SPDX-License-Identifier: MPL-2.0
 *
 * Parallel commit (Taft et al., CockroachDB, SIGMOD 2020, section 3.2; Guo et al., Cornus, VLDB 2022, section 3): one
 * coordinator, N participants, all of which crash and come back with what is on their disks. The coordinator writes that
 * it begins while the participants are asked already, and has decided when that is written and all have said YES.
 * Checked: no two decide differently, the client who was answered among them; a commit only if all had written PREPARED
 * and none had voted NO; who decided stays with it.
 *
 * Messages are sets that only grow, so they are lost, repeated and overtaken at will. What is written and what is sent
 * are steps of their own, and a crash may come between them. A coordinator that comes back to BEGUN asks everybody; who
 * has not voted aborts first, for good. Of what it has no record of it answers ABORT. A mutant is a -D.
 */
#ifndef N
#define N 3
#endif
#define ALL ((1 << N) - 1)
#define CLIENT N /* what it was told, in the sets of who decided */
/* a participant */
#define IDLE      0
#define PREPARED  1
#define COMMITTED 2
#define ABORTED   3
/* the coordinator, and its record: NONE, BEGUN, ABORTING or ENDED; what it has no record of, it has aborted */
#define COLLECTING 0
#define NONE       1
#define DECIDED    2
#define ENDED      3
#define BEGUN      4
#define LEARNING   5
#define ABORTING   6

byte state[N], disk[N];
byte coordinator = COLLECTING; /* COLLECTING is never on the disk */
byte record = NONE;
byte yes, no, acks;       /* messages, by participant */
byte commits, aborts;     /* ... that were sent to them */
byte asked;               /* and that they sent to the coordinator */
byte prepared, refused;   /* whose disk ever had PREPARED; who voted NO */
byte committed, aborted;  /* who ever decided so, or was told */

#define HAS(set, i) (((set) >> (i)) & 1)
#define ADD(set, i) set = set | (1 << (i))
#define CHECK \
    assert (!(committed != 0 && aborted != 0)); \
    assert (committed == 0 || (prepared == ALL && refused == 0))

#ifdef YES_BEFORE_FORCE
#define MAY_SAY_YES(i) (state[i] == PREPARED)
#else
#define MAY_SAY_YES(i) (state[i] == PREPARED && disk[i] == PREPARED)
#endif
/* the record, and not the votes alone */
#ifdef BEGIN_NOT_WRITTEN
#define HAS_BEGUN true
#else
#define HAS_BEGUN (record == BEGUN)
#endif
#ifdef ACK_BEFORE_FORCE
#define MAY_ACK(i) (state[i] == COMMITTED)
#else
#define MAY_ACK(i) (state[i] == COMMITTED && disk[i] == COMMITTED)
#endif
#ifdef END_BEFORE_ACKS
#define MAY_END (acks != 0)
#else
#define MAY_END (acks == ALL)
#endif
#ifdef DECISION_BEFORE_ALL
#define ENOUGH (yes != 0)
#else
#define ENOUGH (yes == ALL)
#endif
#define ANSWERS_ABORT (coordinator == NONE || coordinator == ENDED)
#ifdef RETURN_ABORTS
#define COMES_BACK (record == BEGUN -> NONE : (record == ABORTING -> NONE : record))
#else
#define COMES_BACK (record == BEGUN -> LEARNING : (record == ABORTING -> NONE : record))
#endif

#define PREPARE(i) :: d_step { state[i] == IDLE -> state[i] = PREPARED }
#define WRITE(i) \
    :: d_step { state[i] == PREPARED && disk[i] == IDLE -> disk[i] = PREPARED; ADD (prepared, i) }
#define SAY_YES(i) :: d_step { MAY_SAY_YES (i) && !HAS (yes, i) -> ADD (yes, i) }
/* written, then said: two effects in one step, since between them nobody can tell */
#ifdef NO_NOT_WRITTEN
#define SAY_NO(i) \
    :: d_step { state[i] == IDLE -> state[i] = ABORTED; ADD (no, i); ADD (refused, i); ADD (aborted, i); CHECK }
#else
#define SAY_NO(i) \
    :: d_step { state[i] == IDLE -> \
        state[i] = ABORTED; disk[i] = ABORTED; ADD (no, i); ADD (refused, i); ADD (aborted, i); CHECK }
#endif
#define TAKE_COMMIT(i) \
    :: d_step { HAS (commits, i) && state[i] == PREPARED -> state[i] = COMMITTED; ADD (committed, i); CHECK }
#define WRITE_COMMIT(i) :: d_step { state[i] == COMMITTED && disk[i] == PREPARED -> disk[i] = COMMITTED }
#define ACK(i)          :: d_step { MAY_ACK (i) && !HAS (acks, i) -> ADD (acks, i) }
/* ABORT is not forced: who forgets it asks again */
#define TAKE_ABORT(i) \
    :: d_step { HAS (aborts, i) && state[i] == PREPARED -> state[i] = ABORTED; ADD (aborted, i); CHECK }
#define ASK(i) :: d_step { state[i] == PREPARED && disk[i] == PREPARED && !HAS (asked, i) -> ADD (asked, i) }
#define ANSWER(i) \
    :: d_step { HAS (asked, i) && ANSWERS_ABORT && !HAS (aborts, i) -> ADD (aborts, i) }
#define CRASH(i) :: d_step { state[i] != disk[i] -> state[i] = disk[i] }
/* J tells I what it knows; who has not voted aborts first, for good */
#ifdef PEER_ABORT_NOT_WRITTEN
#define PEER_ABORTS(j) skip
#else
#define PEER_ABORTS(j) state[j] = ABORTED; disk[j] = ABORTED; ADD (aborted, j)
#endif
#define PEER(i, j) \
    :: d_step { state[i] == PREPARED && disk[i] == PREPARED && disk[j] == COMMITTED && state[j] == COMMITTED && \
        !HAS (commits, i) -> ADD (commits, i) } \
    :: d_step { state[i] == PREPARED && disk[i] == PREPARED && state[j] == ABORTED && !HAS (aborts, i) -> \
        ADD (aborts, i) } \
    :: d_step { state[i] == PREPARED && disk[i] == PREPARED && state[j] == IDLE && !HAS (aborts, i) -> \
        PEER_ABORTS (j); ADD (aborts, i); CHECK }
/* the coordinator that has come back asks I */
#define LEARN(i) \
    :: d_step { coordinator == LEARNING && state[i] == IDLE && !HAS (no, i) -> \
        PEER_ABORTS (i); ADD (no, i); CHECK } \
    :: d_step { coordinator == LEARNING && state[i] == ABORTED && !HAS (no, i) -> ADD (no, i) }
#define ONE(i) \
    PREPARE (i) WRITE (i) SAY_YES (i) SAY_NO (i) TAKE_COMMIT (i) WRITE_COMMIT (i) ACK (i) TAKE_ABORT (i) ASK (i) \
    ANSWER (i) CRASH (i) LEARN (i) \
    :: d_step { coordinator == DECIDED && !HAS (commits, i) -> ADD (commits, i) }

active proctype world ()
{
    do
    ONE (0) ONE (1)
    PEER (0, 1) PEER (1, 0)
#if N > 2
    ONE (2)
    PEER (0, 2) PEER (1, 2) PEER (2, 0) PEER (2, 1)
#endif
    :: d_step { coordinator == COLLECTING && record == NONE -> record = BEGUN }
    /* the client is told at once */
    :: d_step { (coordinator == COLLECTING || coordinator == LEARNING) && HAS_BEGUN && ENOUGH ->
        coordinator = DECIDED; ADD (committed, CLIENT); CHECK }
    /* a NO, which is written: whether this is does not matter */
    :: d_step { (coordinator == COLLECTING || coordinator == LEARNING) && no != 0 ->
        coordinator = NONE; aborts = ALL; ADD (aborted, CLIENT); CHECK }
    /* its patience is over: written before it is said, if there is something to contradict */
    :: d_step { coordinator == COLLECTING && record == NONE -> coordinator = NONE; aborts = ALL; ADD (aborted, CLIENT); CHECK }
#ifdef ABORT_NOT_FORCED
    :: d_step { coordinator == COLLECTING && record == BEGUN -> coordinator = NONE; aborts = ALL; ADD (aborted, CLIENT); CHECK }
#else
    :: d_step { coordinator == COLLECTING && record == BEGUN -> coordinator = ABORTING }
    :: d_step { coordinator == ABORTING && record == BEGUN -> record = ABORTING }
    :: d_step { coordinator == ABORTING && record == ABORTING ->
        coordinator = NONE; aborts = ALL; ADD (aborted, CLIENT); CHECK }
#endif
    :: d_step { coordinator == DECIDED && MAY_END -> coordinator = ENDED }
    :: d_step { coordinator == ENDED && record == BEGUN -> record = ENDED }
    /* the record of an abort by a NO is in no hurry either */
    :: d_step { coordinator == NONE && record == BEGUN && no != 0 -> record = ABORTING }
    :: d_step { coordinator != COMES_BACK -> coordinator = COMES_BACK }
#ifdef NEVER_GETS_THERE
    :: d_step { coordinator == ENDED && record == ENDED && committed == (ALL | (1 << CLIENT)) -> assert (false) }
#endif
    od
}
