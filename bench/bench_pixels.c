/* SPDX-License-Identifier: MIT */
/*
 * bench_pixels FOLDER [REPEATS]: CPU milliseconds per image, on one core, of
 * decoding (all of the picture, and the part that a 224 crop needs) and of
 * resizing and cropping (every tier this machine has), over all images below
 * FOLDER. Best of REPEATS (3). Files are read beforehand.
 */
#include "config.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../src/images/image.h"
#include "../vit/pixels/resample.h"
#include "tomevit.h"

typedef struct file {
    uint8_t *bytes;
    size_t count;
} file;

/* nftw() hands no pointer on. */
static file *files;
static size_t file_count;

static const tomevit_preprocessing pre = {
    .size = 224, .crop_pct = 0.9, .interpolation = TOMEVIT_BICUBIC,
};

static int add_file(const char *path, const struct stat *status, int kind,
                    struct FTW *position)
{
    file f = { NULL, (size_t)status->st_size };
    file *more;
    FILE *stream;

    (void)position;
    if (kind != FTW_F || !(stream = fopen(path, "rb")))
        return 0;
    f.bytes = malloc(f.count + 1);
    more = realloc(files, (file_count + 1) * sizeof(*files));
    if (!f.bytes || !more)
        abort();
    files = more;
    if (fread(f.bytes, 1, f.count, stream) == f.count &&
        image_recognised(f.bytes, f.count))
        files[file_count++] = f;
    else
        free(f.bytes);
    fclose(stream);
    return 0;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void want_crop(void *user, size_t width, size_t height,
                      image_region *region)
{
    (void)user;
    if (tomevit_crop_rows(&pre, width, height, &region->y, &region->height) ||
        tomevit_crop_rows(&pre, height, width, &region->x, &region->width))
        abort();
}

enum { MAX_TIERS = 8 };

typedef struct times {
    double decode, decode_part, resize[MAX_TIERS];
    size_t images;
} times;

/* Makes tier `index` the best allowed; its name, NULL if there is none. */
static const char *use_tier(size_t index)
{
    uint32_t needs = 0, mask = 0;
    const tomevit_resample_kernels *tier = tomevit_resample_tier(index, &needs);

    if (!tier || tomerge_cpu_mask(tier->name, &mask) ||
        (tomerge_cpu_detected() & mask) != mask)
        return NULL;
    tomerge_set_cpu_mask(mask);
    return tier->name;
}

static void measure_file(const file *f, times *t)
{
    static uint8_t crop[3 * 224 * 224];
    image_options options;
    image whole, part;
    char why[200];
    double start = now();

    image_options_init(&options);
    if (image_decode(f->bytes, f->count, &options, &whole, why))
        return;
    t->decode += now() - start;
    options.want = want_crop;
    start = now();
    if (image_decode(f->bytes, f->count, &options, &part, why))
        abort();
    t->decode_part += now() - start;
    for (size_t i = 0; i < MAX_TIERS; i++) {
        if (!use_tier(i))
            continue;
        start = now();
        if (tomevit_resize_crop(&pre, part.rgb, part.width, part.height,
                                3 * part.width, crop))
            abort();
        t->resize[i] += now() - start;
    }
    t->images++;
    image_free(&whole);
    image_free(&part);
}

static void keep_less(double *best, double value)
{
    if (*best == 0 || value < *best)
        *best = value;
}

int main(int argc, char **argv)
{
    int repeats = argc > 2 ? atoi(argv[2]) : 3;
    times best = { 0 };

    if (argc < 2 || repeats < 1) {
        fprintf(stderr, "usage: bench_pixels FOLDER [REPEATS]\n");
        return 2;
    }
    if (nftw(argv[1], add_file, 16, FTW_PHYS) || file_count == 0) {
        fprintf(stderr, "bench_pixels: no images in %s\n", argv[1]);
        return 1;
    }
    for (int i = 0; i < repeats; i++) {
        times t = { 0 };

        for (size_t j = 0; j < file_count; j++)
            measure_file(&files[j], &t);
        if (t.images == 0)
            return 1;
        best.images = t.images;
        keep_less(&best.decode, t.decode / (double)t.images);
        keep_less(&best.decode_part, t.decode_part / (double)t.images);
        for (size_t j = 0; j < MAX_TIERS; j++)
            keep_less(&best.resize[j], t.resize[j] / (double)t.images);
    }
    printf("images               %zu\n", best.images);
    printf("decode, all          %.3f ms\n", best.decode);
    printf("decode, crop's part  %.3f ms\n", best.decode_part);
    for (size_t i = 0; i < MAX_TIERS; i++)
        if (use_tier(i))
            printf("resize, %-12s %.3f ms; with the part's decoding %.3f ms\n",
                   use_tier(i), best.resize[i],
                   best.decode_part + best.resize[i]);
    for (size_t i = 0; i < file_count; i++)
        free(files[i].bytes);
    free(files);
    return 0;
}
