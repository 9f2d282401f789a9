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
 *
 * and of these as SQUARE those of NaFlex and RADIO that keep proportions: the
 * corner of a square as wide as the longer side.
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
    [VIT_POSITIONS_TABLE] = "table",
};

int tomevit_positions_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t length = strlen(names[i]);

        if (strncmp(names[i], name, length))
            continue;
        if (!name[length])
            return (int)i;
        if (i != VIT_POSITIONS_TABLE && !strcmp(name + length, "_square"))
            return (int)i + VIT_POSITIONS_SQUARE;
    }
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

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The weights of one axis, [to, from]. */
static void axis_weights(const vit_resizing *r, int axis, double *w)
{
    size_t from = r->from[axis], whole = r->to[axis];

    if (r->how >= VIT_POSITIONS_SQUARE)
        whole = larger(r->to[0], r->to[1]);
    for (size_t t = 0; t < r->to[axis]; t++)
        weights_of(r->how % VIT_POSITIONS_SQUARE, from, whole, t, w + t * from);
}

/* Channels that are resized together: few, so that what is between the axes
 * stays in a cache. */
enum { CHANNELS = 16 };

size_t tomevit_positions_room(const size_t from[2], size_t most)
{
    return most * (from[0] + from[1]) +
           CHANNELS * (from[0] * from[1] + from[0] * most + most);
}

/* Channels first .. first + n - 1. */
static void resize_channels(const vit_resizing *r, const double *down,
                            const double *across, size_t first, size_t n,
                            const float *in, double *room, float *out,
                            size_t stride)
{
    size_t inputs = r->from[0] * r->from[1];
    double *wide = room + n * inputs, *done = wide + n * r->from[0] * r->to[1];

    for (size_t i = 0; i < inputs; i++)
        for (size_t k = 0; k < n; k++)
            room[i * n + k] = (double)in[i * r->dim + first + k];
    resize_axis(across, r->from[0], r->from[1], r->to[1], n, room, wide);
    for (size_t i = 0; i < r->to[0]; i++) {
        resize_axis(down + i * r->from[0], 1, r->from[0], 1, r->to[1] * n, wide,
                    done);
        for (size_t j = 0; j < r->to[1] * n; j++)
            out[(i * r->to[1] + j / n) * stride + first + j % n] =
                (float)done[j];
    }
}

void tomevit_resize_positions_in(const vit_resizing *r, const float *in,
                                 double *room, float *out, size_t stride)
{
    double *down = room, *across = down + r->to[0] * r->from[0];
    double *rest = across + r->to[1] * r->from[1];

    axis_weights(r, 0, down);
    axis_weights(r, 1, across);
    for (size_t k = 0; k < r->dim; k += CHANNELS)
        resize_channels(r, down, across, k,
                        r->dim - k < CHANNELS ? r->dim - k : CHANNELS, in,
                        rest, out, stride);
}

int tomevit_resize_positions(const vit_resizing *r, const float *in, float *out)
{
    size_t most = larger(r->to[0], r->to[1]);
    double *room;

    if (r->how < 0 || r->how % VIT_POSITIONS_SQUARE > VIT_POSITIONS_WIDE ||
        r->how / VIT_POSITIONS_SQUARE > 1 || !r->dim || !r->from[0] ||
        !r->from[1] || !r->to[0] || !r->to[1])
        return TOMEVIT_EINVAL;
    room = calloc(tomevit_positions_room(r->from, most), sizeof(*room));
    if (!room)
        return TOMEVIT_ENOMEM;
    tomevit_resize_positions_in(r, in, room, out, r->dim);
    free(room);
    return 0;
}
