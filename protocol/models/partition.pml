/* SPDX-License-Identifier: MPL-2.0
 *
 * One partition through three terms: sealing, walking back, adopting, marking, batches, reads, restarts, deleting; docs and
 * rules as in the replication of placed actors. Checked: what was acknowledged or shown survives into every later term
 * that serves, linear reads show what was acknowledged before they began, and what a term dropped does not come back.
 *
 * A term is an epoch and a life of its owner in it. E counts terms; those with the same FIRST are of one epoch. An owner
 * sends batches before its own disk has them, and lets their messages go when a majority has, with or without itself: the
 * last soft[i] of what node i has are lost when it crashes. All else is written before it is told, but for which life of an
 * owner a node has heard of: with -DFORGETS a crash forgets that.
 *
 * What is sent is kept for ever and taken or not (so it may be lost, repeated, late and in any order): L[e] is all that
 * the owner of e ever sent, and marks and acked are the answers it may count. One process of d_step guards. Asking and
 * answering are one step: until the owner acts on it nobody can tell when an answer arrived. Crashes need no step of
 * their own where everything is written before it is told; where it is not, they have one.
 *
 * A copy is a sequence of batches, of which only the term matters: digits in base 4, the first batch the lowest.
 * Node n is the bit 1 << n. -DSETS=n chooses how the replicas change, -DONE_WIPED adds a node that loses its disk and
 * is dead from then on, -DPIECES lets copies be brought by batches too, -DPERSISTED_FIRST lets an owner persist before it
 * sends, -DOWN_NEEDED lets nothing go without the owner's own commit, and so takes its copy for the newest when it starts
 * again. A mutant is one more -D.
 */
#ifndef SETS
#define SETS 0
#endif
#if SETS == 0 /* {A,B,C} {B,C,D} {C,D,A} */
#define SET(e)   ((e) == 1 -> 7 : ((e) == 2 -> 14 : 13))
#define OWNER(e) ((e) - 1)
#elif SETS == 1 /* owners alone change */
#define SET(e)   7
#define OWNER(e) ((e) - 1)
#elif SETS == 3 /* {A,B,C}, whose owner starts again, {B,C,D} */
#define SET(e)   ((e) == 3 -> 14 : 7)
#define OWNER(e) ((e) == 3 -> 1 : 0)
#define FIRST(e) ((e) == 3 -> 3 : 1)
#elif SETS == 4 /* {A,B,C} {B,C,D}, whose owner starts again */
#define SET(e)   ((e) == 1 -> 7 : 14)
#define OWNER(e) ((e) == 1 -> 0 : 1)
#define FIRST(e) ((e) == 1 -> 1 : 2)
#elif SETS == 5 /* {A,B,C}, whose owner starts again twice */
#define SET(e)   7
#define OWNER(e) 0
#define FIRST(e) 1
#else /* {A,B,C} {A,B,D} {A,C,D}, the last two owned by who is new, or was away */
#define SET(e)   ((e) == 1 -> 7 : ((e) == 2 -> 11 : 13))
#define OWNER(e) ((e) == 1 -> 0 : ((e) == 2 -> 3 : 2))
#endif
#ifndef FIRST
#define FIRST(e) (e)
#endif
#ifdef OWN_NOT_ASKED /* seen with the least of states, and with memories that fail */
#define FORGETS
#define LENGTH 1
#endif
#ifndef LENGTH
#define LENGTH 2
#endif

#define BIT(i)         (1 << (i))
#define IN(e, i)       ((SET (e) & BIT (i)) != 0)
#define MOST(bits)     ((bits) == 3 || (bits) == 5 || (bits) == 6 || (bits) == 7 || (bits) == 9 || (bits) == 10 || \
                        (bits) == 11 || (bits) == 12 || (bits) == 13 || (bits) == 14) /* two or more of three */
#define LEN(l)         ((l) == 0 -> 0 : ((l) < 4 -> 1 : ((l) < 16 -> 2 : 3)))
#define POW(n)         (1 << (2 * (n)))
#define CUT(l, n)      ((l) % POW (n))
#define PREFIX(p, l)   (CUT (l, LEN (p)) == (p))
#define ENTRY(l, n)    (((l) / POW (n)) % 4)
#define ADD(l, e)      ((l) + (e) * POW (LEN (l)))
#define LAST_OF(l)     ((l) == 0 -> 0 : ENTRY (l, LEN (l) - 1))

/* by node: on its disk */
byte log[4], mark[4], seal[4];
byte soft[4]; /* how many of the last batches are not there yet */
byte dead; /* bits of nodes that were wiped */

/* by term */
bool begun[4], ended[4]; /* its owner has heard of it, or is dead or in another life */
byte target[4]; /* the epoch that its owner is sealing */
byte got[4];    /* bits of that epoch's replicas that answered */
byte top[4];    /* the highest mark among the answers */
byte best_mark[4], best[4];
bool adopted[4];
byte base[4];   /* what was adopted */
byte L[4];      /* and all batches sent on top of it */
byte marks[4];  /* bits of replicas that said they are marked */
bool serving[4];
byte acked[16]; /* by term and node: how many batches it said it has */

byte seen; /* all that was acknowledged or shown to anybody */
byte rd_epoch, rd_len, rd_seen, rd_conf; /* a read: its owner's epoch, what it reads, what was seen when it began */

#ifdef OWNER_IGNORES_SEAL
#define OWNS(e) (mark[OWNER (e)] == e)
#else
#define OWNS(e) (mark[OWNER (e)] == e && seal[OWNER (e)] <= e)
#endif
#define ACTS(e) (begun[e] && !ended[e])
#ifdef WIPED_COUNTED
#define ALIVE(i) true
#else
#define ALIVE(i) ((dead & BIT (i)) == 0)
#endif
#ifdef SEAL_BY_MINORITY
#define SEALED(bits) ((bits) != 0)
#else
#define SEALED(bits) MOST (bits)
#endif
#ifdef NEWEST_BY_N
#define NEWER(m, l, m2, l2) (LEN (l) > LEN (l2))
#elif defined(NEWEST_BY_EN)
#define NEWER(m, l, m2, l2) (LAST_OF (l) > LAST_OF (l2) || (LAST_OF (l) == LAST_OF (l2) && LEN (l) > LEN (l2)))
#elif defined(MARK_BY_EPOCH)
#define NEWER(m, l, m2, l2) (FIRST (m) > FIRST (m2) || (FIRST (m) == FIRST (m2) && LEN (l) > LEN (l2)))
#else
#define NEWER(m, l, m2, l2) ((m) > (m2) || ((m) == (m2) && LEN (l) > LEN (l2)))
#endif
#ifdef TRANSFER_IGNORES_SEAL
#define OPEN(e, i) true
#else
#define OPEN(e, i) (seal[i] <= e)
#endif
#ifdef NO_WALK_BACK
#define SERVED(e) true
#else
#define SERVED(e) (top[e] >= target[e])
#endif
#ifdef TAKEN_UNMARKED
#define TAKES(e, i) (seal[i] <= e && mark[i] <= e)
#elif defined(TERM_KEPT) /* terms of an epoch have one name */
#define TAKES(e, i) (FIRST (seal[i]) <= e && FIRST (mark[i]) == FIRST (e))
#else
#define TAKES(e, i) (seal[i] <= e && mark[i] == e)
#endif

#define HAVE(e, n) (((acked[4 * (e)] >= n) -> 1 : 0) + ((acked[4 * (e) + 1] >= n) -> 2 : 0) + \
                    ((acked[4 * (e) + 2] >= n) -> 4 : 0) + ((acked[4 * (e) + 3] >= n) -> 8 : 0))
#ifdef REPLY_BEFORE_MAJORITY
#define HELD(e, n) (HAVE (e, n) != 0)
#else
#ifdef OWN_NEEDED
#define HELD(e, n) (MOST (HAVE (e, n) & SET (e)) && acked[4 * (e) + OWNER (e)] >= n)
#else
#define HELD(e, n) MOST (HAVE (e, n) & SET (e))
#endif
#endif

/* What somebody was told of, by the owner of e: it extends what was known, and every later epoch that serves has it. */
inline tell (v, e)
{
    if
    :: PREFIX (v, seen) -> skip
    :: else -> assert (PREFIX (seen, v)); seen = v
    fi;
    assert (!(e < 2 && serving[2]) || PREFIX (v, L[2]));
    assert (!(e < 3 && serving[3]) || PREFIX (v, L[3]))
}

/* E is marked by a majority: nothing told by those before is lost. When epochs 2 and 3 both came to that, in whichever
 * order it was noticed, 3 goes on from what 2 began with: what 2 dropped is not back. */
inline begin (e)
{
    serving[e] = true;
    assert ((e == 2 && serving[3]) || PREFIX (seen, L[e]));
    assert (!serving[2] || !serving[3] || PREFIX (base[2], base[3]));
    assert (!serving[2] || !serving[3] || LEN (base[3]) <= LEN (base[2]) || ENTRY (base[3], LEN (base[2])) >= 2);
    assert (!serving[2] || !serving[3] || LEN (base[3]) <= LEN (base[2]) + 1 || ENTRY (base[3], LEN (base[2]) + 1) >= 2)
}

#define SEAL(e, i) \
    :: d_step { ACTS (e) && !adopted[e] && IN (target[e], i) && (got[e] & BIT (i)) == 0 && seal[i] <= e && ALIVE (i) && \
                soft[i] == 0 -> \
        seal[i] = e; \
        got[e] = got[e] | BIT (i); \
        if :: mark[i] > top[e] -> top[e] = mark[i] :: else -> skip fi; \
        if :: NEWER (mark[i], log[i], best_mark[e], best[e]) -> best_mark[e] = mark[i]; best[e] = log[i] \
        :: else -> skip fi }
#define BACK(e) \
    :: d_step { ACTS (e) && !adopted[e] && SEALED (got[e]) && !SERVED (e) -> \
        target[e] = FIRST (target[e] - 1); got[e] = 0 }
#define ADOPT(e) \
    :: d_step { ACTS (e) && !adopted[e] && SEALED (got[e]) && SERVED (e) -> \
        adopted[e] = true; L[e] = best[e]; base[e] = best[e]; \
        got[e] = 0; top[e] = 0; best[e] = 0; best_mark[e] = 0; target[e] = 0 }
/* nothing of another node is changed before the own copy is marked */
#define MAY(e, i) (adopted[e] && IN (e, i) && soft[i] == 0 && (mark[OWNER (e)] >= e || (i == OWNER (e) && ACTS (e))))
#ifdef EARLY_MARK
#define BRING(e, i) \
    :: d_step { MAY (e, i) && mark[i] < e && OPEN (e, i) && ALIVE (i) -> \
        mark[i] = e; seal[i] = e; marks[e] = marks[e] | BIT (i) } \
    :: d_step { adopted[e] && mark[i] == e && seal[i] <= e && log[i] != L[e] -> \
        log[i] = L[e]; acked[4 * e + i] = LEN (L[e]) }
#else
#define BRING(e, i) \
    :: d_step { MAY (e, i) && mark[i] < e && OPEN (e, i) && ALIVE (i) -> \
        log[i] = L[e]; mark[i] = e; seal[i] = (seal[i] > e -> seal[i] : e); \
        marks[e] = marks[e] | BIT (i); acked[4 * e + i] = LEN (L[e]) } PIECE (e, i)
#endif
#ifdef PIECEWISE_SNAPSHOT
#define PIECE(e, i) \
    :: d_step { MAY (e, i) && mark[i] < e && OPEN (e, i) && ALIVE (i) && log[i] != 0 -> \
        log[i] = 0; seal[i] = e }
#elif defined(PIECES)
/* the suffix that was not adopted is cut off, then batch by batch; the last one comes with the mark */
#define PIECE(e, i) \
    :: d_step { MAY (e, i) && mark[i] < e && mark[i] > 0 && OPEN (e, i) && ALIVE (i) && \
                !PREFIX (log[i], L[e]) -> \
        log[i] = (ENTRY (log[i], 0) == ENTRY (L[e], 0) -> CUT (log[i], 1) : 0); seal[i] = e } \
    :: d_step { MAY (e, i) && mark[i] < e && OPEN (e, i) && ALIVE (i) && PREFIX (log[i], L[e]) && \
                LEN (log[i]) + 1 < LEN (L[e]) -> \
        log[i] = CUT (L[e], LEN (log[i]) + 1); seal[i] = e }
#else
#define PIECE(e, i)
#endif
#define ACTIVATE(e) \
    :: d_step { ACTS (e) && adopted[e] && !serving[e] && MOST (marks[e]) && (marks[e] & BIT (OWNER (e))) != 0 -> \
        begin (e) }
#ifdef PERSISTED_FIRST
#define SOFT 0
#else
#define SOFT 1
#endif
#if defined(PERSISTED_FIRST) || defined(OWN_COUNTED_EARLY)
#define COUNTED true
#else
#define COUNTED false
#endif
#define APPEND(e) \
    :: d_step { ACTS (e) && serving[e] && OWNS (e) && ALIVE (OWNER (e)) && LEN (L[e]) < LENGTH && log[OWNER (e)] == L[e] -> \
        L[e] = ADD (L[e], e); log[OWNER (e)] = L[e]; soft[OWNER (e)] = soft[OWNER (e)] + SOFT; \
        if :: COUNTED -> acked[4 * e + OWNER (e)] = LEN (L[e]) :: else -> skip fi }
#define PERSIST(e) \
    :: d_step { ACTS (e) && mark[OWNER (e)] == e && soft[OWNER (e)] > 0 -> \
        soft[OWNER (e)] = 0; acked[4 * e + OWNER (e)] = LEN (log[OWNER (e)]) }
#define TAKE(e, i) \
    :: d_step { IN (e, i) && i != OWNER (e) && serving[e] && TAKES (e, i) && ALIVE (i) && LEN (log[i]) < LEN (L[e]) -> \
        if :: mark[i] == e && !KEPT_TERM -> log[i] = CUT (L[e], LEN (log[i]) + 1) \
        :: else -> log[i] = log[i] + ENTRY (L[e], LEN (log[i])) * POW (LEN (log[i])) fi; \
        acked[4 * e + i] = LEN (log[i]) }
#define COMMIT(e, n) \
    :: d_step { ACTS (e) && serving[e] && LEN (L[e]) >= n && HELD (e, n) && !PREFIX (CUT (L[e], n), seen) -> tell (CUT (L[e], n), e) }
#ifdef READ_UNCONFIRMED
#define CONFIRMED true
#else
#define CONFIRMED MOST (rd_conf)
#endif
#ifdef READ_UNACKNOWLEDGED
#define READ_HELD true
#else
#define READ_HELD (rd_len == 0 || HELD (rd_epoch, rd_len))
#endif
#ifdef OWN_READ_UNCHECKED
#define CONFIRMS(i) (i == OWNER (rd_epoch) || (mark[i] == rd_epoch && seal[i] <= rd_epoch))
#else
#define CONFIRMS(i) (mark[i] == rd_epoch && seal[i] <= rd_epoch)
#endif
#define READ(e) \
    :: d_step { rd_epoch == 0 && ACTS (e) && serving[e] && mark[OWNER (e)] == e && log[OWNER (e)] == L[e] && ALIVE (OWNER (e)) -> \
        rd_epoch = e; rd_len = LEN (log[OWNER (e)]); rd_seen = LEN (seen) }
#define CONFIRM(i) \
    :: d_step { rd_epoch != 0 && IN (rd_epoch, i) && (rd_conf & BIT (i)) == 0 && CONFIRMS (i) && ALIVE (i) -> \
        rd_conf = rd_conf | BIT (i) }
#ifdef EARLY_DELETE
#define KEPT(e) (marks[e] == 0)
#else
#define KEPT(e) (marks[e] != SET (e))
#endif
#define DELETE(e, i) \
    :: d_step { begun[e] && !IN (e, i) && soft[i] == 0 && mark[i] != 0 && mark[i] < e && !KEPT (e) -> log[i] = 0; mark[i] = 0 }
/* What its disk did not have is lost, and who waits for the owner's answer gets none. */
inline crash (e)
{
    ended[e] = true;
    log[OWNER (e)] = CUT (log[OWNER (e)], LEN (log[OWNER (e)]) - soft[OWNER (e)]);
    soft[OWNER (e)] = 0;
    if
    :: rd_epoch == e -> rd_epoch = 0; rd_len = 0; rd_seen = 0; rd_conf = 0
    :: else -> skip
    fi
}

#if !defined(OWN_NEEDED) && !defined(OWN_ADOPTED) && !defined(TERM_KEPT)
#define ASKS
#endif
/* The owner of E - 1, whose copy was marked in this epoch, starts again in the term E. */
inline restart (e)
{
    crash (e - 1);
    begun[e] = true;
#ifdef ASKS
    target[e] = FIRST (e);
    seal[OWNER (e)] = e;
#ifndef OWN_NOT_ASKED
    /* its own copy is always among them: it has the mark of this epoch, so none before is gone back to */
    got[e] = BIT (OWNER (e));
    top[e] = mark[OWNER (e)];
    best_mark[e] = mark[OWNER (e)];
    best[e] = log[OWNER (e)]
#endif
#else
    adopted[e] = true;
    L[e] = log[OWNER (e)];
    base[e] = log[OWNER (e)];
    mark[OWNER (e)] = e;
    seal[OWNER (e)] = e;
    marks[e] = BIT (OWNER (e));
    acked[4 * e + OWNER (e)] = LEN (log[OWNER (e)])
#endif
}

#define LIVES(e) (e < 3 && FIRST (e) == FIRST (e + 1)) /* another term of the epoch comes */
#define CRASH_OF(e) \
    :: d_step { ACTS (e) && !LIVES (e) && mark[OWNER (e)] == e && soft[OWNER (e)] > 0 -> crash (e) } \
    :: d_step { ACTS (e) && adopted[e] && (marks[e] & BIT (OWNER (e))) == 0 -> \
        adopted[e] = false; L[e] = 0; base[e] = 0; marks[e] = 0; target[e] = FIRST (e - 1); \
        if :: FIRST (e) < e && !KEPT_TERM -> \
            got[e] = BIT (OWNER (e)); top[e] = mark[OWNER (e)]; \
            best_mark[e] = mark[OWNER (e)]; best[e] = log[OWNER (e)] \
        :: else -> skip fi }
#define RESTART(e) \
    :: d_step { LIVES (e - 1) && ACTS (e - 1) && mark[OWNER (e)] == e - 1 && seal[OWNER (e)] <= e && ALIVE (OWNER (e)) -> \
        restart (e) }
#define BEGIN(e) \
    :: d_step { !begun[e] && FIRST (e) == e && begun[FIRST (e - 1)] -> begun[e] = true; target[e] = FIRST (e - 1) }
#ifdef TERM_KEPT
/* it asks who is marked, and all say so, and how much they have */
#define KEPT_TERM true
#define HELLO(e, i) \
    :: d_step { e == 2 && begun[e] && IN (e, i) && i != OWNER (e) && mark[i] == e - 1 && FIRST (e) < e && seal[i] <= e -> \
        mark[i] = e; marks[e] = marks[e] | BIT (i); acked[4 * e + i] = LEN (log[i]) }
#else
#define KEPT_TERM false
#define HELLO(e, i)
#endif
#ifdef SEAL_NOT_PERSISTED
#define CRASH(i) :: d_step { seal[i] > mark[i] && mark[i] > 0 -> seal[i] = mark[i] }
#elif !defined(FORGETS)
#define CRASH(i)
#else
#define CRASH(i) \
    :: d_step { seal[i] > FIRST (seal[i]) && seal[i] > mark[i] -> \
        seal[i] = (mark[i] > FIRST (seal[i]) -> mark[i] : FIRST (seal[i])) }
#endif
#if defined(ONE_WIPED) || defined(WIPED_COUNTED)
#define WIPE(i) :: d_step { dead == 0 -> dead = BIT (i); log[i] = 0; mark[i] = 0; seal[i] = 0 }
#else
#define WIPE(i)
#endif

#define EACH_NODE(ACTION)     ACTION (0) ACTION (1) ACTION (2) ACTION (3)
#define EACH_OF(ACTION, e)    ACTION (e, 0) ACTION (e, 1) ACTION (e, 2) ACTION (e, 3)

active proctype world ()
{
    d_step {
        log[0] = 0;
        mark[0] = 1; mark[1] = 1; mark[2] = 1;
        seal[0] = 1; seal[1] = 1; seal[2] = 1; seal[3] = 0;
        begun[1] = true; adopted[1] = true; serving[1] = true; marks[1] = 7
    }
    do
    BEGIN (2) BEGIN (3)
    RESTART (2) RESTART (3)
    CRASH_OF (1) CRASH_OF (2) CRASH_OF (3)
    EACH_OF (SEAL, 2) EACH_OF (SEAL, 3)
    BACK (2) BACK (3) ADOPT (2) ADOPT (3)
    EACH_OF (BRING, 2) EACH_OF (BRING, 3)
    ACTIVATE (2) ACTIVATE (3)
    APPEND (1) APPEND (2) APPEND (3)
    PERSIST (1) PERSIST (2) PERSIST (3)
    EACH_OF (HELLO, 2) EACH_OF (HELLO, 3)
    EACH_OF (TAKE, 1) EACH_OF (TAKE, 2) EACH_OF (TAKE, 3)
    COMMIT (1, 1) COMMIT (1, 2) COMMIT (2, 1) COMMIT (2, 2) COMMIT (3, 1) COMMIT (3, 2)
    READ (1) READ (2) READ (3)
    EACH_NODE (CONFIRM)
    :: d_step { rd_epoch != 0 && CONFIRMED && READ_HELD ->
        assert (LEN (CUT (L[rd_epoch], rd_len)) >= rd_seen && PREFIX (CUT (seen, rd_seen), CUT (L[rd_epoch], rd_len)));
        tell (CUT (L[rd_epoch], rd_len), rd_epoch);
        rd_epoch = 0; rd_len = 0; rd_seen = 0; rd_conf = 0 }
    EACH_OF (DELETE, 2) EACH_OF (DELETE, 3)
    EACH_NODE (CRASH)
    EACH_NODE (WIPE)
#ifdef NEVER_GETS_THERE
    :: d_step { serving[2] && serving[3] && LEN (seen) == 2 && ENTRY (seen, 0) == 2 && ENTRY (seen, 1) == 3 ->
        assert (false) }
#endif
    od
}
