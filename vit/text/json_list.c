/* SPDX-License-Identifier: MIT */
/* A list in a JSON text, one element after the other; see json_list.h. */
#include "config.h"

#include "json_list.h"

#include <string.h>

static size_t skip_white(const char *text, size_t count, size_t at)
{
    while (at < count && (text[at] == ' ' || text[at] == '\n' ||
                          text[at] == '\r' || text[at] == '\t'))
        at++;
    return at;
}

/* Behind the string that begins at `at`, or the end of the text. */
static size_t skip_string(const char *text, size_t count, size_t at)
{
    for (at++; at < count && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at < count ? at + 1 : count;
}

/* Where brackets close that are open, or at a comma where none is open. */
static size_t element_end(const char *text, size_t count, size_t at)
{
    size_t open = 0;

    while (at < count) {
        char c = text[at];

        if (c == '"') {
            at = skip_string(text, count, at);
            continue;
        }
        if ((c == ',' || c == ']' || c == '}') && open == 0)
            break;
        open += c == '[' || c == '{';
        open -= c == ']' || c == '}';
        at++;
    }
    return at;
}

static int same(const char *text, size_t from, size_t end, const char *name)
{
    return end - from == strlen(name) + 2 &&
           memcmp(text + from + 1, name, strlen(name)) == 0;
}

/* Behind the brackets, with commas between its elements. */
static vit_json_list list_from(const char *text, size_t count, size_t from)
{
    size_t end = from;

    while (end < count) {
        end = element_end(text, count, end);
        if (end < count && text[end] != ',')
            break;
        end += end < count;
    }
    return end < count ? (vit_json_list){.text = text + from,
                                         .count = end - from}
                       : (vit_json_list){0};
}

vit_json_list tomevit_json_list(const char *text, size_t count)
{
    size_t depth = 0, at = 0, end, value;
    int in_model = 0;

    while (at < count) {
        if (text[at] != '"') {
            depth += text[at] == '{' || text[at] == '[';
            depth -= depth && (text[at] == '}' || text[at] == ']');
            in_model = in_model && depth > 1;
            at++;
            continue;
        }
        end = skip_string(text, count, at);
        value = skip_white(text, count, end);
        if (value < count && text[value] == ':') {
            value = skip_white(text, count, value + 1);
            if (depth == 2 && in_model && value < count &&
                text[value] == '[' && same(text, at, end, "merges"))
                return list_from(text, count, value + 1);
            if (depth == 1 && value < count && text[value] == '{' &&
                same(text, at, end, "model")) {
                in_model = 1;
                depth = 2;
                value++;
            }
            end = value;
        }
        at = end;
    }
    return (vit_json_list){0};
}

int tomevit_json_next(vit_json_list *list, json_t **element)
{
    size_t at = skip_white(list->text, list->count, list->at), end;
    json_error_t error;

    *element = NULL;
    if (at == list->count)
        return 0;
    if (list->taken && list->text[at++] != ',')
        return -1;
    end = element_end(list->text, list->count, at);
    if (end - at > VIT_ELEMENT_BYTES)
        return -1;
    *element = json_loadb(list->text + at, end - at,
                          JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    list->at = end;
    list->taken += *element != NULL;
    return *element ? 1 : -1;
}
