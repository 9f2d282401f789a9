/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as an index of shards, in an empty folder: what it names cannot be
 * opened, so this is about the index alone.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char folder[] = "/nonexistent/";
    tomevit_message why = {""};
    vit_tensors *tensors;

    if (tomevit_tensors_parse("/nonexistent/index.json", data, size, &tensors,
                              &why)) {
        fuzz_require(!tensors && !strchr(why.text, '\n'));
        /* Of a long path the end is shown. */
        fuzz_require(!strncmp(why.text, folder, sizeof(folder) - 1) ||
                     !strncmp(why.text, "...", 3));
        /* Nothing outside the folder was looked for. */
        if (strstr(why.text, "cannot open"))
            fuzz_require(!strchr(why.text + sizeof(folder) - 1, '/') ||
                         strchr(why.text + sizeof(folder) - 1, '/') >
                             strstr(why.text, ": "));
        return 0;
    }
    tomevit_tensors_close(tensors);
    return 0;
}
