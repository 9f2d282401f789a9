/* SPDX-License-Identifier: MIT */
/* The configuration that encoders of other blocks have in their metadata is
 * the model's, or refused: nothing in it is read and passed over. */
#include "config.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../vit/checkpoint/checkpoint.h"
#include "containers.h"
#include "refused.h"

typedef struct change {
    const char *from, *to, *words;
} change;

/* Replaces what stands once in the header by as many bytes. */
static void replace(unsigned char *bytes, size_t count, const char *from,
                    const char *to)
{
    size_t length = strlen(from), i = 0;

    cr_assert_eq(strlen(to), length);
    while (i + length < count && memcmp(bytes + i, from, length))
        i++;
    cr_assert_lt(i + length, count, "%s", from);
    memcpy(bytes + i, to, length);
}

static void check_changes(const char *name, const change *changes)
{
    size_t count;
    unsigned char *bytes = fixture_bytes(name, &count);

    for (; changes->from; changes++) {
        vit_checkpoint *checkpoint;
        tomevit_description d;
        tomevit_message why = {""};
        int code;

        replace(bytes, count, changes->from, changes->to);
        code = tomevit_checkpoint_parse("m", bytes, count, &checkpoint, &d,
                                        &why);
        if (!code)
            tomevit_checkpoint_close(checkpoint);
        cr_expect_neq(code, 0, "%s: %s", name, changes->to);
        if (code)
            refused(code, TOMEVIT_EMODEL, &why, "m", changes->words);
        replace(bytes, count, changes->to, changes->from);
    }
    free(bytes);
}

#define KEY(key, value) "\\\"" key "\\\": " value
#define WORDS(key) "metadata \"config\": expected \"" key "\""

#define NAME(key) "\\\"" key "\\\""
#define STRANGER(key, other) \
    {NAME(key), NAME(other), \
     "metadata \"config\": \"" other "\" cannot be done here"}

#define OF_ALL \
    {KEY("patch", "8"), KEY("patch", "4"), WORDS("patch")}, \
    {KEY("classes", "16"), KEY("classes", "15"), WORDS("classes")}, \
    {KEY("depth", "4"), KEY("depth", "5"), WORDS("depth")}, \
    {KEY("dim", "96"), KEY("dim", "48"), WORDS("dim")}

#define OF_AVERAGES \
    {KEY("image", "112"), KEY("image", "224"), WORDS("image")}, \
    {KEY("z", "48"), KEY("z", "96"), WORDS("z")}, \
    {KEY("v", "192"), KEY("v", "384"), WORDS("v")}, \
    {KEY("h", "16"), KEY("h", "32"), WORDS("h")}, \
    {KEY("swiglu", "false"), KEY("swiglu", "true "), WORDS("swiglu")}

Test(own_config, of_a_mega_is_the_model_s)
{
    static const change changes[] = {
        OF_ALL, OF_AVERAGES,
        {KEY("ffn", "192"), KEY("ffn", "240"), WORDS("ffn")},
        {KEY("heads", "1"), KEY("heads", "2"), WORDS("heads")},
        {KEY("chunk", "0"), KEY("chunk", "7"), WORDS("chunk")},
        {KEY("attention", "\\\"laplace"), KEY("attention", "\\\"linear_"),
         WORDS("attention")},
        {KEY("kind", "\\\"mega\\\""), KEY("kind", "\\\"vega\\\""),
         WORDS("kind")},
        STRANGER("attention", "attend_by"), STRANGER("groups", "hidden"),
        {0},
    };

    check_changes("../../data/mega.safetensors", changes);
}

Test(own_config, of_a_megalodon_is_the_model_s)
{
    static const change changes[] = {
        OF_ALL, OF_AVERAGES,
        {KEY("ffn", "240"), KEY("ffn", "192"), WORDS("ffn")},
        {KEY("heads", "3"), KEY("heads", "5"), "heads that divide 96"},
        {KEY("groups", "8"), KEY("groups", "7"), "groups that divide"},
        {0},
    };

    check_changes("../../data/megalodon.safetensors", changes);
}

Test(own_config, of_a_mobile_is_the_model_s)
{
    static const change changes[] = {
        OF_ALL,
        {KEY("hidden", "256"), KEY("hidden", "128"), WORDS("hidden")},
        {KEY("heads", "3"), KEY("heads", "6"), WORDS("kv_heads")},
        {KEY("kv_heads", "1"), KEY("kv_heads", "3"), WORDS("kv_heads")},
        STRANGER("base", "beta"), STRANGER("eps", "rms"),
        STRANGER("places2d", "places3d"),
        {0},
    };

    check_changes("../../data/mobile.safetensors", changes);
}
