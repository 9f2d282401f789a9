/* SPDX-License-Identifier: MIT */
/* Published shapes, their MACs, and random weights. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../vit/checkpoint/checkpoint.h"

/* ---- shapes -------------------------------------------------------------- */

static void describe(const char *name, tomevit_description *d)
{
    cr_assert_eq(tomevit_arch_description(name, d), 0, "%s", name);
}

Test(arch, every_name_is_described)
{
    size_t i;

    for (i = 0; tomevit_arch_name(i); i++) {
        tomevit_description d;

        describe(tomevit_arch_name(i), &d);
        cr_assert_eq(d.dim % d.heads, 0);
        cr_assert_eq(d.classes, 1000);
    }
    cr_assert_eq(i, 31);
    cr_assert_null(tomevit_arch_name(31));
    cr_assert_null(tomevit_arch_name((size_t)-1));
}

/* Parameters as timm counts them, with 1000 classes. */
Test(arch, newer_models_have_the_published_parts)
{
    static const struct {
        const char *name;
        uint64_t parameters;
    } published[] = {
        {"vit_small_patch16_dinov3", 21971944},
        {"vit_base_patch16_dinov3", 86410216},
        {"vit_large_patch16_dinov3", 304104424},
        {"eva02_base_patch14_224", 86527720},
        {"vit_pe_core_base_patch16_224", 93655528},
        {"vit_small_patch16_rope_224", 21984232},
        {"vit_base_patch16_rope_224", 86434792},
        {"vit_base_patch16_rope_mixed_224", 86444008},
        {"vit_base_patch16_sapiens2", 114762472},
        {"vit_large_patch16_sapiens2", 396475368},
        {"vit_huge_patch16_sapiens2", 815564520},
        {"vit_giant_patch16_sapiens2", 1457011176},
        /* with the positions of 2304 patches in place of the table's, and the
         * ends of the ranges */
        {"gemma4_vit_167m", 168133608 - 15728640 + 2304 * 768 + 16 * 14 * 2},
        {"gemma4_vit_570m", 570701080 - 23592960 + 2304 * 1152},
        {"vitamin_small_224", 22262696},
        {"vitamin_base_224", 87901032},
        {"vitamin_large_224", 333556616},
    };

    for (size_t i = 0; i < sizeof(published) / sizeof(*published); i++) {
        tomevit_description d;

        describe(published[i].name, &d);
        cr_expect_eq(d.parameters, published[i].parameters, "%s: %zu",
                     published[i].name, (size_t)d.parameters);
    }
}

Test(arch, other_names_are_refused)
{
    tomevit_description d;

    cr_assert_eq(tomevit_arch_description("deit_huge", &d), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_arch_description("", &d), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_arch_description(NULL, &d), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_arch_description("deit_tiny_patch16_224", NULL),
                 TOMEVIT_EINVAL);
}

/* The parameter counts that timm lists for these models. */
Test(arch, parameters_are_as_published)
{
    static const struct {
        const char *name;
        uint64_t parameters;
        size_t tokens;
    } published[] = {
        {"deit_tiny_patch16_224", 5717416, 197},
        {"deit_small_patch16_224", 22050664, 197},
        {"deit_base_patch16_224", 86567656, 197},
        {"deit_base_distilled_patch16_224", 87338192, 198},
        {"vit_tiny_patch16_224", 5717416, 197},
        {"vit_small_patch16_224", 22050664, 197},
        {"vit_base_patch16_224", 86567656, 197},
        {"vit_base_patch16_384", 86859496, 577},
        {"vit_large_patch16_224", 304326632, 197},
        {"vit_large_patch16_384", 304715752, 577},
        {"vit_huge_patch14_224", 632045800, 257},
        {"mobile_small_patch16_224", 19564264, 196},
        {"mega_base_patch16_224", 90734140, 196},
        {"megalodon_base_patch16_224", 90120424, 196},
    };
    size_t i;

    for (i = 0; i < sizeof(published) / sizeof(*published); i++) {
        tomevit_description d;

        describe(published[i].name, &d);
        cr_assert_eq(d.parameters, published[i].parameters, "%s: %llu",
                     published[i].name, (unsigned long long)d.parameters);
        cr_assert_eq(d.tokens, published[i].tokens);
    }
}

/* ---- random weights ------------------------------------------------------ */

static float *read(const tomevit_description *d, uint64_t seed,
                   enum vit_tensor t, size_t layer, size_t *count)
{
    vit_random random = {d, seed};
    vit_source source = tomevit_random_source(&random);
    float *values;

    *count = tomevit_tensor_shape(d, t, NULL, NULL);
    values = malloc(*count * sizeof(*values));
    cr_assert_eq(source.read(source.self, t, layer, values), 0);
    return values;
}

static void check_moments(enum vit_tensor t, double expected)
{
    tomevit_description d;
    double sum = 0, squares = 0, fourth = 0, mean, variance;
    size_t count, i;
    float *values;

    describe("deit_tiny_patch16_224", &d);
    values = read(&d, 7, t, 3, &count);
    for (i = 0; i < count; i++)
        sum += (double)values[i];
    mean = sum / (double)count;
    for (i = 0; i < count; i++) {
        double x = (double)values[i] - mean;

        squares += x * x;
        fourth += x * x * x * x;
    }
    variance = squares / (double)count;
    cr_assert_float_eq(mean, expected, 0.1 / sqrt((double)count));
    cr_assert_float_eq(sqrt(variance), 0.02, 0.1 / sqrt((double)count));
    /* A sum of four uniform numbers has kurtosis 3 - 6 / 5 / 4. */
    if (count > 10000)
        cr_assert_float_eq(fourth / (double)count / variance / variance, 2.7,
                           0.05);
    free(values);
}

Test(arch, random_weights_are_about_normal)
{
    check_moments(VIT_QKV_WEIGHT, 0);
    check_moments(VIT_FC1_WEIGHT, 0);
    check_moments(VIT_NORM1_WEIGHT, 1);
    check_moments(VIT_FC1_BIAS, 0);
}

Test(arch, random_weights_follow_the_seed)
{
    tomevit_description d;
    size_t count;
    float *a, *b, *other_seed, *other_layer, *other_tensor;

    describe("deit_tiny_patch16_224", &d);
    a = read(&d, 1, VIT_PROJ_WEIGHT, 0, &count);
    b = read(&d, 1, VIT_PROJ_WEIGHT, 0, &count);
    other_seed = read(&d, 2, VIT_PROJ_WEIGHT, 0, &count);
    other_layer = read(&d, 1, VIT_PROJ_WEIGHT, 1, &count);
    other_tensor = read(&d, 1, VIT_FC1_WEIGHT, 0, &count);
    count = 64;
    cr_assert_arr_eq(a, b, count * sizeof(*a));
    cr_assert_arr_neq(a, other_seed, count * sizeof(*a));
    cr_assert_arr_neq(a, other_layer, count * sizeof(*a));
    cr_assert_arr_neq(a, other_tensor, count * sizeof(*a));
    free(a);
    free(b);
    free(other_seed);
    free(other_layer);
    free(other_tensor);
}
