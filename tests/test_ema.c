/* SPDX-License-Identifier: MIT */
/* Moving averages along a sequence, over rows as they are and merged. */
#include "config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "golden.h"
#include "../vit/kernels/ema.h"

enum { CHANNELS = 8, STATES = 16, TOKENS = 40, ROWS = 20, WIDE = 16 };

/* $TOMERGE_SHARED/golden-other, or the test is skipped. */
static const char *folder_of_others(void)
{
    static char folder[1024];
    const char *shared = getenv("TOMERGE_SHARED");
    FILE *file;

    snprintf(folder, sizeof(folder), "%s/golden-other/ema.safetensors",
             shared ? shared : "../shared");
    file = fopen(folder, "r");
    if (!file)
        cr_skip_test("no golden-other: set TOMERGE_SHARED");
    fclose(file);
    snprintf(folder, sizeof(folder), "%s/golden-other",
             shared ? shared : "../shared");
    return folder;
}

static void widen(const float *x, size_t rows, float *wide)
{
    for (size_t i = 0; i < rows * WIDE; i++)
        wide[i] = i % WIDE < CHANNELS ? x[i / WIDE * CHANNELS + i % WIDE]
                                      : NAN;
}

/* The golden results have the rows' own share and, where states are real, SiLU
 * behind; both are checked as they come. */
static void compare(const char *what, size_t rows, const float *x,
                    const float *y, const float *omega, int silu,
                    const float *expected)
{
    float most = 0.0f;

    for (size_t i = 0; i < rows * CHANNELS; i++)
        most = fmaxf(most, fabsf(expected[i]));
    for (size_t i = 0; i < rows * CHANNELS; i++) {
        size_t at = i / CHANNELS * WIDE + i % CHANNELS;
        float v = y[at] + omega[i % CHANNELS] * x[at];

        v = silu ? v / (1.0f + expf(-v)) : v;
        cr_assert(fabsf(v - expected[i]) <= 1e-5f * most,
                  "%s: %zu is %.8g, not %.8g", what, i, (double)v,
                  (double)expected[i]);
    }
}

static void check(const char *name, int turning)
{
    static const char *const ways[] = {"unmerge", "place", "steps", "rows"};
    golden_file *f = golden_open(folder_of_others(), name);
    const size_t own = 2 * CHANNELS * STATES;
    vit_ema_source from = {
        CHANNELS, STATES, turning, golden_f32(f, "model.alpha", own),
        golden_f32(f, "model.delta", own),
        turning ? golden_f32(f, "model.theta", 2 * CHANNELS)
                : golden_f32(f, "model.beta", own),
        golden_f32(f, "model.gamma", turning ? 2 * own : own),
    };
    const float *omega = golden_f32(f, "model.omega", CHANNELS);
    const float *size = golden_f32(f, "in.sizes", ROWS);
    const int32_t *trace = golden_i32(f, "in.map", TOKENS);
    const int32_t *place = golden_i32(f, "in.places", ROWS);
    float *c = malloc(tomevit_ema_length(CHANNELS, STATES, turning) *
                      sizeof(*c));
    float x[TOKENS * WIDE], y[TOKENS * WIDE], count[TOKENS];
    int32_t row[TOKENS];
    vit_ema_order order;

    tomevit_ema_pack(&from, c);
    widen(golden_f32(f, "in.x", TOKENS * CHANNELS), TOKENS, x);
    order = tomevit_ema_order(VIT_EMA_ROWS, TOKENS, TOKENS, NULL, NULL, NULL,
                              row);
    tomevit_ema(c, CHANNELS, STATES, turning, 0, &order, TOKENS, x, WIDE, y,
                WIDE, count);
    compare(name, TOKENS, x, y, omega, !turning,
            golden_f32(f, "out.y", TOKENS * CHANNELS));
    widen(golden_f32(f, "in.rows", ROWS * CHANNELS), ROWS, x);
    for (int how = VIT_EMA_UNMERGE; how <= VIT_EMA_ROWS; how++) {
        char key[64];

        snprintf(key, sizeof(key), "out.y_merged_%s", ways[how]);
        order = tomevit_ema_order(how, TOKENS, ROWS, trace, place, size, row);
        tomevit_ema(c, CHANNELS, STATES, turning, 0, &order, ROWS, x, WIDE, y,
                    WIDE, count);
        compare(key, ROWS, x, y, omega, !turning,
                golden_f32(f, key, ROWS * CHANNELS));
    }
    free(c);
    golden_close(f);
}

Test(ema, of_real_states_as_mega_has_it)
{
    check("ema.safetensors", 0);
}

Test(ema, of_complex_states_as_megalodon_has_it)
{
    check("cema.safetensors", 1);
}
