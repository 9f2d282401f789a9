/* SPDX-License-Identifier: MIT */
/* How many tokens an image has, and its side: what positions tell. */
#include "config.h"

#include "checks.h"
#include "description.h"

#include "../base/real.h"
#include "../layouts/layout.h"
#include "../network/grid.h"

#include <string.h>

#define RELATIVE "blocks.0.attn.relative_position_bias_table"
#define SHARED "rel_pos_bias.relative_position_bias_table"

/* The side of a square of `patches`, 0 if they make none. */
static size_t square_side(size_t patches)
{
    size_t side = 0;

    while (side * side < patches)
        side++;
    return side * side == patches ? side : 0;
}

const char *tomevit_said_sides(const vit_tensors *file, size_t *height,
                               size_t *width)
{
    const char *said = tomevit_tensors_metadata(file, "input_size");
    size_t first = said ? strcspn(said, "x") : 0;
    char high[24];

    *height = *width = 0;
    if (!said || first >= sizeof(high))
        return said;
    memcpy(high, said, first);
    high[first] = '\0';
    if (tomevit_count_read(high, height) ||
        tomevit_count_read(said[first] ? said + first + 1 : high, width))
        *height = *width = 0;
    return said;
}

/* Of a square image that nothing is said of: 16 squares of 3 patches along each
 * side of Gemma 4's, as long as its table has so many positions; else what most
 * have. [transformers, models/gemma4; timm, models/gemma4_vit.py] */
static size_t usual_patches(const vit_tensors *file,
                            const tomevit_description *d)
{
    const vit_stored *t = tomevit_tensors_find(file, "pos_embed");

    return d->signed_pixels && tomevit_has_table(file) && t->shape[1] >= 48
               ? 48 : 14;
}

/* Without embeddings of positions no tensor shows the image's size: what is
 * said, or the usual. */
static int find_image_size(const vit_tensors *file, tomevit_description *d,
                           const vit_report *report)
{
    size_t height, width;
    const char *said = tomevit_said_sides(file, &height, &width);

    if (!said)
        height = width = usual_patches(file, d) * d->patch;
    if (height == 0 || height > VIT_MAX_IMAGE || height % d->patch ||
        width == 0 || width > VIT_MAX_IMAGE || width % d->patch ||
        height / d->patch * (width / d->patch) > VIT_MAX_TOKENS - d->prefix)
        return tomevit_fail(report, TOMEVIT_EMODEL, "%s: expected an image "
                            "size that is a multiple of the patch side %zu, "
                            "found \"%.40s\"", said
                                ? tomevit_tensors_from(file, "input_size")
                                : "tensor \"patch_embed.proj.weight\"",
                            d->patch, said ? said : "none");
    tomevit_set_image(d, height, width);
    d->pos_prefix = 0;
    d->tokens = d->prefix + tomevit_grid_patches(d);
    return 0;
}

/* Rows and columns have to be in the table. */
int tomevit_fits_table(const vit_tensors *file, const tomevit_description *d,
                       const vit_report *report)
{
    const vit_stored *t = tomevit_tensors_find(file, "pos_embed");

    if (!tomevit_has_table(file) || (tomevit_grid_rows(d) <= t->shape[1] &&
                                     tomevit_grid_columns(d) <= t->shape[1]))
        return 0;
    return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected the "
                        "positions of %zu rows and %zu columns, found %zu",
                        tomevit_origin_of(file, "pos_embed").name,
                        tomevit_grid_rows(d), tomevit_grid_columns(d),
                        t->shape[1]);
}

/* A table of all distances in the patches' grid, and three beside. */
static int find_table(const vit_tensors *file, tomevit_description *d,
                      const vit_report *report)
{
    const vit_stored *t;
    size_t side = 1;
    int code = tomevit_need(file, RELATIVE, "[distances, heads]", 2, &t,
                            report);

    if (code)
        return code;
    while ((2 * side - 1) * (2 * side - 1) + 3 < t->shape[0] &&
           side * d->patch <= VIT_MAX_IMAGE)
        side++;
    if ((2 * side - 1) * (2 * side - 1) + 3 != t->shape[0] ||
        side * side > VIT_MAX_TOKENS - d->prefix || !d->class_token ||
        d->prefix != 1)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": expected "
                            "the distances of a square of patches and three "
                            "of a class token, found %zu",
                            tomevit_origin_of(file, RELATIVE).name,
                            t->shape[0]);
    d->image_size = side * d->patch;
    d->tokens = d->prefix + side * side;
    return tomevit_limit(RELATIVE, "an image side", d->image_size,
                         VIT_MAX_IMAGE, report);
}

/* Embeddings of positions that are said to be no square. 1 if they are. */
static int find_rectangle(const vit_tensors *file, tomevit_description *d,
                          size_t patches)
{
    size_t height, width;

    tomevit_said_sides(file, &height, &width);
    if (height == width || height > VIT_MAX_IMAGE || width > VIT_MAX_IMAGE ||
        height % d->patch || width % d->patch ||
        height / d->patch * (width / d->patch) != patches || !patches)
        return 0;
    tomevit_set_image(d, height, width);
    d->tokens = d->prefix + patches;
    return 1;
}

int tomevit_settle_last_norm(vit_tensors *view, const vit_report *report)
{
    const char *said = tomevit_tensors_metadata(view, "final_norm");
    int code = 0;

    if (!said || strcmp(said, "after pooling") ||
        !tomevit_has(view, "norm.weight"))
        return 0;
    code = tomevit_view_rename(view, "fc_norm.weight", "norm.weight", report);
    if (!code && tomevit_has(view, "norm.bias"))
        code = tomevit_view_rename(view, "fc_norm.bias", "norm.bias", report);
    return code;
}

int tomevit_settle_distillation(vit_tensors *view, const vit_report *report)
{
    if (strcmp(tomevit_view_layout(view), "Hugging Face") ||
        !tomevit_has(view, "dist_token") || tomevit_has(view, "reg_token") ||
        tomevit_has(view, "head_dist.weight") ||
        !tomevit_has(view, "head.weight") ||
        strstr(tomevit_origin_of(view, "head.weight").name, "cls_classifier"))
        return 0;
    return tomevit_view_rename(view, "reg_token", "dist_token", report);
}

/* Positions are those of the patches, and of all, some (class, distillation)
 * or none of the tokens before them: the first that leaves a square. */
int tomevit_find_tokens(const vit_tensors *file, tomevit_description *d,
                        const vit_report *report)
{
    const size_t covered[] = {
        d->prefix, (size_t)(d->class_token + d->distilled), 0
    };
    const vit_stored *t;
    size_t side = 0, i;
    int code;

    if (!d->pos_embed && d->relative == 1)
        return find_table(file, d, report);
    if (!d->pos_embed && tomevit_has(file, SHARED))
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"%s\": relative "
                            "positions that all layers share cannot be run "
                            "here", tomevit_origin_of(file, SHARED).name);
    if (tomevit_has_table(file) ||
        (!d->pos_embed && (d->rope.kind || d->relative || d->stages[0]))) {
        code = find_image_size(file, d, report);
        return code ? code : tomevit_fits_table(file, d, report);
    }
    code = tomevit_need(file, "pos_embed", "[1, tokens, dim]", 3, &t, report);
    if (!code)
        code = tomevit_limit("pos_embed", "a number of tokens", t->shape[1],
                     VIT_MAX_TOKENS, report);
    if (code)
        return code;
    if (tomevit_has_axes(file) && t->shape[1] <= VIT_MAX_IMAGE / d->patch)
        side = t->shape[1];
    for (i = 0; i < 3 && !side; i++) {
        d->pos_prefix = covered[i];
        if (t->shape[1] > covered[i] &&
            find_rectangle(file, d, t->shape[1] - covered[i]))
            return 0;
        if (t->shape[1] > covered[i])
            side = square_side(t->shape[1] - covered[i]);
    }
    if (!side)
        return tomevit_fail(report, TOMEVIT_EMODEL, "tensor \"pos_embed\": "
                            "expected %zu + a square number of tokens, found "
                            "%zu", d->prefix, t->shape[1]);
    d->tokens = d->prefix + side * side;
    d->image_size = side * d->patch;
    if (tomevit_has_axes(file)) /* nor do the tokens in front have any */
        d->pos_prefix = 0;
    if (tomevit_has_axes(file) && d->tokens > VIT_MAX_TOKENS)
        return tomevit_limit("pos_embed", "a number of tokens", d->tokens,
                             VIT_MAX_TOKENS, report);
    return tomevit_limit("pos_embed", "an image side", d->image_size,
                         VIT_MAX_IMAGE, report);
}
