/* SPDX-License-Identifier: MIT */
/* How far answers move when tokens merge. */
#include "divergence.h"

#include "../base/memory.h"
#include "../base/statistics.h"

#include <math.h>
#include <stdlib.h>

/* ln of the sum of exp(logits), about their maximum. */
static double log_sum(const float *logits, size_t count)
{
    double most = (double)logits[0], sum = 0;

    for (size_t k = 1; k < count; k++)
        most = fmax(most, (double)logits[k]);
    for (size_t k = 0; k < count; k++)
        sum += exp((double)logits[k] - most);
    return most + log(sum);
}

double divergence_of(const float *base, const float *own, size_t count)
{
    double sum = 0, base_log, own_log;

    if (count == 0)
        return 0;
    base_log = log_sum(base, count);
    own_log = log_sum(own, count);
    for (size_t k = 0; k < count; k++) {
        double p = (double)base[k] - base_log, q = (double)own[k] - own_log;

        sum += exp(p) * (p - q);
    }
    return sum > 0 ? sum : 0;
}

divergence divergence_over(const outcomes *o, size_t run)
{
    divergence d = {(double)NAN, (double)NAN};
    double *all = memory_zero(o->images + 1, sizeof(*all)), error;

    for (size_t i = 0; i < o->images; i++)
        all[i] = (double)outcomes_at(o, i, run)->divergence;
    if (o->images > 0) {
        d.mean = statistics_mean(all, o->images, &error);
        statistics_percentile(all, o->images, 50); /* sorts them */
        d.median = (all[(o->images - 1) / 2] + all[o->images / 2]) / 2;
    }
    free(all);
    return d;
}
