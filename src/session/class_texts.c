/* SPDX-License-Identifier: MIT */
/*
 * Classes by their names: every template with the name in it is a text, and a
 * class is the mean of its texts' embeddings, as CLIP's authors have it
 * [arXiv 2103.00020, 3.1.4].
 */
#include "config.h"

#include "class_texts.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "../folders/pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOGETHER = 256, GUESSES = 400 }; /* texts at a time; bytes of a list */

static const char *const name_alone[] = {"{}"};

/* The template with the name wherever it has "{}"; the caller's to free. */
static char *text_of(const char *template, const char *name)
{
    size_t length = strlen(name), used = 0;
    char *text = memory_bytes(strlen(template) * (length + 1) + 1);

    while (*template)
        if (template[0] == '{' && template[1] == '}') {
            memcpy(text + used, name, length);
            used += length;
            template += 2;
        } else {
            text[used++] = *template++;
        }
    text[used] = '\0';
    return text;
}

/* The mean of a class's embeddings, of unit length as they are. */
static void mean(const float *rows, size_t count, size_t width, float *y)
{
    double square = 0;

    for (size_t j = 0; j < width; j++) {
        double sum = 0;

        for (size_t i = 0; i < count; i++)
            sum += (double)rows[i * width + j];
        y[j] = (float)(sum / (double)count);
        square += (double)y[j] * (double)y[j];
    }
    for (size_t j = 0; j < width; j++)
        y[j] = square > 0 ? (float)((double)y[j] / sqrt(square)) : 0;
}

typedef struct work {
    session *s;
    tomevit_text *text;
    const char *const *templates;
    size_t count;          /* of templates */
    size_t width, cut;     /* of an embedding; texts that were too long */
} work;

/* Some classes' texts to their rows. */
static int embed(work *w, size_t first, size_t many)
{
    size_t all = many * w->count, cut = 0;
    char **text = memory_zero(all, sizeof(*text));
    float *rows = memory_zero(all * w->width, sizeof(*rows));
    tomevit_message why;
    int error;

    for (size_t i = 0; i < all; i++)
        text[i] = text_of(w->templates[i % w->count],
                          w->s->text_names[first + i / w->count]);
    error = tomevit_text_embed(w->text, (const char *const *)text, all,
                               w->s->threads, rows, &cut, &why);
    for (size_t i = 0; i < many && error == 0; i++)
        mean(rows + i * w->count * w->width, w->count, w->width,
             w->s->text_rows + (first + i) * w->width);
    for (size_t i = 0; i < all; i++)
        free(text[i]);
    free(text);
    free(rows);
    w->cut += cut;
    if (error != 0)
        message_failed("%s: %s", w->s->options->class_names, why.text);
    return error;
}

static int embed_all(work *w)
{
    session *s = w->s;
    size_t at_once = TOGETHER / w->count ? TOGETHER / w->count : 1;
    int error = 0;

    s->text_rows = memory_zero(s->text_count * w->width, sizeof(float));
    s->text_width = w->width;
    for (size_t i = 0; i < s->text_count && error == 0; i += at_once) {
        size_t left = s->text_count - i;

        error = embed(w, i, left < at_once ? left : at_once);
    }
    if (error == 0 && w->cut > 0)
        message_note("%s: %zu of %zu texts are longer than the %zu tokens that "
                     "the model takes, and were cut", s->options->class_names,
                     w->cut, s->text_count * w->count,
                     tomevit_text_describe(w->text)->context);
    return error == 0 ? 0 : -1;
}

static void add_guess(void *data, const tomevit_fact *fact)
{
    char *text = data;
    size_t used = strlen(text);

    if (fact->guessed)
        snprintf(text + used, GUESSES - used, "%s%s %s", used ? ", " : "",
                 fact->what, fact->value);
}

static int read_names(session *s)
{
    char why[PAIRS_WHY];

    s->text_names = pairs_read_lines(s->options->class_names, &s->text_count,
                                     why);
    if (!s->text_names) {
        message_failed("%s", why);
        return -1;
    }
    for (size_t i = 0; i < s->text_count; i++)
        if (s->text_names[i][strspn(s->text_names[i], " \t")] == '\0') {
            message_failed("%s: line %zu: expected the name of a class, found "
                           "none", s->options->class_names, i + 1);
            return -1;
        }
    if (s->text_count > 0)
        return 0;
    message_failed("%s: expected a class on each line, found none",
                   s->options->class_names);
    return -1;
}

int class_texts_open(session *s)
{
    const options *o = s->options;
    work w = {.s = s, .templates = o->templates.text,
              .count = o->templates.count};
    tomevit_text_options with;
    tomevit_message why;
    char guesses[GUESSES] = "";
    int error;

    if (!o->class_names)
        return 0;
    if (w.count == 0) {
        w.templates = name_alone;
        w.count = 1;
    }
    if (read_names(s) != 0)
        return -1;
    tomevit_text_options_init(&with);
    with.tokenizer = o->tokenizer;
    with.strict = o->strict_model;
    error = tomevit_text_open(o->model, &with, &w.text, &why);
    if (error != 0) {
        message_failed("%s", why.text);
        return -1;
    }
    tomevit_text_each_fact(w.text, add_guess, guesses);
    if (guesses[0] != '\0')
        message_note("%s: nothing says, so these are guesses: %s", o->model,
                     guesses);
    w.width = tomevit_text_describe(w.text)->embedding;
    error = embed_all(&w);
    tomevit_text_close(w.text);
    return error;
}

static const char *name_at(const void *names, size_t index)
{
    return ((const char *const *)names)[index];
}

void class_texts_name_classes(session *s)
{
    if (!s->text_names)
        return;
    s->classes.own_name = name_at;
    s->classes.data = s->text_names;
}

void class_texts_close(session *s)
{
    pairs_free_lines(s->text_names);
    free(s->text_rows);
}
