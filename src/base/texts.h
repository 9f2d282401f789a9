/* SPDX-License-Identifier: MIT */
/* Many short texts that are kept together and go together. */
#ifndef TOMERGE_TEXTS_H
#define TOMERGE_TEXTS_H

#include <stddef.h>

/* All zero at first. Texts stay where they are until texts_free: they lie one
 * after another in large pieces, each its own bytes and no more. */
typedef struct texts {
    char **pieces;
    size_t count, capacity;
    size_t used, room;     /* of the last piece */
} texts;

/* A copy of the first `length` bytes of a text, ended by a zero. */
char *texts_keep(texts *t, const char *text, size_t length);

/* All of another's, which is then empty. */
void texts_take(texts *t, texts *from);
void texts_free(texts *t);

#endif
