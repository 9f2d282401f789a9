/* SPDX-License-Identifier: MIT */
/* The tensors in a pickle of PyTorch: found, named, checked. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "strided.h"
#include "torch.h"

enum {
    NAME = 512,                             /* bytes of a name, with NUL */
    NESTING = 32,
    VISITS = 1 << 18,                       /* values looked at */
    SHARED = 16                             /* how often bytes may be used */
};

/* What outlives the pickle: names and strides; and the archive, if the file
 * is one. */
typedef struct torch_file {
    vit_region region;
    vit_zip zip;
} torch_file;

typedef struct walk {
    vit_tensors *tensors;
    torch_file *file;
    const vit_storages *storages;
    size_t room, visits;
    size_t bytes;                           /* of all tensors */
    char name[NAME];
    const vit_report *report;
} walk;

/* ---- one tensor ---------------------------------------------------------- */

static int wrong(const walk *w, const char *what)
{
    return tomevit_fail(w->report, TOMEVIT_EFORMAT, "tensor \"%.80s\": %s",
                        w->name, what);
}

static int no_memory(const walk *w)
{
    return tomevit_fail(w->report, TOMEVIT_ENOMEM, "out of memory for tensor "
                        "\"%.80s\"", w->name);
}

static int get_size(const vit_value *value, size_t *out)
{
    if (value->kind != VIT_INT || value->number < 0 ||
        (uint64_t)value->number > SIZE_MAX)
        return 0;
    *out = (size_t)value->number;
    return 1;
}

static int get_sizes(const vit_value *list, size_t dims, size_t *out)
{
    size_t i = 0;

    while (i < dims && get_size(list->list.items[i], &out[i]))
        i++;
    return i == dims;
}

static int is_list(const vit_value *value)
{
    return value->kind == VIT_TUPLE || value->kind == VIT_LIST;
}

/* Arguments of a rebuilding: storage, offset, size, stride. */
static int get_shape(const walk *w, const vit_value *tensor, vit_stored *t,
                     size_t *offset, size_t *strides)
{
    vit_value **items = tensor->list.items;
    size_t i;

    if (tensor->list.count < 4 || items[0]->kind != VIT_STORAGE ||
        !get_size(items[1], offset) || !is_list(items[2]) ||
        !is_list(items[3]))
        return wrong(w, "expected a storage, an offset, a shape and strides");
    t->dims = items[2]->list.count;
    if (t->dims > VIT_DIMS)
        return tomevit_fail(w->report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "expected at most %d dimensions, found %zu",
                            w->name, (int)VIT_DIMS, t->dims);
    if (items[3]->list.count != t->dims ||
        !get_sizes(items[2], t->dims, t->shape) ||
        !get_sizes(items[3], t->dims, strides))
        return wrong(w, "expected as many strides as dimensions, none of them "
                     "negative");
    t->elements = 1;
    for (i = 0; i < t->dims; i++) {
        if (t->shape[i] && t->elements > SIZE_MAX / t->shape[i])
            return wrong(w, "its shape's product overflows");
        t->elements *= t->shape[i];
    }
    return 0;
}

int tomevit_torch_is_storage(const vit_value *value)
{
    return value->kind == VIT_GLOBAL &&
           (value->global->kind == VIT_IS_STORAGE ||
            value->global->kind == VIT_IS_BYTES);
}

/* The dtype of a tensor: its storage's or, where that has none, what its
 * rebuilding says. NULL for one that is not known. */
static const vit_dtype *find_dtype(const vit_value *tensor,
                                   const vit_value *storage)
{
    const vit_value *said = tensor->list.count > 6 ? tensor->list.items[6]
                                                   : NULL;

    if (storage->global->kind == VIT_IS_STORAGE)
        return tomevit_dtype_find(storage->global->dtype);
    return said && said->kind == VIT_GLOBAL && said->global->dtype
               ? tomevit_dtype_find(said->global->dtype) : NULL;
}

/* The id of a storage: "storage", type, key, device, elements; in old files a
 * part of it may be meant: (key, offset, elements). */
static int find_storage(const walk *w, const vit_value *tensor, vit_stored *t,
                        size_t *elements)
{
    const vit_value *id = tensor->list.items[0];
    vit_value **items = id->list.items;
    const vit_value *part = id->list.count > 5 ? items[5] : NULL;
    size_t begin = 0, bytes = 0, width, first = 0;
    char key[64];
    int code;

    if (id->list.count < 5 || !tomevit_torch_is_storage(items[1]) ||
        items[2]->kind != VIT_TEXT || items[2]->text.length >= sizeof(key) ||
        !get_size(items[4], elements))
        return wrong(w, "expected a storage of a known type, its key and its "
                     "length");
    t->dtype = find_dtype(tensor, items[1]);
    if (!t->dtype)
        return wrong(w, "expected a storage with a type, or a known dtype");
    width = t->dtype->bits / 8;
    if (items[1]->global->kind == VIT_IS_BYTES)
        *elements /= width;
    snprintf(key, sizeof(key), "%.*s", (int)items[2]->text.length,
             items[2]->text.start);
    code = w->storages->find(w->storages->self, key, &begin, &bytes, w->report);
    if (code)
        return code;
    if (*elements > bytes / width)
        return tomevit_fail(w->report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "expected a storage of %zu %s, found %zu bytes",
                            w->name, *elements, t->dtype->name, bytes);
    if (part && is_list(part)) {
        size_t whole = *elements;

        if (part->list.count != 3 || !get_size(part->list.items[1], &first) ||
            !get_size(part->list.items[2], elements) || first > whole ||
            *elements > whole - first)
            return wrong(w, "its part of a storage does not lie inside it");
    }
    t->begin = begin + first * width;
    return 0;
}

/* A tensor may use bytes of another, but not so that a small file stands for
 * a huge model. */
static int check_place(walk *w, const vit_stored *t, size_t offset,
                       size_t elements, const size_t *strides)
{
    size_t span = tomevit_span(t->shape, t->dims, strides);
    size_t width = t->dtype->bits / 8;

    if (span > elements || offset > elements - span)
        return tomevit_fail(w->report, TOMEVIT_EFORMAT, "tensor \"%.80s\": "
                            "shape %s from element %zu on does not lie inside "
                            "its storage of %zu", w->name,
                            tomevit_shape_text(t->shape, t->dims).text, offset,
                            elements);
    if (t->elements * width > SIZE_MAX - w->bytes ||
        (w->bytes += t->elements * width) / SHARED >
            w->tensors->mapping.count)
        return wrong(w, "too many tensors share their storage");
    return 0;
}

static int add_tensor(walk *w, const vit_value *value)
{
    size_t strides[VIT_DIMS], offset = 0, elements = 0;
    vit_tensors *tensors = w->tensors;
    vit_stored t = {0};
    int code = get_shape(w, value, &t, &offset, strides);

    if (!code)
        code = find_storage(w, value, &t, &elements);
    if (!code)
        code = check_place(w, &t, offset, elements, strides);
    if (code)
        return code;
    t.begin += offset * (t.dtype->bits / 8);
    t.end = t.begin + tomevit_span(t.shape, t.dims, strides) *
                      (t.dtype->bits / 8);
    if (!tomevit_in_order(t.shape, t.dims, strides)) {
        void *copy = tomevit_region_take(&w->file->region, sizeof(strides));

        if (!copy)
            return no_memory(w);
        t.more = memcpy(copy, strides, t.dims * sizeof(*strides));
    }
    t.name = tomevit_region_text(&w->file->region, w->name, strlen(w->name));
    if (t.name && tensors->count == w->room) {
        size_t room = w->room ? 2 * w->room : 256;
        vit_stored *bigger = realloc(tensors->list, room * sizeof(*bigger));

        if (!bigger)
            return no_memory(w);
        tensors->list = bigger;
        w->room = room;
    }
    if (!t.name)
        return no_memory(w);
    tensors->list[tensors->count++] = t;
    return 0;
}

/* ---- all of them --------------------------------------------------------- */

/* Appends a key to the name; 0 if it is none that a tensor can be named by. */
static int add_key(walk *w, const vit_value *key, size_t length)
{
    size_t room = NAME - length;
    const char *dot = length ? "." : "";
    int used;

    if (key->kind == VIT_INT)
        used = snprintf(w->name + length, room, "%s%" PRId64, dot,
                        key->number);
    else if (key->kind == VIT_TEXT && key->text.length < NAME &&
             !memchr(key->text.start, 0, key->text.length))
        used = snprintf(w->name + length, room, "%s%.*s", dot,
                        (int)key->text.length, key->text.start);
    else
        return 0;
    return (size_t)used < room;
}

static int visit(walk *w, const vit_value *value, size_t depth);

/* Items of lists are named by their index, those of dicts by their key. */
static int visit_items(walk *w, const vit_value *value, size_t depth)
{
    size_t step = value->kind == VIT_DICT ? 2 : 1, length = strlen(w->name), i;
    int code = 0;

    for (i = 0; !code && i + step <= value->list.count; i += step) {
        vit_value index = {.kind = VIT_INT, .number = (int64_t)i};
        vit_value *const *item = value->list.items + i;

        if (add_key(w, step == 2 ? item[0] : &index, length))
            code = visit(w, item[step - 1], depth + 1);
        w->name[length] = '\0';
    }
    return code;
}

/* Values may be shared and hold themselves, so their number is no limit. */
static int visit(walk *w, const vit_value *value, size_t depth)
{
    if (++w->visits > VISITS || depth > NESTING)
        return tomevit_fail(w->report, TOMEVIT_EFORMAT, "\"%.80s\": %s",
                            w->name, depth > NESTING
                                ? "values nest too deep"
                                : "more values than any checkpoint has");
    if (value->kind == VIT_TENSOR)
        return add_tensor(w, value);
    if (value->kind == VIT_DICT || is_list(value))
        return visit_items(w, value, depth);
    return 0;
}

static int check_names(const vit_tensors *tensors, const vit_report *report)
{
    size_t i;

    for (i = 1; i < tensors->count; i++)
        if (!strcmp(tensors->list[i - 1].name, tensors->list[i].name))
            return tomevit_fail(report, TOMEVIT_EFORMAT, "tensor \"%.80s\" is "
                                "there twice", tensors->list[i].name);
    return 0;
}

static int read_tensor(const vit_tensors *tensors, const vit_stored *tensor,
                       float *out, const vit_report *report)
{
    const torch_file *file = tensors->self;
    const unsigned char *bytes = tensors->mapping.bytes + tensor->begin;
    int code = tomevit_zip_check_at(&file->zip, bytes, report);

    if (code)
        return code;
    if (tensor->more)
        tomevit_read_strided(tensor, tensor->more, bytes, out);
    else
        tensor->dtype->to_f32(bytes, tensor->elements, out);
    tomevit_mapping_read(&tensors->mapping, tensor->begin, tensor->end);
    return 0;
}

static void release(vit_tensors *tensors)
{
    torch_file *file = tensors->self;

    if (file) {
        tomevit_zip_close(&file->zip);
        tomevit_region_free(&file->region);
    }
    free(file);
}

/* Without a tensor it is some other object that was pickled. */
static int refuse_unknown(const vit_unknown *u, const char *name,
                          const vit_report *report)
{
    return tomevit_fail(report, TOMEVIT_EFORMAT, "%s: byte %zu: it uses "
                        "\"%.*s.%.*s\", which no tensor is rebuilt with: save "
                        "the model's state_dict() alone", name, u->at,
                        (int)(u->module_length < 80 ? u->module_length : 80),
                        u->module,
                        (int)(u->name_length < 80 ? u->name_length : 80),
                        u->name);
}

int tomevit_torch_list(vit_tensors *tensors, const vit_pickle *pickle,
                       const char *name, const vit_storages *storages,
                       const vit_report *report)
{
    walk w = {.tensors = tensors, .storages = storages, .report = report};
    int code;

    w.file = calloc(1, sizeof(*w.file));
    if (!w.file)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    tensors->self = w.file;
    tensors->read = read_tensor;
    tensors->release = release;
    code = visit(&w, pickle->root, 0);
    if (!code && !tensors->count && pickle->unknown.module)
        code = refuse_unknown(&pickle->unknown, name, report);
    if (code)
        return code;
    tomevit_tensors_sort(tensors);
    return check_names(tensors, report);
}

void tomevit_torch_check(vit_tensors *tensors, vit_zip *zip)
{
    torch_file *file = tensors->self;

    file->zip = *zip;
    memset(zip, 0, sizeof(*zip));
}
