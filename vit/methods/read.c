/* SPDX-License-Identifier: MIT */
/* Text, or a file of it, that says how tokens merge: a method, its options, and
 * r. */
#include "config.h"

#include "../base/message.h"
#include "../base/real.h"
#include "list.h"
#include "text.h"
#include "tomevit_methods.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1 << 16, KEYS = 64 };

/* What the file says; texts lie in it. */
typedef struct said {
    const char *path;      /* NULL: there is no file */
    tomevit_message *why;
    int method;            /* -1: not yet said */
    const char *r;         /* NULL: not said */
    int combine, metric;   /* -1: as the method has it */
    tomevit_merging rest;  /* similarity, rope_merge, ema_merge, seed, stride */
    char *options;         /* of the method, with commas between */
} said;

static int refuse(const said *s, int code, const char *what, const char *word)
{
    vit_report report = {s->path, s->why};

    return s->path ? tomevit_fail(&report, code, "%s '%.80s'", what, word)
                   : tomevit_refuse(s->why, code, "%s '%.80s'", what, word);
}

static int refuse_as(const said *s, int code, const char *line)
{
    vit_report report = {s->path, s->why};

    return s->path ? tomevit_fail(&report, code, "%.300s", line)
                   : tomevit_refuse(s->why, code, "%.300s", line);
}

static int whole(const char *text, double most, double *value)
{
    return tomevit_real_read(text, value) == 0 && *value >= 0 &&
           *value <= most && *value == floor(*value) ? 0 : TOMEVIT_EINVAL;
}

typedef int from_name(const char *name, int *value);

/* 1 if it was a key of the file's own, 0 if it is the method's, or an error. */
static int take(said *s, const char *key, const char *value)
{
    const struct { const char *key; from_name *read; int *to; } names[] = {
        {"method", tomevit_method_from_name, &s->method},
        {"combine", tomerge_combine_from_name, &s->combine},
        {"metric", tomevit_metric_from_name, &s->metric},
        {"similarity", tomerge_similarity_from_name,
         &s->rest.matching.similarity},
        {"rope-merge", tomevit_rope_merge_from_name, &s->rest.rope_merge},
        {"ema-merge", tomevit_ema_merge_from_name, &s->rest.ema_merge},
    };
    double number;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(key, names[i].key) == 0)
            return names[i].read(value, names[i].to) == 0
                ? 1 : refuse(s, TOMEVIT_EFORMAT, key, value);
    if (strcmp(key, "r") == 0) {
        s->r = value;
        return 1;
    }
    if (strcmp(key, "seed") != 0 && strcmp(key, "stride") != 0)
        return strcmp(key, "file") != 0 ? 0
            : refuse(s, TOMEVIT_EFORMAT, "counts are given by prune= and "
                     "merge=, not by the name of a file,", value);
    if (whole(value, 0x1p53, &number) != 0)
        return refuse(s, TOMEVIT_EFORMAT, key, value);
    if (key[1] == 'e')
        s->rest.matching.seed = (uint64_t)number;
    else
        s->rest.matching.stride = (size_t)number;
    return 1;
}

/* The next word, ended in place, or NULL. A zero byte ends the text. */
static char *next_word(char **text)
{
    char *word = *text;

    word += strspn(word, " \t\r\n,");
    while (*word == '#') {
        word += strcspn(word, "\n");
        word += strspn(word, " \t\r\n,");
    }
    *text = word + strcspn(word, " \t\r\n,#");
    if (*text == word)
        return NULL;
    if (**text == '#') { /* which ends the word, and then goes to the line's */
        **text = '\0';
        *text += 1 + strcspn(*text + 1, "\n");
    } else if (**text) {
        *(*text)++ = '\0';
    }
    return word;
}

/* The words of a text; options gets those of the method. */
static int take_words(said *s, char *text)
{
    const char *seen[KEYS];
    size_t count = 0;

    for (char *word; (word = next_word(&text)) != NULL;) {
        char *value = strchr(word, '=');
        int taken;

        if (!value || value == word)
            return refuse(s, TOMEVIT_EFORMAT, "expected KEY=VALUE, found",
                          word);
        *value++ = '\0';
        for (size_t i = 0; i < count; i++)
            if (strcmp(seen[i], word) == 0)
                return refuse(s, TOMEVIT_EFORMAT, "twice the key", word);
        if (count == KEYS)
            return refuse(s, TOMEVIT_EFORMAT, "too many keys, such as", word);
        seen[count++] = word;
        taken = take(s, word, value);
        if (taken < 0)
            return taken;
        if (taken)
            continue;
        if (s->options[0])
            strcat(s->options, ",");
        strcat(strcat(strcat(s->options, word), "="), value);
    }
    return s->method >= 0 ? 0 : refuse(s, TOMEVIT_EFORMAT, "expected",
                                       "method=NAME");
}

/* r of the layers, one number standing for all. */
static int read_r(const said *s, size_t depth, size_t *r)
{
    size_t count = 0;

    for (const char *at = s->r; at; count++) {
        size_t length = strcspn(at, ":");
        char word[32];
        double value;

        if (count == depth || length >= sizeof(word))
            return refuse(s, TOMEVIT_EINVAL, "r of other layers than the "
                          "model's:", s->r);
        memcpy(word, at, length);
        word[length] = '\0';
        if (whole(word, 1e6, &value) != 0)
            return refuse(s, TOMEVIT_EFORMAT, "r", word);
        r[count] = (size_t)value;
        at = at[length] ? at + length + 1 : NULL;
    }
    for (size_t i = 1; count == 1 && i < depth; i++)
        r[i] = r[0];
    return count == 1 || count == depth ? 0
        : refuse(s, TOMEVIT_EINVAL, "r of other layers than the model's:",
                 s->r);
}

/* All that was said, for a model. */
static int set(const said *s, const tomevit_description *d,
               tomevit_merging *merging, size_t *r,
               tomevit_layer_merging *layers)
{
    size_t own[VIT_METHOD_LAYERS] = {0};
    tomevit_layer_merging each[VIT_METHOD_LAYERS];
    const char *options = s->options[0] ? s->options : NULL;
    tomevit_merging m = s->rest;
    tomevit_message what;
    int decides = tomevit_method_decides(s->method, options, &what);
    int code = decides < 0 ? decides : 0;

    if (code == 0 && d->depth > VIT_METHOD_LAYERS)
        return refuse(s, TOMEVIT_EINVAL, "too many layers:", d->family);
    if (code == 0 && decides == (s->r != NULL))
        return refuse(s, TOMEVIT_EFORMAT, s->r
                      ? "r beside a method or options that say how many tokens "
                        "go:" : "no r, and nothing else that says how many "
                        "tokens go, beside",
                      tomevit_method_at(s->method)->name);
    if (code == 0 && s->r && (code = read_r(s, d->depth, own)) != 0)
        return code;
    if (code == 0)
        code = tomevit_method_merging(d, s->method, options, own, &m, own, each,
                                      &what);
    if (code != 0)
        return refuse_as(s, code, what.text);
    for (size_t i = 0; s->combine >= 0 && i < d->depth; i++)
        each[i].combine = m.combine = s->combine;
    m.metric = s->metric >= 0 ? s->metric : m.metric;
    if (tomevit_schedule_tokens(d, &m, NULL) != 0)
        return refuse_as(s, TOMEVIT_EINVAL, "what it says does not fit the "
                         "model, or leaves its head no tokens");
    memcpy(r, own, d->depth * sizeof(*r));
    memcpy(layers, each, d->depth * sizeof(*layers));
    m.r = r;
    m.layers = m.layers ? layers : NULL;
    *merging = m;
    return 0;
}

/* Of a text that is the caller's to be written in. */
static int parse(said *s, char *text, size_t length,
                 const tomevit_description *description,
                 tomevit_merging *merging, size_t *r,
                 tomevit_layer_merging *layers)
{
    int code;

    tomevit_merging_init(&s->rest);
    s->options = calloc(length + 2, 1);
    if (!s->options)
        code = refuse(s, TOMEVIT_ENOMEM, "out of", "memory");
    else if (memchr(text, '\0', length))
        code = refuse(s, TOMEVIT_EFORMAT, "expected text, found", "\\0");
    else
        code = take_words(s, text);
    if (code == 0)
        code = set(s, description, merging, r, layers);
    free(s->options);
    return code;
}

static int copy_text(const said *s, const char *from, char **text,
                     size_t *length)
{
    *length = strlen(from);
    if (*length > MOST)
        return refuse(s, TOMEVIT_EFORMAT, "too long a text, such as", from);
    *text = malloc(*length + 1);
    if (!*text)
        return refuse(s, TOMEVIT_ENOMEM, "out of", "memory");
    memcpy(*text, from, *length + 1);
    return 0;
}

/* `source` is text or, where s->path is, that of a file. */
static int read_source(said *s, const char *source,
                       const tomevit_description *description,
                       tomevit_merging *merging, size_t *r,
                       tomevit_layer_merging *layers)
{
    size_t length;
    char *text;
    int code;

    if (s->why)
        s->why->text[0] = '\0';
    if (!source || !description || !merging || !r || !layers ||
        description->depth == 0)
        return TOMEVIT_EINVAL;
    code = s->path ? tomevit_method_file(source, MOST, &text, &length, s->why)
                   : copy_text(s, source, &text, &length);
    if (code != 0)
        return code;
    code = parse(s, text, length, description, merging, r, layers);
    free(text);
    return code;
}

int tomevit_merging_parse(const char *text,
                          const tomevit_description *description,
                          tomevit_merging *merging, size_t *r,
                          tomevit_layer_merging *layers, tomevit_message *why)
{
    said s = {NULL, why, -1, NULL, -1, -1, {0}, NULL};

    return read_source(&s, text, description, merging, r, layers);
}

int tomevit_merging_read(const char *path,
                         const tomevit_description *description,
                         tomevit_merging *merging, size_t *r,
                         tomevit_layer_merging *layers, tomevit_message *why)
{
    said s = {path, why, -1, NULL, -1, -1, {0}, NULL};

    return read_source(&s, path, description, merging, r, layers);
}
