/* SPDX-License-Identifier: MIT */
/* The most probable classes of one image. */
#include "top.h"

#include <math.h>

static double logit(const float *logits, int32_t index)
{
    float value = logits[index];
    return (double)(isnan(value) ? -INFINITY : value);
}

void top_select(const float *logits, size_t classes, size_t k, top_class *top)
{
    size_t count = 0;
    double sum = 0;

    for (size_t i = 0; i < classes; i++) {
        double value = logit(logits, (int32_t)i);
        size_t place = count;
        while (place > 0 && value > logit(logits, top[place - 1].index))
            place--;
        if (place == k)
            continue;
        count += count < k;
        for (size_t j = count - 1; j > place; j--)
            top[j] = top[j - 1];
        top[place].index = (int32_t)i;
    }
    for (size_t i = 0; i < classes && count > 0; i++)
        sum += exp(logit(logits, (int32_t)i) - logit(logits, top[0].index));
    for (size_t j = 0; j < count; j++)
        top[j].probability =
            exp(logit(logits, top[j].index) - logit(logits, top[0].index)) /
            sum;
    for (size_t j = count; j < k; j++) {
        top[j].index = -1;
        top[j].probability = 0;
    }
}
