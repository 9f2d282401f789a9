/* SPDX-License-Identifier: MIT */
/* Angles of rotary positions, and their sines and cosines; see rope.h. */
#include "config.h"

#include "grid.h"
#include "rope.h"

#include <math.h>
#include <string.h>

/* sin and cos of x, at most 1e-12 off for |x| < 2^20: x = n pi / 2 + r, pi / 2
 * in two parts of which the first times n is exact; Taylor's series of r. */
static void sine_cosine(double x, double *sine, double *cosine)
{
    double n = floor(x * 0.63661977236758134 + 0.5);
    double r = x - n * 1.5707963267341256 - n * 6.0771005065061922e-11;
    double q = r * r, s, c;

    /* Of a file's rates that mean nothing: the answer is not finite either. */
    if (!(fabs(x) < 0x1p40)) {
        *sine = *cosine = (double)NAN;
        return;
    }
    s = 1 / 6227020800.0;
    s = s * q - 1 / 39916800.0;
    s = s * q + 1 / 362880.0;
    s = s * q - 1 / 5040.0;
    s = s * q + 1 / 120.0;
    s = s * q - 1 / 6.0;
    s = s * q * r + r;
    c = -1 / 87178291200.0;
    c = c * q + 1 / 479001600.0;
    c = c * q - 1 / 3628800.0;
    c = c * q + 1 / 40320.0;
    c = c * q - 1 / 720.0;
    c = c * q + 1 / 24.0;
    c = c * q - 0.5;
    c = c * q + 1.0;
    switch ((int)(n - 4 * floor(n / 4))) {
    case 0:
        *sine = s, *cosine = c;
        break;
    case 1:
        *sine = c, *cosine = -s;
        break;
    case 2:
        *sine = -s, *cosine = -c;
        break;
    default:
        *sine = -c, *cosine = s;
    }
}

void tomevit_rope_axial(const tomevit_description *d, const float *periods,
                        double *rates)
{
    size_t half = tomevit_head_dim(d) / 2, bands = half / 2;
    double full = d->rope.kind == TOMEVIT_ROTARY_CENTRED
                      ? 6.283185307179586 : 1.0;

    memset(rates, 0, 2 * half * sizeof(*rates));
    for (size_t k = 0; d->rope.kind == TOMEVIT_ROTARY_LINE && k < half; k++) {
        rates[half + k] = pow((double)d->rope.theta,
                              -(double)k / (double)half);
        rates[k] = (double)tomevit_grid_columns(d) * rates[half + k];
    }
    if (d->rope.kind == TOMEVIT_ROTARY_LINE)
        return;
    for (size_t k = 0; k < bands; k++) {
        double period = periods ? (double)periods[k]
                                : pow((double)d->rope.theta,
                                      (double)k / (double)bands);
        size_t first = d->rope.xy ? half : 0;

        rates[first + k] = full / period;
        if (d->rope.periods == TOMEVIT_PERIODS_BETWEEN)
            period *= pow((double)d->rope.theta, 1 / (double)half);
        rates[half - first + bands + k] = full / period;
    }
}

void tomevit_rope_learnt(const tomevit_description *d, const float *first,
                         const float *second, double *rates)
{
    size_t half = tomevit_head_dim(d) / 2;

    for (size_t k = 0; k < half; k++) {
        rates[k] = (double)(d->rope.xy ? second : first)[k];
        rates[half + k] = (double)(d->rope.xy ? first : second)[k];
    }
}

/* What stands for row or column i of n. */
static double coordinate(const tomevit_rope *rope, double i, size_t n)
{
    if (rope->kind == TOMEVIT_ROTARY_CENTRED)
        return 2.0 * ((i + 0.5 + (double)rope->offset) / (double)n) - 1.0;
    i += (double)rope->offset;
    return rope->grid ? i / (double)n * (double)rope->grid : i;
}

void tomevit_rope_turn(const tomevit_description *d, const double *rates,
                       double row, double column, float *turn)
{
    size_t channels = tomevit_head_dim(d), half = channels / 2;
    size_t quarter = half / 2;
    size_t columns = tomevit_grid_columns(d);
    double y = coordinate(&d->rope, row, tomevit_grid_rows(d));
    double x = coordinate(&d->rope, column, columns);

    /* Along a line that begins anew with every chunk. */
    if (d->rope.kind == TOMEVIT_ROTARY_LINE && d->mega.chunk) {
        x = fmod(row * (double)columns + column, (double)d->mega.chunk);
        y = 0;
    }

    for (size_t k = 0; k < half; k++) {
        size_t i = d->rope.halves ? k : 2 * k;
        size_t j = d->rope.halves ? k + half : i + 1;
        double sine, cosine;
        float *to = turn;

        /* Half a head after the other, [2, h / 2] of each. */
        if (d->rope.halves == 2) {
            to = turn + k / quarter * channels;
            i = k % quarter;
            j = i + quarter;
        }

        sine_cosine(y * rates[k] + x * rates[half + k], &sine, &cosine);
        to[i] = to[j] = (float)cosine;
        to += d->rope.halves == 2 ? half : channels;
        to[i] = (float)-sine;
        to[j] = (float)sine;
    }
}
