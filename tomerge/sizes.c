/* SPDX-License-Identifier: MIT */
/* Sizes of merged rows by similarity, as DiffRate has them. */
#include "build.h"

#include "merge.h"

#include <math.h>

/* x.y of two rows, in f32: chunk by chunk, in order. */
static float product(const tomerge_dsp *dsp, size_t channels,
                     tomerge_const_view x, size_t i, size_t j)
{
    float a[TOMERGE_CHUNK], b[TOMERGE_CHUNK], sum = 0, part;

    for (size_t c = 0; c < channels; c += TOMERGE_CHUNK) {
        size_t n = tomerge_chunk(channels, c);

        dsp->dot(tomerge_load(dsp, x.dtype, tomerge_at(x, i, c), n, a),
                 tomerge_load(dsp, x.dtype, tomerge_at(x, j, c), n, b), n,
                 &part);
        sum += part;
    }
    return sum;
}

/* 0 for rows that cannot be compared. */
static float cosine(const tomerge_dsp *dsp, size_t channels,
                    tomerge_const_view x, size_t i, size_t j)
{
    float norms = sqrtf(product(dsp, channels, x, i, i)) *
                  sqrtf(product(dsp, channels, x, j, j));
    float like = product(dsp, channels, x, i, j) / norms;

    return isfinite(like) ? like : 0;
}

int tomerge_sizes_by_similarity(const tomerge_plan *plan, size_t channels,
                                tomerge_const_view metric, const float *size,
                                float *size_out)
{
    tomerge_groups groups;
    tomerge_dsp dsp;
    int error;

    if (!plan || (plan->tokens && (!plan->map || !plan->origin || !size_out ||
                                   !size)))
        return TOMERGE_EINVAL;
    groups = tomerge_groups_of(plan);
    error = tomerge_check_rows(plan->tokens);
    error = error ? error : tomerge_check_view(metric, plan->tokens, channels);
    error = error ? error : tomerge_check_groups(&groups);
    for (size_t i = 0; !error && i < plan->tokens; i++)
        error = isfinite(size[i]) ? 0 : TOMERGE_EINVAL;
    if (error)
        return error;
    tomerge_dsp_init(&dsp, tomerge_cpu_flags());
    for (size_t j = 0; j < plan->rows; j++)
        size_out[j] = size[plan->origin[j]];
    for (size_t i = 0; i < plan->tokens; i++) {
        int32_t row = plan->map[i];

        if (row >= 0 && plan->origin[row] != (int32_t)i)
            size_out[row] += size[i] * cosine(&dsp, channels, metric, i,
                                              (size_t)plan->origin[row]);
    }
    return 0;
}
