/* SPDX-License-Identifier: MIT */
/* A line of a journal: the outcomes of a batch as JSON and back. */
#include "journal_line.h"

#include "../base/memory.h"
#include "../base/report.h"
#include "drift.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every run's numbers in a row: see outcome_work, then tokens layer by
 * layer. */
static json_t *work_json(const outcomes *o)
{
    json_t *list = json_array();

    for (size_t i = 0; i < o->run_count; i++) {
        const outcome_work *w = &o->work[i];
        const uint64_t *tokens = o->tokens + i * o->depth;
        json_t *run = json_pack("[I,I,I,I,I]", (json_int_t)w->macs,
            (json_int_t)w->least, (json_int_t)w->most,
            (json_int_t)w->tokens_least, (json_int_t)w->tokens_most);
        for (size_t k = 0; k < o->depth; k++)
            json_array_append_new(run, json_integer((json_int_t)tokens[k]));
        json_array_append_new(list, run);
    }
    return list;
}

/* A text for each kept embedding: the bits of its numbers, 8 digits each. */
static json_t *kept_json(const outcomes *o)
{
    char *text = memory_zero(8 * o->width + 1, 1);
    json_t *list = json_array();

    for (size_t i = 0; i < o->kept_count * o->run_count; i++) {
        for (size_t k = 0; k < o->width; k++) {
            uint32_t bits;
            memcpy(&bits, o->kept + i * o->width + k, sizeof(bits));
            snprintf(text + 8 * k, 9, "%08" PRIx32, bits);
        }
        json_array_append_new(list, json_string(text));
    }
    free(text);
    return list;
}

json_t *journal_line_write(const outcomes *o)
{
    json_t *refused = json_array(), *classes = json_array();
    json_t *probabilities = json_array(), *seconds = json_array();
    json_t *cosines = json_array(), *divergences = json_array();
    json_t *left = json_array(), *line;

    for (size_t i = 0; i < o->refused_count; i++)
        json_array_append_new(refused, json_pack("[I,o]",
            (json_int_t)o->refused[i].file, report_string(o->refused[i].why)));
    for (size_t i = 0; i < o->images * o->run_count; i++)
        for (size_t k = 0; k < OUTCOME_TOP; k++) {
            const outcome *said = &o->items[i];
            json_array_append_new(classes, json_integer(said->index[k]));
            json_array_append_new(probabilities, report_real(
                (double)said->probability[k]));
        }
    for (size_t i = 0; i < o->images * o->run_count; i++)
        json_array_append_new(cosines, report_real((double)o->items[i].cosine));
    for (size_t i = 0; i < o->images * o->run_count; i++)
        json_array_append_new(divergences, report_real(
            (double)o->items[i].divergence));
    for (size_t i = 0; i < o->images * o->run_count; i++)
        json_array_append_new(left, json_integer(o->items[i].tokens));
    for (size_t i = 0; i < o->run_count; i++)
        json_array_append_new(seconds, report_real(
            o->batches > 0 ? o->seconds[i] : 0));
    line = json_pack("{s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:f,s:f,"
                     "s:f}",
                     "from", (json_int_t)o->from, "to", (json_int_t)o->to,
                     "refused", refused, "classes", classes,
                     "probabilities", probabilities, "cosines", cosines,
                     "divergences", divergences, "left", left,
                     "seconds", seconds,
                     "work", work_json(o), "wall", o->wall, "decode",
                     o->decode, "preprocess", o->preprocess);
    if (o->width > 0)
        json_object_set_new(line, "embeddings", kept_json(o));
    return line;
}

/* ---- reading ------------------------------------------------------------- */

/* A number from `least` to `most`; -1, which is none of them, otherwise. */
static int read_number(const json_t *value, json_int_t least, json_int_t most,
                       json_int_t *out)
{
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= least && *out <= most ? 0 : -1;
}

/* One from 0 to `most`. */
static int read_real(const json_t *value, double most, double *out)
{
    *out = json_number_value(value);
    return json_is_number(value) && *out >= 0 && *out <= most ? 0 : -1;
}

static int read_refused(const json_t *list, outcomes *o)
{
    json_int_t least = (json_int_t)o->from, file;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        const char *why = json_string_value(json_array_get(pair, 1));
        if (!why || read_number(json_array_get(pair, 0), least,
                                       (json_int_t)o->to - 1, &file) != 0)
            return -1;
        outcomes_refuse(o, (size_t)file, why);
        least = file + 1;
    }
    return 0;
}

/* One answer; entry `at` of the lists and those that follow. */
static int read_answer(const journal *j, const json_t *classes,
                       const json_t *probabilities, size_t at, outcome *said)
{
    for (size_t k = 0; k < OUTCOME_TOP; k++) {
        json_int_t index;
        double p;
        /* There is a first class if there are any, others where there are as
         * many. */
        if (read_number(json_array_get(classes, at + k),
                        k == 0 && j->classes > 0 ? 0 : -1,
                        (json_int_t)j->classes - 1, &index) != 0 ||
            read_real(json_array_get(probabilities, at + k), 1, &p) != 0)
            return -1;
        said->index[k] = (int32_t)index;
        said->probability[k] = (float)p;
    }
    return 0;
}

static int read_cosine(const json_t *value, outcome *said)
{
    said->cosine = (float)json_number_value(value);
    return json_is_number(value) && said->cosine >= -1 && said->cosine <= 1
        ? 0 : -1;
}

static int read_divergence(const json_t *value, outcome *said)
{
    double divergence;
    int result = read_real(value, (double)FLT_MAX, &divergence);

    said->divergence = result == 0 ? (float)divergence : 0;
    return result;
}

static int read_left(const json_t *value, outcome *said)
{
    json_int_t left;
    int result = read_number(value, 1, INT32_MAX, &left);

    said->tokens = result == 0 ? (uint32_t)left : 0;
    return result;
}

/* The embeddings of one image; entry `at` of the list and those that follow. */
static int read_kept(const json_t *list, size_t at, outcomes *o)
{
    float *to = outcomes_keep(o);

    for (size_t run = 0; run < o->run_count; run++) {
        const char *text = json_string_value(json_array_get(list, at + run));
        if (!text || strlen(text) != 8 * o->width ||
            strspn(text, "0123456789abcdef") != 8 * o->width)
            return -1;
        for (size_t k = 0; k < o->width; k++, text += 8) {
            char digits[9] = "";
            uint32_t bits;
            memcpy(digits, text, 8);
            bits = (uint32_t)strtoul(digits, NULL, 16);
            memcpy(to, &bits, sizeof(bits));
            if (!isfinite(*to++))
                return -1;
        }
    }
    return 0;
}

/* All files that are not refused are images. */
static int read_images(const journal *j, const json_t *line, outcomes *o)
{
    const json_t *classes = json_object_get(line, "classes");
    const json_t *probabilities = json_object_get(line, "probabilities");
    const json_t *cosines = json_object_get(line, "cosines");
    const json_t *divergences = json_object_get(line, "divergences");
    const json_t *left = json_object_get(line, "left");
    const json_t *kept = json_object_get(line, "embeddings");
    size_t images = o->to - o->from - o->refused_count, refused = 0, at = 0;
    size_t count = images * o->run_count * OUTCOME_TOP;

    if (json_array_size(classes) != count ||
        json_array_size(probabilities) != count ||
        json_array_size(cosines) != images * o->run_count ||
        json_array_size(divergences) != images * o->run_count ||
        json_array_size(left) != images * o->run_count)
        return -1;
    for (size_t file = o->from; file < o->to; file++) {
        if (refused < o->refused_count && o->refused[refused].file == file) {
            refused++;
            continue;
        }
        outcome *said = outcomes_add_image(o, file);
        for (size_t run = 0; run < o->run_count; run++, at += OUTCOME_TOP)
            if (read_answer(j, classes, probabilities, at, &said[run]) != 0 ||
                read_cosine(json_array_get(cosines, at / OUTCOME_TOP),
                            &said[run]) != 0 ||
                read_divergence(json_array_get(divergences, at / OUTCOME_TOP),
                                &said[run]) != 0 ||
                read_left(json_array_get(left, at / OUTCOME_TOP),
                          &said[run]) != 0)
                return -1;
        if (o->width > 0 && drift_keeps(file, j->all) &&
            read_kept(kept, o->kept_count * o->run_count, o) != 0)
            return -1;
    }
    return json_array_size(kept) == o->kept_count * o->run_count ? 0 : -1;
}

/* Whether what images left of their tokens lies between what is least and most,
 * and is both. */
static int work_fits(const outcomes *o, size_t run)
{
    const outcome_work *w = &o->work[run];
    size_t least = SIZE_MAX, most = 0;

    for (size_t i = 0; i < o->images; i++) {
        size_t left = outcomes_at(o, i, run)->tokens;

        least = left < least ? left : least;
        most = left > most ? left : most;
    }
    return o->images == 0 ||
           (least == w->tokens_least && most == w->tokens_most);
}

/* Of one run: what is least is no more than what is most. */
static int read_run_work(const json_t *list, size_t depth, size_t images,
                         outcome_work *w, uint64_t *tokens)
{
    enum { OWN = 5 };
    json_int_t own[OWN], sum;

    if (json_array_size(list) != OWN + depth)
        return -1;
    for (size_t i = 0; i < OWN; i++)
        if (read_number(json_array_get(list, i), 0, INT64_MAX, &own[i]) != 0)
            return -1;
    if (own[1] > own[2] || own[2] > own[0] || own[3] > own[4])
        return -1;
    *w = (outcome_work){images, (uint64_t)own[0], (uint64_t)own[1],
                        (uint64_t)own[2], (size_t)own[3], (size_t)own[4]};
    for (size_t i = 0; i < depth; i++) {
        if (read_number(json_array_get(list, OWN + i), 0, INT64_MAX, &sum) != 0)
            return -1;
        tokens[i] = (uint64_t)sum;
    }
    return 0;
}

static int read_work(const json_t *line, outcomes *o)
{
    const json_t *list = json_object_get(line, "work");

    if (json_array_size(list) != o->run_count)
        return -1;
    for (size_t i = 0; i < o->run_count; i++)
        if (read_run_work(json_array_get(list, i), o->depth, o->images,
                          &o->work[i], o->tokens + i * o->depth) != 0 ||
            !work_fits(o, i))
            return -1;
    return 0;
}

static int read_times(const json_t *line, outcomes *o)
{
    const json_t *list = json_object_get(line, "seconds");
    double *seconds;

    if (json_array_size(list) != o->run_count)
        return -1;
    seconds = outcomes_add_batch(o);
    o->batches = o->images > 0;
    for (size_t i = 0; i < o->run_count; i++)
        if (read_real(json_array_get(list, i), DBL_MAX, &seconds[i]) != 0)
            return -1;
    return read_real(json_object_get(line, "wall"), DBL_MAX, &o->wall) |
           read_real(json_object_get(line, "decode"), DBL_MAX, &o->decode) |
           read_real(json_object_get(line, "preprocess"), DBL_MAX,
                     &o->preprocess);
}

int journal_line_read(const journal *j, const json_t *line, outcomes *o)
{
    json_int_t next = (json_int_t)j->next, from, to;

    outcomes_begin(o, j->run_count, j->depth, j->width);
    if (read_number(json_object_get(line, "from"), next, next, &from) != 0 ||
        read_number(json_object_get(line, "to"), from + 1,
                    (json_int_t)j->files, &to) != 0) {
        outcomes_free(o);
        return -1;
    }
    outcomes_clear(o, (size_t)from);
    o->to = o->end = (size_t)to;
    if (read_refused(json_object_get(line, "refused"), o) == 0 &&
        read_images(j, line, o) == 0 && read_work(line, o) == 0 &&
        read_times(line, o) == 0)
        return 0;
    outcomes_free(o);
    return -1;
}
