/* SPDX-License-Identifier: MIT */
/* What is refused of checkpoints with other libraries' names, of heads and
 * texts in files of their own, and of neighbours; always by the file's own
 * names. */
#include "config.h"

#include "../vit/checkpoint/checkpoint.h"
#include "model_file.h"
#include "refused.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- files in a folder of the test's own --------------------------------- */

static char folder[] = "layouts-XXXXXX";

static void enter(void)
{
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

static void leave(void)
{
    static const char *const names[] = {
        "m.safetensors", "head", "texts", "config.json",
        "preprocessor_config.json", "open_clip_config.json",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(names[i]);
    cr_assert_eq(chdir(".."), 0);
    cr_assert_eq(rmdir(folder), 0);
}

static void write_file(const char *name, const void *bytes, size_t count)
{
    FILE *out = fopen(name, "wb");

    cr_assert(out && fwrite(bytes, 1, count, out) == count);
    cr_assert_eq(fclose(out), 0);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static void write_model(const char *name, const model_file *file)
{
    size_t count;
    unsigned char *bytes = model_file_bytes(file, &count);

    write_file(name, bytes, count);
    free(bytes);
}

static int open_with(const tomevit_open_options *options,
                     tomevit_description *d, tomevit_message *why)
{
    vit_checkpoint *checkpoint;
    int code = tomevit_checkpoint_open("m.safetensors", options, &checkpoint, d,
                                       why);

    tomevit_checkpoint_close(checkpoint);
    return code;
}

static tomevit_description accept_with(const tomevit_open_options *options)
{
    tomevit_message why = {""};
    tomevit_description d;

    cr_assert_eq(open_with(options, &d, &why), 0, "%s", why.text);
    return d;
}

static void refuse_with(const tomevit_open_options *options, int expected,
                        const char *path, const char *words)
{
    tomevit_message why = {""};
    tomevit_description d;
    int code = open_with(options, &d, &why);

    refused(code, expected, &why, path, words);
}

static void refuse(const model_file *file, const char *words)
{
    write_model("m.safetensors", file);
    refuse_with(NULL, TOMEVIT_EMODEL, "m.safetensors", words);
}

/* ---- models that are known not to run ------------------------------------ */

static void make_timm(model_file *file)
{
    tomevit_description d;

    model_file_tiny(&d);
    model_file_random(file, &d);
}

/* A tensor of this name is the only one of its kind. */
static void refuse_name(const char *name, const char *words)
{
    const size_t shape[] = {8};
    model_file file;

    make_timm(&file);
    model_file_add(&file, name, "F32", 1, shape, 32);
    refuse(&file, words);
    model_file_free(&file);
}

Test(layout_errors, what_cannot_be_run_is_called_by_its_name, .init = enter,
     .fini = leave)
{
    static const char *const of_timm[][2] = {
        {"network.0.0.attn.attn.weight", "outlook attention (VOLO) cannot be"},
        {"cls_attn_blocks.0.norm1.weight", "attention over channels (XCiT)"},
        {"pixel_embed.proj.weight", "transformers inside patches (TNT)"},
        {"blocks.0.attn.rel_pos_h", "windowed attention (SAM) cannot be run"},
        {"patch_embed.backbone.conv.weight", "a convolutional network cannot"},
        {"patch_embed.backbone.stages.0.blocks.0.downsample.conv.weight",
         "patches from a convolutional network cannot be run here"},
    };
    model_file file;

    refuse_name("blocks.1.in_norm.bias", "tensor \"blocks.1.in_norm.bias\": "
                "another name of \"blocks.1.norm1.bias\", which is there too");
    refuse_name("blocks.0.attns.1.ls.gamma",
                "several attentions side by side (timm's ParallelThingsBlock)");
    refuse_name("blocks.0.11.norm1.weight",
                "blocks in chunks (DINOv2's block_chunks) cannot be run here");
    refuse_name(
        "v.blk.0.attn_q.weight",
        "a model under the names of llama.cpp and clip.cpp cannot be run here");
    refuse_name("embeddings.detection_tokens",
                "detection tokens (YOLOS) cannot be run here");
    refuse_name("embeddings.text_embeddings.word_embeddings.weight",
                "text and image in one sequence (ViLT) cannot be run here");
    for (size_t i = 0; i < sizeof(of_timm) / sizeof(*of_timm); i++)
        refuse_name(of_timm[i][0], of_timm[i][1]);
    refuse_name("head.cls_token", "AIMv2's attention pooling cannot be run");
    make_timm(&file);
    for (size_t i = 0; i < file.count;)
        if (strstr(file.tensors[i].name, "norm") &&
            strstr(file.tensors[i].name, ".bias"))
            model_file_remove(&file, file.tensors[i].name);
        else
            i++;
    refuse(&file,
           "norms without biases (RMSNorm, or LayerNorm with bias=False) "
           "cannot be run here");
    model_file_free(&file);
}

/* ---- stages of convolutions ---------------------------------------------- */

static void make_staged(model_file *file)
{
    tomevit_description d;

    model_file_tiny(&d);
    d.patch = 16;
    d.image_size = 32;
    d.tokens = 4;
    d.prefix = d.pos_prefix = 0;
    d.class_token = 0;
    d.stages[0] = d.stages[1] = 4;
    d.stages[2] = 6;
    d.activation = TOMEVIT_GEGLU;
    d.mlp_norm = 2;
    d.fc_norm = 1;
    d.pool = TOMEVIT_POOL_MEAN;
    model_file_random(file, &d);
}

#define STAGES "patch_embed.backbone.stages."

Test(layout_errors, stages_of_convolutions_are_those_of_vitamin, .init = enter,
     .fini = leave)
{
    static const size_t wide[] = {4, 16, 1, 1}, one[] = {8};
    static const size_t token[] = {1, 1, 8};
    static const struct {
        const char *removed, *added, *metadata, *words;
        const size_t *shape;
        size_t dims;
    } cases[] = {
        {NULL, STAGES "0.2.conv3_1x1.weight", NULL,
         "\"" STAGES "0.2.conv3_1x1.weight\": a part of the model that cannot "
         "be run here", wide, 4},
        {NULL, STAGES "0.0.shortcut.expand.bias", NULL,
         "a part of the model that cannot be run here", one, 1},
        {STAGES "1.0.shortcut.expand.bias", NULL, NULL,
         "\"" STAGES "1.0.shortcut.expand.bias\" is missing", NULL, 0},
        {STAGES "1.0.conv3_1x1.weight", NULL, NULL,
         "\"" STAGES "1.0.conv3_1x1.weight\" is missing", NULL, 0},
        {"blocks.0.mlp.norm.weight", NULL, NULL,
         "stages of convolutions before other layers than ViTamin's", NULL, 0},
        {NULL, "cls_token", NULL,
         "stages of convolutions before other layers than ViTamin's", token, 3},
        {"patch_embed.backbone.pool.norm.weight", NULL, NULL,
         "\"patch_embed.backbone.pool.norm.weight\" is missing", NULL, 0},
        {NULL, NULL, "{\"num_heads\": \"2\", \"positions\": \"none\"}",
         "metadata \"positions\": expected some, as the tensors have it", NULL,
         0},
        {"pos_embed", NULL,
         "{\"num_heads\": \"2\", \"positions\": \"learned\"}",
         "metadata \"positions\": expected none, as the tensors have it", NULL,
         0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t bytes = sizeof(float);
        model_file file;

        make_staged(&file);
        if (cases[i].removed)
            model_file_remove(&file, cases[i].removed);
        for (size_t k = 0; k < cases[i].dims; k++)
            bytes *= cases[i].shape[k];
        if (cases[i].added)
            model_file_add(&file, cases[i].added, "F32", cases[i].dims,
                           cases[i].shape, bytes);
        if (cases[i].metadata)
            file.metadata = cases[i].metadata;
        refuse(&file, cases[i].words);
        model_file_free(&file);
    }
}

/* ---- torchvision's names ------------------------------------------------- */

static const char *const torchvision[][2] = {
    {"cls_token", "class_token"},
    {"pos_embed", "encoder.pos_embedding"},
    {"patch_embed.proj.", "conv_proj."},
    {"norm.", "encoder.ln."},
    {"head.", "heads.head."},
    {"norm1.", "ln_1."},
    {"attn.qkv.", "self_attention.in_proj_"},
    {"attn.proj.", "self_attention.out_proj."},
    {"norm2.", "ln_2."},
    {"mlp.fc1.", "mlp.0."},
    {"mlp.fc2.", "mlp.3."},
};

/* The tiny model's tensors under torchvision's names. */
static void rename_all(model_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        char *name = file->tensors[i].name, old[200], layer[64] = "";
        const char *rest = old;
        size_t k = 0, length;
        int number, used;

        strcpy(old, name);
        if (sscanf(old, "blocks.%d.%n", &number, &used) == 1) {
            snprintf(layer, sizeof(layer), "encoder.layers.encoder_layer_%d.",
                     number);
            rest = old + used;
        }
        while (strncmp(rest, torchvision[k][0], strlen(torchvision[k][0])))
            cr_assert_lt(++k, sizeof(torchvision) / sizeof(torchvision[0]));
        length = strlen(torchvision[k][0]);
        snprintf(name, sizeof(file->tensors[i].name), "%s%s%s", layer,
                 torchvision[k][1], rest + length);
    }
}

static void make(model_file *file)
{
    tomevit_description d;

    model_file_tiny(&d);
    model_file_random(file, &d);
    rename_all(file);
}

Test(layout_errors, every_missing_tensor_has_its_own_name, .init = enter,
     .fini = leave)
{
    model_file file;
    size_t refusals = 0;

    make(&file);
    write_model("m.safetensors", &file);
    accept_with(NULL);
    for (size_t i = 0; i < file.count; i++) {
        char words[300];
        model_tensor kept = file.tensors[i];

        /* Without these it is another kind of model, or none. */
        if (!strcmp(kept.name, "class_token") ||
            !strcmp(kept.name, "conv_proj.weight") ||
            !strcmp(
                kept.name,
                "encoder.layers.encoder_layer_0.self_attention.in_proj_bias"))
            continue;
        snprintf(words, sizeof(words), "tensor \"%s\" (timm's \"|\") is "
                 "missing: expected", kept.name);
        strcpy(file.tensors[i].name, "nothing");
        refuse(&file, words);
        file.tensors[i] = kept;
        refusals++;
    }
    cr_assert_eq(refusals, file.count - 3);
    model_file_free(&file);
}

Test(layout_errors, wrong_tensors_have_their_own_names, .init = enter,
     .fini = leave)
{
    static const size_t shape[] = {8};
    model_file file;
    model_tensor *t;

    make(&file);
    t = model_file_get(&file, "encoder.layers.encoder_layer_1.mlp.0.weight");
    t->shape[0] = 8, t->shape[1] = 16;
    refuse(&file, "\"encoder.layers.encoder_layer_1.mlp.0.weight\" (timm's "
                  "\"blocks.1.mlp.fc1.weight\"): expected shape [16, 8], "
                  "found [8, 16]");
    t->shape[0] = 16, t->shape[1] = 8;
    t->dtype = "I32";
    refuse(&file, "encoder_layer_1.mlp.0.weight|expected dtype");
    t->dtype = "F32";
    model_file_add(&file, "encoder.layers.encoder_layer_0.gate", "F32", 1,
                   shape, 32);
    refuse(&file, "tensor \"encoder.layers.encoder_layer_0.gate\": a part of "
                  "the model that cannot be run");
    model_file_remove(&file, "encoder.layers.encoder_layer_0.gate");
    model_file_add(&file, "encoder.layers.encoder_layer_1024.ln_1.weight",
                   "F32", 1, shape, 32);
    refuse(&file, "encoder_layer_1024.ln_1.weight|at most 1024 layers");
    model_file_remove(&file, "encoder.layers.encoder_layer_1024.ln_1.weight");
    model_file_add(&file, "encoder.layers.encoder_layer_3.ln_1.weight", "F32",
                   1, shape, 32);
    refuse(&file, "encoder.layers.encoder_layer_2.|is missing");
    model_file_free(&file);
}

/* Two matrices that make one, of different widths, and of different types. */
Test(layout_errors, what_is_joined_has_to_fit, .init = enter, .fini = leave)
{
    static const size_t half[] = {8, 8}, other[] = {8, 9};
    tomevit_description d;
    model_file file;

    model_file_tiny(&d);
    model_file_random(&file, &d);
    model_file_remove(&file, "blocks.1.mlp.fc1.weight");
    model_file_add(&file, "blocks.1.mlp.fc1_g.weight", "F32", 2, half, 256);
    refuse(&file, "tensor \"blocks.1.mlp.fc1_g.weight\": a part of the model");
    model_file_add(&file, "blocks.1.mlp.fc1_x.weight", "F32", 2, other, 288);
    refuse(&file, "blocks.1.mlp.fc1_g.weight|expected shape [16, 8], found "
                  "[0, 8]");
    model_file_remove(&file, "blocks.1.mlp.fc1_x.weight");
    model_file_add(&file, "blocks.1.mlp.fc1_x.weight", "I32", 2, half, 256);
    refuse(&file, "blocks.1.mlp.fc1_g.weight|expected dtype|found I32");
    model_file_remove(&file, "blocks.1.mlp.fc1_x.weight");
    model_file_add(&file, "blocks.1.mlp.fc1_x.weight", "F16", 2, half, 128);
    write_model("m.safetensors", &file);
    accept_with(NULL);
    model_file_free(&file);
}

/* ---- heads, texts and sizes ---------------------------------------------- */

static void add_matrix(model_file *file, const char *name, size_t rows,
                       size_t columns)
{
    size_t shape[2] = {rows, columns};

    model_file_add(file, name, "F32", 2, shape, rows * columns * 4);
}

Test(layout_errors, heads_and_texts_are_checked, .init = enter, .fini = leave)
{
    static const size_t three[] = {3};
    tomevit_open_options head = {.head = "head"}, none = {.head = "nowhere"};
    tomevit_open_options texts = {.text_embeddings = "texts"};
    tomevit_open_options both = {.head = "head", .text_embeddings = "texts"};
    model_file file, extra = {NULL, 0, NULL, 0}, words = {NULL, 0, NULL, 0};

    make(&file);
    write_model("m.safetensors", &file);
    add_matrix(&extra, "weight", 3, 8);
    write_model("head", &extra);
    refuse_with(&both, TOMEVIT_EMODEL, "m.safetensors",
                "a head or embeddings of texts, found both");
    refuse_with(&none, TOMEVIT_EIO, "nowhere", "");
    refuse_with(&head, TOMEVIT_EMODEL, "head", "has a head of its own");
    add_matrix(&words, "array", 5, 3);
    write_model("texts", &words);
    cr_assert_eq(accept_with(&texts).zero_shot, 1,
                 "timm's head may be a projection");
    write_model("texts", &extra);
    refuse_with(&texts, TOMEVIT_EMODEL, "m.safetensors",
                "expected embeddings of 3 numbers, found 8");

    model_file_remove(&file, "heads.head.weight");
    model_file_remove(&file, "heads.head.bias");
    write_model("m.safetensors", &file);
    cr_assert_eq(accept_with(NULL).classes, 0);
    refuse_with(&head, TOMEVIT_EMODEL, "m.safetensors",
                "tensor \"heads.head.bias\"|is missing");
    model_file_add(&extra, "bias", "F32", 1, three, 12);
    write_model("head", &extra);
    cr_assert_eq(accept_with(&head).classes, 3);
    cr_assert_eq(accept_with(&texts).embedding, 8);
    add_matrix(&extra, "more", 2, 2);
    write_model("head", &extra);
    refuse_with(&head, TOMEVIT_EMODEL, "head",
                "expected one matrix and at most one vector, found more");
    write_model("texts", &extra);
    refuse_with(&texts, TOMEVIT_EMODEL, "texts",
                "expected one matrix [classes, width], found more");
    model_file_remove(&extra, "more");
    model_file_remove(&extra, "weight");
    write_model("texts", &extra);
    refuse_with(&texts, TOMEVIT_EMODEL, "texts", "found none");
    add_matrix(&extra, "weight", 3, 5);
    write_model("texts", &extra);
    refuse_with(&texts, TOMEVIT_EMODEL, "m.safetensors",
                "expected embeddings of 8 numbers, found 5");
    write_model("head", &extra);
    refuse_with(&head, TOMEVIT_EMODEL, "m.safetensors",
                "\"weight\"|expected shape [3, 8], found [3, 5]");
    model_file_free(&words);
    model_file_free(&extra);
    model_file_free(&file);
}

Test(layout_errors, image_sizes_are_checked, .init = enter, .fini = leave)
{
    static const struct {
        size_t size;
        const char *found;
    } wrong[] = {{3, "found 3"}, {1, "found 1"}, {16386, "found 16386"},
                 {1024, "found 1024"},
                 {SIZE_MAX - 1, sizeof(size_t) > 4 ? "found 1844"
                                                   : "found 4294967294"}};
    tomevit_open_options options = {.image_size = 10};
    tomevit_description d;
    model_file file;

    make(&file);
    write_model("m.safetensors", &file);
    d = accept_with(&options);
    cr_assert_eq(d.tokens, 26);
    cr_assert_eq(d.preprocessing.size, 10);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        options.image_size = wrong[i].size;
        refuse_with(&options, TOMEVIT_EMODEL, "m.safetensors", wrong[i].found);
    }
    model_file_free(&file);
}

/* ---- neighbours ---------------------------------------------------------- */

Test(layout_errors, neighbours_are_checked, .init = enter, .fini = leave)
{
    static const char *const contradicted[][2] = {
        {"num_hidden_layers", "1"}, {"num_hidden_layers", "3"},
        {"qkv_bias", "false"}, {"attention_bias", "false"},
        {"query_bias", "false"}, {"proj_bias", "false"},
        {"mlp_bias", "false"}, {"use_qk_norm", "true"},
        {"use_relative_position_bias", "true"},
        {"use_shared_relative_position_bias", "true"},
        {"use_absolute_position_embeddings", "false"},
        {"use_mean_pooling", "true"}, {"use_gated_mlp", "true"},
        {"use_swiglu_ffn", "true"}, {"norm_type", "\"rms_norm\""},
    };
    tomevit_description d;
    model_file file;

    make(&file);
    file.metadata = NULL;
    write_model("m.safetensors", &file);
    refuse_with(NULL, TOMEVIT_EMODEL, "m.safetensors", "number of heads");
    write_text("config.json", "{\"model_type\":\"vit\",\"hidden_size\":8,"
               "\"num_attention_heads\":4,\"hidden_act\":\"gelu_new\"}");
    d = accept_with(NULL);
    cr_assert_eq(d.heads, 4);
    cr_assert_eq(d.activation, TOMEVIT_GELU_TANH);
    write_text("config.json", "{\"model_type\":\"vit\",\"hidden_size\":9,"
               "\"num_attention_heads\":4}");
    refuse_with(NULL, TOMEVIT_EMODEL, "m.safetensors", "number of heads");
    write_text("config.json", "{\"model_type\":\"vit\","
               "\"num_attention_heads\":3}");
    refuse_with(NULL, TOMEVIT_EFORMAT, "m.safetensors",
                "\"num_heads\": expected|divides 8, found \"3\"");
    write_text("config.json", "{\"model_type\":\"vit\","
               "\"num_attention_heads\":4,\"hidden_act\":\"relu\"}");
    refuse_with(NULL, TOMEVIT_EFORMAT, "m.safetensors",
                "\"activation\": expected gelu|found \"relu\"");
    write_text("config.json", "{\"model_type\":\"vit\",\"qkv_bias\":true,"
               "\"num_attention_heads\":4,\"num_hidden_layers\":2,"
               "\"mlp_bias\":true,\"use_mean_pooling\":false}");
    accept_with(NULL);
    for (size_t i = 0; i < sizeof(contradicted) / sizeof(*contradicted); i++) {
        char text[120], words[80];

        snprintf(text, sizeof(text), "{\"model_type\":\"vit\","
                 "\"num_attention_heads\":4,\"%s\":%s}", contradicted[i][0],
                 contradicted[i][1]);
        write_text("config.json", text);
        snprintf(words, sizeof(words), "config.json beside it: \"%s\" is "
                 "%s|the tensors", contradicted[i][0], contradicted[i][1]);
        refuse_with(NULL, TOMEVIT_EMODEL, "m.safetensors", words);
    }
    write_text("config.json", "{\"model_type\":");
    refuse_with(NULL, TOMEVIT_EFORMAT, "m.safetensors",
                "config.json beside it: expected JSON");
    write_text("config.json", "{\"architecture\":\"vit\",\"model_args\":"
               "{\"num_heads\":2},\"crop_pct\":7}");
    refuse_with(NULL, TOMEVIT_EFORMAT, "m.safetensors", "crop_pct|\"7\"");
    write_text("config.json", "{\"architecture\":\"vit_base_patch16_rpn_224\","
               "\"model_args\":{\"num_heads\":2}}");
    refuse_with(NULL, TOMEVIT_EMODEL, "m.safetensors",
                "12 layers of width 768");
    write_text("config.json", "[]");
    refuse_with(NULL, TOMEVIT_EFORMAT, "m.safetensors",
                "config.json beside it: expected a JSON object");
    unlink("config.json");
    write_text("open_clip_config.json", "{\"model_cfg\":{\"quick_gelu\":true,"
               "\"vision_cfg\":{\"width\":8,\"head_width\":2}},"
               "\"preprocess_cfg\":{\"mean\":[0,0,0],\"resize_mode\":"
               "\"squash\"}}");
    d = accept_with(NULL);
    cr_assert_eq(d.heads, 4);
    cr_assert_eq(d.activation, TOMEVIT_QUICK_GELU);
    cr_assert_eq(d.preprocessing.crop_mode, TOMEVIT_SQUASH);
    cr_assert_str_eq(d.preprocessing_source, "open_clip_config.json");
    model_file_free(&file);
}

/* ---- options ------------------------------------------------------------- */

static void count_name(void *data, const char *name)
{
    cr_assert_str_eq(name, "spare");
    ++*(size_t *)data;
}

Test(layout_errors, options_are_checked, .init = enter, .fini = leave)
{
    tomevit_open_options options;
    tomevit_message why;
    tomevit_description d;
    tomevit_model *model = (tomevit_model *)&model;
    size_t names = 0;
    model_file file;

    make(&file);
    add_matrix(&file, "spare", 2, 2);
    write_model("m.safetensors", &file);
    tomevit_open_options_init(&options);
    options.image_size = 6;
    cr_assert_eq(tomevit_read_description("m.safetensors", &options, &d, &why),
                 0, "%s", why.text);
    cr_assert_eq(d.image_size, 6);
    cr_assert_eq(d.unused, 1);
    cr_assert_str_eq(d.layout, "torchvision");
    cr_assert_eq(tomevit_each_unused("m.safetensors", &options, count_name,
                                     &names, &why), 0);
    cr_assert_eq(names, 1);
    cr_assert_eq(tomevit_each_unused("m.safetensors", NULL, NULL, NULL, &why),
                 TOMEVIT_EINVAL);
    cr_assert_eq(tomevit_each_unused("nowhere", NULL, count_name, NULL, &why),
                 TOMEVIT_EIO);
    cr_assert_eq(tomevit_open("m.safetensors", &options, &model, &why), 0);
    cr_assert_eq(tomevit_describe(model)->tokens, 10);
    tomevit_close(model);
    options.struct_size--;
    cr_assert_eq(tomevit_open("m.safetensors", &options, &model, &why),
                 TOMEVIT_EINVAL);
    cr_assert_null(model);
    cr_assert_eq(tomevit_read_description("m.safetensors", &options, &d, &why),
                 TOMEVIT_EINVAL);
    model_file_free(&file);
}
