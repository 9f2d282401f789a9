/* SPDX-License-Identifier: MIT */
/* .npz files: a zip archive of .npy arrays, stored or deflated. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "npy.h"
#include "strided.h"

typedef struct array {
    const vit_zip_entry *entry;
    size_t header;                          /* bytes before the elements */
    int fortran;
} array;

typedef struct npz_file {
    vit_zip zip;
    array *arrays;
} npz_file;

/* The length of the name without ".npy", 0 for another kind of entry. */
static size_t array_name(const char *name)
{
    size_t length = strlen(name);

    return length > 4 && !strcmp(name + length - 4, ".npy") ? length - 4 : 0;
}

int tomevit_npz_detect(const vit_zip *zip)
{
    size_t i = 0;

    while (i < zip->count && !array_name(zip->entries[i].name))
        i++;
    return i < zip->count;
}

/* Reads the header of an entry, of which only the start is inflated. */
static int read_header(const vit_zip_entry *entry, const char *name,
                       vit_npy *npy, const vit_report *report)
{
    unsigned char start[VIT_NPY_BYTES];
    const unsigned char *bytes = entry->bytes;
    size_t count = entry->size < sizeof(start) ? entry->size : sizeof(start);
    int code = 0;

    if (entry->deflated) {
        code = tomevit_zip_inflate(entry, count, start, report);
        bytes = start;
    }
    return code ? code : tomevit_npy_read(npy, name, bytes, count, report);
}

static int add_array(vit_tensors *tensors, npz_file *file,
                     const vit_zip_entry *entry, const vit_report *report)
{
    vit_stored *t = &tensors->list[tensors->count];
    array *a = &file->arrays[tensors->count];
    char *name = tomevit_region_text(&file->zip.region, entry->name,
                                   array_name(entry->name));
    vit_npy npy;
    int code;

    if (!name)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    code = read_header(entry, name, &npy, report);
    if (code || !npy.dtype)
        return code;
    if (npy.elements > (entry->size - npy.bytes) / (npy.dtype->bits / 8) ||
        npy.elements * (npy.dtype->bits / 8) != entry->size - npy.bytes)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "array \"%.80s\": its %zu "
                            "bytes are not %s of shape %s", name,
                            entry->size - npy.bytes, npy.dtype->name,
                            tomevit_shape_text(npy.shape, npy.dims).text);
    *a = (array){entry, npy.bytes, npy.fortran};
    *t = (vit_stored){.name = name, .dtype = npy.dtype, .dims = npy.dims,
                      .elements = npy.elements, .more = a};
    memcpy(t->shape, npy.shape, sizeof(npy.shape));
    tensors->count++;
    return 0;
}

/* Column-major: the strides of the reversed shape, reversed. */
static void read_fortran(const vit_stored *t, const unsigned char *bytes,
                         float *out)
{
    size_t strides[VIT_DIMS], stride = 1, i;

    for (i = 0; i < t->dims; i++) {
        strides[i] = stride;
        stride *= t->shape[i];
    }
    tomevit_read_strided(t, strides, bytes, out);
}

static int read_tensor(const vit_tensors *tensors, const vit_stored *tensor,
                       float *out, const vit_report *report)
{
    const npz_file *file = tensors->self;
    const array *a = tensor->more;
    size_t begin = (size_t)(a->entry->bytes - tensors->mapping.bytes);
    const unsigned char *bytes = a->entry->bytes;
    void *inflated = NULL;
    int code;

    if (a->entry->deflated)
        code = tomevit_zip_bytes(a->entry, &bytes, &inflated, report);
    else
        code = tomevit_zip_check(&file->zip, a->entry, report);
    if (code)
        return code;
    if (a->fortran && tensor->dims > 1)
        read_fortran(tensor, bytes + a->header, out);
    else
        tensor->dtype->to_f32(bytes + a->header, tensor->elements, out);
    free(inflated);
    tomevit_mapping_read(&tensors->mapping, begin, begin + a->entry->packed);
    return 0;
}

static int read_range(const vit_tensors *tensors, const vit_stored *tensor,
                      size_t first, size_t count, float *out, void **made,
                      const vit_report *report)
{
    const npz_file *file = tensors->self;
    const array *a = tensor->more;
    size_t begin = (size_t)(a->entry->bytes - tensors->mapping.bytes);
    size_t width = tensor->dtype->bits / 8, at = a->header + first * width;
    const unsigned char *bytes = *made ? *made : a->entry->bytes;
    int code = 0;

    if (a->fortran && tensor->dims > 1)
        return 1;
    if (!a->entry->deflated) {
        code = tomevit_zip_check(&file->zip, a->entry, report);
    } else if (!*made) {
        code = tomevit_zip_bytes(a->entry, &bytes, made, report);
        tomevit_mapping_read(&tensors->mapping, begin,
                             begin + a->entry->packed);
    }
    if (code)
        return code;
    tensor->dtype->to_f32(bytes + at, count, out);
    if (!a->entry->deflated)
        tomevit_mapping_read(&tensors->mapping, begin + at,
                             begin + at + count * width);
    return 0;
}

static void release(vit_tensors *tensors)
{
    npz_file *file = tensors->self;

    if (!file)
        return;
    tomevit_zip_close(&file->zip);
    free(file->arrays);
    free(file);
}

int tomevit_npz_read(vit_tensors *tensors, vit_zip *zip,
                     const vit_report *report)
{
    npz_file *file = calloc(1, sizeof(*file));
    size_t i;
    int code = 0;

    if (!file)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    tensors->read = read_tensor;
    tensors->read_range = read_range;
    tensors->release = release;
    tensors->self = file;
    file->zip = *zip;
    memset(zip, 0, sizeof(*zip));
    file->arrays = calloc(file->zip.count, sizeof(*file->arrays));
    tensors->list = calloc(file->zip.count, sizeof(*tensors->list));
    if (!file->arrays || !tensors->list)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory for %zu "
                            "arrays", file->zip.count);
    for (i = 0; !code && i < file->zip.count; i++)
        if (array_name(file->zip.entries[i].name))
            code = add_array(tensors, file, &file->zip.entries[i], report);
    tomevit_tensors_sort(tensors);
    return code;
}
