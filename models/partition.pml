/* SPDX-License-Identifier: MPL-2.0
 *
 * One partition through three epochs: sealing, walking back, adopting, marking, batches, reads, deleting; docs and rules
 * as in the replication of placed actors. Checked: what was acknowledged or shown survives into every later epoch that
 * serves, linear reads show what was acknowledged before they began, and what an epoch dropped does not come back.
 *
 * What is sent is kept for ever and taken or not (so it may be lost, repeated, late and in any order): L[e] is all that
 * the owner of e ever sent, and marks and acked are the answers it may count. One process of d_step guards. Asking and
 * answering are one step: until the owner acts on it nobody can tell when an answer arrived. Crashes need no step of
 * their own where everything is written before it is told; where a mutant does not, they have one.
 *
 * A copy is a sequence of batches, of which only the epoch matters: digits in base 4, the first batch the lowest.
 * Node n is the bit 1 << n. -DSETS=n chooses how the replicas change, -DONE_WIPED adds a node that loses its disk and
 * is dead from then on, -DPIECES lets copies be brought by batches too. A mutant is one more -D.
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
#else /* {A,B,C} {A,B,D} {A,C,D}, the last two owned by who is new, or was away */
#define SET(e)   ((e) == 1 -> 7 : ((e) == 2 -> 11 : 13))
#define OWNER(e) ((e) == 1 -> 0 : ((e) == 2 -> 3 : 2))
#endif
#define LAST 3
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
byte dead; /* bits of nodes that were wiped */

/* by epoch */
byte decided = 1;
byte target[4]; /* the epoch that its owner is sealing */
byte got[4];    /* bits of that epoch's replicas that answered */
byte top[4];    /* the highest mark among the answers */
byte best_mark[4], best[4];
bool adopted[4];
byte base[4];   /* what was adopted */
byte L[4];      /* and all batches sent on top of it */
byte marks[4];  /* bits of replicas that said they are marked */
bool serving[4];
byte acked[16]; /* by epoch and node: how many batches it said it has */

byte seen; /* all that was acknowledged or shown to anybody */
byte rd_epoch, rd_len, rd_seen, rd_conf; /* a read: its owner's epoch, what it reads, what was seen when it began */

#ifdef OWNER_IGNORES_SEAL
#define OWNS(e) (mark[OWNER (e)] == e)
#else
#define OWNS(e) (mark[OWNER (e)] == e && seal[OWNER (e)] <= e)
#endif
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
#else
#define TAKES(e, i) (seal[i] <= e && mark[i] == e)
#endif

#define HAVE(e, n) (((acked[4 * (e)] >= n) -> 1 : 0) + ((acked[4 * (e) + 1] >= n) -> 2 : 0) + \
                    ((acked[4 * (e) + 2] >= n) -> 4 : 0) + ((acked[4 * (e) + 3] >= n) -> 8 : 0))
#ifdef REPLY_BEFORE_MAJORITY
#define HELD(e, n) (HAVE (e, n) != 0)
#else
#define HELD(e, n) MOST (HAVE (e, n) & SET (e))
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
    :: d_step { e <= decided && !adopted[e] && IN (target[e], i) && (got[e] & BIT (i)) == 0 && seal[i] <= e && ALIVE (i) -> \
        seal[i] = e; \
        got[e] = got[e] | BIT (i); \
        if :: mark[i] > top[e] -> top[e] = mark[i] :: else -> skip fi; \
        if :: NEWER (mark[i], log[i], best_mark[e], best[e]) -> best_mark[e] = mark[i]; best[e] = log[i] \
        :: else -> skip fi }
#define BACK(e) \
    :: d_step { e <= decided && !adopted[e] && SEALED (got[e]) && !SERVED (e) -> target[e] = target[e] - 1; got[e] = 0 }
#define ADOPT(e) \
    :: d_step { e <= decided && !adopted[e] && SEALED (got[e]) && SERVED (e) -> \
        adopted[e] = true; L[e] = best[e]; base[e] = best[e]; \
        got[e] = 0; top[e] = 0; best[e] = 0; best_mark[e] = 0; target[e] = 0 }
#ifdef EARLY_MARK
#define BRING(e, i) \
    :: d_step { adopted[e] && IN (e, i) && mark[i] < e && OPEN (e, i) && ALIVE (i) -> \
        mark[i] = e; seal[i] = e; marks[e] = marks[e] | BIT (i) } \
    :: d_step { adopted[e] && mark[i] == e && seal[i] <= e && log[i] != L[e] -> \
        log[i] = L[e]; acked[4 * e + i] = LEN (L[e]) }
#else
#define BRING(e, i) \
    :: d_step { adopted[e] && IN (e, i) && mark[i] < e && OPEN (e, i) && ALIVE (i) -> \
        log[i] = L[e]; mark[i] = e; seal[i] = (seal[i] > e -> seal[i] : e); \
        marks[e] = marks[e] | BIT (i); acked[4 * e + i] = LEN (L[e]) } PIECE (e, i)
#endif
#ifdef PIECEWISE_SNAPSHOT
#define PIECE(e, i) \
    :: d_step { adopted[e] && IN (e, i) && mark[i] < e && OPEN (e, i) && ALIVE (i) && log[i] != 0 -> \
        log[i] = 0; seal[i] = e }
#elif defined(PIECES)
/* the suffix that was not adopted is cut off, then batch by batch; the last one comes with the mark */
#define PIECE(e, i) \
    :: d_step { adopted[e] && IN (e, i) && mark[i] < e && mark[i] > 0 && OPEN (e, i) && ALIVE (i) && \
                !PREFIX (log[i], L[e]) -> \
        log[i] = (ENTRY (log[i], 0) == ENTRY (L[e], 0) -> CUT (log[i], 1) : 0); seal[i] = e } \
    :: d_step { adopted[e] && IN (e, i) && mark[i] < e && OPEN (e, i) && ALIVE (i) && PREFIX (log[i], L[e]) && \
                LEN (log[i]) + 1 < LEN (L[e]) -> \
        log[i] = CUT (L[e], LEN (log[i]) + 1); seal[i] = e }
#else
#define PIECE(e, i)
#endif
#define ACTIVATE(e) \
    :: d_step { adopted[e] && !serving[e] && MOST (marks[e]) && (marks[e] & BIT (OWNER (e))) != 0 -> \
        begin (e) }
#define APPEND(e) \
    :: d_step { serving[e] && OWNS (e) && ALIVE (OWNER (e)) && LEN (L[e]) < LENGTH && log[OWNER (e)] == L[e] -> \
        L[e] = ADD (L[e], e); log[OWNER (e)] = L[e]; acked[4 * e + OWNER (e)] = LEN (L[e]) }
#define TAKE(e, i) \
    :: d_step { IN (e, i) && serving[e] && TAKES (e, i) && ALIVE (i) && LEN (log[i]) < LEN (L[e]) -> \
        if :: mark[i] == e -> log[i] = CUT (L[e], LEN (log[i]) + 1) \
        :: else -> log[i] = log[i] + ENTRY (L[e], LEN (log[i])) * POW (LEN (log[i])) fi; \
        acked[4 * e + i] = LEN (log[i]) }
#define COMMIT(e, n) \
    :: d_step { serving[e] && LEN (L[e]) >= n && HELD (e, n) && !PREFIX (CUT (L[e], n), seen) -> tell (CUT (L[e], n), e) }
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
    :: d_step { rd_epoch == 0 && serving[e] && mark[OWNER (e)] == e && log[OWNER (e)] == L[e] && ALIVE (OWNER (e)) -> \
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
    :: d_step { e <= decided && !IN (e, i) && mark[i] != 0 && mark[i] < e && !KEPT (e) -> log[i] = 0; mark[i] = 0 }
#ifdef SEAL_NOT_PERSISTED
#define CRASH(i) :: d_step { seal[i] > mark[i] && mark[i] > 0 -> seal[i] = mark[i] }
#else
#define CRASH(i)
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
        adopted[1] = true; serving[1] = true; marks[1] = 7
    }
    do
    :: d_step { decided < LAST -> decided++; target[decided] = decided - 1 }
    EACH_OF (SEAL, 2) EACH_OF (SEAL, 3)
    BACK (2) BACK (3) ADOPT (2) ADOPT (3)
    EACH_OF (BRING, 2) EACH_OF (BRING, 3)
    ACTIVATE (2) ACTIVATE (3)
    APPEND (1) APPEND (2) APPEND (3)
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
