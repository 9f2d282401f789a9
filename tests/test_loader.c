/* SPDX-License-Identifier: MIT */
/* Crops of a folder's files, window by window: what is kept is not read again,
 * whether all of it fits into memory or not. */
#include "config.h"

#include "../src/folders/loader.h"
#include "../src/folders/source.h"
#include "encode.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 20, SIDE = 8, BATCH = 2, BYTES = SIDE * SIDE * 3 };

static char folder_name[] = "tests/loader.XXXXXX";
static char paths[FILES][64];
static folder_file files[FILES];

static void write_image(size_t i, uint8_t value)
{
    static uint16_t rgb[BYTES];
    const encode_png_options options = {
        .width = SIDE, .height = SIDE, .type = 2, .depth = 8
    };
    size_t count;

    for (size_t k = 0; k < BYTES; k++)
        rgb[k] = (uint16_t)(value + k % 3);
    uint8_t *png = encode_png(&options, rgb, &count);
    FILE *out = fopen(paths[i], "wb");
    cr_assert_not_null(out);
    cr_assert_eq(fwrite(png, 1, count, out), count);
    cr_assert_eq(fclose(out), 0);
    free(png);
}

static void make(void)
{
    cr_assert_not_null(mkdtemp(folder_name));
    for (size_t i = 0; i < FILES; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/%02zu.png", folder_name, i);
        files[i].path = files[i].name = paths[i];
        files[i].source = &source_files;
        write_image(i, (uint8_t)(10 * i));
    }
}

static void drop(void)
{
    for (size_t i = 0; i < FILES; i++)
        unlink(paths[i]);
    rmdir(folder_name);
}

TestSuite(loader, .init = make, .fini = drop);

static void begin(loader *l, size_t crops, int keeps)
{
    tomevit_preprocessing pre = {.size = SIDE, .crop_pct = 1};
    image_options decoding;

    image_options_init(&decoding);
    loader_begin(l, &pre, &decoding, FILES, BATCH,
                 crops * (BYTES + sizeof(loader_item)), 2, keeps);
}

/* All files, and what the first value of each one's crop is; -1: refused. */
static void load_all(loader *l, int *value)
{
    for (size_t first = 0; first < FILES; first += l->window) {
        size_t left = FILES - first;
        size_t count = left < l->window ? left : l->window;
        loader_load(l, files, first, count, 0);
        for (size_t i = 0; i < count; i++)
            value[first + i] = l->items[i].loaded ? l->items[i].crop[0] : -1;
    }
}

/* How many of the files are kept by a loader with room for so many crops: what
 * has changed in the file is not seen. */
static size_t kept(size_t crops, int keeps, double *decoded)
{
    int before[FILES], after[FILES];
    size_t count = 0;
    loader l;

    for (size_t i = 0; i < FILES; i++)
        write_image(i, (uint8_t)(10 * i));
    begin(&l, crops, keeps);
    cr_expect_leq(l.windows * l.window, crops > BATCH ? crops : BATCH);
    load_all(&l, before);
    double once = l.decode;
    for (size_t i = 0; i < FILES; i++) {
        cr_expect_eq(before[i], 10 * (int)i, "file %zu: %d", i, before[i]);
        write_image(i, (uint8_t)(10 * i + 5));
    }
    load_all(&l, after);
    *decoded = l.decode - once;
    for (size_t i = 0; i < FILES; i++) {
        int is_kept = after[i] == before[i];
        cr_expect(is_kept || after[i] == before[i] + 5, "file %zu: %d", i,
                  after[i]);
        count += (size_t)is_kept;
    }
    loader_end(&l);
    return count;
}

Test(loader, what_is_kept_is_not_read_again)
{
    double decoded;

    cr_expect_eq(kept(FILES, 1, &decoded), FILES);
    cr_expect_eq(decoded, 0);
    cr_expect_eq(kept(2 * FILES, 1, &decoded), FILES);
    cr_expect_eq(decoded, 0);
    /* All windows but the last, which the others share. */
    cr_expect_eq(kept(12, 1, &decoded), 10);
    cr_expect_eq(kept(4, 1, &decoded), 2);
    cr_expect_eq(kept(0, 1, &decoded), 0);
    /* Without that, what the second window, the shorter, has left. */
    cr_expect_eq(kept(12, 0, &decoded), 4);
    cr_expect_eq(kept(2, 0, &decoded), 0);
}

/* Files that were refused are left out later: others move to their places. */
Test(loader, files_may_move)
{
    int value[FILES];
    loader l;

    begin(&l, FILES, 1);
    unlink(paths[3]);
    load_all(&l, value);
    cr_expect_eq(value[3], -1);
    memmove(files + 3, files + 4, (FILES - 4) * sizeof(*files));
    loader_load(&l, files, 0, FILES - 1, 0);
    for (size_t i = 0; i < FILES - 1; i++)
        cr_expect_eq(l.items[i].crop[0], 10 * (int)(i + (i >= 3)));
    loader_end(&l);
}
