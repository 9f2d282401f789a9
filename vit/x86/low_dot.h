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
#include "../low.h"

#include <string.h>

enum { NR = 2 * W };

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
/* A row's address is that of the third row at or before it plus 0, 1 or 2
 * strides: few enough pointers for the general registers. */
#define ROW_STEP(i)                                                          \
    if ((i) < rows) {                                                        \
        I x = SETI(word_at(third[(i) / 3] + (i) % 3 * lda));                 \
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
    for (const uint32_t *end = b + t->words * NR; b < end; b += NR) {
        I lo = LOADI(b), hi = LOADI(b + W);

        /* The panel streams from L2: six steps hide the way to L1. */
        _mm_prefetch((const char *)ahead, _MM_HINT_T1);
        _mm_prefetch((const char *)(b + 6 * NR), _MM_HINT_T0);
        _mm_prefetch((const char *)(b + 6 * NR + W), _MM_HINT_T0);
        ahead += NR / 8;
        EACH_ROW(ROW_STEP)
        third[0] += 4, third[1] += 4, third[2] += 4, third[3] += 4;
        third[4] += 4;
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
