/* SPDX-License-Identifier: MIT */
/* int8 on AVX2: tiles of 6 x 16, words of two elements as s16, whose products
 * are added up exactly. (An instruction on bytes would saturate.) */
#include "avx2.h"
#include "tomevit.h"

typedef __m256i I;
typedef __m256i SUMS;
enum { W = 8, MR = 6, HEAD = 0 };
#define EACH_ROW(M) M(0) M(1) M(2) M(3) M(4) M(5)

#define LOADI(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define SETI(w) _mm256_set1_epi32(w)
#define DOT(sums, x, b) _mm256_add_epi32(sums, _mm256_madd_epi16(x, b))
#define BEGIN(t, i, half) _mm256_setzero_si256()
/* The scales' product first, as the scalar kernel has it. */
#define END(t, i, half, sums)                                                \
    _mm256_storeu_ps((t)->c + (i) * (t)->ldc + (half) * W,                   \
        _mm256_mul_ps(_mm256_cvtepi32_ps(sums),                              \
            _mm256_mul_ps(_mm256_set1_ps((t)->row_scale[i]),                 \
                          _mm256_loadu_ps((t)->column_scale + (half) * W))))

#include "low_dot.h"

/* The largest magnitude, compared as whole numbers: infinities and NaN are
 * above all others. */
static float peak(size_t k, const float *x)
{
    __m256i most = _mm256_setzero_si256();
    __m128i m;

    for (size_t p = 0; p < k; p += 8)
        most = _mm256_max_epu32(most, _mm256_and_si256(
            _mm256_castps_si256(load_part(x, p, k)),
            _mm256_set1_epi32(0x7fffffff)));
    m = _mm_max_epu32(_mm256_castsi256_si128(most),
                      _mm256_extracti128_si256(most, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(m));
}

static float narrow(size_t k, const float *x, unsigned char *out, size_t step)
{
    float inverse, scale = tomevit_int8_scale(peak(k, x), &inverse);
    __m256 v = _mm256_set1_ps(inverse);

    for (size_t p = 0; p < k; p += 32, out += step) {
        for (size_t i = 0; i < 32; i += 16) {
            __m256i low = _mm256_cvtps_epi32(
                _mm256_mul_ps(load_part(x, p + i, k), v));
            __m256i high = _mm256_cvtps_epi32(
                _mm256_mul_ps(load_part(x, p + i + 8, k), v));

            _mm256_storeu_si256((__m256i *)(void *)(out + 2 * i),
                _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8));
        }
    }
    return scale;
}

const vit_low tomevit_int8_avx2 = {
    .name = "avx2", .dtype = TOMEVIT_INT8, .mr = MR, .nr = NR,
    .block_rows = 112, .strip = MR, .per_word = 2, .per_chunk = 32,
    .interleaved = 1, .narrow = narrow, .words = tomevit_words_s16,
    .transpose = tomevit_transpose_words, .tile = tile,
    .product = tomevit_low_blocked,
};
