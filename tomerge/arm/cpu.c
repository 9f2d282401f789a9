/* SPDX-License-Identifier: MIT */
/* What an AArch64 machine has. Its registers say so to the kernel alone, which
 * passes it on. */
#include "../build.h"

#ifdef TM_ARM64
#include "../cpu.h"
#include "tomerge.h"

#if defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__linux__) || defined(__FreeBSD__)
#include <sys/auxv.h>
#endif

#if defined(__APPLE__)
static int has(const char *feature)
{
    int value = 0;
    size_t size = sizeof(value);

    return sysctlbyname(feature, &value, &size, NULL, 0) == 0 && value;
}

static uint32_t extensions(void)
{
    return (has("hw.optional.arm.FEAT_DotProd") ? TOMERGE_CPU_NEON_DOTPROD
                                                : 0) |
           (has("hw.optional.arm.FEAT_I8MM") ? TOMERGE_CPU_NEON_I8MM : 0) |
           (has("hw.optional.arm.FEAT_BF16") ? TOMERGE_CPU_NEON_BF16 : 0);
}
#elif defined(__linux__) || defined(__FreeBSD__)
/* [Linux, arch/arm64/include/uapi/asm/hwcap.h]; FreeBSD has the same. */
static const unsigned long asimddp = 1ul << 20, i8mm = 1ul << 13,
                           bf16 = 1ul << 14;

static unsigned long auxiliary(int type)
{
#ifdef __linux__
    return getauxval((unsigned long)type);
#else
    unsigned long value = 0;

    return elf_aux_info(type, &value, sizeof(value)) == 0 ? value : 0;
#endif
}

static uint32_t extensions(void)
{
    unsigned long first = auxiliary(AT_HWCAP), second = auxiliary(AT_HWCAP2);

    return (first & asimddp ? TOMERGE_CPU_NEON_DOTPROD : 0) |
           (second & i8mm ? TOMERGE_CPU_NEON_I8MM : 0) |
           (second & bf16 ? TOMERGE_CPU_NEON_BF16 : 0);
}
#else
static uint32_t extensions(void)
{
    return 0;
}
#endif

/* NEON belongs to the architecture: compilers use it everywhere. */
uint32_t tomerge_cpu_detect(void)
{
    return TOMERGE_CPU_NEON | extensions();
}
#endif
