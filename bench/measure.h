/* SPDX-License-Identifier: MIT */
/* What the benchmarks have in common: a clock, memory, the best of many
 * runs. Everything else on a machine only ever adds time. */
#ifndef TOMERGE_MEASURE_H
#define TOMERGE_MEASURE_H

#include <stddef.h>

/* Seconds of wall time from some moment on. */
double measure_now(void);

/* The fewest seconds of one call of `job`, called for `budget` seconds and at
 * least once. Calls too short for the clock are timed many at a time. */
double measure_best(void (*job)(void *data), void *data, double budget);

/* Zeroed, on a cache line; the process ends if there is no memory. */
void *measure_memory(size_t bytes);

/* Random numbers in -1 .. 1, the same in every run. */
float *measure_floats(size_t count);

#endif
