/* SPDX-License-Identifier: MIT */
/*
 * AMX and AVX512-BF16 in plain C, as the manuals define them [Intel SDM 2,
 * TDPBF16PS, TDPBSSD, VDPBF16PS, VCVTNE2PS2BF16]. A file of tests/ includes
 * this and then a tier's own source, which so becomes a second table that runs
 * on any machine with AVX-512: what is proved of it holds for the tier, but for
 * what the instructions themselves do; tests/test_hardware.c compares those.
 *
 * Tile registers belong to the thread; using one that is not configured, or
 * leaving them configured behind, is caught.
 */
#ifndef TOMERGE_TESTS_EMULATED_H
#define TOMERGE_TESTS_EMULATED_H

#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct emulated_tile {
    uint8_t rows;
    uint16_t row_bytes;
    uint8_t data[16][64];
} emulated_tile;

static _Thread_local emulated_tile emulated_tiles[8];

/* A tile in use, or the end of the test. */
static inline emulated_tile *emulated_at(int index)
{
    if (!emulated_tiles[index].rows)
        abort();
    return &emulated_tiles[index];
}

static inline void emulated_loadconfig(const void *from)
{
    const uint8_t *bytes = from;

    if (bytes[0] != 1)
        abort();
    for (int i = 0; i < 8; i++) {
        emulated_tile *t = &emulated_tiles[i];

        memset(t, 0, sizeof(*t));
        memcpy(&t->row_bytes, bytes + 16 + 2 * i, 2);
        t->rows = bytes[48 + i];
        if (t->rows > 16 || t->row_bytes > 64)
            abort();
    }
}

static inline void emulated_release(void)
{
    emulated_at(0);
    memset(emulated_tiles, 0, sizeof(emulated_tiles));
}

static inline void emulated_zero(int index)
{
    emulated_tile *t = emulated_at(index);

    memset(t->data, 0, sizeof(t->data));
}

static inline void emulated_loadd(int index, const void *base, size_t stride)
{
    emulated_tile *t = emulated_at(index);

    memset(t->data, 0, sizeof(t->data));
    for (size_t r = 0; r < t->rows; r++)
        memcpy(t->data[r], (const uint8_t *)base + r * stride, t->row_bytes);
}

static inline void emulated_stored(int index, void *base, size_t stride)
{
    const emulated_tile *t = emulated_at(index);

    for (size_t r = 0; r < t->rows; r++)
        memcpy((uint8_t *)base + r * stride, t->data[r], t->row_bytes);
}

static inline void emulated_dpbssd(int c, int a, int b)
{
    emulated_tile *tc = emulated_at(c);
    const emulated_tile *ta = emulated_at(a), *tb = emulated_at(b);

    for (size_t m = 0; m < tc->rows; m++) {
        for (size_t n = 0; n < tc->row_bytes / 4u; n++) {
            int32_t sum;

            memcpy(&sum, tc->data[m] + 4 * n, 4);
            for (size_t k = 0; k < ta->row_bytes; k++)
                sum += (int8_t)ta->data[m][k] *
                       (int8_t)tb->data[k / 4][4 * n + k % 4];
            memcpy(tc->data[m] + 4 * n, &sum, 4);
        }
    }
}

/* A subnormal number counts as a zero of its sign. */
static inline float emulated_flushed(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof(bits));
    if (!(bits & 0x7f800000))
        bits &= 0x80000000;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static inline float emulated_bf16(const void *from)
{
    uint16_t half;
    uint32_t bits;
    float x;

    memcpy(&half, from, sizeof(half));
    bits = (uint32_t)half << 16;
    memcpy(&x, &bits, sizeof(x));
    return emulated_flushed(x);
}

/* sum + a b of one pair: the odd product first. */
static inline float emulated_pair(float sum, const void *a, const void *b)
{
    const uint8_t *x = a, *y = b;

    sum = emulated_flushed(__builtin_fmaf(emulated_bf16(x + 2),
                                          emulated_bf16(y + 2),
                                          emulated_flushed(sum)));
    return emulated_flushed(__builtin_fmaf(emulated_bf16(x), emulated_bf16(y),
                                           sum));
}

/* Even and odd products are summed apart, then added. */
static inline void emulated_dpbf16ps_tile(int c, int a, int b)
{
    emulated_tile *tc = emulated_at(c);
    const emulated_tile *ta = emulated_at(a), *tb = emulated_at(b);

    for (size_t m = 0; m < tc->rows; m++) {
        for (size_t n = 0; n < tc->row_bytes / 4u; n++) {
            float sum, parts[2] = {0.0f, 0.0f};

            for (size_t k = 0; k < ta->row_bytes / 2u; k++)
                parts[k % 2] = emulated_flushed(__builtin_fmaf(
                    emulated_bf16(ta->data[m] + 2 * k),
                    emulated_bf16(tb->data[k / 2] + 4 * n + k % 2 * 2),
                    parts[k % 2]));
            memcpy(&sum, tc->data[m] + 4 * n, 4);
            sum = emulated_flushed(emulated_flushed(sum) +
                                   emulated_flushed(parts[0] + parts[1]));
            memcpy(tc->data[m] + 4 * n, &sum, 4);
        }
    }
}

/* To the nearest, ties to even; what is not a number to a quiet one. */
static inline uint16_t emulated_rounded(float x)
{
    uint32_t bits;

    x = emulated_flushed(x);
    memcpy(&bits, &x, sizeof(bits));
    if (x != x)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

__attribute__((noinline, unused))
static __m512i emulated_cvtne2ps(__m512 high, __m512 low)
{
    float x[32];
    uint16_t halves[32];

    _mm512_storeu_ps(x, low);
    _mm512_storeu_ps(x + 16, high);
    for (size_t i = 0; i < 32; i++)
        halves[i] = emulated_rounded(x[i]);
    return _mm512_loadu_si512(halves);
}

/* Not inline: a tile has hundreds of them, and a compiler takes minutes. */
__attribute__((noinline, unused))
static __m512 emulated_dpbf16ps(__m512 sums, __m512i a, __m512i b)
{
    float s[16];
    uint32_t x[16], y[16];

    _mm512_storeu_ps(s, sums);
    _mm512_storeu_si512(x, a);
    _mm512_storeu_si512(y, b);
    for (size_t i = 0; i < 16; i++)
        s[i] = emulated_pair(s[i], &x[i], &y[i]);
    return _mm512_loadu_ps(s);
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stream_loadd
#undef _tile_stored
#undef _tile_dpbssd
#undef _tile_dpbf16ps
#define _tile_loadconfig emulated_loadconfig
#define _tile_release emulated_release
#define _tile_zero emulated_zero
#define _tile_loadd emulated_loadd
#define _tile_stream_loadd emulated_loadd
#define _tile_stored emulated_stored
#define _tile_dpbssd emulated_dpbssd
#define _tile_dpbf16ps emulated_dpbf16ps_tile
#define __m512bh __m512i
#define _mm512_dpbf16_ps emulated_dpbf16ps
#define _mm512_cvtne2ps_pbh emulated_cvtne2ps

#endif
