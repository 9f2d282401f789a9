/* SPDX-License-Identifier: MIT */
/*
 * Resampling with AVX2. A weight of 24 bits is split into two 16-bit numbers,
 * so that one instruction multiplies and adds pairs of taps; the two sums
 * are put together at the end. All in whole numbers modulo 2^32, and the
 * whole sum fits in 31 bits: the bytes are the scalar kernels'.
 */
#include <immintrin.h>
#include <string.h>

#include "../resample.h"

static inline __m256i join(__m256i high, __m256i low)
{
    return _mm256_add_epi32(_mm256_slli_epi32(high, RESAMPLE_LOW_BITS), low);
}

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef struct sums {
    __m256i high, low;
} sums;

/* Four pixels from `p` on, the first two in the low lane. */
ALWAYS_INLINE void add_group(const uint8_t *p, const int16_t *split, sums *s)
{
    const __m256i pairs = _mm256_setr_epi8(
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    __m256i taps = _mm256_shuffle_epi8(
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)p)), pairs);

    s->high = _mm256_add_epi32(s->high, _mm256_madd_epi16(
        taps, _mm256_loadu_si256((const void *)split)));
    s->low = _mm256_add_epi32(s->low, _mm256_madd_epi16(
        taps, _mm256_loadu_si256((const void *)(split + 16))));
}

/* One output as four 32-bit values, the last of them 0. Reads
 * 12 * (groups - 1) + 16 bytes. The first groups are spelled out so that a
 * constant `groups` leaves no loop. */
ALWAYS_INLINE __m128i pixel(const uint8_t *p, const int16_t *split,
                            size_t groups)
{
    sums s = { _mm256_setzero_si256(), _mm256_setzero_si256() };
    __m256i sum;
    __m128i both;

    add_group(p, split, &s);
    if (groups > 1)
        add_group(p + 12, split + 32, &s);
    if (groups > 2)
        add_group(p + 24, split + 64, &s);
    if (groups > 3)
        add_group(p + 36, split + 96, &s);
    for (size_t g = 4; g < groups; g++)
        add_group(p + 12 * g, split + 32 * g, &s);
    sum = join(s.high, s.low);
    both = _mm_add_epi32(_mm256_castsi256_si128(sum),
                         _mm256_extracti128_si256(sum, 1));
    return _mm_srai_epi32(_mm_add_epi32(both, _mm_set1_epi32(RESAMPLE_HALF)),
                          RESAMPLE_BITS);
}

/* Outputs whose loads end within the row: `first` never decreases. */
static size_t vector_outputs(const tomevit_filter *filter)
{
    size_t reach = 12 * (filter->groups - 1) + 16, o = filter->outputs;

    while (o > 0 && 3 * filter->first[o - 1] + reach > 3 * filter->inputs)
        o--;
    return o;
}

ALWAYS_INLINE void columns_of(const tomevit_filter *filter, size_t groups,
                              const uint8_t *rgb, uint8_t *out)
{
    const __m128i rgb_only = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13,
                                           14, -1, -1, -1, -1);
    size_t o = 0, end = vector_outputs(filter);

    for (; o + 4 <= end; o += 4) {
        const size_t *first = filter->first + o;
        const int16_t *split = filter->split + o * groups * 32;
        __m128i a = pixel(rgb + 3 * first[0], split, groups);
        __m128i b = pixel(rgb + 3 * first[1], split + groups * 32, groups);
        __m128i c = pixel(rgb + 3 * first[2], split + groups * 64, groups);
        __m128i d = pixel(rgb + 3 * first[3], split + groups * 96, groups);
        __m128i packed = _mm_packus_epi16(_mm_packs_epi32(a, b),
                                          _mm_packs_epi32(c, d));

        _mm_storeu_si128((void *)(out + 3 * o),
                         _mm_shuffle_epi8(packed, rgb_only));
    }
    for (; o < filter->outputs; o++)
        tomevit_resample_pixel(filter, o, rgb, out + 3 * o);
}

static void columns(const tomevit_filter *filter, const uint8_t *rgb,
                    uint8_t *out)
{
    switch (filter->groups) {
    case 1: columns_of(filter, 1, rgb, out); break;
    case 2: columns_of(filter, 2, rgb, out); break;
    case 3: columns_of(filter, 3, rgb, out); break;
    case 4: columns_of(filter, 4, rgb, out); break;
    default: columns_of(filter, filter->groups, rgb, out);
    }
}

/* The weights of two taps, to all places. */
static inline __m256i pair(const int16_t *two)
{
    int32_t both;

    memcpy(&both, two, sizeof both);
    return _mm256_set1_epi32(both);
}

/* 32 bytes from `at` on; unpacking within lanes and packing undo each other. */
static inline __m256i block(const uint8_t *const *row, const int16_t *split,
                            size_t count, size_t at)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i high[4] = { zero, zero, zero, zero };
    __m256i low[4] = { zero, zero, zero, zero };

    for (size_t t = 0; t < count; t += 2, split += 4) {
        /* The partner of an odd last row has no weight. */
        const uint8_t *second = row[t + 1 < count ? t + 1 : t];
        __m256i a = _mm256_loadu_si256((const void *)(row[t] + at));
        __m256i b = _mm256_loadu_si256((const void *)(second + at));
        __m256i ab = _mm256_unpacklo_epi8(a, b);
        __m256i cd = _mm256_unpackhi_epi8(a, b);
        __m256i taps[4] = {
            _mm256_unpacklo_epi8(ab, zero), _mm256_unpackhi_epi8(ab, zero),
            _mm256_unpacklo_epi8(cd, zero), _mm256_unpackhi_epi8(cd, zero),
        };
        __m256i h = pair(split), l = pair(split + 2);

        for (size_t i = 0; i < 4; i++) {
            high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(taps[i], h));
            low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(taps[i], l));
        }
    }
    for (size_t i = 0; i < 4; i++)
        low[i] = _mm256_srai_epi32(
            _mm256_add_epi32(join(high[i], low[i]),
                             _mm256_set1_epi32(RESAMPLE_HALF)),
            RESAMPLE_BITS);
    return _mm256_packus_epi16(_mm256_packs_epi32(low[0], low[1]),
                               _mm256_packs_epi32(low[2], low[3]));
}

static void rows(const tomevit_filter *filter, size_t output,
                 const uint8_t *const *row, size_t bytes, uint8_t *out)
{
    const int16_t *split = filter->split + output * filter->groups * 4;
    size_t count = filter->count[output], at = 0;
    uint8_t last[32];

    for (; at + 32 <= bytes; at += 32)
        _mm256_storeu_si256((void *)(out + at), block(row, split, count, at));
    if (at < bytes) {
        _mm256_storeu_si256((void *)last, block(row, split, count, at));
        memcpy(out + at, last, bytes - at);
    }
}

const tomevit_resample_kernels tomevit_resample_avx2 = {
    .split = 1,
    .columns = columns,
    .rows = rows,
};
