/* SPDX-License-Identifier: MIT */
/*
 * Microseconds that matching and merging one image take in one layer, and
 * those that all of merging takes in all layers of a model, on every tier of
 * this machine in one run, with the ratio to scalar. Best of many runs:
 * everything else on the machine only ever adds time.
 *
 *     bench/bench_match [SECONDS [layers]]    for each line, 0.2 by default;
 *                                             with `layers` only all layers
 */
#include "config.h"

#include "measure.h"
#include "tomerge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct problem {
    const char *name;
    size_t tokens, channels, dim, heads, r;
} problem;

typedef struct buffers {
    tomerge_options options;
    tomerge_plan plan;
    float *k, *metric, *x, *size, *y, *size_out;
    void *workspace;
    size_t bytes;
} buffers;

static const problem problems[] = {
    {"ViT-B/16 at 224", 197, 64, 768, 12, 16},
    {"ViT-B/16 at 384", 577, 64, 768, 12, 45},
};

static buffers prepare(const problem *p)
{
    buffers b = {.k = measure_floats(p->tokens * p->heads * p->channels),
                 .metric = measure_floats(p->tokens * p->channels),
                 .x = measure_floats(p->tokens * p->dim),
                 .size = measure_memory(p->tokens * sizeof(float)),
                 .y = measure_memory(p->tokens * p->dim * sizeof(float)),
                 .size_out = measure_memory(p->tokens * sizeof(float))};
    size_t merge_bytes = 0;

    for (size_t i = 0; i < p->tokens; i++)
        b.size[i] = (float)(1 + i % 3);
    tomerge_options_init(&b.options);
    b.options.protect = 1;
    b.plan.tokens = p->tokens;
    b.plan.map = measure_memory(p->tokens * sizeof(int32_t));
    tomerge_match_workspace(&b.options, p->tokens, p->channels, &b.bytes);
    tomerge_merge_workspace(p->tokens, &merge_bytes);
    b.bytes = b.bytes > merge_bytes ? b.bytes : merge_bytes;
    b.workspace = measure_memory(b.bytes);
    return b;
}

static void release(buffers *b)
{
    free(b->k);
    free(b->metric);
    free(b->x);
    free(b->size);
    free(b->y);
    free(b->size_out);
    free(b->plan.map);
    free(b->workspace);
}

typedef struct job {
    const problem *p;
    buffers *b;
} job;

static void check(int error)
{
    if (error) {
        fprintf(stderr, "a call failed: %s\n", tomerge_strerror(error));
        exit(1);
    }
}

static void match(void *data)
{
    const problem *p = ((job *)data)->p;
    buffers *b = ((job *)data)->b;
    tomerge_const_view metric = {b->metric, (ptrdiff_t)p->channels,
                                 TOMERGE_F32};

    check(tomerge_match(&b->options, p->channels, metric, p->r, &b->plan,
                        b->workspace, b->bytes));
}

static void merge(void *data)
{
    const problem *p = ((job *)data)->p;
    buffers *b = ((job *)data)->b;
    tomerge_const_view x = {b->x, (ptrdiff_t)p->dim, TOMERGE_F32};
    tomerge_view y = {b->y, (ptrdiff_t)p->dim, TOMERGE_F32};

    check(tomerge_merge(TOMERGE_WEIGHTED, &b->plan, p->dim, x, b->size, y,
                        b->size_out, b->workspace, b->bytes));
}

static void mean(void *data)
{
    const problem *p = ((job *)data)->p;
    buffers *b = ((job *)data)->b;
    tomerge_const_view k = {b->k, (ptrdiff_t)(p->heads * p->channels),
                            TOMERGE_F32};
    tomerge_view metric = {b->metric, (ptrdiff_t)p->channels, TOMERGE_F32};

    check(tomerge_mean_heads(p->tokens, p->heads, p->channels, k,
                             (ptrdiff_t)p->channels, metric));
}

static const struct {
    const char *name;
    void (*run)(void *job);
} jobs[] = {{"match", match}, {"merge", merge}, {"mean_heads", mean}};

/* ---- all layers of an image ---------------------------------------------- */

typedef struct model {
    const char *name;
    size_t layers, tokens, heads, r;
} model;

static const model models[] = {
    {"DeiT-Ti, r=13", 12, 197, 3, 13},
    {"DeiT-S, r=13", 12, 197, 6, 13},
    {"ViT-B, r=13", 12, 197, 12, 13},
    {"ViT-L at 384, r=23", 24, 577, 16, 23},
};
enum { HEAD = 64 };

/* What is done to an image in every layer, in this order. */
enum step { MEAN, MATCH, MERGE, BIAS, TRACE, STEPS };
static const char *const steps[] = {"mean_heads", "match", "merge",
                                    "size_bias", "compose"};

/* An image on its way through the layers; x, and the keys of every layer,
 * stay what they are, so that each run does the same. */
typedef struct image {
    const model *m;
    buffers b;
    int32_t *trace;
    float *bias;
    double took[STEPS];
} image;

static image prepare_image(const model *m)
{
    problem p = {m->name, m->tokens, HEAD, m->heads * HEAD, m->heads, m->r};
    image i = {.m = m, .b = prepare(&p)};

    free(i.b.k);
    i.b.k = measure_floats(m->tokens * 3 * m->heads * HEAD);
    i.trace = measure_memory(m->tokens * sizeof(*i.trace));
    i.bias = measure_memory(m->tokens * sizeof(*i.bias));
    return i;
}

static void do_step(image *i, enum step step, size_t layer)
{
    size_t heads = i->m->heads, dim = heads * HEAD;
    buffers *b = &i->b;
    float *x = layer % 2 ? b->y : b->x, *y = layer % 2 ? b->x : b->y;
    tomerge_const_view k = {b->k + dim + layer % heads * HEAD,
                            (ptrdiff_t)(3 * dim), TOMERGE_F32};
    tomerge_view metric = {b->metric, HEAD, TOMERGE_F32};
    tomerge_const_view from = {x, (ptrdiff_t)dim, TOMERGE_F32};
    tomerge_view to = {y, (ptrdiff_t)dim, TOMERGE_F32};

    switch (step) {
    case MEAN:
        check(tomerge_mean_heads(b->plan.tokens, heads, HEAD, k, HEAD,
                                 metric));
        break;
    case MATCH:
        check(tomerge_match(&b->options, HEAD,
                            (tomerge_const_view){b->metric, HEAD,
                                                 TOMERGE_F32},
                            i->m->r, &b->plan, b->workspace, b->bytes));
        break;
    case MERGE:
        check(tomerge_merge(TOMERGE_WEIGHTED, &b->plan, dim, from, b->size,
                            to, b->size_out, b->workspace, b->bytes));
        break;
    case BIAS:
        check(tomerge_size_bias(b->plan.rows, b->size_out, i->bias));
        break;
    default:
        check(tomerge_compose(&b->plan, i->m->tokens, i->trace));
    }
}

/* One image through all layers, each step timed. */
static double run_image(image *i, double took[STEPS])
{
    buffers *b = &i->b;
    double began = measure_now(), now = began, next;

    memset(took, 0, STEPS * sizeof(*took));
    b->plan.tokens = i->m->tokens;
    for (size_t t = 0; t < i->m->tokens; t++) {
        i->trace[t] = (int32_t)t;
        b->size[t] = 1;
    }
    for (size_t layer = 0; layer < i->m->layers; layer++) {
        float *size = b->size;

        for (enum step step = 0; step < STEPS; step++) {
            do_step(i, step, layer);
            next = measure_now();
            took[step] += next - now;
            now = next;
        }
        b->size = b->size_out;
        b->size_out = size;
        b->plan.tokens = b->plan.rows;
    }
    return now - began;
}

static void bench_layers(const model *m, const char *tier, double budget)
{
    image i = prepare_image(m);
    double best = 1e9, end = measure_now() + budget;

    do {
        double took[STEPS], all = run_image(&i, took);

        if (all < best)
            memcpy(i.took, took, sizeof(took));
        best = all < best ? all : best;
    } while (measure_now() < end);
    printf("%-18s %-7s %9.1f", m->name, tier, 1e6 * best);
    for (int step = 0; step < STEPS; step++)
        printf(" %10.1f", 1e6 * i.took[step]);
    printf("\n");
    release(&i.b);
    free(i.trace);
    free(i.bias);
}

/* ---- what is run --------------------------------------------------------- */

static const char *const tiers[] = {"scalar", "avx2", "avx512"};
enum { TIERS = sizeof(tiers) / sizeof(tiers[0]) };

/* Whether this machine has the tier, which then is what is used. */
static int use_tier(const char *tier, uint32_t *mask)
{
    tomerge_cpu_mask(tier, mask);
    tomerge_set_cpu_mask(*mask);
    return (tomerge_cpu_detected() & *mask) == *mask;
}

static void bench_problem(const problem *p, double budget)
{
    buffers b = prepare(p);

    for (size_t j = 0; j < sizeof(jobs) / sizeof(jobs[0]); j++) {
        double scalar = 0;

        for (size_t t = 0; t < TIERS; t++) {
            uint32_t mask = 0;
            double took;

            if (!use_tier(tiers[t], &mask))
                continue;
            took = measure_best(jobs[j].run, &(job){p, &b}, budget);
            scalar = mask ? scalar : took;
            printf("%-16s %4zu %4zu %4zu %-10s %-7s %9.2f %6.2fx\n",
                   p->name, p->tokens, p->channels, p->r, jobs[j].name,
                   tiers[t], 1e6 * took, scalar / took);
        }
    }
    release(&b);
}

int main(int argc, char **argv)
{
    double budget = argc > 1 ? atof(argv[1]) : 0.2;
    int only_layers = argc > 2 && !strcmp(argv[2], "layers");

    if (!only_layers)
        printf("%-16s %4s %4s %4s %-10s %-7s %9s %7s\n", "problem", "T", "C",
               "r", "job", "tier", "us/image", "ratio");
    for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
        if (!only_layers)
            bench_problem(&problems[i], budget);

    printf("%s%-18s %-7s %9s", only_layers ? "" : "\n", "all layers", "tier",
           "us/image");
    for (int step = 0; step < STEPS; step++)
        printf(" %10s", steps[step]);
    printf("\n");
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        for (size_t t = 0; t < TIERS; t++) {
            uint32_t mask;

            if (use_tier(tiers[t], &mask))
                bench_layers(&models[i], tiers[t], budget);
        }
    }
    return 0;
}
