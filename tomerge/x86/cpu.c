/* SPDX-License-Identifier: MIT */
/*
 * Which tiers an x86-64 has. A feature counts only if cpuid reports it and the
 * operating system has enabled its registers (xgetbv), or in the case of AMX
 * hands them to a process that asks. Nothing here asks.
 */
#include "../build.h"

#include "../cpu.h"
#include "tomerge.h"

#ifdef TM_X86
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum {
    L1C_FMA = 1 << 12, L1C_OSXSAVE = 1 << 27, L1C_F16C = 1 << 29,
    L7B_AVX2 = 1 << 5, L7B_BMI2 = 1 << 8, L7B_AVX512F = 1 << 16,
    L7B_AVX512DQ = 1 << 17, L7B_AVX512CD = 1 << 28, L7B_AVX512BW = 1 << 30,
    L7C_VNNI = 1 << 11,
    L7D_AMX_BF16 = 1 << 22, L7D_AMX_TILE = 1 << 24, L7D_AMX_INT8 = 1 << 25,
    L71A_AVX512_BF16 = 1 << 5,
    XCR0_YMM = 0x6, XCR0_ZMM = 0xe6, XCR0_TILE = 0x60000,
};
#define L7B_AVX512VL (1u << 31)

static uint64_t enabled_state(void)
{
    uint32_t lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static int has(uint64_t value, uint64_t bits)
{
    return (value & bits) == bits;
}

/* Linux hands out the 8 KiB of tile registers only on request, which is for
 * those to make who have kernels for them: it makes every signal's frame of the
 * whole process larger. Here it is only asked whether they can be had. */
static int amx_supported(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { ARCH_GET_XCOMP_SUPP = 0x1021, XFEATURE_XTILEDATA = 18 };
    uint64_t features = 0;

    return syscall(SYS_arch_prctl, ARCH_GET_XCOMP_SUPP, &features) == 0 &&
           features >> XFEATURE_XTILEDATA & 1;
#else
    return 0;
#endif
}

uint32_t tomerge_cpu_detect(void)
{
    uint32_t a, b, c, d, b7 = 0, c7 = 0, d7 = 0, a71 = 0, flags = 0;
    uint64_t state;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, L1C_OSXSAVE))
        return 0;
    state = enabled_state();
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7))
        return 0;
    if (a >= 1)
        __get_cpuid_count(7, 1, &a71, &a, &a, &a);

    if (has(c, L1C_FMA | L1C_F16C) && has(b7, L7B_AVX2 | L7B_BMI2) &&
        has(state, XCR0_YMM))
        flags |= TOMERGE_CPU_AVX2;
    if (has(b7, (uint32_t)L7B_AVX512F | L7B_AVX512DQ | L7B_AVX512CD |
                    L7B_AVX512BW | L7B_AVX512VL) &&
        has(state, XCR0_ZMM))
        flags |= TOMERGE_CPU_AVX512;
    if (has(c7, L7C_VNNI))
        flags |= TOMERGE_CPU_AVX512_VNNI;
    if (has(a71, L71A_AVX512_BF16))
        flags |= TOMERGE_CPU_AVX512_BF16;
    if (has(d7, L7D_AMX_TILE) && has(state, XCR0_TILE) && amx_supported()) {
        if (has(d7, L7D_AMX_BF16))
            flags |= TOMERGE_CPU_AMX_BF16;
        if (has(d7, L7D_AMX_INT8))
            flags |= TOMERGE_CPU_AMX_INT8;
    }
    return flags;
}
#endif
