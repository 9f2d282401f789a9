/* SPDX-License-Identifier: MIT */
/*
 * Linux hands the registers of AMX to a process only on request, and makes the
 * frame of every signal larger from then on. So they are asked for when a
 * model is about to use them, not before. [Linux, Documentation/arch/x86/
 * xstate.rst]
 */
#include "config.h"

#include "low.h"
#include "tomerge.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

static const uint32_t amx = TOMERGE_CPU_AMX_BF16 | TOMERGE_CPU_AMX_INT8;

/* Asking again for what has been granted changes nothing. */
static int amx_permitted(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl) && defined(__x86_64__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM,
                   XFEATURE_XTILEDATA) == 0;
#else
    return 0;
#endif
}

static int uses_amx(const vit_low *low)
{
    const vit_low *tier;
    uint32_t needs;

    for (size_t i = 0; low && (tier = tomevit_low_tier(i, &needs)); i++)
        if (tier == low)
            return (needs & amx) != 0;
    return 0;
}

uint32_t tomevit_low_permitted(int dtype, uint32_t cpu_flags)
{
    const vit_low *low = tomevit_low_choose(dtype, cpu_flags);

    if (!uses_amx(low) && !uses_amx(tomevit_low_outer(low, cpu_flags)))
        return cpu_flags;
    return amx_permitted() ? cpu_flags : cpu_flags & ~amx;
}
