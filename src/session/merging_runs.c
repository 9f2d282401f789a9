/* SPDX-License-Identifier: MIT */
/* How tokens merge: the runs that all methods and their budgets come to. */
#include "merging_args.h"

#include <stdio.h>

/* Of one method. */
static size_t entries_of(const merging_args *args)
{
    return args->kind == MERGING_R || args->kind == MERGING_RATIO
        ? args->count : 1;
}

/* Of method `index` of the list, or of the only one. */
static size_t runs_of(const merging_args *args, size_t index)
{
    merging_args one = merging_of_method(args, index);

    return args->budget_count && !one.file ? args->budget_count
                                           : entries_of(&one);
}

size_t merging_run_count(const merging_args *args)
{
    size_t count = runs_of(args, 0);

    for (size_t i = 1; i < args->method_count; i++)
        count += runs_of(args, i);
    return count;
}

int merging_resolve(const merging_args *args,
                    const tomevit_description *model, size_t index,
                    merging_run *run, char *why)
{
    size_t method = 0;

    while (index >= runs_of(args, method))
        index -= runs_of(args, method++);
    merging_args one = merging_of_method(args, method);
    int error = args->budget_count && !one.file
        ? merging_resolve_budget(&one, model, args->budgets[index], run, why)
        : merging_resolve_one(&one, model, index, run, why);
    run->place = method;
    if (error == 0 && args->method_count > 1)
        snprintf(run->series, sizeof(run->series), "%s",
                 args->methods[method].text);
    return error;
}

void merging_resolve_none(const merging_args *args,
                          const tomevit_description *model, merging_run *run)
{
    merging_resolve_layers(args, model, "0", NULL, run);
    if (args->method_count > 1)
        snprintf(run->series, sizeof(run->series), "r=0");
}
