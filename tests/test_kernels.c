/* SPDX-License-Identifier: MIT */
/*
 * Every kernel of every tier against the scalar one, bit for bit: all tails,
 * buffers that end at an unreadable page (so of every alignment), odd and
 * negative strides, and inputs that are ordinary, whole, or anything at all.
 */
#include "config.h"

#include "guarded.h"
#include "planning.h"
#include "tiers.h"

#include "../tomerge/dsp.h"
#include "../tomerge/numeric.h"

#include <math.h>

enum kind { ORDINARY, WHOLE, ANYTHING, KINDS };
enum { LONGEST = 67 };

static float draw(enum kind kind, uint64_t *state)
{
    if (kind == ORDINARY)
        return random_float(state);
    if (kind == WHOLE)
        return random_whole(state, 3);
    if (random_bits(state) % 4 == 0) {
        static const uint32_t special[] = {0, 0x80000000, 0x7f800000,
            0xff800000, 0x7fc00000, 0x7f812345, 1, 0x7f7fffff, 0x477fefff,
            0x477ff000, 0x33000000, 0x387fffff, 0x3f808000, 0x3f818000};

        return tomerge_float(special[random_bits(state) % 14]);
    }
    return tomerge_float(random_bits(state));
}

static guarded floats(size_t n, enum kind kind, uint64_t *state)
{
    guarded g = guarded_new(n * sizeof(float));

    for (size_t i = 0; i < n; i++)
        ((float *)(void *)g.data)[i] = draw(kind, state);
    return g;
}

static float *f32(const guarded *g)
{
    return (float *)(void *)g->data;
}

static uint16_t *u16(const guarded *g)
{
    return (uint16_t *)(void *)g->data;
}

/* The payload of a NaN that arithmetic made is left open. */
static int same(float a, float b)
{
    return tomerge_bits(a) == tomerge_bits(b) || (a != a && b != b);
}

static void expect_same(const char *kernel, size_t n, const guarded *expected,
                        const guarded *found, size_t count)
{
    cr_assert(guarded_intact(found), "%s, n %zu: wrote in front", kernel, n);
    for (size_t i = 0; i < count; i++)
        cr_assert(same(f32(expected)[i], f32(found)[i]),
                  "%s, n %zu, element %zu: %a, not %a", kernel, n, i,
                  (double)f32(found)[i], (double)f32(expected)[i]);
}

/* ---- conversion ---------------------------------------------------------- */

static void check_load(const char *name,
                       void (*ref)(float *, const uint16_t *, size_t),
                       void (*new)(float *, const uint16_t *, size_t))
{
    for (size_t n = 0; n <= LONGEST; n++) {
        for (uint32_t start = 0; start < 65536; start += 4093) {
            guarded in = guarded_new(n * 2);
            guarded a = guarded_new(n * 4), b = guarded_new(n * 4);

            for (size_t i = 0; i < n; i++)
                u16(&in)[i] = (uint16_t)(start + i * 61);
            ref(f32(&a), u16(&in), n);
            new(f32(&b), u16(&in), n);
            cr_assert(guarded_intact(&b));
            cr_assert_arr_eq(a.data, b.data, n * 4, "%s, n %zu", name, n);
            guarded_free(&in);
            guarded_free(&a);
            guarded_free(&b);
        }
    }
}

static void check_store(const char *name,
                        void (*ref)(uint16_t *, const float *, size_t),
                        void (*new)(uint16_t *, const float *, size_t))
{
    uint64_t state = 1;

    for (size_t n = 0; n <= LONGEST; n++) {
        for (int round = 0; round < 40; round++) {
            guarded in = floats(n, round ? ANYTHING : ORDINARY, &state);
            guarded a = guarded_new(n * 2), b = guarded_new(n * 2);

            ref(u16(&a), f32(&in), n);
            new(u16(&b), f32(&in), n);
            cr_assert(guarded_intact(&b));
            cr_assert_arr_eq(a.data, b.data, n * 2, "%s, n %zu", name, n);
            guarded_free(&in);
            guarded_free(&a);
            guarded_free(&b);
        }
    }
}

static void check_load_bf16(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    check_load("load_bf16", ref->load_bf16, new->load_bf16);
}

static void check_load_f16(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    check_load("load_f16", ref->load_f16, new->load_f16);
}

static void check_store_bf16(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    check_store("store_bf16", ref->store_bf16, new->store_bf16);
}

static void check_store_f16(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    check_store("store_f16", ref->store_f16, new->store_f16);
}

/* ---- scoring ------------------------------------------------------------- */

static void check_norm(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    uint64_t state = 2;

    for (size_t n = 0; n <= LONGEST; n++) {
        for (int kind = 0; kind < 5 * KINDS; kind++) {
            guarded x = floats(n, (enum kind)(kind % KINDS), &state);
            float a, b;

            ref->norm(f32(&x), n, &a);
            new->norm(f32(&x), n, &b);
            cr_assert(same(a, b), "norm, n %zu: %a, not %a", n, (double)b,
                      (double)a);
            guarded_free(&x);
        }
    }
}

static void check_dot(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    uint64_t state = 8;

    for (size_t n = 0; n <= LONGEST; n++) {
        for (int kind = 0; kind < 5 * KINDS; kind++) {
            guarded x = floats(n, (enum kind)(kind % KINDS), &state);
            guarded y = floats(n, (enum kind)(kind % KINDS), &state);
            float a, b;

            ref->dot(f32(&x), f32(&y), n, &a);
            new->dot(f32(&x), f32(&y), n, &b);
            cr_assert(same(a, b), "dot, n %zu: %a, not %a", n, (double)b,
                      (double)a);
            guarded_free(&x);
            guarded_free(&y);
        }
    }
}

/* Rows packed by the scalar kernel. */
typedef struct packed_rows {
    guarded rows, data;
    tomerge_panels panels;
} packed_rows;

static const float *row_of(const packed_rows *p, size_t row)
{
    return f32(&p->rows) + row * p->panels.channels;
}

/* Row 1 repeats row 0, so that there is always a tie. */
static packed_rows new_rows(size_t rows, size_t channels, enum kind kind,
                            uint64_t *state)
{
    size_t panel = TOMERGE_PANEL * channels;
    packed_rows p = {.rows = floats(rows * channels, kind, state),
                     .data = guarded_new(tomerge_panels_of(rows) * panel *
                                         sizeof(float))};
    tomerge_dsp dsp;

    tomerge_dsp_init(&dsp, 0);
    p.panels = (tomerge_panels){f32(&p.data), rows, channels};
    if (rows > 1)
        memcpy(f32(&p.rows) + channels, f32(&p.rows),
               channels * sizeof(float));
    for (size_t i = 0; i < rows; i += TOMERGE_PANEL) {
        const float *row[TOMERGE_PANEL];
        float squares[TOMERGE_PANEL];
        size_t count = rows - i < TOMERGE_PANEL ? rows - i : TOMERGE_PANEL;

        for (size_t j = 0; j < count; j++)
            row[j] = row_of(&p, i + j);
        dsp.pack(f32(&p.data) + i * channels, squares, row, count, channels);
    }
    return p;
}

static void free_rows(packed_rows *p)
{
    guarded_free(&p->rows);
    guarded_free(&p->data);
}

static void check_pack(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    uint64_t state = 9;

    for (size_t channels = 1; channels <= LONGEST; channels++) {
        for (size_t count = 0; count <= TOMERGE_PANEL; count++) {
            size_t panel = TOMERGE_PANEL * channels;
            guarded a[2], b[2], rows[TOMERGE_PANEL];
            const float *row[TOMERGE_PANEL];

            for (size_t j = 0; j < count; j++) {
                rows[j] = floats(channels, (enum kind)(j % KINDS), &state);
                row[j] = f32(&rows[j]);
            }
            for (int i = 0; i < 2; i++) {
                a[i] = guarded_new(panel * sizeof(float));
                b[i] = guarded_new(TOMERGE_PANEL * sizeof(float));
                (i ? new : ref)->pack(f32(&a[i]), f32(&b[i]), row, count,
                                      channels);
            }
            expect_same("pack", channels, &a[0], &a[1], panel);
            expect_same("squares", channels, &b[0], &b[1], TOMERGE_PANEL);
            for (size_t j = 0; j < count; j++)
                guarded_free(&rows[j]);
            for (int i = 0; i < 2; i++) {
                guarded_free(&a[i]);
                guarded_free(&b[i]);
            }
        }
    }
}

typedef void best_kernel(const tomerge_panels *a, const tomerge_panels *b,
                         const float *scale, float *best, int32_t *index);

static void check_best_case(const char *name, best_kernel *ref,
                            best_kernel *new, size_t rows, size_t others,
                            size_t channels, enum kind kind, uint64_t *state)
{
    packed_rows a = new_rows(rows, channels, kind, state);
    packed_rows b = new_rows(others, channels, kind, state);
    size_t whole = tomerge_panels_of(rows) * TOMERGE_PANEL;
    guarded scale = floats(others, WHOLE, state);
    guarded best[2], index[2];

    if (others > 1)
        f32(&scale)[1] = f32(&scale)[0];
    if (others > 2)
        f32(&scale)[2] = NAN;
    for (int i = 0; i < 2; i++) {
        best[i] = guarded_new(whole * sizeof(float));
        index[i] = guarded_new(whole * sizeof(int32_t));
        (i ? new : ref)(&a.panels, &b.panels, f32(&scale), f32(&best[i]),
                        (int32_t *)(void *)index[i].data);
    }
    expect_same(name, rows, &best[0], &best[1], rows);
    cr_assert(guarded_intact(&index[1]));
    for (size_t i = 0; i < rows; i++) {
        int32_t e = ((int32_t *)(void *)index[0].data)[i];
        int32_t f = ((int32_t *)(void *)index[1].data)[i];

        cr_assert_eq(e, f, "%s, %zu rows, %zu others, %zu channels, row %zu: "
                     "row %d, not %d", name, rows, others, channels, i, f, e);
        cr_assert_lt(e, (int32_t)others);
        cr_assert(e != 1 && e != 2);
    }
    for (int i = 0; i < 2; i++) {
        guarded_free(&best[i]);
        guarded_free(&index[i]);
    }
    guarded_free(&scale);
    free_rows(&a);
    free_rows(&b);
}

static void check_best(const char *name, best_kernel *ref, best_kernel *new)
{
    static const size_t rows[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 50};
    static const size_t channels[] = {1, 2, 7, 16, 33, 64};
    uint64_t state = 3;

    for (size_t others = 0; others <= 19; others++)
        for (size_t i = 0; i < 10; i++)
            for (size_t j = 0; j < 6; j++)
                check_best_case(name, ref, new, rows[i], others, channels[j],
                                (enum kind)((others + i + j) % KINDS), &state);
}

static void check_best_dot(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    check_best("best_dot", ref->best_dot, new->best_dot);
}

static void check_best_distance(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    check_best("best_distance", ref->best_distance, new->best_distance);
}

static void check_dots(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    uint64_t state = 4;

    for (size_t rows = 1; rows <= TOMERGE_PANEL; rows++) {
        for (size_t channels = 1; channels <= LONGEST; channels += 3) {
            enum kind kind = (enum kind)(rows % KINDS);
            packed_rows a = new_rows(TOMERGE_PANEL, channels, kind, &state);
            packed_rows b = new_rows(rows, channels, kind, &state);
            guarded sums[2];

            for (int i = 0; i < 2; i++) {
                sums[i] = guarded_new(TOMERGE_PANEL * TOMERGE_PANEL *
                                      sizeof(float));
                (i ? new : ref)->dots(
                    a.panels.data, b.panels.data, channels,
                    (float (*)[TOMERGE_PANEL])(void *)sums[i].data);
            }
            expect_same("dots", channels, &sums[0], &sums[1],
                        TOMERGE_PANEL * TOMERGE_PANEL);
            guarded_free(&sums[0]);
            guarded_free(&sums[1]);
            free_rows(&a);
            free_rows(&b);
        }
    }
}

static void check_elu(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    uint64_t state = 6;

    for (int round = 0; round < 200 * KINDS; round++) {
        enum kind kind = (enum kind)(round % KINDS);
        guarded dots = floats(TOMERGE_PANEL, kind, &state);
        guarded own = floats(TOMERGE_PANEL, kind, &state);
        float scale = draw(kind, &state), margin = draw(kind, &state);
        double sums[2][TOMERGE_PANEL] = {{0}};

        for (int i = 0; i < 2; i++)
            (i ? new : ref)->elu(sums[i], f32(&dots), scale, f32(&own), margin);
        for (size_t i = 0; i < TOMERGE_PANEL; i++)
            cr_assert(memcmp(&sums[0][i], &sums[1][i], sizeof(double)) == 0,
                      "elu, element %zu: %a, not %a", i, sums[1][i],
                      sums[0][i]);
        guarded_free(&dots);
        guarded_free(&own);
    }
}

/* e^x - 1 as near as a sum of them needs, whatever the margin. */
Test(kernels, elu_is_what_it_says)
{
    static const float one[TOMERGE_PANEL] = {1, 1, 1, 1, 1, 1, 1, 1,
                                             1, 1, 1, 1, 1, 1, 1, 1};
    tomerge_dsp dsp;

    tomerge_dsp_init(&dsp, 0);
    for (float x = -40; x < 4; x += 0.0625f) {
        double sum[TOMERGE_PANEL] = {0}, found;
        float dots[TOMERGE_PANEL];

        for (int i = 0; i < TOMERGE_PANEL; i++)
            dots[i] = x + (float)i / 256;
        dsp.elu(sum, dots, 1, one, 0.25f);
        for (int i = 0; i < TOMERGE_PANEL; i++) {
            double at = (double)(dots[i] - 0.25f);

            found = at > 0 ? at : expm1(at);
            cr_assert_float_eq(sum[i], found, 3e-7, "of %g: %g, not %g", at,
                               sum[i], found);
        }
    }
}

/* ---- combining ----------------------------------------------------------- */

enum combining { SCALE, ACCUMULATE, DIVIDE, MAXIMUM };

static void apply(const tomerge_dsp *dsp, enum combining what, float *acc,
                  const float *x, float weight, size_t n)
{
    switch (what) {
    case SCALE:
        dsp->scale(acc, x, weight, n);
        break;
    case ACCUMULATE:
        dsp->accumulate(acc, x, weight, n);
        break;
    case DIVIDE:
        dsp->divide(acc, weight, n);
        break;
    case MAXIMUM:
        dsp->maximum(acc, x, n);
        break;
    }
}

static void check_combining(const char *name, enum combining what,
                            const tomerge_dsp *ref, const tomerge_dsp *new)
{
    uint64_t state = 5;

    for (size_t n = 0; n <= LONGEST; n++) {
        for (int round = 0; round < 10 * KINDS; round++) {
            enum kind kind = (enum kind)(round % KINDS);
            guarded x = floats(n, kind, &state), a = floats(n, kind, &state);
            guarded b = guarded_new(n * sizeof(float));
            float weight = draw(kind, &state);

            memcpy(b.data, a.data, n * sizeof(float));
            apply(ref, what, f32(&a), f32(&x), weight, n);
            apply(new, what, f32(&b), f32(&x), weight, n);
            expect_same(name, n, &a, &b, n);
            guarded_free(&x);
            guarded_free(&a);
            guarded_free(&b);
        }
    }
}

static void check_scale(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    check_combining("scale", SCALE, ref, new);
}

static void check_accumulate(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    check_combining("accumulate", ACCUMULATE, ref, new);
}

/* Quotients as near to the middle of two numbers as there are, by counts and
 * by anything between a half and two. */
static void check_quotients(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    enum { N = 510 };
    uint64_t state = 12;
    float a[N], b[N];

    for (int round = 1; round <= 5000; round++) {
        float divisor = round <= 1000 ? (float)round
            : tomerge_float(0x3f000000 + random_bits(&state) % 0x1000000);

        for (int i = 0; i < N; i++) {
            double middle = 0x1p-24 * (0x1000001 + 2.0 * (double)(
                                random_bits(&state) % 0x800000));
            uint32_t bits = tomerge_bits((float)(middle * (double)divisor));

            a[i] = b[i] = tomerge_float(bits + (uint32_t)(i % 3) - 1);
        }
        ref->divide(a, divisor, N);
        new->divide(b, divisor, N);
        cr_assert_arr_eq(a, b, sizeof(a), "by %a", (double)divisor);
    }
}

static void check_divide(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    check_combining("divide", DIVIDE, ref, new);
    check_quotients(ref, new);
}

static void check_maximum(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    check_combining("maximum", MAXIMUM, ref, new);
}

/* Rows from far apart, some of them twice, of any weights. */
static void check_weigh(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    enum { ROWS = 7 };
    uint64_t state = 11;

    for (size_t n = 0; n <= LONGEST; n++) {
        for (size_t count = 1; count <= 5; count++) {
            for (int kind = 0; kind < 2 * KINDS; kind++) {
                guarded x = floats(ROWS * (n + 1), (enum kind)(kind % KINDS),
                                   &state);
                guarded size = floats(ROWS, (enum kind)(kind / 2), &state);
                float total = draw((enum kind)(kind / 2), &state);
                int32_t member[5];
                guarded out[2];

                for (size_t m = 0; m < count; m++)
                    member[m] = (int32_t)(random_bits(&state) % ROWS);
                for (int i = 0; i < 2; i++) {
                    out[i] = guarded_new(n * sizeof(float));
                    (i ? new : ref)->weigh(f32(&out[i]), f32(&x),
                                           (ptrdiff_t)n + 1, member, count,
                                           kind % 2 ? f32(&size) : NULL,
                                           total, n);
                }
                expect_same("weigh", n, &out[0], &out[1], n);
                guarded_free(&out[0]);
                guarded_free(&out[1]);
                guarded_free(&x);
                guarded_free(&size);
            }
        }
    }
}

/* Row and head strides from one that leaves no gap to an odd and a negative
 * one. */
static void check_mean_heads(const tomerge_dsp *ref, const tomerge_dsp *new)
{
    enum { ROWS = 6 };
    uint64_t state = 6;

    for (size_t n = 1; n <= LONGEST; n++) {
        for (size_t heads = 1; heads <= 12; heads += heads == 3 ? 9 : 1) {
            for (int s = 0; s < 4; s++) {
                size_t step = n + (s % 2 ? 5 : 0), row = heads * step + n % 3;
                size_t count = (ROWS - 1) * row + (heads - 1) * step + n;
                size_t out = n + n % 2, results = (ROWS - 1) * out + n;
                guarded k = floats(count, (enum kind)(s % KINDS), &state);
                guarded a = guarded_new(results * sizeof(float));
                guarded b = guarded_new(results * sizeof(float));
                ptrdiff_t sign = s < 2 ? 1 : -1;
                const float *first = f32(&k) +
                                     (s < 2 ? 0 : count - n);

                ref->mean_heads(f32(&a), (ptrdiff_t)out, first,
                                sign * (ptrdiff_t)row, ROWS, heads,
                                sign * (ptrdiff_t)step, n);
                new->mean_heads(f32(&b), (ptrdiff_t)out, first,
                                sign * (ptrdiff_t)row, ROWS, heads,
                                sign * (ptrdiff_t)step, n);
                expect_same("mean_heads", n, &a, &b, results);
                guarded_free(&k);
                guarded_free(&a);
                guarded_free(&b);
            }
        }
    }
}

/* ---- the walk ------------------------------------------------------------ */

#ifndef HAVE_AVX2
#define HAVE_AVX2 0
#endif
#ifndef HAVE_AVX512
#define HAVE_AVX512 0
#endif
#ifndef HAVE_NEON
#define HAVE_NEON 0
#endif

/* A kernel without a check does not compile. */
static void check_tier(const char *tier, int built)
{
    tomerge_dsp ref, new;
    uint32_t mask;

    if (!built)
        cr_skip_test("the %s tier is not built in", tier);
    use_tier(tier);
    tomerge_cpu_mask(tier, &mask);
    tomerge_dsp_init(&ref, 0);
    tomerge_dsp_init(&new, mask);
#define KERNEL(name, arguments)                                              \
    if (new.name == ref.name)                                                \
        cr_log_info("%s: " #name " is the scalar one", tier);                \
    else                                                                     \
        check_##name(&ref, &new);
#include "../tomerge/kernels.def"
#undef KERNEL
    cr_assert(new.best_dot != ref.best_dot, "%s is not used", tier);
}

Test(kernels, avx2_equals_scalar)
{
    check_tier("avx2", HAVE_AVX2);
}

Test(kernels, avx512_equals_scalar)
{
    check_tier("avx512", HAVE_AVX512);
}

Test(kernels, neon_equals_scalar)
{
    check_tier("neon", HAVE_NEON);
}

/* ---- scalar kernels against plain arithmetic ----------------------------- */

static double value_of_f16(uint32_t half)
{
    uint32_t exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    double value = exponent ? ldexp(1024 + fraction, (int)exponent - 25)
                            : ldexp(fraction, -24);

    return half & 0x8000 ? -value : value;
}

static double value_of_bf16(uint32_t half)
{
    uint32_t exponent = half >> 7 & 0xff, fraction = half & 0x7f;
    double value = exponent ? ldexp(128 + fraction, (int)exponent - 134)
                            : ldexp(fraction, -133);

    return half & 0x8000 ? -value : value;
}

/* Every finite half has its value and comes back; halfway to the next one up
 * it goes to the even one, just beside that to the nearer one. */
static void check_format(double (*value)(uint32_t), float (*from)(uint16_t),
                         uint16_t (*to)(float), uint32_t infinity)
{
    for (uint32_t sign = 0; sign <= 0x8000; sign += 0x8000) {
        for (uint32_t half = 0; half < infinity; half++) {
            uint32_t h = sign | half;
            double low = value(h), high = value(h + 1);
            float middle = (float)(low + (high - low) / 2);
            float far = half & 0x8000 ? -INFINITY : INFINITY;

            cr_assert_eq((double)from((uint16_t)h), low, "%#x", h);
            cr_assert_eq(to(from((uint16_t)h)), h);
            if (isinf(middle))
                continue;
            cr_assert_eq(to(middle), h + (h & 1), "%#x and a half", h);
            far = sign ? -far : far;
            cr_assert_eq(to(nextafterf(middle, far)), h + 1);
            cr_assert_eq(to(nextafterf(middle, -far)), h);
        }
        cr_assert(isinf(from((uint16_t)(sign | infinity))));
        cr_assert_eq(to(sign ? -INFINITY : INFINITY), sign | infinity);
        for (uint32_t half = infinity + 1; half < 0x8000; half++) {
            cr_assert(isnan(from((uint16_t)(sign | half))), "%#x", half);
            cr_assert(isnan(from(to(from((uint16_t)(sign | half))))));
        }
    }
    for (uint32_t low = 1; low < 0x10000; low++)
        cr_assert(isnan(from(to(tomerge_float(0x7f800000 | low)))));
}

Test(kernels, f16_rounds_to_nearest_even)
{
    check_format(value_of_f16, tomerge_from_f16, tomerge_to_f16, 0x7c00);
}

Test(kernels, bf16_rounds_to_nearest_even)
{
    check_format(value_of_bf16, tomerge_from_bf16, tomerge_to_bf16, 0x7f80);
}

static void expect_fused(float x, float y, float z)
{
    cr_assert(same(tomerge_fma(x, y, z), fmaf(x, y, z)),
              "%a * %a + %a is %a, not %a", (double)x, (double)y, (double)z,
              (double)fmaf(x, y, z), (double)tomerge_fma(x, y, z));
}

/* Against the C library's. (1 + d) (1 - d) is so little below 1 that double
 * forgets it beside z, and z is such that 1, or its 2^-150, then is half of
 * the last place: of a normal number, and below those. */
Test(kernels, products_are_fused)
{
    uint64_t state = 10;

    for (int i = 0; i < 1000000; i++) {
        enum kind kind = (enum kind)(i % KINDS);
        float d = (float)(1 + random_bits(&state) % 1000) * 0x1p-23f;
        uint32_t whole = random_bits(&state) % 0x400000;
        float sign = i % 2 ? 1 : -1;

        expect_fused(draw(kind, &state), draw(kind, &state),
                     draw(kind, &state));
        expect_fused(1 + d, 1 - d, sign * (float)(0x1000000 + 2 * whole));
        expect_fused((1 + d) * 0x1p-75f, (1 - d) * 0x1p-75f,
                     sign * ldexpf((float)whole, -149));
    }
}

/* What best_dot and best_distance find of one row, in double: the numbers are
 * small and whole, so nothing is rounded. */
static void check_plain_scores(const tomerge_dsp *dsp, const packed_rows *a,
                               const packed_rows *b, const float *scale)
{
    double dot_best = -HUGE_VAL, near_best = -HUGE_VAL;
    int32_t dot_at = -1, near_at = -1, at[TOMERGE_PANEL];
    float best[TOMERGE_PANEL];

    for (size_t j = 0; j < b->panels.rows; j++) {
        double dot = 0, near = 0;

        for (size_t c = 0; c < a->panels.channels; c++) {
            double x = (double)row_of(a, 0)[c], y = (double)row_of(b, j)[c];

            dot += x * y;
            near -= (x - y) * (x - y);
        }
        dot *= (double)scale[j];
        near *= (double)scale[j];
        if (dot > dot_best)
            dot_best = dot, dot_at = (int32_t)j;
        if (near > near_best)
            near_best = near, near_at = (int32_t)j;
    }
    dsp->best_dot(&a->panels, &b->panels, scale, best, at);
    cr_assert((double)best[0] == dot_best && at[0] == dot_at);
    dsp->best_distance(&a->panels, &b->panels, scale, best, at);
    cr_assert((double)best[0] == near_best && at[0] == near_at);
}

Test(kernels, scalar_scores_are_the_plain_ones)
{
    enum { CHANNELS = 5 };
    uint64_t state = 7;
    tomerge_dsp dsp;

    tomerge_dsp_init(&dsp, 0);
    for (size_t others = 1; others < 40; others++) {
        packed_rows a = new_rows(1, CHANNELS, WHOLE, &state);
        packed_rows b = new_rows(others, CHANNELS, WHOLE, &state);
        guarded scale = floats(others, WHOLE, &state);
        const float *row = row_of(&a, 0);
        float panel[TOMERGE_PANEL * CHANNELS], squares[TOMERGE_PANEL];
        double sum = 0;
        float found;

        check_plain_scores(&dsp, &a, &b, f32(&scale));
        for (size_t i = 0; i < CHANNELS; i++)
            sum += (double)row[i] * (double)row[i];
        dsp.norm(row, CHANNELS, &found);
        cr_assert_eq((double)found, sum);
        dsp.dot(row, row, CHANNELS, &found);
        cr_assert_eq((double)found, sum);
        dsp.pack(panel, squares, &row, 1, CHANNELS);
        cr_assert_eq((double)squares[0], sum);
        for (size_t i = 0; i < CHANNELS; i++)
            cr_assert(panel[i * TOMERGE_PANEL] == row[i] &&
                      panel[i * TOMERGE_PANEL + 1] == 0);
        guarded_free(&scale);
        free_rows(&a);
        free_rows(&b);
    }
}
