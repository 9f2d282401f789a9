/* SPDX-License-Identifier: MIT */
/* Members of JSON objects that nobody vouches for: what each of them may be. */
#include "config.h"

#include "json_members.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) > 0;
}

static int is_index(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= INT32_MAX;
}

static int is_text(const json_t *value)
{
    return json_is_string(value);
}

static int is_number(const json_t *value)
{
    return json_is_number(value);
}

static int is_list_of(const json_t *value, int (*is)(const json_t *))
{
    size_t i = 0;

    while (i < json_array_size(value) && is(json_array_get(value, i)))
        i++;
    return json_is_array(value) && i == json_array_size(value);
}

static int is_truth(const json_t *value)
{
    return json_is_boolean(value);
}

static int is_list(const json_t *value)
{
    return json_is_array(value);
}

static int is_counts(const json_t *value)
{
    return json_array_size(value) > 0 && is_list_of(value, is_count);
}

static int is_three(const json_t *value)
{
    return json_array_size(value) == 3 && is_list_of(value, is_number);
}

static int is_texts(const json_t *value)
{
    return is_list_of(value, is_text);
}

static int is_object(const json_t *value)
{
    return json_is_object(value);
}

static const struct {
    enum vit_json_kind kind;
    int (*is)(const json_t *value);
    const char *words;
} kinds[] = {
    {VIT_JSON_COUNT, is_count, "a whole number above 0"},
    {VIT_JSON_INDEX, is_index, "a whole number from 0 to 2147483647"},
    {VIT_JSON_NUMBER, is_number, "a number"},
    {VIT_JSON_TRUTH, is_truth, "true or false"},
    {VIT_JSON_TEXT, is_text, "a text"},
    {VIT_JSON_LIST, is_list, "a list"},
    {VIT_JSON_COUNTS, is_counts, "a list of whole numbers above 0"},
    {VIT_JSON_THREE, is_three, "a list of three numbers"},
    {VIT_JSON_TEXTS, is_texts, "a list of texts"},
    {VIT_JSON_OBJECT, is_object, "an object"},
};

enum {
    KINDS = sizeof(kinds) / sizeof(*kinds),
    LISTS = VIT_JSON_COUNTS | VIT_JSON_THREE | VIT_JSON_TEXTS
};

static int is_one_of(const json_t *value, int allowed)
{
    for (size_t i = 0; i < KINDS; i++)
        if (allowed & (int)kinds[i].kind && kinds[i].is(value))
            return 1;
    return 0;
}

static void say(const char *name, int allowed, const json_t *value,
                char why[VIT_JSON_WHY])
{
    char found[48], expected[120] = "";
    size_t used = 0;

    for (size_t i = 0; i < KINDS && used < sizeof(expected); i++)
        if (allowed & (int)kinds[i].kind)
            used += (size_t)snprintf(expected + used, sizeof(expected) - used,
                                     "%s%s", used ? " or " : "",
                                     kinds[i].words);
    if (json_is_string(value))
        snprintf(found, sizeof(found), "\"%.40s\"", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(found, sizeof(found), "%lld",
                 (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(found, sizeof(found), "%.9g", json_real_value(value));
    else
        snprintf(found, sizeof(found), "%s",
                 json_is_object(value)                      ? "an object"
                 : json_is_array(value) && (allowed & LISTS) ? "another list"
                 : json_is_array(value)                     ? "a list"
                 : json_is_true(value)                      ? "true"
                                                            : "false");
    snprintf(why, VIT_JSON_WHY, "\"%.40s\": expected %.110s, found %s", name,
             expected, found);
}

int tomevit_json_fits(const json_t *object, const vit_json_member *members,
                      char why[VIT_JSON_WHY])
{
    for (; members->name; members++) {
        const json_t *value = json_object_get(object, members->name);

        if (!value || json_is_null(value) ||
            is_one_of(value, members->kinds))
            continue;
        say(members->name, members->kinds, value, why);
        return 0;
    }
    return 1;
}

/* Whether it is the one value that a member may have. */
static int is_only(const json_t *value, const char *only)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    int same = text && !strcmp(text, only);

    free(text);
    return same;
}

const char *tomevit_json_stranger(const json_t *object, const vit_known *known,
                                  enum vit_others others)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(size_t)object, key, value) {
        const vit_known *k = known;
        int fine;

        while (k->name && strcmp(key, k->name))
            k++;
        if (k->name)
            fine = !k->only || is_only(value, k->only);
        else
            fine = others == VIT_OTHERS_ANY ||
                   (others == VIT_OTHERS_OFF && json_is_false(value));
        if (!fine && !json_is_null(value))
            return key;
    }
    return NULL;
}
