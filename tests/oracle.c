/* SPDX-License-Identifier: MIT */
/* The plain forward pass; see oracle.h. */
#include "oracle_steps.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int oracle_bits;

double *zeros(size_t n)
{
    double *p = calloc(n ? n : 1, sizeof(*p));

    cr_assert(p);
    return p;
}

/* A side of a product as the type has it: `oracle_bits` bits of mantissa, to
 * nearest. Halves are ties, which no random number is. */
static double side_of(double x)
{
    int exponent;

    if (!oracle_bits)
        return x;
    x = ldexp(frexp(x, &exponent), oracle_bits);
    return ldexp(rint(x), exponent - oracle_bits);
}

/* Of all of a matrix; to be freed. */
static double *sides_of(const double *x, size_t n)
{
    double *sides = zeros(n);

    for (size_t i = 0; i < n; i++)
        sides[i] = side_of(x[i]);
    return sides;
}

/* A tensor as doubles, zeros if the model has none. */
double *tensor(const oracle *o, enum vit_tensor t, size_t layer,
               size_t n)
{
    size_t have = tomevit_shape_in(o->d, layer, t, NULL, NULL);
    float *raw = calloc(n, sizeof(*raw));
    double *p = zeros(n);

    cr_assert(raw && (have == 0 || have == n));
    if (have)
        cr_assert_eq(o->source.read(o->source.self, t, layer, raw), 0);
    for (size_t i = 0; i < n; i++)
        p[i] = (double)raw[i];
    free(raw);
    return p;
}

/* y[rows, n] = x[rows, k] w[n, k]^T + b */
double *linear(const oracle *o, enum vit_tensor weight,
               enum vit_tensor bias, size_t layer, size_t rows,
               const double *x, size_t n, size_t k)
{
    double *w = tensor(o, weight, layer, n * k);
    double *b = tensor(o, bias, layer, n), *y = zeros(rows * n);
    double *left = sides_of(x, rows * k), *right = sides_of(w, n * k);

    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = b[j];

            for (size_t p = 0; p < k; p++)
                sum += left[i * k + p] * right[j * k + p];
            y[i * n + j] = sum;
        }
    }
    free(w), free(b), free(left), free(right);
    return y;
}

double *norm(const oracle *o, enum vit_tensor weight,
             enum vit_tensor bias, size_t layer, size_t rows,
             const double *x)
{
    size_t dim = tomevit_tensor_shape(o->d, weight, NULL, NULL);
    double *w = tensor(o, weight, layer, dim);
    double *b = NULL, *y = zeros(rows * dim);

    if (bias < VIT_TENSORS && tomevit_tensor_shape(o->d, bias, NULL, NULL))
        b = tensor(o, bias, layer, dim);
    for (size_t i = 0; i < rows; i++) {
        const double *row = x + i * dim;
        double mean = 0.0, variance = 0.0;

        for (size_t c = 0; c < dim; c++)
            mean += b ? row[c] / (double)dim : 0.0;
        for (size_t c = 0; c < dim; c++)
            variance += (row[c] - mean) * (row[c] - mean) / (double)dim;
        for (size_t c = 0; c < dim; c++)
            y[i * dim + c] = (row[c] - mean) /
                sqrt(variance + (double)o->d->norm_eps) * w[c] +
                (b ? b[c] : 0.0);
    }
    free(w), free(b);
    return y;
}

/* A norm of what is in x, for a tensor that may not exist. */
void norm_in_place(const oracle *o, enum vit_tensor weight,
                   enum vit_tensor bias, size_t layer, size_t rows,
                   double *x, size_t stride)
{
    size_t dim = tomevit_tensor_shape(o->d, weight, NULL, NULL);

    for (size_t i = 0; dim && i < rows; i++) {
        double *y = norm(o, weight, bias, layer, 1, x + i * stride);

        memcpy(x + i * stride, y, dim * sizeof(*y));
        free(y);
    }
}

/* What turns each token's queries and keys; nothing does before the patches.
 * Axial rules alone: the others are test_layouts' matter. */
static void place_turns(oracle *o)
{
    const tomevit_rope *rope = &o->d->rope;
    size_t dh = o->d->dim / o->d->heads;
    size_t rows = tomevit_grid_rows(o->d), columns = tomevit_grid_columns(o->d);

    for (size_t t = 0; t < o->d->tokens; t++)
        o->place[t] = t < o->d->prefix ? -1 : (long)(t - o->d->prefix);
    for (size_t t = 0; t < o->d->tokens * dh; t++)
        o->turn[t / dh * 2 * dh + t % dh] = 1.0;
    for (size_t t = o->d->prefix; rope->kind && t < o->d->tokens; t++)
        for (size_t k = 0; k < dh / 2; k++) {
            size_t patch = t - o->d->prefix, bands = dh / 4;
            int second = k >= bands, column = second != rope->xy;
            size_t side = column ? columns : rows;
            double at = (double)(column ? patch % columns : patch / columns);
            double *c = o->turn + t * 2 * dh, *s = c + dh, angle;
            size_t i = rope->halves ? k : 2 * k;
            size_t j = rope->halves ? k + dh / 2 : i + 1;

            if (rope->kind == TOMEVIT_ROTARY_CENTRED)
                at = 2.0 * acos(-1.0) * (2.0 * (at + 0.5) / (double)side - 1.0);
            else
                at = (at + (double)rope->offset) *
                     (rope->grid ? (double)rope->grid / (double)side : 1.0);
            angle = at / pow((double)rope->theta,
                             ((double)(k % bands) +
                              (second && rope->periods ? 0.5 : 0.0)) /
                                 (double)bands);
            c[i] = c[j] = cos(angle);
            s[i] = -sin(angle);
            s[j] = sin(angle);
        }
}

/* One head of a token's queries or keys. */
static void rotate(const oracle *o, size_t t, double *x)
{
    size_t dh = o->d->dim / o->d->heads;
    const double *c = o->turn + t * 2 * dh, *s = c + dh;
    double y[256];

    cr_assert(dh <= 256);
    for (size_t i = 0; i < dh; i++)
        y[i] = x[i] * c[i] +
               x[o->d->rope.halves ? (i + dh / 2) % dh : i ^ 1] * s[i];
    memcpy(x, y, dh * sizeof(*x));
}

/* Prefix tokens: class, distillation, registers. */
static void embed_prefix(oracle *o)
{
    static const enum vit_tensor kinds[] = {
        VIT_CLS_TOKEN, VIT_DIST_TOKEN, VIT_REG_TOKEN
    };
    double *x = o->x;

    for (size_t i = 0; i < 3; i++) {
        size_t n = tomevit_tensor_shape(o->d, kinds[i], NULL, NULL);
        double *tokens = tensor(o, kinds[i], 0, n);

        memcpy(x, tokens, n * sizeof(*x));
        x += n;
        free(tokens);
    }
    cr_assert_eq((size_t)(x - o->x), o->d->prefix * o->d->dim);
}

static void embed(oracle *o, const float *image)
{
    const tomevit_description *d = o->d;
    size_t p = d->patch, k = 3 * p * p, width = tomevit_image_width(d);
    size_t columns = tomevit_grid_columns(d), count = tomevit_grid_patches(d);
    double *patches = zeros(count * k), *y;
    size_t positions = (d->pos_prefix + count) * d->dim;
    double *pos = tensor(o, VIT_POS_EMBED, 0, d->pos_embed ? positions : 0);

    place_turns(o);
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < k; i++)
            patches[t * k + i] = (double)image[
                (i / (p * p) * d->image_size + t / columns * p + i / p % p) *
                    width + t % columns * p + i % p];
    for (size_t i = 0; d->signed_pixels && i < count * k; i++)
        patches[i] = 2.0 * patches[i] - 1.0;
    y = linear(o, VIT_PATCH_WEIGHT, VIT_PATCH_BIAS, 0, count, patches,
               d->dim, k);
    norm_in_place(o, VIT_PATCH_NORM_WEIGHT, VIT_PATCH_NORM_BIAS, 0,
                  count, y, d->dim);
    memcpy(o->x + d->prefix * d->dim, y, count * d->dim * sizeof(*y));
    embed_prefix(o);
    for (size_t i = 0; d->pos_embed && i < positions; i++) {
        size_t skipped = i < d->pos_prefix * d->dim
                             ? 0 : (d->prefix - d->pos_prefix) * d->dim;

        o->x[i + skipped] += pos[i];
    }
    norm_in_place(o, VIT_NORM_PRE_WEIGHT, VIT_NORM_PRE_BIAS, 0, d->tokens,
                  o->x, d->dim);
    free(patches), free(pos), free(y);
}

/* Rows of n numbers, `wide` apart, between the ends of a range that may not
 * exist. [transformers, models/gemma4] */
static void cut_off(const oracle *o, enum vit_tensor t, size_t layer, size_t n,
                    size_t wide, double *x)
{
    double *range = tensor(o, t, layer, 2);

    for (size_t i = 0; o->d->ranges && i < o->n * n; i++) {
        double *v = x + i / n * wide + i % n;

        *v = fmin(fmax(*v, range[0]), range[1]);
    }
    free(range);
}

/* A product of rows in[n, dim] whose columns up to each of `ends` see them cut
 * off by a range of their own, if there are ranges. */
static double *linear_cut(const oracle *o, enum vit_tensor weight,
                          enum vit_tensor bias, size_t layer, const double *in,
                          size_t parts, const enum vit_tensor *ranges,
                          const size_t *ends)
{
    size_t dim = o->d->dim, wide = ends[parts - 1], n = o->n;
    double *y = zeros(n * wide);

    for (size_t p = 0, first = 0; p < parts; first = ends[p++]) {
        double *rows = memcpy(zeros(n * dim), in, n * dim * sizeof(*in)), *all;

        cut_off(o, ranges[p], layer, dim, dim, rows);
        all = linear(o, weight, bias, layer, n, rows, wide, dim);
        for (size_t i = 0; i < n; i++)
            memcpy(y + i * wide + first, all + i * wide + first,
                   (ends[p] - first) * sizeof(*y));
        free(rows), free(all);
    }
    return y;
}

/* What attention or the MLP sees: norms of x, unless they come behind. */
static double *seen(const oracle *o, enum vit_tensor weight,
                    enum vit_tensor bias, size_t layer)
{
    size_t count = o->n * o->d->dim;

    if (o->d->post_norm != 1)
        return norm(o, weight, bias, layer, o->n, o->x);
    return memcpy(zeros(count), o->x, count * sizeof(*o->x));
}

/* x += y, times a layer scale if there is one; of y its norm, if norms come
 * behind [arXiv 2111.09883]. */
static void add(oracle *o, enum vit_tensor scale, size_t layer, double *y)
{
    int mlp = scale == VIT_SCALE2;
    size_t dim = o->d->dim;
    double *factors = tensor(o, scale, layer, dim);
    int scaled = tomevit_tensor_shape(o->d, scale, NULL, NULL) > 0;

    cut_off(o, mlp ? VIT_RANGE_MLP : VIT_RANGE_ATTENTION, layer, dim, dim, y);
    if (o->d->post_norm == 2)
        norm_in_place(o, mlp ? VIT_NORM2_POST : VIT_NORM1_POST, VIT_TENSORS,
                      layer, o->n, y, dim);
    else if (o->d->post_norm)
        norm_in_place(o, mlp ? VIT_NORM2_WEIGHT : VIT_NORM1_WEIGHT,
                      mlp ? VIT_NORM2_BIAS : VIT_NORM1_BIAS, layer, o->n, y,
                      dim);
    for (size_t i = 0; i < o->n * dim; i++)
        o->x[i] += scaled ? y[i] * factors[i % dim] : y[i];
    free(factors);
}

/* What a score is raised by in one head: BEiT's table of distances, its last
 * three rows for a class token that looks at a patch, a patch at it, and it at
 * itself. [arXiv 2106.08254] */
static double raised(const oracle *o, const double *table, size_t head,
                     size_t query, size_t key)
{
    long rows = (long)tomevit_grid_rows(o->d);
    long columns = (long)tomevit_grid_columns(o->d), wide = 2 * columns - 1;
    long q = o->place[query], k = o->place[key], row = (2 * rows - 1) * wide;

    if (!o->d->relative)
        return 0.0;
    if (q >= 0 && k >= 0)
        row = (q / columns - k / columns + rows - 1) * wide + q % columns -
              k % columns + columns - 1;
    else
        row += q >= 0 ? 1 : k >= 0 ? 0 : 2;
    return table[(size_t)row * o->d->heads + head];
}

/* A norm of squares without weights. */
static void unit(double *x, size_t n, double epsilon)
{
    double squares = 0.0;

    for (size_t i = 0; i < n; i++)
        squares += x[i] * x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        x[i] /= sqrt(squares + epsilon);
}

/* Queries, keys and values of one layer, [n, dim + 2 heads of keys]. */
static double *projections(const oracle *o, size_t layer, size_t wide)
{
    size_t dim = o->d->dim, dh = dim / o->d->heads, n = o->n;
    double *in = seen(o, VIT_NORM1_WEIGHT, VIT_NORM1_BIAS, layer);
    double *q_bias = tensor(o, VIT_Q_BIAS, layer, dim);
    double *v_bias = tensor(o, VIT_V_BIAS, layer, dim), *qkv;

    qkv = linear_cut(o, VIT_QKV_WEIGHT, VIT_QKV_BIAS, layer, in, 3,
                     (enum vit_tensor[]){VIT_RANGE_Q_SEEN, VIT_RANGE_K_SEEN,
                                         VIT_RANGE_V_SEEN},
                     (size_t[]){dim, (wide + dim) / 2, wide});
    cut_off(o, VIT_RANGE_Q, layer, dim, wide, qkv);
    cut_off(o, VIT_RANGE_K, layer, (wide - dim) / 2, wide, qkv + dim);
    cut_off(o, VIT_RANGE_V, layer, (wide - dim) / 2, wide,
            qkv + (wide + dim) / 2);
    for (size_t i = 0; o->d->qk_norm == 2 && i < n * (wide - dim) / 2; i += dh)
        unit(qkv + i / ((wide - dim) / 2) * wide + (wide + dim) / 2 +
                 i % ((wide - dim) / 2), dh, (double)o->d->norm_eps);

    for (size_t i = 0; wide == 3 * dim && i < n * dim; i++) {
        qkv[i / dim * wide + i % dim] += q_bias[i % dim];
        qkv[i / dim * wide + 2 * dim + i % dim] += v_bias[i % dim];
    }
    for (size_t h = 0; h < (wide + dim) / 2 / dh; h++) {
        int key = h >= o->d->heads;

        norm_in_place(o, key ? VIT_K_NORM_WEIGHT : VIT_Q_NORM_WEIGHT,
                      key ? VIT_K_NORM_BIAS : VIT_Q_NORM_BIAS, layer, n,
                      qkv + h * dh, wide);
        for (size_t i = 0; o->d->rope.kind && i < n; i++)
            rotate(o, i, qkv + i * wide + h * dh);
    }
    free(in), free(q_bias), free(v_bias);
    return qkv;
}

/* w = the softmax of scores, each key as often as its size says. */
void softmax_of(const oracle *o, const double *s, int prop_attn,
                double *w)
{
    double sum = 0.0;

    for (size_t j = 0; j < o->n; j++) {
        w[j] = exp(s[j]) * (prop_attn ? o->size[j] : 1.0);
        sum += w[j];
    }
    for (size_t j = 0; j < o->n; j++)
        w[j] /= sum;
}

/* s[j] = scores of one query with all keys, of `dh` channels. */
void score(const oracle *o, const double *q, const double *key,
           size_t wide, size_t dh, double *s)
{
    for (size_t j = 0; j < o->n; j++) {
        s[j] = 0.0;
        for (size_t c = 0; c < dh; c++)
            s[j] += side_of(q[c]) * side_of(key[j * wide + c]);
        s[j] /= o->d->qk_norm == 2 ? 1.0 : sqrt((double)dh);
    }
}

/* out[dh] = the values, weighed. */
void weigh(const oracle *o, const double *w, const double *value,
           size_t wide, size_t dh, double *out)
{
    for (size_t j = 0; j < o->n; j++)
        for (size_t c = 0; c < dh; c++)
            out[c] += side_of(w[j]) * side_of(value[j * wide + c]);
}

/* exp(q k) of two tensors of half a head. */
static double exp_of(const oracle *o, enum vit_tensor q, enum vit_tensor k,
                     size_t layer, size_t n)
{
    double *a = tensor(o, q, layer, n), *b = tensor(o, k, layer, n);
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    free(a), free(b);
    return exp(sum);
}

/* Each head is two's difference, with a norm behind. [arXiv 2410.05258] */
static void differential_heads(const oracle *o, size_t layer,
                               const double *qkv, int prop_attn, double *out)
{
    size_t dim = o->d->dim, dh = dim / o->d->heads, half = dh / 2;
    double start = 0.8 - 0.6 * exp(-0.3 * (double)layer);
    double lambda = start +
                    exp_of(o, VIT_LAMBDA_Q1, VIT_LAMBDA_K1, layer, half) -
                    exp_of(o, VIT_LAMBDA_Q2, VIT_LAMBDA_K2, layer, half);
    double *norm = tensor(o, VIT_SUB_NORM, layer, dh);
    double *s = zeros(o->n), *w = zeros(o->n), *less = zeros(o->n);

    for (size_t i = 0; i < o->n * o->d->heads; i++) {
        size_t head = i % o->d->heads * dh;
        const double *q = qkv + i / o->d->heads * 3 * dim + head;
        double *to = out + i / o->d->heads * dim + head, squares = 0.0;

        score(o, q, qkv + dim + head, 3 * dim, half, s);
        softmax_of(o, s, prop_attn, w);
        score(o, q + half, qkv + dim + head + half, 3 * dim, half, s);
        softmax_of(o, s, prop_attn, less);
        for (size_t j = 0; j < o->n; j++)
            w[j] -= lambda * less[j];
        weigh(o, w, qkv + 2 * dim + head, 3 * dim, dh, to);
        for (size_t c = 0; c < dh; c++)
            squares += to[c] * to[c] / (double)dh;
        for (size_t c = 0; c < dh; c++)
            to[c] *= norm[c] * (1 - start) / sqrt(squares + 1e-5);
    }
    free(norm), free(s), free(w), free(less);
}

/* to[heads, n] = what each head makes of all; bias as often as `count`. */
static void mix(const oracle *o, const double *matrix, const double *bias,
                const double *count, const double *from, double *to)
{
    size_t heads = o->d->heads, n = o->n;

    for (size_t i = 0; i < heads * n; i++) {
        to[i] = bias[i / n] * (count ? count[i % n] : 1.0);
        for (size_t h = 0; h < heads; h++)
            to[i] += matrix[i / n * heads + h] * from[h * n + i % n];
    }
}

/* Heads are mixed before the softmax, and after it. [arXiv 2003.02436] */
static void talking_heads(const oracle *o, size_t layer, const double *qkv,
                          int prop_attn, double *out)
{
    size_t dim = o->d->dim, heads = o->d->heads, dh = dim / heads, n = o->n;
    double *first = tensor(o, VIT_MIX_SCORES, layer, heads * heads);
    double *bias = tensor(o, VIT_MIX_SCORES_BIAS, layer, heads);
    double *last = tensor(o, VIT_MIX_WEIGHTS, layer, heads * heads);
    double *last_bias = tensor(o, VIT_MIX_WEIGHTS_BIAS, layer, heads);
    double *a = zeros(heads * n), *b = zeros(heads * n);

    for (size_t i = 0; i < n; i++) {
        for (size_t h = 0; h < heads; h++)
            score(o, qkv + i * 3 * dim + h * dh, qkv + dim + h * dh, 3 * dim,
                  dh, a + h * n);
        mix(o, first, bias, NULL, a, b);
        for (size_t h = 0; h < heads; h++)
            softmax_of(o, b + h * n, prop_attn, a + h * n);
        mix(o, last, last_bias, prop_attn ? o->size : NULL, a, b);
        for (size_t h = 0; h < heads; h++)
            weigh(o, b + h * n, qkv + 2 * dim + h * dh, 3 * dim, dh,
                  out + i * dim + h * dh);
    }
    free(first), free(bias), free(last), free(last_bias), free(a), free(b);
}

/* x += projection of attention; leaves the keys' mean in o->key. */
static void attend(oracle *o, size_t layer, int prop_attn)
{
    size_t dim = o->d->dim, heads = o->d->heads, dh = dim / heads, n = o->n;
    size_t keys = o->d->kv_heads && layer >= o->d->whole[0] &&
                          layer + o->d->whole[1] < o->d->depth
                      ? o->d->kv_heads : heads;
    size_t wide = dim + 2 * keys * dh;
    double *qkv = projections(o, layer, wide);
    double *table = tensor(o, VIT_RELATIVE_TABLE, layer, tomevit_tensor_shape(
                               o->d, VIT_RELATIVE_TABLE, NULL, NULL));
    double *out = zeros(n * dim), *s = zeros(n), *y;

    memset(o->key, 0, n * dh * sizeof(*o->key));
    if (o->d->differential)
        differential_heads(o, layer, qkv, prop_attn, out);
    if (o->d->talking)
        talking_heads(o, layer, qkv, prop_attn, out);
    for (size_t h = 0; h < heads; h++) {
        const double *key = qkv + dim + h / (heads / keys) * dh;
        const double *value = key + keys * dh;

        for (size_t i = 0; i < n; i++) {
            double sum = 0.0;

            for (size_t c = 0; c < dh; c++)
                o->key[i * dh + c] += key[i * wide + c] / (double)heads;
            if (o->d->differential || o->d->talking)
                continue;
            score(o, qkv + i * wide + h * dh, key, wide, dh, s);
            for (size_t j = 0; j < n; j++) {
                s[j] = exp(s[j] + raised(o, table, h, i, j)) *
                       (prop_attn ? o->size[j] : 1.0);
                sum += s[j];
            }
            for (size_t j = 0; o->seen && j < n; j++)
                o->seen[j] += i == 0 || !o->d->class_token ? s[j] / sum : 0.0;
            for (size_t j = 0; j < n; j++)
                for (size_t c = 0; c < dh; c++)
                    out[i * dim + h * dh + c] += side_of(s[j]) / sum *
                                                 side_of(value[j * wide + c]);
        }
    }
    norm_in_place(o, VIT_ATTN_NORM_WEIGHT, VIT_ATTN_NORM_BIAS, layer, n, out,
                  dim);
    cut_off(o, VIT_RANGE_PROJ, layer, dim, dim, out);
    y = linear(o, VIT_PROJ_WEIGHT, VIT_PROJ_BIAS, layer, n, out, dim, dim);
    add(o, VIT_SCALE1, layer, y);
    free(qkv), free(table), free(out), free(s), free(y);
}

static double cosine(const double *a, const double *b, size_t n)
{
    double ab = 0.0, aa = 0.0, bb = 0.0;

    for (size_t i = 0; i < n; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

/* Merges token a (even) into token b (odd): weighted mean, sizes added. */
static void merge_pair(oracle *o, size_t a, size_t b)
{
    size_t dim = o->d->dim, turn = 2 * (dim / o->d->heads);
    double total = o->size[a] + o->size[b];

    for (size_t c = 0; c < dim; c++)
        o->x[b * dim + c] = (o->x[a * dim + c] * o->size[a] +
                             o->x[b * dim + c] * o->size[b]) / total;
    for (size_t c = 0; c < turn; c++)
        o->turn[b * turn + c] = (o->turn[a * turn + c] * o->size[a] +
                                 o->turn[b * turn + c] * o->size[b]) / total;
    o->size[b] = total;
    o->size[a] = 0.0;
    for (size_t t = 0; t < o->d->tokens; t++)
        if (o->owner[t] == a)
            o->owner[t] = b;
}

/* Bipartite soft matching, one best edge after another. Rows keep their
 * token order: it does not matter to what comes after. */
static void merge(oracle *o, size_t r)
{
    size_t dh = o->d->dim / o->d->heads, dim = o->d->dim, kept = 0;
    size_t most = (o->n - o->d->prefix) / 2;
    size_t *best = calloc(o->n, sizeof(*best));
    double *score = zeros(o->n);

    cr_assert(best);
    for (size_t a = 0; a < o->n; a += 2) {
        score[a] = -HUGE_VAL;
        for (size_t b = 1; a >= o->d->prefix && b < o->n; b += 2) {
            double s = cosine(o->key + a * dh, o->key + b * dh, dh);

            if (b >= o->d->prefix && s > score[a]) {
                score[a] = s;
                best[a] = b;
            }
        }
    }
    for (size_t i = 0; i < (r < most ? r : most); i++) {
        size_t top = 0;

        for (size_t a = 2; a < o->n; a += 2)
            if (score[a] > score[top])
                top = a;
        merge_pair(o, top, best[top]);
        score[top] = -HUGE_VAL;
    }
    /* Unmerged even tokens, then odd ones: later layers alternate over it. */
    double *x = zeros(o->n * dim), *size = zeros(o->n);
    double *turn = zeros(o->n * 2 * dh);
    long *place = calloc(o->n, sizeof(*place));
    size_t *row = calloc(o->n, sizeof(*row));

    cr_assert(place && row);
    for (size_t t = 0; t < o->d->prefix; t++, kept++) {
        row[t] = kept;
        memcpy(x + kept * dim, o->x + t * dim, dim * sizeof(*x));
        memcpy(turn + kept * 2 * dh, o->turn + t * 2 * dh,
               2 * dh * sizeof(*turn));
        place[kept] = o->place[t];
        size[kept] = o->size[t];
    }
    for (size_t odd = 0; odd < 2; odd++) {
        for (size_t t = odd; t < o->n; t += 2) {
            if (t < o->d->prefix || o->size[t] == 0.0)
                continue;
            memcpy(x + kept * dim, o->x + t * dim, dim * sizeof(*x));
            memcpy(turn + kept * 2 * dh, o->turn + t * 2 * dh,
                   2 * dh * sizeof(*turn));
            place[kept] = o->place[t];
            row[t] = kept;
            size[kept++] = o->size[t];
        }
    }
    memcpy(o->x, x, o->n * dim * sizeof(*x));
    memcpy(o->size, size, o->n * sizeof(*size));
    memcpy(o->turn, turn, o->n * 2 * dh * sizeof(*turn));
    memcpy(o->place, place, o->n * sizeof(*place));
    o->n = kept;
    for (size_t t = 0; t < o->d->tokens; t++)
        o->owner[t] = row[o->owner[t]];
    free(best), free(score), free(x), free(size), free(turn);
    free(place), free(row);
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

double activate(int activation, double x)
{
    double root = sqrt(2.0 / acos(-1.0));

    switch (activation) {
    case TOMEVIT_GELU:
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    case TOMEVIT_GELU_TANH:
    case TOMEVIT_GEGLU_TANH:
        return 0.5 * x * (1.0 + tanh(root * (x + 0.044715 * x * x * x)));
    case TOMEVIT_QUICK_GELU:
        return x * sigmoid(1.702 * x);
    default:
        return x * sigmoid(x);
    }
}

static void feed_forward(oracle *o, size_t layer)
{
    int kind = o->d->activation;
    size_t dim = o->d->dim, wide = o->d->mlp_dim;
    int gated = kind == TOMEVIT_SWIGLU || kind == TOMEVIT_GEGLU_TANH;
    size_t columns = gated ? 2 * wide : wide;
    double *in = seen(o, VIT_NORM2_WEIGHT, VIT_NORM2_BIAS, layer);
    double *h = zeros(o->n * wide), *first, *y;

    first = gated ? linear_cut(o, VIT_FC1_WEIGHT, VIT_FC1_BIAS, layer, in, 2,
                               (enum vit_tensor[]){VIT_RANGE_GATE_SEEN,
                                                   VIT_RANGE_UP_SEEN},
                               (size_t[]){wide, columns})
                  : linear(o, VIT_FC1_WEIGHT, VIT_FC1_BIAS, layer, o->n, in,
                           columns, dim);
    cut_off(o, VIT_RANGE_GATE, layer, wide, columns, first);
    cut_off(o, VIT_RANGE_UP, layer, wide, columns, first + columns - wide);
    for (size_t t = 0; t < o->n; t++) {
        for (size_t i = 0; i < wide; i++) {
            h[t * wide + i] = activate(kind, first[t * columns + i]);
            if (gated)
                h[t * wide + i] *= first[t * columns + wide + i];
        }
    }
    norm_in_place(o, VIT_MLP_NORM_WEIGHT, VIT_MLP_NORM_BIAS, layer, o->n, h,
                  wide);
    cut_off(o, VIT_RANGE_FC2, layer, wide, wide, h);
    y = linear(o, VIT_FC2_WEIGHT, VIT_FC2_BIAS, layer, o->n, h, dim, wide);
    add(o, VIT_SCALE2, layer, y);
    free(in), free(first), free(h), free(y);
}

void oracle_importance(const tomevit_description *d, vit_source source,
                       const float *image, double *importance)
{
    oracle o = {d, source, d->tokens, zeros(d->tokens * d->dim),
                zeros(d->tokens), zeros(d->tokens * d->dim), importance,
                zeros(2 * d->tokens * d->dim),
                calloc(d->tokens, sizeof(*o.place)),
                calloc(d->tokens, sizeof(*o.owner))};

    memset(importance, 0, d->tokens * sizeof(*importance));
    embed(&o, image);
    attend(&o, 0, 0);
    free(o.x), free(o.size), free(o.key), free(o.turn), free(o.place);
    free(o.owner);
}

void oracle_forward(const tomevit_description *d, vit_source source,
                    const float *image, const size_t *r, int prop_attn,
                    double *logits, double *features)
{
    oracle o = {d, source, d->tokens, zeros(d->tokens * d->dim),
                zeros(d->tokens), zeros(d->tokens * d->dim), NULL,
                zeros(2 * d->tokens * d->dim),
                calloc(d->tokens, sizeof(*o.place)),
                calloc(d->tokens, sizeof(*o.owner))};
    double *pooled, *y;

    for (size_t t = 0; t < o.n; t++) {
        o.size[t] = 1.0;
        o.owner[t] = t;
    }
    embed(&o, image);
    for (size_t layer = 0; layer < d->depth; layer++) {
        attend(&o, layer, prop_attn);
        if (r && r[layer])
            merge(&o, r[layer]);
        feed_forward(&o, layer);
    }
    pooled = oracle_pool(&o, prop_attn);
    memcpy(features, pooled, d->features * sizeof(*features));
    y = d->zero_shot ? oracle_zero_shot(&o, pooled)
                     : linear(&o, VIT_HEAD_WEIGHT, VIT_HEAD_BIAS, 0, 1, pooled,
                              d->classes, d->features);
    memcpy(logits, y, d->classes * sizeof(*y));
    free(y);
    if (d->distilled) {
        y = linear(&o, VIT_HEAD_DIST_WEIGHT, VIT_HEAD_DIST_BIAS, 0, 1,
                   pooled + d->dim, d->classes, d->dim);
        for (size_t i = 0; i < d->classes; i++)
            logits[i] = (logits[i] + y[i]) / 2.0;
        free(y);
    }
    free(pooled), free(o.x), free(o.size), free(o.key);
    free(o.turn), free(o.place), free(o.owner);
}
