/* SPDX-License-Identifier: MIT */
/* Embeddings, each of a class: of images, or of a .npy file. */
#ifndef TOMERGE_LABELLED_H
#define TOMERGE_LABELLED_H

#include "../session/session.h"

typedef struct labelled {
    float *x;              /* [count, width] */
    size_t count, width, capacity;
    char **name;           /* [count]: of the image, or the row's number */
    char **class;          /* [count] */
    size_t refused;        /* images that have no row */
} labelled;

/* 1 if it takes a model to open it. */
int labelled_needs_model(const char *path);

/*
 * Opens `path`: embeddings in a .npy file, or images. The classes of images are
 * those of the source, its folders or the labels in an archive. Those of a
 * .npy file are the lines of `labels`, or the whole numbers in it if it is one
 * as well; NULL: the first folders of the names in the .txt file beside it. The
 * session is open where a model is needed. 0, or -1 after a message;
 * labelled_close is called in both cases.
 */
int labelled_open(labelled *l, const char *path, const char *labels,
                  session *s);
void labelled_close(labelled *l);

#endif
