/* SPDX-License-Identifier: MIT */
/* A model's weights, packed once for the CPU tier in use. */
#include "config.h"

#include "derived.h"
#include "../kernels/ema.h"
#include "model.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* ---- places -------------------------------------------------------------- */

/* Where a tensor goes: see tensors.def. */
enum {
    NOWHERE, IS_PLAIN, IS_PACKED, IS_BIAS, IS_BIAS_THIRD, IS_PREFIX_0,
    IS_PREFIX_1, IS_PREFIX_LAST
};

typedef struct place {
    int kind;
    size_t offset;         /* in struct tomevit_model, or in vit_layer */
} place;

#define ELSEWHERE {NOWHERE, 0}
#define PREFIX(row) {IS_PREFIX_##row, 0}
#define PLAIN(member) {IS_PLAIN, offsetof(HOLDER, member)}
#define PACKED(member) {IS_PACKED, offsetof(HOLDER, member)}
#define BIAS(member) {IS_BIAS, offsetof(HOLDER, member)}
#define BIAS_THIRD(member) {IS_BIAS_THIRD, offsetof(HOLDER, member)}

static const place places[VIT_TENSORS] = {
#define HOLDER struct tomevit_model
#define TENSOR(identifier, name, when, shape, place) [VIT_##identifier] = place,
#define LAYER_TENSOR(identifier, name, when, shape, place)
#include "../network/tensors.def"
#undef LAYER_TENSOR
#undef TENSOR
#undef HOLDER
#define HOLDER vit_layer
#define TENSOR(identifier, name, when, shape, place)
#define LAYER_TENSOR(identifier, name, when, shape, place) \
    [VIT_##identifier] = place,
#include "../network/tensors.def"
#undef LAYER_TENSOR
#undef TENSOR
#undef HOLDER
};

/* What the place of a tensor points at in the model or in one of its layers. */
static void *member(void *holder, enum vit_tensor t)
{
    return (char *)holder + places[t].offset;
}

/* Takes the memory of one tensor: to measure it, then to point into it. */
static void carve_tensor(const struct tomevit_model *m, void *holder,
                         enum vit_tensor t, size_t layer, vit_arena *arena)
{
    size_t shape[4], n = tomevit_shape_in(&m->d, layer, t, shape, NULL);
    const vit_low *low = t < VIT_FIRST_OF_LAYER ? m->outer : m->low;

    if (!n)
        return;
    if (places[t].kind == IS_PLAIN)
        *(float **)member(holder, t) = tomevit_carve_f32(arena, n);
    else if (places[t].kind == IS_PACKED)
        tomevit_matrix_carve(m->dsp, low, member(holder, t), shape[0],
                             n / shape[0], arena);
}

/* What a layer has beside its tensors. */
static void carve_averages(const struct tomevit_model *m, vit_layer *layer,
                           vit_arena *arena)
{
    if (m->d.block != TOMEVIT_BLOCK_VIT)
        layer->ema = tomevit_carve_f32(
            arena, tomevit_ema_length(m->d.dim, m->d.mega.states, m->d.block ==
                                      TOMEVIT_BLOCK_MEGALODON));
}

/* A table of relative positions that an MLP gives, of a layer or of all. */
static void carve_relative(const struct tomevit_model *m, vit_layer *layers,
                           vit_arena *arena)
{
    size_t own = m->d.relative == 2 ? tomevit_own_layers(&m->d)
                                    : m->d.relative == 3;

    for (size_t i = 0; i < own; i++) {
        float *table = tomevit_carve_f32(arena, tomevit_distances(&m->d) *
                                                    m->d.heads);

        if (layers)
            layers[i].relative = table;
    }
    for (size_t i = 1; own == 1 && layers && i < tomevit_own_layers(&m->d); i++)
        layers[i].relative = layers[0].relative;
}

/* The memory of all weights. */
static void carve_model(struct tomevit_model *m, vit_arena *arena)
{
    size_t bare = m->d.bare_norm == 1 ? m->d.features : 0;
    vit_layer unused, *layers;

    layers = tomevit_carve(arena, tomevit_own_layers(&m->d), sizeof(*layers));
    m->layers = layers;
    m->prefix = tomevit_carve_f32(arena, m->d.prefix * m->d.dim);
    m->pool.query = tomevit_carve_f32(arena, tomevit_pool_width(&m->d));
    m->bare.weight = tomevit_carve_f32(arena, bare);
    m->bare.bias = tomevit_carve_f32(arena, bare);
    if (m->d.rope.kind) {
        size_t of_own = tomevit_rope_each_head(&m->d) ? m->d.depth : 1;
        size_t patches = m->d.tokens - m->d.prefix;

        m->rates = tomevit_carve(
            arena, of_own * tomevit_turns_of(&m->d) / 2, sizeof(*m->rates));
        m->turns = tomevit_carve_f32(
            arena, of_own * patches * tomevit_turns_of(&m->d));
    }
    for (int t = 0; t < VIT_FIRST_OF_LAYER; t++)
        carve_tensor(m, m, (enum vit_tensor)t, 0, arena);
    carve_relative(m, layers, arena);
    for (size_t i = 0; i < tomevit_own_layers(&m->d); i++)
        carve_averages(m, layers ? &layers[i] : &unused, arena);
    for (size_t i = 0; m->d.parallel && i < m->d.depth; i++)
        tomevit_carve_parallel(m, layers ? &layers[i] : &unused, arena);
    for (size_t i = 0; i < tomevit_own_layers(&m->d); i++)
        for (int t = VIT_FIRST_OF_LAYER; t < VIT_TENSORS; t++)
            carve_tensor(m, layers ? &layers[i] : &unused, (enum vit_tensor)t,
                         i, arena);
}

/* ---- filling ------------------------------------------------------------- */

/* Where the floats of a tensor go as they are; NULL if they do not. */
static float *plain_of(const struct tomevit_model *m, void *holder,
                       enum vit_tensor t, size_t layer)
{
    size_t dim = m->d.dim;

    switch (places[t].kind) {
    case IS_PLAIN:
        return *(float **)member(holder, t);
    case IS_BIAS:
        return ((vit_matrix *)member(holder, t))->bias;
    case IS_BIAS_THIRD:
        return ((vit_matrix *)member(holder, t))->bias + dim +
               tomevit_kv_width(&m->d, layer);
    case IS_PREFIX_0:
        return m->prefix;
    case IS_PREFIX_1:
        return m->prefix + dim;
    case IS_PREFIX_LAST:
        return m->prefix + (m->d.prefix - m->d.registers) * dim;
    default:
        return NULL;
    }
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
    void *holder = t < VIT_FIRST_OF_LAYER ? (void *)m : &m->layers[layer];
    vit_matrix *packed = places[t].kind == IS_PACKED ? member(holder, t) : NULL;
    float *to = packed ? buffer : plain_of(m, holder, t, layer);
    int error;

    if (!to || (packed && fill_int8(m, source, t, layer, packed, buffer)))
        return 0;
    error = source.read(source.self, t, layer, to);
    if (!error)
        error = tomevit_scale_rows(&m->d, source, t, layer, to);
    if (!error)
        error = tomevit_taps_first(&m->d, t, to);
    if (!error && (t == VIT_STEM_0_WEIGHT || t == VIT_STEM_1_WEIGHT))
        error = tomevit_fold_norm(&m->d, source, t, to, packed->bias);
    if (!error && t == VIT_TEXT)
        error = tomevit_zero_shot_rows(&m->d, source, to);
    if (!error && t == VIT_PATCH_WEIGHT && m->d.signed_pixels)
        tomevit_fold_sign(&m->d, to, packed->bias);
    if (!error && packed)
        tomevit_matrix_pack(m->dsp, packed, to);
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

    for (int t = 0; t < VIT_TENSORS; t++)
        for (size_t layer = 0; layer < tomevit_own_layers(d); layer++) {
            size_t n = tomevit_shape_in(d, layer, t, NULL, NULL);

            most = n > most ? n : most;
        }
    return most;
}

/* The rotation of every patch's queries and keys. */
static int fill_turns(struct tomevit_model *m, vit_source source)
{
    size_t length = tomevit_turn_length(&m->d);
    size_t columns = tomevit_grid_columns(&m->d);
    size_t layers = tomevit_rope_each_head(&m->d) ? m->d.depth : 1;
    size_t heads = tomevit_rope_each_head(&m->d) ? m->d.heads : 1;
    float *turn = m->turns;
    int error = tomevit_read_rates(&m->d, source, m->rates);

    for (size_t layer = 0; !error && layer < layers; layer++)
        for (size_t i = 0; i < tomevit_grid_patches(&m->d); i++)
            for (size_t head = 0; head < heads; head++, turn += length)
                tomevit_rope_turn(&m->d, tomevit_rates(m, layer, head),
                                  (double)(i / columns),
                                  (double)(i % columns), turn);
    return error;
}

static void add_one(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += 1.0f;
}

/* Megalodon's factors are stored less one; those of queries and keys have a
 * share in scaling the scores. */
static void finish_megalodon(struct tomevit_model *m)
{
    const tomevit_description *d = &m->d;
    float scale = 1.0f / sqrtf((float)tomevit_head_dim(d));

    add_one(m->norm.weight, d->dim);
    for (size_t i = 0; i < tomevit_own_layers(d); i++) {
        vit_layer *l = &m->layers[i];

        add_one(l->norm1.weight, d->dim);
        add_one(l->norm2.weight, d->dim);
        add_one(l->rms, d->dim);
        add_one(l->qk_scale, 2 * d->mega.shared);
        for (size_t j = 0; j < 2 * d->mega.shared; j++)
            l->qk_scale[j] *= scale;
    }
}

/* What follows from several tensors. */
static int fill_rest(struct tomevit_model *m, vit_source source)
{
    /* The tokens in front are the same in every image. */
    for (size_t i = 0; i < m->d.pos_prefix * m->d.dim; i++)
        m->prefix[i] += m->pos[i];
    for (size_t i = 0; m->d.bare_norm == 1 && i < m->d.features; i++) {
        m->bare.weight[i] = 1.0f;
        m->bare.bias[i] = 0.0f;
    }
    if (m->d.logit_bias)
        for (size_t i = 1; i < m->d.classes; i++)
            m->head.bias[i] = m->head.bias[0];
    if (m->d.rope.kind) {
        int error = fill_turns(m, source);

        if (error)
            return error;
    }
    for (size_t i = 0; m->d.relative > 1 && i < tomevit_own_layers(&m->d);
         i++) {
        int error = i && m->d.relative == 3
                        ? 0 : tomevit_relative_table(&m->d, source, i,
                                                     m->layers[i].relative);

        if (error)
            return error;
    }
    if (m->d.block == TOMEVIT_BLOCK_MEGALODON)
        finish_megalodon(m);
    for (size_t i = 0; m->d.block != TOMEVIT_BLOCK_VIT &&
                       i < tomevit_own_layers(&m->d); i++) {
        int error = tomevit_read_ema(&m->d, source, i, m->layers[i].ema);

        if (error)
            return error;
    }
    for (size_t i = 0; m->d.parallel && i < m->d.depth; i++) {
        int error = tomevit_read_parallel(m, source, i);

        if (error)
            return error;
    }
    for (size_t i = 0; m->d.differential && i < m->d.depth; i++) {
        int error = tomevit_read_lambda(&m->d, source, i, &m->layers[i].lambda,
                                        m->layers[i].sub_norm);

        if (error)
            return error;
    }
    if (!tomevit_pool_width(&m->d))
        return 0;
    return tomevit_pool_query(&m->d, source, m->pool.query);
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

    for (size_t layer = 0; there && !error && layer < tomevit_own_layers(&m->d);
         layer++)
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

    tasks += source.stacked ? VIT_TENSORS - VIT_FIRST_OF_LAYER
                            : tomevit_own_layers(&m->d);

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

/* ---- building ------------------------------------------------------------ */

static int build(struct tomevit_model *m, vit_source source)
{
    uint32_t flags = tomevit_low_permitted(m->dtype, tomerge_cpu_flags());
    int error;

    m->dsp = tomevit_dsp_choose(flags);
    m->low = tomevit_low_choose(m->dtype, flags);
    if (!m->d.differential && !m->d.talking)
        m->outer = tomevit_low_outer(m->low, flags);
    m->resize = source.resize;
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

/* ---- public -------------------------------------------------------------- */

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
