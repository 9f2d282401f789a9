/* SPDX-License-Identifier: MIT */
/* Which layout a file has, and views of files under timm's names. */
#include "config.h"

#include "layout.h"

#include "axes.h"
#include "pieces.h"
#include "../network/weights.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 256, PIECES = 3, LAYERS = 1024 };

/* Of several that fit, the first is meant. */
static const vit_layout *const layouts[] = {
    &tomevit_layout_mae,
    &tomevit_layout_dinov2_registers,
    &tomevit_layout_dinov2,
    &tomevit_layout_timm,
    &tomevit_layout_huggingface_dinov2,
    &tomevit_layout_huggingface,
    &tomevit_layout_huggingface_clip,
    &tomevit_layout_huggingface_siglip,
    &tomevit_layout_swag,
    &tomevit_layout_torchvision,
    &tomevit_layout_google,
    &tomevit_layout_openai,
    &tomevit_layout_clip,
};

/* A tensor of a view: pieces of tensors of one file, one after another. */
typedef struct moved {
    const vit_tensors *file;
    const vit_stored *from[PIECES];
    vit_axes axes[PIECES]; /* how each becomes rows of the whole */
    size_t count;
    char *name;
} moved;

typedef struct view {
    const vit_layout *layout;
    vit_tensors *file;
    char prefix[NAME];     /* before the file's names */
    moved *moved;          /* [count], vit_stored.begin of each its index */
    size_t count, space;
    unsigned char *used;   /* [file->count]: by the model */
    size_t heads;          /* if some tensor has an axis of them, else 0 */
    int stacked;           /* some tensors are those of all layers */
    vit_kept kept;
} view;

/* ---- names -------------------------------------------------------------- */

/* The length of what stands before the anchor in a name, -1 without one. */
static int before_anchor(const vit_layout *layout, const char *name)
{
    size_t length = strlen(name), tail = strlen(layout->anchor);
    const char *start = name + length - tail;

    if (length < tail || length - tail >= NAME / 2 ||
        strcmp(start, layout->anchor) ||
        (start > name && start[-1] != '.' && start[-1] != '/'))
        return -1;
    return (int)(length - tail);
}

static int has_witness(const vit_layout *layout, const vit_tensors *file,
                       const char *name, int prefix)
{
    char witness[NAME];

    if (!layout->witness)
        return 1;
    snprintf(witness, sizeof witness, "%.*s%s", prefix, name, layout->witness);
    return tomevit_tensors_find(file, witness) ||
           tomevit_tensors_find(file, layout->witness);
}

/* The shortest prefix with which the file has the anchor, -1 if none. */
static int find_prefix(const vit_layout *layout, const vit_tensors *file,
                       char prefix[NAME])
{
    int best = -1;

    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->list[i].name;
        int length = before_anchor(layout, name);

        if (length < 0 || (best >= 0 && length >= best) ||
            !has_witness(layout, file, name, length))
            continue;
        best = length;
        snprintf(prefix, NAME, "%.*s", length, name);
    }
    return best;
}

const vit_layout *tomevit_layout_of(const vit_tensors *file)
{
    char prefix[NAME];

    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (find_prefix(layouts[i], file, prefix) >= 0)
            return layouts[i];
    return &tomevit_layout_timm;
}

/* prefix + pattern with the layer's number in place of '#'. */
static void spell(const char *prefix, const char *pattern, size_t layer,
                  char name[NAME])
{
    const char *mark = strchr(pattern, '#');

    if (mark)
        snprintf(name, NAME, "%s%.*s%zu%s", prefix, (int)(mark - pattern),
                 pattern, layer, mark + 1);
    else
        snprintf(name, NAME, "%s%s", prefix, pattern);
}

/* What follows prefix and the beginning that a layer's names have, and the
 * layer; NULL if the name has no such beginning. */
static const char *in_layer(const view *v, const char *name, size_t *layer)
{
    const char *mark = strchr(v->layout->layer, '#');
    size_t prefix = strlen(v->prefix), head = (size_t)(mark - v->layout->layer);

    if (strncmp(name, v->prefix, prefix) ||
        strncmp(name + prefix, v->layout->layer, head))
        return NULL;
    name += prefix + head;
    if (!isdigit((unsigned char)*name) ||
        (*name == '0' && isdigit((unsigned char)name[1])))
        return NULL;
    for (*layer = 0; isdigit((unsigned char)*name); name++)
        if (*layer < LAYERS)
            *layer = *layer * 10 + (size_t)(*name - '0');
    return strncmp(name, mark + 1, strlen(mark + 1))
               ? NULL : name + strlen(mark + 1);
}

/* ---- tensors ---------------------------------------------------------------- */

static const vit_stored *find(const view *v, const char *pattern, size_t layer)
{
    char name[NAME];
    const vit_stored *found;

    spell(v->prefix, pattern, layer, name);
    found = tomevit_tensors_find(v->file, name);
    if (!found && v->prefix[0]) {
        spell("", pattern, layer, name);
        found = tomevit_tensors_find(v->file, name);
    }
    return found;
}

/* Room for one more; NULL without memory. */
static moved *append(view *v, const char *name)
{
    moved *m;

    if (v->count == v->space) {
        size_t space = v->space ? 2 * v->space : 256;
        moved *larger = realloc(v->moved, space * sizeof *larger);

        if (!larger)
            return NULL;
        v->moved = larger;
        v->space = space;
    }
    m = &v->moved[v->count];
    memset(m, 0, sizeof *m);
    m->name = malloc(strlen(name) + 1);
    if (!m->name)
        return NULL;
    strcpy(m->name, name);
    m->file = v->file;
    v->count++;
    return m;
}

static int present(const view *v, size_t from, const char *name)
{
    for (size_t i = from; i < v->count; i++)
        if (!strcmp(v->moved[i].name, name))
            return 1;
    return 0;
}

/* Adds a rule's tensor if the file has all of it and no earlier rule, from
 * number `begun` on, has made it. 0 or ENOMEM. */
static int apply(view *v, const vit_rule *rule, size_t layer, size_t begun)
{
    const vit_stored *from[PIECES];
    char name[NAME];
    size_t count = 0;
    moved *m;

    for (; count < PIECES && rule->from[count]; count++)
        if (!(from[count] = find(v, rule->from[count], layer)))
            return 0;
    spell("", rule->name, layer, name);
    if (present(v, begun, name))
        return 0;
    m = append(v, name);
    if (!m)
        return TOMEVIT_ENOMEM;
    m->count = count;
    for (size_t i = 0; i < count; i++) {
        int stacked = strchr(rule->name, '#') && !strchr(rule->from[i], '#');

        v->stacked |= stacked;
        m->from[i] = from[i];
        m->axes[i] = tomevit_axes(from[i], rule->form, stacked, layer);
        if (rule->form == VIT_TO_HEADS &&
            from[i]->dims == (size_t)(3 + (stacked != 0)))
            v->heads = from[i]->shape[stacked ? 2 : 1];
    }
    return 0;
}

/* Layers of the file: by the names' numbers, or of a stack by its length. */
static size_t count_layers(const view *v)
{
    size_t layers = 0, layer;

    for (size_t i = 0; i < v->file->count; i++)
        if (in_layer(v, v->file->list[i].name, &layer) && layer >= layers)
            layers = layer < LAYERS ? layer + 1 : LAYERS;
    for (const vit_rule *r = v->layout->rules; r->name; r++) {
        const vit_stored *stack;

        if (!strchr(r->name, '#') || strchr(r->from[0], '#') ||
            !(stack = find(v, r->from[0], 0)) || stack->dims < 1)
            continue;
        if (stack->shape[0] > layers)
            layers = stack->shape[0] < LAYERS ? stack->shape[0] : LAYERS;
    }
    return layers;
}

static int apply_rules(view *v)
{
    size_t layers = count_layers(v);

    for (size_t layer = 0; layer <= layers; layer++) {
        size_t begun = v->count;

        /* Last, what belongs to no layer. */
        for (const vit_rule *r = v->layout->rules; r->name; r++)
            if ((strchr(r->name, '#') != NULL) == (layer < layers) &&
                apply(v, r, layer, begun))
                return TOMEVIT_ENOMEM;
    }
    return 0;
}

static int by_address(const void *a, const void *b)
{
    const vit_stored *x = *(const vit_stored *const *)a;
    const vit_stored *y = *(const vit_stored *const *)b;

    return x < y ? -1 : x > y;
}

/* The name of a tensor that no rule names: its own without the prefix, or, if
 * it is a layer's, after timm's "blocks.N.". */
static void own_name(const view *v, const char *name, char out[NAME])
{
    size_t layer, prefix = strlen(v->prefix);
    const char *rest = in_layer(v, name, &layer);

    if (rest)
        snprintf(out, NAME, "blocks.%zu.%s", layer, rest);
    else
        snprintf(out, NAME, "%s",
                 strncmp(name, v->prefix, prefix) ? name : name + prefix);
}

/* Adds what the rules have left over. A name that is taken is left out. */
static int pass_others(view *v)
{
    size_t used = 0, made = v->count;
    const vit_stored **list = calloc(PIECES * made + 1, sizeof *list);
    int code = 0;

    if (!list)
        return TOMEVIT_ENOMEM;
    for (size_t i = 0; i < made; i++)
        for (size_t j = 0; j < v->moved[i].count; j++)
            list[used++] = v->moved[i].from[j];
    qsort(list, used, sizeof *list, by_address);
    for (size_t i = 0; !code && i < v->file->count; i++) {
        const vit_stored *from = &v->file->list[i];
        char name[NAME];
        moved *m;

        if (bsearch(&from, list, used, sizeof *list, by_address))
            continue;
        own_name(v, from->name, name);
        if (present(v, 0, name))
            continue;
        m = append(v, name);
        if (!m) {
            code = TOMEVIT_ENOMEM;
            break;
        }
        m->count = 1;
        m->from[0] = from;
        m->axes[0] = tomevit_axes(from, VIT_AS_IS, 0, 0);
    }
    free(list);
    return code;
}

/* ---- the view ---------------------------------------------------------------- */

static int read_moved(const vit_tensors *tensors, const vit_stored *tensor,
                      float *out, const vit_report *report)
{
    view *v = tensors->self;
    const moved *m = &v->moved[tensor->begin];

    for (size_t i = 0; i < m->count; i++) {
        int code = tomevit_piece_read(&v->kept, m->file, m->from[i],
                                      &m->axes[i], out, report);

        if (code)
            return code;
        out += m->axes[i].elements;
    }
    return 0;
}

/* Of one tensor that is as the file has it. */
static int read_moved_int8(const vit_tensors *tensors,
                           const vit_stored *tensor, signed char *out,
                           float *scale)
{
    const view *v = tensors->self;
    const moved *m = &v->moved[tensor->begin];

    return m->count == 1 && tomevit_axes_plain(&m->axes[0]) &&
           m->file->read_int8 &&
           m->file->read_int8(m->file, m->from[0], out, scale);
}

static void release(vit_tensors *tensors)
{
    view *v = tensors->self;

    for (size_t i = 0; i < v->count; i++)
        free(v->moved[i].name);
    tomevit_kept_free(&v->kept);
    free(v->moved);
    free(v->used);
    tomevit_tensors_close(v->file);
    free(v);
}

/* The whole's shape: the first piece's, with all pieces' rows if they join. */
static void describe(const moved *m, size_t index, vit_stored *out)
{
    const vit_axes *first = &m->axes[0];

    memset(out, 0, sizeof *out);
    out->name = m->name;
    out->begin = index;
    out->dtype = m->from[0]->dtype;
    out->dims = first->dims;
    memcpy(out->shape, first->shape, sizeof out->shape);
    out->elements = first->elements;
    for (size_t i = 1; i < m->count; i++) {
        const vit_axes *more = &m->axes[i];

        if (!m->from[i]->dtype->to_f32)
            out->dtype = m->from[i]->dtype;
        if (more->dims == first->dims && first->dims > 0 &&
            !memcmp(more->shape + 1, first->shape + 1,
                    (first->dims - 1) * sizeof *first->shape))
            out->shape[0] += more->shape[0];
        else
            out->shape[0] = 0; /* fits nothing */
        out->elements += more->elements;
    }
}

/* The list of names, anew; the same memory if nothing was added. */
static int fill_list(vit_tensors *tensors)
{
    const view *v = tensors->self;
    vit_stored *list = calloc(v->count + 1, sizeof *list);

    if (!list)
        return TOMEVIT_ENOMEM;
    free(tensors->list);
    tensors->list = list;
    tensors->count = v->count;
    for (size_t i = 0; i < v->count; i++)
        describe(&v->moved[i], i, &tensors->list[i]);
    tomevit_tensors_sort(tensors);
    return 0;
}

/* Sets a key unless it is there. 0, or -1 without memory. */
static int imply(vit_tensors *tensors, const char *key, const char *value)
{
    return json_object_get(tensors->metadata, key)
               ? 0 : json_object_set_new(tensors->metadata, key,
                                         json_string(value));
}

int tomevit_layout_imply(vit_tensors *tensors, const vit_report *report)
{
    const view *v = tensors->self;
    const char *const *pair = v->layout->implied;
    char heads[24];
    int failed = 0;

    snprintf(heads, sizeof heads, "%zu", v->heads);
    if (v->heads)
        failed = imply(tensors, "num_heads", heads);
    for (; !failed && pair && pair[0]; pair += 2)
        failed = imply(tensors, pair[0], pair[1]);
    return failed ? tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory") : 0;
}

const char *tomevit_view_layout(const vit_tensors *tensors)
{
    const view *v = tensors->self;

    return v->layout->name;
}

int tomevit_view_stacked(const vit_tensors *tensors)
{
    const view *v = tensors->self;

    return v->stacked;
}

int tomevit_layout_view(const vit_layout *layout, vit_tensors *file,
                        vit_tensors **out, const vit_report *report)
{
    vit_tensors *tensors = tomevit_tensors_new(file->path);
    view *v = calloc(1, sizeof *v);

    *out = NULL;
    if (!tensors || !v) {
        tomevit_tensors_close(tensors);
        tomevit_tensors_close(file);
        free(v);
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    }
    atomic_flag_clear(&v->kept.busy);
    v->layout = layout;
    v->file = file;
    v->used = calloc(file->count + 1, 1);
    tensors->container = file->container;
    memcpy(tensors->prefix, file->prefix, sizeof tensors->prefix);
    tensors->self = v;
    tensors->read = read_moved;
    tensors->read_int8 = read_moved_int8;
    tensors->release = release;
    find_prefix(layout, file, v->prefix);
    tensors->metadata = file->metadata ? json_copy(file->metadata)
                                       : json_object();
    if (!v->used || !tensors->metadata || apply_rules(v) || pass_others(v) ||
        fill_list(tensors)) {
        tomevit_tensors_close(tensors);
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    }
    *out = tensors;
    return 0;
}

int tomevit_view_add(vit_tensors *tensors, const char *name,
                     const vit_tensors *file, const vit_stored *from,
                     const vit_report *report)
{
    view *v = tensors->self;
    moved *m = append(v, name);

    if (m) {
        m->file = file;
        m->count = 1;
        m->from[0] = from;
        m->axes[0] = tomevit_axes(from, VIT_AS_IS, 0, 0);
    }
    if (!m || fill_list(tensors))
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    return 0;
}

int tomevit_view_alias(vit_tensors *tensors, const char *name, const char *old,
                       const vit_report *report)
{
    view *v = tensors->self;
    size_t index = tomevit_tensors_find(tensors, old)->begin;
    moved *m = append(v, name);

    if (m) {
        char *own = m->name;

        *m = v->moved[index];
        m->name = own;
    }
    if (!m || fill_list(tensors))
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    return 0;
}

void tomevit_view_use(vit_tensors *tensors, const char *name)
{
    view *v = tensors->self;
    const vit_stored *tensor = tomevit_tensors_find(tensors, name);
    const moved *m = tensor ? &v->moved[tensor->begin] : NULL;

    for (size_t i = 0; m && m->file == v->file && i < m->count; i++)
        v->used[m->from[i] - v->file->list] = 1;
}

size_t tomevit_view_unused(const vit_tensors *tensors)
{
    const view *v = tensors->self;
    size_t unused = 0;

    for (size_t i = 0; i < v->file->count; i++)
        unused += !v->used[i];
    return unused;
}

const char *tomevit_view_unused_name(const vit_tensors *tensors, size_t index)
{
    const view *v = tensors->self;

    for (size_t i = 0; i < v->file->count; i++)
        if (!v->used[i] && index-- == 0)
            return v->file->list[i].name;
    return NULL;
}

/* The rule that would have made a tensor: one that made it in the first layer,
 * else the first of that name. */
static const vit_rule *rule_for(const view *v, const char *name, size_t layer)
{
    const vit_rule *first = NULL;
    char spelt[NAME];

    for (const vit_rule *r = v->layout->rules; r->name; r++) {
        spell("", r->name, layer, spelt);
        if (strcmp(spelt, name))
            continue;
        if (find(v, r->from[0], 0))
            return r;
        first = first ? first : r;
    }
    /* timm's rules are only for other names of what has timm's. */
    return v->layout->rules == tomevit_layout_timm.rules ? NULL : first;
}

void tomevit_view_origin(const vit_tensors *tensors, const char *name,
                         char origin[256])
{
    const view *v = tensors->self;
    const vit_stored *tensor = tomevit_tensors_find(tensors, name);
    const char *number = name + strlen("blocks.");
    const vit_rule *rule;
    size_t layer = 0;

    if (tensor) {
        snprintf(origin, NAME, "%s", v->moved[tensor->begin].from[0]->name);
        return;
    }
    if (!strncmp(name, "blocks.", strlen("blocks.")))
        layer = (size_t)strtoul(number, NULL, 10);
    rule = rule_for(v, name, layer);
    if (rule)
        spell(v->prefix, rule->from[0], layer, origin);
    else
        snprintf(origin, NAME, "%s%s", v->prefix, name);
}
