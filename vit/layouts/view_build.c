/* SPDX-License-Identifier: MIT */
/* What a view holds: the tensors of a file, by the rules of its layout. */
#include "config.h"

#include "view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors ------------------------------------------------------------- */

const vit_stored *tomevit_view_find(const vit_view *v, const char *pattern,
                                    size_t layer)
{
    char name[VIT_NAME];
    const vit_stored *found;

    tomevit_names_spell(v->prefix, pattern, layer, name);
    found = tomevit_tensors_find(v->file, name);
    if (!found && v->prefix[0]) {
        tomevit_names_spell("", pattern, layer, name);
        found = tomevit_tensors_find(v->file, name);
    }
    return found;
}

/* One more, of `pieces` pieces; the name lasts as long as the view. NULL
 * without memory. */
vit_moved *tomevit_view_append(vit_view *v, const char *name, size_t pieces)
{
    vit_moved *m;

    if (v->count == v->space) {
        size_t space = v->space ? 2 * v->space : 256;
        vit_moved *larger = realloc(v->moved, space * sizeof(*larger));

        if (!larger)
            return NULL;
        v->moved = larger;
        v->space = space;
    }
    m = &v->moved[v->count];
    m->name = name;
    m->file = v->file;
    m->count = pieces;
    m->summed = 0;
    m->pieces = tomevit_region_take(&v->region, pieces * sizeof(*m->pieces));
    if (!name || !m->pieces)
        return NULL;
    v->count++;
    return m;
}

/* A tensor of a file as it is, under another name. */
int tomevit_view_append_whole(vit_view *v, const char *name,
                              const vit_tensors *file, const vit_stored *from)
{
    vit_moved *m = tomevit_view_append(v, name, 1);

    if (!m)
        return TOMEVIT_ENOMEM;
    m->file = file;
    m->pieces[0].from = from;
    m->pieces[0].axes = tomevit_axes(from, VIT_AS_IS, 0, 0);
    return 0;
}

const char *tomevit_view_keep(vit_view *v, const char *name)
{
    return tomevit_region_text(&v->region, name, strlen(name));
}

/* ---- by the layout's rules ----------------------------------------------- */

/* Only among what the rules made for one layer: there are never many. */
static int present(const vit_view *v, size_t from, const char *name)
{
    for (size_t i = from; i < v->count; i++)
        if (!strcmp(v->moved[i].name, name))
            return 1;
    return 0;
}

/* Adds a rule's tensor if the file has all of it and no earlier rule, from
 * number `begun` on, has made it. 0 or ENOMEM. */
static int apply(vit_view *v, const vit_rule *rule, size_t layer, size_t begun)
{
    const vit_stored *from[VIT_PIECES];
    char name[VIT_NAME];
    size_t count = 0;
    vit_moved *m;

    for (; count < VIT_PIECES && rule->from[count]; count++)
        if (!(from[count] = tomevit_view_find(v, rule->from[count], layer)))
            return 0;
    tomevit_names_spell("", rule->name, layer, name);
    if (present(v, begun, name))
        return 0;
    m = tomevit_view_append(v, tomevit_view_keep(v, name), count);
    if (!m)
        return TOMEVIT_ENOMEM;
    m->summed = rule->form == VIT_SUMMED;
    for (size_t i = 0; i < count; i++) {
        int stacked = strchr(rule->name, '#') && !strchr(rule->from[i], '#');

        v->stacked |= stacked;
        m->pieces[i].from = from[i];
        m->pieces[i].axes = tomevit_axes(from[i], rule->form, stacked, layer);
        if (rule->form == VIT_TO_HEADS &&
            from[i]->dims == (size_t)(3 + (stacked != 0)))
            v->heads = from[i]->shape[stacked ? 2 : 1];
    }
    return 0;
}

/* Layers of the file: by the names' numbers, or of a stack by its length. */
static size_t count_layers(const vit_view *v)
{
    size_t layers = 0, layer;

    for (size_t i = 0; i < v->file->count; i++)
        if (tomevit_names_in_layer(v->layout, v->in_layers,
                                   v->file->list[i].name, &layer) &&
            layer >= layers)
            layers = layer < VIT_LAYERS ? layer + 1 : VIT_LAYERS;
    for (const vit_rule *r = v->layout->rules; r->name; r++) {
        const vit_stored *stack;

        if (!strchr(r->name, '#') || strchr(r->from[0], '#') ||
            !(stack = tomevit_view_find(v, r->from[0], 0)) || stack->dims < 1)
            continue;
        if (stack->shape[0] > layers)
            layers = stack->shape[0] < VIT_LAYERS ? stack->shape[0]
                                                  : VIT_LAYERS;
    }
    return layers;
}

int tomevit_view_apply_rules(vit_view *v)
{
    size_t layers;

    v->in_layers = v->prefix;
    layers = count_layers(v);
    if (!layers) {
        v->in_layers = "";
        layers = count_layers(v);
    }
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

/* ---- the others ---------------------------------------------------------- */

/* The name of a tensor that no rule names: its own without the prefix, or, if
 * it is a layer's, after timm's "blocks.N.". NULL without memory. */
static const char *own_name(vit_view *v, const char *name)
{
    size_t layer, prefix = strlen(v->prefix), length;
    const char *rest = tomevit_names_in_layer(v->layout, v->in_layers, name,
                                              &layer);
    char *own;

    if (!rest)
        return strncmp(name, v->prefix, prefix) ? name : name + prefix;
    length = strlen(rest) + 32;
    own = tomevit_region_take(&v->region, length);
    if (own)
        snprintf(own, length, "blocks.%zu.%s", layer, rest);
    return own;
}

/* Adds what the rules have left over. */
int tomevit_view_pass_others(vit_view *v)
{
    size_t made = v->count;
    unsigned char *taken = calloc(v->file->count + 1, 1);
    int code = taken ? 0 : TOMEVIT_ENOMEM;

    for (size_t i = 0; !code && i < made; i++)
        for (size_t j = 0; j < v->moved[i].count; j++)
            taken[v->moved[i].pieces[j].from - v->file->list] = 1;
    for (size_t i = 0; !code && i < v->file->count; i++) {
        const vit_stored *from = &v->file->list[i];

        if (!taken[i])
            code = tomevit_view_append_whole(v, own_name(v, from->name),
                                             v->file, from);
    }
    free(taken);
    return code;
}
