/* SPDX-License-Identifier: MIT */
/* int8 with VNNI: tiles of 14 x 32, a word of four products an instruction.
 * It takes the left side without sign, so every element has 128 added; the
 * row in front of a panel undoes it in the sums. */
#include "int8_avx512.h"

typedef __m512i SUMS;
enum { MR = 14, OFFSET = 128, HEAD = 1 };
#define EACH_ROW(M) \
    M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13)

/* The intrinsic makes gcc 12 copy the sums and run out of registers. */
static inline __m512i dot(__m512i sums, __m512i x, __m512i b)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(x), "v"(b));
    return sums;
}

#define DOT(sums, x, b) dot(sums, x, b)
#define BEGIN(t, i, half) _mm512_loadu_si512((t)->b + (half) * W)

#include "../vectors/low_dot.h"

enum { CHUNK = 64 };

static inline void store_chunk(const float *x, __m512 zero, __m512 inverse,
                               unsigned char *out)
{
    _mm512_storeu_si512(out, _mm512_xor_si512(bytes(x, zero, inverse),
                                              _mm512_set1_epi8(-OFFSET)));
}

#include "../vectors/int8_rows.h"

const vit_low tomevit_int8_avx512vnni = {
    .name = "avx512-vnni", .dtype = TOMEVIT_INT8, .mr = MR, .nr = NR,
    .block_rows = 28, .strip = MR, .per_word = 4, .per_chunk = 64,
    .interleaved = 1, .offset = OFFSET, .narrow = narrow,
    .words = tomevit_words_s8, .transpose = tomevit_transpose_words,
    .tile = tile, .product = tomevit_low_blocked,
};
