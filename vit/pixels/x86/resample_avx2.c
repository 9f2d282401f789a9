/* SPDX-License-Identifier: MIT */
/*
 * Resampling with AVX2. A weight is two digits of 16 bits, so that one
 * instruction multiplies and adds pairs of taps; the two sums are put
 * together at the end. All in whole numbers modulo 2^32, and the whole sum
 * fits in 31 bits: the bytes are the scalar kernels'.
 */
#include <immintrin.h>
#include <string.h>

#include "../resample.h"

enum { DIGITS = 2 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* One sum for each digit. */
typedef struct sums {
    __m256i low, high;
} sums;

static inline sums no_sums(void)
{
    sums s = { _mm256_set1_epi32(RESAMPLE_HALF), _mm256_setzero_si256() };

    return s;
}

/* `taps` are two in every word. */
ALWAYS_INLINE void add_pair(__m256i taps, const uint32_t *digits, sums *s)
{
    s->low = _mm256_add_epi32(s->low, _mm256_madd_epi16(
        taps, _mm256_set1_epi32((int32_t)digits[0])));
    s->high = _mm256_add_epi32(s->high, _mm256_madd_epi16(
        taps, _mm256_set1_epi32((int32_t)digits[1])));
}

static inline __m256i value(const sums *s)
{
    return _mm256_srai_epi32(
        _mm256_add_epi32(_mm256_slli_epi32(s->high, 16), s->low),
        RESAMPLE_BITS);
}

ALWAYS_INLINE void add_pixels(const uint8_t *const *rgb, size_t at,
                              const uint32_t *digits, sums *s)
{
    const __m256i front = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i back = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    __m256i both = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const void *)(rgb[0] + at))),
        _mm_loadu_si128((const void *)(rgb[1] + at)), 1);

    add_pair(_mm256_shuffle_epi8(both, front), digits, s);
    add_pair(_mm256_shuffle_epi8(both, back), digits + DIGITS, s);
}

/* One output of two rows: in each lane red, green, blue and nothing. The
 * first groups are spelled out so that a constant `groups` leaves no loop. */
ALWAYS_INLINE __m256i pixel(const uint8_t *const *rgb, size_t at,
                            const uint32_t *digits, size_t groups)
{
    sums s = no_sums();

    add_pixels(rgb, at, digits, &s);
    if (groups > 1)
        add_pixels(rgb, at + 12, digits + 2 * DIGITS, &s);
    if (groups > 2)
        add_pixels(rgb, at + 24, digits + 4 * DIGITS, &s);
    for (size_t g = 3; g < groups; g++)
        add_pixels(rgb, at + 12 * g, digits + g * 2 * DIGITS, &s);
    return value(&s);
}

ALWAYS_INLINE void columns_of(const tomevit_filter *filter, size_t groups,
                              const uint8_t *const *rgb, size_t end,
                              uint8_t *const *out)
{
    const __m256i rgb_only = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    size_t step = 2 * DIGITS * groups;

    for (size_t o = 0; o < end; o += 4) {
        const size_t *first = filter->first + o;
        const uint32_t *digits = filter->digits + o * step;
        __m256i a = pixel(rgb, 3 * first[0], digits, groups);
        __m256i b = pixel(rgb, 3 * first[1], digits + step, groups);
        __m256i c = pixel(rgb, 3 * first[2], digits + 2 * step, groups);
        __m256i d = pixel(rgb, 3 * first[3], digits + 3 * step, groups);
        __m256i packed = _mm256_shuffle_epi8(
            _mm256_packus_epi16(_mm256_packs_epi32(a, b),
                                _mm256_packs_epi32(c, d)), rgb_only);

        _mm_storeu_si128((void *)(out[0] + 3 * o),
                         _mm256_castsi256_si128(packed));
        _mm_storeu_si128((void *)(out[1] + 3 * o),
                         _mm256_extracti128_si256(packed, 1));
    }
}

static void columns(const tomevit_filter *filter, const uint8_t *const *rgb,
                    size_t readable, uint8_t *const *out)
{
    size_t end = tomevit_resample_within(filter, 16, readable) / 4 * 4;

    for (size_t r = 0; r < RESAMPLE_ROWS; r += 2)
        switch (filter->groups) {
        case 1: columns_of(filter, 1, rgb + r, end, out + r); break;
        case 2: columns_of(filter, 2, rgb + r, end, out + r); break;
        case 3: columns_of(filter, 3, rgb + r, end, out + r); break;
        default: columns_of(filter, filter->groups, rgb + r, end, out + r);
        }
    tomevit_resample_rest(filter, end, rgb, out);
}

/* 32 bytes, or the `left` that there are: a row may end where memory does. */
static inline __m256i load(const uint8_t *from, size_t left)
{
    uint8_t bytes[32] = { 0 };

    if (left >= sizeof(bytes))
        return _mm256_loadu_si256((const void *)from);
    memcpy(bytes, from, left);
    return _mm256_loadu_si256((const void *)bytes);
}

/* The bytes from `at` on, of which there are `left`; unpacking within lanes and
 * packing undo each other. */
static inline __m256i block(const uint8_t *const *row, const uint32_t *digits,
                            size_t count, size_t at, size_t left)
{
    const __m256i zero = _mm256_setzero_si256();
    sums s[4] = { no_sums(), no_sums(), no_sums(), no_sums() };

    for (size_t t = 0; t < count; t += 2, digits += DIGITS) {
        /* The partner of an odd last row has no weight. */
        const uint8_t *second = row[t + 1 < count ? t + 1 : t];
        __m256i a = load(row[t] + at, left);
        __m256i b = load(second + at, left);
        __m256i ab = _mm256_unpacklo_epi8(a, b);
        __m256i cd = _mm256_unpackhi_epi8(a, b);

        add_pair(_mm256_unpacklo_epi8(ab, zero), digits, &s[0]);
        add_pair(_mm256_unpackhi_epi8(ab, zero), digits, &s[1]);
        add_pair(_mm256_unpacklo_epi8(cd, zero), digits, &s[2]);
        add_pair(_mm256_unpackhi_epi8(cd, zero), digits, &s[3]);
    }
    return _mm256_packus_epi16(_mm256_packs_epi32(value(&s[0]), value(&s[1])),
                               _mm256_packs_epi32(value(&s[2]), value(&s[3])));
}

static void rows(const tomevit_filter *filter, size_t output,
                 const uint8_t *const *row, size_t bytes, uint8_t *out)
{
    const uint32_t *digits = filter->digits
                             + output * filter->groups * 2 * DIGITS;
    size_t count = filter->count[output], at = 0;
    uint8_t last[32];

    for (; at + 32 <= bytes; at += 32)
        _mm256_storeu_si256((void *)(out + at),
                            block(row, digits, count, at, sizeof(last)));
    if (at < bytes) {
        _mm256_storeu_si256((void *)last,
                            block(row, digits, count, at, bytes - at));
        memcpy(out + at, last, bytes - at);
    }
}

const tomevit_resample_kernels tomevit_resample_avx2 = {
    .name = "avx2",
    .bits = 16,
    .digits = DIGITS,
    .columns = columns,
    .rows = rows,
};
