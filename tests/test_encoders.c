/* SPDX-License-Identifier: MIT */
/* Encoders of other blocks than the ViT's give what programs written from the
 * papers' equations give, as they are and merged, on every tier. */
#include "config.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "containers.h"
#include "draws.h"
#include "golden.h"
#include "tiers.h"
#include "tomevit.h"

/* One result of a file: what stands behind "out.logits_", and its options. */
typedef struct run {
    const char *name;
    int merges;
    int ema;               /* enum tomevit_ema_merge */
    int metric;            /* enum tomevit_metric */
} run;

typedef struct sample {
    const char *file;
    run runs[4];           /* the last has no name */
} sample;

static const sample samples[] = {
    {"mega.safetensors",
     {{"r0_unmerge", 0, 0, 0}, {"r_unmerge", 1, 0, 0},
      {"r_place", 1, TOMEVIT_EMA_PLACE, 0}}},
    {"mega_softmax.safetensors",
     {{"r0_unmerge", 0, 0, 0}, {"r_unmerge", 1, 0, 0},
      {"r_place", 1, TOMEVIT_EMA_PLACE, 0}}},
    {"mega_chunk.safetensors", {{"r0_unmerge", 0, 0, 0}}},
    /* These were compared by keys that are not turned yet. */
    {"megalodon.safetensors",
     {{"r0_unmerge", 0, 0, 0},
      {"r_unmerge", 1, 0, TOMEVIT_METRIC_K_UNTURNED},
      {"r_place", 1, TOMEVIT_EMA_PLACE, TOMEVIT_METRIC_K_UNTURNED}}},
    {"megalodon_swiglu.safetensors",
     {{"r0_unmerge", 0, 0, 0},
      {"r_unmerge", 1, 0, TOMEVIT_METRIC_K_UNTURNED},
      {"r_place", 1, TOMEVIT_EMA_PLACE, TOMEVIT_METRIC_K_UNTURNED}}},
    {"mobile.safetensors", {{"r0", 0, 0, 0}, {"r", 1, 0, 0}}},
    {"mobile_shared.safetensors", {{"r0", 0, 0, 0}, {"r", 1, 0, 0}}},
};

enum { SAMPLES = sizeof(samples) / sizeof(*samples) };

/* Of fixtures/encoders, which a program of its own made: see
 * fixtures/make-encoders.py. */
#define BOTH(metric) {{"r0", 0, 0, 0}, {"r", 1, 0, metric}}

static const sample own[] = {
    {"mobile.safetensors", BOTH(TOMEVIT_METRIC_K)},
    {"mobile_shared.safetensors", BOTH(TOMEVIT_METRIC_K)},
    {"mega.safetensors", BOTH(TOMEVIT_METRIC_K)},
    {"mega_softmax_chunk.safetensors", BOTH(TOMEVIT_METRIC_K)},
    {"megalodon.safetensors", BOTH(TOMEVIT_METRIC_K)},
    {"megalodon_swiglu_chunk.safetensors", BOTH(TOMEVIT_METRIC_K)},
};

enum { OWN = sizeof(own) / sizeof(*own) };

static const size_t golden_plan[] = {9, 7}, own_plan[] = {5, 6};

/* One file, opened for the tier in use. */
typedef struct bench {
    golden_file *file;
    const char *name;
    tomevit_model *model;
    const tomevit_description *d;
    const float *pixels;
    size_t batch;
    int loose;             /* low precision: only that it is near */
    const size_t *plan;    /* r of both layers */
} bench;

static void logits_agree(const bench *b, const run *r, const float *logits)
{
    size_t count = b->batch * b->d->classes;
    const float *expected;
    float most = 0.0f;
    char key[96];

    snprintf(key, sizeof(key), "out.logits_%s", r->name);
    expected = golden_f32(b->file, key, count);
    for (size_t i = 0; i < count; i++)
        most = fmaxf(most, fabsf(expected[i]));
    for (size_t i = 0; i < count; i++)
        cr_assert(fabsf(logits[i] - expected[i]) <=
                      (b->loose ? 0.1f : 1e-4f) * most,
                  "%s %s %s: logit %zu is %.7g, not %.7g", b->name,
                  tomevit_cpu(b->model), r->name, i, (double)logits[i],
                  (double)expected[i]);
}

static void maps_agree(const bench *b, const run *r, const int32_t *map,
                       const float *sizes, const size_t *rows)
{
    size_t tokens = b->d->tokens;
    const int32_t *expected;
    const float *expected_sizes;
    char key[96];

    snprintf(key, sizeof(key), "out.map_%s", r->name);
    expected = golden_i32(b->file, key, b->batch * tokens);
    snprintf(key, sizeof(key), "out.sizes_%s", r->name);
    expected_sizes = golden_f32(b->file, key, b->batch * rows[0]);
    for (size_t i = 0; i < b->batch * tokens; i++)
        cr_assert_eq(map[i], expected[i], "%s %s %s: token %zu is in row %d, "
                     "not %d", b->name, tomevit_cpu(b->model), r->name, i,
                     (int)map[i], (int)expected[i]);
    for (size_t i = 0; i < b->batch; i++)
        for (size_t j = 0; j < rows[i]; j++)
            cr_assert_eq(sizes[i * tokens + j],
                         expected_sizes[i * rows[0] + j]);
}

static void forward(const bench *b, const run *r, size_t batch, int threads,
                    const tomevit_output *out, size_t first)
{
    tomevit_context *context;
    tomevit_image images[8];
    tomevit_merging merging;

    tomevit_merging_init(&merging);
    merging.ema_merge = r->ema;
    merging.metric = r->metric;
    merging.r = r->merges ? b->plan : NULL;
    merging.rope_merge = TOMEVIT_ROPE_DESTINATION; /* as the reference has it */
    for (size_t i = 0; i < batch; i++)
        images[i] = (tomevit_image){
            .data = b->pixels + (first + i) * 3 * b->d->image_size *
                                b->d->image_size,
            .format = TOMEVIT_F32_CHW};
    cr_assert_eq(tomevit_context_create(b->model, batch, threads, &context),
                 0);
    cr_assert_eq(tomevit_forward(context, &merging, batch, images, out), 0);
    tomevit_context_free(context);
}

/* The same bits alone, and on more threads. */
static void alone_agrees(const bench *b, const run *r, const float *logits)
{
    size_t classes = b->d->classes;
    float *again = malloc(b->batch * classes * sizeof(*again));
    tomevit_output out = {.logits = again};

    for (size_t i = 0; i < b->batch; i++) {
        forward(b, r, 1, 1, &out, i);
        cr_assert_arr_eq(again, logits + i * classes,
                         classes * sizeof(*again), "%s: image %zu alone",
                         b->name, i);
    }
    forward(b, r, b->batch, 3, &out, 0);
    cr_assert_arr_eq(again, logits, b->batch * classes * sizeof(*again),
                     "%s on three threads", b->name);
    free(again);
}

static void check_run(const bench *b, const run *r)
{
    size_t tokens = b->d->tokens;
    float *logits = malloc(b->batch * b->d->classes * sizeof(*logits));
    float *sizes = malloc(b->batch * tokens * sizeof(*sizes));
    int32_t *map = malloc(b->batch * tokens * sizeof(*map));
    size_t rows[8];
    tomevit_output out = {.logits = logits, .map = map, .sizes = sizes,
                          .rows = rows};

    forward(b, r, b->batch, 1, &out, 0);
    logits_agree(b, r, logits);
    if (r->merges && !b->loose)
        maps_agree(b, r, map, sizes, rows);
    alone_agrees(b, r, logits);
    free(map);
    free(sizes);
    free(logits);
}

static void check_sample(const char *folder, const sample *s, int dtype,
                         const size_t *plan)
{
    char *path = golden_path(folder, s->file);
    tomevit_open_options options;
    tomevit_message why = {""};
    bench b = {.file = golden_open(folder, s->file), .name = s->file,
               .loose = dtype != TOMEVIT_F32, .plan = plan};
    const golden_tensor *pixels = golden_get(b.file, "in.pixels");

    tomevit_open_options_init(&options);
    options.dtype = dtype;
    cr_assert_eq(tomevit_open(path, &options, &b.model, &why), 0, "%s",
                 why.text);
    b.d = tomevit_describe(b.model);
    b.pixels = pixels->data;
    b.batch = pixels->shape[0];
    cr_assert_leq(b.batch, 8);
    for (const run *r = s->runs; r->name; r++)
        if (dtype == TOMEVIT_F32 || !r->merges)
            check_run(&b, r);
    tomevit_close(b.model);
    golden_close(b.file);
    free(path);
}

/* $TOMERGE_SHARED/golden-other. */
static const char *folder_of_others(void)
{
    static char folder[1024];
    const char *shared = getenv("TOMERGE_SHARED");
    FILE *index;

    snprintf(folder, sizeof(folder), "%s/golden-other/index.json",
             shared ? shared : "../shared");
    index = fopen(folder, "r");
    if (!index)
        cr_skip_test("no golden-other in %s", shared ? shared : "../shared");
    fclose(index);
    *strrchr(folder, '/') = '\0';
    return folder;
}

TIER_TEST(encoders, agree_with_their_equations)
{
    const char *folder = folder_of_others();

    for (size_t i = 0; i < SAMPLES; i++)
        check_sample(folder, &samples[i], TOMEVIT_F32, golden_plan);
}

static char *own_folder(void)
{
    const char *srcdir = getenv("srcdir");

    return golden_path(srcdir ? srcdir : ".", "tests/fixtures/encoders");
}

TIER_TEST(encoders, agree_with_the_fixtures)
{
    char *folder = own_folder();

    for (size_t i = 0; i < OWN; i++)
        check_sample(folder, &own[i], TOMEVIT_F32, own_plan);
    free(folder);
}

/* As its authors write one: in a .pth, behind "model", beside the epoch. No
 * metadata say which function attention goes by. */
Test(encoders, opens_mega_as_its_authors_write_it)
{
    char *folder = own_folder();
    static const char *const names[] = {"mega.safetensors", "mega.pth"};
    float logits[2][64] = {{0}};
    golden_file *f = golden_open(folder, names[0]);
    const golden_tensor *pixels = golden_get(f, "in.pixels");

    for (int i = 0; i < 2; i++) {
        char *path = golden_path(folder, names[i]);
        tomevit_output out = {.logits = logits[i]};
        tomevit_message why = {""};
        bench b = {.pixels = pixels->data, .plan = own_plan};
        run merged = {"r", 1, 0, TOMEVIT_METRIC_K};

        cr_assert_eq(tomevit_open(path, NULL, &b.model, &why), 0, "%s",
                     why.text);
        b.d = tomevit_describe(b.model);
        forward(&b, &merged, 2, 1, &out, 0);
        tomevit_close(b.model);
        free(path);
    }
    cr_expect_arr_eq(logits[0], logits[1], sizeof(logits[0]));
    cr_expect_neq(logits[0][0], 0.0f);
    golden_close(f);
    free(folder);
}

/* The most that any way to merge asks for: some compare all tokens with all. */
static size_t bytes_of_matching(size_t tokens, size_t channels)
{
    size_t most = 0, bytes;
    tomerge_options options;

    tomerge_options_init(&options);
    for (int method = 0; tomerge_method_name(method); method++) {
        options.method = method;
        for (int like = 0; tomerge_similarity_name(like); like++) {
            options.similarity = like;
            if (!tomerge_match_workspace(&options, tokens, channels, &bytes) &&
                bytes > most)
                most = bytes;
        }
    }
    return most;
}

/* Of one image on one thread, without what matching works with. */
static size_t bytes_of_context(const char *path, size_t side, size_t tokens)
{
    tomevit_open_options options;
    tomevit_message why = {""};
    tomevit_model *model;
    tomevit_context *context;
    size_t bytes;

    tomevit_open_options_init(&options);
    options.image_size = side;
    cr_assert_eq(tomevit_open(path, &options, &model, &why), 0, "%s", why.text);
    cr_assert_eq(tomevit_describe(model)->tokens, tokens);
    cr_assert_eq(tomevit_context_create(model, 1, 1, &context), 0);
    bytes = tomevit_context_bytes(context) -
            bytes_of_matching(tokens, tomevit_describe(model)->dim);
    tomevit_context_free(context);
    tomevit_close(model);
    return bytes;
}

/* From 1296 to 5184 patches, in chunks of 10, memory grows by less than three
 * vectors of the width and a row's parts would need: U, Z, R, H, V, Q and K are
 * there for one chunk alone. */
Test(encoders, keep_the_parts_of_one_chunk)
{
    enum { WIDTH = 24, SHARED = 12, VALUE = 20 };
    char *folder = own_folder();
    char *path = golden_path(folder, "mega_softmax_chunk.safetensors");
    size_t parts = 2 * WIDTH + 3 * SHARED + 2 * VALUE;
    size_t few = bytes_of_context(path, 144, 1296);
    size_t many = bytes_of_context(path, 288, 5184);

    cr_assert_lt(many - few, (5184 - 1296) * (3 * WIDTH + parts) *
                 sizeof(float), "%zu bytes a patch",
                 (many - few) / (5184 - 1296));
    free(path);
    free(folder);
}

/* ---- the same bits ------------------------------------------------------- */

enum { IMAGES = 3, BITS_CLASSES = 7, BITS_TOKENS = 81 };

/* What a forward says of all images. */
typedef struct answer {
    float logits[IMAGES * BITS_CLASSES], sizes[IMAGES * BITS_TOKENS];
    int32_t map[IMAGES * BITS_TOKENS];
    size_t rows[IMAGES];
} answer;

/* The images, `batch` at a time, the last ones fewer. */
static void run_in_batches(const bench *b, const run *r, size_t batch,
                           int threads, answer *a)
{
    memset(a, 0, sizeof(*a));
    for (size_t i = 0; i < IMAGES; i += batch) {
        size_t left = IMAGES - i;
        tomevit_output out = {
            .logits = a->logits + i * b->d->classes, .rows = a->rows + i,
            .sizes = a->sizes + i * b->d->tokens,
            .map = a->map + i * b->d->tokens};

        forward(b, r, batch < left ? batch : left, threads, &out, i);
    }
}

static void bits_agree(const bench *b, const run *r)
{
    static const struct {
        size_t batch;
        int threads;
    } ways[] = {{1, 7}, {2, 3}, {IMAGES, 1}};
    static answer first, other;

    run_in_batches(b, r, 1, 1, &first);
    for (size_t i = 0; i < IMAGES; i++)
        cr_assert_eq(first.rows[i], b->d->tokens -
                     (r->merges ? b->plan[0] + b->plan[1] : 0));
    cr_assert_neq(memcmp(first.logits, first.logits + b->d->classes,
                         b->d->classes * sizeof(float)), 0);
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        run_in_batches(b, r, ways[i].batch, ways[i].threads, &other);
        cr_assert_eq(memcmp(&first, &other, sizeof(first)), 0,
                     "%s %s, EMA %d: other bits in batches of %zu on %d "
                     "threads", b->name, tomevit_cpu(b->model), r->ema,
                     ways[i].batch, ways[i].threads);
    }
}

/* An encoder on larger pictures than it was made for, 81 patches: where it has
 * chunks they are of 10, the last of one, and as rows merge they become
 * shorter. Threads that are more than images and heads share out a head's
 * queries by so many as a tier computes at once, which are not 10, so that a
 * share begins inside a chunk and ends inside another. */
static void check_bits(const char *folder, const char *name, size_t side,
                       const size_t *plan)
{
    static const int dtypes[] = {TOMEVIT_F32, TOMEVIT_BF16, TOMEVIT_INT8};
    static float pixels[IMAGES * 3 * 36 * 36];
    char *path = golden_path(folder, name);
    uint32_t state = 1;

    for (size_t i = 0; i < sizeof(pixels) / sizeof(*pixels); i++)
        pixels[i] = (float)(draw_32(&state) >> 8) / 8388608.0f - 1.0f;
    for (size_t i = 0; i < sizeof(dtypes) / sizeof(*dtypes); i++) {
        bench b = {.name = name, .pixels = pixels, .plan = plan};
        tomevit_open_options options;
        tomevit_message why = {""};

        tomevit_open_options_init(&options);
        options.dtype = dtypes[i];
        options.image_size = side;
        cr_assert_eq(tomevit_open(path, &options, &b.model, &why), 0, "%s",
                     why.text);
        b.d = tomevit_describe(b.model);
        cr_assert_eq(b.d->classes, BITS_CLASSES);
        cr_assert_leq(b.d->tokens, BITS_TOKENS);
        bits_agree(&b, &(run){"r0", 0, 0, 0});
        bits_agree(&b, &(run){"r", 1, TOMEVIT_EMA_UNMERGE, 0});
        for (int ema = TOMEVIT_EMA_UNMERGE + 1;
             dtypes[i] == TOMEVIT_F32 && ema <= TOMEVIT_EMA_ROWS; ema++)
            bits_agree(&b, &(run){"r", 1, ema, 0});
        tomevit_close(b.model);
    }
    free(path);
}

TIER_TEST(encoders, give_the_same_bits_in_any_batch_and_threads)
{
    static const size_t plan[] = {17, 19};
    char *folder = own_folder();

    check_bits(folder, "mega.safetensors", 0, own_plan);
    check_bits(folder, "mega_softmax_chunk.safetensors", 36, plan);
    check_bits(folder, "megalodon.safetensors", 36, plan);
    check_bits(folder, "megalodon_swiglu_chunk.safetensors", 36, plan);
    check_bits(folder, "mobile.safetensors", 36, plan);
    check_bits(folder, "mobile_shared.safetensors", 36, plan);
    free(folder);
}

Test(encoders, are_near_in_bf16_and_int8)
{
    const char *folder = folder_of_others();

    for (size_t i = 0; i < SAMPLES; i++) {
        check_sample(folder, &samples[i], TOMEVIT_BF16, golden_plan);
        check_sample(folder, &samples[i], TOMEVIT_INT8, golden_plan);
    }
}
