/* SPDX-License-Identifier: MIT */
/* What attention needs around merging: the size bias and the heads' mean. */
#include "build.h"

#include "check.h"
#include "numeric.h"

#include <math.h>

/* Channels averaged at a time where heads are converted. */
enum { CHUNK = 512 };

/* Most rows are one token, and the sizes of the others are few. */
static void take_logs(size_t rows, const float *size, float *bias)
{
    enum { KNOWN = 32 };
    float known[KNOWN] = {0}, log_of[KNOWN];

    for (size_t i = 0; i < rows; i++) {
        size_t slot = tomerge_bits(size[i]) >> 20 & (KNOWN - 1);

        if (size[i] == 1) {
            bias[i] = 0;
            continue;
        }
        if (known[slot] != size[i]) {
            known[slot] = size[i];
            log_of[slot] = logf(size[i]);
        }
        bias[i] = log_of[slot];
    }
}

int tomerge_size_bias(size_t rows, const float *size, float *bias)
{
    if (rows && (!size || !bias))
        return TOMERGE_EINVAL;
    if (tomerge_check_rows(rows))
        return TOMERGE_ERANGE;
    if (tomerge_check_sizes(size, rows))
        return TOMERGE_EINVAL;
    take_logs(rows, size, bias);
    return 0;
}

/* The same sums as the kernel mean_heads, for heads of any dtype. */
static void mean_converted(const tomerge_dsp *dsp, int dtype, const char *k,
                           size_t heads, ptrdiff_t head_bytes, size_t n,
                           float *out)
{
    float scratch[CHUNK];

    dsp->scale(out, tomerge_load(dsp, dtype, k, n, scratch), 1, n);
    for (size_t h = 1; h < heads; h++) {
        const char *head = k + (ptrdiff_t)h * head_bytes;

        dsp->accumulate(out, tomerge_load(dsp, dtype, head, n, scratch), 1, n);
    }
    dsp->divide(out, (float)heads, n);
}

static void mean_token(const tomerge_dsp *dsp, tomerge_const_view k, size_t t,
                       size_t heads, ptrdiff_t head_stride, size_t channels,
                       tomerge_view metric)
{
    ptrdiff_t head_bytes = head_stride * (ptrdiff_t)tomerge_element(k.dtype);
    float out[CHUNK];

    for (size_t c = 0; c < channels; c += CHUNK) {
        size_t n = channels - c < CHUNK ? channels - c : CHUNK;
        const void *from = tomerge_at(k, t, c);

        if (k.dtype == TOMERGE_F32)
            dsp->mean_heads(out, 0, from, 0, 1, heads, head_stride, n);
        else
            mean_converted(dsp, k.dtype, from, heads, head_bytes, n, out);
        tomerge_store(dsp, metric.dtype, tomerge_at_mutable(metric, t, c), out,
                      n);
    }
}

int tomerge_mean_heads(size_t tokens, size_t heads, size_t channels,
                       tomerge_const_view k, ptrdiff_t head_stride,
                       tomerge_view metric)
{
    tomerge_dsp dsp;
    int error;

    if (heads == 0 || channels == 0)
        return TOMERGE_EINVAL;
    if (tomerge_check_rows(tokens) || tomerge_check_rows(heads))
        return TOMERGE_ERANGE;
    error = tomerge_check_parts(k, tokens, channels, heads, head_stride);
    if (!error)
        error = tomerge_check_view(tomerge_view_const(metric), tokens,
                                   channels);
    if (!error)
        error = tomerge_check_apart(k, tomerge_view_const(metric), tokens);
    if (error)
        return error;
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    if (k.dtype == TOMERGE_F32 && metric.dtype == TOMERGE_F32) {
        dsp.mean_heads(metric.data, metric.stride, k.data, k.stride, tokens,
                       heads, head_stride, channels);
        return 0;
    }
    for (size_t t = 0; t < tokens; t++)
        mean_token(&dsp, k, t, heads, head_stride, channels, metric);
    return 0;
}
