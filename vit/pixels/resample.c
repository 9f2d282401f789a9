/* SPDX-License-Identifier: MIT */
/*
 * Resize and centre crop of 8-bit RGB, bit for bit as Pillow's Image.resize
 * followed by torchvision's center_crop, computing only what the crop needs.
 *
 * Each axis is a convolution whose kernel is stretched by the scale when
 * shrinking (antialiasing). Weights are normalised in double and rounded to
 * fixed point; columns are resampled first, or where a version of Pillow does
 * so rows, and the result is rounded to 8 bits in between.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tomevit.h"
#include "axis.h"
#include "resample.h"

/* Catmull-Rom: the cubic convolution kernel with a = -1/2. */
static double bicubic(double x)
{
    x = fabs(x);
    if (x < 1.0)
        return (1.5 * x - 2.5) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5;
    return 0.0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double centre_of(const vit_axis *a, size_t output)
{
    return ((double)(a->start + output) + 0.5) * a->scale;
}

/* The inputs whose centres lie under the kernel of one output. */
static void window(const vit_axis *a, size_t output, size_t *first, size_t *end)
{
    double centre = centre_of(a, output);
    double low = centre - a->support + 0.5;
    double high = centre + a->support + 0.5;

    *first = low > 0.0 ? (size_t)low : 0;
    *end = high < (double)a->inputs ? (size_t)high : a->inputs;
}

static int32_t to_fixed(double weight)
{
    double scaled = weight * (double)(INT32_C(1) << RESAMPLE_BITS);

    return (int32_t)(scaled < 0.0 ? scaled - 0.5 : scaled + 0.5);
}

static void fill_weights(const vit_axis *a, double (*kernel)(double),
                         size_t output, tomevit_filter *filter, double *scratch)
{
    size_t first = filter->first[output];
    size_t count = filter->count[output];
    int32_t *weight = filter->weight + output * filter->taps;
    double centre = centre_of(a, output);
    double inverse = 1.0 / a->stretch;
    double sum = 0.0;

    for (size_t t = 0; t < count; t++) {
        scratch[t] = kernel(((double)(t + first) - centre + 0.5) * inverse);
        sum += scratch[t];
    }
    for (size_t t = 0; t < count; t++)
        weight[t] = to_fixed(sum != 0.0 ? scratch[t] / sum : scratch[t]);
    memset(weight + count, 0, (filter->taps - count) * sizeof(*weight));
}

static void filter_free(tomevit_filter *filter)
{
    free(filter->first);
    free(filter->count);
    free(filter->weight);
    free(filter->digits);
}

/* ENOMEM leaves `filter` to be freed all the same. */
static int filter_make(const vit_axis *a, int interpolation,
                       tomevit_filter *filter)
{
    double *scratch;

    memset(filter, 0, sizeof(*filter));
    filter->inputs = a->inputs;
    filter->outputs = a->outputs;
    filter->first = malloc(a->outputs * sizeof(*filter->first));
    filter->count = malloc(a->outputs * sizeof(*filter->count));
    if (!filter->first || !filter->count)
        return TOMEVIT_ENOMEM;
    for (size_t o = 0; o < a->outputs; o++) {
        size_t end;

        window(a, o, &filter->first[o], &end);
        filter->count[o] = end - filter->first[o];
        if (filter->count[o] > filter->taps)
            filter->taps = filter->count[o];
    }
    if (filter->taps > SIZE_MAX / sizeof(*filter->weight) / a->outputs)
        return TOMEVIT_ENOMEM;
    filter->weight = malloc(a->outputs * filter->taps *
                            sizeof(*filter->weight));
    scratch = malloc(filter->taps * sizeof(*scratch));
    if (filter->weight && scratch)
        for (size_t o = 0; o < a->outputs; o++)
            fill_weights(a, interpolation == TOMEVIT_BICUBIC ? bicubic
                                                             : bilinear,
                         o, filter, scratch);
    free(scratch);
    return filter->weight && scratch ? 0 : TOMEVIT_ENOMEM;
}

/* The weights of one output into words, digit by digit. */
static void put_digits(const int32_t *weight, size_t count, unsigned bits,
                       unsigned digits, uint32_t *word)
{
    int32_t half = INT32_C(1) << (bits - 1);
    uint32_t mask = (UINT32_C(1) << bits) - 1;
    unsigned at = 0;

    for (size_t t = 0; t < count; t++) {
        int32_t rest = weight[t];

        for (unsigned d = 0; d < digits; d++) {
            word[d] |= ((uint32_t)rest & mask) << at;
            rest = (rest + half) >> bits;
        }
        at += bits;
        if (at == 32) {
            at = 0;
            word += digits;
        }
    }
}

/* The weights once more, for the tier's kernels. Two is the most that digits
 * of 24 bits in all can say, and no weight reaches 1.2: at the picture's edge
 * the kernel's inner half is left, whose sum is a half or more. */
static int filter_split(tomevit_filter *filter, unsigned bits, unsigned digits)
{
    size_t stride = 4 * bits / 32 * digits;

    filter->groups = (filter->taps + 3) / 4;
    if (filter->groups > SIZE_MAX / (4 * stride) / filter->outputs)
        return TOMEVIT_ENOMEM;
    stride *= filter->groups;
    filter->digits = calloc(filter->outputs * stride, sizeof(*filter->digits));
    if (!filter->digits)
        return TOMEVIT_ENOMEM;
    for (size_t o = 0; o < filter->outputs; o++)
        put_digits(filter->weight + o * filter->taps, filter->count[o], bits,
                   digits, filter->digits + o * stride);
    return 0;
}

static void columns_scalar(const tomevit_filter *filter,
                           const uint8_t *const *rgb, size_t readable,
                           uint8_t *const *out)
{
    (void)readable;
    tomevit_resample_rest(filter, 0, rgb, out);
}

/* In blocks, so that the sums stay in registers or the first cache. */
static void rows_scalar(const tomevit_filter *filter, size_t output,
                        const uint8_t *const *row, size_t bytes, uint8_t *out)
{
    enum { BLOCK = 96 };
    const int32_t *weight = filter->weight + output * filter->taps;
    size_t count = filter->count[output];

    for (size_t start = 0; start < bytes; start += BLOCK) {
        size_t length = bytes - start < BLOCK ? bytes - start : BLOCK;
        int32_t sum[BLOCK];

        for (size_t i = 0; i < length; i++)
            sum[i] = RESAMPLE_HALF;
        for (size_t t = 0; t < count; t++)
            for (size_t i = 0; i < length; i++)
                sum[i] += row[t][start + i] * weight[t];
        for (size_t i = 0; i < length; i++)
            out[start + i] = tomevit_resample_clip(sum[i]);
    }
}

static const tomevit_resample_kernels scalar_kernels = {
    .name = "scalar",
    .columns = columns_scalar,
    .rows = rows_scalar,
};

static const struct {
    const tomevit_resample_kernels *kernels;
    uint32_t needs;
} tiers[] = {
    {&scalar_kernels, 0},
#ifdef HAVE_AVX2
    {&tomevit_resample_avx2, TOMERGE_CPU_AVX2},
#endif
#ifdef HAVE_AVX512VNNI
    {&tomevit_resample_avx512vnni, TOMERGE_CPU_AVX512_VNNI},
#endif
};
enum { TIERS = sizeof(tiers) / sizeof(tiers[0]) };

static const tomevit_resample_kernels *kernels_now(void)
{
    uint32_t flags = tomerge_cpu_flags();
    size_t best = 0;

    for (size_t i = 1; i < TIERS; i++)
        if (flags & tiers[i].needs)
            best = i;
    return tiers[best].kernels;
}

const tomevit_resample_kernels *tomevit_resample_tier(size_t index,
                                                      uint32_t *needs)
{
    if (index >= TIERS)
        return NULL;
    *needs = tiers[index].needs;
    return tiers[index].kernels;
}

const char *tomevit_pixel_tier(void)
{
    return kernels_now()->name;
}

/* What one call computes with. */
typedef struct work {
    const tomevit_resample_kernels *kernels;
    tomevit_filter x, y;
    size_t slots;          /* y.taps, and the rows made ahead of them */
    uint8_t *ring;         /* [slots] rows of the crop's columns */
    size_t ring_stride;
    uint8_t **row;         /* [y.taps] */
    uint8_t *crop;         /* where the image begins in the crop, and */
    size_t crop_stride;    /* how far apart its rows are */
} work;

static void work_free(work *w)
{
    free(w->row);
    free(w->ring);
    filter_free(&w->x);
    filter_free(&w->y);
}

/* ENOMEM leaves `w` to be freed all the same. */
static int work_make(const vit_axis *x, const vit_axis *y, int interpolation,
                     work *w)
{
    const tomevit_resample_kernels *k = kernels_now();

    memset(w, 0, sizeof(*w));
    w->kernels = k;
    if (filter_make(x, interpolation, &w->x) ||
        filter_make(y, interpolation, &w->y))
        return TOMEVIT_ENOMEM;
    if (k->bits && (filter_split(&w->x, k->bits, k->digits) ||
                    filter_split(&w->y, k->bits, k->digits)))
        return TOMEVIT_ENOMEM;
    w->slots = w->y.taps + RESAMPLE_ROWS - 1;
    w->ring_stride = tomevit_resample_stride(w->x.outputs);
    w->ring = calloc(w->slots, w->ring_stride);
    w->row = calloc(w->y.taps, sizeof(*w->row));
    return w->ring && w->row ? 0 : TOMEVIT_ENOMEM;
}

/* Where row `row` and those after it lie, as far as there are slots. */
static void find_slots(const work *w, size_t row, size_t count, uint8_t **slot)
{
    size_t at = row % w->slots;

    for (size_t i = 0; i < count; i++) {
        slot[i] = w->ring + at * w->ring_stride;
        at = at + 1 < w->slots ? at + 1 : 0;
    }
}

/* Resamples rows `next` and after along x; past `last`, that once more. */
static void fill_slots(const work *w, const uint8_t *rgb, size_t stride,
                       size_t next, size_t last)
{
    size_t end = next + RESAMPLE_ROWS - 1;
    const uint8_t *from[RESAMPLE_ROWS];
    uint8_t *to[RESAMPLE_ROWS];

    for (size_t r = 0; r < RESAMPLE_ROWS; r++)
        from[r] = rgb + (next + r < last ? next + r : last) * stride;
    find_slots(w, next, RESAMPLE_ROWS, to);
    w->kernels->columns(&w->x, from,
                        3 * w->x.inputs + (end < last ? stride : 0), to);
}

/*
 * Rows of the source are resampled along x when an output row first needs
 * one of them, and live in a ring as long as the tallest kernel and what is
 * made ahead: consecutive windows overlap, and none is longer than the ring.
 */
static void resample(work *w, const uint8_t *rgb, size_t stride)
{
    const tomevit_filter *y = &w->y;
    size_t bytes = 3 * w->x.outputs;
    size_t next = y->first[0], bottom = y->outputs - 1;
    size_t last = y->first[bottom] + y->count[bottom] - 1;

    for (size_t o = 0; o < y->outputs; o++) {
        size_t end = y->first[o] + y->count[o];

        if (next < y->first[o])
            next = y->first[o];
        for (; next < end; next += RESAMPLE_ROWS)
            fill_slots(w, rgb, stride, next, last);
        find_slots(w, y->first[o], y->count[o], w->row);
        w->kernels->rows(y, o, (const uint8_t *const *)w->row, bytes,
                         w->crop + o * w->crop_stride);
    }
}

/* Rows of the source across into RESAMPLE_ROWS rows as wide as it, of which the
 * columns that the crop needs are made, and then along. */
static int resample_rows_first(work *w, const uint8_t *rgb, size_t stride)
{
    const tomevit_filter *x = &w->x, *y = &w->y;
    size_t left = 3 * x->first[0], last = x->outputs - 1;
    size_t right = 3 * (x->first[last] + x->count[last]);
    size_t wide = tomevit_resample_stride(x->inputs);
    uint8_t *rows = calloc(RESAMPLE_ROWS, wide);
    const uint8_t **row = calloc(y->taps, sizeof(*row));
    const uint8_t *from[RESAMPLE_ROWS];
    uint8_t *to[RESAMPLE_ROWS];

    if (!rows || !row) {
        free(rows);
        free(row);
        return TOMEVIT_ENOMEM;
    }
    for (size_t r = 0; r < RESAMPLE_ROWS; r++) {
        from[r] = rows + r * wide;
        to[r] = w->ring + r * w->ring_stride;
    }
    for (size_t o = 0; o < y->outputs; o += RESAMPLE_ROWS) {
        for (size_t r = 0; r < RESAMPLE_ROWS && o + r < y->outputs; r++) {
            const uint8_t *top = rgb + y->first[o + r] * stride + left;

            for (size_t t = 0; t < y->count[o + r]; t++)
                row[t] = top + t * stride;
            w->kernels->rows(y, o + r, row, right - left,
                             rows + r * wide + left);
        }
        w->kernels->columns(x, from, wide, to);
        for (size_t r = 0; r < RESAMPLE_ROWS && o + r < y->outputs; r++)
            memcpy(w->crop + (o + r) * w->crop_stride, to[r], 3 * x->outputs);
    }
    free(rows);
    free(row);
    return 0;
}

int tomevit_resize_crop(const tomevit_preprocessing *pre, const uint8_t *rgb,
                        size_t width, size_t height, size_t stride,
                        uint8_t *crop)
{
    vit_axis x, y;
    work w;
    int error;

    if (!rgb || !crop)
        return TOMEVIT_EINVAL;
    error = tomevit_axes_make(pre, width, height, &x, &y);
    if (error)
        return error;
    if (stride < 3 * width)
        return TOMEVIT_EINVAL;
    error = work_make(&x, &y, pre->interpolation, &w);
    w.crop_stride = 3 * (pre->max_patches ? x.outputs
                                          : tomevit_crop_width(pre));
    w.crop = crop + y.before * w.crop_stride + 3 * x.before;
    if (!error && !pre->max_patches &&
        (x.outputs < tomevit_crop_width(pre) || y.outputs < pre->size))
        tomevit_fill_border(pre, crop);
    if (!error && tomevit_rows_first(pre->pixels, &x, &y))
        error = resample_rows_first(&w, rgb, stride);
    else if (!error)
        resample(&w, rgb, stride);
    work_free(&w);
    return error;
}

int tomevit_crop_rows(const tomevit_preprocessing *pre, size_t width,
                      size_t height, size_t *first, size_t *count)
{
    vit_axis x, y;
    size_t end, ignored;
    int error;

    if (!first || !count)
        return TOMEVIT_EINVAL;
    error = tomevit_axes_make(pre, width, height, &x, &y);
    if (error)
        return error;
    window(&y, 0, first, &ignored);
    window(&y, y.outputs - 1, &ignored, &end);
    *count = end - *first;
    return 0;
}
