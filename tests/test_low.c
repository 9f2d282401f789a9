/* SPDX-License-Identifier: MIT */
/*
 * Products in bf16 and int8 on every tier against plain C: all tails of rows,
 * columns and depth, odd strides, buffers that end at an unreadable page. The
 * sums of int8 must be the same bits everywhere, and so must those of bf16
 * where a tier widens; whole numbers must come out exact on all of them.
 */
#include "config.h"

#include "draws.h"
#include "guarded.h"
#include "low_tiers.h"

#include "../vit/kernels/low.h"
#include "../vit/base/numeric.h"
#include "tiers.h"
#include "tomevit.h"

#include <float.h>
#include <math.h>

enum kind {
    ORDINARY, WHOLE, SPECIAL,
    LARGE,                 /* the ends of the range, mostly the same one */
    KINDS
};

static uint32_t random_bits(uint64_t *state)
{
    return (uint32_t)(draw_64(state) >> 32);
}

static float draw(enum kind kind, uint64_t *state)
{
    static const float special[] = {0.0f, -0.0f, 1e-42f, -1e-30f, 1e30f,
                                    FLT_MAX, 0.5f, 1.5f, -2.5f, 1e-6f};
    uint32_t bits = random_bits(state);

    if (kind == WHOLE)
        return (float)(int)(bits % 17) - 8.0f;
    if (kind == SPECIAL && bits % 3 == 0)
        return special[bits / 3 % 10];
    if (kind == LARGE)
        return bits % 16 ? 1.0f : -1.0f;
    return (float)bits / (float)(1u << 31) - 1.0f;
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

static uint32_t *u32(const guarded *g)
{
    return (uint32_t *)(void *)g->data;
}

/* NaN equals NaN. */
static int same(float a, float b)
{
    return vit_f32_bits(a) == vit_f32_bits(b) || (a != a && b != b);
}

/* Calls `check` for every tier of both types that can run here. */
static void each_tier(void (*check)(const vit_low *low))
{
    const vit_low *low;
    uint32_t needs;

    for (size_t i = 0; (low = low_tier(i, &needs)); i++) {
        uint32_t flags = tomevit_low_permitted(low->dtype,
                                               tomerge_cpu_detected());

        if ((flags & needs) != needs) {
            note_absent(low->name);
            continue;
        }
        check(low);
    }
}

/* ---- products ------------------------------------------------------------ */

typedef struct problem {
    const vit_low *low;
    size_t rows, n, k, ldx, ldy;
    guarded x, w, bias;    /* [rows, ldx], [n, k], [n] */
    guarded a, quants, panels, column_scale, column_sum;
} problem;

static vit_quant *quants(const problem *p)
{
    return (vit_quant *)(void *)p->quants.data;
}

static problem new_problem(const vit_low *low, size_t rows, size_t n, size_t k,
                           enum kind kind)
{
    uint64_t state = rows * 131 + n * 17 + k;
    size_t panels = (n + low->nr - 1) / low->nr;
    size_t padded = (n + VIT_MAX_NR - 1) / VIT_MAX_NR * VIT_MAX_NR;
    size_t chunks = vit_low_chunks(low, k);
    problem p = {.low = low, .rows = rows, .n = n, .k = k, .ldx = k + 3,
                 .ldy = n + 5};

    p.x = floats((rows - 1) * p.ldx + k, kind, &state);
    p.w = floats(n * k, kind, &state);
    p.bias = floats(n, kind, &state);
    p.a = guarded_new(vit_low_bytes(low, rows, k));
    memset(p.a.data, 0, vit_low_bytes(low, rows, k));
    p.quants = guarded_new(rows * sizeof(vit_quant));
    p.panels = guarded_new(panels * sizeof(uint32_t) *
                           vit_low_panel(low, vit_low_words(low, k)));
    memset(p.panels.data, 0, panels * sizeof(uint32_t) *
                             vit_low_panel(low, vit_low_words(low, k)));
    p.column_scale = guarded_new(padded * sizeof(float));
    memset(p.column_scale.data, 0, padded * sizeof(float));
    p.column_sum = guarded_new(padded * sizeof(float));
    memset(p.column_sum.data, 0, padded * sizeof(float));
    tomevit_low_pack(low, n, k, f32(&p.w), u32(&p.panels),
                     low->dtype == TOMEVIT_INT8 ? f32(&p.column_scale) : NULL,
                     low->dtype == TOMEVIT_INT8 ? f32(&p.column_sum) : NULL);
    for (size_t i = 0; i < rows; i++)
        quants(&p)[i] = low->narrow(
            k, f32(&p.x) + i * p.ldx,
            p.a.data + vit_low_place(low, chunks, i, 0),
            low->interleaved * VIT_CHUNK);
    cr_assert(guarded_intact(&p.a) && guarded_intact(&p.panels) &&
              guarded_intact(&p.column_scale) &&
              guarded_intact(&p.column_sum));
    return p;
}

static void free_problem(problem *p)
{
    guarded *all[] = {&p->x, &p->w, &p->bias, &p->a, &p->quants,
                      &p->panels, &p->column_scale, &p->column_sum};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        guarded_free(all[i]);
}

static float magnitude(const float *x, size_t k)
{
    float most = 0.0f;

    for (size_t i = 0; i < k; i++)
        most = fmaxf(most, fabsf(x[i]));
    return most;
}

/* How an int8 row must be quantized, by its smallest and largest element. */
static vit_quant quant_of(const float *x, size_t k, float *inverse)
{
    float low = x[0], high = x[0], zero, peak;

    for (size_t i = 1; i < k; i++) {
        low = fminf(low, x[i]);
        high = fmaxf(high, x[i]);
    }
    zero = 0.5f * low + 0.5f * high;
    peak = fmaxf(high - zero, zero - low);
    *inverse = peak < 0x1p-100f ? 0.0f : 127.0f / peak;
    return (vit_quant){peak < 0x1p-100f ? 0.0f : peak / 127.0f, zero};
}

/* The sum in int8, and that of the column alone. */
static float int8_sum(const float *x, const float *w, size_t k)
{
    float a, b, scale = tomevit_int8_scale(magnitude(w, k), &b);
    vit_quant row = quant_of(x, k, &a);
    int32_t whole = 0, column = 0;

    for (size_t q = 0; q < k; q++) {
        int32_t weight = (int32_t)lrintf(w[q] * b);

        whole += (int32_t)lrintf((x[q] - row.zero_point) * a) * weight;
        column += weight;
    }
    return (float)whole * (row.scale * scale) +
           row.zero_point * (scale * (float)column);
}

/* The sum as low.h defines it, and how far rounding may move it. */
static float sum_of(const problem *p, size_t i, size_t j, double *slack)
{
    const float *x = f32(&p->x) + i * p->ldx, *w = f32(&p->w) + j * p->k;
    float sum = 0.0f, a, b;

    *slack = 0.0;
    if (p->low->dtype == TOMEVIT_INT8)
        return int8_sum(x, w, p->k);
    for (size_t q = 0; q < p->k; q++) {
        a = vit_f32_from_bf16(vit_bf16_from_f32(x[q]));
        b = vit_f32_from_bf16(vit_bf16_from_f32(w[q]));
        sum += a * b;
        *slack += fabs((double)a * (double)b);
    }
    *slack *= low_widens(p->low) ? 0.0 : 1e-6;
    return sum;
}

enum way { FINISHED, ADDED, BARE, NARROWED, WAYS };

static float expected(const problem *p, enum way way, size_t i, size_t j,
                      double *slack)
{
    float sum = sum_of(p, i, j, slack);

    if (way == BARE)
        return sum;
    sum += f32(&p->bias)[j];
    if (way == ADDED)
        sum = 2.0f + sum;
    if (*slack > 0.0)
        *slack += (fabs((double)sum) + 4.0) * 0x1p-24;
    *slack += way == NARROWED ? fabs((double)sum) * *slack : 0.0;
    return sum;
}

static void compare(const problem *p, enum way way, const guarded *y,
                    int exact)
{
    for (size_t i = 0; i < p->rows; i++) {
        for (size_t j = 0; j < p->n; j++) {
            double slack;
            float want = expected(p, way, i, j, &slack), got;

            if (way == NARROWED) {
                got = low_element(p->low, y->data + vit_low_place(p->low,
                    vit_low_chunks(p->low, p->n), i, j / p->low->per_chunk),
                    j % p->low->per_chunk);
                slack += exact ? 0 : fabs((double)want) * 0x1p-8;
                want = exact ? vit_f32_from_bf16(vit_bf16_from_f32(want))
                             : want;
            } else {
                got = f32(y)[i * p->ldy + j];
            }
            cr_assert(same(got, want) ||
                      (!exact && fabs((double)got - (double)want) <= slack),
                      "%s on %s: %zu x %zu x %zu, way %d, at %zu,%zu: %a "
                      "not %a", tomevit_dtype_name(p->low->dtype),
                      p->low->name, p->rows, p->n, p->k, (int)way, i, j,
                      (double)got, (double)want);
        }
    }
}

static void run_product(const problem *p, enum way way, int exact)
{
    size_t padded = (p->n + VIT_MAX_NR - 1) / VIT_MAX_NR * VIT_MAX_NR;
    size_t blocks = (p->rows + VIT_MAX_NR - 1) / VIT_MAX_NR * VIT_MAX_NR;
    guarded scratch = guarded_new(padded * blocks * sizeof(float));
    size_t bytes = way == NARROWED ? vit_low_bytes(p->low, p->rows, p->n)
                   : ((p->rows - 1) * p->ldy + p->n) * sizeof(float);
    guarded y = guarded_new(bytes);
    vit_low_product product = {
        .rows = p->rows, .n = p->n, .words = vit_low_words(p->low, p->k),
        .a = p->a.data, .quants = quants(p),
        .panels = u32(&p->panels), .column_scale = f32(&p->column_scale),
        .column_sum = f32(&p->column_sum),
        .dsp = &tomevit_dsp_scalar, .how = way == ADDED ? VIT_ADD : VIT_STORE,
        .bias = way == BARE ? NULL : f32(&p->bias),
        .y = way == NARROWED ? NULL : f32(&y), .ldy = p->ldy,
        .narrow = way == NARROWED ? y.data : NULL, .scratch = f32(&scratch),
    };

    for (size_t i = 0; way != NARROWED && i < bytes / sizeof(float); i++)
        f32(&y)[i] = 2.0f;
    p->low->product(p->low, &product);
    compare(p, way, &y, exact);
    cr_assert(guarded_intact(&y) && guarded_intact(&scratch));
    for (size_t i = 0; way != NARROWED && i + 1 < p->rows; i++)
        for (size_t j = p->n; j < p->ldy; j++)
            cr_assert_eq(f32(&y)[i * p->ldy + j], 2.0f, "between the rows");
    guarded_free(&y);
    guarded_free(&scratch);
}

static void check_product(const vit_low *low, size_t rows, size_t n, size_t k,
                          enum kind kind)
{
    problem p = new_problem(low, rows, n, k, kind);
    int ways = low->dtype == TOMEVIT_BF16 ? WAYS : NARROWED;

    for (int way = 0; way < ways; way++)
        run_product(&p, (enum way)way,
                    low->dtype == TOMEVIT_INT8 || low_widens(low) ||
                    kind == WHOLE);
    free_problem(&p);
}

static void check_products(const vit_low *low)
{
    const size_t depths[] = {1, 2, 3, 15, 16, 33, 64, 65, 129, 500, 1100};
    size_t nr = low->nr, mr = low->mr;
    const size_t columns[] = {1, nr - 1, nr, nr + 1, 2 * nr + 5, 37};

    for (size_t rows = 1; rows <= mr + 1; rows++)
        for (size_t j = 0; j < 6; j++)
            check_product(low, rows, columns[j], depths[(rows + j) % 9],
                          (rows + j) % 3 ? ORDINARY : WHOLE);
    for (size_t i = 0; i < 11; i++) {
        check_product(low, 2 * mr + 3, columns[i % 6], depths[i], ORDINARY);
        check_product(low, mr * 8 + 1, 3 * nr, depths[i], WHOLE);
    }
    check_product(low, 3, 5, 3000, LARGE); /* sums that f32 does not hold */
}

Test(low, products_every_tail)
{
    each_tier(check_products);
}

/* ---- narrowing ----------------------------------------------------------- */

/* Element q of a narrowed row: of int8 the whole number. */
static float narrowed(const vit_low *low, const vit_quant *row, float inverse,
                      float x)
{
    if (low->dtype == TOMEVIT_BF16)
        return vit_f32_from_bf16(vit_bf16_from_f32(x));
    return inverse > 0.0f ? (float)lrintf((x - row->zero_point) * inverse)
                          : 0.0f;
}

static void check_row(const vit_low *low, size_t k, enum kind kind,
                      uint64_t *state)
{
    size_t chunks = vit_low_chunks(low, k), step = VIT_CHUNK * (k % 3 + 1);
    guarded x = floats(k, kind, state);
    guarded out = guarded_new((chunks - 1) * step + VIT_CHUNK);
    vit_quant want = {1.0f, 0.0f};
    vit_quant got = low->narrow(k, f32(&x), out.data, step);
    float inverse = 0.0f;

    if (low->dtype == TOMEVIT_INT8)
        want = quant_of(f32(&x), k, &inverse);
    cr_assert(same(got.scale, want.scale) && got.zero_point == want.zero_point,
              "%s: quant %a %a not %a %a", low->name, (double)got.scale,
              (double)got.zero_point, (double)want.scale,
              (double)want.zero_point);
    cr_assert(guarded_intact(&out));
    for (size_t c = 0; c < chunks; c++) {
        const unsigned char *chunk = out.data + c * step;

        for (size_t p = 0; p < low->per_chunk; p++) {
            size_t q = c * low->per_chunk + p;
            float v = q < k ? narrowed(low, &want, inverse, f32(&x)[q]) : 0.0f;
            float found = low_element(low, chunk, p);

            cr_assert(same(found, v) || found == v,
                      "%s on %s: row of %zu at %zu: %a not %a",
                      tomevit_dtype_name(low->dtype), low->name, k, q,
                      (double)found, (double)v);
        }
        for (size_t b = VIT_CHUNK; c + 1 < chunks && b < step; b++)
            cr_assert_eq(chunk[b], GUARD_BYTE, "wrote between chunks");
    }
    guarded_free(&x);
    guarded_free(&out);
}

static void check_narrow(const vit_low *low)
{
    uint64_t state = 9;

    for (size_t k = 1; k <= 200; k++)
        for (int kind = 0; kind < KINDS; kind++)
            check_row(low, k, (enum kind)kind, &state);
}

Test(low, narrow_every_tail)
{
    each_tier(check_narrow);
}

/* What softmax narrows at once against what it is made of, bit by bit. */
static void check_softmax_size(const vit_low *low, size_t rows, size_t n,
                               uint64_t *state)
{
    const vit_dsp *dsp = tomevit_dsp_choose(tomerge_cpu_flags());
    size_t lds = n + n % 4, bytes = vit_low_chunks(low, n) * VIT_CHUNK;
    size_t ldo = bytes + rows % 3 * VIT_CHUNK;
    guarded s = floats((rows - 1) * lds + n, ORDINARY, state);
    guarded bias = floats(n, ORDINARY, state);
    guarded out = guarded_new((rows - 1) * ldo + bytes);
    guarded row = guarded_new(bytes), x = guarded_new(n * sizeof(float));
    const float *b = rows % 2 ? f32(&bias) : NULL;
    guarded before = guarded_new(((rows - 1) * lds + n) * sizeof(float));

    for (size_t i = 0; i < (rows - 1) * lds + n; i++)
        f32(&s)[i] *= 40.0f;
    memcpy(before.data, s.data, ((rows - 1) * lds + n) * sizeof(float));
    low->softmax(rows, n, 0.7f, b, f32(&s), lds, out.data, ldo, VIT_CHUNK);
    cr_assert(guarded_intact(&s) && guarded_intact(&out));
    for (size_t r = 0; r < rows; r++) {
        memcpy(x.data, f32(&before) + r * lds, n * sizeof(float));
        dsp->softmax(n, 0.7f, b, f32(&x));
        low->narrow(n, f32(&x), row.data, VIT_CHUNK);
        cr_assert_arr_eq(out.data + r * ldo, row.data, bytes,
                         "%s: row %zu of %zu, %zu scores", low->name, r, rows,
                         n);
        for (size_t i = n; r + 1 < rows && i < lds; i++)
            cr_assert_eq(f32(&s)[r * lds + i], f32(&before)[r * lds + i],
                         "%s: wrote behind row %zu", low->name, r);
    }
    guarded_free(&s), guarded_free(&bias), guarded_free(&out);
    guarded_free(&row), guarded_free(&x), guarded_free(&before);
}

static void check_softmax(const vit_low *low)
{
    uint64_t state = 5;

    for (size_t n = 1; low->softmax && n <= 260; n++)
        check_softmax_size(low, 1 + n % VIT_SOFTMAX_ROWS, n, &state);
}

Test(low, softmax_every_tail)
{
    each_tier(check_softmax);
}

/* A row that is not finite gives no number that looks like a result. */
static void check_not_finite(const vit_low *low)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};

    for (size_t i = 0; i < 3; i++) {
        for (size_t at = 0; at < 70; at += 23) {
            float x[70] = {1.0f, 2.0f};
            unsigned char out[70 * 4 + VIT_CHUNK];
            float scale;

            x[at] = bad[i];
            scale = low->narrow(70, x, out, VIT_CHUNK).scale;
            if (low->dtype == TOMEVIT_INT8)
                cr_assert(isnan(scale), "%s: %g", low->name, (double)scale);
            else
                cr_assert(same(low_element(low, out + at / low->per_chunk *
                                                VIT_CHUNK,
                                           at % low->per_chunk), bad[i]));
        }
    }
}

Test(low, rows_that_are_not_finite)
{
    each_tier(check_not_finite);
}

/* Words, transposition and pairs against the scalar ones. */
static void check_words(const vit_low *low)
{
    uint64_t state = 4;

    for (size_t k = 1; k <= 70; k++) {
        guarded x = floats(k, SPECIAL, &state), y = floats(k, SPECIAL, &state);
        size_t count = (k + low->per_word - 1) / low->per_word;
        guarded a = guarded_new(count * 4), b = guarded_new(count * 4);
        guarded c = guarded_new(k * 4), d = guarded_new(k * 4);
        void (*words)(size_t, const float *, float, uint32_t *) =
            low->dtype == TOMEVIT_BF16 ? tomevit_bf16_scalar.words
            : low->per_word == 4 ? tomevit_words_s8 : tomevit_words_s16;

        words(k, f32(&x), 1e-38f, u32(&a));
        low->words(k, f32(&x), 1e-38f, u32(&b));
        cr_assert_arr_eq(a.data, b.data, count * 4, "%s: %zu", low->name, k);
        cr_assert(guarded_intact(&b));
        for (int odd = 0; low->interleave && odd < 2; odd++) {
            tomevit_bf16_scalar.interleave(k, f32(&x), odd ? f32(&y) : NULL,
                                           u32(&c));
            low->interleave(k, f32(&x), odd ? f32(&y) : NULL, u32(&d));
            cr_assert_arr_eq(c.data, d.data, k * 4, "%s: %zu", low->name, k);
            cr_assert(guarded_intact(&d));
        }
        guarded_free(&x), guarded_free(&y);
        guarded_free(&a), guarded_free(&b);
        guarded_free(&c), guarded_free(&d);
    }
}

Test(low, words_every_tail)
{
    each_tier(check_words);
}

static void check_transpose(const vit_low *low)
{
    uint64_t state = 5;

    for (size_t rows = 1; rows <= low->nr; rows++) {
        for (size_t words = 1; words <= 40; words++) {
            size_t ldx = words + rows % 4, size = low->nr * words * 4;
            guarded x = floats((rows - 1) * ldx + words, SPECIAL, &state);
            guarded a = guarded_new(size), b = guarded_new(size);

            tomevit_transpose_words(rows, words, u32(&x), ldx, low->nr,
                                    u32(&a));
            low->transpose(rows, words, u32(&x), ldx, low->nr, u32(&b));
            cr_assert_arr_eq(a.data, b.data, size, "%s: %zu x %zu", low->name,
                             rows, words);
            cr_assert(guarded_intact(&b));
            guarded_free(&x), guarded_free(&a), guarded_free(&b);
        }
    }
}

Test(low, transpose_every_tail)
{
    each_tier(check_transpose);
}

/* ---- one row alone ------------------------------------------------------- */

/* Bits of a row do not depend on the rows beside it. */
static void check_rows(const vit_low *low)
{
    enum { K = 450, N = 40, ROWS = 40 };
    problem p = new_problem(low, ROWS, N, K, ORDINARY);
    static float all[ROWS * N], one[N], scratch[64 * 64];
    unsigned char row[K * 4 + 16 * 1024];
    vit_quant quant;
    vit_low_product product = {
        .rows = ROWS, .n = N, .words = vit_low_words(low, K),
        .a = p.a.data, .quants = quants(&p),
        .panels = u32(&p.panels), .column_scale = f32(&p.column_scale),
        .column_sum = f32(&p.column_sum),
        .y = all, .ldy = N, .scratch = scratch,
    };

    low->product(low, &product);
    cr_assert_leq(vit_low_bytes(low, 1, K), sizeof(row));
    memset(row, 0, sizeof(row));
    product.rows = 1;
    product.a = row;
    product.quants = &quant;
    product.y = one;
    for (size_t i = 0; i < ROWS; i++) {
        quant = low->narrow(K, f32(&p.x) + i * p.ldx, row,
                            low->interleaved * VIT_CHUNK);
        low->product(low, &product);
        cr_assert_arr_eq(one, all + i * N, sizeof(one), "%s on %s: row %zu",
                         tomevit_dtype_name(low->dtype), low->name, i);
    }
    free_problem(&p);
}

Test(low, rows_are_independent)
{
    each_tier(check_rows);
}

Test(low, choice_follows_flags)
{
    const vit_low *low;
    uint32_t needs;

    cr_assert_eq(tomevit_low_choose(TOMEVIT_BF16, 0), &tomevit_bf16_scalar);
    cr_assert_eq(tomevit_low_choose(TOMEVIT_INT8, 0), &tomevit_int8_scalar);
    cr_assert_null(tomevit_low_choose(TOMEVIT_F32, UINT32_MAX));
    for (size_t i = 0; (low = tomevit_low_tier(i, &needs)); i++) {
        uint32_t mask;

        cr_assert_eq(tomerge_cpu_mask(low->name, &mask), 0);
        cr_assert_eq(needs & ~mask, 0);
        cr_assert_eq(tomevit_low_choose(low->dtype, mask), low);
        cr_assert_leq(low->mr * low->nr, VIT_MAX_MR * VIT_MAX_NR);
        cr_assert_leq(low->nr, VIT_MAX_NR);
    }
}

/* Around int8 there is f32 but where a tier multiplies bf16 by itself. */
Test(low, around_the_layers)
{
    const vit_low *low;
    uint32_t needs;

    cr_assert_null(tomevit_low_outer(NULL, UINT32_MAX));
    cr_assert_null(tomevit_low_outer(&tomevit_int8_scalar, 0));
    for (size_t i = 0; (low = tomevit_low_tier(i, &needs)); i++) {
        if (low->dtype != TOMEVIT_BF16)
            continue;
        cr_assert_eq(tomevit_low_outer(low, needs), low);
        cr_assert_eq(tomevit_low_outer(&tomevit_int8_scalar, needs),
                     low_widens(low) ? NULL : low, "%s", low->name);
    }
}
