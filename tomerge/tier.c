/* SPDX-License-Identifier: MIT */
/* The choice of a tier. */
#include "build.h"

#include "dsp.h"
#include "tomerge.h"

void tomerge_dsp_init(tomerge_dsp *dsp, uint32_t flags)
{
    tomerge_dsp_scalar(dsp);
    (void)flags;
#ifdef HAVE_AVX2
    if (flags & TOMERGE_CPU_AVX2)
        tomerge_dsp_avx2(dsp);
#endif
#ifdef HAVE_AVX512
    if (flags & TOMERGE_CPU_AVX512)
        tomerge_dsp_avx512(dsp);
#endif
#ifdef HAVE_NEON
    if (flags & TOMERGE_CPU_NEON)
        tomerge_dsp_neon(dsp);
#endif
}

const char *tomerge_tier(void)
{
    uint32_t built = 0;

#ifdef HAVE_AVX2
    built |= TOMERGE_CPU_AVX2;
#endif
#ifdef HAVE_AVX512
    built |= TOMERGE_CPU_AVX512;
#endif
#ifdef HAVE_NEON
    built |= TOMERGE_CPU_NEON;
#endif
    return tomerge_cpu_name(built & tomerge_cpu_flags());
}
