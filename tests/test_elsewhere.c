/* SPDX-License-Identifier: MIT */
/*
 * Merging elsewhere than between attention and MLP: before a layer is behind
 * the one before it, bit for bit; one step ahead gives the same bits alone and
 * in a batch, and bf16 and int8 what their rounding allows. Mutual nearest
 * neighbours are those of a plain search in double precision.
 */
#include "../vit/forward/context.h"
#include "oracle.h"
#include "planning.h"
#include "tiers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { IMAGES = 5, DEPTH = 4 };
#include "merged_model.h"

/* `batch` images at a time. */
static void run(const setting *s, int dtype, const tomevit_merging *merging,
                size_t batch, int threads, results *got)
{
    tomevit_open_options with;
    tomevit_model *model;
    tomevit_context *context;

    memset(got, 0, sizeof(*got));
    tomevit_open_options_init(&with);
    with.dtype = dtype;
    cr_assert_eq(tomevit_model_build(&s->d, &with, s->source, &model), 0);
    cr_assert_eq(tomevit_context_create(model, batch, threads, &context), 0);
    for (size_t b = 0; b < IMAGES; b += batch) {
        tomevit_output out = {.logits = got->logits + b * CLASSES,
                              .sizes = got->sizes + b * TOKENS,
                              .map = got->map + b * TOKENS,
                              .rows = got->rows + b,
                              .layer_rows = got->layer_rows + b * DEPTH};

        cr_assert_eq(tomevit_forward(context, merging, batch, s->images + b,
                                     &out), 0);
    }
    tomevit_context_free(context);
    tomevit_close(model);
}

static void merge_mctf(tomevit_merging *m, int where, const size_t *r)
{
    tomevit_merging_init(m);
    m->matching.method = TOMERGE_MCTF;
    m->metric = TOMEVIT_METRIC_X;
    m->importance = TOMEVIT_IMPORTANCE_RECEIVED;
    m->weights = TOMEVIT_WEIGHTS_IMPORTANCE;
    m->where = where;
    m->r = r;
}

static void check_bits(const char *tier)
{
    static const size_t r[DEPTH] = {9, 0, 7, 5};
    static setting s;
    static results one, all;

    set_up(&s, 1);
    for (int where = TOMEVIT_MERGE_AHEAD; where <= TOMEVIT_MERGE_AFTER; where++)
        for (int dtype = TOMEVIT_F32; dtype <= TOMEVIT_INT8; dtype++) {
            tomevit_merging m;

            merge_mctf(&m, where, r);
            run(&s, dtype, &m, 1, 1, &one);
            run(&s, dtype, &m, IMAGES, 3, &all);
            cr_assert_eq(memcmp(&one, &all, sizeof(one)), 0, "%s, %s, %d", tier,
                         tomevit_dtype_name(dtype), where);
            for (size_t b = 0; b < IMAGES; b++)
                cr_assert_eq(one.rows[b], TOKENS - 9 - 7 - 5);
        }
}

/* One layer that merges, and of the merged tokens others than in f32 may be
 * neighbours; so few that the answers are near. */
static void check_types(const char *tier)
{
    static const size_t r[DEPTH] = {0, 4, 0, 0};
    static const float bounds[] = {0, 0.05f, 0.1f};
    static setting s;
    static results exact, got;
    tomevit_merging m;

    set_up(&s, 1);
    merge_mctf(&m, TOMEVIT_MERGE_AHEAD, r);
    run(&s, TOMEVIT_F32, &m, 1, 1, &exact);
    for (int dtype = TOMEVIT_BF16; dtype <= TOMEVIT_INT8; dtype++) {
        float largest = 0, off = 0;

        run(&s, dtype, &m, 1, 1, &got);
        for (size_t i = 0; i < IMAGES * CLASSES; i++) {
            largest = fmaxf(largest, fabsf(exact.logits[i]));
            off = fmaxf(off, fabsf(exact.logits[i] - got.logits[i]));
        }
        cr_assert_leq(off, bounds[dtype] * largest, "%s, %s: %g of %g", tier,
                      tomevit_dtype_name(dtype), (double)off, (double)largest);
    }
}

Test(elsewhere, the_same_bits_in_any_batch)
{
    each_cpu_tier(check_bits);
}

Test(elsewhere, narrow_types_are_near)
{
    each_cpu_tier(check_types);
}

/* Where no attention is asked for, nothing tells the two apart. */
Test(elsewhere, before_a_layer_is_behind_the_one_before)
{
    static const size_t before[DEPTH] = {0, 1, 0, 1};
    static const size_t after[DEPTH] = {1, 0, 1, 0};
    static setting s;
    static results one, other;
    tomevit_merging m;

    set_up(&s, 1);
    tomevit_merging_init(&m);
    m.matching.method = TOMERGE_MUTUAL;
    m.combine = TOMERGE_MEAN;
    m.metric = TOMEVIT_METRIC_X;
    m.where = TOMEVIT_MERGE_BEFORE;
    m.r = before;
    run(&s, TOMEVIT_F32, &m, 1, 1, &one);
    m.where = TOMEVIT_MERGE_AFTER;
    m.r = after;
    run(&s, TOMEVIT_F32, &m, 1, 1, &other);
    cr_assert_eq(memcmp(one.logits, other.logits, sizeof(one.logits)), 0);
    cr_assert_eq(memcmp(one.map, other.map, sizeof(one.map)), 0);
    for (size_t b = 0; b < IMAGES; b++) {
        cr_assert_lt(one.rows[b], TOKENS);
        cr_assert_eq(one.layer_rows[b * DEPTH], TOKENS);
        cr_assert_eq(other.layer_rows[b * DEPTH],
                     one.layer_rows[b * DEPTH + 1]);
    }
}

/* The most similar other token, the first of equals; -1 for none. */
static int nearest(size_t tokens, size_t channels, const float *x, size_t i,
                   size_t protect)
{
    double best = -(double)INFINITY;
    int found = -1;

    for (size_t j = protect; j < tokens; j++) {
        double dot = 0, a = 0, b = 0;

        for (size_t c = 0; c < channels; c++) {
            dot += (double)x[i * channels + c] * (double)x[j * channels + c];
            a += (double)x[i * channels + c] * (double)x[i * channels + c];
            b += (double)x[j * channels + c] * (double)x[j * channels + c];
        }
        if (j != i && a > 0 && b > 0 && dot / sqrt(a * b) > best) {
            best = dot / sqrt(a * b);
            found = (int)j;
        }
    }
    return found;
}

/* Two protected tokens, one without a direction; 300 random sequences. */
TIER_TEST(elsewhere, mutual_neighbours_become_one)
{
    enum { T = 41, C = 5, PROTECT = 2 };
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    float x[T * C];
    uint64_t state = 3;

    options.method = TOMERGE_MUTUAL;
    options.protect = PROTECT;
    for (int round = 0; round < 300; round++) {
        size_t tokens = PROTECT + (size_t)round % (T - PROTECT), rows = 0;
        tomerge_plan plan;

        for (size_t i = 0; i < T * C; i++)
            x[i] = (float)random_bits(&state) / 2147483648.0f - 1;
        memset(x + (tokens / 2) * C, 0, C * sizeof(*x));
        plan = match_f32(&options, tokens, C, x, 0);
        for (size_t i = 0; i < tokens; i++) {
            int other = i < PROTECT ? -1 : nearest(tokens, C, x, i, PROTECT);
            int joins = other >= 0 && (size_t)other < i &&
                        nearest(tokens, C, x, (size_t)other, PROTECT) == (int)i;

            cr_assert_eq(plan.map[i], joins ? plan.map[other] : (int32_t)rows);
            rows += !joins;
        }
        cr_assert_eq(plan.rows, rows);
        free_plan(&plan);
    }
}
