/* SPDX-License-Identifier: MIT */
/* Any bytes as a file that says how tokens merge, in models with and without a
 * class token: refused in one line that leaves what was there, or a merging
 * that the model can have. */
#include "config.h"

#include "fuzz.h"
#include "fuzz_file.h"
#include "tomevit_methods.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH = 3, TOKENS = 17 };

static void require(int condition)
{
    if (!condition)
        abort();
}

/* The same from memory, where it is text: as from the file, which may begin
 * with a mark of UTF-8. */
static void parse_for(const tomevit_description *d, const char *text,
                      int expected)
{
    tomevit_merging merging;
    tomevit_layer_merging layers[DEPTH];
    tomevit_message why = {""};
    size_t r[DEPTH];
    int code = tomevit_merging_parse(text, d, &merging, r, layers, &why);

    require(code == expected || !strncmp(text, "\xef\xbb\xbf", 3));
    require(code == 0 || (why.text[0] != '\0' && !strchr(why.text, '\n')));
}

static void read_for(const char *path, const char *text, size_t prefix)
{
    tomevit_description d;
    tomevit_merging merging, before;
    tomevit_layer_merging layers[DEPTH];
    tomevit_message why = {""};
    size_t r[DEPTH], rows[DEPTH];
    int code;

    memset(&d, 0, sizeof(d));
    d.dim = 32;
    d.depth = DEPTH;
    d.heads = 2;
    d.mlp_dim = 64;
    d.image_size = 8;
    d.patch = 2;
    d.classes = 5;
    d.tokens = TOKENS - 1 + prefix;
    d.prefix = d.class_token = prefix;
    d.pool = prefix ? TOMEVIT_POOL_CLASS : TOMEVIT_POOL_MEAN;
    memset(&merging, 0x5a, sizeof(merging));
    before = merging;
    code = tomevit_merging_read(path, &d, &merging, r, layers, &why);
    if (text)
        parse_for(&d, text, code);
    if (code != 0) {
        require(why.text[0] != '\0' && !strchr(why.text, '\n'));
        require(memcmp(&merging, &before, sizeof(merging)) == 0);
        return;
    }
    require(merging.r == r && (!merging.layers || merging.layers == layers));
    require(tomevit_schedule_tokens(&d, &merging, rows) == 0);
    for (size_t i = 0; i < DEPTH; i++)
        require(rows[i] <= d.tokens && rows[i] > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    char *text = size && memchr(data, '\0', size) ? NULL : malloc(size + 1);

    if (text) {
        if (size)
            memcpy(text, data, size);
        text[size] = '\0';
    }
    read_for(path, text, 0);
    read_for(path, text, 1);
    read_for("/nowhere/there", NULL, 0);
    free(text);
    return 0;
}
