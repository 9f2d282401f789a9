/* SPDX-License-Identifier: MIT */
/* Reading golden data: folders, index.json, .safetensors. */
#include "config.h"

#include "golden.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fails the running test; abort() is for the compiler, which cannot know that
 * a failed assertion does not return. */
#define FATAL(...) do { cr_assert(0, __VA_ARGS__); abort(); } while (0)

struct golden_file {
    char *path;
    size_t tensors;
    golden_tensor *tensor;
};

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    [GOLDEN_F32] = {"F32", 4},
    [GOLDEN_I32] = {"I32", 4},
    [GOLDEN_I64] = {"I64", 8},
    [GOLDEN_U8] = {"U8", 1},
};
enum { DTYPES = sizeof(dtypes) / sizeof(dtypes[0]) };

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);

    if (!memory)
        FATAL("no memory for %zu bytes", bytes);
    return memory;
}

/* ---- folders ------------------------------------------------------------- */

char *golden_path(const char *folder, const char *name)
{
    size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = allocate(bytes);

    snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

static int readable(const char *folder, const char *name)
{
    char *path = golden_path(folder, name);
    FILE *file = fopen(path, "rb");

    free(path);
    if (!file)
        return 0;
    fclose(file);
    return 1;
}

/* $TOMERGE_SHARED/name in `buffer`, or NULL if it has no file `witness`. */
static const char *shared_folder(const char *name, const char *witness,
                                 char buffer[PATH_MAX])
{
    const char *shared = getenv("TOMERGE_SHARED");

    if (!shared || !*shared)
        return NULL;
    if (snprintf(buffer, PATH_MAX, "%s/%s", shared, name) >= PATH_MAX)
        return NULL;
    return readable(buffer, witness) ? buffer : NULL;
}

const char *golden_small_folder(void)
{
    static char buffer[PATH_MAX];
    const char *srcdir = getenv("srcdir");

    snprintf(buffer, sizeof(buffer), "%s/tests/golden",
             srcdir && *srcdir ? srcdir : ".");
    if (!readable(buffer, "index.json"))
        FATAL("%s/index.json cannot be read; is srcdir set?", buffer);
    return buffer;
}

const char *golden_folder(void)
{
    static char buffer[PATH_MAX];
    const char *folder = shared_folder("golden", "index.json", buffer);

    return folder ? folder : golden_small_folder();
}

const char *golden_real_folder(void)
{
    static char buffer[PATH_MAX];

    return shared_folder("golden-real", "index.json", buffer);
}

const char *golden_methods_folder(void)
{
    static char buffer[PATH_MAX];

    return shared_folder("golden-methods", "index.json", buffer);
}

const char *golden_data_folder(void)
{
    static char buffer[PATH_MAX];

    return shared_folder("data", "imagenet1k-classes.txt", buffer);
}

/* ---- index.json ---------------------------------------------------------- */

json_t *golden_index(const char *folder)
{
    char *path = golden_path(folder, "index.json");
    json_error_t error;
    json_t *index = json_load_file(path, 0, &error);

    if (!index)
        FATAL("%s:%d: %s", path, error.line, error.text);
    free(path);
    return index;
}

size_t golden_size(const json_t *entry, const char *key)
{
    const json_t *value = json_object_get(entry, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        FATAL("index entry: \"%s\" is not a whole number", key);
    return (size_t)json_integer_value(value);
}

const char *golden_string(const json_t *entry, const char *key)
{
    const json_t *value = json_object_get(entry, key);

    if (!json_is_string(value))
        FATAL("index entry: \"%s\" is not a string", key);
    return json_string_value(value);
}

/* ---- .safetensors -------------------------------------------------------- */

static uint64_t little_endian(const unsigned char bytes[8])
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static unsigned char *read_whole(const char *path, size_t *count)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes;
    long end;

    if (!file)
        FATAL("%s: cannot be opened", path);
    if (fseek(file, 0, SEEK_END) || (end = ftell(file)) < 0 ||
        fseek(file, 0, SEEK_SET))
        FATAL("%s: its length cannot be found", path);
    *count = (size_t)end;
    bytes = allocate(*count);
    if (fread(bytes, 1, *count, file) != *count)
        FATAL("%s: cannot be read", path);
    fclose(file);
    return bytes;
}

static enum golden_dtype dtype_of(const char *path, const char *name,
                                  const json_t *entry)
{
    const char *text = json_string_value(json_object_get(entry, "dtype"));

    for (int i = 0; text && i < DTYPES; i++)
        if (!strcmp(text, dtypes[i].name))
            return (enum golden_dtype)i;
    FATAL("%s: %s: dtype %s is not read here", path, name,
             text ? text : "(none)");
    return GOLDEN_U8;
}

static void read_shape(const char *path, golden_tensor *t, const json_t *entry)
{
    const json_t *shape = json_object_get(entry, "shape");

    t->dims = json_array_size(shape);
    if (!json_is_array(shape) || t->dims > 8)
        FATAL("%s: %s: no shape of at most 8 dimensions", path, t->name);
    t->count = 1;
    for (size_t i = 0; i < t->dims; i++) {
        json_int_t length = json_integer_value(json_array_get(shape, i));

        if (length < 0 || (length && t->count > (1u << 30) / (size_t)length))
            FATAL("%s: %s: bad shape", path, t->name);
        t->shape[i] = (size_t)length;
        t->count *= (size_t)length;
    }
}

/* Little-endian numbers of `bytes` bytes each, as this machine has them. */
static void copy_numbers(unsigned char *to, const unsigned char *from,
                         size_t count, size_t bytes)
{
    const union { uint16_t number; unsigned char first; } one = {1};

    memcpy(to, from, count * bytes);
    for (size_t i = 0; i < count * bytes && !one.first; i++)
        to[i] = from[i / bytes * bytes + bytes - 1 - i % bytes];
}

static void read_tensor(const char *path, const char *name,
                        const json_t *entry, const unsigned char *data,
                        size_t bytes, golden_tensor *t)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    json_int_t from = json_integer_value(json_array_get(offsets, 0));
    json_int_t to = json_integer_value(json_array_get(offsets, 1));
    size_t length;

    t->name = allocate(strlen(name) + 1);
    strcpy(t->name, name);
    t->dtype = dtype_of(path, name, entry);
    read_shape(path, t, entry);
    length = t->count * dtypes[t->dtype].bytes;
    if (json_array_size(offsets) != 2 || from < 0 || to < from ||
        (size_t)to > bytes || (size_t)(to - from) != length)
        FATAL("%s: %s: offsets %" JSON_INTEGER_FORMAT
                 " to %" JSON_INTEGER_FORMAT " do not hold its %zu bytes",
                 path, name, from, to, length);
    t->data = allocate(length);
    copy_numbers(t->data, data + from, t->count, dtypes[t->dtype].bytes);
}

golden_file *golden_open(const char *folder, const char *name)
{
    golden_file *file = allocate(sizeof(*file));
    size_t count, header, i = 0;
    unsigned char *bytes;
    json_error_t error;
    json_t *root, *entry;
    const char *key;

    file->path = golden_path(folder, name);
    bytes = read_whole(file->path, &count);
    if (count < 8 || little_endian(bytes) > count - 8)
        FATAL("%s: shorter than its header", file->path);
    header = (size_t)little_endian(bytes);
    root = json_loadb((const char *)bytes + 8, header, 0, &error);
    if (!json_is_object(root))
        FATAL("%s: header: %s", file->path, error.text);
    json_object_del(root, "__metadata__");
    file->tensors = json_object_size(root);
    file->tensor = allocate(file->tensors * sizeof(file->tensor[0]));
    json_object_foreach(root, key, entry)
        read_tensor(file->path, key, entry, bytes + 8 + header,
                    count - 8 - header, &file->tensor[i++]);
    json_decref(root);
    free(bytes);
    return file;
}

void golden_close(golden_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->tensors; i++) {
        free(file->tensor[i].name);
        free(file->tensor[i].data);
    }
    free(file->tensor);
    free(file->path);
    free(file);
}

const golden_tensor *golden_find(const golden_file *file, const char *name)
{
    for (size_t i = 0; i < file->tensors; i++)
        if (!strcmp(file->tensor[i].name, name))
            return &file->tensor[i];
    return NULL;
}

const golden_tensor *golden_get(const golden_file *file, const char *name)
{
    const golden_tensor *t = golden_find(file, name);

    if (!t)
        FATAL("%s: no tensor %s", file->path, name);
    return t;
}

static const void *typed(const golden_file *file, const char *name,
                         enum golden_dtype dtype, size_t count)
{
    const golden_tensor *t = golden_get(file, name);

    if (t->dtype != dtype || t->count != count)
        FATAL("%s: %s: expected %zu of %s, found %zu of %s", file->path,
                 name, count, dtypes[dtype].name, t->count,
                 dtypes[t->dtype].name);
    return t->data;
}

const float *golden_f32(const golden_file *file, const char *name, size_t count)
{
    return typed(file, name, GOLDEN_F32, count);
}

const int32_t *golden_i32(const golden_file *file, const char *name,
                          size_t count)
{
    return typed(file, name, GOLDEN_I32, count);
}

const int64_t *golden_i64(const golden_file *file, const char *name,
                          size_t count)
{
    return typed(file, name, GOLDEN_I64, count);
}

const uint8_t *golden_u8(const golden_file *file, const char *name,
                         size_t count)
{
    return typed(file, name, GOLDEN_U8, count);
}

/* ---- cases of other methods ---------------------------------------------- */

void golden_each(const char *method, const char *op, size_t least,
                 void (*check)(const golden_sequence *c))
{
    const char *folder = golden_methods_folder();
    json_t *index, *entry;
    golden_file *file;
    size_t i, cases = 0;
    char name[64];

    if (!folder)
        cr_skip_test("no reference data: set TOMERGE_SHARED");
    index = golden_index(folder);
    snprintf(name, sizeof(name), "%s.safetensors", method);
    file = golden_open(folder, name);
    json_array_foreach(json_object_get(index, "cases"), i, entry) {
        golden_sequence c = {.file = file, .entry = entry};

        if (strcmp(golden_string(entry, "method"), method) != 0 ||
            (op && strcmp(golden_string(entry, "op"), op) != 0))
            continue;
        c.batch = golden_size(entry, "batch");
        c.tokens = golden_size(entry, "tokens");
        c.channels = golden_size(entry, "channels");
        c.rows = golden_size(entry, "tokens_out");
        for (c.b = 0; c.b < c.batch; c.b++)
            check(&c);
        cases++;
    }
    cr_assert_geq(cases, least);
    golden_close(file);
    json_decref(index);
}

static void full_name(const golden_sequence *c, const char *name,
                      char full[64])
{
    snprintf(full, 64, "%s%s", golden_string(c->entry, "prefix"), name);
}

const golden_tensor *golden_of(const golden_sequence *c, const char *name)
{
    char full[64];

    full_name(c, name, full);
    return golden_get(c->file, full);
}

const float *golden_part(const golden_sequence *c, const char *name,
                         size_t count)
{
    char full[64];

    full_name(c, name, full);
    return golden_f32(c->file, full, c->batch * count) + c->b * count;
}

const int32_t *golden_part_i32(const golden_sequence *c, const char *name,
                               size_t count)
{
    char full[64];

    full_name(c, name, full);
    return golden_i32(c->file, full, c->batch * count) + c->b * count;
}
