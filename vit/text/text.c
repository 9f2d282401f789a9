/* SPDX-License-Identifier: MIT */
/* Texts to embeddings: a tower with its tokenizer. */
#include "config.h"

#include "tower.h"
#include "../base/reserved.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* ---- opening ------------------------------------------------------------- */

void tomevit_text_options_init(tomevit_text_options *options)
{
    if (options)
        *options = (tomevit_text_options){.struct_size = sizeof(*options)};
}

static int valid(const tomevit_text_options *o)
{
    return !o || (o->struct_size == sizeof(*o) && VIT_UNUSED(o->reserved) &&
                  (o->strict == 0 || o->strict == 1));
}

static const char *cleaning_name(enum vit_cleaning clean)
{
    switch (clean) {
    case VIT_CLEAN_LOWER:
        return "open_clip's, lower case";
    case VIT_CLEAN_WHITE:
        return "open_clip's";
    case VIT_CLEAN_CANONICAL:
        return "open_clip's, without punctuation";
    case VIT_CLEAN_SIGLIP:
        return "without punctuation";
    default:
        return "the tokenizer's";
    }
}

/*
 * SigLIP 2 was trained on lower case [arXiv 2502.14786; big_vision,
 * pp/ops_text.py]. transformers makes it so for Siglip2Tokenizer, which it
 * takes for every "siglip2", and for no GemmaTokenizer, even where the file
 * says "do_lower_case": whether texts are to be so is then a guess.
 */
static int settle_case(struct tomevit_text *t, const vit_report *report)
{
    const vit_tokenizer *k = t->tokenizer;
    int lower = k->named == VIT_CLASS_SIGLIP2 ||
                (k->named == VIT_CLASS_GEMMA && (t->siglip2 || k->lower_case));

    if (!lower)
        return 0;
    if (k->named == VIT_CLASS_GEMMA && !t->siglip2 &&
        t->clean != VIT_CLEAN_CANONICAL && t->clean != VIT_CLEAN_LOWER)
        tomevit_text_note(t, "text lower case", "as \"do_lower_case\" says, "
                          "which transformers does not do", NULL);
    else
        tomevit_text_note(t, "text lower case", "yes",
                          t->siglip2 ? "config.json" : "tokenizer_config.json");
    return tomevit_even_lower(t->tokenizer, report);
}

/* What tower and tokenizer have to agree on. */
static int fit(struct tomevit_text *t, const vit_report *report)
{
    const vit_tokenizer *k = t->tokenizer;
    int code;

    if (t->clean == VIT_CLEAN_NOTHING && k->named == VIT_CLASS_SIGLIP)
        t->clean = VIT_CLEAN_SIGLIP;
    code = settle_case(t, report);
    if (code)
        return code;
    t->pad = k->pad;
    snprintf(t->d.tokenizer, sizeof(t->d.tokenizer), "%s", k->path);
    if ((size_t)k->most >= t->d.vocabulary)
        return tomevit_fail(report, TOMEVIT_EMODEL, "its text tower knows %zu "
                            "tokens, but %s has number %d", t->d.vocabulary,
                            t->d.tokenizer, (int)k->most);
    if (k->before_count + k->after_count >= t->d.context)
        return tomevit_fail(report, TOMEVIT_EMODEL, "its text tower has no "
                            "room for a text: %zu tokens", t->d.context);
    if (t->d.pool == TOMEVIT_TEXT_END && k->end != t->end)
        return tomevit_fail(report, TOMEVIT_EMODEL, "its text tower looks for "
                            "token %d, but texts end with %d by %s", t->end,
                            (int)k->end, t->d.tokenizer);
    if ((!t->d.causal || t->d.pool == TOMEVIT_TEXT_LAST) && t->pad < 0)
        return tomevit_fail(report, TOMEVIT_EMODEL, "its text tower sees what "
                            "pads a text, but %s does not say which token "
                            "does", t->d.tokenizer);
    if (k->pad_left)
        return tomevit_fail(report, TOMEVIT_EMODEL, "%s pads texts on their "
                            "left (\"padding_side\"), which is not run",
                            t->d.tokenizer);
    if (t->pad >= 0 && (size_t)t->pad >= t->d.vocabulary)
        return tomevit_fail(report, TOMEVIT_EMODEL, "token %d of %s, which "
                            "pads, is not one of %zu", t->pad, t->d.tokenizer,
                            t->d.vocabulary);
    tomevit_text_note(t, "text cleaning", cleaning_name(t->clean),
                      t->facts[0].guessed ? NULL : t->facts[0].from);
    tomevit_text_note(t, "tokenizer", t->d.tokenizer, "its file");
    return 0;
}

static int refuse_guesses(const struct tomevit_text *t,
                          const vit_report *report)
{
    for (size_t i = 0; i < t->fact_count; i++)
        if (t->facts[i].guessed)
            return tomevit_fail(report, TOMEVIT_EMODEL, "%s is a guess: %s",
                                t->facts[i].what, t->facts[i].value);
    return 0;
}

static int build(struct tomevit_text *t, const char *path,
                 const tomevit_text_options *options, tomevit_message *why)
{
    vit_report report = {path, why};
    vit_tensors *file;
    int code = tomevit_tensors_open(path, &file, why);

    if (code)
        return code;
    code = tomevit_text_shapes(t, file, &report);
    if (!code)
        code = tomevit_text_configure(t, file, &report);
    if (!code)
        code = tomevit_tokenizer_open(path, options ? options->tokenizer
                                                    : NULL, &t->tokenizer,
                                      why);
    if (!code)
        code = fit(t, &report);
    if (!code && options && options->strict)
        code = refuse_guesses(t, &report);
    if (!code)
        code = tomevit_text_read(t, file, &report);
    tomevit_tensors_close(file);
    return code;
}

int tomevit_text_open(const char *path, const tomevit_text_options *options,
                      tomevit_text **text, tomevit_message *why)
{
    tomevit_message unused;
    struct tomevit_text *t;
    int code;

    why = why ? why : &unused;
    why->text[0] = '\0';
    if (!text)
        return TOMEVIT_EINVAL;
    *text = NULL;
    if (!path || !valid(options))
        return TOMEVIT_EINVAL;
    t = calloc(1, sizeof(*t));
    code = t ? build(t, path, options, why) : TOMEVIT_ENOMEM;
    if (code) {
        tomevit_text_close(t);
        if (!why->text[0])
            snprintf(why->text, sizeof(why->text), "%s: %s", path,
                     tomevit_strerror(code));
        return code;
    }
    *text = t;
    return 0;
}

void tomevit_text_close(tomevit_text *text)
{
    if (!text)
        return;
    tomevit_tokenizer_close(text->tokenizer);
    tomevit_arena_free(&text->arena);
    free(text);
}

const tomevit_text_description *tomevit_text_describe(const tomevit_text *text)
{
    return &text->d;
}

void tomevit_text_each_fact(const tomevit_text *text,
                            void (*each)(void *data, const tomevit_fact *fact),
                            void *data)
{
    for (size_t i = 0; text && each && i < text->fact_count; i++) {
        const vit_text_fact *f = &text->facts[i];
        tomevit_fact fact = {f->what, f->value, f->from, f->guessed};

        each(data, &fact);
    }
}

/* ---- tokens -------------------------------------------------------------- */

/* Ends around as much of the text as there is room for. */
static size_t put_together(const struct tomevit_text *t, const vit_ids *inner,
                           int32_t *ids)
{
    const vit_tokenizer *k = t->tokenizer;
    size_t room = t->d.context - k->before_count - k->after_count, n = 0;
    size_t kept = inner->count < room ? inner->count : room;

    for (size_t i = 0; i < k->before_count; i++)
        ids[n++] = k->before[i];
    for (size_t i = 0; i < kept; i++)
        ids[n++] = inner->list[i];
    for (size_t i = 0; i < k->after_count; i++)
        ids[n++] = k->after[i];
    while (n < t->d.context)
        ids[n++] = t->pad < 0 ? 0 : t->pad;
    return inner->count + k->before_count + k->after_count;
}

int tomevit_text_tokens(const tomevit_text *text, const char *utf8,
                        int32_t *ids, size_t *count, tomevit_message *why)
{
    tomevit_message unused;
    vit_string clean = {0};
    vit_ids inner = {0};
    int code = 0;

    why = why ? why : &unused;
    why->text[0] = '\0';
    if (!text || !utf8 || !ids || !count)
        return TOMEVIT_EINVAL;
    /* Looked at before it is cleaned as well: cleaning takes it for UTF-8. */
    code = tomevit_tokenizer_check(utf8, why);
    if (!code)
        code = tomevit_clean(text->clean, utf8, strlen(utf8), &clean, why);
    if (!code)
        code = tomevit_tokenizer_encode(text->tokenizer,
                                        clean.bytes ? clean.bytes : "",
                                        &inner, why);
    if (!code)
        *count = put_together(text, &inner, ids);
    tomevit_string_free(&clean);
    tomevit_ids_free(&inner);
    return code;
}

/* ---- embeddings ---------------------------------------------------------- */

/* The row that becomes the text's, and how many rows it depends on. */
static size_t pooled_row(const struct tomevit_text *t, const int32_t *ids,
                         size_t *rows)
{
    size_t at = 0, last = t->d.context - 1;

    if (t->d.pool == TOMEVIT_TEXT_LAST)
        at = last;
    for (size_t i = 1; t->d.pool == TOMEVIT_TEXT_HIGHEST && i <= last; i++)
        if (ids[i] > ids[at])
            at = i;
    while (t->d.pool == TOMEVIT_TEXT_END && at < last && ids[at] != t->end)
        at++;
    *rows = t->d.causal ? at + 1 : t->d.context;
    return at;
}

static int run_all(const struct tomevit_text *t, const int32_t *ids,
                   size_t count, int threads, float *embeddings)
{
    int error = 0;

#ifdef _OPENMP
    threads = threads > 0 ? threads : omp_get_max_threads();
    threads = (size_t)threads > count ? (int)count : threads;
#pragma omp parallel num_threads(threads)
#else
    (void)threads;
#endif
    {
        vit_text_scratch s;
        int failed = tomevit_text_scratch(t, &s);

        if (failed) {
#ifdef _OPENMP
#pragma omp atomic write
#endif
            error = failed;
        }
#ifdef _OPENMP
#pragma omp for schedule(dynamic)
#endif
        for (size_t i = 0; i < count; i++) {
            const int32_t *own = ids + i * t->d.context;
            size_t rows, at = pooled_row(t, own, &rows);

            if (!failed)
                tomevit_text_run(t, &s, own, rows, at,
                                 embeddings + i * t->d.embedding);
        }
        tomevit_arena_free(&s.arena);
    }
    return error ? TOMEVIT_ENOMEM : 0;
}

int tomevit_text_embed(const tomevit_text *text, const char *const *texts,
                       size_t count, int threads, float *embeddings,
                       size_t *cut, tomevit_message *why)
{
    tomevit_message unused;
    size_t cuts = 0;
    int32_t *ids;
    int code = 0;

    why = why ? why : &unused;
    why->text[0] = '\0';
    if (!text || !texts || count == 0 || threads < 0 || !embeddings ||
        count > SIZE_MAX / sizeof(*ids) / text->d.context)
        return TOMEVIT_EINVAL;
    ids = malloc(count * text->d.context * sizeof(*ids));
    if (!ids)
        code = TOMEVIT_ENOMEM;
    for (size_t i = 0; i < count && !code; i++) {
        size_t all;

        code = texts[i] ? tomevit_text_tokens(text, texts[i],
                                              ids + i * text->d.context, &all,
                                              why)
                        : TOMEVIT_EINVAL;
        cuts += !code && all > text->d.context;
    }
    if (!code)
        code = run_all(text, ids, count, threads, embeddings);
    free(ids);
    if (!code && cut)
        *cut = cuts;
    if (code && !why->text[0])
        snprintf(why->text, sizeof(why->text), "%s", tomevit_strerror(code));
    return code;
}
