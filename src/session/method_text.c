/* SPDX-License-Identifier: MIT */
/* What the text of --method-options names, before it is read. */
#include "method_text.h"

#include "../base/memory.h"
#include "../base/text.h"

#include <stdlib.h>
#include <string.h>

char *method_text_value(const char *text, const char *key)
{
    size_t length = strlen(key);
    char *value = NULL;

    for (const char *at = text; at && *at; at += strcspn(at, ",")) {
        at += *at == ',';
        if (strncmp(at, key, length) != 0 || at[length] != '=')
            continue;
        free(value);
        value = memory_text(at + length + 1);
        value[strcspn(value, ",")] = '\0';
    }
    return value;
}

char *method_text_without(const char *text, const char *key)
{
    char *left = memory_zero(strlen(text) + 1, 1), *to = left;

    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ","), named = strcspn(at, "=,");

        if (named != strlen(key) || strncmp(at, key, named) != 0) {
            if (to > left)
                *to++ = ',';
            memcpy(to, at, length);
            to += length;
        }
        at += length + (at[length] == ',');
    }
    if (to > left)
        return left;
    free(left);
    return NULL;
}

/* Of the models in a file of counts the named one, or the only one. */
static json_t *model_in(json_t *root, const char *name)
{
    if (name)
        return json_object_get(root, name);
    return json_object_size(root) == 1
        ? json_object_iter_value(json_object_iter(root)) : NULL;
}

int method_text_target(const char *text, size_t index,
                       char name[METHOD_TARGET])
{
    char *file = method_text_value(text, "file");
    char *model = method_text_value(text, "model");
    json_error_t error;
    json_t *root = file ? text_load_json(file, &error) : NULL, *value;
    const char *key;
    int result = -1;

    json_object_foreach(model_in(root, model), key, value)
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
