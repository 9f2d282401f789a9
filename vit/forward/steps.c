/* SPDX-License-Identifier: MIT */
/* Going through a table of steps; see steps.h. */
#include "config.h"

#include "steps.h"

/* Work-sharing loops inside the parallel region of a pass. Tasks are handed out
 * one at a time: nobody waits for the slowest image. */
#define EACH_TASK(i, count) \
    _Pragma("omp for schedule(dynamic, 1)") \
    for (size_t i = 0; i < (count); i++)

/* Rows in parts of nearly equal size, a multiple of the number of threads, and
 * each of whole tiles of rows: a tile in part takes more time than its rows. In
 * f32 a half takes little more, and threads share the rows more evenly. */
typedef struct parts {
    size_t rows, count;
    size_t unit, units;    /* rows that stay together, units of all parts */
} parts;

static parts split(const vit_team *c, size_t rows)
{
    const tomevit_model *m = c->model;
    size_t threads = (size_t)c->threads;
    size_t unit = m->low ? m->low->mr : m->dsp->mr / (threads > 1 ? 2 : 1);
    size_t most = m->block_rows / unit, units = (rows + unit - 1) / unit;
    size_t count = (units + most - 1) / most;

    count = (count + threads - 1) / threads * threads;
    return (parts){rows, count, unit, units};
}

/* First row and number of rows of a part. */
static size_t part(const parts *b, size_t index, size_t *first)
{
    size_t end = b->units * (index + 1) / b->count * b->unit;

    *first = b->units * index / b->count * b->unit;
    return (end < b->rows ? end : b->rows) - *first;
}

static void each_patches(vit_pass *p, vit_scratch *s, const vit_step *step,
                         vit_at at)
{
    const tomevit_model *m = p->c->model;
    size_t patches = m->d.tokens - m->d.prefix;
    size_t count = (patches + m->block_rows - 1) / m->block_rows;

    EACH_TASK(i, p->count * count) {
        size_t index = i % count;

        at.image = i / count;
        at.first = patches * index / count;
        at.rows = patches * (index + 1) / count - at.first;
        step->run(p, s, &at);
    }
}

static void each_rows(vit_pass *p, vit_scratch *s, const vit_step *step,
                      vit_at at, size_t all)
{
    parts all_parts = split(p->c, all);

    EACH_TASK(i, all_parts.count) {
        at.rows = part(&all_parts, i, &at.first);
        if (at.rows)
            step->run(p, s, &at);
    }
}

static void each_head(vit_pass *p, vit_scratch *s, const vit_step *step,
                      vit_at at)
{
    size_t heads = p->c->model->d.heads;
    int beside = step->beside && step->beside_when(p, &at);

    EACH_TASK(i, p->count * (heads + 1)) {
        at.image = i / (heads + 1);
        at.head = i % (heads + 1);
        if (at.head < heads)
            step->run(p, s, &at);
        else if (beside)
            step->beside(p, s, &at);
    }
}

static void each_lanes(vit_pass *p, vit_scratch *s, const vit_step *step,
                       vit_at at)
{
    size_t blocks = (p->c->model->d.dim + VIT_EMA_LANES - 1) / VIT_EMA_LANES;

    EACH_TASK(i, p->count * blocks) {
        at.image = i / blocks;
        at.head = i % blocks;
        step->run(p, s, &at);
    }
}

static void run_step(vit_pass *p, vit_scratch *s, const vit_step *step,
                     vit_at at)
{
    int restricted = at.read && !step->all_rows;

    switch (step->each) {
    case VIT_EACH_PATCHES:
        each_patches(p, s, step, at);
        break;
    case VIT_EACH_ROWS:
        each_rows(p, s, step, at, restricted ? p->count * at.read
                                             : p->c->rows.offsets[p->count]);
        break;
    case VIT_EACH_POOLED:
        each_rows(p, s, step, at, p->count);
        break;
    case VIT_EACH_LANES:
        each_lanes(p, s, step, at);
        break;
    case VIT_EACH_HEAD:
        each_head(p, s, step, at);
        break;
    case VIT_EACH_IMAGE:
        EACH_TASK(i, p->count) {
            at.image = i;
            step->run(p, s, &at);
        }
        break;
    default:
#pragma omp single
        step->run(p, s, &at);
    }
}

void tomevit_run_steps(vit_pass *p, vit_scratch *s, const vit_step *steps,
                       vit_at at)
{
    for (const vit_step *step = steps; step->run; step++)
        if (!step->when || step->when(p, &at))
            run_step(p, s, step, at);
}
