/* SPDX-License-Identifier: MIT */
/* A line of a journal: a batch as JSON and back. */
#include "journal_line.h"

#include "../base/memory.h"
#include "../base/report.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

json_t *journal_line_write(const journal *j, const journal_batch *b)
{
    size_t count = (b->to - b->from - b->refused_count) * j->run_count;
    json_t *refused = json_array(), *classes = json_array();
    json_t *probabilities = json_array(), *seconds = json_array();

    for (size_t i = 0; i < b->refused_count; i++)
        json_array_append_new(refused, json_pack("[I,o]",
            (json_int_t)b->refused[i].file, report_string(b->refused[i].why)));
    for (size_t i = 0; i < count * OUTCOME_TOP; i++) {
        const outcome *o = &b->said[i / OUTCOME_TOP];
        size_t k = i % OUTCOME_TOP;
        json_array_append_new(classes, json_integer(o->index[k]));
        json_array_append_new(probabilities, report_real((double)o->probability[k]));
    }
    for (size_t i = 0; i < j->run_count; i++)
        json_array_append_new(seconds, report_real(b->seconds[i]));
    return json_pack("{s:I,s:I,s:o,s:o,s:o,s:o,s:f,s:f,s:f}",
                     "from", (json_int_t)b->from, "to", (json_int_t)b->to,
                     "refused", refused, "classes", classes,
                     "probabilities", probabilities, "seconds", seconds,
                     "wall", b->wall, "decode", b->decode,
                     "preprocess", b->preprocess);
}

/* ---- reading ----------------------------------------------------------------------- */

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

static int read_refused(const json_t *list, journal_batch *b)
{
    json_int_t least = (json_int_t)b->from, file;

    b->refused = memory_zero(json_array_size(list), sizeof(*b->refused));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        const char *why = json_string_value(json_array_get(pair, 1));
        if (why == NULL || read_number(json_array_get(pair, 0), least,
                                       (json_int_t)b->to - 1, &file) != 0)
            return -1;
        b->refused[b->refused_count].file = (size_t)file;
        b->refused[b->refused_count++].why = memory_text(why);
        least = file + 1;
    }
    return 0;
}

static int read_said(const journal *j, const json_t *line, journal_batch *b)
{
    const json_t *classes = json_object_get(line, "classes");
    const json_t *probabilities = json_object_get(line, "probabilities");
    size_t count = (b->to - b->from - b->refused_count) * j->run_count;
    json_int_t index;

    if (json_array_size(classes) != count * OUTCOME_TOP ||
        json_array_size(probabilities) != count * OUTCOME_TOP)
        return -1;
    b->said = memory_zero(count, sizeof(*b->said));
    for (size_t i = 0; i < count * OUTCOME_TOP; i++) {
        outcome *o = &b->said[i / OUTCOME_TOP];
        size_t k = i % OUTCOME_TOP;
        double p;
        /* There is a first class always, others where there are as many. */
        if (read_number(json_array_get(classes, i), k == 0 ? 0 : -1,
                        (json_int_t)j->classes - 1, &index) != 0 ||
            read_real(json_array_get(probabilities, i), 1, &p) != 0)
            return -1;
        o->index[k] = (int32_t)index;
        o->probability[k] = (float)p;
    }
    return 0;
}

static int read_times(const journal *j, const json_t *line, journal_batch *b)
{
    const json_t *seconds = json_object_get(line, "seconds");

    if (json_array_size(seconds) != j->run_count)
        return -1;
    b->seconds = memory_zero(j->run_count, sizeof(*b->seconds));
    for (size_t i = 0; i < j->run_count; i++)
        if (read_real(json_array_get(seconds, i), DBL_MAX,
                      &b->seconds[i]) != 0)
            return -1;
    return read_real(json_object_get(line, "wall"), DBL_MAX, &b->wall) |
           read_real(json_object_get(line, "decode"), DBL_MAX, &b->decode) |
           read_real(json_object_get(line, "preprocess"), DBL_MAX,
                     &b->preprocess);
}

int journal_line_read(const journal *j, const json_t *line, journal_batch *b)
{
    json_int_t next = (json_int_t)j->next, from, to;

    memset(b, 0, sizeof(*b));
    if (read_number(json_object_get(line, "from"), next, next, &from) != 0 ||
        read_number(json_object_get(line, "to"), from + 1,
                    (json_int_t)j->files, &to) != 0)
        return -1;
    b->from = (size_t)from;
    b->to = (size_t)to;
    if (read_refused(json_object_get(line, "refused"), b) == 0 &&
        read_said(j, line, b) == 0 && read_times(j, line, b) == 0)
        return 0;
    journal_batch_free(b);
    return -1;
}

void journal_batch_free(journal_batch *b)
{
    for (size_t i = 0; i < b->refused_count; i++)
        free(b->refused[i].why);
    free(b->refused);
    free(b->said);
    free(b->seconds);
    memset(b, 0, sizeof(*b));
}
