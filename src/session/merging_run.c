/* SPDX-License-Identifier: MIT */
/* How tokens merge: from the options to what one model runs with, by one
 * method. */
#include "merging_args.h"

#include "../base/args.h"
#include "../base/memory.h"
#include "method_file.h"
#include "tomevit_methods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands in place of the method's own. */
static void override(const merging_args *args, merging_run *run, size_t depth)
{
    if (args->metric >= 0)
        run->merging.metric = args->metric;
    if (args->prop_attn >= 0)
        run->merging.prop_attn = args->prop_attn;
    if (args->combine < 0)
        return;
    run->merging.combine = args->combine;
    for (size_t i = 0; i < depth; i++)
        run->layers[i].combine = args->combine;
}

/* The options that do not depend on r, and the memory of a run. */
static void begin(const merging_args *args, const tomevit_description *model,
                  merging_run *run)
{
    memset(run, 0, sizeof(*run));
    run->method = tomevit_method_at(args->row)->name;
    run->options = args->options;
    run->layers = memory_zero(model->depth, sizeof(*run->layers));
    run->r = memory_zero(model->depth, sizeof(size_t));
    run->tokens = memory_zero(model->depth, sizeof(size_t));
    tomevit_merging_init(&run->merging);
    run->merging.matching.similarity = args->similarity;
    run->merging.matching.seed = args->seed;
    run->merging.matching.stride = args->stride;
    run->merging.rope_merge = args->rope_merge;
    run->merging.ema_merge = args->ema_merge;
}

/* The method, with what run->r asks of it, or nothing that goes. 0, or -1 with
 * a line in why. */
static int set_method(const merging_args *args,
                      const tomevit_description *model, int merges,
                      merging_run *run, char *why)
{
    tomevit_message message;

    if (args->file)
        return method_file_resolve(args, model, merges, run, why);
    if (tomevit_method_merging(model, args->row, args->options,
                               merges ? run->r : NULL, &run->merging, run->r,
                               run->layers, &message) != 0) {
        snprintf(why, ARGS_WHY, "%s: %.200s", args->options
                 ? "--method-options" : "--method", message.text);
        return -1;
    }
    override(args, run, model->depth);
    return 0;
}

/* What the options come to in this model. 0, or -1 with a line in why. */
static int finish(const tomevit_description *model, merging_run *run, char *why)
{
    size_t depth = model->depth, last = depth - 1;
    double gone = 0;

    if (tomevit_schedule_tokens(model, &run->merging, run->tokens) != 0) {
        int strided = run->merging.matching.method == TOMERGE_STRIDED;
        char what[40] = "the schedule";
        if (strided)
            snprintf(what, sizeof(what), "--stride %zu",
                     run->merging.matching.stride);
        snprintf(why, ARGS_WHY, "%s leaves the head none of the %zu tokens "
                 "that it reads", what, model->tokens - model->prefix);
        return -1;
    }
    for (size_t i = 0; i < depth; i++)
        gone += (double)(model->tokens - run->tokens[i]);
    run->ratio = gone / ((double)model->tokens * (double)depth);
    run->gmacs = tomevit_macs_merged(model, &run->merging, run->tokens) * 1e-9;
    run->gmacs_computed = run->gmacs;
    if (run->r[last] > 0 && (run->merging.where == TOMEVIT_MERGE_AHEAD ||
                             run->merging.where == TOMEVIT_MERGE_BEFORE))
        return 0; /* the last layer's is read, too */
    run->gmacs_computed -= 1e-9 * tomevit_macs_unread(
        model, last > 0 ? run->tokens[last - 1] : model->tokens,
        run->tokens[last]);
    return 0;
}

static int resolve_r(const merging_entry *entry,
                     const tomevit_description *model, merging_run *run)
{
    if (entry->inflection == 0)
        snprintf(run->label, sizeof(run->label), "%zu", entry->r);
    else
        snprintf(run->label, sizeof(run->label), "%zu:%g", entry->r,
                 entry->inflection);
    return tomerge_schedule(model->depth, entry->r, entry->inflection, run->r);
}

static int resolve_list(const merging_args *args,
                        const tomevit_description *model, merging_run *run,
                        char *why)
{
    size_t *list = memory_zero(args->count, sizeof(size_t)), used = 0;

    for (size_t i = 0; i < args->count; i++) {
        list[i] = args->entries[i].r;
        if (used < sizeof(run->label))
            used += (size_t)snprintf(run->label + used,
                                     sizeof(run->label) - used, "%s%zu",
                                     i ? "," : "", list[i]);
    }
    if (used >= sizeof(run->label))
        memcpy(run->label + sizeof(run->label) - 4, "...", 4);
    int error = tomerge_schedule_list(model->depth, args->count, list, run->r);
    free(list);
    if (error != 0)
        snprintf(why, ARGS_WHY, "--schedule lists %zu layers, the model has "
                 "%zu", args->count, model->depth);
    return error;
}

static int resolve_ratio(const merging_entry *entry, int method,
                         const tomevit_description *model, merging_run *run,
                         char *why)
{
    snprintf(run->label, sizeof(run->label), "%g", entry->ratio);
    int error = tomerge_schedule_ratio(method, model->depth, model->tokens,
                                       model->prefix, entry->ratio, run->r);
    if (error != 0) {
        double most = 0;
        for (size_t i = 0; i < model->depth; i++)
            run->r[i] = model->tokens;
        tomerge_schedule_tokens(method, model->depth, model->tokens,
                                model->prefix, run->r, NULL, &most);
        snprintf(why, ARGS_WHY, "--merge-ratio %g is out of reach: merging "
                 "the most in every layer gives %.3f", entry->ratio, most);
    }
    return error;
}

int merging_resolve_one(const merging_args *args,
                        const tomevit_description *model, size_t index,
                        merging_run *run, char *why)
{
    const tomevit_method *method = tomevit_method_at(args->row);
    tomevit_message message;
    int error = 0;

    memset(run, 0, sizeof(*run));
    if (!args->file &&
        tomevit_method_decides(args->row, args->options, &message) < 0) {
        snprintf(why, ARGS_WHY, "--method-options: %.200s", message.text);
        return -1;
    }
    if (args->kind != MERGING_UNSET && merging_decides(args)) {
        snprintf(why, ARGS_WHY, "--method %s%s%s says how many tokens go: "
                 "neither --r nor --schedule nor --merge-ratio is for it",
                 method->name, args->options ? " with " : "",
                 args->options ? args->options : "");
        return -1;
    }
    snprintf(why, ARGS_WHY, "the schedule does not fit the model");
    begin(args, model, run);
    switch (args->kind) {
    case MERGING_R:
        error = resolve_r(&args->entries[index], model, run);
        break;
    case MERGING_SCHEDULE:
        error = resolve_list(args, model, run, why);
        break;
    case MERGING_RATIO:
        error = resolve_ratio(&args->entries[index], method->method, model, run,
                              why);
        break;
    default:
        snprintf(run->label, sizeof(run->label), "%s", !merging_decides(args)
                 ? "0" : args->options ? args->options : "own");
        break;
    }
    if (error == 0)
        error = set_method(args, model, args->kind != MERGING_UNSET ||
                           merging_decides(args), run, why);
    if (error != 0 || finish(model, run, why) != 0) {
        merging_run_free(run);
        return -1;
    }
    return 0;
}

int merging_resolve_layers(const merging_args *args,
                           const tomevit_description *model, const char *label,
                           const size_t *r, merging_run *run)
{
    merging_args one = merging_of_method(args, 0);
    char why[ARGS_WHY];

    args = &one;
    begin(args, model, run);
    snprintf(run->label, sizeof(run->label), "%s", label);
    if (r)
        memcpy(run->r, r, model->depth * sizeof(*r));
    set_method(args, model, r != NULL, run, why); /* as in a run before */
    return finish(model, run, why);
}

void merging_run_free(merging_run *run)
{
    free(run->r);
    free(run->layers);
    free(run->tokens);
    free(run->found);
    memset(run, 0, sizeof(*run));
}

int merging_run_is_none(const merging_run *run,
                        const tomevit_description *model)
{
    for (size_t i = 0; i < model->depth; i++)
        if (run->r[i] != 0)
            return 0;
    return 1;
}
