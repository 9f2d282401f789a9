/* SPDX-License-Identifier: MIT */
/* The options of all subcommands: what they are at first, and what no single
 * one of them shows. */
#include "options.h"

#include "../base/memory.h"
#include "../base/output.h"
#include "demo.h"
#include "model_files.h"
#include "options_files.h"
#include "tomevit_methods.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static size_t rows(void)
{
    size_t count = 0;

    while (options_table[count].name)
        count++;
    return count;
}

int options_read_part(const char *text, options_part *part)
{
    const char *slash = strchr(text, '/');
    char k[16] = "";

    if (slash && (size_t)(slash - text) < sizeof(k))
        memcpy(k, text, (size_t)(slash - text));
    return slash && args_size(k, &part->k) == 0 &&
                   args_size(slash + 1, &part->n) == 0 && part->k >= 1 &&
                   part->k <= part->n && part->n <= OPTIONS_PARTS
        ? 0 : -1;
}

void options_init(options *o)
{
    memset(o, 0, sizeof(*o));
    o->given = memory_zero(rows(), sizeof(*o->given));
    o->dtype = TOMEVIT_F32;
    o->cpu_mask = UINT32_MAX;
    o->batch = 32;
    o->topk = 5;
    o->k = 20;
    o->max_image = (size_t)1 << 30;
    o->max_pixels = (size_t)1 << 28;
    o->temperature = 0.07;
    o->seconds = 5;
    o->max_drop = o->min_speedup = o->target_gmacs = o->max_drift = -1;
    o->confidence = 80;
    o->rounds = 3;
    o->calibrate = 128;
    merging_args_init(&o->merging);
}

void options_free(options *o)
{
    merging_args_free(&o->merging);
    free(o->command_line);
    free(o->given);
    free(o->words);
    for (size_t i = 0; i < OPTIONS_BESIDE; i++)
        free(o->beside[i]);
    for (size_t i = 0; i < OPTIONS_MODELS; i++)
        free(o->found[i]);
}

/* inspect and convert name their model as an operand; all others with --model.
 * Without either it is the demonstration's. */
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

    if (command->bit & (OPTIONS_INSPECT | OPTIONS_CONVERT) &&
        o->operand_count == 1) {
        o->model = o->operands[0];
        count++;
    }
    if (count == 0 && !(command->bit & OPTIONS_BYTES)) {
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

/* A folder stands for the one checkpoint in it. */
static int find_in_folders(options *o, char *why)
{
    struct stat status;

    for (size_t i = 0; i < o->models.count; i++) {
        const char *path = o->models.path[i];
        if (!path || stat(path, &status) != 0 ||
            !S_ISDIR(status.st_mode))
            continue;
        o->found[i] = model_files_in_folder(path, why);
        o->unreadable = !o->found[i] && errno != 0;
        if (!o->found[i])
            return -1;
        o->models.path[i] = o->found[i];
    }
    o->model = o->models.path[0];
    return 0;
}

/* One image, one picture. */
static int check_visualize(options *o, char *why)
{
    o->batch = 1;
    merging_args_default(&o->merging, o->grid ? OPTIONS_DEFAULT_LIST : "8");
    if (!o->output)
        snprintf(why, ARGS_WHY, "no file for the picture: give --output FILE");
    else if (o->layers && o->grid)
        snprintf(why, ARGS_WHY, "--layers and --grid exclude each other");
    else if (!o->grid && merging_run_count(&o->merging) > 1)
        snprintf(why, ARGS_WHY, "a list of several schedules is for --grid");
    else
        return 0;
    return -1;
}

/* A model is read back to see that it is whole, so it is a file. */
static int check_convert(const options *o, char *why)
{
    struct stat status;

    if (!o->output)
        snprintf(why, ARGS_WHY, "nowhere to write to: give --output FILE");
    else if (strcmp(o->output, "-") == 0)
        snprintf(why, ARGS_WHY,
                 "a model is not written to standard output: give a file");
    else if (stat(o->output, &status) == 0 && !S_ISREG(status.st_mode))
        snprintf(why, ARGS_WHY, "--output: '%.80s' is not a regular file",
                 o->output);
    else
        return 0;
    return -1;
}

/* "a/b.npy" with another ending. */
static char *with_ending(const char *path, const char *ending)
{
    size_t length = strlen(path), size = length + strlen(ending) + 1;
    char *text = memory_zero(size, 1);

    if (length > 4 && strcmp(path + length - 4, ".npy") == 0)
        length -= 4;
    snprintf(text, size, "%.*s%s", (int)length, path, ending);
    return text;
}

static int check_embed(options *o, char *why)
{
    struct stat status;

    if (!o->output)
        snprintf(why, ARGS_WHY, "nowhere to write to: give --output FILE");
    else if (strcmp(o->output, "-") == 0)
        snprintf(why, ARGS_WHY, "embeddings are not written to standard "
                 "output: give a file");
    else if (stat(o->output, &status) == 0 && !S_ISREG(status.st_mode))
        snprintf(why, ARGS_WHY, "--output: '%.80s' is not a regular file",
                 o->output);
    else if (strlen(o->output) > 4000)
        snprintf(why, ARGS_WHY, "--output: its name is too long");
    if (why[0] != '\0')
        return -1;
    o->beside[OPTIONS_NAMES] = with_ending(o->output, ".txt");
    if (o->embedding == OPTIONS_MERGED) {
        o->beside[OPTIONS_SIZES] = with_ending(o->output, ".sizes.npy");
        o->beside[OPTIONS_MAP] = with_ending(o->output, ".map.npy");
    }
    return 0;
}

static int check_archive(const options *o, char *why)
{
    if (!o->output || o->output[0] == '\0')
        snprintf(why, ARGS_WHY, "nowhere to write to: give --output %s",
                 o->command == OPTIONS_EXPAND ? "FOLDER" : "FILE");
    else if (o->command == OPTIONS_COMPRESS && output_is_stdout(o->output))
        snprintf(why, ARGS_WHY,
                 "an archive is not written to standard output: give a file");
    else if (o->portable && (o->dtype != TOMEVIT_F32 || o->group))
        snprintf(why, ARGS_WHY,
                 "--portable computes in f32 alone, and merges nothing");
    else
        return 0;
    return -1;
}

/* The file says all of how tokens merge; of several methods it is one, and the
 * others have r. */
static int check_method_file(const options *o, char *why)
{
    static const char *const said[] = {
        "similarity", "combine", "metric", "rope-merge", "ema-merge",
        "prop-attn", "seed", "stride", "method-options",
        "r", "schedule", "merge-ratio", "budget"
    };
    enum { ALL = sizeof(said) / sizeof(said[0]), LISTED = 9 };
    const merging_args *args = &o->merging;
    size_t count = args->method_count > 1 ? LISTED : ALL;
    const char *file = NULL;

    for (size_t i = 0; i < args->method_count; i++)
        if (args->methods[i].said)
            file = args->methods[i].text;
    for (size_t i = 0; file && options_table[i].name; i++)
        for (size_t k = 0; k < count; k++)
            if (o->given[i] && strcmp(options_table[i].name, said[k]) == 0) {
                snprintf(why, ARGS_WHY, "--method %.100s says how tokens "
                         "merge: --%s is not for it", file, said[k]);
                return -1;
            }
    return 0;
}

static int check_tune(const options *o, char *why)
{
    int goals = (o->max_drop >= 0) + (o->max_drift >= 0) +
                (o->min_speedup >= 0) + (o->target_gmacs >= 0);

    if (goals != 1)
        snprintf(why, ARGS_WHY, "%s: give one of --max-drop, --max-drift, "
                 "--min-speedup and --target-gmacs",
                 goals ? "more than one goal" : "no goal");
    for (size_t i = 0; goals == 1 && i < o->merging.method_count; i++) {
        merging_args one = merging_of_method(&o->merging, i);
        if (merging_has_r(&one))
            continue;
        snprintf(why, ARGS_WHY, "--method %s%s has no r to tune",
                 tomevit_method_at(one.row)->name,
                 one.options ? " with these options" : "");
        return -1;
    }
    if (goals == 1 && !merging_has_r(&o->merging)) {
        snprintf(why, ARGS_WHY, "--method %s with these options has no r to "
                 "tune", tomevit_method_at(o->merging.row)->name);
        return -1;
    }
    return goals == 1 ? 0 : -1;
}

const char *options_source(const options *o)
{
    return o->list ? o->list : o->operands[0];
}

/* Images come from operands or from a list of them. */
static int check_images(const options *o, const args_command *command,
                        char *why)
{
    if (o->list && o->operand_count > 0) {
        snprintf(why, ARGS_WHY, "--list takes the place of %s",
                 command->operands);
        return -1;
    }
    if (o->list || o->operand_count > 0)
        return 0;
    snprintf(why, ARGS_WHY, "%s is missing: tomerge %s [OPTION...] %s",
             command->operands, command->name, command->operands);
    return -1;
}

/* An image may take a quarter of what memory there may be, with its file and
 * what a decoder keeps beside its pixels a half: of two threads both go on. */
static void limit_images(options *o)
{
    size_t share = o->max_memory / 4;

    if (share > 0 && o->max_image > share)
        o->max_image = share;
    if (share > 0 && o->max_pixels > share / 3)
        o->max_pixels = share / 3;
}

int options_check(options *o, const args_command *command, char *why)
{
    o->command = command->bit;
    why[0] = '\0';
    if ((command->bit & (OPTIONS_CLASSES | OPTIONS_EMBED |
                         OPTIONS_DENSITY | OPTIONS_COMPRESS)) != 0 &&
        check_images(o, command, why) != 0)
        return -1;
    if (o->arch && (o->head || o->text_embeddings)) {
        snprintf(why, ARGS_WHY, "--head and --text-embeddings are for a model "
                 "from a file, not for --arch");
        return -1;
    }
    if (o->arch && o->max_patches) {
        snprintf(why, ARGS_WHY, "--max-patches is for a model from a file, not "
                 "for --arch");
        return -1;
    }
    if (o->max_patches && o->image[0]) {
        snprintf(why, ARGS_WHY, "--max-patches takes the place of "
                 "--image-size");
        return -1;
    }
    if (o->class_names && (o->head || o->text_embeddings)) {
        snprintf(why, ARGS_WHY, "--classes takes the place of --head and "
                 "--text-embeddings");
        return -1;
    }
    if (!o->class_names && (o->templates.count > 0 || o->tokenizer)) {
        snprintf(why, ARGS_WHY, "--%s is of --classes",
                 o->tokenizer ? "tokenizer" : "template");
        return -1;
    }
    if (o->strict && o->lenient) {
        snprintf(why, ARGS_WHY, "--strict and --lenient exclude each other");
        return -1;
    }
    if (command->bit == OPTIONS_JOIN)
        return options_files_check(o, why);
    o->classifies = (command->bit & OPTIONS_CLASSES) != 0;
    if (check_method_file(o, why) != 0 ||
        merging_check_lists(&o->merging, why) != 0)
        return -1;
    if (command->bit & OPTIONS_LISTS)
        merging_args_default(&o->merging, OPTIONS_DEFAULT_LIST);
    if (command->bit == OPTIONS_VISUALIZE && check_visualize(o, why) != 0)
        return -1;
    if (command->bit == OPTIONS_CONVERT && check_convert(o, why) != 0)
        return -1;
    if (command->bit == OPTIONS_TUNE && check_tune(o, why) != 0)
        return -1;
    if (command->bit == OPTIONS_KNN && !o->train) {
        snprintf(why, ARGS_WHY, "nothing to learn from: give --train");
        return -1;
    }
    if (command->bit == OPTIONS_EMBED && check_embed(o, why) != 0)
        return -1;
    if ((o->window || o->group) &&
        (!o->window || !o->group || o->window % o->group)) {
        snprintf(why, ARGS_WHY, "--window and --group go together, and the "
                 "group divides the window");
        return -1;
    }
    if (o->window && o->past.count) {
        snprintf(why, ARGS_WHY, "--merge takes the place of --window and "
                 "--group");
        return -1;
    }
    if (command->bit & (OPTIONS_COMPRESS | OPTIONS_EXPAND) &&
        check_archive(o, why) != 0)
        return -1;
    limit_images(o);
    if (o->cache_mem == 0)
        o->cache_mem = (size_t)(command->bit == OPTIONS_TUNE ? 256 : 32) << 20;
    if (check_model(o, command, why) != 0 || find_in_folders(o, why) != 0)
        return -1;
    return options_files_check(o, why);
}

void options_drop_outputs(options *o)
{
    o->json = o->csv = o->predictions = NULL;
    o->per_class = o->confusion = NULL;
    o->svg = o->html = NULL;
}
