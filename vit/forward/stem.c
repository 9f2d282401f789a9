/* SPDX-License-Identifier: MIT */
/*
 * Patches that three convolutions make, each as wide as its stride [MobileCLIP,
 * arXiv 2311.17049; timm, vision_transformer_hybrid.py: ConvStem]: squares of a
 * patch go through a product and GELU, what comes of neighbours through a
 * second, and the last, which other patches have as well, makes a token. No
 * square sees anything of another patch.
 */
#include "config.h"

#include "steps.h"

size_t tomevit_stem_floats(const tomevit_description *d)
{
    size_t second = d->stem_side[2] * d->stem_side[2];
    size_t cell = d->stem_side[1] * d->stem_side[1];

    return second * cell *
               (3 * d->stem_side[0] * d->stem_side[0] + d->stem_width[0]) +
           second * (cell * d->stem_width[0] + d->stem_width[1]);
}

/* Square (y, x) of x[channels, side, side], `within` wide: [channels, within,
 * within]. */
static void take_square(const float *in, size_t channels, size_t side, size_t y,
                        size_t x, size_t within, float *out)
{
    for (size_t k = 0; k < channels; k++)
        for (size_t i = 0; i < within; i++)
            for (size_t j = 0; j < within; j++)
                *out++ = in[(k * side + y * within + i) * side + x * within +
                            j];
}

/* What came of the squares of a cell, rows [n, channels], as [channels, n]. */
static void by_channel(const float *in, size_t n, size_t channels, float *out)
{
    for (size_t k = 0; k < channels; k++)
        for (size_t i = 0; i < n; i++)
            *out++ = in[i * channels + k];
}

/* y[rows, width] = gelu of the product of x[rows, length]. */
static void multiply(const vit_team *c, vit_scratch *s, const vit_matrix *w,
                     size_t rows, float *x, size_t length, float *y,
                     size_t width)
{
    vit_operand a = tomevit_operand(w, rows, x, length, s->out);

    tomevit_gemm(c->model->dsp, w, VIT_GELU, rows, &a, y, width, s->gemm);
}

void tomevit_stem(const vit_team *c, vit_scratch *s, const float *patch,
                  float *y)
{
    const tomevit_model *m = c->model;
    const tomevit_description *d = &m->d;
    size_t cells = d->stem_side[2], squares = d->stem_side[1];
    size_t length = 3 * d->stem_side[0] * d->stem_side[0];
    size_t of_cell = squares * squares, n = cells * cells;
    size_t joined = of_cell * d->stem_width[0];
    float *in = s->stem, *out = in + n * of_cell * length;
    float *in2 = out + n * of_cell * d->stem_width[0], *out2 = in2 + n * joined;

    for (size_t i = 0; i < n * of_cell; i++) {
        size_t cell = i / of_cell, square = i % of_cell;

        take_square(patch, 3, d->patch,
                    cell / cells * squares + square / squares,
                    cell % cells * squares + square % squares, d->stem_side[0],
                    in + i * length);
    }
    multiply(c, s, &m->stem[0], n * of_cell, in, length, out,
             d->stem_width[0]);
    for (size_t i = 0; i < n; i++)
        by_channel(out + i * joined, of_cell, d->stem_width[0],
                   in2 + i * joined);
    multiply(c, s, &m->stem[1], n, in2, joined, out2, d->stem_width[1]);
    by_channel(out2, n, d->stem_width[1], y);
}
