/* SPDX-License-Identifier: MIT */
/*
 * The instructions that tests/emulated.h writes in C against a machine that
 * has them: the same source on either gives the same bits, also for numbers
 * that are too small or not finite. And every loop that measures a peak runs.
 */
#include "config.h"

#include "draws.h"
#include "low_tiers.h"

#include "../bench/peak.h"
#include "tiers.h"
#include "tomevit.h"

#include <float.h>
#include <math.h>

enum { ROWS = 37, N = 45, K = 1700 };

#if defined(HAVE_AVX512BF16) || defined(HAVE_AMXBF16) || defined(HAVE_AMXINT8)
static uint32_t random_bits(uint64_t *state)
{
    return (uint32_t)(draw_64(state) >> 32);
}

/* Of all sizes; bf16 alone also gets what is not a normal number. */
static float draw(int dtype, uint64_t *state)
{
    static const float special[] = {
        0.0f, -0.0f, 1e-38f, -9e-39f, 3e-40f, 1.1754944e-38f, -FLT_MAX,
        FLT_MAX, 1e19f, -1e-19f, 1e-20f, INFINITY, -INFINITY, NAN,
    };
    uint32_t bits = random_bits(state);

    if (dtype == TOMEVIT_BF16 && bits % 64 == 0)
        return special[bits / 64 % (sizeof(special) / sizeof(special[0]))];
    return (float)(int32_t)bits * 0x1p-31f;
}

static void fill(int dtype, size_t n, float *x, uint64_t *state)
{
    for (size_t i = 0; i < n; i++)
        x[i] = draw(dtype, state);
}

/* y[ROWS, N] of the same numbers on one table. */
static void multiply(const vit_low *low, size_t k, float *y)
{
    static float x[ROWS * K], w[N * K], scale[64], sum[64], scratch[64 * 64];
    static uint32_t panels[64 * K];
    static unsigned char a[48 * (K + 64) * 4];
    int int8 = low->dtype == TOMEVIT_INT8;
    vit_quant quants[ROWS];
    uint64_t state = k;
    vit_low_product p = {
        .rows = ROWS, .n = N, .words = vit_low_words(low, k), .a = a,
        .quants = quants, .panels = panels, .column_scale = scale,
        .column_sum = sum, .y = y, .ldy = N, .scratch = scratch,
    };

    fill(low->dtype, ROWS * k, x, &state);
    fill(low->dtype, N * k, w, &state);
    memset(a, 0, sizeof(a));
    memset(panels, 0, sizeof(panels));
    tomevit_low_pack(low, N, k, w, panels, int8 ? scale : NULL,
                     int8 ? sum : NULL);
    for (size_t i = 0; i < ROWS; i++)
        quants[i] = low->narrow(
            k, x + i * k,
            a + vit_low_place(low, vit_low_chunks(low, k), i, 0),
            low->interleaved * VIT_CHUNK);
    low->product(low, &p);
}

/* NaN equals NaN: which one is nobody's business. */
static void check(const vit_low *real, const vit_low *emulated)
{
    static const size_t depths[] = {1, 2, 31, 32, 64, 65, 768, K};
    static float got[ROWS * N], want[ROWS * N];
    uint32_t mask;

    cr_assert_eq(tomerge_cpu_mask(real->name, &mask), 0);
    if ((tomevit_low_permitted(real->dtype, tomerge_cpu_detected()) & mask) !=
        mask)
        cr_skip_test("this machine has no %s", real->name);
    for (size_t d = 0; d < sizeof(depths) / sizeof(depths[0]); d++) {
        multiply(real, depths[d], got);
        multiply(emulated, depths[d], want);
        for (size_t i = 0; i < ROWS * N; i++)
            cr_assert(vit_f32_bits(got[i]) == vit_f32_bits(want[i]) ||
                      (isnan(got[i]) && isnan(want[i])),
                      "%s, depth %zu, sum %zu: %a on the machine, %a emulated",
                      real->name, depths[d], i, (double)got[i],
                      (double)want[i]);
    }
}
#endif

#ifdef HAVE_AVX512BF16
Test(hardware, avx512_bf16_gives_the_emulated_bits)
{
    check(&tomevit_bf16_avx512bf16, &emulated_bf16_avx512bf16);
}
#endif

#ifdef HAVE_AMXBF16
Test(hardware, amx_bf16_gives_the_emulated_bits)
{
    check(&tomevit_bf16_amxbf16, &emulated_bf16_amxbf16);
}
#endif

#ifdef HAVE_AMXINT8
Test(hardware, amx_int8_gives_the_emulated_bits)
{
    check(&tomevit_int8_amxint8, &emulated_int8_amxint8);
}
#endif

Test(hardware, every_peak_can_be_measured)
{
    const peak_kernel *p;

    for (unsigned i = 0; (p = peak_at(i)) != NULL; i++) {
        uint32_t mask;

        cr_assert_eq(tomerge_cpu_mask(p->tier, &mask), 0);
        if ((tomerge_cpu_detected() & mask) != mask)
            note_absent(p->tier);
        else
            cr_assert_gt(peak_measure(p->tier, p->dtype, 0.0), 0.0, "%s",
                         p->tier);
    }
}
