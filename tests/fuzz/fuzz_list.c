/* SPDX-License-Identifier: MIT */
/* Any bytes as a list of labels, of images, of classes that there can be, and
 * as ReaL's labels: read, and brought together with the images of a folder, or
 * refused in one line. */
#include "config.h"

#include "fuzz.h"
#include "fuzz_file.h"
#include "../../src/folders/classes.h"
#include "../../src/folders/listed.h"
#include "../../src/folders/real_labels.h"
#include "../../src/folders/valid_labels.h"

#include <stdlib.h>
#include <string.h>

static void match(const pairs *p)
{
    static const char *const names[] =
        {"a.png", "x/b.JPEG", "x/y/c.jpg", "d.e.png", "./f.png", "y/b.JPEG"};
    classes c = {.count = IMAGENET_CLASSES};
    char why[CLASSES_WHY] = "";
    size_t left_out = 0, all = sizeof(names) / sizeof(names[0]);
    folder f;

    memset(&f, 0, sizeof(f));
    for (size_t i = 0; i < all; i++)
        folder_add(&f, names[i]);
    if (classes_label_files(&c, &f, p, NULL, &left_out, why) != 0) {
        if (why[0] == '\0')
            abort();
    } else {
        for (size_t i = 0; i < f.count; i++)
            if (f.files[i].label < 0 || f.files[i].label >= IMAGENET_CLASSES)
                abort();
        if (f.count == 0 || f.count + left_out != all)
            abort();
    }
    folder_free(&f);
}

static void read_pairs(const char *path)
{
    char why[PAIRS_WHY] = "";
    pairs p;

    if (pairs_read(path, &p, why) != 0) {
        if (why[0] == '\0')
            abort();
        return;
    }
    if (p.count == 0)
        abort();
    for (size_t i = 0; i < p.count; i++)
        if (p.items[i].key[0] == '\0' || !pairs_find(&p, p.items[i].key))
            abort();
    match(&p);
    pairs_free(&p);
}

static void read_images(const char *path)
{
    for (int grouped = 0; grouped < 2; grouped++) {
        char why[FOLDER_WHY] = "";
        folder f;

        if (listed_read(path, grouped, &f, why) != 0) {
            if (why[0] == '\0')
                abort();
            continue;
        }
        for (size_t i = 0; i < f.count; i++)
            if (f.files[i].name[0] == '\0' ||
                (f.group_count > 0 && f.files[i].group >= f.group_count))
                abort();
        folder_free(&f);
    }
}

static void read_valid(const char *path)
{
    classes c = {.count = IMAGENET_CLASSES};
    char why[CLASSES_WHY] = "";
    folder f;

    if (valid_labels_read(path, &c, why) != 0) {
        if (why[0] == '\0' || c.valid || c.valid_count)
            abort();
        return;
    }
    for (size_t i = 0; i < c.valid_count; i++)
        if (c.valid[i] < 0 || c.valid[i] >= IMAGENET_CLASSES)
            abort();
    memset(&f, 0, sizeof(f));
    folder_add(&f, "a.png");
    folder_add(&f, "b.png");
    f.files[0].label = c.valid[0];
    f.files[1].label = -1;
    if (valid_labels_stranger(&c, &f))
        abort();
    folder_free(&f);
    valid_labels_free(&c);
}

static void read_real(const char *path)
{
    char why[REAL_LABELS_WHY] = "";
    real_labels r;

    if (real_labels_read(path, IMAGENET_CLASSES, &r, why) != 0) {
        if (why[0] == '\0')
            abort();
        return;
    }
    real_labels_knows(&r, "x/ILSVRC2012_val_00000001.JPEG");
    real_labels_has(&r, "ILSVRC2012_val_00000001.JPEG", 1);
    if (real_labels_knows(&r, "ILSVRC2012_val_1.JPEG") ||
        real_labels_knows(&r, "a.JPEG"))
        abort();
    if (real_labels_knows(&r, "ILSVRC2012_val_99999999.JPEG"))
        abort();
    real_labels_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);

    read_pairs(path);
    read_images(path);
    read_valid(path);
    read_real(path);
    return 0;
}
