/* SPDX-License-Identifier: MPL-2.0
 *
 * Mail for a part of synod that an actor keeps in its state, as a client of locks: the actor needs no route for it
 * (synod__ctx_hear in runtime.h).
 */
#ifndef SYNOD_RUNTIME_HEARD_H_INCLUDED
#define SYNOD_RUNTIME_HEARD_H_INCLUDED

#include "internal.h"

typedef struct synod__heard_t synod__heard_t;

/* Whether somebody in the actor hears the method: then MESSAGE is taken as by synod__instance_take. */
bool synod__heard_take (synod__instance_t *self, const synod_message_t *message);
void synod__heard_forget (synod__instance_t *self); /* nobody hears anything any more */

#endif
