/* SPDX-License-Identifier: MIT */
/* The forward pass: the steps of every layer, over groups of images. */
#include "config.h"

#include "context.h"
#include "../base/reserved.h"

#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* Of this thread among those of the parallel region around it. */
static size_t my_number(void)
{
#ifdef _OPENMP
    return (size_t)omp_get_thread_num();
#else
    return 0;
#endif
}

/* Work-sharing loops inside the parallel region of run_crew. Tasks are
 * handed out one at a time: nobody waits for the slowest image. */
#define EACH_TASK(i, count) \
    _Pragma("omp for schedule(dynamic, 1)") \
    for (size_t i = 0; i < (count); i++)

typedef void block_step(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                        size_t first, size_t rows);

static void each_block(const vit_pass *p, const vit_layer *l, vit_scratch *s,
                       size_t all_rows, block_step *step)
{
    vit_blocks blocks = tomevit_blocks(p->c, all_rows);

    EACH_TASK(i, blocks.count) {
        size_t first, rows = tomevit_block(&blocks, i, &first);

        if (rows)
            step(p, l, s, first, rows);
    }
}

static void start_group(const vit_pass *p)
{
    vit_crew *c = p->c;
    size_t tokens = c->model->d.tokens;

    for (size_t b = 0; b <= p->count; b++)
        c->offsets[b] = b * tokens;
    for (size_t b = 0; b < p->count; b++) {
        for (size_t t = 0; t < tokens; t++) {
            c->trace[b * tokens + t] = (int32_t)t;
            c->sizes[b * tokens + t] = 1.0f;
        }
    }
}

/* Attention of a layer and, with metrics that need no more than q, k and v,
 * the plans: one more task for each image, whose keys are still in a cache. */
static void attend(const vit_pass *p, vit_scratch *s, size_t layer, size_t r,
                   size_t read)
{
    size_t heads = p->c->model->d.heads;

    EACH_TASK(i, p->count * (heads + 1)) {
        size_t image = i / (heads + 1), head = i % (heads + 1);

        if (head < heads)
            tomevit_attention(p, s, image, head, read);
        else if (r > 0 && p->merging->metric != TOMEVIT_METRIC_X)
            tomevit_plan(p, s, layer, r, image);
    }
}

static void merge(vit_pass *p, vit_scratch *s)
{
#pragma omp single
    tomevit_pack_offsets(p);
    EACH_TASK(i, p->count)
        tomevit_reduce(p, s, i);
#pragma omp single
    {
        tomevit_swap(p);
        p->merged = 1;
    }
}

/* One layer; every thread of the team runs this. */
static void run_layer(vit_pass *p, vit_scratch *s, size_t layer)
{
    vit_crew *c = p->c;
    const vit_layer *l = &c->model->layers[layer];
    size_t r = p->merging->r ? p->merging->r[layer] : 0;
    size_t rows = c->offsets[p->count];

    each_block(p, l, s, rows, tomevit_qkv);
    attend(p, s, layer, r, 0);
    each_block(p, l, s, rows, tomevit_projection);
    if (r > 0 && p->merging->metric == TOMEVIT_METRIC_X) {
        EACH_TASK(i, p->count)
            tomevit_plan(p, s, layer, r, i);
    }
    if (r > 0)
        merge(p, s);
    each_block(p, l, s, c->offsets[p->count], tomevit_mlp);
}

/* ---- the last layer ---------------------------------------------------------- */

static int wants_plan(const vit_pass *p)
{
    return p->out.map || p->out.sizes || p->out.rows;
}

/* r of the last layer, 0 if nobody asks what it does to the tokens: those
 * that the head reads are protected and merge with none. */
static size_t last_r(const vit_pass *p)
{
    size_t last = p->c->model->d.depth - 1;

    return p->merging->r && wants_plan(p) ? p->merging->r[last] : 0;
}

/* How many rows of an image the last layer may restrict itself to; 0: it must
 * compute all, for the head or for a plan that needs them all. */
static size_t rows_read(const vit_pass *p)
{
    if (last_r(p) > 0 && p->merging->metric == TOMEVIT_METRIC_X)
        return 0;
    return tomevit_pool_reads(&p->c->model->d);
}

/* What was merged, image by image. */
static void report_merging(const vit_pass *p)
{
    const vit_crew *c = p->c;
    size_t tokens = c->model->d.tokens;

    for (size_t b = 0; b < p->count; b++) {
        size_t rows = c->offsets[b + 1] - c->offsets[b];

        if (p->out.map)
            memcpy(p->out.map + b * tokens, c->trace + b * tokens,
                   tokens * sizeof(*c->trace));
        if (p->out.sizes)
            memcpy(p->out.sizes + b * tokens, c->sizes + c->offsets[b],
                   rows * sizeof(*c->sizes));
        if (p->out.rows)
            p->out.rows[b] = rows;
    }
}

/* The last layer where few rows are read: keys and values of all tokens, and
 * everything else of those rows, in the same order of sums. */
static void run_last_layer(vit_pass *p, vit_scratch *s)
{
    vit_crew *c = p->c;
    size_t layer = c->model->d.depth - 1, r = last_r(p);
    const vit_layer *l = &c->model->layers[layer];
    size_t rows = c->offsets[p->count], read = p->count * p->read;

    each_block(p, l, s, rows, r > 0 && p->merging->metric == TOMEVIT_METRIC_Q
                              ? tomevit_qkv : tomevit_keys_values);
    each_block(p, l, s, read, tomevit_queries);
    attend(p, s, layer, r, p->read);
    if (r > 0)
        merge(p, s);
#pragma omp single
    {
        report_merging(p);
        tomevit_keep_read(p);
    }
    each_block(p, l, s, read, tomevit_projection);
    each_block(p, l, s, read, tomevit_mlp);
}

/* ---- groups --------------------------------------------------------------------- */

static void heads_step(const vit_pass *p, const vit_layer *unused,
                       vit_scratch *s, size_t first, size_t rows)
{
    (void)unused;
    tomevit_heads(p, s, first, rows);
}

/* 0, or why what it wrote means nothing. */
static int run_crew(vit_pass *p)
{
    vit_crew *c = p->c;
    size_t depth = c->model->d.depth;

    c->error = 0;
    start_group(p);
    p->read = rows_read(p);
#pragma omp parallel num_threads(c->threads)
    {
        vit_scratch *s = &c->scratch[my_number()];

        EACH_TASK(i, tomevit_embed_tasks(p))
            tomevit_embed(p, s, i);
        for (size_t layer = 0; layer + (p->read > 0) < depth; layer++)
            run_layer(p, s, layer);
        if (p->read > 0)
            run_last_layer(p, s);
        EACH_TASK(i, p->count)
            tomevit_pool(p, s, i);
        if (p->out.logits)
            each_block(p, NULL, s, p->count, heads_step);
    }
    if (p->read == 0)
        report_merging(p);
    return c->error;
}

/* What a call of tomevit_forward asks for. */
typedef struct request {
    const tomevit_merging *merging;
    const tomevit_image *images;
    const tomevit_output *out;
} request;

/* The rows of an output that belong to the images from `first` on. */
static tomevit_output output_from(const tomevit_output *out, size_t first,
                                  const tomevit_description *d)
{
    tomevit_output o = *out;

    o.logits = o.logits && d->classes ? o.logits + first * d->classes : NULL;
    o.features = o.features ? o.features + first * d->features : NULL;
    o.map = o.map ? o.map + first * d->tokens : NULL;
    o.sizes = o.sizes ? o.sizes + first * d->tokens : NULL;
    o.rows = o.rows ? o.rows + first : NULL;
    return o;
}

static int run_group(const request *q, vit_crew *crew, size_t first,
                     size_t count)
{
    vit_pass p = {
        .c = crew,
        .merging = q->merging,
        .images = q->images + first,
        .out = output_from(q->out, first, &crew->model->d),
        .count = count,
    };

    return run_crew(&p);
}

/* How many images of a batch threads carry alone, as many each. Some that are
 * left over would make small groups: together go a few more. */
static size_t count_alone(const tomevit_context *c, size_t batch)
{
    size_t threads = (size_t)c->all.threads, each = batch / threads;

    if (each && batch % threads)
        each--;
    return c->alone->group ? each * threads : 0;
}

/* The first images, a multiple of the threads, in rounds of one group of the
 * same size for each thread. */
static int run_alone(const request *q, tomevit_context *c, size_t images)
{
    size_t threads = (size_t)c->all.threads, each = images / threads;
    size_t group = c->alone->group, rounds = (each + group - 1) / group;
    int error = 0;

#pragma omp parallel for num_threads(c->all.threads) schedule(dynamic, 1)
    for (size_t i = 0; i < rounds * threads; i++) {
        size_t round = i / threads, first = each * round / rounds;
        size_t count = each * (round + 1) / rounds - first;

        if (run_group(q, &c->alone[my_number()],
                      first * threads + i % threads * count, count)) {
#pragma omp atomic write
            error = TOMEVIT_EINVAL;
        }
    }
    return error;
}

static int run_together(const request *q, tomevit_context *c, size_t first,
                        size_t images)
{
    size_t groups = (images + c->all.group - 1) / c->all.group;
    int error = 0;

    for (size_t g = 0; !error && g < groups; g++) {
        size_t done = images * g / groups;

        error = run_group(q, &c->all, first + done,
                          images * (g + 1) / groups - done);
    }
    return error;
}

/* ---- public ------------------------------------------------------------------ */

static int valid_merging(const tomevit_merging *m,
                         const tomevit_description *d)
{
    size_t bytes;

    return m->struct_size == sizeof(*m) &&
           tomerge_combine_name(m->combine) &&
           tomevit_metric_name(m->metric) &&
           !m->reserved_int && VIT_UNUSED(m->reserved) &&
           !m->matching.role && /* rows of later layers have none */
           !m->matching.importance &&
           !(tomerge_method_needs(m->matching.method) &
             ~(uint32_t)(TOMERGE_NEEDS_METRIC | TOMERGE_NEEDS_R)) &&
           !tomerge_match_workspace(&m->matching, d->tokens, d->dim, &bytes) &&
           !tomevit_schedule_tokens(d, m, NULL);
}

static int valid_output(const tomevit_output *out)
{
    for (size_t i = 0; i < sizeof(out->reserved) / sizeof(void *); i++)
        if (out->reserved[i])
            return 0;
    return 1;
}

int tomevit_forward(tomevit_context *context, const tomevit_merging *merging,
                    size_t batch, const tomevit_image *images,
                    const tomevit_output *output)
{
    const tomevit_description *d;
    tomevit_merging none;
    size_t alone;
    request q;
    int error = 0;

    if (!context || !batch || batch > context->max_batch || !images || !output)
        return TOMEVIT_EINVAL;
    d = &context->all.model->d;
    tomevit_merging_init(&none);
    merging = merging ? merging : &none;
    if (!valid_merging(merging, d) || !valid_output(output))
        return TOMEVIT_EINVAL;
    for (size_t b = 0; b < batch; b++)
        if (!images[b].data || (images[b].format != TOMEVIT_RGB8_HWC &&
                                images[b].format != TOMEVIT_F32_CHW))
            return TOMEVIT_EINVAL;

    q = (request){merging, images, output};
    alone = count_alone(context, batch);
    if (alone)
        error = run_alone(&q, context, alone);
    return error ? error : run_together(&q, context, alone, batch - alone);
}
