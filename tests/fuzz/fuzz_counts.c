/* SPDX-License-Identifier: MIT */
/* Any bytes as --method-options: an input that begins with '{' is the file of
 * counts, any other the option itself. Read, or refused in one line. */
#include "config.h"

#include "fuzz.h"
#include "fuzz_file.h"
#include "../../vit/methods/options.h"

#include <stdlib.h>
#include <string.h>

static void require(int condition)
{
    if (!condition)
        abort();
}

static void read_options(const char *text)
{
    static vit_method_options o;
    tomevit_message why = {""};

    if (tomevit_method_options_read(text, "diffrate",
                                    "layers threshold cutoff prune merge keep "
                                    "margin fuse tile linkage file model "
                                    "target", &o, &why) != 0) {
        require(why.text[0] != '\0');
        return;
    }
    require(o.prune.count <= VIT_METHOD_LAYERS);
    require(o.merge.count <= VIT_METHOD_LAYERS);
    require(o.layers.count <= VIT_METHOD_LAYERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 128);

    if (!text)
        return 0;
    if (size && data[0] == '{') {
        sprintf(text, "file=%s", fuzz_file(data, size));
        read_options(text);
        strcat(text, ",model=a,target=b");
    } else {
        memcpy(text, data, size);
        text[size] = '\0';
    }
    /* A file that an input names is none of ours. */
    if (size == 0 || data[0] == '{' || !strstr(text, "file="))
        read_options(text);
    free(text);
    return 0;
}
