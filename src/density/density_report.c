/* SPDX-License-Identifier: MIT */
/* The report of density: means, ranks, and ways of merging side by side. */
#include "config.h"

#include "density.h"

#include "../base/memory.h"
#include "../base/ranks.h"
#include "../base/statistics.h"
#include "../session/options_files.h"

#include <stddef.h>
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
    {"ranks", "ranks", NULL},
    {"batch", "batch", NULL},
    {"part", "part", NULL},
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

static const report_column way_columns[] = {
    {"window", "window", NULL},
    {"group", "group", NULL},
    {"gmacs", "GMACs", "%.3f"},
    {"bits_per_byte.mean", "bits/byte", "%.4f"},
    {"more.mean", "more", "%.4f"},
    {"more.standard_error", "s.e.", "%.4f"},
    {"images_per_second", "images/s", "%.1f"},
};

static const report_column image_columns[] = {
    {"rank", "rank", NULL},
    {"image", "image", NULL},
    {"class", NULL, NULL},
    {"bits_per_byte", "bits/byte", "%.3f"},
    {"png_bits_per_byte", "as PNG", "%.3f"},
};

/* ---- ranks --------------------------------------------------------------- */

static int by_bits(const void *a, const void *b)
{
    const density_ranked *x = a, *y = b;

    return x->bits != y->bits ? (x->bits < y->bits ? -1 : 1)
                              : strcmp(x->name, y->name);
}

static int by_class(const void *a, const void *b)
{
    const density_ranked *x = a, *y = b;
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

static density_ranked *rank(const density *p, size_t *count)
{
    double length = (double)p->m.d->length;
    density_ranked *r = memory_zero(p->files->count + 1, sizeof(*r));

    *count = 0;
    for (size_t i = p->from; i < p->from + p->done; i++) {
        const double *w = p->worth + i * p->width;

        if (w[0] >= 0)
            r[(*count)++] = (density_ranked){
                w[0] / length, w[p->count] / length, i,
                p->files->files[i].name, class_of(p->files->files[i].name)};
    }
    return r;
}

static json_t *spread_json(const density_ranked *r, size_t count, size_t offset)
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
static json_t *classes_json(density_ranked *r, size_t count)
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

/* Sorts by bits: the likeliest first. Without `all` the ends alone: a line of
 * every picture takes a kilobyte each. */
static json_t *images_json(density_ranked *r, size_t count, int all)
{
    json_t *out = json_array();

    qsort(r, count, sizeof(*r), by_bits);
    for (size_t i = 0; i < count; i++)
        if (all || i < EXTREMES || i + EXTREMES >= count)
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

/* ---- ways of merging ----------------------------------------------------- */

static json_t *mean_json(const double *values, size_t count)
{
    double error, mean = statistics_mean(values, count, &error);

    return json_pack("{s:o,s:o}", "mean", report_real(mean), "standard_error",
                     report_real(error));
}

/* One way, and how many bits more it takes than the first: picture by picture,
 * so that the error is that of differences. */
static json_t *way_json(const density *p, size_t way)
{
    const density_way *w = &p->ways[way];
    double *values = memory_zero(p->done + 1, sizeof(*values));
    double *more = memory_zero(p->done + 1, sizeof(*more));
    double length = (double)p->m.d->length;
    size_t count = 0;
    json_t *out = json_object();

    for (size_t i = p->from; i < p->from + p->done; i++) {
        const double *worth = p->worth + i * p->width;

        if (worth[0] < 0)
            continue;
        values[count] = worth[way] / length;
        more[count++] = (worth[way] - worth[0]) / length;
    }
    json_object_set_new(out, "window", json_integer((json_int_t)w->window));
    json_object_set_new(out, "group", json_integer((json_int_t)w->group));
    json_object_set_new(out, "gmacs",
                        report_real(tomevit_bytes_macs(w->model) / 1e9));
    json_object_set_new(out, "bits_per_byte", mean_json(values, count));
    if (way > 0)
        json_object_set_new(out, "more", mean_json(more, count));
    json_object_set_new(out, "images_per_second", w->timed > 0
        ? report_real((double)w->timed / w->seconds) : json_null());
    free(values);
    free(more);
    return out;
}

static json_t *ways_json(const density *p)
{
    json_t *out = json_array();

    for (size_t i = 0; i < p->count; i++)
        json_array_append_new(out, way_json(p, i));
    return out;
}

/* ---- all of it ----------------------------------------------------------- */

/* What was computed elsewhere has no threads of this process. */
static void set_computed(const density *p, json_t *object)
{
    json_object_set_new(object, "model", byte_model_json(&p->m));
    byte_model_compute_json(&p->m, object);
    if (p->computed) {
        json_object_update(object, p->computed);
        json_object_del(object, "threads");
        json_object_del(object, "batch");
    }
    if (ranks_count() > 1)
        json_object_set_new(object, "ranks", json_integer(
            (json_int_t)ranks_count()));
    if (json_is_string(json_object_get(p->settings, "--part")))
        json_object_set(object, "part",
                        json_object_get(p->settings, "--part"));
}

/* For people, behind the list. */
static void show_tables(const json_t *object, const json_t *images)
{
    const json_t *folders = json_object_get(object, "classes");
    const json_t *ways = json_object_get(object, "merging");

    if (json_array_size(ways) > 1) {
        putchar('\n');
        report_table(stdout, way_columns, COUNT(way_columns), ways, NULL);
    }
    if (json_array_size(folders) > 1) {
        putchar('\n');
        report_table(stdout, class_columns, COUNT(class_columns), folders,
                     NULL);
    }
    show_extremes(images, json_array_size(images));
    output_flush_people();
}

void density_report(density *p)
{
    size_t count;
    density_ranked *r = rank(p, &count);
    json_t *object = json_object(), *images;
    session_report written = {.object = object, .list = list,
                              .list_count = COUNT(list),
                              .columns = image_columns,
                              .column_count = COUNT(image_columns)};

    set_computed(p, object);
    json_object_set_new(object, "images", json_integer((json_int_t)count));
    if (p->done < p->to - p->from)
        json_object_set_new(object, "partial", json_true());
    json_object_set_new(object, "refused", json_integer(
        (json_int_t)(p->done - count + p->images.unread)));
    json_object_set_new(object, "bits_per_byte", spread_json(
        r, count, offsetof(density_ranked, bits)));
    json_object_set_new(object, "png_bits_per_byte", spread_json(
        r, count, offsetof(density_ranked, png)));
    json_object_set_new(object, "merging", ways_json(p));
    json_object_set_new(object, "classes", classes_json(r, count));
    images = images_json(r, count, p->m.s.json.file || p->m.s.csv.file);
    json_object_set_new(object, "ranked", images);
    written.rows = images;
    if (p->html.file)
        density_html(p->html.file, p, object, r, count);
    session_write(&p->m.s, &written);
    if (!options_use_stdout(p->m.s.options))
        show_tables(object, images);
    for (size_t i = 0; i < count; i++)
        free(r[i].class);
    free(r);
    json_decref(object);
}
