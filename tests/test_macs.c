/* SPDX-License-Identifier: MIT */
/* Multiply-accumulates against published figures, and merging's defaults. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../vit/checkpoint/checkpoint.h"

/* ---- MACs ---------------------------------------------------------------- */

/* Of a model whose layers merge r[depth]. */
static double macs_of(const tomevit_description *d, const size_t *r)
{
    tomevit_merging merging;
    size_t tokens[64];

    cr_assert_leq(d->depth, 64);
    tomevit_merging_init(&merging);
    merging.r = r;
    cr_assert_eq(tomevit_schedule_tokens(d, &merging, tokens), 0);
    return tomevit_macs(d, tokens);
}

/* GMACs to the digits that were published. */
static const struct {
    const char *arch;
    size_t r;
    double inflection;
    const char *gmacs;
} published[] = {
    /* [ToMe, tables 4, 5 and 10] */
    {"deit_small_patch16_224", 0, 0, "4.60"},
    {"deit_small_patch16_224", 8, 0, "3.42"},
    {"deit_small_patch16_224", 13, 0, "2.70"},
    {"deit_small_patch16_224", 16, 0, "2.29"},
    {"deit_tiny_patch16_224", 0, 0, "1.25"},
    {"deit_tiny_patch16_224", 8, 0, "0.92"},
    {"deit_tiny_patch16_224", 12, 0, "0.77"},
    {"deit_tiny_patch16_224", 16, 0, "0.62"},
    {"deit_base_patch16_224", 0, 0, "17.56"},
    {"deit_base_patch16_224", 8, 0, "13.1"},
    {"deit_base_patch16_224", 11, 0, "11.46"},
    {"deit_base_patch16_224", 13, 0, "10.37"},
    {"deit_base_patch16_224", 16, 0, "8.77"},
    {"vit_large_patch16_224", 0, 0, "61.55"},
    {"vit_large_patch16_224", 8, 0, "30.96"},
    {"vit_large_patch16_224", 8, -1, "22.32"},
    {"vit_large_patch16_384", 0, 0, "191.1"},
    {"vit_large_patch16_384", 23, 0, "96.2"},
    {"vit_huge_patch14_224", 0, 0, "167.3"},
    {"vit_huge_patch14_224", 7, 0, "92.8"},
    {"vit_huge_patch14_224", 7, -1, "72.55"},
    /* Mega's block by its widths, and two averages of 16 states. */
    {"mega_base_patch16_224", 0, 0, "18.28"},
    {"mega_base_patch16_224", 13, 0, "11.13"},
    {"megalodon_base_patch16_224", 0, 0, "18.40"},
};

Test(macs, are_as_published)
{
    size_t i;

    for (i = 0; i < sizeof(published) / sizeof(*published); i++) {
        const char *point = strchr(published[i].gmacs, '.');
        tomevit_description d;
        char text[32];
        size_t r[64];

        cr_assert_eq(tomevit_arch_description(published[i].arch, &d), 0);
        cr_assert_eq(tomerge_schedule(d.depth, published[i].r,
                                      published[i].inflection, r), 0);
        snprintf(text, sizeof(text), "%.*f", (int)strlen(point + 1),
                 macs_of(&d, r) / 1e9);
        cr_assert_str_eq(text, published[i].gmacs, "%s at r = %zu: %s, not %s",
                         published[i].arch, published[i].r, text,
                         published[i].gmacs);
    }
}

Test(macs, no_schedule_is_r_0)
{
    tomevit_description d;
    size_t r[12] = {0};

    cr_assert_eq(
        tomevit_arch_description("deit_base_distilled_patch16_224", &d), 0);
    cr_assert_eq(tomevit_macs(&d, NULL), macs_of(&d, r));
}

/* One layer, by hand: 4 patches of 12 numbers, 6 tokens of 8, 1 merged away,
 * two heads of 3 classes. */
Test(macs, count_every_part)
{
    tomevit_description d;
    size_t r[1] = {1};

    memset(&d, 0, sizeof(d));
    d.dim = d.features = 8;
    d.depth = 1;
    d.mlp_dim = 20;
    d.patch = 2;
    d.tokens = 6;
    d.prefix = 2;
    d.distilled = 1;
    d.classes = 3;
    cr_assert_eq(macs_of(&d, r),
                 4 * 12 * 8 + 4 * 6 * 64 + 2 * 36 * 8 + 2 * 5 * 8 * 20 +
                 2 * 3 * 8);
    /* r beyond what can merge is lowered to (6 - 2) / 2 */
    r[0] = 100;
    cr_assert_eq(macs_of(&d, r),
                 4 * 12 * 8 + 4 * 6 * 64 + 2 * 36 * 8 + 2 * 4 * 8 * 20 +
                 2 * 3 * 8);
    /* twice as many columns before the gate; a head on two tokens' width */
    d.activation = TOMEVIT_SWIGLU;
    d.distilled = 0;
    d.features = 16;
    cr_assert_eq(macs_of(&d, r),
                 4 * 12 * 8 + 4 * 6 * 64 + 2 * 36 * 8 + 3 * 4 * 8 * 20 +
                 3 * 16);
}

/* Attention pooling of what is left: its keys and values, the query on them,
 * what becomes of the one row, its MLP. */
Test(macs, count_attention_pooling)
{
    tomevit_description d;
    size_t left[2] = {4, 3};

    memset(&d, 0, sizeof(d));
    d.dim = d.features = 8;
    d.depth = 2;
    d.mlp_dim = 20;
    d.pool_mlp_dim = 12;
    d.patch = 2;
    d.tokens = 6;
    d.pool = TOMEVIT_POOL_ATTENTION;
    cr_assert_eq(tomevit_macs(&d, left),
                 6 * 12 * 8 + 4 * (6 + 4) * 64 + 2 * (36 + 16) * 8 +
                 2 * (4 + 3) * 8 * 20 + 2 * 3 * 64 + 64 + 2 * 3 * 8 +
                 2 * 8 * 12);
}

/* The same by the first of several queries, of another width. */
Test(macs, count_pooling_by_a_query)
{
    tomevit_description d;
    size_t left[2] = {4, 3};

    memset(&d, 0, sizeof(d));
    d.dim = 8;
    d.features = 6;
    d.depth = 2;
    d.mlp_dim = 20;
    d.patch = 2;
    d.tokens = 6;
    d.pool = TOMEVIT_POOL_QUERY;
    cr_assert_eq(tomevit_macs(&d, left),
                 6 * 12 * 8 + 4 * (6 + 4) * 64 + 2 * (36 + 16) * 8 +
                 2 * (4 + 3) * 8 * 20 + 2 * 3 * 8 * 6 + 2 * 3 * 6 + 6 * 6);
}

/* What each method leaves in each layer, and what no head can do without. */
Test(macs, schedules_are_those_of_the_methods)
{
    tomevit_description d;
    tomevit_merging merging;
    size_t r[3] = {0, 7, 7}, left[3];

    memset(&d, 0, sizeof(d));
    d.depth = 3;
    d.dim = 8;
    d.tokens = 17;
    d.prefix = 1;
    tomevit_merging_init(&merging);
    merging.r = r;
    cr_assert_eq(tomevit_schedule_tokens(&d, &merging, left), 0);
    cr_assert(left[0] == 17 && left[1] == 10 && left[2] == 6);
    merging.matching.method = TOMERGE_STRIDED;
    merging.matching.stride = 4;
    cr_assert_eq(tomevit_schedule_tokens(&d, &merging, left), 0);
    cr_assert(left[0] == 17 && left[1] == 5 && left[2] == 2);
    merging.matching.stride = 18; /* the class token alone */
    cr_assert_eq(tomevit_schedule_tokens(&d, &merging, left), 0);
    cr_assert(left[0] == 17 && left[1] == 1 && left[2] == 1);
    d.pool = TOMEVIT_POOL_CLASS_MEAN;
    cr_assert_eq(tomevit_schedule_tokens(&d, &merging, NULL), TOMEVIT_EINVAL);
    d.pool = TOMEVIT_POOL_ATTENTION;
    cr_assert_eq(tomevit_schedule_tokens(&d, &merging, NULL), 0);
    d.prefix = 0;
    cr_assert_eq(tomevit_schedule_tokens(&d, &merging, NULL), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_schedule_tokens(&d, NULL, left), 0);
    cr_assert_eq(left[2], 17);
}

/* The same layer: of 6 tokens, 5 after merging, the heads read 2. */
Test(macs, count_what_the_heads_do_not_read)
{
    tomevit_description d;

    memset(&d, 0, sizeof(d));
    d.depth = 1;
    d.dim = 8;
    d.mlp_dim = 20;
    d.distilled = 1;
    cr_assert_eq(tomevit_macs_unread(&d, 6, 5),
                 2 * 4 * 64 + 2 * 4 * 6 * 8 + 2 * 3 * 8 * 20);
    d.distilled = 0;
    cr_assert_eq(tomevit_macs_unread(&d, 6, 5),
                 2 * 5 * 64 + 2 * 5 * 6 * 8 + 2 * 4 * 8 * 20);
    d.pool = TOMEVIT_POOL_MEAN;
    cr_assert_eq(tomevit_macs_unread(&d, 6, 5), 0);
}

/* ---- merging ------------------------------------------------------------- */

Test(merging, defaults_are_the_paper_s)
{
    tomevit_merging merging;

    memset(&merging, 0xff, sizeof(merging));
    tomevit_merging_init(&merging);
    cr_assert_eq(merging.struct_size, sizeof(merging));
    cr_assert_null(merging.r);
    cr_assert_eq(merging.matching.struct_size, sizeof(merging.matching));
    cr_assert_eq(merging.matching.method, TOMERGE_ALTERNATING);
    cr_assert_eq(merging.matching.similarity, TOMERGE_COSINE);
    cr_assert_eq(merging.combine, TOMERGE_WEIGHTED);
    cr_assert_eq(merging.metric, TOMEVIT_METRIC_K);
    cr_assert_eq(merging.prop_attn, 1);
    cr_assert_eq(merging.rope_merge, TOMEVIT_ROPE_MEAN);
    cr_assert_eq(merging.ema_merge, TOMEVIT_EMA_UNMERGE);
}

Test(merging, averages_have_names)
{
    static const char *const names[] = {"unmerge", "place", "steps", "rows"};
    int i, how;

    for (i = 0; i < 4; i++) {
        cr_assert_str_eq(tomevit_ema_merge_name(i), names[i]);
        cr_assert_eq(tomevit_ema_merge_from_name(names[i], &how), 0);
        cr_assert_eq(how, i);
    }
    how = 77;
    cr_assert_eq(tomevit_ema_merge_from_name("mean", &how), TOMEVIT_EINVAL);
    cr_assert_eq(how, 77);
}

Test(merging, metrics_have_names)
{
    static const char *const names[] = {"K", "Q", "V", "X", "K-unturned",
                                        "Q-unturned"};
    int i, metric;

    for (i = 0; i < 6; i++) {
        cr_assert_str_eq(tomevit_metric_name(i), names[i]);
        cr_assert_eq(tomevit_metric_from_name(names[i], &metric), 0);
        cr_assert_eq(metric, i);
    }
    metric = 77;
    cr_assert_null(tomevit_metric_name(6));
    cr_assert_null(tomevit_metric_name(-1));
    cr_assert_eq(tomevit_metric_from_name("k", &metric), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_metric_from_name("", &metric), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_metric_from_name(NULL, &metric), TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_rope_merge_from_name("K", &metric), TOMEVIT_EINVAL);
    cr_assert_eq(metric, 77);
    cr_assert_str_eq(tomevit_rope_merge_name(TOMEVIT_ROPE_MEAN), "mean");
    cr_assert_eq(tomevit_rope_merge_from_name("centroid", &metric), 0);
    cr_assert_eq(metric, TOMEVIT_ROPE_CENTROID);
}
