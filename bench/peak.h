/* SPDX-License-Identifier: MIT */
/* What a core can do at most: multiply-accumulates on registers alone. A
 * kernel's speed means something beside its tier's peak in the same run. */
#ifndef TOMERGE_PEAK_H
#define TOMERGE_PEAK_H

#include <stdint.h>

/* One call of a peak's loop does `operations` (two a multiply-accumulate). */
typedef struct peak_kernel {
    const char *tier;      /* as tomerge_cpu_name */
    const char *dtype;     /* of what is multiplied: f32, bf16, int8 */
    double operations;
    void (*loop)(void *unused);
} peak_kernel;

/* The peaks that are built in, NULL past the last. */
const peak_kernel *peak_at(unsigned index);

/* G operations a second of a tier with a dtype, measured for `budget` seconds;
 * 0 if there is no such peak or this CPU cannot run it. */
double peak_measure(const char *tier, const char *dtype, double budget);

extern const peak_kernel peak_scalar, peak_avx2, peak_avx512, peak_avx512vnni,
    peak_avx512bf16, peak_amxbf16, peak_amxint8;

#endif
