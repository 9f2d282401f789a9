/* SPDX-License-Identifier: MIT */
/*
 * What holds of every --method that the command has, inside a model: whoever
 * adds a row to the table has it tested here. The same bits for any batch,
 * number of threads and place in the batch, in every type; the class token
 * stays alone and first; sizes add up to what was not dropped; of equal tokens
 * the first by position decide; no row is computed that is no image's.
 */
#include "../src/base/args.h"
#include "../src/session/merging_args.h"
#include "../vit/forward/context.h"
#include "../vit/methods/methods.h"
#include "oracle.h"
#include "tiers.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 5, DEPTH = 6 };
#include "merged_model.h"

/* `batch` images at a time, the first of them being image `first` of all, which
 * come in turn; each one's results lie in its own place. */
static void run(const setting *s, tomevit_context *context,
                const tomevit_merging *merging, size_t batch, size_t first,
                results *got)
{
    memset(got, 0, sizeof(*got));
    for (size_t b = 0; b < IMAGES; b += batch) {
        tomevit_image images[IMAGES];
        results r = {0};
        tomevit_output out = {.logits = r.logits, .sizes = r.sizes,
                              .map = r.map, .rows = r.rows,
                              .layer_rows = r.layer_rows};

        for (size_t i = 0; i < batch; i++)
            images[i] = (tomevit_image){
                .data = s->pixels[(first + b + i) % IMAGES],
                .format = TOMEVIT_F32_CHW};
        cr_assert_eq(tomevit_forward(context, merging, batch, images, &out),
                     0);
        for (size_t i = 0; i < batch; i++) {
            size_t at = (first + b + i) % IMAGES;

            memcpy(got->logits + at * CLASSES, r.logits + i * CLASSES,
                   CLASSES * sizeof(float));
            memcpy(got->sizes + at * TOKENS, r.sizes + i * TOKENS,
                   r.rows[i] * sizeof(float));
            memcpy(got->map + at * TOKENS, r.map + i * TOKENS,
                   TOKENS * sizeof(int32_t));
            memcpy(got->layer_rows + at * DEPTH, r.layer_rows + i * DEPTH,
                   DEPTH * sizeof(size_t));
            got->rows[at] = r.rows[i];
        }
    }
}

/* Method `index` with r = 6, or with what says by itself how many go. */
static void resolve(const setting *s, int index, merging_run *resolved)
{
    const vit_method_row *row = tomevit_method_row(index);
    merging_args args;
    char why[ARGS_WHY];

    merging_args_init(&args);
    cr_assert_eq(merging_parse_method(row->is.name, &args, why), 0, "%s", why);
    if (row->is.method == TOMERGE_STRIDED)
        cr_assert_eq(merging_parse_schedule("1,0,1,0,0,0", &args, why), 0);
    else if (!merging_decides(&args))
        cr_assert_eq(merging_parse_r("6", &args, why), 0, "%s", why);
    cr_assert_eq(merging_resolve(&args, &s->d, 0, resolved, why), 0, "%s: %s",
                 row->is.name, why);
    merging_args_free(&args);
}

static void expect_sums(const vit_method_row *row, const results *got)
{
    for (size_t b = 0; b < IMAGES; b++) {
        const int32_t *map = got->map + b * TOKENS;
        float sum = 0, kept = 0;

        for (size_t t = 0; t < TOKENS; t++) {
            kept += map[t] >= 0;
            cr_assert_eq(map[t] == 0, t == 0, "%s: token %zu of image %zu is "
                         "in row %d", row->is.name, t, b, map[t]);
        }
        for (size_t i = 0; i < got->rows[b]; i++)
            sum += got->sizes[b * TOKENS + i];
        if (row->sizes == TOMEVIT_SIZES_COUNT)
            cr_assert_eq(sum, kept, "%s: sizes of %g, tokens %g", row->is.name,
                         (double)sum, (double)kept);
    }
}

Test(every_method, has_the_same_bits_in_any_company)
{
    static setting s;
    static results alone, all;

    set_up(&s, 1);
    for (int dtype = TOMEVIT_F32; dtype <= TOMEVIT_INT8; dtype++) {
        tomevit_open_options with;
        tomevit_context *one, *many;
        tomevit_model *model;

        tomevit_open_options_init(&with);
        with.dtype = dtype;
        cr_assert_eq(tomevit_model_build(&s.d, &with, s.source, &model), 0);
        cr_assert_eq(tomevit_context_create(model, 1, 1, &one), 0);
        cr_assert_eq(tomevit_context_create(model, IMAGES, 3, &many), 0);
        for (int index = 0; tomevit_method_row(index); index++) {
            const vit_method_row *row = tomevit_method_row(index);
            merging_run resolved;

            resolve(&s, index, &resolved);
            run(&s, one, &resolved.merging, 1, 0, &alone);
            for (size_t first = 0; first < IMAGES; first += 3) {
                run(&s, many, &resolved.merging, IMAGES, first, &all);
                cr_assert_eq(memcmp(&alone, &all, sizeof(all)), 0,
                             "%s, %s, from image %zu", row->is.name,
                             tomevit_dtype_name(dtype), first);
            }
            expect_sums(row, &alone);
            merging_run_free(&resolved);
        }
        tomevit_context_free(one);
        tomevit_context_free(many);
        tomevit_close(model);
    }
}

/* ---- rows that are multiplied -------------------------------------------- */

/* Of all products rows times depth, for each panel or each column. */
static uint64_t multiplied;
static const vit_dsp *counted;
static const vit_low *counted_low, *counted_outer;

static void count_gemm(size_t rows, size_t k, const float *a, size_t lda,
                       const float *b, float *c, size_t ldc, int add,
                       vit_ahead ahead)
{
    multiplied += rows * k;
    counted->gemm(rows, k, a, lda, b, c, ldc, add, ahead);
}

static void count_low(const vit_low *low, const vit_low_product *p)
{
    multiplied += p->rows * p->words * p->n;
    counted_low->product(low, p);
}

static void count_outer(const vit_low *low, const vit_low_product *p)
{
    multiplied += p->rows * p->words * p->n;
    counted_outer->product(low, p);
}

static int differ(const results *got)
{
    for (size_t b = 1; b < IMAGES; b++)
        if (memcmp(got->layer_rows, got->layer_rows + b * DEPTH,
                   DEPTH * sizeof(size_t)) != 0)
            return 1;
    return 0;
}

/* How many methods left the images unequal. */
static int count_methods(const setting *s, tomevit_model *model)
{
    static results got;
    tomevit_context *one, *many;
    int unequal = 0;

    cr_assert_eq(tomevit_context_create(model, 1, 1, &one), 0);
    cr_assert_eq(tomevit_context_create(model, IMAGES, 1, &many), 0);
    for (int index = 0; tomevit_method_row(index); index++) {
        merging_run resolved;
        uint64_t singly;

        resolve(s, index, &resolved);
        multiplied = 0;
        run(s, one, &resolved.merging, 1, 0, &got);
        singly = multiplied;
        multiplied = 0;
        run(s, many, &resolved.merging, IMAGES, 0, &got);
        cr_expect(singly > 0 && multiplied == singly,
                  "%s: %llu in a batch, %llu one by one",
                  tomevit_method_row(index)->is.name,
                  (unsigned long long)multiplied, (unsigned long long)singly);
        unequal += differ(&got);
        merging_run_free(&resolved);
    }
    tomevit_context_free(one);
    tomevit_context_free(many);
    return unequal;
}

/* Images that keep unequal numbers of tokens are not filled up to the longest:
 * in every type a batch multiplies as many rows as its images one by one. */
Test(every_method, multiplies_no_row_for_padding)
{
    static setting s;

    set_up(&s, 1);
    for (int dtype = TOMEVIT_F32; dtype <= TOMEVIT_INT8; dtype++) {
        tomevit_open_options with;
        tomevit_model *model;
        vit_dsp dsp;
        vit_low low, outer;

        tomevit_open_options_init(&with);
        with.dtype = dtype;
        cr_assert_eq(tomevit_model_build(&s.d, &with, s.source, &model), 0);
        counted = model->dsp;
        dsp = *counted;
        dsp.gemm = count_gemm;
        model->dsp = &dsp;
        counted_low = model->low;
        counted_outer = model->outer;
        if (counted_low) {
            low = *counted_low;
            low.product = count_low;
            model->low = &low;
        }
        if (counted_outer) {
            outer = *counted_outer;
            outer.product = count_outer;
            model->outer = &outer;
        }
        cr_expect_gt(count_methods(&s, model), 0,
                     "every method left all images the same number");
        model->dsp = counted;
        model->low = counted_low;
        model->outer = counted_outer;
        tomevit_close(model);
    }
}

static size_t members(size_t tokens, const int32_t *map, int32_t row)
{
    size_t count = 0;

    for (size_t i = 0; i < tokens; i++)
        count += map[i] == row;
    return count;
}

/* Whether those of every other token, from `from` on, that went are the first
 * or the last of those that may. */
static int is_end(size_t tokens, size_t from, const int32_t *map,
                  const int32_t *origin, const uint8_t *role)
{
    int changes = 0, before = -1;

    for (size_t i = from; i < tokens; i += 2) {
        int went = map[i] < 0 || (size_t)origin[map[i]] != i;

        if ((role && role[i] == TOMERGE_DESTINATION) ||
            (!went && members(tokens, map, map[i]) > 1))
            continue; /* others went into it */
        changes += before >= 0 && went != before;
        before = went;
    }
    return changes <= 1;
}

/* Where all tokens are equal, position decides, the same on every tier: on
 * either side, of even and of odd positions, it is the first that go or, where
 * the first are kept longest, the last. */
static void check_ties(int method, const char *tier, int32_t *map)
{
    enum { T = 24, C = 4, R = 5 };
    uint32_t needs = tomerge_method_needs(method);
    tomerge_options options = TOMERGE_OPTIONS_INIT;
    float metric[T * C], importance[T];
    int32_t origin[T];
    tomerge_plan plan = {T, 0, map, origin};
    tomerge_const_view rows = {metric, C, TOMERGE_F32};
    uint8_t role[T];
    size_t bytes;
    void *work;

    for (size_t i = 0; i < T * C; i++)
        metric[i] = (float)(i % C) + 1;
    for (size_t i = 0; i < T; i++) {
        importance[i] = 1;
        role[i] = i % 4 ? TOMERGE_MERGEABLE : TOMERGE_DESTINATION;
    }
    options.method = method;
    options.importance = importance;
    options.threshold = 0.5f;
    if (needs & TOMERGE_NEEDS_DESTINATIONS)
        options.role = role;
    cr_assert_eq(tomerge_match_workspace(&options, T, C, &bytes), 0);
    work = malloc(bytes);
    cr_assert(work);
    cr_assert_eq(tomerge_match(&options, C, rows, R, &plan, work, bytes), 0);
    free(work);
    if (!(needs & TOMERGE_NEEDS_R) || method == TOMERGE_RANDOM ||
        method == TOMERGE_CLUSTERS) /* in the order in which it finds pairs */
        return;
    cr_assert_eq(plan.rows, T - R, "%s, %s: %zu rows", tier,
                 tomerge_method_name(method), plan.rows);
    for (size_t from = 0; from < 2; from++)
        cr_assert(is_end(T, from, map, origin, options.role),
                  "%s, %s: others than the first or the last went", tier,
                  tomerge_method_name(method));
}

Test(every_method, takes_equal_tokens_in_order)
{
    for (int method = 0; tomerge_method_name(method); method++) {
        int32_t first[24], map[24];
        const char *tier;

        for (int at = 0; (tier = next_cpu_tier(&at));) {
            int is_first = strcmp(tier, "scalar") == 0;

            check_ties(method, tier, is_first ? first : map);
            if (!is_first)
                cr_assert_eq(memcmp(first, map, sizeof(map)), 0, "%s, %s",
                             tier, tomerge_method_name(method));
        }
    }
}
