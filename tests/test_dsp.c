/* SPDX-License-Identifier: MIT */
/* The f32 kernels of every tier against the scalar ones: all tails, odd
 * strides, misaligned buffers, and guard floats around everything written. */
#include "draws.h"
#include "../vit/kernels/dsp.h"
#include "tiers.h"
#include "tomerge.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 40 };
#define CANARY 12345.678f

/* A buffer of n floats, one float off any alignment, guards on both sides. */
typedef struct guarded {
    float *all, *data;
    size_t n;
} guarded;

static guarded guarded_new(size_t n)
{
    guarded g = {malloc((n + 2 * GUARD + 1) * sizeof(float)), NULL, n};

    cr_assert(g.all);
    for (size_t i = 0; i < n + 2 * GUARD + 1; i++)
        g.all[i] = CANARY;
    g.data = g.all + GUARD + 1;
    return g;
}

static void guarded_free(guarded *g, const char *what)
{
    for (size_t i = 0; i < GUARD; i++) {
        cr_assert_eq(g->data[-1 - (ptrdiff_t)i], CANARY, "%s: wrote before",
                     what);
        cr_assert_eq(g->data[g->n + i], CANARY, "%s: wrote behind", what);
    }
    free(g->all);
}

static float uniform(uint64_t *state)
{
    return (float)(draw_64(state) >> 40) / (float)(1 << 23) - 1.0f;
}

static void fill(guarded *g, uint64_t *state, float scale)
{
    for (size_t i = 0; i < g->n; i++)
        g->data[i] = scale * uniform(state);
}

/* Small whole numbers: sums are exact, so every tier must agree to the bit. */
static void fill_whole(guarded *g, uint64_t *state)
{
    for (size_t i = 0; i < g->n; i++)
        g->data[i] = roundf(8.0f * uniform(state));
}

/* Calls `check` for every tier above scalar that this machine has. */
static void each_tier(void (*check)(const vit_dsp *))
{
    const vit_dsp *dsp;
    uint32_t needs;
    int checked = 0;

    for (size_t i = 0; (dsp = tomevit_dsp_tier(i, &needs)); i++) {
        if ((tomerge_cpu_flags() & needs) != needs) {
            note_absent(dsp->name);
            continue;
        }
        check(dsp);
        checked++;
    }
    cr_assert_geq(checked, 1);
}

/* The product itself, in double, from the same packed operands. */
static double product(const float *a, const float *b, size_t k, size_t nr,
                      size_t j, double *magnitude)
{
    double sum = 0.0;

    *magnitude = 0.0;
    for (size_t p = 0; p < k; p++) {
        sum += (double)a[p] * (double)b[p * nr + j];
        *magnitude += fabs((double)a[p] * (double)b[p * nr + j]);
    }
    return sum;
}

static void check_gemm_size(const vit_dsp *dsp, size_t rows, size_t k,
                            int whole)
{
    size_t lda = k + 3, ldc = dsp->nr + 5;
    guarded a = guarded_new(rows * lda), b = guarded_new(k * dsp->nr);
    guarded c = guarded_new((rows - 1) * ldc + dsp->nr);
    uint64_t state = rows * 1000 + k;

    for (int add = 0; add <= 1; add++) {
        if (whole) {
            fill_whole(&a, &state);
            fill_whole(&b, &state);
        } else {
            fill(&a, &state, 1.0f);
            fill(&b, &state, 1.0f);
        }
        for (size_t i = 0; i < c.n; i++)
            c.data[i] = 2.0f;
        dsp->gemm(rows, k, a.data, lda, b.data, c.data, ldc, add,
                  (vit_ahead){b.data, c.data, ldc});
        for (size_t i = 0; i < rows; i++) {
            for (size_t j = 0; j < ldc; j++) {
                double size, want = 2.0;

                if (i == rows - 1 && j >= dsp->nr)
                    break;
                if (j < dsp->nr)
                    want = (add ? 2.0 : 0.0) +
                           product(a.data + i * lda, b.data, k, dsp->nr, j,
                                   &size);
                else
                    size = 0.0; /* between the rows: untouched */
                cr_assert_leq(fabs((double)c.data[i * ldc + j] - want),
                              whole ? 0.0 : (size + 2.0) * 1e-6,
                              "%s: rows %zu k %zu add %d at %zu,%zu",
                              dsp->name, rows, k, add, i, j);
            }
        }
    }
    guarded_free(&a, "gemm a");
    guarded_free(&b, "gemm b");
    guarded_free(&c, "gemm c");
}

static void check_gemm(const vit_dsp *dsp)
{
    static const size_t depths[] = {1, 2, 3, 7, 16, 17, 64, 197};

    for (size_t rows = 1; rows <= dsp->mr; rows++)
        for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++)
            for (int whole = 0; whole <= 1; whole++)
                check_gemm_size(dsp, rows, depths[i], whole);
}

Test(dsp, gemm_every_tile)
{
    each_tier(check_gemm);
}

/* A row's bits do not depend on how many rows are computed with it. */
static void check_gemm_rows(const vit_dsp *dsp)
{
    enum { K = 131 };
    uint64_t state = 5;
    guarded a = guarded_new(dsp->mr * K), b = guarded_new(K * dsp->nr);
    guarded c = guarded_new(dsp->mr * dsp->nr), one = guarded_new(dsp->nr);

    fill(&a, &state, 1.0f);
    fill(&b, &state, 1.0f);
    for (size_t rows = 1; rows <= dsp->mr; rows++) {
        dsp->gemm(rows, K, a.data, K, b.data, c.data, dsp->nr, 0,
                  (vit_ahead){b.data, c.data, dsp->nr});
        for (size_t i = 0; i < rows; i++) {
            dsp->gemm(1, K, a.data + i * K, K, b.data, one.data, dsp->nr,
                      0, (vit_ahead){b.data, one.data, 0});
            cr_assert_eq(memcmp(one.data, c.data + i * dsp->nr,
                                dsp->nr * sizeof(float)), 0,
                         "%s: row %zu of %zu", dsp->name, i, rows);
        }
    }
    guarded_free(&a, "a"), guarded_free(&b, "b");
    guarded_free(&c, "c"), guarded_free(&one, "one");
}

Test(dsp, gemm_rows_are_independent)
{
    each_tier(check_gemm_rows);
}

static void check_finish_size(const vit_dsp *dsp, enum vit_finish how,
                              size_t rows, size_t cols)
{
    size_t ldc = dsp->nr, ldy = cols + 7;
    guarded c = guarded_new(rows * ldc), bias = guarded_new(cols);
    guarded y = guarded_new((rows - 1) * ldy + cols);
    guarded want = guarded_new(y.n);
    uint64_t state = cols;

    fill(&c, &state, 6.0f);
    fill(&bias, &state, 1.0f);
    fill(&y, &state, 1.0f);
    memcpy(want.data, y.data, y.n * sizeof(float));
    dsp->finish(how, rows, cols, c.data, ldc, bias.data, y.data, ldy);
    tomevit_dsp_scalar.finish(how, rows, cols, c.data, ldc, bias.data,
                              want.data, ldy);
    for (size_t i = 0; i < y.n; i++)
        cr_assert_float_eq(y.data[i], want.data[i],
                           how == VIT_STORE || how == VIT_ADD ? 0 : 3e-6,
                           "%s: finish %d, %zu x %zu at %zu: %.9g not %.9g",
                           dsp->name, (int)how, rows, cols, i,
                           (double)y.data[i], (double)want.data[i]);
    guarded_free(&c, "c"), guarded_free(&bias, "bias");
    guarded_free(&y, "finish y"), guarded_free(&want, "want");
}

static void check_finish(const vit_dsp *dsp)
{
    for (int how = VIT_STORE; how <= VIT_QUICK_GELU; how++)
        for (size_t cols = 1; cols <= dsp->nr; cols++)
            check_finish_size(dsp, how, cols % 3 + 1, cols);
}

Test(dsp, finish_every_tail)
{
    each_tier(check_finish);
}

/* The functions themselves, in double. */
static double sigmoid(double z)
{
    return 1.0 / (1.0 + exp(-z));
}

static double exactly(enum vit_finish how, double x)
{
    if (how == VIT_GELU)
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    if (how == VIT_QUICK_GELU)
        return x * sigmoid(1.702 * x);
    return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) *
                                 (x + 0.044715 * x * x * x)));
}

/* The bound stated with the polynomials, against libm in double; far out the
 * functions are x and 0, and stay finite. */
static void check_activation(const vit_dsp *dsp, enum vit_finish how)
{
    enum { N = 20001 };
    static const float zero[1], far[] = {88, 300, 1e10f, 3e38f};
    double worst = 0.0;
    float y;

    for (int i = 0; i < N; i++) {
        float x = ((float)i - N / 2) * 1e-3f;

        dsp->finish(how, 1, 1, &x, 1, zero, &y, 1);
        worst = fmax(worst, fabs((double)y - exactly(how, (double)x)) /
                                fmax(1.0, fabs((double)x)));
    }
    cr_log_info("%s: activation %d within %.2g * max(1, |x|)", dsp->name,
                (int)how, worst);
    cr_assert_leq(worst, 3e-7, "%s: activation %d: %.3g", dsp->name, (int)how,
                  worst);
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        float below = -far[i];

        dsp->finish(how, 1, 1, &far[i], 1, zero, &y, 1);
        cr_assert_float_eq(y / far[i], 1.0f, 1e-6f);
        dsp->finish(how, 1, 1, &below, 1, zero, &y, 1);
        cr_assert_float_eq(y / far[i], 0.0f, 1e-6f);
    }
}

static void check_activations(const vit_dsp *dsp)
{
    check_activation(dsp, VIT_GELU);
    check_activation(dsp, VIT_GELU_TANH);
    check_activation(dsp, VIT_QUICK_GELU);
}

Test(dsp, activation_bounds)
{
    each_tier(check_activations);
}

static double swish_of(double x)
{
    return x * sigmoid(x);
}

static double gelu_of(double x)
{
    return 0.5 * x * (1.0 + erf(x * 0.70710678118654752));
}

/* A kernel that multiplies by a gate, of numbers up to `most`. */
static void check_gated(const vit_dsp *dsp, const char *name,
                        void (*kernel)(size_t, const float *, const float *,
                                       float *),
                        double (*gate)(double), float most, double error)
{
    for (size_t n = 1; n <= 70; n++) {
        guarded a = guarded_new(n), b = guarded_new(n), y = guarded_new(n);
        uint64_t state = n;

        fill(&a, &state, most), fill(&b, &state, 3.0f);
        kernel(n, a.data, b.data, y.data);
        for (size_t i = 0; i < n; i++) {
            double x = (double)a.data[i];

            cr_assert_float_eq((double)y.data[i],
                               gate(x) * (double)b.data[i],
                               error * fmax(1.0, fabs(x)),
                               "%s: %s of %zu at %zu", dsp->name, name, n, i);
        }
        kernel(n, a.data, b.data, a.data);
        cr_assert_eq(memcmp(a.data, y.data, n * sizeof(float)), 0,
                     "%s: %s in place", dsp->name, name);
        guarded_free(&a, name), guarded_free(&b, name);
        guarded_free(&y, name);
    }
}

static void check_swiglu(const vit_dsp *dsp)
{
    check_gated(dsp, "swiglu", dsp->swiglu, swish_of, 20.0f, 1e-6);
}

Test(dsp, swiglu_every_tail)
{
    each_tier(check_swiglu);
}

static void check_geglu(const vit_dsp *dsp)
{
    check_gated(dsp, "geglu", dsp->geglu, gelu_of, 6.0f, 2e-6);
}

Test(dsp, geglu_every_tail)
{
    each_tier(check_geglu);
}

static double gelu_tanh_of(double x)
{
    return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) *
                                 (x + 0.044715 * x * x * x)));
}

static void check_geglu_tanh(const vit_dsp *dsp)
{
    check_gated(dsp, "geglu_tanh", dsp->geglu_tanh, gelu_tanh_of, 6.0f, 2e-6);
}

Test(dsp, geglu_tanh_every_tail)
{
    each_tier(check_geglu_tanh);
}

/* With one tap that is not there, and with none at all. */
static void check_depthwise(const vit_dsp *dsp)
{
    enum { TAPS = 9 };

    for (size_t n = 1; n <= 70; n++) {
        guarded x = guarded_new(TAPS * n), w = guarded_new(TAPS * n);
        guarded bias = guarded_new(n), y = guarded_new(n);
        const float *taps[TAPS];
        uint64_t state = n;

        fill(&x, &state, 2.0f), fill(&w, &state, 1.0f);
        fill(&bias, &state, 1.0f);
        for (size_t t = 0; t < TAPS; t++)
            taps[t] = t == n % TAPS ? NULL : x.data + t * n;
        dsp->depthwise(n, TAPS, w.data, taps, bias.data, y.data);
        for (size_t i = 0; i < n; i++) {
            double sum = (double)bias.data[i];

            for (size_t t = 0; t < TAPS; t++)
                if (taps[t])
                    sum += (double)w.data[t * n + i] * (double)taps[t][i];
            cr_assert_float_eq((double)y.data[i], gelu_of(sum),
                               4e-6 * fmax(1.0, fabs(sum)),
                               "%s: depthwise of %zu at %zu", dsp->name, n, i);
        }
        memcpy(y.data, bias.data, n * sizeof(float));
        dsp->depthwise(n, 0, NULL, NULL, y.data, y.data);
        for (size_t i = 0; i < n; i++)
            cr_assert_float_eq((double)y.data[i],
                               gelu_of((double)bias.data[i]), 2e-6,
                               "%s: GELU of %zu at %zu", dsp->name, n, i);
        guarded_free(&x, "depthwise x"), guarded_free(&w, "depthwise weights");
        guarded_free(&bias, "depthwise bias");
        guarded_free(&y, "depthwise y");
    }
}

Test(dsp, depthwise_every_tail)
{
    each_tier(check_depthwise);
}

/* Every pair by its own angle, of one set for all heads and of one for each. */
static void check_laplace(const vit_dsp *dsp)
{
    for (size_t n = 1; n <= 130; n++) {
        guarded s = guarded_new(n), bias = guarded_new(n);
        guarded weight = guarded_new(n), from = guarded_new(n);
        uint64_t state = n;

        fill(&from, &state, n % 2 ? 3.0f : 200.0f), fill(&bias, &state, 2.0f);
        fill(&weight, &state, 9.0f);
        memcpy(s.data, from.data, n * sizeof(float));
        dsp->laplace(n, 0.75f, bias.data, n % 3 ? weight.data : NULL, s.data);
        for (size_t i = 0; i < n; i++) {
            double x = 0.75 * (double)from.data[i] + (double)bias.data[i];
            double by = n % 3 ? (double)weight.data[i] : 1.0;
            double want = by * 0.5 *
                          (1.0 + erf((x - 0.707107) / (0.282095 * sqrt(2.0))));

            cr_assert_float_eq((double)s.data[i], want,
                               5e-7 * fmax(1.0, fabs(by)),
                               "%s: %.9g is %.9g, not %.9g", dsp->name, x,
                               (double)s.data[i], want);
        }
        guarded_free(&s, "laplace s"), guarded_free(&bias, "laplace bias");
        guarded_free(&weight, "laplace w"), guarded_free(&from, "laplace x");
    }
}

/* The function of Mega's attention, however far from its middle. */
Test(dsp, laplace_every_tail)
{
    each_tier(check_laplace);
}

static void check_highway(const vit_dsp *dsp)
{
    for (size_t n = 1; n <= 130; n++) {
        guarded u = guarded_new(n), h = guarded_new(n), x = guarded_new(n);
        guarded from = guarded_new(n);
        uint64_t state = n;

        fill(&u, &state, 30.0f), fill(&h, &state, 8.0f);
        fill(&from, &state, 4.0f);
        memcpy(x.data, from.data, n * sizeof(float));
        dsp->highway(n, u.data, h.data, x.data);
        for (size_t i = 0; i < n; i++) {
            double was = (double)from.data[i], new = (double)h.data[i];

            new = was + sigmoid((double)u.data[i]) * (new * sigmoid(new) - was);
            cr_assert_float_eq((double)x.data[i], new, 4e-6,
                               "%s: highway of %zu at %zu: %.9g, not %.9g",
                               dsp->name, n, i, (double)x.data[i], new);
        }
        guarded_free(&u, "highway u"), guarded_free(&h, "highway h");
        guarded_free(&x, "highway x"), guarded_free(&from, "highway from");
    }
}

Test(dsp, highway_every_tail)
{
    each_tier(check_highway);
}

enum { STEPS = 23, EMA_ROWS = 17 };

/* Steps in any order: some twice, some that no row passes at. */
static void check_ema_order(const vit_dsp *dsp, int turning, int back,
                            const guarded *weight, uint64_t *state)
{
    size_t each = VIT_EMA_REAL * 2 * VIT_EMA_LANES, ld = VIT_EMA_LANES + 3;
    guarded c = guarded_new(each), x = guarded_new(EMA_ROWS * ld);
    guarded y = guarded_new(EMA_ROWS * ld), want = guarded_new(EMA_ROWS * ld);
    int32_t row[STEPS];
    vit_ema_order order = {STEPS, row, weight ? weight->data : NULL, 0};

    fill(&c, state, 1.0f), fill(&x, state, 3.0f), fill(&y, state, 2.0f);
    memcpy(want.data, y.data, want.n * sizeof(float));
    for (size_t i = 0; i < STEPS; i++)
        row[i] = (int32_t)(i * 7 % (EMA_ROWS + 1)) - 1;
    tomevit_ema_pass(c.data, turning, back, &order, x.data, ld, want.data, ld);
    dsp->ema(c.data, turning, back, &order, x.data, ld, y.data, ld);
    cr_assert_eq(memcmp(y.data, want.data, y.n * sizeof(float)), 0,
                 "%s: turning %d, back %d, weights %d", dsp->name, turning,
                 back, weight != NULL);
    guarded_free(&c, "ema c"), guarded_free(&x, "ema x");
    guarded_free(&y, "ema y"), guarded_free(&want, "ema want");
}

static void check_ema(const vit_dsp *dsp)
{
    guarded weight = guarded_new(EMA_ROWS);
    uint64_t state = 5;

    fill(&weight, &state, 4.0f);
    for (int turning = 0; turning < 2; turning++)
        for (int back = 0; back < 2; back++) {
            check_ema_order(dsp, turning, back, NULL, &state);
            check_ema_order(dsp, turning, back, &weight, &state);
        }
    guarded_free(&weight, "ema weight");
}

/* Of averages every tier has the bits of portable C. */
Test(dsp, averages_have_the_same_bits_on_every_tier)
{
    each_tier(check_ema);
}

static void check_rotate(const vit_dsp *dsp)
{
    enum { HEADS = 3 };

    for (size_t n = 4; n <= 132; n += 4)
        for (int way = 0; way < 4; way++) {
            int halves = way & 1;
            size_t stride = way & 2 ? 2 * n : 0;
            guarded x = guarded_new(HEADS * n), y = guarded_new(HEADS * n);
            guarded turn = guarded_new(2 * n + (HEADS - 1) * stride);
            uint64_t state = n;

            fill(&x, &state, 3.0f), fill(&turn, &state, 1.0f);
            memcpy(y.data, x.data, x.n * sizeof(float));
            dsp->rotate(HEADS, n, halves, turn.data, stride, y.data);
            for (size_t i = 0; i < HEADS * n; i++) {
                size_t k = i % n, half = n / 2;
                size_t other = halves ? (k + half) % n : k ^ 1;
                const float *t = turn.data + i / n * stride;
                double want = (double)x.data[i] * (double)t[k] +
                              (double)x.data[i - k + other] *
                                  (double)t[n + k];

                cr_assert_float_eq((double)y.data[i], want, 1e-6,
                                   "%s: rotate of %zu, way %d, at %zu",
                                   dsp->name, n, way, i);
            }
            guarded_free(&x, "rotate x"), guarded_free(&y, "rotate y");
            guarded_free(&turn, "rotate turn");
        }
}

Test(dsp, rotate_every_tail)
{
    each_tier(check_rotate);
}

static void check_pack(const vit_dsp *dsp)
{
    static const size_t widths[] = {1, 4, 6, 8, 14, 16, 32};

    for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
        for (size_t rows = 1; rows <= widths[w]; rows++) {
            for (size_t k = 1; k <= 35; k++) {
                size_t width = widths[w], ldx = k + 2;
                guarded x = guarded_new((rows - 1) * ldx + k);
                guarded y = guarded_new(k * width);
                uint64_t state = k;

                fill(&x, &state, 1.0f);
                dsp->pack(rows, k, x.data, ldx, width, y.data);
                for (size_t p = 0; p < k; p++)
                    for (size_t i = 0; i < width; i++)
                        cr_assert_eq(y.data[p * width + i],
                                     i < rows ? x.data[i * ldx + p] : 0.0f,
                                     "%s: pack %zu x %zu to %zu", dsp->name,
                                     rows, k, width);
                guarded_free(&x, "x"), guarded_free(&y, "pack");
            }
        }
    }
}

Test(dsp, pack_every_shape)
{
    each_tier(check_pack);
}

static void check_layer_norm(const vit_dsp *dsp)
{
    for (size_t n = 1; n <= 70; n++) {
        guarded x = guarded_new(n), w = guarded_new(n), b = guarded_new(n);
        guarded y = guarded_new(n);
        double mean = 0.0, variance = 0.0;
        uint64_t state = n;

        fill(&x, &state, 3.0f), fill(&w, &state, 1.0f), fill(&b, &state, 1.0f);
        dsp->layer_norm(n, x.data, w.data, b.data, 1e-6f, y.data);
        for (size_t i = 0; i < n; i++)
            mean += (double)x.data[i] / (double)n;
        for (size_t i = 0; i < n; i++)
            variance += pow((double)x.data[i] - mean, 2.0) / (double)n;
        for (size_t i = 0; i < n; i++) {
            double want = ((double)x.data[i] - mean) / sqrt(variance + 1e-6) *
                              (double)w.data[i] + (double)b.data[i];

            cr_assert_float_eq((double)y.data[i], want, 2e-5,
                               "%s: norm of %zu at %zu", dsp->name, n, i);
        }
        guarded_free(&x, "x"), guarded_free(&w, "w"), guarded_free(&b, "b");
        guarded_free(&y, "norm");
    }
}

Test(dsp, layer_norm_every_tail)
{
    each_tier(check_layer_norm);
}

/* With an epsilon that counts, with weights and without, in place. */
static void check_rms_norm(const vit_dsp *dsp, size_t n, int weighted)
{
    guarded x = guarded_new(n), w = guarded_new(n), y = guarded_new(n);
    double squares = 0.0;
    uint64_t state = n;

    fill(&x, &state, 3.0f), fill(&w, &state, 1.0f);
    memcpy(y.data, x.data, n * sizeof(float));
    dsp->rms_norm(n, y.data, weighted ? w.data : NULL, 0.5f, y.data);
    for (size_t i = 0; i < n; i++)
        squares += (double)x.data[i] * (double)x.data[i];
    for (size_t i = 0; i < n; i++) {
        double want = (double)x.data[i] / sqrt(squares / (double)n + 0.5) *
                      (weighted ? (double)w.data[i] : 1.0);

        cr_assert_float_eq((double)y.data[i], want, 2e-6,
                           "%s: RMS norm of %zu at %zu", dsp->name, n, i);
    }
    guarded_free(&x, "x"), guarded_free(&w, "w"), guarded_free(&y, "norm");
}

static void check_rms_norms(const vit_dsp *dsp)
{
    for (size_t n = 1; n <= 70; n++)
        for (int weighted = 0; weighted < 2; weighted++)
            check_rms_norm(dsp, n, weighted);
}

Test(dsp, rms_norm_every_tail)
{
    each_tier(check_rms_norms);
}

/* `spread` large: weights far below the largest must not disturb it. */
static void check_softmax_size(const vit_dsp *dsp, size_t n, float spread,
                               int biased)
{
    guarded s = guarded_new(n), bias = guarded_new(n), in = guarded_new(n);
    double max = -HUGE_VAL, sum = 0.0;
    uint64_t state = n;

    fill(&in, &state, spread), fill(&bias, &state, 2.0f);
    memcpy(s.data, in.data, n * sizeof(float));
    dsp->softmax(n, 0.125f, biased ? bias.data : NULL, s.data);
    for (size_t i = 0; i < n; i++) {
        in.data[i] = in.data[i] * 0.125f + (biased ? bias.data[i] : 0.0f);
        max = fmax(max, (double)in.data[i]);
    }
    for (size_t i = 0; i < n; i++)
        sum += exp((double)in.data[i] - max);
    for (size_t i = 0; i < n; i++)
        cr_assert_float_eq((double)s.data[i],
                           exp((double)in.data[i] - max) / sum, 1e-6,
                           "%s: softmax of %zu at %zu: %.9g", dsp->name, n, i,
                           (double)s.data[i]);
    guarded_free(&s, "softmax"), guarded_free(&bias, "bias");
    guarded_free(&in, "in");
}

static void check_softmax(const vit_dsp *dsp)
{
    for (size_t n = 1; n <= 70; n++) {
        check_softmax_size(dsp, n, 8.0f, 0);
        check_softmax_size(dsp, n, 8.0f, 1);
        check_softmax_size(dsp, n, 4000.0f, 1);
    }
}

Test(dsp, softmax_every_tail)
{
    each_tier(check_softmax);
}

Test(dsp, choice_follows_flags)
{
    const vit_dsp *dsp;
    uint32_t needs;

    cr_assert_str_eq(tomevit_dsp_choose(0)->name, "scalar");
    for (size_t i = 0; (dsp = tomevit_dsp_tier(i, &needs)); i++)
        cr_assert_eq(tomevit_dsp_choose(needs), dsp);
}
