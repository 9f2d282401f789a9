/* SPDX-License-Identifier: MIT */
/* The forward pass: the steps of every layer, over groups of images. */
#include "config.h"

#include "../base/reserved.h"
#include "steps.h"

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

static void start_group(const vit_pass *p)
{
    vit_team *c = p->c;
    size_t tokens = c->model->d.tokens, depth = c->model->d.depth;
    size_t prefix = c->model->d.prefix, row = 0;

    for (size_t b = 0; b < p->count; b++) {
        size_t own = vit_tokens_of(p, b);

        c->rows.offsets[b] = row;
        for (size_t i = 0; p->out.layer_rows && i < depth; i++)
            p->out.layer_rows[b * depth + i] = own;
        for (size_t t = 0; t < tokens; t++)
            c->rows.trace[b * tokens + t] = t < own ? (int32_t)t : -1;
        for (size_t t = 0; t < own; t++, row++) {
            c->rows.size[row] = 1.0f;
            c->rows.place[row] = t < prefix ? -1 : (int32_t)(t - prefix);
        }
    }
    c->rows.offsets[p->count] = row;
}

/* ---- the last layer ------------------------------------------------------ */

static int wants_plan(const vit_pass *p)
{
    return p->out.map || p->out.sizes || p->out.rows || p->out.last_rows;
}

/* r of the last layer, 0 if nobody asks what it does to the tokens: those
 * that the head reads are protected and merge with none. */
static size_t last_r(const vit_pass *p)
{
    size_t last = p->c->model->d.depth - 1;

    return p->merging->r && wants_plan(p) ? p->merging->r[last] : 0;
}

/* How many rows of an image the last layer may restrict itself to; 0: it must
 * compute all, for the head, for the caller or for a plan that needs them
 * all. */
static size_t rows_read(const vit_pass *p)
{
    size_t last = p->c->model->d.depth - 1;
    int early = p->merging->where == TOMEVIT_MERGE_AHEAD ||
                p->merging->where == TOMEVIT_MERGE_BEFORE;
    int compares_all = (p->needs & TOMERGE_NEEDS_METRIC) &&
                       p->merging->metric == TOMEVIT_METRIC_X;
    int asks_all = tomevit_ranks_at(p->merging, last) &&
                   p->merging->importance == TOMEVIT_IMPORTANCE_RECEIVED;

    if (early && p->merging->r && p->merging->r[last] > 0)
        return 0; /* what the head reads depends on it */
    if (p->out.last_rows || (last_r(p) > 0 && (compares_all || asks_all)))
        return 0;
    return tomevit_pool_reads(&p->c->model->d);
}

/* Of a last layer that leaves its merging out: the rows its r would leave. */
static void count_last_rows(const vit_pass *p)
{
    const tomevit_description *d = &p->c->model->d;

    for (size_t b = 0; p->out.layer_rows && b < p->count; b++) {
        size_t *rows = p->out.layer_rows + b * d->depth;
        size_t last = d->depth - 1;

        rows[last] = tomevit_rows_after(
            d, p->merging, last, vit_patches_of(p, b),
            last ? rows[last - 1] : vit_tokens_of(p, b));
    }
}

void tomevit_report_merging(vit_pass *p, vit_scratch *unused,
                            const vit_at *none)
{
    const vit_team *c = p->c;
    size_t tokens = c->model->d.tokens;

    (void)unused;
    (void)none;
    for (size_t b = 0; b < p->count; b++) {
        size_t rows = c->rows.offsets[b + 1] - c->rows.offsets[b];

        if (p->out.map)
            memcpy(p->out.map + b * tokens, c->rows.trace + b * tokens,
                   tokens * sizeof(*c->rows.trace));
        if (p->out.sizes)
            memcpy(p->out.sizes + b * tokens, c->rows.size + c->rows.offsets[b],
                   rows * sizeof(*c->rows.size));
        if (p->out.rows)
            p->out.rows[b] = rows;
    }
}

/* ---- groups -------------------------------------------------------------- */

/* One layer; every thread of the team runs this. */
static void run_layer(vit_pass *p, vit_scratch *s, size_t layer)
{
    const tomevit_model *m = p->c->model;
    const vit_block *block = tomevit_block_of(&m->d);
    int last = p->read > 0 && layer + 1 == m->d.depth;
    vit_at at = {
        .index = layer,
        .layer = &m->layers[layer / (m->d.share ? m->d.share : 1)],
        .r = p->merging->r ? p->merging->r[layer] : 0,
    };

    if (last) {
        at.read = p->read;
        at.r = last_r(p);
    }
    tomevit_run_steps(p, s, last ? block->last_steps : block->steps, at);
}

static int wants_heads(const vit_pass *p, const vit_at *unused)
{
    (void)unused;
    return p->out.logits || p->out.embedding;
}

static int wants_rows(const vit_pass *p, const vit_at *unused)
{
    (void)unused;
    return p->out.last_rows != NULL;
}

static const vit_step before[] = {
    {VIT_EACH_IMAGE, .run = tomevit_place, .when = tomevit_has_places},
    {VIT_EACH_PATCHES, .run = tomevit_embed},
    {0},
};

/* What the layers begin with. */
static void embed(vit_pass *p, vit_scratch *s)
{
    if (p->c->model->d.stages[0])
        tomevit_run_stages(p, s);
    else
        tomevit_run_steps(p, s, before, (vit_at){0});
}

static int is_mega(const vit_pass *p, const vit_at *unused)
{
    (void)unused;
    return p->c->model->d.block == TOMEVIT_BLOCK_MEGA;
}

static int is_megalodon(const vit_pass *p, const vit_at *unused)
{
    (void)unused;
    return p->c->model->d.block == TOMEVIT_BLOCK_MEGALODON;
}

static const vit_step after[] = {
    {VIT_EACH_ROWS, .run = tomevit_mega_out, .when = is_mega},
    {VIT_EACH_IMAGE, .run = tomevit_megalodon_out, .when = is_megalodon},
    {VIT_EACH_IMAGE, .run = tomevit_pool},
    {VIT_EACH_IMAGE, .run = tomevit_last_rows, .when = wants_rows},
    {VIT_EACH_POOLED, .run = tomevit_heads, .when = wants_heads},
    {0},
};

/* 0, or why what it wrote means nothing. */
static int run_team(vit_pass *p)
{
    vit_team *c = p->c;

    c->error = 0;
    start_group(p);
    p->read = rows_read(p);
#pragma omp parallel num_threads(c->threads)
    {
        vit_scratch *s = &c->scratch[my_number()];
        vit_at at = {0};

        s->backwards = 0;
        embed(p, s);
        for (size_t layer = 0; layer < c->model->d.depth; layer++)
            run_layer(p, s, layer);
        tomevit_run_steps(p, s, after, at);
    }
    if (p->read == 0)
        tomevit_report_merging(p, NULL, NULL);
    else if (!wants_plan(p))
        count_last_rows(p);
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
    o.layer_rows = o.layer_rows ? o.layer_rows + first * d->depth : NULL;
    if (o.last_rows)
        o.last_rows += first * d->tokens * d->dim;
    o.embedding = o.embedding && d->embedding
        ? o.embedding + first * d->embedding : NULL;
    return o;
}

static int run_group(const request *q, vit_team *team, size_t first,
                     size_t count)
{
    vit_pass p = {
        .c = team,
        .merging = q->merging,
        .needs = tomevit_needs_of(&team->model->d, q->merging),
        .images = q->images + first,
        .out = output_from(q->out, first, &team->model->d),
        .count = count,
    };

    return run_team(&p);
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

/* ---- public -------------------------------------------------------------- */

static int valid_merging(const tomevit_merging *m,
                         const tomevit_description *d)
{
    return m->struct_size == sizeof(*m) &&
           tomerge_combine_name(m->combine) &&
           tomevit_metric_name(m->metric) &&
           tomevit_rope_merge_name(m->rope_merge) &&
           m->ema_merge >= 0 && m->ema_merge <= TOMEVIT_EMA_ROWS &&
           VIT_UNUSED(m->reserved) &&
           m->importance >= TOMEVIT_IMPORTANCE_CLASS &&
           m->importance <= TOMEVIT_IMPORTANCE_RECEIVED &&
           m->sizes >= TOMEVIT_SIZES_COUNT &&
           m->sizes <= TOMEVIT_SIZES_COSINE &&
           m->weights >= TOMEVIT_WEIGHTS_SIZE &&
           m->weights <= TOMEVIT_WEIGHTS_IMPORTANCE &&
           m->where >= TOMEVIT_MERGE_BETWEEN &&
           m->where <= TOMEVIT_MERGE_AFTER && !m->reserved_int &&
           !m->matching.role && /* rows of later layers have none */
           !m->matching.importance && !m->matching.size &&
           !tomevit_schedule_tokens(d, m, NULL);
}

static int valid_output(const tomevit_output *out)
{
    for (size_t i = 0; i < sizeof(out->reserved) / sizeof(void *); i++)
        if (out->reserved[i])
            return 0;
    return 1;
}

/* One of the model's sides, or of its own where the model takes such. */
static int valid_sides(const tomevit_image *image,
                       const tomevit_description *d)
{
    size_t most = d->preprocessing.max_patches;
    size_t height = image->height, width = image->width;

    if (!height && !width)
        return !most || tomevit_grid_patches(d) <= most;
    if (!most)
        return height == d->image_size && width == tomevit_image_width(d);
    return height && width && height % d->patch == 0 &&
           width % d->patch == 0 && height / d->patch <= most &&
           width / d->patch <= most / (height / d->patch);
}

static int valid_image(const tomevit_image *image, const tomevit_description *d)
{
    return image->data && valid_sides(image, d) &&
           (image->format == TOMEVIT_RGB8_HWC ||
            image->format == TOMEVIT_F32_CHW);
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
        if (!valid_image(&images[b], d))
            return TOMEVIT_EINVAL;

    q = (request){merging, images, output};
    alone = count_alone(context, batch);
    if (alone)
        error = run_alone(&q, context, alone);
    return error ? error : run_together(&q, context, alone, batch - alone);
}
