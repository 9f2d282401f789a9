/* SPDX-License-Identifier: MIT */
/* What is kept of an image when it is embedded. */
#ifndef TOMERGE_EMBEDDING_H
#define TOMERGE_EMBEDDING_H

#include "../evaluation/evaluate.h"
#include "../session/session.h"

/* One image's numbers are [rows, dim], or [dim] where `rows` is 0. */
typedef struct embedding {
    const tomevit_description *model;
    int kind;              /* enum options_embedding */
    int normalise, half;   /* to unit length; stored as binary16 */
    size_t rows, dim, batch;
    tomevit_output out;    /* memory for a batch, owned */
    float *value;          /* [rows, dim] of the image taken last */
    int32_t *map;          /* [tokens] of it, into `rows` */
    float *sizes;          /* [rows] of it; 0 past those that are left */
} embedding;

/* As the session's options say. 0, or -1 after a message: the model has none
 * such. embedding_end is called in both cases. */
int embedding_begin(embedding *e, const session *s);
void embedding_end(embedding *e);

/* Numbers of an image. */
size_t embedding_count(const embedding *e);

/* value, and map and sizes if rows are those that are left, of image i of the
 * batch. 0, or 1 with a line in why[EVALUATE_WHY]: it is not finite, of no
 * length, too large for its type, or of more rows. */
int embedding_take(embedding *e, size_t i, char *why);

#endif
