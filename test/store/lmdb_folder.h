/* SPDX-License-Identifier: MPL-2.0
 *
 * What the tests of the disk on LMDB share: a folder for each test, and no planned failure left behind.
 */
#ifndef SYNOD_TEST_STORE_LMDB_FOLDER_H_INCLUDED
#define SYNOD_TEST_STORE_LMDB_FOLDER_H_INCLUDED

#include "failing_io.h"
#include "store.h"

static inline int s_setup (void **state)
{
    (void) state;
    store_folder (store_here);
    return 0;
}

static inline int s_teardown (void **state)
{
    (void) state;
    failing_io (NULL, 0, 0, FAILING_IO_BEFORE, NULL);
    store_remove (store_here);
    return 0;
}

#define S_TEST(function) cmocka_unit_test_setup_teardown (function, s_setup, s_teardown)

#endif
