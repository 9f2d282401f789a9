/* SPDX-License-Identifier: MIT */
/* The block of a Vision Transformer [arXiv 2010.11929], with merging between
 * attention and MLP [ToMe, figure 1]. */
#include "config.h"

#include "../steps.h"

static int merges(const vit_pass *p, const vit_at *at)
{
    (void)p;
    return at->r > 0;
}

/* Planning that has to wait for more than the layer's products. */
static int plans_late(const vit_pass *p, const vit_at *at)
{
    return tomevit_wants_importance(p, at) ||
           (at->r > 0 && (p->needs & TOMERGE_NEEDS_METRIC) &&
            p->merging->metric == TOMEVIT_METRIC_X);
}

static int plans_early(const vit_pass *p, const vit_at *at)
{
    return at->r > 0 && !plans_late(p, at);
}

/* Queries of all tokens, where few rows are read, are there to be compared. */
static int compares_queries(const vit_pass *p, const vit_at *at)
{
    return at->r > 0 && (p->needs & TOMERGE_NEEDS_METRIC) &&
           p->merging->metric == TOMEVIT_METRIC_Q;
}

static int compares_no_queries(const vit_pass *p, const vit_at *at)
{
    return !compares_queries(p, at);
}

#define MERGE \
    {VIT_ONCE, .run = tomevit_pack_offsets, .when = merges}, \
    {VIT_EACH_IMAGE, .run = tomevit_merge, .when = merges}, \
    {VIT_ONCE, .run = tomevit_swap, .when = merges}

static const vit_step steps[] = {
    {VIT_EACH_ROWS, .run = tomevit_qkv},
    {VIT_EACH_HEAD, .run = tomevit_attention, .beside = tomevit_plan,
     .beside_when = plans_early},
    {VIT_EACH_ROWS, .run = tomevit_projection},
    {VIT_EACH_IMAGE, .run = tomevit_plan, .when = plans_late},
    MERGE,
    {VIT_EACH_ROWS, .run = tomevit_mlp},
    {0},
};

static const vit_step last_steps[] = {
    {VIT_EACH_ROWS, .run = tomevit_qkv, .when = compares_queries,
     .all_rows = 1},
    {VIT_EACH_ROWS, .run = tomevit_keys_values, .when = compares_no_queries,
     .all_rows = 1},
    {VIT_EACH_ROWS, .run = tomevit_queries},
    {VIT_EACH_HEAD, .run = tomevit_attention, .beside = tomevit_plan,
     .beside_when = plans_early},
    {VIT_EACH_IMAGE, .run = tomevit_plan, .when = plans_late},
    MERGE,
    {VIT_ONCE, .run = tomevit_report_merging},
    {VIT_ONCE, .run = tomevit_keep_read},
    {VIT_EACH_ROWS, .run = tomevit_projection},
    {VIT_EACH_ROWS, .run = tomevit_mlp},
    {0},
};

const vit_block tomevit_block_vit = {steps, last_steps};
