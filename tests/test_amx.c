/* SPDX-License-Identifier: MIT */
/* Who asks Linux for the registers of AMX: a model that will use them, when it
 * is opened, and nobody else. */
#include "config.h"

#include "tomevit.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

static const uint32_t amx = TOMERGE_CPU_AMX_BF16 | TOMERGE_CPU_AMX_INT8;

/* 1 if this process may use them, 0 if not, -1 if nobody can say. */
static int permitted(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl) && defined(__x86_64__)
    enum { ARCH_GET_XCOMP_PERM = 0x1022, XFEATURE_XTILEDATA = 18 };
    uint64_t features = 0;

    if (syscall(SYS_arch_prctl, ARCH_GET_XCOMP_PERM, &features) == 0)
        return (int)(features >> XFEATURE_XTILEDATA & 1);
#endif
    return -1;
}

static void begin(void)
{
    if ((tomerge_cpu_detected() & amx) == 0)
        cr_skip_test("this machine has no AMX");
    if (permitted() != 0)
        cr_skip_test("this process may use AMX already");
}

/* Opens a model in `dtype` on the tiers up to `tier`; NULL: all. */
static void open_model(const char *tier, int dtype)
{
    tomevit_open_options options;
    tomevit_model *model;
    uint32_t mask = UINT32_MAX;

    cr_assert(!tier || tomerge_cpu_mask(tier, &mask) == 0);
    tomerge_set_cpu_mask(mask);
    tomevit_open_options_init(&options);
    options.dtype = dtype;
    cr_assert_eq(tomevit_random("deit_tiny_patch16_224", 1, &options, &model),
                 0);
    tomevit_close(model);
}

Test(amx, is_not_asked_for_by_merging)
{
    enum { TOKENS = 40, CHANNELS = 16 };
    static float x[TOKENS][CHANNELS];
    static unsigned char workspace[1 << 16];
    int32_t map[TOKENS];
    tomerge_plan plan = {.tokens = TOKENS, .map = map};
    tomerge_options options;

    begin();
    for (int i = 0; i < TOKENS; i++)
        for (int j = 0; j < CHANNELS; j++)
            x[i][j] = (float)((i * 7 + j * 5) % 11);
    tomerge_options_init(&options);
    cr_assert_eq(tomerge_match(&options, CHANNELS,
                               (tomerge_const_view){x, CHANNELS, TOMERGE_F32},
                               8, &plan, workspace, sizeof(workspace)), 0);
    cr_assert_eq(permitted(), 0);
}

Test(amx, is_asked_for_by_the_models_that_use_it)
{
#ifndef HAVE_AMXBF16
    cr_skip_test("built without kernels for AMX-BF16");
#endif
    begin();
    cr_assert_str_neq(tomevit_tier(TOMEVIT_BF16), "scalar");
    open_model(NULL, TOMEVIT_F32);
    cr_assert_eq(permitted(), 0, "a model in f32 uses none");
    open_model("avx512-bf16", TOMEVIT_BF16);
    open_model("avx512-vnni", TOMEVIT_INT8);
    cr_assert_eq(permitted(), 0, "nor does one on tiers below");
    open_model(NULL, TOMEVIT_BF16);
    cr_assert_eq(permitted(), 1);
}

Test(amx, is_asked_for_by_a_model_in_int8)
{
#ifndef HAVE_AMXINT8
    cr_skip_test("built without kernels for AMX-INT8");
#endif
    begin();
    open_model(NULL, TOMEVIT_INT8);
    cr_assert_eq(permitted(), 1);
}
