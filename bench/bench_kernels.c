/* SPDX-License-Identifier: MIT */
/*
 * The kernels of the forward pass on one core, for every tier of this machine
 * and every number type: products in GFLOP/s and as a share of the tier's peak
 * (where there is one in the table of peaks), and what goes over rows in floats
 * a nanosecond. Products are of a block of rows, from a layer's input in memory
 * to its output, with what is done to a finished tile; "tile" is the innermost
 * loop alone, in the caches.
 *
 *     bench/bench_kernels [TIER [SECONDS]]    all tiers, 0.3 for each line
 */
#include "config.h"

#include "measure.h"
#include "peak.h"

#include "../vit/kernels/gemm.h"
#include "tomevit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A matrix of a model's layer: y[rows, n] from a[rows, k]. */
typedef struct shape {
    const char *name;
    size_t n, k;
    enum vit_finish how;
} shape;

static const shape shapes[] = {
    {"DeiT-S qkv", 3 * 384, 384, VIT_STORE},
    {"DeiT-S proj", 384, 384, VIT_ADD},
    {"DeiT-S fc1, GELU", 1536, 384, VIT_GELU},
    {"DeiT-S fc2", 384, 1536, VIT_ADD},
    {"ViT-B qkv", 3 * 768, 768, VIT_STORE},
    {"ViT-B fc1, GELU", 3072, 768, VIT_GELU},
    {"ViT-B fc2", 768, 3072, VIT_ADD},
    {"ViT-L qkv", 3 * 1024, 1024, VIT_STORE},
};

typedef struct product {
    const vit_dsp *dsp;
    const vit_low *low;    /* NULL: f32 */
    const shape *shape;
    vit_matrix matrix;
    vit_operand_buffer buffer;
    size_t rows, lda, ldy;
    float *a, *y, *scratch;
} product;

/* ---- products ------------------------------------------------------------ */

static void run_product(void *data)
{
    product *p = data;
    vit_operand a = tomevit_operand(&p->matrix, p->rows, p->a, p->lda,
                                    p->buffer);

    tomevit_gemm(p->dsp, &p->matrix, p->shape->how, p->rows, &a, p->y, p->ldy,
                 p->scratch);
}

static void line(const char *tier, const char *dtype, const char *name,
                 double gflops, double peak)
{
    printf("%-12s %-5s %-20s %9.1f", tier, dtype, name, gflops);
    if (peak > 0)
        printf(" %5.0f %%", 100 * gflops / peak);
    putchar('\n');
}

static void bench_product(const vit_dsp *dsp, const vit_low *low,
                          const shape *s, double peak, double seconds)
{
    size_t rows = low ? low->block_rows : VIT_BLOCK_ROWS;
    product p = {.dsp = dsp, .low = low, .shape = s, .rows = rows,
                 .lda = tomevit_row_stride(s->k),
                 .ldy = tomevit_row_stride(s->n)};
    float *w = measure_floats(s->n * s->k);
    vit_arena arena = {0};

    tomevit_matrix_carve(dsp, low, &p.matrix, s->n, s->k, &arena);
    if (tomevit_arena_allocate(&arena))
        exit(1);
    tomevit_matrix_carve(dsp, low, &p.matrix, s->n, s->k, &arena);
    tomevit_matrix_pack(dsp, &p.matrix, w);
    p.buffer.data = measure_memory(tomevit_operand_bytes(low, rows, s->k));
    p.buffer.quants = measure_memory(rows * sizeof(*p.buffer.quants));
    p.buffer.rows = rows;
    p.a = measure_floats(rows * p.lda);
    p.y = measure_floats(rows * p.ldy);
    p.scratch = measure_floats(tomevit_gemm_scratch(rows, s->n, s->k));
    line(low ? low->name : dsp->name,
         low ? tomevit_dtype_name(low->dtype) : "f32", s->name,
         2e-9 * (double)rows * (double)(s->n * s->k) /
         measure_best(run_product, &p, seconds), peak);
    free(w), free(p.buffer.data), free(p.buffer.quants);
    free(p.a), free(p.y), free(p.scratch);
    tomevit_arena_free(&arena);
}

static void bench_products(const vit_dsp *dsp, const vit_low *low, double peak,
                           double seconds)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        bench_product(dsp, low, &shapes[i], peak, seconds);
}

/* ---- one tile, and rows -------------------------------------------------- */

enum { DEPTH = 384, LENGTH = 768 };

typedef struct rows {
    const vit_dsp *dsp;
    float *a, *b, *c, *d;
} rows;

static void run_tile(void *data)
{
    rows *r = data;

    r->dsp->gemm(r->dsp->mr, DEPTH, r->a, DEPTH + 16, r->b, r->c, r->dsp->nr,
                 0, (vit_ahead){r->b, r->c, r->dsp->nr});
}

static void run_layer_norm(void *data)
{
    rows *r = data;

    r->dsp->layer_norm(LENGTH, r->a, r->b, r->c, 1e-6f, r->d);
}

static void run_softmax(void *data)
{
    rows *r = data;

    r->dsp->softmax(LENGTH, 0.125f, r->b, r->d);
}

static void run_gelu(void *data)
{
    rows *r = data;

    r->dsp->finish(VIT_GELU, 1, LENGTH, r->a, LENGTH, r->b, r->d, LENGTH);
}

static void run_pack(void *data)
{
    rows *r = data;

    r->dsp->pack(r->dsp->nr, DEPTH, r->a, DEPTH + 16, r->dsp->nr, r->d);
}

static void bench_rows(const vit_dsp *dsp, double peak, double seconds)
{
    static const struct {
        const char *name;
        void (*run)(void *data);
    } jobs[] = {{"layer norm", run_layer_norm}, {"softmax", run_softmax},
                {"bias and GELU", run_gelu}, {"pack", run_pack}};
    size_t room = VIT_MAX_NR * (DEPTH + 16);
    rows r = {dsp, measure_floats(room), measure_floats(room),
              measure_floats(room), measure_floats(room)};

    line(dsp->name, "f32", "tile", 2e-9 * (double)(dsp->mr * dsp->nr * DEPTH) /
         measure_best(run_tile, &r, seconds), peak);
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        size_t floats = jobs[i].run == run_pack ? dsp->nr * DEPTH
                                                : (size_t)LENGTH;

        printf("%-12s %-5s %-20s %9.2f floats/ns\n", dsp->name, "f32",
               jobs[i].name, 1e-9 * (double)floats /
               measure_best(jobs[i].run, &r, seconds));
    }
    free(r.a), free(r.b), free(r.c), free(r.d);
}

static int wanted(const char *tier, uint32_t needs, const char *asked)
{
    return (tomerge_cpu_detected() & needs) == needs &&
           (!strcmp(asked, "all") || !strcmp(asked, tier));
}

static void bench_tier(const vit_dsp *dsp, double seconds)
{
    double peak = peak_measure(dsp->name, "f32", seconds);

    line(dsp->name, "f32", "peak", peak, peak);
    bench_products(dsp, NULL, peak, seconds);
    bench_rows(dsp, peak, seconds);
    line(dsp->name, "f32", "peak again",
         peak_measure(dsp->name, "f32", seconds), peak);
}

int main(int argc, char **argv)
{
    const char *asked = argc > 1 ? argv[1] : "all";
    double seconds = argc > 2 ? atof(argv[2]) : 0.3;
    const vit_dsp *dsp;
    const vit_low *low;
    uint32_t needs;

    printf("%-12s %-5s %-20s %9s\n", "tier", "dtype", "kernel", "GFLOP/s");
    for (size_t i = 0; (dsp = tomevit_dsp_tier(i, &needs)); i++)
        if (wanted(dsp->name, needs, asked))
            bench_tier(dsp, seconds);
    dsp = tomevit_dsp_choose(tomerge_cpu_flags());
    for (size_t i = 0; (low = tomevit_low_tier(i, &needs)); i++) {
        if (!wanted(low->name, needs, asked))
            continue;
        bench_products(dsp, low, peak_measure(low->name,
                                              tomevit_dtype_name(low->dtype),
                                              seconds), seconds);
    }
    return 0;
}
