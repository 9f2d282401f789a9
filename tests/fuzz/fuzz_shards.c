/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as an index of shards, in an empty folder: what it names cannot be
 * opened, so this is about the index alone. Then in the folder of a real one,
 * where `srcdir` says where that is: what it names is read. As a file whose
 * name says that it is one of several it is refused.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_file.h"
#include "fuzz_tensors.h"

static void beside_shards(const uint8_t *data, size_t size)
{
    const char *sources = getenv("srcdir");
    tomevit_message why = {""};
    vit_tensors *tensors;
    char path[4096];

    snprintf(path, sizeof(path), "%s/tests/fixtures/shards/fuzz.index.json",
             sources ? sources : ".");
    if (tomevit_tensors_parse(path, data, size, &tensors, &why)) {
        fuzz_require(!tensors && why.text[0] && !strchr(why.text, '\n'));
        return;
    }
    for (size_t i = 0; i < tensors->count; i++) {
        const vit_stored *t = &tensors->list[i];
        float *values;

        if (!t->dtype->to_f32) /* which no model reads */
            continue;
        values = malloc(t->elements * sizeof(*values) + 1);
        if (values && tomevit_tensors_read(tensors, t, values, &why))
            fuzz_require(!strchr(why.text, '\n'));
        else if (values)
            fuzz_halves(tensors, t, values);
        free(values);
    }
    tomevit_tensors_close(tensors);
}

static void one_of_two(const uint8_t *data, size_t size)
{
    const char *plain = fuzz_file(data, size);
    tomevit_message why = {""};
    vit_tensors *tensors;
    char path[sizeof(fuzz_path) + 32];

    snprintf(path, sizeof(path), "%s-00001-of-00002.%s", plain,
             size % 2 ? "gguf" : "safetensors");
    fuzz_require(rename(plain, path) == 0);
    fuzz_require(tomevit_tensors_open(path, &tensors, &why) != 0);
    fuzz_require(why.text[0] && !strchr(why.text, '\n'));
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char folder[] = "/nonexistent/";
    tomevit_message why = {""};
    vit_tensors *tensors;

    beside_shards(data, size);
    one_of_two(data, size);
    if (tomevit_tensors_parse("/nonexistent/index.json", data, size, &tensors,
                              &why)) {
        fuzz_require(!tensors && !strchr(why.text, '\n'));
        /* Of a long path the end is shown. */
        fuzz_require(!strncmp(why.text, folder, sizeof(folder) - 1) ||
                     !strncmp(why.text, "...", 3));
        /* Nothing outside the folder was looked for. */
        if (why.text[0] == '/' && strstr(why.text, "cannot open"))
            fuzz_require(!strchr(why.text + sizeof(folder) - 1, '/') ||
                         strchr(why.text + sizeof(folder) - 1, '/') >
                             strstr(why.text, ": "));
        return 0;
    }
    tomevit_tensors_close(tensors);
    return 0;
}
