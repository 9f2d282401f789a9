/* SPDX-License-Identifier: MIT */
/* Weights that are worked out of what a file holds. */
#include "config.h"

#include "derived.h"

#include "../kernels/ema.h"
#include "../network/rope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void tomevit_set_length(size_t n, float *x, float length)
{
    double squares = 0.0;

    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    if (squares > 0.0)
        length = (float)((double)length / sqrt(squares));
    for (size_t i = 0; i < n; i++)
        x[i] *= length;
}

/* The first of several, [dim], behind its norm. */
static int read_first_query(const tomevit_description *d, vit_source source,
                            float *first)
{
    size_t dim = d->features;
    float *read = malloc((d->pool_queries + 2) * dim * sizeof(*read));
    float *factor = read + d->pool_queries * dim, *shift = factor + dim;
    double mean = 0.0, variance = 0.0;
    int error;

    if (!read)
        return TOMEVIT_ENOMEM;
    error = source.read(source.self, VIT_QUERIES, 0, read);
    if (!error)
        error = source.read(source.self, VIT_QUERY_NORM_WEIGHT, 0, factor);
    if (!error)
        error = source.read(source.self, VIT_QUERY_NORM_BIAS, 0, shift);
    for (size_t i = 0; !error && i < dim; i++)
        mean += (double)read[i] / (double)dim;
    for (size_t i = 0; !error && i < dim; i++)
        variance += ((double)read[i] - mean) * ((double)read[i] - mean) /
                    (double)dim;
    for (size_t i = 0; !error && i < dim; i++)
        first[i] = (float)(((double)read[i] - mean) /
                           sqrt(variance + (double)d->norm_eps)) * factor[i] +
                   shift[i];
    free(read);
    return error;
}

int tomevit_pool_query(const tomevit_description *d, vit_source source,
                       float *query)
{
    size_t dim = tomevit_pool_width(d);
    float scale = 1.0f / sqrtf((float)(dim / d->pool_heads));
    float *latent = malloc((dim + 1) * dim * sizeof(*latent));
    float *w = latent + dim;
    int error;

    if (!latent)
        return TOMEVIT_ENOMEM;
    error = d->pool == TOMEVIT_POOL_QUERY
                ? read_first_query(d, source, latent)
                : source.read(source.self, VIT_POOL_LATENT, 0, latent);
    if (!error)
        error = source.read(source.self, VIT_POOL_Q_WEIGHT, 0, w);
    if (!error)
        error = source.read(source.self, VIT_POOL_Q_BIAS, 0, query);
    for (size_t i = 0; !error && i < dim; i++) {
        for (size_t j = 0; j < dim; j++)
            query[i] += w[i * dim + j] * latent[j];
        query[i] *= scale;
    }
    free(latent);
    return error;
}

int tomevit_read_rates(const tomevit_description *d, vit_source source,
                       double *rates)
{
    size_t channels = tomevit_head_dim(d), half = channels / 2;
    enum vit_tensor t = d->rope.periods == TOMEVIT_PERIODS_READ
                            ? VIT_ROPE_PERIODS
                            : VIT_ROPE_FREQS;
    size_t count = tomevit_tensor_shape(d, t, NULL, NULL);
    float *read = count ? malloc(count * sizeof(*read)) : NULL;
    int error = 0;

    if (count && !read)
        return TOMEVIT_ENOMEM;
    if (count)
        error = source.read(source.self, t, 0, read);
    if (!error && !tomevit_rope_each_head(d))
        tomevit_rope_axial(d, read, rates);
    else
        for (size_t i = 0; !error && i < d->depth * d->heads; i++)
            tomevit_rope_learnt(d, read + i * half,
                                read + (d->depth * d->heads + i) * half,
                                rates + i * channels);
    free(read);
    return error;
}

int tomevit_zero_shot_rows(const tomevit_description *d, vit_source source,
                           float *w)
{
    float scale = logf(100.0f); /* where training has CLIP's end up */
    int error = 0;

    if (d->logit_scale)
        error = source.read(source.self, VIT_LOGIT_SCALE, 0, &scale);
    for (size_t i = 0; !error && i < d->classes; i++)
        tomevit_set_length(d->embedding, w + i * d->embedding, expf(scale));
    return error;
}

int tomevit_read_ema(const tomevit_description *d, vit_source source,
                     size_t layer, float *coefficients)
{
    int turning = d->block == TOMEVIT_BLOCK_MEGALODON;
    const enum vit_tensor parts[] = {
        VIT_EMA_ALPHA, VIT_EMA_DELTA, turning ? VIT_EMA_THETA : VIT_EMA_BETA,
        turning ? VIT_EMA_TURNED : VIT_EMA_GAMMA};
    size_t each = 2 * d->dim * d->mega.states;
    float *read = malloc(5 * each * sizeof(*read));
    vit_ema_source from = {d->dim, d->mega.states, turning, read, read + each,
                           read + 2 * each, read + 3 * each};
    int error = 0;

    if (!read)
        return TOMEVIT_ENOMEM;
    if (d->mega.states > VIT_EMA_STATES)
        error = TOMEVIT_EINVAL;
    for (size_t i = 0; !error && i < 4; i++)
        error = source.read(source.self, parts[i], layer, read + i * each);
    if (!error)
        tomevit_ema_pack(&from, coefficients);
    free(read);
    return error;
}

/* y[heads] of a distance, by the MLP's four tensors one after another. */
static void raise_by(const tomevit_description *d, const float *w, double y,
                     double x, float *out)
{
    size_t hidden = d->relative_hidden;
    const float *bias = w + 2 * hidden, *fc2 = bias + hidden;
    const float *bias2 = fc2 + d->heads * hidden;

    y = copysign(log1p(fabs(y)), y);
    x = copysign(log1p(fabs(x)), x);
    for (size_t h = 0; h < d->heads; h++) {
        double sum = (double)bias2[h];

        for (size_t i = 0; i < hidden; i++) {
            double unit = (double)w[2 * i] * y + (double)w[2 * i + 1] * x +
                          (double)bias[i];

            if (unit > 0)
                sum += (double)fc2[h * hidden + i] * unit;
        }
        out[h] = (float)sum;
    }
}

int tomevit_relative_table(const tomevit_description *d, vit_source source,
                           size_t layer, float *table)
{
    static const enum vit_tensor parts[2][4] = {
        {VIT_REL_FC1_WEIGHT, VIT_REL_FC1_BIAS, VIT_REL_FC2_WEIGHT,
         VIT_REL_FC2_BIAS},
        {VIT_SHARED_FC1_WEIGHT, VIT_SHARED_FC1_BIAS, VIT_SHARED_FC2_WEIGHT,
         VIT_SHARED_FC2_BIAS}};
    size_t rows = tomevit_grid_rows(d), columns = tomevit_grid_columns(d);
    size_t wide = 2 * columns - 1, distances = (2 * rows - 1) * wide;
    size_t at = 0;
    size_t hidden = d->relative_hidden;
    float *w = malloc((3 * hidden + d->heads * (hidden + 1)) * sizeof(*w));
    int error = w ? 0 : TOMEVIT_ENOMEM;

    for (size_t i = 0; !error && i < 4; i++) {
        enum vit_tensor t = parts[d->relative == 3][i];

        error = source.read(source.self, t, layer, w + at);
        at += tomevit_tensor_shape(d, t, NULL, NULL);
    }
    for (size_t i = 0; !error && i < distances; i++)
        raise_by(d, w, (double)(i / wide) - (double)rows + 1,
                 (double)(i % wide) - (double)columns + 1,
                 table + i * d->heads);
    for (size_t i = distances * d->heads;
         !error && i < (distances + 3) * d->heads; i++)
        table[i] = 0.0f;
    free(w);
    return error;
}

/* exp(q k) of one of the two; `read` has room for both vectors. */
static int exp_product(vit_source source, enum vit_tensor q, enum vit_tensor k,
                       size_t layer, size_t n, float *read, double *value)
{
    double sum = 0.0;
    int error = source.read(source.self, q, layer, read);

    if (!error)
        error = source.read(source.self, k, layer, read + n);
    for (size_t i = 0; !error && i < n; i++)
        sum += (double)read[i] * (double)read[n + i];
    *value = exp(sum);
    return error;
}

int tomevit_read_lambda(const tomevit_description *d, vit_source source,
                        size_t layer, float *lambda, float *norm)
{
    double start = 0.8 - 0.6 * exp(-0.3 * (double)layer);
    double first = 0.0, second = 0.0;
    size_t n = tomevit_head_dim(d) / 2;
    float *read = malloc(2 * n * sizeof(*read));
    int error = read ? 0 : TOMEVIT_ENOMEM;

    if (!error)
        error = exp_product(source, VIT_LAMBDA_Q1, VIT_LAMBDA_K1, layer, n,
                            read, &first);
    if (!error)
        error = exp_product(source, VIT_LAMBDA_Q2, VIT_LAMBDA_K2, layer, n,
                            read, &second);
    free(read);
    if (error)
        return error;
    *lambda = (float)(first - second + start);
    for (size_t i = 0; i < 2 * n; i++)
        norm[i] *= (float)(1.0 - start);
    return 0;
}

int tomevit_fold_norm(const tomevit_description *d, vit_source source,
                      enum vit_tensor t, float *rows, float *bias)
{
    const float epsilon = 1e-5f; /* PyTorch's, which no file says */
    int second = t == VIT_STEM_1_WEIGHT;
    enum vit_tensor parts[4] = {
        second ? VIT_STEM_1_SCALE : VIT_STEM_0_SCALE,
        second ? VIT_STEM_1_SHIFT : VIT_STEM_0_SHIFT,
        second ? VIT_STEM_1_MEAN : VIT_STEM_0_MEAN,
        second ? VIT_STEM_1_VARIANCE : VIT_STEM_0_VARIANCE,
    };
    size_t n = d->stem_width[second];
    size_t length = tomevit_tensor_shape(d, t, NULL, NULL) / n;
    float *read = malloc(4 * n * sizeof(*read));
    int error = read ? 0 : TOMEVIT_ENOMEM;

    for (int i = 0; !error && i < 4; i++)
        error = source.read(source.self, parts[i], 0, read + (size_t)i * n);
    for (size_t i = 0; !error && i < n; i++) {
        float factor = read[i] / sqrtf(read[3 * n + i] + epsilon);

        bias[i] = read[n + i] - read[2 * n + i] * factor;
        for (size_t j = 0; j < length; j++)
            rows[i * length + j] *= factor;
    }
    free(read);
    return error;
}

void tomevit_fold_sign(const tomevit_description *d, float *rows, float *bias)
{
    size_t length = tomevit_patch_length(d);

    for (size_t i = 0; i < d->dim; i++, rows += length) {
        double sum = 0.0;

        for (size_t j = 0; j < length; j++) {
            sum += (double)rows[j];
            rows[j] *= 2.0f;
        }
        bias[i] -= (float)sum;
    }
}

/* Of a tensor whose taps are last: its channels that they are of; 0: it has no
 * taps, or is read as it is. */
static size_t tapped(const tomevit_description *d, enum vit_tensor t)
{
    size_t shape[4], dims = 0;

    if (!d->stages[0] || t >= VIT_FIRST_OF_LAYER ||
        !tomevit_tensor_shape(d, t, shape, &dims) || dims != 4 ||
        shape[2] * shape[3] != VIT_TAPS)
        return 0;
    return shape[1] == 1 ? shape[0] : shape[1];
}

int tomevit_taps_first(const tomevit_description *d, enum vit_tensor t,
                       float *w)
{
    size_t channels = tapped(d, t), length = channels * VIT_TAPS;
    float *row;

    if (!channels)
        return 0;
    row = malloc(length * sizeof(*row));
    if (!row)
        return TOMEVIT_ENOMEM;
    for (size_t left = tomevit_tensor_shape(d, t, NULL, NULL); left;
         left -= length, w += length) {
        memcpy(row, w, length * sizeof(*row));
        for (size_t i = 0; i < length; i++)
            w[i % VIT_TAPS * channels + i / VIT_TAPS] = row[i];
    }
    free(row);
    return 0;
}
