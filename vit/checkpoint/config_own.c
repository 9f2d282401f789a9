/* SPDX-License-Identifier: MIT */
/*
 * A checkpoint that says what it is in its own metadata, as JSON under
 * "config": encoders of MobileLLM's blocks, Mega and Megalodon. What no tensor
 * shows becomes metadata of the usual keys; what tensors show is compared.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "config_own.h"
#include "../base/real.h"
#include "../containers/json.h"
#include "../containers/json_members.h"
#include "../layouts/layout.h"

enum { DEPTH = 4 };

static json_t *parse(const vit_tensors *file)
{
    const char *text = tomevit_tensors_metadata(file, "config");
    json_error_t error;
    json_t *config = text ? tomevit_json_parse(text, strlen(text), DEPTH,
                                               &error) : NULL;

    return config;
}

static int wrong(const char *key, const char *expected, const json_t *value,
                 const vit_report *report)
{
    char *found = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    int code = tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"config\": "
                            "expected \"%s\" %s, found %.40s", key, expected,
                            found ? found : "none");

    free(found);
    return code;
}

/* Says the value of a number under another key, as JSON has it. */
static int pass(vit_tensors *view, const json_t *config, const char *from,
                const char *key)
{
    const json_t *value = json_object_get(config, from);
    char text[40];

    if (json_is_integer(value))
        snprintf(text, sizeof(text), "%lld",
                 (long long)json_integer_value(value));
    else
        tomevit_real_write(json_number_value(value), 9, text, sizeof(text));
    return value ? tomevit_tensors_say(view, key, text, "metadata") : 0;
}

/* What would make it another model, or one that is not run here. */
static int check_choices(const json_t *config, const vit_report *report)
{
    static const struct {
        const char *key, *values[4], *expected;
    } choices[] = {
        {"kind", {"mega", "megalodon", "mobile"}, "mega, megalodon or mobile"},
        {"attention", {"laplace", "softmax"}, "laplace or softmax"},
        {"metric", {"turned"}, "turned: another is --metric's to say"},
        {"merged_place", {"dst"}, "dst: another is --rope-merge's to say"},
    };

    const char *kind = json_string_value(json_object_get(config, "kind"));

    if (kind && !strcmp(kind, "megabyte"))
        return tomevit_fail(report, TOMEVIT_EMODEL, "a model of bytes "
                            "(MEGABYTE): tomevit_bytes_open opens it, and "
                            "tomerge density, compress and expand run it: "
                            "density --merge is its sweep");
    for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++) {
        const json_t *value = json_object_get(config, choices[i].key);
        const char *text = json_string_value(value);
        size_t k = 0;

        while (value && text && k < 4 && choices[i].values[k] &&
               strcmp(choices[i].values[k], text))
            k++;
        if (value && (!text || k == 4 || !choices[i].values[k]))
            return wrong(choices[i].key, choices[i].expected, value, report);
    }
    if (json_is_true(json_object_get(config, "causal")))
        return wrong("causal", "false: rows that see only those before them "
                     "cannot be run here", json_object_get(config, "causal"),
                     report);
    return 0;
}

/* What each kind of them has. The two of moving averages are written by one
 * class, with members of both. */
#define OF_ALL \
    {"kind", NULL}, {"image", NULL}, {"patch", NULL}, {"classes", NULL}, \
    {"depth", NULL}, {"dim", NULL}, {"heads", NULL}, {"causal", NULL}

static const vit_known of_mobile[] = {
    OF_ALL, {"kv_heads", NULL}, {"hidden", NULL}, {"share", NULL},
    {"eps", NULL}, {"base", NULL}, {"places2d", NULL}, {"metric", NULL},
    {"merged_place", NULL}, {NULL, NULL}
}, of_averages[] = {
    OF_ALL, {"z", NULL}, {"v", NULL}, {"ffn", NULL}, {"h", NULL},
    {"chunk", NULL}, {"groups", NULL}, {"swiglu", NULL}, {"attention", NULL},
    {"rope_base", NULL}, {NULL, NULL}
};

static int check_known(const vit_tensors *view, const json_t *config,
                       const vit_report *report)
{
    int mobile = !strcmp(tomevit_view_layout(view), "MobileLLM");
    const char *key = tomevit_json_stranger(config, mobile ? of_mobile
                                                           : of_averages,
                                            VIT_OTHERS_OFF);

    return !key ? 0 : tomevit_fail(report, TOMEVIT_EMODEL, "metadata "
                                   "\"config\": \"%.40s\" cannot be done here",
                                   key);
}

/* What is read of it. Sizes that tensors show are compared with them later. */
static int check_kinds(const json_t *config, const vit_report *report)
{
    static const vit_json_member members[] = {
        {"heads", VIT_JSON_COUNT}, {"image", VIT_JSON_COUNT},
        {"eps", VIT_JSON_NUMBER}, {"share", VIT_JSON_COUNT},
        {"base", VIT_JSON_NUMBER}, {"places2d", VIT_JSON_TRUTH},
        {"groups", VIT_JSON_COUNT}, {"chunk", VIT_JSON_INDEX},
        {"rope_base", VIT_JSON_NUMBER}, {"causal", VIT_JSON_TRUTH},
        {"swiglu", VIT_JSON_TRUTH}, {NULL, 0}
    };
    char why[VIT_JSON_WHY];

    return tomevit_json_fits(config, members, why)
               ? 0 : tomevit_fail(report, TOMEVIT_EFORMAT, "metadata "
                                  "\"config\": %s", why);
}

static int say_mobile(vit_tensors *view, const json_t *config)
{
    const json_t *base = json_object_get(config, "base");
    char text[96], real[32];

    tomevit_real_write(base ? json_number_value(base) : 100.0, 9, real,
                       sizeof(real));
    snprintf(text, sizeof(text), "rotary %s theta=%s axes=hw layout=%s",
             json_is_false(json_object_get(config, "places2d")) ? "line"
                                                                : "index",
             real,
             json_is_false(json_object_get(config, "places2d")) ? "halves"
                                                                : "quarters");
    return pass(view, config, "heads", "num_heads") ||
           pass(view, config, "image", "input_size") ||
           pass(view, config, "eps", "norm_eps") ||
           pass(view, config, "share", "share") ||
           tomevit_tensors_say(view, "positions", text, "metadata");
}

/* Rotations go along the rows of patches, of neighbouring channels. */
static int say_megalodon(vit_tensors *view, const json_t *config)
{
    const json_t *base = json_object_get(config, "rope_base");
    char text[96], real[32];

    tomevit_real_write(json_number_value(base), 9, real, sizeof(real));
    snprintf(text, sizeof(text), "rotary line theta=%s axes=hw "
             "layout=interleaved", real);
    return pass(view, config, "heads", "num_heads") ||
           pass(view, config, "groups", "groups") ||
           pass(view, config, "chunk", "chunk") ||
           (base && tomevit_tensors_say(view, "positions", text, "metadata"));
}

/* Of others "config" may be anything. */
static int is_own(const vit_tensors *view)
{
    static const char *const layouts[] = {"MobileLLM", "mega-image",
                                          "megalodon"};
    size_t i = 0;

    while (i < 3 && strcmp(tomevit_view_layout(view), layouts[i]))
        i++;
    return i < 3;
}

int tomevit_config_say(vit_tensors *view, const vit_report *report)
{
    json_t *config = parse(view);
    int code, failed = 0;

    if (!json_is_object(config)) {
        json_decref(config);
        return tomevit_tensors_metadata(view, "config") && is_own(view)
                   ? tomevit_fail(report, TOMEVIT_EFORMAT, "metadata "
                                  "\"config\": expected a JSON object") : 0;
    }
    code = check_choices(config, report);
    if (!code)
        code = check_kinds(config, report);
    if (!code && is_own(view))
        code = check_known(view, config, report);
    if (!code && !strcmp(tomevit_view_layout(view), "MobileLLM"))
        failed = say_mobile(view, config);
    else if (!code && !strcmp(tomevit_view_layout(view), "megalodon"))
        failed = say_megalodon(view, config);
    else if (!code && json_object_get(config, "attention"))
        failed = tomevit_tensors_say(
            view, "attention",
            json_string_value(json_object_get(config, "attention")),
            "metadata");
    json_decref(config);
    if (failed)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    return code;
}

int tomevit_config_check(const vit_tensors *file, tomevit_description *d,
                         const vit_report *report)
{
    const struct {
        const char *key;
        size_t value;
    } known[] = {
        {"image", d->image_size}, {"patch", d->patch},
        {"classes", d->classes}, {"depth", tomevit_own_layers(d)},
        {"dim", d->dim}, {"kv_heads", d->kv_heads ? d->kv_heads : d->heads},
        {"hidden", d->mlp_dim}, {"ffn", d->mlp_dim},
        {"z", d->mega.shared}, {"v", d->mega.value}, {"h", d->mega.states},
        {"chunk", d->mega.chunk}, {"heads", d->heads},
    };
    json_t *config = parse(file);
    int code = 0;

    d->kv_heads = d->kv_heads ? d->kv_heads : d->heads;
    for (size_t i = 0; !code && i < sizeof(known) / sizeof(*known); i++) {
        const json_t *value = json_object_get(config, known[i].key);
        char expected[48];

        snprintf(expected, sizeof(expected), "%zu, as its tensors have it",
                 known[i].value);
        if (value && (!json_is_integer(value) ||
                      json_integer_value(value) != (json_int_t)known[i].value))
            code = wrong(known[i].key, expected, value, report);
    }
    if (!code && d->block != TOMEVIT_BLOCK_VIT &&
        json_is_boolean(json_object_get(config, "swiglu")) &&
        json_is_true(json_object_get(config, "swiglu")) !=
            (d->activation == TOMEVIT_SWIGLU))
        code = wrong("swiglu", "as its tensors have it",
                     json_object_get(config, "swiglu"), report);
    json_decref(config);
    return code;
}
