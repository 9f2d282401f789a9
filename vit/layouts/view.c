/* SPDX-License-Identifier: MIT */
/* Views of files under timm's names. */
#include "config.h"

#include "view.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ------------------------------------------------------------- */

/* The sum of the pieces, which have one shape. */
static int read_sum(vit_view *v, const vit_moved *m, float *out,
                    const vit_report *report)
{
    size_t count = m->pieces[0].axes.elements;
    float *more = malloc((count ? count : 1) * sizeof(*more));
    int code = more ? 0 : tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");

    for (size_t i = 0; !code && i < m->count; i++) {
        const vit_piece *p = &m->pieces[i];

        code = tomevit_piece_read(&v->kept, m->file, p->from, &p->axes,
                                  i ? more : out, report->why);
        for (size_t k = 0; !code && i && k < count; k++)
            out[k] += more[k];
    }
    free(more);
    return code;
}

static int read_moved(const vit_tensors *tensors, const vit_stored *tensor,
                      float *out, const vit_report *report)
{
    vit_view *v = tensors->self;
    const vit_moved *m = &v->moved[tensor->begin];

    if (m->summed)
        return read_sum(v, m, out, report);
    for (size_t i = 0; i < m->count; i++) {
        const vit_piece *p = &m->pieces[i];
        int code = tomevit_piece_read(&v->kept, m->file, p->from, &p->axes,
                                      out, report->why);

        if (code)
            return code;
        out += p->axes.elements;
    }
    return 0;
}

/* Of one tensor that is as the file has it. */
static int read_moved_int8(const vit_tensors *tensors,
                           const vit_stored *tensor, signed char *out,
                           float *scale)
{
    const vit_view *v = tensors->self;
    const vit_moved *m = &v->moved[tensor->begin];

    return m->count == 1 && tomevit_axes_plain(&m->pieces[0].axes) &&
           tomevit_tensors_read_int8(m->file, m->pieces[0].from, out, scale);
}

static void release(vit_tensors *tensors)
{
    vit_view *v = tensors->self;

    tomevit_kept_free(&v->kept);
    tomevit_region_free(&v->region);
    free(v->moved);
    free(v->used);
    tomevit_tensors_close(v->file);
    free(v);
}

/* ---- the list ------------------------------------------------------------ */

/* The whole's shape: the first piece's, with all pieces' rows if they join. */
static void describe(const vit_moved *m, size_t index, vit_stored *out)
{
    const vit_axes *first = &m->pieces[0].axes;

    memset(out, 0, sizeof(*out));
    out->name = m->name;
    out->begin = index;
    out->dtype = m->pieces[0].from->dtype;
    out->dims = first->dims;
    memcpy(out->shape, first->shape, sizeof(out->shape));
    out->elements = first->elements;
    for (size_t i = 1; i < m->count; i++) {
        const vit_stored *from = m->pieces[i].from;
        const vit_axes *more = &m->pieces[i].axes;

        if (!from->dtype->to_f32)
            out->dtype = from->dtype;
        if (m->summed) {
            if (more->dims != first->dims ||
                memcmp(more->shape, first->shape,
                       first->dims * sizeof(*first->shape)))
                out->shape[0] = 0; /* fits nothing */
            continue;
        }
        if (more->dims == first->dims && first->dims > 0 &&
            !memcmp(more->shape + 1, first->shape + 1,
                    (first->dims - 1) * sizeof(*first->shape)))
            out->shape[0] += more->shape[0];
        else
            out->shape[0] = 0; /* fits nothing */
        out->elements += more->elements;
    }
}

static int by_name_then_age(const void *a, const void *b)
{
    const vit_stored *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* The list of names, anew. Of tensors with one name the first that was added
 * is meant: what a rule makes, not what happens to be called so. */
static int fill_list(vit_tensors *tensors)
{
    vit_view *v = tensors->self;
    vit_stored *list = calloc(v->count + 1, sizeof(*list));
    size_t kept = 0;

    if (!list)
        return TOMEVIT_ENOMEM;
    for (size_t i = 0; i < v->count; i++)
        describe(&v->moved[i], i, &list[i]);
    if (v->count > 0)
        qsort(list, v->count, sizeof(*list), by_name_then_age);
    for (size_t i = 0; i < v->count; i++)
        if (kept == 0 || strcmp(list[kept - 1].name, list[i].name))
            list[kept++] = list[i];
        else
            v->twice = list[i].name;
    free(tensors->list);
    tensors->list = list;
    tensors->count = kept;
    return 0;
}

/* ---- the view ------------------------------------------------------------ */

/* Makes of *tensors a view of the file, which it closes from now on. */
static int fill_view(vit_tensors *tensors, vit_view *v)
{
    const vit_tensors *file = v->file;

    tensors->container = file->container;
    memcpy(tensors->prefix, file->prefix, sizeof(tensors->prefix));
    tensors->self = v;
    tensors->read = read_moved;
    tensors->read_int8 = read_moved_int8;
    tensors->release = release;
    v->used = calloc(file->count + 1, 1);
    tomevit_names_prefix(v->layout, file, v->prefix);
    tensors->metadata = file->metadata ? json_copy(file->metadata)
                                       : json_object();
    return !v->used || !tensors->metadata || tomevit_view_apply_rules(v) ||
                   tomevit_view_pass_others(v) || fill_list(tensors)
               ? TOMEVIT_ENOMEM : 0;
}

/* timm's rules are only for other names of what has timm's: which of two was
 * meant is not known. */
static int check_twice(const vit_tensors *tensors, const vit_report *report)
{
    const vit_view *v = tensors->self;
    char origin[256];

    if (!v->twice || !tomevit_layout_is_timm(v->layout))
        return 0;
    tomevit_view_origin(tensors, v->twice, origin);
    return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%.100s\": another "
                        "name of \"%.100s\", which is there too", origin,
                        v->twice);
}

int tomevit_layout_view(const vit_layout *layout, vit_tensors *file,
                        vit_tensors **out, const vit_report *report)
{
    vit_tensors *tensors = tomevit_tensors_new(file->path);
    vit_view *v = calloc(1, sizeof(*v));
    int code = TOMEVIT_ENOMEM, whole = tensors && v;

    *out = NULL;
    if (whole) {
        v->layout = layout;
        v->file = file;
        code = fill_view(tensors, v);
    }
    if (!code && !(code = check_twice(tensors, report))) {
        *out = tensors;
        return 0;
    }
    /* The report may speak of the file by the file's own copy of its path. */
    if (code == TOMEVIT_ENOMEM)
        tomevit_fail(report, code, "out of memory");
    tomevit_tensors_close(tensors);
    if (!whole) {
        tomevit_tensors_close(file);
        free(v);
    }
    return code;
}

int tomevit_view_add(vit_tensors *tensors, const char *name,
                     const vit_tensors *file, const vit_stored *from,
                     const vit_report *report)
{
    vit_view *v = tensors->self;

    if (tomevit_view_append_whole(v, tomevit_view_keep(v, name), file, from) ||
        fill_list(tensors))
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    return 0;
}

int tomevit_view_rename(vit_tensors *tensors, const char *name,
                        const char *old, const vit_report *report)
{
    vit_view *v = tensors->self;
    size_t index = tomevit_tensors_find(tensors, old)->begin;
    const char *kept = tomevit_view_keep(v, name);

    if (kept)
        v->moved[index].name = kept;
    if (!kept || fill_list(tensors))
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    return 0;
}

/* ---- asking a view ------------------------------------------------------- */

int tomevit_layout_imply(vit_tensors *tensors, const vit_report *report)
{
    const vit_view *v = tensors->self;
    const vit_implied *i = v->layout->implied;
    char heads[24], from[64];
    int failed = 0;

    snprintf(heads, sizeof(heads), "%zu", v->heads);
    if (v->heads)
        failed = tomevit_tensors_say(tensors, "num_heads", heads, "tensors");
    for (; !failed && i && i->key; i++) {
        snprintf(from, sizeof(from), "%s of %.48s",
                 i->sure ? "rule" : "?default", v->layout->name);
        failed = tomevit_tensors_say(tensors, i->key, i->value, from);
    }
    return failed ? tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory") : 0;
}

const char *tomevit_view_layout(const vit_tensors *tensors)
{
    const vit_view *v = tensors->self;

    return v->layout->name;
}

int tomevit_view_stacked(const vit_tensors *tensors)
{
    const vit_view *v = tensors->self;

    return v->stacked;
}

void tomevit_view_use(vit_tensors *tensors, const char *name)
{
    vit_view *v = tensors->self;
    const vit_stored *tensor = tomevit_tensors_find(tensors, name);
    const vit_moved *m = tensor ? &v->moved[tensor->begin] : NULL;

    for (size_t i = 0; m && m->file == v->file && i < m->count; i++)
        v->used[m->pieces[i].from - v->file->list] = 1;
}

size_t tomevit_view_unused(const vit_tensors *tensors,
                           void (*each)(void *data, const char *name),
                           void *data)
{
    const vit_view *v = tensors->self;
    size_t unused = 0;

    for (size_t i = 0; i < v->file->count; i++) {
        if (v->used[i])
            continue;
        unused++;
        if (each)
            each(data, v->file->list[i].name);
    }
    return unused;
}

/* The rule that would have made a tensor: one that made it in the first layer,
 * else the first of that name. */
static const vit_rule *rule_for(const vit_view *v, const char *name,
                                size_t layer)
{
    const vit_rule *first = NULL;
    char spelt[VIT_NAME];

    for (const vit_rule *r = v->layout->rules; r->name; r++) {
        tomevit_names_spell("", r->name, layer, spelt);
        if (strcmp(spelt, name))
            continue;
        if (tomevit_view_find(v, r->from[0], 0))
            return r;
        first = first ? first : r;
    }
    /* timm's rules are only for other names of what has timm's. */
    return tomevit_layout_is_timm(v->layout) ? NULL : first;
}

void tomevit_view_origin(const vit_tensors *tensors, const char *name,
                         char origin[256])
{
    const vit_view *v = tensors->self;
    const vit_stored *tensor = tomevit_tensors_find(tensors, name);
    const char *number = name + strlen("blocks.");
    const vit_rule *rule;
    size_t layer = 0;

    if (tensor) {
        snprintf(origin, VIT_NAME, "%s",
                 v->moved[tensor->begin].pieces[0].from->name);
        return;
    }
    if (!strncmp(name, "blocks.", strlen("blocks.")))
        layer = (size_t)strtoul(number, NULL, 10);
    rule = rule_for(v, name, layer);
    if (rule)
        tomevit_names_spell(v->prefix, rule->from[0], layer, origin);
    else
        snprintf(origin, VIT_NAME, "%s%s", v->prefix, name);
}
