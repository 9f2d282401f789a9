/* SPDX-License-Identifier: MIT */
/* The kernels for AVX-512. */
#include "../dsp.h"

#include <immintrin.h>

void tomerge_dsp_avx512(tomerge_dsp *dsp)
{
    (void)dsp;
}
