/* SPDX-License-Identifier: MIT */
/* The dtypes of .safetensors files and their conversion to f32. */
#include "config.h"

#include "../base/bytes.h"
#include "dtype.h"
#include "../base/numeric.h"

static void f32_to_f32(const unsigned char *bytes, size_t count, float *out)
{
    size_t i;

    for (i = 0; i < count; i++)
        out[i] = vit_f32_from_bits(vit_le32(bytes + 4 * i));
}

static void f16_to_f32(const unsigned char *bytes, size_t count, float *out)
{
    size_t i;

    for (i = 0; i < count; i++)
        out[i] = vit_f32_from_f16(vit_le16(bytes + 2 * i));
}

static void bf16_to_f32(const unsigned char *bytes, size_t count, float *out)
{
    size_t i;

    for (i = 0; i < count; i++)
        out[i] = vit_f32_from_bf16(vit_le16(bytes + 2 * i));
}

static void f64_to_f32(const unsigned char *bytes, size_t count, float *out)
{
    size_t i;

    for (i = 0; i < count; i++) {
        uint64_t bits = vit_le64(bytes + 8 * i);
        double value;

        memcpy(&value, &bits, sizeof(value));
        out[i] = (float)value;
    }
}

static void i8_to_f32(const unsigned char *bytes, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(bytes[i] < 128 ? bytes[i] : bytes[i] - 256);
}

const vit_dtype tomevit_dtype_int8_rows = {"I8", 8, i8_to_f32};

/* Every dtype that a file may use: sizes are needed to check offsets even of
 * tensors that nobody reads. [safetensors/src/tensor.rs, enum Dtype] */
static const vit_dtype dtypes[] = {
    {"F32", 32, f32_to_f32},
    {"F16", 16, f16_to_f32},
    {"BF16", 16, bf16_to_f32},
    {"F64", 64, f64_to_f32},
    {"I64", 64, NULL},
    {"U64", 64, NULL},
    {"C64", 64, NULL},
    {"I32", 32, NULL},
    {"U32", 32, NULL},
    {"I16", 16, NULL},
    {"U16", 16, NULL},
    {"I8", 8, NULL},
    {"U8", 8, NULL},
    {"BOOL", 8, NULL},
    {"F8_E4M3", 8, NULL},
    {"F8_E5M2", 8, NULL},
    {"F8_E8M0", 8, NULL},
    {"F8_E4M3FNUZ", 8, NULL},
    {"F8_E5M2FNUZ", 8, NULL},
    {"F6_E2M3", 6, NULL},
    {"F6_E3M2", 6, NULL},
    {"F4", 4, NULL},
};

const vit_dtype *tomevit_dtype_find(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(dtypes) / sizeof(*dtypes); i++)
        if (!strcmp(dtypes[i].name, name))
            return &dtypes[i];
    return NULL;
}
