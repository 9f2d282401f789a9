/* SPDX-License-Identifier: MIT */
/* Tests that run once on each CPU tier, visibly skipped where it is absent. */
#ifndef TOMERGE_TESTS_TIERS_H
#define TOMERGE_TESTS_TIERS_H

#include "tomerge.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* For tests that walk the tiers themselves. Not by Criterion's log: a warning
 * there makes the whole suite exit with 1. */
static inline void note_absent(const char *tier)
{
    fprintf(stderr, "# tier %s: absent on this machine\n", tier);
}

static inline void use_tier(const char *name)
{
    uint32_t mask;

    cr_assert_eq(tomerge_cpu_mask(name, &mask), 0);
    if ((tomerge_cpu_detected() & mask) != mask)
        cr_skip_test("this machine has no %s", name);
    tomerge_set_cpu_mask(mask);
}

/* The next tier that this machine has, the CPU mask being set to it; NULL, and
 * no mask, behind the last. `at` is 0 to begin with. */
static inline const char *next_cpu_tier(int *at)
{
    const char *name;

    while ((name = tomerge_cpu_tier((*at)++))) {
        uint32_t mask;

        cr_assert_eq(tomerge_cpu_mask(name, &mask), 0);
        if ((tomerge_cpu_detected() & mask) == mask) {
            tomerge_set_cpu_mask(mask);
            return name;
        }
        note_absent(name);
    }
    tomerge_set_cpu_mask(UINT32_MAX);
    return NULL;
}

/* Runs `check` on every tier of this machine, also those of one number type. */
static inline void each_cpu_tier(void (*check)(const char *tier))
{
    const char *tier;

    for (int at = 0; (tier = next_cpu_tier(&at));)
        check(tier);
}

/* TIER_TEST(suite, name) { ... } defines name_scalar, name_avx2, ... */
#define TIER_TEST(suite, name)                                               \
    static void suite##_##name(void);                                        \
    Test(suite, name##_scalar) { use_tier("scalar"); suite##_##name(); }     \
    Test(suite, name##_avx2) { use_tier("avx2"); suite##_##name(); }         \
    Test(suite, name##_avx512) { use_tier("avx512"); suite##_##name(); }     \
    Test(suite, name##_neon) { use_tier("neon"); suite##_##name(); }         \
    static void suite##_##name(void)

#endif
