/* SPDX-License-Identifier: MIT */
/*
 * How a checkpoint's patches are told apart: by embeddings that are added, by
 * rotations of queries and keys, or by both. No tensor shows by which rule they
 * are rotated; metadata say it in words:
 *
 *     learned
 *     rotary KIND [theta=N] [offset=N] [grid=N] [axes=hw|xy]
 *            [layout=halves|interleaved|quarters] [periods=between]
 *
 * KIND being centred, index, mixed or line: see tomevit_rope.
 */
#include "config.h"

#include "../base/real.h"
#include "checks.h"
#include "rope.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kinds[] = {
    [TOMEVIT_ROTARY_CENTRED] = "centred",
    [TOMEVIT_ROTARY_INDEX] = "index",
    [TOMEVIT_ROTARY_MIXED] = "mixed",
    [TOMEVIT_ROTARY_LINE] = "line",
};

/* By tomevit_rope.halves. */
static const char *const layouts[] = {"interleaved", "halves", "quarters"};

/* ---- words --------------------------------------------------------------- */

static const char *real_of(float value, char text[32])
{
    tomevit_real_write((double)value, 9, text, 32);
    return text;
}

void tomevit_positions_text(const tomevit_description *d, char text[96])
{
    const tomevit_rope *rope = &d->rope;
    size_t used;
    char real[32];

    if (!rope->kind) {
        strcpy(text, d->stages[0] && !d->pos_embed ? "none" : "learned");
        return;
    }
    used = (size_t)snprintf(text, 96, "rotary %s", kinds[rope->kind]);
    if (rope->kind != TOMEVIT_ROTARY_MIXED &&
        rope->periods != TOMEVIT_PERIODS_READ)
        used += (size_t)snprintf(text + used, 96 - used, " theta=%s",
                                 real_of(rope->theta, real));
    if (rope->offset != 0.0f)
        used += (size_t)snprintf(text + used, 96 - used, " offset=%s",
                                 real_of(rope->offset, real));
    if (rope->grid)
        used += (size_t)snprintf(text + used, 96 - used, " grid=%zu",
                                 rope->grid);
    snprintf(text + used, 96 - used, " axes=%s layout=%s%s",
             rope->xy ? "xy" : "hw", layouts[rope->halves],
             rope->periods == TOMEVIT_PERIODS_BETWEEN ? " periods=between"
                                                      : "");
}

/* The number behind a word's "=", from 0 to `most`; -1 if it is none. */
static double number_of(const char *word, double most)
{
    double value;

    return !tomevit_real_read(strchr(word, '=') + 1, &value) && value >= 0 &&
                   value <= most
               ? value : -1;
}

/* One word into *rope. 0 if it means nothing. */
static int take_word(const char *word, tomevit_rope *rope)
{
    double value;

    for (int kind = TOMEVIT_ROTARY_CENTRED; kind <= TOMEVIT_ROTARY_LINE;
         kind++)
        if (!rope->kind && !strcmp(word, kinds[kind])) {
            rope->kind = kind;
            return 1;
        }
    if (!strcmp(word, "axes=hw") || !strcmp(word, "axes=xy")) {
        rope->xy = word[5] == 'x';
        return 1;
    }
    for (int i = 0; !strncmp(word, "layout=", 7) && i < 3; i++)
        if (!strcmp(word + 7, layouts[i])) {
            rope->halves = i;
            return 1;
        }
    if (!strcmp(word, "periods=between")) {
        rope->periods = TOMEVIT_PERIODS_BETWEEN;
        return 1;
    }
    if (strncmp(word, "theta=", 6) && strncmp(word, "offset=", 7) &&
        strncmp(word, "grid=", 5))
        return 0;
    value = number_of(word, 1e9);
    if (*word == 't')
        rope->theta = (float)value;
    else if (*word == 'o')
        rope->offset = (float)value;
    else if (value == floor(value) && value >= 1 && value <= 65536)
        rope->grid = (size_t)value;
    else
        return 0;
    return value >= 0;
}

/* 1 if the text is a rule. */
static int parse(const char *text, tomevit_rope *rope)
{
    char words[128], *word, *rest;

    *rope = (tomevit_rope){0};
    if (!strcmp(text, "learned") || !strcmp(text, "relative") ||
        !strcmp(text, "none"))
        return 1;
    if (strlen(text) >= sizeof(words) || strncmp(text, "rotary ", 7))
        return 0;
    strcpy(words, text + 7);
    for (word = strtok_r(words, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        if (!take_word(word, rope))
            return 0;
    if (rope->periods && (rope->kind != TOMEVIT_ROTARY_INDEX ||
                          rope->offset != 0.0f || rope->grid))
        return 0;
    return rope->kind && (rope->kind == TOMEVIT_ROTARY_MIXED ||
                          rope->theta == 0 || rope->theta > 1);
}

/* ---- what nothing says --------------------------------------------------- */

#define EVA "rotary index theta=10000 grid=16 axes=hw layout=interleaved"
#define PE "rotary index theta=10000 offset=1 axes=xy layout=interleaved"
#define AXIAL "rotary index theta=100 axes=xy layout=interleaved"
#define DINOV3 "rotary centred theta=100 axes=hw layout=halves"

/* The rule that models with such tensors have; NULL: they are known to have
 * embeddings alone. */
static const char *usual(const vit_tensors *file, const tomevit_description *d)
{
    int registers = tomevit_has(file, "reg_token");

    if (tomevit_has(file, "rope.freqs"))
        return "rotary mixed axes=xy layout=interleaved";
    if (tomevit_has(file, "rope.periods"))
        return DINOV3;
    if (d->pos_embed && tomevit_has(file, "attn_pool.latent") &&
        d->class_token && d->norm_pre)
        return PE;
    if (d->pos_embed && d->activation == TOMEVIT_SWIGLU &&
        (d->mlp_norm || d->qkv_bias == 2))
        return EVA;
    if (d->pos_embed || d->relative ||
        tomevit_has(file, "rel_pos_bias.relative_position_bias_table"))
        return NULL;
    if (registers)
        return d->class_token ? DINOV3 : EVA;
    return d->layer_scale ? AXIAL : NULL;
}

int tomevit_metadata_rope(const vit_tensors *file, tomevit_description *d,
                          const vit_report *report)
{
    const char *said = tomevit_tensors_metadata(file, "positions");
    const char *text = said ? said : usual(file, d);

    d->rope = (tomevit_rope){0};
    if (text && (!parse(text, &d->rope) ||
                 (d->rope.periods && tomevit_has(file, "rope.periods"))))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "metadata \"positions\": "
                            "expected learned, or rotary and its rule, found "
                            "\"%.80s\"", text);
    /* Only what convolutions make can do without any. */
    if (said && (!strcmp(said, "none") ? !d->stages[0] || d->pos_embed
                                       : d->stages[0] && !d->pos_embed))
        return tomevit_fail(report, TOMEVIT_EMODEL, "metadata \"positions\": "
                            "expected %s, as the tensors have it, found "
                            "\"%.80s\"", d->stages[0] && !d->pos_embed
                                ? "none" : "some", said);
    if (d->rope.kind && tomevit_has(file, "rope.periods"))
        d->rope.periods = TOMEVIT_PERIODS_READ;
    return 0;
}

size_t tomevit_rope_heads(const vit_tensors *file, const tomevit_description *d)
{
    const vit_stored *periods = tomevit_tensors_find(file, "rope.periods");
    const vit_stored *freqs = tomevit_tensors_find(file, "rope.freqs");
    size_t heads = 0;

    if (periods && periods->dims == 1 && periods->elements)
        heads = d->dim / (4 * periods->elements);
    else if (freqs && freqs->dims == 4)
        heads = freqs->shape[2];
    return heads && d->dim % heads == 0 ? heads : 0;
}

int tomevit_check_rates(const vit_tensors *file, tomevit_description *d,
                        const vit_report *report)
{
    int mixed = d->rope.kind == TOMEVIT_ROTARY_MIXED;
    size_t heads = tomevit_rope_heads(file, d);

    if (heads)
        return tomevit_heads_told(file, tomevit_has(file, "rope.periods")
                                            ? "rope.periods" : "rope.freqs",
                                  heads, d, report);
    if (!mixed && d->rope.periods != TOMEVIT_PERIODS_READ)
        return 0;
    return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected shape "
                        "%s", mixed ? "rope.freqs" : "rope.periods",
                        mixed ? "[2, depth, heads, dim / heads / 2]"
                              : "[dim / heads / 4]");
}

const char *tomevit_rope_family(const tomevit_description *d)
{
    switch (d->rope.kind) {
    case TOMEVIT_ROTARY_CENTRED:
        return d->rms_norm ? "sapiens2" : "dinov3";
    case TOMEVIT_ROTARY_MIXED:
        return "rope-vit";
    default:
        if (d->signed_pixels)
            return "gemma4";
        if (d->norm_pre)
            return "pe";
        return d->activation == TOMEVIT_SWIGLU ? "eva02" : "rope-vit";
    }
}

/* ---- what does not fit --------------------------------------------------- */

int tomevit_check_rope(const vit_tensors *file, const tomevit_description *d,
                       const vit_report *report)
{
    size_t head_dim = tomevit_head_dim(d);
    size_t least = d->rope.kind == TOMEVIT_ROTARY_LINE ? 2 : 4;

    if (!d->rope.kind)
        return 0;
    if (head_dim % least)
        return tomevit_fail(report, TOMEVIT_EMODEL, "rotary positions: "
                            "expected heads of a multiple of %zu channels, "
                            "found %zu", least, head_dim);
    if (d->rope.kind != TOMEVIT_ROTARY_MIXED && d->rope.theta <= 1 &&
        d->rope.periods != TOMEVIT_PERIODS_READ)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "metadata \"positions\": "
                            "expected a theta above 1");
    if ((d->rope.kind == TOMEVIT_ROTARY_MIXED) !=
        tomevit_has(file, "rope.freqs"))
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"rope.freqs\" %s",
                            tomevit_has(file, "rope.freqs")
                                ? "beside another rule of rotary positions"
                                : "is missing: expected frequencies of mixed "
                                  "rotary positions");
    return 0;
}
