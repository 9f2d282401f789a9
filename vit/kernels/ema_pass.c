/* SPDX-License-Identifier: MIT */
/* One pass of a group of states over the rows of a sequence. */
#include "config.h"

#include "ema_pass.h"

enum { LANES = VIT_EMA_LANES };

/* h = q h + x of a group's states. */
static void take(const float *c, int turning, const float *x, float *h)
{
    for (size_t s = 0; s < vit_ema_group(turning); s++) {
        if (!turning) {
            for (size_t l = 0; l < LANES; l++)
                h[l] = c[l] * h[l] + x[l];
            h += LANES;
            c += 2 * LANES;
            continue;
        }
        for (size_t l = 0; l < LANES; l++) {
            float re = c[l] * h[l] - c[LANES + l] * h[LANES + l] + x[l];

            h[LANES + l] = c[l] * h[LANES + l] + c[LANES + l] * h[l];
            h[l] = re;
        }
        h += 2 * LANES;
        c += 4 * LANES;
    }
}

/* y += the real part of w h, summed over a group's states. */
static void give(const float *c, int turning, const float *h, float *y)
{
    float sum[LANES];

    for (size_t s = 0; s < vit_ema_group(turning); s++) {
        for (size_t l = 0; l < LANES; l++) {
            float term = turning ? c[2 * LANES + l] * h[l] -
                                       c[3 * LANES + l] * h[LANES + l]
                                 : c[LANES + l] * h[l];

            sum[l] = s ? sum[l] + term : term;
        }
        h += turning ? 2 * LANES : LANES;
        c += turning ? 4 * LANES : 2 * LANES;
    }
    for (size_t l = 0; l < LANES; l++)
        y[l] += sum[l];
}

void tomevit_ema_pass(const float *c, int turning, int back,
                      const vit_ema_order *o, const float *x, size_t ldx,
                      float *y, size_t ldy)
{
    float h[VIT_EMA_REAL * LANES] = {0}, in[LANES];

    for (size_t step = 0; step < o->steps; step++) {
        int32_t row = o->row[back ? o->steps - 1 - step : step];
        float weight = row >= 0 && o->weight ? o->weight[row] : 1.0f;

        for (size_t l = 0; l < LANES; l++)
            in[l] = row >= 0 ? x[(size_t)row * ldx + l] * weight : 0.0f;
        if (back && row >= 0)
            give(c, turning, h, y + (size_t)row * ldy);
        take(c, turning, in, h);
        if (!back && row >= 0)
            give(c, turning, h, y + (size_t)row * ldy);
    }
}
