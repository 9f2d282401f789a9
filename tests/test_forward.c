/* SPDX-License-Identifier: MIT */
/* The forward pass against the reference implementation's whole models, on
 * every tier, and the promise of the same bits whatever the batch. */
#include "../vit/checkpoint/checkpoint.h"
#include "golden.h"
#include "../vit/model/model.h"
#include "oracle.h"
#include "small_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static tomevit_model *open_model(const char *folder, const char *name)
{
    char *path = golden_path(folder, name);
    tomevit_model *model;
    tomevit_message why;
    int error = tomevit_open(path, NULL, &model, &why);

    cr_assert_eq(error, 0, "%s", why.text);
    free(path);
    return model;
}

/* ---- the reference's models ---------------------------------------------- */

/* r of a run: a number, [r, inflection] with a real second, or a list. */
static void schedule_of(const json_t *run, size_t depth, size_t *r)
{
    const json_t *v = json_object_get(run, "r");
    size_t list[64], n = json_array_size(v);

    if (json_is_integer(v)) {
        cr_assert_eq(tomerge_schedule(depth, (size_t)json_integer_value(v), 0.0,
                                      r), 0);
    } else if (n == 2 && json_is_real(json_array_get(v, 1))) {
        cr_assert_eq(tomerge_schedule(depth,
            (size_t)json_integer_value(json_array_get(v, 0)),
            json_real_value(json_array_get(v, 1)), r), 0);
    } else {
        cr_assert(n <= 64);
        for (size_t i = 0; i < n; i++)
            list[i] = (size_t)json_integer_value(json_array_get(v, i));
        cr_assert_eq(tomerge_schedule_list(depth, n, list, r), 0);
    }
}

typedef struct results {
    float *logits, *sizes;
    int32_t *map;
    size_t *rows;
} results;

static results results_new(const tomevit_description *d, size_t batch)
{
    results r = {
        calloc(batch * d->classes, sizeof(float)),
        calloc(batch * d->tokens, sizeof(float)),
        calloc(batch * d->tokens, sizeof(int32_t)),
        calloc(batch, sizeof(size_t)),
    };

    cr_assert(r.logits && r.sizes && r.map && r.rows);
    return r;
}

static void results_free(results *r)
{
    free(r->logits), free(r->sizes), free(r->map), free(r->rows);
}

static void compare_groups(const golden_file *io, size_t run, size_t batch,
                           const tomevit_description *d, const results *got,
                           const char *tier)
{
    char name[32];
    const int32_t *group;
    const float *size;
    size_t rows = got->rows[0];

    snprintf(name, sizeof(name), "group_%zu", run);
    if (!golden_find(io, name)) {
        cr_assert_eq(rows, d->tokens, "nothing should merge");
        return;
    }
    group = golden_i32(io, name, batch * d->tokens);
    snprintf(name, sizeof(name), "size_%zu", run);
    size = golden_f32(io, name, batch * rows);
    for (size_t b = 0; b < batch; b++) {
        cr_assert_eq(got->rows[b], rows);
        for (size_t t = 0; t < d->tokens; t++)
            cr_assert_eq(got->map[b * d->tokens + t], group[b * d->tokens + t],
                         "%s: run %zu image %zu token %zu", tier, run, b, t);
        for (size_t j = 0; j < rows; j++)
            cr_assert_eq(got->sizes[b * d->tokens + j], size[b * rows + j],
                         "%s: run %zu image %zu row %zu", tier, run, b, j);
    }
}

static void compare_logits(const golden_file *io, size_t run, size_t batch,
                           const tomevit_description *d, const results *got,
                           const char *tier)
{
    char name[32];
    const float *want;
    float largest = 0.0f;

    snprintf(name, sizeof(name), "logits_%zu", run);
    want = golden_f32(io, name, batch * d->classes);
    for (size_t i = 0; i < batch * d->classes; i++)
        largest = fmaxf(largest, fabsf(want[i]));
    for (size_t i = 0; i < batch * d->classes; i++)
        cr_assert_float_eq(got->logits[i], want[i], 1e-4f * largest,
                           "%s: run %zu logit %zu: %.9g not %.9g", tier, run,
                           i, (double)got->logits[i], (double)want[i]);
}

static void check_model(const char *tier, const char *folder,
                        const json_t *entry)
{
    tomevit_model *model = open_model(folder, golden_string(entry, "weights"));
    golden_file *io = golden_open(folder, golden_string(entry, "io"));
    const tomevit_description *d = tomevit_describe(model);
    size_t pixels = 3 * d->image_size * d->image_size, index, batch, r[64];
    const golden_tensor *x = golden_get(io, "x");
    tomevit_context *context;
    tomevit_image images[8];
    const json_t *run;
    results got;

    batch = x->shape[0];
    cr_assert(batch <= 8 && x->count == batch * pixels && d->depth <= 64);
    for (size_t b = 0; b < batch; b++)
        images[b] = (tomevit_image){
            .data = (float *)x->data + b * pixels,
            .format = TOMEVIT_F32_CHW};
    got = results_new(d, batch);
    cr_assert_eq(tomevit_context_create(model, batch, 2, &context), 0);
    json_array_foreach(json_object_get(entry, "runs"), index, run) {
        tomevit_output out = {.logits = got.logits, .map = got.map,
                              .sizes = got.sizes, .rows = got.rows};
        tomevit_merging merging;

        tomevit_merging_init(&merging);
        schedule_of(run, d->depth, r);
        merging.r = r;
        merging.prop_attn = json_is_true(json_object_get(run, "prop_attn"));
        cr_assert_eq(tomevit_forward(context, &merging, batch, images, &out),
                     0);
        compare_groups(io, index, batch, d, &got, tier);
        compare_logits(io, index, batch, d, &got, tier);
    }
    tomevit_context_free(context);
    results_free(&got);
    golden_close(io);
    tomevit_close(model);
}

static void check_models(const char *tier)
{
    const char *folder = golden_folder();
    json_t *index = golden_index(folder);
    const json_t *entry;
    size_t i;

    cr_assert_gt(json_array_size(json_object_get(index, "model")), 0);
    json_array_foreach(json_object_get(index, "model"), i, entry)
        check_model(tier, folder, entry);
    json_decref(index);
}

Test(forward, equals_the_reference_on_every_tier)
{
    each_tier(check_models);
}

/* ---- the same bits ------------------------------------------------------- */

enum { IMAGES = 35 };

static tomevit_model *small_model(int pool, int fc_norm, int distilled)
{
    tomevit_description d = small_description(pool, fc_norm, distilled);

    return model_of(&d);
}

/* Logits, maps and sizes of all images, in batches of `batch` starting at
 * image `first` and wrapping round. */
static results run_all(const tomevit_model *model, const uint8_t *crops,
                       size_t batch, int threads, size_t first)
{
    const tomevit_description *d = tomevit_describe(model);
    results got = results_new(d, IMAGES);
    tomevit_image images[IMAGES];
    size_t r[4] = {9, 5, 12, 7};
    tomevit_context *context;
    tomevit_merging merging;

    tomevit_merging_init(&merging);
    merging.r = r;
    cr_assert_eq(tomevit_context_create(model, batch, threads, &context), 0);
    for (size_t done = 0; done < IMAGES; done += batch) {
        size_t n = IMAGES - done < batch ? IMAGES - done : batch;
        results part = results_new(d, n);
        tomevit_output out = {.logits = part.logits, .map = part.map,
                              .sizes = part.sizes, .rows = part.rows};

        for (size_t i = 0; i < n; i++)
            images[i] = (tomevit_image){
                .data = crops + (done + i + first) % IMAGES * SIDE * SIDE * 3,
                .format = TOMEVIT_RGB8_HWC};
        cr_assert_eq(tomevit_forward(context, &merging, n, images, &out), 0);
        for (size_t i = 0; i < n; i++) {
            size_t to = (done + i + first) % IMAGES;

            memcpy(got.logits + to * CLASSES, part.logits + i * CLASSES,
                   CLASSES * sizeof(float));
            memcpy(got.map + to * d->tokens, part.map + i * d->tokens,
                   d->tokens * sizeof(int32_t));
            memcpy(got.sizes + to * d->tokens, part.sizes + i * d->tokens,
                   part.rows[i] * sizeof(float));
            got.rows[to] = part.rows[i];
        }
        results_free(&part);
    }
    tomevit_context_free(context);
    return got;
}

static void check_same_bits(const char *tier)
{
    static const struct {
        size_t batch, first;
        int threads;
    } ways[] = {{1, 0, 1}, {1, 0, 2}, {7, 0, 1}, {7, 3, 2}, {32, 0, 3},
                {32, 11, 2}, {35, 20, 3}, {2, 1, 8}, {3, 0, 2}, {4, 2, 4},
                {35, 4, 4}, {33, 5, 2}, {20, 0, 2}, {35, 1, 5},
                {1, 2, 16}, {2, 0, 24}};
    tomevit_model *model = small_model(TOMEVIT_POOL_CLASS, 0, 1);
    uint8_t *crops = random_crops(IMAGES);
    results want = run_all(model, crops, IMAGES, 1, 0);
    size_t tokens = tomevit_describe(model)->tokens;

    for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
        results got = run_all(model, crops, ways[w].batch, ways[w].threads,
                              ways[w].first);

        cr_assert_eq(memcmp(got.logits, want.logits,
                            IMAGES * CLASSES * sizeof(float)), 0,
                     "%s: batch %zu, %d threads, from %zu", tier,
                     ways[w].batch, ways[w].threads, ways[w].first);
        cr_assert_eq(memcmp(got.map, want.map,
                            IMAGES * tokens * sizeof(int32_t)), 0);
        cr_assert_eq(memcmp(got.sizes, want.sizes,
                            IMAGES * tokens * sizeof(float)), 0);
        for (size_t b = 0; b < IMAGES; b++)
            cr_assert_eq(got.rows[b], tokens - 33);
        results_free(&got);
    }
    results_free(&want);
    free(crops);
    tomevit_close(model);
}

Test(forward, same_bits_for_any_batch_threads_and_place)
{
    each_tier(check_same_bits);
}

/* ---- the last layer computes what is read -------------------------------- */

enum { FEW = 5 };

typedef struct everything {
    float logits[FEW * CLASSES], features[FEW * 48], sizes[FEW * 66];
    int32_t map[FEW * 66];
    size_t rows[FEW];
} everything;

/* FEW images; maps, sizes and rows too if `all`. Metric -1: no merging. */
static void run_few(const tomevit_model *model, const uint8_t *crops,
                    int metric, int all, everything *e)
{
    size_t r[4] = {9, 5, 12, 7};
    tomevit_output out = {.logits = e->logits, .features = e->features};
    tomevit_image images[FEW];
    tomevit_context *context;
    tomevit_merging m;

    memset(e, 0, sizeof(*e));
    if (all) {
        out.map = e->map;
        out.sizes = e->sizes;
        out.rows = e->rows;
    }
    tomevit_merging_init(&m);
    m.r = metric < 0 ? NULL : r;
    m.metric = metric < 0 ? TOMEVIT_METRIC_K : metric;
    for (size_t i = 0; i < FEW; i++)
        images[i] = (tomevit_image){
            .data = crops + i * SIDE * SIDE * 3,
            .format = TOMEVIT_RGB8_HWC};
    cr_assert_eq(tomevit_context_create(model, FEW, 2, &context), 0);
    cr_assert_eq(tomevit_forward(context, &m, FEW, images, &out), 0);
    tomevit_context_free(context);
}

/* With metric X and the map asked for, the last layer computes all rows. */
static void check_last_layer_bits(const char *tier)
{
    for (int distilled = 0; distilled <= 1; distilled++) {
        tomevit_model *model = small_model(TOMEVIT_POOL_CLASS, 0, distilled);
        uint8_t *crops = random_crops(FEW);
        static everything whole, part;

        for (int metric = -1; metric <= TOMEVIT_METRIC_X; metric++) {
            run_few(model, crops, metric, 1, &whole);
            run_few(model, crops, metric, 0, &part);
            cr_assert_neq(part.logits[0], 0.0f);
            cr_assert_arr_eq(part.logits, whole.logits, sizeof(part.logits),
                             "%s: metric %d: logits", tier, metric);
            cr_assert_arr_eq(part.features, whole.features,
                             sizeof(part.features), "%s: metric %d: features",
                             tier, metric);
        }
        free(crops);
        tomevit_close(model);
    }
}

Test(forward, the_last_layer_gives_the_bits_of_a_whole_one)
{
    each_tier(check_last_layer_bits);
}

/* A model that pools the mean computes all of its last layer; with the same
 * weights its tokens go the same way. */
static void check_last_layer_plan(const char *tier)
{
    tomevit_model *mean = small_model(TOMEVIT_POOL_MEAN, 1, 0);
    tomevit_model *class_token = small_model(TOMEVIT_POOL_CLASS, 0, 0);
    uint8_t *crops = random_crops(FEW);
    static everything want, got;

    for (int metric = -1; metric <= TOMEVIT_METRIC_X; metric++) {
        run_few(mean, crops, metric, 1, &want);
        run_few(class_token, crops, metric, 1, &got);
        cr_assert_arr_eq(got.rows, want.rows, sizeof(got.rows),
                         "%s: metric %d", tier, metric);
        cr_assert_arr_eq(got.map, want.map, sizeof(got.map),
                         "%s: metric %d", tier, metric);
        cr_assert_arr_eq(got.sizes, want.sizes, sizeof(got.sizes),
                         "%s: metric %d", tier, metric);
        cr_assert_eq(got.rows[FEW - 1], metric < 0 ? 65 : 65 - 33);
    }
    free(crops);
    tomevit_close(mean);
    tomevit_close(class_token);
}

Test(forward, the_last_layer_reports_the_plan_of_a_whole_one)
{
    each_tier(check_last_layer_plan);
}

Test(forward, same_bits_in_bf16_and_int8)
{
    each_narrow_tier(check_same_bits);
}

/* Without a head there are features, and logits are left alone. */
Test(forward, needs_no_head)
{
    tomevit_description d = small_description(TOMEVIT_POOL_CLASS, 0, 0), with;
    float logits[CLASSES] = {7.0f}, features[2][48];
    uint8_t *crops = random_crops(1);
    tomevit_image image = {.data = crops, .format = TOMEVIT_RGB8_HWC};

    with = d;
    d.classes = 0;
    for (int i = 0; i < 2; i++) {
        tomevit_model *model = model_of(i ? &with : &d);
        tomevit_output out = {.logits = logits, .features = features[i]};
        tomevit_context *context;

        cr_assert_eq(tomevit_context_create(model, 1, 1, &context), 0);
        cr_assert_eq(tomevit_forward(context, NULL, 1, &image, &out), 0);
        cr_assert_eq(logits[0] == 7.0f, i == 0);
        tomevit_context_free(context);
        tomevit_close(model);
    }
    cr_assert_eq(memcmp(features[0], features[1], sizeof(features[0])), 0);
    free(crops);
}

/* What a call gives besides logits. */
typedef struct embedded {
    float logits[CLASSES], features[96], embedding[48];
    float last_rows[66 * 48], sizes[66];
    size_t rows;
} embedded;

/* Image `place` of a batch of three copies of a crop. */
static void embed_crop(const tomevit_model *model, const uint8_t *crop,
                       const tomevit_merging *merging, int threads,
                       size_t place, int all, embedded *e)
{
    const tomevit_description *d = tomevit_describe(model);
    static float logits[3 * CLASSES], features[3 * 96], embedding[3 * 48];
    static float last_rows[3 * 66 * 48], sizes[3 * 66];
    size_t rows[3] = {0};
    tomevit_output out = {.features = features, .embedding = embedding};
    tomevit_image images[3];
    tomevit_context *context;

    for (size_t i = 0; i < 3; i++)
        images[i] = (tomevit_image){.data = crop, .format = TOMEVIT_RGB8_HWC};
    memset(embedding, 0, sizeof(embedding));
    if (all) {
        out.logits = logits;
        out.last_rows = last_rows;
        out.sizes = sizes;
        out.rows = rows;
    }
    cr_assert_eq(tomevit_context_create(model, 3, threads, &context), 0);
    cr_assert_eq(tomevit_forward(context, merging, 3, images, &out), 0);
    tomevit_context_free(context);
    memset(e, 0, sizeof(*e));
    memcpy(e->features, features + place * d->features,
           d->features * sizeof(float));
    memcpy(e->embedding, embedding + place * d->embedding,
           d->embedding * sizeof(float));
    if (!all)
        return;
    memcpy(e->logits, logits + place * d->classes, d->classes * sizeof(float));
    e->rows = rows[place];
    memcpy(e->last_rows, last_rows + place * d->tokens * d->dim,
           rows[place] * d->dim * sizeof(float));
    memcpy(e->sizes, sizes + place * d->tokens, rows[place] * sizeof(float));
}

/* The features from the last rows, as the pooling makes them, within 1e-5. */
static void check_rows(const tomevit_description *d, const embedded *e)
{
    double total = 0.0;

    if (d->pool == TOMEVIT_POOL_CLASS)
        cr_assert_arr_eq(e->features, e->last_rows, d->dim * sizeof(float));
    if (d->pool != TOMEVIT_POOL_MEAN)
        return;
    for (size_t t = d->prefix; t < e->rows; t++)
        total += (double)e->sizes[t];
    for (size_t i = 0; i < d->dim; i++) {
        double sum = 0.0;

        for (size_t t = d->prefix; t < e->rows; t++)
            sum += (double)(e->sizes[t] * e->last_rows[t * d->dim + i]);
        cr_assert_float_eq(sum / total, (double)e->features[i], 1e-5);
    }
}

/* For any pooling, with and without a projection: the same bits alone and
 * beside everything else, in any place, on any threads. */
Test(forward, gives_last_rows_and_embeddings)
{
    size_t r[4] = {9, 5, 12, 7};
    uint8_t *crop = random_crops(1);
    static embedded whole, part;
    tomevit_merging m;

    tomevit_merging_init(&m);
    m.r = r;
    for (int kind = 0; kind < 6; kind++) {
        tomevit_description d = small_description(
            kind < 2 ? TOMEVIT_POOL_CLASS : kind < 4 ? TOMEVIT_POOL_MEAN
                                                     : TOMEVIT_POOL_ATTENTION,
            0, 0);
        d.projection = kind % 2;
        d.embedding = kind % 2 ? 29 : kind == 4 ? 48 : 0;
        tomevit_model *model = model_of(&d);

        embed_crop(model, crop, &m, 1, 0, 1, &whole);
        cr_assert_eq(whole.rows, d.tokens - 33);
        check_rows(&d, &whole);
        for (size_t i = 0; i < d.embedding; i++)
            cr_assert_neq(whole.embedding[i], 0.0f);
        if (kind == 4)
            cr_assert_arr_eq(whole.embedding, whole.features, 48 * 4);
        for (int threads = 1; threads <= 3; threads++) {
            embed_crop(model, crop, &m, threads, 2, 1, &part);
            cr_assert_arr_eq(&part, &whole, sizeof(part), "kind %d", kind);
            embed_crop(model, crop, &m, threads, 1, 0, &part);
            cr_assert_arr_eq(part.features, whole.features,
                             sizeof(part.features));
            cr_assert_arr_eq(part.embedding, whole.embedding,
                             sizeof(part.embedding));
        }
        tomevit_close(model);
    }
    free(crop);
}

/* ---- bad arguments ------------------------------------------------------- */

Test(forward, refuses_bad_arguments)
{
    tomevit_model *model = small_model(TOMEVIT_POOL_CLASS, 0, 0);
    tomevit_context *context = (void *)1;
    uint8_t *crops = random_crops(1);
    float logits[CLASSES] = {7.0f};
    tomevit_output out = {.logits = logits};
    tomevit_image image = {.data = crops, .format = TOMEVIT_RGB8_HWC};
    tomevit_preprocessing pre = tomevit_describe(model)->preprocessing;
    tomevit_merging m;

    cr_assert_eq(tomevit_context_create(NULL, 1, 1, &context), TOMEVIT_EINVAL);
    cr_assert_null(context);
    cr_assert_eq(tomevit_context_create(model, 0, 1, &context), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_context_create(model, 1, 0, &context), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_context_create(model, 1, 1, NULL), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_context_create(model, SIZE_MAX, 1, &context), 0,
                 "memory does not grow with the batch");
    tomevit_context_free(context);
    cr_assert_eq(tomevit_context_create(model, 1, 1, &context), 0);

    cr_assert_eq(tomevit_forward(NULL, NULL, 1, &image, &out), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_forward(context, NULL, 0, &image, &out),
                 TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_forward(context, NULL, 2, &image, &out),
                 TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_forward(context, NULL, 1, NULL, &out),
                 TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_forward(context, NULL, 1, &image, NULL),
                 TOMEVIT_EINVAL);
    image.format = 2;
    cr_assert_eq(tomevit_forward(context, NULL, 1, &image, &out),
                 TOMEVIT_EINVAL);
    image = (tomevit_image){.data = NULL, .format = TOMEVIT_RGB8_HWC};
    cr_assert_eq(tomevit_forward(context, NULL, 1, &image, &out),
                 TOMEVIT_EINVAL);
    image.data = crops;

#define REFUSED(field, value)                                                \
    tomevit_merging_init(&m);                                                \
    m.field = value;                                                         \
    cr_assert_eq(tomevit_forward(context, &m, 1, &image, &out),              \
                 TOMEVIT_EINVAL, #field);
    REFUSED(struct_size, 3)
    REFUSED(combine, 99)
    REFUSED(metric, -1)
    REFUSED(matching.method, 99)
    REFUSED(matching.similarity, 99)
    REFUSED(matching.struct_size, 0)
    cr_assert_eq(logits[0], 7.0f, "a refused call wrote a result");

    pre.std[1] = 0.0f;
    cr_assert_eq(tomevit_context_normalise(context, &pre), TOMEVIT_EINVAL);
    pre.std[1] = NAN;
    cr_assert_eq(tomevit_context_normalise(context, &pre), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_forward(context, NULL, 1, &image, &out), 0);
    cr_assert_neq(logits[0], 7.0f);
    tomevit_context_free(context);
    tomevit_context_free(NULL);
    tomevit_close(model);
    tomevit_close(NULL);
    free(crops);
}
