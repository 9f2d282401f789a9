/* SPDX-License-Identifier: MIT */
/*
 * What this machine's cores can do at most, all at once: for every tier and
 * dtype a line of G operations a second, two a multiply-accumulate. The clock
 * falls with the number of busy cores and the width of their vectors, so the
 * peak of a forward pass is that of as many threads, at the same time of day.
 *
 *     bench/bench_peak [THREADS [SECONDS]]    2 threads, 0.2 for each line
 */
#include "config.h"

#include "peak.h"

#include "tomerge.h"

#include <stdio.h>
#include <stdlib.h>

static double all_threads(const peak_kernel *p, int threads, double seconds)
{
    double sum = 0;

#pragma omp parallel num_threads(threads) reduction(+ : sum)
    sum += peak_measure(p->tier, p->dtype, seconds);
    return sum;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 2;
    double seconds = argc > 2 ? atof(argv[2]) : 0.2;
    const peak_kernel *p;

    if (threads < 1 || threads > 1024) {
        fprintf(stderr, "usage: bench_peak [THREADS [SECONDS]]\n");
        return 2;
    }
    for (unsigned i = 0; (p = peak_at(i)); i++) {
        double rate = all_threads(p, threads, seconds);

        if (rate > 0)
            printf("%-12s %-5s %d threads %8.1f\n", p->tier, p->dtype,
                   threads, rate);
    }
    return 0;
}
