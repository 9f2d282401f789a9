/* SPDX-License-Identifier: MIT */
/* tomerge: the table of subcommands. */
#include "base/args.h"
#include "base/cpus.h"
#include "base/memory.h"
#include "base/memory_limit.h"
#include "base/message.h"
#include "base/output.h"
#include "base/ranks.h"
#include "base/replace.h"
#include "base/signals.h"
#include "base/waiting.h"
#include "commands.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    args_command command;
    void (*run)(const options *o);
} subcommands[] = {
    {{"eval", OPTIONS_EVAL, "FOLDER", 0, 1,
      "Top-1 and top-5 accuracy and speed of a model on a folder of images.",
      "FOLDER holds one folder for each class, or is flat with --labels. "
      "Folders named by WordNet ids or by the model's class names map to "
      "their classes; others map in sorted order and must be as many as the "
      "classes.",
      "  tomerge eval --model vit.safetensors --r 8 imagenet/val\n"
      "  tomerge eval --model vit.safetensors --r 13:-1 --json - val\n"},
     command_eval},
    {{"sweep", OPTIONS_SWEEP, "FOLDER", 0, 1,
      "Accuracy against speed for several amounts of merging, in one table.",
      "Every image is decoded once and seen under every schedule. Drop, "
      "agreement and speed-up are against r=0, which is added where it is "
      "not asked for. With --model given several times models stand side by "
      "side, each compared with its own r=0.",
      "  tomerge sweep --model vit.safetensors --r 0,8,13,13:-1 val\n"
      "  tomerge sweep --model vit.safetensors --html report.html val\n"
      "  tomerge sweep --model s.pth --model b.pth --svg two.svg val\n"},
     command_sweep},
    {{"classify", OPTIONS_CLASSIFY, "PATH...", 0, SIZE_MAX,
      "The most probable classes of images, or of all images in folders.",
      NULL,
      "  tomerge classify --model vit.safetensors cat.jpg pictures/\n"
      "  tomerge classify --model vit.safetensors --json - *.png\n"},
     command_classify},
    {{"bench", OPTIONS_BENCH, "", 0, 0,
      "Speed of the forward pass alone, for several amounts of merging.",
      "Passes of all rows take turns after one that warms up. GFLOP/s counts "
      "two operations for each multiply-accumulate that is computed (of the "
      "last layer only what the head reads), at the median.",
      "  tomerge bench --arch deit_small_patch16_224 --batch 1 --r 0,8,13\n"},
     command_bench},
    {{"inspect", OPTIONS_INSPECT, "[MODEL]", 0, 1,
      "What a model is, and its tokens and multiply-accumulates per layer.",
      NULL,
      "  tomerge inspect vit.safetensors --r 8\n"
      "  tomerge inspect --arch deit_small_patch16_224 --r 13\n"
      "  tomerge inspect --cpu\n"},
     command_inspect},
    {{"visualize", OPTIONS_VISUALIZE, "IMAGE", 1, 1,
      "A picture of what was merged in one image.",
      "Every group of merged patches is filled with the mean colour of its "
      "pixels and outlined in a colour of its own; patches that are far apart "
      "can be one group.",
      "  tomerge visualize --model vit.safetensors --r 16 cat.jpg -o cat.png\n"
      "  tomerge visualize --model vit.safetensors --layers cat.jpg \\\n"
      "      -o cat.png\n"
      "  tomerge visualize --model vit.safetensors --grid --r 0,8,16 \\\n"
      "      --overlay cat.jpg -o cat.png\n"},
     command_visualize},
    {{"convert", OPTIONS_CONVERT, "MODEL", 1, 1,
      "Any checkpoint that can be opened as one .safetensors file.",
      "The file has timm's key names and says what else the model needs: "
      "heads, epsilon, preprocessing and class names. It is there whole or "
      "not at all.",
      "  tomerge convert checkpoint.pth -o vit.safetensors\n"
      "  tomerge convert ViT-B_16.npz -o vit.safetensors --dtype bf16\n"},
     command_convert},
    {{"tune", OPTIONS_TUNE, "FOLDER", 0, 1,
      "A schedule for a model: the best of ramps, refined layer by layer.",
      "Every other image of FOLDER is for the search, the others are for the "
      "report, which compares the schedule with r=0 and with the constant r "
      "that is nearest in arithmetic. A small model of 12 layers and 500 "
      "images take some minutes, larger ones in proportion; --limit takes "
      "fewer images.",
      "  tomerge tune --model vit.safetensors --max-drop 0.5 val -o vit.r\n"
      "  tomerge eval --model vit.safetensors --schedule @vit.r val\n"},
     command_tune},
    {{"embed", OPTIONS_EMBED, "PATH...", 0, SIZE_MAX,
      "Images to embeddings, in NumPy's format.",
      "Rows are written as they come, with a journal beside them: the same "
      "command goes on from there if anything ended it. Until all is done the "
      "file is called FILE.part, and can be mapped as well.",
      "  tomerge embed --model dinov2.safetensors pictures/ -o pictures.npy\n"
      "  tomerge embed --model clip/ --embedding projected --normalise \\\n"
      "      --store f16 shard-{000..099}.tar -o shards.npy\n"
      "  tomerge embed --model vit.safetensors --r 13 --tokens restored \\\n"
      "      pictures/ -o patches.npy\n"},
     command_embed},
    {{"knn", OPTIONS_KNN, "", 0, 0,
      "How well embeddings tell classes apart, by their nearest neighbours.",
      "Each of the k nearest rows of --train votes for its class by its "
      "cosine: no head is needed, and none is trained.",
      "  tomerge knn --model dinov2.safetensors --train train --test val\n"
      "  tomerge knn --train train.npy --test val.npy --k 10\n"
      "  tomerge knn --model vit.safetensors --r 13 --train pictures\n"},
     command_knn},
    {{"density", OPTIONS_DENSITY, "PATH...", 0, SIZE_MAX,
      "How many bits pictures are worth to a model of bytes, beside PNG.",
      "Pictures of another size are resized, the shorter side first, and the "
      "middle is cut out, as eval does it. What is worth few bits is like what "
      "the model was trained on; it does not tell anomalies from noise, and "
      "is for small pictures, not for photographs.",
      "  tomerge density --model tiles.safetensors tiles/\n"
      "  tomerge density --model tiles.safetensors --map map.png tile.png\n"
      "  tomerge density --model tiles.safetensors --merge 0,32:2,16:4 \\\n"
      "      --html report.html tiles/\n"},
     command_density},
    {{"compress", OPTIONS_COMPRESS, "PATH...", 0, SIZE_MAX,
      "Small pictures to one archive, by what a model of bytes says of them.",
      "Pixels are kept, bit for bit, with names and order; files and what else "
      "is in them are not: every picture comes back as a PNG. Pictures must be "
      "of the model's size, without transparency, 8 bits a channel. The "
      "archive opens with the same model on machines with the same kernels, "
      "or with --portable on all.",
      "  tomerge compress --model tiles.safetensors tiles/ -o tiles.tmb\n"
      "  tomerge expand --model tiles.safetensors tiles.tmb -o again/\n"},
     command_compress},
    {{"expand", OPTIONS_EXPAND, "FILE", 1, 1,
      "The pictures of an archive that compress wrote.",
      "Of a damaged file all pictures before the damage are written.",
      "  tomerge expand --model tiles.safetensors tiles.tmb -o again/\n"},
     command_expand},
    {{"join", OPTIONS_JOIN, "JOURNAL...", 1, SIZE_MAX,
      "One report from the journals of a folder's parts.",
      "The journals are those of the same eval, sweep or density with --part "
      "1/N to N/N, on any machines. Nothing is evaluated; the model and the "
      "folder are looked for where they were, from the same folder.",
      "  tomerge eval --model vit.safetensors --part 2/8 --resume part.2 val\n"
      "  tomerge join --json report.json part.[1-8]\n"},
     command_join}
};

enum { SUBCOMMANDS = sizeof(subcommands) / sizeof(subcommands[0]) };

static void print_help(void)
{
    fputs("usage: tomerge COMMAND [OPTION...] [ARGUMENT...]\n\n"
          "Runs Vision Transformers on images with Token Merging, and shows "
          "what merging\ncosts and buys.\n\nCommands\n", stdout);
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        printf("  %-10s%s\n", subcommands[i].command.name,
               subcommands[i].command.summary);
    fputs("\n'tomerge COMMAND --help' lists a command's options; "
          "'tomerge --version' prints\nthe version. Exit status: 0 done, "
          "1 failed, 2 wrong usage, 3 done but some\ninputs were refused.\n",
          stdout);
}

static void print_version(void)
{
    printf("tomerge %s\nCPU tier: %s\n", tomerge_version_string(),
           tomerge_cpu_name(tomerge_cpu_detected()));
}

/* What the processes of one launcher do together, or not at all: each would
 * write the same files. */
enum {
    TOGETHER = OPTIONS_EVAL | OPTIONS_SWEEP | OPTIONS_EMBED |
               OPTIONS_DENSITY,
    ALONE = OPTIONS_TUNE | OPTIONS_COMPRESS | OPTIONS_EXPAND
};

/* With options of the same part, or none, ranks are one run; with parts of
 * their own each is one. 0, or -1 after a message. */
static int check_ranks(options *o, const char *name, int ready)
{
    char part[48];

    if (!ranks_agree(ready, 0) || !ready)
        return -1;
    snprintf(part, sizeof(part), "%zu/%zu", o->part.k, o->part.n);
    if (ranks_on() && !ranks_same(part))
        ranks_part();
    else if (ranks_rank() > 0)
        options_drop_outputs(o);
    if (!(o->command & (TOGETHER | ALONE)) || o->part.n > 0)
        return 0;
    return ranks_alone(o->command & ALONE ? name : NULL);
}

static int limit_memory(const options *o)
{
    char why[ARGS_WHY];

    if (memory_limit(o->max_memory, o->threads ? (int)o->threads
                     : cpus_available(), why) == 0)
        return 0;
    message_failed("%s", why);
    return -1;
}

static void parse_and_run(size_t index, int argc, char **argv, options *o)
{
    const args_command *command = &subcommands[index].command;
    char why[ARGS_WHY];
    int result = args_parse(options_table, command, argc, argv, o, o->given,
                            &o->operand_count, why);

    o->operands = argv;
    if (result == ARGS_SHOW_HELP) {
        if (ranks_rank() == 0)
            args_help(stdout, options_table, command);
        return;
    }
    int ready = result == ARGS_DONE && options_check(o, command, why) == 0;
    if (!ready && o->unreadable)
        message_failed("%s", why);
    else if (!ready)
        message_usage("%s", why);
    if (check_ranks(o, command->name, ready) != 0)
        return;
    message_quiet(o->quiet);
    if (o->max_memory > 0 && limit_memory(o) != 0)
        return;
    signals_install(replacement_abandon_all);
    atexit(replacement_abandon_all);
    subcommands[index].run(o);
}

/* argv[0] is the subcommand. */
static void run(size_t index, int argc, char **argv)
{
    options o;

    options_init(&o);
    o.command_line = args_quote(argc, argv);
    o.word_count = (size_t)argc;
    o.words = memory_zero(o.word_count, sizeof(*o.words));
    memcpy(o.words, argv, o.word_count * sizeof(*o.words));
    if (!(subcommands[index].command.bit & TOGETHER) || ranks_begin() == 0)
        parse_and_run(index, argc - 1, argv + 1, &o);
    ranks_end();
    options_free(&o);
}

static void unknown(const char *name)
{
    const char *names[SUBCOMMANDS];

    for (size_t i = 0; i < SUBCOMMANDS; i++)
        names[i] = subcommands[i].command.name;
    const char *nearest = args_nearest(name, names, SUBCOMMANDS);
    if (nearest)
        message_usage("unknown command '%.60s': did you mean '%s'?", name,
                      nearest);
    else
        message_usage("unknown command '%.60s': see 'tomerge --help'", name);
}

static size_t find(const char *name)
{
    size_t i = 0;
    while (i < SUBCOMMANDS && strcmp(name, subcommands[i].command.name) != 0)
        i++;
    return i;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    size_t index = find(word);
    char option[] = "--help", *help[] = {NULL, option};

    /* A value that JSON found no room for would be a value that nobody gave. */
    json_set_alloc_funcs(memory_bytes, free);
    waiting_choose(argv);
    if (index < SUBCOMMANDS) {
        run(index, argc - 1, argv + 1);
    } else if (argc < 2) {
        message_usage("no command: see 'tomerge --help'");
    } else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        print_version();
    } else if (strcmp(word, "help") == 0 && argc > 2) {
        index = find(argv[2]);
        help[0] = argv[2];
        if (index < SUBCOMMANDS)
            run(index, 2, help);
        else
            unknown(argv[2]);
    } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
               strcmp(word, "help") == 0) {
        print_help();
    } else {
        unknown(word);
    }
    output_flush_people();
    return message_status();
}
