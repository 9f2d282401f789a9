/* SPDX-License-Identifier: MIT */
/* tomerge expand: the pictures of an archive that compress wrote. */
#include "config.h"

#include "commands.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/message.h"
#include "base/progress.h"
#include "base/replace.h"
#include "base/signals.h"
#include "bytes/byte_model.h"
#include "bytes/packed.h"
#include "bytes/range_coder.h"
#include "images/png_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const report_column list[] = {
    {"archive", "archive", NULL},
    {"model.file", "model", NULL},
    {"dtype", "dtype", NULL},
    {"cpu", "cpu", NULL},
    {"threads", "threads", NULL},
    {"batch", "batch", NULL},
    {"window", "merging windows of", NULL},
    {"group", "  in groups of", NULL},
    {"gmacs", "GMACs", "%.3f"},
    {"folder", "folder", NULL},
    {"images", "images", NULL},
    {"refused", "refused", NULL},
    {"images_per_second", "images/s", "%.1f"},
    {"seconds", "seconds", "%.2f"},
};

typedef struct expand {
    const char *path;
    byte_model m;
    uint8_t *file;         /* mapped */
    size_t file_bytes;
    packed_header h;
    packed_reader reader;
    packed_picture *group; /* [batch] */
    range_decoder *decoders;
    float *probabilities;  /* [batch, 256] */
    uint8_t *before;       /* [batch] */
    uint8_t *bytes;        /* [batch, length] */
    uint32_t sums;
    size_t written, refused, whole; /* whole: pictures that were not damaged */
    double seconds;
} expand;

/* ---- the archive --------------------------------------------------------- */

static int failed(const char *path)
{
    message_failed("%s: %s", path, strerror(errno));
    return -1;
}

static int open_file(expand *p)
{
    int descriptor = open(p->path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    static const uint8_t nothing[1] = {0};
    char why[PACKED_WHY];

    if (descriptor < 0)
        return failed(p->path);
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        message_failed("%s: an archive is a regular file", p->path);
        close(descriptor);
        return -1;
    }
    p->file_bytes = (size_t)status.st_size;
    if (p->file_bytes > 0) {
        p->file = mmap(NULL, p->file_bytes, PROT_READ, MAP_PRIVATE, descriptor,
                       0);
        if (p->file == MAP_FAILED)
            p->file = NULL;
    }
    close(descriptor);
    if (p->file_bytes > 0 && !p->file)
        return failed(p->path);
    if (packed_read_begin(&p->reader, p->file ? p->file : nothing,
                          p->file_bytes, &p->h, why) == 0)
        return 0;
    message_failed("%s: %s", p->path, why);
    return -1;
}

/* That this model on this machine says what was said when it was packed. */
static int check_model(expand *p)
{
    const packed_header *h = &p->h;
    const char *tier = tomevit_bytes_cpu(p->m.model);
    uint64_t arithmetic;

    if (h->digest != p->m.digest) {
        message_failed("%s: packed with another model, '%s', whose digest is "
                       "%016llx; that of %s is %016llx", p->path, h->model,
                       (unsigned long long)h->digest, p->m.s.options->model,
                       (unsigned long long)p->m.digest);
        return -1;
    }
    if (strcmp(h->tier, tier) != 0) {
        message_failed("%s: packed by the kernels of '%s', but these are '%s', "
                       "whose last bits differ: give --cpu %s, on a machine "
                       "that has it", p->path, h->tier, tier, h->tier);
        return -1;
    }
    if (h->width != p->m.d->width || h->height != p->m.d->height) {
        message_failed("%s: its pictures are not the model's size", p->path);
        return -1;
    }
    if (byte_model_arithmetic(&p->m, p->m.context, &arithmetic) != 0)
        return -1;
    if (arithmetic == h->arithmetic)
        return 0;
    message_failed("%s: packed where '%s' gives other last bits than here "
                   "(another C library, compiler or version); --portable "
                   "archives open anywhere", p->path, h->tier);
    return -1;
}

/* ---- the folder ---------------------------------------------------------- */

/* New, or empty. */
static int open_folder(const char *path)
{
    DIR *dir;
    int empty = 1;

    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno != EEXIST || !(dir = opendir(path)))
        return failed(path);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        empty = empty && (strcmp(e->d_name, ".") == 0 ||
                          strcmp(e->d_name, "..") == 0);
    closedir(dir);
    if (!empty)
        message_failed("%s: it is not empty", path);
    return empty ? 0 : -1;
}

/* The folders that a file of this path is in. */
static void make_folders(const char *root, char *path)
{
    for (char *c = path + strlen(root) + 1; *c; c++)
        if (*c == '/') {
            *c = '\0';
            mkdir(path, 0777);                  /* or it is there */
            *c = '/';
        }
}

/* -1 with errno: nothing that is there is written over, and a picture has its
 * name when all of it is on the disk. */
static int write_new(const char *path, const uint8_t *bytes, size_t count)
{
    struct stat status;
    replacement r;

    if (lstat(path, &status) == 0) {
        errno = EEXIST;
        return -1;
    }
    if (replacement_open(&r, path) != 0)
        return -1;
    int reason = fwrite(bytes, 1, count, r.file) == count ? 0
                 : errno ? errno : EIO;
    int failed = replacement_commit(&r);
    errno = reason ? reason : errno;
    return failed || reason ? -1 : 0;
}

/* 0; 1 if it is refused; -1 if nothing more can be written. */
static int write_picture(expand *p, size_t i)
{
    const tomevit_bytes_description *d = p->m.d;
    const char *root = p->m.s.options->output, *name = p->group[i].name;
    uint8_t *pixels = memory_zero(d->length, 1), *png;
    image picture = {pixels, d->width, d->height};
    char why[PNG_WRITE_WHY] = "", *path = memory_path(root, name);
    size_t count = 0;
    int result = 0;

    tomevit_bytes_pixels(p->m.model, p->bytes + i * d->length, pixels);
    png = png_encode_smallest(&picture, &count, why);
    make_folders(root, path);
    if (!png || write_new(path, png, count) != 0) {
        result = png && (errno == ENOSPC || errno == EFBIG || errno == EIO)
                     ? -1 : 1;
        if (result > 0)
            message_refused("%s: %s", path, png ? strerror(errno) : why);
        else
            message_failed("%s: %s", path, strerror(errno));
    }
    free(path);
    free(png);
    free(pixels);
    return result;
}

/* ---- pictures ------------------------------------------------------------ */

/* As many as there are of the next `batch`; *more becomes what packed_read
 * says last: 1, 0, -1 with a line in why. */
static size_t read_group(expand *p, int *more, uint32_t *sums, char *why)
{
    size_t count = 0;

    *more = 1;
    while (count < p->m.s.options->batch && *more == 1) {
        *more = packed_read(&p->reader, &p->group[count], sums, why);
        count += *more == 1;
    }
    return count;
}

/* All of a group side by side, byte by byte. */
static int decode(expand *p, size_t count)
{
    size_t length = p->m.d->length;
    int error = tomevit_bytes_start(p->m.context, count);

    for (size_t i = 0; i < count; i++)
        range_decode_begin(&p->decoders[i], p->group[i].bytes,
                           p->group[i].count);
    for (size_t t = 0; t < length && !error; t++) {
        error = tomevit_bytes_next(p->m.context, t ? p->before : NULL,
                                   p->probabilities);
        for (size_t i = 0; i < count && !error; i++) {
            uint32_t frequency[RANGE_VALUES];

            range_frequencies(p->probabilities + i * RANGE_VALUES, frequency);
            p->before[i] = range_decode(&p->decoders[i], frequency);
            p->bytes[i * length + t] = p->before[i];
        }
    }
    if (error)
        message_failed("%s: %s", p->path, tomevit_strerror(error));
    return error ? -1 : 0;
}

static int damaged(const expand *p, const char *what)
{
    message_failed("%s: %s: the %zu picture%s before it %s written", p->path,
                   what, p->written, p->written == 1 ? "" : "s",
                   p->written == 1 ? "is" : "are");
    return -1;
}

/* 0, or -1 after a message. */
static int take_group(expand *p, size_t count)
{
    size_t length = p->m.d->length;
    char what[64];

    for (size_t i = 0; i < count; i++) {
        uint32_t sum = packed_sum(&p->group[i], p->bytes + i * length, length);

        if (sum != p->group[i].sum) {
            snprintf(what, sizeof(what), "damaged in picture %zu",
                     p->whole + 1);
            return damaged(p, what);
        }
        p->whole++;
        p->sums = packed_add_sum(p->sums, sum);
        if (!packed_name_is_safe(p->group[i].name)) {
            message_refused("%s: picture %zu: its name, '%s', leads out of "
                            "the folder", p->path, p->whole,
                            p->group[i].name);
            p->refused++;
            continue;
        }
        int result = write_picture(p, i);
        if (result < 0)
            return -1;
        p->refused += (size_t)result;
        p->written += result == 0;
    }
    return 0;
}

static int unpack(expand *p)
{
    double began = clock_seconds();
    char why[PACKED_WHY];
    uint32_t sums = 0;
    int more = 1, result = 0;

    progress_start(0, 1);
    while (more == 1 && result == 0) {
        size_t count = read_group(p, &more, &sums, why);

        if (signals_stop()) {
            message_failed("%s: stopped after %zu pictures", p->path,
                           p->written);
            return -1;
        }
        if (count > 0)
            result = decode(p, count);
        if (result == 0)
            result = take_group(p, count);
    }
    p->seconds = clock_seconds() - began;
    if (result == 0 && more < 0)
        return damaged(p, why);
    if (result == 0 && sums != p->sums)
        return damaged(p, "damaged at its end");
    return result;
}

/* ---- the command --------------------------------------------------------- */

static void report(expand *p)
{
    const options *o = p->m.s.options;
    json_t *object = json_object(), *rows = json_pack("[O]", object);
    session_report written = {.object = object, .rows = rows, .list = list,
                              .list_count = COUNT(list)};

    json_object_set_new(object, "archive", report_string(p->path));
    json_object_set_new(object, "model", byte_model_json(&p->m));
    byte_model_compute_json(&p->m, object);
    json_object_set_new(object, "folder", report_string(o->output));
    json_object_set_new(object, "images",
                        json_integer((json_int_t)p->written));
    json_object_set_new(object, "refused",
                        json_integer((json_int_t)p->refused));
    json_object_set_new(object, "images_per_second", report_real(
        (double)p->written / p->seconds));
    json_object_set_new(object, "seconds", report_real(p->seconds));
    session_write(&p->m.s, &written);
    json_decref(rows);
    json_decref(object);
}

static void run(expand *p)
{
    size_t batch = p->m.s.options->batch;

    p->group = memory_zero(batch, sizeof(*p->group));
    p->decoders = memory_zero(batch, sizeof(*p->decoders));
    p->probabilities = memory_zero(batch * RANGE_VALUES,
                                   sizeof(*p->probabilities));
    p->before = memory_zero(batch, 1);
    p->bytes = memory_zero(batch, p->m.d->length);
    int result = unpack(p);
    p->m.s.worth = result ? OUTPUT_FAILED : OUTPUT_WHOLE;
    if (result == 0)
        report(p);
    free(p->group);
    free(p->decoders);
    free(p->probabilities);
    free(p->before);
    free(p->bytes);
}

void command_expand(const options *o)
{
    byte_model_how how = {TOMEVIT_F32, 0, 0, 0};
    expand p;

    memset(&p, 0, sizeof(p));
    p.path = o->operands[0];
    if (open_file(&p) == 0) {
        how.window = p.h.window;
        how.group = p.h.group;
        how.portable = strcmp(p.h.tier, "portable") == 0;
        if (tomevit_dtype_from_name(p.h.dtype, &how.dtype) != 0)
            message_failed("%s: packed in '%s', which is not known here",
                           p.path, p.h.dtype);
        else if (byte_model_open(&p.m, o, how) == 0 && check_model(&p) == 0 &&
                 open_folder(o->output) == 0)
            run(&p);
    }
    byte_model_close(&p.m);
    if (p.file)
        munmap(p.file, p.file_bytes);
}
