/* SPDX-License-Identifier: MIT */
/* .safetensors files: mapped, checked, looked up, read. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "safetensors.h"

enum { LENGTH_BYTES = 8 };

struct vit_safetensors {
    vit_st_header header;
    const unsigned char *data;
    void *map;                              /* NULL if the bytes are not ours */
    size_t map_bytes;
    char path[];
};

static int parse(vit_safetensors *file, const unsigned char *bytes,
                 size_t count, const vit_report *report)
{
    uint64_t length = 0;
    size_t i;

    if (count < LENGTH_BYTES)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "expected a .safetensors "
                            "header, found a file of %zu bytes", count);
    for (i = 0; i < LENGTH_BYTES; i++)
        length |= (uint64_t)bytes[i] << 8 * i;
    if (length > count - LENGTH_BYTES)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "header length %llu "
                            "exceeds the %zu bytes that follow it: cut short, "
                            "or not a .safetensors file",
                            (unsigned long long)length, count - LENGTH_BYTES);
    if (length > VIT_ST_HEADER_BYTES)
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "header length %llu exceeds the limit of %d bytes",
                            (unsigned long long)length,
                            (int)VIT_ST_HEADER_BYTES);
    if (length == 0)
        return tomevit_fail(report, TOMEVIT_EFORMAT, "header length is 0");
    file->data = bytes + LENGTH_BYTES + length;
    return tomevit_st_header_parse(&file->header,
                                   (const char *)bytes + LENGTH_BYTES,
                                   (size_t)length,
                                   count - LENGTH_BYTES - (size_t)length,
                                   report);
}

static vit_safetensors *new_file(const char *path, const vit_report *report)
{
    size_t length = strlen(path);
    vit_safetensors *file = calloc(1, sizeof *file + length + 1);

    if (file)
        memcpy(file->path, path, length);
    else
        tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    return file;
}

int tomevit_safetensors_parse(const char *path, const void *bytes,
                              size_t count, vit_safetensors **out,
                              tomevit_message *why)
{
    vit_report report = {path, why};
    vit_safetensors *file = new_file(path, &report);
    int code;

    *out = NULL;
    if (!file)
        return TOMEVIT_ENOMEM;
    code = parse(file, bytes, count, &report);
    if (code)
        tomevit_safetensors_close(file);
    else
        *out = file;
    return code;
}

static int map_descriptor(vit_safetensors *file, int fd,
                          const vit_report *report)
{
    struct stat status;
    void *map;

    if (fstat(fd, &status))
        return tomevit_fail(report, TOMEVIT_EIO, "%s", strerror(errno));
    if (S_ISDIR(status.st_mode))
        return tomevit_fail(report, TOMEVIT_EIO,
                            "expected a .safetensors file, found a directory");
    if (!S_ISREG(status.st_mode))
        return tomevit_fail(report, TOMEVIT_EIO,
                            "expected a regular file, found a device, pipe or "
                            "socket");
    if (status.st_size == 0)
        return tomevit_fail(report, TOMEVIT_EFORMAT,
                            "expected a .safetensors header, found an empty "
                            "file");
    if ((uintmax_t)status.st_size > SIZE_MAX)
        return tomevit_fail(report, TOMEVIT_EIO,
                            "too large for this machine's address space");
    map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return tomevit_fail(report, TOMEVIT_EIO, "cannot map the file: %s",
                            strerror(errno));
    file->map = map;
    file->map_bytes = (size_t)status.st_size;
    return 0;
}

int tomevit_safetensors_open(const char *path, vit_safetensors **out,
                             tomevit_message *why)
{
    vit_report report = {path, why};
    vit_safetensors *file;
    int fd, code;

    *out = NULL;
    /* Without O_NONBLOCK a named pipe would hold the caller up for ever. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return tomevit_fail(&report, TOMEVIT_EIO, "cannot open: %s",
                            strerror(errno));
    file = new_file(path, &report);
    code = file ? map_descriptor(file, fd, &report) : TOMEVIT_ENOMEM;
    close(fd);
    if (!code)
        code = parse(file, file->map, file->map_bytes, &report);
    if (code)
        tomevit_safetensors_close(file);
    else
        *out = file;
    return code;
}

void tomevit_safetensors_close(vit_safetensors *file)
{
    if (!file)
        return;
    tomevit_st_header_free(&file->header);
    if (file->map)
        munmap(file->map, file->map_bytes);
    free(file);
}

const char *tomevit_safetensors_path(const vit_safetensors *file)
{
    return file->path;
}

size_t tomevit_safetensors_count(const vit_safetensors *file)
{
    return file->header.count;
}

const vit_st_tensor *tomevit_safetensors_at(const vit_safetensors *file,
                                            size_t index)
{
    return &file->header.tensors[index];
}

const vit_st_tensor *tomevit_safetensors_find(const vit_safetensors *file,
                                              const char *name)
{
    size_t low = 0, high = file->header.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(file->header.tensors[middle].name, name);

        if (order == 0)
            return &file->header.tensors[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *tomevit_safetensors_metadata(const vit_safetensors *file,
                                         const char *key)
{
    return json_string_value(json_object_get(file->header.metadata, key));
}

void tomevit_safetensors_read(const vit_safetensors *file,
                              const vit_st_tensor *tensor, float *out)
{
    tensor->dtype->to_f32(file->data + tensor->begin, tensor->elements, out);
}
