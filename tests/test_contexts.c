/* SPDX-License-Identifier: MIT */
/*
 * Eight threads at once, each with contexts of its own on one model, which
 * merge by methods and in batches of their own and come and go, while another
 * asks the model what it is and changes the CPU mask: the results are those of
 * one thread. Speaks TAP without Criterion, so that races.sh can build it, and
 * the libraries with it, under ThreadSanitizer.
 */
#include "config.h"

#include "tomevit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 3, IMAGES = 3, DEPTH = 64, WAYS = 4 };

static const char *const models[] = {
    "layouts/timm_mae.safetensors", "layouts/timm_dinov3/model.safetensors",
    "layouts/timm_relpos/model.safetensors",
    "encoders/mega.safetensors"
};

typedef struct shared {
    const tomevit_model *model;
    const tomevit_description *about;
    float *pixels;         /* [IMAGES, 3, side, side] */
    float *expected[WAYS]; /* [IMAGES, features] */
} shared;

typedef struct worker {
    const shared *s;
    int number, failed;
    float *got;
} worker;

static void *allocate(size_t bytes)
{
    void *memory = calloc(1, bytes);

    if (!memory) {
        puts("Bail out! no memory");
        exit(1);
    }
    return memory;
}

/* One of the ways to merge; the last does not. */
static const tomevit_merging *way_of(int way, const tomevit_description *about,
                                     size_t r[DEPTH], tomevit_merging *merging)
{
    static const int methods[WAYS - 1] = {
        TOMERGE_ALTERNATING, TOMERGE_RANDOM, TOMERGE_PITOME
    };

    tomevit_merging_init(merging);
    if (way == WAYS - 1)
        return NULL;
    for (size_t i = 0; i < about->depth; i++)
        r[i] = 1;
    merging->r = r;
    merging->matching.method = methods[way];
    return merging;
}

/* All images in batches of `batch`, by a context that lives as long. */
static int forward(const shared *s, int way, size_t batch, int threads,
                   float *features)
{
    size_t side = s->about->image_size, width = s->about->features;
    tomevit_context *context;
    tomevit_merging space;
    size_t r[DEPTH];
    const tomevit_merging *merging = way_of(way, s->about, r, &space);
    int error = tomevit_context_create(s->model, batch, threads, &context);

    for (size_t at = 0; at < IMAGES && !error; at += batch) {
        size_t count = IMAGES - at < batch ? IMAGES - at : batch;
        tomevit_output out = {.features = features + at * width};
        tomevit_image images[IMAGES];

        for (size_t i = 0; i < count; i++)
            images[i] = (tomevit_image){
                .data = s->pixels + (at + i) * 3 * side * side,
                .format = TOMEVIT_F32_CHW
            };
        error = tomevit_forward(context, merging, count, images, &out);
    }
    tomevit_context_free(context);
    return error;
}

static void *work(void *data)
{
    worker *w = data;
    size_t bytes = IMAGES * w->s->about->features * sizeof(float);

    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < WAYS; i++) {
            int way = (w->number + i) % WAYS;
            size_t batch = 1 + (size_t)(w->number + round) % IMAGES;

            memset(w->got, 0, bytes);
            w->failed |= forward(w->s, way, batch, 1 + w->number % 2, w->got);
            w->failed |= memcmp(w->got, w->s->expected[way], bytes) != 0;
        }
    return NULL;
}

static atomic_int done;

/* What callers may do beside forwards. */
static void *look_on(void *data)
{
    const shared *s = data;
    size_t seen = 0;

    while (!done) {
        seen += tomevit_model_bytes(s->model) + strlen(tomevit_cpu(s->model));
        seen += tomevit_describe(s->model)->depth;
        tomerge_set_cpu_mask(seen % 2 ? 0 : TOMERGE_CPU_AVX2);
        tomerge_set_cpu_mask(UINT32_MAX);
        sched_yield();
    }
    return NULL;
}

static int run(const shared *s)
{
    worker workers[THREADS] = {{0}};
    pthread_t thread[THREADS], looker;
    int failed = pthread_create(&looker, NULL, look_on, (void *)(uintptr_t)s);

    done = 0;
    for (int i = 0; i < THREADS && !failed; i++) {
        workers[i] = (worker){.s = s, .number = i};
        workers[i].got = allocate(IMAGES * s->about->features *
                                  sizeof(float));
        failed = pthread_create(&thread[i], NULL, work, &workers[i]);
    }
    if (failed) {
        puts("Bail out! no thread");
        exit(1);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        failed |= workers[i].failed;
        free(workers[i].got);
    }
    done = 1;
    pthread_join(looker, NULL);
    return failed;
}

/* A model, what it is shown, and what it makes of that in one thread. */
static int try_model(const char *path, int dtype)
{
    tomevit_open_options options;
    tomevit_message why = {""};
    tomevit_model *model;
    shared s;
    int failed = 0;

    tomevit_open_options_init(&options);
    options.dtype = dtype;
    if (tomevit_open(path, &options, &model, &why)) {
        printf("# %s\n", why.text);
        return 1;
    }
    s.model = model;
    s.about = tomevit_describe(model);
    size_t side = s.about->image_size, count = IMAGES * 3 * side * side;
    s.pixels = allocate(count * sizeof(float));
    for (size_t i = 0; i < count; i++)
        s.pixels[i] = (float)(i * 7919 % 1021) / 510.5f - 1;
    for (int way = 0; way < WAYS; way++) {
        s.expected[way] = allocate(IMAGES * s.about->features *
                                   sizeof(float));
        failed |= forward(&s, way, 1, 1, s.expected[way]);
    }
    if (failed)
        puts("# a forward fails");
    failed |= run(&s);
    for (int way = 0; way < WAYS; way++)
        free(s.expected[way]);
    free(s.pixels);
    tomevit_close(model);
    return failed;
}

int main(void)
{
    static const int types[] = {TOMEVIT_F32, TOMEVIT_BF16, TOMEVIT_INT8};
    const char *srcdir = getenv("srcdir");
    int tests = 0, failures = 0;
    char path[4096];

    for (size_t m = 0; m < sizeof(models) / sizeof(*models); m++)
        for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++) {
            snprintf(path, sizeof(path), "%s/tests/fixtures/%s",
                     srcdir ? srcdir : ".", models[m]);
            int failed = try_model(path, types[t]);
            failures += failed != 0;
            printf("%sok %d - %s, %s\n", failed ? "not " : "", ++tests,
                   models[m], tomevit_dtype_name(types[t]));
        }
    printf("1..%d\n", tests);
    return failures != 0;
}
