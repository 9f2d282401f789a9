/* SPDX-License-Identifier: MIT */
/* From a source of tensors to weights in their places, packed for the CPU tier
 * in use. */
#include "config.h"

#include "derived.h"
#include "model.h"

#include <math.h>
#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#endif

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
    vit_matrix *packed = tomevit_packed_place(m, t, layer);
    float *to = packed ? buffer : tomevit_plain_place(m, t, layer);
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
int tomevit_fill_weights(struct tomevit_model *m, vit_source source)
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
