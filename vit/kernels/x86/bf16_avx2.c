/* SPDX-License-Identifier: MIT */
/* bf16 on AVX2: tiles of 6 x 16. */
#include "avx2.h"
#include "tomevit.h"

typedef __m256 V;
typedef __m256i I;
enum { W = 8, MR = 6 };
#define EACH_ROW(M) M(0) M(1) M(2) M(3) M(4) M(5)

#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define ZERO _mm256_setzero_ps
#define SET1 _mm256_set1_ps
#define FMA _mm256_fmadd_ps
#define LOADI(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define EVEN(w) _mm256_castsi256_ps(_mm256_slli_epi32(w, 16))
#define UPPER(w) _mm256_andnot_si256(_mm256_set1_epi32(0xffff), w)
#define ODD(w) _mm256_castsi256_ps(UPPER(w))

#include "../vectors/low_widen.h"

/* Rounded to bf16 in the upper half of each lane; the lower is anything. NaN
 * becomes a quiet one. */
static inline __m256i rounded(__m256 x)
{
    __m256i bits = _mm256_castps_si256(x);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16),
                                   _mm256_set1_epi32(1));
    __m256i up = _mm256_add_epi32(_mm256_add_epi32(bits, odd),
                                  _mm256_set1_epi32(0x7fff));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));

    return _mm256_castps_si256(_mm256_blendv_ps(
        _mm256_castsi256_ps(up), _mm256_castsi256_ps(quiet),
        _mm256_cmp_ps(x, x, _CMP_UNORD_Q)));
}

static vit_quant narrow(size_t k, const float *x, unsigned char *out,
                        size_t step)
{
    for (size_t p = 0; p < k; p += 16, out += step)
        for (size_t i = 0; i < 2; i++)
            _mm256_storeu_si256((__m256i *)(void *)(out + i * 32),
                                UPPER(rounded(load_part(x, p + i * 8, k))));
    return (vit_quant){1.0f, 0.0f};
}

/* 8 elements as 4 words. */
static inline __m128i pairs(__m256 x)
{
    __m256i halves = _mm256_srli_epi32(rounded(x), 16);
    __m256i packed = _mm256_packus_epi32(halves, halves);

    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
}

static void words(size_t k, const float *x, float unused, uint32_t *out)
{
    (void)unused;
    for (size_t p = 0; p < k; p += 8)
        _mm_maskstore_epi32((int *)(void *)(out + p / 2),
                            _mm256_castsi256_si128(first((k - p + 1) / 2)),
                            pairs(load_part(x, p, k)));
}

static void interleave(size_t n, const float *even, const float *odd,
                       uint32_t *out)
{
    for (size_t i = 0; i < n; i += 8) {
        __m256i low = _mm256_srli_epi32(rounded(load_part(even, i, n)), 16);
        __m256i high = odd ? rounded(load_part(odd, i, n))
                           : _mm256_setzero_si256();

        _mm256_maskstore_epi32((int *)(void *)(out + i), first(n - i),
                               _mm256_or_si256(low, UPPER(high)));
    }
}

/* Words are moved as floats: nothing looks at their values. */
static void transpose(size_t rows, size_t count, const uint32_t *x, size_t ldx,
                      size_t width, uint32_t *out)
{
    for (size_t p = 0; p < count; p += 8) {
        for (size_t i = 0; i < width; i += 8) {
            __m256 v[8];

            for (size_t r = 0; r < 8; r++)
                v[r] = i + r < rows
                    ? _mm256_castsi256_ps(_mm256_maskload_epi32(
                          (const int *)(const void *)(x + (i + r) * ldx + p),
                          first(count - p)))
                    : _mm256_setzero_ps();
            transpose8(v);
            for (size_t q = 0; q < 8 && p + q < count; q++)
                _mm256_maskstore_epi32(
                    (int *)(void *)(out + (p + q) * width + i),
                    first(width - i), _mm256_castps_si256(v[q]));
        }
    }
}

const vit_low tomevit_bf16_avx2 = {
    .name = "avx2",
    .dtype = TOMEVIT_BF16,
    .mr = MR,
    .nr = NR,
    .block_rows = 112,
    .strip = MR,
    .depth = 224,
    .per_word = 2,
    .per_chunk = 16,
    .interleaved = 1,
    .widens = 1,
    .narrow = narrow,
    .words = words,
    .transpose = transpose,
    .interleave = interleave,
    .tile = tile,
    .product = tomevit_low_blocked,
};
