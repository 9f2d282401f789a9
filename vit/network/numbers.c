/* SPDX-License-Identifier: MIT */
/* A description's numbers by their names, for other languages. */
#include "config.h"

#include "tomevit.h"

#include <string.h>

/* A field and how to read it; numbers are exact up to 2^53. */
typedef struct field {
    const char *name;
    size_t offset;
    enum { SIZE, WIDTH, INT, FLOAT, DOUBLE, UINT64 } type; /* a WIDTH of 0 is
                            * what the next row of its name says */
} field;

#define IN(name, type) {#name, offsetof(tomevit_description, name), type}
#define PIXELS(name, member, type) \
    {name, offsetof(tomevit_description, preprocessing) + \
           offsetof(tomevit_preprocessing, member), type}

static const field fields[] = {
    IN(dim, SIZE), IN(depth, SIZE), IN(heads, SIZE), IN(mlp_dim, SIZE),
    IN(kv_heads, SIZE), IN(share, SIZE),
    IN(patch, SIZE), IN(image_size, SIZE), IN(image_width, WIDTH),
    {"image_width", offsetof(tomevit_description, image_size), SIZE},
    IN(classes, SIZE),
    IN(tokens, SIZE), IN(prefix, SIZE), IN(registers, SIZE),
    IN(features, SIZE), IN(embedding, SIZE), IN(class_token, INT),
    IN(distilled, INT), IN(pool, INT), IN(zero_shot, INT),
    IN(norm_eps, FLOAT), IN(parameters, UINT64),
    PIXELS("size", size, SIZE), PIXELS("width", width, WIDTH),
    PIXELS("width", size, SIZE),
    PIXELS("crop_pct", crop_pct, DOUBLE),
    PIXELS("interpolation", interpolation, INT),
    PIXELS("crop_mode", crop_mode, INT), PIXELS("pixels", pixels, INT),
    PIXELS("max_patches", max_patches, SIZE),
    PIXELS("mean0", mean[0], FLOAT), PIXELS("mean1", mean[1], FLOAT),
    PIXELS("mean2", mean[2], FLOAT), PIXELS("std0", std[0], FLOAT),
    PIXELS("std1", std[1], FLOAT), PIXELS("std2", std[2], FLOAT),
};

int tomevit_description_number(const tomevit_description *description,
                               const char *name, double *value)
{
    if (!description || !name || !value)
        return TOMEVIT_EINVAL;
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        const char *at = (const char *)description + fields[i].offset;

        if (strcmp(fields[i].name, name) ||
            (fields[i].type == WIDTH && !*(const size_t *)(const void *)at))
            continue;
        switch (fields[i].type) {
        case SIZE:
        case WIDTH:
            *value = (double)*(const size_t *)(const void *)at;
            break;
        case INT:
            *value = (double)*(const int *)(const void *)at;
            break;
        case FLOAT:
            *value = (double)*(const float *)(const void *)at;
            break;
        case DOUBLE:
            *value = *(const double *)(const void *)at;
            break;
        default:
            *value = (double)*(const uint64_t *)(const void *)at;
            break;
        }
        return 0;
    }
    return TOMEVIT_EINVAL;
}
