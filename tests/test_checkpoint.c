/* SPDX-License-Identifier: MIT */
/* Checkpoints: golden models and real weights are described and read right. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../vit/checkpoint/checkpoint.h"
#include "golden.h"
#include "model_file.h"

/* Every tensor that the description promises holds what an independent
 * reader of the same file finds under that name. */
static void check_values(const char *folder, const char *name,
                         vit_checkpoint *checkpoint,
                         const tomevit_description *d)
{
    golden_file *file = golden_open(folder, name);
    vit_source source = tomevit_checkpoint_source(checkpoint);
    uint64_t parameters = 0;
    size_t layer;
    int t;

    for (t = 0; t < VIT_TENSORS; t++)
        for (layer = 0; layer < d->depth; layer++) {
            size_t count = tomevit_shape_in(d, layer, (enum vit_tensor)t,
                                            NULL, NULL);
            float *values = malloc((count + 1) * sizeof(*values));
            const float *expected;
            char tensor[64];

            if (count == 0 || (t < VIT_FIRST_OF_LAYER && layer > 0)) {
                free(values);
                continue;
            }
            tomevit_tensor_name(d, (enum vit_tensor)t, layer, tensor);
            expected = golden_f32(file, tensor, count);
            values[count] = 12345;
            cr_assert_eq(source.read(source.self, (enum vit_tensor)t, layer,
                                     values), 0);
            cr_assert_arr_eq(values, expected, count * sizeof(*values),
                             "%s: %s", name, tensor);
            cr_assert_eq(values[count], 12345);
            parameters += count;
            free(values);
        }
    cr_assert_eq(parameters, d->parameters);
    golden_close(file);
}

static vit_checkpoint *open_good(const char *folder, const char *name,
                                 tomevit_description *d)
{
    char *path = golden_path(folder, name);
    vit_checkpoint *checkpoint;
    tomevit_message why = {""};
    int code = tomevit_checkpoint_open(path, NULL, &checkpoint, d, &why);

    cr_assert_eq(code, 0, "%s", why.text);
    cr_assert_eq(tomevit_checkpoint_unused(checkpoint, NULL, NULL), 0);
    free(path);
    return checkpoint;
}

static size_t config_size(const json_t *config, const char *key)
{
    return golden_size(config, key);
}

static void check_config(const json_t *config, const tomevit_description *d)
{
    int distilled = json_is_true(json_object_get(config, "distilled"));
    size_t grid = d->image_size / d->patch;

    cr_assert_eq(d->dim, config_size(config, "embed_dim"));
    cr_assert_eq(d->depth, config_size(config, "depth"));
    cr_assert_eq(d->heads, config_size(config, "num_heads"));
    cr_assert_eq(d->mlp_dim, 4 * d->dim);
    cr_assert_eq(d->patch, config_size(config, "patch_size"));
    cr_assert_eq(d->image_size, config_size(config, "img_size"));
    cr_assert_eq(d->classes, config_size(config, "num_classes"));
    cr_assert_eq(d->qkv_bias,
                 json_is_true(json_object_get(config, "qkv_bias")));
    cr_assert_eq(d->class_token, 1);
    cr_assert_eq(d->distilled, distilled);
    cr_assert_eq(d->prefix, (size_t)(1 + distilled));
    cr_assert_eq(d->tokens, d->prefix + grid * grid);
    cr_assert_eq(d->fc_norm, 0);
    cr_assert_eq(d->pool, TOMEVIT_POOL_CLASS);
    cr_assert_eq(d->norm_eps, 1e-6f);
    cr_assert_str_eq(d->family, distilled ? "deit-distilled" : "vit");
    cr_assert_str_eq(d->preprocessing_source,
                     distilled ? "family" : "default");
    cr_assert_eq(d->preprocessing.size, d->image_size);
    cr_assert_eq(d->preprocessing.mean[2], distilled ? 0.406f : 0.5f);
    cr_assert_eq(d->preprocessing.std[1], distilled ? 0.224f : 0.5f);
    cr_assert_eq(d->preprocessing.crop_pct, 0.9);
}

Test(checkpoint, golden_models_are_described_and_read)
{
    const char *folder = golden_folder();
    json_t *index = golden_index(folder), *model;
    size_t i, models = 0;

    json_array_foreach(json_object_get(index, "model"), i, model) {
        const char *name = golden_string(model, "weights");
        tomevit_description d;
        vit_checkpoint *checkpoint = open_good(folder, name, &d);
        char **names;

        check_config(json_object_get(model, "config"), &d);
        check_values(folder, name, checkpoint, &d);
        cr_assert_eq(tomevit_checkpoint_class_names(checkpoint, &names, NULL),
                     0);
        cr_assert_null(names);
        tomevit_checkpoint_close(checkpoint);
        models++;
    }
    cr_assert_gt(models, 0);
    json_decref(index);
}

Test(checkpoint, real_weights_are_described_and_read)
{
    const char *data = golden_data_folder();
    const char *name = "weights/vit_tiny_patch16_224.augreg.safetensors";
    tomevit_description d;
    vit_checkpoint *checkpoint;

    if (!data)
        cr_skip_test("no real weights: ../shared/data is absent");
    checkpoint = open_good(data, name, &d);
    cr_assert_eq(d.dim, 192);
    cr_assert_eq(d.depth, 12);
    cr_assert_eq(d.heads, 3);
    cr_assert_eq(d.mlp_dim, 768);
    cr_assert_eq(d.patch, 16);
    cr_assert_eq(d.image_size, 224);
    cr_assert_eq(d.classes, 1000);
    cr_assert_eq(d.tokens, 197);
    cr_assert_eq(d.parameters, 5717416);
    cr_assert_str_eq(d.family, "vit");
    cr_assert_str_eq(d.preprocessing_source, "default");
    cr_assert_eq(d.preprocessing.mean[0], 0.5f);
    check_values(data, name, checkpoint, &d);
    tomevit_checkpoint_close(checkpoint);
}

/* ---- descriptions alone -------------------------------------------------- */

/* Writes a file of the test's own and returns its name. */
static const char *write_file(const model_file *file)
{
    static char path[] = "test-checkpoint-XXXXXX";
    size_t count;
    unsigned char *bytes = model_file_bytes(file, &count);
    int descriptor = mkstemp(path);

    cr_assert_geq(descriptor, 0);
    cr_assert_eq(write(descriptor, bytes, count), (ssize_t)count);
    close(descriptor);
    free(bytes);
    return path;
}

Test(checkpoint, a_description_is_that_of_the_open_model)
{
    tomevit_description d, alone;
    tomevit_message why;
    tomevit_model *model;
    model_file file;
    const char *path;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    path = write_file(&file);
    cr_assert_eq(tomevit_open(path, NULL, &model, &why), 0, "%s", why.text);
    cr_assert_eq(tomevit_read_description(path, NULL, &alone, &why), 0, "%s",
                 why.text);
    cr_assert_arr_eq(&alone, tomevit_describe(model), sizeof(alone));
    cr_assert_eq(tomevit_read_description(path, NULL, &alone, NULL), 0);
    cr_assert_eq(tomevit_read_description(NULL, NULL, &alone, &why),
                 TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_read_description(path, NULL, NULL, &why),
                 TOMEVIT_EINVAL);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(tomevit_read_description(path, NULL, &alone, &why),
                 TOMEVIT_EIO);
    cr_assert_neq(why.text[0], '\0');
    tomevit_close(model);
    model_file_free(&file);
}

/* What tomevit_open refuses, this refuses too. */
Test(checkpoint, a_description_needs_good_class_names)
{
    tomevit_description d;
    tomevit_message why;
    model_file file;
    const char *path;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    file.metadata = "{\"num_heads\":\"2\",\"class_names\":\"[1]\"}";
    path = write_file(&file);
    cr_assert_eq(tomevit_read_description(path, NULL, &d, &why),
                 TOMEVIT_EFORMAT);
    cr_assert(strstr(why.text, "class_names"), "%s", why.text);
    unlink(path);
    model_file_free(&file);
}
