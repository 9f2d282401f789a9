/* SPDX-License-Identifier: MIT */
/*
 * Patches that come of stages of convolutions [ViTamin, arXiv 2404.02132; timm,
 * models/vitamin.py: MbConvStages]: a stem of two, blocks that widen every
 * place, see what is around it channel by channel and narrow it again, and one
 * whose places are the patches. What they make of an image is a map [rows,
 * columns, channels] after another, of half as many rows and columns where a
 * stage begins. One image at a time, a map in strips of rows: a row does not
 * depend on the strip it is in.
 */
#include "config.h"

#include "../network/grid.h"
#include "steps.h"

#include <string.h>

enum { SIDE = VIT_STAGE_SIDE, AROUND = 1 };

static const float epsilon = 1e-6f; /* of all norms here, in no file */

typedef struct vit_map {
    float *x;              /* [height, width, channels] */
    size_t height, width, channels;
} vit_map;

/* The map that leaves the stem (0) or a stage (1, 2). */
static vit_map map_of(const vit_pass *p, size_t stage, float *x)
{
    const tomevit_description *d = &p->c->model->d;

    return (vit_map){x, d->image_size >> (stage + 1),
                     tomevit_image_width(d) >> (stage + 1), d->stages[stage]};
}

/* The two maps of a team's image, in turns. */
static float *turn(const vit_pass *p, size_t number)
{
    return p->c->scratch[0].maps[number % 2];
}

/* What a row of places comes of. */
typedef struct around {
    const vit_pass *p;
    vit_map from;
    size_t stride;
    const tomevit_image *image; /* instead of from.x */
    const vit_norm *norm;
    const struct vit_stage_block *block;
    const float *inner;    /* [3, from.width, inner]: rows of the widened map,
                            * row y at y % 3 */
} around;

/* Writes what the product for place (y, x) sees. */
typedef void take(const around *a, size_t y, size_t x, float *out);

/* Where tap (i, j) of place (y, x) lies; 0: outside. */
static int inside(const around *a, size_t y, size_t x, size_t i, size_t j,
                  size_t *row, size_t *column)
{
    *row = y * a->stride + i;
    *column = x * a->stride + j;
    if (*row < AROUND || *row >= a->from.height + AROUND ||
        *column < AROUND || *column >= a->from.width + AROUND)
        return 0;
    *row -= AROUND;
    *column -= AROUND;
    return 1;
}

/* As floats or as bytes, which are normalised: see tomevit_image. */
static void take_pixels(const around *a, size_t y, size_t x, float *out)
{
    const tomevit_image *image = a->image;
    const float *floats = image->data;
    const uint8_t *bytes = image->data;
    size_t height = a->from.height, width = a->from.width, row, column;

    for (size_t t = 0; t < VIT_TAPS; t++, out += 3) {
        int there = inside(a, y, x, t / SIDE, t % SIDE, &row, &column);

        for (size_t k = 0; k < 3; k++)
            out[k] = !there ? 0.0f
                     : image->format == TOMEVIT_F32_CHW
                         ? floats[(k * height + row) * width + column]
                         : a->p->c->normalised[k][bytes[(row * width + column)
                                                        * 3 + k]];
    }
}

static void take_taps(const around *a, size_t y, size_t x, float *out)
{
    size_t n = a->from.channels, row, column;

    for (size_t t = 0; t < VIT_TAPS; t++, out += n) {
        const float *at;

        if (!inside(a, y, x, t / SIDE, t % SIDE, &row, &column)) {
            memset(out, 0, n * sizeof(*out));
            continue;
        }
        at = a->from.x + (row * a->from.width + column) * n;
        if (a->norm)
            a->p->c->model->dsp->layer_norm(n, at, a->norm->weight,
                                            a->norm->bias, epsilon, out);
        else
            memcpy(out, at, n * sizeof(*out));
    }
}

static void take_normed(const around *a, size_t y, size_t x, float *out)
{
    size_t n = a->from.channels;

    a->p->c->model->dsp->layer_norm(
        n, a->from.x + (y * a->from.width + x) * n, a->norm->weight,
        a->norm->bias, epsilon, out);
}

/* The mean of the taps that there are. */
static void take_mean(const around *a, size_t y, size_t x, float *out)
{
    size_t n = a->from.channels, row, column, count = 0;

    memset(out, 0, n * sizeof(*out));
    for (size_t t = 0; t < VIT_TAPS; t++) {
        const float *at;

        if (!inside(a, y, x, t / SIDE, t % SIDE, &row, &column))
            continue;
        at = a->from.x + (row * a->from.width + column) * n;
        count++;
        for (size_t k = 0; k < n; k++)
            out[k] += at[k];
    }
    for (size_t k = 0; k < n; k++)
        out[k] /= (float)count;
}

/* Channel by channel of the widened map, and GELU. */
static void take_depthwise(const around *a, size_t y, size_t x, float *out)
{
    size_t n = a->block->widen.n, row, column;
    const float *taps[VIT_TAPS];

    for (size_t t = 0; t < VIT_TAPS; t++)
        taps[t] = inside(a, y, x, t / SIDE, t % SIDE, &row, &column)
                      ? a->inner + (row % SIDE * a->from.width + column) * n
                      : NULL;
    a->p->c->model->dsp->depthwise(n, VIT_TAPS, a->block->taps, taps,
                                   a->block->taps_bias, out);
}

/* One row of `width` places, each a product: out[width, stride]. */
static void multiply_row(vit_scratch *s, const vit_matrix *w,
                         enum vit_finish how, const around *a, take *of,
                         size_t y, size_t width, float *out, size_t stride)
{
    const tomevit_model *m = a->p->c->model;
    size_t rows;

    for (size_t x = 0; x < width; x += rows, out += rows * stride) {
        vit_operand in = tomevit_operand_new(w, s->places, s->places_stride,
                                             s->in);

        rows = width - x < m->block_rows ? width - x : m->block_rows;
        for (size_t i = 0; i < rows; i++) {
            of(a, y, x + i, tomevit_operand_row(&in, i));
            tomevit_operand_set(&in, i);
        }
        tomevit_gemm(m->dsp, w, how, rows, &in, out, stride, s->gemm);
    }
}

/* Rows `from` to `to` - 1 of a map are a task's. */
static void strip(const vit_at *at, size_t height, size_t *from, size_t *to)
{
    *from = height * at->first / at->rows;
    *to = height * (at->first + 1) / at->rows;
}

/* ---- steps --------------------------------------------------------------- */

static void stem_first(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const tomevit_model *m = p->c->model;
    const vit_norm *norm = &m->stages.norm;
    vit_map to = map_of(p, 0, turn(p, 0));
    vit_map pixels = {NULL, m->d.image_size, tomevit_image_width(&m->d), 3};
    around a = {.p = p, .from = pixels, .stride = 2,
                .image = &p->images[at->image]};
    size_t from, end, n = to.channels;

    for (strip(at, to.height, &from, &end); from < end; from++) {
        float *row = to.x + from * to.width * n;

        multiply_row(s, &m->stages.first, VIT_STORE, &a, take_pixels, from,
                     to.width, row, n);
        for (size_t x = 0; x < to.width; x++, row += n) {
            m->dsp->layer_norm(n, row, norm->weight, norm->bias, epsilon, row);
            m->dsp->depthwise(n, 0, NULL, NULL, row, row);
        }
    }
}

static void stem_second(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    vit_map to = map_of(p, 0, turn(p, 1));
    around a = {.p = p, .from = map_of(p, 0, turn(p, 0)), .stride = 1};
    size_t from, end, row = to.width * to.channels;

    for (strip(at, to.height, &from, &end); from < end; from++)
        multiply_row(s, &p->c->model->stages.second, VIT_STORE, &a, take_taps,
                     from, to.width, to.x + from * row, to.channels);
}

/* What a block adds to. */
static void shortcut(vit_scratch *s, const around *a, const vit_map *to,
                     size_t y)
{
    size_t n = to->channels;
    float *row = to->x + y * to->width * n;

    if (a->stride == 1) {
        memcpy(row, a->from.x + y * to->width * n,
               to->width * n * sizeof(*row));
    } else if (a->block->past.n) {
        multiply_row(s, &a->block->past, VIT_STORE, a, take_mean, y, to->width,
                     row, n);
    } else {
        for (size_t x = 0; x < to->width; x++)
            take_mean(a, y, x, row + x * n);
    }
}

/* [timm, models/vitamin.py: MbConvLNBlock] */
static void block(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const struct vit_stage_block *b = &p->c->model->stages.blocks[at->index];
    size_t first = at->index < VIT_FIRST_STAGE ? 0 : VIT_FIRST_STAGE;
    size_t stage = first ? 2 : 1, begins = at->index == first;
    size_t number = at->index, from, end, next;
    vit_map to = map_of(p, stage, turn(p, number));
    around a = {.p = p, .from = map_of(p, stage - begins, turn(p, number + 1)),
                .stride = 1 + begins, .norm = &b->norm, .block = b,
                .inner = s->inner};
    size_t inner_row = a.from.width * b->widen.n;

    strip(at, to.height, &from, &end);
    next = from * a.stride < AROUND ? 0 : from * a.stride - AROUND;
    for (size_t y = from; y < end; y++) {
        for (; next <= y * a.stride + AROUND && next < a.from.height; next++)
            multiply_row(s, &b->widen, VIT_GELU, &a, take_normed, next,
                         a.from.width, s->inner + next % SIDE * inner_row,
                         b->widen.n);
        shortcut(s, &a, &to, y);
        multiply_row(s, &b->narrow, VIT_ADD, &a, take_depthwise, y, to.width,
                     to.x + y * to.width * to.channels, to.channels);
    }
}

/* [timm, models/vitamin.py: StridedConv]; a row of them is a row of patches. */
static void last(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    const tomevit_model *m = p->c->model;
    size_t columns = tomevit_grid_columns(&m->d), from, end;
    around a = {.p = p, .from = map_of(p, 2, turn(p, VIT_STAGE_BLOCKS + 1)),
                .stride = 2, .norm = &m->stages.last_norm};
    float *x = p->c->rows.x +
               (at->image * m->d.tokens + m->d.prefix) * p->c->x_stride;

    strip(at, tomevit_grid_rows(&m->d), &from, &end);
    for (size_t y = from; y < end; y++) {
        size_t patch = y * columns;
        float *row = x + patch * p->c->x_stride;

        for (size_t i = 0; m->d.pos_embed && i < columns; i++)
            memcpy(row + i * p->c->x_stride,
                   m->pos + (m->d.pos_prefix + patch + i) * m->d.dim,
                   m->d.dim * sizeof(*row));
        multiply_row(s, &m->patch, m->d.pos_embed ? VIT_ADD : VIT_STORE, &a,
                     take_taps, y, columns, row, p->c->x_stride);
    }
}

void tomevit_run_stages(vit_pass *p, vit_scratch *s)
{
    static const vit_step stem[] = {{VIT_EACH_STRIP, .run = stem_first},
                                    {VIT_EACH_STRIP, .run = stem_second},
                                    {0}};
    static const vit_step blocks[] = {{VIT_EACH_STRIP, .run = block}, {0}};
    static const vit_step patches[] = {{VIT_EACH_STRIP, .run = last}, {0}};

    for (size_t image = 0; image < p->count; image++) {
        vit_at at = {.image = image};

        tomevit_run_steps(p, s, stem, at);
        for (; at.index < VIT_STAGE_BLOCKS; at.index++)
            tomevit_run_steps(p, s, blocks, at);
        tomevit_run_steps(p, s, patches, at);
    }
}
