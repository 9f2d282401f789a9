/* SPDX-License-Identifier: MIT */
/* tomerge compress: pictures to an archive, by what a model of bytes says. */
#include "config.h"

#include "commands.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"
#include "base/progress.h"
#include "base/signals.h"
#include "bytes/byte_model.h"
#include "bytes/packed.h"
#include "bytes/range_coder.h"
#include "evaluation/dataset.h"
#include "images/png_write.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const report_column list[] = {
    {"model.file", "model", NULL},
    {"dtype", "dtype", NULL},
    {"cpu", "cpu", NULL},
    {"threads", "threads", NULL},
    {"batch", "batch", NULL},
    {"window", "merging windows of", NULL},
    {"group", "  in groups of", NULL},
    {"gmacs", "GMACs", "%.3f"},
    {"archive", "archive", NULL},
    {"images", "images", NULL},
    {"refused", "refused", NULL},
    {"pixel_bytes", "bytes of pixels", NULL},
    {"archive_bytes", "  of the archive", NULL},
    {"model_bytes", "  of the model", NULL},
    {"png_bytes", "  as PNG files", NULL},
    {"bits_per_byte", "bits/byte", "%.3f"},
    {"bits_per_byte_with_model", "  with the model", "%.3f"},
    {"png_bits_per_byte", "  as PNG files", "%.3f"},
    {"images_per_second", "images/s", "%.1f"},
    {"seconds", "seconds", "%.2f"},
};

typedef struct compress {
    byte_model m;
    dataset images;        /* of no class */
    folder *files;         /* those of the images */
    char **names;          /* [files->count]: in the archive */
    byte_pictures pictures;
    range_part *parts;     /* [batch, length]: of each byte */
    output out;
    packed_writer writer;
    size_t refused;
    double png_bytes, seconds;
} compress;

/* ---- names --------------------------------------------------------------- */

static int ends_in_png(const char *name)
{
    size_t length = strlen(name);
    const char *end = ".png";

    if (length < 5)
        return 0;
    for (size_t i = 0; i < 4; i++)
        if (tolower((unsigned char)name[length - 4 + i]) != end[i])
            return 0;
    return 1;
}

/* As it will be called: below the folder that it is expanded to, so without
 * what leads to its root or upwards, and a PNG. */
static char *name_in_archive(const char *name)
{
    size_t size = strlen(name) + 5, used = 0;
    char *out = memory_zero(size, 1);

    while (*name) {
        size_t length = strcspn(name, "/");
        int is_step = length == 0 || (length == 1 && name[0] == '.') ||
                      (length == 2 && name[0] == '.' && name[1] == '.');

        if (!is_step)
            used += (size_t)snprintf(out + used, size - used, "%s%.*s",
                                     used ? "/" : "", (int)length, name);
        name += length + (name[length] == '/');
    }
    if (!ends_in_png(out))
        snprintf(out + used, size - used, ".png");
    return out;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int name_all(compress *p)
{
    size_t count = p->files->count;
    char **sorted = memory_zero(count, sizeof(*sorted));
    int result = 0;

    p->names = memory_zero(count, sizeof(*p->names));
    for (size_t i = 0; i < count; i++)
        sorted[i] = p->names[i] = name_in_archive(p->files->files[i].name);
    qsort(sorted, count, sizeof(*sorted), by_text);
    for (size_t i = 0; i < count && result == 0; i++) {
        if (strlen(sorted[i]) > PACKED_NAME)
            message_failed("'%.80s...': its name is too long", sorted[i]);
        else if (i > 0 && strcmp(sorted[i - 1], sorted[i]) == 0)
            message_failed("two pictures would be called '%s'", sorted[i]);
        else
            continue;
        result = -1;
    }
    free(sorted);
    return result;
}

static int open_images(compress *p)
{
    if (dataset_open_images(&p->images, &p->m.s) != 0)
        return -1;
    p->files = &p->images.files;
    p->refused = p->images.unread;
    return name_all(p);
}

/* ---- pictures ------------------------------------------------------------ */

/* The parts of bytes, as their probabilities come. */
static void note_parts(void *data, size_t picture, size_t first, size_t rows,
                       const float *probabilities)
{
    compress *p = data;
    size_t at = picture * p->m.d->length + first;
    uint32_t frequency[RANGE_VALUES];

    for (size_t i = 0; i < rows; i++) {
        uint8_t byte = p->pictures.bytes[at + i];
        range_part part = {0, 0};

        range_frequencies(probabilities + i * RANGE_VALUES, frequency);
        for (size_t k = 0; k < byte; k++)
            part.before += frequency[k];
        part.own = frequency[byte];
        p->parts[at + i] = part;
    }
}

static range_encoder encode(const compress *p, size_t i)
{
    size_t length = p->m.d->length;
    range_encoder e;

    range_encode_begin(&e);
    for (size_t k = 0; k < length; k++)
        range_encode(&e, p->parts[i * length + k]);
    range_encode_end(&e);
    return e;
}

/* Bytes of a picture as a PNG. */
static double png_bytes(const compress *p, size_t i)
{
    const tomevit_bytes_description *d = p->m.d;
    uint8_t *pixels = memory_zero(d->length, 1);
    image picture = {pixels, d->width, d->height};
    char why[PNG_WRITE_WHY];
    size_t count = 0;

    tomevit_bytes_pixels(p->m.model, p->pictures.bytes + i * d->length,
                         pixels);
    free(png_encode_smallest(&picture, &count, why));
    free(pixels);
    return (double)count;
}

static void write_one(compress *p, size_t file, size_t i,
                      const range_encoder *e)
{
    packed_picture *picture = memory_zero(1, sizeof(*picture));
    size_t length = p->m.d->length;

    snprintf(picture->name, sizeof(picture->name), "%s", p->names[file]);
    picture->bytes = e->bytes;
    picture->count = e->count;
    picture->sum = packed_sum(picture, p->pictures.bytes + i * length, length);
    packed_write(&p->writer, picture);
    free(picture);
}

static int pack_batch(compress *p, size_t first, size_t count)
{
    byte_pictures *in = &p->pictures;
    tomevit_bytes_output out = {.each = note_parts, .data = p};
    range_encoder *e = memory_zero(count, sizeof(*e));
    double png = 0;

    byte_pictures_read(in, &p->m, p->files->files + first, count);
    int error = tomevit_bytes_forward(p->m.context, count, in->bytes, &out);
    if (error)
        message_failed("%s", tomevit_strerror(error));
#pragma omp parallel for num_threads(p->m.s.threads) schedule(dynamic, 1) \
    reduction(+ : png)
    for (size_t i = 0; i < count; i++)
        if (!error && in->why[i][0] == '\0') {
            e[i] = encode(p, i);
            png += png_bytes(p, i);
        }
    p->png_bytes += png;
    for (size_t i = 0; i < count; i++) {
        if (in->why[i][0] != '\0') {
            message_refused("%s: %s", p->files->files[first + i].path,
                            in->why[i]);
            p->refused++;
        } else if (!error) {
            write_one(p, first + i, i, &e[i]);
        }
        free(e[i].bytes);
    }
    free(e);
    return error ? -1 : 0;
}

static int pack(compress *p)
{
    double began = clock_seconds();
    int result = 0;

    progress_start(p->files->count, p->m.s.options->quiet);
    for (size_t i = 0, now; i < p->files->count && result == 0; i += now) {
        now = p->files->count - i < p->pictures.most ? p->files->count - i
                                                    : p->pictures.most;
        if (signals_stop()) {
            message_failed("stopped: no archive is written");
            result = -1;
        } else {
            result = pack_batch(p, i, now);
        }
        progress_show(i + now, -1);
    }
    progress_end();
    p->seconds = clock_seconds() - began;
    return result;
}

/* ---- reporting ----------------------------------------------------------- */

static double file_bytes(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? (double)status.st_size : 0;
}

static void report(compress *p, double archive)
{
    const options *o = p->m.s.options;
    double count = (double)p->writer.pictures;
    double pixels = count * (double)p->m.d->length;
    double model = file_bytes(o->model);
    json_t *object = json_object(), *rows = json_pack("[O]", object);
    session_report written = {.object = object, .rows = rows, .list = list,
                              .list_count = COUNT(list)};

    json_object_set_new(object, "model", byte_model_json(&p->m));
    byte_model_compute_json(&p->m, object);
    json_object_set_new(object, "archive", report_string(o->output));
    json_object_set_new(object, "images", json_integer((json_int_t)count));
    json_object_set_new(object, "refused",
                        json_integer((json_int_t)p->refused));
    json_object_set_new(object, "pixel_bytes",
                        json_integer((json_int_t)pixels));
    json_object_set_new(object, "archive_bytes",
                        json_integer((json_int_t)archive));
    json_object_set_new(object, "model_bytes",
                        json_integer((json_int_t)model));
    json_object_set_new(object, "png_bytes",
                        json_integer((json_int_t)p->png_bytes));
    json_object_set_new(object, "bits_per_byte",
                        report_real(8 * archive / pixels));
    json_object_set_new(object, "bits_per_byte_with_model",
                        report_real(8 * (archive + model) / pixels));
    json_object_set_new(object, "png_bits_per_byte",
                        report_real(8 * p->png_bytes / pixels));
    json_object_set_new(object, "images_per_second",
                        report_real(count / p->seconds));
    json_object_set_new(object, "seconds", report_real(p->seconds));
    session_write(&p->m.s, &written);
    json_decref(rows);
    json_decref(object);
}

static int header_of(compress *p, packed_header *h)
{
    const options *o = p->m.s.options;
    const char *slash = strrchr(o->model, '/');

    memset(h, 0, sizeof(*h));
    h->digest = p->m.digest;
    h->window = o->window;
    h->group = o->group;
    h->width = p->m.d->width;
    h->height = p->m.d->height;
    snprintf(h->model, sizeof(h->model), "%.60s", slash ? slash + 1 : o->model);
    snprintf(h->tier, sizeof(h->tier), "%s", tomevit_bytes_cpu(p->m.model));
    snprintf(h->dtype, sizeof(h->dtype), "%s", tomevit_dtype_name(o->dtype));
    return byte_model_arithmetic(&p->m, p->m.context, &h->arithmetic);
}

static void run(compress *p)
{
    const options *o = p->m.s.options;
    packed_header h;
    int result = header_of(p, &h);

    p->parts = memory_zero(o->batch * p->m.d->length, sizeof(*p->parts));
    byte_pictures_begin(&p->pictures, &p->m, 1);
    if (result == 0)
        result = output_open(&p->out, o->output);
    if (result == 0) {
        packed_write_begin(&p->writer, p->out.file, &h);
        result = pack(p);
        packed_write_end(&p->writer);
        if (result == 0 && p->writer.pictures == 0) {
            message_failed("none of the %zu images could be used",
                           p->files->count);
            result = -1;
        }
        if (result != 0)
            output_abandon(&p->out);
        else
            result = output_close(&p->out);
    }
    p->m.s.worth = result ? OUTPUT_FAILED : OUTPUT_WHOLE;
    if (result == 0)
        report(p, file_bytes(o->output));
    byte_pictures_end(&p->pictures);
    free(p->parts);
}

void command_compress(const options *o)
{
    byte_model_how how = {o->dtype, o->portable, o->window, o->group};
    compress p;

    memset(&p, 0, sizeof(p));
    if (byte_model_open(&p.m, o, how) == 0 && open_images(&p) == 0)
        run(&p);
    for (size_t i = 0; p.names && i < p.files->count; i++)
        free(p.names[i]);
    free(p.names);
    dataset_close(&p.images);
    byte_model_close(&p.m);
}
