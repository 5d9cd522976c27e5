/* SPDX-License-Identifier: MPL-2.0
 *
 * The descriptions of the framework's own messages.
 */
#include "catalogue.h"

#define SYNOD_MESSAGE(name, FIELDS, flags, doc) SYNOD__RECORD_DEFINE (synod__##name, FIELDS, flags, doc, SYNOD__PREFIX)
#include "catalogue.def"
#undef SYNOD_MESSAGE

const synod_record_t *const synod__catalogue[] = {
#define SYNOD_MESSAGE(name, FIELDS, flags, doc) &synod__##name##_record,
#include "catalogue.def"
#undef SYNOD_MESSAGE
    NULL,
};
