/* SPDX-License-Identifier: MIT */
/* JSON from files that nobody vouches for: parsed at a bounded cost. */
#ifndef TOMEVIT_JSON_H
#define TOMEVIT_JSON_H

#include <jansson.h>
#include <stddef.h>

enum { VIT_JSON_VALUES = 1 << 20 };         /* more values are refused */

/* Any one JSON value that nests at most `depth` levels, with no key twice in
 * an object. Memory stays within some 25 times `length`, and stack within
 * `depth`. The caller's to release; NULL with *error filled otherwise. */
json_t *tomevit_json_parse(const char *text, size_t length, size_t depth,
                           json_error_t *error);

#endif
