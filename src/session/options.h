/* SPDX-License-Identifier: MIT */
/* All options of all subcommands: one table, one set of fields. */
#ifndef TOMERGE_OPTIONS_H
#define TOMERGE_OPTIONS_H

#include "../base/args.h"
#include "merging_args.h"
#include "preprocessing.h"

#include <sys/types.h>

enum options_command {
    OPTIONS_EVAL = 1,
    OPTIONS_SWEEP = 2,
    OPTIONS_CLASSIFY = 4,
    OPTIONS_BENCH = 8,
    OPTIONS_INSPECT = 16,
    OPTIONS_VISUALIZE = 32,
    OPTIONS_CONVERT = 64,
    OPTIONS_TUNE = 128,
    OPTIONS_JOIN = 256,
    OPTIONS_EMBED = 512,
    OPTIONS_KNN = 1024,
    OPTIONS_DENSITY = 2048,
    OPTIONS_COMPRESS = 4096,
    OPTIONS_EXPAND = 8192,
    /* Those of models of bytes. */
    OPTIONS_BYTES = OPTIONS_DENSITY | OPTIONS_COMPRESS | OPTIONS_EXPAND,
    /* Those that answer with classes, and those that merge in several ways. */
    OPTIONS_CLASSES = OPTIONS_EVAL | OPTIONS_SWEEP | OPTIONS_CLASSIFY |
                      OPTIONS_TUNE,
    OPTIONS_LISTS = OPTIONS_SWEEP | OPTIONS_BENCH
};

/* What embed keeps of an image, and the files beside its output. */
enum options_embedding {
    OPTIONS_POOLED,
    OPTIONS_CLASS,
    OPTIONS_PROJECTED,
    OPTIONS_MERGED,        /* tokens that are left */
    OPTIONS_RESTORED       /* all tokens */
};
enum { OPTIONS_NAMES, OPTIONS_SIZES, OPTIONS_MAP, OPTIONS_BESIDE };

enum { OPTIONS_MODELS = 8 }; /* the most in one sweep */

/* What sweep, bench and visualize --grid merge if not told. */
#define OPTIONS_DEFAULT_LIST "0,8,13,16,13:-1"

/* The files that outputs will replace: there before the work, so that an input
 * may be one of them. */
enum { OPTIONS_OUTPUTS = 12 };
typedef struct options_outputs {
    struct {
        const char *option, *path;
        dev_t device;
        ino_t inode;
    } there[OPTIONS_OUTPUTS];
    size_t count;
} options_outputs;

typedef struct model_list {
    const char *path[OPTIONS_MODELS];
    size_t count;
} model_list;

/* Ways of merging in the past of a model of bytes: windows and groups, zeros
 * for none; see tomevit_bytes_options. */
enum { OPTIONS_WAYS = 8 };
typedef struct past_list {
    size_t window[OPTIONS_WAYS], group[OPTIONS_WAYS];
    size_t count;
} past_list;

/* Texts around a class's name, "{}". */
enum { OPTIONS_TEMPLATES = 128 };
typedef struct template_list {
    const char *text[OPTIONS_TEMPLATES];
    size_t count;
} template_list;

enum { OPTIONS_PARTS = 1000000 };

/* The K-th of N parts of the files, OPTIONS_PARTS at most; N is 0 for all of
 * them. */
typedef struct options_part {
    size_t k, n;
} options_part;

typedef struct options {
    unsigned command;      /* enum options_command, once checked */
    const char **given;    /* [rows of the table]: values as given, or NULL */
    const char *model, *arch;
    model_list models;     /* of sweep: the first is `model` as well */
    int dtype;             /* enum tomevit_dtype */
    const char *head, *text_embeddings;
    const char *class_names, *tokenizer; /* of --classes */
    template_list templates;
    size_t image[2];       /* height and width; 0: the model's */
    size_t max_patches;    /* of images that keep their proportions; 0: as the
                            * model's file says */
    uint32_t cpu_mask;
    size_t threads;        /* 0: the CPUs available to the process */
    size_t batch, limit, topk;
    size_t max_image;      /* bytes of a file or member */
    int unreadable;        /* it is not the words that options_check refused */
    size_t max_memory;     /* bytes; 0: as much as there is */
    size_t max_pixels;     /* of an image; once checked, as memory has it */
    size_t cache_mem;      /* bytes; 0 until checked: as the subcommand needs */
    double seconds;
    int classifies;        /* the subcommand needs a model with classes */
    int portable;
    size_t window, group;  /* of a model of bytes; 0: nothing merges */
    past_list past;        /* of density: several of these, or none given */
    int exif, lenient, strict, strict_model, quiet;
    const char *list;      /* in place of operands */
    const char *labels, *class_map, *real_labels, *valid_labels;
    const char *json, *csv, *predictions, *output;
    const char *per_class, *confusion, *resume;
    const char *svg, *html, *map;
    int embedding;         /* enum options_embedding */
    int normalise, half;
    const char *train, *test, *train_labels, *test_labels; /* of knn */
    size_t k;
    double temperature;
    char *beside[OPTIONS_BESIDE]; /* NULL: not written; owned */
    char *command_line;    /* as a shell would read it, or NULL; owned */
    const char *storage;   /* dtype to write; NULL: as it is */
    size_t scale;          /* 0: patches of about 32 pixels */
    int layers, grid, overlay;
    int cpu;               /* inspect: of the machine, not of a model */
    double max_drop, min_speedup, target_gmacs; /* negative: not given */
    double max_drift;      /* likewise; 1 - cosine */
    double confidence;     /* percent: that a drop is within max_drop, or drift
                            * within max_drift */
    size_t rounds;         /* of tune's refinement */
    size_t calibrate;      /* images on which thresholds are found */
    merging_args merging;
    preprocessing_args preprocessing;
    options_part part;
    char **words;          /* [word_count]: of argv, the subcommand first, as
                            * they came; owned, but not the words */
    size_t word_count;
    char **joined;         /* [joined_count]: journals that hold the outcomes;
                            * then nothing is evaluated */
    size_t joined_count;
    char **operands;       /* of argv */
    size_t operand_count;
    char *found[OPTIONS_MODELS]; /* models found in folders; owned */
    options_outputs outputs;
} options;

/* What the images are read from, as messages call it. */
const char *options_source(const options *o);

extern const args_option options_table[];

/* "K/N", as options and journals have it. 0, or -1 if it is no part. */
int options_read_part(const char *text, options_part *part);

void options_init(options *o);
void options_free(options *o);

/* Checks what no single option shows, and fills in what depends on the
 * subcommand (the operands, if any, are known by now). 0, or -1 with a line in
 * why[ARGS_WHY]. */
int options_check(options *o, const args_command *command, char *why);

/* What is found is another process's to write down. */
void options_drop_outputs(options *o);

#endif
