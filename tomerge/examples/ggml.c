/* SPDX-License-Identifier: MIT */
/*
 * Token merging as a custom operator of a ggml graph: one operator between
 * attention and MLP finds the tokens to merge and combines their rows, in
 * ggml's own threads and on its tensors. Rows carry their size behind their
 * channels, so that one tensor is all there is from layer to layer.
 *
 *     cc ggml.c $(pkg-config --cflags --libs libtomerge) \
 *         -lggml -lggml-cpu -lggml-base -lm
 */
#include <tomerge.h>

#include <ggml-cpu.h>
#include <ggml.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 3, TOKENS = 50, HEADS = 3, HEAD = 16, DIM = HEADS * HEAD };
enum { LAYERS = 4, HIDDEN = 2 * DIM, MOST_THREADS = 4 };

/* ---- the operator -------------------------------------------------------- */

/* What one layer's operator needs. Made with the graph; an operator of ggml
 * cannot fail, so errors are kept here. */
typedef struct merge_layer {
    tomerge_options options;
    size_t r;
    char *memory;          /* a part for each thread */
    size_t part, map_at, size_at, metric_at;
    int error[MOST_THREADS];
} merge_layer;

static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Workspace, map, sizes and metric of one sequence of up to `tokens`. */
static int merge_layer_init(merge_layer *layer, size_t tokens, size_t r)
{
    size_t match, merge;
    int error;

    tomerge_options_init(&layer->options);
    layer->options.protect = 1;
    layer->options.exact = 1; /* the graph fixes the number of rows */
    layer->r = r;
    error = tomerge_match_workspace(&layer->options, tokens, HEAD, &match);
    if (!error)
        error = tomerge_merge_workspace(tokens, &merge);
    if (error)
        return error;
    layer->map_at = aligned(match > merge ? match : merge);
    layer->size_at = layer->map_at + aligned(tokens * sizeof(int32_t));
    layer->metric_at = layer->size_at + aligned(2 * tokens * sizeof(float));
    layer->part = layer->metric_at + aligned(tokens * HEAD * sizeof(float));
    layer->memory = malloc(MOST_THREADS * layer->part);
    return layer->memory ? 0 : TOMERGE_ESPACE;
}

/* One image: x [tokens, DIM + 1] and keys [tokens, HEADS, HEAD] to y. */
static int merge_image(const merge_layer *layer, char *part,
                       const struct ggml_tensor *x,
                       const struct ggml_tensor *keys,
                       struct ggml_tensor *y, int64_t image)
{
    size_t tokens = (size_t)x->ne[1], rows = (size_t)y->ne[1];
    ptrdiff_t stride = (ptrdiff_t)(x->nb[1] / sizeof(float));
    const float *from = (const float *)((char *)x->data +
                                        image * (int64_t)x->nb[2]);
    float *to = (float *)((char *)y->data + image * (int64_t)y->nb[2]);
    float *size = (float *)(part + layer->size_at), *sum = size + tokens;
    float *mean = (float *)(part + layer->metric_at);
    tomerge_plan plan = {tokens, 0, (int32_t *)(part + layer->map_at), NULL};
    tomerge_const_view k = {(char *)keys->data + image * (int64_t)keys->nb[3],
                            (ptrdiff_t)(keys->nb[2] / sizeof(float)),
                            TOMERGE_F32};
    tomerge_view metric = {mean, HEAD, TOMERGE_F32};
    tomerge_const_view by = {mean, HEAD, TOMERGE_F32};
    tomerge_const_view in = {from, stride, TOMERGE_F32};
    tomerge_view out = {to, (ptrdiff_t)(y->nb[1] / sizeof(float)), TOMERGE_F32};
    int error;

    for (size_t t = 0; t < tokens; t++)
        size[t] = from[(ptrdiff_t)t * stride + DIM];
    error = tomerge_mean_heads(tokens, HEADS, HEAD, k,
                               (ptrdiff_t)(keys->nb[1] / sizeof(float)),
                               metric);
    if (!error)
        error = tomerge_match(&layer->options, HEAD, by, layer->r, &plan, part,
                              layer->map_at);
    /* An r beyond what there is to merge. */
    if (!error && plan.rows != rows)
        error = TOMERGE_EINVAL;
    if (!error)
        error = tomerge_merge(TOMERGE_WEIGHTED, &plan, DIM, in, size, out, sum,
                              part, layer->map_at);
    for (size_t t = 0; t < rows && !error; t++)
        to[(ptrdiff_t)t * out.stride + DIM] = sum[t];
    return error;
}

/* ggml calls this in each of its nth threads: images are dealt out. */
static void merge_op(struct ggml_tensor *y, int ith, int nth, void *userdata)
{
    merge_layer *layer = userdata;
    char *part = layer->memory + (size_t)ith * layer->part;

    for (int64_t image = ith; image < y->ne[2]; image += nth) {
        int error = merge_image(layer, part, y->src[0], y->src[1], y, image);

        if (error)
            layer->error[ith] = error;
    }
}

/* x [DIM + 1, tokens, images] and keys [HEAD, HEADS, tokens, images] to
 * [DIM + 1, tokens - r, images]. */
static struct ggml_tensor *merge_tokens(struct ggml_context *ctx,
                                        struct ggml_tensor *x,
                                        struct ggml_tensor *keys,
                                        merge_layer *layer)
{
    struct ggml_tensor *inputs[] = {x, keys};
    int64_t rows = x->ne[1] - (int64_t)layer->r;

    return ggml_custom_4d(ctx, GGML_TYPE_F32, x->ne[0], rows, x->ne[2], 1,
                          inputs, 2, merge_op, GGML_N_TASKS_MAX, layer);
}

/* ---- a transformer in ggml ----------------------------------------------- */

/* Numbers in [-1, 1) that look random and are always the same. */
static float noise(int64_t i, int which)
{
    uint32_t x = (uint32_t)i * 2654435761u + (uint32_t)which * 40503u;

    x = (x ^ x >> 15) * 2246822519u;
    x = (x ^ x >> 13) * 3266489917u;
    return (float)(int32_t)(x ^ x >> 16) * 0x1p-31f;
}

static struct ggml_tensor *weights(struct ggml_context *ctx, int64_t in,
                                   int64_t out, int which)
{
    struct ggml_tensor *w = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, in, out);
    float *data = w->data;

    for (int64_t i = 0; i < in * out; i++)
        data[i] = 2 * noise(i, which) / sqrtf((float)in);
    return w;
}

/* The channels of x, or its sizes as [1, tokens, images]. */
static struct ggml_tensor *channels(struct ggml_context *ctx,
                                    struct ggml_tensor *x)
{
    return ggml_view_3d(ctx, x, DIM, x->ne[1], x->ne[2], x->nb[1], x->nb[2],
                        0);
}

static struct ggml_tensor *sizes(struct ggml_context *ctx,
                                 struct ggml_tensor *x)
{
    return ggml_view_3d(ctx, x, 1, x->ne[1], x->ne[2], x->nb[1], x->nb[2],
                        DIM * sizeof(float));
}

static struct ggml_tensor *heads(struct ggml_context *ctx,
                                 struct ggml_tensor *x, int which)
{
    struct ggml_tensor *y = ggml_mul_mat(
        ctx, weights(ctx, DIM, DIM, which), ggml_rms_norm(ctx, x, 1e-6f));

    return ggml_reshape_4d(ctx, y, HEAD, HEADS, x->ne[1], x->ne[2]);
}

/* Attention with the logarithm of the sizes on its logits; returns what to
 * add to x. */
static struct ggml_tensor *attention(struct ggml_context *ctx,
                                     struct ggml_tensor *rows,
                                     struct ggml_tensor *size,
                                     struct ggml_tensor *keys, int which)
{
    int64_t tokens = rows->ne[1], images = rows->ne[2];
    struct ggml_tensor *q = heads(ctx, rows, which + 1);
    struct ggml_tensor *v = heads(ctx, rows, which + 2);
    struct ggml_tensor *bias, *logits, *y;

    /* [keys, queries, heads, images] */
    logits = ggml_mul_mat(ctx, ggml_permute(ctx, keys, 0, 2, 1, 3),
                          ggml_permute(ctx, q, 0, 2, 1, 3));
    logits = ggml_scale(ctx, logits, 1 / sqrtf(HEAD));
    bias = ggml_log(ctx, ggml_cont(ctx, size));
    bias = ggml_reshape_4d(ctx, bias, tokens, 1, 1, images);
    logits = ggml_soft_max(ctx, ggml_add(ctx, logits, bias));
    v = ggml_cont(ctx, ggml_permute(ctx, v, 1, 2, 0, 3));
    y = ggml_permute(ctx, ggml_mul_mat(ctx, v, logits), 0, 2, 1, 3);
    return ggml_cont_3d(ctx, y, DIM, tokens, images);
}

static struct ggml_tensor *mlp(struct ggml_context *ctx,
                               struct ggml_tensor *rows, int which)
{
    struct ggml_tensor *y = ggml_mul_mat(ctx, weights(ctx, DIM, HIDDEN, which),
                                         ggml_rms_norm(ctx, rows, 1e-6f));

    return ggml_mul_mat(ctx, weights(ctx, HIDDEN, DIM, which + 1),
                        ggml_gelu(ctx, y));
}

static struct ggml_tensor *layer(struct ggml_context *ctx,
                                 struct ggml_tensor *x, merge_layer *merging,
                                 int which)
{
    struct ggml_tensor *rows = channels(ctx, x);
    struct ggml_tensor *keys = heads(ctx, rows, which);

    rows = ggml_add(ctx, rows, attention(ctx, rows, sizes(ctx, x), keys,
                                         which));
    x = ggml_concat(ctx, rows, sizes(ctx, x), 0);
    x = merge_tokens(ctx, x, keys, merging); /* all that merging adds */
    rows = channels(ctx, x);
    rows = ggml_add(ctx, rows, mlp(ctx, rows, which + 3));
    return ggml_concat(ctx, rows, sizes(ctx, x), 0);
}

/* Patches 1 and 2, 3 and 4, ... are the same: where only these merge, sizes
 * make up for their number and the class token's row stays what it is. */
static struct ggml_tensor *images(struct ggml_context *ctx)
{
    struct ggml_tensor *x = ggml_new_tensor_3d(ctx, GGML_TYPE_F32, DIM + 1,
                                               TOKENS, IMAGES);
    float *data = x->data;

    for (int i = 0; i < IMAGES * TOKENS; i++) {
        int pair = i / TOKENS * TOKENS + (i % TOKENS + 1) / 2;

        for (int c = 0; c < DIM; c++)
            data[i * (DIM + 1) + c] = noise(pair * DIM + c, -1);
        data[i * (DIM + 1) + DIM] = 1;
    }
    return x;
}

static struct ggml_tensor *build(struct ggml_context *ctx, const size_t *r,
                                 merge_layer *merging, int *error)
{
    struct ggml_tensor *x = images(ctx);

    for (int i = 0; i < LAYERS && !*error; i++) {
        *error = merge_layer_init(&merging[i], (size_t)x->ne[1], r[i]);
        if (!*error)
            x = layer(ctx, x, &merging[i], 10 * i);
    }
    return x;
}

/* Runs the model, r[i] tokens merging in layer i; the last layer's rows go to
 * `result`, which has room for `floats`. */
static int run(const size_t *r, int threads, float *result, size_t floats)
{
    struct ggml_init_params memory = {64 << 20, NULL, false};
    struct ggml_context *ctx = ggml_init(memory);
    merge_layer merging[LAYERS] = {0};
    int error = ctx ? 0 : TOMERGE_ESPACE;
    struct ggml_tensor *x = ctx ? build(ctx, r, merging, &error) : NULL;

    if (!error) {
        struct ggml_cgraph *graph = ggml_new_graph(ctx);

        ggml_build_forward_expand(graph, x);
        if (ggml_graph_compute_with_ctx(ctx, graph, threads) !=
                GGML_STATUS_SUCCESS || (size_t)ggml_nelements(x) > floats)
            error = TOMERGE_EINVAL;
    }
    for (int i = 0; i < LAYERS; i++) {
        for (int thread = 0; thread < MOST_THREADS; thread++)
            error = error ? error : merging[i].error[thread];
        free(merging[i].memory);
    }
    if (!error)
        memcpy(result, x->data, ggml_nbytes(x));
    ggml_free(ctx);
    return error;
}

int main(void)
{
    enum { ALL = IMAGES * TOKENS * (DIM + 1), PAIRS = (TOKENS - 1) / 2 };
    enum { ROW = DIM + 1, LEFT = TOKENS - 4 * 8 };
    static const size_t none[LAYERS] = {0}, pairs[LAYERS] = {PAIRS};
    static const size_t even[LAYERS] = {8, 8, 8, 8};
    static float full[ALL], merged[ALL], one[ALL], many[ALL];
    float off = 0;
    int error = run(none, 1, full, ALL);

    error = error ? error : run(pairs, 2, merged, ALL);
    error = error ? error : run(even, 1, one, ALL);
    error = error ? error : run(even, MOST_THREADS, many, ALL);
    if (error) {
        fprintf(stderr, "%s\n", tomerge_strerror(error));
        return 1;
    }
    for (int image = 0; image < IMAGES; image++)
        for (int c = 0; c < DIM; c++)
            off = fmaxf(off, fabsf(full[image * TOKENS * ROW + c] -
                                   merged[image * (TOKENS - PAIRS) * ROW + c]));
    /* ggml's GELU goes through a table of halves. */
    printf("equal patches merged: class tokens %s\n",
           off < 1e-3f ? "unchanged" : "CHANGED");
    printf("%d tokens -> %d rows, of sizes that add up to", TOKENS, LEFT);
    for (int image = 0; image < IMAGES; image++) {
        float total = 0;

        for (int t = 0; t < LEFT; t++)
            total += one[(image * LEFT + t) * ROW + DIM];
        printf(" %g", (double)total);
    }
    printf("; the %s in %d threads\n", memcmp(one, many, sizeof(one))
           ? "DIFFERENT" : "same", MOST_THREADS);
    return 0;
}
