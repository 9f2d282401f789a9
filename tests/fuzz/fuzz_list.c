/* SPDX-License-Identifier: MIT */
/* Any bytes as a list of labels: read, and brought together with the images of
 * a folder, or refused in one line. */
#include "config.h"

#include "fuzz.h"
#include "fuzz_file.h"
#include "../../src/folders/classes.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[PAIRS_WHY] = "";
    pairs p;

    if (pairs_read(fuzz_file(data, size), &p, why) != 0) {
        if (why[0] == '\0')
            abort();
        return 0;
    }
    if (p.count == 0)
        abort();
    for (size_t i = 0; i < p.count; i++)
        if (p.items[i].key[0] == '\0' || !pairs_find(&p, p.items[i].key))
            abort();
    match(&p);
    pairs_free(&p);
    return 0;
}
