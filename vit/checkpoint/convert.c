/* SPDX-License-Identifier: MIT */
/* Any checkpoint as one .safetensors file with timm's names. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "description.h"
#include "../kernels/low.h"
#include "../network/options.h"
#include "../containers/safetensors_write.h"

/* What is written of a tensor. */
enum { WHOLE, ROUNDED, SCALES };

typedef struct part {
    enum vit_tensor tensor;
    size_t layer;
    int what;
} part;

typedef struct model {
    tomevit_description d;
    vit_checkpoint *checkpoint;
    vit_source source;
    char **names;                           /* of classes, or NULL */
    const char *dtype;                      /* of .safetensors */
    int int8;                               /* dtype is I8 */
    tomevit_description expected;           /* of the written file */
    tomevit_description written;            /* and what else it may get */
    part *parts;                            /* [count] */
    size_t count;
} model;

/* ---- int8 ---------------------------------------------------------------- */

/* What a model opened in int8 multiplies in int8. */
static int is_int8(enum vit_tensor t)
{
    return t == VIT_QKV_WEIGHT || t == VIT_PROJ_WEIGHT ||
           t == VIT_FC1_WEIGHT || t == VIT_FC2_WEIGHT;
}

/* Its rows, or their scales, in place of its values. */
static void round_rows(const model *m, const part *p, float *values)
{
    size_t shape[4], dims;

    tomevit_shape_in(&m->d, p->layer, p->tensor, shape, &dims);
    for (size_t i = 0; i < shape[0]; i++) {
        float scale = tomevit_int8_round(shape[1], values + i * shape[1]);

        if (p->what == SCALES)
            values[i] = scale;
    }
}

/* ---- the parts ----------------------------------------------------------- */

static const char *dtype_of(const model *m, const part *p)
{
    if (!m->int8)
        return m->dtype;
    return p->what == ROUNDED ? "I8" : "F32";
}

static vit_st_tensor describe(void *self, size_t i)
{
    const model *m = self;
    const part *p = &m->parts[i];
    vit_st_tensor t = {.dtype = dtype_of(m, p)};
    char name[64];

    tomevit_shape_in(&m->written, p->layer, p->tensor, t.shape, &t.dims);
    tomevit_tensor_name(&m->d, p->tensor, p->layer, name);
    snprintf(t.name, sizeof(t.name), "%s%s", name,
             p->what == SCALES ? "_scale" : "");
    if (p->what == SCALES)
        t.shape[1] = 1;
    return t;
}

static int read_part(void *self, size_t i, float *out,
                     const vit_report *report)
{
    model *m = self;
    const part *p = &m->parts[i];
    int code = m->source.read(m->source.self, p->tensor, p->layer, out);

    if (!code && m->int8)
        code = tomevit_scale_rows(&m->d, m->source, p->tensor, p->layer, out);
    if (code == TOMEVIT_ENOMEM)
        return tomevit_fail(report, code, "out of memory");
    if (code && report->why)
        *report->why = *tomevit_checkpoint_why(m->checkpoint);
    if (!code && p->what != WHOLE)
        round_rows(m, p, out);
    return code;
}

static void add_part(model *m, enum vit_tensor t, size_t layer, int what)
{
    m->parts[m->count++] = (part){t, layer, what};
}

/* All tensors, layer by layer. */
static int list_parts(model *m)
{
    m->parts = calloc(2 * VIT_TENSORS * (m->d.depth + 1), sizeof(*m->parts));
    if (!m->parts)
        return TOMEVIT_ENOMEM;
    for (size_t layer = 0; layer < tomevit_own_layers(&m->d) || layer == 0;
         layer++)
        for (int i = layer ? VIT_FIRST_OF_LAYER : 0; i < VIT_TENSORS; i++) {
            enum vit_tensor t = (enum vit_tensor)i;
            int rounded = m->int8 && is_int8(t);

            if (!tomevit_tensor_shape(&m->written, t, NULL, NULL))
                continue;
            add_part(m, t, layer, rounded ? ROUNDED : WHOLE);
            if (rounded)
                add_part(m, t, layer, SCALES);
        }
    return 0;
}

static int open_model(model *m, const char *path,
                      const tomevit_open_options *options, tomevit_message *why)
{
    int code;

    memset(m, 0, sizeof(*m));
    code = tomevit_checkpoint_open(path, options, &m->checkpoint, &m->d, why);
    if (!code)
        code = tomevit_checkpoint_class_names(m->checkpoint, &m->names, why);
    if (!code)
        m->source = tomevit_checkpoint_source(m->checkpoint);
    return code;
}

/* Layer scale is part of rows that are rounded, so an int8 file has none. A
 * model that text embeddings can be added to stays one. */
static int choose(model *m, const char *dtype, const vit_report *report)
{
    m->dtype = dtype ? dtype : tomevit_checkpoint_dtype(m->checkpoint);
    m->int8 = !strcmp(m->dtype, "I8");
    m->expected = m->d;
    if (m->int8) {
        m->expected.layer_scale = 0;
        m->expected.parameters = tomevit_count_parameters(&m->expected);
    }
    m->written = m->expected;
    tomevit_checkpoint_zero_shot(m->checkpoint, &m->written);
    return list_parts(m) ? tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory")
                         : 0;
}

static void close_model(model *m)
{
    tomevit_checkpoint_close(m->checkpoint);
    free(m->names);
    free(m->parts);
}

/* ---- the new file -------------------------------------------------------- */

static int same_three(const float a[3], const float b[3])
{
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

static int same_pixels(const tomevit_preprocessing *a,
                       const tomevit_preprocessing *b)
{
    return a->size == b->size && a->width == b->width &&
           a->crop_pct == b->crop_pct &&
           a->interpolation == b->interpolation &&
           a->crop_mode == b->crop_mode && same_three(a->mean, b->mean) &&
           same_three(a->std, b->std);
}

static int same_sizes(const tomevit_description *a,
                      const tomevit_description *b)
{
    return a->dim == b->dim && a->depth == b->depth && a->heads == b->heads &&
           a->kv_heads == b->kv_heads && a->share == b->share &&
           a->whole[0] == b->whole[0] && a->whole[1] == b->whole[1] &&
           a->mlp_dim == b->mlp_dim && a->pool_heads == b->pool_heads &&
           a->pool_mlp_dim == b->pool_mlp_dim && a->patch == b->patch &&
           a->pool_queries == b->pool_queries &&
           a->image_size == b->image_size &&
           a->image_width == b->image_width && a->classes == b->classes &&
           a->tokens == b->tokens && a->prefix == b->prefix &&
           a->registers == b->registers && a->pos_prefix == b->pos_prefix &&
           a->features == b->features && a->embedding == b->embedding &&
           a->parameters == b->parameters;
}

/* Where the file holds the periods, theta says nothing. */
static int same_rope(const tomevit_rope *a, const tomevit_rope *b)
{
    return a->kind == b->kind && a->xy == b->xy && a->halves == b->halves &&
           a->periods == b->periods && (a->periods || a->theta == b->theta) &&
           a->offset == b->offset && a->grid == b->grid;
}

static int same_cells(const tomevit_description *a,
                      const tomevit_description *b)
{
    return a->cells.side == b->cells.side && a->cells.norm == b->cells.norm &&
           a->cells.by_channel == b->cells.by_channel &&
           a->cells.hidden == b->cells.hidden && a->cells.out == b->cells.out;
}

/* The same model, wherever each was found. */
static int same_model(const tomevit_description *a,
                      const tomevit_description *b)
{
    return same_sizes(a, b) && a->class_token == b->class_token &&
           a->distilled == b->distilled && a->qkv_bias == b->qkv_bias &&
           a->patch_bias == b->patch_bias && a->head_bias == b->head_bias &&
           a->norm_pre == b->norm_pre && a->rms_norm == b->rms_norm &&
           a->block == b->block && a->mega.laplace == b->mega.laplace &&
           a->mega.chunk == b->mega.chunk &&
           a->mega.groups == b->mega.groups &&
           a->mlp_unbiased == b->mlp_unbiased &&
           a->bare_norm == b->bare_norm && same_cells(a, b) &&
           a->ranges == b->ranges && a->signed_pixels == b->signed_pixels &&
           a->unbiased == b->unbiased && a->in_order == b->in_order &&
           a->qk_norm == b->qk_norm &&
           a->layer_scale == b->layer_scale &&
           a->attn_norm == b->attn_norm && a->mlp_norm == b->mlp_norm &&
           a->pos_embed == b->pos_embed && same_rope(&a->rope, &b->rope) &&
           a->relative == b->relative && a->post_norm == b->post_norm &&
           a->differential == b->differential &&
           a->stem_side[0] == b->stem_side[0] &&
           a->stages[0] == b->stages[0] &&
           a->talking == b->talking && a->parallel == b->parallel &&
           a->class_layers == b->class_layers &&
           a->patch_norm == b->patch_norm &&
           a->final_norm == b->final_norm && a->pool_prefix == b->pool_prefix &&
           a->activation == b->activation && a->fc_norm == b->fc_norm &&
           a->pool == b->pool && a->zero_shot == b->zero_shot &&
           a->projection == b->projection &&
           a->projection_bias == b->projection_bias &&
           a->logit_scale == b->logit_scale &&
           a->logit_bias == b->logit_bias && a->norm_eps == b->norm_eps &&
           same_pixels(&a->preprocessing, &b->preprocessing);
}

/* 1 if the class names are the same, or both are absent. */
static int same_names(char *const *a, char *const *b)
{
    size_t i;

    if (!a || !b)
        return a == b;
    for (i = 0; a[i] && b[i] && !strcmp(a[i], b[i]); i++)
        ;
    return !a[i] && !b[i];
}

/* What was written says all that the model is. */
static int check(const model *m, const char *path, const vit_report *report)
{
    static const char cannot[] =
        "a .safetensors file with timm's names cannot say all of this model";
    model written;
    int code = open_model(&written, path, NULL, report->why);

    if (!code && (!same_model(&m->expected, &written.d) ||
                  !same_names(m->names, written.names)))
        code = tomevit_fail(report, TOMEVIT_EMODEL, "%s", cannot);
    close_model(&written);
    return code;
}

static int write_model(model *m, const char *path, const vit_report *report)
{
    vit_st_output output = {.count = m->count, .describe = describe,
                            .read = read_part, .self = m};
    vit_report file = {path, report->why};
    int code;

    output.metadata = tomevit_metadata_of(&m->expected,
        tomevit_checkpoint_metadata(m->checkpoint, "position_resize"),
        m->names);
    if (!output.metadata)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    code = tomevit_safetensors_write(&output, &file);
    json_decref(output.metadata);
    return code;
}

/* Under another name beside `out` until it is whole. */
static int write_beside(model *m, const char *out, tomevit_message *why)
{
    size_t length = strlen(out) + 32;
    vit_report report = {out, why};
    char *path = malloc(length);
    int code;

    if (!path)
        return tomevit_fail(&report, TOMEVIT_ENOMEM, "out of memory");
    snprintf(path, length, "%s.part-%ld", out, (long)getpid());
    code = write_model(m, path, &report);
    if (!code)
        code = check(m, path, &report);
    if (!code && rename(path, out))
        code = tomevit_fail(&report, TOMEVIT_EIO, "cannot rename \"%.80s\" to "
                            "it: %s", path, strerror(errno));
    if (code)
        unlink(path);
    free(path);
    return code;
}

static const struct {
    const char *name, *dtype;
} dtypes[] = {
    {"f32", "F32"}, {"f16", "F16"}, {"bf16", "BF16"}, {"int8", "I8"},
};

int tomevit_convert(const char *path, const tomevit_open_options *options,
                    const char *out, const char *dtype, tomevit_message *why)
{
    tomevit_message unused;
    const char *written = NULL;
    tomevit_open_options with;
    size_t i;
    model m;
    int code;

    for (i = 0; dtype && i < sizeof(dtypes) / sizeof(*dtypes); i++)
        if (!strcmp(dtypes[i].name, dtype))
            written = dtypes[i].dtype;
    if (!path || !out || !out[0] || (dtype && !written) ||
        !tomevit_open_options_valid(options))
        return TOMEVIT_EINVAL;
    why = why ? why : &unused;
    if (options)
        with = *options;
    else
        tomevit_open_options_init(&with);
    with.projection = 0;        /* it is in the file in any case */
    code = open_model(&m, path, &with, why);
    if (!code)
        code = choose(&m, written, &(vit_report){path, why});
    if (!code)
        code = write_beside(&m, out, why);
    close_model(&m);
    return code;
}
