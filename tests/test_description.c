/* SPDX-License-Identifier: MIT */
/* What models are recognised, and what is refused, by tensors and metadata. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../vit/checkpoint/checkpoint.h"
#include "../vit/checkpoint/description.h"
#include "model_file.h"
#include "refused.h"

static vit_checkpoint *parse(const model_file *file, const char *path,
                             tomevit_description *d, unsigned char **bytes)
{
    vit_checkpoint *checkpoint;
    tomevit_message why = {""};
    size_t count;

    *bytes = model_file_bytes(file, &count);
    cr_assert_eq(tomevit_checkpoint_parse(path, *bytes, count, &checkpoint, d,
                                          &why), 0, "%s", why.text);
    return checkpoint;
}

static void accept(const model_file *file, const char *path,
                   tomevit_description *d, size_t extra)
{
    unsigned char *bytes;
    vit_checkpoint *checkpoint = parse(file, path, d, &bytes);

    cr_assert_eq(tomevit_checkpoint_unused(checkpoint, NULL, NULL), extra);
    tomevit_checkpoint_close(checkpoint);
    free(bytes);
}

static void refuse(const model_file *file, int expected, const char *words)
{
    vit_checkpoint *checkpoint = (vit_checkpoint *)&checkpoint;
    tomevit_description d;
    tomevit_message why = {""};
    size_t count;
    unsigned char *bytes = model_file_bytes(file, &count);
    int code = tomevit_checkpoint_parse("m.safetensors", bytes, count,
                                        &checkpoint, &d, &why);

    cr_assert_null(checkpoint);
    refused(code, expected, &why, "m.safetensors", words);
    free(bytes);
}

/* ---- kinds of models ----------------------------------------------------- */

/* A model with the parts of `made` is described just so. */
static void round_trip(tomevit_description *made, const char *path,
                       const char *family, int pool)
{
    model_file file;
    tomevit_description d;

    made->tokens = made->prefix + 4;
    made->pos_prefix = made->prefix;
    model_file_random(&file, made);
    accept(&file, path, &d, 0);
    cr_assert_str_eq(d.family, family);
    cr_assert_eq(d.pool, pool);
    cr_assert_eq(d.class_token, made->class_token);
    cr_assert_eq(d.distilled, made->distilled);
    cr_assert_eq(d.qkv_bias, made->qkv_bias);
    cr_assert_eq(d.fc_norm, made->fc_norm);
    cr_assert_eq(d.prefix, made->prefix);
    cr_assert_eq(d.pos_prefix, made->prefix);
    cr_assert_eq(d.tokens, made->tokens);
    cr_assert_eq(d.dim, 8);
    cr_assert_eq(d.depth, 2);
    cr_assert_eq(d.heads, 2);
    cr_assert_eq(d.mlp_dim, 16);
    cr_assert_eq(d.patch, 2);
    cr_assert_eq(d.image_size, 4);
    cr_assert_eq(d.classes, 3);
    model_file_free(&file);
}

Test(description, every_kind_of_model_is_recognised)
{
    tomevit_description d;

    model_file_tiny(&d);
    round_trip(&d, "dir.deit/x", "vit", TOMEVIT_POOL_CLASS);
    round_trip(&d, "dir/my-DeiT.safetensors", "deit", TOMEVIT_POOL_CLASS);
    d.qkv_bias = 0;
    round_trip(&d, "x", "vit", TOMEVIT_POOL_CLASS);
    d.fc_norm = 1;
    round_trip(&d, "x", "mae", TOMEVIT_POOL_MEAN);
    d.class_token = 0;
    d.prefix = 0;
    round_trip(&d, "x", "vit", TOMEVIT_POOL_MEAN);
    d.fc_norm = 0;
    round_trip(&d, "x", "vit", TOMEVIT_POOL_MEAN);
    d.class_token = d.distilled = 1;
    d.prefix = 2;
    round_trip(&d, "x", "deit-distilled", TOMEVIT_POOL_CLASS);
}

/* A model with one more part, read back from its tensors. */
static tomevit_description read_back(tomevit_description *made)
{
    tomevit_description d;
    model_file file;

    made->tokens = made->prefix + 4;
    model_file_random(&file, made);
    if (made->heads == 4)
        file.metadata = "{\"num_heads\":\"4\"}";
    accept(&file, "x", &d, 0);
    cr_assert_eq(d.tokens, made->tokens);
    cr_assert_eq(d.prefix, made->prefix);
    cr_assert_eq(d.registers, made->registers);
    cr_assert_eq(d.pos_prefix, made->pos_prefix);
    cr_assert_eq(d.features, made->features);
    cr_assert_eq(d.layer_scale, made->layer_scale);
    cr_assert_eq(d.norm_pre, made->norm_pre);
    cr_assert_eq(d.qk_norm, made->qk_norm);
    cr_assert_eq(d.patch_bias, made->patch_bias);
    cr_assert_eq(d.head_bias, made->head_bias);
    cr_assert_eq(d.activation, made->activation);
    cr_assert_eq(d.pool, made->pool);
    cr_assert_eq(d.heads, made->heads);
    cr_assert_eq(d.mlp_dim, made->mlp_dim);
    model_file_free(&file);
    return d;
}

Test(description, parts_are_recognised)
{
    tomevit_description d;

    model_file_tiny(&d);
    d.layer_scale = 1;
    read_back(&d);
    d.pos_prefix = 0;
    read_back(&d);
    d.registers = 6;
    d.prefix = 7;
    read_back(&d);
    d.pos_prefix = 1;
    read_back(&d);
    d.pos_prefix = 7;
    read_back(&d);
    d.norm_pre = 1;
    read_back(&d);
    d.patch_bias = d.head_bias = 0;
    read_back(&d);
    d.activation = TOMEVIT_SWIGLU;
    read_back(&d);
    d.qk_norm = 1;
    d.heads = 4;
    read_back(&d);
    d.pool = TOMEVIT_POOL_CLASS_MEAN;
    d.features = 16;
    read_back(&d);
}

/* 8 * (3*2*2 + 1) + tokens etc. by hand: see the comments of weights.h. */
Test(description, parameters_are_counted)
{
    tomevit_description d, read;
    model_file file;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    accept(&file, "x", &read, 0);
    cr_assert_eq(read.parameters,
                 8 + 5 * 8 + (8 * 12 + 8) + (8 + 8) + (3 * 8 + 3) +
                 2 * (16 + (24 * 8 + 24) + (8 * 8 + 8) + 16 +
                      (16 * 8 + 16) + (8 * 16 + 8)));
    model_file_free(&file);
}

Test(description, tensors_of_no_use_are_counted)
{
    static const size_t shape[] = {2, 3};
    tomevit_description d;
    model_file file;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    model_file_add(&file, "mask_token", "F32", 2, shape, 24);
    model_file_add(&file, "decoder_blocks.0.norm1.weight", "I64", 2, shape,
                   48);
    accept(&file, "x", &d, 2);
    model_file_free(&file);
}

/* ---- tensors that are wrong ---------------------------------------------- */

/* An open_clip tower of timm's has a head that projects: its rows are no
 * classes. */
Test(description, the_head_of_a_trunk_is_a_projection)
{
    tomevit_description made, d;
    unsigned char *bytes;
    model_file file;

    model_file_tiny(&made);
    model_file_random(&file, &made);
    for (size_t i = 0; i < file.count; i++) {
        char *name = file.tensors[i].name;

        memmove(name + strlen("visual.trunk."), name, strlen(name) + 1);
        memcpy(name, "visual.trunk.", strlen("visual.trunk."));
    }
    tomevit_checkpoint_close(parse(&file, "m.safetensors", &d, &bytes));
    cr_expect_str_eq(d.wrapper, "visual.trunk.");
    cr_expect_eq(d.classes, 0);
    cr_expect_eq(d.features, made.dim);
    free(bytes);
    model_file_free(&file);
}

Test(description, every_missing_tensor_is_named)
{
    tomevit_description d;
    model_file file;
    size_t i, refusals = 0;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    for (i = 0; i < file.count; i++) {
        char words[256];
        model_tensor kept = file.tensors[i];

        /* Without these two it is another kind of model. */
        if (!strcmp(kept.name, "cls_token") ||
            !strcmp(kept.name, "blocks.0.attn.qkv.bias"))
            continue;
        snprintf(words, sizeof(words), "tensor \"%s\" is missing: expected",
                 kept.name);
        snprintf(file.tensors[i].name, sizeof(file.tensors[i].name),
                 "nothing");
        refuse(&file, TOMEVIT_EMODEL, words);
        file.tensors[i] = kept;
        refusals++;
    }
    cr_assert_eq(refusals, 8 - 1 + 2 * 12 - 1);
    model_file_remove(&file, "cls_token");
    refuse(&file, TOMEVIT_EMODEL,
           "\"pos_embed\"|expected 0 + a square number of tokens, found 5");
    model_file_free(&file);
}

Test(description, every_wrong_dtype_is_named)
{
    tomevit_description d;
    model_file file;
    size_t i;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    for (i = 0; i < file.count; i++) {
        char words[256];

        snprintf(words, sizeof(words), "tensor \"%s\": expected dtype F32, F16 "
                 "or BF16, found I32", file.tensors[i].name);
        file.tensors[i].dtype = "I32";
        refuse(&file, TOMEVIT_EMODEL, words);
        file.tensors[i].dtype = "F32";
    }
    model_file_free(&file);
}

/* A shape of the same number of elements, with one dimension more. */
Test(description, every_wrong_shape_is_named)
{
    tomevit_description d;
    model_file file;
    size_t i;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    for (i = 0; i < file.count; i++) {
        model_tensor *t = &file.tensors[i];
        char words[256];

        snprintf(words, sizeof(words), "tensor \"%s\": expected shape [|, 1]",
                 t->name);
        t->shape[t->dims++] = 1;
        refuse(&file, TOMEVIT_EMODEL, words);
        t->dims--;
    }
    model_file_free(&file);
}

/* One tensor of the tiny model replaced by another shape. */
static void refuse_shape(const char *name, size_t dims, const size_t *shape,
                         const char *words)
{
    tomevit_description d;
    model_file file;
    size_t elements = 1, i;

    for (i = 0; i < dims; i++)
        elements *= shape[i];
    model_file_tiny(&d);
    model_file_random(&file, &d);
    model_file_remove(&file, name);
    model_file_add(&file, name, "BF16", dims, shape, 2 * elements);
    refuse(&file, TOMEVIT_EMODEL, words);
    model_file_free(&file);
}

#define SHAPE(...) sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t), \
                   (const size_t[]){__VA_ARGS__}

Test(description, misshapen_tensors_are_refused)
{
    refuse_shape("blocks.1.attn.qkv.weight", SHAPE(8, 24),
                 "blocks.1.attn.qkv.weight|expected shape [24, 8], found "
                 "[8, 24]");
    refuse_shape("cls_token", SHAPE(1, 1, 9),
                 "cls_token|expected shape [1, 1, 8], found [1, 1, 9]");
    refuse_shape("head.bias", SHAPE(4), "expected shape [3], found [4]");
    refuse_shape("norm.weight", SHAPE(0), "expected shape [8], found [0]");
    refuse_shape("patch_embed.proj.weight", SHAPE(8, 1, 2, 2),
                 "expected shape [8, 3, 2, 2], found [8, 1, 2, 2]");
    refuse_shape("patch_embed.proj.weight", SHAPE(8, 3, 2, 3),
                 "expected shape [8, 3, 2, 2], found [8, 3, 2, 3]");
    refuse_shape("patch_embed.proj.weight", SHAPE(0, 3, 2, 2),
                 "expected a dim from 1 to 16384, found 0");
    refuse_shape("patch_embed.proj.weight", SHAPE(16385, 1, 1, 1),
                 "expected a dim from 1 to 16384, found 16385");
    refuse_shape("patch_embed.proj.weight", SHAPE(8, 3, 0, 0),
                 "expected a patch side from 1 to 1024, found 0");
    refuse_shape("patch_embed.proj.weight", SHAPE(8, 3, 1025, 1),
                 "expected a patch side from 1 to 1024, found 1025");
    refuse_shape("patch_embed.proj.weight", SHAPE(8, 12),
                 "expected shape [dim, 3, patch, patch], found [8, 12]");
    refuse_shape("blocks.0.mlp.fc2.weight", SHAPE(8, 0),
                 "expected an MLP dim from 1 to 131072, found 0");
    refuse_shape("blocks.0.mlp.fc1.weight", SHAPE(48, 8),
                 "expected shape [16, 8], found [48, 8]");
    refuse_shape("blocks.1.mlp.fc1.weight", SHAPE(32, 8),
                 "expected shape [16, 8], found [32, 8]");
    refuse_shape("head.weight", SHAPE(3, 24),
                 "expected shape [3, 8], found [3, 24]");
    refuse_shape("head.weight", SHAPE(1048577, 1),
                 "a number of classes from 1 to 1048576, found 1048577");
    refuse_shape("pos_embed", SHAPE(1, 0, 8),
                 "a number of tokens from 1 to 65536, found 0");
    refuse_shape("pos_embed", SHAPE(1, 65537, 1),
                 "a number of tokens from 1 to 65536, found 65537");
    refuse_shape("pos_embed", SHAPE(1, 3, 8),
                 "expected 1 + a square number of tokens, found 3");
    refuse_shape("pos_embed", SHAPE(1, 7, 8),
                 "expected 1 + a square number of tokens, found 7");
}

/* A tensor added to the tiny model. */
static void refuse_more(const char *name, const char *words)
{
    static const size_t shape[] = {8};
    tomevit_description d;
    model_file file;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    model_file_add(&file, name, "F32", 1, shape, 32);
    refuse(&file, TOMEVIT_EMODEL, words);
    model_file_free(&file);
}

Test(description, parts_that_change_the_model_are_refused)
{
    refuse_more("blocks.0.ls1.gamma",
                "tensor \"blocks.1.ls1.gamma\" is missing: expected");
    refuse_more("blocks.1.ls1.gamma",
                "tensor \"blocks.1.ls1.gamma\": a part of the model");
    refuse_more("blocks.1.attn.q_norm.weight", "blocks.1.attn.q_norm.weight");
    refuse_more("blocks.00.norm1.weight", "tensor \"blocks.00.norm1.weight\"");
    refuse_more("norm_pre.weight", "tensor \"norm_pre.bias\" is missing");
    refuse_more("reg_token", "tensor \"reg_token\": expected shape "
                             "[1, registers, dim], found [8]");
    refuse_more("attn_pool.latent", "\"attn_pool.latent\" and \"cls_token\": "
                                    "attention pooling beside other tokens");
    refuse_more("attn_pool.pos_embed", "tensor \"attn_pool.pos_embed\": a "
                                       "part of the model");
    refuse_more("patch_embed.norm.weight",
                "tensor \"patch_embed.norm.bias\" is missing");
    refuse_more("fc_norm.weight", "\"norm.weight\" and \"fc_norm.weight\"");
    refuse_more("dist_token", "expected 2 + a square number of tokens");
    refuse_more("blocks.0.attn.q_norm.weight", "metadata \"num_heads\": "
                "expected 1, which the tensors show, found 2");
    refuse_more("blocks.3.norm1.weight",
                "tensor \"blocks.2.norm1.weight\" is missing: expected");
    refuse_more("blocks.1024.norm1.weight", "expected at most 1024 layers");
    refuse_more("blocks.18446744073709551617.norm1.weight",
                "expected at most 1024 layers");
}

Test(description, registers_and_head_norms_are_checked)
{
    enum { MANY = 65537 };
    static const size_t none[] = {1, 0, 8}, many[] = {1, MANY, 8};
    static const size_t three[] = {3};
    tomevit_description d;
    model_file file;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    model_file_add(&file, "reg_token", "F32", 3, none, 0);
    accept(&file, "m.safetensors", &d, 1);
    cr_expect_eq(d.registers, 0);
    model_file_remove(&file, "reg_token");
    model_file_add(&file, "reg_token", "F32", 3, many, MANY * 8 * 4);
    refuse(&file, TOMEVIT_EMODEL, "expected a number of registers from 1");
    model_file_remove(&file, "reg_token");
    model_file_add(&file, "blocks.0.attn.q_norm.weight", "F32", 1, three, 12);
    refuse(&file, TOMEVIT_EMODEL, "\"blocks.0.attn.q_norm.weight\": expected "
                                  "a length that divides 8, found 3");
    model_file_free(&file);
}

Test(description, distillation_needs_a_class_token)
{
    tomevit_description d;
    model_file file;

    model_file_tiny(&d);
    d.class_token = 0;
    d.distilled = 1;
    model_file_random(&file, &d);
    refuse(&file, TOMEVIT_EMODEL, "\"dist_token\": expected it beside "
                                  "cls_token");
    model_file_free(&file);
}

Test(description, other_names_are_refused_with_a_hint)
{
    static const size_t shape[] = {1, 1, 8};
    model_file file = {NULL, 0, NULL, 0};

    model_file_add(&file, "vit.embeddings.cls_token", "F32", 3, shape, 32);
    refuse(&file, TOMEVIT_EMODEL, "\"patch_embed.proj.weight\" is missing|"
           "timm|\"vit.embeddings.cls_token\" and 0 more");
    model_file_free(&file);
}

/* ---- heads and epsilon --------------------------------------------------- */

static void with_metadata(const char *metadata, tomevit_description *d)
{
    model_file file;

    model_file_tiny(d);
    model_file_random(&file, d);
    file.metadata = metadata;
    accept(&file, "x", d, 0);
    model_file_free(&file);
}

static void refuse_metadata(const char *metadata, int code, const char *words)
{
    tomevit_description d;
    model_file file;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    file.metadata = metadata;
    refuse(&file, code, words);
    model_file_free(&file);
}

Test(description, heads_come_from_metadata)
{
    tomevit_description d;

    with_metadata("{\"num_heads\":\"4\"}", &d);
    cr_assert_eq(d.heads, 4);
    with_metadata("{\"arch\":\"{\\\"num_heads\\\":8}\"}", &d);
    cr_assert_eq(d.heads, 8);
    with_metadata("{\"arch\":\"{\\\"num_heads\\\":8}\",\"num_heads\":\"1\"}",
                  &d);
    cr_assert_eq(d.heads, 1);
    with_metadata("{\"num_heads\":\"4\",\"block\":\"of marble\"}", &d);
    cr_assert_eq(d.heads, 4);
    refuse_metadata(NULL, TOMEVIT_EMODEL, "heads|dim 8|add \"num_heads\"");
    refuse_metadata("{\"arch\":\"vit_what\"}", TOMEVIT_EMODEL,
                    "add \"num_heads\"");
    refuse_metadata("{\"arch\":\"{}\"}", TOMEVIT_EMODEL, "add \"num_heads\"");
    refuse_metadata("{\"num_heads\":\"3\"}", TOMEVIT_EFORMAT,
                    "metadata \"num_heads\"|divides 8, found \"3\"");
    refuse_metadata("{\"num_heads\":\"0\"}", TOMEVIT_EFORMAT, "found \"0\"");
    refuse_metadata("{\"num_heads\":\"-2\"}", TOMEVIT_EFORMAT, "found \"-2\"");
    refuse_metadata("{\"num_heads\":\"2.0\"}", TOMEVIT_EFORMAT, "\"2.0\"");
    refuse_metadata("{\"num_heads\":\"16\"}", TOMEVIT_EFORMAT, "\"16\"");
    refuse_metadata("{\"num_heads\":\"\"}", TOMEVIT_EFORMAT, "found \"\"");
    refuse_metadata("{\"arch\":\"{\\\"num_heads\\\":\\\"x\\\"}\"}",
                    TOMEVIT_EFORMAT, "metadata \"arch\"|divides 8");
}

/* The tensors of `made` show four heads: taken where nothing else is said, and
 * else the same has to be said. */
static void heads_are_shown(const tomevit_description *made)
{
    tomevit_description d;
    model_file file;

    model_file_random(&file, made);
    file.metadata = NULL;
    accept(&file, "x", &d, 0);
    cr_expect_eq(d.heads, 4);
    file.metadata = "{\"num_heads\":\"4\"}";
    accept(&file, "x", &d, 0);
    cr_expect_eq(d.heads, 4);
    file.metadata = "{\"num_heads\":\"2\"}";
    refuse(&file, TOMEVIT_EMODEL, "metadata \"num_heads\": expected 4, which "
                                  "the tensors show, found 2");
    model_file_free(&file);
}

Test(description, heads_that_tensors_show_are_not_taken_from_elsewhere)
{
    tomevit_description normed, table, by_mlp;
    model_file file;

    model_file_tiny(&normed);
    normed.heads = 4;
    by_mlp = table = normed;
    normed.qk_norm = 1;
    heads_are_shown(&normed);
    table.relative = 1;
    heads_are_shown(&table);
    by_mlp.relative = 2;
    by_mlp.relative_hidden = 5;
    heads_are_shown(&by_mlp);
    by_mlp.relative = 3;
    heads_are_shown(&by_mlp);
    by_mlp.qk_norm = 1;
    heads_are_shown(&by_mlp);
    model_file_random(&file, &by_mlp);
    model_file_remove(&file, "blocks.0.attn.q_norm.weight");
    model_file_add(&file, "blocks.0.attn.q_norm.weight", "F32", 1,
                   (const size_t[]){4}, 16);
    refuse(&file, TOMEVIT_EMODEL, "tensor \"blocks.0.attn.q_norm.weight\": "
                                  "expected 4 heads|found 2");
    model_file_free(&file);
}

/* Published widths, from tensors alone. */
static size_t heads_of(size_t dim, size_t depth)
{
    tomevit_description d;
    model_file file;

    model_file_tiny(&d);
    d.dim = d.features = dim;
    d.depth = depth;
    d.mlp_dim = 1;
    model_file_random(&file, &d);
    file.metadata = NULL;
    accept(&file, "x", &d, 0);
    model_file_free(&file);
    return d.heads;
}

Test(description, heads_come_from_the_shape)
{
    cr_assert_eq(heads_of(192, 1), 3);
    cr_assert_eq(heads_of(768, 1), 12);
    cr_assert_eq(heads_of(768, 8), 8);
}

Test(description, epsilon_comes_from_metadata)
{
    tomevit_description d;

    with_metadata("{\"num_heads\":\"2\"}", &d);
    cr_assert_eq(d.norm_eps, 1e-6f);
    with_metadata("{\"num_heads\":\"2\",\"norm_eps\":\"1e-12\"}", &d);
    cr_assert_eq(d.norm_eps, 1e-12f);
    refuse_metadata("{\"num_heads\":\"2\",\"norm_eps\":\"0\"}",
                    TOMEVIT_EFORMAT, "\"norm_eps\"|found \"0\"");
    refuse_metadata("{\"num_heads\":\"2\",\"norm_eps\":\"small\"}",
                    TOMEVIT_EFORMAT, "\"norm_eps\"|found \"small\"");
    refuse_metadata("{\"num_heads\":\"2\",\"norm_eps\":\"1e999\"}",
                    TOMEVIT_EFORMAT, "\"norm_eps\"|found \"1e999\"");
}

/* ---- pixels -------------------------------------------------------------- */

#define WITH(pairs) "{\"num_heads\":\"2\"," pairs "}"

Test(description, preprocessing_comes_from_metadata)
{
    tomevit_description d;

    with_metadata(WITH("\"mean\":\"[0.1, 0.2, 0.3]\",\"std\":\"0.4,0.5,0.6\","
                       "\"crop_pct\":\"0.75\",\"interpolation\":\"bilinear\""),
                  &d);
    cr_assert_str_eq(d.preprocessing_source, "metadata");
    cr_assert_eq(d.preprocessing.mean[0], 0.1f);
    cr_assert_eq(d.preprocessing.mean[2], 0.3f);
    cr_assert_eq(d.preprocessing.std[0], 0.4f);
    cr_assert_eq(d.preprocessing.std[2], 0.6f);
    cr_assert_eq(d.preprocessing.crop_pct, 0.75);
    cr_assert_eq(d.preprocessing.interpolation, TOMEVIT_BILINEAR);
    cr_assert_eq(d.preprocessing.size, 4);

    with_metadata(WITH("\"crop_pct\":\"1\""), &d);
    cr_assert_str_eq(d.preprocessing_source, "metadata");
    cr_assert_eq(d.preprocessing.crop_pct, 1.0);
    cr_assert_eq(d.preprocessing.mean[0], 0.5f);

    refuse_metadata(WITH("\"mean\":\"[0.1,0.2]\""), TOMEVIT_EFORMAT,
                    "\"mean\"|three numbers, found \"[0.1,0.2]\"");
    refuse_metadata(WITH("\"mean\":\"\""), TOMEVIT_EFORMAT, "three numbers");
    refuse_metadata(WITH("\"mean\":\"[1,2,\\\"3\\\"]\""), TOMEVIT_EFORMAT,
                    "three numbers");
    refuse_metadata(WITH("\"std\":\"[1,1,0]\""), TOMEVIT_EFORMAT,
                    "\"std\"|three positive numbers");
    refuse_metadata(WITH("\"std\":\"[1,1,NaN]\""), TOMEVIT_EFORMAT, "NaN");
    refuse_metadata(WITH("\"crop_pct\":\"1.1\""), TOMEVIT_EFORMAT, "crop_pct");
    refuse_metadata(WITH("\"crop_pct\":\"-1\""), TOMEVIT_EFORMAT, "crop_pct");
    refuse_metadata(WITH("\"interpolation\":\"nearest\""), TOMEVIT_EFORMAT,
                    "bicubic or bilinear, found \"nearest\"");
}

static void family(const char *name, size_t image_size, float mean, double crop)
{
    tomevit_description d;

    memset(&d, 0, sizeof(d));
    strcpy(d.family, name);
    d.image_size = image_size;
    tomevit_family_preprocessing(&d);
    cr_assert_eq(d.preprocessing.size, image_size);
    cr_assert_eq(d.preprocessing.mean[0], mean);
    cr_assert_eq(d.preprocessing.crop_pct, crop);
    cr_assert_eq(d.preprocessing.interpolation, TOMEVIT_BICUBIC);
}

Test(description, preprocessing_goes_with_the_family)
{
    family("vit", 224, 0.5f, 0.9);
    family("vit", 384, 0.5f, 1.0);
    family("deit", 224, 0.485f, 0.9);
    family("deit-distilled", 384, 0.485f, 1.0);
    family("mae", 224, 0.485f, 0.875);
    family("mae", 336, 0.485f, 1.0);
}

/* ---- class names --------------------------------------------------------- */

static int class_names(const char *metadata, char ***names,
                       tomevit_message *why)
{
    tomevit_description d;
    model_file file;
    unsigned char *bytes;
    vit_checkpoint *checkpoint;
    int code;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    file.metadata = metadata;
    checkpoint = parse(&file, "x", &d, &bytes);
    code = tomevit_checkpoint_class_names(checkpoint, names, why);
    tomevit_checkpoint_close(checkpoint);
    free(bytes);
    model_file_free(&file);
    return code;
}

Test(description, class_names_are_as_many_as_classes)
{
    tomevit_message why = {""};
    char **names;

    cr_assert_eq(class_names(WITH("\"class_names\":\"[\\\"cat\\\",\\\"\\\","
                                  "\\\"d\xc3\xb6g\\\"]\""), &names, &why), 0);
    cr_assert_str_eq(names[0], "cat");
    cr_assert_str_eq(names[1], "");
    cr_assert_str_eq(names[2], "d\xc3\xb6g");
    cr_assert_null(names[3]);
    free(names);
    refused(class_names(WITH("\"class_names\":\"[\\\"a\\\",\\\"b\\\"]\""),
                        &names, &why), TOMEVIT_EFORMAT, &why, "x",
            "\"class_names\"|array of 3 strings");
    cr_assert_null(names);
    refused(class_names(WITH("\"class_names\":\"[\\\"a\\\",1,\\\"b\\\"]\""),
                        &names, &why), TOMEVIT_EFORMAT, &why, "x",
            "\"class_names\"|array of 3 strings");
    refused(class_names(WITH("\"class_names\":\"a, b, c\""), &names, &why),
            TOMEVIT_EFORMAT, &why, "x", "found \"a, b, c\"");
    refused(class_names(WITH("\"class_names\":\"[[[[[[[[[[[[[[[[[[\""), &names,
                        &why), TOMEVIT_EFORMAT, &why, "x", "array of 3");
}

Test(description, numbers_by_name)
{
    tomevit_description d;
    double value;

    cr_assert_eq(tomevit_arch_description("deit_tiny_patch16_224", &d), 0);
    d.parameters = (uint64_t)1 << 40;
    d.preprocessing.std[2] = 0.225f;
#define HAS(name, number)                                                    \
    cr_expect(tomevit_description_number(&d, name, &value) == 0 &&           \
              value == (double)(number), "%s: %g", name, value)
    HAS("dim", 192);
    HAS("depth", 12);
    HAS("heads", 3);
    HAS("mlp_dim", 768);
    HAS("patch", 16);
    HAS("image_size", 224);
    HAS("classes", 1000);
    HAS("tokens", 197);
    HAS("prefix", 1);
    HAS("registers", 0);
    HAS("features", 192);
    HAS("embedding", 0);
    HAS("class_token", 1);
    HAS("distilled", 0);
    HAS("pool", TOMEVIT_POOL_CLASS);
    HAS("zero_shot", 0);
    HAS("norm_eps", d.norm_eps);
    HAS("parameters", 0x1p40);
    HAS("size", 224);
    HAS("crop_pct", d.preprocessing.crop_pct);
    HAS("std2", 0.225f);
    HAS("interpolation", d.preprocessing.interpolation);
    HAS("crop_mode", d.preprocessing.crop_mode);
    HAS("pixels", 0);
    HAS("mean0", d.preprocessing.mean[0]);
    HAS("mean1", d.preprocessing.mean[1]);
    HAS("mean2", d.preprocessing.mean[2]);
    HAS("std0", d.preprocessing.std[0]);
    HAS("std1", d.preprocessing.std[1]);
#undef HAS
}
