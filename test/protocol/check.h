/* SPDX-License-Identifier: MPL-2.0
 *
 * What the tests of the protocol share: cmocka, and checks of faults and packed bytes.
 */
#ifndef SYNOD_TEST_PROTOCOL_CHECK_H_INCLUDED
#define SYNOD_TEST_PROTOCOL_CHECK_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "protocol/frame.h"

/* The code, and a sentence that holds WORDS. */
#define check_fault(rc, code_wanted, fault, words)                                                          \
    do {                                                                                                    \
        int check_rc = (rc);                                                                                \
        if (check_rc != (code_wanted) || (fault).code != check_rc || !strstr ((fault).text, (words)))       \
            fail_msg ("expected %s and \"%s\", got %s and \"%s\"", synod_error_name (code_wanted), (words), \
                      synod_error_name (check_rc), (fault).text);                                           \
    } while (0)

#define check_ok(rc, fault)                                                                  \
    do {                                                                                     \
        int check_rc = (rc);                                                                 \
        if (check_rc != SYNOD_OK)                                                            \
            fail_msg ("expected ok, got %s: %s", synod_error_name (check_rc), (fault).text); \
    } while (0)

/* A literal's bytes, those after a NUL too. */
#define BYTES(literal) synod_str_n (literal, sizeof (literal) - 1)

/* A copy in memory of exactly that size, so that a sanitizer sees every byte read past it. Freed by the caller. */
static inline synod_str_t check_exact (synod_str_t bytes)
{
    char *copy = (char *) malloc (bytes.size ? bytes.size : 1);
    assert_non_null (copy);
    if (bytes.size)
        memcpy (copy, bytes.data, bytes.size);
    return synod_str_n (copy, bytes.size);
}

/* xorshift64: the same numbers in every run */
static inline uint64_t check_random (uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
