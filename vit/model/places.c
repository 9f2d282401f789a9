/* SPDX-License-Identifier: MIT */
/* Where in a model each of its tensors lies, and the memory of them all. */
#include "config.h"

#include "../kernels/ema.h"
#include "derived.h"
#include "model.h"

#include <stddef.h>

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

void tomevit_carve_weights(struct tomevit_model *m, vit_arena *arena)
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

static void *holder_of(struct tomevit_model *m, enum vit_tensor t, size_t layer)
{
    return t < VIT_FIRST_OF_LAYER ? (void *)m : &m->layers[layer];
}

vit_matrix *tomevit_packed_place(struct tomevit_model *m, enum vit_tensor t,
                                 size_t layer)
{
    return places[t].kind == IS_PACKED ? member(holder_of(m, t, layer), t)
                                       : NULL;
}

float *tomevit_plain_place(struct tomevit_model *m, enum vit_tensor t,
                           size_t layer)
{
    void *holder = holder_of(m, t, layer);
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
