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
    static const char *const names[] = {"avx512", "avx2", "scalar"};
    size_t i = 0;

    for (; i < 3 && strcmp(tomerge_tier(), names[i]); i++)
        ;
    cr_assert_lt(i, 3, "%s", tomerge_tier());
    for (; i < 3; i++) {
        uint32_t mask = 0;

        cr_assert_eq(tomerge_cpu_mask(names[i], &mask), 0);
        tomerge_set_cpu_mask(mask);
        cr_assert_str_eq(tomerge_tier(), names[i]);
    }
    tomerge_set_cpu_mask(UINT32_MAX);
}

Test(cpu, names_round_trip)
{
    static const char *const names[] = {"scalar", "avx2", "avx512",
        "avx512-vnni", "avx512-bf16", "amx-bf16", "amx-int8"};
    uint32_t mask = 77;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cr_assert_eq(tomerge_cpu_mask(names[i], &mask), 0);
        cr_assert_str_eq(tomerge_cpu_name(mask), names[i]);
    }
    mask = 77;
    cr_assert_eq(tomerge_cpu_mask("avx3", &mask), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_cpu_mask(NULL, &mask), TOMERGE_EINVAL);
    cr_assert_eq(tomerge_cpu_mask("avx2", NULL), TOMERGE_EINVAL);
    cr_assert_eq(mask, 77);
}
