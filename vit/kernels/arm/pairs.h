/* SPDX-License-Identifier: MIT */
/*
 * The tile of instructions that multiply two rows with two columns at once,
 * two words of each: [2, 2 words] by [2 words, 2]. A tier's file defines, then
 * includes this:
 *
 *   SUMS                   vector of the 2 x 2 sums: row 0's, then row 1's
 *   ZERO()
 *   MULTIPLY(sums, a, b)   sums + a b; a, b are 16 bytes: two words of one row
 *                          (column), then of the next
 *   BEGIN(t, i, j)         F32x4 or S32x4 of row i, columns j .. j + 3, to add
 *                          to; used if STARTS
 *   END(t, i, j, sums)     stores row i, columns j .. j + 3
 *   STARTS                 whether sums may start from what is there
 *   JOIN_LOW(u, v), JOIN_HIGH(u, v)   the first (last) halves of two vectors
 *
 *   NR                     columns of a panel, a multiple of 8
 *
 * A tile is computed 8 x 8 at a time: 16 registers of sums. A row beside which
 * there is no other is multiplied twice, and stored once.
 */
#include "../low.h"

#include <arm_neon.h>

enum { MR = 8, SIDE = 8, COUPLES = SIDE / 2 };

#define INLINE static inline __attribute__((always_inline))

/* Rows 2 q and 2 q + 1 of the two vectors at a: [0] the first two words. */
INLINE void rows_of(const unsigned char *a, size_t lda, size_t q, size_t rows,
                    uint8x16_t x[2])
{
    size_t other = 2 * q + 1 < rows ? 2 * q + 1 : 2 * q;
    uint64x2_t u = vreinterpretq_u64_u8(vld1q_u8(a + 2 * q * lda));
    uint64x2_t v = vreinterpretq_u64_u8(vld1q_u8(a + other * lda));

    x[0] = vreinterpretq_u8_u64(vtrn1q_u64(u, v));
    x[1] = vreinterpretq_u8_u64(vtrn2q_u64(u, v));
}

/* Two rows of a panel, by couples of columns. */
INLINE void columns_of(const uint32_t *b, uint8x16_t y[COUPLES])
{
    for (size_t j = 0; j < 2; j++) {
        uint32x4_t u = vld1q_u32(b + 4 * j), v = vld1q_u32(b + NR + 4 * j);

        y[2 * j] = vreinterpretq_u8_u32(vzip1q_u32(u, v));
        y[2 * j + 1] = vreinterpretq_u8_u32(vzip2q_u32(u, v));
    }
}

INLINE void begin(size_t rows, size_t column, const vit_low_tile *t,
                  SUMS sum[MR / 2][COUPLES])
{
    for (size_t q = 0; 2 * q < rows; q++) {
        for (size_t j = 0; j < 2; j++) {
            SUMS u = ZERO(), v = u;

            if (STARTS(t)) {
                u = BEGIN(t, 2 * q, column + 4 * j);
                v = BEGIN(t, 2 * q + (2 * q + 1 < rows), column + 4 * j);
            }
            sum[q][2 * j] = JOIN_LOW(u, v);
            sum[q][2 * j + 1] = JOIN_HIGH(u, v);
        }
    }
}

INLINE void end(size_t rows, size_t column, const vit_low_tile *t,
                SUMS sum[MR / 2][COUPLES])
{
    for (size_t q = 0; 2 * q < rows; q++) {
        for (size_t j = 0; j < 2; j++) {
            SUMS u = sum[q][2 * j], v = sum[q][2 * j + 1];

            END(t, 2 * q, column + 4 * j, JOIN_LOW(u, v));
            if (2 * q + 1 < rows)
                END(t, 2 * q + 1, column + 4 * j, JOIN_HIGH(u, v));
        }
    }
}

/* Columns column .. column + SIDE - 1; words are whole chunks. */
INLINE void block(size_t rows, size_t column, const vit_low_tile *t)
{
    const unsigned char *a = t->a;
    const uint32_t *b = t->b + column, *last = b + t->words * NR;
    const uint32_t *ahead = t->ahead + column * t->words / 8;
    SUMS sum[MR / 2][COUPLES];

    begin(rows, column, t, sum);
    for (; b < last; a += 16, b += 4 * NR) {
        uint8x16_t x[MR / 2][2], y[COUPLES];

        __builtin_prefetch(ahead, 0, 2);
        ahead += SIDE / 2;
#pragma GCC unroll 4
        for (size_t q = 0; 2 * q < rows; q++)
            rows_of(a, t->lda, q, rows, x[q]);
#pragma GCC unroll 2
        for (size_t half = 0; half < 2; half++) {
            columns_of(b + half * 2 * NR, y);
#pragma GCC unroll 4
            for (size_t q = 0; 2 * q < rows; q++)
#pragma GCC unroll 4
                for (size_t j = 0; j < COUPLES; j++)
                    sum[q][j] = MULTIPLY(sum[q][j], x[q][half], y[j]);
        }
    }
    end(rows, column, t, sum);
}

/* `rows` is a constant wherever this is expanded. */
INLINE void tile_of(size_t rows, const vit_low_tile *t)
{
    for (size_t column = 0; column < NR; column += SIDE)
        block(rows, column, t);
}

static void tile(const vit_low_tile *t)
{
    switch (t->rows) {
    case 1: tile_of(1, t); break;
    case 2: tile_of(2, t); break;
    case 3: tile_of(3, t); break;
    case 4: tile_of(4, t); break;
    case 5: tile_of(5, t); break;
    case 6: tile_of(6, t); break;
    case 7: tile_of(7, t); break;
    case 8: tile_of(8, t); break;
    }
}
