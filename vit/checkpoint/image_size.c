/* SPDX-License-Identifier: MIT */
/* The image's sides that a model is opened for, if they are not those that its
 * positions are of. */
#include "config.h"

#include "checks.h"
#include "description.h"
#include "image_size.h"

#include "../base/real.h"
#include "../layouts/layout.h"
#include "../network/grid.h"

#include <string.h>

/* The sides of the crop that the files beside the weights say, 0 if none or the
 * description's. DINOv2 in transformers, NaFlex in timm, open_clip's own towers
 * and those of Qwen take any, and resize their positions; others refuse what
 * they were not made for. Pixels that make no patch are left out. [open_clip,
 * model.py: resize_pos_embed] */
static int said_size(const vit_tensors *view, const tomevit_description *d,
                     size_t *size, size_t *width, const vit_report *report)
{
    const char *from = tomevit_tensors_from(view, "input_size");
    const char *how = tomevit_tensors_metadata(view, "position_resize");
    const char *said = tomevit_said_sides(view, size, width);
    size_t columns = tomevit_grid_columns(d);

    if (said && (!*size || !*width))
        return tomevit_fail(report, TOMEVIT_EFORMAT, "%s: expected "
                            "\"input_size\", a whole number or HEIGHTxWIDTH, "
                            "found \"%.40s\"", from, said);
    if (*size == d->image_size && *width == tomevit_image_width(d))
        *size = 0;
    if (!*size || (*size / d->patch == tomevit_grid_rows(d) &&
                   *width / d->patch == columns) ||
        !strcmp(tomevit_view_layout(view), "Hugging Face DINOv2") ||
        !strcmp(tomevit_view_layout(view), "timm NaFlex") ||
        (!strcmp(tomevit_view_layout(view), "CLIP") && from &&
         !strcmp(from, "open_clip_config.json")) ||
        (how && !strncmp(how, "linear_corners", 14)))
        return 0;
    return tomevit_fail(report, TOMEVIT_EMODEL, "%s beside it: expected a crop "
                        "of %zu%s pixels, which the model's positions are for, "
                        "found %.20s", from ? from : "a file", d->image_size,
                        d->image_width ? " rows of other" : "", said);
}

/* Images that are no squares: what is not known to go with them. */
static int check_rectangle(const tomevit_description *d, size_t height,
                           size_t width, const vit_report *report)
{
    if (height == width)
        return 0;
    if (d->block != TOMEVIT_BLOCK_VIT || d->relative == 1)
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected a square image, "
                            "which %s for, found %zu x %zu",
                            d->relative == 1
                                ? "the tables of relative positions are"
                                : "moving averages over patches are",
                            height, width);
    if (height % d->patch || width % d->patch)
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected an image height "
                            "and width that are multiples of the patch side "
                            "%zu, found %zu x %zu", d->patch, height, width);
    return 0;
}

/* What has positions that no image resizes to its own; NULL: nothing. */
static const char *keeps_sides(const vit_tensors *view,
                               const tomevit_description *d)
{
    if (tomevit_says(view, "position_resize", "table"))
        return "positions of a table";
    return d->block != TOMEVIT_BLOCK_VIT ? "moving averages over patches"
           : d->rope.kind                ? "rotary positions"
           : d->relative                 ? "relative positions"
           : d->cells.side               ? "squares of patches"
           : d->stages[0]                ? "stages of convolutions"
                                         : NULL;
}

int tomevit_settle_patches(const vit_tensors *view, tomevit_description *d,
                           size_t asked, const vit_report *report)
{
    const char *said = tomevit_tensors_metadata(view, "max_patches");
    const char *from = tomevit_tensors_from(view, "max_patches");
    const char *kept = keeps_sides(view, d);
    size_t most = asked;

    if (!asked && !said)
        return 0;
    if (!asked && tomevit_count_read(said, &most))
        most = 0;
    if (kept)
        return tomevit_fail(report, TOMEVIT_EMODEL, "%s: images of their own "
                            "proportions are for models whose positions are "
                            "added to the patches, this one has %s",
                            asked ? "max_patches" : from, kept);
    if (!most || most > VIT_MAX_TOKENS - d->prefix)
        return tomevit_fail(report, TOMEVIT_EMODEL, "%s: expected 1 to %zu "
                            "patches of an image, found %zu",
                            asked ? "max_patches" : from,
                            VIT_MAX_TOKENS - d->prefix, most);
    d->preprocessing.patch = d->patch;
    d->preprocessing.max_patches = most;
    d->tokens = d->prefix + most;
    return 0;
}

/* How many patches a side of the squares has that a tower pools; 0: none, or no
 * number. */
static size_t pooled_square(const vit_tensors *view)
{
    const char *said = tomevit_tensors_metadata(view, "pooled_square");
    size_t square = 0;

    return said && !tomevit_count_read(said, &square) ? square : 0;
}

/* They have to be whole, or some patches would count for more than others. */
static int check_squares(const vit_tensors *view, const tomevit_description *d,
                         const vit_report *report)
{
    size_t square = pooled_square(view);

    if (!square || (tomevit_grid_rows(d) % square == 0 &&
                    tomevit_grid_columns(d) % square == 0))
        return 0;
    return tomevit_fail(report, TOMEVIT_EMODEL, "%s: \"pooling_kernel_size\": "
                        "expected rows and columns of patches that %zu "
                        "divides, found %zu x %zu",
                        tomevit_tensors_from(view, "pooled_square"), square,
                        tomevit_grid_rows(d), tomevit_grid_columns(d));
}

static int settle_sides(const vit_tensors *view, tomevit_description *d,
                        size_t size, size_t width, const vit_report *report)
{
    size_t side = d->image_size / d->patch;
    int code;

    if (size == 0 && (code = said_size(view, d, &size, &width, report)))
        return code;
    if (size == 0)
        return 0;
    width = width ? width : size;
    if ((code = check_rectangle(d, size, width, report)))
        return code;
    if (d->block == TOMEVIT_BLOCK_MEGA &&
        (!d->mega.chunk || size / d->patch * (size / d->patch) < d->mega.chunk))
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected an image size "
                            "%s%zu, which Mega's relative positions are for, "
                            "found %zu", d->mega.chunk ? "of a whole chunk or "
                            "more, as " : "of ", d->image_size, size);
    if (size > VIT_MAX_IMAGE || width > VIT_MAX_IMAGE || size < d->patch ||
        width < d->patch ||
        (size % d->patch && size / d->patch != side) ||
        size / d->patch * (width / d->patch) > VIT_MAX_TOKENS)
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected an image size "
                            "that is a multiple of the patch side %zu with at "
                            "most %d patches, found %zu", d->patch,
                            (int)VIT_MAX_TOKENS, size);
    if (d->relative == 1 && size / d->patch != side)
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected images of %zu, "
                            "which the tables of relative positions are for, "
                            "found %zu: they are not resized here",
                            d->image_size, size);
    if (tomevit_says(view, "position_resize", "table") &&
        !tomevit_has_table(view) &&
        (size / d->patch != side ||
         width / d->patch != tomevit_grid_columns(d)))
        return tomevit_fail(report, TOMEVIT_EMODEL, "expected images of %zu: "
                            "positions that were taken from a table are not "
                            "resized, found %zu", d->image_size, size);
    tomevit_set_image(d, size, width);
    d->tokens = d->prefix + tomevit_grid_patches(d);
    d->parameters = tomevit_count_parameters(d);
    return tomevit_fits_table(view, d, report);
}

int tomevit_settle_image(const vit_tensors *view, tomevit_description *d,
                         size_t size, size_t width, const vit_report *report)
{
    size_t square = pooled_square(view), rows = tomevit_grid_rows(d);
    int code;

    /* A side that nothing says is one of whole squares. */
    if (!size && square && rows > square &&
        !tomevit_tensors_metadata(view, "input_size"))
        size = rows / square * square * d->patch;
    code = settle_sides(view, d, size, width, report);
    return code ? code : check_squares(view, d, report);
}
