/* SPDX-License-Identifier: MIT */
/*
 * Resampling with VNNI. A weight is three digits of 8 bits, so that one
 * instruction multiplies four taps by one digit and adds them up; the three
 * sums are put together at the end. All in whole numbers modulo 2^32, and the
 * whole sum fits in 31 bits: the bytes are the scalar kernels'.
 */
#include <immintrin.h>

#include "../resample.h"

enum { DIGITS = 3 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* One sum for each digit. */
typedef struct sums {
    __m512i low, middle, high;
} sums;

static inline sums no_sums(void)
{
    sums s = { _mm512_set1_epi32(RESAMPLE_HALF), _mm512_setzero_si512(),
               _mm512_setzero_si512() };

    return s;
}

/* The intrinsic makes gcc 12 copy the sums. */
ALWAYS_INLINE __m512i dot(__m512i sum, __m512i taps, const uint32_t *digit)
{
    __asm__("vpdpbusd %2%{1to16%}, %1, %0"
            : "+v"(sum) : "v"(taps), "m"(*digit));
    return sum;
}

/* `taps` are four bytes in every word. */
ALWAYS_INLINE void add_group(__m512i taps, const uint32_t *digits, sums *s)
{
    s->low = dot(s->low, taps, digits);
    s->middle = dot(s->middle, taps, digits + 1);
    s->high = dot(s->high, taps, digits + 2);
}

static inline __m512i value(const sums *s)
{
    __m512i upper = _mm512_add_epi32(_mm512_slli_epi32(s->high, 8), s->middle);

    return _mm512_srai_epi32(
        _mm512_add_epi32(_mm512_slli_epi32(upper, 8), s->low), RESAMPLE_BITS);
}

/* Sixteen bytes of each row, a lane a row. */
ALWAYS_INLINE __m512i lanes(const uint8_t *const *rgb, size_t at)
{
    __m512i all = _mm512_castsi128_si512(
        _mm_loadu_si128((const void *)(rgb[0] + at)));

    all = _mm512_inserti32x4(
        all, _mm_loadu_si128((const void *)(rgb[1] + at)), 1);
    all = _mm512_inserti32x4(
        all, _mm_loadu_si128((const void *)(rgb[2] + at)), 2);
    return _mm512_inserti32x4(
        all, _mm_loadu_si128((const void *)(rgb[3] + at)), 3);
}

ALWAYS_INLINE void add_pixels(const uint8_t *const *rgb, size_t at,
                              const uint32_t *digits, sums *s)
{
    const __m512i by_colour = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1));

    add_group(_mm512_shuffle_epi8(lanes(rgb, at), by_colour), digits, s);
}

/* One output of four rows: in each lane red, green, blue and nothing. The
 * first groups are spelled out so that a constant `groups` leaves no loop. */
ALWAYS_INLINE __m512i pixel(const uint8_t *const *rgb, size_t at,
                            const uint32_t *digits, size_t groups)
{
    sums s = no_sums();

    add_pixels(rgb, at, digits, &s);
    if (groups > 1)
        add_pixels(rgb, at + 12, digits + DIGITS, &s);
    if (groups > 2)
        add_pixels(rgb, at + 24, digits + 2 * DIGITS, &s);
    for (size_t g = 3; g < groups; g++)
        add_pixels(rgb, at + 12 * g, digits + g * DIGITS, &s);
    return value(&s);
}

ALWAYS_INLINE void columns_of(const tomevit_filter *filter, size_t groups,
                              const uint8_t *const *rgb, size_t readable,
                              uint8_t *const *out)
{
    const __m512i rgb_only = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    size_t o = 0, end = tomevit_resample_within(filter, 16, readable);
    size_t step = DIGITS * groups;

    for (; o + 4 <= end; o += 4) {
        const size_t *first = filter->first + o;
        const uint32_t *digits = filter->digits + o * step;
        __m512i a = pixel(rgb, 3 * first[0], digits, groups);
        __m512i b = pixel(rgb, 3 * first[1], digits + step, groups);
        __m512i c = pixel(rgb, 3 * first[2], digits + 2 * step, groups);
        __m512i d = pixel(rgb, 3 * first[3], digits + 3 * step, groups);
        __m512i packed = _mm512_shuffle_epi8(
            _mm512_packus_epi16(_mm512_packs_epi32(a, b),
                                _mm512_packs_epi32(c, d)), rgb_only);

        _mm_storeu_si128((void *)(out[0] + 3 * o),
                         _mm512_castsi512_si128(packed));
        _mm_storeu_si128((void *)(out[1] + 3 * o),
                         _mm512_extracti32x4_epi32(packed, 1));
        _mm_storeu_si128((void *)(out[2] + 3 * o),
                         _mm512_extracti32x4_epi32(packed, 2));
        _mm_storeu_si128((void *)(out[3] + 3 * o),
                         _mm512_extracti32x4_epi32(packed, 3));
    }
    tomevit_resample_rest(filter, o, rgb, out);
}

static void columns(const tomevit_filter *filter, const uint8_t *const *rgb,
                    size_t readable, uint8_t *const *out)
{
    switch (filter->groups) {
    case 1: columns_of(filter, 1, rgb, readable, out); break;
    case 2: columns_of(filter, 2, rgb, readable, out); break;
    case 3: columns_of(filter, 3, rgb, readable, out); break;
    default: columns_of(filter, filter->groups, rgb, readable, out);
    }
}

/* 64 bytes, or the `left` that there are: a row may end where memory does. */
static inline __m512i load(const uint8_t *const *row, size_t t, size_t count,
                           size_t at, size_t left)
{
    /* What is added past the last row has no weight. */
    const uint8_t *from = row[t < count ? t : count - 1] + at;

    return left >= 64 ? _mm512_loadu_si512(from)
                      : _mm512_maskz_loadu_epi8((UINT64_C(1) << left) - 1,
                                                from);
}

/* The bytes from `at` on, of which there are `left`; unpacking within lanes and
 * packing undo each other. */
static inline __m512i block(const uint8_t *const *row, const uint32_t *digits,
                            size_t count, size_t at, size_t left)
{
    sums s[4] = { no_sums(), no_sums(), no_sums(), no_sums() };

    for (size_t t = 0; t < count; t += 4, digits += DIGITS) {
        __m512i a = load(row, t, count, at, left);
        __m512i b = load(row, t + 1, count, at, left);
        __m512i c = load(row, t + 2, count, at, left);
        __m512i d = load(row, t + 3, count, at, left);
        __m512i ab = _mm512_unpacklo_epi8(a, b),
                AB = _mm512_unpackhi_epi8(a, b);
        __m512i cd = _mm512_unpacklo_epi8(c, d),
                CD = _mm512_unpackhi_epi8(c, d);

        add_group(_mm512_unpacklo_epi16(ab, cd), digits, &s[0]);
        add_group(_mm512_unpackhi_epi16(ab, cd), digits, &s[1]);
        add_group(_mm512_unpacklo_epi16(AB, CD), digits, &s[2]);
        add_group(_mm512_unpackhi_epi16(AB, CD), digits, &s[3]);
    }
    return _mm512_packus_epi16(_mm512_packs_epi32(value(&s[0]), value(&s[1])),
                               _mm512_packs_epi32(value(&s[2]), value(&s[3])));
}

static void rows(const tomevit_filter *filter, size_t output,
                 const uint8_t *const *row, size_t bytes, uint8_t *out)
{
    const uint32_t *digits = filter->digits + output * filter->groups * DIGITS;
    size_t count = filter->count[output], at = 0;

    for (; at + 64 <= bytes; at += 64)
        _mm512_storeu_si512(out + at, block(row, digits, count, at, 64));
    if (at < bytes)
        _mm512_mask_storeu_epi8(out + at, (UINT64_C(1) << (bytes - at)) - 1,
                                block(row, digits, count, at, bytes - at));
}

const tomevit_resample_kernels tomevit_resample_avx512vnni = {
    .name = "avx512-vnni",
    .bits = 8,
    .digits = DIGITS,
    .columns = columns,
    .rows = rows,
};
