/* SPDX-License-Identifier: MIT */
/*
 * Methods at equal cost: what a method offers to be turned, its knob, is turned
 * until the arithmetic is as near to a budget as it comes. Knobs are r, the
 * same in all layers that reduce; a share to keep; the target in a file of
 * counts; or a threshold, or thresholds of layers all by one factor, of which
 * only images show what they come to.
 */
#include "config.h"

#include "merging_args.h"

#include "../base/args.h"
#include "../base/memory.h"
#include "method_text.h"
#include "tomevit_methods.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether the options set what would be turned. */
static int knob_is_set(const char *options, const char *knob)
{
    size_t length = strlen(knob);

    for (const char *at = options; at && *at; at += strcspn(at, ",")) {
        at += *at == ',';
        if (strncmp(at, knob, length) == 0 && at[length] == '=')
            return 1;
    }
    return 0;
}

enum knob { KNOB_NONE, KNOB_R, KNOB_KEEP, KNOB_THRESHOLD, KNOB_SCALE };

static enum knob knob_of(const merging_args *args)
{
    const tomevit_method *row = tomevit_method_at(args->row);

    if (row->method == TOMERGE_UPWARD &&
        knob_is_set(args->options, "threshold"))
        return KNOB_SCALE;
    if (row->knob && knob_is_set(args->options, row->knob))
        return KNOB_NONE;
    if (merging_decides(args) && row->method != TOMERGE_THRESHOLD)
        return KNOB_NONE;
    if (row->method == TOMERGE_STRIDED)
        return KNOB_NONE;
    return !row->knob ? KNOB_R
        : strcmp(row->knob, "keep") == 0 ? KNOB_KEEP : KNOB_THRESHOLD;
}

/* The options with `key` as well. */
static char *with_key(const char *options, const char *key, double value)
{
    size_t size = (options ? strlen(options) : 0) + 64;
    char *text = memory_zero(size, 1);

    snprintf(text, size, "%s%s%s=%.9g", options ? options : "",
             options ? "," : "", key, value);
    return text;
}

/* The options with all thresholds halved so many times. */
static char *with_scale(int row, const char *options, double halvings)
{
    char *bounds, *others, *text = NULL;
    size_t size;
    FILE *out;

    if (tomevit_method_decides(row, options, NULL) < 0 ||
        (out = open_memstream(&text, &size)) == NULL)
        return memory_text(options); /* to be refused as they are */
    bounds = method_text_value(options, "threshold");
    others = method_text_without(options, "threshold");
    fprintf(out, "%s%sthreshold=", others ? others : "", others ? "," : "");
    free(others);
    for (char *at = bounds, *end; *at; at = end + (*end == ':')) {
        double bound = strtod(at, &end);

        fprintf(out, "%s%.9g", at > bounds ? ":" : "", bound * exp2(-halvings));
    }
    fclose(out);
    free(bounds);
    return text;
}

int merging_resolve_knob(const merging_args *args,
                         const tomevit_description *model, double gmacs,
                         double knob, merging_run *run, char *why)
{
    const tomevit_method *row = tomevit_method_at(args->row);
    enum knob kind = knob_of(args);
    merging_entry entry = {.r = kind == KNOB_R ? (size_t)knob : 0};
    merging_args one = *args;
    char *options = NULL;

    one.kind = MERGING_UNSET;
    one.count = 0;
    if (kind == KNOB_SCALE) {
        options = with_scale(args->row, args->options, knob);
        one.options = options;
    } else if (kind == KNOB_R) {
        one.kind = MERGING_R;
        one.entries = &entry;
        one.count = 1;
    } else {
        options = with_key(args->options, row->knob, knob);
        one.options = options;
    }
    if (merging_resolve_one(&one, model, 0, run, why) != 0) {
        free(options);
        return -1;
    }
    if (kind == KNOB_SCALE)
        snprintf(run->label, sizeof(run->label), "threshold*%.4g", exp2(-knob));
    else if (kind != KNOB_R)
        snprintf(run->label, sizeof(run->label), "%s=%.4g", row->knob, knob);
    run->found = options;
    run->budget = gmacs;
    run->knob = knob;
    run->measured = kind == KNOB_THRESHOLD || kind == KNOB_SCALE;
    return 0;
}

void merging_knob_range(const merging_args *args, double *least, double *most)
{
    int scale = knob_of(args) == KNOB_SCALE;

    *least = scale ? -8 : -1;
    *most = scale ? 8 : 1; /* else a cosine */
}

/* The arithmetic at a knob, or -1 where the model cannot have that. */
static double gmacs_at(const merging_args *args,
                       const tomevit_description *model, double knob)
{
    merging_run run;
    char why[ARGS_WHY];
    double gmacs = -1;

    if (merging_resolve_knob(args, model, 0, knob, &run, why) != 0)
        return -1;
    gmacs = run.gmacs;
    merging_run_free(&run);
    return gmacs;
}

/* More of r is less arithmetic, until there is nothing left to go. */
static double nearest_r(const merging_args *args,
                        const tomevit_description *model, double gmacs)
{
    double best = 0, off = HUGE_VAL;

    for (size_t r = 0; r < model->tokens; r++) {
        double at = gmacs_at(args, model, (double)r);
        if (at >= 0 && fabs(at - gmacs) < off) {
            off = fabs(at - gmacs);
            best = (double)r;
        }
        if (at < 0 || at < gmacs)
            break;
    }
    return best;
}

/* A larger share is more arithmetic. */
static double nearest_keep(const merging_args *args,
                           const tomevit_description *model, double gmacs)
{
    double low = 0, high = 1;

    for (int i = 0; i < 24; i++) {
        double middle = (low + high) / 2;
        if (gmacs_at(args, model, middle) < gmacs)
            low = middle;
        else
            high = middle;
    }
    double below = gmacs_at(args, model, low);
    double above = gmacs_at(args, model, high);
    return below < 0 || above - gmacs <= gmacs - below ? high : low;
}

/* Of the targets in a file of counts the nearest. */
static int resolve_target(const merging_args *args,
                          const tomevit_description *model, double gmacs,
                          merging_run *run, char *why)
{
    char target[METHOD_TARGET], *best = NULL;
    double off = HUGE_VAL;
    merging_args one = *args;
    merging_run tried;

    for (size_t i = 0; method_text_target(args->options, i, target) == 0;
         i++) {
        size_t size = strlen(args->options) + sizeof(target) + 16;
        char *text = memory_zero(size, 1);
        snprintf(text, size, "%s,target=%s", args->options, target);
        one.options = text;
        if (merging_resolve_one(&one, model, 0, &tried, why) != 0) {
            free(text);
            free(best);
            return -1;
        }
        int nearer = fabs(tried.gmacs - gmacs) < off;
        if (nearer)
            off = fabs(tried.gmacs - gmacs);
        merging_run_free(&tried);
        free(nearer ? best : text);
        best = nearer ? text : best;
    }
    if (!best) {
        snprintf(why, ARGS_WHY, "--budget: the file of counts has no targets "
                 "to choose from");
        return -1;
    }
    one.options = best;
    int error = merging_resolve_one(&one, model, 0, run, why);
    run->found = best;
    run->budget = gmacs;
    snprintf(run->label, sizeof(run->label), "%.60s", strrchr(best, ',') + 1);
    return error;
}

int merging_resolve_budget(const merging_args *args,
                           const tomevit_description *model, double gmacs,
                           merging_run *run, char *why)
{
    double knob, all = tomevit_macs(model, NULL) * 1e-9;

    memset(run, 0, sizeof(*run));
    if (tomevit_method_at(args->row)->method == TOMERGE_DIFFRATE &&
        knob_is_set(args->options, "file") &&
        !knob_is_set(args->options, "target"))
        return resolve_target(args, model, gmacs, run, why);
    if (gmacs > all) {
        snprintf(why, ARGS_WHY, "--budget: %g GMACs are more than the %.4g of "
                 "the model with all its tokens", gmacs, all);
        return -1;
    }
    switch (knob_of(args)) {
    case KNOB_NONE:
        snprintf(why, ARGS_WHY, "--budget: --method %s%s%s leaves nothing to "
                 "be turned until a budget is met",
                 tomevit_method_at(args->row)->name,
                 args->options ? " with " : "",
                 args->options ? args->options : "");
        return -1;
    case KNOB_R:
        knob = nearest_r(args, model, gmacs);
        break;
    case KNOB_KEEP:
        knob = nearest_keep(args, model, gmacs);
        break;
    case KNOB_SCALE:
        knob = 0;
        break;
    default:
        knob = 0.9;
    }
    return merging_resolve_knob(args, model, gmacs, knob, run, why);
}
