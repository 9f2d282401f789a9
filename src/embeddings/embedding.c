/* SPDX-License-Identifier: MIT */
/* What is kept of an image when it is embedded. */
#include "embedding.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "half.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory -------------------------------------------------------------- */

static float *floats(const embedding *e, size_t each)
{
    return memory_zero(e->batch * each, sizeof(float));
}

/* The class token is what the head sees, or the first of all rows. */
static int begin_class(embedding *e, const session *s)
{
    const tomevit_description *d = s->description;

    if (!d->class_token) {
        message_failed("%s: the model has no class token", s->options->model);
        return -1;
    }
    e->dim = d->dim;
    if (d->pool == TOMEVIT_POOL_CLASS)
        e->out.features = floats(e, d->features);
    else
        e->out.last_rows = floats(e, d->tokens * d->dim);
    return 0;
}

static int begin_tokens(embedding *e, const session *s)
{
    const tomevit_description *d = s->description;

    if (s->pre.max_patches) {
        message_failed("%s: tokens of images that keep their proportions make "
                       "no one array: give --image-size", s->options->model);
        return -1;
    }
    e->dim = d->dim;
    e->rows = e->kind == OPTIONS_RESTORED ? d->tokens
                                          : s->runs[0].tokens[d->depth - 1];
    e->out.last_rows = floats(e, d->tokens * d->dim);
    e->out.sizes = floats(e, d->tokens);
    e->out.map = memory_zero(e->batch * d->tokens, sizeof(*e->out.map));
    e->out.rows = memory_zero(e->batch, sizeof(*e->out.rows));
    e->map = memory_zero(d->tokens, sizeof(*e->map));
    e->sizes = memory_zero(d->tokens, sizeof(*e->sizes));
    return 0;
}

int embedding_begin(embedding *e, const session *s)
{
    const options *o = s->options;
    const tomevit_description *d = s->description;
    int result = 0;

    memset(e, 0, sizeof(*e));
    e->model = d;
    e->kind = o->embedding;
    e->normalise = o->normalise;
    e->half = o->half;
    e->batch = o->batch;
    switch (e->kind) {
    case OPTIONS_CLASS:
        result = begin_class(e, s);
        break;
    case OPTIONS_PROJECTED:
        e->dim = d->embedding;
        e->out.embedding = floats(e, e->dim);
        break;
    case OPTIONS_MERGED:
    case OPTIONS_RESTORED:
        result = begin_tokens(e, s);
        break;
    default:
        e->dim = d->features;
        e->out.features = floats(e, e->dim);
        break;
    }
    e->value = memory_zero(embedding_count(e), sizeof(*e->value));
    return result;
}

void embedding_end(embedding *e)
{
    free(e->out.features);
    free(e->out.embedding);
    free(e->out.last_rows);
    free(e->out.sizes);
    free(e->out.map);
    free(e->out.rows);
    free(e->value);
    free(e->map);
    free(e->sizes);
    memset(e, 0, sizeof(*e));
}

size_t embedding_count(const embedding *e)
{
    return (e->rows ? e->rows : 1) * e->dim;
}

/* ---- one image ----------------------------------------------------------- */

/* All rows that are left, and zeros after them. */
static int take_merged(embedding *e, size_t i, char *why)
{
    size_t tokens = e->model->tokens, rows = e->out.rows[i], dim = e->dim;

    if (rows > e->rows) {
        snprintf(why, EVALUATE_WHY, "%zu tokens are left of it, where the "
                 "schedule leaves %zu", rows, e->rows);
        return 1;
    }
    memset(e->value, 0, e->rows * dim * sizeof(*e->value));
    memset(e->sizes, 0, e->rows * sizeof(*e->sizes));
    memcpy(e->value, e->out.last_rows + i * tokens * dim,
           rows * dim * sizeof(*e->value));
    memcpy(e->sizes, e->out.sizes + i * tokens, rows * sizeof(*e->sizes));
    memcpy(e->map, e->out.map + i * tokens, tokens * sizeof(*e->map));
    return 0;
}

/* Every token gets the row that it went to; zeros if it was dropped. */
static void take_restored(embedding *e, size_t i)
{
    size_t tokens = e->model->tokens, dim = e->dim;
    const float *rows = e->out.last_rows + i * tokens * dim;
    const int32_t *map = e->out.map + i * tokens;

    for (size_t t = 0; t < tokens; t++) {
        if (map[t] >= 0)
            memcpy(e->value + t * dim, rows + (size_t)map[t] * dim,
                   dim * sizeof(*e->value));
        else
            memset(e->value + t * dim, 0, dim * sizeof(*e->value));
    }
}

static int take_values(embedding *e, size_t i, char *why)
{
    const float *from = e->out.embedding ? e->out.embedding + i * e->dim
        : e->out.features ? e->out.features + i * e->model->features
                          : e->out.last_rows + i * e->model->tokens * e->dim;

    if (e->kind == OPTIONS_MERGED)
        return take_merged(e, i, why);
    if (e->kind == OPTIONS_RESTORED)
        take_restored(e, i);
    else
        memcpy(e->value, from, e->dim * sizeof(*e->value));
    return 0;
}

/* Vectors that stand for nothing, past those that are left or dropped, are
 * zero and stay so. */
static int set_length(float *row, size_t n)
{
    double squares = 0;

    for (size_t i = 0; i < n; i++)
        squares += (double)row[i] * (double)row[i];
    for (size_t i = 0; i < n && squares > 0; i++)
        row[i] = (float)((double)row[i] / sqrt(squares));
    return squares > 0;
}

int embedding_take(embedding *e, size_t i, char *why)
{
    size_t count = embedding_count(e);

    if (take_values(e, i, why) != 0)
        return 1;
    for (size_t k = 0; k < count; k++)
        if (!isfinite(e->value[k])) {
            snprintf(why, EVALUATE_WHY, "its embedding is not finite");
            return 1;
        }
    for (size_t k = 0; k < count && e->normalise; k += e->dim)
        if (!set_length(e->value + k, e->dim) && e->rows == 0) {
            snprintf(why, EVALUATE_WHY, "its embedding is zero and has no "
                     "direction");
            return 1;
        }
    for (size_t k = 0; k < count && e->half; k++)
        if (!isfinite(half_value(half_of(e->value[k])))) {
            snprintf(why, EVALUATE_WHY, "%g in its embedding is too large for "
                     "f16", (double)e->value[k]);
            return 1;
        }
    return 0;
}
