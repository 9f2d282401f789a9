/* SPDX-License-Identifier: MIT */
/* JSON from files that nobody vouches for: parsed at a bounded cost. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "json.h"

/* "{}" takes hundreds of bytes once parsed, so objects and arrays are allowed
 * as the shortest sensible ones would come: three in a tensor's entry,
 * "":{"dtype":"U8","shape":[],"data_offsets":[0,0]}, of 49 bytes. */
enum { BYTES_AN_OPENING = 16, OPENINGS_FREE = 8 };

typedef struct counts {
    size_t depth, openings, values;
} counts;

static void count(counts *c, char byte)
{
    if (byte == '{' || byte == '[') {
        c->depth++;
        c->openings++;
        c->values++;
    } else if (byte == '}' || byte == ']') {
        c->depth -= c->depth > 0;
    } else if (byte == ',') {
        c->values++;
    }
}

/* 1 if parsing may cost too much: *error says where and why. */
static int too_much(const char *text, size_t length, size_t depth,
                    json_error_t *error)
{
    size_t openings = OPENINGS_FREE + length / BYTES_AN_OPENING, i;
    counts c = {0, 0, 0};
    int in_string = 0;

    for (i = 0; i < length; i++) {
        if (in_string) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                in_string = 0;
            continue;
        }
        in_string = text[i] == '"';
        count(&c, text[i]);
        if (c.depth > depth || c.openings > openings ||
            c.values > VIT_JSON_VALUES)
            break;
    }
    if (c.depth > depth)
        snprintf(error->text, sizeof(error->text),
                 "nests deeper than %zu levels", depth);
    else if (c.openings > openings)
        snprintf(error->text, sizeof(error->text),
                 "too many objects and arrays for %zu bytes", length);
    else if (c.values > VIT_JSON_VALUES)
        snprintf(error->text, sizeof(error->text), "more than %d values",
                 (int)VIT_JSON_VALUES);
    else
        return 0;
    error->position = (int)i;
    return 1;
}

json_t *tomevit_json_parse(const char *text, size_t length, size_t depth,
                           json_error_t *error)
{
    memset(error, 0, sizeof(*error));
    /* A byte order mark is no part of the text. */
    if (length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        text += 3;
        length -= 3;
    }
    if (too_much(text, length, depth, error))
        return NULL;
    return json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                      error);
}
