/* SPDX-License-Identifier: MIT */
/*
 * What is read of JSON beside weights is of the kind that it is read as, or
 * refused by the name of the member: a number that is a text, a text that is a
 * number, a list that is none would else look like a member that is not there.
 * Every member is given a value of each kind in turn.
 */
#include "config.h"

#include "../vit/containers/json_members.h"
#include "../vit/text/tokenizer.h"
#include "containers.h"
#include "golden.h"
#include "refused.h"
#include "tomevit.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a folder of the fixtures, copied ------------------------------------ */

static char folder[] = "kinds-XXXXXX";

static void enter(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static void write_file(const char *name, const void *bytes, size_t count)
{
    char *path = golden_path(folder, name);
    FILE *out = fopen(path, "wb");

    cr_assert(out && fwrite(bytes, 1, count, out) == count, "%s", path);
    cr_assert_eq(fclose(out), 0);
    free(path);
}

/* Does something with every file in a folder. */
static void each_file(const char *path, void (*act)(const char *path,
                                                    const char *name))
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    cr_assert_not_null(dir, "%s", path);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            act(path, entry->d_name);
    closedir(dir);
}

static void copy(const char *from, const char *name)
{
    const char *inner = strstr(from, "fixtures/") + strlen("fixtures/");
    char *fixture = golden_path(inner, name);
    size_t count;
    unsigned char *bytes = fixture_bytes(fixture, &count);

    write_file(name, bytes, count);
    free(bytes), free(fixture);
}

static void drop(const char *from, const char *name)
{
    char *path = golden_path(from, name);

    unlink(path);
    free(path);
}

static void leave(void)
{
    each_file(folder, drop);
    cr_assert_eq(rmdir(folder), 0);
}

/* ---- a member changed ---------------------------------------------------- */

/* A member by its path, whose objects are made where they are not there. */
static void set_at(json_t *root, const char *path, json_t *value)
{
    char key[64];
    size_t length = strcspn(path, ".");
    json_t *next;

    cr_assert_lt(length, sizeof(key));
    memcpy(key, path, length);
    key[length] = '\0';
    if (!path[length] && json_is_array(root)) {
        cr_assert_eq(json_array_set_new(root, strtoul(key, NULL, 10), value),
                     0);
        return;
    }
    if (!path[length]) {
        cr_assert_eq(json_object_set_new(root, key, value), 0);
        return;
    }
    next = json_is_array(root) ? json_array_get(root, strtoul(key, NULL, 10))
                               : json_object_get(root, key);
    if (!json_is_object(next) && !json_is_array(next)) {
        next = json_object();
        cr_assert_eq(json_object_set_new(root, key, next), 0);
    }
    set_at(next, path + length + 1, value);
}

enum { LISTS = VIT_JSON_LIST | VIT_JSON_COUNTS | VIT_JSON_THREE |
               VIT_JSON_TEXTS };

/* Values, and all the kinds that they are of. */
static const struct {
    const char *text;
    int kinds;
} values[] = {
    {"\"12\"", VIT_JSON_TEXT},
    {"12.5", VIT_JSON_NUMBER},
    {"12.0", VIT_JSON_NUMBER},
    {"-1", VIT_JSON_NUMBER},
    {"0", VIT_JSON_NUMBER | VIT_JSON_INDEX},
    {"12", VIT_JSON_NUMBER | VIT_JSON_INDEX | VIT_JSON_COUNT},
    {"true", VIT_JSON_TRUTH},
    {"false", VIT_JSON_TRUTH},
    {"[\"a\"]", VIT_JSON_LIST | VIT_JSON_TEXTS},
    {"[0.5, 1, -2]", VIT_JSON_LIST | VIT_JSON_THREE},
    {"[1, 0]", VIT_JSON_LIST},
    {"[12, 12]", VIT_JSON_LIST | VIT_JSON_COUNTS},
    {"[[1]]", VIT_JSON_LIST},
    {"{}", VIT_JSON_OBJECT},
};

typedef struct row {
    const char *path;
    int kinds;
} row;

/* Opens what lies in the folder. */
typedef int opener(tomevit_message *why);

static void check_row(const char *file, const json_t *given, const row *r,
                      opener *open)
{
    const char *dot = strrchr(r->path, '.'), *name = dot ? dot + 1 : r->path;
    char words[96], refusal[160];

    snprintf(words, sizeof(words), "\"%s\": expected", name);
    snprintf(refusal, sizeof(refusal), "%s beside it: %s", file, words);
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        json_t *json = json_deep_copy(given);
        tomevit_message why = {""};
        char *text;
        int code;

        set_at(json, r->path, json_loads(values[i].text, JSON_DECODE_ANY,
                                         NULL));
        text = json_dumps(json, JSON_COMPACT);
        write_file(file, text, strlen(text));
        code = open(&why);
        if (values[i].kinds & r->kinds)
            cr_expect(!strstr(why.text, refusal) ||
                      !strstr(why.text, ", found"),
                      "%s %s: %s", r->path, values[i].text, why.text);
        else {
            cr_expect_eq(code, TOMEVIT_EFORMAT, "%s %s is taken: %s", r->path,
                         values[i].text, why.text);
            cr_expect(strstr(why.text, words), "%s %s: %s", r->path,
                      values[i].text, why.text);
        }
        free(text);
        json_decref(json);
    }
}

/* A file of a folder of the fixtures; `base` NULL: as it is there. */
static void check(const char *fixture, const char *file, const char *base,
                  const row *rows, opener *open)
{
    const char *srcdir = getenv("srcdir");
    char *fixtures = golden_path(srcdir ? srcdir : ".", "tests/fixtures");
    char *from = golden_path(fixtures, fixture);
    char *path = golden_path(from, file);
    tomevit_message why;
    json_error_t error;
    json_t *given = base ? json_loads(base, 0, &error)
                         : json_load_file(path, 0, &error);
    char *text;

    if (!given)            /* of numbers that fit no integer */
        given = json_load_file(path, JSON_DECODE_INT_AS_REAL, &error);
    text = json_dumps(given, JSON_COMPACT);
    cr_assert_not_null(text, "%s: %s", path, error.text);
    each_file(folder, drop);
    each_file(from, copy);
    write_file(file, text, strlen(text));
    cr_assert_eq(open(&why), 0, "%s", why.text);
    for (; rows->path; rows++)
        check_row(file, given, rows, open);
    if (strstr(file, "config")) {
        write_file(file, "[]", 2);
        cr_expect_eq(open(&why), TOMEVIT_EFORMAT);
        cr_expect(strstr(why.text, "expected a JSON object"), "%s", why.text);
    }
    json_decref(given);
    free(text), free(path), free(from), free(fixtures);
}

static int open_model(tomevit_message *why)
{
    static const char *const names[] = {"model.safetensors",
                                        "open_clip_model.safetensors"};
    tomevit_description d;
    int code = TOMEVIT_EIO;

    for (size_t i = 0; i < 2 && code == TOMEVIT_EIO; i++) {
        char *path = golden_path(folder, names[i]);

        code = tomevit_read_description(path, NULL, &d, why);
        free(path);
    }
    return code;
}

static int open_text(tomevit_message *why)
{
    static const char *const names[] = {"model.safetensors",
                                        "open_clip_model.safetensors"};
    tomevit_text *text;
    int code = TOMEVIT_EIO;

    for (size_t i = 0; i < 2 && code == TOMEVIT_EIO; i++) {
        char *path = golden_path(folder, names[i]);

        code = tomevit_text_open(path, NULL, &text, why);
        free(path);
    }
    if (!code)
        tomevit_text_close(text);
    return code;
}

#define SUITE .init = enter, .fini = leave

/* ---- image towers -------------------------------------------------------- */

Test(json_kinds, of_transformers, SUITE)
{
    static const row rows[] = {
        {"model_type", VIT_JSON_TEXT}, {"architectures", VIT_JSON_TEXTS},
        {"vision_config", VIT_JSON_OBJECT}, {"encoder", VIT_JSON_OBJECT},
        {"vision_config_dict", VIT_JSON_OBJECT},
        {"backbone_config", VIT_JSON_OBJECT},
        {"hidden_size", VIT_JSON_COUNT},
        {"num_attention_heads", VIT_JSON_COUNT},
        {"num_hidden_layers", VIT_JSON_COUNT},
        {"num_patches", VIT_JSON_COUNT},
        {"image_size", VIT_JSON_COUNT | VIT_JSON_COUNTS},
        {"hidden_act", VIT_JSON_TEXT}, {"norm_type", VIT_JSON_TEXT},
        {"layer_norm_eps", VIT_JSON_NUMBER},
        {"rms_norm_eps", VIT_JSON_NUMBER}, {"rope_theta", VIT_JSON_NUMBER},
        {"qkv_bias", VIT_JSON_TRUTH}, {"attention_bias", VIT_JSON_TRUTH},
        {"query_bias", VIT_JSON_TRUTH}, {"value_bias", VIT_JSON_TRUTH},
        {"key_bias", VIT_JSON_TRUTH}, {"proj_bias", VIT_JSON_TRUTH},
        {"mlp_bias", VIT_JSON_TRUTH}, {"use_qk_norm", VIT_JSON_TRUTH},
        {"use_mean_pooling", VIT_JSON_TRUTH},
        {"use_relative_position_bias", VIT_JSON_TRUTH},
        {"use_shared_relative_position_bias", VIT_JSON_TRUTH},
        {"vision_use_head", VIT_JSON_TRUTH},
        {"apply_layernorm", VIT_JSON_TRUTH},
        {"use_absolute_position_embeddings", VIT_JSON_TRUTH},
        {"use_gated_mlp", VIT_JSON_TRUTH}, {"use_swiglu_ffn", VIT_JSON_TRUTH},
        {"use_clipped_linears", VIT_JSON_TRUTH},
        {"standardize", VIT_JSON_TRUTH},
        {"id2label", VIT_JSON_TEXTS | VIT_JSON_OBJECT},
        {"id2label.3", VIT_JSON_TEXT}, {NULL, 0},
    }, whole[] = {
        {"vision_config.num_attention_heads", VIT_JSON_COUNT},
        {"vision_config.hidden_act", VIT_JSON_TEXT}, {NULL, 0},
    }, gemma4[] = {
        {"model_type", VIT_JSON_TEXT}, {"hidden_activation", VIT_JSON_TEXT},
        {"rope_parameters", VIT_JSON_OBJECT},
        {"rope_parameters.rope_theta", VIT_JSON_NUMBER},
        {"rope_parameters.rope_type", VIT_JSON_TEXT},
        {"pooling_kernel_size", VIT_JSON_COUNT}, {NULL, 0},
    };

    check("layouts/hf_vit", "config.json", NULL, rows, open_model);
    check("layouts/hf_clip", "config.json", NULL, whole, open_model);
    check("layouts/hf_gemma4", "config.json", NULL, gemma4, open_model);
}

#define PIXELS "\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [1, 1, 1]"

Test(json_kinds, of_processors, SUITE)
{
    static const row rows[] = {
        {"image_processor", VIT_JSON_OBJECT},
        {"image_processor_type", VIT_JSON_TEXT},
        {"feature_extractor_type", VIT_JSON_TEXT},
        {"size", VIT_JSON_COUNT | VIT_JSON_OBJECT},
        {"size.height", VIT_JSON_COUNT}, {"size.width", VIT_JSON_COUNT},
        {"size.shortest_edge", VIT_JSON_COUNT},
        {"size.longest_edge", VIT_JSON_COUNT},
        {"crop_size", VIT_JSON_COUNT | VIT_JSON_OBJECT},
        {"crop_size.height", VIT_JSON_COUNT},
        {"image_mean", VIT_JSON_THREE | VIT_JSON_NUMBER},
        {"image_std", VIT_JSON_THREE | VIT_JSON_NUMBER},
        {"ensure_multiple_of", VIT_JSON_COUNT},
        {"use_square_size", VIT_JSON_TRUTH},
        {"rescale_factor", VIT_JSON_NUMBER}, {"resample", VIT_JSON_INDEX},
        {"crop_pct", VIT_JSON_NUMBER}, {"max_num_patches", VIT_JSON_COUNT},
        {"do_resize", VIT_JSON_TRUTH}, {"do_rescale", VIT_JSON_TRUTH},
        {"do_normalize", VIT_JSON_TRUTH}, {"do_center_crop", VIT_JSON_TRUTH},
        {"do_pad", VIT_JSON_TRUTH}, {NULL, 0},
    }, patches[] = {
        {"patch_size", VIT_JSON_COUNT}, {"max_num_patches", VIT_JSON_COUNT},
        {NULL, 0},
    }, nested[] = {
        {"image_processor.do_normalize", VIT_JSON_TRUTH}, {NULL, 0},
    };

    check("layouts/hf_vit", "preprocessor_config.json",
          "{" PIXELS ", \"size\": {\"height\": 24, \"width\": 24}}", rows,
          open_model);
    check("layouts/hf_siglip2", "preprocessor_config.json", NULL, patches,
          open_model);
    check("layouts/hf_vit", "processor_config.json",
          "{\"image_processor\": {" PIXELS ", \"size\": 24}}", nested,
          open_model);
}

Test(json_kinds, of_timm, SUITE)
{
    static const row rows[] = {
        {"num_features", VIT_JSON_COUNT}, {"global_pool", VIT_JSON_TEXT},
        {"pretrained_cfg", VIT_JSON_OBJECT}, {"model_args", VIT_JSON_OBJECT},
        {"architecture", VIT_JSON_TEXT},
        {"label_names", VIT_JSON_TEXTS | VIT_JSON_OBJECT},
        {"label_names.1", VIT_JSON_TEXT},
        {"pretrained_cfg.label_names", VIT_JSON_TEXTS | VIT_JSON_OBJECT},
        {"pretrained_cfg.mean", VIT_JSON_THREE | VIT_JSON_NUMBER},
        {"pretrained_cfg.std", VIT_JSON_THREE | VIT_JSON_NUMBER},
        {"pretrained_cfg.crop_pct", VIT_JSON_NUMBER},
        {"pretrained_cfg.crop_mode", VIT_JSON_TEXT},
        {"pretrained_cfg.interpolation", VIT_JSON_TEXT},
        {"pretrained_cfg.input_size", VIT_JSON_COUNTS},
        {"model_args.img_size", VIT_JSON_COUNT | VIT_JSON_COUNTS},
        {"model_args.num_heads", VIT_JSON_COUNT},
        {"model_args.embed_dim", VIT_JSON_COUNT},
        {"model_args.depth", VIT_JSON_COUNT},
        {"model_args.act_layer", VIT_JSON_TEXT},
        {"model_args.global_pool", VIT_JSON_TEXT},
        {"model_args.encoder_pool", VIT_JSON_TEXT},
        {"model_args.final_norm", VIT_JSON_TRUTH},
        {"model_args.pooling_kernel_size", VIT_JSON_COUNT}, {NULL, 0},
    };

    check("layouts/timm_dinov3", "config.json", NULL, rows, open_model);
}

Test(json_kinds, of_open_clip, SUITE)
{
#define OF "model_cfg.vision_cfg."
    static const row rows[] = {
        {"model_cfg", VIT_JSON_OBJECT}, {"preprocess_cfg", VIT_JSON_OBJECT},
        {"model_cfg.vision_cfg", VIT_JSON_OBJECT},
        {"model_cfg.quick_gelu", VIT_JSON_TRUTH},
        {OF "width", VIT_JSON_COUNT}, {OF "head_width", VIT_JSON_COUNT},
        {OF "image_size", VIT_JSON_COUNT | VIT_JSON_COUNTS},
        {OF "timm_model_name", VIT_JSON_TEXT},
        {OF "timm_pool", VIT_JSON_TEXT}, {OF "pool_type", VIT_JSON_TEXT},
        {OF "final_ln_after_pool", VIT_JSON_TRUTH},
        {OF "attentional_pool", VIT_JSON_TRUTH | VIT_JSON_TEXT},
        {OF "attn_pooler_heads", VIT_JSON_COUNT},
        {OF "norm_kwargs", VIT_JSON_OBJECT},
        {OF "norm_kwargs.eps", VIT_JSON_NUMBER},
        {OF "act_kwargs", VIT_JSON_OBJECT},
        {OF "act_kwargs.approximate", VIT_JSON_TEXT},
        {"preprocess_cfg.mean", VIT_JSON_THREE | VIT_JSON_NUMBER},
        {"preprocess_cfg.std", VIT_JSON_THREE | VIT_JSON_NUMBER},
        {"preprocess_cfg.interpolation", VIT_JSON_TEXT},
        {"preprocess_cfg.resize_mode", VIT_JSON_TEXT},
        {"preprocess_cfg.size", VIT_JSON_COUNT | VIT_JSON_COUNTS}, {NULL, 0},
    };
#undef OF

    check("layouts/open_clip_coca", "open_clip_config.json", NULL, rows,
          open_model);
}

/* ---- texts --------------------------------------------------------------- */

Test(json_kinds, of_text_towers, SUITE)
{
#define OF "model_cfg.text_cfg."
    static const row hf[] = {
        {"model_type", VIT_JSON_TEXT}, {"text_config", VIT_JSON_OBJECT},
        {"text_config.hidden_size", VIT_JSON_COUNT},
        {"text_config.num_attention_heads", VIT_JSON_COUNT},
        {"text_config.hidden_act", VIT_JSON_TEXT},
        {"text_config.num_hidden_layers", VIT_JSON_COUNT},
        {"text_config_dict", VIT_JSON_OBJECT},
        {"text_config.layer_norm_eps", VIT_JSON_NUMBER},
        {"text_config.eos_token_id", VIT_JSON_INDEX}, {NULL, 0},
    }, open_clip[] = {
        {"model_cfg", VIT_JSON_OBJECT},
        {"model_cfg.text_cfg", VIT_JSON_OBJECT},
        {"model_cfg.quick_gelu", VIT_JSON_TRUTH},
        {OF "width", VIT_JSON_COUNT}, {OF "heads", VIT_JSON_COUNT},
        {OF "pool_type", VIT_JSON_TEXT}, {OF "eos_id", VIT_JSON_INDEX},
        {OF "no_causal_mask", VIT_JSON_TRUTH},
        {OF "tokenizer_kwargs", VIT_JSON_OBJECT},
        {OF "tokenizer_kwargs.clean", VIT_JSON_TEXT},
        {OF "tokenizer_mode", VIT_JSON_TEXT},
        {OF "hf_tokenizer_name", VIT_JSON_TEXT},
        {OF "act_kwargs", VIT_JSON_OBJECT},
        {OF "act_kwargs.approximate", VIT_JSON_TEXT},
        {OF "norm_kwargs", VIT_JSON_OBJECT},
        {OF "norm_kwargs.eps", VIT_JSON_NUMBER}, {NULL, 0},
    };
#undef OF

    if (!tomevit_unicode_is_there())
        cr_skip_test("built without utf8proc");
    check("texts/hf_clip", "config.json", NULL, hf, open_text);
    check("texts/open_siglip", "open_clip_config.json", NULL, open_clip,
          open_text);
}

Test(json_kinds, of_tokenizers, SUITE)
{
    static const row bpe[] = {
        {"model", VIT_JSON_OBJECT}, {"normalizer", VIT_JSON_OBJECT},
        {"pre_tokenizer", VIT_JSON_OBJECT}, {"added_tokens", VIT_JSON_LIST},
        {"post_processor", VIT_JSON_OBJECT}, {"padding", VIT_JSON_OBJECT},
        {"padding.pad_id", VIT_JSON_INDEX},
        {"padding.direction", VIT_JSON_TEXT}, {"model.type", VIT_JSON_TEXT},
        {"model.vocab", VIT_JSON_OBJECT}, {"model.merges", LISTS},
        {"model.unk_token", VIT_JSON_TEXT},
        {"model.dropout", VIT_JSON_NUMBER},
        {"model.end_of_word_suffix", VIT_JSON_TEXT},
        {"model.continuing_subword_prefix", VIT_JSON_TEXT},
        {"model.byte_fallback", VIT_JSON_TRUTH},
        {"model.ignore_merges", VIT_JSON_TRUTH},
        {"model.fuse_unk", VIT_JSON_TRUTH},
        {"normalizer.type", VIT_JSON_TEXT},
        {"normalizer.normalizers", VIT_JSON_LIST},
        {"normalizer.normalizers.1.pattern", VIT_JSON_OBJECT},
        {"normalizer.normalizers.1.pattern.Regex", VIT_JSON_TEXT},
        {"normalizer.normalizers.1.content", VIT_JSON_TEXT},
        {"pre_tokenizer.type", VIT_JSON_TEXT},
        {"pre_tokenizer.pretokenizers", VIT_JSON_LIST},
        {"pre_tokenizer.pretokenizers.0.invert", VIT_JSON_TRUTH},
        {"pre_tokenizer.pretokenizers.0.behavior", VIT_JSON_TEXT},
        {"pre_tokenizer.pretokenizers.1.add_prefix_space", VIT_JSON_TRUTH},
        {"added_tokens.0.single_word", VIT_JSON_TRUTH},
        {"added_tokens.0.normalized", VIT_JSON_TRUTH},
        {"added_tokens.0.lstrip", VIT_JSON_TRUTH},
        {"added_tokens.0.rstrip", VIT_JSON_TRUTH}, {NULL, 0},
    }, unigram[] = {
        {"model.vocab", VIT_JSON_LIST},
        {"model.byte_fallback", VIT_JSON_TRUTH}, {NULL, 0},
    }, config[] = {
        {"tokenizer_class", VIT_JSON_TEXT}, {"do_lower_case", VIT_JSON_TRUTH},
        {"add_bos_token", VIT_JSON_TRUTH}, {"add_eos_token", VIT_JSON_TRUTH},
        {"padding_side", VIT_JSON_TEXT},
        {"pad_token", VIT_JSON_TEXT | VIT_JSON_OBJECT},
        {"eos_token", VIT_JSON_TEXT | VIT_JSON_OBJECT},
        {"bos_token.content", VIT_JSON_TEXT}, {NULL, 0},
    };

    if (!tomevit_unicode_is_there())
        cr_skip_test("built without utf8proc");
    check("texts/hf_clip", "tokenizer.json", NULL, bpe, open_text);
    check("texts/hf_siglip", "tokenizer.json", NULL, unigram, open_text);
    check("texts/hf_siglip2", "tokenizer_config.json", NULL, config,
          open_text);
}
