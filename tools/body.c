/* SPDX-License-Identifier: MPL-2.0
 *
 * Bodies from the command line: words become a msgpack map. jansson reads the JSON, msgpack-c packs.
 *
 *     key=text      a text            key=@FILE    the bytes of a file
 *     key:=JSON     any JSON value    key:=@FILE   the JSON in a file
 *
 * {"$bin": "base64"} in JSON is bytes, as synod prints them.
 */
#include "protocol/packer.h"
#include "tool.h"

#include <czmq.h>
#include <errno.h>
#include <jansson.h>

typedef struct {
    msgpack_packer packer;
    synod_fault_t *fault;
    const char *word; /* for the sentence of an error */
} writer_t;

typedef struct {
    synod_str_t key;
    const char *value;
    bool json;
    bool file;
} word_t;

static int pack_base64 (writer_t *w, const char *base64)
{
    /* what zarmour would skip in silence */
    size_t letters = strspn (base64, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    size_t padding = strspn (base64 + letters, "=");
    if (base64[letters + padding] || padding > 2 || (letters + padding) % 4 != 0)
        return synod_fault (w->fault, SYNOD_INVALID, "%s: $bin takes base64, padded with =", w->word);
    zarmour_t *armour = zarmour_new ();
    zchunk_t *chunk = NULL;
    if (armour) {
        zarmour_set_mode (armour, ZARMOUR_MODE_BASE64_STD);
        chunk = zarmour_decode (armour, base64);
        zarmour_destroy (&armour);
    }
    /* czmq counts a NUL that it adds */
    size_t size = (letters + padding) / 4 * 3 - padding;
    int rc = -1;
    if (chunk && zchunk_size (chunk) >= size)
        rc = msgpack_pack_bin_with_body (&w->packer, zchunk_data (chunk), size);
    zchunk_destroy (&chunk);
    return rc == 0 ? SYNOD_OK : synod_fault (w->fault, SYNOD_NO_MEMORY, "no memory for %s", w->word);
}

static int pack_json (writer_t *w, const json_t *value, uint32_t depth);

static int pack_object (writer_t *w, const json_t *value, uint32_t depth)
{
    const json_t *bin = json_object_get (value, "$bin");
    if (json_object_size (value) == 1 && json_is_string (bin))
        return pack_base64 (w, json_string_value (bin));
    msgpack_pack_map (&w->packer, json_object_size (value));
    const char *key = NULL;
    json_t *element = NULL;
    json_object_foreach ((json_t *) value, key, element)
    {
        msgpack_pack_str_with_body (&w->packer, key, strlen (key));
        int code = pack_json (w, element, depth + 1);
        if (code != SYNOD_OK)
            return code;
    }
    return SYNOD_OK;
}

/* DEPTH: how many maps and arrays are around it */
static int pack_json (writer_t *w, const json_t *value, uint32_t depth)
{
    if (depth >= SYNOD_DEPTH_MAX && (json_is_object (value) || json_is_array (value)))
        return synod_fault (w->fault, SYNOD_TOO_LARGE, "%s: nested deeper than %d", w->word, SYNOD_DEPTH_MAX);
    int rc = 0;
    switch (json_typeof (value)) {
    case JSON_OBJECT:
        return pack_object (w, value, depth);
    case JSON_ARRAY:
        msgpack_pack_array (&w->packer, json_array_size (value));
        for (size_t i = 0; i < json_array_size (value); i++) {
            int code = pack_json (w, json_array_get (value, i), depth + 1);
            if (code != SYNOD_OK)
                return code;
        }
        return SYNOD_OK;
    case JSON_STRING:
        rc = msgpack_pack_str_with_body (&w->packer, json_string_value (value), json_string_length (value));
        break;
    case JSON_INTEGER:
        rc = msgpack_pack_int64 (&w->packer, json_integer_value (value));
        break;
    case JSON_REAL:
        rc = msgpack_pack_double (&w->packer, json_real_value (value));
        break;
    case JSON_TRUE:
        rc = msgpack_pack_true (&w->packer);
        break;
    case JSON_FALSE:
        rc = msgpack_pack_false (&w->packer);
        break;
    case JSON_NULL:
        rc = msgpack_pack_nil (&w->packer);
        break;
    }
    return rc == 0 ? SYNOD_OK : synod_fault (w->fault, SYNOD_NO_MEMORY, "no memory for %s", w->word);
}

static int pack_json_text (writer_t *w, const char *text, size_t size)
{
    json_error_t error;
    json_t *value = json_loadb (text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!value)
        return synod_fault (w->fault, SYNOD_INVALID, "%s: expected JSON: %s at column %d", w->word, error.text,
                            error.column);
    int code = pack_json (w, value, 1); /* the body's own map is around it */
    json_decref (value);
    return code;
}

static int pack_text (writer_t *w, const char *text)
{
    json_t *checked = json_string (text); /* NULL when it is no UTF-8 */
    if (!checked)
        return synod_fault (w->fault, SYNOD_INVALID, "%s: a text is UTF-8; give bytes as key=@FILE", w->word);
    json_decref (checked);
    if (msgpack_pack_str_with_body (&w->packer, text, strlen (text)) != 0)
        return synod_fault (w->fault, SYNOD_NO_MEMORY, "no memory for %s", w->word);
    return SYNOD_OK;
}

static int pack_file (writer_t *w, const char *path, bool json)
{
    FILE *file = fopen (path, "rb");
    if (!file)
        return synod_fault (w->fault, SYNOD_IO, "%s: cannot open %s: %s", w->word, path, strerror (errno));
    char *bytes = (char *) malloc (SYNOD_BODY_MAX + 1);
    size_t size = bytes ? fread (bytes, 1, SYNOD_BODY_MAX + 1, file) : 0;
    int code = SYNOD_OK;
    if (!bytes)
        code = synod_fault (w->fault, SYNOD_NO_MEMORY, "no memory for %s", w->word);
    else if (ferror (file))
        code = synod_fault (w->fault, SYNOD_IO, "%s: cannot read %s: %s", w->word, path, strerror (errno));
    else if (size > SYNOD_BODY_MAX)
        code = synod_fault (w->fault, SYNOD_TOO_LARGE, "%s: %s is larger than a body, %d bytes", w->word, path,
                            SYNOD_BODY_MAX);
    else if (json)
        code = pack_json_text (w, bytes, size);
    else
        msgpack_pack_bin_with_body (&w->packer, bytes, size);
    free (bytes);
    fclose (file);
    return code;
}

/* Splits key=..., key:=... */
static int split (const char *word, word_t *out, synod_fault_t *fault)
{
    const char *equals = strchr (word, '=');
    if (!equals)
        return synod_fault (fault, SYNOD_INVALID, "'%s' is no key=text or key:=json", word);
    out->json = equals > word && equals[-1] == ':';
    out->key = synod_str_n (word, (size_t) (equals - word) - (out->json ? 1 : 0));
    out->file = equals[1] == '@';
    out->value = equals + (out->file ? 2 : 1);
    if (out->key.size == 0 || out->key.size > SYNOD_NAME_MAX)
        return synod_fault (fault, SYNOD_INVALID, "'%s': a key has 1 to %d bytes", word, SYNOD_NAME_MAX);
    return SYNOD_OK;
}

static int pack_words (const char **words, int nwords, synod_buf_t *body, synod_fault_t *fault)
{
    writer_t w = {.fault = fault};
    msgpack_packer_init (&w.packer, body, synod__pack_write);
    if (msgpack_pack_map (&w.packer, (size_t) nwords) != 0)
        return synod_fault (fault, SYNOD_NO_MEMORY, "no memory for the body");
    for (int i = 0; i < nwords; i++) {
        word_t word = {0}, other = {0};
        int code = split (words[i], &word, fault);
        for (int j = 0; code == SYNOD_OK && j < i; j++) {
            if (split (words[j], &other, NULL) == SYNOD_OK && synod_str_same (word.key, other.key))
                code = synod_fault (fault, SYNOD_INVALID, "%.*s is given twice", SYNOD_STR (word.key));
        }
        if (code != SYNOD_OK)
            return code;
        char key[SYNOD_NAME_MAX + 1];
        snprintf (key, sizeof key, "%.*s", SYNOD_STR (word.key));
        w.word = key;
        code = pack_text (&w, key);
        if (code == SYNOD_OK && word.file)
            code = pack_file (&w, word.value, word.json);
        else if (code == SYNOD_OK && word.json)
            code = pack_json_text (&w, word.value, strlen (word.value));
        else if (code == SYNOD_OK)
            code = pack_text (&w, word.value);
        if (code != SYNOD_OK)
            return code;
    }
    if (body->size > SYNOD_BODY_MAX)
        return synod_fault (fault, SYNOD_TOO_LARGE, "the body has %zu bytes; %d are the most", body->size,
                            SYNOD_BODY_MAX);
    return SYNOD_OK;
}

int synod__body_from_words (const char **words, int nwords, synod_buf_t *body, synod_fault_t *fault)
{
    return pack_words (words, nwords, body, fault);
}
