/* SPDX-License-Identifier: MIT */
/* Text files of two columns: image and class, folder and class. */
#ifndef TOMERGE_PAIRS_H
#define TOMERGE_PAIRS_H

#include <stddef.h>

enum { PAIRS_WHY = 512 };

typedef struct pair {
    char *key, *value;
    size_t line;
} pair;

/* Sorted by key; no key occurs twice. */
typedef struct pairs {
    pair *items;
    size_t count, capacity;
    const char *path;      /* the caller's, for messages */
} pairs;

/* Reads lines of a key and a value with a tab between, or a comma (the last, or
 * the one before a quote), a semicolon, or a blank (the one after the ending of
 * an image, or the last). Either can stand in double quotes ("" for a quote in
 * it). Empty lines, lines that begin with # and one heading ("file,label" and
 * the like) are left out. 0, or -1 with a line in why[PAIRS_WHY]. */
int pairs_read(const char *path, pairs *out, char *why);

/* NULL if there is none. */
const pair *pairs_find(const pairs *p, const char *key);
void pairs_free(pairs *p);

/* The lines of a UTF-8 file without their ends or a byte order mark, the last
 * NULL; one allocation for
 * each and one for the list: free with pairs_free_lines. */
char **pairs_read_lines(const char *path, size_t *count, char *why);
void pairs_free_lines(char **lines);

#endif
