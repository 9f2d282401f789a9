/* SPDX-License-Identifier: MIT */
/* Matching and merging against the reference implementation, on each tier. */
#include "golden.h"
#include "planning.h"
#include "tiers.h"

#include "../tomerge/match.h"

#include <math.h>
#include <string.h>

typedef struct golden_case {
    golden_file *file;
    const char *name;
    size_t batch, tokens, channels;
} golden_case;

static golden_case open_case(const char *folder, const json_t *entry)
{
    golden_case c = {.name = golden_string(entry, "file")};

    c.file = golden_open(folder, c.name);
    c.batch = golden_size(entry, "batch");
    c.tokens = golden_size(entry, "tokens");
    c.channels = golden_size(entry, "channels");
    return c;
}

/* Compares row by row to 1e-5 relative; a mean that cancels keeps the rounding
 * of the inputs, which are of order 1: 2^-23. `place` says where row j of
 * `expected` is in `found`, NULL where they agree in order. */
static void expect_rows(const char *name, const char *what,
                        const float *expected, const float *found, size_t rows,
                        size_t channels, const size_t *place)
{
    for (size_t j = 0; j < rows; j++) {
        for (size_t c = 0; c < channels; c++) {
            float e = expected[j * channels + c];
            float f = found[(place ? place[j] : j) * channels + c];

            cr_assert(fabsf(e - f) <= fmaxf(1e-5f * fabsf(e), 0x1p-23f),
                      "%s: %s row %zu channel %zu: %.9g, not %.9g", name, what,
                      j, c, (double)f, (double)e);
        }
    }
}

/* Where the reference's rows are in ours: it leaves the unmerged ones in the
 * order of `unm_idx`, we in ascending order. With a class token the two agree,
 * and then nothing may be reordered. */
static size_t *places(const int64_t *unmerged, size_t count, size_t rows,
                      int class_token)
{
    size_t *place = test_alloc(rows * sizeof(*place));

    for (size_t j = 0; j < rows; j++) {
        place[j] = j;
        if (class_token || j >= count)
            continue;
        place[j] = 0;
        for (size_t i = 0; i < count; i++)
            place[j] += unmerged[i] < unmerged[j];
    }
    return place;
}

static void check_merge_image(const golden_case *g, size_t image, size_t r,
                              size_t protect)
{
    size_t T = g->tokens, C = g->channels, B = g->batch;
    size_t most = tomerge_max_r(TOMERGE_ALTERNATING, T, protect);
    size_t merged = r < most ? r : most;
    size_t rows = T - merged, kept = (T + 1) / 2 - merged;
    const float *x = golden_f32(g->file, "x", B * T * C) + image * T * C;
    const float *size = golden_f32(g->file, "size", B * T) + image * T;
    const int32_t *group = golden_i32(g->file, "group", B * T) + image * T;
    float *y = test_alloc(T * C * sizeof(*y));
    float *back = test_alloc(T * C * sizeof(*back));
    float *sums = test_alloc(T * sizeof(*sums));
    size_t *place = places(golden_i64(g->file, "unm_idx", B * kept) +
                               image * kept, kept, rows, protect > 0);
    tomerge_options options;
    tomerge_plan plan;

    tomerge_options_init(&options);
    options.protect = protect;
    plan = match_f32(&options, T, C, golden_f32(g->file, "metric", B * T * C) +
                                         image * T * C, r);
    cr_assert_eq(plan.rows, rows, "%s: %zu rows, not %zu", g->name, plan.rows,
                 rows);
    for (size_t i = 0; i < T; i++)
        cr_assert_eq((size_t)plan.map[i], place[group[i]],
                     "%s: token %zu goes to %d, not %zu", g->name, i,
                     plan.map[i], place[group[i]]);

    merge_f32(TOMERGE_WEIGHTED, &plan, C, x, size, y, sums);
    expect_rows(g->name, "merged", golden_f32(g->file, "merged", B * rows * C) +
                image * rows * C, y, rows, C, place);
    expect_rows(g->name, "size", golden_f32(g->file, "merged_size", B * rows) +
                image * rows, sums, rows, 1, place);
    cr_assert_eq(tomerge_unmerge(&plan, C, view_f32(y, C),
                                 view_f32_out(back, C)), 0);
    if (protect < 2) /* the reference cannot undo a distilled model's order */
        expect_rows(g->name, "unmerged", golden_f32(g->file, "unmerged",
                    B * T * C) + image * T * C, back, T, C, NULL);
    merge_f32(TOMERGE_MEAN, &plan, C, x, NULL, y, sums);
    expect_rows(g->name, "unit",
                golden_f32(g->file, "merged_unit", B * rows * C) +
                    image * rows * C,
                y, rows, C, place);
    expect_rows(g->name, "unit size", golden_f32(g->file, "merged_unit_size",
                B * rows) + image * rows, sums, rows, 1, place);
    merge_f32(TOMERGE_MAX, &plan, C, x, NULL, y, NULL);
    expect_rows(g->name, "amax", golden_f32(g->file, "amax", B * rows * C) +
                image * rows * C, y, rows, C, place);
    free(place);
    free(y);
    free(back);
    free(sums);
    free_plan(&plan);
}

TIER_TEST(golden, merge_cases)
{
    const char *folder = golden_folder();
    json_t *index = golden_index(folder), *entry;
    size_t i;

    json_array_foreach(json_object_get(index, "merge"), i, entry) {
        golden_case g = open_case(folder, entry);

        for (size_t b = 0; b < g.batch; b++)
            check_merge_image(&g, b, golden_size(entry, "r"),
                              golden_size(entry, "class_token") +
                                  golden_size(entry, "distill_token"));
        golden_close(g.file);
    }
    cr_assert_geq(i, 33);
    json_decref(index);
}

/* The reference drops the tokens after the last whole group, also from
 * `unmerged`; ours keeps their rows as zeros. */
static void check_kth_image(const golden_case *g, size_t image, size_t stride)
{
    size_t T = g->tokens, C = g->channels, B = g->batch;
    size_t rows = T / stride, whole = rows * stride;
    const float *x = golden_f32(g->file, "x", B * T * C) + image * T * C;
    float *y = test_alloc(T * C * sizeof(*y)),
          *sums = test_alloc(T * sizeof(*sums));
    float *back = test_alloc(T * C * sizeof(*back)), total = 0;
    tomerge_options options;
    tomerge_plan plan;

    tomerge_options_init(&options);
    options.method = TOMERGE_STRIDED;
    options.stride = stride;
    plan = match_f32(&options, T, C, golden_f32(g->file, "metric", B * T * C) +
                                         image * T * C, 0);
    cr_assert_eq(plan.rows, rows);
    merge_f32(TOMERGE_WEIGHTED, &plan, C, x, NULL, y, sums);
    expect_rows(g->name, "merged", golden_f32(g->file, "merged", B * rows * C) +
                image * rows * C, y, rows, C, NULL);
    expect_rows(g->name, "size", golden_f32(g->file, "merged_size", B * rows) +
                image * rows, sums, rows, 1, NULL);
    cr_assert_eq(tomerge_unmerge(&plan, C, view_f32(y, C),
                                 view_f32_out(back, C)), 0);
    expect_rows(g->name, "unmerged", golden_f32(g->file, "unmerged",
                B * whole * C) + image * whole * C, back, whole, C, NULL);
    for (size_t j = 0; j < rows; j++)
        total += sums[j];
    cr_assert_eq(total, (float)whole);
    for (size_t i = whole; i < T; i++) {
        cr_assert_eq(plan.map[i], -1);
        cr_assert_eq(back[i * C], 0);
    }
    free(y);
    free(sums);
    free(back);
    free_plan(&plan);
}

TIER_TEST(golden, strided_cases)
{
    const char *folder = golden_folder();
    json_t *index = golden_index(folder), *entry;
    size_t i;

    json_array_foreach(json_object_get(index, "kth"), i, entry) {
        golden_case g = open_case(folder, entry);

        for (size_t b = 0; b < g.batch; b++)
            check_kth_image(&g, b, golden_size(entry, "k"));
        golden_close(g.file);
    }
    cr_assert_eq(i, 4);
    json_decref(index);
}

/* Positions of the smaller entries: the place of each in ascending order. */
static size_t *ranks(const int64_t *list, size_t count, int32_t *ascending)
{
    size_t *rank = test_alloc(count * sizeof(*rank));

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++)
            rank[i] += list[j] < list[i];
        ascending[rank[i]] = (int32_t)list[i];
    }
    return rank;
}

/* The partition is the reference's own, so the method's draw is left out. */
static void check_random_image(const golden_case *g, size_t image, size_t r)
{
    size_t T = g->tokens, C = g->channels, B = g->batch, n = T - r, bytes;
    const float *metric = golden_f32(g->file, "metric", B * T * C);
    tomerge_plan plan = new_plan(T);
    tomerge_job job = {.tokens = T, .channels = C, .r = r, .map = plan.map,
                       .origin = plan.origin};
    float *y = test_alloc(T * C * sizeof(*y));
    tomerge_arena arena;
    tomerge_dsp dsp;
    void *workspace;
    size_t *place;

    tomerge_options_init(&job.options);
    cr_assert_eq(tomerge_match_workspace(&job.options, T, C, &bytes), 0);
    workspace = test_alloc(bytes);
    arena = tomerge_arena_at(workspace);
    tomerge_match_carve(&job.space, &arena, &job.options, T, C);
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    job.dsp = &dsp;
    job.metric = view_f32(metric + image * T * C, C);
    free(ranks(golden_i64(g->file, "a_idx", B * r) + image * r, r,
               job.space.sources));
    place = ranks(golden_i64(g->file, "b_idx", B * n) + image * n, n,
                  job.space.destinations);
    tomerge_pair(&job, r, n, r);
    plan.rows = job.rows;
    cr_assert_eq(plan.rows, n);

    merge_f32(TOMERGE_MEAN, &plan, C, golden_f32(g->file, "x", B * T * C) +
              image * T * C, NULL, y, NULL);
    expect_rows(g->name, "merged", golden_f32(g->file, "merged", B * n * C) +
                image * n * C, y, n, C, place);
    free(workspace);
    free(place);
    free(y);
    free_plan(&plan);
}

TIER_TEST(golden, random_cases)
{
    const char *folder = golden_folder();
    json_t *index = golden_index(folder), *entry;
    size_t i;

    json_array_foreach(json_object_get(index, "random"), i, entry) {
        golden_case g = open_case(folder, entry);

        for (size_t b = 0; b < g.batch; b++)
            check_random_image(&g, b, golden_size(entry, "r"));
        golden_close(g.file);
    }
    cr_assert_eq(i, 2);
    json_decref(index);
}
