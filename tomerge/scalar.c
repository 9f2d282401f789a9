/* SPDX-License-Identifier: MIT */
/* The scalar kernels, which specify the others. */
#include "build.h"

#include "dsp.h"
#include "numeric.h"

#include <math.h>

/* ---- conversion ---------------------------------------------------------- */

static void load_bf16(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = tomerge_from_bf16(in[i]);
}

static void load_f16(float *out, const uint16_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = tomerge_from_f16(in[i]);
}

static void store_bf16(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = tomerge_to_bf16(in[i]);
}

static void store_f16(uint16_t *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = tomerge_to_f16(in[i]);
}

/* ---- scoring ------------------------------------------------------------- */

static void norm(const float *x, size_t n, float *squares)
{
    float sum[16] = {0};

    for (size_t i = 0; i < n; i++)
        sum[i % 16] += x[i] * x[i];
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            sum[i] += sum[i + half];
    *squares = sum[0];
}

static void dot(const float *a, const float *b, size_t n, float *sum)
{
    float part[16] = {0};

    for (size_t i = 0; i < n; i++)
        part[i % 16] += a[i] * b[i];
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            part[i] += part[i + half];
    *sum = part[0];
}

static void pack(float *panel, float *squares, const float *const *rows,
                 size_t count, size_t channels)
{
    for (size_t j = 0; j < TOMERGE_PANEL; j++) {
        squares[j] = 0;
        for (size_t c = 0; c < channels; c++) {
            float x = j < count ? rows[j][c] : 0;

            panel[c * TOMERGE_PANEL + j] = x;
            squares[j] = tomerge_fma(x, x, squares[j]);
        }
    }
}

static void row_dots(const float *panel, const tomerge_panels *b, size_t j,
                     float *out)
{
    const float *row = tomerge_packed_row(b, j);

    for (int i = 0; i < TOMERGE_PANEL; i++)
        out[i] = 0;
    for (size_t c = 0; c < b->channels; c++, panel += TOMERGE_PANEL)
        for (int i = 0; i < TOMERGE_PANEL; i++)
            out[i] = tomerge_fma(panel[i], row[c * TOMERGE_PANEL], out[i]);
}

static void dots(const float *panel, const float *other, size_t channels,
                 float (*out)[TOMERGE_PANEL])
{
    tomerge_panels b = {other, TOMERGE_PANEL, channels};

    for (size_t n = 0; n < TOMERGE_PANEL; n++)
        row_dots(panel, &b, n, out[n]);
}

#include "elu.h"

/* Minus the squared distances, likewise. */
static void distances(const float *panel, const tomerge_panels *b, size_t j,
                      float *out)
{
    const float *row = tomerge_packed_row(b, j);

    for (int i = 0; i < TOMERGE_PANEL; i++)
        out[i] = 0;
    for (size_t c = 0; c < b->channels; c++, panel += TOMERGE_PANEL) {
        for (int i = 0; i < TOMERGE_PANEL; i++) {
            float difference = panel[i] - row[c * TOMERGE_PANEL];

            out[i] = tomerge_fma(-difference, difference, out[i]);
        }
    }
}

typedef void row_sums(const float *panel, const tomerge_panels *b, size_t j,
                      float *out);

static void best_of(row_sums *sums, const tomerge_panels *a,
                    const tomerge_panels *b, const float *scale, float *best,
                    int32_t *index)
{
    for (size_t p = 0; p < tomerge_panels_of(a->rows); p++) {
        float *top = best + p * TOMERGE_PANEL, sum[TOMERGE_PANEL];
        int32_t *at = index + p * TOMERGE_PANEL;

        for (int i = 0; i < TOMERGE_PANEL; i++) {
            top[i] = -INFINITY;
            at[i] = -1;
        }
        for (size_t j = 0; j < b->rows; j++) {
            sums(a->data + p * a->channels * TOMERGE_PANEL, b, j, sum);
            for (int i = 0; i < TOMERGE_PANEL; i++) {
                if (sum[i] * scale[j] > top[i]) {
                    top[i] = sum[i] * scale[j];
                    at[i] = (int32_t)j;
                }
            }
        }
    }
}

static void best_dot(const tomerge_panels *a, const tomerge_panels *b,
                     const float *scale, float *best, int32_t *index)
{
    best_of(row_dots, a, b, scale, best, index);
}

static void best_distance(const tomerge_panels *a, const tomerge_panels *b,
                          const float *scale, float *best, int32_t *index)
{
    best_of(distances, a, b, scale, best, index);
}

/* ---- combining ----------------------------------------------------------- */

static void scale(float *acc, const float *x, float weight, size_t n)
{
    for (size_t i = 0; i < n; i++)
        acc[i] = x[i] * weight;
}

static void accumulate(float *acc, const float *x, float weight, size_t n)
{
    for (size_t i = 0; i < n; i++)
        acc[i] += x[i] * weight;
}

static void divide(float *acc, float divisor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        acc[i] /= divisor;
}

static void maximum(float *acc, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] > acc[i] || x[i] != x[i])
            acc[i] = x[i];
}

static void weigh(float *out, const float *x, ptrdiff_t stride,
                  const int32_t *member, size_t count, const float *size,
                  float total, size_t n)
{
    for (size_t m = 0; m < count; m++) {
        const float *row = x + member[m] * stride;
        float weight = size ? size[member[m]] : 1;

        if (m == 0)
            scale(out, row, weight, n);
        else
            accumulate(out, row, weight, n);
    }
    divide(out, total, n);
}

static void mean_heads(float *out, ptrdiff_t out_stride, const float *k,
                       ptrdiff_t stride, size_t rows, size_t heads,
                       ptrdiff_t head_stride, size_t n)
{
    for (size_t i = 0; i < rows; i++, out += out_stride, k += stride) {
        const float *head = k;

        for (size_t c = 0; c < n; c++)
            out[c] = head[c];
        for (size_t h = 1; h < heads; h++) {
            head += head_stride;
            for (size_t c = 0; c < n; c++)
                out[c] += head[c];
        }
        divide(out, (float)heads, n);
    }
}

/* ---- the table ----------------------------------------------------------- */

void tomerge_dsp_scalar(tomerge_dsp *dsp)
{
#define KERNEL(name, arguments) dsp->name = name;
#include "kernels.def"
#undef KERNEL
}
