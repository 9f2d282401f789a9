/* SPDX-License-Identifier: MIT */
/* Norms over the rows of a sequence; see group_norm.h. */
#include "config.h"

#include "group_norm.h"

#include <math.h>
#include <string.h>

/* Of each group the mean of its channels' sums, in the place of them all. */
static void spread(const vit_groups *g, double total, double *sums)
{
    size_t each = g->channels / g->groups;

    for (size_t i = 0; i < g->channels; i += each) {
        double sum = 0;

        for (size_t j = i; j < i + each; j++)
            sum += sums[j];
        for (size_t j = i; j < i + each; j++)
            sums[j] = sum / ((double)each * total);
    }
}

void tomevit_group_norm(const vit_groups *g, size_t rows, const float *size,
                        const float *x, size_t ldx, float *y, size_t ldy,
                        double *sums)
{
    double *mean = sums, *square = sums + g->channels, total = 0;

    memset(sums, 0, 2 * g->channels * sizeof(*sums));
    for (size_t i = 0; i < rows; i++) {
        double weight = size ? (double)size[i] : 1;

        total += weight;
        for (size_t j = 0; j < g->channels; j++)
            mean[j] += weight * (double)x[i * ldx + j];
    }
    spread(g, total, mean);
    for (size_t i = 0; i < rows; i++) {
        double weight = size ? (double)size[i] : 1;

        for (size_t j = 0; j < g->channels; j++) {
            double off = (double)x[i * ldx + j] - mean[j];

            square[j] += weight * off * off;
        }
    }
    spread(g, total, square);
    for (size_t j = 0; j < g->channels; j++) {
        square[j] = (double)g->weight[j] / sqrt(square[j] + (double)g->eps);
        mean[j] = (double)g->bias[j] - mean[j] * square[j];
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < g->channels; j++)
            y[i * ldy + j] = (float)((double)x[i * ldx + j] * square[j] +
                                     mean[j]);
}

/* Takes a row's group into the past. [Welford, Technometrics 1962; merged as
 * Chan, Golub, LeVeque 1979 have it] */
static void take(const float *x, size_t each, double count, double *mean,
                 double *variance)
{
    double sum = 0, square = 0, step;

    for (size_t j = 0; j < each; j++)
        sum += (double)x[j];
    sum /= (double)each;
    for (size_t j = 0; j < each; j++)
        square += ((double)x[j] - sum) * ((double)x[j] - sum);
    step = sum - *mean;
    *variance = (*variance * count + square / (double)each) / (count + 1) +
                step * step * count / ((count + 1) * (count + 1));
    *mean += step / (count + 1);
}

void tomevit_timestep_norm(const vit_groups *g, size_t rows, const float *x,
                           size_t ldx, float *y, size_t ldy, vit_past *past)
{
    size_t each = g->channels / g->groups;

    for (size_t k = 0; past->count == 0 && k < g->groups; k++)
        past->mean[k] = past->variance[k] = 0;
    for (size_t i = 0; i < rows; i++, x += ldx, y += ldy, past->count++)
        for (size_t k = 0; k < g->groups; k++) {
            double scale;

            take(x + k * each, each, past->count, &past->mean[k],
                 &past->variance[k]);
            scale = 1 / sqrt(past->variance[k] + (double)g->eps);
            for (size_t j = k * each; j < (k + 1) * each; j++)
                y[j] = (float)(((double)x[j] - past->mean[k]) * scale *
                                   (double)g->weight[j] + (double)g->bias[j]);
        }
}
