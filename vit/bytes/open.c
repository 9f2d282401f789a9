/* SPDX-License-Identifier: MIT */
/* Opening a model of bytes: its weights, packed for the CPU tier in use. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "../base/reserved.h"

/* ---- memory -------------------------------------------------------------- */

static void carve_norm(vit_bytes_norm *n, size_t dim, int rms,
                       vit_arena *arena)
{
    n->weight = tomevit_carve_f32(arena, dim);
    n->bias = rms ? NULL : tomevit_carve_f32(arena, dim);
}

static void carve_part(const struct tomevit_bytes *m, vit_bytes_part *p,
                       vit_arena *arena)
{
    vit_bytes_block unused, *blocks;

    blocks = tomevit_carve(arena, p->blocks_count, sizeof(*blocks));
    p->blocks = blocks;
    for (size_t i = 0; i < p->blocks_count; i++) {
        vit_bytes_block *b = blocks ? &blocks[i] : &unused;

        carve_norm(&b->norm1, p->dim, p->rms, arena);
        carve_norm(&b->norm2, p->dim, p->rms, arena);
        tomevit_matrix_carve(m->dsp, m->low, &b->qkv,
                             p->dim + 2 * vit_bytes_kv_width(p), p->dim, arena);
        tomevit_matrix_carve(m->dsp, m->low, &b->o, p->dim, p->dim, arena);
        tomevit_matrix_carve(m->dsp, m->low, &b->up, vit_bytes_up_width(p),
                             p->dim, arena);
        tomevit_matrix_carve(m->dsp, m->low, &b->down, p->dim, p->hidden,
                             arena);
    }
    carve_norm(&p->norm, p->dim, p->rms, arena);
}

static void carve(struct tomevit_bytes *m, vit_arena *arena)
{
    size_t dg = m->d.global_dim / m->d.patch, dl = m->d.local_dim;

    carve_part(m, &m->global, arena);
    carve_part(m, &m->local, arena);
    m->global_embed = tomevit_carve_f32(arena, VIT_BYTE_VALUES * dg);
    m->global_pos = tomevit_carve_f32(arena, m->d.length * dg);
    m->global_pad = tomevit_carve_f32(arena, m->d.global_dim);
    m->local_embed = tomevit_carve_f32(arena, VIT_BYTE_VALUES * dl);
    m->local_pad = tomevit_carve_f32(arena, dl);
    tomevit_matrix_carve(m->dsp, NULL, &m->to_local, dl, dg, arena);
    tomevit_matrix_carve(m->dsp, NULL, &m->logits, VIT_BYTE_VALUES, dl, arena);
}

/* ---- reading ------------------------------------------------------------- */

/* What tensors are read with. `error` stays at the first one. */
typedef struct reader {
    const vit_bytes_file *f;
    struct tomevit_bytes *m;
    float *buffer;         /* of the largest matrix */
    uint64_t parameters;
    int error;
} reader;

static void read(reader *r, const char *name, size_t rows, size_t columns,
                 float *out)
{
    size_t shape[2] = {rows ? rows : columns, columns};
    size_t count = rows ? rows * columns : columns;
    const vit_stored *t;

    if (r->error)
        return;
    t = tomevit_bytes_find(r->f, name, rows ? 2 : 1, shape);
    if (!t) {
        r->error = TOMEVIT_EMODEL;
        return;
    }
    if (!t->dtype->to_f32) {
        r->error = tomevit_fail(&r->f->report, TOMEVIT_EMODEL, "\"%s\": "
                                "expected floating-point numbers, found %s",
                                name, t->dtype->name);
        return;
    }
    r->error = tomevit_tensors_read(r->f->tensors, t, out, r->f->report.why);
    /* A row that comes later must not reach those before it, which 0 times
     * infinity would. */
    for (size_t i = 0; !r->error && i < count; i++)
        if (!isfinite(out[i]))
            r->error = tomevit_fail(&r->f->report, TOMEVIT_EMODEL, "\"%s\": "
                                    "expected finite numbers, found %g", name,
                                    (double)out[i]);
    r->parameters += count;
}

/* Rows of a product's weights, and as many of its bias if it has one. */
static void read_linear(reader *r, const char *name, size_t rows,
                        size_t columns, float *weights, float *bias)
{
    char whole[128];

    snprintf(whole, sizeof(whole), "%s.weight", name);
    read(r, whole, rows, columns, weights);
    snprintf(whole, sizeof(whole), "%s.bias", name);
    if (tomevit_bytes_has(r->f, whole))
        read(r, whole, 0, rows, bias);
    else
        memset(bias, 0, rows * sizeof(*bias));
}

static void read_norm(reader *r, const char *name, size_t dim,
                      vit_bytes_norm *n)
{
    char whole[128];

    snprintf(whole, sizeof(whole), "%s.weight", name);
    read(r, whole, 0, dim, n->weight);
    snprintf(whole, sizeof(whole), "%s.bias", name);
    if (n->bias)
        read(r, whole, 0, dim, n->bias);
}

/* Products that take the same rows, one over the other: names[] ends with
 * NULL, rows[] says how many each has. */
static void read_product(reader *r, const char *block,
                         const char *const *names, const size_t *rows,
                         vit_matrix *to)
{
    char whole[112];

    for (size_t i = 0, at = 0; names[i]; at += rows[i++]) {
        snprintf(whole, sizeof(whole), "%s.%s", block, names[i]);
        read_linear(r, whole, rows[i], to->k, r->buffer + at * to->k,
                    to->bias + at);
    }
    if (!r->error)
        tomevit_matrix_pack(r->m->dsp, to, r->buffer);
}

static void read_block(reader *r, const vit_bytes_part *p, size_t index)
{
    static const char *const qkv[] = {"attn.q", "attn.k", "attn.v", NULL},
                      *const o[] = {"attn.o", NULL},
                      *const up[] = {"mlp.up", NULL},
                      *const gated[] = {"mlp.gate", "mlp.up", NULL},
                      *const down[] = {"mlp.down", NULL};
    size_t kv = vit_bytes_kv_width(p);
    const size_t of_qkv[] = {p->dim, kv, kv}, of_up[] = {p->hidden, p->hidden};
    vit_bytes_block *b = &p->blocks[index];
    char block[64], name[80];

    snprintf(block, sizeof(block), "%s.blocks.%zu", p->name, index);
    snprintf(name, sizeof(name), "%s.norm1", block);
    read_norm(r, name, p->dim, &b->norm1);
    snprintf(name, sizeof(name), "%s.norm2", block);
    read_norm(r, name, p->dim, &b->norm2);
    read_product(r, block, qkv, of_qkv, &b->qkv);
    read_product(r, block, o, &p->dim, &b->o);
    read_product(r, block, p->mlp == VIT_BYTES_SWIGLU ? gated : up, of_up,
                 &b->up);
    read_product(r, block, down, &p->dim, &b->down);
}

static void read_part(reader *r, vit_bytes_part *p)
{
    char name[64];

    for (size_t i = 0; i < p->blocks_count; i++)
        read_block(r, p, i);
    snprintf(name, sizeof(name), "%s.norm", p->name);
    read_norm(r, name, p->dim, &p->norm);
}

static void read_all(reader *r)
{
    struct tomevit_bytes *m = r->m;
    size_t dg = m->d.global_dim / m->d.patch, dl = m->d.local_dim;

    read(r, "global_embed.weight", VIT_BYTE_VALUES, dg, m->global_embed);
    read(r, "global_pos", m->d.length, dg, m->global_pos);
    read(r, "global_pad", 0, m->d.global_dim, m->global_pad);
    read(r, "local_embed.weight", VIT_BYTE_VALUES, dl, m->local_embed);
    read(r, "local_pad", 0, dl, m->local_pad);
    read_linear(r, "to_local", dl, dg, r->buffer, m->to_local.bias);
    if (!r->error)
        tomevit_matrix_pack(m->dsp, &m->to_local, r->buffer);
    if (!r->error)
        tomevit_matrix_pack(m->dsp, &m->logits, m->local_embed);
    read_part(r, &m->global);
    read_part(r, &m->local);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t largest_of(const vit_bytes_part *p)
{
    return p->dim * larger(larger(p->dim + 2 * vit_bytes_kv_width(p),
                                  vit_bytes_up_width(p)), p->hidden);
}

/* ---- building ------------------------------------------------------------ */

static int fill(const vit_bytes_file *f, struct tomevit_bytes *m)
{
    size_t most = larger(largest_of(&m->global), largest_of(&m->local));
    reader r = {.f = f, .m = m};

    most = larger(most, m->d.local_dim * m->d.global_dim / m->d.patch);
    r.buffer = malloc(most * sizeof(*r.buffer));
    if (!r.buffer)
        return TOMEVIT_ENOMEM;
    read_all(&r);
    free(r.buffer);
    m->d.parameters = r.parameters;
    return r.error;
}

static int choose_tier(struct tomevit_bytes *m, const vit_report *report,
                       const tomevit_bytes_options *options)
{
    uint32_t flags = tomevit_low_permitted(m->dtype, tomerge_cpu_flags());

    m->dsp = tomevit_dsp_choose(flags);
    m->low = tomevit_low_choose(m->dtype, flags);
    if (options && options->portable) {
        m->dsp = &m->own;
        if (tomevit_dsp_portable(&m->own))
            return tomevit_fail(report, TOMEVIT_EMODEL, "expected f32 that is "
                                "computed in f32, which portable models need, "
                                "found a compiler that keeps more");
    }
    /* In whatever type the blocks' weights are, the rows that go through them
     * meet matrices of f32 before and after. */
    m->block_rows = VIT_BLOCK_ROWS;
    if (m->low && m->low->block_rows < m->block_rows)
        m->block_rows = m->low->block_rows;
    tomevit_bytes_set_room(m->dsp, &m->global);
    tomevit_bytes_set_room(m->dsp, &m->local);
    return 0;
}

static int build(vit_bytes_file *f, const tomevit_bytes_options *options,
                 struct tomevit_bytes *m)
{
    int code = tomevit_bytes_read_description(f, m);

    m->global.window = m->global.length;
    m->local.window = m->local.length;
    /* Windows as long as the past never leave it. */
    if (options && options->group && options->window < m->global.length) {
        m->global.window = options->window;
        m->global.group = options->group;
    }
    if (!code)
        code = choose_tier(m, &f->report, options);
    if (code)
        return code;
    carve(m, &m->arena);
    m->d.memory = m->arena.used;
    if (tomevit_arena_allocate(&m->arena))
        return TOMEVIT_ENOMEM;
    carve(m, &m->arena);
    return fill(f, m);
}

/* ---- public -------------------------------------------------------------- */

void tomevit_bytes_options_init(tomevit_bytes_options *options)
{
    if (options)
        *options = (tomevit_bytes_options){.struct_size = sizeof(*options)};
}

static int valid(const tomevit_bytes_options *o)
{
    return !o || (o->struct_size == sizeof(*o) && VIT_UNUSED(o->reserved) &&
                  tomevit_dtype_name(o->dtype) &&
                  (o->portable == 0 || o->portable == 1) &&
                  !(o->portable && o->dtype != TOMEVIT_F32) &&
                  !(o->portable && o->group) &&
                  (o->group ? o->window > 0 && o->window % o->group == 0
                            : o->window == 0));
}

int tomevit_bytes_open(const char *path, const tomevit_bytes_options *options,
                       tomevit_bytes **model, tomevit_message *why)
{
    vit_bytes_file f = {.prefix = ""};
    tomevit_message unused;
    struct tomevit_bytes *m;
    int code;

    why = why ? why : &unused;
    why->text[0] = '\0';
    if (!model)
        return TOMEVIT_EINVAL;
    *model = NULL;
    if (!path || !valid(options))
        return TOMEVIT_EINVAL;
    code = tomevit_tensors_open_shard(path, &f.tensors, why);
    if (code)
        return code;
    f.report = (vit_report){path, why};
    m = calloc(1, sizeof(*m));
    if (m)
        m->dtype = options ? options->dtype : TOMEVIT_F32;
    code = m ? build(&f, options, m) : TOMEVIT_ENOMEM;
    tomevit_tensors_close(f.tensors);
    if (code) {
        tomevit_bytes_close(m);
        if (!why->text[0])
            snprintf(why->text, sizeof(why->text), "%s: %s", path,
                     tomevit_strerror(code));
        return code;
    }
    *model = m;
    return 0;
}

void tomevit_bytes_close(tomevit_bytes *model)
{
    if (!model)
        return;
    tomevit_arena_free(&model->arena);
    free(model);
}

const tomevit_bytes_description *
tomevit_bytes_describe(const tomevit_bytes *model)
{
    return &model->d;
}

/* Keys that all rows of a sequence see. */
static double seen(const vit_bytes_part *p)
{
    double all = 0;

    for (size_t i = 0; i < p->length; i++) {
        size_t window = i / p->window;

        all += (double)(i % p->window + 1);
        if (window > 0)
            all += (double)(p->window + (window - 1) * vit_bytes_left(p));
    }
    return all;
}

/* Of one sequence. */
static double macs_of(const vit_bytes_part *p)
{
    double dim = (double)p->dim, kv = (double)vit_bytes_kv_width(p);
    double row = dim * (2 * dim + 2 * kv) +
                 dim * (double)(vit_bytes_up_width(p) + p->hidden);

    return (double)(p->blocks_count * p->share) *
           ((double)p->length * row + 2 * dim * seen(p));
}

double tomevit_bytes_macs(const tomevit_bytes *model)
{
    const tomevit_bytes_description *d = &model->d;
    double byte = (double)d->local_dim *
                  ((double)d->global_dim / (double)d->patch + VIT_BYTE_VALUES);

    return macs_of(&model->global) +
           (double)d->patches * macs_of(&model->local) +
           (double)d->length * byte;
}

const char *tomevit_bytes_cpu(const tomevit_bytes *model)
{
    return model->low ? model->low->name : model->dsp->name;
}
