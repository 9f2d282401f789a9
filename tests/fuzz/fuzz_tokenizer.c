/* SPDX-License-Identifier: MIT */
/* Any bytes as a tokenizer, and as a text: numbers that there are, the same
 * twice, or one line. An input that begins with '@' is a folder of files, one
 * with '!' a text that is cleaned in every way: what comes of it is text. */
#include "config.h"

#include "fuzz.h"
#include "fuzz_folder.h"
#include "../../vit/text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void clean(const char *text)
{
    tomevit_message why = {""};

    for (int how = VIT_CLEAN_NOTHING; how <= VIT_CLEAN_SIGLIP; how++) {
        vit_string once = {0};

        if (tomevit_tokenizer_check(text, &why) != 0 ||
            tomevit_clean(how, text, strlen(text), &once, &why) != 0)
            require(why.text[0] && !strchr(why.text, '\n'));
        else if (once.count < 8192)
            require(!once.bytes ||
                    tomevit_tokenizer_check(once.bytes, &why) == 0);
        tomevit_string_free(&once);
    }
}

/* ---- folders ------------------------------------------------------------- */

static void try_folder(const char *text, size_t size)
{
    static const char *const names[] = {
        "tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json",
        "spiece.model", NULL
    };
    tomevit_message why = {""};
    vit_tokenizer *t;

    fuzz_fill(names, text, size);
    if (tomevit_tokenizer_open(fuzz_folder, fuzz_folder, &t, &why) == 0)
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
    else if (text[0] == '!')
        clean(text + 1);
    else if (tomevit_tokenizer_parse("t", text, size, &t, &why) == 0)
        try_texts(t, text, size);
    else
        require(why.text[0] && !strchr(why.text, '\n'));
    free(text);
    return 0;
}
