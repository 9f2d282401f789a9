/* SPDX-License-Identifier: MIT */
/* The statistics of evaluation: from counts to what they let one say. */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

static const double z = 1.959963984540054; /* of the normal's 97.5 % */

interval statistics_wilson(size_t part, size_t whole)
{
    double n = (double)whole, p = (double)part / n;
    double centre = p + z * z / (2 * n);
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    double scale = 1 + z * z / n;
    interval i = {(centre - half) / scale, (centre + half) / scale};

    /* At the ends it touches, which rounding would not quite give. */
    if (part == 0)
        i.low = 0;
    if (part == whole)
        i.high = 1;
    return i;
}

double statistics_mcnemar(size_t gained, size_t lost)
{
    size_t fewer = gained < lost ? gained : lost;
    double n = (double)(gained + lost), sum = 0;

    if (gained == lost)
        return 1;
    /* Twice the tail up to `fewer` of a fair coin's n throws. From its largest
     * term, the last, down: each is the one before times k / (n - k + 1). */
    double term = 1;
    for (size_t k = fewer; term > sum * 1e-18; k--) {
        sum += term;
        if (k == 0)
            break;
        term *= (double)k / (n - (double)k + 1);
    }
    double last = lgamma(n + 1) - lgamma((double)fewer + 1) -
                  lgamma(n - (double)fewer + 1) - n * log(2);
    double p = 2 * exp(last + log(sum));
    return p < 1 ? p : 1;
}

interval statistics_paired(size_t gained, size_t lost, size_t whole)
{
    double n = (double)whole + 2;
    double up = ((double)gained + 1) / n, down = ((double)lost + 1) / n;
    double middle = down - up;
    double half = z * sqrt((down + up - middle * middle) / n);
    interval i = {fmax(middle - half, -1), fmin(middle + half, 1)};

    return i;
}

double statistics_mean(const double *values, size_t count, double *error)
{
    double sum = 0, squares = 0, n = (double)count;

    for (size_t i = 0; i < count; i++)
        sum += values[i];
    double mean = count > 0 ? sum / n : 0;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    *error = count > 1 ? sqrt(squares / (n - 1) / n) : 0;
    return mean;
}

double statistics_normal(double share)
{
    double low = -40, high = 40;

    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (erfc(-middle / sqrt(2)) / 2 < share)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

void calibration_add(calibration *c, double confidence, int correct)
{
    double place = ceil(confidence * CALIBRATION_BINS) - 1;
    size_t bin = place < 0 || isnan(place) ? 0
        : place >= CALIBRATION_BINS ? CALIBRATION_BINS - 1 : (size_t)place;

    c->count[bin]++;
    c->correct[bin] += correct != 0;
    c->confidence[bin] += isnan(confidence) ? 0 : confidence;
}

double calibration_error(const calibration *c)
{
    double sum = 0;
    size_t count = 0;

    for (size_t i = 0; i < CALIBRATION_BINS; i++) {
        sum += fabs((double)c->correct[i] - c->confidence[i]);
        count += c->count[i];
    }
    return count == 0 ? 0 : sum / (double)count;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double statistics_percentile(double *values, size_t count, double percent)
{
    qsort(values, count, sizeof(*values), compare);
    double rank = ceil(percent / 100 * (double)count);
    return values[rank < 1 ? 0 : (size_t)rank - 1];
}
