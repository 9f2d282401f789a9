/* SPDX-License-Identifier: MIT */
/*
 * The f32 kernels written once for every vector width. A tier's file defines
 * the vector type and its operations, then includes this:
 *
 *   V, W             vector of W floats
 *   MR, EACH_ROW(M)  rows of a GEMM tile, and M(0) .. M(MR - 1)
 *   LOAD STORE ZERO SET1 ADD SUB MUL DIV MAX MIN  as usual
 *   FMA(a, b, c), FNMA(a, b, c)        c + a * b, c - a * b
 *   LOAD_N(p, n), STORE_N(p, v, n)     the first n < W floats; 0 elsewhere
 *   SELECT_N(n, a, b)  the first n elements of a, the others of b
 *   SUM(v), MAXIMUM(v) across one vector, in a fixed order
 *   ROUND(v), POW2(v)  nearest integer; 2^v for integral v in -126 .. 127
 *   TRANSPOSE(v)     a W x W block held in V v[W]
 *   TABLE, NAME
 *
 * Two vectors make the width of a GEMM tile.
 */
#include "../dsp.h"

enum { NR = 2 * W, LINE = 16 };

#define INLINE static inline __attribute__((always_inline))

/* ---- products ---------------------------------------------------------------- */

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
 * before it plus 0, 1 or 2 strides: few enough pointers for the general
 * registers. */
#define ROW_STEP(i)                                                          \
    if ((i) < rows) {                                                        \
        V x = SET1(third[(i) / 3][(i) % 3 * lda + u]);                       \
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
                 const float *ahead)
{
    const float *third[5] = {a, a + 3 * lda, a + 6 * lda, a + 9 * lda,
                             a + 12 * lda};
    EACH_ROW(ROW_DECLARE)

    EACH_ROW(ROW_ZERO)
    if (add) {
        EACH_ROW(ROW_LOAD)
    }
    /* Eight at a time: the instructions that only count and prefetch compete
     * with the products for the four that a core starts each cycle. */
    for (; k >= 8; k -= 8) {
        for (size_t i = 0; i < NR; i += LINE)
            _mm_prefetch((const char *)(ahead + i), _MM_HINT_T1);
        ahead += NR;
#pragma GCC unroll 8
        for (size_t u = 0; u < 8; u++) {
            V lo = LOAD(b + u * NR), hi = LOAD(b + u * NR + W);

            /* The panel streams from L2: six steps hide the way to L1. */
            for (size_t i = 0; i < NR; i += LINE)
                _mm_prefetch((const char *)(b + (u + 6) * NR + i),
                             _MM_HINT_T0);
            EACH_ROW(ROW_STEP)
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
                 const float *ahead)
{
    switch (rows) {
        EACH_ROW(ROW_CASE)
    }
}

/* ---- functions of one number -------------------------------------------------- */

/* e^x for x <= 87, at most 2 ulp off; below -87 it stays at e^-87, 1.6e-38.
 * x = n ln2 + r; e^r by a polynomial, minimax on |r| <= ln2 / 2. */
INLINE V exp_vector(V x)
{
    V n, r, e;

    x = MAX(x, SET1(-87.0f));
    n = ROUND(MUL(x, SET1(1.44269504f)));
    r = FNMA(n, SET1(0.693359375f), x);
    r = FNMA(n, SET1(-2.12194440e-4f), r);
    e = FMA(SET1(1.38146128e-3f), r, SET1(8.36871006e-3f));
    e = FMA(e, r, SET1(4.1668389e-2f));
    e = FMA(e, r, SET1(1.66665211e-1f));
    e = FMA(e, r, SET1(4.9999994e-1f));
    e = FMA(e, r, SET1(1.0f));
    e = FMA(e, r, SET1(1.0f));
    return MUL(e, POW2(n));
}

/* erf(z) with |error| < 4e-7: z times a polynomial in z^2, minimax on
 * |z| <= 3.7 in u = 2 z^2 / 3.7^2 - 1, where its coefficients stay small;
 * beyond, erf(3.7), which is 1 - 1.7e-7. Pairs of coefficients are put
 * together by u, pairs of those by u^2, and so on: a chain of products as long
 * as the polynomial would leave the core waiting for each. */
INLINE V erf_vector(V z)
{
    static const float c[] = {
        0.382137537f, -0.19046773f, 0.140789539f, -0.112645566f,
        0.0906248838f, -0.0704366341f, 0.0514753573f, -0.0362002738f,
        0.0251461416f, -0.0141516663f, 0.00522323186f, -0.0036473684f,
        0.00392740965f, -0.00150466547f,
    };
    V u, u2, u4, p[7];

    z = MIN(MAX(z, SET1(-3.7f)), SET1(3.7f));
    u = FMA(MUL(z, z), SET1(2.0f / (3.7f * 3.7f)), SET1(-1.0f));
    u2 = MUL(u, u);
    u4 = MUL(u2, u2);
#pragma GCC unroll 8
    for (size_t i = 0; i < 7; i++)
        p[i] = FMA(SET1(c[2 * i + 1]), u, SET1(c[2 * i]));
    p[0] = FMA(p[1], u2, p[0]);
    p[2] = FMA(p[3], u2, p[2]);
    p[4] = FMA(p[5], u2, p[4]);
    p[0] = FMA(p[2], u4, p[0]);
    p[4] = FMA(p[6], u4, p[4]);
    return MUL(FMA(p[4], MUL(u4, u4), p[0]), z);
}

INLINE V gelu(V x)
{
    V half = MUL(x, SET1(0.5f));

    return FMA(half, erf_vector(MUL(x, SET1(0.70710678f))), half);
}

/* x sigmoid(z). Beyond |z| = 87 sigmoid(z) stays as it is there: 1, or less
 * than the smallest difference that x could make. */
INLINE V gate(V x, V z)
{
    z = MIN(MAX(z, SET1(-87.0f)), SET1(87.0f));
    return DIV(x, ADD(SET1(1.0f), exp_vector(SUB(ZERO(), z))));
}

INLINE V gelu_tanh(V x)
{
    V cube = FMA(MUL(SET1(0.044715f), MUL(x, x)), x, x);

    return gate(x, MUL(SET1(1.59576912f), cube));
}

/* ---- rows ------------------------------------------------------------------------ */

INLINE V finished(enum vit_finish how, V c, V bias, V y)
{
    V v = ADD(c, bias);

    return how == VIT_GELU         ? gelu(v)
           : how == VIT_GELU_TANH  ? gelu_tanh(v)
           : how == VIT_QUICK_GELU ? gate(v, MUL(SET1(1.702f), v))
           : how == VIT_ADD        ? ADD(y, v)
                                   : v;
}

INLINE void finish_as(enum vit_finish how, size_t rows, size_t cols,
                      const float *c, size_t ldc, const float *bias,
                      float *y, size_t ldy)
{
    size_t whole = cols / W * W, rest = cols - whole;

    for (size_t i = 0; i < rows; i++, c += ldc, y += ldy) {
        for (size_t j = 0; j < whole; j += W)
            STORE(y + j, finished(how, LOAD(c + j), LOAD(bias + j),
                                  how == VIT_ADD ? LOAD(y + j) : ZERO()));
        if (rest)
            STORE_N(y + whole,
                    finished(how, LOAD_N(c + whole, rest),
                             LOAD_N(bias + whole, rest),
                             how == VIT_ADD ? LOAD_N(y + whole, rest)
                                            : ZERO()),
                    rest);
    }
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

static void layer_norm(size_t n, const float *x, const float *weight,
                       const float *bias, float eps, float *y)
{
    size_t whole = n / W * W, rest = n - whole;
    V sum = ZERO(), squares = ZERO(), mean, scale, d;

    for (size_t i = 0; i < whole; i += W)
        sum = ADD(sum, LOAD(x + i));
    if (rest)
        sum = ADD(sum, LOAD_N(x + whole, rest));
    mean = SET1(SUM(sum) / (float)n);
    for (size_t i = 0; i < whole; i += W) {
        d = SUB(LOAD(x + i), mean);
        squares = FMA(d, d, squares);
    }
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

/* s = scale * s + bias; returns the largest. */
INLINE float scale_and_bias(size_t n, float scale, const float *bias, float *s)
{
    size_t whole = n / W * W, rest = n - whole;
    V max = SET1(-__builtin_inff()), v, scales = SET1(scale);

    for (size_t i = 0; i < whole; i += W) {
        v = MUL(LOAD(s + i), scales);
        if (bias)
            v = ADD(v, LOAD(bias + i));
        STORE(s + i, v);
        max = MAX(v, max);
    }
    if (rest) {
        v = MUL(LOAD_N(s + whole, rest), scales);
        if (bias)
            v = ADD(v, LOAD_N(bias + whole, rest));
        STORE_N(s + whole, v, rest);
        max = MAX(SELECT_N(rest, v, max), max);
    }
    return MAXIMUM(max);
}

static void softmax(size_t n, float scale, const float *bias, float *s)
{
    size_t whole = n / W * W, rest = n - whole;
    V max = SET1(scale_and_bias(n, scale, bias, s)), sum = ZERO(), v;

    for (size_t i = 0; i < whole; i += W) {
        v = exp_vector(SUB(LOAD(s + i), max));
        STORE(s + i, v);
        sum = ADD(sum, v);
    }
    if (rest) {
        v = exp_vector(SUB(LOAD_N(s + whole, rest), max));
        v = SELECT_N(rest, v, ZERO());
        STORE_N(s + whole, v, rest);
        sum = ADD(sum, v);
    }
    v = SET1(1.0f / SUM(sum));
    for (size_t i = 0; i < whole; i += W)
        STORE(s + i, MUL(LOAD(s + i), v));
    if (rest)
        STORE_N(s + whole, MUL(LOAD_N(s + whole, rest), v), rest);
}

static void swiglu(size_t n, const float *a, const float *b, float *y)
{
    size_t whole = n / W * W, rest = n - whole;
    V v;

    for (size_t i = 0; i < whole; i += W) {
        v = LOAD(a + i);
        STORE(y + i, MUL(gate(v, v), LOAD(b + i)));
    }
    if (rest) {
        v = LOAD_N(a + whole, rest);
        STORE_N(y + whole, MUL(gate(v, v), LOAD_N(b + whole, rest)), rest);
    }
}

const vit_dsp TABLE = {
    NAME, MR, NR, gemm, finish, pack, layer_norm, softmax, swiglu,
};
