/* SPDX-License-Identifier: MIT */
/* tomerge density: how many bits each picture is worth to a model of bytes. */
#include "config.h"

#include "commands.h"

#include "base/memory.h"
#include "base/message.h"
#include "base/progress.h"
#include "base/signals.h"
#include "base/statistics.h"
#include "bytes/byte_journal.h"
#include "bytes/byte_model.h"
#include "bytes/heat.h"
#include "evaluation/dataset.h"
#include "images/png_write.h"
#include "session/options_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { EXTREMES = 5 };     /* pictures shown at either end */

static const report_column list[] = {
    {"model.file", "model", NULL},
    {"model.parameters", "  parameters", NULL},
    {"dtype", "dtype", NULL},
    {"cpu", "cpu", NULL},
    {"threads", "threads", NULL},
    {"batch", "batch", NULL},
    {"window", "merging windows of", NULL},
    {"group", "  in groups of", NULL},
    {"gmacs", "GMACs", "%.3f"},
    {"images", "images", NULL},
    {"refused", "refused", NULL},
    {"bits_per_byte.mean", "bits/byte", "%.3f"},
    {"bits_per_byte.standard_error", "  standard error", "%.3f"},
    {"bits_per_byte.p1", "  1st percentile", "%.3f"},
    {"bits_per_byte.p25", "  25th", "%.3f"},
    {"bits_per_byte.p50", "  median", "%.3f"},
    {"bits_per_byte.p75", "  75th", "%.3f"},
    {"bits_per_byte.p99", "  99th", "%.3f"},
    {"png_bits_per_byte.mean", "as PNG", "%.3f"},
};

static const report_column class_columns[] = {
    {"class", "class", NULL},
    {"images", "images", NULL},
    {"bits_per_byte", "bits/byte", "%.3f"},
    {"png_bits_per_byte", "as PNG", "%.3f"},
};

static const report_column image_columns[] = {
    {"rank", "rank", NULL},
    {"image", "image", NULL},
    {"class", NULL, NULL},
    {"bits_per_byte", "bits/byte", "%.3f"},
    {"png_bits_per_byte", "as PNG", "%.3f"},
};

typedef struct density {
    byte_model m;
    dataset images;        /* of no class */
    folder *files;         /* those of the images */
    byte_worth *worth;     /* [files->count] */
    size_t done;           /* pictures so far */
    byte_journal journal;
    byte_pictures pictures;
    float *bits;           /* [batch, length] */
    int mapped;            /* the map is written, or none is wanted */
} density;

/* ---- pictures ------------------------------------------------------------ */

static int open_images(density *p)
{
    p->files = &p->images.files;
    return dataset_open_images(&p->images, &p->m.s);
}

/* What the numbers depend on. */
static json_t *settings(density *p)
{
    uint64_t arithmetic, names = 0;
    const options *o = p->m.s.options;
    char text[3][17];

    if (byte_model_arithmetic(&p->m, &arithmetic) != 0)
        return NULL;
    for (size_t i = 0; i < p->files->count; i++)
        for (const char *c = p->files->files[i].name; *c; c++)
            names = (names ^ (unsigned char)*c) * UINT64_C(1099511628211) + i;
    snprintf(text[0], 17, "%016llx", (unsigned long long)p->m.digest);
    snprintf(text[1], 17, "%016llx", (unsigned long long)arithmetic);
    snprintf(text[2], 17, "%016llx", (unsigned long long)names);
    return json_pack("{s:i,s:s,s:s,s:s,s:I,s:b,s:b,s:b}", "density", 1,
                     "model", text[0], "arithmetic", text[1], "names", text[2],
                     "images", (json_int_t)p->files->count, "exif", o->exif,
                     "lenient", o->lenient, "strict", o->strict);
}

/* Bits of a picture's pixels as a PNG. */
static double png_bits(const byte_model *m, const uint8_t *bytes)
{
    uint8_t *pixels = memory_zero(m->d->length, 1), *png;
    image picture = {pixels, m->d->width, m->d->height};
    char why[PNG_WRITE_WHY];
    size_t count = 0;

    tomevit_bytes_pixels(m->model, bytes, pixels);
    png = png_encode_smallest(&picture, &count, why);
    free(png);
    free(pixels);
    return 8.0 * (double)count;
}

/* Files i .. i + count - 1, all at once. */
static int measure_batch(density *p, size_t first, size_t count)
{
    byte_pictures *in = &p->pictures;
    size_t length = p->m.d->length;
    tomevit_bytes_output out = {.bits = p->bits};

    byte_pictures_read(in, &p->m, p->files->files + first, count);
    int error = tomevit_bytes_forward(p->m.context, count, in->bytes, &out);
    if (error) {
        message_failed("%s", tomevit_strerror(error));
        return -1;
    }
#pragma omp parallel for num_threads(p->m.s.threads) schedule(dynamic, 1)
    for (size_t i = 0; i < count; i++) {
        byte_worth *w = &p->worth[first + i];

        *w = (byte_worth){-1, -1};
        if (in->why[i][0] != '\0')
            continue;
        w->bits = 0;
        for (size_t k = 0; k < length; k++)
            w->bits += (double)p->bits[i * length + k];
        w->png = png_bits(&p->m, in->bytes + i * length);
    }
    return 0;
}

/* The first picture's map. */
static int draw(density *p, size_t i)
{
    const options *o = p->m.s.options;

    if (p->mapped || p->pictures.why[i][0] != '\0')
        return 0;
    p->mapped = 1;
    return heat_write(o->map, &p->m, p->bits + i * p->m.d->length);
}

static int measure(density *p)
{
    int result = 0;

    progress_start(p->files->count, p->m.s.options->quiet);
    for (size_t i = p->done, now; i < p->files->count && result == 0 &&
                                  !signals_stop(); i += now) {
        now = p->files->count - i < p->pictures.most ? p->files->count - i
                                                    : p->pictures.most;
        result = measure_batch(p, i, now);
        for (size_t k = 0; k < now && result == 0; k++) {
            if (p->pictures.why[k][0] != '\0')
                message_refused("%s: %s", p->files->files[i + k].path,
                                p->pictures.why[k]);
            result = draw(p, k) | byte_journal_add(&p->journal,
                                                   p->worth[i + k]);
        }
        result |= byte_journal_flush(&p->journal);
        p->done += result == 0 ? now : 0;
        progress_show(p->done, -1);
    }
    progress_end();
    return result;
}

/* ---- reporting ----------------------------------------------------------- */

/* A picture, for ranks. */
typedef struct ranked {
    double bits, png;      /* a byte */
    const char *name;
    char *class;           /* "": none; owned */
} ranked;

static int by_bits(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    return x->bits != y->bits ? (x->bits < y->bits ? -1 : 1)
                              : strcmp(x->name, y->name);
}

static int by_class(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    int order = strcmp(x->class, y->class);

    return order ? order : by_bits(a, b);
}

/* The folder that a picture is in, by its name. */
static char *class_of(const char *name)
{
    const char *slash = strrchr(name, '/');
    char *class = memory_text(name);

    class[slash ? (size_t)(slash - name) : 0] = '\0';
    return class;
}

static ranked *rank(const density *p, size_t *count)
{
    double length = (double)p->m.d->length;
    ranked *r = memory_zero(p->files->count + 1, sizeof(*r));

    *count = 0;
    for (size_t i = 0; i < p->done; i++)
        if (p->worth[i].bits >= 0)
            r[(*count)++] = (ranked){
                p->worth[i].bits / length, p->worth[i].png / length,
                p->files->files[i].name, class_of(p->files->files[i].name)};
    return r;
}

static json_t *spread_json(const ranked *r, size_t count, size_t offset)
{
    static const int percents[] = {1, 5, 25, 50, 75, 95, 99};
    double *values = memory_zero(count + 1, sizeof(*values)), error;
    json_t *out = json_object();

    for (size_t i = 0; i < count; i++)
        memcpy(&values[i], (const char *)&r[i] + offset, sizeof(*values));
    json_object_set_new(out, "mean", report_real(
        statistics_mean(values, count, &error)));
    json_object_set_new(out, "standard_error", report_real(error));
    for (size_t i = 0; i < COUNT(percents) && count > 0; i++) {
        char key[8];

        snprintf(key, sizeof(key), "p%d", percents[i]);
        json_object_set_new(out, key, report_real(
            statistics_percentile(values, count, percents[i])));
    }
    free(values);
    return out;
}

/* Sorts by class. */
static json_t *classes_json(ranked *r, size_t count)
{
    json_t *out = json_array();

    qsort(r, count, sizeof(*r), by_class);
    for (size_t i = 0, j; i < count; i = j) {
        double bits = 0, png = 0;

        for (j = i; j < count && strcmp(r[i].class, r[j].class) == 0; j++) {
            bits += r[j].bits;
            png += r[j].png;
        }
        json_array_append_new(out, json_pack(
            "{s:o,s:I,s:o,s:o}", "class", report_string(r[i].class), "images",
            (json_int_t)(j - i), "bits_per_byte",
            report_real(bits / (double)(j - i)), "png_bits_per_byte",
            report_real(png / (double)(j - i))));
    }
    return out;
}

/* Sorts by bits: the likeliest first. */
static json_t *images_json(ranked *r, size_t count)
{
    json_t *out = json_array();

    qsort(r, count, sizeof(*r), by_bits);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, json_pack(
            "{s:I,s:o,s:o,s:o,s:o}", "rank", (json_int_t)(i + 1), "image",
            report_string(r[i].name), "class", report_string(r[i].class),
            "bits_per_byte", report_real(r[i].bits), "png_bits_per_byte",
            report_real(r[i].png)));
    return out;
}

/* The ends of the ranks, for people. */
static void show_extremes(const json_t *images, size_t count)
{
    json_t *shown = json_array();

    for (size_t i = 0; i < count; i++)
        if (i < EXTREMES || i + EXTREMES >= count)
            json_array_append(shown, json_array_get(images, i));
    putchar('\n');
    report_table(stdout, image_columns, COUNT(image_columns), shown, NULL);
    json_decref(shown);
}

static void report(density *p)
{
    size_t count;
    ranked *r = rank(p, &count);
    json_t *object = json_object(), *images, *folders;
    session_report written = {.object = object, .list = list,
                              .list_count = COUNT(list),
                              .columns = image_columns,
                              .column_count = COUNT(image_columns)};

    json_object_set_new(object, "model", byte_model_json(&p->m));
    byte_model_compute_json(&p->m, object);
    json_object_set_new(object, "images", json_integer((json_int_t)count));
    json_object_set_new(object, "refused", json_integer(
        (json_int_t)(p->done - count + p->images.unread)));
    json_object_set_new(object, "bits_per_byte",
                        spread_json(r, count, offsetof(ranked, bits)));
    json_object_set_new(object, "png_bits_per_byte",
                        spread_json(r, count, offsetof(ranked, png)));
    folders = classes_json(r, count);
    images = images_json(r, count);
    json_object_set_new(object, "classes", folders);
    json_object_set_new(object, "ranked", images);
    written.rows = images;
    session_write(&p->m.s, &written);
    if (!options_use_stdout(p->m.s.options)) {
        if (json_array_size(folders) > 1) {
            putchar('\n');
            report_table(stdout, class_columns, COUNT(class_columns), folders,
                         NULL);
        }
        show_extremes(images, count);
        output_flush_people();
    }
    for (size_t i = 0; i < count; i++)
        free(r[i].class);
    free(r);
    json_decref(object);
}

static int check_map(const density *p)
{
    const options *o = p->m.s.options;

    if (o->map && p->files->count != 1)
        message_usage("--map is of one image, found %zu", p->files->count);
    else if (o->map && o->resume)
        message_usage("--map and --resume exclude each other");
    else
        return 0;
    return -1;
}

static void run(density *p)
{
    const options *o = p->m.s.options;
    json_t *pinned = settings(p);
    size_t known = 0;
    int result = pinned ? 0 : -1;

    p->worth = memory_zero(p->files->count, sizeof(*p->worth));
    p->bits = memory_zero(o->batch * p->m.d->length, sizeof(*p->bits));
    byte_pictures_begin(&p->pictures, &p->m, 0);
    p->mapped = o->map == NULL;
    if (result == 0)
        result = byte_journal_open(&p->journal, o->resume, pinned, p->worth,
                                   p->files->count, &p->done);
    /* What was refused is told again. */
    for (size_t i = 0; i < p->done && result == 0; i++)
        if (p->worth[i].bits < 0)
            message_refused("%s: refused, by the journal",
                            p->files->files[i].path);
    if (result == 0)
        result = measure(p);
    result |= byte_journal_close(&p->journal);
    for (size_t i = 0; i < p->done; i++)
        known += p->worth[i].bits >= 0;
    p->m.s.worth = result != 0 ? OUTPUT_FAILED
                   : known > 0 ? OUTPUT_WHOLE : OUTPUT_EMPTY;
    if (result == 0 && known > 0)
        report(p);
    if (result == 0 && p->done < p->files->count)
        message_refused("stopped: the result is partial, %zu of %zu images",
                        p->done, p->files->count);
    else if (result == 0 && known == 0)
        message_failed("none of the %zu images could be used",
                       p->files->count);
    json_decref(pinned);
    byte_pictures_end(&p->pictures);
}

void command_density(const options *o)
{
    byte_model_how how = {o->dtype, 0, o->window, o->group};
    density p;

    memset(&p, 0, sizeof(p));
    if (byte_model_open(&p.m, o, how) == 0 && open_images(&p) == 0 &&
        check_map(&p) == 0)
        run(&p);
    dataset_close(&p.images);
    free(p.worth);
    free(p.bits);
    byte_model_close(&p.m);
}
