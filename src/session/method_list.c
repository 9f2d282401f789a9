/* SPDX-License-Identifier: MIT */
/* --method: one name or several, each with options of its own in brackets. */
#include "merging_args.h"

#include "../base/args.h"
#include "../base/memory.h"
#include "method_file.h"
#include "method_text.h"
#include "schedule_file.h"
#include "tomevit_methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A word as long as it is before a comma outside of brackets. */
static size_t word_length(const char *text)
{
    size_t length = 0;

    for (int inside = 0; text[length] != '\0'; length++) {
        if (text[length] == ',' && !inside)
            break;
        inside = text[length] == '[' || (inside && text[length] != ']');
    }
    return length;
}

static const char *name_of(int row)
{
    const tomevit_method *method = tomevit_method_at(row);

    return method ? method->name : NULL;
}

/* "ppt[layers=3:6:9]", "upward[@FILE]" or "@FILE", in place. */
static int read_method(char *text, merging_method *method, char *why)
{
    char *opening = strchr(text, '['), *end = text + strlen(text);

    if (text[0] == '@')
        return method_file_read(text, method, why);
    method->text = memory_text(text);
    if (opening) {
        if (end[-1] != ']') {
            snprintf(why, ARGS_WHY, "'%.80s': a bracket is not closed at its "
                     "end", text);
            return -1;
        }
        end[-1] = *opening = '\0';
        if (opening[1] == '@')
            method->options = schedule_file_read(opening + 2, why);
        else if (opening[1] != '\0')
            method->options = memory_text(opening + 1);
        if (opening[1] == '@' && !method->options)
            return -1;
    }
    return args_name(text, &method->row, tomevit_method_from_name, name_of,
                     why);
}

static void free_methods(merging_method *methods, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(methods[i].text);
        free(methods[i].options);
        free(methods[i].said);
    }
    free(methods);
}

static int parse_methods(const char *text, merging_args *args, size_t most,
                         char *why)
{
    merging_method *methods = memory_zero(MERGING_METHODS, sizeof(*methods));
    char *copy = memory_text(text), *word = copy;
    size_t count = 0;
    int result = 0;

    for (char *next; word && result == 0; word = next) {
        size_t length = word_length(word);
        next = word[length] == ',' ? word + length + 1 : NULL;
        word[length] = '\0';
        if (count == most) {
            snprintf(why, ARGS_WHY, most == 1
                     ? "'%.80s' names several methods; lists are for 'tomerge "
                       "sweep'" : "'%.80s' names too many methods", text);
            result = -1;
        } else {
            result = read_method(word, &methods[count++], why);
        }
    }
    free(copy);
    if (result != 0) {
        free_methods(methods, count);
        return -1;
    }
    free_methods(args->methods, args->method_count);
    args->methods = methods;
    args->method_count = count;
    args->row = methods[0].row;
    args->method = tomevit_method_at(args->row)->method;
    args->file = methods[0].said ? &methods[0] : NULL;
    return 0;
}

int merging_parse_method(const char *text, void *args, char *why)
{
    return parse_methods(text, args, 1, why);
}

int merging_parse_method_list(const char *text, void *args, char *why)
{
    return parse_methods(text, args, MERGING_METHODS, why);
}

int merging_parse_tuned(const char *text, void *args, char *why)
{
    merging_args *a = args, one;
    char names[512] = "";

    a->any_method = strcmp(text, "all") == 0;
    if (!a->any_method)
        return merging_parse_method_list(text, args, why);
    for (one = *a, one.row = 0; name_of(one.row); one.row++) {
        size_t used = strlen(names);

        /* "alternating" is "tome" by another name. */
        one.method = tomevit_method_at(one.row)->method;
        one.options = NULL;
        if (merging_has_r(&one) && strcmp(name_of(one.row), "alternating") != 0)
            snprintf(names + used, sizeof(names) - used, "%s%s",
                     used ? "," : "", name_of(one.row));
    }
    return merging_parse_method_list(names, args, why);
}

/* They are read when the method is known. */
int merging_parse_method_options(const char *text, void *args, char *why)
{
    merging_args *a = args;
    char *read = NULL;

    if (text[0] == '@' && (read = schedule_file_read(text + 1, why)) == NULL)
        return -1;
    free(a->from_file);
    a->from_file = read;
    a->options = read ? read : text;
    return 0;
}

int merging_parse_budgets(const char *text, void *args, char *why)
{
    enum { MOST = 64 };
    merging_args *a = args;
    double *budgets = memory_zero(MOST, sizeof(*budgets));
    char *copy = memory_text(text), *word = copy;
    size_t count = 0;
    int result = 0;

    for (char *next; word && result == 0; word = next) {
        next = strchr(word, ',');
        if (next)
            *next++ = '\0';
        if (count == MOST || args_real(word, &budgets[count]) != 0 ||
            !(budgets[count++] > 0)) {
            snprintf(why, ARGS_WHY, "'%.40s' is not a number above 0, of "
                     "GMACs, or one of too many", word);
            result = -1;
        }
    }
    free(copy);
    if (result != 0) {
        free(budgets);
        return -1;
    }
    free(a->budgets);
    a->budgets = budgets;
    a->budget_count = count;
    return 0;
}

/* ---- their files --------------------------------------------------------- */

/* That of "upward[@FILE]" or "@FILE", to be freed; NULL: none. */
static char *bracketed_file(const char *text)
{
    const char *opening = strchr(text, '[');
    char *path;

    if (text[0] == '@')
        return memory_text(text + 1);
    if (!opening || opening[1] != '@')
        return NULL;
    path = memory_text(opening + 2);
    path[strcspn(path, "]")] = '\0';
    return path;
}

static int visit(char *path, int (*each)(void *data, const char *path),
                 void *data)
{
    int result = path ? each(data, path) : 0;

    free(path);
    return result;
}

int merging_files_each(const merging_args *args,
                       int (*each)(void *data, const char *path), void *data)
{
    int result = visit(method_text_value(args->options, "file"), each, data);

    for (size_t i = 0; i < args->method_count && result == 0; i++) {
        result = visit(bracketed_file(args->methods[i].text), each, data);
        if (result == 0)
            result = visit(method_text_value(args->methods[i].options, "file"),
                           each, data);
    }
    return result;
}

int merging_check_lists(const merging_args *args, char *why)
{
    int bracketed = 0;

    for (size_t i = 0; i < args->method_count; i++)
        bracketed |= args->methods[i].options != NULL;
    if (args->options && (bracketed || args->method_count > 1)) {
        snprintf(why, ARGS_WHY, "--method-options is for a method without "
                 "options of its own; of several methods each has them in "
                 "brackets: --method \"tome,ppt[layers=3:6:9]\"");
        return -1;
    }
    if (args->budget_count > 0 && args->kind != MERGING_UNSET) {
        snprintf(why, ARGS_WHY, "--budget says how many tokens go: neither --r "
                 "nor --schedule nor --merge-ratio is for it");
        return -1;
    }
    return 0;
}
