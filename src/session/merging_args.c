/* SPDX-License-Identifier: MIT */
/* How tokens merge: the option values. */
#include "merging_args.h"

#include "../base/args.h"
#include "../base/memory.h"
#include "schedule_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_R = 1000000, MAX_ENTRIES = 4096 };

static const char *const kind_options[] = {
    NULL, "--r", "--schedule", "--merge-ratio"
};

void merging_args_init(merging_args *args)
{
    memset(args, 0, sizeof(*args));
    args->method = TOMERGE_ALTERNATING;
    args->similarity = TOMERGE_COSINE;
    args->combine = args->metric = args->prop_attn = -1;
    args->rope_merge = TOMEVIT_ROPE_MEAN;
    args->ema_merge = TOMEVIT_EMA_UNMERGE;
    args->stride = 2;
}

void merging_args_free(merging_args *args)
{
    for (size_t i = 0; i < args->method_count; i++) {
        free(args->methods[i].text);
        free(args->methods[i].options);
        free(args->methods[i].said);
    }
    free(args->methods);
    free(args->budgets);
    free(args->entries);
    free(args->from_file);
    args->from_file = NULL;
    args->methods = NULL;
    args->file = NULL;
    args->entries = NULL;
    args->budgets = NULL;
    args->count = args->method_count = args->budget_count = 0;
}

/* ---- one entry ----------------------------------------------------------- */

static int entry_r(const char *text, merging_entry *entry, char *why)
{
    char number[32];
    size_t length = strcspn(text, ":");

    snprintf(number, sizeof(number), "%.*s", (int)(length < 31 ? length : 31),
             text);
    entry->inflection = 0;
    if (args_size(number, &entry->r) != 0 || entry->r > MAX_R) {
        snprintf(why, ARGS_WHY, "'%.40s' is not N or N:INFLECTION with N a "
                 "whole number up to %d", text, MAX_R);
        return -1;
    }
    if (text[length] == '\0')
        return 0;
    if (args_real(text + length + 1, &entry->inflection) != 0 ||
        entry->inflection < -1 || entry->inflection > 1) {
        snprintf(why, ARGS_WHY,
                 "the inflection '%.40s' of '%.60s' is not a number from -1 "
                 "to 1", text + length + 1, text);
        return -1;
    }
    return 0;
}

static int entry_layer(const char *text, merging_entry *entry, char *why)
{
    if (args_size(text, &entry->r) == 0 && entry->r <= MAX_R)
        return 0;
    snprintf(why, ARGS_WHY, "'%.40s' is not a whole number up to %d (r of one "
             "layer)", text, MAX_R);
    return -1;
}

static int entry_ratio(const char *text, merging_entry *entry, char *why)
{
    if (args_real(text, &entry->ratio) == 0 && entry->ratio >= 0 &&
        entry->ratio < 1)
        return 0;
    snprintf(why, ARGS_WHY, "'%.40s' is not a ratio from 0 to below 1", text);
    return -1;
}

/* ---- comma-separated entries --------------------------------------------- */

typedef int entry_parser(const char *text, merging_entry *entry, char *why);

static int parse_entries(const char *text, merging_args *args, int kind,
                         size_t most, entry_parser *parse, char *why)
{
    merging_entry *entries = NULL;
    size_t count = 0, capacity = 0;
    char *copy = memory_text(text), *word = copy;
    int result = -1;

    if (args->kind != MERGING_UNSET && args->kind != kind) {
        snprintf(why, ARGS_WHY, "cannot be combined with %s",
                 kind_options[args->kind]);
        goto done;
    }
    for (;;) {
        char *comma = strchr(word, ',');
        if (comma)
            *comma = '\0';
        if (count == most) {
            snprintf(why, ARGS_WHY, most == 1
                     ? "'%.80s' holds more than one value; lists are for "
                       "'tomerge sweep' and 'tomerge bench'"
                     : "'%.80s' holds too many values", text);
            goto done;
        }
        entries = memory_grow(entries, count, &capacity, sizeof(*entries));
        memset(&entries[count], 0, sizeof(*entries));
        if (parse(word, &entries[count], why) != 0)
            goto done;
        count++;
        if (!comma)
            break;
        word = comma + 1;
    }
    free(args->entries);
    args->entries = entries;
    args->count = count;
    args->kind = kind;
    entries = NULL;
    result = 0;
done:
    free(entries);
    free(copy);
    return result;
}

int merging_parse_r(const char *text, void *args, char *why)
{
    return parse_entries(text, args, MERGING_R, 1, entry_r, why);
}

int merging_parse_r_list(const char *text, void *args, char *why)
{
    return parse_entries(text, args, MERGING_R, MAX_ENTRIES, entry_r, why);
}

int merging_parse_schedule(const char *text, void *args, char *why)
{
    char *list = NULL;

    if (text[0] == '@' && (list = schedule_file_read(text + 1, why)) == NULL)
        return -1;
    int result = parse_entries(list ? list : text, args,
                               MERGING_SCHEDULE, MAX_ENTRIES, entry_layer,
                               why);
    free(list);
    return result;
}

int merging_parse_ratio(const char *text, void *args, char *why)
{
    return parse_entries(text, args, MERGING_RATIO, 1, entry_ratio, why);
}

int merging_parse_ratio_list(const char *text, void *args, char *why)
{
    return parse_entries(text, args, MERGING_RATIO, MAX_ENTRIES, entry_ratio,
                         why);
}

void merging_args_default(merging_args *args, const char *text)
{
    char why[ARGS_WHY];
    int takes = args->method_count == 0 && !merging_decides(args);

    for (size_t i = 0; i < args->method_count; i++) {
        merging_args one = merging_of_method(args, i);
        takes |= !merging_decides(&one);
    }
    if (args->kind == MERGING_UNSET && takes && args->budget_count == 0)
        merging_parse_r_list(text, args, why);
}

/* ---- names --------------------------------------------------------------- */

int merging_parse_similarity(const char *text, void *args, char *why)
{
    return args_name(text, &((merging_args *)args)->similarity,
                     tomerge_similarity_from_name, tomerge_similarity_name,
                     why);
}

int merging_parse_combine(const char *text, void *args, char *why)
{
    return args_name(text, &((merging_args *)args)->combine,
                     tomerge_combine_from_name, tomerge_combine_name, why);
}

int merging_parse_metric(const char *text, void *args, char *why)
{
    return args_name(text, &((merging_args *)args)->metric,
                     tomevit_metric_from_name, tomevit_metric_name, why);
}

int merging_parse_rope_merge(const char *text, void *args, char *why)
{
    return args_name(text, &((merging_args *)args)->rope_merge,
                     tomevit_rope_merge_from_name, tomevit_rope_merge_name,
                     why);
}

int merging_parse_ema_merge(const char *text, void *args, char *why)
{
    return args_name(text, &((merging_args *)args)->ema_merge,
                     tomevit_ema_merge_from_name, tomevit_ema_merge_name, why);
}

int merging_parse_prop_attn(const char *text, void *args, char *why)
{
    int on = strcmp(text, "on") == 0;
    if (!on && strcmp(text, "off") != 0) {
        snprintf(why, ARGS_WHY, "'%.40s' is not one of on, off", text);
        return -1;
    }
    ((merging_args *)args)->prop_attn = on;
    return 0;
}

int merging_parse_seed(const char *text, void *args, char *why)
{
    size_t seed;
    if (args_size(text, &seed) != 0) {
        snprintf(why, ARGS_WHY, "'%.40s' is not a whole number", text);
        return -1;
    }
    ((merging_args *)args)->seed = seed;
    return 0;
}
