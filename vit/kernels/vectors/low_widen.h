/* SPDX-License-Identifier: MIT */
/*
 * bf16 on tiers that have no instruction for it: words of the right side are
 * widened to two vectors of f32 as they are loaded, the left side is stored
 * as f32 that were rounded. Products are exact, so that fused or not the sums
 * are those of the scalar kernel. A tier's file defines, then includes this:
 *
 *   V, I, W          vectors of W floats, of W words
 *   MR, EACH_ROW(M)  rows of a tile, and M(0) .. M(MR - 1)
 *   LOAD STORE ZERO SET1 FMA(a, b, c)      c + a * b
 *   LOADI(p)         W words
 *   EVEN(w), ODD(w)  the elements of words as floats
 */
#include "prefetch.h"
#include "../low.h"

enum { NR = 2 * W, LINE = 16 };

#define INLINE static inline __attribute__((always_inline))

#define ROW_DECLARE(i) V l##i, h##i;
#define ROW_ZERO(i) l##i = ZERO(); h##i = ZERO();
#define ROW_LOAD(i)                                                          \
    if ((i) < rows) {                                                        \
        l##i = LOAD(t->c + (i) * t->ldc);                                    \
        h##i = LOAD(t->c + (i) * t->ldc + W);                                \
    }
/* Addresses as in kernels.h. */
#define ROW_STEP(i)                                                          \
    if ((i) < rows) {                                                        \
        V x = SET1(third[(i) / 3][(i) % 3 * lda + u]);                       \
        l##i = FMA(x, lo, l##i);                                             \
        h##i = FMA(x, hi, h##i);                                             \
    }
#define ROW_STORE(i)                                                         \
    if ((i) < rows) {                                                        \
        STORE(t->c + (i) * t->ldc, l##i);                                    \
        STORE(t->c + (i) * t->ldc + W, h##i);                                \
    }
/* The words are loaded for either half of them: that costs less than two more
 * registers. */
#define STEP(part)                                                           \
    do {                                                                     \
        V lo = part(LOADI(b + u / 2 * NR));                                  \
        V hi = part(LOADI(b + u / 2 * NR + W));                              \
                                                                             \
        EACH_ROW(ROW_STEP)                                                   \
    } while (0)

/* `rows` is a constant wherever this is expanded. */
INLINE void tile_of(size_t rows, const vit_low_tile *t)
{
    size_t lda = t->lda / sizeof(float);
    const float *a = (const float *)(const void *)t->a;
    const float *third[5] = {a, a + 3 * lda, a + 6 * lda, a + 9 * lda,
                             a + 12 * lda};
    const uint32_t *b = t->b, *ahead = t->ahead;
    EACH_ROW(ROW_DECLARE)

    EACH_ROW(ROW_ZERO)
    if (t->add) {
        EACH_ROW(ROW_LOAD)
    }
    /* Eight at a time, as in kernels.h. */
    for (const uint32_t *end = b + t->words * NR; b < end; b += 4 * NR) {
        for (size_t i = 0; i < NR; i += LINE)
            PREFETCH_SECOND(ahead + i / 2);
        ahead += NR / 2;
#pragma GCC unroll 4
        for (size_t q = 0; q < 8; q += 2) {
            for (size_t i = 0; i < NR; i += LINE)
                PREFETCH_FIRST(b + (q / 2 + 4) * NR + i);
            size_t u = q;
            STEP(EVEN);
            u++;
            STEP(ODD);
        }
        third[0] += 8, third[1] += 8, third[2] += 8, third[3] += 8;
        third[4] += 8;
    }
    EACH_ROW(ROW_STORE)
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
