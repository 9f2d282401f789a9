/* SPDX-License-Identifier: MIT */
/* A model of bytes on pictures: whole, or byte by byte. [arXiv 2305.07185,
 * equations 1 to 6] */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"

static size_t byte_width(const tomevit_bytes *m)
{
    return m->d.global_dim / m->d.patch;
}

static vit_bytes_rows rows_of(const tomevit_bytes_context *c,
                              const vit_bytes_part *p, vit_bytes_scratch *s)
{
    return (vit_bytes_rows){
        .m = c->m, .p = p, .s = s, .x_stride = c->x_stride,
        .qkv_stride = c->qkv_stride, .hidden_stride = c->hidden_stride,
        .score_stride = c->score_stride, .cache = s->cache,
        .next_sequence = tomevit_bytes_cache(p),
    };
}

/* ---- rows in, logits out ------------------------------------------------- */

/* The row of patch k from the bytes of the one before, NULL for the first
 * [1, 2]. */
static void embed_patch(const tomevit_bytes *m, size_t k,
                        const uint8_t *before, float *x)
{
    size_t width = byte_width(m);
    const float *pos;

    if (!before) {
        memcpy(x, m->global_pad, m->d.global_dim * sizeof(*x));
        return;
    }
    pos = m->global_pos + (k - 1) * m->d.global_dim;
    for (size_t i = 0; i < m->d.patch; i++) {
        const float *e = m->global_embed + before[i] * width;

        for (size_t j = 0; j < width; j++, x++, pos++)
            *x = e[j] + *pos;
    }
}

/* The row of a byte from the one before, NULL for a patch's first; what the
 * global model says is added to it [4]. */
static void embed_byte(const tomevit_bytes *m, const uint8_t *before, float *x)
{
    memcpy(x, before ? m->local_embed + *before * m->d.local_dim
                     : m->local_pad, m->d.local_dim * sizeof(*x));
}

static void add_global(const tomevit_bytes_context *c, vit_bytes_scratch *s,
                       size_t first, size_t rows, float *global, size_t ldg)
{
    const tomevit_bytes *m = c->m;
    vit_operand_buffer none = {.rows = rows};
    vit_operand a = tomevit_operand_new(&m->to_local, global, ldg, none);

    tomevit_gemm(m->dsp, &m->to_local, VIT_ADD, rows, &a,
                 s->x + first * c->x_stride, c->x_stride, s->gemm);
}

/* Rows of x to s->logits [5, 6]. */
static void to_logits(const tomevit_bytes_context *c, vit_bytes_scratch *s,
                      size_t first, size_t rows)
{
    const tomevit_bytes *m = c->m;
    vit_operand_buffer none = {.rows = rows};
    vit_operand a = tomevit_operand_new(&m->logits,
                                        s->x + first * c->x_stride,
                                        c->x_stride, none);

    tomevit_gemm(m->dsp, &m->logits, VIT_STORE, rows, &a, s->logits,
                 VIT_BYTE_VALUES, s->gemm);
}

/* -log2 softmax(y)[byte], y becoming softmax(y). That of the likeliest byte is
 * never small, where the byte's own may be nothing in f32. */
static float bits_of(const vit_dsp *dsp, float *y, uint8_t byte)
{
    float most = -INFINITY, own = y[byte];
    size_t at = 0;

    for (size_t i = 0; i < VIT_BYTE_VALUES; i++)
        if (y[i] > most) {
            most = y[i];
            at = i;
        }
    dsp->softmax(VIT_BYTE_VALUES, 1.0f, NULL, y);
    return (float)(((double)most - (double)own) * 1.4426950408889634 -
                   log2((double)y[at]));
}

/* ---- whole pictures ------------------------------------------------------ */

typedef struct whole {
    tomevit_bytes_context *c;
    const uint8_t *bytes;
    const tomevit_bytes_output *out;
} whole;

/* By so many threads: where there are fewer pictures than threads. */
static void global_pass(const whole *w, vit_bytes_scratch *s, size_t picture,
                        int threads)
{
    const tomevit_bytes_context *c = w->c;
    const tomevit_bytes *m = c->m;
    const uint8_t *bytes = w->bytes + picture * m->d.length;
    vit_bytes_rows r = rows_of(c, &m->global, s);
    float *out = c->global + picture * m->d.length * byte_width(m);

    for (size_t k = 0; k < m->d.patches; k++)
        embed_patch(m, k, k ? bytes + (k - 1) * m->d.patch : NULL,
                    s->x + k * c->x_stride);
    r.sequences = 1;
    r.count = m->d.patches;
    r.team = c->scratch;
    r.threads = threads;
    tomevit_bytes_run(&r);
    for (size_t k = 0; k < m->d.patches; k++)
        memcpy(out + k * m->d.global_dim, s->x + k * c->x_stride,
               m->d.global_dim * sizeof(*out));
}

/* What is asked for of rows that s->logits holds. */
static void put(const whole *w, const vit_bytes_scratch *s, size_t first,
                size_t rows)
{
    const tomevit_bytes_output *out = w->out;
    const vit_dsp *dsp = w->c->m->dsp;
    size_t size = VIT_BYTE_VALUES, length = w->c->m->d.length;

    if (out->logits)
        memcpy(out->logits + first * size, s->logits,
               rows * size * sizeof(*s->logits));
    if (!out->bits && !out->probabilities && !out->each)
        return;
    for (size_t i = 0; i < rows; i++)
        if (out->bits)
            out->bits[first + i] = bits_of(dsp, s->logits + i * size,
                                           w->bytes[first + i]);
        else
            dsp->softmax(size, 1.0f, NULL, s->logits + i * size);
    if (out->each)
        out->each(out->data, first / length, first % length, rows, s->logits);
    if (out->probabilities)
        memcpy(out->probabilities + first * size, s->logits,
               rows * size * sizeof(*s->logits));
}

/* Patches first .. first + count - 1 of a picture. */
static void local_pass(const whole *w, vit_bytes_scratch *s, size_t picture,
                       size_t first, size_t count)
{
    const tomevit_bytes_context *c = w->c;
    const tomevit_bytes *m = c->m;
    size_t patch = m->d.patch, rows = count * patch, width = byte_width(m);
    size_t at = picture * m->d.length + first * patch, now;
    vit_bytes_rows r = rows_of(c, &m->local, s);

    for (size_t i = 0; i < rows; i++)
        embed_byte(m, i % patch ? w->bytes + at + i - 1 : NULL,
                   s->x + i * c->x_stride);
    for (size_t i = 0; i < rows; i += now) {
        now = rows - i < m->block_rows ? rows - i : m->block_rows;
        add_global(c, s, i, now, c->global + (at + i) * width, width);
    }
    r.sequences = count;
    r.count = patch;
    tomevit_bytes_run(&r);
    for (size_t i = 0; i < rows; i += now) {
        now = rows - i < m->block_rows ? rows - i : m->block_rows;
        to_logits(c, s, i, now);
        put(w, s, at + i, now);
    }
}

int tomevit_bytes_forward(tomevit_bytes_context *context, size_t batch,
                          const uint8_t *bytes,
                          const tomevit_bytes_output *output)
{
    whole w = {context, bytes, output};
    size_t parts, together, alone;

    if (!context || !bytes || !output || !batch || batch > context->max_batch)
        return TOMEVIT_EINVAL;
    for (size_t i = 0; i < sizeof(output->reserved) / sizeof(void *); i++)
        if (output->reserved[i])
            return TOMEVIT_EINVAL;
    together = context->together;
    parts = (context->m->d.patches + together - 1) / together;
    context->batch = 0;
    /* What is left over when all threads have had as many pictures. */
    alone = batch - batch % (size_t)context->threads;
    for (size_t i = alone; i < batch; i++)
        global_pass(&w, context->scratch, i, context->threads);
#pragma omp parallel num_threads(context->threads)
    {
        vit_bytes_scratch *s = &context->scratch[tomevit_bytes_thread()];

#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < alone; i++)
            global_pass(&w, s, i, 1);
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < batch * parts; i++) {
            size_t first = i % parts * together;
            size_t left = context->m->d.patches - first;

            local_pass(&w, s, i / parts, first,
                       left < together ? left : together);
        }
    }
    return 0;
}

/* ---- byte by byte -------------------------------------------------------- */

int tomevit_bytes_start(tomevit_bytes_context *context, size_t batch)
{
    size_t each;

    if (!context || !batch || batch > context->max_batch)
        return TOMEVIT_EINVAL;
    each = context->kept_global + context->kept_local;
    if (!context->kept) {
        if (each > SIZE_MAX / sizeof(float) / context->max_batch)
            return TOMEVIT_ENOMEM;
        context->kept = calloc(context->max_batch * each, sizeof(float));
        if (!context->kept)
            return TOMEVIT_ENOMEM;
    }
    context->batch = batch;
    context->at = 0;
    return 0;
}

/* One row of each of `count` pictures through a part, x being in place. */
static void step_part(const tomevit_bytes_context *c, const vit_bytes_part *p,
                      vit_bytes_scratch *s, size_t from, size_t count,
                      float *cache)
{
    vit_bytes_rows r = rows_of(c, p, s);

    r.sequences = count;
    r.count = 1;
    r.from = from;
    r.cache = cache;
    r.next_run = tomevit_bytes_cache(p);
    r.next_sequence = c->kept_global + c->kept_local;
    tomevit_bytes_run(&r);
}

static void step(tomevit_bytes_context *c, vit_bytes_scratch *s, size_t first,
                 size_t count, float *probabilities)
{
    const tomevit_bytes *m = c->m;
    size_t patch = c->at / m->d.patch, place = c->at % m->d.patch;
    size_t wide = m->d.global_dim;
    float *cache = c->kept + first * (c->kept_global + c->kept_local);
    float *global = c->global + first * wide;

    for (size_t i = 0; place == 0 && i < count; i++)
        embed_patch(m, patch, patch ? c->past + (first + i) * m->d.patch : NULL,
                    s->x + i * c->x_stride);
    if (place == 0) {
        step_part(c, &m->global, s, patch, count, cache);
        for (size_t i = 0; i < count; i++)
            memcpy(global + i * wide, s->x + i * c->x_stride,
                   wide * sizeof(*global));
    }
    for (size_t i = 0; i < count; i++)
        embed_byte(m, place ? c->past + (first + i) * m->d.patch + place - 1
                            : NULL, s->x + i * c->x_stride);
    add_global(c, s, 0, count, global + place * byte_width(m), wide);
    step_part(c, &m->local, s, place, count, cache + c->kept_global);
    to_logits(c, s, 0, count);
    for (size_t i = 0; i < count; i++)
        m->dsp->softmax(VIT_BYTE_VALUES, 1.0f, NULL,
                        s->logits + i * VIT_BYTE_VALUES);
    memcpy(probabilities, s->logits,
           count * VIT_BYTE_VALUES * sizeof(*probabilities));
}

int tomevit_bytes_next(tomevit_bytes_context *context, const uint8_t *before,
                       float *probabilities)
{
    tomevit_bytes_context *c = context;
    size_t each, parts;

    if (!c || !probabilities || !c->batch || c->at >= c->m->d.length ||
        (c->at > 0 && !before))
        return TOMEVIT_EINVAL;
    for (size_t i = 0; c->at > 0 && i < c->batch; i++)
        c->past[i * c->m->d.patch + (c->at - 1) % c->m->d.patch] = before[i];
    each = (c->batch + (size_t)c->threads - 1) / (size_t)c->threads;
    each = each < c->step_rows ? each : c->step_rows;
    parts = (c->batch + each - 1) / each;
#pragma omp parallel for num_threads(c->threads) schedule(dynamic, 1)
    for (size_t i = 0; i < parts; i++) {
        size_t left = c->batch - i * each;

        step(c, &c->scratch[tomevit_bytes_thread()], i * each,
             left < each ? left : each,
             probabilities + i * each * VIT_BYTE_VALUES);
    }
    c->at++;
    return 0;
}
