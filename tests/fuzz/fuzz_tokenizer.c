/* SPDX-License-Identifier: MIT */
/* Any bytes as a tokenizer, and as a text: numbers that there are, the same
 * twice, or one line. An input that begins with '@' is a folder of files: a
 * line "@NAME" before what is in each. */
#include "config.h"

#include "fuzz.h"
#include "../../vit/text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void require(int condition)
{
    if (!condition)
        abort();
}

/* Cleaned and cut into numbers, of which none is more than the highest. */
static void encode(const vit_tokenizer *t, enum vit_cleaning how,
                   const char *text)
{
    tomevit_message why = {""};
    vit_string clean = {0};
    vit_ids once = {0}, twice = {0};

    if (tomevit_tokenizer_check(text, &why) == 0 &&
        tomevit_clean(how, text, strlen(text), &clean, &why) == 0) {
        const char *made = clean.bytes ? clean.bytes : "";
        int code = tomevit_tokenizer_encode(t, made, &once, &why);

        require(code == tomevit_tokenizer_encode(t, made, &twice, &why));
        require(code != 0 || once.count == twice.count);
        for (size_t i = 0; code == 0 && i < once.count; i++)
            require(once.list[i] == twice.list[i] && once.list[i] >= 0 &&
                    once.list[i] <= t->most);
    } else {
        require(why.text[0] && !strchr(why.text, '\n'));
    }
    tomevit_string_free(&clean);
    tomevit_ids_free(&once);
    tomevit_ids_free(&twice);
}

static const char hard[] = "it's A 42 dog\xe2\x80\x99s caf\xc3\xa9 "
                           "\xf0\x9f\x90\x95 <a> &amp;\xe2\x96\x81";

/* Closes it. */
static void try_texts(vit_tokenizer *t, const char *text, size_t size)
{
    for (int how = VIT_CLEAN_NOTHING; how <= VIT_CLEAN_SIGLIP; how++) {
        encode(t, how, hard);
        if (size < 1024)
            encode(t, how, text);
    }
    encode(t, VIT_CLEAN_NOTHING, "");
    tomevit_tokenizer_close(t);
}

/* ---- folders ------------------------------------------------------------- */

static const char *const names[] = {
    "tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json",
    "spiece.model"
};
enum { NAMES = sizeof(names) / sizeof(*names) };
static char folder[64];

static void path_of(size_t i, char path[128])
{
    snprintf(path, 128, "%s/%s", folder, names[i]);
}

static void empty_folder(void)
{
    char path[128];

    for (size_t i = 0; i < NAMES; i++) {
        path_of(i, path);
        unlink(path);
    }
}

static void remove_folder(void)
{
    empty_folder();
    rmdir(folder);
}

/* The file that the line at `at` begins, NAMES if it begins none. */
static size_t named(const char *at, const char *end, const char **contents)
{
    size_t i = 0, length = 0;

    for (; i < NAMES; i++) {
        length = strlen(names[i]);
        if ((size_t)(end - at) > length + 1 && at[0] == '@' &&
            memcmp(at + 1, names[i], length) == 0 && at[length + 1] == '\n')
            break;
    }
    *contents = at + length + 2;
    return i;
}

static void fill_folder(const char *text, size_t size)
{
    const char *end = text + size, *from;
    FILE *file = NULL;
    char path[128];

    for (const char *at = text, *next; at < end; at = next) {
        size_t i = named(at, end, &from);

        if (i < NAMES) {
            path_of(i, path);
            require(!file || fclose(file) == 0);
            require((file = fopen(path, "wb")) != NULL);
            next = from;
            continue;
        }
        next = memchr(at, '\n', (size_t)(end - at));
        next = next ? next + 1 : end;
        if (file)
            require(fwrite(at, 1, (size_t)(next - at), file) ==
                    (size_t)(next - at));
    }
    require(!file || fclose(file) == 0);
}

static void try_folder(const char *text, size_t size)
{
    tomevit_message why = {""};
    vit_tokenizer *t;

    if (folder[0] == '\0') {
        snprintf(folder, sizeof(folder), "%s/fuzz-XXXXXX", P_tmpdir);
        require(mkdtemp(folder) != NULL);
        atexit(remove_folder);
    }
    empty_folder();
    fill_folder(text, size);
    if (tomevit_tokenizer_open(folder, folder, &t, &why) == 0)
        try_texts(t, text, size);
    else
        require(why.text[0] && !strchr(why.text, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tomevit_message why = {""};
    vit_tokenizer *t;
    char *text = malloc(size + 1);

    require(text != NULL);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    if (text[0] == '@')
        try_folder(text, size);
    else if (tomevit_tokenizer_parse("t", text, size, &t, &why) == 0)
        try_texts(t, text, size);
    else
        require(why.text[0] && !strchr(why.text, '\n'));
    free(text);
    return 0;
}
