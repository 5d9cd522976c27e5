/* SPDX-License-Identifier: MPL-2.0
 *
 * What the fuzz targets share. A target is built twice: with libFuzzer (SYNOD_FUZZ), and with replay.c for the tests.
 */
#ifndef SYNOD_TEST_FUZZ_H_INCLUDED
#define SYNOD_TEST_FUZZ_H_INCLUDED

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "protocol/frame.h"

/* Ends the process, so that the fuzzer keeps the input; unlike assert it cannot be compiled out. */
#define FUZZ_CHECK(condition)                                                              \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf (stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
            abort ();                                                                      \
        }                                                                                  \
    } while (0)

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#endif
