/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a command, which join takes from a journal: a word a line, the
 * subcommand first; a model is always given. An input that begins with '#' is
 * the file that "@F" names in `--schedule @F`, `--method-options @F` and
 * `--method @F`. What is taken merges in models with and without a class
 * token, or is refused in one line.
 */
#include "config.h"

#include "fuzz.h"
#include "fuzz_file.h"
#include "../../src/base/memory.h"
#include "../../src/session/options.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = 64, DEPTH = 3, TOKENS = 17, RUNS = 40 };

static void require(int condition)
{
    if (!condition)
        abort();
}

static const args_command commands[] = {
    {"eval", OPTIONS_EVAL, "FOLDER", 1, 1, NULL, NULL, NULL},
    {"sweep", OPTIONS_SWEEP, "FOLDER", 1, 1, NULL, NULL, NULL},
    {"density", OPTIONS_DENSITY, "PATH...", 0, SIZE_MAX, NULL, NULL, NULL},
    {"classify", OPTIONS_CLASSIFY, "IMAGE...", 0, SIZE_MAX, NULL, NULL, NULL},
    {"bench", OPTIONS_BENCH, "", 0, 0, NULL, NULL, NULL},
    {"visualize", OPTIONS_VISUALIZE, "IMAGE", 1, 1, NULL, NULL, NULL},
    {"convert", OPTIONS_CONVERT, "", 0, 0, NULL, NULL, NULL},
    {"tune", OPTIONS_TUNE, "FOLDER", 1, 1, NULL, NULL, NULL},
    {"embed", OPTIONS_EMBED, "PATH...", 0, SIZE_MAX, NULL, NULL, NULL},
    {"knn", OPTIONS_KNN, "", 0, 1, NULL, NULL, NULL},
    {"compress", OPTIONS_COMPRESS, "PATH...", 0, SIZE_MAX, NULL, NULL, NULL},
    {"expand", OPTIONS_EXPAND, "ARCHIVE", 1, 1, NULL, NULL, NULL}
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const args_command *command_of(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return &commands[0];
}

static void resolve(const merging_args *args, size_t prefix)
{
    tomevit_description d = {.dim = 32, .depth = DEPTH, .heads = 2,
                             .mlp_dim = 64, .image_size = 8, .patch = 2,
                             .classes = 5, .tokens = TOKENS - 1 + prefix,
                             .prefix = prefix, .class_token = prefix};
    size_t count = merging_run_count(args);
    char why[ARGS_WHY] = "";
    merging_run run;

    d.pool = prefix ? TOMEVIT_POOL_CLASS : TOMEVIT_POOL_MEAN;
    for (size_t i = 0; i < count && i < RUNS; i++) {
        memset(&run, 0, sizeof(run));
        if (merging_resolve(args, &d, i, &run, why) != 0)
            require(why[0] != '\0' && !strchr(why, '\n'));
        else
            for (size_t k = 0; k < DEPTH; k++)
                require(run.tokens[k] > 0 && run.tokens[k] <= d.tokens);
        merging_run_free(&run);
    }
}

static int see_path(void *data, const char *path)
{
    (void)data;
    require(path != NULL);
    return 0;
}

static void parse(char **words, int count)
{
    const args_command *command = command_of(words[0]);
    char why[ARGS_WHY] = "", *quoted = args_quote(count, words);
    options o;

    free(quoted);
    options_init(&o);
    int result = args_parse(options_table, command, count - 1, words + 1, &o,
                            o.given, &o.operand_count, why);
    o.operands = words + 1;
    if (result == ARGS_DONE)
        result = options_check(&o, command, why);
    require(result != ARGS_WRONG || (why[0] && !strchr(why, '\n')));
    if (result == ARGS_DONE) {
        resolve(&o.merging, 0);
        resolve(&o.merging, 1);
        merging_files_each(&o.merging, see_path, NULL);
    }
    options_free(&o);
}

/* Words that name other files than the input's are left out. */
static void parse_lines(char *text, const char *file)
{
    static const char mark[] = "@F";
    char option[] = "--model", model[] = "none.safetensors";
    char *words[WORDS], *made[WORDS];
    int count = 0, all = 0;

    for (char *line = strtok(text, "\n"); line && count < WORDS;
         line = strtok(NULL, "\n")) {
        const char *at = strstr(line, mark);
        size_t room = strlen(line) + strlen(file) + 1;

        if ((!at && strpbrk(line, "@~")) || strstr(line, "file=") ||
            (strchr(line, '/') && strspn(line, "0123456789/") < strlen(line)))
            continue;
        made[all] = memory_zero(room, 1);
        if (at)
            snprintf(made[all], room, "%.*s@%s%s", (int)(at - line), line,
                     file, at + strlen(mark));
        else
            snprintf(made[all], room, "%s", line);
        words[count++] = made[all++];
        if (count == 1 && count + 2 < WORDS) {
            words[count++] = option;
            words[count++] = model;
        }
    }
    if (count > 0)
        parse(words, count);
    while (all > 0)
        free(made[--all]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options_of_files[] = {
        "--schedule", "--method-options", "--method"
    };
    const char *path = fuzz_file(data, size);
    char *text = memory_zero(size + 64, 1);

    if (size && data[0] == '#') {
        for (size_t i = 0; i < 3; i++) {
            snprintf(text, 64, "eval\nval\n%s\n@F\n%s", options_of_files[i],
                     i == 1 ? "--method\nppt" : "");
            parse_lines(text, path);
        }
    } else {
        if (size)
            memcpy(text, data, size);
        parse_lines(text, path);
    }
    free(text);
    return 0;
}
