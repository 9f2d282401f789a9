/* SPDX-License-Identifier: MIT */
/* The kernels for AVX2 with F16C. */
#include "../dsp.h"

#include <immintrin.h>

void tomerge_dsp_avx2(tomerge_dsp *dsp)
{
    (void)dsp;
}
