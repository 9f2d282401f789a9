/* SPDX-License-Identifier: MIT */
/* Makes .safetensors files in memory. */
#include "config.h"

#include "model_file.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../vit/checkpoint/checkpoint.h"

void model_file_tiny(tomevit_description *d)
{
    memset(d, 0, sizeof(*d));
    d->dim = 8;
    d->depth = 2;
    d->heads = 2;
    d->mlp_dim = 16;
    d->patch = 2;
    d->image_size = 4;
    d->classes = 3;
    d->tokens = 5;
    d->prefix = 1;
    d->class_token = 1;
    d->qkv_bias = d->patch_bias = d->head_bias = 1;
    d->pos_embed = d->final_norm = 1;
    d->pos_prefix = 1;
    d->features = 8;
}

/* ---- numbers ------------------------------------------------------------- */

double model_file_round(float value, int mantissa_bits, int least_exponent)
{
    int exponent;
    double step;

    if (value == 0)
        return (double)value;
    exponent = ilogb((double)value);
    if (exponent < least_exponent)
        exponent = least_exponent;
    step = ldexp(1, exponent - mantissa_bits);
    return rint((double)value / step) * step;
}

unsigned model_file_f16_bits(float value)
{
    double rounded = fabs(model_file_round(value, 10, -14));
    unsigned sign = signbit(value) ? 0x8000 : 0;
    int exponent;

    if (rounded >= 65536)
        return sign | 0x7c00;
    if (rounded < 0x1p-14)
        return sign | (unsigned)(rounded * 0x1p24);
    exponent = ilogb(rounded);
    return sign | (unsigned)((exponent + 15) * 1024 +
                             (int)(ldexp(rounded, 10 - exponent) - 1024));
}

static void store(unsigned char *to, uint32_t bits, size_t bytes)
{
    size_t i;

    for (i = 0; i < bytes; i++)
        to[i] = (unsigned char)(bits >> 8 * i);
}

static void convert(model_tensor *t, const float *values, size_t count)
{
    size_t width = strcmp(t->dtype, "F32") ? 2 : 4, i;

    for (i = 0; i < count; i++) {
        float value = values[i];
        uint32_t bits;

        if (!strcmp(t->dtype, "BF16"))
            value = (float)model_file_round(value, 7, -126);
        memcpy(&bits, &value, sizeof(bits));
        if (!strcmp(t->dtype, "BF16"))
            bits >>= 16;
        else if (!strcmp(t->dtype, "F16"))
            bits = model_file_f16_bits(value);
        store(t->data + i * width, bits, width);
    }
}

/* ---- tensors ------------------------------------------------------------- */

model_tensor *model_file_add(model_file *file, const char *name,
                             const char *dtype, size_t dims,
                             const size_t *shape, size_t bytes)
{
    model_tensor *t;

    file->tensors = realloc(file->tensors,
                            (file->count + 1) * sizeof(*file->tensors));
    t = &file->tensors[file->count++];
    memset(t, 0, sizeof(*t));
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->dtype = dtype;
    t->dims = dims;
    if (dims)
        memcpy(t->shape, shape, dims * sizeof(*shape));
    t->data = calloc(bytes + 1, 1);
    t->bytes = bytes;
    return t;
}

static void add_from(model_file *file, const tomevit_description *d,
                     enum vit_tensor t, size_t layer, vit_source source,
                     const char *dtype)
{
    size_t shape[4], dims;
    size_t count = tomevit_shape_in(d, layer, t, shape, &dims);
    float *values = malloc((count + 1) * sizeof(*values));
    char name[64];

    if (count) {
        tomevit_tensor_name(d, t, layer, name);
        cr_assert_eq(source.read(source.self, t, layer, values), 0);
        convert(model_file_add(file, name, dtype, dims, shape,
                               count * (strcmp(dtype, "F32") ? 2 : 4)),
                values, count);
    }
    free(values);
}

void model_file_make(model_file *file, const tomevit_description *d,
                     vit_source source, const char *dtype)
{
    size_t layer;
    int t;

    memset(file, 0, sizeof(*file));
    for (t = 0; t < VIT_FIRST_OF_LAYER; t++)
        add_from(file, d, (enum vit_tensor)t, 0, source, dtype);
    for (layer = 0; layer < d->depth; layer++)
        for (t = VIT_FIRST_OF_LAYER; t < VIT_TENSORS; t++)
            add_from(file, d, (enum vit_tensor)t, layer, source, dtype);
}

void model_file_random(model_file *file, const tomevit_description *d)
{
    vit_random random = {d, 1};

    model_file_make(file, d, tomevit_random_source(&random), "F32");
    file->metadata = "{\"num_heads\":\"2\"}";
}

model_tensor *model_file_get(model_file *file, const char *name)
{
    size_t i;

    for (i = 0; i < file->count; i++)
        if (!strcmp(file->tensors[i].name, name))
            return &file->tensors[i];
    cr_assert_fail("no tensor %s", name);
    return NULL;
}

void model_file_remove(model_file *file, const char *name)
{
    model_tensor *t = model_file_get(file, name);
    size_t after = (size_t)(file->tensors + file->count - (t + 1));

    free(t->data);
    memmove(t, t + 1, after * sizeof(*t));
    file->count--;
}

void model_file_free(model_file *file)
{
    size_t i;

    for (i = 0; i < file->count; i++)
        free(file->tensors[i].data);
    free(file->tensors);
    memset(file, 0, sizeof(*file));
}

/* ---- files --------------------------------------------------------------- */

unsigned char *model_file_raw(const char *header, size_t header_bytes,
                              size_t data_bytes, size_t *count)
{
    unsigned char *bytes = calloc(1, 8 + header_bytes + data_bytes);

    store(bytes, (uint32_t)header_bytes, 4);
    memcpy(bytes + 8, header, header_bytes);
    *count = 8 + header_bytes + data_bytes;
    return bytes;
}

static void print_tensor(FILE *out, const model_tensor *t, size_t at)
{
    size_t i;

    fprintf(out, "\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name, t->dtype);
    for (i = 0; i < t->dims; i++)
        fprintf(out, i ? ",%zu" : "%zu", t->shape[i]);
    fprintf(out, "],\"data_offsets\":[%zu,%zu]}", at, at + t->bytes);
}

unsigned char *model_file_bytes(const model_file *file, size_t *count)
{
    char *header = NULL;
    size_t length = 0, at = 0, i;
    FILE *out = open_memstream(&header, &length);
    unsigned char *bytes;

    fputc('{', out);
    if (file->metadata)
        fprintf(out, "\"__metadata__\":%s", file->metadata);
    for (i = 0; i < file->count; i++) {
        if (i || file->metadata)
            fputc(',', out);
        print_tensor(out, &file->tensors[i], at);
        at += file->tensors[i].bytes;
    }
    fprintf(out, "}%*s", (int)file->padding, "");
    fclose(out);

    bytes = model_file_raw(header, length, at, count);
    at = 8 + length;
    for (i = 0; i < file->count; i++) {
        memcpy(bytes + at, file->tensors[i].data, file->tensors[i].bytes);
        at += file->tensors[i].bytes;
    }
    free(header);
    return bytes;
}
