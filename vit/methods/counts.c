/* SPDX-License-Identifier: MIT */
/* A file of counts for each layer, in DiffRate's own format. */
#include "config.h"

#include "counts.h"

#include "../base/message.h"
#include "../containers/json.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 16 << 20, DEPTH = 16 };

static int load(const char *path, json_t **root, tomevit_message *why)
{
    json_error_t error;
    size_t length;
    char *text;
    int code = tomevit_method_file(path, MOST, &text, &length, why);

    if (code != 0)
        return code;
    *root = tomevit_json_parse(text, length, DEPTH, &error);
    free(text);
    if (json_is_object(*root))
        return 0;
    code = tomevit_refuse(why, TOMEVIT_EFORMAT, "%.80s: %.100s", path,
                          *root ? "no JSON object" : error.text);
    json_decref(*root);
    return code;
}

/* The member of a name, or the only one there is; NULL with a line in why. */
static json_t *member(json_t *object, const char *name, const char *key,
                      tomevit_message *why)
{
    json_t *found = NULL;

    if (name)
        found = json_object_get(object, name);
    else if (json_object_size(object) == 1)
        found = json_object_iter_value(json_object_iter(object));
    if (json_is_object(found))
        return found;
    if (name)
        tomevit_refuse(why, 0, "%s=%.60s is not in the file", key, name);
    else
        tomevit_refuse(why, 0, "the file holds %s than one %s: say which by "
                       "%s=NAME", json_object_size(object) ? "more" : "less",
                       key, key);
    return NULL;
}

/* "[197,196]" or [197, 196]; "None" or nothing: no list. */
static int read_list(json_t *value, vit_method_list *list,
                     tomevit_message *why)
{
    const char *written = json_string_value(value);
    json_error_t error;
    json_t *array;
    int bad = 0;

    list->count = 0;
    if (!value || json_is_null(value) ||
        (written && strcmp(written, "None") == 0))
        return 0;
    array = written ? tomevit_json_parse(written, strlen(written), 2, &error)
                    : json_incref(value);
    for (size_t i = 0; i < json_array_size(array) && i < VIT_METHOD_LAYERS;
         i++) {
        json_int_t kept = json_integer_value(json_array_get(array, i));

        bad |= kept < 1 || kept > 1000000;
        list->value[list->count++] = (double)kept;
    }
    if (json_array_size(array) == 0 ||
        json_array_size(array) > VIT_METHOD_LAYERS)
        bad = 1;
    json_decref(array);
    return !bad ? 0 : tomevit_refuse(why, TOMEVIT_EINVAL, "the file's counts "
                                     "are not a list of whole numbers from 1 "
                                     "on");
}

int tomevit_counts_read(const vit_counts_of *counts, vit_method_list *prune,
                        vit_method_list *merge, tomevit_message *why)
{
    static const char key[] = "merge_kept_num";
    json_t *root, *found;
    int code = load(counts->file, &root, why);

    if (code != 0)
        return code;
    found = json_object_get(root, key) ? root
                : member(root, counts->model, "model", why);
    if (found && !json_object_get(found, key))
        found = member(found, counts->target, "target", why);
    if (!found)
        code = TOMEVIT_EINVAL; /* which has been said */
    else if (!json_object_get(found, key))
        code = tomevit_refuse(why, TOMEVIT_EINVAL, "%.80s has no \"%s\" there",
                              counts->file, key);
    else if ((code = read_list(json_object_get(found, "prune_kept_num"), prune,
                               why)) == 0)
        code = read_list(json_object_get(found, key), merge, why);
    if (code == 0 && prune->count + merge->count == 0)
        code = tomevit_refuse(why, TOMEVIT_EINVAL, "%.80s gives no counts: "
                              "both lists are None", counts->file);
    json_decref(root);
    return code;
}
