/* SPDX-License-Identifier: MIT */
/* Opening a model: its weights packed once for the CPU tier in use. */
#include "config.h"

#include "../checkpoint/checkpoint.h"
#include "model.h"
#include "../network/options.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#endif

static void carve_norm(vit_norm *norm, size_t channels, vit_arena *arena)
{
    norm->weight = tomevit_carve_f32(arena, channels);
    norm->bias = tomevit_carve_f32(arena, channels);
}

/* Takes the memory of all weights: to measure it, then to point into it. */
static void carve_layer(struct tomevit_model *m, vit_layer *layer,
                        vit_arena *arena)
{
    size_t dim = m->d.dim, head_dim = m->d.qk_norm ? dim / m->d.heads : 0;

    carve_norm(&layer->norm1, dim, arena);
    carve_norm(&layer->norm2, dim, arena);
    carve_norm(&layer->q_norm, head_dim, arena);
    carve_norm(&layer->k_norm, head_dim, arena);
    tomevit_matrix_carve(m->dsp, m->low, &layer->qkv, 3 * dim, dim, arena);
    tomevit_matrix_carve(m->dsp, m->low, &layer->proj, dim, dim, arena);
    tomevit_matrix_carve(m->dsp, m->low, &layer->fc1, tomevit_fc1_width(&m->d),
                         dim, arena);
    tomevit_matrix_carve(m->dsp, m->low, &layer->fc2, dim, m->d.mlp_dim, arena);
}

/* `dim` 0: there is none. */
static void carve_pool(struct tomevit_model *m, size_t dim, vit_arena *arena)
{
    vit_attention_pool *p = &m->pool;
    size_t mlp_dim = dim ? m->d.mlp_dim : 0;

    p->query = tomevit_carve_f32(arena, dim);
    tomevit_matrix_carve(m->dsp, m->outer, &p->kv, 2 * dim, dim, arena);
    tomevit_matrix_carve(m->dsp, m->outer, &p->proj, dim, dim, arena);
    carve_norm(&p->norm, dim, arena);
    tomevit_matrix_carve(m->dsp, m->outer, &p->fc1, mlp_dim, dim, arena);
    tomevit_matrix_carve(m->dsp, m->outer, &p->fc2, dim, mlp_dim, arena);
}

static void carve_model(struct tomevit_model *m, vit_arena *arena)
{
    size_t dim = m->d.dim;
    vit_layer unused, *layers;

    layers = tomevit_carve(arena, m->d.depth, sizeof(*layers));
    m->layers = layers;
    m->prefix = tomevit_carve_f32(arena, m->d.prefix * dim);
    m->pos = tomevit_carve_f32(
        arena, tomevit_tensor_shape(&m->d, VIT_POS_EMBED, NULL, NULL));
    tomevit_matrix_carve(m->dsp, m->outer, &m->patch, dim,
                         3 * m->d.patch * m->d.patch, arena);
    for (size_t i = 0; i < m->d.depth; i++)
        carve_layer(m, layers ? &layers[i] : &unused, arena);
    carve_norm(&m->norm_pre, m->d.norm_pre ? dim : 0, arena);
    carve_norm(&m->norm, dim, arena);
    carve_pool(m, m->d.pool == TOMEVIT_POOL_ATTENTION ? dim : 0, arena);
    tomevit_matrix_carve(m->dsp, m->outer, &m->project,
                         m->d.projection ? m->d.embedding : 0, m->d.features,
                         arena);
    tomevit_matrix_carve(m->dsp, m->outer, &m->head, m->d.classes,
                         m->d.zero_shot ? m->d.embedding : m->d.features,
                         arena);
    tomevit_matrix_carve(m->dsp, m->outer, &m->head_dist,
                         m->d.distilled ? m->d.classes : 0, dim, arena);
}

/* ---- filling ------------------------------------------------------------------ */

/* Where one tensor goes: as it is, or packed. */
typedef struct place {
    float *plain;
    vit_matrix *packed;
} place;

#define PLAIN(to) (place){.plain = (to)}
#define PACKED(to) (place){.packed = &(to)}

/* Some have no place: they are read where what they go into is made. */
static place place_of(struct tomevit_model *m, enum vit_tensor t, size_t layer)
{
    vit_layer *l = &m->layers[layer];
    size_t dim = m->d.dim;

    switch (t) {
    case VIT_CLS_TOKEN:        return PLAIN(m->prefix);
    case VIT_DIST_TOKEN:       return PLAIN(m->prefix + dim);
    case VIT_REG_TOKEN:
        return PLAIN(m->prefix + (m->d.prefix - m->d.registers) * dim);
    case VIT_POS_EMBED:        return PLAIN(m->pos);
    case VIT_PATCH_WEIGHT:     return PACKED(m->patch);
    case VIT_PATCH_BIAS:       return PLAIN(m->patch.bias);
    case VIT_NORM_PRE_WEIGHT:  return PLAIN(m->norm_pre.weight);
    case VIT_NORM_PRE_BIAS:    return PLAIN(m->norm_pre.bias);
    case VIT_NORM_WEIGHT:      return PLAIN(m->norm.weight);
    case VIT_NORM_BIAS:        return PLAIN(m->norm.bias);
    case VIT_POOL_KV_WEIGHT:   return PACKED(m->pool.kv);
    case VIT_POOL_KV_BIAS:     return PLAIN(m->pool.kv.bias);
    case VIT_POOL_PROJ_WEIGHT: return PACKED(m->pool.proj);
    case VIT_POOL_PROJ_BIAS:   return PLAIN(m->pool.proj.bias);
    case VIT_POOL_NORM_WEIGHT: return PLAIN(m->pool.norm.weight);
    case VIT_POOL_NORM_BIAS:   return PLAIN(m->pool.norm.bias);
    case VIT_POOL_FC1_WEIGHT:  return PACKED(m->pool.fc1);
    case VIT_POOL_FC1_BIAS:    return PLAIN(m->pool.fc1.bias);
    case VIT_POOL_FC2_WEIGHT:  return PACKED(m->pool.fc2);
    case VIT_POOL_FC2_BIAS:    return PLAIN(m->pool.fc2.bias);
    case VIT_HEAD_WEIGHT:      return PACKED(m->head);
    case VIT_HEAD_BIAS:        return PLAIN(m->head.bias);
    case VIT_PROJECT_WEIGHT:   return PACKED(m->project);
    case VIT_PROJECT_BIAS:     return PLAIN(m->project.bias);
    case VIT_TEXT:             return PACKED(m->head);
    case VIT_LOGIT_BIAS:       return PLAIN(m->head.bias);
    case VIT_HEAD_DIST_WEIGHT: return PACKED(m->head_dist);
    case VIT_HEAD_DIST_BIAS:   return PLAIN(m->head_dist.bias);
    case VIT_NORM1_WEIGHT:     return PLAIN(l->norm1.weight);
    case VIT_NORM1_BIAS:       return PLAIN(l->norm1.bias);
    case VIT_QKV_WEIGHT:       return PACKED(l->qkv);
    case VIT_QKV_BIAS:         return PLAIN(l->qkv.bias);
    case VIT_Q_NORM_WEIGHT:    return PLAIN(l->q_norm.weight);
    case VIT_Q_NORM_BIAS:      return PLAIN(l->q_norm.bias);
    case VIT_K_NORM_WEIGHT:    return PLAIN(l->k_norm.weight);
    case VIT_K_NORM_BIAS:      return PLAIN(l->k_norm.bias);
    case VIT_PROJ_WEIGHT:      return PACKED(l->proj);
    case VIT_PROJ_BIAS:        return PLAIN(l->proj.bias);
    case VIT_NORM2_WEIGHT:     return PLAIN(l->norm2.weight);
    case VIT_NORM2_BIAS:       return PLAIN(l->norm2.bias);
    case VIT_FC1_WEIGHT:       return PACKED(l->fc1);
    case VIT_FC1_BIAS:         return PLAIN(l->fc1.bias);
    case VIT_FC2_WEIGHT:       return PACKED(l->fc2);
    case VIT_FC2_BIAS:         return PLAIN(l->fc2.bias);
    case VIT_POOL_LATENT:
    case VIT_POOL_Q_WEIGHT:
    case VIT_POOL_Q_BIAS:
    case VIT_LOGIT_SCALE:
    case VIT_SCALE1:
    case VIT_SCALE2:
    case VIT_TENSORS:          break;
    }
    return (place){0};
}

/* A matrix that is stored as it is multiplied; 0 if it is not. */
static int fill_int8(struct tomevit_model *m, vit_source source,
                     enum vit_tensor t, size_t layer, vit_matrix *to,
                     void *buffer)
{
    if (!to->low || to->low->dtype != TOMEVIT_INT8 || !source.read_int8 ||
        tomevit_scaled(&m->d, t) ||
        !source.read_int8(source.self, t, layer, buffer, to->scale))
        return 0;
    tomevit_matrix_pack_int8(to, buffer);
    return 1;
}

static int fill_tensor(struct tomevit_model *m, vit_source source,
                       enum vit_tensor t, size_t layer, float *buffer)
{
    place p = place_of(m, t, layer);
    float *to = p.packed ? buffer : p.plain;
    int error;

    if (!to || (p.packed && fill_int8(m, source, t, layer, p.packed, buffer)))
        return 0;
    error = source.read(source.self, t, layer, to);
    if (!error)
        error = tomevit_scale_rows(&m->d, source, t, layer, to);
    if (!error && t == VIT_TEXT)
        error = tomevit_zero_shot_rows(&m->d, source, to);
    if (!error && p.packed)
        tomevit_matrix_pack(m->dsp, p.packed, to);
    return error;
}

/* The tensors of one layer, or those there are once a model. */
static int fill_part(struct tomevit_model *m, vit_source source, size_t layer,
                     int once, float *buffer)
{
    int t = once ? 0 : VIT_FIRST_OF_LAYER;
    int end = once ? VIT_FIRST_OF_LAYER : VIT_TENSORS;

    for (; t < end; t++) {
        int error = 0;

        if (tomevit_tensor_shape(&m->d, t, NULL, NULL))
            error = fill_tensor(m, source, t, layer, buffer);
        if (error)
            return error;
    }
    return 0;
}

/* The largest tensor that has to pass through a buffer. */
static size_t largest(const tomevit_description *d)
{
    size_t most = 0;

    for (int t = 0; t < VIT_TENSORS; t++) {
        size_t n = tomevit_tensor_shape(d, t, NULL, NULL);

        most = n > most ? n : most;
    }
    return most;
}

/* What follows from several tensors. */
static int fill_rest(struct tomevit_model *m, vit_source source)
{
    /* The tokens in front are the same in every image. */
    for (size_t i = 0; i < m->d.pos_prefix * m->d.dim; i++)
        m->prefix[i] += m->pos[i];
    if (m->d.logit_bias)
        for (size_t i = 1; i < m->d.classes; i++)
            m->head.bias[i] = m->head.bias[0];
    return m->d.pool == TOMEVIT_POOL_ATTENTION ? tomevit_pool_query(m, source)
                                               : 0;
}

#ifdef _OPENMP
/* Few, as memory is soon what they wait for. */
static int packing_threads(void)
{
    enum { MOST = 4 };
    int threads = omp_get_max_threads();

    return threads < MOST ? threads : MOST;
}
#endif

/* One kind of tensor in all layers. */
static int fill_kind(struct tomevit_model *m, vit_source source,
                     enum vit_tensor t, float *buffer)
{
    size_t there = tomevit_tensor_shape(&m->d, t, NULL, NULL);
    int error = 0;

    for (size_t layer = 0; there && !error && layer < m->d.depth; layer++)
        error = fill_tensor(m, source, t, layer, buffer);
    return error;
}

/* Work for one thread: what there is once a model, then a layer; or a kind of
 * tensor, beginning with the largest, which are the last. */
static int fill_task(struct tomevit_model *m, vit_source source, size_t task,
                     float *buffer)
{
    if (task == 0 || !source.stacked)
        return fill_part(m, source, task ? task - 1 : 0, !task, buffer);
    return fill_kind(m, source, (enum vit_tensor)(VIT_TENSORS - task), buffer);
}

/* Each thread through a buffer of its own. */
static int fill(struct tomevit_model *m, vit_source source)
{
    size_t bytes = largest(&m->d) * sizeof(float), tasks = 1;
    int error = 0;

    tasks += source.stacked ? VIT_TENSORS - VIT_FIRST_OF_LAYER : m->d.depth;

#pragma omp parallel num_threads(packing_threads())
    {
        float *buffer = malloc(bytes);

#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < tasks; i++) {
            int result = buffer ? fill_task(m, source, i, buffer)
                                : TOMEVIT_ENOMEM;

            if (result) {
#pragma omp atomic write
                error = result;
            }
        }
        free(buffer);
    }
    return error ? error : fill_rest(m, source);
}

/* ---- building ------------------------------------------------------------------- */

static int build(struct tomevit_model *m, vit_source source)
{
    uint32_t flags = tomevit_low_permitted(m->dtype, tomerge_cpu_flags());
    int error;

    m->dsp = tomevit_dsp_choose(flags);
    m->low = tomevit_low_choose(m->dtype, flags);
    m->outer = tomevit_low_outer(m->low, flags);
    m->block_rows = m->low ? m->low->block_rows : VIT_BLOCK_ROWS;
    carve_model(m, &m->arena);
    m->bytes = m->arena.used;
    error = tomevit_arena_allocate(&m->arena);
    if (error)
        return error;
    carve_model(m, &m->arena);
    return fill(m, source);
}

int tomevit_model_build(const tomevit_description *d,
                        const tomevit_open_options *options,
                        vit_source source, tomevit_model **model)
{
    struct tomevit_model *m = calloc(1, sizeof(*m));
    int error;

    *model = NULL;
    if (!m)
        return TOMEVIT_ENOMEM;
    m->d = *d;
    m->dtype = options ? options->dtype : TOMEVIT_F32;
    error = build(m, source);
    if (error)
        tomevit_close(m);
    else
        *model = m;
    return error;
}

/* ---- public ---------------------------------------------------------------------- */

int tomevit_open(const char *path, const tomevit_open_options *options,
                 tomevit_model **model, tomevit_message *why)
{
    vit_checkpoint *checkpoint;
    tomevit_description d;
    tomevit_message unused;
    char **names = NULL;
    int error;

    why = why ? why : &unused;
    why->text[0] = '\0';
    if (!model)
        return TOMEVIT_EINVAL;
    *model = NULL;
    if (!path || !tomevit_open_options_valid(options))
        return TOMEVIT_EINVAL;
    error = tomevit_checkpoint_open(path, options, &checkpoint, &d, why);
    if (error)
        return error;
    error = tomevit_checkpoint_class_names(checkpoint, &names, why);
    if (!error)
        error = tomevit_model_build(&d, options,
                                    tomevit_checkpoint_source(checkpoint),
                                    model);
    if (error && !why->text[0])
        *why = *tomevit_checkpoint_why(checkpoint);
    tomevit_checkpoint_close(checkpoint);
    if (error) {
        if (!why->text[0])
            snprintf(why->text, sizeof(why->text), "%s: %s", path,
                     tomevit_strerror(error));
        free(names);
        return error;
    }
    (*model)->class_names = names;
    return 0;
}

/* What a model of random weights cannot have. */
static int adds_files(const tomevit_open_options *options)
{
    return options && (options->image_size || options->strict ||
                       options->head || options->text_embeddings);
}

int tomevit_random(const char *name, uint64_t seed,
                   const tomevit_open_options *options, tomevit_model **model)
{
    tomevit_description d;
    vit_random random;
    int error;

    if (!model)
        return TOMEVIT_EINVAL;
    *model = NULL;
    if (!name || !tomevit_open_options_valid(options) || adds_files(options))
        return TOMEVIT_EINVAL;
    error = tomevit_arch_description(name, &d);
    if (error)
        return error;
    random = (vit_random){&d, seed};
    return tomevit_model_build(&d, options, tomevit_random_source(&random),
                               model);
}

void tomevit_close(tomevit_model *model)
{
    if (!model)
        return;
    tomevit_arena_free(&model->arena);
    free(model->class_names);
    free(model);
}

const tomevit_description *tomevit_describe(const tomevit_model *model)
{
    return &model->d;
}

const char *tomevit_class_name(const tomevit_model *model, size_t index)
{
    return model->class_names && index < model->d.classes
               ? model->class_names[index] : NULL;
}

const char *tomevit_cpu(const tomevit_model *model)
{
    return model->low ? model->low->name : model->dsp->name;
}

int tomevit_model_dtype(const tomevit_model *model)
{
    return model->dtype;
}

size_t tomevit_model_bytes(const tomevit_model *model)
{
    return model->bytes;
}
