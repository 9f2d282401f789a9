/* SPDX-License-Identifier: MIT */
/*
 * tomerge embed: images to embeddings, in NumPy's format.
 *
 * The rows of a batch are in the file before the journal beside it has a line
 * about them, so that whoever goes on finds at least what the journal says, and
 * cuts off the rest.
 */
#include "config.h"

#include "commands.h"

#include "base/memory.h"
#include "base/message.h"
#include "base/printable.h"
#include "base/ranks.h"
#include "embeddings/embedding.h"
#include "embeddings/half.h"
#include "embeddings/npy_grow.h"
#include "evaluation/dataset.h"
#include "evaluation/ranked.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const report_column list[] = {
    {"model.file", "model", NULL},
    {"preprocessing.chain", "preprocessing", NULL},
    {"preprocessing.source", "  from", NULL},
    {"method", "merging", NULL},
    {"schedule", "  r", NULL},
    {"tokens_left", "  tokens left", "%.1f"},
    {"gmacs", "GMACs", "%.2f"},
    {"dtype", "dtype", NULL},
    {"cpu", "cpu", NULL},
    {"threads", "threads", NULL},
    {"batch", "batch", NULL},
    {"images", "images", NULL},
    {"refused", "refused", NULL},
    {"output.file", "embeddings", NULL},
    {"output.of", "  of", NULL},
    {"output.shape", "  shape", NULL},
    {"output.dtype", "  dtype", NULL},
    {"output.normalised", "  unit length", NULL},
    {"output.names", "names", NULL},
    {"output.sizes", "sizes", NULL},
    {"output.map", "map", NULL},
    {"images_per_second.forward", "images/s", "%.1f (forward)"},
    {"images_per_second.total", "", "%.1f (with decoding)"},
    {"seconds.wall", "seconds", "%.2f"}
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What is written. */
typedef struct embed {
    session *s;
    embedding e;
    npy_grow values, sizes, map; /* the last two where merged rows are */
    uint16_t *halves;      /* [numbers of an image] */
    int gathers;           /* the files are of all ranks, not this one's own */
} embed;

/* ---- as the images come -------------------------------------------------- */

static int has_map(const embed *m)
{
    return m->e.kind == OPTIONS_MERGED;
}

static int begin(void *data, size_t before)
{
    embed *m = data;

    if (npy_grow_from(&m->values, before) != 0)
        return -1;
    return !has_map(m) ? 0 : npy_grow_from(&m->sizes, before) |
                             npy_grow_from(&m->map, before);
}

static int take(void *data, size_t i, const folder_file *file, char *why)
{
    embed *m = data;
    const void *row = m->e.value;

    (void)file;
    if (embedding_take(&m->e, i, why) != 0)
        return 1;
    for (size_t k = 0; m->e.half && k < embedding_count(&m->e); k++)
        m->halves[k] = half_of(m->e.value[k]);
    if (npy_grow_add(&m->values, m->e.half ? (const void *)m->halves : row))
        return -1;
    return !has_map(m) ? 0 : npy_grow_add(&m->sizes, m->e.sizes) |
                             npy_grow_add(&m->map, m->e.map);
}

static int flush(void *data)
{
    embed *m = data;

    if (npy_grow_flush(&m->values) != 0)
        return -1;
    return !has_map(m) ? 0 : npy_grow_flush(&m->sizes) |
                             npy_grow_flush(&m->map);
}

static int settle(void *data)
{
    embed *m = data;

    if (npy_grow_settle(&m->values) != 0)
        return -1;
    return !has_map(m) ? 0 : npy_grow_settle(&m->sizes) |
                             npy_grow_settle(&m->map);
}

/* ---- files --------------------------------------------------------------- */

/* PATH, or of one of several ranks PATH.K. */
static char *path_of(const char *path, size_t rank)
{
    size_t size = strlen(path) + 24;
    char *own = memory_zero(size, 1);

    if (ranks_on())
        snprintf(own, size, "%s.%zu", path, rank);
    else
        snprintf(own, size, "%s", path);
    return own;
}

/* What a rank writes of `path`, PATH.K.part: whether it is there, or has to
 * go. */
static int part_is_there(const char *path, size_t rank, int remove)
{
    char *own = path ? path_of(path, rank) : NULL;
    size_t size = own ? strlen(own) + 6 : 1;
    char *part = memory_zero(size, 1);

    if (own)
        snprintf(part, size, "%s.part", own);
    int there = !own || access(part, F_OK) == 0;
    if (own && remove)
        unlink(part);
    free(part);
    free(own);
    return there;
}

static int has(void *data, size_t rank)
{
    const options *o = ((embed *)data)->s->options;

    return part_is_there(o->output, rank, 0) &&
           part_is_there(o->beside[OPTIONS_SIZES], rank, 0) &&
           part_is_there(o->beside[OPTIONS_MAP], rank, 0);
}

/* A journal of rows that are nowhere is from the moment between their being
 * whole and its end, or they were removed: all begins anew. */
static void check_journal(embed *m)
{
    char *path = path_of(m->s->options->resume, ranks_rank());

    if (access(path, F_OK) == 0 && !has(m, ranks_rank())) {
        message_note("%s: what it is about is not there: all is done again",
                     path);
        unlink(path);
    }
    free(path);
}

/* Of this process, or of all ranks. */
static int open_arrays(embed *m)
{
    const options *o = m->s->options;
    const embedding *e = &m->e;
    npy_shape shapes[] = {
        {'f', e->half ? 2 : 4, e->rows ? 2 : 1,
         {e->rows ? e->rows : e->dim, e->dim}},
        {'f', 4, 1, {e->rows, 0}},
        {'i', 4, 1, {e->model->tokens, 0}}
    };
    const char *paths[] = {o->output, o->beside[OPTIONS_SIZES],
                           o->beside[OPTIONS_MAP]};
    npy_grow *files[] = {&m->values, &m->sizes, &m->map};
    int result = 0;

    for (size_t i = 0; i < (has_map(m) ? 3 : 1) && result == 0; i++) {
        char *path = m->gathers ? memory_text(paths[i])
                                : path_of(paths[i], ranks_rank());
        result = npy_grow_open(files[i], path, &shapes[i]);
        free(path);
    }
    return result;
}

static int open_files(embed *m)
{
    m->halves = memory_zero(embedding_count(&m->e), sizeof(*m->halves));
    check_journal(m);
    return open_arrays(m);
}

/* The next rows are those of a rank. */
static int gather(void *data, size_t rank, size_t first, size_t count)
{
    embed *m = data;
    const options *o = m->s->options;
    const char *paths[] = {o->output, o->beside[OPTIONS_SIZES],
                           o->beside[OPTIONS_MAP]};
    npy_grow *files[] = {&m->values, &m->sizes, &m->map};
    size_t arrays = has_map(m) ? 3 : 1;
    int result = 0;

    if (!m->gathers) {
        for (size_t i = 0; i < arrays; i++)
            npy_grow_leave(files[i]);
        m->gathers = 1;
        result = open_arrays(m) != 0 ? -1 : begin(m, 0);
    }
    for (size_t i = 0; i < arrays && result == 0; i++) {
        char *path = path_of(paths[i], rank);
        result = npy_grow_copy(files[i], path, first, count);
        free(path);
    }
    return result;
}

/* What a rank has written has been gathered. */
static int remove_rank(void *data, size_t rank)
{
    const options *o = ((embed *)data)->s->options;
    char *path = path_of(o->resume, rank);

    unlink(path);
    part_is_there(o->output, rank, 1);
    part_is_there(o->beside[OPTIONS_SIZES], rank, 1);
    part_is_there(o->beside[OPTIONS_MAP], rank, 1);
    free(path);
    return 0;
}

static void remove_journals(embed *m)
{
    if (ranks_on())
        ranked_each(m->s->options->resume, remove_rank, m);
    else
        unlink(m->s->options->resume);
}

/* A name a line, with what would end the line as printable writes it. */
static int write_names(const options *o, const dataset *d, const outcomes *all)
{
    output names;

    if (output_open(&names, o->beside[OPTIONS_NAMES]) != 0)
        return -1;
    for (size_t i = 0; i < all->images; i++) {
        const char *name = d->files.files[all->file[i]].name;
        if (strpbrk(name, "\r\n"))
            printable_put(name, names.file);
        else
            fputs(name, names.file);
        fputc('\n', names.file);
    }
    return output_close(&names);
}

/* All is there: the names, then the arrays, then nothing to go on from. */
static int finish(embed *m, const dataset *d, const outcomes *all)
{
    const options *o = m->s->options;

    if (write_names(o, d, all) != 0 || flush(m) != 0 ||
        (has_map(m) && (npy_grow_finish(&m->sizes) != 0 ||
                        npy_grow_finish(&m->map) != 0)) ||
        npy_grow_finish(&m->values) != 0)
        return -1;
    remove_journals(m);
    return 0;
}

static void close_files(embed *m, int keep)
{
    npy_grow *files[] = {&m->values, &m->sizes, &m->map};

    for (size_t i = 0; i < COUNT(files); i++)
        if (keep)
            npy_grow_leave(files[i]);
        else
            npy_grow_remove(files[i]);
    free(m->halves);
    embedding_end(&m->e);
}

/* ---- reporting ----------------------------------------------------------- */

static json_t *output_json(const embed *m)
{
    static const char *const kinds[] = {
        [OPTIONS_POOLED] = "pooled", [OPTIONS_CLASS] = "class token",
        [OPTIONS_PROJECTED] = "projected",
        [OPTIONS_MERGED] = "tokens, merged",
        [OPTIONS_RESTORED] = "tokens, restored"
    };
    const options *o = m->s->options;
    json_t *shape = json_pack("[I]", (json_int_t)m->values.rows);
    json_t *out = json_object();

    for (size_t i = 0; i < m->values.shape.dims; i++)
        json_array_append_new(shape, json_integer(
            (json_int_t)m->values.shape.dim[i]));
    json_object_set_new(out, "file", report_string(o->output));
    json_object_set_new(out, "names",
                        report_string(o->beside[OPTIONS_NAMES]));
    if (has_map(m)) {
        json_object_set_new(out, "sizes",
                            report_string(o->beside[OPTIONS_SIZES]));
        json_object_set_new(out, "map", report_string(o->beside[OPTIONS_MAP]));
    }
    json_object_set_new(out, "of", json_string(kinds[m->e.kind]));
    json_object_set_new(out, "shape", shape);
    json_object_set_new(out, "dtype", json_string(m->e.half ? "f16" : "f32"));
    json_object_set_new(out, "normalised", json_boolean(m->e.normalise));
    if (m->e.rows > 0)
        json_object_set_new(out, "prefix",
                            json_integer((json_int_t)m->e.model->prefix));
    return out;
}

static void report(embed *m, const dataset *d, const outcomes *all)
{
    json_t *object = dataset_run_json(d, m->s, all, 0);
    json_t *rows = json_pack("[O]", object);
    session_report written = {object, rows, list, list, COUNT(list),
                              COUNT(list), 0, NULL, 0, NULL};

    json_object_set_new(object, "output", output_json(m));
    session_write(m->s, &written);
    json_decref(rows);
    json_decref(object);
}

/* ---- the command --------------------------------------------------------- */

static void embed_all(embed *m, dataset *d)
{
    evaluate_sink sink = {m->e.out, begin, take, flush, has, settle, gather,
                          m};
    outcomes all;
    int failed = open_files(m);

    d->sink = &sink;
    memset(&all, 0, sizeof(all));
    if (failed == 0)
        failed = dataset_evaluate(d, m->s, 1, &all, NULL, NULL);
    int whole = failed == 0 && !outcomes_are_partial(&all);
    int empty = whole && all.images == 0;
    if (whole && !empty)
        failed = finish(m, d, &all);
    m->s->worth = failed || empty ? OUTPUT_FAILED : OUTPUT_WHOLE;
    if (failed == 0) {
        if (!empty)
            report(m, d, &all);
        dataset_remark(d, &all);
    }
    if (empty)
        remove_journals(m);
    close_files(m, !empty);
    d->sink = NULL;
    outcomes_free(&all);
}

void command_embed(const options *given)
{
    size_t size = strlen(given->output) + 9;
    char *beside = memory_zero(size, 1);
    options o = *given;
    session s;
    dataset d;
    embed m;

    memset(&m, 0, sizeof(m));
    snprintf(beside, size, "%s.journal", o.output);
    o.resume = beside;
    m.s = &s;
    if (session_open(&s, &o) == 0 && dataset_open_images(&d, &s) == 0) {
        if (embedding_begin(&m.e, &s) == 0)
            embed_all(&m, &d);
        else
            embedding_end(&m.e);
        dataset_close(&d);
    }
    session_close(&s);
    free(beside);
}
