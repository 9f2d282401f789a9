/* SPDX-License-Identifier: MIT */
/*
 * The tile of tiers that multiply words with words, written once for every
 * vector width and instruction. A tier's file defines, then includes this:
 *
 *   I, W             vector of W words
 *   SUMS             vector of W sums
 *   MR, EACH_ROW(M)  rows of a tile, and M(0) .. M(MR - 1)
 *   LOADI(p), SETI(w)      W words; one word W times
 *   DOT(sums, x, b)        sums + x b, the elements of each word added up
 *   BEGIN(t, i, half)      what the sums of row i start from; half 0 or 1 is
 *                          the vector of columns
 *   END(t, i, half, sums)  stores them
 *   HEAD             rows of words in front of a panel: 0 or 1
 *
 * Two vectors make the width of a tile.
 */
#include "prefetch.h"
#include "../low.h"

#include <string.h>

enum { NR = 2 * W, LINE = 16 };

#define INLINE static inline __attribute__((always_inline))

INLINE int word_at(const unsigned char *p)
{
    int word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* One macro a step of the tile for all its rows: the sums are plain variables
 * and stay in registers. */
#define ROW_DECLARE(i) SUMS l##i, h##i;
#define ROW_BEGIN(i)                                                         \
    if ((i) < rows) {                                                        \
        l##i = BEGIN(t, i, 0);                                               \
        h##i = BEGIN(t, i, 1);                                               \
    }
/* Step u from the pointers on. A row's address is that of the third row at or
 * before it plus 0, 1 or 2 strides: few enough pointers for the general
 * registers. */
#define ROW_STEP(i)                                                          \
    if ((i) < rows) {                                                        \
        I x = SETI(word_at(third[(i) / 3] + (i) % 3 * lda + 4 * u));         \
        l##i = DOT(l##i, x, lo);                                             \
        h##i = DOT(h##i, x, hi);                                             \
    }
#define ROW_END(i)                                                           \
    if ((i) < rows) {                                                        \
        END(t, i, 0, l##i);                                                  \
        END(t, i, 1, h##i);                                                  \
    }

/* `rows` is a constant wherever this is expanded. */
INLINE void tile_of(size_t rows, const vit_low_tile *t)
{
    size_t lda = t->lda;
    const unsigned char *a = t->a;
    const unsigned char *third[5] = {a, a + 3 * lda, a + 6 * lda, a + 9 * lda,
                                     a + 12 * lda};
    const uint32_t *b = t->b + HEAD * NR, *ahead = t->ahead;
    EACH_ROW(ROW_DECLARE)

    EACH_ROW(ROW_BEGIN)
    /* Eight at a time, as in kernels.h. */
    for (const uint32_t *end = b + t->words * NR; b < end; b += 8 * NR) {
        for (size_t i = 0; i < NR; i += LINE)
            PREFETCH_SECOND(ahead + i);
        ahead += NR;
#pragma GCC unroll 8
        for (size_t u = 0; u < 8; u++) {
            I lo = LOADI(b + u * NR), hi = LOADI(b + u * NR + W);

            /* The panel streams from L2: six steps hide the way to L1. */
            for (size_t i = 0; i < NR; i += LINE)
                PREFETCH_FIRST(b + (u + 6) * NR + i);
            EACH_ROW(ROW_STEP)
        }
        third[0] += 32, third[1] += 32, third[2] += 32, third[3] += 32;
        third[4] += 32;
    }
    EACH_ROW(ROW_END)
}

#define ROW_CASE(i)                                                          \
    case (i) + 1:                                                            \
        tile_of((i) + 1, t);                                                 \
        break;

static void tile(const vit_low_tile *t)
{
    switch (t->rows) {
        EACH_ROW(ROW_CASE)
    }
}
