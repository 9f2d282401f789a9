/* SPDX-License-Identifier: MIT */
/* What the text of --method-options names, before it is read. */
#ifndef TOMERGE_METHOD_TEXT_H
#define TOMERGE_METHOD_TEXT_H

#include <stddef.h>

/* The last value of a key in "key=value,key=value", to be freed; NULL: none, or
 * no text. */
char *method_text_value(const char *text, const char *key);

/* The text but what it says of a key, to be freed; NULL: nothing is left. */
char *method_text_without(const char *text, const char *key);

enum { METHOD_TARGET = 64 };

/* The name of target `index` in the file of counts that the options name; 0, or
 * -1 past the last and for a file that cannot be read. */
int method_text_target(const char *text, size_t index,
                       char name[METHOD_TARGET]);

#endif
