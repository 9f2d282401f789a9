/* SPDX-License-Identifier: MIT */
/* --method-options: keys and values. */
#include "method_options.h"

#include "../base/args.h"
#include "../base/memory.h"
#include "../base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "tomerge.h"

/* Where a file's counts are: of which model, for which arithmetic. */
typedef struct counts_of {
    const char *file, *model, *target;
} counts_of;

static int one_number(const char *text, double least, double most, int whole,
                      double *value, char *why)
{
    if (args_real(text, value) == 0 && *value >= least && *value <= most &&
        (!whole || *value == floor(*value)))
        return 0;
    snprintf(why, ARGS_WHY, "--method-options: '%.40s' is not a %snumber from "
             "%g to %g", text, whole ? "whole " : "", least, most);
    return -1;
}

/* "1:2:3", in place. */
static int number_list(char *text, double least, double most, int whole,
                       method_list *list, char *why)
{
    list->count = 0;
    for (char *word = text, *end; word; word = end) {
        end = strchr(word, ':');
        if (end)
            *end++ = '\0';
        if (list->count == METHOD_LAYERS) {
            snprintf(why, ARGS_WHY, "--method-options: too many values");
            return -1;
        }
        if (one_number(word, least, most, whole, &list->value[list->count++],
                       why) != 0)
            return -1;
    }
    return 0;
}

static int read_linkage(const char *text, int *linkage, char *why)
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
    snprintf(why, ARGS_WHY, "--method-options: linkage '%.40s' is not one of "
             "average, complete, single", text);
    return -1;
}

static int read_pool(const char *text, int *pool, char *why)
{
    static const char *const names[] = {
        [METHOD_POOL_IMPORTANCE] = "importance", [METHOD_POOL_SIZE] = "size",
        [METHOD_POOL_MEAN] = "mean",
    };

    for (int i = METHOD_POOL_IMPORTANCE; i <= METHOD_POOL_MEAN; i++)
        if (strcmp(text, names[i]) == 0) {
            *pool = i;
            return 0;
        }
    snprintf(why, ARGS_WHY, "--method-options: pool '%.40s' is not one of "
             "importance, size, mean", text);
    return -1;
}

static int read_tau(char *text, method_list *tau, char *why)
{
    if (number_list(text, 0, 1e6, 0, tau, why) != 0)
        return -1;
    if (tau->count == 3)
        return 0;
    snprintf(why, ARGS_WHY, "--method-options: tau is three numbers, of "
             "similarity, importance and size, such as 1:20:40");
    return -1;
}

static int read_value(const char *key, char *value, method_options *o,
                      counts_of *counts, char *why)
{
    const double most = 1e6;

    if (strcmp(key, "layers") == 0)
        return number_list(value, 0, METHOD_LAYERS - 1, 1, &o->layers, why);
    if (strcmp(key, "prune") == 0)
        return number_list(value, 1, most, 1, &o->prune, why);
    if (strcmp(key, "merge") == 0)
        return number_list(value, 1, most, 1, &o->merge, why);
    if (strcmp(key, "threshold") == 0)
        return number_list(value, -10, METHOD_UNBOUNDED, 0, &o->threshold, why);
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

/* ---- a file of counts, in DiffRate's own format -------------------------- */

/* The member of a name, or the only one there is. */
static json_t *member(json_t *object, const char *name, const char *key,
                      char *why)
{
    json_t *found = NULL;

    if (name)
        found = json_object_get(object, name);
    else if (json_object_size(object) == 1)
        found = json_object_iter_value(json_object_iter(object));
    if (json_is_object(found))
        return found;
    if (name)
        snprintf(why, ARGS_WHY, "--method-options: %s=%.60s is not in the "
                 "file", key, name);
    else
        snprintf(why, ARGS_WHY, "--method-options: the file holds %s than one "
                 "%s: say which by %s=NAME", json_object_size(object)
                 ? "more" : "less", key, key);
    return NULL;
}

/* "[197,196]" or [197, 196]; "None" or nothing: no list. */
static int file_list(json_t *value, method_list *list, char *why)
{
    const char *written = json_string_value(value);
    json_t *array;
    int result = 0;

    list->count = 0;
    if (!value || json_is_null(value) ||
        (written && strcmp(written, "None") == 0))
        return 0;
    array = written ? json_loads(written, 0, NULL) : json_incref(value);
    for (size_t i = 0; i < json_array_size(array) && i < METHOD_LAYERS; i++) {
        json_int_t kept = json_integer_value(json_array_get(array, i));

        result |= kept < 1 || kept > 1000000;
        list->value[list->count++] = (double)kept;
    }
    if (result || json_array_size(array) == 0 ||
        json_array_size(array) > METHOD_LAYERS) {
        snprintf(why, ARGS_WHY, "--method-options: the file's counts are not a "
                 "list of whole numbers from 1 on");
        result = -1;
    }
    json_decref(array);
    return result;
}

static int read_counts(const counts_of *counts, method_options *o, char *why)
{
    json_error_t error;
    json_t *root = text_load_json(counts->file, &error), *found;
    int result = -1;

    if (!json_is_object(root)) {
        snprintf(why, ARGS_WHY, "--method-options: %.80s: %.100s", counts->file,
                 root ? "no JSON object" : error.text);
        json_decref(root);
        return -1;
    }
    found = json_object_get(root, "merge_kept_num") ? root
                : member(root, counts->model, "model", why);
    if (found && !json_object_get(found, "merge_kept_num"))
        found = member(found, counts->target, "target", why);
    if (found && !json_object_get(found, "merge_kept_num"))
        snprintf(why, ARGS_WHY, "--method-options: %.80s has no "
                 "\"merge_kept_num\" there", counts->file);
    else if (found)
        result = file_list(json_object_get(found, "prune_kept_num"), &o->prune,
                           why) |
                 file_list(json_object_get(found, "merge_kept_num"), &o->merge,
                           why);
    if (result == 0 && o->prune.count + o->merge.count == 0) {
        snprintf(why, ARGS_WHY, "--method-options: %.80s gives no counts: both "
                 "lists are None", counts->file);
        result = -1;
    }
    json_decref(root);
    return result;
}

/* ---- all ----------------------------------------------------------------- */

static int read_all(char *text, const char *method, const char *allowed,
                    method_options *o, char *why)
{
    counts_of counts = {NULL, NULL, NULL};

    for (char *word = text, *end; word; word = end) {
        char *value = strchr(word, '=');

        end = strchr(word, ',');
        if (end)
            *end++ = '\0';
        if (value && (!end || value < end))
            *value++ = '\0';
        else
            value = NULL;
        if (!allows(allowed, word)) {
            snprintf(why, ARGS_WHY, "--method-options: '%.40s' is no option of "
                     "--method %s, which has%s%s", word, method,
                     allowed[0] ? ": " : " none", allowed);
            return -1;
        }
        if (!value) {
            snprintf(why, ARGS_WHY, "--method-options: '%.40s' has no value",
                     word);
            return -1;
        }
        if (read_value(word, value, o, &counts, why) != 0)
            return -1;
    }
    if (counts.file)
        return read_counts(&counts, o, why);
    if (counts.model || counts.target) {
        snprintf(why, ARGS_WHY, "--method-options: model and target are names "
                 "in a file of counts: give file=FILE, too");
        return -1;
    }
    return 0;
}

int method_options_read(const char *text, const char *method,
                        const char *allowed, method_options *options,
                        char *why)
{
    char *copy;
    int result;

    memset(options, 0, sizeof(*options));
    options->keep = options->margin = options->fuse = options->tile =
        options->ahead = options->ways = options->prop = (double)NAN;
    options->linkage = -1;
    if (!text)
        return 0;
    copy = memory_text(text);
    result = read_all(copy, method, allowed, options, why);
    free(copy);
    return result;
}

/* The value of a key, to be freed, or NULL. */
static char *value_of(const char *text, const char *key)
{
    size_t length = strlen(key);

    for (const char *at = text; at && *at; at += strcspn(at, ",")) {
        at += *at == ',';
        if (strncmp(at, key, length) != 0 || at[length] != '=')
            continue;
        char *value = memory_text(at + length + 1);
        value[strcspn(value, ",")] = '\0';
        return value;
    }
    return NULL;
}

char *method_options_file(const char *text)
{
    return value_of(text, "file");
}

int method_options_target(const char *text, size_t index,
                          char name[METHOD_TARGET])
{
    char *file = value_of(text, "file"), *model = value_of(text, "model");
    json_error_t error;
    json_t *root = file ? text_load_json(file, &error) : NULL;
    json_t *found, *value;
    char why[ARGS_WHY];
    const char *key;
    int result = -1;

    found = json_is_object(root) ? member(root, model, "model", why) : NULL;
    json_object_foreach(found, key, value)
        if (index-- == 0 && strlen(key) < METHOD_TARGET) {
            strcpy(name, key);
            result = 0;
            break;
        }
    json_decref(root);
    free(file);
    free(model);
    return result;
}
