/* SPDX-License-Identifier: MIT */
/*
 * What is known of a model beside its tensors' shapes, and from where: what
 * computes something else if it is wrong, and no tensor shows. Where neither a
 * tensor nor metadata nor a file beside the weights says it, it is a guess.
 */
#include "config.h"

#include "facts.h"

#include "../containers/json.h"
#include "../layouts/layout.h"
#include "checks.h"
#include "description.h"
#include "rope.h"

#include <stdio.h>
#include <string.h>

/* One more, from the key's source; `from` NULL is a guess. */
static vit_fact *add(vit_facts *f, const char *what, const char *from)
{
    vit_fact *fact = &f->list[f->count++];

    fact->what = what;
    fact->guessed = !from || from[0] == '?';
    snprintf(fact->from, sizeof(fact->from), "%s",
             !from ? "guess" : from + fact->guessed);
    return fact;
}

/* Libraries other than timm have one way each for what timm lets one choose;
 * the rule is named by the layout. NULL for timm and its relatives. */
static const char *library_rule(const vit_tensors *view, char rule[64])
{
    static const char *const open[] = {"timm", "MAE", "DINOv2"};
    const char *layout = tomevit_view_layout(view);

    for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++)
        if (!strcmp(layout, open[i]))
            return NULL;
    snprintf(rule, 64, "rule of %.48s", layout);
    return rule;
}

/* "arch" may hold the number of heads, as older files of ours have it. */
static const char *heads_from(const vit_tensors *view,
                              const tomevit_description *d)
{
    const char *layout = tomevit_view_layout(view);
    const char *from = tomevit_tensors_from(view, "num_heads");
    const char *arch = tomevit_tensors_metadata(view, "arch");
    json_error_t error;
    json_t *value;

    if (d->block == TOMEVIT_BLOCK_MEGA || d->qk_norm || d->relative ||
        d->differential || d->talking || tomevit_rope_heads(view, d))
        return "tensors";
    if (!from && arch) {
        value = tomevit_json_parse(arch, strlen(arch), 8, &error);
        from = json_object_get(value, "num_heads") ? "metadata" : NULL;
        json_decref(value);
    }
    if (from)
        return from;
    /* A head is 64 wide there. [openai/CLIP, clip/model.py: build_model] */
    return !strcmp(layout, "OpenAI CLIP") ? "rule of OpenAI CLIP" : NULL;
}

static const char *pool_from(const vit_tensors *view,
                             const tomevit_description *d, char rule[64])
{
    const char *from = tomevit_tensors_from(view, "pool");

    if (!strncmp(tomevit_view_layout(view), "Hugging Face SigLIP", 19) &&
        d->pool == TOMEVIT_POOL_MEAN && d->classes)
        return "rule of Hugging Face SigLIP";
    if (!strcmp(tomevit_view_layout(view), "Hugging Face CLIP") &&
        d->pool == TOMEVIT_POOL_MEAN)
        return "rule of CLIPForImageClassification";
    if (tomevit_pool_width(d) || d->pool == TOMEVIT_POOL_CELLS ||
        d->pool == TOMEVIT_POOL_CLASS_LAYERS ||
        d->pool == TOMEVIT_POOL_CLASS_MEAN || d->distilled)
        return "tensors";
    if (from)
        return from;
    /* open_clip's own towers choose, and their configuration says what.
     * [open_clip, model.py: CLIPVisionCfg.pool_type] */
    return !strcmp(tomevit_view_layout(view), "CLIP")
               ? NULL : library_rule(view, rule);
}

/* transformers has many classes with these names. */
static const char *positions_from(const vit_tensors *view,
                                  const tomevit_description *d, char rule[64])
{
    const char *from = tomevit_tensors_from(view, "positions");

    if (!from && (tomevit_has(view, "rope.freqs") ||
                  tomevit_has(view, "rope.periods")))
        return "tensors";
    if (!from && d->rope.kind)
        return NULL;
    if (d->relative)
        return "tensors";
    if (!from && !strncmp(tomevit_view_layout(view), "Hugging Face", 12))
        return NULL;
    return from ? from : library_rule(view, rule);
}

/* Gates of DINOv2's names and of timm's SwiGLU are of SiLU; transformers lets
 * most of its classes choose. */
static const char *gate_from(const vit_tensors *view, char rule[64])
{
    vit_origin o = tomevit_origin_of(view, "blocks.0.mlp.fc1.weight");
    const char *layout = tomevit_view_layout(view);
    const char *from = tomevit_tensors_from(view, "activation");
    const char *gate = tomevit_tensors_from(view, "gate");

    if (gate)
        return gate;
    if (tomevit_has(view, "patch_embed.backbone.stem.conv1.weight") ||
        strstr(o.name, "w12") || strstr(o.name, "fc1_g"))
        return "tensors";
    if (!from && !strncmp(layout, "Hugging Face", 12) &&
        strcmp(layout, "Hugging Face DINOv2"))
        return NULL;
    if (!from)
        from = tomevit_tensors_from(view, "positions");
    return from ? from : library_rule(view, rule);
}

/* Norms stand before attention and MLP here. Those behind have the same names
 * in timm, so that only who knows the architecture, and with it its positions,
 * tells them apart. [timm, models/eva.py: EvaBlockPostNorm] */
static const char *norms_from(const vit_tensors *view,
                              const tomevit_description *d, char rule[64])
{
    const char *from = tomevit_tensors_from(view, "positions");

    if (d->post_norm)
        return tomevit_tensors_from(view, "block");
    if (d->block != TOMEVIT_BLOCK_VIT || d->patch_norm)
        return "tensors";
    if (!from && !strncmp(tomevit_view_layout(view), "Hugging Face", 12))
        return NULL;
    return from ? from : library_rule(view, rule);
}

/* The number of positions does not show that they are those of a square. */
static const char *size_from(const vit_tensors *view,
                             const tomevit_description *d)
{
    const char *layout = tomevit_view_layout(view);
    const char *from = tomevit_tensors_from(view, "input_size");

    /* A grid that is resized to any image says nothing of its size. */
    if (from || !strcmp(layout, "timm NaFlex"))
        return from;
    if (!strcmp(layout, "torchvision") || !strcmp(layout, "SWAG"))
        return "rule of torchvision";
    if (!strcmp(layout, "OpenAI CLIP"))
        return "rule of OpenAI CLIP";
    return (d->pos_embed && !tomevit_has_table(view)) || d->relative == 1
               ? tomevit_tensors_from(view, "positions") : NULL;
}

/* What ends the layers, and pools what they give. */
static void add_ending(vit_facts *f, const vit_tensors *view,
                       const tomevit_description *d)
{
    char rule[64];
    const char *from = tomevit_tensors_from(view, "final_norm");
    const char *known = tomevit_tensors_from(view, "positions");
    vit_fact *fact;

    if (!d->final_norm) {
        /* It may lie without weights behind the pooling, or be cut off. */
        fact = add(f, "last norm", from ? from : library_rule(view, rule)
                                              ? library_rule(view, rule)
                                              : known);
        snprintf(fact->value, sizeof(fact->value), "none");
    }
    if (!tomevit_pool_width(d))
        return;
    from = tomevit_tensors_from(view, "pool_heads");
    if (!from && !d->rope.kind && d->pool == TOMEVIT_POOL_ATTENTION)
        from = heads_from(view, d);
    fact = add(f, "heads of pooling", from);
    snprintf(fact->value, sizeof(fact->value), "%zu", d->pool_heads);
    if (!d->prefix)
        return;
    fact = add(f, "pooled tokens", known ? known : library_rule(view, rule));
    snprintf(fact->value, sizeof(fact->value), "%s",
             d->pool_prefix ? "all" : "patches");
}

static void add_structure(vit_facts *f, const vit_tensors *view,
                          const tomevit_description *d, int asked)
{
    static const char *const activations[] = {"gelu", "gelu_tanh",
                                              "quick_gelu", "swiglu",
                                              "silu", "geglu",
                                              "geglu_tanh"};
    static const char *const pools[] = {"class", "mean", "class and mean",
                                        "attention", "cells",
                                        "class", "first query"};
    char rule[64], positions[96];
    vit_fact *fact = add(f, "heads", heads_from(view, d));

    snprintf(fact->value, sizeof(fact->value), "%zu", d->heads);
    fact = add(f, "activation", tomevit_gated(d)
                   ? gate_from(view, rule)
                   : tomevit_tensors_from(view, "activation"));
    snprintf(fact->value, sizeof(fact->value), "%s",
             activations[d->activation]);
    if (d->block == TOMEVIT_BLOCK_MEGA) {
        fact = add(f, "attention", tomevit_tensors_from(view, "attention"));
        snprintf(fact->value, sizeof(fact->value), "%s",
                 d->mega.laplace ? "laplace" : "softmax");
    }
    fact = add(f, "norm epsilon", tomevit_tensors_from(view, "norm_eps"));
    snprintf(fact->value, sizeof(fact->value), "%.6g", (double)d->norm_eps);
    fact = add(f, "pooling", pool_from(view, d, rule));
    snprintf(fact->value, sizeof(fact->value), "%s", pools[d->pool]);
    fact = add(f, "positions", positions_from(view, d, rule));
    tomevit_positions_text(d, positions);
    snprintf(fact->value, sizeof(fact->value), "%s%s%s",
             (d->rope.kind || d->relative) && d->pos_embed ? "learned and "
                                                           : "",
             d->relative ? "relative" : positions,
             d->rope.kind || d->relative || !d->pos_embed ? "" : " alone");
    fact = add(f, "norms", norms_from(view, d, rule));
    snprintf(fact->value, sizeof(fact->value), "%s attention and MLP",
             d->post_norm == 2 ? "before and after"
             : d->post_norm    ? "after" : "before");
    add_ending(f, view, d);
    if (!strcmp(tomevit_view_layout(view), "MobileLLM")) {
        fact = add(f, "runs of a layer", tomevit_tensors_from(view, "share"));
        snprintf(fact->value, sizeof(fact->value), "%zu", d->share);
    }
    if (d->rms_norm) {
        fact = add(f, "norm", tomevit_tensors_from(view, "norm"));
        snprintf(fact->value, sizeof(fact->value), "rms");
    }
    if (d->cells.side) {
        fact = add(f, "order of cells", tomevit_tensors_from(view, "cells"));
        snprintf(fact->value, sizeof(fact->value), "%s",
                 d->cells.by_channel ? "channels" : "patches");
    }
    if (d->bare_norm) {
        fact = add(f, "norm behind pooling",
                   tomevit_tensors_from(view, "bare_norm"));
        snprintf(fact->value, sizeof(fact->value),
                 d->bare_norm > 1 ? "none, scaled" : "without weights");
    }
    if (d->preprocessing.max_patches) {
        fact = add(f, "most patches of an image", asked ? "option"
                       : tomevit_tensors_from(view, "max_patches"));
        snprintf(fact->value, sizeof(fact->value), "%zu",
                 d->preprocessing.max_patches);
        return;
    }
    fact = add(f, "image size", asked ? "option" : size_from(view, d));
    snprintf(fact->value, sizeof(fact->value), "%zu", d->image_size);
    if (d->image_width)
        snprintf(fact->value, sizeof(fact->value), "%zux%zu", d->image_size,
                 d->image_width);
}

static void three(char text[128], const float *v)
{
    snprintf(text, 128, "%.4g %.4g %.4g", (double)v[0], (double)v[1],
             (double)v[2]);
}

/* Where the family's values were taken it is a guess which family it is. */
static void add_pixels(vit_facts *f, const vit_tensors *view,
                       const tomevit_description *d)
{
    const tomevit_preprocessing *pre = &d->preprocessing;
    vit_fact *fact = add(f, "mean", tomevit_tensors_from(view, "mean"));

    three(fact->value, pre->mean);
    fact = add(f, "std", tomevit_tensors_from(view, "std"));
    three(fact->value, pre->std);
    if (!pre->max_patches) {
        fact = add(f, "crop", tomevit_tensors_from(view, "crop_pct"));
        snprintf(fact->value, sizeof(fact->value), "%.4g %s", pre->crop_pct,
                 tomevit_crop_mode_word(pre->crop_mode));
    }
    fact = add(f, "interpolation",
               tomevit_tensors_from(view, "interpolation"));
    snprintf(fact->value, sizeof(fact->value), "%s",
             pre->interpolation == TOMEVIT_BICUBIC ? "bicubic" : "bilinear");
}

/* Names beside the weights that are of another head than this one are left
 * out: the classes are numbers, which has to be said. */
static void add_class_names(vit_facts *f, const vit_tensors *view,
                            const tomevit_description *d)
{
    const char *text = tomevit_tensors_metadata(view, "class_names");
    const char *from = tomevit_tensors_from(view, "class_names");
    json_error_t error;
    json_t *names;
    vit_fact *fact;

    if (!text || !d->classes || !from || !strcmp(from, "metadata"))
        return;
    names = tomevit_json_parse(text, strlen(text), 8, &error);
    if (json_array_size(names) != d->classes) {
        fact = add(f, "class names", NULL);
        snprintf(fact->value, sizeof(fact->value), "numbers (%zu names)",
                 json_array_size(names));
    }
    json_decref(names);
}

void tomevit_facts_find(vit_facts *facts, const vit_tensors *view,
                        const tomevit_description *d, int resized, int asked)
{
    const char *how = tomevit_tensors_metadata(view, "position_resize");
    vit_fact *fact;

    facts->count = 0;
    add_structure(facts, view, d, asked);
    add_pixels(facts, view, d);
    add_class_names(facts, view, d);
    if (!resized)
        return;
    fact = add(facts, "position resize",
               how ? tomevit_tensors_from(view, "position_resize")
                   : tomevit_tensors_from(view, "positions"));
    snprintf(fact->value, sizeof(fact->value), "%s",
             how ? how : "bicubic_antialias");
}

int tomevit_facts_strict(const vit_facts *facts, const vit_report *report)
{
    char list[400] = "";
    size_t used = 0;

    for (size_t i = 0; i < facts->count && used < sizeof(list); i++)
        if (facts->list[i].guessed)
            used += (size_t)snprintf(list + used, sizeof(list) - used,
                                     "%s%s %s", used ? ", " : "",
                                     facts->list[i].what,
                                     facts->list[i].value);
    return list[0] ? tomevit_fail(report, TOMEVIT_EMODEL, "nothing says, and "
                                  "strict allows no guess: %s", list) : 0;
}
