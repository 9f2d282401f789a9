/* SPDX-License-Identifier: MIT */
/*
 * Shapes say most of what a checkpoint of MEGABYTE is; heads, activation,
 * sharing and the order of pixels are its metadata's to say, as JSON under
 * "config". Nothing is guessed: what neither says is asked for.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "../containers/json.h"
#include "../containers/json_members.h"

#define ANCHOR "global_embed.weight"

enum { DEPTH = 4, MOST = 1 << 16, MOST_LENGTH = 1 << 22, MOST_BLOCKS = 1024 };

/* ---- tensors ------------------------------------------------------------- */

static const vit_stored *find(const vit_bytes_file *f, const char *name)
{
    char whole[160];

    snprintf(whole, sizeof(whole), "%s%s", f->prefix, name);
    return tomevit_tensors_find(f->tensors, whole);
}

int tomevit_bytes_has(const vit_bytes_file *f, const char *name)
{
    return find(f, name) != NULL;
}

const vit_stored *tomevit_bytes_find(const vit_bytes_file *f, const char *name,
                                     size_t dims, const size_t *shape)
{
    const vit_stored *t = find(f, name);
    int same = t && t->dims == dims;

    for (size_t i = 0; same && i < dims; i++)
        same = t->shape[i] == shape[i];
    if (same)
        return t;
    tomevit_fail(&f->report, TOMEVIT_EMODEL, "expected a tensor \"%s%s\" %s, "
                 "found %s", f->prefix, name,
                 tomevit_shape_text(shape, dims).text,
                 t ? tomevit_shape_text(t->shape, t->dims).text : "none");
    return NULL;
}

/* A matrix of any shape within bounds; NULL after a message. */
static const vit_stored *matrix(const vit_bytes_file *f, const char *name)
{
    const vit_stored *t = find(f, name);

    if (t && t->dims == 2 && t->shape[0] && t->shape[1] &&
        t->shape[0] <= MOST_LENGTH && t->shape[1] <= MOST)
        return t;
    tomevit_fail(&f->report, TOMEVIT_EMODEL, "expected a matrix \"%s%s\", "
                 "found %s", f->prefix, name,
                 t ? tomevit_shape_text(t->shape, t->dims).text : "none");
    return NULL;
}

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && !strcmp(text + n - m, end);
}

static int find_prefix(vit_bytes_file *f)
{
    const vit_tensors *t = f->tensors;
    int other = 0;

    for (size_t i = 0; i < t->count; i++) {
        const char *name = t->list[i].name;
        size_t length = strlen(name) - (ends_with(name, ANCHOR)
                                        ? strlen(ANCHOR) : 0);

        other |= strstr(name, "start_tokens.") || ends_with(name,
                                                            "to_logits.weight");
        if (!ends_with(name, ANCHOR) || length >= sizeof(f->prefix))
            continue;
        memcpy(f->prefix, name, length);
        f->prefix[length] = '\0';
        return 0;
    }
    return tomevit_fail(
        &f->report, TOMEVIT_EMODEL, "expected a model of bytes with a tensor "
        "\"" ANCHOR "\", found %s", other
        ? "one of MEGABYTE-pytorch: its tokens are shifted, its patches "
          "embedded through two norms, its output not tied, and a patch's "
          "first byte comes from the patch before, none of which is run here"
        : "none");
}

/* ---- "config" ------------------------------------------------------------ */

typedef struct settings {
    const vit_bytes_file *f;
    const json_t *json;
} settings;

/* A whole number in 1 .. most; `usual` 0: it must be there. */
static int number(const settings *s, const char *key, size_t usual,
                  size_t most, size_t *value)
{
    const json_t *found = json_object_get(s->json, key);

    *value = usual;
    if (!found && usual)
        return 0;
    if (json_is_integer(found) && json_integer_value(found) > 0 &&
        json_integer_value(found) <= (json_int_t)most) {
        *value = (size_t)json_integer_value(found);
        return 0;
    }
    return tomevit_fail(&s->f->report, TOMEVIT_EMODEL, "metadata \"config\": "
                        "expected \"%s\", a number from 1 to %zu, found %s",
                        key, most, found ? "something else" : "none");
}

/* Which of the words, or -1 after a message; `usual` -1: it must be there. */
static int word(const settings *s, const char *key, const char *const *words,
                int usual)
{
    const json_t *found = json_object_get(s->json, key);
    const char *text = json_string_value(found);

    if (!found && usual >= 0)
        return usual;
    for (int i = 0; text && words[i]; i++)
        if (!strcmp(words[i], text))
            return i;
    tomevit_fail(&s->f->report, TOMEVIT_EMODEL, "metadata \"config\": "
                 "expected \"%s\" to be %s, %s%s%s, found %s%.40s%s", key,
                 words[0], words[1], words[2] ? " or " : "",
                 words[2] ? words[2] : "", text ? "\"" : "",
                 text ? text : found ? "no text" : "none", text ? "\"" : "");
    return -1;
}

/* Only this value is run. */
static int only(const settings *s, const char *key, size_t value)
{
    size_t found;
    int code = number(s, key, value, MOST, &found);

    if (code || found == value)
        return code;
    return tomevit_fail(&s->f->report, TOMEVIT_EMODEL, "metadata \"config\": "
                        "expected \"%s\" %zu, found %zu", key, value, found);
}

/* What is read here, or what "mlp" and shapes show. */
static int check_known(const settings *s)
{
    static const vit_known known[] = {
        {"kind", NULL}, {"vocab", NULL}, {"channels", NULL}, {"patch", NULL},
        {"patches", NULL}, {"dg", NULL}, {"dl", NULL}, {"global_layers", NULL},
        {"local_layers", NULL}, {"global_heads", NULL}, {"local_heads", NULL},
        {"local_kv_heads", NULL}, {"mlp", NULL}, {"global_mlp", NULL},
        {"share", NULL}, {"eps", NULL}, {"height", NULL}, {"width", NULL},
        {"scan", NULL}, {"ratio", NULL}, {NULL, NULL}
    };
    const char *key = tomevit_json_stranger(s->json, known, VIT_OTHERS_OFF);

    return !key ? 0 : tomevit_fail(&s->f->report, TOMEVIT_EMODEL, "metadata "
                                   "\"config\": \"%.40s\" cannot be done here",
                                   key);
}

/* ---- parts --------------------------------------------------------------- */

static size_t count_blocks(const vit_bytes_file *f, const char *part)
{
    char name[96];
    size_t i = 0;

    do
        snprintf(name, sizeof(name), "%s.blocks.%zu.attn.q.weight", part, i++);
    while (i <= MOST_BLOCKS && tomevit_bytes_has(f, name));
    return i - 1;
}

/* Of the first block; the others' tensors must have the same shapes. */
static const vit_stored *of_block(const vit_bytes_file *f,
                                  const vit_bytes_part *p, const char *name)
{
    char whole[96];

    snprintf(whole, sizeof(whole), "%s.blocks.0.%s", p->name, name);
    return matrix(f, whole);
}

static int read_part(const vit_bytes_file *f, const settings *s,
                     vit_bytes_part *p, const char *heads, size_t dim)
{
    const vit_stored *k, *up;
    char name[96];
    size_t head_dim;

    p->dim = dim;
    p->blocks_count = count_blocks(f, p->name);
    if (!p->blocks_count || p->blocks_count > MOST_BLOCKS)
        return tomevit_fail(&f->report, TOMEVIT_EMODEL, "%s: expected 1 to %d "
                            "blocks, found %zu", p->name, (int)MOST_BLOCKS,
                            p->blocks_count);
    if (number(s, heads, 0, MOST, &p->heads))
        return TOMEVIT_EMODEL;
    if (dim % p->heads)
        return tomevit_fail(&f->report, TOMEVIT_EMODEL, "metadata \"config\": "
                            "expected \"%s\" to divide the width %zu, found "
                            "%zu", heads, dim, p->heads);
    head_dim = dim / p->heads;
    k = of_block(f, p, "attn.k.weight");
    up = k ? of_block(f, p, "mlp.up.weight") : NULL;
    if (!up)
        return TOMEVIT_EMODEL;
    if (k->shape[1] != dim || up->shape[1] != dim)
        return tomevit_fail(&f->report, TOMEVIT_EMODEL, "%s: expected products "
                            "of rows of %zu, found %zu and %zu", p->name, dim,
                            k->shape[1], up->shape[1]);
    p->kv_heads = k->shape[0] / head_dim;
    if (k->shape[0] % head_dim || !p->kv_heads || p->heads % p->kv_heads)
        return tomevit_fail(&f->report, TOMEVIT_EMODEL, "%s: expected keys of "
                            "as many heads as divide %zu, each of %zu rows, "
                            "found %zu rows", p->name, p->heads, head_dim,
                            k->shape[0]);
    p->hidden = up->shape[0];
    snprintf(name, sizeof(name), "%s.norm.bias", p->name);
    p->rms = !tomevit_bytes_has(f, name);
    snprintf(name, sizeof(name), "%s.blocks.0.mlp.gate.weight", p->name);
    if (tomevit_bytes_has(f, name) != (p->mlp == VIT_BYTES_SWIGLU))
        return tomevit_fail(&f->report, TOMEVIT_EMODEL, "%s: expected %s as "
                            "\"config\" has its MLP, found %s", p->name,
                            p->mlp == VIT_BYTES_SWIGLU ? "mlp.gate.weight"
                                                       : "no mlp.gate.weight",
                            p->mlp == VIT_BYTES_SWIGLU ? "none" : "one");
    return 0;
}

static int read_parts(const vit_bytes_file *f, const settings *s,
                      struct tomevit_bytes *m)
{
    static const char *const mlps[] = {"relu", "gelu", "swiglu", NULL};
    int mlp = word(s, "mlp", mlps, -1), of_global;
    size_t kv;

    if (mlp < 0)
        return TOMEVIT_EMODEL;
    /* The global model has no gates unless it says so [golden data's rule]. */
    of_global = word(s, "global_mlp", mlps,
                     mlp == VIT_BYTES_RELU ? VIT_BYTES_RELU : VIT_BYTES_GELU);
    if (of_global < 0)
        return TOMEVIT_EMODEL;
    m->global.name = "global_model";
    m->local.name = "local_model";
    m->global.mlp = (enum vit_bytes_mlp)of_global;
    m->local.mlp = (enum vit_bytes_mlp)mlp;
    m->global.share = 1;
    if (number(s, "share", 1, MOST_BLOCKS, &m->local.share) ||
        read_part(f, s, &m->global, "global_heads", m->d.global_dim) ||
        read_part(f, s, &m->local, "local_heads", m->d.local_dim))
        return TOMEVIT_EMODEL;
    m->global.length = m->d.patches;
    m->local.length = m->d.patch;
    if (number(s, "local_kv_heads", m->local.kv_heads, MOST, &kv))
        return TOMEVIT_EMODEL;
    if (kv != m->local.kv_heads)
        return tomevit_fail(&f->report, TOMEVIT_EMODEL, "metadata \"config\": "
                            "expected \"local_kv_heads\" %zu, as its tensors "
                            "have it, found %zu", m->local.kv_heads, kv);
    if (only(s, "global_layers", m->global.blocks_count) ||
        only(s, "local_layers", m->local.blocks_count))
        return TOMEVIT_EMODEL;
    m->d.global_layers = m->global.blocks_count;
    m->d.local_layers = m->local.blocks_count * m->local.share;
    m->d.global_heads = m->global.heads;
    m->d.local_heads = m->local.heads;
    return 0;
}

/* ---- pictures ------------------------------------------------------------ */

static size_t root(size_t n)
{
    size_t r = 0;

    while ((r + 1) * (r + 1) <= n)
        r++;
    return r;
}

static int read_pixels(const vit_bytes_file *f, const settings *s,
                       tomevit_bytes_description *d)
{
    static const char *const scans[] = {"patch", "raster", NULL};
    size_t pixels = d->length / 3, side = root(d->patch / 3);
    int scan = word(s, "scan", scans, TOMEVIT_SCAN_PATCH);

    if (scan < 0 || only(s, "channels", 3))
        return TOMEVIT_EMODEL;
    d->scan = scan;
    if (number(s, "height", pixels ? root(pixels) : 1, MOST, &d->height) ||
        number(s, "width", d->height, MOST, &d->width))
        return TOMEVIT_EMODEL;
    if (d->length % 3 || d->width * d->height != pixels)
        return tomevit_fail(&f->report, TOMEVIT_EMODEL, "metadata \"config\": "
                            "expected a picture of %zu bytes, three a pixel, "
                            "found %zu x %zu pixels", d->length, d->height,
                            d->width);
    d->patch_side = scan == TOMEVIT_SCAN_PATCH ? side : 0;
    if (scan == TOMEVIT_SCAN_PATCH &&
        (!side || 3 * side * side != d->patch || d->width % side ||
         d->height % side))
        return tomevit_fail(&f->report, TOMEVIT_EMODEL, "expected patches of "
                            "side x side pixels that divide %zu x %zu, found "
                            "patches of %zu bytes", d->height, d->width,
                            d->patch);
    return 0;
}

static int read_sizes(const vit_bytes_file *f, const settings *s,
                      struct tomevit_bytes *m)
{
    tomevit_bytes_description *d = &m->d;
    const vit_stored *embed = matrix(f, "global_embed.weight");
    const vit_stored *local = embed ? matrix(f, "local_embed.weight") : NULL;
    const json_t *eps = json_object_get(s->json, "eps");
    size_t pos[2];

    if (!local || number(s, "patch", 0, MOST, &d->patch) ||
        number(s, "patches", 0, MOST_LENGTH, &d->patches) ||
        only(s, "vocab", VIT_BYTE_VALUES) || only(s, "dg", embed->shape[1]) ||
        only(s, "dl", local->shape[1]))
        return TOMEVIT_EMODEL;
    if (d->patches > MOST_LENGTH / d->patch ||
        embed->shape[1] > MOST / d->patch)
        return tomevit_fail(&f->report, TOMEVIT_EMODEL, "expected at most %d "
                            "bytes and a global width of at most %d, found "
                            "%zu patches of %zu bytes, each %zu wide",
                            (int)MOST_LENGTH, (int)MOST, d->patches, d->patch,
                            embed->shape[1]);
    d->length = d->patch * d->patches;
    pos[0] = d->length;
    pos[1] = embed->shape[1];
    if (!tomevit_bytes_find(f, "global_pos", 2, pos))
        return TOMEVIT_EMODEL;
    d->global_dim = d->patch * embed->shape[1];
    d->local_dim = local->shape[1];
    m->eps = eps ? (float)json_number_value(eps) : 1e-5f;
    if (!(m->eps > 0.0f && m->eps < 1.0f))
        return tomevit_fail(&f->report, TOMEVIT_EMODEL, "metadata \"config\": "
                            "expected \"eps\" between 0 and 1");
    return 0;
}

int tomevit_bytes_read_description(vit_bytes_file *f, struct tomevit_bytes *m)
{
    int code = find_prefix(f);
    const char *text = tomevit_tensors_metadata(f->tensors, "config");
    json_error_t error;
    json_t *json;
    settings s;

    if (code)
        return code;
    json = text ? tomevit_json_parse(text, strlen(text), DEPTH, &error) : NULL;
    s = (settings){f, json};
    if (!json_is_object(json))
        code = tomevit_fail(&f->report, TOMEVIT_EMODEL, "expected metadata "
                            "\"config\", a JSON object, found %s",
                            text ? "something else" : "none");
    if (!code)
        code = read_sizes(f, &s, m);
    if (!code)
        code = read_pixels(f, &s, &m->d);
    if (!code)
        code = read_parts(f, &s, m);
    if (!code)
        code = check_known(&s);
    json_decref(json);
    return code;
}
