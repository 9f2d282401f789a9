/* SPDX-License-Identifier: MIT */
/* The files that are still to be evaluated, and how they are dealt out. */
#ifndef TOMERGE_PIECES_H
#define TOMERGE_PIECES_H

#include <stddef.h>

typedef struct piece {
    size_t from, to;       /* files from .. to - 1 */
} piece;

typedef struct pieces {
    size_t batch, workers;
    piece *left;           /* [count]: in order, with gaps between */
    size_t count, capacity;
    size_t files;          /* in them */
} pieces;

/* Files from .. to - 1 for so many workers, who take batches of images. */
void pieces_begin(pieces *p, size_t from, size_t to, size_t batch,
                  size_t workers);
void pieces_end(pieces *p);

/* Files from .. to - 1 are done. 0; -1 and nothing changed if one of them is
 * not left. */
int pieces_done(pieces *p, size_t from, size_t to);

/* The next piece for whoever asks: 1, or 0 if nothing is left. Of what is left
 * it is half a worker's share, so that the last pieces are small and a slow
 * worker takes fewer; but whole batches, and no more than PIECES_MOST files
 * unless a batch has more, so that little is on the way at any time. */
enum { PIECES_MOST = 4096 };
int pieces_next(pieces *p, piece *out);

#endif
