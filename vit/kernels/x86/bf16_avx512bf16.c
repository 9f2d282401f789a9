/* SPDX-License-Identifier: MIT */
/* bf16 with the instruction for it: tiles of 14 x 32, a word of two products
 * an instruction. It adds pairs in an order of its own and takes subnormal
 * numbers for zeros. */
#define CONVERTS
#include "softmax512.h"

typedef __m512i I;
typedef __m512 SUMS;
enum { W = 16, MR = 14, HEAD = 0 };
#define EACH_ROW(M) \
    M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13)

#define LOADI(p) _mm512_loadu_si512(p)
#define SETI(w) _mm512_set1_epi32(w)
#define DOT(sums, x, b) _mm512_dpbf16_ps(sums, (__m512bh)(x), (__m512bh)(b))
#define BEGIN(t, i, half) \
    ((t)->add ? _mm512_loadu_ps((t)->c + (i) * (t)->ldc + (half) * W) \
              : _mm512_setzero_ps())
#define END(t, i, half, sums) \
    _mm512_storeu_ps((t)->c + (i) * (t)->ldc + (half) * W, sums)

#include "../vectors/low_dot.h"

#ifndef TABLE
#define TABLE tomevit_bf16_avx512bf16
#endif

const vit_low TABLE = {
    .name = "avx512-bf16", .dtype = TOMEVIT_BF16, .mr = MR, .nr = NR,
    .block_rows = 224, .strip = MR, .depth = 512, .per_word = 2,
    .per_chunk = 32, .interleaved = 1, .narrow = narrow_pairs,
    .softmax = softmax_pairs,
    .words = words_bf16, .transpose = transpose_words,
    .interleave = interleave_bf16, .tile = tile,
    .product = tomevit_low_blocked,
};
