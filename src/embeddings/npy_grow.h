/* SPDX-License-Identifier: MIT */
/*
 * A .npy file that grows by rows [NumPy's format 1.0].
 *
 * Until it is whole it is called PATH.part. Its header has a fixed size and
 * says at any moment how many rows there are, so that others can map what is
 * there while it grows; whoever goes on cuts off what is beyond the rows that
 * he knows of. PATH is what it was until the last moment.
 */
#ifndef TOMERGE_NPY_GROW_H
#define TOMERGE_NPY_GROW_H

#include <stddef.h>

enum { NPY_DIMS = 3 };

typedef struct npy_shape {
    char kind;             /* 'f' or 'i' */
    size_t bytes;          /* of a number */
    size_t dims;           /* of a row: 1 or 2 */
    size_t dim[NPY_DIMS - 1];
} npy_shape;

typedef struct npy_grow {
    npy_shape shape;
    int descriptor;        /* -1: not open */
    char *path, *part;     /* owned */
    size_t rows, row_bytes;
} npy_grow;

/* Opens or makes PATH.part, whose rows are no matter yet. 0, or -1 after a
 * message. */
int npy_grow_open(npy_grow *g, const char *path, const npy_shape *shape);

/* It has the first `rows` of those that it had: 0, or -1 after a message, where
 * it has fewer. */
int npy_grow_from(npy_grow *g, size_t rows);

/* One row more, in the bytes of this machine; known to others from npy_grow_
 * flush on. 0, or -1 after a message. */
int npy_grow_add(npy_grow *g, const void *row);
int npy_grow_flush(npy_grow *g);

/* What is there is seen by other machines that open the file from now on: 0, or
 * -1 after a message. */
int npy_grow_settle(npy_grow *g);

/* `count` rows more, those of PATH.part from row `first` on, which has rows of
 * the same shape. 0, or -1 after a message. */
int npy_grow_copy(npy_grow *g, const char *path, size_t first, size_t count);

/* Brought to the disk, and then called PATH. 0, or -1 after a message. */
int npy_grow_finish(npy_grow *g);

/* PATH.part stays, for who goes on; or goes. */
void npy_grow_leave(npy_grow *g);
void npy_grow_remove(npy_grow *g);

#endif
