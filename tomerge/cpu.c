/* SPDX-License-Identifier: MIT */
/* Which tiers of CPU features may be used, and what they are called. */
#include "build.h"

#include "cpu.h"
#include "tomerge.h"

#include <stdatomic.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t flag, needs;
} tiers[] = {
    {"scalar", 0, 0},
#define TIER(NAME, name, needs) {name, TOMERGE_CPU_##NAME, needs},
#include "tiers.def"
#undef TIER
};
enum { TIERS = sizeof(tiers) / sizeof(tiers[0]) };

static atomic_uint cpu_mask = UINT32_MAX;

/* Drops every tier that lacks one it builds on. */
static uint32_t consistent(uint32_t flags)
{
    uint32_t out = 0;

    for (int i = 1; i < TIERS; i++)
        if (flags & tiers[i].flag && (out & tiers[i].needs) == tiers[i].needs)
            out |= tiers[i].flag;
    return out;
}

/* A tier with all it builds on, directly or not: these come before it. */
static uint32_t mask_of(int tier)
{
    uint32_t mask = tiers[tier].flag | tiers[tier].needs;

    for (int i = tier; i-- > 1;)
        if (mask & tiers[i].flag)
            mask |= tiers[i].needs;
    return mask;
}

static uint32_t machine(void)
{
#if defined(TM_X86) || defined(TM_ARM64)
    return tomerge_cpu_detect();
#else
    return 0;
#endif
}

uint32_t tomerge_cpu_detected(void)
{
    /* The answer never changes, so two threads that both find it unknown
     * store the same value. */
    enum { KNOWN = 1 << 30 };
    static atomic_uint cached;
    uint32_t flags = atomic_load_explicit(&cached, memory_order_relaxed);

    if (!(flags & KNOWN)) {
        flags = consistent(machine()) | KNOWN;
        atomic_store_explicit(&cached, flags, memory_order_relaxed);
    }
    return flags & ~(uint32_t)KNOWN;
}

uint32_t tomerge_cpu_flags(void)
{
    return consistent(tomerge_cpu_detected() &
                      atomic_load_explicit(&cpu_mask, memory_order_relaxed));
}

void tomerge_set_cpu_mask(uint32_t mask)
{
    atomic_store_explicit(&cpu_mask, mask, memory_order_relaxed);
}

int tomerge_cpu_mask(const char *name, uint32_t *mask)
{
    if (!name || !mask)
        return TOMERGE_EINVAL;
    for (int i = 0; i < TIERS; i++) {
        if (!strcmp(name, tiers[i].name)) {
            *mask = mask_of(i);
            return 0;
        }
    }
    return TOMERGE_EINVAL;
}

const char *tomerge_cpu_name(uint32_t flags)
{
    int best = 0;

    flags = consistent(flags);
    for (int i = 1; i < TIERS; i++)
        if (flags & tiers[i].flag)
            best = i;
    return tiers[best].name;
}

const char *tomerge_cpu_tier(int index)
{
    return index < 0 || index >= TIERS ? NULL : tiers[index].name;
}
