/* SPDX-License-Identifier: MIT */
/* The scalar kernels, which specify the others, and the choice of a tier. */
#include "build.h"

#include "dsp.h"
#include "numeric.h"
#include "tomerge.h"

#include <math.h>

/* ---- conversion --------------------------------------------------------- */

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

/* ---- scoring -------------------------------------------------------------- */

static void norm(const float *x, size_t n, float *squares, uint32_t *peak)
{
    float sum[16] = {0};
    uint32_t largest = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = tomerge_bits(x[i]) & 0x7fffffff;

        sum[i % 16] += x[i] * x[i];
        largest = magnitude > largest ? magnitude : largest;
    }
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            sum[i] += sum[i + half];
    *squares = sum[0];
    *peak = largest;
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

/* The scores of one row against one panel. */
static void panel_dots(const tomerge_panels *b, size_t panel, const float *a,
                       float score[TOMERGE_PANEL])
{
    const float *column = b->data + panel * b->channels * TOMERGE_PANEL;
    const float *scale = b->scale + panel * TOMERGE_PANEL;
    const float *bias = b->bias + panel * TOMERGE_PANEL;
    float sum[TOMERGE_PANEL] = {0};

    for (size_t c = 0; c < b->channels; c++, column += TOMERGE_PANEL)
        for (int j = 0; j < TOMERGE_PANEL; j++)
            sum[j] += a[c] * column[j];
    for (int j = 0; j < TOMERGE_PANEL; j++)
        score[j] = sum[j] * scale[j] + bias[j];
}

static void panel_distances(const tomerge_panels *b, size_t panel,
                            const float *a, float score[TOMERGE_PANEL])
{
    const float *column = b->data + panel * b->channels * TOMERGE_PANEL;
    const float *bias = b->bias + panel * TOMERGE_PANEL;
    float sum[TOMERGE_PANEL] = {0};

    for (size_t c = 0; c < b->channels; c++, column += TOMERGE_PANEL) {
        for (int j = 0; j < TOMERGE_PANEL; j++) {
            float difference = a[c] - column[j];

            sum[j] += difference * difference;
        }
    }
    for (int j = 0; j < TOMERGE_PANEL; j++)
        score[j] = bias[j] - sum[j];
}

typedef void panel_scores(const tomerge_panels *b, size_t panel,
                          const float *a, float score[TOMERGE_PANEL]);

static void best_of(panel_scores *scores, const tomerge_panels *b,
                    const float *a, size_t rows, float *best, int32_t *index)
{
    for (size_t i = 0; i < rows; i++) {
        best[i] = -INFINITY;
        index[i] = -1;
        for (size_t p = 0; p < b->columns / TOMERGE_PANEL; p++) {
            float score[TOMERGE_PANEL];

            scores(b, p, a + i * b->channels, score);
            for (int j = 0; j < TOMERGE_PANEL; j++) {
                if (score[j] > best[i]) {
                    best[i] = score[j];
                    index[i] = (int32_t)(p * TOMERGE_PANEL) + j;
                }
            }
        }
    }
}

static void best_dot(const tomerge_panels *b, const float *a, size_t rows,
                     float *best, int32_t *index)
{
    best_of(panel_dots, b, a, rows, best, index);
}

static void best_distance(const tomerge_panels *b, const float *a, size_t rows,
                          float *best, int32_t *index)
{
    best_of(panel_distances, b, a, rows, best, index);
}

static void dots(const tomerge_panels *b, const float *a, float *out)
{
    for (size_t p = 0; p < b->columns / TOMERGE_PANEL; p++)
        panel_dots(b, p, a, out + p * TOMERGE_PANEL);
}

/* ---- combining ------------------------------------------------------------ */

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

static void mean_heads(float *out, const float *k, size_t heads,
                       ptrdiff_t head_stride, size_t n)
{
    for (size_t c = 0; c < n; c++)
        out[c] = k[c];
    for (size_t h = 1; h < heads; h++) {
        k += head_stride;
        for (size_t c = 0; c < n; c++)
            out[c] += k[c];
    }
    for (size_t c = 0; c < n; c++)
        out[c] /= (float)heads;
}

/* ---- choice ----------------------------------------------------------------- */

void tomerge_dsp_init(tomerge_dsp *dsp, uint32_t flags)
{
#define KERNEL(name, arguments) dsp->name = name;
#include "kernels.def"
#undef KERNEL
    if (!(flags & TOMERGE_CPU_AVX2))
        return;
#ifdef HAVE_AVX2
    tomerge_dsp_avx2(dsp);
#endif
    if (!(flags & TOMERGE_CPU_AVX512))
        return;
#ifdef HAVE_AVX512
    tomerge_dsp_avx512(dsp);
#endif
}

const char *tomerge_tier(void)
{
    uint32_t built = 0;

#ifdef HAVE_AVX2
    built |= TOMERGE_CPU_AVX2;
#endif
#ifdef HAVE_AVX512
    built |= TOMERGE_CPU_AVX512;
#endif
    return tomerge_cpu_name(built & tomerge_cpu_flags());
}
