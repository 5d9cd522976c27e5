/* SPDX-License-Identifier: MPL-2.0
 *
 * The version of the library that a program runs with, which may differ from the headers it was built with.
 */
#include <synod/synod.h>

const char *synod_version (void)
{
    return SYNOD_VERSION;
}
