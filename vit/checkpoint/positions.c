/* SPDX-License-Identifier: MIT */
/*
 * Position embeddings for another number of patches: an image of dim channels
 * resized, one axis after the other.
 *
 * ANTIALIAS  timm's resample_abs_pos_embed, open_clip, DINOv2 with registers
 * BICUBIC    transformers' interpolate_pos_encoding
 * OFFSET     DINOv2 without registers
 * CORNERS    torchvision's interpolate_embeddings, SWAG
 * LINEAR     Google's checkpoint loading (scipy.ndimage.zoom of order 1), and
 *            RADIO v3
 * EDGES      RADIO v4
 * WIDE       NaFlex SigLIP 2
 */
#include "config.h"

#include "positions.h"

#include "tomevit.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [VIT_POSITIONS_ANTIALIAS] = "bicubic_antialias",
    [VIT_POSITIONS_BICUBIC] = "bicubic",
    [VIT_POSITIONS_OFFSET] = "bicubic_offset",
    [VIT_POSITIONS_CORNERS] = "bicubic_corners",
    [VIT_POSITIONS_LINEAR] = "linear_corners",
    [VIT_POSITIONS_EDGES] = "linear",
    [VIT_POSITIONS_WIDE] = "linear_antialias",
};

int tomevit_positions_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i], name))
            return (int)i;
    return -1;
}

/* Keys' convolution kernel. [IEEE ASSP 29(6), 1981] */
static double cubic(double x, double a)
{
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a : 0.0;
}

/* The weights of all inputs for one output, spread as wide as the outputs lie
 * apart, and summing to 1. */
static void antialias(size_t from, size_t to, size_t output, int linear,
                      double *w)
{
    double scale = (double)from / (double)to, stretch = fmax(scale, 1.0);
    double centre = ((double)output + 0.5) * scale, sum = 0.0;

    for (size_t i = 0; i < from; i++) {
        double distance = ((double)i + 0.5 - centre) / stretch;

        w[i] = linear ? fmax(1.0 - fabs(distance), 0.0)
                      : cubic(distance, -0.5);
        sum += w[i];
    }
    for (size_t i = 0; i < from; i++)
        w[i] /= sum;
}

/* The weights of the neighbours of `at`; past an edge the edge counts. */
static void neighbours(size_t from, double at, int linear, double *w)
{
    double before = floor(at), last = (double)from - 1.0;

    memset(w, 0, from * sizeof(*w));
    for (int k = linear ? 0 : -1; k <= (linear ? 1 : 2); k++) {
        double place = before + k, distance = fabs(at - place);

        w[(size_t)fmin(fmax(place, 0.0), last)] +=
            linear ? fmax(1.0 - distance, 0.0) : cubic(distance, -0.75);
    }
}

static void weights_of(int how, size_t from, size_t to, size_t output,
                       double *w)
{
    double scale = (double)from / (double)to;

    if (how == VIT_POSITIONS_ANTIALIAS || how == VIT_POSITIONS_WIDE) {
        antialias(from, to, output, how == VIT_POSITIONS_WIDE, w);
        return;
    }
    if (how == VIT_POSITIONS_OFFSET)
        scale = (double)from / ((double)to + 0.1);
    if (how == VIT_POSITIONS_CORNERS || how == VIT_POSITIONS_LINEAR)
        neighbours(from, to > 1 ? (double)output * ((double)from - 1.0) /
                                      ((double)to - 1.0) : 0.0,
                   how == VIT_POSITIONS_LINEAR, w);
    else
        neighbours(from, ((double)output + 0.5) * scale - 0.5,
                   how == VIT_POSITIONS_EDGES, w);
}

/* One axis: in[outer, from, inner] -> out[outer, to, inner]. */
static void resize_axis(const double *w, size_t outer, size_t from, size_t to,
                        size_t inner, const double *in, double *out)
{
    memset(out, 0, outer * to * inner * sizeof(*out));
    for (size_t o = 0; o < outer; o++)
        for (size_t t = 0; t < to; t++)
            for (size_t f = 0; f < from; f++) {
                const double *x = in + (o * from + f) * inner;
                double *y = out + (o * to + t) * inner;
                double weight = w[t * from + f];

                for (size_t i = 0; weight != 0.0 && i < inner; i++)
                    y[i] += weight * x[i];
            }
}

/* Room for a * b * c numbers; NULL if that is too much. */
static double *doubles(size_t a, size_t b, size_t c)
{
    if (a > SIZE_MAX / sizeof(double) / b / c)
        return NULL;
    return calloc(a * b * c, sizeof(double));
}

/* The weights of one axis, [to, from]; NULL without memory. */
static double *axis_weights(int how, size_t from, size_t to)
{
    double *w = doubles(to, from, 1);

    for (size_t t = 0; w && t < to; t++)
        weights_of(how, from, to, t, w + t * from);
    return w;
}

int tomevit_resize_positions(int how, size_t dim, const size_t from[2],
                             const float *in, const size_t to[2], float *out)
{
    size_t high, wide;
    double *across, *down, *a, *b;
    int code = TOMEVIT_ENOMEM;

    if (how < 0 || how > VIT_POSITIONS_WIDE || !dim || !from[0] || !from[1] ||
        !to[0] || !to[1])
        return TOMEVIT_EINVAL;
    high = from[0] > to[0] ? from[0] : to[0];
    wide = from[1] > to[1] ? from[1] : to[1];
    down = axis_weights(how, from[0], to[0]);
    across = axis_weights(how, from[1], to[1]);
    a = doubles(high, wide, dim);
    b = doubles(high, wide, dim);
    if (across && down && a && b) {
        for (size_t i = 0; i < from[0] * from[1] * dim; i++)
            a[i] = (double)in[i];
        resize_axis(across, from[0], from[1], to[1], dim, a, b);
        resize_axis(down, 1, from[0], to[0], to[1] * dim, b, a);
        for (size_t i = 0; i < to[0] * to[1] * dim; i++)
            out[i] = (float)a[i];
        code = 0;
    }
    free(across);
    free(down);
    free(a);
    free(b);
    return code;
}
