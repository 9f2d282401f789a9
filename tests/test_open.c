/* SPDX-License-Identifier: MIT */
/*
 * Opening a checkpoint: names are compared as often as sorting them takes,
 * however many there are; every allocation may fail, and then one line says
 * so; a file that becomes shorter while it is read is one line too.
 *
 * This program is linked so that comparisons and allocations come by here.
 */
#include "config.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <malloc.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../vit/checkpoint/checkpoint.h"
#include "containers.h"
#include "model_file.h"
#include "refused.h"

/* ---- what comes by ------------------------------------------------------- */

static size_t compared;

int __real_strcmp(const char *a, const char *b);
int __real_strncmp(const char *a, const char *b, size_t count);
int __wrap_strcmp(const char *a, const char *b);
int __wrap_strncmp(const char *a, const char *b, size_t count);

int __wrap_strcmp(const char *a, const char *b)
{
    compared++;
    return __real_strcmp(a, b);
}

int __wrap_strncmp(const char *a, const char *b, size_t count)
{
    compared++;
    return __real_strncmp(a, b, count);
}

/* Allocations still to succeed; SIZE_MAX: all. */
static size_t allowed = SIZE_MAX;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void __real_free(void *memory);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void __wrap_free(void *memory);

static int fails(void)
{
    if (allowed == SIZE_MAX)
        return 0;
    allowed -= allowed > 0;
    return allowed == 0;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return fails() ? NULL : __real_realloc(memory, bytes);
}

/* What is freed is worth nothing any more: text made of it shows. */
void __wrap_free(void *memory)
{
    if (memory)
        memset(memory, '!', malloc_usable_size(memory));
    __real_free(memory);
}

/* ---- a GGUF file in memory ----------------------------------------------- */

typedef struct buffer {
    unsigned char *bytes;
    size_t count, room;
} buffer;

static void put(buffer *b, const void *bytes, size_t count)
{
    if (b->count + count > b->room) {
        b->room = 2 * (b->count + count);
        b->bytes = realloc(b->bytes, b->room);
    }
    memcpy(b->bytes + b->count, bytes, count);
    b->count += count;
}

/* Little-endian, of 4 or 8 bytes. */
static void put_number(buffer *b, size_t width, uint64_t number)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < width; i++)
        bytes[i] = (unsigned char)(number >> 8 * i);
    put(b, bytes, width);
}

static void put_text(buffer *b, const char *text)
{
    put_number(b, 8, strlen(text));
    put(b, text, strlen(text));
}

/* A tensor of F32 at this place of the data; its shape the other way round. */
static void put_tensor(buffer *b, const char *name, const size_t *shape,
                       size_t dims, size_t at)
{
    put_text(b, name);
    put_number(b, 4, dims);
    for (size_t i = dims; i > 0; i--)
        put_number(b, 8, shape[i - 1]);
    put_number(b, 4, 0);
    put_number(b, 8, at);
}

/* The tiny model, and `more` empty tensors beside it. */
static buffer many_tensors(const model_file *model, size_t more)
{
    static const size_t none[] = {0};
    buffer b = {0};
    size_t at = 0;
    char name[64];

    put(&b, "GGUF", 4);
    put_number(&b, 4, 3);
    put_number(&b, 8, model->count + more);
    put_number(&b, 8, 1);
    put_text(&b, "num_heads");
    put_number(&b, 4, 8);
    put_text(&b, "2");
    for (size_t i = 0; i < model->count; i++) {
        const model_tensor *t = &model->tensors[i];

        put_tensor(&b, t->name, t->shape, t->dims, at);
        at += t->bytes;
    }
    for (size_t i = 0; i < more; i++) {
        snprintf(name, sizeof(name), "text.%zu.layer.%zu.weight",
                 i * 2654435761u % 1000003, i);
        put_tensor(&b, name, none, 1, at);
    }
    while (b.count % 32)
        put(&b, "", 1);
    for (size_t i = 0; i < model->count; i++)
        put(&b, model->tensors[i].data, model->tensors[i].bytes);
    return b;
}

static void count_name(void *count, const char *name)
{
    (void)name;
    ++*(size_t *)count;
}

/* Comparisons that it takes to open the file and to list what is unused. */
static size_t count_comparisons(size_t more)
{
    tomevit_description d;
    tomevit_message why = {""};
    vit_checkpoint *checkpoint;
    model_file model;
    size_t unused = 0;
    buffer b;

    model_file_tiny(&d);
    model_file_random(&model, &d);
    b = many_tensors(&model, more);
    compared = 0;
    cr_assert_eq(tomevit_checkpoint_parse("many.gguf", b.bytes, b.count,
                                          &checkpoint, &d, &why), 0, "%s",
                 why.text);
    cr_assert_eq(tomevit_checkpoint_unused(checkpoint, count_name, &unused),
                 more);
    cr_assert_eq(unused, more);
    tomevit_checkpoint_close(checkpoint);
    model_file_free(&model);
    free(b.bytes);
    return compared;
}

/* A name is looked at once by each of 13 layouts and by what is asked of
 * each tensor, and compared some log2(n) times in each of three sortings. */
Test(open, a_million_names_are_compared_n_log_n_times)
{
    const size_t n = 1000000;
    size_t counted = count_comparisons(n);

    cr_assert_leq((double)counted, (double)n * (60 + 4 * log2((double)n)),
                  "%zu comparisons", counted);
}

/* ---- memory -------------------------------------------------------------- */

/* Opens it with the n-th allocation failing; 1 if there were as many. */
static int fail_at(const char *path, const tomevit_open_options *options,
                   size_t n)
{
    vit_checkpoint *checkpoint = NULL;
    tomevit_description d;
    tomevit_message why = {""};
    int code, failed;

    allowed = n;
    code = tomevit_checkpoint_open(path, options, &checkpoint, &d, &why);
    failed = allowed == 0;
    allowed = SIZE_MAX;
    if (code) {
        cr_assert(failed, "%s", why.text);
        cr_assert_null(checkpoint);
        refused(code, code == TOMEVIT_EFORMAT ? code : TOMEVIT_ENOMEM, &why,
                NULL, "");
        cr_assert_null(strchr(why.text, '!'), "%s", why.text);
    }
    tomevit_checkpoint_close(checkpoint);
    return failed;
}

static void fail_everywhere(const char *fixture,
                            const tomevit_open_options *options)
{
    char *path = fixture_path(fixture);
    size_t n = 1;

    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
    while (fail_at(path, options, n))
        n++;
    cr_assert_gt(n, 10);
    free(path);
}

Test(open, without_memory_it_fails_in_one_line)
{
    fail_everywhere("layouts/hf_vit/model.safetensors", NULL);
    fail_everywhere("layouts/big_vision.npz", NULL);
    fail_everywhere("layouts/torchvision.pth", NULL);
    fail_everywhere("models/model.gguf", NULL);
    fail_everywhere("models/model.safetensors.index.json", NULL);
}

/* ---- a file that is cut while it is read --------------------------------- */

static void cut_while_reading(const char *fixture)
{
    char path[] = "cut-XXXXXX";
    size_t count;
    unsigned char *bytes = fixture_bytes(fixture, &count);
    int fd = mkstemp(path);
    tomevit_message why = {""};
    vit_tensors *tensors;
    float *values;

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, count), (ssize_t)count);
    cr_assert_eq(tomevit_tensors_open(path, &tensors, &why), 0, "%s",
                 why.text);
    cr_assert_eq(ftruncate(fd, 0), 0);
    for (size_t i = 0; i < tensors->count; i++) {
        const vit_stored *t = &tensors->list[i];

        if (!t->dtype->to_f32)
            continue;
        values = malloc((t->elements + 1) * sizeof(*values));
        refused(tomevit_tensors_read(tensors, t, values, &why), TOMEVIT_EIO,
                &why, path, "became shorter while it was read|found 0");
        cr_assert_eq(tomevit_tensors_read_int8(tensors, t, NULL, NULL), 0);
        free(values);
    }
    tomevit_tensors_close(tensors);
    close(fd);
    unlink(path);
    free(bytes);
}

Test(open, a_file_that_becomes_shorter_is_one_line)
{
    cut_while_reading("layouts/hf_vit/model.safetensors");
    cut_while_reading("npz/stored.npz");
    cut_while_reading("torch/zip.pth");
    cut_while_reading("torch/stream.pth");
    cut_while_reading("gguf/v3.gguf");
}
