/* SPDX-License-Identifier: MIT */
/* Moving averages along a sequence, over rows as they are and merged; norms
 * over its rows; Laplace's function. */
#include "config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "tomerge.h"
#include "../vit/kernels/dsp.h"
#include "../vit/kernels/ema.h"
#include "../vit/kernels/group_norm.h"
#include "../vit/kernels/laplace.h"

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
    tomevit_ema(&tomevit_dsp_scalar, c, CHANNELS, STATES, turning, 0, &order,
                TOKENS, x, WIDE, y, WIDE, count);
    compare(name, TOKENS, x, y, omega, !turning,
            golden_f32(f, "out.y", TOKENS * CHANNELS));
    widen(golden_f32(f, "in.rows", ROWS * CHANNELS), ROWS, x);
    for (int how = VIT_EMA_UNMERGE; how <= VIT_EMA_ROWS; how++) {
        char key[64];

        snprintf(key, sizeof(key), "out.y_merged_%s", ways[how]);
        order = tomevit_ema_order(how, TOKENS, ROWS, trace, place, size, row);
        tomevit_ema(&tomevit_dsp_scalar, c, CHANNELS, STATES, turning, 0,
                    &order, ROWS, x, WIDE, y, WIDE, count);
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

/* ---- norms --------------------------------------------------------------- */

enum { BATCH = 2, NORMED = 19, NORM_CHANNELS = 24, NORM_GROUPS = 4 };

enum { NORM_FLOATS = BATCH * NORMED * NORM_CHANNELS };

static void near(const char *what, const float *y, const float *expected,
                 size_t n)
{
    float most = 0.0f;

    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(expected[i]));
    for (size_t i = 0; i < n; i++)
        cr_assert(fabsf(y[i] - expected[i]) <= 1e-5f * most,
                  "%s: %zu is %.8g, not %.8g", what, i, (double)y[i],
                  (double)expected[i]);
}

/* Weights of the golden norms, which are stored less one. */
static void read_weights(golden_file *f, const char *name, float *weight)
{
    memcpy(weight, golden_f32(f, name, NORM_CHANNELS),
           NORM_CHANNELS * sizeof(*weight));
    for (size_t j = 0; j < NORM_CHANNELS; j++)
        weight[j] += 1.0f;
}

Test(norms, of_groups_over_all_rows_and_by_their_sizes)
{
    golden_file *f = golden_open(folder_of_others(), "norms.safetensors");
    float weight[NORM_CHANNELS], y[NORM_FLOATS];
    const float *x = golden_f32(f, "in.x", NORM_FLOATS);
    const float *size = golden_f32(f, "in.sizes", BATCH * NORMED);
    double sums[2 * NORM_CHANNELS];
    vit_groups g = {NORM_CHANNELS, NORM_GROUPS, weight,
                    golden_f32(f, "model.group.bias", NORM_CHANNELS), 1e-5f};

    read_weights(f, "model.group.weight", weight);
    for (int sized = 0; sized < 2; sized++) {
        const char *key = sized ? "out.group_sized" : "out.group";

        for (size_t b = 0; b < BATCH; b++)
            tomevit_group_norm(&g, NORMED, sized ? size + b * NORMED : NULL,
                               x + b * NORMED * NORM_CHANNELS, NORM_CHANNELS,
                               y + b * NORMED * NORM_CHANNELS, NORM_CHANNELS,
                               sums);
        near(key, y, golden_f32(f, key, NORM_FLOATS), NORM_FLOATS);
    }
    golden_close(f);
}

/* In one piece, and in pieces of a few rows with what is carried on. */
Test(norms, of_groups_over_the_past_in_any_pieces)
{
    golden_file *f = golden_open(folder_of_others(), "norms.safetensors");
    float weight[NORM_CHANNELS], y[NORM_FLOATS];
    const float *x = golden_f32(f, "in.x", NORM_FLOATS);
    double mean[NORM_GROUPS], variance[NORM_GROUPS];
    vit_groups g = {NORM_CHANNELS, NORM_GROUPS, weight,
                    golden_f32(f, "model.timestep.bias", NORM_CHANNELS),
                    1e-5f};

    read_weights(f, "model.timestep.weight", weight);
    for (size_t piece = NORMED; piece > 0; piece--) {
        for (size_t b = 0; b < BATCH; b++) {
            vit_past past = {0, mean, variance};

            for (size_t i = 0; i < NORMED; i += piece) {
                size_t at = (b * NORMED + i) * NORM_CHANNELS;

                tomevit_timestep_norm(&g, NORMED - i < piece ? NORMED - i
                                                             : piece,
                                      x + at, NORM_CHANNELS, y + at,
                                      NORM_CHANNELS, &past);
            }
        }
        near("timestep", y, golden_f32(f, "out.timestep", NORM_FLOATS),
             NORM_FLOATS);
    }
    golden_close(f);
}

Test(norms, of_a_row_by_its_squares_and_laplaces_function)
{
    golden_file *f = golden_open(folder_of_others(), "norms.safetensors");
    float weight[NORM_CHANNELS], y[NORM_FLOATS];
    const float *x = golden_f32(f, "in.x", NORM_FLOATS);
    const float *scores = golden_f32(f, "in.scores", 121);

    read_weights(f, "model.rms.weight", weight);
    for (size_t tier = 0;; tier++) {
        uint32_t needs;
        const vit_dsp *dsp = tomevit_dsp_tier(tier, &needs);

        if (!dsp)
            break;
        if (needs & ~tomerge_cpu_flags())
            continue;
        for (size_t i = 0; i < BATCH * NORMED; i++)
            dsp->rms_norm(NORM_CHANNELS, x + i * NORM_CHANNELS, weight, 1e-5f,
                          y + i * NORM_CHANNELS);
        near(dsp->name, y, golden_f32(f, "out.rms", NORM_FLOATS), NORM_FLOATS);
    }
    for (size_t i = 0; i < 121; i++)
        y[i] = tomevit_laplace(scores[i]);
    near("laplace", y, golden_f32(f, "out.laplace", 121), 121);
    golden_close(f);
}
