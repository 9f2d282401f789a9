/* SPDX-License-Identifier: MIT */
/*
 * What pictures are worth, by several ranks (see dealing.h). What a rank says
 * of some pictures is a line of JSON: "worth", a row of numbers each; of what
 * is refused why, by its place among them; "seconds" of every way of merging.
 * With --resume FILE rank K keeps FILE.K, whose rows begin with their picture's
 * number, as they are in any order.
 */
#include "config.h"

#include "density.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "../base/progress.h"
#include "../base/ranks.h"
#include "../base/signals.h"
#include "../evaluation/dealing.h"
#include "../evaluation/journal_settings.h"
#include "../evaluation/ranked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ranked_density {
    density *p;
    dealing *dealt;
    char *path;            /* of this rank's journal */
    double *row;           /* [1 + width]: of a journal */
} ranked_density;

/* ---- lines --------------------------------------------------------------- */

static json_t *row_json(const double *row, size_t width)
{
    json_t *out = json_array();

    for (size_t i = 0; i < width; i++)
        json_array_append_new(out, json_real(row[i]));
    return out;
}

static int read_row(const json_t *row, size_t width, double *out)
{
    if (json_array_size(row) != width)
        return -1;
    for (size_t i = 0; i < width; i++)
        if (json_is_number(json_array_get(row, i)))
            out[i] = json_number_value(json_array_get(row, i));
        else
            return -1;
    return 0;
}

/* Files first .. first + count - 1, which have just been measured in so many
 * seconds a way. */
static json_t *line_json(const density *p, size_t first, size_t count,
                         const double *seconds)
{
    json_t *worth = json_array(), *why = json_object();

    for (size_t i = 0; i < count; i++) {
        char place[24];

        json_array_append_new(worth, row_json(
            p->worth + (first + i) * p->width, p->width));
        snprintf(place, sizeof(place), "%zu", i);
        if (p->pictures.why[i][0] != '\0')
            json_object_set_new(why, place,
                                report_string(p->pictures.why[i]));
    }
    return json_pack("{s:o,s:o,s:o}", "worth", worth, "why", why, "seconds",
                     row_json(seconds, p->count));
}

/* ---- journals ------------------------------------------------------------ */

/* What the journal of a rank knows; left open if it is to be gone on with. */
static int take_journal(ranked_density *k, const char *path, size_t number,
                        byte_journal *j)
{
    density *p = k->p;
    size_t all = p->to - p->from, width = p->width + 1, done;
    json_t *command = journal_command(p->m.s.options);
    double *rows = memory_zero(all, width * sizeof(*rows));
    int result = byte_journal_open(j, path, p->settings, command, width, rows,
                                   all, &done);

    for (size_t i = 0; i < done && result == 0; i++) {
        const double *row = rows + i * width;
        size_t file = row[0] >= 0 && row[0] < 1e15 ? (size_t)row[0] : p->to;

        if (file < p->from || file >= p->to) {
            message_failed("%s: picture %zu is none of this run's", path,
                           i + 1);
            result = -1;
            break;
        }
        dealing_known_line(k->dealt, number, (piece){file, file + 1},
                           json_pack("{s:[o]}", "worth",
                                     row_json(row + 1, p->width)));
    }
    json_decref(command);
    free(rows);
    return result;
}

/* Of the journals that ranks of an earlier and larger run left, each rank of
 * this one reads its share. */
static int take_other(void *data, size_t rank)
{
    ranked_density *k = data;
    byte_journal j;
    int result = 0;

    if (rank < ranks_count() || rank % ranks_count() != ranks_rank())
        return 0;
    char *path = ranked_path(k->p->m.s.options->resume, rank);
    result = take_journal(k, path, rank, &j);
    result |= byte_journal_close(&j);
    free(path);
    return result;
}

static int open_journals(ranked_density *k)
{
    const char *file = k->p->m.s.options->resume;

    if (!file)
        return 0;
    k->path = ranked_path(file, ranks_rank());
    if (!k->path ||
        take_journal(k, k->path, ranks_rank(), &k->p->journal) != 0)
        return -1;
    return ranked_each(file, take_other, k);
}

static int write_down(ranked_density *k, size_t first, size_t count)
{
    density *p = k->p;
    int result = 0;

    for (size_t i = first; i < first + count && result == 0; i++) {
        k->row[0] = (double)i;
        memcpy(k->row + 1, p->worth + i * p->width,
               p->width * sizeof(*k->row));
        result = byte_journal_add(&p->journal, k->row);
    }
    return byte_journal_flush(&p->journal) | result;
}

/* ---- the work ------------------------------------------------------------ */

static int measure(ranked_density *k, size_t first, size_t count)
{
    density *p = k->p;
    double seconds[OPTIONS_WAYS];

    for (size_t i = 0; i < p->count; i++)
        p->ways[i].seconds = 0;
    if (density_measure(p, first, count) != 0)
        return -1;
    for (size_t i = 0; i < p->count; i++)
        seconds[i] = p->ways[i].seconds;
    dealing_found_line(k->dealt, (piece){first, first + count},
                       line_json(p, first, count, seconds));
    return write_down(k, first, count);
}

static int work(ranked_density *k)
{
    density *p = k->p;
    size_t known, batch = p->pictures.most;
    piece next;
    int result = 0;

    dealing_done(k->dealt, &known);
    progress_start(p->to - p->from - known,
                   p->m.s.options->quiet || ranks_rank() > 0);
    while (result == 0 && dealing_next(k->dealt, &next))
        for (size_t i = next.from, now;
             i < next.to && result == 0 && !signals_stop(); i += now) {
            now = next.to - i < batch ? next.to - i : batch;
            result = measure(k, i, now);
            progress_show(dealing_done(k->dealt, &known) - known, -1);
        }
    progress_end();
    return result;
}

/* ---- what was found ------------------------------------------------------ */

/* A line, of which the ones before have been taken. */
static int take(void *data, const dealing_line *l, json_t *object)
{
    density *p = data;
    const json_t *worth = json_object_get(object, "worth");
    const json_t *why = json_object_get(object, "why");
    double seconds[OPTIONS_WAYS];

    if (json_array_size(worth) != l->to - l->from)
        return dealing_damaged(l);
    for (size_t i = l->from; i < l->to; i++) {
        double *row = p->worth + i * p->width;
        char place[24];

        if (read_row(json_array_get(worth, i - l->from), p->width, row) != 0)
            return dealing_damaged(l);
        snprintf(place, sizeof(place), "%zu", i - l->from);
        const char *text = json_string_value(json_object_get(why, place));
        if (row[0] < 0)
            message_refused("%s: %s", p->files->files[i].path,
                            text ? text : "refused, by the journal");
    }
    p->done = l->to - p->from;
    if (read_row(json_object_get(object, "seconds"), p->count, seconds) == 0)
        for (size_t i = 0; i < p->count; i++) {
            p->ways[i].seconds += seconds[i];
            p->ways[i].timed += l->to - l->from;
        }
    return 0;
}

static int collect(ranked_density *k)
{
    density *p = k->p;

    for (size_t i = 0; i < p->count; i++) {
        p->ways[i].seconds = 0;
        p->ways[i].timed = 0;
    }
    return dealing_each(k->dealt, take, p);
}

/* ---- all of it ----------------------------------------------------------- */

static void note_known(const ranked_density *k)
{
    size_t known;

    dealing_done(k->dealt, &known);
    if (known > 0)
        message_note("%zu of %zu images are done", known,
                     k->p->to - k->p->from);
}

/* All are ready to work, or none goes on. */
static int start(ranked_density *k)
{
    int result = open_journals(k);

    dealing_gather(k->dealt);
    if (!ranks_agree(result == 0, 1))
        return -1;
    if (ranks_rank() == 0)
        note_known(k);
    /* What is refused is said in the end, in order. */
    message_drop(0, 1);
    result = dealing_serve(k->dealt);
    if (result == 0)
        result = work(k);
    result |= byte_journal_close(&k->p->journal);
    if (result != 0)
        ranks_abort();
    message_drop(ranks_rank() > 0, ranks_rank() > 0);
    return result;
}

int density_ranks(density *p, int result)
{
    ranked_density k = {.p = p};

    if (p->settings)
        ranked_mark(p->settings);
    if (!ranks_agree(result == 0, 0) || result != 0 ||
        !ranks_agree(ranked_compare(p->settings) == 0, 0))
        return -1;
    k.dealt = dealing_begin(p->from, p->to, p->pictures.most);
    k.row = memory_zero(p->width + 1, sizeof(*k.row));
    result = start(&k);
    if (result == 0)
        result = ranks_rank() > 0 ? 1 : collect(&k);
    dealing_end(k.dealt);
    free(k.path);
    free(k.row);
    return result;
}
