/* SPDX-License-Identifier: MPL-2.0
 *
 * Errors: one catalogue (errors.def), returned as int, never thrown or printed by the library.
 * A function that can fail returns SYNOD_OK (0) or one of these; where a person has to act on it, it also fills
 * a synod_fault_t with a sentence that says what was expected and what came.
 */
#ifndef SYNOD_ERROR_H_INCLUDED
#define SYNOD_ERROR_H_INCLUDED

#include <stddef.h>

#if defined _WIN32
#error "synod runs on POSIX systems"
#endif
#ifndef SYNOD_API
#define SYNOD_API __attribute__ ((visibility ("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum {
#define SYNOD_ERROR(constant, name, meaning) SYNOD_##constant,
#include <synod/errors.def>
#undef SYNOD_ERROR
    SYNOD_ERRORS /* how many there are */
};

#define SYNOD_FAULT_MAX 240

/* An error with its sentence. The caller owns it; it holds no pointers. */
typedef struct {
    int code;
    char text[SYNOD_FAULT_MAX]; /* NUL-terminated, cut when too long */
} synod_fault_t;

/* The name on the wire ("no-route"), "unknown" for a number outside the catalogue. Static storage. */
SYNOD_API const char *synod_error_name (int code);

/* What it means, in a phrase. Static storage. */
SYNOD_API const char *synod_error_meaning (int code);

/* The code of a name of SIZE bytes; SYNOD_UNKNOWN when it is not in the catalogue. Borrows name. */
SYNOD_API int synod_error_code (const char *name, size_t size);

/* Fills FAULT (which may be NULL) and returns CODE, so that one line sets and returns it. */
SYNOD_API int synod_fault (synod_fault_t *fault, int code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif
