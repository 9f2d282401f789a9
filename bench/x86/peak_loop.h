/* SPDX-License-Identifier: MIT */
/*
 * A peak's loop for one vector type: as many independent sums as hide the
 * latency of a multiply-accumulate. The file that includes this defines V, W
 * (products of an instruction), SUMS, SET1, FMA, ADD, TIER, DTYPE and PEAK.
 */
#include "../peak.h"

#include <string.h>

enum { REPEATS = 20000 };

static void loop(void *unused)
{
    static volatile float sink;
    V sum[SUMS], x = SET1(1.0f), y = SET1(1e-6f);
    float any;

    (void)unused;
    for (int i = 0; i < SUMS; i++)
        sum[i] = SET1((float)i);
    for (int n = 0; n < REPEATS; n++) {
#pragma GCC unroll 16
        for (int i = 0; i < SUMS; i++)
            sum[i] = FMA(sum[i], x, y);
    }
    for (int i = 1; i < SUMS; i++)
        sum[0] = ADD(sum[0], sum[i]);
    memcpy(&any, &sum[0], sizeof(any));
    sink = any;
    (void)sink;
}

const peak_kernel PEAK = {TIER, DTYPE, 2.0 * REPEATS * SUMS * W, loop};
