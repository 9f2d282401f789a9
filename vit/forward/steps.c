/* SPDX-License-Identifier: MIT */
/* Going through a table of steps; see steps.h. */
#include "config.h"

#include "steps.h"

/* Work-sharing loops inside the parallel region of a pass, over the tasks of
 * `step`. They are handed out one at a time: nobody waits for the slowest
 * image. bench/bench_growth.c has loops of its own. */
#ifndef EACH_TASK
#define EACH_TASK(i, count) \
    _Pragma("omp for schedule(dynamic, 1)") \
    for (size_t i = 0; i < (count); i++)
#define ONE_TASK _Pragma("omp single")
#endif

/* Rows in parts of nearly equal size, a multiple of the number of threads, and
 * each of whole tiles of rows: a tile in part takes more time than its rows. In
 * f32 a half takes little more, and threads share the rows more evenly. */
typedef struct parts {
    size_t rows, count;
    size_t unit, units;    /* rows that stay together, units of all parts */
} parts;

static size_t quotient_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static parts split(const vit_team *c, size_t rows)
{
    const tomevit_model *m = c->model;
    size_t threads = (size_t)c->threads;
    size_t unit = m->low ? m->low->mr : m->dsp->mr / (threads > 1 ? 2 : 1);
    size_t most = m->block_rows / unit, units = quotient_up(rows, unit);
    size_t count = quotient_up(quotient_up(units, most), threads) * threads;

    return (parts){rows, count, unit, units};
}

/* First row and number of rows of a part. */
static size_t part(const parts *b, size_t index, size_t *first)
{
    size_t end = b->units * (index + 1) / b->count * b->unit;

    *first = b->units * index / b->count * b->unit;
    return (end < b->rows ? end : b->rows) - *first;
}

/* Patches of an image, the most there can be: in as many parts as fit a block,
 * and more if otherwise there were not enough for all threads. */
static parts split_patches(const vit_team *c, size_t images)
{
    size_t patches = c->model->d.tokens - c->model->d.prefix;
    size_t blocks = quotient_up(patches, c->model->block_rows);
    parts p = split(c, patches);

    p.count = quotient_up((size_t)c->threads, images);
    if (p.count > p.units)
        p.count = p.units;
    if (p.count < blocks)
        p = (parts){patches, blocks, 1, patches};
    return p;
}

/* The same parts of fewer patches. */
static parts of_fewer(parts p, size_t patches)
{
    p.rows = patches;
    p.units = quotient_up(patches, p.unit);
    return p;
}

/* Steps take turns at beginning with the first task and with the last: what
 * the step before has written last is still in a cache. */
static size_t turned(const vit_scratch *s, size_t task, size_t count)
{
    return s->backwards ? count - 1 - task : task;
}

static void each_patches(vit_pass *p, vit_scratch *s, const vit_step *step,
                         vit_at at)
{
    parts most = split_patches(p->c, p->count);

    EACH_TASK(t, p->count * most.count) {
        size_t i = turned(s, t, p->count * most.count);
        parts of_image = of_fewer(most, vit_patches_of(p, i / most.count));

        at.image = i / most.count;
        at.rows = part(&of_image, i % most.count, &at.first);
        if (at.rows)
            step->run(p, s, &at);
    }
}

static void each_strip(vit_pass *p, vit_scratch *s, const vit_step *step,
                       vit_at at)
{
    at.rows = (size_t)p->c->threads;
    EACH_TASK(t, at.rows) {
        at.first = turned(s, t, at.rows);
        step->run(p, s, &at);
    }
}

static void each_rows(vit_pass *p, vit_scratch *s, const vit_step *step,
                      vit_at at, size_t all)
{
    parts all_parts = split(p->c, all);

    EACH_TASK(t, all_parts.count) {
        size_t i = turned(s, t, all_parts.count);

        at.rows = part(&all_parts, i, &at.first);
        if (at.rows)
            step->run(p, s, &at);
    }
}

/* In how many tasks the queries of a head are looked at, so that threads are
 * done soonest. A task reorders all of its head's keys and values, which takes
 * about an eighth of the time of all queries. */
static size_t shares_of_a_head(const vit_pass *p, const vit_step *step,
                               const vit_at *at)
{
    enum { MOST = 16, REORDERING = 8 };
    size_t heads = p->count * p->c->model->d.heads, best = 1;
    double least = 0;

    if (!step->by_queries || p->c->model->d.talking || at->read ||
        tomevit_takes_note(p, at))
        return 1;
    for (size_t shares = 1; shares <= MOST; shares++) {
        double rounds = (double)quotient_up(heads * shares,
                                            (size_t)p->c->threads);
        double time = rounds * (1.0 / (double)shares + 1.0 / REORDERING);

        if (shares == 1 || time < least) {
            least = time;
            best = shares;
        }
    }
    return best;
}

static void each_head(vit_pass *p, vit_scratch *s, const vit_step *step,
                      vit_at at)
{
    const tomevit_model *m = p->c->model;
    size_t heads = m->d.heads, shares = shares_of_a_head(p, step, &at);
    size_t tasks = heads * shares + 1;
    size_t unit = m->outer ? m->outer->strip : m->dsp->mr;
    int beside = step->beside && step->beside_when(p, &at);

    EACH_TASK(t, p->count * tasks) {
        size_t i = turned(s, t, p->count * tasks);
        const size_t *offsets = p->c->rows.offsets + i / tasks;
        size_t rows = offsets[1] - offsets[0];
        parts all = {rows, shares, unit, quotient_up(rows, unit)};

        at.image = i / tasks;
        at.head = i % tasks / shares;
        at.first = at.rows = 0;
        if (at.head == heads) {
            if (beside)
                step->beside(p, s, &at);
            continue;
        }
        if (shares > 1)
            at.rows = part(&all, i % tasks % shares, &at.first);
        if (shares == 1 || at.rows)
            step->run(p, s, &at);
    }
}

static void each_lanes(vit_pass *p, vit_scratch *s, const vit_step *step,
                       vit_at at)
{
    size_t blocks = (p->c->model->d.dim + VIT_EMA_LANES - 1) / VIT_EMA_LANES;

    EACH_TASK(t, p->count * blocks) {
        size_t i = turned(s, t, p->count * blocks);

        at.image = i / blocks;
        at.head = i % blocks;
        step->run(p, s, &at);
    }
}

static void each_chunk(vit_pass *p, vit_scratch *s, const vit_step *step,
                       vit_at at)
{
    const tomevit_description *d = &p->c->model->d;
    size_t chunks = quotient_up(d->tokens, d->mega.chunk);

    EACH_TASK(t, p->count * chunks) {
        size_t i = turned(s, t, p->count * chunks);

        at.image = i / chunks;
        at.head = i % chunks;
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
    case VIT_EACH_STRIP:
        each_strip(p, s, step, at);
        break;
    case VIT_EACH_ROWS:
        each_rows(p, s, step, at, restricted ? p->count * at.read
                                             : p->c->rows.offsets[p->count]);
        break;
    case VIT_EACH_NEXT:
        each_rows(p, s, step, at, p->c->next.offsets[p->count]);
        break;
    case VIT_EACH_POOLED:
        each_rows(p, s, step, at, p->count);
        break;
    case VIT_EACH_CHUNK:
        each_chunk(p, s, step, at);
        break;
    case VIT_EACH_LANES:
        each_lanes(p, s, step, at);
        break;
    case VIT_EACH_HEAD:
        each_head(p, s, step, at);
        break;
    case VIT_EACH_IMAGE:
        EACH_TASK(t, p->count) {
            at.image = turned(s, t, p->count);
            step->run(p, s, &at);
        }
        break;
    default:
        ONE_TASK
        step->run(p, s, &at);
    }
}

void tomevit_run_steps(vit_pass *p, vit_scratch *s, const vit_step *steps,
                       vit_at at)
{
    for (const vit_step *step = steps; step->run; step++) {
        if (step->when && !step->when(p, &at))
            continue;
        run_step(p, s, step, at);
        s->backwards ^= step->each != VIT_ONCE;
    }
}
