/* SPDX-License-Identifier: MIT */
/* Where in a checkpoint its text tower is, and of which shapes. */
#include "config.h"

#include "tower.h"

#include <stdio.h>
#include <string.h>

/* [transformers, models/clip/modeling_clip.py, models/siglip/...;
 * open_clip, src/open_clip/transformer.py; openai/CLIP, clip/model.py] */
static const vit_text_names known[] = {
    {"Hugging Face", "embeddings.token_embedding.weight",
     "embeddings.position_embedding.weight", "final_layer_norm",
     "encoder.layers.", "layer_norm1", "layer_norm2", "self_attn.out_proj",
     "mlp.fc1", "mlp.fc2", NULL, 16},
    {"CLIP", "token_embedding.weight", "positional_embedding", "ln_final",
     "transformer.resblocks.", "ln_1", "ln_2", "attn.out_proj", "mlp.c_fc",
     "mlp.c_proj", "attn.in_proj_", 12},
};

/* What stands before the anchor in the one name that ends with it. */
static int find_base(struct tomevit_text *t, const vit_tensors *file,
                     const vit_text_names *names)
{
    size_t tail = strlen(names->anchor);

    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->list[i].name;
        size_t length = strlen(name);
        size_t before = length > tail ? length - tail : 0;

        if (strcmp(name + before, names->anchor) != 0 ||
            before >= sizeof(t->base) ||
            (before && name[before - 1] != '.'))
            continue;
        t->names = names;
        snprintf(t->base, sizeof(t->base), "%.*s", (int)before, name);
        return 1;
    }
    return 0;
}

/* Towers that are known by a tensor, and not run. */
static const char *other_tower(const vit_tensors *file)
{
    static const struct {
        const char *part, *is;
    } others[] = {
        {"word_embeddings.weight", "a BERT or a RoBERTa"},
        {"shared.weight", "a T5"},
        {"embed_tokens.weight", "a language model of Llama's kind"},
    };

    for (size_t i = 0; i < file->count; i++)
        for (size_t j = 0; j < sizeof(others) / sizeof(*others); j++)
            if (strstr(file->list[i].name, others[j].part))
                return others[j].is;
    return NULL;
}

static int find_tower(struct tomevit_text *t, const vit_tensors *file,
                      const vit_report *report)
{
    const char *other;

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (find_base(t, file, &known[i])) {
            size_t length = strlen(t->base), tail = strlen("text_model.");

            snprintf(t->outer, sizeof(t->outer), "%s", t->base);
            if (length >= tail &&
                strcmp(t->base + length - tail, "text_model.") == 0)
                t->outer[length - tail] = '\0';
            snprintf(t->d.layout, sizeof(t->d.layout), "%s", known[i].layout);
            return 0;
        }
    other = other_tower(file);
    if (other)
        return tomevit_fail(report, TOMEVIT_EMODEL, "its text tower is %s, "
                            "which is not run", other);
    return tomevit_fail(report, TOMEVIT_EMODEL, "expected a text tower, that "
                        "of CLIP or SigLIP, found none in this file");
}

const vit_stored *tomevit_text_find(const struct tomevit_text *t,
                                    const vit_tensors *file, size_t layer,
                                    const char *name, const char *tail)
{
    char whole[256];

    if (layer == SIZE_MAX)
        snprintf(whole, sizeof(whole), "%s%s%s", t->base, name, tail);
    else
        snprintf(whole, sizeof(whole), "%s%s%zu.%s%s", t->base,
                 t->names->layer, layer, name, tail);
    return tomevit_tensors_find(file, whole);
}

/* Layers that there are, each with as many tensors as it should have. */
static int count_layers(struct tomevit_text *t, const vit_tensors *file,
                        const vit_report *report)
{
    while (tomevit_text_find(t, file, t->d.depth, t->names->norm1, ".weight"))
        t->d.depth++;
    for (size_t l = 0; l < t->d.depth; l++) {
        char begin[256];
        size_t found = 0;

        snprintf(begin, sizeof(begin), "%s%s%zu.", t->base, t->names->layer,
                 l);
        for (size_t i = 0; i < file->count; i++)
            found += !strncmp(file->list[i].name, begin, strlen(begin));
        if (found != t->names->tensors)
            return tomevit_fail(report, TOMEVIT_EMODEL, "layer %zu of its text "
                                "tower: expected %zu tensors, found %zu: a "
                                "block of another kind is not run", l,
                                t->names->tensors, found);
    }
    return t->d.depth ? 0
        : tomevit_fail(report, TOMEVIT_EMODEL, "expected layers of a text "
                       "tower, found none");
}

/* The projection, by any of its names; *transposed for [dim, embedding]. */
static const vit_stored *projection(const struct tomevit_text *t,
                                    const vit_tensors *file, int *transposed)
{
    static const char *const names[] = {"text_projection.weight",
                                        "head.weight"};
    const vit_stored *found;
    char whole[256];

    *transposed = 0;
    for (size_t i = 0; i < 2; i++) {
        snprintf(whole, sizeof(whole), "%s%s", i ? t->base : t->outer,
                 names[i]);
        found = tomevit_tensors_find(file, whole);
        if (found)
            return found;
    }
    *transposed = 1;
    return tomevit_text_find(t, file, SIZE_MAX, "text_projection", "");
}

int tomevit_text_shapes(struct tomevit_text *t, const vit_tensors *file,
                        const vit_report *report)
{
    const vit_stored *words, *places, *fc1, *project;
    int transposed, code = find_tower(t, file, report);

    if (!code)
        code = count_layers(t, file, report);
    if (code)
        return code;
    words = tomevit_text_find(t, file, SIZE_MAX, t->names->anchor, "");
    places = tomevit_text_find(t, file, SIZE_MAX, t->names->positions, "");
    fc1 = tomevit_text_find(t, file, 0, t->names->fc1, ".weight");
    project = projection(t, file, &transposed);
    if (words->dims != 2 || !places || places->dims != 2 ||
        places->shape[1] != words->shape[1] || !fc1 || fc1->dims != 2 ||
        words->shape[0] == 0 || words->shape[0] > INT32_MAX ||
        places->shape[0] == 0 || places->shape[0] > 4096 ||
        words->shape[1] == 0 || words->shape[1] > 65536 ||
        fc1->shape[0] == 0)
        return tomevit_fail(report, TOMEVIT_EMODEL, "its text tower: expected "
                            "embeddings [vocabulary, width] of words and "
                            "[context, width] of places");
    if (tomevit_text_find(t, file, SIZE_MAX, "cls_emb", ""))
        return tomevit_fail(report, TOMEVIT_EMODEL, "its text tower has a "
                            "class token (CoCa), which is not run");
    if (project && (project->dims != 2 ||
                    project->shape[!transposed] != words->shape[1]))
        return tomevit_fail(report, TOMEVIT_EMODEL, "\"%s\": expected a "
                            "projection of %zu channels", project->name,
                            words->shape[1]);
    t->d.vocabulary = words->shape[0];
    t->d.dim = words->shape[1];
    t->d.context = places->shape[0];
    t->d.mlp_dim = fc1->shape[0];
    t->projected = project != NULL;
    t->d.embedding = project ? project->shape[transposed] : t->d.dim;
    return 0;
}
