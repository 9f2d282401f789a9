/* SPDX-License-Identifier: MIT */
/* Text as people's editors write it. */
#ifndef TOMERGE_TEXT_H
#define TOMERGE_TEXT_H

#include <jansson.h>

/* The text after the byte order mark that some put before UTF-8. */
char *text_begin(char *text);

/* As json_load_file, and a byte order mark before it is no error. Of at most
 * 16 MiB, a million values and 16 levels: another is refused, with line -1. */
json_t *text_load_json(const char *path, json_error_t *error);

#endif
