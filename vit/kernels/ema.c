/* SPDX-License-Identifier: MIT */
/* Damped moving averages along a sequence; see ema.h. */
#include "config.h"

#include "dsp.h"
#include "ema.h"

#include <math.h>
#include <string.h>

enum { LANES = VIT_EMA_LANES };

static size_t blocks_of(size_t channels)
{
    return (channels + LANES - 1) / LANES;
}

static size_t parts_of(int turning)
{
    return turning ? 4 : 2;
}

/* Floats of one block's coefficients in one direction: whole groups. */
static size_t length_of_block(size_t states, int turning)
{
    size_t group = vit_ema_group(turning);

    return (states + group - 1) / group * group * parts_of(turning) * LANES;
}

size_t tomevit_ema_length(size_t channels, size_t states, int turning)
{
    return 2 * blocks_of(channels) * length_of_block(states, turning);
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* One state of one row of the source, `to` being its lane. */
static void pack_state(const vit_ema_source *from, size_t row, size_t state,
                       float *to)
{
    size_t i = row * from->states + state;
    double a = sigmoid((double)from->alpha[i]);
    double decay = 1.0 - a * sigmoid((double)from->delta[i]);
    double scale = a / sqrt((double)from->states);

    if (!from->turning) {
        to[0] = (float)decay;
        to[LANES] = (float)(scale * (double)from->beta[i] *
                            (double)from->gamma[i]);
    } else {
        double turn = (double)(state + 1) * 6.283185307179586 /
                      (double)from->states *
                      sigmoid((double)from->beta[row]);

        to[0] = (float)(decay * cos(turn));
        to[LANES] = (float)(decay * sin(turn));
        to[2 * LANES] = (float)(scale * (double)from->gamma[2 * i]);
        to[3 * LANES] = (float)(scale * (double)from->gamma[2 * i + 1]);
    }
}

void tomevit_ema_pack(const vit_ema_source *from, float *coefficients)
{
    size_t blocks = blocks_of(from->channels), parts = parts_of(from->turning);
    size_t each = length_of_block(from->states, from->turning);

    memset(coefficients, 0,
           tomevit_ema_length(from->channels, from->states, from->turning) *
               sizeof(*coefficients));
    for (size_t row = 0; row < 2 * from->channels; row++)
        for (size_t s = 0; s < from->states; s++) {
            size_t channel = row % from->channels;
            size_t block = row / from->channels * blocks + channel / LANES;

            pack_state(from, row, s, coefficients + block * each +
                       s * parts * LANES + channel % LANES);
        }
}

vit_ema_order tomevit_ema_order(int how, size_t tokens, size_t rows,
                                const int32_t *trace, const int32_t *place,
                                const float *size, int32_t *row)
{
    vit_ema_order order = {tokens, row, NULL, 0};
    size_t step = 0;

    switch (how) {
    case VIT_EMA_UNMERGE:
        memcpy(row, trace, tokens * sizeof(*row));
        break;
    case VIT_EMA_PLACE:
        for (size_t t = 0; t < tokens; t++)
            row[t] = -1;
        for (size_t i = 0; i < rows; i++)
            row[place[i]] = (int32_t)i;
        order.weight = size;
        break;
    case VIT_EMA_STEPS:
        for (size_t i = 0; i < rows; i++)
            for (size_t n = (size_t)size[i]; n > 0 && step < tokens; n--)
                row[step++] = (int32_t)i;
        order.steps = step;
        break;
    default:
        for (size_t i = 0; i < rows; i++)
            row[i] = (int32_t)i;
        order.steps = rows;
    }
    order.mean = how != VIT_EMA_PLACE && order.steps > rows;
    return order;
}

static void divide(const vit_ema_order *order, size_t rows, float *y,
                   size_t ldy, float *count)
{
    for (size_t i = 0; i < rows; i++)
        count[i] = 0.0f;
    for (size_t t = 0; t < order->steps; t++)
        if (order->row[t] >= 0)
            count[order->row[t]]++;
    for (size_t i = 0; i < rows; i++)
        for (size_t l = 0; count[i] > 1.0f && l < LANES; l++)
            y[i * ldy + l] /= count[i];
}

void tomevit_ema(const vit_dsp *dsp, const float *coefficients,
                 size_t channels, size_t states, int turning, size_t block,
                 const vit_ema_order *order, size_t rows, const float *x,
                 size_t ldx, float *y, size_t ldy, float *count)
{
    size_t each = length_of_block(states, turning);
    size_t group = vit_ema_group(turning) * parts_of(turning) * LANES;
    const float *ahead = coefficients + block * each;
    const float *back = ahead + blocks_of(channels) * each;

    for (size_t i = 0; i < rows; i++)
        memset(y + i * ldy, 0, LANES * sizeof(*y));
    for (size_t i = 0; i < each; i += group)
        dsp->ema(ahead + i, turning, 0, order, x, ldx, y, ldy);
    for (size_t i = 0; i < each; i += group)
        dsp->ema(back + i, turning, 1, order, x, ldx, y, ldy);
    if (order->mean)
        divide(order, rows, y, ldy, count);
}
