/* SPDX-License-Identifier: MIT */
/* What stands before the names of a model's tensors is seen through. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "containers.h"
#include "model_file.h"

/* A .safetensors file of tensors with these names, separated by blanks. */
static unsigned char *file_of(const char *names, size_t *count)
{
    model_file file = {0};
    unsigned char *bytes;
    char *copy = strdup(names), *name;

    for (name = strtok(copy, " "); name; name = strtok(NULL, " "))
        model_file_add(&file, name, "U8", 0, NULL, 1);
    bytes = model_file_bytes(&file, count);
    model_file_free(&file);
    free(copy);
    return bytes;
}

static void unwrap(const char *names, const char *prefix, const char *expected)
{
    size_t count;
    unsigned char *bytes = file_of(names, &count);
    tomevit_message why = {""};
    vit_tensors *tensors;

    cr_assert_eq(tomevit_tensors_parse("f", bytes, count, &tensors, &why), 0,
                 "%s", why.text);
    cr_assert_str_eq(tensors->prefix, prefix);
    check_names(tensors, expected);
    tomevit_tensors_close(tensors);
    free(bytes);
}

#define PATCH "patch_embed.proj.weight"

Test(unwrap, names_without_a_wrapper_stay)
{
    unwrap("cls_token " PATCH " x.y", "", "cls_token " PATCH " x.y");
    unwrap("a.b c", "", "a.b c");
    unwrap("vit.embeddings.patch_embeddings.projection.weight vit.x head", "",
           "head vit.embeddings.patch_embeddings.projection.weight vit.x");
    unwrap("visual.conv1.weight visual.x logit_scale", "",
           "logit_scale visual.conv1.weight visual.x");
    unwrap("vision_model.embeddings.patch_embedding.weight text", "",
           "text vision_model.embeddings.patch_embedding.weight");
    unwrap("not" PATCH, "", "not" PATCH);
}

Test(unwrap, wrappers_and_prefixes_are_taken_off)
{
    unwrap("module." PATCH " module.head", "module.", "head " PATCH);
    unwrap("visual.trunk." PATCH " visual.head.proj text.x", "visual.trunk.",
           "head.proj " PATCH " text.x");
    unwrap("visual.trunk.patch_embed.backbone.2.conv.weight visual.trunk.x",
           "visual.trunk.", "patch_embed.backbone.2.conv.weight x");
    unwrap("state_dict.module.conv_proj.weight state_dict.module.a epoch",
           "state_dict.module.", "a conv_proj.weight epoch");
    unwrap("params/embedding/kernel params/head/bias", "params/",
           "embedding/kernel head/bias");
    unwrap("model.vit.embeddings.patch_embeddings.projection.weight model.b",
           "model.",
           "b vit.embeddings.patch_embeddings.projection.weight");
    /* a head beside the model, in the same wrapper or outside all */
    unwrap("m.backbone." PATCH " m.backbone.norm m.head other.x",
           "m.backbone.", "head norm other.x " PATCH);
}

Test(unwrap, averaged_weights_come_first_then_a_teacher)
{
    unwrap("model." PATCH " model_ema." PATCH, "model_ema.",
           "model." PATCH " " PATCH);
    unwrap("student." PATCH " teacher.backbone." PATCH " teacher.head",
           "teacher.backbone.", "head " PATCH " student." PATCH);
    unwrap("model." PATCH " student." PATCH, "model.",
           PATCH " student." PATCH);
    unwrap("optimizer." PATCH " model." PATCH, "model.",
           "optimizer." PATCH " " PATCH);
    unwrap("b.c." PATCH " a." PATCH, "a.", "b.c." PATCH " " PATCH);
    unwrap("b." PATCH " a." PATCH, "a.", "b." PATCH " " PATCH);
}

Test(unwrap, no_two_tensors_get_one_name)
{
    size_t count;
    unsigned char *bytes = file_of("a.b." PATCH " a.b.x x", &count);

    refuse_bytes(bytes, count, "without \"a.b.\" two tensors are called \"x\"");
    free(bytes);
    /* the deeper one has the name */
    unwrap("a.b." PATCH " a.b.x a.x", "a.b.", "a.x " PATCH " x");
}
