/* SPDX-License-Identifier: MIT */
/* Rotary positions: the words for their rules, what of a file does not fit
 * them, and the angles. That whole models are as their libraries have them is
 * test_layouts' matter. */
#include "../vit/checkpoint/checkpoint.h"
#include "../vit/network/rope.h"
#include "model_file.h"
#include "refused.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RULE(words) "{\"num_heads\":\"2\",\"positions\":\"" words "\"}"

/* The tiny model, turned by this rule. */
static void tiny(tomevit_description *d, tomevit_rope rope)
{
    model_file_tiny(d);
    d->rope = rope;
}

static int parse(const model_file *file, tomevit_description *d,
                 tomevit_message *why)
{
    vit_checkpoint *checkpoint;
    size_t count;
    unsigned char *bytes = model_file_bytes(file, &count);
    int code = tomevit_checkpoint_parse("m.safetensors", bytes, count,
                                        &checkpoint, d, why);

    if (!code)
        tomevit_checkpoint_close(checkpoint);
    free(bytes);
    return code;
}

static void understands(const char *metadata, tomevit_rope want)
{
    tomevit_description d;
    tomevit_message why = {""};
    model_file file;

    tiny(&d, want);
    model_file_random(&file, &d);
    file.metadata = metadata;
    cr_assert_eq(parse(&file, &d, &why), 0, "%s", why.text);
    cr_expect_eq(d.rope.kind, want.kind, "%s", metadata);
    cr_expect_eq(d.rope.xy, want.xy, "%s", metadata);
    cr_expect_eq(d.rope.halves, want.halves, "%s", metadata);
    cr_expect_eq(d.rope.periods, want.periods, "%s", metadata);
    cr_expect_eq(d.rope.grid, want.grid, "%s", metadata);
    cr_expect_float_eq(d.rope.theta, want.theta, 1e-6f, "%s", metadata);
    cr_expect_float_eq(d.rope.offset, want.offset, 1e-6f, "%s", metadata);
    model_file_free(&file);
}

Test(rope, words_are_understood)
{
    understands(RULE("learned"), (tomevit_rope){0});
    understands(RULE("rotary centred theta=100 axes=hw layout=halves"),
                (tomevit_rope){.kind = TOMEVIT_ROTARY_CENTRED, .halves = 1,
                               .theta = 100});
    understands(RULE("rotary index theta=10000 offset=1 grid=24 axes=xy "
                     "layout=interleaved"),
                (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .xy = 1,
                               .theta = 10000, .offset = 1, .grid = 24});
    understands(RULE("rotary index theta=10000 axes=hw layout=interleaved "
                     "periods=between"),
                (tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .theta = 10000,
                               .periods = TOMEVIT_PERIODS_BETWEEN});
    understands(RULE("rotary mixed axes=xy layout=interleaved"),
                (tomevit_rope){.kind = TOMEVIT_ROTARY_MIXED, .xy = 1});
    /* Tensors say it where nothing else does. */
    understands("{\"num_heads\":\"2\"}",
                (tomevit_rope){.kind = TOMEVIT_ROTARY_MIXED, .xy = 1});
    understands("{\"num_heads\":\"2\"}",
                (tomevit_rope){.kind = TOMEVIT_ROTARY_CENTRED, .halves = 1,
                               .theta = 100, .periods = 1});
}

static void refuses(tomevit_rope rope, const char *metadata, int code,
                    const char *words)
{
    tomevit_description d;
    tomevit_message why = {""};
    model_file file;

    tiny(&d, rope);
    model_file_random(&file, &d);
    file.metadata = metadata;
    refused(parse(&file, &d, &why), code, &why, "m.safetensors", words);
    model_file_free(&file);
}

Test(rope, other_words_are_refused)
{
    static const char *const wrong[] = {
        RULE(""), RULE("rotary"), RULE("rotary "), RULE("rotary round"),
        RULE("rotary index"" theta=1e-9x"), RULE("rotary index theta="),
        RULE("rotary index theta=-1"), RULE("rotary index theta=0.5"),
        RULE("rotary index theta=100 grid=0"),
        RULE("rotary index theta=100 grid=1.5"),
        RULE("rotary index theta=nan"), RULE("rotary index theta=100 axes=yx"),
        RULE("rotary index index theta=100"), RULE("learned rotary"),
        RULE("rotary centred theta=100 periods=between"),
        RULE("rotary index theta=100 offset=1 periods=between"),
        RULE("rotary index theta=100 periods=alike"),
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        refuses((tomevit_rope){0}, wrong[i], TOMEVIT_EFORMAT,
                "metadata \"positions\"|expected learned, or rotary");
    refuses((tomevit_rope){.kind = TOMEVIT_ROTARY_INDEX, .theta = 100,
                           .periods = TOMEVIT_PERIODS_READ},
            RULE("rotary index theta=100 periods=between"), TOMEVIT_EFORMAT,
            "expected learned, or rotary");
    refuses((tomevit_rope){0}, RULE("rotary index axes=hw"), TOMEVIT_EFORMAT,
            "expected a theta above 1");
}

Test(rope, tensors_have_to_fit)
{
    static const size_t shape[] = {2, 2, 3, 2}, long_shape[] = {64};
    const tomevit_rope mixed = {.kind = TOMEVIT_ROTARY_MIXED, .xy = 1};
    const tomevit_rope periods = {.kind = TOMEVIT_ROTARY_CENTRED,
                                  .periods = 1, .theta = 100};
    tomevit_description d;
    tomevit_message why = {""};
    model_file file;

    refuses((tomevit_rope){0}, RULE("rotary mixed axes=xy"), TOMEVIT_EMODEL,
            "tensor \"rope.freqs\"|expected shape");
    refuses(mixed, RULE("rotary index theta=100"), TOMEVIT_EMODEL,
            "\"rope.freqs\"");
    tiny(&d, mixed);
    model_file_random(&file, &d);
    model_file_remove(&file, "rope.freqs");
    model_file_add(&file, "rope.freqs", "F32", 4, shape, 96);
    refused(parse(&file, &d, &why), TOMEVIT_EMODEL, &why, "m.safetensors",
            "rope.freqs");
    model_file_free(&file);
    tiny(&d, periods);
    model_file_random(&file, &d);
    model_file_remove(&file, "rope.periods");
    model_file_add(&file, "rope.periods", "F32", 1, long_shape, 256);
    refused(parse(&file, &d, &why), TOMEVIT_EMODEL, &why, "m.safetensors",
            "tensor \"rope.periods\": expected shape");
    model_file_free(&file);
}

/* ---- angles -------------------------------------------------------------- */

enum { CHANNELS = 16 };

/* Every pair of a head at a place, by libm. */
static void check_turn(const tomevit_description *d, const double *rates,
                       double row, double column, double y, double x)
{
    float turn[2 * CHANNELS];

    tomevit_rope_turn(d, rates, row, column, turn);
    for (size_t k = 0; k < CHANNELS / 2; k++) {
        double angle = y * rates[k] + x * rates[CHANNELS / 2 + k];
        size_t i = d->rope.halves ? k : 2 * k;
        size_t j = d->rope.halves ? k + CHANNELS / 2 : i + 1;

        cr_assert_float_eq((double)turn[i], cos(angle), 1e-7);
        cr_assert_float_eq((double)turn[j], cos(angle), 1e-7);
        cr_assert_float_eq((double)turn[CHANNELS + i], -sin(angle), 1e-7);
        cr_assert_float_eq((double)turn[CHANNELS + j], sin(angle), 1e-7);
    }
}

Test(rope, angles_are_those_of_the_rules)
{
    tomevit_description d = {.dim = 2 * CHANNELS, .heads = 2, .patch = 4,
                             .image_size = 2000};
    const double side = 500;
    double rates[CHANNELS];

    for (int way = 0; way < 8; way++) {
        d.rope = (tomevit_rope){.kind = way & 1 ? TOMEVIT_ROTARY_CENTRED
                                                : TOMEVIT_ROTARY_INDEX,
                                .xy = way >> 1 & 1, .halves = way >> 2,
                                .theta = 100, .offset = way & 1 ? 0.0f : 1.0f,
                                .grid = way & 2 ? 16 : 0};
        tomevit_rope_axial(&d, NULL, rates);
        cr_assert_eq(rates[d.rope.xy ? 0 : CHANNELS / 4], 0.0);
        for (double i = 0; i < side; i += 7.25) {
            double a = i + 1, b = side - i + 1;

            if (d.rope.grid)
                a *= 16 / side, b *= 16 / side;
            if (way & 1)
                a = 2 * (i + 0.5) / side - 1, b = 1 - 2 * (i - 0.5) / side;
            check_turn(&d, rates, i, side - i, a, b);
        }
    }
}

/* Rates that are no numbers give none; nothing else happens. */
Test(rope, rates_of_no_meaning_give_no_number)
{
    tomevit_description d = {.dim = CHANNELS, .heads = 1, .patch = 1,
                             .image_size = 4,
                             .rope = {.kind = TOMEVIT_ROTARY_CENTRED}};
    const float periods[CHANNELS / 4] = {0.0f, NAN, 1e-38f, -INFINITY};
    double rates[CHANNELS];
    float turn[2 * CHANNELS];

    tomevit_rope_axial(&d, periods, rates);
    tomevit_rope_turn(&d, rates, 0, 0, turn);
    cr_assert(isnan(turn[0]) && isnan(turn[2]) && isnan(turn[4]));
    cr_assert_float_eq(turn[6], 1.0f, 1e-7f);
}
