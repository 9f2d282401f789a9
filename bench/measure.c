/* SPDX-License-Identifier: MIT */
/* What the benchmarks have in common; see measure.h. */
#include "config.h"

#include "measure.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double measure_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double seconds_of(void (*job)(void *), void *data, size_t calls)
{
    double began = measure_now();

    for (size_t i = 0; i < calls; i++)
        job(data);
    return (measure_now() - began) / (double)calls;
}

double measure_best(void (*job)(void *), void *data, double budget)
{
    static const double long_enough = 2e-5;
    double end = measure_now() + budget;
    double best = seconds_of(job, data, 1);
    size_t calls = best < long_enough
                       ? (size_t)(long_enough / (best + 1e-9)) + 1 : 1;

    while (measure_now() < end) {
        double took = seconds_of(job, data, calls);

        best = took < best ? took : best;
    }
    return best;
}

void *measure_memory(size_t bytes)
{
    size_t lines = (bytes + 63) / 64 + 1;
    void *memory = aligned_alloc(64, lines * 64);

    if (!memory) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
    return memset(memory, 0, lines * 64);
}

float *measure_floats(size_t count)
{
    static uint64_t state = 1;
    float *x = measure_memory(count * sizeof(*x));

    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)(int32_t)(state >> 32) * 0x1p-31f;
    }
    return x;
}
