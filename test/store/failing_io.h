/* SPDX-License-Identifier: MPL-2.0
 *
 * A disk that fails: the NTH of a kind of system call on files of one name fails, and those after it work, as a kernel
 * does that has told of an error once. Either linked into a test, which calls failing_io; or preloaded into a program,
 * by SYNOD_FAIL_IO=CALL:NTH:ERROR:MODE:FILE, such as fdatasync:3:EIO:before:data.mdb. Where fdatasync is to fail there is
 * no O_DIRECT, since with that hardly anything needs it.
 */
#ifndef SYNOD_TEST_STORE_FAILING_IO_H_INCLUDED
#define SYNOD_TEST_STORE_FAILING_IO_H_INCLUDED

typedef enum {
    FAILING_IO_BEFORE, /* nothing is done */
    FAILING_IO_AFTER,  /* it is done, and yet fails */
    FAILING_IO_SHORT   /* half of it is written, and said so: a disk that has become full */
} failing_io_mode_t;

/* CALL: fdatasync, fsync, pwrite or writev, borrowed as FILE is; NULL: nothing fails. NTH from 1 on. A pwrite by io_submit is one,
 * too, and fails when it is over. */
void failing_io (const char *call, int nth, int error, failing_io_mode_t mode, const char *file);
void failing_io_direct (int possible); /* whether files can be opened with O_DIRECT from now on; else EINVAL */
/* Of what was written by io_submit, which is not told of until somebody waits for it; the first is the one that stands first
 * in the file. */
typedef enum { FAILING_IO_HOLD_NONE, FAILING_IO_HOLD_FIRST, FAILING_IO_HOLD_ALL } failing_io_hold_t;
void failing_io_hold (failing_io_hold_t mode);
int failing_io_hits (void); /* how many have failed since, 0 or 1 */

#endif
