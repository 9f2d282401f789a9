/* SPDX-License-Identifier: MIT */
/* All options of all subcommands: one table, one set of fields. */
#include "options.h"

#include "demo.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FOLDER = OPTIONS_EVAL | OPTIONS_SWEEP,
    LABELLED = FOLDER | OPTIONS_TUNE,
    MANY = LABELLED | OPTIONS_CLASSIFY,
    IMAGES = MANY | OPTIONS_VISUALIZE,
    RUNS = IMAGES | OPTIONS_BENCH,
    ALL = RUNS | OPTIONS_INSPECT,
    LISTS = OPTIONS_SWEEP | OPTIONS_BENCH,
    GIVEN = ALL & ~OPTIONS_TUNE, /* schedules are */
    ONE = GIVEN & ~(LISTS | OPTIONS_VISUALIZE)
};

#define DEFAULT_LIST "0,8,13,16,13:-1"

static int parse_cpu(const char *text, void *field, char *why)
{
    uint32_t mask = UINT32_MAX;

    if (strcmp(text, "auto") != 0 && tomerge_cpu_mask(text, &mask) != 0) {
        snprintf(why, ARGS_WHY, "'%.40s' is not one of auto, scalar, avx2, "
                 "avx512, avx512-vnni, avx512-bf16, amx-bf16, amx-int8",
                 text);
        return -1;
    }
    if (mask != UINT32_MAX && (mask & ~tomerge_cpu_detected()) != 0) {
        snprintf(why, ARGS_WHY, "this machine has no '%s'; its highest tier "
                 "is %s", text, tomerge_cpu_name(tomerge_cpu_detected()));
        return -1;
    }
    *(uint32_t *)field = mask;
    return 0;
}

static int parse_dtype(const char *text, void *field, char *why)
{
    if (tomevit_dtype_from_name(text, field) == 0)
        return 0;
    snprintf(why, ARGS_WHY, "'%.40s' is not one of f32, bf16, int8", text);
    return -1;
}

static int parse_storage(const char *text, void *field, char *why)
{
    static const char *const names[] = {"f32", "f16", "bf16", "int8"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i]) == 0) {
            *(const char **)field = names[i];
            return 0;
        }
    snprintf(why, ARGS_WHY, "'%.40s' is not one of f32, f16, bf16, int8", text);
    return -1;
}

static int parse_model(const char *text, void *field, char *why)
{
    const char **model = field;

    if (text[0] == '\0')
        snprintf(why, ARGS_WHY, "its value, FILE, is empty");
    else if (*model != NULL)
        snprintf(why, ARGS_WHY, "a second one, '%.80s': sweep takes several",
                 text);
    else
        *model = text;
    return why[0] == '\0' ? 0 : -1;
}

static int is_same_file(const char *a, const char *b)
{
    struct stat one, other;

    return strcmp(a, b) == 0 ||
           (stat(a, &one) == 0 && stat(b, &other) == 0 &&
            one.st_dev == other.st_dev && one.st_ino == other.st_ino);
}

/* One more model. */
static int parse_models(const char *text, void *field, char *why)
{
    model_list *list = field;

    for (size_t i = 0; i < list->count; i++)
        if (is_same_file(list->path[i], text)) {
            snprintf(why, ARGS_WHY, "'%.80s' is given twice", text);
            return -1;
        }
    if (text[0] == '\0')
        snprintf(why, ARGS_WHY, "its value, FILE, is empty");
    else if (list->count == OPTIONS_MODELS)
        snprintf(why, ARGS_WHY, "more than %d models", OPTIONS_MODELS);
    else
        list->path[list->count++] = text;
    return why[0] == '\0' ? 0 : -1;
}

/* A number with K, M or G behind it (powers of 1024). */
static int parse_bytes(const char *text, void *field, char *why)
{
    char number[32] = "";
    size_t length = strlen(text), value, unit = 1;
    const char *suffix = length > 0 ? strchr("KMG", text[length - 1]) : NULL;

    if (suffix != NULL) {
        unit = *suffix == 'K' ? (size_t)1 << 10
             : *suffix == 'M' ? (size_t)1 << 20 : (size_t)1 << 30;
        length--;
    }
    if (length < sizeof(number))
        memcpy(number, text, length);
    if (args_size(number, &value) != 0 || value == 0 ||
        value > SIZE_MAX / 4 / unit) {
        snprintf(why, ARGS_WHY,
                 "'%.40s' is not a size such as 512M or 2G", text);
        return -1;
    }
    *(size_t *)field = value * unit;
    return 0;
}

#define FIELD(name) offsetof(options, name)
#define SECTION(text) {text, 0, NULL, 0, ARGS_SECTION, 0, 0, 0, NULL, NULL}
#define FLAG(text, letter, commands, field, help) \
    {text, letter, NULL, commands, ARGS_FLAG, FIELD(field), 0, 0, NULL, help}
#define TEXT(text, letter, value, commands, field, help) \
    {text, letter, value, commands, ARGS_TEXT, FIELD(field), 0, 0, NULL, help}
#define SIZE(text, letter, value, commands, field, min, max, help) \
    {text, letter, value, commands, ARGS_SIZE, FIELD(field), min, max, NULL, \
     help}
#define PARSE(text, value, commands, field, parse, help) \
    {text, 0, value, commands, ARGS_PARSE, FIELD(field), 0, 0, parse, help}

const args_option options_table[] = {
    SECTION("Input"),
    {"model", 'm', "FILE", OPTIONS_SWEEP, ARGS_PARSE, FIELD(models), 0, 0,
     parse_models, "a model, as for eval (default: the demonstration's); "
     "given several times, several models side by side"},
    {"model", 'm', "FILE", ALL & ~OPTIONS_SWEEP, ARGS_PARSE, FIELD(model), 0, 0,
     parse_model, "the model: a checkpoint of a ViT, as timm, transformers, "
     "torchvision, Google, CLIP and others publish it: .safetensors, .pth, "
     ".npz, .gguf, or the .index.json of one in several files "
     "(default: the demonstration's, on 16 classes of drawn shapes)"},
    TEXT("arch", 0, "NAME", OPTIONS_BENCH | OPTIONS_INSPECT, arch,
         "a published shape with random weights instead of a model file: "
         "deit_tiny_patch16_224, deit_small_patch16_224, "
         "deit_base_patch16_224, deit_base_distilled_patch16_224, "
         "vit_large_patch16_224, vit_large_patch16_384, vit_huge_patch14_224"),
    SIZE("image-size", 0, "N", ALL | OPTIONS_CONVERT, image_size, 1, 16384,
         "images of N x N pixels, whatever the model was trained on: the "
         "position embeddings are resized"),
    TEXT("head", 0, "FILE", ALL | OPTIONS_CONVERT, head,
         "the classification head of a model that comes without one"),
    TEXT("text-embeddings", 0, "FILE", ALL | OPTIONS_CONVERT, text_embeddings,
         "for CLIP and SigLIP: one row for each class, the embedding of its "
         "text, as a matrix in a .npy or other file"),
    TEXT("labels", 0, "FILE", LABELLED, labels,
         "FOLDER is flat and FILE has a line for each image: name, tab or "
         "comma, class (index, WordNet id or class name)"),
    TEXT("labels", 0, "FILE", OPTIONS_CLASSIFY, labels,
         "class names to print, one a line, in the order of the model's "
         "outputs (default: those in the checkpoint, or ImageNet's for 1000 "
         "classes)"),
    TEXT("class-map", 0, "FILE", LABELLED, class_map,
         "which class a folder is: lines of folder, tab or comma, class"),
    TEXT("real-labels", 0, "FILE", FOLDER, real_labels,
         "ReaL labels of ImageNet's validation images as published (JSON, a "
         "list of classes for each): accuracy by them as well"),
    TEXT("valid-labels", 0, "FILE", LABELLED, valid_labels,
         "a class on each line: the images are of these, and no other is an "
         "answer"),
    SIZE("limit", 0, "N", MANY, limit, 1, 1e9,
         "use only N images, spread evenly over the folder"),
    FLAG("exif", 0, IMAGES, exif,
         "turn images as their EXIF orientation says"),
    FLAG("lenient", 0, IMAGES, lenient,
         "use what can be decoded of a truncated image instead of refusing "
         "it"),

    SECTION("Merging"),
    PARSE("r", "N[:INFLECTION]", ONE, merging, merging_parse_r,
          "tokens merged away in each layer (default 0). INFLECTION from -1 "
          "(merge early) to 1 (merge late) makes it a ramp with the mean N"),
    PARSE("r", "LIST", LISTS, merging, merging_parse_r_list,
          "entries N[:INFLECTION] with commas between: tokens merged away in "
          "each layer; INFLECTION from -1 (merge early) to 1 (merge late) "
          "makes it a ramp with the mean N (default " DEFAULT_LIST ")"),
    PARSE("r", "N[:INFLECTION]", OPTIONS_VISUALIZE, merging,
          merging_parse_r_list,
          "tokens merged away in each layer (default 8). INFLECTION from -1 "
          "(merge early) to 1 (merge late) makes it a ramp with the mean N. "
          "With --grid a list with commas between (default "
          DEFAULT_LIST ")"),
    PARSE("schedule", "LIST|@FILE", GIVEN, merging, merging_parse_schedule,
          "r of the first layer, the second, ..., zero after the last given; "
          "@FILE reads them from a file"),
    PARSE("merge-ratio", "RATIO", ONE, merging, merging_parse_ratio,
          "the evenest schedule that merges this share of the tokens away, "
          "averaged over the layers"),
    PARSE("merge-ratio", "LIST", LISTS, merging, merging_parse_ratio_list,
          "instead of --r: shares of tokens merged away, averaged over the "
          "layers, such as 0.1,0.2,0.4"),
    PARSE("merge-ratio", "RATIO", OPTIONS_VISUALIZE, merging,
          merging_parse_ratio_list,
          "the evenest schedule that merges this share of the tokens away, "
          "averaged over the layers. With --grid a list"),
    {"max-drop", 0, "POINTS", OPTIONS_TUNE, ARGS_REAL, FIELD(max_drop), 0, 100,
     NULL, "find the least arithmetic that loses at most so much top-1"},
    {"min-speedup", 0, "X", OPTIONS_TUNE, ARGS_REAL, FIELD(min_speedup), 1,
     1000, NULL, "find the one that is at least X times as fast and changes "
     "the answers least"},
    {"target-gmacs", 0, "G", OPTIONS_TUNE, ARGS_REAL, FIELD(target_gmacs), 0,
     1e6, NULL, "find the one that takes at most G GMACs and changes the "
     "answers least"},
    {"confidence", 0, "PERCENT", OPTIONS_TUNE, ARGS_REAL, FIELD(confidence), 50,
     99.99, NULL, "how sure it is to be that no more than --max-drop is lost "
     "(default 80; 50: the estimate itself is within it)"},
    SIZE("rounds", 0, "N", OPTIONS_TUNE, rounds, 0, 100,
         "rounds of moving tokens between layers (default 3)"),
    PARSE("method", "NAME", ALL, merging, merging_parse_method,
          "how tokens are split and matched: alternating (default), "
          "sequential, random, strided"),
    SIZE("stride", 0, "N", ALL, merging.stride, 2, 1e6,
         "of --method strided (default 2): layers whose r is not 0 keep one "
         "of every N tokens, however large that r is"),
    PARSE("similarity", "NAME", RUNS, merging, merging_parse_similarity,
          "cosine (default), dot, euclidean, softmax"),
    PARSE("combine", "NAME", RUNS, merging, merging_parse_combine,
          "weighted (mean by size, default), mean, sum, max, keep, mlerp"),
    PARSE("metric", "NAME", RUNS, merging, merging_parse_metric,
          "what similarity is measured on: K (keys, default), Q, V, X"),
    PARSE("prop-attn", "on|off", RUNS, merging, merging_parse_prop_attn,
          "proportional attention: add ln(size) to the attention logits "
          "(default on)"),
    PARSE("seed", "N", RUNS, merging, merging_parse_seed,
          "of --method random (default 0)"),

    SECTION("Preprocessing (default: the model's own)"),
    PARSE("crop-pct", "P", IMAGES, preprocessing, preprocessing_parse_crop_pct,
          "the crop's side as a share of the resized shorter side"),
    PARSE("crop-mode", "NAME", IMAGES, preprocessing,
          preprocessing_parse_crop_mode,
          "center (the shorter side is resized, the middle cut out) or squash "
          "(both sides are resized, whatever the proportions)"),
    PARSE("interpolation", "NAME", IMAGES, preprocessing,
          preprocessing_parse_interpolation, "bicubic or bilinear"),
    PARSE("mean", "R,G,B", IMAGES, preprocessing, preprocessing_parse_mean,
          "subtracted from values in [0, 1]"),
    PARSE("std", "R,G,B", IMAGES, preprocessing, preprocessing_parse_std,
          "divides what is left"),

    SECTION("Computing"),
    SIZE("threads", 't', "N", RUNS, threads, 1, 1024,
         "threads (default: the CPUs available)"),
    SIZE("batch", 'b', "N", MANY | OPTIONS_BENCH, batch, 1, 4096,
         "images in one forward pass (default 32)"),
    PARSE("dtype", "TYPE", RUNS, dtype, parse_dtype,
          "what weights are multiplied in: f32 (default), bf16, int8"),
    PARSE("cpu", "TIER", RUNS, cpu_mask, parse_cpu,
          "highest CPU tier to use: auto (default), scalar, avx2, avx512, "
          "avx512-vnni, avx512-bf16, amx-bf16, amx-int8"),
    FLAG("cpu", 0, OPTIONS_INSPECT, cpu,
         "instead of a model: the tiers this machine has, the one that each "
         "kind of work would use, and threads"),
    PARSE("cache-mem", "SIZE", MANY, cache_mem, parse_bytes,
          "memory for decoded images waiting for the model, such as 512M "
          "(default 32M)"),
    {"seconds", 0, "S", OPTIONS_BENCH, ARGS_REAL, FIELD(seconds), 0, 86400,
     NULL, "time to measure for, at least 5 passes each (default 5)"},

    SECTION("Output"),
    SIZE("topk", 'k', "N", OPTIONS_CLASSIFY, topk, 1, 1000,
         "classes to print for an image (default 5)"),
    TEXT("json", 0, "FILE|-", ALL & ~OPTIONS_CLASSIFY, json,
         "write the report as JSON; - is standard output"),
    TEXT("json", 0, "FILE|-", OPTIONS_CLASSIFY, json,
         "write JSON Lines, one object for each image; - is standard output"),
    TEXT("output", 'o', "FILE|-", OPTIONS_VISUALIZE, output,
         "write the picture, a PNG; - is standard output"),
    TEXT("output", 'o', "FILE", OPTIONS_CONVERT, output,
         "write the model, a .safetensors file"),
    PARSE("dtype", "TYPE", OPTIONS_CONVERT, storage, parse_storage,
          "f32, f16 or bf16 (default: f16 or bf16 if all of the model's "
          "weights are, else f32), or int8: a quarter of the size, opens with "
          "--dtype int8 at once"),
    TEXT("output", 'o', "FILE|-", OPTIONS_TUNE, output,
         "write the schedule, for --schedule @FILE; - is standard output"),
    FLAG("layers", 0, OPTIONS_VISUALIZE, layers,
         "a strip over depth: the crop, then the groups after each layer that "
         "merges, or of many layers those at even distances"),
    FLAG("grid", 0, OPTIONS_VISUALIZE, grid,
         "the crop and the final groups of each --r of a list side by side"),
    FLAG("overlay", 0, OPTIONS_VISUALIZE, overlay,
         "outlines over the image's own pixels instead of mean colours"),
    SIZE("scale", 0, "N", OPTIONS_VISUALIZE, scale, 1, 64,
         "pixels of the picture for each of the crop's (default: as many as "
         "make patches of 32 pixels or a little more)"),
    TEXT("csv", 0, "FILE|-", ALL & ~OPTIONS_VISUALIZE, csv,
         "write the same numbers as CSV; - is standard output"),
    TEXT("predictions", 0, "FILE|-", OPTIONS_EVAL, predictions,
         "write each image's five most probable classes as CSV"),
    TEXT("per-class", 0, "FILE|-", FOLDER, per_class,
         "write each class's images and accuracy as CSV"),
    TEXT("confusion", 0, "FILE|-", FOLDER, confusion,
         "write the confusion matrix as CSV: a row for each class, a column "
         "for each answer"),
    TEXT("svg", 0, "FILE|-", OPTIONS_SWEEP, svg,
         "draw accuracy against speed and against GMACs"),
    TEXT("html", 0, "FILE|-", OPTIONS_SWEEP, html,
         "write the report as a page: plots, tables, pictures, in one file"),
    TEXT("resume", 0, "FILE", LABELLED, resume,
         "keep a journal in FILE, and go on from what it has"),
    FLAG("quiet", 'q', ALL | OPTIONS_CONVERT, quiet, "no progress line and no remarks"),
    {"help", 'h', NULL, ALL | OPTIONS_CONVERT, ARGS_HELP, 0, 0, 0, NULL, "show this help"},
    {NULL, 0, NULL, 0, 0, 0, 0, 0, NULL, NULL}
};

void options_init(options *o)
{
    memset(o, 0, sizeof(*o));
    o->dtype = TOMEVIT_F32;
    o->cpu_mask = UINT32_MAX;
    o->batch = 32;
    o->topk = 5;
    o->seconds = 5;
    o->max_drop = o->min_speedup = o->target_gmacs = -1;
    o->confidence = 80;
    o->rounds = 3;
    o->cache_mem = (size_t)32 << 20;
    merging_args_init(&o->merging);
}

void options_free(options *o)
{
    merging_args_free(&o->merging);
    free(o->command_line);
}

/* inspect names its model as an operand; all others with --model. Without
 * either it is the demonstration's. */
static int check_model(options *o, const args_command *command, char *why)
{
    if (o->cpu) {
        snprintf(why, ARGS_WHY, "inspect --cpu takes no model");
        return o->model || o->arch || o->operand_count ? -1 : 0;
    }
    if (o->models.count > 0)
        o->model = o->models.path[0];
    int takes_arch = command->bit & (OPTIONS_BENCH | OPTIONS_INSPECT);
    int count = (o->model != NULL) + (o->arch != NULL);

    if (command->bit == OPTIONS_INSPECT && o->operand_count == 1) {
        o->model = o->operands[0];
        count++;
    }
    if (count == 0) {
        o->model = demo_model_path();
        count = o->model != NULL;
    }
    o->models.path[0] = o->model;
    o->models.count += o->models.count == 0;
    if (count == 1)
        return 0;
    if (count == 0)
        snprintf(why, ARGS_WHY, "no model: give %s%s",
                 command->bit == OPTIONS_INSPECT ? "MODEL" : "--model FILE",
                 takes_arch ? " or --arch NAME" : "");
    else
        snprintf(why, ARGS_WHY, "more than one model is given");
    return -1;
}

static const struct {
    const char *name;
    size_t field;
} outputs[] = {
    {"json", FIELD(json)}, {"csv", FIELD(csv)},
    {"predictions", FIELD(predictions)}, {"output", FIELD(output)},
    {"per-class", FIELD(per_class)}, {"confusion", FIELD(confusion)},
    {"svg", FIELD(svg)}, {"html", FIELD(html)}, {"resume", FIELD(resume)}
};
enum { OUTPUTS = sizeof(outputs) / sizeof(outputs[0]) };

static const char *output_path(const options *o, size_t index)
{
    const char *base = (const char *)o + outputs[index].field;
    return *(const char *const *)(const void *)base;
}

/* No two outputs may be one file. */
static int check_outputs(const options *o, char *why)
{
    for (size_t i = 0; i < OUTPUTS; i++)
        for (size_t j = i + 1; j < OUTPUTS; j++) {
            const char *a = output_path(o, i), *b = output_path(o, j);
            if (a == NULL || b == NULL || strcmp(a, b) != 0)
                continue;
            snprintf(why, ARGS_WHY, "--%s and --%s both write to '%.60s'",
                     outputs[i].name, outputs[j].name, a);
            return -1;
        }
    return 0;
}

int options_use_stdout(const options *o)
{
    int used = 0;

    for (size_t i = 0; i < OUTPUTS; i++) {
        const char *path = output_path(o, i);
        used |= path != NULL && path != o->resume && strcmp(path, "-") == 0;
    }
    return used;
}

/* One image, one picture. */
static int check_visualize(options *o, char *why)
{
    o->batch = 1;
    merging_args_default(&o->merging, o->grid ? DEFAULT_LIST : "8");
    if (o->output == NULL)
        snprintf(why, ARGS_WHY, "no file for the picture: give --output FILE");
    else if (o->layers && o->grid)
        snprintf(why, ARGS_WHY, "--layers and --grid exclude each other");
    else if (!o->grid && merging_run_count(&o->merging) > 1)
        snprintf(why, ARGS_WHY, "a list of several schedules is for --grid");
    else
        return 0;
    return -1;
}

static int check_convert(const options *o, char *why)
{
    if (o->output == NULL)
        snprintf(why, ARGS_WHY, "nowhere to write to: give --output FILE");
    else if (strcmp(o->output, "-") == 0)
        snprintf(why, ARGS_WHY,
                 "a model is not written to standard output: give a file");
    else
        return 0;
    return -1;
}

static int check_tune(const options *o, char *why)
{
    int goals = (o->max_drop >= 0) + (o->min_speedup >= 0) +
                (o->target_gmacs >= 0);

    if (goals != 1)
        snprintf(why, ARGS_WHY, "%s: give one of --max-drop, --min-speedup "
                 "and --target-gmacs", goals ? "more than one goal"
                                             : "no goal");
    else if (o->merging.method == TOMERGE_STRIDED)
        snprintf(why, ARGS_WHY, "--method strided has no r to tune");
    else
        return 0;
    return -1;
}

int options_check(options *o, const args_command *command, char *why)
{
    if (check_outputs(o, why) != 0)
        return -1;
    if (o->arch != NULL && (o->image_size || o->head || o->text_embeddings)) {
        snprintf(why, ARGS_WHY, "--image-size, --head and --text-embeddings "
                 "are for a model from a file, not for --arch");
        return -1;
    }
    o->classifies = (command->bit & MANY) != 0;
    if (command->bit & LISTS)
        merging_args_default(&o->merging, DEFAULT_LIST);
    if (command->bit == OPTIONS_VISUALIZE && check_visualize(o, why) != 0)
        return -1;
    if (command->bit == OPTIONS_CONVERT)
        return check_convert(o, why);
    if (command->bit == OPTIONS_TUNE && check_tune(o, why) != 0)
        return -1;
    return check_model(o, command, why);
}
