/* SPDX-License-Identifier: MIT */
/* The block of a Vision Transformer [arXiv 2010.11929], with merging between
 * attention and MLP [ToMe, figure 1]. */
#include "config.h"

#include "../steps.h"

/* Planning that has to wait for more than the layer's products. */
static int plans_late(const vit_pass *p, const vit_at *at)
{
    return tomevit_merges(p, at) &&
           (tomevit_wants_importance(p, at) ||
            ((p->needs & TOMERGE_NEEDS_METRIC) &&
             p->merging->metric == TOMEVIT_METRIC_X));
}

static int plans_early(const vit_pass *p, const vit_at *at)
{
    return tomevit_merges(p, at) && !plans_late(p, at);
}

/* ---- merging elsewhere --------------------------------------------------- */

static int merges_before(const vit_pass *p, const vit_at *at)
{
    return at->r > 0 && p->merging->where == TOMEVIT_MERGE_BEFORE;
}

static int merges_after(const vit_pass *p, const vit_at *at)
{
    return at->r > 0 && p->merging->where == TOMEVIT_MERGE_AFTER;
}

static int merges_first(const vit_pass *p, const vit_at *at)
{
    return merges_before(p, at) || tomevit_is_ahead(p, at);
}

/* Queries and keys of all tokens are compared before these merge. */
static int looks_first(const vit_pass *p, const vit_at *at)
{
    return merges_first(p, at) && tomevit_wants_importance(p, at);
}

static int turns_first(const vit_pass *p, const vit_at *at)
{
    return looks_first(p, at) && tomevit_stand_elsewhere(p, at);
}

/* One step ahead, queries and keys are those that were looked at. */
static int is_not_ahead(const vit_pass *p, const vit_at *at)
{
    return !tomevit_is_ahead(p, at);
}

static int turns_then(const vit_pass *p, const vit_at *at)
{
    return is_not_ahead(p, at) && tomevit_stand_elsewhere(p, at);
}

/* ---- steps --------------------------------------------------------------- */

/* Queries of all tokens, where few rows are read, are there to be compared. */
static int compares_queries(const vit_pass *p, const vit_at *at)
{
    return at->r > 0 && (p->needs & TOMERGE_NEEDS_METRIC) &&
           (p->merging->metric == TOMEVIT_METRIC_Q ||
            p->merging->metric == TOMEVIT_METRIC_Q_UNTURNED);
}

static int compares_no_queries(const vit_pass *p, const vit_at *at)
{
    return !compares_queries(p, at);
}

static const vit_step steps[] = {
    {VIT_EACH_IMAGE, .run = tomevit_turn_rows, .when = turns_first},
    {VIT_EACH_ROWS, .run = tomevit_queries_keys, .when = looks_first},
    {VIT_EACH_HEAD, .run = tomevit_look, .when = looks_first},
    {VIT_EACH_IMAGE, .run = tomevit_plan, .when = merges_first},
    {VIT_ONCE, .run = tomevit_pack_offsets, .when = merges_first},
    {VIT_EACH_IMAGE, .run = tomevit_merge, .when = merges_first},
    {VIT_ONCE, .run = tomevit_swap, .when = merges_before},
    {VIT_EACH_IMAGE, .run = tomevit_turn_rows, .when = turns_then},
    {VIT_EACH_ROWS, .run = tomevit_qkv, .when = is_not_ahead},
    {VIT_EACH_NEXT, .run = tomevit_next_values, .when = tomevit_is_ahead},
    {VIT_EACH_HEAD, .run = tomevit_attention, .beside = tomevit_plan,
     .beside_when = plans_early, .by_queries = 1},
    {VIT_EACH_IMAGE, .run = tomevit_merge_attention, .when = tomevit_is_ahead},
    {VIT_ONCE, .run = tomevit_take_attention, .when = tomevit_is_ahead},
    {VIT_EACH_ROWS, .run = tomevit_projection},
    {VIT_EACH_IMAGE, .run = tomevit_plan, .when = plans_late},
    VIT_MERGE,
    {VIT_EACH_ROWS, .run = tomevit_mlp},
    {VIT_EACH_IMAGE, .run = tomevit_plan, .when = merges_after},
    {VIT_ONCE, .run = tomevit_pack_offsets, .when = merges_after},
    {VIT_EACH_IMAGE, .run = tomevit_merge, .when = merges_after},
    {VIT_ONCE, .run = tomevit_swap, .when = merges_after},
    {0},
};

/* The last layer up to what becomes of the rows that are read. */
#define LAST_ATTENTION \
    {VIT_EACH_IMAGE, .run = tomevit_turn_rows, \
     .when = tomevit_stand_elsewhere}, \
    {VIT_EACH_ROWS, .run = tomevit_qkv, .when = compares_queries, \
     .all_rows = 1}, \
    {VIT_EACH_ROWS, .run = tomevit_keys_values, .when = compares_no_queries, \
     .all_rows = 1}, \
    {VIT_EACH_ROWS, .run = tomevit_queries}, \
    {VIT_EACH_HEAD, .run = tomevit_attention, .beside = tomevit_plan, \
     .beside_when = plans_early}, \
    {VIT_EACH_IMAGE, .run = tomevit_plan, .when = plans_late}, \
    VIT_MERGE, \
    {VIT_ONCE, .run = tomevit_report_merging}, \
    {VIT_ONCE, .run = tomevit_keep_read}

static const vit_step last_steps[] = {
    LAST_ATTENTION,
    {VIT_EACH_ROWS, .run = tomevit_projection},
    {VIT_EACH_ROWS, .run = tomevit_mlp},
    {0},
};

/* ---- side by side -------------------------------------------------------- */

/* The MLP sees what attention saw: it comes first, as both add to the rows. */
static void side_by_side(vit_pass *p, vit_scratch *s, const vit_at *at)
{
    tomevit_mlp(p, s, at);
    tomevit_projection(p, s, at);
}

/* Nothing stands between attention and MLP: tokens merge behind both. */
static const vit_step parallel_steps[] = {
    {VIT_EACH_IMAGE, .run = tomevit_turn_rows, .when = tomevit_stand_elsewhere},
    {VIT_EACH_ROWS, .run = tomevit_qkv},
    {VIT_EACH_HEAD, .run = tomevit_attention, .beside = tomevit_plan,
     .beside_when = plans_early, .by_queries = 1},
    {VIT_EACH_ROWS, .run = side_by_side},
    {VIT_EACH_IMAGE, .run = tomevit_plan, .when = plans_late},
    VIT_MERGE,
    {0},
};

static const vit_step parallel_last_steps[] = {
    LAST_ATTENTION,
    {VIT_EACH_ROWS, .run = side_by_side},
    {0},
};

/* ---- memory and arithmetic ----------------------------------------------- */

/* One head of one image in bf16. */
static void carve_narrow_head(const tomevit_model *m, vit_narrow_head *h,
                              vit_arena *arena)
{
    const vit_low *low = m->outer;
    size_t head_dim = m->d.dim / m->d.heads, nr = low->nr;

    h->keys = tomevit_carve(arena, vit_columns(m->d.tokens) / nr,
        vit_low_panel(low, vit_low_words(low, head_dim)) * sizeof(uint32_t));
    h->values = tomevit_carve(arena, (head_dim + nr - 1) / nr,
        vit_low_panel(low, vit_low_words(low, m->d.tokens)) *
        sizeof(uint32_t));
    h->queries = tomevit_carve_operand(arena, low->strip,
        tomevit_operand_bytes(low, low->strip, head_dim));
    h->weights = tomevit_carve_operand(arena, low->strip,
        tomevit_operand_bytes(low, low->strip, m->d.tokens));
}

/* One head of one image, and what its tokens are compared by. */
static void carve(const vit_team *c, vit_scratch *s, vit_arena *arena)
{
    const tomevit_model *m = c->model;
    size_t tokens = m->d.tokens, head_dim = m->d.dim / m->d.heads;
    size_t nr = m->dsp->nr, strip = m->outer ? m->outer->strip : 0;
    size_t together = m->d.talking ? m->d.heads : 1;

    if (m->outer) {
        carve_narrow_head(m, &s->narrow, arena);
    } else {
        s->keys = tomevit_carve_f32(
            arena, together * vit_panels(m->dsp, tokens) * head_dim);
        s->values = tomevit_carve_f32(
            arena, together * vit_panels(m->dsp, head_dim) * tokens);
    }
    strip = strip > VIT_MAX_MR ? strip : VIT_MAX_MR;
    s->scores = tomevit_carve_f32(arena, together * strip * c->score_stride);
    s->panel = tomevit_carve_f32(arena, m->d.talking ? together * nr : 0);
    s->second = tomevit_carve_f32(
        arena, m->d.differential ? strip * c->score_stride : 0);
    s->relative = tomevit_carve_f32(arena,
                                    m->d.relative ? c->score_stride : 0);
    s->metric = tomevit_carve_f32(arena, tokens * head_dim);
}

/* Keys and values of all tokens; queries, scores, how heads mix them, and
 * projection; the MLP. */
static double macs(const tomevit_description *d, size_t layer, double before,
                   double queries, double rows)
{
    double dim = (double)d->dim, kv = (double)tomevit_kv_width(d, layer);

    double mixes = d->talking ? 2 * (double)d->heads * (double)d->heads : 0;

    return 2 * before * dim * kv +
           queries * (2 * dim * dim + before * (2 * dim + mixes)) +
           rows * dim * (double)(tomevit_fc1_width(d) + d->mlp_dim);
}

const vit_block tomevit_block_vit = {steps, last_steps, carve, macs};

static double parallel_macs(const tomevit_description *d, size_t layer,
                            double before, double queries, double rows)
{
    (void)rows; /* they merge behind the MLP */
    return macs(d, layer, before, queries, queries);
}

const vit_block tomevit_block_parallel = {parallel_steps, parallel_last_steps,
                                          carve, parallel_macs};
