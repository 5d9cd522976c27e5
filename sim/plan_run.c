/* SPDX-License-Identifier: MPL-2.0
 *
 * What faults do to the wires.
 */
#include "internal.h"

void synod__sim_faults_apply (synod_sim_t *self)
{
    synod__sim_paths_reset (self);
}

void synod__sim_faults_free (synod_sim_t *self)
{
    self->active = NULL;
}
