/* SPDX-License-Identifier: MIT */
/* AVX-512: tiles of 14 x 32, 28 of the 32 registers holding sums. */
#include "avx512.h"
#include "vectors512.h"

#define NAME "avx512"
#define TABLE tomevit_dsp_avx512

enum { W = 16, MR = 14 };
#define EACH_ROW(M) \
    M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13)

#define TRANSPOSE transpose16
#define SWAP_PAIRS(v) _mm512_permute_ps(v, 0xb1)

#include "../vectors/kernels.h"
