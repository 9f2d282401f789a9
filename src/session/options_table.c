/* SPDX-License-Identifier: MIT */
/* The table of all options of all subcommands. */
#include "options.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FOLDER = OPTIONS_EVAL | OPTIONS_SWEEP,
    LABELLED = FOLDER | OPTIONS_TUNE,
    MANY = LABELLED | OPTIONS_CLASSIFY | OPTIONS_EMBED | OPTIONS_KNN,
    IMAGES = MANY | OPTIONS_VISUALIZE,
    RUNS = IMAGES | OPTIONS_BENCH,
    ALL = RUNS | OPTIONS_INSPECT,
    LISTS = OPTIONS_LISTS,
    GIVEN = ALL & ~OPTIONS_TUNE, /* schedules are */
    ONE = GIVEN & ~(LISTS | OPTIONS_VISUALIZE),
    EVERY = ALL | OPTIONS_CONVERT | OPTIONS_JOIN | OPTIONS_BYTES,
    REPORTS = ALL | OPTIONS_JOIN,
    MODEL = ALL | OPTIONS_CONVERT
};

/* Effects: exactly one of the first two, WRITES having the second in it. */
enum {
    RESULT = ARGS_RESULT,
    REPORT = ARGS_REPORT,
    READS = ARGS_READS,
    WRITES = ARGS_REPORT | ARGS_WRITES
};

static int parse_cpu(const char *text, void *field, char *why)
{
    uint32_t mask = UINT32_MAX;

    if (strcmp(text, "auto") != 0 && tomerge_cpu_mask(text, &mask) != 0) {
        const char *name;
        size_t used = (size_t)snprintf(why, ARGS_WHY,
                                       "'%.40s' is not one of auto", text);
        for (int i = 0; (name = tomerge_cpu_tier(i)) != NULL &&
                        used < ARGS_WHY; i++)
            used += (size_t)snprintf(why + used, ARGS_WHY - used, ", %s",
                                     name);
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

static int parse_part(const char *text, void *field, char *why)
{
    if (options_read_part(text, field) == 0)
        return 0;
    snprintf(why, ARGS_WHY, "'%.40s' is not K/N with K from 1 to N", text);
    return -1;
}

/* One of a past_list: 0, or WINDOW:GROUP. */
static int parse_way(const char *text, size_t length, past_list *list)
{
    char window[24] = "", *group;
    size_t *w = &list->window[list->count], *g = &list->group[list->count];

    if (length >= sizeof(window))
        return -1;
    memcpy(window, text, length);
    list->count++;
    *w = *g = 0;
    if (strcmp(window, "0") == 0)
        return 0;
    group = strchr(window, ':');
    if (!group)
        return -1;
    *group++ = '\0';
    return args_size(window, w) == 0 && args_size(group, g) == 0 && *g >= 2 &&
           *w <= 1000000 && *w >= *g && *w % *g == 0 ? 0 : -1;
}

static int parse_past(const char *text, void *field, char *why)
{
    past_list *list = field;
    size_t length;

    list->count = 0;
    for (;; text += length + 1) {
        length = strcspn(text, ",");
        if (list->count == OPTIONS_WAYS) {
            snprintf(why, ARGS_WHY, "more than %d ways to merge", OPTIONS_WAYS);
            return -1;
        }
        if (parse_way(text, length, list) != 0) {
            snprintf(why, ARGS_WHY, "'%.*s' is neither 0 nor WINDOW:GROUP, of "
                     "which the group is 2 or more and divides the window",
                     (int)(length < 40 ? length : 40), text);
            return -1;
        }
        if (text[length] == '\0')
            return 0;
    }
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

static int parse_embedding(const char *text, void *field, char *why)
{
    static const char *const names[] = {
        [OPTIONS_POOLED] = "pooled", [OPTIONS_CLASS] = "class",
        [OPTIONS_PROJECTED] = "projected"
    };

    if (*(int *)field > OPTIONS_PROJECTED) {
        snprintf(why, ARGS_WHY, "--tokens takes its place");
        return -1;
    }
    for (int i = 0; i <= OPTIONS_PROJECTED; i++)
        if (strcmp(text, names[i]) == 0) {
            *(int *)field = i;
            return 0;
        }
    snprintf(why, ARGS_WHY, "'%.40s' is not one of pooled, class, projected",
             text);
    return -1;
}

static int parse_tokens(const char *text, void *field, char *why)
{
    int merged = strcmp(text, "merged") == 0;

    if (*(int *)field != OPTIONS_POOLED) {
        snprintf(why, ARGS_WHY, "it is in the place of --embedding");
        return -1;
    }
    if (!merged && strcmp(text, "restored") != 0) {
        snprintf(why, ARGS_WHY, "'%.40s' is not one of merged, restored",
                 text);
        return -1;
    }
    *(int *)field = merged ? OPTIONS_MERGED : OPTIONS_RESTORED;
    return 0;
}

static int parse_stored(const char *text, void *field, char *why)
{
    int is_half = strcmp(text, "f16") == 0;

    if (!is_half && strcmp(text, "f32") != 0) {
        snprintf(why, ARGS_WHY, "'%.40s' is not one of f32, f16", text);
        return -1;
    }
    *(int *)field = is_half;
    return 0;
}

static int parse_model(const char *text, void *field, char *why)
{
    const char **model = field;

    if (text[0] == '\0')
        snprintf(why, ARGS_WHY, "its value, FILE, is empty");
    else if (*model)
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

static int parse_template(const char *text, void *field, char *why)
{
    template_list *list = field;

    if (!strstr(text, "{}"))
        snprintf(why, ARGS_WHY, "expected a text with {} in it, for the name "
                 "of a class, found '%.80s'", text);
    else if (list->count == OPTIONS_TEMPLATES)
        snprintf(why, ARGS_WHY, "more than %d templates", OPTIONS_TEMPLATES);
    else
        list->text[list->count++] = text;
    return why[0] == '\0' ? 0 : -1;
}

/* The power of 1024 that a unit stands for: K, M, G or T, in either case, with
 * or without a B or iB behind it; 0 for anything else. */
static size_t unit_of(const char *text)
{
    static const char letters[] = "KMGT";
    const char *letter = strchr(letters, toupper((unsigned char)text[0]));

    if (text[0] == '\0')
        return 1;
    if (!letter)
        return (text[0] == 'B' || text[0] == 'b') && text[1] == '\0' ? 1 : 0;
    text += 1 + (tolower((unsigned char)text[1]) == 'i' && text[2] != '\0');
    if (text[0] != '\0' &&
        (tolower((unsigned char)text[0]) != 'b' || text[1] != '\0'))
        return 0;
    size_t bits = 10 * ((size_t)(letter - letters) + 1);
    return bits < 8 * sizeof(size_t) ? (size_t)1 << bits : 0;
}

static int parse_bytes(const char *text, void *field, char *why)
{
    char number[32] = "";
    size_t length = strspn(text, "0123456789"), value;
    size_t unit = unit_of(text + length);

    if (length < sizeof(number))
        memcpy(number, text, length);
    if (unit == 0 || args_size(number, &value) != 0 || value == 0 ||
        value > SIZE_MAX / 4 / unit) {
        snprintf(why, ARGS_WHY,
                 "'%.40s' is not a size such as 512M or 2G", text);
        return -1;
    }
    *(size_t *)field = value * unit;
    return 0;
}

#define FIELD(name) offsetof(options, name)
#define SECTION(text) \
    {text, 0, NULL, 0, 0, ARGS_SECTION, 0, 0, 0, NULL, NULL, NULL}
#define ROW(text, letter, value, commands, effect, kind, field, min, max, \
            parse, help) \
    {text, letter, value, commands, effect, kind, FIELD(field), min, max, \
     parse, help, NULL}
#define FLAG(text, letter, commands, effect, field, help) \
    ROW(text, letter, NULL, commands, effect, ARGS_FLAG, field, 0, 0, NULL, \
        help)
#define TEXT(text, letter, value, commands, effect, field, help) \
    ROW(text, letter, value, commands, effect, ARGS_TEXT, field, 0, 0, NULL, \
        help)
#define SIZE(text, letter, value, commands, effect, field, min, max, help) \
    ROW(text, letter, value, commands, effect, ARGS_SIZE, field, min, max, \
        NULL, help)
#define REAL(text, value, commands, effect, field, min, max, help) \
    ROW(text, 0, value, commands, effect, ARGS_REAL, field, min, max, NULL, \
        help)
#define PARSE(text, value, commands, effect, field, parse, help) \
    ROW(text, 0, value, commands, effect, ARGS_PARSE, field, 0, 0, parse, help)

const args_option options_table[] = {
    SECTION("Input"),
    ROW("model", 'm', "FILE", OPTIONS_SWEEP, RESULT | READS, ARGS_PARSE,
        models, 0, 0, parse_models,
        "a model, as for eval (default: the demonstration's); given several "
        "times, several models side by side"),
    ROW("model", 'm', "FILE", ALL & ~OPTIONS_SWEEP, RESULT | READS, ARGS_PARSE,
        model, 0, 0, parse_model,
        "the model: a checkpoint of a ViT, as timm, transformers, torchvision, "
        "Google, CLIP and others publish it: .safetensors, .pth, .npz, .gguf, "
        "the .index.json of one in several files, or the folder that one is "
        "in (default: the demonstration's, on 16 classes of drawn shapes)"),
    TEXT("arch", 0, "NAME", OPTIONS_BENCH | OPTIONS_INSPECT, RESULT, arch,
         "a published shape with random weights instead of a model file, such "
         "as vit_base_patch16_224, vit_base_patch16_dinov3 or "
         "mobile_small_patch16_224; a name that is not known is answered by "
         "the list of those that are"),
    PARSE("image-size", "N|HxW", MODEL, RESULT, image,
          preprocessing_parse_image_size,
          "images of N x N pixels, or of height H and width W, whatever the "
          "model was trained on: the position embeddings are resized"),
    SIZE("max-patches", 0, "N", MODEL & ~OPTIONS_BENCH, RESULT, max_patches, 1,
         65535, "images keep their proportions (NaFlex), each as large as it "
         "can be with N patches; r is of N (default: as the model says)"),
    FLAG("strict-model", 0, MODEL, RESULT, strict_model,
         "refuse a model of which something is a guess; inspect shows what"),
    TEXT("head", 0, "FILE", MODEL, RESULT | READS, head,
         "the classification head of a model that comes without one"),
    TEXT("text-embeddings", 0, "FILE", MODEL, RESULT | READS, text_embeddings,
         "for CLIP and SigLIP: one row for each class, the embedding of its "
         "text, as a matrix in a .npy or other file"),
    TEXT("classes", 0, "FILE", OPTIONS_CLASSES, RESULT | READS, class_names,
         "for CLIP and SigLIP: the name of a class on each line, of which the "
         "model's own text tower makes the embeddings"),
    PARSE("template", "TEXT", OPTIONS_CLASSES, RESULT, templates,
          parse_template,
          "what to say of a class, such as 'a photo of a {}', {} being its "
          "name; given several times, their mean (default: the name alone)"),
    TEXT("tokenizer", 0, "FILE|FOLDER", OPTIONS_CLASSES, REPORT | READS,
         tokenizer, "the tokenizer of --classes: tokenizer.json, vocab.json "
         "with merges.txt beside it, or CLIP's bpe_simple_vocab_16e6.txt.gz "
         "(default: beside the model)"),
    TEXT("train", 0, "FILE|FOLDER", OPTIONS_KNN, RESULT | READS, train,
         "what is known: images in class folders or archives, or embeddings in "
         "a .npy file, such as embed writes"),
    TEXT("test", 0, "FILE|FOLDER", OPTIONS_KNN, RESULT | READS, test,
         "what is asked, likewise (default: each of --train, by the others)"),
    TEXT("train-labels", 0, "FILE", OPTIONS_KNN, RESULT | READS, train_labels,
         "the classes of the rows of a .npy file: a line for each, or whole "
         "numbers in a .npy file (default: the folders of the names in the "
         ".txt beside it)"),
    TEXT("test-labels", 0, "FILE", OPTIONS_KNN, RESULT | READS, test_labels,
         "the same for --test"),
    TEXT("list", 0, "FILE|-", MANY & ~OPTIONS_KNN, RESULT | READS, list,
         "the images are not in a folder, but those whose paths are the lines "
         "of FILE, of the class of the folder that each is in; - is standard "
         "input"),
    TEXT("labels", 0, "FILE", LABELLED, RESULT | READS, labels,
         "FOLDER is flat and FILE has a line for each image: name, comma, tab "
         "or blank, class (index, WordNet id or class name)"),
    TEXT("labels", 0, "FILE", OPTIONS_CLASSIFY, REPORT | READS, labels,
         "class names to print, one a line, in the order of the model's "
         "outputs (default: those in the checkpoint, or ImageNet's for 1000 "
         "classes)"),
    TEXT("class-map", 0, "FILE", LABELLED, RESULT | READS, class_map,
         "which class a folder is: lines of folder, comma, tab or blank, "
         "class"),
    TEXT("real-labels", 0, "FILE", FOLDER, REPORT | READS, real_labels,
         "ReaL labels of ImageNet's validation images as published (JSON, a "
         "list of classes for each): accuracy by them as well"),
    TEXT("valid-labels", 0, "FILE", LABELLED, RESULT | READS, valid_labels,
         "a class on each line: the images are of these, and no other is an "
         "answer"),
    SIZE("limit", 0, "N", MANY, RESULT, limit, 1, 1e9,
         "use only N images, spread evenly over the folder"),
    PARSE("part", "K/N", FOLDER | OPTIONS_EMBED | OPTIONS_DENSITY, RESULT,
          part, parse_part,
          "use only the K-th of N parts of the images; 'tomerge join' puts the "
          "journals of all parts (see --resume) together"),
#include "options_images.def"

#include "options_merging.def"
#include "options_bytes.def"
    SECTION("Neighbours"),
    SIZE("k", 0, "N", OPTIONS_KNN, RESULT, k, 1, 100000,
         "neighbours that vote (default 20)"),
    REAL("temperature", "T", OPTIONS_KNN, RESULT, temperature, 1e-4, 1e6,
         "a neighbour's vote is exp(cosine / T) (default 0.07)"),

    SECTION("Preprocessing (default: the model's own)"),
    PARSE("crop-pct", "P", IMAGES, RESULT, preprocessing,
          preprocessing_parse_crop_pct,
          "the crop's side as a share of the resized shorter side"),
    PARSE("crop-mode", "NAME", IMAGES, RESULT, preprocessing,
          preprocessing_parse_crop_mode,
          "center (the shorter side is resized, the middle cut out), "
          "squash (both sides are resized, whatever the proportions) or border "
          "(the longer side is resized, the mean fills what the other lacks)"),
    PARSE("interpolation", "NAME", IMAGES, RESULT, preprocessing,
          preprocessing_parse_interpolation, "bicubic or bilinear"),
    PARSE("pixels", "NAME", IMAGES, RESULT, preprocessing,
          preprocessing_parse_pixels,
          "whose resizing: pillow-12 (up to 12.1, default), pillow-12.3 or "
          "pillow-13, which resize some tall pictures in the other order"),
    PARSE("mean", "R,G,B", IMAGES, RESULT, preprocessing,
          preprocessing_parse_mean,
          "subtracted from values in [0, 1]"),
    PARSE("std", "R,G,B", IMAGES, RESULT, preprocessing,
          preprocessing_parse_std,
          "divides what is left"),

    SECTION("Computing"),
    SIZE("threads", 't', "N", RUNS, RESULT, threads, 1, 1024,
         "threads (default: OMP_NUM_THREADS, or the CPUs available)"),
    SIZE("batch", 'b', "N", MANY | OPTIONS_BENCH, RESULT, batch, 1, 4096,
         "images in one forward pass (default 32)"),
    PARSE("dtype", "TYPE", RUNS, RESULT, dtype, parse_dtype,
          "what weights are multiplied in: f32 (default), bf16, int8"),
    {"cpu", 0, "TIER", RUNS, RESULT, ARGS_PARSE, FIELD(cpu_mask), 0, 0,
     parse_cpu, "highest CPU tier to use: auto (default) or",
     tomerge_cpu_tier},
    FLAG("cpu", 0, OPTIONS_INSPECT, REPORT, cpu,
         "instead of a model: the tiers this machine has, the one that each "
         "kind of work would use, and threads"),
    PARSE("cache-mem", "SIZE", MANY, REPORT, cache_mem, parse_bytes,
          "memory for decoded images waiting for the model, such as 512M "
          "(default 32M; of tune, which keeps them, 256M)"),
    PARSE("max-memory", "SIZE", EVERY, RESULT, max_memory, parse_bytes,
          "use no more memory than SIZE beside threads' stacks, whatever is in "
          "a file; refuse images that take a quarter of it (default: no "
          "limit)"),
    REAL("seconds", "S", OPTIONS_BENCH, RESULT, seconds, 0, 86400,
     "time to measure for, at least 5 passes each (default 5)"),

    SECTION("Output"),
    TEXT("output", 'o', "FILE", OPTIONS_EMBED, WRITES, output,
         "write the embeddings, a .npy file; the images' names go to the same "
         "name with .txt"),
    PARSE("embedding", "NAME", OPTIONS_EMBED | OPTIONS_KNN, RESULT, embedding,
          parse_embedding,
          "pooled (what the head sees, default), class (the class token) or "
          "projected (CLIP and SigLIP: in the space of texts' embeddings)"),
    PARSE("tokens", "NAME", OPTIONS_EMBED, RESULT, embedding, parse_tokens,
          "every token of the last layer instead: merged (those that are left, "
          "with .sizes.npy and .map.npy) or restored (all of the image's, each "
          "the row it was merged into)"),
    FLAG("normalise", 0, OPTIONS_EMBED, RESULT, normalise,
         "to unit length"),
    PARSE("store", "TYPE", OPTIONS_EMBED, RESULT, half, parse_stored,
          "f32 (default) or f16, rounded to nearest"),
    SIZE("topk", 'k', "N", OPTIONS_CLASSIFY, REPORT, topk, 1, 1000,
         "classes to print for an image (default 5)"),
    TEXT("json", 0, "FILE|-", REPORTS & ~OPTIONS_CLASSIFY, WRITES, json,
         "write the report as JSON; - is standard output"),
    TEXT("json", 0, "FILE|-", OPTIONS_CLASSIFY, WRITES, json,
         "write JSON Lines, one object for each image; - is standard output"),
    TEXT("output", 'o', "FILE|-", OPTIONS_VISUALIZE, WRITES, output,
         "write the picture, a PNG; - is standard output"),
    TEXT("output", 'o', "FILE", OPTIONS_CONVERT, WRITES, output,
         "write the model, a .safetensors file"),
    PARSE("dtype", "TYPE", OPTIONS_CONVERT, RESULT, storage, parse_storage,
          "f32, f16 or bf16 (default: f16 or bf16 if all of the model's "
          "weights are, else f32), or int8: a quarter of the size, opens with "
          "--dtype int8 at once"),
    TEXT("output", 'o', "FILE|-", OPTIONS_TUNE, WRITES, output,
         "write the schedule, for --schedule @FILE, or what is best of several "
         "methods, for --method @FILE; - is standard output"),
    FLAG("layers", 0, OPTIONS_VISUALIZE, RESULT, layers,
         "a strip over depth: the crop, then the groups after each layer that "
         "merges, or of many layers those at even distances"),
    FLAG("grid", 0, OPTIONS_VISUALIZE, RESULT, grid,
         "the crop and the final groups of each --r of a list side by side"),
    FLAG("overlay", 0, OPTIONS_VISUALIZE, RESULT, overlay,
         "outlines over the image's own pixels instead of mean colours"),
    SIZE("scale", 0, "N", OPTIONS_VISUALIZE, RESULT, scale, 1, 64,
         "pixels of the picture for each of the crop's (default: patches of 32 "
         "or a little more)"),
    TEXT("csv", 0, "FILE|-", REPORTS & ~OPTIONS_VISUALIZE, WRITES, csv,
         "write the same numbers as CSV; - is standard output"),
    TEXT("predictions", 0, "FILE|-", OPTIONS_EVAL | OPTIONS_JOIN | OPTIONS_KNN,
         WRITES, predictions,
         "write each image's five most probable classes as CSV"),
    TEXT("per-class", 0, "FILE|-", FOLDER | OPTIONS_JOIN, WRITES, per_class,
         "write each class's images and accuracy as CSV"),
    TEXT("confusion", 0, "FILE|-", FOLDER | OPTIONS_JOIN, WRITES, confusion,
         "write the confusion matrix as CSV: a row for each class, a column "
         "for each answer"),
    TEXT("svg", 0, "FILE|-", OPTIONS_SWEEP | OPTIONS_JOIN, WRITES, svg,
         "draw accuracy against speed and against GMACs"),
    TEXT("html", 0, "FILE|-", OPTIONS_SWEEP | OPTIONS_JOIN | OPTIONS_DENSITY,
         WRITES, html,
         "write the report as a page: plots, tables, pictures, in one file"),
    TEXT("resume", 0, "FILE", LABELLED, WRITES, resume,
         "keep a journal in FILE, and go on from what it has"),
    FLAG("quiet", 'q', EVERY, REPORT, quiet, "no progress line and no remarks"),
    {"help", 'h', NULL, EVERY, 0, ARGS_HELP, 0, 0, 0, NULL, "show this help",
     NULL},
    {NULL, 0, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL}
};
