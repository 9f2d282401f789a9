/* SPDX-License-Identifier: MIT */
/* What a file beside an image in an archive says that it shows. */
#include "config.h"

#include "label_text.h"

#include "../base/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

char *label_in_json(const char *text, size_t count, char why[LABEL_WHY])
{
    static const char *const keys[] =
        {"cls", "label", "class", "class_id", "target", "wnid", "synset"};
    json_error_t error;
    json_t *root = json_loadb(text, count, 0, &error);
    char number[32] = "";
    char *found = NULL;

    why[0] = '\0';
    if (!root)
        snprintf(why, LABEL_WHY, "expected JSON: %.80s", error.text);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !found; i++) {
        const json_t *value = json_object_get(root, keys[i]);
        if (json_is_string(value))
            found = memory_text(json_string_value(value));
        if (json_is_integer(value)) {
            snprintf(number, sizeof(number), "%lld",
                     (long long)json_integer_value(value));
            found = memory_text(number);
        }
        if (value && !found && !json_is_null(value) && why[0] == '\0')
            snprintf(why, LABEL_WHY, "\"%s\": expected a class's number or "
                     "name", keys[i]);
    }
    json_decref(root);
    return found;
}

char *label_in_text(char *text, char why[LABEL_WHY])
{
    text += strspn(text, " \t\r\n");
    text[strcspn(text, "\r\n")] = '\0';
    snprintf(why, LABEL_WHY, "expected a class's number or name");
    return text[0] != '\0' ? memory_text(text) : NULL;
}
