/* SPDX-License-Identifier: MIT */
/*
 * What no tensor of a text tower shows: heads, activation, epsilon, which rows
 * see which, which row is the text's, how texts are cleaned. From config.json
 * of transformers, from open_clip_config.json, from the rule of OpenAI's own
 * files; or it is a guess, and said to be one.
 */
#include "config.h"

#include "tower.h"
#include "../checkpoint/neighbour.h"

#include <stdio.h>
#include <string.h>

static const char transformers_file[] = "config.json",
                  open_clip_file[] = "open_clip_config.json";

void tomevit_text_note(struct tomevit_text *t, const char *what,
                       const char *value, const char *from)
{
    vit_text_fact *fact = &t->facts[t->fact_count];

    if (t->fact_count == VIT_TEXT_FACTS)
        return;
    t->fact_count++;
    fact->what = what;
    fact->guessed = !from;
    snprintf(fact->value, sizeof(fact->value), "%s", value);
    snprintf(fact->from, sizeof(fact->from), "%s", from ? from : "guess");
}

/* ---- values -------------------------------------------------------------- */

static int refuse(const vit_neighbour *n, const char *key, const char *value)
{
    return tomevit_neighbour_refuse(n, "%s \"%.60s\" of its text tower is not "
                                    "run", key, value ? value : "");
}

static int set_heads(struct tomevit_text *t, size_t heads, const char *from,
                     const vit_report *report)
{
    char value[32];

    if (!from && (heads == 0 || t->d.dim % heads != 0))
        return tomevit_fail(report, TOMEVIT_EMODEL, "the number of heads of "
                            "its text tower is not known for %zu channels: no "
                            "configuration beside it says it", t->d.dim);
    if (heads == 0 || t->d.dim % heads != 0)
        return tomevit_fail(report, TOMEVIT_EMODEL, "its text tower: expected "
                            "heads that share %zu channels, found %zu",
                            t->d.dim, heads);
    t->d.heads = heads;
    snprintf(value, sizeof(value), "%zu", heads);
    tomevit_text_note(t, "text heads", value, from);
    return 0;
}

static void set_activation(struct tomevit_text *t, int activation,
                           const char *from)
{
    t->d.activation = activation;
    tomevit_text_note(t, "text activation",
                      activation == TOMEVIT_QUICK_GELU ? "quick_gelu"
                      : activation == TOMEVIT_GELU_TANH ? "gelu_tanh"
                                                        : "gelu", from);
}

static void set_eps(struct tomevit_text *t, double eps, const char *from)
{
    char value[32];

    t->d.norm_eps = (float)eps;
    snprintf(value, sizeof(value), "%g", eps);
    tomevit_text_note(t, "text norm epsilon", value, from);
}

static void set_pool(struct tomevit_text *t, int causal, int pool, int end,
                     const char *from)
{
    char value[64];

    t->d.causal = causal;
    t->d.pool = pool;
    t->end = end;
    if (pool == TOMEVIT_TEXT_END)
        snprintf(value, sizeof(value), "first %d", end);
    else
        snprintf(value, sizeof(value), "%s",
                 pool == TOMEVIT_TEXT_LAST ? "last row"
                 : pool == TOMEVIT_TEXT_FIRST ? "first row"
                                              : "highest number");
    tomevit_text_note(t, "text pooling", value, from);
    tomevit_text_note(t, "text rows see", causal ? "those before" : "all",
                      from);
}

/* Of a key's number, or what its absence means. */
static int read_eps(struct tomevit_text *t, const vit_neighbour *n,
                    const json_t *object, const char *key, double otherwise)
{
    const vit_json_member members[] = {{key, VIT_JSON_NUMBER}, {NULL, 0}};
    const json_t *value = json_object_get(object, key);
    double eps = json_is_number(value) ? json_number_value(value) : otherwise;
    int code = tomevit_neighbour_members(n, object, members);

    if (code)
        return code;
    if (!((float)eps > 0.0f && eps < 1))
        return tomevit_neighbour_refuse(n, "\"%s\" of its text tower: expected "
                                        "a number between 0 and 1", key);
    set_eps(t, eps, n->name);
    return 0;
}

static size_t size_of(const json_t *object, const char *key, size_t otherwise)
{
    size_t value = tomevit_json_size(object, key);

    return value ? value : otherwise;
}

/* ---- transformers -------------------------------------------------------- */

static int is_one_of(const char *text, const char *const *list)
{
    while (*list && (!text || strcmp(text, *list) != 0))
        list++;
    return *list != NULL;
}

/* Of CLIP's the number of the token that ends a text; configurations from
 * before they said it say 2. [transformers, models/clip/modeling_clip.py] */
static int set_clip_pool(struct tomevit_text *t, const vit_neighbour *n,
                         const json_t *text)
{
    static const vit_json_member members[] = {
        {"eos_token_id", VIT_JSON_INDEX}, {NULL, 0}
    };
    const json_t *end = json_object_get(text, "eos_token_id");
    int number = json_is_integer(end) ? (int)json_integer_value(end) : 49407;
    int code = tomevit_neighbour_members(n, text, members);

    if (!code)
        set_pool(t, 1, number == 2 ? TOMEVIT_TEXT_HIGHEST : TOMEVIT_TEXT_END,
                 number, n->name);
    return code;
}

static const vit_json_member tower_members[] = {
    {"hidden_size", VIT_JSON_COUNT}, {"num_attention_heads", VIT_JSON_COUNT},
    {"hidden_act", VIT_JSON_TEXT}, {"num_hidden_layers", VIT_JSON_COUNT},
    {NULL, 0}
};

/* [transformers, models/clip/configuration_clip.py,
 * models/siglip/configuration_siglip.py: what a key's absence means] */
static int from_transformers(struct tomevit_text *t, const vit_neighbour *n,
                             const json_t *config, int siglip)
{
    static const char *const clips[] = {"clip", "clip_text_model",
                                        "metaclip_2", "metaclip_2_text_model",
                                        NULL},
        *const siglips[] = {"siglip", "siglip_text_model", "siglip2",
                            "siglip2_text_model", NULL};
    const json_t *text = tomevit_transformers_part(config, "text_config");
    const char *kind = tomevit_json_text(config, "model_type"),
               *named;
    json_t *activation;
    int code;

    text = text ? text : config;
    named = tomevit_json_text(text, "hidden_act");
    if ((code = tomevit_neighbour_members(n, text, tower_members)))
        return code;
    if (kind && !is_one_of(kind, siglip ? siglips : clips))
        return refuse(n, "model_type", kind);
    t->siglip2 = kind && strncmp(kind, "siglip2", 7) == 0;
    if (size_of(text, "hidden_size", t->d.dim) != t->d.dim)
        return tomevit_neighbour_refuse(n, "hidden_size of its text tower is "
                                        "not %zu, as in the weights",
                                        t->d.dim);
    /* The library leaves out layers beyond those. */
    if (size_of(text, "num_hidden_layers", t->d.depth) != t->d.depth)
        return tomevit_neighbour_refuse(n, "num_hidden_layers of its text "
                                        "tower is not %zu, as in the weights",
                                        t->d.depth);
    code = set_heads(t, size_of(text, "num_attention_heads", siglip ? 12 : 8),
                     n->name, n->report);
    if (code)
        return code;
    activation = tomevit_activation_name(text, "hidden_act");
    if (named && !activation)
        return refuse(n, "hidden_act", named);
    named = json_string_value(activation);
    if (named && strcmp(named, "gelu") != 0 &&
        strcmp(named, "gelu_tanh") != 0 && strcmp(named, "quick_gelu") != 0)
        code = refuse(n, "hidden_act", named);
    else
        set_activation(t, named ? !strcmp(named, "gelu") ? TOMEVIT_GELU
                                  : !strcmp(named, "gelu_tanh")
                                      ? TOMEVIT_GELU_TANH : TOMEVIT_QUICK_GELU
                                : siglip ? TOMEVIT_GELU_TANH
                                         : TOMEVIT_QUICK_GELU, n->name);
    json_decref(activation);
    if (!code)
        code = read_eps(t, n, text, "layer_norm_eps", siglip ? 1e-6 : 1e-5);
    if (siglip)
        set_pool(t, 0, TOMEVIT_TEXT_LAST, -1, n->name);
    else if (!code)
        code = set_clip_pool(t, n, text);
    return code;
}

/* ---- open_clip ----------------------------------------------------------- */

/* Keys of text_cfg that change nothing here, or are looked at below.
 * [open_clip, model.py: CLIPTextCfg] */
static const vit_known text_known[] = {
    {"context_length", NULL}, {"vocab_size", NULL}, {"hf_tokenizer_name", NULL},
    {"tokenizer_mode", NULL}, {"tokenizer_kwargs", NULL}, {"width", NULL},
    {"heads", NULL}, {"layers", NULL}, {"mlp_ratio", NULL},
    {"no_causal_mask", NULL}, {"pool_type", NULL}, {"proj_bias", NULL},
    {"proj_type", NULL}, {"pad_id", NULL}, {"eos_id", NULL},
    {"output_tokens", NULL}, {"act_kwargs", NULL}, {"norm_kwargs", NULL},
    {"block_type", "\"default\""}, {"hf_model_pretrained", NULL},
    {"hf_proj_type", NULL}, {"hf_pooler_type", NULL}, {NULL, NULL}
};

static const vit_json_member text_members[] = {
    {"width", VIT_JSON_COUNT}, {"heads", VIT_JSON_COUNT},
    {"pool_type", VIT_JSON_TEXT}, {"eos_id", VIT_JSON_INDEX},
    {"no_causal_mask", VIT_JSON_TRUTH}, {"tokenizer_kwargs", VIT_JSON_OBJECT},
    {"tokenizer_mode", VIT_JSON_TEXT}, {"hf_tokenizer_name", VIT_JSON_TEXT},
    {"act_kwargs", VIT_JSON_OBJECT}, {"norm_kwargs", VIT_JSON_OBJECT},
    {NULL, 0}
};

/* [open_clip, model.py: CLIPTextCfg, _build_text_tower] */
static int open_clip_pool(struct tomevit_text *t, const vit_neighbour *n,
                          const json_t *text)
{
    const char *pool = tomevit_json_text(text, "pool_type");
    int causal = !json_is_true(json_object_get(text, "no_causal_mask"));
    const json_t *said = json_object_get(text, "eos_id");
    int end = json_is_integer(said) ? (int)json_integer_value(said) : 2;

    if (!pool || strcmp(pool, "argmax") == 0)
        set_pool(t, causal, TOMEVIT_TEXT_HIGHEST, -1, n->name);
    else if (strcmp(pool, "last") == 0)
        set_pool(t, causal, TOMEVIT_TEXT_LAST, -1, n->name);
    else if (strcmp(pool, "first") == 0)
        set_pool(t, causal, TOMEVIT_TEXT_FIRST, -1, n->name);
    else if (strcmp(pool, "eos") == 0)
        set_pool(t, causal, TOMEVIT_TEXT_END, end, n->name);
    else
        return refuse(n, "pool_type", pool);
    return 0;
}

static int open_clip_cleaning(struct tomevit_text *t, const vit_neighbour *n,
                              const json_t *text)
{
    static const vit_json_member members[] = {
        {"clean", VIT_JSON_TEXT}, {NULL, 0}
    };
    const json_t *with = json_object_get(text, "tokenizer_kwargs");
    const char *named = tomevit_json_text(with, "clean"),
               *mode = tomevit_json_text(text, "tokenizer_mode"), *key;
    int other = tomevit_json_text(text, "hf_tokenizer_name") != NULL;
    json_t *value;
    int code = tomevit_neighbour_members(n, with, members);

    if (code)
        return code;
    json_object_foreach((json_t *)(size_t)with, key, value)
        if (strcmp(key, "clean") != 0 && !json_is_null(value) &&
            !json_is_false(value))
            return refuse(n, "tokenizer_kwargs", key);
    if (mode && *mode)
        return refuse(n, "tokenizer_mode", mode);
    named = named ? named : other ? "whitespace" : "lower";
    t->clean = strcmp(named, "lower") == 0 ? VIT_CLEAN_LOWER
               : strcmp(named, "whitespace") == 0 ? VIT_CLEAN_WHITE
               : strcmp(named, "canonicalize") == 0 ? VIT_CLEAN_CANONICAL
                                                    : VIT_CLEAN_NOTHING;
    return t->clean == VIT_CLEAN_NOTHING ? refuse(n, "clean", named) : 0;
}

static int from_open_clip(struct tomevit_text *t, const vit_neighbour *n,
                          const json_t *config)
{
    static const vit_json_member model_members[] = {
        {"text_cfg", VIT_JSON_OBJECT}, {"quick_gelu", VIT_JSON_TRUTH},
        {NULL, 0}
    };
    const json_t *nested = json_object_get(config, "model_cfg");
    const json_t *model = nested ? nested : config;
    const json_t *text = json_object_get(model, "text_cfg");
    const json_t *norm = json_object_get(text, "norm_kwargs");
    int quick = json_is_true(json_object_get(model, "quick_gelu"));
    const char *activation;
    int code = tomevit_neighbour_members(n, model, model_members);

    if (!code)
        code = tomevit_neighbour_members(n, text, text_members);
    if (!code)
        code = tomevit_neighbour_known(n, text, "text_cfg", text_known,
                                       VIT_OTHERS_OFF);
    if (!code)
        code = tomevit_open_clip_kwargs(n, text, quick, &activation);
    if (!code && size_of(text, "width", 512) != t->d.dim)
        code = tomevit_neighbour_refuse(n, "width of text_cfg is not %zu, as "
                                        "in the weights", t->d.dim);
    if (!code)
        code = set_heads(t, size_of(text, "heads", 8), n->name, n->report);
    if (!code)
        code = open_clip_pool(t, n, text);
    if (!code)
        code = open_clip_cleaning(t, n, text);
    if (code)
        return code;
    set_activation(t, strcmp(activation, "quick_gelu") == 0
                          ? TOMEVIT_QUICK_GELU
                      : strcmp(activation, "gelu_tanh") == 0
                          ? TOMEVIT_GELU_TANH : TOMEVIT_GELU, n->name);
    return read_eps(t, n, norm, "eps", 1e-5);
}

/* ---- neither ------------------------------------------------------------- */

/* [openai/CLIP, clip/model.py: build_model] */
static int from_openai(struct tomevit_text *t, const vit_report *report)
{
    static const char rule[] = "rule of OpenAI CLIP";
    int code = set_heads(t, t->d.dim / 64, rule, report);

    if (code)
        return code;
    set_activation(t, TOMEVIT_QUICK_GELU, rule);
    set_eps(t, 1e-5, rule);
    set_pool(t, 1, TOMEVIT_TEXT_HIGHEST, -1, rule);
    t->clean = VIT_CLEAN_LOWER;
    return 0;
}

static int guess(struct tomevit_text *t, int siglip, const vit_report *report)
{
    int transformers = t->names->qkv == NULL;
    int code = set_heads(t, t->d.dim / 64, NULL, report);

    if (code)
        return code;
    set_activation(t, siglip ? TOMEVIT_GELU_TANH
                      : transformers ? TOMEVIT_QUICK_GELU : TOMEVIT_GELU, NULL);
    set_eps(t, siglip ? 1e-6 : 1e-5, NULL);
    set_pool(t, !siglip, siglip ? TOMEVIT_TEXT_LAST : TOMEVIT_TEXT_HIGHEST, -1,
             NULL);
    t->clean = transformers ? VIT_CLEAN_NOTHING : VIT_CLEAN_LOWER;
    return 0;
}

/* A file beside the weights if it is there and speaks of texts. */
static int load(const vit_neighbour *n, const char *key, json_t **config)
{
    static const vit_json_member members[] = {
        {"model_type", VIT_JSON_TEXT}, {"text_config", VIT_JSON_OBJECT},
        {"text_config_dict", VIT_JSON_OBJECT},
        {"model_cfg", VIT_JSON_OBJECT}, {NULL, 0}
    };
    int code = tomevit_neighbour_load(n, config);
    const json_t *model = json_object_get(*config, "model_cfg");
    const char *kind = tomevit_json_text(*config, "model_type");

    if (!code)
        code = tomevit_neighbour_members(n, *config, members);
    if (!code && (json_object_get(*config, key) ||
                  json_object_get(model, key) ||
                  (kind && strstr(kind, "text_model"))))
        return 0;
    json_decref(*config);
    *config = NULL;
    return code;
}

int tomevit_text_configure(struct tomevit_text *t, vit_tensors *file,
                           const vit_report *report)
{
    int transformers = t->names->qkv == NULL, code;
    int siglip = transformers &&
                 tomevit_text_find(t, file, SIZE_MAX, "head.weight", "");
    vit_neighbour n = {file, transformers ? transformers_file
                                          : open_clip_file, report};
    json_t *config;

    code = load(&n, transformers ? "text_config" : "text_cfg", &config);
    if (code)
        return code;
    if (config)
        code = transformers ? from_transformers(t, &n, config, siglip)
                            : from_open_clip(t, &n, config);
    else if (tomevit_text_find(t, file, SIZE_MAX, "context_length", ""))
        code = from_openai(t, report);
    else
        code = guess(t, siglip, report);
    json_decref(config);
    return code;
}
