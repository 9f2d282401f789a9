/* SPDX-License-Identifier: MIT */
/*
 * Layers whose attention and MLP see the same norm and are added at once, as of
 * ViT-22B [arXiv 2302.05442]: one stored matrix makes the MLP's channels,
 * queries, keys and values of a row; one, or two, take what comes of them back.
 * Here they are taken apart to those of other layers.
 */
#include "config.h"

#include "model.h"

#include <stdlib.h>
#include <string.h>

void tomevit_carve_parallel(const struct tomevit_model *m, vit_layer *layer,
                            vit_arena *arena)
{
    const tomevit_description *d = &m->d;

    tomevit_matrix_carve(m->dsp, m->low, &layer->qkv, 3 * d->dim, d->dim,
                         arena);
    tomevit_matrix_carve(m->dsp, m->low, &layer->fc1, d->mlp_dim, d->dim,
                         arena);
    if (d->parallel != 2)
        return;
    tomevit_matrix_carve(m->dsp, m->low, &layer->proj, d->dim, d->dim, arena);
    tomevit_matrix_carve(m->dsp, m->low, &layer->fc2, d->dim, d->mlp_dim,
                         arena);
}

/* The MLP's rows, then those of queries, keys and values. */
static int read_sides(struct tomevit_model *m, vit_source source, size_t layer,
                      float *read)
{
    const tomevit_description *d = &m->d;
    vit_layer *l = &m->layers[layer];
    int error = source.read(source.self, VIT_SIDE_WEIGHT, layer, read);

    if (error)
        return error;
    tomevit_matrix_pack(m->dsp, &l->fc1, read);
    tomevit_matrix_pack(m->dsp, &l->qkv, read + d->mlp_dim * d->dim);
    error = source.read(source.self,
                        d->qkv_bias ? VIT_SIDE_BIAS : VIT_SIDE_MLP_BIAS, layer,
                        read);
    if (error)
        return error;
    memcpy(l->fc1.bias, read, d->mlp_dim * sizeof(*read));
    if (d->qkv_bias)
        memcpy(l->qkv.bias, read + d->mlp_dim, 3 * d->dim * sizeof(*read));
    return 0;
}

/* Columns first .. first + n - 1 of read[dim, width]. */
static void take_columns(const tomevit_description *d, const float *read,
                         size_t width, size_t first, size_t n, float *to)
{
    for (size_t i = 0; i < d->dim; i++)
        memcpy(to + i * n, read + i * width + first, n * sizeof(*to));
}

/* The columns of what attention gives, then the MLP's; one bias for both. */
static int read_joint(struct tomevit_model *m, vit_source source, size_t layer,
                      float *read, float *part)
{
    const tomevit_description *d = &m->d;
    vit_layer *l = &m->layers[layer];
    size_t width = d->dim + d->mlp_dim;
    int error = source.read(source.self, VIT_JOINT_WEIGHT, layer, read);

    if (!error)
        error = tomevit_scale_rows(d, source, VIT_JOINT_WEIGHT, layer, read);
    if (error)
        return error;
    take_columns(d, read, width, 0, d->dim, part);
    tomevit_matrix_pack(m->dsp, &l->proj, part);
    take_columns(d, read, width, d->dim, d->mlp_dim, part);
    tomevit_matrix_pack(m->dsp, &l->fc2, part);
    error = source.read(source.self, VIT_JOINT_BIAS, layer, l->proj.bias);
    return error ? error : tomevit_scale_rows(d, source, VIT_JOINT_BIAS, layer,
                                              l->proj.bias);
}

int tomevit_read_parallel(struct tomevit_model *m, vit_source source,
                          size_t layer)
{
    const tomevit_description *d = &m->d;
    size_t all = (d->mlp_dim + 3 * d->dim) * d->dim;
    float *read = malloc(all * sizeof(*read));
    float *part = malloc((d->mlp_dim + d->dim) * d->dim * sizeof(*part));
    int error = read && part ? 0 : TOMEVIT_ENOMEM;

    if (!error)
        error = read_sides(m, source, layer, read);
    if (!error && d->parallel == 2)
        error = read_joint(m, source, layer, read, part);
    m->layers[layer].norm2 = m->layers[layer].norm1;
    free(read);
    free(part);
    return error;
}
