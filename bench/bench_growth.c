/* SPDX-License-Identifier: MIT */
/*
 * How the forward pass would grow with threads that this machine does not
 * have. One thread does the tasks of a pass that is split for many, each is
 * timed, and they are then dealt to the threads as the pass deals them: the
 * next task to the thread that is free first, and all wait at a step's end.
 *
 *     bench/bench_growth [ARCH [DTYPE [R]]]
 *
 * by default deit_small_patch16_224 f32 0. Not in it: that threads share memory
 * and outer caches, and clocks that fall when many cores work. A step's end
 * costs what BARRIER says.
 */
#include "config.h"

#include "measure.h"

#include "../vit/forward/steps.h"
#include "tomevit.h"

static size_t begin_tasks(const vit_pass *p, const vit_step *step);
static int another_task(size_t i, size_t count);

#define EACH_TASK(i, count) \
    for (size_t i = begin_tasks(p, step); another_task(i, count); i++)
#define ONE_TASK
#include "../vit/forward/steps.c"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { MOST_THREADS = 64, TURNS = 3 };

/* Seconds that threads take to find out that all have come: a few hops of a
 * cache line from core to core for every doubling. */
#define BARRIER 2e-7

/* A task of a pass: the fewest seconds of some turns, for everything else on a
 * machine only adds time. */
typedef struct task {
    vit_task *step;        /* which it is of */
    const void *images;    /* of its group */
    size_t threads;        /* that carry the group */
    int last;              /* of its step, where all wait */
    double seconds;
} task;

static struct {
    task *tasks;
    size_t count, room;
    size_t next;           /* the one under way */
    int turn;
} trace;
static double task_began;

static size_t begin_tasks(const vit_pass *p, const vit_step *step)
{
    if (trace.next + 4096 > trace.room) {
        fprintf(stderr, "more tasks than there is room for\n");
        exit(1);
    }
    trace.tasks[trace.next].step = step->run;
    trace.tasks[trace.next].images = p->images;
    trace.tasks[trace.next].threads = (size_t)p->c->threads;
    task_began = measure_now();
    return 0;
}

/* Takes note of the task that has been, if there was one. */
static int another_task(size_t i, size_t count)
{
    double took = measure_now() - task_began;
    task *t = trace.tasks + trace.next;

    if (i > 0) {
        if (trace.turn == 0 || took < t->seconds)
            t->seconds = took;
        t->last = i == count;
        trace.next++;
        if (i < count) {
            t[1].step = t->step;
            t[1].images = t->images;
            t[1].threads = t->threads;
        }
    }
    task_began = measure_now();
    return i < count;
}

/* ---- dealing ------------------------------------------------------------- */

typedef struct thread_clocks {
    size_t threads;
    double free_at[MOST_THREADS];
} thread_clocks;

static void deal(thread_clocks *c, double seconds)
{
    size_t first = 0;

    for (size_t t = 1; t < c->threads; t++)
        if (c->free_at[t] < c->free_at[first])
            first = t;
    c->free_at[first] += seconds;
}

static double last_free(const thread_clocks *c)
{
    double last = 0;

    for (size_t t = 0; t < c->threads; t++)
        last = c->free_at[t] > last ? c->free_at[t] : last;
    return last;
}

static double barrier(size_t threads)
{
    double seconds = 0;

    for (; threads > 1; threads = (threads + 1) / 2)
        seconds += BARRIER;
    return seconds;
}

/* Seconds of the tasks themselves, and until the last thread is done with
 * them; of steps of one name, or of all. */
typedef struct growth {
    double tasks, wall;
    double alone;          /* of the tasks, in groups of one thread each */
} growth;

static const char *name_of(vit_task *step);

static growth grow(size_t threads, const char *name)
{
    thread_clocks step = {0}, groups = {.threads = threads};
    growth g = {0};
    double group = 0;

    for (size_t i = 0; i < trace.count; i++) {
        const task *t = trace.tasks + i;

        if (name && strcmp(name_of(t->step), name))
            continue;
        g.tasks += t->seconds;
        if (t->threads == 1) {
            g.alone += t->seconds;
            group += t->seconds;
            if (i + 1 == trace.count || t[1].images != t->images) {
                deal(&groups, group);
                group = 0;
            }
            continue;
        }
        step.threads = t->threads;
        deal(&step, t->seconds);
        if (t->last) {
            g.wall += last_free(&step) + barrier(step.threads);
            memset(&step, 0, sizeof(step));
        }
    }
    g.wall += last_free(&groups);
    return g;
}

static void check(int error)
{
    if (error) {
        fprintf(stderr, "a call failed: %s\n", tomevit_strerror(error));
        exit(1);
    }
}

static void run(const tomevit_model *model, const tomevit_merging *merging,
                size_t batch, size_t threads)
{
    const tomevit_description *d = tomevit_describe(model);
    size_t pixels = 3 * d->image_size * d->image_size;
    float *data = measure_floats(pixels), *logits;
    tomevit_image *images = measure_memory(batch * sizeof(*images));
    tomevit_output out = {0};
    tomevit_context *context;

    logits = measure_memory(batch * d->classes * sizeof(*logits));
    for (size_t b = 0; b < batch; b++)
        images[b] = (tomevit_image){.data = data, .format = TOMEVIT_F32_CHW};
    out.logits = logits;
    check(tomevit_context_create(model, batch, (int)threads, &context));
    check(tomevit_forward(context, merging, batch, images, &out));
    for (trace.turn = 0; trace.turn < TURNS; trace.turn++) {
        trace.next = 0;
        check(tomevit_forward(context, merging, batch, images, &out));
        trace.count = trace.next;
    }
    trace.turn = trace.next = 0;
    tomevit_context_free(context);
    free(logits);
    free(images);
    free(data);
}

/* Steps by what they are called; those that are not here are "merging". */
static const struct {
    vit_task *run;
    const char *name;
} names[] = {
    {tomevit_embed, "patches"},
    {tomevit_qkv, "q, k, v"},
    {tomevit_keys_values, "q, k, v"},
    {tomevit_queries, "q, k, v"},
    {tomevit_attention, "attention"},
    {tomevit_attention_low, "attention"},
    {tomevit_projection, "projection"},
    {tomevit_mlp, "MLP"},
    {tomevit_pool, "head"},
    {tomevit_heads, "head"},
};

static const char *name_of(vit_task *step)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (names[i].run == step)
            return names[i].name;
    return "merging";
}

static const char *const columns[] = {
    "patches", "q, k, v", "attention", "projection", "MLP", "merging", "head",
};
enum { COLUMNS = sizeof(columns) / sizeof(*columns) };

/* Of the threads' time, the share that they spend on tasks rather than on
 * waiting: in all, and in each kind of step where they go together. */
static void print_line(size_t batch, size_t threads)
{
    growth all = grow(threads, NULL);

    printf("%5zu  %7zu  %8.1f  %8.1f %%", batch, threads,
           all.tasks / all.wall, 100 * all.tasks / all.wall / (double)threads);
    for (size_t k = 0; k < COLUMNS; k++) {
        growth g = grow(threads, columns[k]);
        int width = (int)strlen(columns[k]);

        if (g.alone > 0 || g.tasks == 0)
            printf("  %*s", width, "");
        else
            printf("  %*.0f", width, 100 * g.tasks / g.wall / (double)threads);
    }
    printf("\n");
}

static void print_head(const char *arch, const char *dtype, size_t r)
{
    printf("%s, %s, r=%zu, a barrier of %.1f us for each doubling\n\n", arch,
           dtype, r, BARRIER * 1e6);
    printf("batch  threads  speed-up  efficiency");
    for (size_t k = 0; k < COLUMNS; k++)
        printf("  %s", columns[k]);
    printf("\n");
}

int main(int argc, char **argv)
{
    static const size_t batches[] = {1, 8, 64};
    const char *arch = argc > 1 ? argv[1] : "deit_small_patch16_224";
    const char *dtype = argc > 2 ? argv[2] : "f32";
    size_t r = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    tomevit_open_options with;
    tomevit_merging merging;
    tomevit_model *model;
    size_t *schedule;

    tomevit_open_options_init(&with);
    check(tomevit_dtype_from_name(dtype, &with.dtype));
    check(tomevit_random(arch, 1, &with, &model));
    trace.room = (size_t)1 << 20;
    trace.tasks = measure_memory(trace.room * sizeof(*trace.tasks));
    schedule = measure_memory(tomevit_describe(model)->depth *
                              sizeof(*schedule));
    for (size_t i = 0; i < tomevit_describe(model)->depth; i++)
        schedule[i] = r;
    tomevit_merging_init(&merging);
    merging.r = schedule;
#ifdef _OPENMP
    omp_set_max_active_levels(0);
#endif
    print_head(arch, dtype, r);
    for (size_t i = 0; i < sizeof(batches) / sizeof(*batches); i++) {
        for (size_t threads = 1; threads <= MOST_THREADS; threads *= 2) {
            run(model, &merging, batches[i], threads);
            print_line(batches[i], threads);
        }
    }
    free(schedule);
    free(trace.tasks);
    tomevit_close(model);
    return 0;
}
