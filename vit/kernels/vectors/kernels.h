/* SPDX-License-Identifier: MIT */
/*
 * The f32 kernels written once for every vector width. A tier's file defines
 * the vector type and its operations, then includes this:
 *
 *   V, W             vector of W floats
 *   MR, EACH_ROW(M)  rows of a GEMM tile, and M(0) .. M(MR - 1)
 *   LOAD STORE and what functions.h asks for
 *   LOAD_N(p, n), STORE_N(p, v, n)     the first n < W floats; 0 elsewhere
 *   SELECT_N(n, a, b)  the first n elements of a, the others of b
 *   SUM(v), MAXIMUM(v) across one vector, in a fixed order
 *   TRANSPOSE(v)     a W x W block held in V v[W]
 *   SWAP_PAIRS(v)    elements 1 0 3 2 5 4 ...
 *   TABLE, NAME
 *   GEMM             if it has a product of its own, that
 *
 * Two vectors make the width of a GEMM tile.
 */
#include "functions.h"
#include "prefetch.h"

enum { NR = 2 * W, LINE = 16 };

/* ---- products ------------------------------------------------------------ */

#ifndef GEMM
#define GEMM gemm
/* One macro a step of the tile for all its rows: the sums are plain variables
 * and stay in registers. */
#define ROW_DECLARE(i) V l##i, h##i;
#define ROW_ZERO(i) l##i = ZERO(); h##i = ZERO();
#define ROW_LOAD(i)                                                          \
    if ((i) < rows) {                                                        \
        l##i = LOAD(c + (i) * ldc);                                          \
        h##i = LOAD(c + (i) * ldc + W);                                      \
    }
/* Step u from the pointers on. A row's address is that of the third row at or
 * before it plus 0, 1 or 2 strides in bytes, which an instruction adds by
 * itself: few enough pointers for the general registers. */
#define ROW_STEP(i)                                                          \
    if ((i) < rows) {                                                        \
        V x = SET1(*(const float *)((const char *)(third[(i) / 3] + u) +     \
                                    (i) % 3 * stride));                      \
        l##i = FMA(x, lo, l##i);                                             \
        h##i = FMA(x, hi, h##i);                                             \
    }
#define ROW_STORE(i)                                                         \
    if ((i) < rows) {                                                        \
        STORE(c + (i) * ldc, l##i);                                          \
        STORE(c + (i) * ldc + W, h##i);                                      \
    }

/* `rows` is a constant wherever this is expanded. */
INLINE void tile(size_t rows, size_t k, const float *a, size_t lda,
                 const float *b, float *c, size_t ldc, int add,
                 vit_ahead ahead)
{
    const float *third[5] = {a, a + 3 * lda, a + 6 * lda, a + 9 * lda,
                             a + 12 * lda};
    const float *last = ahead.rows + (rows - 1) * ahead.stride;
    size_t stride = lda * sizeof(*a);
    EACH_ROW(ROW_DECLARE)

    EACH_ROW(ROW_ZERO)
    if (add) {
        EACH_ROW(ROW_LOAD)
    }
    /* Eight at a time: the instructions that only count and prefetch compete
     * with the products for the four that a core starts each cycle. */
    for (; k >= 8; k -= 8) {
        for (size_t i = 0; i < 2 * NR; i += LINE)
            PREFETCH_SECOND(ahead.panel + i);
        for (size_t i = 0; i < NR; i += LINE)
            PREFETCH_FIRST(ahead.rows + i);
        ahead.panel += 2 * NR;
        ahead.rows += ahead.rows < last ? ahead.stride : 0;
#pragma GCC unroll 8
        for (size_t u = 0; u < 8; u++) {
            V lo = LOAD(b + u * NR), hi = LOAD(b + u * NR + W);

            /* The panel streams from L2: six steps hide the way to L1. */
            for (size_t i = 0; i < NR; i += LINE)
                PREFETCH_FIRST(b + (u + 6) * NR + i);
            EACH_ROW(ROW_STEP)
            /* Compilers would gather the prefetches of all eight, and the
             * loads behind them would wait; and keep stride + u for every u,
             * out of registers. */
            __asm__ volatile("" : "+r"(stride));
        }
        b += 8 * NR;
        third[0] += 8, third[1] += 8, third[2] += 8, third[3] += 8;
        third[4] += 8;
    }
    for (; k; k--) {
        V lo = LOAD(b), hi = LOAD(b + W);
        enum { u = 0 };

        EACH_ROW(ROW_STEP)
        b += NR;
        third[0]++, third[1]++, third[2]++, third[3]++, third[4]++;
    }
    EACH_ROW(ROW_STORE)
}

#define ROW_CASE(i)                                                          \
    case (i) + 1:                                                            \
        tile((i) + 1, k, a, lda, b, c, ldc, add, ahead);                     \
        break;

static void gemm(size_t rows, size_t k, const float *a, size_t lda,
                 const float *b, float *c, size_t ldc, int add,
                 vit_ahead ahead)
{
    switch (rows) {
        EACH_ROW(ROW_CASE)
    }
}
#endif

/* ---- rows ---------------------------------------------------------------- */

/* Whole vectors of rows, a group at a time; the last one as often as fills its
 * group. `columns` is a multiple of W. */
INLINE void activate_rows(enum vit_finish how, size_t rows, size_t columns,
                          const float *c, size_t ldc, const float *bias,
                          float *y, size_t ldy)
{
    enum { n = GROUP };
    size_t row = 0, column = 0;

    while (row < rows) {
        float *to[n];
        V v[n];

        EACH(i) {
            v[i] = ADD(LOAD(c + row * ldc + column), LOAD(bias + column));
            to[i] = y + row * ldy + column;
            if (column + W < columns) {
                column += W;
            } else if (row + 1 < rows || i + 1 == n) {
                column = 0;
                row++;
            }
        }
        activate(how, n, v);
        EACH(i) STORE(to[i], v[i]);
    }
}

INLINE void store_row(enum vit_finish how, size_t columns, const float *c,
                      const float *bias, float *y)
{
    for (size_t j = 0; j < columns; j += W) {
        V v = ADD(LOAD(c + j), LOAD(bias + j));

        STORE(y + j, how == VIT_ADD ? ADD(LOAD(y + j), v) : v);
    }
}

/* The `rest` < W last elements of a row. */
INLINE void finish_rest(enum vit_finish how, size_t rest, const float *c,
                        const float *bias, float *y)
{
    V v[GROUP] = {ADD(LOAD_N(c, rest), LOAD_N(bias, rest))};

    activate(how, 1, v);
    if (how == VIT_ADD)
        v[0] = ADD(LOAD_N(y, rest), v[0]);
    STORE_N(y, v[0], rest);
}

INLINE void finish_as(enum vit_finish how, size_t rows, size_t cols,
                      const float *c, size_t ldc, const float *bias,
                      float *y, size_t ldy)
{
    size_t whole = cols / W * W;

    if (whole && how != VIT_STORE && how != VIT_ADD)
        activate_rows(how, rows, whole, c, ldc, bias, y, ldy);
    else
        for (size_t i = 0; i < rows; i++)
            store_row(how, whole, c + i * ldc, bias, y + i * ldy);
    for (size_t i = 0; cols > whole && i < rows; i++)
        finish_rest(how, cols - whole, c + i * ldc + whole, bias + whole,
                    y + i * ldy + whole);
}

static void finish(enum vit_finish how, size_t rows, size_t cols,
                   const float *c, size_t ldc, const float *bias,
                   float *y, size_t ldy)
{
    switch (how) {
    case VIT_STORE:
        finish_as(VIT_STORE, rows, cols, c, ldc, bias, y, ldy);
        break;
    case VIT_GELU:
        finish_as(VIT_GELU, rows, cols, c, ldc, bias, y, ldy);
        break;
    case VIT_ADD:
        finish_as(VIT_ADD, rows, cols, c, ldc, bias, y, ldy);
        break;
    case VIT_GELU_TANH:
        finish_as(VIT_GELU_TANH, rows, cols, c, ldc, bias, y, ldy);
        break;
    case VIT_QUICK_GELU:
        finish_as(VIT_QUICK_GELU, rows, cols, c, ldc, bias, y, ldy);
        break;
    case VIT_SILU:
        finish_as(VIT_SILU, rows, cols, c, ldc, bias, y, ldy);
        break;
    }
}

/* One W x W block (or what is there of it) of pack. */
INLINE void pack_block(size_t rows, size_t k, const float *x, size_t ldx,
                       size_t columns, size_t width, float *out)
{
    V v[W];

    for (size_t r = 0; r < W; r++)
        v[r] = r >= rows ? ZERO()
               : k < W   ? LOAD_N(x + r * ldx, k)
                         : LOAD(x + r * ldx);
    TRANSPOSE(v);
    for (size_t q = 0; q < k && q < W; q++) {
        if (columns < W)
            STORE_N(out + q * width, v[q], columns);
        else
            STORE(out + q * width, v[q]);
    }
}

static void pack(size_t rows, size_t k, const float *x, size_t ldx,
                 size_t width, float *out)
{
    for (size_t i = 0; i < width; i += W)
        for (size_t p = 0; p < k; p += W)
            pack_block(rows > i ? rows - i : 0, k - p, x + i * ldx + p, ldx,
                       width - i, width, out + p * width + i);
}

/* Vectors of a row at once: rows end anywhere. */
enum { FEW = GROUP < 4 ? GROUP : 4 };

/* Sums of x[whole] - mean, or of its squares, in one vector. */
INLINE V sum_up(size_t whole, const float *x, V mean, int squares)
{
    enum { n = FEW };
    V sum[n], d[n];
    size_t j = 0;

    EACH(i) sum[i] = ZERO();
    for (; j + n * W <= whole; j += n * W) {
        EACH(i) d[i] = SUB(LOAD(x + j + i * W), mean);
        EACH(i) sum[i] = squares ? FMA(d[i], d[i], sum[i])
                                 : ADD(sum[i], d[i]);
    }
    for (; j < whole; j += W) {
        d[0] = SUB(LOAD(x + j), mean);
        sum[0] = squares ? FMA(d[0], d[0], sum[0]) : ADD(sum[0], d[0]);
    }
    for (size_t i = 1; i < n; i++)
        sum[0] = ADD(sum[0], sum[i]);
    return sum[0];
}

static void layer_norm(size_t n, const float *x, const float *weight,
                       const float *bias, float eps, float *y)
{
    size_t whole = n / W * W, rest = n - whole;
    V sum = sum_up(whole, x, ZERO(), 0), squares, mean, scale, d;

    if (rest)
        sum = ADD(sum, LOAD_N(x + whole, rest));
    mean = SET1(SUM(sum) / (float)n);
    squares = sum_up(whole, x, mean, 1);
    if (rest) {
        d = SELECT_N(rest, SUB(LOAD_N(x + whole, rest), mean), ZERO());
        squares = FMA(d, d, squares);
    }
    scale = SET1(1.0f / __builtin_sqrtf(SUM(squares) / (float)n + eps));
    for (size_t i = 0; i < whole; i += W)
        STORE(y + i, FMA(MUL(SUB(LOAD(x + i), mean), scale), LOAD(weight + i),
                         LOAD(bias + i)));
    if (rest)
        STORE_N(y + whole,
                FMA(MUL(SUB(LOAD_N(x + whole, rest), mean), scale),
                    LOAD_N(weight + whole, rest), LOAD_N(bias + whole, rest)),
                rest);
}

static void rms_norm(size_t n, const float *x, const float *weight, float eps,
                     float *y)
{
    size_t whole = n / W * W, rest = n - whole;
    V squares = sum_up(whole, x, ZERO(), 1), scale, v;

    if (rest) {
        v = LOAD_N(x + whole, rest);
        squares = FMA(v, v, squares);
    }
    scale = SET1(1.0f / __builtin_sqrtf(SUM(squares) / (float)n + eps));
    for (size_t i = 0; i < whole; i += W) {
        v = MUL(LOAD(x + i), scale);
        STORE(y + i, weight ? MUL(v, LOAD(weight + i)) : v);
    }
    if (rest) {
        v = MUL(LOAD_N(x + whole, rest), scale);
        STORE_N(y + whole, weight ? MUL(v, LOAD_N(weight + whole, rest)) : v,
                rest);
    }
}

/* s = scale * s + bias of n vectors; the largest so far in max. */
INLINE void scale_and_bias(size_t n, V scale, const float *bias, float *s,
                           V *max)
{
    V v[GROUP];

    EACH(i) v[i] = MUL(LOAD(s + i * W), scale);
    if (bias)
        EACH(i) v[i] = ADD(v[i], LOAD(bias + i * W));
    EACH(i) STORE(s + i * W, v[i]);
    EACH(i) max[i] = MAX(v[i], max[i]);
}

/* s = e^(s - max) of n vectors, in turn added to the sum. */
INLINE V weigh(size_t n, float *s, V max, V sum)
{
    V v[GROUP];

    EACH(i) v[i] = SUB(LOAD(s + i * W), max);
    exp_vectors(n, v);
    EACH(i) STORE(s + i * W, v[i]);
    EACH(i) sum = ADD(sum, v[i]);
    return sum;
}

static void softmax(size_t n, float scale, const float *bias, float *s)
{
    size_t whole = n / W * W, rest = n - whole, i = 0;
    V scales = SET1(scale), most[FEW], max, sum = ZERO(), v[GROUP];

    for (size_t q = 0; q < FEW; q++)
        most[q] = SET1(-__builtin_inff());
    for (; i + FEW * W <= whole; i += FEW * W)
        scale_and_bias(FEW, scales, bias ? bias + i : NULL, s + i, most);
    for (; i < whole; i += W)
        scale_and_bias(1, scales, bias ? bias + i : NULL, s + i, most);
    if (rest) {
        v[0] = MUL(LOAD_N(s + whole, rest), scales);
        if (bias)
            v[0] = ADD(v[0], LOAD_N(bias + whole, rest));
        STORE_N(s + whole, v[0], rest);
        most[0] = MAX(SELECT_N(rest, v[0], most[0]), most[0]);
    }
    for (size_t q = 1; q < FEW; q++)
        most[0] = MAX(most[q], most[0]);
    max = SET1(MAXIMUM(most[0]));

    for (i = 0; i + FEW * W <= whole; i += FEW * W)
        sum = weigh(FEW, s + i, max, sum);
    for (; i < whole; i += W)
        sum = weigh(1, s + i, max, sum);
    if (rest) {
        v[0] = SUB(LOAD_N(s + whole, rest), max);
        exp_vectors(1, v);
        v[0] = SELECT_N(rest, v[0], ZERO());
        STORE_N(s + whole, v[0], rest);
        sum = ADD(sum, v[0]);
    }
    v[0] = SET1(1.0f / SUM(sum));
    for (i = 0; i < whole; i += W)
        STORE(s + i, MUL(LOAD(s + i), v[0]));
    if (rest)
        STORE_N(s + whole, MUL(LOAD_N(s + whole, rest), v[0]), rest);
}

INLINE void swiglu_group(size_t n, const float *a, const float *b, float *y)
{
    V v[GROUP], z[GROUP];

    EACH(i) v[i] = z[i] = LOAD(a + i * W);
    gate(n, v, z);
    EACH(i) STORE(y + i * W, MUL(v[i], LOAD(b + i * W)));
}

static void swiglu(size_t n, const float *a, const float *b, float *y)
{
    size_t whole = n / W * W, rest = n - whole, i = 0;

    for (; i + GROUP * W <= whole; i += GROUP * W)
        swiglu_group(GROUP, a + i, b + i, y + i);
    for (; i < whole; i += W)
        swiglu_group(1, a + i, b + i, y + i);
    if (rest) {
        V v[GROUP] = {LOAD_N(a + whole, rest)}, z[GROUP] = {v[0]};

        gate(1, v, z);
        STORE_N(y + whole, MUL(v[0], LOAD_N(b + whole, rest)), rest);
    }
}

/* Pairs half a head apart: one vector of each half, in every head. */
INLINE void rotate_halves(size_t heads, size_t channels, const float *turn,
                          size_t stride, float *x)
{
    size_t half = channels / 2, whole = half / W * W, rest = half - whole;

    for (size_t j = 0; j < whole; j += W) {
        const float *t = turn + j;

        for (size_t h = 0; h < heads; h++, t += stride) {
            float *p = x + h * channels + j;
            V a = LOAD(p), b = LOAD(p + half), c = LOAD(t);

            STORE(p, FMA(b, LOAD(t + channels), MUL(a, c)));
            STORE(p + half,
                  FMA(a, LOAD(t + channels + half), MUL(b, LOAD(t + half))));
        }
    }
    for (size_t h = 0; rest && h < heads; h++, turn += stride) {
        const float *t = turn + whole;
        float *p = x + h * channels + whole;
        V a = LOAD_N(p, rest), b = LOAD_N(p + half, rest);

        STORE_N(p, FMA(b, LOAD_N(t + channels, rest),
                       MUL(a, LOAD_N(t, rest))), rest);
        STORE_N(p + half, FMA(a, LOAD_N(t + channels + half, rest),
                              MUL(b, LOAD_N(t + half, rest))), rest);
    }
}

/* Pairs side by side. */
INLINE void rotate_pairs(size_t heads, size_t channels, const float *turn,
                         size_t stride, float *x)
{
    size_t whole = channels / W * W, rest = channels - whole;

    for (size_t j = 0; j < whole; j += W) {
        const float *t = turn + j;

        for (size_t h = 0; h < heads; h++, t += stride) {
            float *p = x + h * channels + j;
            V v = LOAD(p);

            STORE(p, FMA(SWAP_PAIRS(v), LOAD(t + channels),
                         MUL(v, LOAD(t))));
        }
    }
    for (size_t h = 0; rest && h < heads; h++, turn += stride) {
        const float *t = turn + whole;
        float *p = x + h * channels + whole;
        V v = LOAD_N(p, rest);

        STORE_N(p, FMA(SWAP_PAIRS(v), LOAD_N(t + channels, rest),
                       MUL(v, LOAD_N(t, rest))), rest);
    }
}

static void rotate(size_t heads, size_t channels, int halves,
                   const float *turn, size_t stride, float *x)
{
    if (halves)
        rotate_halves(heads, channels, turn, stride, x);
    else
        rotate_pairs(heads, channels, turn, stride, x);
}

#include "gated.h"
#include "convolutions.h"

const vit_dsp TABLE = {
    NAME, MR, NR, GEMM, finish, pack, layer_norm, rms_norm, softmax,
    swiglu, geglu, geglu_tanh, depthwise, rotate, ema, laplace, highway,
};
