/* SPDX-License-Identifier: MIT */
/*
 * The kernels: a table of pointers, filled with the scalar ones and then
 * overwritten tier by tier. Public functions fill one on their own stack, so
 * no pointer is shared and a change of the CPU mask is harmless.
 */
#ifndef TOMERGE_DSP_H
#define TOMERGE_DSP_H

#include <stddef.h>
#include <stdint.h>

/* Columns of a panel: one AVX-512 register of f32. */
enum { TOMERGE_PANEL = 16 };

/*
 * Rows to compare with, packed for the scoring kernels: panel p holds
 * rows 16 p .. 16 p + 15 transposed, data[(p * channels + c) * 16 + j] being
 * channel c of row 16 p + j. Unused columns of the last panel have
 * scale 0 and bias -infinity.
 */
typedef struct tomerge_panels {
    const float *data;
    const float *scale;    /* [columns] */
    const float *bias;     /* [columns] */
    size_t columns;        /* a multiple of TOMERGE_PANEL */
    size_t channels;
} tomerge_panels;

typedef struct tomerge_dsp {
#define KERNEL(name, arguments) void (*name) arguments;
#include "kernels.def"
#undef KERNEL
} tomerge_dsp;

/* The kernels for these CPU flags (see tomerge_cpu_flags). */
void tomerge_dsp_init(tomerge_dsp *dsp, uint32_t flags);

/* Each overwrites what its tier does better. */
void tomerge_dsp_avx2(tomerge_dsp *dsp);
void tomerge_dsp_avx512(tomerge_dsp *dsp);

#endif
