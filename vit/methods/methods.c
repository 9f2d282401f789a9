/* SPDX-License-Identifier: MIT */
/*
 * The table of methods. Each row has the semantics of the code that its
 * authors published, what surprises in it included; what is ours is said. The
 * formulas are in the manual page.
 */
#include "config.h"

#include "methods.h"

#include "../base/message.h"
#include "../base/reserved.h"

#include <math.h>
#include <string.h>

/* ---- what differs from layer to layer ------------------------------------ */

static double at_layer(const vit_method_list *list, size_t index,
                       double otherwise)
{
    if (list->count == 0)
        return otherwise;
    return list->value[list->count == 1 ? 0 : index];
}

/* Margins fall to 0; the first half of the layers pair within the order. */
static void pitome_layer(const vit_method_options *o, size_t index,
                         size_t depth, tomevit_layer_merging *layer)
{
    double margin = isnan(o->margin) ? 0.75 : o->margin;

    layer->threshold = (float)(margin - margin * (double)index /
                                            (double)depth);
    layer->method = index < (depth + 1) / 2 ? TOMERGE_PITOME_ORDER
                                            : TOMERGE_PITOME;
}

static void tofu_layer(const vit_method_options *o, size_t index, size_t depth,
                       tomevit_layer_merging *layer)
{
    (void)o;
    layer->combine = index <= depth / 2 ? TOMERGE_KEEP : TOMERGE_MLERP_ORIGIN;
}

static void ppt_layer(const vit_method_options *o, size_t index, size_t depth,
                      tomevit_layer_merging *layer)
{
    (void)depth;
    layer->threshold = (float)at_layer(&o->threshold, index, 7e-5);
}

static void threshold_layer(const vit_method_options *o, size_t index,
                            size_t depth, tomevit_layer_merging *layer)
{
    (void)depth;
    layer->threshold = (float)at_layer(&o->threshold, index, 0.9);
    layer->cutoff = (float)at_layer(&o->cutoff, index, 0);
}

/* All but one may go where the bound is so high: then how many do is known. */
static void upward_layer(const vit_method_options *o, size_t index,
                         size_t depth, tomevit_layer_merging *layer)
{
    double bound = at_layer(&o->threshold, index, 0);

    (void)depth;
    layer->threshold = bound < VIT_METHOD_UNBOUNDED ? (float)bound : 0;
}

static void evit_layer(const vit_method_options *o, size_t index, size_t depth,
                       tomevit_layer_merging *layer)
{
    (void)index;
    (void)depth;
    if (o->fuse == 0)
        layer->method = TOMERGE_TOPK;
}

/* ---- the table ----------------------------------------------------------- */

enum {
    K = TOMEVIT_METRIC_K, X = TOMEVIT_METRIC_X,
    WEIGHTED = TOMERGE_WEIGHTED, MEAN = TOMERGE_MEAN,
    FUSED = TOMERGE_WEIGHTED_SUM, MLERP = TOMERGE_MLERP_ORIGIN,
    CLASS = TOMEVIT_IMPORTANCE_CLASS, VALUES = TOMEVIT_IMPORTANCE_VALUES,
    RECEIVED = TOMEVIT_IMPORTANCE_RECEIVED,
    COUNT = TOMEVIT_SIZES_COUNT, COSINE = TOMEVIT_SIZES_COSINE,
    SIZE = TOMEVIT_WEIGHTS_SIZE, IMPORTANT = TOMEVIT_WEIGHTS_IMPORTANCE,
    BETWEEN = TOMEVIT_MERGE_BETWEEN, AHEAD = TOMEVIT_MERGE_AHEAD,
    BEFORE = TOMEVIT_MERGE_BEFORE,
};

static const vit_method_row rows[] = {
    {{"alternating", TOMERGE_ALTERNATING, "keep layers prop", NULL,
     "Token Merging"}, WEIGHTED, K, 1, CLASS, COUNT, SIZE, BETWEEN, NULL},
    {{"tome", TOMERGE_ALTERNATING, "keep layers prop", NULL, "the same"},
     WEIGHTED, K, 1, CLASS, COUNT, SIZE, BETWEEN, NULL},
    {{"sequential", TOMERGE_SEQUENTIAL, "keep layers prop", NULL,
     "the same on halves"}, WEIGHTED, K, 1, CLASS, COUNT, SIZE, BETWEEN,
     NULL},
    {{"random", TOMERGE_RANDOM, "keep layers prop", NULL,
     "the same on sources at random"}, WEIGHTED, K, 1, CLASS, COUNT, SIZE,
     BETWEEN, NULL},
    {{"strided", TOMERGE_STRIDED, "layers prop", NULL,
     "one of every --stride is left"}, WEIGHTED, K, 1, CLASS, COUNT, SIZE,
     BETWEEN, NULL},
    {{"topk", TOMERGE_TOPK, "keep layers prop", NULL,
     "the least attended to are dropped"}, WEIGHTED, K, 1, CLASS, COUNT,
     SIZE, BETWEEN, NULL},
    {{"evit", TOMERGE_EVIT, "keep fuse layers prop", "keep",
     "EViT: they are summed by attention"}, FUSED, K, 0, CLASS, COUNT, SIZE,
     BETWEEN, evit_layer},
    {{"ppt", TOMERGE_PPT, "threshold keep layers prop", NULL,
     "PPT: dropped or merged, image by image"}, WEIGHTED, K, 1, VALUES,
     COUNT, SIZE, BETWEEN, ppt_layer},
    {{"diffrate", TOMERGE_DIFFRATE,
     "prune merge file model target keep layers prop", NULL,
     "DiffRate: counts for each layer"}, MEAN, X, 1, CLASS, COSINE, SIZE,
     BETWEEN, NULL},
    {{"pitome", TOMERGE_PITOME, "keep margin layers prop", "keep",
     "PiToMe: by energy"}, WEIGHTED, K, 0, CLASS, COUNT, SIZE, BETWEEN,
     pitome_layer},
    {{"tofu", TOMERGE_ALTERNATING, "keep layers prop", "keep",
     "ToFu: prune, then MLERP"}, MLERP, K, 0, CLASS, COUNT, SIZE, BETWEEN,
     tofu_layer},
    {{"atc", TOMERGE_CLUSTERS, "linkage keep layers prop", NULL,
     "ATC: clusters; r - 1 go where there is a class token"}, WEIGHTED, K,
     1, CLASS, COUNT, SIZE, BETWEEN, NULL},
    {{"clusters", TOMERGE_CLUSTERS, "linkage keep layers prop", NULL,
     "ours: the same, and r go"}, WEIGHTED, K, 1, CLASS, COUNT, SIZE,
     BETWEEN, NULL},
    {{"threshold", TOMERGE_THRESHOLD, "threshold cutoff layers prop",
     "threshold", "LTMP: above a similarity"}, WEIGHTED, K, 1, RECEIVED,
     COUNT, SIZE, BETWEEN, threshold_layer},
    {{"grid", TOMERGE_GIVEN, "tile keep layers prop", NULL,
     "tiles, as Token Merging for Stable Diffusion"}, WEIGHTED, K, 1, CLASS,
     COUNT, SIZE, BETWEEN, NULL},
    {{"upward", TOMERGE_UPWARD, "threshold keep layers prop", NULL,
     "ours: into more important ones, by what is lost"}, WEIGHTED, X, 1,
     CLASS, COUNT, IMPORTANT, BETWEEN, upward_layer},
    {{"mctf", TOMERGE_MCTF, "tau ahead ways pool keep layers prop", NULL,
     "MCTF: by several criteria, one step ahead"}, WEIGHTED, X, 1, RECEIVED,
     COUNT, IMPORTANT, AHEAD, NULL},
    {{"mpm", TOMERGE_MUTUAL, "layers prop", NULL,
     "MPM: mutual nearest neighbours, before a layer"}, MEAN, X, 0, CLASS,
     COUNT, SIZE, BEFORE, NULL},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

const vit_method_row *tomevit_method_row(int index)
{
    return index >= 0 && index < ROWS ? &rows[index] : NULL;
}

const tomevit_method *tomevit_method_at(int index)
{
    return index >= 0 && index < ROWS ? &rows[index].is : NULL;
}

int tomevit_method_from_name(const char *name, int *index)
{
    for (int i = 0; name && index && i < ROWS; i++)
        if (strcmp(name, rows[i].is.name) == 0) {
            *index = i;
            return 0;
        }
    return TOMEVIT_EINVAL;
}

static int decides(int index, const vit_method_options *o)
{
    int method = rows[index].is.method;

    if (method == TOMERGE_STRIDED)
        return 0; /* r says in which layers */
    return !isnan(o->keep) || o->merge.count || o->prune.count ||
           (method == TOMERGE_UPWARD && o->threshold.count) ||
           !(tomerge_method_needs(method) & TOMERGE_NEEDS_R);
}

/* Tokens merge one step ahead with a layer's attention, before it, so that
 * this is computed anew, or behind it. */
static void mctf_apply(const vit_method_options *o, tomevit_merging *merging)
{
    static const int where[] = {TOMEVIT_MERGE_AFTER, TOMEVIT_MERGE_AHEAD,
                                TOMEVIT_MERGE_BEFORE};

    if (!isnan(o->ahead))
        merging->where = where[(int)o->ahead];
    if (!isnan(o->ways))
        merging->matching.one_way = o->ways == 1;
    for (size_t i = 0; i < o->tau.count; i++)
        merging->matching.tau[i] = (float)o->tau.value[i];
    if (o->pool == VIT_POOL_OF_MEAN)
        merging->combine = TOMERGE_MEAN;
    if (o->pool == VIT_POOL_OF_SIZE)
        merging->weights = TOMEVIT_WEIGHTS_SIZE;
}

static void apply(int index, const vit_method_options *o, size_t depth,
                  tomevit_merging *merging, tomevit_layer_merging *layers)
{
    const vit_method_row *row = &rows[index];

    merging->matching.method = row->is.method;
    merging->combine = row->combine;
    merging->metric = row->metric;
    merging->prop_attn = row->prop_attn;
    merging->importance = row->importance;
    merging->sizes = row->sizes;
    merging->weights = row->weights;
    merging->where = row->where;
    if (!isnan(o->prop))
        merging->prop_attn = (int)o->prop;
    if (row->is.method == TOMERGE_MCTF)
        mctf_apply(o, merging);
    if (row->is.method == TOMERGE_GIVEN)
        merging->tile = isnan(o->tile) ? 2 : (size_t)o->tile;
    if (o->linkage >= 0)
        merging->matching.linkage = o->linkage;
    for (size_t i = 0; i < depth; i++) {
        layers[i] = (tomevit_layer_merging){row->is.method, row->combine, 0, 0,
                                            0};
        if (row->layer)
            row->layer(o, i, depth, &layers[i]);
    }
    merging->layers = row->layer || row->is.method == TOMERGE_DIFFRATE ? layers
                                                                    : NULL;
}

/* ---- how many tokens go -------------------------------------------------- */

/* By default the layers that the published code has: all of MCTF's but the
 * first, MPM's 2 and 5. */
static int reduces_by_default(int index, size_t layer)
{
    if (rows[index].is.method == TOMERGE_MCTF)
        return layer > 0;
    return rows[index].is.method != TOMERGE_MUTUAL || layer == 2 || layer == 5;
}

static int reduces(int index, const vit_method_options *o, size_t layer)
{
    for (size_t i = 0; i < o->layers.count; i++)
        if (o->layers.value[i] == (double)layer)
            return 1;
    return o->layers.count == 0 && reduces_by_default(index, layer);
}

/* Of a share of `tokens` to be kept, as PiToMe's and ToFu's code counts. */
static size_t beyond(double keep, size_t tokens)
{
    return (size_t)floor((double)tokens - (double)tokens * keep);
}

/* EViT keeps its share rounded up, and one row more for what it fuses. */
static size_t evit_r(const vit_method_options *o, size_t patches)
{
    size_t kept = (size_t)ceil(o->keep * (double)patches);

    if (kept >= patches)
        return 0;
    return patches - kept - (o->fuse != 0);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Of `tokens` that come to a layer as many as stay by DiffRate's counts. */
static size_t diffrate_r(const vit_method_options *o, size_t layer,
                         size_t tokens, size_t least, size_t *prune)
{
    double prune_kept = at_layer(&o->prune, layer, 1e6);
    double merge_kept = at_layer(&o->merge, layer, 1e6);
    size_t left = smaller(tokens, (size_t)prune_kept);

    left = left > least ? left : smaller(least, tokens);
    *prune = tokens - left;
    if (merge_kept < prune_kept)
        left = smaller(left, (size_t)merge_kept);
    left = left > least ? left : smaller(least, tokens);
    return tokens - left;
}

/* MCTF keeps 10 tokens, whatever else is asked for. A share is of all but one,
 * rounded down, but for the rounding of 1 - keep. */
static size_t mctf_r(const vit_method_options *o, size_t tokens, size_t r)
{
    enum { KEPT = 10 };

    if (!isnan(o->keep))
        r = (size_t)((1 - o->keep) * (double)(tokens - 1) + 1e-9);
    return tokens > KEPT ? smaller(r, tokens - KEPT) : 0;
}

static size_t layer_r(int index, const vit_method_options *o,
                      const tomevit_description *model, size_t layer,
                      size_t tokens, size_t r, size_t *prune)
{
    size_t prefix = model->prefix, free = tokens - prefix;
    int method = rows[index].is.method;

    if (!reduces(index, o, layer))
        return 0;
    if (o->prune.count || o->merge.count)
        return diffrate_r(o, layer, tokens, prefix + 1, prune);
    if (method == TOMERGE_UPWARD && o->threshold.count)
        return at_layer(&o->threshold, layer, 0) > 0 ? free : 0;
    if (method == TOMERGE_MCTF)
        return mctf_r(o, tokens, r);
    if (!(tomerge_method_needs(method) & TOMERGE_NEEDS_R))
        return method == TOMERGE_STRIDED ? r : 1;
    if (!isnan(o->keep)) {
        if (method == TOMERGE_EVIT)
            r = evit_r(o, free);
        else if (method == TOMERGE_PITOME)
            r = beyond(o->keep, free);
        else if (method == TOMERGE_TOPK)
            r = free - smaller(free, (size_t)ceil(o->keep * (double)free));
        else
            r = beyond(o->keep, tokens);
    }
    if (strcmp(rows[index].is.name, "atc") == 0 && prefix) {
        r = smaller(r, free);
        r -= r > 0;
    }
    return r;
}

/* ---- both ---------------------------------------------------------------- */

static int check_list(const vit_method_list *list, const char *key,
                      size_t depth, tomevit_message *why)
{
    if (list->count <= 1 || list->count == depth)
        return 0;
    return tomevit_refuse(why, TOMEVIT_EINVAL, "%s has %zu values, the model "
                          "%zu layers", key, list->count, depth);
}

/* Of what the options are, what does not fit the model. */
static int check(const vit_method_options *o, size_t depth,
                 tomevit_message *why)
{
    int code = 0;

    if (depth > VIT_METHOD_LAYERS)
        return tomevit_refuse(why, TOMEVIT_EINVAL, "the model has too many "
                              "layers");
    for (size_t i = 0; i < o->layers.count; i++)
        if (o->layers.value[i] >= (double)depth)
            return tomevit_refuse(why, TOMEVIT_EINVAL, "layer %g is not in the "
                                  "model, whose layers are 0 to %zu",
                                  o->layers.value[i], depth - 1);
    if ((code = check_list(&o->threshold, "threshold", depth, why)) == 0 &&
        (code = check_list(&o->cutoff, "cutoff", depth, why)) == 0 &&
        (code = check_list(&o->prune, "prune", depth, why)) == 0)
        code = check_list(&o->merge, "merge", depth, why);
    return code;
}

/* Makes of r what the method removes; sets `prune` of the layers. */
static void count(int index, const vit_method_options *o,
                  const tomevit_description *model,
                  const tomevit_merging *merging,
                  tomevit_layer_merging *layers, size_t *r)
{
    size_t depth = model->depth, tokens = model->tokens;
    size_t wanted[VIT_METHOD_LAYERS], after[VIT_METHOD_LAYERS];

    memcpy(wanted, r, depth * sizeof(*r));
    memset(r, 0, depth * sizeof(*r));
    for (size_t i = 0; i < depth; i++) {
        r[i] = layer_r(index, o, model, i, tokens, wanted[i],
                       &layers[i].prune);
        if (tomevit_schedule_tokens(model, merging, after) != 0)
            return; /* whoever asked for r says so */
        tokens = after[i];
    }
}

static int read_options(int index, const char *options, vit_method_options *o,
                        tomevit_message *why)
{
    const tomevit_method *method = tomevit_method_at(index);

    if (why)
        why->text[0] = '\0';
    if (!method)
        return tomevit_refuse(why, TOMEVIT_EINVAL, "no method %d", index);
    return tomevit_method_options_read(options, method->name, method->keys, o,
                                       why);
}

int tomevit_method_decides(int index, const char *options,
                           tomevit_message *why)
{
    vit_method_options o;
    int code = read_options(index, options, &o, why);

    return code != 0 ? code : decides(index, &o);
}

int tomevit_method_merging(const tomevit_description *description, int index,
                           const char *options, const size_t *wanted,
                           tomevit_merging *merging, size_t *r,
                           tomevit_layer_merging *layers, tomevit_message *why)
{
    tomevit_layer_merging each[VIT_METHOD_LAYERS];
    tomevit_merging made;
    vit_method_options o;
    int code = read_options(index, options, &o, why);

    if (code != 0)
        return code;
    if (!description || !merging || !r || !layers || description->depth == 0 ||
        description->tokens <= description->prefix ||
        merging->struct_size != sizeof(*merging) || merging->reserved_int ||
        !VIT_UNUSED(merging->reserved))
        return tomevit_refuse(why, TOMEVIT_EINVAL, "%s",
                              tomevit_strerror(TOMEVIT_EINVAL));
    code = check(&o, description->depth, why);
    if (code != 0)
        return code;
    made = *merging;
    apply(index, &o, description->depth, &made, each);
    code = tomevit_method_fits(description, &made, why);
    if (code != 0)
        return code;
    if (wanted)
        memmove(r, wanted, description->depth * sizeof(*r));
    else
        memset(r, 0, description->depth * sizeof(*r));
    memcpy(layers, each, description->depth * sizeof(*layers));
    made.r = r;
    made.layers = made.layers ? layers : NULL;
    *merging = made;
    if (wanted)
        count(index, &o, description, merging, layers, r);
    return 0;
}
