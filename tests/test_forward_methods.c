/* SPDX-License-Identifier: MIT */
/* Methods that look at the importance of tokens, inside a model: what attention
 * pays to each is as a plain double precision pass has it, on every tier and in
 * every type, and the output says what every layer leaves. */
#include "../vit/forward/context.h"
#include "oracle.h"
#include "tiers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { IMAGES = 3, DEPTH = 4, GO = 9 };
#include "merged_model.h"

/* Weights large enough that attention differs from token to token. */
static int read_stronger(void *self, enum vit_tensor t, size_t layer,
                         float *out)
{
    vit_random *random = self;
    vit_source weak = tomevit_random_source(random);
    int error = weak.read(weak.self, t, layer, out);
    size_t n = tomevit_shape_in(random->description, layer, t, NULL, NULL);

    for (size_t i = 0; i < n; i++)
        out[i] *= 6.0f;
    return error;
}

static void set_up_stronger(setting *s, int class_token)
{
    set_up(s, class_token);
    s->source = (vit_source){.read = read_stronger, .self = &s->random};
}

static void run(const setting *s, int dtype, const tomevit_merging *merging,
                results *got)
{
    tomevit_output out = {.logits = got->logits, .sizes = got->sizes,
                          .map = got->map, .rows = got->rows,
                          .layer_rows = got->layer_rows};
    tomevit_open_options with;
    tomevit_model *model;
    tomevit_context *context;

    tomevit_open_options_init(&with);
    with.dtype = dtype;
    cr_assert_eq(tomevit_model_build(&s->d, &with, s->source, &model), 0);
    cr_assert_eq(tomevit_context_create(model, IMAGES, 2, &context), 0);
    cr_assert_eq(tomevit_forward(context, merging, IMAGES, s->images, &out), 0);
    tomevit_context_free(context);
    tomevit_close(model);
}

/* The tokens that went matter least, as far as the type can tell. */
static void expect_least(const setting *s, size_t image, const int32_t *map,
                         double tolerance, const char *what)
{
    double importance[TOKENS], dropped = 0.0, kept = HUGE_VAL;
    size_t gone = 0;

    oracle_importance(&s->d, s->source, s->pixels[image], importance);
    for (size_t t = s->d.prefix; t < s->d.tokens; t++) {
        if (map[t] < 0)
            dropped = fmax(dropped, importance[t]);
        else
            kept = fmin(kept, importance[t]);
        gone += map[t] < 0;
    }
    cr_expect_eq(gone, GO, "%s: %zu", what, gone);
    cr_expect_lt(dropped, kept * (1.0 + tolerance), "%s: %g, not %g", what,
                 dropped, kept);
}

static void check_topk(const char *tier)
{
    static const double tolerances[] = {1e-4, 0.1, 0.2};
    static setting s;
    static results got;
    char what[64];

    for (int with = 0; with <= 1; with++) {
        for (int dtype = TOMEVIT_F32; dtype <= TOMEVIT_INT8; dtype++) {
            size_t r[4] = {GO, 0, 0, 0};
            tomevit_merging m;

            set_up_stronger(&s, with);
            tomevit_merging_init(&m);
            m.matching.method = TOMERGE_TOPK;
            m.r = r;
            run(&s, dtype, &m, &got);
            snprintf(what, sizeof(what), "%s on %s, class token %d",
                     tomevit_dtype_name(dtype), tier, with);
            for (size_t b = 0; b < IMAGES; b++) {
                cr_expect_eq(got.rows[b], s.d.tokens - GO);
                expect_least(&s, b, got.map + b * s.d.tokens,
                             tolerances[dtype], what);
            }
        }
    }
}

Test(methods, topk_drops_what_attention_passes_over)
{
    each_cpu_tier(check_topk);
}

/* In every layer, the last one too, which computes the rows that are read. */
Test(methods, evit_fuses_and_counts_what_it_fused)
{
    static setting s;
    static results got;
    size_t r[4] = {GO, 0, 7, 5};
    tomevit_merging m;

    for (int with = 0; with <= 1; with++) {
        set_up_stronger(&s, with);
        tomevit_merging_init(&m);
        m.matching.method = TOMERGE_EVIT;
        m.combine = TOMERGE_WEIGHTED_SUM;
        m.r = r;
        run(&s, TOMEVIT_F32, &m, &got);
        for (size_t b = 0; b < IMAGES; b++) {
            const size_t *rows = got.layer_rows + b * 4;
            const float *sizes = got.sizes + b * s.d.tokens;
            float all = 0.0f;

            cr_assert_eq(rows[0], s.d.tokens - GO);
            cr_assert_eq(rows[1], rows[0]);
            cr_assert_eq(rows[2], rows[1] - 7);
            cr_assert_eq(rows[3], rows[2] - 5);
            cr_assert_eq(got.rows[b], rows[3]);
            for (size_t i = 0; i < rows[3]; i++)
                all += sizes[i];
            cr_assert_eq(all, (float)s.d.tokens, "%f tokens", (double)all);
            for (size_t i = 0; i < CLASSES; i++)
                cr_assert(isfinite(got.logits[b * CLASSES + i]));
        }
    }
}

/* The last layer of the pass planned nothing and computed the class token's
 * row alone: what is planned is the third's. */
static void expect_last_unread(const tomevit_context *context, int metric)
{
    const vit_team *team = context->alone->group ? context->alone
                                                 : &context->all;

    cr_expect_eq(team->rows.offsets[1], 1, "%s: %zu rows",
                 tomevit_metric_name(metric), team->rows.offsets[1]);
    cr_expect_eq(team->planned[0], TOKENS - GO - 7, "%s: %zu planned",
                 tomevit_metric_name(metric), team->planned[0]);
}

/* Whoever asks for the rows alone gets the logits of one who does not, for the
 * same work; the last layer's r counts all the same. */
Test(methods, rows_that_leave_layers_cost_nothing)
{
    static setting s;
    static const size_t r[4] = {GO, 0, 7, 5};
    float plain[IMAGES * CLASSES], counted[IMAGES * CLASSES];
    size_t rows[IMAGES * 4];
    tomevit_output out[2] = {{.logits = plain},
                             {.logits = counted, .layer_rows = rows}};
    tomevit_open_options with;
    tomevit_merging m;
    tomevit_model *model;
    tomevit_context *context;

    set_up_stronger(&s, 1);
    tomevit_open_options_init(&with);
    tomevit_merging_init(&m);
    m.r = r;
    cr_assert_eq(tomevit_model_build(&s.d, &with, s.source, &model), 0);
    cr_assert_eq(tomevit_context_create(model, IMAGES, 1, &context), 0);
    for (int metric = TOMEVIT_METRIC_K; metric <= TOMEVIT_METRIC_X; metric++) {
        m.metric = metric;
        for (int k = 0; k < 2; k++) {
            cr_assert_eq(tomevit_forward(context, &m, IMAGES, s.images,
                                         &out[k]), 0);
            expect_last_unread(context, metric);
        }
        cr_expect_arr_eq(plain, counted, sizeof(plain));
        for (size_t b = 0; b < IMAGES; b++) {
            cr_expect_eq(rows[b * 4 + 2], TOKENS - GO - 7);
            cr_expect_eq(rows[b * 4 + 3], TOKENS - GO - 7 - 5);
        }
    }
    tomevit_context_free(context);
    tomevit_close(model);
}

/* Layers that merge nothing leave what they were given. */
Test(methods, every_layer_says_what_it_leaves)
{
    static setting s;
    static results got;
    size_t r[4] = {0, 6, 0, 100};
    tomevit_merging m;

    set_up_stronger(&s, 1);
    tomevit_merging_init(&m);
    m.r = r;
    run(&s, TOMEVIT_F32, &m, &got);
    for (size_t b = 0; b < IMAGES; b++) {
        const size_t *rows = got.layer_rows + b * 4;

        cr_assert(rows[0] == 65 && rows[1] == 59 && rows[2] == 59);
        cr_assert_eq(rows[3], 30);
    }
    run(&s, TOMEVIT_F32, NULL, &got);
    for (size_t i = 0; i < IMAGES * 4; i++)
        cr_assert_eq(got.layer_rows[i], 65);
}
