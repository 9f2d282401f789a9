/* SPDX-License-Identifier: MIT */
/*
 * A list in a JSON text that is read one element after the other. Half a
 * million merges take ten times their bytes once they are parsed as a whole,
 * and few of them are needed at once.
 */
#ifndef TOMEVIT_JSON_LIST_H
#define TOMEVIT_JSON_LIST_H

#include <jansson.h>
#include <stddef.h>

enum { VIT_ELEMENT_BYTES = 4096 };         /* longer elements are refused */

typedef struct vit_json_list {
    const char *text;      /* behind the opening bracket; NULL: no list */
    size_t count;          /* bytes before the closing one */
    size_t at, taken;      /* bytes and elements that have been read */
} vit_json_list;

/* Finds the list "merges" of the object "model" of the outermost object, if
 * they are there under names without escapes. Whether the text is JSON at all
 * is left to those who parse the rest of it. */
vit_json_list tomevit_json_list(const char *text, size_t count);

/* 1 with an element that is the caller's to release, 0 at the end, -1 where
 * the list is no JSON or an element is too long. */
int tomevit_json_next(vit_json_list *list, json_t **element);

#endif
