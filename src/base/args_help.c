/* SPDX-License-Identifier: MIT */
/* The help of a subcommand, from the same table that parses it. */
#include "args.h"

#include <string.h>

enum { WIDTH = 79, INDENT = 27 };

/* Words of `text` from column `column` on, wrapped and indented. */
static void wrap(FILE *out, const char *text, size_t column, size_t indent)
{
    int first = 1;

    while (*text != '\0') {
        size_t length = strcspn(text, " \n");
        if (!first && column + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            first = 1;
        }
        fprintf(out, "%s%.*s", first ? "" : " ", (int)length, text);
        column += length + (first ? 0 : 1);
        first = 0;
        text += length;
        if (*text == '\n') {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            first = 1;
        }
        text += *text != '\0';
    }
    fputc('\n', out);
}

static void option_help(FILE *out, const args_option *option)
{
    char left[80];
    int length = snprintf(left, sizeof(left), "  %c%c%s --%s%s%s",
                          option->letter ? '-' : ' ',
                          option->letter ? option->letter : ' ',
                          option->letter ? "," : " ", option->name,
                          option->value ? " " : "",
                          option->value ? option->value : "");

    fputs(left, out);
    if (length + 2 > INDENT)
        fprintf(out, "\n%*s", INDENT, "");
    else
        fprintf(out, "%*s", INDENT - length, "");
    if (!option->names) {
        wrap(out, option->help, INDENT, INDENT);
        return;
    }
    char text[512];
    const char *name;
    size_t used = (size_t)snprintf(text, sizeof(text), "%s", option->help);
    for (int i = 0; (name = option->names(i)) != NULL && used < sizeof(text);
         i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %s",
                                 i ? "," : "", name);
    wrap(out, text, INDENT, INDENT);
}

void args_help(FILE *out, const args_option *table,
               const args_command *command)
{
    const args_option *section = NULL;

    fprintf(out, "usage: tomerge %s [OPTION...]%s%s\n\n", command->name,
            command->operands[0] ? " " : "", command->operands);
    wrap(out, command->summary, 0, 0);
    if (command->details) {
        fputc('\n', out);
        wrap(out, command->details, 0, 0);
    }
    for (; table->name; table++) {
        if (table->kind == ARGS_SECTION)
            section = table;
        if (!(table->commands & command->bit) || table->kind == ARGS_SECTION)
            continue;
        if (section)
            fprintf(out, "\n%s\n", section->name);
        section = NULL;
        option_help(out, table);
    }
    if (command->examples)
        fprintf(out, "\nExamples\n%s", command->examples);
}
