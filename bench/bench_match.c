/* SPDX-License-Identifier: MIT */
/*
 * Microseconds that matching and merging one image take in one layer, on
 * every tier of this machine in one run, with the ratio to scalar. Best of
 * many runs: everything else on the machine only ever adds time.
 *
 *     bench/bench_match [SECONDS]     for each line, 0.2 by default
 */
#include "config.h"

#include "measure.h"
#include "tomerge.h"

#include <stdio.h>
#include <stdlib.h>

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

int main(int argc, char **argv)
{
    static const char *const tiers[] = {"scalar", "avx2", "avx512"};
    double budget = argc > 1 ? atof(argv[1]) : 0.2;

    printf("%-16s %4s %4s %4s %-10s %-7s %9s %7s\n", "problem", "T", "C", "r",
           "job", "tier", "us/image", "ratio");
    for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
        const problem *p = &problems[i];
        buffers b = prepare(p);

        for (size_t j = 0; j < sizeof(jobs) / sizeof(jobs[0]); j++) {
            double scalar = 0;

            for (size_t t = 0; t < sizeof(tiers) / sizeof(tiers[0]); t++) {
                uint32_t mask = 0;
                double took;

                tomerge_cpu_mask(tiers[t], &mask);
                if ((tomerge_cpu_detected() & mask) != mask)
                    continue;
                tomerge_set_cpu_mask(mask);
                took = measure_best(jobs[j].run, &(job){p, &b}, budget);
                scalar = mask ? scalar : took;
                printf("%-16s %4zu %4zu %4zu %-10s %-7s %9.2f %6.2fx\n",
                       p->name, p->tokens, p->channels, p->r, jobs[j].name,
                       tiers[t], 1e6 * took, scalar / took);
            }
        }
        release(&b);
    }
    return 0;
}
