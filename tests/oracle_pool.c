/* SPDX-License-Identifier: MIT */
/* The plain forward pass behind the layers; see oracle.h. */
#include "oracle_steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The mean over what the patch tokens stand for. */
static void mean_of_patches(const oracle *o, const double *rows, double *mean)
{
    size_t dim = o->d->dim;
    double total = 0.0;

    for (size_t t = o->d->prefix; t < o->n; t++) {
        total += o->size[t];
        for (size_t c = 0; c < dim; c++)
            mean[c] += o->size[t] * rows[t * dim + c];
    }
    for (size_t c = 0; c < dim; c++)
        mean[c] /= total;
}

/* What a query [width] makes of all tokens, sizes counting as in the layers. */
static double *looked(const oracle *o, const double *rows, int prop_attn,
                      const double *query, size_t width)
{
    size_t dim = width, dh = dim / o->d->pool_heads;
    double *q = linear(o, VIT_POOL_Q_WEIGHT, VIT_POOL_Q_BIAS, 0, 1, query,
                       dim, dim);
    double *kv = linear(o, VIT_POOL_KV_WEIGHT, VIT_POOL_KV_BIAS, 0, o->n, rows,
                        2 * dim, o->d->dim);
    double *seen = zeros(dim), *s = zeros(o->n), *y;

    for (size_t head = 0; head < o->d->pool_heads; head++) {
        double sum = 0.0;

        for (size_t t = 0; t < o->n; t++) {
            double dot = 0.0;

            for (size_t c = head * dh; c < (head + 1) * dh; c++)
                dot += q[c] * kv[t * 2 * dim + c];
            s[t] = exp(dot / sqrt((double)dh)) * (prop_attn ? o->size[t] : 1.0);
            sum += s[t];
        }
        for (size_t t = 0; t < o->n; t++)
            for (size_t c = head * dh; c < (head + 1) * dh; c++)
                seen[c] += s[t] / sum * kv[t * 2 * dim + dim + c];
    }
    y = linear(o, VIT_POOL_PROJ_WEIGHT, VIT_POOL_PROJ_BIAS, 0, 1, seen, dim,
               dim);
    free(q), free(kv), free(seen), free(s);
    return y;
}

/* Of one query, and an MLP. */
static void attention_pool(const oracle *o, const double *rows, int prop_attn,
                           double *pooled)
{
    size_t dim = o->d->dim, wide = o->d->pool_mlp_dim;
    double *latent = tensor(o, VIT_POOL_LATENT, 0, dim);
    double *y = looked(o, rows, prop_attn, latent, dim), *in, *h, *z;

    in = norm(o, VIT_POOL_NORM_WEIGHT, VIT_POOL_NORM_BIAS, 0, 1, y);
    h = linear(o, VIT_POOL_FC1_WEIGHT, VIT_POOL_FC1_BIAS, 0, 1, in, wide, dim);
    for (size_t i = 0; i < wide; i++)
        h[i] = activate(o->d->activation, h[i]);
    z = linear(o, VIT_POOL_FC2_WEIGHT, VIT_POOL_FC2_BIAS, 0, 1, h, dim, wide);
    for (size_t i = 0; i < dim; i++)
        pooled[i] = y[i] + z[i];
    free(latent), free(y), free(in), free(h), free(z);
}

/* Of the first of several queries, between norms. */
static void query_pool(const oracle *o, const double *rows, int prop_attn,
                       double *pooled)
{
    size_t width = o->d->features;
    double *queries = tensor(o, VIT_QUERIES, 0, o->d->pool_queries * width);
    double *first = norm(o, VIT_QUERY_NORM_WEIGHT, VIT_QUERY_NORM_BIAS, 0, 1,
                         queries);
    double *y = looked(o, rows, prop_attn, first, width);
    double *normed = norm(o, VIT_POOL_NORM_WEIGHT, VIT_POOL_NORM_BIAS, 0, 1, y);

    memcpy(pooled, normed, width * sizeof(*pooled));
    free(queries), free(first), free(y), free(normed);
}

/* A class token alone looks at all and at itself. [arXiv 2103.17239] */
static void class_layers(const oracle *o, int prop_attn, double *x)
{
    size_t dim = o->d->dim, dh = dim / o->d->pool_heads, rows = o->n + 1;
    double *row = tensor(o, VIT_CLASS_ROW, 0, dim), *all = zeros(rows * dim);
    oracle with = *o;

    with.n = rows;
    with.size = zeros(rows);
    with.size[0] = 1.0;
    memcpy(with.size + 1, o->size, o->n * sizeof(*o->size));
    memcpy(x, row, dim * sizeof(*x));
    for (size_t i = 0; i < o->d->class_layers; i++) {
        int at = (int)i * (VIT_CLASS_1_NORM1_WEIGHT - VIT_CLASS_0_NORM1_WEIGHT);
        double *scale1 = tensor(o, VIT_CLASS_0_SCALE1 + at, 0, dim);
        double *scale2 = tensor(o, VIT_CLASS_0_SCALE2 + at, 0, dim);
        double *seen = zeros(dim), *s = zeros(rows), *w = zeros(rows);
        double *in, *q, *kv, *y, *h;

        memcpy(all, x, dim * sizeof(*x));
        memcpy(all + dim, o->x, o->n * dim * sizeof(*x));
        in = norm(o, VIT_CLASS_0_NORM1_WEIGHT + at, VIT_CLASS_0_NORM1_BIAS + at,
                  0, rows, all);
        q = linear(o, VIT_CLASS_0_Q_WEIGHT + at, VIT_CLASS_0_Q_BIAS + at, 0, 1,
                   in, dim, dim);
        kv = linear(o, VIT_CLASS_0_KV_WEIGHT + at, VIT_CLASS_0_KV_BIAS + at, 0,
                    rows, in, 2 * dim, dim);
        for (size_t c = 0; c < dim; c += dh) {
            score(&with, q + c, kv + c, 2 * dim, dh, s);
            softmax_of(&with, s, prop_attn, w);
            weigh(&with, w, kv + dim + c, 2 * dim, dh, seen + c);
        }
        y = linear(o, VIT_CLASS_0_PROJ_WEIGHT + at, VIT_CLASS_0_PROJ_BIAS + at,
                   0, 1, seen, dim, dim);
        for (size_t c = 0; c < dim; c++)
            x[c] += scale1[c] * y[c];
        free(in), free(q), free(kv), free(y), free(scale1);
        in = norm(o, VIT_CLASS_0_NORM2_WEIGHT + at, VIT_CLASS_0_NORM2_BIAS + at,
                  0, 1, x);
        h = linear(o, VIT_CLASS_0_FC1_WEIGHT + at, VIT_CLASS_0_FC1_BIAS + at, 0,
                   1, in, o->d->pool_mlp_dim, dim);
        for (size_t c = 0; c < o->d->pool_mlp_dim; c++)
            h[c] = activate(o->d->activation, h[c]);
        y = linear(o, VIT_CLASS_0_FC2_WEIGHT + at, VIT_CLASS_0_FC2_BIAS + at, 0,
                   1, h, dim, o->d->pool_mlp_dim);
        for (size_t c = 0; c < dim; c++)
            x[c] += scale2[c] * y[c];
        free(in), free(h), free(y), free(seen), free(s), free(w), free(scale2);
    }
    free(row), free(all), free(with.size);
}

/* Patches in squares, each as the row that it is part of; what a grid lacks to
 * whole squares is zeros. The mean of what an MLP makes of each square. */
static void pool_cells(const oracle *o, const double *rows, double *pooled)
{
    const tomevit_cells *cells = &o->d->cells;
    size_t dim = o->d->dim, columns = tomevit_grid_columns(o->d);
    size_t width = cells->side, across = (columns + width - 1) / width;
    size_t count = (tomevit_grid_rows(o->d) + width - 1) / width * across;
    size_t wide = width * width * dim;
    double *in = zeros(count * wide), *h, *y;
    double *normed = zeros(o->n * dim);

    memcpy(normed, rows, o->n * dim * sizeof(*rows));
    norm_in_place(o, VIT_CELLS_NORM_WEIGHT, VIT_CELLS_NORM_BIAS, 0, o->n,
                  normed, dim);
    for (size_t p = 0; p < tomevit_grid_patches(o->d); p++)
        for (size_t c = 0; c < dim; c++) {
            size_t down = p / columns, right = p % columns;
            size_t at = down % width * width + right % width;
            size_t cell = down / width * across + right / width;

            in[cell * wide + (cells->by_channel ? c * width * width + at
                                                : at * dim + c)] =
                normed[o->owner[o->d->prefix + p] * dim + c];
        }
    h = linear(o, VIT_CELLS_FC1_WEIGHT, VIT_CELLS_FC1_BIAS, 0, count,
               in, cells->hidden, wide);
    for (size_t i = 0; i < count * cells->hidden; i++)
        h[i] = activate(TOMEVIT_GELU, h[i]);
    y = linear(o, VIT_CELLS_FC2_WEIGHT, VIT_CELLS_FC2_BIAS, 0, count,
               h, cells->out, cells->hidden);
    for (size_t i = 0; i < count * cells->out; i++)
        pooled[i % cells->out] += y[i] / (double)count;
    free(in), free(normed), free(h), free(y);
}

/* A norm that has no weights, behind pooling. */
static void bare_norm(const oracle *o, double *x)
{
    size_t n = o->d->features;
    double mean = 0.0, variance = 0.0;

    for (size_t i = 0; i < n && !o->d->rms_norm; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - mean) / sqrt(variance + (double)o->d->norm_eps);
}

/* What squares of patches are handed on as. [transformers, models/gemma4] */
static void standardize(const oracle *o, double *x)
{
    size_t n = o->d->dim;
    double *bias = tensor(o, VIT_STD_BIAS, 0, n);
    double *scale = tensor(o, VIT_STD_SCALE, 0, n);

    for (size_t i = 0; i < n; i++)
        x[i] = o->d->bare_norm == 3
                   ? (x[i] * sqrt((double)n) - bias[i]) * scale[i]
                   : x[i] * sqrt((double)n);
    free(bias), free(scale);
}

static double length(const double *x, size_t n)
{
    double squares = 0.0;

    for (size_t i = 0; i < n; i++)
        squares += x[i] * x[i];
    return sqrt(squares);
}

/* Scaled cosines with the texts' embeddings. */
double *oracle_zero_shot(const oracle *o, const double *pooled)
{
    const tomevit_description *d = o->d;
    size_t n = d->embedding;
    double *texts = tensor(o, VIT_TEXT, 0, d->classes * n);
    double *scale = tensor(o, VIT_LOGIT_SCALE, 0, 1);
    double *bias = tensor(o, VIT_LOGIT_BIAS, 0, 1);
    double *image = zeros(n), *y = zeros(d->classes), *projected = NULL;

    memcpy(image, pooled, (d->projection ? 0 : n) * sizeof(*image));
    if (d->projection) {
        projected = linear(o, VIT_PROJECT_WEIGHT, VIT_PROJECT_BIAS, 0, 1,
                           pooled, n, d->features);
        memcpy(image, projected, n * sizeof(*image));
    }
    for (size_t i = 0; i < d->classes; i++) {
        for (size_t j = 0; j < n; j++)
            y[i] += image[j] * texts[i * n + j];
        y[i] *= (d->logit_scale ? exp(scale[0]) : 100.0) /
                (length(image, n) * length(texts + i * n, n));
        y[i] += bias[0];
    }
    free(texts), free(scale), free(bias), free(image), free(projected);
    return y;
}

/* What the heads see: [features], or [2, dim] for two heads. */
double *oracle_pool(const oracle *o, int prop_attn)
{
    size_t dim = o->d->dim;
    double *pooled = zeros(2 * dim + o->d->features);
    double *normed = zeros(o->n * dim);

    memcpy(normed, o->x, o->n * dim * sizeof(*normed));
    norm_in_place(o, VIT_NORM_WEIGHT, VIT_NORM_BIAS, 0, o->n, normed, dim);
    switch (o->d->pool) {
    case TOMEVIT_POOL_CLASS:
        memcpy(pooled, normed, (size_t)(1 + o->d->distilled) * dim *
                               sizeof(*pooled));
        break;
    case TOMEVIT_POOL_CLASS_MEAN:
        memcpy(pooled, normed, dim * sizeof(*pooled));
        mean_of_patches(o, normed, pooled + dim);
        break;
    case TOMEVIT_POOL_ATTENTION:
        attention_pool(o, normed, prop_attn, pooled);
        break;
    case TOMEVIT_POOL_QUERY:
        query_pool(o, normed, prop_attn, pooled);
        break;
    case TOMEVIT_POOL_CELLS:
        pool_cells(o, normed, pooled);
        break;
    case TOMEVIT_POOL_CLASS_LAYERS:
        class_layers(o, prop_attn, pooled);
        norm_in_place(o, VIT_NORM_WEIGHT, VIT_NORM_BIAS, 0, 1, pooled, dim);
        break;
    default:
        mean_of_patches(o, o->d->fc_norm ? o->x : normed, pooled);
        if (o->d->fc_norm)
            norm_in_place(o, VIT_NORM_WEIGHT, VIT_NORM_BIAS, 0, 1, pooled,
                          dim);
    }
    if (o->d->bare_norm == 1)
        bare_norm(o, pooled);
    if (o->d->bare_norm > 1)
        standardize(o, pooled);
    free(normed);
    return pooled;
}
