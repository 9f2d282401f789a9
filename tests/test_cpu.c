/* SPDX-License-Identifier: MIT */
/* CPU tiers: detection, the mask, and names. */
#include "tomerge.h"

#include <criterion/criterion.h>
#include <string.h>

Test(cpu, mask_restricts_and_is_consistent)
{
    uint32_t all = tomerge_cpu_detected();

    cr_assert_eq(tomerge_cpu_flags(), all);
    tomerge_set_cpu_mask(0);
    cr_assert_eq(tomerge_cpu_flags(), 0);
    cr_assert_str_eq(tomerge_cpu_name(tomerge_cpu_flags()), "scalar");
    /* AVX-512 alone lacks the tier it builds on. */
    tomerge_set_cpu_mask(TOMERGE_CPU_AVX512);
    cr_assert_eq(tomerge_cpu_flags(), 0);
    tomerge_set_cpu_mask(UINT32_MAX);
    cr_assert_eq(tomerge_cpu_flags(), all);
}

/* The kernels are of no tier above those detected, and follow the mask. */
Test(cpu, tier_of_the_kernels)
{
    static const char *const names[] = {"neon", "avx512", "avx2", "scalar"};
    enum { NAMES = sizeof(names) / sizeof(*names) };
    size_t i = 0;

    for (; i < NAMES && strcmp(tomerge_tier(), names[i]); i++)
        ;
    cr_assert_lt(i, NAMES, "%s", tomerge_tier());
    for (; i < NAMES; i++) {
        uint32_t mask = 0;

        cr_assert_eq(tomerge_cpu_mask(names[i], &mask), 0);
        /* Those of another architecture. */
        if ((tomerge_cpu_detected() & mask) != mask)
            continue;
        tomerge_set_cpu_mask(mask);
        cr_assert_str_eq(tomerge_tier(), names[i]);
    }
    tomerge_set_cpu_mask(UINT32_MAX);
}

Test(cpu, tiers_build_on_one_another)
{
    static const struct {
        const char *name;
        uint32_t mask;
    } known[] = {
        {"scalar", 0}, {"avx2", 1}, {"avx512", 3}, {"avx512-vnni", 7},
        {"avx512-bf16", 11}, {"amx-bf16", 27}, {"amx-int8", 39},
        {"neon", 64}, {"neon-dotprod", 192}, {"neon-i8mm", 448},
        {"neon-bf16", 576},
    };
    uint32_t mask;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        cr_assert_eq(tomerge_cpu_mask(known[i].name, &mask), 0);
        cr_assert_eq(mask, known[i].mask, "%s: %u", known[i].name, mask);
    }
}

Test(cpu, names_round_trip)
{
    uint32_t mask = 77, all = 0;
    int count = 0;

    for (const char *name; (name = tomerge_cpu_tier(count)); count++) {
        cr_assert_eq(tomerge_cpu_mask(name, &mask), 0);
        cr_assert_str_eq(tomerge_cpu_name(mask), name);
        /* One bit more than what it builds on, which came before. */
        uint32_t more = mask & ~all;
        cr_assert_eq(more != 0, count > 0, "%s", name);
        cr_assert(more == 0 || (more & (more - 1)) == 0, "%s", name);
        all |= mask;
    }
    cr_assert_str_eq(tomerge_cpu_tier(0), "scalar");
    cr_assert_geq(count, 7);
    cr_assert_null(tomerge_cpu_tier(-1));
    cr_assert_null(tomerge_cpu_tier(count));
    mask = 77;
    cr_assert_eq(tomerge_cpu_mask("avx3", &mask), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_cpu_mask(NULL, &mask), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_cpu_mask("avx2", NULL), TOMERGE_EINVAL);
    cr_assert_eq(mask, 77);
}
