/* SPDX-License-Identifier: MIT */
/* Options of a method: keys and values. */
#include "config.h"

#include "options.h"

#include "../base/message.h"
#include "../base/real.h"
#include "counts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int one_number(const char *text, double least, double most, int whole,
                      double *value, tomevit_message *why)
{
    if (tomevit_real_read(text, value) == 0 && *value >= least &&
        *value <= most && (!whole || *value == floor(*value)))
        return 0;
    return tomevit_refuse(why, TOMEVIT_EINVAL, "'%.40s' is not a %snumber "
                          "from %g to %g", text, whole ? "whole " : "", least,
                          most);
}

/* "1:2:3", in place. */
static int number_list(char *text, double least, double most, int whole,
                       vit_method_list *list, tomevit_message *why)
{
    list->count = 0;
    for (char *word = text, *end; word; word = end) {
        end = strchr(word, ':');
        if (end)
            *end++ = '\0';
        if (list->count == VIT_METHOD_LAYERS)
            return tomevit_refuse(why, TOMEVIT_EINVAL, "too many values");
        if (one_number(word, least, most, whole, &list->value[list->count++],
                       why) != 0)
            return TOMEVIT_EINVAL;
    }
    return 0;
}

static int read_linkage(const char *text, int *linkage, tomevit_message *why)
{
    static const char *const names[] = {
        [TOMERGE_AVERAGE] = "average", [TOMERGE_COMPLETE] = "complete",
        [TOMERGE_SINGLE] = "single",
    };

    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *linkage = i;
            return 0;
        }
    return tomevit_refuse(why, TOMEVIT_EINVAL, "linkage '%.40s' is not one of "
                          "average, complete, single", text);
}

static int read_pool(const char *text, int *pool, tomevit_message *why)
{
    static const char *const names[] = {
        [VIT_POOL_OF_IMPORTANCE] = "importance", [VIT_POOL_OF_SIZE] = "size",
        [VIT_POOL_OF_MEAN] = "mean",
    };

    for (int i = VIT_POOL_OF_IMPORTANCE; i <= VIT_POOL_OF_MEAN; i++)
        if (strcmp(text, names[i]) == 0) {
            *pool = i;
            return 0;
        }
    return tomevit_refuse(why, TOMEVIT_EINVAL, "pool '%.40s' is not one of "
                          "importance, size, mean", text);
}

static int read_tau(char *text, vit_method_list *tau, tomevit_message *why)
{
    if (number_list(text, 0, 1e6, 0, tau, why) != 0)
        return TOMEVIT_EINVAL;
    if (tau->count == 3)
        return 0;
    return tomevit_refuse(why, TOMEVIT_EINVAL, "tau is three numbers, of "
                          "similarity, importance and size, such as 1:20:40");
}

static int read_value(const char *key, char *value, vit_method_options *o,
                      vit_counts_of *counts, tomevit_message *why)
{
    const double most = 1e6;

    if (strcmp(key, "layers") == 0)
        return number_list(value, 0, VIT_METHOD_LAYERS - 1, 1, &o->layers, why);
    if (strcmp(key, "prune") == 0)
        return number_list(value, 1, most, 1, &o->prune, why);
    if (strcmp(key, "merge") == 0)
        return number_list(value, 1, most, 1, &o->merge, why);
    if (strcmp(key, "threshold") == 0)
        return number_list(value, -10, VIT_METHOD_UNBOUNDED, 0, &o->threshold,
                           why);
    if (strcmp(key, "cutoff") == 0)
        return number_list(value, 0, most, 0, &o->cutoff, why);
    if (strcmp(key, "keep") == 0)
        return one_number(value, 0, 1, 0, &o->keep, why);
    if (strcmp(key, "margin") == 0)
        return one_number(value, -1, 1, 0, &o->margin, why);
    if (strcmp(key, "fuse") == 0)
        return one_number(value, 0, 1, 1, &o->fuse, why);
    if (strcmp(key, "tile") == 0)
        return one_number(value, 1, 1000, 1, &o->tile, why);
    if (strcmp(key, "ahead") == 0)
        return one_number(value, 0, 2, 1, &o->ahead, why);
    if (strcmp(key, "ways") == 0)
        return one_number(value, 1, 2, 1, &o->ways, why);
    if (strcmp(key, "prop") == 0)
        return one_number(value, 0, 1, 1, &o->prop, why);
    if (strcmp(key, "tau") == 0)
        return read_tau(value, &o->tau, why);
    if (strcmp(key, "pool") == 0)
        return read_pool(value, &o->pool, why);
    if (strcmp(key, "linkage") == 0)
        return read_linkage(value, &o->linkage, why);
    if (strcmp(key, "file") == 0)
        counts->file = value;
    else if (strcmp(key, "model") == 0)
        counts->model = value;
    else
        counts->target = value;
    return 0;
}

static int allows(const char *allowed, const char *key)
{
    size_t length = strlen(key);

    for (const char *at = allowed; length && *at; at += strcspn(at, " ")) {
        at += strspn(at, " ");
        if (strncmp(at, key, length) == 0 && strcspn(at, " ") == length)
            return 1;
    }
    return 0;
}

/* ---- all ----------------------------------------------------------------- */

static int read_all(char *text, const char *method, const char *allowed,
                    vit_method_options *o, tomevit_message *why)
{
    vit_counts_of counts = {NULL, NULL, NULL};

    for (char *word = text, *end; word; word = end) {
        char *value = strchr(word, '=');

        end = strchr(word, ',');
        if (end)
            *end++ = '\0';
        if (value && (!end || value < end))
            *value++ = '\0';
        else
            value = NULL;
        if (!allows(allowed, word))
            return tomevit_refuse(why, TOMEVIT_EINVAL, "'%.40s' is no option "
                                  "of method %s, which has%s%s", word, method,
                                  allowed[0] ? ": " : " none", allowed);
        if (!value)
            return tomevit_refuse(why, TOMEVIT_EINVAL, "'%.40s' has no value",
                                  word);
        if (read_value(word, value, o, &counts, why) != 0)
            return TOMEVIT_EINVAL;
    }
    if (counts.file)
        return tomevit_counts_read(&counts, &o->prune, &o->merge, why);
    if (counts.model || counts.target)
        return tomevit_refuse(why, TOMEVIT_EINVAL, "model and target are "
                              "names in a file of counts: give file=FILE, too");
    return 0;
}

int tomevit_method_options_read(const char *text, const char *method,
                                const char *allowed,
                                vit_method_options *options,
                                tomevit_message *why)
{
    char *copy;
    int result;

    memset(options, 0, sizeof(*options));
    options->keep = options->margin = options->fuse = options->tile =
        options->ahead = options->ways = options->prop = (double)NAN;
    options->linkage = -1;
    if (!text)
        return 0;
    copy = strdup(text);
    if (!copy)
        return tomevit_refuse(why, TOMEVIT_ENOMEM, "out of memory");
    result = read_all(copy, method, allowed, options, why);
    free(copy);
    return result;
}
