/* SPDX-License-Identifier: MIT */
/* The statistics of evaluation: from counts to what they let one say. */
#ifndef TOMERGE_STATISTICS_H
#define TOMERGE_STATISTICS_H

#include <stddef.h>

typedef struct interval {
    double low, high;
} interval;

/* The 95 % interval of a share, `part` of `whole` > 0 (Wilson, 1927). */
interval statistics_wilson(size_t part, size_t whole);

/* Whether `gained` against `lost` of paired trials is more than chance: the
 * two-sided p of McNemar's test in its exact, binomial form, 1 if there are
 * none of either. */
double statistics_mcnemar(size_t gained, size_t lost);

/* The 95 % interval of the share lost less the share gained, of the same
 * `whole` trials (Bonett and Price, 2012: Wald's, with a trial added to
 * each). */
interval statistics_paired(size_t gained, size_t lost, size_t whole);

/* The mean of values and its standard error; 0 and 0 of none, an error of 0 of
 * one. */
double statistics_mean(const double *values, size_t count, double *error);

/* The standard normal's value that `share` in (0, 1) of it lies below. */
double statistics_normal(double share);

/* How far confidence is from accuracy: the expected calibration error (Guo et
 * al., 2017) over bins ](i - 1) / 15, i / 15]. Starts all zero. */
enum { CALIBRATION_BINS = 15 };
typedef struct calibration {
    size_t count[CALIBRATION_BINS], correct[CALIBRATION_BINS];
    double confidence[CALIBRATION_BINS]; /* sums */
} calibration;
void calibration_add(calibration *c, double confidence, int correct);
/* From 0 to 1; 0 of nothing. */
double calibration_error(const calibration *c);

/* The least of count > 0 values that `percent` of them do not exceed (nearest
 * rank). Sorts the values. */
double statistics_percentile(double *values, size_t count, double percent);

#endif
