/* SPDX-License-Identifier: MIT */
/* A model: built once for the CPU tier in use, and what it says of itself. */
#include "config.h"

#include "model.h"

#include <stdlib.h>

/* Rows of a product in this type at most. */
static size_t rows_of(const vit_low *low)
{
    return low ? low->block_rows : VIT_BLOCK_ROWS;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int build(struct tomevit_model *m, vit_source source)
{
    uint32_t flags = tomevit_low_permitted(m->dtype, tomerge_cpu_flags());
    int error;

    m->dsp = tomevit_dsp_choose(flags);
    m->low = tomevit_low_choose(m->dtype, flags);
    if (!m->d.differential && !m->d.talking)
        m->outer = tomevit_low_outer(m->low, flags);
    m->resize = source.resize;
    m->block_rows = smaller(rows_of(m->low), rows_of(m->outer));
    tomevit_carve_weights(m, &m->arena);
    m->bytes = m->arena.used;
    error = tomevit_arena_allocate(&m->arena);
    if (error)
        return error;
    tomevit_carve_weights(m, &m->arena);
    return tomevit_fill_weights(m, source);
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
