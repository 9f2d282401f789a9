/* SPDX-License-Identifier: MIT */
/* The scalar kernels in bf16 and int8, which say what every other tier must
 * compute, and the choice of a tier. */
#include "config.h"

#include "low.h"
#include "../base/numeric.h"
#include "tomevit.h"

#include <float.h>
#include <math.h>

enum { MR = 4, NR = 32, WORDS_OF_CHUNK = VIT_CHUNK / 4 };

/* ---- bf16 ---------------------------------------------------------------- */

static uint32_t bf16_pair(float even, float odd)
{
    return vit_bf16_from_f32(even) | (uint32_t)vit_bf16_from_f32(odd) << 16;
}

static void words_bf16(size_t k, const float *x, float unused, uint32_t *out)
{
    (void)unused;
    for (size_t p = 0; p < k; p += 2)
        out[p / 2] = bf16_pair(x[p], p + 1 < k ? x[p + 1] : 0.0f);
}

static void interleave(size_t n, const float *even, const float *odd,
                       uint32_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = bf16_pair(even[i], odd ? odd[i] : 0.0f);
}

static vit_quant narrow_bf16(size_t k, const float *x, unsigned char *out,
                             size_t step)
{
    enum { CHUNK = 2 * WORDS_OF_CHUNK };

    for (size_t p = 0; p < k; p += CHUNK, out += step) {
        uint32_t chunk[WORDS_OF_CHUNK] = {0};

        words_bf16(k - p < CHUNK ? k - p : CHUNK, x + p, 1.0f, chunk);
        memcpy(out, chunk, sizeof(chunk));
    }
    return (vit_quant){1.0f, 0.0f};
}

static float low_half(uint32_t word)
{
    return vit_f32_from_bits((word & 0xffff) << 16);
}

static float high_half(uint32_t word)
{
    return vit_f32_from_bits(word & 0xffff0000);
}

static void tile_bf16(const vit_low_tile *t)
{
    for (size_t i = 0; i < t->rows; i++) {
        float sum[NR];

        for (size_t j = 0; j < NR; j++)
            sum[j] = t->add ? t->c[i * t->ldc + j] : 0.0f;
        for (size_t p = 0; p < t->words; p++) {
            uint32_t a;

            memcpy(&a, t->a + i * t->lda + p * sizeof(a), sizeof(a));
            for (size_t j = 0; j < NR; j++) {
                sum[j] += low_half(a) * low_half(t->b[p * NR + j]);
                sum[j] += high_half(a) * high_half(t->b[p * NR + j]);
            }
        }
        for (size_t j = 0; j < NR; j++)
            t->c[i * t->ldc + j] = sum[j];
    }
}

/* ---- int8 ---------------------------------------------------------------- */

float tomevit_int8_scale(float peak, float *inverse)
{
    *inverse = 0.0f;
    if (!(peak <= FLT_MAX))
        return NAN;
    if (peak < 0x1p-100f)
        return 0.0f;
    *inverse = 127.0f / peak;
    return peak / 127.0f;
}

/* The peak is that of differences as they will be rounded: a zero point
 * that had to be rounded leaves none above it. */
vit_quant tomevit_int8_quant(float low, float high, float *inverse)
{
    float zero = 0.5f * low + 0.5f * high;
    float above = high - zero, below = zero - low;

    return (vit_quant){
        tomevit_int8_scale(above < below ? below : above, inverse), zero,
    };
}

float tomevit_peak(size_t k, const float *x)
{
    uint32_t most = 0;

    for (size_t i = 0; i < k; i++) {
        uint32_t bits = vit_f32_bits(x[i]) & 0x7fffffff;

        most = bits > most ? bits : most;
    }
    return vit_f32_from_bits(most);
}

/* -127 .. 127, as the low bits of a word; to the nearest, ties to even. */
static uint32_t quantised(float x, float inverse)
{
    return inverse > 0.0f ? (uint32_t)lrintf(x * inverse) : 0;
}

float tomevit_int8_round(size_t k, float *x)
{
    float inverse, scale = tomevit_int8_scale(tomevit_peak(k, x), &inverse);

    for (size_t i = 0; i < k; i++)
        x[i] = (float)(int32_t)quantised(x[i], inverse);
    return scale;
}

static void words_int8(size_t per_word, size_t k, const float *x,
                       float inverse, uint32_t *out)
{
    size_t bits = 32 / per_word;
    uint32_t mask = (UINT32_C(1) << bits) - 1;

    for (size_t p = 0; p < k; p += per_word) {
        uint32_t word = 0;

        for (size_t i = 0; i < per_word && p + i < k; i++)
            word |= (quantised(x[p + i], inverse) & mask) << i * bits;
        out[p / per_word] = word;
    }
}

void tomevit_words_s8(size_t k, const float *x, float inverse, uint32_t *out)
{
    words_int8(4, k, x, inverse, out);
}

void tomevit_words_s16(size_t k, const float *x, float inverse, uint32_t *out)
{
    words_int8(2, k, x, inverse, out);
}

/* The smallest and largest element; NaN, both, if one is not finite. */
static void extremes(size_t k, const float *x, float *low, float *high)
{
    *low = *high = x[0];
    for (size_t i = 0; i < k; i++) {
        *low = x[i] < *low ? x[i] : *low;
        *high = x[i] > *high ? x[i] : *high;
        if (!(fabsf(x[i]) <= FLT_MAX)) {
            *low = *high = NAN;
            return;
        }
    }
}

static vit_quant narrow_int8(size_t k, const float *x, unsigned char *out,
                             size_t step)
{
    float low, high, inverse;
    vit_quant quant;

    extremes(k, x, &low, &high);
    quant = tomevit_int8_quant(low, high, &inverse);
    for (size_t p = 0; p < k; p += VIT_CHUNK, out += step) {
        uint32_t chunk[WORDS_OF_CHUNK] = {0};
        float centred[VIT_CHUNK];
        size_t count = k - p < VIT_CHUNK ? k - p : VIT_CHUNK;

        for (size_t i = 0; i < count; i++)
            centred[i] = x[p + i] - quant.zero_point;
        tomevit_words_s8(count, centred, inverse, chunk);
        memcpy(out, chunk, sizeof(chunk));
    }
    return quant;
}

/* Words of four products whose sums f32 holds exactly: 2^10 x 2^14 at most. */
enum { EXACT_WORDS = 256 };

/* sum[NR] += one row times a panel. Whole numbers, in f32 as compilers know no
 * vectors for products of bytes. */
TM_WRAPS
static void add_words(size_t words, const unsigned char *a, const uint32_t *b,
                      int32_t *sum)
{
    float part[NR] = {0};

    for (size_t p = 0; p < words; p++, b += NR) {
        uint32_t word;

        memcpy(&word, a + p * sizeof(word), sizeof(word));
        for (int shift = 24; shift >= 0; shift -= 8) {
            float x = (float)((int32_t)(word << shift) >> 24);

            for (size_t j = 0; j < NR; j++)
                part[j] += x * (float)((int32_t)(b[j] << shift) >> 24);
        }
    }
    for (size_t j = 0; j < NR; j++)
        sum[j] += (int32_t)part[j];
}

static void tile_int8(const vit_low_tile *t)
{
    for (size_t i = 0; i < t->rows; i++) {
        const unsigned char *a = t->a + i * t->lda;
        int32_t sum[NR] = {0};

        for (size_t p = 0; p < t->words; p += EXACT_WORDS)
            add_words(t->words - p < EXACT_WORDS ? t->words - p : EXACT_WORDS,
                      a + p * sizeof(*t->b), t->b + p * NR, sum);
        for (size_t j = 0; j < NR; j++)
            t->c[i * t->ldc + j] =
                (float)sum[j] * (t->quants[i].scale * t->column_scale[j]) +
                t->quants[i].zero_point * t->column_sum[j];
    }
}

/* ---- tables -------------------------------------------------------------- */

void tomevit_transpose_words(size_t rows, size_t words, const uint32_t *x,
                             size_t ldx, size_t width, uint32_t *out)
{
    for (size_t p = 0; p < words; p++)
        for (size_t i = 0; i < width; i++)
            out[p * width + i] = i < rows ? x[i * ldx + p] : 0;
}

const vit_low tomevit_bf16_scalar = {
    .name = "scalar", .dtype = TOMEVIT_BF16, .mr = MR, .nr = NR,
    .block_rows = 112, .strip = MR, .per_word = 2, .per_chunk = 32,
    .interleaved = 1, .widens = 1, .narrow = narrow_bf16, .words = words_bf16,
    .transpose = tomevit_transpose_words, .interleave = interleave,
    .tile = tile_bf16, .product = tomevit_low_blocked,
};

const vit_low tomevit_int8_scalar = {
    .name = "scalar", .dtype = TOMEVIT_INT8, .mr = MR, .nr = NR,
    .block_rows = 112, .strip = MR, .per_word = 4, .per_chunk = 64,
    .interleaved = 1, .narrow = narrow_int8, .words = tomevit_words_s8,
    .transpose = tomevit_transpose_words, .tile = tile_int8,
    .product = tomevit_low_blocked,
};

static const struct {
    const vit_low *low;
    uint32_t needs;
} tiers[] = {
    {&tomevit_bf16_scalar, 0},
    {&tomevit_int8_scalar, 0},
#ifdef HAVE_AVX2
    {&tomevit_bf16_avx2, TOMERGE_CPU_AVX2},
    {&tomevit_int8_avx2, TOMERGE_CPU_AVX2},
#endif
#ifdef HAVE_AVX512
    {&tomevit_bf16_avx512, TOMERGE_CPU_AVX512},
    {&tomevit_int8_avx512, TOMERGE_CPU_AVX512},
#endif
#ifdef HAVE_AVX512VNNI
    {&tomevit_int8_avx512vnni, TOMERGE_CPU_AVX512_VNNI},
#endif
#ifdef HAVE_AVX512BF16
    {&tomevit_bf16_avx512bf16, TOMERGE_CPU_AVX512_BF16},
#endif
#ifdef HAVE_AMXBF16
    {&tomevit_bf16_amxbf16, TOMERGE_CPU_AMX_BF16},
#endif
#ifdef HAVE_AMXINT8
    {&tomevit_int8_amxint8, TOMERGE_CPU_AMX_INT8},
#endif
#ifdef HAVE_NEON
    {&tomevit_bf16_neon, TOMERGE_CPU_NEON},
    {&tomevit_int8_neon, TOMERGE_CPU_NEON},
#endif
#ifdef HAVE_NEONDOTPROD
    {&tomevit_int8_neondotprod, TOMERGE_CPU_NEON_DOTPROD},
#endif
#ifdef HAVE_NEONI8MM
    {&tomevit_int8_neoni8mm, TOMERGE_CPU_NEON_I8MM},
#endif
#ifdef HAVE_NEONBF16
    {&tomevit_bf16_neonbf16, TOMERGE_CPU_NEON_BF16},
#endif
};
enum { TIERS = sizeof(tiers) / sizeof(tiers[0]) };

const vit_low *tomevit_low_choose(int dtype, uint32_t cpu_flags)
{
    const vit_low *best = NULL;

    for (size_t i = 0; i < TIERS; i++)
        if (tiers[i].low->dtype == dtype &&
            (cpu_flags & tiers[i].needs) == tiers[i].needs)
            best = tiers[i].low;
    return best;
}

const vit_low *tomevit_low_outer(const vit_low *low, uint32_t cpu_flags)
{
    const vit_low *bf16;

    if (!low || low->dtype == TOMEVIT_BF16)
        return low;
    bf16 = tomevit_low_choose(TOMEVIT_BF16, cpu_flags);
    return bf16->widens ? NULL : bf16;
}

const vit_low *tomevit_low_tier(size_t index, uint32_t *needs)
{
    if (index >= TIERS)
        return NULL;
    *needs = tiers[index].needs;
    return tiers[index].low;
}

const char *tomevit_tier(int dtype)
{
    uint32_t flags = tomerge_cpu_flags();
    const vit_low *low;

    if (dtype == TOMEVIT_F32)
        return tomevit_dsp_choose(flags)->name;
    low = tomevit_low_choose(dtype, flags);
    return low ? low->name : NULL;
}
