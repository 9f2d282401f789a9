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
 * Rows packed for the scoring kernels: panel p holds rows 16 p .. 16 p + 15
 * transposed, data[(p * channels + c) * 16 + j] being channel c of row
 * 16 p + j. Unused rows of the last panel are 0.
 */
typedef struct tomerge_panels {
    const float *data;
    size_t rows, channels;
} tomerge_panels;

/* Panels that rows take. */
static inline size_t tomerge_panels_of(size_t rows)
{
    return (rows + TOMERGE_PANEL - 1) / TOMERGE_PANEL;
}

/* Channel 0 of a row; its others follow 16 apart. */
static inline const float *tomerge_packed_row(const tomerge_panels *p,
                                              size_t row)
{
    return p->data + row / TOMERGE_PANEL * p->channels * TOMERGE_PANEL +
           row % TOMERGE_PANEL;
}

typedef struct tomerge_dsp {
#define KERNEL(name, arguments) void (*name) arguments;
#include "kernels.def"
#undef KERNEL
} tomerge_dsp;

/* tier.c: the kernels for these CPU flags (see tomerge_cpu_flags). */
void tomerge_dsp_init(tomerge_dsp *dsp, uint32_t flags);

/* All of them; then each overwrites what its tier does better. */
void tomerge_dsp_scalar(tomerge_dsp *dsp);
void tomerge_dsp_avx2(tomerge_dsp *dsp);
void tomerge_dsp_avx512(tomerge_dsp *dsp);
void tomerge_dsp_neon(tomerge_dsp *dsp);

#endif
