/* SPDX-License-Identifier: MIT */
/* The table of peaks, and the scalar one; see peak.h. */
#include "config.h"

#include "peak.h"

#include "../vit/kernels/low.h"
#include "measure.h"
#include "tomevit.h"

#include <string.h>

enum { REPEATS = 20000, SUMS = 12, WIDTH = 4 };

typedef float vector __attribute__((vector_size(4 * WIDTH)));

/* What the baseline's compiler may make of scalar code: four at a time, a
 * product and a sum apart. */
static void loop(void *unused)
{
    static volatile float sink, one = 1;
    vector sum[SUMS], x = {one, one, one, one}, y = x * 1e-6f, all = {0};

    (void)unused;
    for (int i = 0; i < SUMS; i++)
        sum[i] = x * (float)i;
    for (int n = 0; n < REPEATS; n++) {
#pragma GCC unroll 16
        for (int i = 0; i < SUMS; i++)
            sum[i] = sum[i] * x + y;
    }
    for (int i = 0; i < SUMS; i++)
        all += sum[i];
    sink = all[0] + all[1] + all[2] + all[3];
    (void)sink;
}

const peak_kernel peak_scalar = {
    "scalar", "f32", 2.0 * REPEATS * SUMS * WIDTH, loop,
};

static const peak_kernel *const peaks[] = {
    &peak_scalar,
#ifdef HAVE_AVX2
    &peak_avx2,
#endif
#ifdef HAVE_AVX512
    &peak_avx512,
#endif
#ifdef HAVE_AVX512VNNI
    &peak_avx512vnni,
#endif
#ifdef HAVE_AVX512BF16
    &peak_avx512bf16,
#endif
#ifdef HAVE_AMXBF16
    &peak_amxbf16,
#endif
#ifdef HAVE_AMXINT8
    &peak_amxint8,
#endif
};

const peak_kernel *peak_at(unsigned index)
{
    return index < sizeof(peaks) / sizeof(peaks[0]) ? peaks[index] : NULL;
}

/* What the machine has, and the system lets a process use that asks. */
static uint32_t usable(void)
{
    uint32_t flags = tomerge_cpu_detected();

    return tomevit_low_permitted(TOMEVIT_INT8,
                                 tomevit_low_permitted(TOMEVIT_BF16, flags));
}

double peak_measure(const char *tier, const char *dtype, double budget)
{
    const peak_kernel *p;
    uint32_t needs;

    for (unsigned i = 0; (p = peak_at(i)); i++) {
        if (strcmp(p->tier, tier) || strcmp(p->dtype, dtype) ||
            tomerge_cpu_mask(tier, &needs) || (usable() & needs) != needs)
            continue;
        return p->operations * 1e-9 / measure_best(p->loop, NULL, budget);
    }
    return 0;
}
