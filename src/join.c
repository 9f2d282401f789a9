/* SPDX-License-Identifier: MIT */
/* tomerge join: one report from the journals of a folder's parts. It is the
 * command they were begun by, told where its results are. */
#include "commands.h"

#include "base/memory.h"
#include "base/message.h"
#include "evaluation/join.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    args_command command;
    void (*run)(const options *o);
} joinable[] = {
    {{"eval", OPTIONS_EVAL, "FOLDER", 1, 1, NULL, NULL, NULL}, command_eval},
    {{"sweep", OPTIONS_SWEEP, "FOLDER", 1, 1, NULL, NULL, NULL}, command_sweep},
    {{"density", OPTIONS_DENSITY, "PATH...", 0, SIZE_MAX, NULL, NULL, NULL},
     command_density}
};

enum { JOINABLE = sizeof(joinable) / sizeof(joinable[0]) };

/* What is written is what join is asked for. */
static void set_outputs(options *made, const options *o)
{
    made->json = o->json;
    made->csv = o->csv;
    made->predictions = o->predictions;
    made->per_class = o->per_class;
    made->confusion = o->confusion;
    made->svg = o->svg;
    made->html = o->html;
    made->quiet = o->quiet;
    made->resume = NULL;
}

static int check_outputs(const options *o, size_t index)
{
    unsigned bit = joinable[index].command.bit;

    if (o->predictions && bit != OPTIONS_EVAL)
        message_usage("--predictions is for journals of eval");
    else if (o->svg && bit != OPTIONS_SWEEP)
        message_usage("--svg is for journals of sweep");
    else if (o->html && !(bit & (OPTIONS_SWEEP | OPTIONS_DENSITY)))
        message_usage("--html is for journals of sweep or density");
    else if ((o->per_class || o->confusion) && bit == OPTIONS_DENSITY)
        message_usage("--%s is of classes, which density has none of",
                      o->per_class ? "per-class" : "confusion");
    else
        return 0;
    return -1;
}

/* Runs the subcommand `index` with words[count]. */
static void run(const options *o, size_t index, char **words, size_t count)
{
    const args_command *command = &joinable[index].command;
    char why[ARGS_WHY];
    options made;

    options_init(&made);
    int result = args_parse(options_table, command, (int)count, words, &made,
                            made.given, &made.operand_count, why);
    made.operands = words;
    made.command_line = memory_text(o->command_line);
    made.part = (options_part){0, 0};
    made.joined = o->operands;
    made.joined_count = o->operand_count;
    set_outputs(&made, o);
    if (result != ARGS_DONE || options_check(&made, command, why) != 0)
        message_usage("join: %s", why);
    else if (check_outputs(o, index) == 0)
        joinable[index].run(&made);
    options_free(&made);
}

void command_join(const options *o)
{
    json_t *command = join_command(o->operands[0]);
    size_t count = json_array_size(command), index = 0;

    if (!command)
        return;
    const char *name = json_string_value(json_array_get(command, 0));
    while (index < JOINABLE && strcmp(joinable[index].command.name, name) != 0)
        index++;
    char **words = memory_zero(count, sizeof(*words));
    for (size_t i = 1; i < count; i++)
        words[i - 1] = memory_text(json_string_value(json_array_get(command,
                                                                    i)));
    char **order = memory_zero(count, sizeof(*order));
    memcpy(order, words, count * sizeof(*order));
    if (index < JOINABLE)
        run(o, index, order, count - 1);
    else
        message_failed("%s: it is of %.40s, which has no parts",
                       o->operands[0], name);
    for (size_t i = 0; i + 1 < count; i++)
        free(words[i]);
    free(words);
    free(order);
    json_decref(command);
}
