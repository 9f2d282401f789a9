/* SPDX-License-Identifier: MIT */
/* Any checkpoint as one .safetensors file with timm's names. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "description.h"
#include "safetensors_write.h"

typedef struct model {
    tomevit_description d;
    vit_checkpoint *checkpoint;
    vit_source source;
    char **names;                           /* of classes, or NULL */
    struct {
        enum vit_tensor tensor;
        size_t layer;
    } *tensors;                             /* [count] */
    size_t count;
} model;

static void describe(void *self, size_t i, char name[VIT_ST_NAME],
                     size_t *shape, size_t *dims)
{
    const model *m = self;

    tomevit_tensor_shape(&m->d, m->tensors[i].tensor, shape, dims);
    tomevit_tensor_name(&m->d, m->tensors[i].tensor, m->tensors[i].layer,
                        name);
}

static int read_tensor(void *self, size_t i, float *out,
                       const vit_report *report)
{
    model *m = self;
    int code = m->source.read(m->source.self, m->tensors[i].tensor,
                              m->tensors[i].layer, out);

    if (code && report->why)
        *report->why = *tomevit_checkpoint_why(m->checkpoint);
    return code;
}

/* All tensors, layer by layer. */
static int list_tensors(model *m)
{
    size_t layer;
    int t;

    m->tensors = calloc(VIT_TENSORS * (m->d.depth + 1), sizeof *m->tensors);
    if (!m->tensors)
        return TOMEVIT_ENOMEM;
    for (layer = 0; layer < m->d.depth || layer == 0; layer++)
        for (t = layer ? VIT_FIRST_OF_LAYER : 0; t < VIT_TENSORS; t++)
            if (tomevit_tensor_shape(&m->d, (enum vit_tensor)t, NULL, NULL)) {
                m->tensors[m->count].tensor = (enum vit_tensor)t;
                m->tensors[m->count++].layer = layer;
            }
    return 0;
}

static int open_model(model *m, const char *path, tomevit_message *why)
{
    vit_report report = {path, why};
    int code;

    memset(m, 0, sizeof *m);
    code = tomevit_checkpoint_open(path, NULL, &m->checkpoint, &m->d, why);
    if (!code)
        code = tomevit_checkpoint_class_names(m->checkpoint, &m->names, why);
    if (code)
        return code;
    m->source = tomevit_checkpoint_source(m->checkpoint);
    code = list_tensors(m);
    return code ? tomevit_fail(&report, code, "out of memory") : 0;
}

static void close_model(model *m)
{
    tomevit_checkpoint_close(m->checkpoint);
    free(m->names);
    free(m->tensors);
}

/* ---- the new file -------------------------------------------------------------- */

/* Where it was found does not change the model. */
static void forget_origin(tomevit_description *d)
{
    memset(d->container, 0, sizeof d->container);
    memset(d->wrapper, 0, sizeof d->wrapper);
    memset(d->layout, 0, sizeof d->layout);
    d->unused = 0;
    memset(d->family, 0, sizeof d->family);
    memset(d->preprocessing_source, 0, sizeof d->preprocessing_source);
}

/* 1 if the class names are the same, or both are absent. */
static int same_names(char *const *a, char *const *b)
{
    size_t i;

    if (!a || !b)
        return a == b;
    for (i = 0; a[i] && b[i] && !strcmp(a[i], b[i]); i++)
        ;
    return !a[i] && !b[i];
}

/* What was written says all that the model is. */
static int check(const model *m, const char *path, const vit_report *report)
{
    static const char part[] =
        "a .safetensors file with timm's names cannot say all of this model";
    tomevit_description before, after;
    model written;
    int code = open_model(&written, path, report->why);

    if (!code) {
        memcpy(&before, &m->d, sizeof before);
        memcpy(&after, &written.d, sizeof after);
        forget_origin(&before);
        forget_origin(&after);
        if (memcmp(&before, &after, sizeof before) ||
            !same_names(m->names, written.names))
            code = tomevit_fail(report, TOMEVIT_EMODEL, "%s", part);
    }
    close_model(&written);
    return code;
}

static int write_model(model *m, const char *dtype, const char *path,
                       const vit_report *report)
{
    vit_st_output output = {.count = m->count, .describe = describe,
                            .read = read_tensor, .self = m, .dtype = dtype};
    vit_report file = {path, report->why};
    int code;

    output.metadata = tomevit_metadata_of(&m->d,
        tomevit_checkpoint_metadata(m->checkpoint, "position_resize"),
        m->names);
    if (!output.metadata)
        return tomevit_fail(report, TOMEVIT_ENOMEM, "out of memory");
    code = tomevit_safetensors_write(&output, &file);
    json_decref(output.metadata);
    return code;
}

/* Under another name beside `out` until it is whole. */
static int write_beside(model *m, const char *dtype, const char *out,
                        tomevit_message *why)
{
    size_t length = strlen(out) + 32;
    vit_report report = {out, why};
    char *part = malloc(length);
    int code;

    if (!part)
        return tomevit_fail(&report, TOMEVIT_ENOMEM, "out of memory");
    snprintf(part, length, "%s.part-%ld", out, (long)getpid());
    code = write_model(m, dtype, part, &report);
    if (!code)
        code = check(m, part, &report);
    if (!code && rename(part, out))
        code = tomevit_fail(&report, TOMEVIT_EIO, "cannot rename \"%.80s\" to "
                            "it: %s", part, strerror(errno));
    if (code)
        unlink(part);
    free(part);
    return code;
}

static const struct {
    const char *name, *dtype;
} dtypes[] = {
    {"f32", "F32"}, {"f16", "F16"}, {"bf16", "BF16"},
};

int tomevit_convert(const char *path, const char *out, const char *dtype,
                    tomevit_message *why)
{
    tomevit_message unused;
    const char *written = NULL;
    size_t i;
    model m;
    int code;

    for (i = 0; dtype && i < sizeof dtypes / sizeof *dtypes; i++)
        if (!strcmp(dtypes[i].name, dtype))
            written = dtypes[i].dtype;
    if (!path || !out || !out[0] || (dtype && !written))
        return TOMEVIT_EINVAL;
    why = why ? why : &unused;
    code = open_model(&m, path, why);
    if (!code && !dtype)
        written = tomevit_checkpoint_dtype(m.checkpoint);
    if (!code)
        code = write_beside(&m, written, out, why);
    close_model(&m);
    return code;
}
