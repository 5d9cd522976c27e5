/* SPDX-License-Identifier: MPL-2.0
 *
 * A program outside of the tree, as C and as C++: the headers compile, it links, and it runs with the library that its
 * headers belong to.
 */
#include <stdio.h>
#include <string.h>
#include <synod/synod.h>

#define POINT_FIELDS(FIELD, OPT)   \
    FIELD (i64, x, 1000, "across") \
    OPT (str, label, 20, "what it is called")
SYNOD_RECORD (point, POINT_FIELDS, 0, "a record of its own")

int main (void)
{
    if (strcmp (synod_version (), SYNOD_VERSION) != 0) {
        fprintf (stderr, "the library is %s, the headers are %s\n", synod_version (), SYNOD_VERSION);
        return 1;
    }
    if (strcmp (synod_error_name (SYNOD_NO_ROUTE), "no-route") != 0 ||
        synod_error_code ("no-route", strlen ("no-route")) != SYNOD_NO_ROUTE) {
        fprintf (stderr, "the catalogue of errors is another one\n");
        return 1;
    }
    point_t in, out;
    memset (&in, 0, sizeof in);
    memset (&out, 0, sizeof out);
    in.x = -7;
    in.label = synod_str ("here");
    synod_buf_t body = {NULL, 0, 0};
    synod_fault_t fault = {SYNOD_OK, ""};
    if (synod_record_pack (&point_record, &in, &body, &fault) != SYNOD_OK ||
        synod_record_unpack (&point_record, synod_str_n (body.data, body.size), &out, &fault) != SYNOD_OK) {
        fprintf (stderr, "%s\n", fault.text);
        return 1;
    }
    printf ("synod %s: x %d, label %.*s\n", synod_version (), (int) out.x, SYNOD_STR (out.label));
    synod_buf_free (&body);
    return 0;
}
