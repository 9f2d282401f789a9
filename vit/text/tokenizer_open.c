/* SPDX-License-Identifier: MIT */
/* Which file a tokenizer is in, and what kind it is. */
#include "config.h"

#include "tokenizer.h"
#include "../containers/json.h"
#include "../containers/json_members.h"
#include "../containers/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum {
    MOST_BYTES = 96 << 20, MOST_CONFIG = 1 << 20, DEPTH = 16, PATH = 4096
};

/* ---- bytes of a file ----------------------------------------------------- */

/* All of a gzip file. */
static int inflate_all(const vit_mapping *from, char **bytes, size_t *count,
                       const vit_report *report)
{
    z_stream z;
    size_t room = 1 << 16, used = 0;
    int state = Z_OK;

    memset(&z, 0, sizeof(z));
    if (from->count > MOST_BYTES || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    z.next_in = (z_const Bytef *)(size_t)from->bytes;
    z.avail_in = (uInt)from->count;
    while (state == Z_OK && room <= MOST_BYTES) {
        char *more = realloc(*bytes, room *= 2);

        if (!more) {
            state = Z_MEM_ERROR;
            break;
        }
        *bytes = more;
        z.next_out = (Bytef *)more + used;
        z.avail_out = (uInt)(room - used);
        state = inflate(&z, Z_NO_FLUSH);
        used = room - z.avail_out;
    }
    inflateEnd(&z);
    *count = used;
    if (state == Z_MEM_ERROR)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    return state == Z_STREAM_END ? 0
        : tomevit_fail(report, TOMEVIT_EFORMAT, "expected gzip of at most %d "
                       "bytes, found a damaged or a longer one", MOST_BYTES);
}

static int read_file(const char *path, char **bytes, size_t *count,
                     tomevit_message *why)
{
    vit_report report = {path, why};
    vit_mapping map = {0};
    int code = tomevit_map(&map, &report);

    *bytes = NULL;
    *count = 0;
    if (code)
        return code;
    if (map.count > 2 && map.bytes[0] == 0x1f && map.bytes[1] == 0x8b) {
        code = inflate_all(&map, bytes, count, &report);
    } else if (map.count > MOST_BYTES) {
        code = tomevit_fail(&report, TOMEVIT_EFORMAT, "expected at most %d "
                            "bytes, found %zu", MOST_BYTES, map.count);
    } else {
        *bytes = malloc(map.count + 1);
        if (!*bytes)
            code = tomevit_fail(&report, TOMEVIT_ENOMEM, "out of memory");
        else
            memcpy(*bytes, map.bytes, *count = map.count);
    }
    tomevit_unmap(&map);
    if (code) {
        free(*bytes);
        *bytes = NULL;
    }
    return code;
}

/* ---- kinds --------------------------------------------------------------- */

static json_t *parse(const char *bytes, size_t count, const vit_report *report)
{
    json_error_t error;
    json_t *json = tomevit_json_parse(bytes, count, DEPTH, &error);

    if (!json)
        tomevit_fail(report, TOMEVIT_EFORMAT, "expected a tokenizer's JSON: %s",
                     error.text);
    return json;
}

/* The merges apart from all else. */
static int fill_json(vit_tokenizer *t, const char *bytes, size_t count,
                     const vit_report *report)
{
    vit_json_list merges = tomevit_json_list(bytes, count);
    size_t before = merges.text ? (size_t)(merges.text - bytes) : count;
    char *rest = NULL;
    json_t *json;
    int code = TOMEVIT_EFORMAT;

    if (merges.text) {
        rest = malloc(count - merges.count);
        if (!rest)
            return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
        memcpy(rest, bytes, before);
        memcpy(rest + before, bytes + before + merges.count,
               count - before - merges.count);
    }
    json = parse(rest ? rest : bytes, count - merges.count, report);
    free(rest);
    if (json)
        code = tomevit_tokenizer_json(t, json, &merges, report);
    json_decref(json);
    return code;
}

/* vocab.json, and the merges beside it. */
static int fill_vocab(vit_tokenizer *t, const char *bytes, size_t count,
                      const char *path, const vit_report *report)
{
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash + 1 - path) : 0;
    char beside[PATH], *merges;
    size_t length;
    json_t *json;
    int code;

    snprintf(beside, sizeof(beside), "%.*smerges.txt", folder, path);
    code = read_file(beside, &merges, &length, report->why);
    if (code)
        return code;
    json = parse(bytes, count, report);
    code = json ? tomevit_tokenizer_vocab(t, json, merges, length, report)
                : TOMEVIT_EFORMAT;
    json_decref(json);
    free(merges);
    return code;
}

/* By what the file is, not by how it is called. */
static int fill(vit_tokenizer *t, const char *bytes, size_t count,
                const char *path, const vit_report *report)
{
    const char *name = strrchr(path, '/');
    size_t i = 0;

    name = name ? name + 1 : path;
    while (i < count && (bytes[i] == ' ' || bytes[i] == '\n' ||
                         bytes[i] == '\r' || bytes[i] == '\t'))
        i++;
    if (i == count || bytes[i] != '{') {
        if (count > 1 && bytes[0] == '\n' && strstr(name, ".model"))
            return tomevit_fail(report, TOMEVIT_EMODEL, "SentencePiece's own "
                                "format is not read: give a tokenizer.json of "
                                "it (--tokenizer)");
        return tomevit_tokenizer_merges(t, bytes, count, report);
    }
    return strcmp(name, "vocab.json") == 0
        ? fill_vocab(t, bytes, count, path, report)
        : fill_json(t, bytes, count, report);
}

/* ---- what transformers says beside it ------------------------------------ */

static int32_t number_of(const vit_tokenizer *t, const char *text)
{
    for (size_t i = 0; i < t->special_count; i++)
        if (strlen(text) == t->specials[i].length &&
            memcmp(t->specials[i].text, text, t->specials[i].length) == 0)
            return t->specials[i].id;
    return tomevit_vocabulary_find(&t->words, text, strlen(text));
}

static enum vit_tokenizer_class class_of(const char *name)
{
    static const struct {
        const char *name;
        enum vit_tokenizer_class named;
    } known[] = {
        {"SiglipTokenizer", VIT_CLASS_SIGLIP},
        {"Siglip2Tokenizer", VIT_CLASS_SIGLIP2},
        {"GemmaTokenizer", VIT_CLASS_GEMMA},
        {"GemmaTokenizerFast", VIT_CLASS_GEMMA},
    };

    for (size_t i = 0; name && i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].named;
    return VIT_CLASS_OTHER;
}

static const char *token_of(const json_t *json, const char *key)
{
    const json_t *token = json_object_get(json, key);

    return json_string_value(json_is_object(token)
                                 ? json_object_get(token, "content") : token);
}

/* Do texts begin, or end, as the configuration says, if it says anything? */
static int end_is(const vit_tokenizer *t, const json_t *json, int after)
{
    const json_t *added = json_object_get(json, after ? "add_eos_token"
                                                      : "add_bos_token");
    const char *name = token_of(json, after ? "eos_token" : "bos_token");
    size_t count = after ? t->after_count : t->before_count;

    if (!json_is_true(added))
        return !json_is_false(added) || count == 0;
    return count == 1 && name &&
           (after ? t->after : t->before)[0] == number_of(t, name);
}

/* What transformers does for its tokenizers of Gemma's kind: pads come first
 * if nothing is said. Version 4 asked this file how texts end, version 5 asks
 * tokenizer.json: they have to agree. */
static int read_gemma(vit_tokenizer *t, const json_t *json,
                      const vit_report *report)
{
    const char *side = json_string_value(json_object_get(json,
                                                         "padding_side"));

    t->lower_case = json_is_true(json_object_get(json, "do_lower_case"));
    t->pad_left = side ? strcmp(side, "right") != 0 : t->pad < 0 || t->pad_left;
    return end_is(t, json, 0) && end_is(t, json, 1) ? 0
        : tomevit_fail(report, TOMEVIT_EMODEL, "\"add_bos_token\" or "
                       "\"add_eos_token\" is not as in tokenizer.json");
}

/* What is read of the configuration, and of tokens that are objects. */
static int check_config(const json_t *json, const vit_report *report)
{
    static const vit_json_member members[] = {
        {"tokenizer_class", VIT_JSON_TEXT}, {"do_lower_case", VIT_JSON_TRUTH},
        {"add_bos_token", VIT_JSON_TRUTH}, {"add_eos_token", VIT_JSON_TRUTH},
        {"padding_side", VIT_JSON_TEXT},
        {"pad_token", VIT_JSON_TEXT | VIT_JSON_OBJECT},
        {"bos_token", VIT_JSON_TEXT | VIT_JSON_OBJECT},
        {"eos_token", VIT_JSON_TEXT | VIT_JSON_OBJECT}, {NULL, 0}
    }, token[] = {{"content", VIT_JSON_TEXT}, {NULL, 0}};
    static const char *const tokens[] = {"pad_token", "bos_token",
                                         "eos_token"};
    char why[VIT_JSON_WHY];
    int fits = tomevit_json_fits(json, members, why);

    for (size_t i = 0; fits && i < sizeof(tokens) / sizeof(*tokens); i++)
        fits = tomevit_json_fits(json_object_get(json, tokens[i]), token, why);
    return fits ? 0 : tomevit_fail(report, TOMEVIT_EFORMAT, "%s", why);
}

/* Which token pads, and what transformers does to texts before. */
static int read_config(vit_tokenizer *t, const char *path,
                       tomevit_message *why)
{
    const char *slash = strrchr(path, '/'), *pad;
    int folder = slash ? (int)(slash + 1 - path) : 0, code;
    char beside[PATH], *bytes;
    vit_report report = {beside, why};
    struct stat status;
    json_error_t error;
    size_t count;
    json_t *json;

    snprintf(beside, sizeof(beside), "%.*stokenizer_config.json", folder,
             path);
    if (stat(beside, &status) != 0)
        return 0;
    code = read_file(beside, &bytes, &count, why);
    if (code)
        return code;
    /* It has whole numbers that fit no integer. */
    json = count <= MOST_CONFIG
               ? json_loadb(bytes, count, JSON_DECODE_INT_AS_REAL, &error)
               : NULL;
    free(bytes);
    if (!json_is_object(json))
        code = tomevit_fail(&report, TOMEVIT_EFORMAT, "expected a JSON object "
                            "of at most %d bytes", MOST_CONFIG);
    else
        code = check_config(json, &report);
    if (code) {
        json_decref(json);
        return code;
    }
    t->named = class_of(json_string_value(json_object_get(json,
                                                          "tokenizer_class")));
    if (t->named == VIT_CLASS_SIGLIP &&
        json_is_false(json_object_get(json, "do_lower_case")))
        code = tomevit_fail(&report, TOMEVIT_EMODEL, "a SiglipTokenizer with "
                            "\"do_lower_case\" false is not run");
    else if (t->named > VIT_CLASS_SIGLIP)
        code = read_gemma(t, json, &report);
    pad = token_of(json, "pad_token");
    if (pad)
        t->pad = number_of(t, pad);
    json_decref(json);
    return code;
}

/* ---- opening ------------------------------------------------------------- */

static void note_path(vit_tokenizer *t, const char *path)
{
    size_t length = strlen(path);

    path += length < sizeof(t->path) ? 0 : length + 1 - sizeof(t->path);
    snprintf(t->path, sizeof(t->path), "%s", path);
}

static vit_tokenizer *new_tokenizer(const char *path, const vit_report *report,
                                    int *code)
{
    vit_tokenizer *t = calloc(1, sizeof(*t));

    *code = 0;
    if (!t) {
        *code = tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
        return NULL;
    }
    t->unknown = t->pad = t->end = -1;
    note_path(t, path);
    if (!tomevit_unicode_is_there())
        *code = tomevit_fail(report, TOMEVIT_EMODEL, "texts are not read: "
                             "built without utf8proc");
    return t;
}

static int open_path(const char *path, vit_tokenizer **tokenizer,
                     tomevit_message *why)
{
    vit_report report = {path, why};
    char *bytes = NULL;
    size_t count = 0;
    int code;
    vit_tokenizer *t = new_tokenizer(path, &report, &code);

    if (!code)
        code = read_file(path, &bytes, &count, why);
    if (!code)
        code = fill(t, bytes, count, path, &report);
    if (!code && !t->specials_by_word)
        code = read_config(t, path, why);
    free(bytes);
    if (code)
        tomevit_tokenizer_close(t);
    else
        *tokenizer = t;
    return code;
}

int tomevit_tokenizer_parse(const char *path, const char *bytes, size_t count,
                            vit_tokenizer **tokenizer, tomevit_message *why)
{
    vit_report report = {path, why};
    int code;
    vit_tokenizer *t = new_tokenizer(path, &report, &code);

    *tokenizer = NULL;
    if (!code)
        code = fill(t, bytes, count, "", &report);
    if (code)
        tomevit_tokenizer_close(t);
    else
        *tokenizer = t;
    return code;
}

/* In a folder that ends with '/', or is nothing. */
static int open_folder(const char *folder, int length, const char *weights,
                       vit_tokenizer **tokenizer, tomevit_message *why)
{
    static const char *const names[] = {"tokenizer.json", "vocab.json",
                                        "spiece.model", "tokenizer.model"};
    vit_report report = {weights, why};
    char path[PATH];
    struct stat status;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%.*s%s", length, folder, names[i]);
        if (stat(path, &status) == 0)
            return open_path(path, tokenizer, why);
    }
    return tomevit_fail(&report, TOMEVIT_EMODEL, "expected a tokenizer beside "
                        "it, tokenizer.json or vocab.json with merges.txt, "
                        "found none");
}

int tomevit_tokenizer_open(const char *weights, const char *given,
                           vit_tokenizer **tokenizer, tomevit_message *why)
{
    const char *slash = strrchr(weights, '/');
    struct stat status;
    char folder[PATH];

    *tokenizer = NULL;
    if (!given)
        return open_folder(weights, slash ? (int)(slash + 1 - weights) : 0,
                           weights, tokenizer, why);
    if (stat(given, &status) == 0 && S_ISDIR(status.st_mode)) {
        snprintf(folder, sizeof(folder), "%s/", given);
        return open_folder(folder, (int)strlen(folder), given, tokenizer, why);
    }
    return open_path(given, tokenizer, why);
}
