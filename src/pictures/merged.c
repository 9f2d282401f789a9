/* SPDX-License-Identifier: MIT */
/* One image through one run: what the model sees, and what is merged. */
#include "merged.h"

#include "../base/memory.h"
#include "../base/message.h"
#include "../images/crop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int merged_crop(const session *s, const folder_file *file, image *crop)
{
    const tomevit_preprocessing *pre = &s->pre;
    image_options decoding;
    char why[200];
    size_t count = 0;
    image picture;

    image_options_init(&decoding);
    decoding.exif = s->options->exif;
    decoding.lenient = s->options->lenient;
    decoding.strict = s->options->strict;
    decoding.max_pixels = s->options->max_pixels;
    uint8_t *bytes = source_read(file, s->options->max_image, &count, why);
    int failed = !bytes ? -1 : image_decode(bytes, count, &decoding, &picture,
                                            why);
    free(bytes);
    if (failed == IMAGE_NO_MEMORY)
        memory_exhausted_by(file->path, why);
    if (failed) {
        message_failed("%s: %s", file->path, why);
        return -1;
    }
    if (why[0] != '\0')
        message_note("%s: %s", file->path, why);
    crop->rgb = memory_zero(crop_bytes(pre), 1);
    int error = tomevit_crop_sides(pre, picture.width, picture.height,
                                   &crop->width, &crop->height);
    if (error == 0)
        error = tomevit_resize_crop(pre, picture.rgb, picture.width,
                                    picture.height, picture.width * 3,
                                    crop->rgb);
    image_free(&picture);
    if (error == 0)
        return 0;
    if (error == TOMEVIT_ENOMEM)
        memory_exhausted();
    message_failed("%s: cannot be resized: %s", file->path,
                   tomevit_strerror(error));
    image_free(crop);
    return -1;
}

/* What tokens that are not numbers merge by is no similarity. */
static int is_finite(const float *values, size_t count)
{
    size_t i = 0;

    while (i < count && isfinite(values[i]))
        i++;
    return i == count;
}

/* The groups after layer l are the final ones of a schedule that is cut there:
 * what comes later does not change what merged before. One image is quick, so
 * each layer is simply a forward pass of its own. */
int merged_make(merged *m, const session *s, const merging_run *run,
                size_t layers, const image *crop, const char *path)
{
    const tomevit_description *d = s->description;
    tomevit_image input = {crop->rgb, TOMEVIT_RGB8_HWC, crop->height,
                           crop->width};
    tomevit_merging merging = run->merging;
    size_t *r = memory_zero(d->depth, sizeof(*r));

    memset(m, 0, sizeof(*m));
    memcpy(r, run->r, layers * sizeof(*r));
    merging.r = r;
    m->map = memory_zero(d->tokens, sizeof(*m->map));
    float *features = memory_zero(d->features, sizeof(*features));
    tomevit_output out = {
        .map = m->map, .rows = &m->rows, .features = features
    };
    int error = tomevit_forward(s->context, &merging, 1, &input, &out);
    if (error == TOMEVIT_ENOMEM)
        memory_exhausted();
    int finite = is_finite(features, d->features);
    free(features);
    free(r);
    if (error != 0 || !finite) {
        message_failed("%s: %s", path, error != 0 ? tomevit_strerror(error)
                       : "what the model makes of it is not finite");
        return -1;
    }
    groups_make(&m->groups, crop->height / d->patch, crop->width / d->patch,
                d->patch, crop->rgb, m->rows, m->map + d->prefix);
    return 0;
}

void merged_free(merged *m)
{
    groups_free(&m->groups);
    free(m->map);
    memset(m, 0, sizeof(*m));
}
